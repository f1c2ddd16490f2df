"""Runs that go on: selections, edited manifests, other endpoints, input images, the built-in endpoint."""

import base64
import hashlib
from contextlib import closing

import pytest
from support.misbehaving import MisbehavingServer
from support.misbehaving_exchange import solid_picture
from support.runs import finish, order_for, write_manifest
from support.store_rows import bring_to, look

from zbatch.errors import EndpointError, ManifestError, RunBusyError, UsageError
from zbatch.model import JobState
from zbatch.state.directory import RunDirectory
from zbatch.state.lock import RunLock
from zbatch.state.run import Run
from zbatch.state.store import Store
from zbatch.workflow import run


def test_a_selection_submits_only_its_own_and_success_means_those(tmp_path):
    manifest = write_manifest(tmp_path, 10)
    with MisbehavingServer(latency=0) as server:
        first = finish(order_for(manifest, server.url, only=("seed=2,4,6",), first=2))
        assert (first.ending, first.states) == ("complete", {"done": 2, "pending": 8})
        assert sorted(body["seed"] for body in server.ledger.bodies) == [2, 4]
        second = finish(order_for(manifest, server.url, only=("seed=2,4,6",)))
        assert second.states == {"done": 3, "pending": 7}
        assert finish(order_for(manifest, server.url, first=10)).states == {"done": 10}
        assert server.ledger.accepted_twice() == []


def test_tasks_that_are_not_selected_are_polled_all_the_same_but_not_repeated(tmp_path):
    manifest = write_manifest(tmp_path, 4, "job_deadline: 300ms")
    with MisbehavingServer(latency=30) as server:
        finish(order_for(manifest, server.url, only=("seed=1,2",)))
        for task in server.tasks.values():
            task.done_at = 0
            task.fate = "failed" if task.body["seed"] == 2 else ""
        server.latency = 0
        done = finish(order_for(manifest, server.url, only=("seed=3",)))
        assert done.states == {"done": 2, "failed": 1, "pending": 1}
        assert done.ending == "complete"


def test_a_selection_of_nothing_changes_nothing(tmp_path):
    manifest = write_manifest(tmp_path)
    for only in (("seed=99",), ("colour=red",)):
        with pytest.raises(UsageError):
            finish(order_for(manifest, "http://127.0.0.1:9", only=only))
    assert not (tmp_path / "run").exists()


def test_an_edited_manifest_redoes_exactly_what_changed(tmp_path):
    manifest = write_manifest(tmp_path, 4)
    with MisbehavingServer(latency=0) as server:
        first = finish(order_for(manifest, server.url))
        before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run" / "images").iterdir()}
        manifest.write_text(manifest.read_text().replace("from: 1, count: 4", "from: 3, count: 4"))
        second = finish(order_for(manifest, server.url))
        assert (second.ending, second.states) == ("complete", {"done": 4})
        assert sorted(body["seed"] for body in server.ledger.bodies) == [1, 2, 3, 4, 5, 6]
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run" / "images").iterdir()}
    assert before.items() <= after.items()
    assert len(after) == 6
    assert {seed: job.file for seed, job in first.jobs.items()}.items() <= {
        seed: job.file for seed, job in second.jobs.items()
    }.items()
    with Run(tmp_path / "run") as opened:
        assert opened.orphans() == 2
        assert [cell.coordinates["seed"] for cell in opened.cells()] == [3, 4, 5, 6]


def test_an_edit_that_takes_a_name_of_an_earlier_picture_writes_beside_it(tmp_path):
    more = 'output: {file: "the-fox"}'
    with MisbehavingServer(latency=0) as server:
        first = finish(order_for(write_manifest(tmp_path, 1, more=more), server.url))
        manifest = write_manifest(tmp_path, 1, more=more)
        manifest.write_text(manifest.read_text().replace('"job ', '"another '))
        second = finish(order_for(manifest, server.url))
    assert first.jobs[1].file == "images/the-fox.webp"
    assert sorted(path.name for path in (tmp_path / "run" / "images").iterdir())[1] == "the-fox.webp"
    assert len(list((tmp_path / "run" / "images").iterdir())) == 2
    assert second.ending == "complete"


