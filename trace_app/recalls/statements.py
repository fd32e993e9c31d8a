"""What a notice states of producers beside its own words (食品召回管理办法, article 17), as it was on the day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from trace_app.accounts.models import Organisation
from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.language import named
from trace_app.recalls.area_of_sale import AreaOfSale, areas_of_sale
from trace_app.recalls.models import Recall, RecallMember, RecallNotice
from trace_app.values import StoredJson

MOST_PRODUCERS = 50
"""Producers that a notice states by name."""


DUTIES = _(
    "生产者应立即停止生产，通知各级经营者停止销售。经营者应立即停止销售，下架、封存并单独存放，"
    "向买过的人说明情况，接受退货，并把数量和去向报告发布机关。"
)
"""What those have to do who made or sell what is recalled (食品召回管理办法)."""


@dataclass(frozen=True, slots=True)
class StatedProducer:
    """What a notice says of a producer."""

    name: str
    name_en: str = ""
    address: str = ""
    legal_representative: str = ""
    responsible_person: str = ""
    phone: str = ""
    contact_email: str = ""

    @classmethod
    def of(cls, producer: Organisation) -> StatedProducer:
        return cls(**{name: getattr(producer, name) for name in cls.__dataclass_fields__})

    def lines(self) -> list[tuple[LazyString, str]]:
        """Labels with what is known, those without anything too."""
        return [
            (_("地址"), self.address),
            (_("法定代表人"), self.legal_representative),
            (_("负责人"), self.responsible_person),
            (_("联系电话"), self.phone),
            (_("电子邮箱"), self.contact_email),
        ]


def of_the_day(recall: Recall) -> StoredJson:
    """What is kept in a notice: the producers of the recall's lots, and where these were sold."""
    area = areas_of_sale([recall])[recall.id]
    return {
        "producers": [asdict(StatedProducer.of(producer)) for producer in _producers_now(recall)],
        "sold_in": list(area.codes),
        "sold_somewhere": area.unplaced,
    }


def producers_stated(notice: RecallNotice) -> list[StatedProducer]:
    """The producers as they were at a notice; as they are, where it is from before that was kept."""
    if "producers" in notice.facts:
        return [StatedProducer(**facts) for facts in notice.facts["producers"]]
    return [StatedProducer.of(producer) for producer in _producers_now(notice.recall)]


def area_stated(notice: RecallNotice) -> AreaOfSale:
    """Where the lots had been sold at a notice; or until now, where it is from before that was kept."""
    if "sold_in" in notice.facts:
        return AreaOfSale(tuple(notice.facts["sold_in"]), notice.facts["sold_somewhere"])
    return areas_of_sale([notice.recall])[notice.recall_id]


def producers_of(lots: Sequence[Batch]) -> list[StatedProducer]:
    """What a notice for these lots would state of each producer."""
    return [StatedProducer.of(producer) for producer in {lot.producer_id: lot.producer for lot in lots}.values()]


def name_of(producer: StatedProducer) -> str:
    return named(producer)


def _producers_now(recall: Recall) -> list[Organisation]:
    query = (
        sa.select(Batch.producer_id)
        .join(RecallMember, RecallMember.batch_id == Batch.id)
        .where(RecallMember.recall_id == recall.id, RecallMember.removed_in.is_(None))
    )
    rows = db.select(Organisation).where(Organisation.id.in_(query)).order_by(Organisation.id).limit(MOST_PRODUCERS)
    return list(db.session.scalars(rows))
