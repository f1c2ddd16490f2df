"""Signed, expiring paths of result images: nobody guesses one, and nobody uses one for ever."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote


class Signer:
    """Signs `/v3/files/{task}/{name}` with HMAC-SHA256. `clock` gives wall time in seconds."""

    def __init__(self, secret: bytes, clock: Callable[[], float]) -> None:
        self._secret = secret
        self._clock = clock

    def path(self, task_id: str, name: str, expires: int) -> str:
        """Give the path and query of a file that may be fetched until `expires` (wall time, seconds)."""
        signature = self._signature(task_id, name, expires)
        return f"/v3/files/{quote(task_id)}/{quote(name)}?expires={expires}&signature={signature}"

    def allows(self, task_id: str, name: str, query: Mapping[str, str]) -> bool:
        """Tell whether a query carries the signature of this file and it has not expired."""
        expires = query.get("expires", "")
        if re.fullmatch(r"[1-9][0-9]{0,11}", expires) is None:
            return False
        expected = self._signature(task_id, name, int(expires))
        signed = hmac.compare_digest(expected.encode(), query.get("signature", "").encode())
        return signed and int(expires) > self._clock()

    def _signature(self, task_id: str, name: str, expires: int) -> str:
        text = f"{task_id}/{name}\n{expires}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()
