"""Second names of steps and tensors, as ``aliases:`` gives them, as second keys of a network's tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..bounds import RAISED
from ..errors import SpecError, did_you_mean, error, shorten
from ..language.spec import Alias
from ..network import placed_names, scopes_around, scopes_of
from .building import Builder

#: What a name in a tree leads to, where a tensor has it.
_KEY = ""


class Aliases(NamedTuple):
    """The second names that a file gives, for steps that lie at a path."""

    path: str
    aliases: tuple[Alias, ...]
    #: Whether some of the steps may be missing, as the rest of a file of which a part is used.
    some: bool

    def add(self, builder: Builder) -> None:
        """Give the tensors their second keys.

        Raises:
            SpecError: a first name is that of nothing, or a second that of something already.
        """
        if not self.aliases or self.path.startswith(" "):  # a further use has no tensors of its own
            return
        keys = {
            layer.key(name): layer.key(name)
            for layer in builder.layers
            for name in (*layer.facts.weights, *layer.facts.kept)
        }
        keys |= {alias: key for alias, key in builder.aliases.items() if key in keys}
        tree: dict[str, Any] = {}
        for key, first in keys.items():
            node = tree
            for part in key.split("."):
                node = node.setdefault(part, {})
            node[_KEY] = first
        taken = placed_names(builder.layers).union(keys, *map(scopes_around, keys))
        given: dict[str, Alias] = {}  # second keys, each with what gives it
        within: dict[str, Alias] = {}
        for alias in self.aliases:
            for second, found in self._pairs(alias, tree, builder):
                if second in taken:
                    raise self._clash(second, alias, builder)
                for rest, key in _keys(found):
                    _spend(builder, 1, alias)
                    full = f"{second}.{rest}" if rest else second
                    other = given.get(full) or within.get(full)
                    for scope in scopes_around(full):
                        other = other or given.get(scope)
                        within[scope] = alias
                    if other is not None:
                        raise error(
                            f"{shorten(full)} would be the key of two tensors"
                            if full in given
                            else f"{shorten(full)} would be a tensor within another",
                            alias.span,
                            also=[("the other", other.span)],
                        )
                    tensor = next((scope for scope in scopes_around(full) if scope in keys), None)
                    if tensor is not None:
                        raise error(
                            f"{shorten(tensor)} is a tensor, and {shorten(full)} would lie in it", alias.span
                        )
                    given[full] = alias
                    builder.aliases[full] = key

    def _pairs(
        self, alias: Alias, tree: dict[str, Any], builder: Builder
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """A second name with what has the first; for each name that ``*`` may stand for.

        Raises:
            SpecError: there is none.
        """
        start = self.path.split(".") if self.path else []
        nodes: list[tuple[dict[str, Any], tuple[str, ...]]] = [(tree, ())]
        for part in (*start, *alias.first.value.split(".")):
            nodes = [
                (inner, (*stars, name) if part == "*" else stars)
                for node, stars in nodes
                for name, inner in (node.items() if part == "*" else [(part, node.get(part))])
                if name != _KEY and inner is not None
            ]
            _spend(builder, len(nodes), alias)
        if not nodes and not self.some:
            raise self._unknown(alias, tree, builder)
        for node, stars in nodes:
            values = iter(stars)
            parts = [next(values) if part == "*" else part for part in alias.second.value.split(".")]
            yield ".".join([*start, *parts]), node

    def _unknown(self, alias: Alias, tree: dict[str, Any], builder: Builder) -> SpecError:
        first = alias.first.value
        if any(one.second.value == first for one in self.aliases):
            origin = next(one.first.value for one in self.aliases if one.second.value == first)
            return alias.first.error(
                f"{shorten(first)} is itself a second name",
                help=f"it is one of {shorten(origin)}; both are given that name",
            )
        layer = next((one for one in builder.layers if one.within(first)), None)
        if layer is not None:
            what = f"({layer.op.kind})" if layer.name == first else "is a scope that"
            return alias.first.error(f"{shorten(first)} {what} has no weights that a second key could be of")
        known = {scope for key in _keys(tree) for scope in scopes_of(key[0])}
        return alias.first.error(
            f"the network has no step or tensor {shorten(first)}",
            help="" if "*" in first else did_you_mean(first, sorted(known)),
        )

    def _clash(self, second: str, alias: Alias, builder: Builder) -> SpecError:
        layer = next((one for one in builder.layers if one.within(second) and not one.again), None)
        also = [(f"{shorten(second)} stands here", layer.span)] if layer and layer.span else []
        return error(
            f"{shorten(second)} is the name of something already, and cannot be a second name",
            alias.span,
            help="the second name stands before the colon, and the first behind it",
            also=also,
        )


def _spend(builder: Builder, steps: int, alias: Alias) -> None:
    builder.steps += steps
    if builder.steps > builder.bounds.steps:
        raise error(builder.bounds.too_many_steps, alias.span, help=RAISED)


def _keys(tree: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The tensors of a tree, by what follows its own name, each with its key."""
    open_ = [("", tree)]
    while open_:
        path, node = open_.pop()
        for name, inner in reversed(node.items()):
            if name == _KEY:
                yield path, inner
            else:
                open_.append((f"{path}.{name}" if path else name, inner))
