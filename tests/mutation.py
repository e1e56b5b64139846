"""Plants small mistakes in archlens, one at a time, and lists those that no test sees. Run by hand.

    python tests/mutation.py archlens/geometry.py archlens/limits.py
    python tests/mutation.py archlens/ops --sample 100 --seed 1 --seconds 5

The tests are collected once, and run once to learn which lines each of them executes, and for how long. Then,
for each mistake, a process is forked in which the function that holds it gets other code, and the tests that
execute its line run, up to the first that fails: those first that caught something near, then the quickest.
A mistake outside of functions is there before archlens is imported, and the tests are collected anew. A test
that does not end is stopped by the processor time that it has used.

What comes out depends on the files and the seed and nothing else, but where ``--seconds`` cuts off what a
mistake may cost. Programs that tests start are not looked into. Whoever reads a survivor judges it: either
nothing can tell the two programs apart, or a test is missing.
"""

from __future__ import annotations

import argparse
import ast
import gc
import os
import pickle
import random
import resource
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from itertools import accumulate
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent

#: The test files that look at the program from inside its process.
TESTS = (
    "doctests geometry receptive_field limits ops diagnostics memory language cost random_networks "
    "torch_module lint views check diff compare sizes verify specs claims repeats"
)

BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "gcd": "lcm", "lcm": "gcd"}

#: What is not looked into: no test can or need see it.
SKIPPED = (ast.Assert, ast.Import, ast.ImportFrom)


class Mutation(NamedTuple):
    """A mistake in a file, and how it reads."""

    file: str
    line: int
    change: str
    #: The lines that a test must execute to come upon it.
    lines: range
    #: The first line of the outermost function that holds it.
    function: int | None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.change}"


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node by mistake."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in BINARY and not any(map(is_text, (left, right))):
            yield ast.BinOp(left, BINARY[type(op)](), right)
        case ast.AugAssign(target, op, value) if type(op) in BINARY and not is_text(value):
            yield ast.AugAssign(target, BINARY[type(op)](), value)
        case ast.Compare(left, ops, comparators):
            for i, how in enumerate(ops):
                yield ast.Compare(left, [*ops[:i], COMPARED[type(how)](), *ops[i + 1 :]], comparators)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), values)
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
            yield ast.BinOp(node, ast.Sub(), ast.Constant(1)) if value == 0 else ast.Constant(value - 1)
        case ast.Call(ast.Name(name), args, keywords) if name in FUNCTIONS:
            yield ast.Call(ast.Name(FUNCTIONS[name]), args, keywords)
        case ast.Slice(lower, upper, step):
            if lower:
                yield ast.Slice(None, upper, step)
            if upper:
                yield ast.Slice(lower, None, step)
        case ast.IfExp(test, body, orelse):
            yield body
            yield orelse
        case ast.If(test, body, orelse) if ast.unparse(test) != "TYPE_CHECKING":
            for value in (True, False):
                if not isinstance(test, ast.Constant):
                    yield ast.If(ast.Constant(value), body, orelse)
        case ast.comprehension(target, sequence, [_, *_], is_async):
            yield ast.comprehension(target, sequence, [], is_async)
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()


