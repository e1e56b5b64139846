"""Configurations of Hugging Face's transformers: ``config.json``. Nothing of theirs is run."""

from __future__ import annotations

import re
from typing import BinaryIO

from ..format import Format, Model

#: What such a file has at its start: a brace, and not far behind it what it is of.
_OPENS = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")
_NAMES = re.compile(
    rb'"(?:model_type|architectures|transformers_version|hidden_size|num_hidden_layers|n_layer|n_embd|d_model)"\s*:'
)


def _recognizes(start: bytes) -> bool:
    return bool(_OPENS.match(start) and _NAMES.search(start))


def _read(file: BinaryIO, name: str) -> Model:
    from .configuration import read

    return read(file, name)


FORMAT = Format("a configuration of transformers", ("config.json",), _recognizes, _read, certain=False)
