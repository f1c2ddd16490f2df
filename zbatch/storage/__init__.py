"""Object storage: places on S3, Google Cloud Storage and Azure, and what is put, read and listed there.

`obstore` is imported here and nowhere else; its exceptions become ours here, once, with the store's words.
"""

from __future__ import annotations

from zbatch.storage.bucket import PATIENCE, Bucket, Stored
from zbatch.storage.location import MAX_URL, Location, is_url, parse_location, parse_run_location

__all__ = [
    "MAX_URL",
    "PATIENCE",
    "Bucket",
    "Location",
    "Stored",
    "is_url",
    "parse_location",
    "parse_run_location",
]
