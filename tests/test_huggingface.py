"""Configurations of transformers: what their fields come to, and what is refused.

Their parameters, multiply-accumulates and keys are held against transformers in ``test_references.py``.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import archlens
from archlens.bounds import allowing
from archlens.dialects.format import File
from archlens.dialects.huggingface import FORMAT
from archlens.dialects.huggingface.families import BESIDE, FAMILIES, NOTED
from archlens.dialects.huggingface.fields import Fields, read_config
from archlens.errors import ArchlensError
from archlens.network import Network
from archlens.shape import Ids

from .references import CONFIGURATIONS, Recipe, recipes
from .running import run

DEFAULTS: dict[str, dict[str, Any]] = json.loads(CONFIGURATIONS.read_text("utf-8"))

#: As its weights are kept with it.
GPT2 = """{
  "activation_function": "gelu_new",
  "architectures": [
    "GPT2LMHeadModel"
  ],
  "attn_pdrop": 0.1,
  "bos_token_id": 50256,
  "embd_pdrop": 0.1,
  "eos_token_id": 50256,
  "initializer_range": 0.02,
  "layer_norm_epsilon": 1e-05,
  "model_type": "gpt2",
  "n_ctx": 1024,
  "n_embd": 768,
  "n_head": 12,
  "n_layer": 12,
  "n_positions": 1024,
  "resid_pdrop": 0.1,
  "summary_activation": null,
  "summary_first_dropout": 0.1,
  "summary_proj_to_labels": true,
  "summary_type": "cls_index",
  "summary_use_proj": true,
  "task_specific_params": {
    "text-generation": {
      "do_sample": true,
      "max_length": 50
    }
  },
  "vocab_size": 50257
}
"""

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "vocab_size": 97,
    "max_position_embeddings": 24,
}


def loaded(text: str, values: dict[str, Any] | None = None, input: Any = None) -> Network:
    """The network of a file with this text."""
    return File("config.json", "config.json", FORMAT, stored=lambda: io.BytesIO(text.encode())).network(
        input, values or {}
    )


def llama(**fields: Any) -> Network:
    return loaded(json.dumps({**LLAMA, **fields}))


def test_gpt2() -> None:
    """OpenAI calls it 124M; the weights that are tied are counted once."""
    network = loaded(GPT2)
    assert network.params == 124_439_808
    assert network.inputs == {"ids": Ids((1024,), 50257)}
    assert network.aliases == {"lm_head.weight": "transformer.wte.weight"}


def test_bert() -> None:
    """With its head 109,514,298, as transformers counts; each architecture has keys of its own."""
    masked = loaded('{"model_type": "bert", "architectures": ["BertForMaskedLM"]}')
    assert masked.params == 109_514_298
    assert masked.aliases == {
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    }
    bare = loaded('{"model_type": "bert"}')
    assert "embeddings.word_embeddings.weight" in bare.state()
    assert [note for one in (masked, bare) for note in one.origin.notes] == [
        "Laid out as BertForMaskedLM of transformers, by the spec bert of the zoo.",
        "Laid out as BertModel of transformers, by the spec bert of the zoo.",
    ]
    with pytest.raises(ArchlensError, match="tie_word_embeddings is false"):
        loaded('{"model_type": "bert", "architectures": ["BertForMaskedLM"], "tie_word_embeddings": false}')


def test_t5() -> None:
    """As transformers counts t5-small; version 1.1 has gates and a head of its own, which nothing scales."""
    assert loaded('{"model_type": "t5"}').params == 60_506_624
    fields = {"d_ff": 1024, "num_layers": 8, "num_heads": 6, "feed_forward_proj": "gated-gelu"}
    gated = loaded(json.dumps({"model_type": "t5", "tie_word_embeddings": False, **fields}))
    attention, feed, words = 4 * 512 * 6 * 64, 3 * 512 * 1024, 32128 * 512
    layers = 8 * (attention + feed + 2 * 512) + 8 * (2 * attention + feed + 3 * 512)
    assert gated.params == layers + 2 * (32 * 6 + 512) + 2 * words
    assert not any(layer.op.kind == "scale" for layer in gated)


def test_classes_of_a_vision_transformer() -> None:
    """As many as have labels, or as --set asks for; the body alone has none, but BERT's pooler."""
    fields = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "num_hidden_layers": 1}
    text = json.dumps({**fields, "id2label": {"0": "cat", "1": "dog", "2": "none"}})
    assert loaded(text).state()["classifier.weight"] == (3, 768)
    assert loaded(text, {"num_labels": 5}).state()["classifier.weight"] == (5, 768)
    assert loaded(json.dumps({**fields, "num_labels": 7})).state()["classifier.weight"] == (7, 768)
    bare = loaded(json.dumps({**fields, "architectures": ["ViTModel"], "image_size": 64, "num_channels": 1}))
    assert bare.state()["embeddings.position_embeddings"] == (1, 17, 768)
    assert bare.state()["embeddings.patch_embeddings.projection.weight"] == (768, 1, 16, 16)
    assert bare.state()["pooler.dense.weight"] == (768, 768)


