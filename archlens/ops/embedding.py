"""Tensors that are learned and join what flows, without a layer around them.

They lie directly on their scope: the layer's name is their key in the state dict, as in torchvision.
"""

from __future__ import annotations

from typing import Annotated

from ..geometry import POINT, Window
from ..shape import Shape, channels_last
from .attributes import Number
from .footprint import INPUT, PASSED, ROWS, Extra, Footprint
from .layout import require_channels_last
from .op import NONE, Call, Facts, Names, Op, ShapeError


class ClassToken(Op, kind="class_token", family="attention"):
    """A learned token before all others: ``LxC`` becomes ``(L + 1)xC``.

    What attention gathers in it is classified; ``slice(0, 1, axis="length") >> flatten`` takes it out.

    Output: ``(L + 1)xC``.
    Parameters: ``C``.
    Limits: tokens, ``LxC``.
    Source: Devlin et al. 2019 and Dosovitskiy et al. 2021, equation 1.
    """

    channelwise = True
    names = Names(keras="", onnx="", also="cls clstoken")
    examples = ("24x49 >> tokens >> class_token",)
    saved_for_backward = PASSED._replace(lies=ROWS)

    def facts(self, x: Shape) -> Facts:
        _require_tokens(x, "class_token")
        own = (1, 1, x.channels)
        return Facts(
            shape=channels_last((x[0] + 1,), x.channels),
            weights={"": own},
            buffers=NONE,
            macs=0,
            other={},
            reach=(Window(1, 1, 1, 0),),
            torch=Call("archlens.prepend", parameter=Call("torch.zeros", *own)),
        )

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return f"{inputs[0][0]} + 1 = {facts.shape[0]}"


class PositionEmbedding(Op, kind="position_embedding", family="attention"):
    """A learned vector for each position, added to what stands there.

    It ties a network to one input size. Initialised from a normal distribution of standard deviation
    0.02, as BERT does.

    Output: the shape of the input.
    Parameters: as many as the input has values.
    Limits: none.
    Source: Dosovitskiy et al. 2021, equation 1.
    """

    channelwise = True
    names = Names(keras="", onnx="", also="posembed positionalembedding positionalencoding")
    examples = ("24x49 >> tokens >> position_embedding", "8x4x5 >> position_embedding")
    saved_for_backward = PASSED._replace(in_place=True)

    def facts(self, x: Shape) -> Facts:
        own = (1, *x)
        return Facts(
            shape=x,
            weights={"": own},
            buffers=NONE,
            macs=0,
            other={"elementwise": x.numel},
            reach=(POINT,) * (len(x) - 1),
            torch=Call("operator.add", parameter=Call("archlens.normal", sizes=own, deviation=0.02)),
        )


class LayerScale(Op, kind="layer_scale", family="normalization"):
    """A learned factor for each channel, near zero at first, so that a residual block starts as nothing.

    Output: the shape of the input.
    Parameters: ``c``.
    Limits: none.
    Source: Touvron et al. 2021, "Going deeper with Image Transformers", equation 4.
    """

    initial: Annotated[Number, "where the factors start"] = 1e-6

    incidental = {"initial": "initial"}
    channelwise = True
    names = Names(keras="", onnx="", also="layerscaling")
    examples = (
        "96x7x7 >> layer_scale",
        "96x7x7 >> channels_last >> layer_scale(0.1)",
        "24 >> layer_scale(1)",
    )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input; the gradient of a factor is a sum over values of their own."""
        return INPUT._replace(backward=(Extra(facts.shape.numel),), in_place=True)

    def facts(self, x: Shape) -> Facts:
        own = (x.channels,) if x.channels_last else (x.channels, *(1,) * (len(x) - 1))
        return Facts(
            shape=x,
            weights={"": own},
            buffers=NONE,
            macs=0,
            other={"elementwise": x.numel},
            reach=(POINT,) * (len(x) - 1),
            torch=Call(
                "operator.mul", parameter=Call("torch.full", size=own, fill_value=float(self.initial))
            ),
        )


def _require_tokens(x: Shape, what: str) -> None:
    """Refuse all but ``LxC``."""
    require_channels_last(x, what, "LxC", "tokens")
    if len(x) != 2:
        raise ShapeError(
            f"{what} works on tokens such as LxC, and its input is {x}", help="put tokens before it"
        )
