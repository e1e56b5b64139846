"""Budgets: what limits mean, where they are read, how they come out, and how that is shown.

The expected figures of networks are torchvision's (``ResNet50_Weights.IMAGENET1K_V1.meta``: 25,557,032
params, 4.089 GMACs), those that the papers print, or are worked out beside the small spec that they are of.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import sys
import tomllib
import unittest.mock
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import archlens
from archlens.analysis import depth, memory, structure
from archlens.analysis.figures import QUANTITIES
from archlens.analysis.study import Study
from archlens.budgets import lock, toml
from archlens.cli import cli, main
from archlens.errors import Source
from archlens.library import finding as library

from .running import run

SAMPLE = Path(__file__).parent / "sample"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, which no other project lies around."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sample(folder: Path) -> Path:
    shutil.copytree(SAMPLE, folder, dirs_exist_ok=True)
    return folder


def check(*args: str) -> Result:
    return CliRunner().invoke(cli, ["check", *args], catch_exceptions=True)


def failing(*args: str) -> str:
    """The message of a command that is wrong; its exit code is 2, and it prints nothing."""
    out, err = io.StringIO(), io.StringIO()
    with (
        unittest.mock.patch.object(sys, "argv", ["archlens", "check", *args]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    assert (ended.value.code, out.getvalue()) == (2, ""), err.getvalue()
    return err.getvalue()


#: 8*1*9 + 8 = 80 params and 6*6*8*9 = 2,592 MACs; then 8*6*6*4 + 4 = 1,156 params and 1,152 MACs.
SMALL = """\
input: 1x8x8
layers:
  - features:
      - conv: conv(8, 3)
      - relu
  - flatten
  - classifier: linear(4)
"""


def write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


# --- quantities ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "layers"),
    [  # the numbers in their names, or those that the papers print
        ("resnet18", 18), ("resnet34", 34), ("resnet50", 50), ("resnet101", 101), ("resnet152", 152),
        ("vgg11", 11), ("vgg16", 16), ("vgg19_bn", 19), ("googlenet", 22), ("alexnet", 8),
        ("mobilenet_v1", 28),
    ],
)  # fmt: skip
def test_depth_is_what_papers_count(name: str, layers: int) -> None:
    assert depth.find(archlens.load(name)) == layers


#: ``1`` begins ``10`` and ``1b``. A convolution of 3 over 8x8 leaves 6x6, then 4x4, where that of 1 runs.
TEN = """\
input: 1x8x8
layers:
  - layer1: [conv: "conv(2, 3)"]
  - layer10: [conv: "conv(4, 3)"]
  - layer1b: conv(3, 1)
"""


@pytest.mark.parametrize(
    ("scope", "params", "macs", "field"),
    [
        ("layer1", 2 * 1 * 9 + 2, 6 * 6 * 2 * 1 * 9, 3),
        ("layer1.conv", 2 * 1 * 9 + 2, 6 * 6 * 2 * 1 * 9, 3),
        ("layer10", 4 * 2 * 9 + 4, 4 * 4 * 4 * 2 * 9, 5),
        ("layer1b", 3 * 4 + 3, 4 * 4 * 3 * 4, 5),
    ],
)
def test_a_scope_whose_name_begins_others(
    folder: Path, scope: str, params: int, macs: int, field: int
) -> None:
    """Of ``layer1`` is what lies in it, and not what lies in ``layer10`` or ``layer1b``."""
    subject = Study(archlens.loads(TEN))
    expected = {"params": params, "macs": macs, "memory": 4 * params, "depth": 1}
    assert {name: QUANTITIES[name].measure(subject, scope) for name in expected} == expected
    assert QUANTITIES["receptive_field"].measure(subject, scope) == (field, field)
    budget = f"budget:\n  {scope}: {{params: == {params}, macs: == {macs}, depth: == 1}}\n"
    write("ten.yaml", TEN + budget)
    result = check("ten.yaml")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("scope", ["layer", "layer1.con", "1", "layer100"])
def test_a_part_of_a_name_is_no_scope(folder: Path, scope: str) -> None:
    """Neither in a spec, nor in the limits of a project, nor as what is asked for."""
    write("ten.yaml", f"{TEN}budget: {{'{scope}': {{params: <= 1k}}}}\n")
    assert f"ten has no scope {scope}" in failing("ten.yaml")
    write("ten.yaml", TEN)
    limits = f"[tool.archlens.budgets.defaults]\n'{scope}' = {{params = '<= 1k'}}\n"
    write("pyproject.toml", f"[tool.archlens.budgets]\nfiles = ['ten.yaml']\n{limits}")
    assert f"no network has a scope {scope}" in failing()
    with pytest.raises(archlens.UsageError, match=f"ten has no layer {scope}") as caught:
        archlens.load("ten.yaml")[scope]
    assert "is a scope" not in str(caught.value)


def test_depth_of_a_scope() -> None:
    network = archlens.load("resnet50")
    assert depth.find(network, "layer1") == 3 * 3
    assert depth.find(network, "fc") == 1
    assert depth.find(network, "layer1.0.downsample") == 1


def test_memory_is_what_a_checkpoint_holds() -> None:
    """Torchvision's metadata says 97.781 MB (MiB) for the file of ResNet-50, with its names and headers."""
    value = QUANTITIES["memory"].measure(Study(archlens.load("resnet50")), "")
    assert isinstance(value, int)
    assert 97.781 * 2**20 * 0.998 < value < 97.781 * 2**20
    network = archlens.load("resnet50")
    assert value == memory.weight_bytes(network) + memory.buffer_bytes(network)


def test_what_adds_up_does() -> None:
    subject = Study(archlens.load("googlenet_aux"))
    tops = dict.fromkeys(layer.name.partition(".")[0] for layer in subject.network)
    for name, quantity in QUANTITIES.items():
        if quantity.adds_up:
            whole = quantity.measure(subject, "")
            assert whole == sum(quantity.measure(subject, top) for top in tops), name  # type: ignore[misc]
    # heads for training do not run: torchvision's metadata says 1.498 GMACs of GoogLeNet, which has them
    assert round(QUANTITIES["macs"].measure(subject, "") / 1e9, 3) == 1.498  # type: ignore[operator]


