"""Label runs: asking for one, making its file, reading a code back."""

from __future__ import annotations

import secrets
import tempfile
from typing import NamedTuple, cast

import sqlalchemy as sa
import structlog
from flask import current_app
from flask_babel import force_locale, gettext
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from config import Settings
from qr.codes import CODE_LENGTH, CodeBook, InvalidCode, normalise_code
from qr.fonts import MissingGlyph
from qr.keys import KeyFile, KeyFileError
from qr.layout import STOCKS, LabelArt, LabelText, LabelTextTooLong, compose
from qr.pdf import write_pdf
from qr.picture import render_png, render_svg
from qr.reading import open_picture, read_symbols
from qr.symbol import SymbolFamily, symbol_family
from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import User
from trace_app.accounts.service import place_name
from trace_app.batches import service as batches
from trace_app.batches.models import Batch, BatchStatus
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.errors import Problem
from trace_app.extensions import db, jobs
from trace_app.labels.models import LabelKey, LabelRun, RunStatus
from trace_app.media.service import media_store

MAX_LABELS = 50_000
"""Labels of one run. A million are for print jobs with progress and volumes."""
LABELS_READ_BACK = 24
"""All of a small run; as many from the first to the last of a large one."""
PDF = "application/pdf"

log = structlog.get_logger()


class KeyTrouble(Problem):
    """The label key is missing, not safe, or another than the one that labels were made with."""

    status = 503
    code = "label-key-trouble"
    title = _("标签密钥不可用：%(fault)s。请联系管理员从备份恢复密钥文件；在此之前不能打印。")


class UnknownStock(Problem):
    status = 422
    code = "unknown-stock"
    title = _("没有“%(stock)s”这种标签规格，请从列表中选择。")


class CountOutOfRange(Problem):
    status = 422
    code = "count-out-of-range"
    title = _("标签张数须为 1 到 %(most)s。更多请分次打印。")


class TextDoesNotFit(Problem):
    status = 422
    code = "text-does-not-fit"
    title = _("“%(text)s”在这种标签上放不下，请改短，或选更大的标签。")


class CharacterNotPrintable(Problem):
    status = 422
    code = "character-not-printable"
    title = _("标签字体里没有“%(character)s”这个字，请换一种写法。")


class FileNotReady(Problem):
    code = "file-not-ready"
    title = _("标签文件还没有做好，请稍候再试。")


def settings() -> Settings:
    return cast(Settings, current_app.config["SETTINGS"])


def key_file() -> KeyFile:
    return KeyFile(settings().label_keys)


def code_book() -> CodeBook:
    """The keys in use, read and checked once for each application.

    :raises KeyTrouble: where the key file is not the one that labels were made with.
    """
    book: CodeBook | None = current_app.extensions.get("code_book")
    if book is None:
        try:
            fingerprints = key_file().fingerprints()
            book = key_file().code_book()
        except KeyFileError as error:
            raise KeyTrouble(fault=str(error)) from error
        for known in db.session.scalars(db.select(LabelKey)):
            if fingerprints.get(known.number) != known.fingerprint:
                raise KeyTrouble(fault=gettext("密钥 %(number)s 的指纹不符", number=known.number))
        current_app.extensions["code_book"] = book
    return book


def register_keys() -> None:
    """Make the key file where there has never been one, and note new keys' fingerprints.

    :raises KeyTrouble: where labels were made with a key that the file lacks: it is never made anew then.
    """
    known = {key.number: key.fingerprint for key in db.session.scalars(db.select(LabelKey))}
    try:
        if not known and not key_file().exists():
            key_file().create()
        fingerprints = key_file().fingerprints()
    except KeyFileError as error:
        raise KeyTrouble(fault=str(error)) from error
    for number, fingerprint in known.items():
        if fingerprints.get(number) != fingerprint:
            raise KeyTrouble(fault=gettext("密钥 %(number)s 的指纹不符", number=number))
    for number in fingerprints.keys() - known.keys():
        db.session.add(LabelKey(number=number, fingerprint=fingerprints[number]))
    db.session.flush()
    current_app.extensions.pop("code_book", None)


