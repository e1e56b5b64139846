"""Steps as the text of a spec: chains, repeats and tables, in YAML as the zoo's files are written."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple

from ..analysis.repeats import stretches
from ..language.steps import EXPERTS, KEYWORDS
from ..language.synonyms import merge_meant
from ..ops import LANGUAGE, MERGES
from ..ops.op import as_written, signature
from .names import TAKEN, is_name
from .steps import ABSENT, Block, Slot, Step, Word, kind_and_value, passes

#: Columns of a line.
WIDTH = 118
#: How long a chain of steps may be, and from how many steps on they are chained.
_CHAIN, _MANY = 90, 6
#: From how many calls in a row on, and counted names, a table says them.
_ROWS, _COUNTED = 4, 3


class Key(NamedTuple):
    """A key with what stands under it."""

    name: str
    node: Node


class Keys(NamedTuple):
    """A mapping."""

    items: tuple[Key, ...]


class Flow(NamedTuple):
    """A list, or a mapping, that is written between brackets."""

    items: tuple[str, ...]
    brackets: str = "[]"


#: A text, a list, a mapping, or a list between brackets.
Node = str | list[Any] | Keys | Flow


def value(given: Any) -> str:
    """A value as a spec writes it: ``1e-6``, and never ``1e-06``."""
    if isinstance(given, tuple):
        inner = ", ".join(map(value, given))
        return f"({inner}{',' if len(given) == 1 else ''})"
    if isinstance(given, float) and isfinite(given):
        return re.sub(r"e([+-])0", r"e\1", repr(given))
    if isinstance(given, Word):
        return str(given)
    if isinstance(given, str):
        escaped = given.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return as_written(given)


class Call(NamedTuple):
    """A step of one line: its name, what is called, and the arguments as they are written."""

    name: str
    head: str
    arguments: tuple[tuple[str, str], ...] = ()
    #: Behind it, as ``if downsample else identity``.
    behind: str = ""
    #: The steps that it stands for already: a chain.
    is_chain: bool = False
    #: The block that is called, where it is one.
    block: Block | None = None

    @property
    def text(self) -> str:
        words = [f"{key}={text}" if key else text for key, text in self.arguments]
        return f"{self.head}({', '.join(words)}){self.behind}" if words else f"{self.head}{self.behind}"


class Writer:
    """Writes steps, with what the arguments are called where they stand."""

    def node(self, steps: Sequence[Step]) -> list[Any]:
        """Steps one after the other, as a list."""
        items: list[Any] = []
        for step in steps:
            items.append(self.item(step))
        return _listed(items)

    def item(self, step: Step) -> Any:
        """A step: a call, or a mapping."""
        if step.form == "gap":
            return Call("", "identity", behind=self._if(step))
        if step.form == "alias":
            return Call(step.name, "identity")
        if step.form == "ref":
            return Call("", "ref", (("", self._tensor(step.slots[0])),))
        if step.form == "given":
            return Call(step.name, step.slots[0].text, behind=self._if(step))
        if step.form == "again":
            return Call(step.name, "again", (("", step.what),))
        if step.form in ("op", "call"):
            head = step.what.kind if step.form == "op" else step.what.name
            block = step.what if step.form == "call" else None
            return Call(step.name, head, tuple(self._arguments(step)), self._if(step), block=block)
        if step.form == "scope":
            inside = self.node(step.branches[0])
            if not all(step.present):
                calls = [self.item(inner) for inner in step.branches[0]]
                chain = " >> ".join(call.text for call in calls)
                if len(calls) == 1:
                    chain = f"[{chain}]"
                return Call(step.name, chain, behind=self._if(step), is_chain=True)
            if len(inside) == 1 and isinstance(inside[0], str) and _is_several(inside[0]):
                return Key(quoted_name(step.name), inside[0])
            return Key(quoted_name(step.name), inside)
        return self._experts(step) if step.form == "experts" else self._merge(step)

    def _if(self, step: Step) -> str:
        if not step.condition:
            return ""
        return f" if {step.condition} else {'identity' if step.name or step.leaves_gap else 'none'}"

    def _arguments(self, step: Step, *, named: bool = False) -> list[tuple[str, str]]:
        """The arguments that are written: all that must be given, and what is other than the default.

        Args:
            step: what takes them.
            named: whether all are written with their names.
        """
        found = []
        in_order = True  # whether all before it are given
        listed = step.what.parameters if step.form == "call" else ()
        # a parameter that follows from what flows in is not given, and takes a place
        left_out = next((i for i, one in enumerate(listed) if one.text), len(listed))
        behind = {one.name for one in listed[left_out:]}
        for slot in step.slots:
            text = slot.text
            in_order = in_order and slot.name not in behind
            if not text:
                given = slot.given[0] if slot.given else slot.default
                is_default = slot.default is not ABSENT and kind_and_value(given) == kind_and_value(
                    slot.default
                )
                if is_default or given is ABSENT:
                    in_order = False
                    continue
                if slot.meaning == "tensor":
                    text = self._tensor(slot)
                elif step.form == "op" and slot.name == "groups" and given > 1 and slot.flows:
                    text = "x.channels"
                else:
                    text = value(given)
            by_place = slot.default is ABSENT or (in_order and (text == slot.name or slot.name == "p"))
            in_order = in_order and by_place
            found.append(("" if by_place and not named else slot.name, text))
        return found

    def _tensor(self, slot: Slot) -> str:
        if slot.text:
            return slot.text
        target = slot.given[0]
        return str(target.what) if target.how == "name" else value(target.what)

    def _experts(self, step: Step) -> Any:
        """``experts:`` with its arguments, a router that is no other than it has by itself left out."""
        gate, do = [self.item(branch[0]) for branch in step.branches]
        given = self._arguments(step, named=True)
        keys = [Key(key, _bare(text)) for key, text in given]
        usual = Call("gate", "linear", (("", dict(given)["count"]), ("bias", "false")))
        if not isinstance(gate, Call) or (gate.name, gate.text) != (usual.name, usual.text):
            keys.append(_under("gate", gate, named=gate.name != "gate"))
        keys.append(_under("do", do, named=False))
        plain = all(isinstance(key.node, str) and re.fullmatch(r"[-+.\w]+", key.node) for key in keys)
        if plain:
            return Key(EXPERTS, Flow(tuple([f"{key.name}: {key.node}" for key in keys]), "{}"))
        return Key(EXPERTS, Keys(tuple(keys)))

    def _merge(self, step: Step) -> Any:
        kind = step.what
        if LANGUAGE[kind].branches:
            said = dict(self._arguments(step, named=True))
            parts = MERGES[kind].parts(len(step.branches), said)
            read = [self._tensor(branch[0].slots[0]) for branch in step.branches]
            words = [f"{name}: ref({text})" for name, text in zip(parts, read, strict=True)]
            words += [f"{key}: {text}" for key, text in said.items() if key not in parts]
            return Keys((Key(kind, Flow(tuple(words), "{}")),))
        given = self._arguments(step)
        head = Call("", kind, tuple(given)).text
        flows = passes(step)
        if flows >= 0 and all(inner.form == "ref" for inner in step.branches[1 - flows]):
            flows = -1  # nothing is worked out beside what flows
        if kind == "add" and len(step.branches) == 2:
            inner, other = step.branches if flows != 0 else step.branches[::-1]
            keys = [Key("residual", self.node(inner))]
            if step.merges_if:
                keys.append(Key("shortcut", f"identity if {step.merges_if} else none"))
                return Keys(tuple(keys))
            if flows >= 0:
                return Keys(tuple(keys))
            begins = [branch[0].form if branch else "ref" for branch in (inner, other)]
            if len(other) == 1 and "ref" not in begins and _size(other) < _size(inner):
                keys.append(Key("shortcut", self.node(other)))
                return Keys(tuple(keys))
        if flows >= 0 and (kind == "multiply" or (head == "concat" and flows == 0)):
            form = "gate" if kind == "multiply" else "dense"
            return Keys((Key(form, self.node(step.branches[1 - flows])),))
        branches: list[Any] = []
        for branch in step.branches:
            inside = self.node(branch)
            alone = len(inside) == 1 and not (
                isinstance(inside[0], Keys) and inside[0].items[0].name == "each"
            )
            nothing: Any = Flow(()) if step.counted else "identity"  # which would be counted, too
            branches.append(nothing if not inside else inside[0] if alone else inside)
        keyed = [one for one in branches if isinstance(one, Key) and one.name not in KEYWORDS]
        if len(keyed) == len(branches):
            return Keys((Key(head, Keys(tuple(keyed))),))
        return Keys((Key(head, branches),))


def _under(key: str, item: Any, *, named: bool) -> Key:
    """A step under a key, with its name or without."""
    node = item.text if isinstance(item, Call) else item.node if isinstance(item, Key) else item
    return Key(key, Keys((Key(quoted_name(item.name), node),)) if named else node)


def _bare(text: str) -> str:
    """A value, without quotes where it is a word that means itself."""
    word = text.strip('"')
    return word if is_name(word) and (word not in TAKEN or word in ("softmax", "sigmoid")) else text


def _size(steps: Sequence[Step]) -> int:
    """How many layers steps are, about."""
    inner = [_size(step.what.steps) for step in steps if step.form == "call"]
    return len(steps) + sum(inner) + sum(_size(branch) for step in steps for branch in step.branches)


def _is_several(text: str) -> bool:
    """Whether an expression is more than one step, and so opens a scope under a name."""
    return " >> " in text or bool(re.search(r"\) \* \d+$|^\w+ \* \d+$", text))


# --- lists of steps -----------------------------------------------------------------------------


def _listed(items: list[Any]) -> list[Any]:
    """Items as lines: repeats as one, tables for calls that differ, chains of many."""
    found: list[Any] = []
    at = 0
    while at < len(items):
        stop = at
        while stop < len(items) and isinstance(items[stop], Call) and not items[stop].name:
            stop += 1
        if stop > at:
            found += _unnamed(items[at:stop])
            at = stop
            continue
        counted = _counted(items, at)
        if counted is not None:
            nodes, at = counted
            found += nodes
            continue
        item = items[at]
        found.append(Key(quoted_name(item.name), item.text) if isinstance(item, Call) else item)
        at += 1
    return found


#: What a reader sees a new layer in, and what comes after it as part of it.
_BEGINS = re.compile(r"\(?(conv|linear|\w*pool|flatten|ref)")


def _unnamed(calls: list[Call]) -> list[Any]:
    """Steps without names, one after the other."""
    rows: list[tuple[Call, int]] = []
    texts = [call.text for call in calls]

    def copies(start: int, period: int) -> int:
        here = texts[start : start + period]
        count = 1
        while texts[start + count * period : start + (count + 1) * period] == here:
            count += 1
        whole = period == 1 or (bool(_BEGINS.match(here[0])) and len(" >> ".join(here)) < _CHAIN)
        return count if count > 1 and whole else 1

    for start, period, count in stretches(len(calls), copies, 4):
        if count == 1 or period == 1:
            rows.append((calls[start], count))
        else:
            chain = " >> ".join(texts[start : start + period])
            rows.append((Call("", f"({chain})", is_chain=True), count))
    found: list[Any] = []
    at = 0
    lone: list[str] = []
    while at < len(rows):
        stop = _table_stop(rows, at)
        if stop - at >= _ROWS:
            found += _chained(lone)
            lone = []
            found += _table(rows[at:stop])
            at = stop
            continue
        call, count = rows[at]
        text = call.text
        if call.behind and count > 1:
            text = f"({text})"
        lone.append(f"{text} * {count}" if count > 1 else text)
        at += 1
    return found + _chained(lone)


def _table_stop(rows: Sequence[tuple[Call, int]], at: int) -> int:
    """The end of the calls of one block, or op, from here on."""
    first = rows[at][0]
    if first.is_chain or first.behind or not first.arguments or first.head == "again":
        return at + 1
    stop = at
    while stop < len(rows):
        call = rows[stop][0]
        if call.head != first.head or call.behind or call.is_chain:
            break
        if not all(_is_literal(text) for _, text in call.arguments):
            break
        stop += 1
    return stop


def _is_literal(text: str) -> bool:
    return bool(re.fullmatch(r"[-+.\de]+|[a-z]\w*|\"[^\"]*\"|\([-+.\de, ()]*\)", text))


def _columns(calls: Sequence[Call]) -> tuple[list[str], list[list[str]], list[tuple[str, str]]] | None:
    """Of calls that differ: the columns of a table, its rows, and the arguments of its step."""
    most = max(calls, key=lambda call: len(call.arguments))
    positional = [key for key, _ in most.arguments if not key]
    keys = list(dict.fromkeys(key for call in calls for key, _ in call.arguments if key))
    if any(len([1 for key, _ in call.arguments if not key]) != len(positional) for call in calls):
        return None
    return _rows(calls, len(positional), keys)


def _rows(
    calls: Sequence[Call], positional: int, keys: list[str]
) -> tuple[list[str], list[list[str]], list[tuple[str, str]]] | None:
    names: list[str] = []
    rows: list[list[str]] = [[] for _ in calls]
    arguments: list[tuple[str, str]] = []
    block = calls[0].block
    if block is not None:
        order = [one.name for one in block.parameters if not one.text]
        defaults = {one.name: value(one.default) for one in block.parameters if one.default is not ABSENT}
    else:
        taken = signature(LANGUAGE[calls[0].head])
        order = list(taken)
        defaults = {name: value(one.default) for name, one in taken.items() if not one.required}
    for k in range(positional):
        column = [call.arguments[k][1] for call in calls]
        _column(order[k], "", column, names, rows, arguments)
    for key in keys:
        given = [dict(call.arguments).get(key) for call in calls]
        default = defaults.get(key)
        if None in given and default is None:
            return None
        _column(key, key, [default if one is None else one for one in given], names, rows, arguments)
    return names, rows, arguments


def _column(
    name: str,
    key: str,
    column: Sequence[Any],
    names: list[str],
    rows: list[list[str]],
    arguments: list[tuple[str, str]],
) -> None:
    if len(set(column)) == 1:
        arguments.append((key, column[0]))
        return
    names.append(name)
    arguments.append((key, name))
    for row, text in zip(rows, column, strict=True):
        row.append(text)


def _table(rows: Sequence[tuple[Call, int]]) -> list[Any]:
    """Calls as a table, where that is shorter."""
    calls = [call for call, _ in rows]
    found = _columns(calls)
    if found is None:
        return _plain(rows)
    names, cells, arguments = found
    step = Call("", calls[0].head, tuple(arguments)).text
    counts = [count for _, count in rows]
    if any(count > 1 for count in counts):
        names = [*names, "n"]
        cells = [[*row, str(count)] for row, count in zip(cells, counts, strict=True)]
        step = f"{step} * n"
    return _shorter([_each(names, cells, step)], _plain(rows))


def _shorter(table: list[Any], plain: list[Any]) -> list[Any]:
    """A table, unless it takes as many lines as the steps themselves."""
    return table if len(lines_of(table, 8)) < len(plain) else plain


def _plain(rows: Sequence[tuple[Call, int]]) -> list[str]:
    return [f"{call.text} * {count}" if count > 1 else call.text for call, count in rows]


def _each(names: Sequence[str], cells: Sequence[Sequence[str]], do: Any) -> Keys:
    if len(names) == 1:
        rows = Flow(tuple(_cell(row[0]) for row in cells))
        return Keys((Key("each", names[0]), Key("in", rows), Key("do", do)))
    rows = Flow(tuple(f"[{', '.join(map(_cell, row))}]" for row in cells))
    return Keys((Key("each", Flow(tuple(names))), Key("in", rows), Key("do", do)))


def _cell(text: str) -> str:
    """A value in a list of YAML's, which splits at commas."""
    return quoted(text) if not re.fullmatch(r"[-+.\w]+", text) else text


