"""A network as the tree of its scopes, and which of them are one class with different constants.

A scope becomes either an ``nn.Sequential``, written where it is used, or a class. Scopes of one name that
have the same skeleton (names, calls, wiring) share a class; what differs between them are its parameters.
Knows nothing of how source is laid out, and nothing of torch but the names of its arguments.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any, NamedTuple

from ..analysis.nesting import Child, Nesting, Scope, is_number, shape_of
from ..analysis.uses import Use
from ..errors import UsageError, shorten, usage
from ..grouping import grouped
from ..network import Layer, Network
from ..ops import REQUIRED, Call
from ..ops.experts import Choose
from ..ops.linear import Linear
from ..shape import Shape
from .formatting import is_attribute, title, unique, word
from .signatures import (
    CHANNELS,
    LIST_ATTRIBUTES,
    MODULE_ATTRIBUTES,
    PADS_APART,
    READS,
    Field,
    Initial,
    arguments_of,
    initial_of,
)

#: What is made of a network here, as messages say it.
WRITTEN = "written as source"

#: What stands before the path of what is called again, where the target of a call stands.
AGAIN = "again:"

#: What multiplies tokens by the weights of their experts, which lie in one tensor.
_STACKED = "archlens.each_stacked"

#: The same of matrices that have a row for each input.
_TURNED = "archlens.each_turned"

#: What adds the biases of their experts, which lie in another.
_BIASED = "archlens.each_bias"

_CONV = ("stride", "padding", "output_padding", "groups", "dilation")

#: The functions that are given a weight, each in the place of a module, with what else it takes.
FUNCTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "nn.Linear": ("F.linear", ()),
    **{f"nn.Conv{n}d": (f"F.conv{n}d", _CONV) for n in (1, 2, 3)},
    **{f"nn.ConvTranspose{n}d": (f"F.conv_transpose{n}d", _CONV) for n in (1, 2, 3)},
}

#: How deep ``nn.Sequential`` is nested before one becomes a class, for eyes and for Python's parser.
_NESTING = 3


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """A call with all of its arguments, those that have their default too.

    Where it takes a parameter of its own, the arguments of what makes that stand behind those of the call.
    """

    target: str
    #: ``torch.reshape`` and the like, which are called where they are needed and not constructed.
    is_function: bool
    fields: tuple[Field, ...]
    values: tuple[Any, ...]
    #: Calls with an equal key differ in values alone.
    key: int
    stateful: bool
    #: What makes the parameter that it takes.
    initial: Initial | None
    #: The path of the tensor of another module that it is given.
    given: str = ""


@dataclass(slots=True, eq=False)
class SourceScope(Scope):
    """A scope, and what is written for it."""

    sees_out = False  # a module does not know those around it
    stateful: bool = False
    #: It is constructed first and then applied.
    is_function: bool = False
    #: How many ``nn.Sequential`` it holds in each other; 0 for a class.
    nesting: int = 0
    key: int = 0
    made_by: Class | None = None
    #: The values of its class's parameters.
    arguments: tuple[Any, ...] = ()


class Parameter(NamedTuple):
    """A parameter of a class."""

    name: str
    positional: bool
    default: Any
    meaning: str
    values: tuple[Any, ...]


class Reference(NamedTuple):
    """A parameter as an argument."""

    name: str


@dataclass(slots=True, eq=False)
class Class:
    """Scopes of one skeleton."""

    base: str
    #: An ``nn.Sequential`` of its own, with nothing to say but its items.
    is_chain: bool
    scopes: list[SourceScope]
    name: str = ""
    parameters: tuple[Parameter, ...] = ()
    #: The arguments of all calls in it, in order: values, or references to parameters.
    arguments: tuple[Any, ...] = ()
    #: For each leaf that has another target than its own, by the position of its first argument.
    targets: dict[int, str] = field(default_factory=dict)

    @property
    def example(self) -> SourceScope:
        """The scope whose names and shapes stand for all."""
        return self.scopes[0]


class Tree(NamedTuple):
    """The scopes of a network and the classes that they take, the innermost first."""

    root: SourceScope
    classes: list[Class]


def read(network: Network, functions: frozenset[str], root_name: str, reserved: frozenset[str]) -> Tree:
    """The tree of a network's scopes.

    Args:
        network: what is read.
        functions: the targets ``archlens.*`` that are functions; all others are modules.
        root_name: the name of the network's own class.
        reserved: names that no other class may take.
    """
    reader = _Reader(network, functions)
    classes = _classes(reader, root_name)
    _name(classes, {*reserved, root_name})
    for one in classes:
        _parametrize(one, reader)
    return Tree(reader.root, classes)


def is_function(target: str, functions: frozenset[str]) -> bool:
    """Whether a call is made where it is needed, rather than constructed first."""
    if target.startswith("archlens."):
        return target in functions
    if package_of(target):
        return not target.rpartition(".")[2][:1].isupper()  # as people name classes and functions
    return not target.startswith("nn.")


def package_of(target: str) -> str:
    """The module that a call is imported from, where neither torch nor archlens has it; else empty."""
    library = target.rpartition(".")[0]
    return "" if library.partition(".")[0] in ("", "nn", "torch", "operator", "archlens", "F") else library


def with_stacked_apart(network: Network) -> Network:
    """The network in which what has the weights of all experts in one tensor reads which were chosen.

    Stacked biases, parameters of their own, are added by layers of their own.

    Raises:
        UsageError: another layer has the name of a bias.
    """
    if not any(copies.stacked for copies in network.experts.values()):
        return network
    names: dict[str, str] = {}
    layers: list[Layer] = []
    for layer in network.layers:
        inputs = tuple([names.get(name, name) for name in layer.inputs])
        weights = network.index.get(layer.again, layer).facts.weights
        if layer.copies is None or not layer.copies.stacked or not weights:
            layers.append(layer._replace(inputs=inputs))
            continue
        sizes = weights["weight"]
        stacked = _TURNED if isinstance(layer.op, Linear) and layer.op.turned else _STACKED
        product = Call(stacked, parameter=Call("archlens.normal", sizes=sizes, deviation=0.02))
        layers.append(_stacked(layer, layer.name, inputs, sizes, product))
        if "bias" in weights:
            name = names[layer.name] = f"{layer.name}_bias"
            if name in network.index:
                why = f"{shorten(name)} is a layer, and the bias of {shorten(layer.name)}"
                raise usage(f"{shorten(network.name)} cannot be {WRITTEN}: {why}", span=layer.span)
            sizes = weights["bias"]
            added = Call(_BIASED, parameter=Call("torch.zeros", size=sizes))
            layers.append(_stacked(layer, name, (layer.name,), sizes, added))
    outputs = {name: names.get(end, end) for name, end in network.outputs.items()}
    index = {layer.name: layer for layer in layers}
    return replace(network, layers=tuple(layers), index=index, outputs=outputs)


def _stacked(layer: Layer, name: str, inputs: tuple[str, ...], sizes: tuple[int, ...], call: Call) -> Layer:
    """A part of a layer of experts that has one of its tensors, which are stacked."""
    assert layer.copies is not None
    facts = layer.facts._replace(weights={} if layer.again else {"": sizes}, torch=call)
    again = layer.again + name[len(layer.name) :] if layer.again else ""
    inputs = (*inputs, layer.copies.chosen)
    return layer._replace(name=name, inputs=inputs, facts=facts, keys={}, again=again)


def is_expert(network: Network, scope: Scope, child: Child) -> bool:
    """Whether a child is the first of many experts, each of which has tensors of its own."""
    copies = network.layers[child.outputs[-1]].copies if child.outputs else None
    path = f"{scope.path}.{child.name}" if scope.path else child.name
    return copies is not None and not copies.stacked and path == f"{copies.scope}.0"


class _Reader:
    """Reads the layers into scopes, each with the call that is written for it."""

    def __init__(self, network: Network, functions: frozenset[str]) -> None:
        self.network = network
        self.functions = functions
        self.keys: dict[Any, int] = {}
        self.leaves: dict[Any, Leaf] = {}
        self.applied: list[tuple[Use, SourceScope | None]] = []
        tree = Nesting(network, self._leaf, self._needed(), SourceScope, self._use)
        self.root: SourceScope = tree.closed[-1]
        self.results = tree.results
        #: Every scope, those inside before the one around.
        self.closed: list[SourceScope] = tree.closed
        for scope in self.closed:
            scope.stateful = any(child.unit.stateful for child in scope.children)
        for layer in network.layers:
            if isinstance(layer.op, Choose):
                number = tree.numbers[layer.name]
                self._route(tree.homes[number], number)
        for use, part in self.applied:
            if part is not None and [network.layers[value].name for value in part.outputs] != [
                first.name for first, layer in use.pairs if layer.name == use.end
            ]:
                raise self._refused(use, "not only the end of it is read")

    def _route(self, scope: Scope, chosen: int) -> None:
        """Let what each expert has read which of them were chosen for each token."""
        for number, child in enumerate(scope.children):
            copies = self.network.layers[child.outputs[-1]].copies if child.outputs else None
            chooses = copies is not None and copies.chosen == self.network.layers[chosen].name
            if chooses and is_expert(self.network, scope, child):
                scope.children[number] = child._replace(inputs=(*child.inputs, chosen))

    def intern(self, key: Any) -> int:
        """A number for a key; equal keys have one number."""
        return self.keys.setdefault(key, len(self.keys))

    def _needed(self) -> set[str]:
        """The layers that are written: all with modules or parameters, and functions whose result is used."""
        read, needed = set(self.network.outputs.values()), set()
        for layer in reversed(self.network.layers):
            torch = layer.facts.torch
            has_state = torch.parameter is not None or not is_function(torch.target, self.functions)
            if has_state or layer.name in read:
                needed.add(layer.name)
                read.update(layer.inputs)
        return needed

    def _use(self, use: Use, scope: Scope, part: Scope | None) -> tuple[Leaf, list[str]]:
        """The call of what was made before, and what it reads.

        Raises:
            UsageError: it is called otherwise, or by what cannot see it.
        """
        for first, layer in use.pairs:
            one, other = first.facts.torch, layer.facts.torch
            if not other.does_as(one):
                raise self._refused(use, f"{shorten(layer.name)} is {other}, and {shorten(first.name)} {one}")
        inside = f"{scope.path}." if scope.path else ""
        if not use.of.startswith(inside):
            raise self._refused(use, f"it stands outside of {shorten(scope.path)}, which applies it")
        assert part is None or isinstance(part, SourceScope)
        self.applied.append((use, part))
        names = [*self.network.inputs]
        reads = (
            list(use.pairs[0][0].inputs)
            if part is None
            else [
                names[-1 - value] if value < 0 else self.network.layers[value].name for value in part.inputs
            ]
        )
        path = use.of[len(inside) :]
        key = self.intern(("again", path, len(reads)))
        return Leaf(AGAIN + path, True, (), (), key, False, None), [use.inputs[name] for name in reads]

    def _refused(self, use: Use, why: str) -> UsageError:
        return usage(
            f"{shorten(self.network.name)} cannot be {WRITTEN}: {shorten(use.of)} is used again, and {why}",
            span=use.pairs[0][1].span,
        )

    def _leaf(self, layer: Layer) -> Leaf:
        facts = layer.facts
        borrowed = self.network.borrowed(layer)
        if borrowed:
            return self._given(layer, borrowed)
        # what has the weight of another layer is no function for it: the weight is given to its module
        known = id(facts), bool(layer.keys)
        found = self.leaves.get(known)
        if found is None:
            torch = facts.torch
            fields, values = arguments_of(torch)
            target = torch.target
            initial = None
            if torch.parameter is not None:
                initial, further, made_of = initial_of(
                    torch.parameter, len(fields), trained=not facts.buffers
                )
                fields, values = (*fields, *further), (*values, *made_of)
            key = self.intern(("leaf", PADS_APART.get(target, target), fields, initial, layer.copied))
            stateful = bool(facts.weights or facts.buffers or layer.keys)
            found = self.leaves[known] = Leaf(
                target, is_function(target, self.functions), fields, values, key, stateful, initial
            )
        return found

    def _given(self, layer: Layer, borrowed: Mapping[str, str]) -> Leaf:
        """A function that is given the weight of a module.

        Raises:
            UsageError: there is no such function, or the module lies in another scope.
        """
        key, call = borrowed["weight"], layer.facts.torch
        function = FUNCTIONS.get(call.target)
        inside = f"{layer.scope}." if layer.scope else ""
        why = ""
        if function is None or layer.facts.weights or layer.facts.buffers:
            why = f"{shorten(str(layer.op))} has tensors of its own beside it, or no function"
        elif not key.startswith(inside):
            why = f"that stands outside of {shorten(layer.scope)}"
        if function is None or why:
            raise usage(
                f"{shorten(self.network.name)} cannot be {WRITTEN}: {shorten(layer.name)} reads "
                f"{shorten(key)}, and {why}",
                span=layer.span,
            )
        target, taken = function
        arguments: dict[str, Any] = {name: one for name, one in call.arguments.items() if name in taken}
        fields, values = arguments_of(Call(target, **arguments))
        given = key[len(inside) :]
        number = self.intern(("given", target, given, fields))
        return Leaf(target, True, fields, values, number, False, None, given)


# --- what becomes a class --------------------------------------------------------------------------


def _classes(reader: _Reader, root_name: str) -> list[Class]:
    """Give every scope its form and, where that is a class, the class; those inside come first."""
    found: dict[Any, Class] = {}
    for scope in reader.closed:
        chain = _is_chain(scope, reader)
        if scope.parent is None:
            whole = chain and is_counted(scope.children) and not any(c.training for c in scope.children)
            whole = whole and not reader.network.aliases
            found["root"] = scope.made_by = Class(root_name, whole, [scope], root_name)
            continue
        inside = max((c.unit.nesting for c in scope.children if isinstance(c.unit, SourceScope)), default=0)
        if chain and inside < _NESTING and _is_short(scope):
            scope.nesting = inside + 1
            names = tuple([child.name for child in scope.children])
            keys = tuple([child.unit.key for child in scope.children])
            scope.key = reader.intern(("sequential", names, keys))
            continue
        counted = chain and is_counted(scope.children)
        base = _base(scope)
        if len(base) == 1 and scope.parent.parent is not None:
            base = _base(scope.parent) + base
        scope.key = reader.intern((base, counted, _skeleton(scope)))
        shared = found.get(scope.key)
        if shared is None:
            shared = found[scope.key] = Class(base, counted, [])
        shared.scopes.append(scope)
        scope.made_by = shared
    return list(found.values())


def _base(scope: Scope) -> str:
    """What the class of a scope is called, but for a number."""
    return title(scope.block or re.sub(r"[0-9]+$", "", scope.name), "Block")


def _is_chain(scope: SourceScope, reader: _Reader) -> bool:
    """Whether each child reads what the one before it makes, and nothing else does."""
    inputs, outputs = tuple(scope.inputs), tuple(scope.outputs)
    if scope.parent is None:
        inputs = tuple(range(-1, -1 - len(reader.network.inputs), -1))
        outputs = tuple(reader.results) if len(reader.network.outputs) == 1 else ()
    flowing = inputs
    for child in scope.children:
        if child.unit.is_function or child.inputs != flowing or len(child.outputs) != 1:
            return False
        flowing = child.outputs
    return len(inputs) == 1 and bool(scope.children) and outputs == flowing


def is_counted(children: list[Child]) -> bool:
    """Whether the names are numbers in order, as ``nn.Sequential`` gives; some may be left out."""
    if not all(child.is_numbered for child in children):
        return False
    numbers = [int(child.name) for child in children]
    return numbers == sorted(numbers) and (not numbers or numbers[-1] < 2 * len(numbers) + 2)


def _is_short(scope: SourceScope) -> bool:
    """Whether a chain is written where it is used: all that was only named, and small blocks."""
    if is_counted(scope.children):
        only_scopes = all(isinstance(child.unit, SourceScope) for child in scope.children)
        return not scope.block or only_scopes or len(scope.children) <= 2
    return not scope.block and not any(
        child.name in MODULE_ATTRIBUTES | LIST_ATTRIBUTES or child.name.startswith("__") or "." in child.name
        for child in scope.children
    )


def _skeleton(scope: SourceScope) -> Any:
    """The scope without its constants: names, calls, and who reads what."""
    places = {value: (-1, k) for k, value in enumerate(scope.inputs)}
    parts = []
    for number, child in enumerate(scope.children):
        parts.append(
            (child.name, child.unit.key, child.kind, tuple([places[value] for value in child.inputs]))
        )
        places |= {value: (number, k) for k, value in enumerate(child.outputs)}
    return tuple(parts), tuple([places[value] for value in sorted(scope.outputs)])


def _name(classes: list[Class], taken: set[str]) -> None:
    """Name classes after their block; a second skeleton by what it has more, or by a number."""
    blocks = {one.base for one in classes if one.example.block}
    for one in classes:
        if not one.name and not one.example.block and one.base in blocks:
            one.base = f"{one.base}Layers"
    for base, members in grouped((one.base, one) for one in classes if not one.name).items():
        plain = min(members, key=lambda one: len(one.example.children))
        plain.name = unique(base if base not in taken else f"{base}Block", taken)
        taken.add(plain.name)
        usual = {child.name for child in plain.example.children}
        for one in members:
            if one is not plain:
                more = [c.name for c in one.example.children if c.name not in usual and is_attribute(c.name)]
                suffix = title(more[0], "") if len(more) == 1 else ""
                one.name = unique(plain.name + suffix, taken)
                taken.add(one.name)


# --- parameters -----------------------------------------------------------------------------------


class _Slot(NamedTuple):
    """An argument somewhere in a scope."""

    path: tuple[str, ...]
    field: Field
    value: Any


def _slots(scope: SourceScope, path: tuple[str, ...] = ()) -> Iterator[_Slot]:
    for child in scope.children:
        unit = child.unit
        here = (*path, child.name)
        if isinstance(unit, Leaf):
            yield from map(_Slot, repeat(here), unit.fields, unit.values)
        elif unit.made_by is None:
            yield from _slots(unit, here)
        else:
            for one, value in zip(unit.made_by.parameters, unit.arguments, strict=True):
                yield _Slot(here, Field(one.name, one.positional, one.default, one.meaning), value)


def leaves(scope: SourceScope, start: int = 0) -> Iterator[tuple[int, Leaf]]:
    """The calls of a class, each with the position of its first argument."""
    for child in scope.children:
        unit = child.unit
        if isinstance(unit, Leaf):
            yield start, unit
        elif unit.made_by is None:
            yield from leaves(unit, start)
        start += width(unit)


def width(unit: Leaf | SourceScope) -> int:
    """How many arguments a leaf or a scope takes in a class."""
    if isinstance(unit, Leaf):
        return len(unit.values)
    if unit.made_by is not None:
        return len(unit.made_by.parameters)
    return sum(width(child.unit) for child in unit.children)


def _parametrize(one: Class, reader: _Reader) -> None:
    """Find what differs between the scopes of a class, and make it the parameters."""
    slots = list(_slots(one.example))
    if len(one.scopes) == 1:
        one.arguments = tuple([slot.value for slot in slots])
        return
    rows = [[slot.value for slot in _slots(scope)] for scope in one.scopes]
    _pad_apart(one, rows)
    columns = list(zip(*rows, strict=True))
    groups = grouped(
        ((slots[position].field.meaning, column, kinds), position)
        for position, column in enumerate(columns)
        if len(set(kinds := tuple(map(type, column)))) > 1 or any(value != column[0] for value in column)
    )
    names = _Names(one, reader.network)
    members = list(groups.values())
    chosen = names.choose([[slots[p] for p in group] for group in members], [columns[g[0]] for g in members])
    arguments: list[Any] = list(rows[0])
    parameters: list[tuple[Any, Parameter]] = []
    for order, (group, name) in enumerate(zip(members, chosen, strict=True)):
        lead = _lead([slots[position] for position in group]).field
        column = columns[group[0]]
        default = _default(lead, column)
        positional = lead.positional and default is REQUIRED
        rank = (default is not REQUIRED, not positional, names.rank(name), order)
        parameters.append((rank, Parameter(name, positional, default, lead.meaning, column)))
        for position in group:
            arguments[position] = Reference(name)
    parameters.sort(key=lambda pair: pair[0])
    one.parameters = tuple([parameter for _, parameter in parameters])
    one.arguments = tuple(arguments)
    for number, scope in enumerate(one.scopes):
        scope.arguments = tuple([parameter.values[number] for parameter in one.parameters])


def _default(lead: Field, column: tuple[Any, ...]) -> Any:
    """Torch's default if it occurs, else what most scopes have; sizes are always said."""
    if lead.positional or (lead.name in CHANNELS and lead.name != "groups"):
        return REQUIRED
    if lead.default in column:
        return lead.default
    value, count = Counter(column).most_common(1)[0]
    return value if 2 * count > len(column) else REQUIRED


