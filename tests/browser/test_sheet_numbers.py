"""Long numbers stand on one line in the headers, on a desk and on a phone."""

from __future__ import annotations

import pytest
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    sample = Sample(first_seed=2088935089, view=(("x", "lora.scale"), ("y", "seed")))
    run = write_sample(tmp_path_factory.mktemp("seeds") / "run", sample)
    return write_sheet(run)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_ten_digit_seed_does_not_break(visit, seeds, width):
    page = visit(seeds, viewport={"width": width, "height": 800})
    heads = page.locator(".rowhead span")
    assert heads.first.inner_text() == "2088935089"
    for head in heads.all():
        box = head.bounding_box()
        assert box["height"] < 30
        assert head.evaluate("element => element.scrollWidth <= element.clientWidth + 1")


@pytest.mark.parametrize("width", [1280, 390])
def test_nor_does_it_over_a_column_of_small_pictures(visit, seeds, width):
    page = visit(seeds, "#x=seed&y=lora.scale&size=56&panel=0", viewport={"width": width, "height": 800})
    heads = page.locator(".colhead span")
    assert heads.all_inner_texts() == ["2088935089", "2088935090", "2088935091"]
    for head in heads.all():
        assert head.bounding_box()["height"] < 30
        assert head.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
