"""How far two pictures are from each other: what holds of any measure, and values that can be known."""

import numpy as np
import pytest
from PIL import Image

from zbatch.exports.similarity import similarity, ssim

CHANCE = np.random.default_rng(1)


def noisy(grey, much):
    return np.clip(grey + CHANCE.normal(0, much, grey.shape), 0, 255)


@pytest.fixture(scope="module")
def grey():
    y, x = np.mgrid[0:200, 0:260]
    return 127 + 80 * np.sin(x / 17) * np.cos(y / 11) + CHANCE.normal(0, 5, x.shape)


def test_the_same_is_one_and_noise_only_takes_away(grey):
    assert ssim(grey, grey) == pytest.approx(1)
    falling = [ssim(grey, noisy(grey, much)) for much in (1, 4, 16, 64)]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] > 0.95
    assert falling[-1] < 0.3


def test_it_is_symmetric_and_bounded(grey):
    other = noisy(grey, 20)
    assert ssim(grey, other) == pytest.approx(ssim(other, grey))
    assert -1 <= ssim(grey, 255 - grey) < 0.1


def test_of_two_flat_pictures_it_is_the_term_for_luminance():
    one, other, c1 = 100.0, 140.0, (0.01 * 255) ** 2
    known = (2 * one * other + c1) / (one**2 + other**2 + c1)
    assert ssim(np.full((40, 40), one), np.full((40, 40), other)) == pytest.approx(known)


def test_it_is_the_sum_over_windows_written_out(grey):
    one, other = grey[:30, :24], noisy(grey[:30, :24], 12)
    place = np.arange(11) - 5
    weight = np.exp(-(place**2) / (2 * 1.5**2))
    window = np.outer(weight, weight) / weight.sum() ** 2
    c1, c2, values = (0.01 * 255) ** 2, (0.03 * 255) ** 2, []
    for top in range(20):
        for left in range(14):
            a, b = (grid[top : top + 11, left : left + 11] for grid in (one, other))
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            both = (window * (a - mean_a) * (b - mean_b)).sum()
            values.append(
                (2 * mean_a * mean_b + c1) * (2 * both + c2)
                / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
            )  # fmt: skip
    assert ssim(one, other) == pytest.approx(np.mean(values))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (1024, 700)])
def test_pictures_of_any_size_are_compared(size):
    one, other = Image.new("RGB", size, (10, 20, 30)), Image.new("RGB", size, (10, 20, 30))
    assert similarity(one, other) is None
    other.putpixel((0, 0), (10, 25, 30))
    apart = similarity(one, other)
    assert apart.largest == 5
    assert apart.differing == pytest.approx(1 / (size[0] * size[1]))
    assert apart.mean == pytest.approx(5 / 3 / (size[0] * size[1]))
    assert apart.ssim <= 1


def test_transparency_counts_and_modes_do_not():
    plain = Image.new("RGB", (16, 16), (90, 90, 90))
    assert similarity(plain, Image.new("L", (16, 16), 90)) is None
    assert similarity(plain, Image.new("RGBA", (16, 16), (90, 90, 90, 255))) is None
    assert similarity(plain, Image.new("RGBA", (16, 16), (90, 90, 90, 100))).largest == 155


def test_two_sizes_are_refused():
    with pytest.raises(ValueError, match="two sizes"):
        similarity(Image.new("RGB", (2, 2)), Image.new("RGB", (2, 3)))
