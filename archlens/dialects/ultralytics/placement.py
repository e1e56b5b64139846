"""What the modules are placed with: a builder, the scope that is open, and what holds for the whole model."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple, TypeVar

from ...elaboration.building import Builder
from ...elaboration.values import Tensor
from ...ops.op import Buffer
from ...ops.opaque import Opaque
from ...shape import Shape
from .config import Row

#: What flows out of a row: a tensor, or several as a list.
Flow = Tensor | tuple[Tensor, ...]

#: A block: places its modules within the scope that is open.
Block = Callable[..., Any]

B = TypeVar("B", bound=Block)


class Kind(NamedTuple):
    """A module as rows name it."""

    name: str
    #: Places it. A block is called within its scope; what is one op is told its name, and opens none.
    place: Block
    #: Whether it is one op, and so no scope.
    leaf: bool = False
    #: Whether its first argument is a number of channels that the scale makes wider.
    widens: bool = False
    #: Whether it takes the row's repeats itself, as its second argument.
    repeats: bool = False
    #: Whether it reads a list of tensors.
    several: bool = False
    #: Whether its arguments are what it makes of them.
    free: bool = False


#: Every module that rows may name.
KINDS: dict[str, Kind] = {}


def kind(**how: Any) -> Callable[[B], B]:
    """Register what places a module; rows name it as its function is named."""

    def add(place: B) -> B:
        KINDS[place.__name__] = Kind(place.__name__, place, **how)
        return place

    return add


@dataclass
class Model:
    """What holds for all modules of a model."""

    net: Builder
    #: What follows a convolution and its normalization, as an op and its arguments; ``None`` for nothing.
    activation: tuple[str, Mapping[str, Any]] | None
    #: The scale's letter, the width, and the most channels before that.
    scale: str
    width: float
    most: float
    reg_max: int
    end2end: bool
    #: Whether what a head finds is made boxes and scores, as at inference.
    decode: bool
    #: What batch norms are set to; nothing is torch's own.
    norms: Mapping[str, float]
    #: Whether heads classify as those before YOLO11 do.
    legacy: bool = True
    #: Texts as tokens, where modules read such: as they are given, and as the rows so far have made them.
    texts: Tensor | None = None
    seen: Tensor | None = None
    #: Further outputs by name.
    heads: dict[str, Tensor] = field(default_factory=dict)
    row: Row | None = None

    def __call__(self, name: str, block: Block, *args: Any, **named: Any) -> Tensor:
        """Place a block in a scope of that name."""
        with self.net.scope(name, block=block.__name__):
            return block(self, *args, **named)  # type: ignore[no-any-return]

    def put(self, op: str, *inputs: Tensor, name: str = "", keys: Any = None, **attributes: Any) -> Tensor:
        """Place an op; one without a name, and no merge, gets that of its kind."""
        if not name and len(inputs) == 1:
            name = self.free(op)
        return getattr(self.net, op)(*inputs, name=name, where=self.row, **attributes)  # type: ignore[no-any-return]

    def unknown(
        self,
        called: str,
        shape: Shape | tuple[int, ...],
        *inputs: Tensor,
        why: str = "",
        help: str = "",
        name: str = "",
        macs: int | None = 0,
        pointwise: bool = False,
        weights: Mapping[str, tuple[int, ...]] | None = None,
        buffers: Mapping[str, Buffer] | None = None,
        owner: str | None = None,
    ) -> Tensor:
        """Place what is no op of archlens, and whose output and cost are known all the same.

        Its tensors are the ``owner``'s in the state dict, a module within the scope that is open; "" is the
        one that made this scope.
        """
        op = Opaque(
            called,
            shape if isinstance(shape, Shape) else Shape(shape),
            tuple([x.shape for x in inputs]),
            reason=why,
            help=help,
            macs=macs,
            pointwise=pointwise,
            weights=weights,
            buffers=buffers,
        )
        keys = {}
        if owner is not None:
            path = self.net.inside.full(owner) if owner else self.net.inside.path
            keys = {one: f"{path}.{one}" for one in (*(weights or {}), *(buffers or {}))}
        return self.net.place(op, *inputs, name=name or self.free(called), where=self.row, keys=keys)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Within it what is placed runs in training only."""
        before, self.net.training = self.net.training, True
        try:
            yield
        finally:
            self.net.training = before

    def free(self, name: str) -> str:
        """The name, or with a number where it is taken in the scope that is open."""
        taken = self.net.inside.taken
        found, count = name, 0
        while found in taken:
            count += 1
            found = f"{name}_{count}"
        return found

    def error(self, message: str, **more: Any) -> Exception:
        """A diagnostic of the row that is being placed."""
        assert self.row is not None
        return self.row.error(message, **more)


def cat(m: Model, *parts: Tensor) -> Tensor:
    """Channels one after the other; one part is itself."""
    return m.put("concat", *parts) if len(parts) > 1 else parts[0]


def in_a_row(m: Model, *parts: Tensor) -> Tensor:
    """Positions one after the other; one part is itself."""
    return m.put("concat", *parts, axis="length") if len(parts) > 1 else parts[0]


def half(m: Model, x: Tensor) -> tuple[Tensor, Tensor]:
    """The first half of the channels, and the rest."""
    first, rest = parts(m, x, -(-x.shape.channels // 2))
    return first, rest


def parts(m: Model, x: Tensor, *ends: int) -> tuple[Tensor, ...]:
    """The channels cut where the ends say."""
    starts = (0, *ends)
    return tuple(
        m.put("slice", x, start=start, stop=stop) for start, stop in zip(starts, (*ends, None), strict=True)
    )


def area(x: Tensor) -> int:
    """How many positions a map has."""
    return prod(x.shape.spatial)
