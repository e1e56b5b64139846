"""What archlens has no op for: a spec states its figures, and nothing proves them."""

from __future__ import annotations

from typing import Annotated, Any

from ..counts import AtLeast
from ..shape import ChannelsLast, Shape
from .attributes import DEFAULT, Kind, whole
from .op import NONE, Call, Facts, Names, NonUniform, Op
from .opaque import UNKNOWN

#: The most axes of a shape, and the largest number that is stated.
_MOST_AXES, _MOST = 6, 10**18


def _name(value: Any) -> str | None:
    fits = isinstance(value, str) and value.strip() and value.isprintable() and len(value) <= 200
    return value if fits else None


def _shape(value: Any) -> Any:
    """A shape as an input has it, ``"256x7x7"`` or ``"50x80 channels_last"``; or its sizes."""
    if value is None:
        return DEFAULT
    sizes = _written(value)[0] if isinstance(value, str) else value if isinstance(value, tuple) else (value,)
    found = [whole(size, 1) for size in sizes]
    return value if 0 < len(found) <= _MOST_AXES and None not in found else None


def _written(text: str) -> tuple[tuple[int, ...], bool]:
    """The sizes in a text, and whether the channels come last; none where it is no shape."""
    sizes, _, last = text.strip().partition(" ")
    parts = sizes.split("x")
    fits = all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts)
    if not fits or last.strip() not in ("", "channels_last"):
        return (), False
    return tuple(map(int, parts)), bool(last)


def _count(value: Any) -> Any:
    if value is None:
        return DEFAULT
    found = whole(value, 0)
    return found if found is not None and found <= _MOST else None


Stated = Annotated[Any, Kind("a whole number of at least 0, or none", _count)]


class Custom(Op, family="opaque"):
    """An operation without an op, with the figures that a spec states for it.

    The figures are not checked. What is not given is unknown, and totals that include it say "at least". It
    cannot be built, and ``verify`` checks the rest of the network; an op in a package of your own can be.

    Output: ``shape``, or the input's.
    Parameters: ``params``, or unknown.
    MACs: ``macs``, or unknown.
    Limits: one input.
    """

    name: Annotated[str, Kind("a text of up to 200 characters", _name), "what it is called"]
    shape: Annotated[
        Any,
        Kind('a shape as "256x7x7" or "50x80 channels_last", its sizes as (256, 7, 7), or none', _shape),
        "its output, without the batch, if not the shape of the input",
    ] = None
    params: Annotated[Stated, "how many parameters it has, if known"] = None
    macs: Annotated[Stated, "how many multiply-accumulates it takes for one sample, if known"] = None

    kind = "custom"
    names = Names(keras="", onnx="", also="opaque plugin blackbox customop external")
    examples = (
        '256x64x64 >> custom("roi_align", shape="256x7x7", params=0)',
        '3x8x8 >> custom("mine", params=10, macs=640)',
    )
    memory_unknown = "a custom op does not say"
    whole = True
    help = "an op of a package of your own can be built: docs/python.md says how"

    def facts(self, x: Shape) -> Facts:
        return Facts(
            shape=self._made(x),
            weights=NONE,
            buffers=NONE,
            macs=self._stated(self.macs, "multiply-accumulates"),
            other={"unstated": AtLeast(0, f"what else {self.name} computes is not stated")},
            reach=NonUniform(f"how far {self.name} looks is not stated"),
            torch=Call(UNKNOWN),
            unlisted=self._stated(self.params, "parameters"),
        )

    def _made(self, x: Shape) -> Shape:
        if self.shape is None:
            return x
        if isinstance(self.shape, str):
            made, last = _written(self.shape)
        else:
            made, last = self.shape if isinstance(self.shape, tuple) else (self.shape,), x.channels_last
        return ChannelsLast(made) if last and len(made) > 1 else Shape(made)

    def _stated(self, count: int | None, what: str) -> int:
        return AtLeast(0, f"the {what} of {self.name} are not stated") if count is None else count

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        return super().why_shape(facts, *inputs) if self.shape is None else "as the spec states it"

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        return "not stated" if self.macs is None else f"{self.macs:,}, as the spec states it"

    def why_params(self, facts: Facts) -> str:
        return "not stated" if self.params is None else f"{self.params:,}, as the spec states it"
