"""Agriculture and market supervision: what an authority is of, who leads a case, and who is told first."""

import pytest
import sqlalchemy as sa

from tests.trace_app.test_places import ORGANISATION
from tests.world import Actor, World
from trace_app.accounts.models import Branch, Organisation, OrganisationKind, RoleName
from trace_app.catalogue.models import ProductKind
from trace_app.extensions import db
from trace_app.messages.models import Delivery

NOTICE = {"level": "2", "reason": "标签不符", "advice": "停止食用"}


def _market(world: World, jurisdiction: str = "530324") -> Actor:
    facts = {"jurisdiction_code": jurisdiction, "branch": Branch.MARKET, "name": f"{jurisdiction} 市场监督管理局"}
    return world.actor(OrganisationKind.REGULATOR, RoleName.REGULATOR, "530324", **facts)


def _addresses(world: World) -> list[str]:
    """Whom messages were written to, in their order."""
    with world.app.app_context():
        return [address or "" for address in db.session.scalars(db.select(Delivery.address).order_by(Delivery.id))]


def test_each_kind_says_who_leads(world: World) -> None:
    with world.app.app_context():
        led = {kind.code: kind.led_by for kind in db.session.scalars(db.select(ProductKind))}
    market = {code for code, branch in led.items() if branch is Branch.MARKET}
    assert market == {"ham", "ham_mooncake"}
    assert set(led) - market == {"ginger", "honey", "coix"}


@pytest.mark.parametrize(("kind", "branch"), [("ham", "市场监管"), ("ginger", "农业农村")])
def test_a_case_shows_who_leads_it_before_and_after(world: World, kind: str, branch: str) -> None:
    officer, market = world.regulator(), _market(world)
    lot = world.released(world.producer(), kind)
    client = world.client(officer)
    before = client.get(f"/batches/{lot}/recall").text
    number = client.post(f"/batches/{lot}/recall", data=NOTICE).location.split("/")[2]
    for page in (before, client.get(f"/recalls/{number}/manage").text):
        lead = page.split("牵头部门")[1].split("</dd>")[0]
        assert branch in lead
        assert ("市场监督管理局" in lead) == (kind == "ham")
    assert world.client(market).get(f"/recalls/{number}/manage").status_code == 200


def test_where_the_leading_branch_is_not_registered_the_case_says_so(world: World) -> None:
    officer, lot = world.regulator(), world.released(world.producer(), "ham")
    assert "本平台未登记，请另行通报" in world.client(officer).get(f"/batches/{lot}/recall").text


def test_either_may_stop_goods_and_the_one_that_leads_is_told_at_once(world: World) -> None:
    officer, market, elsewhere = world.regulator(), _market(world), _market(world, "530381")
    ham, ginger = (world.released(world.producer(), kind) for kind in ("ham", "ginger"))
    hold = NOTICE | {"kind": "hold"}
    assert world.client(officer).post(f"/batches/{ham}/recall", data=hold).status_code == 302
    assert f"{market.username}@example.org" in _addresses(world)
    assert f"{elsewhere.username}@example.org" not in _addresses(world)
    assert f"{officer.username}@example.org" not in _addresses(world)
    assert world.client(market).post(f"/batches/{ginger}/recall", data=hold).status_code == 302
    assert f"{officer.username}@example.org" in _addresses(world)
    assert world.client(elsewhere).post(f"/batches/{ginger}/recall", data=hold).status_code == 404


def test_who_leads_is_not_told_of_what_it_did_itself(world: World) -> None:
    market = _market(world)
    ham = world.released(world.producer(), "ham")
    assert world.client(market).post(f"/batches/{ham}/recall", data=NOTICE).status_code == 302
    assert f"{market.username}@example.org" not in _addresses(world)


@pytest.mark.parametrize("kind", ["ham", "ginger"])
def test_of_a_producers_own_recall_the_one_that_leads_is_told_first(world: World, kind: str) -> None:
    officer = world.regulator()
    market = _market(world)
    grower = world.producer()
    lot = world.released(grower, kind)
    assert world.client(grower).post(f"/batches/{lot}/recall", data=NOTICE).status_code == 302
    both = [f"{actor.username}@example.org" for actor in (officer, market)]
    told = [address for address in _addresses(world) if address in both]
    assert told == (both[::-1] if kind == "ham" else both)


def test_an_administrator_says_the_branch_of_an_authority_and_of_no_one_else(world: World) -> None:
    client = world.client(world.administrator())
    data = ORGANISATION | {"division_code": "530324", "branch": "market"}
    answer = client.post(
        "/admin/organisations/new", data=data | {"kind": "regulator", "jurisdiction_code": "530324", "name": "市监局"}
    )
    assert answer.status_code == 302, answer.text
    assert "市场监管" in client.get(answer.location).text
    assert client.post("/admin/organisations/new", data=data | {"kind": "buyer", "name": "店"}).status_code == 302
    refused = client.post("/admin/organisations/new", data=data | {"kind": "buyer", "name": "店二", "branch": "police"})
    assert refused.status_code == 422
    assert 'id="branch-error"' in refused.text
    with world.app.app_context():
        rows = {row.name: row.branch for row in db.session.scalars(db.select(Organisation))}
        assert rows["市监局"] is Branch.MARKET
        assert rows["店"] is Branch.AGRICULTURE


def test_the_database_holds_it(world: World) -> None:
    grower = world.producer()
    for values in ({"branch": "police"}, {"branch": "market"}):
        with world.app.app_context(), pytest.raises(sa.exc.IntegrityError):
            db.session.execute(
                sa.text("UPDATE organisations SET branch = :branch WHERE id = :id"),
                values | {"id": grower.organisation_id},
            )
    with world.app.app_context(), pytest.raises(sa.exc.IntegrityError):
        db.session.execute(sa.text("UPDATE product_kinds SET led_by = 'police'"))
