"""The fields of a configuration, each with its place: what is read, what must be so, what changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Mapping as Values
from typing import Any, BinaryIO

from ...errors import ArchlensError, Source, error, shorten, usage
from ...language.document import Mapping, Node, Scalar, Sequence, compose, expect_mapping
from ..format import text_of

#: The most bytes of a file, the largest number in it, and the longest word that is read as a number.
_MOST = 2_000_000
_LARGEST = 10**9
_LONGEST = 40


def read_config(file: BinaryIO, name: str) -> Mapping:
    """What a file says.

    Raises:
        SpecError: it is no mapping of fields to values.
    """
    # no text in JSON has a tab in it, so that all of them stand between words, where YAML takes none
    text = text_of(file, name, _MOST).replace("\t", " ")
    tree = compose(Source(name, text))
    if tree is None:
        raise error("the file is empty")
    return expect_mapping(tree, "a configuration")


def plain(node: Node) -> Any:
    """The value of a node as JSON reads it; of a word that is none the text."""
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key.value: plain(value) for key, value in node.items()}
    assert isinstance(node, Scalar)
    if not node.plain or len(node.value) > _LONGEST:
        return node.value
    return _word(node.value)


def _word(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Fields:
    """The fields of a configuration, or of a part of it, as one family of networks reads them.

    What is asked for is taken down, so that the rest can be looked through at the end.
    """

    def __init__(self, root: Mapping, given: Values[str, Any], architecture: str = "") -> None:
        self.root = root
        #: What the file says that it is a configuration of.
        self.architecture = architecture
        #: What was given in place of what the file says.
        self.given = given
        #: What was read, with what it is.
        self.read: dict[str, Any] = {}
        #: The fields that were looked at.
        self.known: set[str] = {"model_type", "architectures"}
        #: Other names of fields.
        self.others: dict[str, list[str]] = {}
        #: What is worth a word, a sentence each.
        self.notes: list[str] = []
        #: The fields of parts that were not asked for.
        self.left: list[str] = []

    def within(self, name: str) -> Fields:
        """The fields of a part, which may be absent."""
        self.known.add(name)
        node = self.root.values.get(name)
        if node is None or (isinstance(node, Scalar) and node.empty):
            node = Mapping(
                self.root.source, self.root.line, self.root.column, self.root.index, self.root.end, {}, {}
            )
        return Fields(expect_mapping(node, name), {})

    def unread(self, part: Fields) -> None:
        """Take down what of a part was not asked for."""
        self.left += [name for name in part.root.keys if name not in part.known]

    def error(self, name: str, message: str, help: str = "") -> ArchlensError:
        """A diagnostic that points at a field, if the file has it."""
        if name in self.given:
            return usage(message, help=help)
        return self.root.values.get(name, self.root).error(message, help=help)

    def same(self, **names: str) -> None:
        """Take fields under other names as well, each ``other=name``, as transformers does."""
        self.others |= {name: [*self.others.get(name, ()), other] for other, name in names.items()}

    def value(self, name: str, default: Any) -> Any:
        """The value of a field, or what transformers takes where there is none."""
        others = self.others.get(name, ())
        self.known.update((name, *others))
        if name in self.given:
            return _word(str(self.given[name]))
        found = {one: plain(self.root.values[one]) for one in (name, *others) if one in self.root.values}
        if not found:
            return default
        (first, value), *more = found.items()
        for other, said in more:
            if said != value:
                raise self.error(
                    other,
                    f"{other} is {shorten(_shown(said))}, and {first}, another name for it, is "
                    f"{shorten(_shown(value))}",
                )
        return value

    def whole(self, name: str, default: int | None, most: int = _LARGEST) -> int:
        """A whole number of at least 1; ``None`` stands for the default."""
        value = self.value(name, default)
        if value is None:
            value = default
        if value is None:
            raise self.error(name, f"{name} is missing", help="transformers has no default for it here")
        if type(value) is not int or not 1 <= value <= most:
            raise self.error(
                name, f"{name} must be a whole number from 1 to {most:,}, not {shorten(_shown(value))}"
            )
        self.read[name] = value
        return value

    def count(self, name: str, default: int) -> int:
        """A whole number of at least 0."""
        return 0 if self.value(name, default) == 0 else self.whole(name, default)

    def listed(self, name: str, default: list[str], length: int, choices: tuple[str, ...]) -> list[str]:
        """A word for each of so many, each one of the choices; ``None`` stands for the default."""
        value = self.value(name, default)
        if value is None:
            return default
        if not isinstance(value, list) or len(value) != length:
            raise self.error(name, f"{name} must be a list of {length:,} words, one for each layer")
        for one in value:
            if one not in choices:
                raise self.error(
                    name,
                    f"{name} has {shorten(_shown(one))}, for which no spec is known",
                    help=f"known here: {', '.join(choices)}",
                )
        return value

    def optional(self, name: str, default: int | None) -> int | None:
        """A whole number of at least 1, or ``None``."""
        value = self.value(name, default)
        if value is None:
            self.read[name] = None
            return None
        return self.whole(name, default)

    def number(self, name: str, default: float) -> float:
        """A number above 0."""
        value = self.value(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST:
            raise self.error(name, f"{name} must be a number above 0, not {shorten(_shown(value))}")
        self.read[name] = value
        return value

    def truth(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.value(name, default)
        if type(value) is not bool:
            raise self.error(name, f"{name} must be true or false, not {shorten(_shown(value))}")
        self.read[name] = value
        return value

    def choice(self, name: str, default: str, choices: Values[str, Any]) -> Any:
        """What one of several words stands for."""
        value = self.value(name, default)
        if not isinstance(value, str) or value not in choices:
            raise self._unsaid(name, value, choices)
        self.read[name] = value
        return choices[value]

    def only(self, name: str, *values: Any) -> None:
        """Refuse a field that is not as the spec has it; the first of the values is the default."""
        value = self.value(name, values[0])
        if not any(value == one and type(value) is type(one) for one in values):
            raise self._unsaid(name, value, [_shown(one) for one in values])

    def _unsaid(self, name: str, value: Any, choices: Iterable[str]) -> ArchlensError:
        return self.error(
            name,
            f"{name} is {shorten(_shown(value))}, for which no spec is known",
            help=f"known here: {', '.join(choices)}",
        )

    def divides(self, small: str, large: str) -> None:
        """Refuse a field that does not divide another."""
        part, whole = self.read[small], self.read[large]
        if whole % part:
            raise self.error(small, f"{small} {part:,} does not divide {large} {whole:,}")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
