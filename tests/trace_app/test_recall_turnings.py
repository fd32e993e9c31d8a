"""Two officers at every turning of level I, at a lowering from II, and where too little is under control."""

import io
import re
from dataclasses import replace
from datetime import timedelta

import pypdfium2
import pytest
import sqlalchemy as sa

from tests.trace_app.test_slips import own_password, slip_in
from tests.world import PASSWORD, Actor, World, photo
from trace_app.accounts.models import OrganisationKind, RoleName, User
from trace_app.batches.models import Batch
from trace_app.db.append_only import lifted
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.messages.models import Delivery
from trace_app.recall_tasks import calls
from trace_app.recall_tasks import service as tasks
from trace_app.recalls.models import Recall, RecallExclusion, RecallProposal

NOTICE = {"level": "2", "reason": "镉超标", "advice": "停止食用", "reason_en": "Cadmium", "advice_en": "Do not eat"}


class Case:
    """A recall of two lots by one officer, with a second one at hand."""

    def __init__(self, world: World, level: str = "1") -> None:
        self.world, self.officer, self.second = world, world.regulator(), world.regulator("530300")
        self.grower = world.producer(name="姜社")
        self.lots = [world.released(self.grower, quantity="100", lot_number=f"T-{n}") for n in range(3)]
        data = NOTICE | {"level": level, "lots": "T-0 T-1", "count": "2"}
        self.number = world.client(self.officer).post("/recalls/scope", data=data).location.split("/")[2]
        if level == "1":
            answer = world.client(self.second).post(f"/recalls/{self.number}/approve")
            assert answer.status_code == 302

    def turns(self, turning: str, **values: str) -> str:
        """What the first officer asks for; returns what the page says then."""
        client = self.world.client(self.officer)
        if turning == "extend":
            data = {"extends": self.number, "lots": "T-2", "count": "1"} | values
            answer = client.post("/recalls/scope", data=data)
        else:
            answer = client.post(f"/recalls/{self.number}/{turning}", data=values)
        assert answer.status_code == 302, answer.text
        return client.get(answer.location).text

    def decides(self, word: str, by: Actor | None = None, **values: str) -> tuple[int, str]:
        waits = self.waiting()
        path = f"/recalls/{self.number}/proposals/{waits}/{word}"
        answer = self.world.client(by or self.second).post(path, data=values)
        return answer.status_code, answer.text

    def waiting(self) -> int:
        with self.world.app.app_context():
            return self.recall().proposals[-1].id

    def recall(self) -> Recall:
        return db.session.scalars(db.select(Recall).filter_by(number=self.number)).one()

    def states(self) -> list[str]:
        with self.world.app.app_context():
            return [db.session.get_one(Batch, lot).state for lot in self.lots]

    def facts(self) -> tuple[str, int, int, str]:
        with self.world.app.app_context():
            recall = self.recall()
            return recall.status.value, recall.level, recall.lot_count, recall.notice.type.value


TURNINGS = {
    "extend": {"note": "同一地块"},
    "correct": NOTICE | {"level": "2", "reason": "复检低些", "reason_en": "Tested lower", "note": "复检"},
    "narrow": {"note": "误入"},
    "complete": {"note": "做完", "why_open": "不等了"},
    "withdraw": {"note": "误报"},
}
DONE = {
    "extend": ("active", 1, 3, "extend"),
    "correct": ("active", 2, 2, "correct"),
    "narrow": ("active", 1, 1, "narrow"),
    "complete": ("completed", 1, 2, "complete"),
    "withdraw": ("withdrawn", 1, 2, "withdraw"),
}
STOPPED, FREE, HELD = "recalled", "released", "held"
STATES = {
    "extend": [STOPPED, STOPPED, STOPPED],
    "correct": [STOPPED, STOPPED, FREE],
    "narrow": [FREE, STOPPED, FREE],
    "complete": [STOPPED, STOPPED, FREE],
    "withdraw": [FREE, FREE, FREE],
}


