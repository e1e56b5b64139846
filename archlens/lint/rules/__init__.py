"""The rules: one file each, named as the rule. Adding one touches one file, and nothing lists them.

The first digit of a code says what a rule is about: 1 windows and padding, 2 receptive fields, 3 parameters,
4 training, 5 hardware, 6 the spec itself.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..rule import Rule, registry

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

#: Every rule by its code, in order.
RULES: dict[str, Rule] = dict(sorted(registry.items()))
