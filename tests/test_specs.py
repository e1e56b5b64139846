"""Every network of the zoo against figures that others published or measured. None comes from archlens."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import archlens
from archlens.analysis import receptive_field
from archlens.errors import SpecError
from archlens.language import parse
from archlens.library import finding as library
from archlens.library import open_spec
from archlens.network import Layer, Network

from . import zoo

NAMES = archlens.names()
DATA = Path(__file__).parent / "data"


def torchvision_rows() -> list[dict[str, str]]:
    lines = (DATA / "torchvision.csv").read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


#: Parameters and MACs of every network in issue order; the sources stand beside them.
#: fmt: off
EXACT = {
    # 156 + 2,416 + 48,120 + 10,164 + 850, and 28*28*6*25 + 10*10*16*150 + 120*400 + 84*120 + 10*84
    "lenet5": (61_706, 117_600 + 240_000 + 48_000 + 10_080 + 840),
    "lenet5_keras": (61_706, 117_600 + 240_000 + 48_000 + 10_080 + 840),
    # LeCun et al. 1998, section II-B: 156 + 12 + 1,516 + 32 + 48,120 + 10,164; products counted by hand:
    # 28*28*6*25 + 10*10*60*25 + 120*400 + 84*120
    "lenet5_1998": (60_000, 117_600 + 150_000 + 48_000 + 10_080),
    # BVLC Caffe, bvlc_alexnet deploy.prototxt, at 227x227
    "alexnet_2012": (60_965_224, 724_406_816),
    # torchvision 0.28, measured with a real forward pass
    "alexnet": (61_100_840, 714_188_480),
    "vgg11": (132_863_336, 7_609_090_048),
    "vgg13": (133_047_848, 11_308_466_176),
    "vgg16": (138_357_544, 15_470_264_320),
    "vgg19": (143_667_240, 19_632_062_464),
    "googlenet": (6_624_904, 1_498_376_192),
    "googlenet_aux": (13_004_888, 1_498_376_192),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet152": (60_192_808, 11_513_626_624),
    # Caffe GoogLeNet with both heads (soeaver's prototxt); products of bvlc_googlenet deploy.prototxt
    "googlenet_2014": (13_378_280, 1_582_671_872),
    # torchvision 0.28, torch.utils.flop_counter over a forward pass on the meta device
    "convnext_tiny": (28_589_128, 4_455_531_264),
    "convnext_small": (50_223_688, 8_683_712_256),
    "convnext_base": (88_591_464, 15_354_729_472),
    "convnext_large": (197_767_336, 34_361_433_600),
    "vit_b_16": (86_567_656, 17_563_828_224),
    "vit_b_32": (88_224_232, 4_409_186_304),
    "vit_l_16": (304_326_632, 61_554_712_576),
    "vit_l_32": (306_535_400, 15_377_539_072),
    "vit_h_14": (632_045_800, 167_295_109_120),
    "vit_b_16_384": (86_859_496, 55_484_350_464),
    "vit_l_16_512": (305_174_504, 361_986_285_568),
    "vit_h_14_518": (633_470_440, 1_016_716_764_160),
    "swin_t": (28_288_354, 4_490_566_656),
    "swin_s": (49_606_258, 8_740_875_264),
    "swin_b": (87_768_224, 15_430_946_816),
    "swin_v2_t": (28_351_570, 5_939_690_496),
    "swin_v2_s": (49_737_442, 11_545_857_024),
    "swin_v2_b": (87_930_848, 20_325_134_336),
    "maxvit_t": (30_919_624, 5_558_046_720),
    # pytorchcv, measured
    "mobilenet_v1": (4_231_976, 568_740_352),
    "mobilenet_v1_0.75": (2_585_560, 325_400_448),
    "mobilenet_v1_0.5": (1_331_592, 149_497_088),
    "mobilenet_v1_0.25": (470_072, 41_030_272),
}
#: fmt: on


@pytest.mark.parametrize("name", EXACT)
def test_parameters_and_macs_are_exactly_those_counted_elsewhere(name: str) -> None:
    network = zoo.network(name)
    assert (network.params, network.macs) == EXACT[name]


@pytest.mark.parametrize("row", torchvision_rows(), ids=lambda row: row["model"])
def test_torchvision_metadata(row: dict[str, str]) -> None:
    """``num_params`` to the unit and ``_ops`` to its printed digits."""
    network = zoo.network(row["model"])
    assert network.params == int(row["num_params"])
    assert round(network.macs / 1e9, 3) == float(row["gflops_ops"])
    assert network.input[0] == 3
    assert network.input[-2:] == (int(row["crop_size"]), int(row["crop_size"]))


def end_of(network: Network, name: str) -> tuple[int, ...]:
    """The output shape of a layer, or of the last layer of a scope."""
    inside = [layer.shape for layer in network if layer.name == name or layer.name.startswith(f"{name}.")]
    return inside[-1]


@pytest.mark.parametrize(
    ("alpha", "resolution", "madds", "params"),
    [
        # Howard et al. 2017, Table 6
        (1.0, 224, 569, 4.2), (0.75, 224, 325, 2.6), (0.5, 224, 149, 1.3), (0.25, 224, 41, 0.5),
        # Table 7; for 160 it prints 290, where TensorFlow slim's mobilenet_v1.md has 291
        (1.0, 192, 418, 4.2), (1.0, 160, 291, 4.2), (1.0, 128, 186, 4.2),
        # TensorFlow slim, mobilenet_v1.md (its 317 for 0.75-224 and 34 for 0.25-192 are misprints)
        (0.75, 192, 239, 2.59), (0.75, 128, 106, 2.59), (0.5, 192, 110, 1.34), (0.5, 160, 77, 1.34),
        (0.5, 128, 49, 1.34), (0.25, 160, 21, 0.47), (0.25, 128, 14, 0.47),
    ],
)  # fmt: skip
def test_mobilenet_v1_tables(alpha: float, resolution: int, madds: int, params: float) -> None:
    """The paper's multipliers, by params and by the input alike, in millions."""
    by_param = archlens.load("mobilenet_v1", alpha=alpha, resolution=resolution)
    by_input = archlens.load("mobilenet_v1", alpha=alpha, input=(3, resolution, resolution))
    assert by_param.macs == by_input.macs
    if (alpha, resolution) not in ((0.75, 192), (0.75, 128)):
        assert round(by_param.macs / 1e6) == madds
    assert by_param.params / 1e6 == pytest.approx(params, abs=0.05)


