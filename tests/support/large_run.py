"""Run directories with very many pictures, made quickly: a real grid, states by SQL, files by hard links."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from support.sample_run import MODEL, picture

from zbatch.model import Cell, Job, Lora, Request, Row, Scalar, job_key
from zbatch.state.artifacts import THUMB_SIDE
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.store import Store

LORAS = ("film", "ink")
SCALES = tuple(round(0.1 * number, 1) for number in range(1, 11))
SEEDS = 10
STEP = len(LORAS) * len(SCALES) * SEEDS
"""Jobs of one subject."""

SIDE = 1024
DISTINCT = 24
"""Pictures that differ; the others are links to them, which a browser reads and decodes one by one."""

FIRST, LATER = "2026-11-29T08:00:00.000Z", "2026-11-29T08:00:09.250Z"


def write_large(path: Path, jobs: int, *, linked: bool = True) -> Path:
    """Write a run of `jobs` jobs, all done; every 50th was refused instead. Gives its directory."""
    directory = RunDirectory(path)
    directory.create()
    with contextlib.closing(Store(directory.state)) as store, store.transaction():
        for name, value in {
            Meta.NAME: "large",
            Meta.TITLE: f"{jobs:,} images",
            Meta.MODEL: MODEL,
            Meta.ENDPOINT: "preview",
            Meta.ENDPOINT_KIND: "preview",
            Meta.MANIFEST: "large.yaml",
            Meta.CREATED_AT: FIRST,
            Meta.IDENTITY: "large",
            Meta.VERSION: "0.1.0",
        }.items():
            store.set_meta(name, value)
        store.replace_grid(_grid(jobs), MODEL)
    pairs = _pictures(directory.path)
    with contextlib.closing(sqlite3.connect(directory.state)) as db, db:
        _settle(db, pairs)
        if linked:
            _link(directory.path, db, pairs)
    return path


def _grid(jobs: int) -> Iterator[Row]:
    axes = itertools.product(range(-(-jobs // STEP)), LORAS, SCALES, range(SEEDS))
    for subject, lora, scale, number in itertools.islice(axes, jobs):
        name = f"animal {subject}"
        prompt = (
            f"{lora}grain a photo of a {name} in a quiet valley at first light, mist over the river, natural "
            "light, 50mm, shallow depth of field, fine detail in the fur, muted colours"
        )
        request = Request(prompt, 1000 + number, f"{SIDE}*{SIDE}", (Lora(f"org/{lora}-v2", scale),))
        key = job_key(MODEL, request)
        coordinates: dict[str, Scalar] = {"subject": name, "lora.name": lora, "lora.scale": scale}
        coordinates["seed"] = 1000 + number
        job = Job(key, MODEL, request, f"images/{key[:16]}.webp", coordinates)
        yield Row.of(Cell(coordinates, key), job)


def _pictures(root: Path) -> list[tuple[Path, Path]]:
    folder = root / ".pool"
    folder.mkdir()
    pairs = []
    for number in range(DISTINCT):
        request = Request(f"a thing {number}", number, f"{SIDE}*{SIDE}")
        with Image.open(io.BytesIO(picture(request, SIDE, SIDE))) as image:
            # Grain makes them as heavy as photographs: some 150 kB, and 20 kB a thumbnail.
            grain = Image.effect_noise((SIDE // 3, SIDE // 3), 64).resize((SIDE, SIDE)).convert("RGB")
            full = Image.blend(image.convert("RGB"), grain, 0.25)
        pair = folder / f"{number}.webp", folder / f"{number}-thumb.jpg"
        full.save(pair[0], "WEBP", quality=80)
        full.resize((THUMB_SIDE, THUMB_SIDE)).save(pair[1], "JPEG", quality=82)
        pairs.append(pair)
    return pairs


def _settle(db: sqlite3.Connection, pairs: list[tuple[Path, Path]]) -> None:
    dice = random.Random(5)
    db.create_function("digest", 1, lambda key: hashlib.sha256(key.encode()).hexdigest(), deterministic=True)
    db.create_function("uuid", 1, lambda _: f"{dice.getrandbits(128):032x}")
    db.create_function("later", 2, _later)
    size = pairs[0][0].stat().st_size
    db.execute(
        """INSERT INTO attempts (job_id, number, intent_at, task_id, accepted_at, succeeded_at, ended_at,
               outcome)
           SELECT id, 1, ?1, substr(u, 1, 8) || '-' || substr(u, 9, 4) || '-' || substr(u, 13, 4) || '-'
               || substr(u, 17, 4) || '-' || substr(u, 21), ?1, ?2, ?2, 'done'
           FROM (SELECT id, uuid(id) AS u FROM jobs)""",
        (FIRST, LATER),
    )
    db.execute(
        """UPDATE jobs SET state = 'done', attempts = 1, submitted_at = later(?1, position),
               sha256 = digest(key),
               done_at = later(?1, position + 7), received_sha256 = digest(key), bytes = ?2 + position % 4000,
               width = ?3, height = ?3, media_type = 'image/webp', thumb_width = ?4, thumb_height = ?4,
               thumb = 'thumbs/' || substr(key, 1, 16) || '.jpg'""",
        (FIRST, size, SIDE, THUMB_SIDE),
    )
    db.execute(
        """UPDATE jobs SET state = 'failed', reason = 'TASK_STATUS_FAILED', message = 'out of memory'
           WHERE position % 50 = 49"""
    )


def _later(first: str, seconds: int) -> str:
    return f"{first[:14]}{seconds // 60 % 60:02}:{seconds % 60:02}.000Z"


def _link(root: Path, db: sqlite3.Connection, pairs: list[tuple[Path, Path]]) -> None:
    for number, (file, key) in enumerate(db.execute("SELECT file, key FROM jobs WHERE state = 'done'")):
        full, thumb = pairs[number % DISTINCT]
        os.link(full, root / file)
        os.link(thumb, root / "thumbs" / f"{key[:16]}.jpg")
