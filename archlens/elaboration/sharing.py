"""What the language says of shared weights: a step applied once more, and a weight that is another's."""

from __future__ import annotations

import ast
import re
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import zip_longest
from typing import Any, NamedTuple

from ..bounds import MAX_BLOCKS
from ..errors import Located, Span, SpecError, did_you_mean, error, shorten
from ..language.expression import Expression
from ..language.spec import Part as Used
from ..language.steps import Block, Body, Do
from ..network import Layer, scopes_of
from ..ops import Op
from ..shape import times
from .advice import LayerShapeError
from .building import Place
from .evaluation import evaluate, path_in
from .scope import Copy, Elaboration, Env
from .values import describe


class Part(NamedTuple):
    """A step that has run, and can run once more."""

    #: What it runs: what stands under its name, or a part of an expression.
    body: Body | tuple[Expression, ast.expr]
    #: The names that it knows.
    env: Env
    #: Where its layers lie, and what its names were found to mean.
    layers: slice
    looked: slice
    #: The step within it at which it ended, where it was not run to its end: as `.conv1`.
    until: str = ""


class Mark(NamedTuple):
    """How far an elaboration is."""

    layers: int
    looked: int


class Tied(NamedTuple):
    """What ``weight=wte`` says, or ``weight="wte.weight"``."""

    owner: Layer
    #: Whether it is read as a function reads it, and has no second key.
    read: bool
    #: The op that takes it.
    kind: str
    keyword: ast.keyword
    expression: Expression


#: The argument that ties a weight to that of another layer.
TIED = "weight"

#: How many uses within each other are shown where something is wrong.
_SHOWN = 3

#: What would work where a step takes one that is not finished, that comes later, or in another scope.
_FINISHED = {
    "again": "a step can only be applied again after it; `* n` repeats steps, each time with new weights",
    f"{TIED}=": f"a {TIED} is tied to that of another layer",
}
_EARLIER = {
    "again": "the first use is where the step is written, and others come after it",
    f"{TIED}=": f"the layer that has the {TIED} comes first",
}
_HOW = {"again": "again({})", f"{TIED}=": f"{TIED}={{}}"}


