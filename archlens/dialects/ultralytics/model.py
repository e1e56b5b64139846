"""A model file as a network: its rows, one after the other, at a scale."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, inf
from typing import Any, BinaryIO

from ...bounds import allowed
from ...elaboration.binding import bind
from ...elaboration.building import Builder
from ...elaboration.values import Tensor
from ...errors import Diagnostic, SpecError, did_you_mean, shorten, usage
from ...network import Meta, Network, Origin
from ...ops.attributes import DEFAULT
from ...published import Recount
from ...shape import Shape
from ..format import Model
from . import blocks, heads
from .config import Config, Row, read_config, read_row
from .heads import TEXTUAL
from .placement import KINDS, Flow, Kind
from .placement import Model as Placing
from .summary import Summary, printed
from .torch_modules import activation

__all__ = ["Ultralytics", "blocks", "heads", "read"]

#: The scale that a file's name says, as ``yolov8n.yaml`` does.
_NAMED = re.compile(r"yolo(?:e-)?v?\d+([nslmx])")

#: What a row's arguments may name.
_NAMES = ("nc", "kpt_shape", "reg_max", "end2end", "anchors")

#: Scales whose blocks are others.
_DEEP, _WIDE = ("m", "l", "x"), ("l", "x")


def read(file: BinaryIO, name: str) -> Ultralytics:
    """The model of a file.

    Raises:
        UsageError: it cannot be read.
        SpecError: it is no such file.
    """
    return Ultralytics(read_config(file, name), name)


class Ultralytics(Model):
    """A model file, whose scales are its variants."""

    def __init__(self, config: Config, path: str) -> None:
        self.config = config
        self.stem = os.path.splitext(os.path.basename(path))[0]
        self.variants = list(config.scales)
        channels = self._whole("channels", self._whole("ch", 3))
        self.shape = Shape((channels, 640, 640))
        self.params = {"nc": config.values.get("nc"), "decode": True}

    def _whole(self, key: str, otherwise: int) -> int:
        """A whole number that the file says under a key."""
        value = self.config.values.get(key, otherwise)
        if type(value) is not int or value < 1:
            raise self.config.node(key).error(f"{key} must be a whole number of at least 1")
        return value

    @property
    def inputs(self) -> Mapping[str, Shape]:
        inputs = {"input": self.shape}
        if any(module in TEXTUAL for module in self.config.modules):
            classes = self.params["nc"]
            inputs["text"] = Shape((512, classes if type(classes) is int and classes > 0 else 80))
        return inputs

    def scale(self, variant: str) -> str:
        """The letter of the scale: what is asked for, else what the file's name says, else the first."""
        if variant:
            return variant
        named = _NAMED.search(self.stem)
        if named is not None and (named[1] in self.variants or not self.variants):
            return named[1]
        return next(iter(self.variants), "")

    def network(
        self, name: str, shapes: Mapping[str, Shape], values: Mapping[str, Any], variant: str, origin: Origin
    ) -> Network:
        config, letter = self.config, self.scale(variant)
        depth, width, most = config.scales[letter] if config.scales else config.own
        said = {**config.values}
        if values["nc"] is not None:
            said["nc"] = _count("nc", values["nc"])
        title = f"{name}, scale {letter}" if config.scales and not variant else ""
        own = shapes == self.inputs and values == self.params
        published = printed(config, letter) if own else ()
        net = Builder(name, dict(shapes), origin=origin, meta=Meta(title=title, published=published))
        placing = Placing(
            net,
            activation=self._activation(),
            scale=letter,
            width=width,
            most=most,
            reg_max=self._whole("reg_max", 16),
            end2end=bool(said.get("end2end")),
            decode=_truth("decode", values["decode"]),
            norms={} if "Classify" in config.modules else {"eps": 1e-3, "momentum": 0.03},
        )
        names = {key: said[key] for key in _NAMES if key in said} | {"reg_max": placing.reg_max}
        if "text" in shapes:
            turned = net.channels_last(net.sources["text"], name="texts")
            placing.texts = placing.seen = turned
        flows: list[Flow] = []
        for index, (place, node) in enumerate(config.rows):
            row = read_row(place, index, node, names, allowed())
            last = index == len(config.rows) - 1
            placing.row = row
            try:
                flows.append(_placed(placing, row, flows, depth, last))
            except SpecError as problem:
                raise _at(problem, row) from None
        end = flows[-1]
        if isinstance(end, tuple):
            end, *others = end
            placing.heads |= {f"out_{i}": one for i, one in enumerate(others, 1)}
        return net.network(end, **placing.heads)

    def recount(self, network: Network) -> Recount:
        return Summary(network)

    def _activation(self) -> tuple[str, dict[str, Any]]:
        text = self.config.values.get("activation")
        if text is None:
            return "silu", {}
        try:
            return activation(str(text))
        except ValueError as problem:
            raise self.config.node("activation").error(str(problem)) from None


