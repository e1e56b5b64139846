"""The second names that tensors and what holds them have, as short as they can be said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..network import Network, placed_names, scopes_of


def second_names(network: Network) -> dict[str, str]:
    """The second names of modules and tensors, each with the first, where no layer has the name.

    A module has a second name where all of its tensors have it, under the keys that they have in it, and
    nothing else has.

    >>> import archlens
    >>> net = archlens.loads('''
    ... input: 3x8x8
    ... layers: [{stem: "conv(8, 3)"}, {heads.0: "conv(2, 1)"}]
    ... aliases: {heads.1: heads.0, other: stem.bias}
    ... ''')
    >>> second_names(net)
    {'heads.1': 'heads.0', 'other': 'stem.bias'}
    """
    loose = network.loose
    if not loose:
        return {}
    state = network.state()
    names = placed_names(network.layers)
    inside: dict[str, int] = {}  # how many tensors lie in a scope, by its path
    for key in state:
        for scope in scopes_of(key):
            inside[scope] = inside.get(scope, 0) + 1
    # how many of the tensors of one are those of another, by their paths
    same: dict[tuple[str, str], int] = {}
    pairs = {
        key: [pair for pair in _around(key, first) if inside[pair[0]] == inside[pair[1]]]
        for key, first in loose.items()
    }
    # a tensor of the first may itself have that name as a second one
    for key, first in loose.items():
        for pair in _around(key, first):
            same[pair] = same.get(pair, 0) + 1
    found: dict[str, str] = {}
    for key in loose:
        chosen = next(
            pair
            for pair in reversed(pairs[key])
            if pair[0] == key or (same[pair] == inside[pair[0]] and pair[0] not in names)
        )
        found[chosen[0]] = chosen[1]
    return found


def _around(key: str, first: str) -> Iterator[tuple[str, str]]:
    """A key and that of the same tensor, and the scopes around both in which they are called the same."""
    yield key, first
    while key.rpartition(".")[2] == first.rpartition(".")[2] and "." in key and "." in first:
        key, first = key.rpartition(".")[0], first.rpartition(".")[0]
        yield key, first


def starred(names: Mapping[str, str], state: Iterable[str]) -> dict[str, str]:
    """Second names of which many differ in a number alone, with ``*`` in its place.

    Args:
        names: second names, each with the first.
        state: the keys that tensors have without them.

    >>> starred({"b.0.one": "b.0.all.0", "b.1.one": "b.1.all.0"}, ["b.0.all.0.bias", "b.1.all.0.bias"])
    {'b.*.one': 'b.*.all.0'}
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for second, first in names.items():
        if (pattern := _pattern(second, first)) is not None:
            groups.setdefault(pattern, []).append(second)
    known = {scope for key in state for scope in scopes_of(key)}
    parents: dict[str, set[str]] = {}
    for scope in known:
        parent, _, name = scope.rpartition(".")
        parents.setdefault(parent, set()).add(name)
    found: dict[str, str] = {}
    short: dict[str, tuple[str, str]] = {}
    for (second, first), members in groups.items():
        before, _, rest = first.partition("*")
        all_ = [name for name in parents.get(before.rstrip("."), ()) if f"{before}{name}{rest}" in known]
        if len(members) > 1 and len(all_) == len(members):
            short |= dict.fromkeys(members, (second, first))
    for second, first in names.items():
        one = short.get(second, (second, first))
        found[one[0]] = one[1]
    return found


def _pattern(second: str, first: str) -> tuple[str, str] | None:
    """Both names with ``*`` for the first number that they have in common; ``None`` where there is none."""
    parts, others = second.split("."), first.split(".")
    for number, part in enumerate(parts):
        if part.isdecimal() and part in others:
            at = others.index(part)
            return (
                ".".join([*parts[:number], "*", *parts[number + 1 :]]),
                ".".join([*others[:at], "*", *others[at + 1 :]]),
            )
    return None
