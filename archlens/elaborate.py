"""A spec, values for its params and an input become a :class:`Network`, in one walk.

A spec may ask for ``x.channels``, so names, wiring and shapes are found together: each op is asked once
for its facts as it is placed. When something is wrong the walk stops with a diagnostic that carries the
network up to that point.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import Diagnostic, Source, Span, SpecError, UsageError, did_you_mean, error, shorten, usage
from .network import Layer, Network
from .ops import OPS, Facts, Misfit, Op
from .ops.attributes import DEFAULT
from .ops.op import signature
from .shape import AXIS_NAMES, Shape
from .spec.document import Scalar
from .spec.expression import (
    CONSTANTS,
    Block,
    Deferred,
    Expression,
    Inputs,
    Tensor,
    describe,
    evaluate,
    is_template,
    parse_part,
    steps_of,
)
from .spec.spec import Spec
from .spec.steps import Body, Do, Each, Merge, Named, Step, Steps, Template, Value, check_name

#: Bounds on a network: layers, steps taken on the way, and blocks within blocks.
MAX_LAYERS = 2_000_000
MAX_STEPS = 10_000_000
MAX_BLOCKS = 40

#: The largest size of one axis of an input.
MAX_SIZE = 10**9


def elaborate(
    spec: Spec,
    variant: str = "",
    *,
    input: Any = None,
    values: Mapping[str, Any] | None = None,
) -> Network:
    """The network that a spec describes.

    Args:
        spec: the parsed file.
        variant: one of its variants; empty for the file's own params.
        input: another input shape, as ``(3, 224, 224)`` or ``"3x224x224"``; a mapping of names to
            shapes where there are several inputs.
        values: values for params, by name; a text is read as a spec's text is.

    Raises:
        SpecError: the spec is wrong or a layer does not fit; carries the network up to there.
        UsageError: there is no such variant, param or input, or a param was left without a value.
    """
    walk = _Walk(spec, variant, values or {})
    given = _given_inputs(spec, input)
    try:
        return walk.run(given)
    except _LayerMisfit as misfit:
        raise SpecError(_explained(misfit, walk, spec, variant, values or {}), walk.network()) from None
    except SpecError as problem:
        raise SpecError(problem.diagnostic, walk.network() if walk.inputs else None) from None


def read_shape(text: str) -> Shape | None:
    """A shape written as ``3x224x224``; ``None`` where it is none."""
    sizes = text.lower().replace("×", "x").split("x")
    if not all(size.strip().isascii() and size.strip().isdigit() and len(size) < 20 for size in sizes):
        return None
    return _checked(int(size) for size in sizes)


_SHAPE_HELP = "as in 3x224x224: one to four whole numbers of at least 1, channels first, no batch"


def _checked(sizes: Iterable[Any]) -> Shape | None:
    listed = list(sizes)
    if not all(type(size) is int and 1 <= size <= MAX_SIZE for size in listed):
        return None
    return Shape(listed) if len(listed) - 1 in AXIS_NAMES else None


def _given_inputs(spec: Spec, given: Any) -> dict[str, Shape]:
    """The input shapes that the caller gave, by name."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        if len(spec.inputs) > 1:
            raise usage(
                f"{spec.name} has several inputs",
                help=f"name the one that is meant: {', '.join(f'{name}=CxHxW' for name in spec.inputs)}",
            )
        given = {next(iter(spec.inputs)): given}
    shapes = {}
    for name, value in given.items():
        if name not in spec.inputs:
            raise usage(
                f"{spec.name} has no input {shorten(str(name))}",
                help=did_you_mean(str(name), spec.inputs, otherwise=f"its inputs: {', '.join(spec.inputs)}"),
            )
        try:
            shape = read_shape(value) if isinstance(value, str) else _checked(value)
        except TypeError:
            shape = None
        if shape is None:
            raise usage(
                f"{shorten(str(value))} is not an input shape",
                help=_SHAPE_HELP,
            )
        shapes[name] = shape
    return shapes


