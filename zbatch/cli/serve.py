"""`zbatch serve`: the API on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from zbatch.cli.output import ExitCode, say, tell
from zbatch.server.serving import ENGINES, bind, serve_app


@click.command("serve", epilog="Examples: zbatch serve · zbatch serve --port 0 --api-key-file keys.txt")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Any other than loopback needs --api-key-file."
)
@click.option("--port", default=8788, show_default=True, type=click.IntRange(0, 65535), help="0 picks one.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="preview",
    show_default=True,
    help="What makes the images.",
)
@click.option(
    "--api-key-file", type=click.Path(path_type=Path), metavar="FILE", help="Keys to accept, one a line."
)
@click.option("--allow-private-urls", is_flag=True, help="Fetch input images from private addresses too.")
def command(host: str, port: int, engine: str, api_key_file: Path | None, allow_private_urls: bool) -> int:
    """Serve the API until Ctrl-C. The URL is printed on stdout as soon as it answers."""
    app = serve_app(engine, api_key_file=api_key_file, allow_private_urls=allow_private_urls)
    serving = bind(app, host=host, port=port)
    say(serving.url)
    keys = "" if api_key_file else "; any key or none is accepted"
    tell(f"serving the {engine} engine at {serving.url} (Ctrl-C ends it{keys})")
    serving.run()
    return ExitCode.OK
