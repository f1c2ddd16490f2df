"""The dataset card: `README.md`, with the YAML header that Hugging Face reads, and plain words."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import yaml

from zbatch.exports.columns import Columns
from zbatch.exports.options import Options
from zbatch.exports.selection import Selection
from zbatch.exports.tables import csv_types, jsonl_types
from zbatch.state.database import Meta
from zbatch.state.run import Run
from zbatch.version import __version__

_SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
_FILES: Final[Mapping[str, str]] = {
    "imagefolder": "{side}/**",
    "webdataset": "{side}-*.tar",
    "parquet": "data/{side}-*.parquet",
    "csv": "{side}.csv",
    "jsonl": "{side}.jsonl",
}
"""Where a hub finds the files of a split."""

_LOAD: Final[Mapping[str, str]] = {
    "imagefolder": 'datasets.load_dataset("imagefolder", data_dir="THIS_FOLDER")',
    "webdataset": 'webdataset.WebDataset("THIS_FOLDER/train-{LAST}.tar")',
    "parquet": 'datasets.load_dataset("parquet", data_dir="THIS_FOLDER")',
    "csv": 'datasets.load_dataset("./THIS_FOLDER")',
    "jsonl": 'datasets.load_dataset("./THIS_FOLDER")',
}

_FILE: Final = (
    ("file", "the image, from the directory of its run: no images lie here"),
    ("split", "the table it is in"),
)
_OWN_COLUMNS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "imagefolder": (("file_name", "the image, from the table"),),
    "parquet": (("image", "its bytes, and its name"),),
    "csv": _FILE,
    "jsonl": (*_FILE, ("model", "that made it"), ("request", "all that was sent")),
}
"""Columns that are the format's and not the dataset's."""
_WITHOUT_COLUMNS: Final = ("kohya", "pairs")

_FIND: Final = """\
There are no images here. `file` says where one lies in the directory of the run that `run` names, so with all
run directories in one folder (or one place in a store):

```python
pathlib.Path("FOLDER_OF_THE_RUNS", row["run"], row["file"])
```"""

_UNQUOTE: Final = """\
Text that a spreadsheet would take for a formula has a `'` before it. This takes it away again:

