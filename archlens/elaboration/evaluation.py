"""Expressions evaluated, by a rule for each piece of the grammar; never by Python."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Collection
from typing import Any

from ..errors import did_you_mean, shorten
from ..formulas import Filled, Number, Real
from ..language.expression import MAX_TEXT, Expression, Parts
from ..language.synonyms import op_meant
from .functions import FUNCTIONS, Misuse
from .values import (
    MAX_BITS,
    MAX_ITEMS,
    NUMBERS,
    OPAQUE,
    TENSORS,
    WHOLE,
    Deferred,
    Inputs,
    Namespace,
    Tensor,
    describe,
    is_template,
    size_of,
)


class Problem(Exception):
    """An expression cannot be evaluated; ``tree`` is the part that is to blame."""

    def __init__(self, tree: ast.AST, message: str, help: str = "") -> None:
        super().__init__(message)
        self.tree = tree
        self.message = message
        self.help = help


def evaluate(expression: Expression, scope: Namespace, tree: ast.expr | None = None) -> Any:
    """The value of an expression, or of a part of it.

    Lists are tuples. A call of an op or a block is a :class:`Deferred` step, not yet run.

    Raises:
        SpecError: it has no value; the diagnostic points at the part that is to blame.
    """
    tree = expression.tree if tree is None else tree
    scope.spend((tree.end_col_offset or 0) - tree.col_offset >> 2, tree, expression)
    try:
        return _value(tree, expression, scope)
    except Problem as problem:
        raise expression.error(problem.message, problem.tree, help=problem.help) from None


def _value(tree: ast.expr, expression: Expression, scope: Namespace) -> Any:
    return _RULES[type(tree)](tree, expression, scope)


def _constant(tree: ast.Constant, expression: Expression, scope: Namespace) -> Any:
    if expression.texts is not None and tree in expression.texts:
        return filled(expression.texts[tree], scope)
    return _bounded(tree.value, tree)


def filled(parts: Parts, scope: Namespace, *, remembering: bool = False) -> str:
    """A text with the values of the expressions in its braces.

    Args:
        parts: the text, and the expressions in it.
        scope: what their names stand for.
        remembering: whether numbers that remember how they were made stand in it as such, for who reads them.

    Raises:
        SpecError: one of them is neither a whole number nor a text, or the text becomes too long.
    """
    words: list[Any] = []
    length = 0
    remembered = False
    for part in parts:
        if isinstance(part, Expression):
            value = evaluate(part, scope)
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            if remembering and type(value) is Number:
                words.append(value)
                remembered = True
                continue
            if isinstance(value, Number):
                value = value.pinned(f"the text {shorten(ast.unparse(part.tree))}")
            if not isinstance(value, int | str) or isinstance(value, bool):
                raise part.error(
                    f"braces take a whole number or a string, not {describe(value)}",
                    help="// divides without a remainder"
                    if isinstance(value, float)
                    else "a string that is the name of an op needs quotes of its own: \"'relu'\""
                    if is_template(value)
                    else "",
                )
            words.append(str(value))
            length += len(words[-1])
            scope.spend(len(words[-1]) >> 6, part.tree, part)
            if length > MAX_TEXT:  # else texts of texts of texts would grow without end
                raise part.error(f"with this the text is longer than the {MAX_TEXT:,} characters allowed")
        else:
            words.append(part)
    return Filled.of(words) if remembered else "".join(words)


def _name(tree: ast.Name, expression: Expression, scope: Namespace) -> Any:
    try:
        return scope.lookup(tree.id)
    except KeyError:
        if tree.id in FUNCTIONS:
            raise Problem(tree, f"{tree.id} is a function, but it is not called here") from None
        brought = scope.brought(tree.id, tree, expression)
        if brought is not None:
            return brought
        quotes = "a string needs quotes"
        if not expression.node.plain:
            quotes += " of its own within those of YAML"
        raise Problem(
            tree,
            f"the name {shorten(tree.id)} is not known here",
            scope.hint(tree.id) or op_meant(tree.id, [*scope.known(), *FUNCTIONS], otherwise=quotes),
        ) from None


def path_in(tree: ast.expr, scope: Collection[str]) -> str:
    """The path of a step that is written without quotes, as in ``ref(encoder.conv)``; empty where it is none.

    What starts with a name that has a value is no path, and asks for a part of that value.
    """
    names = []
    while isinstance(tree, ast.Attribute):
        names.append(tree.attr)
        tree = tree.value
    if not names or not isinstance(tree, ast.Name) or tree.id in ("x", "input") or tree.id in scope:
        return ""
    return ".".join((tree.id, *reversed(names)))


#: What can be asked of a tensor.
TENSOR_ATTRIBUTES = ("channels", "depth", "height", "width", "length", "numel")


def _attribute(tree: ast.Attribute, expression: Expression, scope: Namespace) -> Any:
    value = _value(tree.value, expression, scope)
    name = tree.attr
    if isinstance(value, Inputs):
        if name in value.tensors:
            return value.tensors[name]
        has = f"the inputs are {', '.join(value.tensors)}, as in input.{next(iter(value.tensors))}.channels"
        raise Problem(
            tree, f"there is no input {shorten(name)}", did_you_mean(name, value.tensors, otherwise=has)
        )
    if not isinstance(value, Tensor):
        raise Problem(
            tree,
            f"only a tensor has attributes, as in x.channels; this is {describe(value)}",
        )
    shape = value.shape
    found = shape.size(name)
    if found is not None:
        scope.asked(value, name, found)
        return found
    if name in TENSOR_ATTRIBUTES:
        has = f"its axes: {', '.join(shape.axes)}" if shape.axes else "a flat vector has only channels"
        raise Problem(tree, f"{describe(value)} has no {name}", has)
    raise Problem(
        tree,
        f"a tensor has no attribute {shorten(name)}",
        did_you_mean(name, TENSOR_ATTRIBUTES, otherwise=f"it has {', '.join(TENSOR_ATTRIBUTES)}"),
    )


def _call(tree: ast.Call, expression: Expression, scope: Namespace) -> Any:
    if not isinstance(tree.func, ast.Name):
        raise not_callable(tree.func, scope)
    name = tree.func.id
    if name == "ref":
        return scope.ref(tree, expression)
    if name == "again":
        return Deferred(tree, expression, scope)
    known = True
    try:
        value = scope.lookup(name)
    except KeyError:
        value = None if name in FUNCTIONS else scope.brought(name, tree.func, expression)
        known = value is not None
        if name not in FUNCTIONS and not known:
            raise Problem(
                tree.func,
                f"there is no function, op or block {shorten(name)}",
                scope.hint(name)
                or op_meant(
                    name,
                    [*FUNCTIONS, *scope.known()],
                    otherwise=f"the functions are {', '.join(FUNCTIONS)}",
                ),
            ) from None
    if is_template(value) or isinstance(value, Deferred):
        return Deferred(tree, expression, scope)
    if known:
        raise Problem(tree.func, f"{name} is {describe(value)}, and cannot be called")
    args = [_value(arg, expression, scope) for arg in tree.args]
    kwargs = {str(key.arg): _value(key.value, expression, scope) for key in tree.keywords}
    function, written = FUNCTIONS[name]
    for value in (*args, *kwargs.values()):
        if isinstance(value, tuple):
            scope.spend(len(value) >> 3, tree, expression)
    try:
        result = _bounded(function(*args, **kwargs), tree)
    except Misuse as problem:
        raise Problem(tree, f"{name} cannot be used like this: {problem}", written) from None
    except (TypeError, ValueError, ArithmeticError):  # too many arguments, or too few, or out of range
        raise Problem(tree, f"{name} cannot be used like this", f"it is used as {written}") from None
    if isinstance(result, tuple):
        scope.spend(len(result) >> 3, tree, expression)
    return result


def not_callable(tree: ast.expr, scope: Namespace) -> Problem:
    """What is wrong with calling anything but a name: ``nn.Conv2d(...)``, ``conv(64, 1)(x)``."""
    meant = tree.attr if isinstance(tree, ast.Attribute) else ""
    return Problem(tree, "only a name can be called", op_meant(meant, scope.known()) if meant else "")


def _binary(tree: ast.BinOp, expression: Expression, scope: Namespace) -> Any:
    if isinstance(tree.op, ast.RShift):
        return Deferred(tree, expression, scope)
    left = _value(tree.left, expression, scope)
    if isinstance(left, Deferred) or is_template(left):
        if isinstance(tree.op, ast.Mult):
            return Deferred(tree, expression, scope)
        raise _nothing_else(tree)
    right = _value(tree.right, expression, scope)
    if isinstance(right, Deferred) or is_template(right):
        raise repeats_first(tree)
    symbol, function = _BINARY[type(tree.op)]
    number = isinstance(left, NUMBERS) and isinstance(right, NUMBERS)
    lists = isinstance(left, tuple) and isinstance(right, tuple) and symbol == "+"
    repeat = isinstance(left, tuple) and isinstance(right, WHOLE) and symbol == "*"
    if not (number or lists or repeat):
        raise Problem(tree, f"{describe(left)} {symbol} {describe(right)} has no meaning")
    if repeat and len(left) * right > MAX_ITEMS:
        items = f"{len(left) * right:,}"
        raise Problem(tree, f"a list of {items} items is more than the {MAX_ITEMS:,} allowed")
    if symbol == "**" and number and _power_bits(left, right) > MAX_BITS:
        raise Problem(tree, f"this number would have more than {MAX_BITS} bits")
    try:
        result = _bounded(function(left, right), tree)
        if not number:
            scope.spend(len(result) >> 3, tree, expression)
        return result
    except ZeroDivisionError:
        raise Problem(tree, "this divides by zero") from None
    except (OverflowError, ValueError):
        raise Problem(tree, "this number is out of range") from None


def repeats_first(tree: ast.BinOp) -> Problem:
    """What is wrong with ``3 * relu``."""
    if not isinstance(tree.op, ast.Mult):
        return _nothing_else(tree)
    turned = ast.unparse(ast.BinOp(tree.right, tree.op, tree.left))
    return Problem(tree, "the step comes first and the number of repeats second", f"write {shorten(turned)}")


def _nothing_else(tree: ast.BinOp) -> Problem:
    """What is wrong with ``relu + tanh``, and with a list item that YAML took for a text's second line."""
    dash = "the dashes of a list are all in the same column"
    return Problem(
        tree,
        "a step can be repeated with * and joined with >>, and nothing else",
        dash if isinstance(tree.op, ast.Sub) else "",
    )


