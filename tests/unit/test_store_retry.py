"""What may be submitted again, by itself and by a person's word, and what may not."""

from contextlib import closing

import pytest
from support.store_rows import MODEL, bring_to, grid, job, look, pending, store_of

from zbatch.model import JobState
from zbatch.state.advances import Submitting
from zbatch.state.run import Run

STATES = ["pending", "submitting", "submitted", "done", "failed", "rejected", "unknown"]


@pytest.fixture
def store(tmp_path):
    """One job in each state, seeds 0 to 6 in the order of STATES, and seed 7: unknown, its task succeeded."""
    with closing(store_of(tmp_path / "state.sqlite3", *(job(seed) for seed in range(8)))) as store:
        for seed, found in pending(store).items():
            if seed == 7:
                bring_to(store, found.id, "unknown", succeeded=True)
            else:
                bring_to(store, found.id, STATES[seed], file=f"images/{seed}.webp")
        yield store


def states(store):
    return [state for (state,) in look(store, "SELECT state FROM jobs ORDER BY id")]


def changed(store, before):
    return [seed for seed, (old, new) in enumerate(zip(before, states(store), strict=True)) if old != new]


def test_recovering_holds_every_intent_without_an_answer(store):
    before = states(store)
    assert store.recover() == 1
    assert changed(store, before) == [1]
    assert states(store)[1] == "unknown"
    assert store.recover() == 0
    assert (
        store.attempts_made() == 6
    )  # seed 0 was never submitted, seed 5 was refused: nothing else is forgotten


def test_tasks_of_the_built_in_endpoint_are_let_go_even_finished_ones(store):
    assert store.forget_tasks("gone") == 1
    assert store.retry_unknown(None, free=True) == 3
    assert states(store)[2] == states(store)[6] == states(store)[7] == "pending"


def test_unknown_outcomes_are_resubmitted_within_the_attempts_but_never_a_task_that_succeeded(store):
    before = states(store)
    assert store.retry_unknown(1) == 0
    assert store.retry_unknown(2) == 1
    assert changed(store, before) == [6]


def test_failed_jobs_are_put_back_within_their_attempts(store):
    before = states(store)
    assert store.retry_failed(1) == 0
    assert store.retry_failed(2) == 1
    assert changed(store, before) == [4]


@pytest.mark.parametrize(("state", "seeds"), [("failed", [4]), ("rejected", [5]), ("unknown", [6, 7])])
def test_a_person_may_put_back_each_of_three_states_and_attempts_count_afresh(store, state, seeds):
    before = states(store)
    assert store.retry([JobState(state)]) == len(seeds)
    assert changed(store, before) == seeds
    for seed in seeds:
        store.advance(Submitting(seed + 1))
        store.set_unknown(seed + 1, "TIMEOUT", "again")
        assert store.try_again(seed + 1, 2, JobState.UNKNOWN)


def test_letting_go_of_tasks_puts_back_those_with_a_reason_and_no_other_unknown_outcome(store):
    before = states(store)
    assert store.retry([JobState.SUBMITTED]) == 0
    store.note(3, "not_saved", "its picture could not be saved")  # asking again brings it, for nothing
    assert store.retry([JobState.SUBMITTED]) == 0
    store.note(3, "job_deadline", "not finished after 1 s")
    assert store.retry([JobState.SUBMITTED]) == 1
    assert changed(store, before) == [2]
    assert states(store)[2] == "pending"
    assert store.attempts_made() == 6


@pytest.mark.parametrize("free", [False, True])
def test_a_picture_that_is_gone_is_asked_for_again_or_made_again_where_that_is_free(store, free):
    before = states(store)
    assert store.ask_again(4, free=free)
    assert not store.ask_again(3, free=free)
    assert changed(store, before) == [3]
    assert states(store)[3] == ("pending" if free else "submitted")
    assert [task.id for task in store.open_tasks([4])] == ([] if free else [4])
    assert [found.id for found in store.pending_among([4, 5])] == ([4] if free else [])


@pytest.mark.parametrize("state", ["pending", "submitting", "done"])
def test_nobody_may_retry_what_has_not_ended_badly(store, state):
    before = states(store)
    with pytest.raises(AssertionError):
        store.retry([JobState(state)])
    with pytest.raises(AssertionError):
        store.try_again(1, None, JobState(state))
    assert states(store) == before


def test_only_selected_jobs_that_are_shown_are_put_back_by_hand(store):
    with store.transaction():
        store.replace_grid(grid([job(4), job(6)], selected={6}), MODEL)
    assert store.retry([JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN]) == 1
    assert states(store)[6] == "pending"


def test_what_the_manifest_no_longer_shows_is_never_put_back(store):
    with store.transaction():
        store.replace_grid(grid([job(0)]), MODEL)
    assert store.retry_failed(9) == store.retry_unknown(None) == store.retry(list(JobState)[4:]) == 0
    for seed in (4, 6):
        assert not store.try_again(seed + 1, None, JobState(STATES[seed]))


def test_trying_again_asks_for_attempts_left_the_right_state_and_no_success(store):
    assert not store.try_again(5, 1, JobState.FAILED)
    assert not store.try_again(5, 2, JobState.UNKNOWN)
    assert store.try_again(5, 2, JobState.FAILED)
    assert not store.try_again(8, None, JobState.UNKNOWN)
    assert states(store)[7] == "unknown"


def test_status_groups_what_did_not_end_well_with_what_redoes_it(store):
    store.note(3, "job_deadline", "not finished after 1 s")
    with Run(store.path.parent) as run:
        found = {
            (failure.state.value, failure.reason): (failure.count, failure.retry)
            for failure in run.failures()
        }
        assert dict(run.standing(2))[job(4).key] is JobState.PENDING
        assert dict(run.standing(1))[job(4).key] is JobState.FAILED
    assert found == {
        ("submitted", "job_deadline"): (1, "run again"),
        ("failed", "TASK_STATUS_FAILED"): (1, "--retry failed"),
        ("rejected", "ILLEGAL_PROMPT"): (1, "--retry rejected"),
        ("unknown", "TIMEOUT"): (1, "--retry unknown"),
        ("unknown", "image_lost"): (1, "--retry unknown"),
    }
