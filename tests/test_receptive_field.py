"""Receptive fields: against sets of positions followed one by one, tables worked out by hand, and torch."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import inf
from pathlib import Path
from random import Random

import pytest
import torch
from click.testing import CliRunner

import archlens
from archlens.analysis import receptive_field
from archlens.backends.checks import FAILED, PASSED
from archlens.backends.effort import Allowance
from archlens.backends.probing import probe
from archlens.backends.verification import verify
from archlens.cli import cli
from archlens.errors import SpecError, UsageError
from archlens.geometry import INPUT, Field, NonUniformField, Window
from archlens.network import Network
from archlens.ops import EVERYWHERE, NonUniform
from archlens.views import json as json_view

from . import zoo
from .seeds import seeds

# --- one axis, by brute force ------------------------------------------------------------------------


def taps(window: Window, output: int) -> set[int]:
    """The positions that an output looks at, from what a window is."""
    if not window.transposed:
        return {output * window.stride - window.before + k * window.dilation for k in range(window.kernel)}
    reached = {output + window.before - k * window.dilation for k in range(window.kernel)}
    return {position // window.stride for position in reached if position % window.stride == 0}


def seen(windows: list[Window], output: int) -> set[int]:
    """The input positions that an output sees through windows, each looked through in turn."""
    positions = {output}
    for window in reversed(windows):
        positions = set().union(*(taps(window, position) for position in positions))
    return positions


def some_window(random: Random) -> Window:
    transposed = random.random() < 0.4
    return Window(
        kernel=random.randint(1, 5),
        stride=random.randint(1, 3),
        before=random.randint(-2, 4),
        after=random.randint(-2, 4),
        dilation=random.randint(1, 3),
        ceil=not transposed and random.random() < 0.3,
        transposed=transposed,
    )


@seeds(300)
def test_chains_of_windows(seed: int) -> None:
    """Both ends of what each output sees, through up to five windows of any kind."""
    random = Random(seed)
    windows = [some_window(random) for _ in range(random.randint(1, 5))]
    field = INPUT
    for depth, window in enumerate(windows, 1):
        outputs = range(-40, 40)
        empty = any(not taps(window, output) for output in outputs)
        try:
            field = field.through(window)
        except NonUniformField:
            assert empty
            return
        assert not empty
        for output in outputs:
            positions = seen(windows[:depth], output)
            assert field.at(output) == (min(positions), max(positions) + 1), (windows[:depth], output)
        assert field.size == max(len(range(*field.at(output))) for output in outputs)


@pytest.mark.parametrize(
    "windows",
    [  # three dilated steps up, or two and one down between them: later outputs begin earlier here and there
        [Window(4, 4, 1, dilation=3, transposed=True), Window(6, 2, 4, dilation=3, transposed=True),
         Window(5, 3, -1, dilation=2, transposed=True)],
        [Window(6, 4, -1, dilation=3, transposed=True), Window(2, 2, 2, dilation=3),
         Window(5, 4, 2, dilation=3, transposed=True), Window(2, 1, -1, dilation=2, transposed=True)],
    ],
)  # fmt: skip
def test_outputs_that_begin_earlier(windows: list[Window]) -> None:
    field = INPUT
    for window in windows:
        field = field.through(window)
    for output in range(-60, 60):
        positions = seen(windows, output)
        assert field.at(output) == (min(positions), max(positions) + 1), output


@seeds(100)
def test_unions(seed: int) -> None:
    """Two branches over one tensor: from the first to the last position that either sees."""
    random = Random(seed)
    shared = some_window(random)
    branches = [[shared, some_window(random)], [shared, some_window(random)]]
    try:
        fields = [INPUT.through(a).through(b) for a, b in branches]
    except NonUniformField:
        return
    strides = [field.step / field.period for field in fields]
    if strides[0] != strides[1]:
        with pytest.raises(NonUniformField):
            fields[0].union(fields[1])
        return
    both = fields[0].union(fields[1])
    for output in range(-40, 40):
        positions = set().union(*(seen(branch, output) for branch in branches))
        assert both.at(output) == (min(positions), max(positions) + 1)


@seeds(100)
def test_shortest_period(seed: int) -> None:
    """Fewer starts and stops may say the same field; which periods it has is tried on what outputs see."""
    random = Random(seed)
    short, turns, step = random.randint(1, 4), random.randint(1, 4), random.randint(0, 5)
    starts = [random.randint(-2, 2) for _ in range(short)]
    sizes = [random.randint(1, 2) for _ in range(short)]
    ends = [divmod(output, short) for output in range(short * turns)]
    field = Field(
        tuple(starts[phase] + turn * step for turn, phase in ends),
        tuple(starts[phase] + sizes[phase] + turn * step for turn, phase in ends),
        step * turns,
    )
    seen = [field.at(output) for output in range(40)]

    def repeats(period: int) -> bool:
        shifts = {(b[0] - a[0], b[1] - a[1]) for a, b in zip(seen, seen[period:], strict=False)}
        return len(shifts) == 1 and len(set(shifts.pop())) == 1

    found = field.shortened()
    assert [found.at(output) for output in range(40)] == seen
    assert found.period == next(period for period in range(1, 17) if repeats(period))
    assert len(found.starts) == len(found.stops)


def test_a_field_that_stands_still() -> None:
    """Broadcast, every output is the first, also where its neighbour has seen something else."""
    found = Field((0, 1), (2, 5), 3).fixed()
    assert {found.at(output) for output in range(-3, 4)} == {(0, 2)}
    assert len(found.starts) == len(found.stops) == 1


def centres(windows: list[Window], count: int) -> list[Fraction]:
    """The middle of the positions that each of the first outputs sees, each twice."""
    found = [seen(windows, output) for output in range(count)]
    return [Fraction(min(one) + max(one), 2) for one in found]


@seeds(300)
def test_alignment(seed: int) -> None:
    """Over what something upsampled, the centres are less than half of a coarse step apart on average."""
    random = Random(seed)

    def branch() -> list[Window]:
        down, up = random.choice([(1, 1), (2, 2), (3, 3), (4, 4), (2, 4), (1, 2), (2, 1), (3, 1)])
        windows = [Window(random.randint(1, 4), down, random.randint(-1, 4), 9)]
        if up > 1:
            windows.append(Window(random.randint(up, 5), up, random.randint(0, 2), 0, transposed=True))
        return [*windows, Window(random.randint(1, 3), 1, random.randint(-1, 2), 9)]

    one, other = branch(), branch()
    fields = []
    for windows in (one, other):
        field = INPUT
        for window in windows:
            field = field.through(window)
        fields.append(field)
    if fields[0].step * fields[1].period != fields[1].step * fields[0].period:
        return  # of different strides
    turns = 12  # a multiple of every period
    apart = sum(a - b for a, b in zip(centres(one, turns), centres(other, turns), strict=True)) / turns
    coarse = [field.step for field in fields if field.period > 1]
    aligned = apart == 0 or (bool(coarse) and abs(apart) < Fraction(max(coarse), 2))
    causal = fields[0].period == fields[1].period == 1 and fields[0].stops == fields[1].stops <= (1,)
    assert fields[0].is_aligned_with(fields[1]) is fields[1].is_aligned_with(fields[0]) is (aligned or causal)


@pytest.mark.parametrize(
    ("shift", "aligned"),
    # outputs 0 and 1 see position 0, 2 and 3 see 2: their centres are 1/2 before 0, 1, 2, 3 on average
    [(-2, False), (-1, True), (0, True), (1, False)],
)
def test_alignment_by_hand(shift: int, aligned: bool) -> None:
    """Half of a step of 2 is 1: shifted by 1/2 either way they are aligned, by 3/2 they are not."""
    coarse = INPUT.through(Window(1, 2)).through(Window(2, 2, transposed=True))
    assert coarse.is_aligned_with(INPUT.through(Window(1, before=-shift))) is aligned


def test_causal_windows_are_aligned() -> None:
    """Those that end at their own position, or before it, look at the past; later, only centres count."""
    for late, aligned in ((0, True), (1, True), (-1, False)):
        short, long = INPUT.through(Window(2, before=1 + late)), INPUT.through(Window(4, before=3 + late))
        assert short.stops == long.stops == (1 - late,)
        assert short.is_aligned_with(long) is long.is_aligned_with(short) is aligned
    assert not INPUT.through(Window(2, before=1)).is_aligned_with(INPUT.through(Window(4, before=4)))


def test_half_of_a_coarse_step_is_not_aligned() -> None:
    """Outputs 0 and 1 see 0 and 1, whose middle is 1/2; those beside them look at 1 and 2, or at -1 and 0."""
    coarse = INPUT.through(Window(2, 2)).through(Window(2, 2, transposed=True))
    for shift, aligned in ((-1, False), (0, True), (1, False)):
        assert coarse.is_aligned_with(INPUT.through(Window(1, before=-shift))) is aligned


def test_alignment_of_periods_that_differ() -> None:
    """Centres 0, 0, 2, 2, 4, 4 and 2, 2, 2, 5, 5, 5: 3/2 apart on average, half of a step of 3."""
    two = INPUT.through(Window(1, 2)).through(Window(2, 2, transposed=True))
    three = INPUT.through(Window(3, 3, before=-1)).through(Window(3, 3, transposed=True))
    assert not two.is_aligned_with(three)
    assert not three.is_aligned_with(two)


def test_no_number_grows_without_end() -> None:
    field = INPUT
    for _ in range(2):
        window = Window(3, 10**7)
        field = field.through(window)
    with pytest.raises(NonUniformField, match=r"beyond 1 \* 10\^15 positions"):
        field.through(window)
    with pytest.raises(NonUniformField, match="repeat only after"):
        INPUT.through(Window(2**20, 2**20, transposed=True))


def test_how_far_positions_are_followed() -> None:
    """As far as 10^15, that one included: beyond the end, before the start, and from step to step."""
    far = 10**15
    assert INPUT.through(Window(1, far)).step == far
    assert INPUT.through(Window(far)).stops == (far,)
    assert INPUT.through(Window(1, 1, far)).starts == (-far,)
    for window in (Window(1, far + 1), Window(far + 1), Window(1, 1, far + 1)):
        with pytest.raises(NonUniformField, match="beyond 1"):
            INPUT.through(window)


def test_periods_are_bounded_together() -> None:
    """1,024 outputs may see intervals of their own, of one step up or of several."""
    by_32 = Window(32, 32, transposed=True)
    assert INPUT.through(by_32).through(by_32).period == 1024
    with pytest.raises(NonUniformField, match="repeat only after 2,048 positions"):
        INPUT.through(by_32).through(Window(64, 64, transposed=True))


def test_periods_of_branches_are_bounded() -> None:
    """Of 32 and 1,024 outputs both repeat after 1,024, and of 32 and 33 after 32*33."""
    fields = {period: Field(tuple(range(period)), (2000,) * period, period) for period in (32, 33, 1024)}
    assert fields[32].union(fields[1024]).at(1023) == (1023, 2000 + 31 * 32)
    with pytest.raises(NonUniformField, match="repeat only after 1,056 positions"):
        fields[32].union(fields[33])


@pytest.mark.parametrize("dilation", range(1, 7))
@pytest.mark.parametrize("stride", range(1, 8))
def test_dilated_steps_up(stride: int, dilation: int) -> None:
    """Each output of a transposed window, from its taps one by one; with shared factors and without."""
    for kernel, before in product(range(1, 10), (0, 1, 4)):
        window = Window(kernel, stride, before, 0, dilation, transposed=True)
        positions = [taps(window, output) for output in range(-20, 20)]
        if not all(positions):
            with pytest.raises(NonUniformField, match="see nothing"):
                INPUT.through(window)
            continue
        field = INPUT.through(window)
        assert [field.at(output) for output in range(-20, 20)] == [(min(p), max(p) + 1) for p in positions]


# --- whole graphs, by hand --------------------------------------------------------------------------


def table(text: str, input: str = "") -> dict[str, object]:
    """Size, stride and start of every layer along the first axis; or what stands there instead."""
    network = archlens.loads(text)
    fields = receptive_field.find(network, input)
    found: dict[str, object] = {}
    for layer in network:
        one = fields[layer.name]
        found[layer.name] = (one[0].size, one[0].stride, one[0].start) if isinstance(one, tuple) else one
    return found


def test_dilation_by_hand() -> None:
    """A window of 3 with dilation d adds 2d; strides multiply what comes after them."""
    assert table(
        """
        input: 1x65x65
        layers:
          - a: conv(4, 3, padding=1)                # 1 + 2*1 = 3, from 0 - 1
          - b: conv(4, 3, padding=2, dilation=2)    # 3 + 2*2 = 7, from -1 - 2
          - c: conv(4, 3, stride=2, padding=1)      # 7 + 2*1 = 9, from -3 - 1; each step is 2 from here on
          - d: conv(4, 3, padding=4, dilation=4)    # 9 + 2*4*2 = 25, from -4 - 4*2
          - e: avg_pool(2)                          # 25 + 1*2 = 27; each step is 4
        """
    ) == {"a": (3, 1, -1), "b": (7, 1, -3), "c": (9, 2, -4), "d": (25, 2, -12), "e": (27, 4, -12)}


def test_branches_by_hand() -> None:
    """A concat and a sum see from the first to the last position of any branch."""
    assert table(
        """
        input: 3x56x56
        layers:
          - stem: conv(8, 3, stride=2)          # 3, step 2, from 0
          - concat:
              one: conv(4, 1)                   # as the stem
              five: conv(4, 5, padding=2)       # 3 + 4*2 = 11, from -4
              two: conv(4, (3, 1), padding=((2, 0), (0, 0)))  # 3 + 2*2 = 7, from -4, so up to 3
          - residual:                           # 11 from -4, and 11 + 2*2 = 15 from -6
              - f: conv(12, 3, padding=1)
          - gate:                               # everything, as the pooling does
              - global_avg_pool
              - g: conv(12, 1)
        """
    ) == {
        "stem": (3, 2, 0), "one": (3, 2, 0), "five": (11, 2, -4), "two": (7, 2, -4), "concat": (11, 2, -4),
        "f": (15, 2, -6), "add": (15, 2, -6), "global_avg_pool": EVERYWHERE, "g": EVERYWHERE,
        "multiply": EVERYWHERE,
    }  # fmt: skip


def test_transposed_by_hand() -> None:
    """A step up by 2 halves the stride; of a window of 4 each output meets two taps, of 3 one or two."""
    found = table(
        """
        input: 1x32x32
        layers:
          - down: conv(4, 2, stride=2)                          # 2, step 2, from 0
          - four: conv_transpose(4, 4, stride=2, padding=1)     # output 0 sees inputs -1 and 0: -2 to 2
          - back: max_pool(2)                                   # outputs 0 and 1: -1 to 1, so -2 to 4
          - three: conv_transpose(4, 3, stride=2, padding=1)    # output 0 sees 0 alone, output 1 two: 0 and 1
          - nearest: upsample(2)
          - half: conv(1, 1)
        """
    )
    assert found == {
        "down": (2, 2, 0), "four": (4, 1, -2), "back": (6, 2, -2), "three": (8, 1, -2),
        "nearest": (8, "1/2", -2), "half": (8, "1/2", -2),
    }  # fmt: skip


def test_upsampling_bilinear_by_hand() -> None:
    """At twice the size, outputs 1 and 2 lie between inputs 0 and 1; output 0 lies before input 0."""
    network = archlens.loads("{input: 1x8, layers: ['upsample(2, mode=\"linear\")']}")
    seen = receptive_field.find(network)["0"]
    assert isinstance(seen, tuple)
    assert [seen[0].at(output) for output in range(4)] == [(-1, 1), (0, 2), (0, 2), (1, 3)]


def test_shifted_windows_by_hand() -> None:
    """Swin: patches of 4 in windows of 7 see 28 pixels; shifted by 3, a window lies in two of those.

    Liu et al. 2021, sections 3.1 and 3.2. Windows have no centre that branches could be aligned at.
    """
    found = receptive_field.find(archlens.load("swin_t"))

    def seen(layer: str, *outputs: int) -> list[tuple[int, int]]:
        fields = found[layer]
        assert isinstance(fields, tuple)
        assert fields[0] == fields[1]
        return [fields[0].at(output) for output in outputs]

    assert seen("features.1.0.add_1", 0, 6, 7, 55) == [(0, 28), (0, 28), (28, 56), (196, 224)]
    # shifted windows go from -4 to 2, from 3 to 9 and so on, and each lies in two of the windows before
    assert seen("features.1.1.attn", 0, 2, 3, 9, 10) == [(-28, 28), (-28, 28), (0, 56), (0, 56), (28, 84)]
    assert found["features.7.0.attn"] is EVERYWHERE  # the window is as large as the map
    assert found.misaligned == {}


# --- behind a cut --------------------------------------------------------------------------------------


def followed(network: Network) -> dict[str, list[tuple[set[int], bool]]]:
    """What each output of each layer on one axis sees, position by position, and whether it sees padding.

    A position that a layer looks for outside its input is padding, wherever the layer stands.
    """
    size = network.input.spatial[0]
    found = {"input": [({position}, False) for position in range(size)]}
    for layer in network:
        outputs: list[tuple[set[int], bool]] = [(set(), False)] * layer.shape.spatial[0]
        for name in layer.inputs:
            inside, reach = found[name], layer.facts.reach
            assert isinstance(reach, tuple)
            for output, (positions, padding) in enumerate(outputs):
                looked = taps(reach[0], output)
                within = [inside[tap] for tap in looked if 0 <= tap < len(inside)]
                outputs[output] = (
                    positions.union(*(one for one, _ in within)),
                    padding or len(within) < len(looked) or any(padded for _, padded in within),
                )
        found[layer.name] = outputs
    return found


def some_step(random: Random) -> str:
    return random.choice(
        [
            f"slice({random.randint(0, 9)}, {random.randint(20, 40)}, step={random.randint(1, 2)}, "
            'axis="length")',
            f"slice(-{random.randint(12, 30)}, axis='length')",
            f"crop({random.randint(8, 30)})",
            f"conv(1, {random.randint(1, 4)}, stride={random.randint(1, 2)}, padding={random.randint(0, 2)})",
            f"conv(1, {random.randint(1, 4)}, padding=(({random.randint(0, 3)}, {random.randint(0, 3)}),))",
            f"pad((({random.randint(0, 2)}, {random.randint(0, 2)}),))",
            "max_pool(3, stride=2, padding=1)",
            "max_pool(2)",
            "conv_transpose(1, 2, stride=2)",
            "conv_transpose(1, 1, padding=3)",
        ]
    )


@seeds(300)
@pytest.mark.slow
def test_nothing_beyond_a_cut_is_seen(seed: int) -> None:
    """Chains of cuts and windows: each output sees what its field and the limits share, and no more."""
    random = Random(seed)
    steps = [some_step(random) for _ in range(random.randint(2, 6))]
    try:
        network = archlens.loads(
            f"input: 1x{random.randint(40, 70)}\nlayers: [{', '.join(map(repr, steps))}]"
        )
    except archlens.SpecError:
        return  # a map became too small for a step
    fields = receptive_field.find(network)
    for name, outputs in followed(network).items():
        seen = fields[name]
        assert isinstance(seen, tuple)
        limit = fields.limits[name][0] if name in fields.limits else None
        first, last = (limit.start, limit.stop) if limit else (0, network.input.spatial[0])
        assert limit is None or limit.is_exact
        for output, (positions, _) in enumerate(outputs):
            start, stop = seen[0].at(output)
            assert not positions or (
                max(start, first) <= min(positions) and max(positions) < min(stop, last)
            ), (steps, name, output)
        left = set().union(*(positions for positions, _ in outputs))
        reach = network.index[name].facts.reach if name != "input" else ()
        cuts = isinstance(reach, tuple) and any(min(one.before, one.after) < 0 for one in reach)
        if limit and left and cuts and "conv" not in str(steps):
            assert (limit.start, limit.stop) == (min(left), max(left) + 1)
        centre = (len(outputs) - 1) // 2
        assert fields.is_clipped(name) is outputs[centre][1], (steps, name)


def test_a_cut_by_hand() -> None:
    """Of 64 positions 16 to 26 are kept; a window of 3 at their end finds padding, and not position 27."""
    network = archlens.loads(
        """
        input: 1x64
        layers:
          - cut: slice(16, 27, axis="length")       # 16 to 26: 11 positions
          - pool: max_pool(3, stride=2, padding=1)  # 6 outputs; the last looks at 25, 26 and what was 27
          - up: conv_transpose(1, 2, stride=2)
          - wide: conv(1, 9, padding=4)             # of 12; output 5 looks at 1 to 9: pools 0 to 4
        """
    )
    fields = receptive_field.find(network)
    assert [(one.start, one.stop) for one in fields.limits["wide"]] == [(16, 27)]
    pool, wide = fields["pool"], fields["wide"]
    assert isinstance(pool, tuple)
    assert isinstance(wide, tuple)
    assert (pool[0].at(0), pool[0].at(5)) == ((15, 18), (25, 28))  # the field goes on as if nothing were cut
    assert wide[0].at(5) == (15, 26)
    assert fields.is_clipped("pool") is False  # output 2 looks at 19 to 21
    assert fields.is_clipped("wide") is True  # 15 has been cut
    layers = {
        layer["name"]: layer["receptive_field"]
        for layer in json_view.to_data(archlens.study(network))["layers"]
    }
    assert layers["cut"]["limits"] == [[16, 27]]
    assert layers["wide"]["limits"] == [[16, 27]]


def test_cuts_against_planted_nans() -> None:
    """Fields that reach into what a slice has cut are what torch sees, up to the cut and no further."""
    network = archlens.loads(
        """
        input: 1x64x9
        layers:
          - slice(16, 27, axis="height")
          - max_pool(3, stride=2, padding=1)
          - conv_transpose(4, 2, stride=2)
          - conv(4, 9, padding=4)
        """
    )
    checks = list(probe(network, Allowance(inf)))
    assert [check.status for check in checks[:3]] == [PASSED] * 3, checks
    assert checks[3].status != FAILED, checks  # each of its fields reaches out of the cut


def test_a_cut_is_said(tmp_path: Path) -> None:
    spec = "input: 1x9x64\nlayers: ['slice(16, 27, axis=\"width\")', 'conv(4, 3, padding=1)']\n"
    (tmp_path / "cut.yaml").write_text(spec, encoding="utf-8")
    result = CliRunner().invoke(cli, ["shapes", str(tmp_path / "cut.yaml"), "--columns", "field,clipped"])
    assert "Behind a crop only positions 16 to 26 of the width are seen; fields include the" in result.output
    assert result.output.count("Behind a crop") == 1


@pytest.mark.parametrize(
    "step", ["slice(0, 4)", "conv_transpose(4, 2, stride=2)", "crop(3)", "slice(0, 3, axis='width')"]
)
def test_what_drops_no_position_is_no_cut(step: str) -> None:
    """The first convolution never looks at position 7; what follows it takes channels, or all positions."""
    network = archlens.loads(f"input: 3x8x8\nlayers: ['conv(8, 3, stride=2)', {step!r}]")
    assert receptive_field.find(network).limits == {}


def test_an_axis_that_is_not_cut_is_whole() -> None:
    """Of the 3 x 3 positions of the convolution one column goes, that of positions 4 to 6 of the width."""
    network = archlens.loads(
        """
        input: 3x8x8
        layers: ['conv(8, 3, stride=2)', 'slice(0, 2, axis="width")']
        """
    )
    ((height, width),) = receptive_field.find(network).limits.values()
    assert (height[:2], width[:2]) == ((0, 8), (0, 5))


def test_branches_that_have_been_cut_apart() -> None:
    """A merge sees what either branch has left; where only one has been cut, padding may not be known."""
    network = archlens.loads(
        """
        input: 1x64
        layers:
          - concat:
              - left: slice(0, 40, axis="length")
              - right: slice(24, axis="length")
          - near: conv(1, 3, padding=1)
          - far: conv(1, 49, padding=24)
        """
    )
    fields = receptive_field.find(network)
    assert fields.limits["concat"] == ((0, 64, (24, 40)),)
    assert fields.misaligned.keys() == {"concat"}
    assert fields.is_clipped("near") is None
    assert fields.is_clipped("far") is True


# --- what has no one field ----------------------------------------------------------------------------


def test_branches_of_different_strides_are_said() -> None:
    found = table(
        """
        input: 1x9x9
        layers:
          - add:
              - a: conv(4, 5)
              - b: conv(4, 1, stride=2)
          - c: conv(4, 3)
        """
    )
    reason = "add: its branches (a, b) have different strides of 1 and 2"
    assert found["add"] == NonUniform(reason)
    assert found["c"] == NonUniform(reason)  # and what follows has none either


def test_branches_with_different_centres_are_said() -> None:
    network = archlens.loads(
        """
        input: 1x9x9
        layers:
          - concat:
              - a: conv(4, 3, padding=1)
              - b: conv(4, 2, padding=((1, 0), (0, 1)))
        """
    )
    fields = receptive_field.find(network)
    assert fields.misaligned == {
        "concat": "along the height output 0 looks around 0 through a and around -1/2 through b"
    }
    assert [(one.size, one.start) for one in fields["concat"]] == [(3, -1), (3, -1)]  # type: ignore[union-attr]


def test_a_skip_over_a_step_down_and_up_is_aligned() -> None:
    """Both outputs of a 2x2 transposed convolution look at the same place, the middle of the two."""
    network = archlens.loads(
        """
        input: 1x16x16
        layers:
          - skip: conv(4, 3, padding=1)
          - max_pool(2)
          - concat:
              - ref(skip)
              - conv_transpose(4, 2, stride=2)
        """
    )
    assert not receptive_field.find(network).misaligned


def test_some_channels_of_a_concat() -> None:
    """A layer that takes some channels sees what those see: also through a shuffle and groups."""
    found = table(
        """
        input: 4x32x32
        layers:
          - concat:
              - small: conv(4, 1)
              - large: conv(4, 7, padding=3)
          - both: slice(2, 6)
          - left: slice(0, 2)
          - rest: [ref(concat), first: "slice(0, 4)", relu, grouped: "conv(8, 3, padding=1, groups=2)"]
          - shuffled: [ref(concat), channel_shuffle(2), even: "slice(0, 8, step=2)", "conv(2, 1)"]
          - mixed: [ref(concat), "conv(8, 3, padding=1)", part: "slice(0, 1)"]
        """
    )
    assert found["concat"] == found["both"] == (7, 1, -3)
    assert found["left"] == found["rest.first"] == found["rest.relu"] == (1, 1, 0)
    assert found["rest.grouped"] == (3, 1, -1)
    # output 2k of the shuffle is channel k of the first half, which is `small`
    assert found["shuffled.even"] == found["shuffled.1"] == (1, 1, 0)
    assert found["mixed.part"] == (9, 1, -4)


def test_each_input_by_itself() -> None:
    spec = """
        input: {left: 1x16x16, right: 1x16x16}
        layers:
          - ref(left)
          - a: conv(4, 3)
          - add: [[ref(a)], [ref(right), b: "conv(4, 1)", "pad(((-0, 0), (0, 0)))", c: "conv(4, 3)"]]
        """
    assert table(spec, "left") == {"a": (3, 1, 0), "b": None, "pad": None, "c": None, "add": (3, 1, 0)}
    assert table(spec, "right")["a"] is None
    data = json_view.to_data(archlens.study(archlens.loads(spec)))
    fields = {layer["name"]: layer["receptive_field"] for layer in data["layers"]}
    assert fields["b"]["left"] == {"reason": "it does not depend on this input"}
    both = {"size": [3, 3], "stride": [1, 1], "start": [0, 0]}
    assert fields["add"] == {"left": both, "right": both}


def test_an_axis_that_is_repeated() -> None:
    """A map of one row that has seen all rows makes every row see all; one that has not has no field."""
    found = table(
        """
        input: 4x8x8
        layers:
          - multiply: [identity, strip: "avg_pool((8, 1))"]
          - part: [multiply: [identity, "conv(4, (8, 1)) >> conv(4, 1)"]]
        """
    )
    assert found["multiply"] == found["part.multiply"] == (8, 0, 0)
    spec = """
        input: 4x8x8
        layers:
          - multiply:
              - identity
              - slice(0, 1, axis="height")
        """
    assert table(spec)["multiply"] == NonUniform(
        "multiply: its branches (input, 1) have different strides of 1 and 0"
    )


def test_clipped() -> None:
    """VGG-16's last field is 212 of 224 positions; of 192, its centre output sees padding."""
    for size, clipped in ((224, False), (192, True)):
        fields = receptive_field.find(archlens.load("vgg16", input=(3, size, size)))
        assert fields.is_clipped("features.30") is clipped
    assert fields.is_clipped("classifier.0") is None


