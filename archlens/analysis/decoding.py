"""What a decoder keeps of each token, its cache of keys and values, and what it computes for one more.

A decoder is a network whose tokens see none that come after them: beside causal attention every layer works
on each position by itself. With the keys and values of those before it, one more token is computed alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from ..errors import printable
from ..geometry import POINT
from ..network import Layer, Network
from ..ops.attention import Attention, SelfAttention
from ..ops.experts import AROUND
from .latents import Latents, keeps_tokens
from .memory import bits
from .unknown import Unknown

#: The types that a cache is kept in.
DTYPES = ("float32", "float16", "bfloat16", "int8")


class Cached(NamedTuple):
    """What one attention keeps."""

    layer: str
    #: The channels of keys and of values that it reads of a token.
    values: int
    #: Those of the narrowest tensors that both can be made from, token by token, and that nothing else reads:
    #: the latent of multi-head latent attention, or else keys and values themselves.
    latent: int
    #: Of how many tokens it keeps them, all of the sequence or those of its window.
    tokens: int


@dataclass(frozen=True)
class Decoding:
    """The figures of a decoder on a sequence of some length."""

    length: int
    cached: tuple[Cached, ...]
    #: Multiply-accumulates of all tokens at once, what is masked included.
    prefill: int
    #: Those of the last token alone, which attends to all that are cached, itself included; at least, where
    #: those of some layer are not known.
    token: int

    def bytes_of_token(self, dtype: str) -> int:
        """What the cache grows by with a token, as long as no window is full."""
        return sum(one.values for one in self.cached) * bits(dtype) // 8

    def bytes_of_sequence(self, dtype: str) -> int:
        """What the cache of the whole sequence takes; of a window only what is still seen."""
        return sum(one.values * one.tokens for one in self.cached) * bits(dtype) // 8

    @property
    def latent(self) -> Decoding | None:
        """The same with what keys and values are made from in their place, where that is less."""
        if all(one.latent == one.values for one in self.cached):
            return None
        return replace(self, cached=tuple(one._replace(values=one.latent) for one in self.cached))


def find(network: Network) -> Decoding | Unknown | None:
    """What a decoder keeps and computes; why that is not known; ``None`` where nothing is causal.

    >>> import archlens
    >>> found = find(archlens.load("llama_3_8b"))
    >>> found.bytes_of_token("bfloat16")  # 32 layers x 2 x 8 heads x 128 x 2 bytes
    131072
    """
    attentions = [layer for layer in network.layers if _is_causal(layer)]
    if not attentions:
        return None
    *rows, length = attentions[0].input_shapes[0].spatial
    if rows:
        return Unknown(f"{_said(attentions[0])} attends within rows")
    token = 0
    for layer in network.layers:
        if layer.training:
            continue
        if _is_causal(layer) and layer.input_shapes[0].spatial == (length,):
            token += _of_token(layer, length)
        elif isinstance(layer.op, AROUND):
            continue  # each token by itself, and no products
        elif keeps_tokens(layer, length):
            continue
        elif layer.shape.spatial[layer.copies is not None :] != (length,):
            token += layer.macs
        elif layer.facts.reach in ((POINT,), (POINT, POINT)):
            token += layer.macs // length
        else:
            return Unknown(f"{_said(layer)} looks at positions other than earlier ones")
    latents = Latents(network)
    return Decoding(
        length,
        tuple([_cached(layer, length, latents) for layer in attentions]),
        network.macs,
        token,
    )


def unmasked(network: Network) -> int:
    """The multiply-accumulates of an inference without what is masked."""
    layers = [layer for layer in network.layers if not layer.training]
    return sum(layer.op.macs_unmasked(layer.facts, *layer.input_shapes) for layer in layers)


def _said(layer: Layer) -> str:
    return f"{printable(layer.name)} ({layer.op.kind})"


def _is_causal(layer: Layer) -> bool:
    return isinstance(layer.op, Attention | SelfAttention) and layer.op.causal


def _cached(layer: Layer, length: int, latents: Latents) -> Cached:
    if isinstance(layer.op, Attention):
        _, k, v, *_ = layer.input_shapes
        values, latent = k.channels + v.channels, latents.of(layer)
    else:
        values = latent = layer.facts.weights["in_proj_weight"][0] - layer.input_shapes[0].channels
    return Cached(layer.name, values, latent, _kept(layer, length))


def _of_token(layer: Layer, length: int) -> int:
    """The products of one query over the keys that are kept; and of its projections."""
    projections = sum(shape[0] * shape[1] for shape in layer.facts.weights.values() if len(shape) == 2)
    core = layer.macs - projections * length
    return projections + core // length**2 * _kept(layer, length)


def _kept(layer: Layer, length: int) -> int:
    """Of how many tokens keys and values are kept: those of the sequence, or in the window."""
    return min(length, getattr(layer.op, "window", None) or length)
