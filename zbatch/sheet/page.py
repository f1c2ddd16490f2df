"""The page: `index.html` with its styles and scripts inside, and `data.js` beside it.

`fetch` and ES modules fail on `file://`: the data comes by a `<script>` tag and the scripts are plain ones.
"""

from __future__ import annotations

import base64
import hashlib
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from zbatch.sheet.change import Changes
from zbatch.sheet.data import SheetData

HOME: Final = Path(__file__).parent

SCRIPTS: Final = (
    "dom", "focus", "later", "storage", "words", "toast", "clipboard", "shortening", "wrapping", "columns",
    "axis", "lines", "dataset", "picksfile", "opinions", "rates", "shelf", "judging", "matchups",
    "spelling", "query", "selection", "order", "sizes", "view", "caption", "table", "wall", "layout",
    "judgebar", "cell", "heads", "cursor", "surface", "stacks", "grid", "twins", "touch", "chips", "drawer",
    "edges", "controls", "metadata", "snippet", "redo", "copies", "curve", "scrubber", "pinch", "zoom",
    "missing", "pane", "reference", "pins", "difference", "nametags", "sameness", "arrangement", "split",
    "compare", "comparekeys", "comparebar", "lightbox", "picksdialog", "blindprint", "blind", "proof",
    "paperpicture", "paper", "help", "live", "trail", "names", "rehearsal", "main",
)  # fmt: skip
"""The page's scripts, in the order they are joined."""

STYLES: Final = ("base", "controls", "grid", "lightbox", "compare", "judging", "live")

MEDIA_STYLES: Final = ("contrast", "paper")
"""What forced colours and paper change: it comes last, as it must hold over all that a page has."""


class Kind(Enum):
    """What a page shows: its generator's name, and what it has beside the scripts and styles of a sheet."""

    SHEET = "zbatch", (), ()
    PAIRS = "zbatch diff", ("pairs", "pairtile", "pairpanel"), ("pairs",)


def render_page(data: SheetData, *, inline: bytes | None = None, kind: Kind = Kind.SHEET) -> bytes:
    """Render `index.html`. With `inline`, the data script stands inside the page instead of beside it."""
    generator, scripts, styles = kind.value
    # The last script puts the page together: what else there is comes before.
    theme = (HOME / "assets" / "theme.js").read_text(encoding="utf-8")
    script = _joined("js", (*SCRIPTS[:-1], *scripts, SCRIPTS[-1]))
    style = _joined("css", (*STYLES, *styles, *MEDIA_STYLES))
    data_script = None if inline is None else inline.decode("utf-8")
    data_source = ["'self'", "file:"] if data_script is None else [_hash(data_script)]
    sources = [_hash(theme), _hash(script), *data_source]
    text = (
        _environment()
        .get_template("sheet.html.j2")
        .render(
            title=data.about["title"],
            generator=generator,
            description=data.about["description"],
            policy="; ".join(
                (
                    "default-src 'none'",
                    f"script-src {' '.join(sources)}",
                    f"style-src {_hash(style)}",
                    "img-src 'self' file: data:",
                    "base-uri 'none'",
                    "form-action 'none'",
                )
            ),
            style=Markup(style),  # noqa: S704 - our own files
            theme=Markup(theme),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own files
            data_script=None if data_script is None else Markup(data_script),  # noqa: S704 - escaped below
        )
    )
    return text.encode("utf-8")


def render_data(
    data: SheetData,
    thumbnails: list[str] | None = None,
    *,
    live: dict[str, Any] | None = None,
    changes: Changes | None = None,
) -> bytes:
    """Render `data.js`: one assignment. `thumbnails` puts a `data:` URI for each job inside.

    `changes` has the jobs' changes from their baselines (see `zbatch.sheet.change`). `live` tells the page
    that somebody watches the run, and from where to go on (see `zbatch.sheet.live`).
    """
    document = data.document(changes)
    if live is not None:
        document["live"] = live
    if thumbnails is not None:
        document["thumbnails"] = thumbnails
    return script_of(document)


def script_of(document: Any, name: str = "zbatchSheet") -> bytes:
    """Give JSON as a script that assigns it, with nothing in it that a page or a script could trip over.

    The JSON stands in a string: browsers parse that faster than an object literal. `<` and `>` are escaped,
    so that no `</script>` or `<!--` can end or hide anything, and so are the two line separators that JSON
    allows and older scripts do not.
    """
    text = orjson.dumps(document, option=orjson.OPT_SERIALIZE_DATACLASS | orjson.OPT_NON_STR_KEYS)
    for raw, escaped in _ESCAPES:
        text = text.replace(raw, escaped)
    return f"globalThis.{name} = JSON.parse('".encode() + text + b"');\n"


_ESCAPES: Final = (
    (b"\\", b"\\\\"),  # first: the others bring backslashes of their own
    (b"'", b"\\'"),
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HOME / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _joined(kind: str, names: tuple[str, ...]) -> str:
    parts = [(HOME / "assets" / f"{name}.{kind}").read_text(encoding="utf-8") for name in names]
    joined = "\n".join(parts)
    return f'(() => {{\n"use strict";\n{joined}}})();\n' if kind == "js" else joined


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
