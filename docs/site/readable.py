"""Docstrings as Markdown: what they show of Python in fences, and roles of reStructuredText as code.

Records of archlens are dataclasses here, so that their arguments are known.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_SESSION = re.compile(r"^>>> .*(?:\n(?!\n).+)*", re.MULTILINE)


def readable(text: str) -> str:
    """The text of a docstring as Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return _SESSION.sub(lambda found: f"```python\n{found[0]}\n```", text)


class Readable(griffe.Extension):
    """Makes every docstring readable as it is loaded."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = readable(obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Call what makes a record by what it is for type checkers, which the next extension looks for."""
        modules = [pkg]
        while modules:
            module = modules.pop()
            made = module.members.get("record")
            if isinstance(made, griffe.Alias) and made.target_path == "archlens.records.record":
                made.target_path = "dataclasses.dataclass"
            modules += [one for one in module.members.values() if isinstance(one, griffe.Module)]
