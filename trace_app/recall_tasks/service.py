"""Follow-up: everyone concerned is told and given a task, says that it began, and reports what became of the goods."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
import structlog
from flask_babel import force_locale
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload, selectinload

from trace_app.accounts.access import NotFound, division_prefix
from trace_app.accounts.models import Author, Organisation, OrganisationKind, User
from trace_app.arrivals.service import expect, photos_go_to
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.clock import local
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db, jobs
from trace_app.flow.balance import holdings_of, received_of, sent_back
from trace_app.flow.ledger.models import LotMove, MoveCause
from trace_app.flow.ledger.service import hold_lots
from trace_app.flow.shipments.models import Shipment, ShipmentLine
from trace_app.language import named
from trace_app.media.models import Photo
from trace_app.media.service import StoredPhoto, keep_document, keep_photos
from trace_app.messages.service import tell, tell_address
from trace_app.recall_tasks import goods
from trace_app.recall_tasks.models import RecallReport, RecallTask, RecallTaskLot
from trace_app.recalls import clocks
from trace_app.recalls.automatic import goods_in_words
from trace_app.recalls.forms import NOTICE_TYPES, TURNINGS, case_word
from trace_app.recalls.leads import to_be_told
from trace_app.recalls.models import NoticeType, Recall, RecallKind, RecallMember, RecallProposal, RecallStatus
from trace_app.settings import address_of
from trace_app.values import JsonObject

LOTS_IN_MESSAGE = 50
MOST_LOTS = 500
"""How many lots of a task are listed and reported on one by one."""

_SHOWN = (joinedload(Batch.product).joinedload(Product.kind), joinedload(Batch.producer))

log = structlog.get_logger()


class NothingReported(Unprocessable):
    title = _("请至少填写一个批次的数量；没有存货的填 0。")


class NoEvidence(Unprocessable):
    title = _(
        "报告销毁的，请附上照片（如过磅、拆包、深埋的现场）或处理单的 PDF；以前报告时附过的也算。数量还没有保存。"
    )


class RecallOver(Problem):
    title = _("%(number)s 已经结束，不再需要报告。")


@dataclass(frozen=True, slots=True)
class Counted:
    """What has become of a lot at one party, in the lot's unit.

    :ivar supplied: what was in its hands when the recall reached it there, or was going back to it.
    :ivar left_out: whether the recall has been narrowed down by the lot since.
    :ivar came_back: what others sent back to it since, and is there.
    :ivar going_back: what it sent back itself since, whether it is there or not.
    :ivar lost_back: what of that did not arrive, and won't.
    :ivar on_its_way: what of ``supplied`` is still on its way back to it.
    """

    batch: Batch
    supplied: Decimal
    report: RecallReport | None
    left_out: bool = False
    came_back: Decimal = Decimal(0)
    going_back: Decimal = Decimal(0)
    lost_back: Decimal = Decimal(0)
    on_its_way: Decimal = Decimal(0)

    @property
    def at_hand(self) -> Decimal:
        """What the party has to say something of."""
        return self.supplied + self.came_back

    @property
    def counted_twice(self) -> Decimal:
        """How much of what it reports came back from others, which count it as returned."""
        told = self.report.total if self.report is not None else Decimal(0)
        return min(self.came_back, max(told - self.supplied, Decimal(0)))

    @property
    def returned(self) -> Decimal:
        """What it says is returned, but what did not arrive of it."""
        told = self.report.returned if self.report is not None else Decimal(0)
        return min(told, self.going_back - self.lost_back) if self.lost_back else told

    @property
    def secured(self) -> Decimal:
        """Blocked, brought back or destroyed."""
        report = self.report
        return report.sealed + self.returned + report.destroyed if report is not None else Decimal(0)

    @property
    def known(self) -> Decimal:
        """Secured, or known to be gone."""
        return self.secured + (self.report.gone if self.report is not None else Decimal(0))


# ---- telling


@jobs.every_minute
def follow_up() -> None:
    """Tell those concerned of what nobody has told them yet, and the regulators of what is late."""
    query = db.select(Recall.id).where(Recall.tasks_made_at.is_(None), Recall.notices.any())
    for recall_id in db.session.scalars(query).all():
        tell_everyone(recall_id)
    escalate()


@jobs.task
def tell_everyone(recall_id: int) -> None:
    """Give tasks to those who have none yet, and send everyone the latest notice. Once for each notice."""
    with transaction():
        recall = db.session.get(Recall, recall_id, with_for_update={"of": Recall, "key_share": True})
        if recall is None or recall.tasks_made_at is not None or not recall.notices:
            return
        known = {(task.organisation_id, task.consignee_id): task for task in tasks_of(recall)}
        for organisation_id, consignee_id in sorted(parties_of(recall), key=str):
            task = known.get((organisation_id, consignee_id))
            if task is None and recall.status is RecallStatus.ACTIVE:
                known[organisation_id, consignee_id] = task = _task(recall, organisation_id, consignee_id)
            elif task is None and recall.status is RecallStatus.PENDING and organisation_id is not None:
                # Nothing to report yet, but the sale is stopped.
                tell(db.session.get_one(Organisation, organisation_id), message_of(recall, None))
        db.session.flush()
        for task in known.values():
            _set_times(task, recall)
            if recall.status is RecallStatus.ACTIVE:
                _count(task)
            _send(task)
        every = recall.voluntary or recall.cause_id is not None or recall.status is RecallStatus.PENDING
        for regulator in to_be_told(recall, regulators_of(recall), all_of_them=every):
            tell(regulator, message_of(recall, None))
        # Past the session: the lots' pages show nothing of it.
        db.session.execute(
            sa.update(Recall).where(Recall.id == recall_id).values(tasks_made_at=utc_now()),
            execution_options={"synchronize_session": False},
        )
    log.info("told", recall=recall_id, parties=len(known))


def parties_of(recall: Recall) -> set[tuple[int | None, int | None]]:
    """Who made or was sent any of a recall's lots: organisations, and consignees that are not on the platform."""
    members = sa.select(RecallMember.batch_id).where(
        RecallMember.recall_id == recall.id, RecallMember.removed_in.is_(None)
    )
    makers = sa.select(Batch.producer_id).where(Batch.id.in_(members)).distinct()
    found: set[tuple[int | None, int | None]] = {(maker, None) for maker in db.session.scalars(makers)}
    holders = (
        sa.select(Shipment.consignee_id, Shipment.consignee_organisation_id)
        .join(ShipmentLine, ShipmentLine.shipment_id == Shipment.id)
        .where(
            ShipmentLine.batch_id.in_(members),
            Shipment.withdrawn_at.is_(None),
            # Also where nothing arrived: that may have been said in error.
            Shipment.returns_id.is_(None),
        )
        .distinct()
    )
    for consignee_id, organisation_id in db.session.execute(holders):
        found.add((organisation_id, None) if organisation_id is not None else (None, consignee_id))
    return found


