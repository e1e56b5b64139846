"""Published tables beside what is computed: which figures agree, and why the others do not.

A figure that is not the network's own is held against what the tools print whose way to count is known
(:mod:`.counting`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from ..counts import AtLeast
from ..errors import shorten
from ..network import Network
from . import counting
from .printed_rows import PrintedRow
from .published_figures import EQUAL, EXPLAINED, ROUNDED, UNEXPLAINED, agrees

UNKNOWN = "not known"

#: How a comparison can end, the best first.
VERDICTS = (EQUAL, ROUNDED, EXPLAINED, UNEXPLAINED, UNKNOWN)


class Cause(NamedTuple):
    """Why a figure is printed that is not the network's own."""

    #: The tool that counts so; empty where another quantity was printed under the name.
    tool: str
    #: What that gives.
    value: int
    #: In a clause, after the tool: ``counts ...``.
    says: str
    #: Whether the tool leaves work out, and does not just count otherwise.
    fault: bool = False


class Audited(NamedTuple):
    """A figure beside the computed one."""

    #: A key of :data:`.printed_rows.QUANTITIES`.
    quantity: str
    printed: str
    computed: int
    #: One of :data:`VERDICTS`.
    verdict: str
    #: Why it differs; where the figures are not settled yet all that it may be.
    causes: tuple[Cause, ...] = ()


class AuditedRow(NamedTuple):
    """A row of a table, and each of its figures; or why nothing is computed of it."""

    row: PrintedRow
    #: What the network was computed on, by the names of its inputs.
    inputs: dict[str, tuple[int, ...]]
    figures: tuple[Audited, ...]
    problem: str = ""

    @property
    def held(self) -> bool:
        """Whether all of it is computed and nothing differs for no known reason."""
        return not self.problem and not any(one.verdict in (UNEXPLAINED, UNKNOWN) for one in self.figures)


def compare(row: PrintedRow, network: Network) -> AuditedRow:
    r"""The figures of a row beside those of its network, each with all causes that it may have.

    >>> import archlens
    >>> from archlens.analysis.printed_rows import read
    >>> [row] = read("model,params (M),gmacs\nresnet50,25.56,4.11\n", "a.csv")
    >>> params, macs = compare(row, archlens.load("resnet50")).figures
    >>> params.verdict, macs.verdict, macs.computed, macs.causes[0].tool, macs.causes[0].value
    ('equal to the printed digits', 'different, explained', 4089184256, 'fvcore', 4111512576)
    """
    own = {"params": network.params, "macs": network.macs, "flops": 2 * network.macs}
    figures = []
    for quantity, printed in row.figures.items():
        value = own[quantity]
        verdict = agrees(printed, value)
        causes: tuple[Cause, ...] = ()
        if isinstance(value, AtLeast):
            verdict = UNKNOWN
        elif not verdict:
            causes = tuple(one for one in _causes(network, quantity) if agrees(printed, one.value))
            verdict = EXPLAINED if causes else UNEXPLAINED
        figures.append(Audited(quantity, printed, value, verdict, causes))
    inputs = {name: tuple(shape) for name, shape in network.inputs.items()}
    return AuditedRow(row, inputs, tuple(figures))


def tools() -> dict[str, str]:
    """The tools that a figure may be of, by the names of their conventions."""
    return {name: counting.find(name).tool for name in counting.names()[1:]}


def missing(row: PrintedRow, problem: str) -> AuditedRow:
    """A row of which nothing is computed."""
    return AuditedRow(row, {}, (), problem)


def settle(rows: Sequence[AuditedRow]) -> list[AuditedRow]:
    """The rows with no more than one cause for each figure.

    A table is taken to be made with one tool, that which explains most of its figures. What only others would
    explain is not explained: with so many tools some gives any number.
    """
    explained = Counter(
        tool
        for row in rows
        for one in row.figures
        for tool in {cause.tool for cause in one.causes if cause.tool}
    )
    tools = {"", *(tool for tool, _ in explained.most_common(1))}

    def settled(one: Audited) -> Audited:
        causes = tuple(cause for cause in one.causes if cause.tool in tools)[:1]
        return one._replace(causes=causes, verdict=one.verdict if causes or not one.causes else UNEXPLAINED)

    return [row._replace(figures=tuple(map(settled, row.figures))) for row in rows]


def _causes(network: Network, quantity: str) -> Iterator[Cause]:
    """What a figure may be that is not the network's own, first what is most likely."""
    heads = [layer for layer in network.layers if layer.training]
    if quantity == "params" and heads:
        kept = network.params - sum(layer.params for layer in heads)
        yield Cause("", kept, f"without the heads that run only in training: {kept:,}")
    if quantity == "macs":
        yield Cause("", 2 * network.macs, f"these are FLOPs, two for each MAC: {2 * network.macs:,}")
    if quantity == "flops":
        yield Cause("", network.macs, f"these are MACs, one for each two FLOPs: {network.macs:,}")
    for tool in counting.names()[1:]:
        for value, says, fault in _prints(network, tool, quantity):
            yield Cause(tool, value, says, fault)
            if quantity == "flops":
                yield Cause(tool, 2 * value, f"{says}, two FLOPs each", fault)


def _prints(network: Network, tool: str, quantity: str) -> Iterator[tuple[int, str, bool]]:
    """What a tool prints of a network: by its convention, with what it overlooks, and of other modules."""
    count = counting.count(network, tool)
    if quantity == "params":
        yield count.params, f"counts {count.params:,}", False
        if count.printed_params != count.params:
            yield (
                count.printed_params,
                f"counts {count.printed_params:,}: {_why(count.notes, 'params')}",
                True,
            )
        return
    if count.total is None or count.printed is None:
        return
    yield count.total, f"counts {count.total:,}", False
    if count.printed != count.total:
        yield count.printed, f"counts {count.printed:,}: {_why(count.notes, 'macs')}", True
    if count.own is not None:
        yield count.own.macs, f"counts {count.own.macs:,} of torchvision's own module", False
    work, gaps = count.work or {}, count.convention.gaps
    for chosen in (some for size in range(len(gaps)) for some in combinations(gaps, size + 1)):
        found = [[layer.name for layer in network.layers if gap.concerns(layer)] for gap in chosen]
        if not all(found):
            continue
        why = "; ".join(
            f"{gap.why} ({_layers(len(names), names[0])})" for gap, names in zip(chosen, found, strict=True)
        )
        shares = [work[name] for name in {name for names in found for name in names}]
        for value in (
            count.printed - sum(share.printed for share in shares),
            count.total - sum(share.counted for share in shares),
        ):
            yield value, f"counts {value:,}: {why}", True


def _why(notes: Iterable[counting.Note], quantity: str) -> str:
    """Why a tool prints something else than its convention gives."""
    concerned = [note for note in notes if (note.macs if quantity == "macs" else note.params)]
    return "; ".join(f"{note.why} ({_layers(note.layers, note.first)})" for note in concerned)


def _layers(count: int, first: str) -> str:
    return f"{count:,} layers, the first {shorten(first)}" if count > 1 else shorten(first)
