"""What a file is, whatever tool it is of: by its first bytes, by its ending, or nothing that is known."""

from __future__ import annotations

import io
import re
import subprocess
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

import archlens
from archlens.cli import cli

from .test_tflite import CONV, Net, small, whole

#: A stride of 1.
WHOLE = whole(1)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["net.tflite", "net.bin", "net.onnx", "net", "net.yaml"])
def test_the_first_bytes_say_what_a_file_is(name: str) -> None:
    Path(name).write_bytes(small().bytes())
    assert archlens.study(name).network.params == 469
    assert archlens.load(name).params == 469


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("net.foo", b"\x80\x02}q\0"),
        ("net.txt", b"hello world\n"),
        ("net.json", b'{"a": 1}'),
        ("net.bin", b""),
    ],
)
def test_what_is_of_no_format_is_told_which_there_are(name: str, content: bytes) -> None:
    Path(name).write_bytes(content)
    with pytest.raises(archlens.UsageError, match=f"{name} is not in a format that archlens reads") as raised:
        archlens.study(name)
    said = str(raised.value)
    assert "a spec (.yaml)" in said
    assert "an ONNX model (.onnx)" in said
    assert "a TensorFlow Lite file (.tflite)" in said


@pytest.mark.parametrize("name", ["net", "net.txt", "net.json"])
def test_a_spec_is_one_under_any_name(name: str) -> None:
    Path(name).write_text('{"input": "1x8x8", "layers": ["conv(2, 3)"]}')
    assert archlens.study(f"./{name}").network.output == (2, 6, 6)


def test_a_file_that_is_not_there() -> None:
    Path("model.onnx").write_bytes(b"")
    with pytest.raises(archlens.UsageError, match=r"there is no file modle\.onnx") as raised:
        archlens.study("modle.onnx")
    assert "did you mean model.onnx?" in str(raised.value)
    Path("some.tflite").mkdir()
    with pytest.raises(archlens.UsageError, match=r"some\.tflite is a folder"):
        archlens.study("some.tflite")


def test_a_file_has_no_spec() -> None:
    Path("net.tflite").write_bytes(small().bytes())
    said = str(CliRunner().invoke(cli, ["show", "net.tflite"]).exception)
    assert "net.tflite is a TensorFlow Lite file, and has no spec" in said
    assert "archlens convert net.tflite writes one" in said
    claims = CliRunner().invoke(cli, ["claims", "net.tflite"])
    assert (claims.exit_code, claims.output) == (0, "No figure is published of net.tflite.\n")


def test_a_file_as_it_was_at_a_revision(tmp_path: Path) -> None:
    def git(*args: str) -> None:
        named = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(["git", *named, *args], check=True, capture_output=True)

    Path("nets").mkdir()
    Path("nets/net.tflite").write_bytes(small().bytes())
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    wide = Net((1, 32, 20, 3))
    wide.run(CONV, [wide.inputs[0], wide.weight("w", 8, 1, 1, 3)], (1, 32, 20, 8), _1=WHOLE, _2=WHOLE)
    Path("nets/net.tflite").write_bytes(wide.bytes())
    said = CliRunner().invoke(cli, ["diff", "HEAD:nets/net.tflite", "nets/net.tflite"]).output
    assert re.search(r"^params +469 +24 +-445", said, re.MULTILINE), said
    Path("nets/net.tflite").write_bytes(b"TFL3")
    git("commit", "-q", "-a", "-m", "two")
    said = str(CliRunner().invoke(cli, ["diff", "HEAD:nets/net.tflite", "HEAD~1:nets/net.tflite"]).exception)
    assert "HEAD:nets/net.tflite is not a TensorFlow Lite file" in said
    said = str(CliRunner().invoke(cli, ["diff", "HEAD:nets/other.onnx", "HEAD~1:nets/net.tflite"]).exception)
    assert "HEAD has no file nets/other.onnx" in said


