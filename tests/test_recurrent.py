"""Recurrent layers: what they refuse, how far they see, and modules that have some."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.backends.verification import verify
from archlens.forms import text
from archlens.ops import EVERYWHERE
from archlens.source import emit
from archlens.views import verification_table


class Reader(nn.Module):
    """A recurrent layer of torch, and what its user takes of what it gives."""

    def __init__(self, kind: type[nn.RNNBase], take: str, **options: Any) -> None:
        super().__init__()
        self.rnn = kind(8, 16, **options)
        self.first, self.take = self.rnn.batch_first, take
        self.fc = nn.Linear((options.get("proj_size") or 16) * (2 if take == "both ways" else 1), 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps, states = self.rnn(x if self.first else x.transpose(0, 1))
        hidden = states[0] if isinstance(states, tuple) else states
        if self.take == "last step":
            return self.fc(steps[:, -1] if self.first else steps[-1])
        if self.take == "last state":
            return self.fc(hidden[-1])
        if self.take == "both ways":
            return self.fc(torch.cat((hidden[-2], hidden[-1]), 1))
        return self.fc(steps if self.first else steps.transpose(0, 1))


READERS = {
    "lstm(16)": (nn.LSTM, "all", {"batch_first": True}),
    "lstm(16, layers=2, dropout=0.3)": (nn.LSTM, "last step", {"num_layers": 2, "dropout": 0.3}),
    "lstm(16, projection=4)": (nn.LSTM, "all", {"proj_size": 4}),
    'lstm(16, bidirectional=true, output="state")': (
        nn.LSTM,
        "both ways",
        {"bidirectional": True, "batch_first": True},
    ),
    'gru(16, layers=3, bias=false, output="state")': (nn.GRU, "last state", {"num_layers": 3, "bias": False}),
    'rnn(16, nonlinearity="relu")': (nn.RNN, "last step", {"nonlinearity": "relu", "batch_first": True}),
}


@pytest.mark.parametrize("op", READERS)
def test_a_module_that_reads_step_by_step(op: str) -> None:
    """It is one op, under its module's keys; what is built of it, and of its spec, computes the same."""
    kind, take, options = READERS[op]
    torch.manual_seed(0)
    module = Reader(kind, take, **options).eval()
    traced = archlens.trace(module, (5, 8))
    assert str(traced["rnn"].op) == op
    assert not any(layer.op.kind == "opaque" for layer in traced)
    x = torch.rand(2, 5, 8)
    with torch.no_grad():
        for network in (traced, archlens.loads(archlens.convert(traced))):
            built = archlens.build(network).eval()
            built.load_state_dict(module.state_dict(), strict=True)
            torch.testing.assert_close(built(x), module(x), rtol=0, atol=0)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        Reader(kind, take, **options)(torch.rand(1, 5, 8))
    assert traced.macs == counter.get_total_flops() // 2


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_single_bias_is_that_of_the_input(kind: type[nn.RNNBase]) -> None:
    """It computes what torch's layer does whose state has zeros for a bias, also once it has moved."""
    op = f'{kind.__name__.lower()}(4, layers=2, bias="single")'
    built = archlens.build(archlens.loads(f"input: 3x5\nlayers:\n  - channels_last\n  - r: {op}")).double()
    theirs = kind(3, 4, 2, batch_first=True).double()
    state = theirs.state_dict()
    zeros = [name for name in state if name.startswith("bias_hh")]
    for name in zeros:
        state[name].zero_()
    built.load_state_dict({f"r.{name}": one for name, one in state.items() if name not in zeros}, strict=True)
    x = torch.rand(2, 3, 5).double()
    torch.testing.assert_close(built(x), theirs(x.transpose(1, 2))[0], rtol=0, atol=0)


