"""The built torch module: torchvision's weights give its logits, and it is a module like any other."""

from __future__ import annotations

import copy
import io
import pickle
from dataclasses import replace
from typing import Any

import pytest
import torch

import archlens
from archlens.backends import require_torch
from archlens.backends.modules import PaddedConv2d, StochasticDepth
from archlens.backends.verification import verify
from archlens.network import Network

from .test_ops import EXAMPLES, example
from .test_torchvision import build as torchvisions
from .torch_reference import WithParameter, runnable

#: Each form of the networks that torchvision builds, in its smallest member, with an input that it wants, or
#: at which each window still has two positions of its map. What others of a form have of their own are
#: numbers, and ``test_every_layer_is_torchvisions`` compares these.
SIZES = {
    "alexnet": 63, "convnext_tiny": 64, "deeplabv3_mobilenet_v3_large": 65, "deeplabv3_resnet50": 33,
    "densenet121": 61, "efficientnet_b0": 33, "efficientnet_v2_s": 33, "fcn_resnet50": 33, "googlenet": 47,
    "googlenet_aux": 47, "inception_v3": 299, "inception_v3_no_aux": 75, "lraspp_mobilenet_v3_large": 65,
    "maxvit_t": 224, "mnasnet0_5": 33, "mobilenet_v2": 33, "mobilenet_v3_large": 33, "mobilenet_v3_small": 33,
    "regnet_x_400mf": 33, "regnet_y_400mf": 33, "resnet18": 33, "resnet50": 33, "resnext50_32x4d": 33,
    "shufflenet_v2_x0_5": 33, "squeezenet1_0": 37, "squeezenet1_1": 33, "swin_t": 100, "swin_v2_t": 100,
    "vgg11_bn": 33, "wide_resnet50_2": 33,
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_same_weights_same_logits(torchvision: Any, name: str) -> None:
    """The strongest check there is: torchvision's state dict loads strictly, and the outputs are equal."""
    theirs = torchvisions(torchvision, name, device="cpu").eval()
    fill(theirs)
    if name.startswith(("maxvit", "swin")):  # whose softmaxes make much of the last places of float32
        theirs = theirs.double()
    size = SIZES[name]
    ours = archlens.build(archlens.load(name, input=(3, size, size)), device="meta").eval()
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    x = x.to(next(theirs.parameters()).dtype)
    with torch.no_grad():
        expected, found = outputs(theirs(x)), outputs(ours(x))
    assert found.keys() == expected.keys()
    for head, value in expected.items():
        check_logits(found[head], value)


def check_logits(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal but for rounding; and two samples differ, so that what goes in comes through."""
    scale = float(expected.std())
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * scale > 0
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * scale)


def test_same_logits_of_a_vision_transformer(torchvision: Any) -> None:
    """With two of its layers, which are all alike."""
    theirs = torchvision.models.VisionTransformer(224, 16, 2, 12, 768, 4 * 768).eval()
    fill(theirs)
    ours = archlens.build(archlens.load("vit_b_16", depth=2), device="meta").eval()
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    x = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        check_logits(ours(x), theirs(x))


def outputs(value: Any) -> dict[str, torch.Tensor]:
    return value if isinstance(value, dict) else {"out": value}


#: Random numbers, which are taken again and again: to draw every weight takes longer than to run the network.
DRAWN = torch.randn(1_000_003, generator=torch.Generator().manual_seed(0))


def fill(model: torch.nn.Module) -> None:
    """Random weights that keep values of order one, and statistics and shifts that are not trivial."""
    start = 0
    with torch.no_grad():
        for name, value in (*model.named_parameters(), *model.named_buffers()):
            if not value.is_floating_point():
                continue
            left = value.view(-1)
            while left.numel():
                drawn = DRAWN[start : start + left.numel()]
                left[: len(drawn)] = drawn
                start, left = (start + len(drawn)) % len(DRAWN), left[len(drawn) :]
            if value.dim() > 1 and isinstance(value, torch.nn.Parameter):
                value.mul_((2 / value[0].numel()) ** 0.5)
            elif name.endswith(("weight", "running_var")):
                value.sigmoid_().add_(0.5)
            elif name.endswith(("bias", "running_mean")):
                value.mul_(0.1)


@pytest.mark.parametrize(
    ("name", "size", "heads"),
    [
        ("googlenet_aux", 64, {"out": "logits", "aux1": "aux_logits1", "aux2": "aux_logits2"}),
        ("inception_v3", 299, {"out": "logits", "AuxLogits": "aux_logits"}),
    ],
)
def test_heads_for_training_are_torchvisions(
    torchvision: Any, name: str, size: int, heads: dict[str, str]
) -> None:
    """With the heads the state dict loads strictly; all outputs agree, those of heads in training alone."""
    theirs = torchvisions(torchvision, name, device="cpu")
    fill(theirs)
    ours = archlens.build(archlens.load(name, input=(3, size, size)), device="meta")
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    for module in (*theirs.modules(), *ours.modules()):
        if isinstance(module, torch.nn.Dropout | torch.nn.BatchNorm2d):
            module.eval()
    x = torch.rand(1, 3, size, size)
    with torch.no_grad():
        expected, found = theirs(x), ours(x)
    assert set(found) == set(heads)
    for head, value in found.items():
        torch.testing.assert_close(value, getattr(expected, heads[head]), rtol=1e-5, atol=1e-5)
    further = next(head for head in heads if head != "out")
    ours.eval()
    with torch.no_grad():
        assert isinstance(ours(x), torch.Tensor)
    assert further not in ours.code
    ours.train()
    assert further in ours.code


@pytest.mark.parametrize("p", [0, 0.3, 1])
def test_stochastic_depth_is_torchvisions(torchvision: Any, p: float) -> None:
    """In training the same samples are left out, and the others scaled alike."""
    network = archlens.loads(f"input: 4x3x3\nlayers:\n  - drop: stochastic_depth({p})\n")
    ours, theirs = archlens.build(network), torchvision.ops.StochasticDepth(p, "row")
    x = torch.rand(16, 4, 3, 3)
    torch.default_generator.manual_seed(0)
    expected = theirs(x)
    torch.default_generator.manual_seed(0)
    torch.testing.assert_close(ours(x), expected)
    assert len({float(kept) > 0 for kept in expected.amax((1, 2, 3))}) == (2 if p == 0.3 else 1)
    assert ours.eval()(x) is x


OWN = [
    text for text in EXAMPLES
    if example(text).facts.torch.target.startswith("archlens.") or example(text).facts.torch.parameter
    if not example(text).op.merges
]  # fmt: skip


@pytest.mark.parametrize("text", OWN)
def test_own_modules_compute_what_their_reference_does(text: str) -> None:
    """What torch has no module for, with the weights of an independent reading of it, in float64."""
    torch.default_generator.manual_seed(0)
    _, inputs, facts = example(text)
    theirs = runnable(facts.torch)
    op = example(text).op
    network = one_layer(op, inputs, facts)
    ours = archlens.build(network, dtype=torch.float64).eval()
    if isinstance(theirs, torch.nn.Module):
        theirs.double().eval()
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.mul_(3).add_(torch.randn_like(parameter))  # also what starts at zero, or is bounded
        prefix = "layer" if isinstance(theirs, WithParameter) else "layer."
        weights = {prefix + key.removeprefix("own"): value for key, value in theirs.state_dict().items()}
        made = dict(ours.named_buffers())  # which loading overwrites
        for key, value in theirs.named_buffers():
            if key != "centres":  # they are drawn at random
                torch.testing.assert_close(made[prefix + key.removeprefix("own")], value, rtol=1e-6, atol=0)
        ours.load_state_dict(weights, strict=True)
        for key, value in theirs.named_buffers():
            if key in {"bias", "running_var"}:  # else frozen statistics would do nothing
                value.add_(0.5)
                made[prefix + key].add_(0.5)
    read = [torch.randn(2, *shape, dtype=torch.float64) for shape in inputs]
    with torch.no_grad():
        torch.testing.assert_close(ours(*read), theirs(*read))


def test_inputs_that_are_called_as_functions_of_python() -> None:
    """Torch gives a variable another name where Python has a function of it: maybe the next input's."""

    class Sum(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ModuleList(torch.nn.Linear(n, 1) for n in (5, 3, 2, 4))

        def forward(self, input: Any, input_1: Any, sum: Any, sum_: Any) -> Any:
            a, b, c, d = [part(x) for part, x in zip(self.parts, (input, input_1, sum, sum_), strict=True)]
            return a + b + c + d

    module = Sum()
    given = {
        name: torch.rand(2, n)
        for name, n in zip(("input", "input_1", "sum", "sum_"), (5, 3, 2, 4), strict=True)
    }
    built = archlens.build(archlens.trace(module, **given))
    built.load_state_dict(module.state_dict())
    assert torch.allclose(built(*given.values()), module(**given))
    assert torch.allclose(built(**given), module(**given))


def one_layer(op: Any, inputs: Any, facts: Any) -> Network:
    """A network of one layer, whose input may have its channels last."""
    whole = archlens.loads("{input: 3, layers: [relu]}")
    layer = whole.layers[0]._replace(
        name="layer",
        op=op,
        inputs=tuple(f"input{k}" for k in range(len(inputs))),
        input_shapes=inputs,
        facts=facts,
        once=op.stands_once,
    )
    given = dict(zip(layer.inputs, inputs, strict=True))
    return replace(whole, inputs=given, layers=(layer,), outputs={"out": "layer"}, index={"layer": layer})


SMALL = """
input: 2x8x8
layers:
  - a: conv(4, 3, padding="same", stride=2)
  - residual: [b: "conv(4, 3, padding=1)", bn: batch_norm]
  - concat: [identity, ref(a), relu]
  - flatten
  - fc: linear(3)
"""


#: With parameters that lie on their scope, one of them at the top, and every kind of attention.
TOKENS = """
input: 2x8x8
layers:
  - stem: ["conv(8, 1)", layer_scale: layer_scale(0.5), drop: stochastic_depth(0.1)]
  - part: window_partition(4)
  - residual: ["relative_attention(2, 4)"]
  - window_reverse(4, 8)
  - channels_last
  - residual: ["window_attention(2, 4, shift=2)"]
  - residual: ["window_attention_v2(2, 4, shift=2)", layer_norm]
  - merge_patches
  - tokens
  - class_token: class_token
  - encoder:
      - pos: position_embedding
      - residual: [layer_norm, attention: self_attention(4)]
  - slice(0, 1, axis="length")
  - flatten
  - fc: linear(3)
"""


@pytest.fixture(params=[SMALL, TOKENS], ids=["maps", "tokens"])
def small(request: pytest.FixtureRequest) -> Any:
    torch.default_generator.manual_seed(0)
    return archlens.build(archlens.loads(request.param))


@pytest.mark.slow
def test_training_changes_the_weights(small: Any) -> None:
    optimizer = torch.optim.Adam(small.parameters(), lr=0.01)
    x, y = torch.rand(8, 2, 8, 8), torch.randint(0, 3, (8,))
    losses = []
    for _ in range(80):  # what attention mixes is learned late
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(small(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2
    assert all(parameter.grad is not None for parameter in small.parameters())


def test_copies_give_the_same(small: Any) -> None:
    small.eval()
    x = torch.rand(3, 2, 8, 8)
    for other in (pickle.loads(pickle.dumps(small)), copy.deepcopy(small), copy.copy(small)):
        assert list(other.state_dict()) == list(small.state_dict())
        assert not other.training
        assert torch.equal(other(x), small(x))
    buffer = io.BytesIO()
    torch.save(small, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(x), small(x))


@pytest.mark.slow
def test_export(small: Any) -> None:
    small.eval()
    x = torch.rand(2, 2, 8, 8)
    exported = torch.export.export(small, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    y = torch.rand(5, 2, 8, 8)
    torch.testing.assert_close(exported.module()(y), small(y))


@pytest.mark.slow
def test_compile(small: Any) -> None:
    small.eval()
    x = torch.rand(2, 2, 8, 8)
    torch.testing.assert_close(torch.compile(small, backend="eager", fullgraph=True)(x), small(x))


def test_device_and_dtype() -> None:
    network = archlens.loads(SMALL)
    assert {p.device.type for p in archlens.build(network, device="meta").parameters()} == {"meta"}
    double = archlens.build(network, dtype=torch.float64)
    assert double(torch.rand(2, 2, 8, 8, dtype=torch.float64)).dtype == torch.float64
    assert double.to("meta")(torch.empty(2, 2, 8, 8, dtype=torch.float64, device="meta")).shape == (2, 3)


def test_weights_are_initialised_as_torch_does() -> None:
    network = archlens.loads(SMALL)
    torch.default_generator.manual_seed(7)
    ours = archlens.build(network).state_dict()["b.weight"]
    torch.default_generator.manual_seed(7)
    PaddedConv2d(2, 4, 3, stride=2, padding=((0, 1), (0, 1)))
    assert torch.equal(ours, torch.nn.Conv2d(4, 4, 3, padding=1).weight)


def test_several_inputs_and_outputs() -> None:
    network = archlens.loads(
        """
input: {image: 3x8x8, depth: 1x8x8}
layers:
  - concat: [ref(image), ref(depth)]
  - body: conv(4, 3)
  - fc: conv(2, 1)
outputs:
  features: ref(body)
"""
    )
    found = archlens.build(network)(torch.rand(2, 3, 8, 8), torch.rand(2, 1, 8, 8))
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "out": (2, 2, 6, 6),
        "features": (2, 4, 6, 6),
    }


HOSTILE = [
    "class", "lambda", "None", "train", "forward", "type", "eval", "training", "graph", "plan", "_modules",
    "self", "input", "torch", "print", "<script>", "a'b", "ä", "0", "-", "operator",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_layer_may_be_named_anything(name: str) -> None:
    """Keywords, builtins and torch's own methods are names like any other, also after pickling."""
    quoted = name.replace("'", "''")
    network = archlens.loads(
        f"input: {{data: 2x8x8}}\nlayers:\n  - '{quoted}': conv(4, 3)\n"
        f"  - scope: [first: relu, '{quoted}': 'conv(2, 1)']\n"
    )
    module = archlens.build(network)
    assert set(module.state_dict()) == {
        f"{name}.weight", f"{name}.bias", f"scope.{name}.weight", f"scope.{name}.bias"
    }  # fmt: skip
    x = torch.rand(1, 2, 8, 8)
    assert module(x).shape == (1, 2, 6, 6)
    assert torch.equal(pickle.loads(pickle.dumps(module))(x), module(x))
    assert not any(part.training for part in module.eval().modules())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_parameter_may_be_named_anything(name: str) -> None:
    """The same where the name is that of a parameter on its scope."""
    quoted = name.replace("'", "''")
    network = archlens.loads(
        f"input: {{data: 2x8x8}}\nlayers:\n  - '{quoted}': layer_scale(3)\n"
        f"  - scope: [first: relu, '{quoted}': layer_scale(2)]\n"
    )
    module = archlens.build(network)
    assert set(module.state_dict()) == {name, f"scope.{name}"}
    x = torch.rand(1, 2, 8, 8)
    assert torch.equal(module(x), 6 * x)
    assert torch.equal(pickle.loads(pickle.dumps(module))(x), 6 * x)
    assert verify(network).passed


def test_parameters_start_as_their_op_says() -> None:
    """As torchvision starts them: a class token of zeros, positions near 0, scales where they are told."""
    module = archlens.build(
        archlens.loads(
            "input: 64x400\nlayers: [tokens, a: class_token, b: position_embedding, c: layer_scale(0.25)]"
        )
    )
    weights = module.state_dict()
    assert not weights["a"].any()
    assert abs(float(weights["b"].std()) - 0.02) < 0.001
    assert (weights["c"] == 0.25).all()
    assert all(parameter.requires_grad for parameter in module.parameters())
    double = archlens.build(archlens.loads("{input: 4, layers: [layer_scale]}"), dtype=torch.float64)
    assert {parameter.dtype for parameter in double.parameters()} == {torch.float64}


def test_stochastic_depth_leaves_whole_samples_out() -> None:
    """In training a sample is left out whole or scaled by 1/(1 - p): Huang et al. 2016."""
    torch.default_generator.manual_seed(0)
    module = StochasticDepth(0.25)
    x = torch.ones(4000, 2, 3)
    found = module(x).flatten(1)
    assert set(found.unique().tolist()) == {0.0, torch.tensor(1.0).div(0.75).item()}
    assert (found == found[:, :1]).all()
    assert abs(float((found[:, 0] == 0).float().mean()) - 0.25) < 0.03
    assert not StochasticDepth(1)(x).any()
    assert torch.equal(module.eval()(x), x)


@pytest.mark.parametrize(
    "name",
    ['");print("owned");("', '"', "\\", "\\\\", 'a\\")+exit(', "'''", '"""', "x=1;import_os", "#", "%s"],
)
def test_a_name_never_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The code of a graph is executed by Python, so a name must reach it as a text and nothing else."""
    quoted = name.replace("'", "''")
    network = archlens.loads(f"input: 2x8x8\nlayers:\n  - '{quoted}': conv(4, 3)\n  - '{quoted}2': relu\n")
    module = archlens.build(network)
    assert module(torch.rand(1, 2, 8, 8)).shape == (1, 4, 6, 6)
    assert f"{name}.weight" in module.state_dict()
    assert capsys.readouterr().out == ""


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(archlens.UsageError) as caught:
        require_torch()
    assert str(caught.value) == (
        "error: this needs torch, which is not installed\n"
        "  = help: pip install 'archlens-nn[torch]', or in a checkout: pip install '.[torch]'"
    )
    with pytest.raises(archlens.UsageError):
        archlens.build(archlens.load("lenet5"))
