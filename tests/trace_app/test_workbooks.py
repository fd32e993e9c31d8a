"""Excel both ways: templates, the dry run, taking in, a lot's whole file."""

import html
import io
import re
from typing import Any

import pypdfium2
import pytest
import python_calamine
import xlsxwriter
from flask.testing import FlaskClient

from tests.world import SPRAYED, Actor, World, pdf, photo, sheet_with
from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.inputs.models import InputProduct
from trace_app.records.models import Record
from trace_app.workbooks import service

pytestmark = pytest.mark.either_database

Rows = list[dict[str, Any]]


def _template(client: FlaskClient, what: str = "ginger") -> dict[str, list[list[Any]]]:
    data = client.get(f"/workbooks/template/{what}.xlsx").data
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def _filled(client: FlaskClient, what: str = "ginger", **sheets: Rows) -> bytes:
    """The template with rows by the beginnings of its headings; a value that begins with = becomes a formula."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
    for name, rows in _template(client, what).items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, [str(cell) for cell in row])
        for number, values in enumerate(sheets.get(name, ()), start=2):
            for heading, value in values.items():
                [column] = [i for i, text in enumerate(rows[0]) if text.startswith(heading)]
                sheet.write(number, column, value)
    book.close()
    return out.getvalue()


def _upload(client: FlaskClient, data: bytes, what: str = "ginger", name: str = "记录.xlsx"):
    return client.post("/workbooks", data={"what": what, "file": (io.BytesIO(data), name)})


def _told(page: str, sheet: str) -> list[tuple[str, ...]]:
    """Row, column, content and message of each problem that a page tells of a sheet."""
    cells = r"\s*<td>([^<]*)</td>" * 3
    return [
        tuple(map(html.unescape, found))
        for found in re.findall(rf"<td>{sheet}</td>\s*<td class=\"n\">(\d*)</td>{cells}", page)
    ]


def _count(world: World, model: Any = Record) -> int:
    with world.app.app_context():
        return int(db.session.scalar(db.select(db.func.count(model.id))) or 0)


SPRAY = {
    "日期": "2025-09-15",
    "农药名称": "苯醚甲环唑 10% 水分散粒剂",
    "登记证号": "PD20990002",
    "有效成分": "苯醚甲环唑",
    "用量": 40,
    "单位": "克/亩",
    "安全间隔期": 14,
    "操作人": "李大姐",
    "施用方法": "喷雾",
}


@pytest.fixture
def grower(world: World) -> tuple[Actor, FlaskClient]:
    actor = world.producer()
    world.batch(actor, lot_number="XL-1")
    return actor, world.client(actor)


@pytest.mark.parametrize("kind", ["ham", "ham_mooncake", "ginger", "honey", "coix", "inputs"])
def test_each_kind_has_a_template_with_examples_that_are_not_taken_in(world: World, kind: str) -> None:
    client = world.client(world.producer())
    sheets = _template(client, kind)
    assert next(iter(sheets)) == "说明"
    assert all(rows[1][0] == "示例" for name, rows in sheets.items() if name not in {"说明", "数据"})
    answer = _upload(client, _filled(client, kind), kind)
    page = client.get(answer.location).text
    assert "<b>0</b><small>问题" in re.sub(r' class="bad"', "", page)


def test_a_template_offers_lots_units_and_choices(grower: tuple[Actor, FlaskClient]) -> None:
    _actor, client = grower
    sheets = _template(client)
    lists = {cell for row in sheets["数据"] for cell in row}
    assert {"XL-1", "克/亩", "喷雾", "人工采挖"} <= lists
    assert {"批次号 *", "日期 *", "采收量（公斤） *"} <= set(sheets["采收"][0])
    assert {"Lot number *", "Date *"} <= set(_template_in_english(client)["Harvest"][0])


def _template_in_english(client: FlaskClient) -> dict[str, list[list[Any]]]:
    client.get("/?lang=en")
    found = _template(client)
    client.get("/?lang=zh")
    return found


def test_a_workbook_is_looked_through_then_taken_in_whole(world: World, grower: tuple[Actor, FlaskClient]) -> None:
    _actor, client = grower
    data = _filled(
        client,
        用药=[{"批次号": "XL-1"} | SPRAY, {"批次号": "XL-1、XL-2"} | SPRAY | {"日期": "2025-07-01"}],
        采收=[{"批次号": "XL-1", "日期": "2025-11-06", "采收量": 8600, "采收方式": "人工采挖"}],
        批次=[
            {
                "批次号": "XL-2",
                "产品": _product(world),
                "基地": _site(world),
                "数量": 50,
                "单位": "公斤",
                "开始日期": "2025-03-12",
            }
        ],
    )
    made = _upload(client, data)
    page = client.get(made.location).text
    assert "全部导入" in page
    assert _count(world) == 0
    assert client.post(f"{made.location}/all").status_code == 302
    assert "已导入 4 行" in client.get(made.location).text
    with world.app.app_context():
        records = db.session.scalars(db.select(Record).order_by(Record.happened_on)).all()
        assert [(r.type.value, str(r.happened_on), len(r.further_batches)) for r in records] == [
            ("pesticide", "2025-07-01", 1),
            ("pesticide", "2025-09-15", 0),
            ("stage", "2025-11-06", 0),
        ]
        assert records[2].values == {"quantity_kg": "8600", "way": "manual"}
        assert (records[1].method, records[1].dose_unit) == ("spray", "g_per_mu")
    again = client.post(f"{made.location}/all")
    assert again.status_code == 409
    assert "已经导入过" in again.text
    assert _count(world) == 3


def _product(world: World) -> str:
    with world.app.app_context():
        return str(db.session.scalar(db.text("SELECT name FROM products")))


def _site(world: World) -> str:
    with world.app.app_context():
        return str(db.session.scalar(db.text("SELECT name FROM sites")))


def test_every_problem_is_told_by_sheet_row_and_column_and_the_good_rows_can_be_taken(
    world: World, grower: tuple[Actor, FlaskClient]
) -> None:
    _actor, client = grower
    good = {"批次号": "XL-1"} | SPRAY
    data = _filled(
        client,
        用药=[
            good,
            good | {"批次号": "XL-9"},
            good | {"日期": "2999-01-01"},
            good | {"用量": -40},
            good | {"单位": "桶"},
            good | {"农药名称": "药" * 300},
            good | {"操作人": ""},
            good | {"安全间隔期": 1.5},
            good | {"登记证号": "12345"},
            good | {"用量": "=20*2"},
            good | {"批次号": ""},
        ],
    )
    made = _upload(client, data)
    page = client.get(made.location).text
    found = re.findall(
        r"<td>用药</td>\s*<td class=\"n\">(\d+)</td>\s*<td>([A-Z]+) [^<]*</td>\s*<td>[^<]*</td>\s*<td>([^<]*)</td>",
        page,
    )
    assert [int(row) for row, _column, _message in found] == list(range(4, 14))
    for message in (
        "XL-9",
        "不能晚于今天",
        "须在",
        "没有“桶”这个选项",
        "最多 80 个字",
        "请填写此项",
        "请填写整数",
        "登记证号如",
        "公式",
        "请填写批次号",
    ):
        assert any(message in told for _row, _column, told in found), message
    assert {row: column for row, column, _m in found}["6"] == "E"
    refused = client.post(f"{made.location}/all")
    assert refused.status_code == 409
    assert "还有 10 处问题" in refused.text
    assert _count(world) == 0
    listed = client.get(f"{made.location}/problems.csv").data.decode("utf-8-sig")
    assert listed.count("\r\n") == 11
    assert client.post(f"{made.location}/good").status_code == 302
    assert _count(world) == 1


def test_a_workbook_whose_sheets_or_columns_were_changed_says_so(grower: tuple[Actor, FlaskClient]) -> None:
    _actor, client = grower
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.add_worksheet("我的表").write(0, 0, "x")
    sheet = book.add_worksheet("用药")
    sheet.write_row(0, 0, ["批次号", "日期", "农药", "心情"])
    sheet.write_row(1, 0, ["XL-1", "2025-09-15", "药", "好"])
    book.close()
    page = client.get(_upload(client, out.getvalue()).location).text
    assert "模板里没有这张工作表" in page
    assert page.count("模板里没有这一列") == 2
    assert "缺少列" in page
    assert "没有可以导入" in client.post("/workbooks/1/good").text


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"PK\x03\x04 broken", "坏.xlsx", "不是能读的表格"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "_VBA_PROJECT".encode("utf-16-le") + bytes(600), "宏.xls", "含有宏"),
        (b"", "空.xlsx", "请选择文件"),
        (photo("green"), "拍的.xlsx", "是图片，不是表格。请上传 Excel 工作簿"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "截图.csv", "是图片，不是表格"),
        (pdf(), "扫描.xlsx", "是 PDF，不是表格。请上传 Excel 工作簿"),
        (sheet_with("A1", "XFD1048576"), "炸弹.xlsx", "打开后太大"),
        (sheet_with("A1", "A50001"), "长.xlsx", "超过 50000 行"),
    ],
)
def test_what_cannot_be_read_is_refused_and_kept_nowhere(
    world: World, grower: tuple[Actor, FlaskClient], data: bytes, name: str, message: str
) -> None:
    answer = _upload(grower[1], data, name=name) if data else grower[1].post("/workbooks", data={"what": "ginger"})
    assert answer.status_code == 422
    assert message in answer.text


def test_two_hundred_megabytes_are_refused_before_they_are_read(grower: tuple[Actor, FlaskClient]) -> None:
    answer = grower[1].post(
        "/workbooks",
        data=b"",
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": "200000000"},
    )
    assert answer.status_code == 413
    assert "太大" in answer.text


def test_the_catalogue_of_inputs_comes_from_a_gbk_csv(world: World, grower: tuple[Actor, FlaskClient]) -> None:
    _actor, client = grower
    head = [str(cell).replace("₂", "2").replace("₅", "5") for cell in _template(client, "inputs")["投入品"][0]]
    row = {
        "类型": "农药",
        "名称": "苯醚甲环唑 10%",
        "登记证号": "PD20150123",
        "有效成分": "苯醚甲环唑 10%",
        "适用产品": "罗平小黄姜",
        "安全间隔期": "14",
        "最大用量": "50",
        "用量单位": "克/亩",
    }
    lines = [",".join(next((v for k, v in row.items() if h.startswith(k)), "") for h in head)]
    bad = lines[0].replace("PD20150123", "x")
    made = _upload(client, "\n".join([",".join(head), *lines, bad, *lines]).encode("gbk"), "inputs", "目录.csv")
    page = client.get(made.location).text
    assert "号码的样子不对" in page
    assert "与第 2 行重复" in page
    client.post(f"{made.location}/good")
    with world.app.app_context():
        [product] = db.session.scalars(db.select(InputProduct)).all()
        assert (product.uses[0].kind_code, product.uses[0].interval_days, str(product.uses[0].dose_max)) == (
            "ginger",
            14,
            "50.000",
        )


def test_a_lot_that_was_recalled_between_check_and_import_is_told(
    world: World, grower: tuple[Actor, FlaskClient]
) -> None:
    actor, client = grower
    batch_id = world.released(actor, lot_number="XL-R")
    data = _filled(
        client, 日常管护=[{"批次号": lot, "日期": "2025-06-01", "做了什么": "除草"} for lot in ("XL-1", "XL-R")]
    )
    made = _upload(client, data)
    world.recall(world.regulator(), batch_id)
    before = _count(world)
    client.post(f"{made.location}/all")
    page = client.get(made.location).text
    assert "已导入" in page
    assert _count(world) == before + 1


def test_what_a_dead_worker_left_is_taken_up_again_and_nothing_is_doubled(
    world: World, grower: tuple[Actor, FlaskClient]
) -> None:
    _actor, client = grower
    rows = [{"批次号": "XL-1", "日期": "2025-06-01", "做了什么": f"第 {n} 次"} for n in range(5)]
    made = _upload(client, _filled(client, 日常管护=rows))
    client.post(f"{made.location}/all")
    assert _count(world) == 5
    with world.writing():
        db.session.execute(db.text("UPDATE imports SET status = 'waiting', claimed_at = NULL"))
    with world.app.app_context():
        service.go_on()
    assert _count(world) == 5
    assert "已导入 5 行" in client.get(made.location).text


def test_an_import_is_ones_own(world: World, grower: tuple[Actor, FlaskClient]) -> None:
    _actor, client = grower
    made = _upload(client, _filled(client))
    other = world.client(world.producer())
    for path in (made.location, f"{made.location}/problems.csv"):
        assert other.get(path).status_code == 404
    assert other.post(f"{made.location}/good").status_code == 404


class TestLotFile:
    def _full(self, world: World) -> tuple[Actor, int]:
        actor = world.producer(name="=HYPERLINK(合作社)")
        batch_id = world.batch(actor, lot_number="FILE-1")
        world.complete(actor, batch_id)
        world.record(actor, batch_id, "pesticide", **SPRAYED | {"note": "=1+1"})
        client = world.client(actor)
        lines = {
            "line-analyte": ["镉", "苯醚甲环唑"],
            "line-result": ["0.02", "0.01"],
            "line-unit": ["mg/kg"] * 2,
            "line-method": [""] * 2,
        }
        report = {
            "kind": "own",
            "report_number": "R-1",
            "laboratory": "检测中心",
            "sampled_on": "2025-11-10",
            "issued_on": "2025-11-12",
        }
        client.post(f"/batches/{batch_id}/tests/new", data=report | lines)
        client.post(f"/batches/{batch_id}/release")
        issued = client.post(f"/batches/{batch_id}/commitments", data={"quantity": "8600", "bases": ["own_test"]})
        assert issued.status_code == 302
        return actor, batch_id

    def test_as_a_workbook_that_runs_nothing(self, world: World) -> None:
        actor, batch_id = self._full(world)
        data = world.client(actor).get(f"/batches/{batch_id}/file.xlsx").data
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        assert book.sheet_names == ["批次", "生产记录", "视频", "检测", "证书", "合规检查"]
        records = book.get_sheet_by_name("生产记录").to_python()
        assert len(records) == 4
        assert any("=1+1" in str(cell) for row in records for cell in row)
        import zipfile

        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert not any(b"<f>" in archive.read(name) for name in archive.namelist() if "worksheets/sheet" in name)

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("zh", ("生产档案", "采收", "检测中心", "≤ 0.1 mg/kg", "承诺达标合格证")),
            ("en", ("Dossier", "Harvest", "passed")),
        ],
    )
    def test_as_a_dossier_on_paper(self, world: World, language: str, words: tuple[str, ...]) -> None:
        actor, batch_id = self._full(world)
        data = world.client(actor, language).get(f"/batches/{batch_id}/file.pdf").data
        with pypdfium2.PdfDocument(data) as document:
            text = "".join(page.get_textpage().get_text_bounded() for page in document)
        for word in ("FILE-1", "苯醚甲环唑", *words):
            assert word.lower() in text.lower()

    def test_for_the_producer_and_its_regulator_alone(self, world: World) -> None:
        _actor, batch_id = self._full(world)
        assert world.client(world.regulator()).get(f"/batches/{batch_id}/file.xlsx").status_code == 200
        assert world.client(world.regulator("530323")).get(f"/batches/{batch_id}/file.pdf").status_code == 404
        assert world.client(world.producer()).get(f"/batches/{batch_id}/file.xlsx").status_code == 404


def test_rows_are_for_lots_of_ones_own(world: World, grower: tuple[Actor, FlaskClient]) -> None:
    other = world.producer()
    world.batch(other, lot_number="THEIRS-1")
    _actor, client = grower
    data = _filled(client, 日常管护=[{"批次号": "THEIRS-1", "日期": "2025-06-01", "做了什么": "除草"}])
    assert "没有可以记录的批次" in client.get(_upload(client, data).location).text
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(Batch.id))) == 2


def test_paper_has_plain_digits_and_spaces_for_what_the_font_lacks() -> None:
    from trace_app.paper import fonts_for

    with fonts_for(["N-P₂O₅\u3000姜\U0001f600"]) as fonts:
        assert fonts.printable("N-P₂O₅\u3000姜\U0001f600") == "N-P2O5 姜□"


def test_rare_characters_are_copied_out_of_papers_as_they_are() -> None:
    from reportlab.pdfgen.canvas import Canvas

    from trace_app.paper import Fonts, drawn

    text = "㮾䶮𬭩𫖯镕喆" + "".join(map(chr, range(0x4E00, 0x4E00 + 150)))

    def draw(fonts: Fonts) -> bytes:
        out = io.BytesIO()
        canvas = Canvas(out)
        canvas.setFont(fonts.regular, 3)
        canvas.drawString(20, 20, fonts.printable(text))
        canvas.save()
        return out.getvalue()

    with pypdfium2.PdfDocument(drawn(draw)) as document:
        assert document[0].get_textpage().get_text_range() == text


def _book(name: str, *rows: list[Any], formats: dict[tuple[int, int], str] | None = None, merged: str = "") -> bytes:
    """A workbook of one sheet, with number formats by row and column."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet(name)
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            shown = (formats or {}).get((row, column))
            sheet.write(row, column, value, book.add_format({"num_format": shown}) if shown else None)
    if merged:
        sheet.merge_range(merged, rows[1][0])
    book.close()
    return out.getvalue()


