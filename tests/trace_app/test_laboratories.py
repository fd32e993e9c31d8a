"""Whose report it is, how a laboratory gets at a lot, and what is looked at once more before it goes out."""

import html
import io
import re

import pytest
from flask.testing import FlaskClient

from tests.trace_app.test_quality import REPORT, _lines
from tests.world import Actor, World, pdf
from trace_app.accounts.models import OrganisationKind, RoleName
from trace_app.extensions import db
from trace_app.laboratory.models import TestReport

PASSED, FAILED = ("镉", "0.02", "mg/kg"), ("镉", "0.5", "mg/kg")
NAME = "曲靖农产品检测中心"


def _laboratory(world: World, name: str = NAME) -> Actor:
    return world.actor(OrganisationKind.LABORATORY, RoleName.LABORATORY, "530302", name=name, cma_number="250000000001")


def _reports(world: World) -> list[TestReport]:
    with world.app.app_context():
        return list(db.session.scalars(db.select(TestReport).order_by(TestReport.id)))


def _confirmed(client: FlaskClient, path: str, data: dict) -> tuple[str, dict]:
    """What is shown before a report that fails is saved, and what a browser sends when the box is ticked."""
    page = client.post(path, data=data)
    assert page.status_code == 422
    hidden = dict(re.findall(r'name="(kept)"[^>]*value="([^"]*)"', page.text))
    box = re.search(r'name="confirmed" value="([^"]+)"', page.text)
    assert box is not None
    return page.text, {name: html.unescape(v) for name, v in hidden.items()} | {"confirmed": html.unescape(box[1])}


class TestALaboratorysOwn:
    def test_bears_its_name_and_number_whatever_is_sent(self, world: World) -> None:
        actor, laboratory = world.producer(), _laboratory(world)
        _batch, code = world.labelled(actor)
        data = REPORT | _lines(PASSED) | {"laboratory": "另一家检测机构", "cma_number": "999999999999"}
        client = world.client(laboratory)
        assert 'name="laboratory"' not in client.get(f"/laboratory/samples/{code}").text
        made = client.post(f"/laboratory/samples/{code}", data=data)
        assert made.status_code == 302
        [report] = _reports(world)
        assert (report.laboratory, report.cma_number) == (NAME, "250000000001")
        page = world.client().get(f"/{code}").text
        assert NAME in page
        assert "生产者录入" not in page
        assert "委托检测" in page

    def test_number_is_entered_once_whatever_the_lot(self, world: World) -> None:
        laboratory = _laboratory(world)
        codes = [world.labelled(world.producer())[1] for _n in range(2)]
        client = world.client(laboratory)
        first, second = (f"/laboratory/samples/{code}" for code in codes)
        assert client.post(first, data=REPORT | _lines(PASSED)).status_code == 302
        again = client.post(second, data=REPORT | _lines(PASSED) | {"report_number": " sl－1 "})
        assert again.status_code == 422
        assert "一份报告只能录入一次" in again.text
        # A correction keeps its number, and takes no other's.
        assert client.post(second, data=REPORT | _lines(PASSED) | {"report_number": "SL-2"}).status_code == 302
        path = f"/laboratory/reports/{_reports(world)[0].id}/correct"
        why = {"correction_reason": "抄错"}
        assert client.post(path, data=REPORT | _lines(PASSED) | why | {"report_number": "SL-2"}).status_code == 422
        assert client.post(path, data=REPORT | _lines(PASSED) | why).status_code == 302
        assert len(_reports(world)) == 3

    def test_the_database_too_holds_that_a_number_is_entered_once(self, world: World) -> None:
        laboratory = _laboratory(world)
        _batch, code = world.labelled(world.producer())
        world.client(laboratory).post(f"/laboratory/samples/{code}", data=REPORT | _lines(PASSED))
        columns = [column.name for column in TestReport.__table__.columns if column.name != "id"]
        copy = f"INSERT INTO test_reports ({', '.join(columns)}) SELECT {', '.join(columns)} FROM test_reports"
        with world.app.app_context(), pytest.raises(Exception, match="report_key"):
            db.session.execute(db.text(copy))

    def test_of_official_sampling_needs_the_number_of_the_sample(self, world: World) -> None:
        _batch, code = world.labelled(world.producer())
        client = world.client(_laboratory(world))
        data = REPORT | _lines(PASSED) | {"kind": "supervision"}
        answer = client.post(f"/laboratory/samples/{code}", data=data)
        assert answer.status_code == 422
        assert "监督抽检须填写抽样单号" in answer.text
        made = client.post(f"/laboratory/samples/{code}", data=data | {"sample_number": "CY-7"})
        page = client.get(made.location).text
        assert "监督抽检" in page
        assert "CY-7" in page


