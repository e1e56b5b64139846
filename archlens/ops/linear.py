"""Matrix products over features."""

from __future__ import annotations

from ..shape import Shape
from .attributes import Count, Flag
from .footprint import INPUT
from .op import EVERYWHERE, NONE, Call, Facts, Misfit, Op


class Linear(Op, kind="linear", family="linear"):
    """Fully connected layer over a flat vector: ``y = Wx + b``.

    Parameters: ``n_in * n_out`` and a bias each. Multiply-accumulates: ``n_in * n_out``.
    """

    features: Count
    bias: Flag = True

    examples = ("400 >> linear(120)", "84 >> linear(10, bias=false)")
    holds = INPUT

    def facts(self, x: Shape) -> Facts:  # type: ignore[override]
        if len(x) > 1:
            raise Misfit(
                f"linear works on a flat vector, and its input is a map of {x}",
                help=f"put flatten before it ({x.numel:,} features), "
                f"or global_avg_pool >> flatten ({x.channels:,} features)",
            )
        weight = (self.features, x.channels)
        return Facts(
            shape=Shape((self.features,)),
            weights={"weight": weight, "bias": (self.features,)} if self.bias else {"weight": weight},
            buffers=NONE,
            macs=self.features * x.channels,
            other={"bias": self.features} if self.bias else {},
            reach=EVERYWHERE,
            torch=Call("nn.Linear", (x.channels, self.features), {} if self.bias else {"bias": False}),
        )

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        return f"{self.features:,} outputs x {inputs[0].channels:,} inputs = {facts.macs:,}"

    def why_params(self, facts: Facts) -> str:
        rows, columns = facts.weights["weight"]
        text = f"{rows:,} outputs x {columns:,} inputs = {rows * columns:,} weights"
        return text + (f" + {rows:,} biases = {facts.params:,}" if self.bias else "")
