"""LoRAs in the tiny model: scales, stacks, three formats, and every way in which one can be the wrong one."""

import hashlib
import shutil

import pytest

pytest.importorskip("torch", reason="the engine diffusers is not installed: pip install 'zbatch[gpu]'")
pytest.importorskip("diffusers", reason="the engine diffusers is not installed: pip install 'zbatch[gpu]'")

import torch
from safetensors.torch import save_file
from support.tiny_engine import ATTENTION, difference, paint, pixels, request, tiny_engine, write_lora

from zbatch.model import Lora
from zbatch.server.engines import Watch
from zbatch.server.engines.diffusion import adapters
from zbatch.server.engines.diffusion.engine import NoPictureError
from zbatch.server.engines.diffusion.lora_download import LoraError


@pytest.fixture(scope="module")
def loras(models):
    loras = models / "loras"
    write_lora(loras / "ink.safetensors")
    write_lora(loras / "styles" / "oil.safetensors", seed=1, layers=ATTENTION)
    write_lora(loras / "styles" / "wax.safetensors", seed=2)
    return loras


@pytest.fixture(scope="module")
def engine(models, loras):
    return tiny_engine(models, lora_dir=loras)


def weights(engine):
    return {name: tensor.clone() for name, tensor in engine._text.transformer.state_dict().items()}  # noqa: SLF001


def test_a_scale_matters_scale_0_is_none_and_the_ending_is_optional(engine):
    plain = paint(engine)
    shown = {scale: paint(engine, ("ink.safetensors", scale)) for scale in (0, 0.25, 1, 4)}
    assert shown[0] == plain
    assert len(set(shown.values())) == 4
    assert difference(plain, shown[0.25]) < difference(plain, shown[4])
    assert paint(engine, ("ink", 1)) == shown[1]
    assert paint(engine) == plain


def test_loras_stack_and_one_given_twice_adds_up(engine):
    ink, oil = paint(engine, ("ink", 1)), paint(engine, ("styles/oil", 1))
    both = paint(engine, ("ink", 1), ("styles/oil", 1))
    three = paint(engine, ("ink", 1), ("styles/oil", 1), ("styles/wax", 0.5))
    assert len({ink, oil, both, three}) == 4
    assert paint(engine, ("ink", 1), ("styles/oil", 0)) == ink
    assert paint(engine, ("ink", 0.5), ("ink", 0.5)) == ink


def test_what_was_painted_before_changes_nothing(models, loras):
    engine = tiny_engine(models, lora_dir=loras)
    before, plain = weights(engine), paint(engine)
    first = paint(engine, ("styles/oil", 0.7))
    paint(engine, ("ink", 2), ("styles/wax", 1))
    assert paint(engine) == plain
    assert paint(engine, ("styles/oil", 0.7)) == first
    engine._adapters.drop()  # noqa: SLF001
    after = weights(engine)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert paint(engine) == plain
    assert paint(engine, ("styles/oil", 0.7)) == first


@pytest.mark.parametrize("form", ["kohya", "ai-toolkit"])
def test_the_three_formats_paint_the_same(engine, loras, form):
    write_lora(loras / f"ink-{form}.safetensors", form=form)
    assert paint(engine, (f"ink-{form}", 1)) == paint(engine, ("ink", 1))


def test_alpha_is_honoured_as_each_format_writes_it(engine, loras):
    write_lora(loras / "half-kohya.safetensors", form="kohya", alpha=2)
    config = '{"transformer.r": 4, "transformer.lora_alpha": 2, "transformer.target_modules": ["to_q"]}'
    write_lora(
        loras / "half.safetensors", layers=ATTENTION[:1],
        metadata={"format": "pt", "lora_adapter_metadata": config},
    )  # fmt: skip
    write_lora(loras / "whole.safetensors", layers=ATTENTION[:1])
    half = paint(engine, ("ink", 0.5))
    assert abs(pixels(paint(engine, ("half-kohya", 1))) - pixels(half)).max() <= 1
    assert abs(pixels(paint(engine, ("half", 1))) - pixels(paint(engine, ("whole", 0.5)))).max() <= 1
    assert difference(paint(engine, ("whole", 1)), paint(engine, ("whole", 0.5))) > 0


def test_image_to_image_and_inpainting_see_the_loras(engine):
    source = paint(engine, seed=99)
    for fields in ({"strength": 0.7}, {"strength": 1, "mask": paint(engine, seed=98)}):
        plain = paint(engine, image=source, **fields)
        assert paint(engine, ("ink", 1), image=source, **fields) != plain
        assert paint(engine, image=source, **fields) == plain