CARE = ["批次号", "日期", "做了什么"]
MANURE = ["批次号", "日期", "肥料名称", "肥料类型", "用量", "单位", "面积（亩）", "N %"]


def test_percent_cells_are_percents_and_units_say_what_they_became(
    world: World, grower: tuple[Actor, FlaskClient]
) -> None:
    _actor, client = grower
    row = ["XL-1", "2025-06-01", "某复合肥", "复合肥", 40, "公斤/亩", 3, 0.15]
    halves = ["XL-1", "2025-06-02", "某复合肥", "复合肥", "80斤/亩", "公斤/亩", "3亩", "15％"]
    grams = ["XL-1", "2025-06-03", "某复合肥", "复合肥", "80斤/亩", "克/亩", 3, ""]
    wrong = [
        ["XL-1", "2025-06-04", "某复合肥", "复合肥", "1,5", "公斤/亩", 3, ""],
        ["XL-1", "2025-06-04", "某复合肥", "复合肥", "1_000", "公斤/亩", 3, ""],
        ["XL-1", "2025-06-04", "某复合肥", "复合肥", 0.4, "公斤/亩", 3, ""],
        ["XL-1", "2025-06-04", "某复合肥", "复合肥", 40, "公斤每亩", 3, ""],
        ["XL-1", "2025-06-04", "某复合肥", "复合肥", "3升", "公斤/亩", 3, ""],
    ]
    made = _upload(client, _book("施肥", MANURE, row, halves, grams, *wrong, formats={(1, 7): "0%", (6, 4): "0.0%"}))
    page = client.get(made.location).text
    told = _told(page, "施肥")
    assert ("3", "E 用量", "80斤/亩", "记为 40 公斤/亩") in told
    assert ("4", "E 用量", "80斤/亩", "记为 40000 克/亩") in told
    faults = {row: (column, content, message) for row, column, content, message in told if int(row) > 4}
    assert faults["5"][:2] == ("E 用量", "1,5")
    assert "是 1.5 还是 15？" in faults["5"][2]
    assert faults["6"][1] == "1_000"
    assert faults["7"][1] == "40%"
    assert "是“公斤/亩”吗" in faults["8"][2]
    assert "不能换算成公斤/亩" in faults["9"][2]
    assert client.post(f"{made.location}/good").status_code == 302
    with world.app.app_context():
        records = db.session.scalars(db.select(Record).order_by(Record.happened_on)).all()
        assert [(str(r.dose), r.values.get("n_percent")) for r in records] == [
            ("40.000", "15"),
            ("40.000", "15"),
            ("40000.000", None),
        ]
        assert str(records[1].area_mu) == "3.00"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (915, "0000"),
        (100_000, "0E+00"),
        (2.0260915000123e19, "General"),
        (1.5, "General"),
        (True, "General"),
        (46_093, 'm"月"d"日"'),
        ("2.02609E+19", "@"),
    ],
)
def test_a_lot_number_that_excel_has_changed_is_refused_with_its_cell(
    world: World, grower: tuple[Actor, FlaskClient], cell: Any, shown: str
) -> None:
    head = ["批次号", "产品", "基地", "数量", "单位", "开始日期"]
    row = [cell, _product(world), _site(world), 50, "公斤", "2025-03-12"]
    _actor, client = grower
    told = _told(client.get(_upload(client, _book("批次", head, row, formats={(1, 0): shown})).location).text, "批次")
    assert [(row, column) for row, column, _content, _message in told] == [("2", "A 批次号")]
    assert "设为“文本”格式" in told[0][3]


