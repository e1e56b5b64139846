"""Experts: what each token meets is counted, and in torch each goes where its scores say.

Parameters are held against transformers' printed count and sums that are written out; routing against a loop
over tokens; products against torch's own counter.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.analysis import comparison, counting, decoding, difference
from archlens.analysis.cost import cost
from archlens.backends.verification import verify
from archlens.network import Network
from archlens.source import emit
from archlens.views import (
    comparison_table,
    cost_table,
    difference_table,
    explanation,
    rows,
    shapes_table,
    words,
)
from archlens.views import (
    json as network_json,
)
from archlens.writing import convert

from . import random_experts
from .running import run

EXPERT = """
  expert:
    - multiply:
        - [w1: "linear(hidden, bias=false)", silu]
        - w3: linear(hidden, bias=false)
    - w2: linear(width, bias=false)
"""
MIXTURE = f"""
params: {{width: 12, hidden: 20, count: 5, active: 2, groups: 1, open: 1,
         scores: softmax, scale: 1, normalize: true}}
input: "7x{{width}} channels_last"
blocks:{EXPERT}
layers:
  - moe:
      - experts:
          count: count
          active: active
          do: expert
          scores: scores
          normalize: normalize
          scale: scale
          groups: groups
          active_groups: open
"""
STACKED = """
input: 7x12 channels_last
layers:
  - moe:
      - experts:
          count: 5
          active: 2
          stacked: true
          do: [up: "linear(20, bias=BIAS)", relu, down: "linear(12, bias=false)"]
"""


def built(network: Network) -> nn.Module:
    """The module of a network, with weights that differ."""
    torch.manual_seed(1)
    module = archlens.build(network).eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def check_written(network: Network, module: nn.Module) -> None:
    """Its source and what its converted spec makes compute the same with the same weights."""
    random_experts.check_written(network, module, torch.randn(2, *network.input))


# --- what is counted -------------------------------------------------------------------------------


def test_mixtral() -> None:
    """Mistral AI says 46.7 B parameters, of which a token uses 12.9 B; transformers counts 46,702,792,704."""
    text = f"""
params: {{width: 4096, hidden: 14336}}
input: 128 of 32000
blocks:{EXPERT}
  attention:
    - norm: rms_norm
    - {{q: "linear(4096, bias=false)"}}
    - {{o: "linear(4096, bias=false)"}}
    - ref(norm)
    - {{k: "linear(1024, bias=false)"}}
    - ref(norm)
    - {{v: "linear(1024, bias=false)"}}
    - ref(o)
  layer:
    - attention
    - norm: rms_norm
    - block_sparse_moe: [{{experts: {{count: 8, active: 2, do: expert}}}}]
layers: [embedding(width), layers: layer * 32, norm: rms_norm, lm_head: "linear(32000, bias=false)"]
"""
    network = archlens.loads(text)
    assert network.params == 46_702_792_704
    one = 3 * 4096 * 14336
    assert network.active_params == 46_702_792_704 - 32 * 6 * one == 12_879_925_248
    state = network.state()
    assert state["layers.31.block_sparse_moe.gate.weight"] == (8, 4096)
    for expert in range(8):
        path = f"layers.31.block_sparse_moe.experts.{expert}"
        assert state[f"{path}.w1.weight"] == state[f"{path}.w3.weight"] == (14336, 4096)
        assert state[f"{path}.w2.weight"] == (4096, 14336)
    assert len(state) == 3 + 32 * (2 + 4 + 1 + 24)
    rest = 128 * 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 8 * 4096) + 128 * 4096 * 32000
    assert network.macs == rest + 128 * 32 * 2 * one


DEEPSEEK = """
params: {width: 7168, heads: 128, length: 9}
input: "{length} of 129280"
blocks:
  mlp(hidden):
    - multiply:
        - [gate_proj: "linear(hidden, bias=false)", silu]
        - up_proj: linear(hidden, bias=false)
    - down_proj: linear(width, bias=false)
  attention:
    - entry: identity
    - q_a_proj: linear(1536, bias=false)
    - q_a_layernorm: rms_norm
    - q_b_proj: linear(heads * (128 + 64), bias=false)
    - ref(entry)
    - kv_a_proj_with_mqa: linear(512 + 64, bias=false)
    - slice(0, 512)
    - kv_a_layernorm: rms_norm
    - kv_b_proj: linear(heads * (128 + 128), bias=false)
    - slice(0, heads * 128)
    - o_proj: linear(width, bias=false)
  moe:
    - add:
        - [experts: {count: 256, active: 8, do: mlp(2048), scores: sigmoid, scale: 2.5}]
        - shared_experts: mlp(2048)
  layer(sparse):
    - input_layernorm: rms_norm
    - self_attn: attention
    - post_attention_layernorm: rms_norm
    - mlp: moe if sparse else mlp(18432)
