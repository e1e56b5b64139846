"""Holds the model files of an Ultralytics package against the summaries in their comments.

The package is AGPL, so that neither its files nor its code are here::

    pip download ultralytics --no-deps && unzip -q ultralytics-*.whl -d package
    python tests/ultralytics_survey.py package/ultralytics/cfg/models

A comment is what the tool printed when the line was written: modules, parameters, those that are trained, and
GFLOPs, with the counting tool and the number of classes of its day. It is read and compared as by
``archlens claims``.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from archlens import dialects
from archlens.analysis import published_figures
from archlens.analysis.published_figures import EQUAL, EXPLAINED, ROUNDED

#: A line of the files, read apart from how archlens reads it, so that none is left out.
LINE = re.compile(r"^\s+(\w): \[.*?summary:.*layers", re.MULTILINE | re.IGNORECASE)

#: Lines that stand in another file, too, which is the one of the network that they are of.
COPIED = {
    "v8/yoloe-v8.yaml": "v8/yolov8-worldv2.yaml",
    "v8/yoloe-v8-seg.yaml": "v8/yolov8-world.yaml",
    "11/yoloe-11.yaml": "11/yolo11.yaml",
    "11/yoloe-11-seg.yaml": "11/yolo11-seg.yaml",
    "26/yolo26-sem.yaml": "26/yolo26.yaml",
}

#: Files whose lines were printed when they had 80 classes: in the history of
#: https://github.com/ultralytics/ultralytics those of YOLO11 until faffb00, those of YOLO12 until 1e2df30.
CLASSES = ("11/yolo11-cls.yaml", "12/yolo12-cls.yaml")


def main(folder: Path) -> None:
    """Print what is other than its line, and how many are not."""
    found: Counter[str] = Counter()
    for path in sorted(folder.glob("*/*.yaml")):
        name = path.relative_to(folder).as_posix()
        for scale in LINE.findall(path.read_text("utf-8")):
            network = dialects.network(dialects.find(f"{path}:{scale}"))
            found["lines"] += 1
            if name in COPIED:
                other = dialects.network(dialects.find(f"{folder / COPIED[name]}:{scale}"))
                network = replace(other, meta=replace(other.meta, published=network.meta.published))
                found["lines that are copies of other files'"] += 1
            figures = published_figures.find(network)
            for figure in figures:
                holds = figure.verdict in (EQUAL, ROUNDED)
                explained = figure.verdict == EXPLAINED and name in CLASSES
                found[figure.what.partition(" (")[0]] += holds
                found["figures of 80 classes"] += explained
                if not holds and not explained:
                    print(f"{name}:{scale}: {figure.what} {figure.printed}, {figure.computed}")
            found["lines of four figures that hold"] += len(figures) == 4 and all(
                figure.verdict in (EQUAL, ROUNDED) for figure in figures
            )
    for what, number in found.items():
        print(f"{number:>5} {what}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
