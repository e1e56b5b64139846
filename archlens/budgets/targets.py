"""Which networks a project's budgets are about, and which limits each of them has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from ..analysis.figures import QUANTITIES
from ..dialects.format import File
from ..dialects.formats import every_ending, is_network
from ..dialects.formats import file as other_file
from ..dialects.module import Named
from ..dialects.module import named as module_named
from ..errors import BudgetError, Diagnostic, Span, SpecError, UsageError, did_you_mean, shorten, usage
from ..language import Spec
from ..library import find, names, open_spec
from ..library.finding import ENDINGS, scan
from ..limits import Requirement
from ..network import Network
from .finding import called, display
from .project import BUDGET_KEYS, Project, Runs, Table, limited_twice

#: Folders that hold no specs of a project, and how many folders are looked into.
_SKIPPED = ("node_modules", "site-packages", "__pycache__", "build", "dist", "venv")
_MAX_FOLDERS = 10_000

_WILD = "*?["


@dataclass(frozen=True, eq=False)
class Target:
    """A network to be checked."""

    #: How reports and the lock file call it: ``resnet50``, ``models/a.yaml``, ``models/a.yaml:small``.
    name: str
    #: What may name it in ``pyproject.toml``, beside its name.
    aliases: frozenset[str]
    spec: Spec | None
    variant: str
    #: Whether it is a file, and not a network of the zoo.
    file: bool
    #: What is wrong with its spec, where it cannot be read.
    problem: Diagnostic | None = None
    #: Whether somebody asked for it by its name.
    asked: bool = False
    #: The torch module or the file of another tool that it is, where it has no spec; and what a table says
    #: that it is given.
    outside: File | Named | None = None
    runs: Runs | None = None


def asked_for(project: Project, name: str) -> list[Target]:
    """What an argument means: a torch module, or what :func:`named` finds.

    The lock file and patterns never lead to a module, whose code would run.
    """
    for table in project.tables:
        if _runs_code(table) and name in (table.name, called(project.root, table.name)):
            return [replace(_module(project, table), asked=True)]
    module = module_named(name)
    if module is not None:
        return [Target(name, frozenset({name}), None, "", False, asked=True, outside=module)]
    return named(project, name)


def _runs_code(table: Table) -> bool:
    """Whether a table says what a torch module is given."""
    return table.runs is not None and module_named(table.name) is not None


def _module(project: Project, table: Table) -> Target:
    """The torch module that a table names, from the folder of the project."""
    found = module_named(table.name)
    assert found is not None
    found = replace(found, folder=str(project.root))
    return Target(table.name, frozenset({table.name}), None, "", False, outside=found, runs=table.runs)


def named(project: Project, name: str) -> list[Target]:
    """The networks that an argument means: one, or all variants of a file.

    Raises:
        UsageError: there is no such network, file or variant.
        BudgetError: its ``budget:`` is wrong.
    """
    other = other_file(name)
    if other is not None:
        return _each(project, other, asked=True)
    path = _path_of(name)
    try:
        found = find(name)
    except SpecError as problem:
        if isinstance(problem, BudgetError):
            raise
        return [_broken(project, path or name, problem, asked=True)]
    if path is None:
        if not found.variant and found.spec.variants:  # a family of the zoo
            return [_zoo(variant) for variant in found.spec.variants]
        return [_zoo(name)]
    if name != path:
        return [_target(project, path, found.spec, found.variant, asked=True)]
    variants = list(found.spec.variants) or [""]
    return [_target(project, path, found.spec, variant, asked=True) for variant in variants]


def _path_of(name: str) -> str | None:
    """The file that an argument names; ``None`` where it names a network of the zoo."""
    if name == "-" or os.path.isfile(name):
        return name
    bare = name.rpartition(":")[0]
    return bare if os.path.isfile(bare) else None


def _zoo(name: str) -> Target:
    found = find(name)
    return Target(name, frozenset({name}), found.spec, found.variant, False, asked=True)


def _target(project: Project, path: str, spec: Spec, variant: str, *, asked: bool = False) -> Target:
    file = _key(project, path)
    name = f"{file}:{variant}" if variant else file
    return Target(name, _aliases(file, variant), spec, variant, True, asked=asked)


def _each(project: Project, found: File, *, asked: bool = False) -> list[Target]:
    """A file of another tool, or each of its variants where none is said."""
    try:
        each = found.each()
    except SpecError:
        each = [found]  # what is wrong is said where it is laid out
    return [_other(project, one, asked=asked) for one in each]


def _other(project: Project, found: File, *, asked: bool = False) -> Target:
    """A file of another tool, on what a table gives it."""
    file = _key(project, found.path)
    aliases = _aliases(file, found.variant)
    runs = next((one.runs for one in project.tables if one.runs is not None and one.name in aliases), None)
    name = f"{file}:{found.variant}" if found.variant else file
    return Target(name, aliases, None, found.variant, True, asked=asked, outside=found, runs=runs)


def _broken(project: Project, path: str, problem: SpecError, *, asked: bool = False) -> Target:
    """A file that is no spec, whatever it was to hold."""
    file = _key(project, path)
    return Target(file, _aliases(file, ""), None, "", True, problem.diagnostic, asked)


def _aliases(file: str, variant: str) -> frozenset[str]:
    """A file by its path, its name and its stem; a variant by its name, too."""
    bare = Path(file).name
    found = {file, bare, Path(bare).stem}
    return frozenset({*found, variant, *(f"{one}:{variant}" for one in found)} if variant else found)


def _key(project: Project, path: str) -> str:
    """A file by its path from the project's folder, whatever the current one is."""
    if path == "-":
        return path
    folder, name = os.path.split(path)
    whole = Path(os.path.abspath(path))
    # the root has no links in it, and a way to the file may
    for file in (whole, Path(os.path.realpath(folder), name)):
        if file.is_relative_to(project.root):
            return file.relative_to(project.root).as_posix()
    return path if os.path.isabs(path) else Path(os.path.relpath(whole, project.root)).as_posix()


