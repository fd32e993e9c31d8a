"""Commitment certificates by the rule of the day: who may issue which, on what, in which words; and what was tested."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pypdfium2
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.pages import refused_in_its_fold
from tests.trace_app.test_quality import REPORT, _lines
from tests.world import SPRAYED, Actor, World, photo
from trace_app.accounts.credit_code import check_character
from trace_app.accounts.models import Author, OrganisationKind, RoleName, User
from trace_app.batches.models import Batch
from trace_app.certificates.models import CommitmentCertificate
from trace_app.extensions import db
from trace_app.findings.service import standing
from trace_app.flow.shipments.models import Shipment
from trace_app.messages.models import Severity
from trace_app.records import service as records
from trace_app.records.forms import form_for
from trace_app.records.models import RecordType

BEFORE, SINCE = date(2026, 1, 31), date(2026, 2, 1)
BUYER = "昆明山货行"
OLD_BASES = {
    "own_control": "内部质量控制",
    "own_test": "自我检测",
    "commissioned_test": "委托检测",
    "own_word": "自我承诺",
}
NEW_BASES = {"own_control": "质量安全控制符合要求", "own_test": "自行检测合格", "commissioned_test": "委托检测合格"}
BASES: dict[tuple[date, bool], dict[str, str]] = {
    (BEFORE, False): OLD_BASES,
    (BEFORE, True): {},
    (SINCE, False): NEW_BASES,
    (SINCE, True): NEW_BASES,
}
"""The bases that there are, and what they are called, by day and by whether a buyer issues."""
PRINTED = {
    (BEFORE, False): (
        "我承诺对生产销售的食用农产品：",
        "不使用禁用农药兽药、停用兽药和非法添加物",
        "扫码查看生产记录",
        "生产者：",
    ),
    (SINCE, False): ("我承诺生产销售的食用农产品：", "使用的常规农药、兽药残留不超标。", "承诺主体："),
    (SINCE, True): ("我承诺销售的食用农产品：", "未违规使用保鲜剂、防腐剂、添加剂等。", "承诺主体："),
}
PREFIX = {"企业": "91", "农民专业合作社": "93", "农户": "92"}
"""What the credit code of each sort of producer begins with."""


def _on(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    monkeypatch.setattr("trace_app.certificates.commitments.today", lambda: day)


def _producer(world: World, subject: str, number: int = 1) -> Actor:
    body = f"{PREFIX[subject]}530324MA7T{number:04d}X"
    return world.producer(credit_code=body + check_character(body))


def _reported(client: FlaskClient, lot: int, number: str = "T", *lines: tuple[str, str, str], **facts: str) -> None:
    data = REPORT | _lines(*lines or (("镉", "0.02", "mg/kg"),)) | {"report_number": number, **facts}
    assert client.post(f"/batches/{lot}/tests/new", data=data).status_code == 302


def _issue(client: FlaskClient, lot: int, *bases: str, quantity: str = "8600", **facts: str) -> Any:
    return client.post(f"/batches/{lot}/commitments", data={"quantity": quantity, "bases": list(bases), **facts})


def _paper(client: FlaskClient, number: int) -> str:
    with pypdfium2.PdfDocument(client.get(f"/commitments/{number}.pdf").data) as document:
        return re.sub(r"\s", "", document[0].get_textpage().get_text_bounded())


def _newest(world: World) -> CommitmentCertificate:
    with world.app.app_context():
        return db.session.scalars(db.select(CommitmentCertificate).order_by(CommitmentCertificate.id.desc())).first()


def _issuer(world: World, subject: str, kind: str) -> tuple[FlaskClient, int]:
    """Someone of a sort, with a lot of which it has all, and with reports behind it."""
    maker = _producer(world, subject if subject in PREFIX else "农户")
    lot = world.released(maker, kind)
    client = world.client(maker)
    for sort in ("own", "commissioned"):
        _reported(client, lot, f"T-{sort}", kind=sort)
    if subject in PREFIX:
        return client, lot
    buyer = world.actor(OrganisationKind.BUYER, RoleName.BUYER, "530302", name=BUYER)
    sent = {"consignee": BUYER, "organisation": BUYER, "departed_at": "2026-01-05T08:30", f"q-{lot}": "8600"}
    made = client.post("/shipments/new", data=sent)
    assert made.status_code == 302
    keep = world.client(buyer)
    assert _keep_foreign(keep, made.location).status_code == 302
    return keep, lot


def _keep_foreign(buyer: FlaskClient, shipment: str) -> Any:
    """Keep a certificate on paper of the only lot of a shipment."""
    [line] = re.findall(r'<option value="(\d+)">', buyer.get(f"{shipment}/commitments").text)
    data = {"line_id": line, "number": "手 12", "issuer": "板桥姜农", "issued_on": "2026-01-04"}
    files = {"photos": (io.BytesIO(photo()), "证.jpg")}
    return buyer.post(f"{shipment}/commitments/foreign", data=data | files)


@pytest.mark.parametrize("kind", ["ginger", "coix"])
@pytest.mark.parametrize("subject", ["企业", "农民专业合作社", "农户", "收购者"])
@pytest.mark.parametrize("day", [BEFORE, SINCE])
def test_every_day_kind_subject_and_basis(
    world: World, monkeypatch: pytest.MonkeyPatch, day: date, subject: str, kind: str
) -> None:
    _on(monkeypatch, day)
    client, lot = _issuer(world, subject, kind)
    allowed = BASES[day, subject == "收购者"]
    page = client.get(f"/batches/{lot}/commitments").text
    assert re.findall(r'name="bases" type="checkbox" value="(\w+)"', page) == [
        base for base in ("own_control", "own_test", "commissioned_test", "own_word") if base in allowed
    ]
    for base in OLD_BASES:
        answer = _issue(client, lot, base)
        if not allowed:
            assert answer.status_code == 422
            assert f"{day} 适用的合格证规定里没有收购者的样式" in answer.text
        elif base not in allowed:
            assert answer.status_code == 422
            assert (
                f"“自我承诺”不是 {day} 适用的样式里的承诺依据，请改选：{'、'.join(NEW_BASES.values())}" in answer.text
            )
        else:
            assert answer.status_code == 302, answer.text
            row = _newest(world)
            assert (row.issued_on, row.bases) == (day, [base])
            text = _paper(client, row.id)
            for words in (*PRINTED[day, subject == "收购者"], *allowed.values()):
                assert words in text
            assert text.count("承诺达标合格证") == (1 if day == BEFORE else 3 if subject == "收购者" else 2)
            assert client.post(f"/commitments/{row.id}/withdraw", data={"reason": "换一种依据"}).status_code == 302


@pytest.mark.parametrize(
    ("day", "subject", "whole"),
    [
        (BEFORE, "企业", False),
        (BEFORE, "农民专业合作社", False),
        (BEFORE, "农户", False),
        (SINCE, "企业", True),
        (SINCE, "农民专业合作社", True),
        (SINCE, "农户", False),
        (SINCE, "收购者", False),
    ],
)
def test_enterprises_and_cooperatives_issue_one_for_the_whole_production_batch(
    world: World, monkeypatch: pytest.MonkeyPatch, day: date, subject: str, whole: bool
) -> None:
    _on(monkeypatch, day)
    client, lot = _issuer(world, subject, "ginger")
    part = _issue(client, lot, "own_control", quantity="600")
    if not whole:
        assert part.status_code == 302
        assert _issue(client, lot, "own_control", quantity="8000").status_code == 302
        assert "最多还能开具 0 公斤" in _issue(client, lot, "own_control", quantity="1").text
        return
    assert part.status_code == 422
    assert f"{subject}按生产批次开具合格证，一批一张：请填写本批的全部数量 8600 公斤" in part.text
    assert "最多还能开具 8600 公斤" in _issue(client, lot, "own_control", quantity="8601").text
    assert 'value="8600"' in client.get(f"/batches/{lot}/commitments").text.replace(",", "")
    assert _issue(client, lot, "own_control").status_code == 302
    first = _newest(world)
    again = _issue(client, lot, "own_control")
    assert again.status_code == 422
    assert f"本批已有合格证 {first.number}" in again.text
    assert client.post(f"/commitments/{first.id}/withdraw", data={"reason": "开错"}).status_code == 302
    assert _issue(client, lot, "own_control").status_code == 302


def test_the_database_itself_has_no_two_for_one_production_batch_and_lets_none_be_rewritten(world: World) -> None:
    grower = _producer(world, "企业")
    client, lot = world.client(grower), world.released(grower)
    assert _issue(client, lot, "own_control").status_code == 302
    given = [column for column in CommitmentCertificate.__table__.columns if column.computed is None]
    names = [column.name for column in given if column.name not in {"id", "number"}]
    columns = ", ".join(f'"{name}"' for name in names)
    copied = columns.replace('"index"', '"index" + 1', 1)
    again = f"INSERT INTO commitment_certificates (number, {columns}) SELECT 'X', {copied} FROM commitment_certificates"
    rewritten = "UPDATE commitment_certificates SET quantity = 1"
    for statement in (again, rewritten, "UPDATE commitment_certificates SET sample = '{}'"):
        with world.app.app_context(), pytest.raises(sa.exc.IntegrityError), db.engine.begin() as connection:
            connection.execute(sa.text(statement))


@pytest.fixture
def rules(world: World) -> Iterator[FlaskClient]:
    """The city's browser; the rules are as before afterwards."""
    client = world.client(world.administrator())
    before = client.get("/reference/commitment_rules.csv").text.lstrip("\ufeff")
    yield client
    assert _uploaded(client, before).status_code == 302


