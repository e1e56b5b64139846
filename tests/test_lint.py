"""The linter: every rule finds what it should and nothing else, where it stands, with exact numbers.

Numbers are held against torch, against positions followed one by one, or against a second spec that does what
the finding advises.
"""

from __future__ import annotations

import json
import re
from itertools import product
from math import gcd, prod
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from torch.nn import functional

import archlens
from archlens.analysis.study import Study
from archlens.cli import cli, options
from archlens.elaboration import elaborate
from archlens.elaboration.examples import spec_of
from archlens.errors import render
from archlens.language import parse
from archlens.library import find, names
from archlens.lint import ADVICE, ERROR, LEVELS, RULES, WARNING, Finding, Rule, choose, lint
from archlens.lint import rules as rules_folder
from archlens.ops import OPS
from archlens.views import lint_table as view

from .running import run
from .seeds import seeds
from .test_cli import in_terminal
from .zoo import network as network_of

CODES = list(RULES)


def findings(text: str, variant: str = "", *codes: str) -> list[Finding]:
    spec = parse(text)
    return lint(Study(elaborate(spec, variant)), spec, [RULES[code] for code in codes] or None)


def of(code: str, text: str, variant: str = "") -> list[Finding]:
    return findings(text, variant, code)


def spec(*layers: str, input: str = "8x16x16") -> str:
    return "\n".join([f"input: {input}", "layers:", *(f"  - {layer}" for layer in layers)])


def one(code: str, *layers: str, input: str = "8x16x16") -> Finding:
    (found,) = of(code, spec(*layers, input=input))
    return found


def marked(finding: Finding) -> str:
    """The text that a finding points at."""
    span = finding.span
    return span.source.lines[span.line - 1][span.column - 1 :][: span.width]


def invoke(*args: str) -> Result:
    return CliRunner().invoke(cli, args)


# --- what every rule must have ---------------------------------------------------------------------

#: What the example of each rule is marked at.
MARKS = {
    "AL101": "conv(96, 11, stride=4)",
    "AL102": "conv(64, 7, stride=2, padding=3)",
    "AL103": "conv(128, 1, padding=1)",
    "AL104": "conv(512, 3, padding=1)",
    "AL105": "conv_transpose(32, 3, stride=2, padding=1, output_padding=1)",
    "AL106": "conv(64, 3, padding=2, dilation=2)",
    "AL201": "relu",
    "AL202": "conv(8, 3, padding=1)",
    "AL203": "add",
    "AL204": "add",
    "AL301": "conv(64, 3, padding=1)",
    "AL302": "linear(10)",
    "AL303": "conv(64, 5, padding=2)",
    "AL304": "linear(10)",
    "AL401": "softmax",
    "AL402": "dropout",
    "AL403": "relu",
    "AL404": "group_norm(16)",
    "AL501": "conv(30, 3)",
    "AL502": "conv(32, 5)",
    "AL601": "width",
    "AL602": "unit(width)",
    "AL603": "conv(32, 1)",
    "AL604": "add",
    "AL605": "gate",
}

#: The line of the example where it stands, where the text stands on several.
LINES = {"AL106": 5, "AL201": 6, "AL202": 5, "AL203": 3, "AL204": 3, "AL403": 6, "AL604": 7, "AL605": 5}


@pytest.mark.parametrize("code", CODES)
def test_documentation(code: str) -> None:
    rule = RULES[code]
    said = rule.documentation
    assert all(said), "a section is empty"
    assert re.fullmatch(r"AL\d{3}", code)
    assert rule.level in LEVELS
    module = type(rule).__module__.rpartition(".")[2]
    assert rule.name == module.replace("_", "-"), "a file is named as its rule"
    assert said.summary.endswith(".")
    assert "\n" not in said.summary


@pytest.mark.parametrize("code", CODES)
def test_example_triggers_and_the_other_does_not(code: str) -> None:
    said = RULES[code].documentation
    assert [found.rule.code for found in of(code, said.example)] == [code]
    assert findings(said.instead) == [], "what is advised gives no finding of any rule"


@pytest.mark.parametrize("code", CODES)
def test_place(code: str) -> None:
    (found,) = of(code, RULES[code].documentation.example)
    assert marked(found) == MARKS[code]
    text = found.span.source.text
    assert text.count(MARKS[code]) == 1 or found.span.line == LINES[code]
    shown = render(found.diagnostic)
    assert shown.startswith(f"{found.rule.level}[{code}]: ")
    assert f" --> network:{found.span.line}:{found.span.column}" in shown


def test_one_rule_a_file() -> None:
    folder = Path(str(rules_folder.__file__)).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == {rule.name.replace("-", "_") for rule in RULES.values()}


def test_codes_are_stable() -> None:
    """Whoever ignores a code in a workflow relies on it: codes are added, and never change their meaning."""
    assert {code: rule.name for code, rule in RULES.items()} == {
        "AL101": "dropped-pixels",
        "AL102": "unseen-padding",
        "AL103": "blind-windows",
        "AL104": "wasted-kernel",
        "AL105": "checkerboard",
        "AL106": "gridding",
        "AL201": "small-field",
        "AL202": "saturated-field",
        "AL203": "misaligned-branches",
        "AL204": "uneven-branches",
        "AL301": "bias-before-norm",
        "AL302": "heavy-linear",
        "AL303": "large-kernel",
        "AL304": "stacked-linear",
        "AL401": "softmax-output",
        "AL402": "dropout-before-norm",
        "AL403": "idle-activation",
        "AL404": "single-statistics",
        "AL501": "odd-channels",
        "AL502": "exceeds-board",
        "AL601": "unused-param",
        "AL602": "unused-block",
        "AL603": "unread-layer",
        "AL604": "unread-repeat",
        "AL605": "nested-gate",
    }
    with pytest.raises(TypeError, match="two rules have the code AL101"):
        type("Again", (Rule,), {}, code="AL101", name="again", level=ADVICE)


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("gate: [gate: sigmoid]", True),
        ("gate: ['conv(8, 1)', relu, 'conv(8, 1)', gate: hard_sigmoid]", True),
        ("gate: ['conv(8, 1)', sigmoid]", False),
        ("gate: ['conv(8, 1)', silu]", False),
        ("gate: ['conv(8, 1)', gate: ['conv(8, 1)', sigmoid]]", False),  # a gate of another tensor
        ("multiply: [['conv(8, 1)', gate: sigmoid], 'conv(8, 1)']", False),  # a silu in a gated unit
        ("multiply: [identity, 'conv(8, 1)', gate: sigmoid]", False),
    ],
)
def test_gates_that_end_in_gates(step: str, found: bool) -> None:
    assert bool(of("AL605", spec(step, input="8x4x4"))) == found


def test_causal_branches_are_aligned() -> None:
    """No branch looks beyond its own position: at each merge both end there, and begin ever earlier."""
    causal = [f"residual: ['conv(8, 2, padding=(({d}, 0),), dilation={d})', relu]" for d in (1, 2, 4, 8)]
    assert of("AL203", spec(*causal, input="8x64")) == []
    # one step into the future, and the branches look around different places
    assert len(of("AL203", spec(*causal, "residual: ['conv(8, 2, padding=((0, 1),))']", input="8x64"))) == 1


def test_upsampled_branches_may_be_half_a_coarse_step_off() -> None:
    """As HRNet and FPN merge them: 3x3 convolutions of stride 2 down, nearest upsampling up.

    The coarse sample i lies at 2^k i; its 2^k copies lie at 2^k i to 2^k i + 2^k - 1, on average
    (2^k - 1)/2 later, which is less than half of 2^k. A shift by one coarse sample is a whole step.
    """
    down = "conv(8, 3, stride=2, padding=1)"
    for times in (1, 2, 3):
        left = 16 // 2**times
        steps = [down] * times
        cut = [f"slice(0, {left}, axis='{axis}')" for axis in ("height", "width")]
        shifted = [*steps, "pad(((1, 0), (1, 0)))", *cut]
        for branch, count in ((steps, 0), (shifted, 1)):
            text = " >> ".join([*branch, f"upsample({2**times})"])
            assert len(of("AL203", spec(f'add: [identity, "{text}"]'))) == count


def test_statistics_of_one_value() -> None:
    """What torch refuses in training, and what it refuses for one sample; of one position only."""
    running = one("AL404", "instance_norm(running_stats=true)", input="8x1x1")
    assert "it runs only in evaluation" in running.message
    for step in ("batch_norm(running_stats=false)", "group_norm(8)"):
        assert "it does not run on a single sample" in one("AL404", step, input="8x1x1").message
        assert of("AL404", spec(step, input="8x1x2")) == []
    assert of("AL404", spec("batch_norm", "group_norm(4)", input="8x1x1")) == []


# --- windows, against positions followed one by one --------------------------------------------------