def _power_bits(base: Any, exponent: Any) -> float:
    if any(isinstance(one, float | Real) for one in (base, exponent)) or exponent <= 0 or abs(base) < 2:
        return 0
    return float((base.bit_length() - 1) * exponent)


def _unary(tree: ast.UnaryOp, expression: Expression, scope: Namespace) -> Any:
    value = _value(tree.operand, expression, scope)
    if isinstance(tree.op, ast.Not):
        return not _truth(value, tree.operand)
    if not isinstance(value, NUMBERS):
        raise Problem(tree, f"{describe(value)} has no sign")
    return -value if isinstance(tree.op, ast.USub) else +value


def _boolean(tree: ast.BoolOp, expression: Expression, scope: Namespace) -> Any:
    value: Any = None
    stop_at = isinstance(tree.op, ast.Or)
    for part in tree.values:
        value = _value(part, expression, scope)
        if bool(_truth(value, part)) is stop_at:
            return value
    return value


def _truth(value: Any, tree: ast.expr) -> Any:
    if isinstance(value, TENSORS):
        name = tree.id if isinstance(tree, ast.Name) and tree.id != "x" else ""
        asked = f"`{name} == none` asks whether there is one" if name else "a condition may ask for its sizes"
        raise Problem(tree, f"{describe(value)} is neither true nor false", asked)
    return value  # a block, an op or a step is true, as opposed to none


