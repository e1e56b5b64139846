"""What the language says of experts: many of one step, of which each token goes to a few."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from ..errors import Span, SpecError, error, shorten
from ..language.steps import EXPERTS, Body, Experts, Named, Step, Value, usage_of_merge
from ..network import Copies, Layer
from ..ops import OPS, Facts, Op, ShapeError, ask
from ..ops import experts as ops
from ..shape import Ids, Shape, times
from .advice import LayerShapeError
from .arguments import refused_by
from .building import Known, Place
from .scope import Env
from .sharing import Sharing
from .values import Tensor

#: What the layers around the experts are called.
_SCORE, _CHOOSE, _DISPATCH, _COMBINE = "score", "choose", "dispatch", "combine"


class Mixing(Sharing):
    """An elaboration whose tokens can go to experts.

    One expert is laid out, on its tokens; then each of its layers that has weights has those of all.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.mixing: Experts | None = None  # the experts within which it is
        #: The facts of layers, by their identity, with those that have the weights of all experts.
        self.copied: dict[Any, tuple[Facts, Facts]] = {}

    @abstractmethod
    def step(self, step: Step, env: Env, place: Place) -> None:
        """Run a step in a place."""

    @abstractmethod
    def open(self, name: str, at: Any, place: Place, body: Body | None = None) -> Place:
        """Open a scope."""

    @abstractmethod
    def close(self, name: str, place: Place) -> None:
        """Close a scope."""

    @abstractmethod
    def spend(self, where: Any) -> None:
        """Count a step."""

    @abstractmethod
    def word(self, value: Value, env: Env) -> Any:
        """The value of an argument, in which a word that names nothing is a text."""

    @abstractmethod
    def place_op(self, known: Known, where: Any, name: str | None, at: Any, place: Place) -> str:
        """Make an op a layer."""

    def experts(self, step: Experts, env: Env, place: Place) -> None:
        """Run ``experts:``: a router, and one expert on the tokens that are dispatched to it."""
        if self.mixing is not None:
            raise _nested(step.where.span, self.mixing)
        op = self._read(step, env)
        entry = self.builder.x
        _require_tokens(entry.shape, step)
        self._route(step, op, entry, env, place)
        router = self.builder.x
        tokens = self._put(place, _DISPATCH, ops.Dispatch(op.active), [entry], step)
        scores = self._put(place, _SCORE, ops.Score(op.scores), [router], step)
        ranked = self._corrected(op, router, step)
        choose = ops.Choose(op.active, op.groups, op.active_groups)
        chosen = self._put(place, _CHOOSE, choose, [ranked], step)
        self.builder.x = tokens
        start, made, parts = len(self.builder.layers), len(self.made), len(self.parts)
        self.mixing = step
        path = place.full(EXPERTS)
        try:
            if op.stacked:
                self.named(EXPERTS, step.where, step.do, env, place)
            else:
                inside = self.open(EXPERTS, step.where, place)
                self.named("0", step.where, step.do, Env(self, env.locals, inside), inside)
        except LayerShapeError as failed:
            if isinstance(failed.op, OPS["batch_norm"]):
                raise _refused(failed.name, failed.span, *_statistics(failed.op), step) from None
            raise
        self.mixing = None
        self._copy(step, Copies(op.count, op.active, path, op.stacked, chosen.name), start, tokens)
        while len(self.made) > made:  # what it made is no block outside of experts
            self.made.popitem()
        while len(self.parts) > parts:
            self.parts.popitem()
        self._put(place, _COMBINE, op, [self.builder.x, scores, chosen], step)
        self.close(EXPERTS, place)

    def _read(self, step: Experts, env: Env) -> ops.Experts:
        given = {name: self.word(value, env) for name, (_, value) in step.arguments.items()}
        known = self.builder.known(ops.Experts, [], given, refused_by(step))
        op = known.op
        assert isinstance(op, ops.Experts)
        if op.active > op.count:
            raise error(
                f"a token cannot go to {op.active:,} of {op.count:,} experts",
                step.arguments["active"][0].span,
                help="active: is how many of them each token goes to",
            )
        if op.correction in ("weight", "bias", "training"):
            raise error(
                f"the router may have a {op.correction} of its own, and the correction lies beside it",
                step.arguments["correction"][0].span,
                help="correction: e_score_correction_bias",
            )
        _require_groups(op, step)
        return op

    def _corrected(self, op: ops.Experts, router: Tensor, step: Experts) -> Tensor:
        """The scores that experts are chosen by: as they are, or with a bias beside the router's weight."""
        if op.correction is not None:
            known = self.builder.known(ops.Correct, [], {}, refused_by(step))
            self.builder.layer(known, f"{router.name}.{op.correction}", [self.builder.x], step.where)
        return self.builder.x

    def _route(self, step: Experts, op: ops.Experts, entry: Tensor, env: Env, place: Place) -> None:
        """Run the router, which gives each token a score for each expert."""
        if step.gate is None:
            known = self.builder.known(OPS["linear"], [op.count], {"bias": False}, refused_by(step))
            self.place_op(known, step.where, "gate", step.where, place)
        elif isinstance(step.gate, Named):
            self.step(step.gate, env, place)
        else:
            self.named("gate", step.where, Body(step.gate, {}), env, place)
        needed, found = entry.shape.with_channels(op.count), self.builder.x.shape
        if found != needed:
            raise error(
                f"the router gives {found}, and {op.count:,} experts need {needed}: for each token, a score "
                "for each expert",
                step.where.span,
                help=f"gate: linear({op.count}, bias=false)",
            )

    def _put(self, place: Place, name: str, op: Any, inputs: list[Tensor], step: Experts) -> Tensor:
        """Place one of the layers around the experts."""
        full = f"{place.full(EXPERTS)}.{name}"
        self.spend(step.where)
        known = self.builder.known(type(op), [*op.attributes().values()], {}, refused_by(step))
        self.builder.layer(known, full, inputs, step.where)
        return self.builder.x

    def _copy(self, step: Experts, copies: Copies, start: int, dispatched: Tensor) -> None:
        """Give the layers of the expert, which were placed last, the weights of all experts.

        Raises:
            SpecError: one is not what an expert can have.
        """
        layers = self.builder.layers
        inside = {dispatched.name}
        for number, layer in enumerate(layers[start:], start):
            if isinstance(layer.op, ops.Dispatch):
                raise _nested(layer.span, step)
            problem = _unfit(layer, dispatched.shape, inside, copies)
            if problem:
                raise _refused(layer.name, layer.span, *problem, step)
            inside.add(layer.name)
            facts = layer.facts
            if facts.weights:
                self.builder.steps += copies.experts * len(layer.facts.weights)
                self.spend(step.where)
                key = id(facts), copies.experts, copies.stacked
                if key not in self.copied:
                    self.copied[key] = facts, copies.of(facts)
                facts = self.copied[key][1]
            layers[number] = layer._replace(facts=facts, copies=copies)
        ends = self.builder.x.name in inside - {dispatched.name}
        if not ends or not any(layer.facts.weights for layer in layers[start:]):
            raise error(
                "an expert has no weights here, so all experts would be the same"
                if ends
                else "an expert gives what it did not make",
                step.where.span,
                help=f"{usage_of_merge(EXPERTS)}, where expert has layers such as linear",
            )


