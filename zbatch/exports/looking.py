"""The helper process that looks at thumbnails: lines of paths come in, looks and verdicts go out."""

from __future__ import annotations

import io
import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from zbatch.looks import LOOK_BYTES, carried_look, looks_of, shrunk

ITEM: Final = 9
"""Bytes of an answer: the hash, and one of the verdicts."""

SEEN: Final = 0
BLANK: Final = 1
UNREADABLE: Final = 2

_FLAT: Final = 6
"""Levels of grey, of 256, that an image of one colour may have because of how it was saved."""


def look(paths: Sequence[Sequence[str]]) -> bytes:
    """Answer for some images, each with the files to try one after the other."""
    small = np.zeros((len(paths), 32, 32), np.uint8)
    carried: dict[int, bytes] = {}
    unread = []
    for number, files in enumerate(paths):
        for file in files:
            try:
                data = Path(file).read_bytes()
                known = carried_look(data)
                if known is not None:
                    carried[number] = known
                else:
                    small[number] = shrunk(Image.open(io.BytesIO(data)))
            except MemoryError:
                raise  # that says nothing of the file
            except Exception:  # noqa: BLE001, S112 - whatever is wrong with a file: the next one, or a verdict
                continue
            break
        else:
            unread.append(number)
    looks = looks_of(small)
    for number, known in carried.items():
        looks[number] = np.frombuffer(known, np.uint8)
    looks[:, LOOK_BYTES - 1] = np.where(looks[:, LOOK_BYTES - 1] <= _FLAT, BLANK, SEEN)
    looks[unread, LOOK_BYTES - 1] = UNREADABLE
    return looks.tobytes()


def main() -> None:
    """Answer until nobody asks any more."""
    warnings.simplefilter("ignore")
    try:
        for line in sys.stdin.buffer:
            if not line.endswith(b"\n"):
                break  # whoever asked was killed in the middle of it
            sys.stdout.buffer.write(look(json.loads(line)))
            sys.stdout.buffer.flush()
    except (BrokenPipeError, EOFError):
        # Whoever asked was killed: nobody is left to be told. At its end Python would try again, and say so.
        os._exit(1)
