"""``archlens explore``: what the page is made of, and what its viewer computes, without a browser.

The viewer's own arithmetic is held against :mod:`archlens.geometry` where there is Node; the page in a
browser is tested in ``test_explorer_browser.py``.
"""

from __future__ import annotations

import csv
import io
import json
import operator
import random
import re
import shutil
import subprocess
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from itertools import combinations, pairwise, permutations
from math import prod
from pathlib import Path
from typing import Any
from zlib import MAX_WBITS, decompress

import pytest

import archlens
from archlens.analysis import comparison, difference
from archlens.analysis.comparison import MEASURES, front
from archlens.analysis.difference import Difference
from archlens.analysis.structure import attributes
from archlens.analysis.study import Study
from archlens.explorer.aligning import vocabulary
from archlens.explorer.compact import computed, folded
from archlens.explorer.document import built
from archlens.explorer.inside import inside
from archlens.explorer.records import SHOWN
from archlens.geometry import INPUT, NonUniformField, Window
from archlens.network import scopes_around
from archlens.ops.op import as_written
from archlens.views import difference_table, explanation

from .running import run
from .zoo import SMALLEST, network

WEB = Path(__file__).parents[1] / "archlens" / "explorer" / "web"

#: The five of the beginning.
FIVE = ("lenet5", "alexnet", "vgg16", "googlenet", "resnet50")

node = pytest.mark.skipif(shutil.which("node") is None, reason="no Node is found: apt-get install nodejs")
tools = pytest.mark.skipif(
    not (WEB / "node_modules" / ".bin" / "esbuild").exists(),
    reason="the tools are not there: npm install --no-save --prefix archlens/explorer/web",
)


class Parsed(HTMLParser):
    """The tags of a page with their attributes, and what stands in each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inner: list[tuple[str, str]] = []
        self.within = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.within = tag in ("script", "style")
        if tag in ("script", "style"):
            self.inner.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        self.within = False

    def handle_data(self, data: str) -> None:
        if self.within:
            tag, before = self.inner[-1]
            self.inner[-1] = tag, before + data


def page(folder: Path, *args: str) -> str:
    """The page that the command writes."""
    path = folder / "explorer.html"
    ended = run("explore", *args, "-o", str(path))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    return path.read_text("utf-8")


def data(text: str) -> dict[str, Any]:
    """What the page knows."""
    return unpacked(text, "data")


def unpacked(text: str, name: str) -> dict[str, Any]:
    """What a page has packed under a name."""
    found = re.search(rf'<script type="text/plain" id="{name}">([\w-]*)</script>', text)
    assert found is not None
    known = json.loads(decompress(urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)), -MAX_WBITS))
    assert isinstance(known, dict)
    return known


def answers(asked: list[tuple[str, list[Any]]]) -> list[Any]:
    """What the viewer's functions give."""
    command = ["node", str(WEB / "answers.js")]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page(tmp_path_factory.mktemp("five"), *FIVE)


def compared(*names: str) -> list[dict[str, Any]]:
    """The same networks as ``archlens compare --format json`` has them."""
    ended = run("compare", *names, "--no-smallest", "--format", "json")
    networks = json.loads(ended.stdout)["networks"]
    assert isinstance(networks, list)
    return networks


#: The figures that are left out where they are what others say.
LIKE = {"active_params": "params", "total_macs": "macs"}


def agree(known: dict[str, Any], records: list[dict[str, Any]]) -> None:
    """Hold every figure of the page against those of ``archlens compare``, to the unit."""
    keys = [one["key"] for one in known["metrics"]]
    assert [one["name"] for one in known["networks"]] == [one["name"] for one in records]
    for one, record in zip(known["networks"], records, strict=True):
        for key, value in zip(keys, one["values"], strict=True):
            told = record.get(key, record.get(LIKE.get(key, "")))
            if key in ("top1", "top5"):
                other = record["classes"] not in (1000, 1001)
                told = None if told is None or other else told["percent"]
            if isinstance(told, list):
                told = max(told) if told else 0
            if told is None or isinstance(told, dict):
                assert isinstance(value, str), (record["name"], key)
                assert value
            else:
                assert value == told, (record["name"], key)
        assert one["said"].get("receptive_field", "") == (
            "x".join(map(str, record["receptive_field"]))
            if record["receptive_field"] and isinstance(record["input"], list)
            else one["said"].get("receptive_field", "")
        )