def windows_of(random: Random) -> tuple[int, int, int, int, int, int]:
    """Size, kernel, stride, padding before and after, dilation of a convolution that fits."""
    while True:
        n, kernel, stride = random.randint(1, 9), random.randint(1, 5), random.randint(1, 3)
        before, after, dilation = random.randint(0, 5), random.randint(0, 5), random.randint(1, 3)
        if n + before + after >= dilation * (kernel - 1) + 1:
            return n, kernel, stride, before, after, dilation


@seeds(300)
def test_windows(seed: int) -> None:
    n, kernel, stride, before, after, dilation = windows_of(Random(seed))
    text = spec(
        f"conv(3, {kernel}, stride={stride}, padding=(({before}, {after}),), dilation={dilation})",
        input=f"2x{n}",
    )
    outputs = archlens.loads(text).output[1]
    taps = [{o * stride - before + k * dilation for k in range(kernel)} for o in range(outputs)]
    image = set(range(n))

    # an output that looks around the image, over it, is left to AL104: its taps lie on both sides
    blind = sum(max(seen) < 0 or min(seen) >= n for seen in taps)
    assert sum(found.numbers["outputs"] for found in of("AL103", text)) == blind

    dead = sum(
        all(o * stride - before + k * dilation not in image for o in range(outputs)) for k in range(kernel)
    )
    saved = sum(found.numbers["saved"] for found in of("AL104", text))
    assert saved == (3 * 2 * dead if dead < kernel else 0)

    reached = max(max(seen) for seen in taps)
    spare = set(range(n, n + after)) - set(range(reached + 1))
    assert bool(of("AL102", text)) == (bool(spare) and stride > 1)
    for found in of("AL102", text):
        assert f"{len(spare)} of {after} after length" in found.message

    dropped = n - 1 - max(reached, -1) if stride <= dilation * (kernel - 1) + 1 else 0
    positions = [p for found in of("AL101", text) for one in found.numbers["positions"] for p in one]
    assert positions == ([dropped] if dropped > 0 else [])


def test_each_layer_that_drops() -> None:
    """(17 - 2)/2 + 1 = 8.5, and (8 - 3)/2 + 1 = 3.5; each word of the spec has its finding."""
    first, second = of("AL101", spec("max_pool(2)", "relu", "max_pool(3, stride=2)", input="8x17x16"))
    assert (marked(first), marked(second)) == ("max_pool(2)", "max_pool(3, stride=2)")
    assert "height is never seen" in first.message
    assert "height and width is never seen" in second.message
    assert of("AL101", spec("conv(8, 1, stride=2)")) == []  # skipped by intent


def test_inputs_whose_outputs_are_cropped() -> None:
    """Of 9 inputs each writes 3 of 19 outputs, 2 apart: the last two 14 to 18, and 6 to 12 are kept."""
    (found,) = of("AL101", spec("conv_transpose(4, 3, stride=2, padding=6)", input="1x9"))
    assert "all that the last 2 positions of its input's length write is cropped away" in found.message
    assert found.numbers["positions"] == [[2]]
    assert "at most 2 keeps" in (found.help or "")  # the last writes 16 to 18, and 19 - 2 - 1 = 16
    assert of("AL101", spec("conv_transpose(4, 3, stride=2, padding=2)", input="1x9")) == []
    (spare,) = of("AL101", spec("conv_transpose(4, 3, stride=2, padding=4, output_padding=1)", input="1x9"))
    assert "the last position of its input's length writes is cropped" in spare.message
    assert "at most 3 keeps" in (spare.help or "")  # one more output at the end is kept


def test_less_padding_gives_the_same() -> None:
    """The padding that AL102 advises computes the same numbers."""
    (found,) = of("AL102", spec("conv(4, 7, stride=2, padding=3)", input="3x32x33"))
    assert "padding=((3, 2), (3, 3))" in found.help
    advised = spec("conv(4, 7, stride=2, padding=((3, 2), (3, 3)))", input="3x32x33")
    assert of("AL102", advised) == []
    before = archlens.build(archlens.loads(found.span.source.text))
    after = archlens.build(archlens.loads(advised))
    after.load_state_dict(before.state_dict())
    x = torch.rand(1, 3, 32, 33)
    assert torch.equal(before(x), after(x))


def test_the_shift_of_resnet() -> None:
    """Half a step at each of the five strides of 2: (1 + 2 + 4 + 8 + 16)/2 = 15.5 pixels."""
    network, found = zoo("resnet50", "AL102")
    assert len(found) == 1
    assert (
        "is off the centre of the image, towards the start, by 15.5 along the height and width"
        in found[0].notes[0]
    )
    assert found[0].layers == ("conv1", "maxpool", "layer2.0.conv2", "layer3.0.conv2", "layer4.0.conv2")
    assert network.name == "resnet50"
    # one of the axes alone: of 33 positions the centre is at 16, where that of 33 windows is
    (one_axis,) = of("AL102", spec("conv(4, 7, stride=(2, 1), padding=3)", input="3x32x33"))
    assert one_axis.notes[0].endswith("by 0.5 along the height and by 0 along the width")
    # 2x2 windows at a stride of 2 so far look half of that further on: 1 - 0.5 behind the centre
    behind = ["conv(4, 7, stride=2, padding=3)", "conv(4, 2, padding=((0, 1), (0, 1)))"]
    assert one("AL102", *behind, input="3x32x32").notes == ()
    # 225 = 7*32 + 1 leaves nothing over anywhere
    spec_, variant = find("resnet50")
    assert lint(Study(elaborate(spec_, variant, input="3x225x225")), spec_, [RULES["AL102"]]) == []


def test_blind_outputs_are_the_bias() -> None:
    found = one("AL103", "conv(4, 1, padding=2)", input="3x5x6")
    conv = torch.nn.Conv2d(3, 4, 1, padding=2)
    same = sum(
        torch.equal(conv(torch.rand(1, 3, 5, 6))[0, :, i, j], conv.bias)
        for i, j in product(range(9), range(10))
    )
    assert found.numbers["outputs"] == same == 9 * 10 - 5 * 6


def test_wasted_weights_get_no_gradient() -> None:
    found = one("AL104", "conv(4, 5, stride=2, padding=4, dilation=2)", input="3x3x2")
    conv = torch.nn.Conv2d(3, 4, 5, stride=2, padding=4, dilation=2)
    conv(torch.rand(2, 3, 3, 2)).sum().backward()
    assert found.numbers["saved"] == int((conv.weight.grad == 0).sum())
    assert found.numbers["weights"] == 3 * 4 * 25


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [*product((1, 2, 3, 4, 5), (1, 2, 3, 4), (1, 2, 3)), (9, 4, 6), (9, 6, 4), (2051, 50, 1), (50, 2051, 1)],
)
def test_overlaps(kernel: int, stride: int, dilation: int) -> None:
    """Sums over how many positions, counted by torch: a convolution of ones with ones, in the middle."""
    text = spec(f"conv_transpose(1, {kernel}, stride={stride}, dilation={dilation})", input="1x100")
    ones = functional.conv_transpose1d(
        torch.ones(1, 1, 100), torch.ones(1, 1, kernel), stride=stride, dilation=dilation
    )
    counts = {int(count) for count in ones[0, 0, 50 * stride : 50 * stride + stride]}
    found = of("AL105", text)
    assert bool(found) == (len(counts) > 1)
    for one_ in found:
        assert (one_.numbers["least"], one_.numbers["most"]) == (min(counts), max(counts))


def test_checkerboard_in_the_plane() -> None:
    """Odena et al. 2016: a 3x3 kernel with stride 2 sums up one, two or four positions."""
    found = one("AL105", "conv_transpose(4, 3, stride=2)")
    assert (found.numbers["least"], found.numbers["most"]) == (1, 4)
    assert "along height and width: some outputs sum over 4 positions, others over 1" in found.message
    assert "a kernel of 4; or upsample(2) >> conv(4, 3, padding=1)" in found.help
    assert "others over none" in one("AL105", "conv_transpose(4, 2, stride=(3, 2), padding=0)").message
    assert of("AL105", spec("conv_transpose(4, 4, stride=2, padding=1)", "upsample(2)")) == []


