"""What a verification found: records that need no torch to be read, shown or compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

PASSED, FAILED, NOT_APPLICABLE = "passed", "failed", "not applicable"

#: Why a layer is not held against anything: a spec states its figures, or nobody knows what it computes.
STATED, OPAQUE = "stated, not verified", "opaque, not verified"

#: What is checked, in the order in which it is reported; and beside it, where there is a module to hold a
#: network against.
CHECKS = ("shape", "weights", "macs", "field", "total")
OUTPUT = "output"
#: What another runtime is asked, of a file that it reads.
RUNTIME = "runtime"


class Check(NamedTuple):
    """One comparison: what archlens says, what was found, and how that came out."""

    layer: str
    what: str
    status: str
    says: str
    found: str
    reason: str


@dataclass(frozen=True)
class Verification:
    """All comparisons of one network, and where they were made."""

    name: str
    title: str
    device: str
    torch: str
    #: fvcore's version; empty where it is not installed.
    fvcore: str
    batch: int
    checks: tuple[Check, ...]
    #: Operators that fvcore met and does not count.
    uncounted: tuple[str, ...]
    #: Seconds of one forward pass on CUDA; none elsewhere.
    seconds: float | None
    #: The most bytes that CUDA had allocated during it; none elsewhere.
    peak_bytes: int | None
    #: What archlens says that CUDA allocates, workspaces apart; none elsewhere.
    predicted_bytes: int | None
    #: Why it ran on the meta device, where nobody asked for that; else empty.
    why_meta: str = ""

    @property
    def passed(self) -> bool:
        """Whether no comparison failed."""
        return not any(check.status == FAILED for check in self.checks)

    @property
    def stated(self) -> list[str]:
        """The layers of which nothing is held against anything, since a spec states their figures."""
        return [check.layer for check in self.of("shape") if check.reason == STATED]

    @property
    def opaque(self) -> list[str]:
        """The layers of which nothing is held against torch, since nobody knows what they compute."""
        return [check.layer for check in self.of("shape") if check.reason == OPAQUE]

    def of(self, what: str) -> list[Check]:
        """The comparisons of one kind."""
        return [check for check in self.checks if check.what == what]
