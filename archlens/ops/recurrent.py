"""Recurrent layers: a sequence read step by step, each step with the state that the one before has left.

Multiply-accumulates are those of the products of the input and of the state with their weights, at each step,
in each layer and direction, as ``torch.utils.flop_counter`` counts them where it sees them: on the meta
device it does, and of an LSTM that runs in one kernel, as on the CPU, it counts nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import prod
from typing import Annotated, Any, ClassVar

from ..geometry import POINT, Window
from ..shape import ChannelsLast, Shape, times
from .attributes import Beside, Biases, Count, Flag, Number, OptionalCount, choice
from .layout import require_channels_last
from .op import (
    EVERYWHERE,
    NONE,
    Argument,
    Call,
    Facts,
    Names,
    NonUniform,
    Op,
    Reach,
    ShapeError,
    WindowChain,
)

#: How many layers may stand one on the other.
MOST_LAYERS = 1_000

Output = Annotated[str, choice("sequence", "state", "both")]
Nonlinearity = Annotated[str, choice("tanh", "relu")]


class _Recurrent(Op, family="recurrent"):
    """What all recurrent layers share."""

    features: Annotated[Count, "features of the state, H"]
    layers: Annotated[Count, "how many of them stand one on the other"] = 1
    bidirectional: Annotated[Flag, "whether each has one that reads from the end beside it"] = False
    bias: Annotated[
        Biases,
        'whether there are biases: two for each gate, as cuDNN has them; or `"single"` ones, as in Keras, '
        "beside which zeros are added",
    ] = True
    dropout: Annotated[Number, "probability of a value to be set to zero between layers"] = 0.0
    output: Annotated[
        Output,
        '`"sequence"`: what the last layer gives at each step; `"state"`: what each ends with; `"both"`: the '
        "steps, and behind them a row of what each layer ends with, both directions side by side",
    ] = "sequence"
    initial: Annotated[
        Beside,
        "the step that gives the states which it starts from, if not zeros: rows as those at the end of "
        '`output="both"`; in Python, `initial=True` says that a second tensor holds them',
    ] = None

    second = "initial"
    incidental = {"dropout": "dropout"}
    memory_unknown = "torch's kernels keep a workspace of their own, whose size they do not say"
    #: Products of input and state at each step: one for each gate, and one for what the state becomes.
    gates: ClassVar[int]
    #: What else a step computes for each feature of the state: function values, and sums and products.
    activations: ClassVar[int]
    elementwise: ClassVar[int]
    module: ClassVar[str]
    #: The tensors that a step leaves to the next: an LSTM its cell, too.
    states: ClassVar[tuple[str, ...]] = ("h",)

    @property
    def given(self) -> int:
        """How many features one direction gives at each step, and has as its state of before."""
        return self.features

    @property
    def directions(self) -> int:
        """How many there are in each layer."""
        return 2 if self.bidirectional else 1

    @property
    def biases(self) -> int:
        """How many biases each gate has, of which that of the input is the first."""
        return 1 if self.bias == "single" else 2 * bool(self.bias)

    def _extra(self) -> dict[str, Any]:
        """Further arguments of torch's module."""
        return {}

    def _weights(self, channels: int) -> dict[str, tuple[int, ...]]:
        rows = self.gates * self.features
        weights: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            for way in ("", "_reverse")[: self.directions]:
                weights[f"weight_ih_l{layer}{way}"] = (rows, channels)
                weights[f"weight_hh_l{layer}{way}"] = (rows, self.given)
                for name in ("bias_ih", "bias_hh")[: self.biases]:
                    weights[f"{name}_l{layer}{way}"] = (rows,)
                if self.given != self.features:
                    weights[f"weight_hr_l{layer}{way}"] = (self.given, self.features)
            channels = self.directions * self.given
        return weights

    def facts(self, x: Shape, *initial: Shape) -> Facts:
        require_channels_last(x, self.kind, "LxC", "tokens")
        self._require_numbers()
        self._require_initial(x, initial)
        weights = self._weights(x.channels)
        positions = prod(x.spatial)
        cells = positions * self.layers * self.directions * self.features
        return Facts(
            shape=self._shape(x),
            weights=weights,
            buffers=NONE,
            macs=positions * sum(shape[0] * shape[1] for shape in weights.values() if len(shape) == 2),
            other={"activation": self.activations * cells, "elementwise": self.elementwise * cells}
            | ({"bias": 2 * self.gates * cells} if self.bias else {}),
            reach=self._reach(x.spatial),
            torch=Call(
                self.module,
                input_size=x.channels,
                hidden_size=self.features,
                num_layers=Argument(self.layers, default=1),
                bias=Argument(self.bias, default=True),
                dropout=Argument(self.dropout, default=0.0),
                bidirectional=Argument(self.bidirectional, default=False),
                **self._extra(),
                output=Argument(self.output, default="sequence"),
            ),
        )

    def _shape(self, x: Shape) -> Shape:
        """What it gives of a sequence."""
        *rows, steps = x.spatial
        if self.output == "state":
            return ChannelsLast((*rows, self.layers * self.directions, self.given))
        ends = self.layers * len(self.states) if self.output == "both" else 0
        return ChannelsLast((*rows, steps + ends, self.directions * self.given))

    def _require_numbers(self) -> None:
        """Refuse numbers of no such layer: more layers than anybody has, a dropout that does nothing."""
        if self.layers > MOST_LAYERS:
            raise ShapeError(f"it has {self.layers:,} layers, and may have {MOST_LAYERS:,}")
        if not 0 <= self.dropout <= 1:
            raise ShapeError(f"its dropout of {self.dropout} is not a probability")
        if self.dropout and self.layers == 1:
            raise ShapeError(
                "its dropout stands between layers, and it has one layer",
                help=f"put dropout({self.dropout}) before or after it",
            )

    def _require_initial(self, x: Shape, initial: tuple[Shape, ...]) -> None:
        """Refuse states to start from that are not a row for each layer, of an LSTM two."""
        for states in initial:
            rows = self.layers * len(self.states)
            wanted = ChannelsLast((*x.spatial[:-1], rows, self.directions * self.given))
            if self.given != self.features:
                raise ShapeError(self._of_two_widths(), help="without a projection it can start from states")
            if states == wanted and states.channels_last:
                continue
            count = f"{self.layers} layer{'s' if self.layers > 1 else ''}"
            if len(self.states) > 1:
                count += " x 2 (h and c)"
            ways = f"2 directions x {self.given}" if self.bidirectional else str(self.given)
            turned = "" if states.channels_last else ", whose channels come first"
            raise ShapeError(
                f"it starts from {times(wanted)}, and the initial states are {states}{turned}",
                notes=(f"{count} = {rows} row{'s' if rows > 1 else ''}; {ways} features",),
                help=(
                    "channels_last turns what has its channels first"
                    if not states.channels_last and len(states) > 1
                    else 'the last rows that output="both" gives are such states; slice takes them'
                ),
                inputs=(1,),
            )

    def _of_two_widths(self) -> str:
        return f"its states have {self.given} features and its cells {self.features}: no rows of one tensor"

    def reach_of(self, index: int, facts: Facts, inputs: Sequence[Shape]) -> Reach:
        """Each step sees all that its layer starts from, and of the layers below it."""
        if not index:
            return facts.reach
        if self.output != "sequence" and self.layers > 1:
            return NonUniform("each layer starts from states of its own")
        *rows, count = inputs[1].spatial
        if prod(rows) == 1:
            return EVERYWHERE
        steps = facts.shape.spatial[-1]
        return WindowChain(
            (*[(POINT,)] * len(rows), (Window(count, count), Window(steps, steps, transposed=True)))
        )

    def _reach(self, spatial: tuple[int, ...]) -> Reach:
        """What has been read of a row at each step; all of it where there is a way back, and at the end."""
        *rows, steps = spatial
        if self.output == "both" and (prod(rows) > 1 or not self.bidirectional):
            return NonUniform("its last rows are the states that it ends with, which have seen all steps")
        if not (self.bidirectional or self.output == "state"):
            return (*[POINT] * len(rows), Window(steps, 1, steps - 1, 0))
        if prod(rows) == 1:
            return EVERYWHERE
        ends = self.layers * self.directions if self.output == "state" else steps
        return WindowChain(
            (*[(POINT,)] * len(rows), (Window(steps, steps), Window(ends, ends, transposed=True)))
        )

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return ""

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        ways = " x 2 directions" if self.bidirectional else ""
        if self.output == "state":
            layers = f"{self.layers} layer{'s' if self.layers > 1 else ''}{ways}"
            return f"{layers} = {facts.shape.spatial[-1]} states of {self.given:,} features"
        said = (
            f"{self.given:,} features{ways} = {facts.shape.channels:,} at each of "
            f"{times(inputs[0].spatial)} steps"
        )
        if self.output == "both":
            ends = facts.shape.spatial[-1] - inputs[0].spatial[-1]
            said += f"; and {ends} rows of states = {times(facts.shape.spatial)}"
        return said

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        steps = prod(inputs[0].spatial)
        matrices = _counted(shape for shape in facts.weights.values() if len(shape) == 2)
        return f"{steps:,} steps x ({matrices} weights) = {facts.macs:,}"

    def why_params(self, facts: Facts) -> str:
        if len(facts.weights) <= 4:
            return super().why_params(facts)
        return f"{_counted(facts.weights.values())} = {facts.params:,}"


