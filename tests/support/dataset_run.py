"""Run directories with very many images for exports: each has bytes, a hash and a look of its own."""

from __future__ import annotations

import contextlib
import hashlib
import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from zbatch.model import Cell, Job, Request, Row, job_key
from zbatch.state.artifacts import thumbnail_of
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.store import Store

MODEL = "z-image-turbo-lora"
ANIMALS = 100


def write_dataset(
    path: Path, jobs: int, *, side: int, length: int, distinct: int = 200, thumbs: bool = False
) -> Path:
    """Write a run of `jobs` images of `side` pixels and some `length` bytes, all done. Gives its directory.

    `distinct` JPEGs are drawn; each image is one of them, in turn, with its key behind its end, which
    decoders pass over, and padding. With `thumbs` each has a thumbnail as zbatch makes them.
    """
    directory = RunDirectory(path)
    directory.create()
    with contextlib.closing(Store(directory.state)) as store, store.transaction():
        for name, value in {
            Meta.NAME: "animals",
            Meta.TITLE: f"{jobs:,} images",
            Meta.MODEL: MODEL,
            Meta.ENDPOINT: "preview",
            Meta.ENDPOINT_KIND: "preview",
            Meta.MANIFEST: "animals.yaml",
            Meta.MANIFEST_SHA256: "0" * 64,
            Meta.IDENTITY: "animals",
            Meta.VERSION: "0.1.0",
        }.items():
            store.set_meta(name, value)
        store.replace_grid(_grid(jobs, side), MODEL)
    drawn = [_drawn(number, side) for number in range(distinct)]
    small = [thumbnail_of(picture) for picture in drawn] if thumbs else []
    with contextlib.closing(sqlite3.connect(directory.state)) as db, db:
        rows = db.execute("SELECT id, key, file FROM jobs ORDER BY position").fetchall()
        facts = []
        for number, (job, key, file) in enumerate(rows):
            picture = drawn[number % distinct]
            data = picture + key.encode()
            data += bytes(max(0, length + number % 97 - len(data)))
            (path / file).write_bytes(data)
            thumb = file
            if thumbs:
                thumb = f"thumbs/{key[:16]}.jpg"
                (path / thumb).write_bytes(small[number % distinct])
            facts.append((hashlib.sha256(data).hexdigest(), len(data), side, side, thumb, side, side, job))
        db.executemany(
            """UPDATE jobs SET state = 'done', attempts = 1, sha256 = ?1, received_sha256 = ?1, bytes = ?2,
                   width = ?3, height = ?4, media_type = 'image/jpeg', thumb = ?5, thumb_width = ?6,
                   thumb_height = ?7, done_at = '2026-11-29T08:00:00.000Z' WHERE id = ?8""",
            facts,
        )
    return path


def _grid(jobs: int, side: int) -> Iterator[Row]:
    for number in range(jobs):
        animal = f"animal {number % ANIMALS}"
        prompt = (
            f"a photo of a {animal} in a quiet valley at first light, mist over the river, 50mm, no. {number}"
        )
        request = Request(prompt, number // ANIMALS, f"{side}*{side}", output_format="jpeg")
        key = job_key(MODEL, request)
        coordinates = {"animal": animal, "number": number, "seed": number // ANIMALS}
        job = Job(key, MODEL, request, f"images/{key[:16]}.jpg", coordinates)
        yield Row.of(Cell(coordinates, key), job)


def _drawn(number: int, side: int) -> bytes:
    noise = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
    image = Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