class _Place:
    """A scope being filled: where names are given, and found again by ``ref``."""

    __slots__ = ("certain", "count", "parent", "path", "taken", "tensors")

    def __init__(self, path: str, parent: _Place | None, certain: Mapping[str, Span]) -> None:
        self.path = path
        self.parent = parent
        self.certain = certain  # names that the spec's text is sure to give here
        self.count = 0
        self.taken: dict[str, Span | None] = {}
        self.tensors: dict[str, Tensor] = {}

    def full(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def number(self) -> str:
        """The next number, as ``nn.Sequential`` counts."""
        name = str(self.count)
        self.count += 1
        return name

    def automatic(self, kind: str) -> str:
        """A name for a merge, which has none of its own: ``add``, ``add_1`` and so on."""
        name, count = kind, 0
        while name in self.taken or name in self.certain:
            count += 1
            name = f"{kind}_{count}"
        self.taken[name] = None
        return name

    def claim(self, name: str, span: Span) -> None:
        if name in self.taken:
            first = self.taken[name]
            where = f" in {self.path}" if self.path else ""
            raise error(
                f"the name {shorten(name)} stands twice{where}",
                span,
                help="" if first else "an unnamed merge has it already; use another name",
                also=[("it stands here first", first)] if first and first != span else (),
            )
        self.taken[name] = span


class _Env:
    """Where the names of an expression are looked up, and the place that its refs start from."""

    __slots__ = ("locals", "place", "walk")

    def __init__(self, walk: _Walk, names: dict[str, Any], place: _Place) -> None:
        self.walk = walk
        self.locals = names
        self.place = place

    def lookup(self, name: str) -> Any:
        if name in self.locals:
            return self.locals[name]
        walk = self.walk
        if name == "x":
            return walk.x
        if name in walk.names:
            return walk.names[name]
        tensor = self.step(name)
        if tensor is None:
            raise KeyError(name)
        return tensor

    def step(self, name: str) -> Tensor | None:
        """The output of an earlier step: of this scope, or of one around it."""
        place: _Place | None = self.place
        while place is not None:
            if name in place.tensors:
                return place.tensors[name]
            place = place.parent
        return self.walk.sources.get(name)

    def ref(self, tree: ast.expr, expression: Expression) -> Tensor:
        if not isinstance(tree, ast.Call) or len(tree.args) != 1 or tree.keywords:
            raise expression.error("ref takes one name", tree, help="as in ref(enc1)")
        argument = tree.args[0]
        if isinstance(argument, ast.Name):
            name = argument.id
            value = self.locals.get(name)
            if not isinstance(value, str | Tensor):
                value = self.step(name)
            if value is None and name in self.walk.names:
                value = self.walk.names[name]
        else:
            value = evaluate(expression, self, argument)
            name = str(value)
        if isinstance(value, str):
            name, value = value, self.path(value)
        if isinstance(value, Tensor):
            return value
        later = self.later(name)
        if later is not None:
            raise error(
                f"ref({shorten(name)}) goes on from a step that comes later",
                expression.span(argument),
                help="a step can only read what stands before it",
                also=[(f"{shorten(name)} stands here", later)],
            )
        if value is not None:
            raise expression.error(f"ref takes the name of a step, and this is {describe(value)}", argument)
        raise expression.error(
            f"there is no step {shorten(name)} to go on from", argument,
            help=did_you_mean(name, self.steps(), otherwise="it must be named, and stand before"),
        )  # fmt: skip

    def path(self, path: str) -> Tensor | None:
        """The output of an earlier step by its full name, as ``layer1.0``; or by the name alone."""
        return self.walk.finished.get(path) or self.step(path)

    def later(self, name: str) -> Span | None:
        place: _Place | None = self.place
        while place is not None:
            if name in place.certain:
                return place.certain[name]
            place = place.parent
        return None

    def steps(self) -> list[str]:
        found: list[str] = list(self.walk.sources)
        place: _Place | None = self.place
        while place is not None:
            found += [name for name in place.tensors if not name.isdigit()]
            place = place.parent
        return found

    def known(self) -> Iterable[str]:
        return [*self.locals, "x", *(n for n in self.walk.names if n not in _HIDDEN), *self.steps()]


#: Spellings that need not be suggested.
_HIDDEN = ("True", "False", "None", "null")


class _LayerMisfit(Exception):
    """A layer refuses its inputs: the op's reason, and where in the network it is."""

    def __init__(self, name: str, span: Span, misfit: Misfit, inputs: list[Tensor], op: Op) -> None:
        super().__init__(misfit.message)
        self.name = name
        self.span = span
        self.misfit = misfit
        self.inputs = inputs
        self.op = op


class _Walk:
    """One elaboration: what flows, what has been placed, and what may still be spent."""

    def __init__(self, spec: Spec, variant: str, values: Mapping[str, Any]) -> None:
        self.spec = spec
        self.name = variant or spec.name
        self.variant = spec.variants[variant] if variant else None
        self.x = Tensor("", Shape((1,)))
        self.inputs: dict[str, Shape] = {}
        self.sources: dict[str, Tensor] = {}
        self.layers: list[Layer] = []
        self.outputs: dict[str, str] = {}
        self.blocks: dict[str, str] = {}
        self.finished: dict[str, Tensor] = {}
        self.training = False
        self.steps = 0
        self.stack: list[str] = []
        self.ops: dict[Any, Op] = {}
        self.facts: dict[Any, Facts] = {}
        self.spans: dict[int, Span] = {}
        self.root = _Place("", None, spec.layers.names)
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
        env = _Env(self, found, self.root)
        for name, param in spec.params.items():
            if name in given:
                found[name] = self._given(name, given[name], env)
            elif self.variant is not None and name in self.variant.values:
                found[name] = self._word(self.variant.values[name][0], env)
            elif param.value is not None:
                found[name] = self._word(param.value, env)
            else:
                listed = ", ".join(spec.variants)
                raise usage(
                    f"{spec.name} needs a value for {name}",
                    help=f"{spec.name} is a family: {listed}" if listed else f"--set {name}=...",
                )
        return found

    def _given(self, name: str, value: Any, env: _Env) -> Any:
        """A value from the command line or from Python."""
        if isinstance(value, str):
            source = Source(f"--set {name}", value)
            node = Scalar(source, 1, 1, 0, len(value), value, True, False)
            if not value.strip():
                raise usage(f"{name} is given no value", help=f"--set {name}=...")
            return self._word(parse_part(value.strip(), node, 0), env)
        if isinstance(value, list | tuple):
            return tuple(self._given(name, item, env) for item in value)
        if value is None or isinstance(value, int | float) or is_template(value):
            return value
        raise usage(f"{name} cannot be {type(value).__name__}", help="numbers, texts, and lists of them")

    def _word(self, value: Value, env: _Env) -> Any:
        """The value of a param, in which a word that names nothing is a text."""
        if isinstance(value, Expression):
            if isinstance(value.tree, ast.Name):
                try:
                    return env.lookup(value.tree.id)
                except KeyError:
                    return value.tree.id
            return evaluate(value, env)
        return tuple(self._word(item, env) for item in value.items)

    def _read_inputs(self, given: Mapping[str, Shape]) -> None:
        declared = dict(self.spec.inputs)
        if self.variant is not None:
            declared |= self.variant.inputs
        env = _Env(self, {}, self.root)
        for name, template in declared.items():
            shape = given.get(name)
            if shape is None:
                text = self.text(template, env)
                shape = read_shape(text)
                if shape is None:
                    raise error(
                        f"{shorten(text)!r} is not an input shape",
                        template.span,
                        help=_SHAPE_HELP,
                    )
            self.inputs[name] = shape
            self.sources[name] = Tensor(name, shape)
            self.root.taken[name] = template.span

    def text(self, template: Template, env: _Env) -> str:
        """A template with its expressions filled in."""
        words = []
        for part in template.parts:
            if isinstance(part, Expression):
                value = evaluate(part, env)
                if isinstance(value, float) and value.is_integer():
                    value = int(value)
                if not isinstance(value, int | str) or isinstance(value, bool):
                    raise part.error(f"a name is made of whole numbers and texts, not {describe(value)}")
                words.append(str(value))
            else:
                words.append(part)
        return "".join(words)

    # --- the walk -----------------------------------------------------------------------------

    def run(self, given: Mapping[str, Shape]) -> Network:
        self._read_inputs(given)
        first = next(iter(self.sources.values()))
        self.names["input"] = first if len(self.sources) == 1 else Inputs(self.sources)
        self.x = first
        env = _Env(self, {}, self.root)
        self.body(self.spec.layers, env, self.root)
        main = self.x
        self.outputs["output"] = main.name
        for name, output in self.spec.outputs.items():
            self.x = main
            self.training = output.training
            placed = len(self.layers)
            self.named(name, output.span, output.body, env, self.root)
            if len(self.layers) > placed or self.x is not main:
                self.outputs[name] = self.x.name
        return self.network()

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
            outputs=self.outputs or {"output": self.x.name},
            blocks=self.blocks,
            values=self.values,
            index={layer.name: layer for layer in self.layers},
        )

    def body(self, body: Body, env: _Env, place: _Place) -> None:
        self.step(body.step, env, place, None)

    def step(self, step: Step, env: _Env, place: _Place, name: str | None, span: Span | None = None) -> None:
        """Run a step in a place; with a name it is that, or the scope of what is inside."""
        if isinstance(step, Do):
            self.tree(step.expression, step.expression.tree, env, place, name, span)
        elif isinstance(step, Named):
            literal = step.name.literal
            if literal is None:
                literal = self.text(step.name, env)
                check_name(literal, step.name.span)
            self.named(literal, step.name.span, step.body, env, place)
        elif name is not None:
            assert span is not None
            raise AssertionError("only expressions are named directly")  # pragma: no cover
        elif isinstance(step, Steps):
            for inner in step.steps:
                self.step(inner, env, place, None)
        elif isinstance(step, Merge):
            self.merge(step, env, place)
        else:
            for row in self.rows(step, env):
                self.step(step.do, row, place, None)

    def named(self, name: str, span: Span, body: Body, env: _Env, place: _Place) -> None:
        """Run a named step: an expression takes the name itself, anything else opens a scope."""
        if isinstance(body.step, Do):
            self.step(body.step, env, place, name, span)
            return
        inside = self.open(name, span, place, body.names)
        self.body(body, _Env(self, env.locals, inside), inside)
        self.close(name, place)

    def open(self, name: str, span: Span, place: _Place, certain: Mapping[str, Span]) -> _Place:
        place.claim(name, span)
        return _Place(place.full(name), place, certain)

    def close(self, name: str, place: _Place) -> None:
        place.tensors[name] = self.x
        self.finished[place.full(name)] = self.x

    def rows(self, each: Each, env: _Env) -> Iterable[_Env]:
        """The names of each row of a table."""
        rows = self.row_values(each.rows, env)
        if not isinstance(rows, tuple):
            raise error(f"in: needs a list of rows, and this is {describe(rows)}", each.span)
        for number, row in enumerate(rows, 1):
            self.spend(each.span)
            if len(each.names) == 1 and not (isinstance(row, tuple) and len(row) == 1):
                cells: tuple[Any, ...] = (row,)
            elif isinstance(row, tuple):
                cells = row
            else:
                cells = (row,)
            if len(cells) != len(each.names):
                raise error(
                    f"row {number} of the table has {len(cells)} values for {len(each.names)} columns "
                    f"({', '.join(each.names)})",
                    _row_span(each, number),
                )
            yield _Env(self, {**env.locals, **dict(zip(each.names, cells, strict=True))}, env.place)

    def row_values(self, value: Value, env: _Env) -> Any:
        if isinstance(value, Expression):
            return evaluate(value, env)
        return tuple(self.row_values(item, env) for item in value.items)

    def spend(self, span: Span) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS or len(self.layers) > MAX_LAYERS:
            raise error(f"the network has more than {MAX_LAYERS:,} layers, the most that one may have", span)

    def tree(
        self,
        expression: Expression,
        tree: ast.expr,
        env: _Env,
        place: _Place,
        name: str | None,
        span: Span | None,
    ) -> None:
        """Run one expression as a step."""
        while isinstance(tree, ast.IfExp):
            tree = tree.body if evaluate(expression, env, tree.test) else tree.orelse
        if isinstance(tree, ast.Name | ast.Call):
            self.call(expression, tree, env, place, name, span)
        elif isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.RShift):
            self.several(expression, steps_of(tree), 1, env, place, name, span)
        elif isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mult):
            count = evaluate(expression, env, tree.right)
            if not isinstance(count, int) or count < 0:
                if isinstance(count, Deferred) or is_template(count):
                    raise expression.error(
                        "the step stands first and the number of repeats second", tree, help="step * n"
                    )
                raise expression.error(
                    f"a step is repeated a whole number of times, not {describe(count)}", tree.right
                )
            if count > MAX_LAYERS:
                raise expression.error(
                    f"{count:,} repeats are more than the {MAX_LAYERS:,} layers that a network may have",
                    tree.right,
                )
            self.several(expression, [tree.left], count, env, place, name, span)
        elif isinstance(tree, ast.List | ast.Tuple):
            self.several(expression, tree.elts, 1, env, place, name, span)
        else:
            value = evaluate(expression, env, tree)
            if not isinstance(value, Deferred):
                raise expression.error(
                    f"a step is an op or a block, and this is {describe(value)}", tree,
                    help="join steps with >>, repeat one with * n",
                )  # fmt: skip
            self.deferred(value, place, name, span)

    def deferred(self, step: Deferred, place: _Place, name: str | None, span: Span | None) -> None:
        """Run a step that was handed on as a value, with the names of where it was written."""
        self.spend(step.expression.span(step.tree))
        if len(self.stack) >= MAX_BLOCKS:
            raise step.expression.error("steps are handed on in a circle, or too deep", step.tree)
        self.stack.append("")
        assert isinstance(step.scope, _Env)
        self.tree(step.expression, step.tree, step.scope, place, name, span)
        self.stack.pop()

    def several(
        self,
        expression: Expression,
        trees: list[ast.expr],
        count: int,
        env: _Env,
        place: _Place,
        name: str | None,
        span: Span | None,
    ) -> None:
        """Run steps one after the other, ``count`` times; with a name they get a scope of their own."""
        inside = place
        if name is not None:
            assert span is not None
            inside = self.open(name, span, place, {})
            if env.place is place:
                env = _Env(self, env.locals, inside)
        for _ in range(count):
            for tree in trees:
                self.tree(expression, tree, env, inside, None, None)
        if name is not None:
            self.close(name, place)

    def call(
        self,
        expression: Expression,
        tree: ast.Name | ast.Call,
        env: _Env,
        place: _Place,
        name: str | None,
        span: Span | None,
    ) -> None:
        """Run an op, a block, a ref or a step that was handed on."""
        func = tree if isinstance(tree, ast.Name) else tree.func
        if not isinstance(func, ast.Name):
            raise expression.error("only a name can be called", func)
        where = self.spans.get(id(tree))
        if where is None:
            where = self.spans[id(tree)] = expression.span(tree)
        self.spend(where)
        if func.id == "ref":
            tensor = env.ref(tree, expression)
            if name is not None and span is not None:
                place.claim(name, span)
            self.x = tensor
            if name is not None:
                self.close(name, place)
            return
        try:
            target = env.lookup(func.id)
        except KeyError:
            target = evaluate(expression, env, tree)  # a function, or an error with a suggestion
        if isinstance(target, Deferred) and isinstance(tree, ast.Name):
            self.deferred(target, place, name, span)
        elif isinstance(target, type):
            op = self.op(target, tree, expression, env)
            self.place_op(op, name, span, where, place)
        elif isinstance(target, Block):
            self.block(target, tree, expression, env, place, name, span, where)
        elif isinstance(target, Tensor):
            raise expression.error(
                f"{func.id} is an earlier step, not an op", tree, help=f"to go on from it: ref({func.id})"
            )
        else:
            raise expression.error(
                f"a step is an op or a block, and {shorten(func.id)} is {describe(target)}",
                tree,
                help=did_you_mean(target, [*self.spec.blocks, *OPS]) if isinstance(target, str) else "",
            )

    # --- ops ----------------------------------------------------------------------------------

    def op(self, kind: type[Op], tree: ast.Name | ast.Call, expression: Expression, env: _Env) -> Op:
        """The op that a call makes; the same arguments make the same op."""
        if isinstance(tree, ast.Name) or not (tree.args or tree.keywords):
            key: Any = kind
            args: list[Any] = []
            kwargs: dict[str, Any] = {}
        else:
            args, kwargs = _arguments(tree, expression, env)
            key = (kind, *args, *map(type, args), *kwargs.items(), *map(type, kwargs.values()))
        found = self.ops.get(key)
        if found is None:
            if kind.merges:
                raise expression.error(
                    f"{kind.kind} merges several branches, and a step has one input", tree,
                    help=f"write {kind.kind}: with its branches under it",
                )  # fmt: skip
            found = self.ops[key] = _make(kind, args, kwargs, tree, expression)
        return found

    def place_op(self, op: Op, name: str | None, span: Span | None, where: Span, place: _Place) -> None:
        """Ask an op for its facts on what flows in, and make it a layer."""
        if name is None:
            name = place.number()
            span = where
        assert span is not None
        place.claim(name, span)
        if not op.transparent:
            self.layer(op, place.full(name), [self.x], where)
        place.tensors[name] = self.x

    def layer(self, op: Op, name: str, inputs: list[Tensor], where: Span) -> None:
        shapes = tuple(tensor.shape for tensor in inputs)
        key = (id(op), shapes)  # one op object for the same arguments, kept alive by self.ops
        facts = self.facts.get(key)
        if facts is None:
            try:
                facts = op.facts(*shapes)
            except Misfit as misfit:
                raise _LayerMisfit(name, where, misfit, inputs, op) from None
            self.facts[key] = facts
        sources = tuple(tensor.name for tensor in inputs)
        self.layers.append(Layer(name, op, sources, shapes, facts, where, self.training))
        self.x = self.finished[name] = Tensor(name, facts.shape)

    def merge(self, merge: Merge, env: _Env, place: _Place) -> None:
        """Run branches over the same tensor, and merge what comes out of them."""
        entry = self.x
        ends: list[Tensor] = []
        for branch in merge.branches:
            if isinstance(branch, Each):
                for row in self.rows(branch, env):
                    self.x = entry
                    self.step(branch.do, row, place, None)
                    ends.append(self.x)
                continue
            self.x = entry
            if branch is not None:
                self.step(branch, env, place, None)
            ends.append(self.x)
        if len(ends) < 2:
            raise error(
                f"{merge.form}: merges at least two branches, and here {len(ends)} came out", merge.span
            )
        self.spend(merge.span)
        op = self.ops.get(merge.op)
        if op is None:
            op = self.ops[merge.op] = OPS[merge.op]()
        name = place.automatic(merge.op)
        self.layer(op, place.full(name), ends, merge.span)
        place.tensors[name] = self.x

    # --- blocks -------------------------------------------------------------------------------

    def block(
        self,
        block: Block,
        tree: ast.Name | ast.Call,
        expression: Expression,
        env: _Env,
        place: _Place,
        name: str | None,
        span: Span | None,
        where: Span,
    ) -> None:
        """Run a block in a scope of its own, with its parameters and the file's params."""
        if block.name in self.stack:
            circle = " -> ".join([*filter(None, self.stack[self.stack.index(block.name) :]), block.name])
            raise expression.error(
                f"the block {block.name} calls itself", tree,
                help=f"{circle}; repeat steps with `step * n`"
                + (f", or give the block another name than the op {block.name}" if block.name in OPS else ""),
            )  # fmt: skip
        if len(self.stack) >= MAX_BLOCKS:
            raise expression.error(f"blocks are nested more than {MAX_BLOCKS} deep", tree)
        args, kwargs = ([], {}) if isinstance(tree, ast.Name) else _arguments(tree, expression, env)
        what = f"{block.name}({', '.join(_shown_parameters(block))})"
        given = _bind(
            {key: default is None for key, default in block.parameters.items()},
            args, kwargs, tree, expression, block.name, what,
        )  # fmt: skip
        if name is None:
            name = place.number()
            span = where
        assert span is not None
        inside = _Place(place.full(name), self.root, block.body.names)
        names: dict[str, Any] = {}
        own = _Env(self, names, inside)
        for key, default in block.parameters.items():
            if key in given:
                names[key] = given[key]
            else:
                assert default is not None
                names[key] = evaluate(default[0], own, default[1])
        place.claim(name, span)
        self.blocks[inside.path] = block.name
        self.stack.append(block.name)
        self.body(block.body, own, inside)
        self.stack.pop()
        self.close(name, place)


