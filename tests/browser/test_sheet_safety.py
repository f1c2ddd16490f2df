"""The page's policy holds, no handler stands in it, nothing leaves it, and what cannot be seen is shown."""

from __future__ import annotations

import contextlib
import re

import pytest
from playwright.sync_api import expect
from support.browser import address
from support.growing_run import GrowingRun
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet

TRICKS = """async (kinds) => {
    const blocked = [];
    document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.effectiveDirective));
    const add = (tag, attributes) => {
        const one = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
        document.body.append(one);
        return one;
    };
    add("script", {}).textContent = "globalThis.owned = 1";
    add("script", { src: "https://example.org/x.js" });
    add("script", { src: "data:text/javascript,globalThis.owned=1" });
    add("button", { onclick: "globalThis.owned = 1" }).click();
    add("img", { src: "https://example.org/x.png" });
    add("iframe", { src: "https://example.org/" });
    add("link", { rel: "stylesheet", href: "https://example.org/x.css" });
    add("a", { href: "javascript:globalThis.owned=1" }).click();
    const form = add("form", { action: "https://example.org/", method: "post" });
    form.submit();
    const wire = await fetch("https://example.org/").then(() => "sent", () => "refused");
    try { navigator.sendBeacon("https://example.org/"); } catch { /* refused */ }
    for (let turn = 0; turn < 100 && new Set(blocked).size < kinds; turn += 1) {
        await new Promise((done) => setTimeout(done, 100)); // a busy machine tells of them late
    }
    return { blocked: [...new Set(blocked)], owned: globalThis.owned ?? null, wire, at: location.protocol };
}"""
DIRECTIVES = {
    "connect-src",
    "form-action",
    "frame-src",
    "img-src",
    "script-src-attr",
    "script-src-elem",
    "style-src-elem",
}
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
CUNNING = (
    "photo\u202egnp.exe",
    "bell\x07 and nul\x00 and escape\x1b[31m",
    "\u2066isolated\u2069 \u200fmark",
    "\U0001f98a\u200d\U0001f3a8 \u0635\u0648\u0631\u0629 \u05ea\u05de\u05d5\u05e0\u05d4",
    "long " * 20000,
)


@pytest.fixture(scope="module")
def cunning(tmp_path_factory):
    sample = Sample(
        subjects=CUNNING, loras=("film",), scales=(0, 1), seeds=1, excluded=False,
        title="title\u202egnp.exe", description="lede\x07",
    )  # fmt: skip
    return write_sheet(write_sample(tmp_path_factory.mktemp("cunning") / "run", sample))


def test_the_policy_stops_what_would_run_or_leave(browser, small):
    page = browser.new_page()
    left, stopped = [], []
    page.on("requestfinished", lambda request: left.append(request.url))
    page.on("requestfailed", lambda request: stopped.append(request.failure))
    page.goto(address(small))
    seen = page.evaluate(TRICKS, len(DIRECTIVES))
    page.close()
    assert [url for url in left if not url.startswith(("file:", "data:"))] == []
    assert set(stopped) == {"csp"}
    assert seen["owned"] is None
    assert seen["wire"] == "refused"
    assert seen["at"] == "file:"
    assert set(seen["blocked"]) >= DIRECTIVES


def test_no_handler_and_no_style_stands_in_the_markup(visit, small):
    page = visit(small)
    for key in ("?", "Escape"):
        page.keyboard.press(key)
    page.locator(".cell").first.click()
    names = page.evaluate(
        "[...new Set([...document.querySelectorAll('*')].flatMap(one => one.getAttributeNames()))]"
    )
    assert [name for name in names if name.startswith("on")] == []
    text = small.read_text(encoding="utf-8")
    assert "unsafe" not in re.search(r'Content-Security-Policy" content="([^"]*)', text).group(1)
    markup = re.sub(r"<(script|style)>.*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"\son\w+=|\sstyle=|javascript:|https?://(?!www\.w3\.org)", markup)


@pytest.mark.parametrize(
    "fragment",
    ["#x=&y=&panel=1", "#x=subject&y=lora.scale&panel=1", "#x=lora.scale&y=seed&group=subject&panel=1"],
)
def test_what_cannot_be_seen_is_shown_as_a_sign(visit, cunning, fragment):
    page = visit(cunning, fragment)
    assert page.title() == "title[RLO]gnp.exe"
    expect(page.locator("#lede")).to_have_text("lede\u2407")
    texts = page.evaluate("""[...document.querySelectorAll("body *:not(script)")].flatMap(one =>
        [one.innerText ?? "", one.title ?? "", one.alt ?? "", one.getAttribute("aria-label") ?? ""])""")
    assert [text[:80] for text in texts if UNSEEN.search(text)] == []
    assert any("photo[RLO]gnp.exe" in text for text in texts)
    assert any("bell\u2407 and nul\u2400" in text for text in texts)
    assert any("\U0001f98a\u200d\U0001f3a8 \u0635\u0648\u0631\u0629" in text for text in texts)
    assert max(map(len, texts)) < 30000


def test_what_cannot_be_seen_is_a_sign_to_a_screen_reader_too(visit, cunning):
    page = visit(cunning, "#x=subject&y=lora.scale&panel=0")
    page.locator(".cell").first.click()
    page.get_by_label("Axis of the strip").select_option("subject")
    values = page.locator("#lightbox, #lightbox *").evaluate_all(
        "all => all.flatMap(one => [...one.attributes].map(({ value }) => value))"
    )
    assert [value[:80] for value in values if UNSEEN.search(value)] == []
    expect(page.locator(".scrubber input")).to_have_attribute(
        "aria-valuetext", CUNNING[0].replace("\u202e", "[RLO]")
    )
    page.keyboard.press("ArrowRight")
    expect(page.locator(".way.left")).to_have_attribute("aria-label", "left: subject photo[RLO]gnp.exe")


def test_what_cannot_be_seen_is_a_sign_on_paper_too(visit, tmp_path):
    with contextlib.closing(GrowingRun(tmp_path / "run")) as growing:
        growing.fail("photo\u202egnp.exe", "no")
        page = visit(write_sheet(growing.directory.path))
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#paper .none").first.text_content() == "failed: photo[RLO]gnp.exe: no"


def test_a_prompt_of_a_hundred_kilobytes_opens(visit, cunning):
    page = visit(cunning, "#x=&y=&panel=0&q=long")
    page.locator(".cell").first.click()
    assert len(page.locator(".prompt").inner_text()) > 99000
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