def of_project(project: Project) -> list[Target]:
    """The networks of a project, sorted by file.

    Those of ``files`` and those that a table names; where there is no ``files``, those of every spec that has
    a ``budget:``, and of every spec at all where there are limits on all. A pattern is about networks of the
    zoo only where it fits none of the project's own.

    Raises:
        UsageError: a pattern matches nothing; with its place.
    """
    files: dict[Path, None] = {}
    for glob in project.files:
        files |= dict.fromkeys(_matching(project, glob.pattern, glob.span))
    zoo: dict[str, None] = {}
    lost: list[tuple[Table, UsageError]] = []
    tables = [table for table in project.tables if not _runs_code(table)]
    for table in tables:
        if _is_path(table.name):
            path = table.name.rpartition(":")[0] or table.name
            path = table.name if table.name.endswith(every_ending()) else path
            try:
                files |= dict.fromkeys(_matching(project, path, table.span))
            except UsageError as problem:
                lost.append((table, problem))
        elif table.name in names():
            zoo[table.name] = None
    if not project.files:
        files |= dict.fromkeys(_unlisted(project, zoo))
    found = [target for path in sorted(files) for target in _of_file(project, path)]
    found += [_module(project, table) for table in project.tables if _runs_code(table)]
    known = frozenset(alias for target in found for alias in target.aliases)
    for table, why in lost:
        if not _matches(table, known):  # by less than its path, or by a pattern that leaves folders out
            raise why
    for table in tables:
        if any(c in table.name for c in _WILD) and not _is_path(table.name) and not _matches(table, known):
            zoo |= dict.fromkeys(name for name in names() if fnmatchcase(name, table.name))
    return [*found, *(_zoo(name) for name in zoo if name not in known)]


def _unlisted(project: Project, zoo: Iterable[str]) -> list[Path]:
    """The specs of a project that lists no files: those that something is said of."""
    specs = {path: _aliases_in(project, path) for path in _specs(project.root)}
    tables = [table for table in project.tables if table.name not in zoo]
    known = [table for table in tables if any(_matches(table, names) for names in specs.values())]
    scopes = [t for t in tables if t not in known and not t.certain and not _is_path(t.name)]
    if project.defaults or scopes:
        return list(specs)
    return [
        path
        for path, names in specs.items()
        if _has_budget(path) or any(_matches(table, names) for table in known)
    ]


def _aliases_in(project: Project, path: Path) -> frozenset[str]:
    """What may name a network of a file, without the file being parsed."""
    file = _key(project, str(path))
    variants = scan(path.stem, _start(path))
    return _aliases(file, "").union(*(_aliases(file, variant) for variant in variants))


def _is_path(name: str) -> bool:
    bare = name.rpartition(":")[0] or name
    return "/" in name or name.endswith(every_ending()) or bare.endswith(every_ending())


