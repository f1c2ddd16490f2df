"""Picks as files: exported, imported, dropped, wrong ones; others' beside one's own, merged as by zbatch."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import orjson
import pytest
from playwright.sync_api import expect
from support.axe import faults
from support.browser import PHONE, reload
from support.picked import write_picks
from support.picks_files import DOUBLED, WRONG
from support.sample_run import Sample, write_sample

from zbatch.errors import UsageError
from zbatch.picks.merging import merge_picks
from zbatch.picks.rates import marginals, needed, win_rates
from zbatch.picks.reading import parse_picks, read_picks
from zbatch.sheet import SheetData, write_sheet, write_single_file
from zbatch.sheet.page import HOME
from zbatch.state.run import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("picked") / "run"
    write_sheet(write_sample(place, Sample(seeds=2, troubles=False, excluded=False)))
    return place


@pytest.fixture(scope="module")
def keys(run):
    with Run(run) as opened:
        return [job.key for job in opened.jobs(shown_only=True)]


def picks_of(keys, who, seed, identity="sample", source=""):
    dice = random.Random(seed)
    jobs = {key: {"rating": dice.randint(1, 5)} for key in dice.sample(keys, 10)}
    jobs |= {key: {"favourite": True} for key in dice.sample(keys, 3)}
    jobs |= {key: {"rating": 1, "reject": True} for key in dice.sample(keys, 3)}
    pairs = [dice.sample(keys, 2) for _ in range(300)]
    comparisons = [
        {"a": a, "b": b, "winner": dice.choice(["a", "b", "tie"]), "axis": axis}
        for a, b in pairs
        for axis in ("lora.scale", "seed")
    ]
    names = {"who": who} if who else {}
    names |= {"source": source} if source else {}
    run = {"identity": identity, "name": "fox-lora-scales"}
    return {"version": 1, "run": run, **names, "jobs": jobs, "comparisons": comparisons}


def marks(page):
    return page.locator(".cell[data-mark]").evaluate_all("all => all.map(one => one.dataset.mark)")


def drop(page, name, text):
    transfer = page.evaluate_handle(
        """([name, text]) => { const transfer = new DataTransfer();
            transfer.items.add(new File([text], name, { type: "application/json" })); return transfer; }""",
        [name, text],
    )
    page.dispatch_event("#scroller", "drop", {"dataTransfer": transfer})


def export(page):
    page.keyboard.press("j")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export picks.json").click()
    page.keyboard.press("Escape")
    return download.value


def test_what_is_exported_is_what_zbatch_reads_and_another_browser_goes_on_with(visit, run, tmp_path):
    page = visit(run / "index.html")
    page.keyboard.press("j")
    page.get_by_label("Your name").fill("Ann Ångström")
    page.keyboard.press("Escape")
    for number, key in ((1, "4"), (2, "f"), (3, "x")):
        page.locator(".cell").nth(number).focus()
        page.keyboard.press(key)
    download = export(page)
    assert download.suggested_filename == "picks-ann-ångström.json"
    path = tmp_path / "picks.json"
    download.save_as(path)
    picks = parse_picks(path.read_bytes())
    assert (picks.who, picks.identity, len(picks.judgements)) == ("Ann Ångström", "sample", 3)
    assert parse_picks(picks.as_bytes()) == picks
    # Elsewhere: whose they are is asked, as the page cannot know.
    other = visit(run / "index.html")
    other.locator("input[type=file]").set_input_files(path)
    asked = other.get_by_role("dialog", name="Whose picks")
    assert faults(other) == []
    asked.get_by_role("button", name="They are mine").click()
    expect(other.locator("#toast")).to_contain_text("3 images taken over")
    assert marks(other) == ["4★", "♥", "✕"]
    other.locator(".cell").nth(1).focus()
    other.keyboard.press("2")
    # Back in the first, the file is surely its own: the last word counts, and nothing is lost.
    export(other).save_as(path)
    page.locator("input[type=file]").set_input_files(path)
    expect(page.locator(".cell[data-mark]").first).to_have_attribute("data-mark", "2★")
    assert marks(page) == ["2★", "♥", "✕"]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_told_in_words(visit, run, name):
    text, words = WRONG[name]
    page = visit(run / "index.html")
    drop(page, "my picks.json", text)
    expect(page.locator("#toast")).to_contain_text("my picks.json")
    assert words in page.locator("#toast").inner_text()
    assert page.evaluate("localStorage.length") == 0


@pytest.mark.parametrize("name", DOUBLED)
def test_what_stands_twice_is_refused_with_its_place(visit, run, name):
    text, words = DOUBLED[name]
    page = visit(run / "index.html")
    drop(page, "picks.json", text)
    twice = "is there twice" in words
    place, said = (words.partition("'")[0], "is there twice") if twice else ("picks.json is no JSON", "")
    expect(page.locator("#toast")).to_contain_text(place)
    expect(page.locator("#toast")).to_contain_text(said)
    assert page.evaluate("localStorage.length") == 0


def test_picks_of_another_run_and_of_images_that_are_gone(visit, run, keys):
    page = visit(run / "index.html")
    foreign = picks_of(["d" * 64] * 16, "Eve", 1, identity="other")
    foreign["comparisons"] = []
    drop(page, "eve.json", json.dumps(foreign))
    expect(page.locator("#toast")).to_contain_text("eve.json is of another run (fox-lora-scales)")
    gone = {
        **foreign,
        "run": {"identity": "sample"},
        "jobs": {"d" * 64: {"rating": 5}, keys[1]: {"rating": 4}},
    }
    drop(page, "gone.json", json.dumps(gone))
    page.get_by_role("button", name="They are mine").click()
    expect(page.locator("#toast")).to_contain_text("1 image of it is not in this sheet")
    page.keyboard.press("j")
    expect(page.locator(".standing")).to_contain_text("not counted here: judgements of 1 image")
    page.keyboard.press("Escape")
    assert "d" * 64 in export(page).path().read_text()  # kept


def test_others_stand_beside_ones_own_and_can_be_let_go(visit, run, keys):
    page = visit(run / "index.html")
    page.locator(".cell").nth(1).focus()
    page.keyboard.press("2")
    theirs = {
        "version": 1,
        "run": {"identity": "sample"},
        "who": "Ben",
        "jobs": {keys[2]: {"rating": 5}},
        "comparisons": [],
    }
    drop(page, "ben.json", json.dumps(theirs))
    page.get_by_role("button", name="Someone else's").click()
    expect(page.locator(".cell[data-mark]").first).to_have_attribute("data-mark", "3.5★")
    page.locator(".cell").nth(1).click()
    expect(page.locator(".judge .star.on")).to_have_count(2)
    expect(page.locator(".judge .others")).to_contain_text("rated 3.5 of 5, by 2 people")
    page.keyboard.press("Escape")
    reload(page)
    assert marks(page) == ["3.5★"]
    assert "Ben" not in export(page).path().read_text()
    page.keyboard.press("j")
    expect(page.locator("ul.others")).to_contain_text("Ben: 1 image")
    page.get_by_role("button", name="let go").click()
    page.keyboard.press("Escape")
    assert marks(page) == ["2★"]


def test_nothing_is_left_of_what_is_forgotten(visit, run):
    page = visit(run / "index.html")
    page.locator(".cell").nth(1).focus()
    page.keyboard.press("2")
    page.keyboard.press("j")
    forget = page.get_by_role("button", name="Forget")
    forget.click()
    forget.click()
    page.keyboard.press("Escape")
    assert marks(page) == []


def test_the_report_brings_picks_along_in_either_page(visit, run, keys, tmp_path):
    ann, ben = (parse_picks(json.dumps(picks_of(keys, who, seed))) for who, seed in (("Ann", 1), ("Ben", 2)))
    with Run(run) as opened:
        data = replace(SheetData.of(opened), picks=(ann, ben))
        single = write_single_file(opened, tmp_path / "sheet.html", data=data)
    page = visit(single)
    opinions = merge_picks([ann, ben]).opinions
    page.keyboard.press("j")
    expect(page.locator("ul.others")).to_contain_text("Ann: ")
    favourites = sum(opinion.favourite for opinion in opinions.values())
    expect(page.locator(".asks")).to_contain_text(f"{favourites} favourite")
    assert faults(page) == []


SOURCES = ("words", "shortening", "columns", "axis", "dataset", "picksfile", "opinions", "rates")

COUNT = """
  const data = new Dataset(raw);
  const { opinions, comparisons, people } = mergePicks(texts.map((text) => parsePicks(text, "it")));
  const axes = ["lora.scale", "seed", "lora.name"].map((name) => data.byName.get(name));
  return {
    people, comparisons: comparisons.length,
    opinions: [...opinions].map(([key, one]) => [key, one.judges, one.rating, one.favourite, one.reject]),
    rates: axes.map((axis) => winRates(data, comparisons, axis)
      .map(({ value, wins, games, interval }) => [axis.values[value], wins, games, ...interval])),
    means: axes.map((axis) => [...axisOpinions(data, opinions, axis)].map(([value, own]) =>
      [axis.values[value], own.images, own.ratings, own.mean, own.favourites, own.rejects])),
    needed: games.map((one) => needed(...one)),
  };
