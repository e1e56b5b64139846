"""Lists of tensors, as exporters write those of Python: what is in them is known, and they make no layer."""

from __future__ import annotations

from collections.abc import Sequence

from ..folding import axis_of
from ..proto import VALUES, Misfit
from ..running import At, Tensor
from .control import stacked
from .moves import cut, join
from .registry import runs


def _listed(parts: Sequence[Tensor]) -> Tensor:
    if len(parts) > VALUES:
        raise Misfit(f"its list has more than {VALUES:,} tensors")
    return Tensor((), parts[0].dtype if parts else "float32", parts=list(parts))


def _parts(at: At) -> list[Tensor]:
    found = at.given(0)
    if found is None or found.parts is None:
        raise Misfit("it reads no list of tensors")
    return found.parts


def _place(at: At, index: int, count: int, default: int | None = None) -> int:
    """Which place of a list is meant."""
    given = at.values(index)
    place = given[0] if given else default
    if type(place) is not int or not -count <= place < count:
        raise Misfit(f"there is no place {place} in a list of {count}")
    return place % count


@runs("SequenceEmpty", "SequenceConstruct")
def made(at: At) -> Tensor:
    return _listed([at.x(i) for i in range(len(at.inputs))])


@runs("SequenceInsert")
def inserted(at: At) -> Tensor:
    parts = _parts(at)
    place = _place(at, 2, len(parts) + 1, len(parts))
    return _listed([*parts[:place], at.x(1), *parts[place:]])


@runs("SequenceErase")
def erased(at: At) -> Tensor:
    parts = _parts(at)
    place = _place(at, 1, len(parts), -1)
    return _listed([*parts[:place], *parts[place + 1 :]])


@runs("SequenceAt")
def taken(at: At) -> Tensor:
    parts = _parts(at)
    return parts[_place(at, 1, len(parts))]


@runs("SequenceLength")
def counted(at: At) -> Tensor:
    return Tensor((), "int64", [len(_parts(at))])


@runs("SplitToSequence")
def split_up(at: At) -> Tensor:
    x = at.x()
    given = at.values(1)
    dim = axis_of(at.node.integer("axis", 0), len(x.sizes))
    n = x.sizes[dim]
    if given is None or (at.given(1) is not None and not at.x(1).sizes):
        each = given[0] if given else 1
        if type(each) is not int or each < 1:
            raise Misfit(f"it cannot be split into parts of {each}")
        sizes = [min(each, n - i) for i in range(0, n, each)]
    else:
        sizes = given
    parts = cut(at, x, dim, sizes)
    if given is None and not at.node.integer("keepdims", 1):
        shape = (*x.sizes[:dim], *x.sizes[dim + 1 :])
        parts = [at.write("aten.view", {"self": one}, shape, dtype=x.dtype) for one in parts]
    return _listed(parts)


@runs("ConcatFromSequence")
def joined(at: At) -> Tensor:
    parts = _parts(at)
    if not parts:
        raise Misfit("its list is empty")
    if at.node.integer("new_axis", 0):
        return stacked(at, parts, at.node.integer("axis", 0))
    return join(at, list(parts), at.node.integer("axis", 0))
