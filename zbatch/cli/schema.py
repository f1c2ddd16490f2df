"""`zbatch schema`: the JSON Schemas."""

from __future__ import annotations

import click

from zbatch.cli.output import ExitCode, say
from zbatch.shapes import schema_text


@click.command("schema", epilog="Example: zbatch schema > manifest-v1.schema.json")
@click.argument("name", type=click.Choice(["manifest", "job", "picks"]), default="manifest")
def command(name: str) -> int:
    """Print the JSON Schema of the manifest (for editors), of a line of jobs.jsonl, or of picks."""
    say(schema_text(f"{name}-v1").rstrip("\n"))
    return ExitCode.OK
