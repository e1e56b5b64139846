"""The page of ``archlens explore`` in a real Chromium: what is seen, and what a hand, a key and a finger do.

They are skipped where no browser is found; that a page is accessible is tested where axe is there, too.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from . import browser
from .running import run
from .test_explorer import FIVE, WEB, compared, hostile, page
from .zoo import network

pytestmark = pytest.mark.skipif(browser.found() is None, reason=browser.MISSING)

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"


#: Networks of ten families, with the files of the zoo in which they stand.
FAMILIES = {
    "lenet5": "lenet5", "alexnet": "alexnet", "nin_cifar10": "nin", "lenet1": "lenet1", "lenet4": "lenet4",
    "m5": "m5", "vgg16": "vgg", "vgg11": "vgg", "googlenet": "googlenet", "resnet50": "resnet",
    "resnet18": "resnet", "squeezenet1_0": "squeezenet",
}  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the five."""
    folder = tmp_path_factory.mktemp("explorer")
    page(folder, *FIVE)
    return folder / "explorer.html"


@pytest.fixture(scope="module")
def opened() -> Iterator[browser.Page]:
    with browser.opened() as tab:
        yield tab


@pytest.fixture
def tab(opened: browser.Page) -> Iterator[browser.Page]:
    """A page on which, in the end, nothing has gone wrong and nothing been asked for."""
    opened.problems.clear()
    opened.size(1280)
    yield opened
    assert opened.problems == []
    assert [url for url in opened.requests if not url.startswith(("file:", "about:", "blob:"))] == []


BARS = """[...document.querySelectorAll(".row")].map(row => ({
  name: row.dataset.name, value: row.dataset.value ?? null,
  wide: row.querySelector(".bar")?.getBoundingClientRect().width ?? null,
  label: row.querySelector(".label")?.textContent ?? null,
  why: row.querySelector("title").textContent,
  stub: row.querySelector(".stub") !== null,
}))"""


@pytest.mark.parametrize(("width", "dark"), [(390, False), (768, True), (1280, False)])
def test_bars_and_labels_are_those_of_compare(tab: browser.Page, here: Path, width: int, dark: bool) -> None:
    tab.size(width, dark=dark, touch=width < 500)
    records = {one["name"]: one for one in compared(*FIVE)}
    metrics = ("depth", "params", "macs", "top1", "top5", "year", "peak_activations", "memory")
    for key in (*metrics, "receptive_field"):
        tab.open(here, f"metric={key}")
        bars = tab.run(BARS)
        assert {one["name"] for one in bars} == {*FIVE}
        longest = 0.0
        for one in bars:
            told = records[one["name"]][key]
            told = told["percent"] if isinstance(told, dict) else told
            if told is None:
                assert one["stub"]
                assert one["wide"] is None
                assert records[one["name"]]["reasons"][key] in one["why"]
                continue
            value = max(told) if isinstance(told, list) else told
            assert float(one["value"]) == value
            spelled = "x".join(map(str, told)) if isinstance(told, list) else f"{told:,}"
            spelled = str(told) if key == "year" else spelled
            label = one["label"].removesuffix(" B").removesuffix(" %")
            assert label == spelled or (key in ("top1", "top5") and float(label) == told)
            longest = max(longest, one["wide"])
        shown = [one for one in bars if one["wide"] is not None]
        assert longest > width * 0.2
        if key != "year":  # which has no zero
            for one in shown:
                least = 1.0 if float(one["value"]) else 0.0
                most = max(float(other["value"]) for other in shown)
                top = max(other["wide"] for other in shown)
                assert one["wide"] == pytest.approx(max(float(one["value"]) / most * top, least), abs=0.6)
        values = [float(one["value"]) for one in shown]
        assert values == sorted(values, reverse=True)
        right = tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert right, f"{key} is wider than {width} px"


def test_a_logarithmic_axis_has_equal_steps_for_equal_factors(tab: browser.Page, here: Path) -> None:
    from math import log10

    tab.open(here, "metric=macs&scale=log&set=all")
    bars = sorted((float(one["value"]), one["wide"]) for one in tab.run(BARS))
    slopes = [(b[1] - a[1]) / (log10(b[0]) - log10(a[0])) for a, b in pairwise(bars)]
    assert slopes == pytest.approx([slopes[0]] * len(slopes), rel=0.02)


