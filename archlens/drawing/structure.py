"""What a network is made of: the stages of its macro structure, and the kinds of block that they repeat.

Scopes are of one kind where one block of a spec made them, or, where nothing says what made them, where one
has the layers of the other under the same names. A kind is shown by the occurrence whose form most have; the
numbers in which these differ are variables, where a few of them say all the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import NamedTuple

from ..analysis.repeats import Child, Repeats, Tree, in_words, layers_of, span
from ..errors import printable
from ..grouping import grouped
from ..network import Layer, Network
from .plan import is_left, is_one, is_position, required

#: How many variables a block may have, and what those of its layers are called that its spec has no name for;
#: and what flows in. How long such a name may be.
_LETTERS, INPUT, _NAME = "wvu", "c", 12
#: What flows in where a parameter has that name.
_ALSO_INPUT = "in"
#: The attributes that are no width, and what they are called where they vary.
_OTHERS = {"stride": "s", "kernel": "k", "dilation": "d"}
#: Of how many different forms without a name each is compared with each.
_FORMS = 200
#: How many kinds of block one stage may be made of, and how many other layers.
_KINDS, _LAYERS = 2, 3

#: A number of a block: the name of a layer within it, and an attribute; both empty for the channels of what
#: flows in.
Number = tuple[str, str]


@dataclass(eq=False)
class Kind:
    """Blocks that differ in widths, and perhaps in some layers."""

    name: str
    trees: list[Tree] = field(default_factory=list)
    #: Whether somebody named it.
    named: bool = True
    #: The variables: of each the number whose value it is, the value being the same in all but that.
    variables: dict[str, Number] = field(default_factory=dict)
    #: The words in the place of the numbers of the block that is shown, by layer and attribute.
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    #: What is to be said of occurrences that differ.
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shown = self.trees[0] if self.trees else Tree("")

    def values(self, trees: Iterable[Tree]) -> str:
        """The variables in some occurrences, in words: ``w = 64``."""
        said = []
        for letter, number in self.variables.items():
            if not number[0]:
                continue
            found = dict.fromkeys(_numbers(tree).get(number) for tree in trees)
            texts = [str(value) for value in found if value is not None]
            if texts:
                said.append(f"{letter} = {', '.join(texts[:3])}{', …' if len(texts) > 3 else ''}")
        return ", ".join(said)


@dataclass(eq=False)
class Piece:
    """A part of the macro structure: a layer with what follows it, or a stage of blocks."""

    name: str
    layers: list[Layer]
    #: What a stage is made of, in order: blocks of a kind, or a layer.
    runs: list[Run | Layer]
    #: How often its layers follow one another, each time alike; ``runs`` are those of the first time.
    times: int = 1

    @property
    def kinds(self) -> list[Kind]:
        """The kinds of its blocks, each once."""
        return list(dict.fromkeys(run.kind for run in self.runs if isinstance(run, Run)))


class Run(NamedTuple):
    """Blocks of one kind that follow one another."""

    kind: Kind
    trees: list[Tree]


class Structure:
    """The pieces of a network in order, and the kinds of block in them."""

    def __init__(self, network: Network, repeats: Repeats) -> None:
        self.network = network
        self.consumers = repeats.consumers
        self.kind_of: dict[str, Kind] = {}
        trees = list(_trees(repeats.root))
        self._plain = {tree.path for tree in trees if is_one(tree.layers, self.consumers)}
        kinds = list(self._kinds([tree for tree in trees if tree.path not in self._plain]))
        self._contain: dict[Kind, bool] = {}
        for kind in kinds:
            self.kind_of |= {tree.path: kind for tree in kind.trees}
        place = {layer.name: i for i, layer in enumerate(network.layers)}
        pieces = sorted(self._pieces(repeats.root), key=lambda piece: place[piece.layers[0].name])
        self.pieces = list(_together(pieces))
        #: Those in the macro structure, in order of appearance.
        self.kinds = list(dict.fromkeys(kind for piece in self.pieces for kind in piece.kinds))
        self._call(kinds)
        for kind in kinds:
            _describe(kind, network.arguments)

    def _call(self, kinds: Sequence[Kind]) -> None:
        """Give names to those that nobody named: that of all their scopes, or else a letter."""
        taken = {kind.name for kind in kinds if kind.named}
        nameless = [kind for kind in kinds if not kind.named]
        for kind in list(nameless):
            own = {tree.path.rpartition(".")[2] for tree in kind.trees}
            if len(own) == 1 and not is_position(name := own.pop()) and printable(name) not in taken:
                kind.name = printable(name)
                taken.add(kind.name)
                nameless.remove(kind)
        shown = [kind for kind in self.kinds if kind in nameless]
        alone = len(shown) == 1 and "block" not in taken
        for i, kind in enumerate(dict.fromkeys([*shown, *nameless])):
            kind.name = "block" if alone and i == 0 else f"block {_letters(i)}"

    # --- kinds -----------------------------------------------------------------------------------

    def _kinds(self, trees: list[Tree]) -> Iterator[Kind]:
        named: dict[str, Kind] = {}
        forms: dict[frozenset[tuple[str, str]], list[Tree]] = {}
        for tree in trees:
            name = self.network.made_by(tree.path)
            if name:
                named.setdefault(name, Kind(printable(self.network.headed(tree.path)))).trees.append(tree)
            else:
                forms.setdefault(frozenset(_form(tree)), []).append(tree)
        yield from named.values()
        order = sorted(forms, key=len, reverse=True)
        of: dict[frozenset[tuple[str, str]], Kind] = {}
        for form in order:
            larger = (one for one in of if form < one and 2 * len(form) >= len(one))
            found = next(larger, None) if len(order) <= _FORMS else None
            of[form] = of[found] if found is not None else Kind("", named=False)
            of[form].trees += forms[form]
        places = {tree.path: i for i, tree in enumerate(trees)}
        for kind in dict.fromkeys(of.values()):
            kind.trees.sort(key=lambda tree: places[tree.path])
            yield kind

    def contains(self, kind: Kind) -> bool:
        """Whether scopes of a kind only contain blocks, and are none."""
        found = self._contain.get(kind)
        if found is None:
            self._contain[kind] = False  # a scope of its own kind within makes it none
            found = self._contain[kind] = self._is_container(kind)
        return found

    def _is_container(self, kind: Kind) -> bool:
        if len(kind.trees) == 1:
            inner = {self.kind_of[tree.path] for tree in _trees(kind.trees[0]) if tree.path in self.kind_of}
            if any(len(one.trees) > 1 for one in inner):
                return True
        # layers in a row that stand there once are drawn one by one, but for a head that is dropped
        inside = [child for tree in kind.trees for child in tree.children if self._block_of(child)]
        if not inside:
            return len(kind.trees) == 1 and _is_chain(kind.trees[0]) and not kind.trees[0].layers[0].training
        if not all(map(_is_chain, kind.trees)):
            return False
        return any(
            (len(tree.children) == 1 and self._block_of(tree.children[0]))
            or any(
                (before := self._block_of(a)) is not None and before is self._block_of(b)
                for a, b in pairwise(tree.children)
            )
            for tree in kind.trees
        )  # fmt: skip

    def _block_of(self, child: Child) -> Kind | None:
        return self.kind_of.get(child.path) if isinstance(child, Tree) else None

    # --- pieces ----------------------------------------------------------------------------------

    def _pieces(self, root: Tree) -> Iterator[Piece]:
        last: Piece | None = None
        for name, runs in self._found(root, 0):
            layers = [layer for run in runs for layer in _layers(run)]
            if last is not None and self._joins(last, runs, layers):
                last.layers += layers
                if isinstance(last.runs[0], Run) and isinstance(runs[0], Run):
                    last.runs[0].trees.extend(runs[0].trees)
                    last.name = span(last.name.partition("..")[0], name)
                else:
                    last.runs += runs
                continue
            if last is not None:
                yield last
            last = Piece(name, layers, runs)
        if last is not None:
            yield last

    def _joins(self, last: Piece, runs: list[Run | Layer], layers: list[Layer]) -> bool:
        """Whether what follows a piece belongs to it: what follows a layer, or one more of its blocks."""
        if isinstance(runs[0], Layer) and isinstance(last.runs[-1], Layer):
            return is_one([*last.layers, *layers], self.consumers)
        if len(runs) > 1 or len(last.runs) > 1:
            return False
        before, this = last.runs[0], runs[0]
        if not (isinstance(before, Run) and isinstance(this, Run) and before.kind is this.kind):
            return False
        made = {layer.name for layer in before.trees[-1].layers}
        return last.layers[-1].shape == layers[-1].shape and any(
            name in made for layer in layers for name in layer.inputs
        )

    def _found(self, tree: Tree, level: int) -> Iterator[tuple[str, list[Run | Layer]]]:
        """The pieces of a scope by their names within it, before neighbours are joined."""
        for child in tree.children:
            if isinstance(child, Layer) or child.path in self._plain:
                for layer in layers_of(child):
                    yield layer.name.split(".", level)[-1], [layer]
                continue
            kind = self.kind_of[child.path]
            if not self.contains(kind):
                yield child.path.split(".", level)[-1], [Run(kind, [child])]
            elif (runs := self._stage(child)) is not None:
                yield child.path.split(".", level)[-1], runs
            else:
                yield from self._found(child, child.path.count(".") + 1)

    def _stage(self, tree: Tree) -> list[Run | Layer] | None:
        """What a scope is made of in order, where it is a stage: a few kinds of block at one size."""
        if is_left(tree, self.network):
            return None
        runs: list[Run | Layer] = []
        for _, found in self._found(tree, 0):
            first = found[0]
            before = runs[-1] if runs else None
            if isinstance(first, Run) and isinstance(before, Run) and first.kind is before.kind:
                before.trees.extend(first.trees)
            else:
                runs += found
        blocks = [run for run in runs if isinstance(run, Run)]
        sizes = {one.layers[-1].shape.spatial for run in blocks for one in run.trees}
        most = len({run.kind for run in blocks})
        if not blocks or len(sizes) > 1 or most > _KINDS or len(runs) - len(blocks) > _LAYERS:
            return None
        pattern = period([(run.kind, len(run.trees), run.trees[-1].layers[-1].shape) for run in blocks])
        return runs if min(len(blocks), pattern) <= 2 * _KINDS else None


def period(rows: Sequence[object]) -> int:
    """After how many rows they begin again, to the last; all of them where they do not.

    >>> period("ababab"), period("aba"), period("aa")
    (2, 3, 1)
    """
    for many in range(1, len(rows) // 2 + 1):
        if len(rows) % many == 0 and all(row == rows[i % many] for i, row in enumerate(rows)):
            return many
    return len(rows)


def _together(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Pieces of layers that are alike and follow one another as one."""
    last: Piece | None = None
    first = ""  # the name of the first of those
    for piece in pieces:
        if last is not None and _is_again(last, piece):
            last.times += 1
            last.layers += piece.layers
            last.name = _to(first, piece.name)
            continue
        if last is not None:
            yield last
        last, first = piece, piece.name
    if last is not None:
        yield last


