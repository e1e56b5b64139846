"""The fields of decoders: what they are among the params of a spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...bounds import allowed
from .fields import Fields
from .saying import ACTIVATIONS, Said, never, of_ids


def gpt2(c: Fields) -> Said:
    never(c)
    c.same(hidden_size="n_embd", num_hidden_layers="n_layer", num_attention_heads="n_head")
    c.same(max_position_embeddings="n_positions")
    for name, value in (
        ("scale_attn_weights", True),
        ("scale_attn_by_inverse_layer_idx", False),
        ("reorder_and_upcast_attn", False),
    ):
        c.only(name, value)
    width, heads, positions = c.whole("n_embd", 768), c.whole("n_head", 12), c.whole("n_positions", 1024)
    c.only("n_ctx", positions)
    c.divides("n_head", "n_embd")
    values = {
        "width": width,
        "depth": c.whole("n_layer", 12, allowed()),
        "heads": heads,
        "hidden": c.optional("n_inner", None) or 4 * width,
        "activation": c.choice("activation_function", "gelu_new", ACTIVATIONS),
        "eps": c.number("layer_norm_epsilon", 1e-5),
        "positions": positions,
        "length": positions,
        "vocab": c.whole("vocab_size", 50257),
        "tied": c.truth("tie_word_embeddings", True),
    }
    return of_ids(values)


def _heads(c: Fields, kv_heads: int | None, head: int | None = None, heads: int = 32) -> dict[str, Any]:
    """Heads of queries, and those that keys and values share."""
    heads = c.whole("num_attention_heads", heads)
    c.read["num_key_value_heads"] = shared = c.optional("num_key_value_heads", kv_heads) or heads
    c.divides("num_key_value_heads", "num_attention_heads")
    channels = c.optional("head_dim", head)
    if channels is None:
        c.divides("num_attention_heads", "hidden_size")
        channels = c.read["hidden_size"] // heads
    if channels % 2:
        raise c.error(
            "head_dim", f"heads of {channels} channels are not turned in pairs, as rotary positions are"
        )
    return {"heads": heads, "kv_heads": shared, "head": channels}


def _base(c: Fields, default: float) -> float:
    """By which the angles of rotary positions get smaller, where whole heads are turned."""
    base, part = _angles(c, default, 1.0)
    if part != 1:
        raise c.error("rope_parameters", f"partial_rotary_factor is {part}, for which no spec is known")
    return base


def _angles(c: Fields, base: float, part: float) -> tuple[float, float]:
    """By which the angles of rotary positions get smaller, and how much of a head is turned."""
    base, part = c.number("rope_theta", base), c.number("partial_rotary_factor", part)
    for name in ("rope_parameters", "rope_scaling"):
        angles = c.within(name)
        part = angles.number("partial_rotary_factor", part)
        base = angles.number("rope_theta", base)
        kind = angles.value("rope_type", angles.value("type", "default"))
        if kind not in ("default", None):
            c.notes.append(_unscaled(name))
    return base, part


def _turned(c: Fields, head: int, part: float, name: str) -> int:
    """How many channels of a head are turned, of which the field of this name says a part."""
    turned = int(head * part)
    if turned < 2 or turned % 2 or turned > head:
        raise c.error(
            name, f"{turned} of the {head} channels of a head are not turned in pairs, as positions are"
        )
    return turned


def _unscaled(name: str) -> str:
    return f"How {name} scales the angles of positions is not laid out; no shape and no count depends on it."


def _decoder(c: Fields, **defaults: Any) -> dict[str, Any]:
    """What Llama and those that follow it have in common."""
    never(c)
    values = {
        "width": c.whole("hidden_size", defaults.get("width", 4096)),
        "depth": c.whole("num_hidden_layers", defaults.get("depth", 32), allowed()),
        "hidden": c.whole("intermediate_size", defaults["hidden"]),
        "vocab": c.whole("vocab_size", defaults["vocab"]),
        "length": c.whole("max_position_embeddings", defaults["length"]),
        "activation": c.choice(
            defaults.get("acts", "hidden_act"), defaults.get("activation", "silu"), ACTIVATIONS
        ),
        "eps": c.number("rms_norm_eps", defaults.get("eps", 1e-6)),
        "tied": c.truth("tie_word_embeddings", defaults.get("tied", False)),
        **(defaults["bases"] if "bases" in defaults else {"base": _base(c, defaults.get("base", 10000.0))}),
    }
    return values | _heads(c, defaults.get("kv_heads"), defaults.get("head"), defaults.get("heads", 32))


def llama(c: Fields) -> Said:
    values = _decoder(c, hidden=11008, vocab=32000, length=2048)
    values |= {"bias": c.truth("attention_bias", False), "mlp_bias": c.truth("mlp_bias", False)}
    return of_ids(values)


def helium(c: Fields) -> Said:
    """Llama, of which neighbours are the pairs that are turned."""
    values = _decoder(
        c,
        width=2560,
        depth=24,
        heads=20,
        kv_heads=20,
        head=128,
        hidden=7040,
        vocab=48000,
        length=4096,
        eps=1e-8,
        base=100000.0,
    )
    if values["heads"] * values["head"] != values["width"]:
        raise c.error(
            "head_dim",
            f"{values['heads']:,} heads of {values['head']:,} channels are not the {values['width']:,} of "
            "hidden_size, which transformers projects back",
        )
    values |= {"qkv_bias": c.truth("attention_bias", False), "mlp_bias": c.truth("mlp_bias", False)}
    return of_ids(values | {"interleaved": True})


def ernie4_5(c: Fields) -> Said:
    values = _decoder(
        c,
        width=1024,
        depth=18,
        heads=16,
        kv_heads=2,
        head=128,
        hidden=3072,
        vocab=103424,
        length=131072,
        eps=1e-5,
        base=500000.0,
        tied=True,
    )
    bias = c.truth("use_bias", False)
    return of_ids(values | {"bias": bias, "mlp_bias": bias, "interleaved": True})


def seed_oss(c: Fields) -> Said:
    values = _decoder(c, hidden=27648, depth=64, heads=80, kv_heads=8, head=128, vocab=155136, length=524288)
    bias, out = c.truth("attention_bias", True), c.truth("attention_out_bias", False)
    c.known |= {"residual_dropout"}  # of training
    return of_ids(values | {"qkv_bias": bias, "bias": out, "mlp_bias": c.truth("mlp_bias", False)})


def mistral(c: Fields) -> Said:
    values = _decoder(c, hidden=14336, vocab=32000, length=131072, kv_heads=8)
    return of_ids(values | {"window": c.optional("sliding_window", 4096)})


def ministral(c: Fields) -> Said:
    values = _decoder(c, hidden=14336, vocab=32000, length=131072, kv_heads=8)
    return of_ids(values | _windows(c, values["depth"], 4096))


def qwen2(c: Fields) -> Said:
    values = _decoder(c, hidden=22016, vocab=151936, length=32768, kv_heads=32)
    return of_ids(values | _qwen_windows(c, values["depth"]) | {"qkv_bias": True})


def qwen3(c: Fields) -> Said:
    values = _decoder(c, hidden=22016, vocab=151936, length=32768, kv_heads=32, head=128)
    values |= _qwen_windows(c, values["depth"])
    return of_ids(values | {"qk_norm": True, "bias": c.truth("attention_bias", False)})


def gemma(c: Fields) -> Said:
    values = _decoder(
        c,
        width=3072,
        depth=28,
        heads=16,
        kv_heads=16,
        head=256,
        hidden=24576,
        vocab=256000,
        length=8192,
        activation="gelu_pytorch_tanh",
        tied=True,
    )
    c.only("hidden_activation", None, "gelu_pytorch_tanh")  # which transformers 4 read in place of hidden_act
    c.only("use_bidirectional_attention", None, False)
    return of_ids(values | {"bias": c.truth("attention_bias", False)})


#: Where Gemma 2 and 3 stand otherwise.
_GEMMA = {
    "width": 2304,
    "depth": 26,
    "heads": 8,
    "kv_heads": 4,
    "head": 256,
    "hidden": 9216,
    "acts": "hidden_activation",
    "activation": "gelu_pytorch_tanh",
    "tied": True,
}


def gemma3_text(c: Fields) -> Said:
    angles = c.within("rope_parameters")
    full, sliding = angles.within(_FULL), angles.within(_SLIDING)
    base = full.number("rope_theta", angles.number("rope_theta", c.number("rope_theta", 1000000.0)))
    local = sliding.number("rope_theta", c.number("rope_local_base_freq", 10000.0))
    for part, name in ((full, "rope_parameters"), (sliding, "rope_parameters"), (c, "rope_scaling")):
        scaled = part.within(name) if part is c else part
        if scaled.value("rope_type", scaled.value("type", "default")) not in ("default", None):
            c.notes.append(_unscaled(name))
    bases = {"base": base, "local_base": local}
    values = _decoder(c, vocab=262208, length=131072, bases=bases, **_GEMMA)
    pattern = c.whole("sliding_window_pattern", 6)
    values |= _windows(c, values["depth"], 4096, lambda i: (i + 1) % pattern != 0)
    scaled_by = c.whole("query_pre_attn_scalar", 256)
    c.only("attn_logit_softcapping", None)
    c.only("final_logit_softcapping", None)
    c.only("use_bidirectional_attention", False, None)
    c.known |= {"cache_implementation"}  # of words that are drawn
    c.known |= {"_sliding_window_pattern"}  # which transformers writes down and does not read
    values |= {"qk_norm": True, "four_norms": True, "bias": c.truth("attention_bias", False)}
    return of_ids(values | {"score_scale": None if scaled_by == values["head"] else scaled_by**-0.5})


def gemma2(c: Fields) -> Said:
    values = _decoder(c, vocab=256000, length=8192, **_GEMMA)
    c.only("hidden_act", None, "gelu_pytorch_tanh")  # which is not read
    values |= _windows(c, values["depth"], 4096, lambda i: i % 2 == 0)
    scaled_by = c.whole("query_pre_attn_scalar", 256)
    caps = {"score_cap": ("attn_logit_softcapping", 50.0), "logit_cap": ("final_logit_softcapping", 30.0)}
    for name, (field, default) in caps.items():
        values[name] = None if c.value(field, default) is None else c.number(field, default)
    c.only("use_bidirectional_attention", None, False)
    c.known |= {"cache_implementation"}  # of words that are drawn
    values |= {"four_norms": True, "bias": c.truth("attention_bias", False)}
    return of_ids(values | {"score_scale": scaled_by**-0.5})


def phi3(c: Fields) -> Said:
    base, part = _angles(c, 10000.0, 1.0)
    values = _decoder(c, width=3072, hidden=8192, vocab=32064, length=4096, eps=1e-5, bases={"base": base})
    turned = _turned(c, values["head"], part, "rope_parameters")
    c.known |= {"original_max_position_embeddings"}  # which scales the angles of positions
    return of_ids(values | {"turned": turned, "window": c.optional("sliding_window", None)})


def olmo2(c: Fields) -> Said:
    values = _decoder(c, hidden=11008, vocab=50304, length=2048, eps=1e-5)
    values |= {"qk_norm": True, "head_norm": False, "post_norm": True}
    return of_ids(values | {"bias": c.truth("attention_bias", False)})


def mixtral(c: Fields) -> Said:
    c.same(num_experts="num_local_experts")
    values = _decoder(c, hidden=14336, vocab=32000, length=131072, kv_heads=8, eps=1e-5, base=1000000.0)
    values |= {
        "window": c.optional("sliding_window", None),
        "experts": c.whole("num_local_experts", 8),
        "active": c.whole("num_experts_per_tok", 2),
    }
    c.known |= {"output_router_logits", "router_aux_loss_coef", "router_jitter_noise"}  # of training
    return of_ids(values)


def gpt_oss(c: Fields) -> Said:
    c.same(num_experts="num_local_experts")
    values = _decoder(
        c,
        width=2880,
        depth=36,
        heads=64,
        kv_heads=8,
        head=64,
        hidden=2880,
        vocab=201088,
        length=131072,
        eps=1e-5,
        base=150000.0,
    )
    del values["activation"]  # experts have their own, whatever is said
    values |= _windows(c, values["depth"], 128, lambda i: i % 2 == 0)
    values |= {
        "experts": c.whole("num_local_experts", 128),
        "active": c.whole("num_experts_per_tok", 4),
        "bias": c.truth("attention_bias", True),
        "slope": c.number("swiglu_alpha", 1.702),
        "bound": c.number("swiglu_limit", 7.0),
    }
    c.known |= {"experts_per_token", "initial_context_length"}  # which transformers does not read
    c.known |= {"output_router_logits", "router_aux_loss_coef"}  # of training
    return of_ids(values)


def qwen3_moe(c: Fields) -> Said:
    c.same(num_local_experts="num_experts")
    values = _decoder(c, width=2048, depth=24, hidden=6144, vocab=151936, length=32768, kv_heads=4)
    values |= _experts_in_all(c, 768, 128, 8)
    return of_ids(values | {"bias": c.truth("attention_bias", False), "qk_norm": True})


def qwen2_moe(c: Fields) -> Said:
    values = _decoder(c, width=2048, depth=24, heads=16, hidden=5632, vocab=151936, length=32768, kv_heads=16)
    values |= _experts_in_all(c, 1408, 60, 4)
    values["shared"] = c.whole("shared_expert_intermediate_size", 5632)
    c.only("layer_types", [_FULL] * values["depth"], None)
    return of_ids(values | {"qkv_bias": c.truth("qkv_bias", True)})


def _experts_in_all(c: Fields, hidden: int, count: int, active: int) -> dict[str, Any]:
    """Experts in each of the layers, none of which has a window."""
    c.only("decoder_sparse_step", 1)
    c.only("mlp_only_layers", [], None)
    c.only("use_sliding_window", False)
    c.known |= {"sliding_window", "max_window_layers"}  # which say nothing then
    c.known |= {"output_router_logits", "router_aux_loss_coef"}  # of training
    return {
        "hidden": c.whole("moe_intermediate_size", hidden),  # intermediate_size is of layers without experts
        "experts": c.whole("num_experts", count),
        "active": c.whole("num_experts_per_tok", active),
        "normalize": c.truth("norm_topk_prob", False),
    }


def deepseek_v3(c: Fields) -> Said:
    never(c)
    c.same(num_local_experts="n_routed_experts")
    values = {
        "width": c.whole("hidden_size", 7168),
        "depth": c.whole("num_hidden_layers", 61, allowed()),
        "heads": c.whole("num_attention_heads", 128),
        "hidden": c.whole("intermediate_size", 18432),
        "expert_hidden": c.whole("moe_intermediate_size", 2048),
        "experts": c.whole("n_routed_experts", 256),
        "active": c.whole("num_experts_per_tok", 8),
        "shared": c.whole("n_shared_experts", 1),
        "first": c.whole("first_k_dense_replace", 3),
        "groups": c.whole("n_group", 8),
        "active_groups": c.whole("topk_group", 4),
        "scores": c.number("routed_scaling_factor", 2.5),
        "q_rank": c.whole("q_lora_rank", 1536),
        "kv_rank": c.whole("kv_lora_rank", 512),
        "nope": c.whole("qk_nope_head_dim", 128),
        "rope": c.whole("qk_rope_head_dim", 64),
        "value": c.whole("v_head_dim", 128),
        "vocab": c.whole("vocab_size", 129280),
        "length": c.whole("max_position_embeddings", 4096),
        "eps": c.number("rms_norm_eps", 1e-6),
        "base": _base(c, 10000.0),
    }
    c.only("num_key_value_heads", values["heads"])
    c.only("hidden_act", "silu")
    for name, value in (
        ("attention_bias", False),
        ("tie_word_embeddings", False),
        ("norm_topk_prob", True),
        ("rope_interleave", True),
        ("scoring_func", "sigmoid"),
        ("topk_method", "noaux_tc"),
        ("moe_layer_freq", 1),
    ):
        c.only(name, value)
    c.known |= {"qk_head_dim", "head_dim"}  # which transformers makes of others, whatever a file says
    c.known |= {"num_nextn_predict_layers", "num_mtp_layers"}  # what predicts a second token
    c.known |= {"output_router_logits", "aux_loss_alpha", "seq_aux", "ep_size"}  # of training
    return of_ids(values)


def gpt_neox(c: Fields) -> Said:
    never(c)
    width, heads = c.whole("hidden_size", 6144), c.whole("num_attention_heads", 64)
    c.divides("num_attention_heads", "hidden_size")
    head = width // heads
    base, part = _angles(c, c.number("rotary_emb_base", 10000.0), c.number("rotary_pct", 0.25))
    turned = _turned(c, head, part, "rotary_pct")
    values = {
        "width": width,
        "depth": c.whole("num_hidden_layers", 44, allowed()),
        "heads": heads,
        "hidden": c.whole("intermediate_size", 24576),
        "turned": turned,
        "activation": c.choice("hidden_act", "gelu", ACTIVATIONS),
        "bias": c.truth("attention_bias", True),
        "parallel": c.truth("use_parallel_residual", True),
        "tied": c.truth("tie_word_embeddings", False),
        "base": base,
        "eps": c.number("layer_norm_eps", 1e-5),
        "length": c.whole("max_position_embeddings", 2048),
        "vocab": c.whole("vocab_size", 50432),
    }
    return of_ids(values)


def gptj(c: Fields) -> Said:
    never(c)
    c.same(hidden_size="n_embd", num_hidden_layers="n_layer", num_attention_heads="n_head")
    c.same(max_position_embeddings="n_positions")
    width, heads = c.whole("n_embd", 4096), c.whole("n_head", 16)
    c.divides("n_head", "n_embd")
    turned = c.whole("rotary_dim", 64)
    if turned % 2 or turned > width // heads:
        raise c.error(
            "rotary_dim", f"{turned:,} of the {width // heads:,} channels of a head are not turned in pairs"
        )
    values = {
        "width": width,
        "depth": c.whole("n_layer", 28, allowed()),
        "heads": heads,
        "turned": turned,
        "hidden": c.optional("n_inner", None) or 4 * width,
        "vocab": c.whole("vocab_size", 50400),
        "length": c.whole("n_positions", 2048),
        "activation": c.choice("activation_function", "gelu_new", ACTIVATIONS),
        "eps": c.number("layer_norm_epsilon", 1e-5),
        "tied": c.truth("tie_word_embeddings", False),
    }
    return of_ids(values)


def phi(c: Fields) -> Said:
    never(c)
    base, part = _angles(c, 10000.0, 0.5)
    values = {
        "width": c.whole("hidden_size", 2048),
        "depth": c.whole("num_hidden_layers", 24, allowed()),
        "hidden": c.whole("intermediate_size", 8192),
        "vocab": c.whole("vocab_size", 51200),
        "length": c.whole("max_position_embeddings", 2048),
        "activation": c.choice("hidden_act", "gelu_new", ACTIVATIONS),
        "head_norm": c.truth("qk_layernorm", False),
        "eps": c.number("layer_norm_eps", 1e-5),
        "tied": c.truth("tie_word_embeddings", False),
        "base": base,
    }
    values |= _heads(c, None)
    return of_ids(values | {"turned": _turned(c, values["head"], part, "rope_parameters")})


def opt(c: Fields) -> Said:
    never(c)
    width, heads = c.whole("hidden_size", 768), c.whole("num_attention_heads", 12)
    c.divides("num_attention_heads", "hidden_size")
    first = c.truth("do_layer_norm_before", True)
    values = {
        "width": width,
        "embedded": c.optional("word_embed_proj_dim", None) or width,
        "depth": c.whole("num_hidden_layers", 12, allowed()),
        "heads": heads,
        "hidden": c.whole("ffn_dim", 3072),
        "vocab": c.whole("vocab_size", 50272),
        "length": c.whole("max_position_embeddings", 2048),
        "activation": c.choice("activation_function", "relu", ACTIVATIONS),
        "bias": c.truth("enable_bias", True),
        "affine": c.truth("layer_norm_elementwise_affine", True),
        "norm_first": first,
        "last_norm": not c.truth("_remove_final_layer_norm", False) and first,
        "tied": c.truth("tie_word_embeddings", True),
    }
    return of_ids(values)


def bloom(c: Fields) -> Said:
    never(c)
    c.same(n_embed="hidden_size", num_hidden_layers="n_layer", num_attention_heads="n_head")
    width, heads = c.whole("hidden_size", 64), c.whole("n_head", 8)
    c.divides("n_head", "hidden_size")
    c.only("apply_residual_connection_post_layernorm", False)
    c.known |= {"slow_but_exact"}  # of how products are split among devices
    values = {
        "width": width,
        "depth": c.whole("n_layer", 2, allowed()),
        "heads": heads,
        "kv_heads": heads,
        "hidden": 4 * width,
        "vocab": c.whole("vocab_size", 250880),
        "length": c.whole("seq_length", 2048),  # which bounds nothing: transformers does not read it
        "activation": 'gelu(approximate="tanh")',
        "bias": True,
        "parallel": False,
        "norms": 1,
        "normed_words": True,
        "slanted": True,
        "slant": 1,
        "base": 10000,
        "eps": c.number("layer_norm_epsilon", 1e-5),
        "tied": c.truth("tie_word_embeddings", True),
    }
    return of_ids(values)


def falcon(c: Fields) -> Said:
    never(c)
    c.same(n_embed="hidden_size")
    width, heads = c.whole("hidden_size", 4544), c.whole("num_attention_heads", 71)
    c.divides("num_attention_heads", "hidden_size")
    slanted = c.truth("alibi", False)
    values = {
        "width": width,
        "depth": c.whole("num_hidden_layers", 32, allowed()),
        "heads": heads,
        "hidden": c.optional("ffn_hidden_size", None) or 4 * width,
        "vocab": c.whole("vocab_size", 65024),
        "length": c.whole("max_position_embeddings", 2048),
        "activation": c.choice("activation", "gelu", ACTIVATIONS),
        "bias": c.truth("bias", False),
        "normed_words": False,
        "slanted": slanted,
        "slant": (width // heads) ** -0.5,
        "base": _base(c, 10000.0),
        "eps": c.number("layer_norm_epsilon", 1e-5),
        "tied": c.truth("tie_word_embeddings", True),
    }
    if not slanted and width // heads % 2:
        raise c.error("num_attention_heads", f"heads of {width // heads} channels are not turned in pairs")
    return of_ids(values | _groups(c, heads))


def _groups(c: Fields, heads: int) -> dict[str, Any]:
    """How Falcon's heads share keys and values, and what of a layer stands beside what."""
    grouped, single = c.truth("new_decoder_architecture", False), c.truth("multi_query", True)
    shared = c.optional("num_kv_heads", None) or heads
    parallel = c.truth("parallel_attn", True)
    if not grouped:
        c.only("num_ln_in_parallel_attn", None, 1)
        if not single:
            c.only("num_kv_heads", None, heads)
        return {"kv_heads": 1 if single else heads, "parallel": parallel, "norms": 1}
    c.read["num_kv_heads"] = shared
    c.divides("num_kv_heads", "num_attention_heads")
    c.only("parallel_attn", True)
    norms = c.optional("num_ln_in_parallel_attn", None) or 2
    if norms > 2:
        raise c.error("num_ln_in_parallel_attn", f"there are 1 or 2 norms in a layer, not {norms:,}")
    return {"kv_heads": shared, "parallel": True, "norms": norms}


def _windows(
    c: Fields, depth: int, default: int | None, slides: Callable[[int], bool] = lambda _: True
) -> dict[str, Any]:
    """Windows in some of the layers: those that ``layer_types`` lists, or else those that are usual."""
    window = c.optional("sliding_window", default)
    usual = [_SLIDING if window is not None and slides(i) else _FULL for i in range(depth)]
    kinds = c.listed("layer_types", usual, depth, (_FULL, _SLIDING))
    if window is None and _SLIDING in kinds:
        raise c.error("layer_types", "layer_types has sliding_attention, but sliding_window is none")
    return {"window": window, "windowed": [i for i, kind in enumerate(kinds) if kind == _SLIDING]}


#: How far a layer looks.
_FULL, _SLIDING = "full_attention", "sliding_attention"


def _qwen_windows(c: Fields, depth: int) -> dict[str, Any]:
    """Windows that are on where ``use_sliding_window`` says so, from ``max_window_layers`` on."""
    first = c.whole("max_window_layers", 28)
    if c.truth("use_sliding_window", False):
        return _windows(c, depth, 4096, lambda i: i >= first)
    c.known |= {"sliding_window"}  # which says nothing then
    c.only("layer_types", [_FULL] * depth, None)
    return {}