def _refused(layer: str, span: Span | None, message: str, help: str, step: Experts) -> SpecError:
    """Why a layer cannot be one of an expert."""
    also = [("the experts that it is in", step.where.span)]
    return error(f"{shorten(layer)} {message}", span, help=help, also=also)


def _nested(span: Span | None, around: Experts) -> SpecError:
    return error(
        "experts are nested, but a dispatched token cannot be dispatched again",
        span,
        also=[("the experts around them", around.where.span)],
    )


def _statistics(op: Op) -> tuple[str, str]:
    return (
        f"({op.kind}) keeps statistics of all tokens, but an expert sees only some of them",
        "layer_norm and rms_norm look at one token each",
    )


def _require_groups(op: ops.Experts, step: Experts) -> None:
    """Refuse groups that the experts do not divide into, or that hold too few."""
    if op.groups == op.active_groups == 1:
        return
    size, rest = divmod(op.count, op.groups)
    if rest or size < 2:
        where, why = "groups", f"{op.count:,} experts do not divide into {op.groups:,} groups of two or more"
    elif op.active_groups > op.groups:
        where, why = (
            "active_groups",
            f"a token cannot go to {op.active_groups:,} of {op.groups:,} groups",
        )
    elif op.active > op.active_groups * size:
        where = "active"
        why = f"{op.active_groups:,} groups of {size:,} experts have fewer than the {op.active:,} of a token"
    else:
        return
    at = step.arguments.get(where)
    raise error(why, at[0].span if at is not None else step.where.span)


