"""Bounds on a network, so that a hostile spec ends in a diagnostic and not in a full memory."""

from __future__ import annotations

#: Layers, steps taken on the way, and blocks within blocks. A deep network has a thousand layers; a
#: step is about what one layer costs, and laying out as many as there may be takes some ten seconds.
MAX_LAYERS = 1_500_000
MAX_STEPS = 5_000_000
MAX_BLOCKS = 40

#: The largest size of one axis of an input, and of what flows between layers.
MAX_SIZE = 10**9
MAX_AXIS = 10**15

TOO_MANY_STEPS = f"laying this network out takes more than {MAX_STEPS:,} steps"
