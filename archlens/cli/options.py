"""Arguments and options that several commands take, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from .. import dialects
from ..analysis import layouts
from ..bounds import MAX_LAYERS, allowing, together
from ..dialects import find
from ..elaboration.given import read_inputs, read_values
from ..elaboration.inputs import has_letters, numbered
from ..errors import ArchlensError, SpecError, shorten, usage
from ..forms import forms
from ..library import Found, names
from ..network import Network
from .output import progress, show

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..analysis.formula import Formula
    from ..dialects import Meant
    from ..dialects.format import File

#: The sizes on which formulas begin where a file says none; a table of positions may be shorter.
_BEGIN = (224, 64, 16)

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of networks that start so; a path is completed by the shell."""
    from click.shell_completion import CompletionItem

    found = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


class Given(NamedTuple):
    """What --input, --set and --real say of networks."""

    inputs: tuple[str, ...]
    sets: tuple[str, ...]
    real: bool = False

    def read(self) -> tuple[Any, dict[str, str]]:
        """Input shapes, and values for params."""
        return read_inputs(self.inputs, "--input"), read_values(self.sets, "--set")

    @property
    def words(self) -> list[str]:
        """The same as words of a command line."""
        words = [word for one in self.inputs for word in ("--input", one)]
        words += [word for one in self.sets for word in ("--set", one)]
        return [*words, "--real"] if self.real else words

    def make(self, found: Meant) -> Network:
        """The network of a spec; a warning says where an input looks as if its channels stood last."""
        network = self.laid_out(found)
        for warning in layouts.find(network):
            show(warning)
        return network

    def laid_out(self, found: Meant) -> Network:
        """The same without a word."""
        shapes, values = self.read()
        return dialects.network(found, input=shapes, values=values, real=self.real)

    def overridden(self, network: Network, found: Meant) -> str:
        """How a network differs from what its spec says, where the options make it differ."""
        if not any(self):
            return ""
        try:
            own = Given((), ()).laid_out(found)
        except ArchlensError:
            return "these params"  # it has no values of its own
        if _comparable(own.values) != _comparable(network.values):
            return "other params"
        return "another input" if own.inputs != network.inputs else ""


