"""A recall of level I and all that can become of it, by two officers at two desks."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESK, PHONE, Platform, sign_in
from tests.conftest import app_for, settings_for
from tests.world import Actor, World
from trace_app.accounts.models import User
from trace_app.extensions import db

pytestmark = pytest.mark.both_databases


def _lots(platform: Platform) -> list[str]:
    """Released lots of the grower, made past the browser, and the code of the first one's label."""
    folder, url = Path(platform.environment["DATA_DIR"]), platform.environment["DATABASE_URL"]
    app = app_for(settings_for(folder, database_url=url, secret_key=None))
    world = World(app)
    with app.app_context():
        user = db.session.scalars(db.select(User).filter_by(username="grower")).one()
        grower = Actor(user.username, user.id, user.organisation_id)
    for number in range(4):
        lot = world.released(grower, lot_number=f"TWO-{number}", quantity="100")
        if number == 0:
            code = world.code(world.run(grower, lot, 1))
    with app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()
    return [code]


def _issue(page: Page, lots: str, count: int) -> str:
    """Recall lots at level I; returns the case's path."""
    page.goto(f"/recalls/scope?lots={lots}")
    page.get_by_label("级别").select_option("1")
    page.get_by_label("原因", exact=False).first.fill("检出致病菌")
    page.get_by_label("再填一次批次数").fill(str(count))
    page.get_by_role("button", name="现在发布").click()
    expect(page.get_by_text("等待第二位监管人员批准").first).to_be_visible()
    return page.url


def _decide(page: Page, case: str, word: str, reason: str = "") -> None:
    page.goto(case)
    expect(page.get_by_role("heading", name="变更待批准")).to_be_visible()
    page.get_by_label("理由").fill(reason)
    page.get_by_role("button", name=word, exact=True).click()


def _says(page: Page, text: str) -> None:
    expect(page.get_by_role("status").filter(has_text=text).first).to_be_visible()


def _under(page: Page, summary: str) -> Page:
    page.locator("summary", has_text=summary).click()
    return page


def test_level_one_goes_through_all_its_turnings_by_two_officers(chromium: Browser, platform: Platform) -> None:
    [code] = _lots(platform)
    first, second = sign_in(chromium, platform, "officer", DESK), sign_in(chromium, platform, "above", DESK)
    phone = chromium.new_context(base_url=platform.url, viewport=PHONE, locale="zh-CN").new_page()

    case = _issue(first, "TWO-0+TWO-1", 2)
    phone.goto(f"/{code}")
    expect(phone.get_by_role("alert")).to_contain_text("暂停销售")
    second.goto(case)
    expect(second.get_by_text("板桥姜业合作社").first).to_be_visible()
    second.get_by_role("button", name="批准", exact=True).click()
    _says(second, "已批准")

    # Extended: on hold while it waits, recalled when it is approved.
    first.goto(f"/recalls/scope?extends={case.split('/')[-2]}&lots=TWO-2")
    first.get_by_label("为什么扩大").fill("同一地块")
    first.get_by_label("再填一次批次数").fill("1")
    first.get_by_role("button", name="现在扩大范围").click()
    _says(first, "等待第二位监管人员批准")
    _decide(second, case, "批准")
    _says(second, "变更生效")

    # Narrowed down.
    first.goto(case)
    _under(first, "缩小范围").get_by_label("TWO-1").check()
    first.locator("details[open]").get_by_label("原因").fill("复检合格")
    first.get_by_role("button", name="排除勾选的批次").click()
    _says(first, "等待第二位监管人员批准")
    _decide(second, case, "批准")
    _says(second, "变更生效")

    # Lowered: the second officer refuses it.
    first.goto(case)
    opened = _under(first, "更正内容").locator("details[open]")
    opened.get_by_label("级别").select_option("3")
    opened.get_by_label("为什么更正").fill("想改轻")
    first.get_by_role("button", name="发布更正").click()
    _says(first, "等待第二位监管人员批准")
    _decide(second, case, "不予批准", "证据仍在")
    _says(second, "召回照旧")

    # Completed: what is open is listed, and must be accounted for.
    first.goto(case)
    first.get_by_role("link", name="完成召回").click()
    expect(first.get_by_role("heading", name="还有哪些未了结")).to_be_visible()
    first.get_by_label("原因").fill("能找到的都已处置")
    first.get_by_role("button", name="完成召回").click()
    expect(first.get_by_text("请写明为什么现在结束")).to_be_visible()
    first.get_by_label("还有未了结的").fill("其余已吃完")
    first.get_by_role("button", name="完成召回").click()
    _says(first, "等待第二位监管人员批准")
    _decide(second, case, "批准")
    _says(second, "变更生效")
    phone.goto(f"/{code}")
    expect(phone.get_by_role("alert")).to_contain_text("已召回，请勿食用")

    # Another one was wrong: withdrawn.
    case = _issue(first, "TWO-3", 1)
    second.goto(case)
    second.get_by_role("button", name="批准", exact=True).click()
    _says(second, "已批准")
    first.goto(case)
    first.get_by_role("link", name="撤销召回").click()
    first.get_by_label("原因").fill("取错了样")
    first.get_by_role("button", name="撤销召回").click()
    _says(first, "等待第二位监管人员批准")
    _decide(second, case, "批准")
    _says(second, "变更生效")
    phone.goto("/recalls?state=withdrawn")
    expect(phone.locator("main .tag", has_text="已撤销").first).to_be_visible()
