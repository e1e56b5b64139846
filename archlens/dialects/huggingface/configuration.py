"""A configuration as a network: the spec of the zoo that says it, with params from its fields."""

from __future__ import annotations

from collections.abc import Mapping as Values
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from ... import library
from ...elaboration import elaborate
from ...errors import SpecError, did_you_mean, shorten
from ...language.document import Mapping
from ...network import Meta, Network, Origin
from ...shape import Shape
from ..format import Model
from .families import BESIDE, FAMILIES, NOTED, Family
from .fields import Fields, plain, read_config
from .saying import Said


def read(file: BinaryIO, name: str) -> HuggingFace:
    """The model of a file.

    Raises:
        SpecError: it is no configuration, or one that no spec says.
    """
    return HuggingFace(read_config(file, name))


class HuggingFace(Model):
    """A configuration, whose fields are its params."""

    def __init__(self, root: Mapping) -> None:
        self.root = root
        self.family, self.architecture = _family(root)
        fields = Fields(root, {}, self.architecture)
        self.said = self.family.read(fields)
        self.params = fields.read
        self.notes = _notes(self.family, root, fields)

    @property
    def inputs(self) -> Values[str, Shape]:
        return self.said.inputs

    def network(
        self, name: str, shapes: Values[str, Shape], values: Values[str, Any], variant: str, origin: Origin
    ) -> Network:
        given = {field: value for field, value in values.items() if value != self.params[field]}
        said: Said = self.family.read(Fields(self.root, given, self.architecture)) if given else self.said
        # sizes are those that were asked for; what they are of is said by the fields
        inputs = {
            one: own if shapes[one] == self.inputs[one] else own.with_spatial(shapes[one].spatial)
            for one, own in said.inputs.items()
        }
        spec = library.find(str(_own(self.family) or self.family.spec)).spec
        try:
            network = elaborate(spec, input=inputs, values=said.values)
        except SpecError as problem:
            found = problem.diagnostic
            also = (*found.also, ("it is laid out for this configuration", self.root.span))
            raise SpecError(replace(found, also=also), problem.network, problem.failed) from None
        other = tuple(f"{field}={value}" for field, value in given.items())
        return replace(network, name=name, values=values, overrides=other, meta=Meta(), origin=origin)


def _family(root: Mapping) -> tuple[Family, str]:
    """Which family a configuration is of, and which architecture of it."""
    node = root.values.get("model_type")
    kind = plain(node) if node is not None else None
    family = FAMILIES.get(kind) if isinstance(kind, str) else None
    known = ", ".join(FAMILIES)
    if node is None:
        raise root.error("the configuration has no model_type", help=f"the known ones: {known}")
    if family is None:
        raise node.error(
            f"there is no spec for the model_type {shorten(str(kind))}",
            notes=("a module of transformers can be traced instead, as model.py:net",),
            help=_known_within(root)
            or did_you_mean(str(kind), FAMILIES, otherwise=f"the known ones: {known}"),
        )
    node = root.values.get("architectures")
    named = plain(node) if node is not None else None
    if node is not None and named not in (None, [], *([one] for one in family.architectures)):
        said = ", ".join(named) if isinstance(named, list) and all(map(_is_text, named)) else named
        raise node.error(
            f"there is no spec for the architecture {shorten(str(said))}",
            help=f"known for {kind}: {', '.join(family.architectures)}",
        )
    return family, (named or family.architectures)[0]


def _known_within(root: Mapping) -> str:
    """Which parts of a configuration of several models are of known types, each a file of its own."""
    found = []
    for name, part in root.values.items():
        node = part.values.get("model_type") if isinstance(part, Mapping) else None
        kind = plain(node) if node is not None else None
        if isinstance(kind, str) and kind in FAMILIES:
            found.append(f"{shorten(name)} ({kind})")
    parts = " and ".join(found)
    return f"what is in its {parts} can be read as a config.json by itself" if found else ""


def _own(family: Family) -> Path | None:
    """The file of a spec that is in no zoo, since a configuration alone has its numbers."""
    file = Path(__file__).parent / "specs" / f"{family.spec}.yaml"
    return file if file.is_file() else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _notes(family: Family, root: Mapping, fields: Fields) -> list[str]:
    """What is said of a network of a configuration: its spec, and the fields that it does not depend on."""
    whose = "archlens' own spec of such" if _own(family) else f"the spec {family.spec} of the zoo"
    notes = [f"Laid out as {fields.architecture} of transformers, by {whose}."]
    notes += fields.notes
    for name in root.keys:
        if name in NOTED and plain(root.values[name]) not in (None, {}, "default"):
            notes.append(NOTED[name])
    left = [*(name for name in root.keys if name not in fields.known), *fields.left]
    unknown = [name for name in dict.fromkeys(left) if name not in BESIDE | NOTED.keys()]
    if unknown:
        listed = ", ".join(map(shorten, unknown[:8])) + (", ..." if len(unknown) > 8 else "")
        notes.append(f"Unknown fields of {family.model_type}, which change nothing: {listed}.")
    return notes
