"""What language models do beside attention, traced: rows of tables, caches, experts, and values looked at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import archlens
from archlens.backends.conformance import in_rows
from archlens.backends.reference import Reference
from archlens.backends.verification import verify
from archlens.shape import Ids


class Writes(nn.Module):
    """A tensor of the type of another, into which parts are written."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(6, 4)
        self.b = nn.Linear(6, 2)
        self.out = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        whole = a.new_empty(*x.shape[:-1], 6)
        whole[..., :4] = a
        whole[..., 4:] = self.b(x)
        return self.out(whole)


def test_what_is_made_of_the_type_of_a_tensor_costs_nothing_of_it() -> None:
    """What has run before is paid once, and its weights are those of one layer."""
    module = Writes()
    network = archlens.trace(module, (5, 6))
    assert network.macs == 5 * (6 * 4 + 6 * 2 + 6 * 3)
    assert network.params == sum(one.numel() for one in module.parameters())
    assert {name: layer.params for name, layer in network.index.items() if layer.params} == {
        name: sum(one.numel() for one in getattr(module, name).parameters()) for name in ("a", "b", "out")
    }


class Cached(nn.Module):
    """Keys behind those of a cache, which is empty at first; and an unread table that no state dict has."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(12, 12) for _ in range(3))
        self.register_buffer("unread", torch.zeros(4), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part(x).unflatten(-1, (3, 4)).transpose(1, 2) for part in (self.q, self.k, self.v))
        k, v = (torch.cat([torch.tensor([], dtype=one.dtype), one], dim=-2) for one in (k, v))
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def test_an_empty_cache_and_what_nothing_reads_are_no_layers() -> None:
    network = archlens.trace(Cached(), (7, 12))
    assert [str(layer.op) for layer in network if layer.op.kind != "rearrange"] == [
        *["linear(12)"] * 3,
        "attention(3, causal=true)",
    ]


class StepsFirst(nn.Module):
    """Ids whose steps are put before the samples, as XLNet has it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 6)
        self.out = nn.Linear(6, 4)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.table(ids.t().contiguous())).transpose(0, 1)


def test_ids_with_steps_before_the_samples() -> None:
    module = StepsFirst().eval()
    network = archlens.trace(module, torch.ones(2, 9, dtype=torch.long))
    assert [str(layer.op) for layer in network] == ["embedding(6)", "linear(4)"]
    assert network.macs == 9 * 6 * 4
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict())
    ids = torch.randint(11, (3, 9))
    assert torch.equal(built(ids), module(ids))


class Joint(nn.Module):
    """Ids of two sequences whose rows are moved about together: no layout of rows is that of the op."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 6)

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids.reshape(-1)).view(3, -1, 6)


def test_rows_that_lie_otherwise_are_no_embedding() -> None:
    network = archlens.trace(Joint(), torch.ones(2, 9, dtype=torch.long))
    assert network.params == 66


class Positions(nn.Module):
    """Rows of tables by constant ids, as BERT and OPT have them."""

    def __init__(self, first: int = 0, kind: int = 0) -> None:
        super().__init__()
        self.words, self.places, self.kinds = nn.Embedding(11, 6), nn.Embedding(16, 6), nn.Embedding(3, 6)
        self.register_buffer("ids", torch.arange(16)[None], persistent=False)
        self.first, self.kind = first, kind

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.shape[1]
        kinds = torch.full(ids.shape, self.kind)
        places = self.ids[:, self.first : self.first + length]
        return self.words(ids) + self.kinds(kinds) + self.places(places)


@pytest.mark.parametrize(("first", "kind"), [(0, 0), (2, 1), (0, 2)])
def test_rows_of_tables_by_constant_ids(first: int, kind: int) -> None:
    torch.manual_seed(0)
    module = Positions(first, kind).eval()
    network = archlens.trace(module, torch.ones(2, 9, dtype=torch.long))
    ends = f", first={first}" if first else ""
    assert [str(layer.op) for layer in network if layer.op.kind in ("parameter", "position_embedding")] == [
        "parameter((3, 6))",
        f"position_embedding(positions=16{ends})",
    ]
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict())
    ids = torch.randint(11, (3, 9))
    torch.testing.assert_close(built(ids), module(ids))


class Backwards(Positions):
    """The rows of positions from the last to the first."""

    def forward(self, ids: Tensor) -> Tensor:
        return self.words(ids) + self.places(self.ids[:, : ids.shape[1]].flip(1)) + self.kinds(ids % 3)


def test_rows_in_another_order_are_not_those_of_positions() -> None:
    network = archlens.trace(Backwards(), torch.ones(2, 9, dtype=torch.long))
    assert "position_embedding" not in {layer.op.kind for layer in network}
    assert network.params == 6 * (11 + 16 + 3)


class ByColumns(nn.Module):
    """Matrices with a column for each output, as GPT-2 has them, and as people write ``x @ self.weight``."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.other = nn.Parameter(torch.rand(6, 4)), nn.Parameter(torch.rand(4, 5))
        self.bias = nn.Parameter(torch.rand(4))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return torch.relu(y.view(*x.shape[:-1], 4)) @ self.other