def _require_tokens(x: Shape, step: Experts) -> None:
    """Refuse what is no vector, and no vectors at positions."""
    if isinstance(x, Ids):
        raise error(
            f"experts compute with tokens, and {x} are ids", step.where.span,
            help="embedding(n) before them turns each id into a token of n numbers",
        )  # fmt: skip
    if len(x) > 1 and not x.channels_last:
        raise error(
            f"experts work on tokens, whose channels come last, but {x} is a map",
            step.where.span,
            help="tokens before them turns each position into a token; or use channels_last",
        )


def _unfit(layer: Layer, tokens: Shape, inside: set[str], copies: Copies) -> tuple[str, str] | None:
    """Why a layer cannot be one of an expert, and what would work; ``None`` where it can."""
    outside = next((name for name in layer.inputs if name not in inside), "")
    if outside:
        return (
            f"reads {shorten(outside)} from outside of its expert",
            "an expert reads the tokens that are dispatched to it, and nothing else",
        )
    if layer.keys or layer.again:
        return "has weights of another layer", "each expert has weights of its own"
    if layer.facts.buffers:
        return _statistics(layer.op)
    if copies.stacked and layer.name in (
        f"{copies.scope}.{name}" for name in (_SCORE, _CHOOSE, _DISPATCH, _COMBINE)
    ):
        return "has a name that experts: uses itself", "another name than score, choose, dispatch or combine"
    spatial = layer.shape.spatial
    if not layer.shape.channels_last:
        return (
            f"({layer.op.kind}) puts the channels first, but an expert works on each token by itself",
            "linear is on tokens what a 1x1 convolution is on maps",
        )
    if spatial != tokens.spatial or not ops.is_by_token(layer.facts) or not _is_everywhere(layer):
        return (
            f"({layer.op.kind}) {_looks(layer, tokens)}, but an expert works on each token by itself",
            "steps that look at several tokens, or at their positions, go before or after the experts",
        )
    if copies.stacked and layer.facts.weights and layer.op.kind != "linear":
        return (
            f"({layer.op.kind}) has weights that are not stacked",
            "stacked: is for experts of linear layers; without it each expert has tensors of its own",
        )
    return None


def _looks(layer: Layer, tokens: Shape) -> str:
    if layer.shape.spatial != tokens.spatial:
        return f"makes {layer.shape} of tokens at {times(tokens.spatial)}"
    if not ops.is_by_token(layer.facts):
        return "looks at several tokens"
    return "depends on the position of a token"


def _is_everywhere(layer: Layer) -> bool:
    """Whether a layer does the same at each position, as far as its weights tell."""
    if layer.op.by_position:
        return False
    if not layer.facts.weights:
        return True
    try:
        other = ask(layer.op, *(x.with_spatial([n + 1 for n in x.spatial]) for x in layer.input_shapes))
    except ShapeError:
        return False
    return dict(other.weights) == dict(layer.facts.weights)