def _arguments(tree: ast.Call, expression: Expression, env: _Env) -> tuple[list[Any], dict[str, Any]]:
    args = [evaluate(expression, env, arg) for arg in tree.args]
    kwargs: dict[str, Any] = {}
    for key in tree.keywords:
        if key.arg is None:
            raise expression.error("unpacking with ** is not part of the expression language", key)
        kwargs[key.arg] = evaluate(expression, env, key.value)
    return args, kwargs


def _bind(
    required: Mapping[str, bool],
    args: list[Any],
    kwargs: dict[str, Any],
    tree: ast.expr,
    expression: Expression,
    name: str,
    usage_: str,
) -> dict[str, Any]:
    """Arguments by name, by Python's rules.

    Raises:
        SpecError: one is missing, doubled, unknown or too many.
    """
    order = list(required)
    call = tree if isinstance(tree, ast.Call) else None
    if len(args) > len(order):
        assert call is not None
        raise expression.error(
            f"{name} takes at most {len(order)} arguments, and here are {len(args)}"
            if order
            else f"{name} takes no arguments",
            call.args[len(order)],
            help=usage_,
        )
    found = dict(zip(order, args, strict=False))
    for position, (key, value) in enumerate(kwargs.items()):
        assert call is not None
        if key not in required:
            raise expression.error(
                f"{name} has no argument {shorten(key)}",
                call.keywords[position],
                help=did_you_mean(key, order, otherwise=usage_),
            )
        if key in found:
            raise expression.error(f"{name} is given {key} twice", call.keywords[position], help=usage_)
        found[key] = value
    missing = [key for key in order if required[key] and key not in found]
    if missing:
        raise expression.error(
            f"{name} is missing its argument{'s' if len(missing) > 1 else ''} {' and '.join(missing)}",
            tree,
            help=usage_,
        )
    return found


