"""The heads: what is found at each level, and, at inference, one list of it."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

from ...elaboration.values import Tensor
from ...ops.attributes import DEFAULT, Count, Flag, Kind, Size, whole
from ...ops.linear import Linear
from ...ops.op import Buffer
from ...shape import Shape, channels_last
from .blocks import Conv, DWConv, Pad, attends, norm, texts_of
from .placement import Model, area, cat, half, in_a_row, kind

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
#: How many boxes stand at each place of a level, or their sizes in pairs.
Anchors = Annotated[
    Any, Kind("a number, or a list of sizes in pairs for each level", lambda value: _anchors(value))
]
Levels = tuple[Tensor, ...]

#: How a network is had without what is no op here.
_RAW = "--set decode=false leaves what is found at each level as it is"


def _anchors(value: Any) -> Any:
    if value is None:
        return DEFAULT
    if isinstance(value, tuple) and value and all(isinstance(one, tuple) and len(one) > 1 for one in value):
        return value
    return whole(value, 1)


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
    return in_a_row(m, *rows)


def boxes_of(m: Model, rows: Tensor, sides: int = 4, name: str = "boxes", *beside: Tensor) -> Tensor:
    """Boxes of what is found for their four sides: each a distribution over ``reg_max`` distances."""
    count = rows.shape[1]
    if m.reg_max > 1:
        with m.net.scope("dfl", block="DFL"):
            each = m.put("reshape", rows, shape=(4, m.reg_max, count))
            turned = m.put("rearrange", each, pattern="c h w -> h c w", channels="first")
            mean = m.put("conv", m.put("softmax", turned), channels=1, kernel=1, bias=False, name="conv")
            rows = m.put("reshape", mean, shape=(4, count))
    return m.unknown(name, Shape((sides, count)), rows, *beside, help=_RAW, pointwise=True)


class Branch(NamedTuple):
    """What a head finds at each level beside others: boxes, classes, masks, angles or points."""

    called: str
    #: Places it on a map, under a name.
    place: Callable[[Tensor, str], Tensor]


def _found(m: Model, xs: Levels, prefix: str, branches: list[Branch]) -> list[list[Tensor]]:
    """Of each branch what it finds at each level."""
    return [
        [branch.place(x, f"{prefix}{branch.called}.{i}") for i, x in enumerate(xs)] for branch in branches
    ]


def detects(
    m: Model,
    xs: Levels,
    nc: int,
    further: Sequence[Branch] = (),
    *,
    classes: Callable[[Tensor, str, int], Tensor] | None = None,
    end2end: bool | None = None,
    finish: Callable[[Tensor], Tensor] = lambda found: found,
    box: Callable[[Tensor, Sequence[Tensor]], Tensor] | None = None,
) -> Tensor:
    """A head: boxes and classes at each level, and what else it finds there.

    Args:
        m: the model.
        xs: the maps that it reads.
        nc: how many classes.
        further: branches beside those of boxes and classes.
        classes: places the branch of classes: on a map, under a name, with so many channels within.
        end2end: whether it finds one box for a thing; what the file says unless it is given.
        finish: makes what a further branch found into what is given of it.
        box: makes boxes of what was found for their sides, and of what the further branches give.
    """
    first = xs[0].shape.channels
    c2, c3 = max(16, first // 4, 4 * m.reg_max), max(first, min(nc, 100))
    classes = classes or (lambda x, name, c: (three if m.legacy else light)(m, x, name, c, nc))
    branches = [
        Branch("cv2", lambda x, name: three(m, x, name, c2, 4 * m.reg_max)),
        Branch("cv3", lambda x, name: classes(x, name, c3)),
        *further,
    ]
    end2end = m.end2end if end2end is None else end2end
    if end2end:  # such models are trained with a second head, which finds several boxes for a thing
        with m.training():
            many = _found(m, xs, "", branches)
            if m.decode:
                m.heads["one2many"] = cat(m, *(joined(m, maps) for maps in many))
            else:
                m.heads |= {f"one2many_{i}": cat(m, *maps) for i, maps in enumerate(zip(*many, strict=True))}
    found = _found(m, xs, "one2one_" if end2end else "", branches)
    if not m.decode:
        return _levels(m, found)
    boxes, scores, *rest = (joined(m, maps) for maps in found)
    rest = [finish(one) for one in rest]
    boxes = box(boxes, rest) if box else boxes_of(m, boxes)
    y = cat(m, boxes, m.put("sigmoid", scores), *rest)
    if not end2end:
        return y
    shape = channels_last((min(300, y.shape[1]),), y.shape.channels - nc + 2)  # each with its score and class
    return m.unknown("best", shape, y, why="the 300 best are taken", help=_RAW)


def _levels(m: Model, found: list[list[Tensor]]) -> Tensor:
    """What is found at each level as one map; those behind the first are outputs of their own."""
    first, *others = (cat(m, *maps) for maps in zip(*found, strict=True))
    for i, one in enumerate(others, 1):
        m.heads[f"level_{i}"] = one
    return first


@kind(several=True)
def Detect(m: Model, xs: Levels, nc: Count, anchors: Anchors = None) -> Tensor:
    return detects(m, xs, nc) if anchors is None else anchored(m, xs, nc, anchors)


def anchored(m: Model, xs: Levels, nc: int, anchors: Any) -> Tensor:
    """The head of YOLOv5's own files: at each place a box and classes for each of several anchors."""
    counts = [anchors] * len(xs) if isinstance(anchors, int) else [len(one) // 2 for one in anchors]
    if len(counts) != len(xs):
        raise m.error(f"Detect reads {len(xs)} maps, and there are anchors for {len(counts)}")
    maps = [
        m.put("conv", x, channels=counts[i] * (nc + 5), kernel=1, name=f"m.{i}") for i, x in enumerate(xs)
    ]
    if not m.decode:
        return _levels(m, [maps])
    rows = [
        m.unknown("boxes", channels_last((count * area(x),), nc + 5), x, help=_RAW)
        for count, x in zip(counts, maps, strict=True)
    ]
    return in_a_row(m, *rows)


@kind(several=True)
def v10Detect(m: Model, xs: Levels, nc: Count) -> Tensor:
    return detects(m, xs, nc, classes=lambda x, name, c: light(m, x, name, c, nc), end2end=True)


def _branch(m: Model, xs: Levels, out: int, called: str = "cv4") -> Branch:
    c = max(xs[0].shape.channels // 4, out)
    return Branch(called, lambda x, name: three(m, x, name, c, out))


def Proto(m: Model, x: Tensor, c: int, out: int) -> Tensor:
    x = m("cv1", Conv, x, c, 3)
    x = m.put("conv_transpose", x, channels=c, kernel=2, stride=2, name="upsample")
    return m("cv3", Conv, m("cv2", Conv, x, c, 3), out)


def Proto26(m: Model, xs: Levels, c: int, out: int, nc: int) -> Tensor:
    """Prototypes of all levels; in training the classes of each place, too."""
    x, *others = xs
    for i, one in enumerate(others):
        y = m(f"feat_refine.{i}", Conv, one, xs[0].shape.channels, 1)
        y = m.put("upsample", y, scale=2 ** (i + 1), name=m.free("interpolate"))
        x = m.put("add", x, y)
    with m.training():
        y = m("semseg.1", Conv, m("semseg.0", Conv, x, c, 3), c, 3)
        m.heads["semantic"] = m.put("conv", y, channels=nc, kernel=1, name="semseg.2")
    return Proto(m, m("feat_fuse", Conv, x, c, 3), c, out)


@kind(several=True)
def Segment(m: Model, xs: Levels, nc: Count, nm: Count, npr: Count) -> Tensor:
    y = detects(m, xs, nc, [_branch(m, xs, nm)])
    m.heads["proto"] = m("proto", Proto, xs[0], npr, nm)
    return y


@kind(several=True)
def Segment26(m: Model, xs: Levels, nc: Count, nm: Count, npr: Count) -> Tensor:
    y = detects(m, xs, nc, [_branch(m, xs, nm)])
    m.heads["proto"] = m("proto", Proto26, xs, npr, nm, nc)
    return y


def _rotated(m: Model, xs: Levels, nc: int, ne: int, finish: Callable[[Tensor], Tensor]) -> Tensor:
    return detects(
        m, xs, nc, [_branch(m, xs, ne)], finish=finish,
        box=lambda rows, rest: boxes_of(m, rows, 4, "rotated_boxes", *rest),
    )  # fmt: skip


@kind(several=True)
def OBB(m: Model, xs: Levels, nc: Count, ne: Count) -> Tensor:
    return _rotated(m, xs, nc, ne, lambda y: m.unknown("angles", y.shape, y, pointwise=True, help=_RAW))


@kind(several=True)
def OBB26(m: Model, xs: Levels, nc: Count, ne: Count) -> Tensor:
    return _rotated(m, xs, nc, ne, lambda y: y)


def _keypoints(m: Model, found: Tensor) -> Tensor:
    return m.unknown("keypoints", found.shape, found, pointwise=True, help=_RAW)


@kind(several=True)
def Pose(m: Model, xs: Levels, nc: Count, kpt_shape: Keypoints) -> Tensor:
    points = kpt_shape[0] * kpt_shape[1]
    return detects(m, xs, nc, [_branch(m, xs, points)], finish=lambda y: _keypoints(m, y))


@kind(several=True)
def Pose26(m: Model, xs: Levels, nc: Count, kpt_shape: Keypoints) -> Tensor:
    points, axes = kpt_shape
    c = max(xs[0].shape.channels // 4, points * (axes + 2))
    spread: list[Tensor] = []

    def found(x: Tensor, name: str) -> Tensor:
        head, level = name.rsplit(".", 1)
        y = m(f"{name}.1", Conv, m(f"{name}.0", Conv, x, c, 3), c, 3)
        with m.training():
            sigma = m.put("conv", y, channels=2 * points, kernel=1, name=f"{head}_sigma.{level}")
            spread.append(sigma)
        return m.put("conv", y, channels=points * axes, kernel=1, name=f"{head}_kpts.{level}")

    y = detects(m, xs, nc, [Branch("cv4", found)], finish=lambda y: _keypoints(m, y))
    with m.training():
        sides = {"s": 6, "t": 6}
        sizes = ((2, 64), (64, 64), (64, 2))
        weights = {
            f"{net}.{i}.{2 * j}.{part}": (c2, c1) if part == "weight" else (c2,)
            for net, count in sides.items()
            for i in range(count)
            for j, (c1, c2) in enumerate(sizes)
            for part in ("weight", "bias")
        }
        buffers = {"loc": Buffer((2,)), "cov": Buffer((2, 2)), "mask": Buffer((6, 2))}
        last = spread[-1]
        m.heads["likelihood"] = m.unknown(
            "likelihood", Shape((points, *last.shape.spatial)), last, owner="flow_model",
            weights=weights, buffers=buffers, why="the flow serves the loss alone",
        )  # fmt: skip
    return y


@kind(several=True)
def SemanticSegment(m: Model, xs: Levels, nc: Count) -> Tensor:
    c = xs[0].shape.channels

    def classified(x: Tensor, name: str) -> Tensor:
        return m.put("conv", m(f"{name}.0", Conv, x, c, 3), channels=nc, kernel=1, name=f"{name}.1")

    if len(xs) > 1:
        with m.training():
            m.heads["aux"] = classified(xs[1], "aux_head")
    return classified(xs[0], "classifier")


@kind(several=True)
def Depth(m: Model, xs: Levels, c: Count) -> Tensor:
    y, *finer = (m(f"proj.{i}", Conv, x, c, 1) for i, x in reversed([*enumerate(xs)]))
    for i, one in reversed([*enumerate(reversed(finer))]):
        y = m.put("upsample", y, scale=2, mode="bilinear", align_corners=True)
        y = m.put("add", y, one)
        y = m(f"refine.{i}.1", Conv, m(f"refine.{i}.0", Conv, y, c, 3), c, 3)
    y = m("head.0", Conv, y, c // 2, 3)
    y = m.put("conv_transpose", y, channels=c // 2, kernel=2, stride=2, name="head.1")
    y = m("head.2", Conv, y, c // 4, 3)
    y = m.put("conv", y, channels=1, kernel=1, name="head.3")
    if not m.decode:
        return y
    return m.unknown(
        "depth", y.shape, y, pointwise=True, help=_RAW, owner="",
        buffers={"cal_a": Buffer((1,)), "cal_b": Buffer((1,))},
    )  # fmt: skip


# --- heads that read texts -----------------------------------------------------------------------------


def contrasted(m: Model, x: Tensor, text: Tensor, nc: int, normed: bool) -> Tensor:
    """How much each position is like each text."""
    count, width = text.shape
    if count != nc:
        raise m.error(f"it finds {nc} classes, and reads {count} texts", help=f"--input text=512x{nc}")
    if width != x.shape.channels:
        raise m.error(f"its maps have {x.shape.channels} features, and the texts {width}")
    if normed:
        x = norm(m, x, "norm")
    return m.unknown(
        "likeness", Shape((nc, *x.shape.spatial)), x, text, macs=area(x) * width * nc, owner="",
        why="likeness of positions and texts is not an op here",
        weights={"bias": (1,), "logit_scale": ()},
    )  # fmt: skip


@kind(several=True)
def WorldDetect(m: Model, xs: Levels, nc: Count, embed: Count, with_bn: Flag) -> Tensor:
    text = texts_of(m)[0]

    def classes(x: Tensor, name: str, c: int) -> Tensor:
        return m(name.replace("cv3", "cv4"), contrasted, three(m, x, name, c, embed), text, nc, with_bn)

    return detects(m, xs, nc, classes=classes)


def prompted(m: Model, xs: Levels, nc: int, embed: int, further: Sequence[Branch] = ()) -> Tensor:
    """A head that finds what texts say; what pictures would say beside them is not run."""
    given = texts_of(m)[0]
    with m.net.scope("reprta.m", block="SwiGLUFFN"):
        both = m.put("linear", given, features=4 * embed, name="w12")
        a, b = half(m, both)
        y = m.put("linear", m.put("multiply", m.put("silu", a), b), features=embed, name="w3")
    text = m.unknown("normalized", y.shape, m.put("add", given, y), pointwise=True)
    c3 = max(xs[0].shape.channels, min(nc, 100))
    with m.training():
        weights, buffers, macs = _savpe(xs, c3, embed)
        m.heads["prompt"] = m.unknown(
            "prompt", channels_last((1,), embed), *xs, owner="savpe", weights=weights, buffers=buffers,
            macs=macs, why="what a picture shows as an example",
        )  # fmt: skip

    def classes(x: Tensor, name: str, c: int) -> Tensor:
        y = (three if m.legacy else light)(m, x, name, c, embed)
        return m(name.replace("cv3", "cv4"), contrasted, y, text, nc, True)

    return detects(m, xs, nc, further, classes=classes)


def _savpe(xs: Levels, c: int, embed: int) -> tuple[dict[str, tuple[int, ...]], dict[str, Buffer], int]:
    """The tensors of what reads one example from a picture, and its multiply-accumulates."""
    weights: dict[str, tuple[int, ...]] = {}
    buffers: dict[str, Buffer] = {}
    macs = 0

    def normed(name: str, c1: int, c2: int, k: int, places: int) -> None:
        nonlocal macs
        weights.update({f"{name}.conv.weight": (c2, c1, k, k)})
        weights.update({f"{name}.bn.{one}": (c2,) for one in ("weight", "bias")})
        buffers.update({f"{name}.bn.running_{one}": Buffer((c2,)) for one in ("mean", "var")})
        buffers[f"{name}.bn.num_batches_tracked"] = Buffer((), "int64")
        macs += c1 * c2 * k * k * places

    def plain(name: str, c1: int, c2: int, k: int, places: int) -> None:
        nonlocal macs
        weights.update({f"{name}.weight": (c2, c1, k, k), f"{name}.bias": (c2,)})
        macs += c1 * c2 * k * k * places

    for i, x in enumerate(xs):
        normed(f"cv1.{i}.0", x.shape.channels, c, 3, area(x))
        normed(f"cv1.{i}.1", c, c, 3, area(x))
        normed(f"cv2.{i}.0", x.shape.channels, c, 1, area(x))
    places = area(xs[0])
    plain("cv3", 3 * c, embed, 1, places)
    plain("cv4", 3 * c, 16, 3, places)
    plain("cv5", 1, 16, 3, places)
    normed("cv6.0", 32, 16, 3, places)
    plain("cv6.1", 16, 16, 3, places)
    return weights, buffers, macs + embed * places


@kind(several=True)
def YOLOEDetect(m: Model, xs: Levels, nc: Count, embed: Count, with_bn: Flag) -> Tensor:
    del with_bn
    return prompted(m, xs, nc, embed)


@kind(several=True)
def YOLOESegment(
    m: Model, xs: Levels, nc: Count, nm: Count, npr: Count, embed: Count, with_bn: Flag
) -> Tensor:
    del with_bn
    y = prompted(m, xs, nc, embed, [_branch(m, xs, nm, "cv5")])
    m.heads["proto"] = m("proto", Proto, xs[0], npr, nm)
    return y


@kind(several=True)
def YOLOESegment26(
    m: Model, xs: Levels, nc: Count, nm: Count, npr: Count, embed: Count, with_bn: Flag
) -> Tensor:
    del with_bn
    y = prompted(m, xs, nc, embed, [_branch(m, xs, nm, "cv5")])
    m.heads["proto"] = m("proto", Proto26, xs, npr, nm, nc)
    return y


#: Modules that read texts beside maps.
TEXTUAL = ("C2fAttn", "ImagePoolingAttn", "WorldDetect", "YOLOEDetect", "YOLOESegment", "YOLOESegment26")


# --- RT-DETR ----------------------------------------------------------------------------------------------


def MLP(m: Model, x: Tensor, sizes: tuple[int, ...], again: str = "") -> Tensor:
    """Linear layers with rectifiers between them; a second time they share the weights of the first."""
    for i, size in enumerate(sizes):
        if i:
            x = m.put("relu", x)
        name = f"layers.{i}"
        if not again:
            x = m.put("linear", x, features=size, name=name)
            continue
        path = m.net.inside.full(name)
        x = m.net.place(
            Linear(size), x, name=f"{name}_{again}", where=m.row,
            keys={one: f"{path}.{one}" for one in ("weight", "bias")},
        )  # fmt: skip
    return x


def _attends_maps(
    m: Model, x: Tensor, boxes: Tensor, feats: Tensor, heads: int, points: int, levels: int
) -> Tensor:
    """Deformable attention: each query reads a few places around its box, at each level."""
    c, count = x.shape.channels, heads * levels * points
    offsets = m.put("linear", x, features=2 * count, name="sampling_offsets")
    weights = m.put("softmax", m.put("linear", x, features=count, name="attention_weights"))
    value = m.put("linear", feats, features=c, name="value_proj")
    y = m.unknown(
        "sampled", x.shape, value, offsets, weights, boxes, why="places between those of a map are read"
    )
    return m.put("linear", y, features=c, name="output_proj")


def _decoder_layer(
    m: Model, x: Tensor, place: Tensor, boxes: Tensor, feats: Tensor, heads: int, points: int, levels: int,
    width: int,
) -> Tensor:  # fmt: skip
    def normed(y: Tensor, name: str) -> Tensor:
        return m.put("layer_norm", y, name=name)

    c = x.shape.channels
    q = m.put("add", x, place)
    x = normed(m.put("add", x, attends(m, "self_attn", q, q, x, heads)), "norm1")
    q = m.put("add", x, place)
    y = m("cross_attn", _attends_maps, q, boxes, feats, heads, points, levels)
    x = normed(m.put("add", x, y), "norm2")
    y = m.put("relu", m.put("linear", x, features=width, name="linear1"))
    return normed(m.put("add", x, m.put("linear", y, features=c, name="linear2")), "norm3")


@kind(several=True)
def RTDETRDecoder(
    m: Model, xs: Levels, nc: Count, hd: Count = 256, nq: Count = 300, ndp: Count = 4, nh: Count = 8,
    ndl: Count = 6, d_ffn: Count = 1024,
) -> Tensor:  # fmt: skip
    """Boxes that a decoder refines, from the places that look most like something."""
    levels = []
    for i, x in enumerate(xs):
        y = m.put("conv", x, channels=hd, kernel=1, bias=False, name=f"input_proj.{i}.0")
        levels.append(norm(m, y, f"input_proj.{i}.1"))
    feats = m.put("channels_last", joined(m, levels))
    seen = m.put("linear", feats, features=hd, name="enc_output.0")
    seen = m.put("layer_norm", seen, name="enc_output.1")
    scores = m.put("linear", seen, features=nc, name="enc_score_head")
    count = min(nq, feats.shape[0])
    x = m.unknown("best", channels_last((count,), hd), seen, scores, why=_CHOSEN)
    with m.training():
        m.heads["denoising"] = m.unknown(
            "denoising", channels_last((nc,), hd), scores, owner="denoising_class_embed",
            weights={"weight": (nc, hd)}, why="queries with noise are what the decoder is trained on, too",
        )  # fmt: skip
    boxes = m.put("sigmoid", m("enc_bbox_head", MLP, x, (hd, hd, 4)))
    for i in range(ndl):
        place = m("query_pos_head", MLP, boxes, (2 * hd, hd), str(i) if i else "")
        x = m(f"decoder.layers.{i}", _decoder_layer, x, place, boxes, feats, nh, ndp, len(xs), d_ffn)
        moved = m(f"dec_bbox_head.{i}", MLP, x, (hd, hd, 4))
        boxes = m.unknown("refined", boxes.shape, moved, boxes, pointwise=True)
        if i < ndl - 1:
            with m.training():
                m.heads[f"scores_{i}"] = m.put("linear", x, features=nc, name=f"dec_score_head.{i}")
    scores = m.put("linear", x, features=nc, name=f"dec_score_head.{ndl - 1}")
    y = m.put("concat", boxes, m.put("sigmoid", scores))
    if not m.decode:
        return y
    return m.unknown("best", channels_last((min(nq, count * nc),), 6), y, why=_CHOSEN)


_CHOSEN = "the best places are taken"


@kind()
def Classify(
    m: Model, x: Tensor | Levels, c2: Count, k: Size = 1, s: Size = 1, p: Pad = None, g: Count = 1
) -> Tensor:
    x = cat(m, *x) if isinstance(x, tuple) else x
    x = m.put("global_avg_pool", m("conv", Conv, x, 1280, k, s, p, g), name="pool")
    x = m.put("dropout", m.put("flatten", x), p=0.0, name="drop")
    return m.put("softmax", m.put("linear", x, features=c2, name="linear"))
