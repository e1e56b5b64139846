"""Pictures measured: the smallest text of each where it is read, and how large it is.

``python tests/legibility.py [FIT...] [STYLE...]`` prints what is smaller or larger than its page allows in
the pictures of the whole zoo: ten minutes for all, one for the graphs. It fails where text is too small, or a
picture too wide, or longer than a page that ends. The suite measures one network of each family
(``tests/test_fits.py``) and random ones.
"""

from __future__ import annotations

import sys
from collections import Counter

import archlens
from archlens.drawing import Request, style_names
from archlens.drawing.fit import NAMED
from archlens.drawing.picture import Text, walk
from archlens.drawing.plan import Plans
from archlens.errors import UsageError

#: What may be wrong with a picture; those on screens may be high, and are scrolled.
FLAWS = ("small", "wide", "long", "high")


def flaws(request: Request) -> dict[str, str]:
    """What is wrong with a picture, each with its size in words: ``small``, ``wide`` or ``high``; ``long`` is
    what is higher than a page that ends.
    """
    picture, page = request.picture, request.page
    wide, high = picture.width * picture.scale, picture.height * picture.scale
    least = min(item.size for item in walk(picture.items) if isinstance(item, Text)) * picture.scale
    found = {
        "small": least < page.least - 1e-6,
        "wide": wide > page.width + 0.05,
        "long" if page.bounded else "high": high > page.height + 0.05,
    }
    size = f"text {least:.2f}, {wide:.0f}x{high:.0f} {page.unit}"
    return {flaw: size for flaw, is_wrong in found.items() if is_wrong}


def main() -> int:
    asked = sys.argv[1:]
    fits = [fit for fit in NAMED if fit in asked] or [*NAMED]
    styles = [style for style in style_names() if style in asked] or style_names()
    wrong = Counter[str]()
    measured = 0
    for name in archlens.names():
        network = archlens.load(name)
        plans = Plans(network)
        for style in styles:
            for fit in fits:
                try:
                    found = flaws(Request(network, style, fit=fit, made=plans))
                except UsageError:  # of text there is no field
                    continue
                measured += 1
                wrong.update(found.keys())
                if found:
                    print(f"{name} {style} {fit}: {next(iter(found.values()))}: {', '.join(found)}")
    print(f"{measured:,} pictures: {', '.join(f'{wrong[flaw]} {flaw}' for flaw in FLAWS)}")
    return 1 if wrong - Counter({"high": wrong["high"]}) else 0


if __name__ == "__main__":
    sys.exit(main())
