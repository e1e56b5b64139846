"""The ``published:`` of a spec: what others printed of the network, one entry a source."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence as SequenceOf

from ..errors import shorten
from ..published import AXES, QUANTITIES, Entry, Figure, address, axes, paper_address, sizes
from .document import Mapping, Node, Scalar, Sequence, check_keys, describe, expect_mapping, expect_text

#: Its keys, in the order in which they are best written.
PUBLISHED_KEYS = ("source", "link", "axes", *QUANTITIES, "note", "unexplained", "unverified")

#: What is read in a line, however it is broken.
TEXTS = ("source", "link", "axes", "note", "unexplained", "unverified")

_LINKS = "as in arxiv:1409.4842, doi:10.1109/5.726791, https://..., or paper for that of this spec"


def read_published(node: Node, papers: SequenceOf[MappingOf[str, str]]) -> tuple[Entry, ...]:
    """The entries of a ``published:``: a list of mappings, or one alone.

    Args:
        node: what stands there.
        papers: the papers that the spec cites; ``link: paper`` means the first.

    Raises:
        SpecError: a key is not known, a figure is none, or a link leads nowhere.
    """
    listed = node.items if isinstance(node, Sequence) else [node]
    return tuple(_entry(item, papers) for item in listed)


def _entry(item: Node, papers: SequenceOf[MappingOf[str, str]]) -> Entry:
    mapping = expect_mapping(item, "published:")
    check_keys(mapping, PUBLISHED_KEYS, "published:")
    given = {
        name: value
        for name, value in mapping.values.items()
        if not (isinstance(value, Scalar) and value.empty)
    }
    texts = {name: " ".join(expect_text(given[name], f"{name}:").split()) for name in TEXTS if name in given}
    if not texts.get("source"):
        raise mapping.error("published: needs a source:")
    if texts.get("note") and texts.get("unexplained"):
        raise mapping.keys["unexplained"].error(
            "a figure that differs has a note:, which says why, or is unexplained:, not both",
            help="give the figures that are explained an entry of their own",
        )
    return Entry(
        source=texts["source"],
        link=_link(given["link"], texts["link"], papers) if texts.get("link") else "",
        figures=tuple(_figures(given, axes(texts.get("axes", "")))),
        axes=_axes(given["axes"], texts["axes"]) if texts.get("axes") else (),
        note=texts.get("note", ""),
        unexplained=texts.get("unexplained", ""),
        unverified=texts.get("unverified", ""),
    )


def _link(node: Node, text: str, papers: SequenceOf[MappingOf[str, str]]) -> str:
    if text == "paper":
        found = paper_address(papers[0]) if papers else None
        if found is None:
            raise node.error(
                "link: paper, but the first paper: of this spec has no arxiv:, doi: or url: to follow"
                if papers
                else "link: paper, but this spec cites no paper:",
                help=_LINKS,
            )
        return found
    found = address(text)
    if found is None:
        raise node.error(f"'{shorten(text)}' is not a link that can be followed", help=_LINKS)
    return found


def _axes(node: Node, text: str) -> tuple[str, ...]:
    found = axes(text)
    if found is None:
        letters = ", ".join(f"{letter} ({name})" for letter, name in AXES.items())
        raise node.error(
            f"'{shorten(text)}' is not an order of axes",
            help=f"as in HxWxC, or HxW where the table prints the size of the map alone; {letters}",
        )
    return found


def _figures(given: MappingOf[str, Node], order: SequenceOf[str] | None) -> Iterator[Figure]:
    """Every figure, in the order written."""
    for key, node in given.items():
        quantity = QUANTITIES.get(key)
        if quantity is None:
            continue
        if quantity.parts and (isinstance(node, Mapping) or not quantity.whole):
            for name, value in expect_mapping(node, f"{key}:").items():
                if not name.value:
                    raise name.error("the name of the layer is empty", help="as in {conv1: ...}")
                text = _figure(key, value)
                if key == "shapes" and order and len(order) != len(sizes(text) or ()):
                    raise value.error(
                        f"{shorten(text)} does not have the {len(order)} sizes that axes: names",
                        help="shapes printed in another order need an entry of their own",
                    )
                yield Figure(key, name.value, text, name.span)
        else:
            yield Figure(key, "", _figure(key, node), node.span)


def _figure(key: str, node: Node) -> str:
    quantity = QUANTITIES[key]
    if not isinstance(node, Scalar):
        what = "a text or a mapping of layers" if quantity.parts and quantity.whole else "a text"
        raise node.error(f"{key}: must be {what}, not {describe(node)}")
    text = " ".join(node.value.split())
    if quantity.read(text) is None:
        raise node.error(f"{key}: '{shorten(text)}' is not a comparable figure", help=quantity.example)
    return text
