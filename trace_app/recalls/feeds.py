"""Recalls for machines: an Atom feed (RFC 4287) and JSON with the fields of openFDA's food enforcement reports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from xml.etree import ElementTree

from flask_babel import force_locale
from flask_babel import lazy_gettext as _

from trace_app.accounts.places import region_names
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.clock import local
from trace_app.forms import plain_decimal
from trace_app.language import named
from trace_app.recalls.area_of_sale import AreaOfSale, areas_of_sale
from trace_app.recalls.forms import STATUSES, case_word
from trace_app.recalls.models import Recall, RecallStatus
from trace_app.recalls.published import lots_taken_out
from trace_app.recalls.statements import DUTIES, producers_stated
from trace_app.values import JsonObject

MOST = 100
"""Recalls of a feed."""
_ATOM = "http://www.w3.org/2005/Atom"
REPORT_STATUSES = {
    RecallStatus.ACTIVE: "Ongoing",
    RecallStatus.COMPLETED: "Completed",
    RecallStatus.WITHDRAWN: "Withdrawn",
}
"""What a report says of a recall: openFDA's words, and one of our own for a recall that was wrong."""
CLASSES = {1: "Class I", 2: "Class II", 3: "Class III"}


def atom(recalls: Sequence[Recall], lots: dict[int, list[Batch]], home: str, title: str) -> bytes:
    """The feed, the newest change of each recall as its entry.

    :param home: the platform's address, without a slash at the end.
    """
    ElementTree.register_namespace("", _ATOM)
    feed = ElementTree.Element(f"{{{_ATOM}}}feed")

    def add(parent: ElementTree.Element, name: str, text: str = "", **attributes: str) -> ElementTree.Element:
        element = ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}", attributes)
        element.text = text or None
        return element

    add(feed, "id", f"{home}/recalls")
    add(feed, "title", title)
    add(feed, "link", rel="self", href=f"{home}/recalls.atom")
    add(feed, "link", rel="alternate", href=f"{home}/recalls")
    moments = [recall.notice.issued_at for recall in recalls]
    add(feed, "updated", (max(moments) if moments else _EPOCH).isoformat())
    taken_out = lots_taken_out(recalls)
    for recall in recalls:
        entry = add(feed, "entry")
        products = "、".join(dict.fromkeys(named(lot.product) for lot in lots[recall.id]))
        add(entry, "id", f"{home}/recalls/{recall.number}")
        add(entry, "title", f"{case_word(recall)} · {STATUSES[recall.status]} · {products}")
        add(entry, "updated", recall.notice.issued_at.isoformat())
        add(entry, "published", recall.issued_at.isoformat())
        add(entry, "link", rel="alternate", href=f"{home}/recalls/{recall.number}")
        add(add(entry, "author"), "name", named(recall.authority))
        numbers = "、".join(lot.lot_number for lot in lots[recall.id][:50])
        said = f"{named(recall, 'reason')} {named(recall, 'advice')} {numbers}"
        standing = {lot.lot_number for lot in lots[recall.id]}
        out = [one for notice in recall.notices for one in taken_out.get((recall.id, notice.sequence), [])]
        gone = [one for one in dict.fromkeys(out) if one not in standing]
        if gone:
            said += f" {_('已排除，不在召回之内：%(lots)s', lots='、'.join(gone))}"
        add(entry, "summary", said)
    text: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text


_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""The moment that a feed names while it has nothing yet."""


def enforcement(recalls: Sequence[Recall], lots: dict[int, list[Batch]], home: str) -> JsonObject:
    """``meta`` and ``results`` as openFDA gives them (https://open.fda.gov/apis/food/enforcement/), with both languages
    and, under ``lots``, what GS1's recall notices carry of each lot."""
    areas, taken_out = areas_of_sale(recalls), lots_taken_out(recalls)
    return {
        "meta": {"results": {"skip": 0, "limit": MOST, "total": len(recalls)}},
        "results": [_report(recall, lots[recall.id], areas[recall.id], taken_out, home) for recall in recalls],
    }


def _in(locale: str, text: object) -> str:
    """A text in one language, whatever the reader's is."""
    with force_locale(locale):
        return str(text)


def _report(
    recall: Recall, lots: list[Batch], area: AreaOfSale, taken_out: dict[tuple[int, int], list[str]], home: str
) -> JsonObject:
    first = lots[0] if lots else None
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for lot in lots:
        amounts[lot.unit] += lot.quantity
    notice = recall.notice
    return {
        "recall_number": recall.number,
        "event_id": recall.number,
        "status": REPORT_STATUSES[recall.status],
        "classification": CLASSES.get(recall.level or 0, ""),
        "product_type": "Food",
        "voluntary_mandated": "Voluntary: Firm initiated" if recall.voluntary else "Mandated by authority",
        "recalling_firm": first.producer.name if first else "",
        "recalling_firm_en": first.producer.name_en if first else "",
        "address_1": first.producer.address if first else "",
        "city": first.division.name if first else "",
        "state": "Yunnan",
        "country": "China",
        "product_description": "; ".join(dict.fromkeys(_described(lot.product) for lot in lots)),
        "product_quantity": "; ".join(f"{plain_decimal(amount)} {unit}" for unit, amount in amounts.items()),
        "code_info": ", ".join(lot.lot_number for lot in lots),
        "more_code_info": "" if recall.lot_count <= len(lots) else f"{recall.lot_count} lots in all",
        "reason_for_recall": notice.reason,
        "reason_for_recall_en": notice.reason_en,
        "consumer_advice": notice.advice,
        "consumer_advice_en": notice.advice_en,
        "distribution_pattern": "、".join(region_names(area.codes, "zh")),
        "distribution_pattern_en": ", ".join(region_names(area.codes, "en")),
        "distribution_unknown": area.unplaced,
        "basis": notice.basis,
        "remedy": notice.remedy,
        "remedy_en": notice.remedy_en,
        "duties": _in("zh_CN", DUTIES),
        "duties_en": _in("en", DUTIES),
        "producers": [asdict(producer) for producer in producers_stated(notice)],
        "recall_initiation_date": f"{local(recall.in_force_at or recall.issued_at):%Y%m%d}",
        "report_date": f"{local(notice.issued_at):%Y%m%d}",
        "termination_date": f"{local(recall.ended_at):%Y%m%d}" if recall.ended_at else "",
        "initial_firm_notification": "Electronic",
        "authority": recall.authority.name,
        "authority_phone": recall.authority.phone,
        "url": f"{home}/recalls/{recall.number}",
        "notices": [
            {
                "number": n.number,
                "type": n.type.value,
                "issued_at": n.issued_at.isoformat(),
                "note": n.note,
                "lots_taken_out": taken_out.get((recall.id, n.sequence), []),
            }
            for n in recall.notices
        ],
        "lots": [
            {
                "gtin": lot.product.gtin or "",
                "lot_number": lot.lot_number,
                "product": lot.product.name,
                "brand": lot.product.brand,
                "net_content": lot.product.net_content,
                "brand_owner": lot.producer.name,
                "production_date": lot.produced_on.isoformat() if lot.produced_on else "",
                "best_before": lot.best_before.isoformat() if lot.best_before else "",
                "quantity": plain_decimal(lot.quantity),
                "unit": lot.unit,
            }
            for lot in lots
        ],
    }


def _described(product: Product) -> str:
    return " ".join(filter(None, (product.name, product.name_en, product.net_content)))
