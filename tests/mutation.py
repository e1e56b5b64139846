"""Plants small mistakes in archlens, one at a time, and lists those that no test sees. Run by hand.

    python tests/mutation.py archlens/geometry.py archlens/limits.py --tests geometry limits
    python tests/mutation.py archlens/ops --sample 100 --seed 1 --record /tmp/lines > /tmp/survivors
    python tests/mutation.py archlens/ops --again /tmp/survivors --record /tmp/lines

The tests of the fast lane, and of every example of an op, run once, to learn which lines each executes, and
for how long. Then, for each mistake, a process is forked in which the function that holds it gets other code,
and the tests that execute its line run, up to the first that fails: those first that caught something near,
then those that execute little else. A mistake outside of functions is there before archlens is imported. A
test that does not end is stopped by the processor time that it has used. Programs that tests start are not
looked into, nor functions that run at import alone: what they have made is made.

Whoever reads a survivor judges it: either nothing can tell the two programs apart, or a test is missing.
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import os
import pickle
import random
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

import pytest
import torch
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parent.parent
OUT = os.fdopen(os.dup(1), "w", buffering=1)  # what the tests print goes nowhere

#: How a process ends: no test failed, something else went wrong, or a test failed (and its index is added).
PASSED, UNPLANTED, FAILED = 0, 1, 2

SWAPPED: dict[type[ast.AST], type[Any]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Continue: ast.Break, ast.Break: ast.Continue,
}  # fmt: skip
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "gcd": "lcm", "lcm": "gcd"}

#: What is not looked into, for no test can or need see it.
SKIPPED = (ast.Assert, ast.Import, ast.ImportFrom, "annotation", "returns", "format_spec")


class Test(NamedTuple):
    """What a test does when nothing is wrong: its seconds, and the lines of each file that it executes."""

    name: str
    seconds: float
    lines: dict[str, set[int]]


class Mutation(NamedTuple):
    """A mistake in a file: other code in the place of a node, in the fields of another or in a list."""

    file: str
    text: str
    lines: range  # a test must execute one of these to come upon it
    function: int | None  # the first line of the outermost function that holds it
    tree: ast.Module
    held: Any
    key: int | str
    other: ast.AST

    def plant(self) -> CodeType:
        """The code of the file with the mistake. Its tree has it from then on."""
        self.held[self.key] = self.other
        return compile(ast.fix_missing_locations(self.tree), ROOT / self.file, "exec", dont_inherit=True)


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node by mistake."""

    def altered(**fields: object) -> ast.AST:
        return type(node)(**{**vars(node), **fields})

    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in SWAPPED:
            parts = [getattr(one, "value", one) for one in ast.iter_child_nodes(node)]
            if not any(isinstance(part, ast.JoinedStr | str) for part in parts):  # texts are not calculated
                yield altered(op=SWAPPED[type(op)]())
        case ast.Compare(ops=ops):
            for i, how in enumerate(ops):
                yield altered(ops=[*ops[:i], SWAPPED[type(how)](), *ops[i + 1 :]])
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
            yield ast.BinOp(node, ast.Sub(), ast.Constant(1)) if value == 0 else ast.Constant(value - 1)
        case ast.Call(ast.Name(name)) if name in FUNCTIONS:
            yield altered(func=ast.Name(FUNCTIONS[name], ast.Load()))
        case ast.Slice():
            yield from (altered(**{end: None}) for end in ("lower", "upper") if getattr(node, end))
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.If(test) if ast.unparse(test) != "TYPE_CHECKING":
            yield from (altered(test=ast.Constant(value)) for value in (True, False))
        case ast.comprehension(ifs=[_, *_]):
            yield altered(ifs=[])
        case ast.Continue() | ast.Break():
            yield SWAPPED[type(node)]()


