"""File names of images: rendered, held inside the run directory, and never two jobs in one."""

from __future__ import annotations

import re
from typing import Final

from zbatch.errors import UsageError
from zbatch.model import EXTENSIONS

MAX_NAME_BYTES: Final = 240
"""File systems take 255; the rest is for the extension and what a name is called while it is written."""

MAX_PATH_BYTES: Final = 1_000
_RESERVED: Final = frozenset(
    {
        *("con", "prn", "aux", "nul", "conin$", "conout$"),
        *(f"{device}{n}" for device in ("com", "lpt") for n in "123456789\u00b9\u00b2\u00b3"),
    }
)
_PLAIN_PART: Final = r"(?!(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?![\w-]))[\w-]+"
_PLAIN: Final = re.compile(rf"(?:{_PLAIN_PART}/)*{_PLAIN_PART}(?:\.[\w-]+)*", re.ASCII | re.IGNORECASE)
"""Most names: letters, digits, `_`, `-`, and dots inside the last part. Others are looked at closely."""

_PLAIN_LENGTH: Final = 200
_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\\]')


class FileNameError(UsageError):
    """A rendered file name cannot be used; caught in this package, where it becomes a finding.

    `got` is what was rendered.
    """

    got: object = None


def image_file(stem: str, output_format: str) -> str:
    """Give the path of an image from its rendered stem: under `images/`, with the format's extension.

    Raises:
        FileNameError: it leaves the directory, or is a name some file system does not take.
    """
    file = f"images/{stem}{EXTENSIONS[output_format]}"
    if len(stem) > _PLAIN_LENGTH or not _PLAIN.fullmatch(stem):
        look_closely(stem)
        if len(file.encode()) > MAX_PATH_BYTES:
            raise FileNameError(f"is longer than {MAX_PATH_BYTES} bytes")
    return file


def look_closely(stem: str) -> None:
    """Hold a stem against every rule, as those that are not plainly fine are.

    Raises:
        FileNameError: it leaves the directory, or is a name some file system does not take.
    """
    if stem.startswith("/"):
        raise FileNameError("must not be an absolute path")
    parts = stem.split("/")
    for part in parts:
        _check_part(part)
    for directory in parts[:-1]:
        if directory.casefold().endswith((*EXTENSIONS.values(), ".jpeg")):
            raise FileNameError(f"has a directory called {directory!r}, which could be an image")


def _check_part(part: str) -> None:
    if part in ("", ".", ".."):
        what = "leaves the run directory" if part == ".." else "has an empty or `.` part"
        raise FileNameError(what, hint="put values through | slug")
    bad = _FORBIDDEN.search(part)
    if bad:
        raise FileNameError(
            f"has {bad.group()!r} in it, which not every file system takes", hint="put values through | slug"
        )
    if part[0] == " " or part[-1] in " .":
        raise FileNameError(
            "begins or ends with a space, or ends with a dot", hint="put values through | slug"
        )
    if part.startswith("."):
        raise FileNameError("begins with a dot and would be hidden", hint="put values through | slug")
    if part.partition(".")[0].rstrip(" ").casefold() in _RESERVED:
        raise FileNameError(f"{part!r} is a reserved name on Windows")
    if len(part.encode()) > MAX_NAME_BYTES:
        raise FileNameError(
            f"has a part of more than {MAX_NAME_BYTES} bytes", hint="shorten it: {{ name | truncate(80) }}"
        )