def _compare(tree: ast.Compare, expression: Expression, scope: Namespace) -> Any:
    left = _value(tree.left, expression, scope)
    for op, part in zip(tree.ops, tree.comparators, strict=True):
        right = _value(part, expression, scope)
        symbol, function = _COMPARISONS[type(op)]
        for value in (left, right):
            if isinstance(value, tuple):
                scope.spend(size_of(value) >> 3, tree, expression)
        try:
            if (isinstance(left, OPAQUE) or isinstance(right, OPAQUE)) and not (
                symbol in ("==", "!=") and None in (left, right)
            ):
                raise TypeError
            if not function(left, right):
                return False
        except TypeError:
            steps = any(isinstance(value, Deferred) or is_template(value) for value in (left, right))
            raise Problem(
                tree,
                f"{describe(left)} {symbol} {describe(right)} has no meaning",
                "steps are joined with >>" if steps and symbol == ">" else "",
            ) from None
        left = right
    return True


def _conditional(tree: ast.IfExp, expression: Expression, scope: Namespace) -> Any:
    return _value(_chosen(tree, expression, scope), expression, scope)


def _chosen(tree: ast.IfExp, expression: Expression, scope: Namespace) -> ast.expr:
    test = _truth(_value(tree.test, expression, scope), tree.test)
    return tree.body if test else tree.orelse


