"""What a spec uses of others, under ``use:``: networks of the zoo, and files beside its own.

Reading a spec runs no code, and what it uses must be specs, too. All is read anew whenever a spec is opened,
so that a change in a file is seen in those that use it.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable
from dataclasses import field, replace
from typing import NamedTuple, Protocol

from ..errors import Diagnostic, Span, SpecError, UsageError, did_you_mean, error, shorten
from ..language.spec import Part, Spec, Use, no_variant
from ..language.steps import Block, Body, Named, Step, Steps
from ..records import record

#: How many other specs one may use, those that they use included, and how many characters these may have.
MAX_FILES = 100
MAX_CHARACTERS = 4_000_000


class Where(Protocol):
    """Where a spec lies, from which the paths start that stand in it."""

    def other(self, path: str) -> tuple[str, Where, Spec]:
        """Another spec by its path from here: what tells it from others, where it lies, and the spec itself.

        Raises:
            UsageError: there is none.
            SpecError: it is no spec.
        """


class Nowhere:
    """A spec that lies in no file, or in the zoo."""

    def other(self, path: str) -> tuple[str, Where, Spec]:
        raise UsageError(
            Diagnostic(
                f"{shorten(path)} is a path from a spec's own file, and this spec is in none",
                help="save it as a file, or use a network of the zoo by its name",
            )
        )


class Folder(NamedTuple):
    """A spec in a file."""

    file: str
    #: Reads a spec from a file, without what it uses.
    read: Callable[[str], Spec]

    def other(self, path: str) -> tuple[str, Where, Spec]:
        there = os.path.normpath(os.path.join(os.path.dirname(self.file), path))
        return os.path.realpath(there), Folder(there, self.read), self.read(there)


@record()
class _Reading:
    """The reading of all that one spec uses."""

    #: The spec of a network of the zoo, and its variant, without what it uses.
    zoo: Callable[[str], tuple[Spec, str]]
    read: dict[str, Spec] = field(default_factory=dict)
    files: int = 0
    characters: int = 0

    def linked(self, spec: Spec, where: Where, chain: tuple[tuple[str, Use | None], ...]) -> Spec:
        """A spec with all that it uses; ``chain`` leads to it."""
        if not spec.uses:
            return spec
        parts = {name: self.part(use, where, chain) for name, use in spec.uses.items()}
        return replace(spec, parts=parts)

    def part(self, use: Use, where: Where, chain: tuple[tuple[str, Use | None], ...]) -> Part:
        """What is used under one name."""
        node = use.target
        path, rest = _taken_apart(node.value.strip())
        try:
            if path:
                key, there, spec = where.other(path)
            else:
                name, _, rest = rest.partition(".")
                spec, variant = self.zoo(name)
                key, there = spec.source.name, Nowhere()
            self.check_circle(key, spec, use, chain)
            if key not in self.read:
                self.count(spec, use)
                self.read[key] = self.linked(spec, there, (*chain, (key, use)))
            spec = self.read[key]
            if path:
                variant, rest = _variant(spec, rest)
        except UsageError as problem:
            raise node.error(problem.diagnostic.message, help=problem.diagnostic.help) from None
        except SpecError as problem:
            if problem.diagnostic.span is not None and problem.diagnostic.span.source is node.source:
                raise
            used = f"{use.name} is used here", node.span
            also = (*problem.diagnostic.also, used)
            raise SpecError(replace(problem.diagnostic, also=also)) from None
        block, body = _found(spec, rest, use)
        if block is None and len(spec.inputs) > 1:
            raise error(
                f"{shorten(spec.name)} has {len(spec.inputs)} inputs, and a step reads one tensor",
                node.span,
                help="its blocks can be used, as in "
                + f"{shorten(node.value)}.{next(iter(spec.blocks), 'block')}",
                also=[("its inputs", next(iter(spec.inputs.values())).span)],
            )
        return Part(use, spec, variant, block, body)

    def count(self, spec: Spec, use: Use) -> None:
        """Refuse more than may be used."""
        self.files += 1
        self.characters += len(spec.source.text)
        if self.files > MAX_FILES:
            raise use.target.error(f"more than {MAX_FILES} other specs are used, one through the other")
        if self.characters > MAX_CHARACTERS:
            raise use.target.error(
                f"the specs that are used have more than the {MAX_CHARACTERS:,} characters allowed"
            )

    def check_circle(self, key: str, spec: Spec, use: Use, chain: tuple[tuple[str, Use | None], ...]) -> None:
        """Refuse a spec that uses itself, be it through others."""
        keys = [one for one, _ in chain]
        if key not in keys:
            return
        start = keys.index(key)
        through = [step for _, step in chain[start + 1 :] if step is not None]
        names = [spec.source.name, *(step.target.source.name for step in through[1:])]
        if through:
            names.append(use.target.source.name)
        circle = " -> ".join(shorten(name, 60) for name in [*names, spec.source.name])
        raise error(
            f"{shorten(spec.source.name, 200)} uses itself: {circle}",
            use.target.span,
            help="what both need can be put in a file of its own, or in blocks of this one",
        )


def linked(spec: Spec, where: Where, key: str, zoo: Callable[[str], tuple[Spec, str]]) -> Spec:
    """A spec with all that it uses.

    Args:
        spec: the spec.
        where: where it lies.
        key: what tells it from others.
        zoo: the spec and the variant of a network of the zoo, without what it uses.

    Raises:
        SpecError: something that it uses is not there, is no spec, or uses it in turn.
    """
    return _Reading(zoo).linked(spec, where, ((key, None),))


def _taken_apart(target: str) -> tuple[str, str]:
    """A path, and what stands behind it; of a network of the zoo the path is empty.

    >>> _taken_apart("./head.yaml:small.unit")
    ('./head.yaml', ':small.unit')
    >>> _taken_apart("resnet50.bottleneck")
    ('', 'resnet50.bottleneck')
    """
    match = re.fullmatch(r"(.*?\.ya?ml)([.:].*)?", target)
    return (match[1], match[2] or "") if match else ("", target)


def _variant(spec: Spec, rest: str) -> tuple[str, str]:
    """The variant and the part that stand behind a path: ``:small.unit``, ``.unit``."""
    own = spec.name if spec.name in spec.variants else ""
    if rest[:1] != ":":
        return own, rest[1:]
    rest = rest[1:]
    if rest in spec.variants:
        return rest, ""
    variant, dot, part = rest.rpartition(".")
    if not dot or variant not in spec.variants:
        raise no_variant(variant if dot else rest, spec.variants, shorten(spec.source.name, 200))
    return variant, part


def _found(spec: Spec, part: str, use: Use) -> tuple[Block | None, Body]:
    """The block of a name, or the steps: all layers, or those of a step of this name among them."""
    if not part:
        return None, spec.layers
    block, step = spec.blocks.get(part), _steps(spec.layers.step).get(part)
    if block is not None and step is not None:
        raise error(
            f"{part} is both a block and a step of {shorten(spec.source.name, 200)}",
            use.target.span,
            help="one of them needs another name",
            also=[("the block", block.span), ("the step", step.name.span)],
        )
    if block is not None:
        return block, block.body
    if step is not None:
        return None, step.body
    known = [*spec.blocks, *_steps(spec.layers.step)]
    raise error(
        f"{shorten(spec.source.name, 200)} has no block or step {shorten(part)}",
        use.target.span,
        help=did_you_mean(
            part, known, otherwise=f"it has {', '.join(known[:12])}" if known else "it has none"
        ),
        also=[("it is this file", Span(spec.source, 1, 1))],
    )


def _steps(step: Step) -> dict[str, Named]:
    """The named steps of ``layers:`` by their names, as far as these are certain."""
    listed = step.steps if isinstance(step, Steps) else [step]
    named = [(one.name.literal, one) for one in listed if isinstance(one, Named)]
    return {name: one for name, one in named if name is not None}
