"""The figures of the zoo as they were last laid out, so that listing it takes no time.

``specs/index.json`` holds for each spec file a digest of its text and, for each network, what a list shows. A
file whose text has changed since is not believed: its networks are laid out anew. The tests write the index
and hold it against the networks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from .finding import directory

NAME = "index.json"


def digest(text: str) -> str:
    """What tells one text of a spec from another."""
    import hashlib  # only the list of all networks needs it

    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@cache
def _read() -> Mapping[str, Any]:
    try:
        found = json.loads((directory() / NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@lru_cache(256)
def lookup(stem: str, text: str) -> Mapping[str, Mapping[str, Any]]:
    """The entries of a spec file's networks by name; empty where its text is another than it was."""
    found = _read().get(stem, {})
    return found.get("networks", {}) if found.get("sha256") == digest(text) else {}


def to_text(families: Mapping[str, tuple[str, Mapping[str, Any]]]) -> str:
    """The index of some spec files, each by its text and the entries of its networks; a network a line."""
    parts = []
    for stem, (text, networks) in sorted(families.items()):
        lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in networks.items())
        parts.append(f' {json.dumps(stem)}: {{"sha256": "{digest(text)}", "networks": {{\n{lines}\n }}}}')
    return "{\n" + ",\n".join(parts) + "\n}\n"
