"""Pictures are taken over from another run, and the process is killed in the middle of that."""

import time

from support.command import zbatch, zbatch_started
from support.misbehaving_process import MisbehavingProcess
from support.runs import check_files, write_manifest

from zbatch.state.run import Run

JOBS = 400


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