# --- the command -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["resnet50", "--params", "<= 26M", "--macs", "<= 4.2G"], 0),
        (["resnet50", "--params", "<= 25M"], 1),
        (["resnet50", "--params", "== 25557032"], 0),
        (["resnet50", "--params", "25557032"], 0),
        (["resnet50", "--params", "20M..26M"], 0),
        (["resnet50", "--macs", "<= 4.0G"], 1),
        (["resnet50", "--receptive-field", ">= 224"], 0),
        (["resnet50", "--receptive-field", "== 427"], 0),  # torchvision's v1.5; see docs of the specs
        (["alexnet", "--receptive-field", ">= 224"], 1),  # 195: Araujo, Norris and Sim 2019
        (["vgg16", "--min-size", "<= 32"], 0),  # torchvision: min_size 32
        (["alexnet", "--min-size", "== 63"], 0),  # torchvision: min_size 63
        (["alexnet", "--min-size", "<= 32"], 1),
        (["resnet50", "--depth", "== 50"], 0),
        (["lenet5", "--memory", "== 246824B"], 0),  # 61,706 floats of 4 bytes
        (["lenet5", "--memory", "<= 0.24MiB"], 0),
        (["lenet5", "--memory", "<= 0.23MiB"], 1),
        (["lenet5", "--peak-activations", "<= 37632"], 0),  # C1 and tanh: twice 6x28x28 floats
        (["lenet5", "--peak-activations", "< 37632"], 1),
        (["lenet5", "--params", "<= 62k", "--params", "<= 61k"], 1),  # each that is given holds
        (["lenet5", "--params", "<= 61k", "--params", "<= 62k"], 1),
        (["lenet5", "alexnet", "--params", "<= 62M"], 0),
        (["lenet5", "alexnet", "--params", "<= 61k"], 1),
        (["mobilenet_v1", "--set", "alpha=0.5", "--params", "<= 2M"], 0),
        (["resnet18", "--input", "3x448x448", "--macs", "<= 2G"], 1),
    ],
)
def test_exit_codes(args: list[str], code: int, folder: Path) -> None:
    assert check(*args).exit_code == code


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["lenet5", "--params", "<= 26Q"], "error: --params: the unit Q is not known here: this is a count"),
        (["lenet5", "--memory", "<= 26m"], "help: MB is 1,000,000 bytes, M and MiB are 1,048,576"),
        (["lenet5", "--min-size", "26..20"], "error: --min-size: '26..20' cannot hold: 26 is more than 20"),
        (["lenet5", "--params", ""], "error: --params: the limit is empty"),
        (["lenet5", "--params", "<= -1"], "is negative"),
        (["lenet5", "--params", "<= 30 %"], "is a percentage, and only"),
        (["lenet5", "--parms", "<= 1"], "No such option"),
        (["lenet6", "--params", "<= 1"], "did you mean lenet5"),
        (["lost.yaml", "--params", "<= 1"], "there is no file lost.yaml"),
        (["lenet5", "--locked"], "there is no archlens.lock"),
        (["lenet5", "--locked", "--update"], "one of them"),
        (["lenet5", "--locked", "--tolerance", "much"], "'much' is not a tolerance"),
        (["lenet5", "--tolerance", "1 %"], "--tolerance is for --locked"),
        (["--set", "alpha=1"], "--input and --set are for networks that are named"),
        (["lenet5", "--params", "<= 1M", "--format", "xml"], "Invalid value"),
    ],
)
def test_wrong_usage(args: list[str], message: str, folder: Path) -> None:
    assert message in failing(*args)


def test_every_quantity_is_an_option(folder: Path) -> None:
    help = check("--help").output
    for name in QUANTITIES:
        assert f"--{name.replace('_', '-')} LIMIT" in help


@pytest.mark.slow
def test_nothing_checked_fails_and_says_so(folder: Path) -> None:
    for args in ([], ["lenet5"], ["lenet5", "alexnet"]):
        result = run("check", *args)
        assert result.returncode == 1
        assert "Nothing was checked: no network has a budget." in result.stdout
        assert "--params '<= 26M'" in result.stderr
    write("a.yaml", SMALL)
    assert "a.yaml: nothing was checked, for it has no budget" in check("a.yaml").stdout
    write("b.yaml", SMALL + "budget: {params: <= 2k}\n")
    both = check("a.yaml", "b.yaml")
    assert both.exit_code == 1
    assert "1 of 2 networks has no budget" in both.stdout
    assert check("b.yaml").exit_code == 0


def test_table(folder: Path) -> None:
    write(
        "net.yaml",
        SMALL + "budget:\n  params: <= 1k\n  macs: 3k..4k\n  classifier: {params: <= 30 %}\n",
    )
    result = check("net.yaml")
    assert result.exit_code == 1
    rows = [re.split(r"  +", line) for line in result.stdout.splitlines()]
    assert ["net.yaml", "params <= 1k", "1,236", "-236 = -23.6 %", "BROKEN", "net.yaml:9"] in rows
    assert ["net.yaml", "macs in 3k..4k", "3,744", "256 = 6.4 %", "held", "net.yaml:10"] in rows
    assert [
        "net.yaml",
        "classifier: params <= 30 %",
        "93.5 % = 1,156",
        "-63.5 %",
        "BROKEN",
        "net.yaml:11",
    ] in rows
    assert "  classifier: 1,156 = 93.5 %\n  features: 80 = 6.5 %\n" in result.stdout
    assert "2 of 3 limits broken." in result.stdout
    assert "params: trainable parameters" in result.stdout


def test_heaviest_scopes_of_vgg(folder: Path) -> None:
    """The fully connected layers of VGG-16 hold 123.6 M of 138.4 M: 102,764,544 + 16,781,312 + 4,097,000."""
    assert "  classifier: 123,642,856 = 89.4 %\n" in check("vgg16", "--params", "<= 100M").stdout


def test_peak_names_what_is_alive(folder: Path) -> None:
    """ResNet-50: three maps of 256x56x56 floats, where layer1.0 adds its shortcut."""
    text = check("resnet50", "--peak-activations", "<= 9MB").stdout
    assert text.count(f"{256 * 56 * 56 * 4:,} B = 33.3 %") == 3


def test_unknown_value_breaks_a_limit(folder: Path) -> None:
    write("flat.yaml", "input: 12\nlayers: [linear(3)]\nbudget: {receptive_field: '>= 3'}\n")
    result = check("flat.yaml")
    assert result.exit_code == 1
    assert "receptive_field is not known, and should be >= 3: the input has no spatial axes" in result.stdout


def test_the_margin_of_a_share_is_never_rounded_away(folder: Path) -> None:
    """A limit a hair beside the value is neither nothing beyond it nor exactly it."""
    write("net.yaml", SMALL)
    network = archlens.load("net.yaml")
    part = sum(layer.params for layer in network if layer.name.startswith("classifier"))
    share = Fraction(100 * part, network.params)
    assert share.denominator > 1
    beneath = int(share * 10**4)
    for shown, held, margin in (
        (f"<= {beneath / 10**4:.4f} %", False, Fraction(beneath, 10**4) - share),
        (f"<= {(beneath + 1) / 10**4:.4f} %", True, Fraction(beneath + 1, 10**4) - share),
    ):
        write("pyproject.toml", f'[tool.archlens.budgets]\nclassifier.params = "{shown}"\n')
        result = check()
        assert (result.exit_code == 0) == held
        assert f"  {float(margin):.2g} %" in result.stdout
        assert " 0.0 %" not in result.stdout


def test_too_little_is_not_too_much_along_another_axis(folder: Path) -> None:
    """One axis is as far below the bound as the other is above it."""
    write("net.yaml", "input: 1x40x40\nlayers:\n  - conv(2, (5, 15))\n")
    result = check("net.yaml", "--receptive-field", ">= 10")
    assert "receptive_field is 5x15, and should be >= 10 (5 = 50.0 % too little)" in result.stdout
    result = check("net.yaml", "--receptive-field", "<= 10")
    assert "receptive_field is 5x15, and should be <= 10 (5 = 50.0 % too much)" in result.stdout


def test_axes_are_not_mixed(folder: Path) -> None:
    """Each axis must hold: this sees 7 rows and 3 columns."""
    write("tall.yaml", "input: 1x20x20\nlayers: ['conv(2, (7, 3))']\n")
    assert check("tall.yaml", "--receptive-field", ">= 3").exit_code == 0
    assert check("tall.yaml", "--receptive-field", ">= 4").exit_code == 1
    assert check("tall.yaml", "--receptive-field", "<= 7").exit_code == 0
    assert check("tall.yaml", "--receptive-field", "<= 6").exit_code == 1


# --- budgets of a spec -----------------------------------------------------------------------------


def test_variant_overrides_a_limit_of_its_file(folder: Path) -> None:
    write(
        "family.yaml",
        "input: 1x8x8\nparams: {n: }\nlayers: ['conv(n, 3)']\nbudget: {params: <= 50, depth: == 1}\n"
        "variants:\n  small: {n: 2}\n  large: {n: 20, budget: {params: <= 200}}\n",
    )
    result = check("family.yaml")
    assert result.exit_code == 0
    assert re.findall(r"(family.yaml:\w+) +(\S+ \S+ \d+)", result.stdout) == [
        ("family.yaml:small", "params <= 50"),
        ("family.yaml:small", "depth == 1"),
        ("family.yaml:large", "depth == 1"),
        ("family.yaml:large", "params <= 200"),
    ]
    assert check("family.yaml:large").stdout.count("family.yaml:large") == 2
    assert archlens.load("family.yaml:small").meta.budget == {"params": "<= 50", "depth": "== 1"}


