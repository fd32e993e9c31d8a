"""What was typed on a page that was open for long."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESK, PASSWORD, PHONE, sign_in
from tests.served import Platform


def _left_open(page: Page, typed: str) -> None:
    page.clock.install()
    page.goto("/products/new")
    page.locator("#name").fill(typed)
    page.locator("#kind_code").select_option("ginger")
    page.clock.fast_forward("15:00")


def _signs_in(page: Page, username: str) -> None:
    page.goto("/login")
    page.get_by_label("用户名、手机号或邮箱").fill(username)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("banner").get_by_role("button", name="退出")).to_be_visible()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_form_outlives_its_session_another_account_and_a_lost_network(
    chromium: Browser, platform: Platform, size: dict[str, int]
) -> None:
    typed = f"开着页面写的产品 {size['width']}"
    page = sign_in(chromium, platform, "grower", size)
    _left_open(page, typed)
    other = page.context.new_page()
    other.goto("/account")
    other.get_by_role("banner").get_by_role("button", name="退出").click()
    expect(other.get_by_role("banner").get_by_role("link", name="登录")).to_be_visible()
    save = page.get_by_role("main").get_by_role("button", name="保存")
    save.click()
    expect(page.get_by_role("alert")).to_contain_text("您已退出登录")
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    _signs_in(other, "neighbour")
    save.click()
    expect(page.get_by_role("alert")).to_contain_text("另一个账号：neighbour。")
    other.get_by_role("banner").get_by_role("button", name="退出").click()
    expect(other.get_by_role("banner").get_by_role("link", name="登录")).to_be_visible()
    _signs_in(other, "grower")
    page.context.set_offline(True)
    save.click()
    expect(page.get_by_role("alert")).to_contain_text("连不上平台")
    page.context.set_offline(False)
    expect(page.locator("#name")).to_have_value(typed)
    save.click()
    expect(page.get_by_text("您已退出登录")).to_have_count(0)
    expect(page.get_by_text("产品已登记")).to_be_visible()
    expect(page.locator("#name")).to_have_value(typed)


def test_a_form_sent_after_signing_out_elsewhere_comes_back_and_is_saved(chromium: Browser, platform: Platform) -> None:
    typed = "退出以后才提交的产品"
    page = sign_in(chromium, platform, "grower", DESK)
    page.goto("/products/new")
    page.locator("#name").fill(typed)
    page.locator("#kind_code").select_option("ginger")
    other = page.context.new_page()
    other.goto("/account")
    other.get_by_role("banner").get_by_role("button", name="退出").click()
    expect(other.get_by_role("banner").get_by_role("link", name="登录")).to_be_visible()
    # The browser sends it itself, as it does where the script has not run.
    page.evaluate("document.querySelector('main form').submit()")
    expect(page.get_by_role("heading", level=1)).to_have_text("还没有保存，填写的内容都还在")
    _signs_in(other, "grower")
    again = page.get_by_role("button", name="再提交")
    again.click()
    expect(page.get_by_text("产品已登记").or_(page.get_by_text("中间重新登录过"))).to_be_visible()
    if again.count():
        again.click()
    expect(page.get_by_text("产品已登记")).to_be_visible()
    expect(page.locator("#name")).to_have_value(typed)
