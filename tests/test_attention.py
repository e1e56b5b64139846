"""The core of attention in the language: its branches by name, what it computes, and what it sees."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import archlens
from archlens.analysis.study import Study
from archlens.backends.verification import verify
from archlens.language import parse
from archlens.lint import lint
from archlens.ops import EVERYWHERE, NonUniform

CROSS = """
input: {queries: 12x5, memory: 8x9}
layers:
  - mem: ref(input.memory) >> channels_last
  - tokens: ref(input.queries) >> channels_last
  - attention: {q: linear(12), k: ref(mem) >> linear(12), v: ref(mem) >> linear(12), heads: 3}
  - out: linear(12)
"""

CAUSAL = """
input: 16x6
layers:
  - channels_last
  - attention:
      v: linear(16)
      q: linear(16)
      k: linear(16)
      heads: 4
      causal: true
"""


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.default_generator.manual_seed(0)


def test_it_is_that_of_torch() -> None:
    """With the weights of ``nn.MultiheadAttention`` for queries and a memory of other channels."""
    network = archlens.loads(CROSS)
    built = archlens.build(network).eval()
    torchs = nn.MultiheadAttention(12, 3, kdim=8, vdim=8, batch_first=True).eval()
    nn.init.normal_(torchs.in_proj_bias)
    state = torchs.state_dict()
    biases = state["in_proj_bias"].chunk(3)
    names = ("q", "k.0", "v.0")
    given = {f"{name}.bias": bias for name, bias in zip(names, biases, strict=True)}
    given |= {f"{name}.weight": state[f"{name[0]}_proj_weight"] for name in names}
    built.load_state_dict(given | {f"out.{key}": state[f"out_proj.{key}"] for key in ("weight", "bias")})
    queries, memory = torch.rand(2, 12, 5), torch.rand(2, 8, 9)
    x, y = queries.mT, memory.mT
    torch.testing.assert_close(built(queries, memory), torchs(x, y, y)[0])
    # 5 queries, 9 keys, 12 channels: both products
    assert network["attention"].macs == 2 * 5 * 9 * 12


def test_parts_stand_in_any_order_and_names_of_their_own_in_this() -> None:
    network = archlens.loads(CAUSAL)
    assert network["attention"].inputs == ("q", "k", "v")
    renamed = CAUSAL.replace("v:", "a:").replace("q:", "b:").replace("k:", "c:")
    assert archlens.loads(renamed)["attention"].inputs == ("a", "b", "c")


def test_attention_is_a_name_unless_over_branches() -> None:
    """So layers and scopes are called as those of other people's weights are."""
    network = archlens.loads(
        "input: 8x5\nlayers:\n  - channels_last\n  - attention: self_attention(2)\n"
        "  - block:\n      - attention:\n          - query: linear(8)\n"
    )
    assert [layer.name for layer in network] == ["channels_last", "attention", "block.attention.query"]


def test_arguments_are_expressions() -> None:
    """Over what flows in, and the params of the file, which are then used."""
    spec = CAUSAL.replace("heads: 4", "heads: x.channels // width").replace(
        "layers:", "params: {width: 8}\nlayers:"
    )
    network = archlens.loads(spec)
    assert str(network["attention"].op) == "attention(2, causal=true)"
    assert "AL601" not in {finding.rule.code for finding in lint(Study(network), parse(spec))}


def test_causal_attention_in_torch() -> None:
    """Queries do not attend to what comes after them: the output there stays as it is."""
    built = archlens.build(archlens.loads(CAUSAL)).eval()
    x = torch.rand(1, 16, 6)
    other = x.clone()
    other[..., 3] += 1
    changed = (built(x) - built(other)).abs().amax((0, 2)) > 0
    assert changed.tolist() == [False] * 3 + [True] * 3


def test_what_a_causal_kernel_would_compute() -> None:
    """Of 6 by 6 pairs in 4 heads those below the diagonal and on it, with 4 channels of each product."""
    network = archlens.loads(CAUSAL)
    pairs = sum(1 for query in range(6) for key in range(6) if key <= query)
    layer = network["attention"]
    said = layer.op.why_macs(layer.facts, *layer.input_shapes)
    assert said.endswith(f"computes {4 * pairs * (4 + 4):,}")
    assert layer.macs == 4 * 36 * (4 + 4)


