"""Budgets as plain tests."""

from archlens.testing import assert_budget


def test_digits():
    assert_budget("models/digits.yaml", params="<= 2k", macs="<= 400k")


def test_own_budget(assert_budget, archlens_network):
    network = archlens_network("models/digits.yaml")
    assert_budget(network)
    assert_budget(network, min_size="<= 28", scopes={"classifier": {"params": "<= 12 %"}})


def test_wide(assert_budget):
    assert_budget("models/wide.yaml", macs="<= 1M")
