"""Collecting what is wrong with a manifest: every problem, each once, each with its position."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import orjson

from zbatch.errors import Finding, ManifestError, Severity
from zbatch.spelling import nearest_word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbatch.manifest.document import Document

_UNPRINTABLE: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]"
)

Place = tuple[str | int, ...]
"""Where something stands inside a document: `("matrix", "lora", "scale", 2)`."""

MAX_FINDINGS: Final = 100
"""More than this many of a kind nobody reads; errors that are left out are counted."""

_LONGEST: Final = 2_000
"""Characters of a message."""

_MOST_APART: Final = 5


class Mark(NamedTuple):
    """A position in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int


class Missing:
    """Stands for "there was nothing", where `None` is a value."""


MISSING: Final = Missing()

LOST: Final = Missing()
"""Stands in a list for an item that a finding has told of already, so that the others keep their places."""


class Findings:
    """The problems found so far; of several at one place only the first: the rest follow from it."""

    def __init__(self) -> None:
        self.document: Document | None = None
        self._findings: list[Finding] = []
        self._seen: set[tuple[Mark, str, Severity]] = set()
        self._marks: set[Mark] = set()
        self._apart: dict[tuple[Mark, str, Severity], set[str]] = {}
        self._count: dict[Severity, int] = {"error": 0, "warning": 0}
        self.left_out = 0

    def __iter__(self) -> Iterator[Finding]:
        return iter(sorted(self._findings, key=lambda finding: (finding.file, finding.line, finding.column)))

    @property
    def failed(self) -> bool:
        """Tell whether there is an error among them."""
        return self._count["error"] > 0

    @property
    def full(self) -> bool:
        """Tell whether there are so many errors that looking on is no use."""
        return self._count["error"] >= MAX_FINDINGS

    def enough(self, severity: Severity) -> bool:
        """Tell whether there are so many of a kind that no more are kept: hints for them need not be made."""
        return self._count[severity] >= MAX_FINDINGS

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Those that stop nothing."""
        return tuple(finding for finding in self if finding.severity == "warning")

    def raise_errors(self) -> None:
        """Raise what was found, if there is an error among it.

        Raises:
            ManifestError: holding every finding, warnings too.
        """
        if self.failed:
            if self.left_out and self.document:
                end = self._findings[-1]
                more = f"{self.left_out:,} more problems are not listed"
                self._findings.append(Finding(end.file, end.line, end.column, "", more))
                self.left_out = 0
            raise ManifestError(self)

    def stop(self) -> NoReturn:
        """Stop where so much is wrong that looking on is no use.

        Raises:
            ManifestError: holding every finding.
        """
        end = self._findings[-1]
        message = "more than this was not looked for"
        self._findings.append(Finding(end.file, end.line, end.column, "", message))
        raise ManifestError(self)

    def at(
        self,
        mark: Mark,
        place: Place | str,
        message: str,
        *,
        hint: str = "",
        severity: Severity = "error",
        apart: str = "",
    ) -> None:
        """Add a finding at a known position.

        `apart` tells problems at one place from each other that do not follow from one another: some of them
        are told, where nothing else is said of the place.
        """
        if self._no_more(mark, severity):
            return
        path = printable(place if isinstance(place, str) else dotted(place))
        where = (mark, path, severity)
        if where in self._seen or (mark, path, "error") in self._seen:
            return
        if apart:
            told = self._apart.setdefault(where, set())
            if apart in told or len(told) >= _MOST_APART:
                return
            told.add(apart)
        elif where in self._apart:
            return
        if self.enough(severity):
            self.left_out += severity == "error"
            return
        if not apart:
            self._seen.add(where)
        self._marks.add(mark)
        self._count[severity] += 1
        self._findings.append(
            Finding(
                mark.file, mark.line, mark.column, path, _short(printable(message)), printable(hint), severity
            )
        )

    def _no_more(self, mark: Mark, severity: Severity) -> bool:
        """Count what comes by the million, before any words are made of it."""
        if not self.enough(severity) or mark in self._marks:
            return False
        self.left_out += severity == "error"
        return True

    def take(self, other: Findings) -> None:
        """Take over what was found in another file."""
        for finding in other._findings:
            mark = Mark(finding.file, finding.line, finding.column)
            self.at(
                mark,
                finding.path,
                finding.message,
                hint=finding.hint,
                severity=finding.severity,
                apart=finding.message,
            )
        self.left_out += other.left_out

    def error(
        self,
        place: Place,
        message: str,
        *,
        got: Any = MISSING,
        hint: str = "",
        key: bool = False,
        apart: str = "",
    ) -> None:
        """Add an error at a place of the document; at its key where the key is what is wrong."""
        self._add(place, message, got, hint, "error", key=key, apart=apart)

    def warning(
        self, place: Place, message: str, *, got: Any = MISSING, hint: str = "", key: bool = False
    ) -> None:
        """Add a warning: said, and nothing stopped."""
        self._add(place, message, got, hint, "warning", key=key)

    def _add(
        self,
        place: Place,
        message: str,
        got: Any,
        hint: str,
        severity: Severity,
        *,
        key: bool,
        apart: str = "",
    ) -> None:
        mark = self.document.mark(place, key=key) if self.document else Mark("", 1, 1)
        if self._no_more(mark, severity):
            return
        suffix = "" if got is MISSING else f" (got {shown(got)})"
        self.at(mark, place, message + suffix, hint=hint, severity=severity, apart=apart)


def _short(message: str) -> str:
    """Cut a message in the middle where it names ten thousand things."""
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST - 200]} ... {message[-200:]}"


def printable(text: str) -> str:
    """Write control characters and those that turn the direction of text as escapes.

    Findings go to terminals, and what they repeat was written by strangers.
    """
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def dotted(place: Place) -> str:
    """Write a place as people do: `matrix.lora.scale[2]`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def shown(value: Any) -> str:
    """Show a value as JSON, cut in the middle where it is long."""
    try:
        text = orjson.dumps(value, default=str, option=orjson.OPT_PASSTHROUGH_DATACLASS).decode()
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= 80 else f"{text[:50]}...{text[-20:]}"


def named(names: Iterable[str]) -> str:
    """Name several things in a sentence: `'a', 'b' and 'c'`."""
    quoted = [repr(name) for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def nearest(word: str, words: Iterable[str]) -> str:
    """Offer the nearest spelling as a hint, or the few words there are, or nothing."""
    known = sorted(set(words))
    parts = [name for name in known if word and name.startswith(f"{word}.")]
    if close := parts[0] if parts else nearest_word(word, known):
        return f"did you mean {close}?"
    return f"there are: {', '.join(known)}" if known and len(", ".join(known)) <= 180 else ""