@pytest.mark.parametrize(
    ("alpha", "millions", "madds"),
    [
        # TensorFlow slim, nets/mobilenet/README.md: mult-adds in millions at 224, 192, 160, 128 and 96
        (1.4, 6.06, [582]),
        (1.3, 5.34, [509]),
        (1.0, 3.47, [300, 221, 154, 99, 56]),
        (0.75, 2.61, [209, 153, 107, 69, 39]),
        (0.5, 1.95, [97, 71, 50, 32, 18]),
        (0.35, 1.66, [59, 43, 30, 20, 11]),
    ],
)
def test_mobilenet_v2_tables(alpha: float, millions: float, madds: list[int]) -> None:
    """The table rounds down, and counts no parameters of batch normalization."""
    for resolution, expected in zip((224, 192, 160, 128, 96), madds, strict=False):
        network = archlens.load("mobilenet_v2", alpha=alpha, resolution=resolution)
        assert int(network.macs / 1e6) == expected
        weights = sum(layer.params for layer in network if layer.op.kind != "batch_norm")
        assert weights / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize(
    ("name", "widths", "params", "gmacs"),
    [
        # pycls, MODEL_ZOO.md, with the widths of Radosavovic et al. 2020, where torchvision has others
        ("regnet_x_400mf", [32, 64, 160, 384], 5.2, 0.4),
        ("regnet_y_800mf", [64, 128, 320, 768], 6.3, 0.8),
        ("regnet_y_8gf", [168, 448, 896, 2016], 39.2, 8.0),
    ],
)
def test_regnet_with_the_papers_widths(name: str, widths: list[int], params: float, gmacs: float) -> None:
    network = archlens.load(name, widths=widths)
    assert round(network.params / 1e6, 1) == params
    assert round(network.macs / 1e9, 1) == gmacs


