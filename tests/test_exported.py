"""Exported programs: read without running what is in them, and the same network as their module's."""

from __future__ import annotations

import copy
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import archlens
from archlens.cli import cli

from .test_tracing import Everything

torch = pytest.importorskip("torch")
nn = torch.nn
functional = nn.functional


def random_module(draw: random.Random) -> tuple[Any, tuple[int, ...]]:
    """A module of branches, functional calls, views and shared parts."""
    channels = draw.choice([4, 6, 8])

    class Random(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList()
            self.plan: list[str] = []
            for _ in range(draw.randint(2, 6)):
                self.plan.append(
                    draw.choice(["conv", "residual", "cat", "shuffle", "tokens", "gate", "again", "pool"])
                )
                kernel = draw.choice([1, 3, 5])
                made: Any = nn.Conv2d(
                    channels, channels, kernel, padding=kernel // 2, bias=draw.random() < 0.5
                )
                if self.plan[-1] == "tokens":
                    made = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, channels), nn.GELU())
                elif self.plan[-1] == "cat":
                    made = nn.Conv2d(2 * channels, channels, 1)
                self.parts.append(made)

        def forward(self, x: Any) -> Any:
            for kind, part in zip(self.plan, self.parts, strict=True):
                if kind == "conv":
                    x = functional.relu(part(x))
                elif kind == "residual":
                    x = x + part(functional.silu(x))
                elif kind == "cat":
                    x = part(torch.cat([x, functional.avg_pool2d(x, 3, 1, 1)], 1))
                elif kind == "shuffle":
                    b, c, h, w = x.shape
                    x = part(x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w))
                elif kind == "tokens":
                    b, c, h, w = x.shape
                    x = part(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(b, c, h, w)
                elif kind == "gate":
                    x = x * part(x.mean((2, 3), keepdim=True)).sigmoid()
                elif kind == "again":
                    x = part(part(x))
                else:
                    x = functional.max_pool2d(part(x), 2, ceil_mode=True)
            return x

    return Random(), (channels, draw.randint(5, 12), draw.randint(5, 12))


def save(module: Any, shape: tuple[int, ...], path: Path, batch: int = 2, free: Any = ()) -> None:
    """An exported program whose sizes along some axes are free."""
    sizes = (dict.fromkeys(free, torch.export.Dim.AUTO),) if free else None
    x = torch.rand(batch, *shape)
    torch.export.save(torch.export.export(module.eval(), (x,), dynamic_shapes=sizes), path)


def replayed(path: Path, **given: Any) -> archlens.Network:
    return archlens.study(str(path), **given).network


def same(one: archlens.Network, other: archlens.Network) -> None:
    assert [layer[:5] for layer in one] == [layer[:5] for layer in other]
    assert one.state() == other.state()
    assert one.output == other.output


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("batch", "free"), [(1, ()), (3, ()), (2, (0,))])
def test_a_program_is_what_its_module_is(
    seed: int, batch: int, free: tuple[int, ...], tmp_path: Path
) -> None:
    module, shape = random_module(random.Random(seed))
    save(module, shape, tmp_path / "net.pt2", batch, free)
    same(replayed(tmp_path / "net.pt2"), archlens.trace(module, shape))


class Tokens(nn.Module):
    """Sizes that are written with the batch: a token for each sample, views, and samples within an axis."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 6))
        self.fc = nn.Linear(6, 6)

    def forward(self, x: Any) -> Any:
        b = x.shape[0]
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(b, -1, -1), x], 1)
        length = x.shape[1]
        y = x.transpose(0, 1).reshape(length * b, 6)  # the positions lie outside of the samples
        y = self.fc(y).view(length, b, 6).transpose(0, 1)
        with torch.no_grad():
            z = self.fc(x.reshape(b * length, 6)).view(b, length, 6)
        return (y + z).mean(1)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_sizes_that_were_written_with_the_batch(batch: int, tmp_path: Path) -> None:
    save(Tokens(), (6, 3, 4), tmp_path / "net.pt2", batch)
    network = replayed(tmp_path / "net.pt2")
    assert network.output == (6,)
    assert network.macs == 2 * 13 * 6 * 6  # 12 positions and a token, twice
    assert network.state() == {"token": (1, 1, 6), "fc.weight": (6, 6), "fc.bias": (6,)}


def test_calls_of_modules_are_told_apart(tmp_path: Path) -> None:
    save(Everything(), (3, 16, 16), tmp_path / "net.pt2", free=(0,))
    network = replayed(tmp_path / "net.pt2")
    assert {"shared", "shared_1", "act", "act_1", "never"} < set(network.index)
    assert network["shared_1"].key("weight") == "shared.weight"
    assert network["shared_1"].params == 0
    assert network.params == sum(tensor.numel() for tensor in Everything().parameters())
    assert network["never"].params == 20


def test_another_input_where_its_sizes_are_free(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    save(module, (3, 8, 8), tmp_path / "net.pt2", free=(0, 2))
    path = str(tmp_path / "net.pt2")
    assert replayed(tmp_path / "net.pt2", input=(3, 20, 8)).output == (4, 18, 6)
    found = CliRunner().invoke(cli, ["shapes", path, "--input", "3x8x20"])
    assert found.exit_code == 1
    assert "input is 3x8x8 in the program, which was exported for that alone" in str(found.exception)
    found = CliRunner().invoke(cli, ["shapes", path, "--input", "3x8"])
    assert "input has 3 axes beside the batch, not 2" in str(found.exception)


def test_what_holds_on_to_its_batch(tmp_path: Path) -> None:
    class Holds(nn.Module):
        def forward(self, x: Any) -> Any:
            return x + torch.arange(x.shape[0]).view(-1, 1)

    save(Holds(), (4,), tmp_path / "net.pt2", 3)
    with pytest.raises(archlens.SpecError) as caught:
        replayed(tmp_path / "net.pt2")
    assert "torch.ops.aten." in str(caught.value)
    save(Holds(), (4,), tmp_path / "net.pt2", 3, free=(0,))
    assert replayed(tmp_path / "net.pt2").output == (4,)


def test_commands_take_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), (3, 8, 8), Path("net.pt2"))
    Path("net.yaml").write_text("input: 3x8x8\nlayers: ['conv(4, 3)', relu]\n")
    for args in (
        *(
            ["shapes"],
            ["cost"],
            ["lint"],
            ["sizes"],
            ["verify"],
            ["compare"],
            ["check", "--params", "== 112"],
        ),
        *(["diff", "net.yaml", "--exit-code"], ["trace", "--coverage"]),
    ):
        found = CliRunner().invoke(
            cli, [*args[:1], *args[1:2][: args[0] == "diff"], "net.pt2", *args[1 + (args[0] == "diff") :]]
        )
        assert found.exit_code == 0, found.output
    assert "an exported program, replayed" in found.output
    assert "net.pt2 has no param width" in str(
        CliRunner().invoke(cli, ["shapes", "net.pt2", "--set", "width=3"]).exception
    )


# --- files that somebody wrote ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What is in an archive."""
    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    save(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), (3, 8, 8), path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def nodes(data: Any) -> Any:
    return data["graph_module"]["graph"]["nodes"]


