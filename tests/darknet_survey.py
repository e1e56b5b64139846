"""Cfg files of darknet, read, and held against what darknet prints when it lays them out.

Both programs can be built without a GPU, and none of theirs is here::

    git clone https://github.com/AlexeyAB/darknet && make -C darknet LIBSO=1   # or pjreddie/darknet, make
    python tests/darknet_survey.py darknet/libdarknet.so darknet/cfg/*.cfg

Each file is given to the library in a process of its own, without weights. Compared are for every layer the
size of its output and its BFLOPs, to the digits that are printed, and the sum of these where it is. The first
program counts convolutions, 2 for each multiply-accumulate. The later one adds a value for each position that
a window of pooling looks at and for each sum of a shortcut (two where it is weighted), and counts a
convolution of bits (``xnor``) as a thirty-second of it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path

from archlens import dialects
from archlens.errors import ArchlensError
from archlens.network import Layer

#: What lays a file out in darknet: the later program's function, or that of the first.
LAID_OUT = """
import ctypes, sys
program, file = ctypes.CDLL(sys.argv[1]), sys.argv[2].encode()
if hasattr(program, "load_network_custom"):
    program.load_network_custom(file, None, 0, 1)
else:
    program.parse_network_cfg(file)
"""

#: A line of the listing, the size at its end, and its BFLOPs.
ROW = re.compile(r"^ *(\d+) \[?([A-Za-z]\w*)\b(.*)$")
SIZE = re.compile(r"-> *(\d+)(?: *x *(\d+) *x *(\d+))?|: *\d+ inputs, (\d+) outputs")
COST = re.compile(r"(\d+\.\d{3}) BF")
TOTAL = re.compile(r"^Total BFLOPS (\d+\.\d{3})", re.MULTILINE)

#: The kinds of rows that count, and those of convolutions of bits among them.
COUNTED = ("conv", "convS", "convX", "convXB", "CRNN", "max", "avg", "Shortcut")
BITS = ("convX", "convXB")

#: Half of the last digit that is printed, and what the sum of floats loses.
HALF, LOST = 0.0005, 1e-6


def printed(library: str, path: Path) -> str:
    """What darknet prints of a file."""
    run = [sys.executable, "-c", LAID_OUT, library, path.as_posix()]
    done = subprocess.run(run, capture_output=True, timeout=300)
    # it may fail behind the listing, for want of a file that training needs
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def cost(kind: str, layers: list[Layer]) -> float:
    """The operations of a section, as darknet counts them, in billions."""
    total = 2 * sum(layer.macs or 0 for layer in layers)
    if kind in ("max", "avg"):  # a global mean has no window, and costs nothing
        window = getattr(layers[0].op, "kernel", 0)
        total = prod(window if isinstance(window, tuple) else (window, window)) * prod(layers[0].shape)
    if kind == "Shortcut":
        (joined,) = (layer for layer in layers if len(layer.inputs) > 1)
        total = (len(joined.inputs) - 1) * prod(joined.shape) * (2 if joined.op.kind == "opaque" else 1)
    return total / 10**9 / (32 if kind in BITS else 1)


def differences(text: str, path: Path, seen: Counter[str]) -> Iterator[str]:
    """What archlens says of a file, and its printed listing does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = dialects.network(dialects.find(path.as_posix()))
    sections: dict[int, list[Layer]] = {}
    for layer in network.layers:
        sections.setdefault(int(layer.name.partition(".")[0]), []).append(layer)
    rows = {int(row[1]): (row[2], row[3].strip()) for row in map(ROW.match, text.splitlines()) if row}
    if len(rows) <= max(sections):
        why = next((one for one in text.splitlines() if "ssert" in one), "")
        yield f"{len(rows)} layers are printed, and {max(sections) + 1} read; {why}"
    whole = 0.0
    for number, (kind, rest) in rows.items():
        layers = sections.get(number, [])
        if not layers:
            seen["layers that make no layer here"] += 1  # routes to one layer, and heads
            continue
        seen["layers"] += 1
        shape = layers[-1].shape
        if size := SIZE.search(rest):
            seen["sizes"] += 1
            sides = [int(one) for one in size.groups() if one]
            if sides != ([shape[2], shape[1], shape[0]] if len(sides) == 3 else [prod(shape)]):
                yield f"{number} {kind}: {shape} for {'x'.join(map(str, sides))}"
        if kind in COUNTED:
            whole += cost(kind, layers)
        if figure := COST.search(rest):
            seen["BFLOPs"] += 1
            if abs(cost(kind, layers) - float(figure[1])) > HALF + LOST:
                yield f"{number} {kind}: {cost(kind, layers):.4f} BFLOPs for {figure[1]}"
    if total := TOTAL.search(text):
        seen["sums"] += 1
        if abs(whole - float(total[1])) > HALF + LOST * float(total[1]):
            yield f"{whole:.4f} BFLOPs in all for {total[1]}"


def main(library: str, *paths: str) -> None:
    seen: Counter[str] = Counter()
    for path in map(Path, paths):
        try:
            found = list(differences(printed(library, path), path, seen))
        except (ArchlensError, subprocess.TimeoutExpired) as problem:
            found = [str(problem).partition("\n")[0]]
        seen["files"] += 1
        seen["files that differ"] += bool(found)
        print(f"{path.name}: {'; '.join(found[:4]) or 'equal'}", flush=True)
    for what, number in seen.items():
        print(f"{number:>9,} {what}")


if __name__ == "__main__":
    main(*sys.argv[1:])
