"""Issuing recalls, holds and drills, the second word on level I, and who decides on a case."""

from __future__ import annotations

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, within_jurisdiction
from trace_app.accounts.models import Organisation, RoleName, User
from trace_app.accounts.service import are_independent
from trace_app.batches.models import Batch
from trace_app.db.base import utc_now
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.findings.models import Finding
from trace_app.recalls.cases import (
    NotOpen,
    begin,
    come_into_force,
    give_notice,
    issued,
    one_at_a_time,
    take_in,
    take_in_scope,
    text_of,
)
from trace_app.recalls.models import (
    NoticeText,
    NoticeType,
    Recall,
    RecallKind,
    RecallStatus,
)
from trace_app.recalls.scope import RecallScope, scope_of

DRILL_LEVEL = 2


class AlreadyRecalled(Problem):
    """The batch is under a recall as grave already."""

    title = _("批次 %(lot)s 已召回或暂停销售，不必重复发布。")


class OutsideJurisdiction(Problem):
    """A regulator recalls only what was made in its jurisdiction."""

    status = 403
    title = _("批次 %(lot)s 不在您的辖区内，请联系当地主管部门或上级部门发布召回。")


class SecondOfficer(Problem):
    """A recall of level I needs the word of someone who did not issue it, and who is independent of who did."""

    status = 403
    title = _(
        "这须由另一位监管人员批准，提出人不能批准自己提出的；两人之间一方建立、启用过另一方的账号，"
        "或管理另一方单位账号的，也不行。请联系同事或上级部门。"
    )


class DecidedBefore(Problem):
    """Another page of the same officer, or another officer, was faster."""

    title = _("%(number)s 已由 %(who)s 不予批准，不用再办。")


class ApprovedBefore(DecidedBefore):
    title = _("%(number)s 已由 %(who)s 批准，召回已经生效，不用再办。")


def issue_recall(user: User, batch: Batch, text: NoticeText, kind: RecallKind = RecallKind.RECALL) -> Recall:
    """Stop one batch. From the commit on every label of it says so.

    Level I waits for the second officer, the batch on hold meanwhile.
    :raises OutsideJurisdiction, AlreadyRecalled:
    """
    if not (within_jurisdiction(user, batch.division_code) or _is_own(user, batch)):
        raise OutsideJurisdiction(lot=batch.lot_number)
    one_at_a_time()
    recall = begin(user, kind, text.level, {})
    if not take_in(recall, 1, sa.select(Batch.id).where(Batch.id == batch.id)):
        raise AlreadyRecalled(lot=batch.lot_number)
    issued(user, recall, text)
    audit.note(user, kind.value, batch, recall=recall.number)
    return recall


def issue_by_scope(
    user: User,
    scope: RecallScope,
    left_out: dict[int, str],
    text: NoticeText,
    kind: RecallKind = RecallKind.RECALL,
) -> Recall:
    """Stop all lots that a scope reaches, but those left out with a reason. All or none, in one transaction.

    A regulator recalls what comes from a cause in its jurisdiction, wherever that has gone; a producer what is its own.

    :param left_out: reasons by lot.
    :raises ScopeTooWide, EmptyScope, NothingLeft:
    """
    one_at_a_time()
    recall = begin(user, kind, text.level, scope.plain())
    take_in_scope(user, recall, 1, scope, left_out)
    issued(user, recall, text)
    return recall


def begin_drill(user: User, batch: Batch) -> Recall:
    """Start the clock of a mock recall of a lot. Its scope is established next, by `scope_drill`.

    :raises OutsideJurisdiction:
    """
    if not (within_jurisdiction(user, batch.division_code) or _is_own(user, batch)):
        raise OutsideJurisdiction(lot=batch.lot_number)
    one_at_a_time()
    scope = RecallScope(lots=batch.lot_number, producer=batch.producer.name)
    recall = begin(user, RecallKind.DRILL, DRILL_LEVEL, scope.plain())
    audit.note(user, "begin", recall, batch=batch.id)
    return recall


