"""What a decoder keeps and computes for a token."""

from __future__ import annotations

import json
from itertools import combinations
from random import Random
from typing import Any

import pytest

import archlens
from archlens.analysis.cost import cost
from archlens.analysis.cuts import narrowest
from archlens.analysis.decoding import Decoding, find, unmasked
from archlens.analysis.memory import account
from archlens.analysis.unknown import Unknown
from archlens.backends.checks import PASSED
from archlens.backends.verification import verify
from archlens.elaboration.examples import spec_of
from archlens.views import cost_table, memory_table

from .references import recipes

#: The small forms of which references.py compares the outputs with those of transformers.
NAMES = ("gpt2", "bert_base", "llama_2_7b", "mistral_7b", "qwen_2_5_0_5b", "gemma_2b")
SMALL = {name: dict(recipes("transformers")[name].small["values"]) for name in NAMES}


def small(name: str, **values: Any) -> archlens.Network:
    return archlens.load(name, **SMALL[name] | values)


@pytest.mark.parametrize("name", SMALL)
def test_small_ones_run(name: str) -> None:
    """What is built of each is what is said of it, receptive fields included."""
    found = verify(small(name))
    assert found.passed
    assert {check.status for check in found.of("shape")} == {PASSED}


@pytest.mark.parametrize("more", ["", ', sinks: "parameter([64])"', ", bias: alibi(64)"])
def test_keys_and_values_of_a_token(more: str) -> None:
    """gpt-oss-120b logs 73,728 bytes: 36 layers x 2 x 8 heads x 64 channels x 2 bytes."""
    layer = f"q: linear(4096), k: linear(512), v: linear(512), heads: 64, kv_heads: 8, causal: true{more}"
    text = f"input: LENGTH of 9\nblocks:\n  layer:\n    - attention: {{{layer}}}\n    - linear(2880)\n"
    text += "layers:\n  - embedding(2880)\n  - layer * 36\n"
    network, shorter = (archlens.loads(text.replace("LENGTH", length)) for length in ("1000", "999"))
    found = find(network)
    assert isinstance(found, Decoding)
    assert found.token == unmasked(network) - unmasked(shorter)
    assert found.bytes_of_token("bfloat16") == 36 * 2 * 8 * 64 * 2 == 73_728
    assert found.bytes_of_sequence("bfloat16") == 1000 * 73_728
    assert found.bytes_of_sequence("int8") == 1000 * 73_728 // 2
    assert found.bytes_of_sequence("float32") == 1000 * 73_728 * 2


def test_heads_that_are_taken_apart() -> None:
    """Norms of each head change nothing of what is kept, and a token costs what one more does."""
    for length in (5, 24):
        network, shorter = (small("llama_2_7b", length=n, qk_norm=True) for n in (length, length - 1))
        found = find(network)
        assert isinstance(found, Decoding)
        assert found.token == unmasked(network) - unmasked(shorter)
        assert found.bytes_of_token("float16") == 2 * 2 * 2 * 12 * 2


def test_what_llama_cpp_prints() -> None:
    """LLaMA 30B with n_ctx = 512: "kv self size  = 1560.00 MB", in float32 (abetlen/llama-cpp-python#66).

    Of DeepSeek's layers without the short form: "n_embd_k_gqa = 24576, n_embd_v_gqa = 16384"
    (ggml-org/llama.cpp#11397).
    """
    found = find(archlens.load("llama_2_7b", width=6656, depth=60, heads=52, hidden=17920, length=512))
    assert isinstance(found, Decoding)
    assert found.bytes_of_sequence("float32") == 1560 * 2**20
    found = find(archlens.load("deepseek_v3", depth=2))
    assert isinstance(found, Decoding)
    assert [one.values for one in found.cached] == [24576 + 16384] * 2


def test_latents_of_deepseek() -> None:
    """Keys and values of 128 heads, of 128 + 64 and 128 channels, are made from 512 and 64, in 61 layers."""
    found = find(archlens.load("deepseek_v3", length=7))
    assert isinstance(found, Decoding)
    assert found.latent is not None
    assert found.bytes_of_token("bfloat16") == 61 * 128 * (128 + 64 + 128) * 2
    assert found.latent.bytes_of_token("bfloat16") == 61 * (512 + 64) * 2 == 70_272
    assert found.latent.bytes_of_sequence("int8") == 7 * 61 * 576


