"""What a network costs as formulas of letters: multiply-accumulates and all other work; a table or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ..analysis.cost import ITEMS, Ledger, Sum, cost
from ..analysis.formula import Formula, Piece
from ..counts import dumps
from ..errors import printable
from ..forms.table import DETAIL, LEAST, Column, Content, Table
from ..formulas import Form, form_of
from ..notation import LATEX, PYTHON, TEXT
from .formula_table import (
    LONGEST,
    Written,
    boxes,
    further,
    headline,
    lead,
    letters_of,
    math,
    notes,
    others,
    regions,
    sizes,
)

SCHEMA = "archlens.cost-formula/1"


def table(formula: Formula, *, by: str = "layer", depth: int = 1) -> Table:
    """The ledger in formulas, the inputs that the network takes, and what each size stands for.

    Args:
        formula: found with the work beside multiply-accumulates, of one sample.
        by: a row for each ``"layer"``, ``"scope"`` or ``"op"``.
        depth: how many names deep a scope is.
    """
    text, tex = Written(formula, TEXT), Written(formula, LATEX)
    items = _items(formula)
    used = [item for item in ITEMS if item in items]

    def written(form: Form) -> Content:
        return math(form, text, tex)

    def row(one: Sum) -> list[Content]:
        figures = map(form_of, (one.params, one.macs, sum(one.other().values())))
        return [printable(one.name), printable(_what(one, text)), *map(written, figures)]

    columns = [
        Column(by, least=LEAST, key="name"),
        Column("op", least=LEAST, spare=DETAIL, key="what"),
        Column("params", right=True),
        Column("MACs", right=True, key="macs"),
        Column("other", right=True),
    ]

    def rows(piece: Piece) -> list[Sum]:
        with formula.standing():
            return _ledger(piece).by(by, depth)

    first = rows(formula.pieces[0])
    known = {one.name: _forms(one) for one in first}
    total = _ledger(formula.pieces[0]).total
    totals = [
        ("params", total.params),
        ("MACs", total.macs),
        *((k, n) for k, n in total.other().items() if n),
    ]
    return Table(
        headline=headline(formula),
        lead=lead(formula),
        columns=columns,
        rows=[row(one) for one in first],
        more=[
            sizes(text, tex),
            Table(
                columns=[Column("in all"), Column("is")],
                rows=[[name, written(form_of(n))] for name, n in totals],
            ),
            *(
                Table(
                    headline=f"Otherwise {regions(formula, piece.regions)}",
                    columns=columns,
                    rows=[row(one) for one in rows(piece) if known.get(one.name) != _forms(one)],
                )
                for piece in others(formula)
            ),
        ],
        notes=[
            *further(formula),
            *notes(formula, memory=False),
            "All other work is in operations, which are no part of the MACs: one addition, multiplication, "
            "division, comparison or function value each.",
            (
                f"Formulas of more than {LONGEST} characters are only in --format json, like the items of "
                "rows."
            ),
            *(f"{item}: {ITEMS[item].formula}. [{ITEMS[item].source}]" for item in used),
        ],
        json=partial(to_json, formula, by=by, depth=depth),
    )


def _ledger(piece: Piece) -> Ledger:
    return cost(piece.network)


def _items(formula: Formula) -> set[str]:
    """The items of which there is any, whatever the sizes."""
    return {
        item
        for piece in formula.pieces
        for layer in piece.network
        for item, n in layer.facts.other.items()
        if form_of(n)
    }


def _forms(one: Sum) -> object:
    return (
        form_of(one.params),
        form_of(one.macs),
        {k: form_of(n) for k, n in one.other().items() if form_of(n)},
    )


def _what(one: Sum, written: Written) -> str:
    """What a row is; an op with formulas for what was computed of sizes."""
    (layer, *others) = one.layers
    return written.op(layer) if not others and one.name == layer.name else one.what


def to_json(formula: Formula, *, by: str = "layer", depth: int = 1) -> str:
    """``archlens.cost-formula/1``: formulas in Python, where ``//`` rounds down."""
    written = Written(formula, PYTHON)

    def figures(one: Sum) -> dict[str, Any]:
        return {
            "params": written.form(form_of(one.params)),
            "macs": written.form(form_of(one.macs)),
            "other": {item: written.form(form_of(n)) for item, n in one.other().items()},
        }

    def piece(one: Piece) -> dict[str, Any]:
        with formula.standing():
            rows: Sequence[Sum] = _ledger(one).by(by, depth)
        return {
            "where": boxes(formula, one.regions),
            "totals": figures(_ledger(one).total),
            "rows": [{"name": row.name, "what": _what(row, written), **figures(row)} for row in rows],
        }

    return dumps(
        {
            "schema": SCHEMA,
            "name": formula.network.name,
            "by": by,
            "inputs": {name: list(sizes) for name, sizes in formula.inputs.items()},
            **letters_of(formula, written),
            "items": {item: ITEMS[item]._asdict() for item in ITEMS if item in _items(formula)},
            "pieces": [piece(one) for one in formula.pieces],
        },
        indent=2,
    )
