"""Workers of Dask: those of a cluster that its configuration names, else of this machine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

from ...errors import not_installed
from . import WAITING, flowing

T = TypeVar("T")


def _run(
    work: Callable[[T], Any], items: Iterable[tuple[int, T]], jobs: int
) -> Generator[tuple[int, Any], None, None]:
    try:
        from dask import config
        from distributed import Client, LocalCluster, wait
    except ImportError:
        raise not_installed("the engine needs dask", "dask") from None

    address = config.get("scheduler-address", None)
    cluster = None
    if address is None:
        cluster = LocalCluster(
            n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        )
    with Client(address or cluster) as client:
        try:
            sent = client.scatter(work, broadcast=True, hash=False)

            def start(number: int, item: T) -> Any:
                future = client.submit(_call, sent, item, pure=False)
                numbers[future.key] = number
                return future

            def done(running: list[Any]) -> list[tuple[Any, int, Any]]:
                finished = wait(running, return_when="FIRST_COMPLETED").done
                return [(one, numbers.pop(one.key), one.result()) for one in running if one in finished]

            numbers: dict[str, int] = {}
            yield from flowing(start, done, items, WAITING * jobs)
        finally:
            if cluster is not None:
                cluster.close()


def _call(work: Callable[[Any], Any], item: Any) -> Any:
    return work(item)


ENGINE = _run
