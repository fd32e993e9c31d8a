"""Whether the pre-harvest interval or withdrawal period of an input was kept (安全间隔期、休药期).

Agricultural Product Quality and Safety Law (2022), article 29: what was harvested or slaughtered inside
the interval may not be sold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from trace_app.batches.models import Batch
from trace_app.records.models import Record, RecordType

ENDING_ROLES = frozenset({"harvest", "slaughter"})


@dataclass(frozen=True, slots=True)
class Interval:
    """The time from an application to the first harvest after it. ``days`` is None while there was none.

    :ivar harvested_on: the last day of harvest, where the application came after all of them.
    """

    required_days: int
    days: int | None
    harvested_on: date | None = None

    @property
    def kept(self) -> bool:
        return self.days is None or self.days >= self.required_days

    @property
    def state(self) -> Literal["waiting", "late", "kept", "broken"]:
        if self.harvested_on is not None:
            return "late"
        return "waiting" if self.days is None else "kept" if self.kept else "broken"


def harvest_days(batch: Batch, records: Sequence[Record]) -> list[date]:
    """The days on which the lot was harvested or slaughtered, by its records, else by its own date.

    :param records: in force.
    """
    ending = {stage.code for stage in batch.product.kind.stages if stage.role in ENDING_ROLES}
    days = sorted({r.happened_on for r in records if r.type is RecordType.STAGE and r.stage_code in ending})
    return days or ([batch.produced_on] if batch.produced_on else [])


def required_days(record: Record) -> int | None:
    """The interval that a record must keep: the longer of what it states and what the input's label says."""
    return max((days for days in (record.interval_days, record.label_days) if days is not None), default=None)


def intervals(batch: Batch, records: Sequence[Record]) -> dict[int, Interval]:
    """The interval of every record in force that has one, by the record's id."""
    harvests = harvest_days(batch, records)
    found = {}
    for record in records:
        days_required = required_days(record)
        if days_required is not None:
            after = next((day for day in harvests if day >= record.happened_on), None)
            days = (after - record.happened_on).days if after else None
            found[record.id] = Interval(days_required, days, harvests[-1] if harvests and after is None else None)
    return found
