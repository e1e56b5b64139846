"""A spec, values for its params and an input become a :class:`Network`, in one walk.

A spec may ask for ``x.channels``, so names, wiring and shapes are found together: each op is asked once
for its facts as it is placed. When something is wrong the walk stops with a diagnostic that carries the
network up to that point.
"""

from __future__ import annotations

import ast
import gc
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, NamedTuple

from .errors import (
    Diagnostic,
    Located,
    Source,
    Span,
    SpecError,
    UsageError,
    did_you_mean,
    error,
    shorten,
    usage,
)
from .network import Layer, Network
from .ops import OPS, Facts, Misfit, Op
from .ops.attributes import DEFAULT
from .ops.op import signature
from .shape import AXIS_NAMES, Shape
from .spec.document import Scalar
from .spec.expression import (
    CONSTANTS,
    FUNCTIONS,
    MAX_BITS,
    MAX_ITEMS,
    Block,
    Deferred,
    Expression,
    Inputs,
    Tensor,
    choose,
    describe,
    evaluate,
    is_template,
    not_callable,
    parse_part,
    size_of,
    steps_of,
)
from .spec.spec import Spec
from .spec.steps import Body, Do, Each, Listing, Merge, Named, Step, Steps, Template, Value, check_name

#: Bounds on a network: layers, steps taken on the way, and blocks within blocks. A deep network has a
#: thousand layers; at the bounds, laying one out takes a few seconds.
MAX_LAYERS = 250_000
MAX_STEPS = 1_000_000
MAX_BLOCKS = 40

#: The largest size of one axis of an input, and of what flows between layers.
MAX_SIZE = 10**9
MAX_AXIS = 10**15


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
    # a walk makes no garbage; a collector that visits every layer made so far, again and again, would
    # double the time of a network with a million of them
    collecting = gc.isenabled()
    gc.disable()
    try:
        return walk.run(given)
    except _LayerMisfit as misfit:
        raise SpecError(_explained(misfit, walk, spec, variant, values or {}), walk.network()) from None
    except SpecError as problem:
        raise SpecError(
            problem.diagnostic, walk.network() if walk.inputs and not walk.spent else None
        ) from None
    except RecursionError:
        raise error(
            "scopes and blocks are nested too deep here",
            walk.last.span if walk.last else None,
            help="one after the other they can be as many as you like",
        ) from None
    finally:
        if collecting:
            gc.enable()


def read_shape(text: str) -> Shape | None:
    """A shape written as ``3x224x224``; ``None`` where it is none."""
    sizes = text.lower().replace("×", "x").split("x")
    if not all(size.strip().isascii() and size.strip().isdigit() and len(size) < 20 for size in sizes):
        return None
    return _checked(int(size) for size in sizes)


_SHAPE_HELP = "as in 3x224x224: one to four whole numbers from 1 to 10^9, channels first, no batch"


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
            shown = value if isinstance(value, str) else f"an input of type {type(value).__name__}"
            if isinstance(value, list | tuple) and all(map(_usable, value)):
                shown = str(value)
            raise usage(f"{shorten(shown)} is not an input shape", help=_SHAPE_HELP)
        shapes[name] = shape
    return shapes


def _usable(value: Any) -> bool:
    """Whether a value from Python is a number such as an expression may have."""
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and value.bit_length() <= MAX_BITS


class _Word:
    """A part of an expression, as a place that is worked out only when it is asked for."""

    __slots__ = ("expression", "tree")

    def __init__(self, expression: Expression, tree: ast.expr) -> None:
        self.expression = expression
        self.tree = tree

    @property
    def span(self) -> Span:
        return self.expression.span(self.tree)


class _Place:
    """A scope being filled: where names are given, and found again by ``ref``."""

    __slots__ = ("certain", "count", "merges", "parent", "path", "taken", "tensors")

    def __init__(self, path: str, parent: _Place | None, certain: Mapping[str, Located]) -> None:
        self.path = path
        self.parent = parent
        self.certain = certain  # names that the spec's text is sure to give here
        self.count = 0
        self.merges: dict[str, int] = {}  # how far each kind of merge has been counted
        self.taken: dict[str, Located | None] = {}
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
        count = self.merges.get(kind, 0)
        name = f"{kind}_{count}" if count else kind
        while name in self.taken or name in self.certain:
            count += 1
            name = f"{kind}_{count}"
        self.merges[kind] = count
        self.taken[name] = None
        return name

    def claim(self, name: str, where: Located) -> None:
        if name in self.taken:
            first = self.taken[name]
            scope = f" in {self.path}" if self.path else ""
            raise error(
                f"the name {shorten(name)} stands twice{scope}",
                where.span,
                help=_another_name(name, first, where),
                also=[("it stands here first", first.span)] if first and first is not where else (),
            )
        self.taken[name] = where


