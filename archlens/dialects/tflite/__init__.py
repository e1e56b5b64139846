"""TensorFlow Lite files: ``model.tflite``. Nothing in them runs, and their weights are not read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from ...elaboration.building import Built
from ...errors import error, shorten
from ...network import Network, Origin, Setting
from ...shape import Shape, times
from ..format import Format, Model

if TYPE_CHECKING:
    from .reading import File


class TFLite(Model):
    """The main graph of a file. Its shapes are those of the file; on other inputs the same ops are placed."""

    def __init__(self, file: File) -> None:
        self.file = file

    @property
    def inputs(self) -> Mapping[str, Shape]:
        from .graph import inputs

        return inputs(self.file)

    def network(
        self, name: str, shapes: Mapping[str, Shape], values: Mapping[str, Any], variant: str, origin: Origin
    ) -> Network:
        from .maps import said

        network = said(self.file, name, origin)
        if shapes == network.inputs:
            return network
        other = Built("", origin.source).again(network, Setting(shapes))
        for layer in network:
            there = other[layer.name].facts.weights
            for weight, shape in layer.facts.weights.items():
                if there[weight] != shape:
                    raise error(
                        f"{shorten(layer.name)}: its {weight} is {times(shape)} in the file, and "
                        f"{times(there[weight])} would fit this input"
                    )
        return replace(other, origin=origin)


def _read(file: BinaryIO, name: str) -> TFLite:
    from .reading import read

    return TFLite(read(file, name))


FORMAT = Format("a TensorFlow Lite file", (".tflite",), lambda start: start[4:8] == b"TFL3", _read)
