"""``archlens lint``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click
from click.shell_completion import CompletionItem

from ...elaboration import elaborate
from ...errors import SpecError, usage
from ...lint import ERROR, RULES, choose, lint
from ...network import Network
from ...spec import find, names
from ...spec.spec import Spec
from ...views import lint as view
from ..options import complete_names, given, network_options, output_option
from ..output import colored, styled, write


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    before, comma, last = incomplete.rpartition(",")
    return [
        CompletionItem(f"{before}{comma}{code}", help=rule.name)
        for code, rule in RULES.items()
        if code.startswith(last.upper())
    ]


@click.command("lint")
@click.argument("name", nargs=-1, shell_complete=complete_names)
@network_options
@click.option("--all", "every", is_flag=True, help="Every network of the zoo.")
@click.option(
    "--select",
    multiple=True,
    metavar="CODES",
    shell_complete=_complete,
    help="Check these rules only: AL301, AL3 or bias-before-norm, separated by commas.",
)
@click.option(
    "--ignore", multiple=True, metavar="CODES", shell_complete=_complete, help="Leave these rules out."
)
@click.option("--strict", is_flag=True, help="Exit with 1 on any finding, and not on errors only.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
)
@output_option
def command(
    name: tuple[str, ...],
    inputs: tuple[str, ...],
    sets: tuple[str, ...],
    every: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    strict: bool,
    form: str,
    path: str | None,
) -> None:
    """Find what is most likely a mistake in networks, or worth knowing of them.

    Of a file with variants each is checked. `archlens rules` lists what is looked for. The exit code is 1
    where there is a finding of level error, or any with --strict, and 2 where the command is wrong.
    """
    if every == bool(name):
        raise usage(
            "lint takes names of networks, or --all", help="archlens lint my.yaml, or archlens lint --all"
        )
    rules = choose(_words(select, "--select"), _words(ignore, "--ignore"))
    linted = []
    for one in names() if every else dict.fromkeys(name):
        for called, spec, network in _networks(one, inputs, sets):
            if isinstance(network, Network) and spec is not None:
                linted.append(view.Linted(called, lint(spec, network, rules)))
            elif isinstance(network, SpecError):
                linted.append(view.Linted(called, (), network.diagnostic))
    if form == "json":
        text = view.to_json(linted)
    elif form == "github":
        text = view.to_github(linted)
    else:
        plain = (path is not None and path != "-") or not colored(sys.stdout)
        text = view.to_text(linted) if plain else view.to_text(linted, styled)
    if text or path is not None:
        write(text, path)
    totals = view.totals(linted)
    if totals[ERROR] or (strict and any(totals.values())):
        sys.exit(1)


def _words(texts: tuple[str, ...], option: str) -> list[str]:
    """The codes of an option, which may be given several times."""
    words = [word.strip() for text in texts for word in text.split(",")]
    if texts and not all(words):
        raise usage(f"{option} has no code", help=f"as in {option} AL301,AL302")
    return words


def _networks(
    name: str, inputs: tuple[str, ...], sets: tuple[str, ...]
) -> Iterator[tuple[str, Spec | None, Network | SpecError]]:
    """The network that a name means, or each variant of a family; or what is wrong with it."""
    try:
        spec, variant = find(name)
    except SpecError as problem:
        yield name, None, problem
        return
    shapes, values = given(inputs, sets)
    for one in spec.variants if not variant and spec.variants else [variant]:
        try:
            network: Network | SpecError = elaborate(spec, one, input=shapes, values=values)
        except SpecError as problem:
            network = problem
        yield one or spec.name, spec, network