def both_ways(module: nn.Module, *inputs: torch.Tensor) -> archlens.Network:
    """A module as a network, whose spec, module and source compute the same from the same weights."""
    given = [str(len(one[0])) if one.dtype == torch.int64 else tuple(one.shape[1:]) for one in inputs]
    network = archlens.trace(module.eval(), *given)
    assert [layer.name for layer in network if layer.op.kind == "opaque"] == []
    written = archlens.loads(archlens.convert(network))
    place: dict[str, Any] = {}
    exec(emit(written), place)
    made = [one for one in place.values() if isinstance(one, type) and issubclass(one, nn.Module)][-1]()
    with torch.no_grad():
        for one in (archlens.build(network), archlens.build(written), made):
            one.load_state_dict(module.state_dict(), strict=True)
            torch.testing.assert_close(one.eval()(*inputs), module(*inputs), rtol=0, atol=1e-7)
    tensors = [torch.zeros_like(one[:1], device="meta") for one in inputs]
    with FlopCounterMode(display=False) as counter:
        copy.deepcopy(module).to("meta")(*tensors)
    assert network.macs == written.macs == counter.get_total_flops() // 2
    assert network.params == written.params == sum(one.numel() for one in module.parameters())
    return network


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("first", [False, True])
def test_states_beside_the_steps(
    kind: type[nn.RNNBase], bidirectional: bool, layers: int, first: bool
) -> None:
    """All that torch's layer gives, put together so that each number of it counts."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = kind(8, 6, layers, bidirectional=bidirectional, batch_first=first)
            self.down = nn.Linear(6, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            steps, states = self.rnn(x if first else x.transpose(0, 1))
            steps = steps if first else steps.transpose(0, 1)
            ends = states if isinstance(states, tuple) else (states,)
            parts = [self.down(one.transpose(0, 1)).flatten(1) * (i + 1) for i, one in enumerate(ends)]
            return torch.cat((steps.flatten(1), *parts), 1)

    torch.manual_seed(4)
    both_ways(Both(), torch.rand(3, 5, 8))


@pytest.mark.parametrize("first", [True, False])
def test_the_last_state_of_one_layer_is_its_last_step(first: bool) -> None:
    class Both(Reader):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            steps, (hidden, _) = self.rnn(x if first else x.transpose(0, 1))
            return hidden[0] * (steps[:, 0] if first else steps[0])

    torch.manual_seed(0)
    module = Both(nn.LSTM, "", batch_first=first)
    module.fc = nn.Identity()  # type: ignore[assignment]
    network = archlens.trace(module, (5, 8))
    built, x = archlens.build(network), torch.rand(2, 5, 8)
    built.load_state_dict(module.state_dict(), strict=True)
    torch.testing.assert_close(built(x), module(x), rtol=0, atol=0)


def test_samples_in_the_place_of_steps_are_no_lstm() -> None:
    """A module that takes its batch for the steps mixes samples: no op says that."""
    with pytest.raises(archlens.SpecError, match="takes its batch apart"):
        archlens.trace(nn.LSTM(8, 16), (5, 8))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("repeated", [False, True])
def test_a_start_that_is_learned(
    kind: type[nn.RNNBase], bidirectional: bool, layers: int, repeated: bool
) -> None:
    class Starts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = kind(8, 6, layers, bidirectional=bidirectional, batch_first=True)
            for name in ("h0", "c0")[: 1 + (kind is nn.LSTM)]:
                setattr(self, name, nn.Parameter(torch.rand(layers * (1 + bidirectional), 1, 6)))

        def of_all(self, start: torch.Tensor, count: int) -> torch.Tensor:
            return start.repeat(1, count, 1) if repeated else start.expand(-1, count, -1).contiguous()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            starts = [self.of_all(getattr(self, n), len(x)) for n in ("h0", "c0") if hasattr(self, n)]
            return self.rnn(x, starts[0] if len(starts) == 1 else starts)[0]  # type: ignore[no-any-return]

    torch.manual_seed(1)
    network = both_ways(Starts(), torch.rand(3, 5, 8))
    (field,) = archlens.study(network).receptive_fields["rnn"] if not bidirectional else [None]
    if field is not None:  # a start sees nothing of the input
        assert _touched(archlens.build(network).eval(), 5, 8) == [list(range(t, 5)) for t in range(5)]
        assert [field.at(step) for step in range(5)] == [(step - 4, step + 1) for step in range(5)]


def _touched(module: nn.Module, steps: int, channels: int) -> list[list[int]]:
    """For each step the outputs of a module that a NaN there reaches."""
    x = torch.rand(steps, steps, channels)
    x[range(steps), range(steps)] = torch.nan
    with torch.no_grad():
        return [one.nonzero().flatten().tolist() for one in module(x).isnan().any(2)]


class Translator(nn.Module):
    """A decoder that starts from the states which an encoder ends with: as they are, or behind a bridge."""

    def __init__(self, kind: type[nn.RNNBase], layers: int, bidirectional: bool, bridged: bool) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(50, 8), nn.Embedding(60, 8)
        self.encoder = kind(8, 16, layers, bidirectional=bidirectional, batch_first=True)
        self.bridge = nn.Linear(32, 16) if bridged else None
        ways = bidirectional and not bridged
        self.decoder = kind(8, 16, layers, bidirectional=ways, batch_first=True)
        self.out = nn.Linear(32 if ways else 16, 60)

    def bridged(self, states: torch.Tensor) -> torch.Tensor:
        if self.bridge is None:
            return states
        apart = states.view(self.encoder.num_layers, 2, -1, 16)
        return self.bridge(torch.cat((apart[:, 0], apart[:, 1]), -1)).tanh()  # type: ignore[no-any-return]

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        states = self.encoder(self.source(source))[1]
        starts = tuple(map(self.bridged, states)) if isinstance(states, tuple) else self.bridged(states)
        return self.out(self.decoder(self.target(target), starts)[0])  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("bidirectional", "bridged"), [(False, False), (True, False), (True, True)])
def test_states_are_handed_on(
    kind: type[nn.RNNBase], layers: int, bidirectional: bool, bridged: bool
) -> None:
    torch.manual_seed(2)
    module = Translator(kind, layers, bidirectional, bridged)
    network = both_ways(module, torch.randint(50, (3, 7)), torch.randint(60, (3, 5)))
    decoder = network["decoder"]
    assert decoder.op.reach_of(1, decoder.facts, decoder.input_shapes) is EVERYWHERE
    assert archlens.study(network).fields[next(iter(network.inputs))]["decoder"] is EVERYWHERE


def test_a_state_of_zeros_beside_a_given_one_is_not_the_op() -> None:
    """Two states are one tensor of a spec, and nothing there is zeros; what it costs is known as before."""

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.start = nn.LSTM(8, 16, batch_first=True), nn.Linear(8, 16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            start = self.start(x[:, 0]).unsqueeze(0)
            return self.rnn(x, (start, torch.zeros_like(start)))[0]  # type: ignore[no-any-return]

    network = archlens.trace(Half().eval(), (5, 8))
    layer = network["rnn"]
    assert (layer.op.kind, str(layer.op)) == ("opaque", "LSTM")
    assert layer.params == 64 * (8 + 16 + 2)
    assert layer.macs == 5 * 64 * (8 + 16)
    assert layer.op.reach_of(0, layer.facts, layer.input_shapes) != EVERYWHERE
    assert layer.op.reach_of(1, layer.facts, layer.input_shapes) is EVERYWHERE


def test_a_decoder_that_runs_from_two_states_is_no_further_use() -> None:
    """What a step applies again starts from the same states, and from no others."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other, self.decoder = (nn.GRU(8, 16, batch_first=True) for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return sum(self.decoder(x, layer(x)[1])[0] for layer in (self.one, self.other))  # type: ignore[return-value]

    network = archlens.trace(Twice().eval(), (5, 8))
    assert network.params == 3 * 48 * (8 + 16 + 2)
    assert network.macs == 4 * 5 * 48 * (8 + 16)
    with pytest.raises(archlens.UsageError, match="decoder_1 is decoder once more, and more than what flows"):
        archlens.convert(network)


