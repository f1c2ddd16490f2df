"""The model itself: loaded once, checked against the machine's memory, prepared as the setup says."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any, Final

import torch
from diffusers import PipelineQuantizationConfig, ZImagePipeline

from zbatch.errors import UsageError
from zbatch.server.engines.diffusion.setup import Setup

_GIB: Final = 2**30
_WORKING: Final = 3 * _GIB
"""Bytes beside the weights that an image of 1024 pixels takes, roughly; larger ones and batches take more."""


def load_pipeline(setup: Setup) -> Any:
    """Load the text-to-image pipeline; the others are built from its parts.

    Raises:
        UsageError: there is no such model, it is another kind of model, or this machine cannot hold it.
    """
    gpu = torch.cuda.is_available()
    _check_wishes(setup, gpu=gpu)
    _check_kind(setup.model)
    dtype = torch.bfloat16 if gpu else torch.float32
    options: dict[str, Any] = {"dtype": dtype}
    if setup.quantize != "none":
        options["quantization_config"] = _quantization(setup.quantize, dtype)
    try:
        pipeline = ZImagePipeline.from_pretrained(setup.model, **options)
        pipeline.set_progress_bar_config(disable=True)
        _place(pipeline, setup, gpu=gpu)
        if setup.compile:
            pipeline.transformer.compile_repeated_blocks()
    except UsageError:
        raise
    except torch.OutOfMemoryError as error:
        raise UsageError(f"{setup.model} does not fit into the GPU's memory", hint=_LESS) from error
    except Exception as error:
        raise UsageError(f"cannot load the model {setup.model}: {error}") from error
    return pipeline


_LESS: Final = "--offload model or --quantize 4bit needs less of it"


def _check_wishes(setup: Setup, *, gpu: bool) -> None:
    for flag, wished in (("--offload", setup.offload), ("--quantize", setup.quantize)):
        if wished != "none" and not gpu:
            raise UsageError(f"{flag} {wished} needs a GPU, and PyTorch finds none here", hint="leave it out")
    if setup.quantize != "none" and importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError("--quantize needs bitsandbytes", hint="pip install bitsandbytes")


def _check_kind(model: str) -> None:
    try:
        config = ZImagePipeline.load_config(model)
    except Exception as error:
        said = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise UsageError(
            f"there is no model {model}: {said[0]}",
            hint="--model takes a folder with a model_index.json, or a repository of Hugging Face",
        ) from error
    kind = config.get("_class_name") if isinstance(config, Mapping) else None
    if not str(kind).startswith("ZImage"):
        raise UsageError(f"{model} is a {kind}, not a Z-Image model", hint="--model Tongyi-MAI/Z-Image-Turbo")


def _quantization(how: str, dtype: Any) -> Any:
    four = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
    return PipelineQuantizationConfig(
        quant_backend=f"bitsandbytes_{how}",
        quant_kwargs=four if how == "4bit" else {"load_in_8bit": True},
        components_to_quantize=["transformer", "text_encoder"],
    )


def _place(pipeline: Any, setup: Setup, *, gpu: bool) -> None:
    if not gpu:
        return
    sizes = {name: _bytes(part) for name, part in pipeline.components.items()}
    free, total = torch.cuda.mem_get_info()
    check_room(sizes, free, total, setup)
    if setup.offload == "model":
        pipeline.enable_model_cpu_offload()
    elif setup.offload == "sequential":
        pipeline.enable_sequential_cpu_offload()
    else:
        pipeline.to("cuda")


def _bytes(part: Any) -> int:
    """Give the bytes of a part's weights that are not yet on the GPU."""
    if not isinstance(part, torch.nn.Module):
        return 0
    weights = (weight for weight in part.parameters() if weight.device.type != "cuda")
    return sum(weight.numel() * weight.element_size() for weight in weights)


def check_room(sizes: Mapping[str, int], free: int, total: int, setup: Setup) -> None:
    """See that what is to be on the GPU at once has room there.

    Raises:
        UsageError: it has not; says how much is needed, how much is there, and what needs less.
    """
    if setup.offload == "sequential":
        return
    weights = max(sizes.values(), default=0) if setup.offload == "model" else sum(sizes.values())
    needed = weights + _WORKING if weights > _GIB else weights
    if needed <= free:
        return
    wishes = {
        ("none", "none"): _LESS,
        ("none", "8bit"): "--offload model or --quantize 4bit needs less of it",
        ("none", "4bit"): "--offload model needs less of it",
        ("model", "none"): "--quantize 4bit or --offload sequential (slow) needs less of it",
    }
    raise UsageError(
        f"{setup.model} needs about {needed / _GIB:.1f} GiB of GPU memory, "
        f"and {free / _GIB:.1f} of {total / _GIB:.1f} GiB are free",
        hint=wishes.get((setup.offload, setup.quantize), "--offload sequential (slow) needs less of it"),
    )
