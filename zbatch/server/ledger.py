"""The server's tasks on disk, so that a restart loses none: one SQLite file, written in groups."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from zbatch.api.results import TaskStatus
from zbatch.errors import DiskError, StateError
from zbatch.model import Lora
from zbatch.server.engines import ImageRequest, Watch
from zbatch.server.tasks import Order, Task

_VERSION: Final = 2
_SCHEMA: Final = """
CREATE TABLE tasks (
  place INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL UNIQUE,
  ordered TEXT NOT NULL,
  image BLOB,
  mask BLOB,
  accepted_at REAL NOT NULL,
  status TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  size INTEGER NOT NULL DEFAULT 0,
  finished_at REAL,
  notes TEXT NOT NULL DEFAULT '{}'
)
"""
_SINCE_1: Final = "ALTER TABLE tasks ADD COLUMN notes TEXT NOT NULL DEFAULT '{}'"
_ADD: Final = (
    "INSERT INTO tasks (task_id, ordered, image, mask, accepted_at, status) VALUES (?, ?, ?, ?, ?, ?)"
)
_FINISH: Final = (
    "UPDATE tasks SET image = NULL, mask = NULL, status = ?, reason = ?, size = ?, finished_at = ?, "
    "notes = ? WHERE task_id = ?"
)
_DROP: Final = "DELETE FROM tasks WHERE task_id = ?"

_Change = tuple[str, list[tuple[Any, ...]]]


class Ledger:
    """Tasks as they are on disk. Every change is durable when its call returns.

    Changes that come while a commit is under way wait for the next one together: the disk is asked once.
    """

    def __init__(self, path: Path) -> None:
        """Open it, new or not.

        Raises:
            StateError: it is no ledger, or a newer zbatch's.
            DiskError: it cannot be opened or written.
        """
        self._path = path
        self._waiting: list[tuple[_Change, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise self._translated(error) from error
        except StateError:
            self._db.close()
            raise

    def _prepare(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise StateError(f"{self._path} is from a newer zbatch", hint="upgrade zbatch")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if version < _VERSION:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(_SCHEMA if version == 0 else _SINCE_1)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
            self._db.execute("COMMIT")

    def _translated(self, error: sqlite3.DatabaseError) -> StateError | DiskError:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return StateError(f"{self._path} is damaged or not the tasks of a server ({error})")
        return DiskError(f"cannot write the tasks {self._path} ({error})", hint="make room and start again")

    def load(self) -> Iterator[Task]:
        """Give every task, in the order they were accepted; those under way wait again.

        Raises:
            StateError: it is damaged.
        """
        try:
            yield from self._load()
        except sqlite3.DatabaseError as error:
            raise self._translated(error) from error

    def _load(self) -> Iterator[Task]:
        names = "task_id, ordered, image, mask, accepted_at, status, reason, size, finished_at, notes"
        for row in self._db.execute(f"SELECT {names} FROM tasks ORDER BY place"):  # noqa: S608 - our own names
            task_id, ordered, image, mask, accepted_at, status, reason, size, finished_at, notes = row
            yield Task(
                task_id, _order(ordered, image, mask), accepted_at, TaskStatus(status), reason, size,
                finished_at, watch=Watch(notes=orjson.loads(notes)),
            )  # fmt: skip

    async def add(self, task: Task) -> None:
        """Write a new task down.

        Raises:
            DiskError: it was not written.
        """
        request = task.order.request
        row = (
            task.task_id, _ordered(task.order), request.image, request.mask, task.accepted_at,
            task.status.value,
        )  # fmt: skip
        await self._write(_ADD, [row])

    async def finish(self, task: Task) -> None:
        """Write the end of a task down; its inputs go.

        Raises:
            DiskError: it was not written.
        """
        notes = orjson.dumps(task.watch.notes).decode()
        row = (task.status.value, task.reason, task.size, task.finished_at, notes, task.task_id)
        await self._write(_FINISH, [row])

    async def drop(self, task_ids: Collection[str]) -> None:
        """Forget tasks.

        Raises:
            DiskError: they are still there.
        """
        await self._write(_DROP, [(task_id,) for task_id in task_ids])

    async def close(self) -> None:
        """Write what waits, and let go of the file."""
        while self._flushing is not None:
            with suppress(DiskError, StateError):
                await self._flushing
        self.let_go()

    def let_go(self) -> None:
        """Let go of the file as it is."""
        self._db.close()

    async def _write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(((statement, rows), written))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush(), name="zbatch-server-ledger")
        await written

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._commit, [change for change, _ in batch])
            except (DiskError, StateError) as error:
                for _, written in batch:
                    if not written.done():
                        written.set_exception(error)
            else:
                for _, written in batch:
                    if not written.done():
                        written.set_result(None)
        self._flushing = None

    def _commit(self, changes: list[_Change]) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for statement, rows in changes:
                self._db.executemany(statement, rows)
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            with suppress(sqlite3.DatabaseError):
                self._db.execute("ROLLBACK")
            raise self._translated(error) from error


def _ordered(order: Order) -> str:
    request = order.request
    return orjson.dumps(
        {
            "model": order.model,
            "owner": order.owner,
            "image_url": order.image_url,
            "mask": order.mask,
            "base64": order.base64,
            "prompt": request.prompt,
            "seed": request.seed,
            "size": [request.width, request.height],
            "loras": [[lora.path, lora.scale] for lora in request.loras],
            "output_format": request.output_format,
            "strength": request.strength,
        }
    ).decode()


def _order(ordered: str, image: bytes | None, mask: bytes | None) -> Order:
    told = orjson.loads(ordered)
    width, height = told["size"]
    request = ImageRequest(
        prompt=told["prompt"],
        seed=told["seed"],
        width=width,
        height=height,
        loras=tuple(Lora(path, scale) for path, scale in told["loras"]),
        output_format=told["output_format"],
        image=image,
        strength=told["strength"],
        mask=mask,
    )
    return Order(told["model"], request, told["owner"], told["image_url"], told["mask"], told["base64"])
