"""Budgets: where limits are set, what they say of a network, and the figures that it is locked at.

Knows where limits stand (specs, ``pyproject.toml``, ``archlens.lock``) and nothing of how they are shown.
"""