def _to(first: str, last: str) -> str:
    """The names from one to another, without what both end with: ``conv1..conv2`` of two ``conv``."""
    a, b = first.split("."), last.split(".")
    while len(a) > 1 and len(b) > 1 and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return span(".".join(a), ".".join(b))


def _is_again(last: Piece, piece: Piece) -> bool:
    """Whether a piece is what stood before it once more, and reads that alone."""
    ops = [[run.op for run in one.runs if isinstance(run, Layer)] for one in (last, piece)]
    return (
        not last.kinds
        and not piece.kinds
        and ops[0] == ops[1]
        and piece.layers[0].inputs == (last.layers[-1].name,)
        and piece.layers[-1].shape == last.layers[-1].shape
    )


def _layers(run: Run | Layer) -> list[Layer]:
    return [run] if isinstance(run, Layer) else [layer for tree in run.trees for layer in tree.layers]


def _trees(tree: Tree) -> Iterator[Tree]:
    for child in tree.children:
        if isinstance(child, Tree):
            yield child
            yield from _trees(child)


def _form(tree: Tree) -> list[tuple[str, str]]:
    """The layers of a scope by their names in it, with their ops."""
    start = len(tree.path) + 1
    return [(layer.name[start:], layer.op.kind) for layer in tree.layers]


