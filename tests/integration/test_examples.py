"""The examples people start from: each is valid and gives what its comment says; the first is run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image
from support.command import zbatch

from zbatch.manifest.jobs import expand
from zbatch.model import JobState
from zbatch.state.run import Run

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
COUNTS = {  # cells, jobs
    "quickstart.yaml": (24, 24),
    "lora-scales.yaml": (56, 52),
    "prompt-sweep.yaml": (17, 17),
    "img2img.yaml": (20, 20),
    "dataset.yaml": (2592, 2592),
}


def test_every_example_is_counted_here():
    assert set(COUNTS) <= {path.name for path in MANIFESTS.glob("*.yaml")}


@pytest.mark.parametrize("name", sorted(path.name for path in MANIFESTS.glob("*.yaml")))
def test_an_example_is_fine_without_a_warning(name):
    path = MANIFESTS / name
    assert path.read_text("utf-8").startswith(
        "# yaml-language-server: $schema=../schemas/manifest-v1.schema.json"
    )
    expansion = expand(path)
    jobs = sum(1 for row in expansion.rows() if row.request is not None)
    assert expansion.warnings == ()
    assert jobs == expansion.jobs
    if name in COUNTS:
        assert (expansion.cells, expansion.jobs) == COUNTS[name]


def test_both_loras_share_one_baseline():
    steps = list(expand(MANIFESTS / "lora-scales.yaml").steps())
    zero = [step for step in steps if step.cell.coordinates["lora.scale"] == 0]
    assert len(zero) == 8
    assert len({step.cell.key for step in zero}) == 4
    assert all(step.job is None or not step.job.request.loras for step in zero)


def test_seeds_are_held_still_where_the_manifest_gives_none():
    jobs = list(expand(MANIFESTS / "dataset.yaml"))
    assert len({job.request.seed for job in jobs}) > 2_500


def test_input_images_stand_as_hashes():
    job = next(iter(expand(MANIFESTS / "img2img.yaml")))
    digest = hashlib.sha256((MANIFESTS / "inputs" / "reference.png").read_bytes()).hexdigest()
    assert job.request.body()["image_url"] == {"file": "inputs/reference.png", "sha256": digest}


def test_the_quickstart_is_run_for_real(tmp_path):
    done = zbatch("run", MANIFESTS / "quickstart.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Run(tmp_path / "runs" / "quickstart-preview") as run:
        assert run.counts()[JobState.DONE] == 24
        for job in run.jobs():
            with Image.open(run.directory.path / job.file) as image:
                image.load()
                assert image.size == (768, 768)
        assert run.directory.index.stat().st_size > 10_000
