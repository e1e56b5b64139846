"""What all tests share: ``--update`` for golden files, and a torchvision that imports beside a CPU torch."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from functools import cache
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import archlens
from archlens.library.finding import families
from archlens.ops import OPS

#: Variables by which programs guess at the terminal or the service that they run in.
SURROUNDINGS = {
    "CI", "COLUMNS", "LINES", "FORCE_COLOR", "FORCE_COLOUR", "NO_COLOR", "NO_COLOUR", "CLICOLOR",
    "CLICOLOR_FORCE", "PY_COLORS", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "SOURCE_DATE_EPOCH",
    "PYTHONDONTWRITEBYTECODE",  # without the bytecode each process would compile everything again
}  # fmt: skip

if "PYTEST_XDIST_WORKER" in os.environ:
    # as many processes as cores run tests already: before torch is imported, it is told to take one each
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# What is tested behaves alike wherever the tests run: the width, the colours and the service of whoever runs
# pytest are not those of what is tested (``CI=true`` alone makes Sphinx write colours into a pipe).
for variable in list(os.environ):
    if variable in SURROUNDINGS or variable.startswith(("GITHUB_", "RUNNER_", "SPHINX")):
        del os.environ[variable]
# readline, which pytest may have imported, tells programs that are started, and not Python, how wide it is
for variable in ("COLUMNS", "LINES"):
    os.unsetenv(variable)

# By default a collection of garbage comes so often that it takes a quarter of the time of the tests. The
# command line sets a threshold for a run of its own, when it is imported: that is done before.
importlib.import_module("archlens.cli")
gc.set_threshold(1_000_000, 50, 20)

# However busy the machine is, a property holds or it does not.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")

#: A project of its own, which tests run as its user would.
collect_ignore = ["sample"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the golden files")


#: The networks that the fast lane tries, of what is tried on every network of the zoo.
QUICK = {"lenet5", "resnet18", "mobilenet_v2", "swin_t", "unet"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is tried on every network of the zoo is slow, but for a few; of an op's examples all but one."""
    zoo = {*archlens.names(), *families()}
    further = {text for op in OPS.values() for text in op.examples[1:]}
    for item in items:
        callspec = getattr(item, "callspec", None)
        values = callspec.params.values() if callspec else ()
        words = {value for value in values if isinstance(value, str)}
        networks = zoo & words
        if words & further:
            item.add_marker("example")
        if words & further or (networks and not networks & QUICK):
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """Bytecode is kept of what is there now alone: where a test writes a module twice, it would be stale."""
    settle()
    sys.dont_write_bytecode = True


#: Counts the tests that this process has run.
RUN = count(1)


def pytest_runtest_teardown() -> None:
    if next(RUN) % 100 == 0:
        settle()


def settle() -> None:
    """What is there stays, as modules and shared networks do: no collection need look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update"))


@pytest.fixture(scope="session")
def torchvision() -> Any:
    """Torchvision."""
    return load_torchvision()


@cache
def load_torchvision() -> Any:
    """Torchvision; where its compiled library does not load, its models still work without ``nms``."""
    import torch

    try:
        import torchvision
    except RuntimeError:
        # the operators that torchvision registers fake kernels for, and its models never call
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision

        torchvision._library_kept_alive = library
    return torchvision
