"""What runs the parts of a search: each a file with an ``ENGINE``, named as ``--engine`` names it.

An engine has a scheduler already; here stands no more than how a function is handed to it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from importlib import import_module
from itertools import islice
from pkgutil import iter_modules
from typing import Any, Protocol, TypeVar

from ...errors import did_you_mean, shorten, usage

T = TypeVar("T")

#: How many parts wait for each worker.
WAITING = 4


class Engine(Protocol):
    """Calls a function with each of some numbered items, wherever it does so.

    Args:
        work: the function, which can be pickled.
        items: what it is called with.
        jobs: how many workers it has, where it starts them itself.

    Returns:
        The number of an item and what came of it, in any order; of each item once, though workers die.
    """

    def __call__(
        self, work: Callable[[T], Any], items: Iterable[tuple[int, T]], jobs: int
    ) -> Generator[tuple[int, Any], None, None]: ...


def names() -> list[str]:
    """The names of all engines."""
    return sorted(module.name for module in iter_modules(__path__))


def find(name: str) -> Engine:
    """An engine by its name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in names():
        help = did_you_mean(name, names(), otherwise=f"engines: {', '.join(names())}")
        raise usage(f"there is no engine {shorten(name)}", help=help)
    engine: Engine = import_module(f"{__name__}.{name}").ENGINE
    return engine


def flowing(
    start: Callable[[int, T], Any],
    wait: Callable[[list[Any]], list[tuple[Any, int, Any]]],
    items: Iterable[tuple[int, T]],
    most: int,
) -> Generator[tuple[int, Any], None, None]:
    """The results of what is started, so many at a time.

    Args:
        start: starts one, and gives its handle.
        wait: waits for some of these handles: those that are done, each with its number and its result.
        items: what is started, with numbers.
        most: how many run or wait at once.
    """
    rest = iter(items)
    running = [start(*item) for item in islice(rest, most)]
    while running:
        done = wait(running)
        running = [one for one in running if not any(one is handle for handle, _, _ in done)]
        running += [start(*item) for item in islice(rest, most - len(running))]
        for _, number, result in done:
            yield number, result
