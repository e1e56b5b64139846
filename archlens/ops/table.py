"""The ops by name, each imported when it is first asked for.

Which file an op is in stands in ``listed.py``, which ``python tests/generate.py`` writes: a network of five
ops imports the files of these five. A file that is not listed is imported at once, and all of them where
somebody asks for an op that is not listed, so that an op is known before it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from importlib import import_module
from pkgutil import iter_modules

from .op import Op, registry

#: The branches of merges, by the name of the merge: those that have parts of their own, and those that may
#: stand behind them.
Branches = tuple[tuple[str, ...], tuple[str, ...]]


class Ops(MutableMapping[str, type[Op]]):
    """Ops by name, in the order of their names; asking for names alone imports none."""

    def __init__(self, files: Mapping[str, str]) -> None:
        """A table.

        Args:
            files: the name of the file of each op, without its ending.
        """
        self._files: dict[str, str] = dict(files)
        self._found: dict[str, type[Op]] = {}

    def __getitem__(self, kind: str) -> type[Op]:
        found = self._found.get(kind)
        if found is None:
            file = self._files.get(kind)
            if file is None:
                self.complete()
            else:
                import_module(f"{__package__}.{file}")
            found = self._found[kind] = registry[kind]
        return found

    def complete(self) -> None:
        """Import all files, so that ops are known that are not listed yet."""
        for module in iter_modules([os.path.dirname(__file__)]):
            import_module(f"{__package__}.{module.name}")
        for kind, op in registry.items():
            if op.__module__.startswith(f"{__package__}.") and kind not in self:
                self[kind] = op

    def __setitem__(self, kind: str, op: type[Op]) -> None:
        self._files.setdefault(kind, "")
        self._found[kind] = op

    def __delitem__(self, kind: str) -> None:
        del self._files[kind]
        self._found.pop(kind, None)

    def __contains__(self, kind: object) -> bool:
        return kind in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def in_order() -> dict[str, type[Op]]:
    """All ops that are known, file by file as they stand there, and behind them those of packages."""
    own = f"{__package__}."
    return dict(
        sorted(registry.items(), key=lambda one: (not one[1].__module__.startswith(own), one[1].__module__))
    )


def of_files(names: Iterable[str]) -> dict[str, type[Op]]:
    """The ops in files of this folder, which are imported.

    Args:
        names: the files, without their endings.
    """
    files = {f"{__package__}.{name}" for name in names}
    for file in sorted(files):
        import_module(file)
    return {kind: op for kind, op in sorted(registry.items()) if op.__module__ in files}
