"""The engine `diffusers` over a tiny model of random weights: seeds, sizes, sources, masks, batches."""

import io

import numpy as np
import pytest

pytest.importorskip("torch", reason="the engine diffusers is not installed: pip install 'zbatch[gpu]'")
pytest.importorskip("diffusers", reason="the engine diffusers is not installed: pip install 'zbatch[gpu]'")

import torch
from PIL import Image
from support.tiny_engine import difference, paint, pixels, request, tiny_engine

from zbatch.errors import UsageError
from zbatch.server.engines import SteppedEngine, Watch
from zbatch.server.engines.diffusion import diffusers_engine
from zbatch.server.engines.diffusion.engine import GivenUpError, MemoryFullError
from zbatch.server.engines.diffusion.model import check_room
from zbatch.server.engines.diffusion.setup import Setup


@pytest.fixture(scope="module")
def engine(models):
    return tiny_engine(models, batch=4)


def png(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def gradient(size=(256, 256)):
    return png(Image.linear_gradient("L").resize(size).convert("RGB"))


def test_a_seed_gives_the_same_bytes_and_prompt_and_seed_matter(engine, models):
    first = paint(engine)
    assert paint(engine) == first
    assert paint(tiny_engine(models)) == first
    assert difference(first, paint(engine, seed=8)) > 5
    assert paint(engine, prompt="blue car") != first
    assert isinstance(engine, SteppedEngine)


@pytest.mark.parametrize(("output_format", "kind"), [("jpeg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")])
def test_formats(engine, output_format, kind):
    with Image.open(io.BytesIO(engine.generate(request(output_format=output_format)))) as image:
        assert (image.format, image.size) == (kind, (256, 256))


def test_a_size_the_model_cannot_paint_is_cut_out_of_the_next_one_and_told(engine):
    whole = paint(engine, width=272, height=288)
    watch = Watch()
    (cut,) = engine.generate_many([request(width=260, height=283, output_format="png")], [watch])
    assert watch.notes == {"painted_size": "272*288"}
    assert pixels(cut).shape == (283, 260, 3)
    assert (pixels(whole)[2:285, 6:266] == pixels(cut)).all()
    exact = Watch()
    engine.generate_many([request()], [exact])
    assert exact.notes == {}


@pytest.mark.parametrize("size", [(256, 256), (260, 283)])
def test_strength_0_gives_the_source_back_and_1_ignores_it(engine, size):
    width, height = size
    fields = {"width": width, "height": height, "image": gradient(size)}
    assert (pixels(paint(engine, strength=0, **fields)) == pixels(gradient(size))).all()
    assert paint(engine, strength=1, **fields) == paint(engine, width=width, height=height)
    between = [paint(engine, strength=strength, **fields) for strength in (0.1, 0.4, 0.9)]
    assert len(set(between)) == 3
    assert paint(engine, **fields) == paint(engine, strength=0.6, **fields)
    assert pixels(between[0]).shape == (height, width, 3)


@pytest.mark.parametrize("size", [(256, 256), (260, 283)])
@pytest.mark.parametrize("strength", [0.3, 1])
def test_black_of_the_mask_is_kept_to_the_pixel(engine, size, strength):
    mask = Image.new("L", size)
    mask.paste(255, (61, 67, 130, 201))
    source = gradient(size)
    made = paint(engine, width=size[0], height=size[1], image=source, strength=strength, mask=png(mask))
    black = np.asarray(mask) == 0
    assert (pixels(made)[black] == pixels(source)[black]).all()
    assert np.abs(pixels(made) - pixels(source))[~black].mean() > 5


def test_a_mask_of_one_thin_line_is_repainted_too(engine):
    mask = Image.new("L", (256, 256))
    mask.paste(255, (101, 0, 102, 256))
    source = gradient()
    made = paint(engine, image=source, strength=1, mask=png(mask))
    assert (pixels(made)[:, 101] != pixels(source)[:, 101]).any()


def test_a_prompt_that_is_too_long_is_cut_off_and_told(engine):
    long, longer = Watch(), Watch()
    first = engine.generate_many([request(prompt="fox " * 150)], [long])
    second = engine.generate_many([request(prompt="fox " * 160)], [longer])
    assert first == second
    assert (long.notes, longer.notes) == (
        {"prompt_read": "512 of 619 tokens"},
        {"prompt_read": "512 of 659 tokens"},
    )


def test_progress_is_told_step_by_step_and_a_picture_nobody_waits_for_is_given_up(engine):
    class Impatient(Watch):
        seen: list

        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name == "percent":
                seen.append(value)
                self.given_up = len(seen) == 4

    seen = []
    (result,) = engine.generate_many([request()], [Impatient()])
    assert isinstance(result, GivenUpError)
    assert seen[1:] == [11, 23, 35]
    watch = Watch()
    engine.generate_many([request()], [watch])
    assert watch.percent == 100


def test_alike_requests_are_made_at_once_and_it_is_told(engine):
    asked = [
        request(seed=seed, prompt=prompt, output_format="png") for seed, prompt in ((7, "a"), (8, "bcd"))
    ]
    assert engine.batch_key(asked[0]) == engine.batch_key(asked[1])
    assert engine.batch_key(request(width=512)) != engine.batch_key(asked[0])
    with_source = request(image=gradient())
    assert engine.batch_key(with_source) != engine.batch_key(with_source)
    watches = [Watch(), Watch()]
    made = engine.generate_many(asked, watches)
    assert [watch.notes for watch in watches] == [{"batched": "2"}] * 2
    for file, one in zip(made, asked, strict=True):
        assert np.abs(pixels(file) - pixels(engine.generate(one))).max() <= 2


def refuse_above(limit):
    """Run out of memory for more than `limit` images at once, or for more tokens than 512."""

    def hook(_module, arguments):
        images = arguments[0]
        if len(images) > limit or images[0].numel() > 16 * 4 * 512:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    return hook


def test_out_of_memory_fails_the_task_and_the_engine_goes_on(models):
    engine = tiny_engine(models, batch=4)
    before = paint(engine)
    hook = engine._text.transformer.register_forward_pre_hook(refuse_above(1))  # noqa: SLF001 - the weights
    (result,) = engine.generate_many([request(width=1024, height=1024)], [Watch()])
    assert isinstance(result, MemoryFullError)
    assert "out of memory while painting 1024x1024" in str(result)
    assert paint(engine) == before
    watches = [Watch(), Watch(), Watch()]
    made = engine.generate_many([request(seed=seed, output_format="png") for seed in (7, 8, 9)], watches)
    assert made[0] == before
    assert [watch.notes for watch in watches] == [{}] * 3
    hook.remove()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "nowhere/at-all"}, "there is no model nowhere/at-all"),
        ({"model": "{models}"}, "there is no model"),
        ({"model": "{models}/other"}, "is a StableDiffusionPipeline, not a Z-Image model"),
        ({"offload": "model"}, "--offload model needs a GPU"),
        ({"quantize": "4bit"}, "--quantize 4bit needs a GPU"),
    ],
)
def test_what_cannot_be_painted_with_is_told_at_start(models, options, said):
    if torch.cuda.is_available() and "needs a GPU" in said:
        pytest.skip("there is a GPU here")
    (models / "other").mkdir(exist_ok=True)
    (models / "other" / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    options = {name: value.format(models=models) for name, value in options.items()}
    with pytest.raises(UsageError) as failed:
        diffusers_engine(Setup(**options))
    assert said in str(failed.value)


GIB = 2**30
PARTS = {"transformer": 12 * GIB, "text_encoder": 8 * GIB, "vae": GIB // 4, "tokenizer": 0}


@pytest.mark.parametrize(
    ("free", "options", "said"),
    [
        (16, {}, "needs about 23.2 GiB of GPU memory, and 16.0 of 24.0 GiB are free"),
        (16, {}, "--offload model or --quantize 4bit needs less of it"),
        (12, {"offload": "model"}, "needs about 15.0 GiB"),
        (12, {"offload": "model"}, "--quantize 4bit or --offload sequential (slow) needs less of it"),
        (24, {}, None),
        (16, {"offload": "model"}, None),
        (2, {"offload": "sequential"}, None),
    ],
)
def test_a_model_that_the_gpu_cannot_hold_is_told_before_it_is_put_there(free, options, said):
    setup = Setup(**options)
    if said is None:
        check_room(PARTS, free * GIB, 24 * GIB, setup)
        return
    with pytest.raises(UsageError) as failed:
        check_room(PARTS, free * GIB, 24 * GIB, setup)
    assert said in str(failed.value)
