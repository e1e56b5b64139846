"""Limits: what their texts mean, by definition and by trying whole numbers, and which texts are refused."""

from __future__ import annotations

import operator
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlens.counts import Kind
from archlens.limits import BadLimit, parse


@pytest.mark.parametrize(
    ("text", "held", "broken"),
    [
        ("<= 26M", [0, 26_000_000], [26_000_001]),
        ("<26M", [25_999_999], [26_000_000]),
        (">= 1.5k", [1500], [1499]),
        ("> 1k", [1001], [1000]),
        ("== 25557032", [25_557_032], [25_557_031, 25_557_033]),
        ("= 25,557,032", [25_557_032], [25_557_031]),
        ("25_557_032", [25_557_032], [25_557_033]),
        ("20M..26M", [20_000_000, 26_000_000], [19_999_999, 26_000_001]),
        ("20..26M", [20_000_000, 26_000_000], [20, 26_000_001]),
        ("20M - 26M", [20_000_000], [26_000_001]),
        ("20k to 26k", [20_000, 26_000], [26_001]),
        (">= 20M, <= 26M", [20_000_000, 26_000_000], [19_999_999, 26_000_001]),
        ("> 20 and < 22", [21], [20, 22]),
        ("< 22, >= 20", [20, 21], [19, 22]),
        ("<= 4.2G", [4_200_000_000], [4_200_000_001]),
        ("≤ 5 K", [5000], [5001]),
        ("<= 1e6", [1_000_000], [1_000_001]),
        ("<= 0", [0], [1]),
    ],
)
def test_limits(text: str, held: list[int], broken: list[int]) -> None:
    limit = parse(text, Kind.COUNT)
    assert all(map(limit.holds, held))
    assert not any(map(limit.holds, broken))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("<= 1B", 1), ("<= 1", 1), ("<= 1kB", 10**3), ("<= 1MB", 10**6), ("<= 1GB", 10**9),
        ("<= 1KiB", 2**10), ("<= 1MiB", 2**20), ("<= 1 GiB", 2**30), ("<= 1.5MiB", 3 * 2**19),
        ("<= 320K", 327_680), ("<= 1M", 2**20), ("<= 1.5 M", 3 * 2**19), ("<= 2G", 2**31), ("<= 1T", 2**40),
    ],
)  # fmt: skip
def test_bytes(text: str, size: int) -> None:
    limit = parse(text, Kind.BYTES)
    assert limit.holds(size)
    assert not limit.holds(size + 1)


@pytest.mark.parametrize(
    ("text", "kind", "message", "help"),
    [
        ("1,00", Kind.COUNT, "has a comma that separates neither", "1.5M"),
        (">= 4,2G", Kind.COUNT, "has a comma that separates neither", "1.5M"),  # was >= 4 and exactly 2G
        ("5, 6", Kind.COUNT, "has a comma that separates neither", ""),
        ("<= 26M,", Kind.COUNT, "'<= 26M,' has a comma that separates neither", ""),
        ("<= 26M, <= 27M", Kind.COUNT, "limits the same side twice", ""),
        ("== 5, <= 6", Kind.COUNT, "limits the same side twice", ""),
        ("<= 1e400", Kind.COUNT, "1e400 is larger than any figure", ""),
        ("<= 99999999999999999T", Kind.COUNT, "is larger than any figure", ""),
        ("<= 1e-3M", Kind.COUNT, "'<= 1e-3M' is not a limit", ""),
        ("<= 32x32", Kind.SIZE, "is not a limit", "one number, which holds along every axis"),
        ("<= 32x32", Kind.COUNT, "is not a limit", "as in <= 26M"),
        ("5 apples 6", Kind.SIZE, "is not a limit", "as in <= 26M"),
        ("20M..6!", Kind.COUNT, "'20M..6!' is not a range", "as in 20M..26M; for one side, as in <= 26M"),
        ("M..26M", Kind.COUNT, "'M..26M' is not a range", "as in 20M..26M; for one side, as in <= 26M"),
        ("<= 30 %", Kind.COUNT, "'<= 30 %' is a percentage, and only", ""),
        ("<= 4Q", Kind.COUNT, "the unit Q is not known", "the units are k, M, G, T"),
        ("<= 4Qparams", Kind.COUNT, "the unit Qparams is not known", "the units are k, M, G, T"),
        ("<= 3GMACs", Kind.COUNT, "the unit GMACs is not known", "did you mean G?"),
        ("<= 7B", Kind.COUNT, "the unit B is not known", "a billion is written 1G"),
        ("<= 26m", Kind.COUNT, "the unit m is not known", "did you mean M?"),
        ("<= 26g", Kind.COUNT, "the unit g is not known", "did you mean G?"),
        ("<= 26m", Kind.BYTES, "the unit m is not known", "MB is 1,000,000 bytes, M and MiB are 1,048,576"),
        ("<= 26mb", Kind.BYTES, "the unit mb is not known", "did you mean MB?"),
        ("<= 5k", Kind.BYTES, "the unit k is not known", "kB is 1,000 bytes, K and KiB are 1,024"),
        ("<= 7bn", Kind.COUNT, "the unit bn is not known", "a billion is written 1G"),
        ("<= 7billion", Kind.COUNT, "the unit billion is not known", "a billion is written 1G"),
        ("<= 7million", Kind.COUNT, "the unit million is not known", "a million is written 1M"),
        ("<= 7mio", Kind.COUNT, "the unit mio is not known", "a million is written 1M"),
        ("<= 4GFLOPs", Kind.COUNT, "the unit GFLOPs is not known", "MACs are counted, and FLOPs = 2 x MACs"),
        ("<= 4flops", Kind.COUNT, "the unit flops is not known", "MACs are counted, and FLOPs = 2 x MACs"),
        ("<= 4Mparams", Kind.COUNT, "the unit Mparams is not known", "did you mean M?"),
        ("<= 4Mparameters", Kind.COUNT, "the unit Mparameters is not known", "did you mean M?"),
        ("<= 4k", Kind.SIZE, "the unit k is not known", "write the number alone"),
        ("2000..1000", Kind.COUNT, "2,000 is more than 1,000", "the smaller one first"),
        ("1000.5..1000.25", Kind.COUNT, "1000.5 is more than 1000.25", "the smaller one first"),
        ("0..0.5", Kind.LAYERS, "", ""),
        ("5..1", Kind.LAYERS, "5 is more than 1", "the smaller one first"),
    ],
)
def test_no_limits(text: str, kind: Kind, message: str, help: str) -> None:
    if not message:  # a network without convolutions and matrix products has a depth of nothing
        assert parse(text, kind).holds(0)
        return
    with pytest.raises(BadLimit) as caught:
        parse(text, kind)
    assert message in caught.value.message
    assert help in caught.value.help