def test_a_spec_that_is_in_no_zoo() -> None:
    notes = loaded('{"model_type": "opt"}').origin.notes
    assert notes == ["Laid out as OPTForCausalLM of transformers, by archlens' own spec of such."]


@pytest.mark.parametrize("kind", FAMILIES)
def test_defaults_are_those_of_transformers(kind: str) -> None:
    """A field that is left out is what transformers takes for it, and each of its fields is known here."""
    said = json.dumps(DEFAULTS[kind])
    root, bare = (read_config(io.BytesIO(text.encode()), "config.json") for text in (said, "{}"))
    fields = Fields(root, {})
    assert FAMILIES[kind].read(fields) == FAMILIES[kind].read(Fields(bare, {}))
    assert {*DEFAULTS[kind], *fields.left} <= fields.known | BESIDE | NOTED.keys()


def test_every_command_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(LLAMA), "utf-8")
    for words in (
        "shapes config.json",
        "explain config.json lm_head",
        "cost config.json",
        "memory config.json",
        "sizes config.json",
        "lint config.json",
        "compare config.json",
        "diff config.json config.json",
        "diagram config.json -o net.svg",
        "convert config.json -o net.yaml",
        "source config.json -o net.py",
    ):
        assert run(*words.split()).returncode == 0, words
    written = archlens.load("net.yaml")
    assert (written.params, written.macs) == (llama().params, llama().macs)
    assert written.state() == llama().state()


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe", [one for one in recipes("transformers").values() if one.model_type], ids=lambda one: one.name
)
def test_each_is_written(recipe: Recipe) -> None:
    """In the small form in which it is held against transformers; ``convert`` itself compares the rest."""
    network = recipe.smaller().network()
    written = archlens.loads(archlens.convert(network))
    assert (written.params, written.macs, written.state()) == (network.params, network.macs, network.state())


def test_fields_are_params(tmp_path: Path) -> None:
    """``--set`` takes the names of fields; sizes that are given stay, and ids are below what is set."""
    text = json.dumps(LLAMA)
    network = loaded(text, {"num_hidden_layers": "1", "vocab_size": "50"}, {"ids": "7"})
    assert network.inputs == {"ids": Ids((7,), 50)}
    assert network.state()["lm_head.weight"] == (50, 48)
    assert len([key for key in network.state() if key.endswith("q_proj.weight")]) == 1
    again = network.with_values(num_hidden_layers=3).with_input("9")
    assert again.inputs == {"ids": Ids((9,), 50)}
    assert len([key for key in again.state() if key.endswith("q_proj.weight")]) == 3
    with pytest.raises(ArchlensError, match="has no param hidden_sise"):
        loaded(text, {"hidden_sise": 3})
    with pytest.raises(ArchlensError, match="num_attention_heads 5 does not divide hidden_size 48"):
        loaded(text, {"num_attention_heads": 5})


def test_what_changes_no_count_is_said() -> None:
    notes = llama(
        rope_scaling={"rope_type": "llama3", "factor": 8.0},
        quantization_config={"bits": 4},
        auto_map={"AutoModel": "own.Model"},
        made_up=1,
    ).origin.notes
    assert notes == [
        "Laid out as LlamaForCausalLM of transformers, by the spec llama of the zoo.",
        "How rope_scaling scales the angles of positions is not laid out; no shape and no count depends on "
        "it.",
        "Weights are counted as they were before the quantization that quantization_config describes.",
        "Custom code, which auto_map names, is not read.",
        "Unknown fields of llama, which change nothing: made_up.",
    ]


