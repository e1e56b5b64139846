"""The JSON Schemas of what commands print: each output is valid, with no key that is not listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
from click.testing import CliRunner

from archlens.cli import cli
from archlens.outputs import OUTPUTS, output_schema

from .test_readme import FORMS, SPECS

#: The schemas as they were when somebody last looked at them.
KEPT = Path(__file__).with_name("outputs.json")

#: Outputs with what those of the documentation lack.
FURTHER = {
    "shapes": [[name] for name in (
        "decoder.yaml", "opaque.cfg", "stated.yaml", "t5_small", "mixtral_8x7b", "unet", "swin_t",
        "googlenet_aux", "wav2vec2_base", "bert_base",
    )],
    "search": [
        ["lenet5", "--vary", "input=1..40", "--figures", "min_size,macs"],
        ["opaque.cfg", "--vary", "input=8,10"],
    ],
    "fit": [["lenet5", "--vary", "input=1..40", "--where", "macs <= 500k"]],
    "sizes": [["opaque.cfg"], ["googlenet_aux"], ["lenet5", "--upto", "40"]],
    "cost": [
        ["opaque.cfg", "--count-as", "all"], ["googlenet_aux", "--by", "op"], ["lenet5", "--count-as", "all"],
    ],
    "board": [["opaque.cfg"], ["t5_small"], ["stated.yaml", "--target", "a100"]],
    "roofline": [["opaque.cfg"], ["t5_small", "--target", "rp2040"], ["lenet5", "--target", "stm32f746"]],
    "memory": [["opaque.cfg"], ["t5_small"], ["lstm_classifier"]],
    "compare": [["opaque.cfg"], ["mixtral_8x7b", "lenet5", "t5_small"], ["c3d", "m5"]],
    "diff": [["lenet5", "opaque.cfg"], ["lenet5", "t5_small"]],
    "check": [
        ["lenet5", "--params", "<= 1", "--receptive-field", "<= 3", "--min-size", ">= 4"],
        ["opaque.cfg", "--macs", "<= 1"],
    ],
    "trace": [["own_net:Net", "--input", "3x8x8"], ["own_net:Net", "--input", "3x8x8", "--coverage"]],
    "lint": [["opaque.cfg"], ["lenet5", "t5_small"]],
    "audit": [["audit.csv", "--differing"]],
}  # fmt: skip

OWN_NET = """
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
"""


def commands_of(name: str) -> list[list[str]]:
    """Command lines of a command whose output has, together, all that there is."""
    forms = {"verify": ["verification", "verified"], "rules": ["table"]}.get(name, [name])
    plain = [[name, *args] for form in forms for args in FORMS.get(form, [])]
    return plain + [[name, *args] for args in FURTHER.get(name, [])]


@pytest.mark.parametrize("name", OUTPUTS)
def test_each_output_is_valid(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / ".git").mkdir()
    for file, text in {**SPECS, "own_net.py": OWN_NET}.items():
        (tmp_path / file).write_text(text)
    if name == "check":
        CliRunner().invoke(cli, ["check", "net.yaml", "lenet5", "--update"])
        (tmp_path / "net.yaml").write_text(SPECS["net.yaml"].replace("relu", "tanh"))
    closed = jsonschema.Draft202012Validator(output_schema(name, open_ended=False))
    open_ended = jsonschema.Draft202012Validator(output_schema(name))
    assert commands_of(name)
    for command in commands_of(name):
        found = CliRunner().invoke(cli, [*command, "--format", "json"])
        assert found.stdout, (command, found.exception)
        data = json.loads(found.stdout)
        said = [f"{error.json_path}: {error.message}" for error in closed.iter_errors(data)]
        assert said == [], command
        data["later"] = 1
        assert open_ended.is_valid(data)
        assert not closed.is_valid(data)
        del data["later"], data["schema"]
        assert not open_ended.is_valid(data)


@pytest.mark.parametrize("name", OUTPUTS)
def test_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(output_schema(name))
    printed = CliRunner().invoke(cli, ["schema", "output", name])
    assert json.loads(printed.output) == output_schema(name)


def test_every_command_that_prints_json_has_one() -> None:
    assert isinstance(cli, click.Group)
    context = click.Context(cli)
    found = set()
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        formats = [one.type for one in command.params if one.name == "form"]
        if any(isinstance(one, click.Choice) and "json" in one.choices for one in formats):
            found.add(name)
    assert found == OUTPUTS.keys()


def test_a_change_by_which_a_reader_could_break_changes_the_number(update: bool) -> None:
    """What was there is there yet; what is new is written down with ``pytest --update``."""
    today = {name: output_schema(name) for name in OUTPUTS}
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    broken = [change for name in today.keys() & kept for change in breaks(kept[name], today[name])]
    assert broken == [], "such a change wants another number after the form's name"
    if update:
        KEPT.write_text(json.dumps(today, indent=1, ensure_ascii=False) + "\n", "utf-8")
    else:
        assert today == kept


def breaks(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Keys that are gone, are no longer always there or are something else, in forms of one number."""
    found = []
    defs = new["$defs"]
    numbers = {one: schema["properties"].get("schema") for one, schema in defs.items()}
    for name, schema in old["$defs"].items():
        number = schema["properties"].get("schema")
        if number is not None and number not in numbers.values():
            return []  # it has another number
        if name not in defs:
            found.append(name)
            continue
        properties = defs[name]["properties"]
        found += [f"{name}.{key}" for key, one in schema["properties"].items() if properties.get(key) != one]
        found += [f"{name}.{key}" for key in schema["required"] if key not in defs[name]["required"]]
    return found


def test_what_breaks_a_reader() -> None:
    def schema(**properties: str) -> dict[str, Any]:
        required = [key for key, kind in properties.items() if not kind.endswith("?")]
        kinds = {key: {"type": kind.rstrip("?")} for key, kind in properties.items() if key != "form"}
        number = {"schema": {"const": properties["form"]}}
        return {"$defs": {"A": {"properties": number | kinds, "required": required}}}

    old = schema(form="a/1", x="integer", y="string?")
    assert breaks(old, old) == []
    assert breaks(old, schema(form="a/1", x="integer", y="string?", z="null")) == []
    assert breaks(old, schema(form="a/1", x="integer", y="string")) == []  # it is always there now
    assert breaks(old, schema(form="a/1", x="integer")) == ["A.y"]
    assert breaks(old, schema(form="a/1", x="integer?", y="string?")) == ["A.x"]
    assert breaks(old, schema(form="a/1", x="number", y="string?")) == ["A.x"]
    assert breaks(old, schema(form="a/2", x="number")) == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("schema output", "the schema of which output?"),
        ("schema output shap", "shap prints no JSON"),
        ("schema spec shapes", "spec takes no shapes"),
    ],
)
def test_what_is_refused(args: str, said: str) -> None:
    found = CliRunner().invoke(cli, args.split())
    assert found.exit_code == 2 or found.exception is not None
    assert said in f"{found.exception}{found.output}"
