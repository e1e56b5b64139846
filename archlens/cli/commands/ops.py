"""``archlens ops``."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from ...elaboration import elaborate
from ...elaboration.examples import reference
from ...elaboration.packages import bring, bring_all
from ...errors import did_you_mean, shorten, usage
from ...language.constructs import CONSTRUCTS
from ...language.synonyms import op_called, plain
from ...library import names, read
from ...ops import LANGUAGE, STATED
from ...ops.table import in_order
from ...views import constructs
from ...views import ops_table as view
from ..options import format_option, output_option
from ..output import text_options, write, write_table


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(kind) for kind in [*LANGUAGE, *CONSTRUCTS] if kind.startswith(incomplete)]


def _used(name: str) -> constructs.Used:
    """A construct with its example laid out; of variants the first."""
    spec = read(CONSTRUCTS[name].example)
    return constructs.Used(name, elaborate(spec, next(iter(spec.variants), "")))


def _network_called(word: str) -> str:
    """That a word is the name of a network, or the beginning of one, and so what shows its ops."""
    found = [name for name in names() if plain(name).startswith(plain(word))]
    if len(word) < 3 or not found:  # fewer letters begin too many names
        return ""
    return f"{found[0]} is a network, made of ops: `archlens show {found[0]}` prints its spec"


@click.command("ops")
@click.argument("op", required=False, shell_complete=_complete)
@format_option()
@output_option
def command(op: str | None, form: str, path: str | None) -> None:
    """List the ops of the language, or explain one.

    OP is explained with its arguments, formulas, examples and names in other tools. Names from other tools,
    such as Conv2D, Gemm or swish, are translated. OP may also be a construct that joins, names, repeats or
    shares steps: residual, each, again, experts.
    """
    if op is None:
        bring_all()
    elif op not in CONSTRUCTS and op not in LANGUAGE and bring(op) is None:
        known, lists_all = [*LANGUAGE, *CONSTRUCTS], "`archlens ops` lists all"
        raise usage(
            f"there is no op {shorten(op)}",
            help=op_called(op, known) or _network_called(op) or did_you_mean(op, known, otherwise=lists_all),
        )
    parts = tuple(CONSTRUCTS) if op is None else (op,) if op in CONSTRUCTS else ()
    chosen = {**in_order(), **STATED} if op is None else {} if parts else {op: LANGUAGE[op]}
    entries, used = map(reference, chosen.values()), map(_used, parts)
    if form == "markdown":  # a page, which has more than a table
        if op is None:
            write(view.to_markdown(entries, used), path)
        else:
            write(constructs.to_markdown(next(used)) if parts else view.to_section(next(entries)), path)
    elif op is not None and form == "table":
        options = text_options(path)
        said = constructs.to_text(next(used), **options) if parts else view.to_text(next(entries), **options)
        write(said, path)
    else:
        write_table(view.table(chosen, lambda: entries, parts, lambda: used), form, path)