def test_each_step_sees_those_before_it() -> None:
    """And all where there is a way back; the state that a sequence ends with has seen it whole."""
    for step, rows in (
        ("gru(4)", [range(row, 9) for row in range(9)]),
        ("gru(4, layers=2, bidirectional=true)", [range(9)] * 9),
        ("lstm(4, output='state')", [range(1)] * 9),
    ):
        network = archlens.loads(f'input: 3x9\nlayers: [channels_last, rnn: "{step}"]')
        built = archlens.build(network).eval()
        field = archlens.study(network).receptive_fields["rnn"]
        for row, touched in enumerate(rows):
            x = torch.rand(1, 3, 9)
            x[:, :, row] = torch.nan
            assert built(x).isnan().any(2)[0].nonzero().flatten().tolist() == list(touched)
            if isinstance(field, tuple):
                starts = [field[0].at(output) for output in touched]
                assert all(start <= row < stop for start, stop in starts)
                assert not any(start <= row < stop for start, stop in map(field[0].at, range(row)))
            else:
                assert field is EVERYWHERE


@pytest.mark.parametrize(
    ("step", "message"),
    {
        "lstm(4)": "lstm works on channels that come last, such as LxC, but its input is a map",
        "channels_last >> lstm(4, projection=2, output='both')": "its states have 2 features and its cells 4",
        "channels_last >> lstm(4, projection=4)": "its projection to 4 features is not smaller than",
        "channels_last >> gru(4, layers=1001)": "it has 1,001 layers, and may have 1,000",
        "channels_last >> rnn(4, dropout=0.5)": "its dropout stands between layers, and it has one layer",
        "channels_last >> rnn(4, layers=2, dropout=2)": "its dropout of 2 is not a probability",
        "channels_last >> gru(4, output='last')": 'output of gru must be "sequence", "state" or "both"',
    }.items(),
)
def test_what_they_refuse(step: str, message: str) -> None:
    with pytest.raises(archlens.SpecError) as caught:
        archlens.loads(f"input: 3x5\nlayers:\n  - {step}\n")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("step", "rows", "columns"),
    [
        ('lstm(4, initial=s, output="sequence")', 2, 5),
        ("gru(4, bidirectional=true, initial=s)", 1, 5),
        ("rnn(4, layers=3, initial=s)", 3, 5),
        ('gru(4, bidirectional=true, initial=s, output="state")', 1, 2),
        ('lstm(4, initial=s, output="both")', 2, 7),
    ],
)
def test_each_step_sees_what_its_layer_starts_from(step: str, rows: int, columns: int) -> None:
    """A NaN in any row of the states reaches all that comes out."""
    width = 8 if "bidirectional" in step else 4
    spec = f"""
        input: {{a: 5x3 channels_last, s: {rows}x{width} channels_last}}
        layers:
          - ref(a)
          - rnn: {step}
    """
    network = archlens.loads(spec)
    built = archlens.build(network).eval()
    assert archlens.study(network).fields["s"]["rnn"] is EVERYWHERE
    for row in range(rows):
        x, s = torch.rand(1, 5, 3), torch.rand(1, rows, width)
        s[:, row] = torch.nan
        assert built(x, s).isnan().any(2).tolist() == [[True] * columns]
    assert verify(network).passed


