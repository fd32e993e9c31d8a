"""What the rules look at: a lot with all that is known of it, read once, so that rules are plain functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

from trace_app.batches.models import Batch
from trace_app.catalogue.kinds import KindRules, StageRules
from trace_app.catalogue.models import ProductKind, Stage
from trace_app.certificates.models import Certificate, CommitmentCertificate
from trace_app.certificates.owed import SentWithout
from trace_app.findings.models import Finding
from trace_app.inputs.models import LabelUse, StockLot
from trace_app.laboratory.models import TestReport
from trace_app.records.intervals import Interval, intervals
from trace_app.records.models import INPUT_TYPES, Record, RecordType
from trace_app.reference.models import GiArea, ProhibitedSubstance
from trace_app.stock.service import StockBalance
from trace_app.units import converted


@dataclass(frozen=True)
class Lot:
    """A lot as the rules see it. ``records`` are in force, the latest first; ``tests`` are not replaced by others.

    :ivar stock: stock lots that the records name, with what all records of the producer used of them.
    """

    batch: Batch
    records: list[Record]
    tests: list[TestReport]
    certificates: list[Certificate]
    prohibited: list[ProhibitedSubstance]
    gi_areas: list[GiArea]
    stock: dict[int, StockBalance]
    today: date
    once_blocking: list[Finding] = field(default_factory=list)
    """All that stopped the lot or stops it."""
    labels: int = 0
    """Labels of single items that were printed, but for those that are void."""
    sent_without: list[SentWithout] = field(default_factory=list)
    """Shipments that ought to have had a commitment certificate."""
    in_question: list[CommitmentCertificate] = field(default_factory=list)
    """Certificates by buyers that rest on one that was withdrawn."""

    @cached_property
    def kind(self) -> ProductKind:
        return self.batch.product.kind

    @cached_property
    def rules(self) -> KindRules:
        return KindRules.model_validate(self.kind.rules or {})

    @cached_property
    def stages(self) -> dict[str, Stage]:
        return {stage.code: stage for stage in self.kind.stages}

    @cached_property
    def stage_rules(self) -> dict[str, StageRules]:
        return {stage.code: StageRules.model_validate(stage.rules or {}) for stage in self.kind.stages}

    @cached_property
    def intervals(self) -> dict[int, Interval]:
        return intervals(self.batch, self.records)

    @cached_property
    def by_type(self) -> dict[RecordType, list[Record]]:
        found: dict[RecordType, list[Record]] = defaultdict(list)
        for record in self.records:
            found[record.type].append(record)
        return found

    @cached_property
    def by_stage(self) -> dict[str, list[Record]]:
        """Records of each stage, the earliest first."""
        found: dict[str, list[Record]] = defaultdict(list)
        for record in reversed(self.records):
            if record.stage_code is not None:
                found[record.stage_code].append(record)
        return found

    @property
    def inputs(self) -> Iterable[Record]:
        return (record for record in self.records if record.type in INPUT_TYPES)

    @cached_property
    def judged_on(self) -> date:
        """The day whose rules count for the finished lot: when it became goods, today while it has not."""
        return self.batch.produced_on or self.today

    def label_of(self, record: Record) -> LabelUse | None:
        """What the label of a record's input says for this kind."""
        return record.stock.product.use_on(self.kind.code) if record.stock is not None else None

    def stock_lots(self) -> dict[int, tuple[StockLot, list[Record]]]:
        """The stock lots that the records name."""
        found: dict[int, tuple[StockLot, list[Record]]] = {}
        for record in self.inputs:
            if record.stock is not None:
                found.setdefault(record.stock.id, (record.stock, []))[1].append(record)
        return found

    def total(self, quantity: str, unit: str) -> tuple[Decimal | None, list[Record]]:
        """A sum over the lot's records, see `trace_app.catalogue.kinds.Balance`; None where nothing says."""
        if quantity == "batch":
            return converted(self.batch.quantity, self.batch.unit, unit), []
        if quantity.startswith("ingredient:"):
            name = quantity.removeprefix("ingredient:")
            used = [r for r in self.by_type[RecordType.INGREDIENT] if name in (r.product_name or "")]
            amounts = [converted(r.dose or Decimal(0), r.dose_unit or "", unit) for r in used]
            known = [amount for amount in amounts if amount is not None]
            return (sum(known, Decimal(0)), used) if len(known) == len(used) and used else (None, used)
        stage, _, code = quantity.partition(".")
        said = [record for record in self.by_stage.get(stage, []) if number(record.values.get(code)) is not None]
        if not said:
            return None, []
        return sum((number(record.values[code]) or Decimal(0) for record in said), Decimal(0)), said


def number(text: object) -> Decimal | None:
    """A value of a stage's field as a number."""
    try:
        return Decimal(str(text)) if text not in (None, "") else None
    except ArithmeticError:
        return None
