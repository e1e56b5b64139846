"""What a call in a spec gives to an op or a block."""

from __future__ import annotations

import ast
from typing import Any

from ..bounds import MAX_SIZE
from ..errors import SpecError, error
from ..language.expression import Expression
from ..language.steps import Experts, Merge, usage_of_merge
from ..ops import Op
from ..ops.op import signature
from .binding import Refused
from .evaluation import evaluate, filled
from .scope import Env
from .values import size_of


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
            return expression.error(f"the string {word} needs quotes", argument, help=f'{name}="{word}"')
    return None


def arguments(
    tree: ast.Name | ast.Call,
    expression: Expression,
    env: Env,
    *,
    but: tuple[str, ...] = (),
    remembering: bool = False,
) -> tuple[list[Any], dict[str, Any]]:
    """The values of the arguments of a call, but for some that are read otherwise; a lone name gives none.

    Args:
        tree: the call, in an expression.
        expression: which that is.
        env: what names stand for.
        but: the names of arguments that are read otherwise.
        remembering: whether texts hold numbers that remember how they were made.
    """
    if isinstance(tree, ast.Name):
        return [], {}
    args = [_argument(arg, expression, env, remembering) for arg in tree.args]
    kwargs: dict[str, Any] = {}
    for key in tree.keywords:
        assert key.arg is not None  # unpacking with ** was refused where the expression was read
        if key.arg in but:
            continue
        kwargs[key.arg] = _argument(key.value, expression, env, remembering)
    for value in (*args, *kwargs.values()):
        if type(value) is tuple:
            env.spend(size_of(value) >> 3, tree, expression)
    return args, kwargs


def _argument(tree: ast.expr, expression: Expression, env: Env, remembering: bool) -> Any:
    """The value of an argument; most are a word or a number, and need no more than a look."""
    if type(tree) is ast.Constant and type(tree.value) is int and -MAX_SIZE < tree.value < MAX_SIZE:
        return tree.value
    if type(tree) is ast.Name:
        name = tree.id
        if name in env.locals:
            return env.locals[name]
        if name != "x" and name in env.file.names:
            return env.file.names[name]
    if remembering and expression.texts is not None and tree in expression.texts:
        return filled(expression.texts[tree], env, remembering=True)
    return evaluate(expression, env, tree)


def refused_in(tree: ast.expr, expression: Expression) -> Refused:
    """The diagnostics of a call in a spec point at the argument."""

    def refused(message: str, part: int | str | None, help: str) -> SpecError:
        place: ast.AST = tree
        if isinstance(tree, ast.Call) and part is not None:
            keywords = {key.arg: key for key in tree.keywords}
            place = tree.args[part] if isinstance(part, int) else keywords[part]
        return expression.error(message, place, help=help)

    return refused


def refused_by(merge: Merge | Experts) -> Refused:
    """The diagnostics of what stands beside the branches of a merge point at its key."""

    def refused(message: str, part: int | str | None, help: str) -> SpecError:
        if isinstance(part, str):
            return error(message, merge.arguments[part][0].span, help=help)
        return error(message, merge.where.span, help=usage_of_merge(merge.form))

    return refused
