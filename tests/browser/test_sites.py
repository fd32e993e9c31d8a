"""The form of a site on a phone."""

from playwright.sync_api import Browser

from tests.browser.conftest import PHONE, Platform, sign_in


def test_the_first_tap_on_save_counts(chromium: Browser, platform: Platform) -> None:
    page = sign_in(chromium, platform, "grower", PHONE)
    page.goto("/sites/new")
    page.get_by_label("基地名称").fill("一点就存")
    page.get_by_label("乡镇").select_option("530324102")
    page.get_by_label("纬度").press_sequentially("24.8852")
    page.get_by_label("经度").press_sequentially("104.3086")
    save = page.get_by_role("button", name="保存")
    save.scroll_into_view_if_needed()
    before = save.bounding_box()
    assert before is not None
    # A finger goes down where it saw the button; leaving the field must not move it away.
    page.mouse.move(before["x"] + 20, before["y"] + 10)
    page.mouse.down()
    after = save.bounding_box()
    page.mouse.up()
    assert after == before
    page.wait_for_url("**/sites")
    assert "一点就存" in page.get_by_role("main").inner_text()
