"""Exported programs, as ``torch.export.save`` writes them: ``model.pt2``. Nothing in them runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from ..network import Network, Origin
from ..shape import Shape
from .format import Format, Model

if TYPE_CHECKING:
    from ..tracing.program import Program


class Exported(Model):
    """A program, replayed on other inputs."""

    def __init__(self, program: Program) -> None:
        self.program = program

    @property
    def inputs(self) -> Mapping[str, Shape]:
        return {name: Shape(one.shape[1:]) for name, one in self.program.inputs.items()}

    def network(
        self, name: str, shapes: Mapping[str, Shape], values: Mapping[str, Any], variant: str, origin: Origin
    ) -> Network:
        from ..tracing import replayed

        return replayed(self.program, name, shapes)


def _read(file: BinaryIO, name: str) -> Exported:
    from ..backends import require_torch
    from ..tracing.archive import read

    require_torch()
    from ..tracing.program import Program

    return Exported(Program(read(file, name)))


FORMAT = Format("an exported program", (".pt2",), lambda start: False, _read)
