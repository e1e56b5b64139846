"""An op is whole: what lies around it, in other rooms, knows it too.

One test, over every op and everything that is to know it. A new op fails here for each that it lacks.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
import torch

import archlens
from archlens.analysis import counting
from archlens.analysis.cost import ITEMS
from archlens.backends.probing import _Twin
from archlens.backends.torch_module import sample
from archlens.elaboration.examples import reference
from archlens.language.synonyms import op_meant, words_for
from archlens.network import Network
from archlens.ops import MERGES, OPS
from archlens.ops.reference import Entry
from archlens.source import emit

from .test_cost import TOOLS, quiet  # noqa: F401  # a fixture
from .test_cost import example as network_of


def networks(entry: Entry) -> Iterator[tuple[str, Network]]:
    """The examples of an op, each as a network; an op that makes no layer has none."""
    if not OPS[entry.kind].transparent:
        for one in entry.examples:
            with warnings.catch_warnings(action="ignore"):  # sizes that look like channels
                yield one.text, network_of(one.text)


def documentation(entry: Entry) -> Iterator[str]:
    """Each section is there; it says `none` where the examples have none, and there alone."""
    said = entry.documentation
    if not said.summary.endswith("."):
        yield "its docstring does not start with a sentence"
    for section in ("output", "limits"):
        if not getattr(said, section):
            yield f"its docstring has no {section.capitalize()}:"
    some = {
        "parameters": any(one.facts.params for one in entry.examples),
        "macs": any(one.facts.macs for one in entry.examples),
    }
    for section, has in some.items():
        says = getattr(said, section)
        if has and says == "none":
            yield f"its docstring says nothing of its {section}"
        if not has and not says.startswith("none"):
            yield f"its docstring tells of {section}, and no example has any"
    for name, argument in entry.arguments.items():
        if not argument.meaning:
            yield f"{name} has no meaning: Annotated[..., 'what it is']"


def synonyms(entry: Entry) -> Iterator[str]:
    """Each of its names elsewhere leads to it."""
    op = OPS[entry.kind]
    for word in words_for(op):
        help = op_meant(word, OPS)
        if help not in (f"did you mean {entry.kind}?", f"write {entry.kind}: with its branches under it"):
            yield f"{word} leads elsewhere: {help}"


def memory(entry: Entry) -> Iterator[str]:
    """``None`` is unknown, and then there is a reason."""
    for one in entry.examples:
        if (one.op.footprint(one.facts, *one.inputs) is None) != bool(one.op.memory_unknown):
            yield f"neither holds nor footprint says what is kept of {one.text}"


def work(entry: Entry) -> Iterator[str]:
    """What it computes beside products is of the items that have a formula."""
    for one in entry.examples:
        for item in one.facts.other.keys() - ITEMS.keys():
            yield f"{item} has no formula in archlens.analysis.cost.ITEMS"


def count_conventions(entry: Entry) -> Iterator[str]:
    """Each convention counts its first example as its tool does; ``tests/test_cost.py`` tries all of them."""
    for text, network in islice(networks(entry), 1):
        for name, tool in TOOLS.items():
            found, printed = counting.count(network, name), tool(network)
            if (found.printed, found.printed_params) != printed:
                yield f"the convention {name} counts {text} as {found.printed}, and the tool as {printed[0]}"


def source(entry: Entry) -> Iterator[str]:
    """The code that is written runs by itself, and gives the shape of its facts."""
    for text, network in networks(entry):
        code = emit(network)
        *_, last = [node for node in ast.parse(code).body if isinstance(node, ast.ClassDef)]
        names: dict[str, Any] = {"__name__": "written"}
        exec(code, names)
        yield from shape_of(names[last.name](), text, network)


def building(entry: Entry) -> Iterator[str]:
    """The module that is built gives the shape of its facts."""
    for text, network in networks(entry):
        yield from shape_of(archlens.build(network), text, network)


def shape_of(module: torch.nn.Module, text: str, network: Network) -> Iterator[str]:
    """What is wrong with the output of a module."""
    found = module.eval()(*[sample(shape, 2) for shape in network.inputs.values()])
    if tuple(found.shape[1:]) != tuple(network.output):
        yield f"{text} gives {tuple(found.shape)}"


def probes_of_reach(entry: Entry) -> Iterator[str]:
    """With few channels it can be run, to see how far it looks; what has no axes cannot."""
    for text, network in networks(entry):
        name, shape = next(iter(network.inputs.items()))
        if shape.spatial and network.output.spatial:
            ran = _Twin(network, {}).run(name, 0, [shape.spatial[0] // 2])
            yield from (f"{text}: {why}" for layer, _, why in ran if why and not layer.op.looks_up)


SATELLITES: tuple[Callable[[Entry], Iterator[str]], ...] = (
    *(documentation, synonyms, memory, work, count_conventions, source, building, probes_of_reach),
)


@pytest.mark.parametrize("kind", OPS)
def test_nothing_lacks_an_op(kind: str) -> None:
    """All that is missing is said at once."""
    assert OPS[kind].examples, "it has no examples"
    assert OPS[kind].names is not None, "it does not say what it is called elsewhere: names = Names(...)"
    with torch.no_grad():
        entry = reference(OPS[kind])
        lacking = [
            f"{satellite.__name__}: {problem}" for satellite in SATELLITES for problem in satellite(entry)
        ]
    assert lacking == [], "\n".join(lacking)


def test_merges_are_the_ops_that_take_several() -> None:
    """A class of the base for merges is one, and no other."""
    from archlens.ops.op import Merge

    assert {kind for kind, op in OPS.items() if issubclass(op, Merge)} == MERGES.keys()
