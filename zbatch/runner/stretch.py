"""How long something has gone on without a break."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_GAP = 150.0
"""Seconds. Whatever is tried again is tried sooner: a longer silence means that this process was stopped (by
Ctrl-Z, a debugger, a hypervisor), and what was so before it says nothing of what is so now."""


@dataclass(slots=True)
class Stretch:
    """Notes of something that is so, again and again. Times are monotonic seconds.

    A clock that stands still while a laptop sleeps adds nothing, one that runs on leaves a gap: both ways an
    hour asleep is not an hour of trouble.
    """

    since: float | None = None
    last: float = 0.0

    def lasts(self, now: float) -> float:
        """Note that it is so now; give how many seconds it has been."""
        if self.since is None or now - self.last > LONGEST_GAP:
            self.since = now
        self.last = now
        return now - self.since

    def end(self) -> None:
        """Note that it is so no more."""
        self.since = None
