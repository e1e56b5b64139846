"""How long the analyses of a network take beside laying it out: ratios, measured side by side.

Run by hand, on an idle machine: ``python tests/benchmarks/of_analyses.py``. It is no test: it prints
medians and never fails. Laying out is measured in processes of its own, because the second time much of it
is remembered; the analyses remember nothing.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import archlens
from archlens.analysis import cost, depth, memory, receptive_field, structure, unseen

LAYING_OUT = """
import time
import archlens.elaboration
from archlens.library.finding import find
spec, variant = find("resnet152")
start = time.perf_counter()
archlens.elaboration.elaborate(spec, variant)
print(time.perf_counter() - start)
"""

ANALYSES: dict[str, Callable[[archlens.Network], Any]] = {
    "receptive field": receptive_field.find,
    "cost": cost.cost,
    "memory": memory.account,
    "pixels unseen": unseen.find,
    "depth": depth.find,
    "structure": structure.fingerprint,
}

#: Merges that are wide; of more than two tensors the last two are taken two at a time.
MERGED = ("concat", "add", "multiply")

DEEP = """
input: 8x64x64
blocks:
  unit(width):
    - residual:
        - conv(width, 3, padding=1, bias=false)
        - batch_norm
        - relu
        - conv(width, 3, padding=1, bias=false)
        - batch_norm
    - relu
layers:
  - unit(8) * {units}
"""


#: As many tensors alive at once as there are branches.
WIDE = "input: 1x4x4\nlayers:\n  - {merge}:\n{branches}"


def wide(merge: str, layers: int) -> archlens.Network:
    """One merge of ``layers / 2`` branches of two layers each."""
    text = WIDE.format(merge=merge, branches="      - conv(1, 1) >> relu\n" * (layers // 2))
    return archlens.loads(text, max_layers=2 * layers)


def timed(function: Callable[[archlens.Network], Any], network: archlens.Network) -> float:
    start = time.perf_counter()
    function(network)
    return time.perf_counter() - start


def main() -> None:
    """Print the medians."""
    network = archlens.load("resnet152")
    cold = [
        float(subprocess.run([sys.executable, "-c", LAYING_OUT], capture_output=True, check=True).stdout)
        for _ in range(9)
    ]
    laid = statistics.median(cold)
    print(f"laying resnet152 out, in a new process: {1e3 * laid:.2f} ms")
    total = 0.0
    for name, function in ANALYSES.items():
        function(network)
        seconds = statistics.median(timed(function, network) for _ in range(15))
        total += seconds
        print(f"  {name:<16} {1e3 * seconds:6.2f} ms")
    print(f"  together         {1e3 * total:6.2f} ms, {total / laid:.2f} times laying out")
    grown = {"deep": [archlens.loads(DEEP.format(units=units)) for units in (300, 3000)]}
    grown |= {merge: [wide(merge, layers) for layers in (1000, 16000, 32000)] for merge in MERGED}
    for what, networks in grown.items():
        print(f"per layer, {what}, of {', '.join(f'{len(network):,}' for network in networks)} layers:")
        for name, function in ANALYSES.items():
            each = [statistics.median(timed(function, one) for _ in range(3)) / len(one) for one in networks]
            print(f"  {name:<16}", *(f"{seconds / each[0]:.2f}" for seconds in each))


if __name__ == "__main__":
    main()
