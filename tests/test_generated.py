"""What archlens itself writes into this repository is what it would write today."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import generate
import pytest
from generate import COMMAND, PAGES, PARTS, REPORTS, ROOT

import archlens
from archlens.bounds import MAX_LAYERS, SEARCHED, shown, together
from archlens.library import finding
from archlens.reporting import Material, file_name

from .zoo import alike, network


def stale(files: generate.Files) -> list[str]:
    """The paths of the files that are not as they should be."""
    places = {path: ROOT / path for path in files}
    return [
        path for path, place in places.items() if not place.is_file() or place.read_bytes() != files[path]
    ]


@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=pytest.mark.slow if part == "gallery" else ()) for part in PARTS]
)
def test_a_part_is_not_stale(part: str) -> None:
    found = stale(PARTS[part]())
    assert not found, f"stale: {', '.join(found)}; `{COMMAND}` writes them anew, and git diff shows how"


#: What the search for sizes gives up by itself; their pages say so.
GIVEN_UP = {
    *("inception_v3", "resnet1202_cifar", "llama_2_7b", "llama_2_13b", "llama_2_70b", "llama_3_8b"),
    *("llama_3_70b", "mistral_7b", "qwen_2_5_0_5b", "qwen_2_5_7b", "deepseek_v3", "gemma_2b"),
}


@pytest.mark.parametrize("family", finding.families())
def test_the_reports_of_a_family_are_not_stale(family: str) -> None:
    """Of most pages only the digests are committed, so it is said how to see what differs.

    Of members that differ in numbers alone one is compared: were the spec another, the index would be stale,
    too, and what writes that writes all pages.

    The members of a family are in one file, whose searches for sizes are bounded together; what is not
    compared may take as much for each of its layers.
    """
    stand_for = alike(finding.families()[family], PAGES)
    materials = {name: generate.material_of(name) for name in stand_for}
    given_up, taken, wrong = set(), 0.0, []
    with together() as files:
        for name, some in stand_for.items():
            for one in some:
                (spec, variant), count = finding.find(one), len(network(one))
                source = spec.source
                shown(source.name, variant, count, materials[name].boxes, len(source.text))
        (file,) = files.values()
        for name, material in materials.items():
            before = file.searched
            if material.study.sizes.given_up:
                given_up.add(name)
            wrong += _stale(name, material)
            layers = sum(len(network(one)) for one in stand_for[name] if one not in GIVEN_UP or one == name)
            taken += (file.searched - before) * layers / len(network(name))
    assert given_up <= GIVEN_UP
    assert taken < 0.9 * SEARCHED * MAX_LAYERS
    assert not wrong, "; ".join(wrong)


def _stale(name: str, material: Material) -> Iterator[str]:
    files = generate.report(name, material)
    if name in PAGES:
        found, how = stale(files), "git diff shows how"
    else:
        now, before = generate.digests(files), generate.recorded().get(name, {})
        found = sorted(path for path in now.keys() | before.keys() if now.get(path) != before.get(path))
        how = f"`archlens report {name} -o DIR` without and with the change shows how"
    if found:
        yield f"{name}: stale: {', '.join(found)}; `{COMMAND}` writes them anew, and {how}"


def test_the_outputs_in_the_documentation_are_written_too() -> None:
    """That they are not stale is tested where they run."""
    assert "tests/test_readme.py" in Path(generate.__file__).read_text("utf-8")


def targets(text: str) -> Iterator[str]:
    """What a Markdown text links to or shows."""
    yield from re.findall(r"(?<!\\)\]\(([^)\s]+)\)", text)
    yield from re.findall(r'(?:src|href)="([^"]+)"', text)


def test_there_is_no_other_report() -> None:
    pages = {path.stem for path in REPORTS.glob("*.md") if not path.name.startswith("verification")}
    assert pages == {"README", *map(file_name, PAGES)}
    assert list(generate.recorded()) == [name for name in archlens.names() if name not in PAGES]
    shown = {match for path in REPORTS.glob("*.md") for match in targets(path.read_text("utf-8"))}
    pictures = {f"pictures/{path.name}" for path in REPORTS.glob("pictures/*")}
    assert pictures == {target for target in shown if target.startswith("pictures/")}


@pytest.mark.parametrize("folder", [".", ".github", "docs", "reports", "tests/diagnostics"])
def test_every_link_leads_somewhere(folder: str) -> None:
    for path in ROOT.glob(f"{folder}/*.md"):
        for target in targets(path.read_text("utf-8")):
            if not target.startswith(("https://", "#")):
                there = path.parent / unquote(target.partition("#")[0])
                assert there.exists(), f"{path.relative_to(ROOT)} links to {target}, which is not there"
