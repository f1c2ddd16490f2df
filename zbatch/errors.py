"""The exception tree, split by what the person can do about it.

ZbatchError
├── UsageError                 what was asked cannot be done: mend the command (exit 2)
│   └── ManifestError          the manifest is wrong: mend the lines it lists (exit 2)
└── SurroundingsError          zbatch is right and its surroundings are not (exit 4)
    ├── EndpointError          the endpoint cannot be used: refused, wrong kind, untrusted, no key
    ├── AccountError           the endpoint refuses the account: key, permission, balance
    ├── DiskError              a file could not be read or written; says which and what is safe
    │   └── StorageError       so could not an object in a store; with the store's words
    ├── RunBusyError           another process owns the run directory
    └── StateError             the state file is newer than this zbatch, or damaged

A failed job is data, not an exception. What the API may answer to one call has its own small tree in
`zbatch.api.errors`. Anything outside these trees that reaches a user is a bug of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a person should know about a manifest, with the place to look.

    `line` and `column` count from 1. `path` is the dotted place inside the document
    (`matrix.lora.scale[2]`); empty where the whole file is meant.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        """Render as `file:line:column: where: what`, with the hint on a line of its own."""
        where = f"{self.path}: " if self.path else ""
        label = "warning: " if self.severity == "warning" else ""
        text = f"{self.file}:{self.line}:{self.column}: {label}{where}{self.message}"
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class ZbatchError(Exception):
    """Whatever zbatch raises on purpose. `hint` says what to do next, where there is something."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Give the message, with the hint on a line of its own."""
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class UsageError(ZbatchError):
    """What was asked cannot be done as asked."""


class ManifestError(UsageError):
    """The manifest, or what it renders to, is wrong. Holds every problem found, not just the first."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class SurroundingsError(ZbatchError):
    """Something outside zbatch and outside the manifest is in the way."""


class EndpointError(SurroundingsError):
    """The endpoint cannot be used."""


class AccountError(SurroundingsError):
    """The endpoint refuses the account; the message is the server's own."""


class DiskError(SurroundingsError):
    """A file could not be read or written."""


class StorageError(DiskError):
    """An object store cannot be used, or refused; the message has its words."""


class RunBusyError(SurroundingsError):
    """Another process owns the run directory, or the directory of a server."""


class StateError(SurroundingsError):
    """The state of a run cannot be used by this version of zbatch."""
