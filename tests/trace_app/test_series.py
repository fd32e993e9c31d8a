"""Loggers' readings, and tables as people hand them in."""

import io
import zipfile
from datetime import date, datetime, timedelta
from datetime import time as dtime
from typing import Any

import pytest
import xlsxwriter

from tests.world import World
from trace_app import spreadsheets as sheets
from trace_app.catalogue.boundary import BadBoundary, area_mu, parse_boundary
from trace_app.clock import local
from trace_app.extensions import db
from trace_app.records.models import RecordSeries
from trace_app.records.series import BadSeries, read_logger

FERMENTING = {"happened_on": "2025-02-01", "values-room": "二号楼"}


def _readings(count: int = 1000, head: str = "时间,温度(℃),湿度(%RH)") -> str:
    lines = [
        f"2025-02-{1 + n // 48:02d} {n // 2 % 24:02d}:{n % 2 * 30:02d},{10 + n % 10},{60 + n % 20}"
        for n in range(count)
    ]
    return "\r\n".join(["设备,SN 123", "", head, *lines])


def _enter(world: World, data: bytes, name: str = "二号楼.csv"):
    actor = world.producer("530381001")
    batch_id = world.batch(actor, "ham", "530381001")
    client = world.client(actor)
    answer = world.enter(client, batch_id, "stage", "fermenting", **FERMENTING, series=(io.BytesIO(data), name))
    return client, batch_id, answer


@pytest.mark.parametrize("encoding", ["gbk", "utf-8", "utf-8-sig", "utf-16"])
def test_a_loggers_file_in_any_encoding_becomes_two_curves(world: World, encoding: str) -> None:
    client, batch_id, answer = _enter(world, _readings().encode(encoding))
    assert answer.status_code == 302, answer.text
    with world.app.app_context():
        temperature, humidity = db.session.scalars(db.select(RecordSeries).order_by(RecordSeries.id)).all()
        assert (temperature.count, temperature.least, temperature.most, temperature.mean) == (1000, 10, 19, 14.5)
        assert humidity.quantity == "humidity"
        assert len(temperature.points) <= 120
    assert "10.0–19.0 ℃" in client.get(f"/batches/{batch_id}").text
    page = client.get("/records/1").text
    assert "<polygon" in page
    assert "1000 个读数" in page
    download = client.get("/records/1/readings")
    assert download.data == _readings().encode(encoding)


def test_a_workbook_of_readings_is_read_too(world: World) -> None:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet()
    for row, values in enumerate([["Time", "Temp"], ["2025-02-01 00:00", 11.5], ["2025-02-01 00:30", 12.5]]):
        sheet.write_row(row, 0, values)
    book.close()
    _client, _batch, answer = _enter(world, out.getvalue(), "log.xlsx")
    assert answer.status_code == 302, answer.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2", "没有找到"),
        (_readings(3) + "\n2025-02-02 10:00,500,60\n昨天,10,60", "第 7、8 行"),
        ("时间,温度\n2999-01-01 00:00,10\n2999-01-01 01:00,10", "第 2、3 行"),
        ("时间,温度", "没有读数"),
        ("", "没有找到"),
    ],
)
def test_a_file_that_makes_no_sense_is_told_by_its_rows(world: World, text: str, message: str) -> None:
    _client, _batch, answer = _enter(world, text.encode("gbk"))
    assert answer.status_code == 422
    assert message in answer.text
    assert "二号楼" in answer.text
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(RecordSeries.id))) == 0


