"""What is said when a layer does not fit: why, how the shapes came about, and what would work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import Diagnostic, Span, SpecError, UsageError, shorten
from ..language.spec import Spec
from ..network import Layer
from ..ops import Op
from ..shape import Shape
from .values import Tensor
from .walk import LayerMisfit, Walk


def explained(
    failed: LayerMisfit, walk: Walk, spec: Spec, variant: str, values: Mapping[str, Any]
) -> Diagnostic:
    """The diagnostic of a layer that does not fit: why, how the shapes came about, what would work."""
    misfit, name = failed.misfit, _called(failed.name, failed.op)
    notes = [*misfit.notes]
    also: list[tuple[str, Span]] = []
    index = {layer.name: layer for layer in walk.layers}
    if misfit.inputs:
        for position in dict.fromkeys(misfit.inputs):
            tensor = failed.inputs[position]
            layer = index.get(tensor.name)
            if layer is not None and layer.span is not None:
                also.append((f"{_called(tensor.name, layer.op)} gives {tensor.shape}", layer.span))
            else:
                notes.append(f"{shorten(tensor.name)} gives {tensor.shape}")
    else:
        notes.append(_chain(failed, index))
    help = _shortcut(failed) or misfit.help
    if misfit.size and walk.steps < _SEARCH_STEPS:
        # what merges may fit at a small size by chance, as 1x1 does with anything: a larger one is meant
        above = max(walk.x.shape.spatial, default=0) if misfit.inputs else 0
        smallest = smallest_input(spec, variant, values, walk, above)
        own = f"give {name} {help}" if help.startswith("padding=") else help
        turned = next(filter(None, [shape.turned() for shape in walk.inputs.values()]), None)
        if turned is not None:
            help = f"channels come first: {turned}"
        elif smallest is not None:
            sides = len(smallest) - 1
            square = {1: "", 2: " square", 3: " cubic"}[sides]
            which = "next larger" if misfit.inputs else "smallest"
            fitting = f"the {which}{square} input that fits the whole network is {smallest}"
            help = f"{fitting}; or {own}" if own else fitting
        else:
            help = own
    return Diagnostic(
        f"{name} does not fit: {misfit.message}", failed.where.span, tuple(notes), help, tuple(also)
    )


def _called(name: str, op: Op) -> str:
    """A layer in a message; one that has only a number is said with its op: ``features.0 (conv)``."""
    return f"{shorten(name)} ({op.kind})" if name.rpartition(".")[2].isdigit() else shorten(name)


def _shortcut(failed: LayerMisfit) -> str:
    """What a ``residual`` without a shortcut, or a ``gate``, needs for its branch; empty for the rest."""
    merge = failed.merge
    if merge is None or merge.form not in ("residual", "gate") or None not in merge.branches:
        return ""
    shapes = [tensor.shape for tensor in failed.inputs]
    entry = shapes[merge.branches.index(None)]
    branch = shapes[1 - merge.branches.index(None)]
    if len(entry) != len(branch) or entry.channels_last != branch.channels_last:
        return ""
    flat = len(entry) == 1 or entry.channels_last
    if flat and entry.spatial != branch.spatial:
        return ""
    if merge.form == "gate":
        step = "linear" if flat else "conv"
        arguments = f"{entry.channels}" if flat else f"{entry.channels}, 1"
        return f"end the gate with as many channels as flow in: {step}({arguments})"
    for stride in range(1, 9):
        if tuple((size - 1) // stride + 1 for size in entry.spatial) == branch.spatial:
            break
    else:
        return ""
    step = f"conv({branch.channels}, 1{f', stride={stride}' if stride > 1 else ''})"
    if flat:
        step = f"linear({branch.channels})"
    return f"write `shortcut: {step}` beside residual:, so that x gets the shape of its branch"


def _chain(failed: LayerMisfit, index: Mapping[str, Layer]) -> str:
    """How the shapes came about: ``input 1x12x12 -> C1 6x8x8 -> S2 6x4x4 -> C3``."""
    links: list[str] = []
    tensor = failed.inputs[0]
    layer = index.get(tensor.name)
    while layer is not None and len(links) < 5:
        if layer.shape != layer.input_shapes[0]:
            links.append(f"{_called(layer.name, layer.op)} {layer.shape}")
        source = layer.inputs[0]
        tensor = Tensor(source, layer.input_shapes[0])
        layer = index.get(source)
    links.append("..." if layer is not None else f"{tensor.name} {tensor.shape}")
    return " -> ".join([*reversed(links), _called(failed.name, failed.op)])


#: How many steps the search for the smallest input may take, and how large an input it tries.
_SEARCH_STEPS = 100_000
_SEARCH_SIZE = 1024


def smallest_input(
    spec: Spec, variant: str, values: Mapping[str, Any], failed: Walk, above: int = 0
) -> Shape | None:
    """The smallest input with equal sides, longer than ``above``, that the whole network accepts.

    ``None`` where there are several inputs or no spatial axis, or where the search is given up.
    """
    if len(failed.inputs) != 1:
        return None
    ((name, shape),) = failed.inputs.items()
    if len(shape) < 2:
        return None
    spent = 0
    for side in range(above + 1, above + _SEARCH_SIZE + 1):
        tried = Shape((shape.channels, *(side,) * (len(shape) - 1)))
        walk = Walk(spec, variant, values, failed.origin)
        try:
            walk.run({name: tried})
        except LayerMisfit as misplaced:
            misfit = misplaced.misfit
            if not misfit.size and misfit.inputs == () and side > max(shape.spatial):
                return None
            spent += walk.steps + 1
        except (SpecError, UsageError, RecursionError):
            spent += walk.steps + 1
        else:
            return tried
        if spent > _SEARCH_STEPS:
            return None
    return None
