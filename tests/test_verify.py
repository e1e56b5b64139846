"""``archlens verify``: it passes for every network, and a planted bug makes it fail and name the layer."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import archlens
from archlens.analysis import receptive_field
from archlens.backends import probing, torch_module, verification
from archlens.backends.checks import CHECKS, FAILED, NOT_APPLICABLE, PASSED, Verification
from archlens.backends.torch_module import Built
from archlens.backends.verification import Known, verify
from archlens.backends.weights import read
from archlens.cli import cli
from archlens.forms import text as terminal
from archlens.network import Network
from archlens.ops import EVERYWHERE, NOWHERE, Call, Facts, NonUniform
from archlens.views import verification_table as view

from .references import recipes
from .running import run
from .zoo import SMALLEST

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "reports" / "verification.md"


#: Networks that read words, of which small configurations run in ``tests/test_decoders.py``, and those that
#: are held against modules written out in ``tests/reference_modules.py``. The report has all of them.
ELSEWHERE = recipes("transformers").keys() | recipes("reference_modules").keys()


#: Why a field is not compared: it would take too much, no NaN is planted in a vector before it, or it has no
#: border within the input.
LEFT_OUT = ("without --unbounded", "no id is a NaN", "which is not run", "has no border within the input")


@pytest.mark.parametrize("name", [name for name in SMALLEST if name not in ELSEWHERE])
def test_every_family_on_the_meta_device(name: str) -> None:
    """Shapes, weights and products at the real size; receptive fields wherever there is one.

    All members are verified where ``python tests/generate.py --verification`` writes the report.
    """
    network = archlens.load(name)
    found = verify(network, device="meta")
    assert found.passed, terminal.write(view.table([found]))
    assert all(check.status == PASSED for check in found.of("shape"))
    fields = receptive_field.find(network)
    for check in found.of("field"):
        left_out = check.says == "nothing" or any(why in check.reason for why in LEFT_OUT)
        assert check.status == PASSED or left_out or isinstance(fields[check.layer], NonUniform), check
    assert found.of("total")[0].status == PASSED
    assert [check.status for check in found.of("macs")] == [PASSED] * len(network)
    committed, fresh = list(committed_rows()[name]), fresh_row(network, found)
    if any(LEFT_OUT[0] in check.reason for check in found.of("field")):  # the report may have them
        assert fresh[4] == "not applicable"
        committed[4] = fresh[4]
    assert committed == fresh


#: Networks that have between them every op of the zoo with weights that is not run beside torchvision's
#: elsewhere, with all arguments that it is given, at an input that is quick: fvcore traces a forward pass.
SMALL: dict[str, int | tuple[int, ...]] = {
    "alexnet_2012": 67, "c3d": (4, 32, 32), "deeplab_v2": 65, "deeplabv3_mobilenet_v3_large": 65,
    "efficientnet_b0": 32, "googlenet_2014": 224, "inception_resnet_v1": 96, "lenet4": 32, "lenet5": 32,
    "lenet5_1998": 32, "m5": (4000,), "mobilenet_v1_0.25": 64, "nin_cifar10": 32, "resnet20_cifar": 32,
    "segnet": (45, 60), "shufflenet_v1_g3": 64, "swin_t": 100, "tiny_yolo_v2": 64, "unet": 188,
    "vit_b_32": 64, "wide_resnet16_8": 16,
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_every_op_on_the_cpu(name: str) -> None:
    """With fvcore, layer by layer; every layer that has products has a check of them."""
    network = archlens.load(name)
    size = SMALL[name]
    spatial = size if isinstance(size, tuple) else (size, size)
    network = archlens.load(name, input=(network.input.channels, *spatial))
    found = verify(network, batch=2)
    assert found.passed, terminal.write(view.table([found]))
    assert [check.status for check in found.of("macs")] == [PASSED] * len(network)
    weighed = {check.layer for check in found.of("weights") if check.status == PASSED}
    assert {layer.name for layer in network if layer.params} <= weighed


SPEC = """
input: 4x12x12
layers:
  - dilated: conv(6, 3, padding=2, dilation=2)
  - same: conv(6, 3, stride=2, padding="same")
  - residual: [inner: "conv(6, 3, padding=1)"]
  - grouped: conv(6, 3, padding=1, groups=2)
  - pool: max_pool(2)
  - flatten
  - fc: linear(5)
