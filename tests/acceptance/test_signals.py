"""Ctrl-C, kill and a closed terminal: first finish what is in flight, then leave at once; both resumable."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from support.command import counts, environment, ordinary_signals, wait_until, zbatch, zbatch_started
from support.dataset_run import write_dataset
from support.misbehaving import MisbehavingServer
from support.misbehaving_faults import FAULTS
from support.misbehaving_process import MisbehavingProcess
from support.runs import check_files, finish, order_for, write_manifest

from zbatch.state.run import Run


@pytest.fixture
def server():
    with MisbehavingProcess("--latency", "0.6") as server:
        yield server


@pytest.fixture
def command(tmp_path, server):
    manifest = write_manifest(tmp_path, 40, "concurrency: 6")
    return ("run", manifest, "-o", tmp_path / "run", "--endpoint", server.url, "--progress", "plain")


def hangups_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def under_way(server):
    return lambda: len(server.ledger.accepted) >= 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_drains(tmp_path, server, command, number):
    with zbatch_started(*command, cwd=tmp_path) as process:
        wait_until(under_way(server), process)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
    found = counts(tmp_path / "run")
    assert set(found) == {"done", "pending"}
    assert found["done"] == len(server.ledger.accepted) < 40
    assert server.ledger.not_fetched() == []
    assert "of 40 jobs done" in out
    assert "stopping: no new submits" in err
    assert "this goes on where it stopped" in err
    assert "Traceback" not in err
    assert len((tmp_path / "run" / "jobs.jsonl").read_text().splitlines()) == 40
    assert (tmp_path / "run" / "index.html").exists()


def test_the_first_signal_with_nothing_left_to_submit_ends_as_if_there_had_been_none(tmp_path, server):
    command = ("run", write_manifest(tmp_path, 3), "-o", tmp_path / "run", "--endpoint", server.url)
    with zbatch_started(*command, cwd=tmp_path) as process:
        wait_until(lambda: len(server.ledger.accepted) == 3, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "3 of 3 jobs done" in out
    assert "interrupted" not in err


def test_a_signal_before_an_edited_manifest_is_taken_over_is_an_interruption(tmp_path):
    with MisbehavingServer({"image": ["404*"]}, latency=0) as server:
        assert finish(order_for(write_manifest(tmp_path, 2), server.url)).states == {"submitted": 2}
        server.change({"faults": {}})
        order = order_for(write_manifest(tmp_path, 5), server.url)
        done = finish(order, started=lambda session, _loop: session.drain())
        assert (done.ending, done.states) == ("interrupted", {"done": 2})


def test_the_second_signal_leaves_at_once_and_the_next_run_goes_on(tmp_path, server, command):
    server.set(latency=60)
    with zbatch_started(*command, cwd=tmp_path) as process:
        wait_until(lambda: counts(tmp_path / "run").get("submitted", 0) == 6, process)
        process.send_signal(signal.SIGINT)
        assert "stopping" in process.stderr.readline() + process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.wait(10)
        assert process.returncode == 130
    assert counts(tmp_path / "run") == {"submitted": 6, "pending": 34}
    server.set(latency=0)
    assert len(server.ledger.accepted) == 6
    command = (*command, "-j", "12", "--only", "seed=" + ",".join(str(seed) for seed in range(7, 41)))
    with zbatch_started(*command, cwd=tmp_path) as process:
        # the six are still being made: polled, not repeated
        wait_until(lambda: counts(tmp_path / "run").get("done", 0) == 34, process)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGHUP)  # two of one kind may be taken for one
        process.wait(10)
    assert server.ledger.accepted_twice() == []


def test_a_run_that_ignores_the_closed_terminal_goes_on(tmp_path, server, command):
    """As under nohup, where SIGHUP is ignored from the beginning."""
    server.set(latency=0.1)
    with subprocess.Popen(
        [sys.executable, "-m", "zbatch", *map(str, command)], cwd=tmp_path, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        preexec_fn=hangups_ignored,  # noqa: PLW1509 - no lock is held
    ) as process:  # fmt: skip
        wait_until(under_way(server), process)
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 0
    assert counts(tmp_path / "run") == {"done": 40}


def test_a_terminal_that_closes_drains_although_nothing_can_be_drawn_any_more(tmp_path, server, command):
    """The bar's stream answers with an error from then on; what is in flight is finished all the same."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "zbatch", *map(str, command[:-1]), "bar"], cwd=tmp_path, env=environment(),
        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
        preexec_fn=ordinary_signals,  # noqa: PLW1509 - no lock is held
    ) as process:  # fmt: skip
        os.close(follower)
        wait_until(under_way(server), process)
        os.close(leader)
        process.send_signal(signal.SIGHUP)
        process.wait(60)
    found = counts(tmp_path / "run")
    assert set(found) == {"done", "pending"}
    assert found["done"] == len(server.ledger.accepted)
    assert server.ledger.not_fetched() == []


