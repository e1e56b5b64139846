"""Modules whose steps stand before the batch, as those of ``nn.LSTM`` do, or that take step by step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archlens
from archlens.backends.checks import FAILED
from archlens.backends.conformance import differences
from archlens.backends.reference import Reference
from archlens.backends.verification import verify
from archlens.counts import AtLeast
from archlens.ops import EVERYWHERE

STEPS, CHANNELS = 10, 8


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.fc = nn.LSTM(CHANNELS, 16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        found, _ = self.rnn(x.permute(1, 0, 2))
        return self.fc(found).log_softmax(2)  # type: ignore[no-any-return]


class Started(Recurrent):
    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(1, 0, 2)
        found, _ = self.rnn(x, (x.new_zeros(1, x.shape[1], 16), torch.zeros(1, x.shape[1], 16)))
        return self.fc(found).log_softmax(2)  # type: ignore[no-any-return]


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.norm = nn.MultiheadAttention(CHANNELS, 2), nn.LayerNorm(CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 1)
        return self.norm(x + self.attention(x, x, x)[0])  # type: ignore[no-any-return]


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(CHANNELS, 2, 16)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.fc = nn.Linear(CHANNELS, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.encoder(x.transpose(0, 1)).mean(0))  # type: ignore[no-any-return]


class Pointwise(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.conv = nn.Linear(CHANNELS, 4), nn.Conv1d(4, 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.fc(x.permute(1, 0, 2)).relu().permute(1, 2, 0)).permute(2, 0, 1)  # type: ignore[no-any-return]


class Joined(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.fc = nn.GRU(CHANNELS, 3), nn.Linear(CHANNELS + 3, 4)
        self.token = nn.Parameter(torch.rand(1, 1, CHANNELS + 3))

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 1)
        x = torch.cat([x, self.rnn(x)[0]], -1)
        return self.fc(torch.cat([self.token.expand(-1, x.shape[1], -1), x]))[0]  # type: ignore[no-any-return]


#: The kinds of the layers that each is.
OPS = {
    Recurrent: ["lstm", "linear", "log_softmax"],
    Started: ["lstm", "linear", "log_softmax"],
    Attending: ["self_attention", "add", "layer_norm"],
    Encoder: [
        *("self_attention", "dropout", "add", "layer_norm"),
        *("linear", "relu", "dropout", "linear", "dropout", "add", "layer_norm"),
        *("channels_first", "global_avg_pool", "flatten", "linear"),
    ],
    Joined: ["gru", "concat", "class_token", "linear", "slice", "flatten"],
    Pointwise: ["linear", "relu", "channels_first", "conv", "channels_last"],
}


@pytest.mark.parametrize("kind", OPS)
def test_steps_before_the_batch(kind: type[nn.Module]) -> None:
    """No layer more than with the batch in front, and what torch computes."""
    module = kind().eval()
    network = archlens.trace(module, (STEPS, CHANNELS))
    assert [layer.op.kind for layer in network] == OPS[kind]
    copy = archlens.build(archlens.loads(archlens.convert(network))).eval()
    copy.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(3, STEPS, CHANNELS)
    with torch.no_grad():
        says, found = copy(x), module(x)
    torch.testing.assert_close(says, found if found.shape == says.shape else found.transpose(0, 1))


@pytest.mark.parametrize("batch", [1, 2])
def test_hooks_see_the_batch_behind_another_axis(batch: int) -> None:
    module = Recurrent().eval()
    network = archlens.trace(module, (STEPS, CHANNELS))
    x = torch.rand(batch, STEPS, CHANNELS)
    result = verify(network, reference=Reference(module, (x,), {}, (x,)), batch=batch)
    assert [check for check in result.checks if check.status == FAILED] == []
    assert differences(module, network, traced=True) == []


def test_attention_over_the_batch_has_no_cost_of_a_sample() -> None:
    """What ``nn.MultiheadAttention`` does with the batch in front, where it was made for the steps there."""

    class Wrong(Attending):
        def forward(self, x: Tensor) -> Tensor:
            return self.attention(x, x, x)[0]  # type: ignore[no-any-return]

    (layer,) = (one for one in archlens.trace(Wrong(), (STEPS, CHANNELS)) if one.name == "attention")
    assert isinstance(layer.macs, AtLeast)
    assert layer.params == 4 * CHANNELS * (CHANNELS + 1)
    assert "it attends over the batch, with batch_first=False" in layer.op.reason


# --- what nn.MultiheadAttention is given --------------------------------------------------------------


class Given(nn.Module):
    """Attention that is given what each of these says."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(CHANNELS, 2, batch_first=True)
        self.register_buffer("after", torch.ones(STEPS, STEPS).triu(1).bool(), persistent=False)

    def forward(self, x: Tensor) -> Any:
        return self.attention(x, x, x, **self.given(x))[0]

    def given(self, x: Tensor) -> dict[str, Any]:
        raise NotImplementedError


class Causal(Given):
    def given(self, x: Tensor) -> dict[str, Any]:
        return {"attn_mask": self.after, "need_weights": False}


class CausalAdded(Given):
    def given(self, x: Tensor) -> dict[str, Any]:
        return {
            "attn_mask": torch.zeros(STEPS, STEPS).masked_fill(self.after, float("-inf")),
            "is_causal": True,
        }


class BeforeToo(Given):
    """Each attends to what does not stand before it."""

    def given(self, x: Tensor) -> dict[str, Any]:
        return {"attn_mask": self.after.T}


class Padded(Given):
    def given(self, x: Tensor) -> dict[str, Any]:
        return {"key_padding_mask": torch.zeros(x.shape[0], STEPS, dtype=torch.bool)}