def _uploaded(client: FlaskClient, table: str) -> Any:
    return client.post("/reference/commitment_rules", data={"file": (io.BytesIO(table.encode()), "表.csv")})


def test_one_says_for_ever_what_the_rule_of_its_day_had_it_say(
    world: World, monkeypatch: pytest.MonkeyPatch, rules: FlaskClient
) -> None:
    grower = world.household()
    client, lot = world.client(grower), world.released(grower)
    _on(monkeypatch, BEFORE)
    assert _issue(client, lot, "own_word", quantity="10").status_code == 302
    row = _newest(world)
    printed = _paper(client, row.id)
    assert "自我承诺" in printed
    _on(monkeypatch, SINCE)
    assert "自我承诺" in client.get(f"/batches/{lot}/commitments").text
    table = rules.get("/reference/commitment_rules.csv").text.lstrip("\ufeff")
    assert _uploaded(rules, table.replace("自我承诺", "口头承诺")).status_code == 302
    assert _paper(client, row.id) == printed


def test_the_next_change_of_the_rule_is_a_row(
    world: World, monkeypatch: pytest.MonkeyPatch, rules: FlaskClient
) -> None:
    grower = _producer(world, "企业")
    client, lot = world.client(grower), world.released(grower)
    head, old, new, buyer = rules.get("/reference/commitment_rules.csv").text.lstrip("\ufeff").splitlines()
    coming = (
        new.replace("2026-02-01", "2030-01-01").replace("企业、农民专业合作社", "").replace("自行检测合格", "自检合格")
    )
    ending = new.replace("2026-02-01,,", "2026-02-01,2029-12-31,")
    assert _uploaded(rules, "\n".join([head, old, ending, buyer, coming])).status_code == 302
    _on(monkeypatch, date(2029, 12, 31))
    assert _issue(client, lot, "own_control", quantity="10").status_code == 422
    _on(monkeypatch, date(2030, 1, 1))
    assert "自检合格" in client.get(f"/batches/{lot}/commitments").text
    assert _issue(client, lot, "own_control", quantity="10").status_code == 302


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("企业、农民专业合作社", "企业、合伙", "没有“合伙”这种主体"),
        ("2026-01-31", "2020-01-31", "不能早于开始日期"),
        (
            "内部质量控制,Internal quality control,自我检测,Own test,委托检测,Commissioned test,自我承诺",
            ",,,,,,",
            "请至少填写一项承诺依据",
        ),
        ("producer,2021-01-01", "grower,2021-01-01", "第 2 行 sample"),
    ],
)
def test_a_rule_that_says_something_impossible_is_not_taken(
    rules: FlaskClient, before: str, after: str, told: str
) -> None:
    table = rules.get("/reference/commitment_rules.csv").text.lstrip("\ufeff")
    assert before in table
    answer = _uploaded(rules, table.replace(before, after, 1))
    assert answer.status_code == 422
    assert told in answer.text


