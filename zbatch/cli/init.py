"""`zbatch init`: a manifest to start from, or one that makes an image again."""

from __future__ import annotations

from pathlib import Path

import click

from zbatch.cli.output import ExitCode, say, tell
from zbatch.errors import DiskError, UsageError

FILE = "zbatch.yaml"
MANIFEST = """\
# What to try. `zbatch validate zbatch.yaml` checks it, `zbatch plan zbatch.yaml` says what it would do,
# `zbatch run zbatch.yaml` does it. As it is, it runs on the built-in preview endpoint: no key, no network.
version: 1
name: first-steps
description: Which light suits which animal?

# endpoint: https://api.highwayapi.ai   # for real images; the key comes from the variable ZBATCH_API_KEY

request:                                # the API's own fields; {{ }} takes values from the axes below
  prompt: "a {{ subject }} in {{ place }}, {{ light }}"
  size: 768*768                         # width*height, 256 to 1536 a side

matrix:                                 # every combination is one image; the first axis is outermost
  subject: [red fox, barn owl]
  place: [a misty forest]
  light: [morning light, moonlight]
  seed: {from: 1, count: 2}             # 1, 2; or a list: [7, 42]

# loras:                                # LoRAs are named here and used by name on the lora axis
#   film: {path: org/film-grain-v2, trigger: filmgrain}
# and under matrix:
#   lora: {name: [film], scale: {from: 0, to: 1.2, step: 0.4}}   # scale 0 is off: one shared baseline

# price: 0.0085                         # USD an image: plan and run then say what it costs
# limits: {max_cost: 5.00}              # and never spend more than this

report: {x: light, y: subject, group: seed}
"""


@click.command(
    "init",
    epilog="Examples: zbatch init · zbatch init studies/fox · zbatch init --from Downloads/fox.png again",
)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option(
    "--from",
    "picture",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="An image that zbatch made: the manifest makes that one again.",
)
def command(directory: Path, picture: Path | None) -> int:
    """Write a small commented manifest, zbatch.yaml, into DIRECTORY (here, unless said)."""
    path = directory / FILE
    if picture is None:
        _write(path, MANIFEST)
    else:
        # Manifests take a while to import, and a plain init needs nothing of them.
        from zbatch.cli.remaking import remade, what_is_missing  # noqa: PLC0415 - said above

        record, made = remade(picture)
        _write(path, made.text)
        for line in what_is_missing(path, record, made):
            tell(line)
    say(str(path))
    tell(f"next: zbatch run {path}")
    return ExitCode.OK


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UsageError(
            f"{path} is there already", hint="give another directory: zbatch init DIR"
        ) from error
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror or error}") from error
