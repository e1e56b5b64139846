"""What archlens itself writes into this repository is what it would write today."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import generate
import pytest
from generate import COMMAND, PAGES, PARTS, REPORTS, ROOT, stale

import archlens
from archlens.errors import UsageError
from archlens.reporting import file_name

#: Networks that say on their pages, beside those of ``PAGES``, what no other says: words and what is shared,
#: an encoder with a decoder, sound, experts, two inputs, recurrence, detection.
FURTHER = (
    "gpt2", "transformer_base", "whisper_tiny", "mixtral_8x7b", "clip_vit_b_32", "siamese_resnet18",
    "lstm_sentiment", "ssd300_vgg16",
)  # fmt: skip


@pytest.mark.parametrize("part", [pytest.param("index", marks=pytest.mark.slow), "ops", "phones"])
def test_a_part_is_not_stale(part: str) -> None:
    found = stale(PARTS[part]())
    assert not found, f"stale: {', '.join(found)}; `{COMMAND}` writes them anew, and git diff shows how"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_not_stale(name: str) -> None:
    found = stale(generate.report(name))
    assert not found, f"stale: {', '.join(found)}; `{COMMAND}` writes them anew, and git diff shows how"


@pytest.mark.parametrize("name", FURTHER)
def test_a_page_that_is_not_committed_is_not_stale(name: str) -> None:
    """All others are looked at by ``python tests/generate.py --check``, which ``.ci/check`` runs."""
    now, before = generate.digests(generate.report(name)), generate.recorded()[name]
    assert now == before, f"`{COMMAND}` writes a new one, and `archlens report {name} -o DIR` shows it"


def test_what_is_looked_at_elsewhere_is_looked_at() -> None:
    """Nothing is looked at by nobody: the whole check compares all that is written with what is there."""
    assert f"{COMMAND} --check" in (ROOT / ".ci" / "check").read_text("utf-8").splitlines()


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What the whole check says where these pages and parts would be written."""

    def run(pages: generate.Files, **parts: generate.Files) -> str:
        monkeypatch.setattr(generate, "_pages", lambda: dict(pages))
        monkeypatch.setattr(generate, "PARTS", {name: lambda part=part: part for name, part in parts.items()})
        return generate._check()

    return run


def test_what_the_whole_check_says(checked: Callable[..., str]) -> None:
    path = f"reports/{generate.DIGESTS}"
    reports = [*REPORTS.glob("*.md"), *REPORTS.glob("pictures/*"), REPORTS / generate.DIGESTS]
    there = {str(one.relative_to(ROOT)): one.read_bytes() for one in reports}
    assert checked(there) == ""
    assert checked(there, lock={"archlens.lock": b"another"}).splitlines() == [
        "stale: archlens.lock",
        f"`{COMMAND}` writes them anew, and git diff shows how",
    ]
    other = generate.recorded() | {"vgg11": {"vgg11.md": "another"}}
    said = checked({**there, path: json.dumps(other).encode()}).splitlines()
    assert said[0].startswith("stale: the page of vgg11, which `archlens report vgg11 -o DIR`")
    fewer = {one: content for one, content in there.items() if one != "reports/lenet5.md"}
    assert checked(fewer).splitlines()[0] == "stale: reports/lenet5.md"


def test_pages_of_a_family_that_are_too_much_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are by the command that makes all of them."""
    monkeypatch.setattr("archlens.bounds.SEARCHED", 0)
    with pytest.raises(UsageError, match="take more than 0 layers together"):
        generate.of_family("nin")


def test_the_outputs_in_the_documentation_are_written_too() -> None:
    """That they are not stale is tested where they run."""
    assert "tests/test_readme.py" in Path(generate.__file__).read_text("utf-8")


def targets(text: str) -> Iterator[str]:
    """What a Markdown text links to or shows; not what its code does."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"(?<!\\)\]\(([^)\s]+)\)", text)
    yield from re.findall(r'(?:src|srcset|href)="([^"]+)"', text)


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
