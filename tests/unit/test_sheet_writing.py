from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.sample_run import HOSTILE, Sample, write_sample

from zbatch.errors import DiskError, UsageError
from zbatch.sheet import SheetData, write_png, write_sheet, write_single_file
from zbatch.sheet.arrangement import has_picture, verdict
from zbatch.sheet.lettering import Lettering
from zbatch.sheet.page import MEDIA_STYLES, SCRIPTS, STYLES, script_of
from zbatch.sheet.pages import A4, PAGE_HEIGHT, PAGE_WIDTH
from zbatch.state.run import Run


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sheet") / "run", Sample(hostile=True))


def read_script(script: bytes):
    """Read the assignment back as a browser would: first the string of the script, then the JSON in it."""
    text = script.decode()
    found = re.fullmatch(r"globalThis\.zbatchSheet = JSON\.parse\('(.*)'\);\n", text)
    assert found is not None
    inner = re.sub(
        r"\\(?:u([0-9a-f]{4})|(.))", lambda m: chr(int(m[1], 16)) if m[1] else m[2], found[1], flags=re.DOTALL
    )
    return json.loads(inner)


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8))
def test_any_text_comes_back_from_the_script_and_none_can_leave_it(document):
    script = script_of(document)
    assert read_script(script) == document
    inside = script.removeprefix(b"globalThis.zbatchSheet = JSON.parse('").removesuffix(b"');\n")
    assert not re.search(rb"[<>\n\r]|\xe2\x80[\xa8\xa9]", inside)
    assert not re.search(rb"(?<!\\)(?:\\\\)*'", inside)


@pytest.mark.parametrize(
    "text", [*HOSTILE, "</script>", "<!--", "]]>", "\u2028\u2029", "'); alert(1); ('", "\\'"]
)
def test_hostile_texts_come_back_whole(text):
    assert read_script(script_of({"text": text})) == {"text": text}


def test_the_sheet_is_a_page_and_its_data(sample):
    index = write_sheet(sample)
    assert index == sample / "index.html"
    document = read_script((sample / "data.js").read_bytes())
    assert document["format"] == 2
    assert document["about"]["title"] == "Fox and film"
    assert document["cells"]["job"]["count"] == 52
    assert '<script src="data.js"></script>' in index.read_text()
    assert sorted(path.name for path in sample.glob(".*.part")) == []


def test_a_run_may_be_given_open(sample):
    with Run(sample) as run:
        assert write_sheet(run) == sample / "index.html"
        assert run.counts()


