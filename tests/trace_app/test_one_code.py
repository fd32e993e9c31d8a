"""Certificate, label and trace page are one code (证码融合): what a scan shows, and labels that are a certificate."""

from __future__ import annotations

import io
import re
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray

from qr.reading import open_picture, read_symbols
from tests.trace_app.scanning.asking import ask
from tests.trace_app.test_commitments import BEFORE, _issue, _newest, _on, _producer
from tests.trace_app.test_layouts import values_of_a_layout
from tests.world import Actor, World
from trace_app.extensions import db
from trace_app.labels import printing
from trace_app.labels.models import LabelLayout, LabelRun, PrintStatus

pytestmark = pytest.mark.either_database

WORDS = "承诺达标合格证"


def _symbols(pdf: bytes, folder: Path) -> list[str]:
    """The texts of the codes on a paper, as poppler draws it."""
    (folder / "paper.pdf").write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", "200", "-gray", "-png", "paper.pdf", "page"], cwd=folder, check=True)
    return [text for page in sorted(folder.glob("page*.png")) for text in read_symbols(open_picture(page.read_bytes()))]


def _text(pdf: bytes) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        return "".join("".join(sheet.get_textpage().get_text_range() for sheet in document).split())


def _certified(world: World, **facts: Any) -> tuple[Actor, FlaskClient, int]:
    """An enterprise with a lot that has a certificate."""
    grower = _producer(world, "企业")
    lot, client = world.released(grower, **facts), world.client(grower)
    assert _issue(client, lot, "own_control").status_code == 302
    return grower, client, lot


def _order(client: FlaskClient, lot: int, **facts: str) -> Any:
    order = {"count": "2", "level": "item", "stock": "roll-60x40", "format": "pdf", "as_certificate": "y", **facts}
    return client.post(f"/batches/{lot}/labels", data=order | {"marked_elsewhere": "y"})


def _job(world: World) -> int:
    """The latest print job, done."""
    with world.app.app_context():
        job = db.session.scalars(db.select(printing.PrintJob.id).order_by(printing.PrintJob.id.desc())).first()
        printing.make_files(job)
    return int(job or 0)


class TestTracePage:
    def test_shows_number_day_basis_and_who_commits_and_opens_the_certificate(self, world: World) -> None:
        grower, _client, lot = _certified(world, lot_number="ONE-1")
        row, visitor = _newest(world), world.client()
        code = world.code(world.run(grower, lot, 1))
        page = visitor.get(f"/{code}").text
        for part in (WORDS, row.number, "质量安全控制符合要求", f'href="/commitments/{row.number}"'):
            assert part in page
        shown = visitor.get(f"/commitments/{row.number}")
        assert shown.status_code == 200
        assert shown.headers["Cache-Control"] == "private, no-cache"
        for part in (
            "我承诺生产销售的食用农产品：",
            "使用的常规农药、兽药残留不超标。",
            "8,600 公斤",
            "ONE-1",
            "罗平县",
        ):
            assert part in shown.text
        english = visitor.get(f"/commitments/{row.number}?lang=en").text
        assert "Quality and safety control meets the requirements" in english
        assert "Organisation" in english
        assert visitor.get("/commitments/530324-2026-0000-0000-0000").status_code == 404

    def test_has_nothing_to_say_where_there_is_none(self, world: World) -> None:
        _lot, code = world.labelled(world.producer())
        assert 'id="commitment"' not in world.client().get(f"/{code}").text

    def test_of_the_certificates_own_code_shows_that_one(self, world: World) -> None:
        grower = world.household()
        lot, client = world.released(grower), world.client(grower)
        for _ in range(5):
            assert _issue(client, lot, "own_control", quantity="10").status_code == 302
        newest, visitor = _newest(world), world.client()
        page = visitor.get("/" + newest.facts["url"].rsplit("/", 1)[1]).text
        assert page.count("查看合格证") == 1
        assert newest.number in page
        label = visitor.get(f"/{world.code(world.run(grower, lot, 1))}").text
        assert label.count("查看合格证") == 3
        assert "本批共有 5 张有效的合格证" in label

    def test_says_at_once_that_it_was_withdrawn_and_what_took_its_place(self, world: World) -> None:
        grower, client, lot = _certified(world)
        row, code = _newest(world), world.code(world.run(grower, lot, 1))
        assert "已作废" not in ask(world.app.wsgi_app, code)[2].decode()
        assert client.post(f"/commitments/{row.id}/withdraw", data={"reason": "数量写错"}).status_code == 302
        assert "已作废" in ask(world.app.wsgi_app, code)[2].decode()
        gone = world.client().get(f"/commitments/{row.number}")
        assert gone.status_code == 410
        assert "数量写错" in gone.text
        assert _issue(client, lot, "own_control").status_code == 302
        again = ask(world.app.wsgi_app, code)[2].decode()
        assert "已作废" not in again
        assert _newest(world).number in again

    def test_says_at_once_that_its_lot_was_recalled(self, world: World) -> None:
        grower, _client, lot = _certified(world)
        row, code = _newest(world), world.code(world.run(grower, lot, 1))
        page = f"/commitments/{row.number}"
        assert "此证不再有效" not in world.client().get(page).text
        world.recall(world.regulator(), lot)
        assert "此证不再有效" in ask(world.app.wsgi_app, code)[2].decode()
        assert "此证不再有效" in world.client().get(page).text


