"""`zbatch verify` as a command: words, JSON, exit codes."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import counts, environment, wait_until, zbatch, zbatch_started
from support.misbehaving import MisbehavingServer
from support.runs import finish, order_for, write_manifest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify-cli")
    write_manifest(folder, 6, more="price: 0.01")
    done = zbatch("run", "trial.yaml", "--no-report", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def files(run):
    return sorted((run / "images").iterdir())


def test_a_run_by_directory_and_by_manifest(folder):
    for named in ("trial.yaml", "runs/trial-preview"):
        said = zbatch("verify", named, cwd=folder)
        assert (said.returncode, said.stderr) == (0, "")
        assert "6 pictures are as they were written down" in said.stdout


def test_a_difference_is_named_mended_and_made_again(folder, tmp_path):
    run = shutil.copytree(folder / "runs/trial-preview", tmp_path / "run")
    changed, gone = files(run)[:2]
    data = bytearray(changed.read_bytes())
    data[-20] ^= 255
    changed.write_bytes(data)
    gone.unlink()
    said = zbatch("verify", run, cwd=folder)
    assert said.returncode == 1
    assert "4 of 6 pictures are whole" in said.stdout
    for name in (changed.name, gone.name):
        assert f"images/{name}" in said.stdout
    assert "--mend" in said.stdout
    assert "2 pictures again, for nothing" in said.stdout
    told = zbatch("verify", run, "--json", "--mend", cwd=folder)
    shape = json.loads(told.stdout)
    assert told.returncode == 1
    assert shape["counts"]["changed"] == shape["counts"]["missing"] == 1
    assert shape["mended"]["set_aside"] == [f"images/{changed.name}"]
    assert zbatch("run", "trial.yaml", "-o", run, "--no-report", cwd=folder).returncode == 0
    assert zbatch("verify", run, cwd=folder).returncode == 0


def test_the_advice_goes_on_with_the_run_where_it_lies(folder, tmp_path):
    moved = shutil.copytree(folder / "runs/trial-preview", tmp_path / "moved run")
    for run, command in (
        (moved, f"zbatch run trial.yaml -o '{moved}'  (makes 1 picture again"),
        (folder / "runs/trial-preview", "zbatch run trial.yaml  (makes 1 picture again"),
    ):
        data = files(run)[0].read_bytes()
        files(run)[0].write_bytes(data[:-9])
        said = zbatch("verify", run, cwd=folder)
        files(run)[0].write_bytes(data)
        assert said.returncode == 1
        assert f"then {command}" in said.stdout


def test_links_are_spoken_of_only_where_there_are_some(folder, tmp_path):
    run = shutil.copytree(folder / "runs/trial-preview", tmp_path / "run")
    for name, options in (("linked", []), ("copied", ["--copy"])):
        done = zbatch("export", run, "-o", name, "--format", "imagefolder", *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for name, links in (("copied", False), ("linked", True)):
        image = next((tmp_path / name / "train").glob("*.webp"))
        os.truncate(image, 30)
        said = zbatch("verify", name, cwd=tmp_path)
        assert said.returncode == 1
        assert ("hard links" in said.stdout) is links
        assert "move this away and give the `zbatch export` command again" in said.stdout


def test_ctrl_c_says_how_far_it_came_and_that_nothing_was_changed(tmp_path):
    place = tmp_path / "out"
    place.mkdir()
    (place / "0").touch()
    os.truncate(place / "0", 8_000_000)
    lines = []
    for number in range(4_000):
        if number:
            os.link(place / "0", place / str(number))
        lines.append(f"{'0' * 64}  {number}\n")
    (place / "checksums.sha256").write_text("".join(lines))

    def opened(process):
        for name in Path(f"/proc/{process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if name.readlink().parent == place and name.readlink().name.isdecimal():
                    return True
        return False

    with zbatch_started("verify", "out", cwd=tmp_path) as process:
        wait_until(lambda: opened(process), process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert re.fullmatch(
        r"interrupted: [\d,]+ of 4,000 files of out were looked at; nothing in it was changed\n", err
    )


def test_several_at_once_end_with_the_worst(folder, tmp_path):
    run = shutil.copytree(folder / "runs/trial-preview", tmp_path / "run")
    os.truncate(files(run)[0], 10)
    said = zbatch("verify", "trial.yaml", run, "--json", cwd=folder)
    assert said.returncode == 1
    assert [json.loads(line)["whole"] for line in said.stdout.splitlines()] == [6, 5]


@pytest.mark.parametrize(
    ("named", "code", "word"),
    [("nothing-there", 2, "nothing-there does not exist"), (".", 2, "neither a run directory nor an export")],
)
def test_what_is_neither_run_nor_export(tmp_path, named, code, word):
    said = zbatch("verify", named, cwd=tmp_path)
    assert (said.returncode, said.stdout) == (code, "")
    assert word in said.stderr


def test_what_is_not_there_is_told_before_anything_is_looked_at(folder, tmp_path):
    run = shutil.copytree(folder / "runs/trial-preview", tmp_path / "run")
    said = zbatch("verify", run, "nowhere", cwd=tmp_path)
    assert (said.returncode, said.stdout) == (2, "")
    assert "nowhere does not exist" in said.stderr


def test_a_damaged_state_is_trouble_with_the_surroundings(folder, tmp_path):
    run = shutil.copytree(folder / "runs/trial-preview", tmp_path / "run")
    (run / "state.sqlite3").write_bytes(b"garbage" * 1000)
    said = zbatch("verify", run, cwd=tmp_path)
    assert said.returncode == 4
    assert "damaged" in said.stderr


def test_a_run_that_goes_on_is_verified_as_far_as_it_is(tmp_path):
    write_manifest(tmp_path, 400)
    run = tmp_path / "runs/trial-preview"
    with zbatch_started("run", "trial.yaml", "--no-report", cwd=tmp_path) as process:
        wait_until(lambda: counts(run).get("done", 0) > 20, process)
        said = zbatch("verify", run, "--json", cwd=tmp_path)
        process.terminate()
        process.communicate(timeout=60)
    shape = json.loads(said.stdout)
    assert (said.returncode, shape["differences"], shape["left_over"]) == (0, [], [])
    assert shape["files"] > 20


# ── asking the endpoint again ────────────────────────────────────────────────────────────────────────────


def test_the_built_in_endpoint_is_asked_again_for_nothing(folder, tmp_path):
    run = shutil.copytree(folder / "runs/trial-preview", tmp_path / "run")
    said = zbatch("verify", run, "--reproduce", 3, "--json", cwd=folder)
    assert said.returncode == 0, said.stderr
    shape = json.loads(said.stdout)["reproduced"]
    assert (shape["counts"], shape["attempts"], shape["cost"]) == ({"same_bytes": 3}, 3, 0.0)
    assert all((run / picture["reproduced"]).is_file() for picture in shape["pictures"])
    assert "asks preview again for 3 of 6 done pictures" in said.stderr
    assert zbatch("status", shape["directory"], cwd=folder).returncode == 0


@pytest.fixture
def priced(tmp_path):
    with MisbehavingServer(latency=0) as server:
        path = write_manifest(tmp_path, 5, more="price: 0.01")
        finish(order_for(path, server.url))
        yield server, tmp_path / "run"


def test_what_costs_money_is_asked_for_only_where_somebody_agrees(priced, tmp_path):
    server, run = priced
    said = zbatch("verify", run, "--reproduce", 2, cwd=tmp_path)
    assert (said.returncode, said.stdout) == (2, "")
    assert "2 submits, 0.02 USD at 0.01 an image" in said.stderr
    assert "--yes" in said.stderr
    assert "nothing was sent and nothing recorded" in said.stderr
    assert "recorded in" not in said.stderr
    assert not (run / "reproduced").exists()
    assert len(server.ledger.accepted) == 5
    for answer, code, paid in (("n", 0, 5), ("y", 0, 7)):
        assert on_a_terminal(answer, "verify", run, "--reproduce", 2, cwd=tmp_path) == code
        assert len(server.ledger.accepted) == paid
    said = zbatch("verify", run, "--reproduce", 2, "--yes", cwd=tmp_path)
    assert said.returncode == 0
    assert "the same bytes: 2" in said.stdout
    assert len(server.ledger.accepted) == 9
    assert len(list((run / "reproduced").glob("*.yaml"))) == 2


def on_a_terminal(answer, *arguments, cwd):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "zbatch", *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=cwd, env=environment(), stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(ours, 1000)
        os.write(ours, f"{answer}\n".encode())
        with contextlib.suppress(OSError):  # how a terminal ends
            while os.read(ours, 1000):
                pass
        code = process.wait(60)
    os.close(ours)
    return code


def test_an_endpoint_that_cannot_be_reached_is_trouble_and_the_same_command_goes_on(priced, tmp_path):
    server, run = priced
    server.change({"faults": {"submit": ["402"]}})
    said = zbatch("verify", run, "--reproduce", 2, "--yes", "-j", 1, cwd=tmp_path)
    assert said.returncode == 4
    assert "5 pictures are as they were written down" in said.stdout
    assert "top up the account" in said.stderr
    said = zbatch("verify", run, "--reproduce", 2, "--yes", cwd=tmp_path)
    assert said.returncode == 0
    assert "goes on with" in said.stderr
    assert len(list((run / "reproduced").glob("*.yaml"))) == 1
    assert len(server.ledger.accepted) == 7


def test_one_run_is_asked_again_and_nothing_else(folder):
    for places in (["trial.yaml", "trial.yaml"], ["."]):
        said = zbatch("verify", *places, "--reproduce", 1, cwd=folder)
        assert said.returncode == 2
        assert "--reproduce takes one run" in said.stderr


def test_an_export_is_not_asked_again_but_the_run_it_came_from(folder, tmp_path):
    done = zbatch("export", "trial.yaml", "--format", "csv", "-o", tmp_path / "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    said = zbatch("verify", "out", "--reproduce", 2, cwd=tmp_path)
    assert (said.returncode, said.stdout) == (2, "")
    assert "out is an export, which cannot be made again by itself" in said.stderr
    assert "hint: zbatch verify RUN --reproduce 2, with RUN the run directory trial" in said.stderr
    assert "(of trial.yaml), or its manifest" in said.stderr
    (tmp_path / "out" / "export.json").write_text("[]")
    said = zbatch("verify", "out", "--reproduce", 2, cwd=tmp_path)
    assert (said.returncode, said.stdout) == (2, "")
    assert "with RUN the run directory: export.json names it" in said.stderr


def test_a_loss_stays_one_until_it_is_made_good_also_where_max_cost_is_spent(tmp_path):
    (tmp_path / "mc.yaml").write_text(
        "version: 1\nname: mc\nrequest: {prompt: a red fox, size: 256*256}\n"
        "matrix: {seed: {from: 1, count: 3}}\nprice: 0.01\nlimits: {max_cost: 0.03}\n"
    )
    assert zbatch("run", "mc.yaml", cwd=tmp_path).returncode == 0
    min((tmp_path / "runs" / "mc-preview" / "images").iterdir()).unlink()
    told = zbatch("verify", "mc.yaml", cwd=tmp_path)
    assert told.returncode == 1
    assert "zbatch run mc.yaml --max-cost 0.04  (makes 1 picture again" in told.stdout
    refused = zbatch("run", "mc.yaml", cwd=tmp_path)
    assert refused.returncode == 1
    assert (
        "max_cost is reached: no more submits; to go on: zbatch run mc.yaml --max-cost 0.04" in refused.stderr
    )
    still = zbatch("verify", "mc.yaml", cwd=tmp_path)
    assert still.returncode == 1
    assert "its job is unknown since" in still.stdout
    assert "zbatch run mc.yaml --max-cost 0.04" in zbatch("status", "mc.yaml", cwd=tmp_path).stdout
    assert zbatch("run", "mc.yaml", "--max-cost", "0.04", cwd=tmp_path).returncode == 0
    assert zbatch("verify", "mc.yaml", cwd=tmp_path).returncode == 0