def request_run(user: User, batch: Batch, *, stock: str, count: int) -> LabelRun:
    """Ask for labels of a released batch. The file is made by a job: call `enqueue_run` after the commit.

    :raises NotReleased, UnderRecall, AlreadyClosed, UnknownStock, CountOutOfRange, TextDoesNotFit,
        CharacterNotPrintable, KeyTrouble: and nothing is kept.
    """
    batches.must_take_labels(batch)
    if stock not in STOCKS:
        raise UnknownStock(stock=stock)
    if not 1 <= count <= MAX_LABELS:
        raise CountOutOfRange(most=MAX_LABELS)
    art_for(batch, stock)
    run = LabelRun(batch_id=batch.id, stock=stock, count=count, key_number=code_book().newest, created_by_id=user.id)
    db.session.add(run)
    db.session.flush()
    audit.note(user, "request", run, batch=batch.id, count=count, stock=stock)
    return run


def enqueue_run(run: LabelRun) -> None:
    jobs.enqueue(make_file, run.id)


@jobs.task
def make_file(run_id: int) -> None:
    """Make a run's PDF, check that it reads, and offer it."""
    with transaction():
        run = db.session.get(LabelRun, run_id, with_for_update=True)
        if run is None or run.status is RunStatus.READY:
            return
        run.status = RunStatus.WORKING
    run = db.session.get_one(LabelRun, run_id)
    key = f"labels/{run.id}-{secrets.token_hex(8)}.pdf"
    try:
        size = _write_file(run, key)
    except Exception as error:
        log.exception("label run failed", run=run_id)
        with transaction():
            run = db.session.get_one(LabelRun, run_id)
            run.status = RunStatus.FAILED
            run.failure = error.message if isinstance(error, Problem) else type(error).__name__
        return
    with transaction():
        run = db.session.get_one(LabelRun, run_id, with_for_update=True)
        run.status, run.file_key, run.file_bytes, run.finished_at = RunStatus.READY, key, size, utc_now()


def _write_file(run: LabelRun, key: str) -> int:
    art, family, book = art_for(run.batch, run.stock), _family(), code_book()
    _must_read(run, art, family, book)
    with tempfile.TemporaryFile() as file:
        title = f"{run.batch.product.name} {run.batch.lot_number}"
        write_pdf(
            file, art, STOCKS[run.stock], family, book, run.id, 0, run.count, key_number=run.key_number, title=title
        )
        size = file.tell()
        file.seek(0)
        media_store().put(key, file, PDF)
    return size


def _must_read(run: LabelRun, art: LabelArt, family: SymbolFamily, book: CodeBook) -> None:
    """Decode labels from the whole run as printed at 203 dpi; a run that can't be read is not offered."""
    looks = min(run.count, LABELS_READ_BACK)
    for index in {round(look * (run.count - 1) / max(1, looks - 1)) for look in range(looks)}:
        code = book.code(run.id, index, key_number=run.key_number)
        if read_symbols(open_picture(render_png(art, family, code, 203))) != [settings().code_prefix + code]:
            raise RuntimeError(f"the label of index {index} can't be read back")


def label_text(batch: Batch) -> LabelText:
    """What a batch's labels say, in Chinese: the labels are printed here."""
    with force_locale("zh_CN"):
        words = batch.product.kind.words["zh"]
        produced = f"{batch.produced_on:%Y-%m-%d} {words['produced']}" if batch.produced_on else ""
        return LabelText(
            product=batch.product.name,
            net_content=batch.product.net_content,
            lot=gettext("批次 %(lot)s", lot=batch.lot_number),
            date=produced,
            origin=gettext("产地 云南%(place)s", place=place_name(batch.division, "zh").removeprefix("曲靖市")),
            producer=batch.producer.name,
            call=gettext("扫码溯源"),
        )


