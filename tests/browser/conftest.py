"""The server that `make run` starts, on both databases, and a browser signed in to it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import app_for, settings_for
from tests.served import Platform, prepared, serving
from tests.world import World
from trace_app.accounts import service as accounts
from trace_app.accounts.models import OrganisationKind
from trace_app.db.session import transaction
from trace_app.extensions import db

PASSWORD = "long enough for tests"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
DATABASES = ["sqlite", "postgresql"]
PEOPLE = (
    (
        "grower",
        OrganisationKind.PRODUCER,
        {"name": "板桥姜业合作社", "name_en": "Banqiao Ginger Cooperative", "credit_code": "91350100M000100Y43"},
    ),
    ("neighbour", OrganisationKind.PRODUCER, {"name": "邻村姜业合作社", "credit_code": "914403001922038216"}),
    ("officer", OrganisationKind.REGULATOR, {"name": "罗平县农业农村局", "jurisdiction_code": "530324"}),
    ("above", OrganisationKind.REGULATOR, {"name": "曲靖市农业农村局", "jurisdiction_code": "530300"}),
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-background-networking", "--disable-quic", "--disable-gpu"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=DATABASES)
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform served as `flask serve` does, with a producer, a regulator and nothing else.

    Anew for each file of tests, whatever others the process has run.
    """
    server = (request.getfixturevalue("postgresql_url"), "browser") if request.param == "postgresql" else None
    platform = prepared(tmp_path_factory.mktemp("platform"), server, workers=1)
    people_of(platform)
    with serving(platform):
        yield platform


def people_of(platform: Platform) -> None:
    """Two producers and two regulators, put into the platform's database from here: each command takes seconds."""
    folder = Path(platform.environment["DATA_DIR"])
    app = app_for(settings_for(folder, database_url=platform.environment["DATABASE_URL"], secret_key=None))
    with app.app_context():
        with transaction():
            for username, kind, facts in PEOPLE:
                organisation = accounts.create_organisation(None, kind=kind, division_code="530324102", **facts)
                accounts.create_user(
                    None,
                    organisation,
                    accounts.ROLES_OF_KIND[kind][0],
                    username=username,
                    full_name=username,
                    email=f"{username}@example.org",
                    password=PASSWORD,
                )
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture(scope="module")
def world(platform: Platform) -> Iterator[World]:
    """What tests put into the platform's database from here."""
    folder = Path(platform.environment["DATA_DIR"])
    url = platform.environment["DATABASE_URL"]
    world = World(app_for(settings_for(folder, secret_key=None, database_url=url)))
    yield world
    world.app.extensions["scan_log"].hand_over()
    with world.app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


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
    page.wait_for_url(re.compile("/(today|batches|desk|shipments)$"))
    page.faults = faults  # type: ignore[attr-defined]
    return page


def until_arrived(page: Page) -> None:
    """Wait for a page to say no longer that photos are to come."""
    for _attempt in range(120):
        if not page.locator(".to-come").count():
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError(page.locator(".to-come").inner_text())
