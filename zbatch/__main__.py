"""`zbatch` and `python -m zbatch`: answers Ctrl-C in silence from the first moment, then loads the rest.

Loading takes a good part of a second, in which Python's own answer would be a traceback. So this module, like
all that is loaded before it, imports next to nothing.
"""

import os
import signal

_INTERRUPTED = 130
"""`zbatch.cli.output.ExitCode.INTERRUPTED`, which is not loaded yet."""


def main() -> None:
    """Run the command line and exit with its code."""
    # Where it is ignored, as for what was started to outlive its terminal, it stays so.
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _leave)
    from zbatch.cli import main as command_line  # noqa: PLC0415 - what takes so long

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command_line()


def _leave(_number: int, _frame: object) -> None:
    os._exit(_INTERRUPTED)  # nothing has begun that would have to be ended


if __name__ == "__main__":
    main()
