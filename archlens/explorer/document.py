"""The page: one HTML file with its data, its viewer and what is seen without that."""

from __future__ import annotations

import json
import shlex
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from zlib import DEFLATED, MAX_WBITS, compressobj

from ..analysis.comparison import MEASURES, Compared, Unit
from ..analysis.difference import ADDED, AFFECTED, ALTERED, REMOVED
from ..analysis.study import Study
from ..analysis.unknown import Unknown
from ..counts import AtLeast
from ..drawing.changes import color_of, fill_of
from ..drawing.theme import DARK, FAMILIES, LIGHT, Theme
from ..errors import printable
from ..forms.html import bare
from ..forms.table import Column, Table
from .aligning import vocabulary
from .compact import folded
from .emblem import Looks, block, drawing, svg
from .inside import inside
from .nested import Told
from .records import SHOWN, Strings, metrics, record

#: The name of the form of the data within the page.
SCHEMA = "archlens.explorer/1"

#: The networks of which a page starts, where it has them; and the files that the viewer is built into.
BEGINNING = ("lenet5", "alexnet", "vgg16", "googlenet", "resnet50")
_STATIC = Path(__file__).parent / "static"

#: What else a page may run in which archlens itself answers: the script beside it, and the worker of that.
_RUNS = " 'self' blob: 'wasm-unsafe-eval'; worker-src blob:"

#: Of how many networks each has a picture of its own.
PICTURED = 8


@dataclass(frozen=True)
class Subject:
    """A network of the page."""

    study: Study
    found: Compared
    #: What it is on the command line.
    asked: str
    #: The address of its page, from that of the explorer; empty where it has none.
    page: str = ""


class Live(NamedTuple):
    """What a page has in which archlens itself answers."""

    #: The viewer, a file of ``static/``.
    viewer: str
    data: dict[str, Any]


def page(subjects: Sequence[Subject], *, command: str, live: Live | None = None) -> bytes:
    """The page of some networks, in this order.

    Args:
        subjects: the networks, each under another name.
        command: what makes this page, which it names.
        live: where archlens itself answers in the page.

    Raises:
        UsageError: something cannot be drawn.
    """
    looks, say = Looks(), Strings()
    pictures, drawn = _pictures(subjects, looks)
    told = Told()
    layers = folded(inside(one.study, told=told) for one in subjects)
    layers |= vocabulary(one.study.network for one in subjects)
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "command": command,
        "beginning": [name for name in BEGINNING if any(one.found.name == name for one in subjects)],
        "metrics": metrics(),
        "networks": [
            record(one.study, one.found, say)
            | {"asked": one.asked, "picture": drawn.get(one.found.name)}
            | {"inside": folds is not None}
            | ({"page": one.page} if one.page else {})
            for one, folds in zip(subjects, layers["networks"], strict=True)
        ],
    }
    data["texts"] = list(say.numbers)
    if live is not None:
        data["live"] = live.data
    return _html(subjects, data, layers, pictures, looks, live).encode("utf-8")


def _pictures(subjects: Sequence[Subject], looks: Looks) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """The pictures, each with what it is, and which each network has.

    Of many networks there is one for each kind of block in a family; stages are a network's own, unless
    another has the very same.
    """
    many = len(subjects) > PICTURED
    pictures: list[tuple[str, str]] = []
    numbers: dict[str, int] = {}
    drawn: dict[str, int] = {}
    kinds: dict[tuple[str, str], int] = {}
    for one in subjects:
        name, scope = one.found.name, block(one.study)
        kind = one.found.family, one.study.network.blocks.get(scope, "")
        if scope and many and kind in kinds:
            drawn[name] = kinds[kind]
            continue
        found = drawing(one.study, scope)
        if found is None:
            continue
        said, picture = found
        label = f"{printable(one.found.title)}, {printable(said)}"
        text = svg(picture, looks, label)
        alike = text.replace(escape(label), "", 1) if many else text
        drawn[name] = kinds[kind] = numbers.setdefault(alike, len(pictures))
        if drawn[name] == len(pictures):
            pictures.append((label, text))
    return pictures, drawn


# --- what is seen without the viewer --------------------------------------------------------------------