def test_old_and_new_names_of_the_base() -> None:
    """Transformers 4 kept it beside the other fields, and 5 keeps it among those of rotary positions."""
    old, new = llama(rope_theta=100.0), llama(rope_parameters={"rope_type": "default", "rope_theta": 100.0})
    for network in (old, new):
        assert network["model.layers.0.self_attn.q.0"].op.base == 100.0  # type: ignore[attr-defined]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model_type": "t5", "architectures": ["T5Model"]}, "there is no spec for the architecture T5Model"),
    ({"model_type": "lama"}, "there is no spec for the model_type lama"),
    ({"model_type": 3}, "there is no spec for the model_type 3"),
    ({"architectures": ["LlamaModel"]}, "there is no spec for the architecture LlamaModel"),
    ({"architectures": "x"}, "there is no spec for the architecture x"),
    ({"hidden_act": "gelu_10"}, "hidden_act is gelu_10, for which no spec is known"),
    ({"hidden_act": None}, "hidden_act is null, for which no spec is known"),
    ({"is_decoder": True}, "is_decoder is true, for which no spec is known"),
    ({"pruned_heads": {"0": [1]}}, 'pruned_heads is {"0": [1]}, for which no spec is known'),
    ({"hidden_size": 50}, "num_attention_heads 4 does not divide hidden_size 50"),
    ({"num_key_value_heads": 3}, "num_key_value_heads 3 does not divide num_attention_heads 4"),
    ({"head_dim": 7}, "heads of 7 channels are not turned in pairs"),
    ({"hidden_size": True}, "hidden_size must be a whole number from 1 to 1,000,000,000, not true"),
    ({"hidden_size": "48"}, "hidden_size must be a whole number from 1 to 1,000,000,000, not 48"),
    ({"num_hidden_layers": 25_001}, "num_hidden_layers must be a whole number from 1 to 25,000, not 25001"),
    ({"rms_norm_eps": 0}, "rms_norm_eps must be a number above 0, not 0"),
    ({"rms_norm_eps": float("nan")}, "rms_norm_eps must be a number above 0, not NaN"),
    ({"attention_bias": 1}, "attention_bias must be true or false, not 1"),
    ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor is 0.5, for which no spec"),
    ({"model_type": "gpt_neox", "rotary_pct": 0.3}, "3 of the 12 channels of a head are not turned in pairs"),
    ({"rope_scaling": [1]}, "rope_scaling must be a mapping"),
    (
        {"model_type": "qwen2", "num_key_value_heads": 2, "layer_types": ["sliding_attention"] * 2},
        'layer_types is ["sliding_attention", "sliding_attention"], for which no spec is known',
    ),
    ({"model_type": "ministral", "num_key_value_heads": 2, "layer_types": []}, "must be a list of 2 words"),
    (
        {"model_type": "ministral", "num_key_value_heads": 2, "layer_types": ["full_attention", "odd"]},
        "layer_types has odd, for which no spec is known",
    ),
    (
        {
            "model_type": "ministral",
            "num_key_value_heads": 2,
            "sliding_window": None,
            "layer_types": ["full_attention", "sliding_attention"],
        },
        "layer_types has sliding_attention, but sliding_window is none",
    ),
    (
        {"model_type": "qwen3_moe", "num_key_value_heads": 2, "mlp_only_layers": [0]},
        "mlp_only_layers is [0], for which no spec is known",
    ),
    ({"model_type": "qwen3_moe", "num_key_value_heads": 2, "num_experts": 7}, "cannot go to 8 of 7 experts"),
    (
        {"model_type": "deepseek_v3", "num_key_value_heads": 4, "first_k_dense_replace": 1, "n_group": 3},
        "256 experts do not divide into 3 groups",
    ),
    (
        {"model_type": "roberta", "max_position_embeddings": 2},
        "max_position_embeddings 2 leaves no position behind pad_token_id 1",
    ),
    (
        {"model_type": "gemma3_text", "num_key_value_heads": 2, "attn_logit_softcapping": 50.0},
        "attn_logit_softcapping is 50.0, for which no spec is known",
    ),
    (
        {"model_type": "qwen2_moe", "num_key_value_heads": 2, "decoder_sparse_step": 2},
        "decoder_sparse_step is 2, for which no spec is known",
    ),
    ({"model_type": "roberta", "pad_token_id": -1}, "pad_token_id must be a whole number"),
    (
        {
            "model_type": "falcon",
            "architectures": ["FalconForCausalLM"],
            "new_decoder_architecture": True,
            "parallel_attn": False,
        },
        "parallel_attn is false, for which no spec is known",
    ),
    (
        {
            "model_type": "falcon",
            "architectures": ["FalconForCausalLM"],
            "new_decoder_architecture": True,
            "num_ln_in_parallel_attn": 3,
        },
        "there are 1 or 2 norms in a layer, not 3",
    ),
    (
        {"model_type": "falcon", "architectures": ["FalconForCausalLM"], "hidden_size": 20},
        "heads of 5 channels are not turned in pairs",
    ),
    (
        {"model_type": "gptj", "architectures": ["GPTJForCausalLM"], "rotary_dim": 300},
        "300 of the 12 channels of a head are not turned in pairs",
    ),
    (
        {"model_type": "phi", "architectures": ["PhiForCausalLM"], "partial_rotary_factor": 0.1},
        "1 of the 12 channels of a head are not turned in pairs, as positions are",
    ),
    (
        {
            "model_type": "helium",
            "architectures": ["HeliumForCausalLM"],
            "num_key_value_heads": 2,
            "head_dim": 16,
        },
        "4 heads of 16 channels are not the 48 of hidden_size",
    ),
    (
        {"model_type": "albert", "architectures": ["AlbertModel"], "num_hidden_groups": 3},
        "num_hidden_groups 3 does not divide num_hidden_layers 2",
    ),
    (
        {"model_type": "vit", "architectures": ["ViTModel"], "image_size": [8, 8]},
        "image_size must be a whole number",
    ),
    ({"model_type": "vit", "architectures": ["ViTModel"], "image_size": 8}, "larger than"),
]


