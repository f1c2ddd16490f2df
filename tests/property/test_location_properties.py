"""Places in object stores: what is written is read as the same, and what may be a key is never repeated."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbatch.errors import UsageError
from zbatch.storage import Location, is_url, parse_location

SCHEMES = st.sampled_from(["s3", "gs", "az"])
BUCKETS = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,62}", fullmatch=True)
PARTS = st.text(min_size=1, max_size=12).filter(
    lambda part: part.isprintable() and part not in (".", "..") and not set(part) & set("/?#")
)
SECRETS = st.text(string.ascii_letters + string.digits + "+=", min_size=8)


@given(SCHEMES, BUCKETS, st.lists(PARTS, max_size=4))
def test_a_place_is_read_as_it_was_written(scheme, bucket, parts):
    location = Location(scheme, bucket, "/".join(parts))
    assert is_url(str(location))
    assert parse_location(str(location)) == location
    assert parse_location(f"{location}/") == location
    assert parse_location(location.url("images/x.webp")) == Location(
        scheme, bucket, "/".join([*parts, "images", "x.webp"])
    )
    assert location.name == (parts[-1] if parts else "")


@given(
    SCHEMES,
    BUCKETS,
    SECRETS,
    st.sampled_from(["{0}://id:{2}@{1}/x", "{0}://{1}/x?sig={2}", "{0}://{1}/#{2}"]),
)
def test_what_may_be_a_key_is_refused_and_not_repeated(scheme, bucket, secret, form):
    with pytest.raises(UsageError) as caught:
        parse_location(form.format(scheme, bucket, secret))
    assert secret not in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_does_anything_else(text):
    try:
        location = parse_location(text)
    except UsageError:
        return
    assert parse_location(str(location)) == location