def test_lenet5_1998_layer_by_layer() -> None:
    """Parameters and connections of LeCun et al. 1998, section II-B; its connections include the biases."""
    network = archlens.load("lenet5_1998")
    params = {name: network[name].params for name in ("C1", "S2", "C3", "S4", "C5", "F6")}
    assert params == {"C1": 156, "S2": 12, "C3": 1516, "S4": 32, "C5": 48120, "F6": 10164}
    connections = {"C1": 122_304, "C3": 151_600, "C5": 48_120, "F6": 10_164}
    for name, count in connections.items():
        layer = network[name]
        assert layer.macs + layer.shape.numel == count


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        # Caffe's bvlc_alexnet, counted from its prototxt layer by layer
        ("conv1", 34_944, 105_415_200),
        ("conv2", 307_456, 223_948_800),
        ("conv3", 885_120, 149_520_384),
        ("conv4", 663_936, 112_140_288),
        ("conv5", 442_624, 74_760_192),
        ("fc6", 37_752_832, 37_748_736),
        ("fc7", 16_781_312, 16_777_216),
        ("fc8", 4_097_000, 4_096_000),
    ],
)
def test_alexnet_2012_layer_by_layer(name: str, params: int, macs: int) -> None:
    layer = archlens.load("alexnet_2012")[name]
    assert (layer.params, layer.macs) == (params, macs)


def test_vgg16_layer_by_layer() -> None:
    """Weights without biases from the Stanford CS231n notes; fc6 alone and the three dense layers."""
    network = archlens.load("vgg16")
    weights = [layer.params - layer.facts.weights["bias"][0] for layer in network if layer.params]
    assert weights == [
        1_728, 36_864, 73_728, 147_456, 294_912, 589_824, 589_824, 1_179_648, 2_359_296, 2_359_296,
        2_359_296, 2_359_296, 2_359_296, 102_760_448, 16_777_216, 4_096_000,
    ]  # fmt: skip
    dense = [layer.params for layer in network if layer.op.kind == "linear"]
    assert dense[0] == 102_764_544
    assert sum(dense) == 123_642_856


def test_vgg16_c_is_b_and_three_small_convolutions() -> None:
    """B as torchvision counts it; a 1x1 convolution of 256 channels and two of 512, each with its biases."""
    small = (256 * 256 + 256) + 2 * (512 * 512 + 512)
    assert archlens.load("vgg16_c").params == 133_047_848 + small


def test_inception_resnet_v1_is_facenets_without_its_last_module_and_features() -> None:
    """As pytorchcv counts it, inceptionresnetv1 has 23,995,624: a module and a bottleneck more than this."""
    branches = 2 * 1792 * 192 + 2 * 192 * 192 * 3 + 4 * 2 * 192  # 1x1; 1x1, 1x3, 3x1; with normalization
    module = branches + 384 * 1792 + 1792
    features = 1792 * 512 + 2 * 512 + 512 * 1000 + 1000
    classes = 1792 * 1000 + 1000
    assert archlens.load("inception_resnet_v1").params == 23_995_624 - module - features + classes


@pytest.mark.parametrize(
    ("name", "size", "maps"),
    [
        # at 224 only; 227 divides. (54 - 3)/2 + 1 = 26.5
        ("alexnet_2012", 224, {"conv1": 54, "pool1": 27, "pool2": 13, "pool5": 6}),
        # (118 - 3)/2 + 1 = 58.5, (28 - 3)/2 + 1 = 13.5, (14 - 3)/2 + 1 = 6.5
        ("zfnet", 240, {"conv1": 118, "pool1": 59, "pool2": 14, "pool5": 7}),
        # (15 - 5)/3 + 1 = 4.3
        ("googlenet_2014", 240, {"inception4a": 15, "aux1.avg_pool": 5, "aux2.avg_pool": 5}),
        ("nin_imagenet", 231, {"mlpconv1": 56, "mlpconv2": 28, "mlpconv3": 14, "mlpconv4": 7}),
    ],
)
def test_pooling_rounds_up_as_in_caffe_and_cuda_convnet(name: str, size: int, maps: dict[str, int]) -> None:
    """Caffe's pooling_layer.cpp: ceil((size + 2 pad - kernel)/stride) + 1."""
    network = archlens.load(name, input=(3, size, size))
    assert {layer: end_of(network, layer)[1] for layer in maps} == maps


