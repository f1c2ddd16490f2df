"""How far pictures are from their baselines: which are paired, what is measured, what is kept."""

from __future__ import annotations

import json

import pytest
from PIL import Image, ImageFilter
from support.sample_run import Sample, write_sample

from zbatch import difference
from zbatch.sheet import change
from zbatch.sheet.change import baselines, known_changes, measure_changes, measured_axes
from zbatch.sheet.data import SheetData
from zbatch.sheet.measuring import Group, measured
from zbatch.state.run import Run

pytestmark = pytest.mark.skipif(
    not difference.measurable(), reason="flip-evaluator has no build for this platform"
)

CALM = Sample(subjects=("red fox", "barn owl"), troubles=False, excluded=False)


@pytest.fixture
def run(tmp_path):
    with Run(write_sample(tmp_path / "run", CALM)) as opened:
        yield opened


def pairs_of(run):
    """The pictures that are to be compared, by their hashes."""
    data = SheetData.of(run)
    return {tuple(data.jobs.sha256[job] for job in pair) for pair in lora_pairs(data)}


def lora_pairs(data):
    return list(baselines(data, data.axis("lora.scale")))


def measure(run, **options):
    return measure_changes(SheetData.of(run), run.directory, **options)


def known_of(run):
    """The change of each job along the LoRAs' scale."""
    data = SheetData.of(run)
    nothing = [None] * len(data.jobs.key)
    return known_changes(data, run.directory).get("lora.scale", nothing)


def cell_of(data, job):
    at = data.cells.job.index(job)
    return {
        axis.name: axis.values[column[at]]
        for axis, column in zip(data.axes, data.cells.coordinates, strict=True)
    }


def test_each_picture_with_loras_has_the_one_without_at_its_place(run):
    data = SheetData.of(run)
    pairs = dict(lora_pairs(data))
    with_loras = [job for job, rest in enumerate(data.jobs.rest) if "loras" in data.rests[rest]]
    assert sorted(pairs) == with_loras
    assert with_loras
    for job, base in pairs.items():
        own, other = cell_of(data, job), cell_of(data, base)
        assert other["lora.scale"] == 0
        assert {name: own[name] for name in ("subject", "seed")} == {
            name: other[name] for name in ("subject", "seed")
        }


def test_a_run_without_loras_has_no_baselines(tmp_path):
    with Run(write_sample(tmp_path / "run", Sample(loras=(), troubles=False))) as run:
        assert measured_axes(SheetData.of(run)) == []
        assert measure(run) == change.Measured(0, 0)
    assert not (run.directory.thumbs / "changes.json").exists()


def test_what_is_not_done_is_neither_measured_nor_a_baseline(tmp_path):
    with Run(write_sample(tmp_path / "run")) as run:
        data = SheetData.of(run)
        for pair in lora_pairs(data):
            assert [data.state(job).value for job in pair] == ["done", "done"]


def test_it_grows_along_a_scale_and_is_kept(run):
    data = SheetData.of(run)
    assert known_changes(data, run.directory) == {}
    first = measure(run)
    assert first.now == len(pairs_of(run))
    assert first.left == 0
    known = known_of(run)
    lines = {}
    for job, _ in lora_pairs(data):
        cell = cell_of(data, job)
        lines.setdefault((cell["subject"], cell["lora.name"], cell["seed"]), []).append(
            (cell["lora.scale"], known[job])
        )
    for line in lines.values():
        numbers = [number for _, number in sorted(line)]
        assert numbers == sorted(numbers)
        assert 0 < numbers[0] < numbers[-1] <= 1
    assert measure(run) == change.Measured(0, 0)


def test_the_rest_is_for_another_time(run):
    pairs = len(pairs_of(run))
    assert measure(run, most=5) == change.Measured(5, pairs - 5)
    assert sum(bool(number) for number in known_of(run)) >= 5
    assert measure(run) == change.Measured(pairs - 5, 0)


def test_a_picture_that_is_gone_is_not_known_and_stops_nothing(run):
    data = SheetData.of(run)
    job, _ = lora_pairs(data)[0]
    gone = [other for other, sha in enumerate(data.jobs.sha256) if sha == data.jobs.sha256[job]]
    for other in gone:
        (run.directory.path / data.thumbnail(other)).unlink()
    measure(run)
    known = known_of(run)
    assert [known[other] for other in gone] == [None] * len(gone)
    assert any(known)


@pytest.mark.parametrize(
    "kept", ["", "[]", '{"measure": "another", "changes": {}}', '{"measure": "flip-1.7-64", "changes": 3}']
)
def test_what_was_kept_and_makes_no_sense_is_measured_again(run, kept):
    file = run.directory.thumbs / "changes.json"
    file.write_text(kept)
    assert known_changes(SheetData.of(run), run.directory) == {}
    assert measure(run).now > 0
    assert json.loads(file.read_text())["measure"] == difference.MEASURE


def test_helpers_give_what_one_process_gives(tmp_path, monkeypatch):
    picture = Image.effect_mandelbrot((200, 150), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    files = []
    for blur in range(6):
        files.append(str(tmp_path / f"{blur}.webp"))
        picture.filter(ImageFilter.GaussianBlur(blur)).save(files[-1], lossless=True)
    groups = [Group(files[at], tuple(files)) for at in range(5)] + [
        Group(str(tmp_path / "none.webp"), tuple(files))
    ]
    alone = measured(groups)
    monkeypatch.setattr("zbatch.sheet.measuring._WORTH", 10)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert measured(groups) == alone
    assert alone[-1] == [None] * 6
    assert [numbers[at] for at, numbers in enumerate(alone[:-1])] == [0.0] * 5
    assert alone[0] == sorted(alone[0])


def test_the_number_hardly_depends_on_the_size_that_is_looked_at(tmp_path):
    picture = Image.effect_mandelbrot((384, 384), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    tinted = Image.blend(picture, Image.new("RGB", picture.size, "teal"), 0.4)
    whole = difference.difference(difference.small(picture), difference.small(tinted))
    half = [one.resize((192, 192), Image.Resampling.BOX) for one in (picture, tinted)]
    assert difference.difference(*map(difference.small, half)) == pytest.approx(whole, abs=0.01)


def test_pictures_of_other_proportions_are_not_compared():
    one, other = Image.new("RGB", (64, 64)), Image.new("RGB", (64, 32))
    assert difference.difference(difference.small(one), difference.small(other)) is None
