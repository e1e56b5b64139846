"""The Python-looking expressions of a spec: parsed with ``ast``, interpreted over a white list.

Nothing is ever compiled or evaluated by Python. What is not listed here does not exist, and every
number, list and tree is bounded, so a hostile spec ends in a diagnostic.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import Span, SpecError, did_you_mean, error, shorten
from ..ops import Op
from ..shape import Shape
from .document import Scalar

#: Bounds: on a text, the depth of its tree, the bits of a number, and the items of a list.
MAX_TEXT = 20_000
MAX_NESTING = 80
MAX_BITS = 100
MAX_ITEMS = 100_000


@dataclass(slots=True, eq=False)
class Expression:
    """A parsed expression and the scalar that it was written in."""

    text: str
    tree: ast.expr
    node: Scalar
    offset: int  # of the text within the scalar's source; -1 where they differ, as in folded text

    def span(self, tree: ast.AST | None = None) -> Span:
        """The place of a part of the expression, or of the whole of it."""
        if self.offset < 0:
            return self.node.span
        start, stop = 0, len(self.text)
        if tree is not None and isinstance(tree, ast.expr | ast.keyword):
            line = self.text.encode()
            start = len(line[: tree.col_offset].decode(errors="ignore"))
            stop = len(line[: tree.end_col_offset].decode(errors="ignore"))
        return _place(self.node, self.offset + start, stop - start)

    def error(self, message: str, tree: ast.AST | None = None, *, help: str = "") -> SpecError:
        """A diagnostic that points at a part of the expression."""
        return error(message, self.span(tree), help=help)


def _place(node: Scalar, index: int, width: int) -> Span:
    """The span of ``width`` characters at ``index`` of the source, which is in or after ``node``."""
    passed = node.source.text[node.index : index]
    if "\n" not in passed:
        return Span(node.source, node.line, node.column + len(passed), max(width, 1))
    return Span(node.source, node.line + passed.count("\n"), len(passed) - passed.rfind("\n"), max(width, 1))


@dataclass(slots=True, eq=False)
class Tensor:
    """What flows from step to step: the name of the layer (or input) it comes from, and its shape."""

    name: str
    shape: Shape


@dataclass(slots=True, eq=False)
class Inputs:
    """The network's inputs by name, where there are several."""

    tensors: dict[str, Tensor]


@dataclass(slots=True, eq=False)
class Deferred:
    """A step as a value: it runs where it is placed, with the names of where it was written."""

    tree: ast.expr
    expression: Expression
    scope: Scope


class Scope(Protocol):
    """Where the names of an expression are looked up."""

    def lookup(self, name: str) -> Any:
        """The value of a name.

        Raises:
            KeyError: there is none.
        """

    def ref(self, tree: ast.expr, expression: Expression) -> Tensor:
        """The tensor that ``ref(...)`` names."""

    def known(self) -> Iterable[str]:
        """Every name that could have been meant."""


#: Values that can be passed on and asked for attributes, but not computed with.
_OPAQUE = (Tensor, Inputs, Deferred)


def is_template(value: Any) -> bool:
    """Whether a value makes steps when it is called."""
    return isinstance(value, Block) or (isinstance(value, type) and issubclass(value, Op))


@dataclass(slots=True, eq=False)
class Block:
    """A reusable group of steps: its parameters, in order, with their defaults; and its body."""

    name: str
    parameters: dict[str, tuple[Expression, ast.expr] | None]
    body: Any
    span: Span


def parse(node: Scalar) -> Expression:
    """The expression in a scalar.

    Raises:
        SpecError: it is no expression, or holds what the language does not have.
    """
    value = node.value
    start = node.index + (0 if node.plain else 1)
    offset = start if node.source.text.startswith(value, start) else -1
    stripped = value.lstrip()
    if offset >= 0:
        offset += len(value) - len(stripped)
    return parse_part(stripped.rstrip().replace("\n", " "), node, offset)


