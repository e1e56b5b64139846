"""What an expression can be worth: numbers, texts, lists, tensors, blocks, ops and steps."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, Protocol

from ..errors import shorten
from ..formulas import Number, Remembering
from ..language.expression import Expression
from ..language.spec import Part
from ..language.steps import Block
from ..ops import Op
from ..records import record
from ..shape import Shape

#: Bounds on a number, in bits, and on a list, in items.
MAX_BITS = 100
MAX_ITEMS = 100_000

#: A whole number; and any.
WHOLE = (int, Number)
NUMBERS = (int, float, Remembering)


@record(slots=True, eq=False)
class Tensor:
    """What flows from step to step: the name of the layer (or input) it comes from, and its shape."""

    name: str
    shape: Shape

    def __repr__(self) -> str:
        return f"<{shorten(self.name)} {self.shape}>"


@record(slots=True, eq=False)
class Inputs:
    """The network's inputs by name, where there are several."""

    tensors: dict[str, Tensor]


@record(slots=True, eq=False)
class Deferred:
    """A step as a value: it runs where it is placed, with the names of where it was written."""

    tree: ast.expr
    expression: Expression
    scope: Namespace


class Namespace(Protocol):
    """Where the names of an expression are looked up."""

    def lookup(self, name: str) -> Any:
        """The value of a name.

        Raises:
            KeyError: there is none.
        """

    def brought(self, name: str, tree: ast.AST, expression: Expression) -> Any:
        """The op that an installed package brings under a name; ``None`` where none does."""

    def ref(self, tree: ast.expr, expression: Expression) -> Tensor:
        """The tensor that ``ref(...)`` names."""

    def known(self) -> Iterable[str]:
        """Every name that could have been meant."""

    def hint(self, name: str) -> str:
        """Why a name that exists elsewhere is not known here; empty for any other."""

    def asked(self, tensor: Tensor, axis: str, size: int) -> None:
        """Note what was asked of a tensor, on which the network may depend."""

    def spend(self, steps: int, tree: ast.AST, expression: Expression) -> None:
        """Account for what an expression costs: a step for every few characters, or items of a list.

        Raises:
            SpecError: too much has been spent.
        """


TENSORS = (Tensor, Inputs)

#: Values that can be passed on and asked for attributes, but not computed with.
OPAQUE = (Tensor, Inputs, Deferred)


def is_template(value: Any) -> bool:
    """Whether a value makes steps when it is called."""
    return isinstance(value, Block | Part) or (isinstance(value, type) and issubclass(value, Op))


def size_of(value: Any, most: int = MAX_ITEMS) -> int:
    """How many items a list holds, those of the lists in it included; counted no further than ``most``."""
    if not isinstance(value, tuple):
        return 0
    count = len(value)
    for item in value:
        if isinstance(item, tuple):
            if count > most:
                break
            count += size_of(item, most - count)
    return count


#: The words with a fixed value.
CONSTANTS: dict[str, Any] = {"true": True, "false": False, "none": None, "null": None}


def describe(value: Any) -> str:
    """What kind of value it is, for a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, NUMBERS):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text '{shorten(value)}'"
    if value is None:
        return "none"
    if isinstance(value, Tensor):
        return f"a tensor of {value.shape}"
    if isinstance(value, Inputs):
        return "the network's inputs"
    if isinstance(value, Block):
        return f"the block {value.name}"
    if isinstance(value, Part):
        return f"{value.name} of another file"
    if isinstance(value, Deferred):
        return "a step"
    if isinstance(value, tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return f"the op {value.kind}" if is_template(value) else "this"