def _another_name(name: str, first: Located | None, second: Located) -> str:
    if first is None:
        return "an unnamed merge has it already; use another name"
    if first is second:
        return f"it stands in a table: give each row a name of its own, as in {shorten(name)}{{i}}"
    return "steps without a name are numbered from 0" if name.isdigit() else ""


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
        if name == "x" and walk.sources:
            return walk.x
        if name in walk.names:
            return walk.names[name]
        tensor = self.step(name)
        if tensor is None:
            raise KeyError(name)
        return tensor

    def step(self, name: str) -> Tensor | None:
        """The output of an earlier step: of this scope, or of one around it; or an input by its name."""
        place: _Place | None = self.place
        while place is not None:
            if name in place.tensors:
                self.walk.reads += 1
                return place.tensors[name]
            place = place.parent
        self.walk.reads += name in self.walk.sources
        return self.walk.sources.get(name)

    def ref(self, tree: ast.expr, expression: Expression) -> Tensor:
        self.walk.reads += 1
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
                also=[(f"{shorten(name)} stands here", later.span)],
            )
        if value is not None:
            raise expression.error(f"ref takes the name of a step, and this is {describe(value)}", argument)
        raise expression.error(
            f"there is no step {shorten(name)} to go on from", argument,
            help=self.elsewhere(name)
            or did_you_mean(name, self.steps(), otherwise="it must be named, and stand before"),
        )  # fmt: skip

    def elsewhere(self, name: str) -> str:
        """How to reach a step of this name that stands in another scope; empty where there is none."""
        self.walk.at("")
        for path in self.walk.paths:
            if path.endswith(f".{name}"):
                return f'it stands in another scope: ref("{path}")'
        return ""

    def path(self, path: str) -> Tensor | None:
        """The output of an earlier step by its full name, as ``layer1.0``; or by the name alone."""
        return self.walk.at(path) or self.step(path)

    def later(self, name: str) -> Located | None:
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
        flowing = ["x"] if self.walk.sources else []
        return [*self.locals, *flowing, *(n for n in self.walk.names if n not in _HIDDEN), *self.steps()]

    def hint(self, name: str) -> str:
        spec = self.walk.spec
        if name in ("x", "input"):
            return f"{name} is a tensor, and exists where steps are: in layers:, outputs: and blocks:"
        if name in spec.params:
            return f"params are read from top to bottom, and {name} stands further down"
        owner = next((block.name for block in spec.blocks.values() if name in block.parameters), None)
        if owner is None:
            return ""
        return f"it is a parameter of {owner}, and a block sees only its own and the file's params"

    def spend(self, steps: int, tree: ast.AST, expression: Expression) -> None:
        self.walk.steps += steps
        if self.walk.steps > MAX_STEPS:
            raise expression.error(_TOO_MANY_STEPS, tree)


_TOO_MANY_STEPS = f"laying this network out takes more than {MAX_STEPS:,} steps"

#: Spellings that need not be suggested.
_HIDDEN = ("True", "False", "None", "null")


class _Made(NamedTuple):
    """What a block made: where that lies in the lists of the walk, and how its names are moved."""

    layers: slice
    scopes: slice
    blocks: slice
    entry: str  # the name of the tensor that flowed in
    cut: int  # the length of the path that its names start with
    end: Tensor


