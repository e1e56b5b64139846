"""The Python-looking expressions of a spec: parsed with ``ast``, interpreted over a white list.

Nothing is ever compiled or evaluated by Python. What is not listed here does not exist, and every
number, list and tree is bounded, so a hostile spec ends in a diagnostic.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from keyword import iskeyword
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
    folded: list[int] | None = None  # then, where each character stands; empty where that cannot be told

    def span(self, tree: ast.AST | None = None) -> Span:
        """The place of a part of the expression, or of the whole of it."""
        start, stop = 0, len(self.text)
        if isinstance(tree, (ast.expr, ast.keyword)):
            line = self.text.encode()
            start = len(line[: tree.col_offset].decode(errors="ignore"))
            stop = len(line[: tree.end_col_offset].decode(errors="ignore"))
        return self.part(start, stop)

    def part(self, start: int, stop: int) -> Span:
        """The place of some of the text's characters."""
        if self.offset >= 0:
            return _place(self.node, self.offset + start, stop - start)
        if self.folded is None:
            self.folded = _aligned(self.node, self.text)
        if not self.folded:
            return self.node.span
        first = self.folded[start]
        return _place(self.node, first, self.folded[stop - 1] + 1 - first)

    def error(self, message: str, tree: ast.AST | None = None, *, help: str = "") -> SpecError:
        """A diagnostic that points at a part of the expression."""
        return error(message, self.span(tree), help=help)


def _place(node: Scalar, index: int, width: int) -> Span:
    """The span of ``width`` characters at ``index`` of the source, which is in or after ``node``."""
    passed = node.source.text[node.index : index]
    if "\n" not in passed:
        return Span(node.source, node.line, node.column + len(passed), max(width, 1))
    return Span(node.source, node.line + passed.count("\n"), len(passed) - passed.rfind("\n"), max(width, 1))


def _aligned(node: Scalar, text: str) -> list[int]:
    """Where in the source each character of a scalar's text stands, though YAML folded its lines.

    Empty where that cannot be told: the scalar has escapes, or the text is only a part of it.
    """
    source, index = node.source.text, node.index
    if node.value.strip().replace("\n", " ") != text:
        return []
    style = source[index]
    if not node.plain:
        index = source.index("\n", index) if style in ">|" else index + 1
    while source[index : index + 1].isspace():
        index += 1
    places: list[int] = []
    for character in text:
        if index >= node.end:
            return []
        if character == " " and source[index - 1].isspace() and places:
            places.append(index - 1)  # one of several blanks
        elif character == " " and source[index].isspace():
            places.append(index)
            while source[index : index + 1].isspace():
                index += 1
        elif source[index] == character:
            places.append(index)
            index += 2 if character == style == "'" else 1
        else:
            return []
    return places


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

    def hint(self, name: str) -> str:
        """Why a name that exists elsewhere is not known here; empty for any other."""

    def spend(self, steps: int, tree: ast.AST, expression: Expression) -> None:
        """Account for what an expression costs: a step for every few characters, or items of a list.

        Raises:
            SpecError: too much has been spent.
        """


_NUMBERS = (int, float)
_LITERALS = (int, float, str, type(None))
_TENSORS = (Tensor, Inputs)

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

    @property
    def required(self) -> dict[str, bool]:
        """Whether each parameter must be given."""
        return {name: default is None for name, default in self.parameters.items()}


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
    if text.isascii() and text.isalnum() and not iskeyword(text):
        # a lone word or number, as half of all expressions are, needs no parser
        if text.isdigit() and len(text) < 20 and (text == "0" or text[0] != "0"):
            return Expression(text, _at(ast.Constant(int(text)), text), node, offset)
        if text.isidentifier():
            return Expression(text, _at(ast.Name(text, ast.Load()), text), node, offset)
    try:
        tree = parse_python(text, "eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise _syntax_error(problem, text, node, offset) from None
    expression = Expression(text, tree, node, offset)
    check(expression)
    return expression


#: What Python's parser itself warns of: an escape that it does not know, a number that runs into a word.
_WARNS = re.compile(r"\\|\d[A-Za-z_]")


def parse_python(text: str, mode: str) -> Any:
    """The tree of a text by Python's grammar, without Python's warnings on standard error."""
    if not _WARNS.search(text):
        return ast.parse(text, mode=mode)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode=mode)