def scope_drill(user: User, recall: Recall) -> None:
    """Note that the scope of a drill is established, and have those concerned told that it is one.

    :raises NotOpen, EmptyScope:
    """
    one_at_a_time()
    db.session.refresh(recall)
    if recall.kind is not RecallKind.DRILL or recall.status is not RecallStatus.PENDING:
        raise NotOpen(number=recall.number)
    take_in_scope(user, recall, 1, scope_of(recall), {})
    come_into_force(recall)
    reason = str(_("演练：假设批次 %(lot)s 不合格", lot=recall.scope["lots"]))
    text = NoticeText(recall.level, reason, str(_("这是演练，消费者不需要做任何事。")))
    give_notice(user, recall, NoticeType.ISSUE, text, added=recall.lot_count, scope=recall.scope)


def hold_for(authority: Organisation, batch: Batch, text: NoticeText, cause: Finding) -> Recall:
    """Stop the sale of a batch for a finding, by the platform itself on behalf of an authority.

    :raises AlreadyRecalled: where something stops it already.
    """
    one_at_a_time()
    recall = begin(None, RecallKind.HOLD, text.level, {}, authority=authority, cause=cause)
    if not take_in(recall, 1, sa.select(Batch.id).where(Batch.id == batch.id)):
        raise AlreadyRecalled(lot=batch.lot_number)
    issued(None, recall, text)
    audit.note(None, RecallKind.HOLD.value, batch, recall=recall.number, reason=text.reason)
    return recall


def approve(user: User, recall: Recall) -> None:
    """Put a recall of level I into force: the second officer's word.

    :raises NotOpen, DecidedBefore, SecondOfficer:
    """
    _decide(user, recall)
    recall.status = RecallStatus.ACTIVE
    come_into_force(recall)
    give_notice(user, recall, NoticeType.APPROVE, text_of(recall))


def reject(user: User, recall: Recall, reason: str) -> None:
    """Refuse a recall of level I; its lots are free again unless something else stops them.

    :raises NotOpen, DecidedBefore, SecondOfficer:
    """
    _decide(user, recall)
    recall.status, recall.ended_at = RecallStatus.REJECTED, utc_now()
    give_notice(user, recall, NoticeType.REJECT, text_of(recall), note=reason)


def must_be_second(user: User, first: User | None) -> None:
    """Raise unless a user may have the second word on what another began.

    :raises SecondOfficer:
    """
    if not may_be_second(user, first):
        raise SecondOfficer


def may_be_second(user: User, first: User | None) -> bool:
    """Whether a user may have the second word on what another began, see `are_independent`.

    :param first: None where the platform itself began.
    """
    return first is None or are_independent(user, first)


_DECIDED = {
    (NoticeType.APPROVE, RecallStatus.ACTIVE): ApprovedBefore,
    (NoticeType.REJECT, RecallStatus.REJECTED): DecidedBefore,
}


def _decide(user: User, recall: Recall) -> None:
    one_at_a_time()
    db.session.refresh(recall)
    for notice in recall.notices:
        before = _DECIDED.get((notice.type, recall.status))
        if before is not None:
            raise before(number=recall.number, who=notice.issued_by.full_name if notice.issued_by is not None else "")
    if recall.kind is not RecallKind.RECALL or recall.status is not RecallStatus.PENDING:
        raise NotOpen(number=recall.number)
    must_be_second(user, recall.issued_by)


def _is_own(user: User, batch: Batch) -> bool:
    return user.role is RoleName.PRODUCER and batch.producer_id == user.organisation_id


def may_manage(user: User, recall: Recall) -> bool:
    """Whether a user decides on a recall: its issuer's people, and the regulators above or around them."""
    if recall.authority_id == user.organisation_id:
        return True
    authority = recall.authority
    return within_jurisdiction(user, authority.jurisdiction_code or authority.division_code)


def open_to(user: User, recall: Recall) -> bool:
    """Whether a regulator finds something at a recall's address: its case, or its notice that is for everyone."""
    return may_manage(user, recall) or recall.is_public


def managed_recall(user: User, number: str) -> Recall:
    """A recall, hold or drill that a user decides on.

    :raises NotFound:
    """
    recall: Recall | None = db.session.scalar(db.select(Recall).filter_by(number=number))
    if recall is None or not may_manage(user, recall):
        raise NotFound
    return recall
