"""Ops whose cost nobody knows: what is known of them is a fact, and nothing counts the rest as zero."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import archlens
from archlens import Builder, Network, SpecError, UsageError, dialects
from archlens.analysis import comparison, difference, receptive_field
from archlens.analysis.cost import cost
from archlens.analysis.figures import Unknown
from archlens.analysis.study import Study
from archlens.budgets.project import parse_limits
from archlens.budgets.verdict import judge, measure_all
from archlens.cli import cli
from archlens.counts import AtLeast, dumps
from archlens.drawing import to_svg
from archlens.ops import NonUniform
from archlens.ops.opaque import Opaque
from archlens.shape import Shape
from archlens.testing import assert_budget


def network() -> Network:
    """A convolution of 16 * 4 * 9 = 576 MACs and 40 parameters, then what nobody knows, with 12 weights."""
    net = Builder("half", "1x6x6")
    x = net.conv(4, 3, name="known")
    op = Opaque("my.op", Shape((4, 2, 2)), (x.shape,), reason="it is written in CUDA", weights={"w": (4, 3)})
    net.place(op, x, name="odd")
    return net.network()


# --- the number -----------------------------------------------------------------------------------------


def test_it_spreads_through_sums_and_products() -> None:
    one = AtLeast(5, "why")
    for found, known in [
        (one + 1, 6), (1 + one, 6), (sum([1, one, 2]), 8), (one * 3, 15), (3 * one, 15), (one // 2, 2),
        (one + one, 10), (one - 2, 3), (2 - one, -3), (-one, -5),
    ]:  # fmt: skip
        assert isinstance(found, AtLeast), known
        assert (int(found), found.why) == (known, "why")
    again = pickle.loads(pickle.dumps(one))
    assert (type(again), int(again), again.why) == (AtLeast, 5, "why")


def test_how_it_is_said() -> None:
    assert f"{AtLeast(1234):,}" == str(AtLeast(1234) + 0).replace("1234", "1,234") == "at least 1,234"
    assert f"{AtLeast(0):,}" == f"{AtLeast(7) - 7:,}" == f"{9 - AtLeast(7):+,}" == "unknown"
    assert AtLeast(0)  # it may be more than nothing
    assert json.loads(dumps({"a": [AtLeast(3, "b"), 1], "c": 5 - AtLeast(1, "d")})) == {
        "a": [{"at_least": 3, "why": "b"}, 1],
        "c": {"at_least": None, "why": "d"},
    }


# --- a network with it ----------------------------------------------------------------------------------


def test_what_is_known_is_a_fact() -> None:
    found = network()
    assert found.output == (4, 2, 2)
    assert found.params == 40 + 12
    assert found.state()["odd.w"] == (4, 3)
    assert found.unknown == {"odd": "it is written in CUDA"}
    assert repr(found) == "<Network half: 1x6x6 -> 4x2x2, 2 layers, 52 params, at least 576 MACs>"
    seen = receptive_field.find(found)
    assert seen["known"][0].size == 3  # type: ignore[index]
    assert seen["odd"] == NonUniform("odd: it is written in CUDA")


def test_on_another_input_its_output_is_not_known() -> None:
    with pytest.raises(SpecError, match=r"what comes out of my\.op is known on 4x4x4 only"):
        network().with_input("1x9x9")
    assert network().with_input("1x6x6").macs == 576


def test_no_view_counts_it_as_zero() -> None:
    from archlens.forms import forms
    from archlens.forms import text as terminal
    from archlens.views import comparison_table as compared
    from archlens.views import cost_table as costs
    from archlens.views import difference_table as differences
    from archlens.views import json as json_view
    from archlens.views import shapes_table
    from archlens.views.rows import rows_of

    found = network()
    text = terminal.write(shapes_table.table(found, rows_of(found)))
    assert "at least 576 MACs" in text.splitlines()[0]
    assert "The cost of odd is unknown: it is written in CUDA." in text
    row = next(line for line in text.splitlines() if line.startswith("odd"))
    assert row.endswith("unknown")
    total = next(line for line in text.splitlines() if line.startswith("total"))
    assert total.endswith("at least 576")
    data = json.loads(json_view.to_json(archlens.study(found)))
    assert data["totals"]["macs"] == {"at_least": 576, "why": "it is written in CUDA"}
    assert data["layers"][1]["macs"] == {"at_least": 0, "why": "it is written in CUDA"}
    assert "at least 576" in terminal.write(costs.table(cost(found)))
    assert "at least 576" in terminal.write(compared.table([comparison.find(archlens.study(found))]))
    known = replace(found, layers=found.layers[:1], outputs={"out": "known"})
    totals = differences.totals(Study(known), Study(found))
    shown = differences.table(difference.find(known, found), totals, names=("a", "b"))
    assert "unknown" in terminal.write(shown)
    made = costs.table(cost(found))
    for name, said in {
        "markdown": "at least 576",
        "csv": "unknown",
        "html": "at least 576",
        "latex": "at least 576",
    }.items():
        assert said in forms()[name].write(made), name


@pytest.mark.parametrize(
    ("limit", "held"),
    [
        ("<= 1k", False),
        ("<= 500", False),
        (">= 500", True),
        (">= 577", False),
        ("500..600", False),
        ("== 576", False),
    ],
)
def test_no_limit_holds_by_it(limit: str, held: bool) -> None:
    """576 are known: what is at least so much is above 500, and may be anything above."""
    (verdict,) = judge(Study(network()), parse_limits([("macs", limit)]))
    assert verdict.held is held
    assert isinstance(verdict.value, Unknown) == (limit in ("<= 1k", ">= 577", "500..600", "== 576"))


def test_no_limit_on_the_memory_of_training_holds_by_it() -> None:
    """Nobody says what it keeps for its gradient, so that the bytes of all else are the least."""
    (verdict,) = judge(Study(network()), parse_limits([("training_memory", "<= 1G")]))
    assert not verdict.held
    assert isinstance(verdict.value, Unknown)
    assert "it is not stated what odd keeps" in verdict.value.reason


def test_shares_and_locks_of_it() -> None:
    (verdict,) = judge(Study(network()), parse_limits([("macs", "<= 50 %")], "known"))
    assert not verdict.held
    assert isinstance(measure_all(Study(network()))["macs"], Unknown)
    with pytest.raises(AssertionError, match="it is written in CUDA"):
        assert_budget(network(), macs="<= 1M")


def test_it_is_neither_built_nor_written() -> None:
    from archlens.source import emit

    with pytest.raises(UsageError, match=r"half cannot be built: odd \(my\.op\) is opaque") as caught:
        archlens.build(network())
    assert "= it is written in CUDA" in str(caught.value)
    with pytest.raises(UsageError, match=r"half cannot be written as source: odd \(my\.op\) is opaque"):
        emit(network())


@pytest.mark.slow
def test_it_is_drawn_and_has_a_page(tmp_path: Path) -> None:
    from archlens.reporting import page
    from archlens.reporting.material import Material

    files = page(Material(archlens.study(network())), "markdown", made="archlens report half")
    text = "".join(str(file) for file in files)
    assert "at least 576" in text
    assert "my.op" in text


def test_weights_of_unknown_size_have_at_least_these_bytes() -> None:
    """A convolution of 112 weights, and a layer of which nobody knows what it has."""
    net = archlens.Builder("half", "3x8x8")
    net.conv(net.x, 4, 3)
    shape = net.x.shape
    net.place(Opaque("mine", shape, (shape,), weights={"": (AtLeast(0, "who knows"),)}, reason="who knows"))
    from archlens.forms import text as terminal
    from archlens.views import memory_table

    found = archlens.study(net.network())
    weights = found.memory().weights
    assert (f"{weights['float32']:,}", f"{weights['int4']:,}") == ("at least 448", "at least 56")
    shown = terminal.write(memory_table.table(found.network, found.memory()))
    assert "unknown B" not in shown
    assert "at least 448 B" in shown


def test_a_difference_of_unknown_counts_has_no_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [network(), archlens.load("lenet5")]
    monkeypatch.setattr(dialects, "network", lambda meant, **_: made.pop())
    said = CliRunner().invoke(cli, ["diff", "lenet5", "alexnet"]).output
    assert re.search(r"^MACs +416,520 +at least 576 +unknown$", said, re.MULTILINE), said


def test_a_profile_of_what_is_unknown_throughout() -> None:
    net = Builder("dark", "1x6x6")
    net.place(Opaque("my.op", Shape((1, 6, 6)), (Shape((1, 6, 6)),)), net.x, name="odd")
    assert "odd" in to_svg(net.network(), style="profile")