def test_the_policy_lets_only_our_own_scripts_and_styles_run(sample):
    page = write_sheet(sample).read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for kind, text in re.findall(r"<(script|style)>(.*?)</\1>", page, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in re.search(rf"{kind}-src ([^;]*)", policy)[1]
    assert not re.search(r"\son\w+=|\sstyle=|https?:(?!//www\.w3\.org/2000/svg)", page)


def test_title_and_description_are_text(tmp_path):
    bad = "</title><script>x</script>"
    page = write_sheet(write_sample(tmp_path / "run", Sample(title=bad, description=bad))).read_text()
    assert bad not in page
    assert "&lt;/title&gt;&lt;script&gt;x&lt;/script&gt;" in page


def test_every_asset_is_in_the_page(sample):
    from zbatch.sheet.page import HOME, Kind

    scripts, styles = set(SCRIPTS), {*STYLES, *MEDIA_STYLES}
    for kind in Kind:  # pages of two runs have more
        scripts.update(kind.value[1])
        styles.update(kind.value[2])
    assert {path.stem for path in (HOME / "assets").glob("*.js")} == scripts | {"theme"}
    assert {path.stem for path in (HOME / "assets").glob("*.css")} == styles
    page = write_sheet(sample).read_text()
    assert all((HOME / "assets" / f"{name}.js").read_text().rstrip() in page for name in SCRIPTS)


@pytest.mark.parametrize("word", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("])
def test_the_page_has_no_way_to_take_text_for_markup(word):
    from zbatch.sheet.page import HOME

    assert not [path.name for path in (HOME / "assets").glob("*.js") if word in path.read_text()]


def test_a_single_file_holds_its_thumbnails(sample, tmp_path):
    path = write_single_file(sample, tmp_path / "sheet.html")
    page = path.read_text()
    assert page.count("data:image/webp;base64,") >= 30
    assert "data.js" not in page.split("<script>")[0]


def test_a_single_file_that_is_too_large_is_not_written(sample, tmp_path):
    with pytest.raises(UsageError, match=r"would be .* MB; the limit is") as caught:
        write_single_file(sample, tmp_path / "sheet.html", limit_bytes=20_000)
    assert "zip" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(sample, tmp_path):
    with pytest.raises(DiskError, match="missing"):
        write_single_file(sample, tmp_path / "missing" / "sheet.html")


def test_no_run_no_sheet(tmp_path):
    with pytest.raises(UsageError, match="not a run directory"):
        write_sheet(tmp_path)


def test_a_small_sheet_is_one_picture(tmp_path):
    run = write_sample(tmp_path / "run", Sample(subjects=("red fox",), loras=("film",), excluded=False))
    [path] = write_png(run, tmp_path / "sheet.png")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert 600 < image.width < PAGE_WIDTH
        assert image.getpixel((2, 2)) == (255, 255, 255)
        assert len(image.resize((64, 64)).getcolors(4096)) > 300


def test_a_large_sheet_is_cut_into_pages(tmp_path):
    sample = Sample(scales=tuple(number / 4 for number in range(17)), seeds=9, troubles=False, pictures=4)
    paths = write_png(write_sample(tmp_path / "run", sample), tmp_path / "sheet.png")
    assert [path.name for path in paths[:2]] == ["sheet-1.png", "sheet-2.png"]
    for path in paths:
        with Image.open(path) as image:
            assert max(image.size) <= PAGE_HEIGHT
            assert max(image.size) / min(image.size) == pytest.approx(A4, abs=0.01)


@pytest.mark.parametrize(
    "sample",
    [
        Sample(hostile=True, sizes=("768*768", "832*1216"), view=(("group", []),)),
        Sample(subjects=("red fox", "barn owl"), loras=("film",), scales=(0,), seeds=1, excluded=False),
        Sample(view=(("x", "subject"), ("y", "lora.name"))),
    ],
)
def test_every_kind_of_sheet_can_be_drawn(tmp_path, sample):
    assert write_png(write_sample(tmp_path / "run", sample), tmp_path / "sheet.png")


def test_an_empty_run_cannot_be_drawn(tmp_path):
    with pytest.raises(UsageError, match="no cells"):
        write_png(write_sample(tmp_path / "run", Sample(subjects=())), tmp_path / "sheet.png")


LETTERS = Lettering()


@given(texts, st.integers(8, 40), st.integers(60, 600), st.integers(1, 4))
def test_letters_stay_within_their_room(text, size, room, most):
    lines = LETTERS.wrapped(LETTERS.one_line(text), size, room, most)
    assert len(lines) <= most
    assert all(LETTERS.length(line, size) <= room for line in lines)
    assert LETTERS.length(LETTERS.fitting(LETTERS.one_line(text), size, room), size) <= room


def test_the_sheet_is_drawn_as_png_and_as_nothing_else(sample, tmp_path):
    for name in ("sheet.jpg", "sheet", "sheet.png.webp"):
        with pytest.raises(UsageError, match="drawn as PNG"):
            write_png(sample, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_face_without_accents_writes_plain_letters_and_no_boxes():
    assert (
        LETTERS.one_line("caf\u00e9\n\u00fcber stra\u00dfe \u0141\u00f3d\u017a \u2026")
        == "cafe uber strasse Lodz \u2026"
    )
    assert LETTERS.one_line("cafe\u0301") == "cafe"
    latin = "".join(map(chr, range(0xC0, 0x180)))
    plain = LETTERS.one_line(latin)
    assert sum(not LETTERS.has(letter) for letter in plain) < 12
    assert LETTERS.one_line("\u72d0") == "\u72d0"


def test_the_face_is_the_one_that_knows_most_of_the_letters():
    assert Lettering.of(["red fox", "1.25 \u00b7 \u2026"]).font(20).getname() == ("Aileron", "Regular")
    words = ["caf\u00e9 \u017e\u0159\u0142 \u00df"]
    chosen = Lettering.of(words)
    if chosen.font(20).getname() != ("Aileron", "Regular"):  # a system with a font of its own
        assert chosen.one_line(words[0]) == words[0]


def test_cells_without_a_picture_say_why(sample):
    with Run(sample) as run:
        data = SheetData.of(run)
    told = [verdict(data, cell) for cell in range(len(data.cells.job)) if not has_picture(data, cell)]
    said = {(why.words, why.brief) for why in told}
    assert {("failed", "task failed"), ("rejected", "illegal prompt"), ("unknown", "connection lost")} <= said
    assert {("submitted", ""), ("pending", ""), ("not here yet", "job deadline")} <= said
    assert ("excluded", 'when: lora.name == "ink" and lora.scale > 1.1') in said
