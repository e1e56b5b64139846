"""The ops of the language: all of them in a line each, or one in full."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from ..errors import Style, unstyled
from ..forms import text as terminal
from ..forms.markdown import pipes
from ..forms.table import LEAST, Column, Row, SpanningRow, Table
from ..language.constructs import CONSTRUCTS
from ..ops import LANGUAGE
from ..ops.op import Op, arguments, signed
from ..ops.reference import (
    Documentation,
    Entry,
    documentation,
    group_of,
    plain,
    rows_of_arguments,
    title_of,
)
from ..wrapping import wrapped
from . import constructs
from .constructs import Used

T = TypeVar("T")

#: The schema of the JSON, and its version.
SCHEMA = "archlens.ops/1"

#: The most columns of running text.
_WIDTH = 100

#: What stands above the constructs of the language.
_BESIDE = "Besides ops: how steps are joined, named, repeated and shared."

#: The sections that say how much.
_FORMULAS = ("output", "parameters", "macs", "limits", "source")
_TITLES = {"macs": "MACs"}

#: What an op has elsewhere that is not there.
_NONE = "none"


_COLUMNS = (
    Column("op"),
    Column("arguments", least=LEAST),
    Column("what it does", least=LEAST, key="summary"),
    Column("", key="group", shown=False),
)


def table(
    chosen: Mapping[str, type[Op]],
    entries: Callable[[], Iterable[Entry]],
    parts: Collection[str] = (),
    used: Callable[[], Iterable[Used]] = tuple,
) -> Table:
    """A line an op, by the file that it is in: its arguments with their defaults, and what it does.

    Args:
        chosen: which ops.
        entries: gives all that the reference has of them, for programs.
        parts: which constructs of the language.
        used: gives these with their examples, for programs.
    """
    rows: list[Row] = []
    for group, inside in _by_group(chosen.items(), lambda one: group_of(one[1])):
        rows.append(SpanningRow(title_of(group), heading=True))
        rows += [
            [kind, ", ".join(arguments(op)), plain(documentation(op).summary), group] for kind, op in inside
        ]
    if parts:
        rows.append(SpanningRow(_BESIDE, heading=True))
        rows += [
            [name, CONSTRUCTS[name].form, plain(CONSTRUCTS[name].summary), "constructs"] for name in parts
        ]
    notes = ["`archlens ops OP` explains one."]
    return Table(_COLUMNS, rows, notes=notes, json=lambda: to_json(entries(), used()))


def _by_group(items: Iterable[T], group: Callable[[T], str]) -> Iterator[tuple[str, list[T]]]:
    """Items by the file that their op is in; in a file they stay in order."""
    for name, inside in groupby(sorted(items, key=group), key=group):
        yield name, list(inside)


def to_text(entry: Entry, width: int | None = None, style: Style = unstyled) -> str:
    """An op in full: its arguments and formulas, what it is called elsewhere, and its examples."""
    said = entry.documentation
    columns = min(width or _WIDTH, _WIDTH)
    lines = [style(line, "message") for line in wrapped(signed(LANGUAGE[entry.kind]), columns)]
    for text in (said.summary, *said.text):
        lines += ["", *wrapped(plain(text), columns)]
    if entry.arguments:
        fields = [
            Column("argument"),
            *(Column(t, least=12) for t in ("default", "takes", "meaning")),
        ]
        lines += ["", *_table(fields, rows_of_arguments(entry.arguments), width, style)]
    facts = [Column("fact"), Column("formula", least=12)]
    lines += ["", *_table(facts, [[t, plain(text)] for t, text in _formulas(said)], columns, style)]
    names = [Column("elsewhere"), Column("its name", least=12)]
    lines += [
        "",
        *_table(names, [[t, _listed(found, said)] for t, found, said in _elsewhere(entry)], columns, style),
    ]
    examples = [
        Column("example", least=12),
        Column("output"),
        *(Column(t, right=True) for t in ("params", "MACs")),
    ]
    return "\n".join([*lines, "", *_table(examples, _examples(entry), width, style)])


def _table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None, style: Style
) -> list[str]:
    return terminal.write(Table(columns, rows), width, style).split("\n")


def _formulas(said: Documentation) -> list[tuple[str, str]]:
    fields = said._asdict()
    return [(_TITLES.get(name, name), fields[name]) for name in _FORMULAS if fields[name]]


def _elsewhere(entry: Entry) -> list[tuple[str, list[str], str]]:
    """For each tool the names of an op there, and what is to be said beside them."""
    names = entry.names
    own = "" if not entry.own else "and archlens' own" if entry.torch else "none: archlens has its own"
    theirs = [("torch", entry.torch, own)]
    theirs += [(tool, found.split(), "") for tool, found in (("Keras", names.keras), ("ONNX", names.onnx))]
    theirs = [(tool, found, said if found or said else _NONE) for tool, found, said in theirs]
    return [*theirs, ("also", names.also.split(), "")] if names.also else theirs


def _listed(names: Sequence[str], said: str) -> str:
    return ", ".join([*names, *([said] if said else [])])


def _examples(entry: Entry) -> list[list[str]]:
    return [
        [one.text, str(one.facts.shape), f"{one.facts.params:,}", f"{one.facts.macs:,}"]
        for one in entry.examples
    ]


#: What stands at the head of the page.
_ABOUT = (
    "What a step of a spec can be; `archlens ops` lists the same in a terminal, and `archlens ops conv` "
    "explains one. An argument without a default must be given. In formulas, `n` is an input size, `c` are "
    "channels, and `f`, `s`, `p` and `d` are kernel, stride, padding and dilation; `f*f` is the product of "
    "the sides of the window, whatever the number of axes. The figures of the examples are those of the "
    "op, which the tests compare with torch. Constructs that are not ops, such as `residual` and "
    "`experts`, are listed at the end, and in [the language](language.md)."
)

# --- other forms --------------------------------------------------------------------------------------


def to_json(entries: Iterable[Entry], used: Iterable[Used]) -> str:
    """``archlens.ops/1``: all that the reference has of each op, and of each construct."""
    said = {"ops": [_record(entry) for entry in entries], "constructs": [*map(constructs.record, used)]}
    return json.dumps({"schema": SCHEMA, **said}, indent=2)


def _record(entry: Entry) -> dict[str, Any]:
    said = entry.documentation
    return {
        "op": entry.kind,
        "group": entry.group,
        "family": LANGUAGE[entry.kind].family,
        "summary": plain(said.summary),
        "text": [plain(text) for text in said.text],
        "arguments": [
            {
                "name": name,
                "required": one.required,
                "default": None if one.required else one.default,
                "takes": one.kind.says,
                "meaning": one.meaning,
            }
            for name, one in entry.arguments.items()
        ],
        **{name: plain(getattr(said, name)) for name in _FORMULAS},
        "names": {
            "torch": entry.torch,
            **{tool: names.split() for tool, names in entry.names._asdict().items()},
        },
        "examples": [
            {
                "text": one.text,
                "inputs": [list(shape) for shape in one.inputs],
                "output": list(one.facts.shape),
                "params": one.facts.params,
                "macs": one.facts.macs,
            }
            for one in entry.examples
        ],
    }


def to_markdown(entries: Iterable[Entry], used: Iterable[Used]) -> str:
    """The reference as a page: each group in a table, and its ops in full; then the constructs."""
    groups = list(_by_group(entries, lambda one: one.group))
    first = groups[0][1][0]
    shown = "\n".join(["```console", f"$ archlens ops {first.kind}", to_text(first), "```"])
    lines = ["# The ops", "", *wrapped(_ABOUT, 110), "", shown]
    for group, inside in groups:
        lines += ["", f"## {_marked(title_of(group)).removesuffix('.')}", ""]
        rows = [[f"[`{one.kind}`](#{one.kind})", _cell(one.documentation.summary)] for one in inside]
        lines += pipes(["op", "what it does"], rows, (False, False))
        for one in inside:
            lines += ["", to_section(one)]
    listed = [*used]
    lines += ["", f"## {_BESIDE.removesuffix('.')}", ""]
    rows = [[f"[`{one.name}`](#{one.name})", _cell(CONSTRUCTS[one.name].summary)] for one in listed]
    lines += pipes(["construct", "what it means"], rows, (False, False))
    for use in listed:
        lines += ["", constructs.to_markdown(use)]
    return "\n".join(lines)


def _marked(text: str) -> str:
    """A docstring's text as Markdown."""
    return text.replace("``", "`")


def _cell(text: str) -> str:
    """The same in a table, where even code ends at a bar."""
    return _marked(text).replace("|", "\\|")


def to_section(entry: Entry) -> str:
    """An op in full, as Markdown."""
    said = entry.documentation
    lines = [f"### {entry.kind}", "", f"`{signed(LANGUAGE[entry.kind])}`"]
    for text in (said.summary, *said.text):
        lines += ["", _marked(text)]
    if entry.arguments:
        rows = [
            [f"`{name}`", f"`{default}`" if default else "", _cell(takes), _cell(meaning)]
            for name, default, takes, meaning in rows_of_arguments(entry.arguments)
        ]
        lines += ["", *pipes(["argument", "default", "takes", "meaning"], rows, (False,) * 4)]
    lines += ["", *(f"- {title}: {_marked(text)}" for title, text in _formulas(said))]
    lines += [
        f"- {title}: {_listed([f'`{name}`' for name in found], said)}"
        for title, found, said in _elsewhere(entry)
    ]
    rows = [[f"`{text}`", *figures] for text, *figures in _examples(entry)]
    lines += ["", *pipes(["example", "output", "params", "MACs"], rows, (False, False, True, True))]
    return "\n".join(lines)
