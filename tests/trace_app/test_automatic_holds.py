"""A failed test or a broken rule stops a lot that is out: at once, once, and until its authority decides."""

import re

import pytest

from tests.trace_app.test_quality import REPORT, STRONG, _lines
from tests.trace_app.test_shipping import FORM as SHIPPED
from tests.world import SPRAYED, Actor, World
from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.findings.models import Finding
from trace_app.findings.service import standing
from trace_app.labels.models import LabelRun
from trace_app.laboratory.models import TestReport
from trace_app.messages.models import Delivery
from trace_app.recall_tasks.service import follow_up
from trace_app.recalls.models import Recall, RecallKind, RecallStatus
from trace_app.release import service as release

FAILS = ("毒死蜱", "0.5", "mg/kg")
PASSES = ("毒死蜱", "<0.01", "mg/kg")
WAIVED = {"reason": "复检合格，初检样品受污染，见复检报告。"}


def _failed(world: World, actor: Actor, batch_id: int, number: str = "SL-1") -> None:
    """The producer enters a report on its lot that fails."""
    data = REPORT | _lines(FAILS) | {"report_number": number, "confirmed": "毒死蜱 0.5 mg/kg"}
    answer = world.client(actor).post(f"/batches/{batch_id}/tests/new", data=data)
    assert answer.status_code == 302, answer.text


def _holds(world: World) -> list[tuple[str, RecallStatus]]:
    with world.app.app_context():
        rows = db.session.scalars(db.select(Recall).filter_by(kind=RecallKind.HOLD).order_by(Recall.id))
        return [(row.number, row.status) for row in rows]


def _finding(world: World, batch_id: int, rule: str = "failed_test") -> int:
    with world.app.app_context():
        query = db.select(Finding.id).filter_by(batch_id=batch_id, rule=rule, gone_at=None)
        found = db.session.scalar(query)
        assert found is not None
        return int(found)


def _report(world: World, batch_id: int) -> int:
    with world.app.app_context():
        query = db.select(TestReport.id).filter_by(batch_id=batch_id).order_by(TestReport.id.desc())
        found = db.session.scalar(query)
        assert found is not None
        return int(found)


