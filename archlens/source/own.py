"""The modules that torch has not, as text, and the imports of a file.

They are copied from :mod:`archlens.backends.modules`, which is read and not imported: it needs torch.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Definition(NamedTuple):
    """A class or function of modules.py, as text."""

    text: str
    #: The names that it uses.
    names: frozenset[str]
    is_function: bool


@cache
def _own_text() -> tuple[str, ast.Module]:
    text = (files("archlens.backends") / "modules.py").read_text("utf-8")
    return text, ast.parse(text)


@cache
def _functions() -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in _own_text()[1].body if isinstance(node, ast.FunctionDef)}


@cache
def own_modules() -> dict[str, Definition]:
    """What modules.py defines, by name and in its order."""
    text, tree = _own_text()
    lines = [re.sub(r"\s+# (type: ignore|noqa).*$", "", line) for line in text.split("\n")]
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
            found[node.name] = Definition(
                "\n".join(lines[node.lineno - 1 : node.end_lineno]),
                frozenset(names),
                isinstance(node, ast.FunctionDef),
            )
    return found


class Expression(NamedTuple):
    """A call of a function, written as what it returns."""

    text: str
    #: The names that it uses.
    names: frozenset[str]


class _Put(ast.NodeTransformer):
    """Puts arguments in the place of the names of a function."""

    def __init__(self, given: dict[str, ast.expr]) -> None:
        self.given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """What is given for a name."""
        return self.given.get(node.id, node)


#: What is better read once, under the name of a function.
_INTRICATE = (ast.ListComp, ast.GeneratorExp, ast.Starred, ast.BinOp, ast.Compare)


def inlined(name: str, arguments: list[str]) -> Expression | None:
    """A call of one of these functions as the expression that it returns.

    ``None`` where it does more than return one, or a reader is better served by its name.

    >>> inlined("normal", ["(1, 2)", "0.02"]).text
    'torch.empty((1, 2)).normal_(std=0.02)'
    """
    node = _functions()[name]
    returned = node.body[-1]
    if len(node.body) != 2 or not isinstance(returned, ast.Return) or returned.value is None:
        return None
    expression = ast.parse(ast.unparse(returned.value), mode="eval").body
    inside = list(ast.walk(expression))
    names = [one.arg for one in node.args.args]
    plain = len(arguments) == len(names) and not any(re.search(r"""^\w+=|['"]""", text) for text in arguments)
    if not plain or any(isinstance(one, _INTRICATE) for one in inside):
        return None
    given = {key: ast.parse(text, mode="eval").body for key, text in zip(names, arguments, strict=True)}
    used = {one.id for one in inside if isinstance(one, ast.Name)} - set(names)
    return Expression(ast.unparse(_Put(given).visit(expression)), frozenset(used))


def copied(own: dict[str, Definition], used: set[str]) -> list[str]:
    """The definitions that are used, with those that they use themselves."""
    needed: set[str] = set()
    found = [name for name in own if name in used]
    while found:
        name = found.pop()
        if name not in needed:
            needed.add(name)
            found += [other for other in own[name].names if other in own]
    return [name for name in own if name in needed]


def imports_of(own: dict[str, Definition], copied: list[str], used: set[str]) -> list[str]:
    """The imports of what is used, those of Python before those of torch."""
    names = used.union(*(own[name].names for name in copied))
    known: dict[str, tuple[str, str, str | None]] = {
        "OrderedDict": ("collections", "OrderedDict", None),
    }
    for node in _own_text()[1].body:
        if isinstance(node, ast.Import):
            known |= {alias.asname or alias.name: ("", alias.name, alias.asname) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            known |= {
                alias.asname or alias.name: (node.module or "", alias.name, alias.asname)
                for alias in node.names
            }
    plain: dict[bool, list[str]] = {False: [], True: []}
    parts: dict[tuple[str, bool], list[str]] = {}
    for name in sorted(names & known.keys()):
        module, original, alias = known[name]
        if not module:
            plain[original == "torch"].append(f"import {original}")
        else:
            parts.setdefault((module, alias is not None), []).append(
                f"{original} as {alias}" if alias else original
            )
    groups = []
    for torch in (False, True):
        lines = sorted(plain[torch])
        for (module, _), imported in sorted(parts.items()):
            if module.startswith("torch") == torch:
                lines.append(f"from {module} import {', '.join(imported)}")
        if lines:
            groups.append(lines)
    return "\n\n".join("\n".join(lines) for lines in groups).split("\n")