def test_shared_heads_are_repeated() -> None:
    """Two heads of keys serve four of queries, in turn."""
    spec = "input: {q: 12x5, k: 6x5, v: 8x5}\nlayers:\n  - attention:\n" + "".join(
        f"      {name}_: ref(input.{name}) >> channels_last\n" for name in "qkv"
    )
    built = archlens.build(archlens.loads(spec + "      heads: 4\n      kv_heads: 2\n"))
    q, k, v = torch.rand(2, 12, 5), torch.rand(2, 6, 5), torch.rand(2, 8, 5)
    heads = [x.unflatten(1, (count, -1)).mT for x, count in ((q, 4), (k, 2), (v, 2))]
    full = [heads[0], *(x.repeat_interleave(2, 1) for x in heads[1:])]
    wanted = F.scaled_dot_product_attention(*full).transpose(1, 2).flatten(2)
    torch.testing.assert_close(built(q, k, v), wanted)


def test_what_it_sees() -> None:
    """All of the memory, and of the queries the one at its own position."""
    study = Study(archlens.loads(CROSS))
    assert study.fields["memory"]["out"] is EVERYWHERE
    (field,) = study.fields["queries"]["out"]
    assert (field.size, field.stride, field.start) == (1, 1, 0)
    (field,) = Study(archlens.loads(CAUSAL)).fields["input"]["attention"]
    assert (field.size, field.stride, field.start) == (6, 1, -5)


@pytest.mark.parametrize("spec", [CROSS, CAUSAL], ids=["cross", "causal"])
def test_verified(spec: str) -> None:
    """Shapes, weights, products and planted NaNs."""
    report = verify(archlens.loads(spec))
    assert report.passed
    assert report.fvcore
    assert "attention" in {check.layer for check in report.of("field") if check.status == "passed"}


def biased(bias: str, rest: str = "heads: 4") -> str:
    """Attention of maps of tokens, or of rows of them, with a bias of the shape that is said."""
    return f"""
input: {{of_q: 2x5x8, of_k: 2x6x8, of_v: 2x6x12}}
layers:
  - own: ref(of_q) >> parameter({bias})
  - attention:
      q: ref(of_q) >> rearrange("r l c -> r l c")
      k: ref(of_k) >> rearrange("r l c -> r l c")
      v: ref(of_v) >> rearrange("r l c -> r l c")
      bias: ref(own)
      {rest}
"""


@pytest.mark.parametrize(
    "bias", [(2, 4, 5, 6), (2, 1, 5, 1), (1, 4, 1, 6), (4, 5, 6), (1, 5, 6), (5, 6), (1, 6), (6,)], ids=str
)
def test_a_bias_is_added_as_torch_adds_a_mask(bias: tuple[int, ...]) -> None:
    """Two rows, 4 heads, 5 queries, 6 keys; what stands on the left may be left out."""
    network = archlens.loads(biased(str([*bias])))
    built = archlens.build(network).eval()
    (own,) = built.parameters()
    nn.init.normal_(own)
    given = torch.rand(3, 2, 5, 8), torch.rand(3, 2, 6, 8), torch.rand(3, 2, 6, 12)
    q, k, v = (x.unflatten(-1, (4, -1)).transpose(2, 3) for x in given)
    wanted = F.scaled_dot_product_attention(q, k, v, attn_mask=own).transpose(2, 3).flatten(3)
    torch.testing.assert_close(built(*given), wanted)
    # 2 rows of 4 heads of 5 by 6 scores, which the bias does not add to
    assert network["attention"].macs == 2 * 4 * 5 * 6 * (2 + 3)


def test_a_scale_takes_the_place_of_the_root() -> None:
    """With a bias and without, and 1 is none."""
    q, k, v = torch.rand(2, 12, 5), torch.rand(2, 12, 5), torch.rand(2, 12, 5)
    heads = [x.unflatten(1, (3, 4)).mT for x in (q, k, v)]
    for scale in (1, 0.3):
        wanted = F.scaled_dot_product_attention(*heads, scale=scale).transpose(1, 2).flatten(2)
        for bias in ("none", "parameter([3, 5, 5]) >> scale(0)"):
            spec = "input: {of_q: 12x5, of_k: 12x5, of_v: 12x5}\nlayers:\n  - attention:\n" + "".join(
                f"      {name}: ref(of_{name}) >> tokens\n" for name in "qkv"
            )
            spec_of = f"{spec}      bias: {bias}\n      scale: {scale}\n      heads: 3"
            built = archlens.build(archlens.loads(spec_of))
            torch.testing.assert_close(built(q, k, v), wanted)


