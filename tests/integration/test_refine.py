"""`zbatch refine`: from a run and what was picked of it to the next manifest, and what is refused."""

import contextlib
import fcntl
import json
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image
from support.command import zbatch
from support.picked import write_picks
from support.runs import finish

from zbatch.errors import UsageError
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import load_manifest
from zbatch.picks.merging import merge_picks
from zbatch.picks.rates import marginals
from zbatch.picks.reading import parse_picks
from zbatch.refining.choosing import Wishes, new_text
from zbatch.refining.dimensions import dimensions
from zbatch.refining.evidence import gather, judged_cells
from zbatch.refining.naming import Request
from zbatch.refining.refinement import refine
from zbatch.settings import Settings, resolve
from zbatch.state.run import Run

MANIFEST = """\
# yaml-language-server: $schema=../schemas/manifest-v1.schema.json
# A study.   Its words stay.
version: 1
name: study
extends: shared/base.yaml     # size and seeds

request: {prompt: "{{ animal }} {{ lora.trigger }}"}

matrix:
  animal:          # two of them
    - fox          # red
    - 'owl'
  lora:
    name: [film, ink]
    scale: {from: 0, to: 1.2, step: 0.2}   # seven
exclude:
  - {animal: owl, lora.scale: 1.2}   # no owl so far
include:
  - {animal: fox, lora: film@0.75, seed: 7}
  - {animal: owl, lora: ink@0.5, seed: 7}
price: 0.01
"""
BASE = """\
version: 1
loras: {film: {path: org/film, trigger: grain}, ink: {path: org/ink}}
request: {size: 256*256}
matrix:
  seed: {from: 1, count: 2}
"""


