"""What a call gives to an op or a block: bound by Python's rules, and checked."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ..errors import SpecError, shorten
from ..language.expression import Expression
from ..language.steps import Block
from ..language.synonyms import argument_meant
from ..ops import Op
from ..ops.attributes import DEFAULT
from ..ops.op import signature
from .bounds import MAX_SIZE
from .evaluation import evaluate
from .scope import Env
from .values import describe, size_of


def unquoted(kind: type[Op], tree: ast.Call, expression: Expression, env: Env) -> SpecError | None:
    """The diagnostic of ``padding=same``: a word that names nothing and would do as a text."""
    parameters = signature(kind)
    given = dict(zip(parameters, tree.args, strict=False))
    given |= {key.arg: key.value for key in tree.keywords if key.arg in parameters}
    for name, argument in given.items():
        if not isinstance(argument, ast.Name) or parameters[name].kind.accept(argument.id) is None:
            continue
        try:
            env.lookup(argument.id)
        except KeyError:
            word = argument.id
            return expression.error(f"the text {word} needs quotes", argument, help=f'{name}="{word}"')
    return None


def arguments(tree: ast.Call, expression: Expression, env: Env) -> tuple[list[Any], dict[str, Any]]:
    args = [_argument(arg, expression, env) for arg in tree.args]
    kwargs: dict[str, Any] = {}
    for key in tree.keywords:
        assert key.arg is not None  # unpacking with ** was refused where the expression was read
        kwargs[key.arg] = _argument(key.value, expression, env)
    for value in (*args, *kwargs.values()):
        if type(value) is tuple:
            env.spend(size_of(value) >> 3, tree, expression)
    return args, kwargs


def _argument(tree: ast.expr, expression: Expression, env: Env) -> Any:
    """The value of an argument; most are a word or a number, and need no more than a look."""
    if type(tree) is ast.Constant and type(tree.value) is int and -MAX_SIZE < tree.value < MAX_SIZE:
        return tree.value
    if type(tree) is ast.Name:
        name = tree.id
        if name in env.locals:
            return env.locals[name]
        if name != "x" and name in env.walk.names:
            return env.walk.names[name]
    return evaluate(expression, env, tree)


def bind(
    needed: Mapping[str, bool],
    args: list[Any],
    kwargs: dict[str, Any],
    tree: ast.expr,
    expression: Expression,
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
    call = tree if isinstance(tree, ast.Call) else None
    if len(args) > len(order):
        assert call is not None
        most = f"at most {len(order)} argument{'s' if len(order) > 1 else ''}"
        raise expression.error(
            f"{name} takes {most}, and here are {len(args)}" if order else f"{name} takes no arguments",
            call.args[len(order)],
            help=usage_() if order else f"write {name} alone",
        )
    found = dict(zip(order, args, strict=False))
    for position, (key, value) in enumerate(kwargs.items()):
        assert call is not None
        if key not in needed:
            raise expression.error(
                f"{name} has no argument {shorten(key)}",
                call.keywords[position],
                help=argument_meant(key, order, otherwise=usage_() if order else f"write {name} alone"),
            )
        if key in found:
            raise expression.error(f"{name} is given {key} twice", call.keywords[position], help=usage_())
        found[key] = value
    missing = [key for key in order if needed[key] and key not in found]
    if missing:
        raise expression.error(
            f"{name} is missing its argument{'s' if len(missing) > 1 else ''} {' and '.join(missing)}",
            tree,
            help=usage_(),
        )
    return found


WHOLE = "int(...), round(...) or divisible(...) makes it whole"


def make(
    kind: type[Op], args: list[Any], kwargs: dict[str, Any], tree: ast.Name | ast.Call, expression: Expression
) -> Op:
    """An op from its arguments, each checked against what the attribute accepts."""
    parameters = signature(kind)
    found = bind(
        required(kind),  # type: ignore[arg-type]  # an op has a hash of its own, its class the usual
        args, kwargs, tree, expression, kind.kind, lambda: usage_of(kind),
    )  # fmt: skip
    for position, (name, value) in enumerate(found.items()):
        accepted = parameters[name].kind.accept(value)
        if accepted is None:
            assert isinstance(tree, ast.Call)
            part: ast.AST = (
                tree.args[position] if position < len(args) else tree.keywords[position - len(args)]
            )
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
            raise expression.error(
                f"the {name} of {kind.kind} must be {parameters[name].kind.says}, not "
                f"{describe(value)}{nothing}",
                part,
                help=help,
            )
        found[name] = None if accepted is DEFAULT else accepted
    return kind(**found)


@cache
def required(kind: type[Op]) -> dict[str, bool]:
    """Whether each attribute of an op must be given."""
    return {name: parameter.required for name, parameter in signature(kind).items()}


def usage_of(kind: type[Op]) -> str:
    """How an op is called: ``conv(channels, kernel, stride=1, …)``."""
    words = []
    for name, parameter in signature(kind).items():
        default = parameter.default
        shown = (
            {True: "true", False: "false", None: "none"}.get(default, default)
            if not isinstance(default, int | float) or isinstance(default, bool)
            else default
        )
        words.append(
            name if parameter.required
            else f'{name}="{shown}"' if isinstance(default, str)
            else f"{name}={shown}"
        )  # fmt: skip
    return f"{kind.kind}({', '.join(words)})"


def usage_of_block(block: Block) -> str:
    shown = [
        name if default is None else f"{name}={ast.unparse(default[1])}"
        for name, default in block.parameters.items()
    ]
    return f"{block.name}({', '.join(shown)})"