def parse_part(text: str, node: Scalar, offset: int) -> Expression:
    """The expression in a part of a scalar; ``offset`` is where it starts in the source, or -1."""
    if len(text) > MAX_TEXT:
        raise node.error(f"an expression of {len(text):,} characters is more than the {MAX_TEXT:,} allowed")
    if not text:
        raise node.error("here an expression is missing")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise _syntax_error(problem, text, node, offset) from None
    expression = Expression(text, tree, node, offset)
    check(expression)
    return expression


def _syntax_error(problem: Exception, text: str, node: Scalar, offset: int) -> SpecError:
    if node.in_flow and text.count("(") != text.count(")"):
        return node.error(
            f"{shorten(text)} is only part of an expression: within [...] and {{...}} YAML splits at "
            "every comma",
            help="write a block list with one step per line, put quotes around each step, or join "
            "steps with >>",
        )
    if isinstance(problem, RecursionError | MemoryError) or "too many nested" in str(problem):
        return node.error(f"this expression is nested more than {MAX_NESTING} deep")
    span = node.span
    reason = "it is not complete"
    if isinstance(problem, SyntaxError):
        reason = (problem.msg or reason).partition(". Perhaps")[0].partition(". Maybe")[0]
        if offset >= 0 and problem.offset and problem.lineno == 1:
            width = max((problem.end_offset or 0) - problem.offset, 1) if problem.end_lineno == 1 else 1
            span = _place(node, offset + min(problem.offset - 1, len(text) - 1), width)
    else:
        reason = "it holds a number that is too long" if "digit" in str(problem) else str(problem)
    help = ""
    if text.count("(") > text.count(")"):
        help = "a bracket is not closed"
    elif re.match(r"[A-Za-z_]\w*\s*:", text):
        help = "a name and its step stand as `- name: step`, with a space after the colon"
    return error(f"{shorten(text)} is not an expression: {reason}", span, help=help)


#: The pieces of Python's grammar that the language has, and what each is called in a message.
_ALLOWED = (
    ast.Constant, ast.Name, ast.Attribute, ast.Call, ast.keyword, ast.BinOp, ast.UnaryOp, ast.BoolOp,
    ast.Compare, ast.IfExp, ast.Tuple, ast.List, ast.Subscript,
    ast.Load, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.RShift,
    ast.USub, ast.UAdd, ast.Not, ast.And, ast.Or,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
)  # fmt: skip


def check(expression: Expression) -> None:
    """Refuse what the language does not have, and trees that are too deep."""
    level: list[ast.AST] = [expression.tree]
    for _ in range(MAX_NESTING):
        below: list[ast.AST] = []
        for tree in level:
            if not isinstance(tree, _ALLOWED):
                raise _refused(expression, tree)
            if isinstance(tree, ast.Constant) and not isinstance(tree.value, int | float | str | None):
                raise expression.error(f"{tree.value!r} is no value of the language", tree)
            below += _unrolled(tree)
        if not below:
            return
        level = below
    raise expression.error(f"this expression is nested more than {MAX_NESTING} deep")


