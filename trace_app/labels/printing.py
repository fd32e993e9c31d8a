"""Print jobs: making label files in the background, in volumes, with progress; cancelled, resumed, repeated.

A job belongs to the worker that has claimed it. Each volume is kept as soon as it is whole, so a job whose
worker was killed goes on with the next volume; and since a code follows from run and index alone, none can be
given twice or left out.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import BinaryIO, cast

import sqlalchemy as sa
import structlog
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from media_store import StoreUnavailable
from qr.art import LabelArt
from qr.check import CannotBeRead, check_file
from qr.codes import CODE_LENGTH, CodeBook
from qr.formats import FORMATS
from qr.labels import Labels, SsccRange
from qr.layout import Layout
from qr.picture import render_png, render_svg
from qr.symbol import symbol_family
from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import User
from trace_app.batches import service as batches
from trace_app.batches.models import Batch, BatchStatus
from trace_app.db.base import utc_now
from trace_app.db.session import count_written, transaction
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db, jobs
from trace_app.labels.amounts import TooManyLabels, label_room
from trace_app.labels.certified import certificate_words, certified_text, must_show_words, text_of_job
from trace_app.labels.contents import items_each_of
from trace_app.labels.layouts import (
    art_of,
    fault_message,
    for_a_table,
    label_text,
    layout_for_run,
    layout_of_job,
    layouts_of,
    must_say_all,
    sample_text,
    shows_pin,
)
from trace_app.labels.models import LabelLevel, LabelRun, PrintJob, PrintStatus, PrintVolume
from trace_app.labels.service import (
    CONTAINERS,
    MAX_LABELS,
    CountOutOfRange,
    RangeOutOfRun,
    ScannedLabel,
    family_of,
    labels_of,
    request_run,
    run_for,
    symbol_prefix,
)
from trace_app.media.service import media_store, must_have_a_store
from trace_app.values import Facts

EXTENSIONS = {"pdf": "pdf", "zpl": "zpl", "tspl": "prn", "csv": "csv"}
THERMAL_VOLUME = 20_000
"""Labels in a file for a thermal printer, where nothing else is asked for: 120 MB at the most."""
SECONDS_BETWEEN_SIGNS = 0.5
DEAD_AFTER = timedelta(seconds=45)
"""A worker without a sign of life for so long is taken for dead."""
QUIET_AFTER = timedelta(seconds=15)
"""Nobody is told how long it will still take, once its worker has been silent for so long."""
SLOWEST_STORE_BYTES_PER_S = 200_000
LOST_AFTER = timedelta(minutes=10)
"""A job that has waited for so long is put on the queue again."""

PREVIEW_CODES = CodeBook({0: bytes(32)})

log = structlog.get_logger()


class FormatNeedsRoll(Unprocessable):
    title = _("A4 不干胶请选 PDF：%(format)s 只用于卷筒标签打印机。")


class FileNotReady(Problem):
    title = _("标签文件还没有做好，请稍候再试。")


class AlreadyFinished(Problem):
    code = "print-job-finished"
    title = _("这次打印已经完成或取消，不能再取消。")


class NotToRetry(Problem):
    code = "print-job-not-failed"
    title = _("只有失败或取消的打印可以重做。")


class _Stopped(Exception):
    """The job was cancelled, or another worker has taken it over."""


@dataclass(frozen=True, slots=True)
class PrintProgress:
    """How far a job is: share from 0 to 1, labels a second and seconds left where they can be told."""

    share: float
    rate: float | None = None
    seconds_left: float | None = None
    stands_still: bool = False
    """Its worker has given no sign for a while: the look of each minute has another take it over."""


def order_labels(
    user: User,
    batch: Batch,
    *,
    layout: str,
    count: int,
    level: LabelLevel = LabelLevel.ITEM,
    format_name: str = "pdf",
    pin: bool = False,
    link: bool = False,
    per_volume: int | None = None,
    items_each: int | None = None,
    as_certificate: bool = False,
    marked_elsewhere: bool = False,
    excess_reason: str = "",
) -> PrintJob:
    """Ask for labels of a released batch. The files are made by a job: call `enqueue` after the commit.

    :param layout: see `layout_for_run`.
    :param items_each: how many single items each case or pallet holds.
    :param as_certificate: whether the labels are the lot's commitment certificate as well.
    :param marked_elsewhere: whether what the layout leaves off stands on the pack already.
    :param excess_reason: why more labels are needed than the lot has goods for.
    :raises Problem: of `request_run`, `layout_for_run`, `certified`, `TooManyLabels`, `LeavesOff` and
        `FormatNeedsRoll`; nothing is kept then.
    """
    if not 1 <= count <= MAX_LABELS:
        raise CountOutOfRange(most=MAX_LABELS)
    run = request_run(user, batch, count=count, level=level, pin=pin, link=link)
    if level is LabelLevel.ITEM:
        _must_fit_the_goods(batch, run, excess_reason)
    items_each = items_each if level in CONTAINERS else None
    text = certified_text(batch, level, items_each, as_certificate=as_certificate)
    if format_name == "csv":
        text = for_a_table(text)
    name, chosen = layout_for_run(user, run, layout, text, pin=pin)
    if as_certificate:
        must_show_words(chosen, format_name)
    # Who is given a table of codes prints labels of its own.
    if format_name != "csv" and not marked_elsewhere:
        must_say_all(chosen, text, level)
    run.has_pin = shows_pin(chosen)
    job = _add_job(user, run, name, chosen, 0, count, format_name, per_volume, items_each)
    job.as_certificate = as_certificate
    return job


def _must_fit_the_goods(batch: Batch, run: LabelRun, reason: str) -> None:
    """:raises TooManyLabels:"""
    found = label_room(batch)
    if not found.is_exceeded_by(0):
        return
    if not reason:
        before = found.printed - run.count
        raise TooManyLabels(room=f"{found.room:,}", printed=f"{before:,}", count=f"{run.count:,}")
    run.excess_reason = reason
    # The authority is told by the next check.
    batch.checked_on = None


def order_like(user: User, run_id: int) -> Facts:
    """What a form begins with that prints labels as an earlier run of the user's was printed.

    :raises NotFound:
    """
    run = run_for(user, run_id)
    if not run.jobs:
        raise NotFound
    first = run.jobs[0]
    own = {row.name: f"own-{row.id}" for row in layouts_of(user)}
    return {
        "count": run.count,
        "level": run.level.value,
        "stock": own.get(first.layout_name, first.layout_name),
        "format": first.format,
        "pin": run.has_pin,
        "link": bool(run.link),
        "items_each": first.items_each,
        "as_certificate": first.as_certificate,
    }


def print_again(user: User, run: LabelRun, job: PrintJob, first: int, last: int, reason: str) -> PrintJob:
    """Print a range of a run anew, with the same codes. Call `enqueue` after the commit.

    :param job: whose layout and format are taken.
    :raises NotReleased, UnderRecall, AlreadyClosed, RangeOutOfRun, ContentsDiffer, TextDoesNotFit:
    :raises NoCertificateBehindThem, CertificateStaysApart: of labels that were the lot's certificate.
    """
    batches.must_be_on_sale(run.batch)
    copies = run.level is LabelLevel.BATCH
    most = MAX_LABELS if copies else run.count
    if not 0 <= first <= last < most:
        raise RangeOutOfRun(most=most)
    layout = layout_of_job(job)
    first_index, count = 0 if copies else first, last - first + 1
    items_each = items_each_of(run, first_index, count, job.items_each)
    text = text_of_job(job, items_each)
    if items_each != job.items_each:
        art_of(text, layout, family_of(run, layout.symbol.mask).form)
    again = _add_job(
        user, run, job.layout_name, layout, first_index, count, job.format, job.per_volume, items_each, reason
    )
    again.as_certificate = job.as_certificate
    audit.note(user, "print-again", run, first=first, last=last, reason=reason)
    return again


def _add_job(
    user: User,
    run: LabelRun,
    layout_name: str,
    layout: Layout,
    first: int,
    count: int,
    format_name: str,
    per_volume: int | None,
    items_each: int | None,
    reason: str = "",
) -> PrintJob:
    if FORMATS[format_name].thermal and not layout.paper_stock.is_roll:
        raise FormatNeedsRoll(format=format_name.upper())
    job = PrintJob(
        run=run,
        first=first,
        count=count,
        format=format_name,
        layout_name=layout_name,
        layout=layout.plain(),
        per_volume=min(per_volume or (THERMAL_VOLUME if FORMATS[format_name].thermal else count), count),
        items_each=items_each,
        reason=reason,
        created_by_id=user.id,
    )
    db.session.add(job)
    db.session.flush()
    return job


def enqueue(job: PrintJob) -> None:
    jobs.enqueue(make_files, job.id)


def enqueue_clearing(job: PrintJob) -> None:
    jobs.enqueue(drop_files, job.id)


@jobs.task
def make_files(job_id: int) -> None:
    """Make a job's files, check that they read, and offer them."""
    worker = secrets.token_hex(8)
    if not _claim(job_id, worker):
        return
    try:
        _write_volumes(job_id, worker)
    except _Stopped:
        drop_files(job_id)
    except StoreUnavailable as error:
        # What is whole already stays; the look of each minute has it gone on with.
        log.warning("a print job waits for the store", job=job_id, exc_info=error)
        ready = _labels_ready(job_id).scalar_subquery()
        _set(job_id, worker, status=PrintStatus.WAITING, failure=str(_("存储暂时不可用")), done=ready)
    except Exception as error:
        log.exception("print job failed", job=job_id)
        _set(job_id, worker, status=PrintStatus.FAILED, failure=_why(error), done=0)
        drop_files(job_id)
    else:
        _set(job_id, worker, status=PrintStatus.READY, finished_at=utc_now())


