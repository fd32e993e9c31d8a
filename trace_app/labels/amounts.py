"""How many labels a lot's goods are for, and how many were printed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from flask_babel import lazy_gettext as _

from trace_app.batches.models import Batch
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.labels.models import LabelLevel, LabelRun
from trace_app.labels.service import voided_count
from trace_app.units import WORDS, converted

MORE_THAN_ENOUGH = Decimal("1.1")
"""How many labels for one's goods need no word: some are spoiled."""
PIECES = {"leg", "piece", "box", "bottle", "head", "colony"}
"""Units of lots that are counted: each piece has a label."""
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(kg|g|t|公斤|千克|市斤|斤|克|吨)(?![a-z])")


class TooManyLabels(Unprocessable):
    """More labels than the lot has goods for, and no word why."""

    title = _("本批约够 %(room)s 张单件标签，已印 %(printed)s 张，再印 %(count)s 张就超出了。确需多印，请写明原因。")


@dataclass(frozen=True, slots=True)
class LabelRoom:
    """Labels of single items for a lot's goods.

    :ivar printed: but for those that are void.
    :ivar room: for how many there are goods; None where that can't be told.
    """

    printed: int
    room: int | None

    def is_exceeded_by(self, count: int) -> bool:
        """Whether so many more would be more than the goods are for."""
        return self.room is not None and self.printed + count > self.room * MORE_THAN_ENOUGH


def grams_of(net_content: str | None) -> Decimal | None:
    """The mass that a net content says, such as 净重 500 克; None where it says none, or more than one."""
    plain = unicodedata.normalize("NFKC", net_content or "").replace(" ", "").replace(",", "").lower()
    found = _AMOUNT.findall(plain)
    if len(found) != 1 or len(re.findall(r"\d+(?:\.\d+)?", plain)) != 1:
        return None
    amount, word = found[0]
    return converted(Decimal(amount), WORDS[word], "g") or None


def room_for(batch: Batch, net_content: str | None) -> int | None:
    """How many labels of single items a lot has goods for; None where that can't be told."""
    if batch.unit in PIECES:
        return int(batch.quantity)
    grams = grams_of(net_content)
    goods = converted(batch.quantity, batch.unit, "g")
    return int(goods / grams) if goods is not None and grams is not None else None


def items_printed(batch: Batch) -> int:
    """Labels of single items that were printed of a lot, but for those that are void."""
    query = db.select(LabelRun).filter_by(batch_id=batch.id, level=LabelLevel.ITEM)
    return sum(run.count - voided_count(run) for run in db.session.scalars(query))


def label_room(batch: Batch) -> LabelRoom:
    return LabelRoom(items_printed(batch), room_for(batch, batch.product.net_content))