def test_states_of_layers_are_apart_at_their_ends() -> None:
    """What the first layer ends with has not seen what the second starts from."""
    spec = """
        input: {a: 5x3 channels_last, s: 2x4 channels_last}
        layers:
          - ref(a)
          - rnn: gru(4, layers=2, initial=s, output="state")
    """
    network = archlens.loads(spec)
    assert "starts from states of its own" in str(archlens.study(network).fields["s"]["rnn"])
    s = torch.rand(1, 2, 4)
    s[:, 1] = torch.nan
    assert archlens.build(network).eval()(torch.rand(1, 5, 3), s).isnan().any(2).tolist() == [[False, True]]


def test_a_step_starts_again_from_the_same_states_with_the_same_weights() -> None:
    network = archlens.loads("""
        input: {a: 5x3 channels_last, b: 7x3 channels_last, s: 2x4 channels_last}
        blocks:
          reader(states, seeded=true): lstm(4, initial=states if seeded else none)
        layers:
          - ref(a)
          - reader: reader(s)
          - ref(b)
          - other: again(reader)
          - third: reader(s, false)
    """)
    assert [layer.inputs for layer in network] == [("a", "s"), ("b", "s"), ("other.0",)]
    assert [layer.params for layer in network] == [16 * (3 + 4 + 2), 0, 16 * (4 + 4 + 2)]
    assert archlens.build(network)(*(torch.rand(2, n, m) for n, m in ((5, 3), (7, 3), (2, 4)))).shape == (
        2,
        7,
        4,
    )


def test_the_builder_places_one() -> None:
    net = archlens.Builder("decoder", {"x": "5x3 channels_last", "s": "1x4 channels_last"})
    x, s = net.sources["x"], net.sources["s"]
    assert str(net.gru(x, s, 4, initial=True, name="rnn").shape) == "5x4"
    for call, message in (
        (lambda: net.gru(x, 4, initial=True), "gru reads two tensors, not 1"),
        (lambda: net.gru(x, s, 4), "gru reads one tensor, not 2"),
        (
            lambda: net.gru(x, 4, initial=False),
            "the initial of gru must be the name of an earlier step, or none",
        ),
    ):
        with pytest.raises(archlens.SpecError) as caught:
            call()
        assert message in str(caught.value)


def test_a_map_is_rows_of_sequences() -> None:
    """Each row is read by itself: it changes nothing in others."""
    network = archlens.loads("input: 3x4x5\nlayers: [channels_last, 'gru(2, bidirectional=true)']")
    assert (network.output, network.macs) == ((4, 5, 4), 4 * 5 * 2 * 6 * (3 + 2))
    module, x = archlens.build(network).eval(), torch.rand(1, 3, 4, 5)
    with torch.no_grad():
        before = module(x)
        x[:, :, 2] = 0
        changed = (module(x) != before)[0].flatten(1).any(1)
    assert changed.tolist() == [False, False, True, False]