def _why(error: Exception) -> str:
    if isinstance(error, Problem):
        return error.message[:300]
    if isinstance(error, CannotBeRead):
        return str(_("第 %(number)d 张标签识读不出，文件未交付", number=error.position + 1))
    return type(error).__name__


def _claim(job_id: int, worker: str) -> bool:
    """Take a job that waits, or whose worker is dead."""
    now = utc_now()
    free = sa.or_(
        PrintJob.status == PrintStatus.WAITING,
        sa.and_(PrintJob.status == PrintStatus.WORKING, PrintJob.alive_at < now - DEAD_AFTER),
    )
    with transaction():
        ready = db.session.scalar(_labels_ready(job_id)) or 0
        claim = (
            sa.update(PrintJob)
            .where(PrintJob.id == job_id, free)
            .values(
                status=PrintStatus.WORKING,
                worker=worker,
                alive_at=now,
                started_at=now,
                failure="",
                done=ready,
                started_with=ready,
            )
        )
        return bool(count_written(claim))


def _labels_ready(job_id: int) -> sa.Select[int]:
    """How many labels are in volumes that are whole."""
    return sa.select(sa.func.coalesce(sa.func.sum(PrintVolume.count), 0)).where(PrintVolume.job_id == job_id)


def _set(job_id: int, worker: str, **values: object) -> bool:
    """Change a job that is still this worker's, in a transaction of its own. Returns whether it was."""
    with transaction():
        return _change_own(job_id, worker, **values)


