"""What a stock lot settles of a record that takes from it: the record tells of that lot's product and of no other."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from flask_babel import lazy_gettext as _

from trace_app.clock import today
from trace_app.folding import without_spaces
from trace_app.forms import SelectChoice, choices, plain_decimal
from trace_app.inputs.models import StockLot
from trace_app.units import unit_name
from trace_app.values import Facts

_CHOSEN = _("与所选的库存不符：库存是“%(said)s”。请改回，或选“不从库存选”。")
_OF_THAT_NUMBER = _("与库存里的批号 %(lot)s 不符：库存是“%(said)s”。请核对标签后改正。")


@dataclass(frozen=True, slots=True)
class OfferedStock:
    """A stock lot that a record may take from, with what is left of it in its own unit where that can be told."""

    lot: StockLot
    left: Decimal | None = None

    @property
    def is_expired(self) -> bool:
        return self.lot.expires_on is not None and self.lot.expires_on < today()

    @property
    def is_used_up(self) -> bool:
        return self.left is not None and self.left <= 0

    @property
    def in_words(self) -> str:
        """The line of the choice: what it is, what is left, until when it may be used."""
        parts = [self.lot.product.name, self.lot.lot_number]
        if self.is_used_up:
            parts.append(str(_("已用完")))
        elif self.left is not None:
            amount = f"{plain_decimal(self.left)} {unit_name(self.lot.unit)}"
            parts.append(str(_("还剩 %(amount)s", amount=amount)))
        if self.is_expired:
            parts.append(str(_("已过期（%(day)s）", day=self.lot.expires_on)))
        elif self.lot.expires_on is not None:
            parts.append(str(_("有效期至 %(day)s", day=self.lot.expires_on)))
        return " · ".join(parts)


def in_order(stock: Iterable[OfferedStock]) -> list[OfferedStock]:
    """What can be used stands first, what came in latest before all; then what is used up or expired."""
    latest = sorted(stock, key=lambda one: (one.lot.received_on, one.lot.id), reverse=True)
    return sorted(latest, key=lambda one: (one.is_expired, one.is_used_up))


def stock_choices(stock: Iterable[OfferedStock], kind_code: str) -> list[SelectChoice]:
    """The choices of a record's stock, each with what it fills in, for the page to show it at once."""
    found = choices([], blank=_("不从库存选"))
    for one in stock:
        fills = {name: str(value) for name, value in settled_by(one.lot, kind_code).items() if value is not None}
        extra = {"data-fills": json.dumps(fills, ensure_ascii=False), **label_of(one.lot, kind_code)}
        found.append(SelectChoice(str(one.lot.id), one.in_words, extra))
    return found


def label_of(lot: StockLot, kind_code: str) -> dict[str, str]:
    """The amounts that the label allows on a kind, in words and by the code of their unit; empty where it says none."""
    use = lot.product.use_on(kind_code)
    if use is None or use.dose_unit is None:
        return {}
    amounts = [plain_decimal(amount) for amount in (use.dose_min, use.dose_max) if amount is not None]
    if not amounts:
        return {}
    return {"data-dose": f"{'–'.join(dict.fromkeys(amounts))} {unit_name(use.dose_unit)}", "data-unit": use.dose_unit}


def settled_by(lot: StockLot, kind_code: str) -> Facts:
    """What a stock lot and its product's label say of a record for a kind; None where they say nothing."""
    use = lot.product.use_on(kind_code)
    return {
        "product_name": lot.product.name,
        "registration_number": lot.product.registration_number or None,
        "active_ingredient": lot.product.active_ingredient or None,
        "source": lot.supplier,
        "input_lot": lot.lot_number,
        "interval_days": use.interval_days if use is not None else None,
    }


def taken_again(stock_id: int | None, stock: Sequence[OfferedStock], kind_code: str) -> Facts:
    """What is offered where the last record of its sort took from a stock lot: of the same product, the lot that stands
    first; where none can be used, none."""
    product_id = next((one.lot.product_id for one in stock if one.lot.id == stock_id), None)
    if product_id is None:
        return {}
    usable = (one for one in in_order(stock) if one.lot.product_id == product_id)
    first = next((one for one in usable if not one.is_expired and not one.is_used_up), None)
    if first is None:
        return {"stock_id": None, "input_lot": None, "source": None}
    return settled_by(first.lot, kind_code) | {"stock_id": first.lot.id}


class StockByNumber:
    """A producer's stock lots of one type, to be found by what a record says."""

    def __init__(self, stock: Iterable[StockLot]) -> None:
        self._known: dict[str, list[StockLot]] = {}
        self._by_number: dict[str, list[StockLot]] = defaultdict(list)
        for lot in stock:
            self._by_number[without_spaces(lot.lot_number)].append(lot)

    def _alike(self, number: str) -> list[StockLot]:
        # Tables have thousands of rows with the same few numbers.
        if number not in self._known:
            self._known[number] = self._by_number.get(without_spaces(number), [])
        return self._known[number]

    def meant(self, facts: Facts) -> StockLot | None:
        """The stock lot that a record means by its lot number, with the name or the registration number beside it.

        Where it gives neither, it is the only one of that number. Makers number their lots each for itself: a number
        alone, beside another product's name, means none.
        """
        alike = self._alike(facts.get("input_lot") or "")
        if not alike:
            return None
        name, number = (_folded(facts.get(field)) for field in ("product_name", "registration_number"))
        if not name and not number:
            return alike[0] if len(alike) == 1 else None
        by_name = [lot for lot in alike if _folded(lot.product.name) == name]
        by_number = [lot for lot in alike if number and _folded(lot.product.registration_number) == number]
        both = [lot for lot in by_name if lot in by_number]
        return next(iter([*both, *by_name, *by_number]), None)


def contradictions(facts: Facts, lot: StockLot, kind_code: str) -> dict[str, str]:
    """What of a record is not as its stock lot has it, by field, in words; what it leaves empty is no contradiction."""
    wrong: dict[str, str] = {}
    for name, said in settled_by(lot, kind_code).items():
        stated = facts.get(name)
        if stated not in (None, "") and said is not None and _folded(stated) != _folded(said):
            told = _CHOSEN if facts.get("stock_id") else _OF_THAT_NUMBER
            words = f"{said} {unit_name('day')}" if name == "interval_days" else said
            wrong[name] = str(told) % {"said": words, "lot": lot.lot_number}
    return wrong


def expired_when_used(facts: Facts, lot: StockLot) -> str | None:
    """Why a stock lot can't have been used on the day of a record, in words."""
    day = facts.get("happened_on")
    if day is None or lot.expires_on is None or day <= lot.expires_on:
        return None
    told = _("“%(name)s”批号 %(lot)s 有效期至 %(day)s，过期不能再用。请核对日期，或另选一批。")
    return str(told) % {"name": lot.product.name, "lot": lot.lot_number, "day": lot.expires_on}


def stock_faults(facts: Facts, lot: StockLot, kind_code: str) -> dict[str, str]:
    """What keeps a record from having been made with a stock lot, by field, in words."""
    faults = contradictions(facts, lot, kind_code)
    expired = expired_when_used(facts, lot)
    return faults | ({"stock_id" if facts.get("stock_id") else "input_lot": expired} if expired else {})


def taken_from(facts: Facts, lot: StockLot, kind_code: str) -> Facts:
    """A record's facts as its stock lot has them."""
    settled = {name: value for name, value in settled_by(lot, kind_code).items() if value is not None and name in facts}
    return facts | settled | {"stock_id": lot.id}


def _folded(text: object) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", str(text if text is not None else ""))).casefold()
