"""Tables that are looked up, and tensors that are learned and join what flows.

Those without a layer around them lie directly on their scope: the layer's name is their key in the state
dict, as in torchvision.
"""

from __future__ import annotations

from math import prod
from typing import Annotated

from ..geometry import POINT, Window
from ..shape import ChannelsLast, Ids, Shape, channels_last, times
from .attributes import (
    Count,
    Dims,
    Filling,
    Flag,
    Index,
    Number,
    OptionalCount,
    OptionalSize,
    Size,
    Spare,
    choice,
)
from .footprint import INPUT, NOTHING, PASSED, ROWS, Extra, Footprint
from .layout import require_channels_last, require_windows
from .op import NONE, NOWHERE, Argument, Buffer, Call, Facts, Names, Op, ShapeError, weightless
from .windows import per_axis, shortest


class Embedding(Op, kind="embedding", family="linear"):
    """A learned row of numbers for each id: ids ``L of N`` become ``LxC`` tokens.

    It has a row for every possible id, whose number follows from the input: ``input: 77 of 49408``. Rows are
    looked up; nothing is multiplied.

    Output: the positions of the ids, with ``width`` channels: ``LxC``.
    Parameters: ``N*width``, a row for each possible id.
    Limits: ids, as an input holds them.
    """

    width: Annotated[Count, "how many numbers a row has, C"]

    looks_up = True
    names = Names(
        keras="Embedding",
        onnx="Gather",
        also="embed embeddings wordembedding wordembeddings tokenembedding tokenembeddings lookup",
    )
    examples = ("7 of 50 >> embedding(16)", "3x4 of 9 >> embedding(8)")
    saved_for_backward = INPUT._replace(lies=ROWS)

    def facts(self, x: Shape) -> Facts:
        if not isinstance(x, Ids):
            raise ShapeError(
                f"embedding looks up ids, but its input is {x}",
                help="an input of ids is written with the number of ids: input: 77 of 49408",
            )
        return Facts(
            shape=channels_last(x.spatial, self.width),
            weights={"weight": (x.below, self.width)},
            buffers=NONE,
            macs=0,
            other={},
            reach=(POINT,) * len(x),
            torch=Call("nn.Embedding", num_embeddings=x.below, embedding_dim=self.width),
        )

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        return f"{times(inputs[0])} ids, with a row of {self.width} each"