class TestALaboratorysWay:
    def test_to_a_lot_without_labels_is_the_producers_order(self, world: World) -> None:
        actor, laboratory, other = world.producer(), _laboratory(world), _laboratory(world, "昆明检测站")
        batch_id = world.batch(actor, lot_number="ORDER-1")
        order = {
            "laboratory_id": str(laboratory.organisation_id),
            "kind": "commissioned",
            "sample_number": "Y-001",
            "items": "毒死蜱、镉",
        }
        client = world.client(actor)
        assert client.post(f"/batches/{batch_id}/test-orders", data=order).status_code == 302
        assert "已委托过这家机构" in client.post(f"/batches/{batch_id}/test-orders", data=order).text
        assert world.client(world.producer()).get(f"/batches/{batch_id}/test-orders").status_code == 404
        chosen, another = world.client(laboratory), world.client(other)
        path = chosen.get("/laboratory?lot=y-001").location
        assert "毒死蜱、镉" in chosen.get(path).text
        assert another.get(path).status_code == 404
        assert "Y-001" not in another.get("/laboratory").text
        data = REPORT | _lines(PASSED) | {"sample_number": "Y-001"}
        assert chosen.post(path, data=data).status_code == 302
        assert "没有等待检测的样品" in chosen.get("/laboratory").text

    def test_is_no_id(self, world: World) -> None:
        laboratory = _laboratory(world)
        batch_id = world.batch(world.producer())
        client = world.client(laboratory)
        assert client.post(f"/batches/{batch_id}/tests/new", data=REPORT | _lines(FAILED)).status_code == 403
        assert client.get("/laboratory/samples/0000000000000").status_code == 404
        assert client.get("/laboratory/orders/1").status_code == 404
        assert _reports(world) == []


class TestAProducersOwn:
    def _enter(self, world: World, actor: Actor, batch_id: int, laboratory: str) -> int:
        data = REPORT | _lines(PASSED) | {"laboratory": laboratory}
        assert world.client(actor).post(f"/batches/{batch_id}/tests/new", data=data).status_code == 302
        return _reports(world)[-1].id

    def test_says_who_entered_it(self, world: World) -> None:
        actor = world.producer()
        batch_id, code = world.labelled(actor)
        report_id = self._enter(world, actor, batch_id, "外地检测站")
        pages = [
            world.client().get(f"/{code}").text,
            world.client(actor).get(f"/batches/{batch_id}").text,
            world.client(actor).get(f"/laboratory/reports/{report_id}").text,
        ]
        assert all("外地检测站（生产者录入）" in page for page in pages)
        found = world.client().get(f"/api/v1/batches/{batch_id}/tests", headers=world.token(actor)).json
        assert found["items"][0]["laboratory"] == "外地检测站（生产者录入）"

    @pytest.mark.parametrize("name", [NAME, "曲靖 农产品检测中心", "曲靖·农产品检测中心"])
    def test_bears_no_laboratorys_name_until_that_confirms_it(self, world: World, name: str) -> None:
        actor, laboratory = world.producer(), _laboratory(world)
        batch_id, code = world.labelled(actor)
        report_id = self._enter(world, actor, batch_id, name)
        page = world.client().get(f"/{code}").text
        assert "检测机构尚未确认" in page
        assert name not in page
        client = world.client(laboratory)
        assert f"/laboratory/reports/{report_id}" in client.get("/laboratory").text
        assert client.post(f"/laboratory/claims/{report_id}/confirm").status_code == 302
        assert f"{name}（生产者录入）" in world.client().get(f"/{code}").text
        assert client.post(f"/laboratory/claims/{report_id}/deny").status_code == 409

    def test_that_the_laboratory_denies_counts_for_nothing_and_the_authority_is_told(self, world: World) -> None:
        actor, laboratory, officer = world.producer(), _laboratory(world), world.regulator()
        batch_id, code = world.labelled(actor)
        report_id = self._enter(world, actor, batch_id, NAME)
        other = world.client(_laboratory(world, "昆明检测站"))
        assert other.post(f"/laboratory/claims/{report_id}/deny").status_code == 404
        assert world.client(laboratory).post(f"/laboratory/claims/{report_id}/deny").status_code == 302
        assert "SL-1" not in world.client().get(f"/{code}").text
        assert "该机构否认" in world.client(officer).get("/findings").text
        issued = world.client(actor).post(
            f"/batches/{batch_id}/commitments", data={"quantity": "8600", "bases": ["commissioned_test"]}
        )
        assert issued.status_code == 422

    def test_takes_no_number_from_the_laboratory_whose_name_it_bears(self, world: World) -> None:
        actor, laboratory = world.producer(), _laboratory(world)
        batch_id, code = world.labelled(actor)
        self._enter(world, actor, batch_id, NAME)
        made = world.client(laboratory).post(f"/laboratory/samples/{code}", data=REPORT | _lines(PASSED))
        assert made.status_code == 302