def best_at_six(at):
    """Film wins, the fox wins, 0.6 wins."""
    distance = abs(at["lora.scale"] - 0.6)
    return max(1, 5 - round(5 * distance) - (at["lora.name"] == "ink") - (at["animal"] == "owl"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "shared").mkdir()
    (folder / "shared" / "base.yaml").write_text(BASE)
    (folder / "study.yaml").write_text(MANIFEST)
    with contextlib.chdir(folder):
        done = finish(resolve(load_manifest("study.yaml"), Settings(endpoint="preview")))
    assert done.ending == "complete"
    return folder


@pytest.fixture
def study(made, tmp_path, monkeypatch):
    """A copy of the study, with where one stands in it."""
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    picks = write_picks(
        tmp_path / "here" / "picks.json", tmp_path / "here" / "runs" / "study-preview", best_at_six
    )
    return tmp_path / "here", picks


def run_with_loras(folder, loras):
    """Run the study anew with a list of LoRAs, and without the rules that name what it no longer has."""
    text = MANIFEST.replace(
        "    name: [film, ink]\n    scale: {from: 0, to: 1.2, step: 0.2}   # seven", loras
    )
    (folder / "study.yaml").write_text(text[: text.index("exclude:")])
    finish(resolve(load_manifest("study.yaml"), Settings()))


def refined(study, *picks, out=None, force=False, same_run=False, **wishes):
    folder, mine = study
    wishes = Wishes(**{"keep": {}, "drop": {}, "votes": 2, **wishes})  # two seeds
    with Run(folder / "runs" / "study-preview") as run:
        made = refine(run, Request(picks or (mine,), wishes, out, force=force, same_run=same_run))
    made.write()
    return made


def values(path):
    manifest = load_manifest(path)
    return {
        axis.name: [value.value for value in axis.values]
        for axis in manifest.grid.axes
        if axis.name != "lora"
    }


def test_denser_round_the_winner_and_everything_else_stays(study):
    folder, _ = study
    made = refined(study)
    assert made.target.resolve() == folder / "study-2.yaml"
    text = made.target.read_text()
    lines = text.splitlines()
    assert lines[0] == MANIFEST.splitlines()[0]
    assert lines[1].startswith("# Refined by zbatch from the run study (runs/study-preview, manifest ")
    assert lines[2].endswith(", by picks.json of Ann. What that run has made is not paid again:")
    assert lines[3].startswith("#   zbatch run ")
    assert "\n".join(lines[4:]) + "\n" == (
        "\n".join(MANIFEST.splitlines()[1:])
        .replace("name: study", "name: study-2")
        .replace("    - 'owl'\n", "")
        .replace("[film, ink]", "[film]")
        .replace("{from: 0, to: 1.2, step: 0.2}", "[0.5, 0.55, 0.6, 0.65, 0.7]")
        .replace("exclude:\n  - {animal: owl, lora.scale: 1.2}   # no owl so far", "exclude: []")
        .replace("\n  - {animal: owl, lora: ink@0.5, seed: 7}", "")
        + "\n"
    )
    # Of 5 scales in 2 seeds and the row of include: 0.6 and the row are there.
    assert (made.plan.jobs, made.plan.reused, made.plan.to_submit) == (11, 3, 8)
    assert made.command(
        "run"
    ) == f"zbatch run {made.target} --reuse runs/study-preview" or "--reuse" in made.command("run")
    assert any("the baseline, lora.scale 0, goes too" in note for note in made.notes)
    assert not [path for path in folder.iterdir() if ".part" in path.name]


def test_wishes_win(study):
    made = refined(
        study,
        keep={"animal": ["owl"], "lora.scale": ["0", "1.0"]},
        drop={"seed": ["2"]},
        only=("lora.scale",),
    )
    assert values(made.target)["animal"] == ["fox", "owl"]
    assert values(made.target)["seed"] == [1]
    data = yaml.safe_load(made.target.read_text())
    assert data["matrix"]["lora"] == {"name": ["film", "ink"], "scale": [0, 0.5, 0.55, 0.6, 0.65, 0.7, 1]}
    assert data["matrix"]["seed"] == [1]  # of the base, written over here


def test_all_that_goes_is_told_with_what_keeps_it(study):
    """An entry of a list, a number, a row: what, why, and an option that can be typed."""
    folder, _ = study
    made = refined(study)
    notes = "\n".join(made.notes)
    assert "animal: a value goes: owl (2.2 stars of 23); --keep animal=owl keeps it" in notes
    assert "lora.scale: 6 values go: 0 (" in notes
    assert "--keep lora.scale=0,0.2,0.4,0.8,1,1.2 keeps them" in notes
    assert (
        "include[1]: taken out, as it names animal owl and lora.name ink; "
        "--keep animal=owl --keep lora.name=ink keeps it" in notes
    )
    run_with_loras(
        folder,
        "    - none\n    - {label: 'dark, old', value: ink@0.5}\n    - film@0.6\n    - [film@0.5, ink@0.5]",
    )
    picks = write_picks(
        folder / "p.json", folder / "runs" / "study-preview",
        lambda at: 5 if at["lora.scale"] == 0.6 else 2,
    )  # fmt: skip
    made = refined(study, picks, force=True)
    goes, baseline = (note for note in made.notes if "--keep" in note)
    few = "(2.0 stars of 4)"
    assert goes == (
        f"lora: 3 values go: none {few}, dark, old {few}, film@0.5+ink@0.5 {few}; "
        """--keep 'lora=none,"dark, old",film@0.5+ink@0.5' keeps them; name fewer to keep those"""
    )
    assert baseline.startswith("the baseline, lora none, goes too")
    assert "--keep lora=none keeps it" in baseline
    for wish, many in (('none,"dark, old",film@0.5+ink@0.5', 3), ("dark, old", 1), ("none", 1)):
        kept = refined(study, picks, force=True, keep={"lora": [wish]}, drop={"animal": ["owl"]})
        (lora,) = [one for one in kept.choices if one.dimension.name == "lora"]
        assert sum(one.why == "--keep" for one in lora.verdicts) == many
        assert not any("--keep animal" in note for note in kept.notes)  # as it was asked for
    assert not any("baseline" in note for note in kept.notes)


def test_what_is_to_stay_and_to_go_is_refused(study):
    with pytest.raises(UsageError, match=r"--keep lora\.scale=0\.60,1 and --drop lora\.scale=0\.6 cannot"):
        refined(study, keep={"lora.scale": ["0.60,1"]}, drop={"lora.scale": ["0.6"]})


@pytest.mark.parametrize("name", ["'study'", '"study"', "study", "&n study"])
def test_a_name_keeps_its_quotes_and_its_comment(study, name):
    folder, _ = study
    text = MANIFEST.replace("name: study\n", f"name: {name}  # of the fox\n")
    (folder / "study.yaml").write_text(text)
    finish(resolve(load_manifest("study.yaml"), Settings()))
    written = name.removeprefix("&n ").replace("study", "study-2")
    assert f"\nname: {written}  # of the fox\n" in refined(study).target.read_text()


def test_a_run_that_is_there_is_not_gone_on_with_unnoticed(study):
    folder, _ = study
    runs = folder / "runs"
    shutil.copytree(runs / "study-preview", runs / "study-2-preview")
    made = refined(study)
    assert made.target.name == "study-3.yaml"
    assert "it is called study-3, not study-2: runs/study-2-preview is there already" in made.notes
    assert made.warnings == ()
    (folder / "new").mkdir()
    shutil.copytree(runs / "study-preview", runs / "mars-preview")
    (warning,) = refined(study, out=folder / "new" / "mars.yaml").warnings
    assert warning.startswith("warning: runs/mars-preview is there already, with a run of study.yaml")
    assert "new/mars.yaml` would go on in it\n  hint: name the file otherwise" in warning
    assert refined(study, out=folder / "new" / "venus.yaml").warnings == ()
    made = refined(study, out=folder / "study.yaml", force=True)  # its name, which is not the file's, is free
    assert (made.warnings, "name: study-3\n" in made.text) == ((), True)
    assert not (runs / "venus-preview").exists()


def test_what_nothing_was_said_about_stays(study):
    folder, _ = study
    only_film = write_picks(
        folder / "p.json", folder / "runs" / "study-preview",
        lambda at: best_at_six(at) if at["lora.name"] == "film" and at["animal"] == "fox" else None,
    )  # fmt: skip
    made = refined(study, only_film, out=folder / "a.yaml")
    data = yaml.safe_load(made.target.read_text())
    assert (data["name"], data["matrix"]["lora"]["name"], data["matrix"]["animal"]) == (
        "a", ["film", "ink"], ["fox", "owl"],
    )  # fmt: skip


def test_favourites_alone_are_a_choice(study):
    folder, _ = study
    picks = write_picks(
        folder / "p.json", folder / "runs" / "study-preview",
        lambda at: "favourite" if {"fox", "ink", 0.4} <= {*at.values()} else None,
    )  # fmt: skip
    data = yaml.safe_load(refined(study, picks).target.read_text())
    assert data["matrix"]["lora"] == {"name": ["ink"], "scale": [0.3, 0.35, 0.4, 0.45, 0.5]}
    assert data["matrix"]["animal"] == ["fox"]


def scales(made):
    (choice,) = [one for one in made.choices if one.dimension.name == "lora.scale"]
    return choice, {one.value.number: one for one in choice.verdicts}


@pytest.mark.parametrize("said", [1, "reject", "favourite"])
def test_with_fewer_votes_nothing_wins_or_loses(study, said):
    """Two images of each scale of one LoRA: at 0.6 they are good, or nothing else is."""
    folder, _ = study
    other = None if said == "favourite" else said
    picks = write_picks(
        folder / "p.json", folder / "runs" / "study-preview",
        lambda at: (("favourite" if other is None else 5) if at["lora.scale"] == 0.6 else other)
        if (at["animal"], at["lora.name"]) == ("fox", "film") and at["seed"] < 3 else None,
    )  # fmt: skip
    only = ("lora.scale",)
    with pytest.raises(UsageError, match="nothing would change") as caught:
        refined(study, picks, votes=3, only=only)
    lacks = "lora.scale: too few votes for any value to go: it takes 3 images or as many comparisons"
    assert lacks in str(caught.value)
    assert "has 2 images and lacks 1; --votes 2 goes by what there is" in str(caught.value)
    with pytest.raises(UsageError, match="has 2 images and lacks 98"):
        refined(study, picks, votes=100, only=only)
    choice, _ = scales(refined(study, picks, votes=2, only=only))
    assert new_text(choice) == "0.5, 0.55, 0.6, 0.65, 0.7"
    assert choice.lacking == ""


def test_halves_are_told_as_in_the_page(study):
    """Four images of 4, 4, 4 and 5 stars are 4.3; half a win of four is 13 %."""
    folder, _ = study
    run = folder / "runs" / "study-preview"
    with Run(run) as opened:
        cells = [(cell.key, cell.coordinates) for cell in opened.cells() if cell.key]
        identity = opened.about("identity")
    owls = [key for key, at in cells if at["animal"] == "owl" and at["lora.name"] == "film"][:4]
    jobs = {key: {"rating": 5 - bool(number)} for number, key in enumerate(owls)}
    of = {tuple(sorted({**at, "animal": ""}.items())): {} for _, at in cells}
    for key, at in cells:
        of[tuple(sorted({**at, "animal": ""}.items()))][at["animal"]] = key
    met = [pair for pair in of.values() if len(pair) == 2][:4]
    compared = [
        {"a": pair["owl"], "b": pair["fox"], "axis": "animal", "winner": "b" if number else "tie"}
        for number, pair in enumerate(met)
    ]
    picks = {"version": 1, "run": {"identity": identity}, "jobs": jobs, "comparisons": []}
    (folder / "p.json").write_text(json.dumps(picks))
    with pytest.raises(UsageError, match=r"owl \(4\.3 stars of 4\)"):
        refined(study, folder / "p.json", only=("animal",))
    (folder / "p.json").write_text(json.dumps({**picks, "comparisons": compared}))
    with pytest.raises(UsageError, match=r"owl \(won 13% of 4 "):
        refined(study, folder / "p.json", only=("animal",))


def test_a_value_with_fewer_votes_than_others_is_left(study):
    folder, _ = study
    run = folder / "runs" / "study-preview"
    rare = lambda at: at["lora.scale"] == 0.2 and (at["animal"], at["seed"]) != ("fox", 1)  # noqa: E731
    picks = write_picks(folder / "p.json", run, lambda at: None if rare(at) else best_at_six(at))
    _, verdicts = scales(refined(study, picks, votes=3, only=("lora.scale",)))
    assert verdicts[0.2].kept
    assert not verdicts[0.2].won
    assert verdicts[0.2].why.endswith(" of 2: too few to go by")
    assert not verdicts[0].kept


def test_comparisons_are_counted_as_votes_too(study):
    folder, _ = study
    picks = write_picks(
        folder / "p.json", folder / "runs" / "study-preview", lambda _: None,
        compared=("animal", lambda a, _: "a" if a == "fox" else "b"),
    )  # fmt: skip
    said = json.loads(picks.read_text())
    said["comparisons"] = said["comparisons"][:8]
    picks.write_text(json.dumps(said))
    made = refined(study, picks, votes=8)
    assert values(made.target)["animal"] == ["fox"]
    with pytest.raises(UsageError, match="the most compared, has 8 comparisons and lacks 1"):
        refined(study, picks, votes=9, force=True)


def test_a_favourite_keeps_what_loses_and_nothing_comes_new_round_it(study):
    folder, _ = study
    run = folder / "runs" / "study-preview"
    picks = write_picks(
        folder / "p.json", run, best_at_six,
        compared=("lora.scale", lambda a, b: "a" if abs(a - 0.6) < abs(b - 0.6) else "b"),
    )  # fmt: skip
    said = json.loads(picks.read_text())
    with Run(run) as opened:
        loved = next(
            cell.key for cell in opened.cells() if cell.key and cell.coordinates["lora.scale"] == 1.2
        )
    said["jobs"][loved]["favourite"] = True
    picks.write_text(json.dumps(said))
    _, rated = scales(refined(study, picks, only=("lora.scale",)))
    assert rated[1.2].kept
    assert rated[1.2].why.startswith("won ")
    said["comparisons"] = []
    picks.write_text(json.dumps(said))
    choice, starred = scales(refined(study, picks, only=("lora.scale",), force=True))
    assert new_text(choice) == "0.5, 0.55, 0.6, 0.65, 0.7, 1.2"
    for one in (rated[1.2], starred[1.2]):
        assert one.why.endswith(": kept by 1 favourite alone")
        assert not one.won


def test_where_nothing_comes_new_no_run_is_offered(study):
    folder, _ = study
    write_picks(
        folder / "p.json", folder / "runs" / "study-preview", lambda at: 4 if at["animal"] == "fox" else 2
    )
    done = zbatch(
        "refine", "study.yaml", "--picks", "p.json", "--axis", "animal", "--axis", "lora.scale", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert ", 0 to submit" in done.stdout
    assert "nothing in it is new, so there is nothing to run: no values of lora.scale could be" in done.stdout
    assert "zbatch run" not in done.stdout
    assert "  seed        all 2 stay: not asked for\n" in done.stdout
    assert done.stdout.count("not asked for") == 2


def test_blind_comparisons_decide_where_there_are_enough(study):
    folder, _ = study
    picks = write_picks(
        folder / "p.json", folder / "runs" / "study-preview", lambda _: 3,
        compared=("lora.scale", lambda a, b: "a" if abs(a - 0.4) < abs(b - 0.4) else "b"),
    )  # fmt: skip
    made = refined(study, picks)
    (scale,) = [one for one in made.choices if one.dimension.name == "lora.scale"]
    kept = [one for one in scale.verdicts if one.kept]
    assert 0.4 in {one.value.number for one in kept}
    assert "won 100% of" in next(one.why for one in kept if one.value.number == 0.4)
    assert 1.2 in {one.value.number for one in scale.verdicts if not one.kept}


def test_a_list_of_loras_gets_denser_by_name(study):
    folder, _ = study
    run_with_loras(
        folder, "    - none\n    - film@0.4  # low\n    - film@0.6\n    - film@0.8\n    - [film@0.5, ink@0.5]"
    )
    picks = write_picks(
        folder / "p.json", folder / "runs" / "study-preview",
        lambda at: 5 if (at["lora.name"], at["lora.scale"]) in {("film", 0.6), ("none", 0)} else 2,
    )  # fmt: skip
    made = refined(study, picks)
    assert yaml.safe_load(made.target.read_text())["matrix"]["lora"] == [
        "none", "film@0.5", "film@0.55", "film@0.6", "film@0.65", "film@0.7",
    ]  # fmt: skip
    (lora,) = [one for one in made.choices if one.dimension.name == "lora"]
    assert new_text(lora) == "none, film@0.6, film@0.5, film@0.55, film@0.65, film@0.7"


def test_listed_loras_are_compared_too(study):
    """One value has a name and a scale: it wins by either, where nothing was rated at all."""
    folder, _ = study
    text = MANIFEST.replace(
        "    name: [film, ink]\n    scale: {from: 0, to: 1.2, step: 0.2}   # seven",
        "    [film@0.4, film@0.8, ink@0.4, ink@0.8]",
    )
    (folder / "study.yaml").write_text(text[: text.index("exclude:")].replace("lora:\n    [", "lora: ["))
    finish(resolve(load_manifest("study.yaml"), Settings()))
    run = folder / "runs" / "study-preview"
    said = [
        json.loads(write_picks(folder / "p.json", run, lambda _: None, compared=(axis, wins)).read_text())
        for axis, wins in (
            ("lora.name", lambda a, _: "a" if a == "film" else "b"),
            ("lora.scale", lambda a, b: "a" if a > b else "b"),
        )
    ]
    said[0]["comparisons"] += said[1]["comparisons"]
    (folder / "p.json").write_text(json.dumps(said[0]))
    made = refined(study, folder / "p.json", keep={"lora": ["film@0.4"]})
    (lora,) = [one for one in made.choices if one.dimension.name == "lora"]
    assert [(one.value.text, one.why.partition(" (")[0]) for one in lora.verdicts] == [
        ("film@0.4", "--keep"), ("film@0.8", "won 100% of 8"), ("ink@0.4", "won 0% of 8"),
        ("ink@0.8", "won 50% of 8"),
    ]  # fmt: skip
    assert [one.value.text for one in lora.kept] == ["film@0.4", "film@0.8", "ink@0.8"]
    assert made.compared == 16


def test_rejects_lose_and_an_axis_is_never_emptied(study):
    folder, _ = study
    run = folder / "runs" / "study-preview"
    picks = write_picks(folder / "p.json", run, lambda at: "reject" if at["animal"] == "fox" else 2)
    assert values(refined(study, picks).target)["animal"] == ["owl"]
    # The fox is why most pictures of each LoRA are rejects; which one is better is another question.
    said = lambda at: "reject" if at["animal"] == "fox" else 4 if at["lora.name"] == "ink" else 2  # noqa: E731
    picks = write_picks(folder / "p.json", run, said)
    assert yaml.safe_load(refined(study, picks, force=True).target.read_text())["matrix"]["lora"]["name"] == [
        "ink"
    ]
    picks = write_picks(folder / "p.json", run, lambda _: "reject")
    with pytest.raises(UsageError, match="nothing would be left of animal: every value loses"):
        refined(study, picks, out=folder / "b.yaml")
    with pytest.raises(UsageError, match="nothing would be left of seed"):
        refined(study, out=folder / "b.yaml", drop={"seed": ["1", "2"]})
    assert not (folder / "b.yaml").exists()


def test_what_it_goes_by_is_what_the_page_counts(study):
    """An image counts once, a baseline under no LoRA's name; what the page counts otherwise is said."""
    folder, _ = study
    run = folder / "runs" / "study-preview"
    said = parse_picks(write_picks(folder / "p.json", run, best_at_six).read_bytes())
    merged = merge_picks([said])
    with Run(run) as opened:
        cells = judged_cells(opened.cells(), merged)
        assert sum(map(len, cells.values())) > len(cells) == len(merged.opinions)  # some share an image
    for dimension in dimensions(load_manifest("study.yaml")):
        found = {key[0][2]: (one.images, one.stars) for key, one in gather(dimension, cells, merged).items()}
        page = {
            one.value: (one.images, one.mean) for one in marginals(merged.opinions, dimension.name, cells)
        }
        assert found == {value: pytest.approx(page[value]) for value in found}
    made = refined(study)
    assert (made.judged, made.compared) == (len(cells), 0)
    assert any(note.startswith("seed, lora.scale: judged by the images of what stays") for note in made.notes)
    picks = write_picks(
        folder / "p.json", run, lambda at: "favourite" if at["lora.scale"] == 0.4 else 2,
        compared=("animal", lambda a, _: "a" if a == "fox" else "b"),
    )  # fmt: skip
    made = refined(study, picks, force=True)
    assert (made.judged, made.compared) == (len(cells), 22)
    assert any("8 of the judged images have no stars: a favourite counts as 5" in note for note in made.notes)


def test_no_file_is_made_up(study):
    """A number in the path of a checkpoint, through `vars` too, gets no neighbours."""
    folder, _ = study
    (folder / "epochs.yaml").write_text(
        "version: 1\nname: epochs\nvars: {at: 'epoch-{{ epoch }}'}\n"
        "request:\n  prompt: fox\n  size: 256*256\n"
        "  loras: [{path: 'org/{{ at }}.safetensors', scale: '{{ scale }}'}]\n"
        "matrix: {epoch: [2, 4, 6], scale: [0.4, 0.8, 1.2]}\n"
    )
    finish(resolve(load_manifest("epochs.yaml"), Settings()))
    run = folder / "runs" / "epochs-preview"
    picks = write_picks(folder / "p.json", run, lambda at: 5 if (at["epoch"], at["scale"]) == (4, 0.8) else 1)
    with Run(run) as opened:
        made = refine(opened, Request((picks,), Wishes({}, {}, votes=1)))
    made.write()
    assert values(made.target) == {"epoch": [4], "scale": [0.6, 0.7, 0.8, 0.9, 1]}
    assert "epoch: no numbers come new, as they are part of the path of a file" in made.notes


def test_two_people_are_heard(study):
    folder, mine = study
    ben = write_picks(
        folder / "ben.json", folder / "runs" / "study-preview",
        lambda at: 5 if at["animal"] == "owl" and at["lora.scale"] == 0.6 else None, who="Ben",
    )  # fmt: skip
    made = refined(study, mine, ben)
    assert made.people == ("Ann", "Ben")


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"only": ("scale",)}, "'scale' is no axis of this manifest"),
        ({"keep": {"animal": ["wolf"]}}, "animal has no value 'wolf'"),
        ({"drop": {"lora.scale": ["0.61"]}}, "lora.scale has no value '0.61'"),
    ],
)
def test_wishes_that_mean_nothing(study, wishes, words):
    with pytest.raises(UsageError, match=words):
        refined(study, **wishes)


