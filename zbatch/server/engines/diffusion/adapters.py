"""LoRAs in the model: read and checked against it, held in its memory while there is room, switched by name.

The model's own weights are never changed, so that what is painted without a LoRA is the same to the bit
whatever was painted before.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import ZImagePipeline
from safetensors import safe_open

from zbatch.server.engines.diffusion.lora_download import LoraError

_PART: Final = re.compile(r"\.(lora_[AB]\.(weight|bias)|lokr_\w+)$")
Identity = tuple[str, int, int]
"""Path, time of change and size of a file: one that was replaced is another LoRA."""


@dataclass(frozen=True, slots=True)
class _Adapter:
    name: str
    size: int


class Adapters:
    """The LoRAs of one pipeline's transformer."""

    def __init__(self, pipeline: Any, limit: int) -> None:
        """Take over a pipeline that has no LoRAs; hold at most `limit` bytes that are not in use."""
        self._pipeline = pipeline
        self._limit = limit
        self._held: OrderedDict[Identity, _Adapter] = OrderedDict()
        self._count = 0
        self._layers = {
            name: (layer.in_features, layer.out_features)
            for name, layer in pipeline.transformer.named_modules()
            if isinstance(layer, torch.nn.Linear)
        }

    @property
    def held_bytes(self) -> int:
        """Bytes of the LoRAs that the model holds."""
        return sum(adapter.size for adapter in self._held.values())

    def use(self, wanted: Sequence[tuple[str, Path, float]]) -> None:
        """Have the model paint with these LoRAs (how they are called, their files and scales), and no others.

        Raises:
            LoraError: one of them is none, or is for another model.
        """
        scales: dict[Identity, float] = {}
        for called, file, scale in wanted:
            identity = _identity(called, file)
            if identity not in self._held:
                self._load(identity, called, file)
            self._held.move_to_end(identity)
            scales[identity] = scales.get(identity, 0.0) + scale
        self._shrink(keep=scales.keys())
        transformer = self._pipeline.transformer
        if scales:
            names = [self._held[identity].name for identity in scales]
            transformer.enable_adapters()
            transformer.set_adapters(names, list(scales.values()))
        elif self._held:
            transformer.disable_adapters()

    def drop(self) -> None:
        """Let all of them go: the model is as it was loaded."""
        self._held.clear()
        if self._count:
            self._pipeline.unload_lora_weights()

    def _load(self, identity: Identity, called: str, file: Path) -> None:
        weights, metadata = _read(called, file)
        self._check(called, weights)
        self._count += 1
        name = f"lora{self._count}"
        try:
            with warnings.catch_warnings():
                # Of several LoRAs in one model, which is what is wanted, and of layers that a file's own
                # description names and its weights do not have, which come to nothing.
                warnings.simplefilter("ignore")
                self._pipeline.load_lora_into_transformer(
                    weights,
                    self._pipeline.transformer,
                    adapter_name=name,
                    metadata=metadata,
                    _pipeline=self._pipeline,
                    low_cpu_mem_usage=True,
                )
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            raise LoraError(called, f"does not fit this model: {_first_line(error, file)}") from error
        size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
        self._held[identity] = _Adapter(name, size)

    def _check(self, called: str, weights: Mapping[str, Any]) -> None:
        """See that every weight has its layer: diffusers passes over what it does not know with a warning."""
        strangers: set[str] = set()
        matched: set[str] = set()
        for key, tensor in weights.items():
            layer = _PART.sub("", key.removeprefix("transformer."))
            sizes = self._layers.get(layer) if key.startswith("transformer.") else None
            if sizes is None:
                strangers.add(layer)
                continue
            matched.add(layer)
            for side, other, axis, expected in (("A", "B", -1, sizes[0]), ("B", "A", 0, sizes[1])):
                if not key.endswith(f".lora_{side}.weight"):
                    continue
                if key.replace(f".lora_{side}.", f".lora_{other}.") not in weights:
                    raise LoraError(called, f"is damaged: half of its weights for {layer} is missing")
                if tensor.ndim != 2 or tensor.shape[axis] != expected:
                    raise LoraError(
                        called,
                        f"is for another model: its weights for {layer} are for "
                        f"{tensor.shape[axis]} features, and this model has {expected} there",
                    )
        names = sorted(strangers)
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        if not matched:
            raise LoraError(
                called, f"matches no layer of this model; it is for another one (its layers: {some})"
            )
        if strangers:
            raise LoraError(
                called,
                f"is for another model: {len(names)} of its {len(names) + len(matched)} "
                f"layers are not in this one ({some})",
            )

    def _shrink(self, keep: Any) -> None:
        gone = []
        spare = self.held_bytes
        for identity, adapter in self._held.items():
            if spare <= self._limit:
                break
            if identity not in keep:
                gone.append(identity)
                spare -= adapter.size
        if gone and len(gone) == len(self._held):
            self.drop()
        elif gone:
            self._pipeline.transformer.delete_adapters([self._held.pop(identity).name for identity in gone])


def _identity(called: str, file: Path) -> Identity:
    try:
        stat = file.stat()
    except OSError as error:
        raise LoraError(called, f"is missing: {error.strerror}") from error
    return str(file), stat.st_mtime_ns, stat.st_size


def _read(called: str, file: Path) -> tuple[dict[str, Any], Any]:
    """Read a file and bring its keys into diffusers' own form, whoever wrote it."""
    try:
        with safe_open(file, framework="pt") as opened:
            keys = list(opened.keys())
    except Exception as error:
        raise LoraError(called, f"cannot be read: {_first_line(error, file)}") from error
    if any("dora_scale" in key or "lora_magnitude" in key for key in keys):
        raise LoraError(called, "is a DoRA, which is not supported: it would come in only in part")
    if not any(".lora" in key or ".lokr_" in key for key in keys):
        raise LoraError(called, "is no LoRA: the file has none of its weights")
    try:
        weights, metadata = ZImagePipeline.lora_state_dict(
            str(file.parent), weight_name=file.name, use_safetensors=True, return_lora_metadata=True
        )
    except Exception as error:
        raise LoraError(
            called, f"is for another model, or in a form that is not known: {_first_line(error, file)}"
        ) from error
    return dict(weights), metadata


def _first_line(error: BaseException, file: Path) -> str:
    """Give what an error says first, for callers: where files lie on this machine is not for them."""
    text = str(error).replace(f"{file.parent}{os.sep}", "").replace(str(file.parent), "its folder").strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
