"""The misbehaving server itself, as a process: the kill tests stand on it."""

import json
import urllib.error
import urllib.request

import pytest
from support.misbehaving import MisbehavingServer
from support.misbehaving_faults import CALLS, FAULTS
from support.misbehaving_process import MisbehavingProcess
from support.misbehaving_scripts import listed, mixed
from support.misbehaving_wire import Incoming


def submit(url, prompt):
    request = urllib.request.Request(url + "/v3/async/m", json.dumps({"prompt": prompt}).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["task_id"]


def test_as_a_process_of_its_own():
    with MisbehavingProcess("--faults", "submit=ok,503", "--latency", "0") as server:
        first = submit(server.url, "one")
        with pytest.raises(urllib.error.HTTPError, match="503") as caught:
            submit(server.url, "two")
        caught.value.close()
        server.set(latency=30, concurrency=1)
        second = submit(server.url, "one")
        ledger = server.ledger
    assert [entry.task_id for entry in ledger.accepted] == [first, second]
    assert ledger.accepted_twice() == ['{"prompt": "one"}']
    assert ledger.not_fetched() == [first, second]


def test_a_script_is_taken_in_order_and_a_star_stays():
    script = listed({"submit": ["429", None, "ok", "500*"]})
    names = [script(Incoming("POST", "/", {}, "submit")) for _ in range(6)]
    assert names == ["429", None, None, "500", "500", "500"]
    assert script(Incoming("GET", "/", {}, "image")) is None


def test_a_fault_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="no fault image:close-accepted"):
        MisbehavingServer(faults={"image": ["close-accepted"]})


def test_a_mix_is_the_same_for_the_same_seed():
    def drawn(seed):
        script = mixed(seed, share=0.5)
        return [script(Incoming("", "", {}, call, number)) for call in CALLS for number in range(200)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 300 < sum(name is not None for name in drawn(1)) < 500
    assert len(set(drawn(1))) > 40
    assert all(FAULTS[call] for call in CALLS)
