"""A spec, values for its params and an input become a :class:`Network`, in one walk.

A spec may ask for ``x.channels``, so names, wiring and shapes are found together: each op is asked once
for its facts as it is placed. When something is wrong the walk stops with a diagnostic that carries the
network up to that point.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..bounds import allowed, allowing, counted
from ..errors import Diagnostic, SpecError, UsageError, error
from ..language.spec import Spec
from ..network import Network, Origin, Setting
from ..records import record
from ..shape import Shape
from .advice import LayerShapeError, explained
from .inputs import given_inputs, read_given
from .walk import Walk


def elaborate(
    spec: Spec,
    variant: str = "",
    *,
    input: Any = None,
    values: Mapping[str, Any] | None = None,
    advice: bool = True,
    inference: bool = False,
) -> Network:
    """The network that a spec describes.

    Args:
        spec: the parsed file.
        variant: one of its variants; empty for the file's own params.
        input: another input shape, as ``(3, 224, 224)`` or ``"3x224x224"``; a mapping of names to
            shapes where there are several inputs.
        values: values for params, by name; a text is read as a spec's text is.
        advice: whether to search for what would work where a layer does not fit, such as a larger input.
        inference: leave out the heads that run in training only, which may want a larger input.

    Raises:
        SpecError: the spec is wrong or a layer does not fit; carries the network up to there.
        UsageError: there is no such variant, param or input, or a param was left without a value; or the
            variants of the file have too many layers together, where that is bounded.
    """
    walk = Walk(spec, variant, values or {}, inference=inference)
    given = given_inputs(spec, input)
    file = spec.source.name
    walk.builder.origin = origin = FromSpec(spec.name, file, spec, variant, values or {}, given, allowed())
    if not advice:  # it is one of many in a search, which is bounded by itself
        network = _run(walk, origin, advice)
    else:
        with counted(file, variant) as worth:
            try:
                network = _run(walk, origin, advice)
            finally:
                worth(max(len(walk.builder.layers), walk.builder.steps // 10))
    if not inference:
        vars(network)["fixed"] = ""  # it is what its origin makes: nobody need lay it out once more to see so
    return network


def _run(walk: Walk, origin: FromSpec, advice: bool) -> Network:
    """The network of a walk that is about to begin, on the inputs of its origin.

    Raises:
        SpecError: the spec is wrong or a layer does not fit; carries the network up to there.
    """
    try:
        return walk.run(origin.inputs)
    except LayerShapeError as failed:
        if not advice:
            raise SpecError(Diagnostic(str(failed), failed.span), walk.network()) from None
        builder = walk.builder
        smallest = partial(smallest_input, origin.spec, origin.variant, origin.values, builder.inputs)
        searched = smallest if builder.steps < _SEARCH_STEPS else None
        said = explained(failed, builder.layers, builder.inputs, searched)
        raise SpecError(said, walk.network(), failed.unplaced) from None
    except SpecError as problem:
        raise SpecError(
            problem.diagnostic, walk.network() if walk.builder.inputs and not walk.spent else None
        ) from None
    except RecursionError:
        raise error(
            "scopes and blocks are nested too deep here",
            walk.last.span if walk.last else None,
            help="one after the other they can be as many as you like",
        ) from None


def declared_inputs(spec: Spec, variant: str, values: Mapping[str, Any]) -> Mapping[str, Shape]:
    """The inputs that a spec has with some values for its params.

    Raises:
        SpecError: one of them is no shape.
        UsageError: there is no such param, or one has no value.
    """
    return Walk(spec, variant, values).declared()


def own_value(spec: Spec, variant: str, name: str) -> Any:
    """The value that a param of a spec has unless another is given; ``None`` where it has none.

    Raises:
        SpecError: one of the values is wrong.
        UsageError: there is no such variant or param.
    """
    if name not in spec.params:
        Walk(spec, variant, {name: 0})  # says so
    try:
        return Walk(spec, variant, {}).values[name]
    except UsageError:  # one of the params has no value of its own
        return None


#: How many steps the search for the smallest input may take, and how large an input it tries.
_SEARCH_STEPS = 100_000
_SEARCH_SIZE = 1024


def smallest_input(
    spec: Spec, variant: str, values: Mapping[str, Any], inputs: Mapping[str, Shape], above: int
) -> Shape | None:
    """The smallest input with equal sides, longer than ``above``, that the whole network accepts.

    ``None`` where there are several inputs or no spatial axis, or where the search is given up.
    """
    if len(inputs) != 1:
        return None
    ((name, shape),) = inputs.items()
    if not shape.spatial:
        return None
    spent = 0
    for side in range(above + 1, above + _SEARCH_SIZE + 1):
        tried = shape.with_spatial((side,) * len(shape.spatial))
        walk = Walk(spec, variant, values)
        try:
            walk.run({name: tried})
        except LayerShapeError as failed:
            cause = failed.cause
            if not cause.size and cause.inputs == () and side > max(shape.spatial):
                return None
            spent += walk.builder.steps + 1
        except (SpecError, UsageError, RecursionError):
            spent += walk.builder.steps + 1
        else:
            return tried
        if spent > _SEARCH_STEPS:
            return None
    return None


@record(frozen=True, eq=False)
class FromSpec(Origin):
    """A network that was laid out from a spec."""

    spec: Spec
    variant: str
    #: The values and inputs that it was given, where they are not the spec's own.
    values: Mapping[str, Any]
    inputs: Mapping[str, Shape]
    #: The most layers that it may have.
    most: int

    @property
    def allowed(self) -> int:
        return self.most

    def keeps(self, network: Network) -> None:
        return None

    def again(self, network: Network, on: Setting) -> Network:
        given = {**self.inputs, **read_given(on.input, list(network.inputs), network.name)}
        values = {**self.values, **on.values}
        with allowing(self.most):
            return elaborate(
                self.spec,
                self.variant,
                input=given,
                values=values,
                advice=on.advice,
                inference=on.inference,
            )
