"""Experts: each token goes to a few of many, by a router's scores.

No spec names them: ``experts:`` lays them out, around the router and the expert that it is given. Between
them each token stands once for each expert that it goes to, so what lies there costs what it costs.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from ..geometry import POINT
from ..shape import Ids, Shape, channels_last
from .attributes import DEFAULT, Count, Flag, Kind, Number
from .footprint import OUTPUT, PASSED, ROWS
from .op import NONE, Argument, Buffer, Call, Facts, Merge, NonUniform, Op, weightless

_UNKNOWN = "what autograd keeps of experts depends on how their tokens are brought together"


def _scores(value: Any) -> str | None:
    """The word, or the op of that name."""
    word = value.kind if isinstance(value, type) and issubclass(value, Op) else value
    return word if word in ("softmax", "sigmoid") else None


def _key(value: Any) -> Any:
    fits = isinstance(value, str) and value.isidentifier() and len(value) <= 200
    return DEFAULT if value is None else value if fits else None


Scores = Annotated[str, Kind("softmax or sigmoid", _scores)]
OptionalName = Annotated[str | None, Kind("a name, or none", _key)]


def rows(active: int, x: Shape, channels: int) -> Shape:
    """The tokens of a shape, each once for each expert that it goes to."""
    return channels_last((active, *x.spatial), channels)


def is_by_token(facts: Facts) -> bool:
    """Whether each output of an op depends on the input at its own position alone."""
    return facts.reach == (POINT,) * len(facts.shape.spatial)


class Score(Op, family="activation"):
    """The output of a router as scores."""

    scores: Annotated[Scores, "what makes them"] = "softmax"

    kind = "score"
    saved_for_backward = OUTPUT._replace(lies=ROWS)
    whole = True

    def facts(self, x: Shape) -> Facts:
        softmax = self.scores == "softmax"
        return weightless(
            x,
            (POINT,) * len(x.spatial),
            Call("torch.softmax", dim=-1) if softmax else Call("torch.sigmoid"),
            activation=prod(x.spatial) * (3 * x.channels - 1) if softmax else x.numel,
        )


class Correct(Op, family="merge"):
    """Scores by which experts are chosen, each with a bias that is kept and not trained."""

    kind = "correct"
    memory_unknown = _UNKNOWN
    whole = True

    def facts(self, x: Shape) -> Facts:
        return Facts(
            shape=x,
            weights=NONE,
            buffers={"": Buffer((x.channels,))},
            macs=0,
            other={"elementwise": x.numel},
            reach=(POINT,) * len(x.spatial),
            torch=Call("operator.add", parameter=Call("torch.zeros", size=(x.channels,))),
        )

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        return "to each score the bias of its expert is added"


class Choose(Op, family="merge"):
    """The experts that each token goes to: those with the highest scores, within the best groups."""

    active: Annotated[Count, "how many"]
    groups: Annotated[Count, "into how many consecutive groups they are divided"] = 1
    active_groups: Annotated[Count, "of how many groups, those whose two best have the highest sums"] = 1

    kind = "choose"
    memory_unknown = _UNKNOWN
    whole = True

    def facts(self, x: Shape) -> Facts:
        compared = prod(x.spatial) * self.active * x.channels
        # the two best of each group and their sum, and the best sums
        sums = 2 * x.channels + self.groups + self.active_groups * self.groups
        grouped = prod(x.spatial) * sums if self.groups > 1 else 0
        return weightless(
            Ids((self.active, *x.spatial), x.channels),
            NonUniform("which experts a token goes to depends on it"),
            Call(
                "archlens.chosen_experts",
                active=self.active,
                groups=Argument(self.groups, default=1),
                active_groups=Argument(self.active_groups, default=1),
            ),
            choice=compared + grouped,
        )

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        within = f", of {self.active_groups} of {self.groups} groups" if self.groups > 1 else ""
        return f"{self.active} of {inputs[0].channels:,} experts for each token{within}"


class Dispatch(Op, family="reshape"):
    """Each token once for each expert that it goes to."""

    active: Annotated[Count, "to how many"]

    kind = "dispatch"
    saved_for_backward = PASSED
    channelwise = True

    def facts(self, x: Shape) -> Facts:
        return weightless(
            rows(self.active, x, x.channels),
            NonUniform("each token stands once for each expert that it goes to"),
            Call("archlens.dispatched", active=self.active),
        )

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        return f"each token once for each of the {self.active} experts that it goes to"


class Experts(Merge):
    """What the experts of each token make, weighted by their scores and added up.

    It reads that, the scores, and which experts were chosen.
    """

    count: Annotated[Count, "how many experts there are"]
    active: Annotated[Count, "how many of them each token goes to"]
    scores: Annotated[Scores, "what makes scores of the router's output"] = "softmax"
    normalize: Annotated[Flag, "whether the weights of a token are divided by their sum"] = True
    scale: Annotated[Number, "what they are multiplied by"] = 1
    groups: Annotated[Count, "into how many groups the experts are divided"] = 1
    active_groups: Annotated[Count, "of how many groups those of a token are"] = 1
    correction: Annotated[OptionalName, "what the bias is called by which experts are chosen, if any"] = None
    stacked: Annotated[Flag, "whether the weights of all experts lie in one tensor"] = False

    kind = "experts"
    looks_up = True
    memory_unknown = _UNKNOWN
    whole = True

    def facts(self, *inputs: Shape) -> Facts:
        made, scores, _ = inputs
        tokens, k = prod(scores.spatial), self.active
        weights = k * tokens
        normalizing = tokens * (2 * k - 1) if self.normalize else 0
        return Facts(
            shape=channels_last(scores.spatial, made.channels),
            weights=NONE,
            buffers=NONE,
            macs=0,
            other={
                "elementwise": normalizing
                + (weights if self.scale != 1 else 0)
                + (2 * k - 1) * tokens * made.channels,
            },
            reach=NonUniform("each token has what its own experts make"),
            torch=Call(
                "archlens.combined_experts",
                normalize=Argument(self.normalize, default=True),
                scale=Argument(self.scale, default=1),
            ),
        )

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        return f"the weighted sum of what {self.active} of {self.count:,} experts make of each token"


#: The layers around experts.
AROUND = (Score, Correct, Choose, Dispatch, Experts)