def _pad_apart(one: Class, rows: list[list[Any]]) -> None:
    """Where some scopes pad each side by its own amount, let all do."""
    examples = list(leaves(one.example))
    targets = [[leaf.target for _, leaf in leaves(scope)] for scope in one.scopes]
    for (start, leaf), column in zip(examples, zip(*targets, strict=True), strict=True):
        if len(set(column)) == 1:
            continue
        apart = PADS_APART[leaf.target]
        one.targets[start] = apart
        axes = int(apart[-2])
        position = start + [f.name for f in leaf.fields].index("padding")
        for row in rows:
            padding = row[position]
            sides = padding if isinstance(padding, tuple) else (padding,) * axes
            row[position] = tuple(side if isinstance(side, tuple) else (side, side) for side in sides)


class _Names:
    """Names for the parameters of a class."""

    def __init__(self, one: Class, network: Network) -> None:
        self.incoming = [shape_of(network, next(iter(scope.inputs))) for scope in one.scopes]
        self.outgoing = [
            shape_of(network, max(scope.outputs)) if scope.outputs else Shape((0,)) for scope in one.scopes
        ]

    def choose(self, groups: list[list[_Slot]], columns: list[tuple[Any, ...]]) -> list[str]:
        """A name for each group of slots; all differ."""
        found = [self._by_role(group, column) for group, column in zip(groups, columns, strict=True)]
        inner = [k for k, group in enumerate(groups) if not found[k] and group[0].field.meaning == "channels"]
        if len(inner) == 1 and not _is_count(groups[inner[0]]):
            flat = _lead(groups[inner[0]]).field.name in ("in_features", "out_features", "mid_features")
            found[inner[0]] = "mid_features" if flat else "mid_channels"
        plain = {
            k: group[0].field.name
            for k, group in enumerate(groups)
            if not found[k] and (k not in inner or _is_count(group))
        }
        counts = Counter(plain.values())
        for k, name in plain.items():
            if counts[name] == 1:
                found[k] = name
        return _distinct(found, groups)

    def _by_role(self, group: list[_Slot], column: tuple[Any, ...]) -> str:
        """``in_channels`` and the like, for what is so in every scope of the class."""
        if group[0].field.meaning != "channels" or _is_count(group):
            return ""
        enters = all(shape.channels == size for shape, size in zip(self.incoming, column, strict=True))
        leaves = all(shape.channels == size for shape, size in zip(self.outgoing, column, strict=True))
        shapes = self.incoming if enters else self.outgoing
        what = "features" if all(len(shape) == 1 for shape in shapes) else "channels"
        return what if enters and leaves else f"in_{what}" if enters else f"out_{what}" if leaves else ""

    @staticmethod
    def rank(name: str) -> int:
        """What comes in stands first, what comes out last, then the kernel."""
        ends = {"in_channels": 0, "in_features": 0, "channels": 0, "features": 0}
        return ends.get(name, 2 if name in ("out_channels", "out_features") else 3 if "kernel" in name else 1)


