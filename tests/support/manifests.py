"""Manifests in a line or two, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zbatch.errors import Finding, ManifestError
from zbatch.manifest.jobs import Expansion, Step
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.selection import Selection
from zbatch.model import Job

HEAD = "version: 1\nname: x\n"
LORAS = "loras: {film: {path: org/film, trigger: filmgrain}, ink: {path: org/ink, trigger: inkwash}}\n"


class Bench:
    """Writes manifests into one directory and expands them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, text: str | bytes) -> Path:
        path = self.directory / "manifest.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def steps(self, body: str, *, only: tuple[str, ...] = (), first: int | None = None) -> list[Step]:
        manifest = load_manifest(self.path(HEAD + body))
        return list(Expansion(manifest, Selection.parse(only, first, manifest)).steps())

    def jobs(self, body: str) -> list[Job]:
        return [step.job for step in self.steps(body) if step.job is not None]

    def requests(self, body: str) -> list[dict[str, Any]]:
        return [job.request.body() for job in self.jobs(body)]

    def coordinates(self, body: str, **selection: Any) -> list[dict[str, Any]]:
        return [dict(step.cell.coordinates) for step in self.steps(body, **selection) if step.cell.key]

    def warnings(self, body: str) -> list[str]:
        expansion = Expansion(load_manifest(self.path(HEAD + body)))
        expansion.check()
        return [finding.message for finding in expansion.warnings]

    def findings(self, body: str | bytes, *, head: str = HEAD) -> tuple[Finding, ...]:
        text = body if isinstance(body, bytes) else head + body
        with pytest.raises(ManifestError) as caught:
            Expansion(load_manifest(self.path(text))).check()
        return caught.value.findings

    def errors(self, body: str) -> list[str]:
        return [finding.message for finding in self.findings(body) if finding.severity == "error"]