@pytest.mark.parametrize("turning", TURNINGS)
def test_a_turning_of_level_one_waits_for_the_second_officer(world: World, turning: str) -> None:
    case = Case(world)
    values = dict(TURNINGS[turning])
    if turning == "narrow":
        values["out"] = str(case.lots[0])
    before = case.facts()
    page = case.turns(turning, **values)
    assert "等待第二位监管人员批准" in page
    assert "变更待批准" in page
    assert case.facts() == before
    assert case.states() == [STOPPED, STOPPED, HELD if turning == "extend" else FREE]
    status, said = case.decides("approve", by=case.officer)
    assert status == 422
    assert "须由另一位监管人员批准" in said
    assert case.facts() == before
    seen = world.client(case.second).get(f"/recalls/{case.number}/manage").text
    assert values["note"] in seen
    assert {"narrow": "T-0", "correct": "复检低些", "complete": "不等了"}.get(turning, "") in seen
    assert case.decides("approve")[0] == 302
    assert case.facts() == DONE[turning]
    assert case.states() == STATES[turning]
    assert case.decides("approve")[0] == 422
    assert "第二位监管人员的决定" in world.client(case.officer).get(f"/recalls/{case.number}/manage").text


@pytest.mark.parametrize("turning", TURNINGS)
def test_what_the_second_officer_refuses_leaves_the_recall_as_it_is(world: World, turning: str) -> None:
    case = Case(world)
    values = dict(TURNINGS[turning])
    if turning == "narrow":
        values["out"] = str(case.lots[0])
    before = case.facts()
    case.turns(turning, **values)
    status, said = case.decides("refuse", note=" ")
    assert status == 422
    assert "请写明理由" in said
    assert case.decides("refuse", note="证据不足")[0] == 302
    assert case.facts() == before
    assert case.states() == [STOPPED, STOPPED, FREE]
    assert "证据不足" in world.client(case.officer).get(f"/recalls/{case.number}/manage").text
    # Afterwards it can be asked for again.
    case.turns(turning, **values)


def test_the_wording_of_level_one_is_not_made_mild_by_one_officer(world: World) -> None:
    case = Case(world)
    case.turns("correct", **(NOTICE | {"level": "1", "advice": "可以放心食用", "advice_en": "", "note": "改口"}))
    assert "可以放心食用" not in world.client().get(f"/recalls/{case.number}").text


def test_lowering_from_two_needs_a_second_officer_raising_and_wording_do_not(world: World) -> None:
    case = Case(world, "3")
    case.turns("correct", **(NOTICE | {"level": "2", "note": "更重"}))
    assert case.facts() == ("active", 2, 2, "correct")
    case.turns("correct", **(NOTICE | {"reason": "镉 0.3", "reason_en": "Cadmium 0.3", "note": "写清"}))
    with world.app.app_context():
        assert case.recall().reason == "镉 0.3"
    case.turns("correct", **(NOTICE | {"level": "3", "note": "改轻"}))
    assert case.facts() == ("active", 2, 2, "correct")
    assert case.decides("approve")[0] == 302
    assert case.facts() == ("active", 3, 2, "correct")


@pytest.mark.parametrize(("sealed", "alone"), [("89", False), ("90", True)])
def test_one_officer_completes_what_is_under_control(world: World, sealed: str, alone: bool) -> None:
    case = Case(world, "2")
    with world.app.app_context():
        token = tasks.tasks_of(case.recall())[0].token
    report = {"name": "张"} | {f"sealed-{lot}": sealed for lot in case.lots[:2]}
    assert world.client().post(f"/recall-tasks/{token}/report", data=report).status_code == 302
    case.turns("complete", note="做完", why_open="其余找不到")
    assert case.facts()[0] == ("completed" if alone else "active")


