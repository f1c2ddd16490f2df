"""What a store said, in words for a person: obstore's exceptions become ours here, and hold no secrets."""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

from zbatch.errors import StorageError
from zbatch.storage.location import Location

_SAFE: Final = "nothing is lost: give the command again when it can be used"
_PROFILES: Final = "; profiles are not read: `aws configure export-credentials --format env` writes one out"
_LONGEST: Final = 300
_SECRET_NAMES: Final = re.compile(r"^(AWS|AZURE|GOOGLE)_.*(KEY|SECRET|TOKEN|SAS|PASSWORD|CREDENTIAL)")
_NO_CREDENTIALS: Final = re.compile(
    r"Missing AccessKeyId|Missing SecretAccessKey|Account must be specified|token request|169\.254\.|"
    r"instance metadata|credential",
    re.IGNORECASE,
)


class _Said(NamedTuple):
    """What could be made out of an exception: status, the store's code and message, and all of it."""

    status: int
    code: str
    message: str
    text: str


def storage_error(error: Exception, location: Location, doing: str) -> StorageError:
    """Make an exception of obstore's ours: what was being done, what the store said, and what to do."""
    said = _read(str(error))
    what, hint = _judge(said, location)
    return StorageError(f"cannot {doing}: {_scrubbed(what)}", hint=hint)


def _read(text: str) -> _Said:
    status = re.search(r"status code: (\d{3})", text)
    code = re.search(r"<Code>([^<]*)</Code>", text)
    message = re.search(r"<Message>([^<]*)</Message>", text) or re.search(r'"message":\s*"([^"]*)"', text)
    return _Said(
        int(status[1]) if status else 0, code[1] if code else "", message[1] if message else "", text
    )


def _judge(said: _Said, location: Location) -> tuple[str, str]:
    """Give what is wrong, and a hint."""
    words = " ".join(filter(None, (str(said.status or ""), said.code)))
    words = ": ".join(filter(None, (words, said.message)))
    if said.code in ("NoSuchBucket", "ContainerNotFound") or (said.status == 404 and not said.code):
        return f"there is no bucket {location.bucket} ({words})", "make it, or mend its name"
    if _NO_CREDENTIALS.search(said.text) and said.status not in (500, 502, 503, 504):
        return "no credentials were found that it takes" + (f" ({words})" if words else ""), (
            f"they come from the environment: {location.keys}{_PROFILES * (location.scheme == 's3')}"
        )
    if said.status in (401, 403):
        return f"the store refused: {words}", (
            f"the credentials in {location.keys} must be allowed to put, get and list there"
        )
    if said.status in (301, 307, 400) or "redirect" in said.text:
        return f"the store did not take the request: {words or _first_line(said.text)}", (
            "the bucket may lie in another region (AWS_REGION), or behind another AWS_ENDPOINT_URL"
        )
    if said.status == 429 or said.status >= 500:
        return f"the store is not able to answer just now: {words}", _SAFE
    return _out_of_reach(said)


def _out_of_reach(said: _Said) -> tuple[str, str]:
    text = said.text
    if "URL scheme is not allowed" in text or "BadScheme" in text:
        return "the store's endpoint is plain http, which is not allowed", (
            "use https; or set AWS_ALLOW_HTTP=true where nobody can listen in"
        )
    for clue, words in (
        ("dns error", "its host's name is not known (no network?)"),
        ("Connection refused", "nobody answers there (connection refused)"),
        ("onnection reset", "it broke the connection off"),
        ("TimedOut", "it did not answer in time"),
        ("Timeout", "it did not answer in time"),
        ("kind: Connect", "it cannot be reached"),
        ("Interrupted", "it broke an answer off"),
    ):
        if clue in text:
            return words, _SAFE
    return _first_line(text), _SAFE


def _first_line(text: str) -> str:
    return text.partition("\n\nDebug source")[0]


def _scrubbed(text: str) -> str:
    """Take out queries, which may be signatures, what the environment holds of keys, and strange signs."""
    text = re.sub(r"\?[^\s<>\"']*", "", text)
    for name, value in os.environ.items():
        if len(value) > 3 and _SECRET_NAMES.match(name):
            text = text.replace(value, "***")
    text = "".join(sign for sign in " ".join(text.split()) if sign.isprintable())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
