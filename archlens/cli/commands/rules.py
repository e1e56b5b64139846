"""``archlens rules``."""

from __future__ import annotations

import click

from ...lint import RULES, meant
from ...views import lint_table as view
from ..options import format_option
from ..output import text_options, write, write_table
from .lint import complete_codes


@click.command("rules")
@click.argument("code", required=False, shell_complete=complete_codes)
@format_option()
def command(code: str | None, form: str) -> None:
    """List the rules of `archlens lint`, or explain one.

    An explanation says what the rule finds, why it matters and what to do instead. CODE is a code such as
    AL301, a prefix such as AL3, or a name such as bias-before-norm.
    """
    chosen = list(RULES.values()) if code is None else meant(code)
    if code is None or len(chosen) > 1 or form != "table":
        write_table(view.rules(chosen), form, None)
    else:
        write(view.rule_to_text(chosen[0], **text_options()), None)
