"""The server that `make run` starts, on both databases, and a browser signed in to it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.served import Platform, database, prepared, serving

PASSWORD = "long enough for tests"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-background-networking", "--disable-quic", "--disable-gpu"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session", params=DATABASES)
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform served by granian with its consumer, with a producer, a regulator and nothing else."""
    url = database(request.getfixturevalue("postgresql_url"), "browser") if request.param == "postgresql" else ""
    platform = prepared(tmp_path_factory.mktemp("platform"), url, workers=1)
    for username, *facts in (
        (
            "grower",
            "producer",
            "板桥姜业合作社",
            "--credit-code",
            "91350100M000100Y43",
            "--name-en",
            "Banqiao Ginger Cooperative",
        ),
        ("neighbour", "producer", "邻村姜业合作社", "--credit-code", "914403001922038216"),
        ("officer", "regulator", "罗平县农业农村局", "--jurisdiction", "530324"),
    ):
        number = platform.command("organisations", "create", *facts, "--division", "530324102").split(":")[0]
        person = ("--email", f"{username}@example.org", "--full-name", username, "--password", PASSWORD)
        platform.command("users", "create", number, username, *person)
    with serving(platform):
        yield platform


def sign_in(browser: Browser, platform: Platform, username: str, size: dict[str, int]) -> Page:
    context = browser.new_context(viewport=size, locale="zh-CN", base_url=platform.url, accept_downloads=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/login")
    page.get_by_label("用户名、手机号或邮箱").fill(username)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(re.compile("/(batches|desk|shipments)$"))
    page.faults = faults  # type: ignore[attr-defined]
    return page