def _task(recall: Recall, organisation_id: int | None, consignee_id: int | None) -> RecallTask:
    task = RecallTask(
        recall_id=recall.id,
        organisation_id=organisation_id,
        consignee_id=consignee_id,
        token=secrets.token_hex(16),
        sent_at=utc_now(),
    )
    _set_times(task, recall)
    db.session.add(task)
    return task


def _count(task: RecallTask) -> None:
    """Keep how much a party has of each lot that has come in since this was last done."""
    known = sa.select(RecallTaskLot.batch_id).where(RecallTaskLot.task_id == task.id)
    new = list(db.session.scalars(_lots_of(task).where(Batch.id.not_in(known))))
    for lot_id, supplied in _in_hand(task, new).items():
        db.session.add(RecallTaskLot(task_id=task.id, batch_id=lot_id, supplied=supplied, counted_at=utc_now()))
    db.session.flush()


def _in_hand(task: RecallTask, lots: Sequence[Batch]) -> dict[int, Decimal]:
    """How much a party has of lots today."""
    if task.organisation_id is not None:
        return holdings_of(lots, task.organisation_id)
    ids, none = [lot.id for lot in lots], Decimal(0)
    came, back = received_of(ids, goods.sent_to(task)), sent_back(ids, goods.sent_back_by(task))
    return {lot_id: came.get(lot_id, none) - back.get(lot_id, none) for lot_id in ids}


