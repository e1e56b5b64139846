"""Parts of other files: what `use:` names, how it is laid out, and what is said of it where it is wrong."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import archlens
from archlens import Network
from archlens.cli.options import Given
from archlens.dialects import find, find_at
from archlens.library import open_spec, using
from archlens.lint import lint
from archlens.views import json as network_json

HEAD = """\
input: 8x16x16
params: {width: 4, act: relu}
blocks:
  unit(out, act=act): conv(out, 3, padding=1) >> act
layers:
  - stem: unit(width)
  - body:
      - a: unit(width) >> unit(2 * width)
      - b: conv(width + x.height, 1)
  - ref(stem) >> conv(input.channels, 1)
variants:
  wide: {width: 16}
  v1.5: {width: 15}
"""

Put = Callable[..., str]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Writes a file under the current folder, which is empty at first."""
    monkeypatch.chdir(tmp_path)

    def put(name: str, text: str) -> str:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, "utf-8")
        return name

    return put


def spec(uses: str, *layers: str, input: str = "3x8x8", more: str = "") -> str:
    lines = "".join(f"  - {line}\n" for line in layers)
    return f"input: {input}\nuse: {{{uses}}}\n{more}layers:\n{lines}"


def reads(network: Network) -> dict[str, tuple[str, ...]]:
    return {layer.name: layer.inputs for layer in network}


def widths(network: Network) -> list[int]:
    return [layer.shape.channels for layer in network if layer.op.kind == "conv"]


def refused(name: str) -> str:
    with pytest.raises(archlens.SpecError) as caught:
        archlens.load(name)
    return str(caught.value)


def test_a_file_is_a_scope(put: Put) -> None:
    """Names and refs are those of the file within the scope, and `input` is what flows in."""
    put("head.yaml", HEAD)
    net = archlens.load(put("net.yaml", spec("head: ./head.yaml", "conv(5, 1)", "end: head", "relu")))
    assert reads(net) == {
        "0": ("input",),
        "end.stem.0": ("0",),
        "end.stem.1": ("end.stem.0",),
        "end.body.a.0.0": ("end.stem.1",),
        "end.body.a.0.1": ("end.body.a.0.0",),
        "end.body.a.1.0": ("end.body.a.0.1",),
        "end.body.a.1.1": ("end.body.a.1.0",),
        "end.body.b": ("end.body.a.1.1",),
        "end.0": ("end.stem.1",),
        "relu": ("end.0",),
    }
    # its width is 4, its map 8x8 here, and what flows into it has 5 channels
    assert widths(net) == [5, 4, 4, 2 * 4, 4 + 8, 5]
    assert net.blocks["end"] == "head"
    assert net.blocks["end.stem"] == "unit"


def test_params_of_the_file_are_settable(put: Put) -> None:
    put("head.yaml", HEAD)
    head = "params: {n: 3}\n"
    lines = (
        'a: head(width=n, act=tanh, until="stem")',
        "wide(until='stem')",
        "old(until='stem', width=n + 1)",
    )
    uses = "head: head.yaml, wide: head.yaml:wide, old: './head.yaml:v1.5'"
    net = archlens.load(put("net.yaml", spec(uses, *lines, more=head)))
    assert widths(net) == [3, 16, 4]
    assert [layer.op.kind for layer in net] == ["conv", "tanh", "conv", "relu", "conv", "relu"]
    assert widths(archlens.load("net.yaml", n=7)) == [7, 16, 8]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("stem.0", "stem.0"),
        ("body.a", "body.a.1.1"),
        ("body.a.0", "body.a.0.1"),
        ("body", "body.b"),
        ("0", "0"),
    ],
)
def test_until(until: str, last: str, put: Put) -> None:
    """It ends with that step, be it a layer, a scope, within one, or the last of all."""
    put("head.yaml", HEAD)
    net = archlens.load(
        put("net.yaml", spec("head: head.yaml", f"h: 'head(until=\"{until}\")'".replace("'", "")))
    )
    assert net.layers[-1].name == f"h.{last}"
    whole = archlens.load(put("all.yaml", spec("head: head.yaml", "h: head")))
    assert reads(whole) | reads(net) == reads(whole)