#: As the paper of DeepSeek-V2 writes it: 5 channels, and 2 that positions turn, for 4 heads of 6 + 2.
LATENT = """
input: 20 of 9
layers:
  - x: embedding(12)
  - latent: linear(5)
  - up: linear(24 + 32)
  - content: slice(0, 24, axis="channels")
  - ref(up)
  - values: slice(24, axis="channels")
  - ref(x)
  - turned: linear(2) >> rotary(2)
  - keys:
      - concat(axis="channels"): [ref(content), identity, identity, identity, identity]
  - attention: {q: [ref(x), linear(32)], k: ref(keys), v: ref(values), heads: 4, causal: true, window: 8}
"""


@pytest.mark.parametrize(
    ("there", "here", "least"),
    [
        ("", "", 5 + 2),
        # what lies before a latent counts where it is narrower
        ("latent: linear(5)", "latent: linear(50) >> linear(5)", 5 + 2),
        ("latent: linear(5)", "latent: linear(3) >> linear(5)", 3 + 2),
        # what others read as well is no latent: theirs is the tensor that flows on
        ("q: [ref(x), linear(32)]", "q: [ref(latent), linear(32)]", 24 + 32 + 2),
        ("layers:", "outputs: {seen: ref(latent)}\nlayers:", 24 + 32 + 2),
        ("layers:", "outputs: {seen: [ref(latent), linear(8)]}\nlayers:", 24 + 32 + 2),
        # a token's is not made of its own alone
        ("latent: linear(5)", "latent: linear(3) >> self_attention(1, causal=true, out=5)", 5 + 2),
        # keys that are values
        ("v: ref(values)", "v: ref(keys)", 5 + 2),
        ("k: ref(keys), v: ref(values)", "k: ref(values), v: ref(values)", 5),
        ("k: ref(keys), v: ref(values)", "k: [ref(x), linear(32)], v: ref(values)", 32 + 5),
        ("k: ref(keys), v: ref(values)", "k: [ref(x), linear(32)], v: [ref(x), linear(8)]", 32 + 8),
        ("q: [ref(x), linear(32)], k: ref(keys)", "q: ref(keys), k: ref(keys)", 32 + 32),
        # what is added to the scores is not kept
        ("heads: 4", 'heads: 4, sinks: [ref(x), "parameter([4])"]', 5 + 2),
        ("heads: 4", "heads: 4, bias: [ref(x), alibi(4)]", 5 + 2),
    ],
)
def test_the_least_that_keys_and_values_are_made_from(there: str, here: str, least: int) -> None:
    found = find(archlens.loads(LATENT.replace(there, here)))
    assert isinstance(found, Decoding)
    assert found.cached[-1].latent == least


def test_latents_are_told() -> None:
    """Of 20 tokens a window of 8 keeps 8, of 32 + 32 channels or of 7; in three samples."""
    network = archlens.loads(LATENT)
    table = memory_table.table(network, account(network, batch=3))
    cells = {row[0]: row[1].value for row in table.rows}
    assert cells["latent cache, float32: a token"] == 7 * 4
    assert cells["latent cache, int8: 20 tokens"] == 3 * 8 * 7
    assert "Latent cache: instead of keys and values" in " ".join(table.notes)
    data = json.loads(memory_table.to_json(network, account(network)))["kv_cache"]
    assert data["latent"]["token"]["float16"] == 7 * 2
    assert (data["sequence"]["float16"], data["latent"]["sequence"]["float16"]) == (8 * 64 * 2, 8 * 7 * 2)
    plain = archlens.loads(CAUSAL)
    assert "latent" not in json.loads(memory_table.to_json(plain, account(plain)))["kv_cache"]
    assert "atent" not in str(memory_table.table(plain, account(plain)))


def test_narrowest_places() -> None:
    """Against all choices of tensors, on graphs drawn at random: what is chosen must reach every end."""
    draw = Random(3)
    for _ in range(150):
        names = [f"t{number}" for number in range(draw.randint(2, 8))]
        sizes = {name: draw.randint(1, 9) for name in names if name == names[-1] or draw.random() < 0.9}
        made_of = {
            name: draw.sample(names[:number], draw.randint(0, min(3, number)))
            for number, name in enumerate(names)
            if draw.random() < 0.8
        }
        ends = {names[-1], draw.choice(list(sizes))}

        def reached(kept: set[str], made_of: dict[str, list[str]] = made_of) -> set[str]:
            known = set(kept)
            for name in sorted(made_of):  # in the order in which they are made
                if set(made_of[name]) <= known:
                    known.add(name)
            return known

        choices = (set(some) for count in range(len(sizes) + 1) for some in combinations(sizes, count))
        least = min(sum(map(sizes.__getitem__, some)) for some in choices if ends <= reached(some))
        assert narrowest(sizes, made_of, ends) == least


