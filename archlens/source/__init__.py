"""A network as PyTorch source: a class per block, loops for repeats, shapes beside the lines.

What is printed are the calls that :mod:`archlens.backends.torch_module` executes, so the text has its state
dict and its outputs; it imports torch alone. Nothing in this folder needs torch.

The way: :mod:`scopes` reads the network as a tree and finds the classes, :mod:`classes` writes each with
:mod:`construction` (``__init__``) and :mod:`variables` (``forward``), :mod:`layout` makes lines of it, and
:mod:`own` adds the modules that torch has not.
"""

from __future__ import annotations

import re

from ..analysis.repeating import with_repeats
from ..errors import shorten
from ..network import Network
from . import scopes
from .classes import ClassText
from .formatting import docstring, prose, title
from .own import copied, imports_of, own_modules

__all__ = ["emit"]


def emit(network: Network) -> str:
    """A network as the text of a Python file that defines it as a ``torch.nn.Module``.

    The class has the network's name, takes no arguments, and has the state dict and the outputs of what
    :func:`archlens.build` makes. The text imports torch and nothing of archlens, and what ops call that a
    package brings.

    >>> import archlens
    >>> text = emit(archlens.loads("{input: 1x32x32, layers: ['conv(6, 5)', 'tanh', 'max_pool(2)']}"))
    >>> print(text[text.index("super()") :].rstrip())
    super().__init__(
                nn.Conv2d(1, 6, 5),  # 6x28x28
                nn.Tanh(),  # 6x28x28
                nn.MaxPool2d(2),  # 6x14x14
            )
    """
    network.require_calls(scopes.WRITTEN)
    network.require_names(scopes.WRITTEN)
    network = with_repeats(scopes.with_stacked_apart(network))
    own = own_modules()
    functions = frozenset(f"archlens.{name}" for name, one in own.items() if one.is_function)
    brought = sorted({t for layer in network if scopes.package_of(t := layer.facts.torch.target)})
    theirs = [target.rpartition(".") for target in brought]
    reserved = frozenset({*own, "Any", "OrderedDict", "Tensor", "F", *(name for *_, name in theirs)})
    tree = scopes.read(network, functions, _root_name(network, reserved), reserved)
    used: set[str] = set()
    classes = [ClassText(network, one, used).lines() for one in tree.classes]
    needed = copied(own, used)
    imports = [f"from {module} import {name}" for module, _, name in theirs]
    head = [*_head(network), "", *imports_of(own, needed, used), *([""] if imports else []), *imports]
    bodies = [own[name].text.split("\n") for name in needed] + classes
    return "\n".join([*head, *(line for body in bodies for line in ("", "", *body)), ""])


def _root_name(network: Network, reserved: frozenset[str]) -> str:
    """The name of the network as its title writes it: ``ResNet50`` for resnet50, "ResNet-50"."""
    written = re.sub(r"[^0-9A-Za-z]+", "", network.meta.title or network.name)
    parts = []
    for part in re.split(r"[^0-9A-Za-z]+", network.name):
        at = written.lower().find(part.lower())
        parts.append(written[at : at + len(part)] if at >= 0 and len(part) > 2 else part)
    name = title("_".join(parts), "Network")
    return f"{name}Network" if name in reserved else name


def _head(network: Network) -> list[str]:
    """The docstring of the file: what the network is, its size, and who published it."""
    shapes = ", ".join(
        f"{shape}" if name == "input" else f"{prose(name)} {shape}" for name, shape in network.inputs.items()
    )
    size = f"Input {shapes}; {network.params:,} parameters, {network.macs:,} multiply-accumulates."
    paragraphs = [f"{prose(shorten(network.title, 80))}.", size]
    if network.training_macs:
        paragraphs[-1] += f" Heads for training have {network.training_macs:,} more."
    for paper in network.meta.papers:
        said = {key: prose(str(value)) for key, value in paper.items() if value is not None}
        year = " ".join(said[key] for key in ("venue", "year") if key in said)
        links = [f"arXiv:{said['arxiv']}"] if "arxiv" in said else []
        links += [said[key] for key in ("doi", "url") if key in said]
        authors = [said["authors"]] if "authors" in said else []
        paragraphs.append(". ".join(part for part in [*authors, said["title"], year, *links] if part) + ".")
    turned = any(layer.shape.channels_last for layer in network.layers)
    order = "as in torch" if turned else "channels first"
    paragraphs.append(f"Shapes in the comments are {order}, without the batch.")
    return docstring(paragraphs)
