"""What makes one cell again is copied from the page, typed, and submits that one job and no other."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from playwright.sync_api import expect
from support.browser import until
from support.command import environment, zbatch
from support.misbehaving import MisbehavingServer
from support.runs import write_manifest
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet

FAULTS = {
    "submit": ["400-prompt", "400-prompt", "close-accepted", "close-accepted"],
    "result": ["failed", "failed"],
}
ENDS = ("rejected", "unknown", "failed")


@pytest.fixture
def server():
    with MisbehavingServer(latency=0) as server:
        yield server


def states_of(folder):
    lines = (folder / "run" / "jobs.jsonl").read_text("utf-8").split("\n")
    return {job["key"]: job["state"] for job in map(json.loads, filter(None, lines))}


def troubled(folder, server):
    """Eight jobs, two of each bad end among them."""
    write_manifest(folder, 8, limits="attempts: 1")
    server.change({"faults": FAULTS})
    run = zbatch("run", "trial.yaml", "-o", "run", "--endpoint", server.url, "-j", "1", cwd=folder)
    assert run.returncode == 1, run.stderr
    assert sorted(states_of(folder).values()) == sorted(["done"] * 2 + list(ENDS) * 2)
    return folder / "run" / "index.html"


def copied(page, name):
    page.evaluate("navigator.clipboard.writeText('')")
    page.get_by_role("button", name=name).click()
    until(page, "document.querySelector('#lightbox .toast.shown') !== null")
    return page.evaluate("navigator.clipboard.readText()")


def typed(text, folder):
    """Type the words in a shell, in which `zbatch` is this one."""
    function = f'zbatch() {{ "{sys.executable}" -m zbatch "$@"; }}\n'
    return subprocess.run(
        ["sh", "-c", function + text],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("state", ENDS)
def test_the_copied_command_redoes_this_one_job_only(visit, tmp_path, server, state):
    index = troubled(tmp_path, server)
    page = visit(index, f"#x=&y=&state={state}", permissions=["clipboard-read", "clipboard-write"])
    page.locator(".cell").last.click()
    key = page.locator(".metadata code.line").evaluate_all("all => all.map(one => one.title)")
    before, accepted = states_of(tmp_path), len(server.ledger.accepted)
    text = copied(page, "Copy zbatch run")
    assert f"--retry {state} --only seed=" in text
    assert text.rstrip() in page.locator(".redo code").first.get_attribute("title")
    done = typed(text, tmp_path)
    assert "Traceback" not in done.stderr
    after = states_of(tmp_path)
    (changed,) = [own for own in after if after[own] != before[own]]
    assert (before[changed], after[changed]) == (state, "done")
    assert changed in key
    assert len(server.ledger.accepted) == accepted + 1


def test_one_only_stands_beside_all_of_a_kind(visit, tmp_path, server):
    index = troubled(tmp_path, server)
    page = visit(index, "#x=&y=&state=unknown", permissions=["clipboard-read", "clipboard-write"])
    page.locator(".cell").first.click()
    one, every = page.locator(".redo").all()
    expect(one).to_contain_text("This one only · it may have been billed: this may be billed twice")
    expect(every).to_contain_text("All 2 unknown · they may have been billed: each may be billed twice")
    hint = page.get_by_role("button", name="Copy zbatch run").get_attribute("title")
    assert "Submits this cell again, and no other: it may have been billed" in hint
    copied(page, "Copy zbatch run")
    expect(page.locator("#lightbox .toast")).to_contain_text("may be billed twice")
    accepted = len(server.ledger.accepted)
    done = typed(copied(page, "Copy command: all 2 unknown"), tmp_path)
    assert "Traceback" not in done.stderr
    assert len(server.ledger.accepted) == accepted + 2
    assert "unknown" not in states_of(tmp_path).values()


def test_what_is_done_and_what_waits_have_hints_that_are_true(visit, small):
    page = visit(small, "#x=&y=&state=pending")
    page.locator(".cell").first.click()
    expect(page.locator(".redo")).to_contain_text("costs nothing at the built-in endpoint")
    assert "--retry" not in page.locator(".redo code").first.get_attribute("title")
    page = visit(small, "#x=&y=&state=done")
    page.locator(".cell").first.click()
    assert "it is done" in page.get_by_role("button", name="Copy zbatch run").get_attribute("title")
    assert page.locator(".redo").count() == 0


def test_a_run_with_jobs_that_wait_says_that_they_go_along(visit, tmp_path):
    sample = Sample(endpoint="https://api.example.org", seeds=6)
    page = visit(write_sheet(write_sample(tmp_path / "run", sample)), "#x=&y=&state=submitted")
    page.locator(".cell").first.click()
    one, every = page.locator(".redo").all()
    expect(one).to_contain_text("asks the server for it, costs nothing")
    expect(every).to_contain_text("makes the 1 pending, too")
