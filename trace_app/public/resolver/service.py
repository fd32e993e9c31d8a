"""What a GS1 Digital Link leads to: the links of a label, lot, product or place, by type (GS1 Web Vocabulary).

As the GS1-Conformant Resolver Standard (1.2.1) asks: decision 26.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from flask import url_for
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from qr.codes import InvalidCode
from trace_app.batches.models import Batch, BatchStatus
from trace_app.catalogue.models import Product, Site
from trace_app.extensions import db
from trace_app.folding import fold
from trace_app.labels.service import ScannedLabel, code_of_sscc, label_of_code, opens_by_link
from trace_app.language import named
from trace_app.public.resolver.digital_link import DigitalLink
from trace_app.public.trace import Trace, trace_of_batch
from trace_app.settings import absolute
from trace_app.values import Json, JsonObject

VOCABULARY = "https://ref.gs1.org/voc/"
CONTEXT = "https://ref.gs1.org/standards/resolver/linkset-context"
"""What makes a link set JSON-LD."""
HTML, LD_JSON = "text/html", "application/ld+json"
LINK_TYPES = {
    "defaultLink": _("默认页面"),
    "pip": _("产品信息"),
    "traceability": _("溯源"),
    "recallStatus": _("召回状态"),
    "certificationInfo": _("检测和证书"),
    "sustainabilityInfo": _("投入品和农事"),
    "hasRetailers": _("发往哪里"),
    "support": _("投诉、举报、表扬"),
    "locationInfo": _("地点"),
}
"""The types of link that there are, by their names in the GS1 Web Vocabulary."""


class Unknown(Exception):
    """Well formed, but nothing of ours."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a link of a type leads."""

    type: str
    href: str
    """Whole, without a part after #: what a resolver adds to the query would stand behind it."""
    title: str
    media: str = HTML


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a link identifies, and where one may go from there. The first target is the default."""

    anchor: str
    description: str
    targets: list[Target]
    broader: Callable[[], Resolved | None] = lambda: None
    """Gives what it is one of: a label's lot, a lot's product. Most scans need not know."""

    def levels(self) -> Iterator[Resolved]:
        """This, and what it is one of, up to the primary key; each looked up when it is asked for."""
        level: Resolved | None = self
        while level is not None:
            yield level
            level = level.broader()

    def of_type(self, name: str) -> list[Target]:
        """The targets of a type, of the narrowest level that has any."""
        for level in self.levels():
            if found := [target for target in level.targets if target.type == name]:
                return found
        return []


def resolve(link: DigitalLink) -> Resolved:
    """What a GS1 Digital Link leads to. A lot that we don't know leads to its product, a label that we don't know to
    nothing: nobody shall take a made-up number for a product's own.

    :raises Unknown:
    """
    if link.gln:
        return _place(link.gln)
    if link.sscc or link.serial:
        try:
            label = label_of_code(code_of_sscc(link.sscc) if link.sscc else link.serial)
        except InvalidCode as error:
            raise Unknown from error
        if link.serial and not _is_of(label, link):
            raise Unknown
        return _of_label(label, trace_of_batch(label.batch_id), absolute(link.path), lambda: _broader(link))
    return _lot_or_product(link)


def _is_of(label: ScannedLabel, link: DigitalLink) -> bool:
    """Whether a serial number belongs to the GTIN, and to the lot where one is named."""
    if link.lot:
        return opens_by_link(label, link.gtin, link.lot)
    product = db.session.get_one(Batch, label.batch_id).product
    return product.gtin == link.gtin or label.link.startswith(f"01/{link.gtin}/")


def _broader(link: DigitalLink) -> Resolved | None:
    try:
        return _lot_or_product(link) if link.gtin else None
    except Unknown:
        return None


def _lot_or_product(link: DigitalLink) -> Resolved:
    product = DigitalLink(gtin=link.gtin)
    try:
        return _lot(DigitalLink(gtin=link.gtin, lot=link.lot)) if link.lot else _product(product)
    except Unknown:
        return _product(product)


def linkset_of_label(label: ScannedLabel, trace: Trace) -> JsonObject:
    """The links of a label as a link set, for whoever asks its own page for them."""
    return linkset(_of_label(label, trace, absolute(f"/{label.code}"), lambda: None))


def _of_label(label: ScannedLabel, trace: Trace, anchor: str, broader: Callable[[], Resolved | None]) -> Resolved:
    page = f"/{label.code}"
    targets = _targets_of_lot(trace, page, url_for("public.recall_check", code=label.code))
    targets.append(_target("support", f"{page}/feedback"))
    return Resolved(anchor, named(trace.batch.product), targets, broader)


def _lot(link: DigitalLink) -> Resolved:
    batch = lot_by_link(link.gtin, link.lot)
    page = url_for("resolver.lot_page", gtin=link.gtin, lot=link.lot)
    targets = _targets_of_lot(trace_of_batch(batch.id), page, url_for("public.recall_check", lot=link.lot))
    description = f"{named(batch.product)} {batch.lot_number}"
    return Resolved(absolute(link.path), description, targets, lambda: _product(DigitalLink(gtin=link.gtin)))


def lot_by_link(gtin: str, lot: str) -> Batch:
    """The lot with a product's GTIN and this number, where it has left its producer.

    :raises Unknown:
    """
    query = (
        db.select(Batch)
        .join(Batch.product)
        .where(Product.gtin == gtin, sa.or_(Batch.status != BatchStatus.DRAFT, Batch.recalled))
        .order_by(Batch.id)
        .limit(1)
    )
    batch: Batch | None = db.session.scalar(query.where(Batch.lot_number == lot))
    if batch is None:
        batch = db.session.scalar(query.where(Batch.lot_fold == fold(lot)))
    if batch is None:
        raise Unknown
    return batch


def _targets_of_lot(trace: Trace, page: str, recalls: str) -> list[Target]:
    gtin = trace.batch.product.gtin
    targets = [
        _target("defaultLink", page),
        _target("pip", url_for("resolver.product_page", gtin=gtin) if gtin else page),
        _target("traceability", page),
    ]
    if not page.startswith("/l/"):
        targets.append(_target("traceability", page, LD_JSON))
    targets += [
        _target("recallStatus", recalls),
        _target("certificationInfo", f"{page}/tests"),
        _target("sustainabilityInfo", f"{page}/inputs"),
    ]
    if trace.sent:
        targets.append(_target("hasRetailers", f"{page}/journey"))
    return targets


def _product(link: DigitalLink) -> Resolved:
    product = product_by_gtin(link.gtin)
    page = url_for("resolver.product_page", gtin=link.gtin)
    targets = [
        _target("defaultLink", page),
        _target("pip", page),
        _target("certificationInfo", f"{page}/certificates"),
        _target("recallStatus", url_for("public.recall_list", q=product.name)),
    ]
    return Resolved(absolute(link.path), named(product), targets)


def product_by_gtin(gtin: str) -> Product:
    """:raises Unknown:"""
    query = db.select(Product).filter_by(gtin=gtin).options(joinedload(Product.producer)).order_by(Product.id).limit(1)
    product: Product | None = db.session.scalar(query)
    if product is None:
        raise Unknown
    return product


def _place(gln: str) -> Resolved:
    site = site_by_gln(gln)
    page = url_for("resolver.place_page", gln=gln)
    targets = [_target("defaultLink", page), _target("locationInfo", page)]
    return Resolved(absolute(DigitalLink(gln=gln).path), named(site), targets)


def site_by_gln(gln: str) -> Site:
    """:raises Unknown:"""
    site: Site | None = db.session.scalar(db.select(Site).filter_by(gln=gln))
    if site is None:
        raise Unknown
    return site


def _target(name: str, path: str, media: str = HTML) -> Target:
    return Target(name, absolute(path), str(LINK_TYPES[name]), media)


def link_type(text: str) -> str | None:
    """The name of a type of link as it is asked for: ``gs1:pip`` or its full address. None for one we don't know."""
    name = text.removeprefix("gs1:")
    for stem in (VOCABULARY, "https://gs1.org/voc/", "http://gs1.org/voc/"):
        name = name.removeprefix(stem)
    return name if name in LINK_TYPES else None


