"""Names for blocks and parameters."""

from __future__ import annotations

import re
from collections.abc import Container
from keyword import iskeyword

from ..elaboration.functions import FUNCTIONS
from ..elaboration.values import CONSTANTS
from ..language.steps import RESERVED
from ..ops import LANGUAGE


def snake(text: str) -> str:
    """A name of a class as that of a block: ``InvertedResidual`` as ``inverted_residual``.

    >>> snake("Conv2dNormActivation"), snake("MLPBlock"), snake("_DenseLayer")
    ('conv2d_norm_activation', 'mlp_block', 'dense_layer')
    """
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return re.sub(r"\W+|_+", "_", text).strip("_").lower() or "block"


#: Words that mean something in expressions.
TAKEN = frozenset({*LANGUAGE, *FUNCTIONS, *CONSTANTS, *RESERVED})


def free(name: str, *taken: Container[str]) -> str:
    """A name that can be given in the language, and is not taken: with a number where it is."""
    name = re.sub(r"\W+", "_", name) or "value"
    if name[0].isdigit():
        name = f"n{name}"
    found, count = name, 1
    while any(found in names for names in (TAKEN, *taken)) or not is_name(found):
        count += 1
        found = f"{name}_{count}"
    return found


def is_name(text: str) -> bool:
    """Whether a text is a name in an expression."""
    return text.isidentifier() and text.isascii() and not iskeyword(text)
