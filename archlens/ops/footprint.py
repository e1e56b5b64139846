"""What an op asks of memory beside its weights and its output: in words that know no torch.

What is written here is what torch does, eagerly and with its own kernels; ``tests/test_memory.py`` holds
every op against ``torch.autograd.graph.saved_tensors_hooks`` and against the storages that are alive while it
runs.
"""

from __future__ import annotations

from typing import NamedTuple

#: Kinds of values: as wide as the activations; the same, but in float32 on CUDA; and fixed ones.
VALUE, STATISTIC, INT64, BOOL = "value", "statistic", "int64", "bool"


class Extra(NamedTuple):
    """A tensor that exists beside the output."""

    #: How many values.
    values: int
    kind: str = VALUE
    #: Whether there are so many for each sample, or for the whole batch.
    per_sample: bool = True
    #: ``"cpu"`` or ``"cuda"``, where only one of them makes it.
    only: str = ""


class Footprint(NamedTuple):
    """What autograd keeps of an op, and what its kernels need for a moment."""

    #: Whether the backward pass needs the inputs, and whether it needs the output.
    input: bool = False
    output: bool = False
    #: What else is kept for the backward pass: indices of a max pooling, statistics of a normalization.
    saved: tuple[Extra, ...] = ()
    #: Moments at which the output does not exist yet: what exists instead, beside the inputs.
    before: tuple[tuple[Extra, ...], ...] = ()
    #: What exists together with the output until the op is done.
    beside: tuple[Extra, ...] = ()
    #: The output is the input's memory under another shape, if each sample of it lies in one piece.
    reshapes: bool = False
    #: The output is a part of the input's memory, or all of it.
    part: bool = False
    #: Whether each sample of the output lies in one piece, in row-major order.
    whole: bool = True
    #: At inference the output is the input itself.
    inert: bool = False
    #: It works value by value, so it could write over an input of its output's shape.
    in_place: bool = False
    #: With more than two inputs, torch does it two at a time; ``saved`` are the results on the way.
    chained: bool = False


#: Nothing is kept: the sum of two tensors needs neither of them to be differentiated.
NOTHING = Footprint()
#: The inputs are kept, as a convolution keeps its own for the gradient of its weights.
INPUT = Footprint(input=True)
#: The output is kept, as ReLU's says where its input was positive.
OUTPUT = Footprint(output=True)
