"""The API's operations: the same services that the pages call, as JSON."""

from __future__ import annotations

from typing import Any, TypeVar

from flask import Response, url_for
from flask_babel import lazy_gettext as _
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from qr.codes import InvalidCode
from qr.formats import FORMATS
from trace_app.accounts.access import SUPERVISORS, NotFound, allow, public, the_user
from trace_app.accounts.models import Author, RoleName, TokenScope
from trace_app.accounts.service import place_name
from trace_app.api import schemas
from trace_app.api.bearer import scope
from trace_app.batches import service as batches
from trace_app.batches.forms import BatchForm
from trace_app.batches.models import Batch
from trace_app.catalogue import service as catalogue
from trace_app.db.session import transaction
from trace_app.extensions import csrf, jobs, limiter
from trace_app.findings import service as findings
from trace_app.findings.models import Finding
from trace_app.findings.rules import RULES, message_of
from trace_app.households.service import household_for
from trace_app.labels import printing
from trace_app.labels import service as labels
from trace_app.labels.downloads import volume_response
from trace_app.labels.forms import RangeForm, RunForm
from trace_app.labels.models import LabelLevel, LabelRun, PrintJob, PrintStatus, PrintVolume
from trace_app.laboratory.models import TestReport, TestResult
from trace_app.laboratory.reports import tests_of
from trace_app.laboratory.texts import laboratory_name
from trace_app.language import language, named
from trace_app.public.trace import trace_of_batch
from trace_app.recall_tasks.service import tell_everyone
from trace_app.recalls import service as recalls
from trace_app.recalls.forms import HoldForm, NoticeForm
from trace_app.recalls.models import Recall, RecallKind
from trace_app.recalls.published import lots_listed, published_recalls
from trace_app.records import service as records
from trace_app.records.forms import VALUE_PREFIX, form_for
from trace_app.records.intervals import Interval
from trace_app.records.models import INPUT_TYPES, Record, RecordType
from trace_app.records.registered import RegisteredNumbers
from trace_app.records.service import Scope
from trace_app.records.texts import amount, record_title, stage_values
from trace_app.release import service as quality
from trace_app.scanning.items import scanned_item
from trace_app.settings import address_of
from trace_app.stock.service import offered_stock
from trace_app.units import unit_name
from trace_app.weighings.service import lots_with

Shape = TypeVar("Shape", bound=BaseModel)
TOKEN: list[dict[str, list[str]]] = [{"token": []}]
CATALOGUE, BATCHES, QUALITY, LABELS, RECALLS, TRACE = (
    Tag(name=name) for name in ("Catalogue", "Batches and records", "Quality", "Labels", "Recalls", "Trace")
)
_PROBLEMS: Any = dict.fromkeys((401, 403, 404, 409, 422, 429), schemas.ProblemDocument)
Answer = tuple[dict[str, object], int]
CONTENT_TYPES = sorted({kind.content_type for kind in FORMATS.values()})
ALL_WITH_BATCHES = (RoleName.PRODUCER, *SUPERVISORS)

api = APIBlueprint("api", __name__, url_prefix="/api/v1", abp_responses=_PROBLEMS)
csrf.exempt(api)
limiter.limit("600/minute")(api)


class UnknownCode(NotFound):
    """No label has this code."""

    title = _("没有这个追溯码。请核对 13 位字符，数字 0 与字母 O、数字 1 与字母 I 可以混用。")


def _json(model: BaseModel, status: int = 200) -> Answer:
    return model.model_dump(mode="json"), status


@api.get("/products", tags=[CATALOGUE], security=TOKEN, responses={200: schemas.NamedRows})
@allow(RoleName.PRODUCER)
def products() -> Answer:
    """Your products"""
    rows = catalogue.products_of(the_user().organisation)
    return _json(schemas.NamedRows(items=[_read(schemas.NamedRow, row, kind=row.kind_code) for row in rows]))


@api.get("/sites", tags=[CATALOGUE], security=TOKEN, responses={200: schemas.NamedRows})
@allow(RoleName.PRODUCER)
def sites() -> Answer:
    """Your sites"""
    rows = catalogue.sites_of(the_user().organisation)
    return _json(schemas.NamedRows(items=[_read(schemas.NamedRow, row) for row in rows]))


@api.get("/batches", tags=[BATCHES], security=TOKEN, responses={200: schemas.BatchList})
@allow(*ALL_WITH_BATCHES)
def find_batches(query: schemas.BatchQuery) -> Answer:
    """The batches that you may see, newest first"""
    page = batches.find_batches(the_user(), kind_code=query.kind, **query.model_dump(exclude={"kind"}))
    items = [_batch(batch) for batch in page.items]
    return _json(schemas.BatchList(items=items, page=page.page, pages=page.pages, total=page.total or 0))


