"""A network as a value: its layers in order, each with its op, its inputs and its facts.

Everything downstream takes a :class:`Network`; nothing changes one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from . import showing
from .counts import AtLeast
from .errors import Located, Span, SpecError, did_you_mean, not_installed, shorten, usage
from .ops import STATED, Facts, Op, ask
from .ops.op import NONE
from .ops.opaque import UNKNOWN
from .records import record
from .shape import Shape

if TYPE_CHECKING:
    from .geometry import Window
    from .limits import Requirement
    from .published import Entry, Recount

T = TypeVar("T")


class Copies(NamedTuple):
    """As what a layer of an expert stands: once for all experts, each with weights of its own.

    The layer is that of the first expert; what it computes is of the experts that each token goes to.
    """

    #: How many experts there are, and to how many of them each token goes.
    experts: int
    active: int
    #: The scope of the experts. What follows it in the name of a layer is the number of the first, unless
    #: the weights of all are stacked in one tensor.
    scope: str
    stacked: bool
    #: The layer that chooses the experts of each token.
    chosen: str

    def of(self, facts: Facts) -> Facts:
        """The facts of a layer with the weights of all experts."""
        if self.stacked:
            weights = {name: (self.experts, *shape) for name, shape in facts.weights.items()}
        else:
            weights = {f"{i}.{name}": one for i in range(self.experts) for name, one in facts.weights.items()}
        return facts._replace(weights=weights)

    def one(self, facts: Facts) -> Facts:
        """The same with the weights of one expert."""
        if self.stacked:
            weights = {name: shape[1:] for name, shape in facts.weights.items()}
        else:
            weights = {name[2:]: one for name, one in facts.weights.items() if name.startswith("0.")}
        return facts._replace(weights=weights)

    def key(self, layer: str, weight: str) -> str:
        """The key of one of the weights: ``experts.3.w1.weight``; of all experts ``experts.w1``."""
        if self.stacked:
            return layer if weight == "weight" else f"{layer}_{weight}"
        number, _, name = weight.partition(".")
        path = f"{self.scope}.{number}{self.inside(layer)}"
        return f"{path}.{name}" if name else path

    def called(self, layer: str) -> str:
        """What a layer is called in tables, for all experts: ``experts.0..7.w1``."""
        if self.stacked or self.experts == 1 or not layer.startswith(f"{self.scope}.0"):
            return layer
        return f"{self.scope}.0..{self.experts - 1}{self.inside(layer)}"

    def inside(self, layer: str) -> str:
        """The name of a layer within its expert, with a dot before it; empty where it is the expert."""
        return layer[len(self.scope) + 2 :]


class Layer(NamedTuple):
    """One op at its place in a network."""

    #: Its name, which is the prefix of its keys in torch's state dict: ``layer1.0.conv1``.
    name: str
    op: Op
    #: The names of the layers, or inputs of the network, that it reads.
    inputs: tuple[str, ...]
    #: Their shapes.
    input_shapes: tuple[Shape, ...]
    facts: Facts
    #: What placed it, where that stands in a file.
    where: Located | None
    #: Whether it serves only a head that runs in training and not at inference.
    training: bool
    #: The keys of its tensors where they are other than its name and theirs. What another layer has
    #: already is shared with it, and not among its facts.
    keys: Mapping[str, str] = NONE
    #: The layer that it is once more, with the tensors of that; empty for the first use.
    again: str = ""
    #: The experts that have such a layer each; ``None`` outside of experts.
    copies: Copies | None = None
    #: Whether it is made once for a whole batch: it reads nothing but what is.
    once: bool = False

    @property
    def shape(self) -> Shape:
        """Output shape, without the batch."""
        return self.facts.shape

    @property
    def span(self) -> Span | None:
        """Where a file places it; ``None`` where none does."""
        return self.where.span if self.where is not None else None

    @property
    def step(self) -> object:
        """What placed it: the same object for all layers that one step of a file placed."""
        return self.where if self.where is not None else self

    @property
    def params(self) -> int:
        """Trainable parameters."""
        return self.facts.params

    @property
    def active_params(self) -> int:
        """Those that one token meets: of experts, of those that it goes to."""
        if self.copies is None:
            return self.facts.params
        return self.facts.params // self.copies.experts * self.copies.active

    @property
    def copied(self) -> tuple[int, bool] | None:
        """For how many experts it stands, and whether their weights are stacked; else ``None``."""
        return self.copies and (self.copies.experts, self.copies.stacked)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and matrix products, for one sample."""
        return self.facts.macs

    @property
    def macs_once(self) -> int:
        """The part of them that a whole batch takes once, however many samples it has."""
        return self.facts.macs if self.once else self.op.macs_once(self.facts, *self.input_shapes)

    def macs_of(self, batch: Any) -> Any:
        """The same for so many samples, of which those that are made once are made once."""
        once = self.macs_once
        return (self.facts.macs - once) * batch + once if once else self.facts.macs * batch

    @property
    def total_macs(self) -> int:
        """What they would be if every token went to all experts."""
        if self.copies is None:
            return self.facts.macs
        return self.facts.macs // self.copies.active * self.copies.experts

    @property
    def arithmetic(self) -> str:
        """How the output shape comes about, on one line; empty where nothing is computed."""
        return self.op.arithmetic(self.facts, *self.input_shapes)

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that a convolution or a pooling slides, one per spatial axis; else empty."""
        return self.facts.reach if self.op.sliding and isinstance(self.facts.reach, tuple) else ()

    @property
    def whole(self) -> Layer:
        """The layer with all of its tensors, also those that another has already."""
        return self._replace(facts=self.asked(self.input_shapes)) if self.keys else self

    @property
    def single(self) -> Layer:
        """The layer with the weights of one expert, where each has such a layer."""
        return self if self.copies is None else self._replace(facts=self.copies.one(self.facts))

    def asked(self, shapes: tuple[Shape, ...]) -> Facts:
        """Its facts on some shapes, with all of its tensors.

        Raises:
            ShapeError: it refuses them.
        """
        facts = ask(self.op, *shapes)
        return facts if self.copies is None else self.copies.of(facts)

    def key(self, weight: str) -> str:
        """The key of one of its weights or buffers in torch's state dict."""
        return self.keys[weight] if weight in self.keys else self.own_key(weight)

    def own_key(self, weight: str) -> str:
        """The key that one of them has under its own name, be it another's too."""
        if self.copies is not None:
            return self.copies.key(self.name, weight)
        return f"{self.name}.{weight}" if weight else self.name

    @property
    def scope(self) -> str:
        """The scope that it stands in: ``layer1.0`` for ``layer1.0.conv1``; empty at the top."""
        return self.name.rpartition(".")[0]

    def within(self, scope: str) -> bool:
        """Whether it lies in a scope, or is the layer of that name: ``layer10.0`` is not in ``layer1``."""
        return self.name == scope or self.name.startswith(f"{scope}.")


