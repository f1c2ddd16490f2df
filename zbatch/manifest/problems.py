"""What is wrong with a request, before it is a finding of the manifest that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zbatch.manifest.findings import Place


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a rendered request, and the place that made it so."""

    place: Place
    message: str
    got: Any
    hint: str
    rendered: bool
    """Whether the value came out of a template, so that the cell must be named too."""
