"""What all tests share: ``--update`` for golden files, and a torchvision that imports beside a CPU torch."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # as many processes as cores run tests already: before torch is imported, it is told to take one each
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop("COLUMNS", None)  # the width of the terminal of pytest is not that of what is tested

#: A project of its own, which tests run as its user would.
collect_ignore = ["sample"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the golden files")


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
