"""What can stand at a place of a spec, what its words mean, and the sizes of what its steps make."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from ..errors import printable
from ..language import Spec
from ..language.spec import Param
from ..language.steps import Block, Listing, Value
from ..network import Layer, Network, scopes_around
from ..views import explanation
from . import naming
from .vocabulary import vocabulary


class Word(NamedTuple):
    """Something that can be written at a place."""

    label: str
    #: What is put there: the word with what belongs behind it.
    text: str
    #: ``key``, ``op``, ``argument``, ``block``, ``param``, ``step`` or ``construct``.
    kind: str
    #: What stands beside it in the list, and lines of plain text about it.
    detail: str = ""
    says: str = ""


class Completion(NamedTuple):
    """The words that can stand at the end of a line, the likeliest first."""

    #: Where what they replace begins: how many characters of the line stay.
    start: int
    words: list[Word]


words_of_language = cache(vocabulary)


def completed(line: str, spec: Spec | None, network: Network | None) -> Completion:
    """What can stand at the end of a line that has been written so far.

    Args:
        line: the line, up to the place.
        spec: the file, as it was when it was last a spec.
        network: one of its networks.
    """
    word = re.search(r"[A-Za-z_][\w.]*$", line)
    start = word.start() if word else len(line)
    if re.search(r"(^|\s)#", line):
        return Completion(start, [])
    return Completion(start, list(_words(line, line[:start], spec, network)))


def _words(line: str, start: str, spec: Spec | None, network: Network | None) -> Iterator[Word]:
    words = words_of_language()
    if not start.strip() and not line[:1].isspace():
        yield from (Word(name, f"{name}: ", "key", "", said) for name, said in words["keys"])
        return
    call = called(start)
    if call in ("ref", "again"):
        yield from (Word(name, name, "step") for name in _steps(network))
        return
    blocks, params = (spec.blocks, spec.params) if spec else ({}, {})
    if call in words["ops"]:
        yield from _arguments(words["ops"][call])
    if call in blocks:
        for name, default in blocks[call].parameters.items():
            detail = f"={ast.unparse(default[1])}" if default is not None else "must be given"
            yield Word(name, f"{name}=", "argument", detail)
    if not call:
        for name, block in blocks.items():
            text = f"{name}(" if block.parameters else name
            yield Word(name, text, "block", f"({_parameters(block)})", "a block of this spec")
    yield from (Word(name, name, "param", _said(param)) for name, param in params.items())
    if not call:
        for name, op in words["ops"].items():
            needs = any(not default for _, default, _, _ in op["arguments"])
            detail = op["signature"].removeprefix(name)
            yield Word(name, f"{name}(" if needs else name, "op", detail, _about(op))
        for name, form, said in words["constructs"]:
            yield Word(name, f"{name}: " if re.match(r"\w+:", form) else name, "construct", form, said)


def _arguments(op: dict[str, Any]) -> Iterator[Word]:
    for name, default, takes, meaning in op["arguments"]:
        said = f"default: {default}" if default else "must be given"
        yield Word(
            name,
            f"{name}=",
            "argument",
            f"={default}" if default else "",
            "\n".join([meaning, f"takes {takes}", said]),
        )


def _about(op: dict[str, Any]) -> str:
    lines = [op["summary"], op["says"], *(f"{name}: {meaning}" for name, _, _, meaning in op["arguments"])]
    return "\n".join(line for line in lines if line)


def _parameters(block: Block) -> str:
    """The parameters of a block as its key has them."""
    return ", ".join(
        name if default is None else f"{name}={ast.unparse(default[1])}"
        for name, default in block.parameters.items()
    )


def _steps(network: Network | None) -> list[str]:
    if network is None:
        return []
    names = [layer.name for layer in network.layers]
    return list(dict.fromkeys([*names, *(scope for name in names for scope in scopes_around(name))]))


def called(text: str) -> str:
    """The op or block in whose parentheses a text ends.

    >>> called("- conv(64, (3, 3), ")
    'conv'
    """
    depth = 0
    for index in range(len(text) - 1, -1, -1):
        if text[index] in ")]":
            depth += 1
        elif text[index] in "([":
            if depth:
                depth -= 1
            elif text[index] == "(":
                word = re.search(r"(\w+)\s*$", text[:index])
                return word[1] if word else ""
    return ""


def described(
    line: int, column: int, spec: Spec | None, network: Network | None, lines: Sequence[str]
) -> str:
    """What stands at a place, in Markdown: what a word means, and how the numbers of a layer come about.

    Args:
        line: of the place, from 1.
        column: of the place, from 1, in characters.
        spec: the file, as it was when it was last a spec.
        network: one of its networks, of which the layers are.
        lines: the text as it is.
    """
    text = lines[line - 1] if line <= len(lines) else ""
    found = next(
        (one for one in re.finditer(r"[A-Za-z_]\w*", text) if one.start() < column <= one.end() + 1), None
    )
    means, documents = _meaning(found, text, line, spec) if found else ("", "")
    layers = _layers_at(network, line, column, name=found is not None) if network is not None else []
    explained = ""
    if layers and network is not None:
        more = f"\n\nThe first of {len(layers)} layers that this step makes." if len(layers) > 1 else ""
        explained = f"```text\n{explanation.to_text(network, layers[:1])}\n```{more}"
    return "\n\n".join(part for part in (means, explained, documents) if part)


def _meaning(found: re.Match[str], text: str, line: int, spec: Spec | None) -> tuple[str, str]:
    """What a word means in one line, and what is documented of it beyond that."""
    words, word = words_of_language(), found[0]
    behind = text[found.end() :].lstrip()
    call = called(text[: found.start()])
    if call in words["ops"] and behind[:1] == "=" and behind[:2] != "==":
        for name, default, takes, meaning in words["ops"][call]["arguments"]:
            if name == word:
                said = f"default: `{default}`" if default else "must be given"
                return f"`{name}` of `{call}`: {_escaped(f'{meaning}; takes {takes}')}; {said}", ""
    use = naming.at(naming.uses(spec), line, found.start() + 1) if spec is not None else None
    if use is not None and spec is not None and use.symbol.kind != "step":
        return _symbol(use.symbol, spec), ""
    if not text[: found.start()].strip() and found.start() == 0:
        return next((f"`{name}:` {_escaped(said)}" for name, said in words["keys"] if name == word), ""), ""
    if word in words["ops"] and behind[:1] != ":":
        op = words["ops"][word]
        arguments = [f"- `{name}`: {_escaped(meaning)}" for name, _, _, meaning in op["arguments"]]
        parts = [_escaped(op["says"]), "\n".join(arguments)]
        return f"`{op['signature']}`: {_escaped(op['summary'])}", "\n\n".join(filter(None, parts))
    known = ((form, said) for name, form, said in words["constructs"] if name == word)
    return next((f"`{form}`: {_escaped(said)}" for form, said in known), ""), ""


def _escaped(text: str) -> str:
    """A text in which Markdown finds no marks."""
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", text)


def _symbol(symbol: naming.Symbol, spec: Spec) -> str:
    if symbol.kind == "param":
        return f"`{symbol.name}`, a param: `{_said(spec.params[symbol.name]) or 'to be given'}`"
    if symbol.kind == "block":
        block: Block = spec.blocks[symbol.name]
        return f"`{symbol.name}({_parameters(block)})`, a block of this spec"
    if symbol.kind == "part":
        return f"`{symbol.name}`, which is `{printable(spec.uses[symbol.name].target.value)}`"
    return f"`{symbol.name}`, a parameter of the block"


def _said(param: Param) -> str:
    return _text(param.value) if param.value is not None else ""


def _text(value: Value) -> str:
    return f"[{', '.join(map(_text, value.items))}]" if isinstance(value, Listing) else value.text


def _layers_at(network: Network, line: int, column: int, *, name: bool) -> list[Layer]:
    """The layers that the expression at a place makes; of a name before the first of its line, that one's."""
    spans = [(one.span, one) for one in network.layers if one.span is not None and one.span.line == line]
    if name and spans:
        column = max(column, min(span.column for span, _ in spans))
    return [one for span, one in spans if span.column <= column <= span.column + span.width]


class Hint(NamedTuple):
    """The size of what a step makes, behind it."""

    #: From 1, as the line after whose last character it stands.
    line: int
    text: str
    says: str


def hints(network: Network, source: str, first: int, last: int) -> list[Hint]:
    """What each of some lines makes, by its last layer; by the first of these where there are several.

    Args:
        network: the layers.
        source: the name of the text that they stand in.
        first: the lines, from 1, both included.
        last: the same.
    """
    rows: dict[int, list[Layer]] = {}
    for layer in network.layers:
        span = layer.span
        if span is not None and span.source.name == source and first <= span.line <= last:
            rows.setdefault(span.line, []).append(layer)
    found = []
    for line, layers in sorted(rows.items()):
        last_column = max(map(_column, layers))
        ends = [one for one in layers if _column(one) == last_column]
        sizes = list(dict.fromkeys(str(one.shape) for one in ends))
        more = f"{len(ends)} layers: {', '.join(sizes[:12])}" if len(ends) > 1 else ends[0].name
        found.append(Hint(line, f"{sizes[0]}{' …' if len(sizes) > 1 else ''}", printable(more)))
    return found


def _column(layer: Layer) -> int:
    return layer.span.column if layer.span is not None else 0
