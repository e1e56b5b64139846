"""The walk over a spec: its steps, one by one, as calls of a builder."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ..bounds import MAX_BLOCKS, MAX_SIZE, RAISED
from ..errors import Located, Source, Span, SpecError, did_you_mean, error, shorten, usage
from ..formulas import Number, PerhapsError, Remembering, keyed, remembers
from ..language.document import Scalar
from ..language.expression import Expression, parse_part, steps_of
from ..language.spec import Output, Param, Part, Spec, Variant
from ..language.steps import (
    OPTIONAL_PARTS,
    PARTS,
    Block,
    Body,
    Do,
    Each,
    Experts,
    Listing,
    Merge,
    Named,
    Step,
    Steps,
    Template,
    Value,
    check_step,
    usage_of_merge,
)
from ..language.synonyms import op_meant
from ..network import Layer, Network, scopes_of
from ..ops import LANGUAGE, OPS, Op
from ..ops.op import as_written, signature, signed
from ..shape import Shape
from .advice import LayerShapeError
from .aliases import Aliases
from .arguments import arguments, refused_by, refused_in, unquoted
from .binding import WHOLE, bind, usage_of_block
from .building import Builder, Known, Place, by_value
from .evaluation import choose, evaluate, filled, not_callable
from .functions import FUNCTIONS
from .inputs import SHAPE_HELP, like, read_shape, usable
from .mixing import Mixing
from .scope import Copy, Env, File, Word
from .sharing import TIED, is_alias
from .values import CONSTANTS, MAX_ITEMS, Deferred, Inputs, Tensor, describe, is_template, size_of


class _Reached(Exception):
    """The step is done that a part of another file was to run until."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class _Made(NamedTuple):
    """What a block made: where that lies in the lists of the walk, and how its names are moved."""

    layers: slice
    scopes: slice
    blocks: slice
    asked: slice
    entry: str  # the name of the tensor that flowed in
    path: str  # what its names start with
    end: Tensor