def _set_times(task: RecallTask, recall: Recall) -> None:
    """Say until when a party has to begin and to finish, by the recall's level as it is now.

    Whom an extension brought in has as long as the others had.
    """
    extended = [n.issued_at for n in recall.notices if n.type is NoticeType.EXTEND and n.issued_at <= task.sent_at]
    begun = max(extended, default=recall.in_force_at or task.sent_at)
    task.start_due_at = clocks.start_due(recall.level, begun)
    task.finish_due_on = clocks.finish_due(recall.level, begun)


def _send(task: RecallTask) -> None:
    message = message_of(task.recall, task)
    if task.organisation is not None:
        tell(task.organisation, message)
    elif task.consignee is not None and task.consignee.email:
        tell_address(task.consignee.email, message)


def link_of(task: RecallTask) -> str:
    """The address under which a party confirms and reports."""
    return address_of("recall_tasks.show", token=task.token)


def message_of(recall: Recall, task: RecallTask | None, proposal: RecallProposal | None = None) -> JsonObject:
    """The latest notice in words, in Chinese as the law gives them, with facts for machines.

    :param proposal: what waits for a second officer, where the message is of that.
    """
    notice = recall.notice
    with force_locale("zh_CN"):
        kind = case_word(recall)
        drill = "【演练】" if recall.kind is RecallKind.DRILL else ""
        lots = [counted.batch for counted in counted_lots(task, LOTS_IN_MESSAGE)] if task is not None else []
        lines = [
            f"{_('编号：')}{notice.number}",
            f"{_('发布：')}{recall.authority.name}　{recall.authority.phone}",
            f"{_('原因：')}{notice.reason}",
        ]
        if recall.kind is RecallKind.DRILL:
            lines.insert(0, str(_("这是演练，不是真的召回：请照实核对数量，不要动货，不要通知消费者。")))
        if proposal is not None:
            lines.append(f"{_('说明：')}{proposal.note}")
        elif notice.note:
            lines.append(f"{_('说明：')}{notice.note}")
        if task is None:
            lines += goods_in_words(recall)
        lines += [f"{lot.lot_number} {lot.product.name}（{lot.producer.name}）" for lot in lots]
        if task is not None and recall.status is RecallStatus.ACTIVE:
            lines.append(_what_to_do(task))
        subject = f"{drill}[{kind}·{NOTICE_TYPES[notice.type]}] {recall.number}"
        if proposal is not None:
            subject = f"[{_('待批准')}·{TURNINGS[proposal.turning]}] {recall.number}"
        elif recall.kind is RecallKind.RECALL and recall.status is RecallStatus.PENDING:
            subject = f"[{_('待批准')}·{kind}] {recall.number}"
    return {
        "subject": subject,
        "lines": lines,
        "link": link_of(task) if task is not None else address_of("recalls.show", number=recall.number),
        "type": recall.kind.value,
        "facts": {
            "number": notice.number,
            "notice": notice.type.value,
            "status": recall.status.value,
            "level": recall.level,
            "drill": recall.kind is RecallKind.DRILL,
            "reason": notice.reason,
            "reason_en": notice.reason_en,
            "lot_count": recall.lot_count,
            "lots": [lot.lot_number for lot in lots],
            "start_due_at": task.start_due_at.isoformat() if task is not None else None,
            "finish_due_on": task.finish_due_on.isoformat() if task is not None and task.finish_due_on else None,
        },
    }


def _what_to_do(task: RecallTask) -> str:
    """What a party is asked to do and by when, in a sentence."""
    start = f"{local(task.start_due_at):%Y-%m-%d %H:%M}"
    if task.finish_due_on is None:
        return str(_("请在 %(start)s 前确认，停止销售，封存存货，等待核查结果。", start=start))
    return str(
        _(
            "请在 %(start)s 前确认并停止销售，在 %(finish)s 前报告封存、退回和销毁的数量。",
            start=start,
            finish=f"{task.finish_due_on}",
        )
    )


def regulators_of(recall: Recall) -> list[Organisation]:
    """The regulators of the place of who issued a recall."""
    place = recall.authority.jurisdiction_code or recall.authority.division_code
    query = db.select(Organisation).where(
        Organisation.kind == OrganisationKind.REGULATOR, Organisation.jurisdiction_code.is_not(None)
    )
    return [
        row for row in db.session.scalars(query) if place.startswith(division_prefix(row.jurisdiction_code or "none"))
    ]


