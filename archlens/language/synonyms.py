"""What the ops, merges and arguments of the language are called elsewhere: by torch, Keras, ONNX and people.

A word is looked up in small letters, without ``_``, and without ``1d``, ``2d`` or ``3d`` unless they matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from ..errors import did_you_mean, shorten
from ..ops import BRANCHES, MERGES, OPS, Op


def plain(word: str) -> str:
    """A word as it is looked up.

    >>> plain("Conv2d"), plain("max_pool2d"), plain("AveragePooling2D")
    ('conv', 'maxpool', 'averagepooling')
    """
    return re.sub(r"(?<=.)[123]d", "", _joined(word))


def _joined(word: str) -> str:
    return re.sub(r"[_-]", "", word.lower())


#: The words that are names of ops here, and of merges that no scope may have the name of.
_OWN = {plain(kind) for kind in OPS}
_MERGES = {plain(kind) for kind, (branches, _) in BRANCHES.items() if not branches}


def words_for(op: type[Op]) -> set[str]:
    """The words for an op elsewhere; a name with arguments is none, as it means more than this op."""
    if op.names is None:
        return set()
    keras, onnx, also = op.names
    theirs = {plain(name.rpartition(".")[2]) for name in f"{keras} {onnx}".split() if "(" not in name}
    return (theirs | {*also.split()}) - _OWN


@cache
def words() -> Mapping[str, str]:
    """The op that is meant, by what it is called elsewhere."""
    return {word: kind for kind, op in OPS.items() if op.family != "merge" for word in words_for(op)}


@cache
def merge_words() -> Mapping[str, str]:
    """The merge that is meant, by what it is called elsewhere; empty where no op merges so."""
    none = "merge eltwise elementwise parallel branches stack average avg mean where outer"
    return dict.fromkeys(none.split(), "") | {
        word: kind for kind, op in MERGES.items() if op.family == "merge" for word in words_for(op)
    }


@cache
def construct_words() -> Mapping[str, str]:
    """The construct of the language that is meant, by its name and what it is called elsewhere."""
    from .constructs import CONSTRUCTS

    return {word: name for name, one in CONSTRUCTS.items() for word in (plain(name), *one.also.split())}


#: What archlens has no op for, by the words for it.
ABSENT = {
    word: what
    for what, words in {
        "recurrent layers over maps": "convlstm",
        "a layer for both directions: say bidirectional=true": "bidirectional",
        "sums of rows that are looked up": "embeddingbag",
        "whole transformer layers: they are made of self_attention, layer_norm and linear": (
            "transformer transformerencoder transformerencoderlayer transformerdecoder "
            "transformerdecoderlayer"
        ),
        "fractional or power-average pooling": "fractionalmaxpool lppool globallppool",
        "spectral normalization of weights": "spectralnorm",
        "that activation": "celu rrelu crelu maxout hardshrink softshrink tanhshrink shrink thresholdedrelu",
        "a depthwise convolution by itself: it is conv with groups=x.channels": (
            "depthwiseconv dwconv depthwise convdw convdepthwise"
        ),
        "a separable convolution by itself: it is conv with groups=x.channels, and conv(..., 1)": (
            "separableconv depthwiseseparableconv sepconv"
        ),
        "squeeze and excitation by itself: it is a gate: over global_avg_pool and convolutions": (
            "se seblock selayer squeezeexcite squeezeexcitation squeezeandexcitation"
        ),
        "noise": "gaussiannoise gaussiandropout alphadropout featurealphadropout",
        "a Fourier transform: custom states what one costs": (
            "fft fft2 fftn rfft rfft2 ifft irfft stft spectralconv fourier"
        ),
        "a selective scan or another state space: custom states what one costs": (
            "mamba mambablock ssm s4 selectivescan rwkv statespace"
        ),
        "a conditional random field": "crf",
        "a loss": "crossentropy crossentropyloss mse mseloss nll nllloss bceloss",
        "sampling in computed boxes": "affinegrid roialign roipool",
        "this elementwise function": "erf sign floor round tan neg",
    }.items()
    for word in words.split()
}  # fmt: skip

#: The arguments that are meant, the first that the op has, by what they are called elsewhere.
ARGUMENT_WORDS = {
    **dict.fromkeys(
        ("outchannels", "outfeatures", "filters", "units", "outputs", "numoutput"), ("channels", "features")
    ),
    **dict.fromkeys(("kernelsize", "kernelshape", "ksize", "windowsize", "poolsize", "k"), ("kernel",)),
    **dict.fromkeys(("strides", "s"), ("stride",)),
    **dict.fromkeys(("pad", "pads", "paddings"), ("padding",)),
    **dict.fromkeys(("dilations", "dilationrate", "rate"), ("dilation", "p")),
    **dict.fromkeys(("group", "numgroups", "featuregroupcount"), ("groups",)),
    **dict.fromkeys(("usebias", "biasterm"), ("bias",)),
    **dict.fromkeys(("epsilon", "epsvalue"), ("eps",)),
    **dict.fromkeys(("trackrunningstats",), ("running_stats",)),
    **dict.fromkeys(("elementwiseaffine",), ("affine",)),
    **dict.fromkeys(("scalefactor",), ("scale",)),
    **dict.fromkeys(("embeddingdim", "outputdim", "hiddensize"), ("width",)),
}

#: Arguments that no op has, and why not.
ARGUMENTS_ABSENT = {
    **dict.fromkeys(
        ("inchannels", "infeatures", "numfeatures", "inputdim", "inputshape", "normalizedshape", "embeddim"),
        "it follows from the input; leave it out",
    ),
    **dict.fromkeys(("numembeddings", "vocabsize"), "it follows from the input of ids, as in 77 of 49408"),
    **dict.fromkeys(("activation", "act"), "an activation is a step of its own: >> relu"),
    **dict.fromkeys(("paddingmode",), "for a mode other than zeros, put a pad before it"),
    **dict.fromkeys(("inplace", "device", "dtype", "name"), "it changes no shape and no cost; leave it out"),
    **dict.fromkeys(("dataformat",), "channels come first; channels_last moves them last"),
}


def op_meant(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """The help about an op that is not there: by meaning first, and by its letters where it has none."""
    known = list(known)
    return op_called(word, known) or did_you_mean(word, known, otherwise=otherwise)


def op_called(word: str, known: Iterable[str]) -> str:
    """The same by meaning alone; empty where the word has none."""
    known = list(known)
    for key in (_joined(word), plain(word)):
        same = [name for name in known if plain(name) == key]
        if same:
            return f"did you mean {shorten(same[0])}?"
        if key in words():
            return f"did you mean {words()[key]}?"
    if merge_words().get(key):
        return f"write {merge_words()[key]}: with its branches under it"
    if key in ABSENT:
        return f"archlens does not have {ABSENT[key]}"
    if key in construct_words():
        from .constructs import CONSTRUCTS

        meant = construct_words()[key]
        return f"did you mean {meant}?" if meant in known else f"write {CONSTRUCTS[meant].form}"
    return ""


def argument_meant(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """The help about an argument that an op or a block does not have."""
    known = list(known)
    key = plain(word)
    for name in ARGUMENT_WORDS.get(key, ()):
        if name in known:
            return f"did you mean {name}?"
    return ARGUMENTS_ABSENT.get(key) or did_you_mean(word, known, otherwise=otherwise)


def merge_meant(name: str, keywords: Iterable[str]) -> str | None:
    """What a key over several steps means elsewhere, or nearly says: advice, or ``None`` for a name.

    A word with a number in it is a name, as ``add1``; so is the word for an op, and a short one that looks
    like a keyword, as ``gates``.
    """
    key = plain(name)
    if key in merge_words() or key in _MERGES:
        meant = merge_words().get(key, key)
        return f"did you mean {meant}:?" if meant else f"the keys that merge branches: {', '.join(MERGES)}."
    if any(c.isdigit() for c in name) or key in _OWN:
        return None
    for keyword in keywords:
        most = 2 if len(keyword) > 5 else 1 if len(keyword) > 3 else 0
        # gates and date are words of their own, and residual_path says what is in it
        other = len(keyword) <= 5 and (name.startswith(keyword) or name[:1] != keyword[0])
        if not other and not name.startswith(f"{keyword}_") and _edits(name.lower(), keyword) <= most:
            return f"did you mean {keyword}:?"
    return None


def _edits(a: str, b: str) -> int:
    """How many letters are put in, left out, changed or swapped between two words; at most 3."""
    if abs(len(a) - len(b)) > 2:
        return 3
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(row[-1] + 1, rows[-1][j] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return min(rows[-1][-1], 3)
