"""The layers that a prototxt lists, as they run at inference, and its inputs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...bounds import RAISED, Bounds, allowed
from ...errors import did_you_mean, error, shorten
from ...language.steps import MAX_NAME
from ...shape import Shape
from .prototext import Message, Placed

#: How many slashes a name may have.
_SCOPES = 8

#: What layers of the first version call their types, where that is not the name in capitals.
_FIRST = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}

#: What a network has beside its layers and inputs.
_NET = {
    "name",
    "input",
    "input_dim",
    "input_shape",
    "force_backward",
    "state",
    "debug_info",
    "layer",
    "layers",
}
#: What a layer has beside its params, whose names end in ``_param``.
_LAYER = {
    *("name", "type", "bottom", "top", "phase", "loss_weight", "param", "blobs", "propagate_down", "include"),
    *("exclude", "blobs_lr", "weight_decay", "blob_share_mode"),
}
_RULE = {"phase", "min_level", "max_level", "stage", "not_stage"}
_PHASES = {"TRAIN", "TEST"}

#: What a solver's file has.
_SOLVER = {"base_lr", "lr_policy", "train_net", "test_net", "net", "max_iter", "solver_mode"}


@dataclass
class Listed:
    """A layer of the file."""

    kind: str
    #: As the file names it.
    name: str
    reads: list[str]
    gives: list[str]
    message: Message

    @property
    def where(self) -> Placed:
        """Its place: that of its name."""
        names = self.message.scalars("name")
        return names[0] if names else self.message


class Input:
    """An input of the network: its shape, where that is known, and its place."""

    def __init__(self, shape: Shape | None, where: Message, open: str = "") -> None:
        self.shape = shape
        self.where = where
        self.open = open


def listed(net: Message) -> tuple[dict[str, Input], set[str], list[Listed]]:
    """The inputs of a network by the name of their blobs, blobs that are labels, and the layers.

    Raises:
        SpecError: it is no network, or has none.
    """
    solver = next((key for key in net.fields if key in _SOLVER), None)
    if solver is not None and "layer" not in net and "layers" not in net:
        raise error(
            "this is a solver, which describes how a network is trained",
            net.fields[solver][0].span,
            help="the network is in the file that its net: names",
        )
    net.check(_NET)
    layers = [_layer(one) for key in ("layer", "layers") for one in net.messages(key)]
    if len(layers) > allowed():
        raise error(Bounds(allowed()).too_many_layers, layers[allowed()].where.span, help=RAISED)
    layers.sort(key=lambda one: one.message.start)
    runs = [_runs(one.message) for one in layers]
    inputs = _declared(net)
    labels: set[str] = set()
    left = []
    # what goes in in training only goes in at inference where nothing else does
    for one, running in sorted(zip(layers, runs, strict=True), key=lambda pair: not pair[1]):
        found = _inputs(one)
        if found is not None:
            for blob, input in zip(one.gives, found, strict=False):
                inputs.setdefault(blob, input)
            labels.update(blob for blob in one.gives[len(found) :] if blob not in inputs)
        elif running:
            left.append(one)
    if not left:
        raise error("the network has no layers", net.span if net.fields else None)
    return inputs, labels, left


def _layer(message: Message) -> Listed:
    if "layer" in message:
        raise message.error(
            "a layer within a layer is Caffe's original format",
            "layer",
            help="its upgrade_net_proto_text converts such a file",
        )
    for key in message.fields:
        if key not in _LAYER and not key.endswith("_param"):
            known = sorted(_LAYER)
            raise message.error(f"a layer has no field {shorten(key)}", key, help=did_you_mean(key, known))
    name = message.text("name")
    if len(name) > MAX_NAME or name.count("/") > _SCOPES:
        raise message.error(
            f"a name of {len(name):,} characters and {name.count('/'):,} slashes is more than the {MAX_NAME} "
            f"and {_SCOPES} allowed",
            "name",
        )
    kinds = message.scalars("type")
    if not kinds:
        raise message.error(f'the layer "{shorten(name)}" has no type', help='as in type: "Convolution"')
    kind = kinds[0].text
    if kinds[0].kind == "word":
        kind = _FIRST.get(kind) or "".join(word.capitalize() for word in kind.split("_"))
    return Listed(kind, name, message.texts("bottom"), message.texts("top"), message)


def _runs(message: Message) -> bool:
    """Whether a layer runs at inference: in the phase TEST, at level 0 and in no stage."""
    include, exclude = message.messages("include"), message.messages("exclude")
    if include and exclude:
        raise message.error("a layer has include or exclude, not both", "exclude")
    if message.word("phase", "TEST", _PHASES) == "TRAIN":
        return False
    if include:
        return any(map(_holds, include))
    return not any(map(_holds, exclude))


def _holds(rule: Message) -> bool:
    rule.check(_RULE)
    return (
        rule.word("phase", "TEST", _PHASES) == "TEST"
        and rule.integer("min_level", 0) <= 0 <= rule.integer("max_level", 0)
        and "stage" not in rule
    )


def _declared(net: Message) -> dict[str, Input]:
    """What ``input:`` says, with ``input_dim:`` or ``input_shape:``."""
    names, shapes, sizes = net.texts("input"), net.messages("input_shape"), net.integers("input_dim", least=0)
    if len(sizes) != 4 * len(names) and not shapes and sizes:
        raise net.error(f"{len(names)} inputs have 4 input_dim each, but there are {len(sizes)}", "input_dim")
    if shapes and len(shapes) != len(names):
        raise net.error(
            f"{len(names)} inputs have an input_shape each, but there are {len(shapes)}", "input_shape"
        )
    found = {}
    for i, name in enumerate(names):
        if shapes:
            found[name] = Input(_shape(shapes[i].integers("dim", least=0), shapes[i]), shapes[i])
        else:
            found[name] = Input(_shape(sizes[4 * i : 4 * i + 4], net, "input_dim"), net)
    return found


def _shape(sizes: list[int], where: Message, key: str = "dim") -> Shape | None:
    """A shape without its first size, the batch; ``None`` where a size is 0 or nothing is said."""
    if len(sizes) > 4 + 1:
        raise where.error(f"a shape of {len(sizes)} sizes is more than batch, channels and three axes", key)
    return Shape(sizes[1:]) if len(sizes) > 1 and all(sizes[1:]) else None


def _inputs(layer: Listed) -> list[Input] | None:
    """The inputs that a layer stands for; ``None`` where it computes. What else it gives are labels."""
    message = layer.message
    if layer.kind == "Input":
        shapes = message.message("input_param").messages("shape")
        if len(shapes) not in (1, len(layer.gives)):
            said = f"it gives {len(layer.gives)} blobs and has {len(shapes)} shapes"
            raise message.error(f'the layer "{shorten(layer.name)}" has one shape for each: {said}')
        shapes = shapes * len(layer.gives) if len(shapes) == 1 else shapes
        return [Input(_shape(one.integers("dim", least=0), one), one) for one in shapes]
    if layer.kind == "DummyData":
        return _dummies(layer)
    if layer.reads or not (layer.kind.endswith("Data") or layer.kind == "Python"):
        return None
    open = "channels x height x width of what it reads"
    if layer.kind == "MemoryData":
        sizes = [message.message("memory_data_param").integer(key, 0, least=0) for key in _SIDES]
        return [Input(Shape(sizes) if all(sizes) else None, message, open)]
    crop = 0
    for key in ("transform_param", "data_param", "image_data_param", "window_data_param"):
        crop = crop or message.message(key).integer("crop_size", 0, least=0)
    pictures, resized = message.message("image_data_param"), _resized(message)
    sides = [
        crop or resized.integer(key, 0, least=0) or pictures.integer(f"new_{key}", 0, least=0)
        for key in _SIDES[1:]
    ]
    grey = message.message("transform_param").flag("force_gray", False) or not pictures.flag("is_color", True)
    return [Input(Shape((1 if grey else 3, *sides)) if all(sides) else None, message, open)]


def _resized(message: Message) -> Message:
    """The size that SSD's data has."""
    return message.message("transform_param").message("resize_param")


_SIDES = ("channels", "height", "width")


def _dummies(layer: Listed) -> list[Input]:
    """Inputs of the shapes that DummyData makes up."""
    message = layer.message.message("dummy_data_param")
    shapes = [one.integers("dim", least=0) for one in message.messages("shape")]
    if not shapes:
        shapes = [
            *map(list, zip(*(message.integers(key, least=0) for key in ("num", *_SIDES)), strict=False))
        ]
    shapes = shapes * len(layer.gives) if len(shapes) == 1 else shapes
    return [Input(_shape(one, message), message) for one in shapes[: len(layer.gives)]]


def part(text: str) -> str:
    """A text as a part of a name."""
    return re.sub(r"[^\w\-+()@]", "_", text)[:MAX_NAME] or "_"
