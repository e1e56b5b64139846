"""``archlens new``."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import printable, shorten, usage
from ...library.skeleton import skeleton
from ..output import remark, write


@click.command("new")
@click.argument("name")
def command(name: str) -> None:
    """Write a commented spec to start from.

    The file is NAME.yaml in this folder, and works as it is.
    """
    stem = name.removesuffix(".yaml").removesuffix(".yml")
    if not stem.strip() or stem != Path(stem).name or not stem.isprintable() or stem.startswith((".", "-")):
        raise usage(f"{shorten(name)} cannot be the name of a spec", help="a plain name, as in my_network")
    path = Path(f"{stem}.yaml")
    if path.exists():
        raise usage(f"{shorten(str(path))} already exists, and is left unchanged", help="take another name")
    write(skeleton(stem).rstrip("\n"), str(path))
    remark(f"{printable(str(path))} is written; now: archlens shapes {printable(str(path))}", err=False)
