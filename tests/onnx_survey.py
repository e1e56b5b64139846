"""Models exported to ONNX, read, and held against ``onnx.shape_inference``, the file and the module.

It wants ``onnx``, ``onnxscript`` and the library beside archlens' own test environment::

    python tests/onnx_survey.py torchvision dynamo fixed            # all networks of the zoo's list
    python tests/onnx_survey.py timm script batch 20 7              # so many, drawn by that seed
    python tests/onnx_survey.py torchvision dynamo free resnet18    # these
    python tests/onnx_survey.py files model.onnx ...                # files as they are, without MACs

The exporter is torch's newer one, ``dynamo``, or TorchScript's, ``script``; ``fixed`` are all axes,
``batch`` has that one open, and ``free`` height and width, too. Models have drawn values, for equal tensors
are kept once in a file. Compared are the sizes of every tensor that ``infer_shapes`` (strict, with data
propagation) knows in full or in part, the parameters with the floating-point initializers that lead to an
output, and the multiply-accumulates with torch's counter on the module. Weights whose products with constants
the exporter has computed are not in a file, so what their modules multiply is taken from that, and said.
"""

from __future__ import annotations

import csv
import random
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnx  # type: ignore[import-not-found]
import torch
from conftest import load_torchvision  # type: ignore[import-not-found]
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from archlens import dialects
from archlens.dialects.format import Read

#: The types of weights.
FLOATS = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE}

#: How many samples open files are run on.
SAMPLES = 3

#: What a norm reads and trains not, and what a recurrent layer starts from; and what of a resize, a
#: quantisation or a clip are numbers of its own.
OWN = {"BatchNormalization": (3, 4), "Resize": (1, 2), "Clip": (1, 2), "Pad": (2,)}
OWN |= dict.fromkeys(("LSTM", "GRU", "RNN"), (5, 6))