def is_text(node: ast.AST) -> bool:
    """Whether a node is a text for sure: a sum of texts is no arithmetic."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Every place that may hold another node, in order: its parent, the field and the index in it."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_params") or (name == "format_spec"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not isinstance(child, SKIPPED):
                yield node, name, index
                yield from places(child)


def mutations(file: str) -> Iterator[tuple[Mutation, ast.Module]]:
    """All mistakes that are planted in a file, in the order of its text, each with the program that has it.

    The program is one and the same, and has another mistake when the next is asked for.
    """
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    functions = [(first(node), node) for node in nodes if isinstance(node, ast.FunctionDef)]
    classes = [(first(node), node) for node in nodes if isinstance(node, ast.ClassDef)]
    simple = [node for node in nodes if not hasattr(node, "body")]
    line = 0
    for parent, name, index in list(places(tree)):
        held: Any = getattr(parent, name)
        node = held if index is None else held[index]
        line = getattr(node, "lineno", line)
        last = getattr(getattr(node, "test", node), "end_lineno", line)
        lines = next(
            (
                range(one.lineno, (one.end_lineno or 0) + 1)
                for one in simple
                if one.lineno <= line <= (one.end_lineno or 0)
            ),
            range(line, last + 1),
        )
        inside = [start for start, one in functions if one.body[0].lineno <= line <= (one.end_lineno or 0)]
        if not inside:  # what is done at import: the tests of its class, or of the file
            around = [
                (one.lineno, one.end_lineno or 0)
                for _, one in classes
                if one.lineno <= line <= (one.end_lineno or 0)
            ]
            lines = range(*min(around, default=(0, 1 << 20)))
        for other in replacements(node):
            put(parent, name, index, other)
            change = f"{shown(node)}  ->  {shown(other)}"
            if isinstance(node, ast.Constant):  # a number says nothing without what is around it
                change += f"   in  {shown(parent)}"
            yield (
                Mutation(file, line, change, lines, min(inside, default=None)),
                ast.fix_missing_locations(tree),
            )
            put(parent, name, index, node)


def first(node: ast.FunctionDef | ast.ClassDef) -> int:
    """The first line of a function or class: that of its first decorator."""
    return min([node.lineno, *(one.lineno for one in node.decorator_list)])


def put(parent: ast.AST, name: str, index: int | None, node: ast.AST) -> None:
    """Set a field of a node, or one item of it."""
    if index is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[index] = node


def shown(node: ast.AST) -> str:
    """The first line of a node."""
    first, *rest = ast.unparse(ast.fix_missing_locations(node)).strip().split("\n")
    return f"{first} …" if rest else first


# --- running the tests --------------------------------------------------------------------------------


class Test(NamedTuple):
    """What a test does when nothing is wrong."""

    name: str
    #: The seconds that it takes.
    seconds: float
    #: Of each file, the lines that it executes.
    lines: dict[str, set[int]]


class Crew:
    """Processes that are forked from this one, so many at a time."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.running: dict[int, Callable[[int], object]] = {}

    def start(self, work: Callable[[], int], then: Callable[[int], object]) -> None:
        """Do some work in a process, and then something with how it has ended."""
        while len(self.running) >= self.jobs:
            self.wait()
        child = os.fork()
        if child:
            self.running[child] = then
            return
        status = UNKNOWN
        try:
            resource.setrlimit(resource.RLIMIT_DATA, (6 << 30, 6 << 30))
            self.running = {}
            status = work()
        finally:
            os._exit(status)

    def wait(self) -> None:
        child, status = os.wait()
        self.running.pop(child)(os.waitstatus_to_exitcode(status))

    def finish(self) -> None:
        while self.running:
            self.wait()


#: How a process ends in which the tests passed, in which one failed, and in which something else went wrong.
PASSED, FAILED, UNKNOWN = 0, 1, 2

#: Added to the index of the test that failed, if it is known.
FIRST = 10


class Finder:
    """Finds other code for one file, when its module is imported."""

    def __init__(self, path: str, code: CodeType) -> None:
        self.path = path
        self.code = code

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, path)
        if found is None or found.origin != self.path:
            return None
        found.loader.get_code = lambda name: self.code  # type: ignore[union-attr]
        return found


class Plugin:
    """Has pytest collect tests, and does something else with them than running each."""

    def __init__(self, work: Callable[[Plugin, list[Any]], None], finder: Finder | None = None) -> None:
        self.work = work
        self.finder = finder
        self.failed = False

    def collect(self, arguments: Collection[str]) -> None:
        """Collect, and work."""
        import pytest

        options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:archlens"]
        options += [
            "-o",
            "addopts=--import-mode=importlib",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
        ]
        pytest.main([*options, *arguments], [self])

    def pytest_collection(self) -> None:
        """A property that fails once has failed: nobody reads its smallest example."""
        from hypothesis import HealthCheck, Phase, settings

        phases, clock = (Phase.explicit, Phase.generate), [HealthCheck.too_slow]
        settings.register_profile(
            "once", phases=phases, deadline=None, derandomize=True, database=None, suppress_health_check=clock
        )
        settings.load_profile("once")
        if self.finder:
            sys.meta_path.insert(0, self.finder)  # before that by which pytest rewrites assertions

    def pytest_runtestloop(self, session: Any) -> bool:
        self.work(self, session.items)
        return True

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.failed |= report.failed

    def passes(self, item: Any, limit: float | None = None) -> bool:
        """Whether a test passes, alone, in so many seconds of processor time."""
        if limit is not None:
            used = time.process_time()
            resource.setrlimit(resource.RLIMIT_CPU, (int(used + limit) + 1, -1))
        forget()
        self.failed = False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return not self.failed


