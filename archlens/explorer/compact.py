"""The layers of many networks, told in little: what is the same in several of them stands once.

:func:`folded` takes networks as :func:`.inside.inside` tells them, and ``web/src/unfold.js`` makes one of
them of that again, without a difference. What makes it small:

- What a layer is and how its numbers come about is a row; equal layers of all networks share it. Rows that
  differ in numbers alone share their text, and a number that in each row of a text is a product, a sum, a
  difference or a quotient of others in it is computed when it is read.
- A scope whose layers, names and lines are those of another is of the same kind, in whichever network: the
  eleventh block of a stage is the number of the tenth's.
- What a layer sees of the input is told by what it adds to what the first layer that it reads sees.
- Places are distances: of a box from the one before it, of a line from the boxes that it joins.
- Of the file of a spec the page has the lines that stand around those that place layers.

All are columns, since equal things that lie beside each other deflate well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations_with_replacement, pairwise, product
from math import prod
from typing import Any

from .nested import HIGH
from .records import Strings

#: A number as texts spell it, with its thousands apart or not; up to what a page can count exactly.
_NUMBER = re.compile(r"(?<![\d.,])(?:0|[1-9]\d{0,2}(?:,\d{3}){1,4}|[1-9]\d{0,14})(?!\d)")
#: What stands for one in a text, by whether its thousands are apart; and what is between the parts of a row.
PLAIN, APART, NEXT = "\x02", "\x02\x03", "\x01"
#: The longest product of neighbours that is looked for.
_FACTORS = 6
#: How many lines of a spec are told before and after one that places a layer.
BEFORE, AFTER = 2, 2

_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))

#: What is told of a kind of scope, and of each of its children.
KIND = ("made", "said", "places", "folds", "folded", "leaves", "count")
CHILD = ("name", "first", "what", "reads", "file", "line")

#: A layer as :func:`.inside.inside` tells it.
_Layer = list[Any]


def folded(insides: Iterable[dict[str, Any] | None]) -> dict[str, Any]:
    """What :func:`.inside.inside` tells of some networks, in little; nothing of one of which that is nothing.

    Networks that have much in common should stand beside each other.
    """
    fold = _Fold()
    networks = [None if one is None else fold.network(one) for one in insides]
    return {
        "texts": list(fold.say.numbers),
        "rows": fold.rows.data(),
        "kinds": fold.columns,
        "layouts": fold.layouts.told,
        "fields": fold.fields.told,
        "sources": [*fold.sources()],
        "networks": networks,
    }


class _Once:
    """Things by their numbers, each with what is told of it."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}
        self.told: list[Any] = []

    def __call__(self, key: Any, told: Any) -> int:
        number = self.numbers.setdefault(key, len(self.told))
        if number == len(self.told):
            self.told.append(told)
        return number


# --- rows ---------------------------------------------------------------------------------------------


