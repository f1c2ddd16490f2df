"""The server holds to its own OpenAPI document: schemathesis, right calls, wrong ones and whole runs.

As long as it is asked to be: `ZBATCH_SCHEMATHESIS=500 pytest -s tests/acceptance/test_server_schema.py`.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from support.server_http import over_socket

from zbatch.server.app import create_app
from zbatch.server.engines.preview import PreviewEngine
from zbatch.server.fetch import Fetcher
from zbatch.server.keys import KeyRing

pytest.importorskip("schemathesis", reason="pip install schemathesis (the test extra has it)")

EXAMPLES = int(os.environ.get("ZBATCH_SCHEMATHESIS", "8"))


class Small(PreviewEngine):
    """Hundreds of pictures of up to 1536 pixels would be a test of patience; here it is the answers' turn."""

    def generate(self, request):
        return super().generate(replace(request, width=64, height=64))


async def nowhere(host, port):
    raise OSError("there is no network in a test")


def schemathesis_run(url, folder, *flags):
    """Run it as a person does, in a process of its own: its warnings and its pytest plugin stay there."""
    report = folder / "report.json"
    command = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [
            command, "--config-file", "/dev/null", "run", f"{url}/openapi.json",
            "--phases", "examples,coverage,fuzzing,stateful", "--mode", "all",
            "--checks", "all",
            "--max-examples", str(EXAMPLES), "--no-shrink", "--continue-on-failure",
            "--generation-database", "none",
            "--suppress-health-check", "filter_too_much,too_slow", "--report", "json",
            "--report-json-path", report, "--no-color", *flags,
        ],
        cwd=folder, capture_output=True, text=True, check=False, timeout=240 + EXAMPLES * 10,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "support.schemathesis_hooks",
             "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    assert report.exists(), done.stdout + done.stderr
    return json.loads(report.read_text()), done.stdout


@pytest.mark.timeout(300 + EXAMPLES * 10)
@pytest.mark.parametrize("keys", [["sk-theirs"], *([None] if EXAMPLES > 8 else [])])
def test_the_server_does_what_its_document_says(tmp_path, keys, capsys):
    # Runs give the URL of one image as the next one's input: that is on loopback here.
    fetcher = Fetcher(resolve=nowhere, allow_private=True)
    app = create_app(Small(), keys=None if keys is None else KeyRing(keys), fetcher=fetcher)
    with over_socket(app) as client:
        flags = () if keys is None else ("-H", "Authorization: Bearer sk-theirs")
        report, said = schemathesis_run(str(client.base_url).rstrip("/"), tmp_path, *flags)
        answered = client.get("/metrics", headers={"Authorization": "sk-theirs"}).text
    assert report["test_cases"]["with_failures"] == 0, said
    assert not report["errors"], said
    assert report["complete"], said
    assert {name: phase["status"] for name, phase in report["phases"].items()} == {
        "examples": "skip", "coverage": "success", "fuzzing": "success", "stateful": "success",
    }, said  # fmt: skip
    # Whole runs there were: a submit, its result, and the picture.
    assert 'method="GET",route="/v3/files/{task_id}/{name}",status="200"' in answered
    statuses = Counter()
    for line in answered.splitlines():
        if line.startswith("zbatch_requests_total"):
            statuses[line.split('status="')[1][:3]] += int(float(line.rsplit(" ", 1)[1]))
    with capsys.disabled():
        print(
            f"\nschemathesis: {report['test_cases']}, {report['operations']['tested']} operations, "
            f"{dict(statuses)}"
        )
