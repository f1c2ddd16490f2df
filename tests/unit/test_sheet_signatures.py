from __future__ import annotations

import pytest

from zbatch.sheet.signatures import unsigned, unsigned_body


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://b.s3.org/fox.png?X-Amz-Expires=60&X-Amz-Signature=ab12", "https://b.s3.org/fox.png?…"),
        ("https://storage.org/a.png?sig=x%2By&se=2026", "https://storage.org/a.png?…"),
        ("https://h.org/a.png?token=secret#part", "https://h.org/a.png?…#part"),
        ("https://h.org/a.png?width=300", "https://h.org/a.png?width=300"),
        ("a fox? signature=none", "a fox? signature=none"),
        (7, 7),
        (None, None),
    ],
)
def test_a_signature_is_left_out_and_nothing_else(value, shown):
    assert unsigned(value) == shown


def test_a_request_keeps_everything_but_the_signature():
    body = {"size": "512*512", "image_url": "https://h.org/a.png?Signature=x", "mask": {"file": "m.png"}}
    assert unsigned_body(body) == {**body, "image_url": "https://h.org/a.png?…"}
