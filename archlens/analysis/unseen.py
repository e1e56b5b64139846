"""Positions at the border of a map that no window reaches, because the stride does not divide evenly."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import Diagnostic
from ..geometry import Window
from ..network import Layer, Network
from ..ops import Facts

#: Whether layers leave positions unseen, by the identity of their facts; held, so that it stays theirs.
Known = dict[int, tuple[bool, Facts]]


def find(network: Network) -> list[Diagnostic]:
    """A warning for each layer whose windows leave input positions unseen.

    Only where windows touch or overlap: a stride larger than the kernel, as in a 1x1 convolution with
    stride 2, skips positions by intent. Left-over padding is no loss and gives no warning.
    """
    return placed(network, warning)


def placed(network: Network, warning: Callable[[Layer], Diagnostic | None]) -> list[Diagnostic]:
    """The warnings of all layers, each with the name and the place of its layer."""
    return [
        Diagnostic(f"{layer.name}: {one.message}", layer.span, one.notes, one.help, (), "warning")
        for layer, one in network.each(warning)
        if one is not None
    ]


def loses(network: Network, axes: tuple[str, ...], known: Known) -> bool:
    """Whether some layer leaves positions unseen along one of the axes, by name.

    Args:
        network: one of several that share what facts are alike.
        axes: the same for all of them.
        known: what was found of others, which grows.
    """
    for layer in network.layers:
        found = known.get(id(layer.facts))
        if found is None:
            found = any(axis in axes for axis, *_ in lost(layer)), layer.facts
            known[id(layer.facts)] = found
        if found[0]:
            return True
    return False


def lost(layer: Layer) -> list[tuple[str, int, Window, int]]:
    """The axes along which positions are left unseen: name, size, window and how many."""
    return [(axis, n, window, left) for axis, n, window in slid(layer) if (left := left_by(window, n))]


def slid(layer: Layer) -> list[tuple[str, int, Window]]:
    """The axes along which a layer slides a window: name, size and window."""
    x = layer.input_shapes[0]
    return list(zip(x.axes, x.spatial, layer.windows, strict=True)) if layer.windows else []


def left_by(window: Window, n: int) -> int:
    """How many of ``n`` positions a window leaves unseen that means to see all of them."""
    return window.unseen(n) if window.stride <= window.extent else 0


def warning(layer: Layer) -> Diagnostic | None:
    """What is said of a layer whose windows leave positions unseen, without its name and its place."""
    dropped = lost(layer)
    if not dropped:
        return None
    _, n, window, count = dropped[0]
    axes = " and ".join(name for name, *_ in dropped)
    positions = f"the last {count} positions" if count > 1 else "the last position"
    if window.transposed:
        most = window.extent - 1 + window.before - window.after
        return Diagnostic(
            f"all that {positions} of its input's {axes} write{'s' * (count == 1)} is cropped away",
            help=f"a padding of at most {most} keeps some of it",
        )
    larger = n + window.stride - window.remainder(n)
    return Diagnostic(
        f"{_quotient(window, n)} is not whole: {positions} of its input's {axes} "
        f"{'are' if count > 1 else 'is'} never seen",
        help=f"an input of {larger} fits: {_quotient(window, larger)}",
    )


def _quotient(window: Window, n: int) -> str:
    """``(224 - 11)/4 + 1 = 54.25``."""
    padding = f" + {window.before + window.after}" if window.before + window.after else ""
    exact = (n + window.before + window.after - window.extent) / window.stride + 1
    return f"({n}{padding} - {window.extent})/{window.stride} + 1 = {exact:.6g}"