def escalate() -> None:
    """Tell the regulators, once, of everyone who has not begun in time."""
    with transaction():
        late = (
            _with_parties(db.select(RecallTask))
            .join(RecallTask.recall)
            .where(
                RecallTask.acknowledged_at.is_(None),
                RecallTask.escalated_at.is_(None),
                RecallTask.start_due_at < utc_now(),
                Recall.status == RecallStatus.ACTIVE,
                still_concerned(),
            )
            .with_for_update(of=RecallTask, key_share=True)
        )
        for task in db.session.scalars(late).all():
            task.escalated_at = utc_now()
            message = message_of(task.recall, task)
            with force_locale("zh_CN"):
                message["subject"] = f"[{_('逾期未确认')}] {task.recall.number} {party_name(task)}"
            message["link"] = address_of("recalls.show", number=task.recall.number)
            for regulator in regulators_of(task.recall):
                tell(regulator, message)


# ---- confirming and reporting


def _with_parties(query: sa.Select[RecallTask]) -> sa.Select[RecallTask]:
    return query.options(
        joinedload(RecallTask.recall).selectinload(Recall.notices),
        joinedload(RecallTask.recall).joinedload(Recall.authority),
        joinedload(RecallTask.organisation),
        joinedload(RecallTask.consignee),
        selectinload(RecallTask.reports).selectinload(RecallReport.photos),
    )


def party_name(task: RecallTask) -> str:
    if task.organisation is not None:
        return named(task.organisation)
    return task.consignee.name if task.consignee is not None else ""


def phones_of(tasks: Sequence[RecallTask]) -> dict[int, str]:
    """How the parties of tasks are reached, by the tasks' ids."""
    parties = {task.id: task.organisation or task.consignee for task in tasks}
    sent = phones_on_shipments(
        {task.recall_id for task in tasks},
        {task.organisation_id for task in tasks if task.organisation is not None and not task.organisation.phone},
    )
    return {
        task.id: party.phone or sent.get((task.recall_id, task.organisation_id), "")
        for task in tasks
        if (party := parties[task.id]) is not None
    }


def phones_on_shipments(
    recall_ids: Collection[int], organisation_ids: Collection[int | None]
) -> dict[tuple[int, int | None], str]:
    """The telephone numbers that the last shipments of recalls' lots give for organisations which have registered none,
    by recall and organisation."""
    if not organisation_ids:
        return {}
    query = (
        sa.select(RecallMember.recall_id, Shipment.consignee_organisation_id, Shipment.consignee_phone)
        .join(ShipmentLine, ShipmentLine.batch_id == RecallMember.batch_id)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(
            RecallMember.recall_id.in_(recall_ids),
            Shipment.consignee_organisation_id.in_(organisation_ids),
            Shipment.consignee_phone != "",
            Shipment.withdrawn_at.is_(None),
            Shipment.returns_id.is_(None),
        )
        .order_by(Shipment.departed_at, Shipment.id)
    )
    return {(recall_id, organisation_id): phone for recall_id, organisation_id, phone in db.session.execute(query)}


def task_by_token(token: str) -> RecallTask:
    """:raises NotFound:"""
    task: RecallTask | None = db.session.scalar(_with_parties(db.select(RecallTask).filter_by(token=token)))
    if task is None:
        raise NotFound
    return task


def tasks_of(recall: Recall) -> list[RecallTask]:
    """The tasks of everyone concerned, those first who have not confirmed."""
    query = _with_parties(db.select(RecallTask).filter_by(recall_id=recall.id)).order_by(
        RecallTask.acknowledged_at.is_not(None), RecallTask.start_due_at, RecallTask.id
    )
    return list(db.session.scalars(query))


def still_concerned() -> sa.ColumnElement[bool]:
    """Whether a recall as it stands has lots of a task's party. Narrowed down by all that a party had, it asks nothing
    of it any more."""
    counted = sa.select(RecallTaskLot.batch_id).where(RecallTaskLot.task_id == RecallTask.id)
    standing = counted.join(RecallMember, RecallMember.batch_id == RecallTaskLot.batch_id).where(
        RecallMember.recall_id == RecallTask.recall_id, RecallMember.removed_in.is_(None)
    )
    # Tasks older than the counting have none.
    return sa.or_(standing.exists(), ~counted.exists())


