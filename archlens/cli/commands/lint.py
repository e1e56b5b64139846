"""``archlens lint``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

from ...analysis.study import Study
from ...errors import SpecError, UsageError, usage
from ...language.spec import Spec
from ...lint import ERROR, RULES, choose, lint
from ...network import Network
from ...views import lint_table as view
from ..options import (
    Given,
    all_option,
    board_options,
    chosen,
    each,
    format_option,
    names_argument,
    network_options,
    output_option,
)
from ..output import text_options, write, write_table


def complete_codes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Codes of rules that start so, behind those that are there already."""
    before, comma, last = incomplete.rpartition(",")
    return [
        CompletionItem(f"{before}{comma}{code}", help=rule.name)
        for code, rule in RULES.items()
        if code.startswith(last.upper())
    ]


@click.command("lint")
@names_argument
@network_options
@all_option
@click.option(
    "--select",
    multiple=True,
    metavar="CODES",
    shell_complete=complete_codes,
    help="Check these rules only: AL301, AL3 or bias-before-norm, separated by commas.",
)
@click.option(
    "--ignore", multiple=True, metavar="CODES", shell_complete=complete_codes, help="Leave these rules out."
)
@board_options
@click.option("--strict", is_flag=True, help="Exit with 1 on any finding, not only on errors.")
@format_option(checks=True, first="text")
@output_option
def command(
    name: tuple[str, ...],
    given: Given,
    every: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    target: str | None,
    weights: str,
    activations: str,
    strict: bool,
    form: str,
    path: str | None,
) -> None:
    """Find probable mistakes in networks.

    Findings are mistakes, or facts that are worth knowing. All variants of a file are checked. --target
    also checks against the memory of a board. `archlens rules` lists the rules. The exit code is 1 if there
    is an error, or with --strict any finding, and 2 if the command is wrong.
    """
    called = dict.fromkeys(chosen("lint", name, every, example="my.yaml"))
    rules = choose(_words(select, "--select"), _words(ignore, "--ignore"))
    board = _board(target) if target is not None else []
    types = weights, activations
    linted = []
    for one in called:
        for variant, spec, network in _networks(one, given, alone=len(called) == 1):
            if isinstance(network, Network):
                linted.append(view.Linted(variant, lint(Study(network, types, board), spec, rules)))
            else:
                linted.append(view.Linted(variant, (), network.diagnostic))
    if form == "text":
        write(view.to_text(linted, **text_options(path)), path)
    else:
        write_table(view.table(linted, strict=strict), form, path)
    totals = view.totals(linted)
    if totals[ERROR] or (strict and any(totals.values())):
        sys.exit(1)


def _board(target: str) -> list[Any]:
    """The memory of a board as limits."""
    from ... import boards
    from ...budgets.project import parse_limits

    return parse_limits(boards.find(target).limits)


def _words(texts: tuple[str, ...], option: str) -> list[str]:
    """The codes of an option, which may be given several times."""
    words = [word.strip() for text in texts for word in text.split(",")]
    if texts and not all(words):
        raise usage(f"{option} has no code", help=f"as in {option} AL301,AL302")
    return words


def _networks(
    name: str, given: Given, *, alone: bool
) -> Iterator[tuple[str, Spec | None, Network | SpecError]]:
    """The network that a name means, or each variant of a family; or what is wrong with it.

    Beside others, a file that leaves a size open is one that something is wrong with.
    """
    try:
        founds = each(name)
    except SpecError as problem:
        yield name, None, problem
        return
    for found in founds:
        try:
            network: Network | SpecError = given.make(found)
        except SpecError as problem:
            network = problem
        except UsageError as problem:
            if alone or not getattr(found, "is_open", False):
                raise
            network = SpecError(problem.diagnostic)
        yield found.name, found.spec, network