_NUMBERED = re.compile(r"([^{}]*[^{}\d])(0|[1-9]\d{0,8})", re.ASCII)


def _counted(items: Sequence[Any], at: int) -> tuple[list[Any], int] | None:
    """Steps whose names count, from here on, as a table; and where they end."""
    match = _NUMBERED.fullmatch(items[at].name) if isinstance(items[at], Call) else None
    if match is None or items[at].head == "again":
        return None
    prefix, first = match[1], int(match[2])
    made: set[str] = set()
    stop = at
    while stop < len(items):
        item = items[stop]
        if not isinstance(item, Call) or item.name != f"{prefix}{first + stop - at}":
            break
        if item.head != items[at].head or item.behind or item.is_chain:
            break
        if item.arguments != items[at].arguments and not all(_is_literal(t) for _, t in item.arguments):
            break
        if any(_first_name(text) in made for _, text in item.arguments):
            break  # the rows of a table are read before its first step
        made.add(item.name)
        stop += 1
    count = stop - at
    if count < _COUNTED:
        return None
    found = _columns(items[at:stop])
    if found is None:
        return None
    names, cells, arguments = found
    if "i" in names or any(text == "i" for _, text in arguments):
        return None
    call = Call("", items[at].head, tuple(arguments)).text
    do = Keys((Key(f"{prefix}{{i}}", call),))
    plain = [Key(quoted_name(item.name), item.text) for item in items[at:stop]]
    if names:
        table = _each(["i", *names], [[str(first + k), *row] for k, row in enumerate(cells)], do)
    else:
        rows = f"range({first}, {first + count})" if first else f"range({count})"
        table = Keys((Key("each", "i"), Key("in", rows), Key("do", do)))
    return _shorter([table], plain), stop