class _LayerMisfit(Exception):
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
        self.blocks: list[tuple[str, str]] = []  # path and name of each block's scope
        self.scopes: list[tuple[str, Tensor]] = []  # path and output of each scope
        self.paths: dict[str, Tensor] = {}  # of the first `indexed` layers and scopes
        self.indexed = (0, 0)
        self.reads = 0  # how often a step was read by its name
        self.made: dict[Any, _Made] = {}
        self.training = False
        self.steps = 0
        self.last: Located | None = None
        self.stack: list[str] = []  # the blocks that run, and "" for a step that was handed on
        self.bottom = 0  # where the blocks start whose text runs now: wrap(wrap(relu)) is no circle
        self.ops: dict[Any, Op] = {}
        self.facts: dict[Any, Facts] = {}
        self.words: dict[int, _Word] = {}
        self.fixed: dict[int, tuple[Op, Located]] = {}  # what a lone word that names an op always makes
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
                    f"{spec.name} needs a value for {shorten(name)}",
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
        if isinstance(value, int | float) and not _usable(value):
            raise usage(f"the value of {name} is out of range")
        if value is None or isinstance(value, int | float) or is_template(value):
            return value
        raise usage(f"{name} cannot be {type(value).__name__}", help="numbers, texts, and lists of them")

    def _word(self, value: Value, env: _Env) -> Any:
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
        env = _Env(self, {}, self.root)
        for name, template in declared.items():
            shape = given.get(name)
            if shape is None:
                text = self.text(template, env)
                shape = read_shape(text)
                if shape is None:
                    raise error(
                        f"'{shorten(text)}' is not an input shape",
                        template.span,
                        help=_SHAPE_HELP,
                    )
            self.inputs[name] = shape
            self.sources[name] = Tensor(name, shape)
            self.root.taken[name] = template

    def text(self, template: Template, env: _Env) -> str:
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
        self._read_inputs(given)
        first = next(iter(self.sources.values()))
        self.names["input"] = first if len(self.sources) == 1 else Inputs(self.sources)
        self.x = first
        env = _Env(self, {}, self.root)
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
            outputs=self.outputs or {"out": self.x.name},
            blocks=dict(self.blocks),
            values=self.values,
            index={layer.name: layer for layer in self.layers},
        )

    def at(self, path: str) -> Tensor | None:
        """The output of a finished layer or scope, by its full name."""
        layers, scopes = self.indexed
        self.paths |= {layer.name: Tensor(layer.name, layer.shape) for layer in self.layers[layers:]}
        self.paths |= dict(self.scopes[scopes:])
        self.indexed = len(self.layers), len(self.scopes)
        self.reads += 1
        return self.paths.get(path)

    def body(self, body: Body, env: _Env, place: _Place) -> None:
        self.step(body.step, env, place)

    def step(self, step: Step, env: _Env, place: _Place) -> None:
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

    def named(self, name: str, at: Located, body: Body, env: _Env, place: _Place) -> None:
        """Run a named step: an expression takes the name itself, anything else opens a scope."""
        if isinstance(body.step, Do):
            expression = body.step.expression
            self.tree(expression, expression.tree, env, place, name, at)
            return
        inside = self.open(name, at, place, body.names)
        self.body(body, _Env(self, env.locals, inside), inside)
        self.close(name, place)

    def open(self, name: str, at: Located, place: _Place, certain: Mapping[str, Located]) -> _Place:
        place.claim(name, at)
        self.steps += len(place.path) >> 6
        return _Place(place.full(name), place, certain)

    def close(self, name: str, place: _Place) -> None:
        place.tensors[name] = self.x
        self.scopes.append((place.full(name), self.x))

    def rows(self, each: Each, env: _Env) -> Iterable[_Env]:
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
            yield _Env(self, {**env.locals, **dict(zip(each.names, cells, strict=True))}, env.place)

    def row_values(self, value: Value, env: _Env) -> Any:
        if isinstance(value, Expression):
            return evaluate(value, env)
        return self._listed([self.row_values(item, env) for item in value.items], value)

    @property
    def spent(self) -> bool:
        """Whether there was more to lay out than there may be."""
        return self.steps > MAX_STEPS or len(self.layers) > MAX_LAYERS

    def spend(self, where: Located) -> None:
        """Count a step, and remember where it stands."""
        self.steps += 1
        self.last = where
        if len(self.layers) > MAX_LAYERS:
            raise error(
                f"the network has more than {MAX_LAYERS:,} layers, the most that one may have", where.span
            )
        if self.steps > MAX_STEPS:
            raise error(_TOO_MANY_STEPS, where.span)

    def tree(
        self,
        expression: Expression,
        tree: ast.expr,
        env: _Env,
        place: _Place,
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
                    help=_WHOLE if isinstance(count, float) else "",
                )
            if count > MAX_LAYERS:
                raise expression.error(
                    f"{count:,} repeats are more than the {MAX_LAYERS:,} layers that a network may have",
                    tree.right,
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

    def deferred(self, step: Deferred, place: _Place, name: str | None, at: Located | None) -> None:
        """Run a step that was handed on as a value, with the names of where it was written."""
        self.spend(_Word(step.expression, step.tree))
        if len(self.stack) >= MAX_BLOCKS:
            raise step.expression.error("steps are handed on in a circle, or too deep", step.tree)
        self.stack.append("")
        outer, self.bottom = self.bottom, len(self.stack)
        assert isinstance(step.scope, _Env)
        self.tree(step.expression, step.tree, step.scope, place, name, at)
        self.bottom = outer
        self.stack.pop()

    def several(
        self,
        expression: Expression,
        trees: list[ast.expr],
        count: int,
        env: _Env,
        place: _Place,
        name: str | None,
        at: Located | None,
    ) -> None:
        """Run steps one after the other, ``count`` times; with a name they get a scope of their own."""
        inside = place
        if name is not None:
            assert at is not None
            inside = self.open(name, at, place, {})
            if env.place is place:
                env = _Env(self, env.locals, inside)
        for _ in range(count):
            self.steps += 1  # also where there is nothing to repeat
            for tree in trees:
                self.tree(expression, tree, env, inside, None, None)
        if self.steps > MAX_STEPS:
            raise expression.error(_TOO_MANY_STEPS)
        if name is not None:
            self.close(name, place)

    def call(
        self,
        expression: Expression,
        tree: ast.Name | ast.Call,
        env: _Env,
        place: _Place,
        name: str | None,
        at: Located | None,
    ) -> None:
        """Run an op, a block, a ref or a step that was handed on."""
        fixed = self.fixed.get(id(tree))
        if fixed is not None and fixed[0].kind not in env.locals:
            self.spend(fixed[1])
            self.place_op(*fixed, name, at, place)
            return
        func = tree if isinstance(tree, ast.Name) else tree.func
        if not isinstance(func, ast.Name):
            problem = not_callable(func, env)
            raise expression.error(problem.message, func, help=problem.help)
        where = self.words.get(id(tree))
        if where is None:
            where = self.words[id(tree)] = _Word(expression, tree)
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
            op = self.op(target, tree, expression, env)
            if isinstance(tree, ast.Name) and tree.id == op.kind:
                self.fixed[id(tree)] = op, where
            self.place_op(op, where, name, at, place)
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

    def no_such_step(self, func: ast.Name, expression: Expression, env: _Env) -> SpecError:
        return expression.error(
            f"there is no op or block {shorten(func.id)}",
            func,
            help=env.hint(func.id)
            or did_you_mean(
                func.id,
                [*env.locals, *self.spec.blocks, *OPS, "ref"],
                otherwise="a step is an op such as conv or relu, or a block of this file",
            ),
        )

    # --- ops ----------------------------------------------------------------------------------

    def op(self, kind: type[Op], tree: ast.Name | ast.Call, expression: Expression, env: _Env) -> Op:
        """The op that a call makes; the same arguments make the same op."""
        if isinstance(tree, ast.Name) or not (tree.args or tree.keywords):
            key: Any = kind
            args: list[Any] = []
            kwargs: dict[str, Any] = {}
        else:
            try:
                args, kwargs = _arguments(tree, expression, env)
            except SpecError as problem:
                raise _unquoted(kind, tree, expression, env) or problem from None
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

    def place_op(self, op: Op, where: Located, name: str | None, at: Located | None, place: _Place) -> None:
        """Ask an op for its facts on what flows in, and make it a layer."""
        if name is None:
            name = place.number()
            at = where
        assert at is not None
        place.claim(name, at)
        if not op.transparent:
            self.layer(op, place.full(name), [self.x], where)
        place.tensors[name] = self.x

    def layer(
        self, op: Op, name: str, inputs: list[Tensor], where: Located, form: Merge | None = None
    ) -> None:
        self.steps += len(name) >> 6  # a path of many scopes takes its room once for each layer
        shapes = (inputs[0].shape,) if len(inputs) == 1 else tuple([tensor.shape for tensor in inputs])
        key = (id(op), shapes)  # one op object for the same arguments, kept alive by self.ops
        facts = self.facts.get(key)
        if facts is None:
            try:
                facts = op.facts(*shapes)
                if max(facts.shape) > MAX_AXIS:
                    raise Misfit(f"an axis of its output {facts.shape} is longer than {MAX_AXIS:,}")
            except OverflowError:
                misfit = Misfit("its numbers are too large")
                raise _LayerMisfit(name, where, misfit, inputs, op, form) from None
            except Misfit as misfit:
                raise _LayerMisfit(name, where, misfit, inputs, op, form) from None
            self.facts[key] = facts
        sources = (inputs[0].name,) if len(inputs) == 1 else tuple([tensor.name for tensor in inputs])
        self.layers.append(Layer(name, op, sources, shapes, facts, where, self.training))
        self.x = Tensor(name, facts.shape)

    def merge(self, merge: Merge, env: _Env, place: _Place) -> None:
        """Run branches over the same tensor, and merge what comes out of them."""
        entry = self.x
        self.steps += len(merge.branches)
        ends: list[Tensor] = []
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
        op = self.ops.get(merge.op)
        if op is None:
            op = self.ops[merge.op] = OPS[merge.op]()
        name = place.automatic(merge.op)
        self.layer(op, place.full(name), ends, merge.where, merge)
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
        args, kwargs = ([], {}) if isinstance(tree, ast.Name) else _arguments(tree, expression, env)
        given = _bind(
            block.required, args, kwargs, tree, expression, block.name, lambda: _usage_of_block(block)
        )
        if name is None:
            name = place.number()
            at = where
        assert at is not None
        self.steps += 8 + (len(block.parameters) >> 1) + (len(place.path) >> 6)
        inside = _Place(place.full(name), self.root, block.body.names)
        names: dict[str, Any] = {}
        own = _Env(self, names, inside)
        for key, default in block.parameters.items():
            if key in given:
                names[key] = given[key]
            else:
                assert default is not None
                names[key] = evaluate(default[0], own, default[1])
        place.claim(name, at)
        same: Any = (block.name, self.training, self.x.shape, *names.values(), *map(type, names.values()))
        made = self.made.get(same)
        if made is not None:
            self.again(made, inside.path, where)
        else:
            self.run_block(block, own, inside, same)
        self.close(name, place)

    def run_block(self, block: Block, env: _Env, inside: _Place, key: Any) -> None:
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
        self.layers += [
            layer._replace(name=path + layer.name[cut:], inputs=tuple(map(moved, layer.inputs)))
            for layer in layers
        ]
        self.scopes += [
            (path + inner[cut:], Tensor(moved(end.name), end.shape))
            for inner, end in self.scopes[made.scopes]
        ]
        self.blocks += [(path + inner[cut:], name) for inner, name in self.blocks[made.blocks]]
        self.x = Tensor(moved(made.end.name), made.end.shape)


def _unquoted(kind: type[Op], tree: ast.Call, expression: Expression, env: _Env) -> SpecError | None:
    """The diagnostic of ``padding=same``: a word that names nothing and would do as a text."""
    parameters = signature(kind)
    given = dict(zip(parameters, tree.args, strict=False))
    given |= {key.arg: key.value for key in tree.keywords if key.arg in parameters}
    for name, argument in given.items():
        if not isinstance(argument, ast.Name) or parameters[name].kind.accept(argument.id) is None:
            continue
        try:
            env.lookup(argument.id)
        except KeyError:
            word = argument.id
            return expression.error(f"the text {word} needs quotes", argument, help=f'{name}="{word}"')
    return None


def _arguments(tree: ast.Call, expression: Expression, env: _Env) -> tuple[list[Any], dict[str, Any]]:
    args = [_argument(arg, expression, env) for arg in tree.args]
    kwargs: dict[str, Any] = {}
    for key in tree.keywords:
        assert key.arg is not None  # unpacking with ** was refused where the expression was read
        kwargs[key.arg] = _argument(key.value, expression, env)
    for value in (*args, *kwargs.values()):
        if type(value) is tuple:
            env.spend(size_of(value) >> 3, tree, expression)
    return args, kwargs


def _argument(tree: ast.expr, expression: Expression, env: _Env) -> Any:
    """The value of an argument; most are a word or a number, and need no more than a look."""
    if type(tree) is ast.Constant and type(tree.value) is int and -MAX_SIZE < tree.value < MAX_SIZE:
        return tree.value
    if type(tree) is ast.Name:
        name = tree.id
        if name in env.locals:
            return env.locals[name]
        if name != "x" and name in env.walk.names:
            return env.walk.names[name]
    return evaluate(expression, env, tree)


def _bind(
    required: Mapping[str, bool],
    args: list[Any],
    kwargs: dict[str, Any],
    tree: ast.expr,
    expression: Expression,
    name: str,
    usage_: Callable[[], str],
) -> dict[str, Any]:
    """Arguments by name, by Python's rules.

    Raises:
        SpecError: one is missing, doubled, unknown or too many.
    """
    if not kwargs and len(args) == len(required):
        return dict(zip(required, args, strict=True))
    order = list(required)
    call = tree if isinstance(tree, ast.Call) else None
    if len(args) > len(order):
        assert call is not None
        most = f"at most {len(order)} argument{'s' if len(order) > 1 else ''}"
        raise expression.error(
            f"{name} takes {most}, and here are {len(args)}" if order else f"{name} takes no arguments",
            call.args[len(order)],
            help=usage_() if order else f"write {name} alone",
        )
    found = dict(zip(order, args, strict=False))
    for position, (key, value) in enumerate(kwargs.items()):
        assert call is not None
        if key not in required:
            raise expression.error(
                f"{name} has no argument {shorten(key)}",
                call.keywords[position],
                help=did_you_mean(key, order, otherwise=usage_() if order else f"write {name} alone"),
            )
        if key in found:
            raise expression.error(f"{name} is given {key} twice", call.keywords[position], help=usage_())
        found[key] = value
    missing = [key for key in order if required[key] and key not in found]
    if missing:
        raise expression.error(
            f"{name} is missing its argument{'s' if len(missing) > 1 else ''} {' and '.join(missing)}",
            tree,
            help=usage_(),
        )
    return found


_WHOLE = "int(...), round(...) or divisible(...) makes it whole"


def _make(
    kind: type[Op], args: list[Any], kwargs: dict[str, Any], tree: ast.Name | ast.Call, expression: Expression
) -> Op:
    """An op from its arguments, each checked against what the attribute accepts."""
    parameters = signature(kind)
    found = _bind(
        {name: parameter.required for name, parameter in parameters.items()},
        args, kwargs, tree, expression, kind.kind, lambda: usage_of(kind),
    )  # fmt: skip
    for position, (name, value) in enumerate(found.items()):
        accepted = parameters[name].kind.accept(value)
        if accepted is None:
            assert isinstance(tree, ast.Call)
            part: ast.AST = (
                tree.args[position] if position < len(args) else tree.keywords[position - len(args)]
            )
            help = ""
            if isinstance(value, float) and "whole" in parameters[name].kind.says:
                help = _WHOLE
            elif (
                isinstance(value, type)
                and issubclass(value, Op)
                and parameters[name].kind.accept(value.kind) is not None
            ):
                help = f'a text needs quotes: {name}="{value.kind}"'
            raise expression.error(
                f"the {name} of {kind.kind} must be {parameters[name].kind.says}, not {describe(value)}",
                part,
                help=help,
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


def _usage_of_block(block: Block) -> str:
    shown = [
        name if default is None else f"{name}={ast.unparse(default[1])}"
        for name, default in block.parameters.items()
    ]
    return f"{block.name}({', '.join(shown)})"


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
    misfit, name = failed.misfit, _called(failed.name, failed.op)
    notes = [*misfit.notes]
    also: list[tuple[str, Span]] = []
    index = {layer.name: layer for layer in walk.layers}
    if misfit.inputs:
        for position in dict.fromkeys(misfit.inputs):
            tensor = failed.inputs[position]
            layer = index.get(tensor.name)
            if layer is not None and layer.span is not None:
                also.append((f"{_called(tensor.name, layer.op)} gives {tensor.shape}", layer.span))
            else:
                notes.append(f"{shorten(tensor.name)} gives {tensor.shape}")
    else:
        notes.append(_chain(failed, index))
    help = _shortcut(failed) or misfit.help
    if misfit.size and walk.steps < _SEARCH_STEPS:
        # what merges may fit at a small size by chance, as 1x1 does with anything: a larger one is meant
        above = max(walk.x.shape.spatial, default=0) if misfit.inputs else 0
        smallest = smallest_input(spec, variant, values, walk.inputs, above)
        own = f"give {name} {help}" if help.startswith("padding=") else help
        if smallest is not None:
            sides = len(smallest) - 1
            square = {1: "", 2: " square", 3: " cubic"}[sides]
            which = "next larger" if misfit.inputs else "smallest"
            fitting = f"the {which}{square} input that fits the whole network is {smallest}"
            help = f"{fitting}; or {own}" if own else fitting
        else:
            help = own
    return Diagnostic(
        f"{name} does not fit: {misfit.message}", failed.where.span, tuple(notes), help, tuple(also)
    )


def _called(name: str, op: Op) -> str:
    """A layer in a message; one that has only a number is said with its op: ``features.0 (conv)``."""
    return f"{shorten(name)} ({op.kind})" if name.rpartition(".")[2].isdigit() else shorten(name)


def _shortcut(failed: _LayerMisfit) -> str:
    """What a ``residual`` without a shortcut, or a ``gate``, needs for its branch; empty for the rest."""
    merge = failed.merge
    if merge is None or merge.form not in ("residual", "gate") or None not in merge.branches:
        return ""
    shapes = [tensor.shape for tensor in failed.inputs]
    entry = shapes[merge.branches.index(None)]
    branch = shapes[1 - merge.branches.index(None)]
    if len(entry) != len(branch):
        return ""
    if merge.form == "gate":
        step = "linear" if len(entry) == 1 else "conv"
        arguments = f"{entry.channels}" if len(entry) == 1 else f"{entry.channels}, 1"
        return f"end the gate with as many channels as flow in: {step}({arguments})"
    for stride in range(1, 9):
        if tuple((size - 1) // stride + 1 for size in entry.spatial) == branch.spatial:
            break
    else:
        return ""
    step = f"conv({branch.channels}, 1{f', stride={stride}' if stride > 1 else ''})"
    if len(entry) == 1:
        step = f"linear({branch.channels})"
    return f"write `shortcut: {step}` beside residual:, so that x gets the shape of its branch"


def _chain(failed: _LayerMisfit, index: Mapping[str, Layer]) -> str:
    """How the shapes came about: ``input 1x12x12 -> C1 6x8x8 -> S2 6x4x4 -> C3``."""
    links: list[str] = []
    tensor = failed.inputs[0]
    layer = index.get(tensor.name)
    while layer is not None and len(links) < 5:
        if layer.shape != layer.input_shapes[0]:
            links.append(f"{_called(layer.name, layer.op)} {layer.shape}")
        source = layer.inputs[0]
        tensor = Tensor(source, layer.input_shapes[0])
        layer = index.get(source)
    links.append("..." if layer is not None else f"{tensor.name} {tensor.shape}")
    return " -> ".join([*reversed(links), _called(failed.name, failed.op)])


#: How many steps the search for the smallest input may take, and how large an input it tries.
_SEARCH_STEPS = 100_000
_SEARCH_SIZE = 1024


def smallest_input(
    spec: Spec, variant: str, values: Mapping[str, Any], inputs: Mapping[str, Shape], above: int = 0
) -> Shape | None:
    """The smallest input with equal sides, longer than ``above``, that the whole network accepts.

    ``None`` where there are several inputs or no spatial axis, or where the search is given up.
    """
    if len(inputs) != 1:
        return None
    ((name, shape),) = inputs.items()
    if len(shape) < 2:
        return None
    spent = 0
    for side in range(above + 1, above + _SEARCH_SIZE + 1):
        tried = Shape((shape.channels, *(side,) * (len(shape) - 1)))
        walk = _Walk(spec, variant, values)
        try:
            walk.run({name: tried})
        except _LayerMisfit as failed:
            if not failed.misfit.size and failed.misfit.inputs == () and side > max(shape.spatial):
                return None
            spent += walk.steps + 1
        except (SpecError, UsageError, RecursionError):
            spent += walk.steps + 1
        else:
            return tried
        if spent > _SEARCH_STEPS:
            return None
    return None
