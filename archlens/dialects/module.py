"""Torch modules by their Python names: ``package.module:Net``, ``model.py:Net``, and ``model.py:Net.body.0``.

What is named is imported, which runs it. torch is imported by the module itself, and by what traces it.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any, ClassVar

import yaml

from ..elaboration import elaborate
from ..errors import UsageError, a_or_an, did_you_mean, printable, shorten, usage
from ..library.finding import ENDINGS, find, names
from ..network import Network
from ..records import record
from .outside import Outside

#: Where a file that is imported ends the process, as one does that reads its command line.
_ENDS = 'code that must not run on import belongs under if __name__ == "__main__":'

_NAME = r"[^\W\d]\w*"
_DOTTED = re.compile(rf"({_NAME}(?:\.{_NAME})*):({_NAME}(?:\.\w+)*)")
_FILE = re.compile(rf"(.+\.py):({_NAME}(?:\.\w+)*)")


@record(frozen=True)
class Named(Outside):
    """A module, or what makes one, by its Python name."""

    #: Where it is imported from: a dotted name, or the path of a file.
    where: str
    #: What it is called there; behind it, maybe, the path of a part of the module.
    attribute: str
    #: The folder that a name starts from; the current one unless it is given.
    folder: str = ""
    variant: ClassVar[str] = ""
    called: ClassVar[str] = "a torch module"

    @property
    def file(self) -> str:
        """Where it stands: the name itself says so."""
        return self.text

    def network(self, input: Any, values: Mapping[str, Any], real: bool = False) -> Network:
        """The module's network.

        Args:
            input: shapes as :func:`archlens.load` takes them; without one, what it is usually run on.
            values: what the class or function is called with, by name; a text is read as YAML
                reads it.
            real: whether one sample is computed beside, for code that looks at values.

        Raises:
            UsageError: there is no such module or name; it is no torch module and makes none; or it raised.
            SpecError: its ``forward`` raised.
        """
        from ..backends import require_torch
        from ..tracing import traced

        require_torch()
        read = self.read(values)
        module = self.module(read)
        given = self._usual(module) if input is None else input
        return traced(module, given, self.text, read, self, real)

    def _usual(self, module: Any) -> Any:
        """What timm says that its models are run on, and torchvision's networks of the zoo; else nothing."""
        told = getattr(module, "default_cfg", None)
        size = told.get("input_size") if isinstance(told, Mapping) else None
        if size is None and self.where.startswith("torchvision.") and self.attribute in names():
            found = find(self.attribute)
            (size,) = elaborate(found.spec, found.variant).inputs.values()
        return size and tuple(size)

    def read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values as they are meant: of a text what YAML reads."""
        return {name: _literal(value) for name, value in values.items()}

    def module(self, values: Mapping[str, Any]) -> Any:
        """The torch module, or the part of it: as it is, or made by what is named with these values."""
        from ..tracing import is_module

        found, part = self._found()
        if is_module(found):
            if values:
                raise usage(
                    f"{shorten(self.text)} already exists, and takes no {shorten(next(iter(values)))}"
                )
            return _part(found, part, self.text)
        if not callable(found):
            raise usage(
                f"{shorten(self.text)} is {a_or_an(type(found).__name__)}, not a torch module or something "
                "that makes one"
            )
        self._check(found, values)
        made = self._run(lambda: found(**values))
        if not is_module(made):
            raise usage(f"{shorten(self.text)} makes {a_or_an(type(made).__name__)}, not a torch module")
        return _part(made, part, self.text)

    def _check(self, found: Any, given: Mapping[str, Any]) -> None:
        """Refuse params that it does not take, or that are missing."""
        try:
            parameters = inspect.signature(found).parameters
        except (TypeError, ValueError):
            return
        kinds = {parameter.kind for parameter in parameters.values()}
        named = [n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        for name in given:
            if name not in named and inspect.Parameter.VAR_KEYWORD not in kinds:
                said = f"it takes {', '.join(named)}" if named else "it takes none"
                raise usage(
                    f"{shorten(self.text)} has no param {shorten(name)}",
                    help=did_you_mean(name, named, otherwise=said),
                )
        missing = [n for n in named if n not in given and parameters[n].default is inspect.Parameter.empty]
        if missing:
            raise usage(
                f"{shorten(self.text)} needs a value for {', '.join(missing)}",
                help=f"as in --set {missing[0]}=...",
            )

    def _found(self) -> tuple[Any, list[str]]:
        """What is named, as far as Python knows it; and the rest, the path of a part of the module."""
        found = self._run(self._imported)
        path = self.attribute.split(".")
        for index, name in enumerate(path):
            if index and callable(found) and not hasattr(found, name):
                return found, path[index:]
            if not hasattr(found, name):
                raise usage(
                    f"{shorten(self.where)} has no {shorten('.'.join(path[: index + 1]))}",
                    help=did_you_mean(name, [one for one in dir(found) if not one.startswith("_")]),
                )
            found = getattr(found, name)
        return found, []

    def _imported(self) -> Any:
        if self.where.endswith(".py"):
            file = os.path.join(self.folder, self.where)
            if not os.path.isfile(file):
                raise usage(f"there is no file {shorten(self.where, 200)}")
            folder = os.path.dirname(os.path.abspath(file))
            if folder not in sys.path:
                sys.path.insert(0, folder)  # so that it finds what lies beside it
            stem = os.path.basename(self.where)[:-3]
            spec = importlib.util.spec_from_file_location(stem, file)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules.setdefault(stem, module)
            spec.loader.exec_module(module)
            return module
        folder = self.folder or os.getcwd()
        if folder not in sys.path:
            sys.path.insert(0, folder)
        return importlib.import_module(self.where)

    def _run(self, code: Any) -> Any:
        """The user's own code; what it raises is said with its place."""
        try:
            with redirect_stdout(sys.stderr):  # which is not what archlens prints
                return code()
        except UsageError:
            raise
        except ModuleNotFoundError as problem:
            raise usage(
                f"{shorten(self.text)} cannot be imported: there is no module {shorten(problem.name or '')}",
                help="it is looked for in the current folder and in this Python's packages",
            ) from None
        except (Exception, SystemExit) as problem:
            frames = traceback.extract_tb(problem.__traceback__)
            place = f"{frames[-1].filename}:{frames[-1].lineno}"
            said = printable(str(problem).strip().partition("\n")[0])
            raise usage(
                f"{shorten(self.text)} raised {type(problem).__name__}{f': {said}' if said else ''}",
                notes=(f"raised in {place}",),
                help=_ENDS if isinstance(problem, SystemExit) else "",
            ) from None


