"""Makes the pictures of the README from a real run: `python tests/browser/screenshots.py [FOLDER]`.

The run is a LoRA scale study with the built-in preview endpoint; the page is opened from disk and driven as a
person would, so that a picture can show nothing that a reader would not find.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from zbatch.state.database import Meta
from zbatch.state.run import Run

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "images"
sys.path.insert(0, str(ROOT / "tests"))

STUDY = """\
version: 1
name: ink-or-riso
description: At which scale does the style come in, and where does the fox stop being red?
loras:
  ink: {path: org/inkwash-v1, trigger: inkwash}
  riso: {path: org/riso-print-v2, trigger: riso}
request: {prompt: "a {{ subject }}, soft light {{ lora.trigger }}", size: 1216*832}
matrix:
  subject:
    - red fox in a misty autumn forest
    - barn owl over a winter valley at dusk
    - lighthouse on a cliff at sunrise
  lora:
    name: [ink, riso]
    scale: {from: 0, to: 1.2, step: 0.2}
  seed: {from: 1000, count: 4}
price: 0.0085
report: {title: Ink or riso, x: lora.scale, y: seed, group: [subject, lora.name]}
"""

WIDTH = 1180  # the README's column is narrow: on a wider page the words would be too small to read
SHARPNESS = 1.5  # pixels of the picture for one of the page
LIMIT = 700_000  # bytes of all pictures together


def main() -> None:
    from support.browser import Watch, address, chromium

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    watch = Watch()
    sizes = []
    with tempfile.TemporaryDirectory() as directory, chromium() as browser:
        index = run_study(Path(directory))
        other = run_next(Path(directory))
        for drive, height in ((grid, 930), (lightbox, 760), (compare, 760), (picks, 620), (pairs, 600)):
            page = new_page(browser, height)
            watch.over(page)
            page.goto(address(other if drive is pairs else index))
            drive(page)
            settle(page)
            sizes.append(save(page, folder / f"{drive.__name__}.webp"))
            page.context.close()
    if watch.problems:
        sys.exit("\n".join(watch.problems))
    if sum(sizes) > LIMIT:
        sys.exit(f"{sum(sizes):,} bytes of pictures: more than {LIMIT:,}")


def run_study(directory: Path) -> Path:
    (directory / "study.yaml").write_text(STUDY, "utf-8")
    subprocess.run([sys.executable, "-m", "zbatch", "run", "study.yaml"], cwd=directory, check=True)
    return directory / "runs" / "ink-or-riso-preview" / "index.html"


def run_next(directory: Path) -> Path:
    """Run the study once more with the next version of a LoRA, and compare the two."""
    text = STUDY.replace("riso-print-v2", "riso-print-v3").replace("ink-or-riso", "next-riso")
    (directory / "next.yaml").write_text(text, "utf-8")
    runs = [directory / "runs" / name for name in ("ink-or-riso-preview", "next-riso-preview")]
    for words in (["run", "next.yaml", "--no-report"], ["diff", *map(str, runs)]):
        # The pictures differ, so comparing them ends with 1.
        subprocess.run([sys.executable, "-m", "zbatch", *words], cwd=directory, check=words[0] == "run")
    return runs[1] / "diff-ink-or-riso-preview.html"


def new_page(browser: Browser, height: int) -> Page:
    context = browser.new_context(
        viewport={"width": WIDTH, "height": height}, device_scale_factor=SHARPNESS, color_scheme="light"
    )
    page = context.new_page()
    page.set_default_timeout(8000)
    return page


def grid(page: Page) -> None:
    expect(page.locator(".cell").first).to_be_visible()


def lightbox(page: Page) -> None:
    """One picture, and the strip dragged from 0 to where the LoRA has come in."""
    page.locator("#search").fill("lighthouse riso")
    page.locator(".cell").first.click()
    expect(page.locator("#lightbox")).to_be_visible()
    strip = page.get_by_role("slider", name="lora.scale")
    box = box_of(strip)
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 8, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 4 / 6, middle, steps=12)
    page.mouse.up()
    expect(page.locator(".scrubber output")).to_contain_text("0.8")


def compare(page: Page) -> None:
    """The LoRA at full scale against the picture without it, parted in the middle of the fox."""
    page.locator(".cell").first.click()
    page.get_by_role("button", name="scale 1", exact=True).click()
    page.get_by_role("button", name="Compare (C)").click()
    page.get_by_role("button", name="Baseline").click()
    expect(page.locator(".nametag")).to_have_count(2)
    grip, frame = box_of(page.locator(".grip")), box_of(page.locator(".frame"))
    middle = grip["y"] + grip["height"] / 2
    page.mouse.move(grip["x"] + grip["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] * 0.63, middle, steps=12)
    page.mouse.up()


def picks(page: Page) -> None:
    """What came out of a person's forty blind pairs and some ratings, brought along as a file."""
    page.locator("input[type=file]").set_input_files(
        {"name": "picks.json", "mimeType": "application/json", "buffer": judged(page)}
    )
    page.get_by_role("button", name="They are mine").click()
    page.keyboard.press("j")
    expect(page.locator(".verdictwords")).to_be_visible()


def judged(page: Page) -> bytes:
    """Picks of somebody who likes scales round 0.8, mostly."""
    run = Path(unquote(urlparse(page.url).path)).parent
    dice = random.Random(4)
    lines: dict[tuple[Any, ...], list[tuple[float, str]]] = {}
    with Run(run) as opened:
        identity = opened.about(Meta.IDENTITY)
        for cell in opened.cells():
            held = tuple(value for name, value in cell.coordinates.items() if name != "lora.scale")
            lines.setdefault(held, []).append((float(cell.coordinates["lora.scale"] or 0), cell.key or ""))
    scales = sorted({scale for line in lines.values() for scale, _ in line})
    pairs = [pair for _ in range(2) for pair in combinations(range(len(scales)), 2)][:40]
    comparisons = []
    for number, pair in enumerate(pairs):
        line = sorted(list(lines.values())[number % len(lines)])
        (one, a), (other, b) = (line[at] for at in pair)
        liked = abs(other - 0.8) - abs(one - 0.8) + dice.gauss(0, 0.12)
        winner = "tie" if abs(liked) < 0.05 else "a" if liked > 0 else "b"
        comparisons.append({"a": a, "b": b, "winner": winner, "axis": "lora.scale"})
    jobs = {}
    for scale, key in dice.sample([one for line in lines.values() for one in line], 40):
        rating = max(1, min(5, round(4.6 - 4 * abs(scale - 0.8) + dice.gauss(0, 0.5))))
        jobs[key] = {"rating": rating, **({"favourite": True} if rating == 5 else {})}
    document = {"version": 1, "run": {"identity": identity}, "jobs": jobs, "comparisons": comparisons}
    return json.dumps(document).encode()


def pairs(page: Page) -> None:
    """Two runs against each other: foxes, the biggest change first."""
    page.locator("#search").fill("fox change>0")
    expect(page.locator(".pairtile").first).to_be_visible()


def box_of(found: Locator) -> FloatRect:
    box = found.bounding_box()
    assert box is not None
    return box


def settle(page: Page) -> None:
    """Wait until all that is in view is loaded and at rest."""
    page.mouse.move(0, 0)
    expect(page.locator(".toast.shown")).to_have_count(0)
    page.wait_for_timeout(800)


def save(page: Page, path: Path) -> int:
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.save(path, quality=82, method=6)
    print(f"{path.name}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes")
    return path.stat().st_size


if __name__ == "__main__":
    main()