GRIDS = {
    "2, 2": (["dilated(2) >> relu >> dilated(2)"], 4),
    "2, 4, 8 with nothing before": (["dilated(2) >> dilated(4) >> dilated(8)"], 4),
    "6, 9": (["dilated(6) >> batch_norm >> conv(8, 1) >> dilated(9)"], 9),
    "behind a stride": (["conv(8, 3, stride=2, padding=1) >> dilated(2) >> dilated(4)"], 4),
    "residual": (["residual: [dilated(2)]", "relu", "residual: [relu >> dilated(4)]"], 4),
    "1, 2, 2, 2": (["dilated(1) >> dilated(2) >> dilated(2) >> dilated(2)"], 4),
    "one axis": (['conv(8, 3, padding="same", dilation=(1, 2)) * 2'], 2),
    "holes on one branch": (["dilated(1)", "concat: [dilated(2), dilated(4)]", "dilated(6)"], 4),
    "no growth on one branch": (["conv(8, 9)", "concat: [dilated(2), dilated(6)]", "dilated(4)"], 4),
    "2 and 3 side by side, then 6": (["concat: [dilated(2), dilated(3)]", "dilated(6)"], 0),
    "padded between": (["conv(8, 3, dilation=2) >> pad(1) >> crop(60) >> conv(8, 3, dilation=2)"], 4),
    "1, 2, 8, of which 1 and 2 cover 3 + 2*2 = 7": (["dilated(1) >> dilated(2) >> dilated(8)"], 4),
    "1, 2, 4, 8, 2": (["dilated(1) >> dilated(2) >> dilated(4) >> dilated(8) >> dilated(2)"], 4),
    "1, 2, 5": (["dilated(1) >> dilated(2) >> dilated(5)"], 0),
    "2, 3": (["dilated(2) >> dilated(3)"], 0),
    "1, 2, 4, 8": (["dilated(1) >> dilated(2) >> dilated(4) >> dilated(8)"], 0),
    "2, 1, 2": (["dilated(2) >> dilated(1) >> dilated(2)"], 0),
    "pooled between": (["dilated(2) >> avg_pool(3, stride=1, padding=1) >> dilated(2)"], 0),
    "normalized over the map between": (["dilated(2) >> group_norm(2) >> dilated(2)"], 0),
    "side by side": (["concat: [dilated(6), dilated(12)]"], 0),
    "one": (["dilated(4)"], 0),
    "mixed by a branch": (["dilated(2)", "residual: [dilated(1)]", "dilated(2)"], 0),
    "kernels of 1": (["conv(8, 1, dilation=2) * 3"], 0),
}


@pytest.mark.parametrize("case", GRIDS)
def test_gridding(case: str) -> None:
    layers, share = GRIDS[case]
    blocks = 'blocks:\n  dilated(d):\n    - conv(8, 3, padding="same", dilation=d)\n'
    found = of("AL106", blocks + spec(*layers, input="8x64x64"))
    assert [one.numbers["share"] for one in found] == ([share] if share else [])


def test_gridding_is_what_torch_sees() -> None:
    """Of the positions within the field of one output, 1 in 4 has a gradient."""
    text = spec("conv(1, 3, dilation=2)", "conv(1, 3, dilation=2)", "conv(1, 3, dilation=4)", input="1x17x17")
    (found,) = of("AL106", text)
    x = torch.rand(1, 1, 17, 17, requires_grad=True)
    module = archlens.build(archlens.loads(text))
    for weight in module.parameters():
        torch.nn.init.ones_(weight)
    module(x).sum().backward()
    assert module(x).shape == (1, 1, 1, 1)
    seen = x.grad[0, 0] != 0
    assert int(seen.sum()) == 9 * 9  # of 17x17: every second along both axes
    assert found.numbers == {"count": 3, "factor": 2, "share": 4}
    assert found.layers == ("0", "1", "2")
    assert [marked_ for _, marked_ in found.also] == [found.also[0][1]]
    assert "dilations 2 (2 times) and 4" in found.notes[0]


