"""Where a drawn sheet is cut into pages, and what it leaves behind."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from support.sample_run import Sample, write_sample

from zbatch.errors import UsageError
from zbatch.sheet import SheetData, write_png
from zbatch.sheet.arrangement import arrange
from zbatch.sheet.drawing import best_drawing
from zbatch.sheet.labels import Texts
from zbatch.sheet.lettering import Lettering
from zbatch.sheet.measures import Measures
from zbatch.sheet.pages import A4, Strip, balanced, paginate, tall
from zbatch.state.run import Run

LONG = Sample(scales=(0.2, 0.4, 0.6, 0.8), seeds=12, troubles=False, excluded=False, pictures=4)
SHORT = Sample(subjects=("red fox",), loras=("film",), seeds=1, troubles=False)


def nothing(*_):
    pass


def group(rows: int, height: int = 100) -> list[Strip]:
    """A heading and its rows, tied as the drawing ties them."""
    heading = Strip(40, nothing, opens=True)
    again = (Strip(41, nothing, opens=True),)
    return [heading] + [
        Strip(height, nothing, tied=number <= 1 or number == rows - 1, again=again) for number in range(rows)
    ]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(400, 1500))
def test_no_page_ends_after_the_first_row_of_a_group_or_begins_with_the_last(groups, room):
    strips = [strip for rows in groups for strip in group(rows)]
    columns, forced = paginate(strips, lambda _: room)
    assert forced == 0
    assert all(tall(column) <= room for column in columns)
    own = [strip for column in columns for strip in column if strip.height != 41]
    assert own == strips
    for column, after in itertools.pairwise(columns):
        assert not column[-1].opens
        assert after[0].height in (40, 41)  # each begins with a heading, repeated where a group goes on
        rows = [strip for strip in after[1:3] if not strip.opens]
        assert after[0].height == 40 or len(rows) == 2


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(400, 1500), st.integers(1, 3))
def test_pages_are_balanced_without_becoming_more(groups, room, across):
    strips = [strip for rows in groups for strip in group(rows)]
    plain, _ = paginate(strips, lambda _: room)
    pages = balanced(strips, room, 0, across)
    assert len(pages) == -(-len(plain) // across)
    assert all(tall(column) <= room for page in pages for column in page)


def test_the_first_page_is_not_left_blank_for_the_sake_of_balance():
    strips = [strip for _ in range(8) for strip in group(3)]  # three rows of a group stay together
    pages = balanced(strips, room=1220, head=100, across=1)
    assert [sum(strip.height == 40 for strip in page[0]) for page in pages] == [3, 3, 2]


def test_a_row_taller_than_a_page_gets_one_of_its_own():
    columns, forced = paginate(group(3, 900), lambda _: 500)
    assert [len(column) for column in columns] == [2, 2, 2]
    assert forced


def test_pages_have_the_proportions_of_a4_and_one_size(tmp_path):
    paths = write_png(write_sample(tmp_path / "run", LONG), tmp_path / "sheet.png")
    sizes = set()
    for path in paths:
        with Image.open(path) as image:
            sizes.add(image.size)
    [(width, height)] = sizes
    assert max(width, height) / min(width, height) == pytest.approx(A4, abs=0.01)


def test_a_narrow_long_sheet_lies_side_by_side(tmp_path):
    sample = Sample(
        subjects=("fox",), loras=("film",), scales=(1,), seeds=40, view=(("y", "seed"),), troubles=False
    )
    with Run(write_sample(tmp_path / "run", sample)) as run:
        drawing = best_drawing(SheetData.of(run), tmp_path)
    assert len(drawing.pages) == 1
    assert len(drawing.pages[0].columns) > 3
    width, height = drawing.page(1).size
    assert 0.6 < width / height < 1.7


def test_stale_pages_of_the_same_run_go_and_nothing_else_does(tmp_path):
    run, path = write_sample(tmp_path / "run", LONG), tmp_path / "sheet.png"
    pages = write_png(run, path)
    assert len(pages) > 1
    written = PngImagePlugin.PngInfo()
    written.add_text("Software", "zbatch 0.1.0")
    written.add_text("zbatch-run", "another run")
    Image.new("RGB", (4, 4)).save(tmp_path / "sheet-7.png", pnginfo=written)
    Image.new("RGB", (4, 4)).save(tmp_path / "sheet-8.png")
    (tmp_path / "sheet-9.png").write_text("my notes")
    (tmp_path / "sheet-10.png").symlink_to(pages[0])
    (tmp_path / "sheet-x.png").write_bytes(pages[0].read_bytes())
    told = []
    # The same run with fewer cells, as after an edit of its manifest: it has the identity of the sample.
    assert write_png(write_sample(tmp_path / "less", SHORT), path, notice=told.append) == [path]
    assert sorted(own.name for own in tmp_path.glob("*.png")) == [
        "sheet-10.png", "sheet-7.png", "sheet-8.png", "sheet-9.png", "sheet-x.png", "sheet.png",
    ]  # fmt: skip
    assert told == ["left as it is, drawn from another run: sheet-7.png"]
    (tmp_path / "sheet-10.png").unlink()
    write_png(run, path)
    assert not path.exists()


def test_a_page_never_replaces_a_file_of_somebody_else(tmp_path):
    (tmp_path / "sheet-2.png").write_text("mine")
    with pytest.raises(UsageError, match=r"sheet-2\.png would replace a file that zbatch did not write"):
        write_png(write_sample(tmp_path / "run", LONG), tmp_path / "sheet.png")
    assert [own.name for own in tmp_path.glob("*.png")] == ["sheet-2.png"]


@pytest.mark.parametrize("size", ["512*512", "1536*256", "256*1536", "832*1216"])
def test_pictures_keep_their_proportions(tmp_path, size):
    sample = Sample(subjects=("fox",), loras=("film",), seeds=2, sizes=("768*768", size), troubles=False)
    with Run(write_sample(tmp_path / "run", sample)) as run:
        data = SheetData.of(run)
    texts = Texts(data, Lettering())
    measures = Measures(data, arrange(data), texts, 2352, 28)
    for cell, job in enumerate(data.cells.job):
        wide, high = measures.box(cell)
        width, height = data.shapes[data.jobs.shape[job]][:2]
        assert wide / high == pytest.approx(width / height, rel=0.02)