def test_a_signal_before_the_first_submit_submits_nothing(tmp_path, server, command):
    server.set(faults={"submit": ["429-absurd*"]})
    with zbatch_started(*command, cwd=tmp_path) as process:
        wait_until(lambda: server.ledger.count("submit") > 0, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
    assert counts(tmp_path / "run") == {"pending": 40}
    assert server.ledger.accepted == []


def test_suspended_and_gone_on(tmp_path, server, command):
    server.set(latency=0.1)
    with zbatch_started(*command, cwd=tmp_path) as process:
        wait_until(under_way(server), process)
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert server.ledger.accepted_twice() == server.ledger.not_fetched() == []


IMPATIENT = (
    "import sys, zbatch.api.timeouts as timeouts; "
    "timeouts.Timeouts.__init__.__defaults__ = (2.0, 0.6, 2.0, 2.0, 1.2); "
    "from zbatch.cli import run_command_line; sys.exit(run_command_line(sys.argv[1:]))"
)
"""zbatch whose read time-out (0.6 s) and total one (1.2 s) are shorter than it is stopped for."""


async def accept_and_close_late(exchange):
    exchange.accept()
    await asyncio.sleep(exchange.server.late)
    exchange.wire.close()


@pytest.mark.parametrize(
    ("fault", "known"), [("late", True), ("close-late", False)], ids=["answered", "closed"]
)
def test_suspended_with_submits_in_flight_for_longer_than_the_time_outs(tmp_path, monkeypatch, fault, known):
    """What comes meanwhile lies in the socket: an answer is an answer, a closed connection is unknown."""
    monkeypatch.setitem(FAULTS["submit"], "close-late", accept_and_close_late)
    manifest = write_manifest(tmp_path, 12, "concurrency: 6")
    with MisbehavingServer({"submit": [None] * 3 + [fault] * 3}, latency=0.05) as server:
        server.late = 0.4
        command = [
            "run", manifest, "-o", tmp_path / "run", "--endpoint", server.url,
            "--no-report", "--progress", "none",
        ]  # fmt: skip
        with subprocess.Popen(
            [sys.executable, "-c", IMPATIENT, *map(str, command)], cwd=tmp_path, env=environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            wait_until(lambda: len(server.ledger.accepted) >= 6, process)
            process.send_signal(signal.SIGSTOP)
            time.sleep(2)
            process.send_signal(signal.SIGCONT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == (0 if known else 1), err
        found = counts(tmp_path / "run")
        assert found == ({"done": 12} if known else {"done": 9, "unknown": 3})
        # Every task that was accepted is known or held as unknown, and every one that is known is fetched.
        assert len(server.ledger.accepted) == 12
        assert server.ledger.accepted_twice() == []
        assert len(server.ledger.not_fetched()) == found.get("unknown", 0)
        again = zbatch(*command, cwd=tmp_path)
        assert again.returncode == process.returncode, again.stderr
        assert len(server.ledger.accepted) == 12
        with Run(tmp_path / "run") as run:
            check_files(run)
            held = {record.request.seed for record in run.jobs() if record.state == "unknown"}
        lost = set(server.ledger.not_fetched())
        assert held == {entry.body["seed"] for entry in server.ledger.accepted if entry.task_id in lost}


def test_a_second_process_is_refused_while_the_first_goes_on(tmp_path, server, command):
    with zbatch_started(*command, cwd=tmp_path) as process:
        wait_until(under_way(server), process)
        process.send_signal(signal.SIGSTOP)  # it goes on however long the others take to start
        second = zbatch(*command, cwd=tmp_path)
        assert second.returncode == 4
        assert f"process {process.pid}" in second.stderr
        status = zbatch("status", tmp_path / "run", cwd=tmp_path)
        assert (status.returncode, process.poll()) == (0, None)
        process.send_signal(signal.SIGCONT)


LOADING = """
import os, signal, sys

module, how = sys.argv[1:]

class Interruption:
    def find_spec(self, name, path, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

if how == "ignored":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
from zbatch.__main__ import main
sys.meta_path.insert(0, Interruption())
sys.argv[1:] = ["schema"]
main()
"""


@pytest.mark.parametrize("module", ["zbatch.cli", "click", "zbatch.cli.app", "zbatch.cli.schema"])
def test_ctrl_c_while_modules_are_loaded_is_answered_in_one_line(tmp_path, module):
    def loaded(how):
        return subprocess.run(
            [sys.executable, "-c", LOADING, module, how],
            cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=60,
            preexec_fn=ordinary_signals,
        )  # fmt: skip

    done = loaded("answered")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
    ignored = loaded("ignored")
    assert ignored.returncode == 0, ignored.stderr
    assert ignored.stdout.startswith("{")


ENTERED = """
import os, sys

class Entrance:
    def find_spec(self, name, path, target=None):
        if name == "zbatch.cli":
            os.write(told, b"!")

told = int(sys.argv.pop())
from zbatch.__main__ import main
sys.meta_path.insert(0, Entrance())
main()
"""


@pytest.mark.parametrize("command", ["schema", "validate", "export"])
def test_ctrl_c_at_any_moment_after_the_entry_is_one_line_and_never_a_traceback(tmp_path, command):
    """What a command says of it is one line, too; at its very end Python dies of the signal, as is usual."""
    run = write_dataset(tmp_path / "run", 300, side=32, length=1_000)
    words = {
        "schema": ["schema"],
        "validate": ["validate", write_manifest(tmp_path, 3)],
        "export": ["export", run, "--format", "jsonl", "--near-duplicates", "2", "-o", "out"],
    }[command]
    interrupted = 0
    for delay in range(0, 1000, 60):
        reading, writing = os.pipe()
        with subprocess.Popen(
            [sys.executable, "-c", ENTERED, *map(str, words), str(writing)], cwd=tmp_path, env=environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            pass_fds=[writing], preexec_fn=ordinary_signals,  # noqa: PLW1509 - no lock is held
        ) as process:  # fmt: skip
            os.close(writing)
            assert os.read(reading, 1) == b"!"
            os.close(reading)
            time.sleep(delay / 1000)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        if process.returncode == 130:
            assert err.endswith("\n")
            assert err.splitlines()[-1].startswith("interrupted")
            interrupted += 1
        else:
            assert process.returncode in (0, -signal.SIGINT), err
    assert interrupted


UNHEARD = """
import os, signal, sys

class Finished:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

import zbatch.cli.schema as schema
said = schema.command.callback
def callback(**words):
    Finished()
    said(**words)
schema.command.callback = callback
from zbatch.__main__ import main
sys.argv[1:] = ["schema"]
main()
"""


def test_ctrl_c_that_comes_where_python_would_forget_it_is_heard(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", UNHEARD], cwd=tmp_path, env=environment(), capture_output=True, text=True,
        check=False, timeout=60, preexec_fn=ordinary_signals,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
