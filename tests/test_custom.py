"""What archlens does not have: figures that a spec states, and ops that packages of one's own bring."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import archlens
from archlens.analysis import counting
from archlens.analysis.memory import weight_bytes
from archlens.backends.verification import verify
from archlens.counts import AtLeast
from archlens.elaboration import packages
from archlens.ops import OPS
from archlens.ops.op import registry
from archlens.schema import spec_schema
from archlens.shape import ChannelsLast
from archlens.source import emit
from archlens.views import json as network_json
from archlens.views import words

from .installed import install, undone
from .random_networks import STRATA, accepted
from .running import run

DETECTOR = """
input: 3x16x16
layers:
  - conv(8, 3, padding=1)
  - roi: custom("roi_align", shape="8x7x7", params=0)
  - deform: custom("deformable", macs=1000)
  - linear: custom("whole", shape=(5,), params=20, macs=30)
"""


# --- custom ----------------------------------------------------------------------------------------


def test_what_is_not_stated_is_unknown() -> None:
    network = archlens.loads(DETECTOR)
    conv = 8 * 3 * 9
    assert [str(layer.shape) for layer in network] == ["8x16x16", "8x7x7", "8x7x7", "5"]
    assert isinstance(network.params, AtLeast)
    assert f"{network.params:,}" == f"at least {conv + 8 + 20:,}"
    assert f"{network.macs:,}" == f"at least {conv * 256 + 1000 + 30:,}"
    assert network.unknown == {"roi": "the multiply-accumulates of roi_align are not stated"}
    assert f"{weight_bytes(network, 'float16'):,}" == f"at least {2 * (conv + 8 + 20):,}"
    said = " ".join(words.conventions(network))
    assert (
        "roi, deform, linear (custom) have the figures that the spec states and archlens does not compute"
        in said
    )
    assert "Not stated, and so unknown: the params of deform." in said
    totals = json.loads(network_json.to_json(archlens.Study(network)))["totals"]
    assert totals["params"]["at_least"] == conv + 28
    assert "unknown" in str(network)


def test_what_is_stated_in_full_is_exact() -> None:
    head = "custom('head', shape=10, params=44, macs=40)"
    network = archlens.loads(f"input: 8\nlayers:\n  - linear(4)\n  - {head}\n")
    assert (network.params, network.macs) == (8 * 4 + 4 + 44, 32 + 40)
    assert not isinstance(network.params, AtLeast)
    assert f"{archlens.Study(network).cost.total.other()['unstated']:,}" == "unknown"


@pytest.mark.parametrize(
    ("x", "stated", "shape"),
    [
        ("6x8 channels_last", "none", ChannelsLast((6, 8))),
        ("6x8 channels_last", '"6x4"', (6, 4)),
        ("6x8 channels_last", "(6, 4)", ChannelsLast((6, 4))),
        ("3x8x8", '"4x9 channels_last"', ChannelsLast((4, 9))),
        ("3x8x8", "(x.channels, x.height // 2, 4)", (3, 4, 4)),
        ("3x8x8", "7", (7,)),
    ],
)
def test_its_shape(x: str, stated: str, shape: Any) -> None:
    network = archlens.loads(f"input: {x}\nlayers:\n  - custom('it', shape={stated})\n")
    assert network.output == shape


def test_nobody_can_make_it(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(DETECTOR, "utf-8")
    found = run("source", "net.yaml", cwd=tmp_path)
    assert found.returncode != 0
    assert "cannot be written as source: " in found.stderr
    assert " = what custom(" in found.stderr
    assert "an op of a package of your own can be built" in found.stderr


def test_convert_writes_what_is_stated(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        """
input: 3x64x64
layers:
  - stem: conv(8, 3)
  - 'custom("roi {3 + 4}: align", shape="6x7x7", macs=10)'
  - add: [custom("mine"), identity]
  - tokens: custom("rows", shape="50x80 channels_last", params=20)
  - custom("last", shape=(3, 4))
  - custom("last", shape=(5,))
  - custom("last", shape=6, params=6)
  - custom("last", shape=7)
  - custom("last", shape=8)