def art_for(batch: Batch, stock: str) -> LabelArt:
    """The composed label of a batch.

    :raises TextDoesNotFit, CharacterNotPrintable:
    """
    try:
        return compose(label_text(batch), STOCKS[stock], _family().form)
    except LabelTextTooLong as error:
        raise TextDoesNotFit(text=error.text) from error
    except MissingGlyph as error:
        raise CharacterNotPrintable(character=error.character) from error


def _family() -> SymbolFamily:
    return symbol_family(settings().code_prefix, CODE_LENGTH)


def run_for(user: User, run_id: int) -> LabelRun:
    """A run of a batch that the user may see.

    :raises NotFound: where there is none.
    """
    run = db.session.get(LabelRun, run_id, options=[joinedload(LabelRun.batch)])
    if run is None:
        raise NotFound
    batches.batch_for(user, run.batch_id)
    return run


def runs_of(batch: Batch) -> list[LabelRun]:
    query = db.select(LabelRun).filter_by(batch_id=batch.id).order_by(LabelRun.id.desc())
    return list(db.session.scalars(query))


def is_printable(batch: Batch) -> bool:
    """Whether labels of a batch may be printed now."""
    return batch.status is BatchStatus.RELEASED and not batch.recalled


def labels_made(batch: Batch) -> int:
    """How many labels a batch's runs hold together."""
    query = db.select(sa.func.coalesce(sa.func.sum(LabelRun.count), 0)).filter_by(batch_id=batch.id)
    return int(db.session.scalar(query) or 0)


def printable_run(user: User, run_id: int) -> LabelRun:
    """A run whose labels may be printed now.

    :raises NotFound, UnderRecall, AlreadyClosed:
    """
    run = run_for(user, run_id)
    batches.must_take_labels(run.batch)
    return run


def label_file(run: LabelRun) -> str:
    """The key of the finished file in the media store.

    :raises FileNotReady:
    """
    if run.status is not RunStatus.READY or run.file_key is None:
        raise FileNotReady
    return run.file_key


def code_of(run: LabelRun, index: int) -> str:
    """The code of one label of a run.

    :raises NotFound: for an index outside the run.
    """
    if not 0 <= index < run.count:
        raise NotFound
    return code_book().code(run.id, index, key_number=run.key_number)


def codes_of(run: LabelRun, start: int, count: int) -> list[str]:
    """Up to ``count`` codes of a run from an index on."""
    count = max(0, min(count, run.count - start))
    if start < 0 or not count:
        return []
    rows = code_book().codes(run.id, start, count, key_number=run.key_number)
    return [row.tobytes().decode() for row in rows]


def label_png(run: LabelRun, index: int) -> bytes:
    return render_png(art_for(run.batch, run.stock), _family(), code_of(run, index))


def label_svg(run: LabelRun, index: int) -> str:
    return render_svg(art_for(run.batch, run.stock), _family(), code_of(run, index))


def url_of(code: str) -> str:
    """What a code's symbol says."""
    return settings().code_prefix + code


class ScannedLabel(NamedTuple):
    """A label that was given out, by its code."""

    code: str
    batch_id: int


def label_of_code(text: str) -> ScannedLabel:
    """The label with this code, by one indexed read.

    :param text: as people type it.
    :raises InvalidCode: where it is none that we gave out, or its batch never left the producer.
    """
    code = normalise_code(text)
    label = code_book().read(code)
    query = (
        db.select(LabelRun.count, LabelRun.key_number, Batch.id, Batch.status, Batch.recalled_at)
        .join(LabelRun.batch)
        .where(LabelRun.id == label.run)
    )
    row = db.session.execute(query).first()
    if row is None:
        raise InvalidCode(code)
    count, key_number, batch_id, status, recalled_at = row
    known = label.index < count and label.key_number == key_number
    if not known or (status is BatchStatus.DRAFT and recalled_at is None):
        raise InvalidCode(code)
    return ScannedLabel(code, batch_id)
