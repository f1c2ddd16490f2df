"""Keys and tokens that ended up in a manifest: found before they end up in a repository, a log or a sheet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from zbatch.manifest.document import Document
from zbatch.manifest.findings import Findings, Mark, Place

_HINT: Final = "put the key into the variable ZBATCH_API_KEY, or a file named by --api-key-file"
_PATTERNS: Final = (
    (re.compile(r"\b(sk|rk|pk)[-_][A-Za-z0-9_-]{16,}"), "holds what looks like an API key"),
    (re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{12,}"), "holds what looks like a bearer token"),
    (re.compile(r"\bhf_[A-Za-z0-9]{20,}"), "holds what looks like a Hugging Face token"),
    (re.compile(r"(?i)^https?://[^/?#\s]*@"), "is a URL with a name or password in it"),
    (
        re.compile(
            r"(?i)^https?://\S*[?&](token|access_token|api_?key|auth|x-amz-signature|signature|sig)=[^&\s]"
        ),
        "is a URL with a token or signature in it",
    ),
)

_SUSPICIOUS: Final = (
    *(f"{letter}k{dash}" for letter in "srp" for dash in "-_"),
    *("bearer", "hf_", "@", "token=", "key=", "auth=", "signature=", "sig="),
    *("\\u", "\\x"),
)
"""What every secret above has one of in it, in small letters, or else the escapes of JSON and YAML."""

_NAMES: Final = re.compile(
    r"(?i)^(api[-_]?)?(key|token|secret|authori[sz]ation|bearer|password|credentials?)$|api[-_]?key"
)


def names_a_secret(name: str) -> bool:
    """Tell whether a key of a manifest is called as if a secret stood there."""
    return _NAMES.search(name) is not None


def find_secrets(document: Document, findings: Findings) -> None:
    """Look at every text of a document; what looks like a key is an error that does not repeat it."""
    for place, text in _texts(document.data, ()):
        if len(place) == 1 and names_a_secret(str(place[0])):
            continue  # an unknown key, and said to be one
        what = _secret_in(text)
        if what is not None:
            findings.error(place, what, hint=_HINT)


def find_secrets_in_row(value: Any, mark: Mark, findings: Findings) -> None:
    """Look at every text of a row of a data file, in the columns that nobody asks for too."""
    for place, text in _texts(value, ()):
        what = _secret_in(text)
        if what is not None:
            findings.at(mark, place, what, hint=_HINT)


def may_hold_secrets(text: str) -> bool:
    """Tell at once whether a whole file may hold any: each value by itself takes several searches."""
    small = text.lower()
    return any(part in small for part in _SUSPICIOUS)


def _secret_in(text: str) -> str | None:
    return next((what for pattern, what in _PATTERNS if pattern.search(text)), None)


def _texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*place, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*place, number))
