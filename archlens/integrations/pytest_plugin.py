"""Budgets as tests: a pytest plugin that does nothing until it is asked to.

``archlens_budget = true`` under ``[tool.pytest.ini_options]``, or in ``pytest.ini``, makes each limit of the
project a test; a list of names and files does so for these. The fixtures ``assert_budget``,
``assert_shapes`` and ``archlens_network`` are there for tests of one's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..budgets.check import Planned
    from ..errors import Span
    from ..limits import Requirement
    from ..network import Network

OPTION = "archlens_budget"

_ON, _OFF = ("true", "1", "yes", "on"), ("", "false", "0", "no", "off")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, which is a list of lines so that names of networks can stand in it, too."""
    parser.addini(
        OPTION,
        "make each archlens budget a test: true for all of the project, or names of networks and files",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect the file that the option stands in wherever tests are collected by default."""
    config.addinivalue_line("markers", f"{OPTION}: a limit of an archlens budget")
    file = config.inipath
    if _asked(config) is None:
        return
    if file is None:
        raise pytest.UsageError(f"{OPTION} needs a pyproject.toml or a pytest.ini, and pytest found none")
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return
    walked = [Path(os.path.abspath(arg)) for arg in config.args]
    if not any(file.is_relative_to(folder) for folder in walked):
        config.args.append(str(file))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The file that the option stands in holds the budgets."""
    if file_path != parent.config.inipath or _asked(parent.config) is None:
        return None
    collector: pytest.Collector = BudgetFile.from_parent(parent, path=file_path)
    return collector


def _asked(config: pytest.Config) -> list[str] | None:
    """The names that the option gives; none of them means the whole project; ``None`` that it is off."""
    lines = [str(line).strip() for line in config.getini(OPTION)]
    words = [line for line in lines if line.lower() not in _OFF]
    if not words:
        return None
    return [word for word in words if word.lower() not in _ON]


class BudgetFile(pytest.File):
    """The budgets of a project."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        from ..budgets.check import plan
        from ..budgets.finding import called, find_project
        from ..errors import ArchlensError

        root = self.config.rootpath
        names = _asked(self.config) or []
        asked = [called(root, name) for name in names]
        try:
            planned, _ = plan(find_project(root), asked)
        except ArchlensError as problem:
            raise self.CollectError(str(problem)) from None
        found = [one for one in planned if one.requirements or one.problem or one.asked]
        for one in found:
            yield NetworkCollector.from_parent(self, name=one.name, planned=one)
        if not found:
            yield BudgetItem.from_parent(self, name="budget", wrong=_nothing)


class NetworkCollector(pytest.Collector):
    """The limits of one network."""

    def __init__(self, *, planned: Planned, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned

    def collect(self) -> Iterator[pytest.Item]:
        one = self.planned
        if one.problem is not None:
            yield BudgetItem.from_parent(self, name="spec", wrong=partial(_sick, one))
        elif not one.requirements:
            yield BudgetItem.from_parent(self, name="budget", wrong=_nothing)
        for limit in one.requirements:
            scope = f"{limit.scope}: " if limit.scope else ""
            name = f"{scope}{limit.quantity} {limit.limit}"
            yield BudgetItem.from_parent(self, name=name, wrong=partial(_broken, one, limit), span=limit.span)


class BudgetItem(pytest.Item):
    """One limit, or a budget that is none; fails with a message of its own, and not with a traceback."""

    def __init__(self, *, wrong: Callable[[], str], span: Span | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: What is wrong, if anything is.
        self.wrong = wrong
        #: Where the limit was set.
        self.span = span
        self.add_marker(OPTION)

    def runtest(self) -> None:
        wrong = self.wrong()
        if wrong:
            raise AssertionError(wrong)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        from ..errors import ArchlensError

        if isinstance(excinfo.value, AssertionError | ArchlensError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        title = f"budget: {self.parent.name if self.parent else ''}: {self.name}"
        return (self.span.source.name, self.span.line - 1, title) if self.span else (self.path, None, title)


def _broken(planned: Planned, limit: Requirement) -> str:
    """By how much a limit is broken; empty where it holds."""
    from ..budgets.verdict import judge
    from ..views import check_table as view

    assert planned.study is not None
    (verdict,) = judge(planned.study, [limit])
    lines = [f"{planned.name}: {view.sentence(verdict)}", *view.heaviest(verdict)] if not verdict.held else []
    return "\n  ".join(lines)


def _sick(planned: Planned) -> str:
    """Why a spec cannot be measured."""
    from ..errors import render

    assert planned.problem is not None
    return f"{planned.name} cannot be measured:\n{render(planned.problem)}"


def _nothing() -> str:
    """What is said of a budget that checks nothing."""
    from ..views.check_table import INSTEAD, NOTHING

    return f"{NOTHING}\n  {INSTEAD}"


@pytest.fixture(name="assert_budget")
def _assert_budget() -> Callable[..., None]:
    """:func:`archlens.testing.assert_budget`."""
    from ..testing import assert_budget

    return assert_budget


@pytest.fixture(name="assert_shapes")
def _assert_shapes() -> Callable[..., None]:
    """:func:`archlens.testing.assert_shapes`."""
    from ..testing import assert_shapes

    return assert_shapes


@pytest.fixture(name="archlens_network")
def _archlens_network() -> Callable[..., Network]:
    """:func:`archlens.load`."""
    from .. import load

    return load
