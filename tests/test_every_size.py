"""What is told of all sizes at once, against the same code and the same networks on each size."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import archlens
from archlens import SpecError
from archlens.analysis import every_size, unseen
from archlens.elaboration.examples import spec_of
from archlens.formulas import BELOW, ZERO, Condition, Table, form_of, is_constant
from archlens.network import Network
from archlens.ops import OPS
from archlens.shape import Ids

from .random_networks import STRATA, some
from .test_verify import SMALLEST

#: What a program makes of the size: a number.
Program = Callable[[Any], Any]


def drawn(rng: random.Random, depth: int) -> Program:
    """A program of the arithmetic and the questions that ops are written with."""
    if depth == 0 or rng.random() < 0.1:
        constant = rng.randint(-6, 9)
        return (lambda n: n) if rng.random() < 0.7 else (lambda n: constant)
    a, b, c, d = [drawn(rng, depth - 1) for _ in range(4)]
    k = rng.choice([1, 2, 3, 4, 6, 7, 32, -3])
    programs: list[Program] = [
        lambda n: a(n) + b(n),
        lambda n: a(n) - b(n),
        lambda n: a(n) * k,
        lambda n: a(n) * b(n),
        lambda n: a(n) // k,
        lambda n: -(-a(n) // k),
        lambda n: (a(n) + b(n) - k) // k + 1,
        lambda n: a(n) % k,
        lambda n: divmod(a(n), k)[1] + divmod(k, abs(b(n)) + 1)[0],
        lambda n: a(n) // (abs(b(n)) + 1),
        lambda n: a(n) % -(abs(b(n)) + 1),
        lambda n: abs(a(n)) ** 2,
        lambda n: min(a(n), b(n)),
        lambda n: max(a(n), b(n), k),
        lambda n: c(n) if a(n) < b(n) else d(n),
        lambda n: c(n) if a(n) >= k else d(n),
        lambda n: c(n) if a(n) <= b(n) else d(n),
        lambda n: c(n) if a(n) > k else d(n),
        lambda n: c(n) if a(n) == b(n) else d(n),
        lambda n: c(n) if a(n) != k else d(n),
        lambda n: c(n) if a(n) % 2 else d(n),
        lambda n: c(n) if a(n) in {1, 2, k} else d(n),
        lambda n: c(n) if len({a(n), b(n), k}) == 2 else d(n),
        lambda n: len(range(0, a(n), 2)),
        lambda n: int(a(n) * 0.5),
        lambda n: round(a(n) / 3),
        lambda n: sum([a(n), b(n), 2]),
        lambda n: c(n) if (a(n), k) == (b(n), k) else d(n),
    ]
    return rng.choice(programs)


@pytest.mark.parametrize("seed", range(20))
def test_numbers_that_remember(seed: int) -> None:
    """What a program makes of one size holds on all sizes on which its conditions do."""
    rng = random.Random(seed)
    sizes = range(1, 80)
    for _ in range(40):
        program = drawn(rng, 4)
        table = Table(sizes)
        for place in rng.sample(range(len(sizes)), 3):
            table.point = (sizes[place],)
            found = program(table.number(table.letter))
            alike = table.all
            for condition in table.taken():
                alike &= table.mask(condition)
            assert alike >> place & 1
            values = table.values(form_of(found))
            for i, size in enumerate(sizes):
                if alike >> i & 1:
                    assert values[i] == program(size)


def test_floors_of_floors_are_one() -> None:
    """Half of a half is a quarter, and what two ways of rounding make is one form."""
    table = Table(range(1, 300))
    n = table.number(table.letter)
    assert form_of(n // 2 // 2) == form_of(n // 4)
    assert form_of(((n + 1) // 2 + 1) // 2) == form_of((n + 3) // 4)
    assert form_of(-(-n // 2)) == form_of((n - 1) // 2 + 1)
    assert form_of((6 * n + 4) // 4) == form_of(n + (n + 2) // 2)
    assert form_of(n % 2 + n // 2 * 2) == form_of(n)
    assert form_of(n // 2) != form_of((n + 1) // 2)
    assert not table.taken()


def compared(network: Network, axes: tuple[int, ...], sizes: range, tried: list[int]) -> int:
    """Hold what is told of some sizes against networks laid out on them; how many of them it is told of."""
    told = every_size.tell(network, axes, sizes, 10**7)
    own = next(iter(network.inputs.values()))
    names = tuple(own.axes[axis] for axis in axes)
    count = 0
    for size in tried:
        bit = 1 << size - sizes.start
        if told.untold & bit:
            continue
        count += 1
        spatial = [size if axis in axes else n for axis, n in enumerate(own.spatial)]
        shapes = {
            name: shape.with_spatial(spatial) if shape.spatial == own.spatial else shape
            for name, shape in network.inputs.items()
        }
        try:
            there = network.with_input(shapes, inference=True, advice=False)
        except SpecError:
            assert not told.valid & bit, (size, axes)
        else:
            assert told.valid & bit, (size, axes)
            assert bool(told.lossy & bit) == unseen.loses(there, names, {}), (size, axes)
    return count


def inference(network: Network) -> Network:
    return network.with_input(network.inputs, inference=True)


@pytest.mark.parametrize("kind", OPS)
def test_every_op_along_every_axis(kind: str) -> None:
    """Each example on all of its axes, one by one and together."""
    for text in OPS[kind].examples:
        network = inference(archlens.loads(spec_of(text)))
        own = next(iter(network.inputs.values()))
        count = len(own.spatial)
        for axes in {*[(axis,) for axis in range(count)], tuple(range(count))} - {()}:
            compared(network, axes, range(1, 40), [1, 2, 3, 4, 5, 7, 8, 12, 16, 31, 36, 39])


@pytest.mark.parametrize("name", SMALLEST)
def test_a_network_of_each_family(name: str) -> None:
    """All at once and each size alone, on a few sizes up to one and a half times its own."""
    network = inference(archlens.load(name))
    own = next(iter(network.inputs.values()))
    if not own.spatial or isinstance(own, Ids) or max(own.spatial) > 2048 or network.fixed:
        return
    rng = random.Random(name)
    axes = tuple(range(len(own.spatial))) if len(set(own.spatial)) == 1 else (0,)
    last = own.spatial[0] * 3 // 2
    compared(network, axes, range(1, last + 1), rng.sample(range(1, last + 1), min(3, last)))


def test_random_networks() -> None:
    told: Counter[str] = Counter()
    for about in STRATA:
        for drawn in some(1, 1, about):
            try:
                network = inference(drawn.network())
            except SpecError:
                continue
            own = next(iter(network.inputs.values()))
            for axis in range(len(own.spatial)):
                told[about] += compared(network, (axis,), range(1, 30), [1, 2, 3, 5, 6, 8, 9, 13, 21, 28])
    assert told.keys() & {"conv", "max_pool"}
    assert told.total() > 80, told


def test_sizes_that_a_spec_asks_for_are_not_told() -> None:
    """Another length may make other layers; a width that nobody asks for is told."""
    network = archlens.loads("{input: 1x8x9, layers: ['conv(2, 3)', 'pad(x.height)', 'crop(6)']}")
    height = every_size.tell(network, (0,), range(1, 20), 10**6)
    assert height.untold == (1 << 19) - 1 - 0b10000011  # 1 and 2 are refused before, and 8 is its own
    assert height.valid == 0b10000000
    assert every_size.tell(network, (1,), range(1, 20), 10**6).untold == 0


def test_ops_of_others_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    network = archlens.loads("{input: 1x8, layers: [relu]}")
    monkeypatch.setattr(type(network.layers[0].op), "__module__", "somewhere.else")
    assert every_size.tell(network, (0,), range(1, 20), 10**6).untold == (1 << 19) - 1


def test_more_work_than_it_may_be() -> None:
    network = archlens.loads("{input: 1x8, layers: ['conv(2, 3) * 3']}")
    for most in (18, 25):
        assert every_size.tell(network, (0,), range(1, 20), most).untold == (1 << 19) - 1
    assert every_size.tell(network, (0,), range(1, 20), 1000).untold == 0


@pytest.mark.parametrize("relation", [BELOW, ZERO])
def test_conditions_on_what_neither_grows_nor_falls(relation: str) -> None:
    """They are told from bounds where these suffice, as of ``2*floor(n/4) - floor(n/2)``."""
    chance = random.Random(11)
    told = 0
    for _ in range(400):
        table = Table(range(1, 150))
        n = table.number(table.letter)
        a, b, k = chance.choice([2, 3, 4]), chance.choice([2, 3, 5]), chance.randint(-4, 4)
        inner = (n + chance.randint(-5, 5)) // a
        number = b * ((inner + chance.randint(-3, 3)) // b) - inner + k
        number = number * chance.choice([1, -1]) + chance.randint(0, 1) * (a * (n // a) - n)
        form = form_of(number)
        if is_constant(form):
            continue
        found = table.mask(Condition(form, relation, True))
        told += (form, 0) not in table._values  # no size was looked at
        values = table.values(form)
        assert [bool(found >> i & 1) for i in range(149)] == [
            value < 0 if relation == BELOW else value == 0 for value in values
        ]
    assert told > 50
