"""What schemathesis is told of the server beyond its OpenAPI document; loaded by `SCHEMATHESIS_HOOKS`."""

import base64
import io
import time

import requests
import schemathesis
from hypothesis import strategies as st
from PIL import Image


def _picture(kind):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 40, 10)).save(buffer, kind)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


# No schema can say what is a picture, or which hosts are private. The names lead nowhere: such a task fails.
schemathesis.openapi.format(
    "uri",
    st.one_of(
        st.sampled_from([_picture("png"), _picture("jpeg"), _picture("webp")]),
        st.from_regex(r"https?://images\.example\.org/[a-z0-9/%?=&_-]{0,40}", fullmatch=True),
    ),
)


@schemathesis.hook
def after_call(context, case, response):
    """Let a task come to its end, so that runs find its image."""
    if response.request.method != "POST" or response.status_code != 200:
        return
    url = response.request.url.split("/v3/")[0] + "/v3/async/task-result"
    key = {"Authorization": response.request.headers.get("Authorization", "")}
    for _ in range(400):
        told = requests.get(url, {"task_id": response.json()["task_id"]}, headers=key, timeout=20).json()
        if "task" not in told or told["task"]["status"] in ("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"):
            return
        time.sleep(0.02)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Let runs follow the link to the image: its parts are inside of `image_url`, beyond OpenAPI."""
    responses = raw_schema["paths"]["/v3/async/task-result"]["get"]["responses"]
    responses["200"]["links"]["download"]["parameters"] |= {
        "path.name": r"$response.body#/images/0/image_url#regex:/([^/?]+)\?",
        "query.expires": "$response.body#/images/0/image_url#regex:expires=([0-9]+)",
        "query.signature": "$response.body#/images/0/image_url#regex:signature=([0-9a-f]+)",
    }