def test_a_matrix_with_a_column_for_each_output_is_a_linear_layer() -> None:
    module = ByColumns()
    network = archlens.trace(module, (7, 6))
    assert [layer.op.kind for layer in network] == ["linear", "relu", "parameter", "matmul"]
    assert network.macs == 7 * (6 * 4 + 4 * 5)
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    fields = archlens.study(network).receptive_fields
    for name in network.index:
        if name != "other":
            (field,) = fields[name]
            assert (field.starts, field.stops) == ((0,), (1,))


class Projects(nn.Module):
    """Matrices that the module calls by names of their own; one stands with a row for each output."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Parameter(torch.rand(6, 4)), nn.Parameter(torch.rand(5, 4))
        self.norm = nn.LayerNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.norm(x) @ self.inner) @ self.outer.T


def test_matrices_of_other_names_are_written() -> None:
    torch.manual_seed(0)
    module = Projects()
    network = archlens.trace(module, (7, 6))
    assert network.macs == 7 * (6 * 4 + 4 * 5)
    again = archlens.build(archlens.loads(archlens.convert(network)))
    again.load_state_dict(module.state_dict())
    x = torch.rand(2, 7, 6)
    torch.testing.assert_close(again(x), module(x))


class Conv1D(nn.Module):
    """A linear layer as GPT-2 has it in transformers."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(inputs, outputs)), nn.Parameter(torch.rand(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return y.view(*x.shape[:-1], y.size(-1))


class Affine(nn.Module):
    """What ResMLP has in the place of norms, and sums and differences with a factor."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.alpha, self.beta = nn.Parameter(torch.rand(1, 1, 6)), nn.Parameter(torch.rand(1, 1, 6))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        y = torch.addcmul(self.beta, self.alpha, x)
        y = torch.addcmul(y, x, y, value=0.5).sub(x, alpha=3)
        return torch.addcdiv(y, x, x.exp(), value=-2).add(y, alpha=0.25)


@pytest.mark.parametrize("module", [nn.Sequential(Conv1D(6, 4), nn.GELU(), Conv1D(4, 5)), Affine()], ids=str)
def test_what_is_multiplied_and_added_in_one_step_is_written_as_a_spec(module: nn.Module) -> None:
    text = archlens.convert(archlens.trace(module, (7, 6)))
    found = archlens.build(archlens.loads(text))
    found.load_state_dict(module.state_dict())
    x = torch.rand(2, 7, 6)
    assert torch.allclose(found(x), module(x), atol=1e-6)


class Experts(nn.Module):
    """Rows in groups, each by the matrix of its expert, in torch's own product."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(16, 4)
        self.weight = nn.Parameter(torch.rand(4, 16, 32))

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, 16)
        chosen = self.gate(rows).argmax(-1)
        order = chosen.argsort()
        ends = torch.histc(chosen.float(), 4, 0, 3).cumsum(0).to(torch.int32)
        return F.grouped_mm(rows[order], self.weight, offs=ends)[order.argsort()].view(*x.shape[:-1], 32)


def test_rows_in_groups_are_multiplied_once_each() -> None:
    module = Experts()
    network = archlens.trace(module, (8, 16))
    assert network.macs == 8 * 16 * 4 + 8 * 16 * 32
    assert network.params == 4 * 17 + 4 * 16 * 32


