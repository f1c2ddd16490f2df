"""What an export is asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, get_args

from zbatch.errors import UsageError
from zbatch.exports.splits import Split
from zbatch.picks.merging import Merged

Format = Literal["imagefolder", "webdataset", "parquet", "kohya", "csv", "jsonl", "card", "pairs"]
FORMATS: Final = get_args(Format)

_FOLDERS: Final[tuple[Format, ...]] = ("imagefolder", "kohya", "pairs")
_SHARDS: Final[tuple[Format, ...]] = ("webdataset", "parquet")
_MEANT_FOR: Final[Mapping[str, tuple[str, tuple[Format, ...]]]] = {
    "--caption-column": ("caption_column", ("imagefolder", "webdataset", "parquet", "csv", "jsonl", "card")),
    "--copy": ("copy", _FOLDERS),
    "--no-check": ("check", (*_FOLDERS, *_SHARDS, "csv", "jsonl")),
    "--metadata": ("metadata", ("imagefolder",)),
    "--shard-size": ("shard_bytes", _SHARDS),
    "--shard-count": ("shard_count", _SHARDS),
    "--picks": ("picks", ("pairs",)),
}
"""Flags that only some formats know: the field that each sets, and those formats. All others are for all."""

_LARGEST: Final = 2**63 - 1
"""Of a number that JSON readers take."""

DROPS: Final = ("flagged", "blank", "warned")
"""Images that can be left out: flagged as nsfw by the server, of one colour, kept with a warning."""


def check_meant(format_: str, flags: Iterable[str]) -> None:
    """Refuse flags that mean nothing for a format: whoever gives one expects that it does something.

    Raises:
        UsageError: naming the flag, and the formats that it is for.
    """
    for flag in flags:
        _, formats = _MEANT_FOR.get(flag, ("", FORMATS))
        if format_ not in formats:
            *most, last = formats
            raise UsageError(
                f"{flag} means nothing for the format {format_}",
                hint=f"leave it out: it is for {', '.join(most)}{' and ' * bool(most)}{last}",
            )


@dataclass(frozen=True, slots=True)
class Options:
    """How to export. `alike` is the most bits of 64 in which near duplicates differ; `None` keeps them.

    `split` is `None` where the manifest's counts. Sizes are in bytes. `picks` is what people said of the
    images, for the format `pairs`.
    """

    format: Format = "imagefolder"
    where: str | None = None
    caption: str | None = None
    caption_column: str = "text"
    split: Split | None = None
    drop: tuple[str, ...] = ()
    alike: int | None = None
    copy: bool = False
    check: bool = True
    metadata: Literal["jsonl", "parquet"] = "jsonl"
    shard_bytes: int = 500_000_000
    shard_count: int = 10_000
    license: str | None = None
    picks: Merged | None = None

    def __post_init__(self) -> None:
        """Hold it to what there is.

        Raises:
            UsageError: a word or a number that means nothing, or nothing for this format.
        """
        if self.format not in FORMATS:
            raise UsageError(f"there is no format {self.format!r}", hint=f"there are: {', '.join(FORMATS)}")
        self._check_types()
        for word in self.drop:
            if word not in DROPS:
                raise UsageError(f"nothing is {word!r} to be dropped", hint=f"there are: {', '.join(DROPS)}")
        if self.alike is not None and not 0 <= self.alike <= 32:
            raise UsageError(f"near duplicates differ in 0 to 32 bits of 64 (got {self.alike})", hint="try 4")
        self._check_shards()
        if self.caption is not None and not self.caption.strip():
            raise UsageError(
                "--caption is empty, and so would be every caption",
                hint="leave it out for the manifest's, or write a template, such as '{{ request.prompt }}'",
            )
        if not self.caption_column.strip():
            raise UsageError("--caption-column is empty", hint="such as text")
        usual = {one.name: one.default for one in fields(self)}
        unusual = {name for name, value in usual.items() if getattr(self, name) != value}
        check_meant(self.format, [flag for flag, (name, _) in _MEANT_FOR.items() if name in unusual])
        if self.format == "pairs" and self.picks is None:
            raise UsageError(
                "the format pairs is written from picks, and needs a file of them",
                hint="--format pairs --picks picks.json, exported from the page of the run",
            )
        if self.license is not None and not self.license.strip():
            raise UsageError("the license is empty", hint="a Hugging Face identifier, such as cc-by-4.0")

    def _check_shards(self) -> None:
        if self.shard_bytes < 1 or self.shard_count < 1:
            raise UsageError("a shard holds at least one byte and one image")
        if max(self.shard_bytes, self.shard_count) > _LARGEST:
            raise UsageError("a shard holds less than nine exabytes, and fewer images than that")

    def _check_types(self) -> None:
        """Refuse what a program gives of another type: a message from deep within would name nothing."""
        if self.split is not None and not isinstance(self.split, Split):
            raise UsageError(
                f"split is text, and this is {type(self.split).__name__} ({self.split!r:.100})",
                hint='such as split="test=0.1", or split="test=otter|heron", split_by="animal"',
            )
        for name in ("where", "caption", "caption_column", "license"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise UsageError(f"{name} is text, and this is {type(value).__name__} ({value!r:.100})")
        for name in ("alike", "shard_bytes", "shard_count"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                words = f"{name} is a whole number, and this is {type(value).__name__} ({value!r:.100})"
                raise UsageError(words)
        if isinstance(self.drop, str):
            raise UsageError(f"drop is several words, and this is one: {self.drop!r}", hint='drop=["blank"]')

    @property
    def needs_arrow(self) -> bool:
        """Whether pyarrow writes some of it."""
        return self.format == "parquet" or (self.format == "imagefolder" and self.metadata == "parquet")

    def as_json(self) -> dict[str, Any]:
        """Give what decides on an export's bytes: two that agree in it and in their images are the same."""
        return {
            "format": self.format,
            "where": self.where,
            "caption_column": self.caption_column,
            "drop": sorted(set(self.drop)),
            "alike": self.alike,
            "metadata": self.metadata,
            "shard_bytes": self.shard_bytes,
            "shard_count": self.shard_count,
            "license": self.license,
            **({} if self.picks is None else {"picks": self.picks.digest}),
        }


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of an export.

    `path` is the directory, or the URL of the place in an object store. `images` counts by split; `left_out`
    by reason; `notes` are things to be told of it, in words. `made` is `False` where the very same export lay
    there already and nothing was done.
    """

    path: Path | str
    format: Format
    images: dict[str, int]
    left_out: dict[str, int]
    files: int
    bytes: int
    linked: int
    made: bool = True
    notes: tuple[str, ...] = field(default=())
