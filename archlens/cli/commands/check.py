"""``archlens check``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ...analysis import layouts
from ...analysis.figures import QUANTITIES
from ...errors import BudgetError, usage
from ..options import Given, board_options, format_option, names_argument, network_options, output_option
from ..output import remark, show, write, write_table

F = TypeVar("F", bound=Callable[..., Any])


def _limits(function: F) -> F:
    """An option for each quantity."""
    for name, quantity in reversed(QUANTITIES.items()):
        function = click.option(
            f"--{name.replace('_', '-')}", f"limit_{name}", multiple=True, metavar="LIMIT", help=quantity.what
        )(function)
    return function


@click.command("check")
@names_argument
@_limits
@board_options
@network_options
@click.option("--locked", is_flag=True, help="Fail if a network differs from archlens.lock.")
@click.option("--update", is_flag=True, help="Write the current figures to archlens.lock.")
@click.option(
    "--tolerance", metavar="PERCENT", help="How far figures may drift from the locked ones, as in '1 %'."
)
@format_option(checks=True)
@output_option
def command(
    name: tuple[str, ...],
    given: Given,
    locked: bool,
    update: bool,
    tolerance: str | None,
    target: str | None,
    weights: str,
    activations: str,
    form: str,
    path: str | None,
    **limits: tuple[str, ...],
) -> None:
    """Check networks against their budgets.

    A LIMIT is a comparison with a number and a unit, as in '<= 26M', '>= 224', '== 25557032', '20M..26M' or
    '<= 100MiB'; --target gives those of a board as --sram and --flash. Limits are also read from the
    `budget:` of a spec and from [tool.archlens.budgets] in pyproject.toml; without NAME all networks of the
    project are checked.

    The exit code is 0 where all limits hold, 1 where one is broken or nothing was checked, and 2 where a
    limit, a name or an option is wrong.
    """
    from ...budgets.check import check
    from ...budgets.finding import find_project
    from ...budgets.project import option_tolerance, parse_limits

    if locked and update:
        raise usage("--locked compares with archlens.lock and --update writes it: use one of them")
    if any(given) and (locked or update or not name):
        raise usage(
            "--input and --set are for networks that are named, not for locked ones",
            help="a network with other params is a variant of its spec",
        )
    if given.real:
        raise usage(
            "check does not take --real", help="assert_budget takes archlens.trace(module, ..., real=True)"
        )
    allowed = None if tolerance is None else option_tolerance(tolerance)
    if allowed is not None and not locked:
        raise usage("--tolerance is for --locked")
    asked = [(key.removeprefix("limit_"), text) for key, texts in limits.items() for text in texts]
    if target is not None:
        from ... import boards

        asked += boards.find(target).limits
    shapes, values = given.read()
    project = find_project()
    try:
        outcome = check(
            project,
            name,
            parse_limits(asked, prefix="--"),
            locked=locked,
            update=update,
            tolerance=allowed,
            input=shapes,
            values=values,
            types=(weights, activations),
        )
    except BudgetError as problem:
        show(problem.diagnostic)
        sys.exit(2)
    report = outcome.report
    for checked in report.checked:
        for warning in layouts.find(checked.network) if checked.network is not None else ():
            show(warning)
    if update and report.updated:
        _update(outcome, project.root)
    if report.count or not update or form != "table" or path:  # else there is nothing to be seen
        from ...views import check_table as view

        write_table(view.table(report), form, path)
    if report.nothing and form == "table":
        from ...views.check_table import INSTEAD

        remark(f"help: {INSTEAD}")
    if not report.held:
        sys.exit(1)


def _update(outcome: Any, folder: Path) -> None:
    """Write the lock file, and say which of its networks changed."""
    from ...budgets import lock
    from ...budgets.finding import display

    text = lock.to_text(outcome.entries)
    file = folder / lock.NAME
    write(text.rstrip("\n"), str(file))
    changed = outcome.changed
    said = f"{len(changed)} changed: {', '.join(changed)}" if changed else "none changed"
    count = len(outcome.entries)
    remark(f"{display(file)}: {count} network{'s' if count != 1 else ''}, {said}")