def test_a_window_bounds_the_cache() -> None:
    """4,096 of Mistral's 32,768 tokens: 32 layers x 2 x 8 heads x 128 channels x 2 bytes each."""
    found = find(archlens.load("mistral_7b", length=32768))
    assert isinstance(found, Decoding)
    assert found.bytes_of_token("float16") == 32 * 2 * 8 * 128 * 2
    assert found.bytes_of_sequence("float16") == 4096 * found.bytes_of_token("float16")


CAUSAL = """
input: 20 of 9
layers: [embedding(12), 'self_attention(6, causal=true, kv_heads=2, out=8)', linear(9)]
"""


@pytest.mark.parametrize("name", [*(name for name in SMALL if name != "bert_base"), ""])
def test_one_more_token(name: str) -> None:
    """It costs by how much a kernel that leaves out what is masked computes more on one token more."""

    def on(length: int) -> archlens.Network:
        return small(name, length=length) if name else archlens.loads(CAUSAL, input=(length,))

    for length in (5, 24):
        found = find(on(length))
        assert isinstance(found, Decoding)
        assert found.token == unmasked(on(length)) - unmasked(on(length - 1))
        assert found.prefill == on(length).macs


@pytest.mark.parametrize(("causal", "window"), [(True, None), (True, 3), (True, 30), (False, 3), (False, 30)])
def test_what_is_not_masked(causal: bool, window: int | None) -> None:
    """Pairs of 7 queries and keys, looked at one by one: 2 heads x (3 + 3) channels of each."""
    words = f"causal={str(causal).lower()}, window={window or 'none'}"
    text = spec_of(f"6x7, 6x7, 6x7 >> tokens >> attention(2, causal={causal}, window={window})")
    layer = archlens.loads(text)["attention"]
    seen = [
        (i, j)
        for i in range(7)
        for j in range(7)
        if (j <= i or not causal) and (window is None or abs(i - j) < window)
    ]
    assert layer.macs == 7 * 7 * 2 * (3 + 3), words
    unmasked = layer.op.macs_unmasked(layer.facts, *layer.input_shapes)
    assert unmasked == len(seen) * 2 * (3 + 3)
    said = layer.op.why_macs(layer.facts, *layer.input_shapes)
    assert (f"computes {unmasked:,}" in said) == (unmasked != layer.macs)


def test_what_is_no_decoder() -> None:
    """Nothing is said of what has nothing causal; and why not of what sees other tokens as well."""
    assert find(archlens.load("vit_b_16")) is None
    assert find(small("bert_base", length=24)) is None
    both = "{input: 20 of 9, layers: [embedding(12), 'self_attention(6, causal=true)', %s]}"
    assert find(archlens.loads(both % "self_attention(6)")) == Unknown(
        "2 (self_attention) looks at positions other than earlier ones"
    )
    rows = "{input: 4x20 of 9, layers: [embedding(12), 'self_attention(6, causal=true)']}"
    assert find(archlens.loads(rows)) == Unknown("1 (self_attention) attends within rows")


def test_tables_say_it() -> None:
    network = archlens.loads(CAUSAL)
    ledger = cost_table.table(cost(network)).notes
    assert any("compute " in line and "masked products" in line for line in ledger)
    assert any("This is the cost of 20 tokens at once" in line for line in ledger)
    data = json.loads(cost_table.to_json(cost(network)))
    assert data["decoding"]["prefill_macs"] == network.macs
    assert data["unmasked_macs"] == unmasked(network)
    kept = memory_table.table(network, account(network, batch=3))
    # 2 heads of 2 channels, keys and values, of 4 bytes
    cells = {row[0]: row[1].value for row in kept.rows}
    assert cells["KV cache, float32: a token"] == 2 * 2 * 2 * 4
    assert cells["KV cache, float32: 20 tokens"] == 3 * 20 * 2 * 2 * 2 * 4
    assert json.loads(memory_table.to_json(network, account(network)))["kv_cache"]["length"] == 20
    mixed = archlens.loads(CAUSAL.replace("linear(9)", "self_attention(2)"))
    assert "No KV cache is known: 2 (self_attention) looks" in " ".join(
        memory_table.table(mixed, account(mixed)).notes
    )
    assert any("is not known: 2 (self_attention)" in line for line in cost_table.table(cost(mixed)).notes)
    plain = archlens.load("lenet5")
    assert "kv_cache" not in json.loads(memory_table.to_json(plain, account(plain)))
    assert "decoding" not in json.loads(cost_table.to_json(cost(plain)))
