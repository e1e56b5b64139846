"""Arguments of a call: bound by Python's rules, and checked against what an op accepts."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ..errors import SpecError, shorten
from ..language.steps import Block
from ..language.synonyms import argument_meant
from ..ops import Op
from ..ops.attributes import DEFAULT
from ..ops.op import signature, signed
from .values import describe

#: Makes the diagnostic of a call from a message, the argument that it is of (by its number or name, ``None``
#: for the call), and what would work.
Refused = Callable[[str, int | str | None, str], SpecError]


def bind(
    needed: Mapping[str, bool],
    args: list[Any],
    kwargs: dict[str, Any],
    refused: Refused,
    name: str,
    usage_: Callable[[], str],
) -> dict[str, Any]:
    """Arguments by name, by Python's rules.

    Raises:
        SpecError: one is missing, doubled, unknown or too many.
    """
    if not kwargs and len(args) == len(needed):
        return dict(zip(needed, args, strict=True))
    order = list(needed)
    if len(args) > len(order):
        most = f"at most {len(order)} argument{'s' if len(order) > 1 else ''}"
        raise refused(
            f"{name} takes {most}, but got {len(args)}" if order else f"{name} takes no arguments",
            len(order),
            usage_() if order else f"write {name} alone",
        )
    found = dict(zip(order, args, strict=False))
    for key, value in kwargs.items():
        if key not in needed:
            raise refused(
                f"{name} has no argument {shorten(key)}",
                key,
                argument_meant(key, order, otherwise=usage_() if order else f"write {name} alone"),
            )
        if key in found:
            raise refused(f"{name} is given {key} twice", key, usage_())
        found[key] = value
    missing = [key for key in order if needed[key] and key not in found]
    if missing:
        raise refused(
            f"{name} is missing its argument{'s' if len(missing) > 1 else ''} {' and '.join(missing)}",
            None,
            usage_(),
        )
    return found


WHOLE = "int(...), round(...) or divisible(...) makes it whole"


def make(kind: type[Op], args: list[Any], kwargs: dict[str, Any], refused: Refused) -> Op:
    """An op from its arguments, each checked against what the attribute accepts."""
    parameters = signature(kind)
    found = bind(
        required(kind),  # type: ignore[arg-type]  # an op has a hash of its own, its class the usual
        args, kwargs, refused, kind.kind, lambda: signed(kind),
    )  # fmt: skip
    for position, (name, value) in enumerate(found.items()):
        accepted = parameters[name].kind.accept(value)
        if accepted is None:
            help = ""
            if isinstance(value, float) and "whole" in parameters[name].kind.says:
                help = WHOLE
            elif (
                isinstance(value, type)
                and issubclass(value, Op)
                and parameters[name].kind.accept(value.kind) is not None
            ):
                help = f'a text needs quotes: {name}="{value.kind}"'
            elif isinstance(value, tuple) and None in value and "one per axis" in parameters[name].kind.says:
                help = "none is not a size; x.height and x.width are those of what flows in"
            nothing = ", one of them none" if isinstance(value, tuple) and None in value else ""
            raise refused(
                f"the {name} of {kind.kind} must be {parameters[name].kind.says}, not "
                f"{describe(value)}{nothing}",
                position if position < len(args) else name,
                help,
            )
        found[name] = None if accepted is DEFAULT else accepted
    return kind(**found)


@cache
def required(kind: type[Op]) -> dict[str, bool]:
    """Whether each attribute of an op must be given."""
    return {name: parameter.required for name, parameter in signature(kind).items()}


def usage_of_block(block: Block) -> str:
    shown = [
        name if default is None else f"{name}={ast.unparse(default[1])}"
        for name, default in block.parameters.items()
    ]
    return f"{block.name}({', '.join(shown)})"