def _count(name: str, value: Any) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= 10**9 or len(text) > 9:
        raise usage(f"{name} must be a whole number of at least 1, not {shorten(text)}")
    return int(text)


def _truth(name: str, value: Any) -> bool:
    if str(value).lower() not in ("true", "false"):
        raise usage(f"{name} must be true or false, not {shorten(str(value))}")
    return str(value).lower() == "true"


def _at(problem: SpecError, row: Row) -> SpecError:
    """A diagnostic that says the row, and points at it where it points nowhere."""
    found: Diagnostic = problem.diagnostic
    message = found.message
    if not message.startswith(row.place):
        message = f"{row.place}: {message}"
    found = replace(found, message=message, span=found.span or row.span)
    return SpecError(found, problem.network, problem.failed)


def wide(m: Placing, channels: float) -> int:
    """The channels that a module gives at a scale: a multiple of 8."""
    return ceil(min(channels, m.most) * m.width / 8) * 8


def _placed(m: Placing, row: Row, flows: Sequence[Flow], depth: float, last: bool) -> Flow:
    """Place a row's module, as often as the scale says."""
    kind = KINDS.get(row.module)
    if kind is None:
        otherwise = "what comes out of it is not known, nor what it weighs"
        raise row.error(
            f"there is no module {shorten(row.module)} that is known",
            2,
            help=did_you_mean(row.module, KINDS, otherwise=otherwise),
        )
    read = [m.net.sources["input"] if not flows else flows[source] for source in row.sources]
    if kind.several and not row.several:
        raise row.error(f"{row.module} reads a list of rows", 0, help=f"as in [[{row.sources[0]}], ...]")
    if row.several and not kind.several and len(read) > 1 and row.module != "Classify":
        raise row.error(f"{row.module} reads one row, not {len(read)}", 0)
    x: Any = tuple(read) if kind.several or len(read) > 1 else read[0]
    count = row.repeats if row.repeats == 1 else max(round(row.repeats * depth), 1)
    if count > allowed():
        raise row.error(f"{row.repeats} repeats x {depth} are {count:,}, more than {allowed():,}", 1)
    args = _arguments(m, row, kind, count)
    if kind.repeats or row.module == "HGBlock":
        count = 1
    name = f"model.{row.index}"
    if count == 1:
        y = _once(m, kind, name, x, args)
    else:
        y = x
        for i in range(count):
            y = _again(m, kind, f"{name}.{i}", y, args, x, row)
    if not last:
        _check_channels(row, kind, x, y)
    return y


#: Modules that read what CBLinear and ImagePoolingAttn give: a list of maps.
_LISTS = ("Index", "CBFuse", "Classify")


def _once(m: Placing, kind: Kind, name: str, x: Any, args: list[Any]) -> Flow:
    if kind.name not in _LISTS:
        for one in x if kind.several else (x,):
            if isinstance(one, tuple):
                raise m.error(f"{kind.name} reads a map, and a list of {len(one)} stands there")
    if kind.leaf:
        return kind.place(m, name, x, *args)  # type: ignore[no-any-return]
    with m.net.scope(name, block=kind.name):
        return kind.place(m, x, *args)  # type: ignore[no-any-return]


