"""Masks of attention in modules, which leave out keys, far ones, or others; against torch's own outputs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archlens

LENGTH, WIDTH, HEADS = 9, 16, 4

#: Which steps of two samples only fill their rows.
FILLING = torch.arange(LENGTH) >= torch.tensor([[6], [9]])


class Multihead(nn.Module):
    """Torch's module, which leaves out the steps that only fill a row."""

    def __init__(self, *, steps_first: bool = False, **options: bool) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(WIDTH, HEADS, batch_first=not steps_first, **options)
        self.steps_first = steps_first

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x.transpose(0, 1) if self.steps_first else x
        y = self.attend(x, x, x, key_padding_mask=mask, need_weights=False)[0]
        return y.transpose(0, 1) if self.steps_first else y


class Causal(Multihead):
    """It leaves out what comes after a step, too."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        after = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        y = self.attend(x, x, x, key_padding_mask=mask, attn_mask=after, need_weights=False)
        return y[0]  # type: ignore[no-any-return]


class PerHead(Multihead):
    """Its mask has a number for each score of each head, and that of filling steps is added to it."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        each = x[:, None, :, :LENGTH].expand(-1, HEADS, -1, -1).flatten(0, 1)
        filling = torch.zeros_like(mask, dtype=x.dtype).masked_fill(mask, -torch.inf)
        y = self.attend(x, x, x, key_padding_mask=filling, attn_mask=each, need_weights=False)
        return y[0]  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Torch's encoder, which makes numbers of its mask."""

    def __init__(self, **options: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=True, **options)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.layers(x, src_key_padding_mask=mask)  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Torch's decoder; of what it attends to some steps only fill a row."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(WIDTH, HEADS, 32, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        after = nn.Transformer.generate_square_subsequent_mask(7)
        return self.layer(x[:, :7], x, tgt_mask=after, memory_key_padding_mask=mask)  # type: ignore[no-any-return]


class Written(nn.Module):
    """Attention written out, its mask put in by one of these."""

    def __init__(self, how: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.qkv, self.how = nn.Linear(WIDTH, 3 * WIDTH), how

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        scores = self.how(q @ k.mT / 2, mask[:, None, None, :])
        return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


class Function(Written):
    """The same by torch's function, which is given the mask that the other computes."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.how(x, mask[:, None, None, :]))
        return y.transpose(1, 2).flatten(2)


def _filled(x: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, torch.tensor(float("-inf")), torch.tensor(0.0)).to(x.dtype)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "a module": Multihead,
    "without biases": lambda: Multihead(bias=False),
    "steps first": lambda: Multihead(steps_first=True),
    "causal, too": Causal,
    "for each head, too": PerHead,
    "an encoder": Encoder,
    "an encoder with norms first": lambda: Encoder(norm_first=True),
    "a decoder": Decoder,
    "masked_fill": lambda: Written(lambda s, m: s.masked_fill(m, -torch.inf)),
    "masked_fill by a large number": lambda: Written(lambda s, m: s.masked_fill(m, -1e9)),
    "masked_fill of the others": lambda: Written(lambda s, m: s.masked_fill(~(~m), -1e9)),
    "where": lambda: Written(lambda s, m: torch.where(m, torch.finfo(s.dtype).min, s)),
    "where others are": lambda: Written(lambda s, m: torch.where(~m, s, -1e9)),
    "truth that is worked out": lambda: Function(lambda x, m: ~m & (x[:, None, None, :, 0] < 2)),
    "a number is added": lambda: Written(lambda s, m: s + m.to(s.dtype) * -10000.0),
    "two masks": lambda: Written(lambda s, m: s.masked_fill(m | (m & ~m), -1e9)),
    "two masks, one after the other": lambda: Written(
        lambda s, m: (s + s.new_ones(LENGTH, LENGTH).triu(1) * -1e9).masked_fill(m, -1e9)
    ),
    "torch's function": lambda: Function(lambda _, m: ~m),
    "torch's function for each head": lambda: Function(lambda _, m: (~m).expand(-1, HEADS, LENGTH, -1)),
    "torch's function, by numbers": lambda: Function(_filled),
}


@pytest.mark.parametrize("case", MODULES)
def test_what_leaves_out_keys_is_a_bias_of_attention(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = MODULES[case]().eval()
    given = torch.rand(2, LENGTH, WIDTH), FILLING
    network = archlens.trace(module, *given)
    monkeypatch.setattr(torch.backends.mha, "get_fastpath_enabled", lambda: False)  # which is not counted
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        wanted = module(*given)
    assert 2 * len(wanted) * network.macs == counter.get_total_flops()
    assert network.output == wanted.shape[1:]
    assert {layer.op.kind for layer in network} >= {"attention"}
    if {layer.op.kind for layer in network} & {"opaque"}:
        assert [str(layer.op) for layer in network if layer.op.kind == "opaque"] == ["lt"]
        return  # which the language has no op for
    found = archlens.build(network)
    found.load_state_dict(module.state_dict())
    with torch.no_grad():
        assert torch.allclose(found.eval()(given[0], given[1].float()), wanted, atol=1e-5)


class Fixed(nn.Module):
    """Torch's module with a mask that is always the same."""

    def __init__(self, mask: Tensor, *, module: bool) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True) if module else None
        self.qkv = None if module else nn.Linear(WIDTH, 3 * WIDTH)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.attend is not None:
            return self.attend(x, x, x, attn_mask=self.mask, need_weights=False)[0]  # type: ignore[no-any-return]
        assert self.qkv is not None
        q, k, v = self.qkv(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=~self.mask)
        return y.transpose(1, 2).flatten(2)


