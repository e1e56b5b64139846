"""``.mmd``: the graph as Mermaid, which GitHub draws inside Markdown in a fence called ``mermaid``."""

from __future__ import annotations

from ...errors import printable, shorten
from ..plan import Box, Plan
from ..request import HasPicture, Request
from ..styles.graph import shown
from ..theme import Theme
from . import lines_of, only_graphs

#: What Mermaid or the HTML that it makes takes for something else than text: ``$$x$$`` for a formula, and
#: ``fa:car`` for an icon. It writes characters by number as ``#35;``, without the ampersand.
_SPECIAL = frozenset('"#&<>;:\\`%{}|@$')


def to_bytes(drawn: HasPicture) -> bytes:
    """A request's graph as the content of a Mermaid file.

    Raises:
        UsageError: another style than a graph is asked for.
    """
    return to_mermaid(only_graphs(drawn, "mmd")).encode("utf-8")


def to_mermaid(request: Request) -> str:
    """The request's graph as Mermaid text."""
    (plan, direction), theme = shown(request), request.colors
    lines = [f"flowchart {direction.upper()}"]
    _scope(-1, plan, lines, "  ")
    bypasses = []
    for i, edge in enumerate(plan.edges):
        arrow = "-.->" if edge.grows else "==>" if edge.bypass else "-->"
        lines.append(f'  n{edge.tail} {arrow}|"{escape(plan.boxes[edge.tail].shape)}"| n{edge.head}')
        if edge.bypass:
            bypasses.append((i, theme.dense if edge.grows else theme.residual))
    for i, color in bypasses:
        lines.append(f"  linkStyle {i} stroke:{color}")
    return "\n".join([*lines, *_styles(plan, theme), ""])


def escape(text: str) -> str:
    """Text that Mermaid takes for nothing but text.

    >>> escape("<b> #1")
    '#60;b#62; #35;1'
    """
    return "".join(f"#{ord(c)};" if c in _SPECIAL else c for c in printable(text))


def _scope(number: int, plan: Plan, lines: list[str], indent: str) -> None:
    for box in plan.boxes:
        if box.scope == number:
            lines.append(f"{indent}n{box.id}{_shape(box, plan)}")
    for scope in plan.scopes:
        if scope.parent == number:
            words = " ".join(word for word in (scope.name, scope.what, scope.note) if word)
            lines.append(f'{indent}subgraph s{scope.id}["{escape(shorten(words, 200))}"]')
            _scope(scope.id, plan, lines, indent + "  ")
            lines.append(f"{indent}end")


def _shape(box: Box, plan: Plan) -> str:
    label = "<br/>".join(map(escape, lines_of(box, plan)))
    return f'(["{label}"])' if box.kind == "input" else f'["{label}"]'


def _styles(plan: Plan, theme: Theme) -> list[str]:
    """A class of boxes for each family of ops, for what failed, and for what runs in training only."""
    members: dict[str, list[str]] = {}
    for box in plan.boxes:
        if box.kind == "failed":
            look = f"fill:{theme.shade(theme.failed, 0.12)},stroke:{theme.failed},stroke-width:2px,"
        elif family := box.lines[0].family:
            look = f"fill:{theme.tint(family)},stroke:{theme.color(family)},"
        else:
            look = ""
        if look:
            members.setdefault(f"{look}color:{theme.text}", []).append(f"n{box.id}")
        if box.training:
            members.setdefault("stroke-dasharray:3 2", []).append(f"n{box.id}")
    lines: list[str] = []
    for number, (look, boxes) in enumerate(members.items()):
        lines.append(f"  classDef c{number} {look}")
        lines.append(f"  class {','.join(boxes)} c{number}")
    return lines