def linkset(resolved: Resolved) -> JsonObject:
    """The links as a link set (RFC 9264, 4.2), those of each level for themselves."""
    return {"linkset": [_link_context(level) for level in resolved.levels()]}


def _link_context(level: Resolved) -> JsonObject:
    # Both names of the description: `itemDescription` is what readers older than standard 1.2 know.

    links: dict[str, list[Json]] = {}
    for target in level.targets:
        entry: JsonObject = {"href": target.href, "title": target.title}
        if target.type != "defaultLink":
            entry |= {"type": target.media, "hreflang": ["zh", "en"]}
        links.setdefault(VOCABULARY + target.type, []).append(entry)
    return {
        "anchor": level.anchor,
        "description": level.description,
        "itemDescription": level.description,
        **links,
    }


def link_header(resolved: Resolved, same_as: str = "") -> str:
    """Where all links are (RFC 8288), and as which address a compressed one is known."""
    parts = [
        f'<{resolved.anchor}?linkType=linkset>; rel="linkset"; type="application/linkset+json"; title="All links"',
        f'<{CONTEXT}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"',
    ]
    if same_as:
        parts.append(f'<{same_as}>; rel="owl:sameAs"')
    return ", ".join(parts)


def description_file() -> JsonObject:
    """What stands under ``/.well-known/gs1resolver``."""
    return {
        "name": "Qujing Agricultural Traceability",
        "resolverRoot": absolute(""),
        "supportedPrimaryKeys": ["00", "01", "414"],
        "supportedLinkType": [{"namespace": VOCABULARY, "prefix": "gs1:"}],
        "linkTypeDefaultCanBeLinkset": False,
        "jsonLdContextLocation": CONTEXT,
        "contact": {"fn": "曲靖市农产品质量安全追溯平台", "hasTelephone": {"hasValue": "tel:12315"}},
        "activeLinkTypes": {
            "zh-CN": {f"gs1:{name}": {"title": str(title), "gs1key": ["01"]} for name, title in LINK_TYPES.items()}
        },
    }