def test_channels_that_seem_to_stand_last_are_said_once() -> None:
    net = Net((1, 30, 1, 40))
    net.run(CONV, [net.inputs[0], net.weight("w", 8, 1, 1, 40)], (1, 30, 1, 8), _1=WHOLE, _2=WHOLE)
    Path("net.tflite").write_bytes(net.bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = CliRunner().invoke(cli, ["shapes", "net.tflite"])
    assert found.output.count("40x30x1 is read as 40 channels of 30x1") == 1
    with pytest.warns(UserWarning, match="40x30x1 is read as 40 channels") as said:
        archlens.load("net.tflite")
    assert len(said) == 1


def test_a_variant_that_a_file_has_not() -> None:
    Path("net.tflite").write_bytes(small().bytes())
    with pytest.raises(archlens.UsageError, match=r"net\.tflite has no variant big") as raised:
        archlens.study("net.tflite:big")
    assert "it has no variants" in str(raised.value)


def saved(kind: str) -> bytes:
    """A file as torch writes it."""
    import torch

    held = io.BytesIO()
    linear = torch.nn.Linear(2, 2)
    if kind == "script":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated, and files of it are still about
            torch.jit.save(torch.jit.script(linear), held)
    elif kind == "program":
        torch.export.save(torch.export.export(linear, (torch.zeros(3, 2),)), held)
    else:
        torch.save(linear.state_dict(), held, _use_new_zipfile_serialization=kind == "new")
    return held.getvalue()


def test_what_torch_saved_is_said_whatever_it_is_called() -> None:
    for name in ("net.pt", "net", "net.onnx", "net.keras"):
        for kind, said in (("new", "checkpoint"), ("old", "checkpoint"), ("script", "TorchScript program")):
            Path(name).write_bytes(saved(kind))
            with pytest.raises(archlens.UsageError, match=f"^error: {name} is a {said}") as raised:
                archlens.study(name)
            assert "model.py:Net" in str(raised.value)
    Path("net.pt2").write_bytes(saved("program"))
    assert archlens.study("net.pt2").network.params == 6


@pytest.mark.parametrize(
    ("name", "content", "said", "instead"),
    [
        ("a.pth", b"?", "checkpoint of torch", "torch.onnx.export"),
        ("a.h5", b"?", "HDF5", "model.keras"),
        ("a", b"\x89HDF\r\n\x1a\n", "HDF5", "model.keras"),
        ("a.safetensors", b"?", "weights but no network", "config.json"),
        ("a", b'\x40\0\0\0\0\0\0\0{"w":{"dtype":"F32"}}', "weights but no network", "config.json"),
        ("a.bin", b"GGUF\3\0\0\0", "weights of a language model", "config.json"),
        ("a.mlmodel", b"\x08\x01", "Core ML", "ONNX"),
        ("a.pb", b"\n\x0f", "graph of TensorFlow", ".tflite"),
        ("a.engine", b"?", "engine of TensorRT", ".onnx"),
        ("a", b"ftrt\0\0", "engine of TensorRT", ".onnx"),
        ("a.xml", b'<?xml version="1.0"?>\n<net name="a">', "network of OpenVINO", ".onnx"),
        ("a.ort", b"\x18\0\0\0ORTM", "onnxruntime's own format", ".onnx"),
        ("a.weights", b"?", "weights of darknet", ".cfg"),
        ("a.caffemodel", b"?", "weights of Caffe", ".prototxt"),
        ("a.pkl", b"?", "pickle", "model.py:Net"),
        ("a.py", b"?", "Python code", "model.py:Net"),
        ("a.ipynb", b"{}", "notebook", "model.py:Net"),
        ("a.npy", b"\x93NUMPY", "arrays but no network", "model file"),
        ("config.json", b'{"architecture": "vit", "pretrained_cfg": {}}', "configuration of timm", "zoo"),
        ("config.json", b'{\n  "_class_name": "UNet2DModel"}', "configuration of diffusers", "model.py:net"),
        ("a.json", b'{"peft_type": "LORA", "r": 8}', "configuration of PEFT", "config.json"),
    ],
)
def test_a_file_that_is_not_read_is_said_with_what_to_do(
    name: str, content: bytes, said: str, instead: str
) -> None:
    Path(name).write_bytes(content)
    with pytest.raises(archlens.UsageError, match=f"^error: {re.escape(name)} [^\n]*{said}") as raised:
        archlens.study(name)
    assert instead in str(raised.value)
    assert CliRunner().invoke(cli, ["shapes", name]).exit_code != 0
    if name.endswith((".pth", ".h5", ".pb", ".engine")):
        with pytest.raises(archlens.UsageError, match=r"there is no file b\.a"):
            archlens.study(f"b.{name}")


def test_a_folder_that_holds_a_network_is_said() -> None:
    Path("net.mlpackage").mkdir()
    Path("saved").mkdir()
    Path("saved/saved_model.pb").write_bytes(b"")
    for name, said in (
        ("net.mlpackage", "Core ML model"),
        ("net.mlpackage/", "Core ML"),
        ("saved", "TensorFlow"),
    ):
        with pytest.raises(archlens.UsageError, match=said):
            archlens.study(name)


def test_a_link_that_leads_to_no_file(tmp_path: Path) -> None:
    Path("loop.onnx").symlink_to("loop.onnx")
    Path("gone.tflite").symlink_to("nowhere.tflite")
    for name in ("loop.onnx", "gone.tflite"):
        with pytest.raises(archlens.UsageError, match=f"{name} is a link that leads to no file"):
            archlens.study(name)
