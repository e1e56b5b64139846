"""What a network costs, as a ledger: multiply-accumulates, and beside them all other work, itemised.

Every figure is for one sample. Knows nothing of how it is shown; what other tools make of the same layers
is in :mod:`archlens.analysis.counting`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ..errors import did_you_mean, printable, usage
from ..grouping import grouped
from ..network import Layer, Network


class Item(NamedTuple):
    """One kind of work that is no multiply-accumulate: how it is counted, and whose definition that is."""

    formula: str
    source: str


#: Every item of ``Facts.other``, in the order of the columns. One operation is one addition,
#: multiplication, division, comparison or function value.
ITEMS: dict[str, Item] = {
    "bias": Item("1 for each output value; of a recurrent layer 2 for each value of each gate", "y = Wx + b"),
    "normalization": Item(
        "2 for each value where the statistics are known beforehand, else 5, or 7 with a learned scale and "
        "shift, and 3 for each mean and variance; local response size + 4; unit length 3n + 1 for each n "
        "values; global response 6 for each value, 2 for each channel and 1; 3 for each value of the queries "
        "and keys of cosine attention",
        "Ioffe and Szegedy 2015, algorithms 1 and 2; Ba et al. 2016, eq. 3; Wu and He 2018, eq. 1 and 2; "
        "Krizhevsky et al. 2012, section 3.3; Liu et al. 2022, section 3.2; Woo et al. 2023, "
        "section 3.2",
    ),
    "activation": Item(
        "1 for each value; glu 2 for each output; clamp 1 for each bound; softmax 3n - 1 and log_softmax 3n "
        "for each n values along their axis; 2 for each scale and each bias of cosine attention; at each "
        "step and for each feature of a state 5 of an lstm, 3 of a gru, 1 of an rnn",
        "softmax: Goodfellow et al. 2016, eq. 6.29; glu: Dauphin et al. 2017, eq. 1; cosine attention: Liu "
        "et al. 2022, section 3.2, and their code",
    ),
    "softmax": Item(
        "3n - 1 for each query of an attention and each head, over its n keys",
        "Vaswani et al. 2017, eq. 1; Goodfellow et al. 2016, eq. 6.29",
    ),
    "pooling": Item(
        "f*f - 1 for each output of a maximum or sum over f*f values (padding included), f*f for a mean; "
        "n - 1 and n along an axis of n",
        "Goodfellow et al. 2016, section 9.3; LeCun et al. 1998, section II-B",
    ),
    "elementwise": Item(
        "1 for each output value of an addition, a product, a difference, a quotient, a maximum or a "
        "minimum, of two branches or with learned values; in attention the scale, once for each pair of "
        "positions or each query's value, and for each pair its bias and its mask; at each step and for each "
        "feature of a state 8 of an lstm and a gru, 1 of an rnn",
        "He et al. 2016, eq. 1; Hu et al. 2018, eq. 4; Vaswani et al. 2017, eq. 1; Liu et al. 2021, eq. 4; "
        "Touvron et al. 2021, eq. 4",
    ),
    "root mean square": Item(
        "3 for each value, or 4 with a learned scale, and 3 for each root",
        "Zhang and Sennrich 2019, eq. 4",
    ),
    "rotary": Item("3 for each value that is turned, and for each angle", "Su et al. 2021, eq. 34"),
    "choice": Item(
        "n for each expert that a token goes to, of n; with g groups of which a are taken 2n + g + a*g more",
        "the largest of n, as often; DeepSeek-AI 2024, section 2.1.2",
    ),
    "unstated": Item("what a custom op computes beside its products", "not stated"),
    "interpolation": Item(
        "2m - 1 for each output that mixes m neighbours: linear 2, bilinear 4, trilinear 8, bicubic 16; "
        "nearest mixes none",
        "a weighted sum; cubic: Keys 1981",
    ),
    "distance": Item(
        "3n - 1 for each output from n values: differences, squares, their sum",
        "LeCun et al. 1998, eq. 7",
    ),
}


class Sum(NamedTuple):
    """What several layers come to: a scope, an op, or the whole network."""

    #: The scope (or layer) or op; empty for the whole network.
    name: str
    #: What that is: the op with its attributes, the block that made the scope, or the family of the op.
    what: str
    layers: tuple[Layer, ...]

    @property
    def params(self) -> int:
        """Trainable parameters, including those of heads for training."""
        return sum(layer.params for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of an inference."""
        return sum(layer.macs for layer in self.layers if not layer.training)

    @property
    def training_macs(self) -> int:
        """Multiply-accumulates of heads that run in training only."""
        return sum(layer.macs for layer in self.layers if layer.training)

    def other(self, *, training: bool = False) -> dict[str, int]:
        """All other work by item, of an inference or of what runs in training only."""
        total: dict[str, int] = {}
        for layer in self.layers:
            if layer.training == training:
                for item, count in layer.facts.other.items():
                    total[item] = total.get(item, 0) + count
        return total