""",
        "utf-8",
    )
    assert run("convert", "net.yaml", "-o", "again.yaml", cwd=tmp_path).returncode == 0
    assert run("diff", "net.yaml", "again.yaml", cwd=tmp_path).returncode == 0
    old, new = (archlens.load(str(tmp_path / name)) for name in ("net.yaml", "again.yaml"))
    assert [layer.op for layer in old] == [layer.op for layer in new]
    assert (old.macs, old.unlisted) == (new.macs, new.unlisted)


AROUND = """
input: 3x16x16
layers:
  - first: conv(8, 3, padding=1)
  - roi: custom("roi_align", shape="6x7x7", macs=10)
  - second: conv(4, 3)
  - flatten
  - head: linear(5)
  - last: custom("whole", params=20, macs=30)
outputs:
  seen: ref(first) >> relu
"""
#: The products of what is not stated: 3x3 on 3 and on 6 channels, and 4x5x5 features to 5.
BESIDE = 8 * 16 * 16 * 27 + 4 * 5 * 5 * 54 + 100 * 5


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_rest_is_verified(device: str) -> None:
    network = archlens.loads(AROUND)
    found = verify(network, device=device)
    assert found.passed
    assert found.stated == ["roi", "last"]
    status = {(check.layer, check.what): (check.status, check.reason) for check in found.checks}
    for what in ("shape", "weights", "macs"):
        said = {layer.name: status[layer.name, what] for layer in network}
        assert {name for name in said if said[name] == ("not applicable", "stated, not verified")} == {
            "roi",
            "last",
        }
        assert {one for one, _ in said.values()} <= {"passed", "not applicable"}
    for name in ("first", "second", "head"):  # before it, and beyond
        assert {status[name, what][0] for what in ("shape", "weights", "macs")} == {"passed"}
    assert status["first", "field"][0] == "passed"
    assert status["second", "field"] == ("not applicable", "roi: how far roi_align looks is not stated")
    (total,) = found.of("total")
    assert (total.status, total.says, total.found) == (
        "not applicable",
        f"{BESIDE + 10 + 30:,}",
        f"{BESIDE:,}",
    )
    assert total.reason == f"roi, last: stated, not verified; {BESIDE:,} without"


@pytest.mark.parametrize("wrong", ["first", "second", "head"])
def test_the_rest_may_fail(wrong: str) -> None:
    """A product too many, before what is stated and beyond it, is seen in the layer and in all."""
    network = archlens.loads(AROUND)
    layers = tuple(
        layer._replace(facts=layer.facts._replace(macs=layer.facts.macs + 1))
        if layer.name == wrong
        else layer
        for layer in network
    )
    changed = replace(network, layers=layers, index={layer.name: layer for layer in layers})
    failed = [(check.layer, check.what) for check in verify(changed).checks if check.status == "failed"]
    assert failed == [(wrong, "macs"), ("", "total")]


def test_what_is_stated_is_said_in_the_row_and_in_json(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(AROUND, "utf-8")
    shown = run("verify", "net.yaml", cwd=tmp_path)
    assert shown.returncode == 0
    assert "passed, 2 stated" in shown.stdout
    assert "net: total not compared: roi, last: stated, not verified" in " ".join(shown.stdout.split())
    for options in ([], ["--brief"]):
        (one,) = json.loads(run("verify", "net.yaml", "--format", "json", *options, cwd=tmp_path).stdout)[
            "networks"
        ]
        assert (one["passed"], one["stated"]) == (True, ["roi", "last"])
    run("verify", "net.yaml", "--format", "json", "--brief", "-o", "verification.json", cwd=tmp_path)
    run("report", "net.yaml", "-o", ".", cwd=tmp_path)
    assert "passed, 2 stated" in (tmp_path / "net.md").read_text("utf-8")


def test_stated_work_is_not_done() -> None:
    """A number that nobody computes takes no time."""
    network = archlens.loads("input: 3x8x8\nlayers:\n  - custom('vast', macs=1_000_000_000_000_000)\n")
    found = verify(network)
    assert (found.passed, found.why_meta, found.device) == (True, "", "cpu")


@pytest.mark.parametrize("command", ["cost", "memory", "lint", "sizes", "explain", "cost --count-as fvcore"])
def test_every_other_command_takes_it(command: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(DETECTOR, "utf-8")
    name, *options = command.split()
    found = run(name, "net.yaml", *options, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "at least at least" not in found.stdout
    if name == "explain":
        assert "params  not stated" in found.stdout
        assert "MACs    1,000, as the spec states it" in found.stdout


def test_a_limit_on_what_is_not_known_does_not_hold(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(DETECTOR, "utf-8")
    found = run("check", "net.yaml", "--params", "<= 1M", cwd=tmp_path)
    assert found.returncode == 1
    assert "the parameters of deformable are not stated" in found.stdout


def test_the_builder_places_it() -> None:
    net = archlens.Builder("small", "3x8x8")
    net.custom(net.x, "mine", shape=(4, 4, 4), params=5, macs=6, name="it")
    network = net.network()
    assert (network.params, network.macs, network["it"].shape) == (5, 6, (4, 4, 4))


def test_no_share_is_said_of_what_is_not_known() -> None:
    """A linear layer with most of the parameters that are known may have few of all."""
    for first, rules in (("relu", ["AL302"]), ("custom('rest')", [])):
        text = f"input: 8x8x8\nlayers:\n  - {first}\n  - flatten\n  - linear(100)\n  - relu\n  - linear(3)\n"
        found = archlens.study(archlens.loads(text)).lint
        assert [one.rule.code for one in found if one.rule.code == "AL302"] == rules


@pytest.mark.slow
def test_in_random_networks() -> None:
    """At their start and at their end it changes what it states, and nothing else of what they are."""
    held, chance = 0, random.Random(16)
    for drawn in (drawn for about in STRATA for drawn in accepted(about, 1)):
        if drawn.uses or drawn.below:  # which names ids, and those it refuses
            continue
        spec = yaml.safe_load(drawn.text)
        if "outputs" in spec:  # which go on from the end
            continue
        plain = drawn.network()
        params, macs = (chance.randrange(10 ** chance.randint(1, 12)) for _ in range(2))
        stated = {"stated_first": f'custom("first", params={params}, macs={macs})'}
        spec["layers"] = [stated, *spec["layers"], {"stated_last": 'custom("last", shape="3x7")'}]
        network = archlens.loads(yaml.safe_dump(spec, sort_keys=False, width=1000), variant=drawn.variant)
        first, last = network["stated_first"], network["stated_last"]
        others = [one for one in network if one not in (first, last)]
        # steps beside one that is named may be called otherwise, but for the keys of the state
        assert [(one.shape, one.params, one.macs) for one in others] == [
            (one.shape, one.params, one.macs) for one in plain
        ]
        assert first.shape == next(iter(plain.inputs.values()))
        assert tuple(last.shape) == (3, 7)
        assert network.params == AtLeast(plain.params + params)
        assert network.macs == AtLeast(plain.macs + macs)
        assert network.state() == plain.state()
        again = archlens.loads(archlens.convert(network))
        assert [one.shape for one in again] == [one.shape for one in network]
        assert (again.params, again.macs) == (network.params, network.macs)
        held += 1
    assert held > len(STRATA) / 3


def test_it_is_listed() -> None:
    assert "custom(name, shape=none, params=none, macs=none)" in run("ops", "custom").stdout
    assert "custom" in {option.get("const") for option in spec_schema()["$defs"]["expression"]["anyOf"]}


# --- ops of packages -------------------------------------------------------------------------------

PAGE = Path(__file__).resolve().parents[1] / "docs" / "python.md"
FILES = ("pyproject.toml", "low_rank/ops.py", "low_rank/modules.py")
FACTORS = "input: 49x64 channels_last\nlayers: ['low_rank(32, 4)', relu, head: 'low_rank(10, 2)']\n"


def written(folder: Path) -> None:
    """The package that the documentation shows."""
    for fence in PAGE.read_text("utf-8").split("```")[1::2]:
        first, _, rest = fence.partition("\n")
        name = rest.partition("\n")[0].removeprefix("# ")
        if first in ("toml", "python") and name in FILES:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(rest, "utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that Python looks in."""
    monkeypatch.syspath_prepend(str(tmp_path))
    with undone(tmp_path):
        yield tmp_path


