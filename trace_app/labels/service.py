"""Label runs: asking for codes, voiding spoiled ones, and what a code stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

import sqlalchemy as sa
import structlog
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload, selectinload

from qr.codes import CODE_LENGTH, MAX_INDEX, MAX_RUN, InvalidCode, LabelCode, normalise_code
from qr.labels import Labels, SsccRange
from qr.layout import VARIABLE_FIELDS
from qr.symbol import Mask, SymbolFamily, symbol_family
from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import User
from trace_app.batches import service as batches
from trace_app.batches.models import Batch, BatchStatus
from trace_app.db import counters
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.gs1 import sscc_serials
from trace_app.labels.keys import code_book
from trace_app.labels.models import LabelLevel, LabelRun, VoidedLabels
from trace_app.settings import settings

MAX_LABELS = MAX_INDEX
"""Codes of one run. More are made in several runs."""
CONTAINERS = (LabelLevel.CASE, LabelLevel.PALLET)
EXTENSION_DIGIT = "0"
"""The extension digit of SSCCs: a producer's own choice (GS1 General Specifications, 3.2)."""
SSCC_LINK = "00/"
"""The path of symbols that carry a container's SSCC."""
NEARLY_FULL = 80
"""The share of a key's runs in per cent from which on its end is told of."""
_DOCUMENTS = sa.table("commitment_certificates", *map(sa.column, ("run_id", "index", "batch_id")))
"""Where the lots of documents are: in a room above."""
_GS1_LOT = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]{1,20}")
_RANGE = re.compile(r"(\d+)-(\d+)")

log = structlog.get_logger()


class CountOutOfRange(Unprocessable):
    title = _("标签张数须为 1 到 %(most)s。更多请分几次生成。")


class NoGtin(Unprocessable):
    """GS1 Digital Link needs a GTIN, or for containers a company prefix."""

    title = _("要用 GS1 数字链接，请先在“我的产品”里填写商品条码（GTIN）；箱和托盘须先登记 GS1 厂商识别代码。")


class LotNotForGs1(Unprocessable):
    """GS1's batch or lot number, AI (10), has up to 20 characters of its own set (General Specifications, 3.4.1)."""

    title = _("批次号“%(lot)s”不能放进 GS1 数字链接：最多 20 位字母、数字和 - _ . 等半角符号，不能有汉字。")


class SerialsUsedUp(Problem):
    title = _("厂商识别代码 %(prefix)s 的箱号（SSCC）已用完，请联系管理员。")


class RunsUsedUp(Problem):
    """A key has 4,194,304 runs, however many labels each has."""

    title = _(
        "标签密钥 %(key)s 已用完，不能再生成新码。请联系管理员运行 flask keys rotate 并重启服务；已印的标签不受影响。"
    )


class RangeOutOfRun(Unprocessable):
    title = _("序号须在 1 到 %(most)s 之间，且起始不大于结束。")


class AlreadyVoid(Problem):
    title = _("序号 %(first)s 到 %(last)s 已全部作废，不必再作废。")


def request_run(
    user: User, batch: Batch, *, count: int, level: LabelLevel = LabelLevel.ITEM, pin: bool = False, link: bool = False
) -> LabelRun:
    """Give out the codes of a new run for a released batch.

    :param link: symbols are GS1 Digital Links.
    :raises NotReleased, UnderRecall, AlreadyClosed, CountOutOfRange, NoGtin, SerialsUsedUp, KeyTrouble, RunsUsedUp:
    """
    if not 1 <= count <= MAX_LABELS:
        raise CountOutOfRange(most=MAX_LABELS)
    run = _new_run(user, level, 1 if level is LabelLevel.BATCH else count)
    run.has_pin = pin
    with db.session.no_autoflush:
        # The producer's counter comes before the lot, the platform's after it.
        if level in CONTAINERS and batch.producer.gs1_prefix:
            _number_containers(run, batch.producer.gs1_prefix)
        batches.must_be_on_sale(batch)
        run.batch_id, run.batch = batch.id, batch
        if link:
            run.link = _link_path(batch, run)
        _number_run(run)
    db.session.add(run)
    db.session.flush()
    audit.note(user, "request", run, batch=batch.id, count=run.count, level=level.value)
    return run


def run_of_documents(user: User) -> LabelRun:
    """A run for documents, as many as it has indices. What each of them is of, says the document."""
    run = _new_run(user, LabelLevel.DOCUMENT, MAX_INDEX + 1)
    _number_run(run)
    db.session.add(run)
    db.session.flush()
    return run


def _new_run(user: User, level: LabelLevel, count: int) -> LabelRun:
    key = code_book().newest
    return LabelRun(level=level, count=count, has_pin=False, key_number=key, created_by_id=user.id, voided="", link="")


def _number_run(run: LabelRun) -> None:
    """Give a run its key's next number. All producers wait here for one another: nothing else is held after it."""
    number = counters.take("label_run", run.key_number)
    if number > MAX_RUN:
        raise RunsUsedUp(key=run.key_number)
    run.run_number = number
    share = used_share(number + 1)
    if share >= NEARLY_FULL and share > used_share(number):
        log.warning("label key nearly full: run flask keys rotate", key=run.key_number, used_percent=share)


