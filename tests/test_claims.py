"""Published figures beside computed ones: how they are read and compared, and those of the zoo."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import archlens
from archlens.analysis import published_figures
from archlens.analysis.published_figures import (
    EQUAL,
    EXPLAINED,
    ROUNDED,
    TRAINED,
    UNEXPLAINED,
    UNVERIFIED,
    PublishedFigure,
    agrees,
)
from archlens.cli import cli
from archlens.forms import text as terminal
from archlens.library import finding as library
from archlens.published import Entry, address, axes, number, percent, sizes
from archlens.views.published_table import table

from .zoo import network

# --- the zoo ---------------------------------------------------------------------------------------

#: How addresses that stay what they are look: an archive's, a package's at its version, a file's in a
#: repository at a commit or at a release. A branch moves on.
STAYS = (
    r"https://arxiv\.org/abs/(\d{4}\.\d{4,5}|[a-z-]+/\d{7})(v\d+)?",
    r"https://doi\.org/10\.\d{4,9}/\S+",
    r"https://pypi\.org/project/[\w.-]+/\d[\w.]*/",
    r"https://github\.com/[\w.-]+/[\w.-]+/(blob|tree|raw|releases/tag)/([0-9a-f]{40}|v?\d+(\.\d+)+)(/\S+)?",
    r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/([0-9a-f]{40}|v?\d+(\.\d+)+)/\S+",
)
MANAGED = re.compile(
    r"https://([\w-]+\.)?(arxiv\.org|doi\.org|pypi\.org|github\.com|githubusercontent\.com)/"
)

#: What is no source: somebody else has to have printed it.
NO_SOURCE = re.compile(r"arithmetic|by hand|write-?ups|memory|archlens", re.IGNORECASE)

#: How many figures of each file are of pages that nobody has seen. One that is looked up leaves.
UNSEEN = {
    "distilbert": 1, "efficientnet_v2": 3, "gpt2": 4, "inception_resnet": 2, "lenet1": 5, "lenet5_1998": 1,
    "overfeat_fast": 4, "qwen2_5": 1, "segnet": 2, "transformer": 2,
}  # fmt: skip


def stays(link: str) -> bool:
    """Whether a link leads to what was read, as far as its form tells; a gist counts as a page."""
    if MANAGED.match(link) and not link.startswith("https://gist.github.com/"):
        return any(re.fullmatch(form, link) for form in STAYS)
    return address(link) == link


@pytest.mark.parametrize(
    "link",
    [
        "",
        "https://arxiv.org/abs/14094842",
        "https://arxiv.org/pdf/1409.4842",
        "https://doi.org/5.726791",
        "https://github.com/pytorch/vision",
        "https://github.com/pytorch/vision/blob/main/README.md",
        "https://github.com/pytorch/vision/blob/master/README.md",
        "https://github.com/pytorch/vision/blob/release/0.28/README.md",
        "https://github.com/pytorch/vision/blob/abc123/README.md",
        "https://raw.githubusercontent.com/pytorch/vision/main/README.md",
        "https://www.github.com/pytorch/vision/blob/main/README.md",
        "https://pypi.org/project/pytorchcv/",
        "http://a.org/page",
    ],
)
def test_a_link_that_does_not_stay(link: str) -> None:
    assert not stays(link)


def wrong(entry: Entry, found: list[published_figures.PublishedFigure]) -> Iterator[str]:
    """What an entry of the zoo lacks."""
    if not stays(entry.link):
        yield f"no link that can be followed: {entry.link or 'none'}"
    if NO_SOURCE.search(entry.source):
        yield "a source that is none"
    if not found:
        yield "no figure"
    yield from (f"nothing is said of {claim.what} {claim.printed}" for claim in found if claim.silent)
    differs = any(claim.verdict in (EXPLAINED, UNEXPLAINED) for claim in found)
    if not differs and not entry.unverified and (entry.note or entry.unexplained):
        yield "an explanation, and nothing differs"


@cache
def claims_of(name: str) -> list[PublishedFigure]:
    return published_figures.find(network(name))


@pytest.mark.slow
def test_every_entry_of_the_zoo() -> None:
    """Each has figures, a source that is one, a link that can be followed, and a word on what differs."""
    problems = []
    for name in archlens.names():
        found = claims_of(name)
        for entry in network(name).meta.published:
            own = [claim for claim in found if claim.entry is entry]
            problems += [f"{name}: {entry.source}: {problem}" for problem in wrong(entry, own)]
    assert problems == []


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{source: S, params: 40}", "no link that can be followed: none"),
        ("{source: Arithmetic of the layers, link: 'https://a.org/', params: 40}", "a source that is none"),
        ("{source: S, link: 'https://a.org/', note: 41 elsewhere}", "no figure"),
        ("{source: S, link: 'https://a.org/', params: 41}", "nothing is said of params 41"),
        ("{source: S, link: 'https://a.org/', params: 40, note: N}", "an explanation, and nothing differs"),
        ("{source: S, link: 'https://a.org/', params: 41, note: N}", None),
        ("{source: S, link: 'https://a.org/', params: 41, unexplained: U}", None),
        ("{source: S, link: 'https://a.org/', params: 41, unverified: U}", None),
    ],
)
def test_what_is_wrong_with_an_entry(entry: str, problem: str | None) -> None:
    network = archlens.loads(f"input: 1x8x8\nlayers: ['conv(4, 3)']\npublished: {entry}")
    found = list(wrong(network.meta.published[0], published_figures.find(network)))
    assert problem in found if problem else found == []


@pytest.mark.slow
def test_what_nobody_has_seen_is_counted() -> None:
    """A file has such figures once, whichever of its variants have them."""
    seen: dict[str, set[Entry]] = {}
    for stem, names in library.families().items():
        entries = [entry for name in names for entry in network(name).meta.published]
        seen[stem] = {entry for entry in entries if entry.unverified}
    figures = {stem: sum(len(entry.figures) for entry in entries) for stem, entries in seen.items()}
    assert {stem: count for stem, count in figures.items() if count} == UNSEEN


# --- figures as they are printed -------------------------------------------------------------------


UNITS = {"k": 10**3, "M": 10**6, "G": 10**9, " Bn": 10**9, " million": 10**6, "x10^9": 10**9}


@given(st.integers(0, 10**13), st.integers(0, 4), st.sampled_from(sorted(UNITS)))
def test_a_figure_that_is_rounded_agrees(computed: int, decimals: int, letter: str) -> None:
    """What Python rounds to some digits is equal to the printed ones; a whole last digit further is not."""
    unit = UNITS[letter]
    printed = round(Decimal(computed) / unit, decimals)
    exact = printed * unit == computed
    assert agrees(f"{printed}{letter}", computed) == (EQUAL if exact else ROUNDED)
    # exactly half way, both neighbours are what it may be rounded to
    half = (Decimal(computed) / unit - printed).scaleb(decimals) == Decimal("0.5")
    further = agrees(f"{printed + Decimal(1).scaleb(-decimals)}{letter}", computed)
    assert further == (ROUNDED if half else "")


@pytest.mark.parametrize(
    ("printed", "computed", "verdict"),
    [
        ("61,706", 61706, EQUAL),
        ("61706", 61706, EQUAL),
        ("61 706", 61706, EQUAL),
        ("61705", 61706, ""),  # a figure without a unit is exact
        ("60000", 60001, ""),  # and its zeros are digits
        ("138M", 138_357_544, ROUNDED),
        ("138 million", 138_357_544, ROUNDED),
        ("138M", 138_000_000, EQUAL),
        ("3.8G", 3_857_973_248, ""),  # cut off, and not rounded
        ("3.9 G", 3_857_973_248, ROUNDED),
        ("1.5B", 1_498_376_192, ROUNDED),
        ("0.39B", 394_999_999, ROUNDED),
        ("18.57 Bn", 18_570_231_808, ROUNDED),
        ("18.56 Bn", 18_570_231_808, ""),
        ("3.8 x 10^9", 3_750_000_000, ROUNDED),  # half way
        ("3.7×10⁹", 3_750_000_000, ROUNDED),
        ("3.8 x 10^9", 3_749_999_999, ""),
        ("3.8e9", 3_800_000_000, EQUAL),
        ("2.5k", 2_499, ROUNDED),
        ("2.50k", 2_494, ""),  # a zero behind the point is a digit, too
    ],
)
def test_agreement(printed: str, computed: int, verdict: str) -> None:
    assert agrees(printed, computed) == verdict


@pytest.mark.parametrize(
    "text",
    ["~4", "", "4.2", "1,5G", "12,34", "1.5Q", "1.5 g", "3.8 x 10^9^9", "²", "٣", "9" * 5000, "1e999", "-3",
     "0." + "9" * 5000 + "k"],
)  # fmt: skip
def test_what_is_no_count(text: str) -> None:
    assert number(text) is None


def test_sizes_axes_and_percentages() -> None:
    assert sizes("28×28×576") == sizes("28 x 28 x 576") == sizes("28X28*576") == (28, 28, 576)
    assert sizes("6@28x28") == (6, 28, 28)
    assert sizes("1x1x1,000") == (1, 1, 1000)
    assert [sizes(text) for text in ("", "28x", "x28", "28x28x", "a", "28 28", "9" * 5000, "-1x2")] == [
        None
    ] * 8
    assert axes("HxW") == ("height", "width")
    assert axes("CxTxHxW") == axes("C×D×H×W") == ("channels", "depth", "height", "width")
    assert axes("LxC") == ("length", "channels")
    assert [axes(text) for text in ("", "HxH", "DxT", "h", "HW", "H x W x")] == [None] * 6
    assert percent("6.67 %") == Decimal("6.67")
    assert [percent(text) for text in ("", "100.01", "6,67", "1e1", "-1", "9" * 5000)] == [None] * 6


@pytest.mark.parametrize(
    ("link", "where"),
    [
        ("arxiv:1409.4842", "https://arxiv.org/abs/1409.4842"),
        ("arxiv:1502.03167v3", "https://arxiv.org/abs/1502.03167v3"),
        ("arxiv:cs.CV/0102001", "https://arxiv.org/abs/cs.CV/0102001"),
        ("doi:10.1109/5.726791", "https://doi.org/10.1109/5.726791"),
        ("https://a.org/b?c=d#e", "https://a.org/b?c=d#e"),
        ("https://en.wikipedia.org/wiki/A_(b)", "https://en.wikipedia.org/wiki/A_(b)"),
        ("arxiv:14094842", None),
        ("arxiv:", None),
        ("doi:5.726791", None),
        ("http://a.org", None),
        ("javascript:alert(1)", None),
        ("https://localhost/x", None),
        ("https://user@a.org/", None),
        ("https://a.org/<script>", None),
        ('https://a.org/"onclick', None),
        ("https://a.org/\u202e", None),
        ("https://a.org/ b", None),
        ("https://a.org/" + "b" * 5000, None),
        ("the paper", None),
        ("", None),
    ],
)
def test_links(link: str, where: str | None) -> None:
    assert address(link) == where


# --- how they compare ------------------------------------------------------------------------------

SPEC = """
title: Small
paper: {authors: Who, title: On Networks, year: 2001, arxiv: "0101.00001"}
input: 3x32x32
layers:
  - stage1:
      - conv1: conv(8, 3, padding=1)
      - pool: max_pool(2)
  - stage10:
      - conv2: conv(4, (3, 1), padding=(1, 0))
  - global_avg_pool
  - flatten
  - fc: linear(10)
