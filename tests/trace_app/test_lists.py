"""Lists of the desk: pages by key, sorting, files of what is shown, actions on what is chosen, plans with an index."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import python_calamine
import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.world import Actor, World
from trace_app.batches.models import Batch, BatchStatus
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.lists import PER_PAGE

LISTS = [
    "/batches", "/records", "/shipments", "/shipments/consignees", "/stock", "/certificates", "/feedback", "/labels",
    "/workbooks", "/products", "/sites", "/findings/to-do",
]  # fmt: skip
LARGE = ("batches", "records", "shipments", "consignees", "stock_lots", "certificates", "feedback", "print_jobs",
         "label_runs", "imports", "products", "sites", "findings", "waivers", "shipment_lines", "receipts")  # fmt: skip
LOT = re.compile(r"<b>(M-\d+)</b>")


def _many(world: World, grower: Actor, count: int) -> None:
    """Lots with numbers, moments and days that are partly alike."""
    first = world.batch(grower, lot_number="M-0")
    with world.writing():
        like = db.session.get_one(Batch, first)
        now = utc_now()
        for number in range(1, count):
            db.session.add(
                Batch(
                    producer_id=like.producer_id,
                    product_id=like.product_id,
                    site_id=like.site_id,
                    division_code=like.division_code,
                    lot_number=f"M-{number}",
                    quantity=like.quantity,
                    unit=like.unit,
                    started_on=like.started_on + timedelta(days=number % 7),
                    produced_on=like.produced_on,
                    created_at=now - timedelta(minutes=number // 30),
                )
            )


def _way(page: str, rel: str) -> str | None:
    found = re.search(rf'href="([^"]+)" rel="{rel}"', page)
    return html.unescape(found[1]) if found else None


def _walk(client: FlaskClient, address: str, rel: str) -> Iterator[tuple[str, list[str]]]:
    way: str | None = address
    while way:
        page = client.get(way)
        assert page.status_code == 200
        yield way, LOT.findall(page.text)
        way = _way(page.text, rel)


@pytest.mark.parametrize("order", ["", "lot", "-lot", "begun", "-begun", "registered"])
def test_all_rows_stand_on_the_pages_once_forward_and_back(world: World, order: str) -> None:
    grower = world.producer()
    count = 2 * PER_PAGE + 17
    _many(world, grower, count)
    client = world.client(grower)
    forward = list(_walk(client, f"/batches?sort={order}", "next"))
    assert [len(rows) for _way_there, rows in forward] == [PER_PAGE, PER_PAGE, 17]
    numbers = [number for _way_there, rows in forward for number in rows]
    assert len(set(numbers)) == count
    if order.endswith("lot"):
        assert numbers == sorted(numbers, reverse=order == "-lot")
    back = list(_walk(client, forward[-1][0], "prev"))
    assert [rows for _way_there, rows in back] == [rows for _way_there, rows in reversed(forward)]


def test_a_row_that_comes_meanwhile_moves_no_other_to_another_page(world: World) -> None:
    grower = world.producer()
    _many(world, grower, PER_PAGE + 5)
    client = world.client(grower)
    first = client.get("/batches").text
    world.batch(grower, lot_number="NEW-1")
    following = _way(first, "next")
    assert following
    second = client.get(following).text
    assert len(LOT.findall(second)) == 5
    assert not set(LOT.findall(first)) & set(LOT.findall(second))


@pytest.mark.parametrize(
    "key", ["x", "[]", '["a"]', '["2026-01-01", 1]', '["2026-13-45T00:00:00+00:00", 1]', '[null, "y"]', "[" * 400,
            '["2026-01-01T00:00:00+00:00", 99999999999999999999]', '["0001-01-01T00:00:00+23:59", 1]', "5"]
)  # fmt: skip
def test_an_address_that_someone_has_spoiled_shows_a_page(world: World, key: str) -> None:
    grower = world.producer()
    world.batch(grower, lot_number="M-1")
    client = world.client(grower)
    for name in ("after", "before"):
        for order in ("", "lot", "nothing", "begun"):
            assert client.get("/batches", query_string={name: key, "sort": order}).status_code == 200


@contextmanager
def _statements(world: World) -> Iterator[list[tuple[str, object]]]:
    seen: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, values: object, *_rest: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            seen.append((statement, values))

    with world.app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


@pytest.mark.both_databases
@pytest.mark.parametrize("path", LISTS)
def test_no_list_looks_through_a_whole_table(world: World, path: str) -> None:
    client = world.client(world.producer())
    with _statements(world) as seen:
        assert client.get(path).status_code == 200
    scanned = set()
    with world.app.app_context(), db.engine.connect() as connection:
        lite = db.engine.dialect.name == "sqlite"
        if not lite:
            # SQLAlchemy writes one for SQLite always, of nothing.
            assert not [statement for statement, _values in seen if "OFFSET" in statement]
            # Of small tables it reads all, were it not for this; it does so still where there is no index to go by.
            connection.exec_driver_sql("SET enable_seqscan TO off")
        for statement, values in seen:
            plan = connection.exec_driver_sql(("EXPLAIN QUERY PLAN " if lite else "EXPLAIN ") + statement, values)  # type: ignore[arg-type]
            text = "\n".join(str(row) for row in plan)
            found = re.findall(r"SCAN (\w+)(?! USING)" if lite else r"Seq Scan on (\w+)", text)
            scanned |= {(table, statement) for table in found if table in LARGE}
    assert not scanned


@pytest.mark.parametrize("path", LISTS)
def test_every_list_has_a_search_and_both_files(world: World, path: str) -> None:
    grower = world.producer()
    world.labelled(grower)
    client = world.client(grower)
    page = client.get(path, query_string={"q": "没有这个词"})
    assert page.status_code == 200
    assert 'name="q"' in page.text or path == "/workbooks"
    for kind, begin in (("xlsx", b"PK"), ("csv", b"\xef\xbb\xbf")):
        answer = client.get(path, query_string={"export": kind})
        assert answer.status_code == 200
        assert answer.data.startswith(begin)
        assert f".{kind}" in answer.headers["Content-Disposition"]


def test_a_file_has_what_was_looked_for_on_all_pages(world: World) -> None:
    grower = world.producer()
    _many(world, grower, PER_PAGE + 5)
    world.released(grower, lot_number="OUT-1", quantity="1200.5")
    client = world.client(grower)
    everything = client.get("/batches?export=csv").text.splitlines()
    assert len(everything) == 1 + PER_PAGE + 6
    released = client.get("/batches?state=released&export=xlsx").data
    rows = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(released)).get_sheet_by_index(0).to_python()
    assert len(rows) == 2
    assert rows[1][0] == "OUT-1"
    assert rows[1][5] == 1200.5
    page = client.get("/batches?state=released").text
    assert "state=released&amp;export=xlsx" in page


def test_no_cell_of_a_file_is_a_formula(world: World) -> None:
    grower = world.producer()
    world.product(grower, name="=1+1")
    client = world.client(grower)
    assert "'=1+1" in client.get("/products?export=csv").text
    with zipfile.ZipFile(io.BytesIO(client.get("/products?export=xlsx").data)) as book:
        assert "<f>" not in book.read("xl/worksheets/sheet1.xml").decode()
        assert "=1+1" in book.read("xl/sharedStrings.xml").decode()


def test_a_list_and_its_files_show_nothing_of_others(world: World) -> None:
    grower, other = world.producer(), world.producer()
    lot = world.released(other, lot_number="SECRET-1", product_name="别家的姜")
    data = {"consignee": "别家的客", "departed_at": f"{utc_now():%Y-%m-%dT%H:%M}", f"q-{lot}": "1"}
    assert world.client(other).post("/shipments/new", data=data).status_code == 302
    world.run(other, lot)
    client, theirs = world.client(grower), world.client(other)
    seen = ""
    for path in LISTS:
        for query in ("", "?export=csv"):
            seen += theirs.get(path + query).text
            page = client.get(path + query).text
            assert "SECRET-1" not in page
            assert "别家的" not in page
    assert "SECRET-1" in seen
    assert "别家的客" in seen


class TestChosen:
    def test_several_lots_are_released_each_by_itself(self, world: World) -> None:
        grower = world.producer()
        good = [world.batch(grower, lot_number=f"GOOD-{n}") for n in (1, 2)]
        bad = world.batch(grower, lot_number="BAD-1")
        for lot in good:
            world.complete(grower, lot)
        client = world.client(grower)
        assert f'name="ids" value="{bad}"' in client.get("/batches").text
        answer = client.post("/batches/chosen/release", data={"ids": [*good, bad]}, follow_redirects=True)
        assert "已放行：GOOD-1、GOOD-2" in answer.text
        assert "批次 BAD-1 还不能放行" in answer.text
        with world.app.app_context():
            states = {row.id: row.status for row in db.session.scalars(db.select(Batch))}
        assert [states[lot] for lot in (*good, bad)] == [BatchStatus.RELEASED, BatchStatus.RELEASED, BatchStatus.DRAFT]

    def test_several_lots_are_closed(self, world: World) -> None:
        grower = world.producer()
        lots = [world.released(grower, lot_number=f"END-{n}") for n in (1, 2)]
        answer = world.client(grower).post("/batches/chosen/close", data={"ids": lots}, follow_redirects=True)
        assert "已结束：END-1、END-2" in answer.text

    def test_nothing_of_others_is_touched(self, world: World) -> None:
        theirs = world.batch(world.producer())
        client = world.client(world.producer())
        assert client.post("/batches/chosen/release", data={"ids": [theirs]}).status_code == 404
        assert client.post("/batches/chosen/delete", data={"ids": [theirs]}).status_code == 404

    def test_one_comes_back_to_the_page_that_they_were_chosen_on(self, world: World) -> None:
        grower = world.producer()
        lot = world.released(grower, lot_number="END-1")
        client = world.client(grower)
        page = client.get("/batches?q=END&state=released&sort=lot_number").text
        assert 'name="where" value="q=END&amp;state=released&amp;sort=lot_number"' in page
        sent = {"ids": [lot], "where": "q=END&state=released&sort=lot_number&export=csv&_external=1&x=//evil.example"}
        answer = client.post("/batches/chosen/close", data=sent)
        assert answer.location == "/batches?q=END&state=released&sort=lot_number"

    def test_who_has_chosen_nothing_is_told(self, world: World) -> None:
        answer = world.client(world.producer()).post("/batches/chosen/close", follow_redirects=True)
        assert "请先在列表里选择批次" in answer.text
