"""The field with a network that comes and goes, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from tests.browser.conftest import PASSWORD, PHONE, Platform, sign_in, until_arrived
from tests.world import photo


def _ready(page: Page, name: str) -> None:
    """A lot to record for, and the service worker with its pages in place."""
    page.goto("/products/new")
    page.get_by_label("品类").select_option("ginger")
    page.get_by_label("产品名称").fill(f"{name}的姜")
    page.get_by_role("button", name="保存").click()
    page.goto("/sites/new")
    page.get_by_label("基地名称").fill(f"{name}的地")
    page.get_by_label("乡镇").select_option("530324102")
    page.get_by_role("button", name="保存").click()
    page.goto("/batches/new")
    page.get_by_label("产品").select_option(label=f"{name}的姜")
    page.get_by_label("批次号").fill(name)
    page.get_by_label("数量").fill("100")
    page.get_by_label("开始日期").fill("2025-03-12")
    page.get_by_role("button", name="保存").click()
    page.goto("/field/")
    _until(page, "caches.open('field-pages').then((c) => c.match('/field/ginger/video')).then(Boolean)")


def _until(page: Page, condition: str) -> None:
    """Wait for a promise of the page to come out true."""
    for _attempt in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(condition)


def _care(page: Page, note: str) -> None:
    page.get_by_label("做了什么").fill(note)
    page.get_by_label("日期").fill("2025-06-01")
    page.get_by_role("button", name="保存").click()


def _choose(page: Page, lot: str) -> None:
    """Tick a lot among those of all sites."""
    page.get_by_label("找基地或批次").fill(lot)
    page.get_by_label(lot, exact=True).check()


def _records(page: Page, lot: str) -> str:
    page.goto("/batches")
    page.get_by_role("link", name=lot).click()
    page.wait_for_url("**/batches/*")
    page.wait_for_load_state()
    return page.get_by_role("main").inner_text()


@pytest.fixture
def field(chromium: Browser, platform: Platform) -> tuple[Page, BrowserContext]:
    page = sign_in(chromium, platform, "grower", PHONE)
    return page, page.context


def test_entries_made_without_a_network_arrive_once_when_it_returns(
    field: tuple[Page, BrowserContext], tmp_path: Path
) -> None:
    page, context = field
    _ready(page, "OFFLINE-1")
    (tmp_path / "weed.jpg").write_bytes(photo("green"))

    context.set_offline(True)
    page.goto("/field/ginger/care")
    expect(page.get_by_text("现在没有网络")).to_be_visible()
    _choose(page, "OFFLINE-1")
    page.get_by_label("照片").set_input_files(tmp_path / "weed.jpg")
    _care(page, "断网时除草")
    expect(page.get_by_text("已存在这部手机里")).to_be_visible()
    _choose(page, "OFFLINE-1")
    _care(page, "断网时清沟")
    expect(page.get_by_text("已存在这部手机里")).to_be_visible()
    page.goto("/field/")
    expect(page.get_by_role("heading", name="待发送")).to_contain_text("2")
    expect(page.locator("#outbox")).to_contain_text("断网时除草")

    # One of the two is mended before it is sent.
    page.locator("li.waiting", has_text="断网时清沟").get_by_role("link", name="打开修改").click()
    expect(page.get_by_label("做了什么")).to_have_value("断网时清沟")
    page.get_by_label("做了什么").fill("断网时清沟排水")
    page.get_by_role("button", name="保存").click()
    page.wait_for_url("**/field/")
    expect(page.get_by_role("heading", name="待发送")).to_contain_text("2")

    context.set_offline(False)
    expect(page.get_by_text("全部已发送")).to_be_visible(timeout=20_000)
    expect(page.locator("#outbox")).to_be_hidden()
    text = _records(page, "OFFLINE-1")
    assert text.count("断网时除草") == 1
    assert text.count("断网时清沟排水") == 1
    # Its photo follows the entry.
    until_arrived(page)
    expect(page.locator("ol.time .photos img")).to_have_count(1)


def test_an_answer_that_is_lost_on_the_way_does_not_make_two_records(field: tuple[Page, BrowserContext]) -> None:
    page, context = field
    _ready(page, "LOST-1")
    page.goto("/field/ginger/care")
    _choose(page, "LOST-1")
    lost = []

    def swallow(route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    context.route("**/field/ginger/care*", swallow)
    _care(page, "回执丢失")
    expect(page.get_by_text("已存在这部手机里")).to_be_visible()
    assert lost == [201]
    page.goto("/field/")
    expect(page.get_by_text("全部已发送")).to_be_visible(timeout=20_000)
    assert _records(page, "LOST-1").count("回执丢失") == 1


def test_a_correction_that_came_too_late_is_shown_beside_the_other(
    field: tuple[Page, BrowserContext], chromium: Browser, platform: Platform
) -> None:
    page, context = field
    _ready(page, "CONFLICT-1")
    page.goto("/field/ginger/care")
    _choose(page, "CONFLICT-1")
    _care(page, "除草一遍")
    page.wait_for_url("**/batches/*")
    page.locator("ol.time").get_by_role("link", name="更正").click()
    page.wait_for_url("**/correct")
    page.wait_for_load_state()
    path = page.url
    context.set_offline(True)
    page.get_by_label("做了什么").fill("除草两遍（手机）")
    page.get_by_label("更正原因").fill("数错了")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已存在这部手机里")).to_be_visible()

    desk = sign_in(chromium, platform, "grower", PHONE)
    desk.goto(path)
    desk.get_by_label("做了什么").fill("除草三遍（电脑）")
    desk.get_by_label("更正原因").fill("核对了照片")
    desk.get_by_role("button", name="保存").click()
    desk.wait_for_url("**/batches/*")

    context.set_offline(False)
    page.goto("/field/")
    outbox = page.locator("#outbox")
    expect(outbox).to_contain_text("与别人的更正冲突", timeout=20_000)
    expect(outbox.get_by_role("cell", name="除草三遍（电脑）")).to_be_visible()
    expect(outbox.get_by_role("cell", name="除草两遍（手机）")).to_be_visible()
    assert "手机" not in _records(desk, "CONFLICT-1")
    page.get_by_role("button", name="仍用我的").click()
    expect(page.get_by_text("全部已发送")).to_be_visible(timeout=20_000)
    assert "除草两遍（手机）" in _records(desk, "CONFLICT-1")
    assert "除草三遍（电脑）" in _records(desk, "CONFLICT-1")


def test_what_the_platform_refuses_stays_until_it_is_mended_or_discarded(field: tuple[Page, BrowserContext]) -> None:
    page, context = field
    _ready(page, "REFUSED-1")
    context.set_offline(True)
    page.goto("/field/ginger/care")
    _choose(page, "REFUSED-1")
    page.evaluate("document.querySelectorAll('#happened_on').forEach((input) => input.removeAttribute('max'))")
    page.get_by_label("做了什么").fill("明天的事")
    page.get_by_label("日期").fill("2099-01-01")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已存在这部手机里")).to_be_visible()
    context.set_offline(False)
    page.goto("/field/")
    expect(page.locator("#outbox")).to_contain_text("日期不能晚于今天", timeout=20_000)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="丢弃").click()
    expect(page.locator("#outbox")).to_be_hidden()
    assert "明天的事" not in _records(page, "REFUSED-1")


def test_the_pages_of_one_user_are_not_shown_to_another(field: tuple[Page, BrowserContext], platform: Platform) -> None:
    page, context = field
    _ready(page, "PRIVATE-1")
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("link", name="登录").first).to_be_visible()
    page.goto("/login")
    page.get_by_label("用户名、手机号或邮箱").fill("neighbour")
    page.get_by_label("密码").fill("long enough for tests")
    page.get_by_role("button", name="登录").click()
    page.wait_for_url("**/today")
    page.goto("/field/")
    _until(
        page,
        "caches.open('field-pages').then((c) => c.match('/owner')).then((kept) => kept && kept.text())"
        ".then((t) => t === 'neighbour')",
    )
    _until(page, "caches.open('field-pages').then((c) => c.match('/field/')).then(Boolean)")
    _until(page, "caches.open('field-pages').then((c) => c.match('/field/ginger/care')).then((kept) => !kept)")
    context.set_offline(True)
    page.goto("/field/ginger/care")
    expect(page.get_by_text("PRIVATE-1")).to_have_count(0)


def test_households_are_weighed_without_a_network_and_arrive_when_it_returns(
    field: tuple[Page, BrowserContext],
) -> None:
    page, context = field
    _ready(page, "SCALES-1")
    for name in ("秤一家", "秤二家"):
        page.goto("/households/new")
        page.get_by_label("户主姓名").fill(name)
        page.get_by_label("村组").fill("示例村")
        page.get_by_role("button", name="保存").click()
        page.wait_for_url("**/households/*")
    page.goto("/field/weighings")
    page.get_by_role("link", name="SCALES-1").click()
    page.wait_for_url("**/field/weighings/*")
    scales = page.url
    _until(page, "caches.open('field-pages').then((c) => c.match(location.pathname)).then(Boolean)")

    context.set_offline(True)
    page.goto(scales)
    for name, weight in (("一家", "31"), ("二家", "300斤")):
        page.get_by_label("按姓名、编号或村组找").fill(name)
        expect(page.get_by_role("radio")).to_have_count(1)
        page.get_by_role("radio").check()
        page.get_by_label("重量").fill(weight)
        page.get_by_label("过磅日期").fill("2025-06-01")
        page.get_by_role("button", name="记下").click()
        expect(page.get_by_text("已存在这部手机里")).to_be_visible()
        page.goto(scales)
    expect(page.locator("#waiting-here")).to_contain_text("另有 181 公斤在本机等待发送")
    expect(page.get_by_text("秤二家 示例村")).to_contain_text("150 公斤")
    page.goto("/field/")
    expect(page.get_by_role("heading", name="待发送")).to_contain_text("2")
    expect(page.locator("#outbox")).to_contain_text("秤二家")

    context.set_offline(False)
    page.goto("/field/")
    expect(page.get_by_text("全部已发送")).to_be_visible()
    page.goto(scales)
    expect(page.get_by_role("main")).to_contain_text("181 公斤")


def test_a_new_lot_begins_at_the_scales_without_a_network(field: tuple[Page, BrowserContext]) -> None:
    page, context = field
    _ready(page, "BEFORE-1")
    page.goto("/households/new")
    page.get_by_label("户主姓名").fill("秤三家")
    page.get_by_label("村组").fill("示例村")
    page.get_by_role("button", name="保存").click()
    page.wait_for_url("**/households/*")
    page.goto("/field/weighings")
    _until(page, "caches.open('field-pages').then((c) => c.match('/field/weighings/new')).then(Boolean)")
    context.set_offline(True)
    page.goto("/field/weighings/new")
    page.get_by_label("产品").select_option(label="BEFORE-1的姜")
    page.get_by_label("批次号").fill("NEW-AT-SCALES")
    page.get_by_label("基地").select_option(label="BEFORE-1的地")
    page.get_by_label("开始日期").fill("2025-03-12")
    page.get_by_label("秤三家").check()
    page.get_by_label("第一磅的重量").fill("42")
    page.get_by_label("过磅日期").fill("2025-06-01")
    page.get_by_role("button", name="登记批次，记下第一磅").click()
    expect(page.get_by_text("已存在这部手机里")).to_be_visible()
    # Another account on this phone sees nothing of the entry.
    context.set_offline(False)
    page.route("**/field/session", lambda route: route.abort())
    page.goto("/field/")
    page.evaluate("document.body.dataset.user = 'neighbour'")
    page.evaluate("document.getElementById('send-now').click()")
    expect(page.get_by_text("这部手机里还有别的账号没有发送的记录")).to_be_visible()
    expect(page.locator("li.waiting")).to_have_count(0)
    page.unroute("**/field/session")
    page.goto("/field/")
    expect(page.get_by_text("全部已发送")).to_be_visible(timeout=20_000)
    page.goto("/field/weighings")
    expect(page.get_by_role("main")).to_contain_text("NEW-AT-SCALES")


def test_a_lot_that_another_visit_was_for_is_not_ticked_without_a_network(
    field: tuple[Page, BrowserContext],
) -> None:
    page, context = field
    _ready(page, "VISIT-1")
    page.goto("/batches")
    page.get_by_role("link", name="VISIT-1").click()
    page.wait_for_url("**/batches/*")
    lot = page.url.rsplit("/", 1)[1]
    page.goto(f"/field/ginger/care?batch={lot}")
    expect(page.locator(f"#lot-{lot}")).to_be_checked()
    page.wait_for_timeout(500)
    context.set_offline(True)
    page.goto("/field/ginger/care")
    expect(page.locator("li input:checked")).to_have_count(0)
    page.goto(f"/field/ginger/care?batch={lot}")
    expect(page.locator(f"#lot-{lot}")).to_be_checked()


def test_going_back_and_saving_again_makes_no_second_record(field: tuple[Page, BrowserContext]) -> None:
    page, _context = field
    _ready(page, "BACK-1")
    page.goto("/field/ginger/care")
    _choose(page, "BACK-1")
    _care(page, "回头再存一次")
    page.wait_for_url("**/batches/*")
    page.go_back()
    page.wait_for_url("**/field/ginger/care")
    page.wait_for_load_state()
    _choose(page, "BACK-1")
    _care(page, "回头再存一次")
    page.wait_for_url("**/batches/*")
    assert _records(page, "BACK-1").count("回头再存一次") == 1


def test_what_waits_on_the_phone_is_told_of_and_stays_when_its_owner_signs_out(
    field: tuple[Page, BrowserContext],
) -> None:
    page, context = field
    _ready(page, "STAYS-1")
    context.set_offline(True)
    page.goto("/field/ginger/care")
    _choose(page, "STAYS-1")
    _care(page, "退出前没有发出")
    expect(page.get_by_text("已存在这部手机里")).to_be_visible()
    # A day and a little later, at a desk page.
    context.set_offline(False)
    page.goto("/batches")
    page.evaluate(
        """() => new Promise((resolve) => {
          indexedDB.open("field", 1).onsuccess = (opened) => {
            const store = opened.target.result.transaction("entries", "readwrite").objectStore("entries");
            store.getAll().onsuccess = ({ target }) => {
              for (const entry of target.result) store.put({ ...entry, at: Date.now() - 90000000 });
              resolve();
            };
          };
        })"""
    )
    page.goto("/batches")
    expect(page.get_by_role("link", name="有 1 条记录等了一天以上还没有发送")).to_be_visible()

    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.once("dialog", stay)
    with page.expect_event("dialog"):
        page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("button", name="退出")).to_be_visible()
    assert "还有 1 条记录没有发送" in asked[0]
    context.set_offline(True)
    page.once("dialog", stay)
    with page.expect_event("dialog"):
        page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("button", name="退出")).to_be_visible()
    assert "现在没有网络，不能退出" in asked[1]
    context.set_offline(False)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("link", name="登录").first).to_be_visible()
    assert page.evaluate("caches.has('field-pages')") is False

    _sign_in_again(page, "neighbour")
    page.goto("/field/")
    expect(page.get_by_text("这部手机里还有别的账号没有发送的记录")).to_be_visible()
    expect(page.get_by_text("退出前没有发出")).to_have_count(0)
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("link", name="登录").first).to_be_visible()
    _sign_in_again(page, "grower")
    page.goto("/field/")
    expect(page.get_by_text("全部已发送")).to_be_visible(timeout=20_000)
    assert "退出前没有发出" in _records(page, "STAYS-1")


def _sign_in_again(page: Page, username: str) -> None:
    page.goto("/login")
    page.get_by_label("用户名、手机号或邮箱").fill(username)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url("**/today")
