"""What repeats in a network: the same for tables and diagrams, nothing hidden, and what differs said."""

from __future__ import annotations

import dataclasses
import warnings
from random import Random

import pytest

import archlens
from archlens.analysis.repeats import Repeats, in_words, stretches
from archlens.drawing.plan import Plan, Plans, TooMuch
from archlens.network import Layer, Network
from archlens.ops import OPS, ShapeError
from archlens.ops.op import signature
from archlens.views.rows import Row, rows_of

from . import zoo
from .seeds import seeds
from .test_ops import EXAMPLES
from .test_source import spec_of


def folds(network: Network) -> list[tuple[str, int]]:
    """The folded scopes of a network at every level, as the table names them, each with its count."""
    found: dict[str, int] = {}
    for row in rows_of(network, fold=True):
        parts = row.name.split(".." if row.name.count("..") == 1 else "\0")
        if len(parts) == 2:
            found[f"{parts[0]}..{parts[1].partition('.')[0]}"] = row.repeats
    return list(found.items())


def counts(network: Network) -> list[int]:
    return [count for _, count in folds(network)]


# --- over the zoo ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", archlens.names())
def test_tables_and_diagrams_fold_the_same(name: str) -> None:
    """Layer by layer the same one is shown for the same number of them."""
    network = zoo.network(name)
    in_table = {
        layers[0].name: row.repeats for row in rows_of(network, fold=True) for layers in row.copies[:1]
    }
    try:
        drawn = Plans(network).at(Repeats(network).deepest)
    except TooMuch:
        return  # it is drawn with more of it folded, alone
    in_diagram = {layer.name: box.repeats for box in drawn.boxes for layer in box.layers}
    for box in drawn.boxes:  # a parameter in the box of the merge that alone reads it stands behind that
        if box.kind == "layers" and box.layers[0].op.merges:
            shown = [layer.name for layer in box.behind if layer.name in in_table]
            assert len(shown) * box.repeats == len(box.behind)
            in_diagram |= dict.fromkeys(shown, box.repeats)
    unread = {one.name for one in network if one.op.kind == "parameter"}.difference(
        *(one.inputs for one in network)
    )
    assert in_table == in_diagram | dict.fromkeys(unread & in_table.keys(), 1)  # a note names these


@pytest.mark.parametrize("name", archlens.names())
def test_folded_is_the_same_network(name: str) -> None:
    """Every layer stands behind one row, and the sums are those of all layers."""
    network = zoo.network(name)
    for depth in (None, 1, 2, 3):
        rows = rows_of(network, depth, fold=True)
        behind = [layer.name for row in rows for layers in row.copies for layer in layers]
        assert sorted(behind) == sorted(layer.name for layer in network)
        assert sum(row.params for row in rows) == sum(layer.params for layer in network)
        assert sum(row.macs for row in rows) == sum(layer.macs for layer in network)
        for row in rows:
            hides_nothing(row)


def hides_nothing(row: Row) -> None:
    """Repeats are equal in shape, parameters and MACs; or they grow or shrink step by step, which is said."""
    first = [(layer.op.kind, layer.facts.shape, layer.params, layer.macs) for layer in row.copies[0]]
    equal = True
    for layers in row.copies:
        found = [(layer.op.kind, layer.facts.shape, layer.params, layer.macs) for layer in layers]
        assert [kind for kind, *_ in found] == [kind for kind, *_ in first]
        equal = equal and found == first
    if equal:
        assert row.params == row.repeats * sum(layer.params for layer in row.layers)
        assert row.macs == row.repeats * sum(layer.macs for layer in row.layers)
    elif row.single:
        read = [sum(shape.numel for shape in layers[0].input_shapes) for layers in row.copies]
        assert read in (sorted(set(read)), sorted(set(read), reverse=True))
        if row.copies[0][0].shape != row.copies[-1][0].shape:
            assert " to " in row.ends(lambda layers: str(layers[-1].shape))


