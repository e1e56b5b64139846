"""The forms of pages: how words and pictures are written in each, and which files a page has."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Container, Sequence
from dataclasses import replace
from functools import cache
from html import escape as html_escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..analysis.comparison import Compared
from ..drawing import Chart, Request
from ..drawing.drawn import Drawn
from ..drawing.inline import to_inline
from ..drawing.plan import Plans
from ..drawing.theme import AUTO
from ..drawing.themed import to_both
from ..drawing.thumbnail import thumbnail
from ..errors import not_installed, printable, printable_lines
from ..forms import markdown
from ..forms.table import Command, Content, Link, Table, Worded, words_of
from ..network import Network
from .gallery import sections as gallery_sections
from .material import Material
from .parts import Code, Thumbnail
from .sections import sections as page_sections

if TYPE_CHECKING:
    import jinja2

#: The folder beside Markdown pages that holds their pictures.
PICTURES = "pictures"

#: The width of a small picture, in pixels; and of that which is made small, on which few stages are broken.
SMALL, _WHOLE = 150, "1330px"


class File(NamedTuple):
    """A file to be written: where, beneath the folder of the pages, and what."""

    path: str
    content: bytes


class Form(NamedTuple):
    """A form of pages."""

    #: The ending of its files and of its templates.
    extension: str
    #: What the page of all networks is called.
    gallery: str
    #: Whether pictures stand in the page itself.
    contained: bool


def page(material: Material, form: str, *, made: str = "", gallery: bool = False) -> list[File]:
    """The page of a network, and the pictures that it shows.

    Args:
        material: the network, and what the sections say of it.
        form: a name of :data:`FORMS`.
        made: the command that makes it, which its foot names.
        gallery: whether a page of all networks lies beside it.

    Raises:
        UsageError: a package is missing.
    """
    chosen = FORMS[form]
    name = file_name(material.network.name)
    pictures: list[File] = []

    def picture(style: str) -> str:
        made = material.plans if isinstance(material.plans, Plans) else None
        return _shown(Request(material.network, style, made=made), f"{name}-{style}", chosen, pictures)

    text = _template("page", chosen).render(
        made=made,
        title=printable(material.network.title),
        sections=page_sections(material),
        gallery=chosen.gallery if gallery else "",
        picture=picture,
        viewer=lambda: _viewer(material),
        policy=_policy() if chosen.contained else "",
    )
    return [File(f"{name}.{chosen.extension}", _tidy(text)), *pictures]


def gallery(
    found: Sequence[tuple[Network, Compared]], form: str, *, pages: Container[str] | None = None
) -> list[File]:
    """The page that leads to all others, and the small pictures that it shows.

    Args:
        found: the networks, and their figures.
        form: a name of :data:`FORMS`.
        pages: the names of the networks whose pages lie beside it, where those are not all.

    Raises:
        UsageError: a package is missing.
    """
    chosen = FORMS[form]
    networks = {network.name: network for network, _ in found}
    figures = [one for _, one in found]
    pictures: list[File] = []

    def small(name: str) -> str:
        """The address of a small picture: a file beside the page, or the picture itself."""
        svg = to_both(*map(thumbnail, Request(networks[name], "volumes", fit=_WHOLE).pictures))
        if chosen.contained:
            return f"data:image/svg+xml;base64,{b64encode(svg.encode('utf-8')).decode('ascii')}"
        return _beside(svg, f"{file_name(name)}-small", pictures)

    def picture(name: str) -> str:
        return _shown(Chart(tuple(figures)), name, chosen, pictures)

    def address(name: str) -> str:
        beside = pages is None or name in pages
        return f"{file_name(name)}.{chosen.extension}" if beside else ""

    shown = gallery_sections(figures, address, small)
    text = _template("gallery", chosen).render(title="Networks", sections=shown, picture=picture, policy="")
    return [File(chosen.gallery, _tidy(text)), *pictures]


def file_name(name: str) -> str:
    """A name of a network as that of a file, on any system.

    >>> file_name("resnet50"), file_name("a/b:c"), file_name("..")
    ('resnet50', 'a_b_c', 'network')
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).strip(".")[:100] or "network"


