"""What a trace page says of a label, gathered for page and API alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import joinedload

from trace_app.accounts.models import Division
from trace_app.batches.models import Batch, BatchState
from trace_app.cameras.models import Camera
from trace_app.cameras.service import strip_of
from trace_app.catalogue.models import Product, ProductKind
from trace_app.certificates.commitments import commitments_shown
from trace_app.certificates.models import Certificate, CommitmentCertificate
from trace_app.certificates.service import certificates_shown
from trace_app.clock import local
from trace_app.extensions import db
from trace_app.findings.models import Finding, Waiver
from trace_app.findings.service import waivers_of
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.genealogy.service import sources_shown
from trace_app.flow.shipments.models import ShipmentLine
from trace_app.flow.shipments.service import Sending, places_sent_to
from trace_app.forms import plain_decimal
from trace_app.laboratory.models import TestReport, Verdict
from trace_app.laboratory.reports import tests_of
from trace_app.language import language, named
from trace_app.media.models import CameraPicture, Photo
from trace_app.recalls.models import Recall, RecallMember, RecallStatus
from trace_app.recalls.published import hold_on, recalls_of
from trace_app.records.intervals import Interval, harvest_days, intervals
from trace_app.records.models import INPUT_TYPES, Record, RecordType
from trace_app.records.service import records_shown, stage_of
from trace_app.records.texts import field_text
from trace_app.units import unit_name
from trace_app.weighings.models import Weighing
from trace_app.weighings.service import Suppliers, suppliers_of

FACTS_SHOWN = 3
MONTH_DAYS = 30.44
JOURNEY = ("produced", "released", "sent")
"""What happens to a lot, in the order in which it does on one day."""


class JourneyStop(NamedTuple):
    """A stop on a lot's way."""

    day: date
    kind: str
    """One of `JOURNEY`."""
    division: Division | None = None


class Shot(NamedTuple):
    """A photo of a lot's making, and the record that it belongs to."""

    photo: Photo
    record: Record


@dataclass(frozen=True)
class Trace:
    """Everything that the trace page of a batch's labels shows, to one reader in one language. ``records`` are in
    force, the latest first."""

    batch: Batch
    recalls: list[Recall]
    """Every public recall it is or was in, what is in force first."""
    hold: Recall | None
    """What stops its sale for the time being."""
    records: list[Record]
    intervals: dict[int, Interval]
    tests: list[TestReport]
    certificates: list[Certificate]
    commitments: list[CommitmentCertificate]
    """Commitment certificates by its producer, see `commitments_shown`."""
    waivers: list[Waiver]
    sources: list[LotLink]
    sent: list[Sending]
    """Where the lot was sent to, the latest first."""
    strip: list[CameraPicture]
    """Its season at its site, from the first day to the last."""
    suppliers: Suppliers | None
    """Which households delivered to it, where any did."""

    @cached_property
    def state(self) -> BatchState:
        return self.batch.state

    @cached_property
    def recall(self) -> Recall | None:
        """The recall that takes it back: the gravest that is going on, else the gravest that was carried out."""
        return self.recalls[0] if self.batch.recalled else None

    @property
    def former_recalls(self) -> list[Recall]:
        """Recalls it was in and is no longer."""
        withdrawn = [recall for recall in self.recalls if recall.status is RecallStatus.WITHDRAWN]
        return self.recalls if not self.batch.recalled else withdrawn

    @cached_property
    def failed(self) -> bool:
        """Whether a test of it found what the standards don't allow: then nothing above that is green."""
        return any(report.verdict is Verdict.FAIL for report in self.tests)

    @cached_property
    def words(self) -> dict[str, str]:
        return self.batch.product.kind.words[language()]

    @cached_property
    def inputs(self) -> list[Record]:
        return [record for record in self.records if record.type in INPUT_TYPES]

    @property
    def photos(self) -> list[Photo]:
        return self.batch.product.photos

    @cached_property
    def gallery(self) -> list[list[Shot]]:
        """The photos of its records, day by day, the latest first."""
        days = groupby(self.records, key=lambda record: record.happened_on)
        shots = [[Shot(photo, record) for record in of_day for photo in record.photos] for _day, of_day in days]
        return [of_day for of_day in shots if of_day]

    @cached_property
    def facts(self) -> list[tuple[str, str, bool]]:
        """The few facts that matter most of this kind: value, label, whether it is good."""
        found = [fact for name in self.batch.product.kind.facts if (fact := self._fact(name))]
        return found[:FACTS_SHOWN]

    def _fact(self, name: str) -> tuple[str, str, bool] | None:
        if "." in name:
            return self._stage_fact(*name.split("."))
        plain = {
            "pesticide_count": self._pesticide_count,
            "interval_kept": self._interval_kept,
            "ageing_months": self._ageing_months,
            "tests": self._tests,
            "township": self._township,
            "ham_lot": self._ham_lot,
            "altitude": self._altitude,
            "quantity": self._quantity,
        }
        return plain[name]()

    def _stage_fact(self, stage_code: str, field_code: str) -> tuple[str, str, bool] | None:
        record = next((r for r in self.records if r.stage_code == stage_code and r.values.get(field_code)), None)
        if record is None:
            return None
        stage = stage_of(self.batch.product.kind, stage_code)
        field = next((f for f in (stage.fields if stage else []) if f.code == field_code), None)
        if field is None:
            return None
        return field_text(field, record.values[field_code]), named(field), True

    def _pesticide_count(self) -> tuple[str, str, bool]:
        count = sum(record.type is RecordType.PESTICIDE for record in self.records)
        if not count:
            return str(_("未用")), str(_("农药")), True
        return ngettext("%(num)d 次", "%(num)d 次", count), str(_("全程用药")), True

    def _interval_kept(self) -> tuple[str, str, bool] | None:
        known = [interval for interval in self.intervals.values() if interval.days is not None]
        if not known:
            return None
        shortest = min(known, key=lambda interval: interval.days or 0)
        kept = all(interval.kept for interval in known)
        return ngettext("%(num)d 天", "%(num)d 天", shortest.days or 0), str(_("末次用药到采收")), kept

    def _ageing_months(self) -> tuple[str, str, bool] | None:
        ageing = {stage.code for stage in self.batch.product.kind.stages if stage.role == "ageing"}
        started = min((r.happened_on for r in self.records if r.stage_code in ageing), default=None)
        if started is None or self.batch.produced_on is None:
            return None
        months = int((self.batch.produced_on - started).days / MONTH_DAYS)
        return ngettext("%(num)d 个月", "%(num)d 个月", months), str(_("发酵")), True

    def _tests(self) -> tuple[str, str, bool] | None:
        judged = [report for report in self.tests if report.verdict is not Verdict.OPEN]
        if not judged:
            return None
        passed = all(report.verdict is Verdict.PASS for report in judged)
        results = sum(len(report.results) for report in judged)
        return str(_("合格") if passed else _("不合格")), ngettext("%(num)d 项检测", "%(num)d 项检测", results), passed

    def _township(self) -> tuple[str, str, bool]:
        return named(self.batch.division), str(_("产地")), True

    def _ham_lot(self) -> tuple[str, str, bool] | None:
        """The lot of ham that most of it was made of."""
        hams = [link for link in self.sources if link.source.product.kind_code == "ham"]
        if not hams:
            return None
        most = max(hams, key=lambda link: link.quantity).source
        return most.lot_number, str(_("所用%(product)s批次", product=named(most.product))), True

    def _altitude(self) -> tuple[str, str, bool] | None:
        if self.batch.site.altitude_m is None:
            return None
        return str(_("%(metres)d 米", metres=self.batch.site.altitude_m)), str(_("基地海拔")), True

    def _quantity(self) -> tuple[str, str, bool]:
        text = f"{plain_decimal(self.batch.quantity)} {unit_name(self.batch.unit)}"
        return text, str(_("本批数量")), True

    @property
    def journey(self) -> list[JourneyStop]:
        """The lot's way from production to where it was sent, by day."""
        steps = [JourneyStop(sending.day, "sent", sending.division) for sending in self.sent]
        if self.produced_on is not None:
            steps.append(JourneyStop(self.produced_on, "produced"))
        if self.batch.released_at is not None:
            steps.append(JourneyStop(local(self.batch.released_at).date(), "released"))
        return sorted(steps, key=lambda step: (step.day, JOURNEY.index(step.kind)))

    @property
    def position(self) -> tuple[float | None, float | None]:
        """Longitude and latitude of its site."""
        site = self.batch.site
        if site.longitude is None or site.latitude is None:
            return None, None
        return float(site.longitude), float(site.latitude)

    @cached_property
    def produced_on(self) -> date | None:
        return self.batch.produced_on or next(iter(harvest_days(self.batch, self.records)), None)


