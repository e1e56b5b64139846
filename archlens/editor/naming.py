"""Where the names of a spec are given and where they are used, by its text alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from ..analysis import published_figures
from ..errors import ArchlensError, Span, SpecError, error
from ..language.document import Scalar
from ..language.expression import Expression
from ..language.spec import Spec, check_identifier
from ..language.steps import (
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
)
from ..library import read
from .looking import laid_out, line_of, variants


class Symbol(NamedTuple):
    """What has a name: a param, a block, one of its parameters, a part of another file, or a step."""

    kind: str
    name: str
    #: Where the name is given.
    span: Span


class Use(NamedTuple):
    """A place where the name of a symbol stands, the one included where it is given."""

    symbol: Symbol
    span: Span


#: What the names of expressions mean, beside ops.
_Known = Mapping[str, Symbol]

#: The arguments of ops that name an earlier step.
_NAMING = ("weight", "initial")


def uses(spec: Spec) -> list[Use]:
    """Each place of a spec where a name stands whose symbol is certain."""
    return list(_Reading(spec).all())


def at(found: list[Use], line: int, column: int) -> Use | None:
    """The use at a place, line and column from 1; the shortest where several lie over each other."""
    here = [
        one
        for one in found
        if one.span.line == line and one.span.column <= column <= one.span.column + one.span.width
    ]
    return min(here, key=lambda one: one.span.width, default=None)


class _Reading:
    """The reading of one spec."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.known: dict[str, Symbol] = {}
        self.parameters: dict[str, dict[str, Symbol]] = {}
        self.named: dict[int, Named] = {}  # by the record of its name
        for param in spec.params.values():
            self.known[param.name] = Symbol("param", param.name, param.span)
        for use in spec.uses.values():
            self.known[use.name] = Symbol("part", use.name, use.span)
        for block in spec.blocks.values():
            span = block.span._replace(width=len(block.name))
            self.known[block.name] = Symbol("block", block.name, span)
            self.parameters[block.name] = dict(_parameters(block))

    def all(self) -> Iterator[Use]:
        spec, known = self.spec, self.known
        own = [symbol for one in self.parameters.values() for symbol in one.values()]
        yield from (Use(symbol, symbol.span) for symbol in [*known.values(), *own])
        bodies = [spec.layers, *(one.body for one in spec.blocks.values())]
        bodies += [one.body for one in spec.outputs.values()]
        for step in [one.step for one in bodies]:
            self.index(step)
        for param in spec.params.values():
            if param.value is not None:
                yield from self.value(param.value, known, ())
        for variant in spec.variants.values():
            for name, (value, span) in variant.values.items():
                yield Use(known[name], span)
                yield from self.value(value, known, ())
        for inputs in [spec.inputs, *(one.inputs for one in spec.variants.values())]:
            for template in inputs.values():
                yield from self.template(template, known, ())
        for block in spec.blocks.values():
            inside = {**known, **self.parameters[block.name]}
            for default in block.parameters.values():
                if default is not None:
                    yield from self.expression(default[0], known, (), default[1])
            yield from self.body(block.body, inside, ())
        yield from self.body(spec.layers, known, ())
        for output in spec.outputs.values():
            yield from self.template(output.name, known, ())
            yield from self.body(output.body, known, (spec.layers,))

    def index(self, step: Step | None) -> None:
        """Note the named steps by the records of their names."""
        if isinstance(step, Named):
            self.named[id(step.name)] = step
        for inner in _inside(step):
            self.index(inner)

    # --- steps ----------------------------------------------------------------------------------

    def body(self, body: Body, known: _Known, around: tuple[Body, ...]) -> Iterator[Use]:
        yield from self.step(body.step, known, (*around, body))

    def step(self, step: Step | None, known: _Known, around: tuple[Body, ...]) -> Iterator[Use]:
        if isinstance(step, Do):
            yield from self.expression(step.expression, known, around)
        elif isinstance(step, Named):
            if step.name.literal is not None and "." not in step.name.literal:
                symbol = _step(step.name)
                yield Use(symbol, symbol.span)
            yield from self.template(step.name, known, around)
            if isinstance(step.body.step, Do):  # it opens no scope
                yield from self.step(step.body.step, known, around)
            else:
                yield from self.body(step.body, known, around)
        elif isinstance(step, Each):
            yield from self.value(step.rows, known, around)
            inside = {name: one for name, one in known.items() if name not in step.names}
            yield from self.step(step.do, inside, around)
        else:
            if isinstance(step, Merge | Experts):
                for _, value in step.arguments.values():
                    yield from self.value(value, known, around)
            if isinstance(step, Merge) and step.call is not None:
                yield from self.expression(step.call, known, around)
            for inner in _inside(step):
                yield from self.step(inner, known, around)

    # --- expressions ----------------------------------------------------------------------------

    def template(self, template: Template, known: _Known, around: tuple[Body, ...]) -> Iterator[Use]:
        for part in template.parts:
            if isinstance(part, Expression):
                yield from self.expression(part, known, around)

    def value(self, value: Value, known: _Known, around: tuple[Body, ...]) -> Iterator[Use]:
        if isinstance(value, Listing):
            for one in value.items:
                yield from self.value(one, known, around)
        else:
            yield from self.expression(value, known, around)

    def expression(
        self, one: Expression, known: _Known, around: tuple[Body, ...], tree: ast.AST | None = None
    ) -> Iterator[Use]:
        tree = tree or one.tree
        if isinstance(tree, ast.Name) and tree.id in known:
            yield from _use(known[tree.id], one.span(tree))
        elif isinstance(tree, ast.Name):
            yield from self.path(tree, one, around)
        elif isinstance(tree, ast.Constant) and one.texts and tree in one.texts:
            for part in one.texts[tree]:
                if isinstance(part, Expression):
                    yield from self.expression(part, known, around)
        elif isinstance(tree, ast.Call):
            yield from self.call(tree, one, known, around)
        else:
            for inner in ast.iter_child_nodes(tree):
                yield from self.expression(one, known, around, inner)

    def call(self, tree: ast.Call, one: Expression, known: _Known, around: tuple[Body, ...]) -> Iterator[Use]:
        called = tree.func.id if isinstance(tree.func, ast.Name) else ""
        yield from self.expression(one, known, around, tree.func)
        for argument in tree.args:
            stands = isinstance(argument, ast.Name) and argument.id in known
            if called in ("ref", "again") and not stands:
                yield from self.path(argument, one, around)
            if called not in ("ref", "again") or not isinstance(argument, ast.Name) or stands:
                yield from self.expression(one, known, around, argument)
        symbol = known.get(called)
        own = self.parameters.get(called, {}) if symbol is not None and symbol.kind == "block" else {}
        for keyword in tree.keywords:
            if keyword.arg in own:
                yield from _use(own[keyword.arg], one.span(keyword)._replace(width=len(keyword.arg)))
            if keyword.arg in _NAMING and isinstance(keyword.value, ast.Attribute | ast.Constant):
                yield from self.path(keyword.value, one, around)
            else:
                yield from self.expression(one, known, around, keyword.value)

    # --- paths ----------------------------------------------------------------------------------

    def path(self, tree: ast.AST, one: Expression, around: tuple[Body, ...]) -> Iterator[Use]:
        """The steps that a path names, as ``stage.conv`` or ``"stage.0.conv"`` does."""
        text = tree.value if isinstance(tree, ast.Constant) else ast.unparse(tree)
        if not isinstance(text, str) or not re.fullmatch(r"[\w.]+", text):
            return
        span = one.span(tree)
        start = span.column + isinstance(tree, ast.Constant)
        if not line_of(span.source, span.line - 1)[start - 1 :].startswith(text):
            return
        found: list[Named] = []
        for number, part in enumerate(text.split(".")):
            if number == 0:
                bodies = [body for body in reversed(around) if part in body.names]
                found = list(self.within(bodies[0], part)) if bodies else []
            elif not part.isdigit():
                found = [inner for outer in found for inner in self.inside(outer, part)]
            if not found:
                return
            if not part.isdigit():
                yield Use(_step(found[0].name), span._replace(column=start, width=len(part)))
            start += len(part) + 1

    def within(self, body: Body, name: str) -> Iterator[Named]:
        where = body.names.get(name)
        if where is not None and id(where) in self.named:
            yield self.named[id(where)]

    def inside(self, step: Named, name: str) -> Iterator[Named]:
        """The step of a name within a step: in the scope that it is, or in the blocks that it calls."""
        yield from self.within(step.body, name)
        if isinstance(step.body.step, Do):
            for tree in ast.walk(step.body.step.expression.tree):
                if isinstance(tree, ast.Name) and tree.id in self.spec.blocks:
                    yield from self.within(self.spec.blocks[tree.id].body, name)


