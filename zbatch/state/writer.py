"""The one thread that writes the state, committing in groups.

Every caller waits until its own step is on disk; steps that arrive while a commit is running share the next
one, so thousands in flight cost hundreds of commits, not thousands.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from zbatch.state.store import Store

T = TypeVar("T")

_Step = tuple[Callable[[Store], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]
_Settled = tuple["asyncio.Future[Any]", Any, BaseException | None]
_GROUP = 2_000


class StateWriter:
    """Runs steps against a `Store` on a thread of its own, several to a transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._steps: queue.SimpleQueue[_Step | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="zbatch-state", daemon=True)
        self._thread.start()

    async def commit(self, step: Callable[[Store], T]) -> T:
        """Run a step and return its value once it is durable.

        Raises:
            DiskError: the group could not be written; none of it was kept.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._steps.put((step, loop, future))
        # Shielded: a step that is under way is finished even where nobody waits for it any more.
        return await asyncio.shield(future)

    def close(self) -> None:
        """Finish what was asked and end the thread. The store stays open."""
        self._steps.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            group: list[_Step] = []
            step = self._steps.get()
            while step is not None:
                group.append(step)
                if len(group) >= _GROUP or self._steps.empty():
                    break
                step = self._steps.get()
            if group:
                self._commit_group(group)
            if step is None:
                return

    def _commit_group(self, group: list[_Step]) -> None:
        outcomes: list[tuple[_Step, Any, BaseException | None]] = []
        try:
            with self._store.transaction():
                for step in group:
                    try:
                        with self._store.step():
                            value = step[0](self._store)
                        outcomes.append((step, value, None))
                    except Exception as error:
                        if _spoils_the_file(error):
                            raise
                        outcomes.append((step, None, error))
        except BaseException as error:  # noqa: BLE001 - every waiter must learn it
            outcomes = [(step, None, error) for step in group]
        # Once for the whole group: waking a loop costs a system call.
        settled: dict[asyncio.AbstractEventLoop, list[_Settled]] = {}
        for (_, loop, future), value, problem in outcomes:
            settled.setdefault(loop, []).append((future, value, problem))
        for loop, those in settled.items():
            try:
                loop.call_soon_threadsafe(_settle, those)
            except RuntimeError:
                # The loop is closed: nobody waits any more, and the step is on disk.
                continue


def _spoils_the_file(error: Exception) -> bool:
    """Tell an error of the file, which fails the whole group, from one step's own, which was undone alone."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError)


def _settle(those: list[_Settled]) -> None:
    for future, value, error in those:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
            # Whoever was cancelled while waiting does not ask; that is not worth a warning at exit.
            future.exception()
        else:
            future.set_result(value)