layers:
  - embed_tokens: embedding(width)
  - layers: [layer(false) * 3, layer(true) * 58]
  - norm: rms_norm
  - lm_head: linear(129280, bias=false)
"""


def test_many_experts_are_laid_out_once() -> None:
    """DeepSeek v3: 671 B parameters, 37 B of them active; transformers counts 671,026,404,352 on meta."""
    network = archlens.loads(DEEPSEEK)
    assert network.params == 671_026_404_352
    assert network.active_params == 671_026_404_352 - 58 * 248 * 3 * 7168 * 2048
    assert network.active_params // 10**9 == 37
    experts = {id(layer.facts) for layer in network if layer.copies is not None and layer.facts.weights}
    assert len(experts) == 2  # what goes in and what comes out
    state = network.state()
    assert sum(".experts." in key for key in state) == 58 * 256 * 3
    assert state["layers.60.mlp.experts.255.down_proj.weight"] == (7168, 2048)


def test_blocks_that_are_repeated_have_experts_of_their_own() -> None:
    text = f"""
params: {{width: 12, hidden: 20}}
input: 7x12 channels_last
blocks:{EXPERT}
  moe: [experts: {{count: 3, active: 2, do: expert}}]
layers: [moe * 3]
"""
    network = archlens.loads(text)
    assert {
        "0.experts.2.w1.weight",
        "2.experts.0.w2.weight",
        "2.experts.2.w3.weight",
    } < network.state().keys()
    module = built(network)
    assert {key: tuple(value.shape) for key, value in module.state_dict().items()} == network.state()
    assert not torch.equal(
        module.get_parameter("0.experts.1.w1.weight"), module.get_parameter("2.experts.1.w1.weight")
    )
    assert module(torch.randn(2, 7, 12)).shape == (2, 7, 12)


def test_one_more_token() -> None:
    """It meets the router, and of each of its two experts all weights."""
    text = f"""
params: {{width: 12, hidden: 20}}
input: 7 of 9
blocks:{EXPERT}
layers:
  - embedding(12)
  - self_attention(2, causal=true)
  - experts: {{count: 5, active: 2, do: expert}}