#: What the publications say of how often blocks repeat; a first block of another shape stands by itself.
PUBLISHED = {
    # He et al. 2016, Table 1: 3, 4, 6, 3 blocks, of which each first has a projection
    "resnet50": [2, 3, 5, 2],
    # Huang et al. 2017, Table 1: 6, 12, 24, 16 layers
    "densenet121": [6, 12, 24, 16],
    # Dosovitskiy et al. 2021, Table 1: 12 layers
    "vit_b_16": [12],
    # Liu et al. 2022, section 2.2: 3, 3, 9, 3 blocks
    "convnext_tiny": [3, 3, 9, 3],
    # Liu et al. 2021, section 3.3: 2, 2, 6, 2 blocks, and 2, 2, 18, 2
    "swin_t": [2, 2, 6, 2],
    "swin_s": [2, 2, 18, 2],
    "swin_v2_t": [2, 2, 6, 2],
    # Tan and Le 2019, Table 1: 1, 2, 2, 3, 3, 4, 1 layers, of which each first changes size or width
    "efficientnet_b0": [2, 2, 3],
    # Tu et al. 2022, Table 1: 2, 2, 5, 2 blocks, of which each first halves the map
    "maxvit_t": [4],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_as_published(name: str) -> None:
    assert counts(zoo.network(name)) == PUBLISHED[name]


# --- what is said ----------------------------------------------------------------------------------


def notes(found: Plan) -> list[str]:
    return [scope.note for scope in found.scopes if scope.note]


def test_drop_rates_are_said() -> None:
    """18 blocks, from 0 to 0.1 in equal steps: the seventh to the fifteenth have 6/17 to 14/17 of it."""
    network = archlens.load("convnext_tiny")
    assert [round(0.1 * k / 17, 3) for k in (6, 14)] == [0.035, 0.082]
    assert notes(Plans(network).at())[2] == "x9, each with its own weights; drop 0.035 to 0.082"
    whats = [row.what for row in rows_of(network, fold=True)]
    assert "stochastic_depth(0.035 to 0.082)" in whats
    closed = [row.what for row in rows_of(network, 3, fold=True) if row.repeats == 9]
    assert closed == ["block, drop 0.035 to 0.082"]


def test_shifts_are_said_in_turn() -> None:
    """Windows of 7 are shifted by 3 in every second block (Liu et al. 2021, section 3.2)."""
    network = archlens.load("swin_t")
    said = "shift 0 and 3 in turn"
    assert said in notes(Plans(network).at())[2]
    attention = [row.what for row in rows_of(network, fold=True) if "attention" in row.what]
    assert attention[2] == "window_attention(12, 7, shift=0 and 3 in turn)"


def test_blocks_that_grow_say_from_what_to_what() -> None:
    """Each layer of a dense block adds 32 channels: the sixth reads 64 + 5 * 32 = 224, and makes 256."""
    network = archlens.load("densenet121")
    assert notes(Plans(network).at())[0] == "x6, each with its own weights; input 64 to 224 channels"
    rows = {row.name: row for row in rows_of(network, fold=True)}
    row = rows["features.denseblock1.denselayer1..denselayer6.concat"]
    assert row.ends(lambda layers: str(layers[-1].shape)) == "96x56x56 to 256x56x56"
    conv = rows["features.denseblock1.denselayer1..denselayer6.conv1"]
    assert conv.params == sum((64 + 32 * k) * 128 for k in range(6))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.0, 0.1, 0.2], "0 to 0.2"),
        ([0.2, 0.1, 0.1], "0.2 to 0.1"),
        ([0, 3], "0 and 3"),
        ([0, 3, 0, 3, 0, 3], "0 and 3 in turn"),
        ([0, 3, 0], "0 and 3 in turn"),
        ([(0, 0), (3, 2), (0, 0)], "0x0 and 3x2 in turn"),
        ([1, 3, 2], "1, 3 and 2"),
        ([1, 3, 2, 1, 3, 2], "1, 3 and 2 in turn"),
        ([0, 3, 3, 0], "between 0 and 3"),
        ([1, 3, 2, 1], "between 1 and 3"),  # too few to be in turn
        ([0.1, 0.1, 0.2], "0.1 to 0.2"),
        ([5, 1, 4, 2, 3], "between 1 and 5"),
        ([0.1234, 0.1235, 0.1236], "0.1234 to 0.1236"),  # as few digits as tell them apart
        ([(k, 7 - k * k) for k in range(5)], "5 different ones"),
    ],
)
def test_values_in_words(values: list[object], words: str) -> None:
    assert in_words(values) == words


