"""How a network was traced, as a table: what ran, what that became, and what is not known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ..counts import AtLeast
from ..forms.table import LEAST, Cell, Column, Content, Table, count
from ..lowering.account import CONSTANT, FOLDED, MOVED, OPAQUE, Account
from ..network import Layer, Network
from ..ops import NonUniform
from . import words

_TRACED = (Column("traced"), Column("how", least=LEAST))
_RAN = (
    Column("operator", least=LEAST),
    Column("times", right=True),
    Column("became", least=LEAST, roles={OPAQUE: "notable"}),
    Column("why", least=LEAST, spare=1),
)
_OPAQUE = (
    Column("opaque layer", least=LEAST, key="layer"),
    Column("operation", least=LEAST),
    Column("output"),
    Column("MACs", right=True, key="macs"),
    Column("reach"),
    Column("why", least=LEAST, spare=1),
)

#: What the words of the tables mean.
_NOTES = (
    (
        f"{OPAQUE}: a layer whose output and weights are known, and whose MACs and reach are known as far as "
        "stated here."
    ),
    f"{FOLDED}: not a layer of its own, such as a view; {CONSTANT}: likewise, since it depends on no input.",
    "MACs: multiply-accumulates. Reach: which positions of its inputs an output depends on, from which "
    "receptive fields follow.",
)


def table(network: Network, account: Account, *, steady: bool, coverage: bool = False) -> Table:
    """How it ran and how much of it is known; with ``coverage`` each operator and each opaque layer."""
    opaque = [layer for layer in network if layer.op.family == OPAQUE and not _is_idle(network, layer)]
    found = Table(
        headline=words.headline(network),
        columns=_TRACED,
        rows=[[what, said] for what, said in _sentences(network, account, opaque, steady)],
    )
    if not coverage:
        return found
    ran = Table(_RAN, [[one.operator, count(one.times), one.became, one.reason] for one in account.ran])
    tables = [ran, Table(_OPAQUE, list(map(_layer, opaque)))] if opaque else [ran]
    return Table(
        headline=found.headline,
        columns=found.columns,
        rows=found.rows,
        more=tables,
        notes=_NOTES,
    )


def _sentences(
    network: Network, account: Account, opaque: list[Layer], steady: bool
) -> Iterator[tuple[str, str]]:
    yield "way", f"{account.way}, torch {account.torch}"
    yield "other inputs", _OTHERS[steady]
    became = Counter[str]()
    for one in account.ran:
        if one.operator != MOVED:
            became[one.became] += one.times
    parts = [f"{became[word]:,} {word}" for word in (FOLDED, CONSTANT, OPAQUE) if became[word]]
    yield "operators", f"{became.total():,} ran{', of which ' if parts else ''}{', '.join(parts)}"
    idle = sum(_is_idle(network, layer) for layer in network)
    called = f", and {idle:,} that nothing calls" if idle else ""
    layers = len(network) - idle
    yield "layers", f"{layers - len(opaque):,} of {layers:,} are ops of archlens{called}"
    yield "MACs", _known(layers, len([one for one in opaque if isinstance(one.macs, AtLeast)]))
    yield "reach", _known(layers, len([one for one in opaque if isinstance(one.facts.reach, NonUniform)]))


_OTHERS = {
    True: "traced again; a search over many sizes reuses these ops, as two sizes that were tried allow",
    False: "traced again, also at each size of a search, since other sizes run other ops",
}


def _known(layers: int, unknown: int) -> str:
    return (
        f"known of {layers - unknown:,} of {layers:,} layers"
        if unknown
        else f"known of all {layers:,} layers"
    )


def _is_idle(network: Network, layer: Layer) -> bool:
    """Whether it is no more than weights that nothing reads."""
    return layer.op.family == OPAQUE and layer.name not in network.needed and layer.macs == 0


def _layer(layer: Layer) -> list[Content]:
    macs, reach = layer.macs, layer.facts.reach
    unknown = isinstance(macs, AtLeast)
    why = macs.why if isinstance(macs, AtLeast) else reach.reason if isinstance(reach, NonUniform) else ""
    return [
        layer.name,
        str(layer.op),
        str(layer.shape),
        Cell("unknown", None) if unknown else count(macs),
        "unknown" if isinstance(reach, NonUniform) else "known",
        why,
    ]
