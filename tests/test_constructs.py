"""The constructs of the language are whole: each has its mistakes, its draws, its examples, and its words.

What stands for a construct in a text is in ``constructs.py`` beside; one that is not there fails here.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import archlens
from archlens.cli import cli
from archlens.language.constructs import CONSTRUCTS
from archlens.language.steps import KEYWORDS
from archlens.language.synonyms import construct_words, op_meant, plain
from archlens.ops import LANGUAGE, MERGES

from .constructs import SIGNS, constructs_in
from .random_experts import text_of
from .random_networks import STRATA
from .test_diagnostics import CASES, Case, places

DOCS = Path(__file__).parent.parent / "docs"


def test_each_has_a_sign() -> None:
    assert SIGNS.keys() == {*CONSTRUCTS, *ALSO}


def test_each_word_that_opens_a_step_is_a_construct_or_merges() -> None:
    parts_of_each = {"in", "do"}
    assert {*KEYWORDS} - MERGES.keys() - parts_of_each <= CONSTRUCTS.keys()
    assert not CONSTRUCTS.keys() & LANGUAGE.keys()


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_its_example_uses_it(name: str) -> None:
    one = CONSTRUCTS[name]
    assert name in constructs_in(one.example)
    network = archlens.loads(one.example, variant="small" if name == "variants" else "")
    assert str(network.output) in CliRunner().invoke(cli, ["ops", name]).output


#: And what an op is that nothing else holds so; ``test_custom.py`` draws it.
ALSO = ("custom",)


@pytest.mark.parametrize("name", [*CONSTRUCTS, *ALSO])
def test_its_mistakes_are_in_the_manual(name: str) -> None:
    """Some message has its mark on a line with the construct, or beneath its key."""
    assert any(name in constructs_in(marked(case)) for case in CASES.values())


def marked(case: Case) -> str:
    """The line that a message marks, and the key of the spec that it stands under."""
    for place in places(case.expected)[:1]:
        above = [line for line in case.text.split("\n")[: place.line] if re.match(r"\w+:", line)]
        return "\n".join([place.shown, *above[-1:]])
    return ""


@pytest.mark.parametrize("name", [*CONSTRUCTS, *ALSO])
def test_it_stands_in_an_example_of_the_documentation(name: str) -> None:
    """One whose command and output are run by the tests of the documentation."""
    texts = [page.read_text("utf-8") for page in DOCS.glob("*.md") if page.name != "ops.md"]
    fences = [fence for text in texts for fence in re.findall(r"^```yaml\n(# \S+\n(?s:.*?))^```", text, re.M)]
    assert any(name in constructs_in(fence) for fence in fences)


def test_random_networks_have_each() -> None:
    """``test_random_networks.py`` holds that each is in some, and experts are drawn for themselves."""
    assert sorted(CONSTRUCTS.keys() - STRATA.keys()) == ["experts"]
    assert all("experts" in constructs_in(text_of(random.Random(seed))) for seed in range(3))


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_what_it_is_called_elsewhere_leads_to_it(name: str) -> None:
    for word in CONSTRUCTS[name].also.split():
        assert construct_words()[plain(word)] == name == construct_words()[word], word
        assert op_meant(word, [*LANGUAGE, *CONSTRUCTS]) == f"did you mean {name}?"
        assert op_meant(word, LANGUAGE) == f"write {CONSTRUCTS[name].form}"