def test_who_completes_a_recall_sees_what_is_open_and_says_why(world: World) -> None:
    case = Case(world, "2")
    client = world.client(case.officer)
    page = client.get(f"/recalls/{case.number}/complete").text
    assert all(text in page for text in ("没有确认", "姜社", "T-0", "100", "没有证据"))
    silent = client.post(f"/recalls/{case.number}/complete", data={"note": "做完"})
    assert silent.status_code == 422
    assert "请写明为什么现在结束" in silent.text
    assert "做完" in silent.text
    case.turns("complete", note="做完", why_open="厂已停业")
    assert case.decides("approve")[0] == 302
    public = world.client().get(f"/recalls/{case.number}").text
    assert "1 家没有确认，2 处货物没有全部控制，1 家没有证据" in public
    assert "厂已停业" in public
    with pypdfium2.PdfDocument(client.get(f"/recalls/{case.number}/report.pdf").data) as document:
        text = "".join(page.get_textpage().get_text_range() for page in document)
    assert "结束时未了结的" in text
    assert "厂已停业" in text
    with pypdfium2.PdfDocument(world.client().get(f"/recalls/{case.number}/2.pdf").data) as document:
        notice = "".join(page.get_textpage().get_text_range() for page in document)
    assert "未了结的" in notice
    assert "厂已停业" in notice
    assert "姜社没有" not in notice


def test_nothing_is_open_where_all_is_reported_with_photos(world: World) -> None:
    case = Case(world, "2")
    with world.app.app_context():
        token = tasks.tasks_of(case.recall())[0].token
    report = {"name": "张", "photos": (io.BytesIO(photo()), "a.jpg")} | {
        f"destroyed-{lot}": "100" for lot in case.lots[:2]
    }
    assert world.client().post(f"/recall-tasks/{token}/report", data=report).status_code == 302
    case.turns("complete", note="做完")
    assert case.facts()[0] == "completed"
    assert "当时未了结的" not in world.client().get(f"/recalls/{case.number}").text


@pytest.mark.parametrize("deed", ["create", "reset"])
def test_an_account_of_the_first_officers_making_has_no_second_word(world: World, deed: str) -> None:
    case = Case(world)
    case.officer = world.administrator()
    client, puppet = world.client(case.officer), world.regulator("530300")
    if deed == "create":
        made = {"username": "puppet", "full_name": "某人", "email": "p@example.org", "role": "regulator"}
        place = f"/admin/organisations/{puppet.organisation_id}/users/new"
        own_password(world, slip_in(client.post(place, data=made)), PASSWORD)
        puppet = replace(puppet, username="puppet")
    else:
        own_password(world, slip_in(client.post(f"/admin/users/{puppet.user_id}/reset")), PASSWORD)
    case.turns("withdraw", note="误报")
    assert "须由另一位监管人员批准" in world.client(puppet).get(f"/recalls/{case.number}/manage").text
    assert case.decides("approve", by=puppet)[0] == 422
    assert case.facts()[0] == "active"


def test_one_turning_waits_at_a_time_and_sent_again_makes_no_second(world: World) -> None:
    case = Case(world)
    case.turns("withdraw", note="误报")
    client = world.client(case.officer)
    for path, data in (
        (f"/recalls/{case.number}/withdraw", {"note": "误报"}),
        (f"/recalls/{case.number}/correct", NOTICE | {"level": "1", "note": "x"}),
        ("/recalls/scope", {"extends": case.number, "lots": "T-2", "count": "1", "note": "x"}),
    ):
        answer = client.post(path, data=data)
        assert answer.status_code == 422
        assert "在等待第二位监管人员批准" in answer.text
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(RecallProposal.id))) == 1
        assert db.session.scalar(db.select(db.func.count(Recall.id))) == 1


@pytest.mark.parametrize("turning", TURNINGS)
def test_who_proposed_a_turning_takes_it_back(world: World, turning: str) -> None:
    case = Case(world)
    before = case.facts(), case.states()
    values = TURNINGS[turning] | ({"out": str(case.lots[0])} if turning == "narrow" else {})
    page = case.turns(turning, **values)
    assert "撤回这项变更" in page
    assert "撤回这项变更" not in world.client(case.second).get(f"/recalls/{case.number}/manage").text
    status, text = case.decides("take-back")
    assert (status, "只有提出人能撤回" in text) == (422, True)
    assert case.decides("take-back", case.officer)[0] == 302
    assert (case.facts(), case.states()) == before
    status, text = case.decides("take-back", case.officer)
    assert (status, "已有人决定" in text) == (422, True)
    # And another can be proposed.
    case.turns(turning, **values)


