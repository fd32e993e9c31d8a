"""What goes wrong with goods that are out, in a real browser: a test that fails, and a consumer who reports a fake."""

from __future__ import annotations

import numpy as np
import pypdfium2
from playwright.sync_api import Browser, Page, expect

from qr.reading import read_symbols
from tests.browser.conftest import DESK, PHONE, Platform, sign_in
from tests.browser.test_the_whole_way import _register_batch, _register_product_and_site

REACHED_AT = "13800138000"


def _record(page: Page, stage: str, day: str, amount: str = "") -> None:
    page.get_by_role("link", name=stage, exact=True).click()
    if amount:
        page.get_by_label("采收量").fill(amount)
    page.get_by_label("日期").fill(day)
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已记下")).to_be_visible()


def _labelled(page: Page, lot: str) -> str:
    """A released lot with labels; the address of its page is where the browser is left. Returns what a label says."""
    _register_product_and_site(page)
    _register_batch(page, lot, "2025-11-06")
    _record(page, "播种", "2025-03-12")
    _record(page, "采收", "2025-11-06", "8600")
    page.get_by_role("button", name="放行").click()
    expect(page.get_by_text("批次已放行")).to_be_visible()
    address = page.url
    page.get_by_role("link", name="打印标签").click()
    page.get_by_label("张数").fill("24")
    page.get_by_label("标签纸或版式").select_option("a4-3x8")
    page.get_by_role("button", name="生成标签").click()
    link = page.get_by_role("link", name="下载 PDF")
    link.wait_for(timeout=30_000)
    with page.expect_download() as download:
        link.click()
    with pypdfium2.PdfDocument(download.value.path()) as document:
        urls = read_symbols(np.asarray(document[0].render(scale=3).to_pil().convert("L")))
    page.goto(address)
    url = urls[0]
    return url.rsplit("/", 1)[0].lower() + "/" + url.rsplit("/", 1)[1]


def test_a_failed_test_stops_the_goods_and_the_authority_decides(chromium: Browser, platform: Platform) -> None:
    grower = sign_in(chromium, platform, "grower", PHONE)
    label = _labelled(grower, "OUT-1")
    phone = chromium.new_context(viewport=PHONE, locale="zh-CN").new_page()
    phone.goto(label)
    expect(phone.get_by_text("来源可查 · 未被召回")).to_be_visible()

    # The report is typed, looked at once more, and confirmed.
    grower.get_by_role("link", name="录入检测报告").click()
    grower.get_by_label("报告编号").fill("SL-9")
    grower.get_by_label("检测机构").fill("外地检测站")
    grower.get_by_label("检测类别").select_option("own")
    grower.get_by_label("抽样日期").fill("2025-11-10")
    grower.get_by_label("签发日期").fill("2025-11-12")
    grower.locator("[name=line-analyte]").first.fill("镉")
    grower.locator("[name=line-result]").first.fill("0.5")
    grower.locator("[name=line-unit]").first.fill("mg/kg")
    assert grower.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    grower.get_by_role("button", name="保存").click()
    expect(grower.get_by_role("alert")).to_contain_text("有 1 项不合格")
    expect(grower.get_by_label("报告编号")).to_have_value("SL-9")
    grower.get_by_label("已对照报告原件").check()
    grower.get_by_role("button", name="已核对，保存").click()
    expect(grower.get_by_text("已通知主管部门")).to_be_visible()

    # Consumers are warned, and nothing is printed any more.
    phone.reload()
    expect(phone.get_by_role("alert")).to_contain_text("暂停销售，等待核查")
    expect(phone.get_by_text("外地检测站（生产者录入）")).to_be_visible()

    # The authority sees how many labels are out and lifts the hold with a reason.
    officer = sign_in(chromium, platform, "officer", DESK)
    officer.get_by_role("link", name="530324-H").first.click()
    expect(officer.get_by_text("由平台自动暂停").first).to_be_visible()
    expect(officer.get_by_text("已印标签")).to_be_visible()
    officer.get_by_text("解除暂停").first.click()
    officer.get_by_label("原因").last.fill("复检合格，初检样品受污染。")
    officer.get_by_role("button", name="解除暂停").click()
    expect(officer.get_by_text("已解除").first).to_be_visible()
    phone.reload()
    expect(phone.get_by_text("有检测项目不合格，请看下面的检测结果")).to_be_visible()
    expect(phone.get_by_text("来源可查 · 未被召回")).to_have_count(0)


def test_who_reports_a_fake_is_known_to_the_authority_alone(chromium: Browser, platform: Platform) -> None:
    grower = sign_in(chromium, platform, "neighbour", DESK)
    label = _labelled(grower, "FAKE-1")
    phone = chromium.new_context(viewport=PHONE, locale="zh-CN").new_page()
    phone.goto(f"{label}/feedback")
    expect(phone.get_by_text("只有主管部门看得到")).to_be_visible()
    phone.get_by_label("什么事").select_option("fake")
    phone.get_by_label("怎么回事").fill("包装被拆过，标签像是撕下来再贴的。")
    phone.get_by_label("您的电话或邮箱").fill(REACHED_AT)
    # As long as a person takes.
    phone.wait_for_timeout(3500)
    phone.get_by_role("button", name="提交").click()
    expect(phone.get_by_text("已收到").first).to_be_visible()
    officer = sign_in(chromium, platform, "officer", DESK)
    for page, knows in ((grower, False), (officer, True)):
        page.goto("/feedback")
        page.get_by_role("link", name="包装被拆过").first.click()
        expect(page.get_by_text("包装被拆过").first).to_be_visible()
        expect(page.get_by_text(REACHED_AT)).to_have_count(1 if knows else 0)
