"""The arithmetic of one axis: against torch on a grid, and against definitions written out by brute force."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from archlens.geometry import Window, same, same_transposed


def length(function: Callable[..., Any], n: int, *args: Any, **kwargs: Any) -> int:
    """What torch makes of ``n`` positions; 0 where it refuses."""
    try:
        with torch.no_grad():
            return int(function(torch.zeros(1, 1, n), *args, **kwargs).shape[2])
    except RuntimeError:
        return 0


# --- output sizes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_convolution(stride: int, dilation: int) -> None:
    """A plain window has as many outputs as torch's convolution, and none where torch refuses."""
    for n, kernel, padding in product(range(1, 15), range(1, 6), range(4)):
        weight = torch.zeros(1, 1, kernel)
        expected = length(F.conv1d, n, weight, None, stride, padding, dilation)
        window = Window(kernel, stride, padding, padding, dilation)
        assert max(window.output(n), 0) == expected, (window, n)


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("ceil", [False, True])
def test_pooling(ceil: bool, dilation: int) -> None:
    """So has one of max pooling; ``ceil`` rounds up, unless the last window would start in the padding."""
    for n, kernel, stride in product(range(1, 15), range(1, 7), range(1, 6)):
        for padding in range(kernel // 2 + 1):
            expected = length(F.max_pool1d, n, kernel, stride, padding, dilation, ceil)
            window = Window(kernel, stride, padding, padding, dilation, ceil)
            assert max(window.output(n), 0) == expected, (window, n)
            if dilation == 1:
                assert expected == length(F.avg_pool1d, n, kernel, stride, padding, ceil)


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_transposed_convolution(stride: int, dilation: int) -> None:
    """A transposed window gives what torch's transposed convolution does, ``output_padding`` included."""
    for n, kernel, padding in product(range(1, 8), range(1, 6), range(4)):
        for spare in range(max(stride, dilation)):
            weight = torch.zeros(1, 1, kernel)
            expected = length(F.conv_transpose1d, n, weight, None, stride, padding, spare, 1, dilation)
            window = Window(kernel, stride, padding, padding - spare, dilation, transposed=True)
            assert max(window.output(n), 0) == expected, (window, n)


@pytest.mark.parametrize("before", [-2, -1, 0, 1, 3])
@pytest.mark.parametrize("after", [-2, 0, 1, 2])
def test_sides(before: int, after: int) -> None:
    """The two sides are padded apart, and cropped where negative."""
    for n, kernel, stride in product(range(5, 12), (1, 2, 3), (1, 2, 3)):

        def padded(x: torch.Tensor, kernel: int = kernel, stride: int = stride) -> torch.Tensor:
            return F.conv1d(F.pad(x, (before, after)), torch.zeros(1, 1, kernel), None, stride)

        assert max(Window(kernel, stride, before, after).output(n), 0) == length(padded, n)


@pytest.mark.parametrize("ceil", [False, True])
def test_smallest_padding(ceil: bool) -> None:
    """It is the least with which the window fits, tried from 0 up."""
    for n, kernel, stride, dilation in product(range(1, 10), range(1, 6), (1, 2, 3), (1, 2)):
        least = next(p for p in range(99) if Window(kernel, stride, p, p, dilation, ceil).output(n) >= 1)
        assert Window(kernel, stride, 0, 0, dilation, ceil).smallest_padding(n) == least


def turned(window: Window) -> Window:
    """The same run the other way."""
    return Window(window.kernel, window.stride, window.before, window.after, window.dilation, transposed=True)


def test_cuts() -> None:
    """Whether it drops positions, from those that are left between its sides."""
    for before, after in product(range(-2, 3), range(-2, 3)):
        axis = range(10)
        padded, cropped = range(-before, 10 + after), range(before, 10 - after)
        assert Window(3, before=before, after=after).cuts is bool(set(axis) - set(padded))
        assert Window(3, before=before, after=after, transposed=True).cuts is bool(set(axis) - set(cropped))


# --- what is unseen, and what is left over -----------------------------------------------------------


def windows() -> Iterator[tuple[Window, int]]:
    """Windows of many kinds with an input that they fit."""
    for kernel, stride, before, after, dilation, ceil in product(
        range(1, 6), range(1, 5), (0, 1, 2), (0, 1, 2), (1, 2), (False, True)
    ):
        window = Window(kernel, stride, before, after, dilation, ceil)
        for n in range(1, 13):
            if window.output(n) >= 1:
                yield window, n


def test_unseen() -> None:
    """Positions at the end that no window spans, counted by marking those that one does."""
    for window, n in windows():
        starts = [i * window.stride - window.before for i in range(window.output(n))]
        if starts[-1] >= n:
            continue  # the last window lies in the padding alone
        spanned = {position for start in starts for position in range(start, start + window.extent)}
        unseen = 0
        while unseen < n and n - 1 - unseen not in spanned:
            unseen += 1
        assert window.unseen(n) == unseen, (window, n)


def test_unseen_behind_a_crop() -> None:
    """Inputs at the end of which a transposed window keeps nothing, from the outputs that each writes."""
    found = set()
    for kernel, stride, dilation, before, after in product(
        range(1, 5), (1, 2, 3), (1, 3), range(6), range(-1, 6)
    ):
        window = Window(kernel, stride, before, after, dilation, transposed=True)
        for n in (1, 2, 5):
            kept = range(window.output(n))
            used = [
                position
                for position in range(n)
                if any(position * stride + tap * dilation - before in kept for tap in range(kernel))
            ]
            if kept:
                assert window.unseen(n) == n - 1 - max(used, default=-1), (window, n)
                found.add(window.unseen(n))
    assert found >= {0, 1, 2, 3}


def test_unseen_behind_a_crop_in_torch() -> None:
    """Of 5 inputs that write 2 of 10 outputs each, a padding of 2 or 3 loses the first and the last."""
    for padding, unseen in ((1, 0), (2, 1), (3, 1), (4, 2)):
        x = torch.zeros(1, 1, 5, requires_grad=True)
        F.conv_transpose1d(x, torch.ones(1, 1, 2), None, 2, padding).sum().backward()
        assert x.grad is not None
        used = [bool(value) for value in x.grad[0, 0]]
        assert used == [False] * unseen + [True] * (5 - 2 * unseen) + [False] * unseen
        assert Window(2, 2, padding, padding, transposed=True).unseen(5) == unseen


def test_unseen_of_tensorflows_example() -> None:
    """Of 13 columns under a filter of 6 with a stride of 5, "VALID" drops the last 2.

    Source: the drawing that answers "What is the difference between SAME and VALID padding in
    tf.nn.max_pool", Stack Overflow 37674306. "SAME" pads 1 before and 2 after.
    """
    assert Window(6, 5).output(13) == 2
    assert Window(6, 5).unseen(13) == 2
    assert same(13, kernel=6, stride=5, dilation=1) == (1, 2)
    assert Window(6, 5, 1, 2).output(13) == 3


def test_remainder() -> None:
    """What the padded input may lose at its end without losing an output."""
    for window, n in windows():
        if window.ceil:
            continue
        lost = window.remainder(n)
        outputs = [
            Window(window.kernel, window.stride, window.before, after, window.dilation).output(n)
            for after in (window.after - lost, window.after - lost - 1)
        ]
        assert outputs == [window.output(n), window.output(n) - 1]


# --- TensorFlow's "same" -----------------------------------------------------------------------------


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same(dilation: int) -> None:
    """``ceil(n/s)`` outputs, from the padding that TensorFlow's documentation spells out.

    Source: TensorFlow, ``tf.nn``, "Notes on padding". It starts from ``n % s``, with the filter's size
    "after dilations (if any)".
    """
    for n, kernel, stride in product(range(1, 30), range(1, 8), range(1, 6)):
        extent = len(range(dilation * (kernel - 1) + 1))
        total = max(extent - (n % stride or stride), 0)
        before, after = same(n, kernel, stride, dilation)
        assert (before, after) == (total // 2, total - total // 2)
        assert Window(kernel, stride, before, after, dilation).output(n) == math.ceil(n / stride)


@pytest.mark.parametrize(
    ("n", "kernel", "stride", "sides", "outputs"),
    [
        # "Notes on padding": in_height 5, filter_height 3, stride_height 2 gives ceil(5 / 2) = 3
        (5, 3, 2, (1, 1), 3),
        # ibid.: in_width 2, filter_width 2, stride_width 1 gives ceil(2 / 1) = 2
        (2, 2, 1, (0, 1), 2),
        # ibid.: "when pad_along_height is 5, we pad 2 pixels at the top and 3 pixels at the bottom"
        (8, 7, 2, (2, 3), 4),
        # the stem of ResNet and MobileNet at 224 in TensorFlow: 6 = 7 - 1 halves, 1 = 3 - 2 stands at the end
        (224, 7, 2, (2, 3), 112),
        (224, 3, 2, (0, 1), 112),
        # no padding where the filter is no larger than what is left of the last stride
        (9, 1, 2, (0, 0), 5),
        (9, 2, 4, (0, 1), 3),
        (10, 2, 4, (0, 0), 3),
    ],
)
def test_same_by_hand(n: int, kernel: int, stride: int, sides: tuple[int, int], outputs: int) -> None:
    """Rows from the documentation, or worked out by hand with its formula."""
    assert same(n, kernel, stride, 1) == sides
    assert Window(kernel, stride, *sides).output(n) == outputs


def test_same_is_torchs_with_stride_1() -> None:
    """Torch pads more at the end too, so the two agree position by position."""
    for n, kernel, dilation in product(range(1, 9), range(1, 6), (1, 2, 3)):
        if kernel % 2 == 0 and dilation % 2:
            continue  # torch warns of the copy that it makes
        x, weight = torch.rand(1, 1, n), torch.rand(1, 1, kernel)
        ours = F.conv1d(F.pad(x, same(n, kernel, 1, dilation)), weight, dilation=dilation)
        torch.testing.assert_close(ours, F.conv1d(x, weight, padding="same", dilation=dilation))


def test_same_transposed() -> None:
    """``n*s`` outputs; and cropping as much as the convolution that it transposes pads."""
    for n, kernel, stride, dilation in product(range(1, 9), range(1, 7), range(1, 6), (1, 2)):
        before, after = same_transposed(kernel, stride, dilation)
        assert Window(kernel, stride, before, after, dilation, transposed=True).output(n) == n * stride
        if dilation * (kernel - 1) + 1 >= stride:
            assert (before, after) == same(n * stride, kernel, stride, dilation)
        else:  # that convolution pads nothing, and skips positions after each of its windows
            assert before == 0


# --- what is printed ---------------------------------------------------------------------------------

#: The words in it: what follows "- 1" where ``ceil`` has one window too many.
DROPPED = " window that would start in the padding"

FUNCTIONS = {"floor": math.floor, "ceil": math.ceil}
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def value(text: str, **letters: int) -> Fraction:
    """The exact value of printed arithmetic, with numbers for its letters; "2p" is 2 times p."""

    def of(tree: ast.AST) -> Any:
        match tree:
            case ast.Constant(value=number):
                return Fraction(str(number))
            case ast.Name(id=letter):
                return Fraction(letters[letter])
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -of(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return OPERATORS[type(op)](of(left), of(right))
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return Fraction(FUNCTIONS[name](of(argument)))
        raise ValueError(ast.dump(tree))

    return Fraction(of(ast.parse(text.replace(DROPPED, "").strip(), mode="eval").body))


def test_arithmetic_is_true() -> None:
    """What is printed before the equals sign is what stands after it, and what ``output`` says."""
    kinds = set()
    for plain, n in windows():
        for window in (plain, turned(plain)):
            left, _, right = window.arithmetic(n).partition(" = ")
            kinds |= {word for word in ("floor", "ceil", DROPPED, "(n", "- 1)*") if word in left}
            assert value(left) == value(right) == window.output(n), left
    assert kinds == {"floor", "ceil", DROPPED, "- 1)*"}


@pytest.mark.slow
def test_arithmetic_adds_the_sides_up() -> None:
    """With ``total_padding`` both sides are one number, also where the window does not fit."""
    for window, n in [*windows(), (Window(5), 4), (Window(9, 4, 1, 1), 3), (Window(9, 4, ceil=True), 5)]:
        left, _, right = window.arithmetic(n, total_padding=True).partition(" = ")
        assert f"({n} + {window.before + window.after} - " in left
        assert value(left) == value(right) == window.output(n)


@pytest.mark.parametrize(
    ("window", "n", "printed"),
    [
        (Window(7, 2, 3, 3), 224, "floor((224 + 2*3 - 7)/2) + 1 = 112"),
        (Window(5), 32, "(32 + 2*0 - 5)/1 + 1 = 28"),
        (Window(3, 2, 0, 1), 224, "(224 + 0 + 1 - 3)/2 + 1 = 112"),
        (Window(3, 2, ceil=True), 112, "ceil((112 + 2*0 - 3)/2) + 1 = 56"),
        (Window(2, 2, 1, 1, ceil=True), 3, f"ceil((3 + 2*1 - 2)/2) + 1 - 1{DROPPED} = 2"),
        (Window(3, before=2, after=2, dilation=2), 56, "(56 + 2*2 - 2*(3 - 1) - 1)/1 + 1 = 56"),
        (Window(1, before=-4, after=-4), 64, "(64 + 2*(-4) - 1)/1 + 1 = 56"),
        (Window(1, before=-1, after=-1), 3, "(3 + 2*(-1) - 1)/1 + 1 = 1"),
        (Window(2, 2, transposed=True), 28, "(28 - 1)*2 - 2*0 + 2 = 56"),
        (Window(3, 2, 1, 0, transposed=True), 14, "(14 - 1)*2 - 2*1 + 3 + 1 = 28"),
        (Window(5, 3, dilation=2, transposed=True), 20, "(20 - 1)*3 - 2*0 + 2*(5 - 1) + 1 = 66"),
    ],
)
def test_arithmetic_reads_well(window: Window, n: int, printed: str) -> None:
    """As the field writes it: floor and ceil only where they do something, and 2p where both sides agree."""
    assert window.arithmetic(n) == printed


@pytest.mark.parametrize(
    ("window", "formula"),
    [
        (Window(5), "(n + 2p - f)/s + 1"),
        (Window(3, 2, 0, 1), "(n + p1 + p2 - f)/s + 1"),
        (Window(3, dilation=2), "(n + 2p - d(f - 1) - 1)/s + 1"),
        (Window(2, 2, transposed=True), "(n - 1)s - 2p + f"),
        (Window(3, 2, 1, 0, transposed=True), "(n - 1)s - 2p + f + o"),
        (Window(5, 3, dilation=2, transposed=True), "(n - 1)s - 2p + d(f - 1) + 1"),
    ],
)
def test_formula_reads_well(window: Window, formula: str) -> None:
    """A letter stands there only where it does something: d from 2 on, o where the sides differ."""
    assert window.formula == formula


@pytest.mark.slow
def test_formula_is_the_arithmetic() -> None:
    """The letters stand for the numbers: filled in, the formula gives the same before it is rounded."""
    for plain, n in windows():
        for window in (plain, turned(plain)):
            letters = {
                "n": n, "f": window.kernel, "s": window.stride, "d": window.dilation, "p": window.before,
                "p1": window.before, "p2": window.after, "o": window.before - window.after,
            }  # fmt: skip
            formula = window.formula.replace("2p", "2*p").replace("d(", "d*(").replace(")s", ")*s")
            exact = value(formula, **letters)
            if window.transposed:
                assert exact == window.output(n), formula
            else:
                room = n + window.before + window.after - window.extent
                assert exact == Fraction(room, window.stride) + 1, formula
