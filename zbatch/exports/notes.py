"""What is to be told of an export beside its counts: what came out otherwise than one might think."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from zbatch.exports.about import ABOUT, NEAR_DUPLICATES
from zbatch.exports.destination import Destination
from zbatch.exports.selection import Selection

_NEAR: Final = 0.02
_NEARLY: Final = 0.3
"""How far a share may be from the one that was asked without a word: of all images, or of itself."""


def notes(selection: Selection, destination: Destination, *, made: bool) -> Iterator[str]:
    """Give all that is to be told of an export, in words; `made` where it was made just now."""
    differing = selection.tally.differing
    if differing:
        yield (
            f"{len(differing):,} jobs of later runs have other images than in an earlier one, whose images "
            f"were taken (the first: {differing[0][:12]}; all are in {ABOUT})"
        )
    if selection.alike:
        many = len(selection.alike)
        yield f"{many:,} near duplicates were left out: {NEAR_DUPLICATES} says which, and for which"
    yield from _shares(selection)
    yield from _absent(selection)
    yield from _captions(selection)
    yield from _guessed(selection)
    yield from _pair_notes(selection)
    if not made:
        return
    if destination.resumed:
        yield "an interrupted export was gone on with"
    if destination.discarded:
        yield "what another interrupted export had left aside was dropped"
    if destination.linked:
        yield (
            "the images are hard links to the run's: changing one changes both (--copy makes files of their "
            "own)"
        )
    elif destination.copied and destination.links and not selection.options.copy:
        yield "the images are copies: no links can be made from the run to there"


def _shares(selection: Selection) -> Iterator[str]:
    """Say where a split is far from the share that was asked: a hash decides, for groups that may be few."""
    split, total = selection.split, selection.count()
    if split is None:
        return
    for side, asked in (("validation", split.validation), ("test", split.test)):
        share = selection.count(side) / total
        if isinstance(asked, float) and abs(share - asked) > max(_NEAR, asked * _NEARLY):
            groups = f"values of {split.by}" if split.by else "prompts with a seed"
            choose = f"; name them to choose: --split '{side}=VALUE|VALUE'" if split.by else ""
            yield (
                f"{side} has {share:.1%} of the images (asked for: {asked:.1%}): a hash decides for each of "
                f"few {groups}{choose}"
            )


def _absent(selection: Selection) -> Iterator[str]:
    """Say which values a split names in vain: their images were taken out, or are not made."""
    for side in dict.fromkeys(side for side, _ in selection.absent):
        names = [name for at, name in selection.absent if at == side]
        more = f" and {len(names) - 8:,} others" if len(names) > 8 else ""
        assert selection.split is not None  # noqa: S101 - who names values is a split
        yield (
            f"{side} names values of {selection.split.by} that no image has which was taken: "
            f"{', '.join(names[:8])}{more}"
        )


def _captions(selection: Selection) -> Iterator[str]:
    """Say which captions are empty, and what kohya's files do not say as it was."""
    empty, first = selection.captionless
    if first is not None:
        of = "" if empty < selection.count() else " (all of them)"
        images = f"{empty:,} image{'s' * (empty != 1)}{of}"
        yield f"{images} got an empty caption, the first of them {first.called}"
    if selection.options.format != "kohya":
        return
    if lines := selection.multiline:
        yield f"captions of several lines became one line ({lines:,}): sd-scripts reads the first alone"
    if len(selection.sides) > 1:
        trained, *others = selection.sides
        yield (
            f"dataset.toml lists {trained} alone, as sd-scripts trains on all that it lists: "
            f"{' and '.join(others)} lie beside it"
        )


def _guessed(selection: Selection) -> Iterator[str]:
    """Say which columns `datasets` guesses to be of several types: JSON has no types for what is null."""
    options, uncertain = selection.options, selection.columns.uncertain
    if options.format != "imagefolder" or options.metadata != "jsonl" or not uncertain:
        return
    told: list[frozenset[str]] = []
    for side in selection.sides:
        left = set(uncertain)
        for entry in selection.entries(side):
            row = selection.columns.row(entry)
            left = {name for name in left if row[name] is None}
            if not left:
                break
        told.append(frozenset(left))
    if len(set(told)) > 1:
        names = ", ".join(sorted(frozenset.union(*told) - frozenset.intersection(*told)))
        yield (
            f"all of {names} is null in one split and not in another, whose types `datasets` then takes to "
            "differ: --metadata parquet says what they are"
        )


def _pair_notes(selection: Selection) -> Iterator[str]:
    if selection.options.picks is None:
        return
    tables = " and ".join(f"{side}/pairs.jsonl" for side in selection.sides)
    yield f"{len(selection.preferences):,} pairs{' in ' if tables else ''}{tables}"
    if selection.mixed:
        yield f"{selection.mixed:,} comparisons were left out: the two images have different prompts"
    if selection.parted:
        yield f"{selection.parted:,} pairs were left out: their images are on two sides of the split"