def _is_chain(tree: Tree) -> bool:
    """Whether each child of a scope reads the one before it, and none merges anything."""
    for before, child in pairwise(tree.children):
        made = {layer.name for layer in layers_of(before)}
        if not any(name in made for layer in layers_of(child) for name in layer.inputs):
            return False
    return not any(isinstance(child, Layer) and child.op.merges for child in tree.children)


def _letters(number: int) -> str:
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")


# --- variables -----------------------------------------------------------------------------------


def _describe(kind: Kind, arguments: Mapping[str, Mapping[str, int]]) -> None:
    """Choose the block that is shown, its variables and what is said of the others."""
    forms = grouped((tuple(_form(tree)), tree) for tree in kind.trees)
    form, same = max(forms.items(), key=lambda one: len(one[1]))
    kind.shown = same[0]
    like = [one for one in forms if _is_like(dict(one), dict(form))]
    alike = [tree for one in like for tree in forms[one]]
    if len(forms) > 1:
        kind.notes += _others(form, alike, len(kind.trees))
    tables = [_numbers(tree) for tree in alike]
    varying = {
        number: values
        for number in _numbers(kind.shown)
        if len({*(values := tuple([table.get(number) for table in tables]))} - {None}) > 1
    }
    start = len(kind.shown.path) + 1
    layers = {layer.name[start:]: layer for layer in kind.shown.layers}

    def say(number: Number, text: str) -> None:
        kind.words.setdefault(layers[number[0]].name, {})[number[1]] = text

    sizes = {number: values for number, values in varying.items() if number[1] not in _OTHERS}
    widths = {number: values for number, values in sizes.items() if _is_width(number, layers)}
    chosen = _bases(widths)
    if chosen is None:
        kind.notes.insert(0, f"its numbers are those of {printable(kind.shown.path)}")
    else:
        given = [arguments.get(tree.path, {}) for tree in alike]
        names = {letter: _named(widths[number], given) for letter, number in chosen.items() if number[0]}
        flows_in = _ALSO_INPUT if INPUT in names.values() else INPUT
        kind.variables = {
            names[letter] or letter if number[0] else flows_in: number for letter, number in chosen.items()
        }
        bases = {letter: widths[number] for letter, number in kind.variables.items()}
        for number, values in sizes.items():
            if number[0]:
                found = filter(None, (_times(values, base, letter) for letter, base in bases.items()))
                say(number, next(found, "") or in_words([value for value in values if value is not None]))
    for key, letter in _OTHERS.items():
        of_key = {number: values for number, values in varying.items() if number[1] == key}
        for number in of_key:
            say(number, letter)
        if of_key:
            every = sorted({value for values in of_key.values() for value in values if value is not None})
            kind.notes.append(f"{letter} = {' or '.join(map(str, every))}")
    _incidental(kind, same, layers)


