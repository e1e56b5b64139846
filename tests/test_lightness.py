"""Nothing heavy is imported by what needs no torch; and a second test shows that the first can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import archlens

HEAVY = (
    "torch", "torchvision", "fvcore", "networkx", "graphviz", "pygraphviz", "numpy", "jinja2", "rich",
    "reportlab", "resvg_py", "PIL", "sphinx", "docutils", "mkdocs", "markdown",
    "pygls", "lsprotocol",
)  # fmt: skip

CASES = {
    "import": "import archlens",
    "load": "import archlens; print(archlens.load('resnet50'))",
    "help": "run('--help')",
    "version": "run('--version')",
    "list": "run('list')",
    "shapes": "run('shapes', 'lenet5')",
    "shapes json": "run('shapes', 'googlenet', '--format', 'json')",
    "shapes failing": "run('shapes', 'lenet5', '--input', '1x8x8')",
    "explain": "run('explain', 'lenet5', 'C3')",
    "memory": "run('memory', 'lenet5')",
    "show": "run('show', 'lenet5')",
    "lint": "run('lint', 'vgg16')",
    "rules": "run('rules', 'AL302')",
    "ops": "run('ops'); run('ops', 'conv'); run('ops', '--format', 'json')",
    "source": "run('source', 'lenet5_1998')",
    "convert": "run('convert', 'lenet5_1998')",
    "check": "run('check', 'lenet5', '--params', '<= 62k', '--memory', '<= 1MB', '--min-size', '<= 32')",
    "check broken": "run('check', 'lenet5', '--params', '<= 60k', '--format', 'junit')",
    "diff": "run('diff', 'resnet18', 'resnet34')",
    "schema": "run('schema')",
    "testing": "from archlens.testing import assert_budget; assert_budget('lenet5', params='<= 62k')",
    "cost": "run('cost', 'lenet5', '--count-as', 'all')",
    "compare": "run('compare', 'resnet50', 'vgg16', 'unet')",
    "compare chart": (
        "import tempfile; run('compare', 'resnet50', 'vgg16', '-o', tempfile.mkdtemp() + '/x.svg')"
    ),
    "explore": "import tempfile; run('explore', 'lenet5', '-o', tempfile.mkdtemp() + '/x.html')",
    "diagram dot": (
        "import tempfile; run('diagram', 'resnet50', '--depth', '2', '-o', tempfile.mkdtemp() + '/x.dot')"
    ),
    "diagram volumes": (
        "import tempfile; run('diagram', 'vgg16', '--style', 'volumes', '-o', tempfile.mkdtemp() + '/x.svg')"
    ),
}

RUN = """
import os, sys
import {ready}
def run(*args):
    from archlens.cli import main
    sys.argv = ["archlens", *args]
    try:
        main()
    except SystemExit:
        pass
for code in {codes!r}:
    if not (child := os.fork()):
        exec(code)
        found = [name for name in {heavy} if name in sys.modules]
        sys.stderr.write("\\nheavy:" + ",".join(found) + "\\n")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(1)
