"""``archlens format`` lays specs out in one way, and changes nothing that they say."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

import archlens
from archlens.errors import Source, Span, SpecError
from archlens.language import tidying
from archlens.language.document import Mapping, Node, Scalar, Sequence, compose
from archlens.language.expression import Expression
from archlens.language.spec import parse
from archlens.language.tidying import spaced, tidied
from archlens.library.finding import families, text_of
from archlens.library.skeleton import skeleton
from archlens.writing import convert

from .random_networks import Drawn, networks
from .running import run
from .seeds import seeds
from .test_diagnostics import CASES
from .zoo import SMALLEST, network


def meaning(part: Any) -> Any:
    """What a record of a spec says, without the places where it says so."""
    if isinstance(part, Expression):
        return ast.dump(part.tree)
    if isinstance(part, Span | Source):
        return None
    if isinstance(part, Scalar):
        return part.value
    if isinstance(part, dict):
        return {key: meaning(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [meaning(one) for one in part]
    if is_dataclass(part) and not isinstance(part, Node | type):
        own = [field.name for field in fields(part) if field.name not in ("node", "names", "where")]
        return type(part).__name__, {name: meaning(getattr(part, name)) for name in own}
    return part if isinstance(part, str | int | float | bool | None) else type(part).__name__


def comments(text: str) -> list[str]:
    """The comments of a spec whose texts hold no number sign behind a blank."""
    return re.findall(
        r"(?:^|(?<=\s))#.*", "\n".join(line.rstrip() for line in text.split("\n")), re.MULTILINE
    )


def check(text: str) -> str:
    """What a spec becomes, which says the same, has the same comments, and becomes nothing else again."""
    result = tidied(text)
    assert meaning(parse(result)) == meaning(parse(text))
    assert comments(result) == comments(text)
    assert tidied(result) == result
    return result


@pytest.mark.parametrize("family", families())
def test_zoo(family: str) -> None:
    assert check(text_of(family)) == text_of(family)


def test_manual_of_mistakes() -> None:
    """What is no network may be a spec all the same."""
    done = 0
    for case in CASES.values():
        if not is_spec(case.text):
            with pytest.raises(SpecError):
                tidied(case.text)
            continue
        check(case.text)
        done += 1
    assert done > 400


def is_spec(text: str) -> bool:
    try:
        parse(text)
    except SpecError:
        return False
    return True


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(networks())
def test_random_networks(drawn: Drawn) -> None:
    check(drawn.text)


def mangled(text: str, draw: random.Random) -> Iterator[str]:
    """A spec as others might write it, in steps: each may be no spec any more, or another."""
    lines = text.split("\n")
    wide = draw.choice([2, 3, 4])
    deeper = [" " * ((len(line) - len(line.lstrip())) * wide // 2) + line.lstrip() for line in lines]
    yield "\n".join(deeper)
    flush, inside = [], False
    for line in lines:  # lists under a key of the first level without indentation
        inside = bool(re.match(r"\w+:$", line)) or (inside and line[:1] in (" ", "", "#"))
        flush.append(line[2:] if inside and line.startswith("  ") else line)
    yield "\n".join(flush)
    for pattern, others in [
        (r"(?<=\w): (?=[\w\[{\"'])", [":  ", ":   "]),
        (r", (?=[\w(\[{])", [",", ",  ", " , "]),
        (r" (>>|\*|\+|/|//|==|if|else) ", [r"  \1 ", r" \1  "]),
        (r" (>>|//|==) ", [r"\1"]),
        (r"(?<=\()(?=\w)|(?<=\w)(?=\))", [" "]),
        (r"(?<=[\[{])(?=\w)|(?<=\w)(?=[\]}])", [" "]),
        (r"$", ["  ", ""]),
        (r"\n\n", ["\n\n\n"]),
    ]:
        chance = draw.choice([0.1, 1])
        yield re.sub(
            pattern,
            lambda found, others=others, chance=chance: (  # type: ignore[misc]
                found.expand(draw.choice(others)) if draw.random() < chance else found[0]
            ),
            text,
            flags=re.MULTILINE,
        )


def spelled(text: str) -> bool:
    """Whether each expression stands in a spec as it is read: those over lines, or with escapes, are left."""
    return is_spec(text) and all(one.text in text for one in expressions(parse(text)))


def expressions(part: Any) -> Iterator[Expression]:
    if isinstance(part, Expression):
        yield part
    elif isinstance(part, dict | list | tuple):
        for one in part.values() if isinstance(part, dict) else part:
            yield from expressions(one)
    elif is_dataclass(part) and not isinstance(part, Node | Source | type):
        for field in fields(part):
            yield from expressions(getattr(part, field.name))


@seeds(40)
def test_written_otherwise(seed: int) -> None:
    """However the same is written, it ends in the same layout; where comments begin is the writer's."""
    draw = random.Random(seed)
    texts = [*map(text_of, families()), *(case.text for case in CASES.values())]
    done = 0
    while done < 5:
        text = draw.choice(texts)
        if not spelled(text):
            continue
        said = meaning(parse(text))
        for other in mangled(text, draw):
            if not is_spec(other) or meaning(parse(other)) != said or kept(other) != kept(text):
                continue
            result = check(other)
            assert bare(result) == bare(tidied(text))
            done += 1


def kept(text: str) -> list[str]:
    """What stands in a spec that is no expression: texts, and comments."""
    at = {one.node.index for one in expressions(parse(text))}
    return [*comments(text), *texts_in(compose(Source("", text)), at)]