def test_parts_of_a_type_that_is_not_known() -> None:
    said = {
        "model_type": "llava",
        "text_config": {"model_type": "llama"},
        "vision_config": {"model_type": "x"},
    }
    with pytest.raises(ArchlensError) as caught:
        loaded(json.dumps(said))
    found = caught.value.diagnostic
    assert found.help == "what is in its text_config (llama) can be read as a config.json by itself"
    assert found.notes == ("a module of transformers can be traced instead, as model.py:net",)


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=lambda one: one if isinstance(one, str) else "")
def test_refused(fields: dict[str, Any], message: str) -> None:
    """Each with its place in the file: the field, or where it is laid out."""
    said = {**LLAMA, **fields}
    if "architectures" not in fields:
        del said["architectures"]
    with pytest.raises(ArchlensError) as caught:
        loaded(json.dumps(said, indent=1))
    found = caught.value.diagnostic
    assert message in found.message
    places = [found.span, *(span for _, span in found.also)]
    assert any(span is not None and span.source.name == "config.json" for span in places)


#: Fields that transformers has and that change no network of a family.
NOTHING = {
    **{
        kind: {"tie_word_embeddings"} for kind in ("bert", "roberta", "xlm-roberta", "camembert")
    },  # of a head
    "albert": {"tie_word_embeddings", "classifier_dropout_prob"},  # of a head, and of training
    "electra": {"tie_word_embeddings", "summary_last_dropout"},
    "bloom": {"slow_but_exact"},  # of how products are split among devices
    "falcon": {"num_kv_heads"},  # which multi_query leaves out
    **{kind: {"encoder_stride"} for kind in ("vit", "deit")},  # of another head
    "distilbert": {"tie_word_embeddings", "qa_dropout", "seq_classif_dropout"},  # of a head, and of training
    "phi3": {"original_max_position_embeddings"},  # of how angles are scaled
    # how it begins; of towers by themselves
    "clip": {"logit_scale_init_value"}
    | {
        f"{part}_config {name}"
        for part in ("text", "vision")
        for name in ("projection_dim", "is_encoder_decoder")
    },
    "whisper": {"use_weighted_layer_sum", "classifier_proj_size", "median_filter_width"},  # of other heads
    "mixtral": {"output_router_logits", "router_aux_loss_coef", "router_jitter_noise"},  # of training
    "gpt_oss": {"output_router_logits", "router_aux_loss_coef"},  # of training
    # of training; of a head that is no part of it; what transformers makes of other fields
    "deepseek_v3": {"output_router_logits", "num_nextn_predict_layers", "qk_head_dim", "head_dim"},
    # of windows that use_sliding_window leaves out; of layers without experts
    "qwen2": {"sliding_window", "max_window_layers"},
    "qwen3": {"sliding_window", "max_window_layers"},
    "qwen3_moe": {"sliding_window", "intermediate_size", "output_router_logits", "router_aux_loss_coef"},
    "seed_oss": {"residual_dropout"},  # of training
    "gemma3_text": {"_sliding_window_pattern"},  # which transformers does not read
    "qwen2_moe": {
        "sliding_window",
        "max_window_layers",
        "intermediate_size",
        "output_router_logits",
        "router_aux_loss_coef",
    },
}


def other(value: Any) -> Any:
    """A value that is not the one that is given."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return 2 * value or 2
    return 7 if value is None else "other"


def changes(fields: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each field with another value, by itself."""
    for name, value in fields.items():
        if name in BESIDE | NOTED.keys() | {"model_type", "architectures"}:
            continue
        if isinstance(value, dict) and name.endswith("_config"):
            yield from ((f"{name} {inner}", {name: one}) for inner, one in changes(value))
        else:
            yield name, {name: {"rope_theta": 77.0} if isinstance(value, dict) else other(value)}