class TestAFailedTest:
    def test_stops_whatever_could_be_done_with_the_lot(self, world: World) -> None:
        actor, officer = world.producer(), world.regulator()
        batch_id, code = world.labelled(actor)
        run_id = world.run(actor, batch_id, 5)
        _failed(world, actor, batch_id)
        client = world.client(actor)
        form = {"count": "3", "layout": "roll-60x40", "level": "item", "format": "pdf"}
        refused = [
            client.post(f"/batches/{batch_id}/labels", data=form),
            client.post(f"/batches/{batch_id}/commitments", data={"quantity": "8600", "bases": "own_control"}),
            client.post(f"/batches/{batch_id}/close"),
            client.post("/shipments/new", data=SHIPPED | {f"q-{batch_id}": "10"}),
        ]
        assert all(answer.status_code != 302 for answer in refused), [answer.status for answer in refused]
        with world.app.app_context():
            job = db.session.get_one(LabelRun, run_id).jobs[0]
            volume = f"/labels/jobs/{job.id}/{job.volumes[0].number}"
        assert client.get(volume).status_code == 409
        page = world.client().get(f"/{code}").text
        assert "暂停销售，等待核查" in page
        assert "来源可查 · 未被召回" not in page
        [(number, status)] = _holds(world)
        assert status is RecallStatus.ACTIVE
        assert number.startswith("530324-H")
        assert "由平台自动暂停" in world.client(officer).get(f"/recalls/{number}/manage").text

    def test_of_a_draft_makes_no_hold(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.batch(actor)
        world.complete(actor, batch_id)
        _failed(world, actor, batch_id)
        assert _holds(world) == []
        assert world.client(actor).post(f"/batches/{batch_id}/release").status_code == 409

    def test_tells_the_authority_how_many_labels_there_are_and_where_the_goods_are(self, world: World) -> None:
        actor, officer = world.producer(), world.regulator()
        batch_id, _code = world.labelled(actor)
        world.run(actor, batch_id, 41)
        channel = {"type": "webhook", "target": "https://authority.example/hook", "least_severity": "block"}
        assert world.client(officer).post("/messages", data=channel).status_code == 302
        _failed(world, actor, batch_id)
        [(number, _status)] = _holds(world)
        page = world.client(officer).get(f"/recalls/{number}/manage").text
        assert re.search(r"<b>42</b><small>已印标签", page), page
        assert "8,600" in page
        link = re.search(r'href="(/recalls/scope[^"]+)"', page)
        assert link is not None
        prefilled = world.client(officer).get(link[1].replace("&amp;", "&")).text
        with world.app.app_context():
            lot = db.session.get_one(Batch, batch_id).lot_number
            follow_up()
            told = [str(row.message) for row in db.session.scalars(db.select(Delivery))]
        assert f'value="{lot}"' in prefilled
        assert number in world.client(officer).get("/desk").text
        assert any("已印标签：42 枚" in text for text in told), told

    def test_holds_once_and_stays_held_when_it_goes_away(self, world: World) -> None:
        actor, officer = world.producer(), world.regulator()
        batch_id, code = world.labelled(actor)
        _failed(world, actor, batch_id)
        [(number, _status)] = _holds(world)
        client = world.client(actor)
        report = _report(world, batch_id)
        corrected = REPORT | _lines(PASSES) | {"correction_reason": "抄错了"}
        assert client.post(f"/laboratory/reports/{report}/correct", data=corrected).status_code == 302
        assert _holds(world) == [(number, RecallStatus.ACTIVE)]
        page = world.client(officer).get(f"/recalls/{number}/manage").text
        assert "引起暂停的问题已不再成立" in page
        ended = world.client(officer).post(f"/recalls/{number}/end", data={"note": "复核报告原件，确系抄错。"})
        assert ended.status_code == 302
        with world.app.app_context():
            release.check_due()
        assert _holds(world) == [(number, RecallStatus.LIFTED)]
        assert "来源可查 · 未被召回" in world.client().get(f"/{code}").text

    def test_that_the_authority_let_go_is_not_held_again_and_the_page_is_not_green(self, world: World) -> None:
        actor, officer = world.producer(), world.regulator()
        batch_id, code = world.labelled(actor)
        _failed(world, actor, batch_id)
        [(number, _status)] = _holds(world)
        world.client(officer).post(f"/recalls/{number}/end", data={"note": "已核查，责令整改。"})
        world.record(actor, batch_id)
        world.client(actor).get(f"/batches/{batch_id}")
        assert _holds(world) == [(number, RecallStatus.LIFTED)]
        # What let it go stands against what was found: nothing goes on saying that the sale must stop.
        with world.app.app_context():
            [finding] = [row for row in standing(db.session.get_one(Batch, batch_id)) if row.waiver is not None]
            assert finding.waiver.reason == "已核查，责令整改。"
        assert "主管部门准予销售" in world.client(actor).get(f"/batches/{batch_id}").text
        page = world.client().get(f"/{code}").text
        assert "已核查，责令整改" in page
        assert "有检测项目不合格" in page
        assert "来源可查 · 未被召回" not in page
        # Another report that fails is another cause.
        _failed(world, actor, batch_id, "SL-2")
        assert [status for _number, status in _holds(world)] == [RecallStatus.LIFTED, RecallStatus.ACTIVE]

    def test_is_not_lifted_by_the_producer(self, world: World) -> None:
        actor = world.producer()
        batch_id, _code = world.labelled(actor)
        _failed(world, actor, batch_id)
        [(number, _status)] = _holds(world)
        answer = world.client(actor).post(f"/recalls/{number}/end", data={"note": "没事了"})
        assert answer.status_code in {403, 404, 422}
        assert _holds(world) == [(number, RecallStatus.ACTIVE)]

    def test_stops_in_the_citys_name_where_the_county_has_no_authority(self, world: World) -> None:
        actor, city = world.producer(), world.regulator("530300")
        batch_id, _code = world.labelled(actor)
        _failed(world, actor, batch_id)
        [(number, _status)] = _holds(world)
        assert number.startswith("530300-H")
        assert world.client(city).get(f"/recalls/{number}/manage").status_code == 200


class TestABrokenRule:
    @pytest.mark.parametrize("looked_at", [True, False])
    def test_stops_the_sale_before_anyone_has_looked(self, world: World, looked_at: bool) -> None:
        actor = world.producer()
        world.regulator()
        batch_id, code = world.labelled(actor)
        world.record(actor, batch_id, "pesticide", **STRONG)
        client = world.client(actor)
        if looked_at:
            page = client.get(f"/batches/{batch_id}").text
            assert "须停止销售" in page
            assert "阻止放行" not in page
            assert len(_holds(world)) == 1
        assert client.post(f"/batches/{batch_id}/close").status_code == 409
        with world.app.app_context():
            release.check_due()
            release.check_due()
        assert len(_holds(world)) == 1
        assert "暂停销售，等待核查" in world.client().get(f"/{code}").text

    def test_that_is_waived_lets_the_lot_go_again(self, world: World) -> None:
        actor, officer = world.producer(), world.regulator()
        batch_id, code = world.labelled(actor)
        world.record(actor, batch_id, "pesticide", **STRONG)
        world.client(actor).get(f"/batches/{batch_id}")
        finding = _finding(world, batch_id, "restricted")
        page = world.client(officer).get(f"/findings/{finding}").text
        assert "准予销售" in page
        assert world.client(officer).post(f"/findings/{finding}/waive", data=WAIVED).status_code == 302
        [(_number, status)] = _holds(world)
        assert status is RecallStatus.LIFTED
        assert "暂停销售" not in world.client().get(f"/{code}").text
        world.run(actor, batch_id)

    def test_that_was_waived_before_release_stops_nothing(self, world: World) -> None:
        actor, officer = world.producer(), world.regulator()
        batch_id = world.batch(actor)
        world.complete(actor, batch_id)
        world.record(actor, batch_id, "pesticide", **STRONG)
        world.client(actor).get(f"/batches/{batch_id}")
        world.client(officer).post(f"/findings/{_finding(world, batch_id, 'restricted')}/waive", data=WAIVED)
        assert world.client(actor).post(f"/batches/{batch_id}/release").status_code == 302
        world.record(actor, batch_id)
        world.client(actor).get(f"/batches/{batch_id}")
        assert _holds(world) == []

    def test_that_only_warns_stops_nothing(self, world: World) -> None:
        actor = world.producer()
        batch_id, _code = world.labelled(actor)
        world.record(actor, batch_id, "pesticide", **SPRAYED | {"interval_days": "3", "dose": "900"})
        world.client(actor).get(f"/batches/{batch_id}")
        with world.app.app_context():
            severities = {
                row.severity.value for row in db.session.scalars(db.select(Finding).filter_by(batch_id=batch_id))
            }
        assert "block" not in severities
        assert _holds(world) == []

    def test_stops_a_recalled_lot_by_nothing_more(self, world: World) -> None:
        actor, officer = world.producer(), world.regulator()
        batch_id, _code = world.labelled(actor)
        world.recall(officer, batch_id)
        _failed(world, actor, batch_id)
        assert _holds(world) == []
