"""The contact sheet at 10,000 and 100,000 images: what writing it takes, and how quick it is in a browser.

`python tests/benchmarks/bench_sheet.py --cells 10000,100000`

The state is real (a grid of subjects, LoRAs, scales and seeds; every 50th job failed), the pictures are links
to 24 files of 1024 pixels with thumbnails of 320. Beside the sheet stand three pages of the same run written
here: one with every picture in full size, one with every thumbnail and `loading="lazy"`, and one that has
nothing but thumbnails in windowed rows: what the machine and the browser take at the least.

How each number comes about, in headless Chromium, from `file://`, a fresh browser for each page:

- grid: from the start of the navigation (the origin of `performance.now()`) to the end of the first frame in
  whose document a cell of the grid stands: an animation frame is asked for as soon as a cell is there, and a
  task of the highest priority posted in it runs right after the frame's style, layout and paint. (A message's
  answer, as measured until 2026-11-29, waits behind the pictures that arrive meanwhile.) The browser has been
  running for a second. Pictures may come after; the next two figures say when.
- paint: the browser's own `first-contentful-paint`. pictures: until every picture in the window is decoded.
- a change: from the time stamp that the browser gave the input (a real click, key press or choice) to the
  end of the frame after its handlers, the same way.
- CPU: of the page's main thread alone (Chromium's `TaskDuration` in thread time): what other programs on the
  machine take does not count in it.
- scrolling: the longest time from one animation frame to the next while the wheel turns, and while a key is
  pressed again and again.
- elements: all in the document, without those of the page's own controls (the head with its tools and axes,
  the panel of values, the dialogs); the most that were there before, between and after the changes.
- memory: proportional set size (PSS) of all processes of the browser, summed: of an empty page, after the
  first screen, at the end of as many changes and as much scrolling, and some time later. Nobody looks on:
  Playwright's debugger keeps a copy of every picture that comes, so another browser does the same without it.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.browser import ARGUMENTS, find_chromium
from support.large_run import write_large
from support.plain_browser import PlainPage, plain_browser
from support.sheet_acts import CHANGES, FRAME, PAGES_DOWN, TURNS, WHEEL, Act

PROBE = """
(() => {
  const probe = (globalThis.probe = { changes: [], frames: [] });
  const afterFrame = (act) => requestAnimationFrame(() => {
    scheduler.postTask(() => act(performance.now()), { priority: "user-blocking" });
  });
  const watch = new MutationObserver(() => {
    if (!document.querySelector(".cell")) return;
    watch.disconnect();
    afterFrame((now) => { probe.grid = now; });
  });
  watch.observe(document, { childList: true, subtree: true });
  for (const kind of ["click", "input", "change", "keydown"]) {
    addEventListener(kind, (event) => {
      const { timeStamp } = event;
      afterFrame((now) => probe.changes.push(now - timeStamp));
    }, true);
  }
  let before = 0;
  let rolling = false;
  const tick = (now) => {
    if (before) probe.frames.push(now - before);
    before = now;
    if (rolling) requestAnimationFrame(tick);
  };
  probe.roll = () => { before = 0; probe.frames = []; rolling = true; requestAnimationFrame(tick); };
  probe.rolled = () => { rolling = false; return probe.frames; };
  probe.seen = () => [...document.querySelectorAll(".cell img")].filter((image) => {
    const box = image.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  });
  probe.pictures = async () => {
    await Promise.all(probe.seen().map((image) => image.decode().catch(() => {})));
    return new Promise((done) => afterFrame(done));
  };
  probe.elements = () => document.querySelectorAll("*").length -
    [".head", ".panel", "dialog"].flatMap((part) => [...document.querySelectorAll(part)])
      .reduce((sum, part) => sum + 1 + part.querySelectorAll("*").length, 0);
})();
"""

WRITE = """
import sys
from zbatch.sheet import write_sheet
if len(sys.argv) > 1:
    write_sheet(sys.argv[1])
