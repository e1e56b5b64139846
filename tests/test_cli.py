"""The command line: what it prints, where, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

import archlens
from archlens.analysis import batches, layouts, unseen
from archlens.cli import cli
from archlens.errors import render
from archlens.library import finding as library

from .running import apart as run
from .zoo import network


def start(*args: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """``python -m archlens``, from its start."""
    return subprocess.run(
        [sys.executable, "-m", "archlens", *args],
        capture_output=True, text=True, errors="replace", cwd=cwd, input="", timeout=600,
        env=os.environ | environment,
    )  # fmt: skip


def invoke(*args: str) -> Result:
    return CliRunner().invoke(cli, args)


def in_terminal(*args: str, columns: int = 100, **environment: str) -> str:
    """What a command prints to a real terminal of a given width."""
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "archlens", *args],
        stdin=subprocess.DEVNULL, stdout=follower, stderr=follower,
        env=os.environ | {"TERM": "xterm"} | environment,
    )  # fmt: skip
    os.close(follower)
    output = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        output += piece
    process.wait(60)
    os.close(leader)
    return output.decode().replace("\r\n", "\n")


@pytest.mark.slow
def test_shapes_from_any_folder(tmp_path: Path) -> None:
    result = start("shapes", "lenet5", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stderr == ""
    assert "(32 + 2*0 - 5)/1 + 1 = 28" in result.stdout
    assert "61,706  416,520" in result.stdout
    assert "\x1b" not in result.stdout


def test_formats_agree() -> None:
    """The same numbers in every form."""
    data = json.loads(invoke("shapes", "vgg16", "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(invoke("shapes", "vgg16", "--format", "csv").stdout)))
    assert [layer["name"] for layer in data["layers"]] == [row["layer"] for row in rows]
    assert [layer["macs"] for layer in data["layers"]] == [int(row["macs"]) for row in rows]
    for form in ("table", "markdown"):
        assert "15,470,264,320" in invoke("shapes", "vgg16", "--format", form).stdout


def test_terminal_is_coloured_and_fitted() -> None:
    text = in_terminal("shapes", "vgg16", columns=90)
    assert "\x1b[1m" in text
    plain = re.sub(r"\x1b\[\d+m", "", text).split("\n")
    assert max(map(len, plain)) <= 90
    assert "\x1b" not in in_terminal("shapes", "vgg16", NO_COLOR="1")
    assert "\x1b" not in in_terminal("shapes", "vgg16", TERM="dumb")
    assert "\x1b[31m" in in_terminal("shapes", "lenet5", "--input", "1x8x8")


def test_pipe_respects_columns() -> None:
    result = run("shapes", "vgg16", COLUMNS="70")
    assert max(map(len, result.stdout.splitlines())) <= 70


def test_failing_layer_still_prints_what_came_before() -> None:
    for output in ((), ("-o", "-")):
        result = run("shapes", "lenet5", "--input", "1x12x12", *output)
        assert result.returncode == 1
        assert "error: C3 does not fit: its 5x5 window is larger than its 4x4 input" in result.stderr
        assert "C1" in result.stdout
        assert "up to here" in result.stdout
        assert "F6" not in result.stdout


@pytest.mark.parametrize("form", ["json", "csv"])
def test_failing_layer_gives_programs_nothing(form: str) -> None:
    result = run("shapes", "lenet5", "--input", "1x12x12", "--format", form)
    assert (result.returncode, result.stdout) == (1, "")


@pytest.mark.slow
def test_warnings_go_to_standard_error_and_are_bounded() -> None:
    result = run("shapes", "alexnet_keras", "--format", "json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["totals"]["params"] > 0
    assert "(224 - 11)/4 + 1 = 54.25 is not whole" in result.stderr
    assert "warning: and 1 more layer like it" in result.stderr


#: Networks whose own input does not divide evenly: 224 without padding, by 4 or by 2.
UNEVEN = {
    "alexnet_keras": "(224 - 11)/4 + 1 = 54.25 is not whole",
    "nin_imagenet": "(224 - 11)/4 + 1 = 54.25 is not whole",
    "nasnet_a_mobile": "(224 - 3)/2 + 1 = 111.5 is not whole",
    "squeezenet1_0": "(224 - 7)/2 + 1 = 109.5 is not whole",
    "squeezenet1_1": "(224 - 3)/2 + 1 = 111.5 is not whole",
}


@pytest.mark.parametrize("name", archlens.names())
def test_published_inputs_give_no_warning(name: str) -> None:
    """At its own input no network of the zoo drops a position that it sees, but for those known to do so.

    Nor do its channels seem to stand last.
    """
    found = [problem for warning in (layouts, unseen, batches) for problem in warning.find(network(name))]
    if name in UNEVEN:
        assert UNEVEN[name] in " ".join(map(render, found))
    else:
        assert found == []


@pytest.mark.parametrize("name", [*UNEVEN, "lenet5"])
def test_the_command_gives_these_warnings(name: str) -> None:
    result = invoke("shapes", name)
    assert result.exit_code == 0
    if name in UNEVEN:
        assert UNEVEN[name] in result.stderr
    else:
        assert result.stderr == ""


def test_options_change_the_network() -> None:
    data = json.loads(
        invoke(
            "shapes", "mobilenet_v1", "--set", "alpha=0.5", "--input", "3x160x160", "--format", "json"
        ).stdout
    )
    assert data["input"] == [3, 160, 160]
    assert (data["values"]["alpha"], data["values"]["resolution"]) == (0.5, 224)
    assert round(data["totals"]["macs"] / 1e6) == 77  # TensorFlow slim, mobilenet_v1.md
    same = invoke(
        "shapes", "resnet", "--set", "block=bottleneck", "--set", "depths=[3, 4, 6, 3]", "--format", "json"
    )
    assert json.loads(same.stdout)["totals"]["params"] == 25_557_032


def test_several_inputs(tmp_path: Path) -> None:
    spec = tmp_path / "two.yaml"
    spec.write_text("input: {a: 3x8x8, b: 1x8x8}\nlayers:\n  - concat: [ref(a), ref(b)]\n")
    result = invoke("shapes", str(spec), "--input", "a=5x8x8", "--columns", "layer,output")
    assert "6x8x8" in result.stdout
    assert run("shapes", str(spec), "--input", "5x8x8").returncode == 2


def test_depth_and_fold() -> None:
    text = invoke("shapes", "resnet50", "--depth", "2", "--fold").stdout
    assert "layer3.1..5 x5" in text
    assert "25,557,032" in text
    assert invoke("shapes", "resnet50", "--depth", "0").exit_code == 2


@pytest.mark.slow
def test_output_file_is_whole_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "lenet.md"
    assert run("shapes", "lenet5", "--format", "markdown", "-o", str(target)).stdout == ""
    assert "**61,706**" in target.read_text()
    target.write_text("old")
    failed = run("shapes", "lenet5", "--input", "1x8x8", "-o", str(target))
    assert (failed.returncode, failed.stdout, target.read_text()) == (1, "", "old")
    assert [path.name for path in tmp_path.iterdir()] == ["lenet.md"]
    for place in (tmp_path, tmp_path / "missing" / "file"):
        result = run("shapes", "lenet5", "-o", str(place))
        assert result.returncode == 2
        assert "cannot be written" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_output_through_a_link_leaves_the_link(tmp_path: Path) -> None:
    for name in ("there", "not_yet"):
        (tmp_path / "real").mkdir(exist_ok=True)
        link, file = tmp_path / f"{name}.txt", tmp_path / "real" / f"{name}.txt"
        link.symlink_to(Path("real", f"{name}.txt"))
        if name == "there":
            file.write_text("before")
        assert run("shapes", "lenet5", "-o", str(link)).returncode == 0
        assert link.is_symlink()
        assert file.read_text("utf-8").startswith("LeNet-5")
        assert [path.name for path in tmp_path.glob(".archlens-*")] == []


def test_output_file_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "shared.txt"
    target.write_text("old")
    target.chmod(0o640)
    run("shapes", "lenet5", "-o", str(target))
    assert target.stat().st_mode & 0o777 == 0o640


def test_explain() -> None:
    text = invoke("explain", "mobilenet_v1", "features.0").stdout
    assert text.count("features.0.") == 6 + 5  # six layers, of which five read one inside the scope
    assert "(112 + 1 + 1 - 3)/1 + 1 = 112" not in text  # symmetric padding is written 2p
    assert "(112 + 2*1 - 3)/1 + 1 = 112" in text
    whole = invoke("explain", "alexnet_2012", "pool1").stdout
    assert "none: nothing is learned" in whole
    dropped = invoke("explain", "alexnet_2012", "conv1", "--input", "3x224x224").stdout
    assert "rounded down: the last 1 of the 224 input positions is in no window" in dropped
    ceil = invoke("explain", "googlenet", "maxpool1").stdout
    assert "rounded up: the last window reaches 1 beyond the end" in ceil
    assert "floor((224 + 2*3 - 7)/2) + 1 = 112" in invoke("explain", "resnet18", "conv1").stdout


def test_explain_unknown_layer() -> None:
    result = run("explain", "lenet5", "C9")
    assert result.returncode == 2
    assert "lenet5 has no layer C9" in result.stderr
    assert run("explain", "resnet50", "layer9").returncode == 2


def test_list() -> None:
    text = invoke("list").stdout
    assert all(name in text for name in archlens.names())
    assert invoke("list", "vgg*_bn").stdout.count("\n") == 2 + 4
    data = json.loads(invoke("list", "lenet5", "--format", "json").stdout)
    assert [(entry["name"], entry["year"]) for entry in data["networks"]] == [
        ("lenet5", 1998),
        ("lenet5_1998", 1998),
        ("lenet5_keras", 1998),
    ]
    missing = run("list", "resnets")
    assert missing.returncode == 2
    assert "no network matches resnets" in missing.stderr


def test_show_is_the_file() -> None:
    path = library.directory() / "resnet.yaml"
    assert run("show", "resnet50").stdout == path.read_text("utf-8")
    coloured = in_terminal("show", "resnet50")
    assert "\x1b[" in coloured


def test_standard_input() -> None:
    result = run("shapes", "-", "--format", "json", stdin=b"input: 1x8x8\nlayers: ['conv(2, 3)']\n")
    assert json.loads(result.stdout)["layers"][0]["output"] == [2, 6, 6]


@pytest.mark.slow
def test_file_with_variants(tmp_path: Path) -> None:
    spec = tmp_path / "my.yaml"
    spec.write_text(
        "input: 1x8x8\nparams: {n: }\nlayers: ['conv(n, 3)']\nvariants: {small: {n: 2}, large: {n: 9}}\n"
    )
    assert "9x6x6" in invoke("shapes", f"{spec}:large").stdout
    assert "7x6x6" in invoke("shapes", str(spec), "--set", "n=7").stdout
    result = run("shapes", str(spec))
    assert result.returncode == 2
    assert "my needs a value for n" in result.stderr
    assert "my is a family: small, large" in result.stderr
    assert "did you mean large?" in run("shapes", f"{spec}:larg").stderr


def test_no_other_spec_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of the zoo leads to one file, and to those that it uses."""
    parsed = []
    real = library.parse
    monkeypatch.setattr(
        library, "parse", lambda text, **given: parsed.append(given["name"]) or real(text, **given)
    )
    library._family.cache_clear()
    library._alone.cache_clear()
    library.find("vgg16_bn")
    library.find("lenet5_1998")
    library.find("fcn_resnet50")
    assert parsed == ["vgg", "lenet5_1998", "fcn", "resnet"]