def texts_in(node: Node | None, without: set[int]) -> Iterator[str]:
    if isinstance(node, Scalar) and node.index not in without:
        yield node.value
    for one in node.items if isinstance(node, Sequence) else ():
        yield from texts_in(one, without)
    for one in node.values.values() if isinstance(node, Mapping) else ():
        yield from texts_in(one, without)


def bare(text: str) -> list[str]:
    """The lines without the blanks before comments, and those with which lines in brackets go on."""
    return [re.sub(r"\s+(?=#|$)", " ", line.strip()) for line in text.split("\n") if line.strip()]


def test_what_archlens_writes() -> None:
    """The text of ``archlens new`` and that of ``archlens convert`` are in the layout."""
    assert tidied(skeleton("mine")) == skeleton("mine")
    for name in SMALLEST[::9]:
        try:
            text = convert(network(name))
        except archlens.UsageError:
            continue  # not all can be said
        assert check(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv(8,3)>>relu", "conv(8, 3) >> relu"),
        ("a-1", "a - 1"),
        ("a if b  else -1", "a if b else -1"),
        ("2**-n", "2 ** -n"),
        ("(not a)and b", "(not a) and b"),
        ("d[ 1 : n+1 ]", "d[1:n + 1]"),
        ("(1,)", "(1,)"),
        ("x . channels", "x.channels"),
        ("[ (1 , 2) , 3 ]", "[(1, 2), 3]"),
        ("a==1", "a == 1"),
        ("f(a==1, b = 2)", "f(a == 1, b=2)"),
        ('f( "a , b" )', 'f("a , b")'),
        ("ref (x)", "ref(x)"),
        ("a not  in b", "a not in b"),
        ("1 if x in(1,2)else 2", "1 if x in (1, 2) else 2"),
    ],
)
def test_expressions(text: str, expected: str) -> None:
    assert spaced(text) == expected


def test_layout() -> None:
    """What no other file of the tests has: comments at each level, brackets over lines, texts over lines."""
    text = """\


# at the top
input:   3x8x8   # the input
notes:
- >-
   folded
     deeper

   again
- |
 kept
  deeper
params: {a:1 , "b": [1,2 ,3], c : ~}
blocks:
    # about unit
    unit(n,stride = 1):
    # about its steps
    - conv(n,3,
           stride)   # behind
    # after its steps
layers:
- residual:
  - unit(3)


  # between
  - [ relu , {act : tanh} ]
  # the end of the inner list
# the end of the outer
- concat: {
    one: relu,
      two: [relu,
            tanh],
  }
"""
    expected = """\
# at the top
input: 3x8x8     # the input
notes:
  - >-
    folded
      deeper

    again
  - |
    kept
     deeper
params: {a:1, "b": [1, 2, 3], c: ~}
blocks:
  # about unit
  unit(n, stride=1):
    # about its steps
    - conv(n,3,
           stride)   # behind
    # after its steps
layers:
  - residual:
      - unit(3)

      # between
      - [relu, {act: tanh}]
      # the end of the inner list
  # the end of the outer
  - concat: {
      one: relu,
      two: [relu,
            tanh],
    }
"""
    assert tidied(text.replace("{a:1 ", "{a: 1 ")) == expected.replace("{a:1", "{a: 1")


def test_refused() -> None:
    with pytest.raises(SpecError, match="this key has no layout"):
        tidied("? input\n: 3x8x8\nlayers: [relu]\n")
    with pytest.raises(SpecError, match="this is not valid YAML"):
        tidied("input: 3x8x8\nlayers: [relu\n")


def test_what_would_say_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "spaced", lambda text: text.replace("8", "9"))
    monkeypatch.setattr(tidying._Layout, "edit", lambda *_: None)
    with pytest.raises(SpecError, match="no layout of this file would keep its meaning"):
        tidied("input: 3x8x8\nlayers: [relu, conv(8)]\n")


def test_command(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"input:  3x8x8\r\nlayers:\r\n- conv(8,3)\r\n")
    before = file.read_bytes()
    assert run("format", "--check", "a.yaml", cwd=tmp_path) == (1, "", "a.yaml would be reformatted\n")
    ended = run("format", "--diff", "a.yaml", cwd=tmp_path)
    assert ended.returncode == 0
    assert "+  - conv(8, 3)" in ended.stdout
    assert file.read_bytes() == before
    assert run("format", "a.yaml", cwd=tmp_path) == (0, "", "a.yaml is reformatted\n")
    assert file.read_bytes() == b"input: 3x8x8\r\nlayers:\r\n  - conv(8, 3)\r\n"
    assert run("format", "--check", "a.yaml", cwd=tmp_path) == (0, "", "")
    assert run("format", cwd=tmp_path).returncode == 2
    assert run("format", "lenet5", cwd=tmp_path).returncode == 2
    file.write_text("input: 3x8x8\nlayers: [reluu\n")
    ended = run("format", "a.yaml", cwd=tmp_path)
    assert ended.returncode == 1
    assert "this [ is never closed" in ended.stderr


def test_files_of_other_tools(tmp_path: Path) -> None:
    text = "nc:   80\nbackbone:\n- [-1, 1, Conv, [64, 3, 2]]\nhead:\n- [-1, 1, Classify, [nc]]\n"
    file = tmp_path / "yolo.yaml"
    file.write_text(text)
    ended = run("format", "--check", "yolo.yaml", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "yolo.yaml is not a spec, so it is left unchanged\n")
    assert file.read_text() == text
