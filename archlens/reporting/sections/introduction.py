"""What the network introduced, who published it, and what is to be known of this spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..material import Material
from ..parts import Bullets, Link, Paragraph, Part, Piece

TITLE = ""
ORDER = 0


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


def citation(paper: Mapping[str, Any]) -> Iterator[Piece]:
    """A paper as it is cited: authors, title, venue and year, with links to where it is."""
    said = {key: _line(str(value)) for key, value in paper.items() if value is not None}
    where = " ".join(said[key] for key in ("venue", "year") if key in said)
    yield ". ".join(part for part in (said.get("authors"), said.get("title"), where) if part) + "."
    if "arxiv" in said:
        yield from (" ", Link(f"arXiv:{said['arxiv']}", f"https://arxiv.org/abs/{said['arxiv']}"))
    if "doi" in said:
        yield from (" ", Link(f"doi:{said['doi']}", f"https://doi.org/{said['doi']}"))
    if "url" in said:
        url = said["url"]
        safe = url.startswith(("https://", "http://"))
        yield from (" ", Link(url, url) if safe else url)


def _line(text: str) -> str:
    return " ".join(text.split())