class Asked(NamedTuple):
    """A size that an expression of a spec asked for, as in ``x.channels``: see :meth:`Shape.size`."""

    #: The layer, or input, whose shape was asked.
    name: str
    axis: str
    size: int


@record(frozen=True, eq=False)
class Meta:
    """What is for people and reports: every part may be absent."""

    title: str = ""
    summary: str = ""
    notes: tuple[str, ...] = ()
    papers: tuple[dict[str, str], ...] = ()
    #: What others printed of it, one entry a source, in the order in which it is written.
    published: tuple[Entry, ...] = ()
    #: What must hold, in the order in which it is written.
    requirements: tuple[Requirement, ...] = ()

    @property
    def budget(self) -> dict[str, str]:
        """The limits of the whole network by quantity, as they are written."""
        return {one.quantity: one.limit.text for one in self.requirements if not one.scope}

    @property
    def year(self) -> str:
        """The year of the paper; empty where none is cited."""
        return self.papers[0].get("year", "") if self.papers else ""

    @property
    def year_number(self) -> int | None:
        """The same as a number; ``None`` where none is cited, or what is cited is no year."""
        return int(self.year) if self.year.isdecimal() and len(self.year) <= 4 else None


def scopes_of(name: str) -> Iterator[str]:
    """A layer and the scopes around it, by name, the outermost first.

    >>> list(scopes_of("layer1.0.conv1"))
    ['layer1', 'layer1.0', 'layer1.0.conv1']
    """
    return accumulate(name.split("."), "{}.{}".format)