class Walk(Mixing):
    """One elaboration of a spec, step by step."""

    def __init__(
        self, spec: Spec, variant: str, values: Mapping[str, Any], *, inference: bool = False
    ) -> None:
        self.variant = spec.variants[variant] if variant else None
        meta = spec.meta if self.variant is None else _overlaid(spec.meta, self.variant.meta)
        builder = Builder(variant or spec.name, meta=meta)
        super().__init__(spec, builder)
        missing = next((use for use in spec.uses.values() if use.name not in spec.parts), None)
        if missing is not None:
            raise error(
                f"what {missing.name} is has not been read", missing.span,
                help="archlens.load and archlens.loads read the specs that a spec uses",
            )  # fmt: skip
        self.inference = inference  # whether heads for training are left out
        self.files: dict[tuple[Part, File], File] = {}  # those of which single blocks are used
        self.last: Located | None = None
        self.unsteady: int | None = None  # how often steps were read before some were not there always
        self.aliases: list[Aliases] = []  # of what is used of other files
        self.stops: set[str] = set()  # the steps after which what is used of another file ends
        self.overrides: list[str] = []
        self.words: dict[ast.expr, Word] = {}
        self.fixed: dict[ast.expr, tuple[Known, Located]] = {}  # what a lone word that names an op makes
        self.root = builder.root = self.file.root
        self.values = self._params(values)
        builder.keep_apart(tuple(values.values()))
        self.file.names |= self.values

    # --- before the first layer ---------------------------------------------------------------

    def _params(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the params: as given, else the variant's, else the file's own."""
        spec = self.spec
        for name in given:
            if name not in spec.params:
                raise usage(
                    f"{self.builder.name} has no param {shorten(str(name))}",
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
            else:
                own = _own(param, self.variant)
                if own is not None:
                    found[name] = self.word(own, env)
                    continue
                listed = ", ".join(spec.variants)
                raise usage(
                    f"{spec.name} needs a value for {shorten(name)}",
                    help=f"{spec.name} is a family: {listed}" if listed else f"--set {name}=...",
                )
        return found

    def _note(self, name: str, param: Param, given: Any, env: Env) -> None:
        """Note a value that was given and is not the spec's own."""
        own = _own(param, self.variant)
        value = env.locals[name]
        if remembers(value):
            self.overrides.append(name)
            return
        try:
            if own is not None and by_value((value,)) == by_value((self.word(own, env),)):
                return
        except SpecError:
            pass  # its own value has no meaning beside the others that are given
        shown = (
            value.kind
            if isinstance(value, type) and issubclass(value, Op)
            else value.name
            if isinstance(value, Block | Part)
            else value
        )
        written = given.strip() if isinstance(given, str) else as_written(shown).strip('"')
        self.overrides.append(f"{name}={shorten(written)}")

    def _given(self, name: str, value: Any, env: Env) -> Any:
        """A value from the command line or from Python."""
        if isinstance(value, str):
            source = Source(f"--set {name}", value)
            node = Scalar(source, 1, 1, 0, len(value), value, True, False)
            if not value.strip():
                raise usage(f"{name} is given no value", help=f"--set {name}=...")
            return self.word(parse_part(value.strip(), node, 0), env)
        if isinstance(value, list | tuple):
            return tuple(self._given(name, item, env) for item in value)
        if isinstance(value, int | float) and not usable(value):
            raise usage(f"the value of {name} is out of range")
        if value is None or isinstance(value, int | float | Remembering) or is_template(value):
            return value
        raise usage(f"{name} cannot be {type(value).__name__}", help="numbers, strings, and lists of them")

    def word(self, value: Value, env: Env) -> Any:
        """The value of a param, in which a word that names nothing is a text."""
        if isinstance(value, Expression):
            if isinstance(value.tree, ast.Name):
                name = value.tree.id
                try:
                    return env.lookup(name)
                except KeyError:
                    if name not in env.file.spec.params and name not in ("x", "input"):
                        return name
            return evaluate(value, env)
        return self._listed([self.word(item, env) for item in value.items], value)

    def _listed(self, items: list[Any], listing: Listing) -> tuple[Any, ...]:
        """A list that was written in YAML; what is in it may itself be long."""
        found = tuple(items)
        self.builder.steps += len(found)
        if size_of(found) > MAX_ITEMS:
            raise error(f"this list holds more than the {MAX_ITEMS:,} items allowed", listing.span)
        return found

    def _read_inputs(self, given: Mapping[str, Shape]) -> None:
        declared = dict(self.spec.inputs)
        if self.variant is not None:
            declared |= self.variant.inputs
        env = Env(self, {}, self.root)
        self.builder.admit(len(declared), next(iter(declared.values())))
        for name, template in declared.items():
            shape = given.get(name)
            if shape is None:
                self.builder.declared[name] = template
                shape = self._declared(template, env)
            elif template.says_more:
                shape = like(shape, self._declared(template, env))
            self.builder.input(shape, name, template)

    def declared(self) -> Mapping[str, Shape]:
        """The inputs that the spec has, where no other is given."""
        self._read_inputs({})
        return self.builder.inputs

    def _declared(self, template: Template, env: Env) -> Shape:
        """The shape that a spec says of an input."""
        found = self._of_numbers(template, env) if self.builder.asks is not None else None
        if found is not None:
            return found
        text = filled(template.parts, env)
        shape = read_shape(text)
        if shape is None:
            raise error(f"'{shorten(text)}' is not an input shape", template.span, help=SHAPE_HELP)
        return shape

    def _of_numbers(self, template: Template, env: Env) -> Shape | None:
        """The same where sizes in its braces are numbers that remember; ``None`` where none of them is."""
        values = [evaluate(one, env) if isinstance(one, Expression) else one for one in template.parts]
        numbers = [one for one in values if isinstance(one, Number) and 1 <= one <= MAX_SIZE]
        marked = "".join(["?" if isinstance(one, Number) else str(one) for one in values])
        shape = read_shape("".join(map(str, values)))
        sizes = [size.strip() for size in marked.lower().partition(" of ")[0].split("x")]
        if (
            shape is None
            or not numbers
            or sizes.count("?") != len(numbers)
            or marked.count("?") != len(numbers)
        ):
            return None
        left: Iterator[Any] = iter(numbers)
        return shape.with_sizes(
            [next(left) if size == "?" else n for size, n in zip(sizes, shape, strict=False)]
        )

    # --- the walk -----------------------------------------------------------------------------

    def run(self, given: Mapping[str, Shape]) -> Network:
        try:
            return self._run(given)
        finally:
            self.builder.settle()
            self.parts.clear()  # they refer to this walk, which is so freed at once when it is left

    def _run(self, given: Mapping[str, Shape]) -> Network:
        self._read_inputs(given)
        first = next(iter(self.builder.sources.values()))
        self.file.names["input"] = first if len(self.builder.sources) == 1 else Inputs(self.builder.sources)
        self.builder.x = first
        env = Env(self, {}, self.root)
        self.body(self.spec.layers, env, self.root)
        main = self.builder.x
        self.builder.outputs["out"] = main.name
        left_out: Output | None = None
        for output in self.spec.outputs.values():
            name = output.name.literal
            if name is None:
                name = filled(output.name.parts, env)
                check_step(name, output.name)
            if "." in name:
                raise error(
                    f"{shorten(name)} cannot name an output: names of outputs have no dots", output.span
                )
            if name == "out":
                self.require_none(output, env)
                self.builder.outputs.pop("out", None)
                left_out = output
                continue
            if name in self.builder.outputs:
                raise error(f"two outputs have the name {shorten(name)}", output.span)
            if output.training and self.inference:
                continue
            self.builder.x = main
            self.builder.training = output.training
            placed, reads = len(self.builder.layers), self.reads
            self.named(name, output.span, output.body, env, self.root)
            if output.training:
                self.builder.heads.update([layer.name for layer in self.builder.layers[placed:]])
            elif self.builder.heads:
                self.builder.check_inference(name, output.span, self.builder.layers[placed:], self.builder.x)
            # a head that is none, or has no steps, is no output; one that names the end of layers: is
            if len(self.builder.layers) > placed or self.builder.x is not main or self.reads > reads:
                self.builder.connect(1, output)
                self.builder.outputs[name] = self.builder.x.name
        if left_out is not None and self.builder.heads.issuperset(self.builder.outputs.values()):
            raise error(
                "`out: none` leaves the network without an output at inference",
                left_out.span,
                help="at least one other output must run at inference",
            )
        if len(self.builder.layers) > self.builder.most and self.last is not None:
            raise self.builder.too_many_layers(self.last)
        if self.unsteady is not None and self.reads > self.unsteady:
            raise PerhapsError
        if self.builder.asks is None:  # keys are the same on all sizes
            for aliases in (*self.aliases, Aliases("", self.spec.aliases, some=self.inference)):
                aliases.add(self.builder)
        return self.network()

    def require_none(self, output: Output, env: Env) -> None:
        """Refuse that ``out:`` is anything but ``none``, which says that the end of ``layers:`` is no output.

        Raises:
            SpecError: it is.
        """
        if not self.is_absent(output.body.step, env):
            raise error(
                "out is the name of the end of layers:, and cannot name a further head",
                output.span,
                help="as in aux1:; `out: none` drops the end of layers: if all heads are listed here",
            )

    def network(self) -> Network:
        """What has been placed so far."""
        return self.builder.closed(self.values, self.overrides, self.asked)

    def body(self, body: Body, env: Env, place: Place) -> None:
        self.step(body.step, env, place)

    def step(self, step: Step, env: Env, place: Place) -> None:
        """Run a step in a place."""
        if isinstance(step, Do):
            self.tree(step.expression, step.expression.tree, env, place, None, None)
        elif isinstance(step, Named):
            literal = step.name.literal
            if literal is None:
                literal = filled(step.name.parts, env)
                if not literal:  # no scope: its steps stand in the one around it
                    self.body(step.body, env, place)
                    return
                check_step(literal, step.name)
            self.named(literal, step.name, step.body, env, place)
        elif isinstance(step, Steps):
            self.builder.steps += len(step.steps)
            for inner in step.steps:
                self.step(inner, env, place)
        elif isinstance(step, Merge):
            self.merge(step, env, place)
        elif isinstance(step, Experts):
            self.experts(step, env, place)
        else:
            for row in self.rows(step, env, repeats=True):
                self.step(step.do, row, place)

    def named(self, name: str, at: Located, body: Body, env: Env, place: Place) -> None:
        """Run a named step: an expression takes the name itself, anything else opens a scope."""
        path, start = place.full(name), self.mark()
        self.running[path] = at
        ended: _Reached | None = None
        try:
            if isinstance(body.step, Do):
                expression = body.step.expression
                self.tree(expression, expression.tree, env, place, name, at)
            else:
                inside = self.open(name, at, place, body)
                self.body(body, Env(self, env.locals, inside), inside)
                self.close(name, place)
        except _Reached as reached:
            ended = reached
        finally:
            del self.running[path]
        if path not in self.uses and name not in place.absent and not is_alias(body):
            self.parts[path] = self.part(body, env, start, ended.path[len(path) :] if ended else "")
        if ended:
            raise ended

    def open(self, name: str, at: Located, place: Place, body: Body | None = None) -> Place:
        """Open a scope for steps, be these a body or the links of a chain, which have no names."""
        place.claim(name, at)
        self.builder.steps += len(place.path) >> 6
        if body is None:
            return Place(place.full(name), place, {})
        return Place(place.full(name), place, body.names, named=body.is_named)

    def close(self, name: str, place: Place) -> None:
        place.tensors[name] = self.builder.x
        self.builder.scopes.append((place.full(name), self.builder.x))
        self.finish(name, place)

    def finish(self, name: str, place: Place) -> None:
        """End the part of another file that was to run until this step."""
        if self.stops and place.full(name) in self.stops:
            raise _Reached(place.full(name))

    @contextmanager
    def ending(self, stop: str, inside: str) -> Iterator[None]:
        """Run until a step; the scopes that it stands in, within a path, end with it. Of no step, run on."""
        if stop:
            self.stops.add(stop)
        try:
            yield
        except _Reached as reached:
            if reached.path != stop:
                raise
            around = [scope for scope in scopes_of(stop) if len(inside) <= len(scope) < len(stop)]
            self.builder.scopes += [(scope, self.builder.x) for scope in reversed(around)]
        finally:
            self.stops.discard(stop)

    def rows(self, each: Each, env: Env, *, repeats: bool = False) -> Iterable[Env]:
        """The names of each row of a table, whose steps may stand one after the other."""
        rows: Any = self.perhaps(each.rows, env) if repeats and self.builder.asks is not None else None
        if rows is not None:
            if len(each.names) != 1:
                raise PerhapsError
            for row in rows:
                self.spend(each.where)
                yield Env(self, {**env.locals, each.names[0]: row}, env.place)
            return
        rows = self.row_values(each.rows, env)
        if not isinstance(rows, tuple):
            assert isinstance(each.rows, Expression)  # a list in YAML is a list
            raise each.rows.error(
                f"in: needs a list of rows, not {describe(rows)}",
                help="as in range(3)" if isinstance(rows, int) else "",
            )
        for number, row in enumerate(rows, 1):
            self.builder.steps += len(env.locals) + len(each.names) >> 3
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

    def perhaps(self, value: Value, env: Env) -> Iterator[Any] | None:
        """The numbers of ``range(...)``, where how many they are differs; ``None`` of anything else."""
        tree = value.tree if isinstance(value, Expression) else None
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.func.id != "range":
            return None
        if not 1 <= len(tree.args) <= 2 or tree.keywords or "range" in env.locals:
            return None
        assert isinstance(value, Expression)
        *first, last = [evaluate(value, env, one) for one in tree.args]
        start = first[0] if first else 0
        if not all(isinstance(one, int | Number) for one in (start, last)):
            return None
        count = last - start
        return (start + i for i in self.times(count)) if opens(count) else None

    def times(self, count: Number) -> Iterator[int]:
        """The numbers below one that differs; what is done with those that are not there always is noted.

        Raises:
            PerhapsError: what is done leaves something else behind than what flowed in, or is read by a name.
        """
        table: Any = count.table
        if count <= 0:
            return
        low, most = table.bounds(count)
        if most > _PERHAPS:
            raise PerhapsError
        yield from range(low)
        for i in range(low, most):
            layers, shape = len(self.builder.layers), self.builder.x.shape
            self.unsteady = self.reads if self.unsteady is None else self.unsteady
            table.within += 1
            yield i
            table.within -= 1
            if keyed(self.builder.x.shape) != keyed(shape):
                raise PerhapsError
            table.perhaps.append(([one.name for one in self.builder.layers[layers:]], 1 - count.below(i + 1)))

    def row_values(self, value: Value, env: Env) -> Any:
        if isinstance(value, Expression):
            return evaluate(value, env)
        return self._listed([self.row_values(item, env) for item in value.items], value)

    @property
    def spent(self) -> bool:
        """Whether there was more to lay out than there may be."""
        return (
            self.builder.steps > self.builder.bounds.steps
            or len(self.builder.layers) > self.builder.most
            or self.builder.connections > self.builder.bounds.connections
        )

    def spend(self, where: Located) -> None:
        """Count a step, and remember where it stands."""
        self.builder.steps += 1
        self.last = where
        if len(self.builder.layers) > self.builder.most:
            raise self.builder.too_many_layers(where)
        if self.builder.steps > self.builder.bounds.steps:
            raise error(self.builder.bounds.too_many_steps, where.span, help=RAISED)

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
            if opens(count):
                self.several(expression, [tree.left], self.times(count), env, place, name, at)
                return
            if isinstance(count, Number):
                count = count.pinned(f"the number of repeats {shorten(ast.unparse(tree.right))}")
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                if isinstance(count, Deferred) or is_template(count):
                    evaluate(expression, env, tree)  # says so, unless both are steps
                raise expression.error(
                    f"the number of repeats must be a whole number of at least 0, not {describe(count)}",
                    tree.right,
                    help=WHOLE if isinstance(count, float) else "",
                )
            if count > self.builder.bounds.layers:
                most = f"{self.builder.bounds.layers:,}"
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
            if value is None:
                self.nothing(Word(expression, tree), place, name, at)
                return
            if not isinstance(value, Deferred):
                raise expression.error(
                    f"a step is an op or a block, not {describe(value)}", tree,
                    help="join steps with >>, repeat one with * n",
                )  # fmt: skip
            self.deferred(value, place, name, at)

    def nothing(self, where: Located, place: Place, name: str | None, at: Located | None) -> None:
        """A step that is none: what flows in flows on, and no name is given."""
        self.spend(where)
        if name is not None and at is not None:
            place.absent[name] = at

    def deferred(self, step: Deferred, place: Place, name: str | None, at: Located | None) -> None:
        """Run a step that was handed on as a value, with the names of where it was written."""
        self.spend(Word(step.expression, step.tree))
        if len(self.stack) >= MAX_BLOCKS:
            raise step.expression.error("steps are passed on in a circle, or too deep", step.tree)
        self.stack.append(None)
        outer, self.bottom = self.bottom, len(self.stack)
        assert isinstance(step.scope, Env)
        self.tree(step.expression, step.tree, step.scope, place, name, at)
        self.bottom = outer
        self.stack.pop()

    def several(
        self,
        expression: Expression,
        trees: list[ast.expr],
        count: int | Iterator[int],
        env: Env,
        place: Place,
        name: str | None,
        at: Located | None,
    ) -> None:
        """Run steps one after the other, ``count`` times; with a name they get a scope of their own."""
        inside = place
        if name is not None:
            assert at is not None
            inside = self.open(name, at, place)
            if env.place is place:
                env = Env(self, env.locals, inside)
        for _ in range(count) if isinstance(count, int) else count:
            self.builder.steps += 1  # also where there is nothing to repeat
            for tree in trees:
                self.tree(expression, tree, env, inside, None, None)
        if self.builder.steps > self.builder.bounds.steps:
            raise expression.error(self.builder.bounds.too_many_steps, help=RAISED)
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
        start = self.mark()
        if fixed is not None and fixed[0].op.kind not in env.locals:
            self.spend(fixed[1])
            placed = self.place_op(*fixed, name, at, place)
            if name is None:
                self.numbered(expression, tree, env, start)
            self.finish(placed, place)
            return
        func = tree if isinstance(tree, ast.Name) else tree.func
        if not isinstance(func, ast.Name):
            problem = not_callable(func, env)
            raise expression.error(problem.message, func, help=problem.help)
        where = self.words.get(tree)
        if where is None:
            where = self.words[tree] = Word(expression, tree)
        self.spend(where)
        if func.id == "again":
            self.again(tree, expression, env, place, name, at, where)
            return
        if func.id == "ref":
            tensor = env.ref(tree, expression)
            if name is not None and at is not None and place.tensors.get(name) is not tensor:
                place.claim(name, at)
            self.builder.x = tensor
            if name is not None:
                self.close(name, place)
            return
        try:
            target = env.lookup(func.id)
        except KeyError:
            brought = env.brought(func.id, func, expression) if func.id not in FUNCTIONS else None
            if func.id not in FUNCTIONS and brought is None:
                raise self.no_such_step(func, expression, env) from None
            target = brought or evaluate(expression, env, tree)
        if isinstance(target, str) and isinstance(tree, ast.Name):  # a param that is the name of an op
            target = env.brought(target, func, expression) or target
        if isinstance(target, Deferred) and isinstance(tree, ast.Name):
            self.deferred(target, place, name, at)
        elif isinstance(target, type):
            tied = self.tied(target, tree, expression, env)
            second = self.second(target, tree, expression, env)
            known = self.op(target, tree, expression, env, second)
            if isinstance(tree, ast.Name) and tree.id == known.op.kind:
                self.fixed[tree] = known, where
            placed = self.place_op(known, where, name, at, place, second)
            if tied is not None:
                try:
                    self.tie(tied, len(self.builder.layers) > start.layers)
                except SpecError:
                    del self.builder.layers[start.layers :]
                    raise
            if name is None:
                self.numbered(expression, tree, env, start)
            self.finish(placed, place)
        elif isinstance(target, Block):
            self.block(target, env.file.home(target), tree, expression, env, place, name, at, where)
            if name is None:
                path = self.builder.scopes[-1][0]
                self.parts[path] = self.part((expression, tree), env, start)
        elif isinstance(target, Part):
            if name is None:
                name, at = place.number(), where
                self.use(target, tree, expression, env, place, name, at, where)
                self.parts[place.full(name)] = self.part((expression, tree), env, start)
            else:
                assert at is not None
                self.use(target, tree, expression, env, place, name, at, where)
        elif target is None and isinstance(tree, ast.Name):
            self.nothing(where, place, name, at)
        elif func.id == "x":
            raise expression.error(
                "x is the incoming tensor, not an op", tree, help="`identity` passes it on"
            )
        elif isinstance(target, Tensor):
            raise expression.error(
                f"{func.id} is an earlier step, not an op", tree, help=f"to continue from it: ref({func.id})"
            )
        else:
            what = "this" if func.id in FUNCTIONS or func.id in CONSTANTS else shorten(func.id)
            raise expression.error(
                f"a step is an op or a block, and {what} is {describe(target)}",
                tree,
                help=did_you_mean(target, [*env.file.spec.blocks, *LANGUAGE])
                if isinstance(target, str)
                else (f"the param {func.id} hides the op {func.id}; under another name, both could be used")
                if func.id in LANGUAGE
                else "",
            )

    def no_such_step(self, func: ast.Name, expression: Expression, env: Env) -> SpecError:
        return expression.error(
            f"there is no op or block {shorten(func.id)}",
            func,
            help=env.hint(func.id)
            or op_meant(
                func.id,
                [*env.locals, *env.file.spec.blocks, *env.file.spec.uses, *LANGUAGE, "ref", "again"],
                otherwise="a step is an op such as conv or relu, or a block of this file",
            ),
        )

    # --- ops ----------------------------------------------------------------------------------

    def second(
        self, kind: type[Op], tree: ast.Name | ast.Call, expression: Expression, env: Env
    ) -> Tensor | None:
        """What an op reads beside what flows, where an argument names the step that gives it.

        Raises:
            SpecError: there is no such step.
        """
        keywords = tree.keywords if kind.second and isinstance(tree, ast.Call) else ()
        named: ast.expr | None = next((one.value for one in keywords if one.arg == kind.second), None)
        while isinstance(named, ast.IfExp):
            named = choose(expression, env, named)
        if isinstance(named, ast.Name) and env.locals.get(named.id, env.file.names.get(named.id, "")) is None:
            return None
        if named is None or (isinstance(named, ast.Constant) and named.value is None):
            return None
        self.reads += 1
        return env.tensor(named, expression, f"{kind.second}=")

    def op(
        self,
        kind: type[Op],
        tree: ast.Name | ast.Call,
        expression: Expression,
        env: Env,
        second: Tensor | None = None,
    ) -> Known:
        """The op that a call makes; the same arguments make the same op."""
        if kind.merges:
            how = usage_of_merge(kind.kind) if kind.branches else f"{kind.kind}: with its branches under it"
            raise expression.error(
                f"{kind.kind} merges several branches, and a step has one input", tree,
                help=f"write {how}" + (f"; of one input it is {kind.of_one}" if kind.of_one else ""),
            )  # fmt: skip
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        if isinstance(tree, ast.Call):
            try:
                args, kwargs = arguments(
                    tree, expression, env, but=(TIED, kind.second), remembering=kind.spells
                )
            except SpecError as problem:
                raise unquoted(kind, tree, expression, env) or problem from None
        if second is not None:
            kwargs[kind.second] = True
        return self.builder.known(kind, args, kwargs, refused_in(tree, expression))

    def place_op(
        self,
        known: Known,
        where: Located,
        name: str | None,
        at: Located | None,
        place: Place,
        second: Tensor | None = None,
    ) -> str:
        """Ask an op for its facts on what flows in, and make it a layer."""
        if name is None:
            owns = partial(self.builder.owns, known, self.builder.x.shape, where)
            name = place.counted(known.op, where, owns)
            if place.numbers:
                self.numbers[place.path] = place.numbers
        else:
            assert at is not None
            place.claim(name, at)
        if not known.op.transparent:
            read = [self.builder.x] if second is None else [self.builder.x, second]
            self.builder.layer(known, place.full(name), read, where)
        else:
            self.builder.scopes.append((place.full(name), self.builder.x))
        place.tensors[name] = self.builder.x
        return name

    def merge(self, merge: Merge, env: Env, place: Place) -> None:
        """Run branches over the same tensor, and merge what comes out of them."""
        entry = self.builder.x
        given = {name: self.row_values(value, env) for name, (_, value) in merge.arguments.items()}
        self.builder.steps += len(merge.branches)
        ends: list[Tensor] = []
        absent, needed = 0, len(PARTS.get(merge.op, ()))
        flags = [name for name in OPTIONAL_PARTS.get(merge.op, ()) if name in signature(OPS[merge.op])]
        for branch, names in self.branches(merge, env):
            self.builder.x = entry
            if branch is not None and self.is_absent(branch, names):
                absent += 1
                if needed > len(ends):
                    raise self.no_part(merge)
                continue
            if isinstance(branch, Named):
                given |= {name: True for name in flags if name == branch.name.literal}
                branch = branch.body.step if _is_part(branch, merge, place) else branch
            if branch is not None:
                self.step(branch, names, place)
            ends.append(self.builder.x)
        self.spend(merge.where)
        if not ends:
            why = f"each of its {absent} branches is none" if absent > 1 else "its only branch is none"
            raise error(
                f"{merge.form}: has nothing to merge: {why if absent else 'its table has no rows'}",
                merge.where.span,
                help="`identity` is the incoming tensor",
            )
        if len(ends) == 1:  # what is left of it
            self.builder.x = ends[0]
            return
        if merge.call is not None:
            known = self.merging(merge.call, OPS[merge.op], env)
        else:
            known = self.builder.known(OPS[merge.op], [], given, refused_by(merge))
        name = place.automatic(merge.op)
        self.builder.layer(known, place.full(name), ends, merge.where, merge)
        place.tensors[name] = self.builder.x
        self.finish(name, place)

    def no_part(self, merge: Merge) -> SpecError:
        """A merge lacks a branch that it needs."""
        return error(
            f"{merge.form}: merges {', '.join(PARTS[merge.op])}, and one of them is none", merge.where.span,
            help=f"each of them is needed: {usage_of_merge(merge.form)}",
        )  # fmt: skip

    def merging(self, call: Expression, kind: type[Op], env: Env) -> Known:
        """The op of a merge that is called with arguments."""
        if not isinstance(call.tree, ast.Call) or not isinstance(call.tree.func, ast.Name):
            raise call.error(f"{kind.kind} is called with its arguments", help=signed(kind))
        args, kwargs = arguments(call.tree, call, env)
        return self.builder.known(kind, args, kwargs, refused_in(call.tree, call))

    def branches(self, merge: Merge, env: Env) -> Iterator[tuple[Step | None, Env]]:
        """The branches of a merge, those of its tables row by row, each with the names that it knows."""
        for branch in merge.branches:
            if isinstance(branch, Each):
                for row in self.rows(branch, env):
                    yield branch.do, row
            else:
                yield branch, env

    def is_absent(self, branch: Step, env: Env) -> bool:
        """Whether a branch is none, or chooses to be; a list of one step and a named step are that step."""
        while not isinstance(branch, Do):
            if isinstance(branch, Named):
                branch = branch.body.step
            elif isinstance(branch, Steps) and len(branch.steps) == 1:
                (branch,) = branch.steps
            else:
                return False
        expression, tree = branch.expression, branch.expression.tree
        while type(tree) is ast.IfExp:
            tree = choose(expression, env, tree)
        if isinstance(tree, ast.Name):
            try:
                return env.lookup(tree.id) is None
            except KeyError:
                return False
        return isinstance(tree, ast.Constant | ast.Subscript) and evaluate(expression, env, tree) is None

    # --- blocks -------------------------------------------------------------------------------

    def block(
        self,
        block: Block,
        file: File,
        tree: ast.Name | ast.Call,
        expression: Expression,
        env: Env,
        place: Place,
        name: str | None,
        at: Located | None,
        where: Located,
    ) -> None:
        """Run a block of a file in a scope of its own, with its parameters and the file's params."""
        if block in self.stack[self.bottom :]:
            first = self.stack.index(block, self.bottom)
            circle = " -> ".join([one.name for one in [*self.stack[first:], block] if one is not None])
            raise expression.error(
                f"the block {block.name} calls itself", tree,
                help=f"{circle}; repeat steps with `step * n`"
                + (f", or give the block another name than the op {block.name}" if block.name in OPS else ""),
            )  # fmt: skip
        if len(self.stack) >= MAX_BLOCKS:
            raise expression.error(f"blocks are nested more than {MAX_BLOCKS} deep", tree)
        args, kwargs = arguments(tree, expression, env)
        given = bind(
            block.required,
            args,
            kwargs,
            refused_in(tree, expression),
            block.name,
            lambda: usage_of_block(block),
        )
        if name is None:
            name = place.number()
            at = where
        assert at is not None
        self.builder.steps += 8 + (len(block.parameters) >> 1) + (len(place.path) >> 6)
        inside = Place(place.full(name), file.root, block.body.names, named=block.body.is_named)
        names: dict[str, Any] = {}
        own = Env(self, names, inside)
        for key, default in block.parameters.items():
            if key in given:
                names[key] = given[key]
            else:
                assert default is not None
                names[key] = evaluate(default[0], own, default[1])
        place.claim(name, at)
        same: Any = (
            block,
            file,
            self.builder.training,
            self.builder.x.shape,
            *by_value(tuple(names.values())),
        )
        if self.builder.asks is not None:
            same = keyed(same)
        stops = self.stops and any(stop.startswith(f"{inside.path}.") for stop in self.stops)
        made = None if stops else self.made.get(same)
        if made is not None:
            self.copies[inside.path] = Copy(made.path, len(self.builder.layers) - made.layers.start)
            self.repeat(made, inside.path, where)
        else:
            self.run_block(block, own, inside, same)
        self.close(name, place)

    def use(
        self,
        part: Part,
        tree: ast.Name | ast.Call,
        expression: Expression,
        env: Env,
        place: Place,
        name: str,
        at: Located,
        where: Located,
    ) -> None:
        """Run what is used of another file, in a scope of its own and with the params of that file."""
        if len(self.stack) >= MAX_BLOCKS:
            raise expression.error(f"blocks are nested more than {MAX_BLOCKS} deep", tree)
        depth, bottom, training = len(self.stack), self.bottom, self.builder.training
        try:
            if part.block is not None:
                file = self.files.get((part, env.file))
                if file is None:
                    file = self.files[part, env.file] = self.opened(part, "", {}, env.file)
                    file.names.setdefault("input", env.file.names.get("input"))
                self.stack.append(part)
                self.block(part.block, file, tree, expression, env, place, name, at, where)
            else:
                self.run_part(part, tree, expression, env, place, name, at, where)
        except (SpecError, LayerShapeError) as problem:
            span = problem.diagnostic.span if isinstance(problem, SpecError) else problem.span
            if span is None or span.source is expression.node.source:
                raise
            used = f"{part.name} is used here", where.span
            if isinstance(problem, LayerShapeError):
                problem.also = (*problem.also, used)
                raise
            raise SpecError(replace(problem.diagnostic, also=(*problem.diagnostic.also, used))) from None
        del self.stack[depth:]
        self.bottom, self.builder.training = bottom, training

    def run_part(
        self,
        part: Part,
        tree: ast.Name | ast.Call,
        expression: Expression,
        env: Env,
        place: Place,
        name: str,
        at: Located,
        where: Located,
    ) -> None:
        """Run the steps of another file, up to that which ``until`` names."""
        args, kwargs = arguments(tree, expression, env)
        refused = refused_in(tree, expression)
        names = part.required
        if args:
            raise refused(
                f"{part.name} takes its params by name", 0, f"as in {part.name}({[*names][-1]}=...)"
            )
        given = bind(names, args, kwargs, refused, part.name, lambda: f"its params: {', '.join(names)}")
        until = given.pop("until", None)
        if until is not None and not isinstance(until, str):
            raise refused(f"until is the name of a step, not {describe(until)}", "until", 'as in "layer4"')
        path = place.full(name)
        stop = f"{path}.{until}"
        file = self.opened(part, path, given, env.file)
        file.names["input"] = self.builder.x
        file.sources = dict.fromkeys(part.spec.inputs, self.builder.x)
        own = Env(self, {}, file.root)
        self.stack.append(part)
        if isinstance(part.body.step, Do) and part.body is not part.spec.layers:
            if until is not None:
                raise refused(
                    f"{part.name} is one step, and has none to go until", "until", "leave until out"
                )
            expression = part.body.step.expression
            self.tree(expression, expression.tree, own, place, name, at)
            return
        place.claim(name, at)
        self.builder.blocks.append((path, part.name))
        if part.spec.aliases and part.body is part.spec.layers:
            self.reads += 1  # so that what is around is not copied, which would have none of them
            self.aliases.append(Aliases(path, part.spec.aliases, some=True))
        if until is None:
            self.body(part.body, own, file.root)
        else:
            with self.ending(stop, f"{path}."):
                self.body(part.body, own, file.root)
                known = [*file.root.tensors, *own.steps(until)]
                raise refused(
                    f"{part.name} has no step {shorten(until)} to go until", "until",
                    own.numbered(until, "until={}")
                    or did_you_mean(until, known, otherwise=f"its steps: {', '.join(known[:8])}, ..."),
                )  # fmt: skip
        self.close(name, place)

    def opened(self, part: Part, path: str, given: Mapping[str, Any], parent: File) -> File:
        """Another file with values for its params: those that are given, else its own."""
        file = File(part.spec, path, part.body, parent)
        found: dict[str, Any] = {}
        env = Env(self, found, file.root)
        variant = part.spec.variants[part.variant] if part.variant else None
        for name, param in part.spec.params.items():
            own = _own(param, variant)
            if name in given:
                found[name] = given[name]
            elif own is not None:
                found[name] = self.word(own, env)
        self.builder.steps += len(found)
        file.names |= found
        return file

    def run_block(self, block: Block, env: Env, inside: Place, key: Any) -> None:
        """Run the steps of a block; what they made is kept unless it depends on where it stands."""
        entry, reads = self.builder.x.name, self.reads
        start = len(self.builder.layers), len(self.builder.scopes), len(self.builder.blocks), len(self.asked)
        self.builder.blocks.append((inside.path, block.name))
        if block.label:
            self.builder.labels[inside.path] = block.label
        numbers = {name: env.locals[name] for name in block.parameters if type(env.locals[name]) is int}
        if numbers:
            self.builder.arguments[inside.path] = numbers
        self.stack.append(block)
        self.body(block.body, env, inside)
        self.stack.pop()
        if self.reads == reads:
            self.made[key] = _Made(
                slice(start[0], len(self.builder.layers)),
                slice(start[1], len(self.builder.scopes)),
                slice(start[2], len(self.builder.blocks)),
                slice(start[3], len(self.asked)),
                entry,
                inside.path,
                self.builder.x,
            )

    def repeat(self, made: _Made, path: str, where: Located) -> None:
        """Repeat what a block made before from the same arguments and the same shape, under a new path."""
        builder = self.builder
        source, old, cut = builder.x.name, made.entry, len(made.path)

        def moved(name: str) -> str:
            return source if name == old else path + name[cut:]

        count = sum(part.stop - part.start for part in made[:4])
        builder.steps += count * (1 + (len(path) >> 6))
        self.spend(where)
        layers = builder.layers[made.layers]
        if len(builder.layers) + len(layers) > builder.most:
            raise builder.too_many_layers(where)
        builder.connect(sum([len(layer.inputs) for layer in layers]), where)
        start = len(builder.layers)
        builder.layers += [
            Layer(path + name[cut:], op, tuple([moved(feed) for feed in inputs]), shapes, facts, at, training)
            for name, op, inputs, shapes, facts, at, training, *_ in layers
        ]
        for number, (layer, again) in enumerate(zip(layers, builder.layers[start:], strict=True), start):
            if layer.copies is not None:
                scope, chosen = (path + name[cut:] for name in (layer.copies.scope, layer.copies.chosen))
                builder.steps += len(layer.facts.weights)
                copies = layer.copies._replace(scope=scope, chosen=chosen)
                builder.layers[number] = again = again._replace(copies=copies)
            if builder.once:
                builder.layers[number] = builder.made_once(again)
        builder.scopes += [
            (path + inner[cut:], Tensor(moved(end.name), end.shape))
            for inner, end in builder.scopes[made.scopes]
        ]
        blocks = builder.blocks[made.blocks]
        builder.blocks += [(path + inner[cut:], name) for inner, name in blocks]
        for said in builder.of_blocks:
            if said:
                said |= {path + inner[cut:]: said[inner] for inner, _ in blocks if inner in said}
        self.asked += [one._replace(name=moved(one.name)) for one in self.asked[made.asked]]
        builder.x = Tensor(moved(made.end.name), made.end.shape)


#: How often something is repeated at most that is not there always.
_PERHAPS = 256


def opens(count: Any) -> bool:
    """Whether a number of repeats differs, and all may be laid out."""
    return isinstance(count, Number) and count.table.opens


def _is_part(branch: Named, merge: Merge, place: Place) -> bool:
    """Whether a name says the part that an earlier tensor has in a merge, beside a step that is called so.

    ``attention: {q: ref(turned), ...}`` may then stand behind the step ``q`` that it was turned of.
    """
    return merge.op in PARTS and is_alias(branch.body) and branch.name.literal in place.taken


def _own(param: Param, variant: Variant | None) -> Value | None:
    """The value that a variant has for a param, or else the file."""
    if variant is not None and param.name in variant.values:
        return variant.values[param.name][0]
    return param.value


def _row_span(each: Each, number: int) -> Span:
    if isinstance(each.rows, Expression):
        return each.rows.span()
    row = each.rows.items[number - 1]
    return row.span() if isinstance(row, Expression) else row.span


def _overlaid(base: Any, over: Any) -> Any:
    """What a variant says of itself, and the file's own for the rest."""
    changed = {name: value for name, value in vars(over).items() if value}
    if "notes" in changed:
        changed["notes"] = (*base.notes, *over.notes)
    if "requirements" in changed:
        own = {(one.scope, one.quantity) for one in over.requirements}
        kept = [one for one in base.requirements if (one.scope, one.quantity) not in own]
        changed["requirements"] = (*kept, *over.requirements)
    return replace(base, **changed)
