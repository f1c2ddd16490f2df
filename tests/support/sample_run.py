"""Real run directories to look at: pictures made by Pillow, state and artifacts written by the real code."""

from __future__ import annotations

import functools
import io
import itertools
import math
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from zbatch.model import Artifact, Cell, Job, JobState, Lora, Request, Row, Scalar, job_key
from zbatch.state.advances import Done, Submitted, Submitting
from zbatch.state.artifacts import Asked, save_artifact
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.store import Store

MODEL = "z-image-turbo-lora"
SUBJECTS = ("red fox", "barn owl", "lighthouse", "tea house", "sailing boat", "old oak", "market", "harbour")
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "javascript:alert(1) \u202eright to left\u202c {{ 7 * 7 }} \u2028 line 'quoted' \\ back",
    "emoji \U0001f98a\u200d\U0001f3a8 " + "very long " * 400,
)


@dataclass(frozen=True)
class Sample:
    """What a sample run holds. `troubles` puts one job of each state in; `pictures` bounds distinct files."""

    subjects: tuple[str, ...] = SUBJECTS[:2]
    loras: tuple[str, ...] = ("film", "ink")
    scales: tuple[float, ...] = (0, 0.4, 0.8, 1.2)
    seeds: int = 3
    first_seed: int = 1000
    sizes: tuple[str, ...] = ("768*768",)
    replicas: int = 1
    troubles: bool = True
    excluded: bool = True
    hostile: bool = False
    title: str = "Fox and film"
    description: str = "Which scale of the two film LoRAs keeps the fox a fox?"
    view: tuple[tuple[str, object], ...] = ()
    pictures: int = 48
    endpoint: str = "preview"
    reason: str = ""  # what the server says of the job that failed, in place of its usual words


TROUBLES = (
    (JobState.FAILED, "TASK_FAILED", "the server says TASK_STATUS_FAILED: NSFW filter <b>tripped</b>"),
    (JobState.REJECTED, "ILLEGAL_PROMPT", "the prompt is not allowed"),
    (JobState.UNKNOWN, "connection_lost", "the connection broke after the request was sent"),
    (JobState.SUBMITTED, "", ""),
    (JobState.SUBMITTED, "job_deadline", "not finished after 1800 s"),
    (JobState.PENDING, "", ""),
)


def write_sample(path: Path, sample: Sample | None = None) -> Path:
    """Write a run directory; gives its path."""
    sample = sample or Sample()
    directory = RunDirectory(path)
    directory.create()
    store = Store(directory.state)
    try:
        with store.transaction():
            _write_meta(store, sample)
            store.replace_grid(_grid(sample), MODEL)
        _settle(store, directory, sample)
    finally:
        store.close()
    return path


def _write_meta(store: Store, sample: Sample) -> None:
    kind = "preview" if sample.endpoint == "preview" else "hosted"
    facts = {
        Meta.NAME: "fox-lora-scales",
        Meta.TITLE: sample.title,
        Meta.DESCRIPTION: sample.description,
        Meta.MODEL: MODEL,
        Meta.ENDPOINT: sample.endpoint,
        Meta.ENDPOINT_KIND: kind,
        Meta.MANIFEST: "manifests/fox lora.yaml",
        Meta.PRICE: "0.0085",
        Meta.VIEW: dict(sample.view),
        Meta.CREATED_AT: "2026-11-24T10:00:00.000Z",
        Meta.IDENTITY: "sample",
        Meta.VERSION: "0.1.0",
    }
    for name, value in facts.items():
        store.set_meta(name, value)


def _grid(sample: Sample) -> Iterator[Row]:
    known: set[str] = set()
    for cell, request in _cells(sample):
        if request is None:
            yield Row.of(cell, None, selected=False)
            continue
        key = job_key(MODEL, request)
        shown = replace(cell, key=key)
        if key in known:
            yield Row.of(shown, None)
            continue
        known.add(key)
        yield Row.of(shown, Job(key, MODEL, request, f"images/{key[:16]}.webp", cell.coordinates))


def _cells(sample: Sample) -> Iterator[tuple[Cell, Request | None]]:
    sizes = sample.sizes
    axes = itertools.product(
        sample.subjects, sample.loras, sample.scales, range(sample.seeds), sizes, range(sample.replicas)
    )
    for subject, lora, scale, number, size, replica in axes:
        coordinates: dict[str, Scalar] = {"subject": subject, "lora.name": lora, "lora.scale": scale}
        coordinates["seed"] = sample.first_seed + number
        if len(sizes) > 1:
            coordinates["size"] = {"832*1216": "portrait"}.get(size, size)
        if sample.replicas > 1:
            coordinates["replica"] = replica + 1
        if (
            sample.excluded
            and lora == "ink"
            and scale == max(sample.scales)
            and subject == sample.subjects[-1]
        ):
            rule = f'when: lora.name == "ink" and lora.scale > {scale - 0.1:.1f}'
            yield Cell(coordinates, None, rule), None
            continue
        trigger = f"{lora}grain " if scale else ""
        loras = (Lora(f"org/{lora}-v2", scale),) if scale else ()
        prompt = f"{trigger}a {subject} in a quiet valley, natural light, 50mm"
        request = Request(prompt, sample.first_seed + number + 7919 * replica, size, loras)
        yield Cell(coordinates, None), request
    if sample.hostile:
        for text in HOSTILE:
            yield Cell({"subject": text, "seed": 7, text[:40]: text}, None), Request(text, 7, "512*512")


