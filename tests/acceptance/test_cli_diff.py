"""`zbatch diff` as a command: words, JSON, exit codes, and where the page goes."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import sqlite3
from pathlib import Path

import jsonschema
import pytest
from support.command import zbatch

from zbatch.difference import measurable

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = """\
version: 1
name: {name}
loras: {{{lora}: {{path: org/{lora}, trigger: {trigger}}}}}
request: {{prompt: "a {{{{ subject }}}} {{{{ lora.trigger }}}}", size: 256*256}}
matrix:
  subject: [red fox, barn owl]
  lora: {{name: [{lora}], scale: [0, 0.8]}}
  seed: {{from: 1, count: {seeds}}}
"""

measured = pytest.mark.skipif(not measurable(), reason="flip-evaluator has no build for this platform")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of two versions of a LoRA, the second with one seed more; a copy of the first; another study."""
    folder = tmp_path_factory.mktemp("diff-cli")
    for name, lora, seeds in (("v1", "film-v1", 2), ("v2", "film-v2", 3)):
        text = MANIFEST.format(name=name, lora=lora, seeds=seeds, trigger="filmgrain")
        (folder / f"{name}.yaml").write_text(text)
    (folder / "other.yaml").write_text(
        "version: 1\nname: other\nrequest: {prompt: of it, size: 256*256}\nmatrix: {place: [tundra]}\n"
    )
    for name in ("v1", "v2", "other"):
        done = zbatch("run", f"{name}.yaml", "-o", name, "--no-report", cwd=folder)
        assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "v1", folder / "again")
    return folder


def test_two_versions_of_a_lora(folder):
    said = zbatch("diff", "v1", "v2", cwd=folder)
    assert (said.returncode, said.stderr) == (1, "")
    first, *lines = said.stdout.splitlines()
    assert first == "v1 → v2: 8 pairs, 4 different, 4 the same"
    assert "  lora.name film-v1 is taken for film-v2" in lines
    assert "  lora path org/film-v1 → org/film-v2 in 4 pairs" in lines
    assert lines[0].startswith("  before: v1, of v1.yaml, in v1, begun 20")
    assert lines[1].startswith("  after:  v2, of v2.yaml, in v2, begun 20")
    assert "only in v2: 4 cells (seed 3)" in lines
    assert lines[-1] == "v2/diff-v1.html"
    assert (folder / "v2/diff-v1.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("runs", "lora", "side"), [("v1 v2", "film-v2", "after"), ("v2 v1", "film-v2", "before")]
)
def test_what_one_run_has_alone_is_told_in_its_own_names(folder, runs, lora, side):
    said = zbatch("diff", *runs.split(), "--no-page", cwd=folder)
    alone = said.stdout.partition("only in v2: 4 cells (seed 3)\n")[2].splitlines()
    assert len(alone) == 4
    assert all(f", lora.name={lora}, " in line for line in alone)
    shape = json.loads(zbatch("diff", *runs.split(), "--json", "--no-page", cwd=folder).stdout)
    assert {cell["coordinates"]["lora.name"] for cell in shape[f"{side}_only"]} == {lora}
    assert any("→" in str(pair["coordinates"]["lora.name"]) for pair in shape["pairs"])


