"""Asking an endpoint again for what it once made: what is sent, what is written down, what is compared."""

import contextlib
import io
import sqlite3

import pytest
import yaml
from PIL import Image
from support.misbehaving import MisbehavingServer
from support.runs import Recorder, finish, order_for, write_manifest

from zbatch.errors import EndpointError, UsageError
from zbatch.exports.comparison import Verdict, compare_jobs, counted
from zbatch.runner.events import EventName
from zbatch.runner.order import Ending
from zbatch.runner.replay import _Dumper
from zbatch.runner.reproduce import plan_reproduction
from zbatch.settings import Settings
from zbatch.state.run import Run
from zbatch.workflow import perform_again


@pytest.fixture
def server():
    with MisbehavingServer(latency=0) as server:
        yield server


def made(tmp_path, server, jobs=12, **options):
    finish(order_for(write_manifest(tmp_path, jobs, **options), server.url))
    server.ledger.accepted.clear()
    return tmp_path / "run"


def planned(run, many=4, **options):
    with Run(run) as opened:
        return plan_reproduction(opened, many, **options)


def again(plan, **settings):
    return perform_again(plan, Recorder(), Settings(**settings))


def verdicts(run, plan):
    with Run(run) as first, Run(plan.directory) as second:
        return counted(compare_jobs(first, second, plan.jobs))


def written(run):
    with contextlib.closing(sqlite3.connect(run / "state.sqlite3")) as connection:
        return list(connection.iterdump())


def test_a_sample_is_spread_over_the_run_and_the_same_for_a_seed(tmp_path, server):
    run = made(tmp_path, server)
    drawn = [job.request.seed for job in planned(run).jobs]
    assert drawn == [job.request.seed for job in planned(run).jobs]
    assert [(seed - 1) // 3 for seed in drawn] == [0, 1, 2, 3]
    others = {tuple(job.key for job in planned(run, seed=seed).jobs) for seed in range(8)}
    assert len(others) > 1
    assert len(planned(run, 500).jobs) == 12
    assert (planned(run).of, planned(run).submits) == (12, 4)


def test_what_an_endpoint_makes_again_is_the_same_and_the_first_run_is_as_it_was(tmp_path, server):
    run = made(tmp_path, server, more="price: 0.01")
    before = written(run)
    plan = planned(run)
    assert (str(plan.cost), plan.free) == ("0.04", False)
    assert again(plan).ending is Ending.COMPLETE
    assert verdicts(run, plan) == {Verdict.SAME_BYTES: 4}
    assert sorted(accepted.body["seed"] for accepted in server.ledger.accepted) == sorted(
        job.request.seed for job in plan.jobs
    )
    assert written(run) == before
    with Run(plan.directory) as second:
        assert second.attempts() == 4
        assert {job.key for job in second.jobs()} == {job.key for job in plan.jobs}
    following = planned(run)
    assert following.directory != plan.directory
    assert not following.resumed


PNG = "256*256, output_format: png"


def darker(image):
    return image.point(lambda value: value // 2)


def drift(server, monkeypatch, change):
    """Have the server write its pictures anew, changed."""

    def picture(body):
        buffer = io.BytesIO()
        change(Image.open(io.BytesIO(plain(body)))).save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    plain = server.picture
    monkeypatch.setattr(server, "picture", picture)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda image: image, Verdict.SAME_PIXELS),
        (darker, Verdict.DIFFERS),
        (lambda image: image.resize((128, 128)), Verdict.OTHER_SIZE),
    ],
)
def test_drift_is_found(tmp_path, server, monkeypatch, change, verdict):
    run = made(tmp_path, server, 2, size=PNG)
    drift(server, monkeypatch, change)
    plan = planned(run, 2)
    again(plan)
    assert verdicts(run, plan) == {verdict: 2}
    with Run(run) as first, Run(plan.directory) as second:
        for one in compare_jobs(first, second, plan.jobs):
            assert (run / one.again).is_file()
            assert (run / one.file).is_file()
            assert (one.likeness is not None) == (verdict is Verdict.DIFFERS)


def test_a_picture_that_is_gone_or_changed_is_not_compared(tmp_path, server, monkeypatch):
    run = made(tmp_path, server, 2, size=PNG)
    with Run(run) as first:
        one, other = first.jobs()
    (run / one.file).unlink()
    (run / other.file).write_bytes(b"changed")
    plan = planned(run, 2)
    again(plan)
    assert verdicts(run, plan) == {Verdict.SAME_BYTES: 2}  # as they came: what is written down suffices
    drift(server, monkeypatch, darker)
    plan = planned(run, 2)
    again(plan)
    assert verdicts(run, plan) == {Verdict.NOT_COMPARED: 2}


class Interrupting(Recorder):
    """Drains the run when its first task was accepted."""

    def started(self, session, _loop):
        self.session = session

    def event(self, event):
        super().event(event)
        if event.name is EventName.SUBMITTED:
            self.session.drain()


