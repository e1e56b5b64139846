"""Budgets as tests: the pytest plugin, the assertions, and the sample project run as its user would."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

import archlens
from archlens.errors import UsageError
from archlens.testing import assert_budget, assert_shapes

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "tests" / "sample"


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(SAMPLE, tmp_path, dirs_exist_ok=True)
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_pytest(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Pytest in a fresh process, with the plugin as an installation would load it."""
    return _run(["-m", "pytest", *OPTIONS, *args], cwd)


INSTALLED = any(one.name == "archlens" for one in entry_points(group="pytest11"))
#: Without other plugins, of which hypothesis alone takes longer to import than all else.
OPTIONS = [
    *([] if INSTALLED else ["-p", "archlens.integrations.pytest_plugin"]),
    "-p", "no:hypothesispytest", "-p", "no:xdist", "-p", "no:cacheprovider", "-q",
]  # fmt: skip

#: Runs pytest several times in one process, which imports but once what the tests import, such as torch.
TIMES = "import json, pytest, sys\nfor args in json.loads(sys.argv[1]): pytest.main(args); print(chr(0))"


def run_pytest_on_each(*args: list[str]) -> list[str]:
    """What pytest prints of each, all in one fresh process."""
    return _run(["-c", TIMES, json.dumps([[*OPTIONS, *one] for one in args])], None).stdout.split("\0\n")[:-1]


def _run(command: list[str], cwd: Path | None) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    clean["PYTHONPATH"] = f"{ROOT}{os.pathsep}{clean.get('PYTHONPATH', '')}"
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=cwd, env=clean, timeout=600
    )


def outcome(result: subprocess.CompletedProcess[str]) -> str:
    """``3 failed, 9 passed``."""
    return re.sub(r" in .*", "", result.stdout.strip().splitlines()[-1])


def test_entry_point_is_declared() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"archlens": "archlens.integrations.pytest_plugin"}


@pytest.mark.slow
def test_each_limit_of_the_sample_is_a_test(sample: Path) -> None:
    result = run_pytest("--junit-xml=out.xml", "-W", "error")
    assert (result.returncode, outcome(result)) == (1, "4 failed, 9 passed")
    assert "Traceback" not in result.stdout
    cases = {case.get("name"): case for case in ElementTree.parse("out.xml").getroot().iter("testcase")}
    assert len(cases) == 10 - 2 + 3  # two limits are on both networks, under the same name
    failed = {name for name, case in cases.items() if case.find("failure") is not None}
    assert failed == {"macs <= 1M", "classifier: params <= 30 %", "params <= 100k", "test_wide"}
    assert (
        "models/wide.yaml: params is 111,498, and should be <= 100k (11,498 = 11.5 % too much), "
        "set by models/wide.yaml:15\n  classifier: 92,170 = 82.7 %\n  features: 19,328 = 17.3 %\n"
    ) in result.stdout


@pytest.mark.slow
def test_the_plugin_says_what_the_command_says(sample: Path) -> None:
    """The same limits under the same names, with the same verdicts, by the JUnit XML of both."""
    project = Path("pyproject.toml")
    project.write_text(
        project.read_text().replace("1k..2k", "1k - 2k")
        + '[tool.archlens.budgets."mobilenet_v3*"]\nmacs = "<= 100M"\n'
    )
    run_pytest("--junit-xml=pytest.xml", "pyproject.toml")
    command = [sys.executable, "-m", "archlens", "check", "--format", "junit", "-o", "check.xml"]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)

    def verdicts(path: str) -> list[tuple[str | None, bool]]:
        cases = ElementTree.parse(path).getroot().iter("testcase")
        return sorted((case.get("name"), case.find("failure") is None) for case in cases)

    assert verdicts("pytest.xml") == verdicts("check.xml")
    assert len(verdicts("check.xml")) == 10 + 2 * 2  # both have a classifier, too
    assert ("params in 1k - 2k", True) in verdicts("check.xml")
    assert ("macs <= 100M", False) in verdicts(
        "check.xml"
    )  # mobilenet_v3_large: torchvision says 0.217 GMACs


