"""What is known of a loop: how often it runs, what it multiplies, and which of its tensors have steps.

A converter makes a ``WHILE`` of a recurrent layer. Its sequences lie with their steps before their batch, and
each run of its body gathers one step of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod
from typing import NamedTuple

from ...bounds import Bounds, allowed
from ...errors import shorten, usage
from .reading import File, Operator

#: Types of constants that are numbers for operators, and no weights.
_COUNTED = ("int32", "int64", "bool")


class Loop(NamedTuple):
    """A ``WHILE`` whose body is in the file."""

    #: The number of its graph.
    number: int
    body: File
    #: How often it runs; ``None`` where that does not follow from numbers in the file.
    steps: int | None
    #: What one run of the body multiplies, with the batch of the file; ``None`` where that is not known.
    macs: int | None
    #: The constants of the body that are weights, by their tensors.
    weights: tuple[int, ...]
    #: The positions among what it reads that it gives as they are.
    kept: frozenset[int]
    #: Those of sequences, of which each run gathers a step.
    sequences: frozenset[int]

    def gathered(self, position: int, file: File, operator: Operator) -> bool:
        """Whether an output is what came out of each step, or of the last one alone."""
        shape = file.tensors[operator.outputs[position]].shape
        read = [file.tensors[operator.inputs[i]].shape for i in self.sequences]
        alike = (len(one) == len(shape) and one[1] == shape[1] and shape[0] in (1, one[0]) for one in read)
        return position not in self.kept and len(shape) > 2 and any(alike)


def loops(file: File, free: Collection[str]) -> dict[int, Loop]:
    """The loops of a graph by the numbers of their operators.

    Args:
        file: the graph.
        free: the operators that multiply no matrices.

    Raises:
        UsageError: they run more operators than are allowed.
    """
    known: dict[int, tuple[int | None, tuple[int, ...]]] = {}
    found = {}
    bounds = Bounds(allowed())
    left = 16 * bounds.layers
    for operator in file.operators:
        numbers = operator.options.get(0, "i"), operator.options.get(1, "i")
        condition, body = (file.graphs.get(number) for number in numbers)
        if operator.kind != "WHILE" or condition is None or body is None or -1 in operator.inputs:
            continue
        counts = {len(operator.inputs), len(operator.outputs), len(body.inputs), len(body.outputs)}
        if len(counts) > 1 or len(condition.inputs) not in counts:
            continue
        left -= len(body.operators) + len(condition.operators)
        if left < 0:
            raise usage(f"{shorten(file.path, 200)}: {bounds.too_many_layers}")
        if numbers[1] not in known:
            known[numbers[1]] = _macs(body, free), _weights(body)
        pairs = zip(body.inputs, body.outputs, strict=True)
        kept = frozenset(i for i, (before, after) in enumerate(pairs) if before == after)
        sequences = {
            one.inputs[0]
            for one in body.operators
            if one.kind == "GATHER" and one.inputs and not one.options.get(0, "i")
        }
        found[operator.number] = Loop(
            numbers[1],
            body,
            _steps(file, operator, condition, body),
            *known[numbers[1]],
            kept,
            frozenset(i for i in kept if body.inputs[i] in sequences),
        )
    return found


def with_steps_first(file: File, found: Mapping[int, Loop]) -> frozenset[int]:
    """The tensors of a graph that lie with their steps before their batch: what its loops read and make."""
    sequences: set[int] = set()
    for operator in file.operators:
        loop = found.get(operator.number)
        if loop is not None:
            sequences.update(operator.inputs[i] for i in loop.sequences)
            sequences.update(operator.outputs[i] for i in loop.sequences)
            positions = range(len(operator.outputs))
            sequences.update(operator.outputs[i] for i in positions if loop.gathered(i, file, operator))
    turned = [one for one in file.operators if _turns_steps(file, one)]
    for operator in turned:  # what stands behind a loop
        if operator.inputs[0] in sequences:
            sequences.update(operator.outputs)
    for operator in reversed(turned):  # and before it
        if sequences.intersection(operator.outputs):
            sequences.add(operator.inputs[0])
    return frozenset(one for one in sequences if len(file.tensors[one].shape) > 2)


def _turns_steps(file: File, operator: Operator) -> bool:
    axes = file.numbers.get(operator.inputs[1]) if len(operator.inputs) > 1 else None
    return operator.kind == "REVERSE_V2" and axes == (0,)


def _steps(file: File, operator: Operator, condition: File, body: File) -> int | None:
    """How often a loop runs whose counters are compared with numbers: as often as all of them allow."""
    if any(one.kind not in ("LESS", "LOGICAL_AND") for one in condition.operators):
        return None
    found = []
    for one in condition.operators:
        if one.kind == "LESS":
            counter, end = one.inputs if len(one.inputs) == 2 else (-1, -1)
            if counter not in condition.inputs:
                return None
            position = condition.inputs.index(counter)
            start = _whole(file, operator.inputs[position])
            last = _whole(condition, end)
            step = _added(body, body.inputs[position], body.outputs[position])
            if start is None or last is None or step < 1:
                return None
            found.append(max(0, -((start - last) // step)))
    return min(found, default=None)


def _added(body: File, before: int, after: int) -> int:
    """The number that a run adds to a counter; 0 where it is not known."""
    for one in body.operators:
        if one.kind == "ADD" and one.outputs == (after,) and before in one.inputs:
            return next((_whole(body, index) or 0 for index in one.inputs if index != before), 0)
    return 0


def _whole(file: File, index: int) -> int | None:
    """The whole number that a tensor holds; ``None`` of any other."""
    found = file.numbers.get(index, ())
    return found[0] if len(found) == 1 and isinstance(found[0], int) else None


def _weights(body: File) -> tuple[int, ...]:
    read = dict.fromkeys(index for one in body.operators for index in one.inputs if index >= 0)
    return tuple(
        index
        for index in read
        if (one := body.tensors[index]).constant and one.dtype not in _COUNTED and prod(one.shape) > 1
    )


def _macs(body: File, free: Collection[str]) -> int | None:
    """What one run of a body multiplies, by the shapes that the file says."""
    total = 0
    for one in body.operators:
        shapes = [body.tensors[index].shape for index in (*one.outputs[:1], *one.inputs[1:2])]
        if one.kind in ("FULLY_CONNECTED", "CONV_2D") and len(shapes) == 2:
            total += prod(shapes[0]) * prod(shapes[1][1:])
        elif one.kind not in free:
            return None
    return total
