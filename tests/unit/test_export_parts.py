"""Parts of exports by themselves: names, likeness, captions of old runs, headers of tar members."""

from __future__ import annotations

import io
import re
import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from support.sample_run import Sample, write_sample

from zbatch.errors import UsageError
from zbatch.exports.columns import Columns, Found
from zbatch.exports.entries import Entry
from zbatch.exports.likeness import Likeness, UnreadableError, look_alike
from zbatch.exports.looking import BLANK, SEEN, UNREADABLE, look
from zbatch.exports.names import Names
from zbatch.exports.tables import _cell
from zbatch.exports.webdataset import header
from zbatch.looks import carried_look, looks_of, shrunk
from zbatch.state.artifacts import thumbnail_of
from zbatch.state.captions import Captions
from zbatch.state.run import Run
from zbatch.units import parse_size


def entry(file="images/a.webp", key="0123456789abcdef" * 4, **more):
    facts = {"cells": [{}], "request": {"prompt": "a", "seed": 1}, **more}
    return Entry(0, key, file, "0" * 64, 1, 1, 1, "image/webp", "m", False, [], thumb=file, **facts)


def test_names_are_flat_told_apart_and_short():
    names = Names()
    assert names.stem(entry("images/red fox/a.1.webp")) == "red fox__a.1"
    assert names.stem(entry("images/red fox__a.1.png")) == "red fox__a.1-01234567"
    assert names.stem(entry("images/RED fox/A.1.png", key="f" * 64)) == "RED fox__A.1-ffffffff"
    assert names.renamed == 2
    long = names.stem(entry("images/" + "\u72d0" * 80 + "/" + "x" * 100 + ".webp"))
    assert len(long.encode()) <= 200
    assert long.startswith("\u72d0")
    assert long.endswith("-0123456789abcdef")
    assert Names(dots=False).stem(entry("images/a.b/c.d.jpg")) == "a_b__c_d"


def test_one_name_for_very_many():
    names = Names()
    stems = [names.stem(entry(key=f"{number:064x}"[::-1])) for number in range(20)]
    assert len(set(stems)) == 20


def drawn(seed, *, noise=0):
    dice = np.random.default_rng(seed)
    image = Image.fromarray(dice.integers(0, 256, (5, 5, 3), np.uint8)).resize(
        (200, 160), Image.Resampling.BICUBIC
    )
    ImageDraw.Draw(image).ellipse((40, 40, 120, 120), fill=tuple(int(n) for n in dice.integers(0, 256, 3)))
    if noise:
        pixels = np.asarray(image).astype(int) + np.random.default_rng(9).integers(
            -noise, noise, (160, 200, 3)
        )
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return image


def test_the_hash_is_that_of_imagehash():
    imagehash = pytest.importorskip("imagehash", reason="pip install ImageHash (the test extra has it)")
    for seed in range(20):
        image = drawn(seed).convert("L").resize((32, 32), Image.Resampling.LANCZOS)
        ours = looks_of(np.asarray(image)[None])[0, :8]
        assert np.packbits(imagehash.phash(image).hash.flatten()).tolist() == ours.tolist()


def test_what_looks_alike_is_near_and_what_does_not_is_far(tmp_path):
    files = []
    for number, (seed, noise, kind) in enumerate(
        [(1, 0, "PNG"), (1, 12, "JPEG"), (1, 0, "WEBP"), (2, 0, "PNG"), (3, 0, "JPEG")]
    ):
        file = f"{number}.{kind.lower()}"
        drawn(seed, noise=noise).save(tmp_path / file, kind)
        files.append(file)
    Image.new("RGB", (300, 300), "#123456").save(tmp_path / "blank.jpeg")
    entries = [entry(file) for file in (*files, "blank.jpeg")]
    told = []
    seen = Likeness([tmp_path], 2).look(
        iter(entries), len(entries), lambda done, total: told.append((done, total))
    )
    assert seen.blank == (5,)
    assert told[-1] == (6, 6)
    pairs = look_alike(seen.hashes, range(5), 4)
    assert [(pair.number, pair.like) for pair in pairs] == [(1, 0), (2, 0)]
    assert all(pair.distance <= 4 for pair in pairs)


def test_a_thumbnail_that_is_gone_gives_way_to_the_image_and_neither_is_an_error(tmp_path):
    drawn(1).save(tmp_path / "image.png")
    paths = [(str(tmp_path / "gone.webp"), str(tmp_path / "image.png")), (str(tmp_path / "gone.webp"),)]
    answer = look(paths)
    assert (answer[8], answer[17]) == (SEEN, UNREADABLE)
    Image.new("RGBA", (40, 40)).save(tmp_path / "clear.png")
    assert look([(str(tmp_path / "clear.png"),)])[8] == BLANK
    with pytest.raises(UnreadableError):
        Likeness([tmp_path], 1).look(iter([entry("gone.webp")]), 1, lambda _done, _all: None)


