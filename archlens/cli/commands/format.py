"""``archlens format``."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import click

from ...dialects.formats import file
from ...errors import printable, printable_lines, usage
from ...language.tidying import tidied
from ...library.finding import is_path, text_in
from ..output import remark, write, write_bytes


@click.command("format")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
def command(files: tuple[str, ...], check: bool, diff: bool) -> None:
    """Format spec files: indentation and spacing.

    Indentation, spaces and the spacing of expressions become uniform. The meaning of a spec, its comments,
    quotes and line breaks do not change. FILE is rewritten in place; `-` reads standard input and prints.
    Files of other tools are left alone.
    """
    if not files:
        raise usage(
            "format takes files", help="archlens format my.yaml, or archlens format --check specs/*.yaml"
        )
    changed = 0
    for name in dict.fromkeys(files):
        if not is_path(name) and not Path(name).exists():
            raise usage(f"format takes files, but {printable(name)[:200]} is not one", help="as in my.yaml")
        if name != "-" and file(name) is not None:
            remark(f"{printable(name)} is not a spec, so it is left unchanged")
            continue
        old, ending = text_in(name)
        new = tidied(old, path="<stdin>" if name == "-" else name)
        changed += new != old
        if diff:
            lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, name, lineterm="")
            text = "\n".join(map(printable_lines, lines))
            if text:
                write(text, None)
        elif name == "-" and not check:
            write(new.removesuffix("\n"), None)
        elif new != old:
            if not check:
                write_bytes(new.replace("\n", ending).encode(), name)
            remark(f"{printable(name)} {'would be' if check else 'is'} reformatted")
    if check and changed:
        sys.exit(1)
