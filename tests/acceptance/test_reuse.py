"""From what was picked to the next run: only what is new is submitted, however often it is killed."""

import json
import time

from support.command import zbatch, zbatch_started
from support.misbehaving_process import MisbehavingProcess
from support.picked import write_picks
from support.runs import check_files, write_manifest

from zbatch.state.run import Run

JOBS = 400

STUDY = """\
version: 1
name: fox
loras: {film: {path: org/film}, ink: {path: org/ink}}
request: {prompt: "a fox {{ lora.name }}", size: 256*256}
matrix:
  lora:
    name: [film, ink]
    scale: {from: 0, to: 1.2, step: 0.2}
  seed: [1, 2]
price: 0.01
"""


def test_killed_while_taking_over_nothing_is_lost_or_submitted_twice(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    with MisbehavingProcess("--latency", "0") as server:
        manifest = write_manifest(tmp_path, JOBS, "concurrency: 32")
        quiet = ("--endpoint", server.url, "--no-report", "--progress", "none")
        assert zbatch("run", manifest, "-o", old, *quiet, cwd=tmp_path).returncode == 0
        manifest = write_manifest(tmp_path, JOBS + 3)
        command = ("run", manifest, "-o", new, "--reuse", old, *quiet)
        killed = 0
        for enough in (1, 40, 257, 320):
            with zbatch_started(*command, cwd=tmp_path) as process:
                while process.poll() is None and _count(new / "images") < enough:
                    time.sleep(0.001)
                killed += process.poll() is None
                process.kill()
                process.wait(10)
            with Run(new) as opened:
                check_files(opened)
        assert killed
        done = zbatch(*command, cwd=tmp_path)
        assert done.returncode in (0, 1), done.stderr
        if done.returncode:  # a submit was under way when the last one was killed
            assert zbatch(*command, "--retry", "unknown", cwd=tmp_path).returncode == 0
        seeds = [entry.body["seed"] for entry in server.ledger.accepted]
        assert set(seeds) == set(range(1, JOBS + 4))
        assert sum(seed <= JOBS for seed in seeds) == JOBS
    with Run(new) as opened:
        check_files(opened)
        assert sum(opened.taken_over().values()) == JOBS
        assert sum(job.attempts for job in opened.jobs()) >= 3
        assert not any(job.attempts for job in opened.jobs() if job.request.seed <= JOBS)


def _count(folder):
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def test_picked_refined_and_run_again_only_the_new_scales_are_submitted(tmp_path):
    (tmp_path / "fox.yaml").write_text(STUDY, "utf-8")
    with MisbehavingProcess("--latency", "0") as server:
        here = {"cwd": tmp_path, "ZBATCH_ENDPOINT": server.url}
        quiet = ("--no-report", "--progress", "none")
        assert zbatch("run", "fox.yaml", *quiet, **here).returncode == 0
        first = len(server.ledger.accepted)
        write_picks(
            tmp_path / "picks.json",
            tmp_path / "runs" / "fox-local",
            lambda at: 5 - round(5 * abs(at["lora.scale"] - 0.6)) - (at["lora.name"] == "ink") or 1,
        )
        refined = zbatch("refine", "fox.yaml", "--picks", "picks.json", "--votes", "2", **here)
        assert refined.returncode == 0, refined.stderr
        assert "plan: 10 jobs: 2 images made already, 8 to submit, 0.08 USD" in refined.stdout
        plan, run = (line.split()[1:] for line in refined.stdout.splitlines()[-2:])
        said = json.loads(zbatch(*plan, "--json", **here).stdout)
        assert (said["jobs"], said["reused"], said["to_submit"], said["cost"]) == (10, 2, 8, 0.08)
        done = zbatch(*run, *quiet, **here)
        assert done.returncode == 0, done.stderr
        scales = [entry.body["loras"][0]["scale"] for entry in server.ledger.accepted[first:]]
        assert sorted(scales) == [0.5, 0.5, 0.55, 0.55, 0.65, 0.65, 0.7, 0.7]
    with Run(tmp_path / "runs" / "fox-2-local") as opened:
        check_files(opened)
        assert (sum(opened.taken_over().values()), float(opened.cost())) == (2, 0.08)
