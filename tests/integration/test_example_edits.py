"""Editing an example and running it again redoes exactly what changed, and the plan says so before."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from zbatch.cli import run_command_line
from zbatch.state.run import Run

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"

EDITS = {  # example: file to edit, what, by what, then cells, jobs, kept, made anew
    "a scale more": (
        "lora-scales.yaml", "lora-scales.yaml", "to: 1.2", "to: 1.4", (64, 60), 52, 8,
    ),
    "a baseline with another trigger": (
        "lora-scales.yaml", "lora-scales.yaml", "trigger: inkwash", "trigger: ink", (56, 52), 28, 24,
    ),
    "other weights": (
        "lora-scales.yaml", "lora-scales.yaml", "film-grain-v2", "film-grain-v3", (56, 52), 28, 24,
    ),
    "two epochs more": ("epochs.yaml", "epochs.yaml", "to: 12", "to: 16", (96, 75), 57, 18),
    "a row of the csv": (
        "prompts-from-csv.yaml", "inputs/prompts.csv", "barn owl at rest", "barn owl awake", (16, 16), 14, 2,
    ),
    "a pair": (
        "paired.yaml", "paired.yaml", "hard sun", "harder sun", (22, 22), 16, 6,
    ),
    "a label, which nothing sends": (
        "paired.yaml", "paired.yaml", "label: bright", "label: glaring", (22, 22), 22, 0,
    ),
    "a ratio": ("stacks.yaml", "stacks.yaml", "ink@0.4]}", "ink@0.5]}", (28, 28), 24, 4),
    "a larger sample": ("pairwise.yaml", "pairwise.yaml", "n: 100", "n: 110", (110, 110), 100, 10),
    "an input picture": ("inpainting.yaml", "inputs/lake.png", "", "", (30, 30), 15, 15),
    "another order": (
        "paired.yaml", "paired.yaml", "[a harbour, a mountain pass,", "[a mountain pass, a harbour,",
        (22, 22), 22, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_redoes_what_it_changes(name, tmp_path, monkeypatch, capfd):
    example, file, old, new, (cells, jobs), kept, anew = EDITS[name]
    shutil.copytree(MANIFESTS, tmp_path / "manifests")
    monkeypatch.chdir(tmp_path)
    manifest = tmp_path / "manifests" / example
    manifest.write_text(re.sub(r"\d+\*\d+", "256*256", manifest.read_text("utf-8")), "utf-8")
    csv = tmp_path / "manifests/inputs/prompts.csv"
    csv.write_text(re.sub(r"\d+\*\d+", "256*256", csv.read_text("utf-8")), "utf-8")

    def zbatch(*arguments):
        code = run_command_line(list(arguments))
        out, err = capfd.readouterr()
        assert code == 0, err
        return out

    run = ("-o", "run", "--no-report", "--progress", "none")
    zbatch("run", f"manifests/{example}", *run)
    before = pictures()
    edited = tmp_path / "manifests" / file
    content = edited.read_bytes()
    if old:
        assert content.count(old.encode()) >= 1
        edited.write_bytes(content.replace(old.encode(), new.encode(), 1))
    else:
        Image.effect_noise((256, 256), 50).convert("RGB").save(edited)

    plan = json.loads(zbatch("plan", f"manifests/{example}", "--run-dir", "run", "--json"))
    assert (plan["cells"], plan["jobs"], plan["done"], plan["to_submit"]) == (cells, jobs, kept, anew)
    assert plan["dropped"] == len(before) - kept
    zbatch("run", f"manifests/{example}", *run)
    after = pictures()
    assert {path: when for path, when in after.items() if path in before} == before
    assert len(after) == len(before) + anew
    with Run("run") as opened:
        assert {record.attempts for record in opened.jobs()} == {1}


def pictures():
    """Every image there is, with the moment it was written."""
    return {path: path.stat().st_mtime_ns for path in Path("run/images").rglob("*.*")}
