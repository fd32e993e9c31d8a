"""How far a recall is: by party, by lot, and all together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from trace_app.batches.models import Batch
from trace_app.clock import today
from trace_app.db.base import utc_now
from trace_app.recall_tasks.models import RecallTask
from trace_app.recall_tasks.service import QUANTITIES, Counted, counted_lots, lots_left_out, phones_of, tasks_of
from trace_app.recalls.models import Recall, RecallStatus


def share(part: Decimal, whole: Decimal) -> float | None:
    """The share of a part in percent, at most 100; None where there is no whole."""
    return min(float(part / whole * 100), 100.0) if whole > 0 else None


@dataclass(frozen=True, slots=True)
class PartyProgress:
    """How far one party is. Percentages are means over its lots; None where nothing was in its hands.

    :ivar counted: its lots in the recall as it stands; none where the recall was narrowed down by all it had.
    """

    task: RecallTask
    counted: list[Counted]
    secured: float | None
    known: float | None
    phone: str

    @property
    def concerned(self) -> bool:
        """Whether the recall still has lots of it."""
        return bool(self.counted)

    @property
    def late(self) -> bool:
        """Whether it has not begun in time, or not finished."""
        if self.task.recall.status is not RecallStatus.ACTIVE or not self.concerned:
            return False
        if self.task.acknowledged_at is None:
            return self.task.start_due_at < utc_now()
        if self.task.finish_due_on is None or self.known is None:
            return False
        return self.task.finish_due_on < today() and self.known < 100


@dataclass(frozen=True, slots=True)
class LotProgress:
    """What has become of a lot at all parties together, in its unit. One that was left out since doesn't count.

    :ivar twice: what one says is returned and another, to whom it came back, speaks of again.
    :ivar lost: what one says is returned and did not arrive: nobody has it under control.
    :ivar on_its_way: what of ``supplied`` is going back to who sent it, since before the recall.
    """

    batch: Batch
    supplied: Decimal
    sealed: Decimal
    returned: Decimal
    destroyed: Decimal
    gone: Decimal
    twice: Decimal = Decimal(0)
    lost: Decimal = Decimal(0)
    on_its_way: Decimal = Decimal(0)
    left_out: bool = False

    @property
    def secured(self) -> float | None:
        return share(self.sealed + self.returned + self.destroyed - self.twice, self.supplied)

    @property
    def known(self) -> float | None:
        return share(self.sealed + self.returned + self.destroyed + self.gone - self.twice, self.supplied)


@dataclass(frozen=True, slots=True)
class RecallProgress:
    """How far a recall is. ``known`` is the mean share of goods of which it is known what became of them.

    :ivar parties: all who were given a task, those last whom the recall does not concern any more.
    """

    parties: list[PartyProgress]
    lots: list[LotProgress]
    secured: float | None
    known: float | None
    hours_to_contact: float | None
    """Hours until the last party concerned confirmed; None as long as any has not."""

    @property
    def concerned(self) -> list[PartyProgress]:
        return [party for party in self.parties if party.concerned]

    @property
    def confirmed(self) -> int:
        return sum(party.task.acknowledged_at is not None for party in self.concerned)


def progress_of(recall: Recall) -> RecallProgress:
    """How far everyone is, by party and by lot."""
    parties: list[PartyProgress] = []
    by_lot: dict[int, dict[str, Any]] = {}
    tasks = tasks_of(recall)
    phones = phones_of(tasks)
    for task in tasks:
        counted = counted_lots(task)
        for one in counted + lots_left_out(task):
            sums = by_lot.setdefault(
                one.batch.id,
                {
                    "batch": one.batch,
                    "supplied": Decimal(0),
                    "left_out": one.left_out,
                    "twice": Decimal(0),
                    "lost": Decimal(0),
                    "on_its_way": Decimal(0),
                    **dict.fromkeys(QUANTITIES, Decimal(0)),
                },
            )
            sums["supplied"] += one.supplied
            sums["on_its_way"] += one.on_its_way
            if one.report is not None:
                for quantity in QUANTITIES:
                    sums[quantity] += one.returned if quantity == "returned" else getattr(one.report, quantity)
                sums["lost"] += one.report.returned - one.returned
                sums["twice"] += one.counted_twice
        parties.append(
            PartyProgress(
                task,
                counted,
                _mean(share(one.secured, one.at_hand) for one in counted),
                _mean(share(one.known, one.at_hand) for one in counted),
                phones.get(task.id, ""),
            )
        )
    lots = sorted((LotProgress(**sums) for sums in by_lot.values()), key=lambda lot: lot.left_out)
    standing = [lot for lot in lots if not lot.left_out]
    concerned = [party for party in parties if party.concerned]
    moments = [party.task.acknowledged_at for party in concerned if party.task.acknowledged_at is not None]
    return RecallProgress(
        sorted(parties, key=lambda party: not party.concerned),
        lots,
        _mean(lot.secured for lot in standing),
        _mean(lot.known for lot in standing),
        _hours(recall.in_force_at, max(moments)) if moments and len(moments) == len(concerned) else None,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _hours(begun: datetime | None, done: datetime) -> float | None:
    return (done - begun).total_seconds() / 3600 if begun is not None else None