"""


def data_text(run):
    return orjson.dumps(SheetData.of(run).document(), option=orjson.OPT_SERIALIZE_DATACLASS)


def test_the_page_and_zbatch_count_alike(browser, run, keys):
    files = [
        picks_of(keys, "Ann", 1),
        picks_of(keys, "ann", 2),
        picks_of(keys, "", 3, source="x"),
        picks_of(keys, "Ben", 4),
        picks_of(keys, "", 5),
        picks_of(keys, "", 5),
    ]
    for number, file in enumerate(files):
        file["when"] = f"2026-05-0{number + 1}T00:00:00.000Z"
        for key, said in file["jobs"].items():
            said["when"] = f"2026-04-{1 + int(key[0], 16):02}T0{number % 3}:00:00.000Z"
    games = [[a, n, b, m] for n in (1, 4, 11) for m in (2, 11) for a in (0, n / 2, n) for b in (0, m / 2, m)]
    with Run(run) as opened:
        raw = json.loads(data_text(opened))
        cells = {}
        for cell in opened.cells():
            cells.setdefault(cell.key, []).append(dict(cell.coordinates))
    shared = [key for key, own in cells.items() if len({at["lora.name"] for at in own}) > 1]
    assert len(shared) > 3  # baselines, of which some are judged, and each counts once
    files[3]["jobs"] |= {key: {"rating": 5} for key in shared[:3]}
    texts = [json.dumps(file) for file in files]
    page = browser.new_page()
    source = "\n".join((HOME / "assets" / f"{name}.js").read_text("utf-8") for name in SOURCES)
    said = page.evaluate(f"([raw, texts, games]) => {{ {source}\n{COUNT} }}", [raw, texts, games])
    page.close()
    merged = merge_picks(map(parse_picks, texts))
    assert sorted(said["people"]) == sorted(merged.people)
    assert sorted(said["opinions"]) == [
        [key, one.judges, one.rating, one.favourite, one.reject]
        for key, one in sorted(merged.opinions.items())
    ]
    assert said["comparisons"] == len(merged.comparisons)
    for axis, rates in zip(("lora.scale", "seed"), said["rates"][:2], strict=True):
        expected = [
            [rate.value, rate.wins, rate.count, *rate.interval]
            for rate in win_rates(merged.comparisons, axis, cells)
        ]
        assert len(expected) > 1
        assert sorted(rates) == [pytest.approx(rate, rel=1e-12) for rate in sorted(expected)]
    for axis, means in zip(("lora.scale", "seed", "lora.name"), said["means"], strict=True):
        expected = [
            [one.value, one.images, one.ratings, one.mean, one.favourites, one.rejects]
            for one in marginals(merged.opinions, axis, cells)
        ]
        assert sorted(means) == [[one[0], *map(pytest.approx, one[1:])] for one in sorted(expected)]
        told = sum(one[1] for one in expected)
        off = sum(key in shared for key in merged.opinions)
        assert told == len(merged.opinions) - (off if axis == "lora.name" else 0)
    assert said["needed"] == [needed(*one) for one in games]


def test_a_click_after_a_name_was_typed_counts(visit, run):
    page = visit(run / "index.html")
    page.keyboard.press("j")
    page.get_by_label("Your name").press_sequentially("Ann")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export picks.json").click()
    assert json.loads(download.value.path().read_text())["who"] == "Ann"


def theirs(keys, *numbers, who="Ben", **more):
    jobs = {
        keys[number]: {"rating": number + 1, "when": f"2026-05-0{number + 1}T00:00:00Z"} for number in numbers
    }
    names = {"who": who} if who else {}
    return {"version": 1, "run": {"identity": "sample"}, **names, "jobs": jobs, "comparisons": [], **more}


def others(page):
    return page.locator("ul.others li span").all_inner_texts()


def test_a_person_stands_once_however_often_their_files_come(visit, run, keys):
    page = visit(run / "index.html")

    def bring(name, document, words):
        drop(page, name, json.dumps(document))
        someone = page.get_by_role("button", name="Someone else's")
        expect(someone.or_(page.locator("#toast", has_text=words))).to_be_visible()
        if someone.is_visible():
            someone.click()
        expect(page.locator("#toast")).to_contain_text(words)

    bring("ben.json", theirs(keys, 1, 2), "2 images of Ben beside yours")
    bring("ben again.json", theirs(keys, 1, 2), "all that it says is here already, of Ben")
    bring(
        "ben later.json",
        theirs(keys, 1, 2, 3, who="BEN"),
        "BEN was here already: of each image the last word",
    )
    bring("ben elsewhere.json", theirs(keys, 4), "Ben was here already")
    bring("x.json", theirs(keys, 2, who=""), "1 image of someone beside yours")
    bring("x again.json", theirs(keys, 2, who=""), "x again.json: all that it says is here already")
    bring("y.json", theirs(keys, 3, who=""), "1 image of someone beside yours")
    files = json.loads(page.evaluate("localStorage.getItem('zbatch.picks.sample.others')"))
    assert len(files) == 4  # what a later file says as well is not kept twice
    merged = merge_picks([parse_picks(json.dumps(file)) for file in files])
    page.keyboard.press("j")
    assert others(page) == ["Ben: 4 images, 0 comparisons", *["someone: 1 image, 0 comparisons"] * 2]
    assert len(merged.people) == 3
    assert faults(page) == []
    page.get_by_role("button", name="let go").first.click()
    assert others(page) == ["someone: 1 image, 0 comparisons"] * 2


def compared(one, other, at, axis="lora.scale"):
    return {"a": one, "b": other, "winner": "a", "axis": axis, "when": f"2026-05-01T00:00:{at:02}Z"}


def test_what_is_counted_is_of_images_that_are_here(visit, run, keys):
    page = visit(run / "index.html")
    gone = "d" * 64
    pairs = [compared(keys[1], keys[2], 1), compared(keys[1], gone, 2), compared(gone, keys[3], 3)]
    document = theirs(keys, 1, 2, comparisons=pairs)
    document["jobs"][gone] = {"rating": 5}
    drop(page, "ben.json", json.dumps(document))
    said = page.get_by_role("dialog", name="Whose picks")
    expect(said).to_contain_text("judges 2 images of this sheet and has 1 comparison of its images")
    page.get_by_role("button", name="Someone else's").click()
    expect(page.locator("#toast")).to_contain_text("2 images and 1 comparison of Ben beside yours")
    expect(page.locator("#toast")).to_contain_text("1 image and 2 comparisons of it are not in this sheet")
    page.keyboard.press("j")
    assert others(page) == ["Ben: 2 images, 1 comparison"]
    expect(page.locator("ul.others")).to_contain_text("and 1 image and 2 comparisons of what is not shown")
    expect(page.locator(".standing")).to_contain_text("judgements of 1 image and 2 comparisons of what")
    expect(page.locator(".standing")).to_contain_text("images judged by you.")
    expect(page.locator(".asks")).to_contain_text("of everybody:")
    page.get_by_role("button", name="let go").click()
    drop(page, "ben.json", json.dumps(document))
    page.get_by_role("button", name="They are mine").click()
    expect(page.locator(".standing")).to_contain_text("images judged, 1 comparison.")


def test_an_import_is_undone_as_one_and_can_be_done_again(visit, run, keys):
    page = visit(run / "index.html")
    page.locator(".cell").nth(1).focus()
    page.keyboard.press("2")
    before = marks(page)
    for _ in range(2):
        drop(page, "ben.json", json.dumps(theirs(keys, 3, 4, comparisons=[compared(keys[1], keys[2], 1)])))
        page.get_by_role("button", name="They are mine").click()
        expect(page.locator("#toast")).to_contain_text("2 images and 1 comparison taken over")
        expect(page.locator(".cell[data-mark]")).not_to_have_count(len(before))
        page.keyboard.press("Control+z")
        expect(page.locator("#toast")).to_have_text("Undone: the import of ben.json")
        assert marks(page) == before
    kept = json.loads(export(page).path().read_text())
    assert (len(kept["jobs"]), kept["comparisons"], "who" in kept) == (1, [], False)


def test_what_a_file_says_otherwise_and_is_not_taken_is_said(visit, run, keys):
    page = visit(run / "index.html")
    drop(page, "ben.json", json.dumps(theirs(keys, 1, 2)))
    page.get_by_role("button", name="Someone else's").click()
    edited = theirs(keys, 1, 2)
    edited["jobs"][keys[1]] = {"rating": 5}
    toast = page.locator("#toast")
    drop(page, "edited.json", json.dumps(edited))
    words = "edited.json: of 1 image it says something else than what is here of Ben, and is"
    expect(toast).to_have_text(f"{words} undated: not taken")
    edited["jobs"][keys[1]]["when"] = "2025-01-01T00:00:00Z"
    drop(page, "edited.json", json.dumps(edited))
    expect(toast).to_have_text(f"{words} older: not taken")
    edited["jobs"][keys[1]]["when"] = "2026-06-01T00:00:00Z"
    drop(page, "edited.json", json.dumps(edited))
    expect(toast).to_contain_text("2 images of Ben beside yours")
    assert set(marks(page)) == {"5★", "3★"}
    # One's own, too.
    page = visit(run / "index.html")
    page.locator(".cell").nth(1).focus()
    page.keyboard.press("1")
    mine = json.loads(export(page).path().read_text())
    (key,) = mine["jobs"]
    mine["jobs"] = {key: {"rating": 5, "when": "2025-01-01T00:00:00Z"}, "e" * 64: {"rating": 5}}
    drop(page, "mine.json", json.dumps(mine))
    expect(page.locator("#toast")).to_contain_text("mine.json: 0 images taken over")
    expect(page.locator("#toast")).to_contain_text(
        "of 1 image it says something else than what is here, and is"
    )
    assert marks(page) == ["1★"]
    del mine["jobs"]["e" * 64]
    drop(page, "mine.json", json.dumps(mine))
    expect(page.locator("#toast")).to_have_text(
        "mine.json: of 1 image it says something else than what is here, and is older: not taken"
    )


@pytest.mark.parametrize(
    ("encoding", "taken"), [("latin-1", False), ("utf-16", False), ("utf-8", True), ("utf-8-sig", True)]
)
def test_a_file_is_read_as_zbatch_reads_it(visit, run, keys, tmp_path, encoding, taken):
    path = tmp_path / "zoë.json"
    path.write_bytes(json.dumps(theirs(keys, 1, who="Zoë"), ensure_ascii=False).encode(encoding))
    page = visit(run / "index.html")
    page.locator("input[type=file]").set_input_files(path)
    if taken:
        expect(page.get_by_role("dialog", name="Whose picks")).to_contain_text("Picks of Zoë")
        assert read_picks(path).who == "Zoë"
        return
    expect(page.locator("#toast")).to_have_text("zoë.json is no picks file: it is not text in UTF-8")
    with pytest.raises(UsageError, match="is no picks file: it is not text in UTF-8"):
        read_picks(path)


def test_a_person_who_came_with_the_page_stands_once_too(visit, run, keys, tmp_path):
    with Run(run) as opened:
        ben = parse_picks(json.dumps(theirs(keys, 1)))
        data = replace(SheetData.of(opened), picks=(ben,))
        page = visit(write_single_file(opened, tmp_path / "sheet.html", data=data))
    drop(page, "ben.json", json.dumps(theirs(keys, 1, 2)))
    expect(page.locator("#toast")).to_contain_text("Ben was here already")
    page.keyboard.press("j")
    assert others(page) == ["Ben: 2 images, 0 comparisons"]
    page.get_by_role("button", name="let go what was added").click()
    assert others(page) == ["Ben: 1 image, 0 comparisons"]
    expect(page.locator("ul.others")).to_contain_text("came with the page")


@pytest.fixture(scope="module")
def little(tmp_path_factory):
    """Three scales of two seeds: two pairs of each two scales."""
    place = tmp_path_factory.mktemp("little") / "run"
    sample = Sample(("red fox",), ("film",), (0, 0.4, 0.8), 2, troubles=False, excluded=False)
    write_sheet(write_sample(place, sample))
    return place


@pytest.mark.parametrize(
    ("leave_out", "words"),
    [
        (
            0,
            "Every pair with scale 0.8 or scale 0.4 was compared, and these images do not tell the two apart",
        ),
        (1, "This run has only 1 more pair of each: more seeds or prompts would make more."),
    ],
)
def test_what_more_comparisons_would_tell_is_said_only_where_there_are_more(
    visit, little, tmp_path, leave_out, words
):
    path = write_picks(
        tmp_path / "picks.json",
        little,
        lambda at: None,
        compared=("lora.scale", lambda one, other: "a" if one > other else "b"),
    )
    with Run(little) as opened:
        scale = {job.key: job.coordinates["lora.scale"] for job in opened.jobs()}
    document = json.loads(path.read_text("utf-8"))
    pairs = sorted(document["comparisons"], key=lambda pair: scale[pair["a"]] + scale[pair["b"]])
    document["comparisons"] = pairs[: 6 - leave_out]
    page = visit(little / "index.html")
    drop(page, "picks.json", json.dumps(document))
    page.get_by_role("button", name="They are mine").click()
    page.keyboard.press("j")
    expect(page.locator(".verdictwords")).to_contain_text(words)


def test_on_a_phone_the_numbers_are_all_to_be_seen(visit, run, keys):
    page = visit(run / "index.html", **PHONE)
    drop(page, "ann.json", json.dumps(picks_of(keys, "Ann", 1)))
    page.get_by_role("button", name="Someone else's").tap()
    page.get_by_role("button", name="Picks:").tap()
    dialog = page.get_by_role("dialog", name="Picks")
    expect(dialog.locator("tbody tr")).to_have_count(4)
    row = dialog.locator("tbody tr").first
    assert row.locator(".fact").evaluate_all("all => all.map((one) => one.dataset.label)") == [
        "compared",
        "mean",
        "rated",
        "♥",
        "✕",
    ]
    within = "all => all.every((one) => one.getBoundingClientRect().right <= innerWidth - 16)"
    assert dialog.locator("th, td").evaluate_all(within)
    for box in (dialog, dialog.locator(".scrolling")):
        assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert faults(page) == []
