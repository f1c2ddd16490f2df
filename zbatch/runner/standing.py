"""How a run stands at one instant: the tasks in flight and the count of its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from zbatch.model import RETRYABLE, JobState
from zbatch.runner.wiring import Tally
from zbatch.state.store import OpenTask, Store


@dataclass(frozen=True, slots=True)
class Standing:
    """Read from the state in one step. `words` are what a person should know of how it came to it."""

    tasks: list[OpenTask]
    tally: Tally
    words: list[tuple[str, str]]

    @classmethod
    def of(cls, store: Store, words: list[tuple[str, str]] | None = None) -> Self:
        """Read it, of the selected jobs."""
        return cls._read(store, selected=True, words=words or [])

    @classmethod
    def before(cls, store: Store) -> Self:
        """Read it before anything is selected: of all jobs that the run before showed."""
        return cls._read(store, selected=False, words=[])

    @classmethod
    def _read(cls, store: Store, *, selected: bool, words: list[tuple[str, str]]) -> Self:
        counts = store.count(selected=selected)
        others = store.unselected_tasks() if selected else 0
        tally = Tally(
            total=sum(counts.values()) + others,
            done=counts[JobState.DONE],
            failed=sum(counts[state] for state in RETRYABLE),
            pending=counts[JobState.PENDING],
            attempts=store.attempts_made(),
            spending=store.spending(),
        )
        return cls(store.open_tasks(), tally, words)