@api.post("/batches", tags=[BATCHES], security=TOKEN, responses={201: schemas.BatchOut})
@allow(RoleName.PRODUCER)
@scope(TokenScope.RECORDS)
def register_batch(body: schemas.BatchIn) -> Answer:
    """Register a batch as a draft"""
    with transaction():
        form = BatchForm.parse(body.model_dump(), user=the_user())
        batch = batches.register_batch(the_user(), form.batch_facts)
    return _json(_batch(batch), 201)


@api.get("/batches/<int:batch_id>", tags=[BATCHES], security=TOKEN, responses={200: schemas.BatchOut})
@allow(*ALL_WITH_BATCHES)
def batch(path: schemas.BatchPath) -> Answer:
    """One batch"""
    return _json(_batch(batches.batch_for(the_user(), path.batch_id)))


@api.post("/batches/<int:batch_id>/release", tags=[BATCHES], security=TOKEN, responses={200: schemas.BatchOut})
@allow(RoleName.PRODUCER)
@scope(TokenScope.RECORDS)
def release_batch(path: schemas.BatchPath) -> Answer:
    """Release a draft: from now on it may be labelled"""
    with transaction():
        row = batches.own_batch(the_user(), path.batch_id)
        quality.release_batch(the_user(), row)
    return _json(_batch(row))


@api.get("/batches/<int:batch_id>/records", tags=[BATCHES], security=TOKEN, responses={200: schemas.RecordList})
@allow(*ALL_WITH_BATCHES)
def records_of_batch(path: schemas.BatchPath) -> Answer:
    """A batch's records, the latest day first, corrected ones included"""
    row = batches.batch_for(the_user(), path.batch_id)
    return _json(schemas.RecordList(items=[_record(record) for record in records.records_of(row)]))


@api.post("/batches/<int:batch_id>/records", tags=[BATCHES], security=TOKEN, responses={201: schemas.RecordOut})
@allow(RoleName.PRODUCER)
@scope(TokenScope.RECORDS)
def add_record(
    path: schemas.BatchPath, body: schemas.RecordIn, header: schemas.RecordHeader
) -> tuple[dict[str, object], int, dict[str, str]]:
    """Add a record to a batch; with an ``Idempotency-Key``, once however often it is sent

    Sent again, the answer has the header ``Idempotency-Replayed: true``. The same key with another body or for another
    batch is refused with 422.
    """
    row = batches.own_batch(the_user(), path.batch_id)
    record_type = RecordType(body.type)
    stage = records.check_applies(row.product.kind, record_type, body.stage)
    values = body.model_dump(exclude={"type", "stage", "values"})
    values |= {VALUE_PREFIX + code: value for code, value in body.values.items()}
    kind_code = row.product.kind_code
    stock = offered_stock(the_user().organisation, body.type) if record_type in INPUT_TYPES else []
    registered = RegisteredNumbers(the_user(), record_type)
    form = form_for(record_type, stage).parse(values, stock=stock, kind_code=kind_code, registered=registered)
    facts = form.facts
    entry = records.entry_for(row.product.kind, record_type, body.stage, facts)
    scope, author = Scope.of(row), Author.of(the_user())
    key = header.idempotency_key or None
    with transaction():
        replayed = records.entered_before(the_user(), key) is not None
        record_id = records.add_record(author, scope, entry, entry_key=key)
    body_of, status = _json(_record(records.own_record(the_user(), record_id)), 201)
    return body_of, status, {"Idempotency-Replayed": "true"} if replayed else {}


@api.get(
    "/households/<int:household_id>/batches", tags=[BATCHES], security=TOKEN, responses={200: schemas.HouseholdBatches}
)
@allow(*ALL_WITH_BATCHES)
def batches_of_household(path: schemas.HouseholdPath) -> Answer:
    """The batches that have something of a household, and those made of them, newest first"""
    household = household_for(the_user(), path.household_id)
    items = [
        schemas.HouseholdBatch(batch=_batch(lot.batch), quantity=lot.quantity, direct=lot.itself)
        for lot in lots_with(the_user(), household)
    ]
    return _json(schemas.HouseholdBatches(items=items))


@api.get("/batches/<int:batch_id>/findings", tags=[QUALITY], security=TOKEN, responses={200: schemas.FindingList})
@allow(*ALL_WITH_BATCHES)
def findings_of_batch(path: schemas.BatchPath) -> Answer:
    """What the compliance rules say of a batch now; what blocks stops its release"""
    row = quality.checked_batch(the_user(), path.batch_id)
    return _json(schemas.FindingList(items=[_finding(finding) for finding in findings.standing(row)]))


