"""Whether the endpoint can be reached at all: failures to connect, of all stages, held against the time."""

from __future__ import annotations

from collections.abc import Callable

from zbatch.clock import monotonic
from zbatch.runner.stretch import Stretch


class Reach:
    """Keeps how long nothing has been reached; when that is too long, waiting on has no sense.

    Times in seconds. `at_first` bounds an endpoint that never answered (a wrong port, no network), `later`
    one that did. Many calls fail together when a connection breaks, so time decides, never their number.
    """

    def __init__(self, at_first: float, later: float, *, clock: Callable[[], float] = monotonic) -> None:
        self._at_first = at_first
        self._later = later
        self._clock = clock
        self._ever = False
        self._failing = Stretch()

    def answered(self) -> None:
        """Note that somebody answered, whatever was said."""
        self._ever = True
        self._failing.end()

    def failed(self) -> bool:
        """Note a call that found nobody; tell whether it is time to give up."""
        lasting = self._failing.lasts(self._clock())
        return lasting >= (self._later if self._ever else self._at_first)
