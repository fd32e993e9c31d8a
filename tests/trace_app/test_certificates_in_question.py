"""Certificates that no longer hold say so wherever they are met: of recalled lots, resting on withdrawn ones, withdrawn
with a newer one; and their numbers are found however they are typed."""

from __future__ import annotations

import pytest

from tests.trace_app.test_collecting import Delivery, _kept
from tests.trace_app.test_commitments import _issue, _newest
from tests.world import World
from trace_app.batches.models import Batch
from trace_app.certificates.models import CommitmentCertificate
from trace_app.extensions import db
from trace_app.findings.models import Finding
from trace_app.release import service as release


def _findings(world: World, lot: int) -> list[str]:
    with world.writing():
        release.check_lot(db.session.get_one(Batch, lot))
        db.session.flush()
        query = db.select(Finding.rule).filter_by(batch_id=lot).where(Finding.gone_at.is_(None))
        return list(db.session.scalars(query))


@pytest.mark.parametrize("by", ["number", "label"])
def test_of_a_recalled_lot_none_is_collected_or_offered(world: World, by: str) -> None:
    delivery = Delivery(world)
    row = _newest(world)
    typed = row.number if by == "number" else world.code(world.run(delivery.maker, delivery.lots[0], 1))
    world.recall(world.regulator(), delivery.lots[0])
    page = delivery.client.get(delivery.path).text
    assert "供货方在本平台开具了" not in page
    refused = delivery.collect(typed)
    assert refused.status_code == 422
    assert "已召回，它的合格证不再有效" in refused.text
    assert f'value="{typed}"' in refused.text
    assert _kept(world) == []


def test_a_buyers_certificate_is_in_question_until_it_keeps_a_valid_one(world: World) -> None:
    delivery = Delivery(world)
    [lot] = delivery.lots
    first = _newest(world)
    assert delivery.collect(first.number).status_code == 302
    assert _issue(delivery.client, lot, "own_control", quantity="10").status_code == 302
    bought = _newest(world)
    path = f"/commitments/{bought.number}"
    public = world.client()
    assert "待核实" not in public.get(path).text
    assert "commitment_in_question" not in _findings(world, lot)
    assert delivery.seller.post(f"/commitments/{first.id}/withdraw", data={"reason": "开错"}).status_code == 302
    assert "所依据的合格证已作废，此证待核实" in public.get(path).text
    assert "commitment_in_question" in _findings(world, lot)
    assert "此证待核实" in delivery.client.get(f"/batches/{lot}/commitments").text
    assert "此证待核实" in delivery.client.get("/shipments/new").text
    sent = {"consignee": "小店", "departed_at": "2026-11-06T08:30", f"q-{lot}": "1"}
    assert "待核实" in delivery.client.post("/shipments/new", data=sent, follow_redirects=True).text
    desk = world.client(world.regulator())
    assert "此证待核实" in desk.get(f"/desk?q={bought.number}").text
    assert "已作废" in desk.get(f"/desk?q={first.number}").text
    assert _issue(delivery.seller, lot, "own_control").status_code == 302
    assert delivery.collect(_newest(world).number).status_code == 302
    assert "待核实" not in public.get(path).text
    assert "commitment_in_question" not in _findings(world, lot)
    for page in (f"/batches/{lot}/commitments", "/shipments/new"):
        assert "待核实" not in delivery.client.get(page).text


def test_the_code_of_a_withdrawn_one_says_why_and_leads_to_the_newer(world: World) -> None:
    delivery = Delivery(world)
    [lot] = delivery.lots
    first = _newest(world)
    assert delivery.seller.post(f"/commitments/{first.id}/withdraw", data={"reason": "数量写错"}).status_code == 302
    code = first.facts["url"].rsplit("/", 1)[1]
    alone = world.client().get(f"/{code}")
    assert alone.status_code == 410
    assert "数量写错" in alone.text
    assert "现在有效的是" not in alone.text
    assert _issue(delivery.seller, lot, "own_control").status_code == 302
    newer = _newest(world)
    page = world.client().get(f"/{code}").text
    assert f'href="/commitments/{newer.number}"' in page
    assert "请先不要食用" not in page


@pytest.mark.parametrize("how", ["lower", "no dashes", "spaces", "full width", "caption"])
def test_its_number_is_found_however_it_is_typed(world: World, how: str) -> None:
    delivery = Delivery(world)
    number = _newest(world).number
    typed = {
        "lower": number.lower(),
        "no dashes": number.replace("-", ""),
        "spaces": number.replace("-", " "),
        "full width": "".join(chr(ord(sign) + 0xFEE0) for sign in number),
        "caption": f"编号：{number}",
    }[how]
    page = world.client().get(f"/commitments/{typed}")
    assert page.status_code == 200
    assert number in page.text
    assert delivery.collect(typed).status_code == 302
    for officer, found in ((world.regulator("530324"), True), (world.regulator("530381"), False)):
        hits = world.client(officer).get("/desk/search", query_string={"q": typed}).text
        assert (f'href="/commitments/{number}"' in hits) is found


def test_numbers_that_are_none_are_not_found(world: World) -> None:
    Delivery(world)
    for typed in ("530324", "x", "530324-2026"):
        assert world.client().get(f"/commitments/{typed}").status_code == 404
    with world.app.app_context():
        assert db.session.query(CommitmentCertificate).count() == 1
