"""Many names in a message: the first few of them, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_NAMED: Final = 3


def listed(names: Sequence[str]) -> str:
    """Name some of many: `a, b, c and 5 more`."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