def test_verify_sees_their_products() -> None:
    """Torch's counter knows no kernel of a whole LSTM: it is run in steps, which fvcore does not count."""
    network = archlens.loads("input: 6x7\nlayers: [channels_last, 'lstm(4, bidirectional=true)', 'gru(3)']")
    found = verify(network)
    assert found.passed
    assert "recurrent layers (gru, lstm)" in text.write(verification_table.table([found]))
    # 4 gates of 4 for 6 inputs and 4 of the state, two ways; 3 gates of 3 for 8 inputs and 3 of the state
    assert found.of("total")[0].found == f"{7 * (2 * 16 * (6 + 4) + 9 * (8 + 3)):,}"


class OfRows(nn.Module):
    """Rows and columns of a map, each read by itself, as Sequencer does; or what each ends with."""

    def __init__(self, *, first: bool = True, ends: bool = False) -> None:
        super().__init__()
        self.down = nn.LSTM(3, 4, bidirectional=True, batch_first=first)
        self.right, self.first, self.ends = nn.GRU(3, 8, batch_first=first), first, ends

    def read(self, layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(0, 1)
        steps, states = layer(rows if self.first else rows.transpose(0, 1))
        if self.ends:
            return (states[0] if isinstance(states, tuple) else states).transpose(0, 1).flatten(1)
        steps = steps if self.first else steps.transpose(0, 1)
        return steps.reshape(*x.shape[:3], 8)  # type: ignore[no-any-return]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.permute(0, 2, 3, 1)
        down, right = self.read(self.down, x.transpose(1, 2)), self.read(self.right, x)
        if self.ends:
            return torch.stack([one.view(len(x), -1, 8).mean(1) for one in (down, right)], 1)
        return torch.cat([down.transpose(1, 2), right], -1)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("ends", [True, False])
def test_rows_of_a_map_are_read_by_themselves(first: bool, ends: bool) -> None:
    torch.manual_seed(0)
    module = OfRows(first=first, ends=ends).eval()
    network = archlens.trace(module, (3, 6, 5))
    assert not [layer for layer in network if layer.op.kind == "opaque"]
    assert network.macs == 30 * 2 * 16 * (3 + 4) + 30 * 24 * (3 + 8)
    assert network["down"].shape == ((5, 2, 4) if ends else (5, 6, 8))
    seen = archlens.study(network).receptive_fields
    if not ends:  # all of a column, and of a row what came by then
        assert [(one.size, one.start) for one in seen["right"]] == [(1, 0), (5, -4)]
        assert [(one.size, one.stride) for one in seen["transpose_1"]] == [(6, 1), (1, 1)]
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 3, 6, 5)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


class Steps(nn.Module):
    """Steps of a cell, each from the states that the one before has left."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.out = nn.LSTMCell(8, 8), nn.Linear(8, 5)

    def forward(self, x: Any, state: Any) -> Any:
        h, c = state.unbind(1)
        x = x[:, 0]
        for _ in range(4):
            h, c = self.cell(x, (h, c))
            x = h
        return self.out(x).unsqueeze(1)


def test_a_cell_that_goes_on_is_a_scope_that_is_applied_again() -> None:
    network = archlens.loads("""
        input: {start: 1x8 channels_last, state: 2x8 channels_last}
        layers:
          - concat(axis="length"): [ref(input.start), ref(input.state)]
          - step:
              - entry: identity
              - state: slice(1, axis="length")
              - ref(entry)
              - slice(stop=1, axis="length")
              - cell: lstm(8, initial=state, output="both")
          - again(step) * 3
          - slice(stop=1, axis="length")
          - out: linear(5)
    """)
    theirs, ours = Steps(), archlens.build(network)
    weights = {
        f"step.{key}_l0" if key.startswith("cell") else key: value
        for key, value in theirs.state_dict().items()
    }
    ours.load_state_dict(weights)
    assert network.params == sum(one.numel() for one in theirs.parameters())
    x, state = torch.rand(3, 1, 8), torch.rand(3, 2, 8)
    torch.testing.assert_close(ours(x, state), theirs(x, state))
    with FlopCounterMode(display=False) as counter:
        Steps().to("meta")(x[:1].to("meta"), state[:1].to("meta"))
    assert counter.get_total_flops() == 2 * network.macs
