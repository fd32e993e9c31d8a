"""The rows of a case, whatever its kind: how it begins, what it takes in, and its notices. Nothing of a notice is ever
changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import cast

import sqlalchemy as sa
from flask_babel import force_locale
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import contains_eager

from trace_app.accounts import audit
from trace_app.accounts.access import within_jurisdiction
from trace_app.accounts.models import Organisation, RoleName, User
from trace_app.accounts.service import are_independent
from trace_app.batches import service as batches
from trace_app.batches.freshness import shown_on_trace_pages
from trace_app.batches.models import HOLDING, IN_FORCE, PENDING, RECALLS, Batch, in_recall
from trace_app.clock import today
from trace_app.db import counters
from trace_app.db.base import utc_now
from trace_app.db.session import count_written
from trace_app.errors import Problem
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
from trace_app.recalls.scope import EmptyScope, RecallScope, affected, must_know_lots
from trace_app.recalls.statements import of_the_day
from trace_app.values import StoredJson

_MARK = {RecallKind.RECALL: "", RecallKind.HOLD: "H", RecallKind.DRILL: "M"}
"""What stands in the numbers of each kind of case."""

shown_on_trace_pages(
    Organisation,
    lambda authority: Batch.id.in_(
        db.select(RecallMember.batch_id)
        .join(Recall, Recall.id == RecallMember.recall_id)
        .where(Recall.authority_id == authority.id)
    ),
)


class NothingLeft(Problem):
    """All that the scope reaches is stopped already, or was left out."""

    title = _("范围内的批次都已在召回（或暂停）中，或都被排除了，没有新的批次。")


class NotOpen(Problem):
    """The case is over, was rejected, or still waits for approval."""

    code = "recall-not-open"
    title = _("%(number)s 现在不能这样做：它已经结束、未获批准，或还在等待批准。")


class WaitsForDecision(Problem):
    """A turning of the recall waits for the second officer, or the hold keeps lots for one."""

    title = _("%(number)s 有一项变更在等待第二位监管人员批准。请先在召回页面批准或不予批准，再做别的。")


class NoSecondOfficer(Problem):
    """An administrator's recall of level I would wait for ever where it administers all who could approve it."""

    title = _("没有能批准这次一级召回的第二位监管人员：可以批准的人，账号都由您管理。请由不管理账号的监管人员发布。")


def one_at_a_time() -> None:
    """Hold the issuing of recalls until the commit: two officers who see one cause must not make two of it.

    Nor may a lot go into another one meanwhile, which the scope would miss.
    """
    batches.no_use_meanwhile()


def must_be_active(user: User, recall: Recall) -> None:
    """Hold the recall lock, and raise unless a further notice of a case may follow.

    :raises NotOpen, WaitsForDecision:
    """
    one_at_a_time()
    db.session.refresh(recall)
    if recall.status is not RecallStatus.ACTIVE:
        raise NotOpen(number=recall.number)
    mine = sa.or_(RecallProposal.recall_id == recall.id, RecallProposal.hold_id == recall.id)
    if db.session.scalar(sa.select(RecallProposal.id).where(mine, RecallProposal.decided_at.is_(None)).limit(1)):
        raise WaitsForDecision(number=recall.number)


def text_of(recall: Recall) -> NoticeText:
    """What the latest notice says; nothing yet of a drill that waits for its scope."""
    if not recall.notices:
        return NoticeText(recall.level, "", "")
    said = {name: getattr(recall.notice, name) for name in NoticeText.__dataclass_fields__}
    return NoticeText(**(said | {"level": recall.level}))


HOLD_ADVICE = _("请先不要食用，保留包装，等待核查结果。")
"""What consumers should do while the sale of something is stopped, where nobody says anything else."""


def hold_text(reason: Callable[[], str]) -> NoticeText:
    """What the platform's own hold says, in both languages.

    :param reason: says it in the language that is spoken at the moment.
    """
    with force_locale("zh_CN"):
        chinese = reason(), str(HOLD_ADVICE)
    with force_locale("en"):
        english = reason(), str(HOLD_ADVICE)
    return NoticeText(None, *chinese, *english)


