"""`zbatch validate`: everything that is wrong with manifests."""

from __future__ import annotations

import dataclasses
import json
import os.path
from pathlib import Path

import click

from zbatch.cli import options
from zbatch.cli.output import ExitCode, plural, say, tell
from zbatch.errors import Finding, ManifestError, SurroundingsError, UsageError
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import load_manifest


@click.command(
    "validate",
    epilog="Examples: zbatch validate manifests/*.yaml · zbatch validate fox.yaml --format github",
)
@click.argument("manifests", nargs=-1, required=True, type=options.MANIFEST)
@click.option("--json", "as_json", is_flag=True, help="Findings as a JSON list, for editors.")
@click.option(
    "--format", "style", type=click.Choice(["text", "github"]), default="text", help="github: CI annotations."
)
@options.allow_outside
def command(manifests: tuple[Path, ...], as_json: bool, style: str, allow_outside: bool) -> int:
    """Check MANIFESTS: syntax, names, every request against the API's rules, file names, limits."""
    if as_json and style == "github":
        raise UsageError("--json and --format github are two ways to say it", hint="take one of them")
    findings: dict[Finding, None] = {}  # what is wrong with a base is told once, however many extend it
    for path in manifests:
        found, summary = _check(path, allow_outside=allow_outside)
        findings.update(dict.fromkeys(found))
        if summary and not as_json and style == "text":
            say(summary)
    failed = any(finding.severity == "error" for finding in findings)
    if as_json:
        # Not orjson: the name of a file may have bytes in it that are no UTF-8.
        say(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    for finding in findings if not as_json else ():
        if style == "github":
            say(_annotation(finding))
        else:
            tell(str(finding))
    return ExitCode.USAGE if failed else ExitCode.OK


def _check(path: Path, *, allow_outside: bool) -> tuple[tuple[Finding, ...], str]:
    try:
        expansion = Expansion(load_manifest(path, allow_outside=allow_outside))
        expansion.check()
    except ManifestError as error:
        return error.findings, ""
    except (UsageError, SurroundingsError) as error:
        return (Finding(str(path), 1, 1, "", error.message, error.hint),), ""
    summary = f"{path}: fine, {plural(expansion.cells, 'cell')}, {plural(expansion.jobs, 'job')}"
    return expansion.warnings, summary


def _annotation(finding: Finding) -> str:
    """Write a finding as GitHub Actions reads it, its file as the repository calls it: without `..`."""
    text = ": ".join(part for part in (finding.path, finding.message) if part)
    if finding.hint:
        text += f"\nhint: {finding.hint}"
    file = _escaped(os.path.normpath(finding.file)).replace(":", "%3A").replace(",", "%2C")
    return f"::{finding.severity} file={file},line={finding.line},col={finding.column}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
