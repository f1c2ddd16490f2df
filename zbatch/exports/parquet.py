"""`parquet`: image bytes and columns in shards, with what Hugging Face `datasets` looks for in the schema.

pyarrow is an extra: it is imported when this is used.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Generator, Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from zbatch.errors import DiskError, SurroundingsError, UsageError
from zbatch.exports.columns import Columns
from zbatch.exports.desk import Desk, Lot, Packed, Room
from zbatch.exports.entries import Entry
from zbatch.exports.pages import Pages
from zbatch.exports.sources import Read

if TYPE_CHECKING:
    from zbatch.exports.writing import Work

_ROOM: Final = Room(whole=16_384, each=1_024, times=1)
_GROUP_BYTES: Final = 16_000_000
_GROUP_COUNT: Final = 1_000
"""A row group is what a reader that streams takes at once: a hundred images as the API makes them."""

_WHOLE_BYTES: Final = 2_500_000
"""Of images that pyarrow is given it holds a row group several times over."""

_DTYPES: Final = {
    "text": "string",
    "integer": "int64",
    "number": "float64",
    "boolean": "bool",
    "nothing": "null",
}


def write_parquet(work: Work) -> None:
    """Write `data/SPLIT-00000-of-00002.parquet` and so on.

    Raises:
        UsageError: pyarrow is not installed.
        DiskError: an image is gone or was changed, or the disk is full.
    """
    for side in work.selection.sides:
        counts = work.shards(side, _ROOM)
        names = [f"data/{side}-{number:05}-of-{len(counts):05}.parquet" for number in range(len(counts))]
        for _ in work.packed(work.lots(side, counts, names)):
            pass  # a shard that is whole is all there is to it


def pack_parquet(desk: Desk, lot: Lot) -> Packed:
    """Write one shard.

    Raises:
        DiskError: an image is gone or was changed, or the disk is full.
    """
    schema = _schema(desk.columns, images=True)
    # What is known of the images is written before they are, so each is listed a little before it is read.
    listed, entries = itertools.tee(lot.chosen.entries())
    with (
        desk.target.stream(lot.name) as stream,
        contextlib.closing(_told(desk, desk.sources.read_all(entries))) as images,
    ):
        if _fillable():
            _write(Pages(stream, images), schema, _empty_rows(desk.columns, listed), _GROUP_BYTES)
        else:
            _write(Pages(stream), schema, _whole_rows(desk.columns, listed, images), _WHOLE_BYTES)
    return Packed(b"", stream.bytes, stream.sha256)


def _told(desk: Desk, images: Iterator[Read]) -> Generator[bytes]:
    """Tell of each image that is asked for, and give what it is: as long as the state says."""
    for entry, data in images:
        if len(data) != entry.length:
            raise DiskError(
                f"the image {entry.file} is {len(data)} bytes long, and the state says {entry.length}",
                hint="zbatch verify names every image that is not as it was saved",
            )
        desk.tick(1)
        yield data


def write_metadata(work: Work, side: str) -> None:
    """Write the table of an imagefolder, and its images.

    Raises:
        UsageError: pyarrow is not installed.
        DiskError: an image is gone or was changed, or the disk is full.
    """
    columns = work.selection.columns
    schema = _schema(columns, images=False)
    with work.destination.stream(f"{side}/metadata.parquet") as stream:
        rows = ({"file_name": entry.name, **columns.row(entry)} for entry in work.place(side))
        _write(Pages(stream), schema, (Row(row) for row in rows), _GROUP_BYTES)


class Row(NamedTuple):
    """A row, and how many bytes its image has, whether pyarrow is given them or not."""

    values: dict[str, Any]
    image: int = 0


def _empty_rows(columns: Columns, entries: Iterable[Entry]) -> Iterator[Row]:
    """Give rows with empty images."""
    for entry in entries:
        yield Row({"image": {"bytes": b"", "path": entry.name}, **columns.row(entry)}, entry.length)


def _whole_rows(columns: Columns, entries: Iterable[Entry], images: Iterable[bytes]) -> Iterator[Row]:
    """Give rows with the images themselves."""
    for entry, data in zip(entries, images, strict=True):
        yield Row({"image": {"bytes": data, "path": entry.name}, **columns.row(entry)}, len(data))


@cache
def _fillable() -> bool:
    """Tell whether images can be put into what the installed pyarrow writes of empty ones.

    It copies each image three times otherwise. A file is held against the one that it makes of the same
    images: a version that lays them out in another way gets the images.
    """
    pa, _ = _arrow()
    schema = pa.schema([("image", _image_type()), ("n", pa.int64())])
    images = [b"", b"one", bytes(5_000), b"two"]

    def written(*, filled: bool) -> bytes:
        file = io.BytesIO()
        rows = (
            Row({"image": {"bytes": b"" if filled else data, "path": "a"}, "n": number}, len(data))
            for number, data in enumerate(images)
        )
        _write(Pages(file, iter(images) if filled else None), schema, rows, group_bytes=4_000)
        return file.getvalue()

    try:
        return written(filled=True) == written(filled=False)
    except SurroundingsError:
        return False


def _write(file: Pages, schema: Any, rows: Iterable[Row], group_bytes: int) -> None:
    pa, pq = _arrow()
    from zbatch.exports.arrays import arrow_table  # noqa: PLC0415 - an extra

    plain = ["image.bytes", "image.path", "key", "sha256"]
    # Images are compressed already. Beside them columns are a hundredth of the file, and zstd would take a
    # fifth of the time.
    others = "snappy" if "image" in schema.names else "zstd"
    compression = {path: "none" if path == "image.bytes" else others for path in _paths(schema)}
    dictionaries = [path for path in _paths(schema) if path not in plain]
    with pq.ParquetWriter(
        pa.PythonFile(file, mode="w"),
        schema,
        compression=compression,
        use_dictionary=dictionaries,
        write_statistics=[path for path in _paths(schema) if path != "image.bytes"],
        store_schema=True,
        data_page_version="1.0",
        write_page_checksum=False,
    ) as writer:
        for group in _groups(rows, group_bytes):
            if file.fills:
                file.await_images([row.image for row in group])
            writer.write_table(arrow_table([row.values for row in group], schema), row_group_size=len(group))
            file.check()
        file.await_end()
    file.end()


def _groups(rows: Iterable[Row], most: int) -> Iterator[list[Row]]:
    """Give row groups of about so many bytes of images."""
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += row.image
        if size >= most or len(group) >= _GROUP_COUNT:
            yield group
            group, size = [], 0
    if group:
        yield group


def _paths(schema: Any) -> list[str]:
    """Give the leaves of a schema as Parquet calls them."""
    return [
        path
        for name in schema.names
        for path in (["image.bytes", "image.path"] if name == "image" else [name])
    ]


def _schema(columns: Columns, *, images: bool) -> Any:
    pa, _ = _arrow()
    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "nothing": pa.null(),
    }
    first = pa.field("image", _image_type()) if images else pa.field("file_name", pa.string())
    fields = [first, *(pa.field(name, types[kind]) for name, kind in columns.kinds.items())]
    if not images:
        return pa.schema(fields)
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    features |= {name: {"dtype": _DTYPES[kind], "_type": "Value"} for name, kind in columns.kinds.items()}
    return pa.schema(fields, {"huggingface": orjson.dumps({"info": {"features": features}})})


def _image_type() -> Any:
    """Give the type of an image that `datasets` knows: its bytes, and what it is called."""
    pa, _ = _arrow()
    return pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def require_arrow() -> None:
    """Look for pyarrow before anything is written, without loading it: others may do that.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec("pyarrow") is None:
        raise _needed()


@cache
def arrow_version() -> str:
    """Say which pyarrow is installed, without loading it; nothing where none is."""
    try:
        return f"pyarrow {version('pyarrow')}"
    except PackageNotFoundError:
        return ""


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _needed() from error
    return pa, pq


def _needed() -> UsageError:
    return UsageError("parquet needs pyarrow", hint="pip install 'zbatch[export]'")
