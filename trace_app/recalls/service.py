"""Recalls, holds and drills: issuing them and all that follows by notice. Nothing of a notice is ever changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import cast

import sqlalchemy as sa
from flask_babel import force_locale
from flask_babel import lazy_gettext as _

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, within_jurisdiction
from trace_app.accounts.models import Organisation, RoleName, User
from trace_app.accounts.service import are_independent
from trace_app.batches import service as batches
from trace_app.batches.freshness import shown_on_trace_pages
from trace_app.batches.models import HOLDING, IN_FORCE, PENDING, RECALLS, Batch, in_recall
from trace_app.clock import today
from trace_app.db import counters
from trace_app.db.base import utc_now
from trace_app.db.session import count_written
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.findings.models import Finding
from trace_app.recalls import clocks
from trace_app.recalls.models import (
    NoticeText,
    NoticeType,
    Recall,
    RecallExclusion,
    RecallKind,
    RecallMember,
    RecallNotice,
    RecallProposal,
    RecallStatus,
)
from trace_app.recalls.scope import EmptyScope, RecallScope, affected, scope_of
from trace_app.recalls.statements import of_the_day
from trace_app.values import StoredJson

_MARK = {RecallKind.RECALL: "", RecallKind.HOLD: "H", RecallKind.DRILL: "M"}
"""What stands in the numbers of each kind of case."""
DRILL_LEVEL = 2

shown_on_trace_pages(
    Organisation,
    lambda authority: Batch.id.in_(
        db.select(RecallMember.batch_id)
        .join(Recall, Recall.id == RecallMember.recall_id)
        .where(Recall.authority_id == authority.id)
    ),
)


class AlreadyRecalled(Problem):
    """The batch is under a recall as grave already."""

    title = _("批次 %(lot)s 已召回或暂停销售，不必重复发布。")


class NothingLeft(Problem):
    """All that the scope reaches is stopped already, or was left out."""

    title = _("范围内的批次都已在召回（或暂停）中，或都被排除了，没有新的批次。")


class OutsideJurisdiction(Problem):
    """A regulator recalls only what was made in its jurisdiction."""

    status = 403
    title = _("批次 %(lot)s 不在您的辖区内，请联系当地主管部门或上级部门发布召回。")


class NotOpen(Problem):
    """The case is over, was rejected, or still waits for approval."""

    code = "recall-not-open"
    title = _("%(number)s 现在不能这样做：它已经结束、未获批准，或还在等待批准。")


class SecondOfficer(Problem):
    """A recall of level I needs the word of someone who did not issue it, and who is independent of who did."""

    status = 403
    title = _(
        "这须由另一位监管人员批准，提出人不能批准自己提出的；两人之间一方建立、启用过另一方的账号，"
        "或管理另一方单位账号的，也不行。请联系同事或上级部门。"
    )


class WaitsForDecision(Problem):
    """A turning of the recall waits for the second officer, or the hold keeps lots for one."""

    title = _("%(number)s 有一项变更在等待第二位监管人员批准。请先在召回页面批准或不予批准，再做别的。")


class NoSecondOfficer(Problem):
    """An administrator's recall of level I would wait for ever where it administers all who could approve it."""

    title = _("没有能批准这次一级召回的第二位监管人员：可以批准的人，账号都由您管理。请由不管理账号的监管人员发布。")


class NeedsNewRecall(Unprocessable):
    """Level I can't be reached by a correction: it needs approval."""

    title = _("要升为一级召回，请按原范围另发一级召回，由第二位监管人员批准；原召回可随后撤销。")


class AllWouldGo(Unprocessable):
    """Narrowing down leaves nothing: that is an end."""

    title = _("这样就没有批次了。整个召回发错了，请改用“撤销召回”；暂停销售请改用“解除暂停”。")