def test_alexnet_2012_at_the_size_that_its_paper_prints() -> None:
    """Counted from Caffe's bvlc_alexnet/deploy.prototxt at 224, with Caffe's rounding."""
    network = archlens.load("alexnet_2012", input=(3, 224, 224))
    assert (network.params, network.macs) == (60_965_224, 720_608_384)


def test_resnet_stage_sizes() -> None:
    """He et al. 2016, Table 1."""
    network = archlens.load("resnet152")
    sizes = {"layer1": 56, "layer2": 28, "layer3": 14, "layer4": 7}
    assert {name: end_of(network, name)[1] for name in sizes} == sizes


def layers(network: Network, scope: str) -> list[Layer]:
    """The layers of a scope, or the one layer of that name."""
    return [layer for layer in network if layer.name == scope or layer.name.startswith(f"{scope}.")]


def test_lenet1_connections() -> None:
    """LeCun et al. 1989, page 402: 98,442 connections, of which each unit has one from the bias."""
    network = archlens.load("lenet1")
    names = ("H1", "H2", "H3", "H4", "output")
    assert [network[name].params for name in names] == [104, 8, 20 * 25 + 12, 24, 1930]
    products = sum(network[name].macs for name in names)
    products += sum(4 * network[name].shape.numel for name in ("H2", "H4"))  # each sums up a window of 2x2
    assert products + sum(network[name].shape.numel for name in names) == 98_442


def test_lenet4_connections() -> None:
    """LeCun et al. 1998: "about 260,000 connections"; it is what the chosen table of C3 gives."""
    network = archlens.load("lenet4")
    units = sum(network[name].shape.numel for name in ("C1", "C3", "S4", "F5", "output"))
    pooled = network["S2.concat"].shape.numel
    products = network.macs + 4 * (pooled + network["S4"].shape.numel)
    assert products + units + pooled == pytest.approx(260_000, rel=0.01)


def test_a_separable_first_convolution_is_what_googlenet_prints() -> None:
    """Szegedy et al. 2015, Table 1: 2.7K parameters and 34M operations of conv1."""
    first = layers(archlens.load("bn_inception"), "conv1")
    convolutions = [layer for layer in first if layer.op.kind == "conv"]
    assert round(sum(layer.params for layer in convolutions) / 1e3, 1) == 2.7
    assert round(sum(layer.macs for layer in convolutions) / 1e6) == 34


def test_inception_v2_of_tensorflow_slim() -> None:
    """slim/nets/inception_v2_test.py counts 10,173,112 variables before the classifier.

    Its normalization has a shift, a moving mean and a moving variance, but no scale; the first, separable
    convolution has a bias in place of it.
    """
    network = archlens.load("bn_inception")
    weights = sum(layer.params for layer in network if layer.op.kind == "conv")
    channels = sum(layer.shape.channels for layer in network if layer.op.kind == "batch_norm")
    assert weights + 3 * (channels - 64) + 64 == 10_173_112


@pytest.mark.parametrize(
    ("height", "width", "last"),
    [
        # slim/nets/inception_v2_test.py, testHalfSizeImages and testGlobalPoolUnknownImageShape
        (112, 112, (1024, 4, 4)), (250, 300, (1024, 8, 10)),
        # maps of 231, 116, 58, 29, 15 and 8: the half of each, rounded up
        (231, 231, (1024, 8, 8)),
    ],
)  # fmt: skip
def test_inception_v2_of_tensorflow_slim_takes_every_size(
    height: int, width: int, last: tuple[int, ...]
) -> None:
    network = archlens.load("bn_inception", input=(3, height, width))
    assert end_of(network, "inception_5b") == last
    assert network.params == archlens.load("bn_inception").params


def test_inception_v2_pads_as_tensorflow_slim_does() -> None:
    """Effective paddings at 224 of google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md."""
    table = {
        "conv1": 2, "pool1": 2, "conv2_reduce": 2, "conv2": 6, "pool2": 6, "inception_3a": 22,
        "inception_3b": 38, "inception_3c": 46, "inception_4a": 78, "inception_4b": 110, "inception_4c": 142,
        "inception_4d": 174, "inception_4e": 190, "inception_5a": 254, "inception_5b": 318,
    }  # fmt: skip
    network = archlens.load("bn_inception")
    fields = receptive_field.find(network)
    found = {}
    for name in table:
        seen = fields[layers(network, name)[-1].name]
        assert isinstance(seen, tuple)
        found[name] = -seen[0].start
    assert found == table