class TestTheRulesOfAllDays:
    """Each sort of issuer has one rule at any time."""

    @pytest.mark.parametrize(
        ("rows", "told"),
        [
            (["producer 2021-01-01 2026-01-31", "producer 2026-02-01", "buyer 2026-02-01"], []),
            (["buyer 2026-02-01 2029-12-31", "producer 2021-01-01", "buyer 2030-01-01"], []),
            (
                ["producer 2021-01-01 2026-02-01", "producer 2026-02-01", "buyer 2026-02-01"],
                ["第 3 行与第 2 行都管着 2026-02-01（“生产者”）。请让第 2 行最晚到 2026-01-31 为止。"],
            ),
            (["producer 2026-02-01", "buyer 2026-02-01", "producer 2021-01-01"], ["第 2 行与第 4 行都管着 2026-02-01"]),
            (
                ["producer 2021-01-01", "buyer 2021-01-01 2026-01-29", "buyer 2026-02-01"],
                ["第 3 行与第 4 行之间，“收购者”从 2026-01-30 到 2026-01-31 没有规定。请补上这几天。"],
            ),
            (
                ["producer 2021-01-01 2025-12-31", "buyer 2026-02-01"],
                ["“生产者”今天没有适用的规定：最后的第 2 行到 2025-12-31 为止。"],
            ),
            (
                ["producer 2026-02-01", "buyer 2999-01-01"],
                ["“收购者”今天没有适用的规定：最早的第 3 行从 2999-01-01 才开始。"],
            ),
            (["producer 2026-02-01"], ["缺少“收购者”的规定（sample 填 buyer）。"]),
            (
                ["buyer 2021-01-01", "buyer 2026-02-01"],
                ["缺少“生产者”的规定（sample 填 producer）。", "第 3 行与第 2 行都管着 2026-02-01（“收购者”）"],
            ),
        ],
    )
    def test_are_taken_where_each_day_has_one(self, rules: FlaskClient, rows: list[str], told: list[str]) -> None:
        before = rules.get("/reference/commitment_rules.csv").text
        head, _old, new, _buyer = before.lstrip("\ufeff").splitlines()
        words = new.split(",", 3)[3]
        table = [",".join([*(row.split() + [""])[:3], words]) for row in rows]
        answer = _uploaded(rules, "\n".join([head, *table]))
        assert answer.status_code == (422 if told else 302)
        for line in told:
            assert line in html.unescape(answer.text)
        assert (rules.get("/reference/commitment_rules.csv").text == before) is bool(told)