class OnlyTheRegulator(Problem):
    """A producer can't take back its own recall."""

    status = 403
    title = _("主动召回发布后，降低级别、缩小范围、完成或撤销，须由当地主管部门审查后进行。请联系他们。")


class HeldByThePlatform(Problem):
    """A producer can't lift what stops its lot for a failed test or a broken rule."""

    status = 403
    title = _("这次暂停是平台依据检查结果作出的，须由当地主管部门核查后解除。请联系他们。")


def issue_recall(user: User, batch: Batch, text: NoticeText, kind: RecallKind = RecallKind.RECALL) -> Recall:
    """Stop one batch. From the commit on every label of it says so.

    Level I waits for the second officer, the batch on hold meanwhile.
    :raises OutsideJurisdiction, AlreadyRecalled:
    """
    if not (within_jurisdiction(user, batch.division_code) or _is_own(user, batch)):
        raise OutsideJurisdiction(lot=batch.lot_number)
    one_at_a_time()
    recall = _begin(user, kind, text.level, {})
    if not _take_in(recall, 1, sa.select(Batch.id).where(Batch.id == batch.id)):
        raise AlreadyRecalled(lot=batch.lot_number)
    _issued(user, recall, text)
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
    recall = _begin(user, kind, text.level, scope.plain())
    _take_in_scope(user, recall, 1, scope, left_out)
    _issued(user, recall, text)
    return recall


def begin_drill(user: User, batch: Batch) -> Recall:
    """Start the clock of a mock recall of a lot. Its scope is established next, by `scope_drill`.

    :raises OutsideJurisdiction:
    """
    if not (within_jurisdiction(user, batch.division_code) or _is_own(user, batch)):
        raise OutsideJurisdiction(lot=batch.lot_number)
    one_at_a_time()
    scope = RecallScope(lots=batch.lot_number, producer=batch.producer.name)
    recall = _begin(user, RecallKind.DRILL, DRILL_LEVEL, scope.plain())
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
    _take_in_scope(user, recall, 1, scope_of(recall), {})
    _come_into_force(recall)
    reason = str(_("演练：假设批次 %(lot)s 不合格", lot=recall.scope["lots"]))
    text = NoticeText(recall.level, reason, str(_("这是演练，消费者不需要做任何事。")))
    _notice(user, recall, NoticeType.ISSUE, text, added=recall.lot_count, scope=recall.scope)


def hold_for(authority: Organisation, batch: Batch, text: NoticeText, cause: Finding) -> Recall:
    """Stop the sale of a batch for a finding, by the platform itself on behalf of an authority.

    :raises AlreadyRecalled: where something stops it already.
    """
    one_at_a_time()
    recall = _begin(None, RecallKind.HOLD, text.level, {}, authority=authority, cause=cause)
    if not _take_in(recall, 1, sa.select(Batch.id).where(Batch.id == batch.id)):
        raise AlreadyRecalled(lot=batch.lot_number)
    _issued(None, recall, text)
    audit.note(None, RecallKind.HOLD.value, batch, recall=recall.number, reason=text.reason)
    return recall


def approve(user: User, recall: Recall) -> None:
    """Put a recall of level I into force: the second officer's word.

    :raises NotOpen, SecondOfficer:
    """
    _decide(user, recall)
    recall.status = RecallStatus.ACTIVE
    _come_into_force(recall)
    _notice(user, recall, NoticeType.APPROVE, text_of(recall))


def reject(user: User, recall: Recall, reason: str) -> None:
    """Refuse a recall of level I; its lots are free again unless something else stops them.

    :raises NotOpen, SecondOfficer:
    """
    _decide(user, recall)
    recall.status, recall.ended_at = RecallStatus.REJECTED, utc_now()
    _notice(user, recall, NoticeType.REJECT, text_of(recall), note=reason)


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


def _decide(user: User, recall: Recall) -> None:
    one_at_a_time()
    db.session.refresh(recall)
    if recall.kind is not RecallKind.RECALL or recall.status is not RecallStatus.PENDING:
        raise NotOpen(number=recall.number)
    must_be_second(user, recall.issued_by)


