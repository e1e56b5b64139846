"""The text of a whole spec."""

from __future__ import annotations

from typing import Any

from ..analysis.second_names import second_names, starred
from ..elaboration.inputs import CHANNELS_LAST
from ..network import Network
from .blocks import Reader
from .lines import Key, Keys, Writer, lines_of
from .lines import value as written
from .names import TAKEN, free
from .steps import Block

#: How often it is read again without the blocks of which there is but one.
_ROUNDS = 4


def text_of(network: Network, *, explicit: bool = False) -> str:
    """A network as the text of a spec, which is not yet read again.

    Args:
        network: what is written.
        explicit: whether names are written, too, that the language would give.
    """
    reader = Reader(network, explicit=explicit)
    steps = reader.read()
    for _ in range(_ROUNDS):
        if not reader.lonely:
            break
        reader = Reader(network, reader.alone | reader.lonely, explicit=explicit)
        steps = reader.read()
    taken = {child.name for child in reader.root.children} | set(reader.aliases.get("", {}).values())
    taken |= {*reader.heads, *(one.name for block in reader.blocks for one in block.parameters)}
    for block in reader.blocks:
        block.name = free(f"{block.base}_block" if block.base in TAKEN else block.base, taken)
        taken.add(block.name)
    writer = Writer()
    meta = network.meta
    # of package.module:Net what is made, and not where it lies
    lines = lines_of(Key("title", meta.title or network.name.rpartition(":")[2]), 0)
    if meta.summary:
        lines += lines_of(Key("summary", meta.summary), 0)
    lines += _inputs(network)
    if reader.blocks:
        lines += ["", "blocks:"]
        for block in reader.blocks:
            lines += lines_of(Key(_signature(block), _labelled(block, network, writer)), 2)
    lines += ["", "layers:", *lines_of(writer.node(steps), 2)]
    outputs = list(_outputs(reader, writer))
    if outputs:
        lines += ["", *lines_of(Key("outputs", Keys(tuple(outputs))), 0)]
    if aliases := starred(second_names(network), network.state().keys() - network.loose.keys()):
        items = [Key(second, first) for second, first in aliases.items()]
        lines += ["", *lines_of(Key("aliases", Keys(tuple(items))), 0)]
    return "\n".join(lines) + "\n"


def _labelled(block: Block, network: Network, writer: Writer) -> Any:
    """The steps of a block, beneath its label where its scopes have one."""
    steps = writer.node(block.steps)
    labels = {network.labels.get(scope.path, "") for scope in block.scopes}
    if len(labels) > 1 or labels == {""}:
        return steps
    return Keys((Key("label", labels.pop()), Key("layers", steps)))


def _signature(block: Block) -> str:
    words = [
        f"{one.name}={one.text or written(one.default)}" if one.is_optional else one.name
        for one in block.parameters
    ]
    return f"{block.name}({', '.join(words)})" if words else block.name


def _inputs(network: Network) -> list[str]:
    said = {
        name: f"{shape} {CHANNELS_LAST}" if shape.channels_last else str(shape)
        for name, shape in network.inputs.items()
    }
    if list(said) == ["input"]:
        return [f"input: {said['input']}"]
    items = tuple(Key(name, text) for name, text in said.items())
    return lines_of(Key("input", Keys(items)), 0)


def _outputs(reader: Reader, writer: Writer) -> list[Key]:
    found = [] if "out" in reader.ends else [Key("out", "none")]
    for name, value in reader.ends.items():
        if name == "out":
            continue
        if name in reader.heads:
            scope = reader.heads[name]
            called = scope.path in reader.members
            node = (
                writer.item(reader.called(name, reader.root, scope)).text
                if called
                else writer.node(reader.steps(scope))
            )
            training = all(child.training for child in scope.children)
            found.append(Key(name, Keys((Key("training", node),)) if training else node))
            continue
        step = reader.back(reader.root, value)
        found.append(Key(name, writer.item(step).text))
    return found
