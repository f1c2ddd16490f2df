"""Values written into YAML: on one line, plain where nothing takes them for something else."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from zbatch.refining.density import written

_PLAIN: Final = re.compile(
    r"[A-Za-z][A-Za-z0-9_./*+@-]*(?: [A-Za-z0-9_./*+@-]+)*|[0-9]+\*[0-9]+|\.{0,2}/[A-Za-z0-9_./-]+"
)
_TAKEN: Final = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null|none)")
"""Words that YAML, or a reader of it, takes for something else; `none` is one of ours and stays plain."""


def scalar_text(value: Any, style: str | None = None) -> str:
    """Write a value on one line, as it may stand anywhere in YAML; a text in the quotes of a `style`."""
    if style == "'" and isinstance(value, str) and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return written(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(scalar_text, value))}]"
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{scalar_text(str(key))}: {scalar_text(at)}" for key, at in value.items()) + "}"
        )
    if style != '"' and _PLAIN.fullmatch(value) and (value == "none" or not _TAKEN.fullmatch(value)):
        return str(value)
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)
