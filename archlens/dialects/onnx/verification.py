"""What onnxruntime makes of a file, tensor by tensor, beside what its shapes are said to be.

The whole file runs, with random numbers for its inputs. onnxruntime is imported where it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...backends.checks import FAILED, PASSED, RUNTIME, Check
from ...errors import printable, usage
from .proto import written
from .wire import BYTES


def checks(
    path: str,
    inputs: Mapping[str, tuple[Sequence[int], str]],
    seen: Mapping[str, Sequence[int]],
) -> Iterator[Check]:
    """Hold the sizes of tensors against those that come out.

    Args:
        path: of the file.
        inputs: the sizes and types of all its inputs.
        seen: the sizes of the tensors that are held, by their names in the file.

    Raises:
        UsageError: onnxruntime does not run it.
    """
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    folder = os.path.dirname(os.path.abspath(path))
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
    draw = numpy.random.default_rng(0)
    given = {}
    for name, (sizes, dtype) in inputs.items():
        floats = dtype.startswith("float")
        given[name] = (draw.random(sizes) if floats else numpy.zeros(sizes)).astype(dtype)
    try:
        session = onnxruntime.InferenceSession(_shown(path, seen), options, ["CPUExecutionProvider"])
        names = [one.name for one in session.get_outputs() if one.name in seen]
        found = dict(zip(names, session.run(names, given), strict=True))
    except Exception as problem:  # whatever it raises where it does not take a file
        said = printable(str(problem).strip().partition("\n")[0])
        raise usage(f"onnxruntime does not run {printable(path)}", notes=(said,) if said else ()) from None
    for name, sizes in seen.items():
        ours, theirs = tuple(sizes), tuple(found[name].shape)
        status = PASSED if ours == theirs else FAILED
        yield Check(name, RUNTIME, status, written(ours), written(theirs), "")


def _shown(path: str, names: Mapping[str, Any]) -> bytes:
    """The file with all these tensors as outputs of its graph."""
    with open(path, "rb") as file:
        data = file.read()
    more = b"".join(_field(12, _field(1, name.encode())) for name in names)
    # a field that appears twice is one message: this adds to the graph
    return data + _field(7, more)


def _field(number: int, data: bytes) -> bytes:
    return _number(number << 3 | BYTES) + _number(len(data)) + data


def _number(n: int) -> bytes:
    found = b""
    while n > 127:
        found, n = found + bytes([n & 127 | 128]), n >> 7
    return found + bytes([n])
