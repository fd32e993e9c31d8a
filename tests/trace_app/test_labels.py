import io
import os
import re
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pypdfium2
import pytest

from config import Settings
from qr.check import check_file
from qr.formats import FORMATS
from qr.reading import open_picture, read_symbols
from tests.conftest import app_for, set_up, settings_for
from tests.world import World
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.labels import keys
from trace_app.labels.models import LabelRun, PrintJob

pytestmark = pytest.mark.either_database

ORDER = {"count": "24", "level": "item", "stock": "a4-3x8", "format": "pdf", "per_volume": ""}


def _settings(world: World) -> Settings:
    settings: Settings = world.app.config["SETTINGS"]
    return settings


def _decoded(pdf: bytes) -> list[str]:
    with pypdfium2.PdfDocument(pdf) as document:
        pages = [np.asarray(page.render(scale=3).to_pil().convert("L")) for page in document]
    return [text for page in pages for text in read_symbols(page)]


def _scan(world: World, url: str) -> Any:
    """The page that a symbol's address leads to."""
    return world.client().get(urlsplit(url).path, base_url="http://127.0.0.1:8000", follow_redirects=True)


def _file_path(page: str) -> str:
    path = re.search(r'href="(/labels/jobs/\d+/1)"', page)
    assert path
    return path[1]


@pytest.mark.parametrize(("stock", "pages"), [("a4-3x8", 2), ("roll-60x40", 25)])
def test_a_producer_asks_for_labels_and_gets_a_pdf_whose_every_code_opens(world: World, stock: str, pages: int) -> None:
    actor = world.producer(name="板桥姜业合作社")
    batch_id = world.released(actor, lot_number="LP-J-0417", product_name="罗平小黄姜")
    client = world.client(actor)
    made = client.post(f"/batches/{batch_id}/labels", data=ORDER | {"count": "25", "stock": stock})
    page = client.get(made.location).text
    assert "下载 PDF" in page
    answer = client.get(_file_path(page))
    assert answer.mimetype == "application/pdf"
    assert "LP-J-0417" in answer.headers["Content-Disposition"]
    with pypdfium2.PdfDocument(answer.data) as document:
        assert len(document) == pages
        text = re.sub(r"\s", "", document[0].get_textpage().get_text_bounded())
    assert all(part in text for part in ("罗平小黄姜", "LP-J-0417", "板桥姜业合作社", "云南罗平县板桥镇"))
    urls = _decoded(answer.data)
    assert len(set(urls)) == 25
    for url in (urls[0], urls[-1]):
        assert "LP-J-0417" in world.client().get("/" + url.rsplit("/", 1)[1]).text


@pytest.mark.parametrize("name", FORMATS)
def test_labels_come_in_every_format(world: World, name: str) -> None:
    actor = world.producer()
    run = world.run(actor, world.released(actor), count=5, format_name=name)
    with world.app.app_context():
        from trace_app.labels import layouts, service

        row = db.session.get_one(LabelRun, run)
        layout = layouts.layout_of_job(row.jobs[0])
        art = layouts.art_of(layouts.label_text(row.batch), layout, service.family_of(row).form)
        [file] = world.files(actor, run)
        assert check_file(io.BytesIO(file), name, art, service.labels_of(row, 0, 5)) == 5


def test_a_single_label_comes_as_png_and_svg(world: World) -> None:
    actor = world.producer()
    run = world.run(actor, world.released(actor))
    client = world.client(actor)
    code = world.code(run, 2)
    png = client.get(f"/labels/{run}/2.png").data
    assert read_symbols(open_picture(png)) == [_settings(world).code_prefix + code]
    svg = client.get(f"/labels/{run}/2.svg")
    assert svg.mimetype == "image/svg+xml"
    assert f"{code[1:5]} {code[5:9]}" in svg.text
    assert client.get(f"/labels/{run}/3.png").status_code == 404


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"count": "0"}, "须在 1 到 1048575 之间"),
        ({"count": "x"}, "“x”不是数字"),
        ({"count": "1048576"}, "须在 1 到 1048575 之间"),
        ({"stock": "napkin"}, "没有“napkin”这一项"),
        ({"format": "docx"}, "没有“docx”这一项"),
        ({"format": "tspl"}, "A4 不干胶请选 PDF"),
        ({"link": "y"}, "商品条码"),
        ({"pin": "y", "level": "batch"}, "整批标签共用一个码"),
    ],
)
def test_a_wrong_request_comes_back(world: World, change: dict[str, str], said: str) -> None:
    actor = world.producer()
    batch_id = world.released(actor)
    answer = world.client(actor).post(f"/batches/{batch_id}/labels", data=ORDER | change)
    assert answer.status_code == 422
    assert re.search(f'<p class="error"[^>]*>[^<]*{re.escape(said)}', answer.text)
    with world.app.app_context():
        for model in (LabelRun, PrintJob):
            assert db.session.scalar(db.select(db.func.count(model.id))) == 0


