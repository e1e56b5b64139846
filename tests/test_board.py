"""RAM and flash on boards, held against TensorFlow Lite for Microcontrollers; and bounds on the time.

The bytes of arenas and the numbers of operators are what ``tflite_micro`` 0.dev20260203175027 said of files
that TensorFlow 2.21 had converted from Keras' layers, in int8 and in int16
(``Interpreter.print_allocations()``: "Arena allocation head", and how many "NodeAndRegistration structs").
"""

from __future__ import annotations

import json
import random
from fractions import Fraction
from itertools import combinations, permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import archlens
from archlens import boards
from archlens.analysis import roofline
from archlens.analysis.arena import ALIGNMENT, Interval, end, plan
from archlens.analysis.deployment import Deployment, deploy
from archlens.analysis.unknown import Unknown
from archlens.cli import cli
from archlens.columns import Block, Columns

from .running import run


class Printed(NamedTuple):
    """What the runtime printed of a network."""

    text: str
    int8: int
    int16: int
    operators: int


_UNIT = """
blocks:
  unit(out, kernel=3, stride=1):
    - conv: conv(out, kernel, stride, padding="same", bias=false)
    - bn: batch_norm
    - relu
  inverted(stride):
    - conv(32, 1) >> relu6
    - conv(32, 3, stride, padding="same", groups=32) >> relu6
    - conv(8, 1)
"""

PRINTED = {
    "a residual": Printed(
        f"""
input: 3x32x32
{_UNIT}
layers:
  - unit(16)
  - residual: conv(16, 3, padding="same", bias=false) >> batch_norm
  - relu
  - unit(24, 3, 2)
  - global_avg_pool >> flatten >> linear(10) >> softmax
""",
        49_152, 98_304, 7,
    ),
    "a maximum": Printed(
        f"input: 3x20x20\n{_UNIT}layers:\n  - unit(8)\n  - global_max_pool >> flatten >> linear(3)\n",
        4_400, 8_800, 3,
    ),
    "inverted residuals": Printed(
        f"input: 3x40x40\n{_UNIT}layers:\n  - unit(8, 3, 2)\n  - residual: inverted(1)\n  - inverted(2)\n"
        "  - residual: inverted(1)\n  - global_avg_pool >> flatten >> linear(5)\n",
        28_800, 57_600, 14,
    ),
    "pads": Printed(
        "input: 3x32x32\nlayers:\n  - conv(8, 3, 2, padding=1) >> relu6\n"
        "  - conv(8, 3, 2, padding=1, groups=8) >> relu6\n  - conv(4, 1)\n",
        6_544, 13_088, 5,
    ),
    "a gate": Printed(
        f"input: 3x16x16\n{_UNIT}layers:\n  - unit(8)\n  - gate: global_avg_pool >> conv(2, 1) >> relu >> "
        "conv(8, 1) >> sigmoid\n  - conv(3, 3)\n",
        4_112, 8_208, 7,
    ),
    "a larger map": Printed(
        f'input: 3x16x16\n{_UNIT}layers:\n  - unit(8, 3, 2)\n  - upsample(2, mode="bilinear") >> tanh\n'
        "  - conv(1, 3)\n",
        4_096, 8_192, 4,
    ),
    "a gate of itself, and a pooling that rounds up": Printed(
        "input: 3x32x32\nlayers:\n  - conv(8, 3, padding=1) >> silu\n"
        "  - max_pool(3, 2, ceil_mode=true) >> conv(4, 1)\n",
        24_576, 49_152, 5,
    ),
    "a hard gate": Printed(
        "input: 3x16x16\nlayers:\n  - conv(8, 3, padding=1)\n"
        "  - gate: global_avg_pool >> conv(8, 1) >> hard_sigmoid\n  - conv(2, 1)\n",
        4_112, 8_208, 6,
    ),
    "a U": Printed(
        f"""
input: 1x32x32
{_UNIT}
layers:
  - a: unit(8)
  - b: max_pool(2) >> unit(16)
  - c: max_pool(2) >> unit(32)
  - up1: conv_transpose(16, 2, stride=2)
  - concat: [identity, ref(b)]
  - d: unit(16)
  - up2: conv_transpose(8, 2, stride=2)
  - concat: [identity, ref(a)]
  - e: unit(8)
  - conv(2, 1)
""",
        53_248, 106_496, 12,  # 14 in int16, where a bias behind TRANSPOSE_CONV is an operator
    ),
}  # fmt: skip


