"""What can become of a recall after its issue, and which of it needs a second officer: every turning of level I, a
lowering from II, and completing with too little under control. Views turn recalls by this, and by nothing else.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal

from flask_babel import lazy_gettext as _

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import RoleName, User
from trace_app.batches.models import Batch
from trace_app.db.base import utc_now
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.forms import plain_decimal
from trace_app.messages.service import tell
from trace_app.recall_tasks.progress import progress_of
from trace_app.recall_tasks.service import has_evidence, message_of, party_name, regulators_of
from trace_app.recalls import cases, extension_holds, further_notices, service
from trace_app.recalls.models import NoticeText, Recall, RecallKind, RecallProposal, Turning
from trace_app.recalls.scope import RecallScope
from trace_app.values import StoredJson

ENOUGH_CONTROLLED = 90
"""Percent from which on one officer alone may complete a recall of level II or III."""


class StillOpen(Unprocessable):
    """Who ends a recall although something is open says why."""

    title = _("还有未了结的。请写明为什么现在结束，或先处理完再来。")


class NeedsReason(Unprocessable):
    title = _("不予批准请写明理由。")


class NotOnesOwn(Problem):
    """Only who proposed a turning takes it back."""

    status = 403
    title = _("只有提出人能撤回；别的监管人员可以不予批准。")


class AlreadyDecided(Problem):
    title = _("这项变更已有人决定，请看下面的结果。")


def extend(user: User, recall: Recall, scope: RecallScope, left_out: dict[int, str], note: str) -> int | RecallProposal:
    """Take what a further scope reaches into a recall, or propose to: its lots are on hold then.

    :return: how many lots came in, or what waits for the second officer.
    """
    if not _needs_second(user, recall):
        return further_notices.extend(user, recall, scope, left_out, note)
    hold = extension_holds.hold_for_extension(user, recall, scope, left_out)
    return _propose(user, recall, Turning.EXTEND, note, {"lots": hold.lot_count}, hold)


def correct(user: User, recall: Recall, text: NoticeText, note: str) -> RecallProposal | None:
    """State level, reason and advice anew, or propose to."""
    further_notices.may_correct(user, recall, text)
    changes_gravely = further_notices.is_lowered(recall, text) or text.level == 1
    if not _needs_second(user, recall, changes_gravely):
        further_notices.correct(user, recall, text, note)
        return None
    return _propose(user, recall, Turning.CORRECT, note, {"text": asdict(text)})


def narrow(user: User, recall: Recall, taken_out: dict[int, str], note: str) -> int | RecallProposal:
    """Take lots out of a recall, each with a reason, or propose to.

    :return: how many went out, or what waits for the second officer.
    """
    if not _needs_second(user, recall):
        return further_notices.narrow(user, recall, taken_out, note)
    chosen = [member.batch_id for member in further_notices.may_narrow(user, recall, taken_out)]
    numbers = list(db.session.scalars(db.select(Batch.lot_number).where(Batch.id.in_(chosen)).order_by(Batch.id)))
    lots = {str(lot_id): taken_out[lot_id] for lot_id in chosen}
    return _propose(user, recall, Turning.NARROW, note, {"lots": lots, "numbers": numbers})


def end(user: User, recall: Recall, turning: Turning, note: str, why_open: str = "") -> RecallProposal | None:
    """Complete or withdraw a recall, or propose to.

    :raises StillOpen: where something is open and nobody says why it is completed all the same.
    """
    further_notices.may_end(user, recall, RecallKind.RECALL)
    found = still_open(recall) | {"why": why_open}
    if turning is Turning.COMPLETE and is_open(found) and not why_open:
        raise StillOpen
    secured = found["secured"]
    too_little = turning is Turning.COMPLETE and (secured is None or secured < ENOUGH_CONTROLLED)
    if _needs_second(user, recall, too_little):
        return _propose(user, recall, turning, note, {"still_open": found})
    _END[turning](user, recall, note, found)
    return None


_END = {Turning.COMPLETE: further_notices.complete, Turning.WITHDRAW: further_notices.withdraw}


def approve(user: User, recall: Recall, proposal_id: int, note: str) -> None:
    """Do what was proposed: the second officer's word.

    :raises AlreadyDecided, SecondOfficer, NothingLeft, AllWouldGo, NotOpen:
    """
    proposal = _decide(user, recall, proposal_id, note, approved=True)
    facts = proposal.facts
    if proposal.turning is Turning.EXTEND and proposal.hold is not None:
        extension_holds.take_in_held(user, recall, proposal.hold, proposal.note)
    elif proposal.turning is Turning.CORRECT:
        further_notices.correct(user, recall, NoticeText(**facts["text"]), proposal.note)
    elif proposal.turning is Turning.NARROW:
        further_notices.narrow(user, recall, {int(lot_id): why for lot_id, why in facts["lots"].items()}, proposal.note)
    else:
        found = still_open(recall) | {"why": facts["still_open"]["why"]}
        _END[proposal.turning](user, recall, proposal.note, found)
    if proposal.hold is not None:
        further_notices.lift(user, proposal.hold, str(_("已并入召回 %(number)s。", number=recall.number)))


def refuse(user: User, recall: Recall, proposal_id: int, note: str) -> None:
    """Leave a recall as it is. Lots that an extension would have taken in are free unless something else stops them.

    :raises NeedsReason, AlreadyDecided, SecondOfficer:
    """
    if not note:
        raise NeedsReason
    proposal = _decide(user, recall, proposal_id, note, approved=False)
    if proposal.hold is not None:
        further_notices.lift(user, proposal.hold, str(_("未并入召回 %(number)s。", number=recall.number)))


def take_back(user: User, recall: Recall, proposal_id: int) -> None:
    """Leave a recall as it is, by the word of who proposed the turning.

    :raises AlreadyDecided, NotOnesOwn:
    """
    proposal = _waiting(recall, proposal_id)
    if proposal.proposed_by_id != user.id:
        raise NotOnesOwn
    _note(user, recall, proposal, str(_("提出人已撤回。")), approved=False)
    if proposal.hold is not None:
        further_notices.lift(user, proposal.hold, str(_("未并入召回 %(number)s。", number=recall.number)))


def _decide(user: User, recall: Recall, proposal_id: int, note: str, *, approved: bool) -> RecallProposal:
    proposal = _waiting(recall, proposal_id)
    service.must_be_second(user, proposal.proposed_by)
    _note(user, recall, proposal, note, approved=approved)
    return proposal


def _waiting(recall: Recall, proposal_id: int) -> RecallProposal:
    """A recall's proposal that nobody has decided on, for the one who does.

    :raises NotFound, AlreadyDecided:
    """
    cases.one_at_a_time()
    proposal: RecallProposal | None = db.session.get(
        RecallProposal, proposal_id, populate_existing=True, with_for_update={"of": RecallProposal, "key_share": True}
    )
    if proposal is None or proposal.recall_id != recall.id:
        raise NotFound
    if proposal.decided_at is not None:
        raise AlreadyDecided
    return proposal


def _note(user: User, recall: Recall, proposal: RecallProposal, note: str, *, approved: bool) -> None:
    proposal.decided_by_id, proposal.decided_at = user.id, utc_now()
    proposal.approved, proposal.decision_note = approved, note
    db.session.flush()
    word = "approve-proposal" if approved else "refuse-proposal"
    audit.note(user, word, recall, number=recall.number, turning=proposal.turning.value, note=note)


def _needs_second(user: User, recall: Recall, gravely: bool = False) -> bool:
    """Whether a regulator's turning of a recall needs another's word: each does once it was of level I.

    :param gravely: whether it is one that needs it at every level.
    """
    if user.role is RoleName.PRODUCER or recall.kind is not RecallKind.RECALL:
        return False
    return gravely or any(notice.level == 1 for notice in recall.notices)


def _propose(
    user: User, recall: Recall, turning: Turning, note: str, facts: StoredJson, hold: Recall | None = None
) -> RecallProposal:
    proposal = RecallProposal(
        recall_id=recall.id,
        turning=turning,
        content=json.dumps(facts, ensure_ascii=False),
        note=note,
        hold_id=hold.id if hold is not None else None,
        proposed_by_id=user.id,
        proposed_at=utc_now(),
    )
    db.session.add(proposal)
    db.session.flush()
    audit.note(user, "propose", recall, number=recall.number, turning=turning.value, note=note)
    message = message_of(recall, None, proposal)
    for regulator in regulators_of(recall):
        tell(regulator, message)
    return proposal


def still_open(recall: Recall) -> StoredJson:
    """What is open in a recall: who has not confirmed, what is not under control, by party and lot, who has shown no
    evidence; and how much is under control, in percent."""
    progress = progress_of(recall)
    unconfirmed, unproven, uncontrolled = [], [], []
    for party in progress.concerned:
        name = party_name(party.task)
        if party.task.acknowledged_at is None:
            unconfirmed.append(name)
        if any(one.at_hand for one in party.counted) and not has_evidence(party.task):
            unproven.append(name)
        for one in party.counted:
            rest = max(one.at_hand - one.secured, Decimal(0))
            if rest:
                facts = {"lot": one.batch.lot_number, "quantity": plain_decimal(rest), "unit": one.batch.unit}
                uncontrolled.append({"party": name, **facts})
    found: StoredJson = {"unconfirmed": unconfirmed, "uncontrolled": uncontrolled, "unproven": unproven}
    return found | {"secured": progress.secured}


def is_open(found: StoredJson) -> bool:
    """Whether anything is left to do."""
    return any(found[name] for name in ("unconfirmed", "uncontrolled", "unproven"))


def open_text(found: StoredJson | None) -> str:
    """What was open, in a sentence that names nobody: for everyone."""
    if not found or not is_open(found):
        return ""
    return str(
        _(
            "当时未了结的：%(unconfirmed)d 家没有确认，%(uncontrolled)d 处货物没有全部控制，%(unproven)d 家没有证据。",
            **{name: len(found[name]) for name in ("unconfirmed", "uncontrolled", "unproven")},
        )
    ) + (str(_("仍然结束的原因：%(why)s", why=found["why"])) if found.get("why") else "")
