"""Torch modules as networks, held against the specs of the zoo, hooks, and torch's own counter."""

from __future__ import annotations

import json
import random
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import archlens
from archlens.analysis import difference, sizes
from archlens.analysis.difference import SAME
from archlens.analysis.refitting import Refitting
from archlens.cli import cli
from archlens.ops.op import NonUniform
from archlens.shape import Shape

from .conftest import load_torchvision

torch = pytest.importorskip("torch")
nn = torch.nn
functional = nn.functional

#: One network of each of torchvision's families.
FAMILIES = [
    *("alexnet", "convnext_tiny", "deeplabv3_mobilenet_v3_large", "densenet121", "efficientnet_b0"),
    *("fcn_resnet50", "inception_v3", "lraspp_mobilenet_v3_large", "maxvit_t", "mnasnet0_5", "mobilenet_v2"),
    *("mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnext50_32x4d"),
    *("shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11_bn", "vit_b_32"),
]


#: What those among them that label pixels are made with.
SEGMENTING: dict[str, dict[str, Any]] = {
    "deeplabv3_mobilenet_v3_large": {"weights_backbone": None, "aux_loss": True},
    "fcn_resnet50": {"weights_backbone": None, "aux_loss": True},
    "lraspp_mobilenet_v3_large": {"weights_backbone": None},
}


def without_values(make: Any, **values: Any) -> Any:
    """A module of torchvision's without time spent on the values of its weights."""
    own = {}
    for name in dir(nn.init):
        if name.endswith("_") and not name.startswith("_"):
            own[name] = getattr(nn.init, name)
            setattr(nn.init, name, lambda tensor, *_args, **_kwargs: tensor)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make(**values)
    finally:
        for name, function in own.items():
            setattr(nn.init, name, function)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_of_torchvision_is_its_spec(name: str) -> None:
    spec = archlens.load(name)
    module = without_values(load_torchvision().models.get_model, name=name, **SEGMENTING.get(name, {}))
    traced = archlens.trace(module, spec.input)
    found = difference.find(spec, traced)
    assert {pair.kind for pair in found.pairs} == {SAME}
    assert list(traced.outputs.values()) == [found.of(SAME)[-1].new.name] or len(spec.outputs) > 1
    assert traced.state() == {key: tuple(value.shape) for key, value in module.state_dict().items()}
    assert (traced.params, traced.macs, traced.training_macs) == (spec.params, spec.macs, spec.training_macs)
    ours, theirs = archlens.study(traced), archlens.study(spec)
    memory, said = ours.memory(batch=1), theirs.memory(batch=1)
    for peak in ("inference", "in_place", "eager"):
        assert getattr(memory, peak).bytes == getattr(said, peak).bytes
    assert (memory.saved, memory.training) == (said.saved, said.training)
    for pair in found.pairs:
        assert pair.old is not None
        assert pair.new is not None
        one, other = ours.receptive_fields[pair.new.name], theirs.receptive_fields[pair.old.name]
        assert type(one) is type(other)
        assert one == other or isinstance(one, NonUniform)  # which says the name of a layer


def test_the_sizes_that_fit_are_those_of_the_spec() -> None:
    spec = archlens.load("swin_t")
    traced = archlens.trace(without_values(load_torchvision().models.swin_t), (3, 224, 224))
    assert sizes.find(traced).smallest == sizes.find(spec).smallest


class Everything(nn.Module):
    """What modules of one's own do beside calling layers in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.shared = nn.Conv2d(8, 8, 1)
        self.scale = nn.Parameter(torch.ones(8, 1, 1))
        self.never = nn.Linear(3, 5)
        self.register_buffer("mask", torch.ones(4))
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        x = self.act(self.stem(x))
        y = self.shared(x)
        y = self.act(self.shared(y)) * self.scale
        x = torch.cat([x, y[:, :4]], 1)
        x = functional.max_pool2d(x, 2)
        x = x[:, :8] + functional.interpolate(x[:, 4:], size=x.shape[-2:])
        x = x.mean((2, 3))
        return self.fc(functional.dropout(x, 0.3, self.training))


def test_a_module_of_ones_own() -> None:
    module = Everything()
    network = archlens.trace(module, torch.rand(2, 3, 16, 16))
    assert network.params == sum(tensor.numel() for tensor in module.parameters())
    assert set(network.state()) == set(module.state_dict())
    # 3x3 of 3 into 8 on 16x16, twice 8 into 8 on 16x16, and 8 into 4
    assert network.macs == 27 * 8 * 256 + 2 * 8 * 8 * 256 + 8 * 4
    assert [str(layer.op) for layer in network if layer.name.startswith("act")] == ["relu", "relu"]
    assert network["shared"].params == 72
    assert network["shared_1"].params == 0  # the second time with the same weights
    assert network["shared_1"].key("weight") == "shared.weight"
    assert network["never"].params == 20
    assert str(network["scale"].op).startswith("layer_scale")


class Borrows(nn.Module):
    """A function that is given the weight of a module."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return nn.functional.linear(self.fc(x), self.fc.weight)


def test_a_bias_that_a_function_is_given_is_not_built() -> None:
    class Strided(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(2, 2, 1)

        def forward(self, x: Any) -> Any:
            return functional.conv1d(self.conv(x), self.conv.weight, self.conv.bias, stride=2)

    network = archlens.trace(Strided(), (2, 8))
    assert (network.params, network.macs) == (6, 4 * 8 + 4 * 4)
    with pytest.raises(archlens.UsageError) as caught:
        archlens.build(network)
    assert "Strided cannot be built: conv_1 has its bias from conv.bias" in str(caught.value)


def test_what_ran_is_counted_as_torch_counts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    module = nn.Sequential(nn.Linear(20, 32), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False))
    network = archlens.trace(module, (10, 20))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.train()(torch.rand(1, 10, 20))
    assert 2 * network.macs == counter.get_total_flops()
    assert not network.unknown
    assert network.params == sum(tensor.numel() for tensor in module.parameters())


def test_what_nobody_knows_is_said() -> None:
    class Odd(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.linalg.inv(x)

    network = archlens.trace(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), Odd()), (3, 8, 8))
    assert list(network.unknown) == ["1"]
    assert f"{network.macs:,}" == "at least 5,184"
    assert network.output == (3, 8, 8)


def test_a_layer_whose_module_has_another_in_it() -> None:
    """As a normalization that runs its activation by itself; a layer is no scope, too."""

    class Normed(nn.BatchNorm2d):
        def __init__(self, channels: int) -> None:
            super().__init__(channels)
            self.drop = nn.Identity()
            self.act = nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.act(self.drop(super().forward(x)))

    module = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1), Normed(4)), nn.Sequential(Normed(4)))
    network = archlens.trace(module, (3, 8, 8))
    assert [(layer.name, layer.op.kind) for layer in network] == [
        ("0.0", "conv"),
        ("0.1", "batch_norm"),
        ("0.relu", "relu"),
        ("1.0", "batch_norm"),
        ("1.relu", "relu"),
    ]
    assert network.state() == {key: tuple(value.shape) for key, value in module.state_dict().items()}


@pytest.mark.parametrize("given", [{}, {"is_causal": True}, {"attn_mask": torch.ones(5, 5).bool()}])
def test_the_products_of_attention_are_known(given: dict[str, Any]) -> None:
    class Attention(nn.Module):
        def forward(self, x: Any) -> Any:
            q, k, v = x.unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
            return functional.scaled_dot_product_attention(q, k, v, **given)

    network = archlens.trace(Attention(), (5, 24))
    assert not network.unknown
    assert network.macs == 2 * 2 * 5 * 5 * 4  # the scores and what they weigh, of 2 heads of 4


def test_what_depends_on_weights_alone_is_counted_once() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    class Bias(nn.Module):
        """A bias by a small network, as positions have, that two layers read; one is made for each sample."""

        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.rand(7, 3))
            self.bias = nn.Linear(3, 5)
            self.fc = nn.Linear(5, 5)

        def forward(self, x: Any) -> Any:
            bias = self.bias(self.table).cumsum(0)  # of which no op makes a layer
            each = self.bias(self.table.expand(len(x), -1, -1))
            return self.fc(x + bias) + bias + each

    network = archlens.trace(Bias(), (7, 5))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        Bias().requires_grad_(False)(torch.rand(1, 7, 5))
    assert 2 * network.macs == counter.get_total_flops()
    once = [layer.macs_once for layer in network]
    assert [n for n in once if n] == [7 * 3 * 5]
    assert network.params == sum(tensor.numel() for tensor in Bias().parameters())


def test_what_depends_on_weights_alone_in_a_way_that_nobody_knows() -> None:
    class Whitened(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.eye(4))

        def forward(self, x: Any) -> Any:
            return x + torch.linalg.inv(self.table)

    assert archlens.trace(Whitened(), (4, 4)).unknown


def test_a_module_gives_what_a_hook_sees_where_its_input_was_moved() -> None:
    """What is moved and then added to lies as it was moved, for the module that reads it."""

    class Moved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(6)
            self.drop = load_torchvision().ops.StochasticDepth(0.5, "row")

        def forward(self, x: Any) -> Any:
            x = self.norm(x.flatten(2).transpose(1, 2) + torch.ones(20, 6, device=x.device))
            return self.drop(x.view(-1, 4, 5, 6))

    network = archlens.trace(Moved(), (6, 4, 5))
    assert (network["norm"].shape, network["drop"].shape) == ((20, 6), (4, 5, 6))


