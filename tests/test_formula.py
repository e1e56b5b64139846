"""Formulas of letters, against the same programs, ops and networks on each size, and against torch."""

from __future__ import annotations

import csv
import itertools
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import archlens
from archlens import SpecError, UsageError
from archlens.analysis import memory, memory_formula, sizes_formula, unseen
from archlens.analysis.cost import cost
from archlens.analysis.formula import Formula
from archlens.analysis.regions import Explorer, Pattern, Region, pattern, settled, united, whole
from archlens.cli import cli
from archlens.elaboration.examples import spec_of
from archlens.elaboration.lettered import formulas
from archlens.formulas import BELOW, ZERO, Condition, Form, Table, form_of, minus
from archlens.network import Network
from archlens.notation import PYTHON, TEXT, Notation
from archlens.ops import OPS
from archlens.shape import Ids
from archlens.views import formula_table

from . import zoo
from .conftest import load_torchvision
from .every_input import compared, lettered
from .test_every_size import Program, drawn
from .test_verify import SMALLEST


def worth(written: str, **sizes: int) -> Any:
    """What a formula in Python is worth for some sizes."""
    return eval(written, {}, sizes)


def contained(one: Pattern, size: int) -> bool:
    """Whether a pattern has a size, by its definition."""
    if one.start is not None and size >= one.start:
        return size % one.modulus in one.remainders
    return any(a <= size <= b for a, b in one.stretches)


# --- numbers, regions, patterns, notation ---------------------------------------------------------


def bound(program: Any, numbers: Any) -> Callable[[], Form]:
    return lambda: form_of(program(numbers))


def kept(seen: dict[str, tuple[int, ...]], key: str) -> Callable[..., None]:
    """A hook that notes the shape of an output."""

    def note(part: Any, read: Any, out: Any) -> None:
        seen[key] = tuple(out.shape[1:])

    return note


def of_two(rng: random.Random) -> Program:
    """A program of two letters."""
    a, b, c, d = [drawn(rng, 2) for _ in range(4)]
    k = rng.choice([2, 3, 4, 7])
    programs: list[Callable[[Any, Any], Any]] = [
        lambda h, w: a(h) + b(w),
        lambda h, w: a(h) * b(w) // k,
        lambda h, w: c(h) if a(h) < b(w) else d(w),
        lambda h, w: c(h) if a(h) == b(w) else d(w) + 1,
        lambda h, w: max(a(h), b(w)) - min(c(h), k),
        lambda h, w: (a(h) * a(h) * b(w) + a(h) * b(w)) // (abs(a(h)) + 1),
        lambda h, w: a(h * w) + c(h),
    ]
    chosen = rng.choice(programs)
    return lambda point: chosen(*point)


@pytest.mark.parametrize("seed", range(12))
def test_an_explorer_answers_for_every_point(seed: int) -> None:
    """Each point lies in one region, and what is answered there is what the program says."""
    rng = random.Random(seed)
    for _ in range(12):
        program, sizes = of_two(rng), range(1, 15)
        table = Table(sizes, sizes)
        numbers = tuple(map(table.number, table.letters))
        explorer = Explorer(table, 3000)

        def agree(one: Form, other: Form, region: Any) -> bool:
            return one == other

        table.point = rng.choice(sizes), rng.choice(sizes)
        tree = explorer.tree(whole(table), bound(program, numbers), agree)
        leaves = [*explorer.leaves(tree, whole(table))]
        assert not explorer.unsure  # all of so few points are tried
        for point in itertools.product(sizes, sizes):
            table.point = point
            inside = [answer for region, answer in leaves if region.contains(table)]
            assert [table.value(form) for form in inside] == [program(point)], point