def test_a_name_that_cannot_be_printed_is_said_before_anything_is_kept(world: World) -> None:
    actor = world.producer()
    batch_id = world.released(actor, product_name="姜\U0001f600")
    answer = world.client(actor).post(f"/batches/{batch_id}/labels", data=ORDER)
    assert answer.status_code == 422
    assert "标签字体里没有" in answer.text
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(LabelRun.id))) == 0


@pytest.mark.parametrize("name", ["𠮷姜", "姜\U0001f600𠮷"])
def test_a_name_that_cannot_be_printed_keeps_nobody_from_a_table_of_codes(world: World, name: str) -> None:
    actor = world.producer()
    run = world.run(actor, world.released(actor, product_name=name), count=5, format_name="csv")
    [file] = world.files(actor, run)
    assert len(file.decode("utf-8-sig").strip().splitlines()) == 6
    client = world.client(actor)
    assert client.get(f"/labels/{run}").status_code == 200


def test_a_name_too_long_for_the_label_is_named_with_its_field(world: World) -> None:
    actor = world.producer(name="曲靖市罗平县板桥镇高山生态小黄姜种植农民专业合作社联合社有限责任公司第一分公司")
    batch_id = world.released(actor, product_name="云南罗平高山生态富硒小黄姜礼盒装特级精选老姜母姜")
    client = world.client(actor)
    answer = client.post(f"/batches/{batch_id}/labels", data=ORDER | {"stock": "roll-40x30", "pin": "y"})
    assert answer.status_code == 422
    assert "在这种标签上放不下" in answer.text
    assert client.post(f"/batches/{batch_id}/labels", data=ORDER | {"stock": "roll-100x100"}).status_code == 302


def test_only_what_is_released_and_not_recalled_or_closed_is_labelled(world: World) -> None:
    actor = world.producer()
    client = world.client(actor)
    draft, closed, recalled = world.batch(actor), world.released(actor), world.released(actor)
    run = world.run(actor, recalled)
    path = _file_path(client.get(f"/labels/{run}").text)
    client.post(f"/batches/{closed}/close")
    world.recall(world.regulator(), recalled)
    for batch_id, message in ((draft, "批次放行后才能打印"), (closed, "批次已结束"), (recalled, "已召回")):
        answer = client.post(f"/batches/{batch_id}/labels", data=ORDER)
        assert answer.status_code == 422
        assert message in answer.text
    for refused in (path, f"/labels/{run}/0.png", f"/labels/{run}/0.svg"):
        assert client.get(refused).status_code == 409
    again = {"first": "1", "last": "1", "reason": "卡纸", "job": path.split("/")[3]}
    assert client.post(f"/labels/{run}/reprint", data=again).status_code == 409


def test_no_one_fetches_or_touches_anothers_labels(world: World) -> None:
    actor = world.producer()
    run = world.run(actor, world.released(actor))
    path = _file_path(world.client(actor).get(f"/labels/{run}").text)
    job = path.split("/")[3]
    other = world.client(world.producer())
    for refused in (path, f"/labels/{run}", f"/labels/{run}/0.png"):
        assert other.get(refused).status_code == 404
    values = {"first": "1", "last": "1", "reason": "x", "job": job}
    for refused in (
        f"/labels/{run}/void",
        f"/labels/{run}/reprint",
        f"/labels/jobs/{job}/cancel",
        f"/labels/jobs/{job}/retry",
    ):
        assert other.post(refused, data=values).status_code == 404


def test_no_code_is_given_twice_and_none_needs_a_row(world: World) -> None:
    actor = world.producer()
    batch_id = world.released(actor)
    runs = [world.run(actor, batch_id, count=40) for _ in range(2)]
    codes = {world.code(run, index) for run in runs for index in range(40)}
    assert len(codes) == 80
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(LabelRun.id))) == 2


