"""The JSON Schemas that zbatch brings: of manifests, of lines of jobs.jsonl, of picks."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def schema_text(name: str = "manifest-v1") -> str:
    """Give a schema file as text: from the package, or from the checkout of an editable install."""
    file = f"{name}.schema.json"
    packaged = resources.files("zbatch").joinpath("schemas", file)
    if packaged.is_file():
        return packaged.read_text("utf-8")
    return (Path(__file__).resolve().parents[1] / "schemas" / file).read_text("utf-8")
