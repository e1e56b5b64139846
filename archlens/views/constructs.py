"""The constructs of the language: all in a line each, or one in full, with a use of it worked out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from ..errors import Style, unstyled
from ..forms import text as terminal
from ..forms.markdown import pipes
from ..forms.table import Column, Table
from ..language.constructs import CONSTRUCTS
from ..network import Network
from ..ops.op import as_written, signature
from ..ops.reference import plain
from ..wrapping import wrapped
from .rows import rows_of
from .shapes_table import table as shapes


class Used(NamedTuple):
    """A construct, and the network that its example describes."""

    name: str
    network: Network


def keys_of(name: str) -> list[tuple[str, str, str, str]]:
    """What may stand in a construct: its default, what it may be, and what it means."""
    one = CONSTRUCTS[name]
    given = {} if one.op is None else signature(one.op)
    return [
        *(
            (key, "" if said.required else as_written(said.default), said.kind.says, said.meaning)
            for key, said in given.items()
        ),
        *((key, "", "a step", meaning) for key, meaning in one.parts.items()),
    ]


#: The most columns of running text.
_WIDTH = 100


def to_text(used: Used, width: int | None = None, style: Style = unstyled) -> str:
    """A construct in full: its form, what it means, what stands in it, and its example with its layers."""
    one = CONSTRUCTS[used.name]
    columns = min(width or _WIDTH, _WIDTH)
    lines = [style(line, "message") for line in wrapped(one.form, columns)]
    for text in filter(None, (one.summary, one.text)):
        lines += ["", *wrapped(plain(text), columns)]
    if keys_of(used.name):
        fields = [Column("key"), *(Column(title, least=12) for title in ("default", "takes", "meaning"))]
        lines += ["", *terminal.write(Table(fields, keys_of(used.name)), width, style).split("\n")]
    lines += ["", *wrapped(f"also called: {', '.join(one.also.split())}", columns)] if one.also else []
    lines += ["", *(f"  {line}" for line in one.example.split("\n")), ""]
    return "\n".join([*lines, terminal.write(_layers(used.network), width, style)])


def _layers(network: Network) -> Table:
    """The layers of an example, without what stands above and below tables of networks."""
    found = shapes(network, rows_of(network), columns=("layer", "op", "output", "params", "macs"))
    return replace(found, headline="", notes=())


def to_markdown(used: Used) -> str:
    """The same as a section of a page."""
    one = CONSTRUCTS[used.name]
    lines = [f"### {used.name}", "", f"`{one.form}`"]
    for text in filter(None, (one.summary, one.text)):
        lines += ["", text]
    if keys_of(used.name):
        rows = [[f"`{key}`", default and f"`{default}`", *more] for key, default, *more in keys_of(used.name)]
        lines += ["", *pipes(["key", "default", "takes", "meaning"], rows, (False,) * 4)]
    lines += ["", "Also called: " + ", ".join(f"`{word}`" for word in one.also.split())] if one.also else []
    return "\n".join([*lines, "", "```yaml", f"# {used.name}.yaml", one.example, "```"])


def record(used: Used) -> dict[str, Any]:
    """The same for programs."""
    one = CONSTRUCTS[used.name]
    return {
        "construct": used.name,
        "form": one.form,
        "summary": plain(one.summary),
        "text": plain(one.text),
        "keys": [
            {"name": key, "default": default or None, "takes": takes, "meaning": meaning}
            for key, default, takes, meaning in keys_of(used.name)
        ],
        "also": one.also.split(),
        "example": one.example,
        "params": used.network.params,
        "macs": used.network.macs,
    }
