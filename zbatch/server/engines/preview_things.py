"""Things of the preview engine: plants, buildings, vessels, people, and the abstract ones."""

from __future__ import annotations

import math
from collections.abc import Iterator

from zbatch.server.engines.preview_shapes import Shape, both, box, mirrored, oval, sharp, smooth, symmetric


def tree() -> Iterator[Shape]:
    """Draw a broad tree."""
    yield smooth([(-0.1, 0.2), (0.1, 0.2), (0.1, 0.8), (0.24, 1.02), (-0.24, 1.02), (-0.1, 0.8)], 50)
    yield sharp([(0.02, 0.5), (0.4, 0.1), (0.46, 0.14), (0.06, 0.62)], 50)
    for x, y, r, tone in (
        (-0.46, 0.02, 0.4, 92), (0.48, 0.0, 0.4, 98), (0.0, -0.12, 0.52, 112), (-0.3, -0.42, 0.42, 128),
        (0.34, -0.4, 0.4, 138), (0.02, -0.62, 0.38, 160), (-0.16, -0.6, 0.2, 185), (0.4, -0.46, 0.16, 180),
    ):  # fmt: skip
        yield oval(x, y, r, r * 0.88, tone)


def pine() -> Iterator[Shape]:
    """Draw a conifer."""
    yield box(-0.07, 0.6, 0.07, 1.02, 45)
    for top, bottom, wide, tone in ((0.05, 0.8, 0.62, 90), (-0.4, 0.36, 0.48, 118), (-1.0, -0.1, 0.34, 150)):
        yield sharp([(0, top), (wide, bottom), (0, bottom - 0.08), (-wide, bottom)], tone)
        yield sharp([(0, top), (0, bottom - 0.08), (-wide, bottom)], tone - 28)


def house() -> Iterator[Shape]:
    """Draw a cabin with lit windows."""
    yield box(0.3, -0.66, 0.48, -0.1, 70)
    yield box(-0.66, 0.0, 0.66, 1.02, 128)
    yield box(-0.66, 0.0, -0.2, 1.02, 108)
    yield sharp([(-0.86, 0.06), (0.0, -0.72), (0.86, 0.06), (0.74, 0.14), (0.0, -0.52), (-0.74, 0.14)], 48)
    yield sharp([(-0.66, 0.08), (0.0, -0.52), (0.66, 0.08)], 140)
    yield box(-0.12, 0.46, 0.16, 1.02, 55)
    for left in (-0.54, 0.28):
        yield box(left, 0.32, left + 0.26, 0.62, 240)
        yield box(left + 0.115, 0.32, left + 0.145, 0.62, 80)
        yield box(left, 0.455, left + 0.26, 0.485, 80)
    yield oval(0, -0.18, 0.11, 0.11, 240)


def lighthouse() -> Iterator[Shape]:
    """Draw a lighthouse on its rock."""
    yield smooth([(-0.7, 1.04), (-0.5, 0.76), (0.0, 0.68), (0.46, 0.74), (0.74, 1.04)], 45)
    for index in range(5):
        top, bottom = -0.44 + index * 0.26, -0.18 + index * 0.26
        a, b = 0.16 + index * 0.026, 0.186 + index * 0.026
        tone = 225 if index % 2 else 120
        yield sharp([(-a, top), (a, top), (b, bottom), (-b, bottom)], tone)
        yield sharp([(-a, top), (-a * 0.3, top), (-b * 0.3, bottom), (-b, bottom)], tone - 35)
    yield box(-0.25, -0.5, 0.25, -0.43, 50)
    yield box(-0.13, -0.74, 0.13, -0.5, 245)
    yield box(-0.015, -0.74, 0.015, -0.5, 80)
    yield symmetric([(0, -1.0), (-0.1, -0.84), (-0.19, -0.73), (0, -0.73)], 70)


def castle() -> Iterator[Shape]:
    """Draw a castle."""
    for x, wide, top in ((-0.6, 0.17, -0.2), (0.6, 0.17, -0.2), (-0.2, 0.16, -0.5), (0.24, 0.14, -0.62)):
        yield box(x - wide, top, x + wide, 1.02, 128)
        yield box(x - wide, top, x - wide * 0.3, 1.02, 104)
        yield sharp([(x - wide - 0.07, top), (x, top - 0.4), (x + wide + 0.07, top)], 66)
        yield box(x - 0.035, top + 0.16, x + 0.035, top + 0.32, 240)
    yield box(-0.62, 0.34, 0.62, 1.02, 118)
    for index in range(7):
        yield box(-0.6 + index * 0.18, 0.24, -0.5 + index * 0.18, 0.36, 118)
    yield symmetric([(0, 0.54), (-0.14, 0.62), (-0.17, 0.8), (-0.17, 1.02), (0, 1.02)], 40)