def test_bn_inception_of_caffe_fits_even_maps_only() -> None:
    """As the Caffe models and pytorchcv's bninception, which has 15 positions beside 14 at 231."""
    with pytest.raises(SpecError, match="160x15x15 and 320x14x14"):
        archlens.load("bn_inception_caffe", input=(3, 231, 231))


def test_preactivation_resnet_1001_without_its_normalization() -> None:
    """He et al. 2016 print 10.2 M and 1.7 M: convolutions and the dense layer alone."""
    for name, printed_millions in (("preact_resnet1001", 10.2), ("preact_resnet164", 1.7)):
        network = zoo.network(name)
        norms = sum(layer.params for layer in network if layer.op.kind == "batch_norm")
        assert round((network.params - norms) / 1e6, 1) == printed_millions


@pytest.mark.parametrize(("name", "depth"), [("preact_resnet164", 164), ("preact_resnet1001", 1001)])
def test_preactivation_resnets_for_cifar_count_as_their_source(name: str, depth: int) -> None:
    """resnet-pre-act.lua of KaimingHe/resnet-1k-layers: every unit has its normalization, the first too."""
    params = 3 * 3 * 3 * 16  # Convolution(3, 16, 3, 3), and nothing after it
    channels = 16
    for out in (64, 128, 256):
        for _ in range((depth - 2) // 9):
            params += preactivated(channels, out // 4) + 2 * channels
            channels = out
    params += 2 * channels + channels * 10 + 10
    assert zoo.network(name).params == params


def test_preactivation_resnet_200_counts_as_its_source() -> None:
    """preresnet.lua of facebook/fb.resnet.torch: the first block of the first layer is ``no_preact``.

    So has it the paper's appendix: "we adopt the first activation right after conv1 and before splitting".
    """
    params = 3 * 7 * 7 * 64 + 2 * 64  # Convolution(3, 64, 7, 7), SBatchNorm(64)
    channels = 64
    for number, (features, count) in enumerate([(64, 3), (128, 24), (256, 36), (512, 3)]):
        for block in range(count):
            no_preact = number == 0 and block == 0
            params += preactivated(channels, features) + (0 if no_preact else 2 * channels)
            channels = 4 * features
    params += 2 * channels + channels * 1000 + 1000
    network = archlens.load("preact_resnet200")
    assert network.params == params == 64_666_152
    assert "layer1.0.bn1" not in [layer.name for layer in network]
    assert network["layer2.0.bn1"].params == 2 * 256


def preactivated(channels: int, width: int) -> int:
    """A bottleneck without its first normalization, with a projection where the channels change."""
    body = channels * width + 2 * width + 9 * width * width + 2 * width + width * 4 * width
    return body + (channels * 4 * width if channels != 4 * width else 0)


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("resnet20_cifar", 3), ("resnet32_cifar", 5), ("resnet44_cifar", 7), ("resnet56_cifar", 9),
        ("resnet110_cifar", 18), ("resnet1202_cifar", 200),
    ],
)  # fmt: skip
def test_cifar_resnets_by_hand(name: str, n: int) -> None:
    """He et al. 2016, section 4.2: 6n + 2 layers with 16, 32 and 64 filters; shortcuts have no parameters."""
    products = 3 * 16 + 2 * n * 16 * 16 + 16 * 32 + (2 * n - 1) * 32 * 32 + 32 * 64 + (2 * n - 1) * 64 * 64
    normalized = 16 + 2 * n * (16 + 32 + 64)
    assert archlens.load(name).params == 9 * products + 2 * normalized + 64 * 10 + 10


