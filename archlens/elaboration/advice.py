"""What is said when a layer does not fit: why, how the shapes came about, and what would work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..errors import Diagnostic, Located, Span, Unplaced, shorten
from ..language.steps import Merge
from ..network import Layer
from ..ops import Op, ShapeError
from ..shape import Shape
from .values import Tensor


class LayerShapeError(Exception):
    """A layer refuses its inputs: the op's reason, and where in the network it is."""

    def __init__(
        self,
        name: str,
        where: Located | None,
        cause: ShapeError,
        inputs: list[Tensor],
        op: Op,
        merge: Merge | None,
    ) -> None:
        super().__init__(cause.message)
        self.name = name
        self.where = where
        self.cause = cause
        self.inputs = inputs
        self.op = op
        self.merge = merge
        #: Further places that the diagnostic shows.
        self.also: tuple[tuple[str, Span], ...] = ()

    @property
    def unplaced(self) -> Unplaced:
        """The layer, for the error that carries it."""
        inputs = tuple(tensor.name for tensor in self.inputs)
        return Unplaced(self.name, str(self.op), inputs, self.cause.message)

    @property
    def span(self) -> Span | None:
        """Where it stands, if it stands in a file."""
        return self.where.span if self.where is not None else None


def explained(
    failed: LayerShapeError,
    layers: Iterable[Layer],
    inputs: Mapping[str, Shape],
    smallest: Callable[[int], Shape | None] | None = None,
) -> Diagnostic:
    """The diagnostic of a layer that does not fit: why, how the shapes came about, what would work.

    Args:
        failed: the layer.
        layers: those that stand before it.
        inputs: of the network.
        smallest: finds the smallest input with equal sides, longer than a number, that all of the network
            accepts; ``None`` where that would take too long.
    """
    cause, name = failed.cause, _called(failed.name, failed.op)
    notes = [*cause.notes]
    also = [*failed.also]
    index = {layer.name: layer for layer in layers}
    if cause.inputs:
        for position in dict.fromkeys(cause.inputs):
            tensor = failed.inputs[position]
            layer = index.get(tensor.name)
            if layer is not None and layer.span is not None:
                also.append((f"{_called(tensor.name, layer.op)} gives {tensor.shape}", layer.span))
            else:
                notes.append(f"{shorten(tensor.name)} gives {tensor.shape}")
    else:
        notes.append(_chain(failed, index))
    help = _shortcut(failed) or cause.help
    if cause.size and smallest is not None:
        # what merges may fit at a small size by chance, as 1x1 does with anything: a larger one is meant
        above = max(failed.inputs[-1].shape.spatial, default=0) if cause.inputs else 0
        fits = smallest(above)
        own = f"give {name} {help}" if help.startswith("padding=") else help
        turned = next(filter(None, [shape.turned() for shape in inputs.values()]), None)
        if turned is not None:
            help = f"channels come first: {turned}"
        elif fits is not None:
            sides = len(fits) - 1
            square = {1: "", 2: " square", 3: " cubic"}[sides]
            which = "next larger" if cause.inputs else "smallest"
            fitting = f"the {which}{square} input that fits the whole network is {fits}"
            help = f"{fitting}; or {own}" if own else fitting
        else:
            help = own
    return Diagnostic(f"{name} does not fit: {cause.message}", failed.span, tuple(notes), help, tuple(also))


def _called(name: str, op: Op) -> str:
    """A layer in a message; one that has only a number is said with its op: ``features.0 (conv)``."""
    return f"{shorten(name)} ({op.kind})" if name.rpartition(".")[2].isdigit() else shorten(name)


def _shortcut(failed: LayerShapeError) -> str:
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
        return f"end the gate with as many channels as its input has: {step}({arguments})"
    for stride in range(1, 9):
        if tuple((size - 1) // stride + 1 for size in entry.spatial) == branch.spatial:
            break
    else:
        return ""
    step = f"conv({branch.channels}, 1{f', stride={stride}' if stride > 1 else ''})"
    if flat:
        step = f"linear({branch.channels})"
    return f"write `shortcut: {step}` next to residual:, so that x gets the shape of its branch"


def _chain(failed: LayerShapeError, index: Mapping[str, Layer]) -> str:
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