def hold_for_extension(user: User, recall: Recall, scope: RecallScope, left_out: dict[int, str]) -> Recall:
    """Keep off sale what a further scope reaches and the recall would take in, until it is decided whether it does.

    :raises NotOpen, WaitsForDecision, ScopeTooWide, EmptyScope, NothingLeft:
    """
    _must_be_active(user, recall)
    hold = _begin(user, RecallKind.HOLD, recall.level, scope.plain())
    _take_in_scope(user, hold, 1, scope, left_out, for_recall=recall)
    reason = str(_("拟并入召回 %(number)s，等待批准。", number=recall.number))
    text = NoticeText(recall.level, reason, str(_("请先不要食用，等待结果。")))
    with force_locale("en"):
        english = str(_("拟并入召回 %(number)s，等待批准。", number=recall.number)), str(_("请先不要食用，等待结果。"))
    _issued(user, hold, replace(text, reason_en=english[0], advice_en=english[1]))
    db.session.refresh(hold)
    return hold


def take_in_held(user: User, recall: Recall, hold: Recall, note: str) -> int:
    """Take the lots of the hold that waited for it into a recall.

    :return: how many lots came in.
    :raises NotOpen, NothingLeft:
    """
    _must_be_active(user, recall)
    sequence = len(recall.notices) + 1
    members = sa.select(RecallMember.batch_id).where(
        RecallMember.recall_id == hold.id, RecallMember.removed_in.is_(None)
    )
    count = _take_in(recall, sequence, sa.select(Batch.id).where(Batch.id.in_(members)))
    if not count:
        raise NothingLeft
    for row in hold.exclusions:
        _leave_out(recall, sequence, {row.batch_id: row.reason})
    db.session.refresh(recall, ["lot_count"])
    _notice(user, recall, NoticeType.EXTEND, text_of(recall), note=note, added=count, scope=hold.scope)
    return count


def extend(user: User, recall: Recall, scope: RecallScope, left_out: dict[int, str], note: str) -> int:
    """Take what a further scope reaches into a recall. The first scope and notice stay as they are.

    :return: how many lots came in.
    :raises NotOpen, ScopeTooWide, EmptyScope, NothingLeft:
    """
    _must_be_active(user, recall)
    before = recall.lot_count
    sequence = len(recall.notices) + 1
    _take_in_scope(user, recall, sequence, scope, left_out)
    db.session.refresh(recall, ["lot_count"])
    _notice(
        user,
        recall,
        NoticeType.EXTEND,
        text_of(recall),
        note=note,
        added=recall.lot_count - before,
        scope=scope.plain(),
    )
    return recall.lot_count - before


def narrow(user: User, recall: Recall, taken_out: dict[int, str], note: str) -> int:
    """Take lots out of a recall, each with a reason.

    :return: how many went out.
    :raises NotOpen, AllWouldGo, OnlyTheRegulator:
    """
    members = may_narrow(user, recall, taken_out)
    sequence = len(recall.notices) + 1
    for member in members:
        member.removed_in = sequence
        _leave_out(recall, sequence, {member.batch_id: taken_out[member.batch_id]})
    recall.lot_count -= len(members)
    _notice(user, recall, NoticeType.NARROW, text_of(recall), note=note, removed=len(members))
    return len(members)


def may_narrow(user: User, recall: Recall, taken_out: Iterable[int]) -> list[RecallMember]:
    """The places in a recall that narrowing it down by lots would close.

    :raises NotOpen, WaitsForDecision, AllWouldGo, OnlyTheRegulator:
    """
    _must_be_active(user, recall)
    _must_be_regulator(user, recall)
    query = sa.select(RecallMember).where(
        RecallMember.recall_id == recall.id,
        RecallMember.removed_in.is_(None),
        RecallMember.batch_id.in_(list(taken_out)),
    )
    members = list(db.session.scalars(query))
    if not members:
        raise EmptyScope
    if len(members) >= recall.lot_count:
        raise AllWouldGo
    return members