def deployed(text: str, **types: str) -> Deployment:
    return deploy(archlens.loads(text), **types)


def size(found: Deployment) -> int:
    assert not isinstance(found.arena, Unknown), found.arena.reason
    return found.arena.bytes


@pytest.mark.parametrize("case", PRINTED)
def test_the_arena_is_what_the_runtime_prints(case: str) -> None:
    text, int8, int16, operators = PRINTED[case]
    found = deployed(text)
    assert (size(found), len(found.operators)) == (int8, operators)
    assert size(deployed(text, activations="int16")) == int16


class Case(NamedTuple):
    """A network of which parts of the arena were worked out by hand."""

    layers: str
    bytes: int
    operators: tuple[str, ...]
    input: str = "8x4x4"


#: Tensors of 8x4x4 in int8 have 128 bytes.
BY_HAND = {
    "a normalization that nothing takes in": Case(
        "[relu, batch_norm, relu]", 256, ("RELU", "MUL", "ADD")
    ),
    "a normalization that is not alone": Case(
        "[{a: 'conv(8, 1)'}, {b: batch_norm}, {add: [identity, ref(a)]}]",
        384, ("CONV_2D", "MUL", "ADD", "ADD"),
    ),
    "an activation behind an activation": Case("['conv(8, 1)', relu, relu]", 256, ("CONV_2D", "RELU")),
    "an activation that is not alone": Case(
        "[{a: 'conv(8, 1)'}, relu, {add: [identity, ref(a)]}]", 384, ("CONV_2D", "RELU", "ADD")
    ),
    "an activation of what others read behind an exchange of axes": Case(
        "[{a: 'conv(8, 1)'}, channels_last, relu, channels_first, {add: [identity, ref(a)]}]",
        384, ("CONV_2D", "RELU", "ADD"),
    ),
    "a hard gate behind no product": Case("[relu, hard_sigmoid]", 256, ("RELU", "ADD", "MUL")),
    # it looks at 7 positions of 4 from one before on, where "same" would have it look at 5 from the first on
    "a pooling that rounds up otherwise": Case(
        "['max_pool(3, 2, padding=1, ceil_mode=true)']", 128 + 8 * 49 + 8, ("PAD", "MAX_POOL_2D")
    ),
    "three branches": Case("[{add: [identity, identity, identity]}]", 384, ("ADD", "ADD")),
    "padding that is the same": Case("['conv(8, 3, padding=1)']", 256, ("CONV_2D",)),
    # TensorFlow pads four positions by 0 and 1 at stride 2
    "padding that is not": Case("['conv(8, 3, 2, padding=1)']", 288 + 128, ("PAD", "CONV_2D")),
    "dropout": Case("[dropout, 'conv(8, 1)', dropout]", 256, ("CONV_2D",)),
    "a transposed convolution": Case(
        # 128 in, 2 x 8x8 out, and an int32 for each of these
        "['conv_transpose(2, 2, stride=2)']", 128 + 128 + 512, ("TRANSPOSE_CONV",)
    ),
    # the map, 8 sums in int32, 16 bytes for a place in the map, 8 for two axes, 8 out: 16 each but the sums
    "a mean": Case("[global_avg_pool]", 128 + 32 + 16 + 16 + 16, ("MEAN",)),
}  # fmt: skip


@pytest.mark.parametrize("case", BY_HAND)
def test_by_hand(case: str) -> None:
    layers, wanted, operators, shape = BY_HAND[case]
    found = deployed(f"{{input: {shape}, layers: {layers}}}")
    assert tuple(one.name for one in found.operators) == operators
    assert size(found) == wanted


