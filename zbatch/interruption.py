"""Ctrl-C before a command begins and after it has ended: a line and exit code 130, where Python says more.

In between it is the command's to answer. This module, like all that is loaded before it, imports next to
nothing: loading takes a good part of a second, in which Python's own answer would be a traceback.
"""

import os
import signal
import sys

_INTERRUPTED = 130
"""`zbatch.cli.output.ExitCode.INTERRUPTED`, which is not loaded yet."""


def leave_at_once() -> None:
    """Have Ctrl-C end the process; where it is ignored, as for what outlives its terminal, it stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def let_commands_answer() -> None:
    """Have it raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def answer_for_all() -> None:
    """Have no KeyboardInterrupt end in a traceback, nor be lost where Python goes on after it."""
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable


def _uncaught(kind: object, error: object, trace: object) -> None:
    if isinstance(error, KeyboardInterrupt):
        _leave()
    sys.__excepthook__(kind, error, trace)  # type: ignore[arg-type]


def _unraisable(found: object) -> None:
    # In a finaliser, or where a module is made known: such errors are told of, and forgotten.
    if isinstance(getattr(found, "exc_value", None), KeyboardInterrupt):
        _leave()
    sys.__unraisablehook__(found)  # type: ignore[arg-type]


def _leave(_number: int = 0, _frame: object = None) -> None:
    try:  # noqa: SIM105 - contextlib would have to be loaded
        os.write(2, b"interrupted\n")
    except OSError:
        pass  # nobody is there
    os._exit(_INTERRUPTED)  # nothing has begun that would have to be ended, or all has ended
