"""Which inputs a network takes, and what they cost, as formulas of letters; a table or JSON."""

from __future__ import annotations

from functools import partial

from ..analysis.sizes_formula import SizesFormula
from ..counts import dumps
from ..forms.table import LEAST, Column, Table
from ..formulas import form_of
from ..notation import LATEX, PYTHON, TEXT
from .formula_table import (
    Written,
    bounds,
    boxes,
    domain,
    given,
    headline,
    letters_of,
    live_set,
    math,
    notes,
    regions,
    sizes,
)
from .words import few

SCHEMA = "archlens.sizes-formula/1"


def table(found: SizesFormula) -> Table:
    """What fits, what loses no pixel, and the figures that change with the input."""
    formula = found.formula
    text, tex = Written(formula, TEXT), Written(formula, LATEX)
    figures = [
        ["params", math(form_of(formula.main.params), text, tex)],
        ["MACs", math(formula.total_macs(formula.main), text, tex)],
        ["live set (bytes)", math(formula.live.forms[0], text, tex)],
    ]
    return Table(
        headline=headline(formula),
        lead=[
            *[("fits at least" if formula.untold else "fits", one) for one in domain(formula) or ["nothing"]],
            *[
                ("no pixel lost", f"{one}{_but(found)}")
                for one in domain(formula, found.lossless) or ["nowhere"]
            ],
        ],
        columns=[Column("figure", least=LEAST), Column("is")],
        rows=figures,
        more=[sizes(text, tex)],
        notes=_notes(found),
        json=partial(to_json, found),
    )


def _but(found: SizesFormula) -> str:
    """Which layers are not meant where nothing is lost."""
    if not found.several:
        return ""
    return f"; unknown for {few(found.several)}, whose size depends on several letters"


def _notes(found: SizesFormula) -> list[str]:
    formula = found.formula
    lines = [
        "No pixel lost: every position of every map is in some window of the next layer; checked for "
        f"{', '.join(bounds(formula))}."
    ]
    if found.several:
        which = few(found.several)
        lines.append(f"Not checked for lost pixels, since their sizes depend on several letters: {which}.")
    if len(formula.pieces) > 1:
        where = regions(formula, formula.pieces[0].regions)
        lines.append(f"The figures hold {where}; archlens shapes has the others.")
    return [*lines, *notes(formula)]


def to_json(found: SizesFormula) -> str:
    """``archlens.sizes-formula/1``: formulas in Python, where ``//`` rounds down."""
    formula = found.formula
    written = Written(formula, PYTHON)
    return dumps(
        {
            **given(formula, SCHEMA),
            "batch": formula.batch or None,
            **letters_of(formula, written),
            "lossless": boxes(formula, found.lossless),
            "unknown": list(found.several),
            "params": written.form(form_of(formula.main.params)),
            "macs": written.form(formula.total_macs(formula.main)),
            "live_set": live_set(formula, written),
        },
        indent=2,
    )
