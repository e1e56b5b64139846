"""Pages about networks, in Markdown or HTML: the same bytes every time, so that a diff of a page is a diff of
an architecture.

A section (``sections/``) says something of a network as parts, and knows no form; a template
(``templates/``) gives parts a form, and knows no network. Neither knows where the pages go.
"""

from __future__ import annotations

from .forms import FORMS, File, file_name, gallery, page
from .material import Material

__all__ = ["FORMS", "File", "Material", "file_name", "gallery", "page"]
