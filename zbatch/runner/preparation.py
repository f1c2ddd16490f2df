"""What comes before the first submit: the endpoint and its key, the whole checked expansion, old attempts."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from zbatch.api.endpoint import EndpointKind
from zbatch.clock import now_iso
from zbatch.durable import write_aside
from zbatch.errors import DiskError
from zbatch.manifest.exporting import export_facts
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.lockfile import lock_text, source_names
from zbatch.manifest.selection import Selection
from zbatch.model import Row
from zbatch.runner.access import key_for, take_endpoint
from zbatch.runner.events import Event, EventName
from zbatch.runner.gridmark import GridMark
from zbatch.runner.order import Order
from zbatch.runner.reusing import Reuse
from zbatch.runner.standing import Standing
from zbatch.runner.trust import is_trusted, trust
from zbatch.runner.wiring import Policy
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.pictures import check_location
from zbatch.state.store import Store
from zbatch.state.writer import StateWriter
from zbatch.version import __version__


class InterruptedEarlyError(Exception):
    """A signal came before the first submit: nothing was changed."""


class Preparation:
    """Prepares one run: `begin`, then `check` and `commit`, which may take long on a large grid.

    Known tasks can be asked for after `begin`; nothing may be submitted before `commit`. `stopped` is looked
    at between cells, so that a signal ends a long expansion.
    """

    def __init__(self, order: Order, stopped: threading.Event, tell: Callable[[Event], None]) -> None:
        self._order = order
        self._stopped = stopped
        self._tell = tell
        self._reuse = Reuse(order, stopped, lambda word: self._say([("reuse", word)]))
        self._unchanged = False
        self._checked = False
        self.taken = False
        """Whether the state holds the grid of this run's manifest, committed."""

    def key(self) -> str | None:
        """Give the key to send.

        Raises:
            EndpointError: there is no key for the endpoint, or it may not have it.
        """
        order = self._order
        given = order.endpoint_given or is_trusted(order.endpoint)
        return key_for(order.endpoint, order.key, given=given)

    def begin(self, store: Store) -> bool:
        """Settle what an earlier process left under way; tell whether there are tasks to ask for.

        Raises:
            EndpointError: the directory belongs to another endpoint.
            UsageError: its pictures lie elsewhere.
        """
        order = self._order
        words = []
        with store.transaction():
            directory, there = RunDirectory(order.directory), store.meta(Meta.LOCATION)
            check_location(directory, there, order.location, store.attempts_made())
            store.hold_again()
            if store.in_flight():
                words = [take_endpoint(store, order.endpoint, order.retry), self._recover(store)]
            everything = not order.only and order.first is None
            self._unchanged = everything and GridMark.of(order.manifest).stands_in(store)
        self._say(("endpoint", word) for word in words)
        return store.in_flight() > 0

    def check(self) -> None:
        """Find everything that can be wrong, before the state takes anything over; the second time, at once.

        Raises:
            ManifestError: the expansion is wrong.
            UsageError: the selection selects nothing, or a run to take pictures over from cannot be.
            InterruptedEarlyError: a signal came.
        """
        if self._order.reuse:
            self._reuse.check()
        if self._unchanged or self._checked:
            return
        for _ in self._rows(self._expansion()):
            pass
        self._checked = True

    async def take_grid(self, writer: StateWriter) -> Standing:
        """Check, then commit the whole expansion and everything about the run in one step.

        Raises:
            ManifestError: the expansion is wrong; the state is as before.
            UsageError: the selection selects nothing.
            InterruptedEarlyError: a signal came; the state is as before.
        """
        # On a thread of its own, so that the loop goes on while a large grid is expanded.
        await asyncio.to_thread(self.check)
        standing = await writer.commit_alone(lambda store: Standing.of(store, self.commit(store)))
        if not self._order.reuse:
            return standing
        words = standing.words + await self._reuse.take(writer)
        return await writer.commit(lambda store: Standing.of(store, words))

    def commit(self, store: Store) -> list[tuple[str, str]]:
        """Take over the grid, as a step of the caller's transaction; give words about it, with their reason.

        Raises:
            EndpointError: the directory belongs to another endpoint.
            InterruptedEarlyError: a signal came; the state is as before.
        """
        order = self._order
        words = [take_endpoint(store, order.endpoint, order.retry), self._moved(store), self._repriced(store)]
        if self._unchanged:
            store.select_all()
            warnings = GridMark.warnings_in(store)
        else:
            expansion = self._expansion()
            store.replace_grid(self._rows(expansion), order.manifest.model)
            warnings = [str(warning) for warning in expansion.warnings]
            GridMark.of(order.manifest).set_in(store, warnings)
        self._describe(store)
        self._put_back(store)
        return [("manifest", word) for word in warnings] + [("endpoint", word) for word in words]

    def finish(self, directory: RunDirectory, words: Iterable[tuple[str, str]]) -> None:
        """Keep the manifest's sources, remember that a person named the endpoint, and say what is odd.

        Raises:
            DiskError: naming the file that could not be written.
        """
        self.taken = True
        order = self._order
        if order.endpoint_given and order.endpoint.kind is EndpointKind.HOSTED:
            trust(order.endpoint)
        if not self._unchanged or not directory.manifest_lock.exists():
            self._keep_sources(directory)
        self._say(words)

    def _say(self, words: Iterable[tuple[str, str]]) -> None:
        for reason, word in words:
            if word:
                self._tell(Event(EventName.NOTICE, reason=reason, message=word))

    def _expansion(self) -> Expansion:
        order = self._order
        return Expansion(order.manifest, Selection.parse(order.only, order.first, order.manifest))

    def _rows(self, expansion: Expansion) -> Iterator[Row]:
        for row in expansion.rows():
            if self._stopped.is_set():
                raise InterruptedEarlyError
            yield row

    def _keep_sources(self, directory: RunDirectory) -> None:
        """Keep the manifest as it is now, with all it is made of; what earlier ones were made of goes."""
        manifest = self._order.manifest
        kept = directory.manifest_sources
        names = source_names(manifest)
        write_aside(directory.manifest_lock, lock_text(manifest).encode())
        try:
            for path in sorted(kept.rglob("*"), reverse=True):  # what a folder holds comes before it
                if path.is_symlink() or not path.is_dir():
                    if path.relative_to(kept).as_posix() not in names:
                        path.unlink()
                elif not any(path.iterdir()):
                    path.rmdir()
            for name in names:
                (kept / name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DiskError(f"cannot write {kept}: {error.strerror or error}") from error
        for source, name in zip(manifest.document.sources, names, strict=True):
            write_aside(kept / name, source.data)

    def _describe(self, store: Store) -> None:
        manifest = self._order.manifest
        report, policy = manifest.report, policy_of(self._order)
        facts = {
            Meta.NAME: manifest.name,
            Meta.DESCRIPTION: manifest.description,
            Meta.TITLE: report.title,
            Meta.MODEL: manifest.model,
            Meta.MANIFEST: str(manifest.path),
            Meta.MANIFEST_SHA256: manifest.document.fingerprint,
            Meta.SOURCES: [[str(source.path), source.sha256] for source in manifest.document.sources],
            Meta.LOCATION: None if self._order.location is None else str(self._order.location),
            Meta.VIEW: {
                "x": report.x,
                "y": report.y,
                "group": None if report.group is None else list(report.group),
            },
            Meta.EXPORT: export_facts(manifest),
            Meta.SIDECARS: manifest.output.sidecars,
            Meta.AGAIN: self._order.again,
            Meta.SELECTED_LEFT: None,
            Meta.STOPPED: None,
            Meta.MAX_COST: None if policy.max_cost is None else str(policy.max_cost),
            Meta.VERSION: __version__,
        }
        for name, value in facts.items():
            store.set_meta(name, value)
        if store.meta(Meta.CREATED_AT) is None:
            store.set_meta(Meta.CREATED_AT, now_iso())
            store.set_meta(Meta.IDENTITY, secrets.token_hex(8))

    def _recover(self, store: Store) -> str:
        """Hold the intents that an earlier process left without an answer; give a word on them."""
        preview = self._order.endpoint.kind is EndpointKind.PREVIEW
        interrupted = store.recover()
        if preview:
            store.forget_tasks("the built-in endpoint ended with its process")
        if not interrupted or policy_of(self._order).resubmit_unknown:
            return ""
        return (
            f"{interrupted} submits of an earlier process have an unknown outcome and are held; "
            "submit them again with --retry unknown (they may be billed twice)"
        )

    def _put_back(self, store: Store) -> None:
        """Put back what may be submitted again, by itself or because a person says so."""
        policy = policy_of(self._order)
        if policy.resubmit_unknown:
            store.retry_unknown(
                policy.unknown_attempts, free=self._order.endpoint.kind is EndpointKind.PREVIEW
            )
        store.retry_failed(policy.attempts)
        store.retry(self._order.retry)

    def _moved(self, store: Store) -> str:
        """Say so where the directory's run was made from another manifest: two of one name share it."""
        before = store.meta(Meta.MANIFEST)
        if before is None or Path(before).name == self._order.manifest.path.name:
            return ""
        return f"this run was made from {before} and goes on with {self._order.manifest.path}"

    def _repriced(self, store: Store) -> str:
        """Keep what attempts cost that were made at another price, and say so."""
        before, now, attempts = store.spending(), self._order.manifest.price, store.attempts_made()
        after = before.repriced(now, attempts)
        store.set_meta(Meta.EARLIER_PRICES, after.written)
        store.set_meta(Meta.PRICE, None if now is None else str(now))
        if now is None or after.before == before.before:
            return ""
        made = f"{attempts:,} attempt{'s' * (attempts > 1)} made before"
        return f"the price was {before.price}, now {now}: {made} count{'s' * (attempts == 1)} at the old one"


def policy_of(order: Order) -> Policy:
    """Give what a run may do."""
    limits = order.manifest.limits
    preview = order.endpoint.kind is EndpointKind.PREVIEW
    return Policy(
        attempts=limits.attempts,
        resubmit_unknown=preview or limits.on_unknown == "resubmit",
        unknown_attempts=None if preview else limits.attempts,
        job_deadline=limits.job_deadline,
        run_deadline=limits.run_deadline,
        free=preview,
        max_cost=order.budget,
        inputs_root=order.manifest.inputs.root,
        patience=replace(order.patience, first_guess=0.1, lost_after=0.0) if preview else order.patience,
    )