def choose(expression: Expression, scope: Namespace, tree: ast.IfExp) -> ast.expr:
    """Which side of ``a if condition else b`` it is.

    Raises:
        SpecError: the condition has no value, or is neither true nor false.
    """
    scope.spend((tree.end_col_offset or 0) - tree.col_offset >> 2, tree, expression)
    try:
        return _chosen(tree, expression, scope)
    except Problem as problem:
        raise expression.error(problem.message, problem.tree, help=problem.help) from None


def _list(tree: ast.Tuple | ast.List, expression: Expression, scope: Namespace) -> Any:
    items = tuple(_value(item, expression, scope) for item in tree.elts)
    scope.spend(len(items) >> 3, tree, expression)
    return _bounded(items, tree)


def _subscript(tree: ast.Subscript, expression: Expression, scope: Namespace) -> Any:
    value = _value(tree.value, expression, scope)
    if isinstance(tree.slice, ast.Slice):
        return _part(value, tree, tree.slice, expression, scope)
    index = _index(tree.slice, expression, scope)
    if not isinstance(value, tuple):
        raise Problem(tree, f"{describe(value)} is not a list, so it has no items")
    if not -len(value) <= index < len(value):
        has = (
            f"the list has {len(value)}, numbered from 0 to {len(value) - 1}"
            if value
            else "the list is empty"
        )
        raise Problem(tree, f"there is no item {index}: {has}")
    return value[index]


def _part(value: Any, tree: ast.Subscript, part: ast.Slice, expression: Expression, scope: Namespace) -> Any:
    """The items of a list from one position up to another: ``depths[:2]``, ``depths[2:]``."""
    if part.step is not None:
        raise Problem(part, "a slice of a list has a start and a stop, but no step", "as in depths[1:3]")
    start, stop = (
        None if end is None else _index(end, expression, scope) for end in (part.lower, part.upper)
    )
    if not isinstance(value, tuple):
        raise Problem(tree, f"{describe(value)} is not a list, so it has no items")
    found = value[start:stop]
    scope.spend(len(found) >> 3, tree, expression)
    return found


def _index(tree: ast.expr, expression: Expression, scope: Namespace) -> int:
    index = _value(tree, expression, scope)
    if not isinstance(index, WHOLE) or isinstance(index, bool):
        raise Problem(tree, f"an index is a whole number, not {describe(index)}")
    return int(index)


_RULES: dict[type[ast.AST], Callable[[Any, Expression, Namespace], Any]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Tuple: _list,
    ast.List: _list,
    ast.Subscript: _subscript,
}

_BINARY: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", operator.pow),
}

_COMPARISONS: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.In: ("in", lambda a, b: a in b),
    ast.NotIn: ("not in", lambda a, b: a not in b),
}


def _bounded(value: Any, tree: ast.AST) -> Any:
    """The value, unless it is too large to go on with."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Problem(tree, "this number is out of range")
    elif isinstance(value, WHOLE):
        if value.bit_length() > MAX_BITS:
            raise Problem(tree, f"this number has more than {MAX_BITS} bits")
    elif isinstance(value, tuple):
        if size_of(value) > MAX_ITEMS:
            raise Problem(tree, f"this list holds more than the {MAX_ITEMS:,} items allowed")
    elif isinstance(value, complex):
        raise Problem(tree, "this has no real value")
    return value
