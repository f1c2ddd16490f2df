"""What is written into pictures, what is left as it came and why, and what other readers make of it."""

import io
import json
import struct

import pytest
from PIL import Image, PngImagePlugin
from sd_parsers import ParserManager
from support.pictures import decoded

from zbatch.provenance import (
    Origin,
    Record,
    UneditableError,
    Words,
    embed,
    find_words,
    is_parameters,
    parameters_text,
    read_record,
    record_body,
    record_text,
)
from zbatch.provenance.record import MOST_COORDINATES
from zbatch.version import __version__

FORMATS = ["PNG", "JPEG", "WEBP"]
WORDS = Words("a fox\nSteps: 8, Sampler: Euler, CFG scale: 1, Seed: 7", '{"zbatch":1}')
ORIGIN = Origin("foxes", "5" * 64, "hosted", "https://api.example.org", "0.1.0")


def picture(kind, **options):
    file = io.BytesIO()
    Image.effect_noise((32, 24), 80).convert("RGB").save(file, kind, **options)
    return file.getvalue()


def record(request, coordinates=({"seed": 7},), cells=1):
    return Record("a" * 64, "z-image-turbo-lora", request, tuple(coordinates), cells, ORIGIN, "b" * 64)


# ── the text for viewers ─────────────────────────────────────────────────────────────────────────────────

STACK = {
    "prompt": "ein Fuchs, \N{FOX FACE}\nim Schnee: <weiß>",
    "size": "832*1216",
    "seed": 7,
    "loras": [
        {"path": "org/film-grain-v2", "scale": 0.6},
        {"path": "https://example.org/models/ink%20wash.safetensors?type=Model", "scale": 1},
    ],
    "image_url": "https://example.org/a.png",
    "strength": 0.4,
    "output_format": "png",
}


def test_the_parameters_are_as_automatic1111_wrote_them():
    text = parameters_text("z-image-turbo-lora", STACK)
    *prompt, settings = text.split("\n")
    assert "\n".join(prompt) == f"{STACK['prompt']} <lora:film-grain-v2:0.6> <lora:ink_wash:1>"
    assert settings == (
        "Steps: 8, Sampler: Euler, CFG scale: 1, Seed: 7, Size: 832x1216, Model: z-image-turbo-lora, "
        f"Denoising strength: 0.4, Version: zbatch {__version__}"
    )
    assert is_parameters(text)
    assert is_parameters("a fox\nSteps: 20, Sampler: Euler a\nTemplate: a {fox}")
    assert not is_parameters("Steps: many")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_published_reader_finds_prompt_seed_model_and_loras(kind):
    edited = embed(picture(kind), Words(parameters_text("z-image-turbo-lora", STACK), "{}"))
    read = ParserManager().parse(io.BytesIO(edited))
    (sampler,) = read.samplers
    assert sampler.parameters == {"seed": "7", "steps": "8", "cfg_scale": "1"}
    assert sampler.model.name == "z-image-turbo-lora"
    assert [prompt.value for prompt in sampler.prompts] == [
        f"{STACK['prompt']} <lora:film-grain-v2:0.6> <lora:ink_wash:1>"
    ]
    assert read.metadata["Size"] == "832x1216"


# ── the record ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_record_reads_back_as_it_was():
    request = {"prompt": 'a "fox" \x7f\ufffe\ud7ff <&> \x00', "size": "256*256", "seed": 1, "loras": []}
    told = record(request, [{"seed": 1, "place": None}, {"seed": 1, "place": "\N{SNOWFLAKE}"}], 2)
    assert read_record(record_text(told)) == told
    for kind in FORMATS:
        assert read_record(find_words(embed(picture(kind), Words("x", record_text(told)))).record) == told


def test_coordinates_are_as_many_as_there_is_room_for_and_all_are_counted():
    told = json.loads(record_text(record({}, [{"place": "x" * 1000, "n": n} for n in range(50)], 70)))
    assert (len(told["coordinates"]), told["cells"]) == (7, 70)
    assert len(json.dumps(told["coordinates"])) < MOST_COORDINATES


