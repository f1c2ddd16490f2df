"""What is copied of a cell does what it says, in the shell and in zbatch, whatever the texts hold."""

from __future__ import annotations

import base64
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import orjson
import pytest
from PIL import Image
from playwright.sync_api import expect
from support.browser import until
from support.command import environment, zbatch
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet

SUBJECTS = (
    "red fox",
    "red fox, oil painting",
    ' it\'s "quoted" $HOME `date` $(date) \\ ! #1 ',
    "two\nlines\ttab\n",
    "{{ 7 * 7 }} {% raw %} {# gone #} {{{",
    "\u2028 \u0085 \u00a0 \u202eback\u202c \U0001f98a \x7f",
)
MANIFEST = {
    "version": 1,
    "name": "evil",
    "loras": {"film": {"path": "org/film-v2", "trigger": "grain"}},
    "request": {"prompt": "{{ subject }}", "size": "256*256"},
    "matrix": {
        "subject": list(SUBJECTS),
        "lora": {"name": ["film"], "scale": [0, 0.0000001, 0.8]},
        "seed": [7],
    },
    "include": [
        {
            "label": "painted over",
            "request": {"prompt": "a hand", "image_url": "in/it's.png", "strength": 0.5, "seed": 1},
        }
    ],
}


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evil")
    (folder / "in").mkdir()
    Image.new("RGB", (256, 256), "teal").save(folder / "in" / "it's.png")
    text = (
        json.dumps(MANIFEST)
        .replace("\\ud83e\\udd8a", "\U0001f98a")
        .replace("\x7f", "\\u007f")
        .replace("1e-07", "0.0000001")
    )
    (folder / "evil.yaml").write_text(text, encoding="utf-8")
    done = zbatch("run", "evil.yaml", "-o", "run", "--progress", "none", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def jobs(evil):
    lines = (evil / "run" / "jobs.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def opened(visit, evil, key, **options):
    page = visit(
        evil / "run" / "index.html",
        f"#at={key[:12]}",
        permissions=["clipboard-read", "clipboard-write"],
        **options,
    )
    expect(page.locator("#lightbox")).to_be_visible()
    return page


def copied(page, what):
    page.evaluate("navigator.clipboard.writeText('')")
    page.get_by_role("button", name=f"Copy {what}", exact=True).click()
    expect(page.locator("#lightbox .toast > span")).to_contain_text(f"Copied {what}")
    return page.evaluate("navigator.clipboard.readText()")


def all_copies(visit, evil, jobs, what):
    """Copy the same of every job: by links, as a person would go from one to the next."""
    page = opened(visit, evil, jobs[0]["key"])
    for job in jobs:
        page.evaluate("hash => { location.hash = hash; }", f"#at={job['key'][:12]}")
        until(page, f"document.querySelector('.metadata code[title=\"{job['key']}\"]') !== null")
        yield job, copied(page, what)


def test_the_manifest_makes_this_one_job(visit, evil, jobs):
    for number, (job, text) in enumerate(all_copies(visit, evil, jobs, "manifest")):
        (evil / "one.yaml").write_text(text, encoding="utf-8")
        made = zbatch("jobs", "one.yaml", cwd=evil)
        assert made.returncode == 0, (text, made.stderr)
        (line,) = made.stdout.removesuffix("\n").split("\n")
        assert json.loads(line)["key"] == job["key"], text
        if number in (0, len(jobs) - 1):
            assert zbatch("validate", "one.yaml", cwd=evil).returncode == 0
            plan = zbatch("plan", "one.yaml", "--json", cwd=evil)
            assert json.loads(plan.stdout)["jobs"] == 1


def test_zbatch_run_selects_this_cell_only(visit, evil, jobs, tmp_path):
    folder = tmp_path / "evil"
    shutil.copytree(evil, folder, ignore=shutil.ignore_patterns("run", "one.yaml"))
    program = tmp_path / "bin" / "zbatch"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zbatch "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    for number, (job, text) in enumerate(all_copies(visit, evil, jobs, "zbatch run")):
        assert text.startswith("zbatch run evil.yaml")
        shutil.rmtree(folder / "run", ignore_errors=True)
        if number % 6:  # -o is the plan's own file in `zbatch plan`
            plan = in_shell(
                text.replace("zbatch run", "zbatch plan --json").replace(" -o run", ""), folder, PATH=path
            )
            assert json.loads(plan)["selected"] == 1, text
            continue
        in_shell(text, folder, PATH=path)
        lines = (folder / "run" / "jobs.jsonl").read_bytes().split(b"\n")
        states = {job["key"]: job["state"] for job in map(orjson.loads, filter(None, lines))}
        assert [key for key, state in states.items() if state == "done"] == [job["key"]], text


def in_shell(text: str, cwd: Path, **more: str) -> str:
    done = subprocess.run(
        ["sh", "-c", text],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "not found" not in done.stderr, done.stderr
    return done.stdout


class Recorder(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def recorder():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_curl_sends_this_request(visit, evil, jobs, recorder):
    base = f"http://127.0.0.1:{recorder.server_port}"
    for job, text in all_copies(visit, evil, jobs, "curl"):
        assert "secret" not in text
        in_shell(text.replace("http://127.0.0.1:8788", base), evil, ZBATCH_API_KEY="secret")
        path, headers, body = recorder.seen.pop()
        assert path == "/v3/async/z-image-turbo-lora"
        assert headers["Authorization"] == "Bearer secret"
        assert headers["Content-Type"] == "application/json"
        sent = json.loads(body)
        if "image_url" in job["request"]:
            kind, _, data = sent.pop("image_url").partition(",")
            assert kind == "data:image/png;base64"
            assert base64.b64decode(data) == (evil / "in" / "it's.png").read_bytes()
            job["request"].pop("image_url")
        assert sent == job["request"]


def test_prompt_and_request_come_as_they_are(visit, evil, jobs):
    for job, text in all_copies(visit, evil, jobs[:20:4], "request"):
        assert json.loads(text) == job["request"]
    page = opened(visit, evil, jobs[8]["key"])
    assert copied(page, "prompt") == jobs[8]["request"]["prompt"]


def test_a_link_leads_back_to_this_view(visit, evil, jobs):
    link = copied(opened(visit, evil, jobs[3]["key"]), "link")
    assert link.startswith("file://")
    again = visit(evil / "run" / "index.html", "#" + link.partition("#")[2])
    assert again.locator("#lightbox code.line").nth(1).get_attribute("title") == jobs[3]["key"]


def test_keys_copy_and_what_was_copied_is_shown(visit, evil, jobs):
    page = opened(visit, evil, jobs[0]["key"])
    toast = page.locator("#lightbox .toast")
    page.keyboard.press("y")
    expect(toast).to_contain_text("P Prompt")
    page.keyboard.press("u")
    expect(toast.locator("span")).to_have_text("Copied curl for the server that zbatch serve starts")
    expect(toast.locator("code")).to_contain_text("curl --fail-with-body")
    page.keyboard.press("y")
    page.keyboard.press("Escape")  # thinks better of it
    expect(page.locator("#lightbox")).to_be_visible()
    page.keyboard.press("i")
    page.keyboard.press("y")
    page.keyboard.press("p")  # with the details hidden too
    assert page.evaluate("navigator.clipboard.readText()") == jobs[0]["request"]["prompt"]


def test_without_a_clipboard_the_older_way_and_at_last_by_hand(visit, evil, jobs):
    page = opened(visit, evil, jobs[0]["key"])
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.get_by_role("button", name="Copy prompt").click()
    expect(page.locator("#lightbox .toast > span")).to_have_text("Copied prompt")
    page.evaluate("document.execCommand = () => false")
    page.get_by_role("button", name="Copy manifest").click()
    area = page.get_by_role("dialog", name="Copy by hand").get_by_role("textbox")
    assert area.input_value().startswith("version: 1\n")
    assert area.evaluate("area => area.selectionEnd - area.selectionStart") == len(area.input_value())
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Copy by hand")).to_have_count(0)
    expect(page.locator("#lightbox")).to_be_visible()


def test_an_excluded_cell_has_only_its_link(visit, small):
    page = visit(small, "#state=excluded")
    page.locator(".cell").first.click()
    assert page.locator(".copy").all_inner_texts() == ["Link"]


def test_of_a_hosted_run_the_address_is_its_own(visit, tmp_path):
    sample = Sample(endpoint="https://api.highwayapi.ai", seeds=1, subjects=("red fox",), troubles=False)
    page = visit(
        write_sheet(write_sample(tmp_path / "run", sample)), permissions=["clipboard-read", "clipboard-write"]
    )
    page.locator(".cell").nth(1).click()
    curl = copied(page, "curl")
    expect(page.locator("#lightbox .toast > span")).to_have_text("Copied curl")
    assert "https://api.highwayapi.ai/v3/async/z-image-turbo-lora" in curl
    assert '"Authorization: Bearer $ZBATCH_API_KEY"' in curl
    assert 'endpoint: "https://api.highwayapi.ai"\n' in copied(page, "manifest")
    assert copied(page, "zbatch run").startswith("zbatch run 'manifests/fox lora.yaml' --only ")