def correct(user: User, recall: Recall, text: NoticeText, note: str) -> None:
    """State level, reason and advice anew.

    A producer corrects its own recall in wording, or to a graver level.

    :raises NotOpen, NeedsNewRecall, OnlyTheRegulator:
    """
    may_correct(user, recall, text)
    recall.level = text.level
    if recall.in_force_at is not None:
        recall.start_due_at = clocks.start_due(text.level, recall.in_force_at)
        recall.finish_due_on = clocks.finish_due(text.level, recall.in_force_at)
    _notice(user, recall, NoticeType.CORRECT, text, note=note)


def may_correct(user: User, recall: Recall, text: NoticeText) -> None:
    """:raises NotOpen, WaitsForDecision, NeedsNewRecall, OnlyTheRegulator:"""
    _must_be_active(user, recall)
    if text.level == 1 != recall.level:
        raise NeedsNewRecall
    if text.level > recall.level:
        _must_be_regulator(user, recall)


def complete(user: User, recall: Recall, note: str, still_open: StoredJson | None = None) -> None:
    """Note that a recall was carried out. Its lots stay withdrawn.

    :raises NotOpen, OnlyTheRegulator:
    """
    _end(user, recall, RecallKind.RECALL, RecallStatus.COMPLETED, NoticeType.COMPLETE, note, still_open)


def withdraw(user: User, recall: Recall, note: str, still_open: StoredJson | None = None) -> None:
    """Take back a recall that was wrong: its lots are free again unless something else stops them.

    :raises NotOpen, OnlyTheRegulator:
    """
    _end(user, recall, RecallKind.RECALL, RecallStatus.WITHDRAWN, NoticeType.WITHDRAW, note, still_open)


def lift(user: User, recall: Recall, note: str) -> None:
    """End a hold: its lots are free again unless something else stops them.

    :raises NotOpen:
    """
    _end(user, recall, RecallKind.HOLD, RecallStatus.LIFTED, NoticeType.LIFT, note)


def end_drill(user: User, recall: Recall, note: str) -> None:
    """End a drill.

    :raises NotOpen:
    """
    _end(user, recall, RecallKind.DRILL, RecallStatus.ENDED, NoticeType.END, note)


def may_end(user: User, recall: Recall, kind: RecallKind) -> None:
    """:raises NotOpen, WaitsForDecision, OnlyTheRegulator:"""
    _must_be_active(user, recall)
    if recall.kind is not kind:
        raise NotOpen(number=recall.number)
    _must_be_regulator(user, recall)


def _end(
    user: User,
    recall: Recall,
    kind: RecallKind,
    status: RecallStatus,
    notice: NoticeType,
    note: str,
    still_open: StoredJson | None = None,
) -> None:
    may_end(user, recall, kind)
    recall.status, recall.ended_at = status, utc_now()
    _notice(user, recall, notice, text_of(recall), note=note, still_open=still_open)


def text_of(recall: Recall) -> NoticeText:
    """What the latest notice says."""
    return NoticeText(**{name: getattr(recall.notice, name) for name in NoticeText.__dataclass_fields__})


def _is_own(user: User, batch: Batch) -> bool:
    return user.role is RoleName.PRODUCER and batch.producer_id == user.organisation_id


def one_at_a_time() -> None:
    """Hold the issuing of recalls until the commit: two officers who see one cause must not make two of it.

    Nor may a lot go into another one meanwhile, which the scope would miss.
    """
    batches.no_use_meanwhile()


