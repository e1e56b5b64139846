"""What runs along a sequence: recurrent layers and attention."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ....errors import shorten
from ....lowering.tape import Value
from ..proto import Misfit, Node, written
from ..running import At, Tensor
from .registry import runs


@runs("LSTM", "GRU", "RNN")
def recurrent(at: At) -> Sequence[Tensor]:
    x, weight, hidden = at.x(), at.x(1), at.x(2)
    if len(x.sizes) != 3 or len(weight.sizes) != 3 or len(hidden.sizes) != 3:
        raise Misfit("its input and weights have not three axes each")
    first = at.node.integer("layout", 0)
    batch, length = x.sizes[:2] if first else x.sizes[1::-1]
    ways, rows, size = weight.sizes[0], weight.sizes[1], hidden.sizes[2]
    if weight.sizes[2] != x.sizes[2] or hidden.sizes[:2] != (ways, rows):
        said = f"{written(weight.sizes)} and {written(hidden.sizes)}"
        raise Misfit(f"its weights of {said} are not for {x.sizes[2]} features")
    macs = batch * length * ways * rows * (x.sizes[2] + size)
    whole = (batch, length, ways, size) if first else (length, ways, batch, size)
    last = (batch, ways, size) if first else (ways, batch, size)
    why = _unlike_torch(at)
    if not why:
        options = _options(at)
        backwards = at.node.text("direction", "forward").lower() == "reverse"

        def turned(one: Tensor) -> Tensor:
            """The last step first, and back again, where it is read so."""
            return at.write("aten.flip", {"self": one, "dims": [first]}, one.sizes) if backwards else one

        args = {
            "input": turned(x),
            "weights": _of_directions(at, options["bias"]),
            "features": size,
            "options": options,
            "batch_first": bool(first),
            "initial": _starts(at),
        }
        flat = (batch, length, ways * size) if first else (length, batch, ways * size)
        states = [(ways, batch, size)] * (2 if at.node.op == "LSTM" else 1)
        made, *ends = at.writes(f"torch.{at.node.op.lower()}", args, flat, *states, macs=macs)
        if at.is_read(0):  # torch has the directions side by side
            made = at.write("aten.view", {"self": turned(made)}, (*flat[:2], ways, size))
            made = made if first else at.write("aten.permute", {"self": made, "dims": [0, 2, 1, 3]}, whole)
        else:
            made = Tensor(whole, made.dtype)
        if first:
            ends = [at.write("aten.permute", {"self": one, "dims": [1, 0, 2]}, last) for one in ends]
        return [made, *ends]
    reads = [one for one in at.inputs if one is not None]
    return at.writes(at.node.op, {"inputs": reads, "why": why}, whole, last, last, macs=macs)


#: What torch's layers apply to their gates and to what becomes of the state.
_ACTIVATIONS = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"]}


def _unlike_torch(at: At) -> str:
    """What it computes otherwise than torch's layer does; empty where it computes the same."""
    node, functions = at.node, _functions(at)
    if node.text("direction", "forward").lower() not in ("forward", "reverse", "bidirectional"):
        return f"its direction is {shorten(node.text('direction'))}"
    if at.has(4):
        return "its sequences have lengths of their own"
    if at.has(7):
        return "its gates see the cell state through peepholes"
    if node.integer("input_forget", 0):
        return "its input gate is what its forget gate leaves"
    if "clip" in node.attributes:
        return "it clips what goes into its activations"
    if functions not in ([], _usual(node) * _ways(node)):
        return f"its activations are {', '.join(map(shorten, functions)) or 'not known'}"
    if node.op == "GRU" and not node.integer("linear_before_reset", 0):
        return "it resets the state before the product, and torch's GRU behind it"
    if _starts(at) and node.integer("layout", 0):
        return "it starts from given states that have the batch first"
    return ""


