"""Holding a directory against its checksum file, in the format of `sha256sum`."""

import hashlib
import shutil
import subprocess

import pytest
from support.sample_run import Sample, write_sample

from zbatch.errors import DiskError, UsageError
from zbatch.exports.about import ABOUT
from zbatch.exports.checksums import CHECKSUMS
from zbatch.exports.export_check import is_export, listed_bytes, verify_export
from zbatch.exports.run_check import verify_run
from zbatch.exports.verification import Problem

FILES = {
    "train/a.webp": b"one",
    "train/übung 2.webp": b"two",
    "odd\nname.txt": b"three",
    "back\\slash.txt": b"four",
    " leading.txt": b"",
}


@pytest.fixture
def export(tmp_path):
    lines = []
    for name, data in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
        lead = "\\" if escaped != name else ""
        lines.append(f"{lead}{hashlib.sha256(data).hexdigest()}  {escaped}\n")
    (tmp_path / CHECKSUMS).write_text("".join(lines), "utf-8")
    return tmp_path


def test_a_whole_one_has_no_differences(export):
    assert is_export(export)
    result = verify_export(export)
    assert (result.files, result.whole, result.differs) == (len(FILES), len(FILES), False)
    assert not result.left_over
    assert listed_bytes(export) == (len(FILES), sum(map(len, FILES.values())))


def test_each_function_says_of_what_the_other_is_for_that_it_is(export, tmp_path):
    with pytest.raises(UsageError, match="is an export and no run directory") as caught:
        verify_run(export)
    assert caught.value.hint == f"zbatch.verify_export({str(export)!r})"
    run = write_sample(tmp_path / "run", Sample(subjects=("fox",), seeds=1, troubles=False))
    with pytest.raises(UsageError, match="is a run directory and no export") as caught:
        verify_export(run)
    assert caught.value.hint == f"zbatch.verify_run({str(run)!r})"
    for nothing in (tmp_path / "train", tmp_path / "gone"):
        with pytest.raises(UsageError, match=r"is no run directory: it has no state\.sqlite3"):
            verify_run(nothing)
    with pytest.raises(UsageError, match="is no run directory"):
        verify_run("s3://bucket/runs/fox")


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils")
def test_the_format_is_that_of_sha256sum(export):
    said = subprocess.run(
        ["sha256sum", "-c", "--strict", CHECKSUMS], cwd=export, capture_output=True, check=False
    )
    assert said.returncode == 0, said
    names = [name for name in FILES if name != "train/a.webp"] + ["train/a.webp"]
    made = subprocess.run(["sha256sum", "-b", *names], cwd=export, capture_output=True, check=True)
    (export / CHECKSUMS).write_bytes(made.stdout)
    assert verify_export(export).whole == len(FILES)


def test_differences_and_leftovers(export):
    (export / "train/a.webp").write_bytes(b"ONE")
    (export / "train/übung 2.webp").unlink()
    (export / "mine.txt").write_text("note")
    result = verify_export(export)
    assert {one.file: one.problem for one in result.differences} == {
        "train/a.webp": Problem.CHANGED,
        "train/übung 2.webp": Problem.MISSING,
    }
    assert [(one.file, one.length) for one in result.left_over] == [("mine.txt", 4)]


@pytest.mark.parametrize(
    "line", ["no checksum", "0" * 63 + "  a", "0" * 64 + "  ../a", "0" * 64 + "  /etc/passwd"]
)
def test_a_line_that_is_none_or_leads_out_is_a_difference_and_nothing_is_read(export, line):
    with (export / CHECKSUMS).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    result = verify_export(export)
    assert result.whole == len(FILES)
    (bad,) = result.differences
    assert (bad.problem, bad.file) == (Problem.UNLISTED, f"{CHECKSUMS}:{len(FILES) + 1}")
    assert result.differs


def test_a_checksum_file_that_was_cut_off_is_a_difference(export):
    about = export / ABOUT
    about.write_text("{}")
    result = verify_export(export)
    assert [(one.problem, one.file) for one in result.differences] == [(Problem.UNLISTED, CHECKSUMS)]
    with (export / CHECKSUMS).open("a", encoding="utf-8") as stream:
        stream.write(f"{hashlib.sha256(b'{}').hexdigest()}  {ABOUT}\n")
    assert not verify_export(export).differs


def test_a_checksum_file_that_goes_away_is_trouble_with_the_disk(export):
    (export / CHECKSUMS).unlink()
    assert not is_export(export)
    with pytest.raises(DiskError, match=CHECKSUMS):
        verify_export(export)