@pytest.mark.parametrize(
    ("text", "said"),
    [("<= 26M", "<= 26M"), ("61706", "== 61706"), ("20M..26M", "in 20M..26M"), ("20M-26M", "in 20M-26M"),
     ("20k to 26k", "in 20k to 26k"), (">= 20M, <= 26M", ">= 20M, <= 26M")],
)  # fmt: skip
def test_limits_are_said(text: str, said: str) -> None:
    assert str(parse(text, Kind.COUNT)) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [("<= 320K", "<= 320K (327,680 B)"), ("1K", "== 1K (1,024 B)"), ("<= 320kB", "<= 320kB"),
     ("1K..2MB", "in 1K..2MB (1,024 B)"), ("1..2K", "in 1..2K (1,024 B, 2,048 B)"),
     (">= 1K, < 1M", ">= 1K, < 1M (1,024 B, 1,048,576 B)"), ("<= 0.3K", "<= 0.3K (307 B)")],
)  # fmt: skip
def test_what_a_letter_alone_is_of_bytes_is_said(text: str, said: str) -> None:
    assert str(parse(text, Kind.BYTES)) == said


def test_margins() -> None:
    assert parse("<= 26M", Kind.COUNT).margin(25_557_032) == 442_968
    assert parse("20M..26M", Kind.COUNT).margin(27_000_000) == -1_000_000
    assert parse("20M..26M", Kind.COUNT).margin(21_000_000) == 1_000_000
    assert parse("<= 30 %", Kind.COUNT, share=True).margin(Fraction(91, 3)) == Fraction(-1, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<= 100 %", "holds for every scope"),
        ("0..100 %", "holds for every scope"),
        (">= 0 %, <= 250 %", "holds for every scope"),
        (">= 0 %", "holds for everything"),
        ("> 100 %", "cannot hold"),
        (">= 101 %", "cannot hold"),
        ("< 0 %", "cannot hold"),
        ("<= 99 %", ""),
        ("<= 99.5 %", ""),
        (">= 99 %", ""),
        ("< 100 %", ""),
        ("> 0 %, <= 100 %", ""),
        (">= 100 %", ""),
        ("100 %", ""),
        ("0 %", ""),
    ],
)
def test_shares_that_limit_nothing(text: str, message: str) -> None:
    if not message:
        assert parse(text, Kind.COUNT, share=True).percent
        return
    with pytest.raises(BadLimit, match=message):
        parse(text, Kind.COUNT, share=True)


@given(st.text(max_size=40) | st.text("<>=.0123456789kMGiB% ,-eE", max_size=20))
def test_no_text_does_worse_than_to_be_refused(text: str) -> None:
    for kind in Kind:
        try:
            limit = parse(text, kind, share=True)
        except BadLimit:
            continue
        assert limit.low is not None or limit.high is not None


# --- bounds between whole numbers ---------------------------------------------------------------------

HOW = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}
QUARTERS = [Fraction(n, 4) for n in range(13)]


