"""What waits for a producer today, and the first steps of who is new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

import sqlalchemy as sa
from flask import url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts.models import User
from trace_app.batches.models import IN_FORCE, Batch, BatchStatus, stopped_lots
from trace_app.certificates.models import Certificate
from trace_app.certificates.reminders import REMINDERS, outlived
from trace_app.certificates.texts import certificate_name
from trace_app.clock import today
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.feedback.forms import SHORT_KINDS
from trace_app.feedback.service import waiting_feedback
from trace_app.findings.models import Finding
from trace_app.findings.rules import RULES, message_of
from trace_app.findings.service import stands
from trace_app.flow.shipments import service as shipping
from trace_app.flow.shipments.models import Shipment, ShipmentLine
from trace_app.labels.models import LabelRun
from trace_app.language import language, named
from trace_app.messages.models import Severity
from trace_app.recall_tasks.service import open_tasks
from trace_app.records.coverage import counts, coverage
from trace_app.records.intervals import required_days
from trace_app.records.models import Record

EACH = 5
"""Lines of one sort; the way to the rest stands below them."""
LONGEST_INTERVAL = timedelta(days=200)
JUST_OVER = timedelta(days=3)
"""How long an interval that has ended is still told of."""
MOST_RECORDS = 300
MOST_DRAFTS = 1000
"""How many of the latest drafts are looked through for those that can be released."""
TOLD = timedelta(days=30)
"""How long a difference in a shipment, and one that nobody has confirmed, is told of."""
ON_ITS_WAY = timedelta(days=3)
"""How long a shipment may be on its way before it is asked after."""


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """One thing that waits, and the page on which it is done."""

    text: str
    note: str
    url: str


@dataclass(frozen=True, slots=True)
class Matter:
    """What waits of one sort.

    :ivar rest: where all of it is listed.
    """

    title: LazyString
    action: LazyString
    lines: list[WaitingLine]
    rest: str
    grave: bool = False

    @property
    def shown(self) -> list[WaitingLine]:
        return self.lines[:EACH]

    @property
    def has_more(self) -> bool:
        return len(self.lines) > EACH


@dataclass(frozen=True, slots=True)
class FirstStep:
    text: LazyString
    url: str
    done: bool


def matters_of(user: User) -> list[Matter]:
    """What waits for a producer, the most urgent first."""
    mine = user.organisation_id
    found = [
        Matter(_("召回任务"), _("去办理"), _recall_tasks(user), url_for("recall_tasks.index"), grave=True),
        Matter(_("已放行的批次有问题"), _("查看"), _warnings(mine), url_for("findings.to_do"), grave=True),
        Matter(_("消费者反馈"), _("答复"), _feedback(user), url_for("feedback.index", open=1)),
        Matter(_("可以放行了"), _("去放行"), _ready(mine), url_for("batches.index", state="draft")),
        Matter(_("间隔期、休药期"), _("查看"), _intervals(mine), url_for("batches.index", state="draft")),
        Matter(_("发给您的货"), _("确认收货"), _coming(user), url_for("shipments.index", direction="in")),
        Matter(_("收发有差异"), _("查看"), _differences(mine), url_for("shipments.index", direction="out")),
        Matter(_("对方还没有确认收货"), _("查看"), _unconfirmed(mine), url_for("shipments.index", direction="out")),
        Matter(_("快到期和已过期的证书"), _("更新"), _certificates(mine), url_for("certificates.index")),
        Matter(_("放行前还要补的"), _("去补"), _to_complete(mine), url_for("findings.to_do")),
    ]
    return [matter for matter in found if matter.lines]


def first_steps(user: User) -> list[FirstStep]:
    """The steps from an empty account to the first label; nothing once they are all done."""
    mine = user.organisation_id
    lot = db.session.scalar(sa.select(Batch.id).where(Batch.producer_id == mine).order_by(Batch.id).limit(1))
    released = sa.select(Batch.id).where(Batch.producer_id == mine, Batch.released_at.is_not(None))
    labelled = sa.select(LabelRun.id).join(Batch, Batch.id == LabelRun.batch_id).where(Batch.producer_id == mine)
    entry = url_for("batches.show", batch_id=lot) if lot is not None else url_for("batches.new")
    steps = [
        FirstStep(_("登记第一批：产品、基地和批次，一张表"), url_for("batches.new"), lot is not None),
        FirstStep(
            _("记录生产过程：开始和采收"), url_for("field.home"), _any(sa.select(Record.id).filter_by(producer_id=mine))
        ),
        FirstStep(_("放行"), entry, _any(released)),
        FirstStep(_("打印标签"), url_for("labels.index"), _any(labelled)),
    ]
    return [] if all(step.done for step in steps) else steps


def _any(query: sa.Select[int]) -> bool:
    return db.session.scalar(query.limit(1)) is not None


def _recall_tasks(user: User) -> list[WaitingLine]:
    return [
        WaitingLine(task.recall.number, named(task.recall, "reason"), url_for("recall_tasks.show", token=task.token))
        for task in open_tasks(user)
        if task.acknowledged_at is None or not task.reports
    ]


def _warnings(producer_id: int) -> list[WaitingLine]:
    """What rules found about lots that are out."""
    return _of_findings(producer_id, Batch.status == BatchStatus.RELEASED)


def _to_complete(producer_id: int) -> list[WaitingLine]:
    """What is still missing in lots that are being made."""
    return _of_findings(producer_id, Batch.status == BatchStatus.DRAFT, Finding.severity == Severity.BLOCK)


def _of_findings(producer_id: int, *conditions: sa.ColumnElement[bool]) -> list[WaitingLine]:
    """A line for each lot: the latest that was found of it, and how much there is besides."""
    of_lots = (
        sa.select(sa.func.max(Finding.id), sa.func.count())
        .join(Finding.batch)
        .where(
            Finding.producer_id == producer_id,
            stands(),
            Finding.severity != Severity.INFO,
            *conditions,
        )
        .group_by(Finding.batch_id)
        .order_by(sa.func.max(Finding.found_at).desc(), sa.func.max(Finding.id).desc())
        .limit(EACH + 1)
    )
    counts = {row[0]: row[1] for row in db.session.execute(of_lots)}
    query = db.select(Finding).where(Finding.id.in_(counts)).options(joinedload(Finding.batch))
    latest = {row.id: row for row in db.session.scalars(query)}
    lines = []
    for finding_id, count in counts.items():
        row = latest[finding_id]
        note = f"{RULES[row.rule].title} · {message_of(row)}"
        if count > 1:
            note += str(_("（共 %(count)s 项）", count=count))
        lines.append(WaitingLine(row.batch.lot_number, note, url_for("batches.show", batch_id=row.batch_id)))
    return lines


def _feedback(user: User) -> list[WaitingLine]:
    return [
        WaitingLine(
            row.text[:60],
            f"{SHORT_KINDS[row.kind]} · {named(row.batch.product)} {row.batch.lot_number}",
            url_for("feedback.show", feedback_id=row.id),
        )
        for row in waiting_feedback(user, EACH + 1)
    ]


def _ready(producer_id: int) -> list[WaitingLine]:
    """Drafts that were checked and that nothing stops."""
    stops = sa.exists().where(Finding.batch_id == Batch.id, Finding.severity == Severity.BLOCK, stands())
    latest = (
        sa.select(Batch.id)
        .where(Batch.producer_id == producer_id, Batch.status == BatchStatus.DRAFT)
        .order_by(Batch.created_at.desc(), Batch.id.desc())
        .limit(MOST_DRAFTS)
    )
    query = (
        db.select(Batch)
        .where(
            Batch.id.in_(latest.correlate(None)),
            Batch.produced_on.is_not(None),
            Batch.checked_on.is_not(None),
            ~stops,
            Batch.id.not_in(stopped_lots(IN_FORCE)),
            ~Batch.held,
        )
        .options(joinedload(Batch.product), joinedload(Batch.site))
        .order_by(Batch.created_at.desc(), Batch.id.desc())
        .limit(EACH + 1)
    )
    return [
        WaitingLine(
            row.lot_number, f"{named(row.product)} · {named(row.site)}", url_for("batches.show", batch_id=row.id)
        )
        for row in db.session.scalars(query)
    ]


def _intervals(producer_id: int) -> list[WaitingLine]:
    """The days from which growing lots may be harvested, of those whose interval runs or has just ended."""
    day = today()
    recent = (
        db.select(Record)
        .where(
            Record.producer_id == producer_id,
            Record.happened_on >= day - LONGEST_INTERVAL,
            Record.interval_days.is_not(None),
            counts(),
        )
        .order_by(Record.happened_on.desc(), Record.id.desc())
        .limit(MOST_RECORDS)
    )
    until = {row.id: row.happened_on + timedelta(days=required_days(row) or 0) for row in db.session.scalars(recent)}
    running = [record_id for record_id, end in until.items() if end >= day - JUST_OVER]
    if not running:
        return []
    pairs = coverage(Record.id.in_(running), Batch.status == BatchStatus.DRAFT, Batch.produced_on.is_(None)).subquery()
    ends: dict[int, int] = {}
    for record_id, batch_id in db.session.execute(sa.select(pairs.c.record_id, pairs.c.batch_id)):
        ends[batch_id] = max(record_id, ends.get(batch_id, record_id), key=lambda one: until[one])
    soonest = sorted(ends, key=lambda batch_id: (until[ends[batch_id]], batch_id))
    lots = {
        row.id: row
        for row in db.session.scalars(
            db.select(Batch).where(Batch.id.in_(soonest[:MOST_RECORDS])).options(joinedload(Batch.site))
        )
    }
    known = [lots[batch_id] for batch_id in soonest if batch_id in lots]
    lines = []
    for (end, site), rows in groupby(known, lambda lot: (until[ends[lot.id]], named(lot.site))):
        here = list(rows)
        numbers = "、".join(lot.lot_number for lot in here[:3])
        numbers += f" …（{len(here)}）" if len(here) > 3 else ""
        said = _("%(day)s 起可以采收", day=end.isoformat()) if end > day else _("间隔期已满，可以采收")
        lines.append(WaitingLine(str(said), f"{site} · {numbers}", url_for("batches.show", batch_id=here[0].id)))
    return lines[: EACH + 1]


def _coming(user: User) -> list[WaitingLine]:
    """Goods that others have sent, or send back, and that are not confirmed yet."""
    return [
        WaitingLine(
            row.sender_name,
            _lots_in(row),
            url_for("shipments.receive", code=row.receipt_code),
        )
        for row in shipping.to_confirm(user, since=utc_now() - 2 * TOLD, most=EACH + 1)
    ]


def _sent(producer_id: int, *conditions: sa.ColumnElement[bool]) -> list[Shipment]:
    query = (
        shipping.with_what_lists_show(db.select(Shipment))
        .where(
            Shipment.sender_id == producer_id,
            Shipment.withdrawn_at.is_(None),
            Shipment.departed_at >= utc_now() - TOLD,
            *conditions,
        )
        .order_by(Shipment.departed_at.desc(), Shipment.id.desc())
        .limit(EACH + 1)
    )
    return list(db.session.scalars(query))


def _differences(producer_id: int) -> list[WaitingLine]:
    short = sa.exists().where(ShipmentLine.shipment_id == Shipment.id, ShipmentLine.refused + ShipmentLine.missing > 0)
    return [
        WaitingLine(
            f"{row.number} → {row.receiver_name}",
            str(_("有短少或拒收")) + f" · {_lots_in(row)}",
            url_for("shipments.show", shipment_id=row.id),
        )
        for row in _sent(producer_id, short)
    ]


def _unconfirmed(producer_id: int) -> list[WaitingLine]:
    return [
        WaitingLine(f"{row.number} → {row.receiver_name}", _lots_in(row), url_for("shipments.show", shipment_id=row.id))
        for row in _sent(producer_id, shipping.is_unsettled(), Shipment.departed_at < utc_now() - ON_ITS_WAY)
    ]


def _lots_in(row: Shipment) -> str:
    numbers = [line.batch.lot_number for line in row.lines]
    return "、".join(numbers[:3]) + (" …" if len(numbers) > 3 else "")


def _certificates(producer_id: int) -> list[WaitingLine]:
    day = today()
    query = (
        db.select(Certificate)
        .where(
            Certificate.producer_id == producer_id,
            Certificate.withdrawn_at.is_(None),
            Certificate.valid_until.between(day - TOLD, day + timedelta(days=max(REMINDERS))),
        )
        .order_by(Certificate.valid_until, Certificate.id)
        .limit(4 * EACH)
    )
    lines = []
    for row in db.session.scalars(query):
        if outlived(row):
            continue
        said = _("%(day)s 到期", day=row.valid_until.isoformat()) if row.valid_until >= day else _("已过期")
        name = certificate_name(row.type)[language()]
        lines.append(WaitingLine(f"{name} {row.number}", str(said), url_for("certificates.index")))
    return lines
