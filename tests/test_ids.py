"""Inputs of ids: how they are written and given, what becomes of them, and the modules that look them up."""

from __future__ import annotations

import json
import pickle

import pytest
import torch
from torch import nn

import archlens
from archlens.analysis import memory
from archlens.analysis.sizes import smallest
from archlens.backends.verification import verify
from archlens.shape import ChannelsLast, Ids, Shape

SPEC = """
params: {length: 16, vocab: 100}
input: {ids: "{length} of {vocab}"}
layers:
  - wte: embedding(8)
  - wpe: position_embedding(24)
  - head: linear(vocab)
"""


def test_what_an_input_is_given_has_the_bound_of_the_spec() -> None:
    """Unless it brings one of its own, as it may bring other channels."""
    for given in ("20", (20,), Shape((20,)), {"ids": "20"}, {"ids": [20]}):
        assert archlens.loads(SPEC, input=given).inputs == {"ids": Ids((20,), 100)}
    assert archlens.loads(SPEC, input="20 of 70").inputs == {"ids": Ids((20,), 70)}
    assert archlens.loads(SPEC, input="20 of 70", vocab=100)["wte"].facts.weights == {"weight": (70, 8)}
    assert archlens.loads(SPEC, length=20).inputs == {"ids": Ids((20,), 100)}


def test_on_another_length_and_on_another_bound_in_turn() -> None:
    """A length that was given says nothing of the bound, so that a value that is given later does."""
    network = archlens.loads(SPEC)
    longer = network.with_input("20")
    assert longer.inputs == {"ids": Ids((20,), 100)}
    assert longer.with_values(vocab=50).inputs == {"ids": Ids((20,), 50)}
    assert longer.with_values(vocab=50)["wte"].params == 50 * 8
    assert network.with_input(network.inputs).inputs == network.inputs
    built = archlens.Builder("built", "16 of 100")
    built.embedding(8)
    assert built.network().with_input("3x5").output == ChannelsLast((3, 5, 8))


def test_ids_are_no_numbers() -> None:
    """A shape of ids equals no shape of numbers, nor one of other ids; nor are facts of one the other's."""
    ids, other = Ids((7,), 50), Ids((7,), 60)
    assert ids != Shape((7,)) != ids != other
    assert ids == (7,) == ids
    assert len({ids, other, Shape((7,))}) == 3
    assert pickle.loads(pickle.dumps(ids)) == ids
    spec = "input: 7 of {n}\nparams: {n: 50}\nlayers: [embedding(4)]"
    assert [archlens.loads(spec, n=n).params for n in (50, 60)] == [50 * 4, 60 * 4]


def test_verify_and_build() -> None:
    """Every check of it passes, also of the fields; the built module looks ids up, and takes no others."""
    network = archlens.loads(SPEC)
    found = verify(network)
    assert found.passed
    assert {check.layer for check in found.checks if check.what == "field" and check.status == "passed"} == {
        "wpe",
        "head",
    }
    module = archlens.build(network)
    assert {key: tuple(value.shape) for key, value in module.state_dict().items()} == network.state()
    ids = torch.tensor([[3] * 5 + [99] * 3])
    out = module(ids)
    weight = module.wte.weight[ids] + module.wpe.weight[:8]
    assert torch.allclose(out, nn.functional.linear(weight, module.head.weight, module.head.bias))
    with pytest.raises(IndexError):
        module(ids + 1)


def test_positions_of_a_table_start_at_its_first_row() -> None:
    network = archlens.loads(
        "{input: 3 of 9, layers: [{e: embedding(4)}, {p: 'position_embedding(6, first=2)'}]}"
    )
    module = archlens.build(network)
    ids = torch.zeros(1, 3, dtype=torch.int64)
    assert torch.equal(module(ids)[0], module.e.weight[0] + module.p.weight[2:5])


def test_a_table_of_positions_keeps_its_rows_on_any_length() -> None:
    network = archlens.loads(SPEC)
    assert {network.with_input(str(n))["wpe"].params for n in (1, 16, 24)} == {24 * 8}
    assert smallest(network) == (1,)
    assert "an input of 24 at most, or position_embedding(25)" in _refused(network, "25")


def _refused(network: archlens.Network, input: str) -> str:
    with pytest.raises(archlens.SpecError) as caught:
        network.with_input(input)
    return str(caught.value)


