"""The habits of the code base: ruff, mypy, the import contract, no mocks, an orderly top level."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "zbatch", "tests"],
        ["ruff", "format", "--check", "zbatch", "tests"],
        ["mypy"],
        ["lint-imports", "--no-cache"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_checker_is_content(command):
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_test_mocks():
    word = "mo" + "ck"
    pattern = re.compile(
        rf"unittest[. ]import {word}|unittest\.{word}|Magic{word.title()}|^import {word}\b", re.MULTILINE
    )
    sources = [path for folder in ("tests", "zbatch") for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in sources if pattern.search(path.read_text("utf-8"))] == []


def test_what_is_skipped_where_a_package_is_not_there_says_how_to_have_it():
    pattern = re.compile(r"importor" + r"skip\((?![^)]*reason=)")
    sources = [path for path in (ROOT / "tests").rglob("*.py") if pattern.search(path.read_text("utf-8"))]
    assert sources == []


def test_the_top_level_is_as_agreed():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git checkout: the list of files is git's")
    agreed = {
        "pyproject.toml",
        "zbatch",
        "schemas",
        "manifests",
        "tests",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
    }
    tops = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    assert {top for top in tops if not top.startswith(".")} <= agreed


def test_public_functions_share_no_name_with_a_module_at_their_side():
    import zbatch

    for name in zbatch.__all__:
        assert not (ROOT / "zbatch" / f"{name}.py").exists()
        assert not (ROOT / "zbatch" / name).is_dir()
        assert getattr(zbatch, name) is not None
