"""A session wires one run together: manifest and state, endpoint and stages, from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from zbatch.api.client import ApiClient
from zbatch.api.endpoint import Endpoint, EndpointKind
from zbatch.api.transport import AiohttpTransport
from zbatch.clock import now_iso
from zbatch.errors import DiskError, ZbatchError
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import Manifest
from zbatch.manifest.lockfile import lock_text
from zbatch.manifest.selection import Selection
from zbatch.model import Cell, Job, JobState
from zbatch.runner.access import is_trusted, key_for, take_endpoint
from zbatch.runner.events import Event, EventName, Listener
from zbatch.runner.fetching import Fetcher
from zbatch.runner.limiter import Limiter
from zbatch.runner.reach import Reach
from zbatch.runner.savers import SaverPool
from zbatch.runner.submitting import Submitter
from zbatch.runner.watching import Watcher
from zbatch.runner.wiring import Halt, Patience, Policy, Tally, Wiring
from zbatch.server.embedded import EMBEDDED_BASE_URL, embedded_transport
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory, RunLock, write_aside
from zbatch.state.store import Store
from zbatch.state.writer import StateWriter
from zbatch.version import __version__

_TICK = 0.5


@dataclass(frozen=True, slots=True)
class Order:
    """What one call of `run` asks for, everything resolved: flags have won over the manifest.

    `endpoint_given` says that a flag or variable named the endpoint; `rate` is in submits a second.
    """

    manifest: Manifest
    endpoint: Endpoint
    endpoint_given: bool
    directory: Path
    key: str | None = None
    only: tuple[str, ...] = ()
    first: int | None = None
    retry: tuple[JobState, ...] = ()
    concurrency: int | None = None
    rate: float | None = None
    max_cost: Decimal | None = None
    patience: Patience = field(default_factory=Patience)


class Ending(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"
    MAX_COST = "max_cost"
    RUN_DEADLINE = "run_deadline"
    STOPPED = "stopped"  # by the endpoint, the account or the disk: see the error


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run. `error` is there where something outside stopped it."""

    ending: Ending
    directory: Path
    counts: dict[JobState, int]
    selected: dict[JobState, int]
    error: ZbatchError | None = None