class _Rows:
    """Texts of several networks, by those that differ in numbers alone."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[Any, ...], int] = {}
        #: Of each text, where it stands among the texts, and which of its numbers have their thousands apart.
        self.texts: dict[str, int] = {}
        self.apart: list[list[bool | None]] = []
        #: Of each text, its numbers, a row after the other; and the number of the text of each row.
        self.found: list[list[list[int]]] = []
        self.order: list[int] = []

    def __call__(self, row: tuple[Any, ...]) -> int:
        number = self.numbers.setdefault(row, len(self.numbers))
        if number == len(self.order):
            *texts, counts = row
            self._add(NEXT.join((*texts, *(json.dumps(one, ensure_ascii=False) for one in counts))))
        return number

    def _add(self, text: str) -> None:
        said = _NUMBER.findall(text)
        bare = _NUMBER.sub(PLAIN, text)
        number = self.texts.get(bare)
        if number is not None and not self._fits(self.apart[number], said):
            said, bare = [], text  # it spells a number otherwise than the rest
            number = self.texts.get(bare)
        if number is None:
            number = self.texts[bare] = len(self.texts)
            self.apart.append([None] * len(said))
            self.found.append([])
            self._fits(self.apart[number], said)
        self.found[number].append([int(one.replace(",", "")) for one in said])
        self.order.append(number)

    @staticmethod
    def _fits(apart: list[bool | None], said: list[str]) -> bool:
        spelled = [None if len(one) < 4 else "," in one for one in said]
        if any(a is not None and b is not None and a != b for a, b in zip(apart, spelled, strict=True)):
            return False
        apart[:] = [b if a is None else a for a, b in zip(apart, spelled, strict=True)]
        return True

    def data(self) -> dict[str, Any]:
        texts = []
        for text, apart, rows in zip(self.texts, self.apart, self.found, strict=True):
            marks = iter([APART if one else PLAIN for one in apart])
            spelled = re.sub(PLAIN, lambda _, marks=marks: next(marks), text)  # type: ignore[misc]
            texts.append([spelled, *computed([list(column) for column in zip(*rows, strict=True)])])
        return {"texts": texts, "order": [*_changes(self.order)]}


def computed(columns: Sequence[list[int]]) -> Iterator[list[int] | int | str]:
    """Columns of numbers, each as what it is.

    A number where all of it are that; ``x2,4`` where each is the product of those in the columns 2 to 4,
    ``*``, ``+``, ``-`` and ``/`` and two columns where it is that of both; else its numbers.

    >>> list(computed([[2, 3], [4, 5], [8, 15], [1, 1], [8, 15]]))
    [[2, 3], [4, 5], 'x0,1', 1, 'x2,2']
    """
    first: dict[tuple[int, ...], int] = {}
    for i, column in enumerate(columns):
        key = tuple(column)
        if len({*column}) == 1:
            yield column[0]
        elif key in first:
            yield f"x{first[key]},{first[key]}"
        else:
            yield _product(columns[:i], column) or _of_two(columns, [*first.values()], column) or column
        first.setdefault(key, i)


def _product(before: Sequence[list[int]], column: list[int]) -> str:
    """Of which neighbours that end just before it a column is the product; empty where of none."""
    end = len(before)
    for start in range(end - 2, max(end - 1 - _FACTORS, -1), -1):
        factors = before[start:]
        if prod(one[0] for one in factors) == column[0] and all(
            prod(one) == value for *one, value in zip(*factors, column, strict=True)
        ):
            return f"x{start},{end - 1}"
    return ""


def _of_two(columns: Sequence[list[int]], known: Sequence[int], column: list[int]) -> str:
    """What a column is of two others; empty where it is nothing of any."""
    head = column[0]
    for both in combinations_with_replacement(known, 2):
        for sign, (i, j) in (("*", both), ("+", both), *product("-/", (both, both[::-1]))):
            if _answer(sign, columns[i][0], columns[j][0]) == head and all(
                _answer(sign, x, y) == value
                for x, y, value in zip(columns[i], columns[j], column, strict=True)
            ):
                return f"{sign}{i},{j}"
    return ""


def _answer(sign: str, x: int, y: int) -> int | None:
    match sign:
        case "*":
            return x * y
        case "+":
            return x + y
        case "-":
            return x - y
        case _:
            return x // y if y and x % y == 0 else None


# --- networks -----------------------------------------------------------------------------------------


class _Fold:
    """What the networks have in common, while they are told."""

    def __init__(self) -> None:
        self.say, self.rows = Strings(), _Rows()
        self.kinds, self.layouts, self.fields, self.files = _Once(), _Once(), _Once(), _Once()
        #: Of the kinds of scopes, column by column; of their children, one kind after the other.
        self.columns: dict[str, list[Any]] = {key: [] for key in (*KIND, *CHILD)}
        self.last = [0, 0]
        self.lines: list[set[int]] = []

    def network(self, inside: dict[str, Any]) -> list[Any]:
        """One network: the kind of its outermost scope, and what is its own."""
        texts = inside["strings"]
        files = [self._file(*source) for source in inside["sources"]]
        layers = inside["layers"]
        one = _Network(self, inside, texts, files)
        kind = one.kind(0)
        order = one.order
        own = inside["nested"]["scopes"][0]["enters"]
        return [
            kind,
            inside["inputs"],
            inside["on"],
            own,
            [] if order == sorted(order) else order,
            [*self._seen(layers, inside["on"][1])],
            inside["outputs"],
            inside["shared"],
        ]

    def _file(self, name: str, lines: list[str]) -> int:
        number = self.files((name, tuple(lines)), (name, lines))
        if number == len(self.lines):
            self.lines.append(set())
        return number

    def sources(self) -> Iterator[list[Any]]:
        """The files, with the lines around those that place layers."""
        for (name, lines), used in zip(self.files.told, self.lines, strict=True):
            near = {at for line in used for at in range(line - 1 - BEFORE, line + AFTER)}
            yield [name, [line if i in near else "" for i, line in enumerate(lines)]]

    def _seen(self, layers: Sequence[_Layer], sizes: Sequence[int]) -> Iterator[int]:
        """What each layer sees, by how it differs from what the first that it reads does."""
        begin = [[size // 2, size // 2 + 1, 1] for size in sizes]
        for layer in layers:
            seen, reads = layer[12], layer[6]
            before = layers[reads[0]][12] if reads and reads[0] >= 0 else begin
            yield self.fields(*_change(before, seen))

    def kind(self, said: tuple[Any, ...], children: Sequence[tuple[Any, ...]]) -> int:
        """The number of a kind of scope."""
        key = said, tuple(children)
        number = self.kinds(key, None)
        if number < len(self.columns["made"]):
            return number
        for name, value in zip(KIND, (*said, len(children)), strict=True):
            self.columns[name].append(value)
        before = 0, 0
        for name, first, scope, what, reads, place in children:
            self.columns["name"].append(name)
            self.columns["first"].append(first)
            self.columns["what"].append((what - self.last[scope]) * 2 + scope)
            self.last[scope] = what
            # most read what stands before them alone
            self.columns["reads"].append(reads[0] if len(reads) == 1 and isinstance(reads[0], int) else reads)
            file, line = place or (-1, 0)
            self.columns["file"].append(file - before[0])
            self.columns["line"].append(line - before[1])
            before = file, line
        return number


class _Network:
    """One network while it is told."""

    def __init__(self, fold: _Fold, inside: dict[str, Any], texts: list[str], files: list[int]) -> None:
        self.fold, self.inside, self.texts, self.files = fold, inside, texts, files
        self.scopes = inside["nested"]["scopes"]
        #: The layers in the order in which the scopes hold them.
        self.order: list[int] = []
        #: Of the scopes that are told, how many layers each has and their parameters, if all are known.
        self.sums: dict[int, tuple[int, int | None]] = {}
        self.laid = [_laid(one) for one in inside["nested"]["places"]]

    def kind(self, number: int) -> int:
        """The kind of a scope, with all that is in it."""
        scope = self.scopes[number]
        enters = {tensor: -1 - i for i, tensor in enumerate(scope["enters"])}
        made: dict[int, tuple[int, int]] = {}
        found = []
        count, params = 0, 0  # type: int, int | None
        for i, (kind, child) in enumerate(scope["children"]):
            if kind:
                what, reads, place = self.kind(child), self.scopes[child]["enters"], None
                name, (first, _) = self.scopes[child]["name"], self.inside["scopes"][child]
                leaves = self.scopes[child]["leaves"]
                more, sum_ = self.sums[child]
            else:
                self.order.append(child)
                layer = self.inside["layers"][child]
                what, place = self._layer(layer)
                name, first, reads, leaves = self.texts[layer[0]], self.texts[layer[1]], layer[6], [child]
                more, sum_ = 1, layer[7]
            count += more
            params = params + sum_ if isinstance(params, int) and isinstance(sum_, int) else None
            found.append((name.rpartition(".")[2], first, kind, child, what, reads, place))
            made |= {tensor: (i, port) for port, tensor in enumerate(leaves)}
        # a scope that is entered again may read what is made behind its beginning
        children = [
            (
                self.fold.say(local),
                self._first(first, local, kind, child),
                kind,
                what,
                tuple(self._from(tensor, i, enters, made) for tensor in reads),
                place,
            )
            for i, (local, first, kind, child, what, reads, place) in enumerate(found)
        ]
        self.sums[number] = count, params
        said = (
            self.fold.say(scope["made"]),
            self._said(number, count, params),
            self._laid(scope["places"]),
            tuple(tuple(one) for one in scope.get("folds", ())),
            self._laid(scope.get("folded")),
            tuple(self._from(tensor, len(children), enters, made) for tensor in scope["leaves"]),
        )
        return self.fold.kind(said, children)

    def _laid(self, places: int | None) -> int:
        """The number of some places, from 1 on; 0 where there are none."""
        return 0 if places is None else 1 + self.fold.layouts(*self.laid[places])

    def _layer(self, layer: _Layer) -> tuple[int, tuple[int, int] | None]:
        text = self.texts
        said = (text[layer[i]] for i in (3, 4, 5, 2, 10))
        row = self.fold.rows((*said, (layer[7], layer[8], layer[9], layer[13])))
        if layer[11] is None:
            return row, None
        file, line = self.files[layer[11][0]], layer[11][1]
        self.fold.lines[file].add(line)
        return row, (file, line)

    def _from(
        self, tensor: int, at: int, enters: dict[int, int], made: dict[int, tuple[int, int]]
    ) -> int | tuple[int, int]:
        """Where a child has a tensor from.

        The child so many before it and which of what leaves that, the number alone for the first; or a way
        in, as a negative number.
        """
        if tensor not in made:
            return enters[tensor]
        child, port = made[tensor]
        return (at - child, port) if port or child >= at else at - child

    def _first(self, said: str, local: str, kind: int, child: int) -> int | str:
        """The first line of a box: 0 where it is the name, 1 where what it is; else the text."""
        if kind:
            made = self.scopes[child]["made"]
            return 0 if said == (f"{local} ({made})" if made else local) else said
        op = self.texts[self.inside["layers"][child][3]].partition("(")[0]
        return 0 if said == local else 1 if said == op else said

    def _said(self, number: int, count: int, params: int | None) -> int | str:
        """The second line of a scope; 0 where it is the one that the page says."""
        said = str(self.inside["scopes"][number][1])
        if number == 0:
            return 0
        return 0 if params is not None and said == scope_said(count, params) else said


def scope_said(count: int, params: int) -> str:
    """What the page says of a scope: ``scopeSaid`` of ``web/src/unfold.js``.

    >>> scope_said(12, 1_125_000)
    '12 layers, 1.13 M params'
    """
    if not params:
        return f"{count:,} layers"
    for size, letter in _UNITS:
        if params >= size:
            # a page rounds halves up
            said = Decimal(params / size).quantize(Decimal("0.01"), ROUND_HALF_UP)
            return f"{count:,} layers, {said} {letter} params"
    return f"{count:,} layers, {params} params"


# --- numbers that are near each other -----------------------------------------------------------------


def _changes(numbers: Iterable[int]) -> Iterator[int]:
    """The first of some numbers, then by how much each differs from the one before."""
    yield from (b - a for a, b in pairwise((0, *numbers)))


def _change(before: Any, seen: Any) -> tuple[Any, Any]:
    """How a field differs from another, as a key and as it is told.

    Of axes that are equal the change of one; behind a zero the field itself, where it differs in more.
    """
    if isinstance(seen, str):
        return seen, seen
    if isinstance(before, str) or len(before) != len(seen):
        told = [0, *(number for axis in seen for number in axis)]
        return tuple(told), told
    axes = [[b - a for a, b in zip(one, other, strict=True)] for one, other in zip(before, seen, strict=True)]
    told = [number for axis in (axes[:1] if all(one == axes[0] for one in axes) else axes) for number in axis]
    return tuple(told), told


def _laid(places: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The places within a scope, as a key and as they are told: in tenths, by distances."""
    boxes = [[_tenths(value) for value in box] for box in places["boxes"]]
    numbers, middle, top = [], 0, 0
    for x, y, wide, high in boxes:
        # what is no box is a way in or out
        numbers += [wide if high == _tenths(HIGH) else -wide, 2 * x + wide - middle, y - top]
        middle, top = 2 * x + wide, y
    lines: list[Any] = []
    before = 0
    for tail, head, points in places["lines"]:
        lines += [
            tail - before,
            head - tail,
            _way(boxes[tail], boxes[head], [_tenths(one) for one in points]),
        ]
        before = tail
    told = [*(_tenths(value) for value in places["size"]), len(boxes), numbers, lines]
    return json.dumps(told), told


def _way(tail: Sequence[int], head: Sequence[int], points: list[int]) -> list[int] | int:
    """A line by its steps, the first and the last from the boxes; 0 where it goes straight between them."""
    x, y, wide, high = tail
    steps = [2 * points[0] - 2 * x - wide, points[1] - y - high]
    steps += [points[i] - points[i - 2] for i in range(2, len(points) - 2)]
    x, y, wide, _ = head
    steps += [2 * points[-2] - 2 * x - wide, points[-1] - y]
    return steps if any(steps) or len(steps) > 4 else 0


def _tenths(value: float) -> int:
    return round(value * 10)
