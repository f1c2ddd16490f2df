"""Signed URLs lose their signature on the page: whoever is sent a sheet shall not be able to use them."""

from __future__ import annotations

import re
from typing import Any, Final

_SIGNED: Final = re.compile(
    r"(https?://[^\s?#]+)\?[^\s#]*?\b(?:x-[a-z]+-)?(?:signature|sig|token|credential|key|auth)[^\s=]*=[^\s#]*",
    re.IGNORECASE,
)


def unsigned(value: Any) -> Any:
    """Give a value whose signed URLs end before their query; anything else as it is."""
    if not isinstance(value, str) or "://" not in value:
        return value
    return _SIGNED.sub(r"\1?…", value)


def unsigned_body(body: dict[str, Any]) -> dict[str, Any]:
    """Give a request without the signatures of its input images."""
    return {name: unsigned(value) for name, value in body.items()}
