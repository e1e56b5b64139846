"""``archlens compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ...analysis import comparison
from ...analysis.comparison import MEASURES, Compared
from ...analysis.study import Study
from ...drawing import extensions
from ...drawing.formats import ANY
from ...errors import shorten, usage
from ...forms import forms
from ...views import comparison_table as view
from ..options import Given, all_option, beside, chosen, each_once, names_argument, network_options
from ..output import is_file, write_bytes, write_table
from ..pictures import extension_of, fit_option, font_option, theme_option

if TYPE_CHECKING:
    from ...dialects import Meant

#: The formats of the table, and the extension that a file of each has.
_FORMS = {form.name: form.extension for form in forms().values() if not form.checks}


@click.command("compare")
@names_argument
@network_options
@all_option
@click.option("--no-smallest", is_flag=True, help="Leave out the smallest inputs, which are found by trial.")
@click.option("--format", "form", type=click.Choice(list(_FORMS)), help="Of the table.  [default: table]")
@click.option(
    "-o",
    "--output",
    "path",
    metavar="FILE",
    help="Write the chart (.svg, .png, .pdf, .tex) or the table (.txt, .md, .csv, .json, .html).",
)
@click.option(
    "--x", metavar="NAME", help=f"The horizontal axis of the chart: {', '.join(MEASURES)}.  [default: macs]"
)
@click.option("--y", metavar="NAME", help="The vertical axis, from the same list.  [default: top1]")
@click.option("--area", metavar="NAME", help="The area of the bubbles, or none.  [default: params]")
@click.option("--front", is_flag=True, help="Draw the Pareto front.")
@fit_option("the chart")
@font_option
@theme_option("Colours of the chart", "light")
def command(
    name: tuple[str, ...],
    given: Given,
    every: bool,
    no_smallest: bool,
    form: str | None,
    path: str | None,
    x: str | None,
    y: str | None,
    area: str | None,
    front: bool,
    fit: str | None,
    font: str | None,
    theme: str | None,
) -> None:
    """Compare networks in a table, and plot accuracy against MACs.

    A family, such as efficientnet, means each of its networks. --input and --set apply to all. The accuracies
    are published ones, for the networks as their specs describe them; the table gives the source of each.
    """
    named = chosen("compare", name, every, example="resnet50 vgg16 mobilenet_v2")
    ending = extension_of(path or "")
    is_chart = ending in extensions()
    options = {"x": x, "y": y, "area": area, "front": front or None}
    options |= {"fit": fit, "font": font, "theme": theme}
    asked: dict[str, Any] = {option: value for option, value in options.items() if value is not None}
    if asked and not is_chart:
        raise usage(f"--{next(iter(asked))} is for a chart, but none is written", help="add -o chart.svg")
    shown = "table" if is_chart and form is None else form or _form(path, ending)
    if form is not None and not is_chart and ending in _FORMS.values() and ending != _FORMS[form]:
        raise usage(
            f"--format {form} and a file that ends in .{ending} contradict each other",
            help=f"leave --format out, or end the file in .{_FORMS[form]}",
        )
    networks = each_once(named)
    records = [_one(one, given, smallest=not no_smallest) for _, one in beside(networks, "comparing")]
    found = comparison.told_apart(records, [asked for asked, _ in networks])
    if is_chart:
        assert path is not None
        from ...drawing import Chart, to_bytes

        write_bytes(to_bytes(Chart(tuple(found), **asked), ending), path)
        path = None
    write_table(view.table(found), shown, path)


def _form(path: str | None, ending: str) -> str:
    """The format of the table that a file's ending means.

    Raises:
        UsageError: it means none.
    """
    if not is_file(path):
        return "table"
    for form, known in _FORMS.items():
        if ending == known:
            return form
    tables = [f".{name}" for name in _FORMS.values() if name not in extensions()]
    raise usage(
        f"there is no format .{shorten(ending)}" if ending else "the file has no extension",
        help=f"a chart ends in {', '.join(f'.{name}' for name in ANY)}; "
        f"a table in {', '.join(tables)}, or --format says which",
    )


def _one(found: Meant, given: Given, *, smallest: bool) -> Compared:
    network = given.make(found)
    return comparison.find(Study(network), smallest=smallest, overridden=given.overridden(network, found))
