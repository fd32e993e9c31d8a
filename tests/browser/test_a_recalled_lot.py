"""A consumer with a recalled pack in hand types its lot number as people do, and reads what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PHONE, Platform
from tests.conftest import app_for, settings_for
from tests.world import World
from trace_app.extensions import db

LOT = "YR-2026-1101"
WAYS = {
    "in small letters, on the front page": ("/", "追溯码", "查询", "yr-2026-1101"),
    "without dashes, on the front page": ("/", "追溯码", "查询", "YR20261101"),
    "with a caption and a full stop": ("/recalls/check", "或批次号", "核对", "批次号：YR-2026-1101。"),
    "in full width, on the list of notices": ("/recalls", "或批次号", "核对", "ＹＲ－２０２６－１１０１"),
    "with a character too few": ("/recalls/check", "或批次号", "核对", "YR-2026-110"),
}
pytestmark = pytest.mark.parametrize("platform", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def recalled(platform: Platform) -> Iterator[None]:
    folder = Path(platform.environment["DATA_DIR"])
    world = World(app_for(settings_for(folder, secret_key=None)))
    lot = world.released(world.producer(), lot_number=LOT)
    world.recall(world.regulator(), lot)
    yield
    with world.app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


@pytest.mark.usefixtures("recalled")
@pytest.mark.parametrize("way", list(WAYS))
def test_it_is_found_however_it_is_typed(chromium: Browser, platform: Platform, way: str) -> None:
    path, field, button, typed = WAYS[way]
    context = chromium.new_context(viewport=PHONE, locale="zh-CN", base_url=platform.url)
    page = context.new_page()
    page.goto(path)
    page.get_by_label(field).fill(typed)
    page.get_by_role("button", name=button, exact=True).click()
    offer = page.get_by_role("link", name=f"您要找的是 {LOT} 吗？")
    if typed == "YR-2026-110":
        expect(offer).to_be_visible()
        expect(page.locator("main")).not_to_contain_text("没有")
        offer.click()
    expect(page.get_by_text("正在召回").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("停止食用")
    expect(page.locator("main")).not_to_contain_text("没有")
    page.get_by_role("link", name="530324-").first.click()
    expect(page.get_by_role("heading", name="卖到了哪里")).to_be_visible()
    context.close()
