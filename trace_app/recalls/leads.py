"""Who leads a case: agriculture or market supervision, by the kinds of its lots. The other authority sees along."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from trace_app.accounts.models import Branch, Organisation
from trace_app.accounts.service import nearest_regulators
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product, ProductKind
from trace_app.extensions import db
from trace_app.recalls.models import Recall, RecallMember


@dataclass(frozen=True, slots=True)
class Lead:
    """A branch that leads, with its authorities nearest to where the lots were made; none where none is registered."""

    branch: Branch
    authorities: tuple[Organisation, ...]


def leads_of_lots(lots: Iterable[Batch]) -> list[Lead]:
    """Who leads a case of these lots."""
    return _leads({(lot.product.kind.led_by, lot.division_code) for lot in lots})


def leads_of(recall: Recall) -> list[Lead]:
    """Who leads a case, by the lots that are in it now."""
    query = (
        sa.select(ProductKind.led_by, Batch.division_code)
        .select_from(RecallMember)
        .join(Batch, Batch.id == RecallMember.batch_id)
        .join(Product, Product.id == Batch.product_id)
        .join(ProductKind, ProductKind.code == Product.kind_code)
        .where(RecallMember.recall_id == recall.id, RecallMember.removed_in.is_(None))
        .distinct()
    )
    return _leads({(branch, place) for branch, place in db.session.execute(query)})


def to_be_told(recall: Recall, regulators: Sequence[Organisation], *, all_of_them: bool) -> list[Organisation]:
    """The authorities that a notice goes to, those that lead first.

    :param regulators: of the place of who issued it.
    :param all_of_them: whether all are told; else only those that lead what another authority has stopped.
    """
    leading = {authority.id: authority for lead in leads_of(recall) for authority in lead.authorities}
    if not all_of_them:
        return [] if recall.authority_id in leading else list(leading.values())
    return [*leading.values(), *(row for row in regulators if row.id not in leading)]


def _leads(found: set[tuple[Branch, str]]) -> list[Lead]:
    places: dict[Branch, set[str]] = {}
    for branch, place in sorted(found):
        places.setdefault(branch, set()).add(place[:6])
    return [
        Lead(
            branch,
            tuple({row.id: row for place in sorted(codes) for row in nearest_regulators(place, branch)}.values()),
        )
        for branch, codes in places.items()
    ]