def test_until_within_a_block_that_has_been_laid_out_before(put: Put) -> None:
    """The second unit is on the shape of the first, whose layers would be taken over as they are."""
    text = "input: 4x8x8\nblocks:\n  unit: {residual: [a: 'conv(4, 1)', b: relu]}\nlayers: [unit * 3, tanh]\n"
    put("three.yaml", text)
    net = archlens.load(put("net.yaml", spec("three: three.yaml", 'h: three(until="1.a")', input="4x8x8")))
    assert list(reads(net)) == ["h.0.a", "h.0.b", "h.0.add", "h.1.a"]
    nested = spec("net: net.yaml", 'n: net(until="h.0.add")', "sigmoid", input="4x8x8")
    assert reads(archlens.load(put("nested.yaml", nested)))["sigmoid"] == ("n.h.0.add",)


def test_scopes_end_with_the_step_that_a_file_runs_until(put: Put) -> None:
    """They are there for refs, and once more as far as they ran."""
    put("head.yaml", HEAD.replace("- a:", "- s: [t: tanh, c: 'conv(5, 1)', r: relu]\n      - a:"))
    lines = ('h: head(until="body.s.c")', 'ref("h.body")', 'again("h.body.s.t")', "tanh")
    net = archlens.load(put("net.yaml", spec("head: head.yaml", *lines)))
    assert list(reads(net)) == ["h.stem.0", "h.stem.1", "h.body.s.t", "h.body.s.c", "h.body.s.t_1", "tanh"]
    assert reads(net)["h.body.s.t_1"] == ("h.body.s.c",)
    more = (lines[0], "conv(4, 1)", 'again("h.body.s")', "conv(4, 1)", 'b: again("h.body")')
    net = archlens.load(put("more.yaml", spec("head: head.yaml", *more)))
    assert list(reads(net))[4:] == ["0", "h.body.s.t_1", "h.body.s.c_1", "1", "b.s.t", "b.s.c"]
    # 4 x 3 of 3x3 with biases; then 5 x 4, 4 x 5, 4 x 5 of 1x1 with biases, and the shared ones once
    assert net.params == (4 * 3 * 9 + 4) + (5 * 4 + 5) + 2 * (4 * 5 + 4)


def test_a_block_and_a_step_of_a_file(put: Put) -> None:
    put("head.yaml", HEAD)
    net = archlens.load(
        put(
            "net.yaml", spec("unit: head.yaml:wide.unit, body: head.yaml.body", "unit(6)", "b: body(width=2)")
        )
    )
    assert list(reads(net)) == ["0.0", "0.1", "b.a.0.0", "b.a.0.1", "b.a.1.0", "b.a.1.1", "b.b"]
    assert widths(net) == [6, 2, 4, 2 + 8]


def test_a_network_of_the_zoo() -> None:
    """ResNet-50 up to its last stage, as it is of itself; and one of its blocks, with its own parameters."""
    net = archlens.loads(
        spec(
            "resnet: resnet50, unit: resnet50.bottleneck",
            'b: resnet(until="layer4")',
            "u: unit(512)",
            input="3x64x64",
        )
    )
    alone = archlens.load("resnet50", input="3x64x64")
    own = [layer for layer in alone if layer.name not in ("avgpool", "flatten", "fc")]
    found = [layer for layer in net if layer.name.startswith("b.")]
    assert [(la.name, la.op, la.shape) for la in found] == [(f"b.{la.name}", la.op, la.shape) for la in own]
    # 1x1 from 2,048 to 512, 3x3, 1x1 back; each with a batch norm
    assert sum(la.params for la in net if la.within("u")) == 2 * 2048 * 512 + 9 * 512**2 + 2 * (
        512 + 512 + 2048
    )


def test_a_path_starts_at_the_file_that_it_stands_in(put: Put) -> None:
    put("parts/unit.yaml", "input: 3x8x8\nlayers: ['conv(7, 1)']\n")
    put("parts/head.yaml", spec("unit: ./unit.yaml", "u: unit"))
    put("nets/net.yaml", spec("head: ../parts/head.yaml, unit: ../parts/unit.yaml", "h: head", "unit"))
    assert reads(archlens.load("nets/net.yaml")) == {"h.u.0": ("input",), "0.0": ("h.u.0",)}


