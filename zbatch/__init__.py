"""zbatch: a declarative batch runner for image generation.

    import zbatch

    run = zbatch.run("manifests/quickstart.yaml")   # always resumes; shows itself in a notebook
    run.counts(), run.to_pandas()

Everything here is the public API; everything else may change. Names are loaded when first used, so that
`import zbatch` costs nothing.
"""

from __future__ import annotations

from importlib import import_module

from zbatch.version import __version__

TYPE_CHECKING = False  # typing's own would be most of what an import costs
if TYPE_CHECKING:
    from typing import Any

    from zbatch.errors import Finding, ManifestError, SurroundingsError, UsageError, ZbatchError
    from zbatch.exports.export_check import verify_export
    from zbatch.exports.exporting import export
    from zbatch.exports.options import Exported
    from zbatch.exports.run_check import verify_run
    from zbatch.exports.verification import Difference, Verification
    from zbatch.manifest.jobs import Expansion
    from zbatch.manifest.loader import expand, load_manifest
    from zbatch.manifest.parser import Manifest
    from zbatch.model import Artifact, Cell, Job, JobState, Request
    from zbatch.runner.plan import Plan
    from zbatch.server.serving import serve_app
    from zbatch.sheet import write_sheet
    from zbatch.state.collection import Jobs, NoSuchJobError
    from zbatch.state.records import JobRecord
    from zbatch.state.run import Run
    from zbatch.workflow import make_plan, run

_WHERE = {
    "Artifact": "zbatch.model:Artifact",
    "Cell": "zbatch.model:Cell",
    "Difference": "zbatch.exports.verification:Difference",
    "Expansion": "zbatch.manifest.jobs:Expansion",
    "Exported": "zbatch.exports.options:Exported",
    "Finding": "zbatch.errors:Finding",
    "Job": "zbatch.model:Job",
    "JobRecord": "zbatch.state.records:JobRecord",
    "JobState": "zbatch.model:JobState",
    "Jobs": "zbatch.state.collection:Jobs",
    "Manifest": "zbatch.manifest.parser:Manifest",
    "ManifestError": "zbatch.errors:ManifestError",
    "NoSuchJobError": "zbatch.state.collection:NoSuchJobError",
    "Plan": "zbatch.runner.plan:Plan",
    "Request": "zbatch.model:Request",
    "Run": "zbatch.state.run:Run",
    "SurroundingsError": "zbatch.errors:SurroundingsError",
    "UsageError": "zbatch.errors:UsageError",
    "Verification": "zbatch.exports.verification:Verification",
    "ZbatchError": "zbatch.errors:ZbatchError",
    "expand": "zbatch.manifest.loader:expand",
    "export": "zbatch.exports.exporting:export",
    "load_manifest": "zbatch.manifest.loader:load_manifest",
    "make_plan": "zbatch.workflow:make_plan",
    "run": "zbatch.workflow:run",
    "serve_app": "zbatch.server.serving:serve_app",
    "verify_export": "zbatch.exports.export_check:verify_export",
    "verify_run": "zbatch.exports.run_check:verify_run",
    "write_sheet": "zbatch.sheet:write_sheet",
}

__all__ = [
    "Artifact",
    "Cell",
    "Difference",
    "Expansion",
    "Exported",
    "Finding",
    "Job",
    "JobRecord",
    "JobState",
    "Jobs",
    "Manifest",
    "ManifestError",
    "NoSuchJobError",
    "Plan",
    "Request",
    "Run",
    "SurroundingsError",
    "UsageError",
    "Verification",
    "ZbatchError",
    "__version__",
    "expand",
    "export",
    "load_manifest",
    "make_plan",
    "run",
    "serve_app",
    "verify_export",
    "verify_run",
    "write_sheet",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'zbatch' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value
