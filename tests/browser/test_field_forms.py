"""The form of an entry on a phone: lots by their sites, and what is taken from stock."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, Platform, sign_in
from tests.trace_app.test_inputs import PRODUCT, STOCK
from tests.world import Actor, World
from trace_app.accounts import service as accounts
from trace_app.inputs import service as inputs
from trace_app.inputs.forms import InputRowForm
from trace_app.stock.forms import StockForm
from trace_app.stock.service import receive

SITES, OF_EACH = 8, 25


@pytest.fixture(scope="module")
def grower(world: World) -> Actor:
    """A producer with 200 lots at eight sites, and a lot of pesticide in stock."""
    with world.writing():
        user = accounts.user_by_name("grower")
        actor = Actor(user.username, user.id, user.organisation_id)
        form = InputRowForm.parse(PRODUCT)
        product = inputs.add_product(user, form.product_facts, form.use_facts)
        receive(user, StockForm.parse(STOCK | {"product_id": product.id}, products=[product]).facts)
    ginger = world.product(actor, name="板桥小黄姜")
    for number in range(SITES):
        site = world.site(actor, name=f"{number + 1} 号坡")
        for lot in range(OF_EACH):
            world.batch(actor, product_id=ginger, site_id=site, lot_number=f"P{number + 1}-{lot + 1:02d}")
    return actor


@pytest.fixture
def page(chromium: Browser, platform: Platform, grower: Actor) -> Page:
    return sign_in(chromium, platform, grower.username, PHONE)


def test_the_first_field_is_in_sight_and_nothing_is_chosen_without_a_word(page: Page) -> None:
    page.goto("/field/ginger/pesticide")
    expect(page.get_by_text("还没有选")).to_be_visible()
    assert page.locator("input[name=batch_ids]:checked").count() == 0
    assert page.locator("input[name=batch_ids]").count() == SITES * OF_EACH
    box = page.get_by_label("从库存选").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= PHONE["height"]


def test_lots_are_found_by_site_and_number_and_taken_together(page: Page) -> None:
    page.goto("/field/ginger/care")
    page.locator("summary", has_text="3 号坡").click()
    page.locator("details[open]").get_by_label("这个基地全选").check()
    expect(page.get_by_text("已选 25 个批次")).to_be_visible()
    page.get_by_label("找基地或批次").fill("p5-07")
    page.get_by_label("P5-07").check()
    expect(page.get_by_text("已选 26 个批次")).to_be_visible()
    page.get_by_label("找基地或批次").fill("3号坡")
    page.get_by_role("button", name="全不选").click()
    expect(page.get_by_text("已选 1 个批次")).to_be_visible()


def test_one_spray_for_all_lots_takes_five_taps_and_is_locked_to_its_stock(page: Page) -> None:
    page.goto("/field/")
    page.get_by_role("link", name="用药").click()
    page.get_by_role("button", name="全选 200").click()
    expect(page.get_by_text("已选 200 个批次")).to_be_visible()
    page.get_by_label("从库存选").select_option(index=1)
    name = page.get_by_label("农药名称")
    expect(name).to_have_value(PRODUCT["name"])
    expect(name).not_to_be_editable()
    expect(page.get_by_label("安全间隔期")).to_have_value("14")
    expect(page.get_by_text("标签用量：30–50 克/亩")).to_be_visible()
    page.get_by_role("button", name="换一批").click()
    expect(name).to_have_value("")
    expect(name).to_be_editable()

    page.get_by_text("扫瓶上的二维码").click()
    page.get_by_label("二维码或登记证号").fill(PRODUCT["registration_number"])
    page.get_by_role("button", name="查找").click()
    expect(name).to_have_value(PRODUCT["name"])
    expect(name).not_to_be_editable()
    page.get_by_label("用量").first.fill("40")
    page.get_by_label("操作人").fill("李大姐")
    page.get_by_role("button", name="保存").click()
    page.wait_for_url("**/batches/*")
    expect(page.get_by_text(PRODUCT["name"]).first).to_be_visible()

    # The next time all that was used is offered again: home, spray, all lots, dose as it was, save.
    page.goto("/field/ginger/pesticide")
    expect(name).to_have_value(PRODUCT["name"])
    expect(name).not_to_be_editable()
    page.get_by_role("button", name="全选 200").click()
    page.get_by_role("button", name="保存").click()
    page.wait_for_url("**/batches/*")
