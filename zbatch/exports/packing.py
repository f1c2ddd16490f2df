"""The process that packs images: it is told what for once, then lot by lot, and answers with what came of it.

What goes in and out is pickled: both ends are the same zbatch, and nobody else has the pipes.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO, Final, NamedTuple

from zbatch.errors import SurroundingsError, ZbatchError
from zbatch.exhaustion import OUT_OF_MEMORY, exhausted
from zbatch.exports.columns import Columns
from zbatch.exports.crew import Hand
from zbatch.exports.desk import Desk, Lot, Packed
from zbatch.exports.imagefolder import pack_imagefolder
from zbatch.exports.kohya import pack_kohya
from zbatch.exports.options import Options
from zbatch.exports.parquet import pack_parquet
from zbatch.exports.sources import Sources
from zbatch.exports.tree import Tree
from zbatch.exports.webdataset import pack_webdataset

PACKERS: Final[Mapping[str, Callable[[Desk, Lot], Packed]]] = {
    "imagefolder": pack_imagefolder,
    "kohya": pack_kohya,
    "parquet": pack_parquet,
    "webdataset": pack_webdataset,
}
"""By format, what packs a lot."""

_TOLD: Final = 0.1
"""Seconds between two words on how far it is."""


@dataclass(frozen=True, slots=True)
class Order:
    """What an export's packers are told first."""

    columns: Columns
    options: Options
    roots: list[str]
    """The directory of each run."""
    tree: str
    resumed: bool


class Written(NamedTuple):
    """A lot that another process packed: the files it made, and how."""

    packed: Packed
    files: list[tuple[str, int, str]]
    linked: int
    copied: int
    loose: int


def packer(order: Order, files: tuple[int, ...]) -> Hand:
    """Start a process that packs.

    Raises:
        SurroundingsError: it cannot be started.
    """
    hand = Hand("zbatch.exports.packing", "writes the export", files)
    hand.tell(pickle.dumps(order))
    return hand


def have_packed(hand: Hand, lot: Lot, tick: Callable[[int], None]) -> Written:
    """Have a lot packed by another process.

    Raises:
        SurroundingsError: the process ended.
        ZbatchError: whatever packing raises.
    """
    hand.tell(pickle.dumps(lot))
    while True:
        try:
            answer = pickle.load(hand.answers)  # noqa: S301 - of our own process
        except (EOFError, pickle.UnpicklingError) as error:
            raise _ended(hand) from error
        if isinstance(answer, int):
            tick(answer)
        elif isinstance(answer, _Failed):
            raise answer.error()
        elif isinstance(answer, Written):
            return answer


def _ended(hand: Hand) -> SurroundingsError:
    return hand.ended("give the same command again")


class _Failed(NamedTuple):
    """An error on its way to the process that asked."""

    kind: type[ZbatchError]
    message: str
    hint: str

    def error(self) -> ZbatchError:
        return self.kind(self.message, hint=self.hint)


class _Ticks:
    """Tells of images that are done, now and then."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._told = time.monotonic()
        self._count = 0

    def tick(self, images: int) -> None:
        self._count += images
        if self._count >= 32 and time.monotonic() - self._told >= _TOLD:
            self.tell()

    def tell(self) -> None:
        pickle.dump(self._count, self._out)
        self._out.flush()
        self._count, self._told = 0, time.monotonic()


def main() -> None:
    """Pack until nobody asks any more."""
    try:
        _pack_all(sys.stdin.buffer, sys.stdout.buffer)
    except (EOFError, pickle.UnpicklingError, BrokenPipeError):
        pass  # whoever asked was killed: nobody is left to be told
    except BaseException as error:  # noqa: BLE001 - told below; Python would wait for the thread that listens
        if exhausted(error):
            os._exit(OUT_OF_MEMORY)
        sys.excepthook(*sys.exc_info())
    os._exit(1)


def _pack_all(asked: IO[bytes], out: IO[bytes]) -> None:
    warnings.simplefilter("ignore")
    order: Order = pickle.load(asked)  # noqa: S301 - of our own process
    lots: SimpleQueue[Lot] = SimpleQueue()
    threading.Thread(target=_listen, args=(asked, lots), daemon=True).start()
    files: list[tuple[str, int, str]] = []
    ticks = _Ticks(out)
    tree = Tree(order.tree, lambda *file: files.append(file), resumed=order.resumed)
    desk = Desk(
        order.columns, order.options, Sources(order.roots, check=order.options.check), tree, ticks.tick
    )
    pack = PACKERS[order.options.format]
    while True:
        try:
            packed = pack(desk, lots.get())
        except ZbatchError as error:
            pickle.dump(_Failed(type(error), error.message, error.hint), out)
        else:
            ticks.tell()
            pickle.dump(Written(packed, files, tree.linked, tree.copied, tree.loose), out)
        out.flush()
        files.clear()
        tree.linked = tree.copied = tree.loose = 0


def _listen(asked: IO[bytes], lots: SimpleQueue[Lot]) -> None:
    """Take in what is asked. When nobody asks any more the process ends, whatever it is at.

    It may be that whoever asked was killed, and whoever goes on with the export waits for the place.
    """
    try:
        while True:
            lots.put(pickle.load(asked))  # noqa: S301 - of our own process
    except (EOFError, pickle.UnpicklingError):
        os._exit(0)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
