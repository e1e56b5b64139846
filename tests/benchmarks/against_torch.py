"""How fast archlens is beside a built torch module and torchinfo: ratios, measured side by side.

Run by hand, on an idle machine: ``python tests/benchmarks/against_torch.py``. It is no test: it prints
medians and never fails. It needs the ``test`` extra.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Makes torchvision's models importable beside a torch without compiled CUDA operators.
TORCHVISION = """
import torch
try:
    import torchvision
except RuntimeError:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
import torchinfo
"""

#: A module as somebody has it, in a file.
MODULE = (
    TORCHVISION.replace("import torchinfo\n", "")
    + """
def net():
    return torchvision.models.resnet50()
"""
)

FLOOR = MODULE + "net()\n"

SUMMARY_OF_MODULE = (
    MODULE
    + """
import torchinfo
print(torchinfo.summary(net(), (1, 3, 224, 224), device="meta", verbose=0))
"""
)

SUMMARY = (
    TORCHVISION
    + """
with torch.device("meta"):
    model = torchvision.models.resnet152()
print(torchinfo.summary(model, (1, 3, 224, 224), device="meta", verbose=0))
"""
)

IN_PROCESS = (
    TORCHVISION
    + """
import statistics, time
import archlens
from archlens.elaboration import elaborate
from archlens.language import library, parse

text = (library.directory() / "resnet.yaml").read_text("utf-8")

def theirs():
    with torch.device("meta"):
        model = torchvision.models.resnet50()
    str(torchinfo.summary(model, (1, 3, 224, 224), device="meta", verbose=0))

def ours():
    assert elaborate(parse(text), "resnet50").params == 25557032

def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start

def block(function, times):
    function()
    return statistics.median(timed(function) for _ in range(times))

pairs = [(block(ours, 20), block(theirs, 5)) for _ in range(5)]
print(statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs),
      statistics.median(b / a for a, b in pairs))
"""
)

SCALING = """
import resource, statistics, time
from archlens.elaboration import elaborate
from archlens.language import parse

SPEC = '''
input: 8x32x32
blocks:
  unit(width):
    - residual:
        - conv1: conv(width, 3, padding=1, bias=false)
        - bn1: batch_norm
        - relu
        - conv2: conv(width, 3, padding=1, bias=false)
        - bn2: batch_norm
    - relu
layers:
  - layer: unit(x.channels) * {count}
'''

def per_layer(count, times):
    spec = parse(SPEC.format(count=count))
    found = []
    for _ in range(times):
        start = time.perf_counter()
        network = elaborate(spec)
        found.append((time.perf_counter() - start) / len(network))
    return statistics.median(found), len(network)

small, a = per_layer(143, 25)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
large, b = per_layer(142_857, 1)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(a, small, b, large, peak * 1024 / b)
"""


def run(code: str) -> tuple[float, float, str]:
    """Wall time in seconds, peak memory in MB and output of a fresh Python process."""
    return measure([sys.executable, "-c", code])


def measure(command: list[str]) -> tuple[float, float, str]:
    """Wall time in seconds, peak resident memory in MB and output of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"{command} failed"
    return time.perf_counter() - start, usage.ru_maxrss / 1e3, output


def traced(archlens: str) -> None:
    """A module traced, beside what it takes to import torch and to make it, and beside torchinfo."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.py")
        path.write_text(MODULE, "utf-8")
        commands = {
            "import and build": [sys.executable, "-c", FLOOR],
            "archlens": [archlens, "shapes", f"{path}:net", "--input", "3x224x224"],
            "torchinfo": [sys.executable, "-c", SUMMARY_OF_MODULE],
        }
        found: dict[str, list[tuple[float, float, str]]] = {name: [] for name in commands}
        for _ in range(5):
            for name, command in commands.items():
                found[name].append(measure(command))
    for name, runs in found.items():
        times, memory, _ = zip(*runs, strict=True)
        floor = [run[0] for run in found["import and build"]]
        more = statistics.median(a - b for a, b in zip(times, floor, strict=True))
        print(
            f"a module, resnet50: {name} {statistics.median(times):.2f} s, {more:+.2f} s, "
            f"{statistics.median(memory):.0f} MB"
        )


def main() -> None:
    archlens = str(Path(sys.executable).parent / "archlens")
    ours, theirs = [archlens, "shapes", "resnet152"], [sys.executable, "-c", SUMMARY]
    measure(ours), measure(theirs)
    pairs = [(measure(ours), measure(theirs)) for _ in range(7)]
    a, b = (statistics.median(pair[i][0] for pair in pairs) for i in (0, 1))
    ratio = statistics.median(theirs[0] / ours[0] for ours, theirs in pairs)
    memory = [max(pair[i][1] for pair in pairs) for i in (0, 1)]
    print(f"whole process, resnet152: archlens {a:.3f} s, torchinfo {b:.3f} s: {ratio:.1f} times faster")
    print(f"peak memory: archlens {memory[0]:.1f} MB, torchinfo {memory[1]:.1f} MB")
    traced(archlens)
    a, b, ratio = map(float, run(IN_PROCESS)[2].split())
    print(
        f"in process, resnet50: archlens {a * 1e3:.2f} ms, torchinfo {b * 1e3:.1f} ms: "
        f"{ratio:.1f} times faster"
    )
    few, small, many, large, size = map(float, run(SCALING)[2].split())
    print(
        f"per layer: {small * 1e6:.2f} us at {few:,.0f} layers, {large * 1e6:.2f} us at {many:,.0f}: "
        f"ratio {large / small:.2f}; {size:.0f} bytes a layer"
    )


if __name__ == "__main__":
    main()