def test_a_buyer_issues_for_what_it_was_sent_and_for_no_more(world: World) -> None:
    maker, other = world.household(), world.buyer()
    lot = world.released(maker)
    buyer = world.actor(OrganisationKind.BUYER, RoleName.BUYER, "530302", name=BUYER)
    sent = {"consignee": BUYER, "organisation": BUYER, "departed_at": "2026-11-05T08:30", f"q-{lot}": "600"}
    made = world.client(maker).post("/shipments/new", data=sent)
    client = world.client(buyer)
    assert _keep_foreign(client, made.location).status_code == 302
    assert world.client(other).get(f"/batches/{lot}/commitments").status_code == 404
    assert "最多还能开具 600 公斤" in _issue(client, lot, "own_control", quantity="601").text
    assert _issue(client, lot, "own_control", quantity="600").status_code == 302
    row = _newest(world)
    assert BUYER in _paper(client, row.id)
    # What a buyer commits itself to is its own affair: the producer issues for the whole lot all the same.
    assert _issue(world.client(maker), lot, "own_control").status_code == 302
    assert world.client(maker).get(f"/commitments/{row.id}.pdf").status_code == 404
    assert world.client(maker).post(f"/commitments/{row.id}/withdraw", data={"reason": "x"}).status_code == 404
    assert world.client(world.regulator()).get(f"/commitments/{row.id}.pdf").status_code == 200
    for empty in ("", " "):
        refused = client.post(f"/commitments/{row.id}/withdraw", data={"reason": empty})
        assert refused.status_code == 422
        assert refused_in_its_fold(refused.text) == f"row-{row.id}-reason"
    assert client.post(f"/commitments/{row.id}/withdraw", data={"reason": "重开"}).status_code == 302


