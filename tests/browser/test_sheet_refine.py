"""The whole way of a new user: judge in the page, export, refine, run again, and look at what came of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.command import zbatch

from zbatch.picks.reading import read_picks
from zbatch.state.run import Run

STUDY = """\
version: 1
name: fox
loras: {film: {path: org/film}}
request: {prompt: "a fox, film", size: 256*256}
matrix:
  lora:
    name: [film]
    scale: {from: 0, to: 1.2, step: 0.2}
  seed: [1, 2]
report: {x: lora.scale, y: seed}
"""
STARS = "1234221"
COMPARED = """(() => { const kept = Object.keys(localStorage).find((name) => name.startsWith("zbatch.picks"));
    return JSON.parse(localStorage.getItem(kept)).comparisons.at(-1); })()"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "fox.yaml").write_text(STUDY, "utf-8")
    done = zbatch("run", "fox.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_judged_exported_refined_and_run_again(study, visit):
    first = study / "runs" / "fox-preview"
    page = visit(first / "index.html")
    cells = page.locator(".cell")
    expect(cells).to_have_count(14)
    for number in range(14):
        cells.nth(number).focus()
        page.keyboard.press(STARS[number % 7])
    page.keyboard.press("j")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export picks.json").click()
    download.value.save_as(study / "picks.json")
    said = read_picks(study / "picks.json").judgements
    with Run(first) as run:
        stars = {(job.coordinates["lora.scale"], said[job.key].rating) for job in run.jobs()}
    assert stars == {(0, 1), (0.2, 2), (0.4, 3), (0.6, 4), (0.8, 2), (1, 2), (1.2, 1)}

    refined = zbatch("refine", "runs/fox-preview", "--picks", "picks.json", "--votes", "2", cwd=study)
    assert refined.returncode == 0, refined.stderr
    assert "scale: [0.5, 0.55, 0.6, 0.65, 0.7]\n" in (study / "fox-2.yaml").read_text("utf-8")
    command = refined.stdout.splitlines()[-1].split()[1:]
    done = zbatch(*command, cwd=study)
    assert done.returncode == 0, done.stderr

    second = study / "runs" / "fox-2-preview"
    with Run(second) as run:
        assert [job.coordinates["lora.scale"] for job in run.jobs() if job.reused_from] == [0.6, 0.6]
        assert run.attempts() == 8
    page = visit(second / "index.html")
    expect(page.locator(".cell")).to_have_count(10)
    page.locator(".cell").nth(2).focus()
    page.keyboard.press("Enter")
    row = page.locator("tr, div, dl").filter(has_text="taken over from").last
    expect(row).to_contain_text("fox-preview")

    compared = zbatch("diff", "runs/fox-preview", "runs/fox-2-preview", cwd=study)
    assert compared.returncode == 0, compared.stdout  # what both have is the same to the byte


def test_judged_blind_and_refined_by_the_win_rates(study, visit):
    first = study / "runs" / "fox-preview"
    with Run(first) as run:
        off = {job.key: abs(float(job.coordinates["lora.scale"]) - 0.6) for job in run.jobs()}
    page = visit(first / "index.html", "#blind=3&way=pairs&axis=lora.scale")
    said = page.locator(".blindsaid")
    for number in range(21):  # each scale meets each other once
        expect(page.locator(".blind[data-ready]")).to_be_visible()
        page.keyboard.press("ArrowLeft")
        expect(said).to_have_text(f"{number + 1} of 42 pairs")
        pair = page.evaluate(COMPARED)
        if off[pair["a"]] > off[pair["b"]]:  # somebody thinks better of it
            page.keyboard.press("Control+z")
            expect(said).to_have_text(f"{number} of 42 pairs")
            expect(page.locator(".blind[data-ready]")).to_be_visible()
            page.keyboard.press("ArrowRight")
            expect(said).to_have_text(f"{number + 1} of 42 pairs")
    page.get_by_role("button", name="Leave and reveal").click()
    best = page.get_by_role("dialog", name="Picks").locator("tbody tr").first
    expect(best).to_contain_text("0.6")
    expect(best).to_contain_text("100 %")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export picks.json").click()
    download.value.save_as(study / "blind.json")
    refined = zbatch("refine", "runs/fox-preview", "--picks", "blind.json", "-o", "blind.yaml", cwd=study)
    assert refined.returncode == 0, refined.stderr
    text = (study / "blind.yaml").read_text("utf-8")
    scales = next(line for line in text.splitlines() if "scale:" in line and "[" in line)
    assert "0.55, 0.6, 0.65" in scales
    assert "1.2" not in scales
