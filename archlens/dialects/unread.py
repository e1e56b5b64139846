"""Files of other tools that are not read, and are named by mistake: what they are, and what to do instead."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from ..errors import UsageError, shorten, usage


class Unread(NamedTuple):
    """A kind of files that is known and not read."""

    #: What such a file is, as it follows its name: ``is HDF5``.
    said: str
    #: What to do instead.
    instead: str
    #: How its files end, each with its dot.
    endings: tuple[str, ...]
    #: How its files start; ``None`` where that is said by the ending alone.
    starts: re.Pattern[bytes] | None = None


def _starts(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


_EXPORT = 'torch.onnx.export(model, args, "model.onnx", dynamo=True) or torch.export.save write it as a file'

#: The first member of a zip archive as torch writes it, in the folder that all lie in.
_MEMBER = rb"PK\x03\x04.{26}[^/\0]{1,200}/"

#: What is known, a kind that says more before those that say less.
KINDS = (
    Unread(
        "is HDF5, which is not read",
        'save the model as model.save("model.keras"), or its layers alone: '
        'open("model.json", "w").write(model.to_json())',
        (".h5", ".hdf5"),
        _starts(rb"\x89HDF\r\n\x1a\n"),
    ),
    Unread(
        "is a TorchScript program, whose code is not run here",
        f"name the module by its Python name, as model.py:Net; or {_EXPORT}",
        (".ptl", ".mar"),
        _starts(_MEMBER + rb"(code/|constants\.pkl|data/\d)"),
    ),
    Unread(
        "is a checkpoint of torch: weights, or a pickled module, which only running its code would show",
        f"name the module by its Python name, as model.py:Net; or {_EXPORT}",
        (".pt", ".pth", ".ckpt"),
        _starts(_MEMBER + rb"data\.pkl|\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19\."),
    ),
    Unread(
        "holds weights but no network",
        "the config.json next to it describes the network, and can be read",
        (".safetensors",),
        _starts(rb".{8}\{\s*\"[^\0]{1,500}\"(dtype|format)\""),
    ),
    Unread(
        "holds weights of a language model but no network",
        "the config.json of the model that it was made from describes the network, and can be read",
        (".gguf", ".ggml"),
        _starts(b"GGUF"),
    ),
    Unread(
        "is a Core ML model, which is not read",
        "export the model that it was made from to ONNX or as a .pt2",
        (".mlmodel", ".mlpackage", ".mlmodelc"),
    ),
    Unread(
        "is a graph of TensorFlow, which is not read",
        "tf.lite.TFLiteConverter.from_saved_model(folder).convert() makes a .tflite, and tf2onnx an .onnx",
        (".pb", ".pbtxt"),
    ),
    Unread(
        "is an engine of TensorRT, compiled for one kind of GPU",
        "the .onnx that it was built from can be read",
        (".engine", ".trt", ".plan"),
        _starts(rb"(ftrt|ptrt)"),
    ),
    Unread(
        "is a network of OpenVINO, which is not read",
        "the .onnx that it was converted from can be read",
        (),
        _starts(rb"\s*<\?xml[^>]{0,200}>\s*<net\s"),
    ),
    Unread(
        "is in onnxruntime's own format, which is not read",
        "the .onnx that it was made from can be read",
        (".ort",),
        _starts(rb".{4}ORTM"),
    ),
    Unread(
        "holds weights of darknet but no network",
        "the .cfg that belongs to it describes the network, and can be read",
        (".weights",),
    ),
    Unread(
        "holds weights of Caffe",
        "the .prototxt that belongs to it describes the network, and can be read",
        (".caffemodel",),
    ),
    Unread(
        "is a pickle, which runs code when it is read",
        "name a torch module by its Python name, as model.py:Net",
        (".pkl", ".pickle", ".joblib"),
    ),
    Unread(
        "is Python code, and not one module of it",
        "name what it is called there, as in model.py:Net",
        (".py",),
    ),
    Unread(
        "is a notebook, whose code is not run",
        "trace the module there, with archlens.trace(net, (3, 224, 224)); or put it into a file, and name it "
        "as in model.py:Net",
        (".ipynb",),
    ),
    Unread(
        "is a configuration of timm, which names a network and does not describe it",
        "archlens list shows those of the zoo, under timm's names; or trace timm's module, as model.py:net",
        (),
        _starts(rb"\s*\{[^\0]{0,4000}?\"pretrained_cfg\"\s*:"),
    ),
    Unread(
        "is a configuration of diffusers, which is not read",
        "trace the module that is made from it, as model.py:net",
        (),
        _starts(rb"\s*\{\s*\"_class_name\"\s*:"),
    ),
    Unread(
        "is a configuration of PEFT, which says how a model of another file is changed",
        "the config.json of that model describes the network, and can be read",
        (),
        _starts(rb"\s*\{[^\0]{0,4000}?\"peft_type\"\s*:"),
    ),
    Unread(
        "holds arrays but no network",
        "name what they belong to: a spec, a torch module or a model file",
        (".npy", ".npz"),
        _starts(rb"\x93NUMPY"),
    ),
)


def by_start(path: str, start: bytes) -> UsageError | None:
    """What to say of a file that starts as one of these does."""
    found = next((kind for kind in KINDS if kind.starts is not None and kind.starts.match(start)), None)
    return _said(path, found)


def by_ending(path: str) -> UsageError | None:
    """What to say of a file or a folder that ends as one of these does."""
    name = path.lower().rstrip("/" + os.sep)
    return _said(path, next((kind for kind in KINDS if name.endswith(kind.endings)), None))


def by_content(folder: str) -> UsageError | None:
    """What to say of a folder that TensorFlow wrote a network into, or Apple."""
    if os.path.isfile(os.path.join(folder, "saved_model.pb")):
        return _said(folder, next(kind for kind in KINDS if ".pb" in kind.endings))
    return by_ending(folder)


def endings() -> tuple[str, ...]:
    """How such files end."""
    return tuple(ending for kind in KINDS for ending in kind.endings)


def _said(path: str, kind: Unread | None) -> UsageError | None:
    return usage(f"{shorten(path, 200)} {kind.said}", help=kind.instead) if kind is not None else None
