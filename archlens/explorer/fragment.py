"""The graph of one network within somebody else's page: a report, a documentation, a notebook."""

from __future__ import annotations

from ..analysis.study import Study
from ..errors import Unplaced, printable
from .document import built, digest, embedded, hues
from .inside import inside

#: How a policy of a page names the script of :func:`within`.
SCRIPT = "network.js"


def within(study: Study, *, asked: str = "", failed: Unplaced | None = None) -> str:
    """An element of a page that is the graph of a network, with the script that makes it so.

    Its looks are in a root of its own, and it turns dark where the page does. Without scripts it is empty; of
    a network with too many layers there is none.

    Args:
        study: of the network.
        asked: what it is on the command line; its name, unless it is given.
        failed: what did not fit behind its last layer.
    """
    layers = inside(study, failed)
    if layers is None:
        return ""
    network = study.network
    data = {
        "name": printable(network.name),
        "title": printable(network.title),
        "asked": asked or printable(network.name),
        "inside": layers,
        "hues": hues(),
    }
    held = f'<script type="application/json">{embedded(data)}</script>'
    return f'<div class="archlens-network">{held}</div>\n<script>{built(SCRIPT)}</script>'


def policy() -> str:
    """What a page may do that holds such an element, and no other script: run this, and ask for nothing."""
    return (
        f"default-src 'none'; script-src '{digest(built(SCRIPT))}'; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
