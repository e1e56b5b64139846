"""The network drawn: its feature maps, and the graph of its layers."""

from __future__ import annotations

from collections.abc import Sequence

from ...views import words
from ..material import Material
from ..parts import Paragraph, Part, Picture, Viewer

TITLE = "Diagram"
ORDER = 20
COMMAND = "diagram"


def parts(material: Material) -> Sequence[Part]:
    """The two pictures, the calmer one first; and the graph whose scopes open."""
    if isinstance(material.plans, str):
        return [Paragraph([f"Not drawn: {material.plans}."]), Viewer()]
    title = words.headline(material.network)
    return [
        Picture("volumes", f"Feature maps. {title}"),
        Picture("graph", f"Graph of the layers. {title}"),
        Viewer(),
    ]