def test_an_output_lies_there_to_the_end() -> None:
    """The first convolution is an output, too: beside it two others are alive, three maps together."""
    layers = "[{a: 'conv(8, 1)'}, 'conv(8, 1)', 'conv(8, 1)', 'conv(8, 1)']"
    assert size(deployed(f"{{input: 8x4x4, layers: {layers}}}")) == 256
    assert size(deployed(f"{{input: 8x4x4, layers: {layers}, outputs: {{early: ref(a)}}}}")) == 384


def test_heads_that_run_in_training_only_are_not_there() -> None:
    text = "{input: 8x4x4, layers: ['conv(8, 1)'], outputs: {aux: {training: ['conv(8, 1)']}}}"
    assert [one.name for one in deployed(text).operators] == ["CONV_2D"]


def test_weights_of_another_layer_lie_there_once() -> None:
    text = "{input: 8x4x4, layers: [{a: 'conv(8, 1)'}, again(a)]}"
    assert deployed(text).flash("weights") == 64
    assert deployed(text).flash("biases") == 32
    assert size(deployed(text)) == 256


@pytest.mark.parametrize(
    "layers",
    [
        "['custom(\"mix\", shape=\"8x4x4\")']", "[gelu]", "['adaptive_max_pool(2)']",
        "['avg_pool(3, 2, padding=1)']", "['conv(8, 2)', layer_norm]",
    ],
)  # fmt: skip
def test_what_is_not_known_is_said(layers: str) -> None:
    found = deployed(f"{{input: 8x4x4, layers: {layers}}}")
    assert isinstance(found.arena, Unknown)
    assert found.arena.reason
    assert found.more
    ran = run("board", "vit_b_16")
    assert "unknown" in ran.stdout
    assert "at least" in ran.stdout


# --- the planner ----------------------------------------------------------------------------------------


@st.composite
def tensors(draw: st.DrawFn) -> list[Interval]:
    found = []
    for index in range(draw(st.integers(1, 9))):
        first = draw(st.integers(0, 8))
        last = draw(st.integers(first, 9))
        found.append(Interval(str(index), draw(st.integers(1, 200)), first, last))
    return found


@given(tensors())
def test_a_plan_is_one(given: list[Interval]) -> None:
    """What is alive at once lies apart, nothing below the bound, and nothing ends behind the end."""
    found = plan(given)
    for (one, at), (other, there) in combinations(zip(given, found.offsets, strict=True), 2):
        if one.first <= other.last and other.first <= one.last:
            assert at + one.aligned <= there or there + other.aligned <= at
    assert all(offset % ALIGNMENT == 0 for offset in found.offsets)
    ends = [offset + one.aligned for one, offset in zip(given, found.offsets, strict=True)]
    assert max(ends) == found.bytes
    alive = [sum(one.aligned for one in given if one.first <= step <= one.last) for step in range(10)]
    assert found.least == max(alive) <= found.bytes
    assert found.step == alive.index(max(alive))


@given(tensors().filter(lambda found: len(found) <= 5))
def test_no_plan_is_below_the_bound(given: list[Interval]) -> None:
    """First fit in any order, the best of which no plan beats by being greedy."""
    best = min(_first_fit(order) for order in permutations(given))
    found = plan(given)
    assert found.least <= best <= found.bytes


def _first_fit(order: tuple[Interval, ...]) -> int:
    placed: list[tuple[Interval, int]] = []
    for one in order:
        beside = [(o, at) for o, at in placed if one.first <= o.last and o.first <= one.last]
        starts = [0, *(at + o.aligned for o, at in beside)]
        fits = [
            start for start in starts
            if all(start + one.aligned <= at or at + o.aligned <= start for o, at in beside)
        ]  # fmt: skip
        placed.append((one, min(fits)))
    return max(at + one.aligned for one, at in placed)


