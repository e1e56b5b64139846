"""The kinds of attribute that ops have: what each accepts, and how it is said in a message.

Every field of an op is annotated with one of these. A kind takes a value from a spec and returns it in
the one form that the op reads, or ``None`` where it is of another kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from .. import formulas


class Kind(NamedTuple):
    """What an attribute accepts: ``says`` completes "must be …", ``accept`` gives the value or ``None``."""

    says: str
    accept: Callable[[Any], Any]


def whole(value: Any, least: int) -> int | None:
    """The whole number in ``value``, if it is one and at least ``least``; ``16.0`` is one too."""
    if isinstance(value, float | formulas.Real) and value.is_integer():
        value = formulas.truncated(value)
    found: int | None = None
    if isinstance(value, int | formulas.Number) and not isinstance(value, bool) and value >= least:
        found = value  # type: ignore[assignment]  # what stands for an int
    return found


def _count(value: Any) -> int | None:
    return whole(value, 1)


def _number(value: Any) -> int | float | None:
    found: int | float | None = None
    if isinstance(value, int | float | formulas.Remembering) and not isinstance(value, bool):
        found = value  # type: ignore[assignment]  # what stands for an int
    return found


def _numbers(value: Any) -> int | float | tuple[int | float, ...] | None:
    if not isinstance(value, tuple):
        return _number(value)
    return value if value and all(_number(one) is not None for one in value) else None


def _filling(value: Any) -> int | float | None:
    """A number, or the text of one that no literal has."""
    return float(value) if value in ("inf", "-inf") else _number(value)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _sizes(least: int) -> Callable[[Any], Any]:
    def accept(value: Any) -> int | tuple[int, ...] | None:
        if isinstance(value, tuple):
            sizes = [whole(item, least) for item in value]
            return tuple(sizes) if sizes and None not in sizes else None  # type: ignore[arg-type]
        return whole(value, least)

    return accept


def _padding(value: Any) -> Any:
    if value in ("same", "valid"):
        return value
    if not isinstance(value, tuple):
        return whole(value, 0)
    sides: list[Any] = []
    for item in value:
        if isinstance(item, tuple):
            pair = tuple(whole(side, 0) for side in item)
            sides.append(pair if len(pair) == 2 and None not in pair else None)
        else:
            sides.append(whole(item, 0))
    return tuple(sides) if sides and None not in sides else None


def _sides(value: Any) -> Any:
    """Padding before and after one axis, from one number for both or from a pair."""
    if not isinstance(value, tuple):
        return whole(value, 0)
    pair = tuple(whole(side, 0) for side in value)
    return pair if len(pair) == 2 and None not in pair else None


def _optional(accept: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Where ``None`` is itself a value, any other kind of value stays refused."""
    return lambda value: DEFAULT if value is None else accept(value)


def choice(*words: str) -> Kind:
    """One of a few words."""
    quoted = [f'"{word}"' for word in words]
    says = f"{', '.join(quoted[:-1])} or {quoted[-1]}"
    return Kind(says, lambda value: value if isinstance(value, str) and value in words else None)


def _table(value: Any) -> tuple[tuple[int, ...], ...] | None:
    if not isinstance(value, tuple) or not value:
        return None
    rows = []
    for row in value:
        cells = [whole(cell, 0) for cell in row] if isinstance(row, tuple) and row else [None]
        if None in cells:
            return None
        rows.append(tuple(cell for cell in cells if cell is not None))
    return tuple(rows)


def _dims(value: Any) -> tuple[int, ...] | None:
    if not isinstance(value, tuple) or not value:
        return None
    sizes = [-1 if item == -1 else whole(item, 1) for item in value]
    return tuple(size for size in sizes if size is not None) if None not in sizes else None


class Default:
    """Stands for an attribute that was given as ``none``: the op's own choice."""


DEFAULT = Default()

Count = Annotated[int, Kind("a whole number of at least 1", _count)]
OptionalCount = Annotated[int | None, Kind("a whole number of at least 1, or none", _optional(_count))]
Index = Annotated[int, Kind("a whole number", lambda value: whole(value, -(10**18)))]
OptionalIndex = Annotated[
    int | None, Kind("a whole number or none", _optional(lambda value: whole(value, -(10**18))))
]
Skipped = Annotated[int, Kind("a whole number of at least 0", lambda value: whole(value, 0))]
Number = Annotated[float, Kind("a number", _number)]
Numbers = Annotated[float | tuple[float, ...], Kind("a number, or one per axis as (0.5, 0.25)", _numbers)]
Filling = Annotated[float, Kind('a number, "inf" or "-inf"', _filling)]
OptionalNumber = Annotated[float | None, Kind("a number or none", _optional(_number))]
Flag = Annotated[bool, Kind("true or false", _flag)]
Beside = Annotated[
    bool | None,
    Kind("the name of an earlier step, or none", _optional(lambda value: value if value is True else None)),
]
Biases = Annotated[
    bool | str, Kind('true, false or "single"', lambda value: value if value == "single" else _flag(value))
]
Size = Annotated[
    int | tuple[int, ...], Kind("a whole number of at least 1, or one per axis as (3, 3)", _sizes(1))
]
OptionalSize = Annotated[
    int | tuple[int, ...] | None,
    Kind("a whole number of at least 1, one per axis as (3, 3), or none", _optional(_sizes(1))),
]
Spare = Annotated[
    int | tuple[int, ...], Kind("a whole number of at least 0, or one per axis as (1, 1)", _sizes(0))
]
Shifts = Annotated[
    int | tuple[int, ...], Kind("a whole number, or one per axis as (-3, 3)", _sizes(-(10**18)))
]
Scale = Annotated[
    float | tuple[float, ...] | None,
    Kind(
        "a number above 0, or one per axis as (2, 2)",
        _optional(
            lambda value: (
                value
                if all(
                    _number(item) is not None and item > 0
                    for item in (value if isinstance(value, tuple) and value else (value,))
                )
                else None
            )
        ),
    ),
]
Padding = Annotated[
    int | str | tuple[int | tuple[int, int], ...],
    Kind(
        "a whole number of at least 0, one per axis as (1, 2), a (before, after) pair per axis as "
        '((0, 1), (0, 1)), "same" or "valid"',
        _padding,
    ),
]
PerChannel = Annotated[
    float | tuple[float, ...] | None,
    Kind("a number, one for each channel as (0.485, 0.456, 0.406), or none", _optional(_numbers)),
]
Sides = Annotated[
    int | tuple[int, int], Kind("a whole number of at least 0, or a (before, after) pair as (0, 16)", _sides)
]
Table = Annotated[
    tuple[tuple[int, ...], ...],
    Kind("a list of lists of channel numbers, one for each output channel", _table),
]
Dims = Annotated[tuple[int, ...], Kind("a list of sizes as [16, 5, 5], of which one may be -1", _dims)]
