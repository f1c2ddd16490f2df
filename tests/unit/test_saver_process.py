"""The helper processes that save pictures, real ones, and what their death is to those who wait."""

import asyncio
import os
import resource
import signal
import subprocess
import sys

import pytest
from support.misbehaving_exchange import solid_picture

from zbatch.errors import DiskError, SurroundingsError
from zbatch.runner.savers import SaverPool
from zbatch.state.artifacts import Asked, BadImageError
from zbatch.state.directory import RunDirectory
from zbatch.state.saver import frame

PICTURE = solid_picture("256*256", "webp", 3)


def asked(number=0):
    return Asked(f"{number:064}", f"images/{number}.webp", "webp", 256, 256)


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    return directory


def with_pool(directory, act, processes=1):
    async def main():
        async with asyncio.timeout(30), SaverPool(directory, processes) as pool:
            return await act(pool)

    return asyncio.run(main())


def pids(pool):
    return [helper.process.pid for helper in pool._helpers]  # noqa: SLF001 - who else would know


def gathered(pool, *calls):
    return asyncio.gather(*(pool.save(*call) for call in calls), return_exceptions=True)


def test_many_pictures_through_few_processes_each_with_its_own_answer(directory):
    async def act(pool):
        calls = [(asked(n), PICTURE if n % 3 else b"<html>") for n in range(12)]
        return await gathered(pool, *calls)

    results = with_pool(directory, act, 2)
    for number, result in enumerate(results):
        if number % 3:
            assert result.file == f"images/{number}.webp"
        else:
            assert isinstance(result, BadImageError)
            assert "HTML" in str(result)


def test_a_disk_error_crosses_over_with_its_hint(directory):
    directory.images.rmdir()
    directory.images.write_text("")

    async def act(pool):
        return await gathered(pool, (asked(), PICTURE), (asked(1), b""))

    error, bad = with_pool(directory, act)
    assert isinstance(error, DiskError)
    assert "images is no directory" in error.message
    assert "its task is recorded" in error.hint
    assert isinstance(bad, BadImageError)  # and the helper lives on


def test_a_helper_that_is_killed_is_a_clear_error_to_all_who_wait_for_it(directory):
    async def act(pool):
        await pool.save(asked(), PICTURE)
        for pid in pids(pool):
            os.kill(pid, signal.SIGKILL)
        return await gathered(pool, *((asked(n), PICTURE * 1000) for n in range(1, 8)))

    errors = with_pool(directory, act, 2)
    assert all(isinstance(error, SurroundingsError) for error in errors)
    assert "exit -9" in errors[0].message
    assert "nothing is lost" in errors[0].hint
    assert [path.name for path in directory.images.iterdir()] == ["0.webp"]


def test_a_save_that_is_cancelled_leaves_nobody_with_its_answer(directory):
    async def act(pool):
        saving = asyncio.create_task(pool.save(asked(), PICTURE))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        saving.cancel()
        return await gathered(pool, (asked(1), PICTURE), (asked(2), b"<html>"))

    for result in with_pool(directory, act, 2):
        assert not hasattr(result, "file") or result.file == "images/1.webp"


def test_a_helper_outlives_neither_stdin_nor_half_a_frame(directory):
    command = [sys.executable, "-P", "-m", "zbatch.state.saver", directory.path]
    for data in (b"", frame(asked(), PICTURE)[:-10]):
        done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=30)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(directory.images.iterdir()) == []


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="others are limited on Linux alone")
def test_a_helper_without_memory_is_told_of(directory, capfd):
    async def act(pool):
        (pid,) = pids(pool)
        await pool.save(asked(0), PICTURE)  # by then all of it is loaded
        resource.prlimit(pid, resource.RLIMIT_AS, (1, 1))
        return await gathered(pool, (asked(1), bytes(64 << 20)))

    (error,) = with_pool(directory, act, 1)
    assert error.message == "memory ran out in a helper process that saves pictures"
    assert "nothing is lost" in error.hint
    assert capfd.readouterr().err == ""


def test_a_helper_is_out_of_reach_of_the_terminal_from_its_first_moment(directory):
    async def act(pool):
        return [os.getsid(pid) for pid in pids(pool)], pids(pool)

    sessions, processes = with_pool(directory, act, 2)
    assert sessions == processes
    assert os.getsid(0) not in sessions


def test_helpers_end_with_the_pool(directory):
    async def act(pool):
        return pids(pool)

    for pid in with_pool(directory, act, 2):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
