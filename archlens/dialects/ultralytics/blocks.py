"""The modules of backbones and necks, each as it places its ops; their names are those of the state dict."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import gcd
from typing import Annotated, Any

from ...elaboration.values import Tensor
from ...ops.attributes import (
    DEFAULT,
    Count,
    Flag,
    Kind,
    Number,
    OptionalCount,
    Padding,
    Size,
    whole,
)
from ...ops.attributes import (
    Index as Position,
)
from ...shape import Shape
from .placement import Flow, Model, area, cat, half, in_a_row, kind, parts

#: Whether the model's activation follows, or none; blocks give their own.
Act = Annotated[Any, Kind("true or false", lambda value: value if isinstance(value, bool) else None)]
Counts = Annotated[
    tuple[int, ...],
    Kind(
        "a list of whole numbers of at least 1",
        lambda value: value if isinstance(value, tuple) and _are_counts(value) else None,
    ),
]
Indexes = Annotated[
    tuple[int, ...],
    Kind(
        "a list of whole numbers",
        lambda value: value if isinstance(value, tuple) and all(type(v) is int for v in value) else None,
    ),
]
Channels = Annotated[int, Kind("1, the channels", lambda value: value if value == 1 else None)]
Pad = Annotated[
    Any,
    Kind(
        "a whole number of at least 0, or none",
        lambda value: DEFAULT if value is None else whole(value, 0),
    ),
]


def _are_counts(value: tuple[Any, ...]) -> bool:
    return bool(value) and all(type(one) is int and one > 0 for one in value)


def autopad(k: Any, p: Any = None, d: int = 1) -> Any:
    """The padding that keeps the size of a map, unless one is given."""
    if p is not None:
        return p
    spans = [d * (one - 1) + 1 for one in (k if isinstance(k, tuple) else (k,))]
    return tuple(one // 2 for one in spans) if isinstance(k, tuple) else spans[0] // 2


def activated(m: Model, x: Tensor, act: Any = True) -> Tensor:
    """What follows a normalization: the model's own activation, another, or none."""
    op = m.activation if act is True else act or None
    return m.put(op[0], x, name="act", **op[1]) if op else x


def norm(m: Model, x: Tensor, name: str = "bn") -> Tensor:
    """A batch norm as the model's are set."""
    return m.put("batch_norm", x, name=name, **m.norms)


RELU: tuple[str, dict[str, Any]] = ("relu", {})
SILU: tuple[str, dict[str, Any]] = ("silu", {})


# --- convolutions -----------------------------------------------------------------------------------


@kind(widens=True)
def Conv(
    m: Model,
    x: Tensor,
    c2: Count,
    k: Size = 1,
    s: Size = 1,
    p: Pad = None,
    g: Count = 1,
    d: Count = 1,
    act: Act = True,
) -> Tensor:
    x = m.put(
        "conv", x, channels=c2, kernel=k, stride=s, padding=autopad(k, p, d), dilation=d, groups=g,
        bias=False, name="conv",
    )  # fmt: skip
    return activated(m, norm(m, x), act)


@kind(widens=True)
def DWConv(m: Model, x: Tensor, c2: Count, k: Size = 1, s: Size = 1, d: Count = 1, act: Act = True) -> Tensor:
    return Conv(m, x, c2, k, s, None, gcd(x.shape.channels, c2), d, act)


@kind()
def Conv2(
    m: Model, x: Tensor, c2: Count, k: Size = 3, s: Size = 1, p: Pad = None, g: Count = 1, d: Count = 1,
    act: Act = True,
) -> Tensor:  # fmt: skip
    both = [
        m.put("conv", x, channels=c2, kernel=one, stride=s, padding=autopad(one, p, d), dilation=d,
              groups=g, bias=False, name=name)
        for name, one in (("conv", k), ("cv2", 1))
    ]  # fmt: skip
    return activated(m, norm(m, m.put("add", *both)), act)


@kind()
def LightConv(m: Model, x: Tensor, c2: Count, k: Size = 1, act: Act = RELU) -> Tensor:
    return m("conv2", DWConv, m("conv1", Conv, x, c2, 1, act=False), c2, k, act=act)


@kind(widens=True)
def ConvTranspose(
    m: Model, x: Tensor, c2: Count, k: Size = 2, s: Size = 2, p: Padding = 0, bn: Flag = True, act: Act = True
) -> Tensor:
    x = m.put(
        "conv_transpose", x, channels=c2, kernel=k, stride=s, padding=p, bias=not bn, name="conv_transpose"
    )
    return activated(m, norm(m, x) if bn else x, act)


@kind(leaf=True, widens=True)
def DWConvTranspose2d(
    m: Model, name: str, x: Tensor, c2: Count, k: Size = 1, s: Size = 1, p1: Padding = 0, p2: Size = 0
) -> Tensor:
    groups = gcd(x.shape.channels, c2)
    return m.put("conv_transpose", x, channels=c2, kernel=k, stride=s, padding=p1, output_padding=p2,
                 groups=groups, name=name)  # fmt: skip


