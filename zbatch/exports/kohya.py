"""`kohya`: images, a caption file beside each, and the `dataset.toml` that sd-scripts reads.

sd-scripts looks for images directly in `image_dir`, and takes the first line of a caption file.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

import orjson

from zbatch.exports.desk import Desk, Lot, Packed

if TYPE_CHECKING:
    from zbatch.exports.writing import Work

_STEP: Final = 64
"""Pixels that sides of sd-scripts' buckets are multiples of."""

_TOML: Final = """\
# Written by zbatch. sd-scripts looks for image_dir from where it is started: start it in this folder,
#   cd THIS_FOLDER && accelerate launch PATH/TO/sd-scripts/train_network.py --dataset_config dataset.toml ...
# or write the whole path below.{kept}

[general]
caption_extension = ".txt"
enable_bucket = true
bucket_no_upscale = true
bucket_reso_steps = {step}
min_bucket_reso = {least}
max_bucket_reso = {most}

[[datasets]]
resolution = [{width}, {height}]
batch_size = 1

  [[datasets.subsets]]
  image_dir = "{trained}"
  num_repeats = 1
"""


def write_kohya(work: Work) -> None:
    """Write images, captions and `dataset.toml`.

    Raises:
        DiskError: an image is gone or was changed, or the disk is full.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    for side in work.selection.sides:
        for packed in work.packed(work.stretches(side)):
            if side == work.selection.sides[0]:
                sizes.update({(width, height): count for width, height, count in orjson.loads(packed.rows)})
    trained, *others = work.selection.sides
    kept = f"\n# Not trained on: {' and '.join(others)}." if others else ""
    sides = [side for size in sizes for side in size]
    (width, height), _ = sizes.most_common(1)[0]
    text = _TOML.format(
        kept=kept,
        trained=trained,
        step=_STEP,
        least=max(_STEP, min(sides) // 2 // _STEP * _STEP),
        most=math.ceil(max(sides) / _STEP) * _STEP,
        width=width,
        height=height,
    )
    work.destination.put("dataset.toml", text.encode())


def pack_kohya(desk: Desk, lot: Lot) -> Packed:
    """Put images into their folder, each with its caption; the rows say how many there are of each size.

    Raises:
        DiskError: an image is gone or was changed, or the disk is full.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    for entry in desk.place(lot):
        stem = entry.name.rpartition(".")[0]
        desk.target.put(f"{lot.side}/{stem}.txt", f"{one_line(entry.caption)}\n".encode())
        sizes[entry.width, entry.height] += 1
    return Packed(orjson.dumps([(width, height, count) for (width, height), count in sizes.items()]))


def one_line(caption: str) -> str:
    """Write a caption as one line: sd-scripts takes no second."""
    return " ".join(caption.split()) if "\n" in caption or "\r" in caption else caption