@pytest.mark.slow
@pytest.mark.slow
def test_what_is_collected(sample: Path) -> None:
    """By default all; with a path what lies in it; and one limit by its own name."""
    counts = {
        "": 13,
        ".": 13,
        "tests": 3,
        "tests/test_models.py": 3,
        "pyproject.toml": 10,
        "pyproject.toml::models/digits.yaml": 6,
        "pyproject.toml::models/wide.yaml::params <= 100k": 1,
        "-k=digits and params": 2,
        "-m=archlens_budget": 10,
        "-m=not archlens_budget": 3,
    }
    outputs = run_pytest_on_each(
        *(["--collect-only", "--strict-markers", *filter(None, [arg])] for arg in counts)
    )
    for (arg, count), output in zip(counts.items(), outputs, strict=True):
        assert f"{count}" in re.findall(r"(\d+)(?:/\d+)? tests? collected", output), (arg, output)


@pytest.mark.slow
def test_testpaths_leave_the_budgets_in(sample: Path) -> None:
    project = Path("pyproject.toml")
    project.write_text(project.read_text() + 'testpaths = ["tests"]\n')
    assert outcome(run_pytest()) == "4 failed, 9 passed"


@pytest.mark.slow
def test_inactive_unless_asked_for(sample: Path) -> None:
    project = Path("pyproject.toml")
    for line in ("", "archlens_budget = false", 'archlens_budget = ""'):
        project.write_text(
            project.read_text().partition("[tool.pytest")[0] + f"[tool.pytest.ini_options]\n{line}\n"
        )
        assert outcome(run_pytest()) == "1 failed, 2 passed"


@pytest.mark.slow
def test_names_and_files(sample: Path) -> None:
    project = Path("pyproject.toml")
    text = project.read_text()
    project.write_text(text.replace("archlens_budget = true", 'archlens_budget = ["models/digits.yaml"]'))
    assert outcome(run_pytest("pyproject.toml")) == "6 passed"
    spec = Path("models/digits.yaml")
    spec.write_text(f"{spec.read_text()}\nvariants:\n  small:\n  large:\n")
    project.write_text(
        text.replace("archlens_budget = true", 'archlens_budget = ["models/digits.yaml:small"]')
    )
    assert outcome(run_pytest("pyproject.toml")) == "6 passed"
    assert outcome(run_pytest("../pyproject.toml", cwd=Path("tests"))) == "6 passed"
    spec.write_text(spec.read_text().partition("\nvariants")[0])
    project.write_text(text.replace("archlens_budget = true", 'archlens_budget = ["lenet5"]'))
    result = run_pytest("pyproject.toml")
    assert outcome(result) == "1 failed"
    assert "Nothing was checked" in result.stdout


@pytest.mark.slow
def test_pytest_ini(sample: Path) -> None:
    project = Path("pyproject.toml")
    project.write_text(project.read_text().partition("[tool.pytest")[0])
    Path("pytest.ini").write_text("[pytest]\narchlens_budget = true\n")
    assert outcome(run_pytest()) == "4 failed, 9 passed"
    assert outcome(run_pytest("pytest.ini")) == "3 failed, 7 passed"


def test_without_a_file_there_is_nothing_to_collect(tmp_path: Path) -> None:
    """Asked for on the command line, and no file to stand in for the budgets: that is said, not ignored."""
    (tmp_path / "test_x.py").write_text("def test_x(): pass\n")
    result = run_pytest("-o", "archlens_budget=true", cwd=tmp_path)
    assert result.returncode == 4
    assert "archlens_budget needs a pyproject.toml or a pytest.ini" in result.stderr


