"""What is most likely a mistake in a network, or worth knowing of it, though it can be built.

Each rule is a file of :mod:`archlens.lint.rules`. A room of its own beside the analyses, which are functions
of a network alone: some rules read the spec, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..analysis.study import Study
from ..errors import did_you_mean, shorten, usage
from ..language.spec import Spec
from .rule import ADVICE, ERROR, LEVELS, WARNING, Documentation, Finding, Rule
from .rules import RULES

__all__ = [
    "ADVICE",
    "ERROR",
    "LEVELS",
    "RULES",
    "WARNING",
    "Documentation",
    "Finding",
    "Rule",
    "choose",
    "lint",
]


def lint(study: Study, spec: Spec | None = None, rules: Iterable[Rule] | None = None) -> list[Finding]:
    """What the rules find in a network and its spec, in the order of the file.

    Args:
        study: of the network, which knows by its name which variant it is.
        spec: what it was made from; without it nothing is said of params and blocks that are not used.
        rules: those that are checked; all of them, unless they are given.
    """
    found: list[Finding] = []
    for rule in rules or RULES.values():
        found += rule.read(spec, study) if spec is not None else ()
        found += rule.check(study)
    order = {layer.name: number for number, layer in enumerate(study.network)}

    def place(one: Finding) -> tuple[int, int, str]:
        """Its place in the file; or where the network has none, its first layer's in the network."""
        if one.span is not None:
            return one.span.line, one.span.column, one.rule.code
        return order.get(one.layers[0], 0) if one.layers else 0, 0, one.rule.code

    return sorted(found, key=place)


def choose(select: Sequence[str] = (), ignore: Sequence[str] = ()) -> list[Rule]:
    """Rules by codes (``AL301``), the start of codes (``AL3``) or names (``bias-before-norm``).

    Args:
        select: those that are checked; all of them if it is empty.
        ignore: those that are left out.

    Raises:
        UsageError: there is no such rule; or none is left.
    """
    chosen = {rule.code for word in select for rule in meant(word)} if select else set(RULES)
    chosen -= {rule.code for word in ignore for rule in meant(word)}
    if not chosen:
        raise usage("no rule is left to check", help="--ignore excludes everything that --select chose")
    return [rule for code, rule in RULES.items() if code in chosen]


def meant(word: str) -> list[Rule]:
    """The rules that a code, the start of codes or a name means.

    Raises:
        UsageError: there is none; with a suggestion.
    """
    upper = word.upper()
    found = [rule for rule in RULES.values() if rule.name == word.lower()]
    if not found and len(upper) > 1:
        found = [rule for code, rule in RULES.items() if code.startswith(upper)]
    if not found:
        known = [*RULES, *(rule.name for rule in RULES.values())]
        raise usage(
            f"there is no rule {shorten(word)}",
            help=did_you_mean(word, known, otherwise="`archlens rules` lists them"),
        )
    return found