@api.get("/batches/<int:batch_id>/tests", tags=[QUALITY], security=TOKEN, responses={200: schemas.ReportList})
@allow(*ALL_WITH_BATCHES)
def tests_of_batch(path: schemas.BatchPath) -> Answer:
    """The test reports on a batch and on its site's soil and water"""
    row = batches.batch_for(the_user(), path.batch_id)
    return _json(schemas.ReportList(items=[_report(report) for report in tests_of(row)]))


@api.post("/batches/<int:batch_id>/label-runs", tags=[LABELS], security=TOKEN, responses={202: schemas.RunOut})
@allow(RoleName.PRODUCER)
@scope(TokenScope.LABELS)
def request_run(path: schemas.BatchPath, body: schemas.RunIn) -> Answer:
    """Ask for labels of a released batch; the files are made in the background"""
    with transaction():
        form = RunForm.parse(body.model_dump(), user=the_user())
        job = printing.order_labels(the_user(), batches.own_batch(the_user(), path.batch_id), **form.order)
    printing.enqueue(job)
    return _json(_run(labels.run_for(the_user(), job.run_id)), 202)


@api.get("/label-runs/<int:run_id>", tags=[LABELS], security=TOKEN, responses={200: schemas.RunOut})
@allow(*ALL_WITH_BATCHES)
def label_run(path: schemas.RunPath) -> Answer:
    """How a label run stands"""
    return _json(_run(labels.run_for(the_user(), path.run_id)))


@api.get(
    "/print-jobs/<int:job_id>/files/<int:volume>",
    tags=[LABELS],
    security=TOKEN,
    responses={200: {"description": "The labels", "content": {kind: {} for kind in CONTENT_TYPES}}},
)
@allow(RoleName.PRODUCER)
@scope(TokenScope.LABELS)
def label_file(path: schemas.FilePath) -> Response:
    """A finished file of a print job"""
    return volume_response(printing.volume_for(the_user(), path.job_id, path.volume))


@api.post("/label-runs/<int:run_id>/void", tags=[LABELS], security=TOKEN, responses={200: schemas.RunOut})
@allow(RoleName.PRODUCER)
@scope(TokenScope.LABELS)
def void_labels(path: schemas.RunPath, body: schemas.VoidIn) -> Answer:
    """Take spoiled labels out of use, for good"""
    with transaction():
        form = RangeForm.parse({"first": body.first + 1, "last": body.last + 1, "reason": body.reason})
        row = labels.run_for(the_user(), path.run_id)
        labels.void_labels(the_user(), row, form.first.data - 1, form.last.data - 1, form.reason.data)
    return _json(_run(row))


@api.get("/label-runs/<int:run_id>/codes", tags=[LABELS], security=TOKEN, responses={200: schemas.CodeList})
@allow(RoleName.PRODUCER)
@scope(TokenScope.LABELS)
def label_codes(path: schemas.RunPath, query: schemas.CodesQuery) -> Answer:
    """The codes of a run"""
    run = labels.printable_run(the_user(), path.run_id)
    codes = labels.codes_of(run, query.start, query.count)
    items = [
        schemas.CodeOut(index=index, code=code, url=labels.url_of(run, index))
        for index, code in enumerate(codes, start=query.start)
    ]
    return _json(schemas.CodeList(items=items, total=run.count))


@api.get("/recalls", tags=[RECALLS], responses={200: schemas.RecallList})
@public
def recall_list(query: schemas.PageQuery) -> Answer:
    """Recalls, the newest first: those in force and those that have ended"""
    found = published_recalls(page=query.page)
    lots = lots_listed(found.items)
    items = [_recall(row, lots[row.id]) for row in found.items]
    return _json(schemas.RecallList(items=items, total=found.total or 0, page=found.page))


@api.post("/recalls", tags=[RECALLS], security=TOKEN, responses={201: schemas.RecallOut})
@allow(*SUPERVISORS)
@scope(TokenScope.RECALLS)
def issue_recall(body: schemas.RecallIn) -> Answer:
    """Recall a batch, or stop its sale for the time being: every label says so from the answer on"""
    with transaction():
        kind = RecallKind(body.kind)
        form_of = HoldForm if kind is RecallKind.HOLD else NoticeForm
        form = form_of.parse(body.model_dump(exclude={"batch_id", "kind"}))
        row = batches.batch_for(the_user(), body.batch_id)
        recall = recalls.issue_recall(the_user(), row, form.notice_text, kind)
    jobs.enqueue(tell_everyone, recall.id)
    return _json(_recall(recall, lots_listed([recall])[recall.id]), 201)