def boat() -> Iterator[Shape]:
    """Draw a sailing boat."""
    yield box(-0.03, -0.98, 0.03, 0.6, 45)
    yield smooth([(0.06, -0.94), (0.42, -0.36), (0.72, 0.42), (0.4, 0.46), (0.06, 0.46)], 225)
    yield smooth([(0.06, -0.94), (0.2, -0.3), (0.26, 0.44), (0.06, 0.46)], 190)
    yield smooth([(-0.06, -0.72), (-0.3, -0.1), (-0.62, 0.44), (-0.3, 0.46), (-0.06, 0.44)], 150)
    yield smooth(
        [(-0.82, 0.58), (0.0, 0.62), (0.9, 0.54), (0.66, 0.9), (0.4, 1.0), (-0.46, 1.0), (-0.7, 0.84)], 80
    )
    yield smooth([(-0.8, 0.6), (0.0, 0.64), (0.87, 0.57), (0.82, 0.66), (0.0, 0.72), (-0.76, 0.7)], 235)


def flower(petals: int = 9) -> Iterator[Shape]:
    """Draw a flower."""
    yield smooth([(-0.03, 0.0), (0.03, 0.0), (0.06, 0.5), (0.03, 1.02), (-0.05, 1.02), (0.0, 0.5)], 60)
    yield smooth([(0.02, 0.84), (0.3, 0.46), (0.62, 0.42), (0.46, 0.72)], 78)
    yield smooth([(0.0, 0.92), (-0.3, 0.6), (-0.58, 0.62), (-0.4, 0.86)], 64)
    for ring, (reach, tone) in enumerate(((0.64, 112), (0.5, 150), (0.34, 195))):
        for index in range(petals):
            turn = (index + ring / 2) * 2 * math.pi / petals
            yield _petal(turn, reach, tone - 14 * (index % 2))
    yield oval(0, -0.3, 0.14, 0.14, 40)
    yield oval(-0.02, -0.32, 0.09, 0.09, 235)


def _petal(turn: float, reach: float, tone: int) -> Shape:
    along, across = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    points = [
        (along[0] * reach * s + across[0] * reach * t, -0.3 + along[1] * reach * s + across[1] * reach * t)
        for s, t in ((0.0, 0.0), (0.5, 0.24), (0.92, 0.16), (1.0, 0.0), (0.92, -0.16), (0.5, -0.24))
    ]
    return smooth(points, tone)


def balloon() -> Iterator[Shape]:
    """Draw a hot-air balloon."""
    for x in (-0.16, 0.16):
        yield sharp([(x * 1.9, 0.36), (x * 1.9 + 0.02, 0.36), (x + 0.01, 0.74), (x - 0.01, 0.74)], 40)
    for wide, tone in ((0.72, 90), (0.52, 215), (0.3, 130), (0.1, 235)):
        yield symmetric(
            [
                (0, -1.0),
                (-wide * 0.7, -0.86),
                (-wide, -0.42),
                (-wide * 0.82, 0.0),
                (-wide * 0.36, 0.4),
                (0, 0.42),
            ],
            tone,
        )
    yield box(-0.18, 0.72, 0.18, 0.96, 75)
    yield box(-0.2, 0.7, 0.2, 0.76, 50)


def figure() -> Iterator[Shape]:
    """Draw a cloaked wanderer with a lantern."""
    yield symmetric([(0, -0.5), (-0.28, -0.36), (-0.4, 0.2), (-0.54, 0.9), (-0.5, 1.02), (0, 1.02)], 78)
    yield smooth([(0.0, -0.4), (0.2, -0.3), (0.3, 0.3), (0.42, 1.0), (0.1, 1.02), (0.04, 0.4)], 112)
    yield smooth([(0.2, -0.1), (0.52, 0.06), (0.56, 0.16), (0.24, 0.14)], 95)
    yield box(0.535, 0.14, 0.55, 0.3, 40)
    yield oval(0.54, 0.42, 0.1, 0.13, 245)
    yield symmetric([(0, -1.0), (-0.2, -0.92), (-0.27, -0.66), (-0.2, -0.42), (0, -0.34)], 96)
    yield symmetric([(0, -0.84), (-0.12, -0.78), (-0.15, -0.62), (-0.08, -0.46), (0, -0.44)], 205)
    yield from both(oval(-0.055, -0.64, 0.02, 0.026, 25, 12))