"""
    found = decoding.find(archlens.loads(text))
    assert isinstance(found, decoding.Decoding)
    assert found.token == 4 * 12 * 12 + 2 * 7 * 12 + 5 * 12 + 2 * 3 * 12 * 20


def test_on_other_inputs_they_have_the_same_weights() -> None:
    network = archlens.loads(MIXTURE)
    other = network.with_input("3x12")
    assert other.state() == network.state()
    assert other.macs * 7 == network.macs * 3
    assert network.with_values(count=6).params == network.params // 5 * 6


def test_of_a_single_vector() -> None:
    network = archlens.loads("{input: 12, layers: [experts: {count: 3, active: 2, do: linear(4)}]}")
    assert network.output == (4,)
    assert network.macs == 12 * 3 + 2 * 12 * 4
    module = built(network)
    assert module(torch.randn(5, 12)).shape == (5, 4)
    assert set(module.state_dict()) == {
        "gate.weight",
        *(f"experts.{i}.{name}" for i in range(3) for name in ("weight", "bias")),
    }


def test_applied_once_more_they_have_their_weights_once() -> None:
    text = MIXTURE + "  - again(moe)\n"
    network, once = archlens.loads(text), archlens.loads(MIXTURE)
    assert network.params == once.params
    assert network.macs == 2 * once.macs
    module, single = built(network), built(once)
    single.load_state_dict(module.state_dict(), strict=True)
    x = torch.randn(2, 7, 12)
    torch.testing.assert_close(module(x), single(single(x)))


# --- in torch --------------------------------------------------------------------------------------


def by_hand(x: Tensor, state: dict[str, Tensor], network: Network) -> Tensor:
    """Each token through its experts, one after the other."""
    says, out = dict(network.values), torch.zeros_like(x)
    bias = state.get("moe.gate.correction")
    says["scores"] = getattr(says["scores"], "kind", says["scores"])
    for sample, position in ((s, p) for s in range(len(x)) for p in range(x.shape[1])):
        token = x[sample, position]
        scores = state["moe.gate.weight"] @ token
        scores = scores.softmax(0) if says["scores"] == "softmax" else scores.sigmoid()
        ranked = [float(score) for score in scores]
        if bias is not None:
            ranked = [score + float(one) for score, one in zip(ranked, bias, strict=True)]
        size = says["count"] // says["groups"]
        groups = [range(g * size, (g + 1) * size) for g in range(says["groups"])]
        groups.sort(key=lambda group: -sum(sorted(ranked[e] for e in group)[-2:]))
        open_ = [e for group in groups[: says["open"]] for e in group]
        best = sorted(open_, key=lambda e: -ranked[e])[: says["active"]]
        whole = sum(float(scores[e]) for e in best) if says["normalize"] else 1.0
        for e in best:
            w1, w2, w3 = (state[f"moe.experts.{e}.{name}.weight"] for name in ("w1", "w2", "w3"))
            hidden = w1 @ token
            made = w2 @ (hidden * hidden.sigmoid() * (w3 @ token))
            out[sample, position] += says["scale"] * float(scores[e]) / whole * made
    return out


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"active": 1},
        {"active": 5, "normalize": False},
        {"scores": "sigmoid", "scale": 2.5},
        {"scores": "sigmoid", "normalize": False, "active": 3},
    ],
)
def test_each_token_goes_where_its_scores_say(values: dict[str, Any]) -> None:
    network = archlens.loads(MIXTURE, **values)
    module = built(network)
    assert {key: tuple(value.shape) for key, value in module.state_dict().items()} == network.state()
    x = torch.randn(2, 7, 12)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        found = module(x)
    torch.testing.assert_close(found, by_hand(x, module.state_dict(), network))
    assert counter.get_total_flops() == 2 * 2 * network.macs
    check_written(network, module)


def test_what_is_not_said_of_experts() -> None:
    """Their scores are a softmax, divided by the sum of those of a token, in one group, and not scaled."""
    text, _, _ = MIXTURE.partition("          scores: scores")
    network = archlens.loads(text)
    module = built(network)
    x = torch.randn(2, 7, 12)
    said = {"scores": "softmax", "normalize": True, "scale": 1, "groups": 1, "open": 1}
    torch.testing.assert_close(module(x), by_hand(x, module.state_dict(), archlens.loads(MIXTURE, **said)))


def test_what_choosing_within_groups_takes() -> None:
    """For each of 7 tokens 3 x 8 comparisons; the two best of 4 groups each, 4 sums, and 2 of these."""
    network = archlens.loads(MIXTURE, count=8, active=3, groups=4, open=2)
    (choose,) = [layer for layer in network if layer.op.kind == "choose"]
    assert choose.facts.other == {"choice": 7 * (3 * 8 + 2 * 8 + 4 + 2 * 4)}


@pytest.mark.parametrize("values", [{}, {"count": 8, "active": 3, "groups": 4, "open": 2}])
def test_a_bias_has_a_part_in_the_choice_alone(values: dict[str, Any]) -> None:
    """As DeepSeek v3 has it, in the module of the router."""
    text = MIXTURE.replace(
        "          do: expert\n", "          do: expert\n          correction: correction\n"
    )
    network = archlens.loads(text, scores="sigmoid", **values)
    module = built(network)
    count = network.values["count"]
    assert network.state()["moe.gate.correction"] == (count,)
    assert network.params == archlens.loads(MIXTURE, **values).params
    with torch.no_grad():
        module.get_buffer("moe.gate.correction").normal_()
    x = torch.randn(2, 7, 12)
    torch.testing.assert_close(module(x), by_hand(x, module.state_dict(), network))
    assert [check for check in verify(network, device="meta").checks if check.status == "failed"] == []
    check_written(network, module)


class Calls(TorchDispatchMode):
    """How often each operator runs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
