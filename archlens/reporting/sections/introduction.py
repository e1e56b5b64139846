"""What the network introduced, who published it, and what is to be known of this spec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

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


def citation(paper: Mapping[str, str]) -> Iterator[Piece]:
    """A paper as it is cited: authors, title, venue and year, with links to where it is."""
    said = {key: _line(value) for key, value in paper.items()}
    place = " ".join(said[key] for key in ("venue", "year") if key in said)
    yield ". ".join(part for part in (said.get("authors"), said.get("title"), place) if part) + "."
    for key, (called, where) in _ARCHIVES.items():
        if key in said:
            name = _WHERE.sub("", said[key])
            yield from (" ", Link(f"{called}:{name}", where + quote(name, safe="/:;")))
    if "url" in said:
        url = said["url"]
        safe = url.startswith(("https://", "http://"))
        yield from (" ", Link(url, url) if safe else url)


#: How names of archives are written, and where what they name is.
_ARCHIVES = {"arxiv": ("arXiv", "https://arxiv.org/abs/"), "doi": ("doi", "https://doi.org/")}

#: What people write before such a name.
_WHERE = re.compile(r"^(https?://)?(arxiv\.org/(abs|pdf)/|(dx\.)?doi\.org/|arxiv:|doi:)\s*", re.IGNORECASE)


def _line(text: str) -> str:
    return " ".join(text.split())
