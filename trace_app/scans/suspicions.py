"""Looking through the scans for copied labels and guessed codes, each minute.

What is found is kept by label, kind and day, with a score of how sure it is; from `WARN_FROM` on producer and the
county's regulator are told, and the label's page explains, calmly, that its scans are unusual.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import sqlalchemy as sa
import structlog
from flask_babel import force_locale
from flask_babel import lazy_gettext as _

from trace_app.accounts.service import nearest_regulators
from trace_app.batches.models import Batch
from trace_app.clock import local
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.extensions import db, jobs
from trace_app.labels.models import LabelRun
from trace_app.labels.service import code_of
from trace_app.messages.service import tell
from trace_app.scanning.intake import forget_messages
from trace_app.scanning.models import Outcome, ScanItem, scans
from trace_app.scanning.regions import apart_km
from trace_app.scans.models import ScanMark, Suspicion, SuspicionKind
from trace_app.settings import address_of, settings
from trace_app.values import Facts, JsonObject

LAG = timedelta(seconds=10)
"""Workers write their scans some seconds late."""
BACK = timedelta(hours=6)
"""How far apart in time two scans of a label are held against each other."""
FASTEST_KMH = 900.0
"""The speed of the fastest traveller, by air."""
LEAST_KM = 300.0
"""Regions are known by their capitals alone."""
BURST_SOURCES = 15
BURST = timedelta(hours=1)
GUESSES = 50
"""Unknown codes from one source in a day: people mistype a few."""
MOST_ITEMS = 500
MOST_ROWS = 200_000
"""How many rows of the log are looked at together."""
WARN_FROM = 60
KINDS = {
    SuspicionKind.FAR_APART: _("同一枚标签短时间内在相距很远的地方被扫"),
    SuspicionKind.BURST: _("同一枚标签短时间内在许多地方被扫"),
    SuspicionKind.VOID: _("已作废的标签还在被扫"),
    SuspicionKind.UNPRINTED: _("从未印制的标签被扫"),
    SuspicionKind.GUESSING: _("同一来源大量尝试不存在的码"),
}
ITEM_KINDS = {SuspicionKind.FAR_APART, SuspicionKind.BURST}

log = structlog.get_logger()


@dataclass
class Sign:
    """What looks suspicious, before it is kept."""

    kind: SuspicionKind
    score: int
    scans: int
    first_at: datetime
    last_at: datetime
    run_id: int = 0
    index: int = 0
    batch_id: int | None = None
    source: int = 0
    regions: dict[str, int] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)


@jobs.every_minute
def watch() -> None:
    """Look through what was scanned since the last time, and keep and tell what is suspicious."""
    now = utc_now() - LAG
    with transaction():
        mark = db.session.get(ScanMark, "watch", with_for_update={"key_share": True})
        since = max(mark.until if mark else now - BACK, now - timedelta(days=1))
        if mark is None:
            mark = ScanMark(name="watch", until=now)
            db.session.add(mark)
        mark.until = now
        new = (scans.c.at >= since, scans.c.at < now)
        regional = sa.func.sum(sa.case((scans.c.region != "", 1), else_=0))
        count, placed = db.session.execute(sa.select(sa.func.count(), regional).where(*new)).one()
        if not count:
            return
        # Looking back costs by the rows there are: under a flood of scans not so far.
        reach = (now - since) * (MOST_ROWS / count)
        signs = [*_dead_labels(since, now), *_guesses(since, now), *_bursts(since, now, min(BURST, reach))]
        if placed:
            signs += _far_apart(since, now, min(BACK, reach))
        for sign in signs:
            _keep(sign)


def _dead_labels(since: datetime, until: datetime) -> Iterator[Sign]:
    """Labels that can't be on goods: voided, or never made."""
    c = scans.c
    query = (
        sa.select(
            c.outcome, c.run_id, c.index, c.batch_id, c.region, sa.func.count(), sa.func.min(c.at), sa.func.max(c.at)
        )
        .where(c.at >= since, c.at < until, c.outcome.in_([Outcome.VOID, Outcome.UNPRINTED]), c.run_id.is_not(None))
        .group_by(c.outcome, c.run_id, c.index, c.batch_id, c.region)
        .limit(MOST_ITEMS)
    )
    for outcome, run_id, index, batch_id, region, count, first, last in db.session.execute(query):
        kind = SuspicionKind(outcome)
        score = 90 if kind is SuspicionKind.UNPRINTED else 70
        yield Sign(kind, score, count, first, last, run_id, index or 0, batch_id, regions={region: count})