@api.get("/trace/<code>", tags=[TRACE], responses={200: schemas.TraceOut})
@public
def trace(path: schemas.CodePath) -> Answer:
    """What is known of a label by its code"""
    try:
        label = labels.label_of_code(path.code)
    except InvalidCode as error:
        raise UnknownCode from error
    found = trace_of_batch(label.batch_id)
    batch = found.batch
    item = scanned_item(label.run_id, label.index) if label.level is LabelLevel.ITEM else None
    return _json(
        _read(
            schemas.TraceOut,
            batch,
            code=label.code,
            level=label.level,
            void=label.void,
            state=found.state,
            product=named(batch.product),
            kind=batch.product.kind_code,
            producer=named(batch.producer),
            quantity=f"{batch.quantity.normalize():f} {unit_name(batch.unit)}",
            origin=place_name(batch.division, language()),
            site=named(batch.site),
            produced_on=found.produced_on,
            facts={label: value for value, label, _good in found.facts},
            first_scanned_at=item.first_at if item else None,
            scans=(item.scans if item else 0) if label.level is LabelLevel.ITEM else None,
            recall=_recall(found.recall, lots_listed([found.recall])[found.recall.id]) if found.recall else None,
            suppliers=found.suppliers,
            records=[_traced(record, found.intervals.get(record.id)) for record in found.records],
            tests=[_report(report) for report in found.tests],
            certificates=found.certificates,
            waivers=[
                _read(schemas.WaiverOut, waiver, message=message_of(waiver.finding), authority=named(waiver.authority))
                for waiver in found.waivers
            ],
        )
    )


def _read(schema: type[Shape], row: object, **others: Any) -> Shape:
    """A row in the shape of a schema: its attributes of the fields' names, and what is called or said otherwise."""
    return schema(**{name: getattr(row, name) for name in schema.model_fields if name not in others}, **others)


def _batch(row: Batch) -> schemas.BatchOut:
    return _read(
        schemas.BatchOut,
        row,
        product=named(row.product),
        kind=row.product.kind_code,
        producer=named(row.producer),
        site=named(row.site),
        version=row.version + row.notices,
    )


def _record(row: Record) -> schemas.RecordOut:
    photos = [address_of("public.photo", name=photo.name) for photo in row.photos]
    clips = [
        schemas.RecordClip(
            sha256=clip.sha256 or "",
            milliseconds=clip.milliseconds or 0,
            received_at=clip.created_at,
            poster=address_of("clips.picture", name=clip.name, picture="poster"),
            film=address_of("clips.film", name=clip.name) if clip.plays else None,
        )
        for clip in row.clips_ready
    ]
    return _read(
        schemas.RecordOut,
        row,
        stage=row.stage_code,
        title=record_title(row),
        withdrawn=row.withdrawal.reason if row.withdrawal else None,
        photos=photos,
        clips=clips,
    )


def _traced(row: Record, interval: Interval | None) -> schemas.TraceRecord:
    return _read(
        schemas.TraceRecord,
        row,
        title=record_title(row),
        amount=amount(row),
        interval=interval.state if interval else None,
        values=dict(stage_values(row)),
    )


def _finding(row: Finding) -> schemas.FindingOut:
    rule = RULES[row.rule]
    return _read(
        schemas.FindingOut,
        row,
        title=str(rule.title),
        message=message_of(row),
        advice=str(rule.advice),
        source=rule.source,
        waiver=row.waiver.reason if row.waiver else None,
    )


def _report(row: TestReport) -> schemas.ReportOut:
    document = address_of("public.document", name=row.document.name) if row.document else None
    return _read(
        schemas.ReportOut,
        row,
        document=document,
        laboratory=laboratory_name(row),
        cma_number=row.cma_number if row.vouched_for else "",
        results=[_result(result) for result in row.results],
    )


def _result(row: TestResult) -> schemas.ResultOut:
    analyte = named(row, "analyte")
    return _read(schemas.ResultOut, row, analyte=analyte, limit=row.limit_value, standard=row.limit_standard)


def _run(row: LabelRun) -> schemas.RunOut:
    return _read(schemas.RunOut, row, voided=row.voids, jobs=[_job(job) for job in row.jobs])


def _job(row: PrintJob) -> schemas.JobOut:
    ready = row.volumes if row.status is PrintStatus.READY else []
    return _read(schemas.JobOut, row, layout=row.layout_name, files=[_file(volume) for volume in ready])


def _file(row: PrintVolume) -> schemas.FileOut:
    url = url_for("api.label_file", job_id=row.job_id, volume=row.number)
    return _read(schemas.FileOut, row, bytes=row.file_bytes, url=url)


def _recall(row: Recall, lots: list[Batch]) -> schemas.RecallOut:
    return _read(
        schemas.RecallOut,
        row,
        authority=named(row.authority),
        lots=[batch.lot_number for batch in lots],
        url=url_for("public.recall", number=row.number),
    )
