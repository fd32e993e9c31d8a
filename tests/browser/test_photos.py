"""Photos from a phone in a village, in a real browser: over a line of 15 KB/s that breaks off again and again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from tests.browser.conftest import PHONE, Platform, sign_in, until_arrived
from tests.world import World

BYTES_A_SECOND = 15 * 1024


def _large(number: int) -> bytes:
    """A photo of some 4 MB as a phone makes it, held upright; made small, it has some 60 KB."""
    ground = np.full((3000, 4000, 3), (60 + 20 * number, 120, 80), np.uint8)
    # Fine grain is what makes a camera's file large, and what goes when it is made small.
    ground[::1, ::1] += np.random.default_rng(number).integers(0, 12, (3000, 4000, 1), np.uint8)
    # A mark where the top left corner is, as it is seen.
    ground[2400:, :600] = (250, 30, 30)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = f"2025:06:01 08:3{number}:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (24.0, 52.0, 48.0), 3: "E", 4: (104.0, 18.0, 36.0)})
    out = io.BytesIO()
    Image.fromarray(ground).save(out, "JPEG", quality=96, exif=exif)
    return out.getvalue()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"IMG_{number}.jpg" for number in range(5)]
    for number, path in enumerate(paths):
        path.write_bytes(_large(number))
    return paths


class Grower:
    """A producer with a phone, and a lot of its own."""

    def __init__(self, world: World, chromium: Browser, platform: Platform) -> None:
        actor = world.producer()
        self.batch_id, self.code = world.labelled(actor)
        self.phone = sign_in(chromium, platform, actor.username, PHONE)

    def note(self, note: str, photos: list[Path]) -> None:
        self.phone.goto(f"/field/ginger/care?batch={self.batch_id}")
        self.phone.get_by_label("照片").set_input_files(photos)
        self.phone.get_by_label("做了什么").fill(note)
        self.phone.get_by_label("日期").fill("2025-06-01")
        self.phone.get_by_role("button", name="保存").click()


@pytest.fixture
def grower(world: World, chromium: Browser, platform: Platform) -> Iterator[Grower]:
    grower = Grower(world, chromium, platform)
    yield grower
    grower.phone.context.close()


def _slow(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 60,
            "downloadThroughput": 10 * BYTES_A_SECOND,
            "uploadThroughput": BYTES_A_SECOND,
        },
    )


class Line:
    """What goes over the line, which breaks off at every third part."""

    def __init__(self, page: Page) -> None:
        self.tried = 0
        self.sent: list[tuple[str, int, int]] = []
        self.order: list[str] = []
        page.context.route("**/photo-uploads**", self._pass)
        page.context.on("request", lambda request: self.order.append(f"{request.method} {request.url}"))

    def _pass(self, route: Route) -> None:
        request = route.request
        if request.method == "PATCH":
            self.tried += 1
            if self.tried % 3 == 2:
                route.abort("connectionreset")
                return
            start = int(request.headers["upload-offset"])
            self.sent.append((request.url, start, len(request.post_data_buffer or b"")))
        route.continue_()


def test_five_large_photos_arrive_over_a_slow_line_that_breaks_and_none_twice(
    grower: Grower, photos: list[Path]
) -> None:
    assert min(path.stat().st_size for path in photos) > 3_500_000
    phone = grower.phone
    line = Line(phone)
    _slow(phone)
    grower.note("第二次培土", photos)
    # The entry is there, and its photos are told of, before the first of them has come.
    phone.wait_for_url(f"**/batches/{grower.batch_id}", timeout=60_000)
    entry = phone.locator("ol.time li", has_text="第二次培土")
    expect(entry.locator(".to-come")).to_contain_text("还有 5 张照片")
    bar = phone.locator("#photos-on-their-way")
    expect(bar).to_contain_text("照片 1/5，已发", timeout=20_000)
    expect(bar).to_be_hidden(timeout=150_000)
    phone.reload()
    expect(entry.locator("img")).to_have_count(5)
    expect(entry.locator(".to-come")).to_have_count(0)
    posted = next(number for number, one in enumerate(line.order) if one.startswith("POST") and "/field/" in one)
    begun = next(number for number, one in enumerate(line.order) if "/photo-uploads" in one)
    assert posted < begun
    # Small ones, of which nothing came twice.
    assert len({url for url, _start, _size in line.sent}) == 5
    assert len(set(line.sent)) == len(line.sent)
    assert sum(size for _url, _start, size in line.sent) < 5 * 200_000
    # Upright, as they were seen: the red mark is at the top left.
    address = entry.locator("a").first.get_attribute("href")
    assert address
    shown = Image.open(io.BytesIO(phone.request.get(address).body())).convert("RGB")
    assert shown.width < shown.height
    red, green, _blue = shown.getpixel((20, 20))
    assert red > 180
    assert green < 100


def test_photos_entered_without_a_network_wait_in_the_phone_and_follow_their_entry(
    grower: Grower, photos: list[Path]
) -> None:
    phone = grower.phone
    phone.goto("/field/")
    phone.wait_for_function("caches.open('field-pages').then((c) => c.match('/field/ginger/care')).then(Boolean)")
    phone.goto(f"/field/ginger/care?batch={grower.batch_id}")
    phone.context.set_offline(True)
    phone.get_by_label("照片").set_input_files(photos[:2])
    phone.get_by_label("做了什么").fill("断网时清沟")
    phone.get_by_label("日期").fill("2025-06-01")
    phone.get_by_role("button", name="保存").click()
    expect(phone.get_by_text("已存在这部手机里")).to_be_visible(timeout=60_000)
    expect(phone.locator("#photos-on-their-way")).to_contain_text("2 张照片等待发送", timeout=20_000)
    phone.context.set_offline(False)
    phone.goto("/field/")
    expect(phone.get_by_text("全部已发送")).to_be_visible(timeout=30_000)
    phone.goto(f"/batches/{grower.batch_id}")
    until_arrived(phone)
    expect(phone.locator("ol.time li", has_text="断网时清沟").locator("img")).to_have_count(2)


def test_a_refused_form_keeps_its_photos_and_a_consumers_complaint_goes_first(
    grower: Grower, photos: list[Path], chromium: Browser, platform: Platform
) -> None:
    shop = chromium.new_context(base_url=platform.url, viewport=PHONE, locale="zh-CN").new_page()
    shop.goto(f"/{grower.code}/feedback")
    shop.get_by_label("什么事").select_option("quality")
    shop.get_by_label("怎么回事").fill("见 https://a.example 和 https://b.example")
    shop.get_by_label("照片").set_input_files(photos[:2])
    shop.wait_for_timeout(3_100)
    shop.get_by_role("button", name="提交").click()
    expect(shop.get_by_text("已选好 2 张照片")).to_be_visible(timeout=60_000)
    shop.get_by_label("怎么回事").fill("箱子压坏了")
    shop.get_by_role("button", name="提交").click()
    shop.wait_for_url("**/tickets/*")
    until_arrived(shop)
    grower.phone.goto("/feedback")
    grower.phone.get_by_role("link").filter(has_text="箱子压坏了").first.click()
    expect(grower.phone.locator("ul.photos img")).to_have_count(2)
    shop.context.close()


def test_without_scripts_the_form_takes_photos_along(
    world: World, chromium: Browser, platform: Platform, photos: list[Path]
) -> None:
    _lot, code = world.labelled(world.producer())
    context = chromium.new_context(base_url=platform.url, viewport=PHONE, java_script_enabled=False, locale="zh-CN")
    page = context.new_page()
    page.goto(f"/{code}/feedback")
    page.get_by_label("什么事").select_option("quality")
    page.get_by_label("怎么回事").fill("箱子压坏了")
    page.get_by_label("照片").set_input_files(photos[:1])
    page.wait_for_timeout(3_100)
    page.get_by_role("button", name="提交").click()
    page.wait_for_url("**/tickets/*")
    expect(page.locator(".to-come")).to_have_count(0)
    context.close()


def test_photos_of_one_account_wait_while_another_is_signed_in_and_are_told_of_at_signing_out(
    grower: Grower, photos: list[Path]
) -> None:
    page = grower.phone
    page.route("**/photo-uploads/*", lambda route: route.abort())
    grower.note("照片留在手机里", photos[:2])
    page.wait_for_url("**/batches/*")
    bar = page.locator("#photos-on-their-way")
    expect(bar).to_contain_text("2 张照片暂时传不上去")
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.once("dialog", leave)
    with page.expect_event("dialog"):
        page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("link", name="登录").first).to_be_visible()
    assert "还有 2 张照片没有传完" in asked[0]
    page.unroute("**/photo-uploads/*")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/photo-uploads" in request.url else None)
    page.goto("/login")
    page.wait_for_timeout(6000)
    expect(bar).to_be_hidden()
    assert sent == []
