"""A session wires one run together: manifest and state, endpoint and stages, from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

from zbatch.api.client import ApiClient
from zbatch.api.endpoint import EndpointKind
from zbatch.api.transport import AiohttpTransport
from zbatch.model import JobState
from zbatch.runner.events import Event, EventName, Listener
from zbatch.runner.fetching import Fetcher
from zbatch.runner.limiter import Limiter
from zbatch.runner.order import Ending, Order, Outcome
from zbatch.runner.preparation import Preparation, policy_of
from zbatch.runner.reach import Reach
from zbatch.runner.savers import SaverPool
from zbatch.runner.submitting import Submitter
from zbatch.runner.watching import Watcher
from zbatch.runner.wiring import Halt, Tally, Wiring
from zbatch.server.embedded import EMBEDDED_BASE_URL, embedded_transport
from zbatch.state.directory import RunDirectory, RunLock
from zbatch.state.store import Store
from zbatch.state.writer import StateWriter

_TICK = 0.5
_DOWNLOADS = 16


class Session:
    """One run of one manifest. `drain` may be called from a signal handler on the loop's thread."""

    def __init__(self, order: Order, listener: Listener) -> None:
        self._order = order
        self._listener = listener
        self._halt = Halt()
        self._stopped = threading.Event()

    def drain(self) -> None:
        """Make no new submits, finish what is in flight, then end. Before the first submit: end at once."""
        self._stopped.set()
        if not self._halt.draining:
            self._listener.event(Event(EventName.DRAINING, reason="interrupted"))
        self._halt.drain("interrupted")

    async def execute(self) -> Outcome:
        """Run.

        Raises:
            ManifestError: the expansion is wrong; nothing was submitted and the state is as before.
            UsageError: the selection selects nothing, or the directory holds something else.
            SurroundingsError: the directory, the lock, the endpoint or the key cannot be used.
            InterruptedEarlyError: a signal came before the first submit; nothing was changed.
        """
        preparation = Preparation(self._order, self._stopped, self._listener.event)
        # On a thread of its own, so that a signal is answered while a large grid is expanded.
        key = await asyncio.to_thread(preparation.check)
        directory = RunDirectory(self._order.directory)
        directory.create()
        with RunLock(directory):
            directory.clear_parts()
            with directory.reserved(), contextlib.closing(Store(directory.state)) as store:
                await asyncio.to_thread(preparation.commit, store, directory)
                writer = StateWriter(store)
                try:
                    await self._work(writer, directory, key)
                finally:
                    writer.close()
                return self._outcome(store, directory)

    async def _work(self, writer: StateWriter, directory: RunDirectory, key: str | None) -> None:
        limits, policy = self._order.manifest.limits, policy_of(self._order)
        limiter = Limiter(self._order.concurrency or limits.concurrency, self._order.rate or limits.rate)
        self._halt.when_draining(limiter.stop)
        tasks = await writer.commit(lambda store: store.open_tasks())
        tally = await writer.commit(_tally)
        async with self._client(key) as client, SaverPool(directory) as savers:
            wiring = Wiring(
                directory,
                writer,
                client,
                limiter,
                savers,
                policy,
                self._listener,
                self._halt,
                tally,
                asyncio.Event(),
                Reach(policy.patience.unreached_at_first, policy.patience.unreached),
            )
            self._halt.when_draining(wiring.settled.set)
            fetcher = Fetcher(wiring, workers=_DOWNLOADS)
            watcher = Watcher(wiring, fetcher.put)
            submitter = Submitter(wiring, watcher.add)
            watcher.submitter = submitter
            limiter.adopt(len(tasks))
            for task in tasks:
                watcher.add(task, adopted=True)
            self._listener.event(
                Event(EventName.RESUMED if tasks else EventName.RUN_STARTED, data=_facts(tally))
            )
            await self._stages(wiring, submitter, watcher, fetcher)

    async def _stages(self, wiring: Wiring, submitter: Submitter, watcher: Watcher, fetcher: Fetcher) -> None:
        async def submit() -> None:
            try:
                await submitter.run(lambda: watcher.busy or fetcher.busy)
            finally:
                submitting.set()
                watcher.wake()

        submitting = asyncio.Event()
        deadline = self._order.manifest.limits.run_deadline
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(fetcher.run()), group.create_task(self._ticks(wiring))]
            if deadline is not None:
                background.append(group.create_task(self._deadline(deadline)))
            group.create_task(submit())
            await watcher.run(lambda: not submitting.is_set() or submitter.busy)
            await submitting.wait()
            while fetcher.busy:
                wiring.settled.clear()
                await wiring.settled.wait()
            for task in background:
                task.cancel()
        self._listener.progress(wiring.snapshot())

    async def _ticks(self, wiring: Wiring) -> None:
        while True:
            self._listener.progress(wiring.snapshot())
            await asyncio.sleep(_TICK)

    async def _deadline(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._listener.event(Event(EventName.DRAINING, reason="run_deadline"))
        self._halt.drain("run_deadline")

    @contextlib.asynccontextmanager
    async def _client(self, key: str | None) -> AsyncIterator[ApiClient]:
        model = self._order.manifest.model
        if self._order.endpoint.kind is EndpointKind.PREVIEW:
            async with embedded_transport() as embedded:
                yield ApiClient(transport=embedded, base_url=EMBEDDED_BASE_URL, model=model)
            return
        client = ApiClient(
            transport=AiohttpTransport(), base_url=self._order.endpoint.url, model=model, key=key
        )
        try:
            yield client
        finally:
            await client.aclose()

    def _outcome(self, store: Store, directory: RunDirectory) -> Outcome:
        selected = store.count(selected=True)
        complete = sum(selected.values()) == selected[JobState.DONE]
        ending = Ending.COMPLETE if complete else Ending.INCOMPLETE
        if self._halt.error is not None:
            ending = Ending.STOPPED
        elif self._halt.reason == "interrupted":
            ending = Ending.INTERRUPTED
        elif self._halt.draining and not complete:
            ending = Ending(self._halt.reason)
        self._listener.event(Event(EventName.RUN_ENDED, reason=ending))
        return Outcome(ending, directory.path, store.count(selected=False), selected, self._halt.error)


def _tally(store: Store) -> Tally:
    counts = store.count(selected=True)
    held = sum(counts[state] for state in (JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN))
    return Tally(
        total=sum(counts.values()) + store.unselected_tasks(),
        done=counts[JobState.DONE],
        failed=held,
        pending=counts[JobState.PENDING],
        attempts=store.attempts_made(),
    )


def _facts(tally: Tally) -> dict[str, int]:
    return {"total": tally.total, "done": tally.done}
