"""What differs between the requests of pairs: which field, from what to what, and in how many of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

SHOWN: Final = 5
"""Changes of one field that are told one by one; the rest are counted."""

_WORDS: Final = re.compile(r"\s+|[^\s,.;:!?()]+|[,.;:!?()]")
_NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that differs in some pairs. `changes` are the commonest `(before, after, pairs)`.

    Of prompts they are the words that changed, without those around them.
    """

    field: str
    pairs: int
    changes: tuple[tuple[str, str, int], ...]
    more: int

    def to_json(self) -> dict[str, Any]:
        """Give the shape of `zbatch diff --json`."""
        changes = [
            {"before": before, "after": after, "pairs": pairs} for before, after, pairs in self.changes
        ]
        return {"field": self.field, "pairs": self.pairs, "changes": changes, "other_changes": self.more}


def changed_fields(
    bodies: Iterable[tuple[Mapping[str, Any], Mapping[str, Any], int]],
) -> tuple[FieldChange, ...]:
    """Tell what differs between requests, given as before, after and for how many pairs; most pairs first."""
    found: dict[str, Counter[tuple[str, str]]] = {}
    for before, after, pairs in bodies:
        for field, one, other in _differing(before, after):
            found.setdefault(field, Counter())[one, other] += pairs
    fields = [
        FieldChange(
            field,
            counts.total(),
            tuple((one, other, pairs) for (one, other), pairs in counts.most_common(SHOWN)),
            max(0, len(counts) - SHOWN),
        )
        for field, counts in found.items()
    ]
    return tuple(sorted(fields, key=lambda change: (-change.pairs, change.field)))


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for field in dict.fromkeys((*before, *after)):
        one, other = before.get(field), after.get(field)
        if one == other:
            continue
        if field == "loras":
            yield from _loras(one or [], other or [])
        elif field == "prompt":
            yield field, *changed_words(one or "", other or "")
        else:
            yield field, _text(one), _text(other)


def _loras(before: list[Mapping[str, Any]], after: list[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Tell of LoRAs one by one where there are as many; else of all of them."""
    if len(before) != len(after):
        yield "loras", _stack(before), _stack(after)
        return
    for one, other in zip(before, after, strict=True):
        for part in ("path", "scale"):
            if one[part] != other[part]:
                yield f"lora {part}", str(one[part]), str(other[part])


def _stack(loras: list[Mapping[str, Any]]) -> str:
    return " + ".join(f"{lora['path']} @ {lora['scale']}" for lora in loras) or _NONE


def _text(value: Any) -> str:
    if value is None:
        return _NONE
    if isinstance(value, Mapping):
        return f"{value.get('file')} ({str(value.get('sha256'))[:12]})"
    return str(value).lower() if isinstance(value, bool) else str(value)


def changed_words(before: str, after: str) -> tuple[str, str]:
    """Give the words in which two texts differ, from the first that does to the last."""
    one, other = _WORDS.findall(before), _WORDS.findall(after)
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    gone, come = ("".join(words[start : len(words) - end]).strip() for words in (one, other))
    return (gone, come) if gone != come else (before, after)