@kind(widens=True)
def Focus(
    m: Model, x: Tensor, c2: Count, k: Size = 1, s: Size = 1, p: Pad = None, g: Count = 1, act: Act = True
) -> Tensor:
    """Every second row and column, four maps in one."""
    rows = [m.put("slice", x, start=i, step=2, axis="height") for i in (0, 1)]
    maps = [m.put("slice", row, start=j, step=2, axis="width") for j in (0, 1) for row in rows]
    return m("conv", Conv, cat(m, *maps), c2, k, s, p, g, act=act)


@kind(widens=True)
def GhostConv(
    m: Model, x: Tensor, c2: Count, k: Size = 1, s: Size = 1, g: Count = 1, act: Act = True
) -> Tensor:
    c = c2 // 2
    y = m("cv1", Conv, x, c, k, s, None, g, act=act)
    return cat(m, y, m("cv2", Conv, y, c, 5, 1, None, c, act=act))


@kind()
def RepConv(
    m: Model, x: Tensor, c2: Count, k: Size = 3, s: Size = 1, p: Padding = 1, g: Count = 1, d: Count = 1,
    act: Act = True, bn: Flag = False,
) -> Tensor:  # fmt: skip
    if k != 3 or p != 1:
        raise m.error(f"RepConv is for a kernel of 3 with a padding of 1, not of {k} with {p}")
    branches = [
        m("conv1", Conv, x, c2, 3, s, 1, g, act=False),
        m("conv2", Conv, x, c2, 1, s, 0, g, act=False),
    ]
    if bn and c2 == x.shape.channels and s == 1:
        branches.append(norm(m, x))
    return activated(m, m.put("add", *branches), act)


# --- bottlenecks ------------------------------------------------------------------------------------


@kind(widens=True)
def Bottleneck(
    m: Model, x: Tensor, c2: Count, shortcut: Flag = True, g: Count = 1, k: Counts = (3, 3), e: Number = 0.5,
    first: Any = Conv,
) -> Tensor:  # fmt: skip
    if len(k) != 2:
        raise m.error(f"a bottleneck has two kernels, not {len(k)}")
    y = m("cv1", first, x, inner(m, c2, e), k[0], 1)
    y = m("cv2", Conv, y, c2, k[1], 1, None, g)
    return m.put("add", x, y) if shortcut and x.shape.channels == c2 else y


def inner(m: Model, c: int, e: float) -> int:
    """The channels within a block, a share of those that come out of it."""
    count = int(c * e)
    if not 1 <= count <= 10**9:
        raise m.error(f"{c} channels x {e} leave {count} within it")
    return count


@kind(widens=True)
def GhostBottleneck(m: Model, x: Tensor, c2: Count, k: Size = 3, s: Size = 1) -> Tensor:
    c, c1 = c2 // 2, x.shape.channels
    y = m("conv.0", GhostConv, x, c, 1, 1)
    if s == 2:
        y = m("conv.1", DWConv, y, c, k, s, act=False)
    y = m("conv.2", GhostConv, y, c2, 1, 1, act=False)
    if s == 2:
        x = m("shortcut.0", DWConv, x, c1, k, s, act=False)
        x = m("shortcut.1", Conv, x, c2, 1, 1, act=False)
    return m.put("add", y, x)


@kind(widens=True, repeats=True)
def BottleneckCSP(
    m: Model, x: Tensor, c2: Count, n: Count = 1, shortcut: Flag = True, g: Count = 1, e: Number = 0.5
) -> Tensor:
    c = inner(m, c2, e)
    y = m("cv1", Conv, x, c, 1, 1)
    for i in range(n):
        y = m(f"m.{i}", Bottleneck, y, c, shortcut, g, e=1.0)
    y = m.put("conv", y, channels=c, kernel=1, bias=False, name="cv3")
    z = m.put("conv", x, channels=c, kernel=1, bias=False, name="cv2")
    return m("cv4", Conv, activated(m, norm(m, cat(m, y, z)), SILU), c2, 1, 1)


@kind(widens=True, repeats=True)
def C1(m: Model, x: Tensor, c2: Count, n: Count = 1) -> Tensor:
    x = m("cv1", Conv, x, c2, 1, 1)
    y = x
    for i in range(n):
        y = m(f"m.{i}", Conv, y, c2, 3)
    return m.put("add", y, x)


@kind(widens=True, repeats=True)
def C2(
    m: Model, x: Tensor, c2: Count, n: Count = 1, shortcut: Flag = True, g: Count = 1, e: Number = 0.5
) -> Tensor:
    c = inner(m, c2, e)
    a, b = half(m, m("cv1", Conv, x, 2 * c, 1, 1))
    for i in range(n):
        a = m(f"m.{i}", Bottleneck, a, c, shortcut, g, (3, 3), 1.0)
    return m("cv2", Conv, cat(m, a, b), c2, 1)