@seeds(60)
def test_figures_of_gridding(seed: int) -> None:
    """Against gradients: a factor is what the positions have in common that an output sees, on each axis."""
    random = Random(seed)
    axes = random.randint(1, 3)
    drawn = (2, 3, 4, 6) if axes < 3 else (2, 4)
    dilations = [
        tuple(random.choice(drawn) for _ in range(axes)) for _ in range(random.randint(1, 4 - axes // 2))
    ]
    layers = [f"conv(1, {random.randint(2, 3)}, dilation={one})" for one in dilations]
    size = 1 + sum(2 * max(one) for one in dilations)
    grids = []
    for count in range(2, len(layers) + 1):
        text = spec(*layers[:count], input="x".join(map(str, [1] + [size] * axes)))
        module = archlens.build(archlens.loads(text))
        for weight in module.parameters():
            torch.nn.init.ones_(weight)
        x = torch.rand(1, 1, *[size] * axes, requires_grad=True)
        module(x).flatten()[0].backward()  # output 0 sees position 0
        factors = tuple(gcd(*places) for places in x.grad[0, 0].nonzero().T.tolist())
        if prod(factors) > 1:
            grids.append((count, factors))
    found = of("AL106", spec(*layers, input="x".join(map(str, [1] + [size] * axes))))
    if not grids:
        assert found == []
        return
    count, factors = grids[-1]
    share = prod(factors)
    assert [one.numbers for one in found] == [{"count": count, "factor": max(factors), "share": share}]
    said = str(factors[0]) if len(set(factors)) == 1 else "x".join(map(str, factors))
    assert f"have the common factor {said}: each output is made from 1 in {share} of" in found[0].message
    assert found[0].layers == tuple(map(str, range(count)))


def test_wavenet_is_no_grid() -> None:
    """WaveNet (van den Oord et al. 2016): kernels of 2, dilations 1, 2, 4, ... 512, repeated."""
    text = """
input: 8x4096
blocks:
  block(d):
    - residual:
        - multiply:
            - conv(8, 2, padding=((d, 0),), dilation=d) >> tanh
            - conv(8, 2, padding=((d, 0),), dilation=d) >> sigmoid
        - conv(8, 1)
layers:
  - each: [repeat]
    in: [[0], [1]]
    do:
      - each: [i]
        in: range(10)
        do: block(2 ** i)
"""
    assert of("AL106", text) == []


def test_a_dilated_resnet_is_a_grid() -> None:
    """Yu et al. 2017 on networks that dilate by 2 throughout a stage instead of striding."""
    text = """
input: 8x32x32
blocks:
  basic(d):
    - residual:
        - conv(8, 3, padding=d, dilation=d, bias=false) >> batch_norm >> relu
        - conv(8, 3, padding=d, dilation=d, bias=false) >> batch_norm
    - relu
layers:
  - basic(1) * 2
  - basic(2) * 3
"""
    (found,) = of("AL106", text)
    assert found.numbers == {"count": 6, "factor": 2, "share": 4}
    assert len(found.layers) == 6
    assert (found.span.line, found.also[0][1].line) == (7, 6)
    assert "6 dilated convolutions in a row" in found.message


def test_a_row_is_complete() -> None:
    """All its layers are named, also those before it became a grid; an axis may have no factor."""
    text = spec("conv(8, 3, padding=1)", *(f"conv(8, 3, dilation={d})" for d in (2, 4, 2)), input="8x64x64")
    (found,) = of("AL106", text)
    assert found.layers == ("1", "2", "3")
    assert found.notes == ("dilations 2, 4 and 2",)
    assert (found.span.line, found.also[0][1].line) == (6, 4)
    assert (
        "the common factor 1x2: each output is made from 1 in 2"
        in one("AL106", "conv(8, 3, dilation=(1, 2))", "conv(8, 3, dilation=(1, 2))").message
    )
    for last in ("conv(8, (1, 3))", "conv(8, 1, dilation=2)"):  # neither is dilated
        assert one("AL106", "conv(8, 3, dilation=2)", "conv(8, 3, dilation=2)", last).layers == ("0", "1")


def test_branches_count_beside_the_row() -> None:
    """As in DeepLab v3: two dilated layers, then two rates side by side."""
    text = spec("dilated(2) * 2", "concat: [dilated(4), dilated(6)]", input="8x64x64")
    blocks = 'blocks:\n  dilated(d):\n    - conv(8, 3, padding="same", dilation=d)\n'
    (found,) = of("AL106", blocks + text)
    assert found.numbers == {"count": 3, "factor": 2, "share": 4}
    assert "3 dilated convolutions in a row, and 1 on branches beside them" in found.message
    assert found.notes == ("dilations 2 (2 times), 4 and 6",)


# --- receptive fields --------------------------------------------------------------------------------


def test_small_field() -> None:
    """Two 3x3 convolutions see 5x5; of that, what is behind joins the positions."""
    body = ["conv(8, 3)", "relu", "conv(8, 3)"]
    found = one("AL201", *body, "global_avg_pool >> flatten", "linear(10)")
    assert found.numbers == {"size": [5, 5], "image": [16, 16]}
    assert "of the 16x16 image, and" in found.message
    assert marked(found) == "conv(8, 3)"
    # a map of 2x2 as output
    assert of("AL201", spec("conv(8, 3, stride=8)", "group_norm(2)")) == []
    assert len(of("AL201", spec(*body, "flatten", "linear(10)"))) == 1
    pooled = ["global_avg_pool >> flatten", "linear(32) >> relu", "linear(10)"]  # of averages only
    assert len(of("AL201", spec(*body, *pooled))) == 1
    for clean in (
        ["flatten", "linear(32) >> relu", "linear(10)"],  # as VGG: fc6 relates all positions
        ["conv(10, 1)"],  # a map as output: nothing is classified
        ["group_norm(2)", "global_avg_pool"],  # has spread what the whole map holds
        ["conv(8, 7) >> conv(8, 6)", "global_avg_pool"],  # 5 + 6 + 5 = 16
    ):
        assert of("AL201", spec(*body, *clean)) == []


def test_small_field_on_each_of_several_inputs() -> None:
    steps = ["add: [ref(a), ref(b)]", "conv(8, 3)", "global_avg_pool >> flatten", "linear(10)"]
    found = of("AL201", spec(*steps, input="{a: 8x16x16, b: 8x16x16}"))
    assert ["of the 16x16 image of a" in found[0].message, "image of b" in found[1].message] == [True, True]


def test_small_field_of_the_zoo() -> None:
    """427 of 600, torchvision's ResNet-50: the field that Araujo et al. 2019 have for v1.5."""
    spec_, variant = find("resnet50")
    (found,) = lint(Study(elaborate(spec_, variant, input="3x600x300")), spec_, [RULES["AL201"]])
    assert found.numbers == {"size": [427, 427], "image": [600, 300]}
    assert zoo("vgg16", "AL201")[1] == zoo("alexnet", "AL201")[1] == zoo("lenet5", "AL201")[1] == []


@seeds(80)
def test_saturation(seed: int) -> None:
    """Against gradients: every position of a layer's input has one to every position of the image."""
    random = Random(seed)
    n = random.randint(2, 9)
    layers = []
    for _ in range(6):
        k = random.choice((1, 3, 4, 5))
        before = random.randint(0, k - 1)
        layers.append(f"conv(1, {k}, padding=(({before}, {k - 1 - before}),))")
    text = spec(*layers, input=f"1x{n}")
    module = archlens.build(archlens.loads(text))
    for weight in module.parameters():
        torch.nn.init.ones_(weight)
    expected = []
    x = torch.rand(1, 1, n, requires_grad=True)
    flowing = x
    for index, layer in enumerate(module.children()):
        rows = [torch.autograd.grad(flowing[0, 0, i], x, retain_graph=True)[0] for i in range(n)]
        if "conv(1, 1," not in layers[index] and all(bool((row != 0).all()) for row in rows):
            expected.append(str(index))
        flowing = layer(flowing)
    found = of("AL202", text)
    assert [name for one in found for name in one.layers] == expected
    for one_ in found:
        less = [
            re.sub(r"\d, padding=.*", "1)", text_) if str(i) in expected else text_
            for i, text_ in enumerate(layers)
        ]
        advised = archlens.loads(spec(*less, input=f"1x{n}"))
        assert one_.numbers["saved"] == archlens.loads(text).params - advised.params
        assert one_.numbers["count"] == len(expected)


def test_figures_of_saturation() -> None:
    """By hand: 1x1 windows keep one weight of each kernel, biases stay, and poolings hold none."""
    found = one(
        "AL202",
        "first: conv(8, (15, 11), padding=(7, 5))",  # sees all 8 and 6 positions from every output
        "relu",
        "square: conv(8, 3, padding=1)",  # 8*8*9 + 8, and of its 576 weights 64 stay
        "strip: conv(8, (1, 3), padding=(0, 1))",  # 8*8*3 + 8; 64 of 192
        "max_pool(3, stride=1, padding=1)",
        "apart: conv(8, 3, padding=1, groups=8, bias=false)",  # 8*9; 8 of 72
        "point: conv(4, 1)",
        "last: conv_transpose(4, 2)",  # 4*4*4 + 4; 16 of 64
        input="1x8x6",
    )
    assert found.numbers == {
        "count": 5,
        "of": 6,
        "params": (576 + 8) + (192 + 8) + 72 + (64 + 4),
        "saved": (576 - 64) + (192 - 64) + (72 - 8) + (64 - 16),
    }
    assert "5 of 6 layers with a window larger than 1 add no spatial context" in found.message
    assert "from square to last every position of their inputs has seen the whole 8x6 image" in found.message
    assert found.notes == ("they hold 924 parameters; with 1x1 windows 752 fewer",)
    pooled = one("AL202", "conv(8, 15, padding=7)", "max_pool(3, stride=1, padding=1)", input="1x8x8")
    assert pooled.numbers == {"count": 1, "of": 2, "params": 0, "saved": 0}
    assert pooled.notes == ()


def test_saturation_along_one_axis() -> None:
    """A 1x3 window looks along the width alone, which has been seen; a 3x3 looks along the height, too."""
    wide = "conv(8, (1, 15), padding=(0, 7))"
    assert one("AL202", wide, "conv(8, (1, 3), padding=(0, 1))", input="8x8x8").layers == ("1",)
    assert of("AL202", spec(wide, "conv(8, 3, padding=1)", input="8x8x8")) == []


def test_saturation_where_less_than_a_period_is_left() -> None:
    """Outputs 0 and 1 see the 4 positions, 2 and 3 the next 4; of the four output 1 is left."""
    cut = ["conv(1, 4)", "upsample(2)", "slice(1, 2, axis='length')", "conv(1, 3, padding=1)"]
    assert one("AL202", *cut, input="1x4").layers == ("3",)


def test_what_is_said_of_a_single_one() -> None:
    """What would help is of this very layer, and of others there is no word where there are none."""
    # (5 - 1)/2 = 2 on each side
    assert "padding=2 keeps the size" in one("AL103", "conv(8, 5, padding=5)").help
    # multiples of 2 and of 4 that are at least 3; upsample takes one factor
    assert one("AL105", "conv_transpose(8, 3, stride=(2, 4))").help == "a kernel of 4"
    # all is dropped: 1/(1 - p) has no value
    assert "no finite number" in one("AL402", "conv(8, 3) >> dropout(1) >> batch_norm").notes[0]
    dilated = "conv(8, 3, padding=2, dilation=2)"
    assert "branches" not in one("AL106", dilated, dilated).message
    assert " more" not in one("AL304", "conv(8, 3)", "conv(8, 1)").message


def test_a_gate_does_not_saturate() -> None:
    """An average over the map that was multiplied in tells no layer where anything is."""
    gate = "gate: [global_avg_pool, sigmoid]"
    assert of("AL202", spec("conv(8, 3, padding=1)", gate, "conv(8, 3, padding=1)")) == []


def test_branches() -> None:
    """Worked out by hand: a 2x2 window at 0 looks around 1/2, a 3x3 with padding 1 around 0."""
    found = one("AL203", "concat: [max_pool(2), 'conv(8, 3, stride=2, padding=1)']")
    assert "around 1/2 through 0 and around 0 through 1" in found.notes[0]
    assert of("AL203", spec("concat: [max_pool(2), 'conv(8, 4, stride=2, padding=1)']")) == []
    even = "residual: ['conv(8, 3, padding=((0, 2), (1, 1)))']"
    (found,) = of("AL203", spec(even, "relu", even))  # one finding, with each place
    assert found.numbers == {"count": 2}
    assert found.layers == ("add", "add_1")
    assert [span.line for _, span in found.also] == [5]
    assert found.message.startswith("2 merges of branches that look around different places: add and add_1")
    found = one("AL204", "add: ['conv(8, 1, stride=2)', 'conv(8, 9)']", "residual: [relu]")
    assert "strides of 2 and 1" in found.notes[0]
    assert found.layers == ("add",)
    # every third output sees nothing, and there are no branches
    assert of("AL204", spec("conv_transpose(4, 2, stride=3)")) == []


# --- parameters, against a spec that does what is advised ---------------------------------------------


def params(*layers: str, input: str = "8x16x16") -> int:
    return archlens.loads(spec(*layers, input=input)).params


@pytest.mark.parametrize(
    "layer", ["conv(12, 3{})", "conv_transpose(12, 2, stride=2{})", "conv(8, 3, groups=8{})"]
)
@pytest.mark.parametrize("norm", ["batch_norm", "batch_norm(affine=false)", "instance_norm"])
def test_bias(layer: str, norm: str) -> None:
    found = one("AL301", layer.format(""), norm)
    assert found.numbers["saved"] == params(layer.format(""), norm) - params(
        layer.format(", bias=false"), norm
    )
    assert of("AL301", spec(layer.format(", bias=false"), norm)) == []
    for other in ("group_norm(2)", "layer_norm", "relu >> batch_norm"):
        assert of("AL301", spec(layer.format(""), other)) == []


def test_bias_that_someone_else_reads() -> None:
    assert of("AL301", spec("conv(8, 1)", "residual: [batch_norm]")) == []
    assert of("AL301", spec("conv(8, 1)") + "\noutputs:\n  aux: [batch_norm]") == []


def test_bias_gets_no_gradient() -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).double()
    (module(torch.rand(4, 3, 8, 8).double()) ** 3).sum().backward()
    assert module[0].bias.grad.abs().max() < 1e-10 < module[0].weight.grad.abs().max()


def test_bias_of_a_repeated_block_is_one_finding() -> None:
    text = "blocks:\n  unit(n): conv(n, 3) >> batch_norm\n" + spec("unit(16)", "unit(16) * 3")
    (found,) = of("AL301", text)
    assert found.numbers["saved"] == 4 * 16
    assert len(found.layers) == 4
    assert (found.span.line, found.span.column) == (2, 12)


def test_vgg_and_alexnet() -> None:
    """7*7*512*4096 + 4096 parameters of 138,357,544 (torchvision); 6*6*256*4096 + 4096 of 61,100,840."""
    _, (found,) = zoo("vgg16", "AL302")
    assert found.numbers == {"params": 102_764_544, "total": 138_357_544, "saved": 48 * 512 * 4096}
    assert "102,764,544 of 138,357,544 parameters (74.3 %)" in found.message
    _, (found,) = zoo("alexnet", "AL302")
    assert found.numbers == {"params": 37_752_832, "total": 61_100_840, "saved": 35 * 256 * 4096}


def test_heavy_linear() -> None:
    flat = ["relu", "max_pool(2)", "flatten", "dropout", "linear(30)"]
    found = one("AL302", *flat)
    pooled = [*flat[:2], "global_avg_pool", *flat[2:]]
    assert found.numbers["saved"] == params(*flat) - params(*pooled)
    assert f"and {params(*pooled):,} parameters" in found.help
    assert of("AL302", spec(*pooled)) == []
    assert one("AL302", "flatten", "flatten", "linear(30)").numbers["saved"] == 30 * (8 * 256 - 8)
    after_another = ["flatten", "linear(32)", "relu", "linear(1000)"]  # as wide as what was flattened
    assert of("AL302", spec(*after_another, input="8x2x2")) == []
    assert of("AL302", spec("flatten", "linear(9)", "relu", "linear(3000)")) == []  # not the flattened one
    assert of("AL302", spec("conv(8, 16)", "flatten", "linear(9)")) == []  # one position is left


@pytest.mark.parametrize(("channels", "share"), [(3, "57.1"), (4, ""), (5, "")])
def test_heavy_is_more_than_half(channels: int, share: str) -> None:
    """2x2x2 features have 8 weights; a convolution before them has 2 for each channel: 6, 8 or 10."""
    layers = ["conv(2, 1, bias=false)", "relu", "flatten", "linear(1, bias=false)"]
    found = of("AL302", spec(*layers, input=f"{channels}x2x2"))
    assert [one.numbers for one in found] == ([{"params": 8, "total": 14, "saved": 8 - 2}] if share else [])
    assert all(f"8 of 14 parameters ({share} %)" in one.message for one in found)


@pytest.mark.parametrize("kernel", [5, 7, 9, 11, 13])
@pytest.mark.parametrize("input", ["48x32x32", "48x16x16x16"])
@pytest.mark.parametrize("bias", ["", ", bias=false"])
def test_large_kernel(kernel: int, input: str, bias: str) -> None:
    """What is advised gives the same shape and field, with as many parameters fewer as is said."""
    large = f"conv(48, {kernel}, padding={kernel // 2}{bias})"
    found = one("AL303", large, input=input)
    chain = found.help.partition(" saves ")[0]
    assert 2 <= chain.count("conv") <= 3
    advised = " >> ".join(f"{conv[:-1]}{bias})" for conv in chain.split(" >> "))
    assert found.numbers["saved"] == params(large, input=input) - params(advised, input=input) > 0
    before, after = (archlens.loads(spec(text, input=input)) for text in (large, advised))
    assert before.output == after.output
    kernels = [int(k) for k in re.findall(r"conv\(48, (\d+)", chain)]
    assert 1 + sum(k - 1 for k in kernels) == kernel
    assert min(kernels) > 1


@pytest.mark.parametrize(
    "layer",
    [
        "conv(48, 3)", "conv(48, 4)", "conv(48, 8)", "conv(48, 13, groups=2)", "conv(48, 7, stride=2)",
        "conv(48, 5, dilation=2)",
        "conv(48, 7, groups=48)", "conv(48, (1, 7))", "conv(48, (7, 1))", "conv(48, 7, stride=(1, 2))",
        "conv(48, 7, dilation=(1, 2))", "conv(128, 5)", "max_pool(7)", "conv_transpose(48, 5)",
    ],
)  # fmt: skip
def test_no_large_kernel(layer: str) -> None:
    """conv(128, 5) on 48 channels: 25*48*128 = 153,600 < 9*48*128 + 9*128*128 = 202,752."""
    assert of("AL303", spec(layer, input="48x32x32")) == []


@pytest.mark.parametrize(
    ("first", "second", "merged", "input"),
    [
        ("linear(128)", "linear(10)", "linear(10)", "64"),
        ("linear(128, bias=false)", "linear(10, bias=false)", "linear(10, bias=false)", "64"),
        ("conv(64, 3, stride=2, padding=1)", "conv(32, 1)", "conv(32, 3, stride=2, padding=1)", "8x16x16"),
        # one of the two has a bias: W(Vx + b) has the bias Wb, and so has the one layer in their place
        ("linear(128)", "linear(10, bias=false)", "linear(10)", "64"),
        ("linear(128, bias=false)", "linear(10)", "linear(10)", "64"),
        ("conv(64, 3)", "conv(32, 1, bias=false)", "conv(32, 3)", "8x16x16"),
        ("conv(64, 3, bias=false)", "conv(32, 1)", "conv(32, 3)", "8x16x16"),
        ("conv(64, 5, bias=false)", "conv(32, 1, bias=false)", "conv(32, 5, bias=false)", "8x16"),
        ("conv(64, (1, 2, 3))", "conv(32, 1)", "conv(32, (1, 2, 3))", "8x4x5x6"),
        # 64*33 + 33*64 weights for 64*64: 128 more; with 32 they are as many
        ("linear(33, bias=false)", "linear(64, bias=false)", "linear(64, bias=false)", "64"),
        # 1 + 4 for 4: one more
        ("linear(1, bias=false)", "linear(4, bias=false)", "linear(4, bias=false)", "1"),
    ],
)
def test_stacked_linear(first: str, second: str, merged: str, input: str) -> None:
    found = one("AL304", first, second, input=input)
    assert found.numbers["saved"] == params(first, second, input=input) - params(merged, input=input)
    for clean in ([first, "relu", second], [first], [second, first] if "conv" in first else [first]):
        assert of("AL304", spec(*clean, input=input)) == []


def test_stacked_in_a_repeated_block_is_one_finding() -> None:
    """One 3x3 convolution to 8 channels has no more than the first of the two: 8*8 + 8 are saved in each."""
    pair = "blocks:\n  pair:\n    - one: conv(8, 3)\n    - two: conv(8, 1)\n"
    (found,) = of("AL304", pair + spec("a: pair", "b: pair"))
    assert found.message == "a.two (and 1 more) follows a.one with no nonlinearity between them"
    assert found.numbers == {"saved": 2 * (8 * 8 + 8)}


def test_a_factorisation_is_no_mistake() -> None:
    """64*8 + 8*64 weights where one layer has 64*64; separable convolutions likewise."""
    assert of("AL304", spec("linear(32, bias=false)", "linear(64, bias=false)", input="64")) == []  # as many
    assert of("AL304", spec("linear(8, bias=false)", "linear(64, bias=false)", input="64")) == []
    assert of("AL304", spec("conv(64, 3, groups=64)", "conv(64, 1)", input="64x8x8")) == []
    assert of("AL304", spec("a: linear(99)", "b: linear(10)", input="64") + "\noutputs:\n  c: [ref(a)]") == []


# --- training ----------------------------------------------------------------------------------------


def test_softmax() -> None:
    assert marked(one("AL401", "log_softmax", input="10")) == "log_softmax"
    assert of("AL401", spec("softmax", "linear(3)", input="10")) == []  # as attention has it
    (found,) = of("AL401", spec("linear(3)", input="10") + "\noutputs:\n  aux: [softmax]")
    assert (found.span.line, "the output aux" in found.message) == (5, True)
    # the bound that the documentation gives, for 10 classes
    loss = functional.cross_entropy(torch.tensor([[1.0] + [0.0] * 9]).double(), torch.tensor([0]))
    assert loss.item() == pytest.approx(torch.log(torch.e + torch.tensor(9.0).double()).item() - 1)


def test_dropout() -> None:
    for layers in (["dropout(0.2)", "batch_norm"], ["spatial_dropout(0.2)", "batch_norm"]):
        found = one("AL402", *layers)
        assert found.numbers["p"] == 0.2
        assert "1.25 times as large in training" in found.notes[0]  # 1/(1 - 0.2)
    assert of("AL402", spec("dropout(0) >> batch_norm")) == []
    for clean in ("batch_norm >> dropout", "dropout >> conv(8, 1)", "dropout >> layer_norm"):
        assert of("AL402", spec(clean)) == []
    assert of("AL402", spec("dropout", "batch_norm(running_stats=false)")) == []


ACTIVATIONS = ["relu", "relu6", "hard_tanh", "sigmoid", "tanh", "softplus", "softsign", "hard_sigmoid",
               "softmax", "gelu", "elu", "leaky_relu", "hard_swish", "log_sigmoid"]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), list(product(ACTIVATIONS, ACTIVATIONS[:3])))
