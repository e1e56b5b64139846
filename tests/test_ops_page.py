"""The reference of the ops: ``archlens ops`` in its forms, and what it says of each op."""

from __future__ import annotations

import json
import re
from math import ceil, floor, prod
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import archlens
from archlens.cli import cli
from archlens.elaboration.examples import reference
from archlens.language.constructs import CONSTRUCTS
from archlens.ops import LANGUAGE, OPS, Op
from archlens.ops.op import signature, signed
from archlens.ops.reference import Example, documentation
from archlens.shape import Ids

PAGE = Path(__file__).parent.parent / "docs" / "ops.md"


def said(*args: str, width: int | None = None) -> str:
    """What ``archlens ops`` prints."""
    env = {"COLUMNS": str(width)} if width else {}
    return CliRunner().invoke(cli, ["ops", *args], env=env, catch_exceptions=False).output


def test_every_link_of_the_page_leads_to_one_heading() -> None:
    text = PAGE.read_text("utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    links = re.findall(r"\]\(#([^)]*)\)", text)
    assert sorted(links) == sorted([*LANGUAGE, *CONSTRUCTS])
    assert [link for link in links if anchors.count(link) != 1] == []


def test_the_list_has_each_op_in_a_line() -> None:
    """In the order of the files and of the classes within them."""
    lines = said().split("\n")
    found = [line.split()[0] for line in lines if line.split()[:1] and line.split()[0] in LANGUAGE]
    assert sorted(found) == sorted(LANGUAGE)
    assert found.index("relu") < found.index("leaky_relu") < found.index("self_attention")
    (conv,) = [line for line in lines if line.startswith("conv ")]
    arguments = "channels, kernel, stride=1, padding=0, dilation=1, groups=1, bias=true"
    assert conv.split(None, 1)[1].startswith(arguments)
    assert conv.endswith("N-dimensional convolution over (C, *spatial); one, two or three spatial axes.")


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("op", [None, "conv", "max_unpool", "window_attention_v2", "relu", "experts", "each"])
def test_it_fits_the_terminal(op: str | None, width: int) -> None:
    text = said(*([op] if op else []), width=width)
    assert max(map(len, text.split("\n"))) <= width
    assert "`" not in text.replace("`archlens ops OP`", "")


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_defaults_are_written_as_a_spec_has_them(op: type[Op]) -> None:
    """``none``, ``true`` and ``false``: those of Python are not the words of the language."""
    assert not re.search(r"\b(None|True|False)\b", signed(op))


def test_one_op_in_full() -> None:
    """A convolution of 6 kernels of 5x5 over one channel: 6 * 25 + 6 params, 6 * 28 * 28 * 25 products."""
    text = said("conv")
    assert text.startswith("conv(channels, kernel, stride=1, padding=0, dilation=1, groups=1, bias=true)\n")
    assert re.search(
        r"^stride +1 +a whole number of at least 1, or one .* step of the window, s$", text, re.M
    )
    assert re.search(r"^output +\(n \+ 2p - d\(f - 1\) - 1\)/s \+ 1 positions", text, re.M)
    assert re.search(r"^parameters +c_out \* c_in/groups \* f\*f, and a bias", text, re.M)
    assert re.search(r"^MACs +c_in/groups \* f\*f for each output value$", text, re.M)
    assert re.search(r"^torch +nn\.Conv1d, nn\.Conv2d, nn\.Conv3d, and archlens' own$", text, re.M)
    assert re.search(r"^Keras +Conv1D, Conv2D, Conv3D$", text, re.M)
    assert re.search(r"^ONNX +Conv$", text, re.M)
    figures = (6 * 25 + 6, f"{6 * 28 * 28 * 25:,}")
    assert re.search(rf"^1x32x32 >> conv\(6, 5\) +6x28x28 +{figures[0]} +{figures[1]}$", text, re.M)


@pytest.mark.parametrize(
    ("word", "help"),
    {
        "Conv2D": "did you mean conv?",
        "Gemm": "did you mean linear?",
        "AveragePool": "did you mean avg_pool?",
        "activations.swish": "`archlens ops` lists all",
        "reluu": "did you mean relu?",
        "Concatenate": "write concat: with its branches under it",
        "ConvLSTM": "archlens does not have recurrent layers over maps",
        "gpt": "gpt2 is a network, made of ops: `archlens show gpt2` prints its spec",
        "LeNet-5": "lenet5 is a network, made of ops: `archlens show lenet5` prints its spec",
        "Transformer": "archlens does not have whole transformer layers: they are made of "
        "self_attention, layer_norm and linear",
        "": "`archlens ops` lists all",
        "\x1b[31m" + "x" * 5000: "`archlens ops` lists all",
    }.items(),
)
def test_an_unknown_name(word: str, help: str) -> None:
    with pytest.raises(archlens.UsageError) as caught:
        CliRunner().invoke(cli, ["ops", word], catch_exceptions=False)
    diagnostic = caught.value.diagnostic
    assert diagnostic.help == help
    assert diagnostic.message.startswith("there is no op")
    assert "\x1b" not in diagnostic.message
    assert len(diagnostic.message) < 200


def test_json() -> None:
    """Everything of every op, with what JSON has for it; defaults as they are, and shapes as lists."""
    data = json.loads(said("--format", "json"))
    assert data["schema"] == "archlens.ops/1"
    ops = {one["op"]: one for one in data["ops"]}
    assert ops.keys() == LANGUAGE.keys()
    constructs = {one["construct"]: one for one in data["constructs"]}
    assert constructs.keys() == CONSTRUCTS.keys()
    assert json.loads(said("each", "--format", "json"))["constructs"] == [constructs["each"]]
    assert {key: constructs["experts"]["keys"][1][key] for key in ("name", "default")} == {
        "name": "active",
        "default": None,
    }
    # 4 kernels of 3x3x8, and their biases
    assert constructs["dense"]["params"] == 4 * (8 * 9 + 1) + 2 * 8
    assert json.loads(said("conv", "--format", "json"))["ops"] == [ops["conv"]]
    stride, bias = (ops["conv"]["arguments"][k] for k in (2, 6))
    assert (stride["name"], stride["required"], stride["default"]) == ("stride", False, 1)
    assert (bias["name"], bias["default"]) == ("bias", True)
    assert ops["conv"]["names"]["keras"] == ["Conv1D", "Conv2D", "Conv3D"]
    assert ops["concat"]["examples"][0] == {
        "text": "64x28x28, 128x28x28, 32x28x28 >> concat",
        "inputs": [[64, 28, 28], [128, 28, 28], [32, 28, 28]],
        "output": [64 + 128 + 32, 28, 28],
        "params": 0,
        "macs": 0,
    }


def test_markdown_of_one_op_is_its_part_of_the_page() -> None:
    section = said("conv", "--format", "markdown")
    assert section.startswith("### conv\n")
    assert section in PAGE.read_text("utf-8")


def test_a_docstring_taken_apart() -> None:
    class Above(Op):
        """What they share.

        Output: as large as its input.
        Limits: none.
        """

    class Below(Above):
        """It halves.

        A paragraph
        in two lines.

        Limits: an even
            number.
        Source: nobody.

        Another one.
        """

    found = documentation(Below)
    assert found.summary == "It halves."
    assert found.text == ("A paragraph in two lines.", "Another one.")
    assert found.output == "as large as its input"
    assert (found.parameters, found.macs) == ("none", "none")
    assert found.limits == "an even number"
    assert found.source == "nobody"


def test_written_to_a_file(tmp_path: Any) -> None:
    said("-o", str(tmp_path / "ops.txt"), width=60)
    lines = (tmp_path / "ops.txt").read_text().split("\n")
    assert any(line.startswith("conv ") and line.endswith("axes.") for line in lines)  # none is wrapped
    assert all(one.meaning for op in OPS.values() for one in signature(op).values())


# --- the formulas, worked out -------------------------------------------------------------------------


def letters(one: Example) -> dict[str, int]:
    """What the letters of the formulas are in an example: from the op's attributes and the sizes alone."""
    (x, *_), y, own = one.inputs, one.facts.shape, one.op.attributes()
    axes = len(x.spatial) - (one.op.kind == "frame_conv")

    def each(value: Any) -> tuple[int, ...]:
        return value if isinstance(value, tuple) else (value,) * axes

    found = {"c": x.channels, "c_in": x.channels, "n_in": x.channels, "C": x.channels, "L": prod(x.spatial)}
    found |= {"c_out": y.channels, "n_out": y.channels} | {k: v for k, v in own.items() if isinstance(v, int)}
    if one.op.kind == "linear":
        found |= {"n_in": x.size(own["axis"]) or 0, "n_out": y.size(own["axis"]) or 0}
    found["pairs"] = sum(map(len, own.get("connections", ())))
    if one.op.kind == "self_attention":
        found["M"], found["O"] = x.spatial[-1], own["out"] or x.channels
        found["K"] = x.channels // own["heads"] * (own["kv_heads"] or own["heads"])
    if isinstance(x, Ids):
        found["N"] = x.below
    if "kernel" in own:
        found["ff"] = prod(each(own["kernel"]))
    if one.op.kind == "attention":
        _, k, v, *_ = one.inputs
        shared = own["kv_heads"] or own["heads"]
        found |= {"M": k.spatial[-1], "d": k.channels // shared, "e": v.channels // shared}
    elif "heads" in own and axes == 2 and one.op.kind != "self_attention":
        found["h"], found["w"] = h, w = each(own["window"] if "window" in own else own["size"])
        found["m"] = h * w
        sides = (h, w) if "window" in own else (1, 1)  # the positions of whole windows
        found["n"] = prod(-(-n // f) * f for n, f in zip(x.spatial, sides, strict=True))
    return found


def stacked(one: Example) -> list[dict[str, int]]:
    """The letters for each layer and direction of a recurrent op, which reads what the one below gives."""
    own, known = one.op.attributes(), letters(one)
    if one.op.family != "recurrent":
        return [known]
    ways = 2 if own["bidirectional"] else 1
    given = own.get("projection") or own["features"]
    known |= {"H": own["features"], "P": given, "D": ways}
    return [
        known | ({"C": ways * given} if layer else {}) for layer in range(own["layers"]) for _ in range(ways)
    ]


def worth(text: str, one: Example) -> list[int]:
    """The values of all formulas in a section, each summed up over what it is for."""
    return [sum(each) for each in zip(*[_worth(text, known) for known in stacked(one)], strict=True)]


def _worth(text: str, known: dict[str, int]) -> list[int]:
    formulas = re.findall(r"``([^`]*)``", text.replace("f*f", "ff"))
    tree = [re.sub(r"(?<=\d)(?=[a-z(])", "*", formula) for formula in formulas if " = " not in formula]
    sayable = [formula for formula in tree if {*re.findall(r"[a-zA-Z_]+", formula)} <= {*known}]
    found = [eval(formula, {}, known) for formula in sayable]
    assert all(value == int(value) for value in found)
    return [int(value) for value in found]


def kernel_of(own: dict[str, Any], x: Any) -> tuple[int, ...]:
    kernel = own["kernel"]
    return kernel if isinstance(kernel, tuple) else (kernel,) * len(x.spatial)


COUNTED = [
    (kind, one) for kind in OPS for one in reference(OPS[kind]).examples if one.facts.params or one.facts.macs
]


@pytest.mark.parametrize(("kind", "one"), COUNTED, ids=lambda one: getattr(one, "text", ""))
def test_formulas_give_the_figures(kind: str, one: Example) -> None:
    """The formulas of the documentation, evaluated, are the figures that torch has."""
    said, (x, *_), y = documentation(OPS[kind]), one.inputs, one.facts.shape
    own = one.op.attributes()
    if said.macs != "none":
        times = {"for each output value": y.numel, "for each input value": x.numel}
        times |= {
            "at each step": prod(x.spatial),
            "at each position": prod(x.spatial),
            "for each position of the output": prod(y.spatial),
        }
        factors = [factor for words, factor in times.items() if said.macs.endswith(words)] or [1]
        products, *of_projection = worth(said.macs, one)
        products += of_projection[0] if own.get("projection") else 0
        assert products * factors[0] == one.facts.macs
    if said.parameters == "none":
        assert one.facts.params == 0
        return
    # as many as the input has values, or a parameter itself
    first, *more = worth(said.parameters, one) or [y.numel if kind == "parameter" else x.numel]
    if "and a bias for each output" in said.parameters:
        more = [y.size(own.get("axis", "channels")) or 0 if own["bias"] else 0]
        more += [y.channels] if own.get("gain") is not None else []
        if "as many lengths" in said.parameters:
            more += [(y.channels, x.channels // own["groups"], *kernel_of(own, x))[own["dim"]]]
    elif "of bias" in said.parameters:
        both, single, *projected = more
        more = [
            {True: both, "single": single}.get(own["bias"], 0),
            *(projected[:1] if own.get("projection") else ()),
        ]
    elif kind == "prelu":
        first, more = (first, []) if own["per_channel"] else (1, [])
    elif own.get("scalar"):
        first = 1
    elif own.get("over") == "all":
        first = 2 * x.numel
    elif False in (own.get("scale"), own.get("center"), kind != "layer_norm" or own["bias"]):
        first //= 2
    assert first + sum(more) == one.facts.params


SLID = [
    (kind, one)
    for kind in ("conv", "conv_transpose", "max_pool", "avg_pool", "subsample", "conv_map", "pad")
    for one in reference(OPS[kind]).examples
]


@pytest.mark.parametrize(("kind", "one"), SLID, ids=lambda one: getattr(one, "text", ""))
def test_formulas_give_the_sizes(kind: str, one: Example) -> None:
    """The formula of the output, along each axis; padding that is ``same`` has one of its own."""
    (x,), own = one.inputs, one.op.attributes()
    formula, *others = re.findall(r"``([^`]*)``", documentation(OPS[kind]).output)
    short = {"f": "kernel", "s": "stride", "p": "padding", "d": "dilation"}
    short["output_padding"] = "output_padding"
    for axis, (n, o) in enumerate(zip(x.spatial, one.facts.shape.spatial, strict=True)):
        values = {at: own.get(name, {"s": 1, "d": 1}.get(at, 0)) for at, name in short.items()}
        values["s"] = values["f"] if values["s"] is None else values["s"]
        values = {at: value[axis] if isinstance(value, tuple) else value for at, value in values.items()}
        if isinstance(values["p"], tuple):
            values["p"] = sum(values["p"]) / 2
        if kind == "pad":
            values |= {"p1": values["p"], "p2": values["p"]}
        text = formula
        if values["p"] == "same":
            text = next(text for text in others if text in ("ceil(n/s)", "n*s"))
        values["p"] = 0 if values["p"] == "valid" else values["p"]
        text = re.sub(r"(?<=\d)(?=[a-z(])|(?<=\))(?=[a-z])|(?<=\bd)(?=\()", "*", text)
        found = eval(text, {"ceil": ceil}, {"n": n, **values})
        size = ceil(found) if own.get("ceil_mode") else floor(found)
        if own.get("ceil_mode") and (size - 1) * values["s"] >= n + values["p"]:
            size -= 1  # it would start in the padding
        assert o == size
