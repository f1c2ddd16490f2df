"""Animals of the preview engine, drawn from a few traits each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from zbatch.server.engines.preview_shapes import Shape, both, box, oval, sharp, smooth, symmetric

DARK, DEEP, COAT, SOFT, PALE, WHITE = 20, 70, 120, 150, 205, 240


@dataclass(frozen=True, slots=True)
class Sitter:
    """A four-legged animal that sits and looks at us."""

    ears: Literal["pointed", "round", "long", "small", "leaf", "floppy"] = "pointed"
    face: Literal["pointed", "round", "long", "low"] = "round"
    tail: Literal["bushy", "thin", "none"] = "thin"
    antlers: bool = False
    mane: bool = False
    forelock: bool = False
    stripes: bool = False
    mask: bool = False


SITTERS: Final = {
    "fox": Sitter("pointed", "pointed", "bushy"),
    "wolf": Sitter("pointed", "pointed", "bushy", mask=True),
    "dog": Sitter("floppy", "round", "thin"),
    "cat": Sitter("pointed", "round", "thin"),
    "rabbit": Sitter("long", "low", "none"),
    "bear": Sitter("round", "round", "none"),
    "deer": Sitter("leaf", "long", "none", antlers=True),
    "horse": Sitter("small", "long", "bushy", forelock=True),
    "lion": Sitter("round", "round", "thin", mane=True),
    "tiger": Sitter("round", "round", "thin", stripes=True),
    "raccoon": Sitter("small", "pointed", "bushy", stripes=True, mask=True),
}


def sitter(kind: Sitter) -> Iterator[Shape]:
    """Draw a sitting animal."""
    yield from _tail(kind)
    yield symmetric([(0, 0.02), (-0.26, 0.16), (-0.47, 0.62), (-0.46, 0.98), (-0.2, 1.02), (0, 1.02)], COAT)
    yield from both(smooth([(0.3, 0.6), (0.52, 0.72), (0.54, 1.0), (0.24, 1.01), (0.2, 0.8)], 108))
    yield symmetric([(0, 0.12), (-0.19, 0.2), (-0.17, 0.52), (-0.08, 0.76), (0, 0.8)], PALE)
    yield from both(smooth([(0.04, 0.62), (0.19, 0.62), (0.2, 1.0), (0.03, 1.01)], SOFT))
    if kind.stripes:
        for y in (0.42, 0.6, 0.78):
            yield from both(sharp([(0.45, y), (0.22, y + 0.06), (0.44, y + 0.1)], DEEP))
    yield from _head(kind)


def _tail(kind: Sitter) -> Iterator[Shape]:
    if kind.tail == "bushy":
        yield smooth(
            [(0.2, 1.0), (0.6, 1.0), (0.94, 0.72), (0.97, 0.32), (0.82, 0.02), (0.66, 0.3), (0.58, 0.62)], 106
        )
        yield smooth([(0.975, 0.34), (0.9, 0.08), (0.82, 0.0), (0.7, 0.2), (0.68, 0.33), (0.84, 0.26)], PALE)
        if kind.stripes:
            yield smooth([(0.62, 0.6), (0.96, 0.56), (0.95, 0.68), (0.6, 0.72)], DEEP)
    elif kind.tail == "thin":
        yield smooth(
            [(0.3, 0.9), (0.66, 0.96), (0.82, 0.7), (0.72, 0.44), (0.86, 0.3), (0.94, 0.68), (0.74, 1.02),
             (0.3, 1.01)],
            106,
        )  # fmt: skip


def _head(kind: Sitter) -> Iterator[Shape]:
    if kind.antlers:
        yield from _antlers()
    if kind.mane:
        yield symmetric(
            [(0, -0.98), (-0.36, -0.9), (-0.64, -0.56), (-0.66, -0.16), (-0.4, 0.22), (0, 0.34)], DEEP
        )
    if kind.ears != "floppy":
        yield from _ears(kind)
    yield {"pointed": _POINTED_HEAD, "round": _ROUND_HEAD, "long": _LONG_HEAD, "low": _LOW_HEAD}[kind.face]
    if kind.ears == "floppy":
        yield from _ears(kind)
    if kind.forelock:
        yield smooth(
            [(-0.16, -0.7), (0.0, -0.82), (0.16, -0.7), (0.04, -0.5), (-0.02, -0.3), (-0.08, -0.5)], DEEP
        )
    if kind.stripes:
        yield sharp([(-0.06, -0.72), (0.06, -0.72), (0.0, -0.5)], DEEP)
        yield from both(sharp([(0.52, -0.4), (0.34, -0.34), (0.53, -0.26)], DEEP))
    yield from _face(kind)


_POINTED_HEAD = symmetric(
    [(0, -0.69), (-0.26, -0.66), (-0.47, -0.5), (-0.62, -0.16), (-0.34, -0.02), (-0.13, 0.14), (0, 0.19)], 128
)
_ROUND_HEAD = symmetric(
    [(0, -0.72), (-0.3, -0.67), (-0.53, -0.42), (-0.54, -0.14), (-0.32, 0.1), (0, 0.17)], 128
)
_LOW_HEAD = symmetric(
    [(0, -0.5), (-0.26, -0.47), (-0.45, -0.3), (-0.45, -0.06), (-0.28, 0.1), (0, 0.16)], 128
)
_LONG_HEAD = symmetric(
    [(0, -0.72), (-0.27, -0.66), (-0.4, -0.4), (-0.31, -0.1), (-0.21, 0.14), (0, 0.24)], 128
)


def _ears(kind: Sitter) -> Iterator[Shape]:
    if kind.ears == "pointed":
        yield from both(
            smooth([(-0.53, -0.4), (-0.54, -0.82), (-0.47, -1.0), (-0.28, -0.84), (-0.1, -0.6)], 112)
        )
        yield from both(smooth([(-0.43, -0.5), (-0.46, -0.8), (-0.42, -0.86), (-0.24, -0.64)], 45))
    elif kind.ears == "long":
        yield from both(
            smooth([(-0.42, -0.4), (-0.46, -0.8), (-0.34, -1.04), (-0.2, -0.8), (-0.1, -0.4)], 112)
        )
        yield from both(
            smooth([(-0.34, -0.46), (-0.39, -0.8), (-0.33, -0.94), (-0.26, -0.76), (-0.2, -0.5)], 190)
        )
    elif kind.ears == "leaf":
        yield from both(
            smooth([(-0.22, -0.56), (-0.52, -0.74), (-0.76, -0.62), (-0.66, -0.42), (-0.34, -0.36)], 104)
        )
        yield from both(smooth([(-0.34, -0.52), (-0.54, -0.64), (-0.68, -0.58), (-0.58, -0.47)], 170))
    elif kind.ears == "floppy":
        ear = [(-0.3, -0.66), (-0.56, -0.62), (-0.7, -0.3), (-0.6, 0.08), (-0.44, -0.06), (-0.42, -0.36)]
        yield from both(smooth(ear, 74))
    elif kind.ears == "round":
        yield from both(oval(-0.42, -0.64, 0.2, 0.2, 108))
        yield from both(oval(-0.41, -0.62, 0.11, 0.11, 60))
    else:
        yield from both(smooth([(-0.42, -0.46), (-0.4, -0.84), (-0.3, -0.86), (-0.16, -0.6)], 108))


def _antlers() -> Iterator[Shape]:
    for start, end in (
        ((-0.14, -0.6), (-0.3, -0.86)),
        ((-0.3, -0.86), (-0.54, -0.98)),
        ((-0.24, -0.78), (-0.52, -0.78)),
        ((-0.3, -0.86), (-0.22, -1.03)),
    ):
        wide = 0.035
        yield from both(
            sharp(
                [(start[0] - wide, start[1]), (start[0] + wide, start[1]), (end[0] + 0.012, end[1]),
                 (end[0] - 0.012, end[1] + 0.03)],
                60,
            )
        )  # fmt: skip


def _face(kind: Sitter) -> Iterator[Shape]:
    if kind.face == "pointed":
        cheek = [(0.0, 0.17), (-0.13, 0.12), (-0.34, -0.04), (-0.59, -0.15), (-0.36, -0.25), (-0.13, -0.16)]
        yield from both(smooth([*cheek, (-0.02, -0.1)], WHITE))
        nose = 0.13
    elif kind.face in ("round", "low"):
        yield from both(oval(-0.1, -0.03, 0.16, 0.13, PALE))
        nose = -0.1
    else:
        yield symmetric([(0, -0.04), (-0.16, 0.0), (-0.19, 0.12), (0, 0.22)], SOFT)
        nose = 0.06
    if kind.mask:
        yield from both(smooth([(-0.06, -0.34), (-0.3, -0.44), (-0.46, -0.26), (-0.26, -0.18)], DEEP))
    yield from both(oval(-0.22, -0.3, 0.066, 0.078, DARK))
    yield from (oval(x, -0.33, 0.022, 0.024, WHITE, 12) for x in (-0.24, 0.2))
    yield smooth([(-0.08, nose - 0.04), (0.08, nose - 0.04), (0.0, nose + 0.06)], DARK)


@dataclass(frozen=True, slots=True)
class Percher:
    """A bird that stands and looks at us."""

    tufts: bool = False
    discs: bool = False


PERCHERS: Final = {
    "owl": Percher(tufts=True, discs=True),
    "bird": Percher(),
    "penguin": Percher(),
    "duck": Percher(),
}


def percher(kind: Percher) -> Iterator[Shape]:
    """Draw a standing bird."""
    for x in (-0.2, 0.2):
        yield sharp([(x - 0.12, 1.02), (x, 0.86), (x + 0.12, 1.02)], 170)
    yield sharp([(-0.16, 0.8), (0.16, 0.8), (0.1, 1.0), (-0.1, 1.0)], 70)
    if kind.tufts:
        yield from both(smooth([(-0.5, -0.5), (-0.56, -0.98), (-0.38, -0.86), (-0.1, -0.7)], 96))
    yield symmetric(
        [(0, -0.8), (-0.34, -0.76), (-0.55, -0.46), (-0.57, 0.1), (-0.5, 0.6), (-0.26, 0.9), (0, 0.95)], COAT
    )
    yield symmetric([(0, -0.1), (-0.3, -0.02), (-0.36, 0.36), (-0.22, 0.76), (0, 0.86)], PALE)
    if kind.discs:
        for row, count in enumerate((3, 4, 3)):
            for column in range(count):
                x = (column - (count - 1) / 2) * 0.16
                y = 0.16 + row * 0.18
                yield smooth([(x - 0.06, y), (x + 0.06, y), (x, y + 0.1)], 140)
    yield from both(smooth([(-0.46, -0.22), (-0.62, 0.2), (-0.56, 0.66), (-0.38, 0.88), (-0.32, 0.4)], 84))
    if kind.discs:
        yield from both(oval(-0.23, -0.4, 0.27, 0.27, PALE))
        yield from both(oval(-0.22, -0.4, 0.17, 0.17, 175))
        yield from both(oval(-0.21, -0.4, 0.115, 0.115, DARK))
        yield from (oval(x, -0.45, 0.035, 0.035, WHITE, 12) for x in (-0.25, 0.17))
    else:
        yield from both(oval(-0.22, -0.44, 0.075, 0.085, DARK))
        yield from (oval(x, -0.47, 0.025, 0.027, WHITE, 12) for x in (-0.24, 0.2))
    yield smooth([(-0.09, -0.32), (0.0, -0.38), (0.09, -0.32), (0.0, -0.1)], 185)


def whale() -> Iterator[Shape]:
    """Draw a whale that leaps."""
    yield smooth(
        [(0.5, -0.2), (0.72, -0.62), (0.98, -0.76), (0.9, -0.44), (1.0, -0.2), (0.7, -0.22), (0.6, 0.1)], 96
    )
    yield smooth(
        [(-0.96, 0.2), (-0.86, -0.16), (-0.5, -0.36), (0.0, -0.3), (0.4, -0.1), (0.7, -0.34), (0.72, -0.06),
         (0.4, 0.4), (-0.1, 0.62), (-0.62, 0.6)],
        COAT,
    )  # fmt: skip
    yield smooth(
        [(-0.95, 0.24), (-0.5, 0.3), (0.0, 0.34), (0.4, 0.3), (0.1, 0.54), (-0.3, 0.62), (-0.7, 0.56)], PALE
    )
    for y in (0.4, 0.48):
        yield smooth([(-0.8, y), (-0.4, y + 0.03), (0.0, y), (-0.4, y + 0.05)], 165)
    yield smooth([(-0.34, 0.34), (-0.1, 0.4), (0.0, 0.78), (-0.28, 0.62)], DEEP)
    yield oval(-0.62, 0.12, 0.05, 0.05, DARK)
    yield oval(-0.635, 0.105, 0.016, 0.016, WHITE, 10)


def fish() -> Iterator[Shape]:
    """Draw a fish."""
    yield smooth([(0.4, 0.0), (0.9, -0.44), (0.84, 0.0), (0.9, 0.44)], 96)
    yield smooth([(-0.1, -0.4), (0.2, -0.72), (0.34, -0.34)], 96)
    yield smooth(
        [(-0.88, 0.05), (-0.5, -0.38), (0.0, -0.46), (0.5, -0.08), (0.5, 0.1), (0.0, 0.46), (-0.5, 0.4)], COAT
    )
    for x in (-0.2, 0.06, 0.3):
        yield smooth([(x, -0.3), (x + 0.09, 0.0), (x, 0.3), (x - 0.07, 0.0)], PALE)
    yield oval(-0.56, -0.04, 0.09, 0.09, WHITE)
    yield oval(-0.57, -0.04, 0.05, 0.05, DARK)


def butterfly() -> Iterator[Shape]:
    """Draw a butterfly with open wings."""
    yield from both(smooth([(0.04, 0.0), (0.3, 0.1), (0.72, 0.36), (0.5, 0.78), (0.18, 0.56)], 96))
    yield from both(smooth([(0.04, 0.0), (0.3, -0.66), (0.9, -0.8), (0.94, -0.2), (0.5, 0.16)], COAT))
    yield from both(smooth([(0.22, -0.2), (0.42, -0.58), (0.78, -0.64), (0.78, -0.26), (0.46, 0.0)], PALE))
    yield from both(oval(0.45, 0.42, 0.1, 0.12, PALE))
    yield box(-0.035, -0.4, 0.035, 0.6, DARK)
    yield oval(0, -0.44, 0.07, 0.07, DARK)
