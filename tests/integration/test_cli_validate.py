"""`validate` for machines: what stands in bases and data files, and file names that nobody expects."""

import json
import os
import re

import pytest

from zbatch.cli import run_command_line

BASE = 'request: {prompt: "{{ a }}, 100%", size: 1x1}\nmatrix: {a: [no, fox]}\n'
CHILD = "version: 1\nname: x\nextends: ../shared/base.yaml\n"
ROWS = "version: 1\nname: x\nrequest: {prompt: p}\nzip: {file: data/rows.csv}\n"
WRONG = "version: 1\nname: x\nrequest: {prompt: p, size: 1x1}\n"


@pytest.fixture
def validate(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "shared/base.yaml": BASE,
        "sub/one.yaml": CHILD,
        "sub/two.yaml": CHILD,
        "sub/rows.yaml": ROWS,
        "sub/data/rows.csv": "size,seed\n512*512,1\n1x1,7\n512*512,one\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def validate(*arguments):
        code = int(run_command_line(["validate", *arguments]))
        out, err = capfd.readouterr()
        return code, out, err

    return validate


def test_annotations_name_the_file_as_the_repository_does(validate):
    code, out, err = validate("--format", "github", "sub/one.yaml")
    assert (code, err) == (2, "")
    assert [line.partition("::")[2].split("::")[0] for line in out.splitlines()] == [
        "error file=shared/base.yaml,line=1,col=42",
        "error file=shared/base.yaml,line=2,col=14",
    ]


def test_a_mistake_in_a_base_is_told_once(validate):
    for arguments in ([], ["--format", "github"]):
        one = validate(*arguments, "sub/one.yaml")
        assert validate(*arguments, "sub/one.yaml", "sub/two.yaml") == one
    assert len(json.loads(validate("--json", "sub/one.yaml", "sub/two.yaml")[1])) == 2


def test_findings_in_data_files_have_the_line_of_the_row(validate):
    code, out, _ = validate("--json", "sub/rows.yaml")
    assert code == 2
    assert [(finding["file"], finding["line"]) for finding in json.loads(out)] == [
        ("sub/data/rows.csv", 3),
        ("sub/data/rows.csv", 4),
    ]


def test_an_annotation_is_one_line_whatever_the_file_is_called(validate, tmp_path):
    name = "a,b: 100%\r\nc.yaml"
    (tmp_path / name).write_text(WRONG)
    _, out, _ = validate("--format", "github", name)
    (line,) = out.splitlines()
    assert line.startswith("::error file=a%2Cb%3A 100%25%0D%0Ac.yaml,line=3,col=28::request.size: ")


def test_a_file_name_that_is_no_utf_8_is_told_of_as_well(validate, tmp_path):
    name = os.fsdecode(b"caf\xe9.yaml")
    try:
        (tmp_path / name).write_text(WRONG)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    code, out, _ = validate("--json", name)
    assert (code, json.loads(out)[0]["file"]) == (2, name)


def test_percent_and_lines_in_a_message_are_escaped(validate, tmp_path):
    (tmp_path / "m.yaml").write_text(WRONG.replace("1x1", '"50%\\n1x1"'))
    _, out, _ = validate("--format", "github", "m.yaml")
    (line,) = out.splitlines()
    message = line.split("::", 2)[2]
    assert "50%25" in message
    assert re.findall(r"%(?!25|0A|0D)", message) == []


def test_warnings_are_annotations_and_no_failure(validate, tmp_path):
    (tmp_path / "idle.yaml").write_text("version: 1\nname: x\nrequest: {prompt: p}\nmatrix: {b: [1, 2]}\n")
    code, out, _ = validate("--format", "github", "idle.yaml")
    assert code == 0
    assert out.startswith("::warning file=idle.yaml,line=4,col=10::matrix.b: ")


def test_two_forms_at_once_are_refused(validate):
    code, out, err = validate("--json", "--format", "github", "sub/one.yaml")
    assert (code, out) == (2, "")
    assert "take one of them" in err
