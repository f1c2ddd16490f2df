"""What the server's NSFW verdict says, whose shape is not documented."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def is_flagged(verdict: Any) -> bool:
    """Tell whether a verdict says yes anywhere.

    `enable_nsfw_detection` says that somebody looked, not what was seen.
    """
    return any(leaf is True for leaf in _leaves(verdict))


def judgement(verdict: Any) -> bool | None:
    """Tell whether a verdict says yes or no; `None` where the server said neither."""
    leaves = [leaf for leaf in _leaves(verdict) if isinstance(leaf, bool)]
    return any(leaves) if leaves else None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name != "enable_nsfw_detection":
                yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
