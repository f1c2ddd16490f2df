"""The one thread that writes the state, committing in groups.

Every caller waits until its own step is on disk; steps that arrive while a commit is running share the next
one, so thousands in flight cost hundreds of commits, not thousands.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar, overload

from zbatch.state.advances import Advance
from zbatch.state.store import Store

T = TypeVar("T")

_GROUP = 2_000


class _Step(NamedTuple):
    """What is to be written, and who waits for it."""

    work: Callable[[Store], Any] | Advance
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]

    @property
    def forward(self) -> bool:
        """Tell whether it is a step forward, which many jobs take together."""
        return not callable(self.work)


class _LongStep(NamedTuple):
    """The same for a step of very many statements, which has a transaction of its own."""

    work: Callable[[Store], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


_Outcome = tuple[_Step | _LongStep, Any, BaseException | None]


class StateWriter:
    """Runs steps against a `Store` on a thread of its own, several to a transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._steps: queue.SimpleQueue[_Step | _LongStep | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="zbatch-state", daemon=True)
        self._thread.start()

    @overload
    async def commit(self, step: Advance) -> None: ...

    @overload
    async def commit(self, step: Callable[[Store], T]) -> T: ...

    async def commit(self, step: Callable[[Store], Any] | Advance) -> Any:
        """Run a step and return its value once it is durable; being cancelled meanwhile does not undo it.

        Steps forward (`Advance`) of many jobs are written together, and have no value.

        Raises:
            DiskError: the group could not be written; none of it was kept.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._steps.put(_Step(step, loop, future))
        return await future

    async def commit_alone(self, step: Callable[[Store], T]) -> T:
        """Run a step of very many statements, in a transaction of its own, and return its value once durable.

        Steps that share a transaction need savepoints. Within one, SQLite journals (in memory here) every
        statement that a foreign key may yet refuse, and drops that in a time that grows with all before it:
        a grid of 400,000 cells took ten minutes.

        Raises:
            DiskError: it could not be written; none of it was kept.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._steps.put(_LongStep(step, loop, future))
        return await future

    def close(self) -> None:
        """Finish what was asked and end the thread. The store stays open."""
        self._steps.put(None)
        self._thread.join()

    def _work(self) -> None:
        while True:
            group: list[_Step] = []
            step = self._steps.get()
            while isinstance(step, _Step):
                group.append(step)
                if len(group) >= _GROUP or self._steps.empty():
                    break
                step = self._steps.get()
            if group:
                _settle_all(self._committed(group))
            if step is None:
                return
            if isinstance(step, _LongStep):
                _settle_all([self._committed_alone(step)])

    def _committed(self, group: list[_Step]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        try:
            with self._store.transaction():
                for forward, steps in itertools.groupby(group, key=lambda step: step.forward):
                    outcomes += (self._advanced if forward else self._each)(list(steps))
        except BaseException as error:  # noqa: BLE001 - every waiter must learn it
            return [(step, None, error) for step in group]
        return outcomes

    def _committed_alone(self, step: _LongStep) -> _Outcome:
        try:
            with self._store.transaction():
                value = step.work(self._store)
        except BaseException as error:  # noqa: BLE001 - the waiter must learn it
            return step, None, error
        return step, value, None

    def _advanced(self, steps: list[_Step]) -> list[_Outcome]:
        """Take steps forward together; where one of them is wrong, each alone, so that it fails alone."""
        try:
            with self._store.step():
                self._store.advance(*(step.work for step in steps if not callable(step.work)))
        except Exception as error:
            if _spoils_the_file(error):
                raise
            return self._each(steps)
        return [(step, None, None) for step in steps]

    def _each(self, steps: list[_Step]) -> list[_Outcome]:
        return [self._alone(step) for step in steps]

    def _alone(self, step: _Step) -> _Outcome:
        try:
            with self._store.step():
                if callable(step.work):
                    return step, step.work(self._store), None
                self._store.advance(step.work)
                return step, None, None
        except Exception as error:
            if _spoils_the_file(error):
                raise
            return step, None, error


def _spoils_the_file(error: Exception) -> bool:
    """Tell an error of the file, which fails the whole group, from one step's own, which was undone alone."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError)


def _settle_all(outcomes: Iterable[_Outcome]) -> None:
    """Tell those who wait; once a loop for the whole group, as waking one costs a system call."""
    settled: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        settled.setdefault(outcome[0].loop, []).append(outcome)
    for loop, those in settled.items():
        try:
            loop.call_soon_threadsafe(_settle, those)
        except RuntimeError:
            # The loop is closed: nobody waits any more, and the step is on disk.
            continue


def _settle(outcomes: list[_Outcome]) -> None:
    for step, value, error in outcomes:
        future = step.future
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
            # Whoever was cancelled while waiting does not ask; that is not worth a warning at exit.
            future.exception()
        else:
            future.set_result(value)
