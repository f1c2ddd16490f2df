"""`zbatch run` and its neighbours as a person or script meets them: exit codes, streams, shapes, secrets."""

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
import termios
from pathlib import Path

import jsonschema
import pytest
from support.command import counts, environment, wait_until, zbatch, zbatch_started
from support.disks import mounted
from support.misbehaving import MisbehavingServer
from support.runs import write_manifest

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-planted-key-0123456789abcdef"
SIGNED = ("signature=", "expires=1999999999")


@pytest.fixture
def server():
    with MisbehavingServer(latency=0) as server:
        yield server


def run(tmp_path, url, *more, manifest=None, **variables):
    manifest = manifest or tmp_path / "trial.yaml"
    return zbatch(
        "run", manifest, "-o", tmp_path / "run", "--endpoint", url, *more, cwd=tmp_path, **variables
    )


def test_all_done_is_0_and_results_are_on_stdout_alone(tmp_path, server):
    write_manifest(tmp_path)
    done = run(tmp_path, server.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"4 of 4 jobs done in {tmp_path}/run", f"sheet: {tmp_path}/run/index.html"
    ]  # fmt: skip
    assert "4/4" in done.stderr
    assert {
        "index.html",
        "data.js",
        "jobs.jsonl",
        "state.sqlite3",
        "manifest.lock.yaml",
        "run.log.jsonl",
    } <= {path.name for path in (tmp_path / "run").iterdir()}
    assert (tmp_path / "run" / "manifest.src" / "trial.yaml").read_text() == (
        tmp_path / "trial.yaml"
    ).read_text()


def test_some_not_done_is_1_and_says_what_to_do(tmp_path, server):
    write_manifest(tmp_path)
    server.change({"faults": {"submit": ["400-prompt", "close-accepted"]}})
    done = run(tmp_path, server.url, "--no-report")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [f"2 of 4 jobs done in {tmp_path}/run"]
    assert "not done: 1 rejected, 1 unknown" in done.stderr
    assert not (tmp_path / "run" / "index.html").exists()
    status = zbatch("status", tmp_path / "run", cwd=tmp_path)
    assert "--retry unknown" in status.stdout
    assert "may have been billed" in status.stdout
    assert run(tmp_path, server.url, "--retry", "unknown,rejected").returncode == 0


def test_wrong_manifests_and_wrong_flags_are_2_and_submit_nothing(tmp_path, server):
    write_manifest(tmp_path)
    for flags in (
        ["--only", "colour=red"], ["--only", "seed=99"], ["--retry", "done"], ["--rate", "fast"],
        ["--max-cost", "1"], ["--first", "0"], ["-j", "0"], ["--nonsense"], ["--progress", "loud"],
    ):  # fmt: skip
        done = run(tmp_path, server.url, *flags)
        assert (done.returncode, done.stdout) == (2, ""), flags
        assert done.stderr.strip(), flags
        assert "Traceback" not in done.stderr
    (tmp_path / "trial.yaml").write_text("version: 1\nname: x\nrequest: {prompt: p, size: 1024x1024}\n")
    done = run(tmp_path, server.url)
    assert done.returncode == 2
    assert "trial.yaml:3:" in done.stderr
    assert server.ledger.seen == []


def test_nobody_at_the_endpoint_is_4_with_everything_pending(tmp_path):
    write_manifest(tmp_path)
    done = run(tmp_path, "http://127.0.0.1:9")
    assert done.returncode == 4
    assert "cannot be reached" in done.stderr
    assert counts(tmp_path / "run") == {"pending": 4}


def test_an_account_that_is_refused_is_4_with_the_servers_words(tmp_path, server):
    write_manifest(tmp_path)
    server.change({"faults": {"submit": ["403-balance*"]}})
    done = run(tmp_path, server.url)
    assert done.returncode == 4
    assert "NOT_ENOUGH_BALANCE" in done.stderr
    assert "top up" in done.stderr
    assert counts(tmp_path / "run") == {"pending": 4}


def test_max_cost_is_1_and_says_so(tmp_path, server):
    write_manifest(tmp_path, 10, more="price: 0.01")
    done = run(tmp_path, server.url, "--max-cost", "0.03")
    assert done.returncode == 1
    assert "max_cost is reached" in done.stderr
    assert len(server.ledger.accepted) == 3


