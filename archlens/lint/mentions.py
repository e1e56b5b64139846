"""Which names the text of a spec mentions, by its lexical scopes: what is read, and what is never."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import lru_cache, singledispatch
from typing import Any, NamedTuple

from ..language.expression import Expression, Parts
from ..language.spec import Spec
from ..language.steps import Block, Body, Do, Each, Experts, Listing, Merge, Named, Steps, Template


class Mention(NamedTuple):
    """A name that a text mentions; ``passed`` where it is handed on and not run as a step."""

    name: str
    passed: bool


class Mentions(NamedTuple):
    """What each part of a spec mentions of its params and blocks."""

    #: What is read from the layers, outputs and inputs on, through params and blocks.
    reached: set[str]
    #: The params, blocks and parts of other files that mention each name.
    by: dict[str, list[str]]
    #: The names that are handed on as values, so that something else calls them.
    passed: set[str]


@lru_cache(maxsize=8)
def of_spec(spec: Spec) -> Mentions:
    """What a spec mentions, over all its variants; found once for all of them."""
    known = {*spec.params, *spec.blocks, *spec.uses}
    own: dict[str, list[Mention]] = {name: [] for name in known}
    for name, param in spec.params.items():
        values = [variant.values[name][0] for variant in spec.variants.values() if name in variant.values]
        own[name] += _handed_on([param.value, *values])
    for block in spec.blocks.values():
        own[block.name] += of_block(block)
    shapes = [template for variant in spec.variants.values() for template in variant.inputs.values()]
    heads = [part for output in spec.outputs.values() for part in (output.name, output.body)]
    bodies = [spec.layers, *heads]
    first = [mention for part in (*bodies, *spec.inputs.values(), *shapes) for mention in of(part)]
    reached: set[str] = set()
    waiting = [mention.name for mention in first if mention.name in known]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [mention.name for mention in own[name] if mention.name in known]
    by: dict[str, list[str]] = {name: [] for name in known}
    for owner, mentions in own.items():
        for name in dict.fromkeys(mention.name for mention in mentions):
            if name in by and name != owner:
                by[name].append(owner)
    everything = [*first, *(mention for mentions in own.values() for mention in mentions)]
    return Mentions(reached, by, {mention.name for mention in everything if mention.passed})


def of_block(block: Block) -> Iterator[Mention]:
    """What a block mentions of names that are not its own."""
    return (mention for mention in inside(block) if mention.name not in block.parameters)


def inside(block: Block) -> Iterator[Mention]:
    """What the body and the defaults of a block mention, its own parameters included."""
    yield from of(block.body)
    for default in block.parameters.values():
        if default is not None:
            yield from of(default[0])


@singledispatch
def of(part: Any) -> Iterator[Mention]:
    """What a part of a spec mentions; nothing where there is no part."""
    assert part is None, part
    return iter(())


@of.register
def _(part: Expression) -> Iterator[Mention]:
    yield from _in_tree(part.tree, False)
    for parts in (part.texts or {}).values():
        yield from _pieces(parts)


def _pieces(parts: Parts) -> Iterator[Mention]:
    """What the braces of a text mention."""
    return _all(piece for piece in parts if isinstance(piece, Expression))


@of.register
def _(part: Listing) -> Iterator[Mention]:
    return _all(part.items)


@of.register
def _(part: Template) -> Iterator[Mention]:
    return _pieces(part.parts)


@of.register
def _(part: Body) -> Iterator[Mention]:
    return of(part.step)


@of.register
def _(part: Do) -> Iterator[Mention]:
    return of(part.expression)


@of.register
def _(part: Steps) -> Iterator[Mention]:
    return _all(part.steps)


@of.register
def _(part: Named) -> Iterator[Mention]:
    return _all([part.name, part.body])


@of.register
def _(part: Merge) -> Iterator[Mention]:
    yield from _all(part.branches)
    yield from _handed_on(value for _, value in part.arguments.values())


@of.register
def _(part: Experts) -> Iterator[Mention]:
    yield from _all([part.gate, part.do])
    yield from _handed_on(value for _, value in part.arguments.values())


@of.register
def _(part: Each) -> Iterator[Mention]:
    """A table: its columns stand for themselves in what is done with them."""
    yield from _handed_on([part.rows])
    for mention in of(part.do):
        if mention.name not in part.names:
            yield mention


def _all(parts: Iterable[Any]) -> Iterator[Mention]:
    for part in parts:
        yield from of(part)


def _handed_on(parts: Iterable[Any]) -> Iterator[Mention]:
    """What parts mention that are given to something, as arguments are."""
    return (mention._replace(passed=True) for mention in _all(parts))


def _in_tree(tree: ast.AST, passed: bool) -> Iterator[Mention]:
    """The names in an expression; those among the arguments of a call are handed on."""
    waiting = [(tree, passed)]  # a chain is as deep as it is long, and so no recursion
    while waiting:
        tree, passed = waiting.pop()
        if isinstance(tree, ast.Name):
            yield Mention(tree.id, passed)
        elif isinstance(tree, ast.Call):
            arguments = (*tree.args, *(key.value for key in tree.keywords))
            waiting += [(argument, True) for argument in reversed(arguments)]
            waiting.append((tree.func, passed))
        else:
            waiting += [(child, passed) for child in reversed([*ast.iter_child_nodes(tree)])]