def scopes_around(name: str) -> list[str]:
    """The scopes that a layer, or a tensor by its key, stands in, the outermost first.

    >>> scopes_around("layer1.0.conv1")
    ['layer1', 'layer1.0']
    """
    return [*scopes_of(name)][:-1]


def placed_names(layers: Iterable[Layer]) -> set[str]:
    """The names of layers and of the scopes around them; a further use of another alone places nothing."""
    return {scope for layer in layers if not layer.again for scope in scopes_of(layer.name)}


#: Why a step does not have a number for its name.
CALLED_BY_OP = "a step without weights is called by its op, where others are named: {}"


def is_after(name: str, kind: str) -> bool:
    """Whether a name is that of an op, counted or not, as of what nobody named.

    >>> [is_after(name, "relu") for name in ("relu", "relu_1", "relu1", "act")]
    [True, True, False, False]
    """
    base, _, count = name.rpartition("_")
    return name == kind or (base == kind and count.isdecimal())


class Setting(NamedTuple):
    """What a network is had on; see :meth:`Network.with_input` and :meth:`Network.with_values`."""

    input: Any = None
    values: Mapping[str, Any] = {}
    inference: bool = False
    advice: bool = True


@record(frozen=True, eq=False)
class Origin(ABC):
    """Where a network came from, and how it is had on other inputs or values; what made it knows how."""

    #: What it is one of: the name of the spec that it is a variant of; empty where it stands alone.
    family: str
    #: What messages call the place that it came from, such as the path of a file; empty for Python.
    source: str

    @property
    def allowed(self) -> int:
        """The most layers that it may have; 0 where that is not known."""
        return 0

    @property
    def notes(self) -> Sequence[str]:
        """What is known of how the network came to be as it is, a sentence each."""
        return ()

    @property
    def why_shared(self) -> str:
        """Why tensors may be shared that no module shares, and what to do about it; empty where they are."""
        return ""

    @abstractmethod
    def again(self, network: Network, on: Setting) -> Network:
        """The same network in another setting."""

    def recount(self, network: Network) -> Recount | None:
        """How the tool counts that printed the published figures; ``None`` where it counts as archlens."""
        return None

    def keeps(self, network: Network) -> bool | None:
        """Whether it places the same ops on any input; ``None`` where it can be asked with formulas."""
        return True

    def varies(self, network: Network) -> bool:
        """Whether on other sizes its ops are others, beyond what it asked of shapes, and quickly had."""
        return False