def test_a_buyer_certifies_nothing_that_it_refused_or_sent_back(world: World) -> None:
    maker = world.household()
    lot = world.released(maker)
    buyer = world.actor(OrganisationKind.BUYER, RoleName.BUYER, "530302", name=BUYER)
    sent = {"consignee": BUYER, "organisation": BUYER, "departed_at": "2026-11-05T08:30", f"q-{lot}": "600"}
    made = world.client(maker).post("/shipments/new", data=sent)
    client = world.client(buyer)
    assert _keep_foreign(client, made.location).status_code == 302
    assert "您现有 600 公斤" in client.get("/shipments/new").text
    with world.app.app_context():
        shipment = db.session.scalars(db.select(Shipment)).one()
        path, line = f"/receive/{shipment.receipt_code}", shipment.lines[0].id
    received = {"received_at": "2026-11-05T10:00", "received_by": "张店长", f"q-{line}": "560"}
    received |= {f"r-{line}": "30", f"why-{line}": "发霉", "rest": "missing", "note": "少"}
    assert client.post(path, data=received).status_code == 302
    back = {"reason": "压坏了", "departed_at": "2026-11-05T11:00", f"q-{line}": "60"}
    assert client.post(f"{path}/return", data=back).status_code == 302
    assert "最多还能开具 500 公斤" in _issue(client, lot, "own_control", quantity="501").text
    assert _issue(client, lot, "own_control", quantity="500").status_code == 302
    page = client.get("/shipments/new").text
    assert "您现有 500 公斤" in page
    assert "8,600" not in page


def _sent(client: FlaskClient, lot: int, day: str = "2026-11-05", **facts: str) -> Any:
    data = {"consignee": "云岭超市", "departed_at": f"{day}T08:30", f"q-{lot}": "100", **facts}
    answer = client.post("/shipments/new", data=data)
    assert answer.status_code == 302, answer.text
    return answer


class TestShipmentsOfWhatMustHaveOne:
    WORDS = "本批没有有效的承诺达标合格证"

    def test_are_a_finding_until_one_is_issued(self, world: World) -> None:
        grower, officer = _producer(world, "农民专业合作社"), world.client(world.regulator())
        lot, client = world.released(grower, lot_number="NAKED-1"), world.client(grower)
        assert self.WORDS not in client.get(f"/batches/{lot}").text
        sent = _sent(client, lot)
        noted = client.get(sent.location).text
        # It warns, and does not look like what went well.
        assert '<p class="alert" role="status">批次 NAKED-1 没有有效的承诺达标合格证' in noted
        assert '<p class="flash" role="status">已登记发货' in noted
        _sent(client, lot, "2026-11-06")
        page = client.get(f"/batches/{lot}").text
        assert "已发货 2 次（最早 2026-11-05，" in page
        assert self.WORDS in page
        assert self.WORDS in officer.get("/findings").text
        assert self.WORDS in client.get("/findings/to-do").text
        assert _issue(client, lot, "own_control").status_code == 302
        client.get(f"/batches/{lot}")
        assert self.WORDS not in officer.get("/findings").text
        assert client.post(f"/commitments/{_newest(world).id}/withdraw", data={"reason": "开错"}).status_code == 302
        client.get(f"/batches/{lot}")
        assert self.WORDS in officer.get("/findings").text

    def test_are_none_once_the_shipment_is_withdrawn(self, world: World) -> None:
        grower = _producer(world, "企业")
        lot, client = world.released(grower), world.client(grower)
        sent = _sent(client, lot)
        assert self.WORDS in client.get(f"/batches/{lot}").text
        assert client.post(f"{sent.location}/withdraw", data={"reason": "填错"}).status_code == 302
        client.get(f"/batches/{lot}")
        with world.app.app_context():
            assert [row.rule for row in standing(db.session.get_one(Batch, lot)) if row.rule == "no_commitment"] == []

    @pytest.mark.parametrize(
        ("subject", "kind", "day", "severity"),
        [
            ("企业", "ginger", "2026-02-01", Severity.WARN),
            ("农民专业合作社", "ginger", "2026-02-01", Severity.WARN),
            ("农户", "ginger", "2026-02-01", Severity.INFO),
            ("企业", "ginger", "2026-01-31", None),
            ("企业", "coix", "2026-02-01", None),
            ("企业", "honey", "2026-02-01", None),
        ],
    )
    def test_by_day_kind_and_subject(
        self, world: World, subject: str, kind: str, day: str, severity: Severity | None
    ) -> None:
        grower = _producer(world, subject)
        lot, client = world.released(grower, kind), world.client(grower)
        form = client.get("/shipments/new").text
        assert ("先开具合格证" in form) == (kind == "ginger")
        _sent(client, lot, day)
        client.get(f"/batches/{lot}")
        with world.app.app_context():
            found = {row.rule: row.severity for row in standing(db.session.get_one(Batch, lot))}
        assert found.get("no_commitment") is severity

    def test_the_form_says_so_before_and_not_once_there_is_one(self, world: World) -> None:
        grower = _producer(world, "企业")
        lot, client = world.released(grower), world.client(grower)
        assert f'href="/batches/{lot}/commitments"' in client.get("/shipments/new").text
        assert _issue(client, lot, "own_control").status_code == 302
        assert "先开具合格证" not in client.get("/shipments/new").text
        sent = _sent(client, lot)
        assert "没有有效的承诺达标合格证" not in client.get(sent.location).text