# ── the key ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_hosted_endpoint_without_a_key_is_4_before_anything_is_sent(tmp_path):
    write_manifest(tmp_path, more="endpoint: https://api.highwayapi.ai")
    done = zbatch("run", "trial.yaml", cwd=tmp_path)
    assert done.returncode == 4
    assert "ZBATCH_API_KEY" in done.stderr


def test_an_endpoint_that_only_a_manifest_names_gets_no_key_and_the_plan_does_not_launder_it(tmp_path):
    write_manifest(tmp_path, more="endpoint: https://images.example.org")
    done = zbatch("run", "trial.yaml", cwd=tmp_path, ZBATCH_API_KEY=KEY)
    assert done.returncode == 4
    assert "only the manifest names this endpoint" in done.stderr
    assert "--endpoint https://images.example.org" in done.stderr
    assert zbatch("plan", "trial.yaml", "-o", "plan.json", cwd=tmp_path, ZBATCH_API_KEY=KEY).returncode == 0
    planned = zbatch("run", "plan.json", cwd=tmp_path, ZBATCH_API_KEY=KEY)
    assert planned.returncode == 4
    assert "only the manifest names this endpoint" in planned.stderr
    assert KEY not in done.stderr + planned.stderr


def test_the_key_is_read_from_variable_or_file_and_is_written_nowhere(tmp_path):
    write_manifest(tmp_path, 6, size="448*320")
    (tmp_path / "key").write_text(f"# mine\n{KEY}\n")
    faults = {"submit": [None, "401"], "image": ["403", "html-200", "404", "half"], "result": ["502-html"]}
    with MisbehavingServer(faults, latency=0, key=KEY) as server:
        first = run(tmp_path, server.url, "--progress", "json", ZBATCH_API_KEY=KEY)
        assert first.returncode == 4
        second = run(tmp_path, server.url, "--api-key-file", tmp_path / "key")
        assert second.returncode == 0, second.stderr
        assert server.ledger.leaks() == []
        assert {seen.authorization for seen in server.ledger.seen if seen.call == "submit"} == {
            f"Bearer {KEY}"
        }
    status = zbatch("status", tmp_path / "run", cwd=tmp_path)
    told = first.stdout + first.stderr + second.stdout + second.stderr + status.stdout
    written = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert len(written) > 15
    for secret in (KEY, *SIGNED):
        assert secret not in told
        assert [path for path, data in written.items() if secret.encode() in data] == []


def test_without_a_key_where_one_is_wanted(tmp_path):
    write_manifest(tmp_path)
    with MisbehavingServer(key=KEY) as server:
        done = run(tmp_path, server.url)
        assert done.returncode == 4
        assert "check the key (of --api-key-file, else of ZBATCH_API_KEY)" in done.stderr
        assert server.ledger.accepted == []


# ── progress ───────────────────────────────────────────────────────────────────────────────────────────────


def test_progress_for_machines_is_lines_of_json_on_stderr(tmp_path, server):
    write_manifest(tmp_path, more="price: 0.01")
    done = run(tmp_path, server.url, "--progress", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    events = {line["name"] for line in lines if line["type"] == "event"}
    last = [line for line in lines if line["type"] == "progress"][-1]
    assert {"run_started", "submitting", "submitted", "succeeded", "done", "run_ended"} <= events
    assert (last["done"], last["total"], last["failed"], last["in_flight"]) == (4, 4, 0, 0)
    assert (last["cost"], last["cost_expected"]) == (0.04, 0.04)
    assert {"window", "throttled", "polls", "rate", "seconds_left", "draining"} <= set(last)
    assert last["polls_per_job"] >= 1
    assert last["detection_delay"] >= 0


def test_no_progress_is_silence_and_plain_is_lines(tmp_path, server):
    write_manifest(tmp_path)
    assert run(tmp_path, server.url, "--progress", "none").stderr == ""
    assert run(tmp_path, server.url, "--progress", "plain").stderr.startswith("4/4 (")


def test_the_bar_is_drawn_on_a_terminal(tmp_path, server):
    write_manifest(tmp_path)
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 120))
    done = subprocess.run(
        [sys.executable, "-m", "zbatch", "run", "trial.yaml", "-o", "run", "--endpoint", server.url],
        cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=follower,
        check=False, timeout=60,
    )  # fmt: skip
    os.close(follower)
    drawn = os.read(leader, 100_000).decode()
    os.close(leader)
    assert done.returncode == 0, drawn
    assert "100%|" in drawn
    assert "4/4" in drawn
    assert "in flight" in drawn