def robot() -> Iterator[Shape]:
    """Draw a friendly robot."""
    yield box(-0.015, -1.0, 0.015, -0.76, 70)
    yield oval(0, -0.97, 0.06, 0.06, 240)
    yield from both(
        smooth([(0.44, 0.1), (0.72, 0.2), (0.74, 0.62), (0.6, 0.66), (0.56, 0.34), (0.42, 0.3)], 95)
    )
    yield from both(box(0.1, 0.7, 0.28, 1.02, 80))
    yield symmetric([(0, 0.0), (-0.4, 0.02), (-0.46, 0.14), (-0.4, 0.76), (0, 0.8)], 130)
    yield oval(0, 0.36, 0.17, 0.17, 70)
    yield oval(0, 0.36, 0.11, 0.11, 230)
    yield symmetric([(0, -0.78), (-0.46, -0.74), (-0.56, -0.4), (-0.46, -0.08), (0, -0.04)], 150)
    yield symmetric([(0, -0.62), (-0.36, -0.6), (-0.43, -0.4), (-0.36, -0.22), (0, -0.2)], 40)
    yield from both(oval(-0.19, -0.41, 0.1, 0.11, 240))


def rocket() -> Iterator[Shape]:
    """Draw a rocket."""
    yield smooth([(-0.16, 0.7), (0.16, 0.7), (0.1, 0.94), (0.0, 1.05), (-0.1, 0.94)], 235)
    yield from both(smooth([(-0.22, 0.2), (-0.56, 0.66), (-0.5, 0.86), (-0.2, 0.64)], 75))
    yield symmetric([(0, -1.0), (-0.2, -0.68), (-0.3, -0.1), (-0.24, 0.6), (0, 0.7)], 200)
    yield smooth([(0.0, -1.0), (-0.2, -0.68), (-0.3, -0.1), (-0.24, 0.6), (-0.08, 0.68), (-0.12, -0.2)], 150)
    yield symmetric([(0, -1.0), (-0.13, -0.82), (-0.21, -0.6), (0, -0.58)], 85)
    yield oval(0, -0.2, 0.15, 0.15, 80)
    yield oval(0, -0.2, 0.1, 0.1, 240)


def car() -> Iterator[Shape]:
    """Draw a little car."""
    yield smooth([(-0.56, 0.5), (-0.4, 0.12), (-0.1, 0.04), (0.26, 0.06), (0.56, 0.46)], 140)
    yield smooth([(-0.42, 0.44), (-0.31, 0.18), (-0.06, 0.14), (-0.06, 0.44)], 225)
    yield smooth([(0.02, 0.44), (0.02, 0.14), (0.22, 0.16), (0.42, 0.44)], 225)
    yield smooth([(-0.92, 0.86), (-0.9, 0.56), (-0.5, 0.44), (0.5, 0.44), (0.88, 0.54), (0.94, 0.86)], 112)
    for x in (-0.5, 0.5):
        yield oval(x, 0.86, 0.2, 0.2, 25)
        yield oval(x, 0.86, 0.09, 0.09, 200)
    yield oval(0.84, 0.62, 0.07, 0.06, 245)


def cup() -> Iterator[Shape]:
    """Draw a steaming cup."""
    for x in (-0.22, 0.06, 0.32):
        yield smooth(
            [(x, -0.2), (x + 0.1, -0.46), (x, -0.66), (x + 0.06, -0.9), (x - 0.1, -0.62), (x, -0.44)], 225
        )
    yield oval(0.6, 0.34, 0.3, 0.26, 110)
    yield oval(0.6, 0.34, 0.18, 0.15, 190)
    yield oval(0, 0.9, 0.86, 0.12, 80)
    yield symmetric([(0, -0.04), (-0.6, -0.02), (-0.6, 0.3), (-0.44, 0.74), (-0.2, 0.88), (0, 0.88)], 128)
    yield smooth([(-0.58, 0.0), (-0.58, 0.3), (-0.42, 0.74), (-0.22, 0.86), (-0.3, 0.3)], 96)
    yield oval(0, 0.0, 0.6, 0.13, 215)
    yield oval(0, 0.02, 0.52, 0.09, 45)