def _at(tree: ast.expr, text: str) -> ast.expr:
    """A tree that is the whole of a text."""
    tree.lineno = tree.end_lineno = 1
    tree.col_offset, tree.end_col_offset = 0, len(text)
    return tree


def is_torn(node: Scalar, text: str) -> bool:
    """Whether a text looks like an expression that YAML split at a comma."""
    return node.in_flow and node.plain and text.count("(") != text.count(")")


def torn(node: Scalar, text: str) -> SpecError:
    """The diagnostic of an expression that YAML split at a comma."""
    return node.error(
        f"{shorten(text)} is only part of an expression: within [...] and {{...}} YAML splits at every comma",
        help="write a block list with one step per line, put quotes around each step, or join steps with >>",
    )


def _too_deep(expression: Expression) -> SpecError:
    return expression.error(
        f"this expression is nested more than {MAX_NESTING} deep",
        help="write steps as a list, one per line; name a part of a long value as a param",
    )


def _syntax_error(problem: Exception, text: str, node: Scalar, offset: int) -> SpecError:
    if is_torn(node, text):
        return torn(node, text)
    if isinstance(problem, RecursionError | MemoryError) or "too many nested" in str(problem):
        return _too_deep(Expression(text, ast.Constant(None), node, offset))
    span = node.span
    reason = "it is not complete"
    if isinstance(problem, SyntaxError):
        reason = re.split(r"\. Perhaps|\. Maybe|; perhaps| \(detected at", problem.msg or reason)[0]
        if problem.offset and problem.lineno == 1:
            width = max((problem.end_offset or 0) - problem.offset, 1) if problem.end_lineno == 1 else 1
            first = min(problem.offset - 1, len(text) - 1)
            last = min(first + width, len(text))
            span = Expression(text, ast.Constant(None), node, offset).part(first, last)
    if "digits)" in str(problem):
        reason = "it holds a number that is too long"
    help = ""
    if text.count("(") > text.count(")"):
        help = "a bracket is opened and not closed"
    elif re.match(r"[A-Za-z_]\w*\s*(:|=(?!=))", text):
        help = "a name and its step stand as `- name: step`, with a space after the colon"
    elif re.search(r"\bif\b", text):
        help = "a choice is written as `step if condition else identity`"
    elif "positional argument follows" in reason:
        help = "arguments with a name come after those without"
    elif re.search(r"[\w)\]] +[A-Za-z_]", text):
        help = "steps are joined with >>"
    return error(f"{shorten(text)} is not an expression: {reason}", span, help=help)


#: The pieces of Python's grammar that the language has, each with the fields that hold its parts.
_PARTS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Constant: (),
    ast.Name: (),
    ast.Attribute: ("value",),
    ast.Call: ("func", "args", "keywords"),
    ast.keyword: ("value",),
    ast.BinOp: ("left", "op", "right"),
    ast.UnaryOp: ("op", "operand"),
    ast.BoolOp: ("values",),
    ast.Compare: ("left", "ops", "comparators"),
    ast.IfExp: ("test", "body", "orelse"),
    ast.Tuple: ("elts",),
    ast.List: ("elts",),
    ast.Subscript: ("value", "slice"),
} | dict.fromkeys(
    (
        ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.RShift,
        ast.USub, ast.UAdd, ast.Not,
        ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
    ),
    (),
)  # fmt: skip


def check(expression: Expression) -> None:
    """Refuse what the language does not have, and trees that are too deep."""
    level: list[Any] = [expression.tree]
    for _ in range(MAX_NESTING):
        below: list[Any] = []
        for tree in level:
            kind = type(tree)
            if kind not in _PARTS:
                raise _refused(expression, tree)
            if kind is ast.Constant and not isinstance(tree.value, _LITERALS):
                raise expression.error(f"{shorten(ast.unparse(tree))} is no value of the language", tree)
            if kind is ast.Call:
                _check_keywords(expression, tree)
            if kind is ast.BinOp and type(tree.op) is ast.RShift:
                below += steps_of(tree)  # a chain is one level, however long it is
                continue
            for field in _PARTS[kind]:
                part = getattr(tree, field)
                if type(part) is list:
                    below += part
                else:
                    below.append(part)
        if not below:
            return
        level = below
    raise _too_deep(expression)