@pytest.mark.slow
def test_specs_alone(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\narchlens_budget = yes\n")
    (tmp_path / "net.yaml").write_text("input: 1x8x8\nlayers: ['conv(2, 3)']\nbudget: {params: <= 20}\n")
    result = run_pytest(cwd=tmp_path)
    assert (result.returncode, outcome(result)) == (0, "1 passed")


@pytest.mark.slow
def test_nothing_to_check_fails(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\narchlens_budget = true\n")
    result = run_pytest(cwd=tmp_path)
    assert (result.returncode, outcome(result)) == (1, "1 failed")
    assert "Nothing was checked: no network has a budget." in result.stdout


@pytest.mark.slow
def test_mistakes_are_told_without_a_traceback(sample: Path) -> None:
    project = Path("pyproject.toml")
    text = project.read_text()
    project.write_text(text.replace('"<= 1M"', '"<= 1Q"'))
    result = run_pytest("pyproject.toml")
    assert result.returncode != 0
    assert "--> pyproject.toml:7:8" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    project.write_text(text)
    Path("models/wide.yaml").write_text("input: 1x8x8\nlayers:\n  - conv(2, 9)\n")
    result = run_pytest("pyproject.toml")
    assert outcome(result) == "1 failed, 6 passed"
    assert "--> models/wide.yaml:3:5" in result.stdout


# --- assertions ------------------------------------------------------------------------------------


def test_budget_of_anything(tmp_path: Path) -> None:
    """A network, a name, a path, a text and a parsed spec; figures of torchvision."""
    limits = {"params": "== 25557032", "macs": "<= 4.2G", "min_size": "<= 32", "receptive_field": ">= 224"}
    assert_budget("resnet50", **limits)
    assert_budget(archlens.load("resnet50"), **limits)
    text = "input: 1x8x8\nlayers: ['conv(2, 3)']\nbudget: {params: <= 20}\n"
    (tmp_path / "net.yaml").write_text(text)
    for network in (text, tmp_path / "net.yaml", str(tmp_path / "net.yaml"), archlens.loads(text)):
        assert_budget(network)
        assert_budget(network, params="20", min_size="3")
        with pytest.raises(AssertionError, match="params is 20, and should be <= 19 "):
            assert_budget(network, params="<= 19")
    from archlens.language import parse

    assert_budget(parse(text), params="20")


def test_scopes() -> None:
    assert_budget("resnet50", scopes={"fc": {"params": "<= 9 %", "macs": "<= 2.1M"}})  # 2,049,000 of 25.6 M
    with pytest.raises(AssertionError, match="params of fc"):
        assert_budget("resnet50", scopes={"fc": {"params": "<= 8 %"}})


def test_a_budget_that_checks_nothing_fails() -> None:
    with pytest.raises(AssertionError, match="Nothing was checked"):
        assert_budget("lenet5")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"parms": "<= 5"}, "did you mean params?"),
        ({"params": "<= 5MB"}, "params: the unit MB is not known here"),
        ({"params": 5}, "a limit must be a string, not the number 5"),
        ({"scopes": {"fd": {"params": "<= 5 %"}}}, "resnet50 has no scope fd"),
        ({"scopes": {"fc": {"min_size": "<= 5"}}}, "has none of its own"),
        ({"params": "<= 5 %"}, "is a percentage"),
        ({"scopes": ["fc"]}, "scopes are limits by scope"),
        ({"scopes": {"fc": "<= 5"}}, "scopes are limits by scope"),
        ({"scopes": {"fc": {}}, "params": "<= 26M"}, "scopes are limits by scope"),
        ({"scopes": {"": {"params": "<= 5"}}}, "scopes are limits by scope"),
    ],
)
def test_wrong_limits(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        assert_budget("resnet50", **limits)


def test_wrong_networks() -> None:
    with pytest.raises(UsageError, match="there is no network resnet5"):
        assert_budget("resnet5", params="<= 5")
    with pytest.raises(UsageError, match="a name or a path is needed, but got int"):
        assert_budget(5, params="<= 5")  # type: ignore[arg-type]


def test_a_network_without_its_spec_has_no_smallest_input() -> None:
    """A network that was put together otherwise says so, and does not hold by accident."""
    from dataclasses import replace

    network = archlens.load("lenet5")
    cut = replace(network, layers=network.layers[:3], outputs={"out": network.layers[2].name})
    with pytest.raises(AssertionError, match="min_size is not known"):
        assert_budget(cut, min_size="<= 32")


@pytest.mark.slow
def test_shapes_of_torchvisions_own(torchvision: Any) -> None:
    """Torchvision's module is held against the spec, weight by weight and submodule by submodule."""
    assert_shapes(torchvision.models.resnet18(), "resnet18")
    with pytest.raises(AssertionError, match="resnet34 says") as caught:
        assert_shapes(torchvision.models.resnet18(), "resnet34")
    assert "layer1.2.conv1.weight is missing; it should be 64x64x3x3" in str(caught.value)
    assert "more differences" in str(caught.value)


class _Lenet:
    """Made when torch is there."""

    def __new__(cls, *, stride: int = 2, outputs: int = 10, input: int = 1) -> Any:
        from torch import nn

        return nn.Sequential(
            *(
                layer
                for layer in (
                    nn.Conv2d(input, 6, 5), nn.Tanh(), nn.AvgPool2d(2, stride), nn.Flatten(),
                    nn.Linear(6 * (14 if stride == 2 else 27) ** 2, outputs),
                )
            )
        )  # fmt: skip


OWN = "input: 1x32x32\nlayers:\n  - conv(6, 5)\n  - tanh\n  - avg_pool(2)\n  - flatten\n  - linear(10)\n"


def test_shapes_of_ones_own() -> None:
    module = _Lenet()
    module.train()
    assert_shapes(module, OWN)
    assert module.training
    assert not module[0]._forward_hooks
    with pytest.raises(AssertionError) as caught:
        assert_shapes(_Lenet(outputs=11), OWN)
    assert str(caught.value).splitlines()[1:] == [
        "  4.weight is 11x1176, and should be 10x1176",
        "  4.bias is 11, and should be 10",
        "  4 gives 11, and should give 10",
        "  the output is 11, and should be 10",
    ]
    with pytest.raises(AssertionError, match="2 gives 6x27x27, and should give 6x14x14"):
        assert_shapes(_Lenet(stride=1), OWN)
    with pytest.raises(AssertionError, match="it does not run on 1x32x32"):
        assert_shapes(_Lenet(input=3), OWN)


class _Own:
    """A module that forwards as it is told, made when torch is there."""

    def __new__(cls, forward: Callable[[Any, Any], Any], *, lazy: bool = False) -> Any:
        from torch import nn, zeros

        class Own(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = nn.LazyConv2d(4, 3) if lazy else nn.Conv2d(1, 4, 3)
                self.register_buffer("count", zeros(()), persistent=False)

            def forward(self, x: Any) -> Any:
                return forward(self, x)

        return Own()


CONV = "input: 1x8x8\nlayers:\n  - conv: conv(4, 3)\n"


def _fails(error: Exception) -> Callable[[Any, Any], Any]:
    def forward(module: Any, x: Any) -> Any:
        raise error

    return forward


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        (lambda m, x: (m.conv(x), None), ""),
        (lambda m, x: {"out": m.conv(x), "loss": None}, ""),
        (lambda m, x: {"loss": None, "logits": m.conv(x)}, ""),
        (lambda m, x: dataclasses.make_dataclass("Found", ["loss", "logits"])(None, m.conv(x)), ""),
        (lambda m, x: str(m.conv(x).shape), "the output is a str without tensors, and should be 4x6x6"),
        (lambda m, x: [], "the output is a list without tensors, and should be 4x6x6"),
        (lambda m, x: m.conv(x)[..., 1:], "the output is 4x6x5, and should be 4x6x6"),
        (_fails(KeyError("x")), "it does not run on 1x8x8: KeyError: 'x'"),
        (_fails(AssertionError("batch")), "it does not run on 1x8x8: AssertionError: batch"),
        (_fails(RuntimeError()), "it does not run on 1x8x8: RuntimeError"),
        (_fails(RuntimeError("sizes\ndiffer")), "it does not run on 1x8x8: sizes"),
    ],
)
def test_whatever_a_module_gives(forward: Callable[[Any, Any], Any], says: str) -> None:
    module = _Own(forward)
    if not says:
        assert_shapes(module, CONV)
        return
    with pytest.raises(AssertionError) as caught:
        assert_shapes(module, CONV)
    assert str(caught.value).splitlines()[1:] == [f"  {says}"]
    assert not module.conv._forward_hooks


