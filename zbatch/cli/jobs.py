"""`zbatch jobs`: the jobs of a manifest, streamed."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from zbatch.cli import options
from zbatch.cli.output import ExitCode, say_bytes, tell
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import load_manifest


@click.command(
    "jobs", epilog="Examples: zbatch jobs fox.yaml | head -1 | jq . · zbatch jobs fox.yaml --cells | wc -l"
)
@click.argument("manifest", type=options.MANIFEST)
@click.option("--cells", is_flag=True, help="Stream the cells instead, each with the key of its job.")
@options.allow_outside
def command(manifest: Path, cells: bool, allow_outside: bool) -> int:
    """Stream the jobs of MANIFEST as JSON Lines, in grid order of their first cells.

    Lines may have been printed before a late problem makes it exit 2.
    """
    expansion = Expansion(load_manifest(manifest, allow_outside=allow_outside))
    for batch in expansion.batches():
        if cells:
            lines = [
                b'{"key":"%b","coordinates":%b}\n' % (row.key.encode(), row.coordinates)
                for row in batch
                if row.key is not None
            ]
        else:
            lines = [
                b'{"key":"%b","coordinates":%b,"request":%b,"file":%b}\n'
                % (row.key.encode(), row.coordinates, row.request, orjson.dumps(row.file))
                for row in batch
                if row.key is not None and row.request is not None
            ]
        say_bytes(b"".join(lines))
    for warning in expansion.warnings:
        tell(str(warning))
    return ExitCode.OK