def test_nothing_stands_out_nothing_is_written(study):
    folder, _ = study
    picks = write_picks(folder / "p.json", folder / "runs" / "study-preview", lambda _: 3)
    with pytest.raises(UsageError, match="nothing would change"):
        refined(study, picks)
    assert not (folder / "study-2.yaml").exists()


def test_picks_that_are_not_of_this_run(study):
    folder, mine = study
    said = json.loads(mine.read_text())
    said["run"]["identity"] = "another"
    mine.write_text(json.dumps(said))
    assert any("was made for another run" in note for note in refined(study).notes)
    some = dict(list(said["jobs"].items())[:30])
    said["jobs"] = {**some, "f" * 64: {"rating": 1}}
    mine.write_text(json.dumps(said))
    made = refined(study, force=True)
    assert any("30 of the 31 images" in note for note in made.notes)
    said["jobs"] = {"f" * 64: {"rating": 1}}
    mine.write_text(json.dumps(said))
    with pytest.raises(UsageError, match="of another run"):
        refined(study, force=True)
    said["jobs"], said["run"] = {}, {"identity": made_identity(folder)}
    mine.write_text(json.dumps(said))
    with pytest.raises(UsageError, match="nothing about any image that this run shows\n"):
        refined(study, force=True)
    said["jobs"] = {"f" * 64: {"rating": 1}}
    mine.write_text(json.dumps(said))
    with pytest.raises(UsageError, match="shows: of the 1 that it names, none is in its manifest any more"):
        refined(study, force=True)
    said["jobs"] = some
    one, other = list(some)[:2]
    said["comparisons"] = [{"a": one, "b": other, "winner": "a", "axis": "weather"}]
    mine.write_text(json.dumps(said))
    made = refined(study, force=True)
    assert (made.judged, made.compared) == (30, 0)
    assert any("1 comparison counts nowhere" in note for note in made.notes)
    mine.write_text(mine.read_text()[:40])
    with pytest.raises(UsageError, match=r"cut off\nerror: there is no picks file none\.json"):
        refined(study, mine, Path("none.json"), force=True)