def test_a_recall_is_raised_to_level_one_by_two_officers_and_stays_theirs(world: World) -> None:
    case = Case(world, level="2")
    raised = NOTICE | {"level": "1", "note": "有人住院"}
    assert "等待第二位监管人员批准" in case.turns("correct", **raised)
    assert case.facts()[1] == 2
    assert case.states()[:2] == ["recalled", "recalled"]
    assert case.decides("approve")[0] == 302
    assert case.facts()[1] == 1
    # Lowered again, it still is not ended by one of them.
    case.turns("correct", **NOTICE, note="复检")
    assert case.decides("approve")[0] == 302
    assert case.facts()[1] == 2
    assert "等待第二位监管人员批准" in case.turns("withdraw", note="查错了")
    assert case.facts()[0] == "active"


def test_a_producer_raises_its_own_recall_to_level_one_at_once(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower)
    client = world.client(grower)
    number = client.post(f"/batches/{lot}/recall", data=NOTICE).location.split("/")[2]
    answer = client.post(f"/recalls/{number}/correct", data=NOTICE | {"level": "1", "note": "更严重"})
    assert answer.status_code == 302
    with world.app.app_context():
        assert db.session.scalars(db.select(Recall.level)).all() == [1]


@pytest.mark.parametrize("word", ["approve", "refuse", "take-back"])
def test_a_decision_that_comes_too_late_is_told_so(world: World, word: str) -> None:
    case = Case(world)
    case.turns("correct", **TURNINGS["correct"])
    assert case.decides("refuse", note="不行")[0] == 302
    status, text = case.decides(word, case.officer if word == "take-back" else case.second, note="晚了")
    assert (status, "已有人决定" in text) == (422, True)


def test_a_refusal_of_what_was_approved_meanwhile_is_told_so(world: World) -> None:
    case = Case(world)
    answer = world.client(case.second).post(f"/recalls/{case.number}/reject", data={"note": "晚了"})
    assert answer.status_code == 422
    assert "批准，召回已经生效，不用再办" in answer.text


def test_the_hold_of_an_extension_is_lifted_by_the_decision_alone(world: World) -> None:
    case = Case(world)
    out = {"lots": "T-2 T-1", f"why-{case.lots[1]}": "已在内"}
    case.turns("extend", note="同一地块", **(out | {"out": str(case.lots[1]), "count": "1"}))
    with world.app.app_context():
        hold = db.session.get_one(RecallProposal, case.waiting()).hold
        assert hold is not None
        number = hold.number
    lifted = world.client(case.officer).post(f"/recalls/{number}/end", data={"note": "放了"})
    assert lifted.status_code == 422
    assert case.states()[2] == HELD
    assert case.decides("approve")[0] == 302
    with world.app.app_context():
        rows = db.session.scalars(db.select(RecallExclusion).filter_by(recall_id=case.recall().id)).all()
        assert [row.batch_id for row in rows] == [case.lots[1]]


def test_a_lot_that_something_else_holds_stays_held_when_its_extension_is_refused(world: World) -> None:
    case = Case(world)
    hold = NOTICE | {"kind": "hold"}
    assert world.client(case.officer).post(f"/batches/{case.lots[2]}/recall", data=hold).status_code == 302
    case.turns("extend", note="同一地块")
    assert case.decides("refuse", note="不在其内")[0] == 302
    assert case.states()[2] == HELD


def test_the_regulators_are_told_that_something_waits(world: World) -> None:
    case = Case(world)
    case.turns("withdraw", note="误报")
    with world.app.app_context():
        subjects = [row.message["subject"] for row in db.session.scalars(db.select(Delivery))]
    assert f"[待批准·撤销召回] {case.number}" in subjects
    assert f"[待批准·一级召回] {case.number}" in subjects


