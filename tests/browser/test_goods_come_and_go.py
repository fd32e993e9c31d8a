"""A buyer takes part of a delivery on its phone and refuses some of it; the sender confirms that it came back."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, Platform, sign_in
from tests.trace_app.test_shipping import _left, _ship
from tests.world import World
from trace_app.extensions import db
from trace_app.flow.shipments.models import Receipt

pytestmark = pytest.mark.parametrize("platform", ["sqlite"], indirect=True)


def _fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def _receipts(world: World, shipment_id: int) -> int:
    with world.app.app_context():
        return int(db.session.scalar(sa.select(sa.func.count(Receipt.id)).filter_by(shipment_id=shipment_id)) or 0)


def test_some_comes_some_is_refused_and_goes_back(chromium: Browser, platform: Platform, world: World) -> None:
    grower, shop = world.producer(name="姜社"), world.producer(name="姜厂")
    lot = world.released(grower, quantity="100", lot_number="GO-1")
    shipment = _ship(world, grower, {lot: "40"}, consignee="姜厂", organisation="姜厂")
    page = sign_in(chromium, platform, shop.username, PHONE)
    page.goto(f"/receive/{shipment.receipt_code}")
    page.locator("input[name^='q-']").fill("50斤")
    page.get_by_text("有不收的").click()
    page.get_by_label("拒收数量").fill("5")
    page.get_by_label("为什么不收").fill("发霉")
    page.get_by_label("收货人姓名").fill("张店长")
    page.get_by_role("button", name="确认收货").click()
    expect(page.get_by_text("请选择还会不会到")).to_be_visible()
    expect(page.get_by_label("拒收数量")).to_have_value("5")
    _fits(page)
    page.get_by_label("没到的").select_option("later")
    page.get_by_role("button", name="确认收货").click()
    expect(page.get_by_role("heading", name="还没有确认的")).to_be_visible()
    expect(page.locator("input[name^='q-']")).to_have_value("10")
    _fits(page)
    assert _left(world, lot, shop) == 35
    mine = sign_in(chromium, platform, grower.username, PHONE)
    mine.goto("/shipments")
    mine.get_by_role("link", name=re.compile("退回的货等您确认")).click()
    expect(mine.get_by_label(re.compile("GO-1"))).to_have_value("5")
    mine.get_by_label("收货人姓名").fill("李师傅")
    mine.get_by_role("button", name="确认收货").click()
    expect(mine.get_by_text("已收货").first).to_be_visible()
    _fits(mine)
    assert (_left(world, lot, grower), _left(world, lot, shop)) == (65, 35)
    # The browser notes the answer to the form that came back.
    assert [fault for fault in page.faults if "422" not in fault] == mine.faults == []  # type: ignore[attr-defined]


def test_going_back_and_sending_once_more_receives_nothing_twice(
    chromium: Browser, platform: Platform, world: World
) -> None:
    grower, shop = world.producer(name="姜社二"), world.producer(name="姜厂二")
    lot = world.released(grower, quantity="100", lot_number="GO-2")
    shipment = _ship(world, grower, {lot: "40"}, consignee="姜厂二", organisation="姜厂二")
    page = sign_in(chromium, platform, shop.username, PHONE)
    page.goto(f"/receive/{shipment.receipt_code}")
    page.locator("input[name^='q-']").fill("10")
    page.get_by_label("收货人姓名").fill("张店长")
    page.get_by_label("没到的").select_option("later")
    page.get_by_role("button", name="确认收货").click()
    expect(page.get_by_role("heading", name="还没有确认的")).to_be_visible()
    page.go_back()
    # The browser has put back what was typed.
    expect(page.locator("input[name^='q-']")).to_have_value("10")
    page.get_by_role("button", name="确认收货").click()
    expect(page.get_by_text("这张表已经提交过，没有重复登记。")).to_be_visible()
    assert _receipts(world, shipment.id) == 1
    # A form that is opened anew is another one.
    page.goto(f"/receive/{shipment.receipt_code}")
    page.locator("input[name^='q-']").fill("10")
    page.get_by_label("收货人姓名").fill("张店长")
    page.get_by_label("没到的").select_option("later")
    page.get_by_role("button", name="确认收货").click()
    expect(page.get_by_text("已确认收货").first).to_be_visible()
    assert _receipts(world, shipment.id) == 2