def _is_count(group: list[_Slot]) -> bool:
    """Whether these are numbers of groups alone."""
    return all(slot.field.name in ("groups", "num_groups") for slot in group)


#: The longest name that is made of the names of layers.
_LONG = 60


def _distinct(found: list[str], groups: list[list[_Slot]]) -> list[str]:
    """The names found so far, and for the rest one by layer and argument, as short as makes them differ."""
    leads = [_lead(group) for group in groups]
    deepest = max((len(lead.path) for lead in leads), default=0)
    for depth, numbers, whole in (
        *((depth, False, False) for depth in range(1, deepest + 1)),
        *((depth, True, False) for depth in range(1, deepest + 1)),
        (deepest, True, True),
    ):
        tried = [_called(lead, depth, numbers=numbers, whole=whole) for lead in leads]
        open_ = [k for k, name in enumerate(found) if not name]
        counts = Counter([tried[k] for k in open_])
        for k in open_:
            if counts[tried[k]] == 1 and tried[k] not in found:
                found[k] = tried[k]
    taken: set[str] = set()
    for k, group in enumerate(groups):
        name = found[k] or _called(leads[k], deepest, numbers=False, whole=False)
        found[k] = unique(word(name if len(name) <= _LONG else _lead(group).field.name), taken)
        taken.add(found[k])
    return found


def _lead(group: list[_Slot]) -> _Slot:
    """The argument that makes a size, before those that repeat it."""
    return next((slot for slot in group if not _reads(slot)), group[0])


def _reads(slot: _Slot) -> bool:
    """Whether an argument repeats what another layer makes."""
    return slot.field.name.startswith("in_") or slot.field.name in READS


def _called(slot: _Slot, depth: int, *, numbers: bool, whole: bool) -> str:
    """An argument by the last ``depth`` names that lead to it, and more where all of them are numbers."""
    start = max(len(slot.path) - depth, 0)
    while start > 0 and all(map(is_number, slot.path[start:])):
        start -= 1
    parts = [part for part in slot.path[start:] if numbers or not is_number(part)]
    if parts and is_number(parts[0]):
        parts[0] = f"layer{parts[0]}"
    field_name = slot.field.name if whole else re.sub("^(out|num|mid)_", "", slot.field.name)
    return "_".join([*parts, field_name])