class TestLevels:
    def test_labels_of_a_batch_all_carry_one_code(self, world: World) -> None:
        actor = world.producer()
        run = world.run(actor, world.released(actor), count=30, layout="a4-3x8", level="batch")
        texts = _decoded(world.files(actor, run)[0])
        assert set(texts) == {_settings(world).code_prefix + world.code(run)}
        assert world.client().get(f"/{world.code(run)}").status_code == 200
        assert world.client().get(f"/{world.unmade(run, 1)}").status_code == 404

    def test_a_product_with_a_gtin_may_have_gs1_digital_links(self, world: World) -> None:
        from biip import parse

        actor = world.producer()
        product = world.product(actor, gtin="6901234567892", name="姜")
        batch_id = world.released(actor, product_id=product, lot_number="LP-J/0417".replace("/", "-"))
        run = world.run(actor, batch_id, count=3, link=True)
        [url, *_others] = sorted(_decoded(world.files(actor, run)[0]))
        message = parse("https://id.example.org" + urlsplit(url).path).gs1_digital_link_uri
        assert message is not None
        values = {element.ai.ai: element.value for element in message.element_strings}
        assert values["01"] == "06901234567892"
        assert values["10"] == "LP-J-0417"
        page = _scan(world, url)
        assert page.status_code == 200
        assert "LP-J-0417" in page.text
        other = urlsplit(url).path.replace("LP-J-0417", "LP-J-0418")
        assert world.client().get(other).status_code == 404
        # A GTIN that is corrected later does not make the labels in the shops strangers.
        values = {"kind_code": "ginger", "name": "姜", "net_content": "净重 500 克", "gtin": "6901234567908"}
        assert world.client(actor).post(f"/products/{product}", data=values).status_code == 302
        assert _scan(world, url).status_code == 200

    @pytest.mark.parametrize(("lot", "status"), [("A-1.b_2", 302), ("L" * 21, 422), ("姜2026", 422), ("a" * 20, 302)])
    def test_a_lot_number_must_be_one_that_gs1_can_carry(self, world: World, lot: str, status: int) -> None:
        actor = world.producer()
        batch_id = world.released(actor, product_id=world.product(actor, gtin="6901234567892"), lot_number=lot)
        order = ORDER | {"link": "y", "stock": "roll-60x40"}
        answer = world.client(actor).post(f"/batches/{batch_id}/labels", data=order)
        assert answer.status_code == status
        if status == 422:
            assert "不能放进 GS1 数字链接" in answer.text
        else:
            run = int(answer.location.rsplit("/", 1)[1])
            url = _decoded(world.files(actor, run)[0])[0]
            assert _scan(world, url).status_code == 200

    def test_a_link_too_long_for_any_label_is_refused_with_advice(self, tmp_path: Path) -> None:
        address = "https://trace.example" + "/labels/of/all/producers" * 10
        app = app_for(settings_for(tmp_path, public_url=address))
        set_up(app)
        world = World(app)
        actor = world.producer()
        batch_id = world.released(actor, product_id=world.product(actor, gtin="6901234567892"), lot_number="L" * 20)
        client, order = world.client(actor), ORDER | {"link": "y", "count": "1"}
        refused = client.post(f"/batches/{batch_id}/labels", data=order | {"stock": "roll-100x100"})
        assert refused.status_code == 422
        assert "印不出能扫的二维码" in refused.text
        del order["link"]
        assert client.post(f"/batches/{batch_id}/labels", data=order | {"stock": "roll-100x100"}).status_code == 302

    def test_containers_of_a_producer_with_a_gs1_prefix_are_numbered_on(self, world: World) -> None:
        actor = world.producer(gs1_prefix="6901234")
        batch_id = world.released(actor)
        runs = [world.run(actor, batch_id, count=2, layout="roll-100x100", level="case", link=True) for _ in range(2)]
        texts = [text for run in runs for text in _decoded(world.files(actor, run)[0])]
        numbers = [text.rsplit("/00/", 1)[1] for text in texts]
        assert sorted(number[8:-1] for number in numbers) == ["000000000", "000000001", "000000002", "000000003"]
        for run, index, number in ((runs[0], 1, sorted(numbers)[1]), (runs[1], 0, sorted(numbers)[2])):
            page = _scan(world, f"/00/{number}")
            assert page.status_code == 200
            code = world.code(run, index)
            assert code in page.text
            assert world.client().get("/find", query_string={"code": f"(00) {number}"}).location.endswith(code)
        wrong = numbers[0][:-1] + str((int(numbers[0][-1]) + 1) % 10)
        assert world.client().get(f"/00/{wrong}").status_code in (400, 404)
        assert world.client().get("/00/069012345678900009").status_code in (400, 404)

    def test_without_a_prefix_containers_have_codes_alone(self, world: World) -> None:
        actor = world.producer()
        run = world.run(actor, world.released(actor), count=1, level="pallet")
        assert _decoded(world.files(actor, run)[0]) == [_settings(world).code_prefix + world.code(run)]


