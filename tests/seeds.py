"""What is drawn at random, many times in one test: each test costs more than most of what is drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

Drawn = Callable[[int], None]


def seeds(count: int) -> Callable[[Drawn], Callable[[], None]]:
    """Run a test with so many seeds, and say with which it failed."""

    def decorate(test: Drawn) -> Callable[[], None]:
        @wraps(test)
        def run() -> None:
            for seed in range(count):
                try:
                    test(seed)
                except BaseException as problem:
                    problem.add_note(f"with the seed {seed}")
                    raise

        del run.__wrapped__  # where pytest would look for arguments
        return run

    return decorate