def test_every_event_is_in_the_log_with_its_job(tmp_path, server):
    write_manifest(tmp_path)
    run(tmp_path, server.url)
    lines = [json.loads(line) for line in (tmp_path / "run" / "run.log.jsonl").read_text().splitlines()]
    assert {line["key"] for line in lines if line["name"] == "done"} == {
        json.loads(line)["key"] for line in (tmp_path / "run" / "jobs.jsonl").read_text().splitlines()
    }
    assert all(line["at"].endswith("Z") for line in lines)


# ── shapes ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_lines_of_jobs_jsonl_are_as_their_schema_says_whatever_the_state(tmp_path, server):
    write_manifest(tmp_path, 8, "attempts: 1")
    server.change(
        {
            "faults": {
                "submit": ["400-prompt", "close-accepted"],
                "result": ["failed"],
                "image": ["wrong-size"],
            }
        }
    )
    run(tmp_path, server.url, "--first", "7")
    schema = json.loads((ROOT / "schemas" / "job-v1.schema.json").read_text())
    lines = [json.loads(line) for line in (tmp_path / "run" / "jobs.jsonl").read_text().splitlines()]
    for line in lines:
        jsonschema.Draft202012Validator(schema).validate(line)
    found = {line["state"]: line for line in lines}
    assert set(found) == {"done", "pending", "failed", "rejected", "unknown"}
    assert found["rejected"]["error"] == {
        "reason": "ILLEGAL_PROMPT", "message": "HTTP 400: ILLEGAL_PROMPT said the server"
    }  # fmt: skip
    assert found["pending"]["error"] is None
    assert [line["warnings"] for line in lines if line["warnings"]] == [
        ["size: asked for 256*256, got 300*260"]
    ]
    assert [line["coordinates"] for line in lines] == [[{"seed": seed}] for seed in range(1, 9)]


def test_status_json_has_its_shape(tmp_path, server):
    write_manifest(tmp_path, 4, more="price: 0.01")
    server.change({"faults": {"submit": ["400-prompt"]}})
    run(tmp_path, server.url, "--first", "3")
    done = zbatch("status", tmp_path / "run", "--json", cwd=tmp_path)
    said = json.loads(done.stdout)
    assert said["counts"] == {
        "pending": 1, "submitting": 0, "submitted": 0, "done": 2, "failed": 0, "rejected": 1, "unknown": 0
    }  # fmt: skip
    assert said["cost"] == 0.02
    (failure,) = said["failures"]
    assert {"reason": "ILLEGAL_PROMPT", "count": 1, "retry": "--retry rejected"}.items() <= failure.items()
    assert "said the server" in failure["example"]


def test_pictures_of_another_size_or_format_are_told(tmp_path, server):
    write_manifest(tmp_path, 5)
    server.change({"faults": {"image": ["wrong-size", "wrong-size", "wrong-format"]}})
    done = run(tmp_path, server.url)
    assert done.returncode == 0
    told = [
        "3 done with warnings (see jobs.jsonl)",
        "     2 size: asked for 256*256, got 300*260",
        "     1 output_format: asked for webp, got png",
    ]
    assert done.stdout.splitlines()[1:4] == told
    status = zbatch("status", tmp_path / "run", cwd=tmp_path).stdout.splitlines()
    assert [line.removeprefix("  ") for line in status if "asked for" in line or "warnings" in line] == told
    said = json.loads(zbatch("status", tmp_path / "run", "--json", cwd=tmp_path).stdout)
    assert said["done_with_warnings"] == 3
    assert said["warnings"][0] == {"warning": "size: asked for 256*256, got 300*260", "count": 2}


