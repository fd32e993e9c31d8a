"""An office computer after someone has signed out: Back shows nothing of theirs."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import DESK, Platform, sign_in


@pytest.mark.parametrize("path", ["/batches", "/batches/new", "/account"])
def test_back_leads_to_signing_in(chromium: Browser, platform: Platform, path: str) -> None:
    page = sign_in(chromium, platform, "grower", DESK)
    page.goto(path)
    expect(page.locator("h1").first).to_be_visible()
    page.locator("form[action='/logout'] button").first.click()
    page.wait_for_url(lambda url: path not in url)
    page.go_back()
    expect(page.get_by_label("密码")).to_be_visible()
    assert "/login" in page.url
    page.context.close()
