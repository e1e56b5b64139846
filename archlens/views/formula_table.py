"""The sizes of a network as formulas of letters: as a table, as JSON, and derived step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from ..analysis.formula import Along, Formula, Piece
from ..analysis.regions import Pattern, Region
from ..counts import dumps
from ..errors import printable
from ..forms.table import Column, Content, Math, Table
from ..forms.text import sentences
from ..formulas import Form, form_of, is_constant
from ..network import Layer
from ..notation import LATEX, PYTHON, TEXT, Notation, Style
from ..shape import Ids, Shape
from ..wrapping import wrapped

SCHEMA = "archlens.formula/1"

#: The longest formula that a table of other than layers shows.
LONGEST = 160

#: The most stretches of sizes that are listed, and the most cases with formulas of their own.
_MOST = 6

_COLUMNS = (
    Column("layer", least=10),
    Column("op", least=14, spare=5),
    Column("output"),
    Column("params", right=True, spare=4),
    Column("MACs", right=True),
)


class Written:
    """The formulas of a network in one way to write them."""

    def __init__(self, formula: Formula, style: Style) -> None:
        self.formula = formula
        self.notation = Notation(formula.table, formula.letters, style, _named(formula))

    def form(self, form: Form) -> str:
        return self.notation.written(form)

    def shape(self, shape: Shape, between: str = "x") -> str:
        """``64xH4xW4``; sums stand in brackets."""
        said = [self.form(form_of(n)) for n in shape]
        if self.formula.batch:
            said.insert(0, self.formula.batch)
        several = " *^" if between == "x" else " *"
        said = [f"({one})" if {*several} & {*one} else one for one in said]
        below = f" of {shape.below}" if isinstance(shape, Ids) else ""
        return between.join(said) + below

    def op(self, layer: Layer) -> str:
        """An op as a spec writes it, with formulas for what was computed of sizes."""
        attributes = layer.op.attributes().items()
        instead = {name: _value(value, self) for name, value in attributes if _varies(value)}
        return layer.op.written(instead)


def _named(formula: Formula) -> list[Form]:
    """The sizes that are written with names, those that stand most often first, then numbers of windows."""
    found = Counter(form_of(n) for layer in formula.main for n in layer.shape)
    macs = formula.total_macs(formula.main)
    return [*sorted(found, key=lambda form: -found[form]), *_multiplied(formula, macs)]


def _multiplied(formula: Formula, form: Form) -> Iterator[Form]:
    """Quotients that are multiplied, with what is added to each: ``x + c`` of ``a*x*y + a*c*y``."""
    factors = dict(form)
    for product, factor in form:
        for atom in product if len(product) > 1 else ():
            rest = list(product)
            rest.remove(atom)
            more, left = divmod(factors.get(tuple(rest), 0), factor * product.count(atom))
            if formula.table.made(atom) is not None and not left:
                yield (*([((), more)] if more else []), ((atom,), 1))


def table(formula: Formula) -> Table:
    """The layers with their formulas, the inputs that the network takes, and what each size stands for."""
    text, tex = Written(formula, TEXT), Written(formula, LATEX)
    main = formula.pieces[0]

    def whole(form: Form) -> Content:
        return Math(text.form(form), tex.form(form))

    def row(layer: Layer) -> list[Content]:
        return [
            printable(layer.name),
            printable(text.op(layer)),
            Math(text.shape(layer.shape), tex.shape(layer.shape, r" \times ")),
            whole(form_of(layer.params)),
            whole(formula.macs_of(layer)),
        ]

    figures: list[list[Content]] = [
        ["MACs", whole(formula.total_macs(main.network))],
        ["activations", whole(formula.activations)],
        ["live set (bytes)", whole(formula.live.forms[0])],
    ]
    if isinstance(formula.cache, tuple):
        figures.append(["cached keys and values", whole(formula.cache)])
    return Table(
        headline=headline(formula),
        lead=lead(formula),
        columns=_COLUMNS,
        rows=[row(layer) for layer in main.network],
        totals=["total", "", "", text.form(form_of(main.network.params)), ""],
        more=[
            sizes(text, tex),
            Table(columns=[Column("in all"), Column("is")], rows=figures),
            *_others(formula, text, row),
        ],
        notes=[*further(formula), *notes(formula)],
        json=partial(to_json, formula),
    )


def math(form: Form, text: Written, tex: Written) -> Content:
    """A formula as a cell; how many terms it has where it is too long for one."""
    written = text.form(form)
    return Math(written, tex.form(form)) if len(written) <= LONGEST else f"{len(form):,} terms"


def sizes(text: Written, tex: Written) -> Table:
    """What each name of a size stands for."""
    return Table(
        columns=[Column("size"), Column("is")],
        rows=[
            [Math(name, other), Math(_spelled(text, form), _spelled(tex, form))]
            for (name, form), other in zip(text.notation.named.items(), tex.notation.named, strict=True)
        ],
    )


def _varies(value: object) -> bool:
    return any(map(_varies, value)) if isinstance(value, tuple) else hasattr(value, "form")


def _value(value: object, written: Written) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_value(one, written) for one in value)})"
    return written.form(form_of(value)) if isinstance(value, int) or _varies(value) else str(value)


def _spelled(written: Written, form: Form) -> str:
    return written.notation.written(form, spelled=True)


def _others(formula: Formula, text: Written, row: object) -> Iterator[Table]:
    """What is otherwise where other formulas hold."""
    main = {layer.name: layer for layer in formula.pieces[0].network}
    for piece in others(formula):
        differs = [
            layer
            for layer in piece.network
            if layer.name not in main or _shown(main[layer.name], text) != _shown(layer, text)
        ]
        yield Table(
            headline=f"Otherwise {regions(formula, piece.regions)}",
            columns=_COLUMNS,
            rows=[row(layer) for layer in differs],  # type: ignore[operator]
        )


def others(formula: Formula) -> tuple[Piece, ...]:
    """What a table shows beside the main formulas."""
    return formula.pieces[1 : _MOST + 1]


def further(formula: Formula) -> list[str]:
    """That there are formulas that a table does not show."""
    left = len(formula.pieces) - 1 - len(others(formula))
    return [f"{left:,} more cases with formulas of their own are only in --format json."] if left else []


def _shown(layer: Layer, text: Written) -> object:
    return text.shape(layer.shape), form_of(layer.params), form_of(layer.macs)


def notes(formula: Formula, *, memory: bool = True) -> list[str]:
    letters = " and ".join(f"{name} (found at {formula.own.get(name, 1):,})" for name in formula.letters)
    lines = [f"Formulas of {letters}. floor rounds down. One MAC is one multiply-accumulate."]
    if formula.batch:
        lines.append(f"{formula.batch} is the batch: MACs and bytes are for all of its samples.")
    lines += _of_memory(formula) if memory else []
    if formula.untold:
        lines.append(f"Not all inputs were tried: {formula.untold}.")
    if formula.proved:
        lines.append("The conditions on inputs are proven for all sizes up to a million.")
    else:
        lines.append(f"The conditions on inputs were checked for {' and '.join(bounds(formula))}.")
    return lines


def bounds(formula: Formula) -> list[str]:
    """How far each letter was looked at."""
    return [
        f"{name} up to {len(sizes):,}"
        for name, sizes in zip(formula.letters, formula.table.sizes, strict=True)
    ]


def _of_memory(formula: Formula) -> list[str]:
    """What the live set means, and where its formula holds."""
    lines: list[str] = []
    live = formula.live
    if len(live.forms) > 1:
        lines.append(
            f"The live set is the largest of {len(live.forms):,} such formulas (all in --format json); the "
            "one shown is the largest at the sizes where they were found."
        )
    if set(formula.along(live.regions)) != set(formula.along(formula.pieces[0].regions)):
        lines += lying(formula, live.regions, "It holds")
    return lines


def lying(formula: Formula, several: Sequence[Region], what: str) -> list[str]:
    """Where what is said of tensors holds, which lie otherwise elsewhere."""
    if not several:
        return []
    conditions = {one for region in several for one in region.joint}
    if len(conditions) > _MOST:
        return [f"{what} on {len(conditions)} conditions (all in --format json)."]
    return [f"{what} {regions(formula, several)}; elsewhere, tensors are laid out differently in memory."]


def headline(formula: Formula) -> str:
    """Title, input and output."""
    text = Written(formula, TEXT)
    inputs = ", ".join(
        text.shape(shape)
        if list(formula.main.inputs) == ["input"]
        else f"{printable(name)} {text.shape(shape)}"
        for name, shape in formula.main.inputs.items()
    )
    outputs = ", ".join(text.shape(formula.main.shape_of(end)) for end in formula.main.outputs.values())
    return f"{printable(formula.network.title)}: {inputs} -> {outputs}"


def lead(formula: Formula, *, spelled: bool = False) -> list[tuple[str, str]]:
    """The inputs that a network takes, one sentence for each of the boxes that they are.

    Args:
        formula: the formulas of the network.
        spelled: without the names of sizes, as where nothing says what these are.
    """
    word = "takes at least" if formula.untold else "takes"
    return [(word, one) for one in domain(formula, spelled=spelled) or ["no input at all"]]


def domain(formula: Formula, several: Sequence[Region] | None = None, *, spelled: bool = False) -> list[str]:
    """All inputs that a network takes, or some of them: one sentence for each of the boxes that they are."""
    return _said(formula, formula.domain if several is None else formula.along(several), spelled)


def regions(formula: Formula, several: Iterable[Region]) -> str:
    """Where something holds: ``where H = 1 to 5``."""
    return "where " + "; or ".join(_said(formula, formula.along([*several])))


def _said(formula: Formula, several: Iterable[Along], spelled: bool = False) -> list[str]:
    notation = Notation(formula.table, formula.letters, TEXT, () if spelled else _named(formula))
    return [
        ", ".join(
            [
                *[
                    pattern(letter, one)
                    for letter, one in zip(formula.letters, along.patterns, strict=True)
                    if one != Pattern((), 1) or not along.joint
                ],
                *map(notation.condition, along.joint),
            ]
        )
        for along in several
    ]


def pattern(letter: str, one: Pattern) -> str:
    """Sizes in words.

    >>> pattern("H", Pattern(((17, 17), (19, 25)), 48, 16, (0,)))
    'H = 17 or 19 to 25; or H >= 48, a multiple of 16'
    >>> pattern("W", Pattern((), 1))
    'any W'
    """
    if one == Pattern((), 1):
        return f"any {letter}"
    listed = [f"{a:,}" if a == b else f"{a:,} to {b:,}" for a, b in one.stretches[:_MOST]]
    if len(one.stretches) > _MOST:
        listed.append(f"{len(one.stretches) - _MOST:,} more stretches")
    said = [f"{letter} = {' or '.join(listed)}"] if listed else []
    if one.start is not None:
        said.append(f"{letter} >= {one.start:,}{_congruence(one)}")
    return "; or ".join(said) or f"no {letter}"


def _congruence(one: Pattern) -> str:
    if one.modulus == 1:
        return ""
    if one.remainders == (0,):
        return f", a multiple of {one.modulus:,}"
    left = one.remainders
    if len(left) > 8:
        return f", {len(left):,} of each {one.modulus:,} in a row"
    runs = f"{left[0]}" if len(left) == 1 else f"{', '.join(map(str, left[:-1]))} or {left[-1]}"
    return f", with remainder {runs} by {one.modulus:,}"


def boxes(formula: Formula, several: Iterable[Region]) -> list[dict[str, object]]:
    """Where something holds, as plain lists and dicts."""
    notation = Notation(formula.table, formula.letters, PYTHON)
    return [
        {
            "letters": {
                letter: {
                    "stretches": [list(stretch) for stretch in one.stretches],
                    "start": one.start,
                    "modulus": one.modulus,
                    "remainders": list(one.remainders),
                }
                for letter, one in zip(formula.letters, along.patterns, strict=True)
            },
            "conditions": list(map(notation.condition, along.joint)),
        }
        for along in formula.along([*several])
    ]


def given(formula: Formula, schema: str) -> dict[str, object]:
    """Which form it is, and of which network on which inputs: how it begins."""
    return {
        "schema": schema,
        "name": formula.network.name,
        "inputs": {name: list(sizes) for name, sizes in formula.inputs.items()},
    }


def live_set(formula: Formula, written: Written) -> dict[str, object]:
    """The formulas of which the largest is the live set, and where, as plain lists and dicts."""
    return {
        "largest_of": list(map(written.form, formula.live.forms)),
        "where": boxes(formula, formula.live.regions),
    }


def letters_of(formula: Formula, written: Written) -> dict[str, object]:
    """The letters, what sizes are named, and which inputs the network takes, as plain lists and dicts."""
    return {
        "letters": {
            name: {"own": formula.own.get(name), "looked_at": len(sizes)}
            for name, sizes in zip(formula.letters, formula.table.sizes, strict=True)
        },
        "sizes": {name: _spelled(written, form) for name, form in written.notation.named.items()},
        "domain": boxes(formula, [region for one in formula.pieces for region in one.regions]),
        "proved": formula.proved,
        "untold": formula.untold or None,
    }


def to_json(formula: Formula) -> str:
    """``archlens.formula/1``: formulas in Python, where ``//`` rounds down."""
    written = Written(formula, PYTHON)

    def piece(one: Piece) -> dict[str, object]:
        return {
            "where": boxes(formula, one.regions),
            "macs": written.form(formula.total_macs(one.network)),
            "params": written.form(form_of(one.network.params)),
            "layers": [
                {
                    "name": layer.name,
                    "op": written.op(layer),
                    "output": [written.form(form_of(n)) for n in layer.shape],
                    "params": written.form(form_of(layer.params)),
                    "macs": written.form(formula.macs_of(layer)),
                }
                for layer in one.network
            ],
        }

    return dumps(
        {
            **given(formula, SCHEMA),
            "batch": formula.batch or None,
            **letters_of(formula, written),
            "activations": written.form(formula.activations),
            "live_set": live_set(formula, written),
            "cache": written.form(formula.cache) if isinstance(formula.cache, tuple) else None,
            "pieces": [piece(one) for one in formula.pieces],
        },
        indent=2,
    )


