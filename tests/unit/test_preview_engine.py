"""What the preview engine promises about its pictures."""

import io
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw

from zbatch.model import Lora
from zbatch.server.engines import ImageRequest
from zbatch.server.engines.preview import PreviewEngine

ENGINE = PreviewEngine()
FILM, INK = "org/film-grain-v2", "https://example.org/ink.safetensors"


def made(**fields):
    fields = {"prompt": "red fox in the tundra, dawn", "seed": 1000, "width": 256, "height": 256,
              "output_format": "png"} | fields  # fmt: skip
    return ENGINE.generate(ImageRequest(**fields))


def pixels(data, mode="RGB"):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert(mode)).astype(int)


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def noise(size=(256, 256), mode="RGB"):
    dice = np.random.default_rng(3)
    return Image.fromarray(dice.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)


def forms(data):
    """Luminance of a picture, small: what the eye takes for composition."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("L").resize((24, 24), Image.Resampling.BOX)).astype(float).ravel()


@pytest.mark.parametrize("output_format", ["jpeg", "png", "webp"])
def test_equal_requests_give_equal_bytes_in_every_format(output_format):
    data = made(output_format=output_format)
    assert data == made(output_format=output_format)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format.lower(), image.size) == (output_format, (256, 256))


def test_threads_change_nothing():
    requests = [ImageRequest(f"owl {i}", i, 256, 256, (Lora(FILM, i / 8),), "png") for i in range(12)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ENGINE.generate, requests)) == [
            PreviewEngine().generate(one) for one in requests
        ]


def test_everything_that_is_asked_for_shows():
    variants = [
        {}, {"seed": 1001}, {"prompt": "barn owl in the tundra, dawn"},
        {"prompt": "red fox in a forest, dawn"},
        {"prompt": "red fox in the tundra, night"}, {"prompt": "red fox in the tundra, dawn, 50mm"},
        {"loras": (Lora(FILM, 0.5),)}, {"loras": (Lora(FILM, 0.55),)}, {"loras": (Lora(INK, 0.5),)},
        {"loras": (Lora(FILM, 0.5), Lora(INK, 0.5))}, {"loras": (Lora(INK, 0.5), Lora(FILM, 0.25))},
    ]  # fmt: skip
    pictures = [pixels(made(**variant))[:230] for variant in variants]  # without the stamp
    for one, other in itertools.combinations(pictures, 2):
        assert np.abs(one - other).mean() > 0.15


def test_a_lora_at_scale_zero_is_none_to_the_byte():
    for output_format in ("jpeg", "png", "webp"):
        bare = made(output_format=output_format)
        assert made(loras=(Lora(FILM, 0), Lora(INK, 0.0)), output_format=output_format) == bare
    stacked = made(loras=(Lora(FILM, 0.5), Lora(INK, 0)))
    assert stacked == made(loras=(Lora(FILM, 0.5),))


@pytest.mark.parametrize(
    "path", [FILM, INK, "org/watercolor", "a/comic", "b/oil", "c/linen", "d/etching", "e/xyz"]
)
def test_a_sweep_over_scales_keeps_the_composition_and_brings_the_style_in(path):
    sweep = [made(loras=(Lora(path, scale / 5),)) for scale in range(7)]
    bare = forms(sweep[0])
    assert min(np.corrcoef(bare, forms(one))[0, 1] for one in sweep) > 0.8
    away = [np.abs(pixels(sweep[0]) - pixels(one)).mean() for one in sweep]
    assert all(later > earlier for earlier, later in itertools.pairwise(away))
    steps = [np.abs(pixels(one) - pixels(two)).mean() for one, two in itertools.pairwise(sweep)]
    assert max(steps) < 30


def test_a_trigger_word_does_not_throw_the_picture_over():
    plain = forms(made())
    triggered = forms(made(prompt="filmgrain red fox in the tundra, dawn", loras=(Lora(FILM, 0.2),)))
    assert np.corrcoef(plain, triggered)[0, 1] > 0.9
    assert np.corrcoef(plain, forms(made(seed=4)))[0, 1] < 0.9


def test_strength_nought_gives_the_input_back_and_one_ignores_it():
    source = noise()
    assert (pixels(made(image=png(source), strength=0)) == np.asarray(source)).all()
    small = noise((100, 60))
    back = pixels(made(image=png(small), strength=0.0))
    assert (back == np.asarray(small.resize((256, 256), Image.Resampling.LANCZOS))).all()
    assert made(image=png(source), strength=1) == made()


def test_strength_between_moves_from_the_input_to_the_picture():
    source = noise()
    away = [
        np.abs(pixels(made(image=png(source), strength=strength)) - np.asarray(source)).mean()
        for strength in (0, 0.1, 0.3, 0.6, 0.9, 1)
    ]
    assert all(later > earlier for earlier, later in itertools.pairwise(away))
    assert made(image=png(source)) != made(image=png(source), strength=1)


@pytest.mark.parametrize("strength", [0, 0.3, 1, None])
def test_black_of_a_mask_is_kept_to_the_pixel(strength):
    source, mask = noise(), Image.new("L", (256, 256))
    ImageDraw.Draw(mask).ellipse((40, 40, 200, 200), fill=255)
    got = pixels(made(image=png(source), mask=png(mask), strength=strength, loras=(Lora(FILM, 1),)))
    black = np.asarray(mask) == 0
    assert (got[black] == np.asarray(source)[black]).all()
    assert strength == 0 or np.abs(got - np.asarray(source))[~black].mean() > 1


@pytest.mark.parametrize("side", [32, 64, 128, 512])
def test_black_of_a_mask_of_another_size_is_kept_where_nothing_but_black_is_seen_of_it(side):
    source = noise()
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).rectangle((side // 4, side // 4, side // 2, side // 2), fill=255)
    got = pixels(made(image=png(source), mask=png(mask), strength=1))
    black = np.asarray(mask.resize((256, 256), Image.Resampling.BOX)) == 0
    assert (got[black] == np.asarray(source)[black]).all()
    assert (got[~black] != np.asarray(source)[~black]).any()


def test_sixteen_bits_of_grey_are_brought_to_eight():
    greys = np.repeat(np.array([0, 200, 1000, 20_000, 40_000, 65_535], np.uint16), 256).reshape(6, 256)
    source = Image.fromarray(np.repeat(greys, 43, axis=0)[:256])
    back = pixels(made(image=png(source), strength=0))[:, 0, 0]
    assert sorted(set(back.tolist())) == [0, 1, 4, 78, 156, 255]
    nearly_black = Image.fromarray(np.full((256, 256), 100, np.uint16))
    kept = made(image=png(noise()), mask=png(nearly_black), strength=1)
    assert (pixels(kept) == np.asarray(noise())).all()


@pytest.mark.parametrize("more", [" wearing a hat", ", masterpiece, best quality", ", 50mm", " in oils"])
def test_words_that_it_does_not_know_show_as_well(more):
    plain, other = pixels(made(prompt="a cat")), pixels(made(prompt=f"a cat{more}"))
    assert np.abs(plain - other).mean() > 2


def test_a_black_mask_keeps_all_and_a_white_one_nothing():
    source = noise()
    kept = made(image=png(source), mask=png(Image.new("L", (256, 256))), strength=1)
    assert (pixels(kept) == np.asarray(source)).all()
    assert made(image=png(source), mask=png(Image.new("L", (64, 64), 255)), strength=1) == made()


def test_the_stamp_stands_inside_the_repainted_area_or_nowhere():
    source = Image.new("RGB", (512, 512), (90, 120, 60))

    def inside(box):
        mask = Image.new("L", (512, 512))
        ImageDraw.Draw(mask).rectangle(box, fill=255)
        return [
            pixels(made(width=512, height=512, image=png(source), mask=png(mask), strength=1e-9, seed=seed))
            for seed in (1, 2)
        ]

    for got in inside((300, 40, 480, 120)):
        changed = np.argwhere(np.abs(got - np.asarray(source)).sum(2) > 20)
        assert len(changed) > 100
        assert changed.min(0).tolist() >= [40, 300]
        assert changed.max(0)[0] <= 120
        assert changed.max(0)[1] <= 480
    for got in inside((300, 40, 320, 60)):
        assert np.abs(got - np.asarray(source)).max() <= 2


@pytest.mark.parametrize(
    "size", [(256, 256), (256, 1536), (1536, 256), (1536, 1536), (832, 1216), (257, 511)]
)
@pytest.mark.parametrize("place", ["sea", "city", "forest", "space", "mountains"])
def test_every_size_in_every_place(size, place):
    data = made(prompt=f"lighthouse, {place}, rain", width=size[0], height=size[1], loras=(Lora(INK, 4),),
                output_format="jpeg")  # fmt: skip
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == size


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK", "LA"])
def test_inputs_of_every_mode(mode):
    image = noise().convert("RGB").convert(mode) if mode != "LA" else noise().convert("L").convert("LA")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    assert pixels(made(image=buffer.getvalue(), strength=0.5, mask=buffer.getvalue())).shape == (256, 256, 3)


def test_a_broken_input_is_an_error():
    with pytest.raises(OSError, match="cannot identify"):
        made(image=b"no image")


@pytest.mark.parametrize("prompt", ["", "???", "日本の狐", "a" * 5000, "🦊", "{{ not a template }}"])
def test_any_prompt_gives_a_picture(prompt):
    assert made(prompt=prompt, loras=(Lora("путь/лора\n\x00", 2),)) == made(
        prompt=prompt, loras=(Lora("путь/лора\n\x00", 2),)
    )
