"""Holding lots that are out for a failed test or a broken rule: by the platform itself, until the authority decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask_babel import force_locale
from flask_babel import lazy_gettext as _

from trace_app.accounts.models import Organisation, User
from trace_app.accounts.service import nearest_regulators
from trace_app.batches.models import Batch
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.findings.models import Finding
from trace_app.findings.rules import RULES, message_of
from trace_app.findings.service import lifts_holds, standing, waive
from trace_app.flow.balance import amounts_sent
from trace_app.flow.ledger.service import left_of
from trace_app.forms import plain_decimal
from trace_app.labels.service import labels_made
from trace_app.recalls.cases import hold_text
from trace_app.recalls.further_notices import lift, may_end
from trace_app.recalls.models import Recall, RecallKind, RecallMember, RecallStatus
from trace_app.recalls.service import hold_for
from trace_app.release.service import stops_sale_by
from trace_app.units import unit_name

LONGEST_REASON = 500
LONGEST_WAIVER = 300


def authority_of(batch: Batch) -> Organisation:
    """The authority of the county that a lot is from; of the city where the county has none on the platform.

    Where nobody watches over the place, the hold stands in the producer's own name: it may not lift it either.
    """
    near = nearest_regulators(batch.division_code[:6])
    return min(near, key=lambda row: row.id) if near else batch.producer


def _hold(batch: Batch, stopping: Sequence[Finding]) -> None:
    """Stop the sale of a lot for what was found, unless it was stopped for the same before."""
    now = utc_now()
    new = [finding for finding in stopping if not _was_settled(finding)]
    for finding in stopping:
        finding.stopped_sale_at = now
    db.session.flush()
    if new and not batch.held:
        hold_for(authority_of(batch), batch, hold_text(lambda: _said(new)), new[0])
        db.session.expire(batch, ["_held"])


stops_sale_by(_hold)


def _was_settled(finding: Finding) -> bool:
    """Whether the sale was stopped before for the same evidence, which has gone meanwhile and come again."""
    query = db.select(Finding).where(
        Finding.batch_id == finding.batch_id,
        Finding.rule == finding.rule,
        Finding.key == finding.key,
        Finding.id != finding.id,
        Finding.stopped_sale_at.is_not(None),
    )
    return any(row.facts == finding.facts for row in db.session.scalars(query))


def _said(stopping: Sequence[Finding]) -> str:
    said = " ".join(f"{RULES[row.rule].title}{_('：')}{message_of(row)}" for row in stopping)
    return said if len(said) <= LONGEST_REASON else said[: LONGEST_REASON - 1] + "…"


def _lift(user: User, batch: Batch, reason: str) -> None:
    """Let a lot go on sale again: an authority waived all that stopped it."""
    query = (
        db.select(Recall)
        .join(RecallMember, RecallMember.recall_id == Recall.id)
        .where(
            RecallMember.batch_id == batch.id,
            RecallMember.removed_in.is_(None),
            Recall.cause_id.is_not(None),
            Recall.status == RecallStatus.ACTIVE,
        )
    )
    with force_locale("zh_CN"):
        note = str(_("主管部门准予继续销售：%(reason)s", reason=reason))
    for hold in db.session.scalars(query).all():
        lift(user, hold, note)


lifts_holds(_lift)


def let_go(user: User, hold: Recall, reason: str) -> None:
    """Lift a hold. What the platform held a lot for is waived with the same reason: it would else go on saying that the
    sale must stop, of a lot that the authority lets be sold.

    :raises NotOpen, HeldByThePlatform:
    """
    may_end(user, hold, RecallKind.HOLD)
    batch = hold.cause.batch if hold.cause is not None else None
    if batch is not None:
        short = reason if len(reason) <= LONGEST_WAIVER else reason[: LONGEST_WAIVER - 1] + "…"
        for finding in [row for row in standing(batch) if row.stops_release]:
            waive(user, finding, short)
        db.session.refresh(hold)
    if hold.status is RecallStatus.ACTIVE:
        lift(user, hold, reason)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A lot that is on hold, as its authority needs it to decide.

    :ivar findings: what stands against it.
    :ivar labels: how many were printed.
    :ivar left: what its producer still has.
    :ivar sent: how much went to whom.
    """

    batch: Batch
    findings: Sequence[Finding]
    labels: int
    left: Decimal
    sent: Sequence[tuple[str, Decimal]]


def whereabouts(recall: Recall) -> Whereabouts | None:
    """The lot that the platform held by itself; None of every other case."""
    batch = recall.cause.batch if recall.cause is not None else None
    if batch is None:
        return None
    stopping = [finding for finding in standing(batch) if finding.stops_release]
    return Whereabouts(batch, stopping, labels_made(batch), left_of(batch.id, batch.producer_id), amounts_sent(batch))


def goods_in_words(recall: Recall) -> list[str]:
    """Lines of a message to the authority: how many labels were printed, and where the goods are."""
    found = whereabouts(recall)
    if found is None:
        return []
    unit = unit_name(found.batch.unit)
    amounts = [(found.batch.producer.name, found.left), *found.sent]
    return [
        str(_("批次：%(lot)s", lot=found.batch.lot_number)),
        str(_("已印标签：%(count)d 枚", count=found.labels)),
        *(f"{name}{_('：')}{plain_decimal(amount)} {unit}" for name, amount in amounts),
        str(_("请核查后决定：解除暂停并写明理由，或发布召回。")),
    ]
