"""The misbehaving server as a process of its own, which outlives a client that is killed.

with MisbehavingProcess("--share", "0.2", "--seed", "7") as server:
    ...run and kill a client against server.url...
    assert not server.ledger.accepted_twice()
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

from support.misbehaving_ledger import Ledger


class MisbehavingProcess:
    """Takes the arguments of `python -m support.misbehaving`. `url` is a loopback one."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.url = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "support.misbehaving", *self._arguments]
        folder = Path(__file__).parent.parent
        self._process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)
        assert self._process.stdout
        self._process.stdout.close()

    @property
    def ledger(self) -> Ledger:
        return ledger_of(self.url)

    def set(self, **attributes: Any) -> None:
        """Change plain attributes of the server while it runs."""
        data = json.dumps(attributes).encode()
        with urllib.request.urlopen(self.url + "/_set", data, timeout=30):
            pass


def ledger_of(url: str) -> Ledger:
    """Ask a server in another process for its ledger."""
    with urllib.request.urlopen(url + "/_ledger", timeout=30) as answer:
        return Ledger.from_json(json.load(answer))