def test_repeats_within_repeats_speak_for_all() -> None:
    """The inner ones are shown once for both of the outer ones, and so say the rates of both."""
    network = archlens.loads(
        """
input: 4x8x8
blocks:
  inner(p): conv(4, 3, padding=1) >> stochastic_depth(p)
  outer(p):
    - {each: i, in: range(3), do: inner(p + i / 10)}
    - end: max_pool(1)
layers:
  - {each: k, in: range(2), do: outer(k * 3 / 10)}
"""
    )
    rows = {row.name: (row.repeats, row.what) for row in rows_of(network, fold=True)}
    assert rows["0..1.0..2.1"] == (6, "stochastic_depth(0 to 0.5)")
    assert rows["0..1.end"] == (2, "max_pool(1)")
    drawn = Plans(network).at()
    assert notes(drawn) == ["x2, each with its own weights; drop 0 to 0.5"]
    inner = [line.name or line.what for box in drawn.boxes for line in box.lines if box.repeats == 6]
    assert inner[1:] == ["stochastic_depth, 0 to 0.5", "x3, each with its own weights", "drop 0 to 0.5"]


# --- what is no repeat -----------------------------------------------------------------------------


def blocks(block: str, *calls: str, input: str = "8x16x16") -> Network:
    layers = "\n".join(f"  - {chr(97 + k)}: {call}" for k, call in enumerate(calls))
    return archlens.loads(f"input: {input}\nblocks:\n  {block}\nlayers:\n{layers}\n")


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (blocks("b(p): conv(8, 3, padding=1) >> elu(p)", "b(0.5)", "b(1.5)"), [("a..b", 2)]),
        # as much work, and another reach
        (blocks("b(d): conv(8, 3, padding=d, dilation=d) >> relu", "b(1)", "b(2)", "b(4)"), []),
        (blocks("b(k): conv(8, k, padding=k // 2) >> relu", "b(1)", "b(3)", "b(5)"), []),
        # larger at first, and then no more
        (blocks("b(): conv(16, 3, padding=1) >> relu", "b", "b", "b"), [("b..c", 2)]),
        (blocks("b(): conv(16, 3, padding=1) >> relu", "b", "b"), []),
        # smaller each time, but for the first, whose channels change as well
        (blocks("b(): conv(8, 3, stride=2, padding=1) >> relu", "b", "b", "b"), [("a..c", 3)]),
        (blocks("b(): conv(8, 3, stride=2, padding=1) >> relu", "b", "b"), []),
        (blocks("b(): conv(16, 3, stride=2, padding=1) >> relu", "b", "b", "b", "b"), [("b..d", 3)]),
        # the last of three has another rate, the first two have one
        (blocks("b(p): linear(8) >> dropout(p)", "b(0)", "b(0)", "b(0.1)", input="8"), [("a..c", 3)]),
        # each reads the input of the network as well as the one before it
        (blocks("b(): ['conv(8, 1)', {add: [ref(input), identity]}]", "b", "b", "b"), []),
    ],
)
def test_repeats_and_no_repeats(network: Network, expected: list[tuple[str, int]]) -> None:
    assert folds(network) == expected


def test_names_within_are_those_of_all() -> None:
    a, b, c = (f"{{{name}: [{{x: relu}}, {{{last}: tanh}}]}}" for name, last in ("ay", "by", "cz"))
    network = archlens.loads(f"{{input: 4x8x8, layers: [{a}, {b}, {c}]}}")
    assert folds(network) == [("a..b", 2)]


def test_a_block_that_is_read_from_elsewhere_ends_a_run() -> None:
    text = """
input: 4x8x8
blocks:
  two(): ["conv(4, 1)", "conv(4, 3, padding=1)"]
layers:
  - a: two
  - b: two
  - c: two
  - add: [ref(b), identity]
"""
    assert folds(archlens.loads(text)) == [("a..b", 2)]


