"""Packing: items into cases, cases onto pallets, by scanning (EPCIS aggregation).

A container holds labels of its own batch, so a recall of the batch is a recall of the container.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from qr.codes import InvalidCode, format_code, normalise_code
from trace_app.accounts import audit
from trace_app.accounts.models import User
from trace_app.batches import service as batches
from trace_app.batches.models import Batch
from trace_app.db.base import utc_now
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.gs1 import SSCC_LENGTH, NotGs1, read_sscc
from trace_app.labels.models import LabelLevel, LabelRun, Packing
from trace_app.labels.service import CONTAINERS, ScannedLabel, code_of, code_of_sscc, label_of_code

ORDER = (LabelLevel.ITEM, LabelLevel.CASE, LabelLevel.PALLET)
"""What goes into what: each into any that stands behind it."""
MOST_CONTENTS = 2000
_SSCC_IN_LINK = re.compile(rf"(?:^|/)00/(\d{{{SSCC_LENGTH}}})\b")


class NoSuchLabel(Problem):
    status = 404
    title = _("没有“%(text)s”这个码，请对准二维码再扫一次，或核对 13 位字符。")


class NotAContainer(Unprocessable):
    title = _("%(code)s 不是箱或托盘的标签。请先扫箱（托盘）上的标签。")


class DoesNotGoInto(Unprocessable):
    title = _("%(code)s 不能装进这里：托盘装箱或单件，箱装单件。")


class OfAnotherBatch(Unprocessable):
    title = _("%(code)s 属于批次 %(lot)s，与这一箱不是同一批，不能装在一起。")


class AlreadyPacked(Problem):
    title = _("%(code)s 已经装在 %(container)s 里，请先从那里取出。")


class AlreadyHere(Problem):
    title = _("%(code)s 已经在这一箱里，没有重复计数。")


class LabelIsVoid(Problem):
    title = _("%(code)s 已作废，不能装箱。")


class ContainerFull(Problem):
    title = _("一箱最多 %(most)s 件。")


@dataclass(frozen=True, slots=True)
class Content:
    """What lies in a container."""

    code: str
    level: LabelLevel
    packing: Packing


def code_from_scan(text: str) -> str:
    """The code in what a scanner typed, a camera read or a person entered: a code, a link, or an SSCC.

    :raises InvalidCode: where it has not the shape of a code of ours, or the SSCC is none of ours.
    """
    text = text.strip()
    link = _SSCC_IN_LINK.search(text)
    digits = re.sub(r"[\s()]", "", text)
    if not link and not (digits.isdigit() and len(digits) in {SSCC_LENGTH, SSCC_LENGTH + 2}):
        return normalise_code(text)
    try:
        return code_of_sscc(read_sscc(link[1] if link else digits[-SSCC_LENGTH:]))
    except NotGs1 as error:
        raise InvalidCode(text) from error


def label_from_scan(text: str) -> ScannedLabel:
    """The label of what was scanned.

    :raises NoSuchLabel:
    """
    try:
        return label_of_code(code_from_scan(text))
    except InvalidCode as error:
        raise NoSuchLabel(text=text.strip()[:60]) from error


def own_container(user: User, text: str) -> tuple[ScannedLabel, Batch]:
    """A case or pallet of the user's own.

    :raises NoSuchLabel, NotAContainer:
    """
    label, batch = _own(user, text)
    if label.level not in CONTAINERS:
        raise NotAContainer(code=format_code(label.code))
    return label, batch


def _own(user: User, text: str) -> tuple[ScannedLabel, Batch]:
    label = label_from_scan(text)
    batch = db.session.get_one(Batch, label.batch_id)
    if batch.producer_id != user.organisation_id:
        raise NoSuchLabel(text=text[:60])
    return label, batch


def pack(user: User, container: ScannedLabel, text: str) -> ScannedLabel:
    """Put what was scanned into a container.

    :raises NoSuchLabel, DoesNotGoInto, OfAnotherBatch, LabelIsVoid, AlreadyHere, AlreadyPacked, ContainerFull,
        UnderRecall, AlreadyClosed:
    """
    label, batch = _own(user, text)
    batches.must_be_on_sale(db.session.get_one(Batch, container.batch_id))
    # One scan after the other for a container: its row is the lock.
    db.session.get_one(LabelRun, container.run_id, with_for_update={"key_share": True})
    printed = format_code(label.code)
    if label.level not in ORDER or ORDER.index(label.level) >= ORDER.index(container.level):
        raise DoesNotGoInto(code=printed)
    if label.batch_id != container.batch_id:
        raise OfAnotherBatch(code=printed, lot=batch.lot_number)
    if label.void or container.void:
        raise LabelIsVoid(code=printed if label.void else format_code(container.code))
    now_in = _packing_of(label)
    if now_in is not None:
        if (now_in.container_run_id, now_in.container_index) == (container.run_id, container.index):
            raise AlreadyHere(code=printed)
        holder = db.session.get_one(LabelRun, now_in.container_run_id)
        raise AlreadyPacked(code=printed, container=format_code(code_of(holder, now_in.container_index)))
    if content_count(container) >= MOST_CONTENTS:
        raise ContainerFull(most=MOST_CONTENTS)
    db.session.add(
        Packing(
            container_run_id=container.run_id,
            container_index=container.index,
            run_id=label.run_id,
            index=label.index,
            packed_by_id=user.id,
        )
    )
    db.session.flush()
    return label


def unpack(user: User, container: ScannedLabel, packing_id: int) -> None:
    """Take something out of a container. That it lay there stays on record."""
    row = db.session.get(Packing, packing_id, with_for_update={"key_share": True})
    if row is None or (row.container_run_id, row.container_index) != (container.run_id, container.index):
        return
    if row.unpacked_at is None:
        row.unpacked_at, row.unpacked_by_id = utc_now(), user.id
        audit.note(user, "unpack", row.run, index=row.index)


def _packing_of(label: ScannedLabel) -> Packing | None:
    query = sa.select(Packing).where(
        Packing.run_id == label.run_id, Packing.index == label.index, Packing.unpacked_at.is_(None)
    )
    return db.session.scalar(query)


def _inside(container: ScannedLabel) -> sa.ColumnElement[bool]:
    return sa.and_(
        Packing.container_run_id == container.run_id,
        Packing.container_index == container.index,
        Packing.unpacked_at.is_(None),
    )


def content_count(container: ScannedLabel) -> int:
    return int(db.session.scalar(sa.select(sa.func.count()).select_from(Packing).where(_inside(container))) or 0)


def contents_of(container: ScannedLabel) -> list[Content]:
    """What lies in a container, the latest first."""
    query = db.select(Packing).join(Packing.run).where(_inside(container)).order_by(Packing.id.desc())
    return [Content(code_of(row.run, row.index), row.run.level, row) for row in db.session.scalars(query)]
