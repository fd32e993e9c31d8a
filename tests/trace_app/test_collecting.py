"""Collecting certificates: who was sent goods keeps the certificate that came with them, and is told where none did."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.trace_app.test_commitments import BUYER, _issue, _newest, _producer
from tests.world import Actor, World, photo
from trace_app.accounts.models import OrganisationKind, RoleName
from trace_app.certificates.models import CollectedCommitment
from trace_app.extensions import db

TOLD = "还没有收存合格证"


def _kept(world: World) -> list[tuple[str, str]]:
    with world.app.app_context():
        rows = db.session.scalars(db.select(CollectedCommitment).order_by(CollectedCommitment.id))
        return [(row.number, row.issuer) for row in rows]


class Delivery:
    """Goods on their way from an enterprise to a buyer of the platform."""

    def __init__(self, world: World, *kinds: str, certified: bool = True) -> None:
        self.world, self.maker = world, _producer(world, "企业")
        self.lots = [
            world.released(self.maker, kind, lot_number=f"DE-{n}") for n, kind in enumerate(kinds or ("ginger",))
        ]
        self.seller = world.client(self.maker)
        if certified:
            for lot in self.lots:
                assert _issue(self.seller, lot, "own_control").status_code == 302
        self.buyer: Actor = world.actor(OrganisationKind.BUYER, RoleName.BUYER, "530302", name=BUYER)
        self.client: FlaskClient = world.client(self.buyer)
        self.page = self.send("2026-11-05")
        self.path = f"{self.page}/commitments"

    def send(self, day: str) -> str:
        """The address of a shipment of a hundred of each lot."""
        sent = {"consignee": BUYER, "organisation": BUYER, "departed_at": f"{day}T08:30"}
        made = self.seller.post("/shipments/new", data=sent | {f"q-{lot}": "100" for lot in self.lots})
        assert made.status_code == 302
        return str(made.location)

    def collect(self, text: str) -> Any:
        return self.client.post(self.path, data={"text": text})

    def foreign(self, **changes: Any) -> Any:
        [line] = re.findall(r'<option value="(\d+)">DE-0', self.client.get(self.path).text)
        data = {"line_id": line, "number": "手 12", "issuer": "板桥姜农", "issued_on": "2026-11-04"}
        data |= {"photos": (io.BytesIO(photo()), "证.jpg")} | changes
        return self.client.post(f"{self.path}/foreign", data={k: v for k, v in data.items() if v is not None})


class TestOurs:
    @pytest.mark.parametrize("by", ["number", "small letters", "address of its page", "its code", "its link", "label"])
    def test_is_kept_by_number_code_or_label(self, world: World, by: str) -> None:
        delivery = Delivery(world)
        row = _newest(world)
        run = world.run(delivery.maker, delivery.lots[0], 1)
        text = {
            "number": row.number,
            "small letters": f" {row.number.lower()} ",
            "address of its page": f"http://127.0.0.1:8000/commitments/{row.number}",
            "its code": row.facts["url"].rsplit("/", 1)[1],
            "its link": row.facts["url"],
            "label": world.code(run),
        }[by]
        assert TOLD in delivery.client.get(delivery.page).text
        assert delivery.collect(text).status_code == 302
        assert TOLD not in delivery.client.get(delivery.page).text
        assert row.number in delivery.client.get(delivery.path).text
        assert [number for number, _issuer in _kept(world)] == [row.number]

    def test_is_offered_where_the_supplier_issued_it_here(self, world: World) -> None:
        delivery = Delivery(world)
        row = _newest(world)
        assert f"供货方在本平台开具了 {row.number}" in delivery.client.get(delivery.path).text
        assert delivery.collect(row.number).status_code == 302
        assert "供货方在本平台开具了" not in delivery.client.get(delivery.path).text

    def test_of_another_lot_withdrawn_unknown_or_kept_before_is_refused_with_what_was_typed(self, world: World) -> None:
        delivery = Delivery(world)
        row = _newest(world)
        other = world.released(delivery.maker, lot_number="OTHER-1")
        assert _issue(delivery.seller, other, "own_control").status_code == 302
        strange = _newest(world)
        assert f"合格证 {strange.number} 是批次 OTHER-1 的" in delivery.collect(strange.number).text
        unknown = delivery.collect("手写 7 号")
        assert unknown.status_code == 422
        assert "没有“手写 7 号”这张合格证" in unknown.text
        assert 'value="手写 7 号"' in unknown.text
        assert delivery.collect("").status_code == 422
        assert delivery.collect(row.number).status_code == 302
        assert f"合格证 {row.number} 已经收存过" in delivery.collect(row.number).text
        assert delivery.seller.post(f"/commitments/{row.id}/withdraw", data={"reason": "开错"}).status_code == 302
        page = delivery.client.get(delivery.path).text
        assert "已作废" in page
        again = delivery.send("2026-11-06")
        refused = delivery.client.post(f"{again}/commitments", data={"text": row.number})
        assert f"合格证 {row.number} 已作废，不能收" in refused.text
        assert len(_kept(world)) == 1


class TestForeign:
    def test_is_kept_with_number_issuer_day_and_photo(self, world: World) -> None:
        delivery = Delivery(world, certified=False)
        assert delivery.foreign().status_code == 302
        page = delivery.client.get(delivery.path).text
        for part in ("手 12", "板桥姜农", "2026年11月4日", "<img"):
            assert part in page
        assert TOLD not in delivery.client.get(delivery.page).text
        assert _kept(world) == [("手 12", "板桥姜农")]

    @pytest.mark.parametrize(
        "change",
        [
            {"number": ""},
            {"issuer": ""},
            {"issued_on": ""},
            {"issued_on": "2999-01-01"},
            {"photos": None},
            {"line_id": "9"},
        ],
    )
    def test_is_refused_where_something_is_missing_and_nothing_typed_is_lost(
        self, world: World, change: dict[str, Any]
    ) -> None:
        delivery = Delivery(world, certified=False)
        refused = delivery.foreign(**change)
        assert refused.status_code == 422
        assert '<p class="error"' in refused.text
        for name, value in {"number": "手 12", "issuer": "板桥姜农"}.items():
            if name not in change:
                assert f'value="{value}"' in refused.text
        assert _kept(world) == []


def test_only_kinds_that_must_have_one_are_told_of(world: World) -> None:
    delivery = Delivery(world, "ginger", "coix", certified=False)
    page = delivery.client.get(delivery.page).text
    assert "批次 DE-0 还没有收存合格证" in page
    assert "DE-1 还没有" not in page
    assert TOLD not in delivery.seller.get(delivery.page).text


def test_only_who_was_sent_the_goods_collects_and_others_concerned_may_look(world: World) -> None:
    delivery = Delivery(world)
    row, stranger = _newest(world), world.client(world.buyer())
    assert delivery.collect(row.number).status_code == 302
    assert delivery.seller.post(delivery.path, data={"text": row.number}).status_code == 404
    assert stranger.post(delivery.path, data={"text": row.number}).status_code == 404
    assert stranger.get(delivery.path).status_code == 404
    for client in (delivery.seller, world.client(world.regulator())):
        page = client.get(delivery.path)
        assert page.status_code == 200
        assert row.number in page.text
        assert "/foreign" not in page.text
    assert len(_kept(world)) == 1


def test_the_database_keeps_what_was_collected(world: World) -> None:
    delivery = Delivery(world)
    assert delivery.collect(_newest(world).number).status_code == 302
    for statement in ("DELETE FROM collected_commitments", "UPDATE collected_commitments SET number = 'x'"):
        with world.app.app_context(), pytest.raises(sa.exc.IntegrityError), db.engine.begin() as connection:
            connection.execute(sa.text(statement))


class TestWhatIsWanting:
    """The shipment's page and the one on which it is received say which lot lacks a certificate and what to do."""

    ASK = "按规定应当收取，没有的不收；请向供货方索要"
    OFFERED = "供货方已开具，请收存"

    def _pages(self, delivery: Delivery) -> list[str]:
        shown = delivery.client.get(delivery.page).text
        [receive] = re.findall(r'href="(/receive/\w+)"', shown)
        return [shown, delivery.client.get(receive).text]

    def test_is_asked_of_the_supplier_where_it_issued_none(self, world: World) -> None:
        delivery = Delivery(world, certified=False)
        for page in self._pages(delivery):
            assert "批次 DE-0 还没有收存合格证。" in page
            assert self.ASK in page
            assert self.OFFERED not in page
            assert page.count(f'href="{delivery.path}"') >= 1

    def test_is_offered_where_the_supplier_issued_one_here(self, world: World) -> None:
        delivery = Delivery(world)
        row = _newest(world)
        for page in self._pages(delivery):
            assert self.OFFERED in page
            assert f'<a href="{delivery.path}">{row.number}</a>' in page
            assert self.ASK not in page

    def test_comes_back_with_the_withdrawal_of_what_is_kept(self, world: World) -> None:
        delivery = Delivery(world)
        row = _newest(world)
        assert delivery.collect(row.number).status_code == 302
        for page in self._pages(delivery):
            assert self.OFFERED not in page
            assert self.ASK not in page
        assert delivery.seller.post(f"/commitments/{row.id}/withdraw", data={"reason": "数量写错"}).status_code == 302
        told = f"批次 DE-0 收存的合格证 {row.number} 已由开具者作废（数量写错）。"
        for page in (*self._pages(delivery), delivery.client.get(delivery.path).text):
            assert told in page
            assert self.ASK in page
        assert _issue(delivery.seller, delivery.lots[0], "own_control").status_code == 302
        newest = _newest(world)
        for page in self._pages(delivery):
            assert told in page
            assert newest.number in page
            assert self.ASK not in page
        assert "供货方已开具新的，请收存。" in delivery.client.get(delivery.path).text
        assert delivery.collect(newest.number).status_code == 302
        for page in (*self._pages(delivery), delivery.client.get(delivery.path).text):
            assert told not in page

    def test_is_told_to_none_but_who_was_sent_the_goods(self, world: World) -> None:
        delivery = Delivery(world, certified=False)
        [receive] = re.findall(r'href="(/receive/\w+)"', delivery.client.get(delivery.page).text)
        for client in (world.client(), delivery.seller, world.client(world.buyer())):
            assert "还没有收存合格证" not in client.get(receive).text