def _part(module: Any, path: list[str], name: str) -> Any:
    """The part of a module at a path."""
    for index, one in enumerate(path):
        parts = dict(module.named_children())
        if one not in parts:
            whole = name.removesuffix(f".{'.'.join(path[index:])}")
            said = f"it has {', '.join(parts)}" if parts else "it has none"
            raise usage(
                f"{shorten(whole)} has no part {shorten(one)}",
                help=did_you_mean(one, list(parts), otherwise=said),
            )
        module = parts[one]
    return module


def named(name: str) -> Named | None:
    """What a Python name says; ``None`` where a name is of another form, or is that of a file."""
    found = _FILE.fullmatch(name) or _DOTTED.fullmatch(name)
    if found is None or os.path.isfile(name):
        return None
    where, attribute = found.groups()
    if not where.endswith(".py") and (os.path.isfile(where) or where.endswith(ENDINGS)):
        return None
    return Named(name, where, attribute)


def is_importable(name: str) -> bool:
    """Whether the first part of a Python name is a module here; nothing is run to find out."""
    found = named(name)
    if found is None:
        return False
    if found.where.endswith(".py"):
        return os.path.isfile(found.where)
    top = found.where.partition(".")[0]
    try:
        return top in sys.modules or importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _literal(value: Any) -> Any:
    """A value as YAML reads it: a number, ``true``, ``null``, a list; or else a text."""
    if not isinstance(value, str):
        return value
    try:
        return yaml.safe_load(value)
    except (yaml.YAMLError, RecursionError):
        return value
