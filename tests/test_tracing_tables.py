"""Constants that code computes, such as sines of positions, and what is computed of parameters alone.

They are compared with what the ops make; what differs in any way is no op.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.backends.checks import FAILED
from archlens.backends.reference import Reference
from archlens.backends.verification import verify
from archlens.source import emit

from .test_tracing_tensors import check


def row(length: int, width: int, base: float = 10000.0) -> Tensor:
    """Positions as in the Transformer of 2017, number by number."""
    table = torch.zeros(length, width)
    for position in range(length):
        for i in range(width):
            angle = torch.tensor(position / base ** (2 * (i // 2) / width), dtype=torch.float64)
            table[position, i] = angle.cos() if i % 2 else angle.sin()
    return table


def grid(height: int, width: int, share: int, base: float = 10000.0) -> Tensor:
    """Positions of a map as in DETR, and the code that most have copied: ``height x width x 2*share``."""
    down = torch.arange(1, height + 1)[:, None].repeat(1, width) / (height + 1e-6) * 2 * pi
    right = torch.arange(1, width + 1)[None].repeat(height, 1) / (width + 1e-6) * 2 * pi
    rates = base ** (2 * torch.div(torch.arange(share), 2, rounding_mode="floor") / share)

    def waves(places: Tensor) -> Tensor:
        angles = places[..., None] / rates
        return torch.stack((angles[..., 0::2].sin(), angles[..., 1::2].cos()), 3).flatten(2)

    return torch.cat((waves(down), waves(right)), 2)


class Tokens(nn.Module):
    """A table that no state dict has, added to tokens."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.embed = nn.Linear(5, table.shape[1])
        self.register_buffer("table", table[None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.embed(x) * 3 + self.table[:, : x.shape[1]]  # type: ignore[no-any-return]


class Projected(nn.Module):
    """A map of positions that is made as it runs, projected, and added to tokens, as in XCiT."""

    def __init__(self, table: Callable[[int, int, int], Tensor] = grid) -> None:
        super().__init__()
        self.patch, self.project, self.table = nn.Conv2d(3, 6, 4, 4), nn.Conv2d(8, 6, 1), table

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x)
        places = self.project(self.table(*x.shape[2:], 4).permute(2, 0, 1)[None]).repeat(len(x), 1, 1, 1)
        return x.flatten(2).transpose(1, 2) + places.reshape(len(x), 6, -1).permute(0, 2, 1)  # type: ignore[no-any-return]


class Counted(nn.Module):
    """The same for each sample, of positions that are counted in a mask of the batch, as in EdgeNeXt."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.project = nn.Conv2d(3, 6, 4, 4), nn.Conv2d(8, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x)
        kept = ~torch.zeros((len(x), *x.shape[2:])).to(dtype=torch.bool)
        rates = 10000 ** (2 * torch.div(torch.arange(4).to(torch.float32), 2, rounding_mode="floor") / 4)
        found = []
        for axis in (1, 2):
            places = kept.cumsum(axis, dtype=torch.float32)
            last = places[:, -1:, :] if axis == 1 else places[:, :, -1:]
            angles = (places / (last + 1e-6) * 2 * pi)[..., None] / rates
            found.append(torch.stack((angles[..., 0::2].sin(), angles[..., 1::2].cos()), 4).flatten(3))
        return x + self.project(torch.cat(found, 3).permute(0, 3, 1, 2))  # type: ignore[no-any-return]


@pytest.mark.parametrize(("length", "base"), [(9, 10000.0), (40, 500.0)])
def test_sines_of_a_row(length: int, base: float) -> None:
    check(Tokens(row(length, 6, base)), (length, 5), {"sinusoidal_positions", "add"})
    check(Tokens(row(2 * length, 6, base)), (length, 5), {"sinusoidal_positions", "add"})


@pytest.mark.parametrize("kind", [Projected, Counted])
def test_sines_of_a_map_that_are_projected(kind: Callable[[], nn.Module]) -> None:
    """Their products are those of one sample, which the counter has in a batch of one."""
    torch.manual_seed(0)
    module = kind().eval()
    network = archlens.trace(module, (3, 12, 20))
    kinds = [layer.op.kind for layer in network]
    assert (kinds.count("sinusoidal_positions"), kinds.count("conv"), kinds.count("opaque")) == (1, 2, 0)
    assert network.macs == 6 * 15 * 3 * 16 + 6 * 15 * 8
    built = archlens.build(archlens.loads(archlens.convert(network))).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 3, 12, 20)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


def halves(length: int, width: int) -> Tensor:
    """All sines before all cosines."""
    whole = row(length, width)
    return torch.cat((whole[:, 0::2], whole[:, 1::2]), 1)


#: Tables that are nearly the op's.
OTHER_ROWS = {
    "cosines first": row(9, 6).view(9, 3, 2).flip(2).flatten(1),
    "from 1": row(10, 6)[1:],
    "backwards": row(9, 6).flip(0),
    "minus": -row(9, 6),
    "somewhat more": 1.001 * row(9, 6),
    "halves": halves(9, 6),
    "slow pairs first": row(9, 6).view(9, 3, 2).flip(1).flatten(1),
    "one changed": torch.cat((row(8, 6), row(9, 6)[7:8])),
    "nothing": torch.zeros(9, 6) + 0.5,
}


@pytest.mark.parametrize("name", OTHER_ROWS)
def test_other_rows_are_no_sines_of_positions(name: str) -> None:
    network = archlens.trace(Tokens(OTHER_ROWS[name]).eval(), (9, 5))
    assert "sinusoidal_positions" not in {layer.op.kind for layer in network}
    with pytest.raises(archlens.ArchlensError):
        archlens.convert(network)


OTHER_GRIDS: dict[str, Callable[[int, int, int], Tensor]] = {
    "width first": lambda h, w, n: torch.cat(grid(h, w, n).chunk(2, 2)[::-1], 2),
    "transposed": lambda h, w, n: grid(w, h, n).transpose(0, 1),
    "of the last less one": lambda h, w, n: torch.cat(
        (grid(h + 1, w, n)[:h, :, :n], grid(h, w, n)[..., n:]), 2
    ),
    "a row that differs": lambda h, w, n: torch.cat((grid(h, w, n)[:-1], grid(h, w, n)[:1])),
}


@pytest.mark.parametrize("name", OTHER_GRIDS)
def test_other_maps_are_no_sines_of_positions(name: str) -> None:
    network = archlens.trace(Projected(OTHER_GRIDS[name]).eval(), (3, 12, 20))
    kinds = {layer.op.kind for layer in network}
    assert "opaque" in kinds
    assert "sinusoidal_positions" not in kinds


def test_what_differs_from_sample_to_sample_is_no_constant() -> None:
    """The second sample has the positions that come behind those of the first."""

    class Running(Counted):
        def forward(self, x: Tensor) -> Tensor:
            x = self.patch(x)
            kept = torch.ones((len(x), *x.shape[2:]))
            return x + self.project(kept.cumsum(0)[:, None].expand(-1, 8, -1, -1).sin())  # type: ignore[no-any-return]

    network = archlens.trace(Running().eval(), (3, 12, 20))
    assert [layer.op.kind for layer in network].count("opaque") == 1


# --- what is computed of parameters -------------------------------------------------------------------


class Tiled(nn.Module):
    """Positions of a small map made larger, and those within a window repeated over it, as in Hiera."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 6, 4, 4)
        self.places, self.within = (nn.Parameter(torch.rand(1, 6, *size)) for size in ((3, 2), (2, 2)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x)
        places = F.interpolate(self.places, size=x.shape[2:], mode="bicubic")
        places = places + self.within.tile(
            [a // b for a, b in zip(places.shape, self.within.shape, strict=True)]
        )
        return x.permute(0, 2, 3, 1) + places.permute(0, 2, 3, 1)  # type: ignore[no-any-return]


class Factored(nn.Module):
    """A row for each line and one for each column, as in NaFlexViT, of which one is scaled."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(5, 6)
        self.down, self.right = nn.Parameter(torch.rand(1, 4, 6)), nn.Parameter(torch.rand(1, 3, 6))

    def forward(self, x: Tensor) -> Tensor:
        places = self.down.unsqueeze(2) * 0.5 + self.right.unsqueeze(1)
        return self.fc(x) + places.reshape(1, 12, 6)  # type: ignore[no-any-return]


class Pairwise(nn.Module):
    """A bias that a small network makes of the offsets of each two positions, as in Swin V2-CR."""

    def __init__(self, sign: int = 1) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.meta = nn.Sequential(nn.Linear(2, 7), nn.ReLU(), nn.Linear(7, 2))
        at = torch.stack(torch.meshgrid(torch.arange(2.0), torch.arange(3.0), indexing="ij")).flatten(1)
        away = (at[:, :, None] - at[:, None, :]).permute(1, 2, 0).reshape(-1, 2) * sign
        self.register_buffer("away", away.sign() * (1 + away.abs()).log(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        bias = self.meta(self.away).transpose(1, 0).reshape(2, n, n).unsqueeze(0)
        scores = q @ k.transpose(-2, -1) * 0.5 + bias
        return (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c)


class Decomposed(nn.Module):
    """Scores have added what each query says of the line and the column of a key, as in SAM."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.down, self.right = nn.Parameter(torch.rand(3, 4)), nn.Parameter(torch.rand(5, 4))

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        qkv = self.qkv(x).reshape(b, n, 3, 2, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.reshape(3, b * 2, n, -1).unbind(0)
        rows = [
            table[(torch.arange(m)[:, None] - torch.arange(m) + m - 1).long()]
            for table, m in ((self.down, 2), (self.right, 3))
        ]
        at = q.reshape(b * 2, 2, 3, 4)
        down, right = torch.einsum("bhwc,hkc->bhwk", at, rows[0]), torch.einsum("bhwc,wkc->bhwk", at, rows[1])
        bias = (down[:, :, :, :, None] + right[:, :, :, None, :]).reshape(b, 2, n, n)
        q, k, v = (one.view(b, 2, n, -1) for one in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return y.transpose(1, 2).reshape(b, n, c)


#: Each with its input, and ops that say it.
COMPUTED: dict[type[nn.Module], tuple[tuple[int, ...], set[str]]] = {
    Tiled: ((3, 24, 16), {"upsample", "concat", "parameter"}),
    Factored: ((12, 5), {"scale", "add", "parameter"}),
    Pairwise: ((6, 8), {"relative_coordinates", "relative_positions", "attention"}),
    Decomposed: ((6, 8), {"relative_positions", "matmul", "attention"}),
}


class Repeated(nn.Module):
    """A parameter that is multiplied once for each sample, or once, as DETR's queries and others are."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.queries, self.fc, self.first = nn.Parameter(torch.rand(5, 4)), nn.Linear(4, 8), first

    def forward(self, x: Tensor) -> Tensor:
        own = self.queries[None]
        own = self.fc(own.expand(len(x), 5, 4)) if self.first else self.fc(own).expand(len(x), 5, 8)
        return torch.cat((own, x), 1)


ONCE: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "a map of positions": (Projected, (3, 12, 20), 6 * 15 * 8),
    "positions of each sample": (Counted, (3, 12, 20), 0),
    "a bias network": (Pairwise, (6, 8), 36 * (2 * 7 + 7 * 2)),
    "queries": (lambda: Repeated(False), (6, 8), 5 * 4 * 8),
    "queries of each sample": (lambda: Repeated(True), (6, 8), 0),
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ONCE)
def test_what_a_batch_takes_once(name: str, batch: int) -> None:
    """A module, its network and what is written of that multiply as often, by torch's counter and hooks."""
    torch.manual_seed(2)
    kind, sizes, once = ONCE[name]
    module, x = kind().eval().requires_grad_(False), torch.rand(batch, *sizes)
    network = archlens.trace(module, sizes)
    assert sum(layer.macs_once for layer in network) == once
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        said = module(x)
    assert 2 * sum(layer.macs_of(batch) for layer in network) == counter.get_total_flops()
    result = verify(network, reference=Reference(module, (x,), {}, (x,)), batch=batch)
    assert [one for one in result.checks if one.status == FAILED] == []
    written = archlens.loads(archlens.convert(network))
    assert [one for one in verify(written, batch=batch).checks if one.status == FAILED] == []
    assert sum(layer.macs_once for layer in written) == once
    place: dict[str, Any] = {}
    exec(emit(written), place)
    made = next(one for key, one in reversed(place.items()) if isinstance(one, type) and key != "Tensor")()
    for one in (archlens.build(written), made):
        one.load_state_dict(module.state_dict(), strict=True)
        with torch.no_grad():
            torch.testing.assert_close(one.eval()(x), said)


@pytest.mark.parametrize("kind", COMPUTED)
def test_what_is_computed_of_parameters(kind: type[nn.Module]) -> None:
    torch.manual_seed(1)
    sizes, kinds = COMPUTED[kind]
    module = kind().eval()
    network = archlens.trace(module, sizes)
    found = {layer.op.kind for layer in network}
    assert kinds <= found
    assert "opaque" not in found
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    built = archlens.build(archlens.loads(archlens.convert(network))).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, *sizes)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


def test_offsets_the_other_way_round_are_no_others() -> None:
    """``key - query`` is not read as ``query - key``."""
    network = archlens.trace(Pairwise(-1).eval(), (6, 8))
    kinds = [layer.op.kind for layer in network]
    assert ("relative_coordinates" in kinds, kinds.count("opaque")) == (False, 1)


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64])
def test_whole_offsets_are_constants_as_any(dtype: torch.dtype) -> None:
    """As the sizes of maps are that Deformable DETR divides by."""

    class Offset(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 2)
            self.learned = nn.Parameter(torch.rand(3, 3, 2))

        def forward(self, x: Tensor) -> Tensor:
            places = torch.arange(-1, 2, device=x.device).to(dtype)
            return self.fc(x + self.learned * torch.stack(torch.meshgrid(places, places, indexing="ij"), -1))

    network = archlens.trace(Offset(), (3, 3, 2))
    assert (network.params, network.macs, network.output) == (24, 36, (3, 3, 2))


#: Other rows for a query and a key than those of SAM: by an index of ``m`` of each, and then by a function.
OTHER_PAIRS: dict[str, tuple[Callable[[int], Tensor], Callable[[Tensor], Tensor]]] = {
    "key - query": (lambda m: torch.arange(m) - torch.arange(m)[:, None] + m - 1, lambda rows: rows),
    "distance": (lambda m: (torch.arange(m) - torch.arange(m)[:, None]).abs(), lambda rows: rows),
    "one further": (
        lambda m: (torch.arange(m)[:, None] - torch.arange(m) + m).clamp(max=2 * m - 2),
        lambda rows: rows,
    ),
    "in a row": (lambda m: torch.arange(m * m).view(m, m) % (2 * m - 1), lambda rows: rows),
    "turned": (lambda m: torch.arange(m)[:, None] - torch.arange(m) + m - 1, lambda rows: rows.mT),
    "keys for queries": (
        lambda m: torch.arange(m)[:, None] - torch.arange(m) + m - 1,
        lambda rows: rows.transpose(0, 1),
    ),
    "twice": (lambda m: torch.arange(m)[:, None] - torch.arange(m) + m - 1, lambda rows: rows * 2),
}


class Varied(Decomposed):
    """The same with another index, and lines and columns that may be taken for each other."""

    def __init__(self, name: str, *, swapped: bool) -> None:
        super().__init__()
        self.index, self.then = OTHER_PAIRS[name]
        self.swapped = swapped
        self.size = 2
        side = 2 * self.size - 1
        self.down, self.right = nn.Parameter(torch.rand(side, 4)), nn.Parameter(torch.rand(side, 4))

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        qkv = self.qkv(x).reshape(b, n, 3, 2, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.reshape(3, b * 2, n, -1).unbind(0)
        m = self.size
        rows = [self.then(table[self.index(m).long()]) for table in (self.down, self.right)]
        at = q.reshape(b * 2, m, m, 4)
        if rows[0].shape[-1] == 4:
            down, right = (
                torch.einsum("bhwc,hkc->bhwk", at, rows[0]),
                torch.einsum("bhwc,wkc->bhwk", at, rows[1]),
            )
        else:
            down, right = (
                torch.einsum("bhwc,hck->bhwk", at, rows[0]),
                torch.einsum("bhwc,wck->bhwk", at, rows[1]),
            )
        if self.swapped:
            down, right = right, down
        bias = (down[:, :, :, :, None] + right[:, :, :, None, :]).reshape(b, 2, n, n)
        q, k, v = (one.view(b, 2, n, -1) for one in (q, k, v))
        scores = q @ k.transpose(-2, -1) * 0.3 + bias
        return (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("name", OTHER_PAIRS)
def test_what_is_converted_computes_the_same(name: str, swapped: bool) -> None:
    """Of each that is nearly the op's it is said what it is, or nothing."""
    torch.manual_seed(2)
    module = Varied(name, swapped=swapped).eval()
    network = archlens.trace(module, (4, 8))
    assert network.params == sum(one.numel() for one in module.parameters())
    if any(layer.op.kind == "opaque" for layer in network):
        with pytest.raises(archlens.ArchlensError):
            archlens.convert(network)
        return
    built = archlens.build(archlens.loads(archlens.convert(network))).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 4, 8)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


class Timed(nn.Module):
    """Sines and cosines of a time of each sample, as code for diffusion has them."""

    def __init__(self, wave: Callable[[Tensor], Tensor], width: int = 16) -> None:
        super().__init__()
        self.wave = wave
        self.linear = nn.Linear(width, 3)

    def forward(self, time: Tensor) -> Tensor:
        made: Tensor = self.linear(self.wave(time))
        return made


def rates(base: float, shift: int = 0) -> Tensor:
    return torch.exp(-torch.arange(8, dtype=torch.float32) * torch.tensor(base).log() / (8 - shift))


def exchanged(time: Tensor) -> Tensor:
    """As diffusers does it with ``flip_sin_to_cos``."""
    angles = time[:, None].float() * rates(10000, 1)[None, :]
    waves = torch.cat([angles.sin(), angles.cos()], dim=-1)
    return torch.cat([waves[:, 8:], waves[:, :8]], dim=-1)


def sines(time: Tensor, of: Tensor) -> Tensor:
    angles = time[:, None] * of
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


def unlike(time: Tensor) -> Tensor:
    angles = time[:, None] * rates(100)
    return torch.cat((angles.sin(), (2 * angles).cos()), dim=-1)


def overlapping(time: Tensor) -> Tensor:
    waves = sines(time, rates(100))
    return torch.cat([waves[:, 7:15], waves[:, :8]], dim=-1)


def in_a_sum(time: Tensor) -> Tensor:
    angles = time[:, None] * rates(100) + 1
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


TIMES: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "sines first": (lambda t: sines(t, rates(10000)), "sinusoidal_embedding(16)"),
    "until the last rate": (lambda t: sines(t, rates(10000, 1)), "sinusoidal_embedding(16, shift=1)"),
    "another base": (lambda t: sines(t, rates(200)), "sinusoidal_embedding(16, base=200)"),
    "exchanged": (exchanged, 'sinusoidal_embedding(16, shift=1, first="cos")'),
    "a share of one": (lambda t: sines(1000 * t, rates(10000)), "scale(1000.0) sinusoidal_embedding(16)"),
    "rates of no base": (lambda t: sines(t, torch.linspace(1, 0.1, 8)), ""),
    "rates that grow": (lambda t: sines(t, rates(100).flip(0)), ""),
    "of other angles": (unlike, ""),
    "other parts": (overlapping, ""),
    "from elsewhere on": (in_a_sum, ""),
}


@pytest.mark.parametrize("name", TIMES)
def test_sines_of_a_time(name: str) -> None:
    wave, said = TIMES[name]
    torch.manual_seed(0)
    module = Timed(wave).eval()
    network = archlens.trace(module, torch.rand(1))
    assert network.params == 16 * 3 + 3
    assert network.macs == 16 * 3
    found = [str(layer.op) for layer in network][:-1]
    assert (" ".join(found) == said) == bool(said)
    if not said:
        assert not any("sinusoidal" in one for one in found) or name == "other parts"
        return
    built = archlens.build(archlens.loads(archlens.convert(network))).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    times = torch.tensor([0.0, 0.25, 3.0])
    with torch.no_grad():
        torch.testing.assert_close(built(times[:, None]), module(times), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            built(torch.tensor([[7]])), module(torch.tensor([7.0])), rtol=1e-4, atol=1e-4
        )


def test_rates_that_are_weights_stay_weights() -> None:
    """Random Fourier features have keys of their own."""

    class Learned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rates = nn.Parameter(rates(100))

        def forward(self, time: Tensor) -> Tensor:
            return sines(time, self.rates)

    network = archlens.trace(Learned(), torch.rand(1))
    assert network.params == 8
    assert not any(layer.op.kind == "sinusoidal_embedding" for layer in network)
