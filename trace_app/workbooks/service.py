"""Looking through an uploaded table, and taking in what is right of it."""

from __future__ import annotations

import zlib
from datetime import timedelta
from functools import partial

import sqlalchemy as sa
import structlog
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import Author, User
from trace_app.batches import service as batches
from trace_app.batches.forms import BatchForm
from trace_app.batches.models import Batch
from trace_app.catalogue.models import ProductKind
from trace_app.catalogue.service import kind_named
from trace_app.db.base import utc_now
from trace_app.db.session import count_written, repeated, transaction
from trace_app.db.text import has_text
from trace_app.errors import InvalidInput, Problem, Unprocessable
from trace_app.extensions import db, jobs
from trace_app.flow.shipments.forms import OrderForm
from trace_app.flow.shipments.service import ship_order
from trace_app.households import service as households
from trace_app.households.forms import HouseholdRowForm
from trace_app.inputs import service as inputs
from trace_app.inputs.forms import InputRowForm
from trace_app.media.models import Document
from trace_app.media.service import keep_document, open_document
from trace_app.records import service as records
from trace_app.records.service import Scope
from trace_app.spreadsheets import read_tables
from trace_app.values import StoredJson
from trace_app.workbooks.dry_run import DryRun, RecordRow, read_households, read_inputs, read_orders, read_records
from trace_app.workbooks.models import Import, ImportStatus

INPUTS = "inputs"
ORDERS = "orders"
HOUSEHOLDS = "households"
AT_ONCE = 200
"""Rows of one transaction: others get to write in between."""
GIVEN_UP = timedelta(minutes=15)
Step = RecordRow | tuple[int, dict[str, str]]
"""A right row: a record, or values for a form with their row."""

log = structlog.get_logger()


class NothingToTakeIn(Unprocessable):
    title = _("没有可以导入的行。请按提示改好后重新上传。")


class NoRows(Unprocessable):
    title = _(
        "“%(name)s”里没有读到表格：要有一行表头，下面是填好的行。请用模板填写，上传 Excel 工作簿（.xlsx）或 CSV。"
    )


class StillProblems(Problem):
    title = _("还有 %(count)d 处问题，不能全部导入。请改好后重新上传，或只导入没有问题的行。")


class LotMissing(Unprocessable):
    """A lot that a row is for could not be registered."""

    title = _("批次 %(lots)s 没有登记成功，这一行没有导入。")


class TakenInAlready(Problem):
    title = _("这份表已经导入过了。")


def keep_looked_through(user: User, what: str, file_name: str, data: bytes, run: DryRun) -> Import:
    """Keep an uploaded table with what a dry run found; nothing of it is taken in."""
    kind = "xlsx" if data.startswith(b"PK") else "csv"
    row = Import(
        organisation_id=user.organisation_id,
        what=what,
        document_id=keep_document(user, file_name, data, kind).id,
        rows=run.rows,
        good=run.good,
        problems=[trouble.plain() for trouble in run.troubles]
        + [became.plain() | {"became": True} for became in run.became],
        problem_count=run.trouble_count,
        created_by_id=user.id,
    )
    db.session.add(row)
    db.session.flush()
    audit.note(user, "look-through", row, what=what, rows=run.rows, good=run.good, problems=run.trouble_count)
    return row


def look_through(user: User, what: str, file_name: str, data: bytes) -> DryRun:
    """What is in a table, and what is wrong with it. It may take seconds: not inside a transaction.

    :param what: code of a kind, ``inputs``, ``orders`` or ``households``.
    :raises SheetProblem, NotFound, NoRows:
    """
    kind = kind_named(what) if what not in (INPUTS, ORDERS, HOUSEHOLDS) else None
    sheets = read_tables(file_name, data)
    if kind is not None:
        run = read_records(user, kind, sheets)
    elif what == HOUSEHOLDS:
        run = read_households(user, sheets)
    else:
        run = read_orders(user, sheets) if what == ORDERS else read_inputs(sheets)
    # A template with nothing but its examples is one all the same.
    if not (run.rows or run.trouble_count or data.startswith(b"PK")):
        raise NoRows(name=file_name[:60])
    return run


def confirm(user: User, row: Import, *, only_good: bool) -> None:
    """Have a table taken in, in the background.

    :raises TakenInAlready, StillProblems, NothingToTakeIn:
    """
    db.session.refresh(row, with_for_update={"of": Import, "key_share": True})
    if row.status is not ImportStatus.CHECKED:
        raise TakenInAlready
    if row.problem_count and not only_good:
        raise StillProblems(count=row.problem_count)
    if not row.good:
        raise NothingToTakeIn
    row.status = ImportStatus.WAITING
    audit.note(user, "take-in", row, what=row.what, only_good=only_good)


