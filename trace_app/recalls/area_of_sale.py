"""Where the lots of recalls were sold (区域范围): provinces and cities, as far as shipments tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from flask_babel import gettext, ngettext

from trace_app.accounts.places import region_names
from trace_app.extensions import db
from trace_app.flow.shipments.models import Shipment, ShipmentLine
from trace_app.language import language
from trace_app.recalls.models import Recall, RecallMember


@dataclass(frozen=True, slots=True)
class AreaOfSale:
    """Where goods went.

    :ivar codes: of divisions.
    :ivar unplaced: the number of shipments that say no place.
    """

    codes: tuple[str, ...] = ()
    unplaced: int = 0

    def said(self) -> str:
        """The area in the reader's language, by province and city; what isn't known is said too."""
        regions = ("、" if language() == "zh" else ", ").join(region_names(self.codes))
        if not self.unplaced:
            return regions or str(gettext("没有发货记录，未发现流出生产者"))
        unknown: str = ngettext("另有 %(num)d 次发货未登记地区", "另有 %(num)d 次发货未登记地区", self.unplaced)
        return str(gettext("%(regions)s；%(unknown)s", regions=regions, unknown=unknown)) if regions else unknown


def areas_of_sale(recalls: Sequence[Recall]) -> dict[int, AreaOfSale]:
    """Where the lots that are in each recall now were sent, by the recall's id."""
    query = (
        sa.select(RecallMember.recall_id, Shipment.consignee_division_code, sa.func.count(Shipment.id.distinct()))
        .join(ShipmentLine, ShipmentLine.batch_id == RecallMember.batch_id)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(
            RecallMember.recall_id.in_([recall.id for recall in recalls]),
            RecallMember.removed_in.is_(None),
            Shipment.withdrawn_at.is_(None),
            Shipment.returns_id.is_(None),
            ShipmentLine.missing < ShipmentLine.quantity,
        )
        .group_by(RecallMember.recall_id, Shipment.consignee_division_code)
        .order_by(Shipment.consignee_division_code)
    )
    codes: dict[int, list[str]] = {recall.id: [] for recall in recalls}
    unplaced = dict.fromkeys(codes, 0)
    for recall_id, code, shipments in db.session.execute(query):
        if code is None:
            unplaced[recall_id] = int(shipments)
        else:
            codes[recall_id].append(str(code))
    return {recall_id: AreaOfSale(tuple(found), unplaced[recall_id]) for recall_id, found in codes.items()}
