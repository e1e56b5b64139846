"""The text that a new spec starts from."""

from __future__ import annotations

import re

_TEXT = """\
# {name}: check it with `archlens shapes {name}.yaml`, and whenever a number surprises you ask
# `archlens explain {name}.yaml conv1`.

title: {title}
# summary: What it is for, in a sentence.
# paper: {{authors: Who et al., title: Its title, year: 2026, arxiv: "2601.00001"}}

# channels x height x width, without the batch
input: 3x32x32

# Named values that every expression can use; `--set width=64` overrides one.
params:
  width: 32
  classes: 10

# Steps to be used again. Arguments follow Python's rules.
blocks:
  unit(out, stride=1):
    - conv: conv(out, 3, stride, padding=1, bias=false)
    - bn: batch_norm
    - relu
  basic(out, stride=1):
    - residual:
        - conv1: unit(out, stride)
        - conv2: conv(out, 3, padding=1, bias=false)
        - bn2: batch_norm
      # x + F(x) needs both of one shape; `identity` is x itself
      shortcut: conv(out, 1, stride, bias=false) >> batch_norm if stride > 1 else identity
    - relu

# The network. A name before a step is its key in torch's state dict; steps without one are counted.
layers:
  - stem: unit(width)
  - layer1: basic(width) * 2
  - layer2: basic(2 * width, stride=2) >> basic(2 * width) * 2
  - global_avg_pool
  - flatten
  - fc: linear(classes)

# Names that the command line accepts, as in `archlens shapes {name}.yaml:{word}_wide`.
variants:
  {word}: {{}}
  {word}_wide: {{width: 64}}

# Figures that others printed, each with its source: `archlens claims {name}.yaml` compares them.
# published:
#   - {{source: "Who et al., Table 1", link: paper, params: 0.2M}}

# What must hold.
# budget: {{params: <= 1M}}
"""


def skeleton(name: str) -> str:
    """A commented spec that elaborates as it stands, to be changed into one's own.

    Args:
        name: the name of its file, without the ending.
    """
    word = re.sub(r"[^0-9A-Za-z_]+", "_", name).strip("_") or "network"
    title = re.sub(r"[^0-9A-Za-z]+", " ", name).strip() or "A network"
    return _TEXT.format(name=name, word=word, title=title[:1].upper() + title[1:])