def test_scores_are_made_once(scores: str) -> None:
    """Though both the choice and the weights depend on them; 7 tokens have 5 scores each."""
    text = MIXTURE.replace(
        "          do: expert\n", "          do: expert\n          correction: correction\n"
    )
    network = archlens.loads(text, scores=scores)
    with torch.no_grad(), Calls() as calls:
        built(network)(torch.randn(2, 7, 12))
    assert calls.seen["_softmax" if scores == "softmax" else "sigmoid"] == 1
    silu = 2 * 7 * 20  # of two experts of each token
    made = 7 * (3 * 5 - 1) if scores == "softmax" else 7 * 5
    assert archlens.study(network).cost.total.other()["activation"] == made + silu


@pytest.mark.parametrize(("bias", "turned"), [(False, False), (True, False), (False, True), (True, True)])
def test_stacked_weights_are_those_of_all_experts(bias: bool, turned: bool) -> None:
    """Turned they have a row for each input, as gpt-oss has them, and compute the same."""
    text = STACKED.replace("BIAS", f"{bias}, turned={turned}".lower())
    stacked = archlens.loads(text)
    single = archlens.loads(text.replace("stacked: true", "stacked: false"))
    assert stacked.state() == {
        "moe.gate.weight": (5, 12),
        "moe.experts.up": (5, 12, 20) if turned else (5, 20, 12),
        **({"moe.experts.up_bias": (5, 20)} if bias else {}),
        "moe.experts.down": (5, 12, 20),
    }
    assert (stacked.params, stacked.active_params, stacked.macs) == (
        single.params,
        single.active_params,
        single.macs,
    )
    one, many = built(single), built(stacked)
    state = many.state_dict()
    for expert in range(5):
        for name in ("up", "down"):
            state[f"moe.experts.{expert}.{name}.weight"] = state[f"moe.experts.{name}"][expert]
        if bias:
            state[f"moe.experts.{expert}.up.bias"] = state["moe.experts.up_bias"][expert]
    one.load_state_dict({key: state[key] for key in one.state_dict()}, strict=True)
    x = torch.randn(3, 7, 12)
    torch.testing.assert_close(one(x), many(x))
    names: dict[str, Any] = {"__name__": "written"}
    exec(emit(stacked), names)
    written = names["Network"]()
    assert {key: tuple(value.shape) for key, value in written.state_dict().items()} == stacked.state()
    written.load_state_dict(many.state_dict(), strict=True)
    torch.testing.assert_close(written.eval()(x), many(x))


