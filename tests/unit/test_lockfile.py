"""`manifest.lock.yaml` and `manifest.src/`: a run can say from what it was made, and hand it over."""

import hashlib
import shutil

import pytest
import yaml
from support.manifests import HEAD

from zbatch.cli import run_command_line
from zbatch.manifest.loader import expand, load_manifest
from zbatch.manifest.lockfile import lock_text, source_names
from zbatch.state.run import Run
from zbatch.version import __version__


@pytest.fixture
def tree(tmp_path):
    files = {
        "shared/base.yaml": "vars: {light: dim}\n"
        "request:\n  prompt: '{{ what }}, {{ light }}'\n  size: 256*256\n",
        "project/m.yaml": HEAD
        + "extends: [../shared/base.yaml, sub/more.yaml]\nrequest: {size: null}\n"
        + "zip: {file: lists/what.csv}\n",
        "project/sub/more.yaml": "price: 0.01\nmatrix:\n  seed: {file: ../lists/seeds.txt}\n",
        "project/lists/what.csv": 'what\n"a fox,\nrunning"\n',
        "project/lists/seeds.txt": "7\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_lock_holds_the_resolved_manifest_and_where_each_value_was_written(tree, monkeypatch):
    monkeypatch.chdir(tree / "project")
    lock = yaml.safe_load(lock_text(load_manifest("m.yaml")))
    assert lock["zbatch"] == __version__
    assert lock["manifest"] == {
        "version": 1,
        "name": "x",
        "vars": {"light": "dim"},
        "request": {"prompt": "{{ what }}, {{ light }}"},
        "price": 0.01,
        "matrix": {"seed": {"file": "../lists/seeds.txt"}},
        "zip": {"file": "lists/what.csv"},
    }
    assert lock["written_at"] == {
        "version": "m.yaml:1",
        "name": "m.yaml:2",
        "vars.light": "../shared/base.yaml:1",
        "request.prompt": "../shared/base.yaml:3",
        "price": "sub/more.yaml:1",
        "matrix.seed.file": "sub/more.yaml:3",
        "zip.file": "m.yaml:5",
    }


def test_the_lock_names_every_source_with_its_hash(tree, monkeypatch):
    monkeypatch.chdir(tree / "project")
    manifest = load_manifest("m.yaml")
    lock = yaml.safe_load(lock_text(manifest))
    assert [(source["file"], source["kept_as"]) for source in lock["sources"]] == [
        ("m.yaml", "project/m.yaml"),
        ("sub/more.yaml", "project/sub/more.yaml"),
        ("../shared/base.yaml", "shared/base.yaml"),
        ("sub/../lists/seeds.txt", "project/lists/seeds.txt"),
        ("lists/what.csv", "project/lists/what.csv"),
    ]
    for source in lock["sources"]:
        assert (
            source["sha256"] == hashlib.sha256((tree / "project" / source["file"]).read_bytes()).hexdigest()
        )
    assert lock["fingerprint"] == manifest.document.fingerprint


def test_a_run_keeps_every_source(tree, monkeypatch, capfd):
    monkeypatch.chdir(tree / "project")
    assert run_command_line(["run", "m.yaml", "-o", "run", "--no-report", "--progress", "none"]) == 0, (
        capfd.readouterr()
    )
    capfd.readouterr()
    kept = {
        path.relative_to("run").as_posix(): path.read_bytes()
        for path in (tree / "project" / "run" / "manifest.src").rglob("*")
        for path in [path.relative_to(tree / "project")]
        if path.is_file()
    }
    assert kept == {
        "manifest.src/project/m.yaml": (tree / "project/m.yaml").read_bytes(),
        "manifest.src/project/sub/more.yaml": (tree / "project/sub/more.yaml").read_bytes(),
        "manifest.src/shared/base.yaml": (tree / "shared/base.yaml").read_bytes(),
        "manifest.src/project/lists/seeds.txt": b"7\n",
        "manifest.src/project/lists/what.csv": (tree / "project/lists/what.csv").read_bytes(),
    }
    assert yaml.safe_load((tree / "project/run/manifest.lock.yaml").read_text())["manifest"]["price"] == 0.01


def test_names_are_unique_whatever_the_file_system_takes_for_one(tmp_path):
    for name in ("a/base.yaml", "b/BASE.yaml", "outside/base.yaml", "c/base.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"vars: {{{path.parent.name}: 1}}\n")
    project = tmp_path / "project"
    (project / "outside").mkdir(parents=True)
    (project / "outside" / "base.yaml").write_text("price: 1\n")
    (project / "m.yaml").write_text(
        HEAD
        + "extends: [../a/base.yaml, ../b/BASE.yaml, ../outside/base.yaml, ../c/base.yaml,"
        + " outside/base.yaml]\n"
        + "request: {prompt: p}\n"
    )
    names = source_names(load_manifest(project / "m.yaml"))
    assert len({name.casefold() for name in names}) == len(names) == 6
    assert names[0] == "project/m.yaml"
    assert sorted(names[1:]) == sorted(
        ["a/base.yaml", "b/BASE.yaml", "outside/base.yaml", "c/base.yaml", "project/outside/base.yaml"]
    )


def test_sources_from_far_away_share_a_folder_under_names_of_their_own(tmp_path):
    project = tmp_path / "a" / "b" / "c" / "d" / "e"
    project.mkdir(parents=True)
    for name in ("one", "ONE"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "base.yaml").write_text("price: 1\n")
    extends = "extends: [../../../../../one/base.yaml, ../../../../../ONE/base.yaml]\n"
    (project / "m.yaml").write_text(HEAD + extends + "request: {prompt: p}\n")
    assert source_names(load_manifest(project / "m.yaml")) == [
        "m.yaml",
        "outside/base.yaml",
        "outside/base-2.yaml",
    ]


def test_the_copy_in_a_run_gives_the_same_jobs(tree, monkeypatch, capfd):
    monkeypatch.chdir(tree / "project")
    run_command_line(["run", "m.yaml", "-o", "run", "--no-report", "--progress", "none"])
    lock = yaml.safe_load((tree / "project/run/manifest.lock.yaml").read_text())
    copy = tree / "project/run/manifest.src" / lock["sources"][0]["kept_as"]
    assert [job.key for job in expand(copy)] == [job.key for job in expand("m.yaml")]


def test_a_manifest_changes_its_fingerprint_in_the_state(tree, monkeypatch, capfd):
    monkeypatch.chdir(tree / "project")
    for text in ("7\n", "7\n8\n"):
        (tree / "project/lists/seeds.txt").write_text(text)
        run_command_line(["run", "m.yaml", "-o", "run", "--no-report", "--progress", "none"])
        fingerprint = load_manifest("m.yaml").document.fingerprint
        lock = yaml.safe_load((tree / "project/run/manifest.lock.yaml").read_text())
        assert lock["fingerprint"] == fingerprint
        with Run(tree / "project/run") as run:
            assert run.about("manifest_sha256") == fingerprint


def test_aliases_are_written_out(tmp_path):
    (tmp_path / "m.yaml").write_text(
        HEAD + "vars: {a: &x [1, 2], b: *x}\nrequest: {prompt: 'p {{ a }} {{ b }}'}\n"
    )
    text = lock_text(load_manifest(tmp_path / "m.yaml"))
    assert "&" not in text
    assert yaml.safe_load(text)["manifest"]["vars"] == {"a": [1, 2], "b": [1, 2]}


def test_sources_of_earlier_manifests_go(tree, monkeypatch, capfd):
    monkeypatch.chdir(tree / "project")
    run_command_line(["run", "m.yaml", "-o", "run", "--no-report", "--progress", "none"])
    shutil.rmtree(tree / "project/lists")
    (tree / "project/lists.txt").write_text("7\n")
    (tree / "project/m.yaml").write_text(HEAD + "request: {prompt: p}\nmatrix: {seed: {file: lists.txt}}\n")
    run_command_line(["run", "m.yaml", "-o", "run", "--no-report", "--progress", "none"])
    kept = tree / "project/run/manifest.src"
    assert sorted(path.relative_to(kept).as_posix() for path in kept.rglob("*")) == ["lists.txt", "m.yaml"]
