"""What the sections of a page are made from, each found out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..analysis import sizes
from ..analysis.study import Study
from ..drawing.plan import Plans, TooMuch
from ..language.spec import Spec
from ..network import Network
from ..views.verification import Report


@dataclass(frozen=True, eq=False)
class Material:
    """A network, the spec that it was made from, and what is known of it from elsewhere."""

    network: Network
    #: What it was made from, where that is a spec.
    spec: Spec | None = None
    #: Reports of verifications, of this network or of others.
    reports: Sequence[Report] = ()
    #: How the network differs from what its spec says, where it does, as in ``"another input"``.
    altered: str = ""
    #: What was asked for, as a command line has it; empty for its name.
    asked: str = ""

    @cached_property
    def study(self) -> Study:
        """What is found out about it."""
        return Study(self.network)

    @cached_property
    def plans(self) -> Plans | str:
        """What its pictures show; or why there are none of it."""
        plans = Plans(self.network, repeats=self.study.repeats)
        try:
            plans.at()
        except TooMuch as problem:
            return f"{problem.diagnostic.message}; {problem.diagnostic.help}"
        return plans

    @cached_property
    def sizes(self) -> sizes.Sizes:
        """The inputs that it takes."""
        return sizes.find(self.network, brief=True)