class TestAReportThatFails:
    def test_is_looked_at_once_more_with_all_that_was_typed(self, world: World) -> None:
        actor = world.producer()
        batch_id, code = world.labelled(actor)
        client, path = world.client(actor), f"/batches/{batch_id}/tests/new"
        data = REPORT | _lines(FAILED, ("铅", "0.01", "mg/kg")) | {"sample": "留着的样品"}
        page, ticked = _confirmed(client, path, data | {"pdf": (io.BytesIO(pdf()), "报告.pdf")})
        assert _reports(world) == []
        assert "留着的样品" in page
        asked = page[page.index("card notice") : page.index("已核对，保存")]
        assert re.search(r"镉</td>\s*<td[^>]*>0\.5</td>\s*<td>mg/kg</td>\s*<td>\s*≤ 0\.1 mg/kg", asked), asked
        assert "铅" not in asked
        # Pressed without the box ticked, or ticked for other values: it is asked again.
        assert client.post(path, data=data).status_code == 422
        changed = data | _lines(("镉", "5", "mg/kg"))
        assert client.post(path, data=changed | ticked).status_code == 422
        assert _reports(world) == []
        made = client.post(path, data=data | ticked)
        assert made.status_code == 302
        assert "报告.pdf" in client.get(made.location).text
        assert "不合格" in world.client().get(f"/{code}").text

    def test_a_method_too_coarse_for_the_limit_is_said_and_counts_as_no_test(self, world: World) -> None:
        actor = world.producer()
        lot = world.batch(actor)
        world.complete(actor, lot)
        client, path = world.client(actor), f"/batches/{lot}/tests/new"
        for coarse, why in (
            (("镉", "<0.5", "mg/kg"), "检出限高于限量"),
            (("镉", "0.05", "mL/(g·h)"), "单位与限量不同"),
        ):
            data = REPORT | _lines(coarse) | {"report_number": f"TC-{coarse[1]}"}
            page, ticked = _confirmed(client, path, data)
            assert why in page
            assert "自动暂停" not in page
            made = client.post(path, data=data | ticked)
            assert made.status_code == 302
            assert why in client.get(made.location).text
        assert client.post(f"/batches/{lot}/release").status_code == 302
        commitments = f"/batches/{lot}/commitments"
        refused = client.post(commitments, data={"quantity": "8600", "bases": ["commissioned_test"]})
        assert refused.status_code == 422
        assert "没有" in refused.text
        # A finer method decides it.
        client.post(path, data=REPORT | _lines(("镉", "<0.01", "mg/kg")) | {"report_number": "TC-3"})
        assert client.post(commitments, data={"quantity": "8600", "bases": ["commissioned_test"]}).status_code == 302

    def test_keeps_no_others_file(self, world: World) -> None:
        actor, other = world.producer(), world.producer()
        batch_id, others = world.batch(actor), world.batch(other)
        _page, ticked = _confirmed(
            world.client(other),
            f"/batches/{others}/tests/new",
            REPORT | _lines(FAILED) | {"pdf": (io.BytesIO(pdf()), "别人的.pdf")},
        )
        made = world.client(actor).post(f"/batches/{batch_id}/tests/new", data=REPORT | _lines(FAILED) | ticked)
        assert made.status_code == 302
        assert "别人的.pdf" not in world.client(actor).get(made.location).text

    def test_limits_stand_beside_what_is_typed_and_zero_says_what_it_means(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.batch(actor)
        page = world.client(actor).get(f"/batches/{batch_id}/tests/new").text
        assert "≤ 0.1 mg/kg" in page
        assert "不得使用（限量 0 g/kg）" in page
        assert "≤ 0 g/kg" not in page