class Padded(nn.Module):
    """Looks at its ids where no mask is given, as models of transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 6)

    def forward(self, ids: Tensor, mask: Any = None, labels: Any = None) -> Tensor:
        if mask is None and 0 in ids[:, [-1, 0]]:
            raise ValueError("some are padding")
        return self.table(ids) if mask is None else self.table(ids) * mask[..., None]


def test_what_looks_at_values_may_be_given_more() -> None:
    """The message names what it takes beside; with that, or on one sample, it runs."""
    ids = torch.ones(1, 9, dtype=torch.long)
    with pytest.raises(archlens.SpecError) as caught:
        archlens.trace(Padded(), ids)
    assert str(caught.value).endswith("or give it more of what its forward takes: mask, labels")
    assert archlens.trace(Padded(), ids, mask=torch.ones(1, 9)).params == 66
    assert archlens.trace(Padded(), ids, mask=(9,)).params == 66
    assert archlens.trace(Padded(), ids, real=True).params == 66


class Fills(nn.Module):
    """Keeps what it has made: a buffer, a hook and a part that are registered late, entries of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 6)
        self.seen: dict[str, Tensor] = {}
        self.lengths = [1]

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "table"):
            self.register_buffer("table", torch.rand(x.shape[1], 6, device=x.device))
            self.late = nn.Linear(6, 6)
            self.out.register_forward_hook(lambda *_: None)
        self.seen["x"] = x
        self.lengths.append(x.shape[1])
        return self.out(self.late(x) + self.table)


def test_what_forward_fills_is_empty_again() -> None:
    """Nothing without values stays behind, so that it runs afterwards."""
    module = Fills().eval()
    for shape in ((5, 6), (5, 7)):
        with suppress(archlens.SpecError):  # of which the second does not fit
            archlens.trace(module, shape)
        assert set(module.state_dict()) == {"out.weight", "out.bias"}
        assert (module.seen, module.lengths) == ({}, [1])
        assert not module.out._forward_hooks
    assert module(torch.rand(2, 5, 6)).shape == (2, 5, 6)


