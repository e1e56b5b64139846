"""Where names are given to layers, and where the names of an expression are looked up."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..bounds import MAX_BLOCKS, RAISED
from ..errors import Located, Span, UsageError, did_you_mean, error, shorten
from ..language.expression import Expression
from ..language.spec import Spec
from ..language.steps import Block, Body
from ..network import CALLED_BY_OP, Asked, scopes_of
from ..ops import OPS, STATED, Op
from .building import Builder, Place
from .evaluation import evaluate, path_in
from .packages import bring
from .values import CONSTANTS, Deferred, Tensor, describe


class Word:
    """A part of an expression, as a place that is worked out only when it is asked for."""

    __slots__ = ("expression", "tree")

    def __init__(self, expression: Expression, tree: ast.expr) -> None:
        self.expression = expression
        self.tree = tree

    @property
    def span(self) -> Span:
        return self.expression.span(self.tree)


class Copy(NamedTuple):
    """A block that was repeated without being run: what it repeats, and how many layers further on."""

    source: str
    further: int


class File:
    """A spec whose steps run: what all its expressions know, and the scope that its names start from."""

    __slots__ = ("names", "parent", "root", "sources", "spec")

    def __init__(self, spec: Spec, path: str, body: Body, parent: File | None) -> None:
        self.spec = spec
        self.parent = parent  # the one that uses it
        self.names: dict[str, Any] = {
            **STATED, **spec.blocks, **spec.parts, **CONSTANTS, "True": True, "False": False,
        }  # fmt: skip
        self.sources: Mapping[str, Tensor] = {}
        self.root = Place(path, None, body.names, self, named=body.is_named)

    def home(self, block: Block) -> File:
        """The file of a block: this one, or one that uses it and has handed the block on."""
        file: File | None = self
        while file is not None and file.spec.blocks.get(block.name) is not block:
            file = file.parent
        assert file is not None
        return file


class Elaboration:
    """What has come about of a spec, as far as its expressions ask for it."""

    def __init__(self, spec: Spec, builder: Builder) -> None:
        self.spec = spec
        self.builder = builder
        self.file = File(spec, "", spec.layers, None)
        self.file.sources = builder.sources
        self.reads = 0  # how often a step was read by its name
        self.asked: list[Asked] = []
        self.paths: dict[str, Tensor] = {}  # of the first `indexed` layers and scopes
        self.indexed = (0, 0)
        self.looked: list[str] = []  # the full names of the steps that were looked up, in order
        self.moved: list[tuple[str, str]] = []  # steps that run once more, and the names that they have then
        self.copies: dict[str, Copy] = {}
        self.numbers: dict[str, dict[str, str]] = {}  # by scope: numbers that are left out, each with a name

    def at(self, path: str) -> Tensor | None:
        """The output of a finished layer or scope, by its full name."""
        self.index()
        self.reads += 1
        for here, there in reversed(self.moved):
            if path == here or path.startswith(f"{here}."):
                path = there + path[len(here) :]
        found = self.paths.get(path)
        if found is not None:
            self.looked.append(path)
        return found

    def by_number(self, path: str) -> str:
        """What a step is called that has no tensors of its own, by the number that it would have with them.

        Empty where it is no such step.
        """
        scope, _, number = path.rpartition(".")
        for _ in range(MAX_BLOCKS):
            if number in self.numbers.get(scope, ()):
                return self.numbers[scope][number]
            copied = next((outer for outer in scopes_of(scope) if outer in self.copies), None)
            if copied is None:
                break
            scope = self.copies[copied].source + scope[len(copied) :]
        return ""

    def index(self) -> None:
        """Look at the layers and scopes that were placed since it was done last."""
        layers, scopes = self.indexed
        builder = self.builder
        self.paths |= {layer.name: Tensor(layer.name, layer.shape) for layer in builder.layers[layers:]}
        self.paths |= dict(builder.scopes[scopes:])
        self.indexed = len(builder.layers), len(builder.scopes)

    def forget(self, layers: int, scopes: int) -> None:
        """Forget the names of all layers and scopes but the first so many."""
        for layer in self.builder.layers[layers : self.indexed[0]]:
            self.paths.pop(layer.name, None)
        for path, _ in self.builder.scopes[scopes : self.indexed[1]]:
            self.paths.pop(path, None)
        self.indexed = min(layers, self.indexed[0]), min(scopes, self.indexed[1])


class Env:
    """Where the names of an expression are looked up, and the place that its refs start from."""

    __slots__ = ("locals", "place", "walk")

    def __init__(self, walk: Elaboration, names: dict[str, Any], place: Place) -> None:
        self.walk = walk
        self.locals = names
        self.place = place

    @property
    def file(self) -> File:
        """The spec that the expression stands in."""
        file: File = self.place.file
        return file

    def lookup(self, name: str) -> Any:
        if name in self.locals:
            return self.locals[name]
        walk = self.walk
        if name == "x" and walk.builder.sources:
            return walk.builder.x
        if name in self.file.names:
            return self.file.names[name]
        if name in OPS:
            return OPS[name]
        tensor = self.step(name)
        if tensor is None:
            raise KeyError(name)
        return tensor

    def brought(self, name: str, tree: ast.AST, expression: Expression) -> type[Op] | None:
        """The op that an installed package brings under a name that nothing else has here.

        Raises:
            SpecError: the package fails, or brings no op.
        """
        try:
            found = bring(name)
        except UsageError as problem:
            raise expression.error(problem.diagnostic.message, tree, help=problem.diagnostic.help) from None
        if found is not None:
            self.file.names.setdefault(name, found)
        return found

    def step(self, name: str) -> Tensor | None:
        """The output of an earlier step: of this scope, or of one around it; or an input by its name."""
        found = None
        for place in self.place.outwards():
            if name in place.tensors:
                found = found or place
                if place.taken.get(name) is not None:  # what has a name of its own comes before what has none
                    found = place
                    break
        if found is not None:
            self.walk.reads += 1
            self.walk.looked.append(found.full(name))
            return found.tensors[name]
        self.walk.reads += name in self.file.sources
        return self.file.sources.get(name)

    def ref(self, tree: ast.expr, expression: Expression) -> Tensor:
        self.walk.reads += 1
        if not isinstance(tree, ast.Call) or len(tree.args) != 1 or tree.keywords:
            raise expression.error("ref takes one name", tree, help="as in ref(enc1)")
        return self.tensor(tree.args[0], expression, "ref")

    def tensor(self, argument: ast.expr, expression: Expression, taker: str) -> Tensor:
        """The output of the earlier step that is meant, where something takes one by its name.

        Raises:
            SpecError: there is none, or it comes later.
        """
        how = _TAKEN[taker]
        if isinstance(argument, ast.Name):
            name = argument.id
            value = self.locals.get(name)
            if not isinstance(value, str | Tensor):
                value = self.step(name)
            if value is None and name in self.file.names:
                value = self.file.names[name]
            if value is None and name in OPS:
                value = OPS[name]
        else:
            value = path_in(argument, self.locals) or evaluate(expression, self, argument)
            name = str(value)
        if isinstance(value, str):
            name, value = value, self.path(value)
        if isinstance(value, Tensor):
            return value
        absent = self.absent(name)
        if absent is not None:
            raise error(
                f"{how.format(shorten(name))} refers to a step that is none here",
                expression.span(argument),
                help="`identity` instead of none passes the tensor on under that name",
                also=[(f"{shorten(name)} is none", absent.span)],
            )
        later = self.later(name)
        if later is not None:
            raise error(
                f"{how.format(shorten(name))} refers to a step that comes later",
                expression.span(argument),
                help="a step can only read earlier steps",
                also=[(f"{shorten(name)} stands here", later.span)],
            )
        if value is not None:
            raise expression.error(
                f"{taker} takes the name of a step, not {describe(value)}", argument,
                help="give it a name on a line before this one" if isinstance(value, Deferred) else "",
            )  # fmt: skip
        raise expression.error(
            f"there is no step {shorten(name)} to refer to", argument,
            help=self.numbered(name, how)
            or self.elsewhere(name, how)
            or did_you_mean(name, self.steps(name), otherwise="it must have a name and come earlier"),
        )  # fmt: skip

    def numbered(self, name: str, how: str) -> str:
        """How to reach a step that is called by its op, and not by this number; empty where there is none."""
        inside, dot, last = name.rpartition(".")
        if not last.isdecimal():
            return ""
        for place in self.place.outwards():
            found = self.walk.by_number(place.full(name))
            if found:
                called = how.format(f'"{inside}{dot}{found}"' if inside else found)
                return CALLED_BY_OP.format(called)
        return ""

    def elsewhere(self, name: str, how: str) -> str:
        """How to reach a step of this name that stands in another scope; empty where there is none."""
        self.walk.at("")
        for path in self.walk.paths:
            if path.endswith(f".{name}"):
                return "it is in another scope: " + how.format(f'"{path}"')
        return ""

    def path(self, path: str) -> Tensor | None:
        """The output of an earlier step by a path, as ``layer1.0``, from this scope or one around it."""
        if "." not in path:
            return self.step(path)
        for place in self.place.outwards():
            self.walk.builder.steps += 1 + (len(place.path) + len(path) >> 6)
            found = self.walk.at(place.full(path))
            if found is not None:
                return found
        return None

    def absent(self, name: str) -> Located | None:
        """Where a step of this name is none, in this scope or one around it."""
        for place in self.place.outwards():
            if name in place.absent:
                return place.absent[name]
        return None

    def later(self, name: str) -> Located | None:
        """Where a step comes later that has this name, or that a path of this name starts with."""
        path = [*scopes_of(name)]
        for place in self.place.outwards():
            if len(path) > 1 and path[0] in place.taken and path[0] not in place.begun:
                return None  # the scope is there, and has no such step
            for part in path:
                if part in place.certain:
                    return place.certain[part]
        return None

    def steps(self, meant: str = "") -> list[str]:
        """The names of earlier steps; of a path that is meant, those in the scope that it leads to."""
        found: list[str] = list(self.file.sources)
        inside = meant.rpartition(".")[0]
        for place in self.place.outwards():
            found += [name for name in place.tensors if not name.isdigit()]
            if inside:
                start = len(place.path) + 1 if place.path else 0
                scope = f"{place.full(inside)}."
                found += [path[start:] for path in self.walk.paths if path.startswith(scope)]
        return found

    def known(self) -> Iterable[str]:
        flowing = ["x"] if self.walk.builder.sources else []
        return [
            *self.locals,
            *flowing,
            *OPS,
            *(n for n in self.file.names if n not in _HIDDEN),
            *self.steps(),
        ]

    def hint(self, name: str) -> str:
        spec = self.file.spec
        if name in ("x", "input"):
            return f"{name} is a tensor, which exists only in steps: in layers:, outputs: and blocks:"
        if name in spec.params:
            return f"params are read from top to bottom, and {name} is defined further down"
        owner = next((block.name for block in spec.blocks.values() if name in block.parameters), None)
        if owner is None:
            return ""
        return f"it is a parameter of {owner}, and a block sees only its own and the file's params"

    def asked(self, tensor: Tensor, axis: str, size: int) -> None:
        self.walk.asked.append(Asked(tensor.name, axis, size))

    def spend(self, steps: int, tree: ast.AST, expression: Expression) -> None:
        self.walk.builder.steps += steps
        bounds = self.walk.builder.bounds
        if self.walk.builder.steps > bounds.steps:
            raise expression.error(bounds.too_many_steps, tree, help=RAISED)


#: How what takes an earlier step by its name is written.
_TAKEN = {"ref": "ref({})", "initial=": "initial={}"}

#: Spellings that need not be suggested.
_HIDDEN = ("True", "False", "None", "null")
