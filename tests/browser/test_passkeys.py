"""A passkey of the device in a real browser, with Chromium's own authenticator that has no hardware."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from passlib.totp import TOTP
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESK, PASSWORD, PHONE, people_of, sign_in
from tests.served import Platform, prepared, serving

KEY = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform under a name: browsers have passkeys for names alone."""
    platform = prepared(tmp_path_factory.mktemp("platform"), None, workers=1)
    url = platform.url.replace("127.0.0.1", "localhost")
    platform = Platform(url, platform.environment | {"PUBLIC_URL": url})
    people_of(platform)
    with serving(platform):
        yield platform


def _with_key(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})


@pytest.mark.parametrize(("who", "size"), [("grower", PHONE), ("officer", DESK)])
def test_a_passkey_is_added_and_signs_in(chromium: Browser, named: Platform, who: str, size: dict[str, int]) -> None:
    page = sign_in(chromium, named, who, size)
    _with_key(page)
    page.goto("/factors")
    page.get_by_label("现在的密码").fill(PASSWORD)
    page.get_by_role("button", name="开始设置").click()
    app = TOTP(key=re.sub("[ -]", "", page.locator("code.token").inner_text()))
    page.get_by_label("验证器显示的 6 位数字").fill(app.generate().token)
    page.get_by_role("button", name="开启两步验证").click()
    expect(page.get_by_text("备用码").first).to_be_visible()
    page.goto("/factors")
    page.get_by_label("名称").fill("这台设备")
    page.get_by_role("button", name="添加通行密钥").click()
    page.get_by_role("button", name="用这台设备添加“这台设备”").click()
    expect(page.get_by_text("通行密钥“这台设备”已添加")).to_be_visible()
    # The same device once more: the browser knows it, and the page says so.
    page.get_by_label("名称").fill("又一次")
    page.get_by_role("button", name="添加通行密钥").click()
    page.get_by_role("button", name="用这台设备添加“又一次”").click()
    expect(page.get_by_text("这台设备的通行密钥已经添加过了。")).to_be_visible()
    page.goto("/account")
    page.locator("form[action='/logout'] button").first.click()
    page.get_by_role("link", name="登录").first.click()
    page.get_by_label("用户名、手机号或邮箱").fill(who)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.get_by_role("button", name="用通行密钥登录").click()
    page.wait_for_url(re.compile("/(batches|desk|start|today)$"))
    page.goto("/factors")
    expect(page.get_by_text("最近使用")).to_be_visible()
    assert page.faults == []  # type: ignore[attr-defined]
    page.context.close()


def test_a_browser_without_them_says_so_and_codes_go_on(chromium: Browser, named: Platform) -> None:
    page = sign_in(chromium, named, "neighbour", PHONE)
    page.add_init_script("delete window.PublicKeyCredential")
    page.goto("/factors")
    page.get_by_label("现在的密码").fill(PASSWORD)
    page.get_by_role("button", name="开始设置").click()
    app = TOTP(key=re.sub("[ -]", "", page.locator("code.token").inner_text()))
    page.get_by_label("验证器显示的 6 位数字").fill(app.generate().token)
    page.get_by_role("button", name="开启两步验证").click()
    page.goto("/factors")
    page.get_by_label("名称").fill("老手机")
    page.get_by_role("button", name="添加通行密钥").click()
    expect(page.get_by_text("这个浏览器不能用通行密钥。")).to_be_visible()
    expect(page.get_by_role("button", name="用这台设备添加")).to_be_hidden()
    page.context.close()
