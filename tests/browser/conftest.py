"""The server that `make run` starts, on both databases, and a browser signed in to it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
PASSWORD = "long enough for tests"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
DATABASES = ["sqlite", "postgresql"]


@dataclass(frozen=True)
class Platform:
    url: str
    environment: dict[str, str]

    def command(self, *arguments: str) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    url = ""
    if request.param == "postgresql":
        import sqlalchemy as sa

        server = sa.engine.make_url(request.getfixturevalue("postgresql_url")).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text("DROP DATABASE IF EXISTS browser WITH (FORCE)"))
            connection.execute(sa.text("CREATE DATABASE browser TEMPLATE template0 ENCODING 'UTF8'"))
        engine.dispose()
        url = server.set(database="browser").render_as_string(hide_password=False)
    environment = dict(os.environ) | {
        "DATA_DIR": str(tmp_path_factory.mktemp("platform")), "BIND": address, "PUBLIC_URL": f"http://{address}",
        "DATABASE_URL": url, "WEB_WORKERS": "1",
    }  # fmt: skip
    platform = Platform(f"http://{address}", environment)
    platform.command("setup")
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
    process = subprocess.Popen([sys.executable, "-m", "flask", "--app", "wsgi", "serve"], cwd=ROOT, env=environment)
    for _ in range(150):
        try:
            with urllib.request.urlopen(f"{platform.url}/healthz", timeout=1):
                break
        except OSError:
            time.sleep(0.1)
    yield platform
    process.terminate()
    process.wait(timeout=30)


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
