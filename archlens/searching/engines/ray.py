"""Workers of Ray: those of a cluster that RAY_ADDRESS names, else of this machine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

from ...errors import not_installed
from . import WAITING, flowing

T = TypeVar("T")

#: How often a part is started again whose worker has died.
_RETRIES = 5


def _run(
    work: Callable[[T], Any], items: Iterable[tuple[int, T]], jobs: int
) -> Generator[tuple[int, Any], None, None]:
    try:
        import ray
    except ImportError:
        raise not_installed("the engine needs ray", "ray") from None
    import os

    ours = not ray.is_initialized()
    if ours:
        local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": jobs, "include_dashboard": False}
        ray.init(log_to_driver=False, logging_level="error", **local)
    try:
        sent = ray.put(work)
        call = ray.remote(max_retries=_RETRIES)(_call)
        numbers: dict[Any, int] = {}

        def start(number: int, item: T) -> Any:
            handle = call.remote(sent, item)
            numbers[handle] = number
            return handle

        def done(running: list[Any]) -> list[tuple[Any, int, Any]]:
            return [(one, numbers.pop(one), ray.get(one)) for one in ray.wait(running)[0]]

        yield from flowing(start, done, items, WAITING * jobs)
    finally:
        if ours:
            ray.shutdown()


def _call(work: Callable[[Any], Any], item: Any) -> Any:
    return work(item)


ENGINE = _run