AT = torch.arange(LENGTH)
AWAY = AT[:, None] - AT

#: Masks by what of the op says them; None where nothing does.
MASKS: dict[str, tuple[Tensor, dict[str, object] | None]] = {
    "nothing": (AWAY > LENGTH, {}),
    "after": (AWAY < 0, {"causal": True}),
    "after, and far before": ((AWAY < 0) | (AWAY >= 4), {"causal": True, "window": 4}),
    "far": (AWAY.abs() >= 3, {"window": 3}),
    "itself alone": (AWAY != 0, {"causal": True, "window": 1}),
    "after a prefix": ((AWAY < 0) & (AT > 3), None),
    "far before, but not behind": (AWAY >= 3, None),
    "blocks": (AT[:, None] // 3 != AT // 3, None),
}


@pytest.mark.parametrize("module", [True, False], ids=["module", "function"])
@pytest.mark.parametrize("case", MASKS)
def test_a_constant_mask_is_looked_at(case: str, module: bool) -> None:
    mask, said = MASKS[case]
    one = Fixed(mask, module=module).eval()
    x = torch.rand(2, LENGTH, WIDTH)
    network = archlens.trace(one, x)
    (core,) = [layer for layer in network if "attention" in str(layer.op)]
    assert (core.op.kind == "opaque") == (said is None)
    assert network.macs == LENGTH * WIDTH * (4 if module else 3) * WIDTH + 2 * LENGTH**2 * WIDTH
    if said is None:
        assert not isinstance(core.facts.reach, archlens.ops.op.NonUniform)
        return
    attributes = core.op.attributes()
    assert {name: attributes[name] for name in ("causal", "window") if attributes.get(name)} == said
    found = archlens.build(archlens.loads(archlens.convert(network)))
    found.load_state_dict(one.state_dict())
    with torch.no_grad():
        assert torch.allclose(found.eval()(x), one(x), atol=1e-6)


class Rows(Fixed):
    """The same mask for each sample, or another one for some."""

    def forward(self, x: Tensor) -> Tensor:
        assert self.qkv is not None
        q, k, v = self.qkv(x).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        mask = torch.ones(len(x), 1, LENGTH, LENGTH).tril(self.after).bool()
        if self.after:
            mask = mask & (torch.arange(len(x)) < 1)[:, None, None, None]
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)

    after = 0


class OtherRows(Rows):
    after = 1


def test_a_constant_mask_of_each_sample_is_the_same_for_all() -> None:
    for kind in (Rows, OtherRows):
        network = archlens.trace(kind(AWAY < 0, module=False), (LENGTH, WIDTH))
        (core,) = [layer for layer in network if "attention" in str(layer.op)]
        assert str(core.op) == ("attention(4, causal=true)" if kind is Rows else "attention")