def start(row: Import) -> None:
    """Once the confirmation is committed."""
    jobs.enqueue(take_in, row.id)


@jobs.every_minute
def go_on() -> None:
    """Take up what was confirmed and is in no one's hands, or in those of a worker that has died."""
    for import_id in db.session.scalars(db.select(Import.id).where(_free())).all():
        jobs.enqueue(take_in, import_id)


def _free() -> sa.ColumnElement[bool]:
    return sa.and_(
        Import.status == ImportStatus.WAITING,
        sa.or_(Import.claimed_at.is_(None), Import.claimed_at < utc_now() - GIVEN_UP),
    )


@jobs.task
def take_in(import_id: int) -> None:
    """Take in the rows that are right, some at a time. What was taken in before stays, and is not doubled."""
    with transaction():
        claim = sa.update(Import).where(Import.id == import_id, _free()).values(claimed_at=utc_now())
        if not count_written(claim):
            return
    row = db.session.get_one(Import, import_id, options=[joinedload(Import.document)])
    user = db.session.get_one(User, row.created_by_id)
    with open_document(row.document) as file:
        data = file.read()
    what, file_name = row.what, row.document.file_name
    # Rows that became lots or products in an attempt before are no longer right: they count as taken in.
    run = look_through(user, what, file_name, data)
    failed: list[StoredJson] = []
    steps: list[Step] = [*run.lots, *run.inputs, *run.orders, *run.households, *run.records]
    for first in range(0, len(steps), AT_ONCE):
        part = steps[first : first + AT_ONCE]
        failed += repeated(partial(_take_in_part, user.id, what, import_id, part))
    with transaction():
        row = db.session.get_one(Import, import_id)
        row.status, row.done_at = ImportStatus.DONE, utc_now()
        row.taken = len(steps) - len(failed)
        if failed:
            row.problems, row.problem_count = [*failed, *row.problems][:1000], row.problem_count + len(failed)
    log.info("taken in", what=what, taken=len(steps) - len(failed), failed=len(failed))


def _take_in_part(user_id: int, what: str, import_id: int, steps: list[Step]) -> list[StoredJson]:
    """Rows in one transaction; what is to be told of those that failed."""
    failed: list[StoredJson] = []
    with transaction():
        user = db.session.get_one(User, user_id)
        for step in steps:
            _take_in_one(user, what, import_id, step, failed)
    return failed


def _take_in_one(user: User, what: str, import_id: int, step: Step, failed: list[StoredJson]) -> None:
    """One row in a savepoint: what fails now, such as a lot recalled since, is told and keeps no other out."""
    sheet, number = (step.sheet, step.row) if isinstance(step, RecordRow) else ("", step[0])
    try:
        with db.session.begin_nested():
            if isinstance(step, RecordRow):
                _add_record(user, kind_named(what), import_id, step)
            elif what == INPUTS:
                form = InputRowForm.parse(step[1])
                inputs.add_product(user, form.product_facts, form.use_facts)
            elif what == ORDERS:
                ship_order(user, OrderForm.parse(step[1]))
            elif what == HOUSEHOLDS:
                row = HouseholdRowForm.parse(step[1], user=user)
                households.register(user, row.facts, row.sites, row.begins_on.data)
            else:
                batches.register_batch(user, BatchForm.parse(step[1], user=user).batch_facts)
    except (Problem, InvalidInput) as problem:
        failed.append({"sheet": sheet, "row": number, "column": "", "message": problem.message})


def _add_record(user: User, kind: ProductKind, import_id: int, step: RecordRow) -> None:
    query = db.select(Batch).where(Batch.producer_id == user.organisation_id, Batch.lot_number.in_(step.lots))
    lots = tuple(db.session.scalars(query))
    if len(lots) != len(step.lots):
        raise LotMissing(lots="、".join(step.lots))
    key = f"import-{import_id}-{step.row}-{zlib.crc32(step.sheet.encode()):08x}"
    entry = records.entry_for(kind, step.type, step.stage_code, step.facts)
    records.add_record(Author.of(user), Scope.of(*lots), entry, entry_key=key)


def import_for(user: User, import_id: int) -> Import:
    """One of the organisation's own imports.

    :raises NotFound:
    """
    row = db.session.get(Import, import_id, options=[joinedload(Import.document)])
    if row is None or row.organisation_id != user.organisation_id:
        raise NotFound
    return row


def imports_of(user: User, search: str = "") -> sa.Select[Import]:
    """The organisation's imports, in no order.

    :param search: part of a file's name.
    """
    query = sa.select(Import).where(Import.organisation_id == user.organisation_id)
    if search:
        query = query.join(Import.document).where(has_text(Document.file_name, search))
    return query


SHOWN = (joinedload(Import.document),)
"""What a list shows of imports."""
