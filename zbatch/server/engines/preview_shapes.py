"""Shapes of a motif: polygons in a unit square, each with a tone, and how they become pixels.

x runs from -1 (left) to 1, y from -1 (top) to 1 (the ground). Tones are 0 (dark) to 255 (light).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """One filled polygon."""

    points: tuple[Point, ...]
    tone: int


def sharp(points: Sequence[Point], tone: int) -> Shape:
    """Make a polygon with its corners as they are."""
    return Shape(tuple(points), tone)


def smooth(points: Sequence[Point], tone: int, steps: int = 7) -> Shape:
    """Make a closed Catmull-Rom curve through the points."""
    curve: list[Point] = []
    count = len(points)
    for index in range(count):
        before, start, end, after = (points[(index + offset) % count] for offset in (-1, 0, 1, 2))
        curve.extend(_spline(before, start, end, after, step / steps) for step in range(steps))
    return Shape(tuple(curve), tone)


def _spline(before: Point, start: Point, end: Point, after: Point, t: float) -> Point:
    x, y = (
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(before, start, end, after, strict=True)
    )
    return x, y


def oval(x: float, y: float, rx: float, ry: float, tone: int, sides: int = 28) -> Shape:
    """Make an ellipse round a centre."""
    turn = 2 * math.pi / sides
    return Shape(
        tuple((x + rx * math.cos(i * turn), y + ry * math.sin(i * turn)) for i in range(sides)), tone
    )


def box(left: float, top: float, right: float, bottom: float, tone: int) -> Shape:
    """Make a rectangle."""
    return Shape(((left, top), (right, top), (right, bottom), (left, bottom)), tone)


def mirrored(shape: Shape) -> Shape:
    """Flip a shape from left to right."""
    return Shape(tuple((-x, y) for x, y in shape.points), shape.tone)


def both(shape: Shape) -> tuple[Shape, Shape]:
    """Give a shape and its mirror image."""
    return shape, mirrored(shape)


def symmetric(half: Sequence[Point], tone: int) -> Shape:
    """Close a left half (top to bottom) with its mirror image, as a smooth curve."""
    return smooth([*half, *((-x, y) for x, y in reversed(half) if abs(x) > 1e-9)], tone)


def draw(
    shapes: Iterable[Shape], side: int, outline: float, *, flip: bool
) -> tuple[Image.Image, Image.Image]:
    """Draw shapes into a square of `side` pixels: their tones, and how much they cover (0 to 255).

    `outline` is the width of an ink line round each shape, in pixels; 0 for none. Drawn at twice the size
    and reduced, which smooths the edges.
    """
    big = 2 * side
    tones = Image.new("L", (big, big), 100)
    cover = Image.new("L", (big, big), 0)
    tone_pen, cover_pen = ImageDraw.Draw(tones), ImageDraw.Draw(cover)
    half = big / 2
    sign = -half if flip else half
    width = round(2 * outline)
    for shape in shapes:
        points = [(half + x * sign * 0.94, half + y * half * 0.94) for x, y in shape.points]
        tone_pen.polygon(points, fill=shape.tone)
        cover_pen.polygon(points, fill=255)
        if width > 0:
            tone_pen.line([*points, points[0]], fill=12, width=width, joint="curve")
            cover_pen.line([*points, points[0]], fill=255, width=width, joint="curve")
    return tones.reduce(2), cover.reduce(2)
