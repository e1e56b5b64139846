"""``archlens schema``."""

from __future__ import annotations

import json

import click

from ...elaboration.packages import bring_all
from ...schema import pyproject_schema, spec_schema
from ..options import output_option
from ..output import write

_SCHEMAS = {"spec": spec_schema, "pyproject": pyproject_schema}


@click.command("schema")
@click.argument("what", type=click.Choice(list(_SCHEMAS)), default="spec")
@output_option
def command(what: str, path: str | None) -> None:
    """Print a JSON Schema for editors: of spec files, or of [tool.archlens] in pyproject.toml.

    WHAT is spec, unless pyproject is asked for.
    """
    bring_all()
    write(json.dumps(_SCHEMAS[what](), indent=2, ensure_ascii=False), path)