@pytest.mark.parametrize("between", ["", "max_pool(2)", "dropout"])
def test_idle_activations(first: str, second: str, between: str) -> None:
    """Idle is what torch shows to change no value, over large and small ones, in training."""
    middle = [between] if between else []
    text = spec(f"{first} >> {second}" if not between else first, *middle, *([second] if between else []))
    torch.manual_seed(0)
    x = torch.linspace(-30, 30, 8 * 16 * 16).reshape(1, 8, 16, 16)
    cut = spec(first, *middle)
    before = archlens.build(archlens.loads(cut))(x)
    after = archlens.build(archlens.loads(spec(second)))(before) if not between else None
    if after is None:
        after = {"relu": functional.relu, "relu6": functional.relu6, "hard_tanh": functional.hardtanh}[
            second
        ](before)
    changes = not torch.equal(before, after)
    if between == "dropout" and second != "relu":
        assert of("AL403", text) == []  # what dropout keeps is scaled, and may leave the range
    else:
        assert bool(of("AL403", text)) == (not changes)


def test_activations_with_something_between() -> None:
    for between in ("conv(8, 1)", "batch_norm", "residual: [sigmoid]"):
        assert of("AL403", spec("relu", between, "relu")) == []


# --- hardware and the spec itself ---------------------------------------------------------------------


