"""A power cut, simulated: the system calls of a run are recorded, and the disk a cut would leave is built.

`strace` records what a process and its children write (`recorded`). `Disk` replays that up to an instant, as
strictly as POSIX allows: what was written to a file is sure only after an fsync of the file that began later,
and a name in a directory only after an fsync of the directory. Everything else may be there after the cut or
not, each piece by itself, and a write may be torn in the middle; a rename is one piece. `memory-mapped` files
(the -shm of SQLite) are not followed: SQLite makes them anew.

The log is judged by itself: replayed to its end with nothing lost, it must give the directory as it lies.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CALLS = (
    "openat,creat,write,pwrite64,writev,pwritev,ftruncate,fallocate,fsync,fdatasync,syncfs,sync,rename,renameat,"
    "renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,copy_file_range,sendfile,sendto,sendmsg"
)
_LINE = re.compile(r"(\d+)\s+(.*)")
_CALL = re.compile(r"(\w+)\((.*?)\)?\s*= (-?\d+)(.*)$", re.DOTALL)
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FD = re.compile(r"^(-?\d+|AT_FDCWD)(?:<((?:\\x[0-9a-f]{2}|[^>])*)>)?")


def reason_not_to() -> str:
    """Say why calls cannot be recorded here; nothing where they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(["strace", "-f", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "tracing is not permitted here"


def recorded(command: list[str], log: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, its system calls and its children's written to `log`."""
    return subprocess.run(
        ["strace", "-f", "-y", "-xx", "-s", "16777216", "-e", f"trace={CALLS}", "-e", "signal=none",
         "-o", str(log), *command],
        capture_output=True, text=True, check=False, **more,
    )  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One system call that succeeded. It took effect somewhere between the two numbers of lines."""

    name: str
    arguments: str
    result: int
    result_path: str
    began: int
    ended: int

    def strings(self) -> list[bytes]:
        return [_bytes(text) for text in _STRING.findall(self.arguments)]

    def path(self) -> str:
        """What its first argument, a descriptor, stands for."""
        found = _FD.match(self.arguments)
        return _bytes(found.group(2) or "").decode("utf-8", "replace") if found else ""


def _bytes(text: str) -> bytes:
    if "\\x" in text:
        return bytes.fromhex(text.replace("\\x", ""))
    return text.encode()


def calls_of(log: Path) -> list[Call]:
    """Read a log; calls that other threads interrupted are put together again. In the order of their ends."""
    calls: list[Call] = []
    open_calls: dict[str, tuple[str, int]] = {}
    with log.open(encoding="ascii", errors="replace") as lines:
        for number, line in enumerate(lines):
            found = _LINE.match(line)
            if found is None:
                continue
            thread, text = found.groups()
            began = number
            if text.endswith("<unfinished ...>"):
                open_calls[thread] = (text.removesuffix("<unfinished ...>").rstrip(), number)
                continue
            if text.startswith("<... "):
                if thread not in open_calls:
                    continue
                head, began = open_calls.pop(thread)
                text = head + text.partition(" resumed>")[2]
            call = _CALL.match(text)
            if call is None or int(call.group(3)) < 0:
                continue
            path = _FD.match(call.group(3) + call.group(4).strip())
            opened = _bytes(path.group(2) or "").decode("utf-8", "replace") if path else ""
            calls.append(Call(call.group(1), call.group(2), int(call.group(3)), opened, began, number))
    return calls


@dataclass
class File:
    """What a file holds for sure, and what was written since."""

    sure: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, Callable[[bytearray], None], int]] = field(default_factory=list)
    length: int = 0


@dataclass
class Folder:
    """The names that are there for sure, those that programs see, and the changes in between."""

    sure: dict[str, File | Folder] = field(default_factory=dict)
    seen: dict[str, File | Folder] = field(default_factory=dict)
    since: list[tuple[int, str, File | Folder | None]] = field(default_factory=list)

    def set(self, number: int, name: str, node: File | Folder | None) -> None:
        self.since.append((number, name, node))
        _put(self.seen, name, node)


def _put(names: dict[str, File | Folder], name: str, node: File | Folder | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


class Disk:
    """A disk below one directory, which is there for sure. `play` calls; then `image` what a cut leaves."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._top = Folder()

    def play(self, call: Call) -> None:
        """Let one call take effect."""
        act = getattr(self, f"_{call.name}", None)
        if act is not None:
            act(call)
        elif call.name not in ("sendto", "sendmsg", "sendfile") or self._inside(call.path()):
            concerned = [call.path(), *(text.decode("utf-8", "replace") for text in call.strings()[:2])]
            if any(self._inside(path) for path in concerned):
                raise NotImplementedError(call.name)

    # ── paths ──────────────────────────────────────────────────────────────────────────────────────────────

    def _inside(self, path: str) -> bool:
        return path == str(self._root) or path.startswith(f"{self._root}/")

    def _parts(self, path: str) -> list[str]:
        return list(Path(os.path.normpath(path)).relative_to(self._root).parts)

    def _find(self, path: str) -> File | Folder | None:
        if not self._inside(path):
            return None
        node: File | Folder | None = self._top
        for part in self._parts(path):
            node = node.seen.get(part) if isinstance(node, Folder) else None
        return node

    def _place(self, path: str) -> tuple[Folder, str]:
        *folders, name = self._parts(path)
        node = self._find(str(self._root.joinpath(*folders)))
        assert isinstance(node, Folder), path
        return node, name

    def _named(self, call: Call, which: int = 0) -> str:
        """The path a call names; a relative one from the directory that the descriptor before it means."""
        text = call.strings()[which].decode("utf-8", "replace")
        if text.startswith("/"):
            return text
        bases = re.findall(r"(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>", call.arguments)
        base = _bytes(bases[min(which, len(bases) - 1)]).decode() if bases else ""
        return os.path.normpath(f"{base}/{text}")

    # ── the calls ──────────────────────────────────────────────────────────────────────────────────────────

    def _openat(self, call: Call) -> None:
        path = call.result_path
        if not self._inside(path) or ("O_CREAT" not in call.arguments and "O_TRUNC" not in call.arguments):
            return
        node = self._find(path)
        if node is None:
            folder, name = self._place(path)
            folder.set(call.ended, name, File())
        elif "O_TRUNC" in call.arguments and isinstance(node, File):
            self._change(node, call, _truncation(0), 0, 0)

    def _write(self, call: Call) -> None:
        node = self._find(call.path())
        if isinstance(node, File):
            self._at(node, call, node.length)

    def _pwrite64(self, call: Call) -> None:
        node = self._find(call.path())
        if isinstance(node, File):
            self._at(node, call, int(call.arguments.rpartition(",")[2]))

    def _at(self, node: File, call: Call, offset: int) -> None:
        data = call.strings()[0][: call.result]
        assert len(data) == call.result, "the log is cut"
        self._change(node, call, _writing(offset, data), max(node.length, offset + len(data)), len(data))

    def _ftruncate(self, call: Call) -> None:
        node = self._find(call.path())
        if isinstance(node, File):
            length = int(call.arguments.rpartition(",")[2])
            self._change(node, call, _truncation(length), length, 0)

    def _change(
        self, node: File, call: Call, change: Callable[..., None], length: int, tearable: int
    ) -> None:
        node.length = length
        node.since.append((call.ended, change, tearable))

    def _fsync(self, call: Call) -> None:
        node = self._find(call.path())
        if isinstance(node, File):
            _make_sure(node, call.began)
        elif isinstance(node, Folder):
            for ended, name, child in node.since:
                if ended < call.began:
                    _put(node.sure, name, child)
            node.since = [entry for entry in node.since if entry[0] >= call.began]

    _fdatasync = _fsync

    def _rename(self, call: Call) -> None:
        source, target = self._named(call), self._named(call, 1)
        if not self._inside(source) and not self._inside(target):
            return
        (old, old_name), (new, new_name) = self._place(source), self._place(target)
        node = old.seen[old_name]
        new.set(call.ended, new_name, node)
        old.set(call.ended, old_name, None)

    _renameat = _renameat2 = _rename

    def _unlink(self, call: Call) -> None:
        path = self._named(call)
        if self._inside(path):
            folder, name = self._place(path)
            folder.set(call.ended, name, None)

    _unlinkat = _rmdir = _unlink

    def _mkdir(self, call: Call) -> None:
        path = self._named(call)
        if self._inside(path):
            folder, name = self._place(path)
            folder.set(call.ended, name, Folder())

    _mkdirat = _mkdir

    # ── after the cut ──────────────────────────────────────────────────────────────────────────────────────

    def image(self, target: Path, keeps: Callable[[], bool], dice: random.Random | None = None) -> None:
        """Write down what is left; `keeps` is asked for each piece that is not sure, `dice` tear writes."""
        kept: dict[int, bool] = {}
        target.mkdir()
        for path, node in self._left(self._top, target, lambda number: kept.setdefault(number, keeps())):
            if isinstance(node, Folder):
                path.mkdir()
                continue
            data = bytearray(node.sure)
            for _, change, tearable in node.since:
                if keeps():
                    change(data)
                elif dice is not None and tearable > 1 and dice.random() < 0.3:
                    change(data, upto=dice.randrange(1, tearable))
            path.write_bytes(data)

    def _left(
        self, folder: Folder, at: Path, kept: Callable[[int], bool]
    ) -> Iterator[tuple[Path, File | Folder]]:
        names = dict(folder.sure)
        for number, name, node in folder.since:
            if kept(number):
                _put(names, name, node)
        for name, node in names.items():
            yield at / name, node
            if isinstance(node, Folder):
                yield from self._left(node, at / name, kept)


def _make_sure(node: File, before: int) -> None:
    """What was written before an fsync began is sure once it has ended."""
    for ended, change, _ in node.since:
        if ended < before:
            change(node.sure)
    node.since = [entry for entry in node.since if entry[0] >= before]


def _writing(offset: int, data: bytes) -> Callable[..., None]:
    def change(content: bytearray, upto: int | None = None) -> None:
        part = data[:upto]
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(part)] = part

    return change


def _truncation(length: int) -> Callable[..., None]:
    def change(content: bytearray, upto: int | None = None) -> None:
        del content[length:]
        content.extend(bytes(max(0, length - len(content))))

    return change