def test_a_module_is_left_as_it_was() -> None:
    """Its buffers and torch's random numbers, too."""
    import torch

    def forward(module: Any, x: Any) -> Any:
        module.count += 1
        return module.conv(x + torch.randn_like(x))

    module = _Own(forward)
    count, state = module.count, torch.get_rng_state()
    assert_shapes(module, CONV)
    assert module.count is count
    assert count == 0
    assert torch.equal(torch.get_rng_state(), state)
    assert module.training


def test_lazy_modules_are_not_made() -> None:
    from torch.nn.parameter import is_lazy

    module = _Own(lambda m, x: m.conv(x), lazy=True)
    with pytest.raises(AssertionError, match="have no shape yet: run it on 1x8x8 first"):
        assert_shapes(module, CONV)
    assert is_lazy(module.conv.weight)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_scripted_modules_take_no_hooks() -> None:
    import torch

    module = torch.jit.trace(_Lenet().eval(), torch.zeros(1, 1, 32, 32))
    assert_shapes(module, OWN)
    with pytest.raises(AssertionError, match="the output is 10, and should be 11"):
        assert_shapes(module, OWN.replace("linear(10)", "linear(11)"))
    assert_shapes(torch.jit.script(torch.nn.Sequential(torch.nn.Flatten())), "input: 1x2x2\nlayers: flatten")