def _matching(project: Project, pattern: str, span: Span | None) -> list[Path]:
    """The files that a pattern means.

    Raises:
        UsageError: there is none, or the pattern is none.
    """
    try:
        # pathlib has no pattern for the folder itself
        here = not Path(pattern).parts
        # what Python takes ** at the end for depends on its version
        whole = f"{pattern}/*" if pattern.endswith("**") else pattern
        found = [] if here else sorted(path for path in project.root.glob(whole) if path.is_file())
        if whole.endswith("*"):  # which says nothing of the kind of file
            found = [path for path in found if is_network(path)]
        written = Path(pattern).parts
        found = [path for path in found if not _lies_aside(path, project.root, written)]
    except (ValueError, NotImplementedError, OSError) as problem:
        raise usage(f"{shorten(pattern)} is not a pattern: {problem}", span=span) from None
    if not found:
        what, help = "matches no file", _instead(project, pattern)
        if not any(c in pattern for c in _WILD):
            what = "is not a file"
            if os.path.isdir(project.root / pattern):
                what, help = "is a folder", f"as in {(Path(pattern) / '*.yaml').as_posix()}"
        if "\\" in pattern:
            help = f"folders are separated by /: {shorten(pattern.replace(chr(92), '/'))}"
        raise usage(
            f"{shorten(pattern)} {what}",
            span=span,
            help=help or f"patterns start at {display(project.root)}/",
        )
    return found


def _lies_aside(path: Path, root: Path, written: Sequence[str]) -> bool:
    """Whether a file lies in a folder that holds no specs of the project, and that nobody wrote out."""
    folders = list(path.relative_to(root).parents)[:-1]
    return any(folder.name not in written and _is_aside(root / folder) for folder in folders)


def _is_aside(folder: Path) -> bool:
    name = folder.name
    return name.startswith(".") or name in _SKIPPED or os.path.exists(folder / "pyvenv.cfg")


def _instead(project: Project, pattern: str) -> str:
    specs = [path.relative_to(project.root).as_posix() for path in _specs(project.root)]
    return did_you_mean(pattern, specs)


def _of_file(project: Project, path: Path) -> list[Target]:
    """The networks of a file: its variants, or itself."""
    shown = display(path)
    other = other_file(shown)
    if other is not None:
        return _each(project, other)
    try:
        spec = open_spec(shown)
    except SpecError as problem:
        if isinstance(problem, BudgetError):
            raise
        return [_broken(project, shown, problem)]
    return [_target(project, shown, spec, variant) for variant in list(spec.variants) or [""]]


def _specs(root: Path) -> list[Path]:
    """Every file below a folder that looks like a spec, sorted."""
    found = []
    for count, (folder, folders, files) in enumerate(os.walk(root)):
        if count > _MAX_FOLDERS:
            break
        folders[:] = [name for name in sorted(folders) if not _is_aside(Path(folder, name))]
        found += [Path(folder, name) for name in files if name.endswith(ENDINGS)]
    return sorted(path for path in found if _has_keys(path, "input", "layers"))


def _has_keys(path: Path, *keys: str) -> bool:
    """Whether a file has lines that start with these keys, as a spec has."""
    text = _start(path)
    return all(text.startswith(f"{key}:") or f"\n{key}:" in text for key in keys)


def _has_budget(path: Path) -> bool:
    """Whether a file may have a ``budget:``, of its own or of a variant."""
    return "budget" in _start(path)


