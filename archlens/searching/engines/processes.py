"""Processes of this machine."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_all_start_methods, get_context
from typing import Any, TypeVar

from ...errors import usage
from . import WAITING

T = TypeVar("T")

#: How often workers may die before it is given up.
_DEATHS = 3

_work: Callable[[Any], Any]


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work


def _call(item: Any) -> Any:
    return _work(item)


def _run(
    work: Callable[[T], Any], items: Iterable[tuple[int, T]], jobs: int
) -> Generator[tuple[int, Any], None, None]:
    rest = iter(items)
    again: list[tuple[int, T]] = []
    for _ in range(_DEATHS):
        pool = ProcessPoolExecutor(
            jobs, mp_context=get_context(_method()), initializer=_begin, initargs=(work,)
        )
        running: dict[Future[Any], tuple[int, T]] = {}
        try:
            while True:
                room = WAITING * jobs - len(running)
                for item in [*again[:room], *islice(rest, max(room - len(again), 0))]:
                    again = again[1:] if again else again
                    running[pool.submit(_call, item[1])] = item
                if not running:
                    return
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    result = done.result()
                    yield running.pop(done)[0], result
        except BrokenProcessPool:
            pool.shutdown()
            again = [*running.values(), *again]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    raise usage(
        f"the workers of the search died {_DEATHS} times", help="fewer of them may need less memory: --jobs 1"
    )


def _method() -> str:
    """How processes start: as copies of this one where that is safe; scripts then need no guard."""
    alone = sys.platform == "linux" and threading.active_count() == 1
    return "fork" if alone and "fork" in get_all_start_methods() else "spawn"


ENGINE = _run
