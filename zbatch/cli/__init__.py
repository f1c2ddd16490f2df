"""The command line: one module a command; the only place that prints, exits or configures logging."""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path
from typing import Final

import click

from zbatch.cli.app import COMMANDS, ReaderGoneError, StoppedError, app
from zbatch.cli.output import ExitCode, complain, tell, unwritable
from zbatch.errors import SurroundingsError, UsageError
from zbatch.exhaustion import exhausted, memory_ran_out
from zbatch.interruption import leave_at_once
from zbatch.logs import configure_logging


def main() -> None:
    """Run the command line and exit with an `ExitCode`."""
    code = run_command_line(sys.argv[1:])
    leave_at_once()  # Python's own end takes a moment, too
    sys.exit(code)


_LESS: Final = {
    "run": "fewer tasks at once (-j 1)",
    "export": "smaller shards, where the format has some (--shard-size)",
}
"""By command, how it takes less memory."""


def run_command_line(arguments: list[str]) -> int:
    """Run the command line with arguments and give the exit code."""
    configure_logging()
    code = _run(arguments)
    if code is None:  # what held the memory has been let go of
        command = next((word for word in arguments if word in COMMANDS), "")
        complain(str(memory_ran_out(_LESS.get(command, ""))))
        return ExitCode.SURROUNDINGS
    return code


def _run(arguments: list[str]) -> int | None:
    """Give the exit code; `None` where memory ran out."""
    try:
        code = app.main(arguments, prog_name="zbatch", standalone_mode=False)
    except (click.exceptions.Abort, StoppedError):
        tell("interrupted")
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show(sys.stderr)
        return ExitCode.USAGE
    except UsageError as error:
        # A library that could not be loaded for it is not one that is not installed.
        if isinstance(error.__cause__, ImportError) and exhausted(error.__cause__):
            return None
        complain(str(error))
        return ExitCode.USAGE
    except SurroundingsError as error:
        complain(str(error))
        return ExitCode.SURROUNDINGS
    except ReaderGoneError:
        # No more output, and no complaint at exit.
        sys.stdout = None
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _unexpected(error)
    return code if isinstance(code, int) else ExitCode.OK


def _unexpected(error: Exception) -> int | None:
    if exhausted(error):
        return None
    # Help and version are written by click itself.
    frames = traceback.walk_tb(error.__traceback__)
    if isinstance(error, OSError) and any(
        frame.f_globals.get("__name__") == "click.utils" for frame, _ in frames
    ):
        complain(str(unwritable(error)))
        return ExitCode.SURROUNDINGS
    return _bug()


def _bug() -> int:
    error = sys.exc_info()[1]
    with tempfile.NamedTemporaryFile("w", prefix="zbatch-bug-", suffix=".txt", delete=False) as stream:
        traceback.print_exc(file=stream)
        path = Path(stream.name)
    complain(f"a bug in zbatch: {type(error).__name__}: {str(error)[:200]} (the traceback is in {path})")
    return ExitCode.BUG
