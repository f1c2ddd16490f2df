"""Columns packed for the page: bytes in base64 that a browser reads at once, and only when it needs them.

A hundred thousand numbers or hashes as JSON are a hundred thousand things to parse before anything is drawn.
Packed they are one string each, which `assets/columns.js` unpacks when a column is first asked for.
"""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Sequence
from typing import Any, Final

import orjson

WIDTHS: Final = ((1, "B"), (2, "H"), (4, "I"))
"""Bytes of a number and how Python calls an array of them."""

EXACT: Final = 2**53
"""Numbers up to here are exact in a browser."""


def packed_numbers(column: Sequence[int | None]) -> dict[str, Any] | list[int | None]:
    """Pack whole numbers as their distance from the least of them; 0 bytes where all are the same.

    With None among them, 0 stands for it and the others are one more. What does not fit stays a list.
    """
    numbers = [number for number in column if number is not None]
    gaps = len(numbers) < len(column)
    if gaps:
        hole = min(numbers, default=0) - 1
        numbers = [hole if number is None else number for number in column]
    least = min(numbers, default=0)
    span = max(numbers, default=0) - least
    packed = {"count": len(numbers), "from": least, "gaps": gaps}
    if span == 0:
        return {**packed, "bytes": 0, "data": ""}
    for width, code in WIDTHS:
        if span < 256**width and abs(least) + span <= EXACT:
            codes = array(code, [number - least for number in numbers] if least else numbers)
            if sys.byteorder == "big":
                codes.byteswap()
            return {**packed, "bytes": width, "data": base64.b64encode(codes).decode("ascii")}
    return list(column)


def packed_hashes(column: Sequence[str]) -> dict[str, Any] | list[str]:
    """Pack SHA-256 digests in hex; an empty text becomes zeros. Anything else stays a list."""
    nothing = "0" * 64
    try:
        whole = bytes.fromhex("".join([digest or nothing for digest in column]))
    except ValueError:
        return list(column)
    if len(whole) != 32 * len(column) or any(len(digest) not in (0, 64) for digest in column):
        return list(column)
    return {"count": len(column), "data": base64.b64encode(whole).decode("ascii")}


def packed_texts(column: Sequence[str]) -> dict[str, Any] | list[str]:
    """Pack short texts as one, a line each; a text that has lines of its own makes it stay a list."""
    if column and column.count(column[0]) == len(column):
        return {"count": len(column), "same": column[0]}
    joined = "\n".join(column)
    if joined.count("\n") != len(column) - 1:
        return list(column)
    return {"count": len(column), "lines": joined}


def packed_files(files: Sequence[str], keys: Sequence[str]) -> dict[str, Any] | list[str]:
    """Pack the paths of pictures; of one that is named after its job's key, as most are, only the ending."""
    return packed_texts([_short_file(*pair) for pair in zip(files, keys, strict=True)])


def packed_tasks(tasks: Sequence[list[str]]) -> dict[str, Any] | list[str]:
    """Pack the task ids of jobs, most of which have one."""
    return packed_texts([_short_tasks(ids) for ids in tasks])


def _short_file(file: str, key: str) -> str:
    stem = f"images/{key[:16]}."
    return file[len(stem) - 1 :] if file.startswith(stem) and "." not in file[len(stem) :] else file


def _short_tasks(ids: list[str]) -> str:
    """Give the one task id as it is; several, or one that could be mistaken for such, as JSON."""
    if len(ids) == 1 and ids[0] and ids[0][0] != "[" and "\n" not in ids[0]:
        return ids[0]
    return orjson.dumps(ids).decode() if ids else ""
