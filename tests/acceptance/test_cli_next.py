"""What `zbatch status` and a run that stopped offer to do next, typed as they offer it."""

import contextlib
import json
import shlex

import pytest
from support.command import counts, wait_until, zbatch, zbatch_started
from support.misbehaving import MisbehavingServer
from support.runs import finish, order_for, write_manifest

from zbatch.state.again import Again
from zbatch.state.store import Store


@pytest.fixture
def server():
    with MisbehavingServer(latency=0) as server:
        yield server


def offered(tmp_path, where="run"):
    """The lines below `next:`: for each the words to type, and what is said of it."""
    done = zbatch("status", where, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    _, _, lines = done.stdout.partition("next:\n")
    pairs = [line.strip().partition("  (") for line in lines.splitlines()]
    return [(shlex.split(command), said.removesuffix(")")) for command, _, said in pairs]


def typed(tmp_path, words, **variables):
    assert words[0] == "zbatch"
    return zbatch(*words[1:], cwd=tmp_path, **variables)


def test_the_command_that_goes_on_is_bounded_as_the_first_one_was(tmp_path, server):
    write_manifest(tmp_path, 10, more="price: 0.01")
    (tmp_path / "my key").write_text("sk-1")
    flags = [
        "--endpoint", server.url, "-o", "run", "--max-cost", "0.03", "--first", "8", "--rate", "600/min",
        "-j", "3", "--api-key-file", "my key", "--only", "seed=1,2,3,4,5,6,7,8", "--only", "seed=2,3,4,5,6,7",
    ]  # fmt: skip
    assert zbatch("run", "trial.yaml", *flags, "--retry", "failed", cwd=tmp_path).returncode == 1
    (words, _), *_ = offered(tmp_path)
    assert words[:3] == ["zbatch", "run", "trial.yaml"]
    again = dict(zip(words[3::2], words[4::2], strict=True))
    assert again.pop("--max-cost") == "0.06"  # raised: it stopped at 0.03
    assert again == {
        "--endpoint": server.url, "-o": "run", "--first": "8", "--rate": "600/min", "-j": "3",
        "--api-key-file": "my key", "--only": "seed=2,3,4,5,6,7",
    }  # fmt: skip
    assert words.count("--only") == 2
    assert len(server.ledger.accepted) == 3
    assert typed(tmp_path, words).returncode == 0
    assert len(server.ledger.accepted) == 6


@pytest.mark.parametrize("given", ["flag", "manifest"])
def test_a_cap_that_stopped_a_run_is_raised_to_what_is_left(tmp_path, server, given):
    limits, flags = ("max_cost: 0.04", []) if given == "manifest" else ("", ["--max-cost", "0.04"])
    write_manifest(tmp_path, 10, limits, "price: 0.01")
    command = ["run", "trial.yaml", "-o", "run", "--endpoint", server.url, *flags]
    stopped = zbatch(*command, cwd=tmp_path)
    assert stopped.returncode == 1
    ((words, said),) = offered(tmp_path)
    assert said == "raises the cap to what all 10 jobs cost"
    assert words[-2:] == ["--max-cost", "0.10"]
    assert f"to go on: {shlex.join(words)}  ({said})" in stopped.stderr
    assert "max_cost of 0.04 USD is reached" in zbatch("status", "run", cwd=tmp_path).stdout
    assert typed(tmp_path, words).returncode == 0
    assert len(server.ledger.accepted) == 10
    assert offered(tmp_path) == []
    assert "max_cost" not in zbatch("status", "run", cwd=tmp_path).stdout


def test_the_cap_of_a_selection_is_raised_for_the_selection_and_what_is_failed_is_retried_under_it(
    tmp_path, server
):
    write_manifest(tmp_path, 6, "concurrency: 1, attempts: 1", "price: 0.01")
    server.change({"faults": {"result": ["failed"]}})
    command = ["run", "trial.yaml", "-o", "run", "--endpoint", server.url, "--max-cost", "0.02"]
    stopped = zbatch(*command, "--first", "3", cwd=tmp_path)
    assert "--max-cost 0.03 " in stopped.stderr
    assert "raises the cap to what the 1 job left bring it to" in stopped.stderr
    (some, _), (everything, said), (retry, _) = offered(tmp_path)
    assert "--first" in some
    assert "--first" not in everything
    assert everything[-2:] == ["--max-cost", "0.06"]
    assert said == "all jobs, not only a selection"
    assert retry[-4:] == ["--max-cost", "0.07", "--retry", "failed"]


def test_a_selection_that_is_done_is_not_offered_again(tmp_path, server):
    write_manifest(tmp_path, 4)
    command = ["run", "trial.yaml", "-o", "run", "--endpoint", server.url]
    assert zbatch(*command, "--first", "2", cwd=tmp_path).returncode == 0
    ((words, said),) = offered(tmp_path)
    assert said == "all jobs, not only a selection"
    assert typed(tmp_path, words).returncode == 0
    assert counts(tmp_path / "run") == {"done": 4}
    assert offered(tmp_path) == []


def test_what_can_be_fetched_for_nothing_is_never_offered_to_be_paid_again(tmp_path, server):
    server.change({"faults": {"image": ["404*"]}})
    order = order_for(write_manifest(tmp_path, 2), server.url)
    finish(order)
    (plain, said), (retry, warned) = offered(tmp_path)
    assert said == "asks again, costs nothing"
    assert "--retry" not in plain
    assert retry[-2:] == ["--retry", "submitted"]
    assert "only where asking again does not help" in warned
    assert "pays again" in warned
    with contextlib.closing(Store(order.directory / "state.sqlite3")) as store, store.transaction():
        for task in store.open_tasks():
            store.note(task.id, "not_saved", "its picture could not be saved")
    ((plain, said),) = offered(tmp_path)
    assert said == "asks again, costs nothing"
    server.change({"faults": {}})
    assert typed(tmp_path, plain).returncode == 0
    assert len(server.ledger.accepted) == 2


def test_while_a_run_goes_on_its_process_is_named_and_nothing_is_offered(tmp_path, server):
    server.latency = 60
    write_manifest(tmp_path, 3, "concurrency: 1")
    command = ["run", "trial.yaml", "-o", "run", "--endpoint", server.url]
    with zbatch_started(*command, cwd=tmp_path) as process:
        wait_until(lambda: counts(tmp_path / "run").get("submitted"), process)
        said = zbatch("status", "run", cwd=tmp_path).stdout
        assert f"a run is going on (process {process.pid})" in said
        assert "next:" not in said
        running = json.loads(zbatch("status", "run", "--json", cwd=tmp_path).stdout)["running"]
        assert running == process.pid
        process.kill()  # it leaves its name in the lock file
        process.wait(10)
        assert json.loads(zbatch("status", "run", "--json", cwd=tmp_path).stdout)["running"] is None
        assert [words[:2] for words, _ in offered(tmp_path)] == [["zbatch", "run"]]


def test_the_words_are_read_as_they_were_written():
    text = "zbatch run 'my fox.yaml' -o 'a b' --only 'x=it'\"'\"'s' --allow-outside --max-cost 1 --first 2"
    again = Again.read(text)
    assert str(again) == text
    assert again.selects
    assert str(again.everything()) == "zbatch run 'my fox.yaml' -o 'a b' --allow-outside --max-cost 1"
    assert str(again.everything().up_to(2)).endswith("--allow-outside --max-cost 2")
    assert not again.everything().selects
    assert str(Again.read(None)) == "zbatch run MANIFEST"


def test_status_tells_of_pictures_that_are_gone_and_the_next_run_fetches_them(tmp_path, server):
    write_manifest(tmp_path, 4)
    flags = ["--endpoint", server.url, "-o", "run"]
    assert zbatch("run", "trial.yaml", *flags, cwd=tmp_path).returncode == 0
    next((tmp_path / "run" / "images").iterdir()).unlink()
    told = zbatch("status", "run", cwd=tmp_path).stdout
    assert "pictures of 1 done job are gone: the next run asks for them, for nothing" in told
    assert json.loads(zbatch("status", "run", "--json", cwd=tmp_path).stdout)["gone"] == 1
    assert zbatch("run", "trial.yaml", *flags, cwd=tmp_path).returncode == 0
    assert json.loads(zbatch("status", "run", "--json", cwd=tmp_path).stdout)["gone"] == 0
    assert len(server.ledger.accepted) == 4


def test_status_tells_of_what_was_edited_since(tmp_path, server):
    write_manifest(tmp_path, 3)
    assert zbatch("run", "trial.yaml", "--endpoint", server.url, cwd=tmp_path).returncode == 0
    [run] = (tmp_path / "runs").iterdir()
    assert "edited" not in zbatch("status", run, cwd=tmp_path).stdout
    with (tmp_path / "trial.yaml").open("a") as stream:
        stream.write("# another word\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "trial.yaml").write_text("another one of that name\n")
    for place in (tmp_path, elsewhere):
        assert "edited since: trial.yaml" in zbatch("status", run, cwd=place).stdout
    assert json.loads(zbatch("status", run, "--json", cwd=tmp_path).stdout)["edited"] == ["trial.yaml"]
    assert zbatch("run", "trial.yaml", "--endpoint", server.url, cwd=tmp_path).returncode == 0
    assert "edited" not in zbatch("status", run, cwd=tmp_path).stdout
    (tmp_path / "trial.yaml").unlink()
    assert "edited" not in zbatch("status", run, cwd=tmp_path).stdout
