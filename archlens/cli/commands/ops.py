"""``archlens ops``."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from ...elaboration.examples import reference
from ...elaboration.packages import bring, bring_all
from ...errors import shorten, usage
from ...language.synonyms import op_meant
from ...ops import LANGUAGE, STATED
from ...ops.op import registry
from ...views import ops_table as view
from ..options import format_option, output_option
from ..output import text_options, write, write_table


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(kind) for kind in LANGUAGE if kind.startswith(incomplete)]


@click.command("ops")
@click.argument("op", required=False, shell_complete=_complete)
@format_option()
@output_option
def command(op: str | None, form: str, path: str | None) -> None:
    """List the ops of the language, or explain OP: arguments, formulas, names elsewhere, examples.

    What another tool calls it, such as Conv2D, Gemm or swish, is answered with its name here.
    """
    if op is None:
        bring_all()
    elif op not in LANGUAGE and bring(op) is None:
        raise usage(
            f"there is no op {shorten(op)}",
            help=op_meant(op, LANGUAGE, otherwise="`archlens ops` lists all"),
        )
    chosen = {**registry, **STATED} if op is None else {op: LANGUAGE[op]}
    if form == "markdown":  # a page, which has more than a table
        entries = map(reference, chosen.values())
        write(view.to_markdown(entries) if op is None else view.to_section(next(entries)), path)
    elif op is not None and form == "table":
        write(view.to_text(reference(LANGUAGE[op]), **text_options(path)), path)
    else:
        write_table(view.table(chosen, lambda: map(reference, chosen.values())), form, path)