@pytest.mark.parametrize(
    "args", [[], ["--help"], ["-h"], ["shapes", "--help"], ["list", "-h"], ["--version"]]
)
@pytest.mark.slow
def test_help(args: list[str]) -> None:
    result = run(*args)
    assert "Traceback" not in result.stderr
    assert result.returncode == (0 if args else 2)


@pytest.mark.parametrize(
    "args",
    [
        ["shapez", "lenet5"],
        ["shapes"],
        ["shapes", "lenet5", "--format", "xml"],
        ["shapes", "lenet5", "--columns", "layer,parms"],
        ["shapes", "lenet5", "--depth", "x"],
        ["shapes", "lenet5", "extra"],
    ],
)
@pytest.mark.slow
def test_wrong_usage(args: list[str]) -> None:
    result = run(*args)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr


def test_closed_pipe() -> None:
    """``archlens shapes resnet152 | head -1`` ends quietly."""
    process = subprocess.run(
        f"{sys.executable} -m archlens shapes resnet152 | head -1", shell=True, capture_output=True, text=True
    )
    assert process.stderr == ""


def test_a_stream_that_cannot_show_everything(tmp_path: Path) -> None:
    spec = tmp_path / "größe.yaml"
    spec.write_text("title: größe →\ninput: 1x8x8\nlayers: ['conv(2, 3)']\n", "utf-8")
    result = start("shapes", str(spec), PYTHONIOENCODING="iso-8859-1")
    assert result.returncode == 0
    assert "\\u2192: input 1x8x8" in result.stdout


def test_completion() -> None:
    complete = ShellComplete(cli, {}, "archlens", "_ARCHLENS_COMPLETE")
    found = [item.value for item in complete.get_completions(["shapes"], "resnet1")]
    assert all(name.startswith("resnet1") for name in found)
    plain = ["resnet18", "resnet101", "resnet152"]  # numbers in their order
    assert [name for name in found if name in plain] == plain
    layers = [item.value for item in complete.get_completions(["explain", "lenet5"], "C")]
    assert layers == ["C1", "C3", "C5"]
    assert [item.type for item in complete.get_completions(["shapes"], "./my")] == ["file"]


def test_python_m() -> None:
    assert run("--version").stdout == f"archlens, version {archlens.__version__}\n"
