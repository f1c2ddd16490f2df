"""`pairs`: which image is preferred to which, a line a pair, and the images: to train on preferences."""

from __future__ import annotations

import orjson

from zbatch.exports.writing import Work


def write_pairs(work: Work) -> None:
    """Write the images of all pairs and `pairs.jsonl` beside them, for each split.

    Raises:
        DiskError: an image is gone or was changed, or the disk is full.
    """
    for side in work.selection.sides:
        placed = {entry.key: entry for entry in work.place(side)}
        with work.destination.stream(f"{side}/pairs.jsonl") as table:
            for pair in work.selection.preferences:
                if pair.chosen not in placed or pair.rejected not in placed:
                    continue
                chosen, rejected = placed[pair.chosen], placed[pair.rejected]
                row = {
                    "prompt": chosen.prompt,
                    "caption": chosen.caption,
                    "chosen": chosen.name,
                    "rejected": rejected.name,
                    "margin": round(pair.margin, 6),
                    "source": pair.source,
                    "votes": pair.votes,
                    "axis": pair.axis or None,
                    "chosen_key": pair.chosen,
                    "rejected_key": pair.rejected,
                    "chosen_request": chosen.request,
                    "rejected_request": rejected.request,
                }
                table.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