def _html(
    subjects: Sequence[Subject],
    data: dict[str, Any],
    layers: dict[str, Any],
    pictures: list[tuple[str, str]],
    looks: Looks,
    live: Live | None,
) -> str:
    script = built(live.viewer if live is not None else "explorer.js")
    style = built("explorer.css") + hues() + change_hues() + looks.style()
    policy = (
        f"default-src 'none'; script-src '{digest(script)}'{_RUNS * (live is not None)}; "
        f"style-src '{digest(style)}'; img-src blob:; base-uri 'none'; form-action 'none'"
    )
    title = "Networks to explore"
    if live is not None:
        title = "archlens playground"
    elif len(subjects) == 1:
        title = f"{printable(subjects[0].found.title)} to explore"
    figures = "".join(
        f'<figure id="picture-{i}"><div class="wide">{text}</div>'
        f"<figcaption>{escape(label)}</figcaption></figure>\n"
        for i, (label, text) in enumerate(pictures)
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<header><h1>{escape(title)}</h1></header>\n<main id="explorer"></main>\n'
        f'<section id="plain">\n<h2>Figures</h2>\n<div class="wide" tabindex="0" role="region" '
        f'aria-label="Figures">{_table(subjects)}</div>\n{_meaning()}'
        f'<div id="pictures"><h2>Pictures</h2>\n{figures}</div>\n'
        f'<p class="quiet">Made by <code>{escape(printable(data["command"]))}</code>.</p>\n</section>\n'
        f'<script type="text/plain" id="data">{packed(data)}</script>\n'
        f'<script type="text/plain" id="layers">{packed(layers)}</script>\n'
        f'<script type="module">{script}</script>\n</body>\n</html>\n'
    )


def packed(data: Any) -> str:
    """Data that is unpacked when it is looked at: its JSON, deflated without heads, in letters.

    >>> packed([1, 2])
    'izbUMYoFAA'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    press = compressobj(9, DEFLATED, -MAX_WBITS)
    return urlsafe_b64encode(press.compress(text.encode("utf-8")) + press.flush()).decode("ascii").rstrip("=")


def built(name: str) -> str:
    """A file of the viewer, as it was built."""
    return (_STATIC / name).read_text("utf-8").strip()


def digest(text: str) -> str:
    """How a policy names a script or a style sheet."""
    return f"sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def embedded(data: Any) -> str:
    r"""Data as JSON that no reader of HTML takes for the end of what it stands in.

    >>> embedded({"title": "</script><script>alert(1)"})
    '{"title":"\\u003c/script>\\u003cscript>alert(1)"}'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def hues() -> str:
    """The colours of families of ops in both themes, as properties."""
    said = "".join(
        f"--{family}:light-dark({LIGHT.color(family)},{DARK.color(family)});"
        f"--{family}-box:light-dark({LIGHT.tint(family)},{DARK.tint(family)});"
        for family in FAMILIES
    )
    return f":root{{{said}}}"


def change_hues() -> str:
    """The colours of kinds of changes in both themes."""

    def both(of: Callable[[str, Theme], str], kind: str) -> str:
        return f"light-dark({of(kind, LIGHT)},{of(kind, DARK)})"

    return "".join(
        f".changes .{kind}>rect{{fill:{both(fill_of, kind)};stroke:{both(color_of, kind)};stroke-width:1.4}}"
        f".changes .{kind}.sign,.changes .{kind}>.sign{{fill:{both(color_of, kind)}}}"
        for kind in (ADDED, REMOVED, ALTERED, AFFECTED)
    )


def _table(subjects: Sequence[Subject]) -> str:
    """The figures, for those who read no pictures."""
    columns = [Column("network"), *(Column(MEASURES[key].called) for key in SHOWN)]
    rows = [[one.found.name, *(_figure(key, one.found) for key in SHOWN)] for one in subjects]
    return bare(Table(columns=columns, rows=rows))


def _figure(key: str, found: Compared) -> str:
    measure = MEASURES[key]
    value = measure.of(found)
    if isinstance(value, Unknown):
        return "unknown"
    if isinstance(value, AtLeast) or measure.unit in (Unit.COUNT, Unit.BYTES):
        return f"{value:,}"
    return f"{value:g}"


def _meaning() -> str:
    """What the figures are, for those who read the table alone."""
    said = (
        "One MAC is one multiply-accumulate of a convolution or a matrix product. Peak activations: the live "
        "set, the most bytes alive at once in an inference of one sample in float32; memory: bytes of "
        "weights and buffers in float32. Top-1 and top-5 are published accuracies on ImageNet in per cent."
    )
    return f'<p class="quiet">{said}</p>\n'


def command_of(names: Sequence[str], output: str) -> str:
    """The command line that makes a page.

    >>> command_of(["lenet5", "my net.yaml"], "explorer.html")
    "archlens explore lenet5 'my net.yaml' -o explorer.html"
    """
    return shlex.join(["archlens", "explore", *names, "-o", output])
