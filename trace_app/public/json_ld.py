"""The trace page for machines: JSON-LD in schema.org's words and those of the GS1 Web Vocabulary."""

from __future__ import annotations

import json

from flask import request
from werkzeug.datastructures import MIMEAccept

from trace_app.batches.models import Batch
from trace_app.certificates.models import Certificate
from trace_app.laboratory.models import Verdict
from trace_app.language import named
from trace_app.public.trace import Trace
from trace_app.settings import address_of, settings
from trace_app.values import Json, JsonObject

CONTEXT = {"@vocab": "https://schema.org/", "gs1": "https://ref.gs1.org/voc/"}


def accepted_media() -> MIMEAccept:
    """What the reader takes: as the address says (``mediaType``, as resolvers pass it on), else as its program does."""
    wished = request.args.get("mediaType")
    return MIMEAccept([(wished, 1)]) if wished else request.accept_mimetypes


def product_document(trace: Trace, code: str, *, serial: bool) -> JsonObject:
    """A lot's product, or a single item of it, as JSON-LD.

    :param code: as it stands in the address; empty in the page itself, whose address it is.
    :param serial: whether the code is a single item's.
    """
    batch, product = trace.batch, trace.batch.product
    base = str(settings().public_url)
    document: JsonObject = {
        "@context": CONTEXT,
        "@type": ["IndividualProduct" if serial else "Product", "gs1:FoodBeverageTobaccoProduct"],
        "@id": f"{base}{code}" if code else "",
        "name": named(product),
        "gs1:hasBatchLotNumber": batch.lot_number,
        "countryOfOrigin": {"@type": "Country", "name": "CN"},
        "gs1:countryOfOrigin": {"gs1:countryCode": "CN"},
        "manufacturer": _organisation(batch),
    }
    if serial and code:
        document["serialNumber"] = code
    if product.gtin:
        document |= {"gtin": product.gtin, "gs1:gtin": product.gtin}
    if trace.produced_on:
        document["productionDate"] = document["gs1:productionDate"] = trace.produced_on.isoformat()
    if batch.best_before:
        document["gs1:bestBeforeDate"] = batch.best_before.isoformat()
    if product.photos:
        document["image"] = address_of("public.photo", name=product.photos[0].name)
    if trace.certificates:
        document["gs1:certification"] = [_certificate(certificate) for certificate in trace.certificates]
    properties = [_property(label, value) for value, label, _good in trace.facts]
    properties.append(_property("state", trace.state))
    judged = [report for report in trace.tests if report.verdict is not Verdict.OPEN]
    properties += [_property("test", report.report_number, report.verdict.value) for report in judged]
    document["additionalProperty"] = properties
    if trace.recall is not None:
        document["subjectOf"] = {
            "@type": "SpecialAnnouncement",
            "name": trace.recall.number,
            "text": named(trace.recall, "advice"),
            "datePosted": trace.recall.issued_at.isoformat(),
            "url": address_of("public.recall", number=trace.recall.number),
        }
    return document


def _organisation(batch: Batch) -> JsonObject:
    producer = batch.producer
    document: JsonObject = {
        "@type": ["Organization", "gs1:Organization"],
        "name": named(producer),
        "address": {"@type": "PostalAddress", "addressCountry": "CN", "addressLocality": named(batch.division)},
    }
    if producer.phone:
        document["telephone"] = producer.phone
    return document


def _certificate(certificate: Certificate) -> dict[str, str]:
    return {
        "@type": "gs1:CertificationDetails",
        "gs1:certificationAgency": certificate.issuer,
        "gs1:certificationIdentification": certificate.number,
        "gs1:certificationEndDate": certificate.valid_until.isoformat(),
    }


def _property(name: str, *values: str) -> JsonObject:
    return {"@type": "PropertyValue", "name": name, "value": " ".join(str(value) for value in values)}


def json_text(document: Json) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