def test_channels() -> None:
    """By hand: 30 -> 32 of the first on 3 channels; 30x60 -> 32x64 of the second; the outputs are free."""
    layers = ["conv(30, 1)", "relu", "conv(60, 1)", "global_avg_pool >> flatten", "linear(10)"]
    found = one("AL501", *layers, input="3x16x16")
    assert found.numbers["count"] == found.numbers["of"] == 3
    assert found.numbers["macs"] == 256 * (3 * 30 + 30 * 60) + 60 * 10
    assert found.numbers["padded"] == 256 * (3 * 32 + 32 * 64) + 64 * 10
    assert "0 (30 out), 2 (30 in and 60 out) and 5 (60 in)" in found.message
    grouped = one("AL501", "conv(64, 1)", "conv(64, 3, groups=16)", "conv(8, 1)", input="64x8x8")
    assert "1 (4 in and 4 out)" in grouped.message  # as ResNeXt's 32 groups of 4
    depthwise = one("AL501", "conv(36, 3, groups=36)", "conv(8, 1)", input="36x8x8")
    assert (depthwise.layers, depthwise.numbers["of"]) == (("1",), 1)
    assert of("AL501", spec("pad(1)", "conv(16, 3)", "conv(21, 1)", "softmax", input="3x8x8")) == []


USES = """
input: "{size}x8x8"
params:
  size: 3
  width: 8
  unit: plain
  spare: [width]
  group: 4
  hidden: 5
blocks:
  plain(n, kernel): conv(n, 3)
  wide(n, kernel): conv(2 * n, kernel)
  other(a, b=a + 1, c=2): conv(b, 3)
  dead(n): lost(n)
  lost(n, hidden): conv(hidden, group)
layers:
  - each: [width, t]
    in: [[4, 1]]
    do: unit(width, 3)
  - other(8)
variants:
  one: {unit: wide}
  two: {hidden: 6, size: 4}
"""


def test_figures_of_odd_channels() -> None:
    """By hand, with what flows in and out in each group, up to the next multiple of 8."""
    layers = [
        "first: conv(12, 1)",  # 3 channels of the input are free: 64*3*12 to 64*3*16
        "grouped: conv(36, 3, padding=1, groups=3)",  # 4 in, 12 out: 64*9*3*(4*12) to 64*9*3*(8*16)
        "up: conv_transpose(20, 2, stride=2)",  # 36 and 20: 64*4*36*20 to 64*4*40*24
        "even: conv(16, 1)",  # 20 in: 256*20*16 to 256*24*16
        "conv(8, 1)",  # 16 and 8 are multiples
        "last: conv(5, 1)",  # 5 channels of the output are free, and 8 come in
    ]
    found = one("AL501", *layers, input="3x8x8")
    macs = 64 * 3 * 12 + 64 * 9 * 3 * 4 * 12 + 64 * 4 * 36 * 20 + 256 * 20 * 16
    padded = 64 * 3 * 16 + 64 * 9 * 3 * 8 * 16 + 64 * 4 * 40 * 24 + 256 * 24 * 16
    assert found.numbers == {"count": 4, "of": 6, "macs": macs, "padded": padded}
    assert found.layers == ("first", "grouped", "up", "even")
    assert "4 of 6 convolutions and linear layers have channels that are not a multiple of 8" in found.message
    assert (
        "first (12 out), grouped (4 in and 12 out), up (36 in and 20 out) and even (20 in)" in found.message
    )
    # 2,304 + 82,944 + 184,320 + 81,920 = 351,488, and 568,320, which is 1.617 times as many
    assert f"take {padded:,} multiply-accumulates instead of {macs:,}, 61.7 % more" in found.notes[0]
    tokens = one("AL501", "tokens", "a: linear(20)", "relu", "b: linear(8)", "linear(8)", input="16x5")
    assert tokens.numbers == {
        "count": 2, "of": 3, "macs": 5 * (16 * 20 + 20 * 8), "padded": 5 * (16 * 24 + 24 * 8)
    }  # fmt: skip


def test_unused() -> None:
    """Names by their scopes: a column, a block's parameter and a param of one name are three things."""
    found = {(marked(one), one.message) for one in of("AL601", USES, "one")}
    assert found == {
        ("width", "the param width is read by spare only, which nothing uses"),
        ("spare", "the param spare is read by nothing"),
        ("group", "the param group is read by lost only, which nothing uses"),
        ("hidden", "the param hidden is read by nothing"),
        ("c", "c, a parameter of other, is not used"),
    }
    (hidden,) = (one for one in of("AL601", USES, "one") if marked(one) == "hidden")
    assert hidden.notes == ("set nevertheless by two",)
    blocks = {(marked(one), one.message) for one in of("AL602", USES, "two")}
    assert blocks == {
        ("dead(n)", "the block dead is used by nothing"),
        ("lost(n, hidden)", "the block lost is used by dead only, which nothing uses"),
    }


def test_names_that_are_read_elsewhere() -> None:
    """In the name of a step, and in a table: a block that is handed on may ignore a parameter."""
    text = "params: {k: 1}\n" + spec("'layer{k}': relu")
    assert of("AL601", text) == []
    table = "{each: [unit], in: [plain, wide], do: 'unit(8, 3)'}"
    blocks = 'blocks:\n  plain(n, k): "conv(n, 1)"\n  wide(n, k): "conv(n, k)"\n'
    assert of("AL601", blocks + spec(table)) == of("AL602", blocks + spec(table)) == []
    assert of("AL603", "input: {a: 3x4x4}\nlayers: []\n") == []  # it is the output


def test_a_parameter_named_as_its_block() -> None:
    (found,) = of("AL601", "blocks:\n  size(size): relu\n" + spec("size(3)"))
    assert (found.span.line, found.span.column, found.span.width) == (2, 8, 4)
    # a signature on two lines is marked as a whole where the parameter is not on its first
    (found,) = of("AL601", "blocks:\n  ? odd(a,\n    b)\n  : conv(a, 1)\n" + spec("odd(3, 4)"))
    assert (found.message.split(",")[0], marked(found)) == ("b", "odd(a,")


def test_unread() -> None:
    text = """
input: {image: 3x8x8, mask: 1x8x8}
layers:
  - a: conv(8, 3)
  - side: ["conv(16, 3)", relu]
  - more: conv(4, 1)
  - ref(a)
  - b: relu
outputs:
  aux: {training: [ref(a), global_avg_pool]}
"""
    mask, side = of("AL603", text)
    assert (marked(mask), mask.message) == ("1x8x8", "no layer reads the input mask")
    assert marked(side) == "conv(4, 1)"
    assert side.layers == ("side.0", "side.1", "more")
    assert side.message == "more is computed and never read, with 2 layers that lead nowhere else"
    network = archlens.loads(text)
    assert side.numbers["params"] == sum(network[name].params for name in side.layers)
    assert side.numbers["macs"] == sum(network[name].macs for name in side.layers) > 0
    assert side.rule.level == ERROR


