"""Random experts, held against torch: keys, parameters, products, and the same network written as source.

``python -m tests.random_experts 0 1000`` draws those of these seeds, and prints each that differs.
"""

from __future__ import annotations

import ast
import random
import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.analysis import difference
from archlens.network import Network
from archlens.source import emit
from archlens.writing import convert


def text_of(chance: random.Random) -> str:
    """A spec with experts of one kind or another, once or twice, on tokens, rows of tokens or a vector."""
    width, length = chance.randint(2, 12), chance.randint(1, 6)
    groups = chance.choice((1, 1, 1, 2, 3))
    size, open_ = chance.randint(2 if groups > 1 else 1, 4), chance.randint(1, groups)
    active = chance.randint(1, open_ * size)
    said: dict[str, Any] = {"count": groups * size, "active": active, "do": _expert(chance, width)}
    if groups > 1:
        said |= {"groups": groups, "active_groups": open_}
    further = {"scores": "sigmoid", "normalize": "false", "scale": 2.5, "correction": "corrections"}
    said |= {key: value for key, value in further.items() if chance.random() < 0.3}
    if "layer_norm" not in said["do"] and chance.random() < 0.5:
        said["stacked"] = "true"
    if chance.random() < 0.2:
        said["gate"] = f'{{router: "linear({groups * size})"}}'
    step = f"experts: {{{', '.join(f'{key}: {value}' for key, value in said.items())}}}"
    places = (["- {step}"], ["- residual:", "    - {step}"], ["- moe:", "    - {step}"])
    twice = ["- one:", "    - {step}", "- relu", "- two:", "    - {step}"]
    lines = [line.format(step=step) for line in chance.choice((*places, twice))]
    sizes = chance.choice((f"{width}", f"{length}x{width}", f"{chance.randint(1, 3)}x{length}x{width}"))
    shape = f"{sizes} channels_last" if "x" in sizes else sizes
    return "\n".join([f"input: {shape}", "layers:", *(f"  {line}" for line in lines), ""])


def _expert(chance: random.Random, width: int) -> str:
    """One expert: layers that do the same to each token."""

    def linear(features: int) -> str:
        bias, turned = (chance.choice(("true", "false")) for _ in range(2))
        return f'"linear({features}, bias={bias}, turned={turned})"'

    hidden = chance.randint(1, 9)
    gated = f"multiply: [[g: {linear(hidden)}, silu], u: {linear(hidden)}]"
    return chance.choice(
        (
            linear(width),
            f"[a: {linear(hidden)}, {chance.choice(('relu', 'gelu', 'silu'))}, b: {linear(width)}]",
            f"[layer_norm, a: {linear(width)}]",
            f"[{gated}, d: {linear(width)}]",
        )
    )


def check(text: str) -> None:
    """Archlens says of the network what torch does, and its source computes the same with its weights."""
    network = archlens.loads(text)
    module = archlens.build(network).eval()
    assert {key: tuple(value.shape) for key, value in module.state_dict().items()} == network.state(), text
    assert sum(parameter.numel() for parameter in module.parameters()) == network.params, text
    with torch.no_grad():
        drawn = torch.Generator().manual_seed(0)
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.normal_(generator=drawn)
        x = torch.randn(2, *network.input, generator=drawn)
        with FlopCounterMode(display=False) as counter:
            found = module(x)
    assert counter.get_total_flops() == 2 * 2 * network.macs, text
    assert tuple(found.shape[1:]) == tuple(network.output), text
    check_written(network, module, x)


def check_written(network: Network, module: nn.Module, x: Tensor) -> None:
    """The source of a network and its converted spec have its keys, and compute the same with its weights."""
    code = emit(network)
    names: dict[str, Any] = {"__name__": "written"}
    exec(code, names)
    *_, last = [node for node in ast.parse(code).body if isinstance(node, ast.ClassDef)]
    again = archlens.loads(convert(network))
    assert difference.find(network, again).empty
    found = module(x)
    for written in (names[last.name]().eval(), archlens.build(again).eval()):
        written.load_state_dict(module.state_dict(), strict=True)
        torch.testing.assert_close(written(x), found, rtol=1e-4, atol=1e-4, equal_nan=True)


def main(first: int, stop: int) -> None:
    different = 0
    for seed in range(first, stop):
        text = text_of(random.Random(seed))
        try:
            check(text)
        except Exception as problem:  # which is what is looked for
            different += 1
            print(f"--- {seed}: {type(problem).__name__}: {problem}\n{text}", flush=True)
    print(f"{stop - first - different} agree, {different} differ")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