class TestVoid:
    def test_a_voided_code_says_so_from_the_next_scan_on(self, world: World) -> None:
        actor = world.producer()
        run = world.run(actor, world.released(actor), count=10)
        codes = [world.code(run, index) for index in range(10)]
        scanner = world.client()
        assert [scanner.get(f"/{code}").status_code for code in codes] == [200] * 10
        client = world.client(actor)
        answer = client.post(f"/labels/{run}/void", data={"first": "4", "last": "6", "reason": "印糊了"})
        assert answer.status_code == 302
        statuses = [scanner.get(f"/{code}").status_code for code in codes]
        assert statuses == [200] * 3 + [410] * 3 + [200] * 4
        page = scanner.get(f"/{codes[3]}").text
        assert "此标签已作废" in page
        assert "来源可查" not in page
        shown = client.get(f"/labels/{run}").text
        assert "印糊了" in shown
        assert shown.count('<span class="tag plain">已作废</span>') == 3

    def test_ranges_grow_together_and_stay(self, world: World) -> None:
        actor = world.producer()
        run = world.run(actor, world.released(actor), count=20)
        client = world.client(actor)
        for first, last in ((3, 5), (9, 9), (6, 7), (5, 10)):
            client.post(f"/labels/{run}/void", data={"first": first, "last": last, "reason": "坏"})
        with world.app.app_context():
            row = db.session.get_one(LabelRun, run)
            assert row.voided == "2-9"
            assert [(void.first, void.last) for void in row.voids] == [(2, 4), (8, 8), (5, 6), (4, 9)]
        assert "已作废 8 张" in client.get(f"/labels/{run}").text

    @pytest.mark.parametrize(
        ("first", "last", "said"),
        [(0, 3, "须在 1"), (5, 4, "起始不大于结束"), (19, 21, "1 到 20"), (2, 2, "已全部作废")],
    )
    def test_a_wrong_range_is_refused_and_what_was_typed_stays(
        self, world: World, first: int, last: int, said: str
    ) -> None:
        actor = world.producer()
        run = world.run(actor, world.released(actor), count=20)
        client = world.client(actor)
        client.post(f"/labels/{run}/void", data={"first": 1, "last": 3, "reason": "坏"})
        answer = client.post(f"/labels/{run}/void", data={"first": first, "last": last, "reason": "压痕"})
        assert answer.status_code == 422
        assert said in answer.text
        assert "压痕" in answer.text

    def test_a_voided_label_of_a_recalled_batch_says_that_too(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.released(actor)
        run = world.run(actor, batch_id, count=2)
        world.client(actor).post(f"/labels/{run}/void", data={"first": 1, "last": 1, "reason": "坏"})
        number = world.recall(world.regulator(), batch_id)
        page = world.client().get(f"/{world.code(run)}")
        assert page.status_code == 410
        assert "已召回" in page.text
        assert number in page.text


class TestKeys:
    def test_the_file_is_its_owners_alone_and_outside_the_database(self, world: World) -> None:
        path = _settings(world).label_keys
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        key = re.search(r"[0-9a-f]{64}", path.read_text())
        assert key
        with world.app.app_context():
            for table in db.metadata.sorted_tables:
                for row in db.session.execute(table.select()):
                    assert key[0] not in str(tuple(row))

    def test_a_lost_key_is_never_made_anew_and_stops_printing_with_advice(self, tmp_path: Path) -> None:
        app = app_for(settings_for(tmp_path))
        set_up(app)
        path = app.config["SETTINGS"].label_keys
        kept = path.read_bytes()
        path.unlink()
        with app.app_context(), pytest.raises(keys.KeyTrouble, match="label-key-trouble"), transaction():
            keys.register_keys()
        assert not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, kept.replace(kept[8:12], b"0000"))
        os.close(descriptor)
        with app.app_context(), pytest.raises(keys.KeyTrouble) as trouble:
            keys.code_book()
        assert "备份" in trouble.value.message

    def test_after_rotation_new_labels_have_the_new_key_and_old_ones_still_open(self, tmp_path: Path) -> None:
        app = app_for(settings_for(tmp_path))
        set_up(app)
        world = World(app)
        actor = world.producer()
        batch_id = world.released(actor)
        old = world.code(world.run(actor, batch_id))
        assert app.test_cli_runner().invoke(args=["keys", "rotate"]).exit_code == 0
        new = world.code(world.run(actor, batch_id))
        assert (old[0], new[0]) == ("1", "2")
        assert {world.client().get(f"/{code}").status_code for code in (old, new)} == {200}
        shown = app.test_cli_runner().invoke(args=["keys", "show"]).output
        assert len(re.findall(r"(?:[0-9a-f]{4} ){3}[0-9a-f]{4}", shown)) == 2
        assert not re.search(r"[0-9a-f]{32}", shown)