def test_a_block_is_handed_on_to_another_file(put: Put) -> None:
    """It keeps the names of the file where it stands, and may be called as a block there is."""
    put(
        "head.yaml",
        "input: 3x8x8\nparams: {unit: plain, width: 2}\nblocks: {plain: relu}\nlayers: [unit, unit]\n",
    )
    net = archlens.load(
        put(
            "net.yaml",
            spec(
                "head: head.yaml",
                "head(unit=own)",
                more="params: {width: 9}\nblocks:\n  own: conv(width, 1)\n",
            ),
        )
    )
    assert widths(net) == [9, 9]


def test_what_is_used_is_applied_once_more(put: Put) -> None:
    """With the weights that it has: 4 x 3 of the convolution that is applied twice, and 6 x 4 of another."""
    put("head.yaml", "input: 3x8x8\nlayers: ['conv(4, 1, bias=false)', 'conv(3, 1)']\n")
    lines = ('left: head(until="0")', "ref(input)", "again(left)", "c: conv(6, 1, bias=false)")
    net = archlens.load(put("net.yaml", spec("head: head.yaml", *lines)))
    assert net.params == 4 * 3 + 6 * 4
    assert net.macs == (2 * 4 * 3 + 6 * 4) * 64


def test_a_change_in_a_used_file_is_seen(put: Put) -> None:
    put("head.yaml", HEAD)
    put("net.yaml", spec("head: head.yaml", "head(until='stem')"))
    assert widths(archlens.load("net.yaml")) == [4]
    put("head.yaml", HEAD.replace("width: 4", "width: 6"))
    assert widths(archlens.load("net.yaml")) == [6]


def test_a_file_at_a_revision_uses_files_at_that_revision(put: Put) -> None:
    put("models/head.yaml", HEAD)
    put("head.yaml", HEAD.replace("width: 4", "width: 11"))  # another file of that name at the top
    put("models/net.yaml", spec("head: ./head.yaml", "head(until='stem')"))

    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], check=True, capture_output=True
        )

    git("init", "-q", ".")
    git("add", ".")
    git("commit", "-qm", "first")
    put("models/head.yaml", HEAD.replace("width: 4", "width: 6"))

    def conv(name: str) -> list[int]:
        return widths(archlens.dialects.network(find_at(name)))

    assert conv("models/net.yaml") == [6]
    assert conv("HEAD:models/net.yaml") == [4]
    put("models/other.yaml", spec("head: ./gone.yaml", "head"))
    git("add", ".")
    git("commit", "-qm", "second")
    put("models/gone.yaml", HEAD)
    with pytest.raises(archlens.SpecError, match=r"HEAD has no file models/gone\.yaml"):
        find_at("HEAD:models/other.yaml")


def test_what_is_wrong_in_a_used_file_is_shown_there_and_where_it_is_used(put: Put) -> None:
    put("head.yaml", "input: 3x8x8\nlayers:\n  - conv(4, 3)\n  - conv(widht, 1)\n")
    put("mid.yaml", spec("head: head.yaml", "head"))
    assert refused(put("net.yaml", spec("mid: mid.yaml", "m: mid"))) == (
        "error: the name widht is not known here\n"
        " --> head.yaml:4:10\n"
        "  |\n"
        "4 |   - conv(widht, 1)\n"
        "  |          ^^^^^\n"
        " ::: mid.yaml:4:5\n"
        "  |\n"
        "4 |   - head\n"
        "  |     ^^^^ head is used here\n"
        " ::: net.yaml:4:8\n"
        "  |\n"
        "4 |   - m: mid\n"
        "  |        ^^^ mid is used here\n"
        "  = help: a string needs quotes"
    )
    # a window that does not fit, and a file that is no spec at all
    put("head.yaml", "input: 3x8x8\nlayers: ['max_pool(20)']\n")
    found = refused("net.yaml")
    assert "m.0.0 (max_pool) does not fit" in found
    assert "head.yaml:2:11" in found
    assert "mid.yaml:4:5" in found
    assert "net.yaml:4:8" in found
    put("head.yaml", "layers: [relu]\n")
    found = refused("net.yaml")
    assert "the spec has no input:" in found
    assert "head.yaml:1:1" in found
    assert "mid.yaml:2:13" in found
    assert "net.yaml:2:12" in found


