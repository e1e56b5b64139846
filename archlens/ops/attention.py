"""Attention: its core, over all tokens, and within windows with a bias for each relative position.

Multiply-accumulates are those of both products of attention, queries by keys and weights by values, and of
the projections, where there are some, as ``torch.utils.flop_counter`` counts them. What else is computed is
itemised apart: ``softmax`` takes, for each head and each query, an exponential and a division for each of its
``n`` keys and ``n - 1`` additions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Annotated, Any, ClassVar

from ..geometry import POINT, Window
from ..shape import Shape, times
from .attributes import Count, Flag, OptionalCount, OptionalNumber, Size, Spare
from .footprint import (
    BOOL,
    FLOAT32,
    INPUT,
    INT64,
    MATRICES,
    MATRIX,
    PIECE,
    ROWS,
    VALUE,
    ByLying,
    Extra,
    Footprint,
    Heads,
)
from .layout import require_channels_last, require_two_axes
from .op import (
    EVERYWHERE,
    NONE,
    Argument,
    Buffer,
    Buffers,
    Call,
    Facts,
    Merge,
    Names,
    NonUniform,
    Op,
    Reach,
    ShapeError,
    Tensors,
    WindowChain,
    all_channels,
    as_written,
    read_by_groups,
)
from .windows import per_axis, shortest


def _require_heads(x: Shape, heads: int) -> None:
    """Refuse channels that do not divide among the heads."""
    if x.channels % heads:
        near = [h for h in range(max(1, heads - 64), heads + 64) if x.channels % h == 0]
        near.sort(key=lambda h: (abs(h - heads), h))
        raise ShapeError(
            f"its {x.channels} channels are not divisible by heads={heads}",
            notes=(f"{x.channels} = {heads} * {x.channels // heads} + {x.channels % heads}",),
            help=f"heads that divide {x.channels}: {', '.join(map(str, sorted(near[:4])))}" if near else "",
        )


def _require_shared(heads: int, kv_heads: int | None) -> None:
    """Refuse heads of keys and values that those of queries cannot share in turn."""
    if kv_heads and heads % kv_heads:
        raise ShapeError(f"its heads={heads} are not divisible by kv_heads={kv_heads}")


def _projections(channels: int, into: str, out: str) -> dict[str, tuple[int, ...]]:
    """The weights of two linear layers: to queries, keys and values, and back."""
    return {
        f"{into}.weight": (3 * channels, channels),
        f"{into}.bias": (3 * channels,),
        f"{out}.weight": (channels, channels),
        f"{out}.bias": (channels,),
    }


def _products(positions: int, seen: int, channels: int, projected: int | None = None) -> int:
    """Products of attention where each position sees ``seen`` others: its projections, and QK and AV.

    The projections have ``projected`` outputs for each position, in and out; 4 times the channels unless
    that is said.
    """
    projected = 4 * channels if projected is None else projected
    return projected * positions * channels + 2 * positions * seen * channels


def _softmax(pairs: int, seen: int) -> int:
    """The work of softmax over all pairs, of which each query has ``seen``."""
    return 3 * pairs - pairs // seen


def _sentence(
    positions: int, seen: int, channels: int, into: int | None = None, out: int | None = None
) -> str:
    into, out = into or 3 * channels, out or channels
    return (
        f"{positions:,} positions x ({into:,}x{channels:,} to queries, keys and values + "
        f"{out:,}x{channels:,} back + 2 x {channels:,}x{seen:,} for queries by keys and weights by "
        f"values) = {_products(positions, seen, channels, into + out):,}"
    )


def _pairs_seen(length: int, causal: bool, window: int | None) -> int:
    """How many pairs of a query and a key of one row are not masked."""
    most = length if window is None else min(window, length)
    before = most * (most + 1) // 2 + (length - most) * most  # itself and those before it
    return before if causal else length**2 if window is None else 2 * before - length


def _leaving_out(computed: int, unmasked: int) -> str:
    """What is said beside the products of an attention that masks some."""
    if unmasked == computed:
        return ""
    return f"; a kernel that skips masked products computes {unmasked:,}"


class SelfAttention(Op, kind="self_attention", family="attention"):
    """Every token attends to every token: ``softmax(QK'/sqrt(d))V`` in several heads, between linear layers.

    Its weights are those of ``nn.MultiheadAttention``. ``d`` is ``C/heads``. With ``causal`` a token attends
    to itself and to those before it. With fewer ``kv_heads``, consecutive heads share the keys and values of
    one. If there are axes before the last two, as with windows, each row attends by itself.

    Output: the positions of the input, with ``out`` channels.
    Parameters: ``C*(C + 2*K + O)``, and ``C + 2*K + O`` of bias: ``K = d*kv_heads`` and ``O = out``, both
        ``C`` by default.
    MACs: ``L*C*(C + 2*K + O) + 2*L*M*C``: the projections of ``L`` tokens, and queries by keys and weights by
        values for the ``M`` tokens of a row, including what ``causal`` masks.
    Limits: tokens, ``LxC`` or rows of them, whose channels ``heads`` divides.
    Source: Vaswani et al. 2017, section 3.2; Ainslie et al. 2023, "GQA", section 2.2.
    """

    heads: Annotated[Count, "how many heads the channels are divided among"]
    bias: Annotated[Flag, "whether the projections add a bias"] = True
    out: Annotated[OptionalCount, "how many channels come out, if not those that come in"] = None
    causal: Annotated[Flag, "whether a token attends to none after it"] = False
    kv_heads: Annotated[OptionalCount, "how many heads keys and values have, if not those of queries"] = None

    incidental = {"causal": "causal"}
    names = Names(
        keras="MultiHeadAttention",
        onnx="",
        also="multiheadattention mha multiheadselfattention selfattn msa",
    )
    examples = (
        "24x49 >> tokens >> self_attention(4)",
        "24x5x5 >> tokens >> self_attention(3, bias=false)",
        "24x9 >> tokens >> self_attention(6, causal=true, kv_heads=2)",
        "24x3x5 >> channels_last >> self_attention(4, out=10)",
    )

    def facts(self, x: Shape) -> Facts:
        require_channels_last(x, "self_attention", "LxC", "tokens")
        _require_heads(x, self.heads)
        _require_shared(self.heads, self.kv_heads)
        channels, seen, positions = x.channels, x.spatial[-1], prod(x.spatial)
        into, out = self._widths(channels)
        weights: dict[str, tuple[int, ...]] = {
            "in_proj_weight": (into, channels),
            "out_proj.weight": (out, channels),
        }
        if self.bias:
            weights |= {"in_proj_bias": (into,), "out_proj.bias": (out,)}
        pairs = self.heads * positions * seen
        return Facts(
            shape=x.with_channels(out),
            weights=weights,
            buffers=NONE,
            macs=_products(positions, seen, channels, into + out),
            other={"softmax": _softmax(pairs, seen), "elementwise": pairs}
            | ({"bias": (into + out) * positions} if self.bias else {}),
            reach=_row_reach(x.spatial, seen, self.causal),
            torch=self._torch(x),
        )

    def _widths(self, channels: int) -> tuple[int, int]:
        """How many outputs the projections have: to queries, keys and values together, and back."""
        keys = channels // self.heads * (self.kv_heads or self.heads)
        return channels + 2 * keys, self.out or channels

    def _torch(self, x: Shape) -> Call:
        bias = Argument(self.bias, default=True)
        out = None if self.out == x.channels else self.out
        shared = None if self.kv_heads == self.heads else self.kv_heads
        if len(x) == 2 and not (out or shared or self.causal):
            return Call("archlens.SelfAttention", channels=x.channels, heads=self.heads, bias=bias)
        return Call(
            "archlens.MultiheadSelfAttention",
            channels=x.channels,
            heads=self.heads,
            bias=bias,
            out=Argument(out, default=None),
            causal=Argument(self.causal, default=False),
            kv_heads=Argument(shared, default=None),
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """Queries, keys and values in one tensor, what comes of them, and a sum for each query and head.

        No weight of a pair is ever stored: torch's kernels are fused. This is the one of the CPU; those of
        CUDA keep the same, but some round the number of sums of each head up, or copy narrow heads to wider
        ones.
        """
        (x,) = inputs
        positions = prod(x.spatial)
        projected, mixed = Extra(self._widths(x.channels)[0] * positions), Extra(x.numel)
        sums = Extra(self.heads * positions, FLOAT32)
        return INPUT._replace(
            saved=(projected, mixed, sums),
            before=((projected,), (projected, mixed, sums)),
            workspace=(projected, mixed),
            backward=(projected, mixed),
            lies=ROWS,
            needs=MATRIX,
        )

    def macs_unmasked(self, facts: Facts, *inputs: Shape) -> int:
        (x,) = inputs
        *rows, length = x.spatial
        masked = length**2 - _pairs_seen(length, self.causal, None)
        return facts.macs - 2 * prod(rows) * masked * x.channels

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        (x,) = inputs
        said = _sentence(prod(x.spatial), x.spatial[-1], x.channels, *self._widths(x.channels))
        return said + _leaving_out(facts.macs, self.macs_unmasked(facts, x))

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        if facts.shape == inputs[0]:
            return super().why_shape(facts, *inputs)
        return f"the {times(facts.shape.spatial)} of the input; {self.out} channels, as out says"


class Attention(Merge, kind="attention", family="attention"):
    """The core of attention: ``softmax(QK'/sqrt(d) + B)V`` in several heads, of queries, keys and values.

    Its branches are ``q``, ``k`` and ``v``, which other layers project. Heads of queries and keys have ``d``
    channels; those of values may have another number. With fewer ``kv_heads``, consecutive heads share the
    keys and values of one. With ``causal``, a token attends to itself and to those before it; with a
    ``window``, to itself and to those fewer positions away. If there are axes before the last two, as with
    windows, each row attends by itself. A ``scale`` multiplies the products of queries and keys, instead of
    ``1/sqrt(d)``; 1 leaves them unscaled. A ``softcap`` then bounds them, ``softcap*tanh(s/softcap)``, before
    anything is added or masked.

    A branch ``bias`` is added to them, whether learned, a mask or computed: ``heads x queries x keys``, with
    1 for an axis along which it is broadcast. Leading axes may be omitted, so ``queries x keys`` applies to
    every head; axes before the heads are rows. A branch ``sinks`` has a number for each head, which softmax
    takes along with the products of every query, so that the weights of a query sum to less than 1; in
    Python, ``sinks=True`` says that the last branch is this one.

    Output: the positions of ``q``, with ``heads`` times the channels of a head of ``v``.
    MACs: ``heads*L*M*(d + e)`` for ``L`` queries with ``M`` keys each and ``e`` channels of a head of ``v``:
        queries by keys and weights by values, including what ``causal`` and ``window`` mask.
    Limits: tokens, ``LxC`` or rows of them, whose channels the heads divide; as many values as keys, and as
        many queries with ``causal`` or a ``window``.
    Source: Vaswani et al. 2017, section 3.2.1; Ainslie et al. 2023, "GQA", section 2.2; Beltagy et al. 2020,
        "Longformer", section 3.1; of the bias Raffel et al. 2020, "T5", section 2.1; of the bound Gemma Team
        2024, "Gemma 2", section 2; of sinks OpenAI 2025, "gpt-oss-120b & gpt-oss-20b Model Card", section 2.
    """

    heads: Annotated[Count, "how many heads the channels of q are divided among"]
    kv_heads: Annotated[OptionalCount, "how many heads k and v have, if not those of q"] = None
    causal: Annotated[Flag, "whether a token attends to none after it"] = False
    window: Annotated[OptionalCount, "the distance from which tokens are no longer attended to"] = None
    scale: Annotated[OptionalNumber, "the factor of the products of queries and keys"] = None
    softcap: Annotated[OptionalNumber, "the bound of these products, if any"] = None
    sinks: Annotated[Flag, "whether the last branch holds a number per head that joins the softmax"] = False

    branches = ("q", "k", "v")
    optional_branches = ("bias", "sinks")
    of_one = "self_attention"
    incidental = {"causal": "causal", "window": "window"}
    names = Names(
        keras="",
        onnx="Attention",
        also="scaleddotproductattention sdpa crossattention groupedqueryattention gqa multiqueryattention "
        "attentionsinks sinkattention",
    )
    examples = (
        "12x16, 12x16, 12x16 >> tokens >> linear(12) >> attention(3)",
        "12x16, 12x20, 12x20 >> tokens >> linear(12) >> attention(3)",
        "12x16, 6x16, 6x16 >> tokens >> layer_norm >> attention(4, kv_heads=2, causal=true)",
        "12x9, 12x7, 24x7 >> tokens >> layer_norm >> attention(3)",
        "8x6x5, 8x6x5, 8x6x5 >> channels_last >> linear(8) >> attention(2)",
        "12x16, 12x16, 12x16 >> tokens >> layer_norm >> attention(3, causal=true, window=4)",
        "8x3x9, 4x3x9, 4x3x9 >> channels_last >> layer_norm >> attention(4, kv_heads=2, window=3)",
        "12x9, 12x7, 12x7, 7x9 >> tokens >> layer_norm >> attention(3, scale=1)",
        "8x2x5, 8x2x5, 8x2x5, 5x2x5 >> channels_last >> layer_norm >> attention(2, causal=true)",
        "12x9, 6x9, 6x9 >> tokens >> layer_norm >> attention(4, kv_heads=2, causal=true, softcap=5)",
        "8x9, 8x7, 8x7, 7x9 >> tokens >> layer_norm >> attention(2, softcap=0.5)",
        "9x12 channels_last, 7x6 channels_last, 7x6 channels_last, 4 >> attention(4, kv_heads=2, sinks=true)",
        "5x8 channels_last, 5x8 channels_last, 5x8 channels_last, 5, 2 >> attention(2, sinks=true)",
    )

    def facts(self, *inputs: Shape) -> Facts:
        least = 3 + self.sinks
        if len(inputs) not in (least, least + 1):
            needed = "q, k, v, perhaps a bias, and sinks" if self.sinks else "q, k and v, and perhaps a bias"
            raise ShapeError(f"it takes {needed}, but got {len(inputs)}")
        q, k, v, bias, sinks = self._parts(inputs)
        for x in (q, k, v):
            require_channels_last(x, "attention", "LxC", "tokens")
        self._require_rows(q, k, v)
        width, of_values = self._require_channels(q, k, v)
        keys = k.spatial[-1]
        for x in bias:
            _require_bias(x, (*q.spatial[:-1], self.heads, q.spatial[-1], keys))
        for x in sinks:
            if x != (self.heads,):
                raise ShapeError(
                    f"each of its {self.heads} heads has one sink, but its sinks are {x}",
                    help=f"sinks: parameter([{self.heads}])",
                    inputs=(len(inputs) - 1,),
                    size=True,
                )
        if self.softcap is not None and self.softcap <= 0:
            raise ShapeError(f"its softcap is {as_written(self.softcap)}, and bounds are above 0")
        rows = self.heads * prod(q.spatial)
        pairs, capped = rows * keys, self.softcap is not None
        stored: dict[str, Any] = {}
        if self._stores(inputs):
            cap = None if self.softcap is None else float(self.softcap)
            stored = {"softcap": Argument(cap, default=None), "sinks": Argument(self.sinks, default=False)}
        return Facts(
            shape=q.with_channels(self.heads * of_values),
            weights=NONE,
            buffers=NONE,
            macs=pairs * (width + of_values),
            other={
                "softmax": _softmax(pairs + rows * self.sinks, keys + self.sinks),
                "elementwise": pairs * ((self.scale != 1) + len(bias) + 2 * capped),
                **({"activation": pairs} if capped else {}),
            },
            reach=_row_reach(q.spatial, keys, self.causal, self.window),
            torch=Call(
                "archlens.scored_attention" if stored else "archlens.attention",
                heads=Argument(self.heads, by_place=not stored),  # what more goes in stands before it
                kv_heads=Argument(None if self.kv_heads == self.heads else self.kv_heads, default=None),
                causal=Argument(self.causal, default=False),
                window=Argument(self._window(keys), default=None),
                scale=Argument(None if self.scale is None else float(self.scale), default=None),
                **stored,
            ),
        )

    def _parts(
        self, inputs: tuple[Shape, ...]
    ) -> tuple[Shape, Shape, Shape, Sequence[Shape], Sequence[Shape]]:
        """Queries, keys and values; a bias, if there is one; and sinks, if there are."""
        end = len(inputs) - self.sinks
        q, k, v = inputs[:3]
        return q, k, v, inputs[3:end], inputs[end:]

    def _stores(self, inputs: tuple[Shape, ...]) -> bool:
        """Whether a score is stored for each pair, since no kernel of torch's does otherwise."""
        return len(inputs) > 3 or self.softcap is not None

    def _window(self, keys: int) -> int | None:
        """Its window, where that leaves anything out."""
        return None if self.window is None or self.window >= keys else self.window

    def _require_rows(self, q: Shape, k: Shape, v: Shape) -> None:
        """Refuse tokens that do not go together."""
        if k.spatial != v.spatial:
            raise ShapeError(f"each key has a value, but k is {k} and v is {v}", inputs=(1, 2), size=True)
        both = f"and q is {q} and k is {k}"
        if q.spatial[:-1] != k.spatial[:-1]:
            raise ShapeError(
                f"a row of queries attends to the row of keys in its place, {both}", inputs=(0, 1), size=True
            )
        if self.masks and q.spatial != k.spatial:
            which = "causal" if self.causal else "a window"
            raise ShapeError(
                f"with {which} there are as many keys as queries, {both}", inputs=(0, 1), size=True
            )

    def _require_channels(self, q: Shape, k: Shape, v: Shape) -> tuple[int, int]:
        """The channels of a head of queries and keys, and of one of values; refuse others."""
        kv_heads = self.kv_heads or self.heads
        _require_shared(self.heads, kv_heads)
        _require_heads(q, self.heads)
        width = q.channels // self.heads
        if k.channels != kv_heads * width:
            shared, rest = divmod(k.channels, width)
            raise ShapeError(
                f"a head of q has {width} channels, so that k needs {kv_heads * width}, and k is {k}",
                notes=(f"{q.channels} / {self.heads} * {kv_heads} = {kv_heads * width}",),
                help=f"kv_heads={shared}"
                if not rest and self.heads % shared == 0
                else f"k: linear({kv_heads * width})",
                inputs=(0, 1),
            )
        if v.channels % kv_heads:
            each, rest = divmod(v.channels, kv_heads)
            raise ShapeError(
                f"its {kv_heads} heads of values do not divide the channels of v, which is {v}",
                notes=(f"{v.channels} = {kv_heads} * {each} + {rest}",),
                inputs=(2,),
            )
        return width, v.channels // kv_heads

    def reach_of(self, index: int, facts: Facts, inputs: Sequence[Shape]) -> Reach:
        """Of the queries an output depends on that at its own position alone."""
        if index > 2:
            own = (
                "sink of its own"
                if self.sinks and index == len(inputs) - 1
                else "row of the bias for each query"
            )
            return NonUniform(f"each head reads a {own}")
        return facts.reach if index else (POINT,) * len(inputs[0].spatial)

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        q, k, v, bias, sinks = self._parts(inputs)
        kv_heads = self.kv_heads or self.heads
        width = v.channels // kv_heads
        values = channels
        if kv_heads != self.heads:
            values = 0
            for head in range(self.heads):
                of_head = channels >> head * width & all_channels(width)
                values |= of_head << head * kv_heads // self.heads * width
        queries = read_by_groups(channels, self.heads, q.channels, self.heads * width)
        keys = read_by_groups(channels, kv_heads, k.channels, self.heads * width)
        own = read_by_groups(channels, self.heads, self.heads, self.heads * width)
        return queries, keys, values, *[all_channels(x.channels) for x in bias], *[own for _ in sinks]

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """What it reads, what comes out, and a sum for each query and head: torch's kernels are fused.

        They are not where a head of values has other channels than one of keys, nor where a bias wants a
        gradient: then the weights are stored.
        """
        q, k, v = inputs[:3]
        if self._stores(inputs):
            return self._with_scores(facts, q, k, v)
        if facts.shape.channels != q.channels:
            kv_heads = self.kv_heads or self.heads
            in_heads = ((0, Heads(self.heads, True)), (1, Heads(kv_heads, True)), (2, Heads(kv_heads, False)))
            by_pairs = partial(self._by_pairs, facts, q, k, v)
            asked = ((0, MATRICES), (1, MATRICES), (2, MATRICES), *in_heads)
            return by_pairs(*(False,) * len(asked))._replace(by_lying=ByLying(asked, by_pairs))
        sums = Extra(self.heads * prod(q.spatial), FLOAT32)
        found = Footprint(
            input=True,
            jointly=True,
            output=True,
            saved=(sums,),
            workspace=(sums,),
            lies=ROWS,
            needs=MATRICES,
        )
        return found if self._window(k.spatial[-1]) is None else _with_mask(found, k.spatial[-1])

    def _by_pairs(self, facts: Facts, q: Shape, k: Shape, v: Shape, *lying: bool) -> Footprint:
        """The same where a weight is stored for each pair.

        Args:
            facts: its own.
            q: queries.
            k: keys.
            v: values.
            lying: of these three whether each row is a matrix as it lies, and whether each head is.
        """
        keys, heads = k.spatial[-1], lying[3:]
        repeated = self.heads // (self.kv_heads or self.heads)
        by_pair = Extra(self.heads * prod(q.spatial) * keys)
        scaled, turned, values = Extra(q.numel), Extra(k.numel * repeated), Extra(v.numel * repeated)
        mixed = Extra(facts.shape.numel)
        # rows are divided into heads in copies, if they have to be; and heads share copies of keys and values
        divided = [Extra(x.numel) for x, fits in zip((q, k, v), lying[:3], strict=True) if not fits]
        copies = [*divided, *self._masks(q.spatial[-1], keys)]
        copies += [turned, values] if repeated > 1 else []
        qs, ks, vs = [
            () if fits or (repeated > 1 and one is not scaled) else (one,)
            for one, fits in zip((scaled, turned, values), heads, strict=True)
        ]
        last = (*copies, scaled, by_pair, *vs)
        # heads that come out one behind the other are seen as the channels of each position
        each = facts.shape.channels // self.heads
        seen = 1 in (each, self.heads, q.spatial[-1])
        rows = len(q.spatial) - 1
        kept = lying[2] and heads[2] and repeated == 1
        return Footprint(
            input=(2,) if kept else False,
            saved=(scaled, turned, by_pair) if kept else (scaled, turned, values, by_pair),
            before=(
                (*divided, *(_finding(keys) if self._window(keys) else ())),
                (*copies, scaled, turned, *qs, *ks, by_pair),
                (*copies, scaled, by_pair, by_pair),
                *(() if seen else ((*last, mixed),)),
            ),
            workspace=last if seen else (mixed,),
            backward=(by_pair, by_pair, mixed),
            lies=(*range(rows), rows + 1, rows) if each == 1 else ROWS,
        )

    def _with_scores(self, facts: Facts, q: Shape, k: Shape, v: Shape) -> Footprint:
        """Scores are stored and added to, one tensor after the other; of several heads all inputs are copied.

        What is masked is noted in a tensor of its own, and what bounds them is kept as it comes out of tanh.
        """
        length, repeated = k.spatial[-1], self.heads // (self.kv_heads or self.heads)
        queries, keys, values = Extra(q.numel), Extra(k.numel * repeated), Extra(v.numel * repeated)
        scores, mixed = Extra(self.heads * prod(q.spatial) * length), Extra(facts.shape.numel)
        weights = Extra(scores.values + self.sinks * self.heads * prod(q.spatial))
        # heads that share keys and values have copies of them to the end, else there is one for each product
        copies, ks, vs = ((keys, values), (), ()) if repeated > 1 else ((), (keys,), (values,))
        moments = [(queries, *ks, scores), (scores, scores), (weights, *vs, mixed)]
        masks: tuple[Extra, ...] = ()
        if self.causal or self._window(length):
            mask = Extra(length**2, BOOL, per_sample=False)
            at, away = (Extra(count, INT64, per_sample=False) for count in (length, length**2))
            masks = (mask,)
            moments[1:] = [(scores, at, away, *masks * 3), (scores, scores, *masks * 2), (*moments[2], mask)]
        if self.sinks:
            moments.append((weights, weights, *masks))
        return Footprint(
            saved=(queries, keys, values, weights, *masks, *(scores,) * (self.softcap is not None)),
            before=tuple([(*copies, *moment) for moment in moments]),
            workspace=(*copies, weights, mixed, *masks),
            backward=(*(weights,) * (3 - self.sinks), mixed, queries, keys, values),
            lies=ROWS,
        )

    def _masks(self, queries: int, keys: int) -> list[Extra]:
        """What is added to scores, and what that is made of as long as it is there."""
        pairs = Extra(queries * keys, per_sample=False)
        if self._window(keys) is not None:
            return [pairs._replace(kind=BOOL), pairs]
        return [pairs] if self.causal else []

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return ""

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        q, channels = inputs[0], facts.shape.channels
        heads = f"{self.heads} heads * {channels // self.heads} = {channels} channels"
        return f"the {times(q.spatial)} of q; {heads}"

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        q, k = inputs[:2]
        keys = k.spatial[-1]
        text = (
            f"{prod(q.spatial):,} queries x {keys:,} keys x ({q.channels:,} channels of queries by keys + "
            f"{facts.shape.channels:,} of weights by values) = {facts.macs:,}"
        )
        return text + _leaving_out(facts.macs, self.macs_unmasked(facts, *inputs))

    def macs_unmasked(self, facts: Facts, *inputs: Shape) -> int:
        keys = inputs[1].spatial[-1]
        return (
            facts.macs * _pairs_seen(keys, self.causal, self.window) // keys**2 if self.masks else facts.macs
        )

    @property
    def masks(self) -> bool:
        """Whether not every query sees every key; there are as many of both then."""
        return self.causal or self.window is not None


def _require_bias(x: Shape, scores: tuple[int, ...]) -> None:
    """Refuse what is not repeated to one number for each score: by rows, heads, queries and keys."""
    if len(x) > 1 and not x.channels_last:
        raise ShapeError(
            f"the keys of its bias come last, but {x} is a map whose channels come first",
            help="channels_last or tokens turns it round",
            inputs=(3,),
        )
    own = (1,) * (len(scores) - len(x)) + tuple(x)
    if len(own) == len(scores) and all(n in (1, whole) for n, whole in zip(own, scores, strict=True)):
        return
    rows = "rows x " if len(scores) > 3 else ""
    order = {(0, 2, 1): "h k q -> h q k", (1, 2, 0): "q k h -> h q k"}  # of heads, queries and keys
    turned = [how for axes, how in order.items() if tuple(scores[-3:][axis] for axis in axes) == tuple(x)]
    raise ShapeError(
        f"there are {times(scores)} scores ({rows}heads x queries x keys), but its bias is {x}",
        notes=("along each axis it has as many, or 1 for all of them; axes on its left may be left out",),
        help=f'rearrange("{turned[0]}")' if turned else "",
        inputs=(3,),
        size=True,
    )


def _with_mask(found: Footprint, length: int) -> Footprint:
    """With a mask of its own, which is kept as numbers to be added."""
    seen, added = (Extra(length**2, kind, per_sample=False) for kind in (BOOL, VALUE))
    return found._replace(
        saved=(*found.saved, added),
        before=(_finding(length), *found.before),
        workspace=(*found.workspace, seen, added),
    )


def _finding(length: int) -> tuple[Extra, ...]:
    """What exists while it is found which tokens are too far away from each other."""
    seen = Extra(length**2, BOOL, per_sample=False)
    away = tuple(Extra(count, INT64, per_sample=False) for count in (length, length**2))
    return (*away, seen, seen, seen)


def _row_reach(spatial: tuple[int, ...], keys: int, causal: bool, window: int | None = None) -> Reach:
    """What a position sees of keys and values: those of its row, near ones alone, and none after it."""
    *rows, queries = spatial
    if causal or (window is not None and window < keys):
        before = min(window or keys, keys) - 1
        after = 0 if causal else before
        return (*[POINT] * len(rows), Window(before + 1 + after, 1, before, after))
    if prod(rows) == 1:
        return EVERYWHERE
    if queries != keys:
        return NonUniform("each position sees the keys of its row")
    whole = (Window(keys, keys), Window(keys, keys, transposed=True))
    return WindowChain((*[(POINT,)] * len(rows), whole))


class _Windowed(Op, family="attention"):
    """What both kinds of attention within windows share."""

    heads: Annotated[Count, "how many heads the channels are divided among"]
    window: Annotated[Size, "positions of a window along each axis"]
    shift: Annotated[Spare, "by how many positions the windows are shifted"] = 0

    incidental = {"shift": "shift"}
    module: ClassVar[str]

    def facts(self, x: Shape) -> Facts:
        require_channels_last(x, self.kind, "HxWxC")
        require_two_axes(x, self.kind)
        _require_heads(x, self.heads)
        window, shift = per_axis(self.window, x, "window"), per_axis(self.shift, x, "shift")
        for axis, f, s in zip(x.axes, window, shift, strict=True):
            if s >= f:
                raise ShapeError(f"its shift of {s} is not smaller than the {axis} of its window, {f}")
        positions, seen, shifted = _layout(x, window, shift)
        pairs = self.heads * positions * seen
        return Facts(
            shape=x,
            weights=self._weights(window, _projections(x.channels, "qkv", "proj")),
            buffers=self._bias_buffers(window),
            macs=_products(positions, seen, x.channels) + self._bias_macs(window),
            other={
                "softmax": _softmax(pairs, seen),
                # the scale; the bias of each pair and, where windows are shifted, the mask
                "elementwise": positions * x.channels + (1 + shifted) * pairs,
                "bias": 4 * positions * x.channels,
            },
            reach=_window_reach(x, window, shift),
            torch=Call(
                f"archlens.{self.module}",
                channels=x.channels,
                heads=self.heads,
                window=shortest(window),
                shift=Argument(shortest(shift), default=0),
            ),
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """What lies in the windows, projected; the scores; and the copies that the products read.

        Where nothing is padded or rolled and each window lies in one piece, it works on its input itself.
        """
        (x,) = inputs
        window, shift = per_axis(self.window, x, "window"), per_axis(self.shift, x, "shift")
        positions, seen, shifted = _layout(x, window, shift)
        tensors = _Tensors(positions, seen, x.channels, self.heads)
        bias = self._bias(tensors, window)
        padded = positions != prod(x.spatial)
        # a view, where there is one window in each row of windows or one row in each window
        split = not (x.spatial[1] <= window[1] or window[0] == 1)
        apart = padded or shifted or split
        masking = _masking(x, window, shift, split, tensors.scores) if shifted else ()
        first, *rest = tensors.moments(*masking)
        flow = tensors.flow
        return Footprint(
            input=not apart,
            saved=(*((flow,) if apart else ()), *tensors.saved, *bias.saved),
            before=(
                (*first, flow) if apart else first,
                *rest,
                *bias.before,
                *([(flow, flow)] if padded else []),
            ),
            workspace=(flow,),
            backward=(*tensors.backward, *bias.backward),
            lies=ROWS,
            needs="" if apart else PIECE,
        )

    def _bias(self, tensors: _Tensors, window: tuple[int, ...]) -> Footprint:
        """What the bias asks of memory beside that of each two positions."""
        return Footprint()

    def _weights(self, window: tuple[int, ...], projections: Tensors) -> Tensors:
        """All weights, in torch's order."""
        raise NotImplementedError  # pragma: no cover

    def _bias_buffers(self, window: tuple[int, ...]) -> Buffers:
        return {"relative_position_index": Buffer((prod(window) ** 2,), INT64)}

    def _bias_macs(self, window: tuple[int, ...]) -> int:
        return 0

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        (x,) = inputs
        window = per_axis(self.window, x, "window")
        positions, seen, _ = _layout(x, window, window)
        text = _sentence(positions, seen, x.channels)
        once = self.macs_once(facts, *inputs)
        return f"{text}; + {once:,} for the bias = {facts.macs:,}" if once else text

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return ""


def _relative(window: tuple[int, ...]) -> int:
    """How many relative positions there are between two positions of a window."""
    return prod(2 * f - 1 for f in window)


def _layout(x: Shape, window: tuple[int, ...], shift: tuple[int, ...]) -> tuple[int, int, bool]:
    """Positions of the padded map, positions of a window, and whether the windows are shifted."""
    padded = [n + -n % f for n, f in zip(x.spatial, window, strict=True)]
    shifted = any(s and f < n for n, f, s in zip(padded, window, shift, strict=True))
    return prod(padded), prod(window), shifted


class _Tensors:
    """The tensors of attention that stores its weights, for one sample: positions by positions seen."""

    def __init__(self, positions: int, seen: int, channels: int, heads: int) -> None:
        #: A value for each position and channel; queries, keys and values together; a score of each pair.
        self.flow = Extra(positions * channels)
        self.projected = Extra(3 * positions * channels)
        self.scores = Extra(heads * positions * seen)
        #: The length of each query, or key.
        self.lengths = Extra(heads * positions)
        #: For the whole batch: the bias of each two positions of a window.
        self.bias = Extra(heads * seen**2, per_sample=False)

    @property
    def saved(self) -> tuple[Extra, ...]:
        """Row-major copies of queries, keys and values, the weights, and what is projected back."""
        return (*(self.flow,) * 4, self.scores)

    @property
    def backward(self) -> tuple[Extra, ...]:
        """Gradients of the weights, and of the scores that they are a softmax of."""
        return (self.scores, self.scores, self.flow)

    def moments(self, *masking: tuple[Extra, ...]) -> tuple[tuple[Extra, ...], ...]:
        """From the projection on: the products, the bias, the mask, softmax, and the weighted sums."""
        here, flow, scores = self.projected, self.flow, self.scores
        return (
            (here,),
            (here, flow, flow, scores),
            (here, scores, self.bias, scores),
            *((here, scores, *moment) for moment in masking),
            (here, scores, scores),
            (here, scores, flow, flow),
        )


def _masking(
    x: Shape, window: tuple[int, ...], shift: tuple[int, ...], split: bool, scores: Extra
) -> tuple[tuple[Extra, ...], ...]:
    """What exists while the mask of shifted windows is made, and while it is added to the scores."""
    sides = [n + -n % f for n, f in zip(x.spatial, window, strict=True)]
    last = 1 if shift[1] and window[1] < sides[1] else 0  # the axis that was looked at last
    region = Extra(prod(sides), per_sample=False)
    at = (Extra(sides[last], INT64, per_sample=False), Extra(sides[last], per_sample=False))
    mask = Extra(prod(sides) * prod(window), per_sample=False)
    return (region, *((region,) if split else ()), *at, mask, mask), (mask, scores)


def _window_reach(x: Shape, window: tuple[int, ...], shift: tuple[int, ...]) -> Reach:
    """Each position sees the window that it lies in; the first of shifted ones begin before the map."""
    if all(n <= f for n, f in zip(x.spatial, window, strict=True)):
        return EVERYWHERE
    axes = []
    for n, f, s in zip(x.spatial, window, shift, strict=True):
        padding = -n % f
        before, after = (f - s, padding + s) if s and n + padding > f else (0, padding)
        axes.append((Window(f, f, before, after), Window(f, f, before, after, transposed=True)))
    return WindowChain(tuple(axes))


class WindowAttention(_Windowed, kind="window_attention", family="attention"):
    """Attention within windows of ``HxWxC`` that do not overlap, with a learned bias per relative position.

    With a ``shift``, the map is rolled by that much before and back afterwards; positions that are neighbours
    only because of the roll do not attend to each other. A map that the window does not divide is padded with
    zeros, and a window as large as the map is not shifted.

    Output: the shape of the input, ``HxWxC``.
    Parameters: ``4*C*C + 4*C``, and ``(2*h - 1)*(2*w - 1)*heads`` for the bias in windows of ``hxw``.
    MACs: ``4*n*C*C + 2*n*m*C`` over ``n`` positions, padding included, in windows of ``m`` positions.
    Limits: channels last, two spatial axes, channels that ``heads`` divides, a shift smaller than the window.
    Source: Liu et al. 2021, "Swin Transformer", sections 3.1 and 3.2.
    """

    module = "WindowAttention"
    names = Names(keras="", onnx="")
    examples = (
        "12x14x14 >> channels_last >> window_attention(3, 7)",
        "12x14x14 >> channels_last >> window_attention(3, 7, shift=3)",
        "12x6x5 >> channels_last >> window_attention(2, 7, shift=3)",
        "8x9x10 >> channels_last >> window_attention(2, (4, 3), shift=(2, 1))",
    )

    def _weights(self, window: tuple[int, ...], projections: Tensors) -> Tensors:
        return {"relative_position_bias_table": (_relative(window), self.heads), **projections}


#: Hidden features of the network that makes the bias of a relative position.
_HIDDEN = 512


class WindowAttentionV2(_Windowed, kind="window_attention_v2", family="attention"):
    """Attention within windows by the cosine of queries and keys, each head with a learned scale.

    The bias of a relative position comes from a small network over its logarithm, 2 to 512 to ``heads``,
    which runs once for a whole batch: its multiply-accumulates are part of those of one sample. Everything
    else is as in ``window_attention``; the bias of the keys stays zero.

    Output: the shape of the input, ``HxWxC``.
    Parameters: ``4*C*C + 4*C + heads``, and ``512*(2 + 1 + heads)`` for the bias.
    MACs: ``4*n*C*C + 2*n*m*C + (2*h - 1)*(2*w - 1)*512*(2 + heads)``, with ``n`` and ``m`` as in
        ``window_attention``.
    Limits: those of ``window_attention``; windows of at least 2.
    Source: Liu et al. 2022, "Swin Transformer V2", section 3.
    """

    module = "WindowAttentionV2"
    names = Names(keras="", onnx="")
    examples = (
        "12x8x8 >> channels_last >> window_attention_v2(3, 4)",
        "12x8x8 >> channels_last >> window_attention_v2(3, 4, shift=2)",
        "8x9x5 >> channels_last >> window_attention_v2(2, (4, 6), shift=(1, 2))",
    )

    def facts(self, x: Shape) -> Facts:
        facts = super().facts(x)
        window = per_axis(self.window, x, "window")
        if min(window) < 2:
            raise ShapeError(
                f"its bias needs a window of at least 2, and window is {as_written(self.window)}",
                notes=("relative positions are divided by the size of the window less 1",),
            )
        positions, seen, _ = _layout(x, window, window)
        other = dict(facts.other)
        # the scale is one of each pair here, and not one of each query
        other["elementwise"] += self.heads * positions * seen - positions * x.channels
        # queries and keys to length 1: squares, their sum and its root, and divisions
        other["normalization"] = 6 * positions * x.channels
        other["bias"] += _HIDDEN * _relative(window)
        # relu; the bias is 16 sigmoid, and the scale of a head an exponential of what is cut off at log 100
        other["activation"] = (
            _HIDDEN * _relative(window) + 2 * self.heads * prod(window) ** 2 + 2 * self.heads
        )
        return facts._replace(other=other)

    def macs_once(self, facts: Facts, *inputs: Shape) -> int:
        return self._bias_macs(per_axis(self.window, inputs[0], "window"))

    def _bias_macs(self, window: tuple[int, ...]) -> int:
        return _relative(window) * _HIDDEN * (2 + self.heads)

    def _weights(self, window: tuple[int, ...], projections: Tensors) -> Tensors:
        return {
            "logit_scale": (self.heads, 1, 1),
            **projections,
            "cpb_mlp.0.weight": (_HIDDEN, 2),
            "cpb_mlp.0.bias": (_HIDDEN,),
            "cpb_mlp.2.weight": (self.heads, _HIDDEN),
        }

    def _bias(self, tensors: _Tensors, window: tuple[int, ...]) -> Footprint:
        """Of the scores, which are cosines, and of the small network of the bias.

        It keeps queries, keys and values again, for their lengths; these, cut off at eps; the cosines and
        scales; the hidden features, and the sigmoid of the bias. On the way are queries and keys at length 1,
        the scale of the cosines, and the small network; on the way back the cosines that are scaled, and
        what comes back through that.
        """
        here, flow, scores = tensors.projected, tensors.flow, tensors.scores
        hidden = Extra(_relative(window) * _HIDDEN, per_sample=False)
        table = Extra(_relative(window) * self.heads, per_sample=False)
        scales = Extra(self.heads, per_sample=False)
        return Footprint(
            saved=(here, *(tensors.lengths,) * 4, scores, scales, hidden, tensors.bias),
            before=(
                (here, flow, flow, flow if self.heads > 1 else tensors.lengths),
                (here, scores, scales, scores),
                (here, scores, hidden, hidden),
                (here, scores, hidden, table),
                (here, scores, table, tensors.bias),
                (here, scores, tensors.bias, tensors.bias),
            ),
            backward=(scores, hidden, hidden),
        )

    def _bias_buffers(self, window: tuple[int, ...]) -> Buffers:
        table = Buffer((1, *(2 * f - 1 for f in window), 2))
        return {"relative_coords_table": table, **super()._bias_buffers(window)}


class RelativeAttention(Op, kind="relative_attention", family="attention"):
    """Attention within each row of windows, ``windows x positions x C``, with a bias per relative position.

    ``window_partition`` makes such rows; ``size`` is the size of its windows. The products of queries and
    keys are divided by ``sqrt(C)``, as in torchvision's MaxViT.

    Output: the shape of the input.
    Parameters: ``4*C*C + 4*C``, and ``(2*h - 1)*(2*w - 1)*heads`` for the bias in windows of ``hxw``.
    MACs: ``4*n*C*C + 2*n*m*C`` over ``n`` positions in windows of ``m`` positions.
    Limits: channels last, two axes, ``m = h*w``, and channels that ``heads`` divides.
    Source: Tu et al. 2022, "MaxViT", section 3.2.
    """

    heads: Annotated[Count, "how many heads the channels are divided among"]
    size: Annotated[Size, "positions of a window along each axis, hxw"]

    names = Names(keras="", onnx="")
    examples = (
        "12x8x8 >> window_partition(4) >> relative_attention(3, 4)",
        "12x6x8 >> window_partition(2) >> transpose >> relative_attention(2, (3, 4))",
    )

    def facts(self, x: Shape) -> Facts:
        require_channels_last(x, self.kind, "windows x positions x C", "window_partition")
        require_two_axes(x, self.kind)
        _require_heads(x, self.heads)
        size = per_axis(self.size, x, "size")
        windows, seen = x.spatial
        if seen != prod(size):
            raise ShapeError(
                f"its windows of {times(size)} hold {prod(size)} positions, and those of its input {x} "
                f"hold {seen}",
                help="size is that of window_partition; after transpose, how many windows lie on each axis",
            )
        positions = windows * seen
        pairs = self.heads * positions * seen
        return Facts(
            shape=x,
            weights={"relative_position_bias_table": (_relative(size), self.heads)}
            | _projections(x.channels, "to_qkv", "merge"),
            buffers={"relative_position_index": Buffer((seen, seen), INT64)},
            macs=_products(positions, seen, x.channels),
            other={
                "softmax": _softmax(pairs, seen),
                "elementwise": positions * x.channels + pairs,
                "bias": 4 * positions * x.channels,
            },
            reach=EVERYWHERE if windows == 1 else NonUniform("each position sees the window that it lies in"),
            torch=Call(
                "archlens.RelativeAttention", channels=x.channels, heads=self.heads, size=shortest(size)
            ),
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        windows, seen = inputs[0].spatial
        tensors = _Tensors(windows * seen, seen, inputs[0].channels, self.heads)
        return INPUT._replace(
            saved=tensors.saved,
            before=tensors.moments(),
            workspace=(tensors.flow,),
            backward=tensors.backward,
            lies=ROWS,
            needs=MATRIX,
        )

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        windows, seen = inputs[0].spatial
        return _sentence(windows * seen, seen, inputs[0].channels)
