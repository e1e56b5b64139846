"""A network with what is found out about it: each analysis is made when it is first asked for, and once.

It is also imported then, so that who takes a study loads no analysis but those that it asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from ..grouping import grouped
from ..network import Layer, Network, scopes_of

if TYPE_CHECKING:
    from ..limits import Requirement
    from .cost import Ledger
    from .deployment import Deployment
    from .memory import Memory, Peak
    from .published_figures import PublishedFigure
    from .receptive_field import ReceptiveFields
    from .repeats import Repeats
    from .sizes import Sizes
    from .unknown import Unknown


class Study:
    """What views, rules, limits and reports take, instead of a network and analyses of their own."""

    def __init__(
        self,
        network: Network,
        types: tuple[str, str] = ("int8", "int8"),
        board: Sequence[Requirement] = (),
    ) -> None:
        """A study.

        Args:
            network: what is studied.
            types: of weights and of activations on a board.
            board: limits on its memory, where a board is asked about.
        """
        #: What is studied.
        self.network: Network = network
        #: The types of weights and of activations on a board.
        self.types: tuple[str, str] = types
        #: Limits on the memory of the board that is asked about, beside those of the spec.
        self.board: Sequence[Requirement] = board
        self._memory: dict[tuple[object, ...], Memory] = {}

    @cached_property
    def fields(self) -> Mapping[str, ReceptiveFields]:
        """The receptive fields on each input, by its name."""
        from . import receptive_field

        return {name: receptive_field.find(self.network, name) for name in self.network.inputs}

    @property
    def receptive_fields(self) -> ReceptiveFields:
        """What each layer sees of the only input, or of the first: ``receptive_fields["layer1.0.conv1"]``.

        A field along each spatial axis, with its ``size``, ``stride`` and ``start`` in input positions; a
        scope has the field of its last layer.
        """
        return next(iter(self.fields.values()))

    @cached_property
    def cost(self) -> Ledger:
        """Parameters, multiply-accumulates and all other work, by layer, scope and op, for one sample."""
        from . import cost

        return cost.cost(self.network)

    def memory(
        self,
        *,
        batch: int = 1,
        dtype: str = "float32",
        activations: str | None = None,
        training: bool = True,
        optimizer: str = "adam",
        device: str = "cuda",
    ) -> Memory:
        """The bytes of weights, of an inference and of training.

        Args:
            batch: samples at once.
            dtype: the type of the weights.
            activations: the type of the activations, where it is another.
            training: whether what training takes is found, too.
            optimizer: the one that trains it.
            device: whose kernels are meant: ``"cuda"`` or ``"cpu"``.
        """
        optimizer = optimizer if training else "none"
        asked = (batch, dtype, activations, optimizer, device)
        found = self._memory.get(asked)
        if found is None:
            from . import memory

            found = self._memory[asked] = memory.account(
                self.network,
                batch=batch,
                dtype=dtype,
                activations=activations,
                optimizer=optimizer,
                device=device,
            )
        return found

    @cached_property
    def deployment(self) -> Deployment:
        """What it takes of a board's RAM and flash in :attr:`types`."""
        from . import deployment

        weights, activations = self.types
        return deployment.deploy(self.network, weights=weights, activations=activations)

    @cached_property
    def peak(self) -> Peak:
        """The moment of an inference at which most bytes of activations are alive."""
        from . import memory

        return memory.peak_activations(self.network)

    @cached_property
    def sizes(self) -> Sizes:
        """Which inputs it takes, found by trying: the ``smallest``, those that fit, those that lose no pixel.

        As far as shows a pattern: :func:`archlens.analysis.sizes.find` goes on to a bound.
        """
        from . import sizes

        return sizes.find(self.network, brief=True)

    @cached_property
    def smallest(self) -> tuple[int, ...] | Unknown:
        """The smallest input along each axis, in less time than :attr:`sizes`; or why it is not known."""
        from . import sizes

        return sizes.smallest(self.network)

    @cached_property
    def depth(self) -> int:
        """The most convolutions and matrix products with weights on one way through it."""
        from . import depth

        return depth.find(self.network)

    @cached_property
    def repeats(self) -> Repeats:
        """What repeats in it, in tables and pictures."""
        from .repeats import Repeats

        return Repeats(self.network)

    @cached_property
    def claims(self) -> list[PublishedFigure]:
        """What the paper and others printed of it, each beside what is computed."""
        from . import published_figures

        return published_figures.find(self.network)

    def inside(self, scope: str) -> Sequence[Layer]:
        """The layers of a scope, or the one of that name; all of them for no scope."""
        return self.scopes.get(scope, ()) if scope else self.network.layers

    def around(self, scope: str) -> Sequence[Layer]:
        """All layers from the first of a scope to its last."""
        inside = self.inside(scope)
        return (
            self.network.layers[self._places[inside[0].name] : self._places[inside[-1].name] + 1]
            if inside
            else ()
        )

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {layer.name: place for place, layer in enumerate(self.network.layers)}

    def part(self, scope: str) -> Network:
        """The layers of a scope as if they were all that there is; for what adds up over layers."""
        return replace(self.network, layers=tuple(self.inside(scope))) if scope else self.network

    @cached_property
    def scopes(self) -> Mapping[str, Sequence[Layer]]:
        """The layers of each scope, in order; a layer is a scope of its own."""
        return grouped((scope, layer) for layer in self.network.layers for scope in scopes_of(layer.name))

    @cached_property
    def readers(self) -> Mapping[str, Sequence[Layer]]:
        """The layers that read each layer or input, in order; each once."""
        found: dict[str, list[Layer]] = {name: [] for name in (*self.network.inputs, *self.network.index)}
        for layer in self.network.layers:
            for name in layer.inputs if len(layer.inputs) == 1 else dict.fromkeys(layer.inputs):
                found[name].append(layer)
        return found

    @cached_property
    def ends(self) -> frozenset[str]:
        """The layers (and inputs) that outputs come from."""
        return frozenset(self.network.outputs.values())

    def reader(self, layer: Layer) -> Layer | None:
        """The only layer that reads this one; ``None`` where there are several, or it is an output."""
        readers = self.readers[layer.name]
        return readers[0] if len(readers) == 1 and layer.name not in self.ends else None

    def source(self, layer: Layer) -> Layer | None:
        """The only layer that this one reads; ``None`` where it merges, or reads an input."""
        return self.network.index.get(layer.inputs[0]) if len(layer.inputs) == 1 else None