def test_files_that_use_each_other(put: Put) -> None:
    put("a.yaml", spec("b: ./b.yaml", "b"))
    put("b.yaml", spec("c: ./sub/../c.yaml", "c"))
    put("c.yaml", spec("b: b.yaml", "b"))
    found = refused("a.yaml")
    assert "b.yaml uses itself: b.yaml -> c.yaml -> b.yaml" in found
    assert "c.yaml:2:10" in found
    assert "b.yaml:2:10" in found


def test_what_a_file_has_not(put: Put) -> None:
    put("head.yaml", HEAD)
    put("net.yaml", spec("head: head.yaml.boddy", "head"))
    found = refused("net.yaml")
    assert "head.yaml has no block or step boddy" in found
    assert "did you mean body?" in found
    assert "net.yaml:2:13" in found
    assert "head.yaml:1:1" in found
    put("net.yaml", spec("head: head.yaml:narrow", "head"))
    assert "head.yaml has no variant narrow" in refused("net.yaml")
    put("net.yaml", spec("head: head.yaml:narrow.unit", "head"))
    assert "head.yaml has no variant narrow" in refused("net.yaml")
    put("head.yaml", HEAD.replace("  - body:", "  - unit:"))
    put("net.yaml", spec("unit: head.yaml.unit", "unit"))
    found = refused("net.yaml")
    assert "unit is both a block and a step of head.yaml" in found
    assert "head.yaml:4:3" in found
    assert "head.yaml:7:5" in found
    put("head.yaml", "input: {a: 3x8x8, b: 3x8x8}\nlayers: [relu]\n")
    put("net.yaml", spec("head: head.yaml", "head"))
    assert "head has 2 inputs, and a step reads one tensor" in refused("net.yaml")
    Path("folder.yaml").mkdir()
    put("net.yaml", spec("head: folder.yaml", "head"))
    assert "folder.yaml is not a file" in refused("net.yaml")


def test_a_text_has_no_folder() -> None:
    for path in ("./head.yaml", "head.yaml:small", "/head.yaml"):
        with pytest.raises(
            archlens.SpecError, match="is a path from a spec's own file, and this spec is in none"
        ):
            archlens.loads(spec(f"head: '{path}'", "head"))
    with pytest.raises(archlens.SpecError, match="what head is has not been read"):
        archlens.elaboration.elaborate(archlens.language.parse(spec("head: resnet18", "head")))


def test_files_are_bounded(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        put(f"f{number}.yaml", spec(f"a: f{number + 1}.yaml, b: f{number + 1}.yaml", "a", "b"))
    put("f6.yaml", "input: 3x8x8\nlayers: [relu]\n")
    assert len(archlens.load("f0.yaml")) == 2**6  # each is read once, though there are 64 ways to the last
    monkeypatch.setattr(using, "MAX_FILES", 5)
    assert "more than 5 other specs are used, one through the other" in refused("f0.yaml")
    monkeypatch.setattr(using, "MAX_FILES", 100)
    monkeypatch.setattr(using, "MAX_CHARACTERS", 200)
    assert "the specs that are used have more than the 200 characters allowed" in refused("f0.yaml")


def test_what_is_used_and_never_named_is_found(put: Put) -> None:
    put("net.yaml", spec("backbone: resnet18, unit: resnet18.basic", "unit(4)"))
    findings = lint(archlens.study("net.yaml"), open_spec("net.yaml"))
    (finding,) = [one for one in findings if one.rule.code == "AL602"]
    assert finding.message == "the part backbone is used by nothing"
    assert finding.span is not None
    assert finding.span.column == 7


def test_where_a_step_stands_is_said_with_its_file(put: Put) -> None:
    put("head.yaml", "input: 3x8x8\nlayers:\n  - conv(4, 1)\n")
    put("net.yaml", spec("head: head.yaml", "relu", "head"))
    first, second = network_json.to_data(archlens.study("net.yaml"))["layers"]
    assert (first["line"], first.get("file")) == (4, None)
    assert (second["line"], second["file"]) == (3, "head.yaml")


def test_a_step_as_a_param_is_the_same_on_another_input(put: Put) -> None:
    put("net.yaml", "input: 3x8x8\nparams: {act: relu >> tanh}\nlayers: [act]\n")
    network = archlens.load("net.yaml", input="3x9x9")
    assert Given(("3x9x9",), ()).overridden(network, find("net.yaml")) == "another input"
