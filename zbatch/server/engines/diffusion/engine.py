"""The engine: requests become calls of diffusers' pipelines, and their pictures the files asked for."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final, Self

import torch
from diffusers import ZImageImg2ImgPipeline, ZImageInpaintPipeline
from PIL import Image

from zbatch.model import Lora
from zbatch.server.engines import ImageRequest, Watch
from zbatch.server.engines.diffusion.adapters import Adapters
from zbatch.server.engines.diffusion.canvas import Canvas, coarse_mask, kept
from zbatch.server.engines.diffusion.lora_download import LoraHosts
from zbatch.server.engines.diffusion.lora_files import LoraFiles
from zbatch.server.engines.diffusion.model import load_pipeline
from zbatch.server.engines.diffusion.setup import Setup
from zbatch.server.engines.inputs import DEFAULT_STRENGTH, opened

log = logging.getLogger(__name__)

SAVE_OPTIONS: Final[Mapping[str, Mapping[str, int]]] = {
    "jpeg": {"quality": 95},
    "png": {"compress_level": 6},
    "webp": {"quality": 95, "method": 4},
}
_MOST_TOKENS: Final = 512
"""What the model reads of a prompt; the rest is cut off, and that is told."""
_PAINTED: Final = 95
"""Percent of the way when the last step is done and the picture is still to be decoded."""


class GivenUpError(Exception):
    """Nobody waits for the picture any more."""


class NoPictureError(Exception):
    """The numbers that the model arrived at are no picture."""


class MemoryFullError(Exception):
    """The picture does not fit into the memory of the processor that paints."""


class DiffusersEngine:
    """Paints with Z-Image: text to image, image to image and inpainting over one set of weights."""

    name = "diffusers"

    def __init__(self, pipeline: Any, setup: Setup) -> None:
        """Take over a loaded text-to-image pipeline.

        The other two are built from its very parts; `from_pipe` would convert these to float32.
        """
        self._setup = setup
        self._text = pipeline
        self._image = ZImageImg2ImgPipeline(**pipeline.components)
        self._inpaint = ZImageInpaintPipeline(**pipeline.components)
        for other in (self._image, self._inpaint):
            other.set_progress_bar_config(disable=True)
        self._cell = pipeline.vae_scale_factor
        hosts = LoraHosts(setup.lora_hosts, allow_private=setup.allow_private_urls)
        self._files = LoraFiles(setup.lora_dir, hosts, setup.lora_cache, setup.lora_cache_bytes)
        self._adapters = Adapters(pipeline, setup.lora_memory_bytes)
        self._painting = threading.Lock()

    @classmethod
    def start(cls, setup: Setup) -> Self:
        """Load the model and give the engine.

        Raises:
            UsageError: the model cannot be used here.
        """
        return cls(load_pipeline(setup), setup)

    @property
    def max_batch(self) -> int:
        """How many images are made at once, at most."""
        return self._setup.batch

    def batch_key(self, request: ImageRequest) -> Hashable:
        """Tell what can be made at once: text to image of one size with one set of LoRAs."""
        if request.image is not None:
            return object()
        loras = tuple((lora.path, float(lora.scale)) for lora in _visible(request))
        return request.width, request.height, loras

    async def prepare(self, request: ImageRequest) -> None:
        """Fetch the LoRAs that are not on this machine.

        Raises:
            LoraError: one is missing, or cannot be had.
        """
        for lora in _visible(request):
            await self._files.fetch(lora.path)

    def generate(self, request: ImageRequest) -> bytes:
        """Make one image, unwatched; see `zbatch.server.engines.Engine`."""
        (result,) = self.generate_many([request], [Watch()])
        if isinstance(result, Exception):
            raise result
        return result

    def generate_many(
        self, requests: Sequence[ImageRequest], watches: Sequence[Watch]
    ) -> Sequence[bytes | Exception]:
        """Make images of one batch key, one by one where together they do not fit into memory."""
        with self._painting:
            if len(requests) > 1:
                try:
                    return self._made(requests, watches)
                except (MemoryFullError, NoPictureError) as error:
                    log.warning("%d images at once: %s; now one by one", len(requests), error)
                    for watch in watches:
                        watch.notes.pop("batched", None)
            return [
                self._made_alone(request, watch) for request, watch in zip(requests, watches, strict=True)
            ]

    def _made_alone(self, request: ImageRequest, watch: Watch) -> bytes | Exception:
        try:
            return self._made([request], [watch])[0]
        except Exception as error:  # noqa: BLE001 - told as the reason of this task
            return error

    def _made(self, requests: Sequence[ImageRequest], watches: Sequence[Watch]) -> Sequence[bytes]:
        try:
            pictures = self._painted(requests, watches)
        except (MemoryError, RuntimeError) as error:
            if not _is_memory(error):
                raise
            size = f"{requests[0].width}x{requests[0].height}"
            together = f", {len(requests)} at once" if len(requests) > 1 else ""
            failure = MemoryFullError(f"out of memory while painting {size}{together}")
        else:
            files = [
                _file(picture, request.output_format)
                for picture, request in zip(pictures, requests, strict=True)
            ]
            for watch in watches:
                watch.percent = 100
            return files
        # Outside of the handler: what the traceback held is free by now.
        self._adapters.drop()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise failure

    def _painted(self, requests: Sequence[ImageRequest], watches: Sequence[Watch]) -> list[Image.Image]:
        first = requests[0]
        canvas = Canvas.of(first.width, first.height, self._cell * 2)
        for request, watch in zip(requests, watches, strict=True):
            tokens = self._tokens(request.prompt)
            if tokens > _MOST_TOKENS:
                watch.notes["prompt_read"] = f"{_MOST_TOKENS} of {tokens} tokens"
            if self._setup.compile:
                watch.notes["compiled"] = "true"
            if not canvas.exact:
                watch.notes["painted_size"] = f"{canvas.painted[0]}*{canvas.painted[1]}"
            if len(requests) > 1:
                watch.notes["batched"] = str(len(requests))
        if first.image is None:
            self._use_loras(first)
            return [canvas.cut(one) for one in self._call(self._text, requests, watches, canvas)]
        return [self._repainted(first, watches, canvas, first.image)]

    def _repainted(
        self, request: ImageRequest, watches: Sequence[Watch], canvas: Canvas, image: bytes
    ) -> Image.Image:
        """Paint over a source: at strength 0 it comes back as it is, at 1 only what is kept of it is seen."""
        source = opened(image, "RGB", canvas.asked)
        strength = DEFAULT_STRENGTH if request.strength is None else float(request.strength)
        mask = None if request.mask is None else opened(request.mask, "L", canvas.asked)
        if strength <= 0:
            return source
        self._use_loras(request)
        given: dict[str, Any] = {"image": canvas.placed(source), "strength": strength}
        if mask is not None:
            given["mask_image"] = coarse_mask(canvas.placed(mask), self._cell)
            pipeline = self._inpaint
        elif strength < 1:
            pipeline = self._image
        else:
            pipeline, given = self._text, {}
        (painted,) = self._call(pipeline, [request], watches, canvas, **given)
        return kept(canvas.cut(painted), source, mask)

    def _tokens(self, prompt: str) -> int:
        """Count what the text encoder would have to read of a prompt, the words around it included."""
        asked = [{"role": "user", "content": prompt}]
        tokenizer = self._text.tokenizer
        told = tokenizer.apply_chat_template(
            asked, tokenize=False, add_generation_prompt=True, enable_thinking=True
        )
        return len(tokenizer(told).input_ids)

    def _use_loras(self, request: ImageRequest) -> None:
        self._adapters.use(
            [(lora.path, self._files.find(lora.path), float(lora.scale)) for lora in _visible(request)]
        )

    def _call(
        self,
        pipeline: Any,
        requests: Sequence[ImageRequest],
        watches: Sequence[Watch],
        canvas: Canvas,
        **given: Any,
    ) -> list[Image.Image]:
        """Run a pipeline. The noise is drawn on the CPU: a seed gives the same on every kind of processor."""
        width, height = canvas.painted
        generators = [torch.Generator("cpu").manual_seed(request.seed) for request in requests]
        try:
            painted: list[Image.Image] = pipeline(
                prompt=[request.prompt for request in requests],
                width=width,
                height=height,
                num_inference_steps=self._setup.steps,
                guidance_scale=0.0,
                max_sequence_length=_MOST_TOKENS,
                generator=generators,
                callback_on_step_end=_reporting(watches),
                **given,
            ).images
        finally:
            if self._setup.offload == "model" and pipeline is not self._text:
                self._text.maybe_free_model_hooks()
        return painted


def _visible(request: ImageRequest) -> list[Lora]:
    """Give the LoRAs that come in: one at scale 0 is as if it were not there, and is not looked for."""
    return [lora for lora in request.loras if lora.scale > 0]


def _reporting(watches: Sequence[Watch]) -> Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]:
    """Give what diffusers calls after every step: it tells how far it is, and ends where nobody waits."""

    def step_ended(pipeline: Any, step: int, _time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if all(watch.given_up for watch in watches):
            raise GivenUpError("given up: the server is on its way out")
        steps = pipeline.num_timesteps
        for watch in watches:
            watch.percent = _PAINTED * (step + 1) // steps
        if step + 1 == steps and not torch.isfinite(tensors["latents"]).all():
            raise NoPictureError("the model came to no picture (not a number): is a LoRA's scale too large?")
        return {}

    return step_ended


def _is_memory(error: BaseException) -> bool:
    words = str(error).lower()
    return (
        isinstance(error, (MemoryError, torch.OutOfMemoryError))
        or "out of memory" in words
        or "can't allocate memory" in words
    )


def _file(picture: Image.Image, output_format: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, output_format.upper(), **SAVE_OPTIONS[output_format])
    return buffer.getvalue()
