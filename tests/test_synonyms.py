"""What the language's words are called elsewhere, and names that seem to say more than a name."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

import archlens
from archlens.language import synonyms
from archlens.language.steps import KEYWORDS
from archlens.language.synonyms import argument_meant, merge_meant, op_meant, plain
from archlens.ops import MERGES, OPS
from archlens.ops.op import signature


def test_what_the_tables_mean_exists() -> None:
    assert {*synonyms.words().values()} <= OPS.keys()
    assert {*synonyms.merge_words().values()} <= {*MERGES, ""}
    arguments = {name for op in OPS.values() for name in signature(op)}
    assert {name for names in synonyms.ARGUMENT_WORDS.values() for name in names} <= arguments


def test_a_word_has_one_meaning() -> None:
    own = {plain(kind) for kind in OPS}
    assert not own & synonyms.words().keys()
    assert not own & synonyms.ABSENT.keys()
    assert not synonyms.ABSENT.keys() & (synonyms.words().keys() | synonyms.merge_words().keys())
    for table in (synonyms.words(), synonyms.merge_words(), synonyms.ABSENT, synonyms.ARGUMENT_WORDS):
        assert all(plain(word) == word for word in table if not word.startswith("dropout"))


@pytest.mark.parametrize(
    ("word", "op"),
    {
        # torch's classes and functions
        "Conv2d": "conv", "ConvTranspose3d": "conv_transpose", "BatchNorm1d": "batch_norm",
        "AvgPool2d": "avg_pool",
        "MaxPool3d": "max_pool", "AdaptiveAvgPool2d": "adaptive_avg_pool", "max_pool2d": "max_pool",
        "SiLU": "silu", "LeakyReLU": "leaky_relu", "Dropout2d": "spatial_dropout", "LayerNorm": "layer_norm",
        "MultiheadAttention": "self_attention", "Upsample": "upsample", "interpolate": "upsample",
        "LocalResponseNorm": "local_response_norm", "Hardswish": "hard_swish", "ZeroPad2d": "pad",
        # Keras' layers
        "Dense": "linear", "dense": "linear", "Conv2D": "conv", "MaxPooling2D": "max_pool",
        "AveragePooling1D": "avg_pool", "GlobalAveragePooling2D": "global_avg_pool",
        "BatchNormalization": "batch_norm", "LayerNormalization": "layer_norm", "UpSampling2D": "upsample",
        "Conv2DTranspose": "conv_transpose", "Cropping2D": "crop",
        # ONNX' operators
        "Gemm": "linear", "GlobalAveragePool": "global_avg_pool", "AveragePool": "avg_pool",
        "LRN": "local_response_norm",
        "ReduceMean": "mean", "space_to_depth": "pixel_unshuffle", "PixelShuffle": "pixel_shuffle",
        "Resize": "upsample",
        # what people say
        "swish": "silu", "mean": "mean", "fc": "linear", "bn": "batch_norm",
        "deconv": "conv_transpose",
        "drop_path": "stochastic_depth", "lrn": "local_response_norm", "gap": "global_avg_pool",
        # by the letters, where nothing else says what is meant
        "reluu": "relu", "batchnrm": "batch_norm",
    }.items(),
)  # fmt: skip
def test_an_op_by_another_name(word: str, op: str) -> None:
    assert op_meant(word, OPS) == f"did you mean {op}?"


@pytest.mark.parametrize(
    "word",
    [
        *("ConvLSTM", "bidirectional", "EmbeddingBag", "RoIAlign", "SpectralNorm"),
        *("CELU", "rrelu", "DepthwiseConv2D", "SeparableConv2D", "squeeze_excitation"),
    ],
)
def test_what_there_is_no_op_for_is_not_guessed(word: str) -> None:
    assert op_meant(word, OPS).startswith("archlens does not have ")


def test_a_block_of_the_file_comes_first() -> None:
    assert op_meant("Dense", ["dense_", *OPS]) == "did you mean dense_?"


def test_arguments_by_another_name() -> None:
    assert argument_meant("filters", signature(OPS["conv"])) == "did you mean channels?"
    assert argument_meant("units", signature(OPS["linear"])) == "did you mean features?"
    assert argument_meant("kernel_size", signature(OPS["max_pool"])) == "did you mean kernel?"
    assert argument_meant("in_channels", signature(OPS["conv"])) == "it follows from the input; leave it out"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "add1",
            "add_1",
            "concat2",
            "each1",
            "dense1",
            "dense_block",
            "residual_path",
            "gate_conv",
            "gates",
        ),
        *("head", "reach", "date", "ad", "done", "inn", "stem", "max_pool", "relu", "avg_pool", "layer1"),
        *("features", "classifier", "branch", "branch1x1", "transition", "downsample", "attn", "mlp"),
    ],
)
def test_names_that_are_names(name: str) -> None:
    assert merge_meant(name, KEYWORDS) is None


def test_a_name_is_looked_up_once_however_many_ops_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    merge_meant("stem", KEYWORDS)  # which looks the words of all ops up, once
    looked_up = Mock(side_effect=plain)
    monkeypatch.setattr(synonyms, "plain", looked_up)
    merge_meant("stem", KEYWORDS)
    looked_up.assert_called_once_with("stem")


@pytest.mark.parametrize(
    "name", ["cat", "Concat", "sum", "mul", "sub", "div", "stack", "bmm", "parallel", "Eltwise", "route"]
)
def test_a_merge_by_its_name_elsewhere_is_refused(name: str) -> None:
    for branches in ("[relu, tanh]", "{a: relu, b: tanh}", '"(relu, tanh)"'):
        with pytest.raises(archlens.SpecError, match=f"error: {name}: is not a key of the language"):
            archlens.loads(f"input: 3x8x8\nlayers:\n- {name}: {branches}\n")
    # of one step nothing is lost
    assert archlens.loads(f"input: 3x8x8\nlayers:\n- {name}: relu\n").layers[0].name == name


@pytest.mark.parametrize("name", ["cat", "residuel", "ech"])
def test_a_scope_of_that_name(name: str) -> None:
    network = archlens.loads(f"input: 3x8x8\nlayers:\n- \"{{'{name}'}}\": [relu, tanh]\n")
    assert [layer.name for layer in network] == [f"{name}.0", f"{name}.1"]


def test_every_keyword_misspelt_by_a_letter() -> None:
    """One of its letters left out, doubled, or swapped with the next; but for words of three letters."""
    for keyword in KEYWORDS:
        if len(keyword) < 4:
            continue
        for at in range(1, len(keyword) - 1):
            left, right = keyword[:at], keyword[at + 1 :]
            swapped = left + keyword[at + 1] + keyword[at] + keyword[at + 2 :]
            for name in {left + right, left + 2 * keyword[at] + right, swapped} - {keyword}:
                assert merge_meant(name, KEYWORDS) is not None, name


#: Keras 3's layers, as ``keras.layers`` lists them, without those for text and random images.
KERAS = set(
    """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add
    AdditiveAttention AlphaDropout Attention Average AveragePooling1D AveragePooling2D AveragePooling3D
    BatchNormalization CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D
    Conv3DTranspose Cropping1D Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU
    EinsumDense Embedding Flatten GRU GaussianDropout GaussianNoise GlobalAveragePooling1D
    GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GroupNormalization GroupQueryAttention Identity LSTM LayerNormalization LeakyReLU MaxPooling1D
    MaxPooling2D MaxPooling3D Maximum Minimum MultiHeadAttention Multiply Normalization PReLU Permute
    RMSNormalization ReLU RepeatVector Rescaling Reshape Resizing SeparableConv1D SeparableConv2D
    SimpleRNN Softmax SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization Subtract
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """.split()  # noqa: SIM905
)
#: The functions of ``keras.activations``.
KERAS_ACTIVATIONS = set(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear
    log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign
    sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold
    """.split()  # noqa: SIM905
)
#: ONNX' operators of opset 24, as its ``docs/Operators.md`` lists them, without arithmetic of bits, texts,
#: sequences and control.
ONNX = set(
    """
    Abs Add AffineGrid Attention AveragePool BatchNormalization Cast Celu CenterCropPad Clip Col2Im Concat
    Constant Conv ConvTranspose Cos CumSum DeformConv DepthToSpace Div Dropout Einsum Elu Erf Exp Expand
    Flatten GRU Gather Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool GridSample
    GroupNormalization HardSigmoid HardSwish Hardmax Identity ImageDecoder InstanceNormalization LRN LSTM
    LayerNormalization LeakyRelu Log LogSoftmax LpNormalization LpPool MatMul Max MaxPool MaxRoiPool
    MaxUnpool Mean MeanVarianceNormalization Min Mish Mul Neg PRelu Pad Pow RMSNormalization RNN ReduceL2
    ReduceMax ReduceMean ReduceSum Relu Reshape Resize RoiAlign RotaryEmbedding Selu Shape Shrink Sigmoid
    Sin Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tanh ThresholdedRelu
    Tile Transpose Unsqueeze Upsample Where
    """.split()  # noqa: SIM905
)


@pytest.mark.parametrize("kind", OPS)
def test_the_names_of_an_op_in_keras_and_onnx_are_names_there(kind: str) -> None:
    """Letter by letter: ``LeakyReLU`` is Keras' layer, and ``LeakyRelu`` ONNX' operator."""
    names = OPS[kind].names
    assert names is not None
    theirs = {f"activations.{name}" for name in KERAS_ACTIVATIONS} | KERAS
    assert {name.partition("(")[0] for name in names.keras.split()} <= theirs
    assert {name.partition("(")[0] for name in names.onnx.split()} <= ONNX


@pytest.mark.parametrize("kind", OPS)
def test_a_name_of_keras_or_onnx_is_answered_with_its_op(kind: str) -> None:
    names = OPS[kind].names
    assert names is not None
    said = (f"did you mean {kind}?", f"write {kind}: with its branches under it")
    for name in f"{names.keras} {names.onnx}".split():
        if "(" not in name:  # with arguments it is that of an op that does more
            assert op_meant(name.rpartition(".")[2], OPS) in said
