"""Pictures on their way into an object store: many puts at once, and each answer in its turn.

A store takes tens of milliseconds for a picture however small it is, so that throughput is how many are on
their way. Thumbnails are kept in the run directory too, for the sheet that lies there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Thread
from typing import Final

from zbatch.errors import DiskError, StorageError
from zbatch.model import Artifact, media_type_of
from zbatch.state.artifacts import Asked, BadImageError, examine
from zbatch.state.directory import RunDirectory
from zbatch.state.placing import place_all
from zbatch.state.witness import Witness
from zbatch.storage import Bucket

Outcome = Artifact | BadImageError | DiskError

_AT_ONCE: Final = 64
"""Pictures on their way from one helper process; whoever hands them over holds no more than that back."""


class Sender:
    """Takes batches of pictures and hands each outcome to `answer`, in their order, from a thread."""

    def __init__(
        self,
        directory: RunDirectory,
        bucket: Bucket,
        witness: Witness | None,
        answer: Callable[[Outcome], None],
    ) -> None:
        self._directory = directory
        self._bucket = bucket
        self._witness = witness
        self._answer = answer
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="zbatch-put")
        self._waiting: SimpleQueue[Future[Outcome] | None] = SimpleQueue()
        self._answering = Thread(target=self._answer_all, name="zbatch-answers")
        self._answering.start()

    def take(self, pictures: Sequence[tuple[Asked, bytes]]) -> None:
        """Have some pictures decoded and put; gives back before they are."""
        examined = list(examine(pictures, self._witness, apart=True))
        problems = place_all(self._directory, [files[:-1] for _, files in examined])
        for (outcome, files), problem in zip(examined, problems, strict=True):
            if problem is None and isinstance(outcome, Artifact):
                self._waiting.put(self._pool.submit(self._put, outcome, files))
            else:
                settled: Future[Outcome] = Future()
                settled.set_result(problem or outcome)
                self._waiting.put(settled)

    def end(self) -> None:
        """Wait until all that was taken is answered."""
        self._waiting.put(None)
        self._answering.join()
        self._pool.shutdown()

    def _put(self, artifact: Artifact, files: Sequence[tuple[str, bytes]]) -> Outcome:
        """Put the thumbnail, then the picture: what is put once more after a crash is the same again."""
        try:
            for name, data in files:
                self._bucket.put(name, data, media_type=media_type_of(name))
        except StorageError as error:
            hint = f"{error.hint}; every task is recorded, and nothing is paid again"
            return StorageError(error.message, hint=hint)
        return artifact

    def _answer_all(self) -> None:
        while (future := self._waiting.get()) is not None:
            self._answer(future.result())