"""


def spoiled(network: Network, name: str, change: Callable[[Facts], Facts]) -> Network:
    """The network with one layer's facts changed, as a bug in its op would change them."""
    layers = tuple(
        layer._replace(facts=change(layer.facts)) if layer.name == name else layer for layer in network.layers
    )
    return replace(network, layers=layers, index={layer.name: layer for layer in layers})


def call(**changed: Any) -> Callable[[Facts], Facts]:
    def change(facts: Facts) -> Facts:
        given = facts.torch.arguments
        other = {name: given[name]._replace(value=value) for name, value in changed.items()}
        return facts._replace(torch=Call(facts.torch.target, **{**given, **other}))

    return change


#: The reach of a convolution of 1x1.
POINT = archlens.loads("input: 6x6x6\nlayers:\n  - conv(6, 1)\n").layers[0].facts.reach

BUGS: dict[str, tuple[str, Callable[[Facts], Facts], str]] = {
    "a wrong dilation": ("dilated", call(dilation=1), "shape"),
    "a wrong padding": ("same", call(padding=((0, 3), (0, 3))), "shape"),
    "a bias counted as a MAC": ("inner", lambda f: f._replace(macs=f.macs + f.shape.numel), "macs"),
    "groups that are ignored": ("grouped", lambda f: f._replace(macs=2 * f.macs), "macs"),
    "a bias that torch has not": ("fc", call(bias=False), "weights"),
    "a weight of another shape": (
        "fc",
        lambda f: f._replace(weights={**f.weights, "weight": (5, 53)}),
        "weights",
    ),
    "a tensor that archlens does not know": ("fc", lambda f: f._replace(weights={}), "weights"),
    "a window that is too small": ("grouped", lambda f: f._replace(reach=POINT), "field"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found_and_named(bug: str) -> None:
    layer, change, what = BUGS[bug]
    network = archlens.loads(SPEC)
    assert verify(network).passed
    found = verify(spoiled(network, layer, change))
    failed = [(check.layer, check.what) for check in found.checks if check.status == FAILED]
    assert (layer, what) in failed
    known = Known()  # what ran for a sound network proves nothing of another
    assert verify(network, device="meta", known=known).passed
    meta = verify(spoiled(network, layer, change), device="meta", known=known)
    assert (layer, what) in [(check.layer, check.what) for check in meta.checks if check.status == FAILED]
    assert not found.passed
    assert f"network: {layer}, " in terminal.write(view.table([found]))


@pytest.mark.parametrize(
    "step",
    [
        "reshape([-1, 25])",
        "conv_transpose(2, 2, stride=3, padding='same')",
        "conv_transpose(2, 5, padding=((3, 0), 1))",
    ],
)
def test_what_a_twin_of_few_channels_cannot_do(step: str) -> None:
    """A reshape wants all its channels; cutting an output's sides apart is no ``output_padding``."""
    found = verify(archlens.loads(f'input: 4x5x5\nlayers:\n  - conv(4, 3, padding=1)\n  - "{step}"\n'))
    assert found.passed, view.to_table([found], layers=True)
    assert [check.layer for check in found.of("fields") if check.status == FAILED] == []


def test_one_direction_of_a_layer_that_reads_from_either_end() -> None:
    net = archlens.Builder("ways", "3x9")
    x = net.lstm(net.channels_last(), 4, bidirectional=True, name="both")
    ways = [net.slice(x, stop=4, name="ahead"), net.slice(x, start=4, name="back")]
    net.add(*ways, name="sum")
    assert verify(net.network()).passed


def test_what_is_cut_off_is_no_end_of_a_field() -> None:
    """The last output looks at the row that the pooling drops, and finds padding; no other input will do."""
    spec = "input: 1x6\nlayers:\n  - max_pool(4)\n  - conv(1, 2, padding=((0, 2),))\n  - reshape([2])\n"
    found = verify(archlens.loads(spec)).of("field")
    assert [(check.layer, check.status) for check in found] == [("0", PASSED), ("1", NOT_APPLICABLE)]


GATED = "input: 3x14x14\nlayers:\n  - gate: global_avg_pool >> conv(3, 1)\n"


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_padding_around_what_sees_everything_sees_nothing(device: str) -> None:
    """What torch's frame of zeros does not see is no mistake, and what is said to see all of it is."""
    padded = archlens.loads(f"{GATED}  - pad(1)\n  - conv(4, 3, stride=2)\n")
    found = verify(padded, device=device)
    assert [check.status for check in found.of("field")][-2:] == [NOT_APPLICABLE, PASSED]
    assert verify(archlens.loads(f"{GATED}  - unfold((3, 1), padding=1)\n"), device=device).passed
    assert verify(
        archlens.loads(f"{GATED}  - pad(2)\n  - slice(0, 2, axis='height')\n"), device=device
    ).passed
    all_of_it = spoiled(padded, padded.layers[-2].name, lambda facts: facts._replace(reach=EVERYWHERE))
    assert not verify(all_of_it, device=device).passed
    plain = archlens.loads("input: 3x14x14\nlayers:\n  - flat: tanh\n  - pad(1)\n")
    wrong = spoiled(plain, "flat", lambda facts: facts._replace(reach=EVERYWHERE))
    assert not verify(wrong, device=device).passed


def test_hundreds_of_sums_do_not_grow_beyond_all_numbers() -> None:
    """2 to the power of 200 is beyond float32, where the difference of two infinite values is a NaN."""
    body = "blocks: {b: [{residual: [{add: ['conv(2, 3, padding=1)', identity]}]}]}"
    assert verify(
        archlens.loads(f"{{input: 2x21, {body}, layers: ['conv(2, 3, padding=1)', b * 200]}}")
    ).passed


def test_what_gaps_leave_out_need_not_be_seen() -> None:
    """Every second row alone is in a window, or every one."""
    for dilation, status in ((2, NOT_APPLICABLE), (1, PASSED)):
        layers = [f"unfold(3, stride=2, padding=1, dilation={dilation})", "tokens", "self_attention(1)"]
        found = verify(archlens.loads(f"{{input: 3x10x10, layers: {json.dumps(layers)}}}"))
        assert found.passed
        assert found.of("field")[-1].status == status


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_combines_all_that_a_slice_has_left_does_not_see_the_middle(device: str) -> None:
    spec = "input: 8x40\nlayers:\n  - conv(8, 3, padding=1)\n  - slice({})\n  - global_avg_pool\n"
    for part, status in (("stop=4, axis='length'", NOT_APPLICABLE), ("stop=4", PASSED)):
        found = verify(archlens.loads(spec.format(part)), device=device)
        assert found.passed
        assert {check.layer: check.status for check in found.of("field")}["2"] == status


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_equal_layers_are_equal_on_equal_tensors_alone(device: str) -> None:
    """Where a layer before them makes another shape than it says, the next is not what the first was."""
    network = archlens.loads("input: 4x8x8\nlayers:\n  - conv(4, 3, padding=1) * 3\n")
    names = [layer.name for layer in network]
    found = verify(spoiled(network, names[1], call(padding=0)), device=device)
    assert network[names[0]].facts is network[names[2]].facts
    assert [check.layer for check in found.of("shape") if check.status == FAILED] == names[1:]
    assert found.of("shape")[2].found == "4x6x6"


def test_what_no_output_reads_is_counted_as_torch_runs_it() -> None:
    """As the last residual convolution of WaveNet: fvcore's trace drops it, torch runs it."""
    network = archlens.loads(
        "input: 4x8x8\nlayers:\n  - first: conv(4, 1)\n  - unread: conv(2, 1)\n  - ref(first)\n"
    )
    found = verify(network)
    assert found.passed, terminal.write(view.table([found], layers=True))
    assert [(check.layer, check.found) for check in found.of("macs")] == [
        ("first", f"{4 * 4 * 64:,}"),
        ("unread", f"{4 * 2 * 64:,}"),
    ]
    wrong = verify(spoiled(network, "unread", lambda facts: facts._replace(macs=1)))
    failed = [
        (check.layer, check.found, check.reason) for check in wrong.of("macs") if check.status == FAILED
    ]
    assert failed == [("unread", "512", "by torch.utils.flop_counter")]


#: Channels that see 3 rows and channels that see 5: apart, in groups, shuffled, and put together again.
APART = """
input: 4x40x40
layers:
  - split:
      concat:
        - [narrow: "conv(4, 3, padding=1)"]
        - [wide: "conv(4, 5, padding=2)"]
  - depthwise: conv(8, 3, padding=1, groups=8)
  - both:
      concat:
        - [first: slice(stop=4), small: "conv(4, 3, padding=1, groups=4)"]
        - [second: slice(start=4), padded: "pad(0, channels=(1, 0))", last: slice(start=1)]
        - [between: "slice(start=2, stop=6)", mixed: channel_shuffle(2), one: slice(stop=1)]
  - all: conv(4, 3, padding=1)
"""
ROWS = {
    "narrow": 3,
    "wide": 5,
    "depthwise": 7,
    "first": 5,
    "small": 7,
    "second": 7,
    "mixed": 7,
    "one": 5,
    "all": 9,
}


def test_channels_that_see_other_rows_are_told_apart() -> None:
    found = verify(archlens.loads(APART), device="meta").of("field")
    assert {check.status for check in found} == {PASSED}
    seen = {check.layer.rpartition(".")[2]: check.says for check in found}
    assert {name: int(seen[name].partition("x")[0]) for name in ROWS} == ROWS


def test_what_sees_everything_is_run_once_and_still_compared() -> None:
    """Behind attention all is NaN: what follows twice runs once, and a layer that says it sees less fails."""
    blocks = "".join(f"  - {name}: [self_attention(2), layer_norm]\n" for name in ("first", "last"))
    spec = f"input: 4x12\nlayers:\n  - tokens\n{blocks}"
    network = archlens.loads(spec)
    assert verify(network, device="meta").passed
    last = network.layers[-1].name
    found = verify(spoiled(network, last, lambda facts: facts._replace(reach=NOWHERE)), device="meta")
    assert [(check.layer, check.what) for check in found.checks if check.status == FAILED] == [
        (last, "field")
    ]


def test_a_merge_that_takes_one_branch_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A concat of one branch alone gives another shape; the layer is named."""
    network = archlens.loads("input: 4x8x8\nlayers:\n  - concat: [identity, relu]\n  - last: conv(2, 1)\n")
    monkeypatch.setattr(torch, "cat", lambda tensors, dim: tensors[0].repeat(1, 3, 1, 1)[:, :7])
    with pytest.raises(RuntimeError):  # the convolution after it cannot run at all
        verify(network)
    alone = archlens.loads("input: 4x8x8\nlayers:\n  - concat: [identity, relu]\n")
    failed = [check.layer for check in verify(alone).checks if check.status == FAILED]
    assert failed == ["concat"]


def test_the_report_is_of_these_networks() -> None:
    """``reports/verification.md`` is what ``archlens verify --all --format markdown`` writes.

    Its rows are held against a fresh run where every network is verified, above.
    """
    committed = REPORT.read_text("utf-8")
    assert list(committed_rows()) == archlens.names()
    assert f"torch {torch.__version__.partition('+')[0]}" in committed
    count = len(archlens.names())
    assert f"{count} of {count} networks passed every check that applies." in committed


def test_programs_read_the_same_of_it() -> None:
    """``reports/verification.json`` says what the page beside it does."""
    found = view.read(REPORT.with_suffix(".json").read_text("utf-8"), REPORT.name)
    assert found is not None
    assert {name: list(cells.values()) for name, cells in found.rows.items()} == committed_rows()
    assert f"- {found.made}.\n" in REPORT.read_text("utf-8")


@cache
def committed_rows() -> dict[str, list[str]]:
    """The cells of the report's table, by network."""
    lines = [line for line in REPORT.read_text("utf-8").splitlines() if line.startswith("| ") and "/" in line]
    cells = [[cell.strip().replace("\\", "") for cell in line.strip("| ").split("|")] for line in lines]
    return {name: row for name, *row in cells}


def fresh_row(network: Network, found: Verification) -> list[str]:
    """What the report says of a network."""
    return [str(len(network)), *(view._count(found.of(what)) for what in CHECKS), "passed"]


def invoke(*args: str) -> Any:
    return CliRunner().invoke(cli, args)


def test_command() -> None:
    result = invoke("verify", "lenet5", "lenet5_1998")
    assert result.exit_code == 0
    assert result.stdout.count("passed\n") == 2
    data = json.loads(invoke("verify", "lenet5", "--format", "json", "--batch", "3").stdout)
    (one,) = data["networks"]
    assert data["schema"] == "archlens.verification/1"
    assert (one["passed"], one["batch"], one["device"]) == (True, 3, "cpu")
    assert {check["what"] for check in one["checks"]} == {"shape", "weights", "macs", "field", "total"}
    total = next(check for check in one["checks"] if check["what"] == "total")
    assert total["says"] == total["found"] == f"{3 * 416_520:,}"
    layers = invoke("verify", "lenet5", "--layers").stdout
    assert "6x28x28" in layers
    assert "it has no weights" in layers


def test_command_options_choose_the_network() -> None:
    text = invoke(
        "verify", "mobilenet_v1", "--set", "alpha=0.25", "--input", "3x32x32", "--device", "meta"
    ).stdout
    assert "passed" in text


def test_a_failure_makes_the_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    import archlens.backends.verification as module

    real = module.verify
    monkeypatch.setattr(
        module, "verify",
        lambda network, **given: real(spoiled(network, "C3", lambda f: f._replace(macs=1)), **given),
    )  # fmt: skip
    result = invoke("verify", "lenet5")
    assert result.exit_code == 1
    assert "FAILED" in result.stdout
    assert "lenet5: C3, MACs: archlens says 1, torch has 240,000" in result.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["verify"], "verify takes names of networks, or --all"),
        (["verify", "lenet5", "--all"], "verify takes names of networks, or --all"),
        (["verify", "lenet5", "--device", "gpu"], "there is no device gpu"),
        (["verify", "lenet5", "--device", "xpu"], "the device xpu is not supported"),
        (["verify", "lenet9"], "there is no network lenet9"),
        (["verify", "lenet5", "--batch", "0"], "0 is not in the range"),
    ],
)
def test_bad_input(args: list[str], message: str) -> None:
    result = run(*args)
    assert result.returncode == 2
    assert message in result.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_no_cuda_is_said() -> None:
    with pytest.raises(archlens.UsageError, match="there is no device cuda: torch sees 0 CUDA devices"):
        verify(archlens.load("lenet5"), device="cuda")


