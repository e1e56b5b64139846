"""The rooms of the house keep their directions; each rule is shown to be able to fail."""

from __future__ import annotations

import ast
from pathlib import Path

from hypothesis import HealthCheck, settings

import archlens

ROOT = Path(archlens.__file__).parent

#: What each room may import, beside what lies in itself. Imports inside functions count too.
MAY: dict[str, set[str]] = {
    "shape": set(),
    "geometry": set(),
    "wrapping": set(),
    "errors": {"network", "wrapping"},  # of the network, for the type of SpecError.network alone
    "limits": {"errors"},
    "published": {"errors"},
    # what a budget can say, which a spec is read by; what measures it is looked up when it is measured
    "quantities": {"analysis", "limits", "network", "shape"},
    "ops": {"geometry", "shape"},
    "spec": {"errors", "limits", "ops", "published", "quantities", "shape"},
    # views and embedding, inside functions: how it shows itself, in a terminal and in a notebook
    "network": {"embedding", "errors", "ops", "shape", "spec", "views"},
    "elaboration": {"errors", "network", "ops", "shape", "spec"},
    "analysis": {"errors", "geometry", "network", "ops", "published", "shape"},
    "budgets": {"analysis", "elaboration", "errors", "limits", "network", "quantities", "spec"},
    "lint": {"analysis", "errors", "geometry", "network", "ops", "shape", "spec"},  # rules read specs, too
    "views": {
        "analysis",
        "backends",
        "budgets",
        "errors",
        "geometry",
        "limits",
        "lint",
        "network",
        "ops",
        "published",
        "quantities",
        "shape",
        "wrapping",
    },  # of backends, budgets and lint, the records
    # of the views, how numbers are said
    "drawing": {"analysis", "errors", "network", "ops", "shape", "views"},
    "reporting": {
        *("analysis", "drawing", "errors", "lint", "network", "published", "quantities", "shape", "spec"),
        *("views",),
    },
    # a network within a page: what a page asks for, then what the commands shapes and diagram do; and the
    # doors of the tools that make pages: Sphinx lays tables out and chooses formats of pictures itself
    "embedding": {"drawing", "elaboration", "errors", "network", "spec", "views"},
    "sphinx": {"", "drawing", "embedding", "errors", "network", "views"},
    "markdown": {"embedding", "errors"},
    "mkdocs": {"drawing", "embedding", "errors", "markdown"},
    "backends": {"analysis", "errors", "geometry", "network", "ops", "shape"},
    "cli": {
        *("", "analysis", "backends", "budgets", "drawing", "elaboration", "errors", "lint", "network"),
        *("quantities", "reporting", "schema", "shape", "spec", "views", "wrapping"),
    },
    "schema": {"budgets", "limits", "ops", "published", "quantities", "spec"},
    # doors for tests of one's own: each does what a command does
    "testing": {
        *("backends", "budgets", "elaboration", "errors", "limits", "network", "quantities", "shape"),
        *("spec", "views"),
    },
    "pytest_plugin": {"", "budgets", "errors", "limits", "network", "testing", "views"},
    "__init__": {"analysis", "backends", "elaboration", "errors", "network", "shape", "spec"},
    "__main__": {"cli"},
}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path, text: str | None = None) -> set[str]:
    """The rooms that a file imports, wherever in the file."""
    package = ["archlens", *path.relative_to(ROOT).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8") if text is None else text)):
        names = []
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            # `from . import a, b` names modules; `from .a import b` names what is in one
            names = [[*module, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        for parts in names:
            if parts[0] == "archlens":
                rest = parts[1] if len(parts) > 1 else ""
                exists = (ROOT / rest).is_dir() or (ROOT / f"{rest}.py").is_file()
                found.add(rest if exists else "")
    return found


def violations(path: Path, text: str | None = None) -> set[str]:
    room = room_of(path)
    return imports(path, text) - MAY[room] - {room}


FILES = [path for path in ROOT.rglob("*.py") if "specs" not in path.parts]


def test_every_room_is_known() -> None:
    assert {room_of(path) for path in FILES} == set(MAY)


def test_directions() -> None:
    found = {str(path.relative_to(ROOT)): violations(path) for path in FILES}
    assert {path: rooms for path, rooms in found.items() if rooms} == {}


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
    assert violations(ROOT / "analysis" / "unseen.py", "def f():\n    from ..views import table") == {"views"}
    assert violations(ROOT / "spec" / "steps.py", "import archlens.cli.output") == {"cli"}


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
