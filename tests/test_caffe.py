"""Prototxt files of Caffe, against published totals and Caffe's own rules written out."""

from __future__ import annotations

import random
import shlex
from contextlib import suppress
from math import ceil
from pathlib import Path

import pytest
from click.testing import CliRunner

from archlens.bounds import allowing
from archlens.cli import cli
from archlens.dialects import find, network
from archlens.errors import ArchlensError
from archlens.geometry import Window
from archlens.network import Network


def laid_out(tmp_path: Path, text: str, name: str = "net.prototxt", **given: str) -> Network:
    path = tmp_path / name
    path.write_text(text)
    return network(find(str(path)), **given)


def layer(name: str, kind: str, bottom: str, top: str = "", params: str = "") -> str:
    bottoms = " ".join(f'bottom: "{one}"' for one in bottom.split())
    tops = " ".join(f'top: "{one}"' for one in (top or name).split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} {tops} {params} }}\n'


def conv(name: str, bottom: str, params: str) -> str:
    return layer(name, "Convolution", bottom, params=f"convolution_param {{ {params} }}")


def inner(name: str, bottom: str, count: int) -> str:
    return layer(name, "InnerProduct", bottom, params=f"inner_product_param {{ num_output: {count} }}")


def pool(name: str, bottom: str, params: str) -> str:
    return layer(name, "Pooling", bottom, params=f"pooling_param {{ {params} }}")


def data(*sizes: int) -> str:
    dims = " ".join(f"dim: {size}" for size in (1, *sizes))
    return f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'


def alexnet(side: int) -> str:
    """Table of the paper with the groups of its second, fourth and fifth layers, as Caffe has it."""
    text = data(3, side, side) + conv("conv1", "data", "num_output: 96 kernel_size: 11 stride: 4")
    text += layer("relu1", "ReLU", "conv1", "conv1")
    text += layer("norm1", "LRN", "conv1", params="lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")
    text += pool("pool1", "norm1", "pool: MAX kernel_size: 3 stride: 2")
    text += conv("conv2", "pool1", "num_output: 256 pad: 2 kernel_size: 5 group: 2")
    text += layer("relu2", "ReLU", "conv2", "conv2") + layer("norm2", "LRN", "conv2")
    text += pool("pool2", "norm2", "kernel_size: 3 stride: 2")
    text += conv("conv3", "pool2", "num_output: 384 pad: 1 kernel_size: 3")
    text += conv("conv4", "conv3", "num_output: 384 pad: 1 kernel_size: 3 group: 2")
    text += conv("conv5", "conv4", "num_output: 256 pad: 1 kernel_size: 3 group: 2")
    text += pool("pool5", "conv5", "kernel_size: 3 stride: 2")
    text += inner("fc6", "pool5", 4096) + layer("drop6", "Dropout", "fc6", "fc6") + inner("fc7", "fc6", 4096)
    return text + inner("fc8", "fc7", 1000) + layer("prob", "Softmax", "fc8")


@pytest.mark.parametrize(("side", "macs"), [(227, 724_406_816), (224, 720_608_384)])
def test_alexnet(side: int, macs: int, tmp_path: Path) -> None:
    """As netscope counts bvlc_alexnet; at 224 its pooling rounds up, to 27, 13 and 6."""
    net = laid_out(tmp_path, alexnet(side))
    assert (net.params, net.macs, tuple(net.output)) == (60_965_224, macs, (1000,))


LENET = data(1, 28, 28) + (
    conv("conv1", "data", "num_output: 20 kernel_size: 5 stride: 1")
    + pool("pool1", "conv1", "pool: MAX kernel_size: 2 stride: 2")
    + conv("conv2", "pool1", "num_output: 50 kernel_size: 5 stride: 1")
    + pool("pool2", "conv2", "pool: MAX kernel_size: 2 stride: 2")
    + inner("ip1", "pool2", 500)
    + layer("relu1", "ReLU", "ip1", "ip1")
    + inner("ip2", "ip1", 10)
    + layer("prob", "Softmax", "ip2")
)

