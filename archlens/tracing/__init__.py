"""Networks of torch modules: a module runs once on tensors without values, and what ran becomes a network.

:func:`trace` is the door. Nothing outside this room imports torch for it; what is called here does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..elaboration.inputs import read_shape
from ..errors import shorten, usage
from ..lowering.account import REPLAYED, RUN, SAMPLED
from ..network import Network
from ..shape import Shape
from .origin import Given, Maker, Traced

if TYPE_CHECKING:
    from ..backends.reference import Reference
    from .program import Program


def trace(module: Any, *inputs: Any, name: str = "", real: bool = False, **named: Any) -> Network:
    """The network of a ``torch.nn.Module``: it runs once in evaluation mode, on tensors without values.

    Nothing is computed and nothing allocated; the module is left as it was.

    Args:
        module: on any device, in either mode.
        *inputs: what its ``forward`` takes: tensors, whose first axis is the batch, or shapes without it, as
            ``(3, 224, 224)`` or ``"3x224x224"``; also in lists, tuples and dicts. Anything else is passed on.
        name: what the network is called; else the name of the class.
        real: whether one sample is computed beside, on the CPU, for a ``forward`` that looks at values: of a
            tensor that is given the first, else numbers that are always the same. What depends on its values
            is as it is for this sample.
        **named: what ``forward`` takes by name.

    Raises:
        UsageError: torch is not installed, this is no module, or nothing that it is given is a tensor.
        SpecError: the module raised; says at which layer, and carries the network up to there.

    >>> import archlens, torch
    >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten())
    >>> network = archlens.trace(net, (3, 32, 32))
    >>> network.params, network.output
    (224, Shape((8192,)))
    """
    from ..backends import require_torch

    require_torch()
    from .running import run

    given: Given = (inputs, named)
    origin = Traced("", "", module=module, given=given, run=run, way=SAMPLED if real else RUN)
    return run(origin, name or type(module).__name__)


def is_module(value: Any) -> bool:
    """Whether something is a torch module; does not import torch."""
    return any(
        kind.__module__ == "torch.nn.modules.module" and kind.__name__ == "Module"
        for kind in type(value).__mro__
    )


def traced(
    module: Any,
    input: Any,
    name: str = "",
    values: Mapping[str, Any] | None = None,
    maker: Maker | None = None,
    real: bool = False,
) -> Network:
    """The network of a module on an input as :func:`archlens.load` takes it.

    Args:
        module: what runs.
        input: a shape, or shapes by the names of what ``forward`` takes.
        name: what the network is called.
        values: what the module was made with.
        maker: what makes it with other values.
        real: whether one sample is computed beside.

    Raises:
        UsageError: no input is given.
    """
    name = name or type(module).__name__
    if input is None:
        raise usage(
            f"{shorten(name)} is a torch module, which does not specify its input",
            help="give its input, as in 3x224x224",
        )
    from .running import run

    if isinstance(input, Mapping) and list(input) == ["input"]:
        input = input["input"]  # which is what the only one is called, whatever forward calls it
    given: Given = ((), dict(input)) if isinstance(input, Mapping) else ((input,), {})
    for said in (*given[0], *given[1].values()):
        if isinstance(said, str) and said != "()" and read_shape(said) is None:
            raise usage(
                f"{shorten(said)} is not a shape",
                help="as in 3x224x224; several inputs are --input NAME=3x224x224, each by itself",
            )
    origin = Traced(
        "",
        name,
        module=module,
        given=given,
        run=run,
        way=SAMPLED if real else RUN,
        maker=maker,
        values=values or {},
    )
    return replace(run(origin, name), values=dict(values or {}))


def replayed(program: Program, path: str, shapes: Mapping[str, Shape]) -> Network:
    """The network of an exported program, which is replayed and whose code is not run.

    Args:
        program: as it was read.
        path: of its file.
        shapes: of all its inputs.

    Raises:
        UsageError: it takes no other shapes.
        SpecError: it has an operator that is not replayed.
    """
    from .running import run

    origin = Traced("", path, module=program, given=((), program.inputs), run=run, way=REPLAYED)
    return run(origin, path, shapes, heads=False)


def reference(network: Network, *, batch: int, device: str) -> Reference | None:
    """The module that a network was traced from, with inputs; ``None`` where it came from elsewhere.

    Raises:
        UsageError: it ran on one sample alone.
    """
    origin = network.origin
    if not isinstance(origin, Traced) or origin.way == REPLAYED:
        return None
    if origin.account is not None and origin.account.is_alone:
        raise usage(
            f"{shorten(network.name)} takes its batch apart, so it is known only for one sample",
            help="its parts that take a batch can be verified, each by its name after the module's",
        )
    from ..backends.reference import Reference
    from .running import arguments

    read = arguments(origin, network.inputs, batch, device)
    return Reference(origin.module, read.args, read.kwargs, list(read.inputs.values()))
