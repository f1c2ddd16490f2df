"""Local input images: relative to the manifest, under its directory, decoded, standing as file and hash."""

import base64
import hashlib
import os

import pytest
from PIL import Image
from support.manifests import HEAD

from zbatch.errors import ManifestError
from zbatch.manifest.inputs import InputChangedError, InputImageError, InputImages, data_uri, is_remote
from zbatch.manifest.loader import expand
from zbatch.model import InputImage


def picture(path, size=(8, 8), image_format="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 120, 40)).save(path, image_format)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def inputs(tmp_path):
    root = tmp_path / "manifest"
    root.mkdir()
    return InputImages.under(root, allow_outside=False)


def refusal(inputs, text):
    with pytest.raises(InputImageError) as caught:
        inputs.resolve(text, inputs.root)
    return caught.value


def test_a_picture_is_its_path_and_its_hash(inputs):
    digest = picture(inputs.root / "in" / "a.png")
    for text in ("in/a.png", "./in/a.png", "in/../in/a.png", str(inputs.root / "in" / "a.png")):
        assert inputs.resolve(text, inputs.root) == InputImage("in/a.png", digest)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "MPO"])
def test_formats_that_are_taken(inputs, image_format):
    digest = picture(inputs.root / "a", image_format=image_format)
    image = inputs.resolve("a", inputs.root)
    assert image.sha256 == digest
    uri = data_uri(image, inputs.root)
    media, _, encoded = uri.partition(";base64,")
    assert media == {"PNG": "data:image/png", "WEBP": "data:image/webp"}.get(image_format, "data:image/jpeg")
    assert hashlib.sha256(base64.b64decode(encoded)).hexdigest() == digest


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF", "PPM"])
def test_formats_that_are_not(inputs, image_format):
    picture(inputs.root / "a", image_format=image_format)
    assert "file" in refusal(inputs, "a").message


def test_what_is_not_there_is_told_with_its_neighbour(inputs):
    picture(inputs.root / "fox.png")
    error = refusal(inputs, "fux.png")
    assert error.message == "names no file"
    assert error.hint == "did you mean fox.png?"
    assert "no directory" in refusal(inputs, "nowhere/fox.png").hint


@pytest.mark.parametrize("text", ["../out.png", "in/../../out.png"])
def test_outside_the_directory_is_refused_unless_allowed(inputs, text):
    digest = picture(inputs.root.parent / "out.png")
    assert "outside" in refusal(inputs, text).message
    allowed = InputImages.under(inputs.root, allow_outside=True)
    assert allowed.resolve(text, inputs.root) == InputImage(str(inputs.root.parent / "out.png"), digest)
    assert data_uri(allowed.resolve(text, inputs.root), inputs.root).startswith("data:image/png")


def test_links_are_followed_to_where_they_lead(inputs):
    picture(inputs.root.parent / "out.png")
    picture(inputs.root / "in.png")
    (inputs.root / "inside.png").symlink_to("in.png")
    (inputs.root / "outside.png").symlink_to("../out.png")
    (inputs.root / "updir").symlink_to("..")
    assert inputs.resolve("inside.png", inputs.root).file == "in.png"
    assert "outside" in refusal(inputs, "outside.png").message
    assert "outside" in refusal(inputs, "updir/out.png").message


def test_links_in_a_circle_lead_nowhere(inputs):
    (inputs.root / "a.png").symlink_to("b.png")
    (inputs.root / "b.png").symlink_to("a.png")
    refusal(inputs, "a.png")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data:image/png;base64,AAAA", "no data: URI"),
        ("DATA:image/png,x", "no data: URI"),
        ("ftp://example.org/a.png", "no http(s) URL"),
        ("file:///etc/passwd", "no http(s) URL"),
        ("s3://bucket/a.png", "no http(s) URL"),
        ("a\0b.png", "leads"),
        ("x" * 5000, ""),
        ("/etc/hostname", "outside"),
        (".", "a directory"),
    ],
)
def test_what_is_no_path_of_a_picture(inputs, text, words):
    assert words in refusal(inputs, text).message


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0"])
def test_what_does_not_decode_is_no_picture(inputs, data):
    (inputs.root / "a.png").write_bytes(data)
    assert "no picture" in refusal(inputs, "a.png").message


def test_half_a_picture_is_none(inputs):
    picture(inputs.root / "a.png", (64, 64))
    whole = (inputs.root / "a.png").read_bytes()
    (inputs.root / "a.png").write_bytes(whole[: len(whole) // 2])
    assert "no picture that decodes" in refusal(inputs, "a.png").message


def test_a_pipe_is_no_picture(inputs):
    os.mkfifo(inputs.root / "a.png")
    assert "is no plain file" in refusal(inputs, "a.png").message


def test_a_picture_of_a_hundred_megapixels_is_not_decoded(inputs):
    Image.new("1", (10_000, 10_000)).save(inputs.root / "a.png")
    assert "megapixels" in refusal(inputs, "a.png").message


def test_a_file_of_forty_megabytes_is_not_read(inputs):
    with (inputs.root / "a.png").open("wb") as stream:
        stream.truncate(40_000_000)
    assert "MB" in refusal(inputs, "a.png").message


def test_what_changed_after_planning_is_not_sent(inputs):
    picture(inputs.root / "a.png")
    image = inputs.resolve("a.png", inputs.root)
    picture(inputs.root / "a.png", (9, 9))
    with pytest.raises(InputChangedError, match="changed"):
        data_uri(image, inputs.root)
    (inputs.root / "a.png").unlink()
    with pytest.raises(InputChangedError, match="cannot be read"):
        data_uri(image, inputs.root)


@pytest.mark.parametrize("text", ["http://x/a", "https://x/a", "HTTPS://x/a"])
def test_urls_are_sent_as_they_are(bench, text):
    assert is_remote(text)
    assert bench.requests(f"request: {{prompt: p, image_url: '{text}'}}\n")[0]["image_url"] == text


def test_two_names_of_one_picture_are_one_job(bench, tmp_path):
    picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    body = "request: {prompt: p, seed: 1, strength: 0.5}\nmatrix: {image_url: [a.png, b.png]}\n"
    steps = bench.steps(body)
    assert len({step.cell.key for step in steps}) == 1
    assert steps[0].job.request.image_url.file == "a.png"


def test_an_image_is_relative_to_the_manifest_and_not_to_the_working_directory(tmp_path, monkeypatch):
    picture(tmp_path / "m" / "in" / "a.png")
    manifest = tmp_path / "m" / "a.yaml"
    manifest.write_text(HEAD + "request: {prompt: p, image_url: in/a.png}\n")
    monkeypatch.chdir(tmp_path)
    (job,) = expand("m/a.yaml")
    assert job.request.image_url.file == "in/a.png"


def test_outside_is_allowed_by_flag(tmp_path):
    picture(tmp_path / "out.png")
    (tmp_path / "m").mkdir()
    manifest = tmp_path / "m" / "a.yaml"
    manifest.write_text(HEAD + "request: {prompt: p, image_url: ../out.png}\n")
    with pytest.raises(ManifestError, match="outside"):
        list(expand(manifest))
    assert len(list(expand(manifest, allow_outside=True))) == 1