def test_memory_counts_eight_bytes_for_each() -> None:
    """int64, as torch looks them up: 16 ids, beside 16 x 8 numbers of what was looked up, in float16."""
    peak = memory.peak_activations(
        archlens.loads("{input: 16 of 9, layers: [embedding(8)]}"), dtype="float16"
    )
    assert peak.bytes == 16 * 8 + 16 * 8 * 2
    assert {one.name: one.bytes for one in peak.alive} == {"input": 16 * 8, "0": 16 * 8 * 2}


def test_json_says_which_inputs_are_ids() -> None:
    from archlens.views.json import to_json

    data = json.loads(to_json(archlens.Study(archlens.loads(SPEC))))
    assert (data["input"], data["ids"]) == ({"ids": [16]}, {"ids": 100})
    assert "ids" not in json.loads(to_json(archlens.study("lenet5")))


class Words(nn.Module):
    """A model of words, whose table has the words' kinds beside it."""

    def __init__(self, kinds: int = 2) -> None:
        super().__init__()
        self.word, self.kind, self.head = nn.Embedding(50, 6), nn.Embedding(kinds, 6), nn.Linear(6, 50)

    def forward(self, words: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        return self.head(self.word(words) + self.kind(kinds))


def test_a_module_that_looks_ids_up() -> None:
    """Its tables are embeddings, and what is written of it is read as the same."""
    module = Words()
    shapes = {"words": (7,), "kinds": (7,)}
    network = archlens.trace(module, **shapes)
    assert network.inputs == {"words": Ids((7,), 50), "kinds": Ids((7,), 2)}
    assert [str(layer.op) for layer in network] == ["embedding(6)", "embedding(6)", "add", "linear(50)"]
    assert network.params == sum(one.numel() for one in module.parameters())
    written = archlens.loads(archlens.convert(network))
    assert written.inputs == network.inputs
    assert written.state() == network.state()
    longer = network.with_input({"words": "9", "kinds": "9"})
    assert (longer.inputs["words"], longer.output) == (Ids((9,), 50), ChannelsLast((9, 50)))


class Both(nn.Module):
    """What it looks up by is added up, too."""

    def __init__(self, rows: tuple[int, int] = (50, 50)) -> None:
        super().__init__()
        self.first, self.second = nn.Embedding(rows[0], 6), nn.Embedding(rows[1], 6)
        self.adds = rows[0] == rows[1]

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        found = self.first(ids) + self.second(ids)
        return found + ids.unsqueeze(-1).float() if self.adds else found


@pytest.mark.parametrize("rows", [(50, 50), (50, 60)])
def test_what_is_more_than_looked_up_by_stays_numbers(rows: tuple[int, int]) -> None:
    """Ids are below one bound, and only looked up by; else the table is a layer of known cost."""
    network = archlens.trace(Both(rows), (7,))
    assert network.inputs == {"input": Shape((7,))}
    assert network.params == sum(rows) * 6
    assert [layer.op.family for layer in network][:2] == ["opaque", "opaque"]


def test_one_table_looked_up_by_several_inputs() -> None:
    """It is counted once, as torch does, and each input is below its rows."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(50, 6)

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return self.table(a) + self.table(b)

    network = archlens.trace(Twice(), (7,), (7,))
    assert list(network.inputs.values()) == [Ids((7,), 50)] * 2
    assert network.params == 50 * 6


def test_fields_are_verified_beside_ids() -> None:
    """What a time step adds to each channel has no field, and hides none: 3x3, and then 5x5 of the image."""
    network = archlens.loads(
        """
        input: {image: 3x9x9, time: 1 of 1000}
        layers:
          - ref(input.time)
          - step: sinusoidal_embedding(8) >> flatten >> linear(4)
          - ref(input.image)
          - first: conv(4, 3)
          - add: [identity, 'ref(step) >> rearrange("c -> c 1 1", channels="first")']
          - second: conv(4, 3)
        """
    )
    found = verify(network)
    assert found.passed
    fields = {check.layer: (check.status, check.says) for check in found.of("field")}
    assert fields["add"] == ("passed", "3x3, stride 1, from 0")
    assert fields["second"] == ("passed", "5x5, stride 1, from 0")
