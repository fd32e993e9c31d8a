"""The public pages in a browser: readable by everyone (axe-core), without a script, and the camera on the home page."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
import qrcode
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, Platform
from tests.conftest import app_for, settings_for
from tests.world import SPRAYED, Actor, World, photo
from trace_app.batches.models import Batch
from trace_app.extensions import db

AXE = (Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")
pytestmark = pytest.mark.parametrize("platform", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def world(platform: Platform) -> Iterator[World]:
    folder = Path(platform.environment["DATA_DIR"])
    world = World(app_for(settings_for(folder, secret_key=None)))
    yield world
    world.app.extensions["scan_log"].hand_over()
    with world.app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


def _pages(world: World, grower: Actor) -> dict[str, str]:
    """Public pages by what they show."""
    officer = world.regulator()
    product = world.product(grower, gtin="06901234567892", name="罗平小黄姜", name_en="Luoping ginger")
    batch = world.batch(grower, product_id=product, lot_number="A-1")
    world.record(grower, batch, "pesticide", **SPRAYED)
    world.complete(grower, batch)
    client = world.client(grower)
    client.post(f"/batches/{batch}/release")
    world.site(grower, name="三号地块", gln="6901234567892")
    run = world.run(grower, batch, 3, pin=True)
    client.post(f"/labels/{run}/void", data={"first": "3", "last": "3", "reason": "印坏"})
    recalled, recalled_code = world.labelled(grower)
    number = world.recall(officer, recalled)
    code = world.code(run)
    return {
        "home": "/",
        "verified": f"/{code}",
        "recalled": f"/{recalled_code}",
        "void": f"/{world.code(run, 2)}",
        "unknown": "/0000000000000",
        "recalls": "/recalls",
        "notice": f"/recalls/{number}",
        "check": "/recalls/check?lot=A-1",
        "feedback": f"/{code}/feedback",
        "product": "/p/06901234567892",
        "lot": "/l/06901234567892/A-1",
        "place": "/places/6901234567892",
        "receive": "/receive",
        "sign in": "/login",
    }


def _violations(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{v['id']}: {node['html'][:160]}" for v in found["violations"] for node in v["nodes"]]


def test_no_public_page_shuts_anyone_out(chromium: Browser, platform: Platform, world: World) -> None:
    pages = _pages(world, world.producer())
    for locale in ("zh-CN", "en-GB"):
        context = chromium.new_context(viewport=PHONE, locale=locale, base_url=platform.url)
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))  # noqa: B023
        for name, path in pages.items():
            page.goto(path)
            assert _violations(page) == [], (name, locale)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= PHONE["width"], (name, locale)
        assert faults == []
        context.close()


def test_larger_text_is_there_without_a_script(chromium: Browser, platform: Platform, world: World) -> None:
    _batch, code = world.labelled(world.producer())
    context = chromium.new_context(viewport=PHONE, base_url=platform.url, java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    page.goto(f"/{code}")
    heading = page.get_by_role("heading", level=1)
    before = heading.bounding_box()
    page.locator("label[for=big]").click()
    after = heading.bounding_box()
    assert before
    assert after
    assert after["height"] > before["height"] * 1.2
    context.close()


@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_larger_text_breaks_nothing(
    chromium: Browser, platform: Platform, world: World, width: int, locale: str
) -> None:
    grower, officer = world.producer(), world.regulator()
    _batch, sound = world.labelled(grower)
    recalled, red = world.labelled(grower)
    world.recall(officer, recalled)
    held, brown = world.labelled(grower)
    hold = {"kind": "hold", "level": "2", "reason": "待查", "advice": "先不要吃"}
    assert world.client(officer).post(f"/batches/{held}/recall", data=hold).status_code == 302
    context = chromium.new_context(viewport={"width": width, "height": 844}, locale=locale, base_url=platform.url)
    page = context.new_page()
    for code in (sound, red, brown):
        page.goto(f"/{code}")
        page.locator("label[for=big]").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, code
        tools = page.locator(".tools a").bounding_box()
        assert tools
        assert tools["x"] + tools["width"] <= width
        # In one line: a broken word would be twice as high.
        assert tools["height"] < 80
        state = page.locator(".state").bounding_box()
        assert state
        assert state["x"] == pytest.approx(0, abs=1)
        assert state["width"] == pytest.approx(width, abs=1)
    context.close()


def test_paper_shows_what_the_screen_folds(chromium: Browser, platform: Platform, world: World) -> None:
    _batch, code = world.labelled(world.producer())
    page = chromium.new_page(locale="zh-CN", base_url=platform.url)
    page.goto(f"/{code}")
    folded = page.get_by_text("页面上的 13 位码应与标签上印的一字不差。")
    expect(folded).to_be_hidden()
    with pypdfium2.PdfDocument(page.pdf()) as document:
        text = "".join(sheet.get_textpage().get_text_range() for sheet in document)
    assert "13 位码应与标签上印的一字不差" in text.replace("\r\n", "")
    page.close()


def _film(path: Path, text: str) -> None:
    """A film of a label's symbol, as a camera would give it: YUV4MPEG2, grey."""
    symbol = qrcode.make(text, box_size=9).get_image().convert("L").resize((400, 400))
    frame = np.full((480, 640), 200, dtype=np.uint8)
    frame[40:440, 120:520] = np.asarray(symbol)
    colour = np.full(480 * 640 // 2, 128, dtype=np.uint8).tobytes()
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n")
        for _ in range(5):
            file.write(b"FRAME\n" + frame.tobytes() + colour)


def test_the_camera_reads_a_label_where_the_browser_has_no_reader(
    chromium: Browser, platform: Platform, world: World, tmp_path: Path
) -> None:
    _batch, code = world.labelled(world.producer())
    film = tmp_path / "label.y4m"
    _film(film, f"{platform.url.upper()}/{code}")
    browser = chromium.browser_type.launch(
        executable_path=shutil.which("chromium"),
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ],
    )
    page = browser.new_page(viewport=PHONE, locale="zh-CN", base_url=platform.url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/")
    page.evaluate("delete window.BarcodeDetector")
    assert not [url for url in asked if "vendor" in url]
    page.get_by_role("button", name="用相机扫二维码").click()
    page.wait_for_url(re.compile(code))
    expect(page.get_by_text("来源可查")).to_be_visible()
    assert [url for url in asked if ".wasm" in url]
    browser.close()


def _files(*colours: str) -> list[tuple[io.BytesIO, str]]:
    return [(io.BytesIO(photo(colour, (1200, 900))), f"{colour}.jpg") for colour in colours]


@pytest.fixture
def pictured(world: World) -> str:
    """A released lot with two photos of its product and four of a day's record; its page."""
    grower = world.producer()
    batch = world.batch(grower)
    client = world.client(grower)
    with world.app.app_context():
        product = db.session.get_one(Batch, batch).product_id
    assert client.post(f"/products/{product}/photos", data={"photos": _files("red", "orange")}).status_code == 302
    data = {"happened_on": "2025-06-01", "note": "除草", "photos": _files("blue", "green", "teal", "olive")}
    assert world.enter(client, batch, "care", **data).status_code == 302
    world.complete(grower, batch)
    client.post(f"/batches/{batch}/release")
    return "/" + world.code(world.run(grower, batch))


def test_photos_open_within_the_page_with_what_they_show(chromium: Browser, platform: Platform, pictured: str) -> None:
    context = chromium.new_context(viewport=PHONE, locale="zh-CN", base_url=platform.url)
    page = context.new_page()
    page.goto(pictured)
    viewer = page.locator("#viewer")
    page.locator(".hero a").click()
    expect(viewer).to_be_visible()
    expect(viewer.locator("output")).to_have_text("1 / 6")
    page.get_by_role("button", name="关闭").click()
    expect(viewer).to_be_hidden()
    # From the record, the first of its photos.
    page.get_by_role("link", name="照片 4 张").click()
    expect(viewer.locator("output")).to_have_text("3 / 6")
    expect(viewer.locator("figcaption")).to_contain_text("2025年6月1日")
    page.wait_for_function("document.querySelector('#viewer img').naturalWidth > 0")
    assert viewer.locator("img").evaluate("(img) => img.currentSrc").endswith("-middle.webp")
    page.keyboard.press("ArrowRight")
    expect(viewer.locator("output")).to_have_text("4 / 6")
    page.get_by_role("button", name="上一张").click()
    expect(viewer.locator("output")).to_have_text("3 / 6")
    assert _violations(page) == []
    # Back closes it, and the page is still there.
    page.go_back()
    expect(viewer).to_be_hidden()
    assert page.url.endswith(pictured)
    page.get_by_text("照片：4 张").click()
    page.get_by_text("这一天还有 1 张").click()
    page.locator("a.shot").last.click()
    expect(viewer.locator("output")).to_have_text("6 / 6")
    expect(page.get_by_role("button", name="下一张")).to_be_disabled()
    context.close()


def test_without_scripts_a_photo_opens_by_itself(chromium: Browser, platform: Platform, pictured: str) -> None:
    context = chromium.new_context(viewport=PHONE, base_url=platform.url, java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    page.goto(pictured)
    page.get_by_text("照片：4 张").click()
    page.locator("#photos a.shot").first.click()
    page.wait_for_url("**/media/*.webp")
    context.close()
