"""The types of configurations that a spec says.

Names and defaults of fields are those of transformers 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from . import decoders, encoders
from .fields import Fields
from .saying import Said

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
    "quantization_config": (
        "Weights are counted as they were before the quantization that quantization_config describes."
    ),
    "auto_map": "Custom code, which auto_map names, is not read.",
}


@dataclass(frozen=True)
class Family:
    """A type of configurations, and the spec that says what it describes."""

    model_type: str
    #: Its file: beside this one, where the numbers are a configuration's alone, or else in the zoo.
    spec: str
    #: The architectures whose keys the spec has; where a file says none, the first is meant.
    architectures: tuple[str, ...]
    #: Reads the fields.
    read: Callable[[Fields], Said]


FAMILIES = {
    one.model_type: one
    for one in (
        Family("gpt2", "gpt2", ("GPT2LMHeadModel",), decoders.gpt2),
        Family("bert", "bert", ("BertModel", "BertForMaskedLM"), encoders.bert),
        Family("llama", "llama", ("LlamaForCausalLM",), decoders.llama),
        Family("mistral", "llama", ("MistralForCausalLM",), decoders.mistral),
        Family("qwen2", "llama", ("Qwen2ForCausalLM",), decoders.qwen2),
        Family("clip", "clip", ("CLIPModel",), encoders.clip),
        Family("whisper", "whisper", ("WhisperForConditionalGeneration",), encoders.whisper),
        Family("gpt_neox", "gpt_neox", ("GPTNeoXForCausalLM",), decoders.gpt_neox),
        Family("mixtral", "mixtral", ("MixtralForCausalLM",), decoders.mixtral),
        Family("gpt_oss", "gpt_oss", ("GptOssForCausalLM",), decoders.gpt_oss),
        Family("deepseek_v3", "deepseek_v3", ("DeepseekV3ForCausalLM",), decoders.deepseek_v3),
        Family("gemma", "gemma", ("GemmaForCausalLM",), decoders.gemma),
        Family("qwen3", "llama", ("Qwen3ForCausalLM",), decoders.qwen3),
        Family("t5", "t5", ("T5ForConditionalGeneration",), encoders.t5),
        Family("qwen3_moe", "mixtral", ("Qwen3MoeForCausalLM",), decoders.qwen3_moe),
        Family("qwen2_moe", "mixtral", ("Qwen2MoeForCausalLM",), decoders.qwen2_moe),
        Family("phi3", "phi3", ("Phi3ForCausalLM",), decoders.phi3),
        Family("distilbert", "distilbert", ("DistilBertModel", "DistilBertForMaskedLM"), encoders.distilbert),
        Family("olmo2", "llama", ("Olmo2ForCausalLM",), decoders.olmo2),
        Family("seed_oss", "llama", ("SeedOssForCausalLM",), decoders.seed_oss),
        Family("gemma2", "gemma", ("Gemma2ForCausalLM",), decoders.gemma2),
        Family("gemma3_text", "gemma", ("Gemma3ForCausalLM",), decoders.gemma3_text),
        Family("ministral", "llama", ("MinistralForCausalLM",), decoders.ministral),
        Family("bloom", "falcon", ("BloomForCausalLM",), decoders.bloom),
        Family("falcon", "falcon", ("FalconForCausalLM",), decoders.falcon),
        Family("opt", "opt", ("OPTForCausalLM",), decoders.opt),
        Family("gptj", "gptj", ("GPTJForCausalLM",), decoders.gptj),
        Family("phi", "phi", ("PhiForCausalLM",), decoders.phi),
        Family("helium", "llama", ("HeliumForCausalLM",), decoders.helium),
        Family("ernie4_5", "llama", ("Ernie4_5ForCausalLM",), decoders.ernie4_5),
        Family("albert", "albert", ("AlbertModel", "AlbertForMaskedLM"), encoders.albert),
        Family(
            "electra",
            "bert",
            ("ElectraModel", "ElectraForMaskedLM", "ElectraForPreTraining"),
            encoders.electra,
        ),
        Family("vit", "vit_encoder", ("ViTModel", "ViTForImageClassification"), encoders.vit),
        Family(
            "deit",
            "vit_encoder",
            ("DeiTModel", "DeiTForImageClassification", "DeiTForImageClassificationWithTeacher"),
            partial(encoders.vit, name="deit"),
        ),
        Family(
            "roberta", "bert", ("RobertaModel", "RobertaForMaskedLM"), partial(encoders.roberta, vocab=50265)
        ),
        Family("xlm-roberta", "bert", ("XLMRobertaModel", "XLMRobertaForMaskedLM"), encoders.roberta),
        Family("camembert", "bert", ("CamembertModel", "CamembertForMaskedLM"), encoders.roberta),
    )
}
