"""The walk over a spec: what flows, what has been placed, and what may still be spent."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, NamedTuple

from ..errors import Located, Source, Span, SpecError, did_you_mean, error, shorten, usage
from ..language.document import Scalar
from ..language.expression import Expression, parse_part, steps_of
from ..language.spec import Param, Spec
from ..language.steps import (
    Block,
    Body,
    Do,
    Each,
    Listing,
    Merge,
    Named,
    Step,
    Steps,
    Template,
    Value,
    check_name,
)
from ..language.synonyms import op_meant
from ..network import Layer, Network, Origin
from ..ops import OPS, Facts, Misfit, Op
from ..ops.op import as_written
from ..shape import Shape
from .arguments import WHOLE, arguments, bind, make, unquoted, usage_of_block
from .bounds import MAX_AXIS, MAX_BLOCKS, RAISED, Bounds, allowed
from .evaluation import choose, evaluate, not_callable
from .functions import FUNCTIONS
from .inputs import SHAPE_HELP, read_shape, usable
from .scope import Env, Place, Word
from .values import CONSTANTS, MAX_ITEMS, Deferred, Inputs, Tensor, describe, is_template, size_of


class Known(NamedTuple):
    """An op, and its facts by the shapes that it was asked on."""

    op: Op
    facts: dict[tuple[Shape, ...], Facts]


class _Made(NamedTuple):
    """What a block made: where that lies in the lists of the walk, and how its names are moved."""

    layers: slice
    scopes: slice
    blocks: slice
    entry: str  # the name of the tensor that flowed in
    cut: int  # the length of the path that its names start with
    end: Tensor


class LayerMisfit(Exception):
    """A layer refuses its inputs: the op's reason, and where in the network it is."""

    def __init__(
        self, name: str, where: Located, misfit: Misfit, inputs: list[Tensor], op: Op, merge: Merge | None
    ) -> None:
        super().__init__(misfit.message)
        self.name = name
        self.where = where
        self.misfit = misfit
        self.inputs = inputs
        self.op = op
        self.merge = merge