def _make(
    kind: type[Op], args: list[Any], kwargs: dict[str, Any], tree: ast.Name | ast.Call, expression: Expression
) -> Op:
    """An op from its arguments, each checked against what the attribute accepts."""
    parameters = signature(kind)
    found = _bind(
        {name: parameter.required for name, parameter in parameters.items()},
        args, kwargs, tree, expression, kind.kind, usage_of(kind),
    )  # fmt: skip
    for position, (name, value) in enumerate(found.items()):
        accepted = parameters[name].kind.accept(value)
        if accepted is None:
            assert isinstance(tree, ast.Call)
            part: ast.AST = (
                tree.args[position] if position < len(args) else tree.keywords[position - len(args)]
            )
            raise expression.error(
                f"the {name} of {kind.kind} must be {parameters[name].kind.says}, not {describe(value)}",
                part,
                help="int(...), round(...) or divisible(...) makes it whole"
                if isinstance(value, float) and "whole" in parameters[name].kind.says
                else "",
            )
        found[name] = None if accepted is DEFAULT else accepted
    return kind(**found)


def usage_of(kind: type[Op]) -> str:
    """How an op is called: ``conv(channels, kernel, stride=1, …)``."""
    words = []
    for name, parameter in signature(kind).items():
        default = parameter.default
        shown = (
            {True: "true", False: "false", None: "none"}.get(default, default)
            if not isinstance(default, int | float) or isinstance(default, bool)
            else default
        )
        words.append(
            name if parameter.required
            else f'{name}="{shown}"' if isinstance(default, str)
            else f"{name}={shown}"
        )  # fmt: skip
    return f"{kind.kind}({', '.join(words)})"


