import csv
import io
import os
import re
import stat
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from config import Settings
from qr.reading import open_picture, read_symbols
from tests.conftest import app_for, set_up, settings_for
from tests.world import World
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.labels import service as labels
from trace_app.labels.models import LabelRun


def _settings(world: World) -> Settings:
    settings: Settings = world.app.config["SETTINGS"]
    return settings


def _decoded(pdf: bytes) -> list[str]:
    with pypdfium2.PdfDocument(pdf) as document:
        pages = [np.asarray(page.render(scale=3).to_pil().convert("L")) for page in document]
    return [text for page in pages for text in read_symbols(page)]


@pytest.mark.parametrize(("stock", "pages"), [("a4-3x8", 2), ("roll-60x40", 25)])
def test_a_producer_asks_for_labels_and_gets_a_pdf_whose_every_code_opens(world: World, stock: str, pages: int) -> None:
    actor = world.producer(name="板桥姜业合作社")
    batch_id = world.released(actor, lot_number="LP-J-0417", product_name="罗平小黄姜")
    client = world.client(actor)
    made = client.post(f"/batches/{batch_id}/labels", data={"count": "25", "stock": stock})
    assert "下载 PDF" in client.get(made.location).text
    answer = client.get(made.location + "/labels.pdf")
    assert answer.mimetype == "application/pdf"
    with pypdfium2.PdfDocument(answer.data) as document:
        assert len(document) == pages
        text = re.sub(r"\s", "", document[0].get_textpage().get_text_bounded())
    assert all(part in text for part in ("罗平小黄姜", "LP-J-0417", "板桥姜业合作社", "云南罗平县板桥镇"))
    urls = _decoded(answer.data)
    assert len(set(urls)) == 25
    for url in (urls[0], urls[-1]):
        assert "LP-J-0417" in world.client().get("/" + url.rsplit("/", 1)[1]).text


def test_a_single_label_comes_as_png_and_svg(world: World) -> None:
    actor = world.producer()
    run = world.run(actor, world.released(actor))
    client = world.client(actor)
    code = world.code(run, 2)
    png = client.get(f"/labels/{run}/2.png").data
    assert read_symbols(open_picture(png)) == [_settings(world).code_prefix + code]
    svg = client.get(f"/labels/{run}/2.svg")
    assert svg.mimetype == "image/svg+xml"
    assert f"{code[1:5]}  {code[5:9]}" in svg.text
    assert client.get(f"/labels/{run}/3.png").status_code == 404


def test_the_codes_come_as_a_table_that_excel_reads(world: World) -> None:
    actor = world.producer()
    run = world.run(actor, world.released(actor), count=5)
    text = world.client(actor).get(f"/labels/{run}/codes.csv").data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["code"] for row in rows] == [world.code(run, index) for index in range(5)]
    assert rows[0]["url"] == _settings(world).code_prefix + rows[0]["code"]


@pytest.mark.parametrize("change", [{"count": "0"}, {"count": "x"}, {"count": "50001"}, {"stock": "napkin"}])
def test_a_wrong_request_comes_back(world: World, change: dict[str, str]) -> None:
    actor = world.producer()
    batch_id = world.released(actor)
    answer = world.client(actor).post(f"/batches/{batch_id}/labels", data={"count": "24", "stock": "a4-3x8"} | change)
    assert answer.status_code == 422
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(LabelRun.id))) == 0


def test_a_name_that_cannot_be_printed_is_said_before_anything_is_kept(world: World) -> None:
    actor = world.producer()
    batch_id = world.released(actor, product_name="姜\U0001f600")
    answer = world.client(actor).post(f"/batches/{batch_id}/labels", data={"count": "24", "stock": "a4-3x8"})
    assert answer.status_code == 422
    assert "标签字体里没有" in answer.text


def test_only_what_is_released_and_not_recalled_or_closed_is_labelled(world: World) -> None:
    actor = world.producer()
    client, request = world.client(actor), {"count": "1", "stock": "a4-3x8"}
    draft, closed, recalled = world.batch(actor), world.released(actor), world.released(actor)
    run = world.run(actor, recalled)
    client.post(f"/batches/{closed}/close")
    world.recall(world.regulator(), recalled)
    for batch_id, message in ((draft, "批次放行后才能打印"), (closed, "批次已结束"), (recalled, "正在召回")):
        answer = client.post(f"/batches/{batch_id}/labels", data=request)
        assert answer.status_code == 422
        assert message in answer.text
    for path in ("labels.pdf", "0.png", "0.svg", "codes.csv"):
        assert client.get(f"/labels/{run}/{path}").status_code == 409


def test_no_one_fetches_anothers_labels(world: World) -> None:
    actor = world.producer()
    run = world.run(actor, world.released(actor))
    other = world.client(world.producer())
    for path in ("", "/labels.pdf", "/0.png", "/codes.csv"):
        assert other.get(f"/labels/{run}{path}").status_code == 404


def test_no_code_is_given_twice_and_none_needs_a_row(world: World) -> None:
    actor = world.producer()
    batch_id = world.released(actor)
    runs = [world.run(actor, batch_id, count=40) for _ in range(2)]
    codes = {world.code(run, index) for run in runs for index in range(40)}
    assert len(codes) == 80
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(LabelRun.id))) == 2


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
        with app.app_context(), pytest.raises(labels.KeyTrouble, match="label-key-trouble"), transaction():
            labels.register_keys()
        assert not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, kept.replace(kept[8:12], b"0000"))
        os.close(descriptor)
        with app.app_context(), pytest.raises(labels.KeyTrouble) as trouble:
            labels.code_book()
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
