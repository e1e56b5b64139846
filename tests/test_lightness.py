"""Nothing heavy is imported by what needs no torch; and a second test shows that the first can fail."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch", "torchvision", "fvcore", "networkx", "graphviz", "pygraphviz", "numpy", "jinja2", "rich",
    "reportlab", "resvg_py", "PIL",
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
    "source": "run('source', 'lenet5_1998')",
    "check": "run('check', 'lenet5', '--params', '<= 62k', '--memory', '<= 1MB', '--min-size', '<= 32')",
    "check broken": "run('check', 'lenet5', '--params', '<= 60k', '--format', 'junit')",
    "diff": "run('diff', 'resnet18', 'resnet34')",
    "schema": "run('schema')",
    "testing": "from archlens.testing import assert_budget; assert_budget('lenet5', params='<= 62k')",
    "cost": "run('cost', 'lenet5', '--count-as', 'all')",
    "diagram dot": "import tempfile; run('diagram', 'resnet50', '-o', tempfile.mkdtemp() + '/x.dot')",
    "diagram volumes": (
        "import tempfile; run('diagram', 'vgg16', '--style', 'volumes', '-o', tempfile.mkdtemp() + '/x.svg')"
    ),
}

RUN = """
import sys
def run(*args):
    from archlens.cli import main
    sys.argv = ["archlens", *args]
    try:
        main()
    except SystemExit:
        pass
{code}
found = [name for name in {heavy} if name in sys.modules]
sys.stderr.write("heavy:" + ",".join(found))
"""


def imported(code: str) -> list[str]:
    """Which heavy packages are loaded after some code has run in a fresh process."""
    result = subprocess.run(
        [sys.executable, "-c", RUN.format(code=code, heavy=HEAVY)], capture_output=True, text=True, check=True
    )
    return [name for name in result.stderr.rpartition("heavy:")[2].split(",") if name]


@pytest.mark.parametrize("case", CASES)
def test_nothing_heavy_is_imported(case: str) -> None:
    assert imported(CASES[case]) == []


def test_a_graph_needs_its_layout_and_nothing_else() -> None:
    code = "import tempfile; run('diagram', 'resnet50', '-o', tempfile.mkdtemp() + '/x.svg')"
    assert imported(code) == ["pygraphviz"]


def test_a_heavy_import_would_be_seen() -> None:
    assert imported("import archlens, numpy") == ["numpy"]
    assert "torch" in imported("import archlens, torch")
