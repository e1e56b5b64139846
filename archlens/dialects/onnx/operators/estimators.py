"""What scikit-learn's estimators become in a file: operators of ``ai.onnx.ml``, whose numbers are attributes.

Source: https://onnx.ai/onnx/operators/index_ai_onnx_ml.html
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..folding import axis_of
from ..proto import Misfit, written
from ..running import At, Tensor
from .products import linear
from .registry import runs

_ML = "ai.onnx.ml"

#: What is computed of the scores, by torch's names.
_TRANSFORMS = {"SOFTMAX": "aten._softmax", "LOGISTIC": "aten.sigmoid", "NONE": "aten.alias"}


@runs("ArrayFeatureExtractor", domain=_ML)
def picked_features(at: At) -> Tensor:
    """Values along the last axis at given places, as scikit-learn's classifiers name their classes."""
    x, indices = at.x(), at.x(1)
    sizes = (*(x.sizes[:-1] or (1,)), prod(indices.sizes))
    return at.write("onnx.ArrayFeatureExtractor", {"inputs": [x, indices]}, sizes, dtype=x.dtype)


@runs("ZipMap", domain=_ML)
def named(at: At) -> Tensor:
    """The score of each class by its name, as a list of dictionaries: the same values."""
    return at.write("aten.alias", {"self": at.x()}, at.x().sizes)


@runs("Scaler", "Normalizer", "Imputer", "Binarizer", "LabelEncoder", domain=_ML)
def prepared(at: At) -> Tensor:
    """What is done to features one by one, by numbers that are no tensors of the file."""
    return at.write(f"onnx.{at.node.op}", {"self": at.x()}, at.x().sizes, dtype="float32")


@runs("FeatureVectorizer", domain=_ML)
def joined(at: At) -> Tensor:
    """The features of all inputs, one after the other."""
    rows = [one for one in at.inputs if one is not None]
    if not rows or any(len(one.sizes) != 2 or one.sizes[0] != rows[0].sizes[0] for one in rows):
        raise Misfit("its inputs are not all rows of features of the same samples")
    sizes = (rows[0].sizes[0], sum(one.sizes[1] for one in rows))
    return at.write("aten.cat", {"tensors": rows, "dim": 1}, sizes, dtype="float32")


@runs("OneHotEncoder", domain=_ML)
def encoded(at: At) -> Tensor:
    """A position for each category."""
    count = len(at.node.attributes.get("cats_strings") or at.node.integers("cats_int64s", []))
    return at.write("onnx.OneHotEncoder", {"self": at.x()}, (*at.x().sizes, count), dtype="float32")


@runs("LinearRegressor", domain=_ML)
def regressed(at: At) -> Tensor:
    """A linear layer."""
    return _scores(at, at.node.integer("targets", 1))


@runs("LinearClassifier", domain=_ML)
def classified(at: At) -> Sequence[Tensor]:
    """A linear layer and the class of the largest score; of two classes there may be one score alone."""
    count = _classes(at)
    width = _features(at)
    rows = len(at.node.attributes.get("coefficients") or []) // width
    if rows != count and not (rows == 1 and count == 2):
        raise Misfit(f"it has coefficients for {rows} scores of {width} features, and {count} classes")
    scores = _scores(at, rows)
    if rows < count:  # the score of the other class is what it lacks
        scores = at.write("onnx.LinearClassifier", {"self": scores}, (at.x().sizes[0], count))
    return _labelled(at, scores)


@runs("TreeEnsembleClassifier", domain=_ML)
def chosen(at: At) -> Sequence[Tensor]:
    """Trees, which compare, and multiply nothing."""
    return _labelled(at, at.write("onnx.TreeEnsembleClassifier", {"self": at.x()}, _sizes(at, _classes(at))))


@runs("TreeEnsembleRegressor", "TreeEnsemble", domain=_ML)
def grown(at: At) -> Tensor:
    """Trees, which compare, and multiply nothing."""
    return at.write(f"onnx.{at.node.op}", {"self": at.x()}, _sizes(at, at.node.integer("n_targets", 1)))


@runs("SVMClassifier", domain=_ML)
def separated(at: At) -> Sequence[Tensor]:
    """The sides of the planes between any two classes, by the kernel with each support vector."""
    scores = at.write("onnx.SVMClassifier", {"self": at.x()}, _sizes(at, _classes(at)), macs=None)
    return _labelled(at, scores)


@runs("SVMRegressor", domain=_ML)
def fitted(at: At) -> Tensor:
    """A sum of the kernel with each support vector."""
    return at.write("onnx.SVMRegressor", {"self": at.x()}, _sizes(at, 1), macs=None)


def _features(at: At) -> int:
    """How many features each sample has."""
    sizes = at.x().sizes
    if len(sizes) != 2 or not sizes[1]:
        raise Misfit(f"{written(sizes)} is not a row of features for each sample")
    return sizes[1]


def _sizes(at: At, count: int) -> tuple[int, int]:
    """So many numbers for each sample."""
    _features(at)
    if count < 1:
        raise Misfit("it says no class or target that it would give a score of")
    return at.x().sizes[0], count


def _classes(at: At) -> int:
    """How many classes there are."""
    given = at.node.attributes
    names = ("classlabels_ints", "classlabels_int64s", "classlabels_strings")
    found = next((one for one in map(given.get, names) if isinstance(one, list) and one), [])
    return len(found)


def _scores(at: At, count: int) -> Tensor:
    """A product with the coefficients, and what is added to it and computed of it."""
    x, width = at.x(), _features(at)
    given = at.node.attributes
    coefficients, intercepts = given.get("coefficients") or [], given.get("intercepts") or []
    _sizes(at, count)
    if len(coefficients) != count * width or len(intercepts) not in (0, count):
        raise Misfit(
            f"{len(coefficients):,} coefficients and {len(intercepts):,} intercepts are not for {count:,} "
            f"scores of {width:,} features"
        )
    name = f"{at.prefix}{at.node.outputs[-1]}"
    weight = Tensor((count, width), "float32", key=f"{name}.weight")
    bias = Tensor((count,), "float32", key=f"{name}.bias") if intercepts else None
    made = linear(at, x, weight, bias, turned=False)
    how = at.node.text("post_transform", "NONE") or "NONE"
    args = {"self": made, "dim": axis_of(-1, 2)} if how == "SOFTMAX" else {"self": made}
    return at.write(_TRANSFORMS.get(how, f"onnx.{how}"), args, made.sizes)


def _labelled(at: At, scores: Tensor) -> Sequence[Tensor]:
    """The class of each sample, and its scores."""
    label = at.write("aten.argmax", {"self": scores, "dim": 1}, scores.sizes[:1], dtype="int64")
    return [label, scores]
