"""Networks that one can touch: one HTML file with all that is known of them, which works from a folder.

The page asks nothing of any network. Without its script it is a table and pictures. What it shows is data
that this package writes (:mod:`.records` of each network, :mod:`.inside` of its layers), and a viewer, whose
source lies in ``web/`` and whose bundle in ``static/``. The same networks give the same bytes.
"""

from __future__ import annotations

from .document import Live, Subject, built, command_of, page
from .fragment import policy, within

__all__ = ["Live", "Subject", "built", "command_of", "page", "policy", "within"]