def _tidy(text: str) -> bytes:
    """The text without the empty lines that templates leave."""
    return (re.sub(r"\n{3,}", "\n\n", text).strip() + "\n").encode("utf-8")


def _shown(drawn: Drawn, name: str, form: Form, pictures: list[File]) -> str:
    """A picture itself, in the colours of its page; or its path, where it is a file beside the page."""
    if not form.contained:
        return _beside(to_both(*drawn.pictures), name, pictures)
    from markupsafe import Markup

    # made by this package, which escapes what it shows
    return Markup(to_inline(replace(drawn, theme=AUTO)).strip())


def _viewer(material: Material) -> str:
    """The graph to touch, which a page of HTML has."""
    from markupsafe import Markup

    from ..explorer import within

    # made by this package, which escapes what it shows
    return Markup(within(material.study, asked=material.asked))


def _beside(svg: str, name: str, pictures: list[File]) -> str:
    """The path of a picture, which is added to those of the page."""
    pictures.append(File(f"{PICTURES}/{name}.svg", svg.encode("utf-8")))
    return pictures[-1].path


# --- Markdown ----------------------------------------------------------------------------------------


def _markdown(said: Content | Sequence[Content]) -> str:
    match said:
        case Thumbnail():
            small = _THUMBNAIL.format(*map(html_escape, (said.source, said.text)))
            return f'<a href="{html_escape(said.url)}">{small}</a>' if said.url else small
        case str() | Worded():
            return markdown.said(said)
        case _:
            return "".join(map(_markdown, said))


#: A small picture, and the words beneath it.
_THUMBNAIL = f'<img src="{{0}}" width="{SMALL}" alt=""><br>{{1}}'


def _block(part: Code) -> str:
    fence = markdown.fence("\n".join(part.lines)).ljust(3, "`")
    digits = len(str(len(part.lines)))
    numbered = [f"{number:>{digits}}  {line}".rstrip() for number, line in enumerate(part.lines, 1)]
    return "\n".join([fence, *numbered, fence])


def _grid(table: Table) -> str:
    return markdown.grid(table, _markdown)


# --- HTML --------------------------------------------------------------------------------------------


def _html(said: Content | Sequence[Content]) -> str:
    from markupsafe import Markup, escape

    match said:
        case Link() if said.url:
            return Markup('<a href="{}">{}</a>').format(
                markdown.safe_address(said.url), printable_lines(said.text)
            )
        case Command():
            return Markup("<code>{}</code>").format(printable_lines(said.text))
        case Thumbnail():
            small = Markup(_THUMBNAIL).format(said.source, printable_lines(said.text))
            return Markup('<a href="{}">{}</a>').format(said.url, small) if said.url else small
        case str() | Worded():
            return escape(printable_lines(words_of(said)))
        case _:
            return Markup("").join(map(_html, said))


# --- the templates -----------------------------------------------------------------------------------


def _policy() -> str:
    """The content security policy of a page that stands alone, which has the explorer in it."""
    from ..explorer import policy

    return policy()


def _template(name: str, form: Form) -> jinja2.Template:
    return _environment().get_template(f"{name}.{form.extension}.j2")


def _visible(value: Any) -> Any:
    """What a template writes, in which no character steers what stands around it."""
    return printable_lines(value) if type(value) is str else value


@cache
def _environment() -> jinja2.Environment:
    try:
        import jinja2
    except ImportError:
        raise not_installed("pages need Jinja2", "report") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
    )
    environment.filters |= {
        "markdown": _markdown,
        "html": _html,
        "grid": _grid,
        "block": _block,
        "typed": Command,
    }
    environment.tests["table"] = lambda part: isinstance(part, Table)
    return environment


#: The forms by the name that ``--format`` takes.
FORMS: dict[str, Form] = {
    "markdown": Form("md", "README.md", False),
    "html": Form("html", "index.html", True),
}