#: Experts in ways that the random ones do not have: weights within scopes, routers that are scopes, have a
#: number or make no module, names that torch's modules have, and all of it applied again.
WAYS = {
    "stacked in scopes": """
  - moe:
      - experts:
          count: 3
          active: 2
          stacked: true
          correction: corrections
          do: [part: {deep: [up: linear(20), x: "linear(12, bias=false)"]}, relu, down: linear(12)]
  - again(moe)
  - again(moe)
""",
    "a router of several layers": """
  - eval:
      - experts:
          count: 3
          active: 2
          gate: {0: [linear(3), relu]}
          correction: train
          do: [part: {deep: [up: linear(20), x: linear(12)]}, relu]
  - other:
      - experts: {count: 3, active: 2, gate: {items: [linear(3), relu]}, correction: items, do: linear(12)}
  - again(eval)
  - again(other)
""",
    "a router without weights": """
  - moe: [experts: {count: 3, active: 2, gate: {0: linear(3) >> relu}, correction: gamma, do: linear(12)}]
  - experts:
      count: 12
      active: 2
      gate: {0: 'slice(0, 12, axis="channels")'}
      correction: train
      do: linear(12)
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_sources_of_experts(way: str) -> None:
    random_experts.check(f"input: 7x12 channels_last\nlayers:{WAYS[way]}")


def test_a_bias_that_has_the_name_of_a_layer_is_no_source() -> None:
    text = STACKED.replace("BIAS", "true").replace("relu", "up_bias: relu")
    with pytest.raises(
        archlens.UsageError, match=r"moe\.experts\.up_bias is a layer, and the bias of moe\.exp"
    ):
        emit(archlens.loads(text))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_verified(device: str) -> None:
    """With a router of another name, and an expert that all tokens go to."""
    text = f"""
params: {{width: 12, hidden: 8}}
input: 7x12 channels_last
blocks:{EXPERT}
layers:
  - add:
      - [experts: {{count: 4, active: 2, do: expert, gate: {{router: linear(4)}}}}]
      - shared_expert: expert
"""
    network = archlens.loads(text)
    assert "router.bias" in network.state()
    found = verify(network, device=device)
    assert [check for check in found.checks if check.status == "failed"] == []


# --- where it is said ------------------------------------------------------------------------------


def test_tables_say_both() -> None:
    network = archlens.loads(MIXTURE, width=64, hidden=96)
    one, gate = 3 * 64 * 96, 5 * 64
    assert words.headline(network).endswith(
        "92.48 k parameters (37.18 k active), 260.29 k MACs (647.36 k with all experts)"
    )
    assert (network.params, network.active_params) == (5 * one + gate, 2 * one + gate) == (92_480, 37_184)
    assert any(
        line.startswith("37,184 of the 92,480 params are active") for line in words.conventions(network)
    )
    table = shapes_table.table(network, rows.rows_of(network))
    assert any(row[0] == "moe.experts.0..4.w2" for row in table.rows)
    (folded,) = [row for row in rows.rows_of(network, 2) if row.name == "moe.experts"]
    assert folded.what == "5 experts, 2 active"
    data = json.loads(network_json.to_json(archlens.Study(network)))
    tokens = 7
    assert (network.macs, network.total_macs) == (tokens * (2 * one + gate), tokens * (5 * one + gate))
    assert data["totals"] == {
        "params": 92_480, "active_params": 37_184, "macs": network.macs, "total_macs": 647_360
    }  # fmt: skip
    (layer,) = [one for one in data["layers"] if one["name"] == "moe.experts.0.w2"]
    assert layer["experts"] == {"count": 5, "active": 2}
    said = explanation.to_text(network, [network["moe.experts.0.w2"]])
    assert "6,144 x 2 experts of a token = 12,288" in " ".join(said.split())
    ledger = cost_table.table(cost(network), by="scope", depth=2)
    assert any("5 experts, 2 active" in map(str, row) for row in ledger.rows)


def test_active_parameters_are_a_figure() -> None:
    """It is said of networks with experts, and of others beside these alone."""
    mixed, plain = (
        archlens.Study(archlens.loads(text)) for text in (MIXTURE, "{input: 8, layers: [linear(4)]}")
    )
    both = comparison_table.table([comparison.find(mixed), comparison.find(plain)])
    assert "active" in [column.title for column in both.seen.columns]
    alone = comparison_table.table([comparison.find(plain)])
    assert "active" not in [column.title for column in alone.seen.columns]
    assert "active_params" not in comparison_table.to_data(comparison.find(plain))
    assert comparison_table.to_data(comparison.find(mixed))["active_params"] == mixed.network.active_params
    assert "active_params" not in {one.name for one in difference_table.totals(plain, plain)}
    (total,) = [one for one in difference_table.totals(plain, mixed) if one.name == "active_params"]
    assert (total.old, total.new) == (8 * 4 + 4, mixed.network.active_params)


def test_a_budget_of_active_parameters(tmp_path: Path) -> None:
    (tmp_path / "mixture.yaml").write_text(f"{MIXTURE}budget: {{active_params: <= 1.5k}}\n", "utf-8")
    held = run("check", "mixture.yaml", cwd=tmp_path)
    assert held.returncode == 0, held.stdout
    # 2 x 3 x 12 x 20 of the experts, 5 x 12 of the router
    broken = run("check", "mixture.yaml", "--active-params", "<= 1499", cwd=tmp_path)
    assert broken.returncode == 1
    assert "1,500" in broken.stdout


def test_published_ones_are_held_against_what_is_computed() -> None:
    """5 x 720 + 60 parameters, of which 2 x 720 + 60 are active."""
    for params, active, verdict in (("7.3k", "2.9k", "different, unexplained"), ("3660", "1500", "equal")):
        published = f"published: {{source: S, params: {params}, active_params: {{moe: {active}}}}}"
        found = archlens.study(archlens.loads(f"{MIXTURE}{published}\n")).claims
        assert {one.what: one.verdict for one in found} == {
            "params": verdict,
            "active params of moe": verdict,
        }


@pytest.mark.parametrize(
    "command", ["memory", "cost --count-as fvcore", "sizes", "lint", "diagram -o made.svg"]
)
def test_other_commands_take_them(command: str, tmp_path: Path) -> None:
    (tmp_path / "mixture.yaml").write_text(MIXTURE, "utf-8")
    name, *options = command.split()
    found = run(name, "mixture.yaml", *options, cwd=tmp_path)
    assert found.returncode == 0, found.stderr


CHAIN = """
input: 6x8 channels_last
layers:
  - experts: {count: 3, active: 2, do: [layer_norm, linear(16), linear(8), prelu]}
"""


def test_two_linear_layers_in_an_expert_could_be_one() -> None:
    """In each of 3 experts 8x16 + 16 + 16x8 + 8 parameters could be 8x8 + 8."""
    (found,) = [one for one in archlens.study(archlens.loads(CHAIN)).lint if one.rule.code == "AL304"]
    assert f"saves {3 * (8 * 16 + 16 + 16 * 8 + 8 - 8 * 8 - 8):,} parameters" in found.help


@pytest.mark.parametrize("tool", [name for name in counting.names() if name != "keras"])
def test_tools_count_what_the_tokens_of_an_expert_take(tool: str) -> None:
    """As much as of the same layers on twice as many tokens; the router has 8x3 weights more."""
    alone = "{input: 12x8 channels_last, layers: [layer_norm, linear(16), linear(8), prelu]}"
    found, plain = (counting.count(archlens.loads(text), tool) for text in (CHAIN, alone))
    assert found.work is not None
    assert plain.work is not None
    expert = sum(share.counted for name, share in found.work.items() if ".0." in name)
    assert expert == sum(share.counted for share in plain.work.values())


@pytest.mark.parametrize("name", ["mixtral_8x7b", "deepseek_v3"])
def test_networks_of_the_zoo_are_converted(name: str) -> None:
    network = archlens.load(name)
    again = archlens.loads(convert(network))
    assert difference.find(network, again).empty
    assert again.state() == network.state()
    assert (again.params, again.active_params) == (network.params, network.active_params)


@pytest.mark.parametrize("read", ["experts.score", "experts.choose", "experts.dispatch", "experts.0"])
def test_what_else_reads_within_experts_is_not_written(read: str) -> None:
    step = "experts: {count: 2, active: 1, do: linear(12)}"
    network = archlens.loads(f"input: 7x12 channels_last\nlayers:\n  - {step}\n  - a: ref({read!r})\n")
    with pytest.raises(archlens.UsageError, match="cannot be written as a spec"):
        convert(network)


def test_experts_in_a_block_that_was_made_before_are_nested_too() -> None:
    text = """
input: 7x12 channels_last
blocks:
  moe: [experts: {count: 4, active: 2, do: linear(12)}]
layers: [moe, experts: {count: 3, active: 2, do: [linear(12), moe]}]
"""
    with pytest.raises(archlens.SpecError, match="experts are nested"):
        archlens.loads(text)


def test_an_expert_is_no_step_for_others() -> None:
    for step in ('again("moe.experts.0.w2")', 'linear(12, bias=false, weight="moe.experts.0.w2")'):
        with pytest.raises(archlens.SpecError, match=r"there is no step moe\.experts\.0\.w2"):
            archlens.loads(f"{MIXTURE}  - {step}\n")


def test_a_table_may_have_the_name() -> None:
    network = archlens.loads("{input: 8, layers: [experts: [linear(4)], linear(3)]}")
    assert "experts.0.weight" in network.state()


@pytest.mark.parametrize("stacked", ["true", "false"])
def test_more_experts_than_fit_anywhere_are_refused(stacked: str) -> None:
    text = f"""
input: 7x12 channels_last
layers: [experts: {{count: 1000000000, active: 2, stacked: {stacked}, do: [{{a: linear(12)}}]}}]
"""
    with pytest.raises(archlens.SpecError, match="takes more than 250,000 steps"):
        archlens.loads(text)


@pytest.mark.parametrize("seed", range(24))
def test_random_experts(seed: int) -> None:
    """What is drawn has each key of ``experts:``, once or twice, on tokens, rows of them and vectors."""
    random_experts.check(random_experts.text_of(random.Random(seed)))


@pytest.mark.parametrize(
    ("said", "weighing"), [({}, 2 * 3 - 1), ({"normalize": False}, 0), ({"scale": 2.5}, 2 * 3 - 1 + 3)]
)
def test_what_weighing_takes(said: dict[str, Any], weighing: int) -> None:
    """Of 7 tokens with 3 experts: sums and quotients of weights, their scale, and values by weights."""
    network = archlens.loads(MIXTURE, active=3, **said)
    (layer,) = [one for one in network if one.op.kind == "experts"]
    assert layer.facts.other == {"elementwise": 7 * weighing + 7 * 12 * (3 + 2)}