def test_memory_holds_what_has_room_and_lets_the_oldest_go(models, loras):
    one = tiny_engine(models, lora_dir=loras)
    paint(one, ("ink", 1))
    size = one._adapters.held_bytes  # noqa: SLF001
    engine = tiny_engine(models, lora_dir=loras, lora_memory_bytes=size)
    expected = {name: paint(engine, (name, 1)) for name in ("ink", "styles/wax", "styles/oil")}
    assert 0 < engine._adapters.held_bytes <= size  # noqa: SLF001
    for name, picture in expected.items():
        assert paint(engine, (name, 1)) == picture
    together = paint(engine, ("ink", 1), ("styles/wax", 1))
    assert engine._adapters.held_bytes > size  # noqa: SLF001 - in use
    assert together == paint(one, ("ink", 1), ("styles/wax", 1))
    none = tiny_engine(models, lora_dir=loras, lora_memory_bytes=0)
    assert paint(none, ("ink", 1)) == expected["ink"]
    assert paint(none) == paint(one)
    assert none._adapters.held_bytes == 0  # noqa: SLF001


def test_a_fetched_one_is_read_into_memory_once(models, loras, tmp_path):
    hosts = frozenset({"huggingface.co"})
    engine = tiny_engine(models, lora_dir=loras, lora_hosts=hosts, lora_cache=tmp_path)
    name = hashlib.sha256(b"owner/ink").hexdigest()
    shutil.copy(loras / "ink.safetensors", tmp_path / f"{name}.safetensors")
    first = paint(engine, ("owner/ink", 1))
    held = engine._adapters.held_bytes  # noqa: SLF001 - the weights
    assert paint(engine, ("owner/ink", 1)) == first == paint(engine, ("ink", 1))
    assert engine._adapters.held_bytes == 2 * held  # noqa: SLF001 - that one and the file of the folder


def test_a_file_that_was_replaced_is_another_lora(engine, loras):
    write_lora(loras / "draft.safetensors", seed=5)
    first = paint(engine, ("draft", 1))
    write_lora(loras / "draft.safetensors", seed=6, layers=ATTENTION)
    assert paint(engine, ("draft", 1)) != first


def strange(folder, name):
    file = folder / f"{name}.safetensors"
    down, up = torch.ones(4, 16), torch.ones(16, 4)
    layer = "transformer.layers.0.attention.to_q"
    match name:
        case "flux":
            stranger = "transformer.single_transformer_blocks.0.attn.to_q"
            save_file({f"{stranger}.lora_A.weight": down, f"{stranger}.lora_B.weight": up}, file)
        case "sdxl-kohya":
            stranger = "lora_unet_down_blocks_1_attentions_0_proj_in"
            save_file({f"{stranger}.lora_down.weight": down, f"{stranger}.lora_up.weight": up}, file)
        case "larger":
            write_lora(file, layers=ATTENTION, sizes=dict.fromkeys(ATTENTION, (3840, 3840)))
        case "half-strange":
            stranger = "transformer.layers.77.attention.to_q"
            save_file(
                {
                    f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up,
                    f"{stranger}.lora_A.weight": down.clone(), f"{stranger}.lora_B.weight": up.clone(),
                },
                file,
            )  # fmt: skip
        case "dora":
            save_file({f"{layer}.lora_A.weight": down, f"{layer}.dora_scale": torch.ones(16)}, file)
        case "one-sided":
            save_file({f"{layer}.lora_A.weight": down}, file)
        case "checkpoint":
            save_file({"layers.0.attention.to_q.weight": torch.ones(16, 16)}, file)
        case "damaged":
            file.write_bytes(b"<!doctype html>")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flux", "matches no layer of this model"),
        ("sdxl-kohya", "matches no layer of this model"),
        ("larger", "is for another model: its weights for layers.0.attention.to_q are for 3840 features"),
        ("half-strange", "1 of its 2 layers are not in this one (layers.77.attention.to_q)"),
        ("dora", "is a DoRA, which is not supported"),
        ("one-sided", "half of its weights for layers.0.attention.to_q is missing"),
        ("checkpoint", "is no LoRA"),
        ("damaged", "cannot be read"),
        ("absent", "is missing: there is no such file in this server's --lora-dir"),
        ("../tiny/secret", "is missing: there is no such file in this server's --lora-dir"),
    ],
)
def test_the_wrong_lora_fails_the_task_with_the_reason_and_the_engine_goes_on(engine, loras, name, said):
    strange(loras, name)
    plain = paint(engine)
    asked = request(loras=(Lora("ink", 1), Lora(name, 1)))
    (result,) = engine.generate_many([asked], [Watch()])
    assert isinstance(result, LoraError)
    assert f"LoRA {name!r}" in str(result)
    assert said in str(result)
    assert paint(engine) == plain


def test_where_files_lie_is_not_told(tmp_path):
    with pytest.raises(LoraError, match=r"cannot be read: .*gone\.safetensors") as failed:
        adapters._read("ink", tmp_path / "gone.safetensors")  # noqa: SLF001 - let go of since it was found
    assert str(tmp_path) not in str(failed.value)


def test_numbers_that_are_no_picture_fail_the_task(engine, loras):
    plain = paint(engine)
    layer = "transformer.layers.0.attention.to_q"
    huge = {
        f"{layer}.lora_A.weight": torch.full((4, 16), 1e30),
        f"{layer}.lora_B.weight": torch.ones(16, 4) * 1e30,
    }
    save_file(huge, loras / "huge.safetensors")
    with pytest.raises(NoPictureError, match="is a LoRA's scale too large"):
        paint(engine, ("huge", 4))
    assert paint(engine) == plain