@measured
def test_json_has_every_pair_and_the_page_is_left_out_on_wish(folder):
    page = folder / "v2/diff-v1.html"
    page.unlink(missing_ok=True)
    said = zbatch("diff", "v1", "v2", "--json", "--no-page", cwd=folder)
    assert said.returncode == 1
    shape = json.loads(said.stdout)
    schema = json.loads((ROOT / "schemas/diff-v1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(shape, schema)
    assert shape["counts"] == {"different": 4, "same": 4, "unfinished": 0, "before": 0, "after": 4}
    changes = [pair["change"] for pair in shape["pairs"]]
    assert changes == sorted(changes, reverse=True)
    assert changes[3] > 0
    assert changes[4:] == [0, 0, 0, 0]
    scale = next(axis for axis in shape["axes"] if axis["axis"] == "lora.scale")
    assert [row["value"] for row in scale["values"]] == [0, 0.8]
    assert scale["values"][0]["median"] == 0
    assert [(row["different"], row["pairs"]) for row in scale["values"]] == [(0, 4), (4, 4)]
    assert shape["reproduced"] is None
    assert (shape["before"]["manifest"], shape["after"]["manifest"]) == ("v1.yaml", "v2.yaml")
    assert shape["page"] is None
    assert not page.exists()


def test_the_same_bytes_end_with_0_and_so_does_what_is_near_enough(folder):
    said = zbatch("diff", "v1", "again", "--no-page", cwd=folder)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines()[0] == "v1 → again: 8 pairs, 8 the same"
    assert "the requests of the pairs are the same" in said.stdout


@measured
def test_a_tolerance_takes_small_changes_for_none(folder):
    changes = json.loads(zbatch("diff", "v1", "v2", "--json", "--no-page", cwd=folder).stdout)["pairs"]
    largest = changes[0]["change"]
    for tolerance, code in ((largest, 0), (largest - 0.001, 1)):
        said = zbatch("diff", "v1", "v2", "--no-page", "--tolerance", tolerance, cwd=folder)
        assert said.returncode == code
    assert zbatch("diff", "v1", "v2", "--tolerance", "2", cwd=folder).returncode == 2


def test_a_pair_without_both_pictures_is_not_the_same(folder, tmp_path):
    manifest = (folder / "v1.yaml").read_text()
    (tmp_path / "v1.yaml").write_text(manifest)
    part = zbatch("run", "v1.yaml", "-o", "part", "--first", "3", "--no-report", cwd=tmp_path)
    assert part.returncode == 0
    said = zbatch("diff", folder / "v1", "part", "--no-page", cwd=tmp_path)
    assert said.returncode == 1
    assert "without both pictures" in said.stdout.splitlines()[0]


def test_runs_that_share_nothing_are_refused_with_what_each_has(folder):
    said = zbatch("diff", "v1", "other", cwd=folder)
    assert said.returncode == 2
    assert said.stdout == ""
    assert "v1 and other share nothing to compare" in said.stderr
    assert "subject is in v1 only" in said.stderr
    assert "hint: " in said.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["v1"], "it takes two runs"),
        (["v1", "v2", "--reproduced"], "--reproduced stands in place of RUN_B"),
        (["v1", "nowhere"], "nowhere is not a run directory"),
        (["v1", "--reproduced"], "nothing of v1 was reproduced yet"),
        (["v1", "v2", "--pair", "lora.name=film-v1"], "names one value of lora.name, not two"),
        (["v1", "v2", "--axis", "subject:animal"], "names no axis of the earlier run"),
        (["v1", "v2", "-o", "v1"], "v1 is a directory"),
        (["v1", "v2", "-o", "v1.yaml"], "is no page that `zbatch diff` wrote"),
        (["v1", "v2", "-o", "v1/jobs.jsonl", "--force"], "v1/jobs.jsonl belongs to a run"),
        (["v1", "v2", "-o", "v2/state.sqlite3", "--force"], "v2/state.sqlite3 belongs to a run"),
        (["v1", "v2", "--tolerance", "nan"], "a number from 0 to 1"),
    ],
)
def test_what_cannot_be_done_is_said(folder, arguments, words):
    before = (folder / "v1.yaml").read_bytes()
    said = zbatch("diff", *arguments, cwd=folder)
    assert (said.returncode, said.stdout) == (2, "")
    assert words in said.stderr
    assert "Traceback" not in said.stderr
    assert (folder / "v1.yaml").read_bytes() == before