def _inside(step: Step | None) -> Iterator[Step]:
    if isinstance(step, Named):
        yield step.body.step
    elif isinstance(step, Steps):
        yield from step.steps
    elif isinstance(step, Merge):
        yield from (branch for branch in step.branches if branch is not None)
    elif isinstance(step, Each):
        yield step.do
    elif isinstance(step, Experts):
        yield step.do.step
        if step.gate is not None:
            yield step.gate


def _step(name: Template) -> Symbol:
    span = name.span
    quoted = not name.node.plain
    span = span._replace(column=span.column + quoted, width=span.width - 2 * quoted)
    return Symbol("step", name.literal or "", span)


def _use(symbol: Symbol, span: Span) -> Iterator[Use]:
    """A use, if the name stands there as it is: not where YAML has folded a text."""
    line = line_of(span.source, span.line - 1)
    if line[span.column - 1 :].startswith(symbol.name):
        yield Use(symbol, span._replace(width=len(symbol.name)))


def _parameters(block: Block) -> Iterator[tuple[str, Symbol]]:
    """The parameters of a block, where its signature is written as it is read."""
    line = line_of(block.span.source, block.span.line - 1)
    start = block.span.column - 1
    for name in block.parameters:
        match = re.compile(rf"[(,]\s*({re.escape(name)})(?=\s*[,=)])").search(line, start)
        if match is not None:
            span = Span(block.span.source, block.span.line, match.start(1) + 1, len(name))
            yield name, Symbol("parameter", name, span)


