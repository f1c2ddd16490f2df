"""The engine over the tiny pipeline, and LoRAs for it in the forms that trainers write."""

import io
import os

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from support.tiny_zimage import build

from zbatch.model import Lora
from zbatch.server.engines import ImageRequest
from zbatch.server.engines.diffusion import diffusers_engine
from zbatch.server.engines.diffusion.setup import Setup

torch.set_num_threads(1)  # the machine has other tests to run
os.environ.setdefault("HF_HUB_OFFLINE", "1")

ATTENTION = ("layers.0.attention.to_q", "layers.1.attention.to_v", "layers.1.attention.to_out.0")
LAYERS = (*ATTENTION, "layers.1.feed_forward.w1")
RANK = 4


def tiny_engine(folder, **options):
    """Build the tiny model in a folder, once, and give an engine of it."""
    model = folder / "tiny"
    if not model.exists():
        build(model)
    return diffusers_engine(Setup(model=str(model), **options))


def request(**fields):
    return ImageRequest(**({"prompt": "red fox", "seed": 7, "width": 256, "height": 256} | fields))


def paint(engine, *loras, **fields):
    """Have an engine make one image, with LoRAs given as path and scale."""
    asked = tuple(Lora(path, scale) for path, scale in loras)
    return engine.generate(request(output_format="png", loras=asked, **fields))


def pixels(file):
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def difference(one, other):
    return float(np.abs(pixels(one) - pixels(other)).mean())


def matrices(seed=0, layers=LAYERS, sizes=None):
    """Give down and up weights for each layer, strong enough to be seen."""
    random = torch.Generator().manual_seed(seed)
    shapes = {"layers.1.feed_forward.w1": (16, 42)} | (sizes or {})
    made = {}
    for layer in layers:
        inputs, outputs = shapes.get(layer, (16, 16))
        made[layer] = (
            torch.randn(RANK, inputs, generator=random),
            torch.randn(outputs, RANK, generator=random),
        )
    return made


def write_lora(path, *, form="diffusers", alpha=None, metadata=None, **options):
    """Write a LoRA file as diffusers, kohya's scripts or ai-toolkit would."""
    weights = {}
    for layer, (down, up) in matrices(**options).items():
        if form == "kohya":
            name = "lora_unet_" + layer.replace(".", "_")
            weights[f"{name}.lora_down.weight"], weights[f"{name}.lora_up.weight"] = down, up
            weights[f"{name}.alpha"] = torch.tensor(float(RANK if alpha is None else alpha))
        else:
            name = {"diffusers": "transformer.", "ai-toolkit": "diffusion_model."}[form] + layer
            weights[f"{name}.lora_A.weight"], weights[f"{name}.lora_B.weight"] = down, up
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, path, metadata=metadata)
    return path