def made_identity(folder):
    with Run(folder / "runs" / "study-preview") as run:
        return run.about("identity")


def test_what_a_killed_refine_left_is_taken_away_and_what_another_writes_is_not(study):
    folder, _ = study
    left, under_way, mine = (folder / f".study-2.{part}.part.yaml" for part in ("77", "78", "mine"))
    for path in (left, under_way, mine):
        path.write_text("version: 1")
    with under_way.open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        refined(study)
        assert (left.exists(), under_way.exists(), mine.exists()) == (False, True, True)
    refined(study, force=True)
    assert sorted(path.name for path in folder.glob(".*")) == [mine.name]


def test_nothing_is_overwritten_unless_forced(study):
    folder, _ = study
    (folder / "study-2.yaml").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        refined(study)
    assert (folder / "study-2.yaml").read_text() == "mine"
    refined(study, force=True)
    with pytest.raises(UsageError, match="/dev/null is a device"):
        refined(study, out=Path("/dev/null"), force=True)
    with pytest.raises(UsageError, match="is a directory"):
        refined(study, out=folder / "shared")
    with pytest.raises(UsageError, match="there is no directory"):
        refined(study, out=folder / "no" / "a.yaml")


@pytest.mark.parametrize(
    "name",
    ["picks.json", "link.json", "hard.json", "shared/base.yaml", "runs/study-preview/state.sqlite3",
     "runs/study-preview/manifest.lock.yaml", "runs/study-preview/jobs.jsonl"],
)  # fmt: skip
@pytest.mark.parametrize("edited", [False, True])
def test_what_is_read_is_never_replaced(study, name, edited):
    folder, picks = study
    (folder / "link.json").symlink_to(picks)
    (folder / "hard.json").hardlink_to(picks)
    if edited:
        (folder / "study.yaml").write_text(MANIFEST.replace("fox", "wolf"))
    before = (folder / name).read_bytes() if (folder / name).exists() else None
    if before is None:
        (folder / name).write_bytes(before := b"{}")
    with pytest.raises(UsageError, match=r"is read for this, and is not replaced|is a file of the run"):
        refined(study, out=folder / name, force=True)
    assert (folder / name).read_bytes() == before


