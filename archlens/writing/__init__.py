"""A network as the text of a spec: a block for each class of scopes, repeats and tables, names kept.

The way: :mod:`gathering` says lists that grow step by step, :mod:`experts` makes one step of experts,
:mod:`plan` finds what branches and is merged again, :mod:`blocks` which scopes are one block, :mod:`steps`
puts them over each other, :mod:`parameters` finds what differs, :mod:`lines` makes lines of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..bounds import allowed, allowing
from ..elaboration import elaborate
from ..errors import SpecError, UsageError, shorten, usage
from ..language import parse
from ..network import Layer, Network, scopes_around
from ..ops import LANGUAGE
from ..ops.experts import AROUND
from .experts import mixed
from .gathering import gathered
from .inputs import named
from .spec import text_of

__all__ = ["convert"]

#: How deep scopes may nest in each other; the language nests no deeper.
_DEEPEST = 25


def convert(network: Network) -> str:
    """The text of a spec that describes a network; published figures and notes are left out.

    The text is read again before it is returned: it has the same layers under the same names, on the same
    shapes and reading the same tensors, and the same weights. Only merges have the names that the language
    gives them, as have inputs that are called ``x``, and a list that grows, as in DenseNets, is joined to
    what was joined before.

    Raises:
        UsageError: the language cannot say it, as where a layer is opaque.

    >>> import archlens
    >>> net = archlens.Builder("small", "1x28x28")
    >>> features = net.relu(net.conv(net.x, 8, 3, name="conv1"), name="relu1")
    >>> print(convert(net.network()).rstrip())
    title: small
    input: 1x28x28
    <BLANKLINE>
    layers:
      - conv1: conv(8, 3)
      - relu1: relu
    """
    _require_said(network)
    network = gathered(named(network))
    try:
        return _tried(network)
    except UsageError:  # a name that the language would give is another where a block may lack a step
        return _tried(network, explicit=True)


def _tried(network: Network, *, explicit: bool = False) -> str:
    """The text, which has been read again.

    Raises:
        UsageError: it is of another network.
    """
    text = text_of(mixed(network), explicit=explicit)
    try:
        with allowing(max(allowed(), len(network.layers))):
            again = elaborate(parse(text, name=network.name))
    except SpecError as problem:
        raise _refused(network, f"the language has no words for it ({problem.diagnostic.message})") from None
    for difference in _differences(network, again):
        raise _refused(network, difference)
    return text


def _refused(network: Network, why: str, layer: Layer | None = None, help: str = "") -> UsageError:
    return usage(
        f"{shorten(network.name)} cannot be written as a spec: {why}",
        span=layer.span if layer is not None else None,
        help=help,
    )


def _require_said(network: Network) -> None:
    """Refuse what the language has no words for."""
    network.require_calls("written as a spec", stated=True)
    for layer in network.layers:
        name = shorten(layer.name)
        if LANGUAGE.get(layer.op.kind) is not type(layer.op) and not isinstance(layer.op, AROUND):
            raise _refused(network, f"the language has no op {layer.op.kind}, which {name} is", layer)
        if layer.name.count(".") > _DEEPEST:
            raise _refused(network, f"{name} lies more than {_DEEPEST} scopes deep", layer)


def _entered_again(network: Network) -> frozenset[str]:
    """The scopes that are left and entered again."""
    left: set[str] = set()
    found: set[str] = set()
    open_: tuple[str, ...] = ()
    for layer in network.layers:
        now = tuple(scopes_around(layer.name))
        found.update(left.intersection(now))
        left.update(scope for scope in open_ if scope not in now)
        open_ = now
    return frozenset(found)


def _differences(one: Network, other: Network) -> Iterator[str]:
    """In what a network that was read again is another, in words."""
    if list(one.inputs.items()) != list(other.inputs.items()):
        yield "its inputs would be others"
    if len(one.layers) != len(other.layers):
        yield f"it has {len(one.layers):,} layers, and would have {len(other.layers):,}"
    names = dict(zip(one.inputs, other.inputs, strict=False))
    # a merge has no name of its own, so that in a scope that is entered again it stands beside it
    again = _entered_again(one)
    for a, b in zip(one.layers, other.layers, strict=False):
        said = shorten(a.name)
        read = [names.get(name) for name in a.inputs]
        same = sorted(map(str, read)) == sorted(b.inputs) if a.op.commutes else read == list(b.inputs)
        if a.name != b.name and not (a.op.merges and b.op.merges and a.scope in (b.scope, *again)):
            yield f"{said} would be called {shorten(b.name)}"
        elif a.op != b.op or a.shape != b.shape or a.training != b.training:
            yield f"{said} would be {b.op}, and is {a.op}"
        elif a.keys != b.keys:
            yield f"{said} would have other weights"
        elif not same:
            yield f"{said} would read {', '.join(map(shorten, b.inputs))}"
        names[a.name] = b.name
    if {name: names.get(end) for name, end in one.outputs.items()} != dict(other.outputs):
        yield "its outputs would be others"
    if list(one.outputs) != list(other.outputs):
        yield "its outputs would stand in another order"
    if one.state() != other.state() or one.loose != other.loose:
        yield "its weights would have other keys"
