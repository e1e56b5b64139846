"""The words of the language as an editor completes them, with what each means."""

from __future__ import annotations

from typing import Any

from ..language.constructs import CONSTRUCTS
from ..ops import LANGUAGE
from ..ops.op import signature, signed
from ..ops.reference import documentation, plain, rows_of_arguments
from ..schema import spec_schema

#: The sections of an op's documentation that say how much.
_SAID = (("output", "output"), ("parameters", "parameters"), ("MACs", "macs"))


def vocabulary() -> dict[str, Any]:
    """Ops with their arguments, each with its default, what it takes and what it means; constructs; keys."""
    return {
        "ops": {kind: _op(kind) for kind in LANGUAGE},
        "constructs": [[name, one.form, plain(one.summary)] for name, one in CONSTRUCTS.items()],
        "keys": [[name, plain(said)] for name, said in _keys().items()],
    }


def _keys() -> dict[str, str]:
    """The keys of a spec, with what its schema says of them."""
    schema = spec_schema()
    found = {}
    for name, said in schema["properties"].items():
        part = schema["$defs"].get(said.get("$ref", "").rpartition("/")[2], {})
        found[name] = said.get("description") or part["description"]
    return found


def _op(kind: str) -> dict[str, Any]:
    op = LANGUAGE[kind]
    said = documentation(op)
    facts = [f"{title}: {plain(getattr(said, key))}" for title, key in _SAID if getattr(said, key)]
    return {
        "signature": signed(op),
        "summary": plain(said.summary),
        "says": "; ".join(facts),
        "arguments": rows_of_arguments(signature(op)),
    }