@pytest.mark.parametrize("seed", range(5))
def test_patterns_have_the_sizes_that_they_stand_for(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(200):
        count = rng.choice([20, 60, 200])
        modulus, start = rng.randint(1, count // 5), rng.randint(0, count // 2)
        tail = rng.getrandbits(modulus)
        bits = [rng.random() < 0.3 if i < start else tail >> i % modulus & 1 for i in range(count)]
        mask = sum(1 << i for i, bit in enumerate(bits) if bit)
        found = pattern(mask, count)
        assert [contained(found, i + 1) for i in range(count)] == list(map(bool, bits))
    assert pattern(0, 30) == Pattern((), None)
    assert pattern((1 << 30) - 1, 30) == Pattern((), 1)
    assert pattern(1 << 6, 30) == Pattern(((7, 7),), None)


@pytest.mark.parametrize("seed", range(10))
def test_what_is_settled_goes_on(seed: int) -> None:
    """Where the sign of a form is said to repeat, it does so on all sizes beyond."""
    rng = random.Random(seed)
    count = 0
    for _ in range(60):
        program = drawn(rng, 3)
        table = Table(range(1, 400))
        form = form_of(program(table.number(table.letter)))
        if not any(product for product, _ in form):
            continue
        period = settled(table, form, 0)
        if period is None or 3 * period > 399:
            continue
        count += 1

        def sign(size: int, form: Form = form, table: Table = table) -> int:
            table.point = (size,)
            value = table.value(form)
            return (value > 0) - (value < 0)

        for size in [*range(400, 600), 5000, 10_007]:
            assert sign(size) == sign(400 - period + (size - 400) % period), form
    assert count > 5
    table = Table(range(1, 400))
    assert settled(table, form_of(table.number(table.letter) - 1000), 0) is None  # it turns at 1000


def test_united_regions_have_the_same_points() -> None:
    rng = random.Random(3)
    table = Table(range(1, 7), range(1, 7))
    for _ in range(100):
        some = [
            whole(table)._replace(masks=(rng.randint(1, 63), rng.randint(1, 63)))
            for _ in range(rng.randint(1, 5))
        ]

        def points(regions: Any) -> set[tuple[int, int]]:
            return {
                (h, w)
                for one in regions
                for h in range(6)
                for w in range(6)
                if one.masks[0] >> h & 1 and one.masks[1] >> w & 1
            }

        assert points(united(some, table)) == points(some)


def of_a_sum(rng: random.Random, table: Table) -> Condition:
    """A condition on two letters: the sum of what is made of one and of what is made of the other."""
    h, w = map(table.number, table.letters)
    form = rng.choice([h, h // 2, h * h, -h]) * rng.randint(1, 4) - w // rng.randint(1, 3) * rng.randint(1, 4)
    return Condition(form_of(form + rng.randint(-9, 9)), rng.choice([BELOW, BELOW, ZERO]), rng.random() < 0.5)


def near(rng: random.Random, form: Form) -> Condition:
    """A condition on a form or what it is below 0, or on nearly that."""
    form = rng.choice([form, minus((), form)])
    by = rng.randint(-2, 2)
    form = minus(form, (((), by),) if by else ())
    return Condition(form, rng.choice([BELOW, BELOW, ZERO]), rng.random() < 0.5)


def looser(rng: random.Random, condition: Condition) -> Condition:
    """What follows from a condition that something is below 0, or is not."""
    by = rng.randint(0, 20) * (1 if condition.holds else -1)
    return condition._replace(form=minus(condition.form, (((), by),) if by else ()))


def there(region: Region, table: Table) -> set[tuple[int, ...]]:
    """The points of a region, by its definition."""
    found = set()
    for point in itertools.product(*table.sizes):
        table.point = point
        bits = zip(region.masks, point, strict=True)
        if all(mask >> n - 1 & 1 for mask, n in bits) and all(one.is_true(table) for one in region.joint):
            found.add(point)
    return found


def test_conditions_that_say_nothing_more_are_left_out() -> None:
    """A region has the points on which all conditions hold, in fewer conditions than were given."""
    rng = random.Random(5)
    table = Table(range(1, 13), range(1, 13))
    fewer = empty = 0
    for _ in range(300):
        forms = [of_a_sum(rng, table).form for _ in range(2)]
        conditions = [near(rng, rng.choice(forms)) for _ in range(4)]
        region: Region | None = whole(table)
        for condition in conditions:
            region = region.where(condition, table) if region is not None else None
        wanted = there(whole(table)._replace(joint=tuple(conditions)), table)
        assert (there(region, table) if region is not None else set()) == wanted, conditions
        fewer += region is not None and len(region.joint) < len(conditions)
        empty += region is None
        # and a point of it is found where there is one
        table.point = (12, 12)
        assert (region.stand(table) if region is not None else None) is (True if wanted else None)
        assert not wanted or table.point in wanted
    assert fewer > 50
    assert empty > 20


def test_regions_on_both_sides_of_a_condition_are_one() -> None:
    rng = random.Random(6)
    table = Table(range(1, 13), range(1, 13))
    one = 0
    for _ in range(200):
        shared, border = of_a_sum(rng, table), of_a_sum(rng, table)._replace(relation=BELOW)
        sides = []
        further = [looser(rng, border), looser(rng, border.turned)]
        for side, other in zip((border, border.turned), reversed(further), strict=True):
            region: Region | None = whole(table)
            for condition in (shared, side, other):
                region = region.where(condition, table) if region is not None else None
            sides += [region] if region is not None else []
        found = united(sides, table)
        assert set().union(*(there(each, table) for each in found)) == set().union(
            *(there(each, table) for each in sides)
        )
        one += len(found) < len(sides)
    assert one > 20


def test_bounds_of_forms() -> None:
    """Of a product less its terms, which a bound of each term alone does not see."""
    table = Table(range(1, 40), range(1, 40))
    h, w = map(table.number, table.letters)
    region = whole(table)
    for form in (5 - h, 5 - w):
        found = region.where(Condition(form_of(form), BELOW, True), table)
        assert found is not None
        region = found
    assert region.between(form_of((h - 5) * (w - 5)), table)[0] == 1
    assert region.between(form_of(-(h // 2)), table) == (float("-inf"), -3)
    assert region.where(Condition(form_of((h - 5) * (w - 5)), ZERO, True), table) is None


def test_forms_are_written_as_they_are_worth() -> None:
    """In text, spelled out and with names of sizes, and in Python."""
    rng = random.Random(7)
    for _ in range(300):
        program = drawn(rng, 3)
        table = Table(range(1, 60))
        table.point = (rng.randint(1, 59),)
        n = table.number(table.letter)
        form = form_of(program(n))
        sizes = [form_of(n // 4 - 3), form_of((n + 1) // 2)]
        python, text = Notation(table, "H", PYTHON, sizes), Notation(table, "H", TEXT)
        named = {
            name: worth(python.written(one, spelled=True), H=table.point[0])
            for name, one in python.named.items()
        }
        assert worth(python.written(form), H=table.point[0], **named) == table.value(form)
        plain = text.written(form).replace(",", "").replace("^", "**")
        assert eval(plain, {"floor": __import__("math").floor, "H": table.point[0]}) == table.value(form)
    table = Table(range(1, 60), range(1, 60))
    h, w = map(table.number, table.letters)
    text = Notation(table, "HW", TEXT)
    assert text.written(form_of((h + 31) // 32)) == "floor((H - 1)/32) + 1"
    assert text.written(form_of(h * w * 1000 - h * h)) == "-H^2 + 1,000*H*W"
    assert text.condition(Condition(form_of(2 * h - w), ZERO, True)) == "2*H = W"
    assert text.condition(Condition(form_of(5 - h), BELOW, True)) == "H >= 6"
    assert text.condition(Condition(form_of(h - 5), BELOW, False)) == "H >= 5"
    half = (h - 1) // 2 + 1, (w - 1) // 2 + 1
    condition = Condition(form_of(half[1] - 3 * half[0]), BELOW, False)
    assert text.condition(condition) == "floor((W - 1)/2) >= 3*floor((H - 1)/2) + 2"
    named = Notation(table, "HW", TEXT, [*map(form_of, half)])
    assert named.condition(condition) == "W2 >= 3*H2"
    assert named.condition(condition, spelled=True) == text.condition(condition)


# --- ops and networks -----------------------------------------------------------------------------


def spatial(network: Network) -> tuple[int, ...]:
    return next(iter(network.inputs.values())).spatial


def sample(network: Network, rng: random.Random, count: int, upto: int = 512) -> list[tuple[int, ...]]:
    """Points along each axis, along all together, small ones and others."""
    own = spatial(network)
    found: list[tuple[int, ...]] = []
    for _ in range(count):
        n = rng.choice([rng.randint(1, 40), rng.randint(1, upto)])
        axis = rng.randrange(len(own))
        found.append((*own[:axis], n, *own[axis + 1 :]))
        found.append((n,) * len(own))
        found.append(tuple(rng.choice([n, rng.randint(1, upto)]) for _ in own))
    return found


@pytest.mark.parametrize("kind", OPS)
def test_every_op(kind: str) -> None:
    """Each example, its spatial axes letters, on all points of a small grid."""
    for text in OPS[kind].examples:
        network = archlens.loads(spec_of(text))
        own = spatial(network)
        if own and max(own) <= 64:
            upto = {1: 40, 2: 9}.get(len(own), 4)
            compared(network, lettered(network), itertools.product(range(1, upto + 1), repeat=len(own)))


@pytest.mark.parametrize(
    ("input", "named", "windows"),
    [
        ("4xHxW", {"H3": "((H - 1) // 3) + 1", "W3": "((W - 1) // 3) + 1"}, "H3*W3"),
        ("4xHxH", {"H3": "((H - 1) // 3) + 1"}, "H3^2"),
    ],
)
def test_numbers_of_windows_have_names(input: str, named: dict[str, str], windows: str) -> None:
    """Each window of 3x3 positions takes 9*4*5 multiply-accumulates and makes 9*5 numbers."""
    text = """
        input: 4x8x8
        layers:
          - pad(((0, -x.height % 3), (0, -x.width % 3)))
          - rearrange("c (h p=3) (w q=3) -> (h w) (p q) c")
          - linear(5)
    """
    formula = archlens.loads(text).formula(input)
    written = formula_table.Written(formula, TEXT)
    assert written.shape(formula.main.layers[-1].shape) == f"({windows})x9x5"
    assert written.form(formula.total_macs(formula.main)) == f"180*{windows}"
    assert written.form(formula.activations) == f"45*{windows}"
    assert json.loads(formula_table.to_json(formula))["sizes"] == named


#: Those whose layers differ from size to size, so that not all are told.
UNTOLD = {"resnet8"}


@pytest.mark.parametrize("name", SMALLEST)
def test_a_network_of_each_family(name: str) -> None:
    network = archlens.load(name)
    own = spatial(network)
    if not own or max(own) > 3000:
        return
    formula = lettered(network)
    assert bool(formula.untold) is (name in UNTOLD)
    rng = random.Random(name)
    ids = isinstance(next(iter(network.inputs.values())), Ids)
    taken = compared(network, formula, sample(network, rng, 3, upto=64 if len(own) == 3 or ids else 512))
    assert compared(network, formula, [own]) == 1
    assert taken >= 0


def test_cases_of_their_own() -> None:
    """A pool as wide as the map is high has floor(W/H) windows: one case for each, of which six are shown."""
    network = archlens.loads("input: 3x32x32\nlayers: [avg_pool(x.height)]")
    formula = lettered(network)
    shown = formula_table.table(formula)
    (takes,) = [said for _, said in shown.lead]
    assert takes == f"W >= H, W < {len(formula.pieces) + 1}*H"
    cases = [one.headline for one in shown.more if str(one.headline).startswith("Otherwise")]
    assert cases == [f"Otherwise where W >= {k}*H, W < {k + 1}*H" for k in range(2, 8)]
    assert f"{len(formula.pieces) - 7} more cases with formulas of their own are only in --format json." in (
        shown.notes
    )
    assert {h: formula(H=h, W=7 * h)["0"] for h in (1, 9)} == {1: (3, 1, 7), 9: (3, 1, 7)}


def test_what_is_not_known_is_not_told() -> None:
    """A pool as wide as the map is high: no formula holds where the search found no size to try it on."""
    network = archlens.loads(
        "input: 3x32x32\nlayers: ['conv(4, 3, stride=2, padding=\"same\")', avg_pool(x.height)]"
    )
    formula = lettered(network)
    assert formula.untold
    points = itertools.product(range(1, 60, 3), range(1, 120, 7))
    assert compared(network, formula, points) > 20


@pytest.mark.parametrize(
    ("pattern", "fits", "told"),
    [
        ("c (h={x.height // 4} p) w -> c h (w p)", lambda h, w: h > 3 and h % (h // 4) == 0, True),
        ("(h={x.height // 4} p) h2 w -> h (h2 p) w", lambda h, w: h // 4 in (1, 2, 3, 4, 6, 8), True),
        ("(c={x.height // 8 - 2} p) h w -> c (h p) w", lambda h, w: h // 8 - 2 in (1, 2), True),
        ("c (h={x.width} p) w -> c h (w p)", lambda h, w: h % w == 0, False),
        ("(c={x.height} d) h w -> (c={x.width} d) h w", lambda h, w: h == w and 24 % h == 0, False),
        ("(c={x.height} d={x.width}) h w -> c (d h) w", lambda h, w: h * w == 24, True),
        ("c{x.height} h w -> h w c{x.height}", lambda h, w: True, False),
    ],
)
def test_sizes_within_texts(pattern: str, fits: Callable[[int, int], bool], told: bool) -> None:
    """Where a pattern holds sizes of the input, the formulas are those of each input that fits it."""
    step = f'\'rearrange("{pattern}", channels="first")\''
    network = archlens.loads(f"input: 24x24x24\nlayers: [{step}]") if fits(24, 24) else None
    if network is None:
        own = next(n for n in itertools.product(range(1, 40), repeat=2) if fits(*n))
        network = archlens.loads(f"input: 24x{own[0]}x{own[1]}\nlayers: [{step}]")
    formula = lettered(network)
    points = [*itertools.product(range(1, 40), repeat=2)]
    known = [point for point in points if is_known(formula, point)]
    assert compared(network, formula, points) == sum(fits(*point) for point in known)
    assert told is not bool(formula.untold)
    assert len(known) == len(points) or not told


def is_known(formula: Formula, point: tuple[int, int]) -> bool:
    """Whether a formula says anything of a point."""
    try:
        formula.piece(**dict(zip(formula.letters, point, strict=True)))
    except UsageError:
        return False
    return True


@pytest.mark.parametrize("by", ["layer", "scope", "op"])
@pytest.mark.parametrize("name", ["alexnet", "googlenet", "mobilenet_v3_small", "swin_t"])
def test_what_layers_cost(name: str, by: str) -> None:
    """Formulas of all work, read as Python, are what the ledger of the network on that input says."""
    network = archlens.load(name)
    result = CliRunner().invoke(cli, ["cost", name, "--input", "3xHxW", "--by", by, "--format", "json"])
    data = json.loads(result.stdout)
    assert not data["untold"]
    formula = formulas(network, "3xHxW", work=True)
    rng = random.Random(f"{name} {by}")
    checked = set()
    for point in [(224, 224), *((rng.randint(1, 300), rng.randint(1, 300)) for _ in range(6))]:
        letters = dict(zip(formula.letters, point, strict=True))
        piece = formula.piece(**letters)
        try:
            there = network.with_input(f"3x{point[0]}x{point[1]}", inference=True, advice=False)
        except SpecError:
            assert piece is None
            continue
        assert piece is not None
        said = data["pieces"][formula.pieces.index(piece)]
        names = dict(letters)
        for size, expression in data["sizes"].items():
            names[size] = eval(expression, {}, names)
        rows = [*cost(there).by(by), cost(there).total]
        written = [*said["rows"], {"name": "", **said["totals"]}]
        found = {row["name"]: row for row in written}
        assert [*found] == [row["name"] for row in written]
        for row in rows:
            figures = found[row.name]
            assert eval(figures["params"], {}, names) == row.params
            assert eval(figures["macs"], {}, names) == row.macs
            other = {item: eval(one, {}, names) for item, one in figures["other"].items()}
            assert {k: n for k, n in other.items() if n} == {k: n for k, n in row.other().items() if n}
            checked.add(row.name)
    assert len(checked) > 4


def test_cost_with_letters_is_of_one_sample() -> None:
    for given in (["--input", "Nx3xHxW"], ["--input", "3xHxW", "--count-as", "thop"]):
        result = CliRunner().invoke(cli, ["cost", "alexnet", *given])
        assert isinstance(result.exception, UsageError)


def torchvision_names() -> list[str]:
    lines = (Path(__file__).parent / "data" / "torchvision.csv").read_text().splitlines()
    return [row["model"] for row in csv.DictReader(line for line in lines if not line.startswith("#"))]


@pytest.mark.slow
@pytest.mark.parametrize("name", torchvision_names())
def test_every_network_of_torchvision(name: str) -> None:
    network = archlens.load(name)
    formula = lettered(network)
    assert not formula.untold
    compared(network, formula, sample(network, random.Random(name), 4))


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "squeezenet1_0", "densenet121"])
def test_torchvision_itself(name: str) -> None:
    """The shape of each convolution that torchvision's own module makes on sizes, read off by hooks."""
    with torch.device("meta"):
        options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
        module = load_torchvision().models.get_model(name, **options).eval()
    formula = archlens.load(name).formula("3xHxW")
    rng = random.Random(name)
    for _ in range(6):
        h, w = rng.randint(1, 300), rng.randint(1, 300)
        seen: dict[str, tuple[int, ...]] = {}
        hooks = [
            part.register_forward_hook(kept(seen, key))
            for key, part in module.named_modules()
            if isinstance(part, torch.nn.Conv2d)
        ]
        try:
            module(torch.empty(1, 3, h, w, device="meta"))
        except RuntimeError:
            assert formula.piece(H=h, W=w) is None, (h, w)
        else:
            shapes = formula(H=h, W=w)
            assert {key: shapes[key] for key in seen} == seen
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize(
    ("name", "text", "last"),
    [
        ("lenet5", "1xHxH", 200),
        ("inception_v3", "3xHxH", 120),
        ("unet", "1xHxH", 330),
        ("squeezenet1_0", "3xHxH", 60),
    ],
)
def test_the_domain_is_what_is_taken(name: str, text: str, last: int) -> None:
    """The pattern that is printed has just the sizes at which the network can be laid out."""
    network = archlens.load(name)
    (along,) = network.formula(text).domain
    assert not along.joint
    for size in range(1, last + 1):
        try:
            network.with_input(
                {next(iter(network.inputs)): (network.input.channels, size, size)},
                inference=True,
                advice=False,
            )
            taken = True
        except SpecError:
            taken = False
        assert contained(along.patterns[0], size) is taken, size


def domain(text: str, given: str) -> list[str]:
    return [said for _, said in formula_table.lead(archlens.loads(text).formula(given))]


def test_domains_by_hand() -> None:
    """A merge of unequal forms is a congruence, windows are bounds, and bounds are exact."""
    halves = "{input: 1x8x8, layers: [{add: [[max_pool(2), max_pool(2), upsample(4)], identity]}]}"
    assert domain(halves, "1xHxW") == ["H >= 4, a multiple of 4, W >= 4, a multiple of 4"]
    assert domain(halves, "1xHx8") == ["H >= 4, a multiple of 4"]
    assert domain("{input: 1x8x8, layers: ['conv(2, 5)', 'conv(2, 3)']}", "1xHxW") == ["H >= 7, W >= 7"]
    turned = archlens.loads("{input: 1x8x8, layers: [{add: [identity, transpose]}]}").formula("1xHxW")
    for h, w in itertools.product(range(1, 20), repeat=2):  # equal, or one row or column that is repeated
        assert (turned.piece(H=h, W=w) is not None) is (h == w or 1 in (h, w))
    assert domain("{input: 4x9, layers: ['crop(5)']}", "4xT") == ["T >= 5"]
    assert domain("{input: 9 of 7, layers: ['embedding(4)', 'position_embedding(12)']}", "T of 7") == [
        "T = 1 to 12"
    ]


def test_pieces_where_there_is_no_one_formula() -> None:
    """Rounded up, the last window of a pooling must not start in the padding: small sizes have others."""
    network = archlens.loads("{input: 1x9, layers: ['max_pool(2, 3, padding=1, ceil_mode=true)']}")
    formula = network.formula("1xT")
    pool = torch.nn.MaxPool1d(2, 3, padding=1, ceil_mode=True)
    for size in range(1, 60):
        (shape,) = formula(T=size).values()
        assert shape == tuple(pool(torch.empty(1, 1, size, device="meta")).shape[1:])
    adaptive = archlens.loads("{input: 1x9, layers: ['adaptive_avg_pool(4)', 'conv(1, 3)']}").formula("1xT")
    assert len(adaptive.pieces) == 1
    assert adaptive(T=2)["0"] == (1, 4)
    tokens = archlens.loads("{input: 4x9, layers: [tokens, 'slice(stop=6, axis=\"length\")']}")
    for size in range(1, 20):
        try:
            there = tokens.with_input((4, size), advice=False)
        except SpecError:
            assert tokens.formula("4xT").piece(T=size) is None
        else:
            assert tokens.formula("4xT")(T=size) == {layer.name: tuple(layer.shape) for layer in there}


def test_sizes_that_a_spec_computes_with_stay_formulas() -> None:
    text = (
        "{input: 1x8x9, layers: ['conv(2, 3)', 'pad((x.height, 0))', 'upsample(size=(2 * input.height, 7))']}"
    )
    network = archlens.loads(text)
    formula = network.formula("1xHxW")
    assert len(formula.pieces) == 1
    assert not formula.untold
    compared(network, formula, itertools.product(range(1, 12), range(1, 12)))
    chosen = archlens.loads("{input: 1x8, layers: ['conv(2, 3) if x.length > 5 else conv(3, 1)']}")
    two = chosen.formula("1xT")
    assert len(two.pieces) == 2
    compared(chosen, two, [(n,) for n in range(1, 30)])
    repeated = archlens.loads("{input: 1x8, layers: ['conv(1, 3, padding=1) * (x.length // 8)']}").formula(
        "1xT"
    )
    assert "the number of repeats x.length // 8" in repeated.untold
    with pytest.raises(UsageError, match=r"nothing is known about these sizes: more than"):
        repeated(T=900)


@pytest.mark.parametrize(
    ("name", "given", "options"),
    [
        ("lenet5", "1xHxW", {"optimizer": "momentum"}),  # whose weights depend on the input
        ("squeezenet1_0", "3xHxW", {"batch": 3}),
        ("resnet18", "NxPxHxW", {"dtype": "float16"}),
        ("gpt2", "T", {}),
        ("vit_b_16", "3x32xW", {"optimizer": "sgd", "activations": "bfloat16"}),
        ("inception_v3", "3xHxH", {}),  # which has a head for training
        ("mobilenet_v3_small", "3xHxW", {"dtype": "int8"}),  # which nothing trains
    ],
)
def test_memory_is_that_on_each_size(name: str, given: str, options: dict[str, Any]) -> None:
    network = archlens.load(name)
    formula = network.formula(given)
    found = memory_formula.find(formula, **options)
    rng, held = random.Random(name), 0
    for _ in range(60):
        point = tuple([rng.randint(1, 250) if letter != "P" else 3 for letter in formula.letters])
        formula.table.point = point
        if not any(region.contains(formula.table) for region in found.regions):
            continue
        sizes = dict(zip(formula.letters, point, strict=True))
        shape = tuple([sizes.get(str(n), n) for n in next(iter(formula.inputs.values()))])
        batch = sizes.get(formula.batch, options.get("batch", 1))
        there = memory.account(
            network.with_input({next(iter(network.inputs)): shape}, inference=True),
            **options | {"batch": batch},
        )
        formula.table.point = point
        value = formula.table.value

        def largest(forms: Sequence[Form]) -> int:
            return max(map(formula.table.value, forms))

        assert {dtype: value(form) for dtype, form in found.weights.items()} == there.weights
        assert [value(form) for form in (found.buffers, found.outputs)] == [there.buffers, there.outputs]
        assert largest(found.inference) == there.inference.bytes
        assert largest(found.in_place) == there.in_place.bytes
        assert largest(found.eager) == there.eager.bytes
        if found.training is None:
            assert found.reason
        else:
            assert value(found.training.gradients) == there.gradients
            assert value(found.training.states) == there.states
            assert value(found.training.saved) == there.saved
            assert [value(found.training.single), value(found.training.foreach)] == list(there.step or ())
            assert largest(found.training.peak) == there.training
        held += 1
        if held > 7:
            break
    assert held > 3
    assert (found.training is None) == (name in ("inception_v3", "mobilenet_v3_small"))


@pytest.mark.parametrize(
    "name",
    ["lenet5", "alexnet", "densenet121", "inception_v3", "nasnet_a_mobile", "resnet8", "swin_t", "unet"],
)
def test_inputs_that_lose_no_pixel(name: str) -> None:
    """They are those that lose none where the network is laid out on them, along both axes at once."""
    network = zoo.network(name)
    ((input, own),) = network.inputs.items()
    formula = formulas(network, f"{own[0]}xHxW")
    found = sizes_formula.find(formula)
    chance = random.Random(19)
    near = [(n + own[1], n + own[2]) for n in range(-16, 17) if n + own[1] > 0]
    far = [(chance.randint(1, 400), chance.randint(1, 400)) for _ in range(12)]
    seen = set()
    for h, w in near + far:
        formula.table.point = h, w
        masks = [
            (one, all(mask >> n - 1 & 1 for mask, n in zip(one.masks, (h, w), strict=True)))
            for one in found.lossless
        ]
        said = any(within and all(c.is_true(formula.table) for c in one.joint) for one, within in masks)
        try:
            there = network.with_input({input: (own[0], h, w)}, inference=True, advice=False)
        except SpecError:
            assert not said
        else:
            kept = not any(unseen.lost(layer) for layer in there if layer.name not in found.several)
            assert said is kept or (kept and formula.untold)
            seen.add(kept)
    assert seen == ({True} if found.several else {True, False})
    assert found.several == (("avg_pool",) if name == "resnet8" else ())


def test_the_largest_is_so_in_each_region() -> None:
    formula = archlens.loads("{input: 1x8, layers: [relu]}").formula("1xT")
    table = formula.table
    length = table.number(table.letters[0])
    table.point = (2,)
    short = Condition(form_of(length - 4), BELOW, True)
    both = [one for one in (whole(table).where(short, table), whole(table).where(short.turned, table)) if one]
    assert len(formula.largest([length, 4], both)) == 2  # T is below 4 in the one, and above in the other
    assert formula.largest([length, 4], both[:1]) == (form_of(4),)
    table.point = (9,)
    assert formula.largest([length, 4], both[1:]) == (form_of(length),)


def test_a_batch_is_a_number_or_a_letter() -> None:
    formula = archlens.load("lenet5").formula("Nx1x32x32")
    with pytest.raises(UsageError, match="N stands for the batch, which is 8"):
        memory_formula.find(formula, batch=8)


def test_the_live_set_is_the_largest_of_its_formulas() -> None:
    for name, given in [
        ("lenet5", "1xHxW"),
        ("squeezenet1_0", "3xHxW"),
        ("resnet18", "NxPxHxW"),
        ("gpt2", "T"),
    ]:
        network = archlens.load(name)
        formula = network.formula(given)
        rng = random.Random(name)
        held = 0
        for _ in range(25):
            point = tuple(rng.randint(2, 200) if letter != "P" else 3 for letter in formula.letters)
            formula.table.point = point
            if not any(region.contains(formula.table) for region in formula.live.regions):
                continue
            sizes = dict(zip(formula.letters, point, strict=True))
            shape = tuple(sizes.get(str(n), n) for n in next(iter(formula.inputs.values())))
            there = network.with_input({next(iter(network.inputs)): shape})
            batch = sizes.get(formula.batch, 1)
            assert (
                max(map(formula.table.value, formula.live.forms))
                == memory.peak_activations(there, batch=batch).bytes
            )
            held += 1
        assert held > 10, name


def test_a_batch_is_a_letter_before_the_others() -> None:
    network = archlens.load("lenet5")
    formula, batched = network.formula("1xHxW"), network.formula("Nx1xHxW")
    assert batched.macs(N=7, H=40, W=50) == 7 * formula.macs(H=40, W=50)
    assert batched.batch == "N"
    assert batched.letters == ("H", "W", "N")
    decoder = archlens.load("gpt2").formula("NxT")
    assert isinstance(decoder.cache, tuple)
    decoder.table.point = (100, 3)
    assert decoder.table.value(decoder.cache) == 3 * 100 * 12 * 2 * 768  # layers, keys and values, features


def test_several_inputs_and_numbers_among_letters() -> None:
    spec = "{input: {a: 2x8x8, b: 2x8x8}, layers: [{add: [ref(a), ref(b)]}]}"
    network = archlens.loads(spec)
    formula = network.formula({"a": "2xHxW", "b": "2xHx8"})
    assert formula.letters == ("H", "W")
    assert formula(H=5, W=8) == {"add": (2, 5, 8)}
    assert formula.piece(H=5, W=9) is None
    half = archlens.load("resnet18").formula("3xHx96")
    assert half(H=64)["layer4.1.conv2"] == (512, 2, 3)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("lenet5", "1xHxWxDxE", "has 5 axes, and the input is 1x32x32"),
        ("lenet5", "1xHHx3", "is not an input shape with letters"),
        ("lenet5", "1xHx0", "is not an input shape with letters"),
        ("lenet5", "Hx1xHxW", "H stands for the batch and also for another size"),
        ("lenet5", "1x32x32", "there is no letter"),
        ("lenet5", {"image": "1xHxW"}, "has no input image"),
        ("siamese_resnet18", "3xHxW", "has several inputs"),
    ],
)
def test_what_is_no_input_with_letters(name: str, given: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        archlens.load(name).formula(given)


def test_batches_of_several_letters() -> None:
    network = archlens.loads("{input: {a: 2x8, b: 2x8}, layers: [{add: [ref(a), ref(b)]}]}")
    with pytest.raises(UsageError, match="one batch has several letters: M, N"):
        network.formula({"a": "Nx2xT", "b": "Mx2xT"})


def test_sizes_that_are_asked_for() -> None:
    formula = archlens.load("lenet5").formula("1xHxW")
    with pytest.raises(UsageError, match="the letters are H, W"):
        formula(H=32)
    with pytest.raises(UsageError, match="W is a whole number of at least 1"):
        formula(H=32, W=0)
    with pytest.raises(UsageError, match="lenet5 takes no input with H = 32, W = 15"):
        formula(H=32, W=15)


def test_networks_without_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    network = archlens.loads("{input: 1x8, layers: [relu]}")
    monkeypatch.setattr(type(network.layers[0].op), "__module__", "somewhere.else")
    with pytest.raises(UsageError, match="relu is an op of a package, which has no formulas"):
        network.formula("1xT")
    monkeypatch.undo()
    with pytest.raises(UsageError, match="a letter stands for sizes near its own, of at most 50,000"):
        archlens.loads("{input: 1x60000, layers: [relu]}").formula("1xT")


@pytest.mark.parametrize("repeats", [8, 2000])
def test_sizes_that_are_made_of_ever_more_others(repeats: int) -> None:
    """Each is a sum of two quotients of the one before: spelled out, it is twice as long."""
    halves = '{concat(axis="length"): ["avg_pool(2, stride=2)", "avg_pool(1, stride=2)"]}'
    network = archlens.loads(f"input: 1x64\nblocks: {{halves: [{halves}]}}\nlayers: ['halves * {repeats}']")
    with pytest.raises(UsageError, match="would be a quotient that is made of more than 200 others"):
        network.formula("1xT")
    few = archlens.loads(f"input: 1x64\nblocks: {{halves: [{halves}]}}\nlayers: ['halves * 6']")
    formula = few.formula("1xT")
    for length in (2, 3, 63, 64, 65, 500):  # T//2 and what is left of it are T
        assert formula(T=length)[few.layers[-1].name] == (1, length)


@pytest.mark.parametrize("repeats", [4, 400])
def test_sizes_that_are_squared_again_and_again(repeats: int) -> None:
    square = """
      - rearrange("1 l -> l 1", channels="last")
      - matmul(transpose=true): [identity, identity]
      - rearrange("a b -> 1 (a b)", channels="first")
    """
    text = f"input: 1x1\nblocks:\n  square:{square}\nlayers: ['square * {{}}']"
    thrice = archlens.loads(text.format(3))
    assert thrice.formula("1xT")(T=3)[thrice.layers[-1].name] == (1, 3**8)
    with pytest.raises(UsageError, match="a number of it would be a product of more than 12 sizes"):
        archlens.loads(text.format(repeats)).formula("1xT")


def test_sums_that_are_multiplied_again_and_again() -> None:
    """Each height and width is a sum of many quotients."""
    pools = ", ".join(f'"avg_pool(1, stride={stride})"' for stride in range(2, 110))
    network = archlens.loads(f"""
        input: 1x64x64
        layers:
          - concat(axis="height"): [{pools.replace("stride=", "stride=[").replace(')"', ', 1])"')}]
          - concat(axis="width"): [{pools.replace("stride=", "stride=[1, ").replace(')"', '])"')}]
    """)
    with pytest.raises(
        UsageError, match="a number of it would be a product of sums with more than 10,000 terms"
    ):
        network.formula("1xHxW")


def test_ops_that_say_something_else_on_each_size() -> None:
    """1.3 is no quotient of small numbers: what is upsampled by it is as long as floating point says."""
    network = archlens.loads("input: 1x600\nlayers: [adaptive_avg_pool(x.length // 2 + 3), upsample(1.3)]")
    formula = network.formula("1xT")
    assert formula.untold == "more than 48 formulas would be needed"
    known = [size for size in range(550, 650) if is_known(formula, (size,))]
    assert 600 in known
    assert compared(network, formula, [(size,) for size in known]) == len(known)
    assert {word for word, _ in formula_table.lead(formula)} == {"takes at least"}


def run(*args: str) -> str:
    result = CliRunner().invoke(cli, args)
    assert result.exit_code == 0, result.output
    return result.output


def test_json_holds_formulas_in_python() -> None:
    """Each of them is worth what the network has there."""
    data = json.loads(run("shapes", "squeezenet1_0", "--input", "3xHxW", "--format", "json"))
    network = archlens.load("squeezenet1_0")
    for h, w in [(64, 90), (224, 21), (301, 512)]:
        there = network.with_input((3, h, w))
        sizes = {"H": h, "W": w}
        sizes |= {name: worth(written, **sizes) for name, written in data["sizes"].items()}
        (piece,) = data["pieces"]
        assert worth(piece["macs"], **sizes) == there.macs
        for one, layer in zip(piece["layers"], there, strict=True):
            assert tuple(worth(n, **sizes) for n in one["output"]) == tuple(layer.shape)
            assert worth(one["macs"], **sizes) == layer.macs


def test_the_command_line() -> None:
    said = run("shapes", "resnet18", "--input", "3xHxW")
    assert "any H, any W" in said
    assert "floor((H - 1)/32) + 1" in said
    tex = run("shapes", "resnet18", "--input", "3xHxW", "--format", "latex")
    assert r"$\left\lfloor\frac{H - 1}{32}\right\rfloor + 1$" in tex
    assert "H_{32}" in tex
    derived = run("explain", "resnet18", "layer2.0.conv1", "--input", "3xHxW")
    assert "floor((H4 + 2*1 - 3)/2) + 1" in derived
    assert "= floor((H - 1)/8) + 1 = H8" in derived
    sizes = run("sizes", "lenet5", "--input", "1xHxW")
    assert "H >= 16, a multiple of 4, W >= 16, a multiple of 4" in sizes
    result = CliRunner().invoke(cli, ["sizes", "lenet5", "--input", "1xHxW", "--upto", "5"])
    assert result.exit_code == 1
    assert "--upto is not for an input with letters" in str(result.exception)
    result = CliRunner().invoke(cli, ["roofline", "lenet5", "--input", "1xHxW"])
    assert result.exit_code == 1
    assert "1xHxW has letters, but an input has numbers here" in str(result.exception)
    result = CliRunner().invoke(cli, ["shapes", "lenet5", "--input", "1xHxW", "--fold"])
    assert result.exit_code == 1
    assert "--fold is not for an input with letters" in str(result.exception)


def test_formulas_of_a_traced_module() -> None:
    class Small(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = torch.nn.Conv2d(3, 4, 3, stride=2)
            self.two = torch.nn.Conv2d(4, 5, 3, stride=2, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.two(self.one(x).relu())

    formula: Formula = archlens.trace(Small(), (3, 32, 32)).formula("3xHxW")
    for h, w in [(3, 3), (64, 51)]:
        assert formula(H=h, W=w)["two"] == tuple(Small()(torch.empty(1, 3, h, w)).shape[1:])
    assert formula.piece(H=2, W=9) is None