def test_wrong_budget_of_a_spec_is_wrong_usage_here(folder: Path) -> None:
    """A network that does not fit has exit code 1; a limit that nobody understands is no broken limit."""
    write("net.yaml", SMALL + "budget:\n  params: <= 26Q\n")
    message = failing("net.yaml")
    assert "--> net.yaml:9:11" in message
    assert run("shapes", "net.yaml").returncode == 1
    write("net.yaml", SMALL + "budget:\n  clasifier: {params: <= 50 %}\n")
    assert "net has no scope clasifier" in failing("net.yaml")
    assert "did you mean classifier?" in failing("net.yaml")
    assert "--> net.yaml:9:23" in failing("net.yaml")


def test_a_broken_spec_fails_and_the_others_are_checked(folder: Path) -> None:
    write("a.yaml", "input: 1x8x8\nlayers: ['conv(2, 9)']\nbudget: {params: <= 5}\n")
    write("b.yaml", SMALL + "budget: {params: <= 2k}\n")
    result = check()
    assert result.exit_code == 1
    assert "a.yaml cannot be measured:" in result.stdout
    assert "its 9x9 window is larger than its 8x8 input" in result.stdout
    assert "params <= 2k" in result.stdout


@pytest.mark.parametrize("broken", ["conv(n, 9)", "cnv(n, 3)", 'conv(n, 3)"\n  x: ['])
def test_what_is_broken_is_told_in_every_form_and_stays_locked(broken: str, folder: Path) -> None:
    """A layer that does not fit, a word that is not known, a file that is no YAML: all in one report."""
    text = 'input: 1x8x8\nparams: {n: }\nlayers: ["conv(n, 3)"]\nvariants: {a: {n: 1}, b: {n: 2}}\n'
    write("f.yaml", text)
    write("g.yaml", SMALL)
    assert check("f.yaml", "g.yaml", "--update").exit_code == 0
    before = Path("archlens.lock").read_text()
    write("f.yaml", text.replace("conv(n, 3)", broken))
    for args in (["f.yaml", "g.yaml", "--locked"], ["--locked"], ["f.yaml", "g.yaml", "--params", "<= 2k"]):
        result = check(*args)
        assert result.exit_code == 1
        assert "g.yaml  " in result.stdout
        data = json.loads(check(*args, "--format", "json").stdout)
        assert data["gone"] == []
        assert {one["name"].partition(":")[0] for one in data["networks"]} == {"f.yaml", "g.yaml"}
        assert all(one["problem"]["file"] == "f.yaml" for one in data["networks"][:-1] if one["problem"])
        assert "::error file=f.yaml,line=" in check(*args, "--format", "github").stdout
    for args in ([], ["f.yaml"]):
        assert check(*args, "--update").exit_code == 1
        assert Path("archlens.lock").read_text() == before


@pytest.mark.parametrize("broken", ["conv(8, 9)", "cnv(8, 3)", "conv(8, 3)\n   x: ["])
def test_what_is_broken_is_not_taken_for_a_wrong_table(broken: str, folder: Path) -> None:
    """The tables and scopes of a network that cannot be laid out are about something all the same."""
    write("net.yaml", SMALL.replace("conv(8, 3)", broken))
    write("other.yaml", SMALL.replace("features", "trunk"))
    text = '[tool.archlens.budgets]\nfiles = "*.yaml"\nfeatures.params = "<= 9 %"\nnet.macs = "<= 1M"\n'
    if "x:" in broken:  # not even its variants are known
        text += '"net.yaml:small".macs = "<= 1M"\n'
    write("pyproject.toml", text)
    result = check()
    assert result.exit_code == 1, result.output
    assert "net.yaml cannot be measured:" in result.stdout
    write("net.yaml", SMALL)
    if "x:" in broken:
        assert "net.yaml:small names no network" in failing()
    else:
        assert check().exit_code == 0


# --- budgets of a project --------------------------------------------------------------------------


def test_specs_with_a_budget_are_found(folder: Path) -> None:
    write("deep/in/net.yaml", SMALL + "budget: {params: <= 2k}\n")
    write("other.yaml", SMALL)
    write("unrelated.yaml", "jobs: {budget: 5}\n")
    write("node_modules/a.yaml", SMALL + "budget: {params: <= 1}\n")
    result = check()
    assert result.exit_code == 0, result.output
    assert "deep/in/net.yaml  params <= 2k" in result.stdout
    write("pyproject.toml", "[tool.archlens]\n")
    os.chdir("deep")
    assert "in/net.yaml:8" in check().stdout  # places are as one sees them from here; names stay
    assert "deep/in/net.yaml" in check().stdout


def test_sample(sample: Path) -> None:
    result = run("check")
    assert (result.returncode, result.stderr) == (1, "")
    assert "3 of 10 limits broken." in result.stdout
    assert run("check", "models/digits.yaml").returncode == 0
    assert run("check", "models/wide.yaml").returncode == 1
    lines = result.stdout.splitlines()
    held = {line.split()[0] for line in lines if " held " in line}
    assert held == {"models/digits.yaml", "models/wide.yaml"}
    set_by = [line.split()[-1] for line in lines if line.startswith("models/digits.yaml ")]
    text = Path("pyproject.toml").read_text().splitlines()
    for place in set_by[:-1]:
        file, _, line = place.partition(":")
        assert file == "pyproject.toml"
        assert re.match(r'(macs|"classifier".params|params|receptive-field|min-size) = ', text[int(line) - 1])


def test_more_certain_tables_come_first(folder: Path) -> None:
    write("nets/a.yaml", SMALL)
    write("nets/b.yaml", SMALL)
    write(
        "pyproject.toml",
        '[tool.archlens.budgets]\nfiles = "nets/*.yaml"\n'
        '[tool.archlens.budgets.networks.a]\nparams = "<= 4"\n'
        '[tool.archlens.budgets.defaults]\nparams = "<= 1"\nmacs = "<= 2"\n'
        '[tool.archlens.budgets."nets/*"]\nparams = "<= 3"\n',
    )
    found = re.findall(r"nets/(\w)\.yaml +(\w+ <= \d)", check().stdout)
    assert found == [("a", "params <= 4"), ("a", "macs <= 2"), ("b", "params <= 3"), ("b", "macs <= 2")]


def test_a_variant_counts_more_than_its_file(folder: Path) -> None:
    """Whichever stands first."""
    write("f.yaml", "input: 1x8x8\nparams: {n: }\nlayers: ['conv(n, 3)']\nvariants: {a: {n: 1}, b: {n: 2}}\n")
    tables = ['["f.yaml:b"]\nparams = "<= 7"\n', '["f.yaml"]\nparams = "<= 8"\n', '["f*"]\nparams = "<= 9"\n']
    for order in (tables, tables[::-1]):
        write("pyproject.toml", "".join(f"[tool.archlens.budgets.{table[1:]}" for table in order))
        found = re.findall(r"f\.yaml:(\w) +(params <= \d)", check().stdout)
        assert found == [("a", "params <= 8"), ("b", "params <= 7")]


def test_who_has_no_budget_is_counted(folder: Path) -> None:
    write("a.yaml", SMALL)
    write("b.yaml", SMALL)
    write("pyproject.toml", '[tool.archlens.budgets]\nfiles = "*.yaml"\na.params = "<= 2k"\n')
    result = check()
    assert result.exit_code == 0
    assert "2 networks: 1 limit holds; 1 of them has no budget." in result.stdout