# --- renaming -----------------------------------------------------------------------------------------


def renamed(spec: Spec, symbol: Symbol, name: str, *, file: str | None = None) -> list[Span]:
    """The places of a name that another is to take, none missing: the network is laid out with it, too.

    Raises:
        SpecError: it cannot be a name, or the network would be another one.
    """
    source = spec.source
    key = Scalar(source, symbol.span.line, symbol.span.column, 0, 0, name, True, False)
    if symbol.kind != "step":
        check_identifier(key, f"a {symbol.kind}")
    elif not re.fullmatch(r"\w+", name):
        raise key.error(f"'{name}' cannot name a step", help="letters, digits and _")
    places = sorted(
        {one.span[1:]: one.span for one in uses(spec) if one.symbol.span[1:] == symbol.span[1:]}.values(),
        key=lambda span: span[1:],
    )
    lines = list(source.lines)
    for span in reversed(places):
        line = lines[span.line - 1]
        start = span.column - 1
        lines[span.line - 1] = line[:start] + name + line[start + span.width :]
    try:
        other = read("\n".join(lines), name=spec.name, path=source.name, file=file)
        same = all(_same(spec, other, variant, symbol.kind == "step") for variant in variants(spec))
    except ArchlensError as problem:
        raise _elsewhere(symbol, name, problem) from None
    if not same:
        raise _elsewhere(symbol, name, None)
    return places


def _elsewhere(symbol: Symbol, name: str, problem: ArchlensError | None) -> SpecError:
    why = f": {problem.diagnostic.message}" if problem is not None else ""
    return error(
        f"renaming {symbol.name} to {name} would change the network{why}", symbol.span,
        help="the name occurs where its meaning is not clear from the text; change these places by hand",
    )  # fmt: skip


def _same(spec: Spec, other: Spec, variant: str, step: bool) -> bool:
    """Whether two specs make the same network, up to the names of steps where these differ."""
    one, two = laid_out(spec, variant, advice=False), laid_out(other, variant, advice=False)
    if one.network is None or two.network is None or not one.complete:
        # what is broken stays broken at the same layer
        count = [len(found.network.layers) if found.network else 0 for found in (one, two)]
        return one.complete == two.complete and count[0] == count[1]
    if two.problem is not None:
        raise SpecError(replace(two.problem))
    published_figures.find(two.network)
    nets = one.network, two.network
    order, others = [{name: n for n, name in enumerate([*net.inputs, *net.index])} for net in nets]
    for a, b in zip(*nets, strict=True):
        wired = [order[name] for name in a.inputs] == [others[name] for name in b.inputs]
        if not wired or a.op != b.op or (not step and a.name != b.name):
            return False
    return True