def test_out_of_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: Built, *inputs: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("archlens.backends.verification._shapes", forward)
    with pytest.raises(archlens.UsageError, match="lenet5 does not fit into the memory of cpu") as caught:
        verify(archlens.load("lenet5"))
    assert "--batch" in caught.value.diagnostic.help


def test_without_fvcore_torch_counts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fvcore", None)
    found = verify(archlens.load("lenet5"))
    assert found.passed
    assert {(check.status, check.reason) for check in found.of("macs")} == {(PASSED, "")}
    assert "fvcore is not installed" in terminal.write(view.table([found]))
    assert found.of("total")[0].status == PASSED


def test_without_torch_one_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['torch'] = None; sys.argv = ['archlens', 'verify', 'lenet5']\n"
    code += "from archlens.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2
    assert "this needs torch, which is not installed" in result.stderr
    assert "pip install 'archlens-nn[torch]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_weights_that_fit(tmp_path: Path) -> None:
    path = tmp_path / "lenet5.pth"
    torch.save(archlens.build(archlens.load("lenet5")).state_dict(), path)
    result = invoke("verify", "lenet5", "--weights", str(path))
    assert result.exit_code == 0, result.stderr


def test_weights_that_have_the_name_of_their_layer(tmp_path: Path) -> None:
    """As the token of a vision transformer and ConvNeXt's scales, which torch keeps beside its modules."""
    network = archlens.loads("input: 4x8x8\nlayers:\n  - scale: layer_scale\n  - conv: conv(2, 3)\n")
    state = archlens.build(network).state_dict()
    assert "scale" in state
    torch.save(state, tmp_path / "w.pth")
    assert read(network, str(tmp_path / "w.pth")).keys() == state.keys()