def test_a_learned_tensor_that_nothing_reads_is_a_key() -> None:
    """As ``masked_spec_embed`` of wav2vec 2.0; what is computed of it and then not read is a finding."""
    assert of("AL603", spec("a: relu", "mask: parameter([8])", "ref(a)")) == []
    (found,) = of("AL603", spec("a: relu", "mask: parameter([8]) >> relu", "ref(a)"))
    assert found.numbers == {"params": 8, "macs": 0}


def test_the_last_residual_of_skips_is_no_error() -> None:
    """As WaveNet has it: each repeat's skip is read, and the residual of all repeats but the last."""
    block = ["entry: identity", "gated: relu", "skip: conv(8, 1)"]
    residual = "add: [ref(entry), 'ref(gated) >> conv(8, 1)']"
    body = "".join(f"    - {step}\n" for step in (*block, residual))
    skips = [f"'ref(\"{name}.skip\")'" for name in "abc"]
    text = f"blocks:\n  layer:\n{body}" + spec(*(f"{n}: layer" for n in "abc"), f"add: [{', '.join(skips)}]")
    assert of("AL603", text) == []
    (found,) = of("AL604", text)
    assert found.layers == ("c.0", "c.add")
    assert found.numbers == {"params": 8 * 8 + 8, "macs": 8 * 8 * 256}
    assert found.rule.level == ADVICE
    # where no repeat is read, the step is the mistake
    alone = text.replace("'ref(gated) >> conv(8, 1)'", "relu")
    assert of("AL604", alone) != []
    lost = text.replace(residual, f"{residual}\n    - lost: conv(4, 1)\n    - ref(add)")
    (found,) = of("AL603", lost)
    assert found.layers == ("a.lost", "b.lost", "c.0", "c.add", "c.lost")  # c.add leads to c.lost alone


def test_unread_in_a_repeat_is_one_finding() -> None:
    text = "blocks:\n  odd:\n    - start: relu\n    - conv(8, 1)\n    - ref(start)\n" + spec("odd * 5")
    (found,) = of("AL603", text)
    assert len(found.layers) == 5
    assert found.numbers == {"params": 5 * (8 * 8 + 8), "macs": 5 * 8 * 8 * 256}


# --- the zoo ------------------------------------------------------------------------------------------


def zoo(name: str, *codes: str) -> tuple[Any, list[Finding]]:
    network = network_of(name)
    return network, lint(Study(network), find(name).spec, [RULES[code] for code in codes] or None)


@pytest.mark.parametrize("name", names())
def test_zoo(name: str) -> None:
    network, found = zoo(name)
    assert [one.message for one in found if one.rule.level == ERROR] == []
    for one_ in found:
        assert set(one_.layers) <= set(network.index)
        assert one_.span.source.name.startswith("specs/")
        assert one_.span.line > 1


def test_alexnet_at_224() -> None:
    """(224 - 11)/4 + 1 = 54.25: the paper says 224 and needs 227."""
    code, out, _ = run("lint", "alexnet_2012", "--input", "3x224x224", "--select", "AL101")
    assert code == 0
    assert "(224 - 11)/4 + 1 = 54.25 is not whole" in out
    assert "227" in out
    assert of("AL101", archlens.library.find("alexnet_2012").spec.source.text) == []


@pytest.mark.parametrize("kind", OPS)
def test_every_op(kind: str) -> None:
    """The rules read every op, and find no error in what it shows off; each finding says its place."""
    for example in OPS[kind].examples:
        if OPS[kind].transparent:
            continue  # no step of its own
        text = spec_of(example)
        found = findings(text)
        assert [one_.message for one_ in found if one_.rule.level == ERROR] == []
        layers = {layer.name for layer in archlens.loads(text)}
        assert all(layers.issuperset(one_.layers) for one_ in found)
        assert all(marked(one_) for one_ in found)
        (written,) = json.loads(view.to_json([view.Linted("n", found)]))["networks"]
        assert [one_["code"] for one_ in written["findings"]] == [one_.rule.code for one_ in found]


# --- the command --------------------------------------------------------------------------------------

