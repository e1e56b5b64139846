"""The budgets of a project: ``[tool.archlens.budgets]`` of its ``pyproject.toml``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import Source, Span, UsageError, did_you_mean, shorten, usage
from ..limits import EXAMPLES, BadLimit, Requirement, parse
from ..quantities import QUANTITIES
from . import toml

#: The keys of ``[tool.archlens]``, and those of its ``budgets`` that are not quantities.
KEYS = ("budgets",)
BUDGET_KEYS = ("files", "tolerance", "defaults", "networks")

_TABLE = ("tool", "archlens")
_BUDGETS = (*_TABLE, "budgets")
_FILE = "pyproject.toml"

#: The largest ``pyproject.toml`` that is read.
_MAX_BYTES = 2_000_000


class Glob(NamedTuple):
    """A pattern over files, and where it stands."""

    pattern: str
    span: Span | None


class Table(NamedTuple):
    """Limits under the name of a network, a pattern over files or names; or, it may be, of a scope."""

    name: str
    requirements: tuple[Requirement, ...]
    span: Span | None
    #: Whether it stands under ``networks``, and so names no scope.
    certain: bool


@dataclass(frozen=True)
class Project:
    """Where a project lies, and the budgets in its ``pyproject.toml``."""

    root: Path
    files: tuple[Glob, ...] = ()
    defaults: tuple[Requirement, ...] = ()
    tables: tuple[Table, ...] = ()
    #: How far locked figures may drift, in percent.
    tolerance: Fraction = Fraction(0)
    #: Where the budgets stand; ``None`` where there are none.
    span: Span | None = None


def find_project(start: Path | None = None) -> Project:
    """The project that a folder belongs to: the nearest one above with a ``[tool.archlens]``.

    Without one the folder itself is the project, and it has no budgets.

    Raises:
        UsageError: the nearest ``pyproject.toml`` that speaks of archlens is wrong; with its place.
    """
    start = (start or Path.cwd()).resolve()
    nearest: Path | None = None
    for folder in (start, *start.parents):
        file = folder / _FILE
        if file.is_file():
            text = read_text(file)
            if "archlens" in text:
                project = read_project(Source(display(file), text), folder)
                if project is not None:
                    return project
            nearest = nearest or folder
        if (folder / ".git").exists():
            break
    return Project(nearest or start)


def display(file: Path) -> str:
    """A path as messages call it: relative, where it lies below the current folder or beside it."""
    from os.path import relpath

    try:
        return relpath(file).replace("\\", "/")
    except ValueError:  # another drive
        return str(file)


def read_text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as problem:
        raise usage(f"{display(file)} cannot be read: {problem.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise usage(f"{display(file)} is larger than {_MAX_BYTES // 10**6} MB")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise usage(f"{display(file)} is not UTF-8") from None


def read_project(source: Source, root: Path) -> Project | None:
    """The budgets in the text of a ``pyproject.toml``; ``None`` where it has no ``[tool.archlens]``.

    Raises:
        UsageError: a key, a unit or a type is wrong; with its place.
    """
    data, places = toml.read(source)
    tool = data.get("tool")
    if not isinstance(tool, Mapping) or "archlens" not in tool:
        return None
    return _Reader(places, root).project(tool["archlens"])


class _Reader:
    """Reads the tables, and says of each mistake where it stands."""

    def __init__(self, places: toml.Places, root: Path) -> None:
        self.places = places
        self.root = root

    def error(self, path: toml.Path, message: str, help: str = "", *, key: bool = False) -> UsageError:
        """A message that points at a value, or at its key."""
        span = (self.places.keys.get(path) if key else None) or self.places.of(path)
        return usage(message, span=span, help=help)

    def table(self, value: Any, path: toml.Path) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.error(path, f"{toml.key(path)} must be a table, not {_described(value)}")
        return value

    def unknown(self, path: toml.Path, known: Iterable[str]) -> UsageError:
        known = list(known)
        help = did_you_mean(path[-1], known, otherwise=f"its keys are {', '.join(known)}")
        where = toml.key(path[:-1])
        return self.error(path, f"[{where}] has no key {shorten(path[-1])}", help, key=True)

    def project(self, value: Any) -> Project:
        for name in self.table(value, _TABLE):
            if name not in KEYS:
                raise self.unknown((*_TABLE, name), KEYS)
        if "budgets" not in value:
            return Project(self.root)
        files: list[Glob] = []
        defaults: list[Requirement] = []
        tables: list[Table] = []
        tolerance = Fraction(0)
        for name, inner in self.table(value["budgets"], _BUDGETS).items():
            path = (*_BUDGETS, name)
            if name == "files":
                files = self.files(inner, path)
            elif name == "tolerance":
                tolerance = self.tolerance(inner, path)
            elif name == "defaults":
                defaults += self.requirements(inner, path)
            elif name == "networks":
                for network, limits in self.table(inner, path).items():
                    tables.append(self.limits(limits, (*path, network), certain=True))
            elif name.replace("-", "_") in QUANTITIES:
                defaults.append(self.requirement(inner, path, ""))
            elif isinstance(inner, Mapping):
                tables.append(self.limits(inner, path, certain=False))
            else:
                raise self.unknown(path, [*BUDGET_KEYS, *QUANTITIES])
        self.distinct(defaults, _BUDGETS)
        return Project(
            self.root, tuple(files), tuple(defaults), tuple(tables), tolerance, self.places.of(_BUDGETS)
        )

    def files(self, value: Any, path: toml.Path) -> list[Glob]:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list):
            raise self.error(path, f"files must be a list of patterns, not {_described(value)}", _FILES)
        if not listed:
            raise self.error(path, "files names no file", _FILES)
        found = []
        for number, pattern in enumerate(listed):
            place = (*path, str(number))
            if not isinstance(pattern, str):
                raise self.error(place, f"a pattern must be a text, not {_described(pattern)}", _FILES)
            found.append(self.glob(pattern, place))
        return found

    def glob(self, pattern: str, path: toml.Path) -> Glob:
        if not pattern.strip() or "\0" in pattern:
            raise self.error(path, "the pattern is empty", _FILES)
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise self.error(
                path, f"{shorten(pattern)} leads out of the project", "patterns start at its folder"
            )
        return Glob(pattern, self.places.of(path))

    def tolerance(self, value: Any, path: toml.Path) -> Fraction:
        if not isinstance(value, str):
            raise self.error(path, f"tolerance must be a text, not {_described(value)}", 'as in "1 %"')
        try:
            return read_tolerance(value)
        except BadLimit as problem:
            raise self.error(path, f"tolerance: {problem.message}", problem.help) from None

    def limits(self, value: Any, path: toml.Path, *, certain: bool) -> Table:
        found = self.requirements(value, path, share=not certain)
        return Table(path[-1], tuple(found), self.places.keys.get(path), certain)

    def requirements(self, value: Any, path: toml.Path, *, share: bool = False) -> list[Requirement]:
        """The limits in a table; a table within it is a scope with its own."""
        found = []
        table = self.table(value, path)
        if not table:
            raise self.error(path, f"[{toml.key(path)}] limits nothing", 'as in params = "<= 26M"')
        for name, inner in table.items():
            inside = (*path, name)
            if isinstance(inner, Mapping) and name.replace("-", "_") not in QUANTITIES:
                if not inner:
                    raise self.error(inside, f"the budget of {shorten(name)} limits nothing", key=True)
                found += [self.requirement(limit, (*inside, key), name) for key, limit in inner.items()]
            else:
                found.append(self.requirement(inner, inside, "", share=share))
        self.distinct(found, path)
        return found

    def requirement(self, value: Any, path: toml.Path, scope: str, *, share: bool = False) -> Requirement:
        """A limit; ``share`` where it may turn out to be on a scope, because its table may name one."""
        name = path[-1].replace("-", "_")
        quantity = QUANTITIES.get(name)
        if quantity is None:
            raise self.unknown(path, QUANTITIES)
        if not isinstance(value, str):
            raise self.error(
                path, f"the limit of {name} must be a text, not {_described(value)}", f"{EXAMPLES}, in quotes"
            )
        try:
            limit = parse(value, quantity.kind, share=quantity.adds_up and (share or bool(scope)))
        except BadLimit as problem:
            raise self.error(path, f"{name}: {problem.message}", problem.help) from None
        if scope and not quantity.scoped:
            raise self.error(
                path,
                f"{name} is a quantity of the whole network, and {shorten(scope)} has none of its own",
                key=True,
            )
        return Requirement(name, scope, limit, self.places.of(path))

    def distinct(self, found: Iterable[Requirement], path: toml.Path) -> None:
        """Refuse a quantity that is limited twice: by its name with a dash and by that without."""
        seen: set[tuple[str, str]] = set()
        for one in found:
            if (one.scope, one.quantity) in seen:
                raise usage(f"{one.quantity} is limited twice in [{toml.key(path)}]", span=one.span)
            seen.add((one.scope, one.quantity))


_FILES = 'as in files = ["models/*.yaml"]'


def read_tolerance(text: str) -> Fraction:
    """A tolerance in percent: ``1 %``.

    Raises:
        BadLimit: it is none.
    """
    written = text.strip()
    if written in ("0", "0%", "0 %"):
        return Fraction(0)
    if written.endswith("%") and written[:-1].strip().replace(".", "", 1).isdigit():
        number = Fraction(written[:-1].strip())
        if number < 100:
            return number
    raise BadLimit(f"'{shorten(written)}' is no tolerance", "a percentage below 100, as in 1 %")


def option_tolerance(text: str) -> Fraction:
    """The tolerance of the command line, in percent.

    Raises:
        UsageError: it is none.
    """
    try:
        return read_tolerance(text)
    except BadLimit as problem:
        raise usage(f"--tolerance: {problem.message}", help=problem.help) from None


def parse_limits(limits: Iterable[tuple[str, str]], scope: str = "", prefix: str = "") -> list[Requirement]:
    """Limits of the command line or of Python, by the names of their quantities.

    Args:
        limits: names of quantities, each with a text; a name may come twice, and then both hold.
        scope: the scope that they are on; empty for the whole network.
        prefix: what the caller writes before the name of a quantity.

    Raises:
        UsageError: one is no limit, or on nothing that can be limited.
    """
    found = []
    for name, text in limits:
        quantity = QUANTITIES.get(name)
        if quantity is None:
            help = did_you_mean(name, QUANTITIES, otherwise=f"there are {', '.join(QUANTITIES)}")
            raise usage(f"there is no quantity {shorten(name)}", help=help)
        called = f"{prefix}{name.replace('_', '-') if prefix else name}"
        if not isinstance(text, str):
            raise usage(f"{called}: a limit must be a text, not {_described(text)}", help=EXAMPLES)
        if scope and not quantity.scoped:
            raise usage(
                f"{called} is a quantity of the whole network, and {shorten(scope)} has none of its own"
            )
        try:
            limit = parse(text, quantity.kind, share=bool(scope) and quantity.adds_up)
        except BadLimit as problem:
            raise usage(f"{called}: {problem.message}", help=problem.help) from None
        found.append(Requirement(name, scope, limit, None))
    return found


def _described(value: Any) -> str:
    """What kind of thing a value is, for a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {shorten(value)}"
    if isinstance(value, int | float):
        return f"the number {shorten(str(value))}"
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, Mapping) else "a date"
