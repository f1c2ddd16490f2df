"""Where requests go: the built-in endpoint, this machine, or a hosted one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from zbatch.api.contract import is_loopback, is_vendor
from zbatch.errors import UsageError

PREVIEW: Final = "preview"


class EndpointKind(StrEnum):
    """The three kinds that never mix in one run directory."""

    PREVIEW = "preview"
    LOCAL = "local"
    HOSTED = "hosted"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A base URL without a trailing slash, or `preview`."""

    kind: EndpointKind
    url: str

    @property
    def suffix(self) -> str:
        """What its run directories have at the end of their names."""
        return "" if self.kind is EndpointKind.HOSTED else f"-{self.kind}"

    def may_have_key(self, *, given: bool) -> bool:
        """Tell whether the key may go there: the vendor's hosts, this machine, or where a person said so.

        `given` means by flag or variable: an endpoint that only a manifest names gets no key.
        """
        return self.kind is EndpointKind.LOCAL or is_vendor(self.url) or given

    def __str__(self) -> str:
        return self.url


def parse_endpoint(text: str) -> Endpoint:
    """Read an endpoint as a flag, a variable or a manifest names it.

    Raises:
        UsageError: it is no base URL, has a password or query in it, or is plain http to another machine.
    """
    if text == PREVIEW:
        return Endpoint(EndpointKind.PREVIEW, PREVIEW)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"the endpoint is no base URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise UsageError(
            f"the endpoint must be `preview` or a base URL (got {text!r})",
            hint="write it as in https://api.highwayapi.ai or http://127.0.0.1:8788",
        )
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "the endpoint has a name or password in it", hint="put the key into the variable ZBATCH_API_KEY"
        )
    if parts.query or parts.fragment:
        raise UsageError(
            "the endpoint must be a base URL, without ? or #", hint="leave out what follows the path"
        )
    if is_loopback(text):
        return Endpoint(EndpointKind.LOCAL, text.rstrip("/"))
    if parts.scheme == "http":
        raise UsageError(
            f"plain http goes only to this machine (got {text!r})",
            hint="use https: the key would be readable on the way",
        )
    return Endpoint(EndpointKind.HOSTED, text.rstrip("/"))