#: The same in the first version's words, with comments, other brackets and commas.
LENET_FIRST = """
name: "LeNet" # 20-50-500-10
input: 'data'
input_dim: 64 input_dim: 1 input_dim: 28, input_dim: 28;
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 blobs_lr: 2
  convolution_param < num_output: 20 kernel_size: 5 weight_filler { type: "xavier" } > }
layers { name: "pool1" type: POOLING bottom: "conv1" top: "pool1"
  pooling_param: { pool: MAX kernel_size: 2 stride: 2 } }
layers { name: "conv2" type: CONVOLUTION bottom: "pool1" top: "conv2"
  convolution_param { num_output: 50 kernel_h: 5 kernel_w: 5 } }
layers { name: "pool2" type: POOLING bottom: "conv2" top: "pool2" pooling_param { kernel_size: 2 stride: 2 } }
layers { name: "ip1" type: INNER_PRODUCT bottom: "pool2" top: "ip1" inner_product_param { num_output: 500 } }
layers { name: "relu1" type: RELU bottom: "ip1" top: "ip1" }
layers { name: "ip2" type: INNER_PRODUCT bottom: "ip1" top: "ip2" inner_product_param { num_output: 10 } }
layers { name: "prob" type: SOFTMAX bottom: "ip2" top: "prob" }
"""


@pytest.mark.parametrize("text", [LENET, LENET_FIRST], ids=["now", "first version"])
def test_lenet(text: str, tmp_path: Path) -> None:
    """Caffe's own example, examples/mnist; its figures by hand: 520 + 25,050 + 400,500 + 5,010."""
    net = laid_out(tmp_path, text)
    assert (net.params, net.macs, tuple(net.output)) == (431_080, 2_293_000, (10,))
    assert [one.name for one in net][-5:] == ["ip1_flatten", "ip1", "relu1", "ip2", "prob"]


def pooled(n: int, kernel: int, stride: int, pad: int, up: bool) -> list[list[int]]:
    """What each output looks at, as Caffe's pooling_layer.cpp has it."""
    count = (ceil if up else int)((n + 2 * pad - kernel) / stride) + 1
    if pad and (count - 1) * stride >= n + pad:
        count -= 1
    starts = [i * stride - pad for i in range(count)]
    return [[at for at in range(start, start + kernel) if 0 <= at < n] for start in starts]


