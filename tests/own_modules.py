"""What counting tools print of torchvision's own modules, as people run them; written to a file.

``python tests/own_modules.py`` runs every tool on each network of the zoo that torchvision builds, on the
CPU and on one image of the network's own size, and writes ``archlens/analysis/counting/own_modules.json``;
with names, of these networks alone. A network above :data:`MOST` multiply-accumulates is left out.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.analysis import structure

FILE = Path(archlens.__file__).parent / "analysis" / "counting" / "own_modules.json"

#: The most multiply-accumulates of a network that is run.
MOST = 20 * 10**9


def by_torch(module: Any, x: Any) -> tuple[int, int]:
    with FlopCounterMode(display=False) as counter:
        module(x)
    return counter.get_total_flops() // 2, sum(p.numel() for p in module.parameters())


def by_fvcore(module: Any, x: Any) -> tuple[int, int]:
    from fvcore.nn import FlopCountAnalysis, parameter_count

    return int(FlopCountAnalysis(module, x).total()), parameter_count(module)[""]


def by_torchinfo(module: Any, x: Any) -> tuple[int, int]:
    import torchinfo

    found = torchinfo.summary(module, input_data=x, verbose=0)
    return found.total_mult_adds, found.total_params


def by_thop(module: Any, x: Any) -> tuple[int, int]:
    import thop

    work, params = thop.profile(module, (x,), verbose=False)
    return int(work), int(params)


def by_ptflops(module: Any, x: Any, backend: str = "pytorch") -> tuple[int, int]:
    import ptflops

    return ptflops.get_model_complexity_info(  # type: ignore[no-any-return]
        module, tuple(x.shape[1:]), print_per_layer_stat=False, as_strings=False, backend=backend,
        ost=io.StringIO(),
    )  # fmt: skip


#: How each tool is run; what it prints of multiply-accumulates and parameters.
TOOLS: dict[str, Callable[[Any, Any], tuple[int, int]]] = {
    "fvcore": by_fvcore,
    "ptflops": by_ptflops,
    "ptflops_aten": lambda module, x: by_ptflops(module, x, "aten"),
    "thop": by_thop,
    "torch": by_torch,
    "torchinfo": by_torchinfo,
}


def measure(name: str, make: Callable[[], Any], *tools: str) -> dict[str, list[int]]:
    """What tools print of a network: multiply-accumulates and parameters.

    Args:
        name: the network's name in the zoo, whose input it gets.
        make: makes torchvision's module; anew for each tool, as some leave traces in it.
        tools: those that are run; all of them unless they are given.
    """
    x = torch.zeros(1, *archlens.load(name).input)
    logging.disable(logging.CRITICAL)
    found = {}
    with warnings.catch_warnings(), torch.enable_grad():  # as it is where nobody says otherwise
        warnings.simplefilter("ignore")
        for tool in tools or TOOLS:
            module = make().to_empty(device="cpu").eval()
            for tensor in (*module.parameters(), *module.buffers()):
                tensor.data.zero_()  # some are indices, and what memory holds may be slow to compute with
            found[tool] = [int(count) for count in TOOLS[tool](module, x)]
    logging.disable(logging.NOTSET)
    return found


def main(chosen: list[str]) -> None:
    """Measure, and write what was found as soon as it is there."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.conftest import load_torchvision
    from tests.test_torchvision import NAMES, build

    torchvision = load_torchvision()
    data: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in chosen or NAMES:
        network = archlens.load(name)
        if network.macs > MOST:
            continue
        prints = measure(name, lambda name=name: build(torchvision, name))
        data[name] = {"structure": structure.fingerprint(network), "prints": prints}
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(data[key])}" for key in sorted(data))
        FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
        print(name, prints["thop"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