def test_a_page_of_its_own_is_replaced_and_anything_else_with_force(folder, tmp_path):
    page = tmp_path / "compared.html"
    page.write_text("my notes")
    assert zbatch("diff", "v1", "again", "-o", page, cwd=folder).returncode == 2
    assert page.read_text() == "my notes"
    assert zbatch("diff", "v1", "again", "-o", page, "--force", cwd=folder).returncode == 0
    assert zbatch("diff", "v1", "again", "-o", page, cwd=folder).returncode == 0
    assert zbatch("diff", "v1", "again", "-o", tmp_path / "none/there.html", cwd=folder).returncode == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_run_that_nobody_may_write_to_is_read(folder, tmp_path):
    run = shutil.copytree(folder / "v2", tmp_path / "v2")
    for place in (run, run / "thumbs"):
        place.chmod(0o500)
    said = zbatch("diff", folder / "v1", run, "--no-page", cwd=tmp_path)
    assert said.returncode == 1
    assert zbatch("diff", folder / "v1", run, cwd=tmp_path).returncode == 4


def test_what_was_reproduced_is_shown(folder, tmp_path):
    run = shutil.copytree(folder / "v1", tmp_path / "v1")
    again = zbatch("verify", run, "--reproduce", "3", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    said = zbatch("diff", run, "--reproduced", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    place = next((run / "reproduced").glob("*/state.sqlite3")).parent
    lines = said.stdout.splitlines()
    assert lines[0] == f"v1 → reproduced/{place.name}: 3 pairs, 3 the same"
    assert lines[-1] == str(place / "diff-v1.html")
    # What was not asked for is not missing.
    assert f"  after:  asked again, in {place}, begun" in said.stdout
    assert "  3 of 8 jobs were asked again" in lines
    assert "only in" not in said.stdout
    shape = json.loads(zbatch("diff", run, place, "--json", "--no-page", cwd=tmp_path).stdout)
    jsonschema.validate(shape, json.loads((ROOT / "schemas/diff-v1.schema.json").read_text()))
    assert shape["reproduced"] == {"asked": 3, "of": 8}
    assert (shape["counts"]["before"], shape["before_only"]) == (0, [])


def test_what_was_reproduced_and_is_no_longer_shown_is_said(folder, tmp_path):
    run = shutil.copytree(folder / "v1", tmp_path / "v1")
    assert zbatch("verify", run, "--reproduce", "1", cwd=tmp_path).returncode == 0
    (tmp_path / "v1.yaml").write_text((folder / "v1.yaml").read_text().replace("{from: 1,", "{from: 7,"))
    assert zbatch("run", "v1.yaml", "-o", run, "--first", "1", "--no-report", cwd=tmp_path).returncode == 0
    said = zbatch("diff", run, "--reproduced", cwd=tmp_path)
    assert (said.returncode, said.stdout) == (2, "")
    assert "none of the jobs that were asked again in" in said.stderr
    assert "hint: zbatch verify" in said.stderr


def test_drift_is_told_with_the_command_that_shows_it(folder, tmp_path):
    run = shutil.copytree(folder / "v1", tmp_path / "v1")
    with contextlib.closing(sqlite3.connect(run / "state.sqlite3")) as db, db:
        columns = "file, thumb, sha256, bytes, received_sha256"
        rows = db.execute(f"SELECT id, {columns} FROM jobs ORDER BY position").fetchall()
        (one, file, thumb, *_), (_, other, other_thumb, *facts) = rows[0], rows[-1]
        db.execute("UPDATE jobs SET sha256 = ?, bytes = ?, received_sha256 = ? WHERE id = ?", (*facts, one))
    for own, source in ((file, other), (thumb, other_thumb)):
        (run / own).write_bytes((run / source).read_bytes())
    again = zbatch("verify", run, "--reproduce", "9", cwd=tmp_path)
    assert again.returncode == 1
    last = again.stdout.splitlines()[-1]
    assert last.startswith(f"side by side: zbatch diff {run} {run}/reproduced/")
    said = zbatch(*shlex.split(last.partition("zbatch ")[2]), cwd=tmp_path)
    assert said.returncode == 1
    assert "1 different, " in said.stdout.splitlines()[0]
    assert said.stdout == zbatch("diff", run, "--reproduced", cwd=tmp_path).stdout
