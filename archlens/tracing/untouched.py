"""A module runs, and then it and all of torch are as they were before.

This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import nn

#: What holds things, and is written in place.
_HOLDERS = (dict, list, set)


def _device() -> torch.device | None:
    """The default device; ``None`` where that is the CPU, as where nobody has set one."""
    found = torch.get_default_device()
    return None if found.type == "cpu" else found


def _put_benchmark(value: bool) -> None:
    torch.backends.cudnn.benchmark = value


#: What a module may turn for all of torch: how each is read, and put back.
_SWITCHES: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (torch.get_default_dtype, torch.set_default_dtype),
    (_device, torch.set_default_device),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (torch.get_num_threads, torch.set_num_threads),
    (lambda: torch.backends.cudnn.benchmark, _put_benchmark),
)


#: Where torch's functions and classes are, which code may replace by others.
_HOMES = (torch, torch.Tensor, nn, nn.functional, nn.init, torch.fft, torch.linalg, torch.special)


def _names() -> dict[Any, dict[str, Any]]:
    """What each name of torch means."""
    classes = (one for one in vars(nn).values() if isinstance(one, type))
    return {home: dict(vars(home)) for home in dict.fromkeys((*_HOMES, *classes))}


def _put_names(names: Mapping[Any, Mapping[str, Any]]) -> None:
    """Let names mean what they did; what torch itself loads late, parts and private names, stays."""
    for home, before in names.items():
        now = vars(home)
        others = [name for name, value in before.items() if now.get(name) is not value]
        for name in others:
            setattr(home, name, before[name])
        for name in now.keys() - before.keys() if len(now) != len(before) else ():
            if not name.startswith("_") and not isinstance(now[name], ModuleType):
                delattr(home, name)


@contextmanager
def as_it_was(module: nn.Module, training: bool) -> Iterator[None]:
    """In one mode; then the modules, the random numbers, torch's names and its switches are as they were."""
    names = _names()
    modes = {part: part.training for part in module.modules()}
    attributes = {part: dict(vars(part)) for part in modes}
    held = [(one, one.copy()) for part in modes for one in vars(part).values() if isinstance(one, _HOLDERS)]
    states = torch.random.get_rng_state(), random.getstate()
    fast = torch.backends.mha.get_fastpath_enabled()
    switches = [(put, get()) for get, put in _SWITCHES]
    try:
        for part in modes:
            part.training = training
        torch.backends.mha.set_fastpath_enabled(False)
        yield
    finally:
        _put_names(names)
        for (get, _), (put, before) in zip(_SWITCHES, switches, strict=True):
            if get() != before:
                put(before)
        torch.backends.mha.set_fastpath_enabled(fast)
        torch.random.set_rng_state(states[0])
        random.setstate(states[1])
        for part, mode in modes.items():
            for name in vars(part).keys() - attributes[part].keys():
                del vars(part)[name]
            vars(part).update(attributes[part])
            part.training = mode
        for one, before in held:  # buffers that it registers, what it keeps in lists of its own
            one.clear()
            one.extend(before) if isinstance(one, list) else one.update(before)