def _archive(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"PK\x03\x04 broken", sheets.SheetProblem),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(3000), sheets.SheetProblem),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), sheets.PasswordInside),
        (_archive(xl__vbaProject=b"x"), sheets.MacrosInside),
        (_archive(xl__workbook=bytes(500 * 1024 * 1024)), sheets.SheetTooLarge),
        (bytes(21 * 1024 * 1024), sheets.SheetTooLarge),
        (b"\x81\x20\xff\xff\x00", sheets.UnknownEncoding),
        (b"PK\x03\x04" + bytes(20 * 1024 * 1024), sheets.SheetTooLarge),
        (b"a\n" * 50_001, sheets.TooManyRows),
        (b"a," * 200, sheets.TooManyRows),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(data: bytes, problem: type[sheets.SheetProblem]) -> None:
    with pytest.raises(problem):
        sheets.read_tables("表.xlsx", data)


def _workbook(*sizes: tuple[int, int]) -> bytes:
    """A workbook with a sheet of so many rows and columns each."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "constant_memory": True})
    for rows, columns in sizes:
        sheet = book.add_worksheet()
        for row in range(rows):
            sheet.write(row, 0, 1)
        for column in range(columns):
            sheet.write(rows - 1, column, 1)
    book.close()
    return out.getvalue()


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [
        ([(50_000, 1)], True),
        ([(50_001, 1)], False),
        ([(30_000, 1), (20_001, 1)], False),
        ([(1, 200)], True),
        ([(1, 201)], False),
    ],
)
def test_a_workbook_has_no_more_rows_and_columns_than_a_csv_file(sizes: list[tuple[int, int]], taken: bool) -> None:
    data = _workbook(*sizes)
    if taken:
        assert [len(sheet.rows) for sheet in sheets.read_tables("表.xlsx", data)] == [rows for rows, _ in sizes]
    else:
        with pytest.raises(sheets.TooManyRows):
            sheets.read_tables("表.xlsx", data)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (40.0, "40"),
        (12.5, "12.5"),
        (1e15, "1000000000000000.0"),
        (-3.0, "-3"),
        (" 文 ", "文"),
        (None, ""),
        (True, "True"),
        (7, "7"),
        (date(2026, 9, 15), "2026-09-15"),
        (datetime.fromisoformat("2026-09-15"), "2026-09-15"),
        (datetime.fromisoformat("2026-09-15T08:30"), "2026-09-15 08:30:00"),
        (dtime(8, 30), "08:30:00"),
        (timedelta(hours=26), "1 day, 2:00:00"),
    ],
)
def test_a_cell_is_read_as_a_person_would_type_it(cell: Any, text: str) -> None:
    assert sheets.cell_text(cell) == text


def test_formulas_are_known_by_their_cells() -> None:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet("一")
    sheet.write(0, 0, "x")
    sheet.write_formula(1, 27, "=1+1")
    book.close()
    [table] = sheets.read_tables("t.xlsx", out.getvalue())
    assert table.formulas == {(2, 28)}
    assert sheets.column_letters(28) == "AB"


def test_text_that_a_spreadsheet_would_run_is_defused() -> None:
    assert [sheets.without_formula(t) for t in ("=1+1", "@x", "-5", "+", "-a", "文")] == [
        "'=1+1",
        "'@x",
        "-5",
        "'+",
        "'-a",
        "文",
    ]


class TestBoundary:
    SQUARE = "24.8852, 104.3086\n24.8862，104.3086\n24.8862 104.3097\n24.8852;104.3097\n"

    def test_corners_are_read_as_people_write_them_and_give_the_area(self) -> None:
        corners = parse_boundary(self.SQUARE)
        assert corners is not None
        assert len(corners) == 4
        assert corners[0] == [104.3086, 24.8852]
        assert abs(float(area_mu(corners)) - 111.32 * 111.1 / 666.67) < 0.05
        assert parse_boundary(" \n") is None
        assert parse_boundary(self.SQUARE + "24.8852, 104.3086") == corners

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("24.8,104.3\n24.9,104.3", "few"),
            ("x,y", "number"),
            ("124,104\n1,2\n3,4", "range"),
            ("24,104\n25,104\n25,105", "wide"),
            ("24.80,104.30\n24.81,104.31\n24.81,104.30\n24.80,104.31", "crossing"),
            ("\n".join(f"24.8{n:04d},104.3" for n in range(201)), "many"),
        ],
    )
    def test_what_is_no_boundary_is_refused(self, text: str, reason: str) -> None:
        with pytest.raises(BadBoundary) as caught:
            parse_boundary(text)
        assert caught.value.reason == reason

    def test_a_site_takes_place_and_area_from_what_was_drawn(self, world: World) -> None:
        client = world.client(world.producer())
        data = {"kind": "plot", "name": "画出来的地", "division_code": "530324102", "boundary": self.SQUARE}
        assert client.post("/sites/new", data=data).status_code == 302
        page = client.get("/sites").text
        assert "18.5" in page
        assert "24.8857" in page
        broken = client.post("/sites/new", data=data | {"name": "另一块", "boundary": "24.8, 104.3\n?"})
        assert broken.status_code == 422
        assert "第 2 行不是" in broken.text
        assert "24.8, 104.3" in broken.text


@pytest.mark.parametrize(
    "text",
    [
        "日期,时间,温度(℃),湿度(%RH)\n2025-06-01,08:00,14.2,88\n2025-06-01,09:00,14.3,87",
        "序号,时间,温度(℃),湿度(%),温度上限,温度下限,湿度上限\n1,2025-06-01 08:00,14.2,88,30,5,95\n"
        "2,2025-06-01 09:00,14.3,87,30,5,95",
        "Time,Temperature,Humidity\n2025-06-01 08:00:00,14.2°C,88%RH\n2025-06-01 09:00:00,14.3℃,87 %",
        "时间,温度,湿度\n2025-06-01 08:00,14.2,88\n2025-06-01 08:30,--,NC\n2025-06-01 09:00,14.3,87\n"
        "最高,14.3,88\n最低,14.2,87\n平均,14.25,87.5",
        "timestamp,temperature,humidity\n1748736000,14.2,88\n1748739600000,14.3,87",
        "时间,温度,湿度\n2025/6/1 8:00,14.2,88\n2025年6月1日 9:00:00,14.3,87",
        "Time (UTC),temperature,humidity\n2025-06-01 00:00:00,14.2,88\n2025-06-01 01:00:00,14.3,87",
        "Time,Temp,Hum\n2025-06-01 8:00:00 AM,14.2,88\n2025-06-01 9:00:00 AM,14.3,87",
    ],
)
def test_a_loggers_common_forms_are_read_as_they_are_meant(world: World, text: str) -> None:
    with world.app.test_request_context():
        readings = read_logger("记录.csv", text.encode()).readings
    assert [(reading.at.isoformat(), reading.values) for reading in readings] == [
        (reading.at.isoformat(), {"temperature": warm, "humidity": damp})
        for reading, warm, damp in zip(readings, (14.2, 14.3), (88, 87), strict=True)
    ]
    assert [local(reading.at).isoformat() for reading in readings] == [
        "2025-06-01T08:00:00+08:00",
        "2025-06-01T09:00:00+08:00",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("时间,温度1,温度2\n2025-06-01 08:00,14.2,18\n2025-06-01 09:00,14.3,18", "温度1、温度2"),
        ("时间,Temp (°F)\n2025-06-01 08:00,57.2\n2025-06-01 09:00,57.4", "华氏度"),
        ("时间;温度\n2025-06-01 08:00;1,2\n2025-06-01 09:00;1,3", "“1,2”是 1.2 还是 12？"),
        ("时间,温度\n06/07/2025 08:00,12\n06/07/2025 09:00,12", "是 2025-07-06 还是 2025-06-07？"),
    ],
)
def test_what_a_logger_may_mean_in_two_ways_is_refused(world: World, text: str, told: str) -> None:
    with world.app.test_request_context(), pytest.raises(BadSeries) as refused:
        read_logger("记录.csv", text.encode())
    with world.app.test_request_context():
        assert told in refused.value.message