def values(data: Any) -> Any:
    return data["graph_module"]["graph"]["tensor_values"]


def parameter(data: Any) -> Any:
    return data["graph_module"]["signature"]["input_specs"][0]["parameter"]


HOSTILE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "another library": (
        lambda data: nodes(data)[0].update(target="os.system"),
        "os.system: it is not among the operators that are replayed",
    ),
    "an operator that opens files": (
        lambda data: nodes(data)[0].update(target="torch.ops.aten.from_file.default"),
        "torch.ops.aten.from_file.default: it is not among the operators that are replayed",
    ),
    "no operator": (
        lambda data: nodes(data)[0].update(target="torch.ops.aten.__class__.x"),
        "it is not among the operators that are replayed",
    ),
    "huge": (
        lambda data: values(data)["input"].update(sizes=[{"as_int": 10**9}] * 4),
        "is not an exported program",
    ),
    "beyond": (
        lambda data: values(data)["input"].update(sizes=[{"as_int": 10**40}]),
        "is not an exported program",
    ),
    "no number": (
        lambda data: values(data)["input"].update(sizes=[{"as_int": True}]),
        "is not an exported program",
    ),
    "no type": (lambda data: values(data)["input"].update(dtype=99), "is not an exported program"),
    "no graph": (lambda data: data.pop("graph_module"), "its graph is not as torch writes it"),
    "no arguments": (lambda data: nodes(data)[0].update(inputs=[]), "missing value for argument 'input'"),
    "no operations": (lambda data: nodes(data).clear(), "nothing in the graph is called relu"),
    "a key without parts": (
        lambda data: parameter(data).update(parameter_name="a..b"),
        "is not an exported program",
    ),
    "a tensor that is a module": (
        lambda data: parameter(data).update(parameter_name="0"),
        "0 is a module of the program, and a tensor",
    ),
    "a module's own": (
        lambda data: parameter(data).update(parameter_name="forward.weight"),
        "the program has a module or a tensor called forward",
    ),
    "a name that is not there": (
        lambda data: nodes(data)[0]["inputs"][1]["arg"].update(as_tensor={"name": "nope"}),
        "nothing in the graph is called nope",
    ),
    "many parts": (
        lambda data: (
            values(data)["input"].update(sizes=[{"as_int": 2}, {"as_int": 10**9}]),
            nodes(data)[0].update(
                target="torch.ops.aten.unbind.int",
                inputs=[nodes(data)[0]["inputs"][0], {"name": "dim", "arg": {"as_int": 1}, "kind": 1}],
            ),
        ),
        "1,000,000,000 parts come out, and the graph names 1",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_graph_that_somebody_wrote(case: str, files: dict[str, bytes], tmp_path: Path) -> None:
    alter, said = HOSTILE[case]
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            if name.endswith("models/model.json"):
                data = copy.deepcopy(json.loads(content))
                alter(data)
                content = json.dumps(data).encode()
            archive.writestr(name, content)
    found = CliRunner().invoke(cli, ["shapes", str(path)])
    assert isinstance(found.exception, archlens.ArchlensError), found.exception
    assert said in str(found.exception)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[" * 100_000, "its graph is not JSON"),
        (b"1" * 10_000, "its graph is not JSON"),
        (b"\xff", "its graph is not JSON"),
        (b"[]", "its graph is not as torch writes it"),
        (b" " * 40_000_000, "model.json is larger than 32 MB"),
        (None, "it holds no models/NAME.json"),
    ],
)
def test_what_is_no_graph(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/models/model.json" if content is not None else "net/other", content or b"")
    with pytest.raises(archlens.UsageError, match=said):
        replayed(path)


def test_what_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(archlens.UsageError, match="is not an exported program: File is not a zip file"):
        replayed(path)


def test_nothing_in_an_archive_runs(files: dict[str, bytes], tmp_path: Path) -> None:
    """The pickles beside the graph are not read."""
    path, mark = tmp_path / "net.pt2", tmp_path / "ran"
    pickled = f"cbuiltins\nopen\n(V{mark}\nVw\ntR.".encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, pickled if name.endswith(".pt") or "/weight_" in name else content)
    assert replayed(path).params == 112  # 3x3x3x4 + 4
    assert not mark.exists()
