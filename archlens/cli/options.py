"""Arguments and options that several commands take, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ..elaboration import elaborate
from ..errors import shorten, usage
from ..network import Network
from ..shape import Shape
from ..spec import find, names

F = TypeVar("F", bound=Callable[..., Any])


def complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of networks that start so; a path is completed by the shell."""
    found = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def network_argument(function: F) -> F:
    """NAME, --input and --set: which network, on what input, with which params."""
    return click.argument("name", shell_complete=complete_names)(network_options(function))


def network_options(function: F) -> F:
    """--input and --set: on what input, with which params."""
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


def load(name: str, inputs: tuple[str, ...], sets: tuple[str, ...]) -> Network:
    """The network that the arguments of :func:`network_argument` mean."""
    spec, variant = find(name)
    shapes, values = given(inputs, sets)
    return elaborate(spec, variant, input=shapes, values=values)


def given(inputs: tuple[str, ...], sets: tuple[str, ...]) -> tuple[Any, dict[str, str]]:
    """What --input and --set say: input shapes, and values for params."""
    return _inputs(inputs), _pairs(sets)


def at(name: str, sets: tuple[str, ...]) -> Callable[[Mapping[str, Shape]], Network]:
    """The same network on other inputs, by name; where it does not fit, nothing is looked for that would."""
    spec, variant = find(name)
    values = _pairs(sets)
    return lambda inputs: elaborate(spec, variant, input=inputs, values=values, advice=False)


def _pairs(sets: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in sets:
        key, separator, value = text.partition("=")
        if not separator or not key.strip():
            raise usage(f"--set {shorten(text)} has no value", help="as in --set alpha=0.5")
        if key.strip() in values:
            raise usage(f"--set gives {shorten(key.strip())} twice")
        values[key.strip()] = value
    return values


def _inputs(inputs: tuple[str, ...]) -> Any:
    if not inputs:
        return None
    if len(inputs) == 1 and "=" not in inputs[0]:
        return inputs[0]
    shapes: dict[str, str] = {}
    for text in inputs:
        key, separator, value = text.partition("=")
        if not separator:
            raise usage(
                f"--input {shorten(text)} does not say which input is meant",
                help="as in --input image=3x224x224; with one input, once is enough",
            )
        if key in shapes:
            raise usage(f"--input gives {shorten(key)} twice")
        shapes[key] = value
    return shapes