def steps_of(tree: ast.expr) -> list[ast.expr]:
    """The steps of a chain ``a >> b >> c``, in order; of anything else, itself."""
    steps: list[ast.expr] = []
    while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.RShift):
        steps.append(tree.right)
        tree = tree.left
    steps.append(tree)
    steps.reverse()
    return steps


def _check_keywords(expression: Expression, call: ast.Call) -> None:
    """Refuse an argument that is given twice by its name, as Python's compiler would."""
    found: set[str] = set()
    for key in call.keywords:
        if key.arg is None:
            raise expression.error("unpacking with ** is not part of the expression language", key)
        if key.arg in found:
            who = shorten(ast.unparse(call.func))
            raise expression.error(f"{who} is given {shorten(key.arg)} twice", key)
        found.add(key.arg)


def _refused(expression: Expression, tree: ast.AST) -> SpecError:
    help = ""
    if isinstance(tree, ast.operator | ast.unaryop | ast.cmpop):
        what = "this operator"
        help = "steps are joined with >>; there are + - * / // % **, comparisons, and, or, not"
        # an operator has no place of its own: its operands have
        tree = next(part for part in ast.walk(expression.tree) if tree in ast.iter_child_nodes(part))
    else:
        name = type(tree).__name__
        words = {
            "Lambda": "a lambda", "ListComp": "a comprehension", "GeneratorExp": "a comprehension",
            "DictComp": "a comprehension", "SetComp": "a comprehension", "Dict": "a dict", "Set": "a set",
            "JoinedStr": "an f-string", "Starred": "unpacking with *", "Await": "await",
            "NamedExpr": "an assignment", "Slice": "a slice", "TemplateStr": "a t-string",
            "Yield": "yield", "YieldFrom": "yield",
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
    scope.spend((tree.end_col_offset or 0) - tree.col_offset >> 2, tree, expression)
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
        quotes = "a text needs quotes"
        if not expression.node.plain:
            quotes += " of its own within those of YAML"
        raise Problem(
            tree,
            f"the name {shorten(tree.id)} is not known here",
            scope.hint(tree.id) or did_you_mean(tree.id, [*scope.known(), *FUNCTIONS], otherwise=quotes),
        ) from None


#: What can be asked of a tensor.
TENSOR_ATTRIBUTES = ("channels", "depth", "height", "width", "length", "numel")


def _attribute(tree: ast.Attribute, expression: Expression, scope: Scope) -> Any:
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
    if name == "channels":
        return shape.channels
    if name == "numel":
        return shape.numel
    if name in shape.axes:
        return shape[1 + shape.axes.index(name)]
    if name in TENSOR_ATTRIBUTES:
        has = f"its axes: {', '.join(shape.axes)}" if shape.axes else "a flat vector has only channels"
        raise Problem(tree, f"{describe(value)} has no {name}", has)
    raise Problem(
        tree,
        f"a tensor has no attribute {shorten(name)}",
        did_you_mean(name, TENSOR_ATTRIBUTES, otherwise=f"it has {', '.join(TENSOR_ATTRIBUTES)}"),
    )


def _call(tree: ast.Call, expression: Expression, scope: Scope) -> Any:
    if not isinstance(tree.func, ast.Name):
        raise not_callable(tree.func, scope)
    name = tree.func.id
    if name == "ref":
        return scope.ref(tree, expression)
    try:
        value = scope.lookup(name)
    except KeyError:
        value = None
        if name not in FUNCTIONS:
            raise Problem(
                tree.func,
                f"there is no function, op or block {shorten(name)}",
                scope.hint(name)
                or did_you_mean(
                    name,
                    [*FUNCTIONS, *scope.known()],
                    otherwise=f"the functions are {', '.join(FUNCTIONS)}",
                ),
            ) from None
    if is_template(value) or isinstance(value, Deferred):
        return Deferred(tree, expression, scope)
    if value is not None:
        raise Problem(tree.func, f"{name} is {describe(value)}, and cannot be called")
    args = [_value(arg, expression, scope) for arg in tree.args]
    kwargs = {str(key.arg): _value(key.value, expression, scope) for key in tree.keywords}
    function, written = FUNCTIONS[name]
    for value in (*args, *kwargs.values()):
        if isinstance(value, tuple):
            scope.spend(len(value) >> 3, tree, expression)
    try:
        result = _bounded(function(*args, **kwargs), tree)
    except _Misuse as problem:
        raise Problem(tree, f"{name} cannot be used so: {problem}", written) from None
    except (TypeError, ValueError, ArithmeticError):  # too many arguments, or too few, or out of range
        raise Problem(tree, f"{name} cannot be used so", f"it is used as {written}") from None
    if isinstance(result, tuple):
        scope.spend(len(result) >> 3, tree, expression)
    return result


def not_callable(tree: ast.expr, scope: Scope) -> Problem:
    """What is wrong with calling anything but a name: ``nn.Conv2d(...)``, ``conv(64, 1)(x)``."""
    meant = tree.attr if isinstance(tree, ast.Attribute) else ""
    return Problem(tree, "only a name can be called", did_you_mean(meant, scope.known()) if meant else "")


def _binary(tree: ast.BinOp, expression: Expression, scope: Scope) -> Any:
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
    number = isinstance(left, _NUMBERS) and isinstance(right, _NUMBERS)
    lists = isinstance(left, tuple) and isinstance(right, tuple) and symbol == "+"
    repeat = isinstance(left, tuple) and isinstance(right, int) and symbol == "*"
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
    return Problem(tree, "the step stands first and the number of repeats second", f"write {shorten(turned)}")


def _nothing_else(tree: ast.BinOp) -> Problem:
    """What is wrong with ``relu + tanh``, and with a list item that YAML took for a text's second line."""
    dash = "a dash that starts a list item stands in the same column as the one above"
    return Problem(
        tree,
        "a step can be repeated with * and joined with >>, and nothing else",
        dash if isinstance(tree.op, ast.Sub) else "",
    )


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
    if isinstance(value, _TENSORS):
        raise Problem(tree, f"{describe(value)} is neither true nor false")
    return value  # a block, an op or a step is true, as opposed to none


def _compare(tree: ast.Compare, expression: Expression, scope: Scope) -> Any:
    left = _value(tree.left, expression, scope)
    for op, part in zip(tree.ops, tree.comparators, strict=True):
        right = _value(part, expression, scope)
        symbol, function = _COMPARISONS[type(op)]
        for value in (left, right):
            if isinstance(value, tuple):
                scope.spend(size_of(value) >> 3, tree, expression)
        try:
            if (isinstance(left, _OPAQUE) or isinstance(right, _OPAQUE)) and not (
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


def _conditional(tree: ast.IfExp, expression: Expression, scope: Scope) -> Any:
    return _value(_chosen(tree, expression, scope), expression, scope)


def _chosen(tree: ast.IfExp, expression: Expression, scope: Scope) -> ast.expr:
    test = _truth(_value(tree.test, expression, scope), tree.test)
    return tree.body if test else tree.orelse


def choose(expression: Expression, scope: Scope, tree: ast.IfExp) -> ast.expr:
    """Which side of ``a if condition else b`` it is.

    Raises:
        SpecError: the condition has no value, or is neither true nor false.
    """
    scope.spend((tree.end_col_offset or 0) - tree.col_offset >> 2, tree, expression)
    try:
        return _chosen(tree, expression, scope)
    except Problem as problem:
        raise expression.error(problem.message, problem.tree, help=problem.help) from None


def _list(tree: ast.Tuple | ast.List, expression: Expression, scope: Scope) -> Any:
    items = tuple(_value(item, expression, scope) for item in tree.elts)
    scope.spend(len(items) >> 3, tree, expression)
    return _bounded(items, tree)


def _subscript(tree: ast.Subscript, expression: Expression, scope: Scope) -> Any:
    value = _value(tree.value, expression, scope)
    index = _value(tree.slice, expression, scope)
    if not isinstance(value, tuple):
        raise Problem(tree, f"{describe(value)} is not a list, so it has no items")
    if not isinstance(index, int) or isinstance(index, bool):
        raise Problem(tree.slice, f"an index is a whole number, not {describe(index)}")
    if not -len(value) <= index < len(value):
        has = (
            f"the list has {len(value)}, numbered from 0 to {len(value) - 1}"
            if value
            else "the list is empty"
        )
        raise Problem(tree, f"there is no item {index}: {has}")
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
    elif isinstance(value, tuple):
        if size_of(value) > MAX_ITEMS:
            raise Problem(tree, f"this list holds more than the {MAX_ITEMS:,} items allowed")
    elif isinstance(value, complex):
        raise Problem(tree, "this has no real value")
    return value


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


class _Misuse(Exception):
    """A function is given what it does not take; the text says what it takes."""


def _numbers(*values: Any) -> None:
    for value in values:
        if not isinstance(value, _NUMBERS):
            raise _Misuse(f"it takes numbers, not {describe(value)}")


def _whole(*values: Any) -> None:
    for value in values:
        if not isinstance(value, int):
            raise _Misuse(f"it takes whole numbers, not {describe(value)}")


def _several(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The numbers that ``min`` and ``max`` choose from: several arguments, or one list."""
    listed = values[0] if len(values) == 1 and isinstance(values[0], tuple) else values
    if not listed:
        raise _Misuse("it takes at least one number")
    _numbers(*listed)
    return listed


def _min(*values: Any) -> Any:
    return min(_several(values))


def _max(*values: Any) -> Any:
    return max(_several(values))


def _sum(values: Any, /) -> Any:
    if not isinstance(values, tuple):
        raise _Misuse(f"it takes a list, not {describe(values)}")
    _numbers(*values)
    return sum(values)


def _ceil(value: float, /) -> int:
    _numbers(value)
    return math.ceil(value)


def _floor(value: float, /) -> int:
    _numbers(value)
    return math.floor(value)


def _divisible(value: Any, divisor: Any = 8, minimum: Any = None) -> int:
    _numbers(value)
    _whole(divisor, *(() if minimum is None else (minimum,)))
    if divisor < 1:
        raise _Misuse(f"the divisor is at least 1, not {divisor}")
    return divisible(value, divisor, minimum)


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


def _range(*bounds: Any) -> tuple[int, ...]:
    _whole(*bounds)
    if len(bounds) == 3 and bounds[2] == 0:
        raise _Misuse("its step cannot be 0")
    numbers = range(*bounds)
    # len() of a range stops at the largest index that the machine has
    items = max(0, -((numbers.start - numbers.stop) // numbers.step))
    if items > MAX_ITEMS:
        raise _Misuse(f"it has {items:,} items, more than the {MAX_ITEMS:,} allowed")
    return tuple(numbers)


def _round(value: float, digits: int | None = None) -> float:
    _numbers(value)
    if digits is None:
        return round(value)
    _whole(digits)
    if not -100 <= digits <= 100:
        raise _Misuse("digits go from -100 to 100")
    return round(value, digits)


def _int(value: Any, /) -> int:
    _numbers(value)
    return int(value)


def _length(value: Any, /) -> int:
    if not isinstance(value, tuple):
        raise _Misuse(f"it takes a list, not {describe(value)}")
    return len(value)


#: The functions of the language, each with how it is written.
FUNCTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "min": (_min, "min(a, b, ...) or min(list)"),
    "max": (_max, "max(a, b, ...) or max(list)"),
    "round": (_round, "round(number) or round(number, digits)"),
    "ceil": (_ceil, "ceil(number)"),
    "floor": (_floor, "floor(number)"),
    "int": (_int, "int(number)"),
    "len": (_length, "len(list)"),
    "sum": (_sum, "sum(list)"),
    "range": (_range, "range(stop), range(start, stop) or range(start, stop, step)"),
    "divisible": (_divisible, "divisible(number, divisor=8, minimum=none)"),
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
        return f"the text '{shorten(value)}'"
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