def _comparable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of params as what tells them apart: a step by its text, wherever it is looked up."""
    return {name: getattr(value, "tree", value) for name, value in values.items()}


class Load(NamedTuple):
    """The network that NAME, --input and --set mean, once it is called; or its formulas."""

    name: str
    given: Given

    def __call__(self) -> Network:
        """The network.

        Raises:
            UsageError: an input has letters, among others.
        """
        return self.given.make(find(self.name))

    def formulas(self, *, work: bool = False) -> Formula | None:
        """Its formulas, where an input has letters; else ``None``. With the work beside MACs, if asked."""
        if not any(has_letters(text.rpartition("=")[2]) for text in self.given.inputs):
            return None
        from ..dialects.format import File
        from ..elaboration.lettered import formulas

        inputs, found = read_inputs(self.given.inputs, "--input"), find(self.name)
        if not (isinstance(found, File) and found.is_open):
            return formulas(self.given._replace(inputs=()).make(found), inputs, work=work)
        if isinstance(inputs, dict):
            inputs = found.lettered(inputs)
        return formulas(self._begun(found), inputs, work=work)

    def _begun(self, found: File) -> Network:
        """The network of a file that leaves its sizes open, on the first of some that it takes."""
        refused: list[SpecError] = []
        for size in _BEGIN:
            texts = tuple(numbered(one, size) for one in self.given.inputs)
            try:
                return self.given._replace(inputs=texts).make(found)
            except SpecError as problem:
                refused.append(problem)
        raise refused[0]


def network_argument(function: Callable[..., T]) -> Callable[..., T]:
    """NAME, --input and --set: which network, which the command has by calling ``load``."""

    @click.argument("name", shell_complete=complete_names)
    @network_options
    @wraps(function)
    def command(name: str, given: Given, **others: Any) -> T:
        return function(load=Load(name, given), **others)

    return command


def _allow(ctx: click.Context, param: click.Parameter, layers: int | None) -> None:
    ctx.with_resource(together())
    ctx.with_resource(allowing(layers))


def size_option(function: F) -> F:
    """--max-layers: how large the networks of a file may be, for as long as the command runs."""
    return click.option(
        "--max-layers",
        type=click.IntRange(min=1),
        metavar="N",
        expose_value=False,
        callback=_allow,
        help=f"Maximum layers of a network, or all variants of a file together; by default {MAX_LAYERS:,}.",
    )(function)


def network_options(function: Callable[..., T]) -> Callable[..., T]:
    """--input, --set and --max-layers: what is ``given`` of networks, and how large they may be."""

    @click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="[INPUT=]CxHxW",
        help="Input shape, without the batch; shapes, explain, sizes, cost and memory accept letters: 3xHxW.",
    )
    @click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="PARAM=VALUE",
        help="Set a param of the spec to another value.",
    )
    @click.option(
        "--real", is_flag=True, help="Run one real sample, for a torch module whose code depends on values."
    )
    @size_option
    @wraps(function)
    def command(inputs: tuple[str, ...], sets: tuple[str, ...], real: bool, **others: Any) -> T:
        return function(given=Given(inputs, sets, real), **others)

    return command


def type_options(function: F) -> F:
    """--weights and --activations: the types of what lies on a board."""
    from ..analysis.deployment import ACTIVATIONS, WEIGHTS

    function = click.option(
        "--activations",
        type=click.Choice([*ACTIVATIONS]),
        default="int8",
        show_default=True,
        help="Data type of the activations; biases are int64 with int16, int32 with int8.",
    )(function)
    return click.option(
        "--weights",
        type=click.Choice([*WEIGHTS]),
        default="int8",
        show_default=True,
        help="Data type of the weights.",
    )(function)


def board_options(function: F) -> F:
    """--target, --weights and --activations: a board, and the types of what lies on it."""
    from .. import boards

    known = ", ".join(boards.names())
    return click.option("--target", metavar="BOARD", help=f"A board: {known}; or a .toml file.")(
        type_options(function)
    )


def output_option(function: F) -> F:
    """-o: where the result goes."""
    return click.option("-o", "--output", "path", metavar="FILE", help="Write to a file.")(function)


class _Form(click.Choice):  # type: ignore[type-arg]  # no class takes arguments before click 8.2
    """The name of a form, of which all others are looked for only where it is not the first."""

    def __init__(self, first: str, checks: bool) -> None:
        self.case_sensitive = True
        self.first, self.checks = first, checks

    @cached_property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]
        found = [form for form in forms().values() if form.name != "table"]
        return self.first, *(form.name for form in found if self.checks or not form.checks)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == self.first else super().convert(value, param, ctx)


def format_option(*, checks: bool = False, first: str = "table") -> Callable[[F], F]:
    """--format: which form a table has.

    Args:
        checks: whether something can fail, which there are forms for, too.
        first: what it is unless the option is given; of lines that are no table, another word than that.
    """
    return click.option("--format", "form", type=_Form(first, checks), default=first, show_default=True)


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


def described(name: str) -> Found:
    """The spec that a name means.

    Raises:
        UsageError: it means a torch module or a file of another tool; or nothing.
        SpecError: the file is no spec.
    """
    found = find(name)
    if not isinstance(found, Found):
        raise usage(
            f"{shorten(name)} is {found.called}, and has no spec",
            help=f"archlens convert {shorten(name)} writes one",
        )
    return found


def printed(name: str) -> list[Meant]:
    """What a name means that can have published figures: a spec; or a file, and each of its variants.

    Raises:
        UsageError: it means a torch module; or nothing.
        SpecError: the file is no spec.
    """
    from ..dialects.format import File

    found = find(name)
    return [*found.each()] if isinstance(found, File) else [described(name)]


def each(name: str) -> list[Meant]:
    """The network that a name means; or each variant, where it means a family and none of its variants."""
    found = find(name)
    if not isinstance(found, Found):
        return [found]
    spec, variant = found
    return [Found(spec, one) for one in ([variant] if variant else spec.variants or [""])]


def each_once(names: Iterable[str]) -> list[tuple[str, Meant]]:
    """Each network that the names mean, after the name.

    Raises:
        UsageError: one is named twice.
    """
    found: dict[tuple[str, str], tuple[str, Meant]] = {}
    for name in names:
        for one in each(name):
            if (one.file, one.variant) in found:
                raise usage(f"{shorten(one.variant or name)} is named twice", help="each network once")
            found[one.file, one.variant] = name, one
    return [*found.values()]


def beside(found: Sequence[tuple[str, Meant]], label: str) -> Iterator[tuple[str, Meant]]:
    """The same one by one; with a bar on standard error where they are so many that it takes long."""
    return progress(found, label, lambda pair: pair[1].variant or pair[0], many=20)
