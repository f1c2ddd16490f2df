"""Images read by themselves: `zbatch why FILE`, and `zbatch init --from FILE`, which makes one again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from zbatch.cli import run_command_line
from zbatch.errors import UsageError
from zbatch.expressions import compile_template
from zbatch.manifest.loader import expand
from zbatch.manifest.remaking import remake, template_of
from zbatch.model import InputImage, Lora, Request, job_key
from zbatch.provenance import Origin, Record
from zbatch.state.run import Run

PROMPTS = [
    "a {{ fox }} {% raw %} {# not a comment",
    "\"quoted\", 'single'\n\nand: on several # lines\\n\t{",
    "ein Fuchs im Schnee, \N{FOX FACE} \N{LINE SEPARATOR}\r\n ",
]
MANIFEST = {
    "version": 1,
    "name": "fox",
    "loras": {"film": {"path": "org/film-grain-v2"}, "ink": {"path": "https://example.org/ink.safetensors?type=Model"}},
    "request": {"size": "256*320", "seed": 5},
    "matrix": {"prompt": PROMPTS, "output_format": ["png", "jpeg", "webp"]},
    "include": [
        {"label": "stack", "request": {"prompt": "a fox", "loras": ["film@0.1", "ink@1.3"]}},
        {
            "label": "hand",
            "request": {"prompt": "x", "image_url": "in/hand.png", "mask": "in/mask.png", "strength": 0.5},
        },
    ],
}  # fmt: skip
SISTER = "version: 1\nname: sister\nmodel: z-image-turbo\nrequest: {prompt: a hare, size: 256*256, seed: 3}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    (folder / "in").mkdir()
    Image.new("RGB", (64, 64), "red").save(folder / "in" / "hand.png")
    Image.new("L", (64, 64), 255).save(folder / "in" / "mask.png")
    (folder / "fox.yaml").write_text(yaml.safe_dump(MANIFEST, allow_unicode=False), "utf-8")
    (folder / "sister.yaml").write_text(SISTER)
    for name in ("fox", "sister"):
        arguments = ["run", folder / f"{name}.yaml", "-o", folder / name, "--no-report", "--progress", "none"]
        assert run_command_line([str(argument) for argument in arguments]) == 0
    return folder


def jobs(folder):
    with Run(folder) as run:
        return [(folder / job.file, job) for job in run.jobs()]


def test_every_image_is_made_again_from_its_file_alone(made, zbatch, tmp_path):
    pictures = [*jobs(made / "fox"), *jobs(made / "sister")]
    assert len(pictures) == 12
    for number, (file, job) in enumerate(pictures):
        picture = shutil.copy(file, tmp_path / f"a b{number}{file.suffix}")
        folder = tmp_path / f"again-{number}"
        if job.request.image_url:
            shutil.copytree(made / "in", folder / "in")
        code, out, err = zbatch("init", "--from", picture, folder)
        assert (code, out) == (0, f"{folder / 'zbatch.yaml'}\n"), err
        assert err == f"next: zbatch run {folder / 'zbatch.yaml'}\n"
        assert [found.key for found in expand(folder / "zbatch.yaml")] == [job.key]
        run = tmp_path / f"run-{number}"
        assert zbatch("run", folder / "zbatch.yaml", "-o", run, "--no-report", "--progress", "none")[0] == 0
        ((_, again),) = jobs(run)
        assert again.artifact.received_sha256 == job.artifact.received_sha256


def test_what_an_image_tells_of_itself(made, zbatch, tmp_path):
    file, job = next((file, job) for file, job in jobs(made / "fox") if len(job.request.loras) == 2)
    picture = shutil.copy(file, tmp_path / "renamed.bin")
    code, out, err = zbatch("why", picture)
    assert code == 0
    assert job.key in out
    assert "made by z-image-turbo-lora at the built-in preview" in out
    assert 'loras = [{"path":"org/film-grain-v2","scale":0.1},' in out
    assert "1 cell showed it:\n  include=stack\n" in out
    assert err == f"to make it again: zbatch init --from {picture} DIR\n"
    code, out, _ = zbatch("why", picture, "--json")
    told = json.loads(out)
    assert told["record"]["request"] == job.request.body()
    assert (told["sha256"], told["bytes"]) == (job.artifact.sha256, job.artifact.bytes)
    assert (told["width"], told["height"], told["whole"]) == (256, 320, True)


def test_an_input_of_ones_own_that_is_not_there_is_asked_for(made, zbatch, tmp_path):
    file, job = next((file, job) for file, job in jobs(made / "fox") if job.request.image_url)
    code, _, err = zbatch("init", "--from", file, tmp_path / "again")
    assert code == 0
    assert f"put the file with SHA-256 {job.request.image_url.sha256} at {tmp_path}/again/in/hand.png" in err
    assert f"put the file with SHA-256 {job.request.mask.sha256} at {tmp_path}/again/in/mask.png" in err
    code, _, err = zbatch("init", "--from", file, tmp_path / "again")
    assert (code, "is there already" in err) == (2, True)


def other_tools(path):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a \x1b[31mfox\nSteps: 30, Sampler: Euler a, CFG scale: 7, Seed: 9")
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)


def test_an_image_of_another_tool_shows_what_that_one_said(zbatch, tmp_path):
    other_tools(tmp_path / "other.png")
    code, out, _ = zbatch("why", tmp_path / "other.png")
    assert code == 0
    assert "made by another tool than zbatch, which says:\n  a \\x1b[31mfox\n  Steps: 30," in out
    assert json.loads(zbatch("why", tmp_path / "other.png", "--json")[1])["record"] is None
    code, _, err = zbatch("init", "--from", tmp_path / "other.png", tmp_path)
    assert (code, "has no record of zbatch in it" in err) == (2, True)


def test_what_tells_nothing_is_said_to_tell_nothing(made, zbatch, tmp_path):
    def complaint(path):
        code, out, err = zbatch("why", path)
        assert (code, out) == (2, "")
        return err

    plain = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(plain)
    assert "does not tell what made it" in complaint(plain)
    shutil.copy(plain, made / "fox" / "images" / "plain.png")
    assert f"its run knows: zbatch why {made / 'fox'}" in complaint(made / "fox" / "images" / "plain.png")
    (tmp_path / "text.png").write_text("no picture")
    assert "is no PNG, JPEG or WebP picture" in complaint(tmp_path / "text.png")
    (tmp_path / "empty.png").write_bytes(b"")
    assert "is empty" in complaint(tmp_path / "empty.png")
    assert "is not there" in complaint(tmp_path / "gone.png")
    assert "which job of" in complaint(made / "fox")
    assert "which job of" in complaint(made / "fox.yaml")


def test_a_damaged_image_tells_what_is_left(made, zbatch, tmp_path):
    for file, job in jobs(made / "fox")[:3]:
        data = file.read_bytes()
        cut = tmp_path / f"cut{file.suffix}"
        cut.write_bytes(data[:-30] if file.suffix != ".webp" else data[:60] + bytes(60) + data[120:])
        code, out, err = zbatch("why", cut)
        assert code == 0
        assert job.key in out
        assert f"{cut} is damaged: not every pixel of it decodes" in err or file.suffix == ".webp"
    cut.write_bytes(data.replace(b'"zbatch":1', b'"zbatch":9', 1))
    code, out, err = zbatch("why", cut)
    assert "a record of zbatch that cannot be read: it is no record that this zbatch knows" in err


# ── the manifest of one image ────────────────────────────────────────────────────────────────────────────

TEXTS = st.text(st.sampled_from("{{{}%#\r\n\t '\"\\a\u2028\x85é") | st.characters(codec="utf-8"), max_size=40)


@settings(deadline=None, max_examples=300)
@given(TEXTS)
@example("{{ '{' }}")
@example("{%- raw -%}{\r{\r\n")
def test_a_template_of_a_text_renders_to_it(text):
    assert compile_template(template_of(text)).render({}) == text


def record(request):
    origin = Origin("fox", "5" * 64, "preview", "preview", "0.1.0")
    key = job_key("z-image-turbo-lora", request)
    return Record(key, "z-image-turbo-lora", request.body(), (), 1, origin, "")


@settings(deadline=None, max_examples=60)
@given(
    TEXTS.filter(str.strip),
    st.lists(st.tuples(TEXTS.filter(str.strip), st.integers(1, 400)), max_size=3, unique=True),
    st.integers(0, 2**31 - 1),
    st.sampled_from(["256*256", "100*3000"]),
)
@example("no", [("https://a/x.safetensors", 1), ("https://b/x.safetensors", 499), ("none", 1)], 0, "256*256")
@example("1e3", [("-", 30), ("a-2", 1), ("b/a", 2)], 0, "256*256")
def test_any_request_is_asked_for_again(tmp_path_factory, prompt, loras, seed, size):
    request = Request(prompt, seed, size, tuple(Lora(path, scale / 100) for path, scale in loras))
    request = Request.from_body(json.loads(json.dumps(request.body())))
    folder = tmp_path_factory.mktemp("again")
    path = folder / "zbatch.yaml"
    path.write_text(remake(record(request), "x.png").text, "utf-8", newline="")
    (job,) = expand(path)
    assert job.request.prompt == prompt
    assert [lora.path for lora in job.request.loras] == [path for path, _ in loras]
    assert job.request.body() == Request(prompt, seed, size, job.request.loras).body()


def test_an_image_cannot_lead_out_of_its_folder_or_ask_for_nonsense(tmp_path):
    request = Request(
        "x", 1, image_url=InputImage("../../etc/x.png", "a" * 64), mask=InputImage("/y/x.png", "b" * 64)
    )
    made = remake(record(request), "x.png")
    assert [image.file for image in made.inputs] == ["inputs/x.png", "inputs/mask-x.png"]
    plain = record(Request("x", 1))
    for change in (
        {"image_url": "/etc/passwd"},
        {"image_url": {"file": 3}},
        {"size": "big"},
        {"seed": -1},
        {"strength": 2},
        {"steps": 3},
    ):
        with pytest.raises(UsageError, match="no request that can be made"):
            remake(replace(plain, request={**plain.request, **change}), "x.png")
    with pytest.raises(UsageError, match="none that this zbatch knows"):
        remake(replace(plain, model="sdxl"), "x.png")
