"""``.dot``: the graph as Graphviz reads it, with words and colours, for those who lay it out themselves."""

from __future__ import annotations

from ...errors import printable, shorten
from ..plan import Box, Plan
from ..request import HasPicture, Request
from ..styles.graph import shown
from ..theme import Theme
from . import lines_of, only_graphs


def to_bytes(drawn: HasPicture) -> bytes:
    """A request's graph as the content of a DOT file.

    Raises:
        UsageError: another style than a graph is asked for.
    """
    return to_dot(only_graphs(drawn, "dot")).encode("utf-8")


def to_dot(request: Request) -> str:
    """The request's graph as the text of a DOT file."""
    (plan, direction), theme = shown(request), request.colors
    ground = theme.background if request.ground == "theme" else "transparent"
    lines = [
        f"digraph {quoted(plan.network.title[:200])} {{",
        f"  graph [rankdir={direction.upper()} label={quoted(plan.network.title[:200])} labelloc=t "
        f'fontname="Helvetica" bgcolor="{ground}" fontcolor="{theme.text}"];',
        f'  node [shape=box style="rounded,filled" fontname="Helvetica" fontsize=11 color="{theme.border}" '
        f'fontcolor="{theme.text}"];',
        f'  edge [fontname="Helvetica" fontsize=9 color="{theme.line}" fontcolor="{theme.muted}"];',
    ]
    _scope(-1, plan, theme, lines, "  ")
    for edge in plan.edges:
        words = [f"label={quoted(plan.boxes[edge.tail].shape)}"]
        if edge.bypass:
            color = theme.dense if edge.grows else theme.residual
            words.append(f'color="{color}" penwidth=1.8 style={"dashed" if edge.grows else "solid"} weight=0')
        lines.append(f"  n{edge.tail} -> n{edge.head} [{' '.join(words)}];")
    return "\n".join([*lines, "}", ""])


def _scope(number: int, plan: Plan, theme: Theme, lines: list[str], indent: str) -> None:
    """What stands in a scope, and the scopes in it."""
    for box in plan.boxes:
        if box.scope == number:
            look = f'fillcolor="{_fill(box, theme)}"{_frame(box, theme)}'
            label = quoted("\n".join(lines_of(box, plan)))
            lines.append(f"{indent}n{box.id} [label={label} {look}];")
    for scope in plan.scopes:
        if scope.parent == number:
            words = " ".join(word for word in (scope.name, scope.what, scope.note) if word)
            lines.append(f"{indent}subgraph cluster_{scope.id} {{")
            lines.append(
                f"{indent}  label={quoted(shorten(words, 200))}; labeljust=l; fontsize=10; style=rounded; "
                f'color="{theme.border}";'
            )
            _scope(scope.id, plan, theme, lines, indent + "  ")
            lines.append(f"{indent}}}")


def _fill(box: Box, theme: Theme) -> str:
    family = box.lines[0].family
    return theme.tint(family) if family else theme.box


def _frame(box: Box, theme: Theme) -> str:
    if box.kind == "failed":
        return f' color="{theme.failed}" penwidth=2'
    return ' style="rounded,filled,dashed"' if box.training else ""


def quoted(text: str) -> str:
    r"""Text in DOT's quotes, where a backslash, a quote and an ampersand stand for themselves.

    >>> print(quoted('a "b" &lt;'))
    "a \"b\" &amp;lt;"
    """
    lines = [printable(line).replace("\\", "\\\\").replace('"', r"\"") for line in text.split("\n")]
    return '"' + r"\n".join(lines).replace("&", "&amp;") + '"'
