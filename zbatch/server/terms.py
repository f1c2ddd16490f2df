"""The terms of a server: what it holds, what one key may ask for, and what is rehearsed."""

from __future__ import annotations

from dataclasses import dataclass, field

from zbatch.server.quotas import Quota
from zbatch.server.rehearsal import Rehearsal
from zbatch.server.tasks import Limits


@dataclass(frozen=True, slots=True)
class Terms:
    """How a server serves.

    `workers` threads run the engine (where `None`: one for a model, as many as there are processors for
    previews); `grace` is how many seconds what is under way may take to finish when the server ends.
    `public_url` is what callers reach it by through a proxy, where that is not what they are seen to call.
    """

    limits: Limits = field(default_factory=Limits)
    quota: Quota = field(default_factory=Quota)
    rehearsal: Rehearsal = field(default_factory=Rehearsal)
    workers: int | None = None
    grace: float = 0.0
    public_url: str | None = None
