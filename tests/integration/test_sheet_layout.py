"""What a manifest says of the layout, all the way to the data of its sheet."""

from __future__ import annotations

import pytest
from support.runs import Recorder, order_for

from zbatch.sheet.data import SheetData
from zbatch.state.run import Run
from zbatch.workflow import perform

MANIFEST = """version: 1
name: layout
request: {{prompt: "a {{{{ animal }}}} {{{{ light }}}}", size: 256*256}}
matrix:
  animal: [fox, owl]
  light: [soft, hard]
  seed: [1, 2]
{report}
"""


@pytest.mark.parametrize(
    ("report", "x", "groups"),
    [
        ("", "seed", ("animal",)),  # no axis is left over: nothing lies in a stack
        ("report: {x: animal}", "animal", ("light",)),
        ("report: {x: animal, group: []}", "animal", ()),
        ("report: {x: seed, group: animal}", "seed", ("animal",)),
    ],
)
def test_axes_that_nobody_placed_group_the_sheet_unless_that_is_refused(tmp_path, report, x, groups):
    manifest = tmp_path / "layout.yaml"
    manifest.write_text(MANIFEST.format(report=report), encoding="utf-8")
    order = order_for(manifest, "preview")
    perform(order, Recorder(), report=False)
    with Run(order.directory) as run:
        view = SheetData.of(run).view
    assert (view.x, view.group) == (x, groups)
