"""A package as pip leaves it, in a folder that Python looks in: its metadata, and nothing is run."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import invalidate_caches
from pathlib import Path

from archlens.elaboration import packages
from archlens.ops import OPS
from archlens.ops.op import registry

GROUP = "archlens.ops"


def install(folder: Path) -> bool:
    """Write the metadata that the pyproject.toml of a folder asks for; whether it brings ops."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("project", {})
    points = project.get("entry-points", {}).get(GROUP, {})
    if points:
        info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", "utf-8"
        )
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]), "utf-8")
    packages.offered.cache_clear()
    invalidate_caches()
    return bool(points)


@contextmanager
def undone(folder: Path) -> Iterator[None]:
    """After it archlens has its own ops alone, and what was imported from a folder is forgotten."""
    ops, known = dict(OPS), dict(registry)
    try:
        yield
    finally:
        for table, before in ((OPS, ops), (registry, known)):
            table.clear()
            table.update(before)
        packages.forget()
        for name, module in list(sys.modules.items()):
            spec = getattr(module, "__spec__", None)
            places = [spec.origin, *(spec.submodule_search_locations or ())] if spec is not None else []
            if any(isinstance(place, str) and Path(place).is_relative_to(folder) for place in places):
                del sys.modules[name]
        invalidate_caches()