class Harmful:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return print, ("run",)


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ({"C1.weight": torch.zeros(6, 3, 5, 5), "c": torch.zeros(1)}, 1, "does not fit lenet5"),
        ([1, 2], 2, "holds no state dict"),
        (Harmful(), 2, "holds no weights that torch can read without running code"),
        (None, 2, "cannot be read: No such file or directory"),
    ],
)
def test_weights_that_do_not_fit(content: Any, code: int, message: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    if content is not None:
        torch.save(content, path)
    result = run("verify", "lenet5", "--weights", str(path))
    assert result.returncode == code
    assert message in result.stderr
    assert "run" not in result.stdout
    if code == 1:
        assert "not in the file: C1.bias, C3.weight, C3.bias, C5.weight, C5.bias, and 4 more" in result.stderr
        assert "not in the network: c\n" in result.stderr
        assert "of another shape: C1.weight is 6x3x5x5 and should be 6x1x5x5" in result.stderr


def test_weights_are_those_of_one_network() -> None:
    assert invoke("verify", "lenet5", "alexnet", "--weights", "x").exit_code != 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="it needs a CUDA device")
@pytest.mark.parametrize("name", ["lenet5", "resnet18", "googlenet_aux"])
def test_on_a_gpu(name: str) -> None:
    found: Verification = verify(archlens.load(name), device="cuda", batch=2)
    assert found.passed
    assert found.device == torch.cuda.get_device_name()
    assert found.seconds
    assert found.peak_bytes
    assert found.predicted_bytes
    assert found.predicted_bytes <= found.peak_bytes  # workspaces, and blocks that are not split, come on top