def _first_name(text: str) -> str:
    """The scope, or the step, that an argument may name."""
    return text.strip('"').partition(".")[0]


def _chained(texts: list[str]) -> list[str]:
    """Steps without names: each on its line, or some chained where they are many."""
    if len(texts) < _MANY:
        return texts
    found: list[str] = []
    for text in texts:
        begins = _BEGINS.match(text) or not found or " if " in text
        if begins or len(found[-1]) + len(text) + 4 > _CHAIN or " if " in found[-1]:
            found.append(text)
        else:
            found[-1] = f"{found[-1]} >> {text}"
    return found


# --- YAML ---------------------------------------------------------------------------------------


def quoted_name(name: str) -> str:
    """The name of a step as a key of the language."""
    if name in KEYWORDS or merge_meant(name, KEYWORDS) is not None or "{" in name:
        if "}" in name or "'" in name:
            return name  # nothing says it, as the check will
        return f"{{'{name}'}}"
    return name


def key_text(name: str) -> str:
    """A key as YAML has it."""
    if is_name(name) or (re.fullmatch(r"[A-Za-z_][\w.]*(\{\w+\})?(\(.*\))?", name) and name.isascii()):
        return quoted(name) if re.search(r": | #|[\"']", name) else name
    return quoted(name)


def quoted(text: str) -> str:
    """A text in quotes, as YAML reads it back."""
    if text.isprintable() and "'" not in text and ("\\" in text or '"' in text):
        return f"'{text}'"
    body = "".join(f"\\{c}" if c in '\\"' else c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
    return f'"{body}"'


def scalar(text: str) -> str:
    """A text as YAML has it, in quotes where it takes them."""
    plain = (
        text
        and text == text.strip()
        and text.isprintable()
        and not re.match(r"[-?:,\[\]{}#&*!|>'\"%@`~]|(null|Null|NULL)$", text)
        and not re.search(r": |:$| #|\[\]", text)
    )
    return text if plain else quoted(text)


def lines_of(node: Any, indent: int) -> list[str]:
    """A node as lines."""
    margin = " " * indent
    if isinstance(node, list):
        lines = []
        for item in node:
            inner = lines_of(item, indent + 2)
            lines += [f"{margin}- {inner[0].lstrip()}", *inner[1:]]
        return lines
    if isinstance(node, Keys):
        return [line for key in node.items for line in lines_of(key, indent)]
    if isinstance(node, Key):
        head = f"{margin}{key_text(node.name)}:"
        if isinstance(node.node, str):
            return _wrapped(f"{head} ", node.node, indent)
        if isinstance(node.node, Flow):
            return _flowing(f"{head} ", node.node, indent + 2)
        return [head, *lines_of(node.node, indent + 2)]
    if isinstance(node, Flow):
        return _flowing(margin, node, indent + 2)
    return _wrapped(margin, node, indent)


def _flowing(head: str, flow: Flow, indent: int) -> list[str]:
    """What stands between brackets, on several lines where it is long; each item stands on one."""
    opening, closing = flow.brackets[0], flow.brackets[1]
    lines = [f"{head}{opening}"]
    for k, item in enumerate(flow.items):
        text = f"{item}," if k < len(flow.items) - 1 else f"{item}{closing}"
        if len(lines[-1]) + 1 + len(text) > WIDTH:
            lines.append(f"{' ' * indent}{text}")
        else:
            lines[-1] += text if lines[-1].endswith(opening) and not k else f" {text}"
    return lines if flow.items else [f"{head}{flow.brackets}"]


def _wrapped(head: str, text: str, indent: int) -> list[str]:
    """A text behind its key, on several lines where it is long."""
    line = f"{head}{scalar(text)}"
    if len(line) <= WIDTH or not re.search(r"[,>] ", text) or '"' in text or "'" in text:
        return [line]
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=" " * (indent + 4), break_long_words=False, break_on_hyphens=False
    )
