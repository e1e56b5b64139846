"""How the constructs of the language look: what stands for each in the text of a spec, right or wrong."""

from __future__ import annotations

import re

#: By the names of ``archlens.language.constructs``: an expression that finds it in a line.
SIGNS = {
    "chain": r"[\w)] >> \w",
    "repeat": r"[\w)] \* \d+\s*$|layer\w* \* \w+$|\* depth",
    "choice": r"\w.* if .* else ",
    "none": r"\bnone\b",
    "scope": r"^\s*- \w+:($| \[| \w)",
    "path": r"^\s*- \"?\w+\.[\w{}]+\"?: ",
    "template": r"\w\{[^{}]*\}|'\{[^{}]*\}|\"\{[^{}]*\}|\{\w+\}[\w\"]",
    "residual": r"\bresidual:",
    "shortcut": r"\bshortcut:",
    "dense": r"\bdense:",
    "gate": r"\bgate:",
    "merge": r"\b(concat|add|multiply|subtract|matmul|maximum|attention)(\(.*\))?:",
    "each": r"\beach:",
    "ref": r"\bref\(",
    "again": r"\bagain\(",
    "weight": r"\bweight=",
    "initial": r"\binitial=",
    "custom": r"\bcustom\(",
    "experts": r"\bexperts:",
    "block": r"^\s+\w+\(.*\):|^blocks:",
    "use": r"^use:",
    "until": r"\buntil=",
    "params": r"^params:",
    "input": r"^input:|input\.",
    "outputs": r"^outputs:",
    "aliases": r"^aliases:",
    "variants": r"^variants:",
    "functions": r"\b(divisible|min|max|round|ceil|floor|int|len|sum|range)\(",
}


def constructs_in(text: str) -> set[str]:
    """Those that some line of a text has."""
    return {name for name, sign in SIGNS.items() if re.search(sign, text, re.MULTILINE)}