def forget() -> None:
    """Empty what the program and the tests remember from one question to the next."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("archlens", "test")):
            for key, value in vars(module).items():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
                elif type(value) is dict and key.startswith("_") and key.islower() and "__" not in key:
                    value.clear()


def watch(plugin: Plugin, items: list[Any], files: Collection[str], seconds: float) -> list[Test]:
    """Run tests, so many seconds of each property's examples, and see what they execute of some files."""
    found = {str(ROOT / file): set[int]() for file in files}

    def step(frame: FrameType, event: str, arg: object) -> Any:
        found[frame.f_code.co_filename].add(frame.f_lineno)
        return step

    def enter(frame: FrameType, event: str, arg: object) -> Any:
        return step(frame, event, arg) if frame.f_code.co_filename in found else None

    tests = []
    spent: defaultdict[str, float] = defaultdict(float)
    for item in random.Random(0).sample(items, len(items)):
        kind = item.nodeid.partition("[")[0]
        if spent[kind] > seconds:
            continue
        begin = time.process_time()
        sys.settrace(enter)
        threading.settrace(enter)
        passed = plugin.passes(item)
        sys.settrace(None)
        threading.settrace(None)
        if not passed:
            print("left out, because it fails:", item.nodeid, file=sys.stderr)
            continue
        lines = {file: found[str(ROOT / file)].copy() for file in files if found[str(ROOT / file)]}
        took = time.process_time() - begin
        spent[kind] += took
        if lines:
            tests.append(Test(item.nodeid, took, lines))
        for one in found.values():
            one.clear()
    return tests


def record(plugin: Plugin, items: list[Any], files: Collection[str], jobs: int, seconds: float) -> list[Test]:
    """What the tests do, a process for each of their files."""
    crew, tests = Crew(jobs), []
    groups = defaultdict(list)
    for item in items:
        groups[item.path].append(item)
    with tempfile.TemporaryDirectory() as folder:
        for path, group in groups.items():

            def work(path: Path = path, group: list[Any] = group) -> int:
                Path(folder, path.name).write_bytes(pickle.dumps(watch(plugin, group, files, seconds)))
                return PASSED

            crew.start(work, lambda status: None)
        crew.finish()
        for path in groups:
            tests += pickle.loads(Path(folder, path.name).read_bytes())
    return tests


class Run:
    """What has come out so far, and how the next mistakes are looked for."""

    def __init__(self, tests: list[Test], seconds: float) -> None:
        self.tests = {test.name: test for test in tests}
        self.seconds = seconds
        self.caught: dict[tuple[str, int | None], Counter[str]] = defaultdict(Counter)
        self.survivors: list[Mutation] = []
        self.later: list[Mutation] = []

    def chosen(self, mutation: Mutation) -> list[str]:
        """The names of the tests that come upon a mistake, in turn."""
        found = [
            test
            for test in self.tests.values()
            if not test.lines.get(mutation.file, set()).isdisjoint(mutation.lines)
        ]
        # the quickest example of each property, then the next of each
        ranks: Counter[str] = Counter()
        order = {}
        for test in sorted(found, key=lambda test: test.seconds):
            kind = test.name.partition("[")[0]
            order[test.name] = (
                -self.caught[mutation.file, mutation.function][test.name],
                ranks[kind],
                test.seconds,
            )
            ranks[kind] += 1
        names = sorted(order, key=order.__getitem__)
        spent = accumulate(self.tests[name].seconds for name in names)
        return [
            name for name, sum_ in zip(names, spent, strict=True) if sum_ < self.seconds or name == names[0]
        ]

    def judge(self, mutation: Mutation, names: list[str], status: int) -> None:
        """Take down how a process has ended in which a mistake was planted."""
        if status == PASSED:
            self.survivors.append(mutation)
            print(mutation, file=OUT, flush=True)
        elif status == UNKNOWN:
            self.later.append(mutation)
        elif status >= FIRST:
            self.caught[mutation.file, mutation.function][names[status - FIRST]] += 1


def swap(tree: ast.Module, mutation: Mutation, functions: list[FunctionType]) -> None:
    """Give a function the code that it has in another program."""
    path = str(ROOT / mutation.file)
    codes = [compile(tree, path, "exec", dont_inherit=True)]
    for code in codes:
        codes += [one for one in code.co_consts if isinstance(one, CodeType)]
    code = next(one for one in codes if one.co_firstlineno == mutation.function and one.co_name != "<module>")
    held = [one for one in functions if one.__code__.co_filename == path]
    held = [one for one in held if one.__code__.co_firstlineno == mutation.function]
    for function in held:
        function.__code__ = code
    if not held:
        raise LookupError("it is made in another function, or no longer there")


def fast(plugin: Plugin, items: list[Any], run: Run, planted: dict[str, set[int]], jobs: int) -> None:
    """Plant what can be planted in a function that is there."""
    named = {item.nodeid: item for item in items}
    functions = [one for one in gc.get_objects() if type(one) is FunctionType]
    gc.collect()
    gc.freeze()
    crew = Crew(jobs)
    for file, numbers in planted.items():
        for number, (mutation, tree) in enumerate(mutations(file)):
            if number not in numbers or mutation.function is None:
                continue
            names = run.chosen(mutation)

            def work(mutation: Mutation = mutation, names: list[str] = names, tree: ast.Module = tree) -> int:
                swap(tree, mutation, functions)
                for index, name in enumerate(names):
                    if not plugin.passes(named[name], 3 * run.tests[name].seconds + 3):
                        return FIRST + index if FIRST + index < 250 else FAILED
                return PASSED

            def then(status: int, mutation: Mutation = mutation, names: list[str] = names) -> None:
                run.judge(mutation, names, status)

            crew.start(work, then)
    crew.finish()


