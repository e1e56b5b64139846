"""The Python-looking expressions of a spec: parsed with ``ast``, checked against a white list.

Nothing is ever compiled or evaluated by Python. What is not listed here does not exist, and every text and
tree is bounded, so a hostile spec ends in a diagnostic.
"""

from __future__ import annotations

import ast
import re
import warnings
from keyword import iskeyword
from threading import RLock
from typing import Any

from ..errors import Span, SpecError, error, shorten
from ..records import record
from .document import Scalar

#: Bounds on a text and on the depth of its tree.
MAX_TEXT = 20_000
MAX_NESTING = 80

#: The kinds of constant that the language has.
_LITERALS = (int, float, str, type(None))


#: A text whose expressions in braces are taken out of it.
Parts = tuple["str | Expression", ...]


@record(slots=True, eq=False)
class Expression:
    """A parsed expression and the scalar that it was written in."""

    text: str
    tree: ast.expr
    node: Scalar
    offset: int  # of the text within the scalar's source; -1 where they differ, as in folded text
    folded: list[int] | None = None  # then, where each character stands; empty where that cannot be told
    texts: dict[ast.Constant, Parts] | None = None  # those in it that hold expressions in braces

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
        raise node.error("an expression is missing here")
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


def split(text: str, node: Scalar, offset: int, span: Span | None = None) -> Parts:
    """A text with expressions in braces, such as ``layer{i}``, taken apart.

    Args:
        text: the text.
        node: the scalar that it is, or stands in.
        offset: where it starts in the source, or -1.
        span: its place, where it is not the whole scalar.

    Raises:
        SpecError: a brace has no partner, or what is within is no expression.
    """
    parts: list[str | Expression] = []
    position = 0
    while position < len(text):
        opening = text.find("{", position)
        closing = text.find("}", max(opening, position))
        words = text[position:opening] if opening >= 0 else text[position:]
        if "}" in words or (opening >= 0 and closing < 0):
            wrong = "never opened" if "}" in words else "never closed"
            raise error(f"in {shorten(text)} a brace is {wrong}", span or node.span, help="as in layer{i}")
        if words:
            parts.append(words)
        if opening < 0:
            break
        start = offset + opening + 1 if offset >= 0 else -1
        parts.append(parse_part(text[opening + 1 : closing], node, start))
        position = closing + 1
    return tuple(parts)


#: What Python's parser itself warns of: an escape that it does not know, a number that runs into a word.
_WARNS = re.compile(r"\\|\d[A-Za-z_]")

#: Python 3.11 counts the depth of a tree for all threads together: where two make one at once, either may
#: end in a SystemError (https://github.com/python/cpython/issues/106905). Filters of warnings are shared.
_parsing = RLock()


def parse_python(text: str, mode: str) -> Any:
    """The tree of a text by Python's grammar, without Python's warnings on standard error."""
    with _parsing:
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
        help = "a bracket is never closed"
    elif numbered := re.search(r"\b(ref|again)\(\s*([A-Za-z_][\w.]*\.\d[\w.]*)", text):
        help = f'a path that contains a number needs quotes: {numbered[1]}("{shorten(numbered[2])}")'
    elif re.match(r"[A-Za-z_]\w*\s*(:|=(?!=))", text):
        help = "a name and its step are written as `- name: step`, with a space after the colon"
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
    ast.Slice: ("lower", "upper", "step"),
} | dict.fromkeys(
    (
        ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.RShift,
        ast.USub, ast.UAdd, ast.Not,
        ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
    ),
    (),
)  # fmt: skip


_BRACE = re.compile("[{}]")


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
                raise expression.error(f"{shorten(ast.unparse(tree))} is not a value of the language", tree)
            if kind is ast.Constant and type(tree.value) is str and _BRACE.search(tree.value):
                expression.texts = {
                    **(expression.texts or {}),
                    tree: _split_constant(expression, tree, tree.value),
                }
            if kind is ast.Call:
                _check_keywords(expression, tree)
            if kind is ast.BinOp and type(tree.op) is ast.RShift:
                below += steps_of(tree)  # a chain is one level, however long it is
                continue
            for field in _PARTS[kind]:
                part = getattr(tree, field)
                if type(part) is list:
                    below += part
                elif part is not None:  # one end of a slice may be left open
                    below.append(part)
        if not below:
            return
        level = below
    raise _too_deep(expression)


def _split_constant(expression: Expression, tree: ast.Constant, text: str) -> Parts:
    """A text within an expression whose braces hold expressions of their own."""
    offset = -1
    if expression.offset >= 0:
        start = len(expression.text.encode()[: tree.col_offset].decode(errors="ignore")) + 1
        if expression.text.startswith(text, start):  # and is not written with escapes
            offset = expression.offset + start
    return split(text, expression.node, offset, expression.span(tree))


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
        help = "steps are joined with >>; the operators are + - * / // % **, comparisons, and, or, not"
        # an operator has no place of its own: its operands have
        tree = next(part for part in ast.walk(expression.tree) if tree in ast.iter_child_nodes(part))
    else:
        name = type(tree).__name__
        words = {
            "Lambda": "a lambda", "ListComp": "a comprehension", "GeneratorExp": "a comprehension",
            "DictComp": "a comprehension", "SetComp": "a comprehension", "Dict": "a dict", "Set": "a set",
            "JoinedStr": "an f-string", "Starred": "unpacking with *", "Await": "await",
            "NamedExpr": "an assignment", "TemplateStr": "a t-string",
            "Yield": "yield", "YieldFrom": "yield",
        }  # fmt: skip
        what = words.get(name, "this")
        if name in ("ListComp", "GeneratorExp"):
            help = "repeat steps with `step * n`, or with each: / in: / do:"
        if name == "Dict":
            help = "quote text that starts with {"
    return expression.error(f"{what} is not part of the expression language", tree, help=help)