def test_what_opens_a_url_to_its_holder_is_left_out_and_named():
    request = {
        "prompt": "https://example.org/?a prompt is no URL",
        "image_url": "https://bucket.example.org/in/a.png?X-Goog-Signature=abc&Expires=9#top",
        "mask": {"file": "in/mask.png", "sha256": "c" * 64},
        "loras": [
            {
                "path": "https://civitai.test/api/download/models/1?type=Model&format=SafeTensor",
                "scale": 1,
            },
            {"path": "https://civitai.test/api/download/models/2?type=Model&token=secret", "scale": 1},
            {"path": "https://me:secret@example.org/x.safetensors", "scale": 1},
        ],
    }
    text = record_text(record(request))
    assert not any(secret in text for secret in ("abc", "secret", "Expires", "top"))
    told = read_record(text)
    assert told.shortened == ("image_url", "loras[1].path", "loras[2].path")
    assert told.request == {
        **request,
        "image_url": "https://bucket.example.org/in/a.png",
        "loras": [
            request["loras"][0],
            {"path": "https://civitai.test/api/download/models/2?type=Model", "scale": 1},
            {"path": "https://example.org/x.safetensors", "scale": 1},
        ],
    }
    assert request["image_url"].endswith("#top")  # what is sent is untouched


def test_a_request_of_any_shape_is_told_as_it_is():
    for request in (
        {"loras": [3, {"path": 4}], "image_url": ["a"]},
        {"loras": "x"},
        {"image_url": "http://[?"},
    ):
        told = record_body(record(request))["request"]
        assert told in (request, {"image_url": "http://["})


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"zbatch": 2}', '{"zbatch": 1, "key": 3}', '{"zbatch": 1, "key": "a"}']
)
def test_what_is_no_record_is_said_to_be_none(text):
    with pytest.raises(ValueError, match=r"no record|damaged"):
        read_record(text)


# ── what is left alone ───────────────────────────────────────────────────────────────────────────────────


def png_with(kind, body, **options):
    data = picture("PNG", **options)
    return data[:33] + struct.pack(">I", len(body)) + kind + body + b"\0\0\0\0" + data[33:]


def jpeg_with(marker, body):
    data = picture("JPEG")
    return data[:20] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[20:]


def webp_with(kind, body):
    data = picture("WEBP")
    chunks = data[12:] + kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (png_with(b"caBX", b"jumbf"), "signed content credentials"),
        (jpeg_with(0xEB, b"JP\0\0jumbf"), "signed content credentials"),
        (webp_with(b"C2PA", b"jumb"), "signed content credentials"),
        (jpeg_with(0xE2, b"MPF\0MM"), "more than one picture"),
        (jpeg_with(0xE1, b"Exif\0\0nonsense"), "EXIF block is not"),
        (jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), "XMP packet is of a kind"),
        (webp_with(b"EXIF", b"MM\0*\0\0\1\0"), "EXIF block is not"),
        (picture("JPEG")[:300], "ends too early"),
        (picture("PNG")[:-4], "ends too early"),
        (picture("WEBP")[:-40], "ends too early"),
        (b"GIF89a", "no PNG, JPEG or WebP"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_edited_safely_is_refused_with_the_reason(data, why):
    with pytest.raises(UneditableError, match=why):
        embed(data, WORDS)


def test_a_jpeg_has_room_for_64_kilobytes():
    assert find_words(embed(picture("JPEG"), Words("x" * 32_000, "y" * 65_000)))
    for words in (Words("x" * 33_000, "y"), Words("x", "y" * 66_000)):
        with pytest.raises(UneditableError, match="64 kB"):
            embed(picture("JPEG"), words)
    long = Words("x" * 100_000, "y" * 100_000)
    assert find_words(embed(picture("WEBP"), long)) == find_words(embed(picture("PNG"), long)) == long


@pytest.mark.parametrize("little", [True, False])
def test_parameters_of_another_tool_stay(little):
    theirs = "their fox\nSteps: 30, Sampler: DPM++ 2M, CFG scale: 7, Seed: 9"
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", theirs)
    exif = Image.Exif()
    exif.endian = "<" if little else ">"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + theirs.encode("utf-16-le" if little else "utf-16-be")
    for data in (
        picture("PNG", pnginfo=info),
        picture("JPEG", exif=exif.tobytes()),
        picture("WEBP", exif=exif.tobytes()),
    ):
        assert find_words(data) == Words(theirs, None)
        edited = embed(data, WORDS)
        assert find_words(edited) == Words(theirs, WORDS.record)
        assert decoded(edited) == decoded(data)


def test_a_packet_that_another_tool_wrote_again_still_tells():
    quoted = '{"zbatch":1,"a":"&lt;&amp;&gt;"}'.replace('"', "&quot;")
    packet = f'<rdf:Description rdf:about="" zbatch:record="{quoted}"/>'.encode()
    data = jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)
    assert find_words(data).record == '{"zbatch":1,"a":"<&>"}'


def test_words_at_the_end_of_a_png_are_found_and_of_a_cut_one_those_at_its_head():
    edited = embed(picture("PNG"), WORDS)
    assert find_words(edited[:1000]) == WORDS
    assert find_words(b"plain text") is None
    assert not find_words(picture("PNG"))