def test_a_picture_that_goes_in_is_never_replaced(study):
    folder, _ = study
    Image.new("RGB", (256, 256), "red").save(folder / "shared" / "in.png")
    (folder / "edit.yaml").write_text(
        "version: 1\nname: edit\nrequest: {prompt: fox, size: 256*256, image_url: shared/in.png}\n"
        "matrix: {seed: [1, 2]}\n"
    )
    finish(resolve(load_manifest("edit.yaml"), Settings()))
    picks = write_picks(folder / "p.json", folder / "runs" / "edit-preview", lambda at: 2 * at["seed"])
    asked = Request((picks,), Wishes({}, {}, votes=1), folder / "shared" / "in.png", force=True)
    with Run(folder / "runs" / "edit-preview") as run, pytest.raises(UsageError, match="is read for this"):
        refine(run, asked)


def test_the_manifest_and_its_copies_elsewhere(study):
    folder, _ = study
    (folder / "other.yaml").write_text("mine")
    assert refined(study, out=folder / "other.yaml", force=True).target.name == "other.yaml"
    assert refined(study, out=folder / "study.yaml", force=True).text == (folder / "study.yaml").read_text()


def test_an_edited_manifest_is_refined_as_it_was(study):
    folder, _ = study
    (folder / "study.yaml").write_text(MANIFEST.replace("fox", "wolf"))
    made = refined(study)
    assert any("has changed since the run: refined from the copy" in note for note in made.notes)
    assert values(made.target)["animal"] == ["fox"]
    shutil.rmtree(folder / "runs" / "study-preview" / "manifest.src")
    with pytest.raises(UsageError, match="keeps no copy of its manifest that could be read"):
        refined(study, force=True)