@pytest.mark.parametrize(
    ("size", "step", "clipped"),
    [
        # of 4 outputs the centre is output 1, of 5 output 2, of 2 output 0
        (4, "conv(1, 3, padding=((2, 0),))", True),  # it looks at -1 to 1
        (4, "conv(1, 3, padding=((0, 2),))", False),  # at 1 to 3
        (4, "conv(1, 3, padding=1)", False),  # at 0 to 2
        (5, "conv(1, 5, padding=2)", False),  # at 0 to 4: all, and nothing beyond
        (5, "conv(1, 5, padding=((3, 1),))", True),  # at -1 to 3
        (5, "conv(1, 5, padding=((1, 3),))", True),  # at 1 to 5
        (5, "conv(1, 6, padding=((2, 3),))", True),  # at 0 to 5
        (2, "conv(1, 2, padding=((0, 1),))", False),  # at 0 and 1; output 1 looks at 2
        (2, "conv(1, 3, padding=1)", True),  # at -1 to 1
        (6, "conv(1, 4, padding=((2, 1),))", False),  # of 6 outputs output 2: 0 to 3
        (6, "conv(1, 4, padding=((3, 0),))", True),  # -1 to 2
        (6, "conv(1, 4, stride=2, padding=((2, 0),))", False),  # of 3 outputs output 1: 0 to 3
        (6, "conv(1, 4, stride=2, padding=((0, 4),))", False),  # of 4 outputs output 1: 2 to 5
        (6, "conv(1, 4, stride=2, padding=((3, 3),))", False),  # of 5 outputs output 2: 1 to 4
        (6, "conv(1, 4, stride=2, padding=((3, 1),))", True),  # of 4 outputs output 1: -1 to 2
    ],
)
def test_clipped_by_hand(size: int, step: str, clipped: bool) -> None:
    """Of an even number of outputs the centre is the one before the middle."""
    network = archlens.loads(f"input: 1x{size}\nlayers:\n  - it: {step}\n")
    assert receptive_field.find(network).is_clipped("it") is clipped