def test_plans_of_many_configurations_are_those_of_each() -> None:
    """Of tensors with ties, of no bytes, alive together or not: many at once, and one after the other."""
    rng = random.Random(11)
    for _ in range(40):
        alive = [sorted((rng.randint(0, 7), rng.randint(0, 7))) for _ in range(rng.randint(1, 9))]
        rows = [[rng.choice([0, 1, 16, 17, 48, 64, 200]) for _ in alive] for _ in range(30)]
        columns = Columns((Block((0,), np.arange(len(rows))[:, None]),))
        sizes = [columns.column(0, np.array(each)) for each in zip(*rows, strict=True)]
        together = end([Interval("", size, *steps) for size, steps in zip(sizes, alive, strict=True)])
        each = [
            plan([Interval("", size, *steps) for size, steps in zip(row, alive, strict=True)]).bytes
            for row in rows
        ]
        assert columns.full(together).tolist() == each, alive


# --- boards ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", boards.names())
def test_each_board_says_where_its_numbers_are_from(name: str) -> None:
    board = boards.find(name)
    assert board.source.startswith("https://")
    assert not board.read or board.read.startswith("https://")
    assert board.title
    assert any([board.sram, board.flash, board.macs_per_second, board.bytes_per_second])


@pytest.mark.parametrize(
    ("name", "ranges", "flash"),
    [
        ("rp2040", {0x20000000: 256, 0x20040000: 4, 0x20041000: 4}, 2048),  # data sheet, 2.6.2
        ("stm32f407", {0x10000000: 64, 0x20000000: 112, 0x2001C000: 16}, 1024),  # RM0090, 2.3
        ("stm32f746", {0x20000000: 64, 0x20010000: 240, 0x2004C000: 16}, 1024),  # RM0385, 2.2
        (
            "stm32h747",  # RM0399, 2.3
            {
                0x20000000: 128,
                0x24000000: 512,
                0x30000000: 128,
                0x30020000: 128,
                0x30040000: 32,
                0x38000000: 64,
            },
            2048,
        ),
    ],
)
def test_ram_is_the_largest_range_in_one_piece(name: str, ranges: dict[int, int], flash: int) -> None:
    pieces: dict[int, int] = {}  # by their ends
    for start, size in sorted(ranges.items()):
        pieces[start + 1024 * size] = pieces.pop(start, 0) + 1024 * size
    board = boards.find(name)
    assert (board.sram, board.flash) == (max(pieces.values()), 1024 * flash)