def test_a_file_is_checked_once(folder: Path) -> None:
    write("a.yaml", SMALL)
    write("b.yaml", SMALL)
    result = check(
        "a.yaml", "b.yaml", "./a.yaml", str(folder / "b.yaml"), "--params", "<= 1k", "--format", "github"
    )
    assert re.findall(r"file=([^,]+),", result.stdout) == ["a.yaml", "b.yaml"]


def test_a_file_is_called_by_its_place_whatever_the_way_to_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the lock file, too: else what is locked in one folder is lost in another."""
    write("outside.yaml", SMALL)
    Path("project").mkdir()
    monkeypatch.chdir("project")
    write("sub/net.yaml", SMALL)
    write("pyproject.toml", '[tool.archlens.budgets.networks."sub/net.yaml"]\nparams = "<= 2k"\n')
    link = folder / "link"
    link.symlink_to(folder / "project")
    assert re.search(r"(?m)^sub/net.yaml +params <= 2k", check(str(link / "sub" / "net.yaml")).stdout)
    monkeypatch.chdir("sub")
    assert check("--update", "net.yaml", "../../outside.yaml").exit_code == 0
    monkeypatch.chdir(folder / "project")
    assert re.findall(r'(?m)^\[networks\."(.*)"\]', Path("archlens.lock").read_text()) == [
        "../outside.yaml",
        "sub/net.yaml",
    ]
    assert check("--locked").exit_code == 0
    absolute = str(folder / "outside.yaml")
    assert f"{absolute}  depth <= 9" in check(absolute, "--depth", "<= 9").stdout


def test_networks_of_the_zoo_and_scopes(folder: Path) -> None:
    write(
        "pyproject.toml",
        '[tool.archlens.budgets]\n"fc".params = "<= 30 %"\n'
        '[tool.archlens.budgets.resnet50]\nparams = "<= 26M"\n"fc".params = "<= 9 %"\n'
        '[tool.archlens.budgets.networks."vgg1[136]_bn"]\ndepth = "<= 16"\n',
    )
    result = check()
    assert result.exit_code == 0
    found = re.findall(r"^(\w+) +((?:fc: )?\w+ <= [\w %]+?)  ", result.stdout, re.MULTILINE)
    assert found == [
        ("resnet50", "fc: params <= 9 %"), ("resnet50", "params <= 26M"),
        ("vgg11_bn", "depth <= 16"), ("vgg13_bn", "depth <= 16"), ("vgg16_bn", "depth <= 16"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["net.yaml", "nets/*", "nets/**", "ne*/net.yaml", "nets/deep/*", "nets/deep/net.yaml", "net"]
)
def test_what_a_table_may_call_a_file(name: str, folder: Path) -> None:
    """By its path, by less, or by a pattern; what lies beside it is no spec, whatever a pattern says."""
    write("nets/deep/net.yaml", SMALL)
    write("nets/deep/README.md", "# Networks")
    write("nets/notes.txt", "none")
    for files in ('[tool.archlens.budgets]\nfiles = ["nets/**"]\n', ""):
        table = f'[tool.archlens.budgets.networks."{name}"]\nparams = "<= 2k"\n'
        write("pyproject.toml", files + table)
        result = check()
        assert result.exit_code == 0, result.output
        assert "1 network: 1 limit holds." in result.stdout
        assert "nets/deep/net.yaml  params <= 2k" in result.stdout


def test_patterns_leave_out_what_is_not_the_projects(folder: Path) -> None:
    """Else the zoo that is installed in an environment would be checked; but for what a pattern names."""
    aside = (".venv/lib/specs", "env/specs", "node_modules/a", "build", ".hidden")
    for place in (*aside, "models/deep"):
        write(f"{place}/net.yaml", SMALL)
    write("env/pyvenv.cfg", "")

    def names(pattern: str) -> list[str]:
        write("pyproject.toml", f'[tool.archlens.budgets]\nfiles = ["{pattern}"]\nparams = "<= 2k"\n')
        return [one["name"] for one in json.loads(check("--format", "json").stdout)["networks"]]

    assert names("**/*.yaml") == ["models/deep/net.yaml"]
    assert names(".hidden/*.yaml") == [".hidden/net.yaml"]
    assert names("env/**/*.yaml") == ["env/specs/net.yaml"]
    write("pyproject.toml", '[tool.archlens.budgets]\nparams = "<= 2k"\n')
    assert "1 network: 1 limit holds." in check().stdout


def test_a_pattern_is_about_the_project_first(folder: Path) -> None:
    """What fits a network of the project does not bring in all of the zoo that fits, too."""
    write("resnet_tiny.yaml", SMALL)
    for pattern in ("*", "resnet*", "res*_tiny"):
        write("pyproject.toml", f'[tool.archlens.budgets.networks."{pattern}"]\nparams = "<= 1M"\n')
        result = check()
        assert result.exit_code == 0
        assert "1 network: 1 limit holds." in result.stdout


def test_defaults_are_for_the_project_alone(folder: Path) -> None:
    write("net.yaml", SMALL)
    write("pyproject.toml", '[tool.archlens.budgets]\nmacs = "<= 1k"\n')
    assert check().exit_code == 1
    assert check("net.yaml").exit_code == 1
    assert check("resnet50", "--params", "<= 26M").exit_code == 0


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("[tool.archlens]\nbudget = 1", "2:1", "[tool.archlens] has no key budget"),
        ("[tool]\narchlens = 3", "2:12", "tool.archlens must be a table, not the number 3"),
        ("[tool.archlens]\nbudgets = 3", "2:11", "tool.archlens.budgets must be a table, not the number 3"),
        ('[tool.archlens.budgets]\nparms = "<= 5"', "2:1", "has no key parms"),
        ('[tool.archlens.budgets]\nparams = "<= 5Q"', "2:10", "params: the unit Q is not known here"),
        ('[tool.archlens.budgets]\nparams = "5..3"', "2:10", "params: '5..3' cannot hold"),
        ('[tool.archlens.budgets]\nparams = ""', "2:10", "params: the limit is empty"),
        ('[tool.archlens.budgets]\nparams = "<= 5 %"', "2:10", "is a percentage, and only"),
        (
            "[tool.archlens.budgets]\nparams = 5",
            "2:10",
            "the limit of params must be a string, not the number 5",
        ),
        ("[tool.archlens.budgets]\nparams = true", "2:10", "must be a string, not true"),
        ('[tool.archlens.budgets]\nparams = ["<= 5"]', "2:10", "must be a string, not a list"),
        ("[tool.archlens.budgets]\nparams = {a = 1}", "2:10", "must be a string, not a table"),
        ("[tool.archlens.budgets]\nparams = 1979-05-27", "2:10", "must be a string, not a date"),
        ("[tool.archlens.budgets]\nfiles = 5", "2:9", "files must be a list of patterns, not the number 5"),
        ("[tool.archlens.budgets]\nfiles = []", "2:9", "files names no file"),
        ("[tool.archlens.budgets]\nfiles = [1]", "2:10", "a pattern must be a string, not the number 1"),
        ('[tool.archlens.budgets]\nfiles = ["*.yml",\n "lost/*.yaml"]', "2:10", "*.yml matches no file"),
        (
            '[tool.archlens.budgets]\nfiles = ["*.yaml",\n "lost/*.yaml"]',
            "3:2",
            "lost/*.yaml matches no file",
        ),
        ('[tool.archlens.budgets]\nfiles = ["nett.yaml"]', "2:10", "nett.yaml is not a file"),
        ('[tool.archlens.budgets]\nfiles = ["../*.yaml"]', "2:10", "leads out of the project"),
        ('[tool.archlens.budgets]\nfiles = ["/etc/*"]', "2:10", "leads out of the project"),
        ('[tool.archlens.budgets]\nfiles = [""]', "2:10", "the pattern is empty"),
        ('[tool.archlens.budgets]\nfiles = ["a**b/**c"]', "2:10", "a**b/**c"),
        ('[tool.archlens.budgets]\ntolerance = "much"', "2:13", "tolerance: 'much' is not a tolerance"),
        ('[tool.archlens.budgets]\ntolerance = "²%"', "2:13", "tolerance: '²%' is not a tolerance"),
        ("[tool.archlens.budgets]\ntolerance = 1", "2:13", "tolerance must be a string, not the number 1"),
        ("[tool.archlens.budgets.defaults]", "1:24", "[tool.archlens.budgets.defaults] limits nothing"),
        ("[tool.archlens.budgets.networks.net]", "1:33", "limits nothing"),
        ("[tool.archlens.budgets]\nnetworks = 1", "2:12", "networks must be a table"),
        ('[tool.archlens.budgets.nett]\nparams = "<= 5"', "1:24", "nett names no network and no scope"),
        ('[tool.archlens.budgets.networks.nett]\nparams = "<= 5"', "1:33", "nett names no network"),
        ('[tool.archlens.budgets.networks."lost/*.yaml"]\nparams = "<= 5"', "1:33", "matches no file"),
        (
            '[tool.archlens.budgets.net]\nparams = "<= 5 %"',
            "2:10",
            "is a share of the whole, and this is the whole",
        ),
        (
            '[tool.archlens.budgets.clasifier]\nparams = "<= 5 %"',
            "1:24",
            "clasifier names no network and no scope",
        ),
        (
            '[tool.archlens.budgets.classifier]\nmin_size = "<= 5"',
            "1:24",
            "classifier names no network, and a scope has no min_size",
        ),
        (
            '[tool.archlens.budgets.defaults]\nclasifier.params = "<= 5 %"',
            "2:20",
            "no network has a scope clasifier",
        ),
        (
            '[tool.archlens.budgets.net.classifier]\nmin-size = "<= 5"',
            "2:1",
            "is a quantity of the whole network",
        ),
        ('[tool.archlens.budgets.net.lost]\nparams = "<= 5"', "2:10", "net has no scope lost"),
        ("[tool.archlens.budgets.net.classifier]", "1:28", "limits nothing"),
        (
            '[tool.archlens.budgets]\nmin_size = "<= 5"\nmin-size = "<= 6"',
            "3:12",
            "min_size is limited twice",
        ),
        ('[tool.archlens.budgets]\nparams = "<= 5', "2:15", "pyproject.toml is not valid TOML"),
        ('[tool.archlens.budgets]\nfiles = ["nets"]', "2:10", "nets is a folder"),
        ('[tool.archlens.budgets]\nfiles = ["."]', "2:10", ". is a folder"),
        ('[tool.archlens.budgets.net."".params]\nx = 1', "1:28", "the name of the scope is empty"),
        (
            '[tool.archlens.budgets.net]\nparams = "<= 5"\n'
            '[tool.archlens.budgets.networks.net]\nparams = "<= 6"',
            "4:10",
            "params is limited twice for net",
        ),
        (
            '[tool.archlens.budgets.net]\nparams = "<= 5"\n'
            '[tool.archlens.budgets."net.yaml"]\nparams = "<= 6"',
            "4:10",
            "params is limited twice for net.yaml",
        ),
    ],
)
def test_wrong_pyproject(text: str, place: str, message: str, folder: Path) -> None:
    """Each mistake has its place, and exit code 2."""
    write("net.yaml", SMALL)
    Path("nets").mkdir()
    write("pyproject.toml", text + "\n")
    said = check()
    assert said.exit_code != 0
    result = failing()
    assert message in result
    assert f"--> pyproject.toml:{place}\n" in result


def test_suggestions(folder: Path) -> None:
    write("net.yaml", SMALL)
    Path("nets").mkdir()
    for text, help in [
        ('[tool.archlens]\nbudget.params = "<= 5"', "did you mean budgets?"),
        ('[tool.archlens.budgets]\nparms = "<= 5"', "did you mean params?"),
        ('[tool.archlens.budgets]\nfiles = "nett.yaml"', "did you mean net.yaml?"),
        ('[tool.archlens.budgets.defualts]\nparams = "<= 5"', "did you mean defaults?"),
        ('[tool.archlens.budgets.clasifier]\nparams = "<= 5"', "did you mean classifier?"),
        ('[tool.archlens.budgets.resnet5]\nparams = "<= 5"', "did you mean resnet50"),
        ('[tool.archlens.budgets]\nparams = "<= 5MB"', "did you mean M?"),
        ('[tool.archlens.budgets]\nfiles = "nets"', "as in nets/*.yaml"),
        ('[tool.archlens.budgets]\nfiles = "./"', "as in *.yaml"),
        ("[tool.archlens.budgets]\nfiles = 'lost\\*.yaml'", "folders are separated by /: lost/*.yaml"),
        ('[tool.archlens.budgets.net]\nfeatures.conv.params = "<= 5"', 'in quotes: "layer1.0".params'),
        ('[tool.archlens.budgets.net]\n"features.params" = "<= 5"', 'in quotes: "layer1.0".params'),
    ]:
        write("pyproject.toml", text)
        assert help in failing(), text


def test_a_project_ends_at_its_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets that lie around a repository are not its own; those at its top are, from any folder in it."""
    write("pyproject.toml", '[tool.archlens.budgets.defaults]\nmacs = "<= 1"\n')
    write("inner/.git/HEAD", "")
    write("inner/deep/net.yaml", SMALL)
    monkeypatch.chdir(folder / "inner" / "deep")
    assert "Nothing was checked" in check().stdout
    write("../pyproject.toml", '[tool.archlens.budgets.defaults]\nmacs = "<= 2"\n')
    assert "deep/net.yaml  macs <= 2" in check().stdout


