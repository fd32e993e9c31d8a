"""Whether the tests behind a commitment certificate cover what was used: 用什么药、检什么药."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.extensions import db
from trace_app.flow.genealogy.service import steps_from
from trace_app.laboratory.models import TestKind, TestReport, TestSubject, Verdict
from trace_app.laboratory.reports import tests_of
from trace_app.laboratory.verdicts import analyte_key
from trace_app.plain_text import half_width
from trace_app.records.models import Record, RecordType
from trace_app.records.service import in_force, records_of

KINDS = {
    "own_test": frozenset({TestKind.OWN, None}),
    "commissioned_test": frozenset({TestKind.COMMISSIONED, TestKind.SUPERVISION, None}),
}
"""The sorts of reports that a basis stands on. Old reports don't say which they are."""
_STRENGTH = re.compile(r"\d+(?:\.\d+)?\s*(?:[%％‰]|克/升|克/千克|g/[Ll]|g/kg|mg/kg)")
_BETWEEN = re.compile(r"[、，;；+＋/·\s]+|,(?!\d)")
"""What stands between two names. The comma of 2,4-滴 is a part of one."""


def reports_behind(batch: Batch, bases: Collection[str]) -> list[TestReport]:
    """The reports on a lot's goods that a certificate with these bases may stand on."""
    kinds = {kind for base in bases for kind in KINDS.get(base, ())}
    return [
        report
        for report in tests_of(batch)
        if report.subject is TestSubject.PRODUCT and not report.denied and report.kind in kinds
    ]


def has_passed(batch: Batch, base: str) -> bool:
    """Whether a basis in tests has a report behind it that did not fail and decided something."""
    return any(
        report.verdict is not Verdict.FAIL and not all(result.undecided for result in report.results)
        for report in reports_behind(batch, [base])
    )


def untested(batch: Batch, bases: Collection[str] = tuple(KINDS)) -> list[str]:
    """The active ingredients used on a lot since its planting of which no report behind the bases has a result.

    What was used is what the records say that count for the lot. A lot that was put together of others of its kind is
    the goods of those: what was used on each of them has to be tested for in its own reports or in the lot's.
    """
    done = _analytes(reports_behind(batch, bases))
    missing = _missing(batch, done)
    for source in _sources_alike(batch):
        missing |= _missing(source, done | _analytes(reports_behind(source, bases)))
    return list(missing.values())


def _missing(batch: Batch, done: set[str]) -> dict[str, str]:
    """The names of what was used and not tested for, by what they are compared by, in the order of use."""
    used: dict[str, str] = {}
    for record in reversed(in_force(records_of(batch))):
        if record.type in (RecordType.PESTICIDE, RecordType.VETERINARY):
            for name in _ingredients(record):
                used.setdefault(analyte_key(name), name)
    return {key: name for key, name in used.items() if key not in done}


def _analytes(reports: Iterable[TestReport]) -> set[str]:
    return {
        analyte_key(name)
        for report in reports
        for result in report.results
        if not result.undecided
        for name in (result.analyte, result.analyte_en)
        if name
    }


def _ingredients(record: Record) -> list[str]:
    """The active ingredients that a record names; where it names none, what was used, which nobody can test for."""
    named = [one.name for one in record.stock.product.ingredients] if record.stock is not None else []
    typed = _BETWEEN.split(_STRENGTH.sub(" ", half_width(record.active_ingredient or "")))
    return [name for name in (*named, *typed) if name] or [record.product_name or ""]


def _sources_alike(batch: Batch) -> list[Batch]:
    """The lots of the same kind that a lot was made of, on all ways."""
    ids = {step.source_id for step in steps_from(batch.id, "backward")}
    if not ids:
        return []
    query = db.select(Batch).join(Batch.product).where(Batch.id.in_(ids), Product.kind_code == batch.product.kind_code)
    return list(db.session.scalars(query.order_by(Batch.id)))
