"""What a manifest gives is taken over: edits keep what is done, and nobody's picture is written over."""

from contextlib import closing

import pytest
from support.store_rows import MODEL, bring_to, grid, job, look, pending, store_of

from zbatch.model import Cell, JobState, Row
from zbatch.state.run import Run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.sqlite3"


def replace(store, jobs, selected=None):
    with store.transaction():
        store.replace_grid(grid(jobs, selected), MODEL)


def rows(store):
    return {
        seed: (file, position, state)
        for seed, file, position, state in look(
            store, "SELECT json_extract(request, '$.seed'), file, position, state FROM jobs"
        )
    }


def settle(store, seed, state, file):
    bring_to(store, pending(store)[seed].id, state, file=file)


def test_an_edit_keeps_what_is_done_adds_what_is_new_and_deletes_nothing(path):
    with closing(store_of(path, job(1, "one"), job(2, "two"), job(3, "three"))) as store:
        settle(store, 1, "done", "images/one.webp")
        settle(store, 2, "done", "images/two.webp")
        replace(store, [job(4, "four"), job(1, "renamed"), job(3, "three")])
        assert rows(store) == {
            1: ("images/one.webp", 1, "done"),
            2: ("images/two.webp", None, "done"),
            3: ("images/three.webp", 2, "pending"),
            4: ("images/four.webp", 0, "pending"),
        }
        assert [found.request.seed for found in store.next_pending(-1, 10)] == [4, 3]
        assert store.count(selected=False)[JobState.DONE] == 1
    with Run(path.parent) as run:
        assert [(record.request.seed, record.shown) for record in run.jobs()] == [
            (4, True), (1, True), (3, True), (2, False),
        ]  # fmt: skip
        assert run.orphans() == 1
        assert [cell.coordinates["seed"] for cell in run.cells()] == [4, 1, 3]
        assert run.counts()[JobState.DONE] == 1


def test_a_job_that_is_shown_again_is_done_still(path):
    with closing(store_of(path, job(1, "one"))) as store:
        settle(store, 1, "done", "images/one.jpg")
        replace(store, [job(2)])
        replace(store, [job(1, "elsewhere")])
        assert rows(store)[1] == ("images/one.jpg", 0, "done")


@pytest.mark.parametrize("state", ["submitting", "submitted", "done", "failed", "unknown"])
@pytest.mark.parametrize("name", ["fox", "FOX"])
def test_a_path_that_another_job_has_or_may_get_is_never_given_again(path, state, name):
    with closing(store_of(path, job(1, "fox"))) as store:
        settle(store, 1, state, "images/fox.jpg")
        replace(store, [job(2, name)])
        new = job(2)
        assert rows(store)[2][0] == f"images/{name}-{new.key[:8]}.webp"
        settle(store, 2, "done", rows(store)[2][0])
        replace(store, [job(1, "fox"), job(2, name)])
        assert len({file for file, _, _ in rows(store).values()}) == 2


def test_a_path_that_was_only_planned_is_free(path):
    with closing(store_of(path, job(1, "fox"))) as store:
        replace(store, [job(2, "fox")])
        assert rows(store)[2][0] == "images/fox.webp"
        settle(store, 2, "done", "images/fox.webp")
        replace(store, [job(1, "fox")])
        assert rows(store)[1][0] == f"images/fox-{job(1).key[:8]}.webp"


def test_a_way_out_that_is_taken_too_has_another(path):
    new = job(9, "fox")
    with closing(
        store_of(path, job(1, "fox"), job(2, f"fox-{new.key[:8]}"), job(3, f"fox-{new.key[:16]}"))
    ) as store:
        for seed, found in pending(store).items():
            bring_to(store, found.id, "done", file=rows(store)[seed][0])
        replace(store, [new])
        assert rows(store)[9][0] == f"images/{new.key}.webp"


def test_names_that_differ_in_a_second_extension_stay_apart_whatever_format_comes(path):
    with closing(store_of(path, job(1, "fox.webp"))) as store:
        settle(store, 1, "done", "images/fox.webp.jpg")
        replace(store, [job(2, "fox.webp", "png")])
        assert rows(store)[2][0] == f"images/fox.webp-{job(2, output_format='png').key[:8]}.png"


def test_a_submitted_job_follows_its_new_name_and_a_done_one_does_not(path):
    with closing(store_of(path, job(1, "a"), job(2, "b"))) as store:
        settle(store, 1, "submitted", "")
        settle(store, 2, "done", "images/b.webp")
        replace(store, [job(1, "c"), job(2, "d")])
        assert [file for file, _, _ in rows(store).values()] == ["images/c.webp", "images/b.webp"]
        assert store.open_tasks()[0].file == "images/c.webp"


def test_cells_share_jobs_and_excluded_ones_have_none(path):
    one = job(1)
    with closing(store_of(path)) as store:
        with store.transaction():
            store.replace_grid(
                [
                    Row.of(Cell({"x": 1}, one.key), one, selected=False),
                    Row.of(Cell({"x": 2}, None, "{x: 2}"), None),
                    Row.of(Cell({"x": 3}, one.key), None),
                ],
                MODEL,
            )
        assert list(pending(store)) == [1]
    with Run(path.parent) as run:
        assert [(cell.key, cell.excluded_by) for cell in run.cells()] == [
            (one.key, None), (None, "{x: 2}"), (one.key, None),
        ]  # fmt: skip
        assert run.coordinates() == {one.key: [{"x": 1}, {"x": 3}]}


def test_a_selection_limits_new_submits_and_neither_polls_nor_the_state(path):
    with closing(store_of(path, *(job(seed) for seed in range(1, 5)))) as store:
        settle(store, 3, "submitted", "")
        replace(store, [job(seed) for seed in range(1, 5)], selected={2})
        assert list(pending(store)) == [2]
        assert [task.request.seed for task in store.open_tasks()] == [3]
        assert store.unselected_tasks() == 1
        assert sum(store.count(selected=False).values()) == 4
        assert store.count(selected=True)[JobState.PENDING] == 1


def test_an_expansion_that_fails_leaves_the_grid_as_it_was(path):
    def breaking():
        yield from grid([job(7)])
        raise RuntimeError

    with closing(store_of(path, job(1, "one"))) as store:
        with pytest.raises(RuntimeError), store.transaction():
            store.replace_grid(breaking(), MODEL)
        assert rows(store) == {1: ("images/one.webp", 0, "pending")}


def test_pages_of_pending_jobs_follow_the_grid(path):
    with closing(store_of(path, *(job(seed) for seed in (5, 3, 9, 1)))) as store:
        first = store.next_pending(-1, 3)
        assert [found.request.seed for found in first] == [5, 3, 9]
        assert [found.request.seed for found in store.next_pending(first[-1].position, 3)] == [1]