def test_status_of_nothing_is_2(tmp_path):
    done = zbatch("status", tmp_path, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "not a run directory" in done.stderr


@pytest.mark.parametrize("both", [False, True], ids=["stdout", "both"])
def test_output_that_takes_nothing_is_4_and_the_run_is_whole(tmp_path, server, both):
    write_manifest(tmp_path)
    commands = [
        ["run", "trial.yaml", "-o", "run", "--endpoint", server.url], ["status", "run", "--json"],
        ["status", "run"], ["jobs", "trial.yaml"], ["schema"], ["--help"], ["run", "--help"],
    ]  # fmt: skip
    for command in commands:
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "zbatch", *command],
                cwd=tmp_path, env=environment(), stdout=full, stderr=full if both else subprocess.PIPE,
                text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        assert done.returncode == 4, (command, done.stderr)
        if not both:
            assert "error: cannot write to standard output: No space left on device" in done.stderr
            assert "the run's files are safe" in done.stderr
            assert "Exception ignored" not in done.stderr
    assert counts(tmp_path / "run") == {"done": 4}
    assert (tmp_path / "run" / "index.html").exists()


# ── plans ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_counts_writes_nothing_and_is_done_and_not_exceeded(tmp_path, server):
    write_manifest(tmp_path, 5, more="price: 0.01")
    where = ("--run-dir", tmp_path / "run", "--endpoint", server.url)
    planned = zbatch("plan", "trial.yaml", *where, "--json", "-o", "plan.json", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    said = json.loads(planned.stdout)
    assert (said["cells"], said["jobs"], said["shared"], said["excluded"]) == (5, 5, 0, 0)
    assert (said["done"], said["to_submit"], said["cost"]) == (0, 5, 0.05)
    assert not (tmp_path / "run").exists()
    assert server.ledger.seen == []

    for flags in (["--only", "seed=1"], ["--first", "1"], ["-o", "elsewhere"], ["--endpoint", "preview"]):
        refused = zbatch("run", "plan.json", *flags, cwd=tmp_path)
        assert refused.returncode == 2, flags
        assert "new plan" in refused.stderr
    done = zbatch("run", "plan.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(server.ledger.accepted) == 5
    again = zbatch("plan", "trial.yaml", *where, "--json", cwd=tmp_path)
    assert {"done": 5, "to_submit": 0, "cost": 0}.items() <= json.loads(again.stdout).items()

    write_manifest(tmp_path, 6, more="price: 0.01")
    changed = zbatch("run", "plan.json", cwd=tmp_path)
    assert changed.returncode == 2
    assert changed.stderr == (
        "error: the manifest gives other jobs than were planned: 1 new, 0 gone; changed: trial.yaml; the "
        "first new job is that of the cell seed=6\n  hint: make a new plan: zbatch plan ... -o FILE\n"
    )
    shutil.rmtree(tmp_path / "run")
    write_manifest(tmp_path, 5, more="price: 0.01")
    (tmp_path / "plan.json").write_text(
        (tmp_path / "plan.json").read_text().replace('"to_submit": 5', '"to_submit": 4')
    )
    exceeded = zbatch("run", "plan.json", cwd=tmp_path)
    assert exceeded.returncode == 2
    assert "was to submit 4 jobs" in exceeded.stderr
    assert len(server.ledger.accepted) == 5


@pytest.mark.parametrize("text", ["", "[]", '{"zbatch_plan": 1}', '{"zbatch_plan": 1, "manifest": 3}', "{"])
def test_a_damaged_plan_is_2(tmp_path, text):
    (tmp_path / "plan.json").write_text(text)
    done = zbatch("run", "plan.json", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "plan" in done.stderr


# ── the disk ───────────────────────────────────────────────────────────────────────────────────────────────

FULL = (
    "import resource, sys, zbatch.state.directory as directory; directory.RESERVE_BYTES = 4096; "
    "import zbatch.runner.submitting as submitting; submitting._WRITE_TRIES = 3; "
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0})); "
)
MAIN = "from zbatch.cli import run_command_line; sys.exit(run_command_line(sys.argv[1:]))"


