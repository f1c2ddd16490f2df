"""Where in which store: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from zbatch.errors import UsageError

MAX_URL: Final = 1024
"""Bytes of an object's URL that every store takes: the bound is one on its name, a little shorter."""

_SCHEMES: Final = ("s3", "gs", "az")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HINT: Final = "write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
_KEYS: Final = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (beside AWS_REGION, and AWS_ENDPOINT_URL if not AWS)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or what `gcloud auth application-default login` leaves",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or AZURE_STORAGE_SAS_TOKEN)",
}


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a store; an empty prefix is the whole bucket (of Azure: the container)."""

    scheme: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        """Give its URL, without a slash at its end."""
        return (
            f"{self.scheme}://{self.bucket}/{self.prefix}"
            if self.prefix
            else f"{self.scheme}://{self.bucket}"
        )

    def url(self, name: str) -> str:
        """Give the URL of an object by its name from here."""
        return f"{self}/{name}"

    @property
    def name(self) -> str:
        """The last part of the prefix; empty where there is none."""
        return self.prefix.rpartition("/")[2]

    @property
    def keys(self) -> str:
        """The variables that hold the credentials of such a store."""
        return _KEYS[self.scheme]


def is_url(text: str) -> bool:
    """Tell whether a place is meant that is no directory: anything with a scheme, ours or not."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def parse_location(text: str) -> Location:
    """Read a place in a store.

    Raises:
        UsageError: it is none, or holds what has no place in it. What may be a secret is not repeated.
    """
    scheme, _, rest = text.partition("://")
    bucket, _, prefix = rest.partition("/")
    if "@" in bucket or "?" in rest or "#" in rest:
        raise UsageError(
            "a URL of an object store with a user, a query or a fragment in it: keys do not belong there",
            hint=f"write bucket and prefix alone; credentials come from the environment: {_keys(scheme)}",
        )
    if scheme.lower() not in _SCHEMES:
        raise UsageError(f"{text}: no object store that is known", hint=_HINT)
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{text}: no bucket's name stands behind {scheme}://", hint=_HINT)
    prefix = prefix.rstrip("/")
    parts = prefix.split("/") if prefix else []
    if any(part in ("", ".", "..") or not part.isprintable() for part in parts):
        raise UsageError(f"{text!r}: an empty part, a dot alone or a sign that is not seen in it", hint=_HINT)
    return Location(scheme.lower(), bucket, prefix)


def parse_run_location(text: str) -> Location:
    """Read a place in an object store that a run is to have for itself.

    Raises:
        UsageError: it is none, or a whole bucket.
    """
    location = parse_location(text)
    if not location.name:
        raise UsageError(
            f"{location} is a whole bucket: a run has a prefix of its own in it",
            hint=f"write {location}/runs/NAME; in output.dir, {location}/runs/{{{{ name }}}}",
        )
    return location


def _keys(scheme: str) -> str:
    return _KEYS.get(scheme.lower(), "AWS_*, GOOGLE_* or AZURE_*")
