"""The documentation site: its pages are built by ``.ci/site``, and a mistake in one stops the build."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

import archlens

ROOT = Path(__file__).parents[1]
CONFIG = (ROOT / "docs" / "site" / "mkdocs.yml").read_text("utf-8")

#: All of the configuration but its pages.
SETTINGS = CONFIG[: CONFIG.index("nav:\n  - Start: README.md")]


#: What people wrote of it.
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def site() -> ModuleType:
    """The program that builds it."""
    loader = SourceFileLoader("site_of_this_project", str(ROOT / ".ci" / "site"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_site_has_every_page() -> None:
    """What leads to the pages of the site: each of ``docs/`` is there, and no other."""
    listed = re.findall(r": (docs/[\w-]+\.md)$", CONFIG, re.MULTILINE)
    assert sorted(listed) == sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_headings_are_headings(page: Path) -> None:
    """A page starts with one, and each stands on a line of its own, with a blank behind its marks."""
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert prose.startswith("# ")
    assert re.findall(r"^#+[^#\s].*|[^#\n]#{2,} .*", prose, re.MULTILINE) == []


def test_the_gallery_of_the_site_leads_to_a_page_of_every_network(site: ModuleType) -> None:
    gallery = (ROOT / "reports" / "README.md").read_text("utf-8")
    here = set(re.findall(r"\]\(([\w.-]+)\.md\)", gallery)) - {"verification"}
    assert here < {*archlens.names()}
    linked = site.linked(gallery, every=True)
    there = set(re.findall(r"\]\(\.\./explorer/networks/([\w.-]+)\.html\)", linked))
    assert there == {*archlens.names()} - here
    pictures = re.findall(
        r'<a href="(?:\.\./explorer/networks/)?([\w.-]+)\.html"><img src="pictures/([\w.-]+)-', linked
    )
    assert len(pictures) == gallery.count("<img")
    assert all(page == picture for page, picture in pictures)
    assert site.linked(gallery, every=False).count("<a href") == gallery.count("<a href")
    assert "each with a page" in linked


@pytest.mark.slow
def test_the_site_is_built_in_strict_mode(site: ModuleType, tmp_path: Path) -> None:
    """All pages of this repository; the explorer and the playground have tests of their own."""
    config = site.staged(tmp_path, every=False)
    for name in ("explorer", "playground"):
        (config.parent / "pages" / name).mkdir()
        (config.parent / "pages" / name / "index.html").write_text(f"<title>{name}</title>", "utf-8")
    site.build(config, tmp_path / "site")
    for page in re.findall(r": ([\w./-]+)\.md$", CONFIG, re.MULTILINE):
        assert (tmp_path / "site" / f"{page.replace('README', 'index')}.html").is_file(), page
    api = (tmp_path / "site" / "api.html").read_text("utf-8")
    assert {*re.findall(r'id="archlens\.(\w+)"', api)} == {*archlens.__all__}
    index = json.loads((tmp_path / "site" / "search" / "search_index.json").read_text("utf-8"))
    found = {one["location"].partition("#")[0] for one in index["docs"] if "depthwise" in one["text"]}
    assert "docs/ops.html" in found
    assert (tmp_path / "site" / "playground" / "index.html").is_file()


#: The text of a page, the entries that lead to it, and what is said of the mistake.
MISTAKES = {
    "nothing": ("See [the top](#one) and [this page](one.md#one).", "  - One: one.md", None),
    "a link to no page": ("See [the other](other.md).", "  - One: one.md", "other.md"),
    "a link to no heading": ("See [below](#below).", "  - One: one.md", "#below"),
    "an entry without its page": ("Text.", "  - One: one.md\n  - Two: two.md", "two.md"),
}


@pytest.mark.parametrize("case", MISTAKES)
@pytest.mark.slow
def test_what_is_wrong_in_a_page_stops_it(
    site: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    text, nav, said = MISTAKES[case]
    (tmp_path / "pages").mkdir()
    for name in ("site.css", "site.js", "readable.py"):
        folder = tmp_path if name == "readable.py" else tmp_path / "pages"
        (folder / name).write_text((ROOT / "docs" / "site" / name).read_text("utf-8"), "utf-8")
    (tmp_path / "pages" / "one.md").write_text(f"# One\n\n{text}\n", "utf-8")
    config = tmp_path / "mkdocs.yml"
    config.write_text(f"{SETTINGS}nav:\n{nav}\n", "utf-8")
    if said is None:
        site.build(config, tmp_path / "site")
        assert (tmp_path / "site" / "one.html").is_file()
    else:
        with pytest.raises(subprocess.CalledProcessError):
            site.build(config, tmp_path / "site")
        assert said in "".join(capfd.readouterr())