def test_figures_are_those_of_compare(five: str) -> None:
    known = data(five)
    agree(known, compared(*FIVE))
    lenet = known["networks"][0]
    assert lenet["values"][SHOWN.index("top1")] == "its spec has no published accuracy"  # and not 0


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of the zoo."""
    return page(tmp_path_factory.mktemp("zoo"))


#: What a page of the zoo may have in bytes, and what a network of it may take on the average.
MOST, EACH = 1_000_000, 3_000


@pytest.mark.slow
def test_the_page_of_the_zoo_has_every_layer_in_less_than_a_megabyte(zoo: str) -> None:
    assert len(zoo.encode()) < MOST
    assert all(one["inside"] for one in data(zoo)["networks"])
    parts = re.findall(r'<script type="text/plain" id="\w+">.*?</script>', zoo)
    pictures = zoo[zoo.index("<table") : zoo.index("</section>")]
    grows = sum(len(part.encode()) for part in (*parts, pictures))
    assert grows / len(archlens.names()) < EACH


@pytest.mark.slow
def test_figures_of_the_zoo_are_those_of_compare(zoo: str) -> None:
    text, known = zoo, data(zoo)
    of = {one["name"]: one for one in known["networks"]}
    assert list(of) == archlens.names()
    agree(known | {"networks": [of[name] for name in SMALLEST]}, compared(*SMALLEST))
    assert [name for name in archlens.names() if f">{name}</th>" not in text] == []


def test_every_measure_is_shown_but_what_is_found_by_trying() -> None:
    assert {*SHOWN} == {*MEASURES} - {"min_size"}


def test_the_same_bytes_twice(tmp_path: Path, five: str) -> None:
    assert page(tmp_path, *FIVE) == five


def test_nothing_is_asked_of_any_network_and_scripts_are_named_by_what_they_are(five: str) -> None:
    parsed = Parsed(five)
    policy = next(attrs["content"] or "" for tag, attrs in parsed.tags if attrs.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    scripts = [inner for tag, inner in parsed.inner if tag == "script"]
    styles = [inner for tag, inner in parsed.inner if tag == "style"]
    assert (len(scripts), len(styles)) == (3, 1)
    for text in (scripts[-1], styles[0]):
        assert b64encode(sha256(text.encode()).digest()).decode() in policy
    assert {"link", "img", "iframe", "object", "embed", "base", "form"}.isdisjoint(
        tag for tag, _ in parsed.tags
    )
    for _, attrs in parsed.tags:
        assert {"src", "style", "srcset"}.isdisjoint(attrs)
        assert not any(name.startswith("on") for name in attrs)
    assert "@import" not in styles[0]
    assert "url(" not in styles[0]


HOSTILE = """\
title: "</title></script><script>window.pwned = 1</script><img src=x onerror=window.pwned=1>"
summary: '</style><svg onload="window.pwned=1">'
paper: {title: "<b>'\\"&", authors: "javascript:window.pwned=1", year: 2020, url: "javascript:alert(1)"}
input: 3x8x8
layers:
  - __proto__: conv(4, 3)
  - constructor: relu
  - stage: ["conv(4, 3)", relu]
"""


def hostile(folder: Path) -> Path:
    """A spec all of whose words try to be something else."""
    path = folder / "<img src=x onerror=alert(1)>.yaml"
    path.write_text(HOSTILE, "utf-8")
    return path


def test_what_tries_to_be_markup_is_text(tmp_path: Path) -> None:
    text = page(tmp_path, str(hostile(tmp_path)), "lenet5")
    parsed, plain = Parsed(text), Parsed(page(tmp_path, "lenet5", "alexnet"))
    assert {tag for tag, _ in parsed.tags} <= {tag for tag, _ in plain.tags}
    assert sum(tag == "script" for tag, _ in parsed.tags) == 3
    for tag, attrs in parsed.tags:
        assert tag != "a" or str(attrs.get("href")).startswith("https://")
        assert not any(name.startswith("on") for name in attrs)
    one = data(text)["networks"][0]
    assert one["title"].startswith("</title></script><script>")
    assert data(text)["texts"][one["papers"][0][1]] == ""  # no address but of the web


# --- what is told of layers ------------------------------------------------------------------------------

#: Networks that differ: branches, bypasses across scopes, several inputs and outputs, ids, experts.
WALKED = ("lenet5", "resnet18", "googlenet", "unet", "swin_t", "lstm_sentiment", "siamese_resnet18")


@cache
def known(name: str) -> dict[str, Any]:
    found = inside(Study(network(name)))
    assert found is not None
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def layers(name: str) -> Iterator[tuple[archlens.Layer, list[Any], list[str]]]:
    """Each layer with what the page has of it, and the texts of the page."""
    found = known(name)
    yield from ((a, b, found["strings"]) for a, b in zip(network(name).layers, found["layers"], strict=True))


@pytest.mark.parametrize("name", WALKED)
def test_layers_are_told_as_explain_and_the_table_tell_them(name: str) -> None:
    written = explanation.to_text(network(name), network(name).layers)
    paragraphs = written.split("\n\n")[1:]
    table = json.loads(run("shapes", name, "--format", "json").stdout)["layers"]
    for (layer, one, strings), paragraph, row in zip(layers(name), paragraphs, table, strict=False):
        assert strings[one[0]] == layer.name == row["name"]
        first, *lines = paragraph.split("\n")
        assert first == f"{layer.name}: {strings[one[3]]}"
        derived = [line.split("\t") for line in strings[one[10]].split("\n")]
        assert lines[1:] == [f"  {title:<7} {text}".rstrip() for title, text in derived]
        assert (one[7], one[8]) == (row["params"], row["macs"])
        assert strings[one[5]] == str(layer.shape)


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "unet"])
def test_fields_are_those_of_the_middle_output(name: str) -> None:
    fields = Study(network(name)).receptive_fields
    for layer, one, _ in layers(name):
        seen = fields[layer.name]
        if not isinstance(seen, tuple):
            assert isinstance(one[12], str)
            continue
        sizes = layer.shape.spatial or (1,) * len(seen)
        for field, size, (start, stop, most) in zip(seen, sizes, one[12], strict=True):
            middle = size // 2
            turns, phase = divmod(middle, field.period)
            assert start == field.starts[phase] + turns * field.step
            assert stop - start <= most == field.size


def test_lines_of_the_spec_are_those_that_place_layers() -> None:
    files = known("resnet18")["sources"]
    for layer, one, _ in layers("resnet18"):
        assert layer.span is not None
        name, lines = files[one[11][0]]
        assert name == layer.span.source.name
        assert lines[one[11][1] - 1] == layer.span.source.lines[layer.span.line - 1].rstrip()


# --- many networks in little -------------------------------------------------------------------------------


def spelled(found: dict[str, Any]) -> dict[str, Any]:
    """What is told of layers, with what stands under numbers in their place, and the lines that are shown."""
    texts, places = found["strings"], found["nested"]["places"]
    layers = []
    for one in found["layers"]:
        told = [texts[value] if i in (0, 1, 2, 3, 4, 5, 10) else value for i, value in enumerate(one)]
        if told[11] is not None:
            name, lines = found["sources"][told[11][0]]
            told[11] = [name, told[11][1], lines[max(told[11][1] - 3, 0) : told[11][1] + 2]]
        layers.append(told)
    scopes = [
        scope | {"places": None if scope["places"] is None else places[scope["places"]]}
        for scope in found["nested"]["scopes"]
    ]
    return {"layers": layers, "scopes": found["scopes"], "nested": scopes} | {
        key: found[key] for key in ("inputs", "outputs", "shared", "on")
    }


#: Some with scopes that are entered again, some with experts, and members of one family.
FOLDED = (*WALKED, "deeplabv3_resnet50", "resnet50", "resnet101", "mixtral_8x7b", "densenet121")


@node
def test_what_is_told_in_little_is_all_of_it() -> None:
    """Each layer, derivation, field, line, scope and place of networks that share what is the same."""
    told = folded(inside(Study(network(name))) for name in FOLDED)
    found = answers([("unfolded", [told])])[0]
    for name, one in zip(FOLDED, found, strict=True):
        assert spelled(one) == spelled(known(name)), name


@node
@pytest.mark.slow
def test_what_the_page_of_the_zoo_has_of_layers_is_all_of_it(zoo: str) -> None:
    names = archlens.names()
    found = answers([("unfolded", [unpacked(zoo, "layers")])])[0]
    for name in SMALLEST:
        assert spelled(found[names.index(name)]) == spelled(known(name)), name


# --- any two, aligned by the page ---------------------------------------------------------------------------


def changes(found: Difference) -> dict[str, Any]:
    """A difference as ``archlens diff --format json`` tells it, and what stands beside what in a picture."""
    told = difference_table.to_data(found, (), names=("", ""))
    return {key: told[key] for key in ("unchanged", "changes", "boundary")} | {
        "aligned": [
            [
                one.kind,
                *(
                    side and [side.name, side.what, len(side.pairs), side.repeats]
                    for side in (one.old, one.new)
                ),
            ]
            for one in found.aligned()
        ]
    }


#: What two networks may differ in: ops, attributes however they are written, wiring and shapes.
STEPS = (
    *("relu", "tanh", "batch_norm", "pad(1)", "pad((1, 1))"),
    *("conv(4, 1)", "conv(4, (1, 1))", "conv(5, 3, padding=1)", "conv(5, 3, padding=(1, 1))"),
    *(
        "max_pool(2, stride=1)",
        "avg_pool((2, 2), stride=1)",
        "dropout(0.1)",
        "dropout(0.3)",
        "leaky_relu(0.1)",
    ),
    *("a: conv(4, 3, padding=1)", "b: conv(4, 3, padding=1, bias=false)", "block: conv(6, 1) >> relu"),
    *("add: ['conv(3, 1)', 'conv(3, 1)']", "add: [identity, tanh]", "concat: [relu, tanh]"),
    *("concat: [identity, concat: [relu, tanh]]",),
)
TOLD = """
input: {l: 4x8x8, r: 4x8x8}
layers:
  - first: {add: [ref(l), ref(r), {far: "ref(l) >> conv(4, 1)"}]}
  - second: {concat: [ref(first), ref(r)]}
  - third: {concat: [ref(second), ref(first), ref(l)]}
  - gated: {multiply: [ref(third), "ref(third) >> global_avg_pool"]}
outputs: {aux: ref(second)}
"""
WIRED = (
    TOLD,
    TOLD.replace("ref(l), ref(r), {", "ref(r), ref(l), {"),
    TOLD.replace("ref(second), ref(first), ref(l)", "ref(first), ref(r), ref(first), ref(l)"),
    TOLD.replace("ref(second), ref(first), ref(l)", "ref(first), ref(second), ref(l)"),
    TOLD.replace("aux: ref(second)", "aux: ref(first)"),
    TOLD.replace("r: 4x8x8", "s: 4x8x8").replace("ref(r)", "ref(s)"),
    TOLD.replace("far:", "near:"),
    TOLD.replace(
        '[ref(third), "ref(third) >> global_avg_pool"]', '["ref(third) >> global_avg_pool", ref(third)]'
    ),
    # the same sizes in another layout
    "input: 8x8x8\nlayers: [channels_last, relu]\n",
    "input: 8x8x8\nlayers: [tanh, relu]\n",
)


def drawn(choose: random.Random) -> str:
    """The text of a small network."""
    found: list[str] = []
    for step in choose.sample(STEPS, choose.randint(1, 12)):
        found += [step] * (1 if step[0] in "ab" and ": conv" in step else choose.choice((1, 1, 2)))
    found += choose.choice(([], ["global_avg_pool"], ["adaptive_avg_pool(1)"]))
    size = choose.choice(("4x24x24", "4x32x32"))
    return f"input: {size}\nlayers:\n" + "".join(f"  - {step}\n" for step in found)


def aligned(networks: list[archlens.Network], pairs: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """What the page finds between some networks."""
    told = folded(inside(Study(one)) for one in networks) | vocabulary(networks)
    found = answers([("differences", [told, pairs])])[0]
    assert isinstance(found, list)
    return found


def hold(networks: list[archlens.Network], pairs: list[tuple[int, int]], found: list[dict[str, Any]]) -> None:
    """Hold what the page finds against what archlens does."""
    for (i, j), one in zip(pairs, found, strict=True):
        told = json.loads(json.dumps(changes(difference.find(networks[i], networks[j]))))
        for change in told["changes"]:
            del change["output"]
        assert one == told, (networks[i].name, networks[j].name)


#: With tensors that are shared, experts, several outputs, heads for training, ops whose text is no call, and
#: the same call by two ops.
DIFFERENT = (
    *("lenet5", "alexnet", "googlenet", "googlenet_2014", "inception_v3", "densenet121", "vit_b_16", "gpt2"),
    *("gpt2_medium", "bert_base", "mixtral_8x7b", "deeplabv3_resnet50", "fcn_resnet50", "convnext_tiny"),
    *("siamese_resnet18", "resnet18", "t5_small", "transformer_base"),
)


@node
def test_what_the_page_finds_between_two_networks_is_what_diff_finds() -> None:
    """Each change in its words, what is beside what, and what goes in and comes out."""
    choose = random.Random(18)
    networks = [archlens.loads(text) for text in (*WIRED, *(drawn(choose) for _ in range(60)))]
    pairs = [*permutations(range(len(WIRED)), 2)]
    pairs += [(choose.randrange(len(networks)), choose.randrange(len(networks))) for _ in range(200)]
    hold(networks, pairs, aligned(networks, pairs))
    networks = [network(name) for name in DIFFERENT]
    pairs = [*pairwise(range(len(DIFFERENT))), (9, 8), (0, 5), (11, 1), (3, 2), (5, 12)]
    hold(networks, pairs, aligned(networks, pairs))


#: More layers than are weighed pair by pair: alike, of other ops, of other names, and much shorter.
LARGE = (
    *(("preact_resnet1001", "resnet1202_cifar"), ("resnet1202_cifar", "resnet110_cifar")),
    *(("deepseek_v3", "llama_3_70b"), ("hrnet_w18", "nasnet_a_large"), ("llama_3_70b", "llama_2_70b")),
)


@node
@pytest.mark.slow
def test_what_the_page_of_the_zoo_finds_between_any_two_is_what_diff_finds(zoo: str) -> None:
    names, choose = archlens.names(), random.Random(18)
    pairs = [(names.index(a), names.index(b)) for a, b in LARGE]
    pairs += [(choose.randrange(len(names)), choose.randrange(len(names))) for _ in range(40)]
    found = answers([("differences", [unpacked(zoo, "layers"), pairs])])[0]
    networks = {i: network(names[i]) for pair in pairs for i in pair}
    for pair, one in zip(pairs, found, strict=True):
        hold([networks[i] for i in pair], [(0, 1)], [one])


@pytest.mark.parametrize("name", SMALLEST)
def test_the_text_of_an_op_says_its_attributes(name: str) -> None:
    """Those that the page reads from it are those that it has."""
    known = vocabulary([network(name)])
    for op in {layer.op for layer in network(name).layers}:
        values = {key: as_written(value) for key, value in attributes(op).items()}
        if str(op) in known["spelled"]:
            assert known["spelled"][str(op)] == [op.kind, values]
        else:
            assert [key for key, *_ in known["signatures"][op.kind]] == list(values)


def test_numbers_are_computed_only_where_each_of_them_is_so() -> None:
    rng = random.Random(6)
    for _ in range(300):
        columns = [[rng.choice((0, 1, 2, 3, 5, 64, 100)) for _ in range(rng.choice((2, 3, 9)))]]
        while len(columns) < 7:
            pick = [rng.choice(columns) for _ in range(2)]
            how = rng.randrange(4)
            columns.append(
                [rng.randint(0, 9) for _ in columns[0]]
                if how == 0
                else [prod(both) if how == 1 else sum(both) for both in zip(*pick, strict=True)]
            )
        made: list[list[int]] = []
        for column, how in zip(columns, computed(columns), strict=True):
            made.append(again(how, made, len(column)))
            assert made[-1] == column


def again(how: list[int] | int | str, made: list[list[int]], count: int) -> list[int]:
    """A column out of what it is told as."""
    if not isinstance(how, str):
        return how if isinstance(how, list) else [how] * count
    i, j = map(int, how[1:].split(","))
    if how[0] == "x":
        return [prod(one) for one in zip(*made[i : j + 1], strict=True)]
    by = {"*": operator.mul, "+": operator.add, "-": operator.sub, "/": operator.floordiv}[how[0]]
    return [by(a, b) for a, b in zip(made[i], made[j], strict=True)]


HARD = """\
input: 3x1024x1024
layers:
  - "1,024": conv(1000, 3)
  - "1024": conv(1000, 3)
  - "007": relu
  - "9007199254740993": dropout(1e-06)
  - "x2,3456_of-12,345": [relu, relu]
"""


@node
def test_names_that_look_like_numbers_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "hard.yaml").write_text(HARD, "utf-8")
    one = inside(Study(archlens.load(str(tmp_path / "hard.yaml"))))
    assert one is not None
    (found,) = answers([("unfolded", [folded([one])])])[0]
    assert spelled(found) == spelled(json.loads(json.dumps(one)))


# --- where it is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALLEST)
def test_what_a_layer_reads_reaches_it_through_every_scope(name: str) -> None:
    """From the scope around both down to the layer there is a line in each, and none that is not read."""
    one = network(name)
    found = inside(Study(one))
    if found is None:
        pytest.skip("it has too many layers")
    scopes, places = found["nested"]["scopes"], found["nested"]["places"]
    number = {scope["name"]: i for i, scope in enumerate(scopes)}
    tensors = {layer.name: i for i, layer in enumerate(one.layers)}
    tensors |= {input_: -1 - i for i, input_ in enumerate(one.inputs)}
    wanted: dict[int, set[tuple[int, int]]] = {i: set() for i in range(len(scopes))}

    def child(scope: int, layer: str) -> int:
        path = scopes[scope]["name"]
        parts = layer.split(".")
        depth = path.count(".") + 2 if path else 1
        is_layer = len(parts) == depth
        key = [0, tensors[layer]] if is_layer else [1, number[".".join(parts[:depth])]]
        return int(scopes[scope]["children"].index(key))

    def entering(scope: int, source: str) -> int:
        return len(scopes[scope]["children"]) + int(scopes[scope]["enters"].index(tensors[source]))

    def leaving(scope: int, source: str) -> int:
        before = len(scopes[scope]["children"]) + len(scopes[scope]["enters"])
        return before + int(scopes[scope]["leaves"].index(tensors[source]))

    def around(layer: str) -> list[int]:
        return [0, *(number[path] for path in scopes_around(layer))]

    for layer in one.layers:
        for source in set(layer.inputs):
            inner = around(layer.name)
            outer = around(source) if source in one.index else []
            for scope in inner:
                head = child(scope, layer.name)
                if scope in outer:
                    tail = child(scope, source)
                    if tail != head:
                        wanted[scope].add((tail, head))
                else:
                    wanted[scope].add((entering(scope, source), head))
            for scope in outer:
                if scope not in inner:
                    wanted[scope].add((child(scope, source), leaving(scope, source)))
    for source in one.outputs.values():
        for scope in around(source) if source in one.index else ():
            wanted[scope].add((child(scope, source), leaving(scope, source)))
    for scope, links in wanted.items():
        place = scopes[scope]["places"]
        if place is not None:
            assert {(tail, head) for tail, head, _ in places[place]["lines"]} == links, scopes[scope]["name"]


def first(scope: dict[str, Any], each: bool) -> list[list[int]]:
    """The children of a scope that are shown: all, or of those that repeat the first ones."""
    rest = {
        i
        for start, period, copies, _ in (() if each else scope.get("folds", ()))
        for i in range(start + period, start + period * copies)
    }
    return [child for i, child in enumerate(scope["children"]) if i not in rest]


@pytest.mark.parametrize("name", ["resnet50", "swin_t", "densenet121", "vgg16", "mixtral_8x7b"])
def test_what_the_graph_folds_is_what_the_table_folds(name: str) -> None:
    """The layers that are left, each scope of those that repeat in it once, are the rows of ``--fold``."""
    found = known(name)
    scopes, texts = found["nested"]["scopes"], found["strings"]
    left = []
    waiting = [0]
    while waiting:
        for kind, child in first(scopes[waiting.pop()], each=False):
            if kind:
                waiting.append(child)
            else:
                left.append(texts[found["layers"][child][0]])
    rows = list(csv.DictReader(io.StringIO(run("shapes", name, "--fold", "--format", "csv").stdout)))
    assert {*left} == {re.sub(r"\.\.\w+", "", row["layer"].split(" ")[0]) for row in rows}


def overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    """Whether two rectangles have more than an edge in common."""
    return all(
        a[at] < b[at] + b[long] - 0.5 and b[at] < a[at] + a[long] - 0.5
        for at, long in (("x", "width"), ("y", "height"))
    )


def contains(outer: dict[str, float], inner: dict[str, float]) -> bool:
    """Whether one lies in the other."""
    return all(
        outer[at] <= inner[at] + 0.5 and inner[at] + inner[long] <= outer[at] + outer[long] + 0.5
        for at, long in (("x", "width"), ("y", "height"))
    )


@node
@pytest.mark.parametrize("each", [True, False], ids=["each", "folded"])
@pytest.mark.parametrize(
    "name", ["resnet18", "googlenet", "unet", "swin_t", "siamese_resnet18", "densenet121"]
)
def test_whatever_is_open_nothing_lies_on_anything_else(name: str, each: bool) -> None:
    found = known(name)
    scopes = found["nested"]["scopes"]
    rng = random.Random(11)
    count = len(scopes)
    states = [[0], list(range(count)), *(rng.sample(range(count), count // 2) for _ in range(2))]
    for made, state in zip(
        answers([("compose", [found, state, each]) for state in states]), states, strict=True
    ):
        opened = {frame["scope"]: frame for frame in made["frames"]}
        shown = set(opened)
        # what is seen is what the scopes that are open hold
        seen = {(box["layer"], box["number"]) for box in made["boxes"]}
        wanted = {
            (not kind, child)
            for scope in (0, *shown)
            for kind, child in first(scopes[scope], each)
            if not kind or child not in shown
        }
        assert seen == wanted
        assert all(scope in state for scope in shown)
        boxes = made["boxes"]
        near = sorted(boxes, key=lambda box: box["y"])
        for i, box in enumerate(near):
            for other in near[i + 1 :]:
                if other["y"] >= box["y"] + box["height"]:
                    break
                assert not overlap(box, other), (box, other)
        for a, b in combinations(opened.values(), 2):
            assert not overlap(a, b) or contains(a, b) or contains(b, a)
        for scope, frame in opened.items():
            for kind, child in first(scopes[scope], each):
                inner = opened.get(child) if kind else None
                inner = inner or next(
                    box for box in boxes if (box["layer"], box["number"]) == (not kind, child)
                )
                assert contains(frame, inner)
        ends = [(line["points"][-2], line["points"][-1]) for line in made["lines"] if line["tip"]]
        for x, y in ends:  # each head is at the upper edge of a box
            assert any(
                abs(box["y"] - y) < 0.6 and box["x"] <= x <= box["x"] + box["width"] for box in boxes
            ), (x, y)


# --- what the viewer computes ------------------------------------------------------------------------------


def windows(seed: int, count: int, *, narrow: bool = False) -> Iterator[Window]:
    rng = random.Random(seed)
    for _ in range(count):
        transposed = rng.random() < 0.35
        kernel, stride = rng.randint(1, 7), rng.randint(1, 4)
        before, after = rng.randint(0 if narrow else -2, 5), rng.randint(0 if narrow else -2, 5)
        dilation, ceil = rng.randint(1, 3), not transposed and rng.random() < 0.3
        yield Window(kernel, stride, before, after, dilation, ceil, transposed)


def plain(window: Window) -> dict[str, Any]:
    return dict(window._asdict())


@node
def test_windows_are_those_of_the_geometry() -> None:
    cases = [(window, size) for window in windows(1, 4000) for size in (1, 7, 224)]
    found = answers([("window", [plain(window), size]) for window, size in cases])
    for (window, size), said in zip(cases, found, strict=True):
        assert said == {
            "output": window.output(size),
            "remainder": window.remainder(size),
            "unseen": window.unseen(size),
            "formula": window.formula,
            "arithmetic": window.arithmetic(size),
        }, (window, size)


@node
def test_fields_are_those_of_the_geometry() -> None:
    drawn = list(windows(2, 9000, narrow=True))
    chains = [drawn[i : i + 1 + i % 4] for i in range(0, len(drawn), 3)]
    found = answers([("field", [[plain(window) for window in chain]]) for chain in chains])
    kinds = set()
    for chain, said in zip(chains, found, strict=True):
        try:
            field = INPUT
            for window in chain:
                field = field.through(window)
        except NonUniformField:
            assert said is None, chain
            kinds.add(0)
            continue
        kinds.add(field.period)
        assert said == {
            "starts": list(field.starts),
            "stops": list(field.stops),
            "step": field.step,
        }, chain
    assert kinds >= {0, 1, 2, 3}


@node
def test_the_front_is_that_of_charts() -> None:
    rng = random.Random(3)
    cases: list[tuple[list[tuple[float, float]], tuple[int, int]]] = [
        (
            [(rng.randint(0, 9), rng.randint(0, 9)) for _ in range(rng.randint(0, 12))],
            (rng.choice((-1, 1)), rng.choice((-1, 1))),
        )
        for _ in range(500)
    ]
    found = answers([("front", [values, better]) for values, better in cases])
    assert found == [front(values, better) for values, better in cases]


@node
def test_an_address_restores_what_was_shown() -> None:
    (first,) = answers([("fromFragment", [""])])
    rng = random.Random(4)
    marks = "aé&=#%<>\"' ,;/+\u2028\U0001f600"
    states = [{key: "".join(rng.choices(marks, k=5)) for key in first} for _ in range(200)]
    assert answers([("restored", [state]) for state in states]) == states
    for broken in ("#%E0%A4", "#view=%E0%A4%A", "#__proto__=1&constructor=2", "#====&&&"):
        assert answers([("fromFragment", [broken])])[0] == first | (
            {} if "view" not in broken else {"view": first["view"]}
        )


@node
@pytest.mark.parametrize(("log", "zero"), [(False, True), (False, False), (True, True), (True, False)])
def test_axes_hold_their_values(log: bool, zero: bool) -> None:
    rng = random.Random(5)
    cases = [[rng.choice((1, 7, 1e3, 1e9)) * rng.randint(1, 9) for _ in range(4)] for _ in range(300)]
    for values, said in zip(cases, answers([("axis", [one, log, zero]) for one in cases]), strict=True):
        assert all(-1e-9 <= at <= 1 + 1e-9 for at in said["at"]), values
        order = sorted(range(4), key=lambda i: values[i])
        assert sorted(said["at"]) == [said["at"][i] for i in order]
        assert 2 <= len(said["ticks"]) <= 14


# --- how the viewer is built ---------------------------------------------------------------------------


@tools
@node
def test_the_viewer_is_what_its_source_builds(tmp_path: Path) -> None:
    subprocess.run(["node", "build.js", f"{tmp_path}/"], cwd=WEB, check=True)
    for name in ("explorer.js", "playground.js", "explorer.css", "LICENSES.txt"):
        assert (tmp_path / name).read_text("utf-8").strip() == built(name), "npm run build"


@tools
@node
@pytest.mark.parametrize("command", [["tsc"], ["biome", "check", "."]])
def test_the_source_of_the_viewer_is_typed_and_in_form(command: list[str]) -> None:
    done = subprocess.run(
        [f"node_modules/.bin/{command[0]}", *command[1:]], cwd=WEB, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_licences_of_what_is_bundled_are_there() -> None:
    package = json.loads((WEB / "package.json").read_text("utf-8"))
    text = built("LICENSES.txt")
    for name, version in package["dependencies"].items():
        assert f"{name} {version}" in text
    for viewer in ("explorer.js", "playground.js"):
        assert "Mike Bostock" in built(viewer)
    assert "Marijn Haverbeke" in built("playground.js")


# --- mistakes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("resnet51",), 2, "did you mean resnet5"),
        (("lenet5", "lenet5"), 2, "lenet5 is named twice"),
        (("missing.yaml",), 2, "missing.yaml"),
        (("lenet5", "-o", "no/such/folder/x.html"), 2, "cannot be written"),
        (("broken.yaml",), 1, "reluu"),
        (("lenet5", "-o", "."), 2, ". cannot be written"),
    ],
)
def test_mistakes(args: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("input: 3x8x8\nlayers: [reluu]\n")
    ended = run("explore", *args, cwd=tmp_path)
    assert ended.returncode == code
    assert said in ended.stderr
    assert not (tmp_path / "explorer.html").exists()


def test_two_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.yaml").write_text("input: 3x8x8\nlayers: [relu]\n")
    ended = run("explore", "a/same.yaml", "b/same.yaml", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    networks = data((tmp_path / "explorer.html").read_text("utf-8"))["networks"]
    assert [one["name"] for one in networks] == ["a/same.yaml", "b/same.yaml"]


def test_another_input_is_that_of_the_page(tmp_path: Path) -> None:
    one = data(page(tmp_path, "resnet18", "--input", "3x64x64"))["networks"][0]
    study = Study(network("resnet18").with_input("3x64x64"))
    assert one["values"][SHOWN.index("macs")] == comparison.find(study).macs
    assert "another input" in one["values"][SHOWN.index("top1")]
