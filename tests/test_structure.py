"""The rooms of the house keep their directions; each rule is shown to be able to fail."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, settings

import archlens

ROOT = Path(archlens.__file__).parent

#: What each room may import, beside what lies in itself. Imports inside functions count too.
MAY: dict[str, set[str]] = {
    "arrangement": set(),
    "counts": set(),
    "showing": set(),
    "shape": set(),
    "formulas": set(),
    "notation": {"formulas"},
    "columns": {"formulas"},
    "geometry": {"formulas"},
    "garbage": set(),
    "grouping": set(),
    "records": set(),
    "wrapping": set(),
    "errors": {"records", "wrapping"},
    "bounds": {"errors"},
    "limits": {"counts", "errors"},
    "published": {"errors"},
    "ops": {"counts", "formulas", "geometry", "records", "shape"},
    # of the analyses, the quantities that a budget can say
    "language": {"analysis", "errors", "limits", "network", "ops", "published", "records", "shape"},
    "network": {"counts", "errors", "geometry", "limits", "showing", "ops", "published", "records", "shape"},
    "analysis": {
        *(
            "arrangement",
            "bounds",
            "counts",
            "errors",
            "formulas",
            "geometry",
            "grouping",
            "limits",
            "network",
            "ops",
        ),
        "published",
        "shape",
    },
    # what boards have, for which limits know the units
    "boards": {"counts", "errors", "limits"},
    "library": {"errors", "language", "records"},
    "elaboration": {
        "analysis",
        "bounds",
        "errors",
        "formulas",
        "language",
        "network",
        "ops",
        "records",
        "shape",
    },
    "budgets": {
        "counts",
        "analysis",
        "dialects",
        "elaboration",
        "errors",
        "language",
        "library",
        "limits",
        "network",
    },
    # rules read specs, too
    "lint": {
        "analysis",
        "elaboration",
        "errors",
        "geometry",
        "grouping",
        "language",
        "library",
        "network",
        "ops",
        "shape",
    },
    # figures of many configurations at once
    "searching": {
        *("analysis", "bounds", "columns", "dialects", "elaboration", "errors", "formulas", "library"),
        *("counts", "limits", "network", "ops", "shape"),
    },
    "source": {"analysis", "errors", "grouping", "network", "ops", "shape"},
    # a network as the text of a spec, which is read again
    "writing": {"analysis", "bounds", "elaboration", "errors", "grouping", "language", "network", "ops"},
    "backends": {"analysis", "counts", "errors", "geometry", "grouping", "network", "ops", "shape"},
    # how any table is written, whatever it shows
    "forms": {"counts", "errors", "records", "wrapping"},
    "views": {
        *(
            "analysis",
            "backends",
            "boards",
            "budgets",
            "counts",
            "errors",
            "forms",
            "formulas",
            "geometry",
            "language",
        ),
        *("grouping", "limits", "lint", "lowering", "network", "notation", "ops", "published", "searching"),
        *("shape", "wrapping"),
    },  # of backends, budgets, lint, lowering and searching, the records
    # of the views, how numbers are said; of the forms, what TeX takes for text
    "drawing": {"analysis", "errors", "forms", "geometry", "grouping", "network", "ops", "shape", "views"},
    "reporting": {
        *("analysis", "counts", "drawing", "errors", "explorer", "forms", "language", "library", "lint"),
        *("network", "published", "shape", "studying", "views"),
    },
    # networks on a page that one can touch: figures of comparisons, a table of them, pictures, derivations
    "explorer": {
        *("analysis", "counts", "drawing", "errors", "forms", "grouping", "network", "ops", "published"),
        *("shape", "views"),
    },
    # archlens behind an editor: what it says of a spec that is being written
    "editor": {
        *("analysis", "bounds", "elaboration", "errors", "garbage", "language", "library", "lint"),
        *("network", "ops", "schema", "views"),
    },
    # the same in a page, and the folder with all of it
    "playground": {
        *("analysis", "budgets", "drawing", "editor", "errors", "explorer", "forms", "language"),
        *("library", "lint", "network", "ops", "schema", "views"),
    },
    # a network within somebody else's page, where Sphinx lays tables out and chooses formats of pictures
    # itself, and within somebody else's tests
    "integrations": {
        *("", "analysis", "budgets", "drawing", "elaboration", "errors", "explorer", "forms", "language"),
        *("library", "limits", "network", "testing", "views"),
    },
    # operators become networks, by way of the builder alone
    "lowering": {"arrangement", "bounds", "elaboration", "errors", "grouping", "network", "ops", "shape"},
    "tracing": {
        "arrangement",
        "backends",
        "bounds",
        "elaboration",
        "errors",
        "lowering",
        "network",
        "records",
        "shape",
    },
    # what a NAME can mean, and how files of other tools are read
    "dialects": {
        *("backends", "bounds", "counts", "elaboration", "errors", "garbage", "geometry", "language"),
        *("library", "lowering", "network", "ops", "published", "records", "shape", "tracing"),
    },
    "cli": {
        *(
            "",
            "analysis",
            "backends",
            "boards",
            "bounds",
            "budgets",
            "counts",
            "dialects",
            "drawing",
            "elaboration",
        ),
        *("editor", "errors", "explorer", "playground"),
        *(
            "forms",
            "garbage",
            "language",
            "library",
            "lint",
            "network",
            "ops",
            "outputs",
            "reporting",
            "schema",
            "searching",
            "shape",
        ),
        *("source", "studying", "tracing", "views", "wrapping", "writing"),
    },
    "outputs": {"schema"},
    "schema": {"analysis", "budgets", "counts", "language", "limits", "ops", "published"},
    # doors for tests of one's own: each does what a command does
    "testing": {
        *("analysis", "backends", "budgets", "elaboration", "errors", "forms", "language", "library"),
        *("limits", "network", "studying", "tracing", "views"),
    },
    # the Python door to all analyses, and to the linter
    "studying": {
        *("analysis", "dialects", "elaboration", "errors", "language", "library", "lint", "network"),
        "tracing",
    },
    "__init__": {
        *("analysis", "backends", "bounds", "dialects", "elaboration", "errors", "forms", "integrations"),
        *("language", "library", "network", "searching", "showing", "shape", "studying", "tracing", "views"),
        "writing",
    },
    "__main__": {"cli"},
}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path, text: str | None = None) -> set[str]:
    """The rooms that a file imports, wherever in the file."""
    found = set()
    for name in named(path, text):
        first, _, rest = name.partition(".")
        room = rest.partition(".")[0]
        if first == "archlens":
            found.add(room if (ROOT / room).is_dir() or (ROOT / f"{room}.py").is_file() else "")
    return found


def named(path: Path, text: str | None = None) -> Iterator[str]:
    """What a file imports, wherever in it and for whatever: as ``archlens.errors.usage`` a function, too."""
    package = ["archlens", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8") if text is None else text)):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            # `from . import a, b` names modules; `from .a import b` names what is in one
            module = [*base, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*module, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def violations(path: Path, text: str | None = None) -> set[str]:
    room = room_of(path)
    return imports(path, text) - MAY[room] - {room}


FILES = [path for path in ROOT.rglob("*.py") if "specs" not in path.parts]


def test_every_room_is_known() -> None:
    assert {room_of(path) for path in FILES} == set(MAY)


def test_directions() -> None:
    found = {str(path.relative_to(ROOT)): violations(path) for path in FILES}
    assert {path: rooms for path, rooms in found.items() if rooms} == {}


def imported(path: Path, files: dict[str, Path]) -> set[str]:
    """The files that a file imports, wherever in it and for whatever: also lazily, and for types alone."""
    found = {name if name in files else name.rpartition(".")[0] for name in named(path)}
    return found & set(files) - {module_of(path)}


def module_of(path: Path) -> str:
    return ".".join(["archlens", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")


def circles(graph: dict[str, set[str]]) -> set[str]:
    """What lies on a circle or between two: all that is left where no end can be taken away any more."""
    left = {name: set(ends) for name, ends in graph.items()}
    while ends := {name for name, next_ in left.items() if not next_ & set(left)}:
        left = {name: next_ for name, next_ in left.items() if name not in ends}
    return set(left)


def test_no_files_import_each_other() -> None:
    files = {module_of(path): path for path in FILES}
    graph = {name: imported(path, files) for name, path in files.items()}
    assert circles(graph) == set()
    back = graph | {"archlens.network": graph["archlens.network"] | {"archlens.views.shapes_table"}}
    assert {"archlens.network", "archlens.views.shapes_table"} <= circles(back)  # it would be seen


def test_no_name_of_a_file_stands_in_three_folders() -> None:
    found = Counter(path.name for path in FILES)
    assert [name for name, count in found.items() if count > 2 and name != "__init__.py"] == []


def test_networkx_is_imported_in_one_place() -> None:
    """DESIGN: what needs graph algorithms asks the network for its graph."""
    found = {
        str(path.relative_to(ROOT))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(
            "networkx" in name
            for name in [getattr(node, "module", ""), *(a.name for a in node.names)]
            if name
        )
    }
    assert found == {"network.py"}


def test_a_wrong_direction_would_be_seen() -> None:
    assert violations(ROOT / "ops" / "linear.py", "from ..network import Network") == {"network"}
    assert violations(ROOT / "analysis" / "unseen.py", "def f():\n    from ..views import shapes") == {
        "views"
    }
    assert violations(ROOT / "language" / "steps.py", "import archlens.cli.output") == {"cli"}


def test_nothing_evaluates_code() -> None:
    """No ``eval``, ``exec`` or unsafe YAML anywhere; ``ast`` is only ever parsed."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), path
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("unsafe_load", "full_load", "literal_eval"), path


def test_no_property_depends_on_the_clock() -> None:
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
