"""The fields of encoders, and of those that have one: what they are among the params of a spec."""

from __future__ import annotations

from typing import Any

from ...bounds import allowed
from ...shape import Ids, Shape
from .fields import Fields
from .saying import ACTIVATIONS, Said, never, of_ids


def bert(c: Fields) -> Said:
    return _encoder(c, 30522)


def roberta(c: Fields, vocab: int = 30522) -> Said:
    """RoBERTa, and those that are it in other languages."""
    return _encoder(c, vocab, first=c.count("pad_token_id", 1) + 1, name="roberta")


def electra(c: Fields) -> Said:
    """The body of ELECTRA, its generator, or its discriminator, which tells the words that were replaced."""
    own = {
        "name": "electra",
        "embedded": c.whole("embedding_size", 128),
        "pooled": False,
        "replaced": c.architecture.endswith("ForPreTraining"),
    }
    c.known |= {"summary_last_dropout"}  # of heads that are none of these
    return _encoder(c, 30522, width=256, heads=4, hidden=1024, **own)


def _encoder(
    c: Fields, vocab: int, *, width: int = 768, heads: int = 12, hidden: int = 3072, **own: Any
) -> Said:
    """What BERT and those that follow it have in common."""
    never(c)
    c.only("position_embedding_type", "absolute")
    values = {
        "width": c.whole("hidden_size", width),
        "depth": c.whole("num_hidden_layers", 12, allowed()),
        "heads": c.whole("num_attention_heads", heads),
        "hidden": c.whole("intermediate_size", hidden),
        "activation": c.choice("hidden_act", "gelu", ACTIVATIONS),
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
    _masked(c, values)
    return _of_pairs(values)


def _masked(c: Fields, values: dict[str, Any]) -> None:
    """Whether words are told where they are masked, by a head that has their table."""
    values["masked_words"] = c.architecture.endswith("ForMaskedLM")
    if values["masked_words"]:
        c.only("tie_word_embeddings", True)
    c.known |= {"tie_word_embeddings"}  # which is about heads that the body alone has not


def _of_pairs(values: dict[str, Any]) -> Said:
    """One row of ids, as long as may be, and beside it of which of two sentences they are."""
    length = values["length"]
    return Said(
        values, {"ids": Ids((length,), values["vocab"]), "token_types": Ids((length,), values["types"])}
    )


def albert(c: Fields) -> Said:
    never(c)
    c.only("position_embedding_type", "absolute")
    values = {
        "width": c.whole("hidden_size", 4096),
        "embedded": c.whole("embedding_size", 128),
        "depth": c.whole("num_hidden_layers", 12, allowed()),
        "groups": c.whole("num_hidden_groups", 1),
        "inner": c.whole("inner_group_num", 1, allowed()),
        "heads": c.whole("num_attention_heads", 64),
        "hidden": c.whole("intermediate_size", 16384),
        "activation": c.choice("hidden_act", "gelu_new", ACTIVATIONS),
        "eps": c.number("layer_norm_eps", 1e-12),
        "positions": c.whole("max_position_embeddings", 512),
        "types": c.whole("type_vocab_size", 2),
        "vocab": c.whole("vocab_size", 30000),
    }
    c.divides("num_attention_heads", "hidden_size")
    c.divides("num_hidden_groups", "num_hidden_layers")
    _masked(c, values)
    c.known |= {"classifier_dropout_prob"}  # of training
    return _of_pairs(values | {"length": values["positions"]})


def distilbert(c: Fields) -> Said:
    never(c)
    c.same(hidden_size="dim", num_attention_heads="n_heads", num_hidden_layers="n_layers")
    values = {
        "width": c.whole("dim", 768),
        "depth": c.whole("n_layers", 6, allowed()),
        "heads": c.whole("n_heads", 12),
        "hidden": c.whole("hidden_dim", 3072),
        "activation": c.choice("activation", "gelu", ACTIVATIONS),
        "positions": c.whole("max_position_embeddings", 512),
        "vocab": c.whole("vocab_size", 30522),
    }
    values["length"] = values["positions"]
    c.divides("n_heads", "dim")
    c.only("sinusoidal_pos_embds", False)
    _masked(c, values)
    c.known |= {"qa_dropout", "seq_classif_dropout"}  # of training
    return of_ids(values)


def vit(c: Fields, name: str = "vit") -> Said:
    """A vision transformer, with a head for classes or with BERT's pooler."""
    for other in ("is_encoder_decoder", "torchscript"):
        c.only(other, False)
    c.only("pruned_heads", {}, None)
    width, size = c.whole("hidden_size", 768), c.whole("image_size", 224)
    values: dict[str, Any] = {
        "name": name,
        "width": width,
        "depth": c.whole("num_hidden_layers", 12, allowed()),
        "heads": c.whole("num_attention_heads", 12),
        "hidden": c.whole("intermediate_size", 3072),
        "patch": c.whole("patch_size", 16),
        "activation": c.choice("hidden_act", "gelu", ACTIVATIONS),
        "eps": c.number("layer_norm_eps", 1e-12),
        "qkv_bias": c.truth("qkv_bias", True),
        "distilled": name == "deit",
        "teacher": c.architecture.endswith("WithTeacher"),
        "pooled": c.optional("pooler_output_size", None) or width,
        "pool_activation": c.choice("pooler_act", "tanh", ACTIVATIONS),
        "classes": _classes(c) if "ForImageClassification" in c.architecture else 0,
    }
    c.divides("num_attention_heads", "hidden_size")
    c.known |= {"encoder_stride"}  # of a head that fills in what is masked
    return Said(values, {"image": Shape((c.whole("num_channels", 3), size, size))})


def _classes(c: Fields) -> int:
    """As many as have a label."""
    labels = c.value("id2label", None)
    if isinstance(labels, dict) and labels and "num_labels" not in c.given:
        c.read["num_labels"] = len(labels)
        return len(labels)
    return c.whole("num_labels", 2)


def clip(c: Fields) -> Said:
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


def whisper(c: Fields) -> Said:
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
        "activation": c.choice("activation_function", "gelu", ACTIVATIONS),
    }
    for name in ("encoder_attention_heads", "decoder_attention_heads"):
        c.divides(name, "d_model")
    c.only("scale_embedding", False)
    c.only("tie_word_embeddings", True)
    c.only("is_encoder_decoder", True)
    c.known |= {"classifier_proj_size", "use_weighted_layer_sum", "median_filter_width"}  # of other uses
    audio = Shape((values["bands"], 2 * values["frames"]))
    return Said(values, {"audio": audio, "ids": Ids((values["length"],), values["vocab"])})


def t5(c: Fields) -> Said:
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


#: The same of T5, where a name says whether they are gated, too.
_T5_ACTIVATIONS = {
    "relu": "relu",
    "gated-relu": "relu",
    "gated-gelu": 'gelu(approximate="tanh")',
    "gated-silu": "silu",
}
