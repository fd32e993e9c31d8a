"""Findings over the web: what stops a release, waivers, test reports, certificates, commitment certificates."""

import io
import re
from datetime import timedelta

import numpy as np
import pypdfium2
import pytest

from qr.reading import read_symbols
from tests.world import SPRAYED, Actor, World, pdf
from trace_app.batches.models import Batch
from trace_app.certificates import reminders
from trace_app.certificates.models import Certificate, CommitmentCertificate
from trace_app.clock import today
from trace_app.extensions import db
from trace_app.findings.models import Finding
from trace_app.laboratory.models import TestReport
from trace_app.release import service

STRONG = SPRAYED | {"active_ingredient": "毒死蜱", "product_name": "毒死蜱 40% 乳油"}
REPORT = {
    "kind": "commissioned",
    "report_number": "SL-1",
    "laboratory": "曲靖检测中心",
    "cma_number": "230000000001",
    "sample": "1 号样",
    "sampled_on": "2025-11-10",
    "issued_on": "2025-11-15",
}


def _lines(*lines: tuple[str, str, str]) -> dict[str, list[str]]:
    return {
        "line-analyte": [line[0] for line in lines],
        "line-result": [line[1] for line in lines],
        "line-unit": [line[2] for line in lines],
        "line-method": ["" for _line in lines],
    }


def _blocked(world: World, actor: Actor) -> tuple[int, int]:
    """A draft that a restricted pesticide stops, and the finding."""
    batch_id = world.batch(actor)
    world.complete(actor, batch_id)
    world.record(actor, batch_id, "pesticide", **STRONG)
    world.client(actor).get(f"/batches/{batch_id}")
    with world.app.app_context():
        finding = db.session.scalar(db.select(Finding).filter_by(batch_id=batch_id, rule="restricted"))
        return batch_id, finding.id


