"""What one key may ask for: so many submits a minute, so many tasks at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from zbatch.server.tasks import BusyError

_BURST: Final = 10.0
"""Seconds whose submits may come at once: the smallest time a minute's limit is fair over."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits for each key; without keys all callers are one. `rate` is in submits a second."""

    rate: float | None = None
    tasks: int | None = None

    @property
    def burst(self) -> int:
        """Submits that may come at once: those of ten seconds, at least one."""
        return max(1, math.floor((self.rate or 0) * _BURST))


class Quotas:
    """Holds every owner to the quota. `clock` is monotonic, in seconds."""

    def __init__(self, quota: Quota, clock: Callable[[], float]) -> None:
        self._quota = quota
        self._clock = clock
        self._full_at: dict[str, float] = {}
        """When an owner's burst is whole again, where it is not."""

    def spend(self, owner: str, open_tasks: int) -> None:
        """Count one submit of an owner who has so many tasks open.

        Raises:
            BusyError: it is one too many, and is not counted.
        """
        quota = self._quota
        if quota.tasks is not None and open_tasks >= quota.tasks:
            raise BusyError(f"this key has {open_tasks} tasks in flight, as many as it may", retry_after=1)
        if quota.rate is None:
            return
        now, interval = self._clock(), 1 / quota.rate
        full_at = max(now, self._full_at.get(owner, now))
        wait = full_at + interval - (now + quota.burst * interval)
        if wait > 1e-9:
            raise BusyError(
                f"this key may submit {quota.rate * 60:g} times a minute, {quota.burst} at once",
                retry_after=math.ceil(wait),
            )
        self._full_at[owner] = full_at + interval
        if len(self._full_at) > 10_000:
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}