```python
re.sub(r"^'('*[=+\\-@\\t\\r])", r"\\1", text)
```"""

_TYPES: Final[Mapping[str, Callable[[Columns], dict[str, str]]]] = {"csv": csv_types, "jsonl": jsonl_types}


def write_card(selection: Selection, last_shard: int = 0) -> bytes:
    """Give the card of what was chosen."""
    options = selection.options
    head = yaml.safe_dump(_header(selection), sort_keys=False, allow_unicode=True, width=110)
    return f"---\n{head}---\n\n{_body(selection, options, last_shard)}".encode()


def _header(selection: Selection) -> dict[str, Any]:
    options, total = selection.options, selection.count()
    header: dict[str, Any] = {"license": options.license} if options.license else {}
    header["pretty_name"] = ", ".join(dict.fromkeys(_plain(run.title) for run in selection.runs))
    header["task_categories"] = ["text-to-image"]
    header["tags"] = ["image", "synthetic", "zbatch"]
    header["size_categories"] = [next((name for most, name in _SIZES if total < most), "n>10M")]
    if options.format in _FILES:
        files = [
            {"split": side, "path": _FILES[options.format].format(side=side)} for side in selection.sides
        ]
        header["configs"] = [{"config_name": "default", "data_files": files}]
    if options.format in _TYPES:
        types = _TYPES[options.format](selection.columns)
        features = [{"name": name, "dtype": type_} for name, type_ in types.items()]
        header["dataset_info"] = {"config_name": "default", "features": features}
    return header


def _body(selection: Selection, options: Options, last_shard: int) -> str:
    parts = [f"# {', '.join(dict.fromkeys(_plain(run.title) for run in selection.runs))}"]
    parts += dict.fromkeys(
        text for run in selection.runs if (text := _plain(run.about(Meta.DESCRIPTION) or ""))
    )
    parts.append(f"{selection.count():,} images, each with its caption, made by an image model.")
    parts.append("\n".join(["## What it was made of", "", *_made_of(selection)]))
    parts.append("\n".join(["## What it holds", "", *_holds(selection)]))
    if options.format in _LOAD:
        last = f"{{000000..{last_shard:06}}}" if last_shard else "000000"
        call = _LOAD[options.format].replace("{LAST}", last)
        parts.append(f"## Load it\n\n```python\n{call}\n```")
    if options.format in ("csv", "jsonl"):
        parts.append(_FIND)
    if options.format == "csv":
        parts.append(_UNQUOTE)
    if options.format == "card":
        parts.append(
            "There is nothing to load here: this is the card alone, without images and without rows."
        )
    parts.append("\n".join(["## Make it again", "", *_again(selection)]))
    parts.append(f"Written by zbatch {__version__}; `checksums.sha256` has the hash of every file.")
    return "\n\n".join(parts) + "\n"


def _made_of(selection: Selection) -> Iterator[str]:
    for label, run in zip(selection.labels, selection.runs, strict=True):
        loras = (run.about(Meta.EXPORT) or {}).get("loras", {})
        yield f"- Run `{_plain(label)}`: manifest `{_manifest(run)}`, SHA-256 `{_fingerprint(run)}`"
        yield f"  - model `{_plain(str(run.about(Meta.MODEL)))}` at `{_plain(str(run.about(Meta.ENDPOINT)))}`"
        for name, lora in loras.items():
            trigger = f", trigger `{_plain(lora['trigger'])}`" if lora.get("trigger") else ""
            yield f"  - LoRA `{_plain(name)}`: `{_plain(lora['path'])}`{trigger}"


def _holds(selection: Selection) -> Iterator[str]:
    for side in selection.sides:
        yield f"- `{side}`: {selection.count(side):,} images"
    if selection.split is not None:
        by = f"`{selection.split.by}`, and by " if selection.split.by else ""
        yield (
            f"- Split by {by}prompt and seed: images that share them are never on both sides, and stay on "
            "theirs when others join the dataset."
        )
    for reason, count in selection.tally.taken_out.items():
        yield f"- Left out: {count:,} ({_plain(reason)})"
    for caption in selection.captions:
        yield f"- Captions: `{_plain(caption)}`"
    if selection.options.format in _WITHOUT_COLUMNS:
        return
    yield ""
    yield "| column | holds |"
    yield "|---|---|"
    own = _OWN_COLUMNS.get(selection.options.format, ())
    for name, what in (*own, *selection.columns.described()):
        yield f"| `{_plain(name)}` | {what} |"


def _again(selection: Selection) -> Iterator[str]:
    yield "```sh"
    for run in selection.runs:
        endpoint = shlex.quote(str(run.about(Meta.ENDPOINT)))
        yield f"zbatch run {shlex.quote(_manifest(run))} --endpoint {endpoint}"
    manifests = " ".join(shlex.quote(_manifest(run)) for run in selection.runs)
    yield f"zbatch export {manifests} {command(selection.options)} -o DIR".replace("\n", " ")
    yield "```"
    yield ""
    yield (
        "Every seed is in the manifests or follows from them, so a model that has not changed makes the same "
        "images."
    )


def command(options: Options) -> str:
    """Give the options as they are written on a command line, without those that are as usual."""
    usual = Options()
    words = ["--format", options.format]
    for flag, value, default in (
        ("--where", options.where, None),
        ("--caption", options.caption, None),
        ("--caption-column", options.caption_column, usual.caption_column),
        ("--near-duplicates", options.alike, None),
        ("--metadata", options.metadata, usual.metadata),
        ("--license", options.license, None),
    ):
        if value != default:
            words += [flag, str(value)]
    for word in options.drop:
        words += ["--drop", word]
    if options.split is not None:
        words += options.split.words()
    return shlex.join(words)


def _manifest(run: Run) -> str:
    name = str(run.about(Meta.MANIFEST) or run.name).replace("\\", "/").rpartition("/")[2]
    return _plain(name)


def _fingerprint(run: Run) -> str:
    return str(run.about(Meta.MANIFEST_SHA256) or "unknown")


def _plain(text: str) -> str:
    """Write what a manifest said as text that Markdown leaves alone, on one line."""
    return " ".join(text.split()).replace("`", "'").replace("|", "\\|").replace("<", "&lt;")
