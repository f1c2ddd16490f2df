"""`pairs`: which image is preferred to which, a line a pair, and the images: to train on preferences."""

from __future__ import annotations

import orjson

from zbatch.exports.names import Names
from zbatch.exports.writing import Work


def write_pairs(work: Work) -> None:
    """Write the images of all pairs and `pairs.jsonl` beside them, for each split.

    Raises:
        DiskError: an image is gone or was changed, or the disk is full.
    """
    names = Names()
    for side in work.selection.sides:
        placed = {entry.key: (name, entry) for entry, name in work.place(side, names)}
        with work.destination.stream(f"{side}/pairs.jsonl") as table:
            for pair in work.selection.preferences:
                if pair.chosen not in placed or pair.rejected not in placed:
                    continue
                (chosen, entry), (rejected, other) = placed[pair.chosen], placed[pair.rejected]
                row = {
                    "prompt": entry.prompt,
                    "caption": entry.caption,
                    "chosen": chosen,
                    "rejected": rejected,
                    "margin": round(pair.margin, 6),
                    "source": pair.source,
                    "votes": pair.votes,
                    "axis": pair.axis or None,
                    "chosen_key": pair.chosen,
                    "rejected_key": pair.rejected,
                    "chosen_request": entry.request,
                    "rejected_request": other.request,
                }
                table.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