def _settle(store: Store, directory: RunDirectory, sample: Sample) -> None:
    jobs = store.next_pending(-1, 1_000_000)
    troubles = dict(zip(range(2, len(jobs), max(2, len(jobs) // 7)), TROUBLES, strict=False))
    pool: dict[tuple[str, int], Artifact] = {}
    with store.transaction():
        for number, job in enumerate(jobs):
            state, reason, message = troubles.get(number, (JobState.DONE, "", ""))
            if sample.reason and state is JobState.FAILED:
                message = sample.reason
            if not sample.troubles:
                state = JobState.DONE
            if state is JobState.PENDING:
                continue
            store.advance(Submitting(job.id))
            if state is JobState.REJECTED:
                store.set_rejected(job.id, reason, message)
                continue
            if state is JobState.UNKNOWN:
                store.set_unknown(job.id, reason, message)
                continue
            store.advance(Submitted(job.id, f"5f0c{number:04x}-1111-4222-8333-{job.key[:12]}"))
            if state is JobState.FAILED:
                store.set_failed(job.id, reason, message)
            elif state is JobState.SUBMITTED and reason:
                store.note(job.id, reason, message)
            elif state is JobState.DONE:
                verdict = {"has_nsfw_contents": [number == 1], "enable_nsfw_detection": True}
                artifact = _artifact(directory, pool, sample, job.key, job.request, number)
                store.advance(Done(job.id, artifact, verdict if number < 2 else None))


def _artifact(
    directory: RunDirectory,
    pool: dict[tuple[str, int], Artifact],
    sample: Sample,
    key: str,
    request: Request,
    number: int,
) -> Artifact:
    """Save a picture; past `sample.pictures` of a size, link one that there is: sheets care for names."""
    slot = (request.size, number % sample.pictures)
    file = f"images/{key[:16]}.webp"
    known = pool.get(slot)
    if known is None:
        width, height = request.pixels
        data = picture(request, max(64, width // 3), max(64, height // 3))
        saved = save_artifact(directory, Asked(key, file, "webp", width, height), data)
        # A third of the side keeps tests quick; the warning about it would be noise.
        pool[slot] = replace(saved, warnings=("size: asked for 768*768, got 256*256",) if number == 0 else ())
        return pool[slot]
    thumb = f"thumbs/{key[:16]}.jpg"
    os.link(directory.path / known.file, directory.path / file)
    os.link(directory.path / known.thumb, directory.path / thumb)
    return replace(known, file=file, thumb=thumb)


def picture(request: Request, width: int, height: int) -> bytes:
    """Draw a small landscape that prompt, seed and scale decide."""
    dice = random.Random(f"{request.prompt.split('a ', 1)[-1]}{request.seed}")
    scale = sum(lora.scale for lora in request.loras)
    hue = dice.random()
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    top, low = _colour(hue, 0.35, 0.95), _colour(hue + 0.12, 0.5 - 0.3 * min(scale, 1.2), 0.98)
    for y in range(height):
        mix = y / height
        draw.line(
            [(0, y), (width, y)], fill=tuple(round(a + (b - a) * mix) for a, b in zip(top, low, strict=True))
        )
    radius = width * (0.08 + 0.05 * scale)
    x, y = width * dice.uniform(0.25, 0.75), height * dice.uniform(0.22, 0.4)
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=_colour(hue + 0.5, 0.25, 1.0))
    for layer in range(4):
        phase, ridge = dice.random() * 6, height * (0.5 + 0.12 * layer)
        points = [
            (px, ridge + math.sin(px / width * (5 + layer) + phase) * height * (0.05 + 0.04 * scale))
            for px in range(0, width + 4, 4)
        ]
        shade = _colour(hue + 0.08 * layer, 0.3 + 0.1 * layer, 0.75 - 0.16 * layer)
        draw.polygon([*points, (width, height), (0, height)], fill=shade)
    buffer = io.BytesIO()
    image.filter(ImageFilter.GaussianBlur(0.5)).save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


@functools.cache
def _colour(hue: float, saturation: float, value: float) -> tuple[int, ...]:
    import colorsys

    red, green, blue = colorsys.hsv_to_rgb(hue % 1, max(0.0, min(1.0, saturation)), max(0.0, min(1.0, value)))
    return round(red * 255), round(green * 255), round(blue * 255)