class Words(nn.Module):
    """Which words only fill their rows is seen by the ids themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.attend = nn.Embedding(50, WIDTH), Encoder()

    def forward(self, ids: Tensor) -> Tensor:
        return self.attend(self.words(ids), ids == 0)  # type: ignore[no-any-return]


def test_ids_of_which_a_mask_is_made_are_looked_up_all_the_same() -> None:
    network = archlens.trace(Words(), (LENGTH,))
    assert {str(layer.op) for layer in network if layer.op.kind == "opaque"} == {"eq"}
    assert network["words"].op.kind == "embedding"
    assert str(network.input) == f"{LENGTH} of 50"
    assert network.params == sum(one.numel() for one in Words().parameters())


class Windows(nn.Module):
    """Windows of a map that is rolled attend by themselves, as in Swin; its mask is a buffer."""

    sides, size, shift, value = (6, 9), (2, 3), (1, 2), -100.0

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.table = nn.Linear(WIDTH, 3 * WIDTH), nn.Parameter(torch.zeros(1, HEADS, 6, 6))
        self.register_buffer("mask", self.made(torch.zeros(())), persistent=False)

    def made(self, x: Tensor) -> Tensor:
        """Regions of the map are numbered, in slices; those of two numbers do not see each other."""
        region = x.new_zeros(1, *self.sides, 1)
        starts = [
            (slice(0, -f), slice(-f, -s), slice(-s, None)) for f, s in zip(self.size, self.shift, strict=True)
        ]
        for number, (down, right) in enumerate((a, b) for a in starts[0] for b in starts[1]):
            region[:, down, right] = number
        number = self.cut(region).flatten(1)
        apart = number[:, None] - number[:, :, None]
        return apart.masked_fill(apart != 0, self.value).masked_fill(apart == 0, 0.0)

    def cut(self, x: Tensor) -> Tensor:
        (p, q), (n, height, width, channels) = self.size, x.shape
        x = x.view(n, height // p, p, width // q, q, channels)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, p * q, channels)

    def joined(self, x: Tensor) -> Tensor:
        (p, q), (height, width) = self.size, self.sides
        x = x.view(-1, height // p, width // q, p, q, WIDTH)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, WIDTH)

    def attended(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).reshape(*x.shape[:2], 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.mT * q.shape[-1] ** -0.5 + self.table
        scores = scores.view(-1, 9, HEADS, 6, 6) + self.mask[:, None]
        return (scores.view(-1, HEADS, 6, 6).softmax(-1) @ v).transpose(1, 2).flatten(2)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        y = x.roll([-s for s in self.shift], (1, 2))
        y = self.joined(self.attended(self.cut(y)))
        return x + y.roll(self.shift, (1, 2))


class AtOnce(Windows):
    """Both are added at once, given to torch's function with a row for each sample."""

    def attended(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).reshape(*x.shape[:2], 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        mask = self.mask.view(1, 9, 1, 6, 6).expand(len(x) // 9, -1, HEADS, -1, -1).reshape(-1, HEADS, 6, 6)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.table + mask)
        return y.transpose(1, 2).flatten(2)


class InForward(Windows):
    """The mask is made as it runs; and nothing is left of what it masks."""

    value = float("-inf")

    def attended(self, x: Tensor) -> Tensor:
        self.mask = self.made(x)
        return super().attended(x)


class OneAxis(Windows):
    """Rolled along one axis."""

    shift = (0, 1)

    def made(self, x: Tensor) -> Tensor:
        over = (torch.arange(9) >= 8).expand(6, 9)
        number = self.cut(over.view(1, 6, 9, 1)).flatten(1)
        return torch.where(number[:, None] == number[:, :, None], 0.0, -100.0)


SHIFTED = {
    Windows: "window_mask((2, 3), (6, 9), (1, 2))",
    AtOnce: "window_mask((2, 3), (6, 9), (1, 2))",
    InForward: 'window_mask((2, 3), (6, 9), (1, 2), value="-inf")',
    OneAxis: "window_mask((2, 3), (6, 9), (0, 1))",
}


@pytest.mark.parametrize("kind", SHIFTED)
def test_the_mask_of_shifted_windows_is_said(kind: type[Windows]) -> None:
    torch.manual_seed(0)
    module = kind().eval()
    nn.init.normal_(module.table)
    network = archlens.trace(module, (WIDTH, 6, 9))
    assert not [layer for layer in network if layer.op.kind == "opaque"]
    assert [str(layer.op) for layer in network if layer.op.kind == "window_mask"] == [SHIFTED[kind]]
    with torch.no_grad(), FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        module(torch.rand(1, WIDTH, 6, 9))
    assert 2 * network.macs == counter.get_total_flops()
    built = archlens.build(archlens.loads(archlens.convert(network))).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = 3 * torch.randn(2, WIDTH, 6, 9)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


class OtherMask(Windows):
    """One score more is left out."""

    def made(self, x: Tensor) -> Tensor:
        mask = super().made(x)
        mask[0, 0, 1] = -100.0
        return mask


class LearnedMask(Windows):
    """It is trained."""

    def __init__(self) -> None:
        super().__init__()
        own = self.mask
        del self.mask
        self.mask = nn.Parameter(own)


@pytest.mark.parametrize("kind", [OtherMask, LearnedMask])
def test_another_constant_is_no_mask_of_windows(kind: type[Windows]) -> None:
    network = archlens.trace(kind().eval(), (WIDTH, 6, 9))
    assert not [layer for layer in network if layer.op.kind == "window_mask"]
    assert [str(layer.op) for layer in network if layer.op.kind == "opaque"] == ["attention"]


class Stage(nn.Module):
    """Two blocks, the second of shifted windows, as tokens between them; then the channels of squares."""

    def __init__(self, kind: type[Windows]) -> None:
        super().__init__()
        self.first, self.second, self.norm = kind(), kind(), nn.LayerNorm(WIDTH)
        self.first.shift = (0, 0)
        self.first.register_buffer("mask", torch.zeros(9, 6, 6), persistent=False)
        self.stem = nn.Conv2d(1, WIDTH, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in (self.first, self.second):
            x = block(x).flatten(1, 2)
            x = (x + self.norm(x)).view(-1, 6, 9, WIDTH).permute(0, 3, 1, 2)
        y = x.permute(0, 2, 3, 1).view(-1, 3, 2, 3, 3, WIDTH).permute(0, 1, 3, 4, 2, 5)
        return y.reshape(-1, 3, 3, 6 * WIDTH)


class OnTheMap(Windows):
    """Queries, keys and values are projected by a function, on the map."""

    def attended(self, x: Tensor) -> Tensor:
        q, k, v = F.linear(x, self.qkv.weight).reshape(*x.shape[:2], 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        scores = (q @ k.mT).view(-1, 9, HEADS, 6, 6) + self.mask[:, None]
        return (scores.view(-1, HEADS, 6, 6).softmax(-1) @ v).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("kind", [Windows, AtOnce, OneAxis, OnTheMap])
def test_fields_go_through_windows_and_rows(kind: type[Windows]) -> None:
    """What changes at a position of the input changes exactly what sees it."""
    torch.manual_seed(0)
    module = Stage(kind).eval()
    network = archlens.trace(module, (1, 11, 18))
    fields = archlens.study(network).receptive_fields
    seen = fields[network.main]
    assert isinstance(seen, tuple)
    x = torch.randn(1, 1, 11, 18)
    with torch.no_grad():
        before = module(x)
        for row in range(11):
            for column in range(18):
                y = x.clone()
                y[..., row, column] += 1
                changed = (module(y) != before).any(-1)[0]
                for i, j in ((i, j) for i in range(3) for j in range(3)):
                    ends = [field.at(at) for field, at in zip(seen, (i, j), strict=True)]
                    inside = all(a <= at < b for (a, b), at in zip(ends, (row, column), strict=True))
                    assert bool(changed[i, j]) == inside, (row, column, i, j, ends)
    rolled = [fields[layer.name] for layer in network if layer.op.kind == "roll"][-2:]
    assert [isinstance(one, tuple) for one in rolled] == [False, True]


class Unmasked(Windows):
    """Nothing keeps those apart that the roll brought together."""

    def made(self, x: Tensor) -> Tensor:
        return x.new_zeros(9, 6, 6)


class Faint(Windows):
    """They are seen a little less."""

    value = -1.0


@pytest.mark.parametrize("kind", [Unmasked, Faint, OtherMask])
def test_windows_over_the_border_have_no_field(kind: type[Windows]) -> None:
    network = archlens.trace(kind().eval(), (WIDTH, 6, 9))
    assert type(archlens.study(network).receptive_fields[network.main]).__name__ == "NonUniform"


class Continuous(Windows):
    """Cosines, scaled by what each head has learned, and a bias from a small network, as Swin V2 has them."""

    measured: tuple[int, int] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        del self.table
        self.q_bias, self.v_bias = (nn.Parameter(torch.zeros(WIDTH)) for _ in range(2))
        self.register_buffer("k_bias", torch.zeros(WIDTH), persistent=False)
        self.logit_scale = nn.Parameter(torch.zeros(HEADS, 1, 1))
        self.mlp = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, HEADS, bias=False))
        at = torch.stack(torch.meshgrid(*(torch.arange(n) for n in self.size), indexing="ij"), -1).view(6, 2)
        away = at[:, None] - at + torch.tensor(self.size) - 1
        self.register_buffer("index", (away[..., 0] * 5 + away[..., 1]).flatten(), persistent=False)
        self.register_buffer("coordinates", self.offsets(), persistent=False)

    def offsets(self) -> Tensor:
        of = self.measured or self.size
        axes = [8 * torch.arange(1.0 - n, n) / (m - 1) for n, m in zip(self.size, of, strict=True)]
        table = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)[None]
        return table.sign() * (table.abs() + 1).log2() / 3

    def attended(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.qkv.weight, torch.cat((self.q_bias, self.k_bias, self.v_bias)))
        q, k, v = y.reshape(*x.shape[:2], 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT * self.logit_scale.clamp(max=4.6).exp()
        bias = self.mlp(self.coordinates).view(-1, HEADS)[self.index].view(6, 6, -1).permute(2, 0, 1)
        scores = scores + 16 * bias.contiguous().sigmoid().unsqueeze(0)
        scores = scores.view(-1, 9, HEADS, 6, 6) + self.mask[:, None]
        return (scores.view(-1, HEADS, 6, 6).softmax(-1) @ v).transpose(1, 2).flatten(2)


class Measured(Continuous):
    """Offsets are measured by another window."""

    measured = (4, 12)


class Logarithms(Continuous):
    """Offsets are not measured by a window."""

    def offsets(self) -> Tensor:
        table = torch.stack(torch.meshgrid(torch.arange(-1.0, 2), torch.arange(-2.0, 3), indexing="ij"), -1)
        return table.sign() * (1 + table.abs()).log()


class OtherOffsets(Continuous):
    """They are no such."""

    def offsets(self) -> Tensor:
        return super().offsets() ** 3


CONTINUOUS = {
    Continuous: "relative_coordinates((2, 3), once=true)",
    Measured: "relative_coordinates((2, 3), of=(4, 12), once=true)",
    Logarithms: "relative_coordinates((2, 3), plain=true, once=true)",
    OtherOffsets: "",
}


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_biases_that_a_small_network_makes(kind: type[Continuous]) -> None:
    """The network runs once for a batch, and its cost is that of one sample."""
    torch.manual_seed(0)
    module = kind().eval()
    for one in module.parameters():
        nn.init.normal_(one)
    network = archlens.trace(module, (WIDTH, 6, 9))
    assert [str(one.op) for one in network if one.op.kind == "opaque"] == ["attention"] * (
        not CONTINUOUS[kind]
    )
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.rand(1, WIDTH, 6, 9))
    assert 2 * network.macs == counter.get_total_flops()
    assert network.state() == {key: tuple(value.shape) for key, value in module.state_dict().items()}
    found = [str(one.op) for one in network if one.op.kind == "relative_coordinates"]
    assert found == [CONTINUOUS[kind]] * bool(CONTINUOUS[kind])
    if found:
        built = archlens.build(archlens.loads(archlens.convert(network))).eval()
        built.load_state_dict(module.state_dict(), strict=True)
        x = torch.randn(2, WIDTH, 6, 9)
        with torch.no_grad():
            torch.testing.assert_close(built(x), module(x), rtol=1e-4, atol=1e-4)


class ScaledLate(nn.Module):
    """Scores have something added first, and are multiplied then."""

    def __init__(self, by: float | None) -> None:
        super().__init__()
        self.qkv, self.bias = nn.Linear(WIDTH, 3 * WIDTH), nn.Parameter(torch.zeros(HEADS, LENGTH, LENGTH))
        self.factor = nn.Parameter(torch.ones(HEADS, 1, 1)) if by is None else by

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).view(len(x), LENGTH, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        scores = (q @ k.mT + self.bias) * self.factor
        return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("by", [None, 0.5])
def test_what_is_added_before_scores_are_scaled_is_scaled_too(by: float | None) -> None:
    torch.manual_seed(0)
    module = ScaledLate(by).eval()
    for one in module.parameters():
        nn.init.normal_(one)
    network = archlens.trace(module, (LENGTH, WIDTH))
    if any(one.op.kind == "opaque" for one in network):
        return
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.randn(2, LENGTH, WIDTH)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


class AddedMask(nn.Module):
    """Attention to whose scores a buffer is added that masks what comes later."""

    mask: Tensor

    def __init__(self, sizes: tuple[int, ...], *, saved: bool) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.register_buffer("mask", torch.full(sizes, float("-inf")).triu(1), persistent=saved)

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[1]
        q, k, v = (one.view(-1, n, 2, 4).transpose(1, 2) for one in self.qkv(x).split(8, 2))
        scores = q @ k.transpose(-2, -1) * 0.5 + self.mask[..., :n, :n]
        return (scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, n, 8)


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize("sizes", [(5, 5), (20, 20), (1, 1, 5, 5), (1, 1, 20, 20)])
def test_a_mask_in_the_state_dict_is_said_by_attention(sizes: tuple[int, ...], saved: bool) -> None:
    module = AddedMask(sizes, saved=saved).eval()
    network = archlens.trace(module, (5, 8))
    assert str(network["attention"].op) == "attention(2, causal=true)"
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
