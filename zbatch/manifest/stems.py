"""The files of jobs, many at a time: each part of `output.file` rendered once for what it depends on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from zbatch.expressions.budget import MAX_STEPS, steps_taken
from zbatch.expressions.parts import Part
from zbatch.manifest.fields import Context, Fields
from zbatch.manifest.files import image_file
from zbatch.manifest.naming import JobFiles, begin_mark, hashed, stem_text
from zbatch.manifest.numbering import Halves, halves
from zbatch.manifest.pieces import Block, Lookup, Points, SlowWayError, each, fused
from zbatch.manifest.templates import ValueTemplate
from zbatch.model import EXTENSIONS, fold


class Named(NamedTuple):
    """Jobs that want names: their points, keys, the first halves of those, and their bodies."""

    points: Points
    keys: Sequence[str]
    high: Halves
    bodies: Sequence[bytes]


class _Begin(NamedTuple):
    text: str
    mark: int


class CompiledFiles:
    """Names the files of a block's jobs as `JobFiles` does, whose taken names it shares."""

    def __init__(self, files: JobFiles, block: Block, fields: Fields, context: Context) -> None:
        self._files = files
        self._fields = fields
        self._context = context
        self._block = block
        self._steps: dict[int, int] = {}
        formats = fields.tables["output_format"]
        self._formats = Lookup(
            formats.deps, block.sizes, lambda points: [piece.value for piece in formats.pick(points)]
        )
        self._stems = self._way() if files.template is not None and not files.tail else None
        self._begins = self._begin_table() if files.tail else None

    def names(self, jobs: Named) -> list[str]:
        """Give the files of new jobs.

        Raises:
            SlowWayError: a name cannot be used, or two jobs have one.
        """
        formats = self._formats.pick(jobs.points)
        if self._begins is not None:
            return self._with_tails(self._begins, jobs, formats)
        if self._stems is None:
            return [
                f"images/{key[:16]}{EXTENSIONS[name]}" for key, name in zip(jobs.keys, formats, strict=True)
            ]
        files = [image_file(stem, name) for stem, name in zip(self._stems(jobs), formats, strict=True)]
        self._take(*halves([hashed(fold(file)) for file in files]))
        return files

    def _with_tails(self, table: Lookup[_Begin], jobs: Named, formats: Sequence[str]) -> list[str]:
        tail = self._files.tail
        begins = table.pick(jobs.points)
        marks = np.fromiter((begin.mark for begin in begins), np.uint64, len(begins))
        digits = jobs.high >> np.uint64(64 - 4 * min(tail, 16))
        self._take(marks + digits, digits)
        return [
            begin.text + key[:tail] + EXTENSIONS[name]
            for begin, key, name in zip(begins, jobs.keys, formats, strict=True)
        ]

    def _take(self, high: Halves, low: Halves) -> None:
        _, new = self._files.taken.number_all(high, low)
        if not new.all():
            raise SlowWayError

    # ── ways to the stems ───────────────────────────────────────────────────────────────────────────────

    def _begin_table(self) -> Lookup[_Begin]:
        """Make the names up to the digits of the key that end them, checked for all keys there can be."""
        lookups = [self._part_table(n, part) for n, part in enumerate((self._files.parts or ())[:-1])]
        deps = {dep for lookup in lookups for dep in lookup.deps}

        def make(begin: str) -> _Begin:
            # What the digits are makes no difference: no reserved name ends in two of them.
            image_file(begin + "0" * self._files.tail, "webp")
            # A digit more, so that no ending is taken for an extension.
            folded = fold(f"images/{begin}0")[:-1]
            return _Begin(f"images/{begin}", begin_mark(folded))

        def make_all(points: Points) -> list[_Begin]:
            texts = [lookup.pick(points) for lookup in lookups]
            return [make("".join(row)) for row in zip(*texts, strict=True)] if texts else [make("")]

        return Lookup(deps, self._block.sizes, make_all)

    def _way(self) -> Callable[[Named], Sequence[str]]:
        parts, template = self._files.parts, self._files.template
        if template is None:
            raise AssertionError("there is no template")
        if parts is None:
            if template.names & {"key", "request"}:
                return lambda jobs: self._one_by_one(template, jobs)
            table = self._whole_table(template)
            return lambda jobs: table.pick(jobs.points)
        if all(self._apart(part) for part in parts):
            return self._joined(parts)
        return lambda jobs: self._one_by_one(template, jobs)

    def _apart(self, part: Part) -> bool:
        """Tell whether a part can be made beforehand, or is digits of the key."""
        if "key" in part.names:
            return part.begin is not None
        return "request" not in part.names or part.asked["request"] is not None

    def _joined(self, parts: Sequence[Part]) -> Callable[[Named], Sequence[str]]:
        """Join what can be joined beforehand between the digits of the key, and all of it for each job."""
        runs: list[list[Lookup[str]] | int | None] = []
        for number, part in enumerate(parts):
            if part.begin is not None and part.begin[0] == "key":
                runs.append(part.begin[1])
                continue
            if not runs or not isinstance(runs[-1], list):
                runs.append([])
            last = runs[-1]
            if isinstance(last, list):
                last.append(self._part_table(number, part))
        ways: list[Lookup[str] | int | None] = []
        for run in runs:
            ways += fused(run, self._block.sizes, "".join) if isinstance(run, list) else [run]

        def stems(jobs: Named) -> Sequence[str]:
            lists = [
                way.pick(jobs.points) if isinstance(way, Lookup) else [key[:way] for key in jobs.keys]
                for way in ways
            ]
            return lists[0] if len(lists) == 1 else list(map("".join, zip(*lists, strict=True)))

        return stems

    def _part_table(self, number: int, part: Part) -> Lookup[str]:
        asked = part.asked.get("request") or frozenset()
        pieces = [self._fields.tables[field] for field in asked if field in self._fields.tables]
        own = self._context.deps(part.names)
        deps = sorted(own.union(*(lookup.deps for lookup in pieces)))

        def make(steps: Mapping[int, int], bodies: Sequence[bytes]) -> str:
            context = self._context.of(part.names, self._context.values(steps))
            context["request"] = orjson.loads(b"{%b}" % b",".join(filter(None, bodies)))
            text: str = part.template.render(context)
            # All parts are rendered within one budget where the whole is.
            self._steps[number] = max(self._steps.get(number, 0), steps_taken())
            if sum(self._steps.values()) > MAX_STEPS:
                raise SlowWayError
            return text

        def make_all(points: Points) -> list[str]:
            asked = [[piece.body for piece in lookup.pick(points)] for lookup in pieces]
            bodies = zip(*asked, strict=True) if asked else itertools.repeat((), len(points))
            return [make(steps, row) for steps, row in zip(points.each(deps), bodies, strict=True)]

        return Lookup(deps, self._block.sizes, make_all)

    def _whole_table(self, template: ValueTemplate) -> Lookup[str]:
        def make(steps: Mapping[int, int]) -> str:
            return stem_text(template.render(self._context.of(template.names, self._context.values(steps))))

        return each(self._context.deps(template.names), self._block.sizes, make)

    def _one_by_one(self, template: ValueTemplate, jobs: Named) -> Sequence[str]:
        """Render the whole for each job: it does more with key or request than its parts show."""
        deps = sorted(self._context.deps(template.names))
        stems = []
        for key, body, steps in zip(jobs.keys, jobs.bodies, jobs.points.each(deps), strict=True):
            context: dict[str, Any] = self._context.of(template.names, self._context.values(steps))
            context["request"], context["key"] = orjson.loads(body), key
            stems.append(stem_text(template.render(context)))
        return stems
