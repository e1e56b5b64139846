"""Branches and loops: what is known of when they run is followed, and all else is opaque."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence

from ..folding import axis_of
from ..proto import Graph, Misfit, written
from ..running import At, Tensor
from .registry import runs

#: How many nodes of a loop are run at most, all its steps together; one with more is opaque.
_NODES = 10_000


@runs("If")
def branch(at: At) -> Sequence[Tensor]:
    """The branch that is taken, where that is known."""
    known = at.x().values
    if known is not None and len(known) == 1:
        graph = _graph(at, "then_branch" if known[0] else "else_branch")
        return _ran(at, graph, {})
    both = [_graph(at, name).outputs for name in ("then_branch", "else_branch")]
    alike = [a if a.sizes == b.sizes else None for a, b in zip(*both, strict=False)]
    return at.run.unknown(at, alike)


@runs("Loop")
def loop(at: At) -> Sequence[Tensor]:
    """A loop step by step, where it is known how many there are."""
    graph, start = _graph(at, "body"), at.inputs[2:]
    counts, going = at.given(0), at.given(1)
    carried = [_present(one) for one in start]
    if len(graph.inputs) != len(carried) + 2 or len(graph.outputs) <= len(carried):
        raise Misfit(f"its body does not take the {len(carried)} tensors that it carries")
    collected: list[list[Tensor]] = [[] for _ in graph.outputs[len(carried) + 1 :]]
    kept = at.run.mark()
    goes = True if going is None else _number(going)
    most = _number(counts) if counts is not None else None
    step = 0
    while goes and (most is None or step < most):
        if step * len(graph.nodes) > _NODES or (counts is not None and most is None):
            goes = None
            break
        names = [one.name for one in graph.inputs]
        first = [Tensor((), "int64", [step]), Tensor((), "bool", [True])]
        made = _ran(at, graph, dict(zip(names, [*first, *carried], strict=True)))
        goes, carried = _number(made[0]), made[1 : len(carried) + 1]
        for listed, one in zip(collected, made[len(carried) + 1 :], strict=True):
            listed.append(one)
        step += 1
    if goes is None or not all(collected):
        at.run.forget(kept)
        return at.run.unknown(at, graph.outputs[1 : len(carried) + 1])
    return [*carried, *[stacked(at, listed, 0) for listed in collected]]


@runs("Scan")
def scan(at: At) -> Sequence[Tensor]:
    """The body on each part of some tensors in turn."""
    graph, count = _graph(at, "body"), at.node.integer("num_scan_inputs", 0)
    given = [_present(one) for one in at.inputs]
    states, read = given[: len(given) - count], given[len(given) - count :]
    plain = not any(sum(at.node.integers(name, [])) for name in _WAYS)
    if count < 1 or len(graph.inputs) != len(given) or len(graph.outputs) < len(states):
        raise Misfit(f"its body does not take {len(given)} tensors")
    ways = at.node.integers("scan_input_axes", [0] * count)
    axes = [axis_of(axis, len(x.sizes)) for axis, x in zip(ways, read, strict=True)]
    steps = {x.sizes[axis] for axis, x in zip(axes, read, strict=True)}
    if len(steps) != 1:
        raise Misfit(f"it goes through {' and '.join(map(str, sorted(steps)))} parts at once")
    (count,) = steps
    if not plain or at.node.version < 9 or count * len(graph.nodes) > _NODES or count < 1:
        return at.run.unknown(at, graph.outputs[: len(states)])
    collected: list[list[Tensor]] = [[] for _ in graph.outputs[len(states) :]]
    for step in range(count):
        parts = []
        for axis, x in zip(axes, read, strict=True):
            sizes = (*x.sizes[:axis], *x.sizes[axis + 1 :])
            args = {"self": x, "dim": axis, "index": step}
            parts.append(at.write("aten.select", args, sizes, dtype=x.dtype))
        names = [one.name for one in graph.inputs]
        made = _ran(at, graph, dict(zip(names, [*states, *parts], strict=True)))
        states = made[: len(states)]
        for listed, one in zip(collected, made[len(states) :], strict=True):
            listed.append(one)
    over = at.node.integers("scan_output_axes", [0] * len(collected))
    return [*states, *[stacked(at, one, axis) for one, axis in zip(collected, over, strict=True)]]


#: What lets a scan read or write from the end.
_WAYS = ("scan_input_directions", "scan_output_directions", "directions")


def _graph(at: At, name: str) -> Graph:
    found = at.node.attributes.get(name)
    if not isinstance(found, Graph):
        raise Misfit(f"its {name} is not a graph")
    return found


def _present(tensor: Tensor | None) -> Tensor:
    if tensor is None:
        raise Misfit("a tensor that goes through it is missing")
    return tensor


def _number(tensor: Tensor) -> int | None:
    """A single number that is known."""
    values = tensor.values
    return int(values[0]) if values is not None and len(values) == 1 and not tensor.flows else None


def _ran(at: At, graph: Graph, given: Mapping[str, Tensor]) -> list[Tensor]:
    """What comes out of a graph within a node, which reads what is around it."""
    run = at.run
    inner: ChainMap[str, Tensor] = ChainMap(dict(given), at.env)  # type: ignore[arg-type]
    prefix = run.around_of(at.prefix)
    names = [one.name for one in graph.outputs]
    run.within(graph, inner, prefix, names)
    missing = [name for name in names if name not in inner]
    if missing:
        raise Misfit(f"its {'body' if given else 'branch'} makes no {missing[0]}")
    return [inner[name] for name in names]


def stacked(at: At, tensors: Sequence[Tensor], axis: int) -> Tensor:
    """Tensors side by side along an axis of their own."""
    first = tensors[0]
    if any(one.sizes != first.sizes for one in tensors):
        raise Misfit(f"its steps give {written(first.sizes)}, and others")
    axis = axis_of(axis, len(first.sizes) + 1)
    values = [one for tensor in tensors for one in tensor.values or []]
    if axis == 0 and not any(one.flows or one.values is None for one in tensors):
        return Tensor((len(tensors), *first.sizes), first.dtype, values)
    sizes = (*first.sizes[:axis], len(tensors), *first.sizes[axis:])
    return at.write("aten.stack", {"tensors": list(tensors), "dim": axis}, sizes, dtype=first.dtype)
