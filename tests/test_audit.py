"""Published tables beside what is computed: how they are read, what agrees, and why the rest does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from torch import nn

import archlens
from archlens.analysis import audit
from archlens.analysis.printed_rows import MAX_BYTES, MAX_ROWS, PrintedRow, read
from archlens.cli import cli
from archlens.errors import UsageError

#: Rows of timm's own table, whose figures are fvcore's.
TIMM = Path(__file__).with_name("data") / "timm_table.csv"


def ran(*args: str) -> Result:
    return CliRunner().invoke(cli, ["audit", *args])


def rows_of(*args: str) -> list[Any]:
    found: list[Any] = json.loads(ran(*args, "--format", "json").stdout)["rows"]
    return found


@pytest.mark.slow
def test_timms_table_is_explained_but_for_four_figures() -> None:
    """LeViT and RepVGG are printed with their normalizations folded into the convolutions.

    With timm 1.0.22 ``reparameterize_model`` leaves 7,756,466, 8,309,384 and 18,856,276 parameters.
    """
    rows = rows_of(str(TIMM), "--decimals", "2")
    assert len(rows) > 50
    assert not [row["problem"] for row in rows if row["problem"]]
    unexplained = [
        (row["name"], one["what"])
        for row in rows
        for one in row["figures"]
        if "unexplained" in one["verdict"]
    ]
    assert unexplained == [
        ("levit_128s", "params"), ("repvgg_a0", "params"), ("repvgg_a0", "macs"), ("levit_256", "params"),
    ]  # fmt: skip
    tools = [one["cause"]["tool"] for row in rows for one in row["figures"] if one["cause"]]
    assert tools.count("fvcore") > 30
    assert [tool for tool in tools if tool != "fvcore"] == [
        None
    ]  # inception_v3, without the head for training


class Same(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 8, 5, padding="same"), nn.ReLU(), nn.Conv2d(8, 4, 3, stride=2))


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.norm(self.conv(x)).mean((2, 3)))  # type: ignore[no-any-return]


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 8, 3, padding="same"), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).mean((2, 3)))  # type: ignore[no-any-return]


class Rows(nn.Module):
    """As timm's Sequencer: an LSTM over each row of a map, whose rows stand in the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 2, stride=2)
        self.lstm = nn.LSTM(8, 6, batch_first=True, bidirectional=True)
        self.norm, self.fc = nn.LayerNorm(12), nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).permute(0, 2, 3, 1)
        batch, height, width, channels = x.shape
        y, _ = self.lstm(x.reshape(-1, width, channels))
        return self.fc(self.norm(y.reshape(batch, height, width, -1)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Same, "aten::_convolution_mode"),
        (Mean, "x.mean((2, 3))"),
        (Both, "_convolution_mode"),
        (Rows, "nn.LSTM"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_fvcore_overlooks_is_what_it_prints(module: type[nn.Module], said: str) -> None:
    """To the last digit, of modules in the forms in which timm's have these."""
    from fvcore.nn import FlopCountAnalysis  # which warns when it is imported

    made = module().eval()
    counter = FlopCountAnalysis(made, torch.zeros(1, 3, 12, 12))
    counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    printed = int(counter.total())
    network = archlens.trace(made, (3, 12, 12))
    assert printed != network.macs
    row = PrintedRow("net", (), {"macs": f"{printed:,}"}, read("model,macs\nnet,1", "a.csv")[0].span)
    [figure] = audit.settle([audit.compare(row, network)])[0].figures
    assert figure.verdict == "different, explained"
    assert [(one.tool, one.value, one.fault) for one in figure.causes] == [("fvcore", printed, True)]
    assert said in figure.causes[0].says


def test_a_figure_means_its_printed_digits(tmp_path: Path) -> None:
    """resnet50 has 25,557,032 parameters and 4,089,184,256 MACs, as torchvision says."""
    table = tmp_path / "a.csv"

    def verdicts(params: str, macs: str, *args: str) -> list[str]:
        table.write_text(f"name,params (M),MACs (G)\nresnet50,{params},{macs}\n")
        [row] = rows_of(str(table), *args)
        return [one["verdict"].removeprefix("equal to the ") for one in row["figures"]]

    assert verdicts("25.557", "4.1") == ["printed digits"] * 2
    assert verdicts("25.56", "4.09") == ["printed digits"] * 2
    assert verdicts("25.55", "4.08") == ["different, unexplained"] * 2
    assert verdicts("25.558", "4.0892") == ["different, unexplained", "printed digits"]
    assert verdicts("25557032", "4.09")[0] == "different, unexplained"  # millions of them
    assert verdicts("25.6", "4.1", "--decimals", "2") == ["different, unexplained"] * 2
    assert verdicts("25557.032k", "4089184256e0") == ["equal", "equal"]
    table.write_text("name,params,flops\nlenet5,61706,416520\nlenet5,61.706k,833040\nlenet5,-,\n")
    first, second, third = rows_of(str(table))
    assert [one["verdict"] for one in first["figures"]] == ["equal", "different, explained"]
    assert first["figures"][1]["cause"]["why"].startswith("these are MACs")
    assert [one["verdict"] for one in second["figures"]] == ["equal", "equal"]
    assert third["figures"] == []


def test_a_table_is_of_one_tool(tmp_path: Path) -> None:
    """What only another tool gives may be an accident, and fvcore and thop print these of ResNets."""
    table = tmp_path / "a.csv"
    rows = ["resnet50,4111512576", "resnet18,1819065856", "resnet50,4133742592"]
    table.write_text("name,macs\n" + "\n".join(rows) + "\n")
    found = [row["figures"][0] for row in rows_of(str(table))]
    assert [one["cause"] and one["cause"]["tool"] for one in found] == ["fvcore", "fvcore", None]
    assert found[2]["verdict"] == "different, unexplained"
    table.write_text("name,macs\n" + rows[2] + "\n")
    assert rows_of(str(table))[0]["figures"][0]["cause"]["tool"] == "thop"


def test_halves_agree_with_both_roundings() -> None:
    def verdict(printed: str, computed: int) -> str:
        return audit.agrees(printed, computed)

    assert verdict("4.1G", 4_050_000_000) == verdict("4.1G", 4_150_000_000) == audit.ROUNDED
    assert verdict("4.1G", 4_049_999_999) == verdict("4.1G", 4_150_000_001) == ""


@pytest.mark.parametrize(
    ("head", "role", "cell", "expected"),
    [
        ("Params (M)", "params", "25.6", "25.6M"),
        ("#Params", "params", "1,234", "1,234"),
        ("param_count", "params", "1,014.45", "1,014.45M"),
        ("GMACs", "macs", "4.1", "4.1G"),
        ("infer_gmacs", "macs", "4", "4G"),
        ("Mult-Adds [M]", "macs", "569", "569M"),
        ("FLOPs_B", "flops", "8.2", "8.2B"),
        ("FLOPs", "flops", "8.2 GFLOPs", ""),
        ("MFLOPs", "flops", "12", "12M"),
        ("macs", "macs", "4.1e9", "4.1e9"),
        ("macs", "macs", "4.1 G", "4.1 G"),
    ],
)
def test_units_are_those_of_the_cell_or_of_the_head(head: str, role: str, cell: str, expected: str) -> None:
    text = f'Model;{head}\nnet;"{cell}"\n'
    if not expected:
        with pytest.raises(UsageError, match="is not a number of FLOPs"):
            read(text, "a.csv")
        return
    [row] = read(text, "a.csv")
    assert row.figures == {role: expected}


def test_inputs_are_one_size_two_or_all(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    sizes = ["", "160", "160x192", "3x160x192", '"(3, 160, 192)"']
    table.write_text("name,input,params\n" + "".join(f"resnet18,{size},11689512\n" for size in sizes))
    found = [row["inputs"] for row in rows_of(str(table))]
    last = {"input": [3, 160, 192]}
    assert found == [{"input": [3, 224, 224]}, {"input": [3, 160, 160]}, last, last, last]
    table.write_text("name,input,params\nt5_small,8,1\nlenet5,3,1\n")
    told = [row["problem"] for row in rows_of(str(table))]
    assert [bool(one) for one in told] == [True, True]


def test_the_exit_code_says_whether_all_is_explained(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    for text, code in (
        ("lenet5,61706", 0), ("lenet5,61707", 1), ("lenet,61706", 1), ("lenet5,", 0),
    ):  # fmt: skip
        table.write_text(f"name,params\n{text}\n")
        assert ran(str(table)).exit_code == code, text
    table.write_text("name,params\nlenet,61706\nlenet5,61706\n")
    assert "the zoo has no network lenet; did you mean lenet5" in " ".join(ran(str(table)).output.split())
    assert ran(str(table), "--only", "lenet5").exit_code == 0
    assert "61,706" not in ran(str(table), "--differing").output
    github = ran(str(table), "--format", "github").output
    assert f"::error file={table},line=2,col=1,endColumn=6,title=lenet::the zoo has no network" in github


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n", "no column is known to hold names"),
        ("a,b\n1,2\n", "no column is known to hold names"),
        ("name,b\n1,2\n", "no column is known to hold figures"),
        ("name,params\nlenet5\n", "the table has 2 columns, and the row 1"),
        ("name,params\n,5\n", "the row names no network"),
        ("name,params\nlenet5,five\n", "five is not a number of params"),
        ("name,params\nlenet5,-5\n", "-5 is not a number of params"),
        ("name,params\nlenet5,5.5\n", "5.5 has a decimal point but no unit"),
        ("name,params (M)\nlenet5,1.2.3\n", "1.2.3 is not a number of params"),
        ("name,params,input\nlenet5,5,big\n", "big is not a size of an input"),
        ("name,params,input\nlenet5,5,0\n", "0 is not a size of an input"),
        ('name,params\n"lenet5,5\n', "this is not a row of a CSV file"),
        ("name,params\nlen\0et5,5\n", ""),
        ("name,params\n" + "lenet5,5\n" * (MAX_ROWS + 1), f"more than {MAX_ROWS:,} rows"),
        ("name,params" + ",x" * 600 + "\n", "a row has 602 cells"),
        ("name,params\n" + "9" * 200_000 + ",1\n", "this is not a row of a CSV file"),
        (f"name,params\nlenet5,{'9' * 5000}\n", "is not a number of params"),
        ("name,params\nlenet5," + "9" * 90 + "\n", ""),
        ("a" * (MAX_BYTES + 1), "no more than"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    table = tmp_path / "a.csv"
    table.write_text(text)
    done = ran(str(table))
    assert done.exit_code in (1, 2)
    assert isinstance(done.exception, UsageError | SystemExit), done.exception
    assert said in f"{done.exception}{done.output}"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--column", "macs"], "does not say what a column holds"),
        (["--column", "depth=name"], "does not say what a column holds"),
        (["--column", "macs=compute"], "no column is called compute"),
        (["--only", "vgg*"], "has no row whose name matches vgg*"),
        (["--from", "net.yaml"], "is the same for each row"),
        (["--from", "{name}:Net"], "lets the table say which code runs"),
        (["--from", "{name}.py:Net"], "lets the table say which code runs"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, args: list[str], said: str) -> None:
    table = tmp_path / "a.csv"
    table.write_text("name,params\nlenet5,5\n")
    done = ran(str(table), *args)
    assert said in str(done.exception)
    assert said in str(ran(str(table), *args).exception)
    assert "cannot be read" in str(ran(str(tmp_path / "none.csv")).exception)
    (tmp_path / "latin.csv").write_bytes(b"name,params\nlenet5,5\ncaf\xe9,1\n")
    assert "is not UTF-8: line 3" in str(ran(str(tmp_path / "latin.csv")).exception)


MODULES = """
import torch
from torch import nn


def small(width=4):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Conv2d(width, 2, 3))


def by_name(kind):
    return small({"thin": 2, "wide": 8}[kind])


def harm():
    raise SystemExit("ran")
"""


def test_networks_come_from_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of a table fill a place in what the user names, and nothing else runs."""
    monkeypatch.chdir(tmp_path)
    Path("own_models.py").write_text(MODULES)
    Path("spec.yaml").write_text("input: 1x8x8\nlayers: ['conv(2, 3)']\n")
    Path("a.csv").write_text("model,params,input\nsmall,186,3x8x8\nabsent,1,3x8x8\n")
    small, absent = rows_of("a.csv", "--from", "own_models.py:{name}")
    assert small["figures"][0]["verdict"] == "equal"  # 3*4*9 + 4 + 4*2*9 + 2
    assert "has no absent" in absent["problem"]
    Path("a.csv").write_text("model,params,input\nthin,94,3x8x8\nwide,370,3x8x8\n")
    found = rows_of("a.csv", "--from", "own_models.py:by_name", "--set", "kind={name}")
    assert [row["figures"][0]["verdict"] for row in found] == ["equal", "equal"]
    Path("a.csv").write_text("model,params\nspec,20\n../spec,20\nown_models.py:harm,1\n")
    spec, *others = rows_of("a.csv", "--from", "{name}.yaml")
    assert spec["figures"][0]["verdict"] == "equal"
    assert all("is not a name that can be used in" in row["problem"] for row in others)
    # without --from a table names no file and no code
    Path("a.csv").write_text("model,params\nspec.yaml,20\nown_models.py:harm,1\nown_models:harm,1\n")
    assert all("the zoo has no network" in row["problem"] for row in rows_of("a.csv"))