def split(m: Model, x: Tensor, c2: int, n: int, e: float, each: Any) -> Tensor:
    """Half of the channels, and what each of several blocks in turn makes of the other half."""
    c = inner(m, c2, e)
    y = [*half(m, m("cv1", Conv, x, 2 * c, 1, 1))]
    for i in range(n):
        y.append(each(f"m.{i}", y[-1], c))
    return m("cv2", Conv, cat(m, *y), c2, 1)


@kind(widens=True, repeats=True)
def C2f(
    m: Model, x: Tensor, c2: Count, n: Count = 1, shortcut: Flag = False, g: Count = 1, e: Number = 0.5
) -> Tensor:
    def each(name: str, y: Tensor, c: int) -> Any:
        return m(name, Bottleneck, y, c, shortcut, g, (3, 3), 1.0)

    return split(m, x, c2, n, e, each)


@kind(widens=True, repeats=True)
def C3k2(
    m: Model, x: Tensor, c2: Count, n: Count = 1, c3k: Flag = False, e: Number = 0.5, attn: Flag = False,
    g: Count = 1, shortcut: Flag = True,
) -> Tensor:  # fmt: skip
    m.legacy = False

    def each(name: str, y: Tensor, c: int) -> Any:
        if attn:
            y = m(f"{name}.0", Bottleneck, y, c, shortcut, g)
            return m(f"{name}.1", PSABlock, y, 0.5, max(c // 64, 1))
        if c3k:
            return m(name, C3k, y, c, 2, shortcut, g)
        return m(name, Bottleneck, y, c, shortcut, g)

    return split(m, x, c2, n, e, each)


@kind(widens=True, repeats=True)
def C2fCIB(
    m: Model, x: Tensor, c2: Count, n: Count = 1, shortcut: Flag = False, lk: Flag = False, g: Count = 1,
    e: Number = 0.5,
) -> Tensor:  # fmt: skip
    m.legacy = False

    def each(name: str, y: Tensor, c: int) -> Any:
        return m(name, CIB, y, c, shortcut, 1.0, lk)

    return split(m, x, c2, n, e, each)


def csp(m: Model, x: Tensor, c2: int, n: int, e: float, each: Any) -> Tensor:
    """Several blocks in turn beside one convolution."""
    c = inner(m, c2, e)
    y = m("cv1", Conv, x, c, 1, 1)
    for i in range(n):
        y = each(f"m.{i}", y, c)
    return m("cv3", Conv, cat(m, y, m("cv2", Conv, x, c, 1, 1)), c2, 1)


@kind(widens=True, repeats=True)
def C3(
    m: Model, x: Tensor, c2: Count, n: Count = 1, shortcut: Flag = True, g: Count = 1, e: Number = 0.5
) -> Tensor:
    return csp(m, x, c2, n, e, lambda name, y, c: m(name, Bottleneck, y, c, shortcut, g, (1, 3), 1.0))


@kind(widens=True, repeats=True)
def C3x(
    m: Model, x: Tensor, c2: Count, n: Count = 1, shortcut: Flag = True, g: Count = 1, e: Number = 0.5
) -> Tensor:
    kernels = ((1, 3), (3, 1))
    return csp(m, x, c2, n, e, lambda name, y, c: m(name, Bottleneck, y, c, shortcut, g, kernels, 1.0))


@kind()
def C3k(
    m: Model, x: Tensor, c2: Count, n: Count = 1, shortcut: Flag = True, g: Count = 1, e: Number = 0.5,
    k: Count = 3,
) -> Tensor:  # fmt: skip
    return csp(m, x, c2, n, e, lambda name, y, c: m(name, Bottleneck, y, c, shortcut, g, (k, k), 1.0))


@kind(widens=True, repeats=True)
def C3Ghost(
    m: Model, x: Tensor, c2: Count, n: Count = 1, shortcut: Flag = True, g: Count = 1, e: Number = 0.5
) -> Tensor:
    return csp(m, x, c2, n, e, lambda name, y, c: m(name, GhostBottleneck, y, c))


@kind()
def C3f(
    m: Model, x: Tensor, c2: Count, n: Count = 1, shortcut: Flag = False, g: Count = 1, e: Number = 0.5
) -> Tensor:
    c = inner(m, c2, e)
    y = [m("cv2", Conv, x, c, 1, 1), m("cv1", Conv, x, c, 1, 1)]
    for i in range(n):
        y.append(m(f"m.{i}", Bottleneck, y[-1], c, shortcut, g, (3, 3), 1.0))
    return m("cv3", Conv, cat(m, *y), c2, 1)


@kind(widens=True, repeats=True)
def RepC3(m: Model, x: Tensor, c2: Count, n: Count = 3, e: Number = 1.0) -> Tensor:
    c = inner(m, c2, e)
    y = m("cv1", Conv, x, c, 1, 1)
    for i in range(n):
        y = m(f"m.{i}", RepConv, y, c)
    y = m.put("add", y, m("cv2", Conv, x, c, 1, 1))
    return m("cv3", Conv, y, c2, 1, 1) if c != c2 else y


@kind(widens=True)
def RepNCSPELAN4(m: Model, x: Tensor, c2: Count, c3: Count, c4: Count, n: Count = 1) -> Tensor:
    y = [*half(m, m("cv1", Conv, x, c3, 1, 1))]
    for name in ("cv2", "cv3"):
        z = m(f"{name}.0", RepCSP, y[-1], c4, n)
        y.append(m(f"{name}.1", Conv, z, c4, 3, 1))
    return m("cv4", Conv, cat(m, *y), c2, 1, 1)


def RepCSP(m: Model, x: Tensor, c2: int, n: int) -> Tensor:
    return csp(m, x, c2, n, 0.5, lambda name, y, c: m(name, RepBottleneck, y, c))


def RepBottleneck(m: Model, x: Tensor, c2: int) -> Tensor:
    return Bottleneck(m, x, c2, e=1.0, first=RepConv)


@kind(widens=True)
def ELAN1(m: Model, x: Tensor, c2: Count, c3: Count, c4: Count) -> Tensor:
    y = [*half(m, m("cv1", Conv, x, c3, 1, 1))]
    for name in ("cv2", "cv3"):
        y.append(m(name, Conv, y[-1], c4, 3, 1))
    return m("cv4", Conv, cat(m, *y), c2, 1, 1)


def RepVGGDW(m: Model, x: Tensor) -> Tensor:
    c = x.shape.channels
    a = m("conv", Conv, x, c, 7, 1, 3, c, act=False)
    return activated(m, m.put("add", a, m("conv1", Conv, x, c, 3, 1, 1, c, act=False)), SILU)


@kind()
def CIB(m: Model, x: Tensor, c2: Count, shortcut: Flag = True, e: Number = 0.5, lk: Flag = False) -> Tensor:
    c, c1 = 2 * inner(m, c2, e), x.shape.channels
    y = m("cv1.0", Conv, x, c1, 3, g=c1)
    y = m("cv1.1", Conv, y, c, 1)
    y = m("cv1.2", RepVGGDW, y) if lk else m("cv1.2", Conv, y, c, 3, g=c)
    y = m("cv1.3", Conv, y, c2, 1)
    y = m("cv1.4", Conv, y, c2, 3, g=c2)
    return m.put("add", x, y) if shortcut and c1 == c2 else y


@kind(widens=True)
def SCDown(m: Model, x: Tensor, c2: Count, k: Size, s: Size) -> Tensor:
    return m("cv2", Conv, m("cv1", Conv, x, c2, 1, 1), c2, k, s, None, c2, act=False)


@kind(widens=True)
def AConv(m: Model, x: Tensor, c2: Count) -> Tensor:
    return m("cv1", Conv, m.put("avg_pool", x, kernel=2, stride=1), c2, 3, 2, 1)


@kind(widens=True)
def ADown(m: Model, x: Tensor, c2: Count) -> Tensor:
    a, b = half(m, m.put("avg_pool", x, kernel=2, stride=1))
    a = m("cv1", Conv, a, c2 // 2, 3, 2, 1)
    b = m("cv2", Conv, m.put("max_pool", b, kernel=3, stride=2, padding=1), c2 // 2, 1, 1, 0)
    return cat(m, a, b)


# --- pyramids of poolings ----------------------------------------------------------------------------


@kind(widens=True)
def SPP(m: Model, x: Tensor, c2: Count, k: Counts = (5, 9, 13)) -> Tensor:
    x = m("cv1", Conv, x, x.shape.channels // 2, 1, 1)
    y = [x]
    for i, size in enumerate(k):
        y.append(m.put("max_pool", x, kernel=size, stride=1, padding=size // 2, name=f"m.{i}"))
    return m("cv2", Conv, cat(m, *y), c2, 1, 1)


@kind(widens=True)
def SPPF(
    m: Model, x: Tensor, c2: Count, k: Count = 5, n: OptionalCount = None,
    shortcut: Flag = False,
) -> Tensor:  # fmt: skip
    c1 = x.shape.channels
    # rows that say no more than the kernel are older than YOLO26, whose first convolution has no activation
    y = [m("cv1", Conv, x, c1 // 2, 1, 1, act=n is None)]
    for i in range(n or 3):
        y.append(m.put("max_pool", y[-1], kernel=k, stride=1, padding=k // 2, name=f"m_{i}" if i else "m"))
    z = m("cv2", Conv, cat(m, *y), c2, 1, 1)
    return m.put("add", z, x) if shortcut and c1 == c2 else z


@kind(widens=True)
def SPPELAN(m: Model, x: Tensor, c2: Count, c3: Count, k: Count = 5) -> Tensor:
    y = [m("cv1", Conv, x, c3, 1, 1)]
    for name in ("cv2", "cv3", "cv4"):
        y.append(m.put("max_pool", y[-1], kernel=k, stride=1, padding=k // 2, name=name))
    return m("cv5", Conv, cat(m, *y), c2, 1, 1)


# --- attention -----------------------------------------------------------------------------------------


def heads_of(m: Model, qkv: Tensor, heads: int, key: int, value: int, rows: int = 1) -> tuple[Tensor, Tensor]:
    """Attention between the positions of a map that holds q, k and v of each head; and its v, as a map.

    Args:
        m: the model.
        qkv: the map, whose channels are those of q, k and v of one head after the other.
        heads: how many.
        key: channels of a head of q and k.
        value: those of one of v.
        rows: parts of the map, of as many positions each, that attend among themselves.
    """
    count, spatial = area(qkv), qkv.shape.spatial
    each = m.put("reshape", qkv, shape=(heads, 2 * key + value, count))
    ends = (0, key, 2 * key, None)
    cut = [m.put("slice", each, start=start, stop=stop, axis="height") for start, stop in pairwise(ends)]
    tokens = []
    for one, channels in zip(cut, (key, key, value), strict=True):
        shape = (heads * channels, rows, count // rows) if rows > 1 else (heads * channels, count)
        if rows > 1 and count % rows:
            raise m.error(
                f"{rows} areas cannot share {' x '.join(map(str, spatial))} = {count} positions evenly"
            )
        tokens.append(m.put("channels_last", m.put("reshape", one, shape=shape)))
    y = m.put("channels_first", m.put("attention", *tokens, heads=heads))
    y = m.put("reshape", y, shape=(heads * value, *spatial))
    return y, m.put("reshape", cut[2], shape=(heads * value, *spatial))


def Attention(m: Model, x: Tensor, heads: int, ratio: float) -> Tensor:
    c = x.shape.channels
    value = c // heads
    key = inner(m, value, ratio)
    if value * heads != c:
        raise m.error(f"{heads} heads cannot share {c} channels evenly")
    qkv = m("qkv", Conv, x, c + 2 * key * heads, 1, act=False)
    y, v = heads_of(m, qkv, heads, key, value)
    return m("proj", Conv, m.put("add", y, m("pe", Conv, v, c, 3, 1, g=c, act=False)), c, 1, act=False)


@kind()
def PSABlock(m: Model, x: Tensor, ratio: Number = 0.5, heads: Count = 4, shortcut: Flag = True) -> Tensor:
    c = x.shape.channels
    y = m("attn", Attention, x, heads, ratio)
    x = m.put("add", x, y) if shortcut else y
    y = m("ffn.1", Conv, m("ffn.0", Conv, x, 2 * c, 1), c, 1, act=False)
    return m.put("add", x, y) if shortcut else y


def _same(m: Model, x: Tensor, c2: int, called: str) -> None:
    if x.shape.channels != c2:
        raise m.error(
            f"{called} gives as many channels as it reads, and {c2} of {x.shape.channels} are asked for"
        )


@kind(widens=True)
def PSA(m: Model, x: Tensor, c2: Count, e: Number = 0.5) -> Tensor:
    _same(m, x, c2, "PSA")
    c = inner(m, c2, e)
    a, b = half(m, m("cv1", Conv, x, 2 * c, 1, 1))
    b = PSABlock(m, b, 0.5, max(c // 64, 1))
    return m("cv2", Conv, cat(m, a, b), c2, 1)


@kind(widens=True, repeats=True)
def C2PSA(m: Model, x: Tensor, c2: Count, n: Count = 1, e: Number = 0.5) -> Tensor:
    _same(m, x, c2, "C2PSA")
    c = inner(m, c2, e)
    a, b = half(m, m("cv1", Conv, x, 2 * c, 1, 1))
    for i in range(n):
        b = m(f"m.{i}", PSABlock, b, 0.5, max(c // 64, 1))
    return m("cv2", Conv, cat(m, a, b), c2, 1)


@kind(widens=True, repeats=True)
def C2fPSA(m: Model, x: Tensor, c2: Count, n: Count = 1, e: Number = 0.5) -> Tensor:
    _same(m, x, c2, "C2fPSA")
    return split(m, x, c2, n, e, lambda name, y, c: m(name, PSABlock, y, 0.5, max(c // 64, 1)))


def AAttn(m: Model, x: Tensor, heads: int, rows: int) -> Tensor:
    c = x.shape.channels
    qkv = m("qkv", Conv, x, 3 * c, 1, act=False)
    y, v = heads_of(m, qkv, heads, c // heads, c // heads, rows)
    y = m.put("add", y, m("pe", Conv, v, c, 7, 1, 3, c, act=False))
    return m("proj", Conv, y, c, 1, act=False)


def ABlock(m: Model, x: Tensor, heads: int, ratio: float, rows: int) -> Tensor:
    c = x.shape.channels
    x = m.put("add", x, m("attn", AAttn, x, heads, rows))
    y = m("mlp.0", Conv, x, inner(m, c, ratio), 1)
    return m.put("add", x, m("mlp.1", Conv, y, c, 1, act=False))


@kind(widens=True, repeats=True)
def A2C2f(
    m: Model, x: Tensor, c2: Count, n: Count = 1, a2: Flag = True, area: Position = 1, residual: Flag = False,
    mlp_ratio: Number = 2.0, e: Number = 0.5, g: Count = 1, shortcut: Flag = True,
) -> Tensor:  # fmt: skip
    m.legacy = False
    c = inner(m, c2, e)
    if c % 32:
        raise m.error(f"A2C2f has heads of 32 channels, and {c2} x {e} = {c} is not a multiple of that")
    y = [m("cv1", Conv, x, c, 1, 1)]
    for i in range(n):
        if a2:
            z = y[-1]
            for j in range(2):
                z = m(f"m.{i}.{j}", ABlock, z, c // 32, mlp_ratio, max(area, 1))
        else:
            z = m(f"m.{i}", C3k, y[-1], c, 2, shortcut, g)
        y.append(z)
    z = m("cv2", Conv, cat(m, *y), c2, 1)
    if a2 and residual:
        _same(m, x, c2, "A2C2f with a residual")
        scaled = m.put("layer_scale", z, initial=0.01, name="gamma")
        return m.put("add", x, scaled)
    return z


@kind()
def ChannelAttention(m: Model, x: Tensor, c: Count) -> Tensor:
    y = m.put("global_avg_pool", x, name="pool")
    y = m.put("conv", y, channels=c, kernel=1, name="fc")
    return m.put("multiply", x, m.put("sigmoid", y, name="act"))


@kind()
def SpatialAttention(m: Model, x: Tensor, k: Count = 7) -> Tensor:
    if k not in (3, 7):
        raise m.error(f"SpatialAttention is for kernels of 3 and 7, not of {k}")
    whole = Shape((1, *x.shape.spatial))
    means = [m.unknown(f"channel_{one}", whole, x, pointwise=True) for one in ("mean", "max")]
    y = m.put("conv", cat(m, *means), channels=1, kernel=k, padding=k // 2, bias=False, name="cv1")
    return m.put("multiply", x, m.put("sigmoid", y, name="act"))


@kind()
def CBAM(m: Model, x: Tensor, c: Count, k: Count = 7) -> Tensor:
    y = m("channel_attention", ChannelAttention, x, c)
    return m("spatial_attention", SpatialAttention, y, k)


# --- ResNet and HGNet ------------------------------------------------------------------------------------


def ResNetBlock(m: Model, x: Tensor, c: int, s: int, e: int) -> Tensor:
    y = m("cv2", Conv, m("cv1", Conv, x, c, 1), c, 3, s, 1)
    y = m("cv3", Conv, y, e * c, 1, act=False)
    if s != 1 or x.shape.channels != e * c:
        x = m("shortcut.0", Conv, x, e * c, 1, s, act=False)
    return m.put("relu", m.put("add", y, x))


@kind()
def ResNetLayer(
    m: Model,
    x: Tensor,
    c1: Count,
    c2: Count,
    s: Count = 1,
    is_first: Flag = False,
    n: Count = 1,
    e: Count = 4,
) -> Tensor:
    _reads(m, x, c1, "ResNetLayer")
    if is_first:
        x = m("layer.0", Conv, x, c2, 7, 2, 3)
        return m.put("max_pool", x, kernel=3, stride=2, padding=1, name="layer.1")
    for i in range(n):
        x = m(f"layer.{i}", ResNetBlock, x, c2, 1 if i else s, e)
    return x


def _reads(m: Model, x: Tensor, c1: int, called: str) -> None:
    if x.shape.channels != c1:
        raise m.error(f"{called} is made for {c1} channels, and reads {x.shape}")


@kind()
def HGStem(m: Model, x: Tensor, cm: Count, c2: Count) -> Tensor:
    def beyond(y: Tensor) -> Tensor:
        return m.put("pad", y, padding=((0, 1), (0, 1)))

    x = beyond(m("stem1", Conv, x, cm, 3, 2, act=RELU))
    y = beyond(m("stem2a", Conv, x, cm // 2, 2, 1, 0, act=RELU))
    y = m("stem2b", Conv, y, cm, 2, 1, 0, act=RELU)
    z = m.put("max_pool", x, kernel=2, stride=1, ceil_mode=True, name="pool")
    return m("stem4", Conv, m("stem3", Conv, cat(m, z, y), cm, 3, 2, act=RELU), c2, 1, 1, act=RELU)


@kind()
def HGBlock(
    m: Model, x: Tensor, cm: Count, c2: Count, k: Count, n: Count = 6, lightconv: Flag = False,
    shortcut: Flag = False, act: Act = RELU,
) -> Tensor:  # fmt: skip
    y = [x]
    for i in range(n):
        y.append(m(f"m.{i}", LightConv if lightconv else Conv, y[-1], cm, k, act=act))
    z = m("sc", Conv, cat(m, *y), c2 // 2, 1, 1, act=act)
    z = m("ec", Conv, z, c2, 1, 1, act=act)
    return m.put("add", z, x) if shortcut and x.shape.channels == c2 else z


# --- transformers ----------------------------------------------------------------------------------------


def attends(m: Model, name: str, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Multi-head attention; torch keeps its three projections as one tensor, ``in_proj_weight``."""
    c = q.shape.channels
    if c % heads:
        raise m.error(f"{heads} heads cannot share {c} channels evenly")
    with m.net.scope(name, block="MultiheadAttention"):
        read = [m.put("linear", x, features=c, name=part) for x, part in ((q, "q"), (k, "k"), (v, "v"))]
        return m.put("linear", m.put("attention", *read, heads=heads), features=c, name="out_proj")


def pictured(m: Model, y: Tensor, spatial: Sequence[int]) -> Tensor:
    """Tokens as a map again."""
    return m.put("reshape", m.put("channels_first", y), shape=(y.shape.channels, *spatial))


def TransformerLayer(m: Model, x: Tensor, heads: int) -> Tensor:
    c = x.shape.channels
    q, k, v = (m.put("linear", x, features=c, bias=False, name=name) for name in ("q", "k", "v"))
    x = m.put("add", attends(m, "ma", q, k, v, heads), x)
    y = m.put("linear", x, features=c, bias=False, name="fc1")
    return m.put("add", m.put("linear", y, features=c, bias=False, name="fc2"), x)


def TransformerBlock(m: Model, x: Tensor, c2: int, heads: int, layers: int) -> Tensor:
    if x.shape.channels != c2:
        x = m("conv", Conv, x, c2)
    p = m.put("tokens", x)
    y = m.put("add", p, m.put("linear", p, features=c2, name="linear"))
    for i in range(layers):
        y = m(f"tr.{i}", TransformerLayer, y, heads)
    return pictured(m, y, x.shape.spatial)


@kind(widens=True, repeats=True)
def C3TR(
    m: Model, x: Tensor, c2: Count, n: Count = 1, shortcut: Flag = True, g: Count = 1, e: Number = 0.5
) -> Tensor:
    return csp(m, x, c2, 1, e, lambda name, y, c: m("m", TransformerBlock, y, c, 4, n))


@kind()
def AIFI(
    m: Model, x: Tensor, cm: Count = 2048, heads: Count = 8, dropout: Number = 0.0, act: Act = ("gelu", {}),
    first: Flag = False,
) -> Tensor:  # fmt: skip
    """A layer of a transformer's encoder on the positions of a map; sines of theirs are added to q and k."""
    c, spatial = x.shape.channels, x.shape.spatial
    if c % 4:
        raise m.error(f"AIFI adds sines of positions, for which {c} channels must be a multiple of 4")

    def normed(y: Tensor, name: str) -> Tensor:
        return m.put("layer_norm", y, name=name)

    x = m.put("tokens", x)
    y = normed(x, "norm1") if first else x
    placed = m.unknown("add_positions", y.shape, y, pointwise=True)
    x = m.put("add", x, attends(m, "ma", placed, placed, y, heads))
    x = x if first else normed(x, "norm1")
    y = m.put("linear", normed(x, "norm2") if first else x, features=cm, name="fc1")
    y = m.put("linear", activated(m, y, act), features=c, name="fc2")
    x = m.put("add", x, y)
    return pictured(m, x if first else normed(x, "norm2"), spatial)


# --- maps and texts ---------------------------------------------------------------------------------------


def texts_of(m: Model) -> tuple[Tensor, Tensor]:
    """The texts as they are given, and as the rows so far have made them."""
    if m.texts is None or m.seen is None:
        raise m.error("it reads texts, and the model has no such input")
    return m.texts, m.seen


def MaxSigmoidAttnBlock(m: Model, x: Tensor, heads: int, ec: int, gc: int) -> Tensor:
    """A map whose heads are weighed, at each position, by the text that is most like it."""
    c, text = x.shape.channels, texts_of(m)[1]
    if text.shape.channels != gc:
        raise m.error(f"its texts have {gc} features, and those that it is given {text.shape.channels}")
    guide = m.put("linear", text, features=ec, name="gl")
    y = m("ec", Conv, x, ec, act=False) if c != ec else x
    weights = m.unknown(
        "likeness", Shape((heads, *x.shape.spatial)), y, guide, macs=area(x) * ec * text.shape[0],
        why="the best match of a position among texts is not an op", weights={"bias": (heads,)}, owner="",
    )  # fmt: skip
    x = m("proj_conv", Conv, x, c, 3, 1, act=False)
    return m.unknown("weighed_heads", x.shape, x, weights, pointwise=True)


@kind(widens=True, repeats=True)
def C2fAttn(
    m: Model, x: Tensor, c2: Count, n: Count = 1, ec: Count = 128, nh: Count = 1, gc: Count = 512,
    shortcut: Flag = False, g: Count = 1, e: Number = 0.5,
) -> Tensor:  # fmt: skip
    c = inner(m, c2, e)
    if c % nh:
        raise m.error(f"{nh} heads cannot share {c2} x {e} = {c} channels evenly")
    y = [*half(m, m("cv1", Conv, x, 2 * c, 1, 1))]
    for i in range(n):
        y.append(m(f"m.{i}", Bottleneck, y[-1], c, shortcut, g, (3, 3), 1.0))
    y.append(m("attn", MaxSigmoidAttnBlock, y[-1], nh, ec, gc))
    return m("cv2", Conv, cat(m, *y), c2, 1)


@kind(several=True)
def ImagePoolingAttn(
    m: Model, xs: tuple[Tensor, ...], ec: Count = 256, ct: Count = 512, nh: Count = 8, k: Count = 3
) -> tuple[Tensor, ...]:
    """The texts, with what they find in a few positions of each map; the maps stay."""
    text, rows = texts_of(m)[1], []
    for i, x in enumerate(xs):
        y = m.put("conv", x, channels=ec, kernel=1, name=f"projections.{i}")
        y = m.put("adaptive_max_pool", y, size=k, name=f"im_pools.{i}")
        rows.append(m.put("reshape", y, shape=(ec, k * k)))
    seen = m.put("channels_last", in_a_row(m, *rows))

    def projected(y: Tensor, name: str) -> Tensor:
        return m.put("linear", m.put("layer_norm", y, name=f"{name}.0"), features=ec, name=f"{name}.1")

    found = [projected(text, "query"), projected(seen, "key"), projected(seen, "value")]
    y = m.put("linear", m.put("attention", *found, heads=nh), features=ct, name="proj")
    m.seen = m.put("add", y, text)
    return xs


# --- maps at several places ------------------------------------------------------------------------------


@kind(leaf=True, several=True)
def Concat(m: Model, name: str, x: tuple[Tensor, ...], d: Channels = 1) -> Tensor:
    return m.put("concat", *x, name=name) if len(x) > 1 else x[0]


@kind()
def CBLinear(m: Model, x: Tensor, c2s: Counts, k: Size = 1, s: Size = 1, p: Pad = None, g: Count = 1) -> Flow:
    """One convolution, cut into several maps."""
    y = m.put("conv", x, channels=sum(c2s), kernel=k, stride=s, padding=autopad(k, p), groups=g, name="conv")
    return parts(m, y, *[*accumulate(c2s)][:-1]) if len(c2s) > 1 else (y,)


@kind(several=True)
def CBFuse(m: Model, x: tuple[Flow, ...], idx: Indexes) -> Tensor:
    """One of the maps of each row but the last, made as large as that and added to it."""
    *first, last = x
    if isinstance(last, tuple):
        raise m.error("CBFuse adds to the last map that it reads, and reads a list there")
    if len(idx) < len(first):
        raise m.error(f"CBFuse reads {len(first)} lists, and says which map of {len(idx)}")
    maps = []
    for i, (index, lists) in enumerate(zip(idx, first, strict=False)):
        if not isinstance(lists, tuple) or not 0 <= index < len(lists):
            held = f"{len(lists)} maps" if isinstance(lists, tuple) else "one map, and no list"
            raise m.error(f"CBFuse takes map {index} of list {i} that it reads, which is {held}")
        maps.append(m.put("upsample", lists[index], size=last.shape.spatial))
    return m.put("add", *maps, last) if maps else last


@kind(leaf=True)
def Index(m: Model, name: str, x: Flow, c2: Count, index: Position = 0) -> Tensor:
    del name
    if not isinstance(x, tuple) or not -len(x) <= index < len(x):
        held = f"{len(x)} maps" if isinstance(x, tuple) else "one map, and no list"
        raise m.error(f"Index takes map {index} of what it reads, which is {held}")
    if x[index].shape.channels != c2:
        raise m.error(f"Index says that it gives {c2} channels, and map {index} is {x[index].shape}")
    return x[index]
