"""Several threads at once, and what is remembered from one network to the next: bounded, and by value."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import archlens
from archlens import elaboration, language
from archlens.elaboration import building, walk
from archlens.language import expression
from archlens.library import finding as library


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*works: Callable[[threading.Barrier], None]) -> None:
    """Run each in a thread of its own, with a barrier for all; what one raises is raised here."""
    problems: list[BaseException] = []
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[threading.Barrier], None]) -> None:
        try:
            barrier.wait()
            work(barrier)
        except BaseException as problem:
            problems.append(problem)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def wide(first: int, count: int = 30) -> str:
    """Convolutions side by side to ``first``, ``first + 1``, … channels: all read the same shape."""
    steps = "".join(f"    - conv({first + i}, 1)\n" for i in range(count))
    return f"input: 3x4x4\nlayers:\n- concat:\n{steps}"


def totals(first: int, count: int = 30) -> tuple[int, int]:
    """Its parameters, three weights and a bias to a channel, and its products, three at 16 positions."""
    channels = sum(range(first, first + count))
    return 3 * channels + channels, 16 * 3 * channels


def hold(first: int, count: int = 30) -> None:
    network = archlens.loads(wide(first, count))
    assert (network.params, network.macs) == totals(first, count), first


@pytest.mark.usefixtures("hasty")
@pytest.mark.slow
def test_totals_in_threads() -> None:
    def loads(number: int, turns: threading.Barrier) -> None:
        for turn in range(60):
            turns.wait()
            # two threads lay out the same layers at the same time, and the next turn's are new to all
            hold(1000 * (turn + 1) + 30 * (number // 2))

    together(*[partial(loads, number) for number in range(8)])


@pytest.mark.slow
def test_an_op_that_two_threads_make_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of the one that is not kept is not taken for what is known of a later op in its place."""
    make, barriers = building.make, []

    def waiting(*args: Any) -> Any:
        op = make(*args)
        barriers[-1].wait()
        return op

    def loads(first: int, both: threading.Barrier) -> None:
        barriers.append(both)
        hold(first)

    for first in range(500_000, 501_000, 100):
        with monkeypatch.context() as patch:
            patch.setattr(building, "make", waiting)
            together(partial(loads, first), partial(loads, first))
        gc.collect()
        hold(first + 50)


def test_one_expression_at_a_time_is_given_to_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11's parser ends now and then in a SystemError where two threads are in it at once."""
    inside, most, parse = [], [], expression.ast.parse

    def slow(*args: Any, **options: Any) -> Any:
        inside.append(0)
        most.append(len(inside))
        time.sleep(0.001)
        try:
            return parse(*args, **options)
        finally:
            inside.pop()

    monkeypatch.setattr(expression.ast, "parse", slow)
    together(*[lambda _, text=f"relu({n})": expression.parse_python(text, "eval") for n in range(8)])  # type: ignore[misc]
    assert most == [1] * 8


@pytest.mark.usefixtures("hasty")
@pytest.mark.slow
def test_what_is_remembered_is_bounded_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_MOST", 100)

    def loads(number: int, _: threading.Barrier) -> None:
        for turn in range(20):
            hold(100_000 + 10_000 * number + 30 * turn)

    together(*[partial(loads, number) for number in range(8)])
    assert sum(1 + len(known.facts) for known in building._memory.values()) <= 100


def test_a_large_network_is_not_remembered_beyond_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_MOST", 100)
    hold(200_000, 101)
    assert not building._memory


def test_the_collector_is_left_alone() -> None:
    """Another thread may rely on it, or have paused it, while a network is laid out."""
    seen: list[bool] = []
    network = language.parse(wide(7))

    class Seeing(walk.Walk):
        def run(self, given: Any) -> Any:
            seen.append(gc.isenabled())
            return super().run(given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elaboration, "Walk", Seeing)
        elaboration.elaborate(network)
        gc.disable()
        try:
            elaboration.elaborate(network)
        finally:
            gc.enable()
    assert seen == [True, False]
    assert gc.isenabled()


@pytest.mark.usefixtures("hasty")
def test_filters_of_warnings_in_threads() -> None:
    """Python's parser warns of a number that runs into a word; that is set aside, and put back."""
    before = list(warnings.filters)

    def parse(_: threading.Barrier) -> None:
        for _ in range(200):
            expression.parse_python("1if 2else 3", "eval")

    together(*[parse] * 8)
    assert warnings.filters == before


def test_first_weights_of_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verifying a network makes weights that are all alike, and no others."""
    torch = pytest.importorskip("torch")
    from archlens.backends import verification

    build, values = verification.build, []

    def building(*args: Any, **kwargs: Any) -> Any:
        together(lambda _: values.append(torch.nn.Linear(8, 8).weight.unique().numel()))
        module = build(*args, **kwargs)
        values.append(module.state_dict()["F6.weight"].unique().numel())
        return module

    monkeypatch.setattr(verification, "build", building)
    verification.verify(archlens.load("lenet5"))
    assert values == [64, 1]


# --- files ------------------------------------------------------------------------------------------


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is parsed from here on."""
    names: list[str] = []
    parse = library.parse

    def counted(text: str, *, name: str, path: str) -> Any:
        names.append(name)
        return parse(text, name=name, path=path)

    monkeypatch.setattr(library, "parse", counted)
    library._parsed.cache_clear()
    return names


