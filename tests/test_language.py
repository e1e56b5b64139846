"""The language, form by form: which layers a spec makes, what they are called, and what they read.

Every expected value is worked out by hand; where that takes more than a look, a comment shows how.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import archlens
from archlens import Network
from archlens.analysis import layouts
from archlens.cli import cli
from archlens.language.steps import FORMS


def network(layers: str, head: str = "input: 3x8x8\n", **more: Any) -> Network:
    """The network of these lines under ``layers:``, without their common indentation."""
    lines = layers.strip("\n").split("\n")
    margin = len(lines[0]) - len(lines[0].lstrip())
    return archlens.loads(head + "layers:\n" + "".join(f"  {line[margin:]}\n" for line in lines), **more)


def names(net: Network) -> list[str]:
    return [layer.name for layer in net]


def kinds(net: Network) -> dict[str, str]:
    return {layer.name: layer.op.kind for layer in net}


def reads(net: Network) -> dict[str, tuple[str, ...]]:
    """What each layer reads."""
    return {layer.name: layer.inputs for layer in net}


def keys(net: Network) -> list[str]:
    """The keys of the state dict, without those of buffers."""
    return [f"{layer.name}.{weight}" for layer in net for weight in layer.facts.weights]


# --- names, scopes, numbers -----------------------------------------------------------------------


def test_steps_without_a_name_count_from_0() -> None:
    net = network(
        """
        - conv(4, 3)
        - relu
        - conv(4, 3)
        """
    )
    assert kinds(net) == {"0": "conv", "1": "relu", "2": "conv"}
    assert reads(net) == {"0": ("input",), "1": ("0",), "2": ("1",)}
    # the keys of nn.Sequential(Conv2d, ReLU, Conv2d)
    assert keys(net) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_names_stand_beside_numbers() -> None:
    """A step with a name takes no number; beside it one without weights is called by its op."""
    net = network(
        """
        - stem: conv(4, 3)
        - relu
        - body: conv(4, 3)
        - relu
        """
    )
    assert names(net) == ["stem", "relu", "body", "relu_1"]


def test_a_chain_is_a_list() -> None:
    assert names(network("- conv(4, 3) >> relu >> conv(4, 3)\n- relu")) == ["0", "1", "2", "3"]
    assert names(network("- (conv(4, 3) >> relu) >> (relu >> relu)")) == ["0", "1", "2", "3"]
    assert names(archlens.loads("input: 3x8x8\nlayers: conv(4, 3) >> relu\n")) == ["0", "1"]


def test_a_list_within_a_list_opens_no_scope() -> None:
    net = network(
        """
        - relu
        -
          - relu
          - relu
        - relu
        """
    )
    assert names(net) == ["0", "1", "2", "3"]


def test_a_name_over_several_steps_is_a_scope() -> None:
    net = network(
        """
        - features:
            - conv(4, 3)
            - relu
        - body: conv(4, 3) >> relu
        - head: [relu]
        - single: conv(4, 1)
        """
    )
    # a list opens a scope even with one step in it; an expression with one step is the name's own
    assert names(net) == ["features.0", "features.1", "body.0", "body.1", "head.0", "single"]
    assert net["body.0"].inputs == ("features.1",)


def test_scopes_within_scopes_count_for_themselves() -> None:
    net = network(
        """
        - a:
            - relu
            - b:
                - relu
                - c: relu
            - relu
        - relu
        """
    )
    assert names(net) == ["a.relu", "a.b.relu", "a.b.c", "a.relu_1", "relu"]


def test_identity_counts_and_makes_no_layer() -> None:
    """As nn.Sequential(ReLU, Identity, ReLU), whose second ReLU is 2."""
    net = network("- relu\n- identity\n- relu")
    assert names(net) == ["0", "2"]
    assert reads(net)["2"] == ("0",)
    assert names(network("- skip: identity\n- relu")) == ["relu"]


def test_an_empty_list_counts_nothing() -> None:
    assert names(network("- relu\n- []\n- relu")) == ["0", "1"]
    assert names(network("- relu >> [] >> relu")) == ["0", "1"]
    assert names(network("- relu * 0\n- relu")) == ["0"]
    assert names(network("- []")) == []


def test_repeats() -> None:
    assert names(network("- relu * 3")) == ["0", "1", "2"]
    assert kinds(network("- (relu >> tanh) * 2")) == {"0": "relu", "1": "tanh", "2": "relu", "3": "tanh"}
    assert names(network("- a: (relu >> tanh) * 2\n- b: relu * 1")) == ["a.0", "a.1", "a.2", "a.3", "b.0"]
    assert names(network("- '[relu, tanh] * 2'")) == ["0", "1", "2", "3"]
    assert names(network("- relu * 2 * 3")) == [str(n) for n in range(6)]
    assert names(network("- relu * 2 >> tanh")) == ["0", "1", "2"]
    assert names(network("- relu * (1 + 1)")) == ["0", "1"]


def test_each_repeat_has_weights_of_its_own() -> None:
    net = network("- conv(3, 1) * 3")
    assert keys(net) == [f"{n}.{w}" for n in range(3) for w in ("weight", "bias")]
    assert net.params == 3 * (3 * 3 + 3)


def test_python_names_have_underscores_and_any_letters() -> None:
    assert names(network("- conv_1: relu\n- Größe: relu\n- 畳: relu\n- _a: relu\n- a-b: relu")) == [
        "conv_1", "Größe", "畳", "_a", "a-b",
    ]  # fmt: skip


# --- blocks ---------------------------------------------------------------------------------------

BLOCKS = """\
input: 3x32x32
blocks:
  unit(width, kernel=1, stride=1):
    - conv: conv(width, kernel, stride, padding=kernel // 2, bias=false)
    - bn: batch_norm
    - relu
"""


def test_a_block_is_a_scope() -> None:
    net = network("- unit(4)\n- stem: unit(8)\n- unit(2) * 2\n- body: unit(2) * 2", BLOCKS)
    assert names(net) == [
        "0.conv", "0.bn", "0.relu",
        "stem.conv", "stem.bn", "stem.relu",
        "1.conv", "1.bn", "1.relu",
        "2.conv", "2.bn", "2.relu",
        "body.0.conv", "body.0.bn", "body.0.relu",
        "body.1.conv", "body.1.bn", "body.1.relu",
    ]  # fmt: skip
    assert net.blocks == {
        "0": "unit",
        "stem": "unit",
        "1": "unit",
        "2": "unit",
        "body.0": "unit",
        "body.1": "unit",
    }


def test_arguments_go_by_pythons_rules() -> None:
    net = network("- unit(4, 3, 2)\n- unit(4, stride=2)\n- unit(kernel=3, width=6)", BLOCKS)
    assert str(net["0.conv"].op) == "conv(4, 3, stride=2, padding=1, bias=false)"
    assert str(net["1.conv"].op) == "conv(4, 1, stride=2, bias=false)"
    assert str(net["2.conv"].op) == "conv(6, 3, padding=1, bias=false)"


def test_defaults_are_evaluated_at_the_call() -> None:
    """``x`` in a default is what flows into the block, and an earlier parameter can be used."""
    head = """\
input: 16x8x8
blocks:
  se(squeeze=x.channels // 4, wide=x.channels, twice=2 * squeeze):
    - conv(squeeze, 1)
    - conv(twice, 1)
    - conv(wide, 1)
"""
    net = network("- se\n- conv(40, 1)\n- se\n- se(3)\n- se(wide=5)", head)
    # 16/4, twice that, 16; then 40/4; then 3 of the 40; then 40/4 and 5
    assert [net[f"0.{n}"].shape.channels for n in range(3)] == [4, 8, 16]
    assert [net[f"2.{n}"].shape.channels for n in range(3)] == [10, 20, 40]
    assert [net[f"3.{n}"].shape.channels for n in range(3)] == [3, 6, 40]
    assert [net[f"4.{n}"].shape.channels for n in range(3)] == [10, 20, 5]


def test_x_is_what_flows_in_at_each_step() -> None:
    net = network(
        "- conv(2 * x.channels, 3)\n- conv(x.height + x.width, 3)\n- flatten\n- linear(x.channels // 2)"
    )
    # 2*3 channels on 6x6; 6 + 6 on 4x4; 12*4*4 = 192; half
    assert [str(layer.shape) for layer in net] == ["6x6x6", "12x4x4", "192", "96"]
    assert network("- conv(x.numel, 1)").output == (192, 8, 8)
    assert network("- conv(x.length, 1)", "input: 2x5\n").output == (5, 5)
    assert (
        network("- conv(x.depth * 100 + x.height * 10 + x.width, 1)", "input: 1x2x3x4\n").output.channels
        == 234
    )


def test_input_is_the_networks_own() -> None:
    net = network("- conv(5, 3)\n- conv(input.channels * input.height, 1)")
    assert net.output == (3 * 8, 6, 6)


def test_scoping_is_lexical() -> None:
    """A block sees its own parameters and the file's params, and not those of its caller."""
    head = """\
input: 3x8x8
params: {width: 7}
blocks:
  outer(width): inner >> conv(width, 1)
  inner: conv(width, 1)
"""
    net = network("- outer(5)", head)
    assert [layer.shape.channels for layer in net] == [7, 5]


def test_a_block_as_a_value() -> None:
    head = """\
input: 3x8x8
params: {block: wide}
blocks:
  wide(n): conv(2 * n, 1)
  slim(n): conv(n, 1)
  twice(of, n): of(n) >> of(n)
"""
    assert network("- block(4)", head).output.channels == 8
    assert network("- block(4)", head, block="slim").output.channels == 4
    net = network("- twice(slim, 4)\n- twice(wide, 4)", head)
    assert names(net) == ["0.0.0", "0.1.0", "1.0.0", "1.1.0"]
    assert [layer.shape.channels for layer in net] == [4, 4, 8, 8]
    # an op is a value, too
    assert network("- twice(conv_of_1, 4)", head.replace("wide(n)", "conv_of_1(n)")).output.channels == 8


def test_steps_as_arguments() -> None:
    head = """\
input: 3x8x8
blocks:
  unit(width, act=relu, after=identity):
    - conv: conv(width, 1)
    - act
    - last: after
    - act
"""
    net = network(
        "- unit(4)\n- unit(4, act=relu6)\n- unit(4, hard_swish, conv(2, 1))\n- unit(4, after=relu >> tanh)",
        head,
    )
    assert kinds(net) == {
        "0.conv": "conv", "0.relu": "relu", "0.relu_1": "relu",
        "1.conv": "conv", "1.relu6": "relu6", "1.relu6_1": "relu6",
        "2.conv": "conv", "2.hard_swish": "hard_swish", "2.last": "conv", "2.hard_swish_1": "hard_swish",
        "3.conv": "conv", "3.relu": "relu", "3.last.0": "relu", "3.last.1": "tanh", "3.relu_1": "relu",
    }  # fmt: skip


def test_a_step_as_an_argument_keeps_the_names_of_where_it_was_written() -> None:
    head = """\
input: 3x8x8
blocks:
  outer(width): inner(conv(width, 1))
  inner(step, width=9): conv(width, 1) >> step
"""
    assert [layer.shape.channels for layer in network("- outer(5)", head)] == [9, 5]


def test_a_step_as_an_argument_runs_on_what_flows_in_there() -> None:
    head = "input: 3x8x8\nblocks:\n  double(f): conv(10, 1) >> f >> f\n"
    # x is 10 channels for the first, 11 for the second
    assert [layer.shape.channels for layer in network("- double(conv(x.channels + 1, 1))", head)] == [
        10,
        11,
        12,
    ]


def test_blocks_within_blocks() -> None:
    head = """\
input: 3x8x8
blocks:
  stage(n, width): unit(width) * n
  unit(width): conv(width, 1) >> relu
"""
    net = network("- layer1: stage(2, 4)", head)
    assert names(net) == ["layer1.0.0", "layer1.0.1", "layer1.1.0", "layer1.1.1"]
    assert net.blocks == {"layer1": "stage", "layer1.0": "unit", "layer1.1": "unit"}


def test_a_block_may_replace_an_op() -> None:
    head = "input: 3x8x8\nblocks:\n  relu: relu6 >> tanh\n"
    assert kinds(network("- relu", head)) == {"0.0": "relu6", "0.1": "tanh"}


# --- choices --------------------------------------------------------------------------------------


def test_a_choice_is_made_when_the_network_is_laid_out() -> None:
    head = """\
input: 3x8x8
blocks:
  fit(out, stride=1): conv(out, 1, stride) >> batch_norm if stride != 1 or x.channels != out else identity
"""
    net = network("- fit(3)\n- fit(4)\n- fit(4)\n- fit(4, 2)", head)
    assert names(net) == ["1.0", "1.1", "3.0", "3.1"]
    assert net.output == (4, 4, 4)


def test_the_side_that_is_not_chosen_is_not_looked_at() -> None:
    assert kinds(network("- relu if x.channels == 3 else conv(nothing, 0)")) == {"0": "relu"}
    assert kinds(network("- tanh if false else relu if true else sigmoid")) == {"0": "relu"}
    assert kinds(network("- conv(4 if x.height > 5 else 1 // 0, 1)")) == {"0": "conv"}
    assert names(network("- relu if none else [] if 0 else identity\n- relu")) == ["1"]


def test_a_choice_among_steps_as_a_value() -> None:
    assert kinds(network("- (relu if x.channels == 3 else tanh) * 2")) == {"0": "relu", "1": "relu"}
    head = "input: 3x8x8\nblocks:\n  unit(act=none):\n    - conv(4, 1)\n    - act if act else identity\n"
    assert kinds(network("- unit\n- unit(relu)\n- unit(conv(2, 1))", head)) == {
        "0.0": "conv", "1.0": "conv", "1.1": "relu", "2.0": "conv", "2.1": "conv",
    }  # fmt: skip
    head = head.replace("if act else", "if act != none else")
    assert len(network("- unit\n- unit(relu)\n- unit(conv(2, 1))", head)) == 5


# --- tables ---------------------------------------------------------------------------------------


def test_a_table() -> None:
    """MobileNetV2's way of printing itself: t, c, n, s."""
    head = "input: 32x16x16\nblocks:\n  unit(t, c, s): conv(t * x.channels, 1) >> conv(c, 3, s, padding=1)\n"
    net = network(
        """
        - each: [t, c, n, s]
          in:
            - [1, 16, 1, 1]
            - [6, 24, 2, 2]
          do: unit(t, c, s) >> unit(t, c, 1) * (n - 1)
        """,
        head,
    )
    # the rows share one scope: 0 from the first, 1 and 2 from the second
    assert [(layer.name, str(layer.shape)) for layer in net] == [
        ("0.0", "32x16x16"),
        ("0.1", "16x16x16"),
        ("1.0", "96x16x16"),  # 6 * 16
        ("1.1", "24x8x8"),
        ("2.0", "144x8x8"),  # 6 * 24
        ("2.1", "24x8x8"),
    ]


def test_a_table_of_one_column() -> None:
    for rows in ("[4, 5, 6]", "[[4], [5], [6]]", "range(4, 7)", '"[4] + [5, 6]"', "[4, 2 + 3, 6]", "widths"):
        for column in ("c", "[c]"):
            net = network(
                f"- each: {column}\n  in: {rows}\n  do: conv(c, 1)\n- relu",
                "input: 3x8x8\nparams: {widths: [4, 5, 6]}\n",
            )
            assert [layer.shape.channels for layer in net] == [4, 5, 6, 6], rows
            assert names(net) == ["0", "1", "2", "3"]


def test_a_table_with_names() -> None:
    net = network(
        """
        - each: i
          in: range(1, 4)
          do:
            - denselayer{i}: conv(4 * i, 1)
            - relu{i}_of_{2 * i - 1}: relu
        """
    )
    assert names(net) == [
        "denselayer1", "relu1_of_1", "denselayer2", "relu2_of_3", "denselayer3", "relu3_of_5",
    ]  # fmt: skip
    assert net.output.channels == 12


def test_a_table_of_texts_and_steps() -> None:
    net = network(
        """
        - each: [name, act, last]
          in:
            - ['"a"', relu, true]
            - ["'b'", tanh, false]
          do:
            - "{name}": act
            - "{name}{1 + 1}": sigmoid if last else identity
        """
    )
    assert kinds(net) == {"a": "relu", "a2": "sigmoid", "b": "tanh"}


def test_a_table_within_a_table() -> None:
    net = network(
        """
        - each: [block, layers]
          in: [[1, 2], [2, 1]]
          do:
            - block{block}:
                - each: i
                  in: range(layers)
                  do:
                    - layer{i + 1}: conv(10 * block + i, 1)
        """
    )
    assert [(layer.name, layer.shape.channels) for layer in net] == [
        ("block1.layer1", 10),
        ("block1.layer2", 11),
        ("block2.layer1", 20),
    ]


def test_the_columns_of_a_table_end_with_it() -> None:
    with pytest.raises(archlens.SpecError, match="the name c is not known here"):
        network("- each: c\n  in: [4]\n  do: conv(c, 1)\n- conv(c, 1)")


def test_a_table_without_rows() -> None:
    assert names(network("- each: c\n  in: []\n  do: conv(c, 1)\n- relu")) == ["0"]


# --- branches -------------------------------------------------------------------------------------


def test_residual_adds_x() -> None:
    net = network("- stem: conv(4, 1)\n- residual:\n    - conv(4, 3, padding=1)\n    - relu\n- tanh")
    assert reads(net) == {
        "stem": ("input",),
        "0": ("stem",),
        "relu": ("0",),
        "add": ("relu", "stem"),  # F(x) + x
        "tanh": ("add",),
    }
    for form in ("residual: conv(3, 1) >> relu", "residual: [conv1: 'conv(3, 1)', relu: relu]"):
        assert kinds(network(f"- {form}"))["add"] == "add"
    # a name under it is a scope, as everywhere
    assert names(network("- residual: {f: [relu, tanh]}")) == ["f.0", "f.1", "add"]


def test_residual_with_a_shortcut() -> None:
    net = network(
        """
        - residual:
            - conv(8, 3, 2, padding=1)
          shortcut:
            - downsample: conv(8, 1, 2) >> batch_norm
        """
    )
    assert reads(net) == {
        "0": ("input",),
        "downsample.0": ("input",),
        "downsample.1": ("downsample.0",),
        "add": ("0", "downsample.1"),
    }
    assert net.output == (8, 4, 4)


def test_a_shortcut_that_is_the_identity() -> None:
    net = network("- residual: [relu]\n  shortcut: [downsample: identity]\n- relu")
    assert reads(net) == {"relu": ("input",), "add": ("relu", "input"), "relu_1": ("add",)}


def test_no_shortcut_at_all() -> None:
    """With `shortcut: none` there is F(x) alone, and no sum; what it depends on is x before the steps."""
    assert reads(network("- residual: [conv: 'conv(8, 1)']\n  shortcut: none")) == {"conv": ("input",)}
    head = """\
input: 3x8x8
params: {skip: none}
blocks:
  unit(out, stride):
    - residual:
        - conv: conv(out, 1, stride)
      shortcut: identity if stride == 1 and x.channels == out else none
"""
    layers = """
        - unit(4, 1)
        - unit(4, 1)
        - unit(4, 2)
        - residual: relu
          shortcut: skip
    """
    net = network(layers, head)
    assert reads(net) == {
        "0.conv": ("input",),
        "1.conv": ("0.conv",),
        "1.add": ("1.conv", "0.conv"),
        "2.conv": ("1.add",),
        "3": ("2.conv",),
    }
    assert names(network(layers, head, skip="identity"))[-2:] == ["3", "add"]


@pytest.mark.parametrize("form", ["concat", "add", "multiply"])
def test_a_branch_that_is_none_is_absent(form: str) -> None:
    """What is left is merged; one branch that is left is all there is, and leaves no merge behind."""
    head = "input: 3x8x8\nparams: {pool: none, wide: false, acts: [none, tanh]}\n"
    net = network(f"- {form}: [a: relu, b: pool, c: tanh, d: sigmoid if wide else none]", head)
    assert reads(net) == {"a": ("input",), "c": ("input",), form: ("a", "c")}
    assert reads(network(f"- a: relu\n- {form}: [pool, 'acts[0]', b: tanh]\n- selu", head)) == {
        "a": ("input",),
        "b": ("a",),
        "selu": ("b",),
    }
    # of a table, too, and of tables beside branches
    rows = f"- {form}: [{{each: act, in: acts, do: act}}, {{each: act, in: [none], do: act}}, identity]"
    assert reads(network(rows, head)) == {"0": ("input",), form: ("0", "input")}
    assert reads(network(f"- {form}: {{each: i, in: range(1), do: [relu, tanh]}}")) == {
        "0": ("input",),
        "1": ("0",),
    }


def test_a_branch_that_is_none_of_those_that_merge_with_x() -> None:
    """X + nothing and x * nothing are x; without a shortcut F(x) is alone, and without F the shortcut is."""
    alone = {"a": ("input",), "b": ("a",)}
    assert {form for form in FORMS if reads(network(f"- a: relu\n- {form}: none\n- b: tanh")) == alone} == {
        *FORMS
    }
    assert reads(network("- residual: [none]\n  shortcut: relu")) == {"0": ("input",)}
    # a list of one step is that step; of several, each of which is none, it is a branch without steps: x
    assert reads(network("- residual: relu\n  shortcut: [down: none]")) == {"relu": ("input",)}
    both = network("- residual: relu\n  shortcut: [none, none]")
    assert reads(both) == {"0": ("input",), "add": ("0", "input")}


def test_a_step_that_is_none_is_not_there() -> None:
    """It takes neither a number nor a name; `identity` takes both, as torch's Identity does."""
    head = "input: 3x8x8\nparams: {act: none, deep: false}\n"
    net = network("- conv(4, 1) >> act >> conv(4, 1)\n- norm: batch_norm if deep else none\n- relu", head)
    assert kinds(net) == {"0": "conv", "1": "conv", "relu": "relu"}
    assert names(network("- norm: none\n- norm: relu")) == ["norm"]
    assert names(network("- none * 3\n- None\n- relu")) == ["0"]
    # whether a branch is there is asked of the tensor that flows in, and not of what the one before makes
    assert reads(network("- add: ['conv(8, 1)', 'conv(8, 1) if x.channels == 3 else none']"))["add"] == (
        "0",
        "1",
    )


def test_dense_concatenates_x() -> None:
    net = network("- dense: [batch_norm, 'conv(5, 1)']\n- dense: conv(5, 1)")
    assert reads(net) == {
        "0": ("input",),
        "1": ("0",),
        "concat": ("input", "1"),  # x first, as DenseNet has it
        "2": ("concat",),
        "concat_1": ("concat", "2"),
    }
    assert [net[name].shape.channels for name in ("concat", "concat_1")] == [3 + 5, 3 + 5 + 5]


def test_gate_multiplies_x() -> None:
    net = network("- gate: [global_avg_pool, 'conv(3, 1)', sigmoid]")
    assert reads(net)["multiply"] == ("input", "2")
    assert net["2"].shape == (3, 1, 1)
    assert net.output == (3, 8, 8)


@pytest.mark.parametrize("form", ["concat", "add", "multiply"])
def test_branches_in_a_list(form: str) -> None:
    net = network(
        f"- {form}:\n    - conv(3, 1)\n    - [relu, tanh]\n    - named: sigmoid\n    - identity\n    - []"
    )
    # they stand in the scope around them and count on
    assert reads(net) == {
        "0": ("input",),
        "relu": ("input",),
        "tanh": ("relu",),
        "named": ("input",),
        form: ("0", "tanh", "named", "input", "input"),
    }
    assert net.output == ((15, 8, 8) if form == "concat" else (3, 8, 8))


@pytest.mark.parametrize("form", ["concat", "add", "multiply"])
def test_branches_with_names(form: str) -> None:
    net = network(f"- {form}:\n    a: conv(3, 1) >> relu\n    b: [relu]\n    c: tanh\n    d: identity")
    assert reads(net) == {
        "a.0": ("input",),
        "a.1": ("a.0",),
        "b.0": ("input",),
        "c": ("input",),
        form: ("a.1", "b.0", "c", "input"),
    }


def test_branches_from_a_table() -> None:
    """A pyramid of poolings: one branch for each row, and others beside them."""
    net = network(
        """
        - concat:
            - identity
            - each: size
              in: [1, 2, 4]
              do: [adaptive_avg_pool(size), "conv(size, 1)", "upsample(size=8)"]
            - tanh
        """
    )
    # identity is 0; then three steps for each row
    assert net["concat"].inputs == ("input", "3", "6", "9", "10")
    assert net["concat"].shape == (3 + 1 + 2 + 4 + 3, 8, 8)
    net = network("- add:\n    each: i\n    in: range(3)\n    do:\n      - path{i}: conv(3, 1)")
    assert net["add"].inputs == ("path0", "path1", "path2")


def test_branches_within_branches() -> None:
    net = network(
        """
        - concat:
            - residual: [relu]
            - concat: [tanh, sigmoid]
            - inner:
                - concat:
                    a: relu
                    b: relu
        """
    )
    assert reads(net) == {
        "relu": ("input",),
        "add": ("relu", "input"),
        "tanh": ("input",),
        "sigmoid": ("input",),
        "concat": ("tanh", "sigmoid"),
        "inner.a": ("input",),
        "inner.b": ("input",),
        "inner.concat": ("inner.a", "inner.b"),
        "concat_1": ("add", "concat", "inner.concat"),
    }


def test_merges_are_called_after_what_they_do() -> None:
    """A merge has no weights, so its name is no key; it steps aside for a name that the spec gives."""
    net = network(
        """
        - residual: relu
        - residual: relu
        - add_1: relu
        - dense: relu
        - block:
            - residual: relu
        """
    )
    assert kinds(net) == {
        "relu": "relu", "add": "add", "relu_1": "relu", "add_2": "add", "add_1": "relu", "relu_2": "relu",
        "concat": "concat", "block.0": "relu", "block.add": "add",
    }  # fmt: skip


# --- references -----------------------------------------------------------------------------------


def test_ref_goes_on_from_an_earlier_step() -> None:
    net = network("- a: conv(4, 1)\n- b: relu\n- ref(a) >> tanh\n- ref(b)\n- sigmoid\n- ref('a')\n- softmax")
    assert reads(net) == {"a": ("input",), "b": ("a",), "tanh": ("a",), "sigmoid": ("b",), "softmax": ("a",)}
    assert net.output == (4, 8, 8)


def test_ref_takes_no_number() -> None:
    assert names(network("- a: relu\n- ref(a)\n- relu")) == ["a", "relu"]


def test_ref_of_a_scope_is_its_end() -> None:
    net = network(
        """
        - a:
            - relu
            - b: tanh
        - sigmoid
        - ref(a) >> relu
        - ref("a.relu") >> relu
        - ref("a.b") >> relu
        """
    )
    assert [net[name].inputs for name in ("relu", "relu_1", "relu_2")] == [("a.b",), ("a.relu",), ("a.b",)]


def test_ref_to_the_input() -> None:
    net = network("- conv(4, 1)\n- concat: [identity, ref(input)]")
    assert net["concat"].inputs == ("0", "input")


def test_ref_from_within_a_scope() -> None:
    """A name is looked for in the scope, then in those around it."""
    net = network(
        """
        - a: relu
        - b: tanh
        - inner:
            - a: sigmoid
            - ref(a) >> relu
            - ref(b) >> relu
        - ref(a) >> relu
        """
    )
    assert net["inner.relu"].inputs == ("inner.a",)
    assert net["inner.relu_1"].inputs == ("b",)
    assert net["relu"].inputs == ("a",)


def test_ref_from_within_a_block() -> None:
    """A block sees the steps at the top, and not those of the scope that it is called from."""
    head = "input: 3x8x8\nblocks:\n  unit:\n    - conv(3, 1)\n    - add: [identity, ref(a)]\n"
    net = network("- a: relu\n- unit * 2\n- stage:\n    - a: tanh\n    - unit", head)
    assert reads(net) == {
        "a": ("input",),
        "0.0": ("a",),
        "0.add": ("0.0", "a"),
        "1.0": ("0.add",),
        "1.add": ("1.0", "a"),  # although the block was laid out before, on the same shape
        "stage.a": ("1.add",),
        "stage.0.0": ("stage.a",),
        "stage.0.add": ("stage.0.0", "a"),
    }
    with pytest.raises(archlens.SpecError, match="there is no step a to refer to"):
        network("- stage:\n    - a: tanh\n    - unit", head)


def test_ref_to_a_step_of_the_block_itself() -> None:
    head = "input: 3x8x8\nblocks:\n  unit:\n    - a: conv(3, 1)\n    - relu\n    - add: [identity, ref(a)]\n"
    net = network("- unit * 2", head)
    assert reads(net) == {
        "0.a": ("input",),
        "0.relu": ("0.a",),
        "0.add": ("0.relu", "0.a"),
        "1.a": ("0.add",),
        "1.relu": ("1.a",),
        "1.add": ("1.relu", "1.a"),
    }


def test_a_block_is_laid_out_anew_where_something_differs() -> None:
    """The same block on another shape, with other arguments, and within a head for training."""
    head = """\
input: 3x8x8
blocks:
  unit(width=x.channels, act=relu): conv(width, 3) >> act
outputs:
  aux: {training: unit}
"""
    net = network(
        "- unit\n- unit\n- unit(4)\n- unit\n- unit(4, act=tanh)\n- conv(4, 1)", head, input="3x20x20"
    )
    assert [str(layer.shape) for layer in net if layer.op.kind == "conv"] == [
        "3x18x18", "3x16x16", "4x14x14", "4x12x12", "4x10x10", "4x10x10", "4x8x8",
    ]  # fmt: skip
    assert [layer.op.kind for layer in net if layer.op.kind != "conv"] == ["relu"] * 4 + ["tanh", "relu"]
    assert [layer.name for layer in net if layer.training] == ["aux.0", "aux.1"]


def test_a_named_reference() -> None:
    net = network("- a: relu\n- b: tanh\n- c: ref(a)\n- sigmoid\n- ref(c) >> relu")
    assert reads(net) == {"a": ("input",), "b": ("a",), "sigmoid": ("a",), "relu": ("a",)}


def test_attributes_of_an_earlier_step() -> None:
    assert network("- a: conv(5, 3)\n- conv(2 * a.channels + a.height, 1)").output.channels == 2 * 5 + 6


def test_braces_in_texts() -> None:
    """A text holds expressions, wherever it stands, with the names that are known there."""
    head = """\
input: 3x8x8
params:
  deep: 2
  source: '"stage{deep}.0"'
blocks:
  head(of, name="stage{deep - 1}"):
    - ref("{of}{deep}") >> relu
    - ref(name) >> tanh
"""
    net = network(
        """
        - each: i
          in: range(3)
          do:
            - stage{i}:
                - conv(4 + i, 1)
                - "{'side' if i else 'left'}": relu
        - each: i
          in: range(3)
          do: ref("stage{i}.{'side' if i else 'left'}") >> sigmoid
        - ref(source)
        - head("stage")
        """,
        head,
    )
    assert [net[name].inputs for name in ("sigmoid", "sigmoid_1", "sigmoid_2")] == [
        ("stage0.left",),
        ("stage1.side",),
        ("stage2.side",),
    ]
    assert reads(net)["3.0"] == ("stage2.side",)
    assert reads(net)["3.1"] == ("stage1.side",)
    given = "input: 3x8x8\nparams: {end: put, source: '\"in{end}\"'}\n"
    assert network("- conv(4, 1)\n- ref(source)\n- relu", given)["1"].inputs == ("input",)


def test_a_name_that_is_left_empty_makes_no_scope() -> None:
    """Its steps stand in the scope around it, and are found there; an expression has no name."""
    text = """
input: 4
params: {whole: true}
layers:
  - "{'net' if whole else ''}": [a: linear(3), linear(2)]
  - "{'end' if whole else ''}": linear(1)
  - add: [identity, ref("net.a" if whole else "a") >> linear(1)]
"""
    assert [layer.name for layer in archlens.loads(text)] == [
        "net.a",
        "net.0",
        "end",
        "1",
        "add",
    ]  # identity is 0
    bare = archlens.loads(text, whole=False)
    assert [layer.name for layer in bare] == ["a", "0", "1", "3", "add"]
    with pytest.raises(archlens.SpecError, match="a name is missing before the colon"):
        archlens.loads("{input: 4, layers: ['': relu]}")


def test_a_path_is_looked_for_as_a_name_is() -> None:
    """In the scope that it stands in, then in those around it."""
    net = network(
        """
        - stem:
            - conv: conv(4, 1)
        - neck:
            - stem:
                - conv: conv(5, 1)
            - near: ref("stem.conv") >> relu
            - inner:
                - far: ref("stem.conv") >> relu
                - up: ref("inner.far") >> tanh
        - ref("stem.conv")
        - relu
        - ref("neck.stem.conv")
        - relu
        """
    )
    assert reads(net) | {
        "neck.near.0": ("neck.stem.conv",),
        "neck.inner.far.0": ("neck.stem.conv",),
    } == reads(net)
    assert reads(net) | {"relu": ("stem.conv",), "relu_1": ("neck.stem.conv",)} == reads(net)
    assert reads(net)["neck.inner.up.0"] == ("neck.inner.far.0",)


def test_a_path_in_a_block_is_first_that_of_the_block() -> None:
    """Then that of the network; so a block may be used again, and under any name."""
    head = """\
input: 3x8x8
blocks:
  tower:
    - enc: [conv: "conv(x.channels + 1, 1)"]
    - relu
    - add: [ref("enc.conv"), identity]
    - ref("top.conv") >> tanh
"""
    net = network("- top: [conv: 'conv(4, 1)']\n- tower * 2\n- wide: [tower]", head)
    made = reads(net)
    for scope in ("0", "1", "wide.0"):
        assert made[f"{scope}.add"] == (f"{scope}.enc.conv", f"{scope}.relu")
        assert made[f"{scope}.tanh"] == ("top.conv",)


def test_skips_across_scopes() -> None:
    """A U-Net of two levels, with unpadded convolutions and cropped skips as in the paper."""
    net = network(
        """
        - enc1: double(4)
        - max_pool(2)
        - enc2: double(8)
        - max_pool(2)
        - bridge: double(16)
        - dec2: up(8, enc2)
        - dec1: up(4, enc1)
        - head: conv(2, 1)
        """,
        """\
input: 1x44x44
blocks:
  double(out): conv(out, 3) >> relu >> conv(out, 3) >> relu
  up(out, skip, size=2 * x.height):
    - upconv: conv_transpose(out, 2, stride=2)
    - concat:
        - ref(skip) >> crop(size)
        - identity
    - double(out)
""",
    )
    shapes = {name: str(net.shape_of(name)) for name in names(net)}
    assert shapes["enc1.3"] == "4x40x40"  # 44 - 4
    assert shapes["enc2.3"] == "8x16x16"  # 20 - 4
    assert shapes["bridge.3"] == "16x4x4"  # 8 - 4
    assert shapes["dec2.upconv"] == "8x8x8"
    assert shapes["dec2.crop"] == "8x8x8"  # the crop of enc2
    assert shapes["dec2.concat"] == "16x8x8"
    # the crop is 0 and identity 1, so the block is 2; 8 - 4
    assert shapes["dec2.2.3"] == "8x4x4"
    assert shapes["dec1.upconv"] == "4x8x8"
    assert shapes["dec1.concat"] == "8x8x8"
    assert shapes["head"] == "2x4x4"
    assert net["dec2.crop"].inputs == ("enc2.3",)
    assert net["dec2.concat"].inputs == ("dec2.crop", "dec2.upconv")
    assert net["dec1.crop"].inputs == ("enc1.3",)
    assert net["dec1.upconv"].inputs == ("dec2.2.3",)
    # each convolution has its weights: 3x3 of 1-4-4, 4-8-8, 8-16-16, 16-8-8 and 8-4-4 with biases;
    # 2x2 of 16-8 and 8-4; 1x1 of 4-2
    doubles = [(1, 4), (4, 8), (8, 16), (16, 8), (8, 4)]
    params = sum(9 * a * b + b + 9 * b * b + b for a, b in doubles)
    assert net.params == params + (4 * 16 * 8 + 8) + (4 * 8 * 4 + 4) + (4 * 2 + 2)


# --- inputs and outputs ---------------------------------------------------------------------------

#: What the end of ``layers`` is called among the outputs.
MAIN = next(iter(network("- relu").outputs))


def test_inputs_of_every_dimension() -> None:
    for text, shape in (
        ("7", (7,)),
        ("7x5", (7, 5)),
        ("1x2x3", (1, 2, 3)),
        ("1x2x3x4", (1, 2, 3, 4)),
        ("1×2×3", (1, 2, 3)),
    ):
        net = network("- relu", f"input: {text}\n")
        assert net.input == shape
        assert net.output == shape


def test_several_inputs() -> None:
    net = network(
        """
        - conv(4, 3, padding=1)
        - add:
            - identity
            - ref(depth) >> conv(input.image.channels + 1, 1)
        - conv(depth.channels, 1)
        """,
        "input: {image: 3x8x8, depth: 1x8x8}\n",
    )
    # the first input is what flows in at the start
    assert net.inputs == {"image": (3, 8, 8), "depth": (1, 8, 8)}
    assert reads(net) == {"0": ("image",), "2": ("depth",), "add": ("0", "2"), "3": ("add",)}
    assert net["2"].shape.channels == 3 + 1
    assert net.output.channels == 1


def test_another_input() -> None:
    head = "input: {image: 3x8x8, depth: 1x4x4}\n"
    assert network("- relu", head, input={"image": (3, 16, 16)}).inputs == {
        "image": (3, 16, 16),
        "depth": (1, 4, 4),
    }
    assert network("- relu", input="1x5x5").output == (1, 5, 5)
    assert network("- relu", input=[1, 5, 5]).output == (1, 5, 5)


def test_an_input_made_of_params() -> None:
    head = """\
input: 3x{resolution}x{resolution // 2}
params: {resolution: 64}
variants:
  large: {resolution: 96}
"""
    assert network("- relu", head).input == (3, 64, 32)
    assert network("- relu", head, variant="large").input == (3, 96, 48)
    assert network("- relu", head, resolution=10).input == (3, 10, 5)
    assert network("- relu", head, variant="large", resolution=10).input == (3, 10, 5)
    assert network("- relu", head, input="1x2x3").input == (1, 2, 3)


def test_further_outputs() -> None:
    net = network(
        """
        - a: conv(4, 1)
        - b: conv(5, 1)
        """,
        """\
input: 3x8x8
outputs:
  early: [ref(a), conv: "conv(2, 1)"]
  late: conv(6, 1)
  raw: ref(a)
""",
    )
    # the end of layers is the main output; an output starts from there unless it says otherwise
    assert net.outputs == {MAIN: "b", "early": "early.conv", "late": "late", "raw": "a"}
    assert reads(net) == {"a": ("input",), "b": ("a",), "early.conv": ("a",), "late": ("b",)}
    assert net.output == (5, 8, 8)


def test_a_network_whose_heads_are_all_under_outputs() -> None:
    net = network(
        """
        - each: i
          in: range(2)
          do:
            - p{i}: conv(4 + i, 3)
        """,
        """\
input: 3x8x8
params: {first: 0}
outputs:
  out: none
  level{first}: ref("p{first}")
  boxes: conv(6, 1)
""",
    )
    assert net.outputs == {"level0": "p0", "boxes": "boxes"}
    assert net.output == (4, 6, 6)
    assert net.with_input("3x10x10").outputs == net.outputs
    # and one of them alone is what it gives
    alone = network("- a: relu\n- tanh", "input: 3x8x8\noutputs: {out: none, early: ref(a)}\n")
    assert alone.outputs == {"early": "a"}
    assert archlens.convert(alone).rstrip().endswith("outputs:\n  out: none\n  early: ref(a)")


def test_outputs_for_training_only() -> None:
    """Their parameters are the network's; their work is done in training and not at inference."""
    net = network(
        "- a: conv(4, 1)\n- b: conv(5, 1)",
        "input: 3x8x8\noutputs:\n  aux:\n    training:\n      - ref(a)\n      - conv(7, 1)\n",
    )
    assert net.outputs == {MAIN: "b", "aux": "aux.0"}
    assert [layer.training for layer in net] == [False, False, True]
    # 1x1 convolutions with biases, at 64 positions
    assert net.params == (3 * 4 + 4) + (4 * 5 + 5) + (4 * 7 + 7)
    assert net.macs == (3 * 4 + 4 * 5) * 64
    assert net.training_macs == 4 * 7 * 64


# --- params and variants --------------------------------------------------------------------------

FAMILY = """\
title: Family
summary: Two of them.
notes: All of them.
input: 3x8x8
params:
  block: basic
  depths: [1, 1]
  wide: 2 * depths[0]
blocks:
  basic(width): conv(width, 1)
  bottle(width): conv(width, 1) >> conv(4 * width, 1)
layers:
  - stage1: block(wide) * depths[0]
  - stage2: block(2 * wide) * depths[1]
variants:
  small:
  large:
    title: Large
    notes: Only this one.
    block: bottle
    depths: [3, 2]
    input: 3x16x16
"""


def test_variants() -> None:
    plain = archlens.loads(FAMILY)
    assert names(plain) == ["stage1.0.0", "stage2.0.0"]
    assert plain.output == (4, 8, 8)  # 2 * 2 * 1
    assert plain.title == "Family"
    small = archlens.loads(FAMILY, variant="small")
    assert (names(small), small.title, small.output) == (names(plain), "Family", plain.output)
    large = archlens.loads(FAMILY, variant="large")
    assert large.title == "Large"
    assert large.meta.summary == "Two of them."
    assert large.meta.notes == ("All of them.", "Only this one.")
    assert large.input == (3, 16, 16)
    assert len(large) == (3 + 2) * 2
    assert large.output == (4 * 2 * 6, 16, 16)  # wide is 2 * 3, for it is worked out after depths


def test_values_override_variants() -> None:
    net = archlens.loads(FAMILY, variant="large", depths=[1, 2], block="basic")
    assert names(net) == ["stage1.0.0", "stage2.0.0", "stage2.1.0"]
    assert net.values == {"block": net.values["block"], "depths": (1, 2), "wide": 2}
    # values as texts, as the command line gives them, and as Python's own
    assert len(archlens.loads(FAMILY, depths="[2, 3]")) == 5
    assert len(archlens.loads(FAMILY, depths=(2, "1 + 2"))) == 5
    assert archlens.loads(FAMILY, wide=10).output.channels == 20
    assert archlens.loads(FAMILY, wide="5 * len(depths)").output.channels == 20


def test_a_param_without_a_value_must_be_given() -> None:
    head = "input: 3x8x8\nparams: {width: , act: relu}\nvariants: {wide: {width: 9}}\n"
    with pytest.raises(archlens.UsageError, match="needs a value for width"):
        network("- conv(width, 1)", head)
    assert network("- conv(width, 1)", head, width=4).output.channels == 4
    assert network("- conv(width, 1)", head, variant="wide").output.channels == 9


def test_params_of_every_kind() -> None:
    head = """\
input: 3x8x8
params:
  number: 4
  half: number / 8
  text: '"same"'
  word: same
  yes_: true
  nothing: none
  steps: relu >> tanh
  op: sigmoid
  nested: [[1, 2], [number, 2 * number]]
"""
    net = network(
        """
        - conv(nested[1][1], 3, padding=text, bias=yes_)
        - dropout(half)
        - steps
        - op
        - conv(1, 3, padding=word)
        """,
        head,
    )
    assert kinds(net) == {"0": "conv", "1": "dropout", "2": "relu", "3": "tanh", "4": "sigmoid", "5": "conv"}
    assert net.values["nested"] == ((1, 2), (4, 8))
    assert net.values["nothing"] is None
    assert str(net["1"].op) == "dropout"  # 0.5, which is its default
    assert net.output == (1, 8, 8)


def test_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("family.yaml").write_text(FAMILY)
    assert archlens.load("family.yaml").name == "family"
    assert archlens.load("family.yaml:large").name == "large"
    assert len(archlens.load("family.yaml:large", depths=[1, 1])) == 4
    assert archlens.load(str(tmp_path / "family.yaml"), input="1x2x2").input == (1, 2, 2)
    # a file that is called like one of its variants means that one
    Path("large.yaml").write_text(FAMILY)
    assert archlens.load("large.yaml").title == "Large"
    Path("with:colon.yaml").write_text(FAMILY)
    assert archlens.load("with:colon.yaml").title == "Family"


# --- what is for people ---------------------------------------------------------------------------


def test_meta() -> None:
    net = archlens.loads(
        """\
title: "A: network"
summary: >-
  Two
  lines.
notes:
  - First.
  - Second.
paper: {authors: Doe et al., title: On Networks, year: 1998, arxiv: "0001.00001"}
input: 3x8x8
layers: relu
published:
  - source: the paper, table 1
    link: paper
    params: 1.5M
    macs: 300M
budget:
  params: <= 26M
"""
    )
    assert net.title == "A: network"
    assert net.meta.summary == "Two lines."
    assert net.meta.notes == ("First.", "Second.")
    assert net.meta.papers == (
        {"authors": "Doe et al.", "title": "On Networks", "year": "1998", "arxiv": "0001.00001"},
    )
    assert net.meta.year == "1998"
    (entry,) = net.meta.published
    assert (entry.source, entry.link) == ("the paper, table 1", "https://arxiv.org/abs/0001.00001")
    assert (entry.printed("params"), entry.printed("macs")) == ("1.5M", "300M")
    assert net.meta.budget == {"params": "<= 26M"}


def test_no_word_of_yaml_is_interpreted() -> None:
    """``no``, ``on``, ``1:30`` and ``0x10`` are what they are, and not what YAML 1.1 takes them for."""
    net = archlens.loads(
        "input: 3x8x8\ntitle: no\nsummary: 1:30\nnotes: [on, 0x10, 1_000]\nlayers: {y: relu}\n"
    )
    assert (net.title, net.meta.summary, net.meta.notes) == ("no", "1:30", ("on", "0x10", "1_000"))
    assert names(net) == ["y"]
    net = archlens.loads("input: 3x8x8\nparams: {n: 0x10, m: 1_0}\nlayers: conv(n + m, 1)\n")
    assert net.output.channels == 16 + 10


# --- the examples of the language -----------------------------------------------------------------


def test_lenet() -> None:
    net = archlens.loads(
        """\
title: LeNet-5
paper: {authors: LeCun et al., title: Gradient-Based Learning Applied to Document Recognition, year: 1998}
input: 1x32x32                      # channels x height x width

layers:
  - C1: conv(6, 5)                  # 28x28x6
  - tanh
  - S2: avg_pool(2)
  - C3: conv(16, 5)
  - tanh
  - S4: avg_pool(2)
  - flatten
  - C5: linear(120)
  - tanh
  - F6: linear(84)
  - tanh
  - output: linear(10)
"""
    )
    assert names(net) == [
        "C1", "tanh", "S2", "C3", "tanh_1", "S4", "flatten", "C5", "tanh_2", "F6", "tanh_3", "output",
    ]  # fmt: skip
    # 32 - 4 = 28, 14, 10, 5, and 16 * 5 * 5
    assert [str(net[name].shape) for name in ("C1", "S2", "C3", "S4", "flatten", "output")] == [
        "6x28x28", "6x14x14", "16x10x10", "16x5x5", "400", "10",
    ]  # fmt: skip
    # 5*5*1*6 + 6, 5*5*6*16 + 16, 400*120 + 120, 120*84 + 84, 84*10 + 10
    assert net.params == 156 + 2416 + 48120 + 10164 + 850


RESNET = """\
input: 3x224x224
params: {depths: [3, 4]}
blocks:
  bottleneck(width, stride=1):
    - residual:
        - conv1: conv(width, 1, bias=false)
        - bn1: batch_norm
        - relu
        - conv2: conv(width, 3, stride, padding=1, bias=false)
        - bn2: batch_norm
        - relu
        - conv3: conv(4 * width, 1, bias=false)
        - bn3: batch_norm
      shortcut:
        - downsample: conv(4 * width, 1, stride, bias=false) >> batch_norm if stride != 1 or x.channels != 4 * width else identity
    - relu
layers:
  - conv1: conv(64, 7, stride=2, padding=3, bias=false)
  - bn1: batch_norm
  - relu
  - max_pool(3, stride=2, padding=1)
  - layer1: bottleneck(64) * depths[0]
  - layer2: bottleneck(128, stride=2) >> bottleneck(128) * (depths[1] - 1)
"""  # noqa: E501


def test_resnet() -> None:
    net = archlens.loads(RESNET)
    assert [key for key in keys(net) if key.startswith("layer1.0.")] == [
        "layer1.0.conv1.weight", "layer1.0.bn1.weight", "layer1.0.bn1.bias",
        "layer1.0.conv2.weight", "layer1.0.bn2.weight", "layer1.0.bn2.bias",
        "layer1.0.conv3.weight", "layer1.0.bn3.weight", "layer1.0.bn3.bias",
        "layer1.0.downsample.0.weight", "layer1.0.downsample.1.weight", "layer1.0.downsample.1.bias",
    ]  # fmt: skip
    assert not [key for key in keys(net) if key.startswith("layer1.1.downsample")]
    assert [name for name in names(net) if name.endswith(".conv1")] == [
        "layer1.0.conv1", "layer1.1.conv1", "layer1.2.conv1",
        "layer2.0.conv1", "layer2.1.conv1", "layer2.2.conv1", "layer2.3.conv1",
    ]  # fmt: skip
    # the first: 64*64 + 64*64*9 + 64*256 and the projection 64*256, with two per channel of each norm
    first = 4096 + 36864 + 16384 + 16384 + 2 * (64 + 64 + 256 + 256)
    # the others: 256*64 + 64*64*9 + 64*256
    other = 16384 + 36864 + 16384 + 2 * (64 + 64 + 256)
    assert sum(layer.params for layer in net if layer.name.startswith("layer1.")) == first + 2 * other
    assert net.shape_of("layer1.2.relu_2") == (256, 56, 56)
    assert net.output == (512, 28, 28)
    assert net["layer1.0.add"].inputs == ("layer1.0.bn3", "layer1.0.downsample.1")
    assert net["layer1.1.add"].inputs == ("layer1.1.bn3", "layer1.0.relu_2")
    assert len(archlens.loads(RESNET, depths=[1, 1])) < len(net)


def test_inception() -> None:
    """Module 3a of GoogLeNet, whose 163,696 parameters its authors round to 159 K."""
    net = network(
        "- inception3a: inception(64, 96, 128, 16, 32, 32)",
        """\
input: 192x28x28
blocks:
  unit(out, kernel, padding=0): conv(out, kernel, padding=padding) >> relu
  inception(c1, r3, c3, r5, c5, proj):
    - concat:
        branch1: unit(c1, 1)
        branch2: unit(r3, 1) >> unit(c3, 3, padding=1)
        branch3: unit(r5, 1) >> unit(c5, 5, padding=2)
        branch4: max_pool(3, stride=1, padding=1, ceil_mode=true) >> unit(proj, 1)
""",
    )
    assert net.output == (64 + 128 + 32 + 32, 28, 28)
    assert net["inception3a.concat"].inputs == (
        "inception3a.branch1.1", "inception3a.branch2.1.1",
        "inception3a.branch3.1.1", "inception3a.branch4.1.1",
    )  # fmt: skip
    # 192*64 + 64, 192*96 + 96, 9*96*128 + 128, 192*16 + 16, 25*16*32 + 32, 192*32 + 32
    assert net.params == 12352 + 18528 + 110720 + 3088 + 12832 + 6176 == 163696


def test_the_trap_of_commas_and_its_ways_out() -> None:
    with pytest.raises(archlens.SpecError, match="is only part of an expression"):
        archlens.loads("input: 3x8x8\nlayers: [conv(64, 1), relu]\n")
    for layers in (
        "['conv(64, 1)', relu]",
        '["conv(64, 1)", relu]',
        "conv(64, 1) >> relu",
        "\n- conv(64, 1)\n- relu",
    ):
        assert names(archlens.loads(f"input: 3x8x8\nlayers: {layers}\n")) == ["0", "1"]


TITLED = """
title: A Net
input: 3x8x8
params: {width: 8, act: relu, sizes: [1, 2]}
layers: ["conv(width, 1)", act]
variants: {a: {width: 16}}
"""


@pytest.mark.parametrize(
    ("variant", "given", "title"),
    [
        ("", {}, "A Net"),
        ("", {"width": 8}, "A Net"),
        ("", {"width": "4 + 4"}, "A Net"),
        ("", {"width": 9}, "A Net with width=9"),
        ("a", {"width": 16}, "A Net"),
        ("a", {"width": "8"}, "A Net with width=8"),
        ("", {"act": "tanh", "width": 9}, "A Net with width=9, act=tanh"),
        ("", {"sizes": [1, 3]}, "A Net with sizes=(1, 3)"),
    ],
)
def test_the_title_says_which_params_are_other_than_the_specs(
    variant: str, given: dict[str, Any], title: str
) -> None:
    network = archlens.loads(TITLED, variant=variant, **given)
    assert network.title == title
    assert network.meta.title == "A Net"


@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ("224x224x3", "3x224x224"),
        ("28x28x1", "1x28x28"),
        ("32x64x4", "4x32x64"),
        ("16x112x112x3", "3x16x112x112"),
        ("3x224x224", ""),
        ("3x4x4", ""),
        ("64x5x5", ""),
        ("224x3x224", ""),
        ("16000x1", ""),
    ],
)
def test_an_input_whose_channels_seem_to_stand_last(shape: str, first: str) -> None:
    text = f"input: {shape}\nlayers: [relu]\n"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = archlens.loads(text)
        archlens.loads("input: 3x8x8\nlayers: [relu]\n" if shape.count("x") == 2 else text, input=shape)
    said = [str(one.message) for one in caught]
    assert [f"help: channels come first: {first}\n" in f"{one}\n" for one in said] == [True] * (
        2 * bool(first)
    )
    (problem,) = layouts.find(loaded) or [None]
    if first:
        assert problem is not None
        assert problem.span is not None
        assert (problem.span.line, problem.span.column, problem.span.width) == (1, 8, len(shape))
        assert layouts.find(archlens.loads("input: 3x8x8\nlayers: [relu]\n")) == []


@pytest.mark.parametrize("command", ["shapes", "cost", "memory", "sizes", "lint", "explain", "source"])
def test_every_command_warns_of_channels_that_seem_to_stand_last(command: str, tmp_path: Path) -> None:
    spec = tmp_path / "last.yaml"
    spec.write_text("input: 64x64x3\nlayers: ['conv(8, 1)', relu]\n", encoding="utf-8")
    result = CliRunner().invoke(cli, [command, str(spec)])
    assert result.stderr.count("is read as 64 channels of 64x3") == 1
    assert "is read as" not in CliRunner().invoke(cli, [command, str(spec), "--input", "3x64x64"]).stderr


def test_a_layer_that_does_not_fit_because_channels_stand_last() -> None:
    """The smallest input that fits would be 224x7x7, which nobody wants."""
    with pytest.raises(archlens.SpecError) as caught:
        archlens.loads("input: 224x224x3\nlayers: ['conv(64, 7, stride=2)']")
    assert caught.value.diagnostic.help == "channels come first: 3x224x224"