def test_a_manifest_that_is_gone_is_refined_from_the_copy(study, monkeypatch):
    folder, _ = study
    (folder / "study.yaml").unlink()
    shutil.rmtree(folder / "shared")
    made = refined(study)
    assert any("is not found any more" in note for note in made.notes)
    assert "extends: runs/study-preview/manifest.src/shared/base.yaml" in made.target.read_text()
    assert (made.plan.jobs, made.plan.reused) == (11, 3)


def test_elsewhere_its_files_are_found(study):
    folder, _ = study
    (folder / "next").mkdir()
    made = refined(study, out=folder / "next" / "fox.yaml")
    text = made.target.read_text()
    assert "extends: ../shared/base.yaml     # size and seeds" in text
    assert "name: fox\n" in text
    assert made.plan.reused == 3


def test_the_next_one_of_the_next_one(study, monkeypatch):
    folder, _ = study
    made = refined(study)
    second = folder / "runs" / "study-2-preview"
    done = finish(resolve(load_manifest(made.target), Settings(run_dir=second, reuse=(made.run,))))
    assert sum(job.attempts for job in done.jobs.values()) >= 1
    picks = write_picks(folder / "p2.json", second, lambda at: 5 if at["lora.scale"] == 0.65 else 1)
    with Run(second) as run:
        third = refine(run, Request((picks,), Wishes({}, {}, votes=2)))
    third.write()
    text = third.target.read_text()
    assert third.target.name == "study-3.yaml"
    assert text.count("# Refined by zbatch") == 1
    assert "scale: [0.625, 0.6375, 0.65, 0.6625, 0.675]   # seven" in text
    assert third.plan.reused == 3