class Mapped(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.vmap(lambda row: row @ row.mT)(x)


def test_vmap_is_not_followed_and_said_so() -> None:
    with pytest.raises(archlens.SpecError, match="vmap is not followed"):
        archlens.trace(Mapped(), (5, 6))


class Decoder(nn.Module):
    """A cell that reads one id after the other, beside what it reads of them all."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.cell, self.out = nn.Embedding(9, 4), nn.GRUCell(7, 3), nn.Linear(3, 9)

    def forward(self, ids: Tensor, memory: Tensor) -> Tensor:
        state, found = memory.mean(1), []
        for step in range(ids.shape[1]):
            state = self.cell(torch.cat([self.table(ids[:, step]), memory.sum(1)], -1), state)
            found.append(self.out(state))
        return torch.stack(found, 1)


def test_one_id_after_the_other() -> None:
    network = archlens.trace(Decoder(), torch.ones(1, 2, dtype=torch.long), (5, 3))
    assert network.macs == 2 * (3 * 3 * (7 + 3) + 3 * 9)
    assert [str(layer.op) for layer in network if layer.op.kind == "concat"] == ["concat"] * 3


class Orthogonal(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(5, 5))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, torch.linalg.qr(self.weight)[0])


def test_an_unknown_cost_says_that_it_is_that_of_the_weights() -> None:
    network = archlens.trace(Orthogonal(), (7, 5))
    assert list(network.unknown.values()) == [
        "what it reads is computed by operators whose cost is not known"
    ]


class Checks(nn.Module):
    """Looks at its input, but for where something follows what it does."""

    def __init__(self, *, always: bool) -> None:
        super().__init__()
        self.fc, self.always = nn.Linear(6, 3), always

    def forward(self, x: Tensor) -> Tensor:
        if (self.always or not torch.compiler.is_exporting()) and x.isnan().any():
            raise ValueError("not a number")
        return self.fc(x)  # type: ignore[no-any-return]


def test_code_that_looks_at_values_goes_the_way_of_an_export() -> None:
    network = archlens.trace(Checks(always=False), (6,))
    assert [layer.name for layer in network] == ["fc"]
    assert isinstance(network.origin, archlens.tracing.origin.Traced)
    assert any("torch.export" in note for note in network.origin.notes)
    with pytest.raises(archlens.SpecError, match=r"Checks does not run") as caught:
        archlens.trace(Checks(always=True), (6,))
    assert "Tensor.item()" in str(caught.value)
    assert not torch.compiler.is_compiling()
    assert not torch.compiler.is_exporting()
    assert network.with_input("7x6").output == (7, 3)


class Rated(nn.Module):
    """How much a user likes an item: one id of each, as in collaborative filtering."""

    def __init__(self) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(50, 8), nn.Embedding(70, 8)
        self.bias, self.mean = nn.Embedding(50, 1), nn.Parameter(torch.rand(()))
        self.rest = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 1))

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        u, i = self.users(user), self.items(item)
        rest = self.rest(torch.cat([u, i], -1)).squeeze(-1)
        return (u * i).sum(-1) + rest + self.bias(user).squeeze(-1) + self.mean


def test_one_id_of_each_sample_is_looked_up() -> None:
    module = Rated()
    network = archlens.trace(module, user=(), item=())
    assert {name: str(shape) for name, shape in network.inputs.items()} == {
        "user": "1 of 50",
        "item": "1 of 70",
    }
    assert not [layer.name for layer in network if layer.op.kind == "opaque"]
    assert network.params == sum(one.numel() for one in module.parameters())
    again = archlens.build(archlens.loads(archlens.convert(network)))
    again.load_state_dict(module.state_dict())
    user, item = torch.randint(50, (3,)), torch.randint(70, (3,))
    torch.testing.assert_close(again(user[:, None], item[:, None])[:, 0], module(user, item))


class OwnLinear(nn.Module):
    """A layer that somebody has written, with its matrix by rows or by columns."""

    def __init__(self, inputs: int, outputs: int, *, turned: bool) -> None:
        super().__init__()
        self.turned = turned
        self.weight = nn.Parameter(torch.rand((inputs, outputs) if turned else (outputs, inputs)))
        self.bias = nn.Parameter(torch.rand(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ (self.weight if self.turned else self.weight.T) + self.bias


class Graph(nn.Module):
    """A layer of a graph: the matrix stands in the module that does more with it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.matmul((x @ x.mT).softmax(-1), torch.matmul(x, self.weight)).relu()


class Sines(nn.Module):
    """Coordinates at several rates, which are numbers of a tensor that nobody keeps."""

    def forward(self, x: Tensor) -> Tensor:
        rates = 2.0 ** torch.linspace(0, 2, 3)
        return torch.cat([x, *[(x * rate).sin() + rate for rate in rates]], -1)


class Tied(nn.Module):
    """An autoencoder whose decoder has the encoder's matrices, and biases of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 3)
        self.inner, self.outer = nn.Parameter(torch.rand(5)), nn.Parameter(torch.rand(6))

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(self.second(self.first(x).relu()), self.second.weight.T, self.inner)
        return F.linear(x.relu(), self.first.weight.T, self.outer)


OWN = [OwnLinear(6, 4, turned=True), OwnLinear(6, 4, turned=False), Graph(6, 4), Sines(), Tied()]


@pytest.mark.parametrize("module", OWN, ids=str)
def test_layers_that_somebody_has_written_are_written_as_a_spec(module: nn.Module) -> None:
    whole = nn.Sequential(module, nn.ReLU())
    network = archlens.trace(whole, (5, 6))
    again = archlens.build(archlens.loads(archlens.convert(network)))
    again.load_state_dict(whole.state_dict())
    x = torch.rand(2, 5, 6)
    torch.testing.assert_close(again(x), whole(x))
    assert network.params == sum(one.numel() for one in whole.parameters())


@pytest.mark.parametrize("turned", [True, False])
def test_a_matrix_and_a_bias_of_a_module_are_one_layer(turned: bool) -> None:
    network = archlens.trace(nn.Sequential(OwnLinear(6, 4, turned=turned)), (6,))
    assert [(layer.name, layer.op.kind, layer.params) for layer in network] == [("0", "linear", 6 * 4 + 4)]


def test_a_number_of_the_state_dict_is_no_constant() -> None:
    class Gained(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("gain", torch.tensor(2.0))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.gain

    assert archlens.trace(Gained(), (5,)).state() == {"gain": ()}


class Steps(nn.Module):
    """Steps first, as torch's recurrent layers have them, and all rows of all samples in one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.first = nn.GRU(8, 6, bidirectional=True), nn.Linear(12, 5)
        self.rest = nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 3))

    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.read(x.transpose(0, 1))
        steps, samples, width = y.shape
        y = self.rest(self.first(y.view(steps * samples, width)).tanh())
        return y.view(steps, samples, -1).mean(0)