def test_a_click_a_key_and_a_finger_say_all_of_a_network(tab: browser.Page, here: Path) -> None:
    title = 'document.querySelector(".details h2")?.textContent'
    tab.open(here)
    tab.click('.row[data-name="vgg16"]')
    assert tab.run(title) == network("vgg16").title
    said = tab.run('document.querySelector(".details").textContent')
    meta = network("vgg16").meta
    assert " ".join(meta.summary.split()) in said
    assert meta.papers[0]["title"] in said
    assert f"{network('vgg16').params:,}" in said
    assert "torchvision" in said  # where its accuracy is from
    assert tab.run('document.querySelector(".details svg.picture") !== null')
    tab.press('.row[data-name="lenet5"]')
    assert tab.run(title) == network("lenet5").title
    assert "its spec has no published accuracy" in tab.run('document.querySelector(".details").textContent')
    tab.click(".close")
    assert tab.run(title) is None
    tab.size(390, 844, touch=True)
    tab.open(here)
    tab.tap('.row[data-name="googlenet"]')
    assert tab.run(title) == network("googlenet").title


def test_two_are_put_side_by_side_with_what_changed_drawn(tab: browser.Page, here: Path) -> None:
    tab.open(here)
    tab.click('.row[data-name="alexnet"]')
    tab.click('.row[data-name="vgg16"]', shift=True)
    cells = (
        """[...document.querySelectorAll('.beside tr[data-metric="params"] td')].map(c => c.textContent)"""
    )
    a, b = network("alexnet").params, network("vgg16").params
    first, second, change = tab.run(cells)
    assert (first, second) == (f"{a:,}", f"{b:,}")
    assert change.startswith(f"+{b - a:,} (×2.26")
    assert tab.run('document.querySelector(".drawn svg rect") !== null')
    command = tab.run('document.querySelector(".command code").textContent')
    assert command == "archlens diff alexnet vgg16 -o diff.svg"


def taken_out(tab: browser.Page, folder: Path, *names: str) -> None:
    """Click buttons that save, into a folder."""
    tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    for name in names:
        tab.run(
            f'[...document.querySelectorAll(".foot button")].find(b => b.textContent === "{name}").click()'
        )


def until_there(tab: browser.Page, folder: Path, wanted: set[str]) -> None:
    """Wait for files that are saved."""
    for _ in range(200):
        if {path.name for path in folder.iterdir()} == wanted:
            break
        tab.run("new Promise(then => setTimeout(then, 20))")
    assert {path.name for path in folder.iterdir()} == wanted


CHANGES = """(() => {
  const count = kind => [...document.querySelectorAll(`.changes g.${kind}`)].length;
  return {
    summary: document.querySelector(".beside section p[role=status]").textContent,
    boxes: Object.fromEntries(["added", "removed", "altered", "affected", "same"].map(k => [k, count(k)])),
    names: [...document.querySelectorAll(".changes .called")].map(e => e.textContent),
    high: document.querySelector(".changes").getBoundingClientRect().height,
    wide: document.querySelector(".changes").getBoundingClientRect().width <= innerWidth,
    outside: [...document.querySelectorAll(".changes text")].filter(text => {
      const box = text.closest("g")?.querySelector("rect"), own = text.getBBox(), around = box?.getBBox();
      if (!box || around.width < 20) return false;
      const [right, low] = [around.x + around.width, around.y + around.height];
      return own.x < around.x - 1 || own.x + own.width > right + 1 || own.y + own.height > low + 3;
    }).map(text => text.textContent),
    notes: document.querySelector(".beside section").lastChild.textContent,
  };
})()"""


@pytest.mark.parametrize(("width", "dark"), [(390, True), (768, False), (1280, False)])
def test_any_two_are_aligned_as_the_command_aligns_them(
    tab: browser.Page, here: Path, width: int, dark: bool
) -> None:
    tab.size(width, dark=dark)
    for old, new in permutations(FIVE, 2):
        told = json.loads(run("diff", old, new, "--format", "json").stdout)
        tab.open(here, f"view=beside&net={old}&with={new}")
        found = tab.run(CHANGES)
        kinds = Counter(one["change"] for one in told["changes"])
        for kind, count in kinds.items():
            assert f"{count:,} {kind}" in found["summary"]
        assert f"{told['unchanged']:,} layer" in found["summary"]
        # of what is added or removed scopes are one box, and what repeats is drawn once
        for kind in ("added", "removed"):
            assert bool(found["boxes"][kind]) == bool(kinds[kind])
            assert found["boxes"][kind] <= kinds[kind] + 1  # and that of the key
        assert found["names"] == [network(old).title, network(new).title]
        assert all(f"{said[0].upper()}{said[1:]}." in found["notes"] for said in told["boundary"])
        assert found["outside"] == []
        assert found["wide"]
        assert f"archlens diff {old} {new}" in found["notes"]
    tab.open(here, "view=beside&net=vgg16&with=vgg16")
    assert tab.run('document.querySelector(".changes")') is None


