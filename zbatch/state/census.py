"""The jobs of a run counted and grouped: how many stand where, what went wrong, what was odd."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import orjson

from zbatch.model import RETRYABLE, JobState
from zbatch.state.reader import StateReader
from zbatch.state.records import Failure, Warned


class Census(StateReader):
    """Answers how the jobs of a run stand, from indexes and groups: none is read whole."""

    def counts(self) -> dict[JobState, int]:
        """Count the jobs the manifest shows, by state."""
        counts = dict.fromkeys(JobState, 0)
        counts.update(
            {
                JobState(state): number
                for state, number in self._rows(
                    "SELECT state, count(*) FROM jobs WHERE position IS NOT NULL GROUP BY state"
                )
            }
        )
        return counts

    def attempts(self) -> int:
        """Count every submit that was accepted or may have been."""
        return int(next(self._rows("SELECT count(*) FROM attempts"))[0])

    def standing(self, attempts: int) -> Iterator[tuple[str, JobState]]:
        """Give key and state of every job; failed ones with attempts left (of `attempts`) as pending."""
        rows = self._rows(
            f"""SELECT key, CASE WHEN state = 'failed' AND attempts - retried_at < {attempts:d}
                THEN 'pending' ELSE state END FROM jobs"""  # noqa: S608 - a number
        )
        states = {state.value: state for state in JobState}
        return ((key, states[state]) for key, state in rows)

    def orphans(self) -> int:
        """Count jobs that had an attempt and that the manifest no longer shows."""
        # The states are named for the index, which begins with them: without, a million rows are read.
        states = ", ".join(f"'{state}'" for state in JobState)
        rows = self._rows(
            f"SELECT count(*) FROM jobs WHERE state IN ({states}) AND position IS NULL AND attempts > 0"  # noqa: S608 - constants
        )
        return int(next(rows)[0])

    def taken_over(self) -> dict[str, int]:
        """Count the shown jobs whose pictures other runs made, by the directory they were taken over from."""
        rows = self._rows(
            """SELECT t.run, count(*) FROM taken_over t JOIN jobs j ON j.id = t.job_id
               WHERE j.state = 'done' AND j.position IS NOT NULL GROUP BY t.run ORDER BY t.run"""
        )
        return {os.path.relpath(self.directory.path / run): count for run, count in rows}

    def failures(self) -> list[Failure]:
        """Group the jobs that did not end well, and those that wait with a reason, biggest group first."""
        rows = self._rows(
            """SELECT state, coalesce(reason, ''), count(*), max(coalesce(message, '')) FROM jobs
               WHERE position IS NOT NULL AND (state IN ('failed', 'rejected', 'unknown')
                   OR (state IN ('submitted', 'pending') AND reason IS NOT NULL))
               GROUP BY state, reason ORDER BY count(*) DESC, state, reason"""
        )
        return [
            Failure(
                JobState(state),
                reason,
                count,
                message,
                f"--retry {state}" if JobState(state) in RETRYABLE else "run again",
            )
            for state, reason, count, message in rows
        ]

    def warned(self) -> Warned:
        """Count the shown jobs whose picture was kept with a warning, of another size than asked, say."""
        rows = self._rows(
            """SELECT warnings, count(*) FROM jobs
               WHERE state = 'done' AND position IS NOT NULL AND warnings IS NOT NULL GROUP BY warnings"""
        )
        jobs, kinds = 0, Counter[str]()
        for texts, count in rows:
            jobs += count
            for text in orjson.loads(texts):
                kinds[text] += count
        return Warned(jobs, dict(kinds.most_common()))