def _unrolled(tree: ast.AST) -> Iterator[ast.AST]:
    """The parts of a tree; a chain ``a >> b >> c`` counts as one level, however long it is."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.RShift):
        yield from steps_of(tree)
    else:
        yield from ast.iter_child_nodes(tree)


def steps_of(tree: ast.expr) -> list[ast.expr]:
    """The steps of a chain ``a >> b >> c``, in order; of anything else, itself."""
    steps: list[ast.expr] = []
    while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.RShift):
        steps.append(tree.right)
        tree = tree.left
    steps.append(tree)
    steps.reverse()
    return steps


def _refused(expression: Expression, tree: ast.AST) -> SpecError:
    help = ""
    if isinstance(tree, ast.BitOr | ast.BitAnd | ast.BitXor | ast.LShift | ast.MatMult | ast.Invert):
        what = "this operator"
        help = "steps are joined with >>; there are + - * / // % **, comparisons, and, or, not"
        tree = expression.tree
    else:
        name = type(tree).__name__
        words = {
            "Lambda": "a lambda", "ListComp": "a comprehension", "GeneratorExp": "a comprehension",
            "DictComp": "a comprehension", "SetComp": "a comprehension", "Dict": "a dict", "Set": "a set",
            "JoinedStr": "an f-string", "Starred": "unpacking with *", "Await": "await",
            "NamedExpr": "an assignment", "Slice": "a slice",
        }  # fmt: skip
        what = words.get(name, "this")
        if name in ("ListComp", "GeneratorExp"):
            help = "repeat steps with `step * n`, or with each: / in: / do:"
        if name == "Dict":
            help = "quote text that starts with {"
    return expression.error(f"{what} is not part of the expression language", tree, help=help)


class Problem(Exception):
    """An expression cannot be evaluated; ``tree`` is the part that is to blame."""

    def __init__(self, tree: ast.AST, message: str, help: str = "") -> None:
        super().__init__(message)
        self.tree = tree
        self.message = message
        self.help = help


def evaluate(expression: Expression, scope: Scope, tree: ast.expr | None = None) -> Any:
    """The value of an expression, or of a part of it.

    Lists are tuples. A call of an op or a block is a :class:`Deferred` step, not yet run.

    Raises:
        SpecError: it has no value; the diagnostic points at the part that is to blame.
    """
    tree = expression.tree if tree is None else tree
    try:
        return _value(tree, expression, scope)
    except Problem as problem:
        raise expression.error(problem.message, problem.tree, help=problem.help) from None


def _value(tree: ast.expr, expression: Expression, scope: Scope) -> Any:
    return _RULES[type(tree)](tree, expression, scope)


def _constant(tree: ast.Constant, expression: Expression, scope: Scope) -> Any:
    return _bounded(tree.value, tree)


def _name(tree: ast.Name, expression: Expression, scope: Scope) -> Any:
    try:
        return scope.lookup(tree.id)
    except KeyError:
        if tree.id in FUNCTIONS:
            raise Problem(tree, f"{tree.id} is a function, and here it is not called") from None
        raise Problem(
            tree,
            f"the name {shorten(tree.id)} is not known here",
            did_you_mean(tree.id, [*scope.known(), *FUNCTIONS], otherwise="a text needs quotes"),
        ) from None


#: What can be asked of a tensor.
TENSOR_ATTRIBUTES = ("channels", "depth", "height", "width", "length", "numel")


def _attribute(tree: ast.Attribute, expression: Expression, scope: Scope) -> Any:
    value = _value(tree.value, expression, scope)
    name = tree.attr
    if isinstance(value, Inputs):
        if name in value.tensors:
            return value.tensors[name]
        raise Problem(tree, f"there is no input {shorten(name)}", did_you_mean(name, value.tensors))
    if not isinstance(value, Tensor):
        raise Problem(
            tree,
            f"only a tensor has attributes, as in x.channels; this is {describe(value)}",
        )
    shape = value.shape
    if name == "channels":
        return shape.channels
    if name == "numel":
        return shape.numel
    if name in shape.axes:
        return shape[1 + shape.axes.index(name)]
    if name in TENSOR_ATTRIBUTES:
        has = ", ".join(shape.axes) or "a flat vector has only channels"
        raise Problem(tree, f"{shape} has no {name}", f"its axes: {has}")
    raise Problem(
        tree,
        f"a tensor has no attribute {shorten(name)}",
        did_you_mean(name, TENSOR_ATTRIBUTES, otherwise=f"it has {', '.join(TENSOR_ATTRIBUTES)}"),
    )


def _call(tree: ast.Call, expression: Expression, scope: Scope) -> Any:
    if not isinstance(tree.func, ast.Name):
        raise Problem(tree.func, "only a name can be called")
    name = tree.func.id
    if name == "ref":
        return scope.ref(tree, expression)
    try:
        value = scope.lookup(name)
    except KeyError:
        value = None
        if name not in FUNCTIONS:
            _name(tree.func, expression, scope)  # says that it is not known, with a suggestion
    if is_template(value) or isinstance(value, Deferred):
        return Deferred(tree, expression, scope)
    if value is not None:
        raise Problem(tree.func, f"{name} is {describe(value)}, and cannot be called")
    args = [_value(arg, expression, scope) for arg in tree.args]
    kwargs = {str(key.arg): _value(key.value, expression, scope) for key in tree.keywords}
    if any(isinstance(v, Deferred) or is_template(v) for v in (*args, *kwargs.values())):
        raise Problem(tree, f"{name} works on numbers, and this is a step")
    try:
        return _bounded(FUNCTIONS[name](*args, **kwargs), tree)
    except (TypeError, ValueError, OverflowError, ArithmeticError) as problem:
        raise Problem(tree, f"{name} cannot be used so: {_reason(problem, name)}") from None


def _reason(problem: Exception, name: str) -> str:
    text = re.sub(r"^_?\w+\(\) ", "it ", str(problem))
    return shorten(text.replace("'tuple'", "a list").replace("'NoneType'", "none"), 120)


def _binary(tree: ast.BinOp, expression: Expression, scope: Scope) -> Any:
    if isinstance(tree.op, ast.RShift):
        return Deferred(tree, expression, scope)
    left = _value(tree.left, expression, scope)
    if isinstance(left, Deferred) or is_template(left):
        if isinstance(tree.op, ast.Mult):
            return Deferred(tree, expression, scope)
        raise Problem(tree, "a step can be repeated with * and joined with >>, and nothing else")
    right = _value(tree.right, expression, scope)
    if isinstance(right, Deferred) or is_template(right):
        raise Problem(
            tree,
            "the step stands first and the number of repeats second",
            f"{expression.text[:40]}: write step * n" if isinstance(tree.op, ast.Mult) else "",
        )
    symbol, function = _BINARY[type(tree.op)]
    number = isinstance(left, int | float) and isinstance(right, int | float)
    lists = isinstance(left, tuple) and isinstance(right, tuple) and symbol == "+"
    repeat = isinstance(left, tuple) and isinstance(right, int) and symbol == "*"
    if not (number or lists or repeat):
        raise Problem(tree, f"{describe(left)} {symbol} {describe(right)} has no meaning")
    if repeat and len(left) * right > MAX_ITEMS:
        raise Problem(tree, f"a list of {len(left) * right:,} items is more than the {MAX_ITEMS:,} allowed")
    if symbol == "**" and number and _power_bits(left, right) > MAX_BITS:
        raise Problem(tree, f"this number would have more than {MAX_BITS} bits")
    try:
        return _bounded(function(left, right), tree)
    except ZeroDivisionError:
        raise Problem(tree, "this divides by zero") from None
    except (OverflowError, ValueError):
        raise Problem(tree, "this number is out of range") from None


def _power_bits(base: Any, exponent: Any) -> float:
    if isinstance(base, float) or isinstance(exponent, float) or exponent <= 0 or abs(base) < 2:
        return 0
    return float((base.bit_length() - 1) * exponent)


def _unary(tree: ast.UnaryOp, expression: Expression, scope: Scope) -> Any:
    value = _value(tree.operand, expression, scope)
    if isinstance(tree.op, ast.Not):
        return not _truth(value, tree.operand)
    if not isinstance(value, int | float):
        raise Problem(tree, f"{describe(value)} has no sign")
    return -value if isinstance(tree.op, ast.USub) else +value


def _boolean(tree: ast.BoolOp, expression: Expression, scope: Scope) -> Any:
    value: Any = None
    stop_at = isinstance(tree.op, ast.Or)
    for part in tree.values:
        value = _value(part, expression, scope)
        if bool(_truth(value, part)) is stop_at:
            return value
    return value


def _truth(value: Any, tree: ast.expr) -> Any:
    if isinstance(value, Tensor | Inputs):
        raise Problem(tree, f"{describe(value)} is neither true nor false")
    return value  # a block, an op or a step is true, as opposed to none


def _compare(tree: ast.Compare, expression: Expression, scope: Scope) -> Any:
    left = _value(tree.left, expression, scope)
    for op, part in zip(tree.ops, tree.comparators, strict=True):
        right = _value(part, expression, scope)
        symbol, function = _COMPARISONS[type(op)]
        try:
            if isinstance(left, _OPAQUE) or isinstance(right, _OPAQUE):
                raise TypeError
            if not function(left, right):
                return False
        except TypeError:
            raise Problem(tree, f"{describe(left)} {symbol} {describe(right)} has no meaning") from None
        left = right
    return True


def _conditional(tree: ast.IfExp, expression: Expression, scope: Scope) -> Any:
    test = _truth(_value(tree.test, expression, scope), tree.test)
    return _value(tree.body if test else tree.orelse, expression, scope)


def _list(tree: ast.Tuple | ast.List, expression: Expression, scope: Scope) -> Any:
    return tuple(_value(item, expression, scope) for item in tree.elts)


def _subscript(tree: ast.Subscript, expression: Expression, scope: Scope) -> Any:
    value = _value(tree.value, expression, scope)
    index = _value(tree.slice, expression, scope)
    if not isinstance(value, tuple):
        raise Problem(tree, f"{describe(value)} is not a list, so it has no items")
    if not isinstance(index, int) or isinstance(index, bool):
        raise Problem(tree.slice, f"an index is a whole number, not {describe(index)}")
    if not -len(value) <= index < len(value):
        raise Problem(
            tree, f"there is no item {index}: the list has {len(value)}, numbered from 0 to {len(value) - 1}"
        )
    return value[index]


_RULES: dict[type[ast.AST], Callable[[Any, Expression, Scope], Any]] = {
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
    elif isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise Problem(tree, f"this number has more than {MAX_BITS} bits")
    elif isinstance(value, tuple) and len(value) > MAX_ITEMS:
        raise Problem(tree, f"a list of {len(value):,} items is more than the {MAX_ITEMS:,} allowed")
    elif isinstance(value, complex):
        raise Problem(tree, "this has no real value")
    return value


def divisible(value: float, divisor: int = 8, minimum: int | None = None) -> int:
    """The multiple of ``divisor`` nearest to ``value``, but never below nine tenths of it.

    It is how MobileNetV2 and its successors round channel numbers. Source: tensorflow/models,
    ``research/slim/nets/mobilenet/mobilenet.py``, ``_make_divisible``.

    >>> divisible(32 * 0.75), divisible(16 * 0.35), divisible(11)
    (24, 8, 16)
    """
    least = divisor if minimum is None else minimum
    rounded = max(least, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _range(*bounds: int) -> tuple[int, ...]:
    numbers = range(*bounds)
    if len(numbers) > MAX_ITEMS:
        raise ValueError(f"it has {len(numbers):,} items, more than the {MAX_ITEMS:,} allowed")
    return tuple(numbers)


def _round(value: float, digits: int | None = None) -> float:
    if digits is not None and not -100 <= digits <= 100:
        raise ValueError("digits go from -100 to 100")
    return round(value, digits)


def _int(value: Any) -> int:
    if isinstance(value, str):
        raise TypeError("it takes a number, not a text")
    return int(value)


def _length(value: Any) -> int:
    if not isinstance(value, tuple):
        raise TypeError("it takes a list")
    return len(value)


#: The functions of the language.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "round": _round,
    "ceil": math.ceil,
    "floor": math.floor,
    "int": _int,
    "len": _length,
    "sum": sum,
    "range": _range,
    "divisible": divisible,
}

#: The words with a fixed value.
CONSTANTS: dict[str, Any] = {"true": True, "false": False, "none": None, "null": None}


def describe(value: Any) -> str:
    """What kind of value it is, for a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {shorten(value)!r}"
    if value is None:
        return "none"
    if isinstance(value, Tensor):
        return f"a tensor of {value.shape}"
    if isinstance(value, Inputs):
        return "the network's inputs"
    if isinstance(value, Block):
        return f"the block {value.name}"
    if isinstance(value, Deferred):
        return "a step"
    if isinstance(value, tuple):
        return f"a list of {len(value)}"
    return f"the op {value.kind}" if is_template(value) else "this"
