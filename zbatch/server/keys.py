"""The keys a server accepts: read from a file, hashed in memory, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import TYPE_CHECKING

from zbatch.errors import DiskError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


class KeyRing:
    """A set of accepted API keys, of which only the SHA-256 hashes are kept."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._hashes = tuple({_digest(key) for key in keys})

    def owner(self, key: str) -> str | None:
        """Name the owner of a presented key (a hash, fit for logs), or `None` where it is not accepted.

        Every accepted key is compared, in constant time, so that the time taken tells nothing.
        """
        presented = _digest(key)
        found = None
        for accepted in self._hashes:
            if hmac.compare_digest(presented, accepted):
                found = accepted
        return None if found is None else hashlib.sha256(b"owner" + found).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._hashes)


def read_keys(file: Path | str) -> KeyRing:
    """Read a key file: one key a line, blank lines and lines that start with `#` left out.

    Raises:
        DiskError: where the file cannot be read.
        UsageError: where it is not text, or holds no key.
    """
    path = Path(file)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DiskError(f"cannot read the key file {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the key file {path} is no text") from error
    keys = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not keys:
        raise UsageError(f"the key file {path} holds no key", hint="write one key a line")
    return KeyRing(keys)


def presented_key(authorization: str) -> str:
    """Take the key out of an `Authorization` header: `Bearer KEY` or the naked `KEY` (observed clients)."""
    scheme, _, rest = authorization.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" and rest else authorization.strip()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
