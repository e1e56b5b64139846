"""The text of one class: what it is, what it is made of, and what flows through it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from ..analysis.nesting import Child, Value, is_number, shape_of, values_of
from ..errors import shorten
from ..network import Network
from ..ops import REQUIRED
from ..shape import Shape
from . import scopes
from .construction import (
    Made,
    Part,
    Repetition,
    bare,
    counts,
    filled,
    grown,
    items_of,
    piece_of,
    repetitions_of,
    split,
)
from .formatting import (
    WIDTH,
    Brackets,
    Item,
    Piece,
    assigned,
    before,
    bracketed,
    call,
    commented,
    counting,
    docstring,
    is_attribute,
    lines_of,
    literal,
    one_line,
    prose,
    quoted,
    unique,
    word,
)
from .own import inlined
from .scopes import Class, Leaf, Parameter, Reference, SourceScope
from .signatures import DICT_ATTRIBUTES, LIST_ATTRIBUTES, MODULE_ATTRIBUTES, Initial
from .variables import LineNames, Step, name_tensors

#: The merges that ``forward`` writes as people do.
_MERGES = {
    "operator.add": "add",
    "operator.mul": "multiply",
    "operator.sub": "subtract",
    "operator.truediv": "divide",
    "torch.cat": "concat",
    "torch.maximum": "maximum",
    "torch.minimum": "minimum",
    "torch.matmul": "matmul",
    "archlens.matmul_transposed": "matmul",
}
_SIGNS = {
    "operator.add": "+",
    "operator.mul": "*",
    "operator.sub": "-",
    "operator.truediv": "/",
    "torch.mul": "*",
    "torch.add": "+",
    "torch.matmul": "@",
}

#: The functions that are called as methods of their tensor: ``x.permute(0, 2, 3, 1)``.
_METHODS = frozenset({"torch.permute", "torch.reshape", "torch.transpose"})

#: As many terms stand in one sum.
_TERMS = 30


class _Loop(NamedTuple):
    """Children that ``forward`` takes in a loop."""

    run: Repetition
    head: str
    #: How each child of a round is reached.
    access: tuple[str, ...]


class ClassText:
    """Writes one class."""

    def __init__(self, network: Network, one: Class, used: set[str]) -> None:
        self.network = network
        self.one = one
        self.scope = one.example
        self.used = used
        self.is_root = self.scope.parent is None
        self.children = self.scope.children
        #: The modules among the children.
        self.parts: list[Part | None] = []
        #: The arguments of the functions among the children, by the number of the child.
        self.given: dict[int, list[tuple[str, Any]]] = {}
        #: The parameters that they take.
        self.made_of: dict[int, Piece] = {}
        self._construct_all()
        self.is_list = not one.is_chain and self._is_list()
        #: Where the parameters are that functions take, by the number of the child.
        self.taken: dict[int, str] = {}
        #: The modules that another child lies in, by their paths.
        self.holding = self._holding()
        #: The names that attributes have.
        self.attributes = {c.name.partition(".")[0] for c in self.children if not self._is_shared(c)}
        self.attributes |= MODULE_ATTRIBUTES | (LIST_ATTRIBUTES if self.is_list else frozenset())
        #: How each child is reached that is in no loop, and the lines of ``__init__`` that put them there.
        self.access: dict[int, str] = {}
        self.loops: dict[int, _Loop] = {}
        self.inits: list[str] = []
        #: How the containers are reached of parts that stand under a path.
        self.containers: dict[str, str] = {}
        self.shared: dict[Any, str] = {}
        #: The children that are each the first of many experts, and how many there are.
        self.experts = self._experts()
        #: Parameters that ``forward`` reads, with the attribute that keeps each.
        self.stored: dict[str, str] = {}

    def _holding(self) -> dict[str, int]:
        """The number of each child that is a module and in which another lies."""
        around = {child.name.rpartition(".")[0] for child in self.children} - {""}
        return {
            child.name: number
            for number, child in enumerate(self.children)
            if child.name in around and self.parts[number] is not None
        }

    def _is_shared(self, child: Child) -> bool:
        """Whether a module has nothing of its own, not even a name: one serves for all that are alike."""
        return child.is_unnamed and not child.unit.stateful and child.name not in self.holding

    def _experts(self) -> dict[int, int]:
        """Which children are each one of many experts, and of how many."""
        found = {}
        for number, child in enumerate(self.children):
            if scopes.is_expert(self.network, self.scope, child):
                copies = self.network.layers[child.outputs[-1]].copies
                found[number] = copies.experts if copies is not None else 1
        return found

    def lines(self) -> list[str]:
        """The class."""
        self.used.add("nn")
        if self.one.is_chain:
            base, methods = "nn.Sequential", [self._init_of_chain()]
        else:
            base = "nn.ModuleList" if self.is_list else "nn.Module"
            self._place_all()
            if self.is_root:
                self._tie()
            forward = self._forward()
            methods = [method for method in (self._init(), forward, self._setattr()) if method]
        return [
            f"class {self.one.name}({base}):",
            *docstring([self._about()], 4),
            *(line for method in methods for line in ("", *method)),
        ]

    def _about(self) -> str:
        """What the class is, and whose shapes stand in it."""
        if self.is_root:
            return f"{prose(shorten(self.network.title, 80))}."
        made = self.one.scopes
        places = [prose(shorten(scope.path)) for scope in made[: 4 if len(made) == 4 else 3]]
        more = len(made) - len(places)
        last = f"{more} more" if more else places.pop()
        text = f"The modules {', '.join(places)} and {last}" if places else f"The module {last}"
        if len({tuple(map(self._shape, [*one.inputs, *one.outputs])) for one in made}) == 1:
            return f"{text}."
        return f"{text}; the shapes are those of the first."

    def _shape(self, value: Value) -> Shape:
        return shape_of(self.network, value)

    # --- what it is made of ---------------------------------------------------------------------

    def _construct_all(self) -> None:
        position = 0
        for number, child in enumerate(self.children):
            if not child.unit.is_function:
                self.parts.append(self._part(child, position))
            else:
                assert isinstance(child.unit, Leaf)
                self.given[number] = self._arguments(child.unit, position)
                if child.unit.initial is not None:
                    self.made_of[number] = self._parameter(child.unit, child.unit.initial, position)
                self.parts.append(None)
            position += scopes.width(child.unit)

    def _part(self, child: Child, position: int) -> Part:
        shape = ", ".join(str(self._shape(value)) for value in child.outputs)
        is_own = isinstance(child.unit, SourceScope) and child.unit.made_by is not None
        return Part(child.name, self._construct(child.unit, position), shape, is_own)

    def _construct(self, unit: Leaf | SourceScope, position: int) -> Made:
        if isinstance(unit, Leaf):
            # what has no arguments starts where the next leaf does
            target = self.one.targets.get(position, unit.target) if unit.fields else unit.target
            arguments = tuple(self._arguments(unit, position))
            if target.startswith("archlens."):
                target = target.removeprefix("archlens.")
                self.used.add(target)
            elif scopes.package_of(target):
                target = target.rpartition(".")[2]
            return Made(target, arguments)
        if unit.made_by is not None:
            values = self.one.arguments[position : position + len(unit.made_by.parameters)]
            pairs = [
                ("" if parameter.positional else parameter.name, value)
                for parameter, value in zip(unit.made_by.parameters, values, strict=True)
                if not _is(value, parameter.default)
            ]
            return Made(unit.made_by.name, tuple(pairs))
        parts = []
        for child in unit.children:
            parts.append(self._part(child, position))
            position += scopes.width(child.unit)
        counted = scopes.is_counted(unit.children)
        return Made("nn.Sequential", (), tuple(filled(parts) if counted else parts))

    def _arguments(self, leaf: Leaf, position: int) -> list[tuple[str, Any]]:
        """The arguments of a call but those that have their default."""
        fields = leaf.fields[: leaf.initial.start] if leaf.initial else leaf.fields
        values = self.one.arguments[position : position + len(fields)]
        return [
            ("" if field.positional else field.name, value)
            for field, value in zip(fields, values, strict=True)
            if not _is(value, field.default)
        ]

    def _parameter(self, leaf: Leaf, initial: Initial, position: int) -> Piece:
        """The parameter or buffer that a function takes, as it is made."""
        stop = position + len(leaf.fields)
        values = [_argument(value) for value in self.one.arguments[position + initial.start : stop]]
        items: list[Piece] = []
        for size in initial.tuples:
            items.append(_tuple(values[:size]) if size >= 0 else values[0])
            del values[: abs(size)]
        keywords = [field.name for field in leaf.fields[len(leaf.fields) - len(values) :]]
        items += [before(f"{key}=", value) for key, value in zip(keywords, values, strict=True)]
        made = self._called(initial.target, items)
        return call("nn.Parameter", [made]) if initial.trained else made

    def _called(self, target: str, items: list[Piece]) -> Piece:
        """A function applied; one of archlens that is a single expression is written as that."""
        library, _, name = target.rpartition(".")
        if scopes.package_of(target):
            return call(name, items)
        if library != "archlens":
            self.used.add(target.partition(".")[0])
            return call(target, items)
        words = [one_line(item) for item in items]
        expression = inlined(name, [word for word in words if word is not None])
        # at its deepest it is the only item of a call of __init__, on a line with a comma
        if expression is None or None in words or len(expression.text) > WIDTH - 13:
            self.used.add(name)
            return call(name, items)
        self.used |= expression.names
        return expression.text

    def _is_list(self) -> bool:
        """Whether all that holds weights is numbered, so that the class is a list of modules."""
        stateful = [child for child in self.children if child.unit.stateful]
        numbered = [child for child in self.children if child.is_numbered]
        if any(self.children[number].is_numbered for number in self.made_of):
            return False
        return bool(stateful) and all(child.is_numbered for child in stateful) and scopes.is_counted(numbered)

    # --- where its modules are put -----------------------------------------------------------------

    def _place_all(self) -> None:
        """Decide how each module is reached, and write the lines that put it there."""
        for run in self._chained(repetitions_of(self.parts)):
            part = self.parts[run.start]
            if part is None:
                if run.start in self.made_of:
                    self.taken[run.start] = self._keep(run.start)
            elif run.times > 1:
                self._place_loop(run, part)
            elif self.is_list and is_number(part.name):
                self.access[run.start] = f"self[{part.name}]"
            else:
                self.access[run.start] = self._place(part, self.children[run.start], run.start)

    def _tie(self) -> None:
        """Let layers that share a weight have one."""
        for alias, key in self.network.tied.items():
            self.inits.append(f"        {_reached(alias)} = {_reached(key)}")

    def _chained(self, runs: Iterator[Repetition]) -> Iterator[Repetition]:
        """The runs that a loop can take: what flows through them is read by the next alone."""
        readers = Counter(self._results())
        for child in self.children:
            readers.update(set(child.inputs))
        for run in runs:
            inside = self.children[run.start : run.stop]
            names = [split(child.name) for child in inside]
            linked = all(
                after.inputs == ahead.outputs
                and readers[ahead.outputs[0]] == 1
                and after.training == ahead.training
                for ahead, after in pairwise(inside)
            )
            least = 4 if names[0][0] else 3
            loops = linked and counts(names) and len(inside) >= least and len(inside[-1].outputs) == 1
            if run.period > 1:
                loops = loops and not names[0][0] and (self.is_list or not run.grows)
            if loops and not {child.name for child in inside} & (MODULE_ATTRIBUTES | LIST_ATTRIBUTES):
                yield run
            else:
                yield from (Repetition(k, 1, 1) for k in range(run.start, run.stop))

    def _place_loop(self, run: Repetition, first: Part) -> None:
        prefix, number = split(first.name)
        last = number + run.times * run.period
        head = f"for i in {counting(number, last, run.period)}:"
        access: list[str] = []
        lines: list[str] = []
        for k in range(run.period):
            part, child = self.parts[run.start + k], self.children[run.start + k]
            assert part is not None
            index = f"i + {k}" if k else "i"
            if self.is_list:
                access.append(f"self[{index}]")
            elif self._is_shared(child):
                access.append(self._place(part, child, run.start + k))
            else:
                name = f'f"{prefix}{{i}}"' if prefix else f"str({index})"
                access.append(f"self.get_submodule({name})")
                made = grown(part.made, run.steps[k], number) if run.period == 1 else part.made
                lines += lines_of(call("self.add_module", [name, piece_of(made, self.used)]), 12)
        if lines:
            self.inits += [f"        {head}", *lines]
        self.loops[run.start] = _Loop(run, head, tuple(access))

    def _place(self, part: Part, child: Child, number: int) -> str:
        """Make a module a part of the class, and say how it is reached.

        A name that Python or torch gives another meaning is looked up as the text that it is.
        """
        name = part.name
        if self._is_shared(child):
            if part.made == Made("nn.Flatten", ()):
                self.used.add("torch")
                return "torch.flatten"
            key = (part.made.head, part.made.arguments, str(bare(part.made.parts)))
            if key not in self.shared:
                attribute = unique(word(child.kind if child.is_numbered else child.name), self.attributes)
                self.attributes.add(attribute)
                self.shared[key] = f"self.{attribute}"
                self._write_init(f"self.{attribute} = ", part)
            return self.shared[key]
        if "." in name:
            return self._place_within(part, self.experts.get(number, 0))
        if self._is_hidden(name):
            self._write_init(f"self._modules[{quoted(name)}] = ", part)
            return f"self._modules[{quoted(name)}]"
        if is_attribute(name):
            self._write_init(f"self.{name} = ", part)
            return f"self.{name}"
        self.inits += lines_of(call("self.add_module", [quoted(name), piece_of(part.made, self.used)]), 8)
        return f"self.get_submodule({quoted(name)})"

    def _place_within(self, part: Part, copies: int) -> str:
        """Make a module a part of a container, and say how it is reached: ``self.convs[0]``.

        Of many experts all are made, and reached together.
        """
        path, _, name = part.name.rpartition(".")
        inside = self._container(path)
        if copies:
            self.inits += lines_of(call(f"{inside}.extend", [self._copied(part, copies)]), 8)
            return inside
        if inside.endswith(")"):
            made = piece_of(part.made, self.used)
            self.inits += lines_of(call(f"{inside}.add_module", [quoted(name), made]), 8)
            return f"self.get_submodule({quoted(part.name)})"
        if self._is_counted_within(path):
            self.inits += lines_of(call(f"{inside}.append", [piece_of(part.made, self.used)]), 8)
            return f"{inside}[{name}]"
        if name in DICT_ATTRIBUTES or name in MODULE_ATTRIBUTES:
            inside += "._modules"
        self._write_init(f"{inside}[{quoted(name)}] = ", part)
        return f"{inside}[{quoted(name)}]"

    def _container(self, path: str) -> str:
        """Where the parts lie that stand under a path; it is made before the first, if it is no module."""
        if path in self.containers:
            return self.containers[path]
        if path in self.holding:
            return self.access.get(self.holding[path], f"self.get_submodule({quoted(path)})")
        around, _, name = path.rpartition(".")
        outer = self._container(around) if around else "self"
        if outer == "self" and is_attribute(name) and not self._is_hidden(name):
            access = f"self.{name}"
        elif outer.endswith(")") or outer == "self" or name in DICT_ATTRIBUTES | MODULE_ATTRIBUTES:
            made = "nn.ModuleList()" if self._is_counted_within(path) else "nn.Module()"
            self.inits += lines_of(call(f"{outer}.add_module", [quoted(name), made]), 8)
            access = f"self.get_submodule({quoted(path)})"
        else:
            access = f"{outer}[{quoted(name)}]"
        if not access.endswith(")"):
            counted = self._is_counted_within(path)
            self.inits.append(f"        {access} = nn.{'ModuleList' if counted else 'ModuleDict'}()")
        self.containers[path] = access
        return access

    def _is_counted_within(self, path: str) -> bool:
        """Whether all parts under a path are modules whose names count from 0, in order."""
        start = len(path) + 1
        parts = [
            (k, child.name[start:])
            for k, child in enumerate(self.children)
            if child.name.startswith(f"{path}.") and (self.parts[k] is not None or k in self.made_of)
        ]
        return all(name == str(count) and self.parts[k] is not None for count, (k, name) in enumerate(parts))

    def _keep(self, number: int) -> str:
        """Make a parameter or a buffer a part of the class, and say how it is reached."""
        name, made = self.children[number].name, self.made_of[number]
        initial = self.children[number].unit.initial
        path, _, last = name.rpartition(".")
        if path or not initial.trained:
            inside = self._container(path) if path else "self"
            kind = "parameter" if initial.trained else "buffer"
            if last in MODULE_ATTRIBUTES | LIST_ATTRIBUTES | DICT_ATTRIBUTES:
                access = f"{inside}._{kind}s[{quoted(last)}]"
                self.inits += lines_of(before(f"{access} = ", made), 8)
                return access
            self.inits += lines_of(call(f"{inside}.register_{kind}", [quoted(last), made]), 8)
            plain = is_attribute(last) and inside.startswith("self.") and not inside.endswith(")")
            return f"{inside}.{last}" if plain else f"self.get_{kind}({quoted(name)})"
        if self._is_hidden(name):
            access = f"self._parameters[{quoted(name)}]"
        elif is_attribute(name):
            access = f"self.{name}"
        else:
            self.inits += lines_of(call("self.register_parameter", [quoted(name), made]), 8)
            return f"self.get_parameter({quoted(name)})"
        self.inits += lines_of(before(f"{access} = ", made), 8)
        return access

    def _copied(self, part: Part, count: int) -> Piece:
        """A list of so many modules of a kind."""
        made = piece_of(part.made, self.used)
        return bracketed("[", [made, f"for _ in range({count})"], "]", comma=False)

    def _is_hidden(self, name: str) -> bool:
        """Whether Python or torch gives an attribute of that name another meaning."""
        taken = name in MODULE_ATTRIBUTES or (self.is_list and name in LIST_ATTRIBUTES)
        return taken or name.startswith("__")

    def _write_init(self, target: str, part: Part) -> None:
        self.inits += lines_of(before(target, piece_of(part.made, self.used)), 8)

    # --- __init__ -------------------------------------------------------------------------------

    def _signature(self) -> list[str]:
        items = ["self", *map(_declared, self.one.parameters)]
        return lines_of(call("def __init__", items), 4, " -> None:")

    def _init_of_chain(self) -> list[str]:
        parts = filled([part for part in self.parts if part is not None])
        items = items_of(parts, self.used, shapes=True)
        return [*self._signature(), *lines_of(call("super().__init__", items), 8)]

    def _init(self) -> list[str]:
        """The constructor; empty where it has nothing to do."""
        start = ["        super().__init__()"]
        if self.is_list:
            parts = filled([part for part in self.parts if part is not None and is_number(part.name)])
            modules = bracketed("[", items_of(parts, self.used, shapes=False), "]")
            for count in self.experts.values():
                modules = self._copied(parts[0], count)
            start = lines_of(call("super().__init__", [modules]), 8)
        kept = [f"        self.{attribute} = {name}" for name, attribute in self.stored.items()]
        if not (self.is_list or kept or self.inits):
            return []
        return [*self._signature(), *start, *kept, *self.inits]

    def _setattr(self) -> list[str]:
        """A method that lets a part of the name ``training`` stand beside the mode; mostly empty."""
        parts = [
            c for number, c in enumerate(self.children) if not c.unit.is_function or number in self.made_of
        ]
        if not any(child.name == "training" for child in parts):
            return []
        self.used.add("Any")
        return [
            "    def __setattr__(self, name: str, value: Any) -> None:",
            '        if name == "training":  # the mode; a module has this name too',
            "            self.__dict__[name] = value",
            "        else:",
            "            super().__setattr__(name, value)",
        ]

    # --- forward --------------------------------------------------------------------------------

    def _results(self) -> list[Value]:
        """The tensors that are returned."""
        if not self.is_root:
            return sorted(self.scope.outputs)
        return list(dict.fromkeys(self._outputs.values()))

    @cached_property
    def _outputs(self) -> dict[str, Value]:
        """The outputs of the network, and where each comes from."""
        numbers = values_of(self.network)
        return {name: numbers[source] for name, source in self.network.outputs.items()}

    def _forward(self) -> list[str]:
        self.used.add("Tensor")
        inputs = self._inputs()
        wanted = self._wanted()
        rows = self._rows()
        names = name_tensors([self._step(row) for row in rows], inputs, wanted)
        read = {value for row in rows for value in row.first.inputs}.union(wanted)
        body: list[str] = []
        training, rounds = False, 1
        for row, line in zip(rows, names.lines, strict=True):
            if self.is_root and row.training and not training:
                body, rounds = _in_loop(body, rounds), 1
                body.append("        if self.training:")
            training = self.is_root and row.training
            if row.number in self.access and row.loop is None and read.isdisjoint(row.last.outputs):
                line = line._replace(outputs=())  # its weights are there, and nothing takes what it makes
            written = self._write(row, line, 12 if training else 8)
            again = isinstance(row.first.unit, Leaf) and row.first.unit.target.startswith(scopes.AGAIN)
            if again and body and written == body[-1:]:
                rounds += 1
                continue
            body, rounds = _in_loop(body, rounds), 1
            body += written
        body = _in_loop(body, rounds)
        returned, kind = self._returned(names.results, open_=training)
        items = ["self", *(f"{name}: Tensor" for name in inputs.values())]
        return [*lines_of(call("def forward", items), 4, f" -> {kind}:"), *body, *returned]

    def _inputs(self) -> dict[Value, str]:
        """The arguments of ``forward``."""
        if not self.is_root:
            values = list(self.scope.inputs)
            others = ["skip"] if len(values) == 2 else [f"skip{k}" for k in range(1, len(values))]
            if len(values) == 2 and any(child.kind == "choose" for child in self.children):
                others = ["scores"]
            return dict(zip(values, ["x", *others], strict=True))
        if len(self.network.inputs) == 1:
            return {-1: "x"}
        found: dict[Value, str] = {}
        for k, name in enumerate(self.network.inputs):
            found[-1 - k] = unique(word(name, lower=False), set(found.values()))
        return found

    def _wanted(self) -> dict[Value, str]:
        """The tensors that are returned, each with a name where it should have a certain one."""
        if self.is_root:
            wanted: dict[Value, str] = {}
            for name, value in self._outputs.items():
                if not wanted.get(value):
                    wanted[value] = "" if name == "out" else word(name)
            return wanted
        results = self._results()
        labels = {value: label for child in self.children for value, label in self._labels(child)}
        return {value: "" if value == results[-1] else labels[value] for value in results}

    def _labels(self, child: Child) -> list[tuple[Value, str]]:
        """A name for each tensor that a child makes."""
        own = child.kind if child.is_numbered or self._is_shared(child) else child.name
        if own.startswith(" "):
            own = child.unit.target.rpartition(".")[2].removeprefix(scopes.AGAIN)
        labels = []
        for value in child.outputs:
            inside = self.network.layers[value].name[len(self.scope.path) :].lstrip(".").split(".")[1:]
            named = [part for part in inside if not is_number(part)]
            labels.append((value, word(named[0] if named and len(child.outputs) > 1 else own)))
        return labels

    def _rows(self) -> list[_Row]:
        rows = []
        number = 0
        while number < len(self.children):
            loop = self.loops.get(number)
            stop = loop.run.stop if loop else number + 1
            first, last = self.children[number], self.children[stop - 1]
            rows.append(_Row(number, first, last, loop))
            number = stop
        return rows

    def _step(self, row: _Row) -> Step:
        unit = row.first.unit
        merges = isinstance(unit, Leaf) and unit.initial is None
        merge = _MERGES.get(unit.target, "") if isinstance(unit, Leaf) and merges else ""
        labels = tuple([label for _, label in self._labels(row.last)])
        named = row.loop is None and not row.first.is_unnamed and not merge
        return Step(row.first.inputs, row.last.outputs, merge, labels, named, row.training)

    def _write(self, row: _Row, line: LineNames, indent: int) -> list[str]:
        """The lines of one step."""
        margin = " " * indent
        lines = [f"{margin}{line.alias[0]} = {line.alias[1]}"] if line.alias else []
        if row.loop is not None:
            (read,), (made,) = line.inputs, line.outputs
            if read != made:
                lines.append(f"{margin}{made} = {read}")
            lines.append(margin + row.loop.head)
            for k, access in enumerate(row.loop.access):
                run = row.loop.run._replace(start=row.loop.run.start + k, period=row.loop.run.period)
                text = before(f"{made} = ", _applied(access, (made,)))
                lines += lines_of(text, indent + 4, comment=self._shape_of_round(run))
            return lines
        shape = ", ".join(str(self._shape(value)) for value in row.last.outputs)
        target = f"{', '.join(line.outputs)} = " if line.outputs else ""
        if row.number in self.experts:
            all_of_them = "self" if self.is_list else self.access[row.number]
            text = before(target, self._called("archlens.each_expert", [*line.inputs, all_of_them]))
            return lines + lines_of(text, indent, comment=shape)
        if row.number in self.access:
            text = _applied(self.access[row.number], line.inputs)
            return lines + assigned(line.outputs, text, indent, shape)
        return lines + self._write_function(row, target, line.inputs, indent, shape)

    def _shape_of_round(self, run: Repetition) -> str:
        shapes = [
            str(self._shape(self.children[k].outputs[0]))
            for k in range(run.start, run.start + run.period * run.times, run.period)
        ]
        return shapes[0] if len(set(shapes)) == 1 else f"{shapes[0]} to {shapes[-1]}"

    def _write_function(
        self, row: _Row, target: str, inputs: tuple[str, ...], indent: int, shape: str
    ) -> list[str]:
        """A call that makes no module: a merge, a reshape, a part of a tensor."""
        leaf = row.first.unit
        assert isinstance(leaf, Leaf)
        if leaf.target.startswith(scopes.AGAIN):
            path = leaf.target.removeprefix(scopes.AGAIN)
            own = next((k for k, child in enumerate(self.children) if child.name == path), -1)
            access = self.access.get(own) or f"self.get_submodule({quoted(path)})"
            return lines_of(before(target, _applied(access, inputs)), indent, comment=shape)
        sign = _SIGNS.get(leaf.target)
        arguments = [
            before(f"{key}=", self._stored(value)) if key else self._stored(value)
            for key, value in self.given[row.number]
        ]
        if row.number in self.taken:
            inputs = (*inputs, self.taken[row.number])
        if leaf.given:
            inputs = (*inputs, _reached(leaf.given))
        if sign and len(inputs) <= _TERMS:
            factors = [text for text in map(one_line, arguments) if text is not None]
            return _terms(target, (*inputs, *factors), sign, indent, shape)
        part = _slice(leaf.target, self.given[row.number], arguments)
        if part is not None:
            return lines_of(f"{target}{inputs[0]}[{part}]", indent, comment=shape)
        if leaf.target in _METHODS:
            method = f"{inputs[0]}.{leaf.target.removeprefix('torch.')}"
            return lines_of(before(target, call(method, _unpacked(arguments))), indent, comment=shape)
        function = leaf.target
        read: list[Piece] = list(inputs)
        if sign == "+":
            function, read = "sum", [bracketed("[", inputs[1:], "]"), inputs[0]]
        elif sign == "*":
            function, read = "prod", [bracketed("[", inputs[1:], "]"), f"start={inputs[0]}"]
        elif leaf.target == "torch.cat":
            read = [bracketed("[", inputs, "]")]
        return lines_of(before(target, self._called(function, [*read, *arguments])), indent, comment=shape)

    def _stored(self, value: Any) -> Piece:
        """An argument in ``forward``; a parameter is kept in an attribute for it."""
        if not isinstance(value, Reference):
            return literal(value)
        if value.name not in self.stored:
            self.stored[value.name] = unique(value.name, self.attributes)
            self.attributes.add(self.stored[value.name])
        return f"self.{self.stored[value.name]}"

    def _returned(self, names: dict[Value, str], *, open_: bool) -> tuple[list[str], str]:
        """The lines that return, and the type of what they return.

        Args:
            names: the variables.
            open_: whether the lines before stand under ``if self.training``.
        """
        if not self.is_root:
            values = list(names.values())
            if not values:
                return [], "None"
            line = f"        return {', '.join(values)}"
            lines = [line] if len(line) <= WIDTH else lines_of(bracketed("return (", values, ")"), 8)
            several = f"tuple[{', '.join(['Tensor'] * len(values)) if len(values) < 4 else 'Tensor, ...'}]"
            return lines, "Tensor" if len(values) == 1 else several
        every, always = [], []
        for name, value in self._outputs.items():
            every.append((name, names[value]))
            if value < 0 or not self.network.layers[value].training:
                always.append((name, names[value]))
        if len(every) == len(always):
            kind = "Tensor" if len(every) == 1 else "dict[str, Tensor]"
            return _dictionary(every, 8), kind
        lines = [] if open_ else ["        if self.training:"]
        lines += [*_dictionary(every, 12), *_dictionary(always, 8)]
        return lines, "Tensor | dict[str, Tensor]" if len(always) == 1 else "dict[str, Tensor]"


def _in_loop(lines: list[str], rounds: int) -> list[str]:
    """Lines of which the last is done so many times."""
    if rounds < 3:
        return [*lines, *lines[-1:] * (rounds - 1)]
    line = lines[-1]
    margin = " " * (len(line) - len(line.lstrip()))
    return [*lines[:-1], f"{margin}for _ in range({rounds}):", f"    {line}"]


def _reached(key: str) -> str:
    """How a tensor is reached from the whole, by its key."""
    path, _, name = key.rpartition(".")
    parts = path.split(".") if path else []
    if all(map(is_attribute, parts)):
        return ".".join(["self", *parts, name])
    return f"self.get_submodule({quoted(path)}).{name}"


class _Row(NamedTuple):
    """What one line of ``forward`` does, or one loop: the number of the child, the first and the last."""

    number: int
    first: Child
    last: Child
    loop: _Loop | None

    @property
    def training(self) -> bool:
        return self.first.training


def _applied(access: str, inputs: tuple[str, ...]) -> Piece:
    """A module, or ``torch.flatten``, applied to tensors."""
    return call(access, [*inputs, "1"] if access == "torch.flatten" else inputs)


def _dictionary(outputs: list[tuple[str, str]], indent: int) -> list[str]:
    """``return`` with the only output, or with a dict of them."""
    if len(outputs) == 1:
        return [f"{' ' * indent}return {outputs[0][1]}"]
    items = [f"{quoted(name)}: {variable}" for name, variable in outputs]
    return lines_of(bracketed("return {", items, "}"), indent)


def _terms(target: str, terms: tuple[str, ...], sign: str, indent: int, shape: str) -> list[str]:
    """A sum or a product; in brackets where it is long."""
    margin = " " * indent
    text = f" {sign} ".join(terms)
    if indent + len(target) + len(text) <= WIDTH:
        return [commented(f"{margin}{target}{text}", shape)]
    lines = [f"{margin}    {text}"]
    if len(lines[0]) > WIDTH:
        lines = [f"{margin}    {terms[0]}", *(f"{margin}    {sign} {term}" for term in terms[1:])]
    return [f"{margin}{target}(", *lines, commented(f"{margin})", shape)]


def _slice(target: str, given: list[tuple[str, Any]], arguments: list[Piece]) -> str | None:
    """What stands in the brackets of ``x[...]`` for a crop or a slice; a crop's numbers must be known."""
    values = [value for _, value in given]
    if target == "archlens.crop" and not any(isinstance(value, Reference) for value in values):
        starts, sizes = values
        return ", ".join([":", ":", *(f"{a or ''}:{a + n}" for a, n in zip(starts, sizes, strict=True))])
    if target == "archlens.take" and not isinstance(values[0], Reference):
        start, stop, step = map(str, arguments[1:])
        apart = any(isinstance(value, Reference) for value in values[1:])
        parts = [start if start != "0" else "", stop, *([step] if step != "1" else [])]
        part = " : ".join(parts).strip() if apart else ":".join(parts)
        return ", ".join([*[":"] * values[0], part])
    return None


