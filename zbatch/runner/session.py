"""A session wires one run together: manifest and state, endpoint and stages, from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

from zbatch.api.client import ApiClient
from zbatch.api.endpoint import EndpointKind
from zbatch.api.transport import AiohttpTransport
from zbatch.errors import StorageError, SurroundingsError, ZbatchError
from zbatch.model import JobState
from zbatch.runner.events import Event, EventName, Listener
from zbatch.runner.limiter import Limiter
from zbatch.runner.memory import Memory
from zbatch.runner.order import Ending, Order, Outcome
from zbatch.runner.poller import Schedule
from zbatch.runner.preparation import Preparation, policy_of
from zbatch.runner.reach import Reach
from zbatch.runner.savers import SaverPool
from zbatch.runner.stages import Stages
from zbatch.runner.standing import Standing
from zbatch.runner.wiring import Halt, Tally, Wiring
from zbatch.server.embedded import EMBEDDED_BASE_URL, embedded_transport
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.lock import RunLock
from zbatch.state.pictures import claim
from zbatch.state.rescue import rescue
from zbatch.state.store import Store
from zbatch.state.writer import StateWriter
from zbatch.storage import Bucket


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
            self._listener.event(Event(EventName.DRAINING, reason=Ending.INTERRUPTED))
        self._halt.drain(Ending.INTERRUPTED)

    async def execute(self) -> Outcome:
        """Run.

        Raises:
            ManifestError: the expansion is wrong; nothing was submitted and the state is as before.
            UsageError: the selection selects nothing, or the directory holds something else.
            SurroundingsError: the directory, the lock, the endpoint or the key cannot be used.
            InterruptedEarlyError: a signal came before the first submit; nothing was changed.
        """
        preparation = Preparation(self._order, self._stopped, self._listener.event)
        key = preparation.key()
        directory = RunDirectory(self._order.directory)
        if not directory.exists():
            # Nothing is made where something is wrong. On a thread, so that a signal is answered meanwhile.
            await asyncio.to_thread(preparation.check)
        directory.create()
        with RunLock(directory) as lock:
            directory.clear_parts()
            with directory.reserved(), contextlib.closing(Store(directory.state)) as store:
                known = await asyncio.to_thread(preparation.begin, store)
                writer = StateWriter(store)
                try:
                    await self._work(writer, lock, directory, key, preparation, known=known)
                except SurroundingsError as error:
                    if lock.in_place():
                        raise
                    self._halt.abandon(error)
                finally:
                    writer.close()
                if not lock.in_place():
                    # Whatever stopped the run, this was behind it; all that was to be written is in the copy.
                    self._halt.explain(await asyncio.to_thread(rescue, store, directory))
                with store.transaction():
                    store.hold_again()
                return self._outcome(store, directory, taken=preparation.taken)

    async def _work(
        self,
        writer: StateWriter,
        lock: RunLock,
        directory: RunDirectory,
        key: str | None,
        preparation: Preparation,
        *,
        known: bool,
    ) -> None:
        limits, policy = self._order.manifest.limits, policy_of(self._order)
        limiter = Limiter(self._order.concurrency or limits.concurrency, self._order.pace)
        self._halt.when_draining(limiter.stop)
        # Tasks that earlier processes left are asked for at once, however long the grid takes; not where some
        # of them are let go of.
        early = known and JobState.SUBMITTED not in self._order.retry
        standing = await (writer.commit(Standing.before) if early else preparation.take_grid(writer))
        if not early:
            await asyncio.to_thread(preparation.finish, directory, standing.words)
        await self._claim(writer, directory, begun=standing.tally.attempts > 0)
        async with self._client(key) as client, self._savers(directory) as savers:
            wiring = Wiring(
                directory,
                lock,
                writer,
                client,
                limiter,
                savers,
                policy,
                self._listener,
                self._halt,
                standing.tally,
                asyncio.Event(),
                Reach(policy.patience.unreached_at_first, policy.patience.unreached),
                Schedule(first_guess=policy.patience.first_guess),
                self._order.location,
            )
            self._halt.when_draining(wiring.settled.set)
            memory = Memory(writer, limiter)
            await memory.recall()
            stages = Stages(wiring, preparation if early else None, memory)
            stages.adopt(standing.tasks)
            begun = EventName.RESUMED if standing.tasks else EventName.RUN_STARTED
            self._listener.event(Event(begun, data=_facts(standing.tally)))
            await stages.run(limits.run_deadline)
            if stages.failure is not None:
                raise stages.failure

    async def _claim(self, writer: StateWriter, directory: RunDirectory, *, begun: bool) -> None:
        """Have the place in the store, if there is one, before anything is paid that is to go there."""
        location = self._order.location
        if location is None:
            return
        identity = str(await writer.commit(lambda store: store.meta(Meta.IDENTITY)))

        def claimed() -> None:
            bucket = Bucket(location, patience=self._order.patience.unstored_at_first)
            claim(bucket, identity, self._order.manifest.name, directory, begun=begun)

        try:
            await asyncio.to_thread(claimed)
        except StorageError as error:
            raise StorageError(
                error.message, hint=f"nothing was submitted by this run; {error.hint}"
            ) from error

    def _savers(self, directory: RunDirectory) -> SaverPool:
        location = self._order.location
        to = None if location is None else (location, self._order.patience.unstored)
        return SaverPool(directory, embed=self._order.manifest.output.embed, to=to)

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

    def _outcome(self, store: Store, directory: RunDirectory, *, taken: bool) -> Outcome:
        # Until the grid is taken over, what is selected is that of an earlier manifest.
        selected = store.count(selected=True)
        complete = sum(selected.values()) == selected[JobState.DONE]
        ending = Ending.COMPLETE if complete else Ending.INCOMPLETE
        if self._halt.error is not None:
            ending = Ending.STOPPED
        elif self._halt.reason == Ending.INTERRUPTED and not (complete and taken):
            ending = Ending.INTERRUPTED
        elif self._halt.draining and not complete:
            ending = Ending(self._halt.reason)
        # For what is said of it later, and for this the room was kept.
        directory.give_reserve()
        with contextlib.suppress(ZbatchError), store.transaction():
            store.set_meta(Meta.STOPPED, None if self._halt.error is None else self._halt.error.message)
            if taken:
                store.set_meta(Meta.SELECTED_LEFT, selected[JobState.PENDING])
        self._listener.event(Event(EventName.RUN_ENDED, reason=ending))
        return Outcome(ending, directory.path, store.count(selected=False), selected, self._halt.error)


def _facts(tally: Tally) -> dict[str, int]:
    return {"total": tally.total, "done": tally.done}
