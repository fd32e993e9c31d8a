"""Numbers that do not end: label runs by key, certificates, shipments, SSCCs, recalls."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from qr.codes import MAX_RUN, CodeBook
from tests.conftest import app_for, set_up, settings_for
from tests.world import Actor, World
from trace_app.certificates.models import CommitmentCertificate
from trace_app.clock import today
from trace_app.db import counters
from trace_app.db.counters import Counter
from trace_app.extensions import db
from trace_app.flow.shipments.models import Shipment
from trace_app.labels.keys import code_book
from trace_app.labels.models import LabelLevel, LabelRun
from trace_app.recalls.models import Recall

pytestmark = pytest.mark.both_databases

ORDER = {"count": "24", "level": "item", "stock": "a4-3x8", "format": "csv", "per_volume": ""}
KEY = bytes(range(32))
BEFORE = {
    (7, 0): ("1GXPZA7DRFK15", "355248"),
    (7, 23): ("1PXAW2H6M29EH", "930845"),
    (MAX_RUN, 5): ("16FTEGSH8HG17", "959499"),
}
"""Codes and PINs by run and index, as they were printed under this key."""


def _set(world: World, name: str, scope: object, period: object, value: int) -> None:
    with world.writing():
        db.session.merge(Counter(name=name, scope=str(scope), period=str(period), value=value))


def _run_numbers(world: World) -> list[tuple[int, int]]:
    with world.app.app_context():
        rows = db.session.execute(sa.select(LabelRun.key_number, LabelRun.run_number).order_by(LabelRun.id))
        return [tuple(row) for row in rows]


def _newest_key(world: World) -> int:
    with world.app.app_context():
        return code_book().newest


def _certify(world: World, grower: Actor, lot: int, times: int = 1) -> list[CommitmentCertificate]:
    client = world.client(grower)
    for _ in range(times):
        data = {"quantity": "1", "bases": ["own_control"]}
        assert client.post(f"/batches/{lot}/commitments", data=data).status_code == 302
    with world.app.app_context():
        return list(db.session.scalars(db.select(CommitmentCertificate).order_by(CommitmentCertificate.id)))


def _path(certificate: CommitmentCertificate) -> str:
    return "/" + certificate.facts["url"].rsplit("/", 1)[1]


class TestRuns:
    @pytest.mark.parametrize(("run", "index"), BEFORE)
    def test_codes_and_pins_of_before_stay_what_they_were(self, run: int, index: int) -> None:
        book = CodeBook({1: KEY})
        code, pin = BEFORE[run, index]
        assert book.code(run, index) == code
        assert book.pins(run, index, 1, key_number=1).tobytes().decode() == pin

    def test_a_code_leads_to_its_run_by_key_and_number_whatever_the_rows_id(self, world: World) -> None:
        grower = world.producer()
        world.labelled(grower, lot_number="OTHER")
        lot = world.released(grower, lot_number="OLD-LOT")
        with world.writing():
            key = code_book().newest
            run = LabelRun(
                id=5000, run_number=77, key_number=key, batch_id=lot, level=LabelLevel.ITEM, count=9, has_pin=True
            )
            db.session.add(run)
            code = code_book().code(77, 3, key_number=key)
            other = code_book().code(5000, 3, key_number=key)
            pin = code_book().pins(77, 3, 1, key_number=key).tobytes().decode()
        visitor = world.client()
        assert "OLD-LOT" in visitor.get(f"/{code}").text
        assert visitor.get(f"/{other}").status_code == 404
        checked = visitor.post(f"/{code}/pin", data={"pin": pin}, follow_redirects=True).text
        assert "验真码正确" in checked

    def test_a_refused_request_uses_no_number_up(self, world: World) -> None:
        grower = world.producer()
        lot = world.released(grower)
        client = world.client(grower)
        assert client.post(f"/batches/{lot}/labels", data=ORDER).status_code == 302
        assert client.post(f"/batches/{lot}/labels", data=ORDER | {"level": "batch", "pin": "y"}).status_code == 422
        assert client.post(f"/batches/{lot}/labels", data=ORDER).status_code == 302
        assert [number for _key, number in _run_numbers(world)] == [0, 1]

    def test_the_last_run_of_a_key_is_given_and_the_next_is_refused_with_what_to_do(self, world: World) -> None:
        grower = world.producer()
        lot = world.released(grower)
        key = _newest_key(world)
        _set(world, "label_run", key, "", MAX_RUN)
        client = world.client(grower)
        assert client.post(f"/batches/{lot}/labels", data=ORDER).status_code == 302
        for _ in range(2):
            refused = client.post(f"/batches/{lot}/labels", data=ORDER)
            assert refused.status_code in {409, 422}
            assert "flask keys rotate" in refused.text
        assert _run_numbers(world) == [(key, MAX_RUN)]
        with world.app.app_context():
            assert counters.taken("label_run", key) == MAX_RUN + 1

    def test_a_new_key_has_numbers_of_its_own_and_old_labels_stay_readable(self, tmp_path: Path) -> None:
        world = World(app_for(settings_for(tmp_path)))
        set_up(world.app)
        grower = world.producer()
        _old_lot, old = world.labelled(grower, lot_number="OLD-KEY")
        _set(world, "label_run", 1, "", MAX_RUN * 85 // 100)
        runner = world.app.test_cli_runner()
        shown = runner.invoke(args=["keys", "show"]).output
        assert "84 %" in shown
        assert "flask keys rotate" in shown
        assert "Key 2" in runner.invoke(args=["keys", "rotate"]).output
        assert "nearly full" not in runner.invoke(args=["keys", "show"]).output
        _new_lot, new = world.labelled(grower, lot_number="NEW-KEY")
        assert _run_numbers(world) == [(1, 0), (2, 0)]
        assert (old[0], new[0]) == ("1", "2")
        visitor = world.client()
        assert "OLD-KEY" in visitor.get(f"/{old}").text
        assert "NEW-KEY" in visitor.get(f"/{new}").text


class TestCertificates:
    def test_the_ten_thousandth_of_a_year_and_the_next_are_given_out(self, world: World) -> None:
        grower = world.household()
        lot = world.released(grower, lot_number="MANY")
        _set(world, "certificate", grower.organisation_id, today().year, 9_998)
        rows = _certify(world, grower, lot, times=3)
        assert [row.index for row in rows] == [9_998, 9_999, 10_000]
        assert len({row.number for row in rows}) == 3
        assert len(_run_numbers(world)) == 1
        for row in rows:
            assert "MANY" in world.client().get(_path(row)).text

    def test_each_leads_to_its_own_lot_and_is_withdrawn_alone(self, world: World) -> None:
        grower = world.household()
        first, second = (world.released(grower, lot_number=name) for name in ("ONE", "TWO"))
        _certify(world, grower, first)
        rows = _certify(world, grower, second)
        world.client(grower).post(f"/commitments/{rows[0].id}/withdraw", data={"reason": "开错"})
        visitor = world.client()
        gone, stays = visitor.get(_path(rows[0])), visitor.get(_path(rows[1]))
        assert (gone.status_code, stays.status_code) == (410, 200)
        assert "TWO" in stays.text
        world.recall(world.regulator(), second)
        assert "召回" in visitor.get(_path(rows[1])).text

    def test_a_code_of_a_certificate_that_was_never_given_out_is_unknown(self, world: World) -> None:
        grower = world.household()
        [row] = _certify(world, grower, world.released(grower))
        assert world.client().get(f"/{world.unmade(row.run_id, 1)}").status_code == 404

    def test_two_producers_have_counters_and_runs_of_their_own(self, world: World) -> None:
        for grower in (world.household(), world.household()):
            rows = _certify(world, grower, world.released(grower))
        assert [row.index for row in rows] == [0, 0]
        assert rows[0].number != rows[1].number

    def test_one_with_a_run_of_its_own_from_before_keeps_its_code(self, world: World) -> None:
        grower = world.household()
        lot = world.released(grower, lot_number="BEFORE")
        run = world.run(grower, lot, 1, level="batch")
        [row] = _certify(world, grower, lot)
        with world.writing():
            db.session.execute(
                sa.update(CommitmentCertificate).where(CommitmentCertificate.id == row.id).values(run_id=run, index=0)
            )
        assert "BEFORE" in world.client().get(f"/{world.code(run)}").text
        world.client(grower).post(f"/commitments/{row.id}/withdraw", data={"reason": "开错"})
        assert world.client().get(f"/{world.code(run)}").status_code == 410


class TestOthers:
    def test_shipments_tell_neither_sender_nor_volume_and_never_repeat(self, world: World) -> None:
        grower, other = world.producer(), world.producer()
        for actor in (grower, other):
            lot = world.released(actor)
            client = world.client(actor)
            for _ in range(3):
                form = {"consignee": "云岭超市", "departed_at": "2026-11-20T08:30", f"q-{lot}": "1"}
                assert client.post("/shipments/new", data=form).status_code == 302
        with world.app.app_context():
            numbers = list(db.session.scalars(db.select(Shipment.number).order_by(Shipment.id)))
        assert len(set(numbers)) == 6
        assert len({number[9:13] for number in numbers}) == 6

    def test_recalls_of_a_year_go_on_behind_the_9999th(self, world: World) -> None:
        officer, grower = world.regulator(), world.producer()
        _set(world, "recall", "530324-", today().year, 9_999)
        for _ in range(2):
            world.recall(officer, world.released(grower))
        with world.app.app_context():
            numbers = [number.rsplit("-")[-1] for number in db.session.scalars(db.select(Recall.number))]
        assert sorted(numbers) == ["10000", "10001"]

    def test_numbering_cases_leaves_the_pages_of_other_lots_as_they_are(self, world: World) -> None:
        grower = world.producer(gs1_prefix="6901234")
        lot, other = world.released(grower), world.released(grower)
        before = world.version(lot), world.version(other)
        runs = [world.run(grower, lot, 2, layout="roll-100x100", level="case") for _ in range(2)]
        assert (world.version(lot), world.version(other)) == before
        numbers = [world.sscc(run, index) for run in runs for index in range(2)]
        assert [int(number[8:-1]) for number in numbers] == [0, 1, 2, 3]
