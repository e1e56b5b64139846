"""archlens: exact shapes, receptive fields and costs of neural networks, from declarative specs.

>>> import archlens
>>> archlens.load("lenet5").params
61706
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import showing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .elaboration.building import Builder
    from .errors import ArchlensError, Diagnostic, Span, SpecError, UsageError
    from .library import names
    from .network import Layer, Network
    from .searching.search import Searched
    from .shape import Shape
    from .studying import Study, study
    from .tracing import trace
    from .writing import convert

__version__ = "0.1.0"

__all__ = [
    "ArchlensError",
    "Builder",
    "Diagnostic",
    "Layer",
    "Network",
    "Shape",
    "Span",
    "SpecError",
    "Study",
    "UsageError",
    "build",
    "convert",
    "explore",
    "load",
    "loads",
    "names",
    "search",
    "study",
    "trace",
]

#: Where the public names are. They are imported when they are first asked for, so that a pytest in whose
#: environment archlens happens to be installed, and which asks nothing of it, pays nothing for it.
_WHERE = {
    **dict.fromkeys(["ArchlensError", "Diagnostic", "Span", "SpecError", "UsageError"], "errors"),
    **dict.fromkeys(["Layer", "Network"], "network"),
    "Builder": "elaboration.building",
    "Shape": "shape",
    "names": "library",
    **dict.fromkeys(["Study", "study"], "studying"),
    "convert": "writing",
    "trace": "tracing",
}

#: The rooms that ``import archlens`` is enough for, as in ``archlens.analysis.cost.cost``.
_ROOMS = (
    "analysis",
    "elaboration",
    "errors",
    "language",
    "library",
    "lint",
    "network",
    "ops",
    "shape",
    "testing",
)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load(name: str, /, *, input: Any = None, max_layers: int | None = None, **values: Any) -> Network:
    """The network that a name of the zoo, the path of a file or the Python name of a torch module means.

    Args:
        name: ``"resnet50"``, ``"my.yaml"``, ``"my.yaml:variant"``, ``"model.onnx"``, or
            ``"package.module:Net"``, which alone runs code.
        input: another input shape, as ``(3, 224, 224)`` or ``"3x224x224"``, without the batch; a
            mapping of names to shapes where the network has several inputs.
        max_layers: how many layers it may have, where that is more than 25,000; other bounds follow.
        **values: values for the spec's params.

    Raises:
        SpecError: the spec is wrong, or a layer does not fit; ``error.network`` holds the layers up
            to there.
        UsageError: there is no such network, param or input; or an input is needed.

    >>> archlens.load("resnet50", input=(3, 320, 320)).output
    Shape((1000,))
    >>> archlens.load("resnet50", depths=[3, 4, 23, 3]).params  # ResNet-101
    44549160
    """
    from . import dialects
    from .bounds import allowing

    with allowing(max_layers):
        return _warned(dialects.network(dialects.find(name), input=input, values=values))


def loads(
    text: str, /, *, variant: str = "", input: Any = None, max_layers: int | None = None, **values: Any
) -> Network:
    """The network that the text of a spec describes; otherwise as :func:`load`.

    >>> print(archlens.loads("{input: 1x32x32, layers: ['conv(6, 5)']}").output)
    6x28x28
    """
    from .bounds import allowing
    from .elaboration import elaborate
    from .library import read

    spec = read(text)
    if variant and variant not in spec.variants:
        raise _no_variant(variant, spec.variants)
    with allowing(max_layers):
        return _warned(elaborate(spec, variant, input=input, values=values))


def explore(network: Network, /) -> Any:
    """The graph of a network whose scopes open and close, as a notebook shows it.

    A layer says how its numbers come about, and what it sees of the input; nothing is asked of any network.

    >>> html = explore(load("lenet5"))._repr_html_()  # what Jupyter asks for
    >>> "archlens-network" in html
    True
    """
    from .integrations.page import Touchable

    return Touchable(network)


def search(
    name: str,
    /,
    *,
    vary: Mapping[Any, Any],
    where: str | Sequence[str] = (),
    pareto: str | Sequence[str] = (),
    sort: str | Sequence[str] = (),
    figures: str | Sequence[str] = (),
    sample: int | None = None,
    seed: int = 0,
    input: Any = None,
    max_layers: int | None = None,
    jobs: int = 0,
    engine: str = "",
    keep: str = "",
    weights: str = "int8",
    activations: str = "int8",
    **values: Any,
) -> Searched:
    """The configurations of a network that keep within limits, with exact figures.

    Args:
        name: as :func:`load` takes it; of what is no spec the input alone can be varied.
        vary: the values of each param, as a list or as a text (``"0.25..1.5:0.05"``); under ``"input"`` the
            sizes of the input, or its shapes as texts. Under a tuple of names rows with a value for each.
        where: what they have to keep within: ``"params <= 5M, macs <= 600M"``.
        pareto: what they are kept for: those that no other beats in all of these; ``-alpha`` where larger is
            better.
        sort: by what they are ordered; ``-macs`` has the largest first.
        figures: what is found of each; the parameters and multiply-accumulates unless it is given.
        sample: how many are drawn, in the place of all.
        seed: of what is drawn.
        input: the input of all.
        max_layers: as :func:`load` takes it.
        jobs: in how many processes they are looked at; 0 for this one, or with an engine for one on each
            core.
        engine: what runs these: ``"processes"``; or ``"dask"`` or ``"ray"``, on the cluster that these are
            set up for, else on so many workers here.
        keep: a file in which what is done is written down; the same search goes on from there.
        weights: the type of the weights on a board, for the figures ``sram`` and ``flash``.
        activations: that of the activations.
        **values: values for params of all.

    Returns:
        The rows as dictionaries, one by one; ``columns()`` has them as lists by name, for a data frame.

    Raises:
        SpecError: the file is no spec.
        UsageError: there is no such network, param or figure, or a text is not understood; or numpy is
            missing.

    >>> vary = {"alpha": [0.5, 1.0], "input": [192, 224]}
    >>> archlens.search("mobilenet_v1", vary=vary, where="macs <= 500M").columns()["macs"]
    [109970432, 149497088, 418121728]
    """
    from .searching import require_numpy

    require_numpy()
    from . import dialects
    from .bounds import allowing
    from .searching import search
    from .searching.space import Space

    space = Space(vary, sample=sample, seed=seed, own=search.own_values(name))
    where, pareto, sort, figures = (
        [one] if isinstance(one, str) else one for one in (where, pareto, sort, figures)
    )
    types = weights, activations
    asked = search.asked(space, where, figures=figures, pareto=pareto, sort=sort, types=types)
    with allowing(max_layers):
        return search.run(
            dialects.find(name),
            space,
            asked,
            input=input,
            values=values,
            jobs=jobs,
            engine=engine,
            keep=keep,
        )


def build(network: Network, *, device: Any = None, dtype: Any = None) -> Any:
    """A torch module of a network; its state dict has the spec's names for keys.

    A door to :func:`archlens.backends.torch_module.build`, which says more.

    Raises:
        UsageError: torch is not installed.
    """
    from .backends import require_torch

    require_torch()
    from .backends.torch_module import build

    return build(network, device=device, dtype=dtype)


def _text(network: Any) -> str:
    from .forms import text
    from .views import rows, shapes_table

    return text.write(shapes_table.table(network, rows.rows_of(network)))


def _html(network: Any, problem: Any) -> str:
    from .integrations.page import to_notebook

    return to_notebook(network, problem)


def _formula(network: Network, input: Any) -> Any:
    from .elaboration.lettered import formulas

    return formulas(network, input)


showing.to_text, showing.to_html, showing.to_formula = _text, _html, _formula


def _no_variant(variant: str, variants: Mapping[str, Any]) -> UsageError:
    from .errors import did_you_mean, shorten, usage

    return usage(f"there is no variant {shorten(variant)}", help=did_you_mean(variant, variants))


def _warned(network: Network) -> Network:
    """The network; Python's own warning says where an input looks as if its channels stood last."""
    if any(shape.turned() for shape in network.inputs.values()):
        from warnings import warn

        from .analysis.layouts import find
        from .errors import Caution

        for problem in find(network):
            warn(Caution(problem), stacklevel=3)
    return network
