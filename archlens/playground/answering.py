"""What the page asks of a spec that is being written, and what archlens says of it: JSON in, JSON out.

It runs in the page, by Pyodide, and anywhere else; it reads no file but the zoo's, and asks nothing of any
network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ..analysis import batches, comparison, layouts, unseen
from ..analysis.study import Study
from ..budgets.project import parse_limits
from ..budgets.verdict import Checked, Report, judge
from ..drawing import to_svg
from ..editor import looking, wording
from ..editor.looking import Looked
from ..errors import (
    ArchlensError,
    Diagnostic,
    printable,
    printable_lines,
    shorten,
    usage,
)
from ..explorer.inside import inside
from ..explorer.records import Strings, record
from ..forms.table import SpanningRow, Table, words_of
from ..language import Spec
from ..language.steps import Listing, Value
from ..library import find, names
from ..lint import lint
from ..views import check_table, explanation, shapes_table, words
from ..views.lint_table import Linted
from ..views.rows import rows_of

#: What messages call the spec, and how many warnings of the layers are marked.
NAME = "network.yaml"
_WARNINGS = 20
#: The most lines of a table that a page is given.
LINES = 2000


class Asked(NamedTuple):
    """A spec with what is to be different in it."""

    text: str
    variant: str = ""
    #: Shapes by the names of inputs, and values by the names of params.
    inputs: tuple[tuple[str, str], ...] = ()
    values: tuple[tuple[str, str], ...] = ()


@lru_cache(4)
def look(asked: Asked) -> Looked:
    """Lay out what is asked for, once for all questions about it."""
    found = glance(asked)
    return found if found.problem is None else _laid_out(asked, advice=True)


@lru_cache(4)
def glance(asked: Asked) -> Looked:
    """The same without what would work, for which many networks may have to be laid out."""
    return _laid_out(asked, advice=False)


def _laid_out(asked: Asked, *, advice: bool) -> Looked:
    found = looking.opened(asked.text, path=NAME)
    spec = found.spec
    if spec is None:
        return found
    variant = asked.variant if asked.variant in spec.variants else next(iter(spec.variants), "")
    given = dict(asked.inputs)
    whole = next(iter(given.values()), None) if [*given] == [*spec.inputs] and len(given) == 1 else given
    return looking.laid_out(spec, variant, advice=advice, input=whole or None, values=dict(asked.values))


#: The text that was last a spec: while one types, it mostly is none, and its words are wanted then.
_spec: list[Looked] = []


@lru_cache(4)
def _study(asked: Asked) -> Study:
    network = look(asked).network
    assert network is not None
    return Study(network)


# --- what is answered ----------------------------------------------------------------------------------


def answer(question: str) -> str:
    """The answer to a question, both in JSON; ``{"problem": ...}`` where the question itself is wrong."""
    asked = json.loads(question)
    try:
        return json.dumps(QUESTIONS[asked.pop("ask")](**asked), ensure_ascii=False)
    except ArchlensError as problem:
        return json.dumps({"problem": printable_lines(str(problem))})


def opened(name: str) -> dict[str, Any]:
    """The text of a network of the zoo, and which of its variants it is."""
    if name not in names():
        raise usage(f"there is no network {shorten(name)}")
    found = find(name)
    return {"text": found.spec.source.text, "variant": found.variant}


def glanced(**given: Any) -> dict[str, Any]:
    """What is wrong with a spec, where, as soon as that is known."""
    asked = _asked(given)
    found = glance(asked)
    return {"marks": [_mark(found.problem, asked)] if found.problem is not None else []}


def checked(**given: Any) -> dict[str, Any]:
    """What is wrong with a spec, where; and what can be changed in it."""
    asked = _asked(given)
    found = look(asked)
    marks = [_mark(found.problem, asked)] if found.problem is not None else []
    spec, network = found.spec, found.network
    if spec is not None:
        _spec[:] = [found]
    if network is not None and found.complete:
        warnings = [*layouts.find(network), *unseen.find(network), *batches.find(network)]
        marks += [_mark(one, asked) for one in warnings[:_WARNINGS]]
    return {
        "marks": marks,
        "complete": found.complete,
        "layers": len(network.layers) if network is not None else 0,
        "failed": printable(found.failed.name) if found.failed is not None else "",
        "headline": words.headline(network, complete=found.complete) if network is not None else "",
        "inputs": [[name, str(shape)] for name, shape in network.inputs.items()] if network else [],
        "params": [[name, _written(spec, found.variant, name)] for name in spec.params] if spec else [],
        "variants": [*spec.variants] if spec else [],
        "variant": found.variant,
    }


def completed(line: str) -> dict[str, Any]:
    """What can stand at the end of a line of the text that was last a spec when it was checked."""
    known = _spec[0] if _spec else None
    start, words = wording.completed(line, known and known.spec, known and known.network)
    return {
        "start": looking.units(line[:start]),
        "words": [[one.label, one.text, one.detail, one.says] for one in words],
    }


def graphed(**given: Any) -> dict[str, Any] | None:
    """The layers and scopes as the viewer draws them, with the layer that failed."""
    asked = _asked(given)
    found = look(asked)
    return inside(_study(asked), found.failed) if found.network is not None else None


def figured(**given: Any) -> dict[str, Any] | None:
    """The figures, and those of the spec as it stands where something is to be different."""
    asked = _asked(given)
    own = asked._replace(inputs=(), values=())
    if not look(asked).complete:
        return None
    say = Strings()
    found = {"now": _record(asked, say)}
    if own != asked and look(own).complete:
        found["own"] = _record(own, say)
    return {**found, "texts": list(say.numbers)}


def _record(asked: Asked, say: Strings) -> dict[str, Any]:
    study = _study(asked)
    overridden = "another input or other params" if asked.inputs or asked.values else ""
    return record(study, comparison.find(study, overridden=overridden), say)


def tabled(**given: Any) -> dict[str, Any] | None:
    """The table of the layers."""
    asked = _asked(given)
    found = look(asked)
    if found.network is None:
        return None
    rows = rows_of(found.network)[:LINES]
    return plain(shapes_table.table(found.network, rows, complete=found.complete, study=_study(asked)))


def linted(**given: Any) -> list[dict[str, Any]] | None:
    """What the rules find."""
    asked = _asked(given)
    found = look(asked)
    if not found.complete:
        return None
    one = Linted(NAME, lint(_study(asked), found.spec))
    return [
        {**_mark(finding.diagnostic, asked), "name": finding.rule.name, "layers": [*finding.layers]}
        for finding in one.findings
    ]


def limited(limits: Sequence[Sequence[str]] = (), **given: Any) -> dict[str, Any] | None:
    """How the limits come out, those of the spec and further ones: pairs of a quantity and a text."""
    asked = _asked(given)
    found = look(asked)
    if not found.complete or found.network is None:
        return None
    wanted = [*found.network.meta.requirements, *parse_limits([(name, text) for name, text in limits])]
    verdicts = judge(_study(asked), wanted)
    report = Report((Checked(found.network.name, found.network, verdicts),))
    return {"held": [one.held for one in verdicts], **plain(check_table.table(report))}


def drawn(style: str, dark: bool = False, fit: str | None = None, **given: Any) -> dict[str, str] | None:
    """The picture that ``archlens diagram`` draws in a style, for a page as wide as ``--fit`` says."""
    asked = _asked(given)
    network = look(asked).network
    if network is None or not network.layers:
        return None
    return {
        "svg": to_svg(
            network, style=style, theme="dark" if dark else "light", **({"fit": fit} if fit else {})
        )
    }


def explained(layer: str, **given: Any) -> dict[str, str] | None:
    """How the numbers of a layer come about."""
    network = look(_asked(given)).network
    if network is None or layer not in network.index:
        return None
    return {"text": explanation.to_text(network, [network[layer]])}


#: What can be asked.
QUESTIONS: Mapping[str, Callable[..., Any]] = {
    "open": opened,
    "glance": glanced,
    "check": checked,
    "complete": completed,
    "graph": graphed,
    "figures": figured,
    "table": tabled,
    "lint": linted,
    "limits": limited,
    "picture": drawn,
    "explain": explained,
}


# --- in plain data -------------------------------------------------------------------------------------


def _asked(given: Mapping[str, Any]) -> Asked:
    pairs = {key: tuple(sorted(given.get(key, {}).items())) for key in ("inputs", "values")}
    return Asked(given["text"], given.get("variant", ""), **pairs)


def _mark(diagnostic: Diagnostic, asked: Asked) -> dict[str, Any]:
    """A diagnostic at its place in the text: a line from 1, columns from 0 in units of UTF-16."""
    span = looking.place(diagnostic, NAME)
    place: list[int] = []
    if span is not None:
        start, stop = looking.columns(span)
        place = [span.line, start, stop - start]
    return {
        "place": place,
        "message": printable(diagnostic.message),
        "notes": [*map(printable, diagnostic.notes)],
        "help": printable(diagnostic.help),
        "severity": diagnostic.severity,
        "code": diagnostic.code,
    }


def _written(spec: Spec, variant: str, name: str) -> str:
    """The value of a param as it stands in the spec; empty where it has none."""
    if variant and name in spec.variants[variant].values:
        return _text(spec.variants[variant].values[name][0])
    value = spec.params[name].value
    return _text(value) if value is not None else ""


def _text(value: Value) -> str:
    if isinstance(value, Listing):
        return f"[{', '.join(map(_text, value.items))}]"
    return value.text


def plain(table: Table) -> dict[str, Any]:
    """A table as a page shows it: its columns, its rows, its totals, and what is said of it."""
    seen = table.seen
    return {
        "headline": seen.headline,
        "columns": [[column.title, column.right] for column in seen.columns],
        "rows": list(_rows(seen)),
        "totals": list(seen.totals),
        "remarks": [
            line.message if isinstance(line, Diagnostic) else line for block in seen.remarks for line in block
        ],
        "notes": list(seen.notes),
    }


def _rows(table: Table) -> Iterator[list[str]]:
    for row in table.rows:
        yield [words_of(row.words)] if isinstance(row, SpanningRow) else [*map(words_of, row)]
