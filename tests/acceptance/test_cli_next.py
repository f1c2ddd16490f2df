"""What `zbatch status` and a run that stopped offer to do next, typed as they offer it."""

import shlex

import pytest
from support.command import zbatch
from support.misbehaving import MisbehavingServer
from support.runs import write_manifest

from zbatch.state.again import Again


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
    assert again == {
        "--max-cost": "0.03",
        "--endpoint": server.url, "-o": "run", "--first": "8", "--rate": "600/min", "-j": "3",
        "--api-key-file": "my key", "--only": "seed=2,3,4,5,6,7",
    }  # fmt: skip
    assert words.count("--only") == 2
    assert len(server.ledger.accepted) == 3
    typed(tmp_path, words)
    assert len(server.ledger.accepted) == 3


def test_the_words_are_read_as_they_were_written():
    text = "zbatch run 'my fox.yaml' -o 'a b' --only 'x=it'\"'\"'s' --allow-outside --max-cost 1 --first 2"
    again = Again.read(text)
    assert str(again) == text
    assert again.selects
    assert str(again.everything()) == "zbatch run 'my fox.yaml' -o 'a b' --allow-outside --max-cost 1"
    assert str(again.everything().up_to(2)).endswith("--allow-outside --max-cost 2")
    assert not again.everything().selects
    assert str(Again.read(None)) == "zbatch run MANIFEST"