def made(library: str, name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A model with drawn values, but its input; initialisations take longer than all the rest."""
    kinds = [one for one in vars(nn.init).values() if getattr(one, "__name__", "").endswith("_")]
    held = {one.__name__: one for one in kinds if callable(one)}
    for one in held:
        setattr(nn.init, one, lambda tensor, *args, **more: tensor)
    try:
        if library == "timm":
            import timm  # type: ignore[import-not-found]

            module = timm.create_model(name)
            shape = tuple(module.default_cfg["input_size"])
        else:
            module = load_torchvision().models.get_model(name, weights=None, **_options(name))
            shape = (3, *SIDES.get(name, (224, 224)))
    finally:
        for one, function in held.items():
            setattr(nn.init, one, function)
    torch.manual_seed(0)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            tensor.data.uniform_(0.01, 0.02)
    return module.eval(), shape


#: The sides of the inputs of those that want others.
SIDES = {"inception_v3": (299, 299), **dict.fromkeys(("r3d_18", "mc3_18", "r2plus1d_18"), (16, 112, 112))}


def _options(name: str) -> dict[str, Any]:
    """What a model of torchvision is to be made with."""
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "init_weights": False}
    return {"weights_backbone": None} if name.startswith(("fcn", "deeplab", "lraspp")) else {}


class First(nn.Module):
    """A model whose output is the first of a dictionary's."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.inner = module

    def forward(self, x: torch.Tensor) -> Any:
        found = self.inner(x)
        return next(iter(found.values())) if isinstance(found, dict) else found


def exported(module: nn.Module, shape: tuple[int, ...], exporter: str, axes: str, path: Path) -> None:
    free = {"fixed": {}, "batch": {0: "batch"}, "free": {0: "batch", 2: "height", 3: "width"}}[axes]
    x = torch.rand(SAMPLES if free else 1, *shape)
    if exporter == "dynamo":
        dims = dict.fromkeys(free, torch.export.Dim.DYNAMIC)
        program = torch.onnx.export(
            module, (x,), dynamo=True, dynamic_shapes=(dims,) if free else None, verbose=False
        )
        assert program is not None
        program.save(path)
    else:
        names = {"x": free} if free else None
        torch.onnx.export(
            module, (x,), str(path), dynamo=False, input_names=["x"], dynamic_axes=names, opset_version=17
        )


def counted(model: Any, filled: bool = False) -> int:
    """The floating-point constants that lead to an output, but for single numbers and statistics.

    A single number that has a path as its name is a parameter. The light files of the ``onnx`` wheel have
    the sizes of their weights alone, which a node fills.
    """
    sizes = {
        one.name: tuple(one.dims)
        for one in model.graph.initializer
        if one.data_type in FLOATS and (one.dims or "." in one.name)
    }
    held = {one.name: one for one in model.graph.initializer}
    for node in model.graph.node:
        for one in node.attribute if node.op_type == "Constant" else ():
            if one.HasField("t") and one.t.data_type in FLOATS and len(one.t.dims):
                sizes[node.output[0]] = tuple(one.t.dims)
        if filled and node.op_type == "ConstantOfShape" and node.input[0] in held:
            sizes[node.output[0]] = tuple(onnx.numpy_helper.to_array(held[node.input[0]]))
    needed = {one.name for one in model.graph.output}
    read = set()
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            own = OWN.get(node.op_type, ())
            read.update(name for i, name in enumerate(node.input) if i not in own)
    whole = {name: prod(sizes[name]) for name in read if name in sizes}
    named = {one.name for one in model.graph.initializer if "." in one.name}
    return sum(size for name, size in whole.items() if size > 1 or name in named)


#: What the exporter says of a constant that it has worked out: what of.
FOLDED = "pkg.onnxscript.optimizer.folded_from"


def folded(model: Any) -> set[str]:
    """The modules of the weights whose products with constants stand in a file, and not they themselves."""
    held = {one.name for one in model.graph.initializer}
    found = set()
    for one in model.graph.value_info:
        for said in (props.value for props in one.metadata_props if props.key == FOLDED):
            names = [name for name in re.findall(r"'([^']+)'", said) if "." in name]
            weights = [name for name in names if name.endswith(".weight") and name not in held]
            if len(names) > 1 and len(weights) == 1:  # one alone was turned, and is still there
                found.add(weights[0].removesuffix(".weight"))
    return found


def gone(model: Any, ran: Mapping[str, int]) -> int:
    """What these modules multiply."""
    return sum(ran.get(name, 0) for name in folded(model))


def differences(
    path: Path,
    seen: Counter[str],
    shape: tuple[int, ...] | None = None,
    ran: Mapping[str, int] = MappingProxyType({}),
) -> Iterator[str]:
    """What archlens says of a file, and others do not.

    Args:
        path: of the file.
        seen: what is counted of it.
        shape: of its input.
        ran: the multiply-accumulates of each module, by its path, and of the whole by none.
    """
    found = dialects.find(str(path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = dialects.network(found, input="x".join(map(str, shape)) if shape else None)
    model = onnx.load(path, load_external_data=False)
    params = counted(model, path.name.startswith("light_"))
    if network.params != params:
        yield f"params {network.params:,} for {params:,}"
    macs = ran.get("", network.macs) - gone(model, ran)
    if network.macs != macs or network.unknown:
        yield f"MACs {network.macs:,} for {macs:,}; unknown: {dict(network.unknown)}"
    for one in model.graph.initializer:  # large weights carry no size, and infer_shapes copies them
        if prod(one.dims) > 1000 and one.data_type in FLOATS:
            one.ClearField("raw_data")
            one.data_location = onnx.TensorProto.EXTERNAL
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    known = {one.name: one.type.tensor_type for one in (*inferred.value_info, *inferred.output)}
    assert isinstance(network.origin, Read)
    seen["layers"] += len(network.layers)
    seen["opaque"] += sum(layer.op.kind == "opaque" for layer in network)
    tensors = network.origin.model.tensors(network.inputs, SAMPLES)  # type: ignore[union-attr]
    for name, sizes in tensors.items():
        seen["tensors"] += 1
        if name not in known or not known[name].HasField("shape"):
            seen["tensors that onnx does not know"] += 1
            continue
        dims = known[name].shape.dim
        said = [one.dim_value if one.HasField("dim_value") else None for one in dims]
        seen["tensors that onnx knows in part"] += None in said
        if len(said) != len(sizes) or any(n not in (None, m) for n, m in zip(said, sizes, strict=True)):
            yield f"{name}: {sizes} for {said}"


def listed(library: str) -> list[str]:
    """The models of a library; of torchvision those that the zoo has, the smallest first."""
    if library == "timm":
        import timm

        return list(timm.list_models())
    text = (Path(__file__).parent / "data" / "torchvision.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    sizes = {row["model"]: int(row["num_params"]) for row in rows}
    return sorted(sizes, key=lambda name: sizes[name])


def model_of(
    library: str, name: str, exporter: str, axes: str, folder: str
) -> tuple[Path, tuple[int, ...], dict[str, int]]:
    """A model as a file, its input, and the multiply-accumulates that torch counts in each module."""
    made_so, shape = made(library, name)
    module = First(made_so).eval()
    path = Path(folder, "model.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported(module, shape, exporter, axes, path)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module.requires_grad_(False).to("meta")(torch.empty(1, *shape, device="meta"))
    counts = {
        path.removeprefix("First."): sum(own.values()) // 2 for path, own in counter.get_flop_counts().items()
    }
    return path, shape, {**counts, "": counter.get_total_flops() // 2}


def main(library: str, *given: str) -> None:
    load_torchvision()  # which timm imports
    exporter, axes, names = ("", "", given) if library == "files" else (*given[:2], given[2:])
    if not names:
        names = tuple(listed(library))
    elif names[0].isdigit():
        names = tuple(random.Random(int((*names, "1")[1])).sample(listed(library), int(names[0])))
    seen: Counter[str] = Counter()
    for name in names:
        without = 0
        try:
            with tempfile.TemporaryDirectory() as folder:
                if library == "files":
                    found = list(differences(Path(name), seen))
                else:
                    path, shape, ran = model_of(library, name, exporter, axes, folder)
                    found = list(differences(path, seen, shape, ran))
                    model = onnx.load(path, load_external_data=False)
                    without = gone(model, ran)
        except Exception as problem:  # of the library, the exporter or onnx: said, and counted
            found = [f"{type(problem).__name__}: {str(problem).partition(chr(10))[0][:300]}"]
            seen["refused or not exported"] += 1
        seen["models"] += 1
        seen["differ"] += bool(found)
        but = f" but for {without:,} MACs with constants that the exporter has computed" if without else ""
        print(f"{name}: {'; '.join(found[:4]) or 'equal'}{but}", flush=True)
    for what, number in seen.items():
        print(f"{number:>9,} {what}")


if __name__ == "__main__":
    main(*sys.argv[1:])
