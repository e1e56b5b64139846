"""What a rule is, and what it finds.

A rule is a class in a file of its own in :mod:`archlens.lint.rules`. Its docstring is its documentation: a
first line, and four sections that ``archlens rules CODE`` prints and the tests run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any, ClassVar, NamedTuple

from ..analysis.study import Study
from ..errors import Diagnostic, Located, Span, shorten
from ..language.spec import Spec
from ..network import Layer

#: How much a finding matters: a mistake; most likely one; something worth knowing.
ERROR, WARNING, ADVICE = LEVELS = ("error", "warning", "advice")

#: Every rule by its code; filled as the files of the rules are imported.
registry: dict[str, Rule] = {}


@dataclass(frozen=True)
class Finding:
    """One thing that a rule found, at its place in the spec."""

    rule: Rule
    message: str
    #: ``None`` for a network that stands in no file.
    span: Span | None
    #: The layers that it is about, by name, in order; empty where it is about the spec alone.
    layers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    help: str = ""
    also: tuple[tuple[str, Span], ...] = ()
    #: The figures in it, exact: ``{"params": 102764544, "saved": 100663296}``.
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def diagnostic(self) -> Diagnostic:
        """The finding as what :func:`archlens.errors.render` prints."""
        rule = self.rule
        return Diagnostic(self.message, self.span, self.notes, self.help, self.also, rule.level, rule.code)


class Documentation(NamedTuple):
    """The docstring of a rule, taken apart. The two specs are complete files."""

    summary: str
    what: str
    why: str
    example: str
    instead: str


#: The sections of a docstring, in their order.
SECTIONS = ("What it does", "Why it matters", "Example", "Use instead")


class Rule:
    """One rule: its code, which never changes, its name, its level, and how it is checked.

    A subclass that passes them becomes a rule. What it says must be true of the network at hand, and in
    its numbers; where it goes by a threshold, the documentation says which.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    level: ClassVar[str]

    def __init_subclass__(cls, code: str, name: str, level: str) -> None:
        super().__init_subclass__()
        cls.code, cls.name, cls.level = code, name, level
        if code in registry:
            raise TypeError(f"two rules have the code {code}")
        registry[code] = cls()

    def check(self, study: Study) -> Iterator[Finding]:
        """What the rule finds in a network."""
        yield from ()

    def read(self, spec: Spec, study: Study) -> Iterator[Finding]:
        """What the rule finds in the text of the spec that a network was made from."""
        yield from ()

    def found(
        self,
        about: list[Layer] | Located,
        message: str,
        *,
        at: Layer | None = None,
        notes: Sequence[str] = (),
        help: str = "",
        also: Sequence[tuple[str, Layer]] = (),
        **numbers: Any,
    ) -> Finding:
        """A finding about layers, at the first of them unless at another; or about a place of the spec."""
        layers = about if isinstance(about, list) else []
        place = at or (about[0] if isinstance(about, list) else about)
        others = [(label, layer.span) for label, layer in also if layer.span is not None]
        if place.span is None:
            assert isinstance(place, Layer)  # all else stands in a file
            named = [f"{label}: {shorten(layer.name)}" for label, layer in also]
            notes = [f"at {shorten(place.name)}", *notes, *named]
        names = tuple([layer.name for layer in layers])
        return Finding(self, message, place.span, names, tuple(notes), help, tuple(others), numbers)

    @property
    def documentation(self) -> Documentation:
        """What the rule says of itself."""
        texts = [""]
        for line in cleandoc(type(self).__doc__ or "").split("\n"):
            if line.removesuffix(":") in SECTIONS:
                texts.append("")
            else:
                texts[-1] += f"{line}\n"
        return Documentation(*(cleandoc(text).strip() for text in texts))
