"""What is counted, and counts of which a part is not known: never zero, never silently less than there is."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any


class Kind(Enum):
    """What a quantity is counted in; limits say which units may stand behind a number of each."""

    COUNT = "a count"
    BYTES = "a number of bytes"
    SIZE = "a number of positions"
    LAYERS = "a number of layers"


class AtLeast(int):
    """A count of which only a part is known: the number is that part.

    Whatever it is added to is such a count, too. It is printed as ``at least 1,234``, or as ``unknown`` where
    nothing is known; a difference of such counts is unknown.

    >>> total = sum([1200, AtLeast(0, "my_op is not known"), 34])
    >>> f"{total:,}", total.why
    ('at least 1,234', 'my_op is not known')
    """

    #: Why the rest is not known.
    why: str
    #: Whether it is a difference, of which not even the sign is known.
    difference: bool

    def __new__(cls, known: int = 0, why: str = "", difference: bool = False) -> AtLeast:
        """A count.

        Args:
            known: the part of it that is known.
            why: the reason for which the rest is not.
            difference: whether it is a difference of counts.
        """
        made = super().__new__(cls, known)
        made.why = why
        made.difference = difference
        return made

    def _of(self, known: Any, difference: bool = False) -> Any:
        if known is NotImplemented:
            return known
        return AtLeast(known, self.why, difference or self.difference)

    def __add__(self, other: int) -> AtLeast:
        return self._of(super().__add__(other))  # type: ignore[no-any-return]

    __radd__ = __add__

    def __mul__(self, other: int) -> AtLeast:
        return self._of(super().__mul__(other))  # type: ignore[no-any-return]

    __rmul__ = __mul__

    def __floordiv__(self, other: int) -> AtLeast:
        return self._of(super().__floordiv__(other))  # type: ignore[no-any-return]

    def __sub__(self, other: int) -> AtLeast:
        return self._of(super().__sub__(other), difference=True)  # type: ignore[no-any-return]

    def __rsub__(self, other: int) -> AtLeast:
        return self._of(super().__rsub__(other), difference=True)  # type: ignore[no-any-return]

    def __neg__(self) -> AtLeast:
        return self._of(super().__neg__(), difference=True)  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        return True  # it may be more than nothing

    def __format__(self, spec: str) -> str:
        if self.difference or not int(self):
            return "unknown"
        return f"at least {int(self):{spec}}"

    def __str__(self) -> str:
        return format(self, "")

    def __reduce__(self) -> Any:
        return AtLeast, (int(self), self.why, self.difference)


def dumps(data: Any, **options: Any) -> str:
    """JSON, in which a count that is known in part is ``{"at_least": 1234, "why": "…"}``."""
    import json

    return json.dumps(_plain(data), **options)


def in_lines(data: Mapping[str, Any]) -> str:
    """An object with a key a line, and in its lists of objects an item a line."""
    lines = []
    for key, value in data.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            items = ",\n".join(f"    {dumps(item)}" for item in value)
            lines.append(f"  {dumps(key)}: [\n{items}\n  ]")
        else:
            lines.append(f"  {dumps(key)}: {dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}"


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    if isinstance(data, AtLeast):
        return {"at_least": None if data.difference else int(data), "why": data.why}
    return data
