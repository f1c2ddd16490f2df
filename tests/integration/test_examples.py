"""The examples people start from: each is valid and gives what its comment says; the first is run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image
from support.command import zbatch

from zbatch.manifest.loader import expand
from zbatch.model import JobState
from zbatch.state.run import Run

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
COUNTS = {  # cells, jobs
    "quickstart.yaml": (24, 24),
    "lora-scales.yaml": (56, 52),
    "prompt-sweep.yaml": (17, 17),
    "img2img.yaml": (20, 20),
    "dataset.yaml": (2592, 2592),
    "epochs.yaml": (72, 57),
    "prompts-from-csv.yaml": (16, 16),
    "paired.yaml": (22, 22),
    "stacks.yaml": (28, 28),
    "pairwise.yaml": (100, 100),
    "inpainting.yaml": (30, 30),
    "dataset-100k.yaml": (100_000, 100_000),
}


def test_every_example_is_counted_here():
    assert set(COUNTS) == {path.name for path in MANIFESTS.glob("*.yaml")}


def test_examples_are_small():
    assert sum(path.stat().st_size for path in MANIFESTS.rglob("*") if path.is_file()) < 60_000


def test_every_example_is_named_in_the_readme():
    readme = (MANIFESTS.parent / "README.md").read_text("utf-8")
    assert [name for name in COUNTS if f"(manifests/{name})" not in readme] == []


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


def bodies(name):
    return [(job.coordinates, job.request.body()) for job in expand(MANIFESTS / name)]


def test_rows_and_rules_of_their_own():
    prompts = {body["prompt"] for _, body in bodies("prompt-sweep.yaml")}
    assert "a red fox in the desert, at noon, 50mm, shallow depth of field" in prompts
    assert "a red fox in the tundra, at dawn" in prompts  # the row whose request leaves the camera out
    assert not [text for text in prompts if "a lighthouse in a misty forest" in text]


def test_epochs_are_numbers_and_make_the_path():
    for at, body in bodies("epochs.yaml"):
        expected = [
            {"path": f"https://example.org/film/epoch-{at['epoch']}.safetensors", "scale": at["scale"]}
        ]
        assert body.get("loras") == (expected if at["scale"] else None)
    assert {at["epoch"] for at, _ in bodies("epochs.yaml") if at["scale"]} == {2, 4, 6, 8, 10, 12}


def test_each_prompt_of_the_csv_has_its_size_and_seed():
    found = {at["id"]: (body["size"], body["seed"]) for at, body in bodies("prompts-from-csv.yaml")}
    assert found["fox"] == ("832*512", 11)
    assert found["portrait"] == ("640*768", 15)
    assert len(found) == 8
    prompts = [body["prompt"] for _, body in bodies("prompts-from-csv.yaml")]
    assert "a lighthouse on a cliff,\nseen from the sea, woodcut" in prompts
    assert 'a street market at dawn, "vegetables" on a sign, photograph' in prompts


def test_pairs_stay_pairs():
    pairs = {(at["time"], at["light"], at["palette"]) for at, _ in bodies("paired.yaml")}
    assert pairs == {
        ("dawn", "low mist", "cold"),
        ("noon", "hard sun", "bright"),
        ("dusk", "long shadows", "warm"),
        ("midnight", "neon signs", "cold"),
    }


def test_a_stack_sends_both_and_says_both_triggers():
    found = {at["lora.name"]: body for at, body in bodies("stacks.yaml")}
    assert [lora["scale"] for lora in found["film 60 ink 40"]["loras"]] == [0.6, 0.4]
    assert found["film 60 ink 40"]["prompt"].endswith("natural light filmgrain, inkwash")
    assert found["ink"]["prompt"].endswith("natural light inkwash")
    assert "loras" not in found["none"]


def test_a_pairwise_sample_grows_and_keeps_what_is_paid_for(tmp_path):
    expansion = expand(MANIFESTS / "pairwise.yaml")
    hundred = {job.key for job in expansion}
    assert expansion.notes.covered == expansion.notes.pairs
    grown = tmp_path / "grown.yaml"
    base = MANIFESTS / "pairwise.yaml"
    grown.write_text(f"extends: {base}\nsample: {{method: pairwise, n: 200, seed: 1}}\n", "utf-8")
    two_hundred = {job.key for job in expand(grown)}
    assert len(two_hundred) == 200
    assert hundred < two_hundred


def test_masks_belong_to_their_changes():
    pairs = {(at["change"], at["mask"], body["mask"]["file"]) for at, body in bodies("inpainting.yaml")}
    assert pairs == {
        ("a sky full of kites", "sky", "inputs/mask-sky.png"),
        ("storm clouds", "sky", "inputs/mask-sky.png"),
        ("a wooden boat", "middle", "inputs/mask-middle.png"),
    }


def test_the_large_dataset_stands_on_the_small_one():
    expansion = expand(MANIFESTS / "dataset-100k.yaml")
    axes = [(axis.name, len(axis.values)) for axis in expansion.manifest.grid.axes]
    assert axes == [("animal", 20), ("doing", 5), ("place", 10), ("weather", 4), ("light", 5)]
    first = next(iter(expansion))
    assert (first.request.size, first.request.output_format) == ("256*256", "jpeg")
    assert first.file == f"images/{first.key[:16]}.jpg"
    sources = [source.path.name for source in expansion.manifest.document.sources]
    assert sources == ["dataset-100k.yaml", "dataset.yaml", "animals.txt"]


def test_the_inpainting_sheet_is_run_for_real(tmp_path):
    done = zbatch("run", MANIFESTS / "inpainting.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with Run(tmp_path / "runs" / "inpainting-preview") as run:
        assert run.counts()[JobState.DONE] == 30


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