def test_windows_beside_the_batch_are_layers() -> None:
    class Windows(nn.Module):
        """Windows are samples of their own to what runs within them."""

        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.LayerNorm(6), nn.Linear(6, 12), nn.GELU(), nn.Dropout(0.1), nn.Linear(12, 6)
            )

        def forward(self, x: Any) -> Any:  # maps of 4 x 6 are 2 x 3 windows of 4
            b, c, h, w = x.shape
            y = x.permute(0, 2, 3, 1).view(b, 2, 2, 3, 2, c).transpose(2, 3).reshape(b * 6, 4, c)
            y = self.body(y).view(b, 2, 3, 2, 2, c).transpose(2, 3).reshape(b, h, w, c)
            return x + y.permute(0, 3, 1, 2)

    network = archlens.trace(Windows(), (6, 4, 6))
    assert [str(network[f"body.{i}"].op) for i in range(5)] == [
        *("layer_norm", "linear(12)", "gelu", "dropout(p=0.1)", "linear(6)")
    ]
    assert {"window_partition", "window_reverse"} < {layer.name for layer in network}
    assert {network[f"body.{i}"].shape[:2] for i in range(5)} == {(6, 4)}
    assert not [layer for layer in network if layer.op.kind == "opaque"]
    assert network.macs == 2 * 24 * 6 * 12
    assert network.output == (6, 4, 6)


def test_a_filter_that_is_not_trained_is_no_parameter() -> None:
    class Blur(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("filter", torch.ones(3, 1, 3, 3), persistent=False)

        def forward(self, x: Any) -> Any:
            return functional.conv2d(x, self.filter, padding=1, groups=3)

    network = archlens.trace(nn.Sequential(nn.Conv2d(3, 3, 1), Blur()), (3, 8, 8))
    assert network.params == 12
    assert network.macs == 9 * 64 + 3 * 64 * 9
    assert list(network.state()) == ["0.weight", "0.bias"]


def test_autocast_on_the_device_of_the_input() -> None:
    class Careful(nn.Module):
        def forward(self, x: Any) -> Any:
            with torch.autocast(device_type=x.device.type, dtype=torch.bfloat16):
                return functional.relu(x)

    own = torch.autocast.__init__
    assert archlens.trace(Careful(), (4, 4)).output == (4, 4)
    assert torch.autocast.__init__ is own


def test_what_is_written_in_place_is_read_where_it_lies() -> None:
    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Any) -> Any:
            out = torch.zeros(x.shape[0], 8, *x.shape[2:])
            out[:, :4] = self.conv(x)
            out[:, 4:] = self.conv(x).relu_()
            return out

    network = archlens.trace(Writes(), (3, 5, 5))
    assert network.output == (8, 5, 5)
    assert {"conv", "conv_1"} <= network.needed
    assert network.macs == 2 * 3 * 4 * 25


def test_a_batch_that_is_taken_apart_is_one_sample() -> None:
    class Loops(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: Any) -> Any:
            return torch.stack([self.fc(row) for row in x])

    network = archlens.trace(Loops(), (4,))
    assert (network.output, network["fc"].op.kind, network.macs) == ((4,), "linear", 16)
    account = network.origin.account  # type: ignore[union-attr]
    assert account.way == "one run on one sample without values, since the batch is taken apart or mixed"


class Finds(nn.Module):
    """Boxes where scores are high, and what is said of each; of images that it takes one by one."""

    def __init__(self, above: float) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3, 2, 1)
        self.scores = nn.Conv2d(8, 1, 1)
        self.boxes = nn.Linear(8, 4)
        self.mask = nn.Conv2d(8, 5, 3, padding=1)
        self.above = above

    def forward(self, images: Any) -> Any:
        mean = torch.tensor([0.4, 0.5, 0.6], device=images[0].device)[:, None, None]
        batch = torch.stack([(image - mean) * 2 for image in images])
        maps = self.body(batch)
        found = []
        for features, scores in zip(maps, self.scores(maps).sigmoid(), strict=True):
            rows, columns = torch.where(scores[0] > self.above)
            chosen = features[:, rows, columns].t()
            crops = chosen[:, :, None, None].expand(-1, -1, 4, 4)
            found.append({"boxes": self.boxes(chosen).relu(), "masks": self.mask(crops)})
        return found


@pytest.mark.parametrize("above", [0.5, 2.0], ids=["some boxes", "no box"])
def test_a_detector_that_finds_things_in_one_sample(above: float) -> None:
    """Its products are those that torch counts where it runs on the same image."""
    torch.manual_seed(3)
    module, x = Finds(above).eval(), torch.rand(2, 3, 12, 16)
    with pytest.raises(archlens.SpecError, match="real=True") as raised:
        archlens.trace(module, x)
    assert "Finds does not run" in str(raised.value)
    network = archlens.trace(module, x, real=True)
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        (found,) = module(x[:1])
    assert (len(found["boxes"]) > 0) == (above < 1)
    assert network.macs == counter.get_total_flops() // 2
    assert not network.unknown
    assert network.params == sum(one.numel() for one in module.parameters())
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    shapes = {tuple(network[name].shape) for name in network.outputs.values()}
    if above < 1:
        count = len(found["boxes"])
        assert shapes == {(count, 4), (count, 5, 4, 4)}
        assert network["boxes"].op.kind == "linear"
    account = network.origin.account  # type: ignore[union-attr]
    assert account.way.startswith("one run on one sample, with values")


