"""JSON Schemas of what people write: spec files, and ``[tool.archlens]`` in ``pyproject.toml``.

They are for editors, which complete and check while one types, and are drawn from what archlens itself reads
by: the keys of a spec, the ops with their signatures, the quantities with their units. What only elaboration
can tell, such as whether a window fits, they do not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .analysis.figures import QUANTITIES, Figure
from .budgets.project import BUDGET_KEYS, KEYS
from .counts import Kind
from .language.constructs import CONSTRUCTS
from .language.published import PUBLISHED_KEYS
from .language.spec import KEYS as SPEC_KEYS
from .language.spec import PAPER_KEYS
from .language.steps import EXPERTS, FORMS, OPTIONAL_PARTS, PARTS
from .limits import UNITS
from .ops import LANGUAGE, MERGES
from .ops.experts import Experts
from .ops.op import arguments, signature
from .published import AXES
from .published import QUANTITIES as PUBLISHED

Schema = dict[str, Any]

#: The dialect of all schemas.
DIALECT = "https://json-schema.org/draft/2020-12/schema"

#: A size of a shape, or an expression for it.
_SIZE = r"(\d+|\{[^{}]+\})"

#: The version of each; a change by which what was valid no longer is changes the number.
SPEC, PYPROJECT = "archlens.spec/1", "archlens.pyproject/1"


def spec_schema() -> Schema:
    """Of a spec file, as YAML 1.1 or 1.2 reads it."""
    properties: dict[str, Schema] = {
        "title": _text("What the network is called."),
        "summary": _text("What it is, in a sentence or two."),
        "paper": _records("Where it was published.", "title", dict.fromkeys(PAPER_KEYS, _TEXT)),
        "notes": {
            "description": "What is easily confused.",
            "anyOf": [{"$ref": "#/$defs/text"}, {"type": "array", "items": {"$ref": "#/$defs/text"}}],
        },
        "input": {
            "description": "CxHxW, CxL or CxDxHxW, without the batch; `50x80 channels_last`; `77 of 49408` "
            "for ids, below that; by name where there are several.",
            "anyOf": [
                {"$ref": "#/$defs/shape"},
                {"type": "object", "minProperties": 1, "additionalProperties": {"$ref": "#/$defs/shape"}},
            ],
        },
        "use": {
            "description": "Other networks, and parts of them, by the names that they have here: `resnet50`, "
            "`./head.yaml`, `resnet50.bottleneck`.",
            "type": ["object", "null"],
            "additionalProperties": {"type": "string", "minLength": 1},
        },
        "params": _named("Named values for all expressions; one without a value must be given.", "value"),
        "blocks": {
            **_named("Reusable steps with parameters: `bottleneck(width, stride=1)`.", "block"),
            "propertyNames": {"pattern": r"^\s*[^\W\d]\w*\s*(\(.*\))?\s*$"},
        },
        "layers": {"description": "The network: a list of steps.", "$ref": "#/$defs/body"},
        "outputs": _named("Further outputs; `{training: [...]}` runs only in training.", "body"),
        "aliases": {
            "description": "Second names in the state dict, each with the first: "
            "`decoder.embed: encoder.embed`; `*` is one part of a name.",
            "type": ["object", "null"],
            "additionalProperties": {"type": "string", "minLength": 1},
        },
        "variants": _named(
            "Names for the command line, each with its own params, input or title.", "variant"
        ),
        "published": _records(
            "Figures that others printed, each with its source.",
            "source",
            _published_fields(),
            never=("note", "unexplained"),
        ),
        "budget": {"$ref": "#/$defs/budget"},
    }
    assert tuple(properties) == SPEC_KEYS, "the keys of a spec are not those of its schema"
    return {
        "$schema": DIALECT,
        "title": SPEC,
        "description": "A spec of a neural network for archlens.",
        "type": "object",
        "required": ["input", "layers"],
        "additionalProperties": False,
        "properties": properties,
        "$defs": {
            "text": {"type": ["string", "number", "boolean"]},
            "shape": {
                "description": "As in 3x224x224, 50x80 channels_last, or 77 of 49408 for ids; expressions "
                "in braces may be sizes.",
                "anyOf": [
                    {"type": "integer", "minimum": 1},
                    {
                        "type": "string",
                        "pattern": rf"^\s*{_SIZE}(\s*[xX×]\s*{_SIZE}){{0,3}}"
                        rf"(\s+([oO][fF]\s+{_SIZE}|channels_last))?\s*$",
                    },
                ],
            },
            "value": {
                "description": "A number, a string, an expression, or a list of them.",
                "anyOf": [
                    {"type": ["string", "number", "boolean", "null"]},
                    {"type": "array", "items": {"$ref": "#/$defs/value"}},
                ],
            },
            "expression": {
                "description": "An op or a block, called by Python's rules; `a >> b`; `block(64) * 3`.",
                "anyOf": [
                    {"type": "string", "minLength": 1},  # first, so that most steps are valid at once
                    *(
                        {"const": kind, "description": _signature(kind)}
                        for kind in LANGUAGE
                        if kind not in MERGES
                    ),
                ],
            },
            "body": {
                "description": "A step, or a list of them.",
                "anyOf": [
                    {"type": "array", "items": {"$ref": "#/$defs/body"}},
                    {"$ref": "#/$defs/step"},
                ],
            },
            "block": {
                "anyOf": [
                    {"$ref": "#/$defs/body"},
                    {
                        "description": "Steps, and what pictures call them.",
                        "type": "object",
                        "required": ["label", "layers"],
                        "additionalProperties": False,
                        "properties": {
                            "label": {"$ref": "#/$defs/text"},
                            "layers": {"$ref": "#/$defs/body"},
                        },
                    },
                ],
            },
            "step": {"anyOf": [_mapping_step(), {"$ref": "#/$defs/expression"}]},  # the shorter list first
            "variant": {
                "anyOf": [
                    {"type": "null"},
                    {
                        "type": "object",
                        "properties": {
                            name: properties[name]
                            for name in ("title", "summary", "notes", "paper", "input", "published", "budget")
                        },
                        "additionalProperties": {"$ref": "#/$defs/value"},
                    },
                ]
            },
            **_budget_defs(numbers=True),
            "budget": {"description": "What must hold.", **_limits(_SCOPES)},
        },
    }


def _mapping_step() -> Schema:
    """A step that is named, merges, or is repeated over a table."""
    body = {"$ref": "#/$defs/body"}
    what = {form: _meaning(form) for form in FORMS}
    table: dict[str, Schema] = {
        "each": {
            "description": f"The columns of a table. {_meaning('each')}",
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": ["string", "boolean"]}, "minItems": 1},
            ],
        },
        "in": {"description": "Its rows.", "$ref": "#/$defs/value"},
        "do": {"description": "The steps of a row.", **body},
    }
    return {
        "description": "A name with its step or steps; or branches that are merged; or a table of rows.",
        "type": "object",
        "minProperties": 1,
        "properties": {
            **{form: {"description": says, **body} for form, says in what.items()},
            "shortcut": {"description": _meaning("shortcut"), **body},
            **{
                kind: {
                    "description": f"Branches over the same tensor, merged by {kind}.",
                    "anyOf": [
                        {"type": "array", "items": body, "minItems": 1},
                        {
                            "type": "object",
                            "minProperties": 1,
                            "properties": table,
                            "additionalProperties": body,
                        },
                    ],
                }
                for kind in MERGES
                if kind not in PARTS
            },
            **{kind: _parted(kind, body) for kind in PARTS},
            EXPERTS: _experts(body),
            **table,
        },
        "dependentRequired": {"each": ["in", "do"], "in": ["each", "do"], "do": ["each", "in"]},
        "anyOf": [  # one step in an item
            {"maxProperties": 1},
            {"maxProperties": 2, "required": ["residual", "shortcut"]},
            {"maxProperties": 3, "required": ["each", "in", "do"]},
        ],
        "additionalProperties": body,
    }


def _meaning(construct: str) -> str:
    """What a construct means, as ``archlens ops`` has it."""
    return CONSTRUCTS[construct].summary.replace("`", "")


def _parted(kind: str, body: Schema) -> Schema:
    """A merge whose branches have names, beside its arguments; or a name for a layer or a scope."""
    value = {"$ref": "#/$defs/value"}
    given = {name: {"description": one.meaning, **value} for name, one in signature(MERGES[kind]).items()}
    optional = OPTIONAL_PARTS[kind]
    more = f", and perhaps {' and '.join(optional)}," if optional else ""
    parts: Schema = {
        "type": "object",
        "minProperties": len(PARTS[kind]),
        "properties": given,
        "additionalProperties": body,
    }
    return {
        "description": f"Branches {', '.join(PARTS[kind])}{more} merged by {_signature(kind)}.",
        "anyOf": [parts, {"$ref": "#/$defs/expression"}, {"type": "array", "items": body}],
    }


def _experts(body: Schema) -> Schema:
    """Experts, with what is said of them; or a name for a layer or a scope."""
    known = signature(Experts)
    given = {name: {"description": one.meaning, "$ref": "#/$defs/value"} for name, one in known.items()}
    parts: Schema = {
        "type": "object",
        "required": [*(name for name, one in known.items() if one.required), "do"],
        "properties": {
            **given,
            **{name: {"description": says, **body} for name, says in CONSTRUCTS[EXPERTS].parts.items()},
        },
        "additionalProperties": False,
    }
    return {
        "description": _meaning(EXPERTS),
        "anyOf": [parts, {"$ref": "#/$defs/expression"}, {"type": "array", "items": body}],
    }


def pyproject_schema() -> Schema:
    """Of a ``pyproject.toml``, as editors need it; of its tables it knows ``[tool.archlens]`` alone."""
    archlens = _archlens_schema()
    return {
        "$schema": DIALECT,
        "title": PYPROJECT,
        "description": "A pyproject.toml with the table [tool.archlens].",
        "type": "object",
        "properties": {"tool": {"type": "object", "properties": {"archlens": archlens}}},
        "$defs": archlens.pop("$defs"),
    }


def _archlens_schema() -> Schema:
    """Of the table ``[tool.archlens]``."""
    table = {"$ref": "#/$defs/table"}
    outside = {"pattern": r"^/|(^|/)\.\.(/|$)"}  # of the project
    pattern = {"type": "string", "minLength": 1, "not": outside}
    budgets: dict[str, Schema] = {
        "files": {
            "description": "Patterns over spec files, from the folder of this file: models/*.yaml.",
            "anyOf": [pattern, {"type": "array", "items": pattern, "minItems": 1}],
        },
        "tolerance": {
            "description": "How far figures may drift from archlens.lock: a percentage below 100.",
            "type": "string",
            "pattern": r"^\s*(\d{1,2}(\.\d*)?|\.\d+)\s*%\s*$|^\s*0\s*$",
        },
        "defaults": {
            "description": "Limits on every network of the project.",
            **_limits(_SCOPES),
        },
        "networks": {
            "description": "Limits by network: a name of the zoo, a file, a pattern, or a torch module.",
            "type": "object",
            "additionalProperties": _limits(_SCOPES, also=_module()),
        },
    }
    assert tuple(budgets) == BUDGET_KEYS, "the keys of the budgets are not those of their schema"
    tables: dict[str, Schema] = {
        "budgets": {
            "description": "What must hold of the networks of this project.",
            "type": "object",
            "properties": {**budgets, **_quantities()},
            "additionalProperties": {**table, "description": "Limits on a network, or on a scope."},
        }
    }
    assert tuple(tables) == KEYS, "the keys of [tool.archlens] are not those of its schema"
    return {
        "description": "Exact shapes and costs of neural networks, and budgets for them.",
        "type": "object",
        "additionalProperties": False,
        "properties": tables,
        # a table may turn out to name a scope, and then shares of the whole make sense
        "$defs": {**_budget_defs(numbers=False), "table": _limits(_SCOPES, shares=True)},
    }


#: What stands in a table of limits beside quantities: scopes with limits of their own.
_SCOPES: Schema = {"$ref": "#/$defs/scope"}


def _budget_defs(*, numbers: bool) -> dict[str, Schema]:
    """A limit on each kind of thing, with and without shares of the whole; and the limits on a scope."""
    defs = {f"limit_{kind.name.lower()}": _limit(kind, numbers=numbers) for kind in Kind}
    for kind in {quantity.kind for quantity in QUANTITIES.values() if quantity.adds_up}:
        defs[f"share_{kind.name.lower()}"] = _limit(kind, numbers=numbers, share=True)
    return {**dict(sorted(defs.items())), "scope": _limits(False, scoped=True, shares=True)}


def _module() -> dict[str, Schema]:
    """What a table says of a torch module beside its limits."""
    text: Schema = {"type": "string"}
    return {
        "input": {
            "description": "What package.module:Net or model.py:Net runs on, as in 3x224x224.",
            "anyOf": [text, {"type": "object", "minProperties": 1, "additionalProperties": text}, _SCOPES],
        },
        "set": {"description": "What it is made with.", "type": "object"},
    }


def _limits(
    more: Schema | bool,
    *,
    scoped: bool = False,
    shares: bool = False,
    also: Mapping[str, Schema] | None = None,
) -> Schema:
    """A table of limits, and what else may stand in it."""
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {**_quantities(scoped=scoped, shares=shares), **(also or {})},
        "propertyNames": {"minLength": 1},
        "additionalProperties": more,
    }


def _quantities(*, scoped: bool = False, shares: bool = False) -> dict[str, Schema]:
    """A property for each quantity, under its name and under that with dashes."""
    found: dict[str, Schema] = {}
    for name, quantity in QUANTITIES.items():
        if quantity.scoped or not scoped:
            found[name] = found[name.replace("_", "-")] = _quantity(quantity, shares=shares)
    return found


def _quantity(quantity: Figure, *, shares: bool) -> Schema:
    form = "share" if shares and quantity.adds_up else "limit"
    return {"description": quantity.what, "$ref": f"#/$defs/{form}_{quantity.kind.name.lower()}"}


def _limit(kind: Kind, *, numbers: bool, share: bool = False) -> Schema:
    """A limit as a pattern: comparisons or a range, with the units of a kind; or, in YAML, a number alone."""
    known = [*UNITS[kind], *(["K"] if "k" in UNITS[kind] else []), *(["%"] if share else [])]
    unit = f"({'|'.join(sorted(known, key=len, reverse=True))})?" if known else ""
    number = rf"\d[\d_]*(,\d{{3}})*(\.\d+)?([eE]\+?\d{{1,2}})?\s*{unit}"
    bound = rf"(<=|>=|==|=|<|>|≤|≥)\s*{number}"
    how = rf"^\s*({number}|{bound}(\s*(,|and)\s*{bound})?|{number}\s*(\.\.\.?|…|–|-|to)\s*{number})\s*$"
    said = [*UNITS[kind], *(["% of the whole"] if share else [])]
    return {
        "description": f"A limit on {kind.value}: <= 26, >= 26, == 26 or 20..26"
        + (f"; units: {', '.join(said)}." if said else "."),
        "anyOf": [
            {"type": "string", "pattern": how},
            *([{"type": "integer", "minimum": 0}] if numbers else []),
        ],
    }


def _signature(kind: str) -> str:
    """An op with its attributes: ``conv(channels, kernel, stride=1, …)``."""
    return f"{kind}({', '.join(arguments(LANGUAGE[kind]))})"


_TEXT: Schema = {"$ref": "#/$defs/text"}


def _text(description: str) -> Schema:
    return {"description": description, **_TEXT}


def _named(description: str, what: str) -> Schema:
    """A mapping of names to things; nothing at all, too."""
    return {
        "description": description,
        "type": ["object", "null"],
        "additionalProperties": {"$ref": f"#/$defs/{what}"},
    }


def _published_fields() -> dict[str, Schema]:
    """The keys of an entry of ``published:``."""
    letter = f"[{''.join(AXES)}]"
    fields: dict[str, Schema] = {
        "source": {"description": "Who printed it, and where in it: a table, a page, a file.", **_TEXT},
        "link": {
            "description": "arxiv:1409.4842, doi:10.1109/5.726791, https://..., or paper: that of this spec.",
            "type": "string",
            "pattern": r"^\s*(paper|arxiv:\S+|doi:10\.\S+|https://\S+)\s*$",
        },
        "axes": {
            "description": "How its shapes are printed: HxWxC, or HxW. Torch's order where it is left out.",
            "type": "string",
            "pattern": rf"^\s*{letter}(\s*[xX×*·@]\s*{letter})*\s*$",
        },
        "note": {"description": "Why figures of the entry differ.", **_TEXT},
        "unexplained": {"description": "What is known, where they differ for no known reason.", **_TEXT},
        "unverified": {"description": "Why it has not been seen in print.", **_TEXT},
    }
    for key, quantity in PUBLISHED.items():
        kinds = [_TEXT] if quantity.whole else []
        kinds += [{"type": "object", "additionalProperties": _TEXT}] if quantity.parts else []
        fields[key] = {"description": f"As printed: {quantity.example}.", "anyOf": kinds}
    return {key: fields[key] for key in PUBLISHED_KEYS}


def _records(
    description: str, required: str, fields: dict[str, Schema], never: tuple[str, ...] = ()
) -> Schema:
    """A mapping with known keys, or a list of them; what is not required may be left empty.

    Args:
        description: what they are.
        required: the key that each has.
        fields: what stands under each key.
        never: keys that do not stand together.
    """
    record: Schema = {
        "type": "object",
        "required": [required],
        "properties": {
            key: field if key == required else {"anyOf": [field, {"type": "null"}]}
            for key, field in fields.items()
        },
        "additionalProperties": False,
    }
    if never:
        given = {"not": {"type": "null"}}
        record["not"] = {"required": list(never), "properties": dict.fromkeys(never, given)}
    return {"description": description, "anyOf": [record, {"type": "array", "items": record}]}