published:
  - source: On Networks, Table 1
    link: paper
    params: 374
    macs: 245800
    flops: 491.6 k
    receptive_field: 8x4
    top1: 76.1
  - source: On Networks, Table 2
    link: paper
    axes: HxWxC
    params: {stage1: 224, stage1.conv1: 0.2k, stage10: 100}
    macs: {stage1: 221.2 thousand, fc: 40}
    flops: {stage10: 49 152}
    shapes: {input: 32x32x3, stage1: 16×16×8, stage10: 16 x 16 x 4, fc: 1x1x10}
    receptive_field: {stage1.conv1: 3, stage1: 4x4, stage10.conv2: 8}
  - source: On Networks, Figure 3
    axes: HxW
    shapes: {stage1.conv1: 32x32, stage10: 16x8}
    note: it shows the width after the crop
  - source: elsewhere
    params: 0.5k
    unexplained: they count something else as well
  - source: from memory
    link: https://a.org/table
    params: 374
    top5_error: 7
    unverified: the page is gone
"""


def test_every_kind_of_figure() -> None:
    """By hand: conv1 has 3*3*3*8 + 8 = 224 parameters and 216*32*32 = 221,184 products; conv2 8*3*4 + 4 = 100
    and 96*16*16 = 24,576; fc 4*10 + 10 = 50 and 40. Together 374 and 245,800, and twice that 491,600. The
    pool sees 3 + 1 = 4; conv2, at a stride of 2, 4 + 2*2 = 8 high and 4 wide.
    """
    found = published_figures.find(archlens.loads(SPEC))
    assert [(claim.what, claim.printed, claim.computed, claim.verdict) for claim in found] == [
        ("params", "374", "374", EQUAL),
        ("macs", "245800", "245,800", EQUAL),
        ("FLOPs", "491.6 k", "491,600", EQUAL),
        ("receptive field", "8x4", "8x4", EQUAL),
        ("top-1", "76.1", "", TRAINED),
        ("params of stage1", "224", "224", EQUAL),
        ("params of stage1.conv1", "0.2k", "224", ROUNDED),
        ("params of stage10", "100", "100", EQUAL),
        ("macs of stage1", "221.2 thousand", "221,184", ROUNDED),
        ("macs of fc", "40", "40", EQUAL),
        ("FLOPs of stage10", "49 152", "49,152", EQUAL),
        ("shape of input", "32x32x3", "32x32x3", EQUAL),
        ("shape of stage1", "16×16×8", "16x16x8", EQUAL),
        ("shape of stage10", "16 x 16 x 4", "16x16x4", EQUAL),
        ("shape of fc", "1x1x10", "1x1x10", EQUAL),
        ("receptive field of stage1.conv1", "3", "3", EQUAL),
        ("receptive field of stage1", "4x4", "4x4", EQUAL),
        ("receptive field of stage10.conv2", "8", "8x4", UNEXPLAINED),
        ("shape of stage1.conv1", "32x32", "32x32", EQUAL),
        ("shape of stage10", "16x8", "16x16", EXPLAINED),
        ("params", "0.5k", "374", UNEXPLAINED),
        ("params", "374", "374", UNVERIFIED),
        ("top-5 error", "7", "", UNVERIFIED),
    ]
    assert [claim.what for claim in found if claim.silent] == ["receptive field of stage10.conv2"]
    assert {claim.entry.source: claim.entry.link for claim in found} == {
        "On Networks, Table 1": "https://arxiv.org/abs/0101.00001",
        "On Networks, Table 2": "https://arxiv.org/abs/0101.00001",
        "On Networks, Figure 3": "",
        "elsewhere": "",
        "from memory": "https://a.org/table",
    }


@pytest.mark.parametrize(
    ("spec", "order", "shapes"),
    [
        ("input: 2x9\nlayers: [a: 'conv(5, 3)']", "LxC", "{a: 7x5}"),
        ("input: 2x4x9x8\nlayers: [a: 'conv(5, (1, 3, 3))']", "TxHxWxC", "{a: 4x7x6x5}"),
        ("input: 2x4x9x8\nlayers: [a: 'conv(5, (1, 3, 3))']", "WxD", "{a: 6x4}"),
        ("input: 2x9x8\nlayers: [a: 'conv(5, 3)', t: tokens]", "CxL", "{t: 5x42}"),
        ("input: '7'\nlayers: [a: linear(5)]", "HxWxC", "{a: 1x1x5}"),
        ("input: '7'\nlayers: [a: linear(5)]", "C", "{a: 5}"),
    ],
)
def test_shapes_are_compared_in_the_order_printed(spec: str, order: str, shapes: str) -> None:
    """A map of CxHxW, a sequence, a volume, tokens with their channels last, a vector."""
    text = f"{spec}\npublished: {{source: S, axes: {order}, shapes: {shapes}}}"
    assert [claim.verdict for claim in published_figures.find(archlens.loads(text))] == [EQUAL]
    other = text.replace("5", "6", 1) if "C" in order else text.replace("6x4", "4x6")
    assert [claim.verdict for claim in published_figures.find(archlens.loads(other))] == [UNEXPLAINED]


def test_a_variant_is_published_where_its_file_is() -> None:
    text = """
