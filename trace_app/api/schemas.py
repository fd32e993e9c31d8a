"""The shapes of the API's bodies. Rules on values stand in the forms that the web uses too."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _plainly_written(value: object) -> object:
    """Decimal itself takes 1_000, 1e5 and digits of any script."""
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", value):
        raise ValueError("write numbers in digits with a decimal point")
    return value


Number = Annotated[Decimal, BeforeValidator(_plainly_written)]
"""A number as JSON's own, or as text in digits with a decimal point."""


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Row(BaseModel):
    """What reads like a row of the database."""

    model_config = ConfigDict(from_attributes=True)


class ProblemDocument(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    instance: str
    code: str | None = None
    errors: dict[str, list[str]] | None = None


class BatchPath(BaseModel):
    batch_id: int


class HouseholdPath(BaseModel):
    household_id: int


class RunPath(BaseModel):
    run_id: int


class FilePath(BaseModel):
    job_id: int
    volume: int = Field(description="From 1 on.")


class CodePath(BaseModel):
    code: str = Field(description="As printed; case, spaces, dashes and O/0, I/1 don't matter.")


class BatchQuery(BaseModel):
    search: str = Field("", description="Part of a lot number, product or producer.")
    state: Literal["", "draft", "released", "closed", "held", "recalled"] = ""
    kind: str = ""
    page: int = Field(1, ge=1)
    per_page: int = Field(20, ge=1, le=100)


class CodesQuery(BaseModel):
    start: int = Field(0, ge=0)
    count: int = Field(1000, ge=1, le=10_000)


class BatchIn(Body):
    product_id: int
    site_id: int
    lot_number: str
    quantity: Number
    unit: str
    started_on: date
    produced_on: date | None = None
    best_before: date | None = None


class BatchOut(BaseModel):
    id: int
    lot_number: str
    product_id: int
    product: str
    kind: str
    producer: str
    site_id: int
    site: str
    division_code: str
    quantity: Decimal
    unit: str
    started_on: date
    produced_on: date | None
    best_before: date | None
    state: str
    version: int
    created_at: datetime
    released_at: datetime | None


class HouseholdBatch(BaseModel):
    """A batch that has something of a household."""

    batch: BatchOut
    quantity: Decimal | None = Field(description="What it delivered, in the batch's unit; null where not weighed.")
    direct: bool = Field(description="False where it came by way of another batch.")


class HouseholdBatches(BaseModel):
    items: list[HouseholdBatch]


class BatchList(BaseModel):
    items: list[BatchOut]
    page: int
    pages: int
    total: int


class RecordIn(Body):
    type: Literal["pesticide", "fertiliser", "feed", "veterinary", "ingredient", "stage", "care", "video"]
    stage: str | None = Field(None, description="The stage's code, for type stage.")
    happened_on: date
    operator: str | None = None
    note: str | None = None
    product_name: str | None = None
    registration_number: str | None = None
    active_ingredient: str | None = None
    dose: Number | None = None
    dose_unit: str | None = None
    area_mu: Number | None = None
    method: str | None = None
    target: str | None = None
    interval_days: int | None = Field(None, description="Pre-harvest interval or withdrawal period.")
    source: str | None = None
    input_lot: str | None = None
    video_url: str | None = None
    values: dict[str, str | int | float] = Field({}, description="The stage's own fields by code.")


class RecordClip(BaseModel):
    """A clip that a record carries."""

    sha256: str
    milliseconds: int
    received_at: datetime
    poster: str
    film: str | None = Field(
        description="Where every browser plays it; null where its format is kept as evidence alone."
    )


class RecordOut(BaseModel):
    id: int
    type: str
    stage: str | None
    title: str
    happened_on: date
    operator: str
    note: str
    product_name: str | None
    registration_number: str | None
    active_ingredient: str | None
    dose: Decimal | None
    dose_unit: str | None
    area_mu: Decimal | None
    method: str | None
    target: str | None
    interval_days: int | None
    source: str | None
    input_lot: str | None
    video_url: str | None
    values: dict[str, Any]
    replaces_id: int | None
    withdrawn: str | None = Field(
        description="Why its producer withdrew it; it no longer counts. Null where it stands."
    )
    photos: list[str]
    clips: list[RecordClip]


class RecordHeader(BaseModel):
    idempotency_key: str = Field(
        "",
        alias="Idempotency-Key",
        pattern=r"^([0-9A-Za-z-]{8,40})?$",
        description="8 to 40 letters, digits or dashes, new for each record.",
    )


class FindingOut(BaseModel):
    id: int
    rule: str
    severity: Literal["block", "warn", "info"]
    title: str
    message: str
    advice: str
    source: str = Field(description="The law or standard, in Chinese.")
    record_ids: list[int] = Field(description="The records that show it.")
    found_at: datetime
    waiver: str | None = Field(description="A regulator's reason for letting it pass.")


class FindingList(BaseModel):
    items: list[FindingOut]


class ResultOut(BaseModel):
    analyte: str
    method: str
    detected: bool
    value: Decimal | None = Field(description="Of what was not detected, the limit of detection where it is known.")
    unit: str
    limit: Decimal | None
    limit_unit: str
    standard: str
    verdict: Literal["pass", "fail", "open"]


class ReportOut(BaseModel):
    id: int
    subject: str = Field(description="`product`, `soil` or `water`.")
    report_number: str
    kind: Literal["supervision", "commissioned", "own"] | None
    laboratory: str = Field(description="As it may be said: a producer's own entry says so.")
    cma_number: str
    sampled_on: date
    issued_on: date
    verdict: Literal["pass", "fail", "open"] = Field(description="Ours, by the limits in force on the day of sampling.")
    document: str | None
    results: list[ResultOut]


class ReportList(BaseModel):
    items: list[ReportOut]


class CertificateOut(Row):
    type: str
    number: str
    issuer: str
    valid_until: date


class WaiverOut(BaseModel):
    message: str
    reason: str
    authority: str
    created_at: datetime


class RecordList(BaseModel):
    items: list[RecordOut]


class RunIn(Body):
    stock: str = Field(
        description="`roll-40x30`, `roll-50x30`, `roll-60x40`, `roll-70x50`, `roll-100x100` (mm; for 300 dpi with "
        "`@300`), a sheet such as `a4-3x8`, or `own-` and the number of an own layout."
    )
    count: int
    level: Literal["batch", "item", "case", "pallet"] = "item"
    format: Literal["pdf", "tspl", "zpl", "csv"] = "pdf"
    pin: bool = Field(False, description="With a PIN under scratch film.")
    link: bool = Field(False, description="Symbols as GS1 Digital Link.")
    items_each: int | None = Field(None, description="Single items in each case or on each pallet, for its label.")
    marked_elsewhere: bool = Field(
        False,
        description="What the labels leave off (net content, dates, contents of a case) stands on the pack already. "
        "Without this, such labels are refused with 422, and `title` names what is missing.",
    )
    as_certificate: bool = Field(
        False, description="The labels are the lot's commitment certificate as well, and say so beside the code."
    )
    excess_reason: str = Field("", description="Why more labels are needed than the lot has goods for.")
    per_volume: Literal[5000, 20000, 50000] | None = Field(None, description="Labels of one file; all in one if null.")


class FileOut(BaseModel):
    first: int
    count: int
    bytes: int
    url: str


class JobOut(BaseModel):
    id: int
    layout: str
    format: str
    first: int = Field(description="Index of the first label.")
    count: int
    status: Literal["waiting", "working", "ready", "failed", "cancelled"]
    done: int
    failure: str
    files: list[FileOut] = Field(description="Where to fetch the files, once the job is ready.")


class VoidIn(Body):
    first: int = Field(description="Index of the first label.", ge=0)
    last: int
    reason: str


class VoidOut(Row):
    first: int
    last: int
    reason: str


class RunOut(BaseModel):
    id: int
    batch_id: int
    level: Literal["batch", "item", "case", "pallet"]
    count: int
    has_pin: bool
    voided: list[VoidOut]
    jobs: list[JobOut]


class CodeOut(BaseModel):
    index: int
    code: str
    url: str


class CodeList(BaseModel):
    items: list[CodeOut]
    total: int


class RecallIn(Body):
    batch_id: int
    kind: Literal["recall", "hold"] = Field("recall", description="A hold stops the sale and is not published.")
    level: Literal[1, 2, 3] | None = Field(None, description="How grave a recall is. A hold has none.")
    reason: str
    advice: str
    reason_en: str | None = None
    advice_en: str | None = None
    basis: str | None = Field(None, description="A test report's number, or a law.")
    remedy: str | None = Field(None, description="How those who have it are compensated; a default where empty.")
    remedy_en: str | None = None


class NoticeOut(Row):
    number: str
    type: Literal["issue", "approve", "reject", "extend", "narrow", "correct", "complete", "withdraw", "lift", "end"]
    issued_at: datetime
    note: str


class RecallOut(BaseModel):
    number: str
    kind: Literal["recall", "hold", "drill"]
    status: Literal["pending", "active", "completed", "withdrawn", "lifted", "ended", "rejected"] = Field(
        description="Level I waits for a second officer's approval; its lots are on hold meanwhile. The lots of a"
        " completed recall stay withdrawn; those of a withdrawn one, which was wrong, are free."
    )
    voluntary: bool = Field(description="Whether the producer itself recalls.")
    level: int | None = Field(description="None of a hold.")
    reason: str
    reason_en: str
    advice: str
    advice_en: str
    authority: str
    issued_at: datetime
    ended_at: datetime | None
    notices: list[NoticeOut] = Field(description="All notices, the first one first; none is ever changed.")
    lot_count: int
    lots: list[str] = Field(description="The first 500.")
    url: str


class PageQuery(BaseModel):
    page: int = Field(1, ge=1, le=100_000)


class RecallList(BaseModel):
    items: list[RecallOut]
    total: int
    page: int


class NamedRow(BaseModel):
    id: int
    name: str
    kind: str


class NamedRows(BaseModel):
    items: list[NamedRow]


class TraceRecord(BaseModel):
    happened_on: date
    type: str
    title: str
    note: str
    product_name: str | None
    amount: str
    interval_days: int | None
    interval: Literal["kept", "broken", "waiting", "late"] | None
    values: dict[str, str]
    video_url: str | None


class SuppliersOut(Row):
    count: int
    names: list[str] = Field(description="Of those that agreed to be named.")


class TraceOut(BaseModel):
    """What the trace page shows, in the language of the request."""

    code: str
    level: Literal["batch", "item", "case", "pallet"]
    void: bool = Field(description="A spoiled label, taken out of use by its producer.")
    state: Literal["draft", "released", "closed", "held", "recalled"]
    product: str
    kind: str
    producer: str
    lot_number: str
    quantity: str
    origin: str
    site: str
    started_on: date
    produced_on: date | None
    best_before: date | None
    facts: dict[str, str]
    first_scanned_at: datetime | None = Field(description="Of a single item's label.")
    scans: int | None = Field(description="How often a single item's label was scanned.")
    recall: RecallOut | None
    suppliers: SuppliersOut | None = Field(description="Households that delivered to the batch.")
    records: list[TraceRecord]
    tests: list[ReportOut]
    certificates: list[CertificateOut]
    waivers: list[WaiverOut]
