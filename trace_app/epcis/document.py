"""A chain as an EPCIS 2.0 document in JSON-LD, with the words of CBV 2.0 (https://ref.gs1.org/standards/epcis/)."""

from __future__ import annotations

import uuid
from decimal import Decimal
from urllib.parse import quote

from trace_app.batches.models import Batch
from trace_app.catalogue.models import Site
from trace_app.db.base import utc_now
from trace_app.epcis.chain import Chain, ChainEvent, gtin_of
from trace_app.flow.shipments.models import Shipment
from trace_app.labels.models import LabelRun
from trace_app.labels.service import code_of
from trace_app.values import JsonObject

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
UOM = {"kg": "KGM", "g": "GRM", "t": "TNE", "L": "LTR", "mL": "MLT"}
"""UN/CEFACT recommendation 20; what is counted has none."""
_OURS = uuid.UUID("6b1f4a3e-5d0c-5c1e-9a64-7d3f2d8b5303")
"""The name space of event identities (RFC 4122, version 5)."""
ZONE = "+08:00"


class Names:
    """URIs for what is spoken of: GS1 Digital Links where there is a GTIN, addresses of the platform elsewhere.

    :param home: the platform's address, without a slash at the end.
    """

    def __init__(self, home: str) -> None:
        self._home = home

    def lot(self, lot: Batch) -> str:
        gtin = gtin_of(lot.product)
        return (
            f"https://id.gs1.org/01/{gtin}/10/{_quoted(lot.lot_number)}" if gtin else f"{self._home}/id/lots/{lot.id}"
        )

    def label(self, run: LabelRun, index: int) -> str:
        return f"{self._home}/{code_of(run, index)}"

    def site(self, site: Site) -> str:
        return f"{self._home}/id/sites/{site.id}"

    def party(self, organisation_id: int | None, consignee_id: int | None) -> str:
        return (
            f"{self._home}/id/organisations/{organisation_id}"
            if organisation_id is not None
            else f"{self._home}/id/consignees/{consignee_id}"
        )

    def sender(self, shipment: Shipment) -> str:
        """Who sent goods; of what goes back perhaps someone who is not on the platform."""
        gone_to = shipment.returns.consignee_id if shipment.returns is not None else None
        return self.party(shipment.sender_id, gone_to)

    def shipment(self, shipment: Shipment) -> str:
        return f"{self._home}/id/shipments/{shipment.number}"

    def order(self, shipment: Shipment) -> str:
        return (
            f"{self._home}/id/orders/{shipment.sender_id}/{_quoted(shipment.platform)}/{_quoted(shipment.order_number)}"
        )

    def report(self, number: str) -> str:
        return f"{self._home}/id/reports/{_quoted(number)}"

    def recall(self, number: str) -> str:
        return f"{self._home}/recalls/{number}"


def _quoted(text: str) -> str:
    return quote(text, safe="")


def document_of(chain: Chain, home: str) -> JsonObject:
    """The EPCIS document of a chain."""
    names = Names(home)
    return {
        "@context": [CONTEXT],
        "id": f"{home}/id/chains/{chain.lot.id}",
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": utc_now().isoformat(timespec="seconds").replace("+00:00", "Z"),
        "epcisBody": {"eventList": [made for event in chain.events for made in _events(event, chain, names)]},
    }


def _events(event: ChainEvent, chain: Chain, names: Names) -> list[JsonObject]:
    common: JsonObject = {
        "eventID": f"urn:uuid:{uuid.uuid5(_OURS, event.key)}",
        "eventTime": event.at.isoformat(timespec="seconds"),
        "eventTimeZoneOffset": ZONE,
    }
    makers = {
        "made": _made,
        "transformed": _transformed,
        "packed": _packed,
        "unpacked": _packed,
        "shipped": _shipped,
        "received": _received,
        "inspected": _inspected,
        "recalled": _recalled,
    }
    return [common | body for body in makers[event.type](event, chain, names)]


def _quantity(lot: Batch, amount: Decimal | float, names: Names) -> JsonObject:
    element: JsonObject = {"epcClass": names.lot(lot), "quantity": float(amount)}
    return element | ({"uom": UOM[lot.unit]} if lot.unit in UOM else {})


def _where(lot: Batch, names: Names) -> JsonObject:
    place = {"id": names.site(lot.site)}
    return {"readPoint": place, "bizLocation": place}


def _facts(lot: Batch) -> JsonObject:
    facts: JsonObject = {"cbvmda:lotNumber": lot.lot_number}
    if lot.best_before:
        facts["cbvmda:itemExpirationDate"] = lot.best_before.isoformat()
    return {"ilmd": facts}


def _made(event: ChainEvent, _chain: Chain, names: Names) -> list[JsonObject]:
    lot = event.lot
    return [
        {
            "type": "ObjectEvent",
            "action": "ADD",
            "bizStep": "commissioning",
            "disposition": "active",
            "epcList": [],
            "quantityList": [_quantity(lot, lot.quantity, names)],
            **_where(lot, names),
            **_facts(lot),
        }
    ]


