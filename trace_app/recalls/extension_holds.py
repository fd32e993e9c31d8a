"""Lots that a level I recall is to be extended by: on hold until the second officer has decided, then taken in."""

from __future__ import annotations

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.recalls.cases import (
    NothingLeft,
    begin,
    give_notice,
    hold_text,
    issued,
    leave_out,
    must_be_active,
    take_in,
    take_in_scope,
    text_of,
)
from trace_app.recalls.models import (
    NoticeType,
    Recall,
    RecallKind,
    RecallMember,
)
from trace_app.recalls.scope import RecallScope


def hold_for_extension(user: User, recall: Recall, scope: RecallScope, left_out: dict[int, str]) -> Recall:
    """Keep off sale what a further scope reaches and the recall would take in, until it is decided whether it does.

    :raises NotOpen, WaitsForDecision, ScopeTooWide, EmptyScope, NothingLeft:
    """
    must_be_active(user, recall)
    hold = begin(user, RecallKind.HOLD, None, scope.plain())
    take_in_scope(user, hold, 1, scope, left_out, for_recall=recall)
    said = _("拟并入召回 %(number)s，等待批准。", number=recall.number)
    issued(user, hold, hold_text(lambda: str(said)))
    db.session.refresh(hold)
    return hold


def take_in_held(user: User, recall: Recall, hold: Recall, note: str) -> int:
    """Take the lots of the hold that waited for it into a recall.

    :return: how many lots came in.
    :raises NotOpen, NothingLeft:
    """
    must_be_active(user, recall)
    sequence = len(recall.notices) + 1
    members = sa.select(RecallMember.batch_id).where(
        RecallMember.recall_id == hold.id, RecallMember.removed_in.is_(None)
    )
    count = take_in(recall, sequence, sa.select(Batch.id).where(Batch.id.in_(members)))
    if not count:
        raise NothingLeft
    for row in hold.exclusions:
        leave_out(recall, sequence, {row.batch_id: row.reason})
    db.session.refresh(recall, ["lot_count"])
    give_notice(user, recall, NoticeType.EXTEND, text_of(recall), note=note, added=count, scope=hold.scope)
    return count