class Walk:
    """One elaboration: what flows, what has been placed, and what may still be spent."""

    def __init__(
        self,
        spec: Spec,
        variant: str,
        values: Mapping[str, Any],
        origin: Origin,
        *,
        inference: bool = False,
    ) -> None:
        self.spec = spec
        self.origin = origin
        self.inference = inference  # whether heads for training are left out
        self.name = variant or spec.name
        self.variant = spec.variants[variant] if variant else None
        self.x = Tensor("", Shape((1,)))
        self.inputs: dict[str, Shape] = {}
        self.sources: dict[str, Tensor] = {}
        self.layers: list[Layer] = []
        self.outputs: dict[str, str] = {}
        self.blocks: list[tuple[str, str]] = []  # path and name of each block's scope
        self.scopes: list[tuple[str, Tensor]] = []  # path and output of each scope
        self.paths: dict[str, Tensor] = {}  # of the first `indexed` layers and scopes
        self.indexed = (0, 0)
        self.reads = 0  # how often a step was read by its name
        self.made: dict[Any, _Made] = {}
        self.training = False
        self.bounds = Bounds(allowed())
        self.most = self.bounds.layers  # fewer where there are many inputs
        self.steps = 0
        self.connections = 0
        self.heads: set[str] = set()  # the layers of heads for training
        self.last: Located | None = None
        self.stack: list[str] = []  # the blocks that run, and "" for a step that was handed on
        self.bottom = 0  # where the blocks start whose text runs now: wrap(wrap(relu)) is no circle
        self.memory = _memory
        self.altered: list[str] = []
        self.declared: dict[str, Located] = {}
        self.remembers = 0  # how many ops and facts this walk has added to the memory
        self.words: dict[ast.expr, Word] = {}
        self.fixed: dict[ast.expr, tuple[Known, Located]] = {}  # what a lone word that names an op makes
        self.root = Place("", None, spec.layers.names)
        self.names: dict[str, Any] = {**OPS, **spec.blocks, **CONSTANTS, "True": True, "False": False}
        self.values = self._params(values)
        self.names |= self.values

    # --- before the first layer ---------------------------------------------------------------

    def _params(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the params: as given, else the variant's, else the file's own."""
        spec = self.spec
        for name in given:
            if name not in spec.params:
                raise usage(
                    f"{self.name} has no param {shorten(str(name))}",
                    help=did_you_mean(
                        str(name),
                        spec.params,
                        otherwise=f"its params: {', '.join(spec.params)}" if spec.params else "it has none",
                    ),
                )
        found: dict[str, Any] = {}
        env = Env(self, found, self.root)
        for name, param in spec.params.items():
            if name in given:
                found[name] = self._given(name, given[name], env)
                self._note(name, param, given[name], env)
            elif self.variant is not None and name in self.variant.values:
                found[name] = self._word(self.variant.values[name][0], env)
            elif param.value is not None:
                found[name] = self._word(param.value, env)
            else:
                listed = ", ".join(spec.variants)
                raise usage(
                    f"{spec.name} needs a value for {shorten(name)}",
                    help=f"{spec.name} is a family: {listed}" if listed else f"--set {name}=...",
                )
        return found

    def _note(self, name: str, param: Param, given: Any, env: Env) -> None:
        """Note a value that was given and is not the spec's own."""
        own = param.value
        if self.variant is not None and name in self.variant.values:
            own = self.variant.values[name][0]
        value = env.locals[name]
        try:
            if own is not None and _key((value,)) == _key((self._word(own, env),)):
                return
        except SpecError:
            pass  # its own value has no meaning beside the others that are given
        shown = (
            value.kind
            if isinstance(value, type) and issubclass(value, Op)
            else value.name
            if isinstance(value, Block)
            else value
        )
        written = given.strip() if isinstance(given, str) else as_written(shown).strip('"')
        self.altered.append(f"{name}={shorten(written)}")

    def _given(self, name: str, value: Any, env: Env) -> Any:
        """A value from the command line or from Python."""
        if isinstance(value, str):
            source = Source(f"--set {name}", value)
            node = Scalar(source, 1, 1, 0, len(value), value, True, False)
            if not value.strip():
                raise usage(f"{name} is given no value", help=f"--set {name}=...")
            return self._word(parse_part(value.strip(), node, 0), env)
        if isinstance(value, list | tuple):
            return tuple(self._given(name, item, env) for item in value)
        if isinstance(value, int | float) and not usable(value):
            raise usage(f"the value of {name} is out of range")
        if value is None or isinstance(value, int | float) or is_template(value):
            return value
        raise usage(f"{name} cannot be {type(value).__name__}", help="numbers, texts, and lists of them")

    def _word(self, value: Value, env: Env) -> Any:
        """The value of a param, in which a word that names nothing is a text."""
        if isinstance(value, Expression):
            if isinstance(value.tree, ast.Name):
                name = value.tree.id
                try:
                    return env.lookup(name)
                except KeyError:
                    if name not in self.spec.params and name not in ("x", "input"):
                        return name
            return evaluate(value, env)
        return self._listed([self._word(item, env) for item in value.items], value)

    def _listed(self, items: list[Any], listing: Listing) -> tuple[Any, ...]:
        """A list that was written in YAML; what is in it may itself be long."""
        found = tuple(items)
        self.steps += len(found)
        if size_of(found) > MAX_ITEMS:
            raise error(f"this list holds more than the {MAX_ITEMS:,} items allowed", listing.span)
        return found

    def _read_inputs(self, given: Mapping[str, Shape]) -> None:
        declared = dict(self.spec.inputs)
        if self.variant is not None:
            declared |= self.variant.inputs
        env = Env(self, {}, self.root)
        count = len(declared)
        self.most = min(self.most, self.bounds.views // count - count)
        if self.most < 0:
            first = next(iter(declared.values()))
            raise error(self.bounds.too_many_views(count), first.span, help=RAISED)
        for name, template in declared.items():
            shape = given.get(name)
            if shape is None:
                self.declared[name] = template
                text = self.text(template, env)
                shape = read_shape(text)
                if shape is None:
                    raise error(
                        f"'{shorten(text)}' is not an input shape",
                        template.span,
                        help=SHAPE_HELP,
                    )
            self.inputs[name] = shape
            self.sources[name] = Tensor(name, shape)
            self.root.taken[name] = template

    def text(self, template: Template, env: Env) -> str:
        """A template with its expressions filled in."""
        words = []
        for part in template.parts:
            if isinstance(part, Expression):
                value = evaluate(part, env)
                if isinstance(value, float) and value.is_integer():
                    value = int(value)
                if not isinstance(value, int | str) or isinstance(value, bool):
                    raise part.error(
                        f"within braces stands a whole number or a text, not {describe(value)}",
                        help="// divides without a remainder" if isinstance(value, float) else "",
                    )
                words.append(str(value))
            else:
                words.append(part)
        return "".join(words)

    # --- the walk -----------------------------------------------------------------------------

    def run(self, given: Mapping[str, Shape]) -> Network:
        try:
            return self._run(given)
        finally:
            _remember(self.memory, self.remembers)

    def _run(self, given: Mapping[str, Shape]) -> Network:
        self._read_inputs(given)
        first = next(iter(self.sources.values()))
        self.names["input"] = first if len(self.sources) == 1 else Inputs(self.sources)
        self.x = first
        env = Env(self, {}, self.root)
        self.body(self.spec.layers, env, self.root)
        main = self.x
        self.outputs["out"] = main.name
        for name, output in self.spec.outputs.items():
            if name in self.outputs:
                raise error(
                    f"{name} is the name of the end of layers:, and cannot name a further head",
                    output.span,
                    help="as in aux1:",
                )
            if output.training and self.inference:
                continue
            self.x = main
            self.training = output.training
            placed = len(self.layers)
            self.named(name, output.span, output.body, env, self.root)
            if output.training:
                self.heads.update([layer.name for layer in self.layers[placed:]])
            elif self.heads:
                self.check_inference(name, output.span, self.layers[placed:])
            if len(self.layers) > placed or self.x is not main:
                self.connect(1, output)
                self.outputs[name] = self.x.name
        if len(self.layers) > self.most and self.last is not None:
            raise self.too_many_layers(self.last)
        return self.network()

    def check_inference(self, head: str, span: Span, layers: list[Layer]) -> None:
        """Refuse a head that runs at inference and reads what runs in training only."""
        read = [(source, layer.span) for layer in layers for source in layer.inputs]
        for source, place in [*read, (self.x.name, span)]:
            if source in self.heads:
                raise error(
                    f"{shorten(head)} reads {shorten(source)}, which runs in training only",
                    place,
                    help=f"let it run in training only, too: {shorten(head)}: {{training: [...]}}",
                )

    def network(self) -> Network:
        """What has been placed so far."""
        meta = self.spec.meta
        if self.variant is not None:
            meta = _overlaid(meta, self.variant.meta)
        return Network(
            name=self.name,
            meta=meta,
            inputs=self.inputs,
            layers=tuple(self.layers),
            outputs=self.outputs or {"out": self.x.name},
            blocks=dict(self.blocks),
            values=self.values,
            index={layer.name: layer for layer in self.layers},
            altered=tuple(self.altered),
            declared=self.declared,
            origin=self.origin,
        )

    def at(self, path: str) -> Tensor | None:
        """The output of a finished layer or scope, by its full name."""
        layers, scopes = self.indexed
        self.paths |= {layer.name: Tensor(layer.name, layer.shape) for layer in self.layers[layers:]}
        self.paths |= dict(self.scopes[scopes:])
        self.indexed = len(self.layers), len(self.scopes)
        self.reads += 1
        return self.paths.get(path)

    def body(self, body: Body, env: Env, place: Place) -> None:
        self.step(body.step, env, place)

    def step(self, step: Step, env: Env, place: Place) -> None:
        """Run a step in a place."""
        if isinstance(step, Do):
            self.tree(step.expression, step.expression.tree, env, place, None, None)
        elif isinstance(step, Named):
            literal = step.name.literal
            if literal is None:
                literal = self.text(step.name, env)
                check_name(literal, step.name)
            self.named(literal, step.name, step.body, env, place)
        elif isinstance(step, Steps):
            self.steps += len(step.steps)
            for inner in step.steps:
                self.step(inner, env, place)
        elif isinstance(step, Merge):
            self.merge(step, env, place)
        else:
            for row in self.rows(step, env):
                self.step(step.do, row, place)

    def named(self, name: str, at: Located, body: Body, env: Env, place: Place) -> None:
        """Run a named step: an expression takes the name itself, anything else opens a scope."""
        if isinstance(body.step, Do):
            expression = body.step.expression
            self.tree(expression, expression.tree, env, place, name, at)
            return
        inside = self.open(name, at, place, body.names)
        self.body(body, Env(self, env.locals, inside), inside)
        self.close(name, place)

    def open(self, name: str, at: Located, place: Place, certain: Mapping[str, Located]) -> Place:
        place.claim(name, at)
        self.steps += len(place.path) >> 6
        return Place(place.full(name), place, certain)

    def close(self, name: str, place: Place) -> None:
        place.tensors[name] = self.x
        self.scopes.append((place.full(name), self.x))

    def rows(self, each: Each, env: Env) -> Iterable[Env]:
        """The names of each row of a table."""
        rows = self.row_values(each.rows, env)
        if not isinstance(rows, tuple):
            assert isinstance(each.rows, Expression)  # a list in YAML is a list
            raise each.rows.error(
                f"in: needs a list of rows, and this is {describe(rows)}",
                help="as in range(3)" if isinstance(rows, int) else "",
            )
        for number, row in enumerate(rows, 1):
            self.steps += len(env.locals) + len(each.names) >> 3
            self.spend(each.where)
            if len(each.names) == 1 and not (isinstance(row, tuple) and len(row) == 1):
                cells: tuple[Any, ...] = (row,)
            elif isinstance(row, tuple):
                cells = row
            else:
                cells = (row,)
            if len(cells) != len(each.names):
                raise error(
                    f"row {number} of the table has {len(cells)} value{'' if len(cells) == 1 else 's'} for "
                    f"{len(each.names)} columns ({', '.join(each.names)})",
                    _row_span(each, number),
                )
            yield Env(self, {**env.locals, **dict(zip(each.names, cells, strict=True))}, env.place)

    def row_values(self, value: Value, env: Env) -> Any:
        if isinstance(value, Expression):
            return evaluate(value, env)
        return self._listed([self.row_values(item, env) for item in value.items], value)

    @property
    def spent(self) -> bool:
        """Whether there was more to lay out than there may be."""
        return (
            self.steps > self.bounds.steps
            or len(self.layers) > self.most
            or self.connections > self.bounds.connections
        )

    def spend(self, where: Located) -> None:
        """Count a step, and remember where it stands."""
        self.steps += 1
        self.last = where
        if len(self.layers) > self.most:
            raise self.too_many_layers(where)
        if self.steps > self.bounds.steps:
            raise error(self.bounds.too_many_steps, where.span, help=RAISED)

    def too_many_layers(self, where: Located) -> SpecError:
        few = self.most < self.bounds.layers
        said = self.bounds.too_many_views(len(self.inputs)) if few else self.bounds.too_many_layers
        return error(said, where.span, help=RAISED)

    def connect(self, count: int, where: Located) -> None:
        """Count what is read."""
        self.connections += count
        if self.connections > self.bounds.connections:
            raise error(self.bounds.too_many_connections, where.span, help=RAISED)

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
        while type(tree) is ast.IfExp:
            tree = choose(expression, env, tree)
        if isinstance(tree, (ast.Name, ast.Call)):
            self.call(expression, tree, env, place, name, at)
        elif isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.RShift):
            self.several(expression, steps_of(tree), 1, env, place, name, at)
        elif isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mult):
            count = evaluate(expression, env, tree.right)
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                if isinstance(count, Deferred) or is_template(count):
                    evaluate(expression, env, tree)  # says so, unless both are steps
                raise expression.error(
                    f"the number of repeats must be a whole number of at least 0, not {describe(count)}",
                    tree.right,
                    help=WHOLE if isinstance(count, float) else "",
                )
            if count > self.bounds.layers:
                most = f"{self.bounds.layers:,}"
                raise expression.error(
                    f"{count:,} repeats are more than the {most} layers that a network may have",
                    tree.right,
                    help=RAISED,
                )
            self.several(expression, [tree.left], count, env, place, name, at)
        elif isinstance(tree, (ast.List, ast.Tuple)):
            self.several(expression, tree.elts, 1, env, place, name, at)
        else:
            value = evaluate(expression, env, tree)
            if not isinstance(value, Deferred):
                raise expression.error(
                    f"a step is an op or a block, and this is {describe(value)}", tree,
                    help="join steps with >>, repeat one with * n",
                )  # fmt: skip
            self.deferred(value, place, name, at)

    def deferred(self, step: Deferred, place: Place, name: str | None, at: Located | None) -> None:
        """Run a step that was handed on as a value, with the names of where it was written."""
        self.spend(Word(step.expression, step.tree))
        if len(self.stack) >= MAX_BLOCKS:
            raise step.expression.error("steps are handed on in a circle, or too deep", step.tree)
        self.stack.append("")
        outer, self.bottom = self.bottom, len(self.stack)
        assert isinstance(step.scope, Env)
        self.tree(step.expression, step.tree, step.scope, place, name, at)
        self.bottom = outer
        self.stack.pop()

    def several(
        self,
        expression: Expression,
        trees: list[ast.expr],
        count: int,
        env: Env,
        place: Place,
        name: str | None,
        at: Located | None,
    ) -> None:
        """Run steps one after the other, ``count`` times; with a name they get a scope of their own."""
        inside = place
        if name is not None:
            assert at is not None
            inside = self.open(name, at, place, {})
            if env.place is place:
                env = Env(self, env.locals, inside)
        for _ in range(count):
            self.steps += 1  # also where there is nothing to repeat
            for tree in trees:
                self.tree(expression, tree, env, inside, None, None)
        if self.steps > self.bounds.steps:
            raise expression.error(self.bounds.too_many_steps, help=RAISED)
        if name is not None:
            self.close(name, place)

    def call(
        self,
        expression: Expression,
        tree: ast.Name | ast.Call,
        env: Env,
        place: Place,
        name: str | None,
        at: Located | None,
    ) -> None:
        """Run an op, a block, a ref or a step that was handed on."""
        fixed = self.fixed.get(tree)
        if fixed is not None and fixed[0].op.kind not in env.locals:
            self.spend(fixed[1])
            self.place_op(*fixed, name, at, place)
            return
        func = tree if isinstance(tree, ast.Name) else tree.func
        if not isinstance(func, ast.Name):
            problem = not_callable(func, env)
            raise expression.error(problem.message, func, help=problem.help)
        where = self.words.get(tree)
        if where is None:
            where = self.words[tree] = Word(expression, tree)
        self.spend(where)
        if func.id == "ref":
            tensor = env.ref(tree, expression)
            if name is not None and at is not None:
                place.claim(name, at)
            self.x = tensor
            if name is not None:
                self.close(name, place)
            return
        try:
            target = env.lookup(func.id)
        except KeyError:
            if func.id not in FUNCTIONS:
                raise self.no_such_step(func, expression, env) from None
            target = evaluate(expression, env, tree)
        if isinstance(target, Deferred) and isinstance(tree, ast.Name):
            self.deferred(target, place, name, at)
        elif isinstance(target, type):
            known = self.op(target, tree, expression, env)
            if isinstance(tree, ast.Name) and tree.id == known.op.kind:
                self.fixed[tree] = known, where
            self.place_op(known, where, name, at, place)
        elif isinstance(target, Block):
            self.block(target, tree, expression, env, place, name, at, where)
        elif func.id == "x":
            raise expression.error(
                "x is the tensor that flows in, and not an op", tree, help="`identity` passes it on"
            )
        elif isinstance(target, Tensor):
            raise expression.error(
                f"{func.id} is an earlier step, not an op", tree, help=f"to go on from it: ref({func.id})"
            )
        else:
            what = "this" if func.id in FUNCTIONS or func.id in CONSTANTS else shorten(func.id)
            raise expression.error(
                f"a step is an op or a block, and {what} is {describe(target)}",
                tree,
                help=did_you_mean(target, [*self.spec.blocks, *OPS]) if isinstance(target, str) else "",
            )

    def no_such_step(self, func: ast.Name, expression: Expression, env: Env) -> SpecError:
        return expression.error(
            f"there is no op or block {shorten(func.id)}",
            func,
            help=env.hint(func.id)
            or op_meant(
                func.id,
                [*env.locals, *self.spec.blocks, *OPS, "ref"],
                otherwise="a step is an op such as conv or relu, or a block of this file",
            ),
        )

    # --- ops ----------------------------------------------------------------------------------

    def op(self, kind: type[Op], tree: ast.Name | ast.Call, expression: Expression, env: Env) -> Known:
        """The op that a call makes; the same arguments make the same op."""
        if isinstance(tree, ast.Name) or not (tree.args or tree.keywords):
            key: Any = kind
            args: list[Any] = []
            kwargs: dict[str, Any] = {}
        else:
            try:
                args, kwargs = arguments(tree, expression, env)
            except SpecError as problem:
                raise unquoted(kind, tree, expression, env) or problem from None
            key = (kind, *kwargs, *_key((*args, *kwargs.values())))
        found = self.memory.get(key)
        if found is None:
            if kind.merges:
                raise expression.error(
                    f"{kind.kind} merges several branches, and a step has one input", tree,
                    help=f"write {kind.kind}: with its branches under it",
                )  # fmt: skip
            found = self.remember(key, make(kind, args, kwargs, tree, expression))
        return found

    def remember(self, key: Any, op: Op) -> Known:
        """The op that is known under a key from now on: this one, or what another thread made meanwhile."""
        self.remembers += 1
        return self.memory.setdefault(key, Known(op, {}))

    def place_op(
        self, known: Known, where: Located, name: str | None, at: Located | None, place: Place
    ) -> None:
        """Ask an op for its facts on what flows in, and make it a layer."""
        if name is None:
            name = place.number()
            at = where
        assert at is not None
        place.claim(name, at)
        if not known.op.transparent:
            self.layer(known, place.full(name), [self.x], where)
        place.tensors[name] = self.x

    def layer(
        self, known: Known, name: str, inputs: list[Tensor], where: Located, form: Merge | None = None
    ) -> None:
        self.steps += len(name) >> 6  # a path of many scopes takes its room once for each layer
        shapes = (inputs[0].shape,) if len(inputs) == 1 else tuple([tensor.shape for tensor in inputs])
        op, remembered = known
        facts = remembered.get(shapes)
        if facts is None:
            try:
                facts = op.facts(*shapes)
                if max(facts.shape) > MAX_AXIS:
                    raise Misfit(f"an axis of its output {facts.shape} is longer than {MAX_AXIS:,}")
            except OverflowError:
                misfit = Misfit("its numbers are too large")
                raise LayerMisfit(name, where, misfit, inputs, op, form) from None
            except Misfit as misfit:
                raise LayerMisfit(name, where, misfit, inputs, op, form) from None
            facts = remembered.setdefault(shapes, facts)
            self.remembers += 1
        sources = (inputs[0].name,) if len(inputs) == 1 else tuple([tensor.name for tensor in inputs])
        self.connect(len(inputs), where)
        if len(inputs) > 1:
            self.steps += sum([len(source) for source in sources]) >> 6
        self.layers.append(Layer(name, op, sources, shapes, facts, where, self.training))
        self.x = Tensor(name, facts.shape)

    def merge(self, merge: Merge, env: Env, place: Place) -> None:
        """Run branches over the same tensor, and merge what comes out of them."""
        entry = self.x
        self.steps += len(merge.branches)
        ends: list[Tensor] = []
        if merge.form == "residual" and self.is_none(merge.branches[1], env):
            assert merge.branches[0] is not None
            self.step(merge.branches[0], env, place)
            return
        for branch in merge.branches:
            if isinstance(branch, Each):
                for row in self.rows(branch, env):
                    self.x = entry
                    self.step(branch.do, row, place)
                    ends.append(self.x)
                continue
            self.x = entry
            if branch is not None:
                self.step(branch, env, place)
            ends.append(self.x)
        if len(ends) < 2:
            raise error(
                f"{merge.form}: merges at least two branches, and this table gives {len(ends) or 'none'}",
                merge.where.span,
            )
        self.spend(merge.where)
        known = self.memory.get(merge.op)
        if known is None:
            known = self.remember(merge.op, OPS[merge.op]())
        name = place.automatic(merge.op)
        self.layer(known, place.full(name), ends, merge.where, merge)
        place.tensors[name] = self.x

    def is_none(self, step: Step | None, env: Env) -> bool:
        """Whether a step is the word ``none``, or chooses it: there is none, not even the identity."""
        if not isinstance(step, Do):
            return False
        tree = step.expression.tree
        while type(tree) is ast.IfExp:
            tree = choose(step.expression, env, tree)
        if isinstance(tree, ast.Name):
            try:
                return env.lookup(tree.id) is None
            except KeyError:
                return False
        return isinstance(tree, ast.Constant) and tree.value is None

    # --- blocks -------------------------------------------------------------------------------

    def block(
        self,
        block: Block,
        tree: ast.Name | ast.Call,
        expression: Expression,
        env: Env,
        place: Place,
        name: str | None,
        at: Located | None,
        where: Located,
    ) -> None:
        """Run a block in a scope of its own, with its parameters and the file's params."""
        if block.name in self.stack[self.bottom :]:
            circle = " -> ".join([*self.stack[self.stack.index(block.name, self.bottom) :], block.name])
            raise expression.error(
                f"the block {block.name} calls itself", tree,
                help=f"{circle}; repeat steps with `step * n`"
                + (f", or give the block another name than the op {block.name}" if block.name in OPS else ""),
            )  # fmt: skip
        if len(self.stack) >= MAX_BLOCKS:
            raise expression.error(f"blocks are nested more than {MAX_BLOCKS} deep", tree)
        args, kwargs = ([], {}) if isinstance(tree, ast.Name) else arguments(tree, expression, env)
        given = bind(
            block.required, args, kwargs, tree, expression, block.name, lambda: usage_of_block(block)
        )
        if name is None:
            name = place.number()
            at = where
        assert at is not None
        self.steps += 8 + (len(block.parameters) >> 1) + (len(place.path) >> 6)
        inside = Place(place.full(name), self.root, block.body.names)
        names: dict[str, Any] = {}
        own = Env(self, names, inside)
        for key, default in block.parameters.items():
            if key in given:
                names[key] = given[key]
            else:
                assert default is not None
                names[key] = evaluate(default[0], own, default[1])
        place.claim(name, at)
        same: Any = (block.name, self.training, self.x.shape, *_key(tuple(names.values())))
        made = self.made.get(same)
        if made is not None:
            self.again(made, inside.path, where)
        else:
            self.run_block(block, own, inside, same)
        self.close(name, place)

    def run_block(self, block: Block, env: Env, inside: Place, key: Any) -> None:
        """Run the steps of a block; what they made is kept unless it depends on where it stands."""
        entry, reads = self.x.name, self.reads
        start = len(self.layers), len(self.scopes), len(self.blocks)
        self.blocks.append((inside.path, block.name))
        self.stack.append(block.name)
        self.body(block.body, env, inside)
        self.stack.pop()
        if self.reads == reads:
            self.made[key] = _Made(
                slice(start[0], len(self.layers)),
                slice(start[1], len(self.scopes)),
                slice(start[2], len(self.blocks)),
                entry,
                len(inside.path),
                self.x,
            )

    def again(self, made: _Made, path: str, where: Located) -> None:
        """Repeat what a block made before from the same arguments and the same shape, under a new path."""
        source, old, cut = self.x.name, made.entry, made.cut

        def moved(name: str) -> str:
            return source if name == old else path + name[cut:]

        count = sum(part.stop - part.start for part in (made.layers, made.scopes, made.blocks))
        self.steps += count * (1 + (len(path) >> 6))
        self.spend(where)
        layers = self.layers[made.layers]
        if len(self.layers) + len(layers) > self.most:
            raise self.too_many_layers(where)
        self.connect(sum([len(layer.inputs) for layer in layers]), where)
        self.layers += [
            Layer(path + name[cut:], op, tuple([moved(feed) for feed in inputs]), shapes, facts, at, training)
            for name, op, inputs, shapes, facts, at, training in layers
        ]
        self.scopes += [
            (path + inner[cut:], Tensor(moved(end.name), end.shape))
            for inner, end in self.scopes[made.scopes]
        ]
        self.blocks += [(path + inner[cut:], name) for inner, name in self.blocks[made.blocks]]
        self.x = Tensor(moved(made.end.name), made.end.shape)