@pytest.mark.parametrize(
    ("name", "depth", "k"),
    [
        ("densenet40_k12_cifar", 40, 12),
        ("densenet100_k12_cifar", 100, 12),
        ("densenet100_k24_cifar", 100, 24),
    ],
)
def test_plain_densenets_by_hand(name: str, depth: int, k: int) -> None:
    """Huang et al. 2017, section 3: three blocks after 16 channels, transitions keep all channels."""
    channels, params = 16, 3 * 9 * 16
    for block in range(3):
        if block:
            params += 2 * channels + channels * channels
        for _ in range((depth - 4) // 3):
            params += 2 * channels + 9 * channels * k
            channels += k
    assert archlens.load(name).params == params + 2 * channels + channels * 10 + 10


@pytest.mark.parametrize(("groups", "millions"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenet_v1_table_without_the_dense_layer(groups: int, millions: int) -> None:
    """Zhang et al. 2018, Table 1."""
    network = archlens.load(f"shufflenet_v1_g{groups}")
    assert round((network.macs - network["fc"].macs) / 1e6) == millions


def test_option_a_has_no_parameters() -> None:
    """He et al. 2016, section 4.2: identity shortcuts, zeros in the channels that are new."""
    network = archlens.load("resnet20_cifar")
    for name, channels in (("layer2.0.skip.zeros", 32), ("layer3.0.skip.zeros", 64)):
        layer = network[name]
        assert (layer.params, layer.macs, layer.shape.channels) == (0, 0, channels)
        assert layer.input_shapes[0].channels == channels // 2


def test_mobilenet_v1_keras_in_keras_counting() -> None:
    """Keras 3.15 counts 4,264,808 for it: moving means and variances are parameters there."""
    network = archlens.load("mobilenet_v1_keras")
    moving = sum(2 * layer.shape.channels for layer in network if layer.op.kind == "batch_norm")
    assert network.params + moving == 4_264_808
    assert network.params == 4_242_920  # those that it trains


def test_deeplab_v2_is_its_trunk_and_four_classifiers() -> None:
    """The trunks are as counted elsewhere; the classifiers are arithmetic of the layers."""
    # the convolutions of VGG-16; fc6 with holes, fc7 and fc8 of each branch
    trunk = 138_357_544 - (25_088 + 1) * 4096 - (4096 + 1) * 4096 - (4096 + 1) * 1000
    classifier = (512 * 3 * 3 + 1) * 1024 + (1024 + 1) * 1024 + (1024 + 1) * 21
    assert archlens.load("deeplab_v2").params == trunk + 4 * classifier
    # torchvision 0.28, resnet101 without its classifier; one convolution in each branch
    network = archlens.load("deeplab_v2_resnet101")
    assert network.params == 44_549_160 - (2048 + 1) * 1000 + 4 * (2048 * 3 * 3 + 1) * 21
    # 321 halved three times and rounded up: 161, 81, 41; what is dilated keeps its size
    sizes = {
        "layer1": (256, 81),
        "layer2": (512, 41),
        "layer3": (1024, 41),
        "layer4": (2048, 41),
        "aspp": (21, 41),
    }
    for name, (channels, side) in sizes.items():
        assert end_of(network, name) == (channels, side, side)


def test_tiny_yolo_v2_fills_its_weights_file() -> None:
    """tiny-yolo-voc.weights has 63,471,556 bytes: a header of 16, and four for each number of the network."""
    network = archlens.load("tiny_yolo_v2")
    moving = sum(2 * layer.shape.channels for layer in network if layer.op.kind == "batch_norm")
    assert 16 + 4 * (network.params + moving) == 63_471_556


@pytest.mark.parametrize("path", sorted(library.directory().glob("*.yaml")), ids=lambda path: path.stem)
@pytest.mark.slow
def test_spec_files(path: Path) -> None:
    """Each cites its paper, has its names found by the scan that ``find`` relies on, and elaborates."""
    text = path.read_text("utf-8")
    spec = parse(text, name=path.stem)
    assert spec.meta.title
    assert spec.meta.summary
    assert all({"authors", "title", "year"} <= paper.keys() for paper in spec.meta.papers)
    assert spec.meta.papers
    assert library.scan(path.stem, text) == (list(spec.variants) or [path.stem])
    for name in library.scan(path.stem, text):
        network = zoo.network(name)
        assert network.name == name
        assert network.layers
        assert archlens.load(f"{path}:{name}" if spec.variants else str(path)).params == network.params
    assert open_spec(str(path)).source.name == str(path)


def test_names_are_unique_over_the_zoo() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert len(NAMES) == sum(map(len, library.families().values()))
