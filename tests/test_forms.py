"""Every form of every table: each says all that there is, and none lets a text out of its cell."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from archlens.cli import cli
from archlens.errors import Diagnostic
from archlens.forms import forms
from archlens.forms.table import Annotation, Case, Cell, Column, Command, Link, SpanningRow, Table

HOSTILE = r"""a|b & c_d % {x} \input{/etc/passwd} $y$ #1 ~^ <script> "q" 'r' `s` -- 深 é … =1"""

TABLE = Table(
    columns=(
        Column("name", least=12),
        Column("bytes", right=True, unit="B"),
        Column("shown only", key=""),
        Column("", key="data_only", shown=False),
    ),
    rows=[
        SpanningRow(Link(HOSTILE, "https://a.org/b_(c)")),
        [HOSTILE, Cell("1,234", 1234), "yes", Cell("", None)],
        [Link("there", "https://a.org"), Cell("9", 9, strong=True), "no", "d"],
    ],
    totals=("total", "1,243", "", ""),
    headline=HOSTILE,
    then="after",
    summary=["It came out, as ", Command("a `command`"), " says."],
    lead=[("lead", HOSTILE), ("", "of nothing")],
    remarks=[["first", f"  {HOSTILE}"], ["wrong:", Diagnostic(HOSTILE)]],
    more=[Table([Column("second")], [["further"]])],
    notes=[HOSTILE, "A second note."],
    suites=[("suite", [Case("held"), Case("broken", "failure", HOSTILE, HOSTILE)])],
    annotations=[Annotation("error", HOSTILE, None, HOSTILE)],
)

#: Every command that prints a table, with arguments; and those among them in which something can fail.
COMMANDS = {
    "audit": [str(Path(__file__).with_name("data") / "timm_table.csv"), "--only", "resnet*"],
    "shapes": ["lenet5"],
    "cost": ["lenet5"],
    "memory": ["lenet5"],
    "sizes": ["lenet5", "--upto", "40"],
    "compare": ["lenet5", "--no-smallest"],
    "list": ["lenet"],
    "rules": ["AL1"],
    "ops": [],
    "claims": ["vgg16"],
    "check": ["lenet5", "--params", "<= 3"],
    "diff": ["lenet5", "lenet5_1998"],
    "lint": ["vgg16"],
    "verify": ["lenet5", "--device", "meta"],
    "trace": ["torch.nn:ReLU", "--input", "3x8x8", "--coverage"],
    "board": ["lenet5", "--target", "stm32f746"],
    "roofline": ["lenet5", "--target", "a100"],
    "search": ["lenet5", "--vary", "input=28..40:4"],
    "fit": ["lenet5", "--vary", "input=28..40:4", "--where", "params <= 70K"],
}
CAN_FAIL = ("audit", "claims", "check", "diff", "lint", "verify")


def choices(name: str) -> list[str]:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    (option,) = (param for param in command.params if "--format" in param.opts)
    assert isinstance(option.type, click.Choice)
    return list(option.type.choices)


def test_every_command_that_prints_a_table_has_every_form() -> None:
    tables = {form.name for form in forms().values() if not form.checks}
    assert tables >= {"table", "markdown", "csv", "json", "html", "latex"}
    for name in COMMANDS:
        expected = set(forms()) if name in CAN_FAIL else tables
        assert set(choices(name)) == expected - {"table"} | {"text" if name == "lint" else "table"}, name
    # no other command has forms of its own
    others = set(cli.list_commands(click.Context(cli))) - COMMANDS.keys()
    commands = {name: cli.get_command(click.Context(cli), name) for name in others}
    found = {name for name, one in commands.items() if one and any("--format" in p.opts for p in one.params)}
    assert found == {"report"}  # of pages, which are more than a table


@pytest.mark.parametrize("name", COMMANDS)
def test_each_form_can_be_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    for form in choices(name):
        result = CliRunner().invoke(cli, [name, *COMMANDS[name], "--format", form])
        assert result.exit_code in (0, 1), (form, result.output)
        assert result.exception is None or isinstance(result.exception, SystemExit), form
        readable(form, result.stdout)


def readable(form: str, text: str) -> Any:
    """What a reader of the form makes of a text."""
    match form:
        case "csv":
            for part in text.strip().split("\n\n"):
                assert len({len(row) for row in csv.reader(io.StringIO(part))}) == 1
        case "json":
            json.loads(text)
        case "junit":
            ElementTree.fromstring(text.encode())
        case "html":
            ElementTree.fromstring(f"<div>{text.replace('<br>', '<br/>')}</div>")
        case "markdown":
            assert "<table>" in MarkdownIt("commonmark").enable("table").render(text)
        case "latex":
            assert text.count(r"\begin{longtable}") == text.count(r"\end{longtable}") > 0
        case "github":
            assert all(line.startswith("::") or not line.startswith("%") for line in text.split("\n"))


@pytest.mark.parametrize("name", forms())
def test_no_text_leaves_its_cell(name: str) -> None:
    text = forms()[name].write(TABLE)
    readable(name, text)
    if name == "html":
        assert "<script" not in text
        assert text.isascii()  # whatever encoding its page has
    if name == "markdown":
        page = MarkdownIt("commonmark").enable("table").render(text)
        assert "<script" not in page
        assert page.count("<td") == 4 * 3 + 1  # the line, two rows and totals; and what is beneath them
    if name == "csv":
        first, second = text.split("\n\n")
        assert list(csv.reader(io.StringIO(first)))[1:] == [[HOSTILE, "1234", ""], ["there", "9", "d"]]
        assert second == "second\nfurther"
    if name == "json":
        data = json.loads(text)
        assert data["schema"] == "archlens.table/1"
        assert data["rows"][0] == {"name": HOSTILE, "bytes": 1234, "data_only": None}
        assert [column["unit"] for column in data["columns"]] == [None, "B", None]
        assert data["more"][0]["rows"] == [{"second": "further"}]
    if name not in ("csv", "json", "junit", "github"):
        for said in ("total", "1,243", "A second note.", "further", "of nothing", "after"):
            assert said in text.replace(r"\allowbreak{}", "")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no TeX here")
def test_tex_compiles_it(tmp_path: Path) -> None:
    """A hostile table as a part of a document: all is text, and no file is read."""
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{array,booktabs,longtable}"
    document = f"{head}\\begin{{document}}\n{forms()['latex'].write(TABLE)}\n\\end{{document}}\n"
    (tmp_path / "a.tex").write_text(document, "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert result.returncode == 0, result.stdout[-2000:]
    assert "passwd" not in result.stdout
    if shutil.which("pdftotext"):
        command = ["pdftotext", "-layout", "a.pdf", "-"]
        text = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert r"\input{/etc/passwd}" in re.sub(r"\s", "", text)


def test_a_form_is_one_file(tmp_path: Path) -> None:
    """Every command has a form that is put beside the others, and nothing else is touched."""
    (tmp_path / "shouted.py").write_text(
        "from archlens.forms.table import Form\n"
        "FORM = Form('shouted', 'txt', lambda table: table.headline.upper(), rank=99)\n"
    )
    code = (
        f"import archlens.forms; archlens.forms.__path__.append({str(tmp_path)!r}); import sys\n"
        "sys.argv = ['archlens', 'shapes', 'lenet5', '--format', 'shouted']\n"
        "from archlens.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.startswith("LENET-5: INPUT 1X32X32"), result.stderr
