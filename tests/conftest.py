"""What every test gets: no settings and no trust of the person who runs it."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _nobody_in_particular(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state-home"))
    for name in ("ZBATCH_API_KEY", "ZBATCH_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
