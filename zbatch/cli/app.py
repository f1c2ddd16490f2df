"""The commands, each loaded when it is called, so that `zbatch --help` is at once."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import click

from zbatch.errors import SurroundingsError
from zbatch.interruption import let_commands_answer
from zbatch.version import __version__

COMMANDS: Final = {
    "init": "write a small commented manifest that runs as it is",
    "validate": "check manifests and say everything that is wrong",
    "jobs": "stream the jobs of a manifest as JSON Lines",
    "plan": "say what a run would do and cost",
    "run": "run a manifest, always resuming",
    "status": "say how a run stands and what to do next",
    "why": "say where an image came from and what has changed since",
    "refine": "write the next manifest, denser round what was picked",
    "report": "write the contact sheet of a run",
    "export": "write the images of runs as a dataset",
    "diff": "show the pictures of two runs against each other",
    "serve": "serve the API on this machine",
    "verify": "hold files against their hashes, and ask the endpoint again",
    "schema": "print the manifest's JSON Schema",
}


class ReaderGoneError(Exception):
    """Whoever read our output has gone (`zbatch jobs | head`)."""


class StoppedError(Exception):
    """Ctrl-C came, and the command said nothing of it."""


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # click would make exit code 1 of it: this is no failure of ours.
            raise ReaderGoneError from error
        except KeyboardInterrupt:
            # click would write an empty line.
            raise StoppedError from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"zbatch.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from difflib import get_close_matches  # noqa: PLC0415 - only on the way to an error

            close = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise click.UsageError(f"No command {args[0]!r}.{hint}", ctx)
        found = super().resolve_command(ctx, args)
        let_commands_answer()  # not before its modules are loaded
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Without loading them: a list of one line each.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with: zbatch init; zbatch run zbatch.yaml",
)
@click.version_option(__version__, prog_name="zbatch", message="%(prog)s %(version)s")
def app() -> None:
    """Declarative batch runner for image generation: a YAML manifest in, images and a contact sheet out."""
    _check_names()


def _check_names() -> None:
    """Refuse to work where a run's files would go by other names than elsewhere, or seem to be gone.

    Raises:
        SurroundingsError: file names are not UTF-8 in this environment.
    """
    encoding = sys.getfilesystemencoding()
    if encoding.lower().replace("-", "") != "utf8":
        raise SurroundingsError(
            f"file names are {encoding} in this environment, and zbatch writes and finds them in UTF-8",
            hint="set PYTHONUTF8=1, or a UTF-8 locale such as LC_ALL=C.UTF-8",
        )
