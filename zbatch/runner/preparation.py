"""What comes before the first submit: the endpoint and its key, the whole checked expansion, old attempts."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from zbatch.api.endpoint import EndpointKind
from zbatch.clock import now_iso
from zbatch.errors import DiskError
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.lockfile import lock_text, source_names
from zbatch.manifest.selection import Selection
from zbatch.model import Row
from zbatch.runner.access import key_for, take_endpoint
from zbatch.runner.events import Event, EventName
from zbatch.runner.order import Order
from zbatch.runner.trust import is_trusted, trust
from zbatch.runner.wiring import Policy
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory, write_aside
from zbatch.state.store import Store
from zbatch.version import __version__


class InterruptedEarlyError(Exception):
    """A signal came before the first submit: nothing was changed."""


class Preparation:
    """Prepares one run. `stopped` is looked at between cells, so that a signal ends a long expansion."""

    def __init__(self, order: Order, stopped: threading.Event, tell: Callable[[Event], None]) -> None:
        self._order = order
        self._stopped = stopped
        self._tell = tell

    def check(self) -> str | None:
        """Find everything that can be wrong before the directory is touched; give the key to send.

        Raises:
            ManifestError: the expansion is wrong.
            UsageError: the selection selects nothing.
            EndpointError: there is no key for the endpoint, or it may not have it.
            InterruptedEarlyError: a signal came.
        """
        order = self._order
        given = order.endpoint_given or is_trusted(order.endpoint)
        key = key_for(order.endpoint, order.key, given=given)
        for _ in self._rows(self._expansion()):
            pass
        return key

    def commit(self, store: Store, directory: RunDirectory) -> None:
        """Commit the whole expansion and everything about the run, in one transaction.

        Raises:
            EndpointError: the directory belongs to another endpoint.
            InterruptedEarlyError: a signal came; the state is as before.
        """
        order = self._order
        expansion = self._expansion()
        with store.transaction():
            words = [take_endpoint(store, order.endpoint, order.retry), self._moved(store)]
            store.replace_grid(self._rows(expansion), order.manifest.model)
            self._describe(store)
            words.append(self._missing(store, directory))
            words.append(self._settle(store))
        if order.endpoint_given and order.endpoint.kind is EndpointKind.HOSTED:
            trust(order.endpoint)
        self._keep_sources(directory)
        for warning in expansion.warnings:
            self._tell(Event(EventName.NOTICE, reason="manifest", message=str(warning)))
        for word in filter(None, words):
            self._tell(Event(EventName.NOTICE, reason="endpoint", message=word))

    def _expansion(self) -> Expansion:
        order = self._order
        return Expansion(order.manifest, Selection.parse(order.only, order.first, order.manifest))

    def _rows(self, expansion: Expansion) -> Iterator[Row]:
        for row in expansion.rows():
            if self._stopped.is_set():
                raise InterruptedEarlyError
            yield row

    def _keep_sources(self, directory: RunDirectory) -> None:
        manifest = self._order.manifest
        write_aside(directory.manifest_lock, lock_text(manifest).encode())
        for source, name in zip(manifest.document.sources, source_names(manifest), strict=True):
            path = directory.manifest_sources / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DiskError(f"cannot make {path.parent}: {error.strerror or error}") from error
            write_aside(path, source.data)

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
            Meta.PRICE: None if manifest.price is None else str(manifest.price),
            Meta.VIEW: {"x": report.x, "y": report.y, "group": list(report.group)},
            Meta.AGAIN: self._order.again,
            Meta.MAX_COST: None if policy.max_cost is None else str(policy.max_cost),
            Meta.VERSION: __version__,
        }
        for name, value in facts.items():
            store.set_meta(name, value)
        if store.meta(Meta.CREATED_AT) is None:
            store.set_meta(Meta.CREATED_AT, now_iso())
            store.set_meta(Meta.IDENTITY, secrets.token_hex(8))

    def _settle(self, store: Store) -> str:
        """Settle what an earlier process left, put back what may be submitted again; give a word on it."""
        policy = policy_of(self._order)
        word = ""
        interrupted = store.recover()
        if self._order.endpoint.kind is EndpointKind.PREVIEW:
            interrupted += store.forget_tasks("the built-in endpoint ended with its process")
        if policy.resubmit_unknown:
            free = self._order.endpoint.kind is EndpointKind.PREVIEW
            store.retry_unknown(policy.unknown_attempts, free=free)
        elif interrupted:
            word = (
                f"{interrupted} submits of an earlier process have an unknown outcome and are held; "
                "submit them again with --retry unknown (they may be billed twice)"
            )
        store.retry_failed(policy.attempts)
        store.retry(self._order.retry)
        return word

    def _missing(self, store: Store, directory: RunDirectory) -> str:
        missing = store.ask_again_for_missing(directory.path)
        if not missing:
            return ""
        return f"{missing} pictures that were done are gone or changed; their tasks are asked for them again"

    def _moved(self, store: Store) -> str:
        """Say so where the directory's run was made from another manifest: two of one name share it."""
        before = store.meta(Meta.MANIFEST)
        if before is None or Path(before).name == self._order.manifest.path.name:
            return ""
        return f"this run was made from {before} and goes on with {self._order.manifest.path}"


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
        price=order.manifest.price,
        free=preview,
        max_cost=limits.max_cost if order.max_cost is None else order.max_cost,
        inputs_root=order.manifest.inputs.root,
        patience=replace(order.patience, first_guess=0.1, lost_after=0.0) if preview else order.patience,
    )