#: Ops by what they are made from, each with its facts. Both are pure, and the members of a family, and the
#: sizes that are tried when one does not fit, share most of them. Walks of several threads read and fill one
#: memory; an entry is added and never altered, and a walk goes on with the memory that it started with.
_memory: dict[Any, Known] = {}
_remembered = 0
_counting = Lock()

#: How many ops and facts are remembered from one network to the next.
_MOST = 20_000


def _remember(memory: dict[Any, Known], count: int) -> None:
    """Count what a walk has added to a memory; a full one is followed by an empty one."""
    global _memory, _remembered
    if not count:
        return
    with _counting:
        if memory is _memory:  # and not one that is forgotten already
            _remembered += count
            if _remembered > _MOST:
                _memory, _remembered = {}, 0


def _key(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values and what tells those apart that Python takes for equal: 1, 1.0 and true, also in lists."""
    kinds = tuple(map(type, values))
    return (*values, *kinds, *map(str, values)) if tuple in kinds else (*values, *kinds)


def _row_span(each: Each, number: int) -> Span:
    if isinstance(each.rows, Expression):
        return each.rows.span()
    row = each.rows.items[number - 1]
    return row.span() if isinstance(row, Expression) else row.span


def _overlaid(base: Any, over: Any) -> Any:
    """What a variant says of itself, and the file's own for the rest."""
    from dataclasses import replace

    changed = {name: value for name, value in vars(over).items() if value}
    if "notes" in changed:
        changed["notes"] = (*base.notes, *over.notes)
    if "requirements" in changed:
        own = {(one.scope, one.quantity) for one in over.requirements}
        kept = [one for one in base.requirements if (one.scope, one.quantity) not in own]
        changed["requirements"] = (*kept, *over.requirements)
    return replace(base, **changed)
