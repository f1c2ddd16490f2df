"""Manifests and what zbatch says to them: the jobs of the valid ones, the findings of the invalid ones.

`ZBATCH_REWRITE_CASES=1 pytest tests/unit/test_cases.py` writes the expectations anew; read the diff.
"""

import os
from pathlib import Path

import pytest

from zbatch.cli import run_command_line

CASES = Path(__file__).parents[1] / "cases"
VALID = sorted(path.name for path in (CASES / "valid").glob("*.yaml"))
INVALID = sorted(path.name for path in (CASES / "invalid").glob("*.yaml"))
REWRITE = bool(os.environ.get("ZBATCH_REWRITE_CASES"))


def expect(path: Path, got: str) -> None:
    if REWRITE:
        path.write_text(got, "utf-8") if got else path.unlink(missing_ok=True)
    expected = path.read_text("utf-8") if path.exists() else ""
    assert got == expected


def test_there_are_cases_enough():
    assert len(VALID) >= 25
    assert len(INVALID) >= 60


@pytest.mark.parametrize("name", VALID)
def test_valid_manifest_gives_these_jobs(name, monkeypatch, capfd):
    monkeypatch.chdir(CASES / "valid")
    code = run_command_line(["jobs", name])
    out, err = capfd.readouterr()
    assert code == 0, err
    expect(Path(name).with_suffix(".jsonl"), out)
    expect(Path(name).with_suffix(".warnings.txt"), err)


@pytest.mark.parametrize("name", INVALID)
def test_invalid_manifest_gives_these_findings(name, monkeypatch, capfd):
    monkeypatch.chdir(CASES / "invalid")
    code = run_command_line(["validate", name])
    out, err = capfd.readouterr()
    assert (code, out) == (2, "")
    expect(Path(name).with_suffix(".txt"), err)


def test_every_expectation_has_its_case():
    for folder, names in (("valid", VALID), ("invalid", INVALID)):
        stems = {Path(name).stem for name in names}
        files = [path for path in (CASES / folder).iterdir() if path.suffix in (".txt", ".jsonl")]
        assert {path.name.split(".")[0] for path in files} <= stems