@seeds(100)
def test_clipped_on_each_axis(seed: int) -> None:
    """Every axis by itself is what a network along that axis alone is, position by position."""
    random = Random(seed)
    axes = random.randint(1, 3)
    sizes = [random.randint(9, 30) for _ in range(axes)]
    rows = [
        [
            (random.randint(1, 4), random.randint(1, 2), random.randint(0, 3), random.randint(0, 3))
            for _ in sizes
        ]
        for _ in range(random.randint(1, 4))
    ]

    def built(chosen: list[int]) -> Network:
        steps = []
        for row in rows:
            kernels, strides, befores, afters = zip(*(row[axis] for axis in chosen), strict=True)
            sides = tuple(zip(befores, afters, strict=True))
            steps.append(f"  - conv(1, {kernels}, stride={strides}, padding={sides})\n")
        shape = "x".join(str(sizes[axis]) for axis in chosen)
        return archlens.loads(f"input: 99x{shape}\nlayers:\n{''.join(steps)}")

    try:
        network = built([*range(axes)])
    except archlens.SpecError:
        return  # a map became too small for a step
    fields = receptive_field.find(network)
    outputs = [followed(built([axis])) for axis in range(axes)]
    for layer in network:
        found = [fields.is_clipped(layer.name, (axis,)) for axis in range(axes)]
        lines = [one[layer.name] for one in outputs]
        assert found == [line[(len(line) - 1) // 2][1] for line in lines]
        assert fields.is_clipped(layer.name) is any(found)


def test_clipped_along_one_axis() -> None:
    """The same at 224 positions of height and 192 of width."""
    fields = receptive_field.find(archlens.load("vgg16", input=(3, 224, 192)))
    found = [fields.is_clipped("features.30", axes) for axes in ((0,), (1,), (0, 1), None)]
    assert found == [False, True, True, True]


# --- figures of others ------------------------------------------------------------------------------

#: Receptive field, effective stride and effective padding. Source: the table that accompanies Araujo,
#: Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019
#: (google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md; TF-Slim networks). Their AlexNet pads its
#: convolutions as the original does and its first not at all, at 227.
ARAUJO: list[tuple[str, str, int, int, int]] = [  # type: ignore[list-item]
    ("vgg11", "features.0", 3, 1, 1), ("vgg11", "features.2", 4, 2, 1), ("vgg11", "features.3", 8, 2, 3),
    ("vgg11", "features.5", 10, 4, 3), ("vgg11", "features.6", 18, 4, 7), ("vgg11", "features.8", 26, 4, 11),
    ("vgg11", "features.10", 30, 8, 11), ("vgg11", "features.11", 46, 8, 19),
    ("vgg11", "features.13", 62, 8, 27),
    ("vgg11", "features.15", 70, 16, 27), ("vgg11", "features.16", 102, 16, 43),
    ("vgg11", "features.18", 134, 16, 59), ("vgg11", "features.20", 150, 32, 59),
    ("vgg16", "features.30", 212, 32, 90), ("alexnet_2012", "conv1", 11, 4, 0),
    ("alexnet_2012", "pool1", 19, 8, 0), ("alexnet_2012", "conv2", 51, 8, 16),
    ("alexnet_2012", "conv3", 99, 16, 32), ("alexnet_2012", "conv4", 131, 16, 48),
    ("alexnet_2012", "conv5", 163, 16, 64), ("alexnet_2012", "pool5", 195, 32, 64),
    *(
        ("inception_v3_no_aux", layer, *figures)
        for layer, *figures in (
            ("Conv2d_1a_3x3", 3, 2, 0), ("Conv2d_2a_3x3", 7, 2, 0), ("Conv2d_2b_3x3", 11, 2, 2),
            ("maxpool1", 15, 4, 2), ("Conv2d_3b_1x1", 15, 4, 2), ("Conv2d_4a_3x3", 23, 4, 2),
            ("maxpool2", 31, 8, 2), ("Mixed_5b", 63, 8, 18), ("Mixed_5c", 95, 8, 34),
            ("Mixed_5d", 127, 8, 50),
            ("Mixed_6a", 159, 16, 58), ("Mixed_6b", 351, 16, 154), ("Mixed_6c", 543, 16, 250),
            ("Mixed_6d", 735, 16, 346), ("Mixed_6e", 927, 16, 442), ("Mixed_7a", 1055, 32, 490),
            ("Mixed_7b", 1183, 32, 554), ("Mixed_7c", 1311, 32, 618),
        )
    ),
    # at 224, where "same" pads as it does there
    *(
        ("mobilenet_v1", layer, *figures)
        for layer, *figures in (
            ("conv1", 3, 2, 0), ("features.0", 7, 2, 2), ("features.1", 11, 4, 2), ("features.2", 19, 4, 6),
            ("features.3", 27, 8, 6), ("features.4", 43, 8, 14), ("features.5", 59, 16, 14),
            ("features.6", 91, 16, 30), ("features.7", 123, 16, 46), ("features.8", 155, 16, 62),
            ("features.9", 187, 16, 78), ("features.10", 219, 16, 94), ("features.11", 251, 32, 94),
            ("features.12", 315, 32, 126),
        )
    ),
    # slim strides in the last unit of a block and not in the first of the next, so its strides are of there
    ("resnet50_v1", "layer1", 35, 4, 15), ("resnet50_v1", "layer2", 99, 8, 47),
    ("resnet50_v1", "layer3", 291, 16, 143), ("resnet50_v1", "layer4", 483, 32, 239),
    ("resnet101_v1", "layer3", 835, 16, 415), ("resnet101_v1", "layer4", 1027, 32, 511),
]  # fmt: skip


@pytest.mark.parametrize(("name", "layer", "size", "stride", "padding"), ARAUJO)
def test_published(name: str, layer: str, size: int, stride: int, padding: int) -> None:
    network = archlens.load(name)
    end = [one.name for one in network if one.name == layer or one.name.startswith(f"{layer}.")][-1]
    fields = receptive_field.find(network)[end]
    assert isinstance(fields, tuple)
    assert {(field.size, field.stride, -field.start) for field in fields} == {(size, stride, padding)}


# --- against torch ------------------------------------------------------------------------------------


def checks(network: Network) -> dict[str, str]:
    torch.default_generator.manual_seed(0)
    with torch.no_grad():
        return {check.layer: check.status for check in probe(network, Allowance(inf))}


SPEC = """
input: 4x40x40
layers:
  - dilated: conv(6, 3, padding=2, dilation=2)
  - same: conv(6, 3, stride=2, padding="same")
  - concat: [wide: "conv(6, 5, padding=2)", narrow: "conv(6, 1)"]
  - split: [part: "slice(0, 3)", "conv(4, 3, padding=1)"]
  - up: upsample(2, mode="linear")
  - upconv: conv_transpose(4, 3, stride=2, padding=1)
"""


def spoiled(name: str, window: Window) -> Network:
    """The network with another window said of one layer, as a bug in its op would say it."""
    network = archlens.loads(SPEC)
    layers = tuple(
        layer._replace(facts=layer.facts._replace(reach=(window, layer.facts.reach[1])))  # type: ignore[index]
        if layer.name == name
        else layer
        for layer in network.layers
    )
    return replace(network, layers=layers, index={layer.name: layer for layer in layers})


def test_the_last_field_of_a_network_without_out_is_that_of_its_first_output() -> None:
    """One output sees 3x3 and the other, which is named first, 5x5."""
    network = archlens.loads(
        "{input: 1x9x9, layers: [a: 'conv(2, 3)', b: 'conv(2, 3)'], "
        "outputs: {out: none, far: ref(b), near: ref(a)}}"
    )
    assert receptive_field.find(network).last() == "b"


def test_a_small_network_passes() -> None:
    assert set(checks(archlens.loads(SPEC)).values()) == {PASSED}


@pytest.mark.parametrize(
    ("layer", "window"),
    [
        ("dilated", Window(3, 1, 2, 2)),  # a wrong dilation
        ("same", Window(3, 2, 1, 0)),  # the wrong side padded
        ("same", Window(2, 2, 0, 0)),  # a window too small
        ("wide", Window(7, 1, 3, 3)),  # a window too large
        ("upconv", Window(3, 2, 0, 1, transposed=True)),
        ("up", Window(2, 2, transposed=True)),  # nearest, where it is linear
    ],
)
def test_a_planted_bug_is_found_and_named(layer: str, window: Window) -> None:
    found = checks(spoiled(layer, window))
    failed = [name for name, status in found.items() if status == FAILED]
    assert failed[0] == layer


def test_a_concat_that_takes_one_branch_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Field, "union", lambda self, other: other)
    failed = [name for name, status in checks(archlens.loads(SPEC)).items() if status == FAILED]
    assert failed[0] == "concat"


# --- how it is shown ----------------------------------------------------------------------------------


def test_columns() -> None:
    result = CliRunner().invoke(cli, ["shapes", "resnet50", "--depth", "1", "--columns", "receptive_field"])
    assert result.exit_code == 0
    line = next(line for line in result.output.splitlines() if line.startswith("layer4"))
    assert line.split()[-5:] == ["427x427", "32", "-213", "0", "yes"]
    assert "Field: input positions from the first to the last one that an output sees" in result.output


def test_json() -> None:
    result = CliRunner().invoke(cli, ["shapes", "googlenet_aux", "--format", "json"])
    fields = {one["name"]: one.get("receptive_field") for one in json.loads(result.output)["layers"]}
    # measured with torch: Araujo's 715 has 5x5 kernels where torchvision has 3x3
    assert fields["inception5b.concat"] == {"size": [379, 379], "stride": [32, 32], "start": [-167, -167]}
    assert fields["avgpool"] == "everywhere"
    assert fields["fc"] is None
    assert fields["aux1.conv.conv"] == {
        "reason": "aux1.adaptive_avg_pool: the windows that take 14x14 to 4x4 differ in size"
    }


def test_a_token_sees_nothing_beside_others_that_see_everything() -> None:
    """Until attention has read them, whatever was seen before."""
    text = (
        "{input: 3x4x4, layers: [tokens, self_attention(1), cls: class_token, layer_norm, self_attention(1)]}"
    )
    network = archlens.loads(text)
    seen = archlens.study(network).receptive_fields
    kinds = {layer.op.kind: seen[layer.name] for layer in network.layers[1:-1]}
    alone = NonUniform("cls: its token sees nothing, and all others everything")
    assert kinds == {"self_attention": EVERYWHERE, "class_token": alone, "layer_norm": alone}
    assert seen[network.layers[-1].name] is EVERYWHERE
    assert verify(network).passed


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("pad(1)", "padding"),
        ("pad(((0, 0), (0, 1)))", "padding"),
        ('pad(1, mode="reflect")', "everything"),
        ('pad(1, mode="replicate")', "everything"),
        ("conv(2, 3, padding=2)", "everything"),
        ("conv(2, 3, padding=3)", "padding"),
        ("conv(2, 3, padding=4, dilation=2)", "everything"),
        ("conv(2, 3, padding=5, dilation=2)", "padding"),
        ("pad(2) >> conv(2, 3)", "everything"),
        ("pad(2) >> conv(2, 2)", "padding"),
        ('pad(2) >> slice(2, -2, axis="height")', "padding"),
        ('pad(2) >> slice(2, -2, axis="height") >> slice(2, -2, axis="width")', "everything"),
        ("pad(2) >> max_pool(2)", "padding"),
        ("pad(1) >> max_pool(2)", "everything"),
        ("pad(1) >> relu >> adaptive_avg_pool(1)", "everything"),
        ("pad(1) >> relu >> conv_transpose(2, 2, stride=2)", "padding"),
        ("conv_transpose(2, 2, stride=2)", "everything"),
        ("conv_transpose(2, 1, stride=2)", "shorter"),
        # windows, one of which is padding alone, and the same one position smaller
        ('pad(((0, 2), (0, 2))) >> rearrange("c (h p=3) (w q=3) -> (h w) (p q) c") >> linear(2)', "padding"),
        (
            'pad(((0, 2), (0, 2))) >> rearrange("c (h p=3) (w q=3) -> (h w) (p q) c") >> self_attention(1)',
            "everything",
        ),
        (
            'pad(((0, 2), (0, 2))) >> rearrange("c (h p=2) (w q=2) -> (h w) (p q) c") >> self_attention(1)',
            "padding",
        ),
    ],
)
def test_padding_around_what_sees_everything_sees_nothing(layers: str, expected: str) -> None:
    """Until each output reads something else as well."""
    text = f"{{input: 3x4x4, layers: [adaptive_avg_pool(1), upsample(4), x: '{layers}']}}"
    network = archlens.loads(text)
    seen = archlens.study(network).receptive_fields["x"]
    if expected == "everything":
        assert seen is EVERYWHERE
    else:
        assert isinstance(seen, NonUniform)
        assert expected in seen.reason
    assert verify(network).passed


