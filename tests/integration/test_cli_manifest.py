"""`validate`, `jobs` and `plan` as a shell sees them: shapes, streams, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from zbatch.cli import run_command_line
from zbatch.shapes import schema_text

HEAD = "version: 1\nname: x\n"
GOOD = HEAD + "request: {prompt: 'a {{ a }}'}\nmatrix: {a: [fox, owl], seed: [1, 2]}\nprice: 0.01\n"
BAD = HEAD + "request: {promt: p, size: 1024x1024}\nmatrix: {a: [1]}\nexclude: [{a: 2}]\n"
CASES = Path(__file__).parents[1] / "cases"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    return tmp_path


@pytest.fixture
def zbatch(here, capfd):
    def zbatch(*arguments):
        code = run_command_line(list(arguments))
        out, err = capfd.readouterr()
        return int(code), out, err

    return zbatch


def test_validate_says_that_all_is_fine(zbatch):
    assert zbatch("validate", "good.yaml") == (0, "good.yaml: fine, 4 cells, 4 jobs\n", "")


def test_validate_says_everything_that_is_wrong(zbatch):
    code, out, err = zbatch("validate", "bad.yaml")
    assert (code, out) == (2, "")
    assert err == (
        "bad.yaml:3:11: request.promt: unknown key 'promt'\n"
        "  hint: did you mean prompt?\n"
        'bad.yaml:3:27: request.size: must be "width*height" (got "1024x1024")\n'
        "  hint: write 1024*1024\n"
        "bad.yaml:5:15: warning: exclude[0].a: no value of this axis is called so; the rule matches nothing "
        "(got 2)\n"
        "  hint: there are: 1\n"
    )


def test_validate_takes_several_and_fails_if_one_does(zbatch):
    code, out, err = zbatch("validate", "good.yaml", "bad.yaml", "gone.yaml")
    assert code == 2
    assert out == "good.yaml: fine, 4 cells, 4 jobs\n"
    assert "gone.yaml:1:1: cannot be read: No such file or directory" in err
    assert "did you mean" in err


def test_validate_as_json(zbatch):
    code, out, err = zbatch("validate", "--json", "bad.yaml", "good.yaml")
    assert (code, err) == (2, "")
    findings = json.loads(out)
    assert [(finding["line"], finding["column"], finding["severity"]) for finding in findings] == [
        (3, 11, "error"),
        (3, 27, "error"),
        (5, 15, "warning"),
    ]
    assert all(
        list(finding) == ["file", "line", "column", "path", "message", "hint", "severity"]
        for finding in findings
    )
    assert findings[1]["path"] == "request.size"
    assert json.loads(zbatch("validate", "--json", "good.yaml")[1]) == []


def test_validate_as_github_annotations(zbatch, here):
    (here / "a,b.yaml").write_text(BAD)
    code, out, err = zbatch("validate", "--format", "github", "a,b.yaml")
    assert (code, err) == (2, "")
    where = "file=a%2Cb.yaml"
    promt, size, rule = out.splitlines()
    assert promt == (
        f"::error {where},line=3,col=11::request.promt: unknown key 'promt'%0Ahint: did you mean prompt?"
    )
    assert size == (
        f'::error {where},line=3,col=27::request.size: must be "width*height" (got "1024x1024")'
        "%0Ahint: write 1024*1024"
    )
    assert rule == (
        f"::warning {where},line=5,col=15::exclude[0].a: no value of this axis is called so; "
        "the rule matches nothing (got 2)%0Ahint: there are: 1"
    )


def test_jobs_and_cells_are_json_lines(zbatch):
    code, out, err = zbatch("jobs", "good.yaml")
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [list(line) for line in lines] == [["key", "coordinates", "request", "file"]] * 4
    assert lines[0]["coordinates"] == {"a": "fox", "seed": 1}
    assert lines[0]["file"].startswith("images/")
    code, out, err = zbatch("jobs", "--cells", "good.yaml")
    assert [list(json.loads(line)) for line in out.splitlines()] == [["key", "coordinates"]] * 4


def test_jobs_may_print_before_a_late_problem_makes_it_exit_2(zbatch, here):
    (here / "late.yaml").write_text(GOOD.replace("a {{ a }}", "{{ a }}").replace("owl", "' '"))
    code, out, err = zbatch("jobs", "late.yaml")
    assert code == 2
    assert len(out.splitlines()) == 2
    assert "must not be empty" in err


@pytest.mark.parametrize("command", ["jobs", "plan", "run", "validate"])
def test_a_wrong_manifest_exits_2_and_says_so_on_stderr(zbatch, command):
    code, out, err = zbatch(command, "bad.yaml")
    assert (code, out) == (2, "")
    assert err.startswith("bad.yaml:3:11: ")


@pytest.mark.parametrize("command", ["jobs", "plan", "validate"])
def test_a_manifest_that_is_not_there_exits_2(zbatch, command):
    code, out, err = zbatch(command, "gone.yaml")
    assert (code, out) == (2, "")
    assert "gone.yaml:1:1: cannot be read" in err


def test_plan_counts(zbatch):
    code, out, _ = zbatch("plan", "good.yaml", "--json", "--only", "a=fox")
    plan = json.loads(out)
    assert code == 0
    assert {
        name: plan[name] for name in ("cells", "jobs", "shared", "excluded", "done", "to_submit", "cost")
    } == {
        "cells": 4,
        "jobs": 4,
        "shared": 0,
        "excluded": 0,
        "done": 0,
        "to_submit": 2,
        "cost": 0.02,
    }


SHARED = """\
loras: {film: {path: org/film}, ink: {path: org/ink}}
request: {prompt: "a {{ a }}"}
matrix:
  a: [fox, owl]
  mood: [calm, harsh]
  lora: [none, film@0, film@0.5, [film@0, ink@0.5], ink@0.5]
  seed: [1]