paper: {title: A, arxiv: "0101.00001"}
input: 3x8x8
layers: [relu]
variants:
  one: {published: {source: S, link: paper, params: 0}}
  two: {published: {source: S, link: paper, params: 0}, paper: {title: B, doi: doi:10.1000/182}}
  three: {published: {source: S, link: paper, params: 0}, paper: {title: C, url: https://c.org/}}
"""
    found = [archlens.loads(text, variant=name) for name in ("one", "two", "three")]
    assert [network.meta.published[0].link for network in found] == [
        "https://arxiv.org/abs/0101.00001", "https://doi.org/10.1000/182", "https://c.org/",
    ]  # fmt: skip


# --- how that is shown -----------------------------------------------------------------------------


def test_command(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    runner = CliRunner()
    result = runner.invoke(cli, ["claims", str(path)], env={"COLUMNS": "100"})
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[3:5] == ["On Networks, Table 1", "https://arxiv.org/abs/0101.00001"]
    assert lines.count("On Networks, Table 2") == 1
    assert "DIFFERENT, unexplained" in result.output
    assert "Different: no reason is given." in result.output
    assert "  Different: it shows the width after the crop." in lines
    assert "  Unexplained: they count something else as well." in lines
    assert lines.count("  Not verified: the page is gone.") == 1  # of both figures
    assert " ".join(lines[lines.index("") :]).strip() == (
        "23 published figures: 15 equal, 2 equal to the printed digits, 1 different and explained, "
        "2 different and unexplained, 1 that depends on training, 2 not verified; for 1 of them no reason "
        "is given."
    )
    path.write_text(SPEC.replace(", stage10.conv2: 8}", "}"))
    assert runner.invoke(cli, ["claims", str(path)]).exit_code == 0
    data = json.loads(runner.invoke(cli, ["claims", str(path), "--format", "json"]).output)
    assert data["schema"] == "archlens.claims/2"
    first, last = data["networks"][0]["claims"][0], data["networks"][0]["claims"][-1]
    assert first == {
        "what": "params", "printed": "374", "computed": "374", "verdict": "equal",
        "source": "On Networks, Table 1", "link": "https://arxiv.org/abs/0101.00001", "remark": "",
        "silent": False,
    }  # fmt: skip
    assert (last["computed"], last["verdict"], last["remark"]) == (None, "not verified", "the page is gone")
    result = runner.invoke(cli, ["claims", str(path), "--format", "markdown"])
    said = " ".join(result.output.split())
    assert (
        "| small | params | 374 | 374 | equal | [On Networks, Table 1](https://arxiv.org/abs/0101.00001) |"
        in said
    )
    assert "- small, shape of stage10 16x8. Different: it shows the width after the crop." in said


def test_a_figure_of_a_layer_that_is_not_there(tmp_path: Path) -> None:
    """No network fits such a spec; a prefix of a name is no scope."""
    path = tmp_path / "small.yaml"
    path.write_text(SPEC.replace("{stage10: 49 152}", "{stage: 49 152}"))
    for form in ("table", "markdown", "json"):
        result = CliRunner().invoke(cli, ["claims", str(path), "--format", form])
        assert (result.exit_code, result.stdout) == (1, "")
        assert "a figure for stage, but small has no such layer or scope" in str(result.exception)
    assert archlens.load(str(path)).params == 374  # it is no worse a network


def test_a_field_of_everything() -> None:
    spec = "input: 3x8x8\nlayers: [{gate: [global_avg_pool, sigmoid]}, {b: relu}]"
    network = archlens.loads(f"{spec}\npublished: {{source: S, receptive_field: {{b: 8}}, note: cut}}")
    (claim,) = published_figures.find(network)
    assert (claim.computed, claim.verdict) == ("everywhere", EXPLAINED)


@pytest.mark.slow
def test_many_figures_of_one_scope_take_no_longer() -> None:
    """Of a scope of 2,000 layers, 5,000 entries: each is counted once."""
    entry = "{source: S, params: {a: 4}, flops: {a: 4}, receptive_field: 3, note: n}"
    entries = ", ".join([entry] * 5000)
    network = archlens.loads(f"input: 1x8x8\nlayers: [a: 'conv(1, 1) * 2000']\npublished: [{entries}]")
    found = published_figures.find(network)
    assert len(found) == 15000
    assert (found[0].computed, found[1].computed) == ("4,000", f"{2 * 2000 * 64:,}")


@pytest.mark.slow
def test_at_80_columns_nothing_is_cut() -> None:
    """Sources and remarks are wrapped between words; what is longer is a link, which leads nowhere if cut."""
    for name in archlens.names():
        found = claims_of(name)
        lines = terminal.write(table([(network(name).name, found)]), 80).splitlines()
        links = {claim.entry.link for claim in found}
        assert [line for line in lines if len(line) > 80 and line not in links] == [], name
        words = " ".join(word for line in lines for word in line.split())
        for claim in found:
            assert claim.entry.source in words, name
            assert " ".join(claim.remark.split()).rstrip(".") in words, name


def test_a_path_that_is_longer_than_the_terminal_is_not_cut() -> None:
    path = "a/" * 30 + "table-of-figures.md"
    spec = f"input: 3x8x8\nlayers: [relu]\npublished: {{source: The file {path}, params: 0}}"
    network = archlens.loads(spec)
    assert path in terminal.write(table([(network.name, published_figures.find(network))]), 40).splitlines()


def test_standard_output_is_fitted_and_a_file_is_not(tmp_path: Path) -> None:
    """``-o -`` is the standard output: its table keeps to the columns, as it does without ``-o``."""
    spec, file = tmp_path / "small.yaml", tmp_path / "claims.txt"
    spec.write_text(SPEC.replace(", stage10.conv2: 8}", "}"))

    def claims_to(*output: str) -> str:
        return CliRunner().invoke(cli, ["claims", str(spec), *output], env={"COLUMNS": "60"}).output

    assert max(map(len, claims_to().splitlines())) <= 60
    assert claims_to("-o", "-") == claims_to()
    assert claims_to("-o", str(file)) == ""
    assert max(map(len, file.read_text().splitlines())) > 60


def test_usage() -> None:
    runner = CliRunner()
    assert runner.invoke(cli, ["claims"]).exit_code != 0
    assert runner.invoke(cli, ["claims", "lenet5", "--all"]).exit_code != 0


def test_a_spec_without_figures_says_so(tmp_path: Path) -> None:
    path = tmp_path / "bare.yaml"
    path.write_text("input: 12\nlayers: [relu]\n")
    result = CliRunner().invoke(cli, ["claims", str(path)])
    assert result.exit_code == 0
    assert "No figure is published of bare." in result.output