def mutations(file: str) -> Iterator[Mutation]:
    """All mistakes that are planted in a file, in the order of its text."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))

    def look(parent: Any, line: int, lines: range, function: int | None) -> Iterator[Mutation]:
        for name, value in ast.iter_fields(parent):
            within = function
            if name == "body" and isinstance(parent, ast.FunctionDef) and function is None:
                within = parent.decorator_list[0].lineno if parent.decorator_list else parent.lineno
            held: Any = value if isinstance(value, list) else vars(parent)
            for key in range(len(value)) if isinstance(value, list) else [name]:
                node: Any = held[key]
                if not isinstance(node, ast.AST) or type(node) in SKIPPED or name in SKIPPED:
                    continue
                line, executed = vars(node).get("lineno", line), lines
                called = isinstance(node, ast.ClassDef) and any(
                    type(one) is ast.FunctionDef for one in node.body
                )
                if isinstance(node, ast.stmt) if within else called:
                    body = vars(node).get("body") if within else None
                    last = body[0].lineno - 1 if body else vars(node)["end_lineno"]
                    executed = range(line, max(line, last) + 1)
                for other in replacements(node):
                    text = f"{file}:{line}: {shown(node)}  ->  {shown(other)}"
                    if isinstance(node, ast.Constant):  # a number says nothing without what is around it
                        held[key] = other
                        text += f"   in  {shown(parent)}"
                        held[key] = node
                    yield Mutation(file, text, executed, within, tree, held, key, other)
                yield from look(node, line, executed, within)

    return look(tree, 1, range(1 << 20), None)


def shown(node: ast.AST) -> str:
    """The first line of a node."""
    first, *rest = ast.unparse(ast.fix_missing_locations(node)).strip().split("\n")
    return f"{first} …" if rest else first


def forked(items: Iterable[Any], work: Callable[[Any], int | None]) -> Iterator[tuple[Any, int]]:
    """Do some work for each item in a process of its own, one for each core, and say how it has ended."""
    running: dict[int, Any] = {}
    left = iter(items)
    while True:
        while len(running) < (os.cpu_count() or 1) and (item := next(left, None)) is not None:
            if not (child := os.fork()):
                status = UNPLANTED
                try:
                    resource.setrlimit(resource.RLIMIT_DATA, (6 << 30, 6 << 30))
                    status = work(item) or PASSED
                finally:
                    os._exit(min(status, 255))
            running[child] = item
        if not running:
            return
        child, result = os.wait()
        yield running.pop(child), os.waitstatus_to_exitcode(result)


class Tests:
    """Has pytest collect tests, and does something else with them than running each."""

    def __init__(self, names: Iterable[str], work: Callable[[dict[str, Any]], object]) -> None:
        self.work = work
        chosen = ["-m", "not slow or example"]
        options = ["-qs", "--assert=plain", "--import-mode=importlib", "-o", "addopts=", *chosen]
        for plugin in ("cacheprovider", "xdist", "archlens"):
            options += ["-p", f"no:{plugin}"]
        pytest.main([*options, *names], [self])

    def pytest_collection(self) -> None:
        """A property that fails once has failed: nobody reads its smallest example."""
        settings.register_profile("once", phases=(Phase.explicit, Phase.generate), derandomize=True)
        settings.load_profile("once")

    def pytest_runtestloop(self, session: Any) -> bool:
        self.work({item.nodeid: item for item in session.items})
        return True


def passes(item: Any) -> bool:
    """Whether a test passes, where nothing is remembered from those before."""
    for name, module in list(sys.modules.items()):
        for key, value in vars(module).items() if name.startswith(("archlens", "test")) else ():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
            elif type(value) is dict and key.startswith("_") and key.islower() and "__" not in key:
                value.clear()
    return not any(report.failed for report in runtestprotocol(item, log=False))


def result(items: dict[str, Any], tests: list[Test]) -> int:
    """How some tests end, up to the first that fails."""
    for index, test in enumerate(tests):
        limit = time.process_time() + 3 * test.seconds + 4
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), -1))
        if not passes(items[test.name]):
            return FAILED + index
    return PASSED


def watch(items: dict[str, Any], files: list[str], seconds: float) -> Iterator[Test]:
    """Run tests, so many seconds of each property's examples, and see what they execute of some files."""
    found = {str(ROOT / file): set[int]() for file in files}

    def step(frame: FrameType, event: str, arg: object) -> Any:
        if (lines := found.get(frame.f_code.co_filename)) is None:
            return None
        lines.add(frame.f_lineno)
        return step

    spent: dict[str, float] = defaultdict(float)
    for name in random.Random(0).sample(list(items), len(items)):
        kind = name.partition("[")[0]  # the property of which it is an example
        if spent[kind] > seconds:
            continue
        begin = time.process_time()
        sys.settrace(step)
        passed = passes(items[name])
        sys.settrace(None)
        took = time.process_time() - begin
        spent[kind] += took
        if passed:
            yield Test(name, took, {file: set(found[str(ROOT / file)]) for file in files})
        else:
            print("left out, because it fails:", name, file=sys.stderr)
        for lines in found.values():
            lines.clear()


def learned(names: list[str], files: list[str], seconds: float, folder: Path, kept: Path) -> list[Test]:
    """What tests do, taken from a file where neither they nor what they test has changed since."""
    known: dict[Any, list[Test]] = pickle.loads(kept.read_bytes()) if kept.exists() else {}
    keys = {name: tuple((one, os.stat(one).st_mtime_ns) for one in (name, *files)) for name in names}

    def learn(name: str) -> None:
        part = folder / Path(name).name
        Tests([name], lambda items: part.write_bytes(pickle.dumps(list(watch(items, files, seconds)))))

    for name, _ in forked([name for name in names if keys[name] not in known], learn):
        known[keys[name]] = pickle.loads((folder / Path(name).name).read_bytes())
        kept.write_bytes(pickle.dumps(known))
    return [test for name in names for test in known[keys[name]]]