def _functions(at: At) -> list[str]:
    """The functions that its activations are said to be; one without a name where they are no list."""
    given = at.node.attributes.get("activations", [])
    return [one.lower() if isinstance(one, str) else "" for one in given] if isinstance(given, list) else [""]


def _usual(node: Node) -> list[str]:
    """The activations that torch's layer has in each direction."""
    relu = (
        node.op == "RNN" and str(next(iter(node.attributes.get("activations") or [""]), "")).lower() == "relu"
    )
    return _ACTIVATIONS.get(node.op, ["relu" if relu else "tanh"])


def _ways(node: Node) -> int:
    return 2 if node.text("direction", "forward").lower() == "bidirectional" else 1


def _starts(at: At) -> list[Tensor]:
    """The states that it starts from, where they are no zeros."""
    return [one for one in map(at.given, (5, 6)) if one is not None and not at.run.is_zero(one)]


def _options(at: At) -> dict[str, Any]:
    """The options of torch's layer that computes the same."""
    options: dict[str, Any] = {"bidirectional": _ways(at.node) == 2, "bias": at.has(3)}
    return options | ({"nonlinearity": _usual(at.node)[0]} if at.node.op == "RNN" else {})


def _of_directions(at: At, bias: bool) -> dict[str, Tensor]:
    """The weights of a layer as torch has them, parts of those in the file.

    Raises:
        Misfit: the bias is of another size.
    """
    ways, rows, _ = at.x(1).sizes
    found: dict[str, Tensor] = {}
    for name, index in (("weight_ih", 1), ("weight_hh", 2)):
        names = [name + end for end in _ENDS[:ways]]
        found |= _parts(at, at.x(index), names, at.x(index).sizes[1:])
    if bias:
        whole = at.x(3)
        if whole.sizes != (ways, 2 * rows):
            raise Misfit(f"its bias of {written(whole.sizes)} is not for weights of {rows} rows")
        names = [one + end for end in _ENDS[:ways] for one in ("bias_ih", "bias_hh")]
        found |= _parts(at, whole, names, (rows,))
    return found


#: How torch calls the weights of the first layer, forwards and backwards.
_ENDS = ("_l0", "_l0_reverse")

#: What puts the gates of weights in another order.
_MOVES = frozenset(
    f"aten.{one}" for one in ("alias", "cat", "select", "slice", "squeeze", "unsqueeze", "view")
)


def _parts(at: At, whole: Tensor, names: Sequence[str], sizes: tuple[int, ...]) -> dict[str, Tensor]:
    """The parts of a weight, of such sizes each: of a tensor of the file, or of what is computed of some."""
    if whole.key:
        keys = {name: f"{whole.key}.{name}" for name in names}
        at.run.whole_weights.update(keys.values() if whole.key in at.run.whole_weights else ())
        return {name: Tensor(sizes, whole.dtype, key=key) for name, key in keys.items()}
    leaves = _moved(at.run.value(whole))
    if [one.sizes for one in leaves] == [sizes] * len(names):
        return {name: Tensor(sizes, whole.dtype, value=one) for name, one in zip(names, leaves, strict=True)}
    rows = at.write("aten.view", {"self": whole}, (len(names), *sizes), dtype=whole.dtype)
    taken = ({"self": rows, "dim": 0, "index": i} for i in range(len(names)))
    return {
        name: at.write("aten.select", args, sizes, dtype=whole.dtype)
        for name, args in zip(names, taken, strict=True)
    }


def _moved(value: Value) -> list[Value]:
    """The tensors of the file whose numbers a tensor holds in another order; none where it holds others."""
    found: dict[Value, None] = {}
    rest, seen = [value], set()
    while rest:
        one = rest.pop()
        if one in seen:
            continue
        seen.add(one)
        if one.key:
            found[one] = None
        elif one.node is None or one.node.target not in _MOVES:
            return []
        else:
            rest += reversed(one.node.inputs)
    return [*found] if sum(prod(one.sizes) for one in found) == prod(value.sizes) else []
