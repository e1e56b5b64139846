"""Memory, against what torch really keeps alive and really saves.

Two references that know nothing of archlens: the storages that exist while a module runs, seen operator by
operator and let go when torch lets them go; and what ``torch.autograd.graph.saved_tensors_hooks`` is handed.
"""

from __future__ import annotations

import json
import random
import textwrap
import weakref
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import archlens
from archlens.analysis import memory, strides
from archlens.backends.torch_module import sample
from archlens.backends.verification import verify
from archlens.cli import cli
from archlens.elaboration.examples import spec_of
from archlens.forms import markdown as markdown_form
from archlens.forms import text as terminal
from archlens.network import Network
from archlens.ops import NOWHERE, OPS
from archlens.views import memory_table as view
from archlens.views import verification_table as verification_view

from .random_networks import STRATA, accepted
from .running import run
from .test_ops import FURTHER
from .unfilled import unfilled


def saved(network: Network, **how: Any) -> int | None:
    """What archlens says that autograd keeps."""
    return memory.account(network, **how).saved


class Alive(TorchDispatchMode):
    """The bytes of the storages that are alive, and the most of them so far.

    Those of ``apart`` are left out. ``align`` rounds each storage up, as an allocator does.
    """

    def __init__(self, apart: Iterable[Tensor], inputs: Iterable[Tensor], align: int = 1) -> None:
        super().__init__()
        self.align = align
        self.sizes: dict[int, int] = {}
        self.now = self.peak = 0
        self.apart = {t.untyped_storage()._cdata for t in apart}
        for tensor in inputs:
            self.see(tensor)

    def see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self.sizes and key not in self.apart:
            self.sizes[key] = -(-storage.nbytes() // self.align) * self.align
            self.now += self.sizes[key]
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.gone, key)

    def gone(self, key: int) -> None:
        self.now -= self.sizes.pop(key)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for value in tree_leaves(found):
            if isinstance(value, Tensor):
                self.see(value)
        return found


def own(module: nn.Module) -> tuple[Tensor, ...]:
    return (*module.parameters(), *module.buffers())


def inputs_of(network: Network, batch: int, **given: Any) -> list[Tensor]:
    return [sample(shape, batch, **given) for shape in network.inputs.values()]


@lru_cache(1)
def built(network: Network, device: str, dtype: torch.dtype) -> nn.Module:
    """Its module, for what leaves it as it is."""
    return unfilled(network, device, dtype)


def peak_in_torch(network: Network, batch: int, align: int = 1, device: str = "cpu") -> int:
    """The most bytes alive during a real inference, the input that the caller holds included."""
    module = built(network, device, torch.float32).eval()
    inputs = inputs_of(network, batch, device=device)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad(), Alive(own(module), inputs, align) as seen:
        patch.setattr(F, "linear", linear)
        module(*inputs)
    return seen.peak


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """As aten/src/ATen/native/Linear.cpp adds the bias where nobody looks on.

    Where the input does not lie in one piece it is added in place; but into a tensor of its own as soon as
    a dispatch mode is there to see it, which would be seen here alone.
    """
    if bias is None or x.dim() == 2 or x.is_contiguous():
        return original(x, weight, bias)
    return torch.matmul(x, weight.t()).add_(bias)


original = F.linear


def saved_in_torch(
    network: Network, batch: int, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> int:
    """The bytes of the distinct storages that autograd keeps, weights and buffers apart."""
    module = built(network, device, dtype).train()
    apart = {t.untyped_storage()._cdata for t in own(module)}
    kept = {}

    def keep(tensor: Tensor) -> None:
        """The graph holds nothing: a tensor that is its own output would keep it alive."""
        storage = tensor.untyped_storage()
        if storage._cdata not in apart:
            kept[storage._cdata] = storage  # the storage itself, so that its address is not used again

    inputs = inputs_of(network, batch, device=device, dtype=dtype)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda nothing: nothing):
        outputs = module(*inputs)
    assert outputs is not None
    return sum(storage.nbytes() for storage in kept.values())


def one_op(text: str) -> Network:
    """A network of one op, of an example as ``"1x32x32 >> conv(6, 5)"``.

    A PReLU stands before the op on each input: its weight makes the op's inputs need gradients. Steps before
    the last are made on each input after it. Before ids nothing can stand.
    """
    shapes, *steps = text.split(" >> ")
    if " of " in shapes:
        return archlens.loads(spec_of(text))
    return archlens.loads(spec_of(" >> ".join([shapes, "prelu", *steps])))


#: Corners of memory alone: probabilities of 0 and 1, and merges of many whose shapes differ.
CORNERS = (
    "64x7x7 >> dropout(0)",
    "64x7x7 >> dropout(1)",
    "64x7x7 >> spatial_dropout(0)",
    "8x1x1, 8x4x1, 8x1x5, 8x4x5 >> multiply",
    "8x4x5, 8x1x1, 8x4x1, 8x4x5 >> add",
    "8x4x5, 8x4x5, 8x4x5 >> multiply",
    # heads of values that have other channels than those of keys, and share them
    "12x9, 6x7, 12x7 >> tokens >> layer_norm >> attention(4, kv_heads=2)",
    # a bias beside these, and with a window
    "12x9, 6x7, 12x7, 7x9 >> tokens >> layer_norm >> attention(4, kv_heads=2)",
    "12x9, 12x9, 12x9, 9x9 >> tokens >> layer_norm >> attention(4, window=3)",
    # heads that are matrices as they lie, those that are not, and rows that have to be copied before
    "12x9, 12x7, 24x7 >> tokens >> attention(3)",
    "8x9, 8x9, 4x9 >> tokens >> layer_norm >> attention(1)",
    "8x9, 8x9, 4x9 >> tokens >> layer_norm >> attention(4)",
    "8x9, 8x1, 4x1 >> tokens >> layer_norm >> attention(2)",
    "8x3x9, 8x3x9, 4x3x9 >> channels_last >> attention(4)",
    "8x3x9, 8x3x9, 8x3x9 >> channels_last >> attention(4)",
    "8x9, 4x9, 6x9 >> tokens >> attention(4, kv_heads=2)",
    # masks of these, in numbers that are added and not kept
    "12x9, 12x9, 24x9 >> tokens >> attention(3, causal=true)",
    "12x9, 12x9, 24x9 >> tokens >> layer_norm >> attention(3, causal=true, window=2)",
    "8x3x9, 8x3x9, 4x3x9 >> channels_last >> attention(4, window=2)",
    # what a norm without a scale makes lies as its input does, and is copied
    "24x9 >> tokens >> rms_norm(affine=false)",
    "8x4x5 >> channels_last >> rms_norm(affine=false)",
    "8x9 >> adaptive_avg_pool(1)",
    "8x4x5x6 >> adaptive_avg_pool(1)",
    "8x4x5x6 >> global_avg_pool",
    # one window in each row, or one row of windows, is a view
    "6x8x4 >> window_partition(4)",
    "6x4x8 >> window_partition(4)",
    "6x8x4 >> window_partition(4) >> window_reverse(4, (8, 4))",
    "6x4x8 >> window_partition(4) >> window_reverse(4, (4, 8))",
    # of a map with its channels innermost
    "8x2x4x5 >> layer_norm >> avg_pool(1)",
    "8x2x4x5 >> layer_norm >> adaptive_avg_pool(2)",
    "8x2x4x5 >> layer_norm >> max_pool(2, 1)",
    "8x2x4x5 >> layer_norm >> adaptive_max_pool(2)",
)