def _shown_parameters(block: Block) -> list[str]:
    shown = []
    for name, default in block.parameters.items():
        shown.append(name if default is None else f"{name}={ast.unparse(default[1])}")
    return shown


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
    return replace(base, **changed)


# --- what is said when a layer does not fit -----------------------------------------------------


def _explained(
    failed: _LayerMisfit, walk: _Walk, spec: Spec, variant: str, values: Mapping[str, Any]
) -> Diagnostic:
    """The diagnostic of a layer that does not fit: why, how the shapes came about, what would work."""
    misfit, name = failed.misfit, failed.name
    notes = [*misfit.notes]
    also: list[tuple[str, Span]] = []
    index = {layer.name: layer for layer in walk.layers}
    if misfit.inputs:
        for position in dict.fromkeys(misfit.inputs):
            tensor = failed.inputs[position]
            layer = index.get(tensor.name)
            if layer is not None and layer.span is not None:
                also.append((f"{shorten(tensor.name)} gives {tensor.shape}", layer.span))
            else:
                notes.append(f"{shorten(tensor.name)} gives {tensor.shape}")
    else:
        notes.append(_chain(failed, index))
    help = misfit.help
    if misfit.size:
        smallest = smallest_input(spec, variant, values, walk.inputs)
        own = f"give {name} {help}" if help.startswith("padding=") else help
        if smallest is not None:
            sides = len(smallest) - 1
            square = {1: "", 2: " square", 3: " cubic"}[sides]
            fitting = f"the smallest{square} input that fits the whole network is {smallest}"
            help = f"{fitting}; or {own}" if own else fitting
        else:
            help = own
    return Diagnostic(f"{name} does not fit: {misfit.message}", failed.span, tuple(notes), help, tuple(also))


