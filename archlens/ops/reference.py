"""What is known of an op beside its facts: what ``archlens ops`` and ``docs/ops.md`` print."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import NamedTuple

from ..shape import Shape
from .op import Facts, Names, Op, Parameter, as_written, signature
from .opaque import UNKNOWN

#: The sections of a docstring; each starts a line, and the lines that it goes on in are indented.
SECTIONS = ("Output", "Parameters", "MACs", "Limits", "Source")

_SECTION = re.compile(rf"({'|'.join(SECTIONS)}): (.*)")


class Documentation(NamedTuple):
    """The docstring of an op, taken apart."""

    summary: str
    #: What else it says, a paragraph each.
    text: tuple[str, ...]
    #: The formula of the output's shape, of the parameters and of the multiply-accumulates.
    output: str
    parameters: str
    macs: str
    #: What its input must be.
    limits: str
    source: str


class Example(NamedTuple):
    """A use of an op, worked out."""

    text: str
    op: Op
    inputs: tuple[Shape, ...]
    facts: Facts


class Entry(NamedTuple):
    """An op as the reference has it."""

    kind: str
    #: The file that it is in.
    group: str
    documentation: Documentation
    arguments: Mapping[str, Parameter]
    names: Names
    examples: tuple[Example, ...]

    @property
    def torch(self) -> list[str]:
        """What its examples call in torch, modules and functions of archlens' own left out."""
        return sorted({target for target in self._targets if not target.startswith("archlens.")})

    @property
    def own(self) -> bool:
        """Whether some of them call one of archlens' own."""
        return any(target.startswith("archlens.") and target != UNKNOWN for target in self._targets)

    @property
    def _targets(self) -> list[str]:
        return [example.facts.torch.target for example in self.examples]


def plain(text: str) -> str:
    """A text of the documentation without its marks."""
    return text.replace("`", "")


def rows_of_arguments(arguments: Mapping[str, Parameter]) -> list[list[str]]:
    """For each argument its name, default, what it takes, and what it means."""
    return [
        [name, "" if one.required else as_written(one.default), one.kind.says, one.meaning]
        for name, one in arguments.items()
    ]


def group_of(op: type[Op]) -> str:
    """The name of the file that an op is in; of one of a package with where that lies."""
    return op.__module__.removeprefix(f"{__package__}.")


def title_of(group: str) -> str:
    """What is in a file of ops, in a sentence."""
    module = sys.modules.get(f"{__package__}.{group}") or sys.modules.get(group)
    return (getattr(module, "__doc__", None) or f"Ops of {group}.").partition("\n")[0]


def documentation(op: type[Op]) -> Documentation:
    """What an op says of itself; a section that it lacks is that of the class above it.

    >>> from archlens.ops.pooling import MaxPool
    >>> documentation(MaxPool).macs
    'none'
    """
    summary, text, _ = _parts(op)
    found: dict[str, str] = {"Parameters": "none", "MACs": "none"}
    for above in reversed(op.__mro__):
        if issubclass(above, Op):
            found |= _parts(above)[2]
    return Documentation(summary, text, *(found.get(section, "").removesuffix(".") for section in SECTIONS))


def _parts(op: type[Op]) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """Summary, further paragraphs and sections of a docstring."""
    from inspect import cleandoc

    summary, *lines = cleandoc(op.__doc__ or "").split("\n")
    paragraphs = [""]
    sections: dict[str, str] = {}
    section = ""
    for line in lines:
        start = _SECTION.fullmatch(line)
        if start:
            section = start[1]
            sections[section] = start[2]
        elif line.startswith("    ") and section:
            sections[section] += f" {line.strip()}"
        elif line:
            section = ""
            paragraphs[-1] = f"{paragraphs[-1]} {line}".lstrip()
        else:
            paragraphs.append("")
    return summary, tuple([text for text in paragraphs if text]), sections


def entry(op: type[Op], examples: tuple[Example, ...]) -> Entry:
    """The entry of an op, whose examples have been worked out.

    Raises:
        TypeError: it does not say what it is called elsewhere.
    """
    if op.names is None:
        raise TypeError(f"{op.kind} does not say what it is called elsewhere")
    return Entry(op.kind, group_of(op), documentation(op), signature(op), op.names, examples)