def _again(m: Placing, kind: Kind, name: str, y: Any, args: list[Any], first: Any, row: Row) -> Flow:
    """One of several of a module in turn, all of which are made for the channels that the first reads."""
    made = [one.shape.channels if isinstance(one, Tensor) else None for one in (first, y)]
    if made[0] != made[1]:
        raise row.error(
            f"each of several {row.module} in turn is made for {made[0]} channels, and the second reads "
            f"{made[1]}",
            1,
            help=f"1 of them first, then the others in a row of their own on {made[1]} channels",
        )
    return _once(m, kind, name, y, args)


def _check_channels(row: Row, kind: Kind, x: Any, y: Flow) -> None:
    """Refuse what gives other channels than the rows behind it are made for: those that it reads."""
    if not kind.name.startswith("nn.") or kind.widens:
        return
    if isinstance(x, Tensor) and isinstance(y, Tensor) and x.shape.channels != y.shape.channels:
        raise row.error(
            f"{row.module} gives {y.shape.channels} channels, and the rows behind it are made for the "
            f"{x.shape.channels} that it reads",
            2,
            help="Conv and nn.ConvTranspose2d say how many they give",
        )


def _arguments(m: Placing, row: Row, kind: Kind, count: int) -> list[Any]:
    """What a module is called with at a scale, checked."""
    given = list(row.args)
    if kind.widens:
        if not given or isinstance(given[0], bool) or not isinstance(given[0], int | float) or given[0] < 1:
            raise row.error(f"{row.module} needs a number of channels first", 3, help="as in [64]")
        given[0] = wide(m, given[0])
    if kind.free:
        return given
    if row.module == "C2fAttn":
        _scale_heads(m, given)
    if kind.repeats:
        given.insert(1, count)
    if row.module == "HGBlock":
        given[3:3] = [count]
    if row.module == "C3k2" and m.scale in _DEEP:
        given[2:3] = [True]
    if row.module == "A2C2f" and m.scale in _WIDE:
        given += [True, 1.2]
    if row.module in _MASKED and len(given) > 2 and type(given[2]) is int:
        given[2] = wide(m, given[2])
    names, defaults, accepts = _signature(kind)
    help = f"{row.module}({', '.join(names)})"
    written = [name for name in names if not (kind.repeats and name == "n")]

    def refused(message: str, part: int | str | None, help: str) -> SpecError:
        return row.error(message, 3, help=help)

    found = bind({name: name not in defaults for name in names}, given, {}, refused, row.module, lambda: help)
    args = []
    for name, value in found.items():
        accepted = accepts[name].accept(value)
        if accepted is None:
            where = written.index(name) if name in written else 0
            raise row.error(
                f"{name} of {row.module} must be {accepts[name].says}, not {shorten(str(value))}",
                3 + where,
                help=help,
            )
        args.append(None if accepted is DEFAULT else accepted)
    return args


def _scale_heads(m: Placing, given: list[Any]) -> None:
    """The width and the heads of a C2fAttn's attention at a scale."""
    if len(given) > 2 and type(given[2]) is int and given[2] > 1:
        heads = given[2] if m.most == inf else min(given[2], m.most // 2 // 32)
        given[2] = int(max(round(heads) * m.width, 1))
    if len(given) > 1:
        share = given[6] if len(given) > 6 else 0.5
        given[1] = int(given[0] * share) if isinstance(share, int | float) else given[1]


#: Heads whose third argument is a width that the scale changes.
_MASKED = ("Segment", "Segment26", "YOLOESegment", "YOLOESegment26")


def _signature(kind: Kind) -> tuple[list[str], Mapping[str, Any], dict[str, Any]]:
    """The names of a module's arguments, those that may be left away, and what each accepts."""
    place = kind.place
    code = place.__code__
    names = [
        name
        for name in code.co_varnames[: code.co_argcount]
        if hasattr(place.__annotations__.get(name), "__metadata__")
    ]
    every = code.co_varnames[: code.co_argcount]
    given = place.__defaults__ or ()
    defaults = dict(zip(every[len(every) - len(given) :], given, strict=True))
    return names, defaults, {name: place.__annotations__[name].__metadata__[0] for name in names}
