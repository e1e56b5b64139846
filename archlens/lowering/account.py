"""How a network was traced: in which way, and what became of each operator that ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

#: What an operator becomes that is no layer of an op of archlens': a layer of which some is unknown, a part
#: of what reads it, or the same without an input that flows in.
OPAQUE, FOLDED, CONSTANT = "opaque", "folded", "constant"

#: On what a module runs, and what else there is.
RUN = "one run on tensors without values"
SAMPLED = "one run on tensors without values and on one sample with values, whose path it takes"
#: Where code looks at values unless it is told that ``torch.export`` runs it, as checks of its input do.
TOLD = "one run on tensors without values, on the path that the code takes for torch.export"
TOLD_ALONE = (
    "one run on one sample without values, on the path that the code takes for torch.export, since the "
    "batch is taken apart or mixed"
)
#: The same of code that takes its batch apart, sample by sample, or puts samples together.
ALONE = "one run on one sample without values, since the batch is taken apart or mixed"
SAMPLED_ALONE = "one run on one sample, with values, since the batch is taken apart or mixed"
REPLAYED = "an exported program, replayed on tensors without values"

#: What stands in the place of an operator where values are moved to how they are read.
MOVED = "(values moved)"


class Ran(NamedTuple):
    """Operators that ran and became the same."""

    operator: str
    #: The kinds of the layers that it became, or one of the words above.
    became: str
    #: Why it has no op of archlens' where it is opaque.
    reason: str
    times: int


@dataclass(frozen=True)
class Account:
    """One run of a module, in few words."""

    #: On what it ran: one of the ways above.
    way: str
    #: The version of torch.
    torch: str
    ran: tuple[Ran, ...]
    #: How many opaque layers read buffers whose values are not there.
    blind: int = 0

    @property
    def is_alone(self) -> bool:
        """Whether it ran on one sample, so that no axis of what came out is known to be the batch."""
        return self.way in (ALONE, SAMPLED_ALONE, TOLD_ALONE)