def test_long_names_are_broken_at_their_dots(tab: browser.Page, here: Path) -> None:
    tab.size(390)
    tab.open(here, "view=beside&net=resnet50&with=googlenet")
    lines = """[...document.querySelectorAll(".changes g.altered, .changes g.added, .changes g.affected")]
      .map(box => [...box.querySelectorAll("text:not(.sign)")].map(text => text.textContent).join(""))"""
    assert any("inception4a.branch2.1.conv" in said for said in tab.run(lines))


def test_a_difference_follows_the_width_and_can_be_taken_out(
    tab: browser.Page, here: Path, tmp_path: Path
) -> None:
    tab.open(here, "view=beside&net=googlenet&with=resnet50")
    one = tab.run(CHANGES)
    tab.size(600)
    tab.settle()
    other = tab.run(CHANGES)
    assert other["high"] > one["high"]
    assert (other["summary"], other["boxes"]) == (one["summary"], one["boxes"])
    taken_out(tab, tmp_path, "SVG")
    until_there(tab, tmp_path, {"beside.svg"})
    text = (tmp_path / "beside.svg").read_text("utf-8")
    parsed = fromstring(text)
    fills = {e.get("fill") for e in parsed.iter("{http://www.w3.org/2000/svg}rect")}
    assert len(fills) >= 5  # the ground, and a colour of each kind
    assert not [e for e in parsed.iter() if e.get("class") or e.get("style")]


def test_the_order_and_the_link_that_restores_it(tab: browser.Page, here: Path) -> None:
    names = 'JSON.stringify([...document.querySelectorAll(".row")].map(row => row.dataset.name))'
    tab.open(here)
    tab.click('[aria-label="Sort by"] [data-value="name"]')
    assert json.loads(tab.run(names)) == sorted(FIVE)
    tab.click('[aria-label="Sort by"] [data-value="year"]')
    tab.click('[aria-label="Figure"] [data-value="depth"]')
    tab.click('.row[data-name="resnet50"]')
    order = json.loads(tab.run(names))
    years = [int(network(name).meta.year) for name in order]
    assert years == sorted(years)
    fragment = tab.run("location.hash")
    tab.open(here, fragment.removeprefix("#"))
    assert json.loads(tab.run(names)) == order
    assert tab.run('document.querySelector(".details h2").textContent') == network("resnet50").title
    assert tab.run('document.querySelector("[data-value=depth]").getAttribute("aria-pressed")') == "true"


def test_back_leads_to_what_was_shown(tab: browser.Page, here: Path) -> None:
    tab.open(here)
    tab.click('nav [data-view="table"]')
    assert tab.run('document.querySelector(".stage table") !== null')
    tab.run("new Promise(then => { addEventListener('popstate', () => then(0)); history.back() })")
    assert tab.run('document.querySelectorAll(".row").length') == 5


def test_the_chart_has_what_is_known_and_its_front(tab: browser.Page, here: Path) -> None:
    tab.open(here, "view=scatter&front=1")
    shown = tab.run('[...document.querySelectorAll(".bubble")].map(one => one.dataset.name)')
    assert {*shown} == {*FIVE} - {"lenet5"}  # of which no accuracy is known
    assert "is unknown: LeNet-5." in tab.run('document.querySelector(".stage").textContent')
    assert tab.run('document.querySelector(".front").points.length') == 3  # VGG-16 takes more and is worse
    tab.open(here, "view=scatter&x=year&y=params&area=none")
    assert len(tab.run('[...document.querySelectorAll(".bubble")].map(one => one.dataset.name)')) == 5