def test_twins_by_case_width_and_dash_are_refused_with_the_lot_that_they_double(
    world: World, grower: tuple[Actor, FlaskClient]
) -> None:
    _actor, client = grower
    head = ["批次号", "产品", "基地", "数量", "单位", "开始日期"]
    rest = [_product(world), _site(world), 50, "公斤", "2025-03-12"]
    twins = ["xl-1", "XL–1", "ＸＬ－１", "'XL-1", "New-2", "NEW-2"]
    told = _told(
        client.get(_upload(client, _book("批次", head, *([lot, *rest] for lot in twins))).location).text, "批次"
    )
    assert [row for row, *_rest in told] == ["2", "3", "4", "5", "7"]
    assert all("批次号“XL-1”已有" in message for _row, _column, _content, message in told[:4])
    assert "批次号“New-2”已有" in told[4][3]
    with world.app.app_context():
        batch = db.session.scalars(db.select(Batch)).one()
        values = {"product_id": batch.product_id, "site_id": batch.site_id, "quantity": "5", "unit": "kg"}
    values |= {"lot_number": "ｘｌ—1", "started_on": "2025-03-12"}
    typed = client.post("/batches/new", data=values)
    assert typed.status_code in {409, 422}
    assert "批次号“XL-1”已登记过" in typed.text


