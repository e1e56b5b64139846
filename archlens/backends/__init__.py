"""What needs torch: real modules, their source, and the proof that both are what the tables say.

Nothing outside this room imports it at start; torch itself is imported by what is called here.
"""

from __future__ import annotations

from ..errors import not_installed


def require_torch() -> None:
    """Refuse in one line where torch is missing.

    Raises:
        UsageError: torch is not installed, with what to install.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise not_installed("this needs torch", "torch") from None
