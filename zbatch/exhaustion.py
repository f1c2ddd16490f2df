"""Memory that runs out: how it shows, wherever it does, and what is to be said of it."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Final

from zbatch.errors import SurroundingsError

OUT_OF_MEMORY: Final = 71
"""What a helper process ends with then; `EX_OSERR` in sysexits.h."""

_UNMAPPED: Final = ("failed to map segment", "cannot allocate memory")
"""What the loader says of a library that there is no room for, in lower case."""


def exhausted(error: BaseException) -> bool:
    """Tell whether an error comes of memory that ran out, as itself, as its cause, or as one of a group."""
    left, seen = [error], set[int]()
    while left:
        one = left.pop()
        if _is_exhaustion(one):
            return True
        seen.add(id(one))
        parts = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        left += [part for part in (one.__cause__, one.__context__, *parts) if part and id(part) not in seen]
    return False


def _is_exhaustion(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == 12  # ENOMEM; the module of that name may be what there is no room for
    if isinstance(error, SyntaxError):
        return _is_limited()  # Python's parser, short of memory, takes good source for bad
    if isinstance(error, ImportError):
        return any(words in str(error).lower() for words in _UNMAPPED)
    # A thread needs room for its stack, and Python does not say what was lacking.
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and str(error) == "can't start new thread"
    )


def _is_limited() -> bool:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def memory_ran_out(less: str = "") -> SurroundingsError:
    """Give what to say; `less` is how else than with more memory the same could be done."""
    more = "with more memory (see `ulimit -v`, or the limit of the container)"
    return SurroundingsError(
        "memory ran out",
        hint=f"nothing that was written is lost: give the same command again, {more}{less and ', or '}{less}",
    )


def helper_code(module: str) -> str:
    """Give what a helper process is started with, by `python -c`."""
    return f"from {__name__} import run_helper; run_helper({module!r})"


def run_helper(module: str) -> None:
    """Do what a helper process does, the `main` of a module; where memory runs out it ends without a word."""
    try:
        import_module(module).main()
    except Exception as error:
        if not exhausted(error):
            raise
        os._exit(OUT_OF_MEMORY)