@record(frozen=True, eq=False, repr=False)
class Network:
    """A network whose every shape is known.

    >>> import archlens
    >>> network = archlens.load("lenet5")
    >>> network.params, network.macs
    (61706, 416520)
    >>> network["C3"].shape
    Shape((16, 10, 10))
    """

    #: The name that it was asked for by.
    name: str
    #: What is for people: title, summary, papers, notes, published figures, budget.
    meta: Meta
    #: Input shapes by name, without the batch; a single one is called ``input``.
    inputs: Mapping[str, Shape]
    layers: tuple[Layer, ...]
    #: The layer (or input) that each output comes from; the main one is called ``out``.
    outputs: Mapping[str, str]
    #: The block that each scope was made by; only scopes that a block made.
    blocks: Mapping[str, str]
    #: How pictures head the scopes of blocks that have a label.
    labels: Mapping[str, str]
    #: The whole numbers among the values of a block's parameters, by its scope.
    arguments: Mapping[str, Mapping[str, int]]
    #: The values of the spec's params.
    values: Mapping[str, Any]
    #: Layers by name.
    index: Mapping[str, Layer] = field(repr=False)
    #: Where it came from, and how it is had on other inputs.
    origin: Origin
    #: The params whose values are other than the spec's own, as ``"width=192"``.
    overrides: tuple[str, ...] = ()
    #: Where the spec says the shape of an input, unless another was given.
    declared: Mapping[str, Located] = field(default_factory=dict, repr=False)
    #: What its spec asked of shapes: where the answers are the same, so are the layers.
    asked: tuple[Asked, ...] = field(default=(), repr=False)
    #: Further keys that tensors have in the state dict, as tied ones do, each with the key that a layer has.
    aliases: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: The types of the weights, by key, that its source keeps in another type than float32.
    dtypes: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def title(self) -> str:
        """Its title, or its name where the spec gives none; and which params have other values."""
        title = self.meta.title or self.name
        return f"{title} with {', '.join(self.overrides)}" if self.overrides else title

    @property
    def input(self) -> Shape:
        """The shape of its only input, or of the first."""
        return next(iter(self.inputs.values()))

    @property
    def output(self) -> Shape:
        """The shape of its main output: that called ``out``, or else the first."""
        return self.shape_of(self.main)

    @property
    def main(self) -> str:
        """The layer or input that its main output is."""
        return self.outputs.get("out") or next(iter(self.outputs.values()))

    @cached_property
    def params(self) -> int:
        """Trainable parameters, including those of heads for training."""
        return sum(layer.facts.params for layer in self.layers)

    @cached_property
    def active_params(self) -> int:
        """Trainable parameters that one token meets: all but those of experts that it does not go to."""
        return sum(layer.active_params for layer in self.layers)

    @cached_property
    def experts(self) -> Mapping[str, Copies]:
        """The scopes of experts, of which a token meets some."""
        return {one.scope: one for one in (layer.copies for layer in self.layers) if one is not None}

    def made_by(self, scope: str) -> str:
        """What a scope was made by: a block, or as experts; empty where it is only a name."""
        copies = self.experts.get(scope)
        if copies is None:
            return self.blocks.get(scope, "")
        return f"{copies.experts:,} expert{'' if copies.experts == 1 else 's'}, {copies.active:,} active"

    def headed(self, scope: str) -> str:
        """What pictures say of what made a scope: the label of its block, or else :meth:`made_by`."""
        return self.labels.get(scope) or self.made_by(scope)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one inference on one sample: heads for training do not run."""
        return sum(layer.facts.macs for layer in self.layers if not layer.training)

    @cached_property
    def total_macs(self) -> int:
        """What they would be if every token went to all experts."""
        return sum(layer.total_macs for layer in self.layers if not layer.training)

    @cached_property
    def training_macs(self) -> int:
        """Multiply-accumulates of the heads that run in training only."""
        return sum(layer.facts.macs for layer in self.layers if layer.training)

    @cached_property
    def unknown(self) -> dict[str, str]:
        """The layers whose multiply-accumulates are not all known, each with the reason."""
        counts = ((layer.name, layer.facts.macs) for layer in self.layers)
        return {name: macs.why for name, macs in counts if isinstance(macs, AtLeast)}

    @cached_property
    def stated(self) -> tuple[Layer, ...]:
        """The layers whose figures are what a spec states, and nothing proves."""
        return tuple([layer for layer in self.layers if layer.op.kind in STATED])

    @property
    def unlisted(self) -> int:
        """Parameters of which only the number is stated, or not even that."""
        return sum(layer.facts.unlisted for layer in self.stated)

    def each(self, of: Callable[[Layer], T]) -> Iterator[tuple[Layer, T]]:
        """Each layer with what is so of it: found once for all that share their facts, as repeats do."""
        known: dict[int, T] = {}
        for layer in self.layers:
            key = id(layer.facts)
            if key not in known:
                known[key] = of(layer)
            yield layer, known[key]

    def require_calls(self, what: str, *, stated: bool = False) -> None:
        """Refuse what needs every op in torch.

        Args:
            what: what is to be done with the network.
            stated: whether ops of which a spec states the figures may be there.

        Raises:
            UsageError: of some op it is not known what it computes, or layers share their weights in another
                way than modules do.
        """
        for layer in self.layers:
            if layer.facts.torch.target == UNKNOWN and not (stated and layer.op.kind in STATED):
                op = shorten(str(layer.op))
                reason = getattr(layer.op, "reason", "") or f"what {op} computes is not known"
                raise usage(
                    f"{shorten(self.name)} cannot be {what}: {shorten(layer.name)} ({op}) is opaque",
                    span=layer.span,
                    notes=(shorten(reason, 120),),
                    help=getattr(layer.op, "help", ""),
                )
            unshared = self.unshared(layer)
            if unshared is not None:
                name, key = unshared
                raise usage(
                    f"{shorten(self.name)} cannot be {what}: {shorten(layer.name)} has its "
                    f"{name or 'tensor'} from {shorten(key)}",
                    span=layer.span,
                    help=self.origin.why_shared,
                )

    def require_names(self, what: str) -> None:
        """Refuse what gives each tensor one key.

        Args:
            what: what is to be done with the network.

        Raises:
            UsageError: a tensor has a second key that no layer has.
        """
        for alias, key in self.loose.items():
            raise usage(
                f"{shorten(self.name)} cannot be {what}: {shorten(key)} has a second key, {shorten(alias)}, "
                "since it has two names in its module, but a layer has one name",
                help="keep one of the two attributes; what is in a plain list has no second name",
            )

    def unshared(self, layer: Layer) -> tuple[str, str] | None:
        """A tensor that a layer has from another otherwise than code shares them, and its key; mostly none.

        Else it is the module of another layer, called again; or some of its tensors are another's, and have
        two keys in the state dict; or it is a function that is given the weight of a module before it.
        """
        if layer.again:
            first = self.index.get(layer.again)
            keys = {name: first.key(name) for name in layer.keys} if first is not None else {}
            return next((pair for pair in layer.keys.items() if pair not in keys.items()), None)
        for name, key in self.borrowed(layer).items():
            if name != "weight" or self.lent.get(key, layer.name) == layer.name:
                return name, key
        return None

    def borrowed(self, layer: Layer) -> Mapping[str, str]:
        """The tensors that a layer reads of others, and has under no key of its own, as functions do."""
        if layer.again:
            return {}
        return {name: key for name, key in layer.keys.items() if self.aliases.get(layer.own_key(name)) != key}

    @cached_property
    def lent(self) -> Mapping[str, str]:
        """The weights of layers that others read after them, by key, each with its layer."""
        owned: dict[str, str] = {}
        found: dict[str, str] = {}
        for layer in self.layers:
            found |= {key: owned[key] for key in self.borrowed(layer).values() if key in owned}
            if "weight" in layer.facts.weights and layer.key("weight") == layer.own_key("weight"):
                owned[layer.key("weight")] = layer.name
        return found

    def module_of(self, layer: Layer) -> str:
        """The layer whose module, or parameter, one uses in torch.

        It is the layer itself, unless it is a further use of another and the same call.
        """
        if not layer.again:
            return layer.name
        first, own = self.index[layer.again].facts.torch, layer.facts.torch
        return layer.again if own.does_as(first) or own.parameter is not None else layer.name

    @cached_property
    def tied(self) -> Mapping[str, str]:
        """The second keys that weights of layers have in modules, each with that of the owner."""
        # a parameter that lies in no module of its own is not tied so
        own = {layer.own_key(name) for layer in self for name in layer.keys if name and not layer.again}
        return {alias: key for alias, key in self.aliases.items() if alias in own}

    @property
    def loose(self) -> Mapping[str, str]:
        """The second keys that no layer has, as of what has two names in a module, each with the first."""
        owned = {layer.key(name) for layer in self for name in (*layer.facts.weights, *layer.facts.buffers)}
        return {alias: key for alias, key in self.aliases.items() if alias not in self.tied and key in owned}

    @cached_property
    def sharing(self) -> Mapping[str, tuple[Layer, ...]]:
        """The layers that share tensors, by name: each with all that have one of its tensors, itself too."""
        if not any(layer.keys for layer in self.layers):
            return {}
        users: dict[str, list[Layer]] = {}
        for layer in self.layers:
            for name in {**layer.facts.weights, **layer.facts.buffers, **layer.keys}:
                users.setdefault(layer.key(name), []).append(layer)
        # a weight may have ten thousand users: those of the same tensors have one list together
        groups = {tuple([one.name for one in layers]): None for layers in users.values() if len(layers) > 1}
        parts: dict[str, list[int]] = {}
        for number, names in enumerate(groups):
            for name in names:
                parts.setdefault(name, []).append(number)
        listed = list(groups)
        joined: dict[tuple[int, ...], tuple[Layer, ...]] = {}
        for numbers in map(tuple, parts.values()):
            if numbers not in joined:
                members = dict.fromkeys(name for number in numbers for name in listed[number])
                joined[numbers] = tuple([self.index[name] for name in members])
        return {name: joined[tuple(numbers)] for name, numbers in parts.items()}

    @cached_property
    def needed(self) -> frozenset[str]:
        """The layers and inputs that some output depends on, by name."""
        found = set(self.outputs.values())
        for layer in reversed(self.layers):
            if layer.name in found:
                found.update(layer.inputs)
        return frozenset(found)

    @cached_property
    def fixed(self) -> str:
        """Why it cannot be had on other inputs or values; empty where it can."""
        made = self.origin.again(self, Setting(self.inputs, advice=False))
        if [layer[:5] for layer in made] == [layer[:5] for layer in self]:  # all but where it stands
            return ""
        return (
            f"{shorten(self.name)} differs from what its origin builds, so it cannot be laid out "
            "on another input"
        )

    def _again(self, on: Setting) -> Network:
        if self.fixed:
            raise usage(self.fixed)
        return self.origin.again(self, on)

    def with_input(self, input: Any, *, inference: bool = False, advice: bool = True) -> Network:
        """The same network on another input.

        Args:
            input: a shape without the batch, as ``(3, 224, 224)`` or ``"3x224x224"``; a mapping of names to
                shapes where there are several inputs, and those that it does not name stay as they are.
            inference: leave out the heads that run in training only, which may want a larger input.
            advice: whether to search for what would work where a layer does not fit.

        Raises:
            SpecError: a layer does not fit; carries the network up to there.
            UsageError: there is no such input, the shape is none, or the network was altered by hand.

        >>> import archlens
        >>> archlens.load("resnet50").with_input("3x320x320")["layer4.2.conv3"].shape
        Shape((2048, 10, 10))
        """
        return self._again(Setting(input, inference=inference, advice=advice))

    def formula(self, input: Any) -> Any:
        """Its sizes and costs as formulas of letters, ``"3xHxW"``.

        Args:
            input: with letters in the place of sizes; a mapping of names to such texts where there are
                several inputs.

        Returns:
            An :class:`archlens.analysis.formula.Formula`: called with a size for each letter it gives the
            shapes of all layers.

        Raises:
            SpecError: the network does not take the numbers in it.
            UsageError: that is no input of it, or it has no formulas.

        >>> import archlens
        >>> formula = archlens.load("resnet50").formula("3xHxW")
        >>> formula(H=320, W=256)["layer4.2.conv3"], formula.macs(H=224, W=224)
        ((2048, 10, 8), 4089184256)
        """
        return showing.to_formula(self, input)

    def with_values(self, **values: Any) -> Network:
        """The same network with other values for params of its spec; the others stay as they are.

        Raises:
            SpecError: a layer does not fit; carries the network up to there.
            UsageError: there is no such param, or the network was altered by hand.

        >>> import archlens
        >>> archlens.load("resnet50").with_values(depths=[3, 4, 23, 3]).params  # ResNet-101
        44549160
        """
        return self._again(Setting(values=values))

    def state(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all weights and saved buffers, by their keys in torch's state dict."""
        found = {
            layer.key(name): shape
            for layer in self.layers
            for name, shape in {**layer.facts.weights, **layer.facts.kept}.items()
        }
        return found | {alias: found[key] for alias, key in self.aliases.items() if key in found}

    def shape_of(self, name: str) -> Shape:
        """The shape of a layer's output, or of an input of the network."""
        found = self.index.get(name)
        return found.facts.shape if found is not None else self.inputs[name]

    def __getitem__(self, name: str) -> Layer:
        found = self.index.get(name)
        if found is None:
            inside = [layer.name for layer in self.layers if layer.within(name)][:3]
            raise usage(
                f"{self.name} has no layer {shorten(name)}",
                help=f"{name} is a scope: {', '.join(inside)}, …"
                if inside
                else self._by_number(name) or did_you_mean(name, self.index),
            )
        return found

    def _by_number(self, name: str) -> str:
        """How a layer is called that one would have by this number, had it weights; empty for any other."""
        scope, _, number = name.rpartition(".")
        before = f"{scope}." if scope else ""
        if not number.isdecimal() or len(number) > len(str(len(self.layers))):
            return ""
        unnamed: dict[str, None] = {}
        for layer in self.layers:
            if layer.name.startswith(before):
                child, dot, _ = layer.name[len(before) :].partition(".")
                if child.isdecimal() or not (dot or layer.op.merges or not is_after(child, layer.op.kind)):
                    unnamed[child] = None
        found = [*unnamed][int(number) : int(number) + 1]
        return CALLED_BY_OP.format(before + found[0]) if found else ""

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def digraph(self) -> Any:
        """The network as a ``networkx.DiGraph``, for what needs graph algorithms.

        Its nodes are the names of the inputs and of the layers, each with its ``shape``, a layer's also with
        its ``layer``; an edge leads from what is read to the layer that reads it, in the order of the layers.
        A layer that reads one tensor twice has one edge from it.

        Raises:
            UsageError: networkx is not installed.
        """
        try:
            import networkx
        except ImportError:
            raise not_installed("a graph is a DiGraph of networkx", "graph") from None
        graph = networkx.DiGraph(name=self.name)
        for name, shape in self.inputs.items():
            graph.add_node(name, shape=shape)
        for layer in self.layers:
            graph.add_node(layer.name, shape=layer.shape, layer=layer)
            graph.add_edges_from((source, layer.name) for source in layer.inputs)
        return graph

    def __repr__(self) -> str:
        inputs = ", ".join(map(str, self.inputs.values()))
        ends = ", ".join(str(self.shape_of(end)) for end in self.outputs.values())
        figures = f"{len(self):,} layers, {self.params:,} params, {self.macs:,} MACs"
        return f"<Network {shorten(self.name)}: {inputs} -> {ends}, {figures}>"

    def __str__(self) -> str:
        return showing.to_text(self)

    def _repr_html_(self) -> str:
        return self.shown()

    def shown(self, problem: SpecError | None = None) -> str:
        """Table and diagram as HTML, as a notebook shows them.

        Args:
            problem: what is wrong after the last layer, where this is only what there is up to there.
        """
        return showing.to_html(self, problem)
