"""What the sections of a page are made from, each found out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..drawing.plan import Plans, TooMuch
from ..network import Network
from ..studying import Study
from ..views.verification_table import Report


@dataclass(frozen=True, eq=False)
class Material:
    """A network with what is found out about it, and what is known of it from elsewhere."""

    study: Study
    #: Reports of verifications, of this network or of others.
    reports: Sequence[Report] = ()
    #: How the network differs from what its spec says, where it does, as in ``"another input"``.
    overridden: str = ""
    #: What was asked for, as a command line has it; empty for its name.
    asked: str = ""

    @property
    def network(self) -> Network:
        """The network."""
        return self.study.network

    @cached_property
    def plans(self) -> Plans | str:
        """What its pictures show; or why there are none of it."""
        plans = Plans(self.network, study=self.study)
        try:
            plans.at()
        except TooMuch as problem:
            return f"{problem.diagnostic.message}; {problem.diagnostic.help}"
        return plans

    @property
    def boxes(self) -> int:
        """How many boxes its pictures have."""
        return 0 if isinstance(self.plans, str) else len(self.plans.at().boxes)