EXAMPLES = [
    *(text for op in OPS.values() for text in op.examples if not (op.transparent or op.memory_unknown)),
    *FURTHER,
    *CORNERS,
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_op(text: str) -> None:
    """What it keeps for training, and the most that is alive while it runs, to the byte."""
    torch.default_generator.manual_seed(0)
    network = one_op(text)
    assert memory.account(network).unknown == ()
    for batch in (2, 3):
        assert saved(network, batch=batch, device="cpu") == saved_in_torch(network, batch)
        found = memory.peak_activations(network, batch=batch, eager=True, device="cpu")
        assert found.bytes == peak_in_torch(network, batch)


def test_what_nobody_can_say() -> None:
    """Totals over an op whose kernels do not say what they keep are at least so much."""
    network = one_op("3x5 >> channels_last >> lstm(4)")
    assert memory.account(network).unknown == ("2",)
    said = (
        "Lower bounds: it is not stated what 1 layer keeps (2): torch's kernels keep a workspace of their own"
    )
    assert said in " ".join(terminal.write(view.table(network, memory.account(network))).split())


@pytest.mark.parametrize("text", EXAMPLES)
def test_strides(text: str) -> None:
    """How its output lies, on which it hangs whether what comes next has to copy it."""
    network = one_op(text)
    footprints = [layer.op.footprint(layer.facts, *layer.input_shapes) for layer in network]
    said = memory._places(network, footprints, 2, training=False).lying[network.layers[-1].name]
    with torch.no_grad():
        output = archlens.build(network).eval()(*inputs_of(network, 2))
    if network.layers[-1].once:
        output = output[:1]  # which is repeated, without a copy
    for size, stride, found in zip(output.shape, said, output.stride(), strict=True):
        assert size == 1 or stride == found


def lying(chance: random.Random, sizes: Sequence[int]) -> Tensor:
    """A tensor of these sizes whose axes lie in some order, some with gaps, and some repeated."""
    axes = len(sizes)
    order = chance.sample(range(axes), axes)
    if chance.random() < 0.4:
        order = [0, *range(2, axes), 1][:axes]  # the channels innermost
    steps = [chance.choice((1,) * 9 + (2,)) for _ in sizes]
    repeated = [chance.random() < 0.1 for _ in sizes]
    held = [1 if again else n * step for n, step, again in zip(sizes, steps, repeated, strict=True)]
    x = torch.zeros([held[axis] for axis in order])
    x = x.permute([order.index(axis) for axis in range(axes)])
    return x[tuple(slice(None, None, step) for step in steps)].expand(*sizes)


def test_strides_of_any_tensor() -> None:
    """How its views lie and what is made of it, and what is said of how it lies itself."""

    def alike(said: Sequence[int] | None, found: Tensor | None) -> bool:
        if said is None or found is None:
            return said is found
        return all(n == 1 or a == b for n, a, b in zip(found.shape, said, found.stride(), strict=True))

    chance = random.Random(0)
    for _ in range(300):
        sizes = tuple(chance.choice((1, 2, 3, 4)) for _ in range(chance.choice((1, 2, 3, 4, 4, 5))))
        x = lying(chance, sizes)
        assert strides.in_rows(sizes, x.stride()) == x.is_contiguous()
        assert strides.dense(sizes, x.stride()) == torch.ops.aten.is_non_overlapping_and_dense(x)
        rest, to = x.numel(), [1] * chance.randrange(3)
        while rest > 1:
            factor = chance.choice([n for n in range(2, rest + 1) if rest % n == 0])
            to.insert(chance.randint(0, len(to)), factor)
            rest //= factor
        seen = None
        with suppress(RuntimeError):
            seen = x.view(to or [1])
        assert alike(strides.reshaped(sizes, x.stride(), tuple(to or [1])), seen)
        if len(sizes) > 3:
            pool = F.max_pool2d if len(sizes) == 4 else F.max_pool3d
            pooled = pool(x, [chance.randint(1, n) for n in sizes[2:]], 1)
            assert strides.suggested(sizes, x.stride(), tuple(pooled.shape)) == pooled.stride()
        y = lying(chance, [n if chance.random() < 0.8 else 1 for n in sizes])
        z = lying(chance, sizes) if chance.random() < 0.5 else x
        for found, read in ((x + y, (x, y)), (torch.addcmul(x, y, z), (x, y, z))):
            operands = [(tuple(one.shape), one.stride()) for one in read]
            assert strides.elementwise(sizes, operands) == found.stride()


#: Shifted windows with one head, whose mask takes most while it is made, or while it is added.
MASKED = (
    "2x8x12 >> channels_last >> window_attention(1, 4, shift=2)",
    "2x7x9 >> channels_last >> window_attention_v2(1, 4, shift=(1, 0))",
    "2x8x12 >> channels_last >> window_attention(1, (4, 6), shift=(0, 1))",
    "1x4x6 >> channels_last >> window_attention(1, (1, 2), shift=(0, 1))",
    "1x6x4 >> channels_last >> window_attention(1, (2, 1), shift=(1, 0))",
    "1x6x6 >> channels_last >> window_attention(1, (1, 2), shift=(0, 1))",
    "1x6x7 >> channels_last >> window_attention(1, 2, shift=1)",
    "1x2x8 >> channels_last >> window_attention(1, 2, shift=1)",
)


@pytest.mark.parametrize(("text", "batch"), list(product(MASKED, (1, 2))))
def test_masks_of_shifted_windows(text: str, batch: int) -> None:
    network = one_op(text)
    found = memory.peak_activations(network, batch=batch, eager=True, device="cpu")
    assert found.bytes == peak_in_torch(network, batch)


@pytest.mark.parametrize(
    "text",
    [
        "8x6x6 >> batch_norm", "8x6x6 >> layer_norm", "8x6x6 >> group_norm(4)", "8x6x6 >> max_pool(2)",
        "8x6x6 >> instance_norm(affine=true)", "40 >> linear(7)", "8x6x6 >> dropout", "8x7 >> softmax",
    ],
)  # fmt: skip
def test_half_precision(text: str) -> None:
    network = one_op(text)
    said = saved(network, batch=2, dtype="bfloat16", device="cpu")
    assert said == saved_in_torch(network, 2, torch.bfloat16)


#: Networks at an input at which a CPU runs them in no time.
SMALL = {
    "lenet5": 32, "lenet5_1998": 32, "googlenet": 64, "googlenet_aux": 64, "resnet18": 64, "resnet50": 64,
    "mobilenet_v1": 64, "convnext_tiny": 64, "vit_b_32": 64, "swin_t": 64, "swin_v2_t": 64,
}  # fmt: skip


def from_text(text: str) -> Network:
    return archlens.loads(textwrap.dedent(text))


def small(name: str) -> Network:
    return archlens.load(name, input=(archlens.load(name).input.channels, SMALL[name], SMALL[name]))


@pytest.mark.parametrize("name", SMALL)
def test_whole_networks(name: str) -> None:
    """Saved activations with the heads for training; the live set without and with an allocator's blocks."""
    network = small(name)
    assert saved(network, batch=2, device="cpu") == saved_in_torch(network, 2)
    for align in (1, memory.BLOCK):
        said = memory.peak_activations(network, batch=2, eager=True, device="cpu", align=align)
        assert said.bytes == peak_in_torch(network, 2, align)
        assert said.bytes == said.workspace + sum(tensor.bytes for tensor in said.alive)


@pytest.mark.parametrize(
    ("q", "k", "v"),
    [
        ("linear(8)", "ref(input.b)", "ref(input.b)"),
        ("ref(input.b)", "ref(input.b)", "linear(8)"),
        ("ref(input.b)", "ref(input.b)", "ref(input.b)"),
    ],
)
def test_attention_keeps_all_that_it_reads(q: str, k: str, v: str) -> None:
    """One kernel makes all its gradients, if any is asked for."""
    network = from_text(f"""
        input: {{a: 4x8 channels_last, b: 4x8 channels_last}}
        layers:
          - ref(input.a)
          - attention: {{q: {q}, k: {k}, v: {v}, heads: 2}}
          - linear(1)
    """)
    assert saved(network, batch=2, device="cpu") == saved_in_torch(network, 2)


@pytest.mark.parametrize(("x", "grid"), [("identity", '"conv(2, 1)"'), ('"conv(4, 1)"', "ref(input.b)")])
def test_a_sampled_map_and_its_grid_are_kept(x: str, grid: str) -> None:
    network = from_text(f"""
        input: {{a: 4x5x5, b: 2x5x5}}
        layers:
          - ref(input.a)
          - grid_sample: [{x}, {grid}]
          - conv(1, 1)
    """)
    assert saved(network, batch=2, device="cpu") == saved_in_torch(network, 2)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_window_as_wide_as_all_masks_nothing(length: int) -> None:
    network = from_text(f"""
        input: {length}x4 channels_last
        layers:
          - attention:
              q: linear(4)
              k: linear(4)
              v: linear(4)
              bias: parameter([1, 1])
              heads: 1
              window: {length}
    """)
    assert saved(network, batch=2, device="cpu") == saved_in_torch(network, 2)


def test_tokens_of_a_map_that_are_turned_lie_in_rows() -> None:
    network = from_text("{input: 8x6x7, layers: [tokens, rotary(2), linear(4)]}")
    assert saved(network, batch=2, device="cpu") == saved_in_torch(network, 2)


@pytest.mark.parametrize("name", ["alexnet", "alexnet_2012", "vgg11", "vgg16", "googlenet_2014"])
def test_whole_networks_at_their_size(name: str) -> None:
    """On the meta device, whose tensors have sizes and no values; its batch normalization copies more."""
    network = archlens.load(name)
    assert saved(network, batch=3, device="cpu") == saved_in_torch(network, 3, device="meta")
    said = memory.peak_activations(network, batch=3, eager=True, device="cpu")
    assert said.bytes == peak_in_torch(network, 3, device="meta")


#: What the zoo has little of: views that live on, what is read again late, parts, two outputs.
WIRING = {
    "a view is read late": """
        input: 4x6x6
        layers:
          - a: conv(8, 3)
          - flat: flatten
          - b: linear(50)
          - c: linear(128)
          - add: [ref(flat), identity]
          - relu
        """,
    "a part is read late": """
        input: 8x6x6
        layers:
          - a: conv(8, 3)
          - concat:
              - slice(0, 4) >> relu
              - slice(4) >> conv(4, 3, padding=1) >> conv(16, 1) >> conv(4, 1)
          - conv(2, 1)
        """,
    "a part is flattened": "{input: 8x6x6, layers: ['conv(8, 1)', 'slice(0, 4)', flatten, 'linear(3)']}",
    "a row is flattened": """
        input: 3x6x6
        layers: ["conv(1, 1)", 'slice(2, axis="height")', flatten, "linear(3)"]
        """,
    "every other channel is flattened": """
        input: 8x6x6
        layers: ["conv(8, 1)", "slice(step=2)", flatten, "linear(3)"]
        """,
    "every other feature is reshaped": """
        input: "40"
        layers: ["linear(36)", "slice(step=2)", flatten, "reshape([2, 3, 3])", "conv(4, 1)"]
        """,
    "a map with its channels last is flattened": """
        input: 4x6x6
        layers: ["conv(8, 1)", layer_norm, flatten, "linear(3)"]
        """,
    "a window of a turned map, which is copied and kept beside it": """
        input: 3x2x4
        layers: ["conv(12, 1)", relu, channels_last, "window_attention(1, (2, 4))"]
        """,
    "a crop is flattened": "{input: 8x6x6, layers: ['conv(8, 1)', 'crop(4)', flatten, 'linear(3)']}",
    "a tower that is used again, on what is not trained": """
        input: {a: 2x9x9, b: 2x9x9}
        layers:
          - concat:
              - [ref(input.a), tower: ["conv(6, 3)", batch_norm, prelu, "conv(6, 1)"]]
              - [ref(input.b), again(tower)]
          - conv(2, 3)
        """,
    "a layer several times, and a weight that is tied": """
        input: "40"
        layers: [first: linear(40), relu, again(first), again(first), relu, "linear(40, weight=first)"]
        """,
    "two outputs": """
        input: 4x8x8
        layers:
          - a: conv(16, 3)
          - b: conv(8, 3)
          - c: conv(4, 3)
        outputs:
          early: ref(a) >> max_pool(2)
        """,
    "the same tensor twice": """
        input: 4x8x8
        layers:
          - a: conv(16, 3)
          - add: [identity, identity, relu]
          - c: conv(4, 3)
        """,
    "the first tensor again at the end": """
        input: 4x8x8
        layers:
          - a: conv(16, 3)
          - add: [identity, global_avg_pool, identity]
          - c: conv(4, 3)
        """,
    "a long skip, and a gate": """
        input: 4x16x16
        layers:
          - skip: conv(8, 3, padding=1)
          - max_pool(2)
          - gate: [global_avg_pool, "conv(8, 1)", sigmoid]
          - conv_transpose(8, 2, stride=2)
          - concat: [identity, ref(skip)]
          - dropout
          - conv(2, 1)
        """,
    "factors of which few are trained": """
        input: 4x8x8
        layers:
          - multiply: [relu, tanh, "conv(4, 1)", sigmoid, "conv(4, 1)"]
          - multiply: [identity, identity, relu]
        """,
    "factors of which the first are not trained": """
        input: 4x8x8
        layers:
          - multiply: [relu, "conv(4, 1)", relu]
        """,
    "nothing before it is trained": """
        input: 4x16x16
        layers:
          - relu
          - max_pool(2)
          - multiply: [identity, "conv(4, 1)"]
          - batch_norm(affine=false)
        """,
    # an axis is turned to the end in a view where that is a matrix as it lies, else in a copy
    "axes that are multiplied": """
        input: 6x4x5
        layers:
          - conv(5, 1)
          - channels_last
          - linear(7, axis="height")
          - relu
          - linear(3, axis="width", bias=false)
          - layer_norm
          - linear(2, axis="width")
          - rearrange("h w c -> (w h) c")
          - linear(8, axis="length")
        """,
    "tokens that are mixed as they lie": """
        input: 6x20
        layers:
          - conv(5, 1)
          - tokens
          - linear(7, axis="length")
          - relu
          - slice(0, 3)
          - linear(4, axis="length")
        """,
    # of each branch the leading axes and the batch are one axis, in a view or a copy
    "products of rows": """
        input: 24x30
        layers:
          - tokens
          - linear(24)
          - heads: rearrange("l (h=4 c) -> h l c")
          - matmul(transpose=true): [identity, identity]
          - softmax
          - matmul: [identity, ref(heads) >> linear(5)]
          - rearrange("h l c -> c h l")
          - matmul(transpose=true): [layer_norm, identity]
        """,
    # one tensor for both samples, which each of them reads without a copy
    "what is made once": """
        input: 6x20
        layers:
          - tokens
          - linear(8)
          - add:
              - identity
              - sinusoidal_positions(size=20, width=4, once=true) >> linear(8) >> relu
          - concat(axis="length"): ["parameter([3, 5], once=true) >> linear(8)", identity]
        """,
    "what a bias network makes once": """
        input: 8x9
        layers:
          - tokens
          - attention:
              q: linear(8)
              k: linear(8)
              v: linear(8)
              bias:
                - relative_coordinates(3, once=true) >> linear(5) >> relu >> linear(2)
                - relative_positions((3, 3)) >> rearrange("q k h -> h q k")
              heads: 2
          - linear(4)
        """,
    # no kernel is fused, and the mask is numbers that are added, once for the whole batch
    "what comes later is masked": """
        input: 6x40
        layers:
          - tokens
          - attention: {q: linear(16), k: linear(8), v: linear(6), heads: 4, kv_heads: 2, causal: true}
        """,
}


@pytest.mark.parametrize("name", WIRING)
def test_wiring(name: str) -> None:
    network = from_text(WIRING[name])
    assert saved(network, batch=2, device="cpu") == saved_in_torch(network, 2)
    said = memory.peak_activations(network, batch=2, eager=True, device="cpu")
    assert said.bytes == peak_in_torch(network, 2)


def is_measured(network: Network) -> bool:
    """Whether all is said to the byte.

    Workspaces of recurrent kernels are not known.
    """
    return not any(layer.op.memory_unknown for layer in network)


@pytest.mark.parametrize("about", [*STRATA])
@pytest.mark.slow
def test_random_networks(about: str) -> None:
    """Every op and every construct that is drawn: both references, to the byte."""
    measured = [network for drawn in accepted(about, 3) if is_measured(network := drawn.network())]
    assert bool(measured) == (about not in ("lstm", "gru", "rnn", "initial"))
    for network in measured[:2]:
        assert saved(network, batch=2, device="cpu") == saved_in_torch(network, 2), network
        said = memory.peak_activations(network, batch=2, eager=True, device="cpu")
        assert said.bytes == peak_in_torch(network, 2), network


# By hand, for one sample in float32: the arithmetic stands beside each step.
CHAIN = """
input: 1x10x10
layers:
  - a: conv(2, 1)            # 100 -> 200 values
  - b: relu                  # 200 -> 200
  - residual:                # b stays alive for the sum
    - c: conv(2, 1)          # b, c = 400
    - d: relu                # b, c, d = 600
  - flat: flatten            # a view of the sum
  - fc: linear(3)
"""


def test_peak_activations_by_hand() -> None:
    network = archlens.loads(CHAIN)
    # alive: in+a 300, a+b 400, b+c 400, b+c+d 600, b+d+sum 600, sum+fc 203
    live = memory.peak_activations(network)
    assert (live.bytes, live.layer) == (4 * 600, "d")
    assert [tensor.name for tensor in live.alive] == ["b", "c", "d"]
    # in place: in+a 300, b in a's place 200, b+c 400, d in c's place 400, the sum in b's or d's place
    in_place = memory.peak_activations(network, in_place=True)
    assert (in_place.bytes, in_place.layer) == (4 * 400, "c")
    # eager: as the first, and the input of 100 stays
    assert memory.peak_activations(network, eager=True).bytes == 4 * 700
    # autograd: a keeps the input, relu b, c keeps b again, relu d, add nothing, fc the sum
    assert saved(network) == 4 * (100 + 200 + 200 + 200)
    # half as wide; and int4 packs two values into a byte
    assert memory.peak_activations(network, dtype="float16").bytes == 2 * 600
    assert memory.peak_activations(network, dtype="int4", batch=3).bytes == 3 * 600 // 2
    assert memory.account(network).outputs == 4 * (200 + 200 + 200 + 200 + 200 + 3)


def test_where_nothing_is_made_the_input_is_the_peak() -> None:
    found = memory.peak_activations(from_text("{input: 3x4x4, layers: [flatten]}"))
    assert (found.bytes, found.layer) == (4 * 48, "input")
    assert [tensor.name for tensor in found.alive] == ["input"]


def test_in_place_spares_what_is_read_again() -> None:
    network = archlens.loads("{input: 1x10x10, layers: [relu, a: 'conv(3, 1)', residual: [relu]]}")
    # the network's own input is the caller's: in+relu 200; relu+a 400; a+relu 600, for a is read again;
    # the sum goes over either of them
    assert memory.peak_activations(network, in_place=True).bytes == 4 * 600
    alone = archlens.loads("{input: 1x10x10, layers: [relu]}")
    assert memory.peak_activations(alone, in_place=True).bytes == 4 * 200


def test_resnet50_and_the_planners() -> None:
    """Where onnx-tool's 10.7 MB come from, and that its live set is the one here.

    onnx-tool's README (github.com/ThanatosShinji/onnx-tool, 2026) prints "ResNet50 | 10.7 MB". Measured with
    onnx-tool 1.0.1 on a graph of torchvision's ResNet-50 at batch 1, batch normalization unfolded: its live
    set is 9,633,792 bytes (folded as well), and its pool, with new tensors placed largest first as that
    README says, 11,239,424 bytes, which is 10.72 MiB.
    """
    network = archlens.load("resnet50")
    assert memory.peak_activations(network).bytes == 9_633_792 == 3 * 256 * 56 * 56 * 4
    assert pool(network) == 11_239_424
    assert round(11_239_424 / 2**20, 1) == 10.7


def pool(network: Network) -> int:
    """The extent of a pool in which each tensor gets the first hole that takes it.

    A hole is split only where more than 1 MiB of it would be left. Input and first output are placed
    largest first.
    """
    last = {source: position for position, layer in enumerate(network) for source in layer.inputs}
    sizes = {layer.name: 4 * layer.shape.numel for layer in network} | {"input": 4 * network.input.numel}
    tensors = {"flatten": "avgpool"}  # of this network, the one view
    blocks: list[tuple[int, int, str]] = []  # start, size, tensor; a hole has none
    for position, layer in enumerate(network):
        gone = [name for name in sizes if last.get(name, len(network)) < position and name not in tensors]
        merged: list[tuple[int, int, str]] = []
        for start, size, name in blocks:
            owner = "" if name in gone else name
            if merged and not owner and not merged[-1][2]:
                merged[-1] = (merged[-1][0], merged[-1][1] + size, "")
            else:
                merged.append((start, size, owner))
        blocks = merged
        for name in [layer.name, "input"] if position == 0 else [layer.name]:
            size = -(-sizes[name] // 64) * 64
            fitting = (i for i, (_, hole, owner) in enumerate(blocks) if not owner and hole >= size)
            place = next(fitting, None)
            if place is not None:
                start, hole, _ = blocks[place]
                rest = [(start + size, hole - size, "")] if hole - size > 2**20 else []
                blocks[place : place + 1] = [(start, size if rest else hole, name), *rest]
            elif blocks and not blocks[-1][2]:
                blocks[-1] = (blocks[-1][0], size, name)  # the last hole grows
            else:
                end = blocks[-1][0] + blocks[-1][1] if blocks else 0
                blocks.append((end, size, name))
    return blocks[-1][0] + blocks[-1][1]


@pytest.mark.parametrize("text", EXAMPLES)
def test_weights_and_buffers_of_every_op(text: str) -> None:
    network = one_op(text)
    check_bytes(network, archlens.build(network, device="meta"))


def check_bytes(network: Network, module: torch.nn.Module) -> None:
    """As torch's module has them, before and after it is converted; counters and indices stay int64."""
    in_order = [(key, tuple(weight.shape)) for key, weight in module.named_parameters()]
    assert list(memory.parameters(network).items()) == in_order
    saved = module.state_dict()
    assert {
        layer.key(name): (buffer.shape, buffer.dtype, buffer.saved)
        for layer in network
        for name, buffer in layer.facts.buffers.items()
    } == {
        name: (tuple(buffer.shape), str(buffer.dtype).removeprefix("torch."), name in saved)
        for name, buffer in module.named_buffers()
    }
    for dtype, convert in (("float32", module.float), ("float16", module.half)):
        convert()
        assert memory.weight_bytes(network, dtype) == sum(weight.nbytes for weight in module.parameters())
        assert memory.buffer_bytes(network, dtype) == sum(buffer.nbytes for buffer in module.buffers())


OPS_DRAWN = ("conv(4, 1)", "relu", "tanh", "concat", "add", "multiply")


def drawn(seed: int) -> Network:
    """A graph whose merges read any layers before them; the last is read again late, or never."""
    choose = random.Random(seed)
    channels = [choose.randint(1, 4)]
    text = f"input: 1x3x3\nlayers:\n  - l0: conv({channels[0]}, 1)\n"
    for number in range(1, choose.randint(6, 20)):
        step = choose.choice(OPS_DRAWN)
        alike = [at for at, width in enumerate(channels) if width == channels[-1]]
        if step in ("concat", "add", "multiply"):
            read = choose.choices(range(number) if step == "concat" else alike, k=choose.randint(2, 5))
            text += f"  - l{number}:\n    - {step}:\n"
            text += "".join(f"      - ref(l{source})\n" for source in read)
            channels.append(sum(channels[at] for at in read) if step == "concat" else channels[-1])
        else:
            text += f"  - l{number}: {step}\n"
            channels.append(4 if step.startswith("conv") else channels[-1])
    return archlens.loads(text)


def by_definition(network: Network, *, in_place: bool) -> tuple[int, str, list[str]]:
    """The peak, where it is first, and what is alive there: each time looked up among all layers."""
    layers = list(network)
    size = {name: 4 * shape.numel for name, shape in network.inputs.items()}
    size |= {layer.name: 4 * layer.shape.numel for layer in layers}
    forever = set(network.outputs.values())
    over: set[str] = set()  # whose memory has been written over
    best: tuple[int, str, list[str]] = (sum(size[name] for name in network.inputs), "input", ["input"])
    for at, layer in enumerate(layers):
        later = {source for other in layers[at + 1 :] for source in other.inputs} | forever
        if in_place and layer.op.kind in ("relu", "tanh", "add", "multiply"):
            for source in layer.inputs:
                if source not in later | over | set(network.inputs) and size[source] == size[layer.name]:
                    over.add(source)
                    break
        made = ["input", *(other.name for other in layers[:at])]
        alive = [n for n in made if n in later | set(layer.inputs) and n not in over] + [layer.name]
        total = sum(size[name] for name in alive)
        if total > best[0]:
            best = total, layer.name, alive
    return best


@pytest.mark.slow
def test_peaks_of_drawn_graphs() -> None:
    """Against their definition, applied from the start at each layer."""
    apart = 0
    for seed in range(150):
        network = drawn(seed)
        found = [memory.peak_activations(network, in_place=in_place) for in_place in (False, True)]
        for peak, in_place in zip(found, (False, True), strict=True):
            said = (peak.bytes, peak.layer, [tensor.name for tensor in peak.alive])
            assert said == by_definition(network, in_place=in_place), seed
        apart += found[0].bytes != found[1].bytes
        assert saved(network, batch=2, device="cpu") == saved_in_torch(network, 2), seed
    assert apart > 30


def test_int4_rounds_each_tensor_up() -> None:
    """3x1x1x1 weights and 3 biases: 2 bytes each, and not 3 for both."""
    network = archlens.loads("{input: 1x4x4, layers: ['conv(3, 1)']}")
    assert memory.account(network).weights == {
        "float32": 24, "float16": 12, "bfloat16": 12, "int8": 6, "int4": 4,
    }  # fmt: skip


#: Torch's, by the names of the command.
OPTIMIZERS: dict[str, Any] = {
    "sgd": partial(torch.optim.SGD, lr=0.1),
    "momentum": partial(torch.optim.SGD, lr=0.1, momentum=0.9),
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def test_optimizers() -> None:
    assert memory.OPTIMIZERS.keys() == {"none", *OPTIMIZERS}


def states_of(stepped: torch.optim.Optimizer) -> list[Tensor]:
    return [t for t in tree_leaves(stepped.state_dict()["state"]) if isinstance(t, Tensor)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizer_state(optimizer: str) -> None:
    """The tensors that torch's optimizers hold after a step, and the gradients before it."""
    network = archlens.load("lenet5")
    module = archlens.build(network)
    module(torch.rand(1, 1, 32, 32)).sum().backward()
    found = memory.account(network, optimizer=optimizer)
    assert found.gradients == sum(p.grad.nbytes for p in module.parameters() if p.grad is not None)
    stepped = OPTIMIZERS[optimizer](module.parameters())
    stepped.step()
    assert found.states == sum(t.nbytes for t in states_of(stepped))
    assert found.total == (
        found.weights["float32"] + found.buffers + found.gradients + found.states + (found.saved or 0)
    )


#: The largest weight after one nearly as large, and before; a tensor of a scope after a scope within it.
STEPS = {
    "down": "{input: 90, layers: ['linear(100, bias=false)', 'linear(95, bias=false)', 'linear(3)']}",
    "up": "{input: 95, layers: ['linear(100, bias=false)', 'linear(90, bias=false)']}",
    "its own": """
        input: 40x5x5
        layers:
          - a:
              - tokens
              - b: [small: 'linear(40, bias=false)', large: 'linear(900, bias=false)']
              - position: position_embedding
          - c: linear(45, bias=false)
        """,
}


@pytest.mark.parametrize("foreach", [False, True, None])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.slow
def test_step(optimizer: str, foreach: bool | None) -> None:
    """What torch's optimizers make while they step, to the byte; on a CPU ``None`` is one after another."""
    networks = [small("lenet5"), archlens.load("mobilenet_v1_0.25"), *map(from_text, STEPS.values())]
    for network, dtype in product(networks, ("float32", "bfloat16")):
        module = archlens.build(network, dtype=getattr(torch, dtype))
        gradients = [torch.rand_like(weight) for weight in module.parameters()]
        for weight, gradient in zip(module.parameters(), gradients, strict=True):
            weight.grad = gradient
        stepped = OPTIMIZERS[optimizer](module.parameters(), foreach=foreach)
        stepped.step()
        with Alive([*own(module), *gradients, *states_of(stepped)], []) as seen:
            stepped.step()
        said = memory.account(network, optimizer=optimizer, dtype=dtype).step
        assert said is not None
        assert seen.peak == (said.foreach if foreach else said.single)


class Training(NamedTuple):
    """The most bytes that are alive in a forward pass, a backward pass and a step, all included."""

    forward: int
    backward: int
    step: int


class Loss(torch.autograd.Function):
    """A loss that makes nothing but gradients as large as the outputs."""

    @staticmethod
    def forward(ctx: Any, *outputs: Tensor) -> Tensor:  # type: ignore[override]
        ctx.outputs = [(output.shape, output.dtype) for output in outputs]
        return torch.zeros(())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        return tuple(torch.ones(shape, dtype=dtype) for shape, dtype in ctx.outputs)


def training_in_torch(
    network: Network, batch: int, optimizer: str = "sgd", dtype: torch.dtype = torch.float32, **given: Any
) -> Training:
    """An iteration that begins without gradients; the caller holds inputs and outputs."""
    torch.default_generator.manual_seed(0)
    module = unfilled(network, "cpu", dtype).train()
    stepped = OPTIMIZERS[optimizer](module.parameters(), **given)
    for weight in module.parameters():
        weight.grad = torch.zeros_like(weight)
    stepped.step()
    stepped.zero_grad()
    inputs = inputs_of(network, batch, dtype=dtype)
    with (
        pytest.MonkeyPatch.context() as patch,
        Alive([], [*own(module), *states_of(stepped), *inputs]) as seen,
    ):
        patch.setattr(F, "linear", linear)
        outputs = module(*inputs)
        forward, seen.peak = seen.peak, seen.now
        loss = Loss.apply(*outputs.values() if isinstance(outputs, dict) else [outputs])  # type: ignore[no-untyped-call]
        loss.backward()
        del loss
        backward, seen.peak = seen.peak, seen.now
        stepped.step()
    return Training(forward, backward - 2 * 4, seen.peak)  # without the loss and its gradient, a number each


def bounded(network: Network, batch: int, label: object) -> float:
    """How far the peak that is said is above the measured one, which it must not be below."""
    measured = training_in_torch(network, batch)
    said = memory.account(network, batch=batch, optimizer="sgd", device="cpu")
    assert said.training is not None
    forward, backward, step = [said.lasting + moment.bytes for moment in said.moments]
    assert measured.forward <= forward, label
    assert measured.backward <= backward, label
    assert measured.step <= step, label  # what no output reads gets no gradient
    assert said.training == max(forward, backward, step)
    return said.training / max(measured)


@pytest.mark.parametrize("text", EXAMPLES)
@pytest.mark.slow
def test_training_of_every_op(text: str) -> None:
    """At most half as much again as is measured, where the op is all that there is."""
    network = one_op(text)
    last = network.layers[-1]
    if not network.params or (last.facts.reach is NOWHERE and not last.params):
        return  # nothing reaches what is before it, and nothing in it is trained
    for batch in (2, 3):  # batch normalization takes statistics of more than one value
        assert bounded(network, batch, text) < 1.6


#: Ops at the ends of what they take: one head or a head for each channel, windows of one and of everything,
#: broadcasts of everything, and paddings wider than the map.
ENDS = (
    "24x5x5 >> tokens >> self_attention(1)",
    "24x1x2 >> tokens >> self_attention(24)",
    "1x9x9 >> tokens >> self_attention(1)",
    "12x6x6 >> channels_last >> window_attention(1, 1)",
    "32x6x6 >> channels_last >> window_attention(32, 3, shift=1)",
    "64x5x5 >> channels_last >> window_attention(1, 2, shift=1)",
    "2x14x14 >> channels_last >> window_attention(1, 14)",
    "32x7x6 >> channels_last >> window_attention_v2(16, 2)",
    "2x14x14 >> channels_last >> window_attention_v2(1, 14)",
    "64x4x4 >> window_partition(2) >> relative_attention(16, 2)",
    "2x12x12 >> window_partition(12) >> relative_attention(1, 12)",
    "3x8x8 >> local_response_norm(20)",
    "8x8x8 >> crop(1)",
    "8x8x8 >> crop((1, 8))",
    "8x9x9 >> channels_last >> merge_patches(4)",
    "3x9x9 >> conv(1, 3, padding=((9, 0), (0, 9)))",
    "1x9x9 >> conv_map([[0], [0], [0], [0], [0], [0]], 3)",
    "6x9x9 >> conv_map([[0, 1, 2, 3, 4, 5]], 9)",
    "3x9x9 >> conv_transpose(1, 9, stride=9, padding=((4, 3), (4, 3)))",
    '3x2x2 >> max_pool(5, stride=5, padding="same")',
    '3x2x2 >> avg_pool(5, stride=5, padding="same")',
    "5 >> rbf(1)",
    "3x8x8 >> subsample(8)",
    "300x1x2 >> instance_norm(affine=true)",
    "8x4x4, 1x4x4, 8x1x1, 1x1x1 >> multiply",
    "1x4x4, 8x1x1, 1x1x1 >> add",
    "2x20x20 >> upsample(0.1)",
)


@pytest.mark.parametrize("text", ENDS)
def test_training_at_the_ends(text: str) -> None:
    network = one_op(text)
    for batch in (1, 2, 7):
        bounded(network, batch, text)


#: Networks of all kinds, each at an input at which a CPU trains it in no time.
TRAINED = {name: (size, size) for name, size in SMALL.items()} | {
    "lenet1": (28, 28), "nin_cifar10": (32, 32), "resnet20_cifar": (32, 32), "densenet121": (64, 64),
    "squeezenet1_0": (64, 64), "shufflenet_v2_x1_0": (64, 64), "mobilenet_v2": (64, 64),
    "mobilenet_v3_small": (64, 64), "efficientnet_b0": (64, 64), "bn_inception": (64, 64), "segnet": (64, 64),
    "se_resnet50": (64, 64), "vgg11_lrn": (64, 64), "m3": (32000,),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAINED)
def test_training_of_whole_networks(name: str) -> None:
    """Within a quarter above what is measured."""
    loaded = archlens.load(name)
    network = archlens.load(name, input=(loaded.input.channels, *TRAINED[name]))
    assert bounded(network, 2, name) < 1.25


@pytest.mark.parametrize("name", WIRING)
def test_training_of_wiring(name: str) -> None:
    for batch in (1, 2):
        bounded(from_text(WIRING[name]), batch, name)


@pytest.mark.slow
def test_training_of_drawn_graphs() -> None:
    for seed in range(60):
        bounded(drawn(seed), 2, seed)


@pytest.mark.slow
def test_training_of_random_networks() -> None:
    held = 0
    for drawn in (drawn for about in STRATA for drawn in accepted(about, 1)):
        network = drawn.network()
        if is_measured(network) and network.params:  # an optimizer wants some
            bounded(network, 2, drawn.text)
            held += 1
    assert held > len(STRATA) / 2


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_in_bfloat16(optimizer: str) -> None:
    """With each optimizer and in both ways of its step, of which the larger is said."""
    network = small("lenet5")
    said = memory.account(network, batch=64, dtype="bfloat16", optimizer=optimizer, device="cpu")
    ways = [training_in_torch(network, 64, optimizer, torch.bfloat16, foreach=way) for way in (False, True)]
    assert [said.lasting + moment.bytes for moment in said.moments] == [
        max(way) for way in zip(*ways, strict=True)
    ]


def moments(text: str, **given: Any) -> dict[str, memory.Moment]:
    """The moments of a network by the first word of their names, one value a byte."""
    found = memory.account(from_text(text), optimizer="sgd", device="cpu", **given).moments
    return {moment.when.partition(" ")[0]: moment for moment in found}


# By hand, in values of 4 bytes. Weights, buffers and the state of the optimizer are left out.


def test_backward_pass_by_hand() -> None:
    """A chain: at each layer what is left saved, the gradients so far, and two gradients of activations."""
    found = moments("{input: 1x10x10, layers: [a: 'conv(2, 1)', b: relu, c: 'conv(5, 1)', d: tanh]}")
    # saved: the input for a, b for itself and for c, d for itself: 100 + 200 + 500, and the caller holds d.
    # d: 800 saved, gradients of d 500 and of c 500: 1800
    # c: d is held and no longer saved: 300 + 500; weights of c 10 + 5; gradients of c 500 and of b 200: 1515
    # b: 300 + 500; 15; gradients of b 200 and of a 200: 1215
    # a: 100 + 500; 15 and 2 + 2; of a alone 200, for the input has none: 819
    assert found["backward"] == ("backward pass", "d", 0, 4 * 800, 0, 4 * 1000, 0)
    # at d: input 100, b 200 and d 500 are saved; c of 500 is still read
    assert found["forward"] == ("forward pass", "d", 0, 4 * 800, 4 * 500, 0, 0)
    # gradients of all weights, 4 + 15; the caller holds input and output
    assert found["step,"] == ("step, each tensor", "", 4 * 19, 0, 4 * 600, 0, 0)


def test_gradients_of_weights_add_up_by_hand() -> None:
    found = moments("{input: 10, layers: [a: 'linear(100)', b: 'linear(20)']}")
    # saved: the input for a, a for b; the caller holds b.
    # b: 110 saved, 20 held, weights 2000 + 20, gradients of b 20 and of a 100: 2270
    # a: 10 saved, 20 held, 2020 and 1000 + 100, of a alone 100: 3250
    assert found["backward"] == ("backward pass", "a", 4 * 3120, 4 * 10, 4 * 20, 4 * 100, 0)


def test_gradients_of_shared_weights_by_hand() -> None:
    found = moments("{input: 30, layers: [a: 'linear(30)', again(a)]}")
    # saved: the input for the first, its output for the second; the caller holds input and end
    # second: 60 saved, 30 held, weights 900 + 30, gradients of its output 30 and of its input 30
    # first: 30 saved, 30 held, weights 930, as many to be added to them and for the sum, of its output 30
    assert found["backward"] == ("backward pass", "a", 4 * 930, 4 * 30, 4 * 30, 4 * 30, 4 * 1860)


def test_a_gradient_waits_at_a_branch_by_hand() -> None:
    text = """
        input: 1x10x10
        layers:
          - a: conv(2, 1)
          - residual:
              - b: conv(30, 1)
              - c: conv(2, 1)
          - d: conv(1, 1)
        """
    found = moments(text)
    # saved: the input for a, a for b, b for c, the sum for d: 3500 values; the caller holds d, 100.
    # c: the sum is no longer saved: 3300; the weights of d 2 + 1 and of c 60 + 2. The gradient of the sum,
    # 200, is that of c as well as that which waits for a; b's 3000 come of it
    assert found["backward"] == ("backward pass", "c", 4 * 65, 4 * 3300, 4 * 100, 4 * 3200, 0)


def test_a_gradient_is_added_to_another_by_hand() -> None:
    text = """
        input: 1x10x10
        layers:
          - a: conv(9, 1)
          - b: relu
          - c: {add: ["conv(1, 1)", "conv(1, 1)"]}
        """
    found = moments(text)
    # saved: the input for a, b for itself and both convolutions: 100 + 900; the caller holds the sum, 100.
    # Both convolutions have had their turn, with 2 (9 + 1) weights and a gradient of b each; these and their
    # sum are 2700
    assert found["backward"] == ("backward pass", "c.0", 4 * 20, 4 * 1000, 4 * 100, 4 * 2700, 0)


def test_a_concatenation_hands_on_parts_by_hand() -> None:
    text = "{input: 1x10x10, layers: [a: {concat: ['conv(3, 1)', 'conv(4, 1) >> tanh >> conv(5, 1)']}]}"
    found = moments(text)
    # saved: the input for both, tanh's output for itself and the last convolution: 100 + 400; held: 800.
    # At tanh the gradient of the concatenation, 800, stays for the first convolution; the last has had its
    # part. Weights of the last: 4 x 5 + 5 = 25; gradients of tanh's output 400 and of its input 400
    assert found["backward"] == ("backward pass", "a.2", 4 * 25, 4 * 500, 4 * 800, 4 * 1600, 0)


def test_a_view_may_copy_its_gradient_by_hand() -> None:
    found = moments("{input: 1x10x10, layers: [a: 'conv(2, 1)', b: tanh, c: flatten, d: 'linear(1)']}")
    # saved: the input for a, b for itself and, seen flat, for d: 300; the caller holds d, 1. At c: 201
    # weights; the gradient of c, 200, which nobody else reads, and perhaps for a moment a copy of it
    assert found["backward"] == ("backward pass", "c", 4 * 201, 4 * 300, 4 * 1, 4 * 200, 4 * 200)


def test_a_view_may_copy_a_gradient_that_others_read_by_hand() -> None:
    found = moments(
        "{input: 1x10x10, layers: [a: {add: ['conv(2, 1) >> flatten', 'conv(2, 1) >> flatten']}]}"
    )
    # saved: the input; held: the sum, 200. Its gradient is that of both branches. The last is seen first:
    # what flatten hands on may be a copy, alive beside the other's when the convolution of 4 weights reads it
    assert found["backward"] == ("backward pass", "a.2", 4 * 4, 4 * 100, 4 * 200, 4 * 400, 0)


def test_temporaries_by_hand() -> None:
    found = moments("{input: 1x10x10, layers: [a: 'conv(3, 1)', b: layer_scale]}")
    # saved: the input for a, a for b: 400; the caller holds b, 300. At b: 3 weights; gradients of b and of a,
    # 600; each weight's is the sum over a product, gradient x input, of 300
    assert found["backward"] == ("backward pass", "b", 4 * 3, 4 * 400, 4 * 300, 4 * 600, 4 * 300)


def test_an_input_that_nobody_keeps_is_held_by_the_caller() -> None:
    """Nothing before the convolution is trained, so the most is alive in the forward pass."""
    network = archlens.loads("{input: 1x100x100, layers: [tanh, 'max_pool(10)', 'conv(2, 1)']}")
    found = memory.account(network, optimizer="sgd")
    # the convolution keeps its input of 100 values; it has 2 + 2 weights
    assert found.saved == 4 * 100
    # the input, what tanh and the pooling make, and its indices of 8 bytes
    assert found.training == 4 * (2 + 2) + 4 * (100 * 100 + 100 * 100 + 100) + 8 * 100
    backward = found.moments[1]
    # gradients of weights 4 and of the output 200; the caller holds the input of 10,000 and that output
    assert backward == ("backward pass", "2", 4 * 4, 4 * 100, 4 * 10_200, 4 * 200, 0)


def test_what_cuda_does_otherwise() -> None:
    """ATen/native/Dropout.cpp: on CUDA the mask is a bool; cuda/Normalization.cu: statistics are float32."""
    network = one_op("4096 >> dropout")
    assert saved(network, device="cpu") - saved(network) == 3 * 4096
    network = one_op("8x6x6 >> batch_norm")
    cuda = saved(network, dtype="float16")
    assert cuda - saved(network, dtype="float16", device="cpu") == 2 * 8 * 2


def test_an_op_that_says_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPS["tanh"], "saved_for_backward", None)
    network = archlens.loads("{input: 1x4x4, layers: ['conv(2, 1)', tanh, tanh, tanh, tanh]}")
    found = memory.account(network)
    assert found.unknown == ("1", "2", "3", "4")
    text = terminal.write(view.table(network, found))
    assert "at least 64 " in text  # the 16 values that the convolution keeps
    assert "Lower bounds: it is not stated what 4 layers keep (1, 2, 3, …)." in text


def test_growth_is_that_of_the_batch() -> None:
    """Activations grow with the batch, weights do not; statistics of batch normalization neither."""
    network = archlens.load("resnet18")
    one, ten = memory.account(network), memory.account(network, batch=10)
    assert ten.inference.bytes == 10 * one.inference.bytes
    assert ten.weights == one.weights
    statistics = sum(2 * 4 * layer.shape.channels for layer in network if layer.op.kind == "batch_norm")
    assert one.saved is not None
    assert ten.saved == 10 * (one.saved - statistics) + statistics


# --- the command

GOLDEN = Path(__file__).parent / "golden"

CASES: dict[str, tuple[list[str], int | None]] = {
    "memory_resnet50.txt": (["resnet50"], None),
    "memory_googlenet_2014_narrow.txt": (["googlenet_2014", "--batch", "32", "--optimizer", "momentum"], 60),
    "memory_lenet5.md": (["lenet5", "--dtype", "int8", "--format", "markdown"], None),
    "memory_mobilenet_v1_0.25.json": (["mobilenet_v1_0.25", "--format", "json"], None),
}


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str, update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    args, width = CASES[name]
    if width is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(width))
    text = CliRunner().invoke(cli, ["memory", *args]).stdout
    if width is not None:
        assert max(map(len, text.splitlines()[1:])) <= width
    if update:
        (GOLDEN / name).write_text(text, "utf-8")
    assert text == (GOLDEN / name).read_text("utf-8")


def test_json_adds_up() -> None:
    data = json.loads((GOLDEN / "memory_mobilenet_v1_0.25.json").read_text("utf-8"))
    assert data["schema"] == "archlens.memory/1"
    training = data["training"]
    parts = ("gradients", "optimizer_state", "saved")
    assert training["total"] == data["weights"]["float32"] + data["buffers"] + sum(map(training.get, parts))
    lasting = training["total"] - training["gradients"] - training["saved"]
    names = ("gradients", "saved", "activations", "activation_gradients", "temporaries")
    for moment in training["moments"]:
        assert moment["bytes"] == lasting + sum(map(moment.get, names))
    assert training["peak"] == max(moment["bytes"] for moment in training["moments"])
    assert training["moments"][-1]["temporaries"] == max(training["step"].values())
    for peak in (data["inference"][name] for name in ("peak_activations", "in_place", "eager")):
        assert peak["bytes"] == peak["temporaries"] + sum(tensor["bytes"] for tensor in peak["alive"])


def test_column() -> None:
    """The bytes of each output add up; a flatten writes nothing."""
    text = CliRunner().invoke(cli, ["shapes", "lenet5", "--columns", "layer,activation"]).stdout
    assert f"{4 * (2 * 6 * 28 * 28 + 6 * 14 * 14 + 2 * 16 * 100 + 400 + 2 * 120 + 2 * 84 + 10):,}" in text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["lenet5", "--batch", "0"], "0 is not in the range"),
        (["lenet5", "--dtype", "int2"], "'int2' is not one of"),
        (["lenet5", "--optimizer", "lion"], "'lion' is not one of"),
        (["lenet9"], "there is no network lenet9"),
    ],
)
def test_bad_input(args: list[str], message: str) -> None:
    result = run("memory", *args)
    assert result.returncode == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    "given",
    [{"batch": 0}, {"dtype": "float31"}, {"activations": "f"}, {"optimizer": "adm"}, {"device": "tpu"}],
)
def test_bad_arguments(given: dict[str, Any]) -> None:
    with pytest.raises(archlens.UsageError):
        memory.account(archlens.load("lenet5"), **given)


# --- beside what CUDA measures


def test_prediction_stands_beside_the_measured_peak() -> None:
    """There is no GPU here; the prediction is held above, without the weights, against torch's storages."""
    network = archlens.load("lenet5")
    found = verify(network)
    assert found.predicted_bytes is None
    said = memory.allocated(network, batch=1)
    blocks = sum(-(-p.nbytes // 512) * 512 for p in archlens.build(network).parameters())
    assert said == blocks + peak_in_torch(network, 1, 512)
    measured = replace(found, seconds=0.002, peak_bytes=said + 8_519_680, predicted_bytes=said)
    text = terminal.write(verification_view.table([measured]))
    assert "with at most 8.8 MB allocated" in text
    assert "For lenet5, which allocated most, archlens predicts 0.3 MB" in text
    assert "| 8.8 |" in " ".join(
        markdown_form.write(verification_view.table([measured], timings=True)).split()
    )
    assert json.loads(verification_view.to_json([measured]))["networks"][0]["predicted_bytes"] == said
