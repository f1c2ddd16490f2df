"""The command line: one module a command; the only place that prints, exits or configures logging."""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path

import click

from zbatch.cli.app import ReaderGoneError, app
from zbatch.cli.output import ExitCode, complain, unwritable
from zbatch.errors import SurroundingsError, UsageError
from zbatch.logs import configure_logging


def main() -> None:
    """Run the command line and exit with an `ExitCode`."""
    sys.exit(run_command_line(sys.argv[1:]))


def run_command_line(arguments: list[str]) -> int:
    """Run the command line with arguments and give the exit code."""
    configure_logging()
    try:
        code = app.main(arguments, prog_name="zbatch", standalone_mode=False)
    except click.exceptions.Abort:
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show(sys.stderr)
        return ExitCode.USAGE
    except UsageError as error:
        complain(str(error))
        return ExitCode.USAGE
    except SurroundingsError as error:
        complain(str(error))
        return ExitCode.SURROUNDINGS
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except ReaderGoneError:
        # No more output, and no complaint at exit.
        sys.stdout = None
        return ExitCode.OK
    except OSError as error:
        # Help and version are written by click itself.
        frames = traceback.walk_tb(error.__traceback__)
        if all(frame.f_globals.get("__name__") != "click.utils" for frame, _ in frames):
            return _bug()
        complain(str(unwritable(error)))
        return ExitCode.SURROUNDINGS
    except Exception:  # noqa: BLE001 - the last line of defence: a bug of ours, told in one line
        return _bug()
    return code if isinstance(code, int) else ExitCode.OK


def _bug() -> int:
    error = sys.exc_info()[1]
    with tempfile.NamedTemporaryFile("w", prefix="zbatch-bug-", suffix=".txt", delete=False) as stream:
        traceback.print_exc(file=stream)
        path = Path(stream.name)
    complain(f"a bug in zbatch: {type(error).__name__}: {str(error)[:200]} (the traceback is in {path})")
    return ExitCode.BUG