def test_only_modules_have_shapes() -> None:
    with pytest.raises(UsageError, match=r"a torch\.nn\.Module is needed, but got a list"):
        assert_shapes([_Lenet()], OWN)


def test_shapes_of_built_modules() -> None:
    for name in ("lenet5", "lenet5_1998", "googlenet_aux", "mobilenet_v1_0.25", "vit_b_32", "convnext_tiny"):
        network = archlens.load(name)
        assert_shapes(archlens.build(network), network)


def test_extra_weights_are_seen() -> None:
    from torch import nn

    module = archlens.build(archlens.load("lenet5"))
    module.extra = nn.Linear(2, 2)
    with pytest.raises(AssertionError, match=r"extra\.weight of 2x2 is not in lenet5"):
        assert_shapes(module, "lenet5")


# --- around it -------------------------------------------------------------------------------------


def hooks() -> list[dict[str, Any]]:
    found = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert isinstance(found, list)
    return found


def test_hooks_are_what_pre_commit_takes() -> None:
    """The keys that pre-commit demands of a hook, and no others that it does not know."""
    known = {"id", "name", "description", "entry", "language", "files", "types", "pass_filenames"}
    for hook in hooks():
        assert {"id", "name", "entry", "language"} <= hook.keys() <= known
        assert hook["language"] == "python"
    assert {hook["id"] for hook in hooks()} == {"archlens-check", "archlens-format", "archlens-lint"}
    for name in ("archlens-format", "archlens-lint"):
        (hook,) = (hook for hook in hooks() if hook["id"] == name)
        assert re.search(hook["files"], "src/models/net.yaml")
        assert not re.search(hook["files"], ".pre-commit-config.yaml")


@pytest.mark.slow
def test_format_hook_in_the_sample(sample: Path) -> None:
    """As pre-commit runs it: it changes what lies otherwise, which pre-commit sees by itself."""
    (hook,) = (hook for hook in hooks() if hook["id"] == "archlens-format")
    Path("models/other.yaml").write_text("input:  1x8x8\nlayers:\n- conv(2,3)\n")
    command = [sys.executable, "-m", *hook["entry"].split(), "models/other.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        assert subprocess.run(command, capture_output=True, env=environment).returncode == 0
        assert Path("models/other.yaml").read_text() == "input: 1x8x8\nlayers:\n  - conv(2, 3)\n"


@pytest.mark.slow
def test_check_hook_in_the_sample(sample: Path) -> None:
    """As pre-commit runs it: the entry, from the top of the repository, where such a file has changed."""
    (hook,) = (hook for hook in hooks() if hook["id"] == "archlens-check")
    assert all(
        re.search(hook["files"], name) for name in ("models/a.yaml", "pyproject.toml", "archlens.lock")
    )
    assert not re.search(hook["files"], "README.md")
    assert hook["pass_filenames"] is False
    words = hook["entry"].split()
    assert words[0] == "archlens"
    command = [sys.executable, "-m", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    failed = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert failed.returncode == 1
    assert "3 of 10 limits broken." in failed.stdout
    Path("models/wide.yaml").unlink()
    assert subprocess.run(command, capture_output=True, env=environment).returncode == 0


@pytest.mark.slow
def test_lint_hook_in_the_sample(sample: Path) -> None:
    """As pre-commit runs it: the entry, with the files that have changed."""
    (hook,) = (hook for hook in hooks() if hook["id"] == "archlens-lint")
    command = [sys.executable, "-m", *hook["entry"].split()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    files = ["models/digits.yaml", "models/wide.yaml"]
    assert subprocess.run([*command, *files], capture_output=True, env=environment).returncode == 0
    Path(files[0]).write_text("input: 1x8x8\nlayers: ['conv(2, 9)']\n")
    failed = subprocess.run([*command, *files], capture_output=True, text=True, env=environment)
    assert failed.returncode == 1
    assert "--> models/digits.yaml:2:11" in failed.stdout + failed.stderr


def action() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "action.yml").read_text())
    assert isinstance(found, dict)
    return found


def step(name: str) -> str:
    """The script of a step of the action."""
    (found,) = (one for one in action()["runs"]["steps"] if one.get("id") == name)
    return str(found["run"])


def act(name: str, folder: Path, **environment: str) -> tuple[int, str, str, str]:
    """Run a step of the action as a runner does: exit code, log, outputs, and summary."""
    bin = folder.parent / "bin"
    bin.mkdir(exist_ok=True)
    (bin / "archlens").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m archlens "$@"\n')
    (bin / "archlens").chmod(0o755)
    files = {key: folder.parent / key for key in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.write_text("")
    result = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step(name)],
        capture_output=True, text=True, cwd=folder,
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(folder.parent), **{key: str(file) for key, file in files.items()},
            **environment,
        },
    )  # fmt: skip
    out, summary = (file.read_text() for file in files.values())
    return result.returncode, result.stdout + result.stderr, out, summary


