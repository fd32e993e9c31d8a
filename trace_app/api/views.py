"""The API's operations: the same services that the pages call, as JSON."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask_babel import lazy_gettext as _
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from qr.codes import InvalidCode
from qr.formats import FORMATS
from trace_app.accounts.access import SUPERVISORS, NotFound, allow, public, the_user
from trace_app.accounts.models import Author, RoleName
from trace_app.accounts.service import place_name
from trace_app.api import schemas
from trace_app.batches import service as batches
from trace_app.batches.forms import BatchForm
from trace_app.batches.models import Batch
from trace_app.catalogue import service as catalogue
from trace_app.db.session import transaction
from trace_app.extensions import csrf, jobs, limiter
from trace_app.findings import service as findings
from trace_app.findings.models import Finding
from trace_app.findings.rules import RULES, message_of
from trace_app.labels import printing
from trace_app.labels import service as labels
from trace_app.labels.downloads import volume_response
from trace_app.labels.forms import RangeForm, RunForm
from trace_app.labels.models import LabelLevel, LabelRun, PrintJob, PrintStatus
from trace_app.laboratory.models import TestReport
from trace_app.laboratory.reports import tests_of
from trace_app.language import language, named
from trace_app.public.trace import trace_of_batch
from trace_app.recall_tasks.service import tell_everyone
from trace_app.recalls import service as recalls
from trace_app.recalls.forms import RecallForm
from trace_app.recalls.models import Recall
from trace_app.recalls.published import lots_listed, published_recalls
from trace_app.records import service as records
from trace_app.records.forms import VALUE_PREFIX, form_for
from trace_app.records.models import Record, RecordType
from trace_app.records.service import Scope
from trace_app.records.texts import amount, record_title, stage_values
from trace_app.release import service as quality
from trace_app.scanning.items import scanned_item
from trace_app.settings import address_of
from trace_app.units import unit_name

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

    code = "unknown-code"
    title = _("没有这个追溯码。请核对 13 位字符，数字 0 与字母 O、数字 1 与字母 I 可以混用。")


def _json(model: BaseModel, status: int = 200) -> Answer:
    return model.model_dump(mode="json"), status


@api.get("/products", tags=[CATALOGUE], security=TOKEN, responses={200: schemas.NamedRows})
@allow(RoleName.PRODUCER)
def products() -> Answer:
    """Your products"""
    rows = catalogue.products_of(the_user().organisation)
    return _json(
        schemas.NamedRows(items=[schemas.NamedRow(id=row.id, name=row.name, kind=row.kind_code) for row in rows])
    )


@api.get("/sites", tags=[CATALOGUE], security=TOKEN, responses={200: schemas.NamedRows})
@allow(RoleName.PRODUCER)
def sites() -> Answer:
    """Your sites"""
    rows = catalogue.sites_of(the_user().organisation)
    return _json(
        schemas.NamedRows(items=[schemas.NamedRow(id=row.id, name=row.name, kind=row.kind.value) for row in rows])
    )


@api.get("/batches", tags=[BATCHES], security=TOKEN, responses={200: schemas.BatchList})
@allow(*ALL_WITH_BATCHES)
def find_batches(query: schemas.BatchQuery) -> Answer:
    """The batches that you may see, newest first"""
    page = batches.find_batches(
        the_user(),
        search=query.search,
        state=query.state,
        kind_code=query.kind,
        page=query.page,
        per_page=query.per_page,
    )
    items = [_batch(batch) for batch in page.items]
    return _json(schemas.BatchList(items=items, page=page.page, pages=page.pages, total=page.total or 0))


@api.post("/batches", tags=[BATCHES], security=TOKEN, responses={201: schemas.BatchOut})
@allow(RoleName.PRODUCER)
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
def add_record(path: schemas.BatchPath, body: schemas.RecordIn, header: schemas.RecordHeader) -> Answer:
    """Add a record to a batch; with an ``Idempotency-Key``, once however often it is sent"""
    row = batches.own_batch(the_user(), path.batch_id)
    record_type = RecordType(body.type)
    stage = records.check_applies(row.product.kind, record_type, body.stage)
    values = body.model_dump(exclude={"type", "stage", "values"})
    values |= {VALUE_PREFIX + code: value for code, value in body.values.items()}
    facts = form_for(record_type, stage).parse(values).facts
    entry = records.entry_for(row.product.kind, record_type, body.stage, facts)
    scope, author = Scope.of(row), Author.of(the_user())
    with transaction():
        record_id = records.add_record(author, scope, entry, entry_key=header.idempotency_key or None)
    return _json(_record(records.own_record(the_user(), record_id)), 201)


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
def label_file(path: schemas.FilePath) -> Response:
    """A finished file of a print job"""
    return volume_response(printing.volume_for(the_user(), path.job_id, path.volume))


@api.post("/label-runs/<int:run_id>/void", tags=[LABELS], security=TOKEN, responses={200: schemas.RunOut})
@allow(RoleName.PRODUCER)
def void_labels(path: schemas.RunPath, body: schemas.VoidIn) -> Answer:
    """Take spoiled labels out of use, for good"""
    with transaction():
        form = RangeForm.parse({"first": body.first + 1, "last": body.last + 1, "reason": body.reason})
        row = labels.run_for(the_user(), path.run_id)
        labels.void_labels(the_user(), row, form.first.data - 1, form.last.data - 1, form.reason.data)
    return _json(_run(row))


@api.get("/label-runs/<int:run_id>/codes", tags=[LABELS], security=TOKEN, responses={200: schemas.CodeList})
@allow(RoleName.PRODUCER)
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
def issue_recall(body: schemas.RecallIn) -> Answer:
    """Recall a batch, or stop its sale for the time being: every label says so from the answer on"""
    with transaction():
        facts = body.model_dump(exclude={"batch_id", "kind"})
        form = RecallForm.parse(facts | ({"kind": body.kind} if body.kind == "hold" else {}))
        row = batches.batch_for(the_user(), body.batch_id)
        recall = recalls.issue_recall(the_user(), row, form.notice_text, form.recall_kind)
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
        schemas.TraceOut(
            code=label.code,
            level=label.level.value,
            void=label.void,
            state=found.state,
            product=named(batch.product),
            kind=batch.product.kind_code,
            producer=named(batch.producer),
            lot_number=batch.lot_number,
            quantity=f"{batch.quantity.normalize():f} {unit_name(batch.unit)}",
            origin=place_name(batch.division, language()),
            site=named(batch.site),
            started_on=batch.started_on,
            produced_on=found.produced_on,
            best_before=batch.best_before,
            facts={label: value for value, label, _good in found.facts},
            first_scanned_at=item.first_at if item else None,
            scans=(item.scans if item else 0) if label.level is LabelLevel.ITEM else None,
            recall=_recall(found.recall, lots_listed([found.recall])[found.recall.id]) if found.recall else None,
            records=[
                schemas.TraceRecord(
                    happened_on=record.happened_on,
                    type=record.type.value,
                    title=record_title(record),
                    note=record.note,
                    product_name=record.product_name,
                    amount=amount(record),
                    interval_days=record.interval_days,
                    interval=found.intervals[record.id].state if record.id in found.intervals else None,
                    values=dict(stage_values(record)),
                    video_url=record.video_url,
                )
                for record in found.records
            ],
            tests=[_report(report) for report in found.tests],
            certificates=[
                schemas.CertificateOut(
                    type=certificate.type.value,
                    number=certificate.number,
                    issuer=certificate.issuer,
                    valid_until=certificate.valid_until,
                )
                for certificate in found.certificates
            ],
            waivers=[
                schemas.WaiverOut(
                    message=message_of(waiver.finding),
                    reason=waiver.reason,
                    authority=named(waiver.authority),
                    created_at=waiver.created_at,
                )
                for waiver in found.waivers
            ],
        )
    )


def _batch(row: Batch) -> schemas.BatchOut:
    return schemas.BatchOut(
        id=row.id,
        lot_number=row.lot_number,
        product_id=row.product_id,
        product=named(row.product),
        kind=row.product.kind_code,
        producer=named(row.producer),
        site_id=row.site_id,
        site=named(row.site),
        division_code=row.division_code,
        quantity=row.quantity,
        unit=row.unit,
        started_on=row.started_on,
        produced_on=row.produced_on,
        best_before=row.best_before,
        state=row.state,
        version=row.version + row.notices,
        created_at=row.created_at,
        released_at=row.released_at,
    )


_RECORD_COLUMNS = (
    "id", "happened_on", "operator", "note", "product_name", "registration_number", "active_ingredient", "dose",
    "dose_unit", "area_mu", "method", "target", "interval_days", "source", "input_lot", "video_url", "values",
    "replaces_id",
)  # fmt: skip


def _record(row: Record) -> schemas.RecordOut:
    return schemas.RecordOut(
        type=row.type.value,
        stage=row.stage_code,
        title=record_title(row),
        photos=[address_of("public.photo", name=photo.name) for photo in row.photos],
        **{column: getattr(row, column) for column in _RECORD_COLUMNS},
    )


def _finding(row: Finding) -> schemas.FindingOut:
    rule = RULES[row.rule]
    return schemas.FindingOut(
        id=row.id,
        rule=row.rule,
        severity=row.severity.value,
        title=str(rule.title),
        message=message_of(row),
        advice=str(rule.advice),
        source=rule.source,
        record_ids=row.record_ids,
        found_at=row.found_at,
        waiver=row.waiver.reason if row.waiver else None,
    )


def _report(row: TestReport) -> schemas.ReportOut:
    return schemas.ReportOut(
        id=row.id,
        subject=row.subject.value,
        report_number=row.report_number,
        laboratory=row.laboratory,
        cma_number=row.cma_number,
        sampled_on=row.sampled_on,
        issued_on=row.issued_on,
        verdict=row.verdict.value,
        document=address_of("public.document", name=row.document.name) if row.document else None,
        results=[
            schemas.ResultOut(
                analyte=named(result, "analyte"),
                method=result.method,
                detected=result.detected,
                value=result.value,
                unit=result.unit,
                limit=result.limit_value,
                limit_unit=result.limit_unit,
                standard=result.limit_standard,
                verdict=result.verdict.value,
            )
            for result in row.results
        ],
    )


def _run(row: LabelRun) -> schemas.RunOut:
    return schemas.RunOut(
        id=row.id,
        batch_id=row.batch_id,
        level=row.level.value,
        count=row.count,
        has_pin=row.has_pin,
        voided=[schemas.VoidOut(first=void.first, last=void.last, reason=void.reason) for void in row.voids],
        jobs=[_job(job) for job in row.jobs],
    )


def _job(row: PrintJob) -> schemas.JobOut:
    ready = row.volumes if row.status is PrintStatus.READY else []
    return schemas.JobOut(
        id=row.id,
        layout=row.layout_name,
        format=row.format,
        first=row.first,
        count=row.count,
        status=row.status.value,
        done=row.done,
        failure=row.failure,
        files=[
            schemas.FileOut(
                first=volume.first,
                count=volume.count,
                bytes=volume.file_bytes,
                url=url_for("api.label_file", job_id=row.id, volume=volume.number),
            )
            for volume in ready
        ],
    )


def _recall(row: Recall, lots: list[Batch]) -> schemas.RecallOut:
    return schemas.RecallOut(
        number=row.number,
        level=row.level,
        reason=row.reason,
        reason_en=row.reason_en,
        advice=row.advice,
        advice_en=row.advice_en,
        authority=named(row.authority),
        issued_at=row.issued_at,
        kind=row.kind.value,
        status=row.status.value,
        voluntary=row.voluntary,
        ended_at=row.ended_at,
        notices=[
            schemas.NoticeOut(
                number=notice.number, type=notice.type.value, issued_at=notice.issued_at, note=notice.note
            )
            for notice in row.notices
        ],
        lot_count=row.lot_count,
        lots=[batch.lot_number for batch in lots],
        url=url_for("public.recall", number=row.number),
    )