def explained(formula: Formula, layers: Sequence[str], *, width: int | None = None) -> str:
    """How the size of each of some layers comes about, and what it collapses to, one paragraph each."""
    text = Written(formula, TEXT)
    paragraphs = [
        [
            line
            for title, said in _derived(formula, formula.main[name], text)
            for line in wrapped(said, width, lead=title)
        ]
        for name in layers
    ]
    heads = [headline(formula), *(f"{word}: {one}" for word, one in lead(formula, spelled=True))]
    above = [line for one in heads for line in wrapped(one, width)]
    below = sentences(notes(formula, memory=False), width)
    return "\n\n".join("\n".join(lines) for lines in (above, *paragraphs, below))


def _derived(formula: Formula, layer: Layer, text: Written) -> Iterator[tuple[str, str]]:
    yield "", f"{printable(layer.name)}: {printable(text.op(layer))}"
    sources = ", ".join(
        f"{text.shape(shape)} from {printable(name)}"
        for name, shape in zip(layer.inputs, layer.input_shapes, strict=True)
    )
    yield "  input   ", sources
    yield from zip(["  shape   ", *["          "] * 99], _collapse(layer, text), strict=False)
    yield "  output  ", text.shape(layer.shape)
    if layer.params:
        yield "  params  ", text.form(form_of(layer.params))
    macs = formula.macs_of(layer)
    yield "  MACs    ", text.form(macs) if macs else "none: no convolution and no matrix product"


def _collapse(layer: Layer, text: Written) -> Iterator[str]:
    """Each axis that varies: the formula of its window, with its numbers, and as one quotient of a letter."""
    x, out = layer.input_shapes[0], layer.shape
    windows = layer.windows
    axes = zip(x.axes, x.spatial, out.spatial, windows, strict=True) if windows else ()
    for axis, n, size, window in axes:
        if is_constant(form_of(n)):
            continue
        yield f"{axis}: {window.formula}, rounded {'up' if window.ceil else 'down'}"
        inner = text.form(form_of(n))
        steps = [window.of(inner)]
        spelled = _spelled(text, form_of(n))
        if spelled != inner:
            steps.append(window.of(spelled))
        found = _spelled(text, form_of(size))
        named = text.form(form_of(size))
        yield f"{axis}: {' = '.join(dict.fromkeys([*steps, found, named]))}"
    if not windows:
        for axis, size in zip(out.names, out, strict=True):
            if not is_constant(form_of(size)):
                found, named = _spelled(text, form_of(size)), text.form(form_of(size))
                yield f"{axis}: {named}" + (f" = {found}" if found != named else "")
