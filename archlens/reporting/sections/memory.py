"""Bytes of the weights, of an inference and of training."""

from __future__ import annotations

from collections.abc import Sequence

from ...views import memory as view
from ..material import Material
from ..parts import Details, Notes, Part, Table

TITLE = "Memory"
ORDER = 50
COMMAND = "memory"


def parts(material: Material) -> Sequence[Part]:
    """The account, and the rules that it follows."""
    found = material.study.memory()
    return [
        Table(*view.account(found)),
        Details("What is alive when", [Notes(view.conventions(material.network, found))]),
    ]