def _must_be_active(user: User, recall: Recall) -> None:
    one_at_a_time()
    db.session.refresh(recall)
    if recall.status is not RecallStatus.ACTIVE:
        raise NotOpen(number=recall.number)
    mine = sa.or_(RecallProposal.recall_id == recall.id, RecallProposal.hold_id == recall.id)
    if db.session.scalar(sa.select(RecallProposal.id).where(mine, RecallProposal.decided_at.is_(None)).limit(1)):
        raise WaitsForDecision(number=recall.number)


def _must_be_regulator(user: User, recall: Recall) -> None:
    if user.role is not RoleName.PRODUCER:
        return
    if recall.cause_id is not None:
        raise HeldByThePlatform
    if recall.kind is RecallKind.RECALL:
        raise OnlyTheRegulator


def _begin(
    user: User | None,
    kind: RecallKind,
    level: int,
    scope: dict[str, str],
    *,
    authority: Organisation | None = None,
    cause: Finding | None = None,
) -> Recall:
    """The row of a recall, without lots and notices yet.

    :param authority: in whose name, where that is not the user's own organisation.
    """
    authority = authority or cast("User", user).organisation
    voluntary = user is not None and user.role is RoleName.PRODUCER
    waits = kind is RecallKind.DRILL or (kind is RecallKind.RECALL and level == 1 and not voluntary)
    if waits and kind is RecallKind.RECALL and user is not None and user.role is RoleName.ADMINISTRATOR:
        _must_have_a_second_officer(user)
    recall = Recall(
        number=_next_number(authority, kind),
        kind=kind,
        status=RecallStatus.PENDING if waits else RecallStatus.ACTIVE,
        level=level,
        voluntary=voluntary,
        authority_id=authority.id,
        issued_by_id=user.id if user is not None else None,
        cause_id=cause.id if cause is not None else None,
        issued_at=utc_now(),
        scope=scope,
        lot_count=0,
    )
    db.session.add(recall)
    db.session.flush()
    return recall


def _must_have_a_second_officer(user: User) -> None:
    """:raises NoSecondOfficer:"""
    place = user.organisation.jurisdiction_code or user.organisation.division_code
    officers = db.session.scalars(db.select(User).join(User.organisation).where(User.active))
    if not any(within_jurisdiction(other, place) and are_independent(user, other) for other in officers):
        raise NoSecondOfficer


def _issued(user: User | None, recall: Recall, text: NoticeText) -> None:
    """The first notice, once the lots are in."""
    if recall.status is RecallStatus.ACTIVE:
        _come_into_force(recall)
    _notice(user, recall, NoticeType.ISSUE, text, added=recall.lot_count, scope=recall.scope)


def _come_into_force(recall: Recall) -> None:
    recall.status = RecallStatus.ACTIVE
    recall.in_force_at = utc_now()
    recall.start_due_at = clocks.start_due(recall.level, recall.in_force_at)
    recall.finish_due_on = clocks.finish_due(recall.level, recall.in_force_at)


def _notice(
    user: User | None,
    recall: Recall,
    notice_type: NoticeType,
    text: NoticeText,
    *,
    note: str = "",
    added: int = 0,
    removed: int = 0,
    scope: dict[str, str] | None = None,
    still_open: StoredJson | None = None,
) -> RecallNotice:
    notice = RecallNotice(
        recall_id=recall.id,
        sequence=len(recall.notices) + 1,
        type=notice_type,
        note=note,
        scope=scope or {},
        lots_added=added,
        lots_removed=removed,
        lot_count=recall.lot_count,
        still_open=still_open,
        issued_by_id=user.id if user is not None else None,
        issued_at=utc_now(),
        facts=of_the_day(recall),
        **asdict(text),
    )
    db.session.add(notice)
    recall.tasks_made_at = None
    db.session.flush()
    db.session.expire(recall, ["notices"])
    audit.note(user, notice_type.value, recall, level=text.level, reason=text.reason, lots=recall.lot_count, note=note)
    return notice