@pytest.mark.parametrize("what", ["macs", "weights"])
def test_no_work_is_hidden(what: str) -> None:
    """Were an op to cost another amount on the same shapes, its block would stand by itself."""
    network = blocks("b(): conv(8, 3, padding=1) >> relu", "b", "b", "b", "b")
    layers = list(network.layers)
    for number in (2, 4, 6):
        facts = layers[number].facts
        other = number if what == "macs" else {"weight": (number,)}
        layers[number] = layers[number]._replace(facts=facts._replace(**{what: other}))
    assert folds(dataclasses.replace(network, layers=tuple(layers))) == []


def test_a_rate_of_the_last_is_said() -> None:
    network = blocks("b(p): linear(8) >> dropout(p)", "b(0)", "b(0)", "b(0.1)", input="8")
    assert [row.what for row in rows_of(network, fold=True)] == ["linear(8)", "dropout(p=0 to 0.1)"]


def test_branches_are_no_repeats() -> None:
    """Equal branches stand beside each other, and none reads another."""
    text = "{input: 4x8x8, layers: [{concat: [{a: [relu, tanh]}, {b: [relu, tanh]}]}]}"
    assert folds(archlens.loads(text)) == []


# --- what ops say of themselves --------------------------------------------------------------------


def with_incidentals() -> dict[str, list[Layer]]:
    """Each example of an op that has incidental attributes, with the layers of such ops."""
    found = {}
    with warnings.catch_warnings(action="ignore"):  # sizes that look like channels
        for text in EXAMPLES:
            layers = [layer for layer in archlens.loads(spec_of(text)) if layer.op.incidental]
            if layers:
                found[text] = layers
    return found


INCIDENTAL = with_incidentals()


def test_every_incidental_attribute_has_an_example() -> None:
    said = {op for op in OPS.values() if op.incidental}
    assert {type(layer.op) for layers in INCIDENTAL.values() for layer in layers} == said
    for op in said:
        assert op.incidental.keys() <= signature(op).keys()


@pytest.mark.parametrize("text", INCIDENTAL)
def test_incidental_attributes_change_neither_shape_nor_weights_nor_macs(text: str) -> None:
    """Whatever their value, if the op takes it on these inputs: 0 and 1 are within the range of each."""
    for layer in INCIDENTAL[text]:
        for name in layer.op.incidental:
            for value in (0, 1):
                op = type(layer.op)(**layer.op.attributes() | {name: value})
                try:
                    facts, old = op.facts(*layer.input_shapes), layer.facts
                except ShapeError:  # as causal attention of queries to more keys
                    continue
                assert (facts.shape, facts.weights, facts.buffers, facts.macs) == old[:4]
                assert op.essence == layer.op.essence
                others = [one for one in signature(type(op)) if one not in op.incidental]
                for one in others:
                    changed = type(op)(**op.attributes() | {one: "another"})
                    assert changed.essence != op.essence


# --- the rule --------------------------------------------------------------------------------------


@seeds(200)
def test_from_each_on_the_period_that_reaches_furthest(seed: int) -> None:
    """Against every period tried at every place; letters stand for neighbours."""
    random = Random(seed)
    text = "".join(random.choice("ab" if seed % 2 else "aaab") for _ in range(random.randint(0, 24)))
    longest = random.randint(1, 5)

    def copies(start: int, period: int) -> int:
        piece = text[start : start + period]
        return max(n for n in range(1, 26) if n == 1 or text.startswith(piece * n, start)) if piece else 1

    at = 0
    for start, period, count in stretches(len(text), copies, longest):
        assert start == at
        piece = text[start : start + period]
        assert text.startswith(piece * count, start)
        for other in range(1, longest + 1):
            reach = copies(start, other) * other if copies(start, other) > 1 else 1
            assert reach < period * count or (reach == period * count and other >= period)
        at += period * count
    assert at == len(text)


def test_what_repeats_within_what_repeats() -> None:
    """The larger one is taken: by the letters above, ``aaab`` twice, and not ``aaa`` and again ``aaa``."""
    text = "aaabaaab"
    found = list(
        stretches(
            8, lambda at, n: max(k for k in range(1, 9) if text.startswith(text[at : at + n] * k, at)), 4
        )
    )
    assert found == [(0, 4, 2)]
