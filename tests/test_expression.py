"""What expressions are worth: by Python's own results where Python has them, else derived by hand.

An expression is given as the value of a param, as ``--set value=...`` does, and read back from the network.
"""

from __future__ import annotations

import ast
import builtins
import math
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archlens
from archlens.elaboration.values import Deferred
from archlens.ops import OPS

from .work import calls_made

SPEC = "{input: 3x8x8, params: {value: none}, layers: relu}"


def value_of(text: str) -> Any:
    return archlens.loads(SPEC, value=text).values["value"]


def refusal_of(text: str) -> str:
    """The first line of what is said of an expression that has no value."""
    with pytest.raises(archlens.SpecError) as caught:
        value_of(text)
    return str(caught.value).split("\n")[0].removeprefix("error: ")


#: Python's own functions under their names in the language; a range is a list here.
PYTHON: dict[str, Any] = {
    "min": min, "max": max, "round": round, "ceil": math.ceil, "floor": math.floor, "int": int, "len": len,
    "sum": sum, "range": lambda *bounds: list(range(*bounds)), "true": True, "false": False, "none": None,
    "null": None,
}  # fmt: skip


def by_python(text: str) -> Any:
    """What Python makes of the same text; lists are tuples in the language, so that they cannot change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return frozen(eval(text, {"__builtins__": {}, **PYTHON}))


def frozen(value: Any) -> Any:
    return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value


#: Expressions whose value is that of Python, one per line; a comment groups them.
AS_IN_PYTHON = """
# numbers
0
7
12345678901234567890
1_000
0x10
0b101
0o17
00
1.5
1e3
.5
5.
1e-3
# signs and arithmetic
-3
+3
--3
-0.0
3 + 4
3 - 4
3 * 4
7 / 2
8 / 2
7 // 2
-7 // 2
7 // -2
7.5 // 2
7 % 3
-7 % 3
7 % -3
7.5 % 2
2 ** 10
2 ** -1
2 ** 0.5
(-2) ** 3
0 ** 0
2 ** 99
1.5 * 2
True + 1
# precedence
2 + 3 * 4
(2 + 3) * 4
2 * 3 % 4
2 - 3 - 4
2 ** 3 ** 2
-2 ** 2
2 ** -2 * 3
7 // 2 * 2
8 / 4 / 2
-7 // 2 + 1
1 + 2 < 4
not 1 == 2
not not 0
1 or 0 and 0
(1 or 0) and 0
1 if 0 else 2 if 0 else 3
1 if 1 else 2 if 0 else 3
(1 if 0 else 2) + 10
1 if 0 else 2 + 10
# comparisons
1 == 1.0
1 != 2
1 < 2
2 <= 2
3 > 4
4 >= 4
1 < 2 < 3
1 < 3 < 2
1 < 2 > 0
1 == 1 == 1
1 < 2 == True
"a" == "a"
"a" < "b"
"a" != 1
none == none
none != 0
[1, 2] == [1, 2]
[1, 2] < [1, 3]
1 in [1, 2]
3 not in [1, 2]
"a" in ["a"]
[1] in [[1], [2]]
"b" in "abc"
# and, or, not: the operand itself
0 or 5
3 or 5
0 and 5
3 and 5
[] or 4
none or "x"
"" or "y"
1 and 2 and 3
1 and 0 and 3
0 or [] or none
not 0
not 3
not []
not ""
# choice
4 if 3 > 2 else 5
4 if [] else 5
4 if none else 5
# texts and constants
"same"
'same'
"it's"
"\\u00e9"
true
false
True
False
none
null
None
# lists
[]
[1, 2, 3]
(1, 2)
(1,)
()
1, 2
[1, [2, 3], (4,)]
[1, 2] + [3]
[0] * 3
[1, 2] * 0
[1, 2] * -1
[[1], [2]] * 2
[1, 2, 3][0]
[1, 2, 3][-1]
[[1, 2], [3, 4]][1][0]
[1, 2][1 - 1]
(5, 6)[1]
[1, 2, 3][0:2]
[1, 2, 3][1:]
[1, 2, 3][:-1]
[1, 2, 3][:]
[1, 2, 3][2:1]
[1, 2, 3][-9:9]
[[1, 2], [3]][:1][0][1:]
sum([1, 2, 3][:2])
# functions
min(3, 1, 2)
min([3, 1, 2])
max(3, 1.5)
max([7])
max((1, 2))
round(2.5)
round(3.5)
round(-2.5)
round(2.567, 2)
round(1234, -2)
round(3)
ceil(2.1)
ceil(-2.1)
ceil(2)
floor(2.9)
floor(-2.1)
floor(7 / 2)
int(3.9)
int(-3.9)
int(3)
int(true)
len([])
len([1, 2])
len([[1, 2], [3]])
sum([])
sum([1, 2, 3])
sum([0.5, 1])
sum(range(5))
range(3)
range(1, 4)
range(10, 0, -3)
range(0)
range(3, 1)
len(range(100000))
max(range(10))
# together
ceil(1.2 * 4) + max(2, 3) * [1, 2][0]
min(8, 32 // 4) ** 2 - 1
"""


LINES = [line for line in AS_IN_PYTHON.split("\n") if line and not line.startswith("#")]


@pytest.mark.parametrize("text", LINES)
def test_as_in_python(text: str) -> None:
    found, expected = value_of(text), by_python(text)
    assert found == expected
    assert type(found) is type(expected)
    assert repr(found) == repr(expected)  # -0.0, and what is in lists


def test_every_piece_of_the_grammar_is_in_the_table() -> None:
    """The table above uses every node and every function that the language has."""
    used = {type(node) for text in LINES for node in ast.walk(ast.parse(text, mode="eval"))}
    parts = {
        ast.Constant, ast.Name, ast.Call, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp,
        ast.Tuple, ast.List, ast.Subscript, ast.Slice,
        ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd, ast.Not,
        ast.And, ast.Or,
        ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
    }  # fmt: skip
    assert parts <= used
    called = {word for text in LINES for word in PYTHON if f"{word}(" in text}
    assert called == {"min", "max", "round", "ceil", "floor", "int", "len", "sum", "range"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # the multiple of the divisor that is nearest ...
        ("divisible(24)", 24),
        ("divisible(26)", 24),  # (26 + 4) // 8 * 8, and 24 is not below 23.4
        ("divisible(28)", 32),  # (28 + 4) // 8 * 8
        ("divisible(32 * 0.75)", 24),
        ("divisible(16 * 0.35)", 8),  # 5.6
        ("divisible(24 * 0.35)", 8),  # 8.4, and 8 is not below 7.56
        # ... but not below nine tenths of the value: 11.2 is nearest to 8, which is below 10.08
        ("divisible(32 * 0.35)", 16),
        ("divisible(27)", 32),  # 24 < 24.3
        ("divisible(11)", 16),  # 8 < 9.9
        ("divisible(1)", 8),
        ("divisible(10, 4)", 12),  # (10 + 2) // 4 * 4
        ("divisible(9, 4)", 12),  # (9 + 2) // 4 * 4 = 8, below 8.1
        ("divisible(10, 8, 16)", 16),
        ("divisible(3, 8, minimum=2)", 10),  # max(2, 0) = 2 is below 2.7, so 8 more: as MobileNet has it
        ("divisible(3, divisor=2)", 4),
        ("divisible(100, 8, none)", 104),
    ],
)
def test_divisible(text: str, expected: int) -> None:
    assert value_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("same", "same"),  # a word that names nothing is a text, for a param
        ("relu6x", "relu6x"),
        ("  7  ", 7),
        ("[a1, b1, 3]", None),
        ("x", None),
        ("input", None),
    ],
)
def test_a_lone_word_is_a_text(text: str, expected: Any) -> None:
    if expected is None:
        assert "is not known here" in refusal_of(text)
    else:
        assert value_of(text) == expected


def parses(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text, mode="eval")
        except SyntaxError:
            return False
    return True


def test_what_python_does_not_parse() -> None:
    for text in ("007", "1 +", "1 1", "(1", "1)", "a b", "1 if 2", "else", "not", "for", "'a", "5x"):
        assert not parses(text)
        assert " is not an expression: " in refusal_of(text)


def test_a_word_that_names_an_op_is_the_op() -> None:
    assert value_of("relu") is archlens.loads(SPEC)["0"].op.__class__


# --- random expressions ---------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(0, 20).map(str), st.sampled_from(["0.5", "1.5", "2.0", "true", "false"]), st.just("none")
)


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Larger expressions, with brackets only where they are drawn."""
    operators = ["+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!=", "and", "or"]
    items = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(inner, st.sampled_from(operators), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("-{}".format),
        inner.map("not {}".format),
        st.tuples(inner, inner, inner).map(lambda t: f"{t[0]} if {t[1]} else {t[2]}"),
        items.map("[{}]".format),
        st.tuples(items, inner).map(lambda t: f"[{t[0]}][{t[1]}]"),
        st.tuples(items, inner, inner).map(lambda t: f"[{t[0]}][{t[1]}:{t[2]}]"),
        st.tuples(inner, items).map(lambda t: f"{t[0]} in [{t[1]}]"),
        st.tuples(st.sampled_from(["min", "max", "sum"]), items).map(lambda t: f"{t[0]}([{t[1]}])"),
        st.tuples(st.sampled_from(["round", "ceil", "floor", "int", "range"]), inner).map(
            lambda t: f"{t[0]}({t[1]})"
        ),
    )


@settings(max_examples=1500, derandomize=True, database=None)
@given(st.recursive(NUMBERS, grown, max_leaves=8))
@pytest.mark.slow
def test_random_expressions(text: str) -> None:
    """A random expression has Python's value, or none; and none only for a reason."""
    if not parses(text):
        return  # such as `1 + not 2`
    try:
        found = value_of(text)
    except archlens.SpecError as problem:
        message = str(problem).split("\n")[0]
        try:
            expected = by_python(text)
        except (TypeError, ZeroDivisionError, IndexError, OverflowError, ValueError):
            return
        # Python finds a value: so it must be one that the language does not have
        assert (
            "has no meaning" in message  # a list times true
            or "cannot be used like this: it takes " in message  # min of lists
            or "an index is a whole number, not" in message  # [1, 2][true]
            or " bits" in message
            or "has no sign" in message
            or "out of range" in message
            or isinstance(expected, complex)
            or "has no real value" in message
        ), (text, message, expected)
    else:
        expected = by_python(text)
        assert found == expected or found != found, text
        assert type(found) is type(expected), text


# --- nothing else ---------------------------------------------------------------------------------

#: What Python has and the language has not.
REFUSED = {
    ast.Lambda: "lambda: 1",
    ast.ListComp: "[i for i in [1]]",
    ast.SetComp: "{i for i in [1]}",
    ast.DictComp: "{i: i for i in [1]}",
    ast.GeneratorExp: "sum(i for i in [1])",
    ast.Dict: "{}",
    ast.Set: "{1}",
    ast.JoinedStr: "f'{1}'",
    ast.FormattedValue: "f'{1!r:>3}'",
    ast.NamedExpr: "(a := 1)",
    ast.Await: "await relu",
    ast.Yield: "(yield 1)",
    ast.YieldFrom: "(yield from [1])",
    ast.Starred: "max(*[1, 2])",
    ast.BitOr: "1 | 2",
    ast.BitAnd: "1 & 2",
    ast.BitXor: "1 ^ 2",
    ast.LShift: "1 << 2",
    ast.MatMult: "1 @ 2",
    ast.Invert: "~1",
    ast.Is: "1 is 1",
    ast.IsNot: "1 is not 1",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_the_language_does_not_have(kind: type[ast.AST]) -> None:
    text = REFUSED[kind]
    assert any(isinstance(node, kind) for node in ast.walk(ast.parse(text, mode="eval")))
    assert refusal_of(text).endswith("is not part of the expression language")


def test_every_piece_of_pythons_grammar_is_had_or_refused() -> None:
    """Were Python to grow a new kind of expression, this would ask what becomes of it."""
    known = {type(node) for text in LINES for node in ast.walk(ast.parse(text, mode="eval"))}
    known |= {ast.Attribute, ast.RShift, *REFUSED}
    known |= {getattr(ast, name) for name in ("TemplateStr", "Interpolation") if hasattr(ast, name)}
    old = {"Num", "Str", "Bytes", "NameConstant", "Ellipsis", "Index", "ExtSlice"}  # Python 3.8's
    for family in (ast.expr, ast.operator, ast.unaryop, ast.boolop, ast.cmpop):
        assert {kind for kind in family.__subclasses__() if kind.__name__ not in old} <= known


@pytest.mark.parametrize("name", sorted({*dir(builtins)} - {*PYTHON, *OPS, "True", "False", "None"}))
def test_no_function_of_python_can_be_called(name: str) -> None:
    for text in (f"{name}(1)", f"{name}()", f"{name}"):
        try:
            value = value_of(text)
        except archlens.SpecError:
            continue
        assert text == name  # alone it is a word like any other
        assert value == name


@pytest.mark.parametrize(
    "text",
    [
        "().__class__",
        "(1).real",
        "'a'.upper()",
        "'a'.format(1)",
        "[].append(1)",
        "relu.kind",
        "relu.__init__",
        "relu.__mro__[1].__subclasses__()",
        "max.__self__",
        "__builtins__",
        "__import__('os').system('touch made')",
        "open('made', 'w')",
        "exec('1')",
        "eval('1')",
        "getattr(relu, 'kind')",
        "().__class__.__bases__[0].__subclasses__()",
        "relu(__class__=1)",
        "conv.__call__(1, 2)",
        "b'a'",
        "...",
        "1j",
        "print",
        "globals()",
    ],
)
def test_nothing_is_reached(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        value = value_of(text)
    except archlens.SpecError:
        value = None
    assert value in (None, text) or isinstance(value, Deferred)  # a lone word; a step, which has not run
    # where it is a step, too
    with pytest.raises(archlens.SpecError):
        archlens.loads(f"input: 3x8x8\nlayers:\n  - >-\n    conv({text}, 1)\n")
    assert list(tmp_path.iterdir()) == []


# --- bounds ---------------------------------------------------------------------------------------


DEEP = "this expression is nested more than 80 deep"


@pytest.mark.parametrize(
    ("most", "more", "message"),
    [
        ("2 ** 99", "2 ** 100", "this number has more than 100 bits"),
        ("-(2 ** 99)", "2 ** 99 * 2", "this number has more than 100 bits"),
        (str(2**100 - 1), str(2**100), "this number has more than 100 bits"),
        ("2 ** 99 + 2 ** 98", "2 ** 99 + 2 ** 99", "this number has more than 100 bits"),
        ("3 ** 63", "3 ** 200", "this number would have more than 100 bits"),  # 63 log2(3) = 99.9
        ("1e308", "1e308 * 10", "this number is out of range"),
        ("1e300", "1e999", "this number is out of range"),
        ("10.0 ** 300", "10.0 ** 400", "this number is out of range"),
        ("int(1e30)", "int(1e31)", "this number has more than 100 bits"),  # 1e30 = 2 ** 99.7
        (
            "[0] * 100000",
            "[0] * 100001",
            "a list of 100,001 items is more than the 100,000 allowed",
        ),
        (
            "len([0] * 50000 + [1] * 50000)",
            "[0] * 50000 + [1] * 50001",
            "this list holds more than the 100,000 items allowed",
        ),
        (
            "range(100000)",
            "range(100001)",
            "range cannot be used like this: it has 100,001 items, more than the 100,000 allowed",
        ),
        (
            "range(0, 10**20, 10**16)",  # 10,000 of them
            "range(0, 10**20, 10**14)",
            "range cannot be used like this: it has 1,000,000 items, more than the 100,000 allowed",
        ),
        (
            "[[0] * 49998, [0] * 50000]",  # and the two lists themselves
            "[[0] * 49999, [0] * 50000]",
            "this list holds more than the 100,000 items allowed",
        ),
        ("-" * 79 + "1", "-" * 80 + "1", DEEP),
        ("-" * 79 + "1", "-" * 5000 + "1", DEEP),
        ("(" * 79 + "1" + ")" * 79, "(" * 5000 + "1" + ")" * 5000, DEEP),
        ("1 + " * 60 + "1", "1 + " * 4000 + "1", DEEP),
        ("not " * 60 + "1", "not " * 4000 + "1", DEEP),
        ("1 if 0 else " * 60 + "1", "1 if 0 else " * 1000 + "1", DEEP),
        ("[" * 70 + "]" * 70, "[" * 5000 + "]" * 5000, DEEP),
        (
            "1" + " " * 19_000 + "+ 1",
            "1" + " " * 20_000 + "+ 1",
            "an expression of 20,004 characters is more than the 20,000 allowed",
        ),
    ],
)  # fmt: skip
def test_bounds(most: str, more: str, message: str) -> None:
    value_of(most)
    assert refusal_of(more) == message


@pytest.mark.parametrize(
    "text",
    [
        "9 ** 9 ** 9",
        "9 ** 9 ** 9 ** 9",
        "2 ** 100000",
        "2 ** 10 ** 10 ** 10",
        "(2 ** 99) ** (2 ** 99)",
        "10 ** 30 * 10 ** 30",
        "[0] * 10 ** 9",
        "[[0] * 1000] * 1000",
        "[0] * 2 ** 99",
        '"a" * 10 ** 9',
        "range(10 ** 9)",
        "range(10 ** 29)",
        "sum(range(10 ** 29))",
        "len(range(-10 ** 29, 10 ** 29))",
        "round(10 ** 29, -10 ** 9)",
        "round(1.5, 10 ** 9)",
        "1 / 0",
        "1 // 0",
        "1 % 0",
        "1.0 // 0",
        "0 ** -1",
        "0.0 ** -1",
        "(-8) ** 0.5",
        "1" * 5000,
        "1e400 - 1e400",
        "int(1e300)",
        "10 ** 29 / 10 ** -300",
    ],
)
def test_what_would_take_long_is_refused(text: str) -> None:
    """Before it is computed: nothing here could be."""
    assert calls_made(lambda: refusal_of(text)) < 1_000_000


def test_a_chain_counts_as_one_level() -> None:
    """``a >> b >> c`` is nested in Python's tree, and a list in the language."""
    # 8 characters each: just below the bound on a text
    chain = " >> ".join(["relu"] * 2500)
    assert len(archlens.loads(f"input: 3x8x8\nlayers: {chain}")) == 2500


def test_no_warning_of_python_comes_through(capfd: pytest.CaptureFixture[str]) -> None:
    """Python warns of these texts when it parses them; nobody could make sense of that here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert value_of(r'"\d"') == "\\d"
        assert value_of("1if 1else 2") == 1
    assert capfd.readouterr() == ("", "")