def test_the_same_run_goes_on(study):
    folder, _ = study
    made = refined(study, same_run=True, out=folder / "study.yaml", force=True)
    assert "name: study\n" in made.target.read_text()
    assert (made.plan.done, made.plan.reused, made.plan.to_submit) == (3, 0, 8)
    assert "--reuse" not in made.command("run")
    assert len(list(Expansion(load_manifest(made.target)))) == 11


def test_a_directory_of_its_own_name_is_another(study):
    folder, _ = study
    text = MANIFEST + "output: {dir: runs/study}\n"
    (folder / "study.yaml").write_text(text)
    finish(resolve(load_manifest("study.yaml"), Settings()))
    made = refined(study)
    assert "output: {dir: runs/study-2}" in made.target.read_text()


def test_as_a_command(study):
    folder, _ = study
    done = zbatch(
        "refine", "study.yaml", "--picks", "picks.json", "--keep", "lora.scale=0", "--votes", "2", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert "lora.scale  now   0, 0.5, 0.55, 0.6, 0.65, 0.7" in done.stdout
    assert "plan: 13 jobs: 5 images made already, 8 to submit, 0.08 USD (the built-in endpoint" in done.stdout
    command = done.stdout.splitlines()[-1].split()
    assert shlex.join(command) == (
        "zbatch run study-2.yaml --endpoint preview --reuse runs/study-preview"  # as the run was given it
    )
    assert "exclude: animal: owl, lora.scale: 1.2: taken out" in done.stderr
    again = zbatch("refine", "study.yaml", "--picks", "picks.json", cwd=folder)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert zbatch("refine", "study.yaml", cwd=folder).returncode == 2
    bad = zbatch("refine", "study.yaml", "--picks", "picks.json", "--keep", "owl", cwd=folder)
    assert (bad.returncode, "AXIS=VALUE" in bad.stderr) == (2, True)
    assert zbatch(*command[1:], "--no-report", cwd=folder).returncode == 0
    status = zbatch("status", "runs/study-2-preview", cwd=folder)
    assert "5 pictures taken over from runs/study-preview" in status.stdout