def _is_like(form: dict[str, str], shown: dict[str, str]) -> bool:
    """Whether a form has the layers of that which is shown, but for a few more or less."""
    shared = form.keys() & shown.keys()
    scopes = [{name[:i] for name in one for i, c in enumerate(name) if c == "."} for one in (form, shown)]
    return (
        2 * len(shared) >= len(shown)
        and all(form[name] == shown[name] for name in shared)
        and not scopes[0] & shown.keys()
        and not scopes[1] & form.keys()
    )


def _is_width(number: Number, layers: Mapping[str, Layer]) -> bool:
    """Whether a number is how many channels flow into a block, or out of one of its layers."""
    name, key = number
    return not name or (_numbers_of(layers[name]).get(key) == layers[name].shape.channels and key != "groups")


def _incidental(kind: Kind, alike: Sequence[Tree], names: dict[str, Layer]) -> None:
    """Numbers that do nothing to shape and cost, such as drop rates, in words."""
    for i, layer in enumerate(names.values()):
        ops = [tree.layers[i].op for tree in alike]
        for key in layer.op.incidental:
            values = [getattr(op, key) for op in ops]
            if any(value != values[0] for value in values):
                kind.words.setdefault(layer.name, {})[key] = in_words(values)


def _numbers(tree: Tree) -> dict[Number, int]:
    """The numbers of a block: widths and the like."""
    start = len(tree.path) + 1
    found: dict[Number, int] = {}
    if tree.layers[0].input_shapes:
        found["", ""] = tree.layers[0].input_shapes[0].channels
    for layer in tree.layers:
        found |= {(layer.name[start:], key): value for key, value in _numbers_of(layer).items()}
    return found


