"""The size of a grid, counted before it is expanded, against what it may be."""

from __future__ import annotations

from zbatch.manifest.findings import Findings, Place
from zbatch.manifest.grid import Grid
from zbatch.manifest.limits import Limits
from zbatch.manifest.sampling import MAX_SAMPLED


def check_size(grid: Grid, limits: Limits, findings: Findings, *, own_limit: bool) -> None:
    """Tell of a grid, or of rows, with too many cells; `own_limit` says that the manifest sets `max_jobs`."""
    hint = "make the axes shorter, or raise limits.max_jobs"
    where: Place = ("limits", "max_jobs") if own_limit else ("matrix",)
    axes = " x ".join(f"{axis.name} {len(axis.values):,}" for axis in grid.axes)
    axes += f" x replicas {grid.replicas:,}" if grid.replicas > 1 else ""
    if grid.sample is not None and grid.count > MAX_SAMPLED:
        findings.error(
            ("sample",),
            f"is taken from grids of up to {MAX_SAMPLED:,} cells "
            f"(this one has {_counted(grid.count)}: {axes})",
        )
    elif grid.sample is not None and min(grid.count, grid.sample.n) > limits.max_jobs:
        findings.error(
            ("sample", "n"),
            f"is more than limits.max_jobs allows ({limits.max_jobs:,})",
            got=grid.sample.n,
            hint="ask for fewer, or raise limits.max_jobs",
        )
    elif grid.sample is None and grid.count > limits.max_jobs:
        findings.error(
            where,
            f"the grid has {_counted(grid.count)} cells ({axes}), "
            f"more than limits.max_jobs allows ({limits.max_jobs:,})",
            hint=hint if grid.count > MAX_SAMPLED else f"{hint}, or keep some of them with sample",
        )
    added = 0
    for row in grid.rows:
        cells = row.count * grid.replicas
        alone = cells > limits.max_jobs
        added += cells
        if added > limits.max_jobs:
            whose = "this row has" if alone else "the rows up to this one have"
            findings.error(
                (*row.place, "matrix"),
                f"{whose} {_counted(cells if alone else added)} cells, "
                f"more than limits.max_jobs allows ({limits.max_jobs:,})",
                hint=hint,
            )
            break


def _counted(cells: int) -> str:
    """Write a number of cells; ten thousand axes give one of three thousand digits."""
    return f"{cells:,}" if cells <= 10**18 else "more than 10^18"
