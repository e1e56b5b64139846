"""The modules that nodes ran in, as exporters write them down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile

from ...language.steps import MAX_NAME
from ...lowering.tape import Call
from .proto import Node, quoted

#: A name that an exporter makes of an operator and a number.
_COUNTED = re.compile(r"(node_)?(\w+?)_?\d*")


class Scopes:
    """The calls of modules, opened one after the other as nodes run in them."""

    def __init__(self) -> None:
        self.root = Call("", "torch.", None)
        self.open = [self.root]

    def at(self, node: Node) -> Call:
        """The call that a node runs in."""
        chain = _chain(node)
        open = self.open
        same = 0
        while same < len(chain) and same + 1 < len(open) and open[same + 1].path == chain[same][0]:
            same += 1
        del open[same + 1 :]
        for path, kind in chain[same:]:
            call = Call(path, kind, open[-1])
            open[-1].children.append(call)
            open.append(call)
        return open[-1]


def place(nodes: Sequence[Node]) -> None:
    """Put nodes that are left without a module into those that nodes before and behind share.

    An exporter leaves some so, and tools that optimize or quantize a file those that they put in the place of
    others; what these call them is no module.
    """
    if not any(node.scopes for node in nodes):
        return
    behind: list[list[tuple[str, str]]] = []
    chain: list[tuple[str, str]] = []
    for node in reversed(nodes):
        chain = _chain(node) if node.scopes else chain
        behind.append(chain)
    chain = []
    for node, following in zip(nodes, reversed(behind), strict=True):
        if node.scopes:
            chain = _chain(node)
        elif "/" not in node.name:
            same = takewhile(lambda pair: pair[0] == pair[1], zip(chain, following, strict=False))
            node.chain = [one for one, _ in same]


def _chain(node: Node) -> list[tuple[str, str]]:
    """The modules around a node, the outermost first: their paths and classes."""
    if node.chain is None:
        node.chain = _read_chain(node)
    return node.chain


def _read_chain(node: Node) -> list[tuple[str, str]]:
    if node.scopes:
        paths, kinds = quoted(node.scopes)[:-1], quoted(node.classes)[:-1]
        kinds += ["torch."] * (len(paths) - len(kinds))
        owner = folded(node)
        if owner:
            paths[-1], kinds[-1] = owner, "torch."
        return [(cleaned(path), kind) for path, kind in zip(paths, kinds, strict=False) if path]
    if "/" in node.name:
        return [(path, "torch.") for path in _paths(node.name.split("/")[:-1])]
    if node.name and not _is_counted(node):
        return [(_part(node.name.replace(".", "_")), "torch.")]
    return []


def folded(node: Node) -> str:
    """The convolution that a node is, where torch says that it is a batch norm, too; else empty.

    The norm has been folded into its weights then, and the node stands where the norm stood.
    """
    if node.op not in ("Conv", "ConvTranspose") or len(node.inputs) < 2:
        return ""
    owner, dot, name = node.inputs[1].rpartition(".")
    kinds = quoted(node.classes)
    norm = len(kinds) > 1 and "BatchNorm" in kinds[-2].rpartition(".")[2]
    return owner if norm and dot and name == "weight" else ""


def first(node: Node) -> str:
    """The name of the outermost module that a node runs in."""
    chain = _chain(node)
    return chain[0][0].partition(".")[0] if chain else ""


class Names:
    """Names as a network can have them, each given once.

    >>> names = Names(["x"])
    >>> names.new("input.1"), names.new("x"), names.new("x")
    ('input_1', 'x_1', 'x_2')
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)
        self.counts: dict[str, int] = {}

    def new(self, name: str) -> str:
        """A name that is like one, and not taken."""
        found = re.sub(r"\W", "_", name)[: MAX_NAME - 8] or "_"
        wanted = found = f"_{found}" if found[0].isdigit() else found
        while found in self.taken:
            self.counts[wanted] = self.counts.get(wanted, 0) + 1
            found = f"{wanted}_{self.counts[wanted]}"
        self.taken.add(found)
        return found


def _paths(parts: list[str]) -> list[str]:
    """The paths of scopes whose names repeat that of the list that they stand in.

    >>> _paths(["", "layer1", "layer1.0", "conv1"])
    ['layer1', 'layer1.0', 'layer1.0.conv1']
    """
    found: list[str] = []
    before = ""
    for part in filter(None, parts):
        inner = part.removeprefix(f"{before}.") if before else part
        before = part
        found.append(f"{found[-1]}.{cleaned(inner)}" if found else cleaned(inner))
    return found


def cleaned(path: str) -> str:
    """A path, or the key of a tensor, of names as layers can have them."""
    return ".".join(_part(part) for part in path.split(".") if part) or "_"


def _part(name: str) -> str:
    """A name as a layer can have it."""
    name = name[:MAX_NAME]
    if name.isprintable() and " " not in name:  # as nearly all are
        return name
    return "".join(c if c.isprintable() and not c.isspace() else "_" for c in name)


def _is_counted(node: Node) -> bool:
    """Whether a name is only that of its operator, and a number."""
    found = _COUNTED.fullmatch(node.name)
    return found is not None and found[2].lower() in (node.op.lower(), "")
