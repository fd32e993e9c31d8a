"""Scans that look like copied labels or guessed codes are found, told of and explained; the rest is left alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.world import World
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.messages.models import Delivery
from trace_app.scanning.clients import client_of, key_of_day, source_of
from trace_app.scanning.intake import keep
from trace_app.scanning.log import Scan
from trace_app.scanning.models import ScanItem, scans
from trace_app.scanning.regions import BadRegionTable, Regions, apart_km, place_of
from trace_app.scans import suspicions as watch
from trace_app.scans.models import ScanMark, Suspicion

pytestmark = pytest.mark.either_database

PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0"}


def _row(minutes_ago: float, outcome: str = "shown", **values: Any) -> Scan:
    at = int((utc_now() - timedelta(minutes=minutes_ago)).timestamp())
    facts = {"run_id": 1, "place": 0, "batch_id": None, "region": "", "client": "wechat", "language": "zh", "source": 1}
    return Scan(at, outcome, **{**facts, **values})


def _watched(world: World, *rows: Scan) -> list[Suspicion]:
    with world.app.app_context():
        keep(list(rows))
        watch.watch()
        return list(db.session.scalars(db.select(Suspicion).order_by(Suspicion.id)))


def test_one_label_far_apart_is_found_and_told_of(world: World) -> None:
    grower, officer = world.producer(), world.regulator()
    lot = world.released(grower)
    run = world.run(grower, lot)
    here = {"run_id": run, "batch_id": lot}
    [found] = _watched(world, _row(50, region="云南曲靖", **here), _row(20, region="北京", **here))
    assert found.kind == "far_apart"
    assert found.score >= watch.WARN_FROM
    assert found.regions == {"云南曲靖": 1, "北京": 1}
    assert 1500 < found.facts["km"] < 2300
    with world.app.app_context():
        assert db.session.get_one(ScanItem, (run, 0)).unusual
        told = {row.address for row in db.session.scalars(db.select(Delivery))}
    assert told == {f"{who.username}@example.org" for who in (grower, officer)}
    code = world.code(run)
    page = world.client().get(f"/{code}", headers=PHONE).text
    assert '<section class="card unusual"       >' in page
    for who in (grower, officer):
        listed = world.client(who).get("/scans").text
        assert "相距" in listed
        assert f"{code[0]} {code[1:5]}" in listed
    assert "相距" not in world.client(world.producer()).get("/scans").text


@pytest.mark.parametrize(
    "rows",
    [
        [(300, "云南曲靖"), (20, "北京")],
        [(50, "云南曲靖"), (20, "云南昆明")],
        [(50, "云南曲靖"), (20, "")],
        [(50, "云南曲靖"), (20, "火星")],
    ],
)
def test_what_people_can_travel_is_no_sign(world: World, rows: list[tuple[int, str]]) -> None:
    assert _watched(world, *(_row(minutes, region=region) for minutes, region in rows)) == []


def test_a_burst_needs_many_sources(world: World) -> None:
    assert _watched(world, *(_row(10, source=1) for _ in range(40))) == []
    with world.writing():
        db.session.execute(sa.delete(ScanMark))
    [found] = _watched(world, *(_row(5, place=1, source=n) for n in range(watch.BURST_SOURCES)))
    assert found.kind == "burst"
    assert found.facts["sources"] == watch.BURST_SOURCES


def test_dead_labels_and_guessing_are_found(world: World) -> None:
    grower, officer = world.producer(), world.regulator()
    lot = world.released(grower)
    run = world.run(grower, lot)
    found = _watched(
        world,
        _row(3, "void", run_id=run, place=1, batch_id=lot),
        _row(2, "unprinted", run_id=run, place=99, batch_id=lot),
        *(_row(1, "unknown", run_id=None, place=None, source=7) for _ in range(watch.GUESSES)),
        *(_row(1, "unknown", run_id=None, place=None, source=8) for _ in range(watch.GUESSES - 1)),
    )
    assert sorted(row.kind for row in found) == ["guessing", "unprinted", "void"]
    assert "从未印制" in world.client(grower).get("/scans").text
    assert "大量尝试" not in world.client(grower).get("/scans").text
    assert "大量尝试" in world.client(officer).get("/scans").text


def test_what_was_looked_through_is_not_counted_twice(world: World) -> None:
    [first] = _watched(world, _row(3, "void"))
    assert first.scans == 1
    with world.app.app_context():
        watch.watch()
        [again] = db.session.scalars(db.select(Suspicion))
        assert again.scans == 1


def test_void_unprinted_and_unknown_codes_come_into_the_log(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower)
    run = world.run(grower, lot, 3)
    codes = [world.code(run, index) for index in range(3)]
    world.client(grower).post(f"/labels/{run}/void", data={"first": "1", "last": "1", "reason": "印坏"})
    for code in (*codes, world.unmade(run, 50), "0" * 13):
        world.client().get(f"/{code}", headers=PHONE)
    world.app.extensions["scan_log"].hand_over()
    with world.app.app_context():
        rows = db.session.execute(sa.select(scans.c.outcome, scans.c.run_id, scans.c["index"])).all()
    assert sorted(map(tuple, rows), key=str) == sorted(
        [("void", run, 0), ("shown", run, 1), ("shown", run, 2), ("unprinted", run, 50), ("unknown", None, None)],
        key=str,
    )


def test_the_page_says_when_the_label_was_first_scanned_and_how_often(world: World) -> None:
    _lot, code = world.labelled(world.producer())
    client = world.client()
    assert "您是第一位查询者" in client.get(f"/{code}", headers=PHONE).text
    world.app.extensions["scan_log"].hand_over()
    page = client.get(f"/{code}", headers=PHONE).text
    assert f"首次扫描 {datetime.now(watch.local(utc_now()).tzinfo):%Y-%m-%d}" in page
    assert "这是第 2 次" in page
    assert "this is scan no. 2" in world.client(language="en").get(f"/{code}", headers=PHONE).text


def test_single_scans_are_forgotten_and_the_sums_stay(world: World) -> None:
    with world.app.app_context():
        keep([_row(60 * 24 * 500), _row(60 * 24 * 480), _row(60 * 24 * 480 - 30), _row(5)])
        watch.forget_scans()
        assert db.session.scalar(sa.select(sa.func.count()).select_from(scans)) == 1
        assert db.session.get_one(ScanItem, (1, 0)).scans == 4


def test_nothing_is_kept_of_an_address_but_what_no_one_can_read_back() -> None:
    one = source_of("203.0.113.77", key_of_day("secret", "2026-11-25"))
    assert one == source_of("203.0.113.1", key_of_day("secret", "2026-11-25"))
    assert one != source_of("203.0.114.77", key_of_day("secret", "2026-11-25"))
    assert one != source_of("203.0.113.77", key_of_day("secret", "2026-11-26"))
    assert one != source_of("203.0.113.77", key_of_day("other", "2026-11-25"))
    assert 0 <= source_of("2001:db8::1", b"x" * 32) < 1 << 63
    assert source_of("no address", b"x" * 32) == 0


@pytest.mark.parametrize(
    ("program", "client"),
    [
        ("Mozilla/5.0 (Linux; Android 14; V2) AppleWebKit/537.36 Mobile MicroMessenger/8.0.50", "wechat"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) AlipayClient/10.5", "alipay"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1", "phone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/120", "computer"),
        ("Mozilla/5.0 (compatible; bingbot/2.0)", None),
        ("WhatsApp/2.23", None),
        ("", None),
    ],
)
def test_what_opened_a_page(program: str, client: str | None) -> None:
    assert client_of(program) == client


def test_regions_come_from_the_operators_table(tmp_path: Any) -> None:
    table = tmp_path / "regions.csv"
    table.write_text(
        "203.0.113.0,203.0.113.255,云南曲靖\n198.51.100.0,198.51.100.255,北京\n2001:db8::,2001:db8::ffff,上海\n",
        "utf-8",
    )
    regions = Regions.read(table)
    assert [regions.of(a) for a in ("203.0.113.9", "198.51.100.0", "2001:db8::1", "192.0.2.1", "nonsense", "")] == [
        "云南曲靖",
        "北京",
        "上海",
        "",
        "",
        "",
    ]
    table.write_text("203.0.113.0,云南\n", "utf-8")
    with pytest.raises(BadRegionTable, match="line 1"):
        Regions.read(table)


def test_regions_lie_where_they_are() -> None:
    assert place_of("云南省曲靖市").name == "曲靖"  # type: ignore[union-attr]
    assert place_of("无此地") is None
    assert 100 < (apart_km("云南曲靖", "云南昆明") or 0) < 150
    assert apart_km("云南", "") is None


def test_figures_by_day_region_product_client_and_language(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, product_name="小黄姜", lot_number="=1+1")
    run = world.run(grower, lot)
    here = {"run_id": run, "batch_id": lot}
    with world.app.app_context():
        keep(
            [
                _row(5, region="云南曲靖", **here),
                _row(4, region="云南曲靖", client="phone", **here),
                _row(3, region="北京", language="en", **here),
                _row(60 * 24 * 40, **here),
            ]
        )
    client = world.client(grower)
    page = client.get("/scans?days=30").text
    assert "<b>3</b><small>扫码次数" in page
    assert "<circle" in page
    assert "小黄姜" in page
    assert "100%" in page
    assert "<b>4</b><small>扫码次数" in client.get("/scans?days=90").text
    table = client.get("/scans.csv?days=30").data.decode("utf-8-sig").splitlines()
    assert table[0].startswith("日期,产品,批次号")
    assert len(table) == 4
    assert all("'=1+1" in line for line in table[1:])
    other = world.client(world.producer()).get("/scans?days=30").text
    assert "<b>0</b><small>扫码次数" in other


def test_guessing_is_slowed_and_known_codes_are_not(world: World) -> None:
    _lot, code = world.labelled(world.producer())
    client = world.client()
    answers = [client.get(f"/{number:013d}", headers=PHONE).status_code for number in range(62)]
    assert answers == [404] * 60 + [429] * 2
    assert client.get(f"/{code}", headers=PHONE).status_code == 200
    assert client.get(f"/{code.lower()}", headers=PHONE).status_code == 200
