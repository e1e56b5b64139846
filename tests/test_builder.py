"""Networks that are built in Python: the same values, diagnostics and views as those of specs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import archlens
from archlens import Builder, Network, SpecError, UsageError
from archlens.analysis.cost import cost
from archlens.analysis.memory import account
from archlens.elaboration import FromSpec
from archlens.elaboration.building import Built
from archlens.ops import OPS
from archlens.ops.convolution import Conv
from archlens.testing import assert_budget


def residual() -> Network:
    """Two convolutions around which the input goes, and a classifier."""
    net = Builder("small", "3x8x8")
    x = net.conv(net.x, 4, 3, padding=1, name="stem")
    with net.scope("layer1.0", block="basic"):
        y = net.relu(net.conv(x, 4, 3, padding=1, bias=False, name="conv1"), name="act")
        net.add(net.conv(y, 4, 3, padding=1, name="conv2"), x)
    net.flatten()
    net.linear(10, name="fc")
    return net.network()


SAME = """
input: 3x8x8
blocks:
  basic():
    - residual:
        - conv1: conv(4, 3, padding=1, bias=false)
        - act: relu
        - conv2: conv(4, 3, padding=1)
layers:
  - stem: conv(4, 3, padding=1)
  - layer1: [basic]
  - flatten
  - fc: linear(10)