def test_a_turning_that_waits_is_told_of_after_an_hour_and_to_the_next_office_after_four_each_once(
    world: World,
) -> None:
    case = Case(world)
    colleague = world.actor(OrganisationKind.REGULATOR, RoleName.REGULATOR, "530324", jurisdiction_code="530324")
    with world.writing():
        db.session.get_one(User, colleague.user_id).organisation_id = case.officer.organisation_id
    case.turns("narrow", out=str(case.lots[0]), note="误入")

    def reminded(hours: float) -> list[str]:
        with world.writing():
            db.session.execute(sa.delete(Delivery))
            begun = sa.update(RecallProposal).values(proposed_at=utc_now() - timedelta(hours=hours))
            with lifted(db.session.connection()):
                db.session.execute(begun)
        for _ in range(2):
            with world.app.app_context():
                calls.remind_of_approval()
        with world.app.app_context():
            rows = list(db.session.scalars(db.select(Delivery)))
            assert all("待批准，已等" in row.message["subject"] for row in rows)
            return [row.address for row in rows]

    with world.app.app_context():
        mine, up = (db.session.get_one(User, one.user_id).email for one in (colleague, case.second))
    assert reminded(0.9) == []
    assert reminded(1.1) == [mine]
    assert reminded(3.9) == []
    assert reminded(4.1) == [up]
    assert case.decides("refuse", note="不行")[0] == 302
    assert reminded(9) == []
    with pytest.raises(sa.exc.IntegrityError), world.writing():
        db.session.execute(sa.text("UPDATE recall_proposals SET reminded_at = NULL"))


def test_who_waits_reads_who_may_approve_by_office_and_name(world: World) -> None:
    case = Case(world)
    with world.writing():
        db.session.get_one(User, case.second.user_id).full_name = "市里的老王"
    client = world.client(case.officer)
    lot = world.released(case.grower, lot_number="T-9")
    number = client.post(f"/batches/{lot}/recall", data=NOTICE | {"level": "1"}).location.split("/")[2]
    case.turns("withdraw", note="误报")
    for waiting in (number, case.number):
        page = client.get(f"/recalls/{waiting}/manage").text
        assert "市里的老王" in page[page.index("可以批准的人") :]


@pytest.mark.parametrize("turning", ["extend", "correct", "narrow", "withdraw"])
def test_a_turning_that_is_sent_twice_makes_one_notice(world: World, turning: str) -> None:
    case = Case(world, "2")
    client = world.client(case.officer)
    pages = {
        "extend": f"/recalls/scope?extends={case.number}&lots=T-2",
        "withdraw": f"/recalls/{case.number}/withdraw",
    }
    page = client.get(pages.get(turning, f"/recalls/{case.number}/manage")).text
    made_from = re.findall(r'name="made_from" value="(\d+)"', page)
    assert set(made_from) == {"1"}
    values = {
        "extend": {"extends": case.number, "lots": "T-2", "count": "1", "note": "同一地块"},
        "correct": NOTICE | {"level": "2", "reason": "复检高些", "reason_en": "", "note": "复检"},
        "narrow": {"out": str(case.lots[0]), "note": "误入"},
        "withdraw": {"note": "误报"},
    }[turning] | {"made_from": "1"}
    path = "/recalls/scope" if turning == "extend" else f"/recalls/{case.number}/{turning}"
    assert client.post(path, data=values).status_code == 302
    again = client.post(path, data=values)
    assert again.status_code == 422
    assert "又有了变化" in again.text
    assert values["note"] in again.text
    with world.app.app_context():
        assert len(case.recall().notices) == 2


def test_a_form_from_before_another_officers_notice_is_refused_and_can_be_sent_after_a_look(world: World) -> None:
    case = Case(world, "2")
    values = NOTICE | {"level": "2", "reason": "复检高些", "reason_en": "", "note": "复检", "made_from": "1"}
    above = world.client(case.second)
    assert (
        above.post(f"/recalls/{case.number}/narrow", data={"out": str(case.lots[0]), "note": "误入"}).status_code == 302
    )
    client = world.client(case.officer)
    refused = client.post(f"/recalls/{case.number}/correct", data=values)
    assert refused.status_code == 422
    assert all(text in refused.text for text in ("缩小范围", "复检高些", 'name="made_from" value="2"'))
    assert client.post(f"/recalls/{case.number}/correct", data=values | {"made_from": "2"}).status_code == 302


