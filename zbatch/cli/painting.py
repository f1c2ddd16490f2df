"""The flags of `zbatch serve` that are for the engine `diffusers`, and the engine they give."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from zbatch.cli.output import tell
from zbatch.errors import UsageError
from zbatch.personal import state_home
from zbatch.server.engines import Engine
from zbatch.server.engines.diffusion import diffusers_engine
from zbatch.server.engines.diffusion.setup import MODEL, OFFLOADS, QUANTIZATIONS, Setup

_FLAGS: Final = (
    click.option(
        "--model", metavar="MODEL", help=f"diffusers: folder or Hugging Face repository. [default: {MODEL}]"
    ),
    click.option(
        "--lora-dir",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        metavar="DIR",
        help="diffusers: folder of the LoRA files (.safetensors) that requests may name.",
    ),
    click.option(
        "--allow-lora-hosts",
        metavar="HOST,...",
        help="diffusers: hosts LoRAs may be fetched from: huggingface.co,civitai.com; else none.",
    ),
    click.option(
        "--batch",
        type=click.IntRange(1, 64),
        metavar="N",
        help="diffusers: paint up to N alike tasks at once; seeds then repeat only nearly. [default: 1]",
    ),
    click.option(
        "--compile",
        is_flag=True,
        default=None,
        help="diffusers: compile the model: slow at first and at new LoRAs; seeds repeat only nearly.",
    ),
    click.option("--offload", type=click.Choice(OFFLOADS), help="diffusers: keep parts in ordinary memory."),
    click.option(
        "--quantize", type=click.Choice(QUANTIZATIONS), help="diffusers: smaller weights, by bitsandbytes."
    ),
)


def painting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags of the engine; they arrive as keyword arguments."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def chosen_engine(name: str, given: Mapping[str, Any], *, allow_private_urls: bool) -> str | Engine:
    """Give the engine that is meant by name and flags, its model loaded.

    Raises:
        UsageError: flags that the engine does not have, or it cannot work here.
    """
    flags = {flag: value for flag, value in given.items() if value is not None}
    if name != "diffusers":
        if flags:
            flag = next(iter(flags)).replace("_", "-")
            raise UsageError(f"--{flag} is for --engine diffusers, and the engine is {name}")
        return name
    hosts = _hosts(flags.pop("allow_lora_hosts", ""))
    setup = Setup(
        **flags,
        lora_hosts=hosts,
        lora_cache=state_home() / "loras",
        allow_private_urls=allow_private_urls,
    )
    tell(f"loading {setup.model}")
    return diffusers_engine(setup)


def _hosts(given: str) -> frozenset[str]:
    hosts = frozenset(host.strip() for host in given.split(",") if host.strip())
    for host in hosts:
        if re.fullmatch(r"[A-Za-z0-9.-]+", host) is None:
            raise UsageError(
                f"--allow-lora-hosts takes names of hosts, and {host!r} is none",
                hint="--allow-lora-hosts huggingface.co,civitai.com",
            )
    return hosts