def trace_of_batch(batch_id: int) -> Trace:
    """What is known of a batch, and so of all its labels.

    The batch comes in one statement with what every page shows of it, and with what there is to be asked further.
    """
    row = db.session.execute(_whole_batch(), {"batch_id": batch_id}).unique().one()
    batch: Batch = row[0]
    records = records_shown(batch)
    return Trace(
        batch,
        recalls_of(batch) if row.recalls else [],
        hold_on(batch),
        records,
        intervals(batch, records),
        [report for report in tests_of(batch) if not report.denied] if row.tests else [],
        certificates_shown(batch) if row.certificates else [],
        commitments_shown(batch) if row.commitments else [],
        waivers_of(batch) if row.waivers else [],
        sources_shown(batch) if row.sources else [],
        places_sent_to(batch) if row.sent else [],
        strip_of(batch) if row.strip else [],
        suppliers_of(batch.id) if row.weighings else None,
    )


@cache
def _whole_batch() -> Any:
    """Said once: to put so large a statement together takes as long as to run it."""
    return (
        sa.select(Batch, *_there_is())
        .where(Batch.id == sa.bindparam("batch_id"))
        .options(
            joinedload(Batch.product).joinedload(Product.photos),
            joinedload(Batch.product).joinedload(Product.kind).selectinload(ProductKind.stages),
            joinedload(Batch.division).joinedload(Division.parent),
            joinedload(Batch.site),
            joinedload(Batch.producer),
        )
    )


def _there_is() -> list[sa.Label[bool]]:
    """Whether there is anything to be asked of each further table: most lots have little."""
    conditions = {
        "recalls": sa.exists().where(RecallMember.batch_id == Batch.id),
        "tests": sa.exists().where(sa.or_(TestReport.batch_id == Batch.id, TestReport.site_id == Batch.site_id)),
        "certificates": sa.exists().where(Certificate.producer_id == Batch.producer_id),
        "commitments": sa.exists().where(CommitmentCertificate.batch_id == Batch.id),
        "waivers": sa.exists().where(Finding.batch_id == Batch.id, Waiver.finding_id == Finding.id),
        "sources": sa.exists().where(LotLink.target_id == Batch.id, LotLink.withdrawn_at.is_(None)),
        "sent": sa.exists().where(ShipmentLine.batch_id == Batch.id),
        "strip": sa.exists().where(Camera.site_id == Batch.site_id, Camera.on_trace_page),
        "weighings": sa.exists().where(Weighing.batch_id == Batch.id),
    }
    return [condition.label(name) for name, condition in conditions.items()]
