"""Whole runs whose pictures tell what made them, and the few that stay as they came."""

import hashlib
import io
import json
from contextlib import closing
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from PIL import Image
from support.misbehaving import MisbehavingServer
from support.pictures import decoded
from support.runs import finish, order_for, write_manifest

from zbatch.model import JobState
from zbatch.provenance import find_words, is_parameters, read_record
from zbatch.state.artifacts import Asked, save_artifact
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run
from zbatch.state.witness import Witness

LORAS = "loras: {film: org/film, ink: org/ink}"
ASKED = Asked("a" * 64, "images/a.webp", "webp", 256, 256)


ROOT = Path(__file__).resolve().parents[2]
SHAPE = Draft202012Validator(json.loads((ROOT / "schemas" / "picture-v1.schema.json").read_text("utf-8")))


def told(run, record):
    words = find_words((run.directory.path / record.artifact.file).read_bytes())
    assert [error.message for error in SHAPE.iter_errors(json.loads(words.record))] == []
    return words.parameters, words.record and read_record(words.record)


def picture(kind="webp"):
    file = io.BytesIO()
    Image.effect_noise((256, 256), 50).convert("RGB").save(file, kind)
    return file.getvalue()


def test_each_picture_tells_what_the_state_knows(tmp_path):
    manifest = write_manifest(tmp_path, 2, more=LORAS)
    text = manifest.read_text("utf-8")
    axis = "matrix: {lora: {name: [film, ink], scale: [0, 1]}, "
    manifest.write_text(text.replace("matrix: {", axis), "utf-8")
    came = picture()
    with MisbehavingServer(latency=0) as server:
        server.picture = lambda body: came
        done = finish(order_for(manifest, server.url))
        assert done.states == {"done": 6}
        with Run(tmp_path / "run") as run:
            cells = run.coordinates()
            for record in run.jobs():
                parameters, found = told(run, record)
                assert found.request == record.request.body()
                assert (found.key, found.model) == (record.key, record.model)
                assert list(found.coordinates) == cells[record.key]
                assert found.cells == len(cells[record.key]) == (1 if record.request.loras else 2)
                assert found.origin.manifest_sha256 == run.about(Meta.MANIFEST_SHA256)
                assert (found.origin.manifest, found.origin.endpoint_kind) == ("trial", "local")
                assert found.origin.endpoint == server.url
                assert found.received_sha256 == record.artifact.received_sha256
                assert record.artifact.received_sha256 == hashlib.sha256(came).hexdigest()
                assert record.artifact.sha256 != record.artifact.received_sha256
                assert is_parameters(parameters)
                data = (run.directory.path / record.artifact.file).read_bytes()
                assert decoded(data) == decoded(came)


def test_what_a_file_tells_is_of_the_moment_of_its_making(tmp_path):
    manifest = write_manifest(tmp_path, 2)
    with MisbehavingServer(latency=0) as server:
        finish(order_for(manifest, server.url))
        files = {path: path.read_bytes() for path in (tmp_path / "run" / "images").iterdir()}
        text = manifest.read_text("utf-8").replace("matrix: {", "matrix: {place: [a, b], ")
        manifest.write_text(text, "utf-8")
        finish(order_for(manifest, server.url))
    assert {path: path.read_bytes() for path in files} == files


def test_without_embed_a_file_is_as_it_came(tmp_path):
    manifest = write_manifest(tmp_path, 1, more="output: {embed: false}")
    came = picture()
    with MisbehavingServer(latency=0) as server:
        server.picture = lambda body: came
        artifact = finish(order_for(manifest, server.url)).jobs[1].artifact
    assert (tmp_path / "run" / artifact.file).read_bytes() == came
    assert artifact.sha256 == artifact.received_sha256


def test_a_signed_picture_is_kept_as_it_came_with_a_warning(tmp_path):
    plain = picture()
    chunks = plain[12:] + b"C2PA\x04\0\0\0jumb"
    came = b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks
    with MisbehavingServer(latency=0) as server:
        server.picture = lambda body: came
        done = finish(order_for(write_manifest(tmp_path, 1), server.url))
    assert done.jobs[1].state is JobState.DONE
    artifact = done.jobs[1].artifact
    assert (tmp_path / "run" / artifact.file).read_bytes() == came
    assert artifact.sha256 == artifact.received_sha256
    (warning,) = artifact.warnings
    assert warning.startswith("provenance: not written into the file: it carries signed content credentials")


@pytest.mark.parametrize("state", [None, b"", b"nonsense" * 500])
def test_a_state_that_cannot_be_read_costs_no_picture(tmp_path, state):
    directory = RunDirectory(tmp_path)
    directory.create()
    if state is not None:
        directory.state.write_bytes(state)
    came = picture()
    with closing(Witness(directory)) as witness:
        artifact = save_artifact(directory, ASKED, came, witness)
    assert (tmp_path / artifact.file).read_bytes() == came
    assert [warning.partition(" file: ")[0] for warning in artifact.warnings] == [
        "provenance: not written into the"
    ]


def test_a_job_that_the_state_does_not_have_costs_no_picture(tmp_path):
    with MisbehavingServer(latency=0) as server:
        finish(order_for(write_manifest(tmp_path, 1), server.url))
    directory = RunDirectory(tmp_path / "run")
    with closing(Witness(directory)) as witness:
        artifact = save_artifact(directory, ASKED, picture(), witness)
    assert artifact.warnings == ("provenance: not written into the file: the state has no such job",)