def test_who_has_nothing_left_in_a_recall_is_asked_for_nothing(world: World) -> None:
    """Narrowed down by all that a party had: it is no party to confirm, to be late, or to hold the end up."""
    case = Case(world, "2")
    freed = world.producer(name="别社")
    world.released(freed, lot_number="F-1")
    client = world.client(case.officer)
    extended = client.post("/recalls/scope", data={"extends": case.number, "lots": "F-1", "count": "1", "note": "同车"})
    assert extended.status_code == 302
    with world.app.app_context():
        tasks.tell_everyone(case.recall().id)
        lot = db.session.scalars(db.select(Batch.id).filter_by(lot_number="F-1")).one()
    theirs = world.client(freed)
    assert case.number in theirs.get("/recall-tasks").text
    assert "等您确认" in theirs.get("/").text
    assert client.post(f"/recalls/{case.number}/narrow", data={"out": str(lot), "note": "不是它"}).status_code == 302
    assert case.number not in theirs.get("/recall-tasks").text
    assert "等您确认" not in theirs.get("/").text
    page = client.get(f"/recalls/{case.number}/manage").text
    assert "0/1" in page
    ending = client.get(f"/recalls/{case.number}/complete").text
    assert "姜社" in ending
    assert "别社" not in ending
    with world.writing():
        db.session.execute(sa.update(tasks.RecallTask).values(start_due_at=utc_now() - timedelta(hours=1)))
    desk = client.get("/desk").text
    late = desk[desk.index("<h2>逾期任务</h2>") :]
    assert "姜社" in late
    assert "别社" not in late
    with world.app.app_context():
        tasks.escalate()
        subjects = [row.message["subject"] for row in db.session.scalars(db.select(Delivery))]
    assert any("逾期" in subject and "姜社" in subject for subject in subjects)
    assert not any("别社" in subject for subject in subjects)


def test_a_turning_that_waits_lies_on_the_desk(world: World) -> None:
    case = Case(world)
    case.turns("withdraw", note="误报")
    desk = world.client(case.second).get("/desk").text
    waiting = desk[desk.index("<h2>等待批准</h2>") :]
    assert case.number in waiting[: waiting.index("<h2>", 5)]
    assert "变更待批准：撤销" in waiting
    assert case.decides("refuse", note="证据不足")[0] == 302
    assert "<h2>等待批准</h2>" not in world.client(case.second).get("/desk").text


def test_the_database_decides_a_proposal_once_and_by_another(world: World) -> None:
    case = Case(world)
    case.turns("withdraw", note="误报")
    decide = "UPDATE recall_proposals SET approved = TRUE, decided_at = proposed_at, decided_by_id ="
    for statement in (
        f"{decide} proposed_by_id",
        "UPDATE recall_proposals SET approved = TRUE",
        "UPDATE recall_proposals SET note = 'x'",
        "DELETE FROM recall_proposals",
    ):
        with pytest.raises(sa.exc.IntegrityError), world.writing():
            db.session.execute(sa.text(statement))
    assert case.decides("refuse", note="不行")[0] == 302
    with pytest.raises(sa.exc.IntegrityError), world.writing():
        db.session.execute(sa.text("UPDATE recall_proposals SET approved = TRUE"))


def test_a_producer_extends_its_own_level_one_alone_and_the_regulator_ends_it_by_two(world: World) -> None:
    grower, officer = world.producer(), world.regulator()
    lots = [world.released(grower, lot_number=f"V-{n}") for n in range(2)]
    client = world.client(grower)
    data = NOTICE | {"level": "1", "lots": "V-0", "count": "1"}
    number = client.post("/recalls/scope", data=data).location.split("/")[2]
    more = {"extends": number, "lots": "V-1", "count": "1", "note": "也是"}
    assert client.post("/recalls/scope", data=more).status_code == 302
    with world.app.app_context():
        assert [db.session.get_one(Batch, lot).state for lot in lots] == ["recalled", "recalled"]
    assert world.client(officer).post(f"/recalls/{number}/withdraw", data={"note": "误报"}).status_code == 302
    with world.app.app_context():
        assert db.session.get_one(Batch, lots[0]).state == "recalled"


