"""The structure of a network as a fingerprint: what it computes, and not what its parts are called.

The fingerprint is the SHA-256 of a canonical text, ``archlens.structure/1``, in UTF-8, one line each:

- the version, ``archlens.structure/1``;
- ``in`` and the shape of each input, in the order of the spec: ``in 3x224x224``;
- for each layer, in order, its op with the attributes that are not their defaults, by name in alphabetical
  order; where its inputs come from, as positions (``-1`` is the first input of the network, ``-2`` the
  second, ``0`` the first layer); and its output shape:
  ``conv bias=false channels=64 kernel=7 <- -1 -> 64x112x112``.
  A pair whose numbers are equal is one number, and a stride of a pool that is its kernel is left out. Layers
  of heads for training end with `` training``;
- ``out`` and the position that each output comes from, the main one first.

It depends on no name, path, machine or version of Python. It changes with a shape, an attribute, an op or the
wiring.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..network import Network
from ..ops.op import Op, as_written, signature

VERSION = "archlens.structure/1"


def fingerprint(network: Network) -> str:
    """``sha256:`` and 64 hexadecimal digits.

    >>> import archlens
    >>> one = "{input: 1x8x8, layers: [a: 'conv(2, 3)', b: relu]}"
    >>> fingerprint(archlens.loads(one)) == fingerprint(archlens.loads(one.replace("a:", "c:")))
    True
    >>> fingerprint(archlens.loads(one)) == fingerprint(archlens.loads(one.replace("relu", "tanh")))
    False
    """
    import hashlib  # only a lock file needs it

    return f"sha256:{hashlib.sha256(canonical(network).encode()).hexdigest()}"


def canonical(network: Network) -> str:
    """The text that the fingerprint is taken of."""
    return "".join(f"{line}\n" for line in _lines(network))


def _lines(network: Network) -> Iterator[str]:
    yield VERSION
    positions = {name: -1 - number for number, name in enumerate(network.inputs)}
    for shape in network.inputs.values():
        yield f"in {shape}"
    known: dict[int, str] = {}  # by the identity of an op, which its layers keep alive
    for number, layer in enumerate(network.layers):
        positions[layer.name] = number
        op = known.get(id(layer.op))
        if op is None:
            op = known[id(layer.op)] = described(layer.op)
        sources = " ".join(str(positions[name]) for name in layer.inputs)
        yield f"{op} <- {sources} -> {layer.shape}{' training' if layer.training else ''}"
    for name in sorted(network.outputs, key=lambda name: name != "out"):
        yield f"out {positions[network.outputs[name]]}"


def described(op: Op) -> str:
    """An op with the attributes that are not their defaults, in one form however they were written."""
    words = [op.kind]
    values, parameters = attributes(op), signature(type(op))
    for name in sorted(parameters):
        other = op.follows.get(name)
        default = values[other] if other else plain(parameters[name].default)
        if parameters[name].required or values[name] != default:
            words.append(f"{name}={as_written(values[name])}")
    return " ".join(words)


def attributes(op: Op) -> dict[str, Any]:
    """The attributes of an op by name, each in one form however it was written.

    >>> from archlens.ops import OPS
    >>> attributes(OPS["max_pool"]((2, 2)))["stride"]
    2
    """
    found = {name: plain(value) for name, value in op.attributes().items()}
    return found | {name: found[other] for name, other in op.follows.items() if found[name] is None}


def plain(value: Any) -> Any:
    """A value in one form: ``(3, 3)`` is ``3``, and ``2.0`` is ``2``."""
    if isinstance(value, tuple):
        items = tuple(map(plain, value))
        return items[0] if len(items) > 1 and all(item == items[0] for item in items) else items
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value