def test_a_board_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('source = "https://a.org"\nsram = "9.4kB"\nflash = "62kB"\n')
    found = run("check", "lenet5", "--target", "mine.toml", cwd=tmp_path)
    assert found.returncode == 1  # 9,408 bytes, and 62,514
    assert "sram is 9,408 B" in found.stdout
    assert "flash is 62,514 B" in found.stdout
    found = run("check", "lenet5", "--sram", "<= 9408B", "--flash", "<= 62514B", cwd=tmp_path)
    assert found.returncode == 0, found.stdout
    wide = run("check", "lenet5", "--sram", "== 18816B", "--activations", "int16", cwd=tmp_path)
    assert wide.returncode == 0, wide.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sram = ", "is not valid TOML"),
        ("a = 1", "has a key a"),
        ('title = "a"', "does not state its source"),
        ("source = 1", "source is not a string"),
        ('source = "a"\nsram = "<= 3kB"', "is not a number with a unit"),
        ('source = "a"\nsram = true', "is not a number with a unit"),
        ('source = "a"\nsram = "3m"', "the unit m is not known"),
        ('source = "a"\nmacs_per_second = "3M"', "by the type of the activations"),
        ('source = "a"\nmacs_per_second = {int7 = "3M"}', "by the type of the activations"),
        ("x" * 100_001, "is larger than"),
    ],
)
def test_a_file_that_is_no_board(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    found = run("board", "lenet5", "--target", "mine.toml", cwd=tmp_path)
    assert found.returncode == 2
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_no_board() -> None:
    assert "did you mean stm32f746?" in run("board", "lenet5", "--target", "stm32f764").stderr
    assert "cannot be read" in run("board", "lenet5", "--target", "none.toml").stderr
    assert "neither sram nor flash" in run("check", "lenet5", "--target", "a100").stderr


# --- bounds on the time -----------------------------------------------------------------------------------


def test_intensity_and_bounds_by_hand() -> None:
    """A linear layer of 10 to 5, in int8: 50 products, 55 weights and biases, 15 values; and relu."""
    found = roofline.find(archlens.loads("{input: 10, layers: ['linear(5)', relu]}"))
    linear, relu = found.loads
    assert (linear.macs, linear.bytes, linear.intensity) == (50, 70, Fraction(50, 70))
    assert (relu.macs, relu.bytes) == (0, 10)
    assert found.least_bytes == 55 + 10 + 5
    peak, bandwidth = Fraction(100), Fraction(70)
    assert found.bound(linear, peak, bandwidth) == (Fraction(1, 2), 1)
    assert found.bound(linear, peak, bandwidth).by == "memory"
    assert found.bound(linear, Fraction(10), bandwidth).by == "compute"
    assert found.least(peak, bandwidth).seconds == 1
    assert found.by_layer(peak, bandwidth) == 1 + Fraction(1, 7)
    assert found.least(peak, None).by == "unknown"
    eight = roofline.find(archlens.loads("{input: 10, layers: ['linear(5)', relu]}"), batch=8)
    assert eight.loads[0].bytes == 55 + 8 * 15
    assert eight.macs == 400


@pytest.mark.parametrize("name", ["resnet18", "unet", "vit_b_16", "lstm_classifier"])
def test_the_bound_of_the_whole_is_below_that_of_its_layers(name: str) -> None:
    network = archlens.load(name)
    found = roofline.find(network, weights="fp16", activations="fp16")
    assert found.macs == network.macs
    for peak, bandwidth in ((10**9, 10**12), (10**12, 10**9), (10**12, 10**12)):
        least = found.least(Fraction(peak), Fraction(bandwidth)).seconds
        assert least <= found.by_layer(Fraction(peak), Fraction(bandwidth))


def test_a_machine_without_its_bytes() -> None:
    data = json.loads(
        CliRunner().invoke(cli, ["roofline", "lenet5", "--target", "stm32f746", "--format", "json"]).stdout
    )
    assert data["by_layer"] is None
    assert data["least"] == {"seconds": 416_520 / 432e6, "by": "unknown"}


# --- MLPerf Tiny ----------------------------------------------------------------------------------------


class Tiny(NamedTuple):
    """A network of MLPerf Tiny: what runtime and compiler print of its file, and what lies in that."""

    arena: int
    operators: int
    #: Bytes of the constants of its products, and of the scales of their weights.
    weights: int
    biases: int
    scales: int
    #: "Neural network macs" of ethos-u-vela 5.2.0.
    vela: int


#: Of the int8 files in https://github.com/mlcommons/tiny/tree/master/benchmark/training.
TINY = {
    "resnet8": Tiny(49_152, 16, 77_360, 1_384, 1_348, 12_505_748),
    "ds_cnn": Tiny(16_000, 13, 22_016, 2_352, 2_308, 2_664_792),
    "vww_mobilenet": Tiny(73_728, 31, 208_112, 10_952, 10_948, 7_491_972),
    "toycar_autoencoder": Tiny(768, 10, 264_192, 6_688, 40, 264_192),
}


@pytest.mark.parametrize("name", TINY)
def test_mlperf_tiny(name: str) -> None:
    told, found = TINY[name], deploy(archlens.load(name))
    assert (size(found), len(found.operators)) == (told.arena, told.operators)
    assert found.flash("weights") == told.weights
    assert found.flash("biases") == told.biases
    assert found.flash("scales") == told.scales
    assert found.flash() == told.weights + told.biases + told.scales


@pytest.mark.parametrize("name", TINY)
def test_vela_counts_poolings_and_softmax_besides(name: str) -> None:
    """It counts a window of a pooling as products, and of softmax a largest value and a sum."""
    network = archlens.load(name)
    besides = 0
    for layer in network:
        if layer.op.kind == "avg_pool":
            height, width = (window.kernel for window in layer.windows)
            besides += height * width * layer.shape.numel
        elif layer.op.kind == "softmax":
            besides += 2 * layer.shape.numel
    assert network.macs + besides == TINY[name].vela
