"""Where everything is in a network whose scopes are opened and closed: each scope laid out by itself.

A scope is a box in the scope around it, and what is in it has places of its own, from (0, 0). The page puts
an opened scope in the place of its box and moves the rest apart, so that any scopes may be open at once; no
place is found in the page. Scopes of the same shape share their places. Boxes and lines are placed as those
of ``archlens diagram`` are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..analysis.repeats import Stretch, Tree
from ..analysis.study import Study
from ..drawing.fit import SMALL
from ..drawing.frame import NAME
from ..drawing.layout import lay_out
from ..drawing.metrics import fitted, width
from ..drawing.placing import Given, Link
from ..drawing.plan import is_position, short
from ..errors import Unplaced, printable
from ..network import Layer, Network, scopes_around
from ..views import explanation, words

#: The height of a box, the space within it, and the least and the most width.
HIGH, PAD, NARROW, WIDE = 34.0, 9.0, 96.0, 250.0
#: The space between one row and the next, and the size of what stands for a way in or out.
APART, PORT = 18.0, (1.0, 1.0)
#: The width of what stands before the name of a scope that can be opened.
OPENS = width("+ ", NAME, True)
#: How many boxes a scope may have that is laid out, and how many lines.
BOXES, LINES = 600, 1500


@dataclass
class _Scope:
    """A scope while its contents are found."""

    path: str
    #: Its layers and scopes, each by what it is and its name, in order.
    children: dict[tuple[bool, str], int] = field(default_factory=dict)
    #: What flows into it and out of it, by the names of the tensors.
    enters: dict[str, None] = field(default_factory=dict)
    leaves: dict[str, None] = field(default_factory=dict)
    #: From what to what within it: children by their numbers, tensors that enter or leave by their names.
    links: dict[tuple[int | str, int | str], None] = field(default_factory=dict)


class Told:
    """What was told of layers and scopes of any network, so that it is found once for all that are alike."""

    def __init__(self) -> None:
        self._layers: dict[tuple[object, ...], tuple[Layer, tuple[str, ...]]] = {}
        self._fitted: dict[tuple[str, float, bool], tuple[str, float]] = {}
        #: Places, by what is laid out.
        self.places: dict[str, dict[str, Any]] = {}

    def layer(self, layer: Layer) -> tuple[str, ...]:
        """Its op, its family, its shape, the second line of its box, and its derivation."""
        if layer.keys or layer.again:  # of which the derivation names other layers
            return _layer(layer)
        # what is of one op on one shape has the same facts, the very object
        key = (layer.op, layer.input_shapes, id(layer.facts), layer.copies, layer.training)
        if key not in self._layers:
            self._layers[key] = layer, _layer(layer)
        return self._layers[key][1]

    def fitted(self, text: str, size: float, bold: bool = False) -> tuple[str, float]:
        """A text of a box as far as there is room for it, and how wide it is then."""
        key = text, size, bold
        if key not in self._fitted:
            said = fitted(text, size, WIDE - 2 * PAD, bold=bold)
            self._fitted[key] = said, width(said, size, bold)
        return self._fitted[key]


def _layer(layer: Layer) -> tuple[str, ...]:
    op, shape = printable(str(layer.op)), str(layer.shape)
    lines = "\n".join(f"{title}\t{text}" for title, text in explanation.lines(layer))
    return op, layer.op.family, shape, f"{printable(short(layer))} \u2192 {shape}", lines


class Nested:
    """The scopes of a network as the page has them; what did not fit behind it is one more layer."""

    def __init__(self, study: Study, told: Told, failed: Unplaced | None = None) -> None:
        self.study = study
        self.network = study.network
        self.told = told
        self.failed = failed
        self.labels: dict[tuple[bool, str], tuple[str, str]] = {}
        self.layers: list[Layer | Unplaced] = [*self.network.layers, *([failed] if failed else [])]
        self.scopes = {"": _Scope("")}
        self.places: dict[str, int] = {}
        self.laid: list[Any] = []
        for layer in self.layers:
            self._place(layer)
        known = {*self.network.index, *self.network.inputs}
        for layer in self.layers:
            for name in dict.fromkeys(layer.inputs):
                if name in known:
                    self._link(name, layer)
        for name in dict.fromkeys(() if failed else self.network.outputs.values()):
            self._out(name)

    def data(self) -> dict[str, Any]:
        """The scopes, the outermost first, and the places that they have."""
        order = list(self.scopes)
        number = {path: i for i, path in enumerate(order)}
        layers = {layer.name: i for i, layer in enumerate(self.layers)}
        inputs = {name: i for i, name in enumerate(self.network.inputs)}

        def tensor(name: str) -> int:
            return layers[name] if name in layers else -1 - inputs[name]

        folds = {tree.path: self._folds(tree) for tree in self._trees()}
        scopes = []
        for scope in self.scopes.values():
            said: dict[str, Any] = {
                "name": printable(scope.path),
                "made": printable(self.network.made_by(scope.path)) if scope.path else "",
                "children": [
                    [0, layers[name]] if single else [1, number[name]] for single, name in scope.children
                ],
                "enters": [tensor(name) for name in scope.enters],
                "leaves": [tensor(name) for name in scope.leaves],
                "places": self._places(scope, []),
            }
            if folds.get(scope.path):
                said["folds"] = [[*one, printable(changes)] for one, changes in folds[scope.path]]
                said["folded"] = self._places(scope, [one for one, _ in folds[scope.path]])
            scopes.append(said)
        return {"scopes": scopes, "places": self.laid}

    def _trees(self) -> Iterator[Tree]:
        """All scopes of the network, as what repeats is found in them."""
        trees = [self.study.repeats.root]
        while trees:
            tree = trees.pop()
            yield tree
            trees += [child for child in tree.children if isinstance(child, Tree)]

    def _folds(self, tree: Tree) -> list[tuple[Stretch, str]]:
        """Which children of a scope repeat, and in what they differ."""
        found, start = [], 0
        for fold in self.study.repeats.folds([tree]):
            one = Stretch(start, len(fold.columns), fold.count)
            start = one.stop
            if one.copies > 1:
                found.append((one, "; ".join(fold.changes)))
        return found

    # --- what is in what ------------------------------------------------------------------------------

    def _place(self, layer: Layer | Unplaced) -> None:
        around = self.scopes[""]
        for path in scopes_around(layer.name):
            around.children.setdefault((False, path), len(around.children))
            around = self.scopes.setdefault(path, _Scope(path))
        around.children.setdefault((True, layer.name), len(around.children))

    def _child(self, scope: _Scope, layer: str) -> int:
        """The child of a scope that a layer is, or lies in."""
        if (True, layer) in scope.children:
            return scope.children[True, layer]
        depth = scope.path.count(".") + 2 if scope.path else 1
        return scope.children[False, ".".join(layer.split(".")[:depth])]

    def _link(self, name: str, layer: Layer | Unplaced) -> None:
        """Lead what a layer reads to it, through all scopes on the way."""
        around = ["", *scopes_around(layer.name)]
        source = ["", *scopes_around(name)] if name in self.network.index else []
        shared = sum(1 for a, b in zip(around, source, strict=False) if a == b)
        common = around[max(shared - 1, 0)]
        for path in around[max(shared, 1) :]:
            scope = self.scopes[path]
            scope.enters.setdefault(name)
            scope.links.setdefault((name, self._child(scope, layer.name)))
        scope = self.scopes[common]
        if not source:
            scope.enters.setdefault(name)
            scope.links.setdefault((name, self._child(scope, layer.name)))
            return
        tail, head = self._child(scope, name), self._child(scope, layer.name)
        if tail != head:
            scope.links.setdefault((tail, head))
        self._leave(name, source[shared:])

    def _leave(self, name: str, paths: Sequence[str]) -> None:
        for path in paths:
            scope = self.scopes[path]
            scope.leaves.setdefault(name)
            scope.links.setdefault((self._child(scope, name), f">{name}"))

    def _out(self, name: str) -> None:
        if name in self.network.index:
            self._leave(name, ["", *scopes_around(name)])

    # --- where it is ----------------------------------------------------------------------------------

    def _places(self, scope: _Scope, folds: Sequence[Stretch]) -> int | None:
        """The number of its places; ``None`` where there is too much to lay out.

        Args:
            scope: whose children are placed.
            folds: those of which the first stands for all.
        """
        # for each child the one that is shown, the fold that it is in, and the copy in that
        stands = {i: (i, -1, 0) for i in range(len(scope.children))}
        badges: dict[int, int] = {}
        for number, fold in enumerate(folds):
            for i in range(fold.start, fold.stop):
                badges[i] = fold.copies
                copy, column = divmod(i - fold.start, fold.period)
                stands[i] = fold.start + column, number, copy
        shown = [i for i, (first, _, _) in stands.items() if first == i]
        nodes: dict[int | str, int] = {i: number for number, i in enumerate(shown)}
        for name in (*scope.enters, *(f">{name}" for name in scope.leaves)):
            nodes[name] = len(nodes)
        found: dict[tuple[int, int], None] = {}
        for link in scope.links:
            tail, *leaving = stands[link[0]] if isinstance(link[0], int) else (link[0], -1, 0)
            head, *entering = stands[link[1]] if isinstance(link[1], int) else (link[1], -1, 0)
            # the way from one copy to the next is not seen
            if leaving[0] < 0 or leaving[0] != entering[0] or leaving == entering:
                found[nodes[tail], nodes[head]] = None
        if len(nodes) > BOXES or len(found) > LINES:
            return None
        sizes = [*self._sizes(scope, shown, badges)]
        sizes += [PORT] * (len(scope.enters) + len(scope.leaves))
        links = list(found)
        key = repr((sizes, links, len(scope.enters)))
        if key not in self.places:
            self.places[key] = len(self.laid)
            if key not in self.told.places:
                self.told.places[key] = self._laid(scope, sizes, links)
            self.laid.append(self.told.places[key])
        return self.places[key]

    def _laid(
        self, scope: _Scope, sizes: Sequence[tuple[float, float]], links: Sequence[tuple[int, int]]
    ) -> dict[str, Any]:
        # the layout takes boxes after those that they read: ways in first
        first = len(scope.enters)
        count = len(sizes) - first - len(scope.leaves)
        order = [*range(count, count + first), *range(count), *range(count + first, len(sizes))]
        where = {node: i for i, node in enumerate(order)}
        given = Given(
            [sizes[node] for node in order],
            [Link(where[tail], where[head]) for tail, head in links],
            [-1] * len(order),
            [],
            [],
            APART,
        )
        layout = lay_out(given, "tb")
        return {
            "size": [_round(layout.width), _round(layout.height)],
            "boxes": [
                [_round(v) for v in (area.x, area.y, area.width, area.height)]
                for area in (layout.boxes[where[node]] for node in range(len(order)))
            ],
            "lines": [
                [order[wire.tail], order[wire.head], [_round(v) for point in wire.points for v in point]]
                for wire in layout.wires
            ],
        }

    def _sizes(
        self, scope: _Scope, shown: Sequence[int], badges: Mapping[int, int]
    ) -> Iterator[tuple[float, float]]:
        children = list(scope.children)
        for i in shown:
            single, name = children[i]
            first, second = self.label(single, name)
            # before a scope stands whether it is open
            _, head = self.told.fitted(first, NAME, True)
            head += 0 if single else OPENS
            _, foot = self.told.fitted(second, SMALL)
            if i in badges:
                head += self.told.fitted(f"x{badges[i]:,}", NAME, True)[1] + PAD
            needed = max(head, foot) + 2 * PAD
            yield float(round(min(max(needed, NARROW), WIDE))), HIGH

    def label(self, single: bool, name: str) -> tuple[str, str]:
        """The two lines of a box."""
        if (single, name) not in self.labels:
            first, second = self._label(single, name)
            self.labels[single, name] = (
                self.told.fitted(first, NAME, True)[0],
                self.told.fitted(second, SMALL)[0],
            )
        return self.labels[single, name]

    def _label(self, single: bool, name: str) -> tuple[str, str]:
        local = printable(name.rpartition(".")[2])
        if single and self.failed is not None and name == self.failed.name:
            said = printable(self.failed.op)
        elif single:
            layer = self.network.index[name]
            if is_position(local):  # nobody named it
                local = printable(layer.op.kind)
            said = self.told.layer(layer)[3]
        else:
            made = printable(self.network.made_by(name))
            inside = self.study.inside(name)
            params = sum(layer.params for layer in inside)
            local = f"{local} ({made})" if made else local
            said = f"{len(inside):,} layers" + (f", {words.rounded(params)} params" if params else "")
        return local, said


def labels(nested: Nested, network: Network) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The lines of the box of each layer, and of each scope."""
    layers = [nested.label(True, layer.name) for layer in network.layers]
    return layers, [nested.label(False, path) if path else ("", "") for path in nested.scopes]


def _round(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 1)
