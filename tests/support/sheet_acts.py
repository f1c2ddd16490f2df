"""What a person does to a sheet, told once for both ways of driving a browser.

Playwright presses real keys, and so can be asked how long each took; the plain browser has nobody looking on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from playwright.sync_api import Page
from support.plain_browser import PlainPage


@dataclass(frozen=True)
class Click:
    """A click on the first element of a selector that has these words."""

    selector: str
    words: str = ""

    def watched(self, page: Page) -> None:
        page.locator(self.selector, has_text=self.words).first.click()

    def plain(self, page: PlainPage) -> None:
        page.click(self.selector, self.words)


@dataclass(frozen=True)
class Fill:
    """A field with another text, all at once."""

    selector: str
    text: str

    def watched(self, page: Page) -> None:
        page.locator(self.selector).fill(self.text)

    def plain(self, page: PlainPage) -> None:
        page.put(self.selector, self.text)


class Choose(Fill):
    """Another value in a list."""

    def watched(self, page: Page) -> None:
        page.locator(self.selector).select_option(self.text)


class Type(Fill):
    """A field with one letter more: the last of this text, whose others are there."""

    def watched(self, page: Page) -> None:
        page.locator(self.selector).focus()
        page.keyboard.type(self.text[-1])


Act = Click | Fill


def _typed(selector: str, text: str) -> tuple[Act, ...]:
    return (*(Type(selector, text[:end]) for end in range(1, len(text) + 1)), Fill(selector, ""))


CHANGES: Final[dict[str, tuple[Act, ...]]] = {
    "a chip: hide a scale, show it": (Click(".chip", "0.5"),) * 2,
    "a chip: hide a subject, show it": (Click(".chip", "animal 1"),) * 2,
    "search, letter by letter": _typed("#search", "valley 7"),
    "search: seed:1003, scale>0.6": tuple(Fill("#search", text) for text in ("seed:1003", "scale>0.6", "")),
    "a state: only failed, all": (Click('.pill[data-state="failed"]'),) * 2,
    "transpose": (Click("#swap"),) * 2,
    "another axis along the columns": tuple(
        Choose("#axis-x", axis) for axis in ("lora.name", "seed", "lora.scale")
    ),
    "a flat wall and back": (Click("#shape-wall"), Click("#shape-table")),
}
"""Changes of the view by what they are called; after each the view is as it was."""

WHEEL: Final = (900, 600, 700)
"""Where the wheel is turned, and by how many pixels."""

TURNS, PAGES_DOWN = 60, 40
"""How often the wheel is turned and the key pressed, a frame apart."""

FRAME: Final = 0.016
"""Seconds."""
