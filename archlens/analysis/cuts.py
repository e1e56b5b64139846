"""The narrowest place of a part of a network: the smallest tensors that all of its ends can be made from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

#: A side of a tensor, with what flows through it on the other; the ends of all ways are ``None``.
_Node = tuple[str, bool] | None
_START: _Node = "", False


def narrowest(sizes: Mapping[str, int], made_of: Mapping[str, Iterable[str]], ends: Iterable[str]) -> int:
    """The least that tensors have together from which all ends can be made; each counts once.

    What is ``made_of`` other tensors, or of none, need not be kept where these are. What has no size cannot
    be kept. The ends have sizes.

    By the theorem of Ford and Fulkerson this is the most that can flow to the ends, in ways that go through a
    tensor no more often than it is large.

    >>> narrowest({"k": 8, "v": 8, "both": 3, "turned": 1}, {"k": ["both", "turned"], "v": ["both"]}, "kv")
    4
    """
    free: dict[_Node, dict[_Node, int]] = {_START: {}, None: {}}

    def way(start: _Node, end: _Node, size: int) -> None:
        free.setdefault(start, {})[end] = size
        free.setdefault(end, {}).setdefault(start, 0)

    unbounded = sum(sizes.values()) + 1
    for name in {*sizes, *(one for inputs in made_of.values() for one in inputs)}:
        way((name, False), (name, True), sizes.get(name, unbounded))
        if name not in made_of:
            way(_START, (name, False), unbounded)
        for one in made_of.get(name, ()):
            way((one, True), (name, False), unbounded)
    for name in ends:
        way((name, True), None, unbounded)
    flow = 0
    while found := _shortest(free):
        most = min(free[start][end] for start, end in found)
        for start, end in found:
            free[start][end] -= most
            free[end][start] += most
        flow += most
    return flow


def _shortest(free: Mapping[_Node, Mapping[_Node, int]]) -> list[tuple[_Node, _Node]]:
    """A way of the fewest steps from the start to the ends on which more can flow; empty if there is none."""
    before: dict[_Node, _Node] = {_START: _START}
    waiting = deque([_START])
    while waiting and None not in before:
        here = waiting.popleft()
        for there, size in free[here].items():
            if size and there not in before:
                before[there] = here
                waiting.append(there)
    if None not in before:
        return []
    found: list[tuple[_Node, _Node]] = []
    end: _Node = None
    while end != _START:
        found.append((before[end], end))
        end = before[end]
    return found
