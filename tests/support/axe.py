"""axe-core in a page: what it finds to mend there."""

from __future__ import annotations

from importlib import resources

AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
FOUND = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(
    ({ id, nodes }) => [id, ...nodes.slice(0, 4).map(
        ({ html, any }) => [html.slice(0, 300), ...any.map(({ message }) => message)].join(" | "))])"""


def faults(page):
    page.wait_for_timeout(300)
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE)
    return page.evaluate(FOUND)
