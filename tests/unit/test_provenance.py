"""`jobs.jsonl` tells of every job what `Run.jobs` does, in the same order, whatever the states."""

import json
from contextlib import closing

import pytest
from support.store_rows import MODEL, bring_to, grid, job, pending, store_of

from zbatch.exports.provenance import write_provenance
from zbatch.model import Cell, Row
from zbatch.state.run import Run

STATES = ["pending", "submitting", "submitted", "done", "failed", "rejected", "unknown"]


@pytest.fixture
def run(tmp_path):
    """One job in each state, the first shown by three cells, the rejected one by none."""
    jobs = [job(seed) for seed in range(len(STATES))]
    with closing(store_of(tmp_path / "state.sqlite3", *jobs)) as store:
        for seed, found in pending(store).items():
            bring_to(store, found.id, STATES[seed], file=found.file)
        shown = [job for job in jobs if job.request.seed != 5]
        rows = [
            *grid(shown),
            *(Row.of(Cell({"seed": 0, "place": place}, jobs[0].key), None) for place in "ab"),
        ]
        with store.transaction():
            store.replace_grid([*rows, Row.of(Cell({"x": 1}, None, "{x: 1}"), None)], MODEL)
            # Its picture was done once; it is asked for again.
            bring_to(store, 1, "done", file=jobs[0].file)
            store.ask_again(1, free=False)
    with Run(tmp_path) as run:
        yield run


def test_a_line_says_what_the_record_says(run):
    lines = [json.loads(line) for line in write_provenance(run).read_text().splitlines()]
    records = list(run.jobs())
    coordinates = run.coordinates()
    assert [line["key"] for line in lines] == [record.key for record in records]
    for line, record in zip(lines, records, strict=True):
        artifact = record.artifact
        assert line["coordinates"] == coordinates.get(record.key, [])
        assert line["request"] == record.request.body()
        assert (line["state"], line["attempts"]) == (record.state, record.attempts)
        assert line["task_ids"] == list(record.task_ids)
        assert line["nsfw"] == record.nsfw
        facts = ["sha256", "bytes", "received_sha256", "width", "height", "media_type"]
        assert [line[name] for name in facts] == [artifact and getattr(artifact, name) for name in facts]
        assert line["warnings"] == list(artifact.warnings if artifact else ())
        failed = record.reason is not None and artifact is None
        assert line["error"] == (
            {"reason": record.reason, "message": record.message or ""} if failed else None
        )
    assert lines[0]["coordinates"] == [{"seed": 0}, {"seed": 0, "place": "a"}, {"seed": 0, "place": "b"}]
    assert (lines[-1]["coordinates"], lines[-1]["state"]) == ([], "rejected")