def _guesses(since: datetime, until: datetime) -> Iterator[Sign]:
    """Sources of many unknown codes in a day."""
    c = scans.c
    day = until - timedelta(days=1)
    active = list(
        db.session.scalars(
            sa.select(c.source).where(c.at >= since, c.at < until, c.outcome == Outcome.UNKNOWN).distinct()
        )
    )
    if not active:
        return
    query = (
        sa.select(c.source, sa.func.max(c.region), sa.func.count(), sa.func.min(c.at), sa.func.max(c.at))
        .where(c.at >= day, c.at < until, c.outcome == Outcome.UNKNOWN, c.source.in_(active[:MOST_ITEMS]))
        .group_by(c.source)
        .having(sa.func.count() >= GUESSES)
        .limit(MOST_ITEMS)
    )
    for source, region, count, first, last in db.session.execute(query):
        yield Sign(
            SuspicionKind.GUESSING,
            min(100, 50 + count // 10),
            count,
            first,
            last,
            source=source,
            regions={region: count},
        )


def _bursts(since: datetime, until: datetime, reach: timedelta) -> Iterator[Sign]:
    """Labels scanned from many sources within an hour."""
    c = scans.c
    query = (
        sa.select(
            c.run_id,
            c.index,
            sa.func.max(c.batch_id),
            sa.func.count(),
            sa.func.count(c.source.distinct()),
            sa.func.min(c.at),
            sa.func.max(c.at),
        )
        .where(c.at >= until - reach, c.at < until, c.outcome == Outcome.SHOWN, c.index.is_not(None))
        .group_by(c.run_id, c.index)
        .having(sa.func.count(c.source.distinct()) >= BURST_SOURCES, sa.func.max(c.at) >= since)
        .limit(MOST_ITEMS)
    )
    for run_id, index, batch_id, count, sources, first, last in db.session.execute(query):
        score = min(100, 40 + sources)
        yield Sign(
            SuspicionKind.BURST,
            score,
            count,
            first,
            last,
            run_id,
            index,
            batch_id,
            regions=_regions(run_id, index, until - reach, until),
            facts={"sources": sources},
        )


def _far_apart(since: datetime, until: datetime, reach: timedelta) -> Iterator[Sign]:
    """Labels in two places between which nobody can travel in that time."""
    c = scans.c
    begin = until - reach
    shown = (c.at >= begin, c.at < until, c.outcome == Outcome.SHOWN, c.index.is_not(None), c.region != "")
    several = (
        sa.select(c.run_id, c.index)
        .where(*shown)
        .group_by(c.run_id, c.index)
        .having(sa.func.count(c.region.distinct()) > 1, sa.func.max(c.at) >= since)
        .limit(MOST_ITEMS)
    )
    for run_id, index in db.session.execute(several).all():
        query = sa.select(c.at, c.region, c.batch_id).where(*shown, c.run_id == run_id, c.index == index).order_by(c.at)
        rows = db.session.execute(query).all()
        worst = max((_speed(one, other) for one, other in pairwise(rows)), default=(0.0, 0.0, "", ""))
        speed, distance, here, there = worst
        if speed > FASTEST_KMH:
            yield Sign(
                SuspicionKind.FAR_APART,
                min(100, 60 + int(distance / 50)),
                len(rows),
                rows[0].at,
                rows[-1].at,
                run_id,
                index,
                rows[0].batch_id,
                regions=dict(Counter(row.region for row in rows)),
                facts={"from": here, "to": there, "km": round(distance)},
            )


def _speed(one: sa.Row[str, datetime, int], other: sa.Row[str, datetime, int]) -> tuple[float, float, str, str]:
    """Kilometres an hour between two scans, and the distance; nothing where it is short."""
    distance = apart_km(one.region, other.region) if one.region != other.region else None
    if distance is None or distance < LEAST_KM:
        return 0.0, 0.0, "", ""
    hours = max((other.at - one.at).total_seconds(), 60.0) / 3600
    return distance / hours, distance, one.region, other.region


def _regions(run_id: int, index: int, since: datetime, until: datetime) -> dict[str, int]:
    c = scans.c
    query = (
        sa.select(c.region, sa.func.count())
        .where(c.at >= since, c.at < until, c.run_id == run_id, c.index == index, c.outcome == Outcome.SHOWN)
        .group_by(c.region)
    )
    return {row[0]: row[1] for row in db.session.execute(query)}


def _keep(sign: Sign) -> None:
    """Keep what was found, or add it to what was found of the label today; tell of it once."""
    day = local(sign.last_at).date()
    key = {"kind": sign.kind, "day": day, "run_id": sign.run_id, "index": sign.index, "source": sign.source}
    row = db.session.scalar(db.select(Suspicion).filter_by(**key))
    if row is None:
        row = Suspicion(
            **key,
            batch_id=sign.batch_id,
            score=sign.score,
            scans=0,
            regions={},
            facts={},
            first_at=sign.first_at,
            last_at=sign.last_at,
        )
        db.session.add(row)
    counted_anew = sign.kind in ITEM_KINDS or sign.kind is SuspicionKind.GUESSING
    row.scans = max(row.scans, sign.scans) if counted_anew else row.scans + sign.scans
    row.regions = sign.regions if counted_anew else dict(Counter(row.regions) + Counter(sign.regions))
    row.score, row.facts = max(row.score, sign.score), row.facts | sign.facts
    row.first_at, row.last_at = min(row.first_at, sign.first_at), max(row.last_at, sign.last_at)
    db.session.flush()
    if sign.kind in ITEM_KINDS:
        db.session.execute(
            sa.update(ScanItem)
            .where(ScanItem.run_id == sign.run_id, ScanItem.index == sign.index)
            .values(unusual=True),
            execution_options={"synchronize_session": False},
        )
    if row.score >= WARN_FROM and row.told_at is None:
        row.told_at = utc_now()
        if row.batch is not None:
            _tell(row, row.batch)


def _tell(row: Suspicion, batch: Batch) -> None:
    with force_locale("zh_CN"):
        words = str(KINDS[row.kind])
    places = "、".join(f"{region or '地区不明'} {count}" for region, count in row.regions.items())
    message: JsonObject = {
        "subject": f"[扫码异常] {batch.product.name} {batch.lot_number}",
        "lines": [words, f"{row.scans} 次：{places}"],
        "link": address_of("scans.index"),
        "type": "suspicious_scans",
        "facts": {
            "kind": row.kind.value,
            "lot": batch.lot_number,
            "score": row.score,
            "scans": row.scans,
            "regions": row.regions,
        },
    }
    tell(batch.producer, message)
    for regulator in nearest_regulators(batch.division_code):
        tell(regulator, message)


def code_of_suspicion(row: Suspicion) -> str:
    """The label's code, empty where it has none."""
    run = db.session.get(LabelRun, row.run_id) if row.run_id else None
    return code_of(run, row.index) if run is not None and row.index < run.count else ""


@jobs.every_minute
def forget_scans() -> None:
    """Delete single scans whose time is over, once an hour: at most an hour of them in one transaction."""
    kept = timedelta(days=settings().scan_days_kept)
    now = utc_now()
    over = now - kept
    with transaction():
        mark = db.session.get(ScanMark, "forget", with_for_update={"key_share": True})
        if mark is not None and mark.until > now - timedelta(hours=1):
            return
        if mark is None:
            mark = ScanMark(name="forget", until=now)
            db.session.add(mark)
        mark.until = now
    while (oldest := db.session.scalar(sa.select(sa.func.min(scans.c.at)))) is not None and oldest < over:
        with transaction():
            db.session.execute(sa.delete(scans).where(scans.c.at < min(oldest + timedelta(hours=1), over)))
    db.session.rollback()
    forget_messages()
