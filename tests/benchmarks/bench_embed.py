"""What it costs that images say what made them, beside what happens to each picture anyway.

`python tests/benchmarks/bench_embed.py --megabytes 1 --rounds 200`

Pictures of noise, of about so many megabytes, in each format. `words` makes the record and the parameters of
a request with two LoRAs, `embed` writes them into the file, `reads` is `find_words`; `state` is what reading
a job's facts in a batch of 32 costs. `second hash` is the SHA-256 of the file as it lies, beside that of the
bytes as they came, which every picture has anyway, as it has its decode. `encode anew` is what a library that
cannot edit a container does instead, and changes the pixels of all but PNG by it. Each is the median.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.store_rows import grid, job, store_of

from zbatch.provenance import Origin, Record, Words, embed, find_words, parameters_text, record_text
from zbatch.state.directory import RunDirectory
from zbatch.state.witness import Witness

REQUEST = {
    "prompt": "a red fox in the tundra at dusk, natural light, 50mm, fine grain, quiet colours",
    "size": "832*1216",
    "seed": 1002,
    "loras": [{"path": "org/film-grain-v2", "scale": 0.6}, {"path": "org/ink", "scale": 0.4}],
    "output_format": "webp",
}
RECORD = Record(
    "a" * 64,
    "z-image-turbo-lora",
    REQUEST,
    ({"subject": "red fox", "place": "the tundra", "lora.name": "film+ink", "seed": 1002},),
    1,
    Origin("fox", "b" * 64, "hosted", "https://api.example.org", "0.1.0"),
    "c" * 64,
)
OPTIONS = {"PNG": {"compress_level": 1}, "JPEG": {"quality": 95}, "WEBP": {"quality": 95, "method": 0}}


def picture(kind: str, megabytes: float) -> bytes:
    side = 64
    while True:
        data = encoded(Image.effect_noise((side, side), 60).convert("RGB"), kind)
        if len(data) >= megabytes * 1e6:
            return data
        side = max(side + 16, int(side * (megabytes * 1e6 / len(data)) ** 0.5))


def encoded(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **OPTIONS[kind])
    return file.getvalue()


def decoded(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def median_ms(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def state_ms(rounds: int) -> float:
    jobs = [job(seed) for seed in range(2_000)]
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(store_of(Path(folder, "state.sqlite3"), *jobs)) as store,
    ):
        with store.transaction():
            store.replace_grid(grid(jobs), "z-image-turbo-lora")
        with closing(Witness(RunDirectory(Path(folder)))) as witness:
            keys = [one.key for one in jobs[500:532]]
            assert len(witness.testify(keys)) == 32
            return median_ms(lambda: witness.testify(keys), rounds) / 32


def row(kind: str, text: Words, megabytes: float, rounds: int, before: tuple[float, float]) -> str:
    data = picture(kind, megabytes)
    edited, image = embed(data, text), decoded(data)
    few = max(5, rounds // 20)
    embeds = median_ms(lambda: embed(data, text), rounds)
    costs = [*before, embeds, sum(before) + embeds]
    hashing = median_ms(lambda: hashlib.sha256(edited).digest(), rounds)
    reads = median_ms(lambda: find_words(edited), rounds)
    decodes, encodes = median_ms(lambda: decoded(data), few), median_ms(lambda: encoded(image, kind), few)
    told = "".join(f"{cost:>9.3f}" for cost in costs)
    return f"{kind:<6}{len(data):>11,}{told}{hashing:>13.3f}{reads:>8.3f}{decodes:>9.1f}{encodes:>13.1f}"


def words() -> Words:
    return Words(parameters_text(RECORD.model, REQUEST), record_text(RECORD))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    before = state_ms(options.rounds), median_ms(words, options.rounds)
    print(f"medians of {options.rounds}, ms a picture")
    heads = "".join(f"{head:>9}" for head in ("state", "words", "embed", "in all"))
    print(f"{'':<6}{'bytes':>11}{heads}{'second hash':>13}{'reads':>8}{'decode':>9}{'encode anew':>13}")
    for kind in OPTIONS:
        print(row(kind, words(), options.megabytes, options.rounds, before))


if __name__ == "__main__":
    main()
