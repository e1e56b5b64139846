"""``archlens schema``."""

from __future__ import annotations

import json

import click

from ...elaboration.packages import bring_all
from ...errors import did_you_mean, shorten, usage
from ...outputs import OUTPUTS, output_schema
from ...schema import Schema, pyproject_schema, spec_schema
from ..options import output_option
from ..output import write

_SCHEMAS = {"spec": spec_schema, "pyproject": pyproject_schema}


@click.command("schema")
@click.argument("what", type=click.Choice([*_SCHEMAS, "output"]), default="spec")
@click.argument("name", metavar="[COMMAND]", required=False)
@output_option
def command(what: str, name: str | None, path: str | None) -> None:
    """Print a JSON Schema of specs, settings or JSON output.

    WHAT is spec (the default), pyproject, or output followed by a COMMAND.
    """
    write(json.dumps(_schema(what, name), indent=2, ensure_ascii=False), path)


def _schema(what: str, name: str | None) -> Schema:
    """That of what a command prints, or of what people write.

    Raises:
        UsageError: there is no such command, or one is named where none belongs.
    """
    if what == "output":
        if name is None or name not in OUTPUTS:
            found = f"{shorten(name)} prints no JSON" if name else "the schema of which output?"
            raise usage(
                found, help=did_you_mean(name or "", OUTPUTS, otherwise=f"one of {', '.join(OUTPUTS)}")
            )
        return output_schema(name)
    if name is not None:
        raise usage(
            f"{what} takes no {shorten(name)}", help=f"archlens schema {what}, or output {shorten(name)}"
        )
    bring_all()
    return _SCHEMAS[what]()