def begin(
    user: User | None,
    kind: RecallKind,
    level: int | None,
    scope: dict[str, str],
    *,
    authority: Organisation | None = None,
    cause: Finding | None = None,
) -> Recall:
    """The row of a recall, without lots and notices yet.

    :param authority: in whose name, where that is not the user's own organisation.
    :raises NoSecondOfficer:
    """
    authority = authority or cast("User", user).organisation
    voluntary = user is not None and user.role is RoleName.PRODUCER
    waits = kind is RecallKind.DRILL or (kind is RecallKind.RECALL and level == 1 and not voluntary)
    by_administrator = user is not None and user.role is RoleName.ADMINISTRATOR
    if user and by_administrator and waits and kind is RecallKind.RECALL and not second_officers(user, authority):
        raise NoSecondOfficer
    now = utc_now()
    recall = Recall(
        number=_next_number(authority, kind),
        kind=kind,
        status=RecallStatus.PENDING if waits else RecallStatus.ACTIVE,
        level=level,
        voluntary=voluntary,
        authority_id=authority.id,
        issued_by_id=user.id if user is not None else None,
        cause_id=cause.id if cause is not None else None,
        issued_at=now,
        in_force_at=None if waits else now,
        scope=scope,
        lot_count=0,
    )
    db.session.add(recall)
    db.session.flush()
    return recall


def second_officers(first: User, authority: Organisation) -> list[User]:
    """Those who may have the second word on what another began in a case of an authority."""
    place = authority.jurisdiction_code or authority.division_code
    query = (
        db.select(User)
        .join(User.organisation)
        .where(User.active)
        .options(contains_eager(User.organisation))
        .order_by(User.id)
    )
    officers = [one for one in db.session.scalars(query) if within_jurisdiction(one, place)]
    return [one for one in officers if are_independent(first, one)]


def issued(user: User | None, recall: Recall, text: NoticeText) -> None:
    """The first notice, once the lots are in."""
    if recall.status is RecallStatus.ACTIVE:
        come_into_force(recall)
    give_notice(user, recall, NoticeType.ISSUE, text, added=recall.lot_count, scope=recall.scope)


def come_into_force(recall: Recall) -> None:
    """Start the clocks of a case."""
    recall.status = RecallStatus.ACTIVE
    recall.in_force_at = utc_now()
    recall.start_due_at = clocks.start_due(recall.level, recall.in_force_at)
    recall.finish_due_on = clocks.finish_due(recall.level, recall.in_force_at)


def give_notice(
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
    """Add the next notice of a case, which everyone concerned is then told of."""
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
    facts = {
        "number": recall.number,
        "level": text.level,
        "reason": text.reason,
        "lots": recall.lot_count,
        "note": note,
    }
    audit.note(user, notice_type.value, recall, **facts)
    return notice


def take_in_scope(
    user: User,
    recall: Recall,
    sequence: int,
    scope: RecallScope,
    left_out: dict[int, str],
    for_recall: Recall | None = None,
) -> None:
    """:raises EmptyScope, NothingLeft, UnknownLots:"""
    must_know_lots(user, scope)
    with affected(user, scope) as reached:
        chosen = reached.ids
        if user.role is RoleName.PRODUCER and recall.kind is not RecallKind.DRILL:
            chosen = sa.select(Batch.id).where(reached.have(Batch.id), Batch.producer_id == user.organisation_id)
        if left_out:
            chosen = chosen.where(next(iter(chosen.selected_columns)).not_in(list(left_out)))
        if not take_in(recall, sequence, chosen, for_recall):
            raise NothingLeft if db.session.scalar(reached.ids.limit(1)) is not None else EmptyScope
        if left_out:
            known = sa.select(Batch.id).where(Batch.id.in_(list(left_out)), reached.have(Batch.id))
            leave_out(recall, sequence, {lot_id: left_out[lot_id] for lot_id in db.session.scalars(known)})


def leave_out(recall: Recall, sequence: int, reasons: dict[int, str]) -> None:
    """Keep the reasons. Those of earlier notices stay beside them."""
    for lot_id, reason in reasons.items():
        db.session.add(RecallExclusion(recall_id=recall.id, batch_id=lot_id, left_out_in=sequence, reason=reason))
    db.session.flush()


def take_in(recall: Recall, sequence: int, lots: sa.Select[int], for_recall: Recall | None = None) -> int:
    """Put lots into a recall that are not stopped as gravely already; from the commit on their labels say so.

    :param lots: a SELECT of their ids.
    :param for_recall: the recall that a hold keeps them for: what that would take in, on hold otherwise or not.
    :return: how many.
    """
    lot = next(iter(lots.selected_columns))
    if recall.kind is RecallKind.RECALL or for_recall is not None:
        lots = lots.where(~in_recall(lot, sa.and_(IN_FORCE, RECALLS.c.level <= (for_recall or recall).level)))
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