def test_what_another_library_computes_is_named_as_such() -> None:
    """Where nobody says what it costs it is not known; a network of torchvision's counts its products."""
    library = torch.library.Library("someone", "FRAGMENT")
    library.define("act(Tensor x) -> Tensor")
    library.impl("act", torch.empty_like, "Meta")

    class Acts(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.ops.someone.act(x)

    network = archlens.trace(Acts(), (4,))
    assert dict(network.unknown) == {"act": "archlens has no op for someone.act"}


def test_a_part_may_run_where_the_whole_does_not() -> None:
    class Detects(nn.Module):
        """Of a list of images; of a batch of them what is behind its body depends on values."""

        def __init__(self, body: nn.Module, lists: bool) -> None:
            super().__init__()
            self.before, self.body, self.boxes = nn.ReLU(), body, nn.Linear(4, 4)
            self.lists = lists

        def forward(self, x: Any) -> Any:
            if self.lists and not isinstance(x, list):
                raise ValueError("a list of images is expected")
            x = self.body(self.before(x))
            return self.boxes(x[x.amax(1) > 0.5])

    for body, lists, said in (
        (nn.Linear(4, 4), False, "its body may run by itself"),
        (nn.Linear(4, 4), True, "help: its body may run by itself"),
        (nn.Linear(3, 4), False, ""),  # which is what does not run
    ):
        with pytest.raises(archlens.SpecError) as caught:
            archlens.trace(Detects(body, lists), (4,))
        assert ("by itself" in str(caught.value), said in str(caught.value)) == (bool(said), True)


def test_a_window_whose_weights_are_computed_is_known() -> None:
    """A NaN at one position is in those outputs that see it."""

    class Doubled(nn.Module):
        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return weight + weight

    conv2d = nn.Conv2d(1, 2, (5, 3), stride=2, padding=(2, 0))
    nn.utils.parametrize.register_parametrization(conv2d, "weight", Doubled())
    module = nn.Sequential(
        conv2d,
        nn.Flatten(2),
        nn.utils.parametrizations.spectral_norm(nn.Linear(15, 4)),
    ).eval()
    network = archlens.trace(module, (1, 9, 7))
    assert not network.unknown
    # 5 x 3 of 1 into 2 on 5 x 3 positions, 15 into 4 for 2; what the norm multiplies reads parameters alone
    assert network.macs == 15 * 2 * 15 + 2 * 15 * 4
    conv = next(layer for layer in network if str(layer.op) == "convolution")
    fields = archlens.study(network).receptive_fields[conv.name]
    for axis, size in enumerate((9, 7)):
        for at in range(size):
            x = torch.rand(1, 1, 9, 7)
            x.select(axis + 2, at).fill_(float("nan"))
            with torch.no_grad():
                reached = module[0](x).isnan().movedim(axis + 2, 0).flatten(1).any(1).tolist()
            sees = [range(*fields[axis].at(i)) for i in range(len(reached))]
            assert reached == [at in one for one in sees]


def test_two_batches_in_one_are_no_batch_taken_apart() -> None:
    """As RAFT has it, which runs one encoder on both images."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Conv2d(3, 4, 3)

        def forward(self, x: Any, y: Any) -> Any:
            a, b = self.encoder(torch.cat([x, y])).chunk(2)
            return a - b

    network = archlens.trace(Both(), (3, 8, 8), (3, 8, 8))
    assert network.output == (4, 6, 6)
    assert network.macs == 2 * 27 * 4 * 36
    assert network.params == 27 * 4 + 4


def test_a_batch_that_is_gone_through_runs_on_one_sample_at_once() -> None:
    ran = []

    class Each(nn.Module):
        def forward(self, x: Any) -> Any:
            for row in x:
                ran.append(row * 2)
            raise ValueError("which comes later")

    with pytest.raises(archlens.SpecError, match=r"0 \(Each\(\)\) does not run"):
        archlens.trace(nn.Sequential(Each()), (4,))
    assert len(ran) == 1


def test_a_module_that_takes_its_batch_apart_and_raises() -> None:
    class Raises(nn.Module):
        def forward(self, x: Any) -> Any:
            raise ValueError(x[0] + 1)

    with pytest.raises(archlens.SpecError, match="Raises does not run"):
        archlens.trace(Raises(), (3, 4, 4))


def test_a_module_without_layers() -> None:
    class Nothing(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.ones(3)

    with pytest.raises(archlens.SpecError, match="no output of Nothing depends on its input"):
        archlens.trace(Nothing(), (3, 4, 4))
    with pytest.raises(archlens.SpecError, match="Identity has no layers"):
        archlens.trace(nn.Identity(), (3, 4, 4))


def test_pooling_along_one_axis() -> None:
    """Torch pools one axis as a map of height 1."""
    module = nn.Sequential(nn.Conv1d(1, 8, 9, 4), nn.MaxPool1d(2), nn.AvgPool1d(3, 2, 1), nn.Flatten())
    network = archlens.trace(module.half(), (1, 105))
    assert [str(layer.op) for layer in network] == [
        "conv(8, 9, stride=4)",
        "max_pool(2)",
        "avg_pool(3, stride=2, padding=1)",
        "flatten",
    ]


def test_what_torch_has_and_an_op_of_ours_has_not() -> None:
    """A form that an op does not take is no form of that op."""

    class Around(nn.Module):
        def forward(self, x: Any) -> Any:
            return functional.hardshrink(functional.pad(x, (1, 1, 2, 2), mode="circular"))

    network = archlens.trace(nn.Sequential(nn.Conv2d(2, 3, 1), Around()), (2, 4, 5))
    assert [str(layer.op) for layer in network] == ["conv(3, 1)", "pad", "hardshrink"]
    assert network.output == (3, 8, 7)
    assert not network.unknown
    assert network.macs == 4 * 5 * 2 * 3


def test_normalizations_that_are_functions_of_their_own() -> None:
    module = nn.Sequential(nn.LocalResponseNorm(5, k=2.0), nn.Flatten(2), nn.RMSNorm(6))
    network = archlens.trace(module, (4, 2, 3))
    assert [(layer.name, str(layer.op)) for layer in network if layer.op.family != "reshape"] == [
        ("0", "local_response_norm(5, k=2)"),
        ("2", "rms_norm(eps=1.19209289551e-07)"),  # what torch adds where nothing is said
    ]
    assert network.state() == {"2.weight": (6,)}
    built = archlens.build(archlens.trace(module[0], (4, 2, 3)))
    x = torch.rand(2, 4, 2, 3)
    assert torch.equal(built(x), module[0](x))


def test_a_module_that_does_more_than_what_has_its_weights() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.by = nn.Parameter(torch.rand(3))

        def forward(self, x: Any) -> Any:
            return functional.max_pool2d(x / (1 + self.by.cumsum(0).view(3, 1, 1)), 2)

    network = archlens.trace(nn.Sequential(Scaled(), Scaled()), (3, 8, 8))
    assert [(layer.name, layer.shape) for layer in network] == [
        ("0.div", (3, 8, 8)),
        ("0.max_pool", (3, 4, 4)),
        ("1.div", (3, 4, 4)),
        ("1.max_pool", (3, 2, 2)),
    ]
    assert list(network.state()) == ["0.by", "1.by"]


def test_code_that_reads_the_values_of_constants() -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.register_buffer("times", torch.tensor([2, 3]))

        def forward(self, x: Any) -> Any:
            at = torch.arange(4, device=x.device)
            at[0] = 1
            if (at.diff(prepend=at[:1]) == 0).all():
                raise ValueError("which is not so")
            for _ in range(self.times[0].item() if at.tolist() == [1, 1, 2, 3] else 7):
                x = self.fc(x)
            within = torch.ones(4, 4, device=x.device).tril().nonzero()
            if not torch.ones(len(x), 3, dtype=torch.bool, device=x.device).all():
                raise ValueError("which is not so for any number of samples")
            self.times += 1
            return x[:, : self.times.tolist()[1] - 1] * len(within)

    module = Reads()
    network = archlens.trace(module, (4,))
    assert [str(layer.op) for layer in network] == [
        "linear(4)",
        "linear(4)",
        "slice(stop=3)",
        "scale(10.0)",
        "unused",
    ]
    assert module.times.tolist() == [2, 3]


def test_constants_of_a_batch_are_kept_while_they_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    class Masks(nn.Module):
        def __init__(self, reads: Any) -> None:
            super().__init__()
            self.reads = reads

        def forward(self, x: Any) -> Any:
            seen = torch.ones(len(x), 1, 1, 600, device=x.device).expand(-1, 1, 600, 600)
            hidden = (1 - seen) * -1e9  # 360,000 numbers for each sample
            return x.relu() if self.reads(hidden) else x.tanh()

    from archlens.tracing.recording import _Operations

    values = _Operations._values
    most = 0

    def watched(*args: Any) -> Any:
        nonlocal most
        found = values(*args)
        if isinstance(found, torch.Tensor):
            most = max(most, found.untyped_storage().nbytes())
        return found

    monkeypatch.setattr(_Operations, "_values", watched)
    for reads, kind in ((lambda x: (x < 0).any(), "tanh"), (lambda x: x[:, 0].max().item() == 0, "relu")):
        network = archlens.trace(Masks(reads), (4,))
        assert [layer.op.kind for layer in network] == [kind]
    assert 600 * 600 * 4 <= most < 2**27
    # of one sample it would be another number
    for reads in (lambda x: (x == 0).sum() > 600**2, lambda x: len(x.nonzero()), lambda x: x.sum(0).tolist()):
        with pytest.raises(archlens.SpecError, match="Masks does not run") as caught:
            archlens.trace(Masks(reads), (4,))
        assert "real=True" in str(caught.value)


def test_a_constant_into_which_what_nobody_knows_is_written_has_no_values() -> None:
    class Writes(nn.Module):
        def forward(self, x: Any) -> Any:
            row = torch.zeros(3, device=x.device)
            if row.sum() == 0:
                row[1:] += x.max()
            return x.relu() if row.sum() == 0 else x.tanh()

    with pytest.raises(archlens.SpecError, match="Writes does not run"):
        archlens.trace(Writes(), (4,))


def test_what_is_moved_after_it_was_repeated() -> None:
    """Its axes are not those that a layer has, turned round."""

    class Repeats(nn.Module):
        def forward(self, x: Any) -> Any:
            return functional.relu(x).unsqueeze(1).expand(-1, 1, -1, -1).transpose(2, 3).reshape(-1, 3, 10)

    network = archlens.trace(Repeats(), (5, 6))
    assert network.output == (3, 10)
    assert [layer.name for layer in network] == ["relu", "rearrange"]


def test_a_weight_of_two_modules_names_the_layer_of_its_own() -> None:
    class Scaled(nn.Embedding):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * 2

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = Scaled(7, 4)
            self.head = nn.Linear(4, 7, bias=False)
            self.head.weight = self.table.weight

        def forward(self, x: Any) -> Any:
            return self.head(self.table(x))

    network = archlens.trace(nn.Sequential(Tied()), torch.zeros(1, 3, dtype=torch.long))
    assert network["0.head"].shape == (3, 7)
    assert network["0.head"].key("weight") == "0.table.weight"
    assert network.params == 28


def test_what_is_not_called_beside_what_is_in_it() -> None:
    """Both have tensors that nothing reads; one of them is a scope of the other."""

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(3)
            self.register_buffer("kept", torch.ones(2))

    class Unread(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 3)
            self.inner = Inner()

        def forward(self, x: Any) -> Any:
            return self.fc(x)

    module = Unread()
    assert set(archlens.trace(module, (3,)).state()) == set(module.state_dict())


def test_code_that_reads_the_values_of_its_input() -> None:
    class Reads(nn.Module):
        def forward(self, x: Any) -> Any:
            return x if torch.ones(3, device=x.device).sum() + x.max() > 0 else -x

    with pytest.raises(archlens.SpecError, match="Reads does not run"):
        archlens.trace(Reads(), (4,))


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "swin_t"])
def test_what_is_built_of_a_traced_network_computes_the_same(name: str) -> None:
    module = load_torchvision().models.get_model(name).eval()
    again = archlens.build(archlens.trace(module, (3, 64, 64))).eval()
    again.load_state_dict(module.state_dict())
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(again(x), module(x))


def test_a_network_on_another_input_runs_the_module_again() -> None:
    class Baked(nn.Module):
        """A side of 8 or more is pooled; what runs depends on the input."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3, padding=1)

        def forward(self, x: Any) -> Any:
            x = self.conv(x)
            return functional.max_pool2d(x, 2) if x.shape[-1] >= 8 else x

    network = archlens.trace(Baked(), (1, 4, 4))
    assert network.output == (2, 4, 4)
    assert network.with_input((1, 8, 8)).output == (2, 4, 4)
    assert network.with_input((1, 8, 8), advice=False).output == (2, 4, 4)
    for scaled in sizes.find(network.with_input((1, 8, 8))).scaled:
        side = scaled.input[1]
        assert scaled.output[1] == (side // 2 if side >= 8 else side)


@pytest.mark.parametrize("fails", [False, True])
def test_no_trace_is_left(fails: bool) -> None:
    class Draws(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)
            self.conv = nn.Conv2d(3, 4, 1)
            self.calls = 0
            self.register_buffer("mean", torch.zeros(3))

        def forward(self, x: Any) -> Any:
            random.random()
            torch.rand(3)
            self.calls += 1
            self.seen = self.conv.last = x
            self.mean.copy_(x.mean((0, 2, 3)))
            self.mean = self.mean * 0.9
            x = self.conv(functional.dropout(self.norm(x)))
            if fails:
                raise ValueError("no")
            return x

    module = Draws()
    module.conv.eval()
    before = {
        name: (id(tensor), tensor.clone()) for name, tensor in module.state_dict(keep_vars=True).items()
    }
    modes = [part.training for part in module.modules()]
    attributes = [dict(vars(part)) for part in module.modules()]
    states = torch.get_rng_state(), random.getstate(), torch.get_default_dtype(), torch.is_grad_enabled()
    hooks = [value for name, value in vars(nn.modules.module).items() if name.startswith("_global_")]
    assert len([one for one in hooks if isinstance(one, dict)]) > 4
    if fails:
        with pytest.raises(archlens.SpecError):
            archlens.trace(module, (3, 4, 4))
    else:
        archlens.trace(module, (3, 4, 4))
    assert [part.training for part in module.modules()] == modes
    assert [dict(vars(part)) for part in module.modules()] == attributes
    after = module.state_dict(keep_vars=True)
    assert all(
        id(after[name]) == own and torch.equal(after[name], old) for name, (own, old) in before.items()
    )
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), torch.get_default_dtype(), torch.is_grad_enabled()) == states[1:]
    assert not any(one for one in hooks if isinstance(one, dict))
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore:Using `torch.compile")
@pytest.mark.parametrize("how", ["hooked", "scripted", "normed", "compiled", "copied"])
def test_modules_in_other_forms(how: str) -> None:
    module: Any = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1, bias=False))
    kinds = ["conv", "relu", "conv"]
    if how == "hooked":
        module[0].register_forward_hook(lambda _m, _i, out: out * 2)
        kinds.insert(1, "scale")
    elif how == "scripted":
        module[0] = torch.jit.script(module[0])
        with pytest.raises(archlens.UsageError, match=r"0 is a module of torch\.jit") as caught:
            archlens.trace(module, (3, 8, 8))
        assert "the module that it was made of can be traced" in str(caught.value)
        return
    elif how == "normed":
        nn.utils.parametrizations.weight_norm(module[2])
        kinds[2] = "wn_conv"
    elif how == "compiled":
        module = torch.compile(module, backend="eager")
    elif how == "copied":
        with pytest.raises(archlens.UsageError, match=r"its `\.module` is what can be traced"):
            archlens.trace(nn.DataParallel(module), (3, 8, 8))
        return
    state = {key: (one, one.clone()) for key, one in module.state_dict().items()}
    network = archlens.trace(module, (3, 8, 8))
    assert [layer.op.kind for layer in network] == kinds
    # 27 products for each of 8 x 6 x 6 values, and 8 for each of 4 x 6 x 6
    assert (network.params, network.macs) == (
        sum(one.numel() for one in module.parameters()),
        27 * 8 * 36 + 8 * 4 * 36,
    )
    assert {key: one.data_ptr() for key, one in module.state_dict().items()} == {
        key: one.data_ptr() for key, (one, _) in state.items()
    }
    assert all(torch.equal(one, before) for one, before in state.values())


class Disturbed(nn.Module):
    """A discriminator as it is written since 2018: each layer has a norm of its own."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.first, self.second = norm(nn.Conv2d(3, 8, 4, 2, 1)), norm(nn.ConvTranspose2d(8, 4, 2, 2))
        self.fc = norm(nn.Linear(4, 2))

    def forward(self, x: Any) -> Any:
        return self.fc(self.second(self.first(x).relu()).mean((2, 3)))


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize(
    ("norm", "remover"),
    [
        (nn.utils.parametrizations.spectral_norm, "parametrize.remove_parametrizations"),
        (nn.utils.spectral_norm, "remove_spectral_norm"),
        (nn.utils.parametrizations.weight_norm, "parametrize.remove_parametrizations"),
        (nn.utils.weight_norm, "remove_weight_norm"),
    ],
)
def test_weights_that_are_normed_count_as_those_they_are_made_of(norm: Any, remover: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    module = Disturbed(norm).eval()
    network = archlens.trace(module, (3, 8, 8))
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        module(torch.rand(1, 3, 8, 8))
    assert network.macs == counted.get_total_flops() // 2 == 48 * 8 * 16 + 128 * 16 + 8
    assert network.params == sum(one.numel() for one in module.parameters())
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    assert not network.unknown
    with pytest.raises(archlens.UsageError) as caught:
        archlens.convert(network)
    assert f"after torch.nn.utils.{remover} it is a " in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_the_older_hook_of_weight_norm_converts() -> None:
    module = nn.Sequential(
        nn.utils.weight_norm(nn.Conv1d(4, 8, 3, dilation=2)),
        nn.ReLU(),
        nn.utils.weight_norm(nn.Conv1d(8, 4, 5), dim=2),
    ).eval()
    spec = archlens.loads(archlens.convert(archlens.trace(module, (4, 20))))
    assert [layer.op.kind for layer in spec] == ["wn_conv", "relu", "wn_conv"]
    built = archlens.build(spec).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 4, 20)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


def test_what_a_module_raises_is_said_with_its_layer() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sequential(nn.ReLU(), nn.Conv2d(9, 4, 3)))
    with pytest.raises(archlens.SpecError) as caught:
        archlens.trace(module, (3, 32, 32))
    said = str(caught.value)
    assert said.startswith("error: 1.1 (Conv2d(9, 4, kernel_size=(3, 3), stride=(1, 1))) does not run\n")
    assert "its input was batchx8x30x30" in said
    assert caught.value.network is not None
    assert [layer.name for layer in caught.value.network][:2] == ["0", "1.0"]


MODEL = '''
import torch
from torch import nn


class Net(nn.Module):
    """Two convolutions."""

    def __init__(self, width=16, *, depth=1):
        super().__init__()
        if width > 1000:
            raise ValueError("too wide")
        self.body = nn.Sequential(*[nn.Conv2d(3 if not i else width, width, 3) for i in range(depth + 1)])

    def forward(self, x):
        return self.body(x)


class Odd(nn.Module):
    """What archlens has no op for, what moves values, and weights that nothing reads."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.scale = nn.Parameter(torch.ones(3))
        self.never = nn.Linear(3, 3)

    def forward(self, x):
        x = self.conv(torch.linalg.inv(self.conv(x)))
        return x.view(-1, 3, 2, 8, 4).transpose(2, 3).relu() * self.scale.exp().mean()


class Many(Net):
    """Of a list of images."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 3, 1)
        self.body = nn.ModuleList([self.body])

    def forward(self, x):
        return [self.body[0](one) for one in x]


made = Net(4)
number = 3


def two(a, b):
    return Net(a)


def none():
    return None
'''


class Looks(nn.Module):
    """A module whose code looks at values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.few, self.many = nn.Linear(8, 4), nn.Linear(8, 40)

    def features(self, x: Any) -> Any:
        return self.conv(x).mean((2, 3))


class Branches(Looks):
    def forward(self, x: Any) -> Any:
        return self.many(self.features(x)) if x.sum() > 0 else self.few(self.features(x))


class Pools(Looks):
    def forward(self, x: Any) -> Any:
        return self.few(self.features(functional.max_pool2d(x, int(x.max().item()) + 1)))


class Listed(Looks):
    def forward(self, x: Any) -> Any:
        return self.few(self.features(x)) * x.flatten(1).sum(0).tolist()[0]


class Counts(Looks):
    def forward(self, x: Any) -> Any:
        return self.few(self.features(x)) * len(torch.unique(x)) + float(x.cpu().numpy().mean())


class Repeats(Looks):
    def forward(self, x: Any) -> Any:
        b = x.shape[0]
        for _ in range(len(torch.nonzero(x[:, 0, 0, :3].reshape(b * 3)))):
            x = x.reshape(b * 3, -1).view(b, 3, *x.shape[2:]).relu()
        return self.few(self.features(x))


@pytest.mark.parametrize("kind", [Branches, Pools, Listed, Counts, Repeats])
@pytest.mark.parametrize("value", [2.0, -3.0])
def test_a_sample_goes_the_way_that_its_values_say(kind: Any, value: float) -> None:
    """What runs on one sample is what torch's own counter sees of the same module on it."""
    from torch.utils.flop_counter import FlopCounterMode

    module = kind().eval()
    x = torch.full((1, 3, 8, 8), abs(value) if kind is Pools else value)
    with pytest.raises(archlens.SpecError) as caught:
        archlens.trace(module, x)
    assert "archlens.trace(..., real=True), or --real, runs it on the values of one sample" in str(
        caught.value
    )
    state = torch.get_rng_state()
    network = archlens.trace(module, x.expand(4, -1, -1, -1), real=True)
    assert torch.equal(torch.get_rng_state(), state)
    ran: list[str] = []
    for name, part in module.named_children():
        part.register_forward_hook(lambda *_, n=name: ran.append(n))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        out = module(x)
    assert 2 * network.macs == counter.get_total_flops()
    assert network.output == tuple(out.shape[1:])
    needed = network.needed
    assert {name for name in ("conv", "few", "many") if name in needed} == set(ran)
    assert [layer.op.kind for layer in network].count("relu") == (3 if kind is Repeats else 0)
    assert network.with_input((3, 12, 12)).input == (3, 12, 12)


class Policy(nn.Module):
    """An actor and a critic, as people write them: what it gives is drawn, or the distribution itself."""

    def __init__(self, *, draws: bool) -> None:
        super().__init__()
        self.mean, self.value = nn.Linear(12, 4), nn.Linear(12, 1)
        self.log_std = nn.Parameter(torch.zeros(4))
        self.draws = draws

    def forward(self, x: Any) -> Any:
        given = torch.distributions.Normal(self.mean(x), self.log_std.exp())
        if not self.draws:
            return given, torch.distributions.Categorical(logits=self.mean(x)), self.value(x)
        action = given.rsample()
        return action, given.log_prob(action).sum(-1), self.value(x)


class Moves(nn.Module):
    """Code that takes a GPU for granted."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.where = nn.Linear(8, 3), torch.device("cuda", 0)

    def forward(self, x: Any) -> Any:
        given = torch.zeros(3, device="cuda") + torch.arange(3).to(self.where, torch.float32)
        return self.fc(x.cuda()) + given.cuda() * self.fc(x.to("cuda:0", dtype=torch.float32))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, on which constants are made")
def test_code_that_asks_for_a_gpu_is_traced_without_one() -> None:
    network = archlens.trace(Moves(), (8,))
    assert (network.params, network.macs, network.output) == (27, 48, (3,))
    with pytest.raises((AssertionError, RuntimeError)):
        torch.zeros(3).cuda()


@pytest.mark.parametrize(
    ("given", "help"),
    [
        ((1, 3, 8, 8), "a shape has no batch: (3, 224, 224), where a tensor has one"),
        (torch.rand(3, 8, 8), "the first axis of a tensor is the batch; a single sample is given as x[None]"),
        ((4, 8, 8), None),
    ],
)
def test_a_batch_too_many_or_too_few(given: Any, help: str | None) -> None:
    with pytest.raises(archlens.SpecError, match="does not run") as caught:
        archlens.trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), given)
    assert caught.value.diagnostic.help.startswith(help or "")
    assert bool(caught.value.diagnostic.help) == bool(help)


def test_the_size_of_the_batch_in_a_message_of_torch_is_explained() -> None:
    with pytest.raises(archlens.SpecError, match="1009 is how many samples it is run on"):
        archlens.trace(nn.Sequential(nn.Flatten(), nn.Linear(9, 2)), (3, 4, 4))


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (lambda x: functional.conv_transpose2d(x, torch.rand(16, 4, 2, 2)), "to have 16 channels, but got 3"),
        (lambda x: x[:, [0, 3]], "index 3 is out of bounds for dimension"),
        (lambda x: x[:, :, torch.tensor([-9])], "index -9 is out of bounds for dimension"),
    ],
)
def test_what_the_meta_device_lets_pass_fails_as_it_does_elsewhere(does: Any, said: str) -> None:
    class Fails(nn.Module):
        def forward(self, x: Any) -> Any:
            return does(x)

    with pytest.raises((RuntimeError, IndexError), match=said.replace("-", "[-]")):
        Fails()(torch.rand(2, 3, 8, 8))
    with pytest.raises(archlens.SpecError, match=said):
        archlens.trace(Fails(), (3, 8, 8))


def test_a_class_is_no_module_yet() -> None:
    with pytest.raises(archlens.UsageError, match="Looks is a class, not yet a module"):
        archlens.trace(Looks, (3, 8, 8))


def test_distributions_look_at_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch.distributions.Distribution, "_validate_args", True
    )  # which torch.compile unsets
    for draws in (True, False):
        network = archlens.trace(Policy(draws=draws), (12,))
        assert network.macs == (1 if draws else 2) * 12 * 4 + 12
        assert network.output == (4,)
        assert len(network.outputs) == 3
    with pytest.raises(ValueError, match="to satisfy the constraint"):
        torch.distributions.Normal(torch.tensor(float("nan")), 1.0)

    class Alone(Policy):
        def forward(self, x: Any) -> Any:
            return torch.distributions.Normal(self.mean(x), self.log_std.exp())

    assert list(archlens.trace(Alone(draws=False), (12,)).outputs) == ["out"]


def test_what_leaves_torch_is_not_followed() -> None:
    class Leaves(Looks):
        def forward(self, x: Any) -> Any:
            return self.few(self.features(torch.from_numpy(x.numpy() * 2)))

    with pytest.raises(archlens.SpecError, match="no output of Leaves depends on its input"):
        archlens.trace(Leaves(), (3, 8, 8), real=True)


def test_commands_compute_a_sample_where_they_are_asked(model: Path) -> None:
    model.write_text(
        MODEL.replace("return self.body(x)", "return self.body(x) if x.sum() > 0 else self.body(x).relu()")
    )
    args = ["trace", "own_model:Net", "--input", "3x12x12"]
    assert "--real, runs it" in str(CliRunner().invoke(cli, args).exception)
    found = CliRunner().invoke(cli, [*args, "--real"])
    assert found.exit_code == 0
    assert "and on one sample with values" in found.output
    refused = CliRunner().invoke(cli, ["shapes", "lenet5", "--real"])
    assert "--real is for torch modules, which lenet5 is not" in str(refused.exception)
    refused = CliRunner().invoke(cli, ["check", "own_model:Net", "--real", "--params", "<= 1"])
    assert "check does not take --real" in str(refused.exception)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "own_model", raising=False)
    path = tmp_path / "own_model.py"
    path.write_text(MODEL)
    return path


def test_what_libraries_run_their_models_on(torchvision: Any, model: Path) -> None:
    """Those of torchvision on what their networks of the zoo are; timm's say so themselves."""
    assert torchvision.models.resnet18
    assert archlens.load("torchvision.models:resnet18").inputs == {"input": (3, 224, 224)}
    assert archlens.load("torchvision.models:inception_v3", init_weights=False).inputs == {
        "input": (3, 299, 299)
    }
    assert archlens.load("torchvision.models:resnet18", input="3x64x64").inputs == {"input": (3, 64, 64)}
    model.with_name("own_told.py").write_text(
        "from own_model import Net\n\n\nnet = Net()\nnet.default_cfg = {'input_size': (3, 20, 28)}\n"
    )
    assert archlens.load("own_told:net").inputs == {"input": (3, 20, 28)}
    with pytest.raises(archlens.UsageError, match="does not specify its input"):
        archlens.load("own_model:Net")


def test_a_module_by_its_python_name(model: Path) -> None:
    for name in ("own_model.py:Net", "own_model:Net", str(model) + ":Net"):
        found = CliRunner().invoke(
            cli, ["shapes", name, "--input", "3x12x12", "--set", "width=8", "--set", "depth=2"]
        )
        assert found.exit_code == 0, found.output
        # 3x3x3x8 + 8, and twice 3x3x8x8 + 8
        assert "body.2" in found.output
        assert f"{224 + 2 * 584:,}" in found.output
    assert CliRunner().invoke(cli, ["shapes", "own_model:made", "--input", "3x12x12"]).exit_code == 0


@pytest.mark.parametrize("name", ["own_model.py:Net.body.0", "own_model:Net.body.0"])
def test_a_part_of_a_module_by_its_path(model: Path, name: str) -> None:
    network = archlens.load(name, input=(3, 12, 12), width=8)
    assert (network.params, network.output) == (3 * 9 * 8 + 8, (8, 10, 10))
    assert network.with_input((3, 7, 5)).output == (8, 5, 3)
    assert network.with_values(width=6).params == 3 * 9 * 6 + 6
    assert archlens.load("own_model:made.body.1", input=(4, 12, 12)).params == 4 * 9 * 4 + 4


@pytest.mark.parametrize(
    "command",
    [
        *(["shapes"], ["explain"], ["sizes"], ["memory"], ["cost"], ["lint"], ["compare"]),
        *(["report", "-o", "out"], ["diagram", "-o", "out.svg"], ["shapes", "--format", "json"]),
    ],
    ids=" ".join,
)
def test_commands_take_a_module(model: Path, command: list[str]) -> None:
    found = CliRunner().invoke(cli, [command[0], "own_model:Net", "--input", "3x12x12", *command[1:]])
    assert found.exception is None, found.output
    assert found.exit_code == 0


def test_a_layer_of_training_whose_name_another_has_at_inference() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.aux, self.head = nn.Linear(12, 12), nn.Linear(6, 2), nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            x = self.body(x)
            if self.training:
                return self.aux(functional.max_pool1d(x.reshape(-1, 3, 4), 2).reshape(-1, 6))
            return self.head(functional.max_pool1d(x.reshape(-1, 2, 6), 2).reshape(-1, 6))

    network = archlens.trace(Net(), (12,))
    assert [layer.name for layer in network if layer.training and layer.facts.weights] == ["aux"]
    assert [layer.shape for layer in network if layer.op.kind == "max_pool"] == [(2, 3), (3, 2)]
    assert network.params == 12 * 13 + 2 * 7 + 3 * 7


def test_what_runs_in_training_alone_beside_the_parts_of_one_name() -> None:
    """What is one layer in one mode may be several in the other, which stand below its name."""

    class Act(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.relu(x) if self.training == self.several else torch.relu(torch.sigmoid(x))

    class Net(nn.Module):
        def __init__(self, several: bool) -> None:
            super().__init__()
            self.conv, self.act, self.aux = nn.Conv2d(3, 4, 1), Act(), nn.Linear(4, 2)
            self.act.several = several

        def forward(self, x: Any) -> Any:
            x = self.act(self.conv(x))
            return (x, self.aux(x.mean((2, 3)))) if self.training else x

    for several in (False, True):
        network = archlens.trace(Net(several), (3, 4, 4))
        names = [layer.name for layer in network]
        assert network["aux"].training
        assert not any(name.startswith(f"{other}.") for name in names for other in names)
        assert [layer.op.kind for layer in network if not layer.training][:2] == [
            "conv",
            "sigmoid" if several else "relu",
        ]


def test_what_computes_otherwise_in_training_alone() -> None:
    """A weight that nothing reads in either mode makes no head of what training does to the others."""

    class Augmented(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.token = nn.Linear(4, 4), nn.Parameter(torch.zeros(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.body(x).cumsum(1) if self.training else self.body(x)

    network = archlens.trace(Augmented(), (4,))
    assert [(layer.name, layer.training) for layer in network] == [("body", False), ("unused", False)]


def test_types_of_tensors_are_kept() -> None:
    """Buffers of any type have their bytes, and weights those of the type that they are kept in."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.register_buffer("order", torch.arange(4, dtype=torch.int32))
            self.register_buffer("scales", torch.ones(4, 1, 1, dtype=torch.float64))

        def forward(self, x: Any) -> Any:
            return self.conv(x)[:, self.order.long()] * self.scales

    module = Net()
    study = archlens.study(module, input=(3, 8, 8))
    assert study.memory().buffers == 4 * 4 + 4 * 8
    assert study.memory().stored is None
    module.conv.half()
    module.forward = lambda x: module.conv(x.half())  # type: ignore[method-assign]
    study = archlens.study(module, input=(3, 8, 8))
    assert study.network.dtypes == {"conv.weight": "float16", "conv.bias": "float16"}
    assert study.memory().stored == 2 * (4 * 27 + 4)


def test_a_value_is_read_once(model: Path) -> None:
    """A text in quotes stays one, also where the module is made once more."""
    model.write_text(
        "from torch import nn\n"
        "def made(width=2, called='a'):\n"
        "    assert isinstance(called, str)\n"
        "    return nn.Sequential(nn.Linear(4, width))\n"
    )
    network = archlens.study("own_model:made", input=(4,), called="'12'").network
    assert network.values == {"called": "12"}
    wider = network.with_values(width="3")
    assert wider.values == {"called": "12", "width": 3}
    assert wider.params == 4 * 3 + 3


def test_trace_says_what_is_known(model: Path) -> None:
    args = ["trace", "own_model:Odd", "--input", "3x8x8", "--format", "json"]
    said = json.loads(CliRunner().invoke(cli, [*args, "--coverage"]).output)
    ran, opaque = said["more"]
    rows = [tuple(row.values()) for row in ran["rows"]]
    # two convolutions and the inverse between them; the view and the transpose move what relu reads
    assert {("aten.convolution", 2, "conv", ""), ("aten.relu", 1, "relu", "")} < set(rows)
    assert {row[2] for row in rows if row[0] in ("aten.view", "aten.transpose")} == {"folded"}
    assert {row[0]: row[3] for row in rows if row[2] == "opaque"} == {
        "aten.linalg_inv_ex": "no op",
        "aten.mul": "no op",
    }
    assert ("aten.exp", 1, "constant", "") in rows
    known = {row["layer"].rpartition(".")[2]: (row["macs"], row["reach"]) for row in opaque["rows"]}
    assert known == {
        "linalg_inv_ex": (None, "unknown"),
        "mul": (0, "known"),
    }
    how = {row["traced"]: row["how"] for row in said["rows"]}
    assert how["layers"] == "4 of 6 are ops of archlens, and 1 that nothing calls"
    assert how["MACs"] == "known of 5 of 6 layers"
    assert how["reach"] == "known of 5 of 6 layers"
    assert "aten." not in CliRunner().invoke(cli, args).output  # which only --coverage lists


@pytest.mark.parametrize(
    ("net", "said"), [("Net", "a search over many sizes reuses"), ("Odd", "each size of")]
)
def test_trace_says_how_it_comes_to_other_inputs(model: Path, net: str, said: str) -> None:
    found = CliRunner().invoke(cli, ["trace", f"own_model:{net}", "--input", "3x8x8"])
    assert said in found.output


def held_against(network: archlens.Network, module: Any, **given: Any) -> Any:
    from archlens.backends.reference import Reference
    from archlens.backends.verification import verify

    inputs = [torch.rand(2, *shape) for shape in network.inputs.values()]
    return verify(network, batch=2, reference=Reference(module, tuple(inputs), {}, inputs), **given)


class Plain(nn.Module):
    def __init__(self, act: Any = functional.relu, stride: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.act = act
        self.conv = nn.Conv2d(3, 4, 3, stride, padding=1, bias=bias)
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        return self.fc(self.act(self.conv(x)).mean((2, 3)))


def test_a_module_is_verified_against_itself() -> None:
    module = Plain().train()
    network = archlens.trace(module, (3, 8, 8))
    found = held_against(network, module)
    assert found.passed
    assert [check.status for check in found.of("output")] == ["passed"]
    assert found.of("total")[0].found == f"{2 * (27 * 4 * 64 + 4 * 2):,}"  # of both samples
    assert module.training
    assert not module.conv._forward_hooks


@pytest.mark.parametrize(
    ("other", "failed"),
    [
        (Plain(act=torch.tanh), {("", "output")}),
        (Plain(stride=2), {("conv", "shape"), ("conv", "macs"), ("", "total"), ("", "output")}),
        (Plain(bias=False), {("conv", "weights"), ("", "output")}),
    ],
)
def test_another_module_fails(other: Any, failed: set[tuple[str, str]]) -> None:
    """A stride of 2 changes what conv gives and multiplies, but nothing of fc: a mean has no size."""
    found = held_against(archlens.trace(Plain(), (3, 8, 8)), other)
    assert {(check.layer, check.what) for check in found.checks if check.status == "failed"} == failed


def test_what_cannot_be_built_is_held_against_the_module_alone() -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(6, 6)
            self.rnn = nn.LSTM(6, 3, batch_first=True)
            self.start = nn.Parameter(torch.zeros(1, 1, 3))
            self.register_buffer("runs", torch.zeros(()))

        def forward(self, x: Any) -> Any:
            self.runs += 1
            start = self.start.expand(1, len(x), 3)
            return self.rnn(self.fc(x), (start, torch.zeros_like(start)))[0]

    module = Reads()
    found = held_against(archlens.trace(module, (5, 6)), module)
    assert found.passed
    assert module.runs == 0
    # 5 tokens of 6 into 6, then into and within 4 gates of 3; of 2 samples
    assert found.of("total")[0].found == f"{2 * 5 * (36 + 6 * 12 + 3 * 12):,}"
    assert {check.layer: check.status for check in found.of("shape")}["fc"] == "passed"
    (output,) = found.of("output")
    assert output.status == "not applicable"
    assert output.reason == "Reads cannot be built: rnn (LSTM) is opaque"


def test_verify_takes_a_module(model: Path) -> None:
    args = ["--input", "3x12x12", "--set", "width=4"]
    found = CliRunner().invoke(cli, ["verify", "own_model:Net", *args])
    assert found.exit_code == 0
    assert "own_model:Net       2     2/2      2/2   2/2     2/2    1/1     1/1  passed" in found.output
    assert CliRunner().invoke(cli, ["verify", "own_model:Net", *args, "--device", "meta"]).exit_code == 0
    said = CliRunner().invoke(cli, ["verify", "own_model:Odd", "--input", "3x8x8"])
    assert said.exit_code == 0
    assert "own_model:Odd: total not compared: linalg_inv_ex: archlens has no op for" in said.output
    assert "own_model:Odd: output not compared: own_model:Odd cannot be built" in said.output


def test_check_takes_a_module_that_is_asked_for(model: Path) -> None:
    args = ["check", "own_model:Net", "--input", "3x12x12", "--set", "width=8", "--params"]
    assert CliRunner().invoke(cli, [*args, "<= 808"]).exit_code == 0  # 3x3x3x8 + 8 and 3x3x8x8 + 8
    assert CliRunner().invoke(cli, [*args, "< 808"]).exit_code == 1


BUDGET = """
[tool.archlens.budgets]
depth = "<= 1"
networks."own_model.py:Net" = {input = "3x12x12", set = {width = 8}, params = "<= 808"}
networks."own_model:Net" = {input = "3x12x12", body = {macs = "<= 1"}}
networks."own*".macs = "<= 1"
"""


def verdicts(*args: str) -> dict[str, dict[str, bool]]:
    found = CliRunner().invoke(cli, ["check", *args, "--format", "json"])
    assert found.stdout, found.stderr
    return {
        network["name"]: {one["quantity"]: one["held"] for one in network["limits"]}
        for network in json.loads(found.stdout)["networks"]
    }


def test_a_table_of_budgets_names_a_module(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("pyproject.toml").write_text(BUDGET)
    # 3x3x3x8 + 8 and 3x3x8x8 + 8 are 808 parameters, of 2 convolutions in a row
    expected = {
        "own_model.py:Net": {"params": True, "depth": False, "macs": False},
        "own_model:Net": {"depth": False, "macs": False},
    }
    assert verdicts() == expected
    assert verdicts("own_model.py:Net") == {"own_model.py:Net": expected["own_model.py:Net"]}
    Path("inner").mkdir()
    monkeypatch.chdir("inner")
    assert verdicts() == expected
    assert verdicts("../own_model.py:Net") == {"own_model.py:Net": expected["own_model.py:Net"]}


def test_a_module_of_a_table_is_locked(model: Path) -> None:
    Path("pyproject.toml").write_text(BUDGET)
    CliRunner().invoke(cli, ["check", "--update"])
    assert '[networks."own_model.py:Net"]' in Path("archlens.lock").read_text()
    assert "not as locked" not in CliRunner().invoke(cli, ["check", "--locked"]).output
    model.write_text(MODEL.replace("width, 3)", "width, 5)"))
    assert "structure was" in CliRunner().invoke(cli, ["check", "--locked", "own_model.py:Net"]).output


def test_what_a_module_of_a_table_raises_is_no_end(model: Path) -> None:
    Path("pyproject.toml").write_text(BUDGET.replace("width = 8", "width = 2000"))
    found = CliRunner().invoke(cli, ["check"])
    assert found.exit_code == 1
    assert "own_model.py:Net raised ValueError: too wide" in found.output
    assert "own_model:Net: depth is 2" in found.output


RAN = "raise SystemExit('it ran')\n"


@pytest.mark.parametrize(
    "budgets",
    [
        'files = ["*"]\nparams = "<= 1"',  # patterns over files
        'networks."*".params = "<= 1"',  # and over names
        'networks."own_model*".params = "<= 1"',
        'networks."own_model.*:Net" = {input = "3x8x8", params = "<= 1"}',
        'networks."own_model:Net".params = "<= 1"',  # without an input
        '"own_model:Net" = {params = "<= 1"}',  # not beneath networks
    ],
)
def test_no_pattern_leads_to_a_module(model: Path, budgets: str) -> None:
    Path("pyproject.toml").write_text(f"[tool.archlens.budgets]\n{budgets}\n")
    Path("net.yaml").write_text("input: 3x8x8\nlayers: [relu]\n")
    model.write_text(RAN)
    for args in (["check"], ["check", "net.yaml"], ["check", "--update"], ["lint", "net.yaml"]):
        found = CliRunner().invoke(cli, args)
        assert "it ran" not in f"{found.output}{found.exception}"
    assert "own_model" not in __import__("sys").modules


def test_another_network_is_checked_without_the_module(model: Path) -> None:
    Path("pyproject.toml").write_text(BUDGET)
    Path("net.yaml").write_text("input: 3x8x8\nlayers: [relu]\n")
    model.write_text(RAN)
    assert verdicts("net.yaml") == {"net.yaml": {"depth": True}}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('{input = "3x8y8", params = "<= 1"}', "3x8y8 is not an input shape"),
        ('{input = 3, params = "<= 1"}', "an input of type int is not an input shape"),
        ('{input = "3x8x8", set = 5, params = "<= 1"}', "set must be a table, not the number 5"),
        ('{input = "3x8x8"}', "limits nothing"),
        ('{set = {width = 8}, params = "<= 1"}', "width"),
    ],
)
def test_what_is_wrong_with_a_table_of_a_module(model: Path, table: str, said: str) -> None:
    Path("pyproject.toml").write_text(f'[tool.archlens.budgets]\nnetworks."own_model:Net" = {table}\n')
    found = CliRunner().invoke(cli, ["check"])
    assert isinstance(found.exception, archlens.UsageError)
    assert said in str(found.exception)
    assert "pyproject.toml:2:" in str(found.exception)


def test_a_lock_file_never_leads_to_a_module(model: Path) -> None:
    Path("pyproject.toml").write_text("[tool.archlens]\n")
    Path("own_model.py").write_text("raise SystemExit('it ran')\n")
    Path("archlens.lock").write_text('schema = "archlens.lock/1"\n[networks."own_model:Net"]\nparams = 3\n')
    found = CliRunner().invoke(cli, ["check", "--locked"])
    assert "it ran" not in f"{found.output}{found.exception}"
    assert "own_model" not in __import__("sys").modules


def test_a_module_runs_on_what_its_spec_does(model: Path) -> None:
    spec = "input: 3x12x12\nlayers: [body: ['conv(16, 3)', 'conv(16, 3)']]\n"
    Path("net.yaml").write_text(spec)
    for names in (["net.yaml", "own_model:Net"], ["own_model.py:Net", "net.yaml"]):
        found = CliRunner().invoke(cli, ["diff", *names, "--exit-code"])
        assert found.exit_code == 0, found.output
    Path("net.yaml").write_text(spec.replace("'conv(16, 3)']", "'conv(16, 5)']"))
    found = CliRunner().invoke(cli, ["diff", "net.yaml", "own_model:Net", "--exit-code"])
    assert found.exit_code == 1
    assert "kernel 5 -> 3" in found.output


REFUSED = {
    "shapes own_model:Net": "own_model:Net is a torch module, which does not specify its input",
    "shapes own_model:Nett --input 3x8x8": "own_model has no Nett",
    "shapes own_model:Net.bodi --input 3x8x8": "own_model:Net has no part bodi",
    "shapes own_model:made.body.7.x --input 3x8x8": "own_model:made.body has no part 7",
    "shapes own_model:number.body --input 3x8x8": "own_model has no number.body",
    "shapes own_modell:Net --input 3x8x8": "own_modell:Net cannot be imported: there is no module own_modell",
    "shapes none.py:Net --input 3x8x8": "there is no file none.py",
    "shapes own_model:number --input 3x8x8": "own_model:number is an int, not a torch module",
    "shapes own_model:none --input 3x8x8": "own_model:none makes a NoneType, not a torch module",
    "shapes own_model:two --input 3x8x8": "own_model:two needs a value for a, b",
    "shapes own_model:Net --input 3x8x8 --set widht=3": "own_model:Net has no param widht",
    "shapes own_model:made --input 3x8x8 --set width=3": "own_model:made already exists",
    "shapes own_model:Net --input 3x8x8 --set width=2000": "own_model:Net raised ValueError: too wide",
    "shapes own_model:Net --input 4x8x8": "body.0 (Conv2d(3, 16, kernel_size=(3, 3), stride=(1, 1)))",
    "shapes own_model:made --input x=3x8x8,y=3": "3x8x8,y=3 is not a shape",
    "shapes own_model:made --input x=": "is not a shape",
    "shapes own_model:made --input z=3x8x8": "its forward takes x",
    "diff own_model:Net own_model:made": "own_model:Net is a torch module, which does not specify",
    "trace lenet5": "nothing of lenet5 runs: only torch modules",
    "show own_model:Net": "own_model:Net is a torch module, and has no spec",
}


@pytest.mark.parametrize("command", REFUSED)
def test_what_is_refused(model: Path, command: str) -> None:
    found = CliRunner().invoke(cli, command.split())
    assert found.exit_code != 0
    said = str(found.exception) if isinstance(found.exception, archlens.ArchlensError) else found.output
    assert REFUSED[command] in said


def test_python_doors_take_a_module() -> None:
    from archlens.testing import assert_budget

    module = nn.Conv2d(3, 8, 3)
    assert archlens.study(module, input=(3, 8, 8)).cost.params == 224
    assert_budget(module, input="3x8x8", params="== 224")
    with pytest.raises(AssertionError):
        assert_budget(module, input="3x8x8", params="< 224")


class Flat(nn.Linear):
    """A layer, and more than that."""

    def forward(self, x: Any) -> Any:
        return super().forward(x).flatten(1)


def test_shapes_of_a_module_are_those_of_another(model: Path) -> None:
    from archlens.testing import assert_shapes

    module = nn.Sequential(nn.Conv2d(3, 4, 3), Flat(6, 2))
    assert_shapes(module, nn.Sequential(nn.Conv2d(3, 4, 3, bias=True), Flat(6, 2)), input=(3, 8, 8))
    with pytest.raises(AssertionError, match=r"0\.weight is 4x3x3x3, and should be 4x3x5x5") as caught:
        assert_shapes(module, nn.Sequential(nn.Conv2d(3, 4, 5, padding=1), Flat(6, 2)), input=(3, 8, 8))
    assert "0 gives 4x6x6" not in str(caught.value)  # a padding of 1 makes up for it
    with pytest.raises(AssertionError, match="0 gives 4x6x6, and should give 4x3x3"):
        assert_shapes(module, nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Flatten()), input=(3, 8, 8))
    body = nn.Module()
    body.body = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3))
    body.forward = body.body.forward
    assert_shapes(body, "own_model:Net", input="3x12x12")
    with pytest.raises(archlens.UsageError, match="own_model:Net is a torch module, which does not specify"):
        assert_shapes(body, "own_model:Net")


def test_tied_weights_have_all_their_keys() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4, bias=False)
            self.last.weight = self.first.weight
            self.again = self.first

        def forward(self, x: Any) -> Any:
            return self.last(self.again(self.first(x)))

    module = Tied()
    network = archlens.trace(module, (4,))
    assert network.params == 4 * 4 + 4
    assert network.state() == {key: tuple(value.shape) for key, value in module.state_dict().items()}
    assert not any(tensor.is_meta for tensor in module.state_dict().values())  # no trace is left
    assert network.with_input((4,)).state() == network.state()
    assert held_against(network, module).passed


class Named(nn.Module):
    """Whose inputs are called as its parts, a tensor of its own, and an op are."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, left: torch.Tensor, scale: torch.Tensor, relu: torch.Tensor) -> torch.Tensor:
        return self.left(left) * self.scale + scale + torch.relu(relu)


class TwoNames(nn.Module):
    """A part that has two names, and runs under the second of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
        self.body = nn.Sequential(self.first, nn.Linear(8, 8), self.first)

    def forward(self, x: Any) -> Any:
        return self.body(x)


def test_a_module_of_two_names_has_all_its_keys() -> None:
    module = TwoNames().eval()
    network = archlens.trace(module, (8,))
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    assert (network.params, network.macs) == (2 * 72, 3 * 64)
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 8)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))
    spec = archlens.loads(archlens.convert(network))
    again = archlens.build(spec).eval()
    again.load_state_dict(module.state_dict(), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(again(x), module(x))
    assert spec.params == sum(one.numel() for one in again.parameters()) == 2 * 72


def test_a_part_that_runs_under_its_second_name_is_one_layer_there() -> None:
    """As a temporal convolutional network has it, whose convolutions with weight norm stand in two places."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 8, 3))
            self.net = nn.Sequential(self.conv, nn.ReLU())

        def forward(self, x: Any) -> Any:
            return self.net(x)

    module = Block().eval()
    network = archlens.trace(module, (4, 9))
    assert [(layer.name, layer.op.kind) for layer in network] == [("net.0", "wn_conv"), ("net.1", "relu")]
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    text = archlens.convert(network)
    assert text.endswith("aliases:\n  conv: net.0\n")
    assert archlens.loads(text).state() == network.state()


def test_inputs_that_are_called_as_something_else_is() -> None:
    network = archlens.trace(Named(), left=(4,), scale=(4,), relu=(4,))
    assert list(network.inputs) == ["left_", "scale_", "relu"]
    assert [layer.name for layer in network][:2] == ["left", "scale"]
    assert network.state() == {"left.weight": (4, 4), "left.bias": (4,), "scale": (4,)}
    assert network.with_input({"relu": (1,)}).input == (4,)


class Words(nn.Module):
    """A table looked up by ids, beside numbers that are none."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 8)
        self.place = nn.Parameter(torch.zeros(1, 16, 8))
        self.fc = nn.Linear(8, 50)

    def forward(self, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        x = self.words(ids.view(ids.shape[0], -1)) + self.place[:, : ids.shape[1]]
        return self.fc(x * weights.unsqueeze(-1))  # type: ignore[no-any-return]


def test_what_a_table_is_looked_up_by_is_whole() -> None:
    module = Words()
    network = archlens.trace(module, (12,), (12,))
    assert network.inputs == {"input": (12,), "input_1": (12,)}
    assert (network.macs, network.output) == (12 * 8 * 50, (12, 50))
    assert network.with_input({"input": (6,), "input_1": (6,)}).macs == 6 * 8 * 50
    ids = torch.zeros(2, 12, dtype=torch.int64)
    assert [*archlens.trace(module, ids, (12,))] == [*network]
    values = archlens.trace(module, (12,), (12,), real=True)
    assert [layer[:5] for layer in values] == [layer[:5] for layer in network]
    with pytest.raises(archlens.SpecError, match="looked up by whole numbers"):
        archlens.trace(module, torch.zeros(2, 12), (12,))


def test_verify_gives_ids_where_a_table_is_looked_up(tmp_path: Path) -> None:
    path = tmp_path / "words.py"
    path.write_text(
        "from torch import nn\n\n\nclass Net(nn.Sequential):\n"
        "    def __init__(self) -> None:\n        super().__init__(nn.Embedding(9, 4), nn.Linear(4, 2))\n"
    )
    found = CliRunner().invoke(cli, ["verify", f"{path}:Net", "--input", "5"])
    assert found.exit_code == 0, found.output


class Chooses(nn.Module):
    """Whose code looks at a value of what lies in a list."""

    def forward(self, both: list[torch.Tensor]) -> torch.Tensor:
        return both[1].relu() if both[0].sum() > 100 else both[1].tanh()


@pytest.mark.parametrize(("value", "kind"), [(200.0, "relu"), (0.0, "tanh")])
def test_one_sample_is_of_tensors_in_a_list_too(value: float, kind: str) -> None:
    given = [torch.full((2, 4), value), torch.zeros(2, 4)]
    assert [layer.op.kind for layer in archlens.trace(Chooses(), given, real=True)] == [kind]


def test_a_module_that_runs_on_each_size_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of an operator takes some 300 times as long as to lay a layer out; each run makes two."""

    class Half(torch.nn.Module):
        ran = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            type(self).ran += 1
            return torch.nn.functional.avg_pool2d(torch.relu(x), x.shape[-1] // 2)

    network = archlens.trace(Half(), (3, 64, 64))
    monkeypatch.setattr(sizes, "_WORK", 10_000)
    monkeypatch.setattr(sizes, "_OWN", 0)
    before = Half.ran
    one = sizes.find(network, bound=10**9)
    assert one.given_up
    assert 4 < Half.ran - before < 4 + 10_000 / 600


def test_what_layers_share_is_shared_on_another_input_as_well() -> None:
    """Its statistics, too: the ops are placed again, each with tensors of its own."""

    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(torch.relu(self.norm(x)))

    module = Twice()
    network = Refitting(archlens.trace(module, (3, 8, 8))).on({"input": Shape((3, 9, 9))})
    assert [layer.shape for layer in network] == [Shape((3, 9, 9))] * 3
    assert network.params == sum(one.numel() for one in module.parameters())
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    assert sum(len(layer.facts.buffers) for layer in network) == len(dict(module.named_buffers()))


def test_a_network_of_one_sample_says_so_and_is_not_verified(tmp_path: Path) -> None:
    path = tmp_path / "takes_apart.py"
    path.write_text(
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(4, 2)\n\n"
        "    def forward(self, x):\n        return torch.stack([self.fc(row) for row in x])\n"
    )
    found = CliRunner().invoke(cli, ["shapes", f"{path}:Net", "--input", "4"])
    assert (
        "Traced by one run on one sample without values, since the batch is taken apart or mixed."
        in found.output
    )
    found = CliRunner().invoke(cli, ["verify", f"{path}:Net", "--input", "4"])
    assert found.exit_code == 1
    assert "takes its batch apart, so it is known only for one sample" in str(found.exception)


def test_buffers_without_values_are_said() -> None:
    class Scales(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("factor", torch.ones(4), persistent=False)

        def forward(self, x: Any) -> Any:
            return x * self.factor

    said = [archlens.trace(one, (4,)).origin.notes for one in (Scales(), Scales().to("meta"))]
    assert not said[0]
    assert said[1][0].startswith("1 opaque layer reads buffers without values")
    assert not archlens.trace(nn.BatchNorm2d(4).to("meta"), (4, 2, 2)).origin.notes


def test_a_value_for_each_two_samples_is_one_of_one_sample() -> None:
    """As CLIP compares each image with each text: 16 by 8, 12 by 8, and one product of 8."""

    class Compares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(16, 8), nn.Linear(12, 8)

        def forward(self, image: Any, text: Any) -> Any:
            return self.a(image) @ self.b(text).t()

    network = archlens.trace(Compares(), (16,), (12,))
    assert (network.output, network.macs) == ((1,), 16 * 8 + 12 * 8 + 8)
    account = network.origin.account  # type: ignore[union-attr]
    assert account.way.startswith("one run on one sample without values")


@pytest.mark.parametrize("step", [torch.ones(2), (), "()"], ids=["tensor", "shape", "text"])
def test_a_number_of_each_sample_is_an_input(step: Any) -> None:
    """As the time of a diffusion model; also on another size of the other input."""

    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(4, 8)

        def forward(self, x: Any, t: Any) -> Any:
            wave = (t[:, None] * torch.arange(4)).cos()
            return self.conv(x) * t[:, None, None, None] + self.fc(wave)[:, :, None, None]

    network = archlens.trace(Steps(), x=(3, 8, 8), t=step)
    assert (network.output, network["fc"].shape) == ((8, 6, 6), (8,))
    assert network.macs == 27 * 8 * 36 + 4 * 8
    assert network.with_input({"x": (3, 12, 12), "t": (1,)}).output == (8, 10, 10)


class Turns(nn.Module):
    """Turns what is one for all of torch, and may raise then."""

    def __init__(self, raises: bool) -> None:
        super().__init__()
        self.fc, self.raises = nn.Linear(4, 4), raises

    def forward(self, x: Any) -> Any:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = True
        functional.relu = torch.relu = torch.Tensor.relu = torch.sigmoid
        nn.Linear.forward = nn.Identity.forward
        functional.own = torch.Tensor.own = len  # type: ignore[attr-defined]
        del torch.bmm
        if self.raises:
            raise KeyError("afterwards")
        return self.fc(x)


@pytest.mark.parametrize("raises", [False, True])
def test_what_is_one_for_all_of_torch_is_put_back(raises: bool) -> None:
    homes = torch, functional, torch.Tensor, nn.Linear

    def names() -> list[dict[str, Any]]:
        own = (vars(home).items() for home in homes)
        return [
            {key: one for key, one in named if key[0] != "_" and type(one) is not type(torch)}
            for named in own
        ]

    def world() -> list[Any]:
        own = torch.get_default_dtype(), torch.get_default_device(), torch.backends.cudnn.benchmark
        return [*own, *names(), torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()]

    before = world()
    try:
        with pytest.raises(archlens.SpecError) if raises else nullcontext():
            archlens.trace(Turns(raises), (4,))
        assert world() == before
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = False
        for home, own in zip(homes, before[3:], strict=False):
            for name in own:
                setattr(home, name, own[name])


def test_what_a_module_prints_is_not_what_archlens_prints(tmp_path: Path) -> None:
    path = tmp_path / "talks.py"
    path.write_text(
        "from torch import nn\n\n\nclass Net(nn.Linear):\n"
        "    def __init__(self):\n        print('made')\n        super().__init__(4, 2)\n\n"
        "    def forward(self, x):\n        print('runs')\n        return super().forward(x)\n"
    )
    found = CliRunner().invoke(cli, ["shapes", f"{path}:Net", "--input", "4", "--format", "json"])
    assert json.loads(found.stdout)["totals"]
    assert found.stderr.split() == ["made", "runs"]


def test_a_file_that_ends_the_process_is_said(tmp_path: Path) -> None:
    path = tmp_path / "ends.py"
    path.write_text("import sys\n\nsys.exit(2)\n")
    found = CliRunner().invoke(cli, ["shapes", f"{path}:Net", "--input", "4"])
    assert "raised SystemExit: 2" in str(found.exception)
    assert "__main__" in str(found.exception)


def test_what_a_forward_gives_is_said_where_it_is_no_tensor() -> None:
    class Forgets(nn.Module):
        def forward(self, x: Any) -> None:
            x + 1

    with pytest.raises(archlens.SpecError, match="gives None, as a forward without return"):
        archlens.trace(Forgets(), (4,))


ODD = {
    "x.roll(1)": (3, 4, 4),
    "x.chunk(2, 0)[0]": (3, 4, 4),
    "x.flip(1)[:, ::2]": (2, 4, 4),
    "x.unfold(2, 3, 1)": (3, 2, 4, 3),
    "x.cumsum(1).argmax(1).float()": (4, 4),
    "x.pow(x).sort(1)[0]": (3, 4, 4),
}


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("code", ODD)
def test_what_no_op_says_is_opaque(code: str, real: bool) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x: Any) -> Any:
            return eval(code, {"x": self.conv(x)})

    network = archlens.trace(Odd(), (3, 4, 4), real=real)
    assert (network.output, network.params, network.macs) == (ODD[code], 12, 9 * 16)
