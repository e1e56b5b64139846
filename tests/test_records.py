"""Records are dataclasses in all that is asked of them, but for how their methods come about."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from typing import Any

import pytest

from archlens.records import record


@record(frozen=True)
class Point:
    """A frozen one with defaults."""

    x: int
    y: int = 2
    more: list[int] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class Plain:
    """The same, as Python writes it."""

    x: int
    y: int = 2
    more: list[int] = field(default_factory=list, repr=False)


@record(slots=True, eq=False)
class Node:
    """One that changes and is compared by identity."""

    name: str
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.name)


@record(frozen=True)
class Below(Point):
    """A record of a record."""

    z: int = 0


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}), ((1, 5), {}), ((), {"x": 3}), ((1,), {"more": [4]}), ((1, 2, [3]), {}),
    ((), {}), ((1, 2, [3], 4), {}), ((1,), {"x": 2}), ((1,), {"z": 2}), ((), {"y": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("args", "named"), CALLS)
def test_records_take_what_dataclasses_take(args: tuple[Any, ...], named: dict[str, Any]) -> None:
    try:
        there = Plain(*args, **named)
    except TypeError:
        with pytest.raises(TypeError):
            Point(*args, **named)
        return
    here = Point(*args, **named)
    assert [getattr(here, one.name) for one in fields(here)] == [
        getattr(there, one.name) for one in fields(there)
    ]
    assert repr(here) == repr(there).replace("Plain", "Point")


def test_frozen_records_do_not_change() -> None:
    point = Point(1)
    with pytest.raises(FrozenInstanceError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert is_dataclass(point)
    assert replace(point, y=7) == Point(1, 7)
    assert replace(point, y=7) != point
    assert point != Plain(1)
    assert copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
    with pytest.raises(TypeError):
        hash(point)  # a list is in it, as in a dataclass
    assert hash(Point(1, 2, ())) == hash(Point(1, 2, ()))  # type: ignore[arg-type]
    assert Point(1).more is not Point(1).more


def test_records_that_change() -> None:
    node = Node("abc")
    assert node.size == 3
    node.name = "d"
    assert node.name == "d"
    assert node != Node("d")
    assert {node: 1}[node] == 1
    with pytest.raises(AttributeError):
        node.other = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        Node("a", 3)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Node(name="a", size=3)  # type: ignore[call-arg]


def test_records_of_records() -> None:
    below = Below(1, z=3)
    assert (below.x, below.y, below.z) == (1, 2, 3)
    assert below == Below(1, z=3) != Below(1, z=4)
    assert below != Point(1)