@pytest.fixture
def installed(folder: Path) -> Path:
    """One with the package of the documentation."""
    written(folder)
    assert install(folder)
    return folder


@pytest.mark.usefixtures("installed")
def test_an_op_of_a_package_behaves_as_one_of_archlens() -> None:
    assert "low_rank.ops" not in sys.modules
    network = archlens.loads(FACTORS)
    assert "low_rank.modules" not in sys.modules
    assert network.params == 4 * (64 + 32) + 2 * (32 + 10)
    assert network.macs == 49 * network.params
    assert network.state()["head.up.weight"] == (10, 2)
    found = verify(network)
    assert [check for check in found.checks if check.status == "failed"] == []
    module = archlens.build(network).eval()
    code = emit(network)
    assert "from low_rank.modules import LowRank\n" in code
    names: dict[str, Any] = {"__name__": "written"}
    exec(code, names)
    *_, last = [node for node in ast.parse(code).body if isinstance(node, ast.ClassDef)]
    again = names[last.name]().eval()
    again.load_state_dict(module.state_dict(), strict=True)
    x = torch.randn(2, 49, 64)
    torch.testing.assert_close(module(x), again(x))
    for tool in counting.names():
        assert counting.count(network, tool).params == network.params


@pytest.mark.parametrize(
    "command", ["shapes", "cost", "memory", "lint", "explain", "sizes", "convert", "diagram -o made.svg"]
)
def test_commands_take_it(command: str, installed: Path) -> None:
    (installed / "net.yaml").write_text(FACTORS, "utf-8")
    name, *options = command.split()
    found = run(name, "net.yaml", *options, cwd=installed)
    assert found.returncode == 0, found.stderr


