"""`zbatch why`: every field of a request led back to file, line and column, and what changed since."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from zbatch.manifest.loader import expand

BASE = """\
vars:
  light: "{{ mood }} light, 50mm"
loras:
  film: {path: org/film-grain-v2, trigger: filmgrain}
request:
  prompt: "{{ lora.trigger }} a {{ subject }}, {{ light }}"
  size: 256*256
"""
MANIFEST = """\
version: 1
name: fox
extends: base.yaml
matrix:
  subject: [red fox, barn owl]
  lora: {name: [film], scale: [0, 0.6]}
  size: [{label: tall, value: 256*320}]
zip: {file: moods.csv}
include:
  - label: hand
    request: {prompt: a hand, image_url: hand.png, strength: 0.5}
    matrix: {seed: [7, 8]}
"""


@pytest.fixture(autouse=True)
def _written(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "fox.yaml").write_text(MANIFEST)
    (tmp_path / "moods.csv").write_text("mood,seed\ndawn,11\nnoon,12\n")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "hand.png")


@pytest.fixture
def made(zbatch):
    code, _, err = zbatch("run", "fox.yaml", "--no-report", "--progress", "none")
    assert code == 0, err
    return Path("runs/fox-preview")


def key_of(**wanted):
    """The key of the job that the manifest gives for a cell now."""
    steps = expand("fox.yaml").steps()
    return next(
        step.cell.key
        for step in steps
        if all(step.cell.coordinates.get(name) == value for name, value in wanted.items())
    )


def why(zbatch, *arguments):
    code, out, err = zbatch("why", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def leaves(origins):
    for origin in origins:
        yield origin["name"], f"{origin['file']}:{origin['line']}:{origin['column']}", origin["value"]
        yield from leaves(origin["parts"])


def test_every_value_is_led_back_to_where_it_was_written(zbatch, made):
    told = why(zbatch, made, key_of(subject="red fox", **{"lora.scale": 0.6}, mood="dawn"))
    assert told["state"] == "done"
    fields = {origin["name"]: origin for origin in told["fields"]}
    assert list(fields) == ["prompt", "size", "seed", "loras", "output_format"]
    assert list(leaves([fields["prompt"]])) == [
        ("prompt", "base.yaml:6:11", "filmgrain a red fox, dawn light, 50mm"),
        ("light", "base.yaml:2:10", "dawn light, 50mm"),
        ("mood", "moods.csv:2:1", "dawn"),
        ("lora", "fox.yaml:6:35", "film@0.6"),
        ("lora.name", "fox.yaml:6:17", "film"),
        ("loras.film", "base.yaml:4:9", "org/film-grain-v2"),
        ("subject", "fox.yaml:5:13", "red fox"),
    ]
    assert fields["prompt"]["written"] == "{{ lora.trigger }} a {{ subject }}, {{ light }}"
    assert list(leaves(fields["size"]["parts"])) == [("size", "fox.yaml:7:31", "256*320")]
    assert fields["size"]["note"] == "the axis fills it; request.size (base.yaml:7) is not used"
    assert list(leaves(fields["seed"]["parts"])) == [("seed", "moods.csv:2:1", 11)]
    assert fields["output_format"]["note"] == "the API's default"


def test_a_shared_baseline_shows_all_its_cells(zbatch, made):
    (Path("fox.yaml")).write_text(MANIFEST.replace("[film]", "[film, ink]"))
    Path("base.yaml").write_text(BASE.replace("loras:\n", "loras:\n  ink: {path: org/ink}\n"))
    key = key_of(subject="red fox", **{"lora.scale": 0}, mood="noon")
    code, out, err = zbatch("why", made, key[:8])
    assert (code, err) == (0, "")
    assert "2 cells show it (equal requests are one job):" in out
    assert "  lora.name=ink  (the rest as above)\n" in out
    assert "scale 0: off, its trigger is empty" in out
    assert "the manifest has changed since the run: it still gives this job" in out
    assert "nearest" not in out


def test_a_row_of_include_and_its_picture(zbatch, made):
    told = why(zbatch, made, key_of(include="hand", seed=8))
    fields = {origin["name"]: origin for origin in told["fields"]}
    assert fields["image_url"]["value"]["file"] == "hand.png"
    assert fields["image_url"]["line"] == 11
    assert [(cell["coordinates"], cell["include"]["line"]) for cell in told["cells"]] == [
        ({"include": "hand", "seed": 8}, 10)
    ]


def test_a_seed_that_nobody_wrote_says_what_it_was_chosen_from(zbatch):
    Path("fox.yaml").write_text("version: 1\nname: fox\nrequest: {prompt: 'a {{ a }}', size: 256*256}\n"
                                "matrix: {a: [x, y]}\nreplicas: 2\n")  # fmt: skip
    zbatch("run", "fox.yaml", "--no-report", "--progress", "none")
    told = why(zbatch, "fox.yaml", key_of(a="y", replica=2))
    (seed,) = [origin for origin in told["fields"] if origin["name"] == "seed"]
    assert seed["note"] == "chosen by zbatch from the cell: a=y, replica=2"
    assert seed["line"] is None


def test_a_job_that_an_edit_made_new_names_the_field(zbatch, made):
    Path("base.yaml").write_text(BASE.replace("50mm", "85mm"))
    told = why(zbatch, made, key_of(subject="barn owl", **{"lora.scale": 0.6}, mood="noon"))
    assert (told["state"], told["manifest_changed"], told["in_manifest"]) == (None, True, True)
    assert told["nearest_made"]["differences"] == {
        "prompt": {
            "there": "filmgrain a barn owl, noon light, 50mm",
            "here": "filmgrain a barn owl, noon light, 85mm",
        }
    }
    assert told["nearest_now"] is None


def test_a_job_that_an_edit_took_away_is_traced_in_the_copy_the_run_keeps(zbatch, made):
    key = key_of(subject="barn owl", **{"lora.scale": 0.6}, mood="noon")
    Path("moods.csv").write_text("mood,seed\ndawn,11\nnoon,13\n")
    told = why(zbatch, made, key)
    assert (told["state"], told["manifest_changed"], told["in_manifest"]) == ("done", True, False)
    assert told["nearest_now"]["differences"] == {"seed": {"there": 13, "here": 12}}
    (seed,) = [origin for origin in told["fields"] if origin["name"] == "seed"]
    # The copy has no picture to go with it, and can be followed all the same.
    assert seed["parts"][0]["file"] == "runs/fox-preview/manifest.src/moods.csv"
    assert seed["parts"][0]["line"] == 3


@pytest.mark.parametrize("form", ["key", "short", "file", "inside", "no folder", "upper"])
def test_a_job_is_called_by_key_or_by_file(zbatch, made, form):
    key = key_of(include="hand", seed=7)
    name = f"{key[:16]}.webp"
    called = {
        "key": key,
        "short": key[:4],
        "file": made / "images" / name,
        "inside": f"images/{name}",
        "no folder": name,
        "upper": key[:6].upper(),
    }[form]
    assert why(zbatch, made, called)["key"] == key


def test_what_no_job_is_called(zbatch, made):
    code, out, err = zbatch("why", made, "images/gone.webp")
    assert (code, out) == (2, "")
    assert err.startswith("error: no job of this run is called 'images/gone.webp'\n  hint: ")


def test_a_manifest_that_is_wrong_now_does_not_hide_what_is_known(zbatch, made):
    key = key_of(include="hand", seed=7)
    Path("fox.yaml").write_text(MANIFEST + "nonsense: 1\n")
    code, out, err = zbatch("why", made, key)
    assert code == 0
    assert f"{key}\n  done: images/{key[:16]}.webp\n" in out
    assert "note: the manifest fox.yaml is wrong as it is now" in err
    code, out, err = zbatch("why", made, key, "--manifest", "fox.yaml")
    assert (code, out) == (2, "")
    assert "fox.yaml:13:1: nonsense: unknown key 'nonsense'" in err


def test_a_manifest_that_moved_is_said_so(zbatch, made, tmp_path):
    key = key_of(subject="red fox", **{"lora.scale": 0}, mood="dawn")
    Path("fox.yaml").rename("moved.yaml")
    code, out, err = zbatch("why", made, key)
    assert code == 0
    assert "note: the manifest fox.yaml is not there; --manifest says where it is now" in err
    assert "moods.csv:2:1" in out
    assert why(zbatch, made, key, "--manifest", "moved.yaml")["in_manifest"] is True


def test_it_is_found_from_another_directory(zbatch, made, tmp_path, monkeypatch):
    key = key_of(subject="red fox", **{"lora.scale": 0}, mood="dawn")
    monkeypatch.chdir(made / "images")
    assert why(zbatch, tmp_path / made, key)["in_manifest"] is True