def test_a_project_of_others_is_no_matter(folder: Path) -> None:
    """A pyproject.toml that does not speak of archlens may be anything."""
    write("pyproject.toml", "this is no TOML")
    assert check("lenet5", "--params", "<= 1M").exit_code == 0
    write("pyproject.toml", "[tool.other]\nx = 1\n# archlens\n")
    assert check("lenet5", "--params", "<= 1M").exit_code == 0


# --- forms -----------------------------------------------------------------------------------------


def test_json(sample: Path) -> None:
    data = json.loads(check("--format", "json").stdout)
    assert data["schema"] == "archlens.check/1"
    assert data["held"] is False
    assert data["checked"] == 10
    digits, wide = data["networks"]
    assert (digits["name"], digits["held"]) == ("models/digits.yaml", True)
    assert (wide["name"], wide["held"]) == ("models/wide.yaml", False)
    params = next(one for one in wide["limits"] if one["quantity"] == "params" and one["scope"] is None)
    # 32*25 + 32, then 64*32*9 + 64, then 64*12*12*10 + 10
    assert params["value"] == 832 + 18_496 + 92_170
    assert params["margin"] == 100_000 - params["value"]
    assert (params["file"], params["line"], params["column"]) == ("models/wide.yaml", 15, 11)
    assert params["heaviest"] == [
        {"name": "classifier", "value": 92_170},
        {"name": "features", "value": 832 + 18_496},
    ]
    share = next(one for one in wide["limits"] if one["scope"] == "classifier")
    assert share["percent"] == pytest.approx(100 * 92_170 / params["value"])


def test_junit_parsed_back(sample: Path) -> None:
    result = check("--format", "junit", "-o", "report.xml")
    assert (result.exit_code, result.stdout) == (1, "")
    root = ElementTree.parse("report.xml").getroot()
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("10", "3", "0")
    assert [suite.get("name") for suite in root] == ["models/digits.yaml", "models/wide.yaml"]
    for suite in root:
        assert len(suite) == int(suite.get("tests") or 0)
        assert len(suite.findall("testcase/failure")) == int(suite.get("failures") or 0)
    failed = {case.get("name"): case[0] for case in root.iter("testcase") if len(case)}
    assert set(failed) == {"macs <= 1M", "classifier: params <= 30 %", "params <= 100k"}
    assert "111,498" in (failed["params <= 100k"].get("message") or "")
    assert "features: 19,328" in (failed["params <= 100k"].text or "")


