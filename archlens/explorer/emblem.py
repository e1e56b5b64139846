"""The picture of a network that stands for it: the block that it brought, or its stages."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby

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
_STEP = re.compile(r"([MLCZhv])([\d., -]*)")
_NUMBERS = re.compile(r"-?[\d.]+")
#: What a picture is made of, with what it looks like.
_ELEMENT = re.compile(
    r'<rect (?P<box>x="[\d.-]+" y="[\d.-]+" width="[\d.]+" height="[\d.]+"(?P<round> rx="[\d.]+")?)'
    r' class="(?P<box_look>\w+)"/>'
    r'|<rect (?P<ground>width="[\d.]+" height="[\d.]+") class="(?P<ground_look>\w+)"/>'
    r'|<path d="(?P<way>[MLCZ\d., -]*)" class="(?P<way_look>\w+)"/>'
    r'|<text (?P<place>x="[\d.-]+" y="[\d.-]+") class="(?P<words_look>\w+)">(?P<words>[^<]*)</text>'
)
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
    return _gathered(text)


def _gathered(text: str) -> str:
    """A picture in which what looks alike stands together: boxes, then what fills them, lines, and words.

    In a picture of a graph nothing hides what comes later here; one of anything else stays as it is.
    """
    head, inner = text[: text.index(">") + 1], text[text.index(">") + 1 : -len("</svg>")]
    found = list(_ELEMENT.finditer(inner))
    if "".join(one[0] for one in found) != inner:
        return _WAY.sub(lambda found: f' d="{shortened(found[1])}"', text)
    boxes: list[tuple[str, str]] = []
    ways: tuple[dict[str, str], dict[str, str]] = {}, {}
    largest: dict[str, float] = {}
    words: dict[str, str] = {}
    for one in found:
        if one["ground"] is not None:
            boxes.append((one["ground_look"], f"<rect {one['ground']}/>"))
        elif one["way"] is not None:
            ways[1][one["way_look"]] = ways[1].get(one["way_look"], "") + one["way"]
        elif one["words"] is not None:
            said = f"<text {one['place']}>{one['words']}</text>"
            words[one["words_look"]] = words.get(one["words_look"], "") + said
        elif one["round"]:
            boxes.append((one["box_look"], f"<rect {one['box']}/>"))
        else:
            x, y, wide, high = _NUMBERS.findall(one["box"])
            filled = f"M{x},{y}h{wide}v{high}h-{wide}Z"
            ways[0][one["box_look"]] = ways[0].get(one["box_look"], "") + filled
            largest[one["box_look"]] = max(largest.get(one["box_look"], 0), float(wide) * float(high))
    out = [head]
    for look, group in groupby(boxes, lambda box: box[0]):
        out.append(f'<g class="{look}">{"".join(box for _, box in group)}</g>')
    # a stripe lies on the filling of its box
    fillings = sorted(ways[0].items(), key=lambda one: -largest[one[0]])
    for look, way in (*fillings, *ways[1].items()):
        out.append(f'<path d="{shortened(way)}" class="{look}"/>')
    out += [f'<g class="{look}">{said}</g>' for look, said in words.items()]
    return "".join(out) + "</svg>"


def shortened(way: str) -> str:
    """A path, each step of which is said from the one before or from the corner, whichever is shorter.

    >>> shortened("M1,2L1,5L3,5L4,6Z")
    'M1,2V5H3L4,6Z'
    >>> shortened("M100,120.5L102,130.5")
    'M100,120.5l2,10'
    """
    out = ""
    x, y = start = Decimal(0), Decimal(0)
    for letter, said in _STEP.findall(way):
        numbers = [Decimal(one) for one in _NUMBERS.findall(said)]
        if letter == "Z":
            out, (x, y) = out + letter, start
            continue
        if letter in "hv":
            out += letter + said
            x, y = (x + numbers[0], y) if letter == "h" else (x, y + numbers[0])
            continue
        to = numbers[-2], numbers[-1]
        if letter == "L" and (to[0] == x or to[1] == y):
            sign, at, before = ("V", to[1], y) if to[0] == x else ("H", to[0], x)
            choices = [f"{sign}{_plain(at)}", f"{sign.lower()}{_plain(at - before)}"]
        else:
            near = [one - (y if i % 2 else x) for i, one in enumerate(numbers)]
            choices = [letter + _listed(numbers), letter.lower() + _listed(near)]
        out += min(choices, key=len)
        x, y = to
        if letter == "M":
            start = to
    return out


def _listed(numbers: list[Decimal]) -> str:
    """Numbers one after the other; one that has a sign needs nothing before it."""
    return "".join(f"{'' if not i or one < 0 else ','}{_plain(one)}" for i, one in enumerate(numbers))


def _plain(number: Decimal) -> str:
    """A number without the zeros that say nothing."""
    return f"{number.normalize():f}"


def drawing(study: Study, scope: str) -> tuple[str, Drawn] | None:
    """What stands for a network, with what it is: the block that it is made of, or its stages; or nothing.

    Args:
        study: of the network.
        scope: the block, as :func:`block` finds it.
    """
    network = study.network
    if scope:
        inside = part(network, scope)
        return f"{scope}: {network.made_by(scope)}", Request(inside, bare=True, ground="none", fit=FIT)
    request = Request(network, depth=1, bare=True, ground="none", fit=FIT)
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
