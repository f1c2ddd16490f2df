"""A file that goes into an object store while it is written."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from queue import Full, Queue
from typing import Final

_PIECES: Final = 8
"""Pieces, a megabyte each, that wait."""

_LOOK: Final = 0.2
"""Seconds after which a writer looks whether the upload has failed."""


class Upload:
    """Turns writing into the pieces that an upload, in a thread of its own, asks for: a few of them ahead."""

    def __init__(self, put: Callable[[Iterator[bytes]], int]) -> None:
        """Begin; `put` puts the object whose pieces it is given."""
        self._pieces: Queue[bytes | _AbandonedError | None] = Queue(_PIECES)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(put,), name="zbatch-upload")
        self._thread.start()

    def write(self, data: bytes | memoryview) -> None:
        """Hand a piece over, a copy of it.

        Raises:
            StorageError: it, or one before it, could not be put.
        """
        self._hand_over(bytes(data))

    def close(self) -> None:
        """Wait until the object is there.

        Raises:
            StorageError: it could not be put.
        """
        self._hand_over(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Have no object come of it."""
        with contextlib.suppress(BaseException):
            self._hand_over(_AbandonedError())
        self._thread.join()

    def _hand_over(self, piece: bytes | _AbandonedError | None) -> None:
        while True:
            if self._error is not None:
                raise self._error
            with contextlib.suppress(Full):
                self._pieces.put(piece, timeout=_LOOK)
                return

    def _run(self, put: Callable[[Iterator[bytes]], int]) -> None:
        try:
            put(self._given())
        except BaseException as error:  # noqa: BLE001 - handed to whoever writes
            self._error = error

    def _given(self) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, _AbandonedError):
                raise piece
            yield piece


class _AbandonedError(Exception):
    """The file that was being put will never be whole."""
