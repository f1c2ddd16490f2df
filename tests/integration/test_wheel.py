"""The built wheel is what users install: it holds everything that is read at run time."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_holds_schemas_page_and_types(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "zbatch/py.typed",
        "zbatch/schemas/manifest-v1.schema.json",
        "zbatch/schemas/diff-v1.schema.json",
        "zbatch/schemas/job-v1.schema.json",
        "zbatch/schemas/picture-v1.schema.json",
        "zbatch/schemas/picks-v1.schema.json",
    } <= names
    for folder in ("sheet/assets", "sheet/templates"):
        for path in (ROOT / "zbatch" / folder).iterdir():
            assert f"zbatch/{folder}/{path.name}" in names
    assert not [name for name in names if name.startswith("tests")]
