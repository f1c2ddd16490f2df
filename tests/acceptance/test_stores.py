"""Runs into an object store from the command line: killed at any moment, and what a person is told."""

import json
import random
import time

import pytest
from support.command import counts, wait_until, zbatch, zbatch_started
from support.misbehaving_process import MisbehavingProcess
from support.object_store import KEY_ID, SECRET, misbehaving, objects
from support.runs import check_files, write_manifest

from zbatch.state.run import Run

JOBS = 40


@pytest.fixture
def place(s3, monkeypatch):
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3.new_bucket()}/trial"


def test_killed_at_random_moments(tmp_path, s3, place, monkeypatch):
    dice, number = random.Random(1), [0]

    def behave(method, _path):
        number[0] += 1
        return ("503", "unanswered", *["pass"] * 6)[number[0] % 8] if method == "PUT" else "pass"

    manifest = write_manifest(tmp_path, JOBS, "concurrency: 8")
    monkeypatch.chdir(tmp_path)
    with MisbehavingProcess("--latency", "0.1") as server, misbehaving(s3, behave) as proxy:
        command = ("run", manifest, "-o", place, "--endpoint", server.url, "--progress", "none")
        killed = 0
        for _ in range(4):
            with zbatch_started(*command, cwd=tmp_path, **proxy.variables) as process:
                before = len(proxy.puts("/images/"))
                wait_until(lambda began=before: len(proxy.puts("/images/")) > began, process)
                time.sleep(dice.uniform(0, 0.3))
                killed += process.poll() is None
                process.kill()
                process.wait(10)
        done = zbatch(*command, cwd=tmp_path, **proxy.variables)
        done = zbatch(*command, cwd=tmp_path, **proxy.variables)
        assert done.returncode in (0, 1), done.stderr
        assert killed >= 2
        ledger = server.ledger
        assert ledger.accepted_twice() == []
        with Run(tmp_path / "runs" / "trial") as run:
            check_files(run)
            records = {record.request.seed: record for record in run.jobs()}
        # A submit that was under way when it was killed is held; every other is done, with its own task.
        assert {record.state for record in records.values()} <= {"done", "unknown"}
        assert sum(record.state == "done" for record in records.values()) > JOBS // 2
        for entry in ledger.accepted:
            record = records[entry.body["seed"]]
            assert record.state == "unknown" or record.task_ids == (entry.task_id,)
        kept = {record.file for record in records.values() if record.state == "done"}
        assert kept == {name for name in objects(place) if name.startswith("images/")}


def test_what_a_person_sees(tmp_path, s3, place):
    (tmp_path / "fox.yaml").write_text(
        f"""version: 1
name: fox
output: {{dir: "{place}s/{{{{ name }}}}"}}
request: {{prompt: "a fox {{{{ seed }}}}", size: 256*256}}
matrix: {{seed: {{from: 1, count: 3}}}}
"""
    )
    done = zbatch("run", "fox.yaml", "--progress", "none", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"3 of 3 jobs done in runs/fox-preview\npictures: {place}s/fox-preview/images/" in done.stdout
    for named in ("fox.yaml", f"{place}s/fox-preview"):
        status = zbatch("status", named, cwd=tmp_path)
        assert status.returncode == 0, status.stderr
        assert f"pictures are in {place}s/fox-preview" in status.stdout
    assert json.loads(zbatch("status", "fox.yaml", "--json", cwd=tmp_path).stdout)["gone"] == 0
    off = zbatch("status", "fox.yaml", cwd=tmp_path, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert off.returncode == 0
    assert "whether all of them are there is not known: cannot list" in off.stdout
    elsewhere = zbatch("status", f"{place}s/other", cwd=tmp_path)
    assert elsewhere.returncode == 2
    assert "its state would be in runs/other" in elsewhere.stderr
    assert counts(tmp_path / "runs/fox-preview") == {"done": 3}


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (f"s3://{KEY_ID}:{SECRET}@bucket/x", "keys do not belong there"),
        ("s3://bucket", "is a whole bucket"),
        ("ftp://bucket/x", "no object store that is known"),
    ],
)
def test_places_that_are_refused(tmp_path, tmp_path_factory, where, words):
    manifest = write_manifest(tmp_path, 1, more=f'output: {{dir: "{where}"}}')
    plain = write_manifest(tmp_path_factory.mktemp("plain"), 1)
    for command in (("run", manifest), ("plan", plain, "--run-dir", where)):
        done = zbatch(*command, cwd=tmp_path)
        assert done.returncode == 2, done.stdout
        said = done.stdout + done.stderr
        assert words in said
        assert SECRET not in said
    assert not (tmp_path / "runs").exists()


def test_plans_and_lineage_by_url(tmp_path, place):
    manifest = write_manifest(tmp_path, 2)
    saved = zbatch("plan", manifest, "--run-dir", place, "-o", tmp_path / "plan.json", cwd=tmp_path)
    assert saved.returncode == 0, saved.stderr
    (tmp_path / "elsewhere").mkdir()
    done = zbatch("run", tmp_path / "plan.json", "--progress", "none", cwd=tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    assert counts(tmp_path / "runs" / "trial") == {"done": 2}
    image = next(name for name in objects(place) if name.startswith("images/"))
    told = zbatch("why", place, f"{place}/{image}", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert f"done: {image}" in told.stdout


def test_an_export_that_is_killed_goes_on(tmp_path, s3, place):
    manifest = write_manifest(tmp_path, 30)
    made = zbatch("run", manifest, "-o", "run", "--no-report", "--progress", "none", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    command = ("export", "run", "--format", "kohya", "-o", place)
    with misbehaving(s3, lambda method, _: "0.2" if method == "PUT" else "pass") as proxy:
        with zbatch_started(*command, cwd=tmp_path, **proxy.variables) as process:
            wait_until(lambda: len(proxy.puts("/train/")) > 20, process)
            process.kill()
            process.wait(10)
        left = objects(place)
        assert "_unfinished/plan.json" in left
        assert "export.json" not in left
        proxy.behave = lambda method, path: "pass"
        proxy.seen.clear()
        again = zbatch(*command, cwd=tmp_path, **proxy.variables)
        assert again.returncode == 0, again.stderr
        assert "an interrupted export was gone on with" in again.stderr
        kept = [name for name in left if name.startswith("train/")]
        assert not any(path.endswith(f"/{name}") for name in kept for path in proxy.puts("/train/"))
    assert zbatch("export", "run", "--format", "kohya", "-o", "disk", cwd=tmp_path).returncode == 0
    disk = tmp_path / "disk"
    files = {str(path.relative_to(disk)): path.read_bytes() for path in disk.rglob("*") if path.is_file()}
    assert objects(place) == files