def _counted(shapes: Iterable[tuple[int, ...]]) -> str:
    """Shapes as a sum, those that are alike together: ``2 of 16x3 + 16x4``."""
    counts = Counter(shapes).items()
    return " + ".join(f"{count} of {times(shape)}" if count > 1 else times(shape) for shape, count in counts)


class LSTM(_Recurrent, kind="lstm"):
    """Long short-term memory: three gates decide what its cell forgets, stores and outputs.

    Its weights are those of ``nn.LSTM``, gates in the order input, forget, cell, output, and it starts from
    zeros unless ``initial`` states are given. The state in its output is the hidden one, ``h``, not the cell;
    the last rows with ``output="both"`` are both. A single step, as by ``nn.LSTMCell``, is that of a sequence
    of length 1.

    Output: ``L x D*P`` for ``L`` steps, ``D`` directions and ``P = H`` features, or those of the projection;
        with ``output="state"`` ``layers*D x P``, in torch's order.
    Parameters: for each layer and direction ``4*H*(C + P)``, ``8*H`` of bias, or ``4*H`` if single, and
        ``P*H`` of a projection; the ``C`` of layers above the first is ``D*P``.
    MACs: for each layer and direction ``4*H*(C + P)``, and ``P*H`` of a projection, at each step.
    Limits: sequences, ``LxC``, or rows of them, each read separately; a projection has fewer features than
        the state.
    Source: Hochreiter and Schmidhuber 1997; the projection: Sak et al. 2014, section 2.
    """

    projection: Annotated[OptionalCount, "features that the state is projected to at each step, P"] = None

    gates, activations, elementwise = 4, 5, 8
    states = ("h", "c")
    module = "archlens.LSTM"
    names = Names(keras="LSTM", onnx="LSTM", also="longshorttermmemory bilstm cudnnlstm lstmcell")
    examples = (
        "3x5 >> channels_last >> lstm(4)",
        "3x5 >> channels_last >> lstm(4, layers=2, bidirectional=true, bias=false, dropout=0.1)",
        '3x5 >> channels_last >> lstm(6, layers=2, output="state", projection=2)',
        '3x5 >> channels_last >> lstm(4, layers=2, bidirectional=true, bias="single")',
        "3x2x5 >> channels_last >> lstm(4, bidirectional=true)",
        '3x5 >> channels_last >> lstm(4, layers=2, bidirectional=true, output="both")',
        "5x3 channels_last, 2x4 channels_last >> lstm(4, initial=true)",
        "5x3 channels_last, 4x8 channels_last >> lstm(4, layers=2, bidirectional=true, initial=true)",
        '5x3 channels_last, 4x4 channels_last >> lstm(4, layers=2, output="both", initial=true)',
    )

    @property
    def given(self) -> int:
        return self.projection or self.features

    def _require_numbers(self) -> None:
        super()._require_numbers()
        if self.given >= self.features and self.projection is not None:
            raise ShapeError(
                f"its projection to {self.given} features is not smaller than its state of {self.features}"
            )
        if self.output == "both" and self.projection is not None:
            raise ShapeError(
                self._of_two_widths(),
                help='`output="sequence"` or `output="state"`',
            )

    def _extra(self) -> dict[str, Any]:
        return {"proj_size": Argument(self.projection or 0, default=0)}


