"""What is wrong with a cell: its request held against the rules, each problem told with its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from zbatch.manifest.files import FileNameError
from zbatch.manifest.findings import MISSING, Findings, Place, shown
from zbatch.manifest.grid import Point
from zbatch.manifest.inputs import InputImageError, is_remote
from zbatch.manifest.naming import JobFiles, SharedFileError
from zbatch.manifest.parser import Manifest
from zbatch.manifest.requests import NOT_MADE, Rendered, judge, to_request
from zbatch.manifest.templates import RenderError
from zbatch.manifest.values import called
from zbatch.model import Coordinates, InputImage, Request


class Judge:
    """Judges what cells render to, and tells the findings what is wrong.

    `untold` are needed fields that findings may be about already: nothing is said of their absence.
    """

    def __init__(self, manifest: Manifest, findings: Findings, untold: Collection[str]) -> None:
        self._untold = untold
        self._manifest = manifest
        self._findings = findings

    def request(self, rendered: Rendered, point: Point) -> Request | None:
        """Give the request of a cell; `None` after findings where it is wrong."""
        for failure in rendered.failures:
            self.failed(failure, point)
        missing = [name for name in self._untold if name not in rendered.body]
        rendered.body.update(dict.fromkeys(missing, NOT_MADE))
        problems = judge(rendered, self._manifest.model, self._manifest.limits.unchecked)
        for problem in problems:
            where = in_cell(point.coordinates) if problem.rendered else ""
            got = MISSING if problem.got is None else problem.got
            suffix = "" if got is MISSING else f" (got {shown(got)})"
            apart = problem.message if problem.rendered else ""
            self._findings.error(
                problem.place, problem.message + suffix + where, hint=problem.hint, apart=apart
            )
        if problems or rendered.failures or missing:
            return None
        images: dict[str, str | InputImage] = {}
        for field in ("image_url", "mask"):
            text = rendered.body.get(field)
            if text is not None:
                image = self._image(text, rendered.sources[field], point)
                if image is None:
                    return None
                images[field] = image
        return to_request(rendered.body, images)

    def file(
        self, files: JobFiles, key: str, request: Request, context: Mapping[str, Any], point: Point
    ) -> str | None:
        """Give the file of a new job; `None` after a finding where it cannot have the name."""
        try:
            return files.file_of(key, request, context)
        except RenderError as error:
            self.failed(error, point)
        except FileNameError as error:
            message = f"the file name {error.message} (got {shown(error.got)}){in_cell(point.coordinates)}"
            if isinstance(error, SharedFileError):
                message = f"{error.message}, one of them that of the cell {describe(point.coordinates)}"
            self._findings.error(("output", "file"), message, hint=error.hint, apart=error.message)
        return None

    def failed(self, error: RenderError, point: Point) -> None:
        """Tell that a template failed on the values of a cell."""
        message = f"the template {error.message}{in_cell(point.coordinates)}"
        if error.undefined is not None:
            cell = describe(point.coordinates)
            message = f"the template needs {error.undefined!r}, which is not in the cell {cell}"
        self._findings.error(error.place, message, hint=error.hint, apart=error.message)

    def _image(self, text: str, place: Place, point: Point) -> str | InputImage | None:
        if is_remote(text):
            return text
        try:
            return self._manifest.inputs.resolve(text, self._manifest.document.directory(place))
        except InputImageError as error:
            message = f"{error.message} (got {shown(text)}){in_cell(point.coordinates)}"
            self._findings.error(place, message, hint=error.hint, apart=message)
            return None


def in_cell(coordinates: Coordinates) -> str:
    """Say which cell a message is about; nothing where there is only one."""
    return f" in the cell {describe(coordinates)}" if coordinates else ""


def describe(coordinates: Coordinates) -> str:
    """Name a cell in a message: its coordinates, shortened."""
    text = ", ".join(f"{name}={called(value)}" for name, value in coordinates.items())
    return (text if len(text) <= 160 else text[:120] + "..." + text[-36:]) or "(the only one)"
