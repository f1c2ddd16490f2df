"""What to do next about a run: the commands that go on with it, and what each of them costs."""

from __future__ import annotations

from decimal import Decimal

from zbatch.api.endpoint import EndpointKind
from zbatch.cli.output import plural
from zbatch.model import JobState
from zbatch.state.again import Again
from zbatch.state.database import Meta
from zbatch.state.retries import FETCHED_FOR_NOTHING
from zbatch.state.run import Run


def advice(run: Run) -> list[str]:
    """Give the commands that go on, cheapest first, each with what it does in brackets."""
    counts, again, capped = run.counts(), run.again, cap_reached(run)
    pending, known = counts[JobState.PENDING], counts[JobState.SUBMITTED]
    left = run.about(Meta.SELECTED_LEFT)
    selected = pending if left is None or not again.selects else min(left, pending)
    if again_by_itself := remade(run):
        pending, selected = pending + again_by_itself, selected + again_by_itself
    lines = []
    if known and (capped or not selected):
        lines.append(_line(again, "asks again, costs nothing"))
    if selected and capped:
        lines.append(raised(run, selected))
    elif selected or counts[JobState.SUBMITTING]:
        lines.append(_line(again, "goes on: known tasks are asked for first, nothing is submitted twice"))
    if pending and again.selects and (left is None or selected < pending):
        whole = again.everything()
        lines.append(
            _line(whole.up_to(cost_with(run, pending)) if capped else whole, "all jobs, not only a selection")
        )
    return lines + _retries(run, counts, capped=capped)


def _retries(run: Run, counts: dict[JobState, int], *, capped: bool) -> list[str]:
    def line(state: JobState, count: int, words: str) -> str:
        again = run.again
        if capped:
            again = again.up_to(cost_with(run, counts[JobState.PENDING] + count))
            words += "; raises the cap"
        return f"{again} --retry {state}  ({words})"

    lines = []
    unfinished = [
        failure.count
        for failure in run.failures()
        if failure.state is JobState.SUBMITTED and failure.reason not in FETCHED_FOR_NOTHING
    ]
    if count := sum(unfinished):
        words = (
            f"only where asking again does not help: lets go of {plural(count, 'task')} that were billed, "
            "and pays again"
        )
        lines.append(line(JobState.SUBMITTED, count, words))
    if count := counts[JobState.UNKNOWN]:
        words = f"submits {plural(count, 'job')} again: their outcome is not known, they may have been billed"
        if remade(run):
            words = "also those whose attempts are used up; the built-in endpoint bills nothing"
        lines.append(line(JobState.UNKNOWN, count, words))
    if count := counts[JobState.FAILED]:
        lines.append(line(JobState.FAILED, count, "each new attempt may be billed"))
    if count := counts[JobState.REJECTED]:
        rejected = line(JobState.REJECTED, count, "the API refused these requests")
        lines.append(f"mend the manifest, or {rejected}")
    return lines


def remade(run: Run) -> int:
    """Count the jobs of unknown outcome that a run submits again by itself: of the built-in endpoint."""
    free = run.about(Meta.ENDPOINT_KIND) == EndpointKind.PREVIEW
    return run.counts()[JobState.UNKNOWN] if free else 0


def _line(again: Again, words: str) -> str:
    return f"{again}  ({words})"


def cap_reached(run: Run) -> bool:
    """Tell whether another attempt would cost more than max_cost, of the manifest or of the last command."""
    budget = run.about(Meta.MAX_COST)
    return budget is not None and run.price is not None and cost_with(run, 1) > Decimal(budget)


def raised(run: Run, left: int) -> str:
    """Give the command that goes on under a cap that suffices for the jobs `left`, with all before them."""
    jobs = sum(run.counts().values())
    some = run.counts()[JobState.PENDING] > left
    words = f"raises the cap to what {'the' if some else 'all'} {plural(left if some else jobs, 'job')}"
    words += " left bring it to" if some else " cost"
    return _line(run.again.up_to(cost_with(run, left)), words)


def cost_with(run: Run, more: int) -> Decimal:
    """USD for every attempt made and `more` of them."""
    return run.spending.of(run.attempts() + more) or Decimal(0)
