"""The page that leads to all others: a small picture for each family, and all networks side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..analysis.comparison import Accuracy, Compared
from ..errors import printable
from ..forms.table import Column, Command, Content, Link, Table, words_of
from ..views import comparison_table as view
from .parts import Details, Notes, Paragraph, Part, Picture, Thumbnail
from .sections import Section

#: The figures that are shown of each network, as the columns of a comparison are called.
SHOWN = ("name", "year", "depth", "params", "macs", "receptive_field", "top1")

#: Gives an address by the name of a network.
_Named = Callable[[str], str]

#: How many small pictures stand in a row.
ACROSS = 5


def sections(found: Sequence[Compared], address: _Named, source: _Named) -> list[Section]:
    """What the page says.

    Args:
        found: the networks, in any order.
        address: gives that of the page of a network, by its name; empty where it has none here.
        source: gives the address of the small picture of a network, by its name.
    """
    ordered = sorted(found, key=lambda one: (one.year is None, one.year or 0))  # and as they come within one
    said = [
        Section("", list(_introduction(ordered, address))),
        Section("Families", [_thumbnails(ordered, address, source)]),
        Section("Accuracy over work", _chart(ordered)),
        Section("Networks", _table(ordered, address)),
    ]
    return [section for section in said if section.parts]


def _introduction(found: Sequence[Compared], address: _Named) -> Iterator[Part]:
    here = sum(1 for one in found if address(one.name))
    count = f"{len(found)} networks of {len({one.family for one in found})} families, "
    pages = "each with a page" if here == len(found) else f"of which {here} have their pages here"
    said = (
        ": diagrams, every layer with its arithmetic, cost, memory, receptive field, published figures, and "
    )
    written = " writes them." if here == len(found) else " writes them all."
    command = Command("archlens report --all")
    yield Paragraph([count, pages, said, "how its figures were verified. ", command, written])


def _thumbnails(found: Sequence[Compared], address: _Named, source: _Named) -> Table:
    """The first network of each family, in rows."""
    first: dict[str, Compared] = {}
    for one in found:
        first.setdefault(one.family, one)
    cells: list[Content] = [
        Thumbnail(source(one.name), address(one.name), _called(one)) for one in first.values()
    ]
    rows = [cells[start : start + ACROSS] for start in range(0, len(cells), ACROSS)]
    rows[-1] = [*rows[-1], *[""] * (ACROSS - len(rows[-1]))]
    return Table([Column("")] * ACROSS, rows)


def _called(one: Compared) -> str:
    return printable(one.title) + (f", {one.year}" if one.year is not None else "")


def _chart(found: Sequence[Compared]) -> list[Part]:
    """The chart, if there are networks with an accuracy among ImageNet's classes."""
    drawn = [one for one in found if one.imagenet and isinstance(one.top1, Accuracy)]
    alt = "Published top-1 accuracy on ImageNet over multiply-accumulates, with the parameters as areas"
    return [Picture("accuracy", alt)] if drawn else []


def _table(found: Sequence[Compared], address: _Named) -> list[Part]:
    table = view.table(found, SHOWN).seen
    linked = [
        [Link(words_of(row[0]), address(one.name)), *row[1:]]
        for one, row in zip(found, table.cells, strict=True)
    ]
    size = "MACs are those on the input that a network's page names; larger ones cost more."
    notes = Notes([size, *table.notes])
    details = Details("What the figures mean, and where they are from", [notes])
    return [replace(table, rows=linked), details]