# 用什么药、检什么药

CASES: dict[str, tuple[list[str], list[str], str]] = {
    "tested": (["苯醚甲环唑"], ["苯醚甲环唑"], ""),
    "not tested": (["苯醚甲环唑"], ["镉"], "苯醚甲环唑"),
    "one of two": (["苯醚甲环唑", "嘧菌酯"], ["苯醚甲环唑"], "嘧菌酯"),
    "both of two": (["嘧菌酯", "苯醚甲环唑"], ["镉"], "嘧菌酯、苯醚甲环唑"),
    "twice used, named once": (["嘧菌酯", "嘧菌酯"], ["镉"], "嘧菌酯"),
    "a mixture": (["苯醚甲环唑·嘧菌酯"], ["嘧菌酯"], "苯醚甲环唑"),
    "a mixture with plus": (["苯醚甲环唑+嘧菌酯"], ["嘧菌酯", "苯醚甲环唑"], ""),
    "with its strength": (["苯醚甲环唑 10%"], ["苯醚甲环唑"], ""),
    "with its strength in grams": (["嘧菌酯 250克/升"], ["嘧菌酯"], ""),
    "a comma within a name": (["2,4-滴"], ["2,4-滴"], ""),
    "a comma within a name, not tested": (["2,4-滴"], ["镉"], "2,4-滴"),
    "a comma between names": (["嘧菌酯,苯醚甲环唑"], ["嘧菌酯"], "苯醚甲环唑"),
    "in brackets": (["嘧菌酯"], ["嘧菌酯（Azoxystrobin）"], ""),
    "full-width": (["２，４-滴"], ["2,4-滴"], ""),
    "nothing used": ([], ["镉"], ""),
}


@pytest.mark.parametrize("case", CASES)
def test_what_was_used_has_to_be_tested_for(world: World, case: str) -> None:
    used, tested, missing = CASES[case]
    grower = _producer(world, "企业")
    lot = world.batch(grower)
    world.complete(grower, lot)
    for number, name in enumerate(used):
        day = f"2025-09-{10 + number:02d}"
        world.record(grower, lot, "pesticide", **SPRAYED | {"active_ingredient": name, "happened_on": day})
    client = world.client(grower)
    _reported(client, lot, "T", *((name, "0.01", "mg/kg") for name in tested))
    assert client.post(f"/batches/{lot}/release").status_code == 302
    answer = _issue(client, lot, "commissioned_test")
    page = client.get(f"/batches/{lot}/commitments").text
    if missing:
        assert answer.status_code == 422
        assert f"用过的 {missing} 没有检测" in answer.text
        assert f"用过而没有检测的：{missing}。" in page
        assert _issue(client, lot, "own_control").status_code == 302
    else:
        assert answer.status_code == 302, answer.text
        assert "用过而没有检测的" not in page


