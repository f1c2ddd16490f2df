"""What a drawn sheet writes: signs that are not seen, shortened labels, and footnotes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sample_run import Sample, write_sample

from zbatch.sheet import SheetData, write_png
from zbatch.sheet.axes import Axis
from zbatch.sheet.drawing import best_drawing
from zbatch.sheet.labels import Labels, Texts
from zbatch.sheet.legend import legend
from zbatch.sheet.lettering import Lettering, whole
from zbatch.sheet.siblings import Siblings
from zbatch.sheet.signs import font_package, visible
from zbatch.state.run import Run

PROMPT = (
    "a portrait of an old fisherman mending a net in front of a stone bridge, {}, 85mm, film grain, autumn"
)
SUBJECTS = tuple(PROMPT.format(word) for word in ("smiling", "crying", "asleep"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    sample = Sample(subjects=SUBJECTS, view=(("x", "subject"), ("y", "lora.scale")))
    with Run(write_sample(tmp_path_factory.mktemp("labels") / "run", sample)) as run:
        return SheetData.of(run)


@pytest.mark.parametrize(
    ("text", "all_letters", "few_letters"),
    [
        ("fox\u202egnp.exe", "fox[RLO]gnp.exe", "fox[RLO]gnp.exe"),
        ("a\x07b\x7f", "a\u2407b\u2421", "a[U+0007]b[U+007F]"),
        ("a\x9bb\ue000", "a\ufffdb\ufffd", "a[U+009B]b[U+E000]"),
        ("one\ttwo\nthree\u2028four\u00a0five", "one two three four five", "one two three four five"),
        ("a\u200bb\u200d\ufe0f\ufeffc", "abc", "abc"),
        ("\ud800", "\ufffd", "[U+D800]"),
    ],
)
def test_signs_that_are_not_seen_are_written_out_as_on_the_page(text, all_letters, few_letters):
    assert visible(text, lambda _: True) == all_letters
    assert visible(text, lambda _: False) == few_letters


@given(st.text())
def test_any_text_becomes_one_printable_line(text):
    line = Lettering().one_line(text)
    assert line.isprintable() or not line
    assert line == " ".join(line.split())


def test_a_shortened_label_has_dots_its_own_word_and_the_number_of_a_footnote(data):
    labels = Labels(Texts(data, Lettering()), footnotes=True)
    drawn = [labels.lines("subject", value, 28, 260, 3) for value in range(3)]
    assert [label.mark for label in drawn] == ["1", "2", "3"]
    for label, word in zip(drawn, ("smiling", "crying", "asleep"), strict=True):
        assert "…" in " ".join(label.lines)
        assert word in " ".join(label.lines)
        assert labels.width(label, 28) <= 260
    assert labels.lines("subject", 1, 28, 260, 3).mark == "2"
    assert labels.lines("subject", 0, 28, 2000, 3).mark == ""
    assert len(legend(labels, 28, 1000)) == 1 + 3


def test_without_room_for_footnotes_there_are_no_numbers(data):
    labels = Labels(Texts(data, Lettering()), footnotes=False)
    assert labels.lines("subject", 0, 28, 260, 3).mark == ""
    assert legend(labels, 28, 1000) == []


def drawn(tmp_path, subjects):
    view = (("y", "subject"), ("x", "lora.scale"))
    sample = Sample(subjects=subjects, loras=("film",), scales=(0, 1), seeds=1, view=view, troubles=False)
    with Run(write_sample(tmp_path / "run", sample)) as run:
        return best_drawing(SheetData.of(run), tmp_path / "run")


def test_footnotes_are_on_the_last_page(data, tmp_path):
    drawing = best_drawing(data, tmp_path)
    assert len(drawing.labels.notes) == 3
    assert len(drawing.pages[-1].foot) == 4
    assert not drawing.unexplained


def test_long_footnotes_take_pages_of_their_own(tmp_path):
    drawing = drawn(
        tmp_path, tuple(f"number {number} " + "of many words that never end " * 97 for number in "ab")
    )
    assert list(drawing.labels.notes.values()) == [1, 2]
    assert drawing.pages[-1].foot
    assert drawing.page(len(drawing.pages)).getextrema()[0][0] < 100
    for page in drawing.pages:
        assert page.height <= drawing._tallest + 12  # noqa: SLF001 - what fits on a page of it


def test_footnotes_of_many_pages_are_left_out_and_that_is_said(tmp_path):
    drawing = drawn(
        tmp_path, tuple(f"number {number} " + "of many words that never end " * 140 for number in range(90))
    )
    assert drawing.labels.notes == {}
    assert not any(page.foot for page in drawing.pages)
    assert drawing.unexplained
    told = []
    write_png(tmp_path / "run", tmp_path / "sheet.png", notice=told.append)
    assert [word for word in told if word.startswith("hint: long values are shortened")]


def test_a_very_long_text_ends_with_how_long_it_is(data, tmp_path):
    drawing = drawn(tmp_path, tuple("a very long word " * 6000 + end for end in ("smiling", "crying")))
    notes = [" ".join(drawing.labels.texts.note("subject", value, 20, 900)) for value in range(2)]
    for note, end, length in zip(notes, ("smiling", "crying"), ("102,007", "102,006"), strict=True):
        assert "… " in note
        assert note.endswith(f"{end} ({length} characters, whole in index.html)")


@pytest.mark.parametrize("length", [100, 4_100, 100_000])
@pytest.mark.parametrize("others", [(), ("something else altogether in many words",)])
def test_labels_of_long_values_differ_where_the_values_do(tmp_path, length, others):
    body = ("a portrait in front of an old stone bridge over a quiet river, " * (length // 60 + 1))[:length]
    middle = length * 2 // 3
    texts = [f"{body[:middle]} {word} {body[middle:]}" for word in ("smiling", "crying", "asleep")]
    texts += [(other + " ") * (length // len(other) + 1) for other in others]
    labels = drawn(tmp_path, tuple(texts)).labels
    shown = [" ".join(labels.lines("subject", value, 28, 260, 3).lines) for value in range(len(texts))]
    assert [word in label for word, label in zip(("smiling", "crying", "asleep"), shown, strict=False)] == [
        True
    ] * 3
    assert len(set(shown)) == len(texts)


def test_numbers_under_a_picture_say_what_they_are(data):
    labels = Labels(Texts(data, Lettering()), footnotes=True)
    assert labels.joined([("lora.name", 0), ("seed", 1)], 20, 400, 2).lines == ["film · seed 1001"]


@given(
    st.lists(
        st.text(st.sampled_from("abc  mmm"), min_size=1, max_size=90), min_size=1, max_size=4, unique=True
    ),
    st.integers(60, 420),
)
def test_whatever_is_shortened_under_a_picture_has_a_number(data, texts, room):
    axes = tuple(Axis(f"axis{number}", (text,), numeric=False) for number, text in enumerate(texts))
    labels = Labels(Texts(replace(data, axes=axes), Lettering()), footnotes=True)
    label = labels.joined([(f"axis{number}", 0) for number in range(len(texts))], 20, room, 3)
    told = [labels.texts.value(f"axis{number}", 0) for number in range(len(texts))]
    assert bool(label.mark) != whole(" · ".join(told), label.lines)


def test_scripts_without_spaces_are_shortened_where_they_are_alike():
    texts = [
        f"静かな冬の朝の光のなかで古い石の橋の前に{animal}が立っている遠くの山と川" for animal in ("狐", "梟")
    ]
    among = Siblings(texts)
    short = [among.shortened(text, lambda version: len(version) <= 20) for text in texts]
    assert all("…" in text and len(text) <= 20 for text in short)
    assert ["狐" in short[0], "梟" in short[1]] == [True, True]


def test_short_values_do_not_hide_what_long_ones_share():
    among = Siblings(["a cat", *SUBJECTS])
    assert "crying" in among.shortened(SUBJECTS[1], lambda version: len(version) <= 40)
    assert among.shortened("a cat", lambda _: False) == "a cat"


@given(st.text(st.sampled_from("ab \u72d0\u3042"), max_size=60), st.integers(40, 300))
def test_enough_lines_hold_the_whole_text(text, room):
    letters = Lettering()
    line = letters.one_line(text)
    assert whole(line, letters.wrapped(line, 20, room, 100))


def test_fonts_to_install_are_named_by_script():
    assert font_package("赤い") == "fonts-noto-cjk"
    assert font_package("ثعلب") == "fonts-noto-core"
    assert font_package("狐🦊") == "fonts-noto-cjk and fonts-symbola"