@pytest.mark.usefixtures("installed")
def test_it_is_in_the_reference_and_in_the_schema() -> None:
    assert "low_rank(features, rank)" in run("ops", "low_rank").stdout
    assert "low_rank" in run("ops").stdout
    packages.bring_all()
    assert "low_rank" in {option.get("const") for option in spec_schema()["$defs"]["expression"]["anyOf"]}


@pytest.mark.usefixtures("installed")
def test_it_is_placed_handed_on_and_refused_as_any_other() -> None:
    net = archlens.Builder("small", "64")
    net.low_rank(net.x, 8, 2)
    assert net.network().params == 2 * (64 + 8)
    block = "{input: 8, blocks: {b(op): ['op(4, 2)']}, layers: [b(low_rank)]}"
    assert archlens.loads(block).params == 2 * (8 + 4)
    param = "{params: {op: low_rank}, input: 8, layers: ['op(4, 2)']}"
    assert archlens.loads(param).params == 2 * (8 + 4)
    with pytest.raises(archlens.SpecError, match="low_rank works on channels that come last"):
        archlens.loads("{input: 3x8x8, layers: ['low_rank(4, 2)']}")
    with pytest.raises(archlens.SpecError, match="the rank of low_rank must be a whole number"):
        archlens.loads("{input: 8, layers: ['low_rank(4, 0)']}")


BROKEN = {
    "fails": ("raise RuntimeError('no licence')", "importing brought fails: RuntimeError: no licence"),
    "is gone": (None, "importing brought:Mine fails: AttributeError"),
    "is a text": ("Mine = 'conv'", "brought:Mine is not an op"),
    "has another name": (
        "from archlens.ops import Op\nclass Mine(Op, kind='other', family='linear'): pass",
        "brought:Mine is the op other",
    ),
    "is called as one of archlens": (
        "from archlens.ops import Op\nclass Mine(Op, kind='conv', family='linear'): pass",
        "brought:Mine is the op conv",
    ),
    "merges": (
        "from archlens.ops import Merge\nclass Mine(Merge, kind='mine'): pass",
        "an op of a package reads one tensor",
    ),
    "fails on a shape": (
        "from archlens.ops import Op\nclass Mine(Op, kind='mine', family='linear'):\n"
        "    def facts(self, x): return 1 / 0",
        "mine of the package brings fails on 8: ZeroDivisionError: division by zero",
    ),
    "says nothing": (
        "from archlens.ops import Op\nclass Mine(Op, kind='mine', family='linear'):\n"
        "    def facts(self, x): return None",
        "mine of the package brings fails on 8: AttributeError",
    ),
}


