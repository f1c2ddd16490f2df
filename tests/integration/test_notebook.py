from __future__ import annotations

import re
import subprocess
import sys

import pytest
from support.command import environment

from zbatch.gallery import SHOWN, Gallery
from zbatch.state.run import Run

MANIFEST = """
version: 1
name: shown
request: {prompt: "a {{ subject }} <b>in</b> the snow", size: 512*512}
matrix: {subject: [fox, owl], seed: {from: 1, count: 4}}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shown.yaml").write_text(MANIFEST)
    return tmp_path


@pytest.fixture
def kernel(folder, monkeypatch):
    pytest.importorskip("ipykernel", reason="no ipykernel here: pip install ipykernel")
    from support.kernel import started_kernel

    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    with started_kernel(folder) as started:
        yield started


def test_a_small_grid_fills_in_one_place_while_the_run_goes_on(kernel, folder):
    shown = kernel.run('import zbatch; run = zbatch.run("shown.yaml", rate="100/min", concurrency=1)')
    assert shown.error == ""
    assert len(shown.displays) == 1
    pictures = [markup.count("<img ") for markup in shown.html]
    assert pictures == sorted(pictures)
    assert pictures[0] < 8
    assert pictures[-1] == 8
    assert "8 of 8 done" in shown.html[-1]
    assert "&lt;b&gt;in&lt;/b&gt;" in shown.html[-1]
    assert "<b>in</b>" not in shown.html[-1]
    assert len(shown.html[-1]) < 100_000
    assert set(re.findall(r'src="(data:[^;]*)', shown.html[-1])) == {"data:image/webp"}
    with Run(folder / "runs/shown-preview") as run:
        assert run.running() is None


def test_interrupting_the_kernel_drains_and_the_same_call_goes_on(kernel, folder):
    call = 'import zbatch; zbatch.run("shown.yaml", rate="60/min", concurrency=1).counts()["done"]'
    shown = kernel.run(call, interrupt_after=3)
    assert shown.error.startswith("KeyboardInterrupt")
    with Run(folder / "runs/shown-preview") as run:
        assert run.running() is None
        counts = {state.value: number for state, number in run.counts().items() if number}
        assert counts.keys() <= {"done", "pending"}
        assert counts["pending"] > 0
    assert kernel.run(call).error == ""


def test_a_listener_of_ones_own_takes_its_place(kernel):
    given = "from zbatch.runner.events import Silence; import zbatch"
    shown = kernel.run(f"{given}; run = zbatch.run('shown.yaml', listener=Silence())")
    assert (shown.error, shown.html) == ("", [])


def test_without_a_notebook_nothing_is_shown_and_ipython_not_asked_for(folder):
    code = "import sys, zbatch; zbatch.run('shown.yaml'); print('IPython' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_of_many_pictures_the_newest_are_shown_and_little_is_sent(tmp_path):
    from support.sample_run import Sample, write_sample

    path = write_sample(tmp_path / "run", Sample(seeds=20, hostile=True))
    shown = []
    gallery = Gallery(path, shown.append)
    gallery.draw()
    gallery.draw()  # nothing new: nothing is shown again
    [markup] = shown
    assert markup.count("<img ") <= SHOWN
    assert "the newest" in markup
    assert len(markup) < 400_000
    assert "<script>" not in markup
    assert not re.search(r"<img src=x", markup)


def test_a_run_that_has_not_begun_or_is_gone_shows_nothing(tmp_path):
    shown = []
    Gallery(tmp_path / "nowhere", shown.append).draw()
    assert shown == []