class GRU(_Recurrent, kind="gru"):
    """Gated recurrent units: one gate resets the state, one decides how much of it is kept.

    Its weights are those of ``nn.GRU``, in the order reset, update, new, and the reset gate multiplies the
    new state's bias as well, as in cuDNN. It starts from zeros unless ``initial`` states are given.

    Output: ``L x D*H`` for ``L`` steps and ``D`` directions; with ``output="state"`` ``layers*D x H``.
    Parameters: for each layer and direction ``3*H*(C + H)``, and ``6*H`` of bias, or ``3*H`` if single; the
        ``C`` of layers above the first is ``D*H``.
    MACs: for each layer and direction ``3*H*(C + H)`` at each step.
    Limits: sequences, ``LxC``, or rows of them, each read separately.
    Source: Cho et al. 2014, section 2.3.
    """

    gates, activations, elementwise = 3, 3, 8
    module = "archlens.GRU"
    names = Names(keras="GRU", onnx="GRU", also="gatedrecurrentunit bigru cudnngru grucell")
    examples = (
        "3x5 >> channels_last >> gru(4)",
        '3x5 >> channels_last >> gru(4, bidirectional=true, output="state")',
        "3x5 >> channels_last >> gru(2, layers=2, bias=false, dropout=0.1)",
        '3x5 >> channels_last >> gru(4, bias="single", output="state")',
        "3x2x5 >> channels_last >> gru(4)",
        '3x2x5 >> channels_last >> gru(4, layers=2, output="both")',
        "2x5x3 channels_last, 2x1x4 channels_last >> gru(4, initial=true)",
        '5x3 channels_last, 1x8 channels_last >> gru(4, bidirectional=true, output="state", initial=true)',
    )