def used_share(runs: int) -> int:
    """So many runs in per cent of what a key has."""
    return runs * 100 // (MAX_RUN + 1)


def runs_used(key_number: int) -> int:
    """How many run numbers of a key have been given out."""
    return counters.taken("label_run", key_number)


def _number_containers(run: LabelRun, prefix: str) -> None:
    """Give a run's containers the next SSCCs of their producer's company prefix."""
    first = counters.take("sscc", EXTENSION_DIGIT + prefix, count=run.count)
    if first + run.count > sscc_serials(prefix):
        raise SerialsUsedUp(prefix=prefix)
    run.sscc_stem, run.sscc_first = EXTENSION_DIGIT + prefix, first


def _link_path(batch: Batch, run: LabelRun) -> str:
    """The path of GS1 Digital Link URIs before what differs (GS1 Digital Link: URI Syntax, 4.3)."""
    if run.sscc_stem:
        return SSCC_LINK
    if not batch.product.gtin or run.level in CONTAINERS:
        raise NoGtin
    if not _GS1_LOT.fullmatch(batch.lot_number):
        raise LotNotForGs1(lot=batch.lot_number)
    return _item_link(batch.product.gtin, batch.lot_number)


def _item_link(gtin: str, lot: str) -> str:
    return f"01/{gtin}/10/{quote(lot, safe='')}/21/"


def symbol_prefix(link: str) -> str:
    """What stands before code or SSCC in a run's symbols."""
    return settings().code_prefix + link


def family_of(run: LabelRun, mask: Mask = "best") -> SymbolFamily:
    return symbol_family(
        symbol_prefix(run.link), VARIABLE_FIELDS["sscc"] if run.link == SSCC_LINK else CODE_LENGTH, mask
    )


def labels_of(run: LabelRun, first: int, count: int, mask: Mask = "best") -> Labels:
    """The labels of a range of a run, for the writers of `qr`."""
    sscc = SsccRange(run.sscc_stem, run.sscc_first) if run.sscc_stem and run.sscc_first is not None else None
    return Labels(
        family_of(run, mask),
        code_book(),
        run.key_number,
        run.run_number,
        first,
        count,
        copies=run.level is LabelLevel.BATCH,
        sscc=sscc,
        symbol_is_sscc=run.link == SSCC_LINK,
    )


def void_labels(user: User, run: LabelRun, first: int, last: int, reason: str) -> VoidedLabels:
    """Take spoiled labels out of use, for good: each scan of them says so from the commit on.

    :param first: index of the first, ``last`` of the last.
    :raises RangeOutOfRun, AlreadyVoid:
    """
    db.session.refresh(run, with_for_update={"of": LabelRun, "key_share": True})
    if not 0 <= first <= last < run.count:
        raise RangeOutOfRun(most=run.count)
    ranges = _ranges(run.voided)
    if any(a <= first and last <= b for a, b in ranges):
        raise AlreadyVoid(first=first + 1, last=last + 1)
    run.voided = " ".join(f"{a}-{b}" for a, b in _united([*ranges, (first, last)]))
    row = VoidedLabels(run=run, first=first, last=last, reason=reason, created_by_id=user.id)
    db.session.add(row)
    db.session.flush()
    audit.note(user, "void", run, first=first, last=last, reason=reason)
    return row


def _ranges(voided: str) -> list[tuple[int, int]]:
    return [(int(first), int(last)) for first, last in _RANGE.findall(voided)]