class TestWhileLevelOneWaits:
    def _waits(self, world: World) -> tuple[Actor, Actor, Actor, str]:
        grower, packer = world.producer(name="姜社", phone="0874-1"), world.producer(name="姜厂", phone="0874-2")
        officer = world.regulator()
        lots = [world.released(grower, quantity="100", lot_number=f"W-{n}") for n in range(2)]
        for to in ({"consignee": "姜厂", "organisation": "姜厂"}, {"consignee": "早市摊", "phone": "13900000001"}):
            data = {"departed_at": "2026-11-20T08:30", f"q-{lots[0]}": "10"} | to
            assert world.client(grower).post("/shipments/new", data=data).status_code == 302
        data = NOTICE | {
            "level": "1",
            "lots": "W-0 W-1",
            "count": "1",
            "out": str(lots[1]),
            f"why-{lots[1]}": "另一地块",
        }
        number = world.client(officer).post("/recalls/scope", data=data).location.split("/")[2]
        return grower, packer, officer, number

    def test_everyone_concerned_sees_that_the_sale_is_stopped_and_has_nothing_to_report(self, world: World) -> None:
        grower, packer, _officer, number = self._waits(world)
        for actor in (grower, packer):
            client = world.client(actor)
            assert "等待批准的一级召回" in client.get("/batches").text
            page = client.get("/recall-tasks").text
            assert number in page
            assert "现在不用报告" in page
        stranger = world.client(world.producer())
        assert number not in stranger.get("/recall-tasks").text
        assert "等待批准的一级召回" not in stranger.get("/batches").text
        assert world.client(world.regulator("530300")).post(f"/recalls/{number}/approve").status_code == 302
        assert "等待批准的一级召回" not in world.client(packer).get("/recall-tasks").text

    def test_who_approves_sees_what_the_issuer_saw(self, world: World) -> None:
        _grower, _packer, _officer, number = self._waits(world)
        page = world.client(world.regulator("530300")).get(f"/recalls/{number}/manage").text
        before = page[: page.index(f"/recalls/{number}/approve")]
        for text in ("W-0 W-1", "姜社", "0874-1", "姜厂", "0874-2", "早市摊", "13900000001", "W-1", "另一地块"):
            assert text in before, text

    def test_others_are_reminded_after_an_hour_and_the_next_office_after_four_each_once(self, world: World) -> None:
        _grower, _packer, officer, number = self._waits(world)
        above = world.regulator("530300")
        colleague = world.actor(OrganisationKind.REGULATOR, RoleName.REGULATOR, "530324", jurisdiction_code="530324")
        with world.writing():
            db.session.get_one(User, colleague.user_id).organisation_id = officer.organisation_id

        def reminded(hours: float) -> list[str]:
            with world.writing():
                db.session.execute(sa.delete(Delivery))
                case = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
                case.issued_at = utc_now() - timedelta(hours=hours)
            for _ in range(2):
                with world.app.app_context():
                    calls.remind_of_approval()
            with world.app.app_context():
                emails = {row.id: row.email for row in db.session.scalars(db.select(User))}
                rows = list(db.session.scalars(db.select(Delivery)))
                assert all("待批准" in row.message["subject"] for row in rows)
                assert emails[officer.user_id] not in [row.address for row in rows]
                return [row.address for row in rows]

        with world.app.app_context():
            mine, up = (db.session.get_one(User, one.user_id).email for one in (colleague, above))
        assert reminded(0.9) == []
        assert reminded(1.1) == [mine]
        assert reminded(3.9) == []
        assert reminded(4.1) == [up]
        assert world.client(above).post(f"/recalls/{number}/approve").status_code == 302
        assert reminded(9) == []