def _change_own(job_id: int, worker: str, **values: object) -> bool:
    change = (
        sa.update(PrintJob)
        .where(PrintJob.id == job_id, PrintJob.worker == worker, PrintJob.status == PrintStatus.WORKING)
        .values({"alive_at": utc_now(), **values})
    )
    return bool(count_written(change))


class _SignOfLife:
    """Tells the database how far the work is, not more often than is of use."""

    def __init__(self, job_id: int, worker: str, before: int) -> None:
        self._job_id, self._worker, self._before = job_id, worker, before
        self._next = 0.0

    def __call__(self, done: int) -> None:
        if time.monotonic() < self._next:
            return
        if not _set(self._job_id, self._worker, done=self._before + done):
            raise _Stopped
        self._next = time.monotonic() + SECONDS_BETWEEN_SIGNS


def _write_volumes(job_id: int, worker: str) -> None:
    job = db.session.get_one(PrintJob, job_id)
    run = job.run
    layout = layout_of_job(job)
    text = text_of_job(job, job.items_each)
    art = art_of(text, layout, family_of(run, layout.symbol.mask).form)
    copies = run.level is LabelLevel.BATCH
    ready = {volume.number for volume in job.volumes}
    tasks = []
    for number in range(1, job.volume_count + 1):
        done = (number - 1) * job.per_volume
        count = min(job.per_volume, job.count - done)
        labels = labels_of(run, job.first if copies else job.first + done, count, layout.symbol.mask)
        tasks.append((number, done, labels))
    format_name = job.format
    for number, done, labels in tasks:
        if number not in ready:
            _write_volume(job_id, worker, number, done, labels, art, format_name)


