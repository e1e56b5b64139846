"""How a network is displayed: in a terminal, and in a notebook.

Views stand above networks, and a network cannot know them: the package itself says here what shows one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Its table as text.
to_text: Callable[[Any], str] = repr

#: Its sizes as formulas of the letters of an input.
to_formula: Callable[[Any, Any], Any]

#: Table and diagram of a network as HTML; and what is wrong after its last layer, if anything is.
to_html: Callable[[Any, Any], str] = lambda network, problem: to_text(network)  # noqa: E731