def test_a_bias_that_is_none_is_no_branch() -> None:
    chosen = CAUSAL.replace("causal: true", "bias: parameter([4, 6, 6]) if some else none").replace(
        "layers:", "params: {some: true}\nlayers:"
    )
    assert archlens.loads(chosen)["attention"].inputs == ("q", "k", "v", "bias")
    assert archlens.loads(chosen, some=False)["attention"].inputs == ("q", "k", "v")


def test_a_bias_that_is_given_reaches_its_own_query() -> None:
    """Which it does in each head, so nothing is said of a field in it; of the others all is as without."""
    spec = CAUSAL.replace("16x6", "{tokens: 16x6, mask: 4x6x6}")
    spec = spec.replace("- channels_last", "- ref(tokens) >> channels_last")
    spec = spec.replace("causal: true", 'bias: ref(mask) >> rearrange("h q k -> h q k")')
    study = Study(archlens.loads(spec))
    assert study.fields["tokens"]["attention"] is EVERYWHERE
    assert isinstance(study.fields["mask"]["attention"], NonUniform)


def test_a_bias_is_written_again() -> None:
    """As a spec and as a module."""
    network = archlens.loads(biased("[4, 5, 6]"))
    text = archlens.convert(network)
    assert "bias: ref(" in text
    again = archlens.loads(text)
    assert [str(layer.op) for layer in again] == [str(layer.op) for layer in network]
    assert again["attention"].input_shapes == network["attention"].input_shapes


SINKS = CAUSAL.replace("causal: true", "sinks: parameter([4]) if some else none").replace(
    "layers:", "params: {some: true}\nlayers:"
)


def test_a_sink_takes_a_part_of_the_weights() -> None:
    """The weights of a query are exponentials by the sum of all of them and of the sink of their head."""
    built = archlens.build(archlens.loads(SINKS)).eval()
    state = built.state_dict()
    assert state["sinks"].shape == (4,)
    state["sinks"] = torch.tensor([-2.0, 0.0, 1.0, 30.0])
    built.load_state_dict(state)
    x = torch.rand(2, 16, 6)
    q, k, v = (
        F.linear(x.mT, state[f"{part}.weight"], state[f"{part}.bias"]).unflatten(-1, (4, 4)).transpose(1, 2)
        for part in "qkv"
    )
    exponentials = (q @ k.mT / 2).exp()
    weights = exponentials / (exponentials.sum(-1, keepdim=True) + state["sinks"].exp().view(4, 1, 1))
    torch.testing.assert_close(built(x), (weights @ v).transpose(1, 2).flatten(2))
    assert built(x)[..., 12:].abs().max() < 1e-6  # the last head gives nearly all to its sink


def test_sinks_that_are_none_are_no_branch() -> None:
    assert archlens.loads(SINKS)["attention"].inputs == ("q", "k", "v", "sinks")
    assert archlens.loads(SINKS, some=False)["attention"].inputs == ("q", "k", "v")
    assert (
        archlens.loads(SINKS, some=False)["attention"].op
        == archlens.loads(CAUSAL.replace("true", "false"))["attention"].op
    )


@pytest.mark.parametrize("bias", ["", "      bias: parameter([6, 6])\n"], ids=["alone", "beside a bias"])
def test_sinks_are_written_again(bias: str) -> None:
    """As a spec, under their name."""
    network = archlens.loads(SINKS.replace("      heads: 4\n", f"      heads: 4\n{bias}"))
    text = archlens.convert(network)
    assert "sinks: ref(" in text
    again = archlens.loads(text)
    assert again["attention"].inputs == network["attention"].inputs
    assert again["attention"].op == network["attention"].op
    assert verify(again).passed


def test_a_part_is_called_so_beside_a_step_of_that_name() -> None:
    """Where it is an earlier tensor alone; what makes layers has a name of its own."""
    spec = """
input: 16x6
layers:
  - tokens
  - q: linear(16)
  - turned: rotary(8)
  - attention: {q: PART, k: ref(q), v: ref(q), heads: 2}
"""
    network = archlens.loads(spec.replace("PART", "ref(turned)"))
    assert network["attention"].inputs == ("turned", "q", "q")
    with pytest.raises(archlens.SpecError, match="the name q appears twice"):
        archlens.loads(spec.replace("PART", "linear(16)"))


def test_the_narrow_side_of_a_window_is_what_its_bias_needs() -> None:
    """Relative positions are divided by the size less 1, along each axis."""
    text = "input: 12x8x8\nlayers: [channels_last, 'window_attention_v2(3, (1, 4))']"
    with pytest.raises(archlens.SpecError, match="a window of at least 2, and window is"):
        archlens.loads(text)
