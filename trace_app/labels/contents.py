"""How many single items are in cases and on pallets, as their labels say it."""

from __future__ import annotations

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.labels.models import LabelLevel, LabelRun, Packing, PrintJob
from trace_app.labels.service import CONTAINERS


class ContentsDiffer(Unprocessable):
    """The labels of a print job say all the same, and its containers don't hold the same."""

    title = _("这些箱（托）里装的件数不同（%(counts)s），标签要分开补打：请一次只选件数相同的。")


def items_each_of(run: LabelRun, first: int, count: int, declared: int | None) -> int | None:
    """How many single items each of a range of containers holds: what is packed, else what was declared.

    :raises ContentsDiffer: where they don't all hold the same.
    """
    if run.level not in CONTAINERS:
        return None
    packed = _items_packed(run.id, first, first + count - 1)
    found: set[int | None] = set(packed.values())
    if len(packed) < count:
        found.add(declared)
    if len(found) > 1:
        raise ContentsDiffer(counts="、".join("?" if each is None else str(each) for each in sorted(found, key=_known)))
    return found.pop()


def _known(count: int | None) -> int:
    return count or 0


def _items_packed(run_id: int, first: int, last: int) -> dict[int, int | None]:
    """Single items by index of a run's containers that hold something. None where a case in one says nothing."""
    query = (
        db.select(Packing.container_index, Packing.run_id, Packing.index, LabelRun.level)
        .join(Packing.run)
        .where(
            Packing.container_run_id == run_id,
            Packing.container_index.between(first, last),
            Packing.unpacked_at.is_(None),
        )
    )
    rows = db.session.execute(query).all()
    cases = _items_of_cases({row.run_id for row in rows if row.level in CONTAINERS})
    declared = {case_run: _declared(case_run) for case_run in {row.run_id for row in rows if row.level in CONTAINERS}}
    items: dict[int, int | None] = {}
    for index, content_run, content_index, level in rows:
        one = 1 if level is LabelLevel.ITEM else cases.get((content_run, content_index), declared[content_run])
        so_far = items.get(index, 0)
        items[index] = None if so_far is None or one is None else so_far + one
    return items


def _items_of_cases(run_ids: set[int]) -> dict[tuple[int, int], int]:
    """How much is packed in each case of some runs: nothing but single items goes into a case."""
    query = (
        sa.select(Packing.container_run_id, Packing.container_index, sa.func.count())
        .where(Packing.container_run_id.in_(run_ids), Packing.unpacked_at.is_(None))
        .group_by(Packing.container_run_id, Packing.container_index)
    )
    return {(run_id, index): count for run_id, index, count in db.session.execute(query)} if run_ids else {}


def _declared(run_id: int) -> int | None:
    query = sa.select(PrintJob.items_each).where(PrintJob.run_id == run_id).order_by(PrintJob.id).limit(1)
    return db.session.scalar(query)
