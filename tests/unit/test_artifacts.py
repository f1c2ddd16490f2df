"""A picture's bytes become a whole, hashed file with a thumbnail, or nothing at all."""

import hashlib
import io
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.misbehaving_exchange import bomb

from zbatch.errors import DiskError
from zbatch.model import EXTENSIONS
from zbatch.state.artifacts import THUMB_SIDE, Asked, BadImageError, save_artifact, thumb_size
from zbatch.state.directory import RunDirectory

KEY = "c0ffee" * 10 + "0000"


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    return directory


def asked(file="images/fox.webp", output_format="webp", size=(256, 320)):
    return Asked(KEY, file, output_format, *size)


def picture(output_format="webp", size=(256, 320), mode="RGB", noise=False):
    image = Image.effect_noise(size, 60).convert(mode) if noise else Image.new(mode, size)
    file = io.BytesIO()
    image.save(file, output_format)
    return file.getvalue()


def files(directory):
    folders = (directory.images, directory.thumbs, directory.parts)
    return sorted(str(path.relative_to(directory.path)) for folder in folders for path in folder.rglob("*.*"))


@pytest.mark.parametrize("output_format", list(EXTENSIONS))
def test_a_whole_picture_is_kept_to_the_byte_with_its_hash_and_a_thumbnail(directory, output_format):
    data, name = picture(output_format, (512, 640)), f"images/fox{EXTENSIONS[output_format]}"
    artifact = save_artifact(directory, asked(name, output_format, (512, 640)), data)
    assert (directory.path / artifact.file).read_bytes() == data
    assert artifact.sha256 == artifact.received_sha256 == hashlib.sha256(data).hexdigest()
    assert (artifact.file, artifact.bytes, artifact.width, artifact.height) == (name, len(data), 512, 640)
    assert (artifact.media_type, artifact.warnings) == (f"image/{output_format}", ())
    with Image.open(directory.path / artifact.thumb) as thumb:
        assert thumb.size == (artifact.thumb_width, artifact.thumb_height)
    assert (artifact.thumb_width, artifact.thumb_height) == (286, 358)
    assert abs(286 * 358 - THUMB_SIDE**2) < 200
    assert files(directory) == sorted([artifact.file, artifact.thumb])


def test_a_picture_no_larger_than_a_thumbnail_is_its_own(directory):
    artifact = save_artifact(directory, asked(), picture())
    assert (artifact.thumb, artifact.thumb_width, artifact.thumb_height) == (artifact.file, 256, 320)
    assert files(directory) == [artifact.file]


def moving():
    file = io.BytesIO()
    frames = [Image.new("RGB", (256, 320), color) for color in ("red", "blue")]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "output_format"),
    [
        (picture("png", (256, 320), noise=True), "png"),
        (picture("png", mode="RGBA"), "png"),
        (moving(), "webp"),
    ],
)
def test_a_small_picture_that_is_heavy_transparent_or_moves_gets_a_thumbnail(directory, data, output_format):
    artifact = save_artifact(directory, asked(output_format=output_format), data)
    assert artifact.thumb.startswith("thumbs/")
    assert (directory.path / artifact.thumb).is_file()


@pytest.mark.parametrize(
    ("data", "size", "output_format", "file", "warnings"),
    [
        (picture(size=(300, 260)), (256, 320), "webp", "images/fox.webp",
         ("size: asked for 256*320, got 300*260",)),
        (picture("png"), (256, 320), "webp", "images/fox.png", ("output_format: asked for webp, got png",)),
        (picture("jpeg", (10, 10)), (256, 320), "webp", "images/fox.jpg",
         ("size: asked for 256*320, got 10*10", "output_format: asked for webp, got jpeg")),
    ],
)  # fmt: skip
def test_a_whole_picture_of_another_kind_is_kept_and_marked(
    directory, data, size, output_format, file, warnings
):
    artifact = save_artifact(directory, asked(output_format=output_format, size=size), data)
    assert (artifact.file, artifact.warnings) == (file, warnings)
    assert (directory.path / file).read_bytes() == data


@pytest.mark.parametrize(
    ("output_format", "mode"),
    [("png", mode) for mode in ("1", "L", "LA", "P", "RGBA", "I;16")]
    + [("jpeg", "L"), ("jpeg", "CMYK"), ("webp", "RGBA")],
)
def test_every_kind_of_pixels_gets_a_thumbnail(directory, output_format, mode):
    artifact = save_artifact(directory, asked(), picture(output_format, mode=mode))
    assert (directory.path / artifact.thumb).stat().st_size > 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"<!doctype html><html>Not found</html>", "an HTML page"),
        (b"\n <HTML>", "an HTML page"),
        (random.Random(1).randbytes(5000), "no PNG, JPEG or WebP picture"),
        (picture("gif"), "no PNG, JPEG or WebP picture"),
        (picture("png", noise=True)[:-1], "not a whole picture"),
        (picture("jpeg", noise=True)[:9000], "not a whole picture"),
        (picture("webp", noise=True)[:2000], "not a whole picture"),
        (bomb(), "decompression bomb"),
    ],
    ids=["empty", "html", "html2", "noise", "gif", "png-end", "jpeg-half", "webp-half", "bomb"],
)
def test_what_is_no_whole_picture_is_refused_and_nothing_is_kept(directory, data, words):
    with pytest.raises(BadImageError, match=words) as caught:
        save_artifact(directory, asked(), data)
    assert "0x" not in str(caught.value)
    assert files(directory) == []