def test_one_verification_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads: what is set for the whole process in one is never set while the other runs."""
    inside, most = 0, 0
    met = threading.Barrier(2)

    def count(*args: Any) -> Verification:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        with suppress(threading.BrokenBarrierError):
            met.wait(timeout=0.2)  # both come here at once, or neither sees the other
        inside -= 1
        return known

    network = archlens.load("lenet5")
    known = verify(network, device="meta")
    monkeypatch.setattr(verification, "_verify", count)
    threads = [threading.Thread(target=verify, args=(network,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_nothing_of_a_verified_network_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even until the collector runs by itself, which knows nothing of the bytes of a tensor."""
    made: list[weakref.ref[Built]] = []

    def build(*args: Any, **given: Any) -> Built:
        module = torch_module.build(*args, **given)
        made.append(weakref.ref(module))
        return module

    monkeypatch.setattr(verification, "build", build)
    threads = torch.get_num_threads()
    gc.disable()
    try:
        # its module stands in a circle of references
        assert verify(archlens.study("input: 3x8x8\nlayers: [relu]\n").network).passed
    finally:
        gc.enable()
    assert [one() for one in made] == [None]
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("name", "size", "device"),
    [("googlenet_aux", 224, "cpu"), ("swin_t", 64, "cpu"), ("swin_t", 64, "meta"), ("unet", 188, "cpu")],
)
def test_no_tensor_of_a_verified_network_is_kept(name: str, size: int, device: str) -> None:
    """Nor of the twins in which NaNs were planted, which stand in no circle either."""

    def tensors() -> int:
        return sum(type(one) in (torch.Tensor, torch.nn.Parameter) for one in gc.get_objects())

    network = archlens.load(name)
    network = archlens.load(name, input=(network.input.channels, size, size))
    verify(archlens.load("lenet5"))  # which imports what it needs
    gc.collect()
    gc.disable()
    try:
        before = tensors()
        assert verify(network, device=device).passed
        assert tensors() == before
    finally:
        gc.enable()