HOSTILE = "a|b<c>&\"d'%::,\x1b"


def test_every_form_escapes(folder: Path) -> None:
    write(
        "a%,b.yaml",
        "input: 1x8x8\nlayers:\n"
        f"  - '{HOSTILE[:-1].replace(chr(39), chr(39) * 2)}': conv(2, 3)\nbudget: {{params: <= 1}}\n",
    )
    tree = ElementTree.fromstring(check("a%,b.yaml", "--format", "junit").stdout.partition("\n")[2])
    assert f"{HOSTILE[:-1]}: 20" in (tree.find(".//failure").text or "")  # type: ignore[union-attr]
    markdown = check("a%,b.yaml", "--format", "markdown").stdout
    assert r"a\|b&lt;c&gt;" in markdown
    assert {
        line.count("|") - line.count(r"\|") for line in markdown.splitlines() if line.startswith("|")
    } == {7}
    (command, *_) = check("a%,b.yaml", "--format", "github").stdout.splitlines()
    assert command.startswith(
        "::error file=a%25%2Cb.yaml,line=4,col=18,endColumn=22,title=a%25%2Cb.yaml%3A params <= 1::"
    )
    assert "%0A" in command


def test_junit_of_what_cannot_be_measured_and_of_nothing(folder: Path) -> None:
    write("a.yaml", "input: 1x8x8\nlayers: ['conv(2, 9)']\nbudget: {params: <= 5}\n")
    root = ElementTree.fromstring(check("a.yaml", "--format", "junit").stdout.partition("\n")[2])
    assert (root.get("errors"), root.get("failures")) == ("1", "0")
    assert "window" in (root.find(".//error").get("message") or "")  # type: ignore[union-attr]
    root = ElementTree.fromstring(check("lenet5", "--format", "junit").stdout.partition("\n")[2])
    assert root.get("failures") == "2"


def test_github_annotates_the_spec(sample: Path) -> None:
    result = check("--format", "github")
    found = re.findall(
        r"^::error file=([^,]+),line=(\d+),col=\d+,endColumn=\d+,title=[^:]+::", result.stdout, re.M
    )
    assert found == [
        ("models/wide.yaml", "6"),  # limits of pyproject.toml: where the layers start
        ("models/wide.yaml", "6"),
        ("models/wide.yaml", "15"),  # its own
    ]
    assert result.stdout.splitlines()[-1] == "3 of 10 limits broken."
    assert "::" not in check("models/digits.yaml", "--format", "github").stdout


def test_annotations_start_at_the_top_of_the_repository(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub looks paths up there, and a step may work in a folder below."""
    monkeypatch.chdir(sample / "models")
    args = ("wide.yaml", "--params", "<= 1", "--format", "github")
    assert "file=wide.yaml,line=15," in check(*args).stdout
    monkeypatch.setenv("GITHUB_WORKSPACE", str(sample))
    assert "file=models/wide.yaml,line=15," in check(*args).stdout
    assert "file=models/wide.yaml,line=6," in check("../models/wide.yaml", *args[1:]).stdout
    monkeypatch.setenv("GITHUB_WORKSPACE", str(sample / "elsewhere"))
    assert "file=wide.yaml,line=15," in check(*args).stdout


def test_markdown(sample: Path) -> None:
    text = check("--format", "markdown").stdout
    assert text.startswith("**3 of 10 limits broken.**")
    assert text.count("**BROKEN**") == 3
    assert "\x1b" not in text


def test_all_forms_of_nothing(folder: Path) -> None:
    for form in ("table", "markdown", "json", "junit", "github"):
        result = check("--format", form)
        assert result.exit_code == 1
        if form != "json":
            assert "Nothing was checked" in result.stdout, form
    assert json.loads(check("--format", "json").stdout)["checked"] == 0


# --- the lock --------------------------------------------------------------------------------------


def test_update_and_locked(sample: Path) -> None:
    assert check("models/digits.yaml", "--update").exit_code == 0
    lock = Path("archlens.lock")
    data = tomllib.loads(lock.read_text())
    assert data["schema"] == "archlens.lock/1"
    figures = data["networks"]["models/digits.yaml"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", figures.pop("structure"))
    # 8*25 + 8 + 16*8*9 + 16 + 16*10 + 10 params; the field: 5, then 6 after the pooling, then 2 * 2 more
    assert figures == {
        "params": 1546, "macs": 28 * 28 * 8 * 25 + 12 * 12 * 16 * 72 + 160, "memory": 4 * 1546,
        "peak_activations": 2 * 4 * 8 * 28 * 28, "receptive_field": "10x10", "depth": 3,
    }  # fmt: skip
    assert check("models/digits.yaml", "--locked").exit_code == 0
    assert "the figures match archlens.lock" in check("models/digits.yaml", "--locked").stdout
    before = lock.read_text()
    assert check("models/digits.yaml", "--update").exit_code == 0
    assert lock.read_text() == before
    text = check("models/wide.yaml", "--locked").stdout
    assert "models/wide.yaml: it is not in archlens.lock" in text
    assert re.search(r"(?m)^models/wide.yaml +locked +UNKNOWN$", text)  # nothing set it


@pytest.mark.slow
def test_what_a_board_needs_is_locked_where_it_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: of two maps of 32x32 and 8x32x32 in int8 and int16; 8 weights, biases and scales."""
    monkeypatch.chdir(tmp_path)
    Path("pyproject.toml").write_text('[tool.archlens.budgets]\nfiles = ["*.yaml"]\n')
    net = "input: 1x32x32\nlayers: ['conv(8, 1)']\n"
    Path("plain.yaml").write_text(net)
    Path("board.yaml").write_text(f"{net}budget: {{sram: <= 1M}}\n")
    assert check("--update").exit_code == 0
    networks = tomllib.loads(Path("archlens.lock").read_text())["networks"]
    assert not {"sram", "flash", "types"} & networks["plain.yaml"].keys()
    board = networks["board.yaml"]
    assert (board["sram"], board["flash"], board["types"]) == (9 * 1024, 8 + 8 * 4 + 8 * 4, "int8/int8")
    assert check("--locked").exit_code == 0
    wide = check("--locked", "--activations", "int16")
    assert wide.exit_code == 1
    assert "board.yaml: sram was 9,216 B and is 18,432 B (+100.0 %)" in wide.stdout
    assert "board.yaml: flash was 72 B and is 104 B" in wide.stdout  # biases are int64
    assert "board.yaml: types was int8/int8 and is int8/int16" in wide.stdout
    assert check("--locked", "--activations", "int16", "--tolerance", "99 %").exit_code == 1
    lock = Path("archlens.lock")
    lock.write_text(lock.read_text().replace("int8/int8", "int8/int9"))
    assert "types is int8/int9" in str(check("--locked").exception)


def test_lock_of_the_whole_project(sample: Path) -> None:
    result = run("check", "--update")
    assert result.returncode == 1  # locked, and yet two limits are broken
    assert "archlens.lock: 2 networks, 2 changed: models/digits.yaml, models/wide.yaml" in result.stderr
    assert "archlens.lock: 2 networks, none changed" in run("check", "--update").stderr
    Path("models/wide.yaml").unlink()
    gone = check("--locked")
    assert gone.exit_code == 1
    assert "models/wide.yaml is in archlens.lock but no longer exists." in gone.stdout
    assert check("--update").exit_code == 0
    assert "wide" not in Path("archlens.lock").read_text()
    assert check("--locked").exit_code == 0


def test_drift_and_tolerance(sample: Path) -> None:
    check("models/digits.yaml", "--update")
    spec = Path("models/digits.yaml")
    spec.write_text(spec.read_text().replace("conv(16, 3)", "conv(17, 3)"))  # 72 + 1 + 10 = 83 more: 5.4 %
    drifted = check("models/digits.yaml", "--locked")
    assert drifted.exit_code == 1
    assert "params was 1,546 and is 1,629 (+5.4 %)" in drifted.stdout
    assert "structure was sha256:" in drifted.stdout
    assert "archlens.lock:7" in drifted.stdout
    assert check("models/digits.yaml", "--locked", "--tolerance", "4 %").exit_code == 1
    assert check("models/digits.yaml", "--locked", "--tolerance", "6 %").exit_code == 0
    spec.write_text(spec.read_text().replace("conv(17, 3)", "conv(15, 3)"))  # as much less
    assert check("models/digits.yaml", "--locked", "--tolerance", "4 %").exit_code == 1
    spec.write_text(spec.read_text().replace("conv(15, 3)", "conv(17, 3)"))
    project = Path("pyproject.toml")
    project.write_text(project.read_text().replace("files =", 'tolerance = "6 %"\nfiles ='))
    assert check("models/digits.yaml", "--locked").exit_code == 0
    assert "within 6.0 %" in check("models/digits.yaml", "--locked").stdout
    data = json.loads(check("models/digits.yaml", "--locked", "--format", "json").stdout)
    assert data["tolerance"] == 6.0
    change = next(c for c in data["networks"][0]["lock"]["changes"] if c["quantity"] == "params")
    assert (change["locked"], change["value"], change["held"]) == (1546, 1629, True)
    forms = check("models/digits.yaml", "--locked", "--tolerance", "0%", "--format", "junit").stdout
    assert "params was 1,546 and is 1,629" in forms
    assert "title=models/digits.yaml%3A locked params" in check(
        "models/digits.yaml", "--locked", "--tolerance", "0 %", "--format", "github"
    ).stdout  # fmt: skip


def test_locked_networks_are_checked_without_limits(folder: Path) -> None:
    assert check("lenet5", "--update").exit_code == 0
    result = check("--locked")
    assert result.exit_code == 0
    assert "1 network: the figures match archlens.lock." in result.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its schema is not archlens.lock/1"),
        ('schema = "archlens.lock/2"', "its schema is not archlens.lock/1"),
        ('schema = "archlens.lock/1"\nother = 1', "it has no key other"),
        ('schema = "archlens.lock/1"\nnetworks = 1', "networks must be tables"),
        ('schema = "archlens.lock/1"\nnetworks.a = 1', "a must be a table"),
        ('schema = "archlens.lock/1"\nnetworks.a.parms = 1', "there is no figure parms"),
        ('schema = "archlens.lock/1"\nnetworks.a.params = -1', "params is -1"),
        ('schema = "archlens.lock/1"\nnetworks.a.params = [1]', "params is [1]"),
        ('schema = "archlens.lock/1"\nnetworks.a.structure = "x"', "structure is x"),
        ('schema = "archlens.lock/1"\nnetworks.a.min_size = 5', "there is no figure min_size"),
        ("schema =", "archlens.lock is not valid TOML"),
        ('schema = "archlens.lock/1"\n<<<<<<< HEAD\n', "archlens.lock is not valid TOML"),
    ],
)
def test_wrong_lock(text: str, message: str, folder: Path) -> None:
    """What is said to help does."""
    write("net.yaml", SMALL + "budget: {params: <= 2k}\n")
    write("archlens.lock", text)
    for option in ("--locked", "--update"):
        said = failing(option)
        assert message in said
        assert "help: " in said
    if "remove archlens.lock, and `archlens check --update` writes a new one" in said:
        Path("archlens.lock").unlink()
        assert check("--update").exit_code == 0
        assert check("--locked").exit_code == 0
    else:
        assert "figure" in message