class Session:
    """One run of one manifest. `drain` may be called from a signal handler on the loop's thread."""

    def __init__(self, order: Order, listener: Listener) -> None:
        self._order = order
        self._listener = listener
        self._halt = Halt()

    def drain(self) -> None:
        """Make no new submits, finish what is in flight, then end."""
        if not self._halt.draining:
            self._listener.event(Event(EventName.DRAINING, reason="interrupted"))
        self._halt.drain("interrupted")

    async def execute(self) -> Outcome:
        """Run.

        Raises:
            ManifestError: the expansion is wrong; nothing was submitted and the state is as before.
            UsageError: the selection selects nothing, or the directory holds something else.
            SurroundingsError: the directory, the lock, the endpoint or the key cannot be used.
        """
        order = self._order
        # Everything that can be wrong with the manifest is found before the directory is touched.
        Expansion(order.manifest, self._selection()).check()
        directory = RunDirectory(order.directory)
        directory.create()
        with RunLock(directory):
            directory.clear_parts()
            with directory.reserved(), contextlib.closing(Store(directory.state)) as store:
                key = self._prepare(store, directory)
                writer = StateWriter(store)
                try:
                    await self._work(writer, directory, key)
                finally:
                    writer.close()
                return self._outcome(store, directory)

    def _selection(self) -> Selection:
        return Selection.parse(self._order.only, self._order.first, self._order.manifest)

    def _prepare(self, store: Store, directory: RunDirectory) -> str | None:
        """Commit the whole checked expansion and everything about the run, in one transaction."""
        order, manifest = self._order, self._order.manifest
        expansion = Expansion(manifest, self._selection())
        with store.transaction():
            word = take_endpoint(store, order.endpoint)
            given = order.endpoint_given or is_trusted(store, order.endpoint)
            key = key_for(order.endpoint, order.key, given=given)
            if order.endpoint_given:
                store.set_meta(Meta.ENDPOINT_TRUSTED, order.endpoint.url)
            store.replace_grid(_rows(expansion))
            self._describe(store)
            self._settle(store)
        self._keep_sources(directory)
        for warning in expansion.warnings:
            self._listener.event(Event(EventName.NOTICE, reason="manifest", message=str(warning)))
        if word:
            self._listener.event(Event(EventName.NOTICE, reason="endpoint", message=word))
        return key

    def _keep_sources(self, directory: RunDirectory) -> None:
        manifest = self._order.manifest
        write_aside(directory.manifest_lock, lock_text(manifest).encode())
        try:
            directory.manifest_sources.mkdir(exist_ok=True)
        except OSError as error:
            raise DiskError(f"cannot make {directory.manifest_sources}: {error.strerror or error}") from error
        write_aside(directory.manifest_sources / manifest.path.name, manifest.document.text.encode())

    def _describe(self, store: Store) -> None:
        manifest = self._order.manifest
        report = manifest.report
        facts = {
            Meta.NAME: manifest.name,
            Meta.DESCRIPTION: manifest.description,
            Meta.TITLE: report.title,
            Meta.MODEL: manifest.model,
            Meta.MANIFEST: str(manifest.path),
            Meta.MANIFEST_SHA256: manifest.document.sha256,
            Meta.PRICE: None if manifest.price is None else str(manifest.price),
            Meta.VIEW: {"x": report.x, "y": report.y, "group": list(report.group)},
            Meta.VERSION: __version__,
        }
        for name, value in facts.items():
            store.set_meta(name, value)
        if store.meta(Meta.CREATED_AT) is None:
            store.set_meta(Meta.CREATED_AT, now_iso())
            store.set_meta(Meta.IDENTITY, secrets.token_hex(8))

    def _settle(self, store: Store) -> None:
        """Settle what an earlier process left, and put back what may be submitted again."""
        policy = self._policy()
        interrupted = store.recover()
        if self._order.endpoint.kind is EndpointKind.PREVIEW:
            interrupted += store.forget_tasks()
        if policy.resubmit_unknown:
            free = self._order.endpoint.kind is EndpointKind.PREVIEW
            store.retry_unknown(policy.unknown_attempts, free=free)
        elif interrupted:
            message = (
                f"{interrupted} submits of an earlier process have an unknown outcome and are held; "
                "submit them again with --retry unknown (they may be billed twice)"
            )
            self._listener.event(Event(EventName.NOTICE, reason="unknown", message=message))
        store.retry_failed(policy.attempts)
        store.retry(self._order.retry)

    def _policy(self) -> Policy:
        order, limits = self._order, self._order.manifest.limits
        preview = order.endpoint.kind is EndpointKind.PREVIEW
        return Policy(
            attempts=limits.attempts,
            resubmit_unknown=preview or limits.on_unknown == "resubmit",
            unknown_attempts=None if preview else limits.attempts,
            job_deadline=limits.job_deadline,
            run_deadline=limits.run_deadline,
            price=order.manifest.price,
            max_cost=limits.max_cost if order.max_cost is None else order.max_cost,
            inputs_root=order.manifest.inputs.root,
            patience=replace(order.patience, first_guess=0.1, lost_after=0.0) if preview else order.patience,
        )

    async def _work(self, writer: StateWriter, directory: RunDirectory, key: str | None) -> None:
        limits, policy = self._order.manifest.limits, self._policy()
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
            fetcher = Fetcher(wiring, workers=savers.size * 2)
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


def _rows(expansion: Expansion) -> Iterator[tuple[Cell, Job | None, bool]]:
    for step in expansion.steps():
        yield step.cell, step.job, step.selected


def _tally(store: Store) -> Tally:
    counts = store.count(selected=True)
    held = sum(counts[state] for state in (JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN))
    return Tally(
        total=sum(counts.values()) + store.unselected_tasks(),
        done=counts[JobState.DONE],
        failed=held,
        attempts=store.attempts_made(),
    )


def _facts(tally: Tally) -> dict[str, int]:
    return {"total": tally.total, "done": tally.done}
