"""The lightbox as a reader sees it: opened on the first picture, where it says that is, what it compares."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def open_first(visit, index, fragment="", **options):
    page = visit(index, fragment, **options)
    page.locator(".cell").first.click()
    expect(page.locator("#lightbox")).to_be_visible()
    return page


def crumbs(page):
    return re.sub(r"\s+", " ", page.locator(".crumbs").inner_text()).strip()


def names(page):
    return [re.sub(r"\s+", " ", text) for text in page.locator(".nametag").all_inner_texts()]


def frame(page):
    return page.locator(".frame")


def differing(page):
    return {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts()
        for row in page.locator(".difference tbody tr").all()
    }
