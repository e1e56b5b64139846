"""Random torch modules, traced and held against hooks, torch's counter and what is built of them."""

from __future__ import annotations

import pytest

from .random_modules import differences


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("seed", [*range(36), 1930])  # the last has queries that are a weight
def test_a_random_module_is_traced_as_it_is(seed: int) -> None:
    assert list(differences(seed)) == []


@pytest.mark.filterwarnings("ignore:Using padding='same'", "ignore:std", "ignore:var")
@pytest.mark.parametrize(
    "seed", [*range(18), 200829]
)  # the last puts zeros beside as many channels as tokens
def test_a_random_module_of_more_kinds_is_traced_and_written_as_it_is(seed: int) -> None:
    assert list(differences(seed, wide=True)) == []
