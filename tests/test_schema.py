"""The JSON Schemas: valid themselves, every spec valid by them, and what archlens refuses refused."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from archlens.analysis.figures import QUANTITIES
from archlens.cli import cli
from archlens.library import finding as library
from archlens.schema import pyproject_schema, spec_schema

HERE = Path(__file__).parent
SPECS = sorted([*library.directory().glob("*.yaml"), *HERE.glob("sample/models/*.yaml")])


def data_of(text: str) -> Any:
    """A YAML text as an editor reads it; JSON knows no keys but texts."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): plain(inner) for key, inner in value.items()}
        return [plain(item) for item in value] if isinstance(value, list) else value

    return plain(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def errors(schema: dict[str, Any], data: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(data)]


@pytest.mark.parametrize("schema", [spec_schema(), pyproject_schema()], ids=["spec", "pyproject"])
def test_schemas_are_schemas(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] in ("archlens.spec/1", "archlens.pyproject/1")  # what programs know them by


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
@pytest.mark.slow
def test_every_spec_is_valid(path: Path) -> None:
    assert errors(spec_schema(), data_of(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "change",
    [
        "layer: [relu]",
        "title: [a, b]",
        "paper: {year: 1998}",
        "paper: {title: On Networks, colour: red}",
        "paper: {title: On Networks, authors: [A, B]}",
        "paper: {title: }",
        "published: {params: 5}",
        "published: {source: S, params: [5]}",
        "published: {source: S, top1: {a: 5}}",
        "published: {source: S, axes: XxY}",
        "published: {source: S, link: there}",
        "published: {source: S, note: why, unexplained: who knows}",
        "published: {source: S, shapes: 3x8x8}",
        "budget: {parms: <= 5}",
        "budget: {params: <= 5MB}",
        "budget: {params: many}",
        "budget: {params: <= 5 %}",
        "budget: {memory: <= 5 k}",
        "budget: {params: '5, 6'}",
        "budget: {'': {params: 5}}",
        "budget: {fc: {depth: <= 5 %}}",
        "outputs: {aux: [{a: relu, b: relu}]}",
        "budget: {}",
        "budget: {fc: {min_size: <= 5}}",
        "budget: {fc: {}}",
        "blocks: {a b: [relu]}",
        "blocks: {b: {label: B, layer: [relu]}}",
        "blocks: {b: {label: [B], layers: [relu]}}",
        "outputs: {aux: 5}",
    ],
)
def test_what_archlens_refuses_is_invalid(change: str) -> None:
    """A schema that lets everything through would pass every other test here."""
    import archlens

    text = f"input: 1x8x8\nlayers: [relu]\n{change}\n"
    assert errors(spec_schema(), data_of("input: 1x8x8\nlayers: [relu]\n")) == []
    assert errors(spec_schema(), data_of(text)) != []
    with pytest.raises(archlens.SpecError):
        archlens.loads(text)


@pytest.mark.parametrize("shape", ["3x224", "12", "3 x 8 x 8", "{n}x{2 * n}x8", "1x1x1x1"])
def test_inputs(shape: str) -> None:
    assert errors(spec_schema(), {"input": shape, "layers": ["relu"]}) == []


@pytest.mark.parametrize("shape", ["3,224,224", "", "x", "1x1x1x1x1", [3, 8, 8], "3x-1x5"])
def test_no_inputs(shape: Any) -> None:
    assert errors(spec_schema(), {"input": shape, "layers": ["relu"]}) != []


def test_a_whole_pyproject_is_valid() -> None:
    for path in (HERE / "sample" / "pyproject.toml", HERE.parent / "pyproject.toml"):
        assert errors(pyproject_schema(), tomllib.loads(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("budgets", "valid"),
    [
        ('params = "<= 26M"', True),
        ('"classifier".params = "<= 30 %"', True),
        ('resnet50 = {params = ">= 20M, <= 26M", fc = {macs = "<= 1 %"}}', True),
        ('networks = {a = {receptive-field = "200..300"}}\ntolerance = "0.5 %"', True),
        ('parms = "<= 26M"', False),
        ("params = true", False),
        ("params = 5", False),
        ('params = "<= 26Q"', False),
        ('memory = "<= 26m"', False),
        ("files = []", False),
        ("files = 3", False),
        ('tolerance = "some"', False),
        ('tolerance = "%"', False),
        ('tolerance = "100 %"', False),
        ('files = ["../*.yaml"]', False),
        ('files = ["/etc/*.yaml"]', False),
        ('files = ["a/..b/*.yaml"]', True),
        ('params = "<= 30 %"', False),
        ('defaults.params = "<= 30 %"', False),
        ('net.params = "<= 30 %"', True),  # net may be a scope
        ('networks.net.params = "<= 30 %"', False),
        ('networks.net.fc.params = "<= 30 %"', True),
        ('fc.depth = "<= 30 %"', False),
        ('memory = "<= 5k"', False),
        ('params = "<= 1,5M"', False),
        ('params = ">= 1,500, <= 1M"', True),
        ("defaults = {}", False),
        ('networks = {a = {fc = {depth = "5 MB"}}}', False),
        ('networks."a:Net" = {input = "3x8x8", set = {width = 8}, params = "<= 5k"}', True),
        ('networks."a:Net" = {input = {x = "3x8x8"}, params = "<= 5k"}', True),
        ('networks."a:Net" = {input = 3, params = "<= 5k"}', False),
    ],
)
def test_pyproject(budgets: str, valid: bool) -> None:
    found = errors(pyproject_schema(), {"tool": {"archlens": {"budgets": tomllib.loads(budgets)}}})
    assert (found == []) == valid


def test_unknown_table() -> None:
    assert errors(pyproject_schema(), {"tool": {"archlens": {"budget": {}}}}) != []
    assert errors(pyproject_schema(), {"tool": {"other": {"budget": {}}}, "project": {}}) == []


def test_every_op_and_quantity_can_be_completed() -> None:
    from archlens.ops import MERGES, OPS, STATED

    schema = spec_schema()
    offered = {option.get("const") for option in schema["$defs"]["expression"]["anyOf"]}
    assert offered - {None} == {*OPS, *STATED} - MERGES.keys()
    assert MERGES.keys() < schema["$defs"]["step"]["anyOf"][0]["properties"].keys()
    table = pyproject_schema()["properties"]["tool"]["properties"]["archlens"]
    assert QUANTITIES.keys() < table["properties"]["budgets"]["properties"].keys()


def test_command() -> None:
    for args, schema in (
        (["schema"], spec_schema()),
        (["schema", "spec"], spec_schema()),
        (["schema", "pyproject"], pyproject_schema()),
    ):
        result = CliRunner().invoke(cli, args)
        assert result.exit_code == 0
        assert json.loads(result.stdout) == schema
    assert CliRunner().invoke(cli, ["schema", "nonsense"]).exit_code == 2