class TestLabelsThatAreACertificate:
    @pytest.mark.parametrize("stock", ["roll-60x40", "roll-70x50", "roll-100x100", "a4-3x8", "a4-2x4"])
    def test_have_its_words_and_the_lots_code(self, world: World, tmp_path: Path, stock: str) -> None:
        grower, client, lot = _certified(world)
        assert "as_certificate" in client.get(f"/batches/{lot}/labels").text
        assert _order(client, lot, stock=stock).status_code == 302
        file = client.get(f"/labels/jobs/{_job(world)}/1").data
        assert _text(file).count(WORDS) == 2
        with world.app.app_context():
            run = db.session.scalars(db.select(LabelRun.id).order_by(LabelRun.id.desc())).first()
        [first, second] = sorted(_symbols(file, tmp_path), key=lambda url: url[-13:] != world.code(run, 0))
        assert [first[-13:], second[-13:]] == [world.code(run, 0), world.code(run, 1)]
        assert _newest(world).number in world.client().get(f"/{first[-13:]}").text

    def test_without_the_box_ticked_say_nothing_of_it(self, world: World) -> None:
        grower, client, lot = _certified(world)
        world.run(grower, lot, 2)
        assert WORDS not in _text(client.get(f"/labels/jobs/{_job(world)}/1").data)

    def test_are_refused_where_the_lot_has_none_in_force(self, world: World) -> None:
        grower = _producer(world, "企业")
        lot, client = world.released(grower, lot_number="BARE-1"), world.client(grower)
        assert "as_certificate" not in client.get(f"/batches/{lot}/labels").text
        refused = _order(client, lot)
        assert refused.status_code == 422
        assert "批次 BARE-1 没有有效的承诺达标合格证，标签不能兼作合格证" in refused.text
        assert 'name="as_certificate"' in refused.text
        assert "还没有打印过" in refused.text
        assert _issue(client, lot, "own_control").status_code == 302
        assert _order(client, lot).status_code == 302

    def test_are_refused_where_the_certificate_is_of_a_rule_without_words_for_labels(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grower = _producer(world, "企业")
        lot, client = world.released(grower), world.client(grower)
        _on(monkeypatch, BEFORE)
        assert _issue(client, lot, "own_control").status_code == 302
        _on(monkeypatch, date(2026, 11, 1))
        assert "按旧样式开具的，不能与标签合一" in _order(client, lot).text

    def test_need_a_place_for_the_words(self, world: World) -> None:
        _grower, client, lot = _certified(world)
        values = values_of_a_layout(world)
        assert client.post("/layouts/new?stock=roll-60x40", data=values).status_code == 302
        with world.app.app_context():
            own = db.session.scalars(db.select(LabelLayout.id)).one()
        assert "这个版式里没有“合格证字样”" in _order(client, lot, stock=f"own-{own}").text
        [details] = [name for name, value in values.items() if isinstance(value, list) and "lot" in value]
        with_words = values | {details: ["certificate", "lot", "origin"]}
        assert client.post(f"/layouts/{own}", data=with_words).status_code == 302
        assert _order(client, lot, stock=f"own-{own}").status_code == 302
        assert "CSV 码表上没有文字" in _order(client, lot, format="csv").text

    def test_are_handed_out_and_printed_again_for_as_long_as_it_is_in_force(self, world: World) -> None:
        _grower, client, lot = _certified(world)
        assert _order(client, lot).status_code == 302
        job, row = _job(world), _newest(world)
        with world.app.app_context():
            run = db.session.get_one(printing.PrintJob, job).run_id
        again = {"first": "1", "last": "1", "reason": "卡纸", "job": str(job)}
        assert client.post(f"/labels/{run}/reprint", data=again).status_code == 302
        assert _text(client.get(f"/labels/jobs/{_job(world)}/1").data).count(WORDS) == 1
        assert _order(client, lot).status_code == 302
        assert client.post(f"/commitments/{row.id}/withdraw", data={"reason": "开错"}).status_code == 302
        refused = client.get(f"/labels/jobs/{job}/1")
        assert refused.status_code == 409
        assert "没有有效的承诺达标合格证" in refused.text
        assert "没有有效的承诺达标合格证" in client.post(f"/labels/{run}/reprint", data=again).text
        assert client.get(f"/labels/{run}/0.png").status_code == 409
        waiting = _job(world)
        with world.app.app_context():
            found = db.session.get_one(printing.PrintJob, waiting)
            assert found.status in (PrintStatus.READY, PrintStatus.FAILED)
        assert client.get(f"/labels/jobs/{waiting}/1").status_code == 409
        assert _issue(client, lot, "own_control").status_code == 302
        assert client.get(f"/labels/jobs/{job}/1").status_code == 200


@pytest.mark.parametrize("day", [date(2026, 1, 31), date(2026, 2, 1)])
def test_the_paper_of_a6_leads_to_its_lot(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, day: date
) -> None:
    grower = world.household()
    lot, client = world.released(grower, lot_number="PAPER-1"), world.client(grower)
    _on(monkeypatch, day)
    assert _issue(client, lot, "own_control", consignee="昆明山货行").status_code == 302
    paper = client.get(f"/commitments/{_newest(world).id}.pdf").data
    with pypdfium2.PdfDocument(io.BytesIO(paper)) as document:
        width, height = document[0].get_size()
    assert (round(width / 72 * 25.4), round(height / 72 * 25.4)) == (148, 105)
    [url] = _symbols(paper, tmp_path)
    page = world.client().get("/" + url.rsplit("/", 1)[1]).text
    assert "PAPER-1" in page
    assert _newest(world).number in page


def _pixels(paper: bytes) -> NDArray[np.uint8]:
    with pypdfium2.PdfDocument(paper) as document:
        return np.asarray(document[0].render(scale=4).to_pil().convert("L"))


@pytest.mark.parametrize("day", [date(2026, 1, 31), date(2026, 2, 1)])
@pytest.mark.parametrize("length", [14, 50, 100])
def test_a_long_consignee_stands_whole_within_its_room_and_leaves_the_code_clear(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, day: date, length: int
) -> None:
    name = ("昆明市官渡区关上街道云岭山货批发有限责任公司第二门市部" * 4)[:length]
    grower = world.household()
    lot, client = world.released(grower), world.client(grower)
    _on(monkeypatch, day)
    assert _issue(client, lot, "own_control", consignee=name).status_code == 302
    paper = client.get(f"/commitments/{_newest(world).id}.pdf").data
    with pypdfium2.PdfDocument(paper) as document:
        page = document[0].get_textpage()
        text = re.sub(r"\s", "", page.get_text_bounded())
        boxes = [page.get_charbox(at) for at in range(page.count_chars())]
    assert f"收货方：{name}" in text
    assert "开具日期：" in text
    facts = [(left, bottom, right) for left, bottom, right, top in boxes if left < 100 / 25.4 * 72 and top < 180]
    assert len(facts) > length
    # The symbol with its quiet zone begins 104 mm from the left; the frame stands at 4 mm.
    assert max(right for _left, _bottom, right in facts) <= 102 / 25.4 * 72
    assert min(bottom for _left, bottom, _right in facts) > 5 / 25.4 * 72
    [url] = _symbols(paper, tmp_path)
    assert url == _newest(world).facts["url"]


@pytest.mark.parametrize("why", ["作废", "已召回"])
def test_what_counts_no_more_is_stamped_behind_its_words(world: World, tmp_path: Path, why: str) -> None:
    grower = world.household()
    lot, client = world.released(grower), world.client(grower)
    assert _issue(client, lot, "own_control", consignee="昆明山货行").status_code == 302
    row = _newest(world)
    paper = f"/commitments/{row.id}.pdf"
    before = _pixels(client.get(paper).data)
    assert "有效" in client.get(f"/batches/{lot}/commitments").text
    if why == "作废":
        assert client.post(f"/commitments/{row.id}/withdraw", data={"reason": "开错"}).status_code == 302
    else:
        world.recall(world.regulator(), lot)
    stamped = client.get(paper).data
    after = _pixels(stamped)
    with pypdfium2.PdfDocument(stamped) as document:
        assert why in document[0].get_textpage().get_text_bounded()
    assert (after[before < 100] < 100).all()
    changed = after[np.abs(after.astype(int) - before) > 20]
    assert changed.size > 5000
    assert after[before > 250].min() > 180
    assert _symbols(stamped, tmp_path) == [row.facts["url"]]
    for page in (f"/batches/{lot}/commitments", f"/batches/{lot}"):
        assert ("已作废" if why == "作废" else "批次已召回，此证不再有效") in client.get(page).text