def _argument(value: Any) -> Piece:
    """An argument in ``__init__``."""
    return value.name if isinstance(value, Reference) else literal(value)


def _tuple(values: list[Piece]) -> Piece:
    """A tuple of that."""
    return f"({one_line(values[0])},)" if len(values) == 1 else bracketed("(", values, ")")


def _unpacked(arguments: list[Piece]) -> Iterable[Piece | Item]:
    """Arguments, or what a tuple holds that is the only one."""
    if len(arguments) == 1 and isinstance(arguments[0], Brackets):
        return arguments[0].items
    return arguments


def _is(value: Any, default: Any) -> bool:
    """Whether an argument has its default; 1 is not True."""
    return type(value) is type(default) and value == default


def _declared(parameter: Parameter) -> Piece:
    """A parameter in a signature: ``stride: int = 1``."""
    kinds = " | ".join(dict.fromkeys(map(_type, parameter.values)))
    if parameter.default is REQUIRED:
        return f"{parameter.name}: {kinds}"
    return before(f"{parameter.name}: {kinds} = ", literal(parameter.default))


def _type(value: Any) -> str:
    """The type of a value, as an annotation."""
    if not isinstance(value, tuple):
        return "None" if value is None else type(value).__name__
    kinds = [_type(item) for item in value]
    if len(kinds) > 3 and len(set(kinds)) == 1:
        return f"tuple[{kinds[0]}, ...]"
    return f"tuple[{', '.join(kinds)}]" if len(kinds) <= 3 else "tuple"