class Sharing(Elaboration):
    """An elaboration whose steps can be applied once more."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.made: dict[Any, Any] = {}  # what blocks have made, to be repeated
        self.stack: list[Block | Used | None] = []  # what runs; None is a step that was handed on
        self.bottom = 0  # where the blocks start whose text runs now: wrap(wrap(relu)) is no circle
        self.parts: dict[str, Part] = {}
        self.running: dict[str, Located] = {}  # the named steps that are not finished
        self.uses: dict[str, str] = {}  # what each further use with a name applies
        self.used = 0
        self.counts: dict[str, int] = {}  # how far the names of further uses have been counted
        self.tensors: dict[str, tuple[tuple[int, ...], Layer]] = {}  # weights and buffers by key
        self.seen = 0  # of how many layers

    def mark(self) -> Mark:
        """How far it is."""
        return Mark(len(self.builder.layers), len(self.looked))

    def part(self, body: Body | tuple[Expression, ast.expr], env: Env, start: Mark, until: str = "") -> Part:
        """A step that has run since a mark."""
        layers = slice(start.layers, len(self.builder.layers))
        return Part(body, env, layers, slice(start.looked, len(self.looked)), until)

    def numbered(self, expression: Expression, tree: ast.expr, env: Env, start: Mark) -> None:
        """Note a layer that has a number for its name."""
        if len(self.builder.layers) > start.layers:
            self.parts[self.builder.layers[-1].name] = self.part((expression, tree), env, start)

    @abstractmethod
    def named(self, name: str, at: Located, body: Body, env: Env, place: Place) -> None:
        """Run a named step."""

    @abstractmethod
    def ending(self, stop: str, inside: str) -> AbstractContextManager[None]:
        """Run until a step."""

    @abstractmethod
    def tree(
        self,
        expression: Expression,
        tree: ast.expr,
        env: Env,
        place: Place,
        name: str | None,
        at: Located | None,
    ) -> None:
        """Run one expression as a step."""

    # --- which step is meant ------------------------------------------------------------------

    def meant(self, argument: ast.expr, expression: Expression, env: Env, taker: str) -> str:
        """The full name of the earlier step that is meant, looked up from its scope outwards.

        Raises:
            SpecError: there is none, it comes later, or is not finished.
        """
        name = argument.id if isinstance(argument, ast.Name) else path_in(argument, env.locals)
        if not name or name in env.locals:
            value = evaluate(expression, env, argument)
            if not isinstance(value, str):
                handed = 'a block is given the name as a string, as in "left"' if name else ""
                raise expression.error(
                    f"{taker} takes the name of a step, not {describe(value)}", argument, help=handed
                )
            name = value
        self.reads += 1
        found = self._step(name, argument, expression, env, taker)
        if found is None:
            raise self._nowhere(name, argument, expression, env, taker)
        return found

    def _step(
        self, name: str, argument: ast.expr, expression: Expression, env: Env, taker: str
    ) -> str | None:
        """The full name of the finished step of this name; ``None`` where there is none."""
        for place in env.place.outwards():
            path = place.full(name)
            self.builder.steps += len(path) >> 6
            if path in self.running:
                raise error(
                    f"{shorten(name)} is not finished where {taker} takes it",
                    expression.span(argument),
                    help=_FINISHED[taker],
                    also=[(f"{shorten(name)} starts here", self.running[path].span)],
                )
            if self._is_there(path):
                return path
        return None

    def _is_there(self, path: str) -> bool:
        """Whether a finished step has this full name."""
        if path in self.parts or path in self.uses:
            return True
        if "." not in path:
            return False
        self.index()
        return path in self.paths and self._origin(path) is not None

    def _nowhere(
        self, name: str, argument: ast.expr, expression: Expression, env: Env, taker: str
    ) -> SpecError:
        absent = env.absent(name)
        if absent is not None and env.step(name) is None:
            return error(
                f"{taker} takes the step {shorten(name)}, which is none here",
                expression.span(argument),
                also=[(f"{shorten(name)} is none", absent.span)],
            )
        later = env.later(name)
        if later is not None and env.step(name) is None:
            return error(
                f"{taker} takes the step {shorten(name)}, which comes later",
                expression.span(argument),
                help=_EARLIER[taker],
                also=[(f"{shorten(name)} stands here", later.span)],
            )
        tensor = env.step(name)
        if tensor is not None:
            return expression.error(
                f"{taker} takes a step, and {shorten(name)} is a tensor of {tensor.shape}: "
                "an input, a merge or what a ref names",
                argument,
                help="a name over a list makes one step of a merge and its branches",
            )
        return expression.error(
            f"there is no step {shorten(name)}", argument,
            help=env.numbered(name, _HOW[taker])
            or env.elsewhere(name, _HOW[taker])
            or did_you_mean(name, env.steps(), otherwise=f"{taker} takes the name of an earlier step"),
        )  # fmt: skip

    def _origin(self, path: str) -> tuple[str, Part] | None:
        """The step that was run first, by its full name, and how it runs."""
        for _ in range(MAX_BLOCKS):
            if path in self.parts:
                return path, self.parts[path]
            for scope in scopes_of(path):
                rest = path[len(scope) :]
                if scope in self.uses:
                    path = self.uses[scope] + rest
                    break
                if scope in self.copies:
                    return self._copied(path, self.copies[scope], rest)
            else:
                return None
        return None

    def _copied(self, path: str, copy: Copy, rest: str) -> tuple[str, Part] | None:
        """A step in a block that was repeated, which runs as that in the block which it repeats."""
        found = self._origin(copy.source + rest)
        if found is None:
            return None
        _, part = found
        start, stop = part.layers.start + copy.further, part.layers.stop + copy.further
        return path, part._replace(layers=slice(start, stop))

    # --- a step applied once more -------------------------------------------------------------

    def again(
        self,
        tree: ast.expr,
        expression: Expression,
        env: Env,
        place: Place,
        name: str | None,
        at: Located | None,
        where: Located,
    ) -> None:
        """Run ``again(left)``: the step of that name on what flows in, with the weights that it has.

        Its text runs again, so that it fits what flows in. Names within it mean what stands within it this
        time, and all others what they meant.
        """
        if not isinstance(tree, ast.Call) or len(tree.args) != 1 or tree.keywords:
            inside = "names within a scope mean what stands in it each time: again(step) of `step: [...]`"
            beside = isinstance(tree, ast.Call) and len(tree.args) == 1
            raise expression.error(
                "again takes one name", tree, help=inside if beside else "as in again(left)"
            )
        argument = tree.args[0]
        origin = self._origin(self.meant(argument, expression, env, "again"))
        assert origin is not None
        path, part = origin
        if len(self.stack) >= MAX_BLOCKS:
            raise expression.error(f"steps apply each other more than {MAX_BLOCKS} deep", tree)
        self.builder.steps += 8
        if name is not None:
            assert at is not None
            place.claim(name, at)
        use = _Use(self, path, part, place.full(name) if name is not None else "", where)
        shadow = Place(use.scope, part.env.place, {})
        inner = Env(self, part.env.locals, shadow)
        depth = len(self.stack)
        self.stack.append(None)
        outer, self.bottom = self.bottom, len(self.stack)
        try:
            with self.ending(part.until and use.prefix + part.until, use.prefix):
                if isinstance(part.body, Body):
                    self.named(use.label, where, part.body, inner, shadow)
                else:
                    self.tree(*part.body, inner, shadow, use.label, where)
            use.check()
            use.share()
        except LayerShapeError as failed:
            failed.also = (*failed.also, use.here)[:_SHOWN]
            use.cut()
            names = use.close()
            failed.name = use.called(failed.name)
            failed.inputs = [replace(one, name=names.get(one.name, one.name)) for one in failed.inputs]
            raise
        except SpecError as problem:
            use.cut()
            use.close()
            said = problem.diagnostic
            if said.span != where.span and len(said.also) < _SHOWN:
                said = replace(said, also=(*said.also, use.here))
            raise SpecError(said) from None
        use.close()
        self.bottom = outer
        del self.stack[depth:]
        if name is not None:
            self.uses[place.full(name)] = path
            place.tensors[name] = self.builder.x
            self.builder.scopes.append((place.full(name), self.builder.x))

    def tensor(self, key: str) -> tuple[tuple[int, ...], Layer] | None:
        """The shape of a weight or buffer by its key, and the layer that has it."""
        layers = self.builder.layers
        for layer in layers[self.seen :]:
            facts = layer.facts
            for name, shape in facts.weights.items():
                self.tensors[layer.key(name)] = shape, layer
            for name, buffer in facts.buffers.items():
                self.tensors[layer.key(name)] = buffer.shape, layer
        self.seen = len(layers)
        return self.tensors.get(key)

    # --- a weight that is another's -----------------------------------------------------------

    def tied(self, kind: type[Op], tree: ast.expr, expression: Expression, env: Env) -> Tied | None:
        """What ``weight=wte`` says in the call of an op, or ``"wte.weight"``; ``None`` where it says none.

        Raises:
            SpecError: it does not name a layer that stands before.
        """
        keywords = tree.keywords if isinstance(tree, ast.Call) else ()
        keyword = next((one for one in keywords if one.arg == TIED), None)
        if keyword is None:
            return None
        owning = self._owning(keyword.value, expression, env)
        path = owning or self.meant(keyword.value, expression, env, f"{TIED}=")
        origin = self._origin(path)
        layers = self.builder.layers
        owner = None
        if origin is not None and origin[1].layers.stop == origin[1].layers.start + 1:
            owner = layers[origin[1].layers.start]
        if owner is None or origin is None or owner.name != origin[0]:
            inside = next((one.name for one in layers if one.within(path) and TIED in one.facts.weights), "")
            raise expression.error(
                f"{TIED}= takes the name of a layer, and {shorten(path)} is a scope", keyword,
                help=f'one of its layers with a weight: {TIED}="{inside}"' if inside else "",
            )  # fmt: skip
        if TIED not in {**owner.facts.weights, **owner.keys}:
            raise expression.error(
                f"{shorten(owner.name)} ({owner.op.kind}) has no {TIED} that could be tied", keyword
            )
        return Tied(owner, owning is not None, kind.kind, keyword, expression)

    def _owning(self, argument: ast.expr, expression: Expression, env: Env) -> str | None:
        """The full name of the layer whose weight is meant by its key; ``None`` where a step is meant."""
        text = argument.value if isinstance(argument, ast.Constant) else None
        if not isinstance(text, str) or not text.endswith(f".{TIED}"):
            return None
        taker = f"{TIED}="
        if self._step(text, argument, expression, env, taker) is not None:
            return None
        self.reads += 1
        return self._step(text.removesuffix(f".{TIED}"), argument, expression, env, taker)

    def tie(self, tied: Tied, placed: bool) -> None:
        """Give the layer that was placed last the weight of another.

        Raises:
            SpecError: it has none, or one of another shape.
        """
        owner, read, kind, keyword, expression = tied
        layer = self.builder.layers[-1]
        shape = layer.facts.weights.get(TIED) if placed else None
        if shape is None:
            raise expression.error(f"{kind} has no {TIED} that could be tied", keyword)
        key = owner.key(TIED)
        found = self.tensor(key)
        assert found is not None
        also = [(f"{shorten(owner.name)} stands here", owner.span)] if owner.span is not None else []
        if found[0] != shape:
            turned = found[0][::-1] == shape
            raise error(
                f"the {TIED} of {shorten(layer.name)} is {times(shape)}, and that of "
                f"{shorten(owner.name)} {times(found[0])}",
                expression.span(keyword),
                notes=(f"it would fit if transposed, but a {TIED} is tied as it is",) if turned else (),
                help="" if turned else "tied layers have one shape of weights",
                also=also,
            )
        if found[1].training and not layer.training:
            raise error(
                f"{shorten(owner.name)} runs only in training, but {shorten(layer.name)} also at inference",
                expression.span(keyword),
                also=also,
            )
        if not read:
            self.builder.aliases[layer.key(TIED)] = key
        weights = {name: one for name, one in layer.facts.weights.items() if name != TIED}
        self.builder.layers[-1] = layer._replace(
            keys={TIED: key}, facts=layer.facts._replace(weights=weights)
        )


class _Use:
    """A further use of a step, while it runs under names of its own that nothing else can have."""

    def __init__(self, walk: Sharing, path: str, part: Part, name: str, where: Located) -> None:
        self.walk = walk
        self.path = path
        self.part = part
        #: Its own name; empty where it has none.
        self.name = name
        self.where = where
        walk.used += 1
        self.scope = f" {walk.used}"
        self.label = path.rpartition(".")[2]
        self.prefix = f"{self.scope}.{self.label}"
        builder = walk.builder
        self.entry = builder.x.name
        self.start, self.looked = walk.mark()
        self.scopes, self.blocks, self.asked = len(builder.scopes), len(builder.blocks), len(walk.asked)
        self.made, self.parts, self.aliases = len(walk.made), len(walk.parts), len(builder.aliases)
        self.names: dict[str, str] = {}
        walk.index()
        walk.moved.append((path, self.prefix))

    @property
    def here(self) -> tuple[str, Span]:
        """Where it stands, for a message."""
        return f"{shorten(self.path)} is applied again here", self.where.span

    @property
    def there(self) -> list[tuple[str, Span]]:
        """Where its first use stands."""
        spans = [layer.span for layer in self.walk.builder.layers[self.part.layers]][:1]
        return [(f"{shorten(self.path)} stands here", span) for span in spans if span is not None]

    @property
    def layers(self) -> list[Layer]:
        return self.walk.builder.layers[self.start :]

    def pairs(self, strict: bool = True) -> Iterator[tuple[Layer, Layer]]:
        """The layers of the first use, each with that of this one."""
        return zip(self.walk.builder.layers[self.part.layers], self.layers, strict=strict)

    def check(self) -> None:
        """Refuse what is not the same step.

        Raises:
            SpecError: it has other layers here, or does not read what flows in.
        """
        walk = self.walk
        firsts, layers = walk.builder.layers[self.part.layers], self.layers
        if len(firsts) != len(layers):
            some = f"{len(firsts)} layer{'' if len(firsts) == 1 else 's'}"
            raise self._differs(f"it has {some}, and would have {len(layers) or 'none'}")
        for first, layer in self.pairs():
            self._check_op(first, layer)
        known = [self._moved(name) for name in walk.looked[self.part.looked]]
        for meant, means in zip_longest(known, walk.looked[self.looked :]):
            if meant != means:
                before, now = (shorten(self.called(one or "nothing")) for one in (meant, means))
                raise self._differs(f"a name in it means {before}, and would mean {now}")
        entry = self.entry
        if walk.builder.x.name != entry and not any(entry in layer.inputs for layer in layers):
            raise error(
                f"{shorten(self.path)} does not read its input, so it would compute the same again",
                self.where.span,
                help="a ref at its start belongs before it: `- ref(input.a)`, and then `- left: [...]`",
                also=self.there,
            )

    def _check_op(self, first: Layer, layer: Layer) -> None:
        """Refuse a layer that is not the same one again."""
        owned = layer.facts.weights or layer.facts.buffers or layer.keys
        alike = type(first.op) is type(layer.op) and len(first.inputs) == len(layer.inputs)
        if not alike or (owned and first.op != layer.op):
            raise self._differs(f"{shorten(first.name)} is {first.op}, and would be {layer.op}")

    def cut(self) -> None:
        """Of a use that is refused, leave the layers that are those of the first one."""
        builder = self.walk.builder
        stop = self.start
        for number, (first, layer) in enumerate(self.pairs(strict=False), self.start):
            try:
                self._check_op(first, layer)
                self._share(number, first, layer)
            except SpecError:
                break
            stop = number + 1
        gone = {layer.name for layer in builder.layers[stop:]}
        del builder.layers[stop:]
        builder.scopes[self.scopes :] = [
            (path, end) for path, end in builder.scopes[self.scopes :] if end.name not in gone
        ]

    def _moved(self, name: str) -> str:
        """The name that a step has while this runs."""
        inside = name == self.path or name.startswith(f"{self.path}.")
        return self.prefix + name[len(self.path) :] if inside else name

    def _differs(self, how: str) -> SpecError:
        return error(
            f"{shorten(self.path)} would be another step here: {how}", self.where.span, also=self.there
        )

    def share(self) -> None:
        """Give its layers the tensors of the first use.

        Raises:
            SpecError: one would be of another shape.
        """
        for number, (first, layer) in enumerate(self.pairs(), self.start):
            self._share(number, first, layer)

    def _share(self, number: int, first: Layer, layer: Layer) -> None:
        if not layer.within(self.prefix):
            return  # a step beside it, or one that shares its tensors already
        walk, facts = self.walk, layer.facts
        shapes = dict(facts.weights) | {name: buffer.shape for name, buffer in facts.buffers.items()}
        for name, shape in shapes.items():
            found = walk.tensor(first.key(name))
            if found is None or found[0] != shape:
                raise self._misfit(first, layer, name or "tensor", found and found[0], shape)
            if found[1].training and not layer.training:
                raise error(
                    f"{shorten(found[1].name)} runs only in training, but here also at inference",
                    self.where.span,
                    also=self.there,
                )
        keys = {name: first.key(name) for name in (*shapes, *layer.keys)}
        if shapes:
            facts = facts._replace(weights={}, buffers={})
        walk.builder.layers[number] = layer._replace(facts=facts, keys=keys, again=first.again or first.name)

    def _misfit(
        self, first: Layer, layer: Layer, name: str, has: tuple[int, ...] | None, shape: tuple[int, ...]
    ) -> SpecError:
        (x, *_), (y, *_) = first.input_shapes, layer.input_shapes
        return error(
            f"{shorten(first.name)} cannot be applied to {y}: its {name} is {times(has or ())}, "
            f"and would be {times(shape)}",
            first.span,
            notes=(f"where it is written, it reads {x}",),
            help="shared weights have one shape, so every input needs as many channels or features",
        )

    def called(self, name: str) -> str:
        """The name that one of its layers has in the end."""
        if not name.startswith(self.prefix):
            return name
        rest = name[len(self.prefix) :]
        if self.name:
            return self.name + rest
        if name not in self.names:
            self.names[name] = self._numbered(self.path + rest)
        return self.names[name]

    def _numbered(self, name: str) -> str:
        """The next free name of a further use: ``conv_1`` for ``conv``, and for ``relu_1`` ``relu_2``."""
        walk = self.walk
        counted = re.fullmatch(r"(.*[^_.])_[0-9]+", name)
        base = counted[1] if counted and (counted[1] in walk.paths or counted[1] in walk.counts) else name
        count = walk.counts.get(base, 0)
        scope = self.part.env.place if name == self.path else None
        while True:
            count += 1
            found = f"{base}_{count}"
            last = found.removeprefix(f"{scope.path}.") if scope and scope.path else found
            if found not in walk.paths and not (scope and (last in scope.taken or last in scope.certain)):
                break
        walk.counts[base] = count
        if scope is not None:
            scope.claim(last, self.where)
        return found

    def close(self) -> dict[str, str]:
        """Give all that it made the names that they have in the end, and return these by those before."""
        walk, builder = self.walk, self.walk.builder
        walk.moved.pop()
        walk.forget(self.start, self.scopes)
        inside = f"{self.prefix}."
        names = {layer.name: self.called(layer.name) for layer in self.layers}
        for number, layer in enumerate(self.layers, self.start):
            inputs = tuple([names.get(name, name) for name in layer.inputs])
            copies = layer.copies
            if copies is not None and copies.scope.startswith(self.prefix):
                scope = (self.name or self.path) + copies.scope[len(self.prefix) :]
                copies = copies._replace(scope=scope, chosen=names[copies.chosen])
            builder.layers[number] = layer._replace(name=names[layer.name], inputs=inputs, copies=copies)
        kept = []
        for path, end in builder.scopes[self.scopes :]:
            end = replace(end, name=names.get(end.name, end.name))
            if not path.startswith(self.prefix):
                kept.append((path, end))
            elif self.name and path.startswith(inside):
                kept.append((self.called(path), end))
        builder.scopes[self.scopes :] = kept
        blocks = []
        for path, block in builder.blocks[self.blocks :]:
            stays = self.name or not path.startswith(self.prefix)
            if stays:
                blocks.append((self.called(path), block))
            for said in builder.of_blocks:
                found = said.pop(path, None)
                if found is not None and stays:
                    said[self.called(path)] = found
        builder.blocks[self.blocks :] = blocks
        walk.asked[self.asked :] = [
            one._replace(name=names.get(one.name, one.name)) for one in walk.asked[self.asked :]
        ]
        for found, count in (
            (walk.made, self.made),
            (walk.parts, self.parts),
            (builder.aliases, self.aliases),
        ):
            while len(found) > count:
                found.popitem()
        builder.x = replace(builder.x, name=names.get(builder.x.name, builder.x.name))
        return names


def is_alias(body: Body) -> bool:
    """Whether a named step is a ``ref`` alone, which names a tensor and does nothing."""
    step = body.step
    return (
        isinstance(step, Do)
        and isinstance(step.expression.tree, ast.Call)
        and isinstance(step.expression.tree.func, ast.Name)
        and step.expression.tree.func.id == "ref"
    )
