from __future__ import annotations

import pytest
from support.sample_run import HOSTILE, Sample, write_sample

from zbatch.model import JobState
from zbatch.sheet.axes import ABSENT, Axis, AxisBuilder, View, choose_view
from zbatch.sheet.columns import LONGEST_REASON, NONE, Interner
from zbatch.sheet.data import SheetData
from zbatch.state.run import Run
from zbatch.state.verdicts import is_flagged


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = write_sample(tmp_path_factory.mktemp("sheet") / "run", Sample(hostile=True))
    with Run(path) as run:
        yield SheetData.of(run)


def test_each_cell_keeps_its_coordinates_and_its_job(data, tmp_path):
    with Run(write_sample(tmp_path / "run", Sample(hostile=True))) as run:
        cells = list(run.cells())
    assert len(data.cells.job) == len(cells)
    for number, cell in enumerate(cells):
        job = data.cells.job[number]
        assert (None if job == NONE else data.jobs.key[job]) == cell.key
        seen = {
            axis.name: axis.values[column[number]]
            for axis, column in zip(data.axes, data.cells.coordinates, strict=True)
            if column[number] != ABSENT
        }
        assert seen == dict(cell.coordinates)
        rule = data.cells.rule[number]
        assert (None if rule == NONE else data.strings[rule]) == cell.excluded_by


def test_shared_jobs_stand_once_and_texts_are_kept_once(data):
    assert len(set(data.jobs.key)) == len(data.jobs.key)
    shown = [job for job in data.cells.job if job != NONE]
    assert len(shown) > len(data.jobs.key)
    assert len(set(data.strings)) == len(data.strings)
    assert len(data.rests) < len(data.jobs.key) / 2


def test_states_reasons_and_requests_are_there(data):
    states = {data.state(job) for job in range(len(data.jobs.key))}
    assert states == set(JobState) - {JobState.SUBMITTING}
    failed = next(job for job in range(len(data.jobs.key)) if data.state(job) is JobState.FAILED)
    assert data.strings[data.jobs.reason[failed]] == "TASK_FAILED"
    assert data.thumbnail(failed) is None
    assert data.shapes[data.jobs.shape[failed]] == (768, 768, 0, 0)
    assert {data.strings[data.jobs.prompt[job]] for job in range(len(data.jobs.key))} >= set(HOSTILE)
    assert data.about["counts"]["failed"] == 1
    assert data.about["endpoint"] == "preview"


def test_a_reason_is_kept_to_two_thousand_characters_and_without_signatures(tmp_path):
    said = "see https://host/a.png?X-Amz-Signature=secret " + "word " * 600
    with Run(write_sample(tmp_path / "run", Sample(reason=said))) as run:
        strings = SheetData.of(run).strings
    shown = next(text for text in strings if text.startswith("see https"))
    assert len(shown) == LONGEST_REASON
    assert "secret" not in shown


def test_an_empty_run_has_a_sheet_too(tmp_path):
    with Run(write_sample(tmp_path / "run", Sample(subjects=()))) as run:
        data = SheetData.of(run)
    assert data.axes == ()
    assert data.view == View(None, None, ())


def test_an_interner_gives_nothing_no_place():
    interner = Interner()
    assert [interner.add(item) for item in ("a", None, "b", "a")] == [0, NONE, 1, 0]
    assert interner.items == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "shown", "numeric"),
    [
        ([2, 0.5, 1], (0.5, 1, 2), True),
        (["b", "a"], ("b", "a"), False),
        ([1, 1.0, True], (1, True), False),
        ([None, 3], (3,), True),
        ([10, "ten"], (10, "ten"), False),
    ],
)
def test_numbers_are_put_in_order_and_words_stay_as_they_came(values, shown, numeric):
    builder = AxisBuilder("axis")
    for position, value in enumerate(values):
        builder.add(position, value)
    axis, column = builder.build()
    assert (axis.values, axis.numeric) == (shown, numeric)
    for value, number in zip(values, column, strict=True):
        assert number == ABSENT if value is None else axis.values[number] == value


def test_cells_without_an_axis_are_absent_from_it():
    builder = AxisBuilder("axis")
    builder.add(2, "late")
    builder.pad(4)
    assert builder.build()[1] == [ABSENT, ABSENT, 0, ABSENT]


def numbers(name, count):
    return Axis(name, tuple(range(count)), numeric=True)


def words(name, count):
    return Axis(name, tuple(f"{name} {number}" for number in range(count)), numeric=False)


@pytest.mark.parametrize(
    ("axes", "wanted", "view"),
    [
        (
            [words("subject", 2), words("lora.name", 2), numbers("lora.scale", 4), numbers("seed", 3)],
            {},
            View("lora.scale", "seed", ("subject", "lora.name")),
        ),
        ([words("subject", 3), numbers("seed", 4)], {}, View("seed", "subject", ())),
        ([words("subject", 3), numbers("seed", 400)], {}, View("subject", "seed", ())),
        ([words("subject", 30)], {}, View(None, None, ())),
        ([words("subject", 1), numbers("seed", 1)], {}, View(None, None, ())),
        ([], {}, View(None, None, ())),
        (
            [words("subject", 2), numbers("strength", 3), numbers("seed", 2)],
            {"x": "subject"},
            View("subject", "seed", ("strength",)),
        ),
        (
            [words("subject", 2), numbers("lora.scale", 3), numbers("seed", 2)],
            {"y": "subject"},
            View("lora.scale", "subject", ("seed",)),
        ),
        (
            [words("subject", 2), numbers("lora.scale", 3), numbers("seed", 2)],
            {"x": "seed", "y": "lora.scale", "group": []},
            View("seed", "lora.scale", ()),
        ),
        (
            [words("subject", 2), numbers("seed", 2)],
            {"x": "no such axis", "group": "subject"},
            View(None, None, ("subject",)),
        ),
    ],
)
def test_the_view_is_what_the_report_asks_and_sensible_where_it_does_not(axes, wanted, view):
    assert choose_view(axes, wanted) == view


@pytest.mark.parametrize(
    ("verdict", "flagged"),
    [
        (None, False),
        ({"has_nsfw_contents": [], "enable_nsfw_detection": True}, False),
        ({"has_nsfw_contents": [False, True]}, True),
        ([{"nsfw_detection_result": {"valid": True, "confidence": 99.0}}], True),
        ("unknown shape", False),
    ],
)
def test_a_verdict_flags_wherever_it_says_yes(verdict, flagged):
    assert is_flagged(verdict) is flagged