def slow(run: Run, planted: dict[str, set[int]], jobs: int) -> None:
    """Plant what is there when archlens is imported."""
    later, run.later = run.later, []
    crew = Crew(jobs)
    for file, numbers in planted.items():
        for number, (mutation, tree) in enumerate(mutations(file)):
            if number not in numbers or (mutation.function is not None and mutation not in later):
                continue
            names = run.chosen(mutation)

            def work(mutation: Mutation = mutation, names: list[str] = names, tree: ast.Module = tree) -> int:
                results = []

                def each(plugin: Plugin, items: list[Any]) -> None:
                    ordered = {item.nodeid: item for item in items}
                    for name in names:
                        passed = plugin.passes(ordered[name], 3 * run.tests[name].seconds + 3)
                        results.append(passed)
                        if not passed:
                            break

                path = str(ROOT / mutation.file)
                code = compile(tree, path, "exec", dont_inherit=True)
                Plugin(each, Finder(path, code)).collect(names)
                return PASSED if len(results) == len(names) and all(results) else FAILED

            def then(status: int, mutation: Mutation = mutation, names: list[str] = names) -> None:
                run.judge(mutation, names, FAILED if status == UNKNOWN else status)

            crew.start(work, then)
    crew.finish()


def main() -> None:
    """Plant, run, and list the survivors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="+", help="files and folders in the project")
    parser.add_argument("--sample", type=int, metavar="N", help="so many of the mutations, drawn by chance")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument(
        "--seconds", type=float, default=1e9, help="of tests for a mutation; the rest is left"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument(
        "--record", type=Path, help="a file that keeps what the tests execute, for the next run"
    )
    parser.add_argument("--tests", default=TESTS, metavar="NAMES", help="the test files, without test_")
    parser.add_argument("--again", type=Path, help="a file with survivors: only these are planted")
    parser.add_argument("--list", action="store_true", help="print the mutations and run nothing")
    options = parser.parse_args()

    files = []
    for path in [(ROOT / path).resolve() for path in options.paths]:
        for one in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            files.append(one.relative_to(ROOT).as_posix())
    every = [(file, number, str(one)) for file in files for number, (one, _) in enumerate(mutations(file))]
    again = options.again and set(options.again.read_text("utf-8").splitlines())
    drawn = [one for one in every if not again or one[2] in again]
    if options.sample is not None and options.sample < len(drawn):
        drawn = sorted(random.Random(options.seed).sample(drawn, options.sample))
    planted = {file: {number for one, number, _ in drawn if one == file} for file in files}
    if options.list:
        print(*(text for _, _, text in drawn), sep="\n")
        return

    os.environ["OMP_NUM_THREADS"] = "1"
    os.chdir(ROOT)
    import hypothesis  # noqa: F401
    import pytest  # noqa: F401  # what takes long to import is imported once
    import torch  # noqa: F401

    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    paths = [f"tests/test_{name}.py" for name in options.tests.split()]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder
        kept = Path(folder, "run")

        def collected(plugin: Plugin, items: list[Any]) -> None:
            """What is done in the process in which archlens is as it is."""
            if options.record and options.record.exists():
                tests = pickle.loads(options.record.read_bytes())
            else:
                forget()
                tests = record(plugin, items, files, options.jobs, 4 * options.seconds)
                if options.record:
                    options.record.write_bytes(pickle.dumps(tests))
            names = {item.nodeid for item in items}
            run = Run([test for test in tests if test.name in names], options.seconds)
            fast(plugin, items, run, planted, options.jobs)
            kept.write_bytes(pickle.dumps(run))

        def work() -> int:
            Plugin(collected).collect(paths)
            return PASSED

        crew = Crew(1)
        crew.start(work, lambda status: None)
        crew.finish()
        run = pickle.loads(kept.read_bytes())
        slow(run, planted, options.jobs)
    total, survived = len(drawn), len(run.survivors)
    print(
        f"{total} of {len(every)} mutations planted, {total - survived} caught, {survived} survived", file=OUT
    )


#: Where the result goes; what the tests print goes nowhere.
OUT = os.fdopen(os.dup(1), "w")

if __name__ == "__main__":
    main()
