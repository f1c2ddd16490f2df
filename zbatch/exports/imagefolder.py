"""`imagefolder`: images in a folder for each split, with a table of captions and coordinates beside them.

Loads with `datasets.load_dataset("imagefolder", data_dir=...)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from zbatch.exports.desk import Desk, Lot, Packed
from zbatch.exports.parquet import write_metadata

if TYPE_CHECKING:
    from zbatch.exports.writing import Work


def write_imagefolder(work: Work) -> None:
    """Write the images and their `metadata.jsonl`, or `metadata.parquet`.

    Raises:
        DiskError: an image is gone or was changed, or the disk is full.
        UsageError: pyarrow is needed and not installed.
    """
    for side in work.selection.sides:
        if work.options.metadata == "parquet":
            write_metadata(work, side)
            continue
        with work.destination.stream(f"{side}/metadata.jsonl") as table:
            for packed in work.packed(work.stretches(side)):
                table.write(packed.rows)


def pack_imagefolder(desk: Desk, lot: Lot) -> Packed:
    """Put images into their folder; their rows are those of `metadata.jsonl`.

    Raises:
        DiskError: an image is gone or was changed, or the disk is full.
    """
    columns = desk.columns
    rows = (
        orjson.dumps(
            {"file_name": entry.name, **columns.filled(columns.row(entry))}, option=orjson.OPT_APPEND_NEWLINE
        )
        for entry in desk.place(lot)
    )
    return Packed(b"".join(rows))
