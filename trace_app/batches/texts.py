"""Versions of a lot as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask_babel import lazy_gettext as _

from trace_app.batches.models import Batch, BatchRevision
from trace_app.templating import number
from trace_app.units import unit_name
from trace_app.values import StoredJson

FIELDS = {
    "product": _("产品"),
    "site": _("基地"),
    "lot_number": _("批次号"),
    "quantity": _("数量"),
    "started_on": _("开始日期"),
    "produced_on": _("采收或生产日期"),
    "best_before": _("保质期至"),
}
"""What a version states, in the order in which it is told."""


@dataclass(frozen=True, slots=True)
class RevisionChanges:
    """A version, and each field that it changed: its name, what stood there before and what stands there since."""

    revision: BatchRevision
    fields: Sequence[tuple[str, str, str]]


def changes_of(batch: Batch) -> list[RevisionChanges]:
    """What each version of a lot changed, the latest first; the first version changed nothing."""
    found = []
    before: BatchRevision | None = None
    for revision in batch.revisions:
        fields = []
        for name, title in FIELDS.items():
            old, new = _value(before.facts, name) if before is not None else "", _value(revision.facts, name)
            if before is not None and old != new:
                fields.append((str(title), old or "—", new or "—"))
        found.append(RevisionChanges(revision, fields))
        before = revision
    return found[::-1]


def _value(facts: StoredJson, name: str) -> str:
    value = facts.get(name) or ""
    if name == "quantity" and value:
        return f"{number(Decimal(value))} {unit_name(facts['unit'])}"
    return str(value)
