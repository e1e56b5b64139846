"""The heads: what is found at each level, and, at inference, one list of it."""

from typing import Annotated, Any

from ...elaboration.values import Tensor
from ...ops.attributes import Count, Kind, Size
from ...shape import Shape, channels_last
from .blocks import Conv, DWConv, Pad
from .placement import Model, area, cat, kind

Keypoints = Annotated[
    tuple[int, int],
    Kind(
        "how many points, and 2 or 3 numbers of each, as in [17, 3]",
        lambda value: (
            value
            if isinstance(value, tuple)
            and len(value) == 2
            and type(value[0]) is int
            and value[0] > 0
            and value[1] in (2, 3)
            else None
        ),
    ),
]
Levels = tuple[Tensor, ...]

_JOINED = "the positions of several maps stand in one row; --set decode=false leaves the maps as they are"
_DECODED = "how boxes follow from distances is no op here; --set decode=false leaves the maps as they are"


def three(m: Model, x: Tensor, name: str, c: int, out: int) -> Tensor:
    """Two convolutions and a last one that gives what is asked for."""
    x = m(f"{name}.1", Conv, m(f"{name}.0", Conv, x, c, 3), c, 3)
    return m.put("conv", x, channels=out, kernel=1, name=f"{name}.2")


def light(m: Model, x: Tensor, name: str, c: int, out: int) -> Tensor:
    """The same in depthwise and pointwise convolutions."""
    for i in range(2):
        x = m(f"{name}.{i}.1", Conv, m(f"{name}.{i}.0", DWConv, x, x.shape.channels, 3), c, 1)
    return m.put("conv", x, channels=out, kernel=1, name=f"{name}.2")


def joined(m: Model, maps: list[Tensor]) -> Tensor:
    """The positions of all maps in one row."""
    rows = [m.put("reshape", x, shape=(x.shape.channels, area(x))) for x in maps]
    if len(rows) == 1:
        return rows[0]
    length = sum(map(area, maps))
    return m.unknown("cat", Shape((rows[0].shape.channels, length)), *rows, why=_JOINED)


def boxes_of(m: Model, rows: Tensor, sides: int = 4, name: str = "boxes", *beside: Tensor) -> Tensor:
    """Boxes of what is found for their four sides: each a distribution over ``reg_max`` distances."""
    count = rows.shape[1]
    if m.reg_max > 1:
        with m.net.scope("dfl", block="DFL"):
            each = m.put("reshape", rows, shape=(4, m.reg_max, count))
            turned = m.unknown("swap", Shape((m.reg_max, 4, count)), each, why=_DECODED)
            mean = m.put("conv", m.put("softmax", turned), channels=1, kernel=1, bias=False, name="conv")
            rows = m.put("reshape", mean, shape=(4, count))
    return m.unknown(name, Shape((sides, count)), rows, *beside, why=_DECODED, pointwise=True)


class Branch:
    """What a head finds at each level beside others: boxes, classes, masks, angles or points."""

    def __init__(self, called: str, place: Any) -> None:
        self.called = called
        #: Places it for a level; the prefix is that of a second head.
        self.place = place


def _found(m: Model, xs: Levels, prefix: str, branches: list[Branch]) -> list[list[Tensor]]:
    """Of each branch what it finds at each level."""
    return [[branch.place(x, f"{prefix}{branch.called}", i) for i, x in enumerate(xs)] for branch in branches]