"""


def plain(network: Network) -> list[Any]:
    return [(layer.name, layer.op, layer.inputs, layer.facts) for layer in network]


def test_it_is_what_a_spec_of_the_same_gives() -> None:
    built, spec = residual(), archlens.loads(SAME)
    assert plain(built) == plain(spec)
    assert (built.inputs, built.outputs, built.blocks) == (spec.inputs, spec.outputs, spec.blocks)
    # 3*4*9 + 4, 4*4*9, 4*4*9 + 4, 4*64*10 + 10
    assert built.params == 112 + 144 + 148 + 2570


def test_no_op_is_hidden_by_what_a_builder_has() -> None:
    assert not set(OPS) & set(vars(Builder("a", "1x2x2"))) | (set(OPS) & set(vars(Builder)))
    assert set(OPS) <= set(dir(Builder("a", "1x2x2")))


def test_every_op_of_the_zoo_is_placed_again_on_another_input() -> None:
    """A network without its spec is had on another input by placing the same ops again."""
    network = archlens.load("resnet18")
    alone = replace(network, origin=Built("", ""))
    other, again = network.with_input("3x64x96"), alone.with_input("3x64x96")
    assert plain(other) == plain(again)
    assert [layer.span for layer in again] == [layer.span for layer in network]  # and where it stands
    assert (other.outputs, other.params, other.macs) == (again.outputs, again.params, again.macs)


def test_heads_for_training_are_left_out_where_only_inference_is_asked_for() -> None:
    network = replace(archlens.load("googlenet_aux"), origin=Built("", ""))
    assert network.training_macs > 0
    assert network.with_input("3x224x224").training_macs == network.training_macs
    inference = network.with_input("3x224x224", inference=True)
    assert inference.training_macs == 0
    assert list(inference.outputs) == ["out"]
    assert inference.macs == network.macs


def test_two_inputs() -> None:
    net = Builder("pair", {"left": "1x4x4", "right": (2, 4, 4)})
    net.concat(net.sources["left"], net.sources["right"])
    network = net.network()
    assert network.output == (3, 4, 4)
    assert network.with_input({"right": "5x4x4"}).output == (6, 4, 4)
    with pytest.raises(UsageError, match="pair has several inputs"):
        network.with_input("1x2x2")
    with pytest.raises(UsageError, match="pair has no input lefd"):
        network.with_input({"lefd": "1x2x2"})


def test_shared_weights_are_counted_once_on_every_input() -> None:
    net = Builder("twice", "3x8x8")
    x = net.conv(net.x, 3, 3, padding=1, name="first")
    net.place(Conv(3, 3, padding=1), x, name="second", keys={"weight": "first.weight", "bias": "first.bias"})
    network = net.network()
    params = 3 * 3 * 3 * 3 + 3
    assert network.params == params
    other = network.with_input("3x16x16")
    assert (other.params, other.macs) == (params, 2 * 3 * 27 * 16 * 16)
    assert {one.params for one in archlens.study(network).sizes.scaled} == {params}


def test_further_heads() -> None:
    net = Builder("heads", "1x8x8")
    x = net.conv(2, 3)
    with net.scope("aux", training=True):
        aux = net.linear(net.flatten(x), 3)
    network = net.network(net.relu(x), aux=aux)
    assert network.outputs == {"out": "relu", "aux": "aux.1"}
    assert (network.training_macs, network.macs) == (72 * 3, 36 * 2 * 9)


def test_numbers_of_other_libraries_are_numbers() -> None:
    import torch

    net = Builder("numbers", [1, 8, 8])
    net.conv(torch.tensor(3), [3, 1])
    assert net.network().layers[0].op == Conv(3, (3, 1))


# --- diagnostics ----------------------------------------------------------------------------------------


def small() -> Builder:
    return Builder("small", "1x8x8")


def foreign() -> None:
    other = small().relu()
    small().tanh(other)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "too large a kernel": (lambda: small().conv(4, 9, name="c"), "c does not fit"),
    "channels that differ": (
        lambda: (n := Builder("wide", "3x8x8")).add(n.x, n.conv(n.x, 2, 1), name="sum"),
        "sum does not fit",
    ),
    "an argument": (lambda: small().conv(4, 3, strid=2), "conv has no argument strid"),
    "an argument of a named layer": (
        lambda: small().conv(4, "3", name="c1"),
        "c1: the kernel of conv must be",
    ),
    "too many": (lambda: small().relu(4), "relu takes no arguments"),
    "none": (lambda: small().conv(4), "conv is missing its argument kernel"),
    "a name twice": (lambda: (n := small(), n.relu(name="a"), n.relu(name="a")), "the name a appears twice"),
    "a name with a blank": (lambda: small().relu(name="a b"), "'a b' cannot name a step"),
    "a merge of one": (lambda: small().add(), "add merges several tensors, not 1"),
    "attention of two": (
        lambda: (n := Builder("few", "8x4")).attention(n.channels_last(), n.x, 2),
        "it takes q, k and v, and perhaps a bias, but got 2",
    ),
    "an op of two": (lambda: (n := small()).relu(n.x, n.x), "relu reads one tensor, not 2"),
    "another builder's": (foreign, "<0 1x8x8> is not a tensor of this network"),
    "another's output": (
        lambda: (n := small(), n.relu(), n.network(small().relu())),
        "the output out: <0 1x8x8> is not a tensor of this network",
    ),
    "no input": (lambda: Builder("none").relu(), "relu has nothing to read"),
    "no layer": (lambda: small().network(), "small has no layers"),
    "too many layers": (
        lambda: [(n := Builder("many", "1x8x8", max_layers=2)), *(n.relu() for _ in range(3))],
        "more than 2 layers",
    ),
    "too many inputs": (
        lambda: Builder("wide", {f"i{n}": "1x2x2" for n in range(501)}),
        "the network has too many layers for its 501 inputs",
    ),
    "what runs only in training": (lambda: in_training(), "out reads 0, which runs only in training"),
}  # fmt: skip


def in_training() -> Network:
    net = small()
    net.training = True
    net.relu()
    net.training = False
    net.tanh()
    return net.network()


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(SpecError) as caught:
        make()
    assert message in str(caught.value)
    assert "-->" not in str(caught.value)  # it stands in no file


def test_what_does_not_fit_says_why_and_where_it_came_from() -> None:
    net = small()
    net.conv(4, 5, name="first")
    with pytest.raises(SpecError) as caught, net.scope("layer1"):
        net.conv(4, 5, name="second")
    assert caught.value.network is not None
    assert [layer.name for layer in caught.value.network] == ["first"]
    assert caught.value.failed is not None
    assert caught.value.failed.name == "layer1.second"
    assert "input 1x8x8 -> first 4x4x4 -> layer1.second" in str(caught.value)


@pytest.mark.parametrize("value", [10**40, float("nan"), float("inf")])
def test_numbers_out_of_range(value: float) -> None:
    with pytest.raises(UsageError, match="a number is out of range"):
        small().conv(value, 3)


def test_no_such_op() -> None:
    with pytest.raises(AttributeError, match=r"did you mean conv\?"):
        small().convv(3, 3)


def test_a_shape_that_is_none() -> None:
    with pytest.raises(UsageError, match="3x0x3 is not an input shape"):
        Builder("a", "3x0x3")


def test_an_input_that_looks_turned() -> None:
    net = Builder("a", "224x224x3")
    net.relu()
    with pytest.warns(UserWarning, match="is read as 224 channels of 224x3"):
        net.network()


def test_a_network_altered_by_hand_is_not_had_on_another_input() -> None:
    network = archlens.load("lenet5")
    cut = replace(network, layers=network.layers[:3], outputs={"out": network.layers[2].name})
    with pytest.raises(UsageError, match="lenet5 differs from what its origin builds"):
        cut.with_input("1x40x40")
    with pytest.raises(UsageError, match="small has no param width, because it has no spec"):
        residual().with_values(width=3)


def test_what_a_spec_says_is_not_laid_out_again_to_see_that_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = archlens.load("lenet5")
    monkeypatch.delattr(FromSpec, "again")
    assert not network.fixed


# --- what is done with them -----------------------------------------------------------------------------


def test_it_shows_itself_in_a_line() -> None:
    # 64*4*27 + 2 * 64*4*36 + 2560
    assert repr(residual()) == "<Network small: 3x8x8 -> 10, 7 layers, 2,974 params, 27,904 MACs>"
    assert "<table" in residual()._repr_html_()


def test_it_passes_through_every_view() -> None:
    from archlens.analysis import comparison, difference, sizes, structure
    from archlens.analysis.study import Study
    from archlens.drawing.plan import Plans
    from archlens.lint import lint
    from archlens.reporting import page
    from archlens.reporting.material import Material
    from archlens.source import emit
    from archlens.views import json as json_view

    network, spec = residual(), archlens.loads(SAME)
    assert json.loads(json_view.to_json(archlens.study(network)))["layers"][0]["name"] == "stem"
    ours, theirs = (comparison.find(archlens.study(one), smallest=True) for one in (network, spec))
    assert ours.figures == theirs.figures
    assert sizes.smallest(network) == sizes.smallest(spec)
    assert difference.find(network, spec).empty
    assert structure.fingerprint(network) == structure.fingerprint(spec)
    assert cost(network).total.macs == cost(spec).total.macs
    assert account(network).training == account(spec).training
    found, of_spec = lint(Study(network)), lint(Study(spec))
    assert sorted(one.rule.code for one in found) == sorted(one.rule.code for one in of_spec)
    assert all(one.notes[0].startswith("at ") for one in found)
    assert emit(replace(network, name="network")) == emit(spec)
    assert Plans(network).at() is not None
    assert page(Material(archlens.study(network)), "markdown", made="archlens report small")
    assert_budget(network, params="== 2974")
    with pytest.raises(AssertionError, match="params"):
        assert_budget(network, params="<= 2k")


def test_what_it_says_in_torch() -> None:
    import torch

    network = residual()
    module = archlens.build(network)
    assert sum(p.numel() for p in module.parameters()) == network.params
    assert module(torch.zeros(2, 3, 8, 8)).shape == (2, 10)


def test_annotations_of_a_network_without_a_file_name_the_layer() -> None:
    """What GitHub shows of what is wrong: a command without a file is one, and the message says where."""
    from archlens.budgets.project import parse_limits
    from archlens.budgets.verdict import Checked, Report, judge
    from archlens.forms import github
    from archlens.views import check_table, lint_table

    net = Builder("a, b", "3x8x8")
    net.batch_norm(net.conv(net.x, 4, 3, name="stem.conv"), name="stem.norm")  # whose bias does nothing
    study = archlens.study(net.network())
    linted = github.write(lint_table.table([lint_table.Linted("a, b", study.lint)]))
    verdicts = judge(study, parse_limits([("params", "<= 100")]))  # 3*4*9 + 4 of the convolution, and 4 + 4
    checked = Checked("a, b", study.network, verdicts, asked=True)
    limited = github.write(check_table.table(Report((checked,))))
    for text, layer in ((linted, "at stem.conv"), (limited, "conv: 112")):
        (command,) = [line for line in text.split("\n") if line.startswith("::")]
        found = re.fullmatch(r"::(error|warning|notice) title=([^:,]+)::(.+)", command)
        assert found is not None, command
        assert "a, b: " in found[3].replace("%0A", "\n") or "a%2C b" in found[2]
        assert layer in found[3].replace("%0A", "\n")


def test_ops_that_python_takes_for_equal_stay_what_they_are() -> None:
    for factor in (-1, -1.0, -1):
        net = Builder("one", "1x4x4")
        net.place(OPS["scale"](factor), net.x)
        assert str(net.network().layers[0].op) == f"scale({factor})"
