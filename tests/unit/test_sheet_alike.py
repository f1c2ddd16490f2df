from __future__ import annotations

from support.sample_run import Sample, write_sample

from zbatch.sheet import SheetData
from zbatch.sheet.alike import alike_jobs
from zbatch.state.run import Run


def test_jobs_are_grouped_by_what_came_for_them():
    assert alike_jobs(["a", "b", "", "a", "", "c", "b", "a"]) == ((0, 3, 7), (1, 6))
    assert alike_jobs([]) == ()


def test_a_sheet_takes_no_room_for_it_where_all_pictures_differ(tmp_path):
    with Run(write_sample(tmp_path / "run", Sample(loras=("film",), seeds=1, troubles=False))) as run:
        assert "alike" not in SheetData.of(run).document()
    with Run(write_sample(tmp_path / "equal", Sample(seeds=1, troubles=False, pictures=1))) as run:
        [group] = SheetData.of(run).document()["alike"]
        assert len(group) > 5
