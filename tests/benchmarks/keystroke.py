"""How long an editor waits for marks after a key: ``archlens lsp`` beside a server that marks nothing.

Usage: ``python tests/benchmarks/keystroke.py [NAME] [COUNT]``; of the file of ``resnet152`` and 60 keys,
unless they are given. Printed are the median and the slowest tenth, in milliseconds of wall clock.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from archlens.library import find
from tests.protocol import BARE, Editor


def keys(editor: Editor, text: str, count: int) -> list[float]:
    """How long each of so many keys takes, which spoil a word and mend it in turn."""
    uri = "file:///nowhere/file.yaml"
    editor.open(uri, text)
    time.sleep(1)
    lines = text.split("\n")
    line = next(number for number, one in enumerate(lines) if one.strip().startswith("- relu"))
    column = lines[line].index("relu")
    taken = []
    for number in range(count):
        spoiled = number % 2 == 0
        range_ = {
            "start": {"line": line, "character": column},
            "end": {"line": line, "character": column + 1},
        }
        change = {"range": range_, "text": "q" if spoiled else "r"}
        start = time.perf_counter()
        editor.change(uri, change)
        editor.marks(uri)
        taken.append((time.perf_counter() - start) * 1000)
        time.sleep(0.05)
    return taken


def main(name: str = "resnet152", count: str = "60") -> None:
    text = find(name).spec.source.text
    for title, command in [
        ("a bare server", (sys.executable, "-c", BARE)),
        ("archlens lsp", (sys.executable, "-m", "archlens", "lsp")),
    ]:
        editor = Editor(*command)
        taken = sorted(keys(editor, text, int(count)))
        editor.close()
        median, slow = statistics.median(taken), taken[-len(taken) // 10]
        print(f"{title:14}  median {median:6.1f}  slowest tenth {slow:6.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