def open_tasks(user: User) -> list[RecallTask]:
    """What an organisation still has to do in recalls, holds and drills."""
    query = (
        _with_parties(db.select(RecallTask))
        .join(RecallTask.recall)
        .where(
            RecallTask.organisation_id == user.organisation_id,
            Recall.status == RecallStatus.ACTIVE,
            still_concerned(),
        )
        .order_by(RecallTask.acknowledged_at.is_not(None), RecallTask.start_due_at)
    )
    return list(db.session.scalars(query))


def _lots_of(task: RecallTask) -> sa.Select[Batch]:
    """The recall's lots that a party made or was sent, or had when they were counted."""
    counted = sa.select(RecallTaskLot.batch_id).where(RecallTaskLot.task_id == task.id)
    conditions: list[sa.ColumnElement[bool]] = [Batch.id.in_(counted)]
    if task.organisation_id is not None:
        conditions.append(Batch.producer_id == task.organisation_id)
    sent = (
        sa.select(ShipmentLine.batch_id)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(goods.sent_to(task), Shipment.withdrawn_at.is_(None))
    )
    query: sa.Select[Batch] = (
        db.select(Batch)
        .join(RecallMember, RecallMember.batch_id == Batch.id)
        .where(
            RecallMember.recall_id == task.recall_id,
            RecallMember.removed_in.is_(None),
            sa.or_(*conditions, Batch.id.in_(sent)),
        )
        .options(*_SHOWN)
        .order_by(Batch.id)
    )
    return query


def counted_lots(task: RecallTask, most: int = MOST_LOTS) -> list[Counted]:
    """A party's lots with what was in its hands when the recall reached them, and its latest word on each."""
    lots = list(db.session.scalars(_lots_of(task).limit(most)))
    supplied = _counted(task, lots)
    # Tasks older than the counting are held against what is there today.
    supplied |= _in_hand(task, [lot for lot in lots if lot.id not in supplied])
    latest = {report.batch_id: report for report in task.reports}
    back, away, lost = goods.came_back(task), goods.going_back(task), goods.lost_going_back(task)
    coming = goods.on_its_way_to(task)
    none = Decimal(0)
    return [
        Counted(
            lot,
            supplied[lot.id],
            latest.get(lot.id),
            came_back=back.get(lot.id, none),
            going_back=away.get(lot.id, none),
            lost_back=lost.get(lot.id, none),
            on_its_way=coming[lot.id].open if lot.id in coming else none,
        )
        for lot in lots
    ]


def lots_left_out(task: RecallTask) -> list[Counted]:
    """The lots that a party has reported on and that the recall was narrowed down by since."""
    standing = sa.select(RecallMember.batch_id).where(
        RecallMember.recall_id == task.recall_id, RecallMember.removed_in.is_(None)
    )
    latest = {report.batch_id: report for report in task.reports}
    query = db.select(Batch).where(Batch.id.in_(latest), Batch.id.not_in(standing)).options(*_SHOWN).order_by(Batch.id)
    lots = list(db.session.scalars(query)) if latest else []
    supplied = _counted(task, lots)
    return [Counted(lot, supplied.get(lot.id, latest[lot.id].total), latest[lot.id], left_out=True) for lot in lots]


def _counted(task: RecallTask, lots: Sequence[Batch]) -> dict[int, Decimal]:
    """How much a party had of lots when they were counted, and was on its way back to it, less what of it turned out
    never to have come."""
    query = sa.select(RecallTaskLot.batch_id, RecallTaskLot.supplied).where(
        RecallTaskLot.task_id == task.id, RecallTaskLot.batch_id.in_([lot.id for lot in lots])
    )
    found: dict[int, Decimal] = {row[0]: row[1] for row in db.session.execute(query)}
    if task.organisation_id is None:
        # It has no holding: what arrived is known by its receipts.
        there, back = received_of(list(found), goods.sent_to(task)), goods.sent_back_before(task)
        none = Decimal(0)
        return {
            lot_id: max(min(supplied, there.get(lot_id, none) - back.get(lot_id, none)), none)
            for lot_id, supplied in found.items()
        }
    since, coming = _known_since(task), goods.on_its_way_to(task)
    return {
        lot_id: max(supplied + since.get(lot_id, Decimal(0)), Decimal(0))
        + (coming[lot_id].coming if lot_id in coming else Decimal(0))
        for lot_id, supplied in found.items()
    }


