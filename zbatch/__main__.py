"""`zbatch` and `python -m zbatch`: answers Ctrl-C from the first moment, then loads the rest."""

import os

from zbatch.interruption import answer_for_all, leave_at_once

_SURROUNDINGS = 4
"""`zbatch.cli.output.ExitCode.SURROUNDINGS`, which is not loaded yet."""


def main() -> None:
    """Run the command line and exit with its code."""
    leave_at_once()
    answer_for_all()
    try:
        from zbatch.cli import main as command_line  # noqa: PLC0415 - what takes so long
    except MemoryError:
        os.write(2, b"error: memory ran out before zbatch was loaded\n")
        os._exit(_SURROUNDINGS)
    command_line()


if __name__ == "__main__":
    main()
