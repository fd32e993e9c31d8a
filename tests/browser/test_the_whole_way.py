"""The main job in a real browser, against the server that `make run` starts, on both databases."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from playwright.sync_api import Browser, Page, expect

from qr.reading import read_symbols
from tests.browser.conftest import DESK, PHONE, Platform, sign_in
from tests.world import photo

pytestmark = pytest.mark.both_databases


def _register_product_and_site(page: Page) -> None:
    page.goto("/products/new")
    page.get_by_label("品类").select_option("ginger")
    page.get_by_label("产品名称").fill("罗平小黄姜")
    page.get_by_label("英文名称").fill("Luoping small yellow ginger")
    page.get_by_label("净含量").fill("净重 500 克")
    page.get_by_role("button", name="保存").click()
    page.goto("/sites/new")
    page.get_by_label("基地名称").fill("3 号地块")
    page.get_by_label("乡镇").select_option("530324102")
    page.get_by_label("纬度").fill("24.8852")
    page.get_by_label("经度").fill("104.3086")
    page.get_by_label("海拔").fill("1480")
    page.get_by_role("button", name="保存").click()


def _register_batch(page: Page, lot: str, produced: str = "") -> None:
    page.goto("/batches/new")
    page.get_by_label("批次号").fill(lot)
    page.get_by_label("数量").fill("8600")
    page.get_by_label("开始日期").fill("2025-03-12")
    page.get_by_label("采收或生产日期").fill(produced)
    page.get_by_role("button", name="保存").click()


def _spray(page: Page) -> None:
    page.get_by_role("link", name="用药").click()
    page.get_by_label("农药名称").fill("苯醚甲环唑 10% 水分散粒剂")
    page.get_by_label("有效成分").fill("苯醚甲环唑")
    page.get_by_label("用量").fill("40")
    page.get_by_label("日期").fill("2025-09-15")
    page.get_by_label("安全间隔期").fill("14")
    page.get_by_label("操作人").fill("李大姐")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已记下")).to_be_visible()


def test_from_the_field_to_the_recall(chromium: Browser, platform: Platform, tmp_path: Path) -> None:
    grower = sign_in(chromium, platform, "grower", PHONE)

    # A producer's first batch: product and site may be registered with it, or first, as here.
    grower.get_by_role("link", name="登记批次").first.click()
    expect(grower.get_by_role("heading", name="登记第一批")).to_be_visible()
    _register_product_and_site(grower)
    grower.goto("/products")
    grower.get_by_role("link", name="罗平小黄姜").click()
    (tmp_path / "one.jpg").write_bytes(photo("orange"))
    (tmp_path / "two.jpg").write_bytes(photo("brown"))
    grower.get_by_label("照片").set_input_files([tmp_path / "one.jpg", tmp_path / "two.jpg"])
    grower.get_by_role("button", name="添加照片").click()
    expect(grower.locator(".photos img")).to_have_count(2)

    # The batch, its pesticide record and its harvest.
    _register_batch(grower, "LP-J-2025-0417", "2025-11-06")
    _spray(grower)
    expect(grower.get_by_text("还没有“播种”的记录")).to_be_visible()
    grower.get_by_role("link", name="播种", exact=True).click()
    grower.get_by_label("日期").fill("2025-03-12")
    grower.get_by_role("button", name="保存").click()
    expect(grower.get_by_text("已记下")).to_be_visible()
    grower.get_by_role("link", name="采收", exact=True).click()
    grower.get_by_label("采收量").fill("8600")
    grower.get_by_label("日期").fill("2025-11-06")
    grower.get_by_role("button", name="保存").click()
    expect(grower.get_by_text("已记下")).to_be_visible()

    # Release, print, and take the codes out of the produced file.
    grower.get_by_role("button", name="放行").click()
    expect(grower.get_by_text("批次已放行")).to_be_visible()
    grower.get_by_role("link", name="打印标签").click()
    grower.get_by_label("张数").fill("24")
    grower.get_by_label("标签纸或版式").select_option("a4-3x8")
    grower.get_by_role("button", name="生成标签").click()
    link = grower.get_by_role("link", name="下载 PDF")
    link.wait_for(timeout=30_000)
    with grower.expect_download() as download:
        link.click()
    with pypdfium2.PdfDocument(download.value.path()) as document:
        assert len(document) == 1
        urls = read_symbols(np.asarray(document[0].render(scale=3).to_pil().convert("L")))
    assert len(set(urls)) == 24

    # A phone scans one.
    phone = chromium.new_context(viewport=PHONE, locale="zh-CN", java_script_enabled=False).new_page()
    sizes: list[int] = []
    phone.on(
        "requestfinished",
        lambda request: sizes.append(sum(request.sizes()[k] for k in ("responseBodySize", "responseHeadersSize"))),
    )
    answer = phone.goto(urls[0].lower().replace(urls[0].rsplit("/", 1)[1].lower(), urls[0].rsplit("/", 1)[1]))
    assert answer is not None
    assert answer.status == 200
    phone.wait_for_load_state("networkidle")
    assert sum(sizes) < 40 * 1024
    for text in ("来源可查 · 未被召回", "罗平小黄姜", "板桥姜业合作社", "苯醚甲环唑 10% 水分散粒剂", "已过 52 天"):
        expect(phone.get_by_text(text).first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    phone.get_by_role("link", name="English").click()
    expect(phone.get_by_text("not recalled").first).to_be_visible()
    expect(phone.get_by_text("Banqiao Ginger Cooperative").first).to_be_visible()

    # The regulator recalls the lot, and the phone loads the page again.
    officer = sign_in(chromium, platform, "officer", DESK)
    officer.get_by_role("main").get_by_role("searchbox").fill("LP-J-2025")
    officer.locator("#desk-hits").get_by_role("link", name=re.compile("LP-J-2025-0417")).click()
    officer.get_by_role("main").get_by_role("link", name="召回", exact=True).click()
    officer.get_by_label("级别").select_option("2")
    officer.get_by_label("原因", exact=False).first.fill("镉含量 0.18 mg/kg，超过限量 0.1 mg/kg")
    officer.get_by_role("button", name="现在发布").click()
    expect(officer.get_by_text("召回已发布")).to_be_visible()
    phone.goto(phone.url.split("?")[0] + "?lang=zh")
    expect(phone.get_by_role("alert")).to_contain_text("正在召回，请勿食用")
    expect(phone.get_by_text("镉含量 0.18")).to_be_visible()
    phone.goto(platform.url + "/recalls")
    expect(phone.get_by_text("LP-J-2025-0417")).to_be_visible()
    grower.goto("/batches")
    grower.get_by_role("link", name=re.compile("LP-J-2025-0417")).click()
    grower.get_by_role("main").get_by_role("link", name="标签", exact=True).click()
    expect(grower.get_by_text("不能打印标签")).to_be_visible()
    assert grower.faults == []  # type: ignore[attr-defined]
    assert officer.faults == []  # type: ignore[attr-defined]


def test_three_taps_to_a_pesticide_record(chromium: Browser, platform: Platform) -> None:
    """With one on record, the next takes: the batch, the button, save."""
    page = sign_in(chromium, platform, "neighbour", PHONE)
    _register_product_and_site(page)
    _register_batch(page, "FIRST-1")
    _spray(page)
    _register_batch(page, "TAPS-1")
    page.goto("/batches")
    page.get_by_role("link", name=re.compile("TAPS-1")).click()
    page.get_by_role("link", name="用药").click()
    save = page.get_by_role("button", name="保存")
    expect(save).to_be_in_viewport()
    save.click()
    expect(page.get_by_text("已记下")).to_be_visible()
    expect(page.locator("ol.time").get_by_text("苯醚甲环唑 10% 水分散粒剂")).to_be_visible()


def test_a_code_is_typed_on_the_home_page_and_a_wrong_one_is_explained(chromium: Browser, platform: Platform) -> None:
    page = chromium.new_context(viewport=PHONE, locale="zh-CN", base_url=platform.url).new_page()
    page.goto("/")
    page.get_by_label("追溯码").fill("7kq2m 0xr9 t4vh")
    page.get_by_role("button", name="查询").click()
    expect(page.get_by_role("heading", name="没有查到这个追溯码")).to_be_visible()
    expect(page.get_by_text("请核对").first).to_be_visible()


def test_the_api_docs_are_readable(chromium: Browser, platform: Platform) -> None:
    page = chromium.new_context(viewport=DESK, base_url=platform.url).new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto("/api/v1/docs")
    expect(page.get_by_text("Register a batch as a draft")).to_be_visible(timeout=15_000)
    assert faults == []