class TestABuyerCommitsItselfToWhatItKeeps:
    REFUSED = "这批货还没有收存有效的合格证，不能承诺“已按规定收取并保存”"
    SAID_BEFORE = "您的合格证要承诺已收取并保存它"

    def _may_issue(self, delivery: Delivery) -> bool:
        """Whether the buyer's certificate is taken; the page says the same beforehand."""
        [lot] = delivery.lots
        page = delivery.client.get(f"/batches/{lot}/commitments").text
        answer = _issue(delivery.client, lot, "own_control", quantity="10")
        assert (self.SAID_BEFORE in page) == (answer.status_code == 422)
        if answer.status_code == 422:
            assert f'href="{delivery.path}"' in page
            beside = answer.text.split("承诺依据", 1)[1]
            assert self.REFUSED in beside
            assert 'value="10"' in answer.text
        return bool(answer.status_code == 302)

    @pytest.mark.parametrize("kind", ["ginger", "coix"])
    def test_nothing_kept(self, world: World, kind: str) -> None:
        assert not self._may_issue(Delivery(world, kind))

    def test_ours_until_it_is_withdrawn_and_again_with_the_next(self, world: World) -> None:
        delivery = Delivery(world)
        row = _newest(world)
        assert delivery.collect(row.number).status_code == 302
        assert self._may_issue(delivery)
        assert delivery.seller.post(f"/commitments/{row.id}/withdraw", data={"reason": "开错"}).status_code == 302
        assert not self._may_issue(delivery)
        assert _issue(delivery.seller, delivery.lots[0], "own_control").status_code == 302
        newest = _newest(world)
        assert not self._may_issue(delivery)
        assert delivery.collect(newest.number).status_code == 302
        assert self._may_issue(delivery)

    def test_one_made_elsewhere(self, world: World) -> None:
        delivery = Delivery(world, certified=False)
        assert delivery.foreign().status_code == 302
        assert self._may_issue(delivery)

    def test_of_another_lot_or_kept_by_another_buyer_does_not_count(self, world: World) -> None:
        delivery = Delivery(world, "ginger", "ginger")
        first, second = delivery.lots
        assert delivery.foreign().status_code == 302
        assert _issue(delivery.client, first, "own_control", quantity="10").status_code == 302
        assert self.REFUSED in _issue(delivery.client, second, "own_control", quantity="10").text
        other = world.client(world.actor(OrganisationKind.BUYER, RoleName.BUYER, "530302", name="曲靖好果行"))
        sent = {"consignee": "曲靖好果行", "organisation": "曲靖好果行", "departed_at": "2026-11-05T09:30"}
        assert delivery.seller.post("/shipments/new", data=sent | {f"q-{first}": "100"}).status_code == 302
        assert self.REFUSED in _issue(other, first, "own_control", quantity="10").text

    def test_with_a_shipment_that_was_withdrawn_does_not_count(self, world: World) -> None:
        delivery = Delivery(world)
        assert delivery.collect(_newest(world).number).status_code == 302
        delivery.send("2026-11-06")
        assert delivery.seller.post(f"{delivery.page}/withdraw", data={"reason": "填错"}).status_code == 302
        assert self.REFUSED in _issue(delivery.client, delivery.lots[0], "own_control", quantity="10").text
