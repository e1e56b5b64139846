"""Arguments and options that several commands take, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ..analysis import layouts
from ..bounds import MAX_LAYERS, allowing, together
from ..elaboration import elaborate
from ..elaboration.given import read_inputs, read_values
from ..errors import ArchlensError, usage
from ..forms import forms
from ..library import Found, find, names
from ..network import Network
from .output import show

F = TypeVar("F", bound=Callable[..., Any])


def complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of networks that start so; a path is completed by the shell."""
    found = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def network_argument(function: F) -> F:
    """NAME, --input and --set: which network, on what input, with which params."""
    return click.argument("name", shell_complete=complete_names)(network_options(function))


def _allow(ctx: click.Context, param: click.Parameter, layers: int | None) -> None:
    ctx.with_resource(together())
    if layers is not None:
        ctx.with_resource(allowing(layers))


def size_option(function: F) -> F:
    """--max-layers: how large the networks of a file may be, for as long as the command runs."""
    return click.option(
        "--max-layers",
        type=click.IntRange(min=1),
        metavar="N",
        expose_value=False,
        callback=_allow,
        help=f"How many layers a network may have, and the variants of a file together; unless it is given, "
        f"{MAX_LAYERS:,}.",
    )(function)


def network_options(function: F) -> F:
    """--input, --set and --max-layers: on what input, with which params, and how large it may be."""
    function = size_option(function)
    function = click.option(
        "--set", "sets", multiple=True, metavar="PARAM=VALUE", help="Another value for a param of the spec."
    )(function)
    return click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="[INPUT=]CxHxW",
        help="Another input shape, without the batch.",
    )(function)


def output_option(function: F) -> F:
    """-o: where the result goes."""
    return click.option("-o", "--output", "path", metavar="FILE", help="Write to a file.")(function)


def format_option(*, checks: bool = False, first: str = "table") -> Callable[[F], F]:
    """--format: which form a table has.

    Args:
        checks: whether something can fail, which there are forms for, too.
        first: what it is unless the option is given; of lines that are no table, another word than that.
    """
    names = [form.name for form in forms().values() if form.name != "table" and (checks or not form.checks)]
    return click.option(
        "--format", "form", type=click.Choice([first, *names]), default=first, show_default=True
    )


def names_argument(function: F) -> F:
    """NAME...: which networks."""
    return click.argument("name", nargs=-1, shell_complete=complete_names)(function)


def all_option(function: F) -> F:
    """--all: every network, in the place of NAME...; :func:`chosen` says which are meant."""
    return click.option("--all", "every", is_flag=True, help="Every network of the zoo.")(function)


def chosen(command: str, name: tuple[str, ...], every: bool, *, example: str) -> list[str]:
    """The names that NAME... and --all mean.

    Raises:
        UsageError: there are both of them, or neither; its help names the example.
    """
    if every == bool(name):
        raise usage(
            f"{command} takes names of networks, or --all",
            help=f"archlens {command} {example}, or archlens {command} --all",
        )
    return names() if every else list(name)


def load(name: str, inputs: tuple[str, ...], sets: tuple[str, ...]) -> Network:
    """The network that the arguments of :func:`network_argument` mean."""
    return make(find(name), inputs, sets)


def make(found: Found, inputs: tuple[str, ...], sets: tuple[str, ...]) -> Network:
    """The same for a spec that has been found; one that came through a pipe cannot be found again.

    A warning says where an input looks as if its channels stood last.
    """
    network = laid_out(found, inputs, sets)
    for warning in layouts.find(network):
        show(warning)
    return network


def laid_out(found: Found, inputs: tuple[str, ...], sets: tuple[str, ...]) -> Network:
    """The same without a word."""
    shapes, values = given(inputs, sets)
    return elaborate(found.spec, found.variant, input=shapes, values=values)


def given(inputs: tuple[str, ...], sets: tuple[str, ...]) -> tuple[Any, dict[str, str]]:
    """What --input and --set say: input shapes, and values for params."""
    return read_inputs(inputs, "--input"), read_values(sets, "--set")


def each(name: str) -> list[Found]:
    """The network that a name means; or each variant, where it means a family and none of its variants."""
    spec, variant = find(name)
    return [Found(spec, one) for one in ([variant] if variant else spec.variants or [""])]


def overridden(network: Network, found: Found, inputs: tuple[str, ...], sets: tuple[str, ...]) -> str:
    """How a network differs from what its spec says, where --input and --set make it differ."""
    if not inputs and not sets:
        return ""
    try:
        own = laid_out(found, (), ())
    except ArchlensError:
        return "these params"  # it has no values of its own
    if own.values != network.values:
        return "other params"
    return "another input" if own.inputs != network.inputs else ""
