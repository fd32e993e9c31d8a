"""What nobody sees comes in by no way: forms, lines of results, queries, JSON, tables."""

from __future__ import annotations

import io
import xml.dom.minidom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trace_app.test_api import _batch
from tests.trace_app.test_laboratories import REPORT
from tests.world import PASSWORD, World
from trace_app.extensions import db
from trace_app.laboratory.models import TestResult
from trace_app.plain_text import without_unseen
from trace_app.spreadsheets import read_tables

UNSEEN = "\ue000code\ue001\u202e\u200b\ufffe\x07"
LEFT = "code"


@given(st.text(st.characters()))
def test_what_is_left_can_stand_in_xml_and_looks_the_same(text: str) -> None:
    plain = without_unseen(text)
    assert without_unseen(plain) == plain
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;")
    xml.dom.minidom.parseString(f"<a>{escaped}</a>".encode())
    plain.encode()


@pytest.mark.parametrize("text", ["罗平小黄姜 🫚", "㮾𬭩𠮷", "a\tb\r\nc", "±5 ≤ 0.02 μg/kg", "é"])
def test_what_people_see_stays(text: str) -> None:
    assert without_unseen(text) == text


def test_lines_of_results_and_what_trace_pages_show_of_them(world: World) -> None:
    grower = world.producer()
    batch_id, code = world.labelled(grower)
    line = {"analyte": f"铅{UNSEEN}", "method": "", "result": "0.01", "unit": "mg/kg"}
    report = REPORT | {f"line-{name}": [text] for name, text in line.items()}
    assert world.client(grower).post(f"/batches/{batch_id}/tests/new", data=report).status_code == 302
    with world.app.app_context():
        assert db.session.scalars(db.select(TestResult.analyte)).all() == [f"铅{LEFT}"]
    assert f"铅{LEFT}" in world.client().get(f"/{code}").text


def test_queries_and_json(world: World) -> None:
    assert f'value="{LEFT}"' in world.client().get("/recalls", query_string={"q": UNSEEN}).text
    grower = world.producer()
    body = _batch(world, grower) | {"lot_number": f"A{UNSEEN}"}
    made = world.client().post("/api/v1/batches", headers=world.token(grower), json=body)
    assert made.json["lot_number"] == f"A{LEFT}"


def test_cells_of_tables() -> None:
    from trace_app.spreadsheets import cell_text

    [sheet] = read_tables("表.csv", f"名称\n姜{UNSEEN}\n".encode())
    assert cell_text(sheet.rows[1][0]) == f"姜{LEFT}"


def test_a_password_is_what_was_typed(world: World) -> None:
    grower = world.producer()
    new = f"姜田里\u200d的三只白鹭{UNSEEN}"
    client = world.client(grower)
    change = {"current": PASSWORD, "new": new, "again": new}
    assert client.post("/account/password", data=change).status_code == 302
    assert world.client().post("/login", data={"email": grower.username, "password": new}).status_code == 302
    plain = without_unseen(new)
    assert world.client().post("/login", data={"email": grower.username, "password": plain}).status_code == 200


def test_files_are_left_as_they_are(world: World) -> None:
    client = world.client(world.producer())
    answer = client.post(
        "/workbooks", data={"what": "inputs", "file": (io.BytesIO(f"名称{UNSEEN}\n".encode()), "x.csv")}
    )
    assert answer.status_code in {302, 422}
