"""The text that AUTOMATIC1111 wrote beside its pictures, and that viewers and sites read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from zbatch.version import __version__

_STEPS: Final = re.compile(r"^Steps: \d+, \w", re.MULTILINE)
_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_ENDINGS: Final = (".safetensors", ".ckpt", ".pt", ".bin")

_TURBO: Final = {"Steps": 8, "Sampler": "Euler", "CFG scale": 1}
"""What the models of this family are made for. The API takes none of these, and readers of the text none
without them."""


def parameters_text(model: str, request: Mapping[str, Any]) -> str:
    """Write the text for a request: the prompt with its LoRAs, and one line of settings."""
    loras = [f"<lora:{lora_name(lora['path'])}:{lora['scale']}>" for lora in request.get("loras", ())]
    prompt = " ".join([str(request["prompt"]), *loras])
    settings = {
        **_TURBO,
        "Seed": request["seed"],
        "Size": str(request["size"]).replace("*", "x"),
        "Model": model,
        **({"Denoising strength": request["strength"]} if "strength" in request else {}),
        "Version": f"zbatch {__version__}",
    }
    return f"{prompt}\n" + ", ".join(f"{name}: {_quoted(str(value))}" for name, value in settings.items())


def is_parameters(text: str) -> bool:
    """Tell whether a text is of that form, whoever wrote it."""
    return _STEPS.search(text) is not None


def lora_name(path: str) -> str:
    """Give what a LoRA is called in a prompt: the last part of its path, of the letters that readers take."""
    parts = urlsplit(path)
    name = unquote(parts.path if parts.scheme in ("http", "https") else path).rstrip("/").rpartition("/")[2]
    name = next((name.removesuffix(end) for end in _ENDINGS if name.endswith(end)), name)
    return _UNUSUAL.sub("_", name).strip("_") or "lora"


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if any(sign in value for sign in ",:\n") else value
