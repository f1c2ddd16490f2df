"""Signs that a drawn text cannot have as they are: what is not seen, or turns other signs round."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

REPLACEMENT: Final = "\ufffd"

_TURNS: Final = {
    "\u202a": "LRE", "\u202b": "RLE", "\u202c": "PDF", "\u202d": "LRO", "\u202e": "RLO",
    "\u2066": "LRI", "\u2067": "RLI", "\u2068": "FSI", "\u2069": "PDI",
}  # fmt: skip


def visible(text: str, has: Callable[[str], bool]) -> str:
    """Give a text with such signs written out as the page does it: `[RLO]`, `\u2407`.

    Where the face lacks the sign for it, its number stands there: `[U+0007]`. Every kind of space is a space;
    joiners and selectors, which a browser does not show either, are left out.
    """
    return "".join(mark if mark.isprintable() and mark.isascii() else _shown(mark, has) for mark in text)


def _shown(mark: str, has: Callable[[str], bool]) -> str:
    if mark.isspace() and mark not in "\x1c\x1d\x1e\x1f\x85":
        return " "
    if mark in _TURNS:
        return f"[{_TURNS[mark]}]"
    code, kind = ord(mark), unicodedata.category(mark)
    if (kind == "Cf" and not 0xFFF9 <= code <= 0xFFFB) or unicodedata.name(mark, "").startswith(
        "VARIATION SEL"
    ):
        return ""
    if kind[0] != "C":
        return mark
    sign = chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else REPLACEMENT
    return sign if has(sign) else f"[U+{code:04X}]"


_PACKAGES: Final = (
    (("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "FULLWIDTH"), "fonts-noto-cjk"),
    (("ARABIC", "HEBREW", "DEVANAGARI", "THAI", "LATIN", "GREEK", "CYRILLIC"), "fonts-noto-core"),
)


def font_package(lacking: str) -> str:
    """Name fonts, as Debian calls them, that have letters which are lacking."""
    names = [unicodedata.name(mark, "") for mark in lacking]
    found = [package for scripts, package in _PACKAGES if any(name.startswith(scripts) for name in names)]
    known = tuple(script for scripts, _ in _PACKAGES for script in scripts)
    rest = [] if all(name.startswith(known) for name in names) else ["fonts-symbola"]
    return " and ".join([*found, *rest])