@pytest.mark.parametrize(
    ("branches", "expected"),
    [
        ("'parameter([2, 3])', identity", "follow"),
        ("identity, [linear(3)]", "everything"),
        ("identity, [ref(t)]", "follow"),
    ],
)
def test_tokens_beside_others_that_see_everything(branches: str, expected: str) -> None:
    """Those that see nothing, or a part, stay what they are."""
    layers = f"[t: tokens, self_attention(1), 'concat(axis=\"length\")': [{branches}]]"
    network = archlens.loads(f"{{input: 3x4x4, layers: {layers}}}")
    seen = archlens.study(network).receptive_fields[network.main]
    assert seen is EVERYWHERE if expected == "everything" else expected in seen.reason  # type: ignore[union-attr]
    assert verify(network).passed


@pytest.mark.parametrize("name", zoo.SMALLEST)
def test_fields_on_other_sizes_are_those_found_there(name: str) -> None:
    here = zoo.network(name)
    shape = next(iter(here.inputs.values()))
    for more in (1, 7, 64):
        try:
            there = here.with_input(
                {next(iter(here.inputs)): shape.with_spatial([n + more for n in shape.spatial])}
            )
        except (SpecError, UsageError):
            continue
        for of in here.inputs:
            told, found = receptive_field.find(here, of).on(there), receptive_field.find(there, of)
            assert told.seen == found.seen
            assert (told.limits, told.network) == (found.limits, found.network)
