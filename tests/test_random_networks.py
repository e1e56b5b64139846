"""Random networks, held against torch; ``python -m tests.random_networks 3000 7`` draws more."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

import archlens
from archlens.drawing import Request, style_names
from archlens.drawing.fit import NAMED
from archlens.errors import UsageError

from .legibility import flaws
from .random_networks import Drawn, check, networks


def drawn_in(network: archlens.Network, number: int) -> list[str]:
    """The style in which a network was drawn, each in turn, with text that is read; or none."""
    styles, fits = style_names(), [*NAMED]
    style, fit = styles[number % len(styles)], fits[number // len(styles) % len(fits)]
    try:
        found = flaws(Request(network, style, fit=fit))
    except UsageError:
        return []
    assert not {"small", "wide"} & {*found}, (style, fit, found)
    return [style]


@pytest.mark.slow
def test_archlens_and_torch_agree() -> None:
    """Every layer has torch's shape, and the whole has its parameters and its products, until both refuse."""
    met: Counter[str] = Counter()

    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]

    @settings(max_examples=300, derandomize=True, database=None, suppress_health_check=slow)
    @given(networks())
    def agree(drawn: Drawn) -> None:
        network = check(drawn)
        met["refused" if drawn.refused else "accepted"] += 1
        met.update(layer.op.kind for layer in network)
        if not drawn.refused:
            met.update(drawn_in(network, met["accepted"]))
        met["again"] += any(layer.again for layer in network)
        met["use"] += bool(drawn.uses)

    agree()
    assert met["accepted"] >= 80, met
    assert met["refused"] >= 20, met
    for kind in (
        "conv", "max_pool", "avg_pool", "upsample", "linear", "add", "concat", "tokens", "channels_last",
        "self_attention", "embedding", "attention", "again", "use",
    ):  # fmt: skip
        assert met[kind] >= 3, (kind, met)
    assert met["conv_transpose"] >= 2, met
    assert min(met[style] for style in style_names()) >= 5, met
    assert sum(met[kind] for kind in ("window_attention", "window_attention_v2", "merge_patches")) >= 3, met
    assert sum(met[kind] for kind in ("lstm", "gru", "rnn", "rearrange", "rotary", "matmul")) >= 10, met
