"""The manifest of a reproduction: the requests of a run as they were sent, to be sent once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from zbatch.manifest.remaking import template_of
from zbatch.model import InputImage
from zbatch.runner.reproduction import Reproduction
from zbatch.state.records import JobRecord


def replay_text(plan: Reproduction) -> str:
    """Write the manifest: a row for each job, with its request as it was sent.

    One attempt each, nothing repeated by itself: what was said that it costs is the most it can cost.
    """
    limits = dict(plan.limits) | {"attempts": 1, "on_unknown": "hold", "unchecked": ["size", "scale"]}
    whole: dict[str, Any] = {
        "version": 1,
        "name": "reproduced",
        "description": f"What {plan.title} was made of, asked for again (seed {plan.seed}).",
        "endpoint": plan.endpoint.url,
        "model": plan.model,
        "limits": limits,
        "include": [_row(job, plan.root) for job in plan.jobs],
    }
    text = "# Written by zbatch verify --reproduce: requests of a run, as they were sent.\n"
    if plan.price is not None:
        text += f"price: {plan.price:f}\n"
    return text + yaml.dump(whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Quotes all text: a key such as 0beb4711 or 250e3940 is a number to some readers."""


_Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def _row(job: JobRecord, root: Path | None) -> dict[str, Any]:
    """Write a request as a row of `include`: values are never templates; what is nested is escaped."""
    request = job.request
    row: dict[str, Any] = {"label": job.key[:16], "prompt": request.prompt, "seed": request.seed}
    row |= {"size": request.size, "output_format": request.output_format}
    own: dict[str, Any] = {}
    if request.loras:
        own["loras"] = [{"path": template_of(lora.path), "scale": lora.scale} for lora in request.loras]
    if request.enable_base64_output:
        own["enable_base64_output"] = True
    for name, image in (("image_url", request.image_url), ("mask", request.mask)):
        if isinstance(image, InputImage):
            row[name] = str((root or Path()) / image.file)
        elif image is not None:
            row[name] = image
    if request.strength is not None:
        row["strength"] = request.strength
    return row | ({"request": own} if own else {})
