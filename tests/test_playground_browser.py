"""The playground in a real Chromium, with Pyodide: what is typed is answered at once, and nothing leaves.

They are skipped where no browser or no Pyodide is found, which ``npm install`` for the viewer's tools gets.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from archlens.explorer.records import SHOWN

from . import browser
from .running import run
from .test_explorer import WEB, compared
from .test_explorer_browser import AXE

PYODIDE = WEB / "node_modules" / "pyodide"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.found() is None, reason=browser.MISSING),
    pytest.mark.skipif(
        not PYODIDE.exists(), reason="no Pyodide: npm install --no-save --prefix archlens/explorer/web"
    ),
]

#: Of twenty families, with branches, ids, several inputs and outputs, channels last.
TWENTY = (
    *("lenet5", "alexnet", "vgg16", "googlenet", "resnet50", "densenet121", "mobilenet_v2", "squeezenet1_0"),
    *("efficientnet_b0", "unet", "swin_t", "vit_b_16", "gpt2", "lstm_sentiment", "siamese_resnet18", "m5"),
    *("c3d", "resnext50_32x4d", "shufflenet_v2_x1_0", "convnext_tiny"),
)

STATUS = 'document.querySelector(".whatif .status")?.textContent ?? ""'
EDITOR = 'document.querySelector(".editor").shadowRoot'
#: Marks a text in a line of the editor, so that what is typed replaces it.
CHOOSE = """(([line, text]) => {{
  const content = {editor}.querySelector(".cm-content");
  content.focus();
  const one = [...content.querySelectorAll(".cm-line")].find(e => e.textContent.includes(line));
  const from = one?.textContent.indexOf(text) ?? -1;
  const walker = document.createTreeWalker(one ?? content, NodeFilter.SHOW_TEXT);
  const ends = [];
  for (let at = 0, node; from >= 0 && (node = walker.nextNode()); at += node.data.length)
    for (const end of [from, from + text.length].slice(ends.length))
      if (end <= at + node.data.length) ends.push([node, end - at]);
  if (ends.length === 2) document.getSelection().setBaseAndExtent(...ends[0], ...ends[1]);
  return ends.length === 2;
}})({what})"""


def until(tab: browser.Page, condition: str, seconds: float = 60) -> None:
    """Wait until something is so on the page."""
    end = time.monotonic() + seconds
    while not tab.run(condition):
        assert tab.problems == []
        assert time.monotonic() < end, (condition, tab.run(STATUS))
        time.sleep(0.02)
    tab.settle()


def choose(tab: browser.Page, line: str, text: str) -> None:
    until(tab, CHOOSE.format(editor=EDITOR, what=json.dumps([line, text])))


def write(tab: browser.Page, text: str) -> None:
    tab.call("Input.insertText", text=text)


def afresh(tab: browser.Page) -> None:
    """Begin with a new spec."""
    tab.run("[...document.querySelectorAll('button')].find(b => b.textContent === 'A new spec').click()")
    until(tab, f"{EDITOR}.querySelector('.cm-content').textContent.includes('A network of my own')")
    until(tab, f"/layers/.test({STATUS})")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("playground")
    ended = run("explore", "lenet5", "--playground", "--pyodide", str(PYODIDE), "-o", str(folder))
    assert (ended.returncode, ended.stderr) == (0, "")
    return folder / "index.html"


@pytest.fixture(scope="module")
def warm(here: Path) -> Iterator[browser.Page]:
    """A page whose Python has been started."""
    with browser.opened() as tab:
        tab.size(1280)
        tab.open(here)
        until(tab, f"/layers/.test({STATUS})", 180)
        # the answer alone is timed, and not how long Python takes to start
        assert tab.run(f"Number(/after (\\d+) ms/.exec({STATUS})[1]) < performance.now() / 2")
        yield tab


@pytest.fixture
def tab(warm: browser.Page) -> Iterator[browser.Page]:
    """The same for each test; in the end nothing has gone wrong, and nothing been asked of any network."""
    warm.problems.clear()
    afresh(warm)
    yield warm
    assert warm.problems == []
    assert [url for url in warm.requests if not url.startswith(("file:", "about:", "blob:"))] == []


def test_what_is_typed_is_marked_drawn_and_mended(tab: browser.Page) -> None:
    marked = f'{EDITOR}.querySelector(".cm-lintRange-error")?.textContent ?? ""'
    choose(tab, "max_pool", "2")
    write(tab, "2, stride=0")
    until(tab, f"({marked}).includes('0')")
    until(tab, """document.querySelector(".marks").textContent.includes('stride')""")
    choose(tab, "max_pool", "2, stride=0")
    write(tab, "99")
    until(tab, 'document.querySelector(".net .failed") !== null')
    assert "max_pool(99)" in tab.run(marked)
    assert "99x99 window" in tab.run('document.querySelector(".panel").textContent')
    choose(tab, "max_pool", "99")
    write(tab, "2")
    until(tab, f'document.querySelector(".net .failed") === null && !({marked})')


def test_another_input_and_param_change_all_of_it(tab: browser.Page) -> None:
    value = """document.querySelector('.strip [data-metric="params"]').dataset.value"""
    before = int(tab.run(value))
    tab.run(
        """(() => { const e = document.querySelector('[data-what="values:width"]'); e.value = "32";
        e.dispatchEvent(new Event("input", {bubbles: true})) })()"""
    )
    until(tab, f"{value} !== '{before}'")
    assert "before" in tab.run('document.querySelector(".strip").textContent')
    # a stem of 3x3x3 kernels and its norm: 32 of 27 weights, and 2 x 32
    until(
        tab,
        """[...document.querySelectorAll(".net .closed")].some(
        e => e.textContent.includes("stem") && e.textContent.includes("928"))""",
    )
    tab.click('[aria-label="Shown"] [data-value="table"]')
    until(tab, 'document.querySelector(".layers")?.textContent.includes("32x32x32")')
    tab.run(
        """(() => { const e = document.querySelector('[data-what="inputs:input"]'); e.value = "3x48x48";
        e.dispatchEvent(new Event("input", {bubbles: true})) })()"""
    )
    until(tab, 'document.querySelector(".layers").textContent.includes("32x48x48")')
    command = tab.run('document.querySelector(".command code").textContent')
    assert command == "archlens shapes network.yaml --input 3x48x48 --set width=32"
    tab.click('[aria-label="Shown"] [data-value="limits"]')
    tab.run(
        """(() => { const e = document.querySelector('[data-limits]'); e.value = "params <= 1k, macs >= 1";
        e.dispatchEvent(new Event("input", {bubbles: true})) })()"""
    )
    until(tab, 'document.querySelectorAll("tr.broken, tr.held").length === 2')
    assert "BROKEN" in tab.run('document.querySelector("tr.broken").textContent')


def test_a_picture_follows_the_width_and_the_theme(tab: browser.Page) -> None:
    """It is made for the room that it has, anew where that changes, and in the colours of the page."""
    seen = """(e => e && e.complete && e.naturalWidth ? [e.naturalWidth, e.clientWidth, e.src] : null)(
        document.querySelector('.pane img'))"""
    try:
        tab.size(390)
        tab.click('[aria-label="Shown"] [data-value="picture"]')
        until(tab, f"({seen})?.[0] <= 390")
        natural, wide, light = tab.run(seen)
        assert natural == wide  # so that no text is smaller than it was made
        command = tab.run('document.querySelector(".command code").textContent')
        assert command == f"archlens diagram network.yaml --style volumes --fit {wide}px -o network.svg"
        tab.size(390, dark=True)
        until(tab, f"({seen})?.[2] !== {light!r}")
        label = '[...document.querySelectorAll(".foot button")].pop().textContent'
        assert tab.run(label) == "Light"
        tab.size(1280, dark=True)
        until(tab, f"({seen})?.[0] > 390")
    finally:
        tab.size(1280)


def test_ops_and_their_arguments_are_completed_with_what_they_mean(tab: browser.Page) -> None:
    shown = f'[...{EDITOR}.querySelectorAll(".cm-completionLabel")].map(e => e.textContent)'
    choose(tab, "global_avg_pool", "global_avg_pool")
    write(tab, "conv_tr")
    until(tab, f"({shown}).includes('conv_transpose')")
    until(tab, f"/transposed/i.test({EDITOR}.querySelector('.cm-completionInfo')?.textContent ?? '')")
    choose(tab, "conv_tr", "conv_tr")
    write(tab, "max_pool(2, str")
    until(tab, f"({shown}).includes('stride')")
    until(tab, f"/default/.test({EDITOR}.querySelector('.cm-completionInfo')?.textContent ?? '')")
    choose(tab, "max_pool(2, str", "max_pool(2, str")
    write(tab, "global_avg_pool")


def test_the_numbers_of_twenty_networks_are_those_of_the_command(tab: browser.Page) -> None:
    assert len({*TWENTY}) == 20
    records = {one["name"]: one for one in compared(*TWENTY)}
    for name in TWENTY:
        tab.run(f"location.hash = 'from={name}&variant={name}&tab=table'")
        until(
            tab,
            f"""document.querySelector(".headline")?.textContent.startsWith(
            {json.dumps(records[name]["title"])} + ":")""",
        )
        shown = dict(
            tab.run(
                "[...document.querySelectorAll('.strip [data-metric]')]"
                ".map(e => [e.dataset.metric, e.dataset.value])"
            )
        )
        for key in SHOWN:
            told = records[name].get(key)
            told = told["percent"] if isinstance(told, dict) else told
            told = max(told) if isinstance(told, list) and told else told
            if key in shown and told is not None:
                assert float(shown[key]) == told, (name, key)
        assert {"params", "macs", "depth"} <= {*shown}
        # and the sums of the table are those
        total = json.dumps(f"{records[name]['params']:,}")
        until(tab, f"document.querySelector('.totals')?.textContent.includes({total})")


def test_a_link_holds_the_whole_spec(tab: browser.Page, here: Path) -> None:
    text = f"{EDITOR}.querySelector('.cm-content').textContent"
    afresh(tab)
    choose(tab, "title:", "my own")
    write(tab, "mine <script>alert(1)</script>")
    until(tab, "/spec=/.test(location.hash)")
    until(tab, "document.querySelector('.headline').textContent.includes('<script>')")
    time.sleep(0.6)
    fragment = tab.run("location.hash").removeprefix("#")
    tab.run("location.hash = 'from=lenet5&variant=lenet5'")
    until(tab, "document.querySelector('.headline').textContent.startsWith('LeNet')")
    tab.run(f"location.hash = {json.dumps(fragment)}")
    until(tab, "document.querySelector('.headline').textContent.includes('mine <script>')")
    for broken in ("spec=%00", "spec=AAAA", f"spec={quote('§')}"):
        tab.run(f"location.hash = {json.dumps(broken)}")
        until(tab, f"({text}).includes('A network of my own')")


def test_nothing_leaves(tab: browser.Page) -> None:
    """Neither the page nor its worker reaches any network; what tries is refused by the policy."""
    kinds = tab.run("""(async () => {
      const found = [];
      const refused = new Promise(
        then => document.addEventListener("securitypolicyviolation", then, {once: true}));
      try { await fetch("https://example.org/"); found.push("fetched"); } catch { found.push("no"); }
      await refused;
      const source = `onmessage = async () => { const found = [];
        try { await fetch("https://example.org/"); found.push("fetched"); } catch { found.push("no"); }
        try { const x = new XMLHttpRequest(); x.open("GET", "https://example.org/", false); x.send();
          found.push("sent"); } catch { found.push("no"); }
        try { importScripts("https://example.org/x.js"); found.push("ran"); } catch { found.push("no"); }
        postMessage(found) }`;
      const worker = new Worker(URL.createObjectURL(new Blob([source])));
      const inner = await new Promise(then => {
        worker.onmessage = e => then(e.data);
        worker.postMessage(0);
      });
      return [...found, ...inner];
    })()""")
    assert kinds == ["no"] * 4
    assert tab.problems  # of the policy
    tab.problems.clear()
    tab.requests.clear()


@pytest.mark.skipif(not AXE.exists(), reason="axe is not there: see CONTRIBUTING, The explorer")
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_serious_is_found_by_axe(tab: browser.Page, dark: bool) -> None:
    tab.size(390 if dark else 1280, dark=dark)
    afresh(tab)
    choose(tab, "linear", "linear")
    write(tab, "lineax")
    until(tab, 'document.querySelector(".marks .error") !== null')
    tab.run(f"{AXE.read_text('utf-8')};0")
    for key in ("graph", "table", "picture", "lint", "limits"):
        tab.click(f'[aria-label="Shown"] [data-value="{key}"]')
        time.sleep(0.5)
        found = json.loads(tab.run("axe.run(document).then(r => JSON.stringify(r.violations))"))
        serious = [
            (one["id"], [node["html"][:160] for node in one["nodes"]][:4])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], key
    right = tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert right
    tab.size(1280)
