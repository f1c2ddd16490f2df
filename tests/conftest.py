"""What every test gets: no settings and no trust of the person who runs it."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _nobody_in_particular(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state-home"))
    for name in list(os.environ):
        if name in ("ZBATCH_API_KEY", "ZBATCH_ENDPOINT") or name.startswith(("AWS_", "AZURE_", "GOOGLE_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def s3():
    """An S3 in a process of its own, once for all tests."""
    from support.object_store import object_store

    with object_store() as store:
        yield store