class SinusoidalEmbedding(Op, kind="sinusoidal_embedding", family="attention"):
    """The sines and cosines of each id at ``width/2`` rates: a time step, or a place, as a vector.

    Id ``t`` becomes ``sin(t*w)`` and ``cos(t*w)`` for each rate ``w = base^(-i/(width/2 - shift))``. All
    sines come before all cosines, unless ``first`` says otherwise. Nothing is learned. A time need not be
    a whole number: ``input: {time: 1}`` is a single channel, and becomes ``width`` of them.

    Output: the positions of the ids, with ``width`` channels: ``LxC``; of a single channel, ``C``.
    Limits: ids, as an input has them, or a single channel, which lies last; an even width.
    Source: Vaswani et al. 2017, section 3.5, for positions; Ho et al. 2020, appendix B, for time steps.
    """

    width: Annotated[Count, "how many sines and cosines, C"]
    base: Annotated[Number, "the last rate is about 1/base, the first 1"] = 10000.0
    shift: Annotated[Number, "1 where the last rate is 1/base itself"] = 0.0
    first: Annotated[str, choice("sin", "cos"), "which of the two come first"] = "sin"

    looks_up = True
    incidental = {"base": "base", "shift": "shift", "first": "order"}
    names = Names(
        keras="",
        onnx="",
        also="timestepembedding timesteps timeembedding fourierembedding sinusoidalpositionencoding",
    )
    examples = (
        "1 of 1000 >> sinusoidal_embedding(16)",
        '7 of 50 >> sinusoidal_embedding(6, shift=1, first="cos")',
        "3x4 of 9 >> sinusoidal_embedding(8, base=100)",
        "1 >> sinusoidal_embedding(10)",
        "1x5 >> tokens >> sinusoidal_embedding(6)",
    )

    def facts(self, x: Shape) -> Facts:
        ids = isinstance(x, Ids)
        if not ids and (x.channels != 1 or (x.spatial and not isinstance(x, ChannelsLast))):
            raise ShapeError(
                f"sinusoidal_embedding takes ids or a single channel that lies last, but its input is {x}",
                help="one of 1000 ids is input: {time: 1 of 1000}, and a number that need not be whole is "
                "input: {time: 1}",
            )
        half = self.width // 2
        if self.width % 2 or half <= self.shift:
            raise ShapeError(
                f"{self.width} channels are not a sine and a cosine of more than {self.shift:g} rates",
                help="an even width, as sinusoidal_embedding(128)",
            )
        call = Call(
            "archlens.sinusoids",
            width=self.width,
            base=Argument(self.base, default=10000.0),
            shift=Argument(self.shift, default=0.0),
            cos_first=Argument(self.first == "cos", default=False),
            ids=Argument(ids, default=True),
        )
        # an angle for each rate, which is a product, and a sine and a cosine of it
        angles = x.numel * half
        made = channels_last(x.spatial, self.width)
        return weightless(made, (POINT,) * len(x.spatial), call, activation=2 * angles, elementwise=angles)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """Of ids nothing is kept, which have no gradient; of numbers the angles are, and the rates."""
        angles, rates = Extra(facts.shape.numel // 2), Extra(self.width // 2, per_sample=False)
        saved, backward = ((), ()) if isinstance(inputs[0], Ids) else ((angles, rates), (angles,) * 3)
        workspace = (rates, angles, angles, angles)
        return NOTHING._replace(lies=ROWS, saved=saved, workspace=workspace, backward=backward)

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        if not isinstance(inputs[0], Ids):
            return f"{self.width} sines and cosines of the channel"
        return f"{times(inputs[0])} ids, with {self.width} sines and cosines each"


class ClassToken(Op, kind="class_token", family="attention"):
    """A learned token before all others: ``LxC`` becomes ``(L + 1)xC``.

    Attention gathers in it what is then classified; ``slice(0, 1, axis="length") >> flatten`` extracts it.

    Output: ``(L + 1)xC``.
    Parameters: ``C``.
    Limits: tokens, ``LxC``.
    Source: Devlin et al. 2019 and Dosovitskiy et al. 2021, equation 1.
    """

    channelwise = True
    names = Names(keras="", onnx="", also="cls clstoken")
    examples = ("24x49 >> tokens >> class_token",)
    saved_for_backward = PASSED._replace(lies=ROWS)

    def facts(self, x: Shape) -> Facts:
        _require_tokens(x, "class_token")
        own = (1, 1, x.channels)
        return Facts(
            shape=channels_last((x[0] + 1,), x.channels),
            weights={"": own},
            buffers=NONE,
            macs=0,
            other={},
            reach=(Window(1, 1, 1, 0),),
            torch=Call("archlens.prepend", parameter=Call("torch.zeros", *own)),
        )

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return f"{inputs[0][0]} + 1 = {facts.shape[0]}"


class PositionEmbedding(Op, kind="position_embedding", family="attention"):
    """A learned vector for each position, added to the values there.

    Without ``positions``, there is one for each position of the input: the network then has a single input
    size, and the key is the layer's own name. With ``positions``, it is a table of that many rows, with the
    key ``weight``, and inputs up to that length fit. Position ``i`` takes row ``first + i``, since some
    networks reserve rows for padding.

    Initialised from a normal distribution of standard deviation 0.02, as BERT does.

    Output: the shape of the input.
    Parameters: as many as the input has values; of a table ``positions*C``.
    Limits: none; with ``positions`` tokens, ``LxC`` or rows of them, no more than there are rows.
    Source: Dosovitskiy et al. 2021, equation 1; Devlin et al. 2019.
    """

    positions: Annotated[OptionalCount, "how many rows the table has, if not as many as the input"] = None
    first: Annotated[Index, "which row the first position takes"] = 0

    channelwise = True
    by_position = True
    names = Names(keras="", onnx="", also="posembed positionalembedding positionalencoding wpe")
    examples = (
        "24x49 >> tokens >> position_embedding",
        "8x4x5 >> position_embedding",
        "24x49 >> tokens >> position_embedding(64)",
        "8x4x5 >> channels_last >> position_embedding(7, first=2)",
    )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps nothing; the gradient of a table is that of the rows that were added, among zeros."""
        rows = () if self.positions is None else (Extra(facts.shape[-2] * facts.shape[-1], per_sample=False),)
        return PASSED._replace(in_place=True, backward=rows)

    def facts(self, x: Shape) -> Facts:
        own = (1, *x)
        made = Facts(
            shape=x,
            weights={"": own},
            buffers=NONE,
            macs=0,
            other={"elementwise": x.numel},
            reach=(POINT,) * (len(x) - 1),
            torch=Call("operator.add", parameter=Call("archlens.normal", sizes=own, deviation=0.02)),
        )
        if self.positions is None:
            if self.first:
                raise ShapeError("first is the row of a table, and without positions there is none")
            return made
        require_channels_last(x, "position_embedding with a size of its own", "LxC", "tokens")
        self._require_rows(x.spatial[-1])
        return made._replace(
            weights={"weight": (self.positions, x.channels)},
            torch=Call(
                "archlens.PositionEmbedding",
                positions=self.positions,
                channels=x.channels,
                first=Argument(self.first, default=0),
            ),
        )

    def _require_rows(self, length: int) -> None:
        """Refuse what is longer than the table."""
        assert self.positions is not None
        if not 0 <= self.first < self.positions:
            raise ShapeError(f"its table has rows 0 to {self.positions - 1}, and none is {self.first}")
        most = self.positions - self.first
        if length > most:
            from_row = f" from row {self.first} on" if self.first else ""
            raise ShapeError(
                f"its table has {most} positions{from_row}, but its input has {length}",
                help=f"an input of {most} at most, or position_embedding({length + self.first})",
            )


#: What the flag means that lets work on what no input flows into be done once.
_ONCE = "whether it exists once for a whole batch, like everything computed from it alone"


class _FromNothing(Op, family="attention"):
    """What depends on no input: of what flows in only the number of samples is read."""

    # what is learned has a sum over the samples for gradient
    saved_for_backward = NOTHING._replace(lies=ROWS)

    @property
    def stands_once(self) -> bool:
        return bool(vars(self).get("once"))

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        return (0,)

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        return f"{facts.shape}, whatever the input"


def _table(shape: Shape, torch: Call) -> Facts:
    """The facts of numbers of this shape that are worked out once, and neither learned nor saved."""
    return Facts(
        shape=shape,
        weights=NONE,
        buffers={"table": Buffer(tuple(shape), saved=False)},
        macs=0,
        other={},
        reach=NOWHERE,
        torch=torch,
    )


class SinusoidalPositions(_FromNothing, kind="sinusoidal_positions"):
    """Sines and cosines of each position, instead of the values there; nothing is learned.

    ``add: [identity, sinusoidal_positions]`` adds them. Channels come in pairs, the sine and the cosine of
    ``i*w`` for each rate ``w = base^(-2k/n)`` of n channels; several axes each have an equal part of the
    channels, in their order. Position ``i`` counts from 0, or with ``normalized`` from 1, as a share of a
    full turn over its axis. With a ``size`` and a ``width``, it is a table of its own, for example if a layer
    computes positions from it.

    Output: the shape of the input, except for what is given.
    Limits: positions, or a ``size``; pairs of channels for each axis.
    Source: Vaswani et al. 2017, section 3.5; Carion et al. 2020, "End-to-End Object Detection with
        Transformers", appendix A.4, for two axes.
    """

    base: Annotated[Number, "the last rate is about 1/base, the first 1"] = 10000.0
    normalized: Annotated[Flag, "whether positions are shares of a full turn"] = False
    size: Annotated[OptionalSize, "positions along each axis, if others than the input's"] = None
    width: Annotated[OptionalCount, "channels, if others than the input's"] = None
    once: Annotated[Flag, _ONCE] = False

    incidental = {"base": "base", "normalized": "range"}
    names = Names(keras="", onnx="", also="sineposition positionembeddingsine sinepositionalencoding")
    examples = (
        "24x49 >> tokens >> sinusoidal_positions",
        "8x4x5 >> sinusoidal_positions(normalized=true)",
        "12x2x3x4 >> channels_last >> sinusoidal_positions(base=100)",
        "6x5 >> tokens >> sinusoidal_positions(normalized=true, size=(3, 2), width=8)",
        "8x4x5 >> sinusoidal_positions(once=true)",
    )

    def facts(self, x: Shape) -> Facts:
        spatial = (
            x.spatial if self.size is None else self.size if isinstance(self.size, tuple) else (self.size,)
        )
        channels, axes = x.channels if self.width is None else self.width, len(spatial)
        last = x.channels_last and bool(axes)
        shape = channels_last(spatial, channels) if last else Shape((channels, *spatial))
        if not axes or channels % (2 * axes):
            given = f"its input is {x}" if self.size is self.width is None else f"it gives {shape}"
            raise ShapeError(
                f"sinusoidal_positions takes pairs of channels for each axis of places, and {given}",
                help="tokens or a map, whose channels are a multiple of twice the number of its axes",
            )
        return _table(
            shape,
            Call(
                "archlens.SinusoidalPositions",
                sizes=tuple(shape),
                channels_last=Argument(last, default=False),
                base=Argument(self.base, default=10000.0),
                normalized=Argument(self.normalized, default=False),
                once=Argument(self.once, default=False),
            ),
        )


class LinearBiases(_FromNothing, kind="alibi"):
    """ALiBi: for each head and key a bias that grows from key to key by the slope of its head.

    It is the branch ``bias`` of ``attention:``, and replaces position embeddings. With ``causal``, it is a
    penalty that grows with the distance, since softmax ignores what is added to all keys of a query. Head
    ``i`` of ``n`` has the slope ``2^(-8i/n)``; if n is not a power of two, the slopes of the next smaller
    power come first, followed by every second slope of twice that many.

    Output: ``heads x 1 x L`` of ``L`` tokens: for each head and key the same for all queries.
    Limits: tokens, ``LxC``.
    Source: Press et al. 2022, "Train Short, Test Long", section 3, and their code.
    """

    heads: Annotated[Count, "how many heads there are, n"]

    names = Names(keras="", onnx="", also="attentionwithlinearbiases linearbiases alibibias")
    examples = ("24x49 >> tokens >> alibi(8)", "24x9 >> tokens >> alibi(12)")

    def facts(self, x: Shape) -> Facts:
        _require_tokens(x, "alibi")
        shape = channels_last((self.heads, 1), x.spatial[0])
        return _table(shape, Call("archlens.LinearBiases", heads=self.heads, length=x.spatial[0]))

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        return f"{self.heads} heads, 1 row for all queries, and {inputs[0][0]} keys"


class WindowMask(_FromNothing, kind="window_mask"):
    """A mask for positions of a window that are neighbours only because the map was rolled.

    It is the branch ``bias`` of ``attention:`` for a map that is rolled back by ``shift`` and divided by
    ``window_partition``. If one of two positions came in across a border and the other did not, ``value`` is
    added to their score.

    Output: ``windows x 1 x P x P`` for ``P`` positions of a window, for each two of them and all heads.
    Limits: rows of windows as ``window_partition`` makes them, as many as lie in a map of these ``sides``; a
        shift smaller than the window.
    Source: Liu et al. 2021, "Swin Transformer", section 3.2, and their code, which adds -100.
    """

    size: Annotated[Size, "positions of a window along each axis, p"]
    sides: Annotated[Size, "height and width of the map"]
    shift: Annotated[Spare, "by how many positions it was rolled back"]
    value: Annotated[Filling, "what is added if only the roll brought two positions together"] = -100.0

    names = Names(keras="", onnx="", also="attnmask attentionmask swinmask shiftedwindowmask")
    examples = (
        "6x8x8 >> window_partition(4) >> window_mask(4, 8, 2)",
        '6x4x9 >> window_partition((2, 3)) >> window_mask((2, 3), (4, 9), (0, 1), value="-inf")',
    )

    def facts(self, x: Shape) -> Facts:
        size, sides, shift = self.axes(x)
        for axis, f, s in zip(("height", "width"), size, shift, strict=True):
            if s >= f:
                raise ShapeError(f"its shift of {s} is not smaller than the {axis} of its window, {f}")
        windows, positions = x.spatial
        shape = channels_last((windows, 1, positions), positions)
        return _table(
            shape,
            Call(
                "archlens.WindowMask",
                size=shortest(size),
                sides=shortest(sides),
                shift=shortest(shift),
                value=Argument(float(self.value), default=-100.0),
            ),
        )

    def axes(self, x: Shape) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """The window, the map and the shift along each axis of what rows of windows were cut from.

        Raises:
            ShapeError: they are none such.
        """
        return *require_windows(x, self.kind, self.size, self.sides), per_axis(self.shift, x, "shift")

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        windows, positions = inputs[0].spatial
        return f"{windows} windows, 1 for all heads, and {positions} positions by {positions}"


class RelativeCoordinates(_FromNothing, kind="relative_coordinates"):
    """The offsets between two positions of a window along each axis, on a logarithmic scale.

    Small networks compute the bias of attention from it: ``relative_coordinates(8) >> linear(512) >> relu >>
    linear(4, bias=false) >> relative_positions((8, 8))`` gives the rows of every two positions in 4 heads. An
    offset ``r`` is ``log(1 + 8*|r|/(n - 1))/log(8)`` with the sign of ``r``; ``plain`` is ``log(1 + |r|)``.

    Output: ``(2h - 1)*(2w - 1) x 2``, the offsets ``query - key`` in ``hxw``, the last axis innermost.
    Limits: any input; windows of at least 2 positions along each axis, unless ``plain``.
    Source: Liu et al. 2022, "Swin Transformer V2", section 3.3, and their code, which scales to 8.
    """

    size: Annotated[Size, "positions of a window along each axis"]
    of: Annotated[OptionalSize, "the window that offsets are measured by, n, if another"] = None
    plain: Annotated[Flag, "whether offsets are not measured by a window"] = False
    once: Annotated[Flag, _ONCE] = False

    names = Names(keras="", onnx="", also="logcpb continuouspositionbias relativecoordstable")
    examples = (
        "16 >> relative_coordinates((2, 3))",
        "6x4x4 >> relative_coordinates(4, of=(6, 8))",
        "16 >> relative_coordinates((1, 3), plain=true)",
        "16 >> relative_coordinates(2, once=true)",
    )

    def facts(self, x: Shape) -> Facts:
        size = self.size if isinstance(self.size, tuple) else (self.size,) * 2
        of = size if self.of is None else self.of if isinstance(self.of, tuple) else (self.of,) * 2
        if len(size) != 2 or len(of) != 2:
            raise ShapeError("its window has two axes", help="give one value for both, or one for each")
        if min(of) < 2 and not self.plain:
            raise ShapeError(
                f"a window of {times(of)} is nothing to measure by",
                notes=("offsets are divided by its size less 1",),
            )
        shape = channels_last((prod(2 * n - 1 for n in size),), 2)
        return _table(
            shape,
            Call(
                "archlens.RelativeCoordinates",
                size=size,
                of=Argument(None if self.plain else of, default=None),
                once=Argument(self.once, default=False),
            ),
        )


class Learned(_FromNothing, kind="parameter"):
    """A learned tensor that depends on no input, such as queries, prompts or a factor; it begins a branch.

    ``add: [identity, parameter([1, 64])]`` adds it to the incoming tensor. Only the number of samples of its
    own input is used: the tensor is repeated for each. It is an ``nn.Parameter`` in torch, under the layer's
    own name, as are ``class_token`` and ``position_embedding``. With ``trained=false`` it is a buffer whose
    values are in the state dict, such as a mask or a table of positions.
    With ``once``, what follows is computed once for a whole batch, up to where it meets the input:
    ``parameter([49, 2], once=true) >> linear(8)`` multiplies as much for a hundred samples as for one.

    Output: the shape that is given.
    Parameters: its number of values; 1 with ``scalar=true``, none with ``trained=false``.
    Limits: any input; the channels come last, unless ``channels`` says first.
    Source: as object queries in Carion et al. 2020, "End-to-End Object Detection with Transformers", section
        3.2.
    """

    shape: Annotated[Dims, "its sizes, without the batch"]
    channels: Annotated[str, choice("last", "first"), "whether its channels come first or last"] = "last"
    batch: Annotated[Flag, "whether it has an axis of one position for the batch"] = False
    scalar: Annotated[Flag, "whether it is a single number without axes, which fills the shape"] = False
    trained: Annotated[Flag, "whether it is trained; otherwise it is a buffer"] = True
    once: Annotated[Flag, _ONCE] = False

    names = Names(keras="", onnx="", also="learned weight variable query queries latents prompt")
    examples = (
        "24x49 >> parameter([10, 32])",
        '3x8x8 >> parameter([6, 4, 5], channels="first", batch=true)',
        "16 >> parameter([1])",
        "24x49 >> tokens >> parameter([1, 6], scalar=true)",
        "24x49 >> tokens >> parameter([49, 24], batch=true, trained=false)",
        "24x49 >> parameter([10, 32], once=true)",
    )

    def facts(self, x: Shape) -> Facts:
        if -1 in self.shape:
            raise ShapeError(
                "-1 stands for what follows from the input, and this has none", help="parameter([100, 256])"
            )
        kind = ChannelsLast if self.channels == "last" and len(self.shape) > 1 else Shape
        own = () if self.scalar else (1, *self.shape) if self.batch else tuple(self.shape)
        return Facts(
            shape=kind(self.shape),
            weights={"": own} if self.trained else NONE,
            buffers=NONE if self.trained else {"": Buffer(own)},
            macs=0,
            other={},
            reach=NOWHERE,
            torch=Call(
                "archlens.expanded_once" if self.once else "archlens.expanded",
                shape=tuple(self.shape),
                parameter=Call("archlens.normal", sizes=own, deviation=0.02)
                if self.trained
                else Call("torch.full", size=own, fill_value=0.0),
            ),
        )


class LayerScale(Op, kind="layer_scale", family="normalization"):
    """A learned factor for each channel, near zero at first, so that a residual block starts as identity.

    On a map whose channels come first, the factors are ``Cx1x1``, as in torchvision, or with ``vector`` a
    vector of ``C``, as in timm; elsewhere they are always a vector.

    Output: the shape of the input.
    Parameters: ``c``.
    Limits: none.
    Source: Touvron et al. 2021, "Going deeper with Image Transformers", equation 4.
    """

    initial: Annotated[Number, "the initial value of the factors"] = 1e-6
    vector: Annotated[Flag, "whether the factors of a map are a vector, too"] = False

    incidental = {"initial": "initial"}
    channelwise = True
    names = Names(keras="", onnx="", also="layerscaling")
    examples = (
        "96x7x7 >> layer_scale",
        "96x7x7 >> channels_last >> layer_scale(0.1)",
        "24 >> layer_scale(1)",
        "96x7x7 >> layer_scale(vector=true)",
    )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input; the gradient of a factor is a sum over values of their own."""
        return INPUT._replace(backward=(Extra(facts.shape.numel),), in_place=True)

    def facts(self, x: Shape) -> Facts:
        axes = 0 if x.channels_last else len(x) - 1
        own = (x.channels,) if self.vector else (x.channels, *(1,) * axes)
        return Facts(
            shape=x,
            weights={"": own},
            buffers=NONE,
            macs=0,
            other={"elementwise": x.numel},
            reach=(POINT,) * (len(x) - 1),
            torch=Call(
                "archlens.scaled_channels" if self.vector and axes else "operator.mul",
                parameter=Call("torch.full", size=own, fill_value=float(self.initial)),
            ),
        )


def _require_tokens(x: Shape, what: str) -> None:
    """Refuse all but ``LxC``."""
    require_channels_last(x, what, "LxC", "tokens")
    if len(x) != 2:
        raise ShapeError(
            f"{what} works on tokens such as LxC, but its input is {x}", help="put tokens before it"
        )