def test_a_submitted_job_the_manifest_no_longer_shows_is_finished_but_never_submitted_again(tmp_path):
    manifest = write_manifest(tmp_path, 3, "job_deadline: 300ms")
    with MisbehavingServer(latency=30) as server:
        assert finish(order_for(manifest, server.url)).states == {"submitted": 3}
        server.latency = 0
        for task in server.tasks.values():
            task.done_at = 0
            task.fate = "failed" if task.body["seed"] == 1 else ""
        manifest.write_text(manifest.read_text().replace("from: 1, count: 3", "from: 3, count: 2"))
        done = finish(order_for(manifest, server.url))
        assert (done.ending, done.states) == ("complete", {"done": 2})
        assert {seed: (job.state.value, job.shown) for seed, job in done.jobs.items()} == {
            1: ("failed", False), 2: ("done", False), 3: ("done", True), 4: ("done", True),
        }  # fmt: skip
        assert len(server.ledger.accepted) == 4


def test_tasks_that_fail_while_pages_are_still_to_come_are_submitted_once_more_each(tmp_path, monkeypatch):
    monkeypatch.setattr("zbatch.runner.submitting._PAGE", 2)
    late = ",".join(str(seed) for seed in range(13, 25))
    with MisbehavingServer(latency=30) as server:
        manifest = write_manifest(tmp_path, 24, "job_deadline: 300ms, concurrency: 12, attempts: 2")
        finish(order_for(manifest, server.url, only=(f"seed={late}",)))
        assert len(server.ledger.accepted) == 12
        server.latency = 0
        for task in server.tasks.values():
            task.done_at, task.fate = 0, "failed"
        manifest = write_manifest(tmp_path, 24, "concurrency: 16, attempts: 2")
        done = finish(order_for(manifest, server.url))
        assert (done.ending, done.states) == ("complete", {"done": 24})
        assert len(server.ledger.accepted) == 36


def test_a_manifest_that_is_wrong_leaves_an_earlier_run_as_it_was(tmp_path):
    manifest = write_manifest(tmp_path, 3)
    with MisbehavingServer(latency=0) as server:
        finish(order_for(manifest, server.url))
        manifest.write_text(manifest.read_text().replace("{{ seed }}", "{{ sead }}"))
        with pytest.raises(ManifestError):
            finish(order_for(manifest, server.url))
    with Run(tmp_path / "run") as opened:
        assert opened.counts()[JobState.DONE] == 3


def test_a_run_somebody_else_owns_is_left_alone(tmp_path):
    manifest = write_manifest(tmp_path)
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    with RunLock(directory), pytest.raises(RunBusyError, match="process"):
        finish(order_for(manifest, "http://127.0.0.1:9"))
    assert not directory.exists()


# ── endpoints ──────────────────────────────────────────────────────────────────────────────────────────────


def test_another_address_of_the_same_kind_is_taken_when_nothing_is_in_flight(tmp_path):
    manifest = write_manifest(tmp_path, 4)
    with MisbehavingServer(latency=0) as one, MisbehavingServer(latency=0) as two:
        finish(order_for(manifest, one.url, first=2))
        done = finish(order_for(manifest, two.url))
        assert done.states == {"done": 4}
        assert (len(one.ledger.accepted), len(two.ledger.accepted)) == (2, 2)
    notices = [event.message for event in done.told.events if event.name == "notice"]
    assert any(one.url in notice and two.url in notice for notice in notices)


def test_another_address_is_refused_while_tasks_are_in_flight_and_another_kind_always(tmp_path):
    manifest = write_manifest(tmp_path, 2, "job_deadline: 300ms")
    with MisbehavingServer(latency=30) as one, MisbehavingServer() as two:
        finish(order_for(manifest, one.url))
        with pytest.raises(EndpointError, match="tasks in flight at " + one.url):
            finish(order_for(manifest, two.url))
        with pytest.raises(EndpointError, match="never mix"):
            finish(order_for(manifest, "preview"))
        with pytest.raises(EndpointError, match="never mix"):
            finish(order_for(manifest, "https://api.highwayapi.ai", api_key="k"))
        assert two.ledger.accepted == []
    with Run(tmp_path / "run") as opened:
        assert opened.counts()[JobState.SUBMITTED] == 2


# ── input images ───────────────────────────────────────────────────────────────────────────────────────────

IMAGES = """\
version: 1
name: hands
request: {prompt: a hand, size: 256*256, image_url: in/hand.png, mask: in/mask.png, strength: 0.5}
matrix: {seed: [1, 2]}
"""