def _start(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(200_000)
    except OSError:
        return ""


# --- limits ----------------------------------------------------------------------------------------


class Limits:
    """The limits of a project, and which of its tables turned out to be about something."""

    def __init__(self, project: Project, targets: Sequence[Target], given: Sequence[Requirement]) -> None:
        self.given = tuple(given)
        #: Tables about networks; and limits on all, those on scopes included.
        self.tables: list[Table] = []
        self.defaults = list(project.defaults)
        #: The limits on scopes that stand under the name of the scope.
        self.scopes: dict[int, Table] = {}
        for table in project.tables:
            if table.certain or _is_path(table.name) or any(fits(table, target) for target in targets):
                self.tables.append(table)
            else:
                self.defaults += self.scoped(table)
        #: The defaults that a network had the scope of.
        self.used: set[int] = set()

    def scoped(self, table: Table) -> Iterator[Requirement]:
        """The limits of a table that names a scope, and no network."""
        for one in table.requirements:
            if one.scope:
                one = one._replace(scope=f"{table.name}.{one.scope}")
            else:
                one = one._replace(scope=table.name)
                if not QUANTITIES[one.quantity].scoped:
                    raise usage(
                        f"{shorten(table.name)} names no network, and a scope has no {one.quantity}",
                        span=table.span,
                        help=did_you_mean(table.name, names(), otherwise=""),
                    )
            self.scopes[id(one)] = table
            yield one

    def of(self, target: Target, network: Network) -> list[Requirement]:
        """The limits of a network.

        The defaults are for the files of the project and for the networks of the zoo that it names. A table
        about one variant counts more than one about its file, that more than a pattern, and all more than
        the defaults; of two patterns the later one counts. What the spec sets itself, or the command line,
        holds beside what the tables say, and in place of the defaults.

        Raises:
            UsageError: a percentage of a whole is asked of the whole; or two tables set the same limit.
        """
        chosen: dict[tuple[str, str], Requirement] = {}
        own = (*network.meta.requirements, *self.given)
        for one in self.defaults if target.file or any(fits(t, target) for t in self.tables) else ():
            if not one.scope or _has_scope(network, one.scope):
                self.used.add(id(one))
                chosen[one.scope, one.quantity] = one
        for one in own:
            chosen.pop((one.scope, one.quantity), None)
        ranks: dict[tuple[str, str], int] = {}
        for table in sorted(self.tables, key=lambda table: _rank(table, target)):
            if not fits(table, target):
                continue
            rank = _rank(table, target)
            for one in table.requirements:
                key = one.scope, one.quantity
                if rank and ranks.get(key) == rank:  # such as a.yaml and models/a.yaml
                    raise limited_twice(one, chosen[key], target.name)
                chosen[key], ranks[key] = one, rank
        found = [*chosen.values(), *own]
        for one in found:
            if one.limit.percent and not one.scope:
                raise usage(
                    f"{one.quantity}: '{one.limit.text}' is a share of the whole, and this is the whole",
                    span=one.span,
                    help="percentages are for scopes",
                )
        return found

    def check_used(
        self, targets: Sequence[Target], networks: Iterable[Network], *, complete: bool = True
    ) -> None:
        """Refuse a table or a limit that is about nothing, where all networks have been looked at.

        Args:
            targets: the networks of the project.
            networks: those of them that could be laid out.
            complete: whether that are all; if not, nobody knows which scopes the others have.

        Raises:
            UsageError: the first of them; with its place.
        """
        for table in self.tables:
            broken_family = any(t.spec is None and table.name.startswith(f"{t.name}:") for t in targets)
            if not broken_family and not any(fits(table, target) for target in targets):
                raise self.unknown(table, [target.name for target in targets])
        scopes = [scope for network in networks for scope in _scopes(network)]
        for one in self.defaults if complete else ():
            if one.scope and id(one) not in self.used:
                if id(one) in self.scopes:
                    known = [*(target.name for target in targets), *BUDGET_KEYS, *scopes]
                    raise self.unknown(self.scopes[id(one)], known)
                help = did_you_mean(one.scope, scopes)
                raise usage(f"no network has a scope {shorten(one.scope)}", span=one.span, help=help)

    def unknown(self, table: Table, known: Iterable[str] = ()) -> UsageError:
        """What to say of a table that names nothing."""
        scope = "" if table.certain else " and no scope"
        help = did_you_mean(table.name, [*known, *names()], otherwise="a network of the zoo, or a path")
        return usage(f"{shorten(table.name)} names no network{scope}", span=table.span, help=help)


def _rank(table: Table, target: Target) -> int:
    """How much a table counts for a network: as a pattern, by its file or name, or by its variant."""
    if any(c in table.name for c in _WILD):
        return 0
    variant = target.variant
    return 1 + bool(variant and (table.name == variant or table.name.endswith(f":{variant}")))


def fits(table: Table, target: Target) -> bool:
    """Whether a table is about a network."""
    return _matches(table, target.aliases)


def _matches(table: Table, names: Iterable[str]) -> bool:
    """Whether a table has one of these names, or fits one as a pattern."""
    if not any(c in table.name for c in _WILD):
        return table.name in names
    return any(fnmatchcase(name, table.name) for name in names)


def _has_scope(network: Network, scope: str) -> bool:
    return any(layer.within(scope) for layer in network.layers)


def _scopes(network: Network) -> dict[str, None]:
    return {layer.name.partition(".")[0]: None for layer in network.layers}
