"""What a NAME means: a network of the zoo, a spec, a file of another tool, or a torch module.

Only the last runs anybody's code, and only where it is named: no pattern of files leads to it. What reads
files and modules is imported where a name may mean one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import library
from ..elaboration import elaborate
from ..errors import shorten, usage
from ..library import Found
from ..network import Network

if TYPE_CHECKING:
    from ..backends.checks import Check
    from .format import File
    from .module import Named

    #: What a name can mean.
    Meant = Found | File | Named


def find(name: str) -> Meant:
    """What a name means.

    Raises:
        UsageError: there is no such network, file or module, or the file is of no known format.
        SpecError: the file is no spec.
    """
    if _is_word(name):
        return library.find(name)
    from .formats import file, missing
    from .module import named

    meant = named(name) or file(name)
    if meant is not None:
        return meant
    missing(name)
    return library.find(name)


def _is_word(name: str) -> bool:
    """Whether a name can be that of a network of the zoo alone."""
    return not set(name) & {".", ":", "/", "\\"} and not os.path.exists(name)


def find_at(name: str, beside: str = "") -> Meant:
    """The same, and a spec as it was at a revision of git: ``main:my.yaml``.

    Args:
        name: what is looked for.
        beside: another spec; its repository is asked where the current folder is in none.

    Raises:
        UsageError: there is no such network, file, revision, repository or module.
        SpecError: the file is no spec.
    """
    from .formats import at_revision, file
    from .module import is_importable, named

    outside = (named(name) if is_importable(name) else None) or file(name)
    return outside or at_revision(name, beside) or library.find(name)


def held(network: Network) -> tuple[Check, ...]:
    """What the tool that reads the file of a network says of it, where there is one and it is installed.

    Raises:
        UsageError: it does not run the file.
    """
    from .format import Read

    origin = network.origin
    return tuple(origin.model.held(network)) if isinstance(origin, Read) and origin.model is not None else ()


def network(
    meant: Meant,
    *,
    input: Any = None,
    values: Mapping[str, Any] | None = None,
    real: bool = False,
) -> Network:
    """The network that is meant, on an input and with values for its params.

    A module whose code looks at values is computed for one sample, too, where ``real`` asks for it.

    Raises:
        SpecError: the spec is wrong, a layer does not fit, or the module raised.
        UsageError: there is no such param or input, or a module was given none.
    """
    if not isinstance(meant, Found):
        return meant.network(input, values or {}, real)
    if real:
        raise usage(f"--real is for torch modules, which {shorten(meant.variant or meant.name)} is not")
    return elaborate(meant.spec, meant.variant, input=input, values=values)