def test_a_name_that_is_no_text_is_not_locked(folder: Path) -> None:
    name = os.fsdecode(b"net\xff.yaml")
    try:
        write(name, SMALL)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    assert check(name, "--params", "<= 2k").exit_code == 0
    said = failing(name, "--update")
    assert "the name net\\udcff.yaml is not UTF-8, and cannot be written to archlens.lock" in said
    assert not Path("archlens.lock").exists()


def test_a_locked_name_may_be_anything(folder: Path) -> None:
    write("net.yaml", SMALL)
    check("net.yaml", "--update")
    lock = Path("archlens.lock")
    text = lock.read_text()
    for name in ("x" * 300, f"{'x' * 300}.yaml:small", ":", "a b", "\\u001b[31m"):
        lock.write_text(text.replace('"net.yaml"', f'"{name}"'))
        result = check("--locked")
        assert result.exit_code == 1
        assert "is in archlens.lock but no longer exists." in result.stdout
        assert "\x1b" not in result.stdout


def test_a_figure_that_was_taken_out_of_the_lock_is_missed(sample: Path) -> None:
    """Else a line less would loosen the ratchet; and `--update` puts it back."""
    check("models/digits.yaml", "--update")
    lock = Path("archlens.lock")
    before = lock.read_text()
    lock.write_text(before.replace("params = 1546\n", ""))
    result = check("models/digits.yaml", "--locked")
    assert result.exit_code == 1
    assert "models/digits.yaml: params is 1,546, and is not in the lock file" in result.stdout
    data = json.loads(check("models/digits.yaml", "--locked", "--format", "json").stdout)
    (change,) = data["networks"][0]["lock"]["changes"]
    assert (change["locked"], change["value"], change["percent"], change["held"]) == (None, 1546, None, False)
    lock.write_text(re.sub(r"(?m)^\w+ = (?!\"archlens).*\n", "", before))  # a table and nothing in it
    assert check("models/digits.yaml", "--locked", "--tolerance", "99 %").exit_code == 1
    assert check("models/digits.yaml", "--update").exit_code == 0
    assert lock.read_text() == before


def test_an_update_is_told_in_the_form_that_was_asked_for(folder: Path) -> None:
    write("net.yaml", SMALL)
    data = json.loads(check("net.yaml", "--update", "--format", "json").stdout)
    assert [one["name"] for one in data["networks"]] == ["net.yaml"]
    assert ElementTree.fromstring(
        check("net.yaml", "--update", "--format", "junit").stdout.partition("\n")[2]
    ).get("tests") == "0"  # fmt: skip
    check("net.yaml", "--update", "-o", "said.txt")
    assert Path("said.txt").read_text() == "1 network: written to archlens.lock.\n"


# --- fingerprints ----------------------------------------------------------------------------------

BASE = """\
input: 3x16x16
layers:
  - stem: conv(8, 3, padding=1)
  - body:
      - residual:
          - conv(8, 3, padding=1)
          - relu
  - head: linear(4)
""".replace("  - head: linear(4)", "  - head: conv(4, 1)")


