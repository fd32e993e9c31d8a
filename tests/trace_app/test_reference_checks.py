"""Reference tables have an owner: where they come from, who checked them and when, and a warning after a year."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest

from tests.world import World
from trace_app.clock import today

TABLES = ("prohibited", "limits", "gi_areas", "commitment_rules", "holidays")
CHECK = {"source": "GB 2763-2021，国家标准全文公开系统", "against": "original", "note": "抽到的都一致"}
NEVER = "这张表还没有人核对过"


def _text(page: str) -> str:
    return re.sub(r"\s+", "", re.sub(r"<[^>]+>", "", page))


@pytest.mark.parametrize("table", TABLES)
def test_every_table_says_where_it_comes_from_and_how_sure_it_is(world: World, table: str) -> None:
    page = world.client(world.regulator()).get(f"/reference/{table}").text
    assert re.search(r"来源：.+。整理于 2026-11-\d\d。.+。", page)
    assert NEVER in page
    assert page.count("待核对") == len(TABLES)


def test_a_check_says_who_when_against_what_and_how_far(world: World) -> None:
    city = world.client(world.administrator())
    assert city.post("/reference/limits/checks", data=CHECK).status_code == 302
    page = world.client(world.regulator()).get("/reference/limits").text
    assert NEVER not in page
    assert f"最近核对：{today()}，" in _text(page)
    for part in ("GB 2763-2021", "逐条对过原文", "某人", "抽到的都一致"):
        assert part in page
    assert page.count("待核对") == len(TABLES) - 1
    assert NEVER in city.get("/reference/prohibited").text
    assert (
        city.post("/reference/limits/checks", data=CHECK | {"against": "summary", "source": "摘要"}).status_code == 302
    )
    again = city.get("/reference/limits").text
    assert "对照摘要，只对过摘要，用前请再核对原文" in _text(again)
    assert "GB 2763-2021" in again


@pytest.mark.parametrize(("days", "warned"), [(365, False), (366, True)])
def test_the_page_warns_after_a_year(world: World, monkeypatch: pytest.MonkeyPatch, days: int, warned: bool) -> None:
    city = world.client(world.administrator())
    assert city.post("/reference/limits/checks", data=CHECK).status_code == 302
    monkeypatch.setattr("trace_app.reference.checks.today", lambda: today() + timedelta(days=days))
    page = city.get("/reference/limits").text
    assert ("已过一年，请重新核对" in page) is warned
    assert page.count("待核对") == len(TABLES) - (not warned)


def test_what_was_checked_before_the_table_was_replaced_counts_no_more(world: World) -> None:
    city = world.client(world.administrator())
    assert city.post("/reference/gi_areas/checks", data=CHECK).status_code == 302
    table = city.get("/reference/gi_areas.csv").data
    assert city.post("/reference/gi_areas", data={"file": (io.BytesIO(table), "表.csv")}).status_code == 302
    page = city.get("/reference/gi_areas").text
    assert f"这张表 {today()} 换过，换后还没有核对" in page
    assert "换了整张表" in page
    assert "GB 2763-2021" in page
    assert city.post("/reference/gi_areas/checks", data=CHECK).status_code == 302
    assert "换后还没有核对" not in city.get("/reference/gi_areas").text


@pytest.mark.parametrize("change", [{"source": ""}, {"source": "字" * 201}, {"against": ""}, {"against": "magic"}])
def test_a_check_that_says_too_little_is_refused_with_what_was_typed(world: World, change: dict[str, str]) -> None:
    city = world.client(world.administrator())
    answer = city.post("/reference/limits/checks", data=CHECK | change)
    assert answer.status_code == 422
    assert "抽到的都一致" in answer.text
    assert '<p class="error"' in answer.text
    assert NEVER in city.get("/reference/limits").text


def test_the_city_checks_and_counties_read(world: World) -> None:
    for officer in (world.regulator(), world.administrator("530324")):
        client = world.client(officer)
        assert client.post("/reference/limits/checks", data=CHECK).status_code == 403
        assert "登记一次核对" not in client.get("/reference/limits").text
    assert world.client(world.regulator("530300")).post("/reference/limits/checks", data=CHECK).status_code == 302
    assert world.client(world.administrator()).post("/reference/magic/checks", data=CHECK).status_code == 404


def test_limits_say_in_plain_words_how_sure_they_are(world: World) -> None:
    page = world.client(world.regulator()).get("/reference/limits").text
    for words in ("把握大", "把握一般，用前请核对", "把握小，用前务必核对"):
        assert words in page
    assert "medium" not in page


def test_a_county_suggests_a_change_of_the_certificate_rules(world: World) -> None:
    client = world.client(world.regulator())
    assert "suggestions/new?about=commitment_rules" in client.get("/reference/commitment_rules").text
    said = {"catalogue": "commitment_rules", "content": "样式一的承诺有误", "basis": "农业农村部令2025年第4号"}
    assert client.post("/suggestions/new", data=said).status_code == 302
    assert "合格证规定" in world.client(world.administrator()).get("/suggestions").text