status = open("/proc/self/status").read()
print(status.partition("VmHWM:")[2].split()[0])
"""
"""Not `ru_maxrss`: what a child inherits of this process at its start counts there."""

PEER = """<!doctype html><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 13px sans-serif; }} main {{ display: flex; flex-wrap: wrap; gap: 8px; }}
figure {{ margin: 0; width: 184px; }} img {{ width: 184px; height: 184px; }} .hide-0 .v0 {{ display: none; }}
</style><header class="head"><button id="chip">scale 0.1</button></header><main>
{cells}
</main><script>
document.getElementById("chip").onclick = () => document.body.classList.toggle("hide-0");
</script>
"""

PEERS = {
    "eager": "eager full-size images",
    "lazy": "lazy thumbnails",
    "windowed": "nothing but windowed rows of thumbnails",
}

LEAST = """<!doctype html><meta charset="utf-8"><title>windowed</title><style>
body {{ margin: 0; font: 13px sans-serif; }} .head {{ height: 120px; }} img {{ width: 156px; height: 156px; }}
main {{ height: calc(100vh - 120px); overflow: auto; }}
#plane {{ position: relative; }} .cell {{ position: absolute; }}
</style><header class="head"><h1>windowed</h1></header><main><div id="plane"></div></main><script>
const cells = {cells};
const [main] = document.getElementsByTagName("main");
const across = Math.floor((innerWidth - 200) / 164);
plane.style.height = `${{Math.ceil(cells.length / across) * 164}}px`;
function draw() {{
  const first = Math.floor(main.scrollTop / 164) * across;
  plane.replaceChildren(...cells.slice(first, first + across * 6).map((file, index) => {{
    const cell = document.createElement("div");
    cell.className = "cell";
    const row = Math.floor((first + index) / across);
    cell.style.transform = `translate(${{(index % across) * 164}}px, ${{row * 164}}px)`;
    const image = new Image();
    image.src = file;
    cell.append(image);
    return cell;
  }}));
}}
main.onscroll = draw;
draw();
</script>
"""
"""The least there can be: rows of thumbnails in a window, of which nothing can be asked."""


CPU: dict[Page, Callable[[], float]] = {}
"""By page, what tells the milliseconds of CPU that its main thread has taken."""


class Table:
    """Prints what was measured, a line a fact, with its limit beside."""

    def line(self, words: str, value: float, unit: str, limit: float | None = None) -> None:
        verdict = "" if limit is None else f"{f'< {limit:,.0f}':>12}{'' if value < limit else '   MISSED'}"
        print(f"  {words:<44}{value:>10,.{0 if value >= 100 else 1}f} {unit:<4}{verdict}", flush=True)


def write_sheet(run: Path) -> tuple[float, float]:
    """Write the page in a process of its own: seconds, and peak MiB beyond an interpreter with zbatch."""
    seconds, peak = [], []
    for words in ([], [str(run)]):
        began = time.monotonic()
        told = subprocess.run([sys.executable, "-c", WRITE, *words], check=True, capture_output=True)
        seconds.append(time.monotonic() - began)
        peak.append(int(told.stdout) / 1024)
    return seconds[1], peak[1] - peak[0]


def write_peer(run: Path, kind: str) -> Path:
    """Write a page of every picture of the run."""
    with contextlib.closing(sqlite3.connect(run / "state.sqlite3")) as db:
        rows = db.execute(
            """SELECT j.file, j.thumb, c.coordinates FROM cells c JOIN jobs j ON j.id = c.job_id
               WHERE j.state = 'done' ORDER BY c.position"""
        ).fetchall()
    cells = "\n".join(
        f'<figure class="cell v{int(chr(34) + "lora.scale" + chr(34) + ":0.1," not in where)}">'
        + (f'<img src="{file}" alt="">' if kind == "eager" else f'<img loading="lazy" src="{thumb}" alt="">')
        + f"<figcaption>{html.escape(where)}</figcaption></figure>"
        for file, thumb, where in rows
    )
    page = PEER.format(title=kind, cells=cells)
    if kind == "windowed":
        page = LEAST.format(cells=json.dumps([thumb for _, thumb, _ in rows]))
    path = run / f"{kind}.html"
    path.write_text(page, "utf-8")
    return path


def memory() -> float:
    """PSS of every browser process below this one, in MB."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    total = 0
    for pid in parents:
        above = pid
        while above in parents and above != os.getpid():
            above = parents[above]
        with contextlib.suppress(OSError):
            if above == os.getpid() and "chrom" in str(Path(f"/proc/{pid}/exe").readlink()):
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split()[0])
    return total * 1024 / 1e6


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Page]:
    """Open a page in a fresh browser, with the probe in it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: print(f"  page error: {error}"))
        page.add_init_script(PROBE)
        page.goto("about:blank")
        page.wait_for_timeout(1000)  # until the browser itself has started
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        CPU[page] = lambda: next(
            1000 * metric["value"]
            for metric in session.send("Performance.getMetrics")["metrics"]
            if metric["name"] == "TaskDuration"
        )
        page.goto(path.resolve().as_uri(), wait_until="commit")
        while not page.evaluate("probe.grid"):
            time.sleep(0.05)
        yield page
        browser.close()


def first_screen(path: Path, times: int, table: Table, limit: float | None = None) -> None:
    grids, paints, pictures, used = [], [], [], []
    for _ in range(times):
        with opened(path) as page:
            used.append(CPU[page]())
            pictures.append(page.evaluate("probe.pictures()"))
            grids.append(page.evaluate("probe.grid"))
            paints.append(
                page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            )
    table.line(f"grid drawn, median of {times}", statistics.median(grids), "ms", limit)
    table.line("grid drawn, worst", max(grids), "ms")
    table.line("CPU by then, at most; median", statistics.median(used), "ms")
    table.line("first-contentful-paint, median", statistics.median(paints), "ms")
    table.line("all pictures of the window decoded, median", statistics.median(pictures), "ms")


def changed(page: Page, act: Callable[[], object]) -> float:
    page.evaluate("probe.changes = []")
    act()
    while not (found := page.evaluate("probe.changes")):
        time.sleep(0.01)
    page.wait_for_timeout(150)
    return float(max([*found, *page.evaluate("probe.changes")]))


def changes(page: Page, times: int, table: Table, limit: float) -> None:
    elements = [page.evaluate("probe.elements()")]

    def measure(words: str, acts: Iterable[Act]) -> None:
        took, used = [], []
        for _ in range(times):
            for act in acts:
                before = CPU[page]()
                took.append(changed(page, lambda act=act: act.watched(page)))
                used.append(CPU[page]() - before)
                elements.append(page.evaluate("probe.elements()"))
        table.line(f"{words}, worst of {len(took)}", max(took), "ms", limit)
        table.line("   median", statistics.median(took), "ms")
        table.line("   CPU, median", statistics.median(used), "ms")

    for words, acts in CHANGES.items():
        measure(words, acts)
    table.line("elements beyond the controls, most", max(elements), "", 300)


def scroll(page: Page, table: Table, limit: float | None) -> None:
    x, y, by = WHEEL
    page.mouse.move(x, y)
    page.evaluate("probe.roll()")
    for _ in range(TURNS):
        page.mouse.wheel(0, by)
        page.wait_for_timeout(1000 * FRAME)
    frames = page.evaluate("probe.rolled()")
    table.line(f"wheel: longest of {len(frames)} frames", max(frames), "ms", limit)
    table.line("wheel: 95 % of frames within", sorted(frames)[int(len(frames) * 0.95)], "ms")
    page.locator(".cell:visible").first.click(trial=True)
    page.evaluate("document.querySelector('.cell').focus()")
    page.evaluate("probe.roll()")
    for _ in range(PAGES_DOWN):
        page.keyboard.press("PageDown")
        page.wait_for_timeout(1000 * FRAME)
    frames = page.evaluate("probe.rolled()")
    table.line(f"PageDown: longest of {len(frames)} frames", max(frames), "ms", limit)


def use(page: PlainPage, times: int) -> None:
    """Change the page as often as `changes` does, and scroll it."""
    for acts in CHANGES.values():
        for act in acts * times:
            act.plain(page)
            time.sleep(0.15)
    scroll_plainly(page)


def scroll_plainly(page: PlainPage) -> None:
    """Turn the wheel and press PageDown as often as `scroll` does."""
    for _ in range(TURNS):
        page.wheel(*WHEEL)
        time.sleep(FRAME)
    page.evaluate("document.querySelector('.cell').focus()")
    for _ in range(PAGES_DOWN):
        page.press("PageDown")
        time.sleep(FRAME)


def sizes(
    path: Path, times: int, table: Table, use: Callable[[PlainPage], None], limit: float | None = None
) -> None:
    """What the browser takes when nobody looks on."""
    found: dict[str, list[float]] = {}

    def take(words: str) -> None:
        found.setdefault(words, []).append(memory())

    for _ in range(times):
        with plain_browser() as page:
            time.sleep(1)
            take("memory of the browser, empty")
            page.goto(path)
            time.sleep(1)
            take("   with the first screen")
            use(page)
            time.sleep(0.5)
            take("   at the end")
            time.sleep(15)  # what was thrown away is swept out when nothing happens
            take("   15 s later")
            # What the browser keeps only while nobody else needs it: pixels of pictures that were seen.
            page.send("Memory.simulatePressureNotification", level="critical")
            time.sleep(2)
            take("   when the system is short of it")
    for words, values in found.items():
        table.line(f"{words}, median of {times}", statistics.median(values), "MB", limit)


def measure(cells: int, times: int, peers: bool, keep: Path | None) -> None:
    table = Table()
    big = cells > 10_000
    folder = keep or Path(tempfile.mkdtemp(prefix="zbatch-sheet-"))
    run = folder / f"run-{cells}"
    try:
        if not run.exists():
            write_large(run, cells)
        print(f"\n{cells:,} jobs\nwriting the page")
        took = [write_sheet(run) for _ in range(times)]
        table.line(f"seconds, median of {times}", statistics.median(each for each, _ in took), "s", 5)
        table.line("peak memory beyond the interpreter", max(peak for _, peak in took), "MiB", 300)
        table.line("data.js", (run / "data.js").stat().st_size / 1e6, "MB", 25)
        print("the page")
        first_screen(run / "index.html", times, table, 500 if big else 100)
        with opened(run / "index.html") as page:
            changes(page, times, table, 150 if big else 60)
            scroll(page, table, 50)
            table.line("elements after scrolling", page.evaluate("probe.elements()"), "", 300)
        sizes(run / "index.html", min(times, 3), table, lambda page: use(page, times), 600)
        for kind in PEERS if peers else []:
            if kind == "eager" and big:
                continue  # tens of gigabytes
            print(f"a page of {PEERS[kind]}")
            path = write_peer(run, kind)
            first_screen(path, times if kind == "windowed" else 1, table)
            if kind == "windowed":
                sizes(path, 1, table, scroll_plainly)
                continue
            with opened(path) as page:
                took = [changed(page, lambda: page.locator("#chip").click()) for _ in range(4)]
                table.line("hide a scale, show it, worst of 4", max(took), "ms")
                table.line("elements", page.evaluate("probe.elements()"), "")
                scroll(page, table, None)
            sizes(path, 1, table, scroll_plainly)
    finally:
        if keep is None:
            shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", default="10000,100000")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true", help="leave out the pages to compare with")
    parser.add_argument("--keep", type=Path, help="where to keep the runs, or where they were kept")
    options = parser.parse_args()
    for cells in options.cells.split(","):
        measure(int(cells), options.times, not options.no_peers, options.keep)


if __name__ == "__main__":
    main()