def _united(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    united: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if united and first <= united[-1][1] + 1:
            united[-1] = united[-1][0], max(united[-1][1], last)
        else:
            united.append((first, last))
    return united


def is_void(voided: str, index: int) -> bool:
    """Whether an index lies in a run's voided ranges."""
    return bool(voided) and any(first <= index <= last for first, last in _ranges(voided))


def voided_count(run: LabelRun) -> int:
    return sum(last - first + 1 for first, last in _ranges(run.voided))


def run_for(user: User, run_id: int) -> LabelRun:
    """A run of a batch that the user may see.

    :raises NotFound: where there is none.
    """
    run = db.session.get(LabelRun, run_id, options=[joinedload(LabelRun.batch)])
    if run is None or run.batch_id is None:
        raise NotFound
    batches.batch_for(user, run.batch_id)
    return run


def runs_of(batch: Batch) -> list[LabelRun]:
    """The runs of a batch that labels were printed of, the latest first.

    Codes that were given out for something else, such as a commitment certificate, are in none of them.
    """
    query = db.select(LabelRun).filter_by(batch_id=batch.id).where(LabelRun.jobs.any()).order_by(LabelRun.id.desc())
    query = query.options(selectinload(LabelRun.jobs))
    return list(db.session.scalars(query))


def is_printable(batch: Batch) -> bool:
    """Whether labels of a batch may be printed now."""
    return batch.status is BatchStatus.RELEASED and not batch.recalled and not batches.is_held(batch)


def labels_made(batch: Batch) -> int:
    """How many codes a batch's runs hold together."""
    query = db.select(sa.func.coalesce(sa.func.sum(LabelRun.count), 0)).filter_by(batch_id=batch.id)
    return int(db.session.scalar(query) or 0)


def printable_run(user: User, run_id: int) -> LabelRun:
    """A run whose labels may be printed now.

    :raises NotFound, UnderRecall, AlreadyClosed:
    """
    run = run_for(user, run_id)
    batches.must_be_on_sale(run.batch)
    return run


def code_of(run: LabelRun, index: int) -> str:
    """The code of one label of a run.

    :raises NotFound: for an index outside the run.
    """
    if not 0 <= index < run.count:
        raise NotFound
    return code_book().code(run.run_number, index, key_number=run.key_number)


def codes_of(run: LabelRun, start: int, count: int) -> list[str]:
    """Up to ``count`` codes of a run from an index on."""
    count = max(0, min(count, run.count - start))
    if start < 0 or not count:
        return []
    rows = code_book().codes(run.run_number, start, count, key_number=run.key_number)
    return [row.tobytes().decode() for row in rows]


def url_of(run: LabelRun, index: int) -> str:
    """What the symbol of a run's label says."""
    return labels_of(run, index, 1).url(index)


@dataclass(frozen=True, slots=True)
class ScannedLabel:
    """A label that was given out, by its code."""

    code: str
    batch_id: int
    run_id: int
    """The id of the run's row: not the number in the code."""
    index: int
    level: LabelLevel
    """What it stands on; a document goes with a whole lot, as a label of it does."""
    has_pin: bool
    void: bool
    link: str
    """The path that was printed before its code; empty where the code stands alone."""


def label_of_code(text: str) -> ScannedLabel:
    """The label with this code, by one indexed read.

    :param text: as people type it.
    :raises InvalidCode: where it is none that we gave out, or its batch never left the producer.
    """
    code = normalise_code(text)
    label = code_book().read(code)
    query = (
        db.select(
            LabelRun.id,
            LabelRun.count,
            LabelRun.level,
            LabelRun.has_pin,
            LabelRun.voided,
            LabelRun.link,
            Batch.id,
            Batch.status,
            Batch.recalled,
        )
        .join(Batch, Batch.id == sa.func.coalesce(LabelRun.batch_id, _lot_of_document(label.index)))
        .where(_is_in(label))
    )
    row = db.session.execute(query).first()
    if row is None:
        raise InvalidCode(code)
    run_id, count, level, has_pin, voided, link, batch_id, status, recalled = row
    if label.index >= count or (status is BatchStatus.DRAFT and not recalled):
        raise InvalidCode(code)
    level = LabelLevel.BATCH if level is LabelLevel.DOCUMENT else level
    return ScannedLabel(code, batch_id, run_id, label.index, level, has_pin, is_void(voided, label.index), link)


def _is_in(label: LabelCode) -> sa.ColumnElement[bool]:
    """Whether a run is the one that a code names."""
    return sa.and_(LabelRun.key_number == label.key_number, LabelRun.run_number == label.run)


def _lot_of_document(index: int) -> sa.ScalarSelect[int]:
    return (
        sa.select(_DOCUMENTS.c.batch_id)
        .where(_DOCUMENTS.c.run_id == LabelRun.id, _DOCUMENTS.c.index == index)
        .correlate(LabelRun)
        .scalar_subquery()
    )


def never_made(text: str) -> tuple[int, int, int | None] | None:
    """Run, index and batch of a code that is rightly encrypted, of a label that was never made or left its producer.

    None for any other text, and for the batch of a document. Such a code can only come from who has the key, or from a
    label of a draft.
    """
    try:
        read = code_book().read(normalise_code(text))
    except InvalidCode:
        return None
    row = db.session.execute(db.select(LabelRun.id, LabelRun.batch_id).where(_is_in(read))).first()
    return (row.id, read.index, row.batch_id) if row is not None else None


def opens_by_link(label: ScannedLabel, gtin: str, lot: str) -> bool:
    """Whether GTIN and lot of a GS1 Digital Link are the label's: as printed, whatever was corrected since.

    Those of its batch today will do where the code was printed alone.
    """
    if label.link:
        return label.link == _item_link(gtin, lot)
    batch = db.session.get_one(Batch, label.batch_id)
    return (batch.product.gtin, batch.lot_number) == (gtin, lot)


def code_of_sscc(sscc: str) -> str:
    """The code of the container with this SSCC.

    :param sscc: 18 digits with a right check digit.
    :raises InvalidCode: where we gave it to none.
    """
    for length in range(4, 13):
        stem, serial = sscc[: 1 + length], int(sscc[1 + length : -1])
        query = db.select(LabelRun).where(
            LabelRun.sscc_stem == stem, LabelRun.sscc_first <= serial, LabelRun.sscc_first + LabelRun.count > serial
        )
        run = db.session.scalar(query)
        if run is not None:
            return code_of(run, serial - (run.sscc_first or 0))
    raise InvalidCode(sscc)
