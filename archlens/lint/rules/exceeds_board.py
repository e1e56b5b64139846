"""The rule ``exceeds-board``; see its class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...analysis.deployment import Deployment
from ...analysis.study import Study
from ...analysis.unknown import Unknown
from ...errors import shorten
from ...network import Layer
from ..rule import WARNING, Finding, Rule


class ExceedsBoard(Rule, code="AL502", name="exceeds-board", level=WARNING):
    """The network needs more memory than a board has.

    What it does:
        Compares the arena and the flash with the limits on `sram` and `flash` in the spec's `budget:`, and
        with the memory of the board that `--target` names; with one finding for each, at the layer that takes
        most of it. Weights and activations are int8 unless `--weights` and `--activations` say otherwise.
        Nothing is compared if nothing is limited; if the arena is unknown, the finding says so.

    Why it matters:
        An interpreter on a microcontroller puts all tensors into one arena whose size is fixed before it
        starts; if they do not fit, it does not start. Source: David et al., "TensorFlow Lite Micro: Embedded
        Machine Learning on TinyML Systems" (2021), on memory management.

    Example:
        input: 1x32x32
        layers:
          - conv(32, 5)
          - relu
          - max_pool(2)
        budget:
          sram: <= 24KiB

    Use instead:
        input: 1x32x32
        layers:
          - conv(16, 5)
          - relu
          - max_pool(2)
        budget:
          sram: <= 24KiB
    """

    def check(self, study: Study) -> Iterator[Finding]:
        limits = [*study.board, *study.network.meta.requirements]
        for quantity, found in (("sram", self.arena), ("flash", self.flash)):
            for one in limits:
                if one.quantity == quantity:
                    yield from found(study.deployment, one.limit)

    def arena(self, found: Deployment, limit: Any) -> Iterator[Finding]:
        arena = found.arena
        if isinstance(arena, Unknown):
            layers = found.network.layers[:1]
            yield self.found([*layers], f"whether the arena is {limit} is not known: {arena.reason}")
            return
        if limit.holds(arena.bytes):
            return
        alive = [one for one in found.tensors if one.first <= arena.step <= one.last]
        largest = max(alive, key=lambda one: one.bytes)
        yield self.found(
            _layers(found, largest.name),
            f"the arena takes {arena.bytes:,} bytes in {found.activations}, and should be {limit}; "
            f"{shorten(largest.name)} has {largest.aligned:,} of the {arena.least:,} alive at once",
            bytes=arena.bytes,
            least=arena.least,
        )

    def flash(self, found: Deployment, limit: Any) -> Iterator[Finding]:
        size = found.flash()
        if limit.holds(size) and not found.more:
            return
        of: dict[str, int] = {}
        for one in found.constants:
            of[one.layer] = of.get(one.layer, 0) + one.bytes
        largest = max(of, key=lambda name: of[name], default="")
        if limit.holds(size):
            yield self.found(
                _layers(found, largest), f"whether the flash is {limit} is not known: {found.more}"
            )
            return
        least = "at least " if found.more else ""
        yield self.found(
            _layers(found, largest),
            f"weights, biases and scales take {least}{size:,} bytes with weights in {found.weights}, and "
            f"should be {limit}; {shorten(largest)} has {of.get(largest, 0):,} of them",
            bytes=size,
        )


def _layers(found: Deployment, name: str) -> list[Layer]:
    """The layer of that name; else the first that is computed, as for an input."""
    network = found.network
    return [network[name]] if name in network.index else [*network.layers[:1]]