@pytest.mark.parametrize("room", [0, 20_000, 120_000, 400_000], ids=lambda room: f"{room // 1000}kB")
def test_a_disk_that_fills_up_is_4_and_the_next_run_completes(tmp_path, server, room):
    """Files that may not grow are how a full disk looks to whoever writes them."""
    write_manifest(tmp_path, 40)
    command = ["run", "trial.yaml", "-o", "run", "--endpoint", server.url]
    done = subprocess.run(
        [sys.executable, "-c", FULL.format(room) + MAIN, *command],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 4), done.stderr
    if done.returncode == 4:
        assert "cannot" in done.stderr
    held = counts(tmp_path / "run").get("unknown", 0) + counts(tmp_path / "run").get("submitting", 0)
    again = run(tmp_path, server.url, "--retry", "unknown")
    assert again.returncode == 0, again.stderr
    assert counts(tmp_path / "run") == {"done": 40}
    assert len(server.ledger.accepted_twice()) <= held


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a few megabytes; only where this process may mount one."""
    with mounted(tmp_path / "disk", megabytes=12) as place:
        yield place


def fill(disk):
    with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


def test_a_disk_that_is_full_in_the_middle_loses_no_task_that_was_accepted(small_disk, server):
    """The ids of tasks under way go into room kept for them; then the run stops, and the next one goes on."""
    write_manifest(small_disk, 40, "concurrency: 8")
    server.latency = 0.3
    command = [
        "run",
        "trial.yaml",
        "-o",
        "run",
        "--endpoint",
        server.url,
        "--no-report",
        "--progress",
        "none",
    ]
    with zbatch_started(*command, cwd=small_disk) as process:
        wait_until(lambda: server.ledger.accepted, process)
        fill(small_disk)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert "full" in err or "No space" in err
    found = counts(small_disk / "run")
    assert found.get("done", 0) + found["submitted"] == len(server.ledger.accepted)
    assert not {"submitting", "unknown"} & set(found)
    assert "the last run was stopped: " in zbatch("status", "run", cwd=small_disk).stdout
    (small_disk / "filler").unlink()
    assert zbatch(*command, cwd=small_disk).returncode == 0
    assert "was stopped" not in zbatch("status", "run", cwd=small_disk).stdout
    assert counts(small_disk / "run") == {"done": 40}
    assert server.ledger.accepted_twice() == []
    assert not (small_disk / "run" / ".reserve").exists()


def test_a_run_directory_that_cannot_be_made_is_4(tmp_path, server):
    write_manifest(tmp_path)
    (tmp_path / "run").write_text("in the way")
    done = run(tmp_path, server.url)
    assert done.returncode == 4
    assert f"cannot make the run directory {tmp_path}/run" in done.stderr
    assert server.ledger.seen == []


def test_a_directory_of_something_else_is_2(tmp_path, server):
    write_manifest(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("mine")
    assert run(tmp_path, server.url).returncode == 2
    assert server.ledger.seen == []


def test_a_report_that_cannot_be_written_after_a_whole_run_is_4_and_nothing_is_lost(tmp_path, server):
    write_manifest(tmp_path)
    (tmp_path / "run" / "jobs.jsonl").mkdir(parents=True)
    (tmp_path / "run" / "state.sqlite3").touch()
    done = run(tmp_path, server.url)
    assert done.returncode == 4
    assert "jobs.jsonl" in done.stderr
    assert counts(tmp_path / "run") == {"done": 4}


def test_a_state_of_a_newer_zbatch_is_4(tmp_path, server):
    import sqlite3

    write_manifest(tmp_path)
    run(tmp_path, server.url, "--no-report")
    with sqlite3.connect(tmp_path / "run" / "state.sqlite3") as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    for command in (
        ["run", "trial.yaml", "-o", "run", "--endpoint", server.url],
        ["status", "run"],
        ["report", "run"],
    ):
        done = zbatch(*command, cwd=tmp_path)
        assert done.returncode == 4
        assert "version 99" in done.stderr


def test_the_built_in_endpoint_from_init_to_report(tmp_path):
    assert zbatch("init", cwd=tmp_path).returncode == 0
    done = zbatch("run", "zbatch.yaml", "--first", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 jobs done in runs/first-steps-preview" in done.stdout
    report = zbatch("report", "zbatch.yaml", "--single-file", cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    assert (tmp_path / "runs" / "first-steps-preview" / "sheet.html").is_file()
    assert report.stderr.startswith("sheet.html: 0.")
    assert "MB, thumbnails only" in report.stderr


def test_a_plan_overwrites_no_other_file_and_may_have_any_name(tmp_path):
    manifest = write_manifest(tmp_path, 1)
    refused = zbatch("plan", manifest, "-o", manifest, cwd=tmp_path)
    assert refused.returncode == 2
    assert "is no plan" in refused.stderr
    for _ in range(2):
        assert zbatch("plan", manifest, "-o", "saved", cwd=tmp_path).returncode == 0
    assert zbatch("run", "saved", "--no-report", cwd=tmp_path).returncode == 0