def detects(m: Model, xs: Levels, nc: int, further: list[Branch], finish: Any = None, **how: Any) -> Tensor:
    """A head: boxes and classes at each level, and what else it finds there.

    Args:
        m: the model.
        xs: the maps that it reads.
        nc: how many classes.
        further: branches beside those of boxes and classes.
        finish: makes what such branches found into what it gives; without, it stays as it is.
        how: ``classes`` places the branch of classes in another way.
    """
    first = xs[0].shape.channels
    c2, c3 = max(16, first // 4, 4 * m.reg_max), max(first, min(nc, 100))
    classify = how.get("classes") or (three if m.legacy else light)
    branches = [
        Branch("cv2", lambda x, name, i: three(m, x, f"{name}.{i}", c2, 4 * m.reg_max)),
        Branch("cv3", lambda x, name, i: classify(m, x, f"{name}.{i}", c3, nc)),
        *further,
    ]
    end2end = how.get("end2end", m.end2end)
    if end2end:
        trained = _trained(m, xs, branches)
        if trained is not None:
            m.heads["one2many"] = trained
    found = _found(m, xs, "one2one_" if end2end else "", branches)
    if not m.decode:
        return _levels(m, found)
    boxes, scores, *rest = (joined(m, maps) for maps in found)
    extra = finish(*rest) if finish else rest
    side = how.get("boxes") or (lambda rows: boxes_of(m, rows))
    y = cat(m, side(boxes) if not how.get("rotated") else how["rotated"](boxes, *extra),
            m.put("sigmoid", scores), *extra)  # fmt: skip
    if not end2end:
        return y
    # the 300 best, each with its score and class
    count = min(300, y.shape[1])
    shape = channels_last((count,), 6 + y.shape.channels - 4 - nc)
    return m.unknown("best", shape, y, why="the 300 best are taken; --set decode=false leaves all")


def _trained(m: Model, xs: Levels, branches: list[Branch]) -> Tensor | None:
    """The head that finds several boxes for a thing, with which such models are trained beside the other."""
    before, m.net.training = m.net.training, True
    try:
        found = _found(m, xs, "", branches)
        return cat(m, *(joined(m, maps) for maps in found))
    finally:
        m.net.training = before


def _levels(m: Model, found: list[list[Tensor]]) -> Tensor:
    """What is found at each level as one map; those behind the first are outputs of their own."""
    first, *others = (cat(m, *maps) for maps in zip(*found, strict=True))
    for i, one in enumerate(others, 1):
        m.heads[f"level_{i}"] = one
    return first


@kind(several=True)
def Detect(m: Model, xs: Levels, nc: Count) -> Tensor:
    return detects(m, xs, nc, [])


@kind(several=True)
def v10Detect(m: Model, xs: Levels, nc: Count) -> Tensor:
    return detects(m, xs, nc, [], classes=light, end2end=True)


def _branch(m: Model, c: int, out: int, name: str = "cv4") -> Branch:
    return Branch(name, lambda x, name, i: three(m, x, f"{name}.{i}", c, out))


def Proto(m: Model, x: Tensor, c: int, out: int) -> Tensor:
    x = m("cv1", Conv, x, c, 3)
    x = m.put("conv_transpose", x, channels=c, kernel=2, stride=2, name="upsample")
    return m("cv3", Conv, m("cv2", Conv, x, c, 3), out)


@kind(several=True)
def Segment(m: Model, xs: Levels, nc: Count, nm: Count, npr: Count) -> Tensor:
    y = detects(m, xs, nc, [_branch(m, max(xs[0].shape.channels // 4, nm), nm)])
    m.heads["proto"] = m("proto", Proto, xs[0], npr, nm)
    return y


@kind(several=True)
def OBB(m: Model, xs: Levels, nc: Count, ne: Count) -> Tensor:
    def angles(found: Tensor) -> list[Tensor]:
        return [m.unknown("angle", found.shape, found, pointwise=True, why=_DECODED)]

    further = [_branch(m, max(xs[0].shape.channels // 4, ne), ne)]

    def rotated(rows: Tensor, angle: Tensor) -> Tensor:
        return boxes_of(m, rows, 4, "rotated_boxes", angle)

    return detects(m, xs, nc, further, angles, rotated=rotated)


@kind(several=True)
def Pose(m: Model, xs: Levels, nc: Count, kpt_shape: Keypoints) -> Tensor:
    points = kpt_shape[0] * kpt_shape[1]

    def finish(found: Tensor) -> list[Tensor]:
        return [m.unknown("keypoints", found.shape, found, pointwise=True, why=_DECODED)]

    return detects(m, xs, nc, [_branch(m, max(xs[0].shape.channels // 4, points), points)], finish)


@kind()
def Classify(
    m: Model, x: Tensor | Levels, c2: Count, k: Size = 1, s: Size = 1, p: Pad = None, g: Count = 1
) -> Tensor:
    x = cat(m, *x) if isinstance(x, tuple) else x
    x = m.put("global_avg_pool", m("conv", Conv, x, 1280, k, s, p, g), name="pool")
    x = m.put("dropout", m.put("flatten", x), p=0.0, name="drop")
    return m.put("softmax", m.put("linear", x, features=c2, name="linear"))