def _known_since(task: RecallTask) -> dict[int, Decimal]:
    """What receipts and withdrawn shipments have told since of what an organisation had when it was counted, by lot."""
    query = (
        sa.select(RecallTaskLot.batch_id, sa.func.sum(LotMove.quantity))
        .join(LotMove, LotMove.batch_id == RecallTaskLot.batch_id)
        .join(ShipmentLine, ShipmentLine.id == LotMove.line_id)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(
            RecallTaskLot.task_id == task.id,
            LotMove.holder_id == task.organisation_id,
            LotMove.cause.in_((MoveCause.RECEIVED, MoveCause.WITHDRAWN)),
            LotMove.link_id.is_(None),
            LotMove.moved_at > RecallTaskLot.counted_at,
            Shipment.created_at <= RecallTaskLot.counted_at,
        )
        .group_by(RecallTaskLot.batch_id)
    )
    return {row[0]: row[1] for row in db.session.execute(query)}


def acknowledge(task: RecallTask, name: str) -> None:
    """Note that a party knows and has begun. The first word counts."""
    db.session.refresh(task, with_for_update={"of": RecallTask, "key_share": True})
    if task.acknowledged_at is None:
        task.acknowledged_at, task.acknowledged_by = utc_now(), name


def has_evidence(task: RecallTask) -> bool:
    """Whether a party has handed in a photo or a document before."""
    return any(report.photos or report.document_id is not None for report in task.reports)


def add_photo(report_id: int, photo: Photo) -> None:
    """Have a photo that came after a report stand with all lots that were told of together."""
    first = db.session.get_one(RecallReport, report_id)
    together = db.select(RecallReport).filter_by(task_id=first.task_id, reported_at=first.reported_at)
    for row in db.session.scalars(together):
        row.photos.append(photo)
    db.session.flush()


photos_go_to("report_id", add_photo)


QUANTITIES = ("sealed", "returned", "destroyed", "gone")


def report(
    task: RecallTask,
    amounts: Mapping[int, Mapping[str, Decimal]],
    *,
    name: str,
    note: str = "",
    photos: Sequence[StoredPhoto] = (),
    to_come: Sequence[str] = (),
    pdf: tuple[str, bytes] | None = None,
) -> list[RecallReport]:
    """Note what became of lots at a party.

    :param amounts: by lot: ``sealed``, ``returned``, ``destroyed``, ``gone``; what is missing is 0.
    :raises RecallOver, NothingReported, NoEvidence, MoreThanSupplied, AlreadyBack, MoreThanReturnable:
    """
    if any(parts.get("returned") for parts in amounts.values()):
        goods.hold_counters(task, amounts)
    hold_lots(amounts)
    db.session.refresh(task, with_for_update={"of": RecallTask, "key_share": True})
    if task.recall.status is not RecallStatus.ACTIVE:
        raise RecallOver(number=task.recall.number)
    lots = {counted.batch.id: counted for counted in counted_lots(task)}
    if not amounts.keys() & lots.keys():
        raise NothingReported
    told = {
        lot_id: {quantity: parts.get(quantity, Decimal(0)) for quantity in QUANTITIES}
        for lot_id, parts in amounts.items()
        if lot_id in lots
    }
    for lot_id, values in told.items():
        counted = lots[lot_id]
        if sum(values.values()) > counted.at_hand:
            raise goods.more_than(counted.batch, counted.at_hand)
    destroyed = any(values["destroyed"] for values in told.values())
    shown = photos or to_come or pdf or has_evidence(task)
    if destroyed and not shown and task.recall.kind is not RecallKind.DRILL:
        raise NoEvidence
    author = Author(None, task.organisation_id or task.recall.authority_id)
    kept = keep_photos(author, photos)
    document = keep_document(author, *pdf, "pdf") if pdf is not None else None
    made, now = [], utc_now()
    for lot_id, values in told.items():
        row = RecallReport(task_id=task.id, batch_id=lot_id, note=note, reported_by=name, reported_at=now, **values)
        row.photos, row.document = list(kept), document
        db.session.add(row)
        made.append(row)
    acknowledge(task, name)
    db.session.flush()
    if made:
        expect(author, to_come, len(kept), report_id=made[0].id)
    for row in made if task.recall.kind is not RecallKind.DRILL else ():
        goods.settle(task, lots[row.batch_id].batch, row)
    return made