WHOLE = {name: picture(name, (48, 40), noise=True) for name in EXTENSIONS}


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(list(WHOLE)), share=st.floats(0, 1, exclude_max=True))
def test_no_part_of_a_picture_passes_for_the_whole(tmp_path_factory, name, share):
    data = WHOLE[name]
    directory = RunDirectory(tmp_path_factory.getbasetemp() / "parts-run")
    directory.create()
    with pytest.raises(BadImageError):
        save_artifact(directory, asked(), data[: int(share * len(data))])


def test_a_picture_with_one_bit_turned_in_its_pixels_is_not_whole(directory):
    data = bytearray(picture("png", noise=True))
    data[len(data) // 2] ^= 4
    with pytest.raises(BadImageError):
        save_artifact(directory, asked(), bytes(data))


def test_the_longest_name_a_manifest_may_give_can_be_written(directory):
    name = f"images/{'x' * 240}.webp"
    assert save_artifact(directory, asked(name), picture()).file == name


def test_names_in_folders_and_in_any_script(directory):
    name = "images/red fox/gr\u00fcn \U0001f98a/1.5.webp"
    assert save_artifact(directory, asked(name), picture("png")).file == name.replace(".webp", ".png")


def test_saving_again_after_a_crash_writes_the_same_once_more(directory):
    first = save_artifact(directory, asked(), picture())
    assert save_artifact(directory, asked(), picture()) == first


@pytest.mark.parametrize(("width", "height"), [(1024, 1024), (1536, 256), (1, 5000), (100, 50)])
def test_a_thumbnail_is_never_larger(width, height):
    small = thumb_size(width, height)
    assert 1 <= max(small) <= min(800, max(width, height))
    assert small[0] * small[1] <= max(THUMB_SIDE**2 * 1.01, 800)


# ── the disk ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_where_a_directory_should_be_is_told(directory):
    (directory.images / "a").write_text("in the way")
    with pytest.raises(DiskError, match="images/a is no directory") as caught:
        save_artifact(directory, asked("images/a/fox.webp"), picture())
    assert "its task is recorded" in caught.value.hint
    assert (directory.images / "a").read_text() == "in the way"


def test_a_directory_where_the_picture_should_be_is_told(directory):
    (directory.images / "fox.webp").mkdir()
    with pytest.raises(DiskError, match=r"images/fox\.webp"):
        save_artifact(directory, asked(), picture())
    assert list(directory.parts.iterdir()) == []


def test_a_run_directory_that_was_removed_is_told(directory):
    directory.parts.rmdir()
    with pytest.raises(DiskError):
        save_artifact(directory, asked(), picture())


@pytest.mark.parametrize("link", ["images", "images/a", "thumbs"])
def test_a_link_out_of_the_run_directory_is_not_followed(directory, tmp_path, link):
    outside = tmp_path / "outside"
    outside.mkdir()
    place = directory.path / link
    if place.is_dir():
        place.rmdir()
    place.symlink_to(outside)
    with pytest.raises(DiskError, match="symbolic link"):
        save_artifact(directory, asked("images/a/b/fox.webp"), picture(size=(512, 512)))
    assert list(outside.iterdir()) == []


def test_a_link_in_the_place_of_the_file_is_replaced_and_not_written_through(directory, tmp_path):
    (tmp_path / "precious").write_text("keep me")
    (directory.images / "fox.webp").symlink_to(tmp_path / "precious")
    save_artifact(directory, asked(), picture())
    assert (tmp_path / "precious").read_text() == "keep me"
    assert not (directory.images / "fox.webp").is_symlink()


FULL = """
import resource, sys
from pathlib import Path
from zbatch.errors import DiskError
from zbatch.state.artifacts import Asked, save_artifact
from zbatch.state.directory import RunDirectory
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    save_artifact(RunDirectory(Path(sys.argv[1])), Asked("k" * 64, "images/fox.png", "png", 256, 320),
                  Path(sys.argv[2]).read_bytes())
except DiskError as error:
    print(error)
"""


def test_a_full_disk_leaves_neither_the_picture_nor_a_part_of_it(directory, tmp_path):
    (tmp_path / "source").write_bytes(picture("png", noise=True))
    done = subprocess.run(
        [sys.executable, "-c", FULL, directory.path, tmp_path / "source"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "cannot write" in done.stdout
    assert "File too large" in done.stdout
    assert list(directory.images.iterdir()) == list(directory.parts.iterdir()) == []


def test_a_relative_run_directory_that_is_gone_is_looked_at_and_no_more(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RunDirectory(Path("nope")).closed("nope/images/a", "mend it") is None