@pytest.mark.parametrize("seed", range(20))
def test_pooling_looks_where_caffe_does(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    kernel, n, up = draw.randint(1, 6), draw.randint(6, 15), draw.random() < 0.7
    stride, pad = draw.randint(1, kernel), draw.randint(0, kernel // 2)
    params = f"kernel_size: {kernel} stride: {stride} pad: {pad}" + ("" if up else " round_mode: FLOOR")
    (found,) = laid_out(tmp_path, data(2, n, n) + pool("pool", "data", params))
    assert isinstance(found.facts.reach, tuple)
    expected = pooled(n, kernel, stride, pad, up)
    for window in found.facts.reach:
        assert isinstance(window, Window)
        starts = [i * window.stride - window.before for i in range(found.shape[1])]
        assert [[at for at in range(s, s + kernel) if 0 <= at < n] for s in starts] == expected


def test_batch_norm_and_scale_are_one(tmp_path: Path) -> None:
    """Three blobs of statistics, and two that are learned, of the layer behind it."""
    text = data(3, 8, 8) + conv("conv", "data", "num_output: 4 kernel_size: 3 bias_term: false")
    text += layer("bn", "BatchNorm", "conv", "conv", "batch_norm_param { use_global_stats: true eps: 2e-5 }")
    scale = layer("scale", "Scale", "conv", "conv", "scale_param { bias_term: true }")
    net = laid_out(tmp_path, text + scale + layer("relu", "ReLU", "conv", "conv"))
    assert [one.name for one in net] == ["conv", "bn", "relu"]
    assert net.params == 4 * 3 * 9 + 2 * 4
    alone = laid_out(tmp_path, text + layer("relu", "ReLU", "conv", "conv"))
    assert alone.params == 4 * 3 * 9
    # what reads the normalized map as well sees it before it is scaled
    twice = laid_out(
        tmp_path, text + scale.replace('top: "conv"', 'top: "scale"') + layer("r", "ReLU", "conv")
    )
    assert [one.name for one in twice] == ["conv", "bn", "scale", "r"]
    assert twice.params == 4 * 3 * 9 + 2 * 4


def test_a_layer_that_is_a_scope_too_stands_within_it(tmp_path: Path) -> None:
    text = data(3, 8, 8) + conv("a/dw", "data", "num_output: 4 kernel_size: 3")
    text += (
        layer("a/dw/bn", "BatchNorm", "a/dw")
        + layer("b c.d", "ReLU", "a/dw/bn", "b")
        + layer("data", "ReLU", "b")
    )
    net = laid_out(tmp_path, text)
    assert [one.name for one in net] == ["a.dw.convolution", "a.dw.bn", "b_c_d", "data_1"]


def test_what_runs_at_inference(tmp_path: Path) -> None:
    """Data of pictures with a label, what each phase has, and losses, whose first bottom is an output."""
    text = """
    layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN }
      transform_param { mirror: true crop_size: 9 } data_param { source: "x" batch_size: 2 backend: LMDB } }
    layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TEST }
      transform_param { crop_size: 8 } }
    """
    text += conv("conv", "data", "num_output: 4 kernel_size: 3") + inner("fc", "conv", 5)
    text += layer("train", "Convolution", "data", params="include { phase: TRAIN }")
    text += layer("stage", "Convolution", "data", params='include { phase: TEST stage: "x" }')
    text += layer("not", "Convolution", "data", params="exclude { phase: TEST }")
    text += inner("aux", "conv", 3) + layer("loss1", "SoftmaxWithLoss", "aux label")
    text += layer("loss", "SoftmaxWithLoss", "fc label") + layer("acc", "Accuracy", "fc label")
    net = laid_out(tmp_path, text)
    assert net.inputs == {"data": (3, 8, 8)}
    assert [one.name for one in net] == ["conv", "fc_flatten", "fc", "aux_flatten", "aux"]
    assert net.outputs == {"out": "fc", "aux": "aux"}


def test_the_input_of_training_goes_in_where_there_is_no_other(tmp_path: Path) -> None:
    text = 'layer { name: "d" type: "ImageData" top: "data" top: "label" include { phase: TRAIN } '
    text += "image_data_param { new_height: 6 new_width: 7 is_color: false } }\n"
    net = laid_out(tmp_path, text + conv("conv", "data", "num_output: 4 kernel_size: 3"))
    assert net.inputs == {"data": (1, 6, 7)}


def test_an_input_may_be_open(tmp_path: Path) -> None:
    text = 'layer { name: "d" type: "Data" top: "data" top: "label" }\n'
    text += conv("conv", "data", "num_output: 4 kernel_size: 3") + layer(
        "loss", "SoftmaxWithLoss", "conv label"
    )
    with pytest.raises(
        ArchlensError, match="leaves the size of its input data open, which is channels x height"
    ):
        laid_out(tmp_path, text)
    assert tuple(laid_out(tmp_path, text, input="3x10x12").output) == (4, 8, 10)


def test_weights_of_one_name_are_shared(tmp_path: Path) -> None:
    named = 'param { name: "w" } param { name: "b" }'
    shape = "input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }"
    text = f'input: "a" input: "b" {shape} {shape}\n'
    for side in "ab":
        params = f"{named} convolution_param {{ num_output: 4 kernel_size: 3 }}"
        text += layer(f"conv_{side}", "Convolution", side, params=params)
    text += layer("sum", "Eltwise", "conv_a conv_b", params="eltwise_param { coeff: 1 coeff: -1 }")
    net = laid_out(tmp_path, text)
    assert net.params == 4 * 3 * 9 + 4
    assert net.macs == 2 * 4 * 3 * 9 * 36
    assert [str(one.op) for one in net][-2:] == ["scale(-1.0)", "add"]


def one(kind: str, params: str = "", *sizes: int, tops: str = "x") -> str:
    return data(*(sizes or (6, 8, 10))) + layer("x", kind, "data", tops, params)


SHAPES = [
    (
        one("Deconvolution", "convolution_param { num_output: 4 kernel_size: 4 stride: 2 pad: 1 }"),
        (4, 16, 20),
    ),
    (
        one(
            "Convolution", "convolution_param { num_output: 4 kernel_h: 3 kernel_w: 5 stride: 2 dilation: 1 }"
        ),
        (4, 3, 3),
    ),
    (one("Convolution", "convolution_param { num_output: 4 kernel_size: 3 hole: 2 pad: 2 }"), (4, 8, 10)),
    (one("Convolution", "convolution_param { num_output: 4 kernel_size: 3 }", 2, 5, 6, 7), (4, 3, 4, 5)),
    (one("Pooling", "pooling_param { global_pooling: true pool: AVE }"), (6, 1, 1)),
    # ceil((8 - 1)/4) + 1 and ceil((10 - 1)/4) + 1, of which the last ones begin at 8 and 12; both are dropped
    # where there is padding along either axis
    (one("Pooling", "pooling_param { kernel_size: 1 stride: 4 }"), (6, 3, 4)),
    (one("Pooling", "pooling_param { kernel_size: 1 stride: 4 pool: AVE }"), (6, 3, 4)),
    (
        one("Pooling", "pooling_param { kernel_h: 2 kernel_w: 1 stride: 4 pad_h: 1 pad_w: 0 }"),
        (6, 3, 3),
    ),
    (one("Slice", "slice_param { slice_point: 2 }", tops="a b"), (4, 8, 10)),
    (one("Slice", "slice_param { axis: 2 }", tops="a b c d"), (6, 2, 10)),
    (one("Flatten"), (480,)),
    (one("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 0 } }"), (2, 24, 10)),
    (one("Reshape", "reshape_param { shape { dim: 3 dim: -1 } axis: 1 }"), (3, 160)),
    (one("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }"), (8, 10, 6)),
    (one("Permute", "permute_param { order: 0 order: 3 order: 2 order: 1 }"), (10, 8, 6)),
    (one("Interp", "interp_param { zoom_factor: 8 }"), (6, 57, 73)),
    (one("Interp", "interp_param { shrink_factor: 2 zoom_factor: 3 }"), (6, 10, 13)),
    (one("ArgMax", "argmax_param { axis: 1 }"), (1, 8, 10)),
    (one("ShuffleChannel", "shuffle_channel_param { group: 3 }"), (6, 8, 10)),
    # two boxes of a side, and two of each other ratio; each with four sides and four variances
    (
        one("PriorBox", "prior_box_param { min_size: 30 max_size: 60 aspect_ratio: 2 flip: true }"),
        (2, 8 * 10 * 4 * 4),
    ),
    (
        data(6, 8, 10)
        + data(3, 4, 5).replace("data", "b")
        + layer("x", "Crop", "data b", params="crop_param { axis: 2 offset: 2 }"),
        (6, 4, 5),
    ),
    (data(6, 8, 10) + layer("x", "Concat", "data data", params="concat_param { axis: 2 }"), (6, 16, 10)),
    (
        data(6, 8, 10) + layer("x", "Concat", "data data data", params="concat_param { concat_dim: 1 }"),
        (18, 8, 10),
    ),
]


@pytest.mark.parametrize(("text", "shape"), SHAPES, ids=[str(i) for i in range(len(SHAPES))])
def test_shapes(text: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    """The formulas of Caffe's layers, worked out by hand."""
    assert tuple(laid_out(tmp_path, text).output) == shape


def test_unpooling_knows_what_was_pooled(tmp_path: Path) -> None:
    text = data(4, 7, 8) + layer(
        "pool", "Pooling", "data", "pool mask", "pooling_param { kernel_size: 2 stride: 2 }"
    )
    text += layer("up", "Upsample", "pool mask", params="upsample_param { scale: 2 upsample_h: 7 }")
    net = laid_out(tmp_path, text)
    assert [str(one.op) for one in net][-1] == "max_unpool"
    assert tuple(net.output) == (4, 7, 8)


def test_squeeze_and_excitation(tmp_path: Path) -> None:
    """Channels times factors, by Axpy, and by Scale with two bottoms, whose factors may be a vector."""
    text = data(4, 7, 8) + pool("pool", "data", "global_pooling: true pool: AVE") + inner("fc", "pool", 4)
    net = laid_out(tmp_path, text + layer("x", "Scale", "data fc", params="scale_param { axis: 0 }"))
    assert [one.name for one in net][-2:] == ["x_factor", "x"]
    assert tuple(net.output) == (4, 7, 8)
    assert tuple(laid_out(tmp_path, text + layer("x", "Axpy", "pool data data")).output) == (4, 7, 8)


C = "num_output: 4 kernel_size: 3"
MISTAKES = [
    (
        data(3, 8, 8) + conv("c", "dta", C),
        'the layer "c" reads "dta", which no earlier layer outputs',
        '"dta"',
    ),
    (
        data(3, 8, 8) + conv("c", "data", "num_output: 4"),
        'the layer "c" has no kernel_size',
        "convolution_param",
    ),
    (
        data(3, 8, 8) + conv("c", "data", "kernel_size: 4"),
        'the layer "c" has no num_output',
        "convolution_param",
    ),
    (data(3, 8, 8) + conv("c", "data", C + " strid: 2"), "convolution_param has no field strid", "2"),
    (
        data(3, 8, 8) + conv("c", "data", "num_output: 0 kernel_size: 3"),
        "num_output is at least 1, not 0",
        "0",
    ),
    (
        data(3, 8, 8) + conv("c", "data", "num_output: 4.5 kernel_size: 3"),
        "num_output is a whole number, not 4.5",
        "4.5",
    ),
    (
        data(3, 8, 8) + conv("c", "data", "num_output: 99999999999999999999 kernel_size: 3"),
        "num_output is a whole number",
        "9999",
    ),
    (
        data(3, 8, 8) + conv("c", "data", C + " num_output: 5"),
        "num_output appears twice in convolution_param",
        "5",
    ),
    (
        data(3, 8, 8) + conv("c", "data", "num_output: 4 kernel_size: 9"),
        "c does not fit: its 9x9 window is larger",
        '"c"',
    ),
    (
        data(3, 8, 8) + layer("c", "Convolutoin", "data"),
        'the layer "c" is of the type Convolutoin, which is not supported',
        '"Convolutoin"',
    ),
    (
        data(3, 8, 8) + layer("p", "Python", "data"),
        "the size of its output depends on the image, or on code",
        '"Python"',
    ),
    (
        data(3, 8, 8) + layer("c", "ReLU", "data", params="relu_parm: 3"),
        "a layer has no field relu_parm",
        "3",
    ),
    (
        data(3, 8, 8) + layer("c", "ReLU", "data", params="relu_param: 3"),
        "relu_param is a message in braces",
        "3",
    ),
    (data(3, 8, 8) + pool("p", "data", "pool: MEAN kernel_size: 2"), "there is no pool MEAN", "MEAN"),
    (
        data(3, 8, 8) + pool("p", "data", "kernel_size: 2 kernel_h: 2"),
        "kernel_size and kernel_h or kernel_w are both given",
        "2",
    ),
    (
        data(3, 8, 8) + conv("c", "data", C) + layer("s", "Eltwise", "data c"),
        "data is 3x8x8, c is 4x6x6",
        '"data"',
    ),
    (
        data(3, 8, 8) + layer("s", "Slice", "data", "a b"),
        "cuts 3 into 2 equal parts, which does not divide it",
        '"s"',
    ),
    (
        data(3, 8, 8) + layer("s", "Concat", "data data", params="concat_param { axis: 0 }"),
        "the axis 0 is the batch",
        "0",
    ),
    (data(3, 8, 8) + 'layer { name: "x" bottom: "data" }', 'the layer "x" has no type', "layer"),
    ('net: "a.prototxt"\nbase_lr: 1\n', "this is a solver", '"a.prototxt"'),
    ("layer {\n", "layer is not closed: the file ends before its }", "layer"),
    ('layer { name: "a\n }', "this text has no closing quote", '"a'),
    ("layer { name }", "expected a colon or an opening brace after name, not }", "}"),
    ("layer { layer { name: 'a' } }", "a layer within a layer is Caffe's original format", "layer {"),
    ("layer { type: }", "expected a value here, not }", "}"),
    ("layer: 3", "layer is a message in braces, not a value", "3"),
    ("name: 'a'", "the network has no layers", "name"),
    ("}", "expected a field name here, not }", "}"),
    ("a {" * 100, "messages are nested more than 40 deep", "a {"),
]


@pytest.mark.parametrize(
    ("text", "message", "word"), MISTAKES, ids=[message[:40] for _, message, _ in MISTAKES]
)
def test_mistakes_are_pointed_at(text: str, message: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(ArchlensError) as raised:
        laid_out(tmp_path, text)
    assert message in str(raised.value)
    span = raised.value.diagnostic.span
    assert span is not None
    assert span.source.lines[span.line - 1][span.column - 1 :].startswith(word), str(raised.value)


def test_any_byte_may_be_wrong(tmp_path: Path) -> None:
    """Cut anywhere, and anything in its place: a network or a diagnostic."""
    path = tmp_path / "net.prototxt"
    whole = (LENET_FIRST + alexnet(67).replace("Input", "Split") + SHAPES[14][0]).encode()
    draw = random.Random(15)
    for _ in range(120):
        at = draw.randrange(len(whole))
        cut = whole[:at]
        path.write_bytes(draw.choice([cut, cut + bytes([draw.randrange(256)]) + whole[at + 1 :]]))
        with suppress(ArchlensError):
            network(find(str(path)))


@pytest.mark.parametrize(
    "text", ["a: " * 10**5, "#" * 10**6, '"' * 10**6, "a{}" * 10**4, "a:[" + "1," * 10**4, " " * 10**6]
)
def test_large_files_of_nothing(text: str, tmp_path: Path) -> None:
    with pytest.raises(ArchlensError):
        laid_out(tmp_path, text)


TOO_MUCH = [
    ("layer { type: 'Silence' bottom: 'data' }\n" * 51, "more than 50 layers"),
    (layer("x", "Split", "data", "y").replace('top: "y"', "a: 1 " * 1000), "more than 900 fields"),
    (
        layer("x", "PriorBox", "data", params="prior_box_param {" + "aspect_ratio: 2 " * 101 + "}"),
        "101 ratios",
    ),
    (
        layer("x/" * 9 + "y", "ReLU", "data"),
        "a name of 19 characters and 9 slashes is more than the 200 and 8 allowed",
    ),
    (layer("x", "Concat", "data " * 201, "y"), "read more than 200 tensors"),
]


@pytest.mark.parametrize(("text", "message"), TOO_MUCH, ids=[message for _, message in TOO_MUCH])
def test_what_is_too_much(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archlens.dialects.caffe.prototext._FIELDS", 900)
    with pytest.raises(ArchlensError, match=message), allowing(50):
        laid_out(tmp_path, data(3, 8, 8) + text)


@pytest.mark.parametrize(
    "command",
    [
        "shapes net.prototxt",
        "explain net.prototxt",
        "sizes net.prototxt",
        "cost net.prototxt",
        "memory net.prototxt",
        "lint net.prototxt",
        "check net.prototxt --params '<= 1M'",
        "diff net.prototxt lenet.txt",
        "compare net.prototxt lenet.txt",
        "diagram net.prototxt -o net.svg",
    ],
)
def test_every_command_takes_one(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(LENET)
    Path("lenet.txt").write_text(LENET_FIRST)
    result = CliRunner().invoke(cli, shlex.split(command))
    assert result.exit_code == 0, result.output


NORMALIZED = (
    pool("pool1", "conv1", "kernel_size: 2 stride: 2")
    + layer("bn", "BatchNorm", "pool1")
    + layer("scale", "Scale", "bn", params="scale_param { bias_term: true }")
)


def test_converted_it_is_the_same_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = LENET.replace('bottom: "pool1"', 'bottom: "scale"')
    text = text.replace(pool("pool1", "conv1", "pool: MAX kernel_size: 2 stride: 2"), NORMALIZED)
    Path("net.prototxt").write_text(text)
    assert CliRunner().invoke(cli, ["convert", "net.prototxt", "-o", "net.yaml"]).exit_code == 0
    result = CliRunner().invoke(cli, ["diff", "net.prototxt", "net.yaml"])
    assert result.output.endswith("The two are the same.\n"), result.output


@pytest.mark.parametrize(("axis", "name"), [(1, "channels"), (2, "length"), (-1, "length")])
def test_a_softmax_along_any_axis(axis: int, name: str, tmp_path: Path) -> None:
    """As SSD has one over the classes of each box."""
    text = data(6, 4) + layer("prob", "Softmax", "data", params=f"softmax_param {{ axis: {axis} }}")
    op = laid_out(tmp_path, text)["prob"].op
    assert (op.kind, op.attributes()["axis"]) == ("softmax", name)
