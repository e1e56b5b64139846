"""Docstrings as Markdown: what they show of Python in fences, and roles of reStructuredText as code."""

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