@pytest.mark.slow
def test_action_checks(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(SAMPLE, folder)
    code, log, out, summary = act("check", folder, NETWORKS="", LOCKED="false", TOLERANCE="")
    assert (code, out) == (1, "held=false\n")
    assert log.count("::error file=models/wide.yaml,") == 3
    assert summary.startswith("**3 of 10 limits broken.**")
    code, log, out, _ = act("check", folder, NETWORKS="models/digits.yaml\n", LOCKED="false", TOLERANCE="")
    assert (code, out) == (0, "held=true\n")
    code, log, out, _ = act("check", folder, NETWORKS="", LOCKED="true", TOLERANCE="1 %")
    assert (code, out) == (2, "")
    assert "there is no archlens.lock" in log


def committed(folder: Path) -> Callable[..., None]:
    """Make a folder a repository of git with one commit; gives what runs git in it."""

    def git(*args: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", *args],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    return git


@pytest.mark.slow
def test_action_tells_what_changed(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(SAMPLE, folder)
    (folder / "models" / "broken.yaml").write_text("input: 1x8x8\nlayers: ['conv(2, 9)']\n")
    committed(folder)
    assert act("diff", folder, BASE="HEAD")[2] == "changed=false\n"
    assert act("diff", folder, BASE="")[2] == "changed=false\n"
    for name in ("digits", "broken"):
        spec = folder / "models" / f"{name}.yaml"
        spec.write_text(spec.read_text().replace("conv(16, 3)", "conv(24, 3)").replace("conv(2, 9)", "relu"))
    code, _, out, summary = act("diff", folder, BASE="HEAD")
    assert (code, out) == (0, "changed=false\nchanged=true\n")
    assert r"### HEAD:./models/digits.yaml → models/digits.yaml" in summary
    assert "conv: channels 16 -&gt; 24" in summary
    assert "this is OLD, HEAD:./models/broken.yaml; NEW is sound" in summary
    code, _, out, summary = act("diff", folder / "models", BASE="HEAD")
    assert "### HEAD:./digits.yaml → digits.yaml" in summary
    base = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True
    ).stdout.strip()
    assert f"### {base[:7]}" in (short := act("diff", folder, BASE=base)[3])
    assert base not in short
    code, log, _, _ = act("diff", folder, BASE="0123456")
    assert code == 1
    assert "fetch-depth: 0" in log


@pytest.mark.slow
def test_action_tells_what_is_new_gone_and_moved(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(SAMPLE, folder)
    same = folder / "models" / "small.yaml"
    same.write_text("input: 1x8x8\nlayers: ['conv(2, 3)']\n")
    git = committed(folder)
    git("mv", "models/digits.yaml", "models/zwei drei é.yaml")
    moved = folder / "models" / "zwei drei é.yaml"
    moved.write_text(moved.read_text().replace("conv(16, 3)", "conv(17, 3)"))
    git("rm", "-q", "models/wide.yaml")
    (folder / "new.yaml").write_text("input: 1x8x8\nlayers: ['conv(2, 3)']\n")
    (folder / "net.tflite").write_bytes(b"\0\0\0\0TFL3")
    (folder / "net.cfg").write_text("# one\n[net]\nwidth=8\n")
    (folder / "net.prototxt").write_text('layer { name: "a" type: "ReLU" }\n')
    (folder / "net.json").write_text('{"module": "keras", "class_name": "Functional"}\n')
    (folder / "no_spec.yaml").write_text("jobs: {}\n")
    (folder / "no_spec.cfg").write_text("[flake8]\n")
    (folder / "no_spec.prototxt").write_text("net: 'a.prototxt'\nbase_lr: 0.1\n")
    (folder / "no_spec.json").write_text('{"name": "a"}\n')
    same.write_text(f"# about this network\n{same.read_text()}")
    git("add", "-A")
    code, log, out, summary = act("diff", folder, BASE="HEAD")
    assert (code, out) == (0, "changed=false\nchanged=true\n"), log
    assert "small.yaml" not in summary  # words alone have changed
    assert "### new.yaml is new" in summary
    for one in ("tflite", "cfg", "prototxt", "json"):
        assert f"### net.{one} is new" in summary
    assert "### models/wide.yaml is gone" in summary
    assert "### HEAD:./models/digits.yaml → models/zwei drei é.yaml" in summary
    assert "channels 16 -&gt; 17" in summary
    assert "no_spec" not in summary
    for line in (
        "- all is as it was",
        "",
    ):  # a pull request that changes no spec, and one that changes nothing
        git("reset", "-q", "--hard")
        (folder / "other.yml").write_text(line)
        git("add", "-A")
        assert act("diff", folder, BASE="HEAD")[2] == "changed=false\n"


GH = """#!/bin/sh
echo "$@" >> "$GH_LOG"
case "$*" in
  *--jq*) printf "$GH_MINE"; exit "${GH_CODE:-0}" ;;
  *body=@*) cat "${*##*body=@}" > "$GH_BODY"; exit "${GH_CODE:-0}" ;;
esac
"""


@pytest.mark.parametrize(
    ("changed", "mine", "code", "call"),
    [
        ("true", "", 0, "-X POST repos/o/r/issues/7/comments"),
        ("true", "41\\n42\\n", 0, "-X PATCH repos/o/r/issues/comments/41 "),
        ("false", "41", 0, "-X PATCH repos/o/r/issues/comments/41 "),  # the comment would be false by now
        ("false", "", 0, ""),
        ("true", "", 1, "-X POST repos/o/r/issues/7/comments"),  # from a fork
    ],
)
def test_action_comments(changed: str, mine: str, code: int, call: str, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    (tmp_path / "archlens-diff.md").write_text("### a\n" + "| é | 1 |\n" * 10_000)
    ended, log, _, _ = act(
        "comment", folder, GH_TOKEN="t", REPOSITORY="o/r", NUMBER="7", CHANGED=changed, GH_MINE=mine,
        GH_LOG=str(tmp_path / "calls"), GH_BODY=str(tmp_path / "body"), GH_CODE=str(code),
    )  # fmt: skip
    assert ended == 0, log
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0].startswith("api --paginate repos/o/r/issues/7/comments")
    assert [line for line in calls[1:] if call not in line] == []
    assert len(calls) == 1 + bool(call)
    assert ("::warning::archlens could not comment" in log) == bool(code)
    if call:
        body = (tmp_path / "body").read_text("utf-8")  # cut between lines, and not within a character
        assert body.startswith("<!-- archlens -->\n")
        assert len(body) < 65_536
        if changed == "true":
            assert body.endswith("| é | 1 |\n\n\nThe rest is in the summary of the job.\n")
        else:
            assert body == "<!-- archlens -->\nNo network is changed any more.\n"


def test_action_puts_nothing_of_users_into_commands() -> None:
    for one in action()["runs"]["steps"]:
        assert "${{" not in one.get("run", "")
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text()))
    assert used == action()["inputs"].keys()


def test_documented_workflow_takes_what_the_action_has() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (text,) = re.findall(r"```yaml\n(# \.github/workflows/networks\.yml\n.*?)```", readme, re.DOTALL)
    steps = yaml.safe_load(text)["jobs"]["budgets"]["steps"]
    (used,) = (one for one in steps if "archlens" in one["uses"])
    assert used["with"].keys() <= action()["inputs"].keys()
    own = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    (used,) = (one for job in own["jobs"].values() for one in job["steps"] if one.get("uses") == "./")
    assert used["with"].keys() <= action()["inputs"].keys()
    page = (ROOT / "docs" / "budgets.md").read_text("utf-8")
    assert all(f"`{name}`" in page for name in [*action()["inputs"], *action()["outputs"]])
    (text,) = re.findall(r"```yaml\n(# \.pre-commit-config\.yaml\n.*?)```", page, re.DOTALL)
    assert {hook["id"] for hook in yaml.safe_load(text)["repos"][0]["hooks"]} <= {
        hook["id"] for hook in hooks()
    }