def _write_volume(
    job_id: int, worker: str, number: int, before: int, labels: Labels, art: LabelArt, format_name: str
) -> None:
    signs = _SignOfLife(job_id, worker, before)
    # A file that could not be put down would be made in vain.
    must_have_a_store()
    key = f"labels/{job_id}-{number}-{secrets.token_hex(8)}.{EXTENSIONS[format_name]}"
    with tempfile.TemporaryFile() as file:
        out = cast(BinaryIO, file)
        FORMATS[format_name].write(out, art, labels, progress=signs)
        size = file.seek(0, 2)
        # Reading back and storing give no signs of life: they are given the time that a slow store needs.
        grace = timedelta(seconds=60 + size / SLOWEST_STORE_BYTES_PER_S)
        if not _set(job_id, worker, alive_at=utc_now() + grace, done=before + labels.count):
            raise _Stopped
        check_file(out, format_name, art, labels)
        file.seek(0)
        media_store().put(key, out, FORMATS[format_name].content_type)
    volume = PrintVolume(
        job_id=job_id, number=number, first=labels.start, count=labels.count, file_key=key, file_bytes=size
    )
    with transaction():
        mine = _change_own(job_id, worker)
        if mine:
            db.session.add(volume)
    if not mine:
        media_store().delete(key)
        raise _Stopped


@jobs.task
def drop_files(job_id: int) -> None:
    """Leave nothing half-made behind of a job that was cancelled or failed."""
    with transaction():
        job = db.session.get_one(PrintJob, job_id, with_for_update={"key_share": True})
        if job.status not in {PrintStatus.CANCELLED, PrintStatus.FAILED}:
            return
        keys = [volume.file_key for volume in job.volumes]
        job.volumes = []
    for key in keys:
        try:
            media_store().delete(key)
        except StoreUnavailable:
            log.warning("label file left in the store", key=key)


@jobs.every_minute
def resume_jobs() -> None:
    """Put jobs on the queue again whose worker is dead, which wait for the store, or which the queue has lost."""
    now = utc_now()
    lost = sa.or_(
        sa.and_(PrintJob.status == PrintStatus.WORKING, PrintJob.alive_at < now - DEAD_AFTER),
        sa.and_(PrintJob.status == PrintStatus.WAITING, PrintJob.failure != ""),
        sa.and_(PrintJob.status == PrintStatus.WAITING, PrintJob.alive_at < now - LOST_AFTER),
    )
    with transaction():
        found = list(db.session.scalars(db.select(PrintJob).where(lost).with_for_update(key_share=True)))
        ids = [job.id for job in found]
        for job in found:
            if job.status is PrintStatus.WAITING:
                job.alive_at = now
    for job_id in ids:
        jobs.enqueue(make_files, job_id)


def cancel(user: User, job: PrintJob) -> None:
    """Stop a job. The codes stay given out, and may be printed again or voided.

    Call `enqueue_clearing` after the commit: what was written is deleted.

    :raises AlreadyFinished:
    """
    db.session.refresh(job, with_for_update={"of": PrintJob, "key_share": True})
    if job.status not in {PrintStatus.WAITING, PrintStatus.WORKING}:
        raise AlreadyFinished
    job.status = PrintStatus.CANCELLED
    job.finished_at = utc_now()
    audit.note(user, "cancel", job)


def retry(user: User, job: PrintJob) -> None:
    """Have a failed or cancelled job done after all. Call `enqueue` after the commit.

    :raises NotReleased, UnderRecall, AlreadyClosed, NotToRetry:
    """
    batches.must_be_on_sale(job.run.batch)
    db.session.refresh(job, with_for_update={"of": PrintJob, "key_share": True})
    if job.status not in {PrintStatus.FAILED, PrintStatus.CANCELLED}:
        raise NotToRetry
    job.status, job.failure, job.done, job.worker, job.finished_at = PrintStatus.WAITING, "", 0, "", None
    job.alive_at = utc_now()
    audit.note(user, "retry", job)


