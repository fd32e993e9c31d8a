"""A cooperative's households: the register, its table, their plots, and what they agreed to."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
import sqlalchemy as sa
import xlsxwriter
from flask.testing import FlaskClient

from tests.world import Actor, World
from trace_app.accounts.models import AuditEvent
from trace_app.extensions import db
from trace_app.households.models import Household, HouseholdConsent, SiteTenure
from trace_app.phones import NotAPhone, read_phone

FORM = {
    "name": "示例·张大伯",
    "village": "板桥镇示例村 2 组",
    "number": "A-01",
    "phone": "+86 138 0000 0001",
    "note": "旱地",
}


def _register(client: FlaskClient, **facts: str) -> int:
    answer = client.post("/households/new", data=FORM | facts)
    assert answer.status_code == 302, answer.text
    return int(answer.location.rsplit("/", 1)[1])


def _rows(world: World, model: Any) -> list[Any]:
    with world.app.app_context():
        return list(db.session.scalars(db.select(model).order_by(model.id)))


@pytest.fixture
def cooperative(world: World) -> Actor:
    return world.producer()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("13800000001", "13800000001"),
        ("+86 138-0000-0001", "13800000001"),
        ("８６１３８００００００１１", "13800000011"),
        ("0086 13800000001", "13800000001"),
        ("(0874) 8210000", "08748210000"),
    ],
)
def test_a_telephone_number_is_one_however_it_is_written(typed: str, kept: str) -> None:
    assert read_phone(typed) == kept


@pytest.mark.parametrize("typed", ["1380000000", "23800000001", "张三", "138000000011", "+1 202 555 0100"])
def test_what_is_no_telephone_number_of_china_is_none(typed: str) -> None:
    with pytest.raises(NotAPhone):
        read_phone(typed)


def test_a_household_is_registered_found_and_changed(world: World, cooperative: Actor) -> None:
    client = world.client(cooperative)
    household_id = _register(client)
    page = client.get(f"/households/{household_id}").text
    for text in ("示例·张大伯", "板桥镇示例村 2 组", "13800000001", "旱地"):
        assert text in page
    for search in ("张大", "示例村", "A-01", "0000001"):
        assert "示例·张大伯" in client.get("/households", query_string={"q": search}).text
    assert "示例·张大伯" not in client.get("/households?q=李").text
    client.post(f"/households/{household_id}/edit", data=FORM | {"name": "示例·张大娘"})
    assert "示例·张大娘" in client.get("/households").text


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"name": ""}, "请填写此项"),
        ({"village": ""}, "请填写此项"),
        ({"phone": "12345"}, "11 位手机号"),
        ({"name": "另一户"}, "已是另一户的"),
        ({"number": ""}, "请给它们不同的编号"),
        ({"number": "A-02"}, None),
        ({"name": "张" * 41}, "最多 40 个字"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_and_nothing_typed_is_lost(
    world: World, cooperative: Actor, facts: dict[str, str], told: str | None
) -> None:
    client = world.client(cooperative)
    _register(client)
    answer = client.post("/households/new", data=FORM | facts)
    if told is None:
        assert answer.status_code == 302
        return
    assert answer.status_code == 422
    assert told in answer.text
    assert (facts.get("phone") or FORM["phone"]) in answer.text
    assert len(_rows(world, Household)) == 1


def test_two_of_one_name_in_a_village_are_told_apart_by_their_numbers(world: World, cooperative: Actor) -> None:
    client = world.client(cooperative)
    first = _register(client, number="")
    twin = client.post("/households/new", data=FORM | {"number": ""})
    assert "请给它们不同的编号" in twin.text
    numbered = client.post("/households/new", data=FORM | {"number": "A-02"})
    assert "请先给那一户填上编号" in numbered.text
    client.post(f"/households/{first}/edit", data=FORM | {"number": "A-01"})
    _register(client, number="A-02")


def test_another_cooperative_has_numbers_of_its_own(world: World, cooperative: Actor) -> None:
    _register(world.client(cooperative))
    _register(world.client(world.producer()))


def test_who_has_left_is_in_a_list_of_its_own_and_comes_back(world: World, cooperative: Actor) -> None:
    client = world.client(cooperative)
    household_id = _register(client)
    early = client.post(f"/households/{household_id}/leave", data={"left_on": "2999-12-01"})
    assert "日期不能晚于今天" in early.text
    client.post(f"/households/{household_id}/leave", data={"left_on": "2025-12-01"})
    assert "示例·张大伯" not in client.get("/households").text
    assert "示例·张大伯" in client.get("/households?state=left").text
    client.post(f"/households/{household_id}/return")
    assert "示例·张大伯" in client.get("/households").text


def test_a_name_and_telephone_stay_out_of_the_trail(world: World, cooperative: Actor) -> None:
    client = world.client(cooperative)
    household_id = _register(client)
    client.post(f"/households/{household_id}/edit", data=FORM | {"phone": "13900000009", "name": "示例·王家"})
    facts = json.dumps([event.facts for event in _rows(world, AuditEvent)], ensure_ascii=False)
    assert "phone" in facts
    for secret in ("13800000001", "13900000009", "张大伯", "王家"):
        assert secret not in facts


def test_the_register_is_the_cooperatives_and_its_authoritys_alone(world: World, cooperative: Actor) -> None:
    household_id = _register(world.client(cooperative))
    assert world.client(world.regulator("530324")).get(f"/households/{household_id}").status_code == 200
    for other in (world.producer(), world.regulator("530381")):
        assert world.client(other).get(f"/households/{household_id}").status_code == 404
    seen = world.client(world.regulator("530324")).get(f"/households/{household_id}").text
    assert "旱地" not in seen


def _table(rows: list[dict[str, str]], client: FlaskClient) -> dict[str, Any]:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet("农户")
    heads = ["户主姓名 *", "村组 *", "社员编号", "电话", "备注", "耕种地块", "从哪天起耕种"]
    sheet.write_row(0, 0, heads)
    for number, row in enumerate(rows, start=1):
        sheet.write_row(number, 0, [row.get(head.split(" ")[0], "") for head in heads])
    book.close()
    return {"what": "households", "file": (io.BytesIO(out.getvalue()), "农户.xlsx")}


def test_a_table_of_households_is_looked_through_then_taken_in(world: World, cooperative: Actor) -> None:
    client = world.client(cooperative)
    world.site(cooperative, name="3 号地块")
    rows = [
        {"户主姓名": f"张家{number}", "村组": "示例村", "社员编号": f"{number:03d}", "电话": "13800000001"}
        for number in range(1, 13)
    ]
    rows[0] |= {"耕种地块": "3 号地块", "从哪天起耕种": "2025-03-01"}
    looked = client.post("/workbooks", data=_table(rows, client))
    assert looked.status_code == 302, looked.text
    assert not _rows(world, Household)
    client.post(f"{looked.location}/all")
    assert [row.number for row in _rows(world, Household)] == [f"{number:03d}" for number in range(1, 13)]
    assert [str(row.begins_on) for row in _rows(world, SiteTenure)] == ["2025-03-01"]
    again = client.post("/workbooks", data=_table(rows, client))
    assert "已经登记过" in client.get(again.location).text


def test_every_bad_cell_of_a_table_of_households_is_named(world: World, cooperative: Actor) -> None:
    client = world.client(cooperative)
    rows = [
        {"户主姓名": "张家1", "村组": "示例村", "电话": "12345"},
        {"户主姓名": "", "村组": "示例村"},
        {"户主姓名": "张家3", "村组": "示例村", "耕种地块": "没有的地", "从哪天起耕种": "2025-03-01"},
        {"户主姓名": "张家4", "村组": "示例村"},
        {"户主姓名": "张家4", "村组": "示例村"},
    ]
    page = client.get(client.post("/workbooks", data=_table(rows, client)).location).text
    for told in ("11 位手机号", "请填写此项", "没有登记过基地“没有的地”", "与第 5 行重复"):
        assert told in page
    places = re.findall(r"<td>农户</td>\s*<td class=\"n\">(\d+)</td>\s*<td>([^<]*)</td>", page)
    assert {("2", "D 电话"), ("3", "A 户主姓名 *"), ("4", "F 耕种地块")} <= set(places)


def test_a_plot_changes_hands_by_rows_that_are_only_added(world: World, cooperative: Actor) -> None:
    client = world.client(cooperative)
    site = world.site(cooperative, name="3 号地块")
    first, second = _register(client), _register(client, name="示例·李家", number="A-02")
    for household_id, day in ((first, "2024-03-01"), (second, "2025-03-01")):
        answer = client.post(f"/households/{household_id}/plots", data={"site_id": site, "begins_on": day})
        assert answer.status_code == 302, answer.text
    of_first, of_second = (client.get(f"/households/{one}").text for one in (first, second))
    assert "至今" in of_second
    assert "至今" not in of_first
    wrong = client.post(f"/households/{first}/plots/{site}/end", data={"ends_on": "2025-06-01"})
    assert "不是这一户耕种的" in wrong.text
    client.post(f"/households/{second}/plots/{site}/end", data={"ends_on": "2025-06-01"})
    assert "至今" not in client.get(f"/households/{second}").text
    assert [(row.household_id, str(row.begins_on)) for row in _rows(world, SiteTenure)] == [
        (first, "2024-03-01"),
        (second, "2025-03-01"),
        (None, "2025-06-01"),
    ]


def test_a_household_tills_plots_of_its_own_cooperative_alone(world: World, cooperative: Actor) -> None:
    client, other = world.client(cooperative), world.producer()
    household_id, foreign = _register(client), world.site(other)
    answer = client.post(f"/households/{household_id}/plots", data={"site_id": foreign, "begins_on": "2025-03-01"})
    assert answer.status_code == 422
    with (
        world.app.app_context(),
        pytest.raises(sa.exc.IntegrityError, match="contradicts"),
        db.engine.begin() as connection,
    ):
        connection.execute(
            sa.insert(SiteTenure.__table__).values(
                site_id=foreign, household_id=household_id, begins_on=sa.func.current_date()
            )
        )


def test_the_word_of_a_household_is_kept_with_who_noted_it_and_can_be_taken_back(
    world: World, cooperative: Actor
) -> None:
    client = world.client(cooperative)
    household_id = _register(client)
    assert "追溯页只写户数" in client.get(f"/households/{household_id}").text
    for agreed, told in (("yes", "追溯页写它的姓名"), ("no", "追溯页只写户数")):
        answer = client.post(f"/households/{household_id}/consents", data={"agreed": agreed, "told_on": "2025-10-01"})
        assert answer.status_code == 302, answer.text
        assert told in client.get(f"/households/{household_id}").text
    assert [(row.agreed, row.noted_by_id) for row in _rows(world, HouseholdConsent)] == [
        (True, cooperative.user_id),
        (False, cooperative.user_id),
    ]
    assert client.post(f"/households/{household_id}/consents", data={"agreed": ""}).status_code == 422


def _say(client: FlaskClient, household_id: int, agreed: str, day: str, **more: str) -> Any:
    return client.post(f"/households/{household_id}/consents", data={"agreed": agreed, "told_on": day, **more})


def test_what_a_household_said_later_stands_whenever_it_is_noted(world: World, cooperative: Actor) -> None:
    client = world.client(cooperative)
    household_id = _register(client)
    assert _say(client, household_id, "no", "2025-10-02").status_code == 302
    older = _say(client, household_id, "yes", "2025-10-01")
    assert older.status_code == 422
    assert "以后来说的为准" in older.text
    assert "追溯页只写户数" in client.get(f"/households/{household_id}").text
    assert len(_rows(world, HouseholdConsent)) == 1


def test_a_word_and_a_plot_that_are_sent_twice_are_noted_once(world: World, cooperative: Actor) -> None:
    client, site = world.client(cooperative), world.site(cooperative)
    household_id = _register(client)
    for _time in range(2):
        assert _say(client, household_id, "yes", "2025-10-01", form_key="k-1").status_code == 302
        plot = {"site_id": site, "begins_on": "2025-03-01", "form_key": "k-2"}
        assert client.post(f"/households/{household_id}/plots", data=plot).status_code == 302
    assert len(_rows(world, HouseholdConsent)) == len(_rows(world, SiteTenure)) == 1


def test_a_plot_is_registered_to_a_household_once_and_to_none_that_has_left(world: World, cooperative: Actor) -> None:
    client, site = world.client(cooperative), world.site(cooperative, name="3 号地块")
    household_id = _register(client)
    place = f"/households/{household_id}/plots"
    assert client.post(place, data={"site_id": site, "begins_on": "2025-03-01"}).status_code == 302
    again = client.post(place, data={"site_id": site, "begins_on": "2025-04-01"})
    assert again.status_code == 422
    assert "已是这一户耕种的" in again.text
    client.post(f"/households/{household_id}/leave", data={"left_on": "2025-12-01"})
    assert "登记一块地" not in client.get(f"/households/{household_id}").text
    refused = client.post(place, data={"site_id": world.site(cooperative), "begins_on": "2025-05-01"})
    assert refused.status_code == 422
    assert "已退社，不能再登记地块" in refused.text
    assert len(_rows(world, SiteTenure)) == 1


def test_a_few_digits_are_a_number_and_more_a_telephone_and_who_left_is_hinted_at(
    world: World, cooperative: Actor
) -> None:
    client = world.client(cooperative)
    _register(client, number="001", phone="13900010009")
    other = _register(client, name="示例·李家", number="002", phone="13900010001")
    assert "示例·李家" not in client.get("/households?q=001").text
    assert "示例·李家" in client.get("/households?q=0001").text
    client.post(f"/households/{other}/leave", data={"left_on": "2025-12-01"})
    page = client.get("/households", query_string={"q": "李"}).text
    assert "另有 1 户已退社" in page
    assert "state=left" in page


def test_numbers_that_are_taken_and_every_fault_of_a_row_are_named_with_their_cells(
    world: World, cooperative: Actor
) -> None:
    client = world.client(cooperative)
    _register(client, number="A-01")
    rows = [
        {"户主姓名": "张家1", "村组": "示例村", "社员编号": "B-01"},
        {"户主姓名": "张家2", "村组": "示例村", "社员编号": "B-01", "电话": "12345"},
        {"户主姓名": "张家3", "村组": "示例村", "社员编号": "A-01"},
        {"户主姓名": "张家1", "村组": "示例村"},
    ]
    page = client.get(client.post("/workbooks", data=_table(rows, client)).location).text
    for told in ("编号与第 2 行相同", "11 位手机号", "“A-01”已是另一户的", "与第 2 行同村同名"):
        assert told in page
    places = re.findall(r"<td>农户</td>\s*<td class=\"n\">(\d+)</td>\s*<td>([^<]*)</td>", page)
    assert places == [("3", "C 社员编号"), ("3", "D 电话"), ("4", "C 社员编号"), ("5", "C 社员编号")]


def test_what_is_no_workbook_is_told_of_on_its_page(world: World, cooperative: Actor) -> None:
    for data in (b"PK\x03\x04 no workbook", b"%PDF-1.7\n", b"\x00\x01\x02" * 99, b"hello", b""):
        table = {"what": "households", "file": (io.BytesIO(data), "农户.xlsx")}
        answer = world.client(cooperative).post("/workbooks", data=table)
        assert answer.status_code == 422, answer.location
        assert 'role="alert"' in answer.text
