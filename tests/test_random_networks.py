"""Random networks, held against torch; ``python -m tests.random_networks 3000 7`` draws more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

import archlens
from archlens.backends.checks import FAILED
from archlens.backends.verification import verify
from archlens.drawing import Request, style_names
from archlens.drawing.fit import NAMED
from archlens.errors import UsageError
from archlens.ops import Facts
from archlens.shape import Shape

from .legibility import flaws
from .random_networks import STRATA, Drawn, accepted, check, check_values, check_written, some


def more_work(facts: Facts) -> Facts:
    return facts._replace(macs=facts.macs + 1)


def a_channel_more(facts: Facts) -> Facts:
    return facts._replace(shape=Shape((facts.shape[0] + 1, *facts.shape[1:])))


#: What is drawn, the op that is told wrong, and how.
FAULTS = [
    ("fold", "fold", a_channel_more),
    ("grid_sample", "grid_sample", a_channel_more),
    ("frame_conv", "frame_conv", more_work),
    ("relative_positions", "relative_positions", more_work),
    ("sinks", "attention", more_work),
]


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
    """Every layer has torch's shape, and the whole has its parameters and its products, until both refuse.

    They are drawn until there are enough of each kind, which half as many have been in many a draw.
    """
    met: Counter[str] = Counter()
    styles = style_names()
    for number in range(24):
        for drawn in some(10, number):
            network = check(drawn)
            met["refused" if drawn.refused else "accepted"] += 1
            if not drawn.refused:
                met.update(drawn_in(network, met["accepted"]))
        if met["accepted"] >= 60 and met["refused"] >= 20 and all(met[style] >= 5 for style in styles):
            return
    raise AssertionError(met)


@pytest.mark.parametrize("about", [*STRATA])
@pytest.mark.slow
def test_each_is_held_against_torch(about: str) -> None:
    """Each op that is drawn, and each construct: all that is said of it, what is built, and what is written.

    Shapes, parameters and products, also where torch refuses; of what it accepts values and fields.
    """
    held = accepted(about, 2)
    for drawn in some(4, 0, about):
        if drawn not in held:
            check(drawn)
    for drawn in held:
        network = check(drawn)
        check_values(drawn, network)
        check_written(drawn, network)
    report = verify(network)
    # a maximum of nothing but padding is infinite, of which a norm makes NaN, as of what was planted
    infinite = any(layer.op.kind == "max_pool" for layer in network)
    failed = [one for one in report.checks if one.status == FAILED and not (infinite and one.what == "field")]
    assert not failed, drawn.text


@pytest.mark.parametrize(("about", "kind", "fault"), FAULTS)
def test_a_fault_is_seen(
    about: str, kind: str, fault: Callable[[Facts], Facts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An op that is told wrong, or a way to draw that draws none, does not pass."""
    drawn = accepted(about, 1)[0]
    network = check(drawn)
    layers = tuple([one._replace(facts=fault(one.facts)) if one.op.kind == kind else one for one in network])
    wrong = replace(network, layers=layers, index={one.name: one for one in layers})
    monkeypatch.setattr(Drawn, "network", lambda _: wrong)
    with pytest.raises(AssertionError):
        check(drawn)


def test_what_nothing_draws_is_missed() -> None:
    with pytest.raises(AssertionError, match="0 networks with nothing, of 4"):
        accepted("nothing", 1, tries=1)