def crystal() -> Iterator[Shape]:
    """Draw a cluster of crystals."""
    for x, top, wide, lean in ((-0.5, 0.1, 0.2, -0.2), (0.52, 0.0, 0.22, 0.22), (0.0, -0.98, 0.34, 0.0)):
        tip, left, right = (
            (x + lean, top),
            (x - wide + lean * 0.7, top + 0.4),
            (x + wide + lean * 0.7, top + 0.34),
        )
        middle = (x + wide * 0.2 + lean * 0.7, top + 0.52)
        yield sharp([tip, left, (x - wide * 0.7, 1.02), (x + wide * 0.7, 1.02), right], 112)
        yield sharp([tip, left, middle], 190)
        yield sharp([tip, middle, right], 150)
        yield sharp([left, middle, (x + wide * 0.1, 1.02), (x - wide * 0.7, 1.02)], 135)
        yield sharp([middle, right, (x + wide * 0.7, 1.02), (x + wide * 0.1, 1.02)], 78)


def planet() -> Iterator[Shape]:
    """Draw a ringed planet."""
    ring = [(1.0, -0.26), (0.4, 0.22), (-0.5, 0.48), (-1.0, 0.4), (-0.6, 0.62), (0.2, 0.46), (0.9, 0.04)]
    yield smooth([(1.0, -0.24), (0.5, -0.24), (-0.5, 0.1), (-1.0, 0.42), (-0.5, 0.02), (0.4, -0.32)], 215)
    yield oval(0, 0, 0.62, 0.62, 128, 48)
    for y, tall, tone in ((-0.3, 0.07, 165), (-0.04, 0.09, 100), (0.26, 0.06, 160)):
        wide = math.sqrt(max(0.0, 0.6**2 - y * y)) * 0.98
        yield smooth([(-wide, y), (0, y - tall), (wide, y - 0.03), (0, y + tall)], tone)
    yield smooth(ring, 230)


def arch() -> Iterator[Shape]:
    """Draw a stone gate with a light in it."""
    yield box(-0.86, 0.9, 0.86, 1.02, 66)
    yield symmetric([(0, -0.4), (-0.24, -0.34), (-0.42, 0.0), (-0.44, 0.92), (0, 0.92)], 240)
    yield symmetric([(0, -0.02), (-0.14, 0.06), (-0.22, 0.3), (-0.24, 0.92), (0, 0.92)], 205)
    for side in (-1, 1):
        inner, outer = 0.42 * side, 0.74 * side
        for row in range(4):
            top = 0.0 + row * 0.23
            yield sharp(
                [(inner, top), (outer, top), (outer, top + 0.22), (inner, top + 0.22)], 96 + 14 * (row % 2)
            )
    stones = 7
    for index in range(stones):
        a, b = (math.pi * (1 + (index + step) / stones) for step in (0.02, 0.98))
        arc = [
            (math.cos(t) * r * 0.92, math.sin(t) * r) for t, r in ((a, 0.44), (a, 0.8), (b, 0.8), (b, 0.44))
        ]
        yield sharp(arc, 140 if index == stones // 2 else 92 + 16 * (index % 2))


def totem() -> Iterator[Shape]:
    """Draw balanced stones."""
    for x, y, rx, ry, tone in (
        (0.0, 0.78, 0.66, 0.26, 86), (0.06, 0.36, 0.5, 0.22, 112), (-0.06, 0.0, 0.38, 0.18, 138),
        (0.04, -0.3, 0.27, 0.15, 165), (-0.01, -0.56, 0.17, 0.13, 200),
    ):  # fmt: skip
        stone = oval(x, y, rx, ry, tone)
        yield stone
        yield oval(x + rx * 0.2, y - ry * 0.34, rx * 0.6, ry * 0.42, min(245, tone + 26))


def sprig() -> Iterator[Shape]:
    """Draw a sprig of leaves."""
    yield smooth([(-0.03, 1.02), (0.03, 1.02), (0.05, 0.2), (0.0, -0.9), (-0.04, 0.2)], 60)
    for index in range(5):
        y = 0.7 - index * 0.34
        size = 0.62 - index * 0.08
        leaf = smooth(
            [(0.0, y), (size * 0.5, y - 0.3), (size, y - 0.42), (size * 0.7, y - 0.08)], 100 + 24 * index
        )
        yield leaf
        yield mirrored(smooth(leaf.points[::7], 80 + 24 * index))
