"""What each kind of attribute takes and refuses, by what its message says that it must be."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from archlens.ops import attributes
from archlens.ops.attributes import DEFAULT, Kind, choice

#: By kind: what is taken, each with the form that it gets, and what is not.
KINDS: dict[str, tuple[list[tuple[Any, Any]], list[Any]]] = {
    "Count": ([(1, 1), (16.0, 16)], [0, -1, 2.5, True, "1", (1,), None]),
    "OptionalCount": ([(1, 1), (None, DEFAULT)], [0, -1, 2.5, True, "1", (1,)]),
    "Index": ([(0, 0), (-3, -3)], [0.5, False, "0", (0,), None]),
    "OptionalIndex": ([(-3, -3), (None, DEFAULT)], [0.5, True, "none"]),
    "Skipped": ([(0, 0), (5.0, 5)], [-1, 2.5, True, "0", (0,), None]),
    "Numbers": ([(0.5, 0.5), (-2, -2), ((0.5, 2), (0.5, 2))], [True, "0.5", (), (0.5, True), ("1",), None]),
    "Number": ([(0.1, 0.1), (-2, -2)], [True, "0.1", (1,), None]),
    "Filling": (
        [(0.1, 0.1), (-2, -2), ("inf", float("inf")), ("-inf", -float("inf"))],
        [True, "0.1", "nan", "infinity", (1,), None],
    ),
    "Flag": ([(True, True), (False, False)], [0, 1, "true", None]),
    "Biases": ([(True, True), (False, False), ("single", "single")], [0, 1, "both", (True,), None]),
    "Beside": ([(True, True), (None, DEFAULT)], [False, 0, 1, "memory", (True,)]),
    "PerChannel": (
        [(0.5, 0.5), (-2, -2), ((0.5, 2), (0.5, 2)), (None, DEFAULT)],
        [True, "0.5", (), (0.5, True), ("1",), ((1,),)],
    ),
    "Size": ([(1, 1), ((3, 5.0), (3, 5))], [0, (), (0, 3), (3, True), "3", ((3, 3),), None]),
    "OptionalSize": ([(1, 1), ((3, 5), (3, 5)), (None, DEFAULT)], [0, (), (0, 3), "none"]),
    "OptionalNumber": ([(0.1, 0.1), (-2, -2), (None, DEFAULT)], [True, "0.1", (1,)]),
    "Shifts": ([(-3, -3), ((0, -2.0), (0, -2))], [(), 0.5, (1, True), "1", None]),
    "Spare": ([(0, 0), ((0, 1), (0, 1))], [-1, (-1, 0), (), 0.5, None]),
    "Scale": ([(0.5, 0.5), ((2, 1.5), (2, 1.5)), (None, DEFAULT)], [0, -1, (), (2, 0), (True, 2), "2"]),
    "Padding": (
        [(0, 0), ("same", "same"), ("valid", "valid"), ((0, 2.0), (0, 2)), (((0, 1), 2), ((0, 1), 2))],
        [-1, 0.5, "full", (), ((0, 1, 2),), ((0,),), ((-1, 0),), (0, -1), True, None],
    ),
    "Sides": ([(0, 0), ((0, 16.0), (0, 16))], [-1, (0,), (0, 1, 2), (0, -1), (), True, None]),
    "Table": ([(((0, 1.0), (2,)), ((0, 1), (2,)))], [0, (), ((),), (0,), ((0, -1),), ((0,), (0.5,)), None]),
    "Dims": ([((1, 5.0), (1, 5)), ((-1, 5), (-1, 5))], [5, (), (0, 5), (-2, 5), (5, True), None]),
}


def kinds() -> dict[str, Kind]:
    annotated = {name: get_args(value)[1:] for name, value in vars(attributes).items()}
    return {name: found[0] for name, found in annotated.items() if found and isinstance(found[0], Kind)}


@pytest.mark.parametrize("name", KINDS)
def test_kind(name: str) -> None:
    taken, refused = KINDS[name]
    accept = kinds()[name].accept
    for given, form in taken:
        assert repr(accept(given)) == repr(form), given  # 16.0 and True are equal to 16 and 1
    for given in refused:
        assert accept(given) is None, given


def test_every_kind_is_there() -> None:
    assert kinds().keys() == KINDS.keys()


def test_choice() -> None:
    kind = choice("zeros", "reflect", "replicate")
    assert kind.says == '"zeros", "reflect" or "replicate"'
    assert [kind.accept(value) for value in ("reflect", "circular", 0, None)] == ["reflect", None, None, None]