@dataclass(frozen=True, eq=False)
class Ledger:
    """What every layer of a network costs; what layers come to adds up to the totals.

    Parameters are those of layers, each counted once; the work of heads that run in training only is kept
    apart, and is in no total.
    """

    network: Network

    @cached_property
    def total(self) -> Sum:
        """The whole network."""
        return Sum("", "", self.network.layers)

    @property
    def params(self) -> int:
        """Trainable parameters, including those of heads for training."""
        return self.total.params

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference on one sample."""
        return self.total.macs

    @cached_property
    def items(self) -> tuple[str, ...]:
        """The items that occur, heads for training included, in the order of :data:`ITEMS`."""
        found = {item for layer in self.network for item, count in layer.facts.other.items() if count}
        return tuple(sorted(found, key=_order))

    def by_layer(self) -> list[Sum]:
        """One sum per layer."""
        return [Sum(layer.name, str(layer.op), (layer,)) for layer in self.network]

    def by_scope(self, depth: int = 1) -> list[Sum]:
        """One sum per scope that is ``depth`` names deep; layers that stand higher remain as they are.

        >>> import archlens
        >>> [(s.name, s.macs) for s in cost(archlens.load("resnet50")).by_scope()][4:6]
        [('layer1', 667942912), ('layer2', 1027604480)]
        """

        def what(name: str, layers: Sequence[Layer]) -> str:
            if layers[0].name == name:
                return str(layers[0].op)
            return self.network.made_by(name) or f"{len(layers)} layers"

        return self._sums(lambda layer: ".".join(layer.name.split(".")[:depth]), what)

    def by_op(self) -> list[Sum]:
        """One sum per op, the most multiply-accumulates first.

        >>> import archlens
        >>> [(s.name, s.what, s.macs) for s in cost(archlens.load("lenet5")).by_op()][:2]
        [('conv', 'convolution', 357600), ('linear', 'linear', 58920)]
        """
        sums = self._sums(lambda layer: layer.op.kind, lambda _, layers: layers[0].op.family)
        return sorted(sums, key=lambda s: (-s.macs, -sum(s.other().values()), -s.params, s.name))

    def by(self, what: str, depth: int = 1) -> list[Sum]:
        """The sums by ``"layer"``, by ``"scope"`` (to a depth) or by ``"op"``.

        Raises:
            UsageError: it is none of these.
        """
        ways: dict[str, Callable[[], list[Sum]]] = {
            "layer": self.by_layer,
            "scope": lambda: self.by_scope(depth),
            "op": self.by_op,
        }
        if what not in ways:
            help = did_you_mean(what, ways, otherwise=f"one of {', '.join(ways)}")
            raise usage(f"a ledger is not ordered by {printable(what)}", help=help)
        return ways[what]()

    def _sums(self, place: Callable[[Layer], str], what: Callable[[str, Sequence[Layer]], str]) -> list[Sum]:
        """Sums of the layers that have one place, in the order in which the places come up."""
        places = grouped((place(layer), layer) for layer in self.network)
        return [Sum(name, what(name, found), tuple(found)) for name, found in places.items()]


def cost(network: Network) -> Ledger:
    """The ledger of a network.

    >>> import archlens
    >>> ledger = cost(archlens.load("lenet5"))
    >>> ledger.total.params, ledger.total.macs
    (61706, 416520)
    >>> ledger.total.other()
    {'bias': 6518, 'activation': 6508, 'pooling': 6304}
    >>> ledger.by_layer()[0].name, ledger.by_layer()[0].macs, ledger.by_layer()[0].other()
    ('C1', 117600, {'bias': 4704})
    """
    return Ledger(network)


def _order(item: str) -> tuple[int, str]:
    known = list(ITEMS)
    return (known.index(item) if item in ITEMS else len(known), item)
