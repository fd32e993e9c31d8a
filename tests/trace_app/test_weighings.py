"""The scales: a lot of many households, weighing by weighing, and back from the household to its lots."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pypdfium2
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.world import Actor, World, at_once
from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Site
from trace_app.extensions import db
from trace_app.flow.genealogy.service import link_lots
from trace_app.flow.ledger.service import left_of
from trace_app.weighings.models import Weighing

JSON = {"Accept": "application/json"}
DAY = "2025-11-06"


@pytest.fixture
def cooperative(world: World) -> Actor:
    return world.producer()


def _weigh(client: FlaskClient, lot: int, household: int, quantity: str = "120", **more: str) -> Any:
    data = {"household_id": str(household), "quantity": quantity, "happened_on": DAY, **more}
    return client.post(f"/field/weighings/{lot}", data=data)


def _quantity(world: World, lot: int) -> Decimal:
    with world.app.app_context():
        batch = db.session.get_one(Batch, lot)
        assert left_of(lot, batch.producer_id) == batch.quantity
        return batch.quantity


def _rows(world: World) -> list[Weighing]:
    with world.app.app_context():
        return list(db.session.scalars(db.select(Weighing).order_by(Weighing.id)))


def _trace(world: World, run: int, language: str = "zh") -> str:
    return world.client(language=language).get(f"/{world.code(run)}").text


def test_a_lot_is_as_much_as_was_weighed_of_forty_households(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative, lot_number="JIANG-1")
    assert "登记的数量是 8,600 公斤" in client.get(f"/field/weighings/{lot}").text
    households = [world.member(cooperative, f"张家{number}") for number in range(40)]
    for number, household in enumerate(households):
        assert _weigh(client, lot, household, str(100 + number)).status_code == 302
    assert _quantity(world, lot) == sum(range(100, 140))
    page = client.get(f"/field/weighings/{lot}").text
    assert "4,780 公斤" in page
    assert "40 户" in page


def test_who_was_at_the_scales_last_stands_first(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    first, second = world.member(cooperative, "张家"), world.member(cooperative, "李家")
    _weigh(client, lot, second)
    page = client.get(f"/field/weighings/{lot}").text
    assert page.index(f'id="household-{second}"') < page.index(f'id="household-{first}"')


def test_a_lot_begins_without_a_quantity_by_its_first_weighing(world: World, cooperative: Actor) -> None:
    client, household = world.client(cooperative), world.member(cooperative, "张家")
    facts = {
        "product_id": world.product(cooperative),
        "site_id": world.site(cooperative),
        "lot_number": "SHOU-1",
        "unit": "kg",
        "started_on": "2025-03-12",
        "household_id": household,
        "quantity": "300斤",
        "happened_on": DAY,
    }
    refused = client.post("/field/weighings/new", data=facts | {"household_id": ""})
    assert refused.status_code == 422
    assert "SHOU-1" in refused.text
    made = client.post("/field/weighings/new", data=facts)
    assert made.status_code == 302, made.text
    lot = int(made.location.rsplit("/", 1)[1])
    assert _quantity(world, lot) == 150


def test_a_lot_that_waited_on_a_phone_is_registered_once(world: World, cooperative: Actor) -> None:
    client, household = world.client(cooperative), world.member(cooperative, "张家")
    facts = {
        "product_id": world.product(cooperative),
        "site_id": world.site(cooperative),
        "lot_number": "SHOU-2",
        "unit": "kg",
        "started_on": "2025-03-12",
        "household_id": household,
        "quantity": "120",
        "happened_on": DAY,
        "entry_key": "k-new",
    }
    assert 'id="entry"' in client.get("/field/weighings/new").text
    refused = client.post("/field/weighings/new", data=facts | {"quantity": "0"}, headers=JSON)
    assert refused.status_code == 422
    assert "第一磅的重量" in refused.json["errors"]
    answers = [client.post("/field/weighings/new", data=facts, headers=JSON) for _time in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json == answers[1].json
    [row] = _rows(world)
    assert _quantity(world, row.batch_id) == 120
    for more in ({"lot_number": "SHOU-3"}, {"quantity": "121"}):
        assert client.post("/field/weighings/new", data=facts | more, headers=JSON).status_code == 422
    assert len(_rows(world)) == 1


def test_a_weighing_that_is_sent_twice_is_written_once(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    household = world.member(cooperative, "张家")
    data = {"household_id": household, "quantity": "120", "happened_on": DAY, "entry_key": "k-1"}
    answers = [client.post(f"/field/weighings/{lot}", data=data, headers=JSON) for _time in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json["id"] == answers[1].json["id"]
    assert len(_rows(world)) == 1
    other = client.post(f"/field/weighings/{lot}", data=data | {"quantity": "121"}, headers=JSON)
    assert other.status_code == 422
    assert "先前已经记过" in other.json["messages"][0]


def test_what_comes_after_the_lot_was_released_with_a_key_of_before_is_not_refused(
    world: World, cooperative: Actor
) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    household = world.member(cooperative, "张家")
    data = {"household_id": household, "quantity": "120", "happened_on": DAY, "entry_key": "k-1"}
    assert client.post(f"/field/weighings/{lot}", data=data, headers=JSON).status_code == 201
    world.complete(cooperative, lot)
    assert client.post(f"/batches/{lot}/release").status_code == 302
    assert client.post(f"/field/weighings/{lot}", data=data, headers=JSON).status_code == 201
    fresh = client.post(f"/field/weighings/{lot}", data=data | {"entry_key": "k-2"}, headers=JSON)
    assert fresh.status_code == 422
    assert "已放行，不能再过磅" in fresh.json["messages"][0]
    assert len(_rows(world)) == 1


def test_weighing_at_once_loses_nothing(world: World, cooperative: Actor) -> None:
    lot = world.batch(cooperative)
    households = [world.member(cooperative, f"张家{number}") for number in range(6)]
    clients = [world.client(cooperative) for _household in households]
    answers = at_once(
        [
            lambda client=client, household=household: _weigh(client, lot, household, "10").status_code
            for client, household in zip(clients, households, strict=True)
        ]
    )
    assert answers == [302] * 6
    assert _quantity(world, lot) == 60


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"quantity": "0"}, "须在 0.001 到"),
        ({"quantity": "abc"}, "error"),
        ({"household_id": ""}, "请"),
        ({"household_id": "99999"}, "没有"),
        ({"happened_on": "2999-01-01"}, "日期不能晚于今天"),
        ({"happened_on": "2025-01-01"}, "早于批次的开始日期"),
    ],
)
def test_a_wrong_weighing_is_refused_beside_its_field(
    world: World, cooperative: Actor, typed: dict[str, str], told: str
) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    household = world.member(cooperative, "张家")
    answer = _weigh(client, lot, household, **typed)
    assert answer.status_code == 422
    assert told in answer.text
    assert not _rows(world)
    assert _quantity(world, lot) == 8600


def test_another_cooperatives_household_is_not_weighed(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    world.member(cooperative, "张家")
    foreign = world.member(world.producer(), "别家")
    assert _weigh(client, lot, foreign).status_code == 422


def test_who_has_left_is_not_weighed_and_what_it_brought_before_is(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    household = world.member(cooperative, "张家")
    _weigh(client, lot, household)
    client.post(f"/households/{household}/leave", data={"left_on": "2025-12-01"})
    assert f'id="household-{household}"' not in client.get(f"/field/weighings/{lot}").text
    correct = client.get(f"/weighings/{_rows(world)[0].id}/correct").text
    assert "张家" in correct


def test_nobody_leaves_before_it_was_last_at_the_scales(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    household = world.member(cooperative, "张家")
    _weigh(client, lot, household)
    early = client.post(f"/households/{household}/leave", data={"left_on": "2025-11-05"})
    assert early.status_code == 422
    assert f"{DAY} 还有这一户的过磅" in early.text
    assert client.post(f"/households/{household}/leave", data={"left_on": DAY}).status_code == 302


def test_weighing_ends_with_release_and_recall_and_the_page_says_so(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    household = world.member(cooperative, "张家")
    _weigh(client, lot, household)
    world.complete(cooperative, lot)
    client.post(f"/batches/{lot}/release")
    assert "已放行，不能再过磅" in client.get(f"/field/weighings/{lot}").text
    recalled = world.batch(cooperative)
    world.recall(world.regulator("530324"), recalled)
    assert "已召回" in client.get(f"/field/weighings/{recalled}").text
    for one in (lot, recalled):
        assert _weigh(client, one, household).status_code == 422
    assert len(_rows(world)) == 1


def _correct(client: FlaskClient, weighing: int, household: int, quantity: str, reason: str = "看错了") -> Any:
    data = {"household_id": household, "quantity": quantity, "happened_on": DAY, "reason": reason}
    return client.post(f"/weighings/{weighing}/correct", data=data)


def test_a_correction_is_a_row_of_its_own_and_the_quantity_follows(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    first, second = world.member(cooperative, "张家"), world.member(cooperative, "李家")
    _weigh(client, lot, first, "100")
    _weigh(client, lot, second, "50")
    wrong, other = (row.id for row in _rows(world))
    assert _correct(client, wrong, first, "80", reason="").status_code == 422
    assert _correct(client, wrong, first, "80").status_code == 302
    assert _quantity(world, lot) == 130
    again = _correct(client, wrong, first, "70")
    assert "已经更正过" in again.text
    assert _correct(client, other, second, "0", "重复记了").status_code == 302
    assert _quantity(world, lot) == 80
    page = client.get(f"/batches/{lot}/weighings").text
    for text in ("看错了", "重复记了", "已更正"):
        assert text in page
    last = _correct(client, _rows(world)[2].id, first, "0")
    assert "唯一的一磅" in last.text


def test_after_release_the_household_is_corrected_and_the_sum_stays_what_was_sold(
    world: World, cooperative: Actor
) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    first, second = world.member(cooperative, "张家"), world.member(cooperative, "李家")
    _weigh(client, lot, first, "100")
    world.complete(cooperative, lot)
    client.post(f"/batches/{lot}/release")
    less = _correct(client, _rows(world)[0].id, first, "90")
    assert "少于已放行的批次数量" in less.text
    assert _correct(client, _rows(world)[0].id, second, "100", "记错户了").status_code == 302
    assert client.get(f"/households/{second}").text.count(f"/batches/{lot}") == 1
    assert f"/batches/{lot}" not in client.get(f"/households/{first}").text


def _edited(world: World, client: FlaskClient, lot: int, path: str, **facts: str) -> Any:
    with world.app.app_context():
        row = db.session.get_one(Batch, lot)
        names = ("product_id", "site_id", "lot_number", "unit", "started_on", "produced_on", "quantity")
        data = {name: str(getattr(row, name)) for name in names}
    return client.post(f"/batches/{lot}/{path}", data=data | facts)


def test_a_weighed_lots_quantity_is_not_typed(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    _weigh(client, lot, world.member(cooperative, "张家"), "100")
    for facts, told in (({"quantity": "99"}, "不能另填"), ({"unit": "t"}, "")):
        refused = _edited(world, client, lot, "edit", **facts)
        assert refused.status_code == 422
        assert told in refused.text
    assert _edited(world, client, lot, "edit", lot_number="NEU-1").status_code == 302
    world.complete(cooperative, lot)
    client.post(f"/batches/{lot}/release")
    more = _edited(world, client, lot, "correct", quantity="101", reason="多了")
    assert "不能比它多" in more.text
    assert _edited(world, client, lot, "correct", quantity="96", reason="洗后去土").status_code == 302
    assert _quantity(world, lot) == 96


def test_a_plot_is_said_only_of_the_household_that_tills_it(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    site = world.site(cooperative, name="3 号地块")
    first, second = world.member(cooperative, "张家"), world.member(cooperative, "李家")
    client.post(f"/households/{first}/plots", data={"site_id": site, "begins_on": "2025-01-01"})
    refused = _weigh(client, lot, second, plot_id=str(site))
    assert "不是这一户耕种的" in refused.text
    assert _weigh(client, lot, first, plot_id=str(site)).status_code == 302


def test_in_english_plots_have_their_english_names(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative, language="en"), world.batch(cooperative)
    site, household = world.site(cooperative, name="3 号地块"), world.member(cooperative, "张家")
    with world.writing():
        db.session.get_one(Site, site).name_en = "Plot 3"
    client.post(f"/households/{household}/plots", data={"site_id": site, "begins_on": "2025-01-01"})
    page = client.get(f"/field/weighings/{lot}").text
    assert "张家: Plot 3" in page
    assert "Farm household</legend>" in page
    assert "<h1>Farm households</h1>" in client.get("/households").text


def _lots_of(client: FlaskClient, household: int) -> list[str]:
    page = client.get(f"/households/{household}").text
    return [part.split("</a>")[0] for part in page.split('<a class="whole"')[1:] for part in [part.split(">", 1)[1]]]


def test_all_lots_of_a_household_are_found_with_what_was_made_of_them(world: World, cooperative: Actor) -> None:
    client, household = world.client(cooperative), world.member(cooperative, "张家")
    weighed = world.batch(cooperative, lot_number="A-WEIGHED")
    made = world.batch(cooperative, lot_number="B-MADE-OF-IT")
    plot = world.site(cooperative)
    client.post(f"/households/{household}/plots", data={"site_id": plot, "begins_on": "2025-05-01"})
    world.batch(cooperative, lot_number="C-OF-ITS-PLOT", site_id=plot)
    world.batch(cooperative, lot_number="D-BEFORE", site_id=plot, started_on="2024-03-01", produced_on="2024-11-01")
    world.batch(cooperative, lot_number="E-OTHERS")
    _weigh(client, weighed, household)
    with world.writing():
        user = db.session.get_one(User, cooperative.user_id)
        source, target = (db.session.get_one(Batch, one) for one in (weighed, made))
        link_lots(user, source, target, quantity=Decimal(10), happened_on=date(2025, 11, 6))
    assert set(_lots_of(client, household)) == {"A-WEIGHED", "B-MADE-OF-IT", "C-OF-ITS-PLOT"}
    listed = client.get(f"/api/v1/households/{household}/batches", headers=world.token(cooperative)).json["items"]
    assert {item["batch"]["lot_number"]: item["direct"] for item in listed} == {
        "A-WEIGHED": True,
        "B-MADE-OF-IT": False,
        "C-OF-ITS-PLOT": True,
    }
    assert next(item["quantity"] for item in listed if item["batch"]["lot_number"] == "A-WEIGHED") == "120.000"


def test_a_lots_site_is_corrected_and_what_was_weighed_of_a_plot_stays(world: World, cooperative: Actor) -> None:
    client, household = world.client(cooperative), world.member(cooperative, "张家")
    plot, other = world.site(cooperative, name="老地"), world.site(cooperative, name="新地")
    client.post(f"/households/{household}/plots", data={"site_id": plot, "begins_on": "2025-01-01"})
    lot = world.batch(cooperative, site_id=plot)
    _weigh(client, lot, household, plot_id=str(plot))
    assert _edited(world, client, lot, "edit", site_id=str(other)).status_code == 302
    assert "老地" in client.get(f"/batches/{lot}/weighings").text
    scope = world.client(world.regulator("530324")).get("/recalls/scope", query_string={"site": "老地"}).text
    assert f"/batches/{lot}/" in scope


@pytest.mark.parametrize("by", ["household", "site"])
def test_a_household_or_a_plot_is_a_recalls_scope(world: World, cooperative: Actor, by: str) -> None:
    client, household = world.client(cooperative), world.member(cooperative, "张家", number="S-007")
    plot = world.site(cooperative, name="张家后坡")
    client.post(f"/households/{household}/plots", data={"site_id": plot, "begins_on": "2025-01-01"})
    hit = world.batch(cooperative, lot_number="HIT-1")
    world.batch(cooperative, lot_number="MISS-1")
    _weigh(client, hit, household, plot_id=str(plot))
    officer = world.client(world.regulator("530324"))
    asked = {"household": "S-007"} if by == "household" else {"site": "后坡"}
    page = officer.get("/recalls/scope", query_string=asked).text
    assert "HIT-1" in page
    assert "MISS-1" not in page
    elsewhere = world.client(world.regulator("530381")).get("/recalls/scope", query_string=asked).text
    assert "HIT-1" not in elsewhere


def test_the_trace_page_says_how_many_households_and_names_who_agreed_at_once(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative)
    first = world.member(cooperative, "张家德", phone="13800000007", village="示例村 9 组")
    second = world.member(cooperative, "李家福", phone="13800000008", village="示例村 9 组")
    _weigh(client, lot, first)
    _weigh(client, lot, second)
    world.complete(cooperative, lot)
    client.post(f"/batches/{lot}/release")
    run = world.run(cooperative, lot)
    assert "由 2 户供货" in _trace(world, run)
    assert "from 2 households" in _trace(world, run, "en")

    def say(agreed: str) -> str:
        client.post(f"/households/{first}/consents", data={"agreed": agreed, "told_on": DAY})
        return _trace(world, run)

    named = say("yes")
    assert "张家德等，由 2 户供货" in named
    for secret in ("李家福", "13800000007", "13800000008", "示例村"):
        assert secret not in named
    shown = world.client().get(f"/api/v1/trace/{world.code(run)}").json["suppliers"]
    assert shown == {"count": 2, "names": ["张家德"]}
    taken_back = say("no")
    assert "张家德" not in taken_back
    assert "由 2 户供货" in taken_back


def test_a_household_gets_its_slip(world: World, cooperative: Actor) -> None:
    client, lot = world.client(cooperative), world.batch(cooperative, lot_number="SLIP-1")
    household = world.member(cooperative, "张家")
    _weigh(client, lot, household, "120.5")
    table = client.get(f"/households/{household}/weighings.csv").data.decode("utf-8-sig")
    assert "SLIP-1" in table
    assert "120.5" in table
    pdf = pypdfium2.PdfDocument(client.get(f"/households/{household}/weighings.pdf").data)
    text = pdf[0].get_textpage().get_text_range()
    assert "120.5" in text
    assert "SLIP-1" in text
    whole = client.get(f"/batches/{lot}/weighings.csv").data.decode("utf-8-sig")
    assert "张家" in whole


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("another's lot", {"batch_id": "foreign_lot"}),
    ("another's household", {"household_id": "foreign_household"}),
    ("another's plot", {"site_id": "foreign_site"}),
    ("a released lot", {"batch_id": "released"}),
    ("nothing", {"quantity": Decimal(0)}),
    ("less than nothing", {"quantity": Decimal(-1)}),
    ("a reason without a correction", {"reason": "错"}),
    ("a correction of another lot's weighing", {"replaces_id": "other_weighing", "reason": "错"}),
    ("a correction without a reason", {"replaces_id": "weighing"}),
    ("a key again", {"entry_key": "k-1"}),
]


@pytest.mark.parametrize(("what", "facts"), WRONG, ids=[what for what, _facts in WRONG])
def test_the_database_refuses_what_contradicts_itself(
    world: World, cooperative: Actor, what: str, facts: dict[str, Any]
) -> None:
    other = world.producer()
    lot, second = world.batch(cooperative), world.batch(cooperative)
    household = world.member(cooperative, "张家")
    known: dict[str, Any] = {
        "foreign_lot": world.batch(other),
        "foreign_household": world.member(other, "别家"),
        "foreign_site": world.site(other),
        "released": world.released(cooperative),
        "weighing": world.weigh(cooperative, lot, household, "10"),
        "other_weighing": world.weigh(cooperative, second, household, "10"),
    }
    values = {
        "producer_id": cooperative.organisation_id,
        "batch_id": lot,
        "household_id": household,
        "quantity": Decimal(5),
        "happened_on": date(2025, 11, 6),
        "reason": "",
        "created_at": sa.func.current_timestamp(),
    }
    table = Weighing.__table__
    with world.app.app_context():
        with db.engine.begin() as connection:
            connection.execute(sa.insert(table).values(values | {"entry_key": "k-1"}))
        wrong = {name: known.get(value, value) if isinstance(value, str) else value for name, value in facts.items()}
        with pytest.raises(sa.exc.IntegrityError), db.engine.begin() as connection:
            connection.execute(sa.insert(table).values(values | wrong))