def _transformed(event: ChainEvent, chain: Chain, names: Names) -> list[JsonObject]:
    lot = event.lot
    return [
        {
            "type": "TransformationEvent",
            "bizStep": "creating_class_instance",
            "disposition": "active",
            "inputQuantityList": [_quantity(chain.lots[link.source_id], link.quantity, names) for link in event.links],
            "outputQuantityList": [_quantity(lot, lot.quantity, names)],
            **_where(lot, names),
            **_facts(lot),
        }
    ]


def _packed(event: ChainEvent, _chain: Chain, names: Names) -> list[JsonObject]:
    packed = event.type == "packed"
    return [
        {
            "type": "AggregationEvent",
            "action": "ADD" if packed else "DELETE",
            "bizStep": "packing" if packed else "unpacking",
            "disposition": "in_progress",
            "parentID": names.label(*event.container),
            "childEPCs": [names.label(*label) for label in event.contents],
            **_where(event.lot, names),
        }
    ]


def _what(event: ChainEvent, amount: Decimal | float, names: Names) -> JsonObject:
    labels = [names.label(code.run, code.index) for code in event.line.codes]
    return {"epcList": labels, "quantityList": [_quantity(event.lot, amount, names)]}


def _parties(shipment: Shipment, names: Names) -> JsonObject:
    sender = names.sender(shipment)
    receiver = names.party(shipment.consignee_organisation_id, shipment.consignee_id)
    return {
        "sourceList": [{"type": "possessing_party", "source": sender}],
        "destinationList": [{"type": "possessing_party", "destination": receiver}],
    }


def _papers(shipment: Shipment, names: Names) -> list[dict[str, str]]:
    papers = [{"type": "desadv", "bizTransaction": names.shipment(shipment)}]
    if shipment.order_number:
        papers.append({"type": "po", "bizTransaction": names.order(shipment)})
    return papers


def _shipped(event: ChainEvent, _chain: Chain, names: Names) -> list[JsonObject]:
    shipment = event.line.shipment
    body: JsonObject = {
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "bizStep": "shipping",
        "disposition": "in_transit",
        **_what(event, event.line.quantity, names),
        "readPoint": {"id": names.sender(shipment)},
        "bizTransactionList": _papers(shipment, names),
        **_parties(shipment, names),
    }
    if shipment.temperatures:
        body["sensorElementList"] = [
            {
                "sensorMetadata": {
                    "startTime": t.starts_at.isoformat(timespec="seconds"),
                    "endTime": t.ends_at.isoformat(timespec="seconds"),
                },
                "sensorReport": [{"type": "Temperature", "minValue": t.least, "maxValue": t.most, "uom": "CEL"}],
            }
            for t in shipment.temperatures
        ]
    return [body]


def _found(event: ChainEvent) -> str:
    """What who received goods found: all as it was sent, less, or goods that come back."""
    if event.line.shipment.returns_id is not None:
        return "returned"
    return "mismatch_quantity" if event.came.missing or event.came.refused else "in_progress"


def _received(event: ChainEvent, _chain: Chain, names: Names) -> list[JsonObject]:
    """That it arrived, and that this settled the transaction."""
    shipment = event.line.shipment
    amount = event.came.quantity
    place = {"id": names.party(shipment.consignee_organisation_id, shipment.consignee_id)}
    papers = _papers(shipment, names)
    accepted = str(uuid.uuid5(_OURS, event.key.replace("received", "accepted")))
    return [
        {
            "type": "ObjectEvent",
            "action": "OBSERVE",
            "bizStep": "receiving",
            "disposition": _found(event),
            **_what(event, amount, names),
            "readPoint": place,
            "bizLocation": place,
            "bizTransactionList": papers,
            **_parties(shipment, names),
        },
        {
            "eventID": f"urn:uuid:{accepted}",
            "type": "TransactionEvent",
            "action": "ADD",
            "bizStep": "accepting",
            "disposition": "in_progress",
            "bizTransactionList": papers,
            **_what(event, amount, names),
            "readPoint": place,
            "bizLocation": place,
        },
    ]


def _inspected(event: ChainEvent, _chain: Chain, names: Names) -> list[JsonObject]:
    verdict = {"pass": "conformant", "fail": "non_conformant"}.get(event.report.verdict.value, "in_progress")
    return [
        {
            "type": "ObjectEvent",
            "action": "OBSERVE",
            "bizStep": "inspecting",
            "disposition": verdict,
            "epcList": [],
            "quantityList": [{"epcClass": names.lot(event.lot)}],
            "readPoint": {"id": names.site(event.lot.site)},
            "bizTransactionList": [{"type": "testres", "bizTransaction": names.report(event.report.report_number)}],
        }
    ]


def _recalled(event: ChainEvent, _chain: Chain, names: Names) -> list[JsonObject]:
    return [
        {
            "type": "ObjectEvent",
            "action": "OBSERVE",
            "bizStep": "holding",
            "disposition": "recalled",
            "epcList": [],
            "quantityList": [{"epcClass": names.lot(event.lot)}],
            "readPoint": {"id": names.site(event.lot.site)},
            "bizTransactionList": [{"bizTransaction": names.recall(event.recall.number)}],
        }
    ]
