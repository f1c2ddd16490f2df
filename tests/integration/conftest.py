"""What integration tests share."""

import pytest

from zbatch.cli import run_command_line


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Give the folder in which the tiny model of the engine `diffusers` is built, once."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def zbatch(tmp_path, monkeypatch, capfd):
    """Run a command line in this process, in the test's own folder; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def zbatch(*arguments):
        code = run_command_line([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return int(code), out, err

    return zbatch


@pytest.fixture
def bucket(s3, tmp_path, monkeypatch):
    """Name a fresh bucket that the environment leads to; the test stands in its own folder."""
    monkeypatch.chdir(tmp_path)
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    return s3.new_bucket()


@pytest.fixture
def proxy(s3, bucket, monkeypatch):
    """Have a proxy that misbehaves stand before the object store."""
    from support.object_store import misbehaving

    with misbehaving(s3) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy
