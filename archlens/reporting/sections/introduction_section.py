"""What the network introduced, who published it, and what is to be known of this spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...forms.table import Content, Link
from ...published import archived
from ..material import Material
from ..parts import Bullets, Paragraph, Part

TITLE = ""
ORDER = 0
COMMAND = "show"


def parts(material: Material) -> Sequence[Part]:
    """Its summary, its citation and its notes, as far as the spec has them."""
    meta = material.network.meta
    found: list[Part] = []
    if meta.summary:
        found.append(Paragraph([_line(meta.summary)]))
    found += [Paragraph(list(citation(paper))) for paper in meta.papers]
    if meta.notes:
        found.append(Bullets([[_line(note)] for note in meta.notes]))
    return found


def citation(paper: Mapping[str, str]) -> Iterator[Content]:
    """A paper as it is cited: authors, title, venue and year, with links to where it is."""
    said = {key: _line(value) for key, value in paper.items()}
    place = " ".join(said[key] for key in ("venue", "year") if key in said)
    yield ". ".join(part for part in (said.get("authors"), said.get("title"), place) if part) + "."
    for key, called in _ARCHIVES.items():
        if key in said:
            name, where = archived(key, said[key])
            yield from (" ", Link(f"{called}:{name}", where))
    if "url" in said:
        url = said["url"]
        safe = url.startswith(("https://", "http://"))
        yield from (" ", Link(url, url) if safe else url)


#: How the archives are called.
_ARCHIVES = {"arxiv": "arXiv", "doi": "doi"}


def _line(text: str) -> str:
    return " ".join(text.split())