class TestRelease:
    def test_a_restricted_pesticide_stops_it_and_shows_why_and_what_to_do(self, world: World) -> None:
        actor = world.producer()
        batch_id, _finding = _blocked(world, actor)
        client = world.client(actor)
        page = client.post(f"/batches/{batch_id}/release")
        assert page.status_code == 409
        assert "使用了 毒死蜱：自 2016-12-31 起不得用于蔬菜" in page.text
        assert "请立即告知县级农业农村部门" in page.text
        english = world.client(actor, "en").get(f"/batches/{batch_id}").text
        assert "not allowed on vegetables" in english.replace("\n", " ")
        assert "毒死蜱" in client.get("/findings/to-do").text

    def test_a_correction_lifts_it_and_the_history_stays(self, world: World) -> None:
        actor = world.producer()
        batch_id, finding_id = _blocked(world, actor)
        client = world.client(actor)
        [link] = re.findall(r'href="(/records/\d+)">看记录', client.get(f"/findings/{finding_id}").text)
        correction = SPRAYED | {"correction_reason": "写错了药名"}
        assert client.post(f"/field{link}/correct", data=correction).status_code == 302
        assert client.post(f"/batches/{batch_id}/release").status_code == 302
        page = client.get(f"/batches/{batch_id}").text
        assert "已消除的问题" in page
        assert "已于" in client.get(f"/findings/{finding_id}").text
        story = client.get(link).text
        assert "<del>毒死蜱</del>" in story
        assert "<ins>苯醚甲环唑</ins>" in story

    def test_a_waiver_needs_the_regulator_of_the_place_and_a_reason_and_is_public(self, world: World) -> None:
        actor = world.producer()
        batch_id, finding_id = _blocked(world, actor)
        officer, stranger = world.client(world.regulator("530324")), world.client(world.regulator("530323"))
        path, reason = f"/findings/{finding_id}/waive", {"reason": "已检测合格，首次违规，责令整改。"}
        assert stranger.post(path, data=reason).status_code == 404
        assert world.client(actor).post(path, data=reason).status_code == 403
        assert officer.post(path, data={"reason": " "}).status_code == 422
        assert officer.post(path, data=reason).status_code == 302
        again = officer.post(path, data=reason)
        assert "不需要准予" in again.text
        assert world.client(actor).post(f"/batches/{batch_id}/release").status_code == 302
        page = world.client().get("/" + world.code(world.run(actor, batch_id))).text
        assert "主管部门准予放行" in page
        assert "首次违规，责令整改" in page

    def test_a_waiver_vanishes_from_the_page_with_what_it_was_for(self, world: World) -> None:
        actor = world.producer()
        batch_id, finding_id = _blocked(world, actor)
        officer = world.client(world.regulator())
        officer.post(f"/findings/{finding_id}/waive", data={"reason": "准予"})
        client = world.client(actor)
        client.post(f"/batches/{batch_id}/release")
        code = world.code(world.run(actor, batch_id))
        before = world.version(batch_id)
        [link] = re.findall(r'href="(/records/\d+)">看记录', client.get(f"/findings/{finding_id}").text)
        client.post(f"/field{link}/correct", data=SPRAYED | {"correction_reason": "写错了"})
        client.get(f"/batches/{batch_id}")
        assert world.version(batch_id) > before
        assert "主管部门准予放行" not in world.client().get(f"/{code}").text

    def test_the_sweep_checks_what_is_due_and_nothing_twice(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.batch(actor)
        world.record(actor, batch_id, "pesticide", **STRONG)
        with world.app.app_context():
            service.check_due()
            assert db.session.get_one(Batch, batch_id).checked_on == today()
            count = db.session.scalar(db.select(db.func.count(Finding.id)))
            assert count >= 3
            service.check_due()
            assert db.session.scalar(db.select(db.func.count(Finding.id))) == count
        world.record(actor, batch_id)
        with world.app.app_context():
            assert db.session.get_one(Batch, batch_id).checked_on is None


class TestWarnings:
    def test_a_regulator_sees_those_of_its_jurisdiction_by_severity_kind_and_place(self, world: World) -> None:
        near, far = world.producer("530324102"), world.producer("530323203")
        _blocked(world, near)
        other = world.batch(far, division="530323203", lot_number="FAR-1")
        world.record(far, other, "pesticide", **STRONG)
        world.client(far).get(f"/batches/{other}")
        county, city = world.client(world.regulator("530324")), world.client(world.regulator("530300"))
        assert "毒死蜱" in county.get("/findings").text
        assert "FAR-1" not in county.get("/findings").text
        assert "FAR-1" in city.get("/findings").text
        assert "FAR-1" not in city.get("/findings?division=530324").text
        assert "FAR-1" not in city.get("/findings?kind=honey").text
        assert "FAR-1" not in city.get("/findings?severity=warn").text
        assert "FAR-1" in city.get("/findings?rule=restricted&severity=block&kind=ginger&division=530323").text
        assert city.get("/findings?severity=nonsense&page=x&division=%27").status_code == 200

    def test_what_only_the_producer_has_to_complete_is_not_among_them(self, world: World) -> None:
        actor = world.producer()
        world.client(actor).get(f"/batches/{world.batch(actor, produced_on='')}")
        assert "还没有填写采收" not in world.client(world.regulator()).get("/findings").text
        assert "缺少采收或生产日期" in world.client(actor).get("/findings/to-do").text

    def test_records_that_a_draft_still_lacks_are_the_producers_alone(self, world: World) -> None:
        actor = world.producer()
        client = world.client(actor)
        client.get(f"/batches/{world.batch(actor, lot_number='DRAFT-1')}")
        assert "缺少必需的记录" in client.get("/findings/to-do").text
        warnings = world.client(world.regulator()).get("/findings").text
        assert "没有符合条件的预警" in warnings
        assert "DRAFT-1" not in warnings

    def test_what_was_done_about_one_is_noted_and_takes_it_off_the_list(self, world: World) -> None:
        actor = world.producer()
        _batch, finding_id = _blocked(world, actor)
        officer = world.client(world.regulator())
        assert officer.post(f"/findings/{finding_id}/handle", data={"note": ""}).status_code == 422
        assert officer.post(f"/findings/{finding_id}/handle", data={"note": "已电话核实"}).status_code == 302
        assert "毒死蜱" not in officer.get("/findings").text
        assert "毒死蜱" in officer.get("/findings?state=handled").text
        assert "已电话核实" in officer.get(f"/findings/{finding_id}").text


class TestReports:
    def _enter(self, world: World, actor: Actor, batch_id: int, *lines: tuple[str, str, str], **facts):
        data = REPORT | _lines(*lines) | facts
        return world.client(actor).post(f"/batches/{batch_id}/tests/new", data=data)

    def test_a_producer_enters_one_and_consumers_read_it(self, world: World) -> None:
        actor = world.producer()
        batch_id, code = world.labelled(actor)
        made = self._enter(
            world,
            actor,
            batch_id,
            ("镉（以 Cd 计）", "0.02", "mg/kg"),
            ("多菌灵", "未检出（<0.01）", "mg/kg"),
            pdf=(io.BytesIO(pdf()), "报告 1.pdf"),
        )
        assert made.status_code == 302, made.text
        report = world.client(actor).get(made.location).text
        assert "≤ 0.1 mg/kg" in report
        assert "GB 2762-2022" in report
        page = world.client().get(f"/{code}").text
        assert "曲靖检测中心" in page
        assert "合格" in page
        [link] = set(re.findall(r'href="(/media/\w{32}\.pdf)"', page))
        document = world.client().get(link)
        assert document.data.startswith(b"%PDF")
        assert "sandbox" in document.headers["Content-Security-Policy"]
        assert document.headers["Content-Disposition"].startswith("attachment;")

    def test_a_failed_one_on_a_released_lot_is_a_warning_at_once(self, world: World) -> None:
        actor, laboratory = world.producer(), world.laboratory()
        batch_id, code = world.labelled(actor)
        officer = world.client(world.regulator())
        data = REPORT | _lines(("镉", "180", "µg/kg")) | {"confirmed": "镉 180 µg/kg"}
        made = world.client(laboratory).post(f"/laboratory/samples/{code}", data=data)
        assert made.status_code == 302, made.text
        assert "检测不合格" in officer.get("/findings").text
        assert "镉 180 µg/kg，标准 ≤ 0.1 mg/kg" in officer.get("/findings").text
        for page in (f"/batches/{batch_id}", re.findall(r"/findings/\d+", officer.get("/findings").text)[0]):
            assert f'<a href="{made.location}">看报告' in officer.get(page).text
        assert "不合格" in world.client().get(f"/{code}").text
        assert "无权" not in world.client(laboratory).get(made.location).text

    def test_a_producer_enters_none_on_anothers_lot(self, world: World) -> None:
        competitor = world.producer()
        batch_id, code = world.labelled(world.producer())
        client = world.client(competitor)
        assert client.get(f"/batches/{batch_id}/tests/new").status_code == 404
        assert self._enter(world, competitor, batch_id, ("镉", "180", "µg/kg")).status_code == 404
        assert "不合格" not in world.client().get(f"/{code}").text

    def test_the_laboratory_finds_the_lot_by_code_or_link_and_by_nothing_that_can_be_guessed(
        self, world: World
    ) -> None:
        actor, laboratory = world.producer(), world.laboratory()
        batch_id, code = world.labelled(actor, lot_number="LAB-1")
        client = world.client(laboratory)
        for text in (code, code.lower(), f"http://127.0.0.1:8000/{code}"):
            assert client.get("/laboratory", query_string={"lot": text}).location == f"/laboratory/samples/{code}"
        assert "LAB-1" in client.get(f"/laboratory/samples/{code}").text
        assert "没有找到" in client.get("/laboratory?lot=LAB-1").text
        assert client.get(f"/batches/{batch_id}/tests/new").status_code == 403
        assert client.get(f"/batches/{batch_id}").status_code == 403

    def test_a_report_with_a_mistake_is_corrected_by_a_new_one(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.released(actor)
        made = self._enter(world, actor, batch_id, ("镉", "0.2", "mg/kg"), confirmed="镉 0.2 mg/kg")
        client = world.client(actor)
        assert "0.2" in client.get(f"{made.location}/correct").text
        data = REPORT | _lines(("镉", "0.02", "mg/kg"))
        assert client.post(f"{made.location}/correct", data=data).status_code == 422
        corrected = client.post(f"{made.location}/correct", data=data | {"correction_reason": "小数点错位"})
        assert corrected.status_code == 302
        assert "小数点错位" in client.get(corrected.location).text
        assert "这份报告已被更正" in client.get(made.location).text
        assert client.post(f"{made.location}/correct", data=data | {"correction_reason": "再改"}).status_code == 422
        assert "检测不合格" not in client.get(f"/batches/{batch_id}").text.split("已消除的问题")[0]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"report_number": ""}, "请填写此项"),
            ({"sampled_on": "2999-01-01"}, "不能晚于今天"),
            ({"issued_on": "2025-11-01"}, "不能早于抽样日期"),
            ({"cma_number": "abc"}, "CMA 编号"),
            (_lines(("镉", "很多", "mg/kg")), "结果如"),
            (_lines(("", "0.1", "mg/kg")), "请填写检测项目"),
            (_lines(("镉", "0.1", "")), "请填写单位"),
            (_lines(("镉" * 300, "0.1", "mg/kg")), "太长"),
            (_lines(("镉", "", "mg/kg")), "请至少填写一项"),
            ({"pdf": "MZ no pdf"}, "不是能打开的 PDF"),
        ],
    )
    def test_a_wrong_one_comes_back_with_all_that_was_typed(self, world: World, change: dict, message: str) -> None:
        actor = world.producer()
        batch_id = world.batch(actor)
        data = REPORT | _lines(("铅", "0.0123", "mg/kg")) | {"sample": "留着的样品"} | change
        if "pdf" in change:
            data["pdf"] = (io.BytesIO(change["pdf"].encode()), "病毒.pdf")
        answer = world.client(actor).post(f"/batches/{batch_id}/tests/new", data=data)
        assert answer.status_code == 422
        assert message in answer.text
        assert "留着的样品" in answer.text
        with world.app.app_context():
            assert db.session.scalar(db.select(db.func.count(TestReport.id))) == 0

    def test_the_same_report_is_entered_once(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.batch(actor)
        assert self._enter(world, actor, batch_id, ("铅", "0.01", "mg/kg")).status_code == 302
        assert "已录入" in self._enter(world, actor, batch_id, ("铅", "0.01", "mg/kg")).text

    def test_soil_and_water_of_a_site_show_with_its_lots(self, world: World) -> None:
        actor = world.producer()
        batch_id, code = world.labelled(actor)
        with world.app.app_context():
            site_id = db.session.get_one(Batch, batch_id).site_id
        client = world.client(actor)
        made = client.post(f"/sites/{site_id}/tests/soil", data=REPORT | _lines(("镉", "0.3", "mg/kg")))
        assert made.status_code == 302
        assert "SL-1" in client.get(f"/sites/{site_id}/tests").text
        assert "土壤" in world.client().get(f"/{code}").text
        assert client.get(f"/sites/{site_id}/tests/air").status_code == 404
        assert world.client(world.producer()).get(f"/sites/{site_id}/tests/soil").status_code == 404


class TestCertificates:
    def _add(self, client, **change):
        values = {
            "type": "gi",
            "number": "AGI-1",
            "issuer": "认证中心",
            "product_id": "",
            "valid_from": "2025-01-01",
            "valid_until": "2099-01-01",
        }
        return client.post("/certificates", data=values | change)

    def test_a_mark_on_the_label_needs_its_certificate(self, world: World) -> None:
        actor = world.producer()
        client = world.client(actor)
        product = world.product(actor, marks="地理标志产品")
        batch_id = world.batch(actor, product_id=product)
        world.complete(actor, batch_id)
        assert "没有在 2025-11-06 有效的证书" in client.post(f"/batches/{batch_id}/release").text
        assert self._add(client, pdf=(io.BytesIO(pdf()), "证书.pdf")).status_code == 302
        assert client.post(f"/batches/{batch_id}/release").status_code == 302
        page = world.client().get("/" + world.code(world.run(actor, batch_id))).text
        assert "AGI-1" in page

    def test_the_gi_mark_is_for_its_area_alone(self, world: World) -> None:
        actor = world.producer("530323203")
        client = world.client(actor)
        self._add(client)
        product = world.product(actor, marks="地理标志")
        batch_id = world.batch(actor, division="530323203", product_id=product)
        world.complete(actor, batch_id)
        assert "不在保护范围内" in client.post(f"/batches/{batch_id}/release").text

    def test_reminders_before_the_end_and_a_warning_after_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        actor = world.producer()
        client = world.client(actor)
        until = today() + timedelta(days=61)
        self._add(client, valid_until=until.isoformat(), type="organic")
        seen = []
        for days in (0, 1, 46, 61, 62):
            monkeypatch.setattr(
                "trace_app.certificates.reminders.today", lambda days=days: today() + timedelta(days=days)
            )
            with world.app.app_context():
                reminders.check_due_certificates()
                open_ones = db.session.scalars(db.select(Finding).filter_by(gone_at=None)).all()
                seen.append([(f.rule, f.key) for f in open_ones])
        assert seen == [
            [],
            [("certificate_expiring", "days:60")],
            [("certificate_expiring", "days:15")],
            [("certificate_expiring", "days:15")],
            [("certificate_expired", "")],
        ]
        monkeypatch.undo()
        self._add(client, number="AGI-2", type="organic")
        with world.app.app_context():
            reminders.check_due_certificates()
            assert db.session.scalars(db.select(Finding).filter_by(gone_at=None)).all() == []

    def test_a_page_drops_a_certificate_on_the_day_after_its_end(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        actor = world.producer()
        batch_id = world.released(actor)
        self._add(world.client(actor), valid_until=today().isoformat())
        with world.app.app_context():
            reminders.check_due_certificates()
        before = world.version(batch_id)
        monkeypatch.setattr("trace_app.certificates.reminders.today", lambda: today() + timedelta(days=1))
        with world.app.app_context():
            reminders.check_due_certificates()
        assert world.version(batch_id) > before

    def test_a_wrong_or_known_one_is_refused(self, world: World) -> None:
        client = world.client(world.producer())
        assert "不能早于开始日期" in self._add(client, valid_until="2024-01-01").text
        assert self._add(client).status_code == 302
        assert "已登记" in self._add(client).text
        with world.app.app_context():
            number = db.session.scalar(db.select(Certificate.id))
        assert world.client(world.producer()).post(f"/certificates/{number}/withdraw").status_code == 404
        assert client.post(f"/certificates/{number}/withdraw").status_code == 302
        assert "AGI-1" not in client.get("/certificates").text


class TestCommitments:
    def _issue(self, client, batch_id: int, quantity: str = "100", bases: tuple[str, ...] = ("own_control",)):
        data = {"quantity": quantity, "bases": list(bases), "consignee": "昆明山货行"}
        return client.post(f"/batches/{batch_id}/commitments", data=data)

    def test_one_is_numbered_printed_and_leads_to_the_lot(self, world: World) -> None:
        actor = world.household(phone="0874-1234567")
        batch_id = world.released(actor, lot_number="CC-1")
        client = world.client(actor)
        assert self._issue(client, batch_id).status_code == 302
        assert self._issue(client, batch_id).status_code == 302
        page = client.get(f"/batches/{batch_id}/commitments").text
        with world.app.app_context():
            rows = db.session.scalars(db.select(CommitmentCertificate).order_by(CommitmentCertificate.id)).all()
            numbers = [row.number for row in rows]
            assert [(row.run_id, row.index) for row in rows] == [(rows[0].run_id, 0), (rows[0].run_id, 1)]
        for number in numbers:
            assert re.fullmatch(r"530324-\d{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}", number)
            assert number in page
        assert len(set(numbers)) == 2
        answer = client.get("/commitments/1.pdf")
        with pypdfium2.PdfDocument(answer.data) as document:
            assert len(document) == 1
            text = document[0].get_textpage().get_text_bounded()
            [url] = read_symbols(np.asarray(document[0].render(scale=4).to_pil().convert("L")))
        for part in (
            "承诺达标合格证",
            "未使用禁用农药、兽药及其他化合物",
            "100 公斤",
            "CC-1",
            "0874-1234567",
            "昆明山货行",
            numbers[0],
            "质量安全控制符合要求",
        ):
            assert part in text
        trace = world.client().get("/" + url.rsplit("/", 1)[1])
        assert "CC-1" in trace.text

    def test_its_code_is_no_print_run_and_disturbs_none(self, world: World) -> None:
        actor = world.household()
        batch_id = world.released(actor)
        client = world.client(actor)
        self._issue(client, batch_id)
        assert "还没有打印过" in client.get(f"/batches/{batch_id}/labels").text
        run = world.run(actor, batch_id)
        page = client.get(f"/batches/{batch_id}/labels").text
        assert [f'href="/labels/{number}"' in page for number in (run - 1, run)] == [False, True]
        assert [client.get(f"/labels/{number}").status_code for number in (run - 1, run)] == [404, 200]
        assert client.get("/labels").status_code == 200

    def test_together_they_are_not_for_more_than_the_lot(self, world: World) -> None:
        actor = world.household()
        batch_id = world.released(actor)
        client = world.client(actor)
        assert self._issue(client, batch_id, "8000").status_code == 302
        assert "最多还能开具 600 公斤" in self._issue(client, batch_id, "601").text
        assert client.post("/commitments/1/withdraw", data={"reason": "开错"}).status_code == 302
        assert self._issue(client, batch_id, "8600").status_code == 302
        with pypdfium2.PdfDocument(client.get("/commitments/1.pdf").data) as document:
            assert "作废" in document[0].get_textpage().get_text_bounded()

    def test_who_scans_one_that_was_withdrawn_is_told(self, world: World) -> None:
        actor = world.household()
        client = world.client(actor)
        self._issue(client, world.released(actor))
        with world.app.app_context():
            url = db.session.scalars(db.select(CommitmentCertificate)).one().facts["url"]
        scanned = "/" + url.rsplit("/", 1)[1]
        assert "已作废" not in world.client().get(scanned).text
        for _ in range(2):
            assert client.post("/commitments/1/withdraw", data={"reason": "开错"}).status_code == 302
        assert "已作废" in world.client().get(scanned).text

    def test_a_basis_in_tests_needs_a_test(self, world: World) -> None:
        actor = world.household()
        batch_id = world.released(actor)
        client = world.client(actor)
        assert "没有这类合格的检测报告" in self._issue(client, batch_id, bases=("commissioned_test",)).text
        client.post(f"/batches/{batch_id}/tests/new", data=REPORT | _lines(("镉", "0.02", "mg/kg")))
        assert self._issue(client, batch_id, bases=("commissioned_test", "own_control")).status_code == 302

    @pytest.mark.parametrize("change", [{"quantity": "0"}, {"quantity": "x"}, {"bases": []}, {"bases": ["magic"]}])
    def test_a_wrong_one_is_refused(self, world: World, change: dict) -> None:
        actor = world.household()
        batch_id = world.released(actor)
        data = {"quantity": "1", "bases": ["own_control"]} | change
        assert world.client(actor).post(f"/batches/{batch_id}/commitments", data=data).status_code == 422

    def test_only_for_released_lots_of_ones_own(self, world: World) -> None:
        actor = world.household()
        assert self._issue(world.client(actor), world.batch(actor)).status_code == 422
        assert self._issue(world.client(world.producer()), world.released(actor)).status_code == 404


class TestReferenceTables:
    def _upload(self, client, text: str, table: str = "limits", encoding: str = "utf-8"):
        return client.post(f"/reference/{table}", data={"file": (io.BytesIO(text.encode(encoding)), "表.csv")})

    def test_a_table_goes_out_and_comes_back_the_same(self, world: World) -> None:
        client = world.client(world.administrator())
        for table in ("limits", "prohibited", "gi_areas"):
            text = client.get(f"/reference/{table}.csv").text
            assert self._upload(client, text.lstrip("\ufeff"), table).status_code == 302
            assert client.get(f"/reference/{table}.csv").text == text

    def test_a_changed_limit_counts_and_gbk_is_read(self, world: World) -> None:
        client = world.client(world.administrator())
        text = client.get("/reference/limits.csv").text.lstrip("\ufeff").replace("µ", "u")
        changed = text.replace("ginger,镉,cadmium,<=,0.1", "ginger,镉,cadmium,<=,0.01")
        assert self._upload(client, changed, encoding="gbk").status_code == 302
        actor = world.producer()
        batch_id = world.batch(actor)
        world.client(actor).post(
            f"/batches/{batch_id}/tests/new",
            data=REPORT | _lines(("镉", "0.02", "mg/kg")) | {"confirmed": "镉 0.02 mg/kg"},
        )
        assert "检测不合格" in world.client(actor).get(f"/batches/{batch_id}").text
        assert self._upload(client, text).status_code == 302

    def test_every_bad_row_is_told_and_nothing_changes(self, world: World) -> None:
        client = world.client(world.administrator())
        before = client.get("/reference/limits.csv").text
        head, first, *_rest = before.lstrip("\ufeff").splitlines()
        rows = [
            head,
            first,
            first,
            "ginger,铅,lead,≈,0.1,mg/kg,GB,high,2023-06-30,",
            "rice,铅,lead,<=,x,mg/kg,GB,high,昨天,",
        ]
        answer = self._upload(client, "\n".join(rows))
        assert answer.status_code == 422
        for part in ("第 3 行与第 2 行重复", "第 4 行 op", "第 5 行 kind_code", "第 5 行 value", "第 5 行 valid_from"):
            assert part in answer.text
        assert client.get("/reference/limits.csv").text == before
        assert "缺少列" in self._upload(client, "a,b\n1,2").text
        assert self._upload(client, "").status_code == 422

    def test_a_regulator_reads_and_an_administrator_writes(self, world: World) -> None:
        officer = world.client(world.regulator())
        assert "GB 2762-2022" in officer.get("/reference/limits").text
        assert self._upload(officer, "x").status_code == 403
        assert officer.get("/reference/magic").status_code == 404


def test_a_lot_with_a_site_wide_record_is_judged_by_it(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    world.complete(actor, batch_id)
    with world.app.app_context():
        site_id = db.session.get_one(Batch, batch_id).site_id
    client = world.client(actor)
    data = STRONG | {"scope": "site", "site_id": str(site_id), "season_until": "2025-12-31"}
    assert client.post("/field/ginger/pesticide", data=data).status_code == 302
    assert "不得用于蔬菜" in client.post(f"/batches/{batch_id}/release").text
    late = world.batch(actor, site_id=site_id, started_on="2026-01-05", produced_on="2026-10-20")
    assert "毒死蜱" not in client.get(f"/batches/{late}").text
