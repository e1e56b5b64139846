"""What a file format of another tool is, and what a network in such a file is until it is laid out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from ..bounds import allowing, counted
from ..elaboration.inputs import read_given
from ..elaboration.remaking import Remade
from ..errors import ArchlensError, did_you_mean, error, shorten, usage
from ..garbage import uncollected
from ..language.spec import check_variant
from ..network import Network, Origin, Setting
from ..records import record
from ..shape import Shape
from .outside import Outside

if TYPE_CHECKING:
    from ..backends.checks import Check
    from ..published import Recount

#: How much of a file tells what it is.
START = 4096

#: The most variants of a file that are looked at where none is said.
_EACH = 20


class Model(ABC):
    """A network in a file, read and not yet laid out."""

    #: What may follow the file's name after a colon, as variants of a spec do.
    variants: Sequence[str] = ()
    #: What ``--set`` takes, with what each is unless it is given.
    params: Mapping[str, Any] = {}
    #: What is known of how the network came to be as it is in the file, a sentence each.
    notes: Sequence[str] = ()
    #: What its inputs are called here, by what the file calls them where that is otherwise.
    renamed: Mapping[str, str] = {}
    #: Why layers may share tensors in the file that have their own where it came from.
    why_shared = ""
    #: What opens the file again.
    again: Callable[[], BinaryIO] | None = None

    @property
    @abstractmethod
    def inputs(self) -> Mapping[str, Shape | None]:
        """What its inputs are called and their shapes without the batch; ``None`` where the file leaves one
        open.
        """

    @abstractmethod
    def network(
        self, name: str, shapes: Mapping[str, Shape], values: Mapping[str, Any], variant: str, origin: Origin
    ) -> Network:
        """The network on inputs of these shapes.

        Args:
            name: what it is called.
            shapes: of all its inputs.
            values: of all its params, as they were given: numbers, or texts.
            variant: one of its variants, or empty.
            origin: how the network is had on other inputs.

        Raises:
            SpecError: something in the file is wrong, or does not fit.
            UsageError: a value is none that the param takes.
        """

    def held(self, network: Network) -> Iterable[Check]:
        """What the tool that reads such files says beside, where it is installed."""
        return ()

    def recount(self, network: Network) -> Recount | None:
        """How the tool counts whose figures the file has; ``None`` where it counts as archlens."""
        return None

    def implied(self, given: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
        """The sizes of open inputs that follow from those of others, as the file calls them alike.

        Args:
            given: the sizes of others by their names, or letters for them.
        """
        return {}

    def open(self, name: str) -> str:
        """What is not known of an input whose shape is left open, as in ``3 x height x width``."""
        return ""


class Format(NamedTuple):
    """A file format."""

    #: What such a file is called in a sentence, with its article.
    called: str
    #: How its files end, each with its dot.
    endings: tuple[str, ...]
    #: Whether a file that starts so is one; it is given the first 4,096 bytes.
    recognizes: Callable[[bytes], bool]
    #: What is in a file, and what messages call it; runs nothing in it, takes bounded time and memory.
    read: Callable[[BinaryIO, str], Model]
    #: Whether a file that ends so can only be one, whatever it starts with.
    certain: bool = True
    #: How its files may end, too, among many that are none.
    shared: tuple[str, ...] = ()
    #: The file, and its variant, that a name of a file means in this format where there is none so called;
    #: ``None`` where files have no variants.
    variant_of: Callable[[str], tuple[str, str] | None] | None = None


@record(frozen=True)
class File(Outside):
    """A file of another tool, by its name."""

    path: str
    format: Format
    variant: str = ""
    #: What opens it, where it lies in no folder.
    stored: Callable[[], BinaryIO] | None = None

    @property
    def file(self) -> str:
        """Where it stands."""
        return self.path

    @property
    def called(self) -> str:
        """What such a file is called."""
        return self.format.called

    def each(self) -> list[File]:
        """Each of its variants, where it has some and none of them is said.

        Raises:
            UsageError: it cannot be read, or has more than 20 of them.
            SpecError: something in it is wrong.
        """
        variants = () if self.variant or not self.format.variant_of else self._model().variants
        if len(variants) > _EACH:
            raise usage(
                f"{shorten(self.path, 200)} has {len(variants):,} variants, too many to process together",
                help=f"name one, as {shorten(self.path, 200)}:{shorten(variants[0])}",
            )
        return [replace(self, text=f"{self.text}:{one}", variant=one) for one in variants] or [self]

    def _model(self) -> Model:
        try:
            with uncollected(), self.opened() as file:
                model = self.format.read(file, self.path)
        except OSError as problem:
            raise usage(f"{shorten(self.path, 200)} cannot be read: {problem.strerror or problem}") from None
        model.again = self.opened
        return model

    def opened(self) -> BinaryIO:
        """The file itself."""
        return self.stored() if self.stored is not None else open(self.path, "rb")

    def lettered(self, inputs: Mapping[str, str]) -> dict[str, str]:
        """Inputs as they were given with letters, and those that follow from them."""
        model = self._model()
        named = {model.renamed.get(one, one): text for one, text in inputs.items()}
        sizes = {
            one: text.partition(" of ")[0].replace("×", "x").replace(" ", "").split("x")
            for one, text in named.items()
            if one in model.inputs
        }
        return {**{one: "x".join(map(str, found)) for one, found in model.implied(sizes).items()}, **named}

    @property
    def is_open(self) -> bool:
        """Whether it leaves the size of an input open; not where it cannot be read, which is said later."""
        try:
            return None in self._model().inputs.values()
        except ArchlensError:
            return False

    def network(self, input: Any, values: Mapping[str, Any], real: bool = False) -> Network:
        """Its network.

        Raises:
            UsageError: it cannot be read, or has no such variant, input or param; or leaves an input open
                that is not given; or ``real`` asks for what only a torch module can do.
            SpecError: something in it is wrong.
        """
        if real:
            raise usage(f"--real is for torch modules, which {shorten(self.variant or self.name)} is not")
        model = self._model()
        check_variant(self.variant, model.variants, self.path)
        read = Read("", self.path, model=model, called=self.called, variant=self.variant)
        with counted(self.path, self.variant) as worth:
            network = read.made_of(self.text, input, values)
            worth(len(network.layers))
        return network


@record(frozen=True, eq=False)
class Read(Remade):
    """A network that a file describes: on other inputs it is laid out again."""

    model: Model | None = None
    #: What such a file is called.
    called: str = ""
    variant: str = ""
    #: Of all its params.
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> Sequence[str]:
        return self.model.notes if self.model is not None else ()

    @property
    def why_shared(self) -> str:
        return self.model.why_shared if self.model is not None else ""

    def made_of(self, name: str, input: Any, values: Mapping[str, Any]) -> Network:
        """The network, as its inputs and params are given.

        Raises:
            UsageError: it has no such input or param, or leaves an input open that is not given.
            SpecError: something in the file is wrong.
        """
        model = self.model
        assert model is not None
        for param in values:
            if param not in model.params:
                said = f"its params: {', '.join(model.params)}" if model.params else f"{self.called} has none"
                raise usage(
                    f"{shorten(name)} has no param {shorten(param)}",
                    help=did_you_mean(param, model.params, otherwise=said),
                )
        if isinstance(input, Mapping):
            input = {model.renamed.get(called, called): shape for called, shape in input.items()}
        given = read_given(input, model.inputs, name)
        shapes = {**model.inputs, **given}
        follow = model.implied(given) if None in shapes.values() else {}
        for one, shape in shapes.items():
            if shape is None and one in follow:
                shapes[one] = Shape(follow[one])
            elif shape is None:
                is_open = model.open(one)
                named = f"{one}=" if len(shapes) > 1 else ""
                raise usage(
                    f"{shorten(name)} leaves the size of its input {shorten(one)} open"
                    + (f", which is {is_open}" if is_open else ""),
                    help=f"give it, as in --input {named}{_example(is_open)}",
                )
        known = {one: shape for one, shape in shapes.items() if shape is not None}
        origin = replace(self, values=dict(values), made={}, steady=[])
        return origin.remake_as(name, known)

    def recount(self, network: Network) -> Recount | None:
        return self.model.recount(network) if self.model is not None else None

    def remake_as(self, name: str, shapes: Mapping[str, Shape]) -> Network:
        assert self.model is not None
        chosen = {**self.model.params, **self.values}
        with uncollected():
            return self.model.network(name, shapes, chosen, self.variant, self)

    def again(self, network: Network, on: Setting) -> Network:
        if not on.values:
            return super().again(network, on)
        shapes = {**network.inputs, **read_given(on.input, network.inputs, network.name)}
        with allowing(self.most):
            return self.made_of(network.name, shapes, {**self.values, **on.values})

    def remake(self, network: Network, shapes: Mapping[str, Shape], heads: bool) -> Network:
        return self.remake_as(network.name, shapes)

    def varies(self, network: Network) -> bool:
        return not self.is_steady(network)


def _example(is_open: str) -> str:
    """A shape that an input may have, of which some sizes are known.

    >>> _example("3 x height x width"), _example("sequence"), _example("")
    ('3x224x224', '128', '3x224x224')
    >>> _example("height x width x 3"), _example("channels x height x width")
    ('224x224x3', '3x224x224')
    """
    sizes = is_open.split(" x ")
    if len(sizes) == 1:
        return "128" if is_open else "3x224x224"
    known = any(size.isdecimal() for size in sizes)  # the channels, wherever they stand
    return "x".join(
        size if size.isdecimal() else "224" if i or known else "3" for i, size in enumerate(sizes)
    )


def text_of(file: BinaryIO, name: str, most: int) -> str:
    """The text of a file.

    Raises:
        SpecError: it is larger than that many bytes, or no text.
    """
    data = file.read(most + 1)
    if len(data) > most:
        raise error(f"{shorten(name, 200)} is larger than {most // 10**6} MB, the most that is read of one")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as problem:
        raise error(f"{shorten(name, 200)} is not text: byte {problem.start:,} is not UTF-8") from None
    if "\0" in text:
        raise error(f"{shorten(name, 200)} is not text: it holds a NUL byte")
    return text