def chosen(mutation: Mutation, tests: list[Test], caught: dict[Any, int], seconds: float) -> list[Test]:
    """The tests that come upon a mistake, in turn, as far as they take no more than so many seconds."""
    found = [test for test in tests if not test.lines[mutation.file].isdisjoint(mutation.lines)]
    near = {test.name: caught[mutation.file, mutation.function, test.name] for test in found}
    found.sort(key=lambda test: (-near[test.name], len(test.lines[mutation.file]), test.seconds))
    taken: list[Test] = []
    for test in found:
        if test.seconds < seconds or not taken:
            taken.append(test)
            seconds -= test.seconds
    return taken


def codes(code: CodeType) -> Iterator[CodeType]:
    """A code, and all those in it."""
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from codes(one)


def inside(functions: list[FunctionType], items: Any, mutation: Mutation, chosen: list[Test]) -> int:
    """Run tests where a function has the code that it has with a mistake."""
    _, *found = codes(mutation.plant())
    outer = next(code for code in found if code.co_firstlineno == mutation.function)
    made = {(code.co_filename, code.co_firstlineno, code.co_name): code for code in codes(outer)}
    held = 0
    for function in functions:
        old = function.__code__
        if new := made.get((old.co_filename, old.co_firstlineno, old.co_name)):
            function.__code__ = new
            held += 1
    return result(items, chosen) if held else UNPLANTED


def outside(mutation: Mutation, chosen: list[Test]) -> int:
    """Run tests where a mistake is there when archlens is imported."""
    loaders: Any = SourceFileLoader
    code, get_code, results = mutation.plant(), loaders.get_code, [FAILED if chosen else PASSED]
    loaders.get_code = lambda self, name: code if self.path == code.co_filename else get_code(self, name)
    names = [test.name for test in chosen] or ["--version"]
    Tests(names, lambda items: results.append(result(items, chosen)))
    return results[-1]


def judge(planted: list[Mutation], tests: list[Test], seconds: float, work: Callable[..., int]) -> None:
    """Plant mistakes, each in a process of its own, and print those that no test sees."""
    caught: dict[Any, int] = defaultdict(int)
    survived = 0
    pairs = ((mutation, chosen(mutation, tests, caught, seconds)) for mutation in planted)
    for (mutation, run), status in forked(pairs, lambda pair: work(*pair)):
        if status in (PASSED, UNPLANTED):
            survived += 1
            print(mutation.text if status == PASSED else f"cannot be planted: {mutation.text}", file=OUT)
        elif status >= FAILED:
            caught[mutation.file, mutation.function, run[status - FAILED].name] += 1
    print(f"{len(planted)} planted, {survived} survived", file=OUT)


def main() -> None:
    """Plant, run, and list the survivors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("paths", nargs="+", type=Path, help="files and folders in the project")
    add("--sample", type=int, metavar="N", help="so many of the mistakes, drawn by chance")
    add("--seed", type=int, default=0, help="of the draw")
    add("--seconds", type=float, default=10, help="of tests for a mistake (10)")
    add("--tests", nargs="+", default="*", metavar="NAME", help="the test files, without test_ (all)")
    add("--record", type=Path, help="a file that keeps what the tests execute, for the next run")
    add("--again", type=Path, help="what a run has printed: only this is planted, on any line")
    options = parser.parse_args()

    os.chdir(ROOT)
    found = [path.rglob("*.py") if path.is_dir() else [path] for path in options.paths]
    files = sorted(str(path) for paths in found for path in paths)
    names = sorted(str(one) for name in options.tests for one in Path("tests").glob(f"test_{name}.py"))
    planted = [mutation for file in files for mutation in mutations(file)]
    if options.again:
        again = [line.split(":", 2)[::2] for line in options.again.read_text("utf-8").splitlines()]
        planted = [one for one in planted if one.text.split(":", 2)[::2] in again]
    if options.sample:
        count = min(options.sample, len(planted))
        planted = [planted[i] for i in sorted(random.Random(options.seed).sample(range(len(planted)), count))]

    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder
        record = options.record or Path(folder, "record")
        tests = learned(names, files, 4 * options.seconds, Path(folder), record)
        judge([one for one in planted if not one.function], tests, options.seconds, outside)

        def collected(items: dict[str, Any]) -> None:
            for file in files:
                importlib.import_module(file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
            gc.unfreeze()  # what conftest has settled would not be found
            functions = [one for one in gc.get_objects() if type(one) is FunctionType]
            gc.freeze()
            deep = [one for one in planted if one.function]
            judge(deep, tests, options.seconds, partial(inside, functions, items))

        Tests({test.name.partition("::")[0] for test in tests}, collected)


if __name__ == "__main__":
    main()