class Probed(Given):
    """The queries are learned."""

    def __init__(self) -> None:
        super().__init__()
        self.probe = nn.Parameter(torch.rand(1, STEPS, CHANNELS))

    def forward(self, x: Tensor) -> Any:
        return self.attention(self.probe.expand(x.shape[0], -1, -1), x, x)[0]


class Weights(Given):
    """The weights come out, too."""

    def forward(self, x: Tensor) -> Any:
        return self.attention(x, x, x)


@pytest.mark.parametrize("kind", [Causal, CausalAdded])
def test_a_causal_mask_of_a_module_is_said(kind: type[Given]) -> None:
    module = kind().eval()
    network = archlens.trace(module, (STEPS, CHANNELS))
    assert [str(layer.op) for layer in network] == ["self_attention(2, causal=true)"]
    copy = archlens.build(network).eval()
    copy.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, STEPS, CHANNELS)
    with torch.no_grad():
        torch.testing.assert_close(copy(x), module(x))


@pytest.mark.parametrize("kind", [BeforeToo, Padded, Weights])
def test_what_is_no_attention_of_one_tensor_to_itself(kind: type[Given]) -> None:
    network = archlens.trace(kind(), (STEPS, CHANNELS))
    ops = [layer.op.kind for layer in network]
    assert ops.count("opaque") == (2 if kind is Weights else 1)
    assert "self_attention" not in ops
    # four projections, and queries by keys and weights by values
    assert network.macs == 4 * STEPS * CHANNELS**2 + 2 * STEPS**2 * CHANNELS
    if kind is Weights:
        assert [tuple(network.shape_of(end)) for end in network.outputs.values()] == [
            (STEPS, CHANNELS),
            (STEPS, STEPS),
        ]


class Cells(nn.Module):
    """A decoder that takes one step after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.cell = nn.Embedding(50, 6), nn.GRUCell(6, 8)
        self.long, self.out = nn.LSTMCell(8, 5), nn.Linear(5, 50)

    def forward(self, ids: Any) -> Any:
        h, both = ids.new_zeros(len(ids), 8, dtype=torch.float), None
        x = self.embed(ids)
        for step in range(ids.shape[1]):
            h = self.cell(x[:, step], h)
            both = self.long(h, both)
        return self.out(both[0])


def test_a_cell_is_one_layer_at_each_step() -> None:
    """Its work is that of its two products; its weights are counted once."""
    module = Cells()
    network = archlens.trace(module, torch.zeros(1, 3, dtype=torch.long))
    kinds = [str(layer.op) for layer in network if layer.op.kind == "opaque"]
    assert kinds == [
        *["GRUCell", "LSTMCell", "LSTMCell"] * 2,
        "GRUCell",
        "LSTMCell",
    ]  # the last state c is unread
    # of a vector all is seen
    assert all(layer.facts.reach is EVERYWHERE for layer in network if layer.op.kind == "opaque")
    assert network.params == sum(one.numel() for one in module.parameters())
    assert network.macs == 3 * (3 * 8 * (6 + 8) + 4 * 5 * (8 + 5)) + 5 * 50
    assert {key: tuple(one.shape) for key, one in module.state_dict().items()} == network.state()


class Step(nn.Module):
    """One step of a recurrent network, as a user's own class."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        both = self.fc(torch.cat((x, h), 1))
        return torch.tanh(both) * both + h


class StepByStep(nn.Module):
    """Two layers of a recurrent network, each of which runs over all steps before the other."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList([Step(), Step()])

    def forward(self, x: Tensor) -> Tensor:
        for cell in self.cells:
            h, found = x.new_zeros(len(x), 4), []
            for step in range(x.shape[1]):
                h = cell(x[:, step], h)
                found.append(h)
            x = torch.stack(found, 1)
        return x


def test_layers_that_run_again_in_turn_are_written() -> None:
    torch.manual_seed(0)
    module = StepByStep().eval()
    network = archlens.trace(module, (3, 4))
    built = archlens.build(archlens.loads(archlens.convert(network))).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 3, 4)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


def test_losses_and_noise_multiply_no_matrices() -> None:
    """As an autoencoder has them that draws codes, or gives its loss; torch's counter counts none."""

    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read, self.write = nn.Linear(6, 4), nn.Linear(4, 6)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            codes = nn.functional.gumbel_softmax(self.read(x))
            made = self.write(codes)
            return made, nn.functional.mse_loss(made, x) + nn.functional.smooth_l1_loss(made, x)

    network = archlens.trace(Noisy(), (6,))
    assert (dict(network.unknown), network.macs) == ({}, 6 * 4 + 4 * 6)


def test_a_number_of_each_sample_is_not_moved() -> None:
    """With an axis of one position or without one it is the same layer."""

    class Distance(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return (x - y).abs().sum(1)

    network = archlens.trace(Distance(), (5,), (5,))
    assert [str(layer.op) for layer in network] == ["subtract", "abs", 'mean("channels")', "scale(5)"]
    assert [tuple(network.shape_of(end)) for end in network.outputs.values()] == [(1,)]


@pytest.mark.parametrize("first", [True, False])
def test_attention_of_one_sample_alone(first: bool) -> None:
    """Its 10 steps attend to each other; or each by itself, where torch takes the sample for a step."""

    class Alone(Attending):
        def forward(self, x: Tensor) -> Tensor:
            x = torch.stack(list(x))
            return self.attention(x, x, x, need_weights=False)[0]  # type: ignore[no-any-return]

    module = Alone().eval()
    module.attention.batch_first = first
    network = archlens.trace(module, (STEPS, CHANNELS))
    pairs = STEPS**2 if first else STEPS
    assert network.macs == 4 * STEPS * CHANNELS**2 + 2 * pairs * CHANNELS
    assert network["attention"].op.kind == ("self_attention" if first else "opaque")
