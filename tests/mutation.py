"""Plants small mistakes in archlens, one at a time, and lists those that no test sees. Run by hand.

    python tests/mutation.py archlens/geometry.py archlens/limits.py
    python tests/mutation.py archlens/ops --sample 100 --seed 1

Each mistake is planted in a copy of the project in a temporary directory, and the tests that matter for its
file run on that copy, quickest first, up to the first that fails. What comes out depends on the files, the
seed and nothing else; a test that does not end is stopped by the processor time that it has used. Whoever
reads a survivor judges it: either nothing can tell the two programs apart, or a test is missing.
"""

from __future__ import annotations

import argparse
import ast
import multiprocessing
import os
import random
import re
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent

#: The test files that matter for what begins so, the quickest first. Before them come the examples in the
#: file's docstrings, and for ops those tests that name one of them.
TESTS = {
    "archlens/geometry.py": "geometry receptive_field ops",
    "archlens/limits.py": "limits check",
    "archlens/ops/": "ops diagnostics memory language cost random_networks torch_module",
    "archlens/lint/": "lint",
    "archlens/analysis/receptive_field.py": "receptive_field views lint check",
    "archlens/analysis/claims.py": "claims specs",
    "archlens/analysis/comparison.py": "compare",
    "archlens/analysis/cost.py": "cost views",
    "archlens/analysis/counting/": "cost",
    "archlens/analysis/depth.py": "check",
    "archlens/analysis/difference.py": "diff",
    "archlens/analysis/memory.py": "memory check",
    "archlens/analysis/sizes.py": "sizes check",
    "archlens/analysis/strides.py": "sizes lint",
    "archlens/analysis/": "views diff lint check sizes verify",
    "archlens/": "views check lint language",
}

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
    """A mistake in a file: the program with it, and how it reads."""

    file: str
    line: int
    change: str
    program: str

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


def mutations(file: str, text: str) -> Iterator[Mutation]:
    """All mistakes that are planted in a file, in the order of its text."""
    tree = ast.parse(text)
    line = 0
    for parent, name, index in list(places(tree)):
        held: Any = getattr(parent, name)
        node = held if index is None else held[index]
        line = getattr(node, "lineno", line)
        for other in replacements(node):
            put(parent, name, index, other)
            program = ast.unparse(ast.fix_missing_locations(tree))
            put(parent, name, index, node)
            change = f"{shown(node)}  ->  {shown(other)}"
            if isinstance(node, ast.Constant):  # a number says nothing without what is around it
                change += f"   in  {shown(parent)}"
            yield Mutation(file, line, change, program)


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


def stages(file: str, left_out: list[str]) -> list[list[str]]:
    """What pytest is to run for a file, in turn."""
    names = TESTS[max((start for start in TESTS if file.startswith(start)), key=len)].split()
    first, *rest = [f"tests/test_{name}.py" for name in names]
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    examples = f"tests/test_doctests.py::test_docstrings[{module}]"
    kinds = re.findall(r'kind="(\w+)"', (ROOT / file).read_text("utf-8"))
    found = [[examples, first], rest]
    if kinds:
        found = [[examples, first, "-k", " or ".join(["docstrings", *kinds])], [first, *rest]]
    return [[*arguments, *(f"--deselect={test}" for test in left_out)] for arguments in found if arguments]


def run(arguments: list[str], seconds: int) -> tuple[bool, float]:
    """Whether some tests pass in a process of their own, and the seconds of processor time that they took."""
    child = os.fork()
    if not child:
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            resource.setrlimit(resource.RLIMIT_DATA, (6 << 30, 6 << 30))
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os.dup2(1, 2)
            import pytest

            options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"]
            options += ["-o", "addopts=--import-mode=importlib"]
            options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what is imported already
            passed = pytest.main([*arguments, *options]) in (0, 5)  # 5: there is no such test
            import archlens

            os._exit(passed and Path(archlens.__file__).is_relative_to(Path.cwd()))
        finally:
            os._exit(0)  # whatever else happens, they have not passed
    _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status) == 1, used.ru_utime + used.ru_stime


def enter(copy: Path) -> None:
    """From now on the project is this copy."""
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    os.environ["PYTHONPATH"] = str(copy)


def judge(work: tuple[Mutation, list[tuple[list[str], int]]]) -> bool:
    """Whether a test sees a mutation, which is planted in the copy that this process works on."""
    mutation, tests = work
    path = Path(mutation.file)
    original = path.read_bytes()
    for stale in path.parent.glob(f"__pycache__/{path.stem}.*"):
        stale.unlink()
    try:
        path.write_text(mutation.program, "utf-8")
        return not all(run(arguments, seconds)[0] for arguments, seconds in tests)
    finally:
        path.write_bytes(original)
        shutil.rmtree(".hypothesis", ignore_errors=True)


def work_on(copies: Any) -> None:
    """What a process does first: it takes a copy, and compiles nothing any more into it."""
    enter(copies.get())
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True


def main() -> None:
    """Plant, run, and list the survivors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="+", help="files and folders in the project")
    parser.add_argument("--sample", type=int, metavar="N", help="so many of the mutations, drawn by chance")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--deselect", action="append", default=[], metavar="TEST", help="leave a test out")
    parser.add_argument("--list", action="store_true", help="print the mutations and run nothing")
    options = parser.parse_args()

    chosen: dict[str, str] = {}
    for path in [(ROOT / path).resolve() for path in options.paths]:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            chosen[file.relative_to(ROOT).as_posix()] = file.read_text("utf-8")
    planted = [one for file, text in chosen.items() for one in mutations(file, text)]
    total = len(planted)
    if options.sample is not None and options.sample < total:
        drawn = random.Random(options.seed).sample(range(total), options.sample)
        planted = [planted[i] for i in sorted(drawn)]
    if options.list:
        print(*planted, sep="\n")
        return

    os.environ["OMP_NUM_THREADS"] = "1"
    import hypothesis  # noqa: F401
    import pytest  # noqa: F401  # what takes long to import is imported once, and archlens in each run
    import torch  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder, str(number)) for number in range(options.jobs)]
        left_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis")
        shutil.copytree(ROOT, copies[0], ignore=left_out)
        enter(copies[0])
        seconds: dict[str, list[tuple[list[str], int]]] = {}
        limits: dict[str, int] = {}
        for file in {one.file: None for one in planted}:
            for arguments in stages(file, options.deselect):
                if str(arguments) not in limits:
                    passed, used = run(arguments, 3600)
                    if not passed:
                        sys.exit(f"pytest {' '.join(arguments)} fails, or archlens is not the copy's")
                    limits[str(arguments)] = int(3 * used) + 20
            seconds[file] = [
                (arguments, limits[str(arguments)]) for arguments in stages(file, options.deselect)
            ]
        for copy in copies[1:]:
            shutil.copytree(copies[0], copy)

        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        for copy in copies:
            queue.put(copy)
        survived = 0
        with context.Pool(options.jobs, work_on, (queue,)) as pool:
            work = [(one, seconds[one.file]) for one in planted]
            for one, caught in zip(planted, pool.imap(judge, work), strict=True):
                if not caught:
                    survived += 1
                    print(one, flush=True)
    print(
        f"{len(planted)} of {total} mutations planted, {len(planted) - survived} caught, {survived} survived"
    )


if __name__ == "__main__":
    main()
