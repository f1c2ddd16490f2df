"""What the engine `diffusers` is told at start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

Offload = Literal["none", "model", "sequential"]
Quantize = Literal["none", "8bit", "4bit"]

OFFLOADS: Final[tuple[Offload, ...]] = get_args(Offload)
QUANTIZATIONS: Final[tuple[Quantize, ...]] = get_args(Quantize)
MODEL: Final = "Tongyi-MAI/Z-Image-Turbo"


@dataclass(frozen=True, slots=True)
class Setup:
    """How to paint.

    `model` is a repository of Hugging Face or a folder. LoRAs are taken from files in `lora_dir` and, where
    `lora_hosts` names any, from those hosts; what was fetched is kept in `lora_cache`, at most
    `lora_cache_bytes`, and what the model holds in its memory is at most `lora_memory_bytes`. `batch` images
    are made at once where they are alike, which changes them in the last bits.
    """

    model: str = MODEL
    steps: int = 8
    batch: int = 1
    compile: bool = False
    offload: Offload = "none"
    quantize: Quantize = "none"
    lora_dir: Path | None = None
    lora_hosts: frozenset[str] = frozenset()
    lora_cache: Path | None = None
    lora_cache_bytes: int = 20 * 2**30
    lora_memory_bytes: int = 2 * 2**30
    allow_private_urls: bool = False