def test_what_nans_touched_is_compared_layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept until the end, those little tensors lay where a large one was, and the next did not fit there."""
    seen: list[weakref.ref[torch.Tensor]] = []
    alive = 0
    compared = probing._compared

    def watched(found: Any, axis: int, rows: list[int], touched: torch.Tensor, *others: Any) -> Any:
        nonlocal alive
        alive = max(alive, sum(one() is not None for one in seen))
        seen.append(weakref.ref(touched))
        return compared(found, axis, rows, touched, *others)

    monkeypatch.setattr(probing, "_compared", watched)
    assert verify(archlens.loads("input: 1x16\nlayers:\n  - relu * 9\n")).passed
    assert (len(seen), alive) == (9, 0)


def test_nans_that_take_too_much_memory_together_run_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    network = archlens.loads("input: 1x40x9\nlayers: ['conv(2, 5, stride=2)', relu, 'max_pool((3, 1))']")
    together = verify(network).of("field")
    runs: list[int] = []
    run = probing._Twin.run

    def counted(self: Any, input: str, axis: int, rows: list[int]) -> Any:
        runs.append(len(rows))
        return run(self, input, axis, rows)

    monkeypatch.setattr(probing._Twin, "run", counted)
    monkeypatch.setattr(probing, "_TOGETHER", 1)
    assert verify(network).of("field") == together
    assert {check.status for check in together} == {PASSED}
    assert len(runs) > 4
    assert set(runs) == {1}


def test_weights_are_those_of_the_layer_and_of_none_that_is_called_nearly_so() -> None:
    network = archlens.loads("input: 4x8x8\nlayers:\n  - conv: conv(4, 1)\n  - conv1: conv(2, 1)\n")
    found = verify(spoiled(network, "conv1", lambda f: f._replace(weights={})), device="meta")
    assert [(check.layer, check.status) for check in found.of("weights")] == [
        ("conv", PASSED),
        ("conv1", FAILED),
    ]


#: 20 convolutions of 64 * 64 * 9 products at 4096 * 4096 places: 12.4 T; and what is read and written.
WORK = "input: 64x4096x4096\nlayers:\n  - conv(64, 3, padding=1) * 20\n"
#: 20,000 * 40,000 weights of 4 bytes: 3.2 GB.
WEIGHTS = "input: 20000\nlayers:\n  - linear(40000)\n"
#: 4 heads of 10,000 * 10,000 scores of 4 bytes: 1.6 GB, before their softmax and as much behind it.
SCORES = 'input: 4x10000\nlayers:\n  - tokens: tokens\n  - self_attention(4)\n'  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "message", "least"),
    [
        (WORK, r"about the work of ([\d,]+) G multiply-accumulates, and 500 G are allowed", 2 * 12_400),
        (WEIGHTS, r"about ([\d,]+) MB of memory, and 1,000 MB are allowed", 3_200),
        (SCORES, r"about ([\d,]+) MB of memory, and 1,000 MB are allowed", 3_200),
    ],
)
def test_what_takes_too_much_is_refused_before_it_runs(
    spec: str, message: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "build", None)
    with pytest.raises(archlens.UsageError) as caught:
        verify(archlens.loads(spec), device="cpu")
    found = re.search(message, caught.value.diagnostic.message)
    assert found is not None, caught.value
    assert least <= int(found[1].replace(",", "")) <= 3 * least
    assert caught.value.diagnostic.help == "--device meta, which computes shapes; or --unbounded"


@pytest.mark.parametrize(
    ("spec", "layers", "reason"),
    [
        # an input and an output of 4 bytes at each of 800 M places
        (
            "input: 3x800000000\nlayers:\n  - conv(1, 3, padding=1)\n",
            1,
            "6,400 MB, and 250 MB are allowed without --unbounded",
        ),
        # a million places are read 31 times by each of 300 layers, and a value takes longer than a product
        (
            "input: 1x1000000\nlayers:\n  - max_pool(31, stride=1, padding=15) * 300\n",
            300,
            "the work of ",
        ),
    ],
)
def test_on_the_meta_device_fields_that_take_too_much_are_left_out(
    spec: str, layers: int, reason: str
) -> None:
    found = verify(archlens.loads(spec), device="meta")
    assert found.passed
    assert [check.status for check in found.of("shape")] == [PASSED] * layers
    *each, whole = found.of("field")
    assert {check.status for check in each} == {NOT_APPLICABLE}
    assert whole.reason.startswith(f"of {layers:,} layers, planting NaNs would take about {reason}")
    assert f"fields not compared: {whole.reason}" in " ".join(terminal.write(view.table([found])).split())


@pytest.mark.parametrize("spec", [WORK, WEIGHTS])
def test_what_takes_too_much_runs_on_the_meta_device_unasked(spec: str) -> None:
    """It says so, and how much that would be; what is computed unasked says nothing."""
    found = verify(archlens.loads(spec))
    assert (found.device, found.passed) == ("meta", True)
    said = " ".join(terminal.write(view.table([found])).split())
    assert re.search(
        r"network ran on the meta device, .* about .* are allowed without --device cpu --unb", said
    )
    data = json.loads(view.to_json([found]))["networks"][0]
    assert data["why_meta"] == found.why_meta
    assert view.read(view.to_counts([found]), "verified.json") is not None
    small = verify(archlens.load("lenet5"))
    assert (small.device, small.why_meta) == ("cpu", "")


def test_a_network_of_billions_of_weights_is_verified_without_one() -> None:
    """On the meta device, shapes, weights and products; no weight is ever allocated."""
    network = archlens.load("llama_2_70b", depth=8)  # of 80
    assert network.params > 7 * 10**9
    found = verify(network, bounded=False)
    assert (found.device, found.passed) == ("meta", True)
    assert sum(check.status == PASSED for check in found.of("shape")) == len(network)
    assert {check.status for check in found.of("weights")} == {PASSED, NOT_APPLICABLE}


def test_networks_of_the_zoo_take_what_they_take(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file of one's own does, and one of the zoo on another input, where that is asked for."""
    monkeypatch.setattr("archlens.backends.effort.MOST", 1000)
    path = tmp_path / "small.yaml"
    path.write_text("input: 1x8x8\nlayers:\n  - relu\n")
    assert invoke("verify", "lenet5", "--device", "meta").exit_code == 0
    for own in ([str(path)], ["lenet5", "--input", "1x36x36"], ["lenet5", str(path)]):
        result = invoke("verify", *own, "--device", "meta")
        assert isinstance(result.exception, archlens.UsageError)
        assert "G multiply-accumulates, and 0 G are allowed" in str(result.exception)
        assert result.exception.diagnostic.help == "--unbounded"
        assert invoke("verify", *own, "--device", "meta", "--unbounded").exit_code == 0


def test_out_of_memory_on_the_meta_device_does_not_recommend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*args: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(verification, "probe", run)
    with pytest.raises(archlens.UsageError, match="lenet5 does not fit into memory") as caught:
        verify(archlens.load("lenet5"), device="meta")
    assert caught.value.diagnostic.help == "a smaller --input; or without --unbounded"