def test_the_chart_says_whose_its_colours_are(tab: browser.Page, here: Path, tmp_path: Path) -> None:
    """Each family that has one of its own; of many those with most networks, and all others as one."""
    hue = 'querySelector(".disc").classList[1]'
    keys = f'[...document.querySelectorAll(".hues > g")].map(one => [one.{hue}, one.textContent])'
    discs = f'[...document.querySelectorAll(".chart .bubble")].map(one => [one.{hue}, one.dataset.name])'
    tab.open(here, "view=scatter&x=year&y=params&area=none")
    assert sorted(tab.run(keys)) == sorted([one, FAMILIES[name]] for one, name in tab.run(discs))
    page(tmp_path, *FAMILIES)
    tab.open(tmp_path / "explorer.html", "view=scatter&set=all&x=year&y=params&area=none")
    hues = dict(tab.run(keys))
    assert hues.pop("hue7") == "other families"
    assert len(hues) == 7
    assert {"vgg", "resnet"} < {*hues.values()}  # of which there are two each
    assert all(FAMILIES[name] == hues.get(one, FAMILIES[name]) for one, name in tab.run(discs))
    assert {FAMILIES[name] for one, name in tab.run(discs) if one == "hue7"}.isdisjoint(hues.values())


@pytest.mark.parametrize("width", [390, 1280])
def test_the_key_of_the_colours_is_in_the_picture(
    tab: browser.Page, here: Path, tmp_path: Path, width: int
) -> None:
    """On the page below the plot, a mark beside its text none over another, and in what is saved."""
    page(tmp_path, *FAMILIES)
    tab.size(width)
    tab.open(tmp_path / "explorer.html", "view=scatter&set=all&x=year&y=params&area=none")
    boxes = tab.run(
        '[...document.querySelectorAll(".hues > g")].map(one => {'
        "const r = one.getBoundingClientRect(); return [one.textContent, r.left, r.top, r.right, r.bottom] })"
    )
    ground = tab.run(
        '(r => [r.left, r.right, r.bottom])(document.querySelector(".chart").getBoundingClientRect())'
    )
    axis = tab.run(
        'Math.max(...[...document.querySelectorAll(".axis")].map(e => e.getBoundingClientRect().bottom))'
    )
    assert len(boxes) == 8
    for text, left, top, right, bottom in boxes:
        assert ground[0] <= left < right <= ground[1], text
        assert axis <= top < bottom <= ground[2], text
    for (one, *a), (other, *b) in permutations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (one, other)
    saved = tmp_path / "saved"
    saved.mkdir()
    taken_out(tab, saved, "SVG")
    until_there(tab, saved, {"scatter.svg"})
    root = fromstring((saved / "scatter.svg").read_text("utf-8"))
    texts = [*root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"other families", "vgg", "resnet"} < {one.text for one in texts}
    assert {one[0] for one in boxes} <= {one.text for one in texts}


def test_the_table_has_no_column_that_says_what_another_says(tab: browser.Page, here: Path) -> None:
    """Those of experts, which none of these has; and the names stay where figures are moved."""
    tab.open(here, "view=table")
    heads = tab.run('[...document.querySelectorAll(".figures thead th")].map(one => one.textContent)')
    assert heads[:4] == ["network", "depth", "parameters", "MACs"]
    assert not {"active parameters", "total multiply-accumulates"} & {*heads}
    tab.size(390)
    tab.run('document.querySelector(".stage .wide").scrollLeft = 200')
    left = 'document.querySelector(".figures tbody th").getBoundingClientRect().left'
    assert tab.run(left) == tab.run('document.querySelector(".stage .wide").getBoundingClientRect().left')
    tab.open(here, "view=beside&net=resnet50&with=vgg16")
    rows = tab.run('[...document.querySelectorAll("tbody th")].map(one => one.textContent)')
    assert "MACs" in rows
    assert "active parameters" not in rows


def test_a_head_orders_the_table_by_its_column(tab: browser.Page, here: Path) -> None:
    names = '[...document.querySelectorAll(".figures tbody th")].map(one => one.textContent)'
    heads = '[...document.querySelectorAll(".figures th[aria-sort]")]'
    ordered = f"{heads}.map(one => [one.textContent, one.ariaSort]).flat()"
    tab.open(here, "view=table")
    by_params = sorted(FIVE, key=lambda name: -network(name).params)
    assert tab.run(names) == [network(name).title for name in by_params]
    assert tab.run(ordered) == ["parameters", "descending"]
    tab.press('.figures thead [data-keep="sort MACs"]')
    by_macs = sorted(FIVE, key=lambda name: -network(name).macs)
    assert by_macs != by_params
    assert tab.run(names) == [network(name).title for name in by_macs]
    assert tab.run(ordered) == ["MACs", "descending"]
    assert tab.run("document.activeElement.textContent") == "MACs"  # and a further key goes on from there
    tab.click('.figures thead [data-keep="sort network"]')
    assert tab.run(names) == [network(name).title for name in sorted(FIVE)]
    assert tab.run(ordered) == ["network", "ascending"]