def _numbers_of(layer: Layer) -> dict[str, int]:
    attributes = layer.op.attributes()
    found = {}
    for key in (*required(layer.op), "stride", "dilation", "groups"):
        value = attributes.get(key)
        if isinstance(value, tuple) and len(set(value)) == 1:
            value = value[0]
        if isinstance(value, int) and not isinstance(value, bool):
            found[key] = value
    return found


#: A number in each of some blocks; ``None`` in those that lack its layer.
_Values = tuple[int | None, ...]


def _bases(widths: Mapping[Number, _Values]) -> dict[str, Number] | None:
    """The fewest numbers of which all others are multiples or parts; ``None`` where these are many."""
    said = [values for (name, _), values in widths.items() if name]
    if not said:
        return {}
    # what flows in is asked last, even where it is the same
    candidates = {values: number for number, values in [*widths.items()][::-1] if number[0]}
    for number, values in widths.items():
        candidates.setdefault(values, number)
    order = sorted(
        (values for values in candidates if None not in values),
        key=lambda values: (not candidates[values][0], [value or 0 for value in values]),
    )
    for count in range(1, len(_LETTERS) + 1):
        # of two or more, one had better be what flows in
        choices = sorted(combinations(order[:12], count), key=lambda one: candidates[one[-1]][0] != "")
        for chosen in choices if count > 1 else combinations(order[:12], count):
            if all(any(_times(values, base, "x") for base in chosen) for values in said):
                letters = iter(_LETTERS)
                return {next(letters) if candidates[base][0] else INPUT: candidates[base] for base in chosen}
    return None


def _named(values: _Values, given: Sequence[Mapping[str, int]]) -> str:
    """The parameter of a block whose value a number is in each of some; empty where there is none."""
    for name in given[0]:
        if all(one.get(name) == value for one, value in zip(given, values, strict=True)):
            return name if len(name) <= _NAME and name not in (_ALSO_INPUT, *_OTHERS.values()) else ""
    return ""


def _times(values: _Values, base: _Values, letter: str) -> str:
    """Values as a multiple or a part of others; empty where they are none."""
    pairs = [(value, one) for value, one in zip(values, base, strict=True) if value and one]
    if not pairs or 0 in values or 0 in base:
        return ""
    value, one = pairs[0]
    factor, part = value // one, one // value
    if factor and all(value == factor * one for value, one in pairs):
        return letter if factor == 1 else f"{factor}{' ' * (len(letter) > 1)}{letter}"
    if part and all(value * part == one for value, one in pairs):
        return f"{letter}/{part}"
    return ""


def _others(form: tuple[tuple[str, str], ...], alike: Sequence[Tree], count: int) -> list[str]:
    """In what occurrences differ from that which is shown."""
    shown = {name for name, _ in form}
    heads = {name.partition(".")[0] for name in shown}
    more, less = Counter[str](), Counter[str]()
    for tree in alike:
        names = {name for name, _ in _form(tree)}
        own = {name.partition(".")[0] for name in names}
        more.update(sorted({_head(name, heads) for name in names - shown}))
        less.update(sorted({_head(name, own) for name in shown - names}))
    said = []
    for word, found in (("with", more), ("without", less)):
        times = grouped((times, name) for name, times in found.items())
        for number, names_ in list(times.items())[:2]:
            listed = printable(", ".join(names_[:3])) + (", …" if len(names_) > 3 else "")
            said.append(f"{number} of {count} {word} {listed}")
    if len(alike) < count:
        said.append(f"{count - len(alike)} of {count} in another form")
    return said


def _head(name: str, heads: set[str]) -> str:
    """The scope of a name, where there is nothing else in it."""
    head = name.partition(".")[0]
    return name if head in heads else head
