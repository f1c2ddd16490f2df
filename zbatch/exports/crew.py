"""Processes of zbatch's own that work side by side: what is asked of them is answered in its order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Final, Self, TypeVar

from zbatch.errors import SurroundingsError
from zbatch.exhaustion import OUT_OF_MEMORY, helper_code

Q = TypeVar("Q")
A = TypeVar("A")

_AHEAD: Final = 2
"""Questions under way for each process: one that it works on, one that waits."""

_SETTINGS: Final = {
    # glibc: what a picture took is kept for the next one; to give it back and get it again costs a third.
    "MALLOC_MMAP_THRESHOLD_": "67108864",
    "MALLOC_TRIM_THRESHOLD_": "268435456",
    # NumPy: nothing here multiplies matrices, and the threads for it would spin for a while in every process.
    "OPENBLAS_NUM_THREADS": "1",
}

_NOW_AND_THEN: Final = 0.1
"""Seconds."""


def processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Hand:
    """One process: a module of zbatch that reads questions from one pipe and answers into another.

    It is not in the terminal's foreground and hears no SIGINT from its first moment on, so Ctrl-C is only
    ours to hear; it ends when nobody asks any more.
    """

    def __init__(self, module: str, does: str, files: Sequence[int] = ()) -> None:
        """Start it; it is given the open `files` by their numbers. `does` says what for: `looks at images`.

        Raises:
            SurroundingsError: no process can be started.
        """
        self._does = does
        try:
            with _deaf_to_ctrl_c():
                self._process = subprocess.Popen(  # noqa: S603 - of this package
                    # Not as `-m`: what it pickles would be of `__main__`, which over here is something else.
                    [sys.executable, "-P", "-c", helper_code(module)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    start_new_session=True,
                    pass_fds=files,
                    env={**os.environ, **_SETTINGS, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
        except OSError as error:
            raise SurroundingsError(
                f"cannot start the helper process that {does}: {error.strerror or error}"
            ) from error

    def tell(self, data: bytes) -> None:
        """Write a question.

        Raises:
            SurroundingsError: the process ended.
        """
        if self._process.stdin is None:
            raise AssertionError("the process was started without pipes")
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self.ended() from error

    @property
    def answers(self) -> IO[bytes]:
        """Give what it writes."""
        if self._process.stdout is None:
            raise AssertionError("the process was started without pipes")
        return self._process.stdout

    def ended(self, hint: str = "give the command again") -> SurroundingsError:
        """Say that it ended, in words for people."""
        words = f"a helper process that {self._does} ended"
        with contextlib.suppress(subprocess.TimeoutExpired):
            if (code := self._process.wait(timeout=1)) == OUT_OF_MEMORY:
                words = f"memory ran out in a helper process that {self._does}"
                hint += ", with more memory (see `ulimit -v`, or the limit of the container)"
            elif code < 0:
                words += f" by signal {-code}"
                words += ", as where memory runs out" * (code == -signal.SIGKILL)
        return SurroundingsError(words, hint=hint)

    def kill(self) -> None:
        """Have it do nothing more, whatever it is at."""
        self._process.kill()

    def close(self) -> None:
        """End it; nothing is asked any more."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # it ended before it had read all
        self._process.wait()


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Have a process that is started here hear no SIGINT; what comes here meanwhile is heard afterwards.

    What a thread blocks is blocked for its children before their first instruction. Did they see to it
    themselves, one that comes while they start would end them with a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Crew:
    """Some processes, all alike. Use it as a context manager."""

    def __init__(self, start: Callable[[], Hand], count: int) -> None:
        """Name how many there are to be, and what starts one."""
        self._start = start
        self._count = count
        self._idle: SimpleQueue[Hand] = SimpleQueue()
        self._hands: list[Hand] = []

    def __enter__(self) -> Self:
        """Start them.

        Raises:
            SurroundingsError: no process can be started.
        """
        try:
            for _ in range(self._count):
                self._hands.append(self._start())
                self._idle.put(self._hands[-1])
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for hand in self._hands:
            hand.close()

    def answers(
        self,
        questions: Iterable[Q],
        ask: Callable[[Hand, Q], A],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Iterator[A]:
        """Have every question asked of one of them, by a thread; gives the answers in order.

        `meanwhile` is called now and then while an answer is waited for.

        Raises:
            SurroundingsError: a process ended.
            ZbatchError: whatever `ask` raises.
        """
        threads = ThreadPoolExecutor(self._count, thread_name_prefix="zbatch-crew")
        under_way: deque[Future[A]] = deque()
        try:
            for question in questions:
                under_way.append(threads.submit(self._asked, ask, question))
                if len(under_way) >= _AHEAD * self._count:
                    yield _waited_for(under_way.popleft(), meanwhile)
            while under_way:
                yield _waited_for(under_way.popleft(), meanwhile)
        except BaseException:  # Ctrl-C, too: what they are at may take them a while, and nobody waits for it
            for hand in self._hands:
                hand.kill()
            raise
        finally:
            threads.shutdown(wait=True, cancel_futures=True)

    def _asked(self, ask: Callable[[Hand, Q], A], question: Q) -> A:
        hand = self._idle.get()
        try:
            return ask(hand, question)
        finally:
            self._idle.put(hand)


def _waited_for(future: Future[A], meanwhile: Callable[[], None]) -> A:
    while not wait([future], timeout=_NOW_AND_THEN).done:
        meanwhile()
    return future.result()
