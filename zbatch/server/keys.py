"""The keys a server accepts: read from a file, hashed in memory, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path
from typing import TYPE_CHECKING

from zbatch.errors import DiskError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


class KeyRing:
    """A set of accepted API keys, of which only the SHA-256 hashes are kept."""

    def __init__(self, keys: Iterable[str] = (), hashes: Iterable[bytes] = ()) -> None:
        """Accept keys, and those that have these SHA-256 hashes."""
        self._hashes = tuple({*(_digest(key.encode()) for key in keys), *hashes})

    def owner(self, key: str) -> str | None:
        """Name the owner of a presented key (a hash, fit for logs), or `None` where it is not accepted.

        Every accepted key is compared, in constant time, so that the time taken tells nothing.
        """
        # Headers come as Latin-1; these are the bytes that were sent.
        presented = _digest(key.encode("latin-1", "replace"))
        found = None
        for accepted in self._hashes:
            if hmac.compare_digest(presented, accepted):
                found = accepted
        return None if found is None else hashlib.sha256(b"owner" + found).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._hashes)


def read_keys(file: Path | str) -> KeyRing:
    """Read a key file: one key a line, or its hash as `sha256:` and 64 digits; `#` lines are left out.

    A file of hashes gives nobody a key: `printf %s KEY | sha256sum`.

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
    keys, hashes = [], []
    for number, line in enumerate(map(str.strip, lines), 1):
        if line.startswith("sha256:"):
            hashes.append(_hash(line, f"line {number} of the key file {path}"))
        elif line and not line.startswith("#"):
            keys.append(line)
    if not keys and not hashes:
        raise UsageError(f"the key file {path} holds no key", hint="write one key a line")
    return KeyRing(keys, hashes)


def _hash(line: str, where: str) -> bytes:
    digits = line.removeprefix("sha256:").strip()
    if re.fullmatch(r"[0-9A-Fa-f]{64}", digits) is None:
        raise UsageError(f"{where} is no hash", hint="write sha256: and 64 hexadecimal digits")
    return bytes.fromhex(digits)


def presented_key(authorization: str) -> str:
    """Take the key out of an `Authorization` header: `Bearer KEY` or the naked `KEY` (observed clients)."""
    scheme, _, rest = authorization.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" and rest else authorization.strip()


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
