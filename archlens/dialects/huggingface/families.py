"""The types of configurations that a spec of the zoo says, and what their fields are among its params.

Names and defaults of fields are those of transformers 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ...bounds import allowed
from ...shape import Ids, Shape
from .fields import Fields

#: Fields that are in any configuration, or are about training, drawing words and keeping files.
_BESIDE = """
_name_or_path _attn_implementation attn_implementation experts_implementation transformers_version dtype
torch_dtype return_dict output_attentions output_hidden_states use_cache chunk_size_feed_forward id2label
label2id
num_labels problem_type task_specific_params finetuning_task gradient_checkpointing tokenizer_class
prefix bos_token_id eos_token_id pad_token_id sep_token_id cls_token_id mask_token_id unk_token_id
decoder_start_token_id forced_bos_token_id forced_eos_token_id suppress_tokens begin_suppress_tokens
initializer_range initializer_factor init_std attention_dropout attention_probs_dropout_prob
hidden_dropout hidden_dropout_prob classifier_dropout dropout dropout_rate activation_dropout attn_pdrop
embd_pdrop resid_pdrop layerdrop pretraining_tp max_length min_length do_sample early_stopping num_beams
temperature top_k top_p repetition_penalty length_penalty no_repeat_ngram_size num_return_sequences
num_beam_groups diversity_penalty typical_p bad_words_ids encoder_no_repeat_ngram_size
remove_invalid_values exponential_decay_length_penalty return_dict_in_generate output_scores
summary_type summary_use_proj summary_activation summary_proj_to_labels summary_first_dropout
encoder_layerdrop decoder_layerdrop apply_spec_augment mask_time_prob mask_time_length mask_time_min_masks
mask_feature_prob mask_feature_length mask_feature_min_masks
"""
BESIDE = frozenset(_BESIDE.split())

#: Fields that no shape and no count depends on, and that are worth a word.
NOTED = {
    "quantization_config": "Weights are counted as before they were quantised, as quantization_config says.",
    "auto_map": "Code of its own, which auto_map names, is not read.",
}


class Said(NamedTuple):
    """What a configuration comes to: params of the spec, and its inputs."""

    values: Mapping[str, Any]
    inputs: Mapping[str, Shape]


@dataclass(frozen=True)
class Family:
    """A type of configurations, and the spec that says what it describes."""

    model_type: str
    #: Its file in the zoo.
    spec: str
    #: The architectures whose keys the spec has; where a file says none, the first is meant.
    architectures: tuple[str, ...]
    #: Reads the fields.
    read: Callable[[Fields], Said]


def _ids(values: dict[str, Any]) -> Said:
    """One row of ids, as long as may be."""
    return Said(values, {"ids": Ids((values["length"],), values["vocab"])})


def _never(c: Fields) -> None:
    """What no spec says of a decoder or an encoder alone."""
    for name in (
        "is_encoder_decoder",
        "is_decoder",
        "add_cross_attention",
        "tie_encoder_decoder",
        "torchscript",
    ):
        c.only(name, False)
    c.only("pruned_heads", {}, None)


def _gpt2(c: Fields) -> Said:
    _never(c)
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
        "activation": c.choice("activation_function", "gelu_new", _ACTIVATIONS),
        "eps": c.number("layer_norm_epsilon", 1e-5),
        "positions": positions,
        "length": positions,
        "vocab": c.whole("vocab_size", 50257),
        "tied": c.truth("tie_word_embeddings", True),
    }
    return _ids(values)


def _bert(c: Fields) -> Said:
    return _encoder(c, 30522)


def _roberta(c: Fields, vocab: int = 30522) -> Said:
    """RoBERTa, and those that are it in other languages."""
    return _encoder(c, vocab, first=c.count("pad_token_id", 1) + 1, roberta=True)


def _encoder(c: Fields, vocab: int, **own: Any) -> Said:
    """What BERT and those that follow it have in common."""
    _never(c)
    c.only("position_embedding_type", "absolute")
    values = {
        "width": c.whole("hidden_size", 768),
        "depth": c.whole("num_hidden_layers", 12, allowed()),
        "heads": c.whole("num_attention_heads", 12),
        "hidden": c.whole("intermediate_size", 3072),
        "activation": c.choice("hidden_act", "gelu", _ACTIVATIONS),
        "eps": c.number("layer_norm_eps", 1e-12),
        "positions": c.whole("max_position_embeddings", 512),
        "types": c.whole("type_vocab_size", 2),
        "vocab": c.whole("vocab_size", vocab),
        **own,
    }
    values["length"] = values["positions"] - values.get("first", 0)
    if values["length"] < 1:
        raise c.error(
            "max_position_embeddings",
            f"max_position_embeddings {values['positions']:,} leaves no position behind pad_token_id "
            f"{values['first'] - 1:,}",
        )
    c.divides("num_attention_heads", "hidden_size")
    values["masked_words"] = c.architecture.endswith("ForMaskedLM")
    if values["masked_words"]:
        c.only("tie_word_embeddings", True)
    c.known |= {"tie_word_embeddings"}  # which is about heads that BertModel has not
    return Said(
        values,
        {
            "ids": Ids((values["length"],), values["vocab"]),
            "token_types": Ids((values["length"],), values["types"]),
        },
    )


def _distilbert(c: Fields) -> Said:
    _never(c)
    c.same(hidden_size="dim", num_attention_heads="n_heads", num_hidden_layers="n_layers")
    values = {
        "width": c.whole("dim", 768),
        "depth": c.whole("n_layers", 6, allowed()),
        "heads": c.whole("n_heads", 12),
        "hidden": c.whole("hidden_dim", 3072),
        "activation": c.choice("activation", "gelu", _ACTIVATIONS),
        "positions": c.whole("max_position_embeddings", 512),
        "vocab": c.whole("vocab_size", 30522),
    }
    values["length"] = values["positions"]
    c.divides("n_heads", "dim")
    c.only("sinusoidal_pos_embds", False)
    values["masked_words"] = c.architecture.endswith("ForMaskedLM")
    if values["masked_words"]:
        c.only("tie_word_embeddings", True)
    c.known |= {"tie_word_embeddings"}  # which is about heads that DistilBertModel has not
    c.known |= {"qa_dropout", "seq_classif_dropout"}  # of training
    return _ids(values)


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
        raise c.error("rope_parameters", f"partial_rotary_factor is {part}, of which no spec is known")
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


def _unscaled(name: str) -> str:
    return f"How {name} scales the angles of positions is not laid out; no shape and no count depends on it."


def _decoder(c: Fields, **defaults: Any) -> dict[str, Any]:
    """What Llama and those that follow it have in common."""
    _never(c)
    values = {
        "width": c.whole("hidden_size", defaults.get("width", 4096)),
        "depth": c.whole("num_hidden_layers", defaults.get("depth", 32), allowed()),
        "hidden": c.whole("intermediate_size", defaults["hidden"]),
        "vocab": c.whole("vocab_size", defaults["vocab"]),
        "length": c.whole("max_position_embeddings", defaults["length"]),
        "activation": c.choice(
            defaults.get("acts", "hidden_act"), defaults.get("activation", "silu"), _ACTIVATIONS
        ),
        "eps": c.number("rms_norm_eps", defaults.get("eps", 1e-6)),
        "tied": c.truth("tie_word_embeddings", defaults.get("tied", False)),
        **(defaults["bases"] if "bases" in defaults else {"base": _base(c, defaults.get("base", 10000.0))}),
    }
    return values | _heads(c, defaults.get("kv_heads"), defaults.get("head"), defaults.get("heads", 32))


def _llama(c: Fields) -> Said:
    values = _decoder(c, hidden=11008, vocab=32000, length=2048)
    values |= {"bias": c.truth("attention_bias", False), "mlp_bias": c.truth("mlp_bias", False)}
    return _ids(values)


def _seed_oss(c: Fields) -> Said:
    values = _decoder(c, hidden=27648, depth=64, heads=80, kv_heads=8, head=128, vocab=155136, length=524288)
    bias, out = c.truth("attention_bias", True), c.truth("attention_out_bias", False)
    c.known |= {"residual_dropout"}  # of training
    return _ids(values | {"qkv_bias": bias, "bias": out, "mlp_bias": c.truth("mlp_bias", False)})


def _mistral(c: Fields) -> Said:
    values = _decoder(c, hidden=14336, vocab=32000, length=131072, kv_heads=8)
    return _ids(values | {"window": c.optional("sliding_window", 4096)})


def _ministral(c: Fields) -> Said:
    values = _decoder(c, hidden=14336, vocab=32000, length=131072, kv_heads=8)
    return _ids(values | _windows(c, values["depth"], 4096))


def _qwen2(c: Fields) -> Said:
    values = _decoder(c, hidden=22016, vocab=151936, length=32768, kv_heads=32)
    return _ids(values | _qwen_windows(c, values["depth"]) | {"qkv_bias": True})


def _qwen3(c: Fields) -> Said:
    values = _decoder(c, hidden=22016, vocab=151936, length=32768, kv_heads=32, head=128)
    values |= _qwen_windows(c, values["depth"])
    return _ids(values | {"qk_norm": True, "bias": c.truth("attention_bias", False)})


def _gemma(c: Fields) -> Said:
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
    return _ids(values | {"bias": c.truth("attention_bias", False)})


def _gemma3_text(c: Fields) -> Said:
    angles = c.within("rope_parameters")
    full, sliding = angles.within(_FULL), angles.within(_SLIDING)
    base = full.number("rope_theta", angles.number("rope_theta", c.number("rope_theta", 1000000.0)))
    local = sliding.number("rope_theta", c.number("rope_local_base_freq", 10000.0))
    for part, name in ((full, "rope_parameters"), (sliding, "rope_parameters"), (c, "rope_scaling")):
        scaled = part.within(name) if part is c else part
        if scaled.value("rope_type", scaled.value("type", "default")) not in ("default", None):
            c.notes.append(_unscaled(name))
    values = _decoder(
        c,
        width=2304,
        depth=26,
        heads=8,
        kv_heads=4,
        head=256,
        hidden=9216,
        vocab=262208,
        length=131072,
        acts="hidden_activation",
        activation="gelu_pytorch_tanh",
        tied=True,
        bases={"base": base, "local_base": local},
    )
    pattern = c.whole("sliding_window_pattern", 6)
    values |= _windows(c, values["depth"], 4096, lambda i: (i + 1) % pattern != 0)
    scaled_by = c.whole("query_pre_attn_scalar", 256)
    c.only("attn_logit_softcapping", None)
    c.only("final_logit_softcapping", None)
    c.only("use_bidirectional_attention", False, None)
    c.known |= {"cache_implementation"}  # of words that are drawn
    c.known |= {"_sliding_window_pattern"}  # which transformers writes down and does not read
    values |= {"qk_norm": True, "four_norms": True, "bias": c.truth("attention_bias", False)}
    return _ids(values | {"score_scale": None if scaled_by == values["head"] else scaled_by**-0.5})


def _gemma2(c: Fields) -> Said:
    values = _decoder(
        c,
        width=2304,
        depth=26,
        heads=8,
        kv_heads=4,
        head=256,
        hidden=9216,
        vocab=256000,
        length=8192,
        acts="hidden_activation",
        activation="gelu_pytorch_tanh",
        tied=True,
    )
    c.only("hidden_act", None, "gelu_pytorch_tanh")  # which is not read
    values |= _windows(c, values["depth"], 4096, lambda i: i % 2 == 0)
    scaled_by = c.whole("query_pre_attn_scalar", 256)
    caps = {"score_cap": ("attn_logit_softcapping", 50.0), "logit_cap": ("final_logit_softcapping", 30.0)}
    for name, (field, default) in caps.items():
        values[name] = None if c.value(field, default) is None else c.number(field, default)
    c.only("use_bidirectional_attention", None, False)
    c.known |= {"cache_implementation"}  # of words that are drawn
    values |= {"four_norms": True, "bias": c.truth("attention_bias", False)}
    return _ids(values | {"score_scale": scaled_by**-0.5})


def _phi3(c: Fields) -> Said:
    base, part = _angles(c, 10000.0, 1.0)
    values = _decoder(c, width=3072, hidden=8192, vocab=32064, length=4096, eps=1e-5, bases={"base": base})
    turned = int(values["head"] * part)
    if turned < 2 or turned % 2 or turned > values["head"]:
        raise c.error(
            "rope_parameters",
            f"{turned} of the {values['head']} channels of a head are not turned in pairs, as positions are",
        )
    c.known |= {"original_max_position_embeddings"}  # which scales the angles of positions
    return _ids(values | {"turned": turned, "window": c.optional("sliding_window", None)})


def _olmo2(c: Fields) -> Said:
    values = _decoder(c, hidden=11008, vocab=50304, length=2048, eps=1e-5)
    values |= {"qk_norm": True, "head_norm": False, "post_norm": True}
    return _ids(values | {"bias": c.truth("attention_bias", False)})


def _mixtral(c: Fields) -> Said:
    c.same(num_experts="num_local_experts")
    values = _decoder(c, hidden=14336, vocab=32000, length=131072, kv_heads=8, eps=1e-5, base=1000000.0)
    values |= {
        "window": c.optional("sliding_window", None),
        "experts": c.whole("num_local_experts", 8),
        "active": c.whole("num_experts_per_tok", 2),
    }
    c.known |= {"output_router_logits", "router_aux_loss_coef", "router_jitter_noise"}  # of training
    return _ids(values)


def _qwen3_moe(c: Fields) -> Said:
    c.same(num_local_experts="num_experts")
    values = _decoder(c, width=2048, depth=24, hidden=6144, vocab=151936, length=32768, kv_heads=4)
    values |= _experts_in_all(c, 768, 128, 8)
    return _ids(values | {"bias": c.truth("attention_bias", False), "qk_norm": True})


def _qwen2_moe(c: Fields) -> Said:
    values = _decoder(c, width=2048, depth=24, heads=16, hidden=5632, vocab=151936, length=32768, kv_heads=16)
    values |= _experts_in_all(c, 1408, 60, 4)
    values["shared"] = c.whole("shared_expert_intermediate_size", 5632)
    c.only("layer_types", [_FULL] * values["depth"], None)
    return _ids(values | {"qkv_bias": c.truth("qkv_bias", True)})


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


def _deepseek_v3(c: Fields) -> Said:
    _never(c)
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
    return _ids(values)


def _gpt_neox(c: Fields) -> Said:
    _never(c)
    width, heads = c.whole("hidden_size", 6144), c.whole("num_attention_heads", 64)
    c.divides("num_attention_heads", "hidden_size")
    head = width // heads
    base, part = _angles(c, c.number("rotary_emb_base", 10000.0), c.number("rotary_pct", 0.25))
    turned = int(head * part)
    if turned < 2 or turned % 2 or turned > head:
        raise c.error(
            "rotary_pct",
            f"{turned} of the {head} channels of a head are not turned in pairs, as positions are",
        )
    values = {
        "width": width,
        "depth": c.whole("num_hidden_layers", 44, allowed()),
        "heads": heads,
        "hidden": c.whole("intermediate_size", 24576),
        "turned": turned,
        "activation": c.choice("hidden_act", "gelu", _ACTIVATIONS),
        "bias": c.truth("attention_bias", True),
        "parallel": c.truth("use_parallel_residual", True),
        "tied": c.truth("tie_word_embeddings", False),
        "base": base,
        "eps": c.number("layer_norm_eps", 1e-5),
        "length": c.whole("max_position_embeddings", 2048),
        "vocab": c.whole("vocab_size", 50432),
    }
    return _ids(values)


def _windows(
    c: Fields, depth: int, default: int | None, slides: Callable[[int], bool] = lambda _: True
) -> dict[str, Any]:
    """Windows in some of the layers: those that ``layer_types`` lists, or else those that are usual."""
    window = c.optional("sliding_window", default)
    usual = [_SLIDING if window is not None and slides(i) else _FULL for i in range(depth)]
    kinds = c.listed("layer_types", usual, depth, (_FULL, _SLIDING))
    if window is None and _SLIDING in kinds:
        raise c.error("layer_types", "layer_types has sliding_attention, and sliding_window says none")
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


def _clip(c: Fields) -> Said:
    text, image = c.within("text_config"), c.within("vision_config")
    c.only("is_encoder_decoder", False)
    c.number("logit_scale_init_value", 2.6592)
    values: dict[str, Any] = {
        "text_width": text.whole("hidden_size", 512),
        "text_depth": text.whole("num_hidden_layers", 12, allowed()),
        "text_heads": text.whole("num_attention_heads", 8),
        "text_hidden": text.whole("intermediate_size", 2048),
        "vocab": text.whole("vocab_size", 49408),
        "length": text.whole("max_position_embeddings", 77),
        "width": image.whole("hidden_size", 768),
        "depth": image.whole("num_hidden_layers", 12, allowed()),
        "heads": image.whole("num_attention_heads", 12),
        "hidden": image.whole("intermediate_size", 3072),
        "size": image.whole("image_size", 224),
        "patch": image.whole("patch_size", 32),
        "out": c.whole("projection_dim", 512),
        "eps": text.number("layer_norm_eps", 1e-5),
    }
    image.only("layer_norm_eps", values["eps"])
    image.only("num_channels", 3)
    for part in (text, image):
        part.divides("num_attention_heads", "hidden_size")
        part.only("hidden_act", "quick_gelu")
        part.known |= {"projection_dim"}  # which counts in towers by themselves
        c.unread(part)
    c.known |= {"text_config_dict", "vision_config_dict"}  # copies, for transformers 4
    size = values["size"]
    return Said(values, {"ids": Ids((values["length"],), values["vocab"]), "image": Shape((3, size, size))})


def _whisper(c: Fields) -> Said:
    c.same(hidden_size="d_model", num_hidden_layers="encoder_layers")
    c.same(num_attention_heads="encoder_attention_heads", num_key_value_heads="encoder_attention_heads")
    values = {
        "width": c.whole("d_model", 384),
        "depth": c.whole("encoder_layers", 4, allowed()),
        "heads": c.whole("encoder_attention_heads", 6),
        "hidden": c.whole("encoder_ffn_dim", 1536),
        "decoder_depth": c.whole("decoder_layers", 4, allowed()),
        "decoder_heads": c.whole("decoder_attention_heads", 6),
        "decoder_hidden": c.whole("decoder_ffn_dim", 1536),
        "bands": c.whole("num_mel_bins", 80),
        "frames": c.whole("max_source_positions", 1500),
        "vocab": c.whole("vocab_size", 51865),
        "length": c.whole("max_target_positions", 448),
        "activation": c.choice("activation_function", "gelu", _ACTIVATIONS),
    }
    for name in ("encoder_attention_heads", "decoder_attention_heads"):
        c.divides(name, "d_model")
    c.only("scale_embedding", False)
    c.only("tie_word_embeddings", True)
    c.only("is_encoder_decoder", True)
    c.known |= {"classifier_proj_size", "use_weighted_layer_sum", "median_filter_width"}  # of other uses
    audio = Shape((values["bands"], 2 * values["frames"]))
    return Said(values, {"audio": audio, "ids": Ids((values["length"],), values["vocab"])})


def _t5(c: Fields) -> Said:
    c.only("is_encoder_decoder", True)
    c.only("is_decoder", False)
    c.same(
        hidden_size="d_model",
        num_attention_heads="num_heads",
        num_hidden_layers="num_layers",
        head_dim="d_kv",
    )
    depth = c.whole("num_layers", 6, allowed())
    values = {
        "width": c.whole("d_model", 512),
        "depth": depth,
        "decoder_depth": c.optional("num_decoder_layers", None) or depth,
        "heads": c.whole("num_heads", 8),
        "head": c.whole("d_kv", 64),
        "hidden": c.whole("d_ff", 2048),
        "activation": c.choice("feed_forward_proj", "relu", _T5_ACTIVATIONS),
        "gated": str(c.read["feed_forward_proj"]).startswith("gated"),
        "buckets": c.whole("relative_attention_num_buckets", 32),
        "distance": c.whole("relative_attention_max_distance", 128),
        "eps": c.number("layer_norm_epsilon", 1e-6),
        "tied": c.truth("tie_word_embeddings", True),
        "vocab": c.whole("vocab_size", 32128),
        "length": c.whole("n_positions", 512),
    }
    # which follow, and count in place of what they follow from
    gate, _, activation = c.read["feed_forward_proj"].rpartition("-")
    c.only("is_gated_act", values["gated"])
    c.only("dense_act_fn", "gelu_new" if gate and activation == "gelu" else activation)
    c.only("scale_decoder_outputs", values["tied"])
    c.known |= {"output_past"}
    text = Ids((values["length"],), values["vocab"])
    return Said(values, {"source": text, "target": text})


#: Activations under transformers' names.
_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": 'gelu(approximate="tanh")',
    "gelu_pytorch_tanh": 'gelu(approximate="tanh")',
    "gelu_fast": 'gelu(approximate="tanh")',
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}

#: The same of T5, where a name says whether they are gated, too.
_T5_ACTIVATIONS = {
    "relu": "relu",
    "gated-relu": "relu",
    "gated-gelu": 'gelu(approximate="tanh")',
    "gated-silu": "silu",
}

FAMILIES = {
    one.model_type: one
    for one in (
        Family("gpt2", "gpt2", ("GPT2LMHeadModel",), _gpt2),
        Family("bert", "bert", ("BertModel", "BertForMaskedLM"), _bert),
        Family("llama", "llama", ("LlamaForCausalLM",), _llama),
        Family("mistral", "llama", ("MistralForCausalLM",), _mistral),
        Family("qwen2", "llama", ("Qwen2ForCausalLM",), _qwen2),
        Family("clip", "clip", ("CLIPModel",), _clip),
        Family("whisper", "whisper", ("WhisperForConditionalGeneration",), _whisper),
        Family("gpt_neox", "gpt_neox", ("GPTNeoXForCausalLM",), _gpt_neox),
        Family("mixtral", "mixtral", ("MixtralForCausalLM",), _mixtral),
        Family("deepseek_v3", "deepseek_v3", ("DeepseekV3ForCausalLM",), _deepseek_v3),
        Family("gemma", "gemma", ("GemmaForCausalLM",), _gemma),
        Family("qwen3", "llama", ("Qwen3ForCausalLM",), _qwen3),
        Family("t5", "t5", ("T5ForConditionalGeneration",), _t5),
        Family("qwen3_moe", "mixtral", ("Qwen3MoeForCausalLM",), _qwen3_moe),
        Family("qwen2_moe", "mixtral", ("Qwen2MoeForCausalLM",), _qwen2_moe),
        Family("phi3", "phi3", ("Phi3ForCausalLM",), _phi3),
        Family("distilbert", "distilbert", ("DistilBertModel", "DistilBertForMaskedLM"), _distilbert),
        Family("olmo2", "llama", ("Olmo2ForCausalLM",), _olmo2),
        Family("seed_oss", "llama", ("SeedOssForCausalLM",), _seed_oss),
        Family("gemma2", "gemma", ("Gemma2ForCausalLM",), _gemma2),
        Family("gemma3_text", "gemma", ("Gemma3ForCausalLM",), _gemma3_text),
        Family("ministral", "llama", ("MinistralForCausalLM",), _ministral),
        Family("roberta", "bert", ("RobertaModel", "RobertaForMaskedLM"), partial(_roberta, vocab=50265)),
        Family("xlm-roberta", "bert", ("XLMRobertaModel", "XLMRobertaForMaskedLM"), _roberta),
        Family("camembert", "bert", ("CamembertModel", "CamembertForMaskedLM"), _roberta),
    )
}
