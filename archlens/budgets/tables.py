"""``[tool.archlens.budgets]`` in the text of a ``pyproject.toml``; each mistake is told with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..analysis.figures import QUANTITIES
from ..dialects.formats import file
from ..dialects.module import named as module_named
from ..elaboration.inputs import read_given
from ..errors import Source, UsageError, did_you_mean, shorten, usage
from ..limits import EXAMPLES, BadLimit, Requirement, parse
from . import toml
from .project import BUDGET_KEYS, KEYS, Glob, Project, Runs, Table, described, limited_twice, read_tolerance

_TABLE = ("tool", "archlens")
_BUDGETS = (*_TABLE, "budgets")

_QUOTED = 'a name with dots is written in quotes: "layer1.0".params = "<= 5 %"'
_FILES = 'as in files = ["models/*.yaml"]'


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
            raise self.error(path, f"{toml.key(path)} must be a table, not {described(value)}")
        return value

    def unknown(self, path: toml.Path, known: Iterable[str], help: str = "") -> UsageError:
        known = list(known)
        help = help or did_you_mean(path[-1], known, otherwise=f"its keys are {', '.join(known)}")
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
                dotted = name.rpartition(".")[2].replace("-", "_") in QUANTITIES
                raise self.unknown(path, [*BUDGET_KEYS, *QUANTITIES], _QUOTED if dotted else "")
        self.distinct(defaults, _BUDGETS)
        self.separate(tables)
        return Project(
            self.root, tuple(files), tuple(defaults), tuple(tables), tolerance, self.places.of(_BUDGETS)
        )

    def files(self, value: Any, path: toml.Path) -> list[Glob]:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list):
            raise self.error(path, f"files must be a list of patterns, not {described(value)}", _FILES)
        if not listed:
            raise self.error(path, "files names no file", _FILES)
        found = []
        for number, pattern in enumerate(listed):
            place = (*path, str(number))
            if not isinstance(pattern, str):
                raise self.error(place, f"a pattern must be a string, not {described(pattern)}", _FILES)
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
            raise self.error(path, f"tolerance must be a string, not {described(value)}", 'as in "1 %"')
        try:
            return read_tolerance(value)
        except BadLimit as problem:
            raise self.error(path, f"tolerance: {problem.message}", problem.help) from None

    def limits(self, value: Any, path: toml.Path, *, certain: bool) -> Table:
        runs = None
        if certain and isinstance(value, Mapping) and "input" in value and self.is_outside(path[-1]):
            runs = self.runs(value, path)
            value = {name: inner for name, inner in value.items() if name not in ("input", "set")}
        found = self.requirements(value, path, share=not certain)
        return Table(path[-1], tuple(found), self.places.keys.get(path), certain, runs)

    def is_outside(self, name: str) -> bool:
        """Whether a name means a torch module or a file of another tool."""
        return module_named(name) is not None or file(str(self.root / name)) is not None

    def runs(self, value: Mapping[str, Any], path: toml.Path) -> Runs:
        """What a torch module or a file of another tool is given."""
        try:
            read_given(value["input"], None, path[-1])
        except UsageError as problem:
            said, given = problem.diagnostic, value["input"]
            name, named, shape = given.partition("=") if isinstance(given, str) else ("", "", "")
            help = f'a table, as in input = {{ {name.strip()} = "{shape.strip()}" }}' if named else said.help
            raise self.error((*path, "input"), said.message, help) from None
        values = value.get("set", {})
        self.table(values, (*path, "set"))
        return Runs(value["input"], values)

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
                if not name:
                    raise self.error(inside, "the name of the scope is empty", key=True)
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
            dotted = isinstance(value, Mapping) or name.rpartition(".")[2] in QUANTITIES
            raise self.unknown(path, QUANTITIES, _QUOTED if dotted else "")
        if not isinstance(value, str):
            raise self.error(
                path,
                f"the limit of {name} must be a string, not {described(value)}",
                f"{EXAMPLES}, in quotes",
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

    def separate(self, tables: Iterable[Table]) -> None:
        """Refuse two tables of one name that limit the same: one of them would be ignored."""
        seen: dict[tuple[str, str, str], Requirement] = {}
        for table in tables:
            for one in table.requirements:
                first = seen.setdefault((table.name, one.scope, one.quantity), one)
                if first is not one:
                    raise limited_twice(one, first, table.name)
