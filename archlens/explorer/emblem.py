"""The picture of a network that stands for it: the block that it brought, or its stages."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from ..analysis.study import Study
from ..drawing import Request
from ..drawing.drawn import Drawn
from ..drawing.formats.svg import escape, to_svg
from ..drawing.part import part
from ..drawing.plan import TooMuch
from ..drawing.themed import merged
from ..grouping import grouped
from ..network import scopes_around

#: From how many layers on a block is one to be drawn, and up to how many.
_FEW, _MANY = 3, 40
#: How wide a picture is made.
FIT = "420px"

#: How much more what brings ways together says of a network than a chain does.
_MERGING = 4

_TAG = re.compile(r"<\w+ [^<>]*>")
_STRETCHED = re.compile(r' textLength="[^"]*" lengthAdjust="\w+"')
_SAID = re.compile(r"<(title|desc)>[^<]*</\1>\n?")
_LOOK = re.compile(
    r' (fill|stroke|stroke-width|stroke-dasharray|font-size|font-weight|text-anchor)="([^"<>]*)"'
)
_GROUP = re.compile(r'</?g(?: class="[\w -]+")?>')
_WAY = re.compile(r' d="([MLCZ\d., -]*)"')
_STEP = re.compile(r"([MLCZ])([\d., -]*)")
_HEAD = re.compile(r'<svg [^>]*?width="([\d.]+)"[^>]*? (viewBox="[\d. ]+")[^>]*>')


@dataclass
class Looks:
    """How what is in the pictures of a page looks, said once: its colours, and what has them."""

    colors: dict[tuple[str, str], str] = field(default_factory=dict)
    #: Declarations by the name of a class.
    classes: dict[str, str] = field(default_factory=dict)

    def both(self, light: str, dark: str) -> str:
        """What stands for a colour that differs between the themes."""
        if not light:
            return light
        return f"var({self.colors.setdefault((light, dark), f'--c{len(self.colors)}')})"

    def tag(self, found: re.Match[str]) -> str:
        """A tag with a class in the place of what it says of how it looks."""
        text = found[0]
        said = "".join(
            f"{name}:{value}{'px' * (name == 'font-size')};" for name, value in _LOOK.findall(text)
        )
        if not said:
            return text
        name = self.classes.setdefault(said, f"p{len(self.classes)}")
        return re.sub(r"(/?>)$", rf' class="{name}"\1', _LOOK.sub("", text))

    def style(self) -> str:
        """The style sheet."""
        colors = "".join(f"{name}:light-dark({a},{b});" for (a, b), name in self.colors.items())
        # a picture keeps its own looks among the words around it
        return f":root{{{colors}}}" + "".join(f".{name}{{{said}}}" for said, name in self.classes.items())


def svg(drawn: Drawn, looks: Looks, label: str) -> str:
    """A picture as an element of the page.

    Raises:
        UsageError: it cannot be drawn.
    """
    text = _SAID.sub("", to_svg(merged(*drawn.pictures, looks.both)))
    text = _TAG.sub(lambda tag: looks.tag(tag) if not tag[0].startswith(("<svg", "<g ")) else tag[0], text)
    said = escape(label)
    text = _HEAD.sub(
        lambda found: f'<svg class="picture" width="{found[1]}" {found[2]} role="img" aria-label="{said}">',
        _STRETCHED.sub("", text),
        count=1,
    )
    text = text.replace("\n", "")
    if len(_GROUP.findall(text)) == text.count("<g") + text.count("</g>"):  # which do nothing here
        text = _GROUP.sub("", text)
    return _WAY.sub(lambda found: f' d="{shortened(found[1])}"', text)


def shortened(way: str) -> str:
    """A path whose lines along an axis say the other coordinate alone.

    >>> shortened("M1,2L1,5L3,5L4,6Z")
    'M1,2V5H3L4,6Z'
    """
    parts = _STEP.findall(way)
    out, before = "", ("", "")
    for letter, numbers in parts:
        to = tuple(numbers.rsplit(",", 2)[-2:]) if numbers else before
        if letter == "L" and len(to) == 2 and to[0] == before[0]:
            out += f"V{to[1]}"
        elif letter == "L" and len(to) == 2 and to[1] == before[1]:
            out += f"H{to[0]}"
        else:
            out += letter + numbers
        before = to if len(to) == 2 else ("", "")
    return out


def drawing(study: Study, scope: str) -> tuple[str, Drawn] | None:
    """What stands for a network, with what it is: the block that it is made of, or its stages; or nothing.

    Args:
        study: of the network.
        scope: the block, as :func:`block` finds it.
    """
    network = study.network
    if scope:
        inside = part(network, scope)
        return f"{scope}: {network.made_by(scope)}", Request(inside, bare=True, fit=FIT)
    request = Request(network, depth=1, bare=True, fit=FIT)
    try:
        boxes = len(request.plan.boxes)
    except TooMuch:
        return None
    return ("its stages", request) if boxes <= _MANY else None


def block(study: Study) -> str:
    """The first scope of the kind that makes up most of a network, of those that a picture has room for.

    What merely holds several of another such kind, as a stage does, is none; empty where there is none.
    """
    blocks = study.network.blocks
    sizes = {scope: len(study.inside(scope)) for scope in blocks}
    fitting = [scope for scope, size in sizes.items() if _FEW <= size <= _MANY]
    inside = Counter(
        (around, blocks[scope]) for scope in fitting for around in scopes_around(scope) if around != scope
    )
    holding = {
        around
        for scope in fitting
        if sizes[scope] > _FEW
        for around in scopes_around(scope)
        if inside[around, blocks[scope]] > 1
    }
    kinds = grouped((blocks[scope], scope) for scope in fitting if scope not in holding)
    if not kinds:
        return ""

    def weight(scopes: list[str]) -> int:
        merging = any(layer.op.merges for layer in study.inside(scopes[0]))
        return sum(sizes[scope] for scope in scopes) * (_MERGING if merging else 1)

    most = max(kinds.values(), key=weight)
    return max(most, key=lambda scope: sizes[scope])