def brings(folder: Path, text: str | None, name: str = "mine") -> None:
    points = f'[project.entry-points."archlens.ops"]\n{name} = "brought:Mine"\n'
    (folder / "pyproject.toml").write_text(f'[project]\nname = "brings"\nversion = "1"\n{points}', "utf-8")
    (folder / "brought.py").write_text(text or "", "utf-8")
    assert install(folder)


@pytest.mark.parametrize("case", BROKEN)
def test_a_package_that_brings_no_op(case: str, folder: Path) -> None:
    text, message = BROKEN[case]
    brings(folder, text)
    before = dict(OPS)
    with pytest.raises(archlens.SpecError) as found:
        archlens.loads("{input: 8, layers: [mine]}")
    assert message.replace("importing brought fails", "importing brought:Mine fails") in str(found.value)
    assert "brings" in str(found.value)
    assert {name: op for name, op in OPS.items() if name != "mine"} == before
    assert {name: op for name, op in registry.items() if name != "mine"} == before


def test_no_package_takes_the_place_of_an_op(folder: Path) -> None:
    brings(folder, "from archlens.ops import Op\nclass Mine(Op, kind='conv', family='linear'): pass", "conv")
    conv = OPS["conv"]
    assert archlens.loads("{input: 3x8x8, layers: ['conv(4, 3)']}").params == 3 * 9 * 4 + 4
    found = run("ops")
    assert found.returncode == 2
    assert "the package brings brings no op conv: archlens already has an op conv" in found.stderr
    assert OPS["conv"] is conv


def test_two_packages_with_one_name_are_refused(folder: Path) -> None:
    brings(folder, "")
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "others"\nversion = "1"\n[project.entry-points."archlens.ops"]\nmine = "b:Mine"\n',
        "utf-8",
    )
    assert install(folder)
    both = r"(brings|others) and (brings|others) both bring an op mine"
    with pytest.raises(archlens.SpecError, match=both):
        archlens.loads("{input: 8, layers: [mine]}")


def test_packages_are_looked_for_only_where_an_op_is_not_known() -> None:
    code = (
        "import sys, archlens\n"
        "archlens.load('lenet5')\n"
        "assert 'importlib.metadata' not in sys.modules\n"
        "try: archlens.loads('{input: 8, layers: [linaer(3)]}')\n"
        "except archlens.SpecError as said: assert 'did you mean linear?' in str(said)\n"
        "assert 'importlib.metadata' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_stated_figures_add_up_wherever_they_stand() -> None:
    """Of random networks: each shape is what is stated, totals are sums, and what is written is the same."""
    for seed in range(60):
        chance = random.Random(seed)
        steps, shape, params, macs = [], (3, 8, 8), 0, 0
        for number in range(chance.randint(1, 6)):
            if chance.random() < 0.2:
                steps.append("relu")
                continue
            stated: dict[str, Any] = {}
            if chance.random() < 0.7:
                shape = tuple(chance.randint(1, 9) for _ in range(chance.randint(1, 4)))
                stated["shape"] = chance.choice((f'"{"x".join(map(str, shape))}"', str(shape)))
            for name in ("params", "macs"):
                if chance.random() < 0.6:
                    stated[name] = chance.randint(0, 10**9)
            params += stated.get("params", 0)
            macs += stated.get("macs", 0)
            words = "".join(f", {name}={value}" for name, value in stated.items())
            step = f"'custom(\"c{number % 3}\"{words})'"
            steps.append(chance.choice((step, f"n{number}: {step}", f"n{number}: [{step}]")))
        text = "input: 3x8x8\nlayers:\n" + "".join(f"  - {step}\n" for step in steps)
        network = archlens.loads(text)
        assert tuple(network.output) == shape, text
        assert (network.params, network.macs) == (params, macs), text
        again = archlens.loads(archlens.convert(network))
        assert [(one.name, one.op) for one in again] == [(one.name, one.op) for one in network], text
