"""The bytes that a network needs as formulas of letters, by the rules of :mod:`archlens.analysis.memory`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import usage
from ..formulas import Form, form_of
from . import memory
from .formula import Formula
from .regions import Region

#: The formulas of which the largest is meant; first that of the sizes at which they were found.
Largest = tuple[Form, ...]


class Training(NamedTuple):
    """What training needs."""

    gradients: Form
    states: Form
    #: What autograd keeps between the passes.
    saved: Form
    #: What a step of the optimizer makes, tensor by tensor and of all at once.
    single: Form
    foreach: Form
    #: The most bytes that are alive at once, those that last included.
    peak: Largest


class MemoryFormula(NamedTuple):
    """The bytes of a network with letters, where the formulas of its own input hold."""

    formula: Formula
    batch: int
    dtype: str
    activations: str
    optimizer: str
    #: By the type that they are held in.
    weights: Mapping[str, Form]
    buffers: Form
    #: The outputs of all layers, views apart.
    outputs: Form
    inference: Largest
    in_place: Largest
    eager: Largest
    #: ``None`` where nothing is trained, or not all of it is known; ``reason`` says why.
    training: Training | None
    reason: str
    #: Layers whose op does not say what it keeps: the figures of eager torch and of training are "at least".
    unknown: tuple[str, ...]
    #: Where tensors lie so.
    regions: tuple[Region, ...]


def find(
    formula: Formula,
    *,
    batch: int = 1,
    dtype: str = "float32",
    activations: str | None = None,
    optimizer: str = "adam",
) -> MemoryFormula:
    """The bytes that a network needs.

    Args:
        formula: its sizes.
        batch: samples at once, where no letter stands for them.
        dtype: the type of the weights.
        activations: that of the activations, as for :func:`archlens.analysis.memory.account`.
        optimizer: by what it is trained.

    Raises:
        UsageError: there are a batch and a letter for one; or as for ``account``.
    """
    if formula.batch and batch != 1:
        raise usage(f"{formula.batch} stands for the batch, which is {batch:,}", help="one of them")
    reason = ""
    if optimizer != "none" and any(layer.training for layer in formula.network):
        optimizer, reason = "none", "formulas do not include heads for training"
    with formula.standing():
        found = memory.course(
            formula.main,
            batch=formula.samples if formula.batch else batch,
            dtype=dtype,
            activations=activations,
            optimizer=optimizer,
        )
        lasting = found.weights[dtype] + found.buffers + (found.states or 0)
        regions = formula.holding(formula.table.taken())

        def largest(life: memory.Life) -> Largest:
            return formula.largest([one.bytes for one in life.instants], regions)

        return MemoryFormula(
            formula=formula,
            batch=batch,
            dtype=dtype,
            activations=found.activations,
            optimizer=optimizer,
            weights={name: form_of(count) for name, count in found.weights.items()},
            buffers=form_of(found.buffers),
            outputs=form_of(found.outputs),
            inference=largest(found.inference),
            in_place=largest(found.in_place),
            eager=largest(found.eager),
            training=_training(formula, found, lasting, regions),
            reason=reason or found.reason,
            unknown=found.unknown,
            regions=regions,
        )


def _training(
    formula: Formula, found: memory.Course, lasting: Any, regions: Sequence[Region]
) -> Training | None:
    if found.kept is None or found.forward is None or found.stepping is None or found.step is None:
        return None
    alive = [one.bytes for one in found.forward.instants]
    alive += [one.bytes for one in (*found.back, found.stepping)]
    return Training(
        form_of(found.gradients),
        form_of(found.states),
        form_of(found.kept.bytes),
        form_of(found.step.single),
        form_of(found.step.foreach),
        formula.largest([lasting + count for count in alive], regions),
    )