@pytest.mark.parametrize("most", [0, 3, 10])
def test_look_alike_is_what_comparing_one_by_one_gives(most):
    dice = np.random.default_rng(most)
    hashes = dice.integers(0, 2**63, 40, np.uint64).repeat(10)
    hashes ^= np.uint64(1) << dice.integers(0, 64, 400, np.uint64)
    hashes[200:] ^= np.uint64(1) << dice.integers(0, 64, 200, np.uint64)
    kept, expected = [], []
    for number, value in enumerate(hashes.tolist()):
        near = (
            min(((value ^ hashes.tolist()[other]).bit_count(), other) for other in kept) if kept else (65, -1)
        )
        if near[0] <= most:
            expected.append((number, near[1], near[0]))
        else:
            kept.append(number)
    assert [tuple(pair) for pair in look_alike(hashes, range(400), most)] == expected


def test_a_thumbnail_carries_the_look_of_its_picture(tmp_path):
    buffer = io.BytesIO()
    drawn(4).resize((1024, 819)).save(buffer, "PNG")
    thumb = tmp_path / "thumb.webp"
    thumb.write_bytes(thumbnail_of(buffer.getvalue()))
    carried = carried_look(thumb.read_bytes())
    assert carried is not None
    assert look([(str(thumb),)]) == carried[:8] + bytes([SEEN])
    with Image.open(thumb) as small:
        again = looks_of(shrunk(small)[None])[0, :8].tobytes()
    assert (int.from_bytes(again) ^ int.from_bytes(carried[:8])).bit_count() <= 4
    assert carried_look(b"zbatch-look-1:xyz") is None
    assert carried_look(b"zbatch-look-1:00") is None


def test_columns_are_of_one_type_and_called_apart():
    found = Found()
    cells = [
        {"seed": 1, "scale": 0, "mixed": 1, "text": "a", "odd": None},
        {"seed": 1, "scale": 0.5, "mixed": "x", "odd": None, "width": 2**63},
    ]
    entries = [entry(cells=[cell]) for cell in cells]
    for one in entries:
        found.add(one)
    columns = Columns(found, ["run"])
    rows = [columns.row(one) for one in entries]
    assert [list(row) == list(columns.kinds) for row in rows] == [True, True]
    assert [(row["scale"], row["mixed"], row["axis.text"], row["odd"]) for row in rows] == [
        (0.0, "1", "a", None), (0.5, "x", None, None),
    ]  # fmt: skip
    assert all(isinstance(row["scale"], float) for row in rows)
    assert "axis.seed" not in columns.kinds
    assert (rows[0]["axis.width"], rows[1]["axis.width"]) == (None, str(2**63))
    assert columns.kinds["odd"] == "nothing"
    assert columns.filled(rows[0])["warnings"] == ""
    assert columns.with_nulls == {"axis.text", "odd", "axis.width"}
    with pytest.raises(UsageError, match=r"two columns would be called 'axis\.width'"):
        Columns(found, ["run"], "axis.width")


def test_a_run_of_an_older_zbatch_has_the_plain_caption_and_says_why_no_other(tmp_path):
    with Run(write_sample(tmp_path / "old", Sample(subjects=("fox",), seeds=1))) as run:
        plain = Captions(run)
        plain.check()
        one = entry(cells=[{"subject": "fox"}], request={"prompt": "a fox", "seed": 1})
        assert plain.of(one) == "a fox"
        assert Captions(run, "{{ request.seed }} {{ key[:4] }}").of(one) == "1 0123"
        with pytest.raises(UsageError, match="made by an older zbatch, which kept nothing for captions"):
            Captions(run, "{{ lora.trigger }}").check()


@pytest.mark.parametrize("name", ["a.jpg", "x" * 100, "\u72d0.txt", "y" * 200 + ".json"])
@pytest.mark.parametrize("size", [0, 1, 511, 512, 10**9])
def test_headers_are_those_of_tarfile(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    assert header(name, size) == info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def test_sizes_are_read_as_people_write_them():
    assert [parse_size(text) for text in ("1GB", "500 mb", "1.5k", "12")] == [10**9, 5 * 10**8, 1500, 12]
    assert [parse_size(text) for text in ("5MiB", "2 KiB", "1gib", "3Ki")] == [5 << 20, 2048, 1 << 30, 3072]
    for text in ("", "MB", "-1", "0", "1TB", "5iB", "1TiB"):
        with pytest.raises(UsageError):
            parse_size(text)


@given(st.text("='+-@\t\ra", max_size=6) | st.text(max_size=5))
def test_what_the_csv_puts_before_text_can_be_taken_away_again(text):
    cell = _cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert re.sub(r"^'('*[=+\-@\t\r])", r"\1", cell) == text
