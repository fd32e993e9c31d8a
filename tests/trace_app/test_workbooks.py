"""Excel both ways: templates, the dry run, taking in, a lot's whole file."""

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
    found = re.findall(r"<td>用药</td>\s*<td class=\"n\">(\d+)</td>\s*<td>([A-Z]+) [^<]*</td>\s*<td>([^<]*)</td>", page)
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
        lines = {"line-analyte": ["镉"], "line-result": ["0.02"], "line-unit": ["mg/kg"], "line-method": [""]}
        report = {
            "kind": "own",
            "report_number": "R-1",
            "laboratory": "检测中心",
            "sampled_on": "2025-11-10",
            "issued_on": "2025-11-12",
        }
        client.post(f"/batches/{batch_id}/tests/new", data=report | lines)
        client.post(f"/batches/{batch_id}/release")
        known = {"though_not_tested": "y"}
        client.post(f"/batches/{batch_id}/commitments", data={"quantity": "10", "bases": ["own_test"], **known})
        return actor, batch_id

    def test_as_a_workbook_that_runs_nothing(self, world: World) -> None:
        actor, batch_id = self._full(world)
        data = world.client(actor).get(f"/batches/{batch_id}/file.xlsx").data
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        assert book.sheet_names == ["批次", "生产记录", "检测", "证书", "合规检查"]
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
