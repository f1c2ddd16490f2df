"""Words in pictures: every pixel, frame and profile stays, whatever the picture, the words and the damage."""

import io
import random
import struct
import zlib

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin
from support.pictures import decoded, described

from zbatch.provenance import UneditableError, Words, embed, find_words

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=200).filter(
    lambda text: text == text.strip("\ufeff \0")
)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<r:Description r:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/x"/></r:RDF>'
    b"</x:xmpmeta>" + b" " * 300
)
MODES = {
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "JPEG": ["L", "RGB", "CMYK"],
    "WEBP": ["RGB", "RGBA"],
}


def exif(order, entries):
    block = Image.Exif()
    block.endian = order
    block[0x010E], block[0x0112] = "a fox", 1
    block.get_ifd(0x8769).update(entries)
    return block.tobytes()


def frame(mode, size, seed):
    pixels = size[0] * size[1]
    noise = random.Random(seed).randbytes(4 * pixels)
    if mode == "1":
        return Image.frombytes("L", size, noise[:pixels]).convert("1")
    depth = {"I;16": 2, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}.get(mode, 1)
    image = Image.frombytes(mode, size, noise[: depth * pixels])
    if mode == "P":
        image.putpalette(random.Random(seed).randbytes(768))
    return image


def of_png(draw, mode):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("zbatch", "of an earlier time", zip=draw(st.booleans()))
    info.add_text("Software", "another", zip=draw(st.booleans()))
    return {"pnginfo": info, **({"transparency": 3} if mode == "P" else {})}


def of_jpeg(draw, mode):
    return {"progressive": draw(st.booleans()), "comment": draw(st.sampled_from([b"", b"made by a camera"]))}


def of_webp(draw, mode):
    return {"lossless": draw(st.booleans())}


@st.composite
def pictures(draw):
    kind = draw(st.sampled_from(list(MODES)))
    mode = draw(st.sampled_from(MODES[kind]))
    size = draw(st.tuples(st.integers(1, 30), st.integers(1, 30)))
    seed = draw(st.integers(0, 9))
    options = {"PNG": of_png, "JPEG": of_jpeg, "WEBP": of_webp}[kind](draw, mode)
    if draw(st.booleans()) and mode not in ("1", "I;16"):
        options["icc_profile"] = ICC
    if draw(st.booleans()):
        comment = draw(st.sampled_from([{}, {0x9286: b"ASCII\0\0\0hello"}, {0x927C: b"maker", 0xA002: 30}]))
        options["exif"] = exif(draw(st.sampled_from("<>")), comment)
    if kind != "PNG" and draw(st.booleans()):
        options["xmp"] = XMP
    moving = kind == "WEBP" or (kind == "PNG" and mode in ("RGB", "RGBA"))
    others = [frame(mode, size, seed + 10 * n) for n in range(draw(st.integers(0, 2)) if moving else 0)]
    if others:
        options.update(save_all=True, append_images=others, duration=70, loop=2)
    file = io.BytesIO()
    frame(mode, size, seed + 1000).save(file, kind, **options)
    return file.getvalue() + draw(st.sampled_from([b"", b"\0", b"trailing words"]))


@settings(deadline=None, max_examples=120)
@given(pictures(), TEXTS, TEXTS, TEXTS)
def test_a_picture_stays_and_tells_what_it_was_told_last(data, parameters, record, later):
    words = Words(parameters, record)
    edited = embed(data, words)
    assert decoded(edited) == decoded(data)
    assert described(edited) == described(data)
    assert find_words(edited) == words
    again = embed(edited, Words(later, later))
    assert decoded(again) == decoded(data)
    assert find_words(again) == Words(later, later)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(pictures(), st.data())
def test_a_damaged_file_is_refused_or_decodes_as_before(data, choices):
    damaged = bytearray(data)
    for _ in range(choices.draw(st.integers(1, 3))):
        at = choices.draw(st.integers(0, len(damaged) - 1) | st.integers(0, min(64, len(damaged) - 1)))
        damaged[at] = choices.draw(st.integers(0, 255))
    damaged = bytes(damaged[: choices.draw(st.just(len(damaged)) | st.integers(0, len(damaged)))])
    before = decoded(damaged)
    find_words(damaged)
    try:
        edited = embed(damaged, Words("p", "r"))
    except UneditableError:
        return
    if before is not None:
        assert decoded(edited) == before


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x20\0\0\0WEBP"]), st.binary(max_size=80)
)
@example(b"RIFF\x1a\0\0\0WEBP", b"VP8X\x0a\0\0\0" + bytes(10))
@example(
    b"\x89PNG\r\n\x1a\n", struct.pack(">I", 3) + b"zTXta\0\0" + struct.pack(">I", zlib.crc32(b"zTXta\0\0"))
)
def test_any_bytes_at_all_are_refused_or_edited(begin, rest):
    find_words(begin + rest)
    try:
        embed(begin + rest, Words("p", "r"))
    except UneditableError:
        return
