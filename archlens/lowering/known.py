"""Classes of modules that are one op of archlens, by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..ops import OPS, Op
from .masks import MULTIHEAD


def _stochastic_depth(module: Any) -> Op:
    return OPS["stochastic_depth"](float(module.p))


def _drop_path(module: Any) -> Op:
    return OPS["stochastic_depth"](float(module.drop_prob or 0.0))


def _attention(module: Any) -> Op | None:
    plain = module._qkv_same_embed_dim and module.bias_k is None and not module.add_zero_attn
    return OPS["self_attention"](module.num_heads, module.in_proj_bias is not None) if plain else None


def _windows(kind: str) -> Callable[[Any], Op | None]:
    def made(module: Any) -> Op | None:
        window, shift = module.window_size, module.shift_size
        if len(set(window)) > 1 or len(set(shift)) > 1:
            return None
        return OPS[kind](module.num_heads, window[0], shift=shift[0])

    return made


def _relative(module: Any) -> Op:
    side = round(module.max_seq_len**0.5)
    return OPS["relative_attention"](module.n_heads, side)


def _recurrent(module: Any) -> Op:
    options = {
        "layers": module.num_layers,
        "bidirectional": module.bidirectional,
        "bias": module.bias,
        # torch drops nothing after the last layer
        "dropout": float(module.dropout) if module.num_layers > 1 else 0.0,
    }
    if module.mode == "LSTM":
        options["projection"] = module.proj_size or None
    elif module.mode.startswith("RNN"):
        options["nonlinearity"] = module.nonlinearity
    return OPS[module.mode.partition("_")[0].lower()](module.hidden_size, **options)


def _no_op(module: Any) -> None:
    return None


#: How each is made of the module; ``None`` where this one is not.
KNOWN: dict[str, Callable[[Any], Op | None]] = {
    **dict.fromkeys((f"torch.nn.modules.rnn.{name}" for name in ("LSTM", "GRU", "RNN")), _recurrent),
    # one step is one layer, of which archlens knows what it costs
    **dict.fromkeys((f"torch.nn.modules.rnn.{name}" for name in ("LSTMCell", "GRUCell", "RNNCell")), _no_op),
    "torchvision.ops.stochastic_depth.StochasticDepth": _stochastic_depth,
    "timm.layers.drop.DropPath": _drop_path,
    MULTIHEAD: _attention,
    "torchvision.models.swin_transformer.ShiftedWindowAttention": _windows("window_attention"),
    "torchvision.models.swin_transformer.ShiftedWindowAttentionV2": _windows("window_attention_v2"),
    "torchvision.models.maxvit.RelativePositionalMultiHeadAttention": _relative,
}
