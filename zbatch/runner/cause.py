"""What makes a server refuse: how many tasks are in flight, or how fast submits come."""

from __future__ import annotations

from zbatch.runner.evidence import Ranks
from zbatch.runner.rate import LearnedRate
from zbatch.runner.window import Window

_SPREAD = 1.3
"""Tasks that ended unseen make the level at which a server refuses vary, by so many roots of it at most."""
_CLOSE = 9
"""Answers within which two refusals are not both strays, of which there may be one in a hundred."""
_DRAINED = 0.25
"""With less than this share of what it accepted in flight, no limit of tasks refuses."""
_FIRST_TRY, _SETTLED = 4, 20
"""Refusals, each after so many accepted, before pacing is tried; four times more when it was no better."""
_TRIAL_REFUSED = 2
"""Refusals that end a trial: of a rate there are none, of a limit of tasks a dozen."""
_TRIAL_BEYOND = 30
"""Accepted in a trial with more in flight than the window held: fewer say nothing against tasks."""


class Cause:
    """Holds the window and the pace of an endpoint; one of them is open at a time.

    At first the limit is taken to be tasks in flight (`Window`). Two refusals together with clearly fewer in
    flight than were accepted before say that it is a rate, and so does a trial, made ever more rarely: with
    the window open and submits paced as fast as they were accepted of late, a rate refuses hardly any and a
    limit of tasks many. Then submits are paced (`LearnedRate`) until refusals come mostly when more than
    usual are in flight (`Ranks`), or until something else holds them back.
    """

    def __init__(self, limit: int, started: float) -> None:
        self.window = Window(limit)
        self.pace = LearnedRate()
        self._ranks = Ranks()
        self._started = started
        self._total = 0  # accepted
        self._since = 0  # of these: since the last refusal
        self._dry = 0  # refusals in a row with nothing accepted between
        self._drained = 0  # refusals in a row that lasted until hardly anything was in flight
        self._highest = 0  # tasks in flight, the most that were accepted
        self._rounds = 0  # refusals since pacing was tried
        self._try_at = _FIRST_TRY  # and how many there must be before it is tried again
        self._trial_refused = self._trial_beyond = 0
        self._fell = False  # whether a refusal at a clearly lower level was taken for a fall of the limit

    @property
    def answering(self) -> bool:
        """Tell whether this server has ever accepted anything."""
        return self._total > 0

    def recall(self, tasks: int | None, rate: float | None, *, sure: bool) -> None:
        """Begin with a limit that an earlier run learned."""
        if rate is not None:
            self.pace.recall(rate)
            self._open()
        elif tasks is not None:
            self.window.recall(tasks, sure=sure)

    def accepted(self, now: float, others: int, tasks: int, *, paced: bool) -> None:
        """Note a submit accepted beside `others`, the last refusal known; `tasks` are now in flight."""
        self._total += 1
        if self._dry >= 2:
            self._highest = 0
        self._dry = 0
        if not self._since and self._total > 1:
            self._drained = self._drained + 1 if tasks <= _DRAINED * self._highest else 0
            self.pace.resumed(now, self._total - 1)
        self._since += 1
        self._highest = max(self._highest, tasks)
        if paced:
            self._ranks.accepted(others, self.pace.rate)
        self._trial_beyond += others >= (self.window.ceiling or 0)
        self.window.accepted(others)
        self._paced(others, paced=paced)

    def also_accepted(self, tasks: int, *, paced: bool) -> None:
        """Note one of those that were under way when another was refused, and was accepted all the same."""
        self._total += 1
        if self.pace.rate is None:
            self.window.also_accepted(tasks)
        self._paced(tasks, paced=paced)

    def _paced(self, level: int, *, paced: bool) -> None:
        trial = self.pace.trial
        self.pace.accepted(level, paced=paced)
        if trial == 1:
            # It was paced as fast as the window let it go, which may be far below the rate.
            self.pace.eager = True
            if self._trial_beyond >= _TRIAL_BEYOND:
                self._try_at = _FIRST_TRY
        elif not self.pace.used:
            self._stop_pacing()

    def also_refused(self) -> None:
        """Note another refusal of those that were under way together: it tells little that is new."""
        self.pace.count()
        if self.pace.rate is None:
            self.window.also_refused()

    def refused(self, now: float, others: int, tasks: int, *, cost: float) -> bool:
        """Note a refusal that holds everybody up for `cost` seconds; tell whether it comes as a surprise."""
        self.pace.count()
        surprise = not self._since or (self.pace.rate is None and self.window.ceiling is None)
        if self.pace.rate is None and self._contradicted(max(others, tasks)):
            self.pace.begin(now, self._total, self._started)
            self._open()
            surprise = True
        elif self.pace.trial:
            self._trial_refused += 1
            if self._trial_refused >= _TRIAL_REFUSED:
                self._stop_pacing()
        elif self.pace.rate is None:
            submits = cost * self._total / max(1.0, now - self._started)
            self.window.refused(others, tasks, submits, dry=not self._since)
            if self._worth_a_try(now, others):
                self._open()
        elif self.pace.unproven:
            self._ranks.clear()
            self.pace.refused(cost * self.pace.rate)
        elif self._since and self._ranks.refused(others, self.pace.rate):
            self._stop_pacing()
            self.window.hold_at(others)
        elif self._since:
            self.pace.refused(cost * self.pace.rate)
        self.pace.halted(now, self._total, fresh=self._since > 0)
        self._dry = 0 if self._since else self._dry + 1
        self._since = 0
        return surprise

    def _open(self) -> None:
        """Let nothing but the pace hold submits back."""
        self.window.opened = True
        self._ranks.clear()
        self._trial_refused = self._trial_beyond = 0

    def _stop_pacing(self) -> None:
        self.pace.end()
        self.window.opened = False

    def _worth_a_try(self, now: float, others: int) -> bool:
        """Tell whether it is time to try whether pacing, with the window open, is refused less."""
        self._rounds += self._since >= _SETTLED and self.window.ceiling is not None
        due = self._rounds >= self._try_at or self.pace.crowded(self._total)
        if not due or not self.pace.attempt(now, self._total, others):
            return False
        self._rounds, self._try_at = 0, self._try_at * 4
        return True

    def _contradicted(self, level: int) -> bool:
        """Tell whether no limit of tasks in flight explains a refusal with `level` of them, nor a stray does.

        Clearly more were in flight when submits were accepted, and another was refused just now.
        """
        if self.window.ceiling is None:
            return False
        if not self._since:
            return level + 1 <= _DRAINED * self._highest
        if self._drained >= 2:
            return True
        lower = level + 1 <= self._highest - 1 - _SPREAD * self._highest**0.5
        if not lower or self._since >= _CLOSE:
            return False
        # Where the limit has fallen that is so once: as many as before will not be accepted again.
        self._highest, again = 0, self._fell
        self._fell = not again
        return again
