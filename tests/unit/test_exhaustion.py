"""Memory that runs out is told from bugs, however it shows."""

import errno
import subprocess
import sys

import pytest

from zbatch.errors import UsageError
from zbatch.exhaustion import exhausted
from zbatch.exports.crew import Hand


def raised(error, *, cause=None):
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def without_room():
    try:
        bytearray(1 << 60)
    except MemoryError as error:
        return error


def while_handled(error):
    try:
        try:
            raise without_room()
        except MemoryError:
            raise error  # noqa: B904 - as where handling it fails
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    "error",
    [
        without_room(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
        ImportError("orjson.so: failed to map segment from shared object"),
        ImportError("libz.so: cannot allocate memory in static TLS block"),
        ExceptionGroup("of tasks", [ValueError(), ExceptionGroup("inside", [without_room()])]),
        raised(UsageError("a library is needed"), cause=ImportError("failed to map segment")),
        while_handled(ValueError("in the midst of it")),
    ],
)
def test_memory_that_ran_out_is_known(error):
    assert exhausted(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("memory"),
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("cannot schedule new futures"),
        ImportError("No module named 'pyarrow'"),
        ExceptionGroup("of tasks", [ValueError()]),
        raised(UsageError("wrong"), cause=KeyError("x")),
    ],
)
def test_nothing_else_is_taken_for_it(error):
    assert not exhausted(error)


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone")
def test_source_that_seems_wrong_where_memory_is_limited_is_short_of_it():
    code = (
        "import resource\nfrom zbatch.exhaustion import exhausted\nprint(exhausted(SyntaxError()))\n"
        "most = resource.getrlimit(resource.RLIMIT_AS)[1]\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 40, most))\n"
        "print(exhausted(SyntaxError()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_chain_that_bites_its_tail_ends():
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    assert not exhausted(one)


def test_a_helper_process_without_memory_says_nothing_and_is_told_of(capfd):
    hand = Hand("support.greedy", "is greedy")
    assert hand.answers.read() == b""
    error = hand.ended()
    hand.close()
    assert error.message == "memory ran out in a helper process that is greedy"
    assert "give the command again, with more memory" in error.hint
    assert capfd.readouterr().err == ""
