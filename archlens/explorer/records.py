"""What the page knows of each network: its figures, where they are from, and what it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..analysis.comparison import MEASURES, Accuracy, Compared, Measure
from ..analysis.study import Study
from ..analysis.unknown import Unknown
from ..counts import AtLeast
from ..errors import printable
from ..published import archived
from ..shape import times
from ..views import words

#: How many parts of a network are told apart where its figures are.
PARTS = 14

#: The measures that the page has, in the order of its buttons; what is found by trying is left out.
SHOWN = (
    *("depth", "params", "macs", "top1", "top5", "year", "peak_activations", "receptive_field"),
    *("memory", "active_params", "total_macs"),
)


def metrics() -> list[dict[str, Any]]:
    """The measures, as the page has them."""
    return [
        {
            "key": key,
            "called": measure.called,
            "title": measure.title,
            "unit": measure.unit.name.lower(),
            "better": measure.better,
        }
        for key, measure in ((key, MEASURES[key]) for key in SHOWN)
    ]


class Strings:
    """Texts that are said often, each once, by their numbers."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """The number of a text."""
        return self.numbers.setdefault(text, len(self.numbers))


def record(study: Study, found: Compared, say: Strings) -> dict[str, Any]:
    """One network: what it is, and of each measure its value, or in its place the reason why there is none.

    Args:
        study: of the network.
        found: what it is compared by.
        say: takes what several networks have in common, their papers and where their figures are from.
    """
    network = study.network
    values = [_value(MEASURES[key], found) for key in SHOWN]
    field = found.receptive_field
    said = {} if isinstance(field, Unknown) else {"receptive_field": ", ".join(map(times, field))}
    return {
        "name": found.name,
        "title": printable(found.title),
        "family": found.family,
        "input": ", ".join(map(str, found.inputs.values())),
        "values": values,
        "said": said | _digits(found),
        "everywhere": found.everywhere_from,
        "sources": {key: [say(text), say(link)] for key, (text, link) in _sources(found).items()},
        "idea": say(_line(network.meta.summary)),
        "papers": [[*map(say, _paper(paper))] for paper in network.meta.papers],
        "layers": len(network),
        "parts": _parts(study),
    }


def _value(measure: Measure, found: Compared) -> float | str:
    value = measure.of(found)
    if isinstance(value, AtLeast):
        return f"{words.rounded(value)}: {value.why}"
    return printable(value.reason) if isinstance(value, Unknown) else value


def _digits(found: Compared) -> dict[str, str]:
    """Accuracies with the digits that were printed."""
    both = (("top1", found.top1), ("top5", found.top5))
    return {key: one.digits for key, one in both if isinstance(one, Accuracy)}


def _sources(found: Compared) -> dict[str, tuple[str, str]]:
    """Where the figures are from that somebody published."""
    both = (("top1", found.top1), ("top5", found.top5))
    return {key: (printable(one.source), one.link) for key, one in both if isinstance(one, Accuracy)}


def _paper(paper: Mapping[str, str]) -> tuple[str, str]:
    """A paper as it is cited, and its address; the address is empty where there is none of the web."""
    said = {key: _line(value) for key, value in paper.items()}
    place = " ".join(said[key] for key in ("venue", "year") if key in said)
    cited = ". ".join(part for part in (said.get("authors"), said.get("title"), place) if part)
    addresses = (archived(key, said[key])[1] for key in ("arxiv", "doi") if key in said)
    url = next(addresses, said.get("url", ""))
    return f"{cited}.", url if url.startswith(("https://", "http://")) else ""


def _parts(study: Study) -> list[list[Any]]:
    """Where parameters and MACs are: the scopes and layers of the first level that has several.

    Each with its name, its parameters and its multiply-accumulates; what has neither is left out.
    """
    level = 1
    while True:
        sums: dict[str, list[int]] = {}
        for layer in study.network.layers:
            name = ".".join(layer.name.split(".")[:level])
            both = sums.setdefault(name, [0, 0])
            both[0] += layer.params
            both[1] += 0 if layer.training else layer.macs
        found = [[printable(name), int(a), int(b)] for name, (a, b) in sums.items() if a or b]
        deeper = any(layer.name.count(".") >= level for layer in study.network.layers)
        if len(found) > 1 or not deeper:
            return list(_fewer(found))
        level += 1


def _fewer(parts: list[list[Any]]) -> Iterator[list[Any]]:
    """The same with neighbours put together, where there are many."""
    if len(parts) <= PARTS:
        yield from parts
        return
    each = -(-len(parts) // PARTS)
    for start in range(0, len(parts), each):
        some = parts[start : start + each]
        name = some[0][0] if len(some) == 1 else f"{some[0][0]} … {some[-1][0]}"
        yield [name, sum(one[1] for one in some), sum(one[2] for one in some)]


def _line(text: str) -> str:
    return printable(" ".join(text.split()))
