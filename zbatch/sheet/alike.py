"""Pictures that came as the same bytes, though of several jobs: a page from disk cannot compare pixels."""

from __future__ import annotations

from collections.abc import Iterable


def alike_jobs(received: Iterable[str]) -> tuple[tuple[int, ...], ...]:
    """Group jobs by the digest of what came; an empty digest, and one that nothing shares, is left out."""
    groups: dict[str, list[int]] = {}
    for job, digest in enumerate(received):
        if digest:
            groups.setdefault(digest, []).append(job)
    return tuple(tuple(jobs) for jobs in groups.values() if len(jobs) > 1)