class RNN(_Recurrent, kind="rnn"):
    """Elman's recurrent layer: the state is a function of the input and of the previous state.

    The function is ``tanh`` or ``relu``. Its weights are those of ``nn.RNN``, and it starts from zeros unless
    ``initial`` states are given.

    Output: ``L x D*H`` for ``L`` steps and ``D`` directions; with ``output="state"`` ``layers*D x H``.
    Parameters: for each layer and direction ``H*(C + H)``, and ``2*H`` of bias, or ``H`` if single; the ``C``
        of layers above the first is ``D*H``.
    MACs: for each layer and direction ``H*(C + H)`` at each step.
    Limits: sequences, ``LxC``, or rows of them, each read separately.
    Source: Elman 1990.
    """

    nonlinearity: Annotated[Nonlinearity, 'what the state passes through, `"tanh"` or `"relu"`'] = "tanh"

    gates, activations, elementwise = 1, 1, 1
    module = "archlens.RNN"
    names = Names(keras="SimpleRNN", onnx="RNN", also="simplernn elman rnncell")
    examples = (
        "3x5 >> channels_last >> rnn(4)",
        '3x5 >> channels_last >> rnn(4, layers=2, dropout=0.1, nonlinearity="relu")',
        '3x5 >> channels_last >> rnn(4, bidirectional=true, bias=false, output="state")',
        '3x5 >> channels_last >> rnn(4, bias="single")',
        '3x2x2x4 >> channels_last >> rnn(5, layers=2, output="state")',
        "5x3 channels_last, 2x4 channels_last >> rnn(4, layers=2, initial=true)",
    )

    def _extra(self) -> dict[str, Any]:
        return {"nonlinearity": Argument(self.nonlinearity, default="tanh")}