BAD = spec("conv(8, 1)", "conv(9, 1)", "batch_norm", "softmax")
DEAD = spec("a: conv(8, 1)", "conv(9, 1)", "ref(a)")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text(BAD)
    (tmp_path / "dead.yaml").write_text(DEAD)
    (tmp_path / "good.yaml").write_text(spec("conv(8, 3)", "relu"))
    (tmp_path / "wrong.yaml").write_text(spec("conv(8, 99)"))
    (tmp_path / "family.yaml").write_text(
        'input: 8x9x9\nparams: {n: , used: 1}\nlayers: ["conv(n, 1)", batch_norm]\n'
        "variants: {small: {n: 8}, large: {n: 16}}\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["good.yaml"], 0), (["bad.yaml"], 0), (["bad.yaml", "--strict"], 1), (["good.yaml", "--strict"], 0),
        (["dead.yaml"], 1), (["dead.yaml", "--ignore", "AL6"], 0), (["good.yaml", "wrong.yaml"], 1),
        (["bad.yaml", "--strict", "--select", "AL1"], 0), (["bad.yaml", "--ignore", "AL99"], 2),
        (["bad.yaml", "--select", ""], 2), (["bad.yaml", "--select", "AL301,"], 2), ([], 2),
        (["bad.yaml", "--all"], 2), (["nothing.yaml"], 2), (["bad.yaml", "--format", "xml"], 2),
        (["bad.yaml", "--set", "n=1"], 2), (["bad.yaml", "--select", "AL301", "--ignore", "AL3"], 2),
        (["family.yaml"], 0), (["family.yaml:huge"], 2), (["dead.yaml", "-o", "report.txt"], 1),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_exit_codes(files: Path, args: list[str], code: int) -> None:
    found, out, err = run("lint", *args)
    assert found == code, (out, err)
    assert "Traceback" not in err
    assert bool(err) == (code == 2)


def test_select_and_ignore() -> None:
    everything = [rule.code for rule in choose()]
    assert everything == CODES
    assert [rule.code for rule in choose(["AL30"])] == ["AL301", "AL302", "AL303", "AL304"]
    assert [rule.code for rule in choose(["al301", "Checkerboard"])] == ["AL105", "AL301"]
    assert len(choose((), ["AL1", "AL301"])) == len(CODES) - 7
    with pytest.raises(archlens.UsageError, match="there is no rule bias-befor-norm") as caught:
        choose(["bias-befor-norm"])
    assert caught.value.diagnostic.help == "did you mean bias-before-norm?"
    with pytest.raises(archlens.UsageError, match="there is no rule AL3O2") as caught:
        choose((), ["AL3O2"])
    assert "AL302" in caught.value.diagnostic.help


def test_text(files: Path) -> None:
    code, out, err = run("lint", "bad.yaml", "--select", "AL301")
    assert (code, err) == (0, "")
    assert out == (
        "warning[AL301]: 1: 9 biases are removed again by the normalization after it\n"
        "  --> bad.yaml:4:5\n"
        "   |\n"
        "4 |   - conv(9, 1)\n"
        "   |     ^^^^^^^^^^\n"
        "  ::: bad.yaml:5:5\n"
        "   |\n"
        "5 |   - batch_norm\n"
        "   |     ^^^^^^^^^^ the normalization\n"
        "   = help: bias=false saves 9 parameters\n"
        "\n"
        "bad: 1 warning; `archlens rules AL301` says more\n"
    ).replace("  -->", " -->").replace("\n   |", "\n  |").replace("  :::", " :::").replace("   =", "  =")
    assert run("lint", "good.yaml")[1] == "good: nothing found\n"
    assert run("lint", "bad.yaml", "-o", "out.txt") == (0, "", "")
    assert "bad: 3 warnings" in (files / "out.txt").read_text()
    assert "\x1b" not in (files / "out.txt").read_text()


def test_several_networks(files: Path) -> None:
    """A family's finding stands once, with the others named; a spec that is wrong is an error among them."""
    code, out, _ = run("lint", "family.yaml", "wrong.yaml", "--select", "AL301")
    assert code == 1
    assert out.count("warning[AL301]") == 1
    assert "8 biases" in out
    assert "= likewise in large" in out
    assert "error: 0 (conv) does not fit: its 99x99 window is larger" in out
    assert out.endswith("3 networks: 1 error, 2 warnings at 1 place; `archlens rules AL301` says more\n")
    data = json.loads(run("lint", "family.yaml", "wrong.yaml", "--select", "AL301", "--format", "json")[1])
    assert [len(one["findings"]) for one in data["networks"]] == [1, 1, 0]
    assert [one["findings"][0]["numbers"]["saved"] for one in data["networks"][:2]] == [8, 16]


def test_nothing_is_lost_between_findings_at_one_place() -> None:
    """Two findings of one rule at one place of one network are both shown."""
    text = "input: {a: 8x9x9, b: 8x9x9}\nlayers:\n  - add: [ref(a), ref(b)]\n"
    spec_ = parse(text)
    first = Finding(RULES["AL203"], "one", spec_.layers.step.steps[0].where.span)
    second = Finding(RULES["AL203"], "two", first.span)
    (shown,) = view.once([view.Linted("n", [first, second])])
    assert [one.message for one in shown.findings] == ["one", "two"]
    one_, other = view.once([view.Linted("n", [first, second]), view.Linted("m", [first])])
    assert [one.notes for one in one_.findings] == [("likewise in m",), ()]
    assert other.findings == []


def test_json(files: Path) -> None:
    data = json.loads(run("lint", "bad.yaml", "wrong.yaml", "--format", "json")[1])
    assert data["schema"] == "archlens.lint/1"
    assert data.keys() == {"schema", "networks", "totals"}
    bad, wrong = data["networks"]
    assert bad["error"] is None
    first = bad["findings"][0]
    assert list(first) == [
        "code", "rule", "level", "message", "file", "line", "column", "width", "layers", "notes", "help",
        "also", "numbers",
    ]  # fmt: skip
    lines = BAD.split("\n")
    for found in bad["findings"]:
        assert found["file"] == "bad.yaml"
        text = lines[found["line"] - 1][found["column"] - 1 :][: found["width"]]
        assert text in ("conv(8, 1)", "conv(9, 1)", "softmax")
    assert data["totals"]["warning"] == sum(f["level"] == WARNING for f in bad["findings"]) == 3
    assert data["totals"]["error"] == 1
    assert (wrong["error"]["file"], wrong["error"]["line"], wrong["findings"]) == ("wrong.yaml", 3, [])
    assert json.loads(run("lint", "good.yaml", "--format", "json")[1])["networks"][0]["findings"] == []


def unescaped(text: str) -> str:
    """As GitHub reads it: actions/runner, ActionCommand.cs."""
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def test_github(files: Path) -> None:
    code, out, _ = run("lint", "dead.yaml", "bad.yaml", "--format", "github", "--select", "AL603,AL301")
    assert code == 1
    first, second = out.splitlines()
    assert first.startswith(
        "::error file=dead.yaml,line=4,col=5,endColumn=15,title=AL603 unread-layer::dead: 0 is "
    )
    assert second.startswith("::warning file=bad.yaml,line=4,col=5,")
    assert "%0Ahelp: bias=false saves 9 parameters" in second
    assert run("lint", "good.yaml", "--format", "github")[:2] == (0, "")


@pytest.mark.parametrize(
    "name", ["a,b.yaml", "a:b.yaml", "100%25.yaml", "%0A::error::x.yaml", "a\n::error title=x::y.yaml",
             "a\r.yaml", "::set-output name=x::y.yaml", "ä ü.yaml"]
)  # fmt: skip
@pytest.mark.slow
def test_hostile_paths(files: Path, name: str) -> None:
    """One line a command, whatever the file is called; and GitHub reads the name that it has."""
    (files / name).write_text(DEAD)
    _, out, _ = run("lint", f"./{name}", "--format", "github", "--select", "AL603")
    lines = out.split("\n")
    assert len(lines) == 2
    head, _, text = lines[0].removeprefix("::error ").partition("::")
    properties = dict(item.split("=", 1) for item in head.split(","))
    assert unescaped(properties["file"]) == f"./{name}"
    assert (properties["line"], properties["col"]) == ("4", "5")
    assert "is computed and never read" in text


@pytest.mark.slow
def test_hostile_names(files: Path) -> None:
    """Control characters reach neither a terminal nor a log."""
    (files / "esc\x07\x1b[31m.yaml").write_text(DEAD)
    for form in ("text", "github"):
        _, out, err = run("lint", "esc\x07\x1b[31m.yaml", "--format", form)
        assert "\x1b" not in out + err
        assert "\x07" not in out + err
    text = "input: 8x4x4\nlayers:\n  - 'a::b%0A,c': conv(8, 1)\n  - relu\n  - ref('a::b%0A,c')\n  - softmax\n"
    (files / "name.yaml").write_text(text)
    _, out, _ = run("lint", "name.yaml", "--format", "github", "--select", "AL603")
    assert len(out.splitlines()) == 1


def test_rules() -> None:
    listed = invoke("rules").stdout
    for code, rule in RULES.items():
        assert code in listed
        shown = invoke("rules", code).stdout
        assert shown == invoke("rules", rule.name).stdout
        said = rule.documentation
        for text in (said.example, said.instead):
            assert "\n".join(f"  {line}".rstrip() for line in text.split("\n")) in shown
        flat = " ".join(shown.split())
        assert " ".join(said.what.split()) in flat
        assert " ".join(said.why.split()) in flat
    assert invoke("rules", "AL2").stdout.count("\nAL2") == 4
    code, _, err = run("rules", "chequerboard")
    assert (code, "did you mean checkerboard?" in err) == (2, True)


@pytest.mark.parametrize("columns", [20, 45, 60, 80, 200])
def test_rules_fit_the_terminal(columns: int) -> None:
    text = CliRunner(env={"COLUMNS": str(columns)}).invoke(cli, ["rules"]).stdout
    lines = text.split("\n")
    if columns > 40:
        assert max(map(len, lines[:-2])) <= columns
    assert sum(line.startswith("AL") for line in lines) == len(RULES)


@pytest.mark.slow
def test_terminal() -> None:
    """Coloured in a terminal, plain in a file or a pipe, and the rules within its width."""
    shown = in_terminal("lint", "vgg16")
    assert "\x1b[35m\x1b[1madvice[AL302]\x1b[0m" in shown
    assert "\x1b" not in in_terminal("lint", "vgg16", NO_COLOR="1")
    plain = re.sub(r"\x1b\[\d+m", "", in_terminal("rules", "AL106", columns=50))
    assert max(map(len, plain.split("\n"))) <= 50
    assert plain.startswith("AL106 gridding (warning)\n")


def test_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first three of them; ``test_zoo`` says that no rule finds an error in any."""
    first = names()[:3]
    assert options.names is names
    monkeypatch.setattr(options, "names", lambda: first)
    result = invoke("lint", "--all", "--format", "json")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert [one["name"] for one in data["networks"]] == first
    assert data["totals"]["error"] == 0


# --- AL502 exceeds-board ---------------------------------------------------------------------------


def test_a_board_that_is_too_small() -> None:
    """Bytes by hand: of maps, and of weights, biases and scales."""
    found = json.loads(invoke("lint", "lenet5", "--target", "rp2040", "--format", "json").stdout)
    assert not [one for one in found["networks"][0]["findings"] if one["rule"] == "AL502"]
    large = ["input: 3x224x224", "layers:", "  - a: conv(64, 1)", "  - relu", "  - b: conv(8, 1)"]
    said = "\n".join([*large, "budget: {sram: <= 3M, flash: <= 100}"])
    arena, flash = findings(said, "", "AL502")
    assert arena.numbers["least"] == (64 + 8) * 224 * 224  # between the convolutions, and behind them
    assert arena.layers == ("a",)  # of which relu is a part
    assert flash.numbers["bytes"] == (64 * 3 + 64 * 8) + 4 * (64 + 8) + 4 * (64 + 8)
    assert flash.layers == ("a",)  # 704 of the 1,280
    assert not findings("\n".join([*large, "budget: {sram: <= 4M, flash: <= 2K}"]), "", "AL502")


def test_types_on_a_board_are_those_that_are_given(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text("input: 1x32x32\nlayers: ['conv(8, 1)']\nbudget: {sram: <= 16K}\n")
    assert "AL502" not in invoke("lint", str(file)).stdout
    result = invoke("lint", str(file), "--activations", "int16")
    assert "the arena takes 18,432 bytes in int16, and should be <= 16K (16,384 B)" in result.stdout  # 9 maps
    assert result.exit_code == 0
    assert invoke("lint", str(file), "--activations", "int16", "--strict").exit_code == 1


def test_what_is_not_known_of_a_board_is_said() -> None:
    said = invoke("lint", "bert_base", "--target", "rp2040").stdout
    assert "whether the arena is <= 270336B is not known: it is not known what a runtime makes of" in said
    assert "whether the flash is <= 2097152B is not known" in said