"""


def test_plan_says_by_which_rule_cells_share_a_job(zbatch, here):
    (here / "shared.yaml").write_text(HEAD + SHARED)
    _, out, _ = zbatch("plan", "shared.yaml", "--json")
    plan = json.loads(out)
    assert (plan["cells"], plan["jobs"], plan["shared"]) == (20, 6, 14)
    assert plan["shared_by"] == {
        "scale 0: a LoRA that is off leaves the request": 8,
        "equal requests: their cells differ in nothing that is sent": 6,
    }
    _, out, _ = zbatch("plan", "shared.yaml")
    assert "  shared             8   cells by scale 0: a LoRA that is off leaves the request\n" in out


def test_plan_says_what_an_edit_dropped(zbatch, here):
    zbatch("run", "good.yaml", "--no-report", "--progress", "none")
    (here / "good.yaml").write_text(GOOD.replace("owl", "cat"))
    _, out, _ = zbatch("plan", "good.yaml")
    assert "  dropped            2   no longer in the manifest: kept, not shown\n" in out
    assert "  done               2\n" in out
    assert "  to submit          2\n" in out


@pytest.mark.parametrize("only", ["b=1", "a", "a=cat"])
def test_only_that_means_nothing_exits_2(zbatch, only):
    code, out, err = zbatch("plan", "good.yaml", "--only", only)
    assert (code, out) == (2, "")
    assert "--only" in err


def test_outside_images_need_the_flag(zbatch, here):
    inside = here / "m"
    inside.mkdir()
    picture = (CASES / "valid" / "inputs" / "reference.png").read_bytes()
    (here / "out.png").write_bytes(picture)
    (inside / "a.yaml").write_text("version: 1\nname: x\nrequest: {prompt: p, image_url: ../out.png}\n")
    assert zbatch("validate", "m/a.yaml")[0] == 2
    assert zbatch("validate", "--allow-outside", "m/a.yaml")[0] == 0
    assert zbatch("jobs", "--allow-outside", "m/a.yaml")[0] == 0


def test_the_process_itself(here):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "zbatch", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=here,
        )

    done = run("validate", "bad.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bad.yaml:3:11: ")
    assert "Traceback" not in done.stderr
    assert run("jobs", "good.yaml").stdout.count("\n") == 4


def test_a_reader_that_leaves_is_no_error(here):
    (here / "many.yaml").write_text(GOOD.replace("[1, 2]", "{from: 0, count: 5000}"))
    process = subprocess.Popen(
        [sys.executable, "-m", "zbatch", "jobs", "many.yaml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=here,
    )
    assert process.stdout.readline().startswith(b'{"key"')
    process.stdout.close()
    assert (process.wait(60), process.stderr.read()) == (0, b"")
    process.stderr.close()


def test_the_schema_is_a_schema_and_takes_every_valid_case(zbatch):
    code, out, _ = zbatch("schema")
    assert code == 0
    assert out.strip() == schema_text().strip()
    jsonschema.Draft202012Validator.check_schema(json.loads(out))
