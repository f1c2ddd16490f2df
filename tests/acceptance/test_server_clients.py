"""Clients that others wrote for this family of APIs, unchanged, with only the base URL set."""

import base64
import gc
import io
import json
import urllib.error
import urllib.request

import pytest
from PIL import Image
from support.server_http import RESULT, over_socket

from zbatch.server.app import create_app
from zbatch.server.keys import KeyRing
from zbatch.server.terms import Terms

novita = pytest.importorskip("novita_client", reason="pip install novita-client (the test extra has it)")


@pytest.fixture(scope="module")
def server():
    with over_socket(create_app(terms=Terms(workers=1), keys=KeyRing(["sk-theirs"]))) as client:
        yield str(client.base_url).rstrip("/")


def submitted(client, **body):
    answer = client._post(  # noqa: SLF001 - its generic post: it has no call of its own for this model
        "/v3/async/z-image-turbo-lora", {"prompt": "red fox", "size": "256*256"} | body
    )
    return novita.V3AsyncSubmitResponse.from_dict(answer).task_id


# It leaves the pool that it downloads with open: said when that is collected, which is done in the test.
@pytest.mark.filterwarnings("ignore:.*Pool.__del__:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed running multiprocessing pool:ResourceWarning")
@pytest.mark.parametrize("output_format", ["jpeg", "png", "webp"])
def test_novita_client_submits_waits_and_downloads(server, output_format, monkeypatch):
    monkeypatch.setattr(novita.settings, "DEFAULT_POLL_INTERVAL", 0.05)
    client = novita.NovitaClient("sk-theirs", base_url=server)
    task = submitted(client, output_format=output_format, seed=7, loras=[{"path": "org/film", "scale": 0.8}])
    seen = []
    result = client.wait_for_task_v3(task, callback=seen.append)
    assert result.task.status == novita.V3TaskResponseStatus.TASK_STATUS_SUCCEED
    assert (result.task.task_id, result.task.task_type) == (task, "Z_IMAGE_TURBO_LORA")
    assert str(result.extra.seed) == "7"
    assert seen
    assert result.images[0].image_type == output_format
    result.download_images()
    (encoded,) = result.images_encoded
    image = Image.open(io.BytesIO(base64.b64decode(encoded)))
    assert (image.format, image.size) == (output_format.upper(), (256, 256))
    gc.collect()


def test_novita_client_is_told_what_is_wrong(server):
    client = novita.NovitaClient("sk-theirs", base_url=server)
    with pytest.raises(novita.NovitaResponseError, match=r"400.*size must be"):
        submitted(client, size="1x1")
    with pytest.raises(novita.NovitaResponseError, match="401"):
        submitted(novita.NovitaClient("sk-wrong", base_url=server))
    with pytest.raises(novita.NovitaResponseError, match="404"):
        client.wait_for_task_v3("none")


@pytest.mark.parametrize("authorization", ["sk-theirs", "Bearer sk-theirs", "bearer sk-theirs"])
def test_a_bare_get_with_a_raw_key_or_a_bearer_and_no_content_type(server, authorization):
    request = urllib.request.Request(
        f"{server}{RESULT}?task_id=none", headers={"Authorization": authorization}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert json.load(caught.value)["reason"] == "TASK_NOT_FOUND"