@pytest.mark.parametrize("kind", [Kind.COUNT, Kind.BYTES, Kind.SIZE, Kind.LAYERS])
@pytest.mark.parametrize(("above", "below"), list(product((">", ">="), ("<", "<="))))
def test_two_bounds_by_trying(above: str, below: str, kind: Kind) -> None:
    """They are refused exactly if no whole number lies within; else they hold for what lies within."""
    for low, high in product(QUARTERS, QUARTERS):
        text = f"{above} {float(low)}, {below} {float(high)}"
        within = [n for n in range(5) if HOW[above](n, low) and HOW[below](n, high)]
        if not within:
            with pytest.raises(BadLimit, match="cannot hold") as caught:
                parse(text, kind)
            if low > high:
                assert f"{float(low):g} is more than {float(high):g}" in caught.value.message
                assert caught.value.help == "the smaller one first"
            elif not (high == 0 and below == "<"):
                assert caught.value.message.endswith("no whole number lies within")
            continue
        limit = parse(text, kind)
        assert [n for n in range(5) if limit.holds(n)] == within
        assert [n for n in QUARTERS if limit.holds(n)] == [
            n for n in QUARTERS if HOW[above](n, low) and HOW[below](n, high)
        ]
        for value in range(5):  # from the nearest bound, and beyond it negative
            margins = [(value - low, low), (high - value, high)]
            assert limit.margin(value) == min(margins)[0]
            assert (limit.margin(value), limit.nearest(value)) in margins


@pytest.mark.parametrize("how", HOW)
def test_one_bound_by_trying(how: str) -> None:
    """One that no whole number holds is refused, and one that all hold."""
    for bound in QUARTERS:
        held = [n for n in range(9) if HOW[how](n, bound)]
        text = f"{how} {float(bound)}"
        if not held or held == list(range(9)):
            message = "holds for everything, and so checks nothing" if held else "cannot hold"
            with pytest.raises(BadLimit, match=message):
                parse(text, Kind.COUNT)
            continue
        limit = parse(text, Kind.COUNT)
        assert [n for n in range(9) if limit.holds(n)] == held
        for value in range(5):
            assert limit.nearest(value) == bound
            margins = {"<": bound - value, ">": value - bound, "=": -abs(value - bound)}
            assert limit.margin(value) == margins[how[0]]


def test_ranges_by_trying() -> None:
    """Both ends belong to a range, and a number alone is a range of one."""
    for low, high in product(QUARTERS, QUARTERS):
        within = [n for n in range(5) if low <= n <= high]
        text = f"{float(low)}..{float(high)}"
        if not within:
            with pytest.raises(BadLimit, match="cannot hold"):
                parse(text, Kind.COUNT)
        else:
            limit = parse(text, Kind.COUNT)
            assert [n for n in QUARTERS if limit.holds(n)] == [n for n in QUARTERS if low <= n <= high]


def test_a_share_may_lie_between_whole_numbers() -> None:
    for text, held, broken in (
        ("> 0.5 %, < 0.75 %", [Fraction(5, 8)], [Fraction(1, 2), Fraction(3, 4)]),
        ("12.5 %", [Fraction(25, 2)], [12, 13]),
        ("99.5..100 %", [100, Fraction(199, 2)], [99]),
    ):
        limit = parse(text, Kind.COUNT, share=True)
        assert all(map(limit.holds, held))
        assert not any(map(limit.holds, broken))
    for text in ("> 5 %, < 5 %", ">= 5 %, < 5 %", "> 5 %, <= 5 %"):
        with pytest.raises(BadLimit, match="cannot hold: nothing lies within"):
            parse(text, Kind.COUNT, share=True)


@pytest.mark.parametrize(
    ("text", "kind", "size"),
    [
        ("1k", Kind.COUNT, 10**3),
        ("1M", Kind.COUNT, 10**6),
        ("1G", Kind.COUNT, 10**9),
        ("1T", Kind.COUNT, 10**12),
        ("1TB", Kind.BYTES, 10**12),
        ("1TiB", Kind.BYTES, 2**40),
        ("1000000000000T", Kind.COUNT, 10**24),
    ],
)
def test_units(text: str, kind: Kind, size: int) -> None:
    limit = parse(text, kind)
    assert (limit.low, limit.high) == (size, size)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the limit is empty"),
        (" \n ", "the limit is empty"),
        ("1000000000001T", "is larger than any figure"),
        ("<= " + "9" * 98, "is not a limit"),
        ("20M..30%", "'20M..30%' mixes a percentage with a number"),
        ("20%..30M", "'20%..30M' mixes a percentage with a number"),
        (">= 20%, <= 30M", "mixes a percentage with a number"),
        ("<= -5", "'<= -5' is negative, but no figure is"),
        ("-5", "is negative"),
        ("<= M", "'<= M' has no number"),
        ("!= 5", "'!= 5' is not a comparison"),
        ("=< 5", "'=< 5' is not a comparison"),
        ("5 apples 6", "'5 apples 6' is not a limit"),
    ],
)
def test_what_no_limit_may_be(text: str, message: str) -> None:
    with pytest.raises(BadLimit) as caught:
        parse(text, Kind.COUNT, share=True)
    assert message in caught.value.message


def test_a_text_of_100_characters_is_read() -> None:
    assert parse("<= " + "0" * 96 + "7", Kind.COUNT).high == 7
