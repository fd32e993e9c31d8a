"""The print room as a packer uses it: a layout made by hand, a run with PINs, a case packed by scanning."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from qr.reading import read_symbols
from tests.browser.conftest import DESK, PHONE, Platform, sign_in


def _released_batch(page: Page, lot: str) -> str:
    """The address of a released batch."""
    page.goto("/products")
    if not page.get_by_text("打印间小黄姜").count():
        page.goto("/products/new")
        page.get_by_label("品类").select_option("ginger")
        page.get_by_label("产品名称").fill("打印间小黄姜")
        page.get_by_role("button", name="保存").click()
        page.goto("/sites/new")
        page.get_by_label("基地名称").fill("打印间地块")
        page.get_by_label("乡镇").select_option("530324102")
        page.get_by_role("button", name="保存").click()
    page.goto("/batches/new")
    page.get_by_label("批次号").fill(lot)
    page.get_by_label("数量").fill("100")
    page.get_by_label("开始日期").fill("2025-03-12")
    page.get_by_label("采收或生产日期").fill("2025-11-06")
    page.get_by_role("button", name="保存").click()
    for stage, day in (("播种", "2025-03-12"), ("采收", "2025-11-06")):
        page.get_by_role("link", name=stage, exact=True).click()
        page.get_by_label("日期").fill(day)
        if stage == "采收":
            page.get_by_label("采收量").fill("8600")
        page.get_by_role("button", name="保存").click()
        expect(page.get_by_text("已记下")).to_be_visible()
    page.get_by_role("button", name="放行").click()
    expect(page.get_by_text("批次已放行")).to_be_visible()
    return page.url


def _symbols(page: Page) -> list[str]:
    """What a camera would read in the preview."""
    picture = Image.open(io.BytesIO(page.locator("#preview").screenshot())).convert("L")
    return read_symbols(np.asarray(picture.resize((picture.width * 2, picture.height * 2))))


def test_a_layout_is_made_by_dragging_and_shows_at_once_what_would_not_scan(
    chromium: Browser, platform: Platform
) -> None:
    page = sign_in(chromium, platform, "neighbour", DESK)
    page.goto("/layouts/new?stock=roll-60x40")
    preview = page.locator("#preview svg")
    expect(preview).to_be_visible()
    assert _symbols(page)
    module = page.get_by_label("二维码模块（毫米）")
    module.fill("0.3")
    expect(page.locator("#faults")).to_contain_text("小于 0.33 毫米")
    module.fill("1.001")
    expect(page.locator("#faults")).to_be_empty()
    # Drag the product's box into the symbol's quiet zone: it is said; and back out.
    x = page.locator('input[name="boxes-0-x"]')
    before = float(x.input_value())
    box = page.locator("#preview").bounding_box()
    assert box
    scale = box["width"] / 60
    start = (box["x"] + (before + 4) * scale, box["y"] + 6 * scale)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] - 8 * scale, start[1], steps=5)
    page.mouse.up()
    expect(page.locator("#faults")).to_contain_text("压住了二维码")
    assert abs(float(x.input_value()) - (before - 8)) < 0.5
    x.fill(str(before))
    expect(page.locator("#faults")).to_be_empty()
    page.get_by_label("版式名称").fill("拖出来的版式")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("版式已保存")).to_be_visible()
    expect(page.get_by_role("link", name="拖出来的版式")).to_be_visible()
    assert page.faults == []  # type: ignore[attr-defined]


def test_a_packer_prints_items_and_a_case_and_packs_by_scanning(chromium: Browser, platform: Platform) -> None:
    page = sign_in(chromium, platform, "neighbour", PHONE)
    batch = _released_batch(page, "PACK-1")
    codes = {}
    for level, count in (("item", 3), ("case", 1)):
        page.goto(batch + "/labels")
        page.get_by_label("张数").fill(str(count))
        page.get_by_label("文件格式").select_option("tspl")
        page.locator("main summary").first.click()
        page.get_by_label("贴在哪里").select_option(level)
        if level == "case":
            page.get_by_label("每箱（托）装多少件").fill("3")
        if level == "item":
            page.get_by_label("加印刮刮验真码", exact=False).check()
        page.get_by_role("button", name="生成标签").click()
        page.get_by_role("link", name="下载 TSPL").wait_for(timeout=30_000)
        codes[level] = [text.replace(" ", "") for text in page.locator("td a.code").all_inner_texts()]
    with page.expect_download() as download:
        page.get_by_role("link", name="下载 TSPL").click()
    assert download.value.suggested_filename.endswith(".prn")
    # The hand scanner types the code and presses Enter.
    page.goto("/labels/pack")
    expect(page.locator("input.scan")).to_be_focused()
    page.keyboard.type(codes["case"][0] + "\n")
    page.wait_for_url(re.compile("/labels/pack/" + codes["case"][0]))
    for number, code in enumerate(codes["item"], start=1):
        expect(page.locator("input.scan")).to_be_focused()
        page.keyboard.type(f"{platform.url.upper()}/{code}\n")
        expect(page.locator(".count b")).to_have_text(str(number))
    expect(page.locator("input.scan")).to_be_focused()
    page.keyboard.type(codes["item"][0] + "\n")
    expect(page.get_by_text("已经在这一箱里")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    # A consumer, without script, opens the item's page and tries a PIN.
    phone = chromium.new_context(viewport=PHONE, locale="zh-CN", java_script_enabled=False).new_page()
    phone.goto(f"{platform.url}/{codes['item'][0]}")
    phone.get_by_label("刮开涂层").fill("12 34")
    phone.get_by_role("button", name="验真").click()
    expect(phone.get_by_role("alert")).to_contain_text("6 位数字")
    phone.get_by_label("刮开涂层").fill("000000")
    phone.get_by_role("button", name="验真").click()
    expect(phone.get_by_text(re.compile("验真码"))).not_to_have_count(0)
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    phone.goto(f"{platform.url}/{codes['case'][0]}")
    expect(phone.get_by_text("里面有 3 件")).to_be_visible()
    # The refused scan is a 422, which the browser notes; nothing else went wrong.
    assert [fault for fault in page.faults if "422" not in fault] == []  # type: ignore[attr-defined]