def _take_in_scope(
    user: User,
    recall: Recall,
    sequence: int,
    scope: RecallScope,
    left_out: dict[int, str],
    for_recall: Recall | None = None,
) -> None:
    """:raises EmptyScope, NothingLeft:"""
    with affected(user, scope) as reached:
        chosen = reached.ids
        if user.role is RoleName.PRODUCER and recall.kind is not RecallKind.DRILL:
            chosen = sa.select(Batch.id).where(reached.have(Batch.id), Batch.producer_id == user.organisation_id)
        if left_out:
            chosen = chosen.where(next(iter(chosen.selected_columns)).not_in(list(left_out)))
        if not _take_in(recall, sequence, chosen, for_recall):
            raise NothingLeft if db.session.scalar(reached.ids.limit(1)) is not None else EmptyScope
        if left_out:
            known = sa.select(Batch.id).where(Batch.id.in_(list(left_out)), reached.have(Batch.id))
            _leave_out(recall, sequence, {lot_id: left_out[lot_id] for lot_id in db.session.scalars(known)})


def _leave_out(recall: Recall, sequence: int, reasons: dict[int, str]) -> None:
    """Keep the reasons. Those of earlier notices stay beside them."""
    for lot_id, reason in reasons.items():
        db.session.add(RecallExclusion(recall_id=recall.id, batch_id=lot_id, left_out_in=sequence, reason=reason))
    db.session.flush()


def _take_in(recall: Recall, sequence: int, lots: sa.Select[int], for_recall: Recall | None = None) -> int:
    """Put lots into a recall that are not stopped as gravely already; from the commit on their labels say so.

    :param lots: a SELECT of their ids.
    :param for_recall: the recall that a hold keeps them for: what that would take in, on hold otherwise or not.
    :return: how many.
    """
    lot = next(iter(lots.selected_columns))
    if recall.kind is RecallKind.RECALL or for_recall is not None:
        lots = lots.where(~in_recall(lot, sa.and_(IN_FORCE, RECALLS.c.level <= recall.level)))
        if recall.status is RecallStatus.PENDING:
            # Two of one cause, both waiting for approval, are one too many.
            lots = lots.where(~in_recall(lot, PENDING))
    elif recall.kind is RecallKind.HOLD:
        lots = lots.where(~in_recall(lot, sa.or_(IN_FORCE, HOLDING)))
    if sequence > 1:
        # What was taken out and comes in again has a further row.
        standing = sa.select(RecallMember.batch_id).where(
            RecallMember.recall_id == recall.id, RecallMember.removed_in.is_(None)
        )
        lots = lots.where(lot.not_in(standing))
    rows = lots.with_only_columns(sa.literal(recall.id), lot, sa.literal(sequence))
    count = count_written(sa.insert(RecallMember).from_select(["recall_id", "batch_id", "added_in"], rows))
    recall.lot_count += count
    db.session.flush()
    return count


def _next_number(organisation: Organisation, kind: RecallKind) -> str:
    """The authority's jurisdiction, the year and a counter, such as 530324-2026-0001; V and the organisation's number
    for a producer's, H for holds, M for mock recalls."""
    place = organisation.jurisdiction_code or f"{organisation.division_code[:6]}-V{organisation.id}"
    series, year = f"{place}-{_MARK[kind]}", today().year
    return f"{series}{year}-{counters.take('recall', series, year) + 1:04d}"


def may_manage(user: User, recall: Recall) -> bool:
    """Whether a user decides on a recall: its issuer's people, and the regulators above or around them."""
    if recall.authority_id == user.organisation_id:
        return True
    authority = recall.authority
    return within_jurisdiction(user, authority.jurisdiction_code or authority.division_code)


def managed_recall(user: User, number: str) -> Recall:
    """A recall, hold or drill that a user decides on.

    :raises NotFound:
    """
    recall: Recall | None = db.session.scalar(db.select(Recall).filter_by(number=number))
    if recall is None or not may_manage(user, recall):
        raise NotFound
    return recall