def test_a_file_is_parsed_once(tmp_path: Path, parses: list[str]) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(wide(5))
    for _ in range(3):
        assert archlens.load(str(file)).params == totals(5)[0]
    assert parses == ["own"]


def test_a_file_that_changes_within_the_resolution_of_the_clock(tmp_path: Path) -> None:
    """Same name, size and time of change: only what it says tells that it is another."""
    file = tmp_path / "own.yaml"
    for first in (5, 6, 5):
        file.write_text(wide(first, 3))
        os.utime(file, ns=(10**18, 10**18))
        assert archlens.load(str(file)).params == totals(first, 3)[0]


def test_a_file_under_another_name_is_another(tmp_path: Path) -> None:
    """What is wrong in it is said of the file that was asked for, and its own variant is meant."""
    text = f"{wide(5)}\nparams: {{n: 1}}\nvariants: {{a: {{title: A}}, b: {{title: B}}}}\n"
    for name in "ab":
        file = tmp_path / f"{name}.yaml"
        file.write_text(text)
        network = archlens.load(str(file))
        assert network.title == name.upper()
        assert network.layers[0].span is not None
        assert network.layers[0].span.source.name == str(file)


def test_files_are_not_remembered_without_end(tmp_path: Path, parses: list[str]) -> None:
    long = tmp_path / "long.yaml"
    long.write_text(f"{wide(5)}\n{'#' * library._KEPT_BYTES}\n")
    for _ in range(2):
        archlens.load(str(long))
    assert parses == ["long", "long"]
    for number in range(2 * library._KEPT):
        (tmp_path / f"{number}.yaml").write_text(wide(5))
        archlens.load(str(tmp_path / f"{number}.yaml"))
    assert library._parsed.cache_info().currsize == library._KEPT


@pytest.mark.usefixtures("hasty")
def test_files_in_threads(tmp_path: Path) -> None:
    """A file that is replaced again and again is read as one or the other, whole."""
    file, spare = tmp_path / "own.yaml", tmp_path / "spare"
    file.write_text(wide(5, 10))
    done = threading.Event()

    def write(_: threading.Barrier) -> None:
        for turn in range(200):
            spare.write_text(wide(5 + turn % 2, 10))
            spare.replace(file)
        done.set()

    def read(_: threading.Barrier) -> None:
        while not done.is_set():
            assert archlens.load(str(file)).params in (totals(5, 10)[0], totals(6, 10)[0])
            time.sleep(0)

    together(write, read, read, read)


# --- by value, and by what kind of value ---------------------------------------------------------------


@pytest.mark.parametrize("block", [False, True])
@pytest.mark.parametrize(
    ("step", "first", "second"),
    [
        ("conv(4, {})", "(1, 1)", "(true, true)"),
        ("conv(4, {})", "(1, 1)", "(1, true)"),
        ("conv(4, {})", "1", "true"),
        ("pad({})", "((1, 0), (0, 1))", "((1, 0), (0, true))"),
        ("reshape({})", "[2, -1, 1]", "[2, -1, true]"),
        ("conv(4, 1, bias={})", "true", "1"),
        ("scale({}[0])", "(1, 2)", "(true, 2)"),
    ],
)
def test_true_is_not_1(step: str, first: str, second: str, block: bool) -> None:
    """Python takes them for equal, in lists too; what fitted with the one does not let the other pass."""
    head = f"input: 4x8x8\nblocks:\n  b(it): {step.format('it')}\nlayers:\n"
    one, other = (f"b({it})" if block else step.format(it) for it in (first, second))
    archlens.loads(f"{head}  - {one}\n")
    for steps in ([other], [one, other]):
        with pytest.raises(archlens.SpecError, match="must be"):
            archlens.loads(head + "".join(f"  - {it}\n" for it in steps))


# --- every cache ------------------------------------------------------------------------------------

#: Caches without a bound, and what bounds them.
BOUNDED = {
    "archlens.boards.names": "it takes nothing",
    "archlens.language.synonyms.words": "it takes nothing",
    "archlens.language.synonyms.merge_words": "it takes nothing",
    "archlens.language.synonyms.construct_words": "it takes nothing",
    "archlens.source.own": "the functions of one file",
    "archlens.dialects.formats.formats": "it takes nothing",
    "archlens.forms.forms": "it takes nothing",
    "archlens.elaboration.binding.required": "the kinds of op",
    "archlens.elaboration.packages.offered": "it takes nothing",
    "archlens.reporting.forms._environment": "it takes nothing",
    "archlens.library.index._read": "it takes nothing",
    "archlens.library.finding": "the files of the zoo",
}


def caches() -> Iterator[tuple[str, Any]]:
    for module in walk_packages(archlens.__path__, "archlens."):
        if module.name.rpartition(".")[2] in ("__main__", "mkdocs", "sphinx"):
            continue
        for name, value in vars(import_module(module.name)).items():
            if hasattr(value, "cache_parameters") and value.__module__ == module.name:
                yield f"{module.name}.{name}", value


def test_every_cache_is_bounded() -> None:
    unbounded = [name for name, cache in caches() if cache.cache_parameters()["maxsize"] is None]
    unknown = [name for name in unbounded if not {name, name.rpartition(".")[0]} & BOUNDED.keys()]
    assert not unknown
    needed = set(unbounded) | {name.rpartition(".")[0] for name in unbounded}
    assert needed >= BOUNDED.keys()