def _chain(failed: _LayerMisfit, index: Mapping[str, Layer]) -> str:
    """How the shapes came about: ``input 1x12x12 -> C1 6x8x8 -> S2 6x4x4 -> C3``."""
    links: list[str] = []
    tensor = failed.inputs[0]
    layer = index.get(tensor.name)
    while layer is not None and len(links) < 5:
        if layer.shape != layer.input_shapes[0]:
            links.append(f"{layer.name} {layer.shape}")
        source = layer.inputs[0]
        tensor = Tensor(source, layer.input_shapes[0])
        layer = index.get(source)
    links.append("..." if layer is not None else f"{tensor.name} {tensor.shape}")
    return " -> ".join([*reversed(links), failed.name])


#: How many layers the search for the smallest input may elaborate, and how large an input it tries.
_SEARCH_LAYERS = 40_000
_SEARCH_SIZE = 1024


def smallest_input(
    spec: Spec, variant: str, values: Mapping[str, Any], inputs: Mapping[str, Shape]
) -> Shape | None:
    """The smallest input with equal sides that the whole network accepts, by trying them in turn.

    ``None`` where there are several inputs or no spatial axis, or where the search is given up.
    """
    if len(inputs) != 1:
        return None
    ((name, shape),) = inputs.items()
    if len(shape) < 2:
        return None
    spent = 0
    for side in range(1, _SEARCH_SIZE + 1):
        tried = Shape((shape.channels, *(side,) * (len(shape) - 1)))
        walk = _Walk(spec, variant, values)
        try:
            walk.run({name: tried})
        except _LayerMisfit as failed:
            if not failed.misfit.size and failed.misfit.inputs == () and side > max(shape.spatial):
                return None
            spent += len(walk.layers) + 1
        except (SpecError, UsageError):
            spent += len(walk.layers) + 1
        else:
            return tried
        if spent > _SEARCH_LAYERS:
            return None
    return None