@pytest.fixture
def hands(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "hand.png").write_bytes(solid_picture("256*256", "png", 3))
    (tmp_path / "in" / "mask.png").write_bytes(solid_picture("256*256", "png", 5))
    path = tmp_path / "hands.yaml"
    path.write_text(IMAGES)
    return path


def test_input_images_travel_as_data_uris_and_stand_everywhere_as_hashes(hands, tmp_path):
    with MisbehavingServer(latency=0) as server:
        done = finish(order_for(hands, server.url))
        assert done.states == {"done": 2}
        body = server.ledger.bodies[0]
    for name, file in (("image_url", "hand.png"), ("mask", "mask.png")):
        data = (tmp_path / "in" / file).read_bytes()
        assert body[name] == "data:image/png;base64," + base64.b64encode(data).decode()
        stands = done.jobs[1].request.body()[name]
        assert stands == {"file": f"in/{file}", "sha256": hashlib.sha256(data).hexdigest()}
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert not [path for path in written if b"base64," in path.read_bytes()]


def test_an_input_image_that_changed_after_planning_is_not_sent(hands, tmp_path):
    with MisbehavingServer(latency=0) as server:
        order = order_for(hands, server.url)

        def started(session, loop):
            # The expansion is checked and committed before the loop runs on: what follows is the sending.
            loop.call_soon(change)

        def change():
            (tmp_path / "in" / "mask.png").write_bytes(solid_picture("256*256", "png", 6))

        done = finish(order, started=started)
        assert done.ending == "incomplete"
        assert done.states == {"pending": 2}
        assert server.ledger.accepted == []
        assert {job.reason for job in done.jobs.values()} == {"input_changed"}
        assert "in/mask.png changed" in done.jobs[1].message
        # The next run takes the picture as it is now: other requests, other jobs.
        assert finish(order_for(hands, server.url)).states == {"done": 2}


def test_an_input_image_that_is_gone_is_not_sent(hands, tmp_path):
    with MisbehavingServer(latency=0) as server:
        order = order_for(hands, server.url)
        unlink = (tmp_path / "in" / "hand.png").unlink
        done = finish(order, started=lambda session, loop: loop.call_soon(unlink))
        assert done.states == {"pending": 2}
        assert "cannot be read" in done.jobs[1].message


# ── the built-in endpoint ──────────────────────────────────────────────────────────────────────────────────


def test_preview_jobs_that_were_under_way_are_made_again_by_themselves(tmp_path):
    """Its tasks die with the process and cost nothing, the finished ones too."""
    manifest = write_manifest(tmp_path, 5)
    finish(order_for(manifest, "preview", first=1))
    left = {2: ("submitting", False), 3: ("submitted", False), 4: ("submitted", True), 5: ("unknown", True)}
    with closing(Store(tmp_path / "run" / "state.sqlite3")) as store:
        ids = look(store, "SELECT json_extract(request, '$.seed'), id FROM jobs WHERE state = 'pending'")
        for seed, job_id in ids:
            state, succeeded = left[seed]
            bring_to(store, job_id, state, succeeded=succeeded)
    done = finish(order_for(manifest, "preview"))
    assert (done.ending, done.states) == ("complete", {"done": 5})


def test_the_python_api_runs_and_resumes(tmp_path):
    manifest = write_manifest(tmp_path, 3)
    for _ in range(2):
        with run(manifest, run_dir=tmp_path / "api") as made:
            assert made.counts()[JobState.DONE] == 3
            assert "<img" in made._repr_html_()
            assert (made.directory.path / "index.html").is_file()
            assert len((made.directory.path / "jobs.jsonl").read_text().splitlines()) == 3


def test_another_price_is_told_once_where_attempts_were_made_at_the_old_one(tmp_path):
    def told(price, **flags):
        with_price = write_manifest(tmp_path, jobs=4, more=f"price: {price}")
        done = finish(order_for(with_price, server.url, **flags))
        return [event.message for event in done.told.events if "price" in event.message]

    with MisbehavingServer(latency=0) as server:
        assert told("0.01", first=2) == []
        assert told("0.010", first=2) == []
        words = "the price was 0.01, now 0.02: 2 attempts made before count at the old one"
        assert [message.replace("0.010", "0.01") for message in told("0.02")] == [words]
        assert told("0.02") == []
