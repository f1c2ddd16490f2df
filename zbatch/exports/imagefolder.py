"""`imagefolder`: images in a folder for each split, with a table of captions and coordinates beside them.

Loads with `datasets.load_dataset("imagefolder", data_dir=...)`.
"""

from __future__ import annotations

import orjson

from zbatch.exports.names import Names
from zbatch.exports.parquet import write_metadata
from zbatch.exports.writing import Work


def write_imagefolder(work: Work) -> None:
    """Write the images and their `metadata.jsonl`, or `metadata.parquet`.

    Raises:
        DiskError: an image is gone or was changed, or the disk is full.
        UsageError: pyarrow is needed and not installed.
    """
    names = Names()
    columns = work.selection.columns
    for side in work.selection.sides:
        if work.options.metadata == "parquet":
            write_metadata(work, side, names)
            continue
        with work.destination.stream(f"{side}/metadata.jsonl") as table:
            for entry, name in work.place(side, names):
                row = {"file_name": name, **columns.filled(columns.row(entry))}
                table.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