class TestRecordsThatCount:
    def _sprayed(self, world: World) -> tuple[Actor, FlaskClient, int, int]:
        """A lot with one application, and the record of it."""
        grower = _producer(world, "企业")
        lot = world.batch(grower)
        world.complete(grower, lot)
        record = world.record(grower, lot, "pesticide", **SPRAYED)
        return grower, world.client(grower), lot, record

    def test_a_corrected_record_counts_as_it_is_now(self, world: World) -> None:
        _grower, client, lot, record = self._sprayed(world)
        corrected = SPRAYED | {"active_ingredient": "嘧菌酯", "correction_reason": "写错了药"}
        assert client.post(f"/field/records/{record}/correct", data=corrected).status_code == 302
        page = client.get(f"/batches/{lot}/commitments").text
        assert "用过而没有检测的：嘧菌酯。" in page

    def test_a_record_of_the_whole_site_counts_and_one_after_the_harvest_does_not(self, world: World) -> None:
        grower = _producer(world, "企业")
        site = world.site(grower)
        lot = world.batch(grower, site_id=site)
        world.complete(grower, lot)
        client = world.client(grower)
        scope = {"scope": "site", "site_id": str(site), "season_until": "2025-12-31"}
        for day, name in (("2025-09-15", "嘧菌酯"), ("2025-11-20", "苯醚甲环唑")):
            data = SPRAYED | scope | {"happened_on": day, "active_ingredient": name}
            assert client.post("/field/ginger/pesticide", data=data).status_code == 302
        assert "用过而没有检测的：嘧菌酯。" in client.get(f"/batches/{lot}/commitments").text

    def test_what_was_used_on_the_lots_that_it_was_put_together_of_counts_too(self, world: World) -> None:
        grower, client, lot, _record = self._sprayed(world)
        packed = world.batch(grower, lot_number="PACKED", quantity="100")
        world.complete(grower, packed)
        for each in (lot, packed):
            _reported(client, each, f"T-{each}")
        assert client.post(f"/batches/{lot}/release").status_code == 302
        linked = {"source_id": str(lot), "quantity": "100", "happened_on": "2025-11-20"}
        assert client.post(f"/batches/{packed}/genealogy", data=linked).status_code == 302
        assert client.post(f"/batches/{packed}/release").status_code == 302
        refused = _issue(client, packed, "commissioned_test", quantity="100")
        assert "用过的 苯醚甲环唑 没有检测" in refused.text
        _reported(client, lot, "T-SOURCE", ("苯醚甲环唑", "0.01", "mg/kg"))
        assert _issue(client, packed, "commissioned_test", quantity="100").status_code == 302

    def test_what_names_no_ingredient_is_named_itself(self, world: World) -> None:
        grower = _producer(world, "企业")
        lot = world.batch(grower)
        world.complete(grower, lot)
        with world.writing():
            user, batch = db.session.get_one(User, grower.user_id), db.session.get_one(Batch, lot)
            facts = form_for(RecordType.PESTICIDE, None).parse(SPRAYED).facts | {"active_ingredient": None}
            entry = records.entry_for(batch.product.kind, RecordType.PESTICIDE, None, facts)
            records.add_record(Author.of(user), records.Scope.of(batch), entry)
        page = world.client(grower).get(f"/batches/{lot}/commitments").text
        assert f"用过而没有检测的：{SPRAYED['product_name']}。" in page


class TestReportsThatCount:
    @pytest.mark.parametrize(
        ("kind", "base", "status"),
        [
            ("own", "own_test", 302),
            ("own", "commissioned_test", 422),
            ("commissioned", "commissioned_test", 302),
            ("commissioned", "own_test", 422),
        ],
    )
    def test_of_the_sort_that_the_basis_says(self, world: World, kind: str, base: str, status: int) -> None:
        grower = _producer(world, "企业")
        lot, client = world.released(grower), world.client(grower)
        _reported(client, lot, kind=kind)
        answer = _issue(client, lot, base)
        assert answer.status_code == status
        if status == 422:
            assert f"承诺依据选了“{NEW_BASES[base]}”，但本批没有这类合格的检测报告" in answer.text

    def test_what_an_own_report_has_is_not_in_the_commissioned_one(self, world: World) -> None:
        grower = _producer(world, "企业")
        lot = world.batch(grower)
        world.complete(grower, lot)
        world.record(grower, lot, "pesticide", **SPRAYED)
        client = world.client(grower)
        _reported(client, lot, "T-1", kind="commissioned")
        _reported(client, lot, "T-2", ("苯醚甲环唑", "0.01", "mg/kg"), kind="own")
        assert client.post(f"/batches/{lot}/release").status_code == 302
        assert "用过的 苯醚甲环唑 没有检测" in _issue(client, lot, "commissioned_test").text
        assert _issue(client, lot, "own_test").status_code == 302