def test_one_that_was_interrupted_goes_on_and_submits_nothing_twice(tmp_path, server):
    run = made(tmp_path, server)
    plan = planned(run, 6, seed=3)
    interrupting = Interrupting()
    outcome = perform_again(plan, interrupting, Settings(concurrency=1), started=interrupting.started)
    assert outcome.ending is Ending.INTERRUPTED
    sent = len(server.ledger.accepted)
    assert 0 < sent < 6
    resumed = planned(run, 6, seed=3)
    assert (resumed.resumed, resumed.directory, resumed.submits) == (True, plan.directory, 6 - sent)
    again(resumed)
    assert len(server.ledger.accepted) == 6
    assert verdicts(run, resumed) == {Verdict.SAME_BYTES: 6}


def test_a_submit_whose_outcome_is_not_known_is_held_and_told(tmp_path, server):
    run = made(tmp_path, server, 2)
    server.change({"faults": {"submit": ["close-accepted"]}})
    plan = planned(run, 2)
    outcome = again(plan)
    assert outcome.ending is Ending.INCOMPLETE
    assert verdicts(run, plan) == {Verdict.SAME_BYTES: 1, Verdict.NOT_MADE: 1}
    assert len(server.ledger.accepted) == 2


def test_a_task_that_fails_is_not_paid_for_again(tmp_path, server):
    run = made(tmp_path, server, 1)
    server.change({"faults": {"result": ["failed"]}})
    plan = planned(run, 1)
    again(plan)
    assert len(server.ledger.accepted) == 1
    assert verdicts(run, plan) == {Verdict.NOT_MADE: 1}


ODD = """\
version: 1
name: odd
vars: {brace: "{{ '{{' }} x }}"}
request: {size: 256*256}
include:
- {label: a, prompt: "no {{ braces }} {% here %}", seed: 1, output_format: png}
- {label: b, prompt: "010", seed: 2, request: {enable_base64_output: true}}
- label: c
  seed: 2147483647
  strength: 0.5
  image_url: "https://example.org/a b.png"
  prompt: "two\\nlines \\u2028 \\x7f ü \\"quoted\\" #"
- {label: d, prompt: local, seed: 4, image_url: inputs/one.png, mask: inputs/two.png}
- label: e
  prompt: loras
  seed: 5
  request: {loras: [{path: "org/{{ brace }}", scale: 0.7}, {path: org/plain, scale: 1}]}
"""


@pytest.fixture
def odd(tmp_path, server):
    (tmp_path / "inputs").mkdir()
    for name, colour in (("one", 10), ("two", 200)):
        Image.new("RGB", (256, 256), (colour, 0, 0)).save(tmp_path / "inputs" / f"{name}.png")
    path = tmp_path / "odd.yaml"
    path.write_text(ODD, "utf-8")
    assert finish(order_for(path, server.url)).states == {"done": 5}
    return tmp_path / "run"


def test_every_kind_of_request_is_sent_as_it_was(odd, server):
    first = {accepted.body["seed"]: accepted.body for accepted in server.ledger.accepted}
    server.ledger.accepted.clear()
    plan = planned(odd, 5)
    again(plan)
    assert {accepted.body["seed"]: accepted.body for accepted in server.ledger.accepted} == first
    assert verdicts(odd, plan) == {Verdict.SAME_BYTES: 5}


def test_a_local_input_that_changed_or_is_gone_is_told_and_not_asked_for(odd, server):
    server.ledger.accepted.clear()
    inputs = odd.parent / "inputs"
    Image.new("RGB", (256, 256), (11, 0, 0)).save(inputs / "one.png")
    plan = planned(odd, 5)
    assert [(one.job.request.seed, one.why) for one in plan.left_out] == [
        (4, "the input image inputs/one.png changed after it was planned")
    ]
    assert len(plan.jobs) == 4
    (inputs / "one.png").unlink()
    assert "cannot be read" in planned(odd, 5).left_out[0].why
    (odd.parent / "odd.yaml").rename(odd.parent / "moved.yaml")
    assert "the manifest is not where it was" in planned(odd, 5).left_out[0].why


def test_what_cannot_begin_leaves_nothing_behind(tmp_path, server):
    run = made(tmp_path, server, 2)
    plan = planned(run, 2, endpoint="https://api.example.org")
    with pytest.raises(EndpointError, match="the key does not go to"):
        again(plan, api_key="secret")
    assert not (run / "reproduced").exists()
    with pytest.raises(EndpointError, match="no API key"):
        again(plan, endpoint="https://api.example.org")
    assert not (run / "reproduced").exists()


def test_where_nothing_is_done_there_is_nothing_to_ask_for(tmp_path, server):
    server.change({"faults": {"submit": ["400-body"]}})
    run = made(tmp_path, server, 1)
    with pytest.raises(UsageError, match="nothing to ask for again"):
        planned(run)


def test_keys_that_read_like_numbers_are_text_in_the_manifest():
    for key in ("0beb4711daa20357", "250e394025050984", "7648175223837e11", "1234567890123456"):
        text = yaml.dump({"include": [{"label": key, "prompt": "no", "seed": 3}]}, Dumper=_Dumper)
        assert f'"{key}"' in text
        assert yaml.safe_load(text) == {"include": [{"label": key, "prompt": "no", "seed": 3}]}
