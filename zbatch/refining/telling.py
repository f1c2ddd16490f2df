"""What a person should know of a choice before the next run: what goes, why, and how to keep it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from zbatch.expressions.loras import LoraValue
from zbatch.manifest.values import AxisValue
from zbatch.picks.merging import Opinion
from zbatch.refining.choosing import Choice
from zbatch.refining.dimensions import Value
from zbatch.refining.judging import UNTOUCHED, Verdict

_MOST_NAMED: Final = 40
"""Values of a dimension that are named one by one."""
_WISHED: Final = "--drop"


def going_notes(choices: Sequence[Choice]) -> Iterator[str]:
    """Say of each dimension which values go and why, with what keeps them; and where no baseline is left."""
    for one in choices:
        gone = [verdict for verdict in one.verdicts if not verdict.kept]
        if any(verdict.why != _WISHED for verdict in gone):
            yield _going(one, gone)
        if gone and one.dimension.names_files and all(verdict.value.number is not None for verdict in gone):
            yield f"{one.dimension.name}: no numbers come new, as they are part of the path of a file"
    yield from _baseline(choices)


def counting_notes(choices: Sequence[Choice], opinions: Iterable[Opinion]) -> Iterator[str]:
    """Say so where what values were judged by is not what the page counts."""
    narrowed = [one.dimension.name for one in choices if one.dropped and not one.dimension.last]
    last = [one.dimension.name for one in choices if one.dimension.last]
    if narrowed and last:
        by = f"judged by the images of what stays of {', '.join(narrowed)}"
        yield f"{', '.join(last)}: {by}; the means in the page are of all"
    unrated = sum(one.rating is None for one in opinions)
    if unrated:
        have = "has" if unrated == 1 else "have"
        yield (
            f"{unrated:,} of the judged images {have} no stars: a favourite counts as 5 of them, a reject as "
            "1; the means in the page are of stars alone"
        )


def lacking_notes(choices: Sequence[Choice]) -> Iterator[str]:
    """Say of which dimensions nothing could go, as no value has votes enough, and how many are missing."""
    yield from (one.lacking for one in choices if one.lacking)


def nothing_new(choices: Sequence[Choice]) -> str:
    """Say why a manifest holds nothing that is not made already, and what would change that."""
    alike = [
        one.dimension.name
        for one in choices
        if not one.changed and not one.untouched and (one.dimension.span or one.dimension.lora_span)
    ]
    if not alike:
        return "nothing in it is new, so there is nothing to run: it only leaves out what goes"
    return (
        f"nothing in it is new, so there is nothing to run: no values of {', '.join(alike)} could be told "
        "apart, and numbers come new round those that win where others lose; more votes would tell (stars, "
        "or blind comparisons), or --drop AXIS=VALUE"
    )


def means(choices: Sequence[Choice]) -> str:
    """Say how the values of the first dimensions stand."""
    return "; ".join(
        f"{one.dimension.name}: {UNTOUCHED}"
        if one.untouched
        else f"{one.dimension.name}: " + ", ".join(map(stands, one.verdicts[:6]))
        for one in choices[:3]
    )


def stands(verdict: Verdict) -> str:
    """Write a value with why it stays or goes; without, where nobody asked."""
    text = verdict.value.short
    return text if verdict.why == UNTOUCHED else f"{text} ({verdict.why})"


def keep_option(choice: Choice, values: Sequence[Value]) -> str:
    """Write the option that keeps values of a dimension, as it is typed in a shell."""
    texts = [value.line for value in values]
    listed = texts[0] if len(texts) == 1 and texts[0] else ",".join(map(_field, texts))
    return f"--keep {shlex.quote(f'{choice.dimension.name}={listed}')}"


def _going(choice: Choice, gone: Sequence[Verdict]) -> str:
    shown = gone[:_MOST_NAMED]
    named = ", ".join(f"{one.value.line} ({one.why})" for one in shown)
    more = len(gone) - len(shown)
    others = f" and {more:,} more" if more else ""
    kept = keep_option(choice, [one.value for one in shown if one.why != _WISHED])
    many = "a value goes" if len(gone) == 1 else f"{len(gone):,} values go"
    it = "it" if len(gone) == 1 else "them; name fewer to keep those"
    return f"{choice.dimension.name}: {many}: {named}{others}; {kept} keeps {it}"


def _baseline(choices: Sequence[Choice]) -> Iterator[str]:
    """Say so where no picture without a LoRA is left, from which the others' distance is measured."""
    of_loras = [one for one in choices if one.dimension.axis.name == "lora"]
    off = [(one, verdict) for one in of_loras for verdict in one.verdicts if _is_off(one, verdict.value)]
    gone = [(one, verdict) for one, verdict in off if not verdict.kept and verdict.why != _WISHED]
    if not gone or any(verdict.kept for _, verdict in off):
        return
    names = " and ".join(f"{one.dimension.name} {verdict.value.line}" for one, verdict in gone)
    keeps = " or ".join(keep_option(one, [verdict.value]) for one, verdict in gone)
    yield (
        f"the baseline, {names}, goes too: no picture without a LoRA is left to measure the others from; "
        f"{keeps} keeps it (it is made already)"
    )


def _is_off(choice: Choice, value: Value) -> bool:
    """Tell whether a value is that of the picture without any LoRA."""
    if choice.dimension.name == "lora.scale":
        return value.number == 0
    lora = value.source.value if isinstance(value.source, AxisValue) else None
    if not isinstance(lora, LoraValue):
        return False
    if choice.dimension.name == "lora.name":
        return not lora.parts
    return all(scale == 0 for _, scale in lora.parts)


def _field(text: str) -> str:
    """Write a value so that commas part it from others, and none of its own does."""
    plain = text and text == text.strip() and "," not in text and '"' not in text
    return text if plain else '"' + text.replace('"', '""') + '"'