def test_rows_of_steps_before_samples_are_those_of_each_sample() -> None:
    module = Steps()
    network = archlens.trace(module, (7, 8))
    assert [str(layer.op) for layer in network][:4] == [
        "gru(6, bidirectional=true)",
        "linear(5)",
        "tanh",
        "layer_norm",
    ]
    again = archlens.build(archlens.loads(archlens.convert(network)))
    again.load_state_dict(module.state_dict())
    x = torch.rand(3, 7, 8)
    torch.testing.assert_close(again(x), module(x))


class Summed(nn.Module):
    """Something of the channels, which stays where it is, between convolutions; and of the whole map."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(x)
        x = self.second(x * torch.rsqrt(x.logsumexp(1, keepdim=True) + 1e-5))
        return x, x.norm(1, (2, 3))


def test_what_is_found_along_axes_without_an_op_looks_as_far_as_a_mean() -> None:
    module = Summed()
    network = archlens.trace(module, (3, 12, 12))
    assert [layer.name for layer in network if layer.op.kind == "opaque"] == [
        "logsumexp",
        "linalg_vector_norm",
    ]
    x = torch.zeros(1, 3, 12, 12)
    x[0, :, 5, 7] = torch.nan
    seen = module(x)[0][0, 0].isnan()
    windows = [int(seen.any(along).sum()) for along in (1, 0)]
    fields = archlens.study(network).receptive_fields
    assert [axis.stops[0] - axis.starts[0] for axis in fields["second"]] == windows == [5, 5]
    assert str(fields["linalg_vector_norm"]) == "Everywhere.EVERYWHERE"


class Squeezed(nn.Sequential):
    """It leaves out the axis of its channel; of one sample the batch, too."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze()  # type: ignore[no-any-return]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        (Steps, {"x": (7, 8)}),
        (Rated, {"user": (), "item": ()}),
        (lambda: Squeezed(nn.Linear(8, 1)), {"x": (8,)}),
    ],
)
def test_verify_finds_the_samples_where_the_module_has_them(
    module: Callable[[], nn.Module], inputs: Any, batch: int
) -> None:
    made = module().eval()
    network = archlens.trace(made, **inputs)
    given = [
        torch.randint(9, (batch, *shape)) if isinstance(shape, Ids) else torch.rand(batch, *shape)
        for shape in network.inputs.values()
    ]
    if not inputs.get("user", (1,)):
        given = [one[:, 0] for one in given]
    found = verify(network, batch=batch, reference=Reference(made, tuple(given), {}, given))
    assert found.passed, [check for check in found.checks if check.status == "failed"]
    assert [check.status for check in found.of("output")] == ["passed"]


def test_rows_hold_the_samples_where_they_are_as_many() -> None:
    """Of 7 steps and 2 samples in one axis; neither in two axes, nor 13 rows."""
    assert in_rows((14, 8), (7, 8), 2)
    assert not in_rows((7, 2, 8), (7, 8), 2)
    assert not in_rows((13, 8), (7, 8), 2)


def test_the_largest_of_ids_is_opaque() -> None:
    """As where OWL-ViT looks for the last token."""

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.fc = nn.Embedding(50, 8), nn.Linear(8, 4)

        def forward(self, ids: Any) -> Any:
            x = self.fc(self.table(ids))
            return x[torch.arange(len(x), device=x.device), ids.argmax(-1)]

    network = archlens.trace(Last(), torch.zeros(1, 16, dtype=torch.int64))
    assert (network.params, network.macs, dict(network.unknown)) == (436, 16 * 8 * 4, {})
    assert "argmax" in [str(layer.op) for layer in network if layer.op.kind == "opaque"]
