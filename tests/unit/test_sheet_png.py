from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_png
from zbatch.sheet.arrangement import Verdict, arrange
from zbatch.sheet.data import SheetData
from zbatch.sheet.labels import Labels, Texts, fair
from zbatch.sheet.lettering import Lettering
from zbatch.sheet.measures import Measures
from zbatch.sheet.rows import Rows, reason_lines
from zbatch.sheet.siblings import Siblings
from zbatch.state.run import Run

PROMPT = "a portrait of a woman in front of an old stone bridge over a quiet river, {} , 85mm, film grain"
TEXTS = [PROMPT.format(word) for word in ("smiling", "crying", "looking away")]


def test_long_values_are_shortened_where_they_are_alike():
    letters, among = Lettering(), Siblings(TEXTS)
    drawn = [" ".join(letters.wrapped(text, 22, 250, 3, among)) for text in TEXTS]
    assert [own in text for own, text in zip(("smiling", "crying", "looking away"), drawn, strict=True)]
    assert all(text.startswith("a portrait") and text.endswith("film grain") for text in drawn)
    assert all(text.count("…") == 1 for text in drawn)
    assert len(set(drawn)) == 3


def test_what_fits_is_left_whole_and_what_never_fits_keeps_its_own_words():
    among = Siblings(TEXTS)
    assert among.shortened(TEXTS[0], lambda _: True) == TEXTS[0]
    assert among.shortened(TEXTS[2], lambda _: False) == "… looking away …"
    assert Siblings([TEXTS[0]]).shortened(TEXTS[0], lambda _: False) == TEXTS[0]


def test_short_values_leave_their_room_to_long_ones():
    assert fair([10, 20], 100) == 100
    assert fair([10, 500], 100) == 90
    assert fair([300, 10, 500], 100) == 45


words = st.lists(st.sampled_from("red fox in the snow".split()), min_size=1, max_size=8).map(" ".join)


@given(st.lists(words, min_size=2, max_size=5, unique=True), st.integers(3, 40))
def test_shortened_siblings_still_differ(texts, room):
    among = Siblings(texts)
    shortened = [among.shortened(text, lambda version: len(version) <= room) for text in texts]
    assert len(set(shortened)) == len(texts)


def test_letters_that_pillow_draws_by_itself_need_no_font_and_no_word(tmp_path):
    run = write_sample(tmp_path / "run", Sample(subjects=("red fox",), loras=("film",), seeds=1))
    told = []
    write_png(run, tmp_path / "sheet.png", notice=told.append)
    assert told == []
    assert Lettering.of(["red fox, 85mm"]).font(20).getname()[0] not in {"DejaVu Sans", "Liberation Sans"}


def test_a_sheet_in_chinese_is_drawn_or_said_not_to_be(tmp_path):
    run = write_sample(tmp_path / "run", Sample(subjects=("赤い狐",), loras=("film",), seeds=1))
    told = []
    [path] = write_png(run, tmp_path / "sheet.png", notice=told.append)
    assert path.exists()
    lacking = Lettering.of(["赤い狐"]).lacking(["赤い狐"])
    assert bool(told) == bool(lacking)
    assert all(mark in told[0] for mark in lacking)


def test_pages_say_which_one_they_are(tmp_path):
    sample = Sample(scales=(0.2, 0.4, 0.6, 0.8), seeds=12, troubles=False, pictures=4)
    paths = write_png(write_sample(tmp_path / "run", sample), tmp_path / "sheet.png")
    assert len(paths) > 1
    for path in paths:
        with Image.open(path) as image:
            foot = image.convert("L").crop((0, image.height - 56, image.width, image.height - 8))
            assert foot.getextrema()[0] < 200


def test_a_box_without_a_picture_says_what_the_server_said_where_it_fits():
    letters, why = Lettering(), Verdict("failed", "task failed", "the lamp of the projector is broken")

    def told(room, most):
        return " ".join(reason_lines(letters, why, 16, room, most))

    assert told(250, 4) == "task failed: the lamp of the projector is broken"
    assert told(150, 2) == "the lamp of the projector is broken"
    assert told(120, 1) == "task failed"
    long = Verdict("failed", "task failed", "of this and that, " * 40 + "and that is all")
    lines = reason_lines(letters, long, 16, 250, 6)
    assert len(lines) == 6
    assert lines[0].startswith("task failed: of this")
    assert lines[-1].endswith("that is all")
    assert reason_lines(letters, Verdict("pending"), 16, 250, 6) == []


def test_what_the_server_said_is_on_the_page(tmp_path):
    def drawn(name, reason):
        sample = Sample(loras=("film",), scales=(0.4, 0.8), seeds=1, reason=reason)
        run = write_sample(tmp_path / name, sample)
        [path] = write_png(run, tmp_path / f"{name}.png")
        with Image.open(path) as image:
            return image.tobytes()

    assert drawn("one", "no lamp") == drawn("two", "no lamp") != drawn("three", "no light")


@pytest.mark.parametrize(
    ("y", "group", "number", "told"),
    [
        ("seed", ["subject"], 1, ["film", "film", "ink", "film"]),  # of one there is no picture
        ("subject", [], 0, ["film · seed 1000"] * 4),
        ("seed", ["subject", "lora.name"], 0, [""] * 4),
    ],
)
def test_a_stack_says_which_of_its_pictures_lies_on_top(tmp_path, y, group, number, told):
    view = (("x", "lora.scale"), ("y", y), ("group", group))
    with Run(write_sample(tmp_path / "run", Sample(view=view))) as run:
        data = SheetData.of(run)
    texts, arrangement = Texts(data, Lettering()), arrange(data)
    measures = Measures(data, arrangement, texts, 1200, 22)
    rows = Rows(data, tmp_path / "run", Labels(texts, footnotes=True), measures)
    cells = arrangement.sections[0].rows[number].cells
    words = [rows.caption(cells[value], measures.widths[value]).lines for value in arrangement.columns]
    assert [" ".join(lines) for lines in words] == told
