"""Bytes of the weights, of an inference and of training."""

from __future__ import annotations

from collections.abc import Sequence

from ...views import memory_table as view
from ..material import Material
from ..parts import Details, Notes, Part

TITLE = "Memory"
ORDER = 50
COMMAND = "memory"


def parts(material: Material) -> Sequence[Part]:
    """The account, and the rules that it follows."""
    table = view.table(material.network, material.study.memory())
    return [table.seen, Details("What is alive when", [Notes(table.notes)])]
