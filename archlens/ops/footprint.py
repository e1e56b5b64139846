"""What an op asks of memory beside its weights and its output: in words that know no torch.

What is written here is what torch does, eagerly and with its own kernels; ``tests/test_memory.py`` holds
every op against ``torch.autograd.graph.saved_tensors_hooks`` and against the storages that are alive while it
runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

#: Kinds of values: as wide as the activations; the same, but in float32 on CUDA; and fixed ones.
VALUE, STATISTIC, FLOAT32, INT64, BOOL = "value", "statistic", "float32", "int64", "bool"

#: How an output lies in memory: in row-major order; with the channels innermost where its input has them
#: so, as torch's convolutions and poolings do; in the order of its inputs, where it works value by value.
ROWS, FORMAT, LIKE = "rows", "format", "like"

#: How an input must lie, or it is copied: in one piece; so that its positions are the rows of one matrix;
#: ``FORMAT`` is in one piece too, but the channels may be innermost; each input as a row of matrices.
PIECE, MATRIX, MATRICES = "piece", "matrix", "matrices"


class Extra(NamedTuple):
    """A tensor that exists beside the output."""

    #: How many values.
    values: int
    kind: str = VALUE
    #: Whether there are so many for each sample, or for the whole batch.
    per_sample: bool = True
    #: ``"cpu"`` or ``"cuda"``, where only one of them makes it.
    only: str = ""


class Reshaped(NamedTuple):
    """The same values in another shape: a view if the memory allows it, else a row-major copy."""

    #: Without the batch; empty is the shape of the output.
    sizes: tuple[int, ...] = ()


class Turned(NamedTuple):
    """A view with its axes in another order, without the batch: ``(1, 2, 0)`` puts the first one last."""

    order: tuple[int, ...]


class Heads(NamedTuple):
    """How rows of tokens may lie: all heads of all rows are one batch of matrices."""

    heads: int
    #: Whether it is asked of what a product with a number makes of them.
    scaled: bool


class ByLying(NamedTuple):
    """A footprint that depends on how the inputs lie."""

    #: An input, by its number, and how it might lie: a word from above, or in heads.
    asked: tuple[tuple[int, str | Heads], ...]
    #: The footprint, given of each of these whether it is so.
    found: Callable[..., Footprint]


class Footprint(NamedTuple):
    """What autograd keeps of an op, and what its kernels need for a moment."""

    #: Whether the backward pass needs the inputs, or which of them, and whether it needs the output.
    input: bool | tuple[int, ...] = False
    #: Whether all of these are kept for the gradient of any, which one kernel makes, and not as factors are.
    jointly: bool = False
    output: bool = False
    #: What else is kept for the backward pass: indices of a max pooling, statistics of a normalization.
    saved: tuple[Extra, ...] = ()
    #: Moments at which the output does not exist yet: what exists instead, beside the inputs.
    before: tuple[tuple[Extra, ...], ...] = ()
    #: The workspace of its kernels: what exists together with the output until the op is done.
    workspace: tuple[Extra, ...] = ()
    #: The output is the input's memory seen otherwise, by these steps in turn, as far as they make no copy.
    moves: tuple[Reshaped | Turned, ...] = ()
    #: The output is a part of the input's memory, or all of it; every how many positions of each axis.
    part: bool = False
    steps: tuple[int, ...] = ()
    #: How the output lies, if it has memory of its own: a word from above, or its axes, the innermost last.
    lies: str | tuple[int, ...] = FORMAT
    #: For how many values the output's memory has room, where torch makes it larger than the output.
    room: int = 0
    #: How the input must lie, if at all; as axes, that it is turned to these for ``MATRIX``. A copy that is
    #: made otherwise lives through the first moment, or as long as the op runs if it has but one, and stands
    #: in for the input where that is kept.
    needs: str | tuple[int, ...] = ""
    #: At inference the output is the input itself.
    inert: bool = False
    #: It works value by value, so it could write over an input of its output's shape.
    in_place: bool = False
    #: What exists for a moment while the gradients of inputs and weights are computed, beside these.
    backward: tuple[Extra, ...] = ()
    #: The gradients of its inputs are its output's own, or parts of it.
    passes: bool = False
    #: With more than two inputs, torch does it two at a time; ``saved`` are the results on the way.
    chained: bool = False
    #: What it is instead where that depends on how the inputs lie.
    by_lying: ByLying | None = None


#: Nothing is kept: a mean needs no value of its input to be differentiated.
NOTHING = Footprint()
#: Nor is anything computed: a sum of two tensors hands on the gradient of its output.
PASSED = Footprint(passes=True)
#: The inputs are kept, as a convolution keeps its own for the gradient of its weights.
INPUT = Footprint(input=True)
#: The output is kept, as ReLU's says where its input was positive.
OUTPUT = Footprint(output=True)