def test_a_title_merged_cells_days_and_lots_as_people_have_them(
    world: World, grower: tuple[Actor, FlaskClient]
) -> None:
    _actor, client = grower
    rows = [
        ["XL-1", "2025年9月15日", "除草"],
        ["", 45_915, "除草"],
        ["", "20250917", "除草"],
        ["xl-1", "2025/9/18 08:30", "除草"],
        ["XL-11", "2025-09-18", "除草"],
        ["XL-1", "9月18日", "除草"],
    ]
    made = _upload(client, _book("日常管护", CARE, *rows, merged="A2:A4"))
    told = _told(client.get(made.location).text, "日常管护")
    assert [(row, content) for row, _column, content, _message in told] == [("6", "XL-11"), ("7", "9月18日")]
    assert "是“XL-1”吗" in told[0][3]
    client.post(f"{made.location}/good")
    with world.app.app_context():
        days = db.session.scalars(db.select(Record.happened_on).order_by(Record.happened_on)).all()
        assert [str(day) for day in days] == ["2025-09-15", "2025-09-15", "2025-09-17", "2025-09-18"]
    titled = _upload(client, _book("日常管护", ["2025 年农事记录"], [], CARE, ["XL-1", "2025-10-01", "培土"]))
    page = client.get(titled.location).text
    assert "<b>1</b><small>可以导入" in page


def test_orders_of_a_shops_export_keep_their_numbers(world: World, grower: tuple[Actor, FlaskClient]) -> None:
    actor, client = grower
    world.released(actor, lot_number="SHOP-1")
    head = "平台,订单号,收货人,批次号,数量,发货日期,运单号"
    rest = "某客户,SHOP-1,1,2025/11/20 10:22:31"
    lines = [
        "sep=,",
        head,
        f'淘宝,"=""3407181234567890123""",{rest},YT1',
        f"淘宝,'3407181234567890124,{rest},YT2",
        f"淘宝,3.40718E+18,{rest},YT3",
        f"淘宝,3407181234567890126,{rest},7.71235E+18",
    ]
    made = _upload(client, "\r\n".join(lines).encode("gbk"), "orders", "订单.csv")
    told = _told(client.get(made.location).text, "订单.csv")
    assert [(row, column) for row, column, _content, _message in told] == [("5", "B 订单号"), ("6", "G 运单号")]
    client.post(f"{made.location}/good")
    with world.app.app_context():
        numbers = db.session.scalars(db.text("SELECT order_number FROM shipments ORDER BY order_number")).all()
        assert numbers == ["3407181234567890123", "3407181234567890124"]
