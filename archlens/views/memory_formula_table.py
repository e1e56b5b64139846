"""The memory of a network as formulas of letters; a table or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from ..analysis.memory_formula import Largest, MemoryFormula
from ..counts import dumps
from ..forms.table import LEAST, Column, Content, Table
from ..notation import LATEX, PYTHON, TEXT
from .formula_table import Written, boxes, given, headline, lead, letters_of, lying, math, notes, sizes
from .words import few

SCHEMA = "archlens.memory-formula/1"


def table(found: MemoryFormula) -> Table:
    """Weights, inference and training in bytes, which inputs are taken, and what sizes stand for."""
    formula = found.formula
    text, tex = Written(formula, TEXT), Written(formula, LATEX)

    def row(what: str, forms: Largest) -> list[Content]:
        return [what, math(forms[0], text, tex), f"{len(forms):,}" if len(forms) > 1 else ""]

    return Table(
        headline=headline(formula),
        lead=lead(formula),
        columns=[Column("what", least=LEAST), Column("bytes"), Column("largest of", right=True)],
        rows=[row(what, forms) for what, forms in _lines(found)],
        more=[sizes(text, tex)],
        notes=[*_notes(found), *notes(formula, memory=False)],
        json=partial(to_json, found),
    )


def _lines(found: MemoryFormula) -> Iterator[tuple[str, Largest]]:
    for dtype, form in found.weights.items():
        yield f"weights, {dtype}", (form,)
    yield "buffers", (found.buffers,)
    yield "inference: all outputs", (found.outputs,)
    yield "inference: peak activations", found.inference
    yield "inference: peak, in place", found.in_place
    yield "inference: peak, eager torch", found.eager
    if found.training is not None:
        yield "training: gradients", (found.training.gradients,)
        yield f"training: optimizer state, {found.optimizer}", (found.training.states,)
        yield "training: saved activations", (found.training.saved,)
        yield "training: step, each tensor", (found.training.single,)
        yield "training: step, foreach", (found.training.foreach,)
        yield "training: peak", found.training.peak


def _notes(found: MemoryFormula) -> list[str]:
    formula = found.formula
    samples = formula.batch or found.batch
    lines = [
        f"With {samples} sample{'s' if samples != 1 else ''} at once, weights in {found.dtype}, activations "
        f"in {found.activations}; by the rules that archlens memory prints with numbers.",
        "A peak is the largest of several formulas (all in --format json); the one shown is the largest at "
        "the sizes where they were found.",
        *lying(formula, found.regions, "These formulas hold"),
    ]
    if found.training is None:
        lines.append(f"No figures for training: {found.reason}.")
    if found.unknown:
        lines.append(
            "Figures of eager torch and of training are lower bounds: it is not stated what "
            f"{few(found.unknown)} keeps."
        )
    lines.append(
        "A board's arena has no formula: where its planner puts a tensor depends on the sizes of all tensors."
    )
    return lines


def to_json(found: MemoryFormula) -> str:
    """``archlens.memory-formula/1``: formulas in Python, where ``//`` rounds down."""
    formula = found.formula
    written = Written(formula, PYTHON)
    training: dict[str, Any] = {"reason": found.reason or None}
    if found.training is not None:
        gradients, states, saved, single, foreach, peak = found.training
        training |= {
            "gradients": written.form(gradients),
            "optimizer_state": written.form(states),
            "saved": written.form(saved),
            "step": {"single": written.form(single), "foreach": written.form(foreach)},
            "peak": {"largest_of": list(map(written.form, peak))},
        }
    return dumps(
        {
            **given(formula, SCHEMA),
            "batch": formula.batch or found.batch,
            "dtype": found.dtype,
            "activations": found.activations,
            "optimizer": found.optimizer,
            **letters_of(formula, written),
            "where": boxes(formula, found.regions),
            "weights": {dtype: written.form(form) for dtype, form in found.weights.items()},
            "buffers": written.form(found.buffers),
            "inference": {
                "outputs": written.form(found.outputs),
                "peak_activations": {"largest_of": list(map(written.form, found.inference))},
                "in_place": {"largest_of": list(map(written.form, found.in_place))},
                "eager": {"largest_of": list(map(written.form, found.eager))},
            },
            "training": training,
            "unknown": list(found.unknown),
        },
        indent=2,
    )
