"""What comes of the text of a spec while it is being written: a network, or as much of it as there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..analysis import layouts, published_figures
from ..analysis.study import Study
from ..elaboration import elaborate
from ..errors import ArchlensError, Diagnostic, Source, Span, SpecError, Unplaced
from ..language import Spec
from ..library import read
from ..lint import lint
from ..network import Network


class Looked(NamedTuple):
    """What came of it: a network, or as much of it as there is before the mistake."""

    spec: Spec | None
    variant: str
    network: Network | None
    problem: Diagnostic | None = None
    failed: Unplaced | None = None

    @property
    def complete(self) -> bool:
        """Whether it is the whole network."""
        return self.network is not None and self.problem is None


def opened(text: str, *, name: str = "network", path: str, file: str | None = None) -> Looked:
    """The spec in a text, or what is wrong with it; as :func:`archlens.library.read` takes it."""
    try:
        return Looked(read(text, name=name, path=path, file=file), "", None)
    except ArchlensError as problem:
        return Looked(None, "", None, problem.diagnostic)


def laid_out(
    spec: Spec, variant: str, *, advice: bool, input: Any = None, values: Mapping[str, Any] | None = None
) -> Looked:
    """The network of a spec, without what would work unless ``advice`` asks for it, which takes longer."""
    try:
        return Looked(spec, variant, elaborate(spec, variant, input=input, values=values, advice=advice))
    except SpecError as problem:
        partial = problem.network if problem.network is not None and problem.network.inputs else None
        return Looked(spec, variant, partial, problem.diagnostic, problem.failed)
    except ArchlensError as problem:
        return Looked(spec, variant, None, problem.diagnostic)


def variants(spec: Spec) -> list[str]:
    """The networks of a file, as ``archlens lint`` takes them: its variants, or the file's own params."""
    return [*spec.variants] or [""]


def findings(found: Looked) -> Iterator[Diagnostic]:
    """What else is to be said of a complete network: of its input, of what it claims, and by the rules."""
    if found.network is None or not found.complete:
        return
    yield from layouts.find(found.network)
    try:
        published_figures.find(found.network)
    except SpecError as problem:
        yield problem.diagnostic
    for finding in lint(Study(found.network), found.spec):
        yield finding.diagnostic


def place(diagnostic: Diagnostic, name: str) -> Span | None:
    """Where a diagnostic stands in the text of that name: itself, or what leads to its place elsewhere."""
    spans = [diagnostic.span, *(span for _, span in diagnostic.also)]
    return next((one for one in spans if one is not None and one.source.name == name), None)


def units(text: str) -> int:
    """How long a text is as editors count, in units of UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def columns(span: Span) -> tuple[int, int]:
    """Where a place starts in its line and ends, from 0, in those units."""
    line = line_of(span.source, span.line - 1)
    start = span.column - 1
    return units(line[:start]), units(line[: start + max(span.width, 1)])


def line_of(source: Source, number: int) -> str:
    """A line of a text, by its number from 0; empty behind the last."""
    return source.lines[number] if number < len(source.lines) else ""
