"""Keys and tokens that ended up in a manifest: found before they end up in a repository, a log or a sheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from zbatch.manifest.document import Document
from zbatch.manifest.findings import Findings, Place
from zbatch.manifest.tables import Table

_HINT: Final = "put the key into the variable ZBATCH_API_KEY, or a file named by --api-key-file"


class _Pattern(NamedTuple):
    """How one kind of secret looks. Each has one of `clues`, in small letters, in it."""

    looks: re.Pattern[str]
    message: str
    clues: tuple[str, ...]


_PATTERNS: Final = (
    _Pattern(
        re.compile(r"\b(sk|rk|pk)[-_][A-Za-z0-9_-]{16,}"),
        "holds what looks like an API key",
        tuple(f"{letter}k{dash}" for letter in "srp" for dash in "-_"),
    ),
    _Pattern(
        re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{12,}"),
        "holds what looks like a bearer token",
        ("bearer",),
    ),
    _Pattern(
        re.compile(r"\bhf_[A-Za-z0-9]{20,}"),
        "holds what looks like a Hugging Face token",
        ("hf_",),
    ),
    _Pattern(
        re.compile(r"(?i)^https?://[^/?#\s]*@"),
        "is a URL with a name or password in it",
        ("@",),
    ),
    _Pattern(
        re.compile(
            r"(?i)^https?://\S*[?&](token|access_token|api_?key|auth|x-amz-signature|signature|sig)=[^&\s]"
        ),
        "is a URL with a token or signature in it",
        ("token=", "key=", "auth=", "signature=", "sig="),
    ),
)
Patterns = tuple[_Pattern, ...]

_NAMES: Final = re.compile(
    r"(?i)^(api[-_]?)?(key|token|secret|authori[sz]ation|bearer|password|credentials?)$|api[-_]?key"
)


def names_a_secret(name: str) -> bool:
    """Tell whether a key of a manifest is called as if a secret stood there."""
    return _NAMES.search(name) is not None


def possible_secrets(data: bytes, *, escapes: Iterable[bytes]) -> Patterns:
    """Tell at once which secrets a whole file may hold: each value by itself takes several searches.

    `escapes` are what its format may hide a character behind.
    """
    if any(escape in data for escape in escapes):
        return _PATTERNS
    small = data.lower()
    return tuple(pattern for pattern in _PATTERNS if any(clue.encode() in small for clue in pattern.clues))


def find_secrets(document: Document, findings: Findings) -> None:
    """Look at every text of a document; what looks like a key is an error that does not repeat it."""
    patterns = possible_secrets(document.sources[0].data, escapes=(b"\\",))
    for place, what in _secrets(document.data, (), patterns) if patterns else ():
        if len(place) == 1 and names_a_secret(str(place[0])):
            continue  # an unknown key, and said to be one
        findings.error(place, what, hint=_HINT)


def find_secrets_in_table(table: Table, patterns: Patterns, findings: Findings) -> None:
    """Look at every text of a data file, in the columns that nobody asks for too."""
    if not patterns:
        return
    columns: Iterable[tuple[Place, list[Any]]] = [((name,), held) for name, held in table.columns.items()]
    for place, held in columns if table.columns else [((), table.values)]:
        for number, value in enumerate(held):
            for where, what in _secrets(value, place, patterns):
                findings.at(table.marks[number], where, what, hint=_HINT)


def _secrets(value: Any, place: Place, patterns: Patterns) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        for pattern in patterns:
            if pattern.looks.search(value):
                yield place, pattern.message
                return
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _secrets(item, (*place, key), patterns)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _secrets(item, (*place, number), patterns)