def prints(text: str) -> str:
    return structure.fingerprint(archlens.loads(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [("stem", "start"), ("body", "trunk"), ("input: 3", "title: other\ninput: 3"),
     ("conv(8, 3, padding=1)", "conv(8, (3, 3), padding=(1, 1))"),
     ("conv(8, 3, padding=1)", "conv(8, 3, 1, 1, 1)")],
)  # fmt: skip
def test_fingerprint_knows_no_names(old: str, new: str) -> None:
    assert old in BASE
    assert prints(BASE.replace(old, new)) == prints(BASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [("3x16x16", "3x17x17"), ("conv(8, 3, padding=1)", "conv(8, 5, padding=2)"), ("relu", "tanh"),
     ("conv(4, 1)", "conv(5, 1)"), ("residual", "dense"), ("          - relu\n", ""),
     ("conv(4, 1)", "conv(4, 1, bias=false)")],
)  # fmt: skip
def test_fingerprint_knows_structure(old: str, new: str) -> None:
    assert old in BASE
    assert prints(BASE.replace(old, new)) != prints(BASE)


def test_fingerprint_knows_wiring() -> None:
    """The same layers, and another skip."""
    text = "input: 3x8x8\nlayers:\n  - a: conv(3, 1)\n  - b: conv(3, 1)\n  - add: [ref(a), identity]\n"
    other = text.replace("[ref(a), identity]", "[ref(b), identity]")
    assert prints(text) != prints(other)


def test_fingerprint_is_the_documented_text() -> None:
    """Written by hand after the documentation, and hashed with hashlib: no machine and no version enters."""
    import hashlib

    text = (
        "archlens.structure/1\n"
        "in 1x8x8\n"
        "conv channels=8 kernel=3 <- -1 -> 8x6x6\n"
        "relu <- 0 -> 8x6x6\n"
        "flatten <- 1 -> 288\n"
        "linear features=4 <- 2 -> 4\n"
        "out 3\n"
    )
    network = archlens.loads(SMALL)
    assert structure.canonical(network) == text
    assert structure.fingerprint(network) == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


# --- TOML ------------------------------------------------------------------------------------------

_SCALARS = st.text(max_size=6) | st.integers(-99, 99) | st.booleans() | st.dates()
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def _written(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml.key([k])} = {_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[ # a comment ]\n" + ",\n ".join(map(_written, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return toml.quoted(value) if isinstance(value, str) else str(value)


def _paths(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _paths(inner, (*path, str(number)))
    else:
        yield path, value


@given(
    st.dictionaries(st.text(max_size=5), _VALUES, max_size=4),
    st.dictionaries(st.text(max_size=5), _VALUES, max_size=3),
)
@pytest.mark.slow
def test_places_of_any_toml(top: dict[str, object], table: dict[str, object]) -> None:
    """What stands at the place of a value is the value, by tomllib."""
    text = "".join(f"{toml.key([k])}   = {_written(v)} # end\n" for k, v in top.items() if k != "t")
    text += "[t . 'a.b']\n" + "".join(f"{toml.key([k])}={_written(v)}\n" for k, v in table.items())
    data, places = toml.read(Source("x.toml", text))
    for path, value in _paths(data):
        span = places.values[path]
        shown = span.source.lines[span.line - 1][span.column - 1 :][: span.width]
        assert tomllib.loads(f"x = {shown}")["x"] == value


def test_multi_line_texts_are_skipped() -> None:
    text = 'a = """\n[b]\nc = 1 ""\\" \\\\"""\nd = \'\'\'\n[e]\'\'\'\'\nf = 1 # g = 2\n'
    text += "[[h]]\ni = 1\n[[h]]\ni = 2\n"
    _, places = toml.read(Source("x.toml", text))
    assert {path: span.line for path, span in places.values.items()} == {
        ("a",): 1, ("d",): 4, ("f",): 6, ("h", "0", "i"): 8, ("h", "1", "i"): 10,
    }  # fmt: skip


# --- everything at once ----------------------------------------------------------------------------


def test_the_lock_file_has_the_whole_zoo() -> None:
    """With the parameters of the index; that neither is stale is tested where they are written."""
    root = Path(__file__).parents[1]
    families = json.loads((root / "specs" / "index.json").read_text("utf-8"))
    listed = {name: one["params"] for family in families.values() for name, one in family["networks"].items()}
    assert sorted(listed) == sorted(archlens.names())
    locked = lock.read(root) or {}
    names = [re.sub(r"^specs/(?:.*:|(.*)\.yaml$)", r"\1", key) for key in locked]
    found = {name: int(entry.figures["params"]) for name, entry in zip(names, locked.values(), strict=True)}
    assert found == listed


def test_files_of_the_zoo_are_the_zoo() -> None:
    """A file's variants are checked one by one, as the names of the zoo are."""
    path = library.directory() / "mobilenet_v1.yaml"
    result = check(str(path), "--params", "<= 5M")
    assert result.exit_code == 0
    assert result.stdout.count("params <= 5M") == len(library.open_spec(str(path)).variants)


def test_no_traceback_leaves_main(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["archlens", "check", "lenet5", "--params", "x"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


def test_documented_json_is_the_real_one(folder: Path) -> None:
    """The form in docs/budgets.md has the keys and the values of what comes out for its own example."""
    page = (Path(__file__).parents[1] / "docs" / "budgets.md").read_text("utf-8")
    (documented,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    (spec,) = re.findall(r"```yaml\n(# digits.yaml.*?)```", page, re.DOTALL)
    write("digits.yaml", spec)
    real = json.loads(check("digits.yaml", "--format", "json").stdout)
    shown = json.loads(documented)
    assert shown.keys() == real.keys()
    assert shown["networks"][0].keys() == real["networks"][0].keys()
    assert shown["networks"][0]["limits"][0] == real["networks"][0]["limits"][0]


def test_every_quantity_and_unit_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "budgets.md").read_text("utf-8")
    from archlens.limits import UNITS

    for name in QUANTITIES:
        assert f"| `{name}` |" in page
    for units in UNITS.values():
        assert all(re.search(rf"\b{unit}\b", page) for unit in units)


def test_check_warns_of_channels_that_stand_last(tmp_path: Path) -> None:
    spec = tmp_path / "turned.yaml"
    spec.write_text("{input: 224x224x3, layers: ['conv(4, 1)']}")
    result = CliRunner().invoke(cli, ["check", str(spec), "--params", "<= 1M"])
    assert result.exit_code == 0
    assert result.stderr.count("224x224x3 is read as 224 channels of 224x3") == 1
    assert "is read as" not in result.stdout


def test_a_pattern_takes_what_is_a_network_by_its_ending_or_its_start(folder: Path) -> None:
    files = {
        "a.cfg": "[net]\nwidth=8\nheight=8\nchannels=2\n[convolutional]\nfilters=3\nsize=1\n",
        "b.prototxt": 'input: "x"\ninput_shape { dim: 1 dim: 2 dim: 8 dim: 8 }\n'
        'layer { name: "a" type: "Convolution" bottom: "x" top: "y" '
        "convolution_param { num_output: 4 kernel_size: 1 } }\n",
        "c.json": json.dumps(
            {
                "class_name": "Sequential",
                "config": {
                    "layers": [
                        {"class_name": "InputLayer", "config": {"batch_shape": [None, 2], "name": "x"}},
                        {"class_name": "Dense", "config": {"units": 5, "name": "d"}},
                    ]
                },
            }
        ),
        "d.yaml": "nc: 1\nch: 2\nscales: {n: [1, 1, 6], s: [1, 1, 8]}\n"
        "backbone: [[-1, 1, Conv, [8, 1]]]\nhead: []\n",
        "setup.cfg": "[flake8]\nmax-line-length = 99\n",
        "solver.prototxt": 'net: "b.prototxt"\nbase_lr: 0.1\n',
        "words.json": '{"class": "Sequential"}',
        "README": "Networks.",
    }
    (folder / "nets").mkdir()
    for name, text in files.items():
        (folder / "nets" / name).write_text(text)
    for tables in (
        'files = ["nets/*"]\nparams = ">= 1"',
        'networks."nets/*".params = ">= 1"',
        'networks."nets/d.yaml:s".params = ">= 1"\nnetworks."nets/[abc].*".params = ">= 1"\n'
        'networks."nets/d.yaml".params = ">= 1"',
    ):
        (folder / "pyproject.toml").write_text(f"[tool.archlens.budgets]\n{tables}\n")
        found = json.loads(check("--format", "json").output)["networks"]
        params = {one["name"]: one["limits"][0]["value"] for one in found}
        assert params.pop("nets/d.yaml:n") == params.pop("nets/d.yaml:s") == 2 * 8 + 2 * 8
        assert params == {"nets/a.cfg": 2 * 3 + 3, "nets/b.prototxt": 2 * 4 + 4, "nets/c.json": 2 * 5 + 5}