def test_a_key_leaves_the_focus_where_it_was(tab: browser.Page, here: Path) -> None:
    tab.open(here)
    for selector in ('[data-value="macs"]', '[data-value="log"]', '[data-value="year"][data-keep^="Sort"]'):
        tab.press(selector)
        assert tab.run(f"document.activeElement === document.querySelector({json.dumps(selector)})")
        assert tab.run("document.activeElement.ariaPressed") == "true"


def test_a_search_is_among_all(tab: browser.Page, tmp_path: Path) -> None:
    page(tmp_path, *FIVE, "resnet18")
    chosen = 'document.querySelector(".tools select").selectedOptions[0].textContent'
    tab.open(tmp_path / "explorer.html")
    assert tab.run(chosen) == "LeNet to ResNet"
    tab.open(tmp_path / "explorer.html", "q=resnet")
    assert tab.run('[...document.querySelectorAll(".row")].map(one => one.dataset.name)') == [
        "resnet50",
        "resnet18",
    ]
    assert tab.run(chosen) == "all 6"


def test_scopes_open_and_layers_are_derived(tab: browser.Page, here: Path) -> None:
    one = network("resnet50")
    tab.open(here, "view=network&net=resnet50")
    layers = 'document.querySelectorAll("[data-layer]").length'
    top = sum("." not in layer.name for layer in one.layers)
    assert tab.run(layers) == top
    number = tab.run("""[...document.querySelectorAll(".closed")].find(
        node => node.getAttribute("aria-label").startsWith("+ layer2 ")).dataset.scope""")
    tab.press(f'[data-scope="{number}"]')
    assert tab.run(f"""document.querySelector('.fold[data-scope="{number}"]') !== null""")
    assert tab.run("location.hash").endswith("open=layer2")
    tab.press(f'.fold[data-scope="{number}"]', " ")
    assert tab.run(layers) == top
    press = '[...document.querySelectorAll("button")].find(b => b.textContent === "{}").click()'
    tab.run(press.format("Open all"))
    tab.settle()
    # three bottlenecks, of which the second stands for those behind it, and so on
    blocks = [one for one in one.blocks if one.count(".") == 1 and not one.endswith((".0", ".1"))]
    hidden = [layer for layer in one.layers if any(layer.within(block) for block in blocks)]
    assert tab.run(layers) == len(one) - len(hidden)
    shown = tab.run('[...document.querySelectorAll(".frame text[text-anchor=end]")].map(e => e.textContent)')
    assert shown == ["x2", "x3", "x5", "x2"]
    tab.run(press.format("Fold repeats"))
    tab.settle()
    assert tab.run(layers) == len(one)
    assert "repeats=each" in tab.run("location.hash")
    # who asks for one that another stands for sees it
    tab.open(here, "view=network&net=resnet50&layer=layer3.4.conv2")
    assert tab.run('document.querySelector(".here") !== null')

    tab.open(here, "view=network&net=resnet50&layer=layer4.2.conv2")
    panel = tab.run('document.querySelector(".panel").textContent')
    derived = run("explain", "resnet50", "layer4.2.conv2").stdout.split("\n\n")[1]
    for line in derived.splitlines()[1:]:
        assert line[10:].strip() in panel
    assert tab.run('document.querySelector(".line.here").textContent').strip()
    # what it sees of the input: cut where the image ends
    width, height = (
        tab.run(f'document.querySelector(".seen").{side}.baseVal.value') for side in ("width", "height")
    )
    from archlens.analysis.study import Study

    field = Study(one).receptive_fields["layer4.2.conv2"]
    assert isinstance(field, tuple)
    start, stop = field[0].at(one["layer4.2.conv2"].shape.spatial[0] // 2)
    assert (width, height) == (min(stop, 224) - max(start, 0),) * 2


def test_the_page_of_many_has_the_layers_of_each(tab: browser.Page, tmp_path: Path) -> None:
    page(tmp_path, *FIVE, "resnet18", "resnet34", "vgg11", "vgg13")
    for name in ("resnet50", "vgg13", "resnet18"):
        tab.open(tmp_path / "explorer.html", f"view=network&net={name}&open=all&repeats=each")
        assert tab.run('document.querySelectorAll("[data-layer]").length') == len(network(name))


def test_what_is_one_scope_is_open_at_first(tab: browser.Page, tmp_path: Path) -> None:
    """And stays closed once it has been closed, also where its address is opened again."""
    page(tmp_path, "gpt2", "lenet5")
    shown = '[...document.querySelectorAll("[data-scope]")].map(one => one.getAttribute("aria-label"))'
    tab.open(tmp_path / "explorer.html", "view=network&net=gpt2")
    assert any("transformer.h" in one or one.startswith("+ h ") for one in tab.run(shown)), tab.run(shown)
    assert "open=" not in tab.run("location.hash")
    tab.run('[...document.querySelectorAll("button")].find(b => b.textContent === "Close all").click()')
    tab.settle()
    closed = tab.run(shown)
    assert len(closed) == 1
    assert "transformer" in closed[0]
    address = tab.run("location.hash").removeprefix("#")
    tab.open(tmp_path / "explorer.html", address)
    assert tab.run(shown) == closed
    tab.open(tmp_path / "explorer.html", "view=network&net=lenet5")  # whose layers are in no scope
    assert tab.run(shown) == []


@pytest.mark.parametrize("open_", ["transformer,transformer.h", "transformer,transformer.h,transformer.h.0"])
def test_what_is_seen_of_a_scope_is_what_is_said_of_it(tab: browser.Page, tmp_path: Path, open_: str) -> None:
    """In its order, so that who speaks to the page can name it."""
    page(tmp_path, "gpt2")
    tab.open(tmp_path / "explorer.html", f"view=network&net=gpt2&open={open_}")
    said = tab.run(
        '[...document.querySelectorAll(".closed, .fold")].map(one => [one.getAttribute("aria-label"),'
        ' one.textContent.replace(/\\s+/g, " ").trim()])'
    )
    assert [label for label, seen in said if not label.startswith(seen)] == []
    assert any(" x12" in seen for _, seen in said)


@pytest.mark.parametrize("view", ["table", "beside&net=resnet50&with=googlenet"])
def test_figures_are_in_sight_on_a_phone(tab: browser.Page, here: Path, view: str) -> None:
    """Beside whose they are: the first figure of each line, and of two networks all."""
    tab.size(390)
    tab.open(here, f"view={view}&set=all")
    rows = tab.run(
        '[...document.querySelectorAll("#stage .wide tbody tr")].map(row => [...row.children]'
        ".map(one => { const r = one.getBoundingClientRect(); return [r.left, r.right] }))"
    )
    assert len(rows) >= 5
    for cells in rows:
        assert cells[1 if view == "table" else -1][1] <= 390


def test_layers_are_found_and_heated(tab: browser.Page, here: Path) -> None:
    one = network("googlenet")
    tab.open(here, "view=network&net=googlenet&find=7x7&heat=params")
    hits = tab.run('document.querySelector(".stage p[role=status]").textContent')
    kernels = sum(layer.op.attributes().get("kernel") in (7, (7, 7)) for layer in one.layers)
    assert kernels == 1
    assert hits.startswith(f"{kernels} of {len(one)} layers")
    tab.click('[aria-label="Colour by"] [data-value="macs"]')
    assert "heat=macs" in tab.run("location.hash")
    heats = tab.run("""[...document.querySelectorAll(".warm")].map(e => Number(e.style.fillOpacity))""")
    assert max(heats) > 0.5 > min(heats)


def test_the_window_slides_as_the_geometry_says(tab: browser.Page, here: Path) -> None:
    from archlens.geometry import Window

    tab.open(here, "view=arithmetic&window=6,3,2,0,0,1,0,0&stack=3 3")
    said = 'document.querySelector("[data-arithmetic]").textContent'
    assert tab.run(said) == Window(3, 2).arithmetic(6)
    # a row and a column of the input are in no window: 6 + 6 - 1 positions
    assert tab.run('document.querySelectorAll(".cell.dropped").length') == 11
    assert tab.run('document.querySelectorAll(".cell.given.taken").length') >= 9
    tab.run("""(() => { const e = document.querySelector('[name="p1"]'); e.value = "1";
        e.dispatchEvent(new Event("input", {bubbles: true})); })()""")
    assert tab.run(said) == Window(3, 2, before=1).arithmetic(6)
    assert "window=6%2C3%2C2%2C1" in tab.run("location.hash")
    assert "5x5 with 9 + 9 = 18 C²" in tab.run('document.querySelector(".teach").textContent')


def test_what_tries_to_be_script_stays_text(tab: browser.Page, tmp_path: Path) -> None:
    page(tmp_path, str(hostile(tmp_path)), "lenet5")
    for view in ("bars&set=all", "scatter&set=all&y=params", "table", "beside", "network"):
        name = hostile(tmp_path).stem
        tab.open(
            tmp_path / "explorer.html", f"view={view}&net={name.replace(' ', '%20').replace('=', '%3D')}"
        )
        assert tab.run("window.pwned") is None
        assert "</script><script>" in tab.run("document.body.innerText")
        assert tab.run('document.querySelectorAll("img").length') == 0
    # the policy stops what might still come in
    tab.run('document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=window.pwned=1>")')
    tab.run("new Promise(then => setTimeout(then, 50))")
    assert tab.run("window.pwned") is None
    assert tab.problems
    tab.problems.clear()
    tab.requests.clear()


def test_without_scripts_the_table_and_the_pictures_remain(tab: browser.Page, here: Path) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.browser.loaded = False
        tab.call("Page.navigate", url=here.as_uri())
        tab.browser.until_loaded()
        root = tab.call("DOM.getDocument", depth=-1)["root"]["nodeId"]
        table = tab.call("DOM.querySelector", nodeId=root, selector="#plain table")["nodeId"]
        assert tab.call("DOM.getBoxModel", nodeId=table)["model"]["height"] > 100
        pictures = tab.call("DOM.querySelectorAll", nodeId=root, selector="#pictures svg")["nodeIds"]
        assert len(pictures) == 5
        for picture in pictures:
            assert tab.call("DOM.getBoxModel", nodeId=picture)["model"]["width"] > 100
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


def test_what_is_taken_out(tab: browser.Page, here: Path, tmp_path: Path) -> None:
    tab.open(here, "metric=macs")
    taken_out(tab, tmp_path, "SVG", "PNG", "CSV", "Markdown")
    until_there(tab, tmp_path, {"bars.svg", "bars.png", "networks.csv", "networks.md"})
    svg = (tmp_path / "bars.svg").read_text("utf-8")
    assert f"{network('vgg16').macs:,}" in svg
    assert "var(" not in svg
    assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG")
    lines = (tmp_path / "networks.csv").read_text("utf-8").splitlines()
    assert len(lines) == 6
    assert str(network("resnet50").macs) in lines[-1].split(",")
    assert len((tmp_path / "networks.md").read_text("utf-8").splitlines()) == 7
    tab.requests.clear()


def test_of_a_network_its_layers_are_taken_out(tab: browser.Page, here: Path, tmp_path: Path) -> None:
    """The rows of ``archlens shapes``, of which a page of figures has none."""
    columns = "layer,op,output,params,macs"
    tab.open(here, "view=network&net=googlenet")
    taken_out(tab, tmp_path, "CSV", "Markdown")
    until_there(tab, tmp_path, {"googlenet.csv", "googlenet.md"})
    told = run("shapes", "googlenet", "--columns", columns, "--format", "csv").stdout
    with (tmp_path / "googlenet.csv").open(newline="") as file:
        assert [*csv.reader(file)] == [*csv.reader(told.splitlines())]
    assert len((tmp_path / "googlenet.md").read_text("utf-8").splitlines()) == len(network("googlenet")) + 2
    tab.open(here, "view=arithmetic")
    texts = tab.run('[...document.querySelectorAll(".foot button")].map(one => one.textContent)')
    assert texts[:3] == ["SVG", "PNG", "Copy the link"]


VIEWS = ("bars&net=vgg16", "scatter&front=1", "table", "beside&net=lenet5&with=alexnet", "arithmetic")


@pytest.mark.parametrize("wide", [390, 768, 1280])
def test_pictures_of_a_report_are_read_on_a_phone(tab: browser.Page, tmp_path: Path, wide: int) -> None:
    """They are moved where they are wider than the screen, and the page is not."""
    run("report", "lenet5", "--format", "html", "-o", str(tmp_path))
    tab.size(wide)
    tab.open(tmp_path / "lenet5.html")
    assert tab.run("document.documentElement.scrollWidth") == wide
    drawn = '[...document.querySelectorAll("figure svg text")]'
    sizes = tab.run(f"{drawn}.map(one => parseFloat(getComputedStyle(one).fontSize) * one.getCTM().a)")
    assert len(sizes) > 20
    assert min(sizes) >= 10.99


@pytest.mark.skipif(not AXE.exists(), reason="axe is not there: see CONTRIBUTING, The explorer")
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_serious_is_found_by_axe(tab: browser.Page, here: Path, dark: bool) -> None:
    script = AXE.read_text("utf-8")
    for view in (*VIEWS, "network&net=resnet50&layer=layer1.0.conv1", "bars&metric=top1"):
        tab.size(1280 if dark else 390, dark=dark)
        tab.open(here, f"view={view}")
        tab.run(f"{script};0")
        found: list[dict[str, Any]] = json.loads(
            tab.run("axe.run(document).then(r => JSON.stringify(r.violations))")
        )
        serious = [
            (one["id"], [node["html"][:160] for node in one["nodes"]][:4])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], view


ROOT = 'document.querySelector(".archlens-network").shadowRoot'


def hosted(folder: Path, head: str) -> Path:
    """A page of somebody else's with the graph of a network twice."""
    import archlens

    graph = archlens.explore(network("resnet18"))._repr_html_()
    path = folder / "page.html"
    path.write_text(f"<!doctype html><html {head}><body><h1>Mine</h1>{graph}<p>And</p>{graph}</body></html>")
    return path


def test_a_page_of_a_report_has_the_graph_to_touch(tab: browser.Page, tmp_path: Path) -> None:
    assert run("report", "resnet18", "--format", "html", "-o", str(tmp_path)).returncode == 0
    tab.open(tmp_path / "resnet18.html")
    one = network("resnet18")
    layers = f'{ROOT}.querySelectorAll("[data-layer]").length'
    assert tab.run(layers) == sum("." not in layer.name for layer in one.layers)
    for button in ("Open all", "Fold repeats"):
        tab.run(f'[...{ROOT}.querySelectorAll("button")].find(b => b.textContent === "{button}")?.click()')
    tab.settle()
    assert tab.run(layers) == len(one)
    tab.run(f"""(() => {{ const e = {ROOT}.querySelector('input[type="search"]'); e.value = "7x7";
        e.dispatchEvent(new Event("input", {{bubbles: true}})) }})()""")
    assert tab.run(f'{ROOT}.querySelector("p[role=status]").textContent').startswith(f"1 of {len(one)} ")
    tab.run(f"""{ROOT}.querySelector(".found").dispatchEvent(new MouseEvent("click", {{bubbles: true}}))""")
    tab.settle()
    said = tab.run(f'{ROOT}.querySelector(".panel").textContent')
    for line in run("explain", "resnet18", "conv1").stdout.split("\n\n")[1].splitlines()[1:]:
        assert line[10:].strip() in said
    tab.run(f"""{ROOT}.querySelector('[data-value="params"]').click()""")
    assert tab.run(f'Math.max(...[...{ROOT}.querySelectorAll(".warm")].map(e => e.style.fillOpacity))') > 0.5
    if AXE.exists():
        tab.call("Page.setBypassCSP", enabled=True)
        tab.open(tmp_path / "resnet18.html")
        tab.run(f"{AXE.read_text('utf-8')};0")
        found = json.loads(tab.run("axe.run('.archlens-network').then(r => JSON.stringify(r.violations))"))
        tab.call("Page.setBypassCSP", enabled=False)
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []


def test_it_turns_dark_where_the_page_does_and_leaves_the_rest_as_it_is(
    tab: browser.Page, tmp_path: Path
) -> None:
    dark = f"getComputedStyle({ROOT}.host).colorScheme"
    for head, scheme in (("", "light"), ('data-theme="dark"', "dark"), ('data-theme="auto"', "light dark")):
        tab.open(hosted(tmp_path, head))
        assert tab.run(dark) == scheme
    tab.run('document.documentElement.dataset.theme = "dark"')
    tab.settle()
    assert tab.run(dark) == "dark"
    assert tab.run('document.querySelectorAll(".archlens-network[data-begun]").length') == 2
    plain = tmp_path / "plain.html"
    plain.write_text('<!doctype html><html data-theme="dark"><body><h1>Mine</h1></body></html>')
    looks = '["font", "color", "margin"].map(one => getComputedStyle(document.querySelector("h1"))[one])'
    here = tab.run(looks)
    tab.open(plain)
    assert tab.run(looks) == here


def test_what_tries_to_be_script_stays_text_in_pages_of_others(tab: browser.Page, tmp_path: Path) -> None:
    spec = hostile(tmp_path)
    ended = run("report", str(spec), "--format", "html", "-o", str(tmp_path / "out"))
    assert ended.returncode == 0, ended.stderr
    (page,) = (tmp_path / "out").glob("*.html")
    tab.open(page)
    assert tab.run("window.pwned") is None
    assert "__proto__" in tab.run(f"{ROOT}.textContent")
    assert tab.run('document.querySelectorAll("img").length') == 0
