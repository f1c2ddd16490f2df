"""`zbatch verify` as a command: words, JSON, exit codes."""

import json
import os
import shutil

import pytest
from support.command import counts, wait_until, zbatch, zbatch_started
from support.runs import write_manifest


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


def test_several_at_once_end_with_the_worst(folder, tmp_path):
    run = shutil.copytree(folder / "runs/trial-preview", tmp_path / "run")
    os.truncate(files(run)[0], 10)
    said = zbatch("verify", "trial.yaml", run, "--json", cwd=folder)
    assert said.returncode == 1
    assert [json.loads(line)["whole"] for line in said.stdout.splitlines()] == [6, 5]


@pytest.mark.parametrize(
    ("named", "code", "word"),
    [("nothing-there", 2, "is not a run directory"), (".", 2, "neither a run directory nor an export")],
)
def test_what_is_neither_run_nor_export(tmp_path, named, code, word):
    said = zbatch("verify", named, cwd=tmp_path)
    assert (said.returncode, said.stdout) == (code, "")
    assert word in said.stderr


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
