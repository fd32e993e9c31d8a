"""What follows the first notice of a case: it is extended, narrowed down, corrected, or ended."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from trace_app.accounts.models import RoleName, User
from trace_app.clock import local
from trace_app.db.base import utc_now
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.recalls import clocks
from trace_app.recalls.cases import (
    NotOpen,
    give_notice,
    leave_out,
    must_be_active,
    one_at_a_time,
    take_in_scope,
    text_of,
)
from trace_app.recalls.forms import NOTICE_TYPES, TURNINGS
from trace_app.recalls.models import (
    NoticeText,
    NoticeType,
    Recall,
    RecallKind,
    RecallMember,
    RecallStatus,
)
from trace_app.recalls.scope import EmptyScope, RecallScope
from trace_app.values import StoredJson


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


class ChangedMeanwhile(Problem):
    """The form was made from an earlier state of the case: it was sent twice, or someone else was faster."""

    title = _(
        "您打开这一页以后，%(number)s 又有了变化：%(what)s（%(moment)s）。"
        "这次没有提交，您填的都还在。请看过变化再决定要不要提交。"
    )


def stand_of(recall: Recall) -> int:
    """How far a case has come: the number of its notices and proposals, to which each turning adds one."""
    return len(recall.notices) + len(recall.proposals)


def must_stand(recall: Recall, made_from: int | None) -> None:
    """Raise where a case has gone on since a form was made, so that what is sent twice is done once.

    :param made_from: what `stand_of` said when the form was made; None where it carries nothing.
    :raises ChangedMeanwhile:
    """
    one_at_a_time()
    db.session.refresh(recall)
    db.session.expire(recall, ["notices", "proposals"])
    if made_from is None or made_from == stand_of(recall):
        return
    changes = [(one.issued_at, NOTICE_TYPES[one.type]) for one in recall.notices]
    changes += [(one.proposed_at, TURNINGS[one.turning]) for one in recall.proposals]
    moment, what = max(changes, key=lambda change: change[0])
    raise ChangedMeanwhile(number=recall.number, what=what, moment=f"{local(moment):%Y-%m-%d %H:%M}")


def extend(user: User, recall: Recall, scope: RecallScope, left_out: dict[int, str], note: str) -> int:
    """Take what a further scope reaches into a recall. The first scope and notice stay as they are.

    :return: how many lots came in.
    :raises NotOpen, ScopeTooWide, EmptyScope, NothingLeft:
    """
    must_be_active(user, recall)
    before = recall.lot_count
    sequence = len(recall.notices) + 1
    take_in_scope(user, recall, sequence, scope, left_out)
    db.session.refresh(recall, ["lot_count"])
    give_notice(
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
        leave_out(recall, sequence, {member.batch_id: taken_out[member.batch_id]})
    recall.lot_count -= len(members)
    give_notice(user, recall, NoticeType.NARROW, text_of(recall), note=note, removed=len(members))
    return len(members)


def may_narrow(user: User, recall: Recall, taken_out: Iterable[int]) -> list[RecallMember]:
    """The places in a recall that narrowing it down by lots would close.

    :raises NotOpen, WaitsForDecision, AllWouldGo, OnlyTheRegulator:
    """
    must_be_active(user, recall)
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

    :raises NotOpen, OnlyTheRegulator:
    """
    may_correct(user, recall, text)
    recall.level = text.level
    if recall.in_force_at is not None:
        recall.start_due_at = clocks.start_due(text.level, recall.in_force_at)
        recall.finish_due_on = clocks.finish_due(text.level, recall.in_force_at)
    give_notice(user, recall, NoticeType.CORRECT, text, note=note)


def is_lowered(recall: Recall, text: NoticeText) -> bool:
    """Whether a text states a milder level than a recall has."""
    return (text.level or 0) > (recall.level or 0)


def may_correct(user: User, recall: Recall, text: NoticeText) -> None:
    """:raises NotOpen, WaitsForDecision, OnlyTheRegulator:"""
    must_be_active(user, recall)
    if recall.kind is RecallKind.HOLD:
        # What a correction states of a level, a hold can't.
        raise NotOpen(number=recall.number)
    if is_lowered(recall, text):
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
    must_be_active(user, recall)
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
    give_notice(user, recall, notice, text_of(recall), note=note, still_open=still_open)


def _must_be_regulator(user: User, recall: Recall) -> None:
    if user.role is not RoleName.PRODUCER:
        return
    if recall.cause_id is not None:
        raise HeldByThePlatform
    if recall.kind is RecallKind.RECALL:
        raise OnlyTheRegulator