def progress_of(job: PrintJob) -> PrintProgress:
    """How far a job is."""
    share = job.done / job.count
    if job.status is not PrintStatus.WORKING or job.started_at is None:
        return PrintProgress(share)
    if job.alive_at is not None and utc_now() - job.alive_at > QUIET_AFTER:
        return PrintProgress(share, stands_still=True)
    seconds = (utc_now() - job.started_at).total_seconds()
    written = job.done - job.started_with
    if written <= 0 or seconds < 0.2:
        return PrintProgress(share)
    rate = written / seconds
    return PrintProgress(share, rate, (job.count - job.done) / rate)


def jobs_of(user: User, search: str = "") -> sa.Select[PrintJob]:
    """A producer's print jobs, in no order.

    :param search: part of a lot number.
    """
    query = sa.select(PrintJob).join(PrintJob.run).join(LabelRun.batch)
    query = query.where(Batch.producer_id == user.organisation_id)
    return query.where(batches.has_number(search)) if search else query


SHOWN = (joinedload(PrintJob.run).joinedload(LabelRun.batch).joinedload(Batch.product),)
"""What a list shows of print jobs."""


def job_for(user: User, job_id: int) -> PrintJob:
    """A print job of a batch that the user may see.

    :raises NotFound: where there is none.
    """
    job = db.session.get(PrintJob, job_id)
    if job is None:
        raise NotFound
    run_for(user, job.run_id)
    return job


def volume_for(user: User, job_id: int, number: int) -> PrintVolume:
    """A finished file of a job whose labels may be printed now.

    :raises NotFound, FileNotReady, UnderRecall, AlreadyClosed:
    :raises NoCertificateBehindThem, CertificateStaysApart: where they are a certificate that is in force no longer.
    """
    job = job_for(user, job_id)
    batches.must_be_on_sale(job.run.batch)
    if job.as_certificate:
        certificate_words(job.run.batch)
    if not 1 <= number <= job.volume_count:
        raise NotFound
    if job.status is not PrintStatus.READY:
        raise FileNotReady
    return next(volume for volume in job.volumes if volume.number == number)


def file_name(volume: PrintVolume) -> str:
    job = volume.job
    part = f"-{volume.number}" if job.volume_count > 1 else ""
    return f"{job.run.batch.lot_number}-{job.run_id}-{job.id}{part}.{EXTENSIONS[job.format]}"


def preview(user: User, layout: Layout) -> tuple[str, list[str]]:
    """A layout with the texts of the producer's latest released batch as SVG, and what keeps it from scanning.

    :raises TextDoesNotFit, CharacterNotPrintable:
    """
    query = (
        db.select(Batch)
        .where(Batch.producer_id == user.organisation_id, Batch.status == BatchStatus.RELEASED)
        .order_by(Batch.id.desc())
        .limit(1)
    )
    batch = db.session.scalar(query)
    sample = sample_text()
    text = replace(label_text(batch), level=sample.level, certificate=sample.certificate) if batch else sample
    family = symbol_family(symbol_prefix(""), CODE_LENGTH, layout.symbol.mask)
    faults = [fault_message(fault) for fault in layout.faults(family.form)]
    art = art_of(text, layout, family.form)
    # A code of no run: the preview can be copied, but leads nowhere.
    labels = Labels(family, PREVIEW_CODES, 0, 0, 0, 1, sscc=SsccRange("06900000", 0))
    return render_svg(art, labels, 0), faults


def contents_text(batch: Batch, container: ScannedLabel) -> str:
    """What a case or pallet with what is packed in it now would say on its label."""
    run = db.session.get_one(LabelRun, container.run_id)
    return label_text(batch, container.level, items_each_of(run, container.index, 1, None)).net_content


def picture_of(run: LabelRun, index: int, form: str) -> bytes:
    """One label as PNG or SVG, in the layout of the run's first job.

    :raises NotFound: for an index outside the run, or a run that was never printed.
    """
    if not 0 <= index < run.count or not run.jobs:
        raise NotFound
    layout = layout_of_job(run.jobs[0])
    text = text_of_job(run.jobs[0], items_each_of(run, index, 1, run.jobs[0].items_each))
    art = art_of(text, layout, family_of(run, layout.symbol.mask).form)
    labels = labels_of(run, index, 1, layout.symbol.mask)
    return render_png(art, labels, index) if form == "png" else render_svg(art, labels, index).encode()
