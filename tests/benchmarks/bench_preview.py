"""Pictures a second and core of the preview engine, beside encoding alone. Run it as a script.

One thread; CPU time, so that what else the machine does matters little.
"""

import io
import time

from PIL import Image

from zbatch.model import Lora
from zbatch.server.engines import ImageRequest
from zbatch.server.engines.preview import SAVE_OPTIONS, PreviewEngine

PROMPTS = (
    "red fox in the tundra, dawn",
    "barn owl in a forest at night",
    "lighthouse by the sea",
    "robot in a city",
)
STACK = (Lora("org/film-grain-v2", 0.6), Lora("https://example.org/ink.safetensors", 0.4))


def cpu_seconds(work, items):
    start = time.process_time()
    for item in items:
        work(item)
    return (time.process_time() - start) / len(items)


def encode(picture, output_format):
    picture.save(io.BytesIO(), output_format.upper(), **SAVE_OPTIONS[output_format])


def main():
    engine = PreviewEngine()
    for output_format in ("jpeg", "webp", "png"):
        for name, loras in (("no LoRA", ()), ("two LoRAs", STACK)):
            requests = [
                ImageRequest(prompt, seed, loras=loras, output_format=output_format)
                for seed in range(6)
                for prompt in PROMPTS
            ]
            pictures = [Image.open(io.BytesIO(engine.generate(one))).convert("RGB") for one in requests[:4]]
            whole = cpu_seconds(engine.generate, requests)
            alone = cpu_seconds(lambda picture, to=output_format: encode(picture, to), pictures * 2)
            print(
                f"{output_format:5} {name:10} {1 / whole:5.0f} a second and core: {whole * 1e3:5.1f} ms, "
                f"of which encoding {alone * 1e3:5.1f} ms"
            )


if __name__ == "__main__":
    main()
