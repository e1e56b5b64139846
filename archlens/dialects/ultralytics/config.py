"""What a model file says, each part with its place: rows, scales, and the values beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as Values
from dataclasses import dataclass
from math import isfinite
from typing import Any, BinaryIO

from ...errors import Source, SpecError, error, shorten
from ...language.document import Mapping, Node, Scalar, Sequence, compose, describe, expect_mapping
from ..format import text_of

#: The most bytes of a file, and the largest number in it.
_MOST = 2_000_000
_LARGEST = 10**9

#: The numbers of YAML that such files hold, and its words.
_WHOLE = re.compile(r"[-+]?[0-9][0-9_]{0,20}")
_NUMBER = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]{1,4})?")
_WORDS: dict[str, Any] = {"null": None, "~": None, "": None, "true": True, "false": False} | {
    "yes": True, "no": False, "on": True, "off": False,
}  # fmt: skip

#: The longest text that is read as a number or a word.
_TEXT = 200


@dataclass(frozen=True, eq=False)
class Row:
    """A row: what it reads, how often its module stands there, the module, and what that is given."""

    #: Where it stands in its list, as in ``head[3]``.
    place: str
    #: Its number among all rows, by which others read it.
    index: int
    node: Sequence
    sources: tuple[int, ...]
    #: Whether it reads a list of rows, be it of one.
    several: bool
    repeats: int
    module: str
    args: tuple[Any, ...]

    @property
    def span(self) -> Any:
        """Where it stands."""
        return self.node.span

    def error(self, message: str, part: int | None = None, **more: Any) -> SpecError:
        """A diagnostic of the row, which points at one of its parts or at an argument after those."""
        node: Node = self.node
        if part is not None and part < 3:
            node = self.node.items[part]
        elif part is not None:
            given = self.node.items[3]
            assert isinstance(given, Sequence)
            node = given.items[part - 3] if part - 3 < len(given.items) else given
        return node.error(f"{self.place}: {message}", **more)


@dataclass(frozen=True, eq=False)
class Config:
    """A model file."""

    source: Source
    root: Mapping
    rows: tuple[tuple[str, Node], ...]
    scales: Values[str, tuple[float, float, float]]
    #: Depth and width where there are no scales.
    own: tuple[float, float, float]
    #: What else it says that a network depends on: ``nc``, ``activation``, ``kpt_shape`` and so on.
    values: Values[str, Any]

    @property
    def modules(self) -> Iterator[str]:
        """The modules of the rows, as far as those are rows."""
        for _, node in self.rows:
            if isinstance(node, Sequence) and len(node.items) == 4 and isinstance(node.items[2], Scalar):
                yield node.items[2].value

    def scale_key(self, letter: str) -> Node:
        """Where the name of a scale stands."""
        listed = self.root.values["scales"]
        assert isinstance(listed, Mapping)
        return listed.keys[letter]

    def node(self, key: str) -> Node:
        """What stands under a key."""
        return self.root.values[key]


def read_config(file: BinaryIO, name: str) -> Config:
    """What a file says.

    Raises:
        UsageError: it cannot be read.
        SpecError: it is no such file.
    """
    source = Source(name, text_of(file, name, _MOST))
    tree = compose(source)
    if tree is None:
        raise error("the file is empty")
    root = expect_mapping(tree, "a model file")
    rows: list[tuple[str, Node]] = []
    for part in ("backbone", "head"):
        if part not in root.values:
            raise root.error(f"the file has no {part}:", help="its rows are [from, repeats, module, args]")
        listed = root.values[part]
        if not isinstance(listed, Sequence):
            raise listed.error(f"{part} must be a list of rows, not {describe(listed)}")
        rows += [(f"{part}[{i}]", node) for i, node in enumerate(listed.items)]
    if not rows:
        raise root.error("the file has no rows", help="its rows are [from, repeats, module, args]")
    own = (_factor(root, "depth_multiple"), _factor(root, "width_multiple"), float("inf"))
    values = {key.value: plain(node) for key, node in root.items() if key.value not in _APART}
    return Config(source, root, tuple(rows), _scales(root), own, values)


#: Keys that are read for themselves.
_APART = ("backbone", "head", "scales", "depth_multiple", "width_multiple")


def _factor(root: Mapping, key: str) -> float:
    if key not in root.values:
        return 1.0
    return _positive(root.values[key], key)


def _positive(node: Node, what: str) -> float:
    value = plain(node)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST:
        raise node.error(f"{what} must be a number above 0")
    return float(value)


def _scales(root: Mapping) -> dict[str, tuple[float, float, float]]:
    """Depth, width and most channels of each scale."""
    node = root.values.get("scales")
    if node is None or (isinstance(node, Scalar) and node.empty):
        return {}
    scales = {}
    help = "as in n: [0.33, 0.25, 1024]"
    for key, listed in expect_mapping(node, "scales", help=help).items():
        if not isinstance(listed, Sequence) or len(listed.items) != 3:
            raise listed.error(
                f"the scale {shorten(key.value)} must be [depth, width, most channels]", help=help
            )
        named = zip(("the depth", "the width", "the most channels"), listed.items, strict=True)
        depth, width, most = (_positive(one, f"{what} of {shorten(key.value)}") for what, one in named)
        scales[key.value] = (depth, width, most)
    return scales


def plain(node: Node) -> Any:
    """The value of a node as YAML reads it: a number, a truth, ``None``, a text, a list."""
    if isinstance(node, Sequence):
        return tuple(map(plain, node.items))
    if isinstance(node, Mapping):
        return {key.value: plain(value) for key, value in node.items()}
    assert isinstance(node, Scalar)
    return _read(node) if node.plain else node.value


def _read(node: Scalar) -> Any:
    """A number or a word, or else the text itself."""
    text = node.value
    if len(text) > _TEXT:
        return text
    if text.lower() in _WORDS and text in (text.lower(), text.upper(), text.capitalize()):
        return _WORDS[text.lower()]
    if _WHOLE.fullmatch(text):
        value: int | float = int(text.replace("_", ""))
    elif _NUMBER.fullmatch(text):
        value = float(text.replace("_", ""))
    else:
        return text
    if not isfinite(value) or abs(value) > _LARGEST:
        raise node.error(f"{shorten(text)} is out of range", help=f"numbers go up to {_LARGEST:,}")
    return value


def read_row(place: str, index: int, node: Node, names: Values[str, Any], most: int) -> Row:
    """A row.

    Args:
        place: where it stands in its list.
        index: its number among all.
        node: what stands there.
        names: the values that arguments may name, as ``nc`` is.
        most: how often its module may stand there.

    Raises:
        SpecError: it is none, or reads what does not stand before it.
    """
    form = "[from, repeats, module, args]"
    if not isinstance(node, Sequence) or len(node.items) != 4:
        count = f" of {len(node.items)}" if isinstance(node, Sequence) else ""
        raise node.error(
            f"{place}: a row is {form}, not {describe(node)}{count}", help="as in [-1, 1, Conv, [64, 3, 2]]"
        )
    source, repeats, module, given = node.items
    read = plain(source)
    several = isinstance(read, tuple)
    sources = read if several else (read,)
    for one in sources:
        if type(one) is not int:
            raise source.error(
                f"{place}: from must be the number of a row, or a list of some, not {describe(source)}",
                help="-1 is the row before",
            )
        if not (-max(index, 1) <= one < index):
            stands = f"no row stands before the first but the input: {form[1:5]} is -1"
            if index:
                last = f"this is row {index}: it can read rows 0 to {index - 1}, or -1 to -{index} from here"
                stands = last
            raise source.error(f"{place}: it cannot read row {one}", help=stands)
    if not sources:
        raise source.error(f"{place}: it reads nothing", help="-1 is the row before")
    count = plain(repeats)
    if type(count) is not int or not 1 <= count <= most:
        raise repeats.error(f"{place}: repeats must be a whole number from 1 to {most:,}")
    if not isinstance(module, Scalar) or not module.value:
        raise module.error(f"{place}: a module is a name such as Conv, not {describe(module)}")
    if not isinstance(given, Sequence):
        raise given.error(
            f"{place}: args must be a list, not {describe(given)}", help="as in [64, 3, 2], or []"
        )
    args = tuple(_argument(item, names) for item in given.items)
    return Row(place, index, node, sources, several, count, module.value, args)


def _argument(node: Node, names: Values[str, Any]) -> Any:
    """What a row gives a module: names are what they stand for, and texts are read as Python reads them."""
    _refuse_mappings(node)
    value = plain(node)
    if not isinstance(value, str):
        return value
    if value in names:
        return names[value]
    if value == "None":
        return None
    assert isinstance(node, Scalar)
    return _read(node)


def _refuse_mappings(node: Node) -> None:
    if isinstance(node, Mapping):
        raise node.error("an argument is a number, a word or a list, not a mapping")
    for item in node.items if isinstance(node, Sequence) else ():
        _refuse_mappings(item)