@pytest.mark.parametrize("kind", FAMILIES)
def test_no_field_is_passed_over(kind: str) -> None:
    """Each that transformers has makes another network when it is another, or is refused at its place."""

    def read(architecture: str, **said: Any) -> Any:
        root = read_config(io.BytesIO(json.dumps(said).encode()), "config.json")
        fields = Fields(root, {}, architecture)
        try:
            return FAMILIES[kind].read(fields), fields.notes
        except ArchlensError as refused:
            return refused.diagnostic.span

    for architecture in FAMILIES[kind].architectures:
        same = read(architecture), None
        nothing = {name for name, said in changes(DEFAULTS[kind]) if read(architecture, **said) in same}
        assert nothing <= NOTHING.get(kind, set())


@pytest.mark.parametrize(
    ("kind", "name", "other"),
    [
        ("gpt2", "n_embd", "hidden_size"),
        ("mixtral", "num_local_experts", "num_experts"),
        ("gpt_oss", "num_local_experts", "num_experts"),
        ("qwen3_moe", "num_experts", "num_local_experts"),
        ("deepseek_v3", "n_routed_experts", "num_local_experts"),
        ("whisper", "encoder_layers", "num_hidden_layers"),
        ("t5", "d_kv", "head_dim"),
    ],
)
def test_fields_that_have_two_names(kind: str, name: str, other: str) -> None:
    """As transformers' attribute_map has them: either counts, and not one against the other."""

    def read(**fields: int) -> Any:
        root = read_config(io.BytesIO(json.dumps(fields).encode()), "config.json")
        return FAMILIES[kind].read(Fields(root, {}))

    assert read(**{name: 48}) == read(**{other: 48}) == read(**{name: 48, other: 48}) != read()
    with pytest.raises(
        ArchlensError, match=f"{other} is 24, and {name}, another name for it, is 48"
    ) as caught:
        read(**{name: 48, other: 24})
    assert caught.value.diagnostic.span is not None


def test_a_file_that_does_not_say_its_type_is_read_as_a_configuration(tmp_path: Path) -> None:
    """What is wrong with it is said, and not that nothing reads such files."""
    file = tmp_path / "config.json"
    file.write_text('{"hidden_size": 768, "num_hidden_layers": 12}')
    with pytest.raises(ArchlensError, match="the configuration has no model_type"):
        archlens.load(str(file))
    file.write_text('{"compilerOptions": {"strict": true}}')
    with pytest.raises(ArchlensError, match="is not in a format that archlens reads"):
        archlens.load(str(file))


def test_a_network_that_is_too_deep() -> None:
    """The message of the spec says for which configuration it is laid out."""
    with allowing(20), pytest.raises(ArchlensError, match="more than 20 layers") as caught:
        llama(num_hidden_layers=20)
    ((what, span),) = caught.value.diagnostic.also
    assert (what, span.source.name) == ("it is laid out for this configuration", "config.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("[]", "a configuration must be a mapping"),
        ('{"architectures": []}', "the configuration has no model_type"),
        ('{"model_type": "llama"', "this is not valid YAML"),
        ('{"model_type": "llama", "model_type": "gpt2"}', "the key model_type appears twice"),
        ('{"model_type": ' + "[" * 100, "nested more than 60 deep"),
    ],
)
def test_what_is_no_configuration(text: str, message: str) -> None:
    with pytest.raises(ArchlensError, match=message):
        loaded(text)


def test_tabs_are_blanks_between_words() -> None:
    assert loaded(json.dumps(LLAMA, indent="\t")).params == llama().params


def test_whatever_stands_in_a_field() -> None:
    """It is laid out, or refused by a message that says where."""
    drawn = random.Random(1)
    nasty = [
        None,
        True,
        -1,
        0,
        3,
        1e9,
        10**30,
        -0.5,
        1e400,
        "",
        "x" * 300,
        [],
        [1, [2]],
        {},
        {"a": {}},
        "\ud800",
    ]
    for kind in FAMILIES:
        known = sorted(set(DEFAULTS[kind]) - BESIDE)
        for _ in range(12):
            said = {"model_type": kind, **{name: drawn.choice(nasty) for name in drawn.sample(known, 2)}}
            try:
                network = loaded(json.dumps(said))
            except ArchlensError:
                continue
            assert network.params > 0