"""


def imported(*codes: str, ready: str = "archlens.cli") -> list[list[str]]:
    """Which heavy packages are loaded after some code has run: each in a copy of a fresh process.

    Args:
        codes: what is run.
        ready: the module that has been imported there, and no other.
    """
    result = subprocess.run(
        [sys.executable, "-c", RUN.format(codes=codes, heavy=HEAVY, ready=ready)],
        capture_output=True,
        text=True,
        check=True,
    )
    said = re.findall(r"^heavy:(.*)$", result.stderr, re.M)
    assert len(said) == len(codes)
    return [names.split(",") if names else [] for names in said]


@pytest.mark.slow
def test_nothing_heavy_is_imported() -> None:
    found = dict(zip(CASES, imported(*CASES.values()), strict=True))
    assert found == {case: [] for case in CASES}


def test_a_graph_needs_nothing_else() -> None:
    codes = [
        f"import tempfile; run('diagram', 'resnet50', '-o', tempfile.mkdtemp() + '/x.{extension}')"
        for extension in ("svg", "dot")
    ]
    assert imported(*codes) == [[], []]


def test_a_notebook_needs_nothing_else() -> None:
    assert imported("import archlens; archlens.load('resnet50')._repr_html_()") == [[]]


def test_a_table_of_layers_imports_what_it_shows_and_no_more() -> None:
    """Imports are most of what a small command costs, so what it loads is held, and not what a clock says."""
    code = "run('shapes', 'lenet5'); sys.stderr.write('loaded:' + ' '.join(sys.modules))"
    run = RUN.partition("for code in")[0].format(ready="archlens.cli")
    result = subprocess.run([sys.executable, "-c", run + code], capture_output=True, text=True, check=True)
    loaded = {*result.stderr.partition("loaded:")[2].split()}
    network = archlens.load("lenet5")
    families = {type(layer.op).__module__ for layer in network}
    assert {name for name in loaded if name.startswith("archlens.ops.")} - families == {
        f"archlens.ops.{name}"
        for name in (
            "attributes",
            "axes",
            "custom",
            "experts",
            "footprint",
            "listed",
            "op",
            "opaque",
            "table",
        )
    } | {"archlens.ops.windows"}
    assert families <= loaded
    analyses = ("batches", "layouts", "refitting", "study", "unseen")
    assert {name for name in loaded if name.startswith("archlens.analysis.")} == {
        f"archlens.analysis.{name}" for name in analyses
    }
    for room in ("backends", "budgets", "dialects.", "drawing", "lint", "lowering", "tracing", "writing"):
        assert not [name for name in loaded if name.startswith(f"archlens.{room}")], room
    # what archlens would bring along of Python's own, beyond what click and yaml do
    assert not loaded & {"decimal", "fractions", "html", "json", "pathlib", "traceback", "urllib.parse"}


def test_help_imports_no_command() -> None:
    code = "run('--help'); sys.stderr.write('loaded:' + ' '.join(sys.modules))"
    run = RUN.partition("for code in")[0].format(ready="archlens.cli")
    result = subprocess.run([sys.executable, "-c", run + code], capture_output=True, text=True, check=True)
    assert "Print every layer: output shape" in result.stdout
    assert "archlens.cli.commands." not in result.stderr
    assert "archlens.analysis" not in result.stderr


@pytest.mark.slow
def test_a_heavy_import_would_be_seen() -> None:
    assert imported("pass", "import numpy", "pass") == [[], ["numpy"], []]


def test_a_plugin_that_nobody_asks_brings_nothing() -> None:
    """Pytest imports the plugin wherever archlens is installed: then it has to be next to nothing."""
    plugin = "archlens.integrations.pytest_plugin"
    code = f"import {plugin}, sys; print(*(m for m in sys.modules if m.startswith('archlens')))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(result.stdout.split()) == {"archlens", "archlens.integrations", "archlens.showing", plugin}


def test_the_public_names_are_there_when_they_are_asked_for() -> None:
    code = (
        "import archlens\n"
        "assert set(archlens.__all__) <= set(dir(archlens))\n"
        "for name in archlens.__all__: getattr(archlens, name)\n"
        "from archlens import *\n"
        "assert archlens.library.find('lenet5').spec.name == 'lenet5'\n"
        "assert isinstance(load('lenet5'), Network)\n"
        "try: archlens.lod\n"
        "except AttributeError as problem: print(problem)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "module 'archlens' has no attribute 'lod'\n"


ROOT = Path(__file__).parents[1]

#: What the documentation names in Python: `archlens.analysis.cost.cost(network)`.
NAMED = sorted(
    {
        name
        for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
        for name in re.findall(r"`(archlens(?:\.[a-z_]+)+)[`(]", page.read_text("utf-8"))
    }
    - {"archlens.lock"}  # a file
)


def test_the_documentation_names_something() -> None:
    assert {"archlens.analysis", "archlens.analysis.cost.cost", "archlens.testing"} <= {*NAMED}


def test_what_the_documentation_names_needs_no_other_import() -> None:
    assert imported(*NAMED, ready="archlens") == [[]] * len(NAMED)


def test_what_is_not_there_is_an_attribute_error() -> None:
    code = (
        "for owner in (archlens, archlens.analysis):\n"
        "    assert not hasattr(owner, 'nothing')\n"
        "    try: owner.nothing\n"
        "    except AttributeError as problem: assert owner.__name__ in str(problem)"
    )
    assert imported(code, ready="archlens") == [[]]
