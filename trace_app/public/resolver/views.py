"""The resolver of GS1 Digital Links, and the pages of products, lots and places that have no label's code."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import NotFound, public
from trace_app.catalogue.county_map import map_of
from trace_app.certificates.service import certificates_of_product
from trace_app.certificates.texts import certificate_label
from trace_app.errors import Problem
from trace_app.language import LOCALES
from trace_app.public.json_ld import json_text
from trace_app.public.pages import trace_response
from trace_app.public.resolver.answers import FOR_ALL_ORIGINS, answer_link
from trace_app.public.resolver.digital_link import BadLink, read_path
from trace_app.public.resolver.service import (
    Unknown,
    description_file,
    lot_by_link,
    product_by_gtin,
    site_by_gln,
)
from trace_app.public.trace import trace_of_batch

views = Blueprint("resolver", __name__)


class MalformedLink(Problem):
    """A GS1 Digital Link that can't be right: length, characters or check digit."""

    status = 400
    title = _("GS1 数字链接有误：请核对位数和校验码，或直接扫码。")


@views.after_request
def _for_all_origins(response: Response) -> Response:
    """Programs of other sites may ask (CORS): all of it is public."""
    response.headers.update(FOR_ALL_ORIGINS)
    return response


@views.get("/<any('00', '01', '414'):key>/<path:rest>")
@public
def digital_link(key: str, rest: str) -> ResponseReturnValue:
    try:
        return answer_link(read_path(f"{key}/{rest}"))
    except BadLink as error:
        raise MalformedLink from error


@views.get("/.well-known/gs1resolver")
@public
def description() -> ResponseReturnValue:
    return Response(json_text(description_file()), mimetype="application/json")


@views.get("/p/<gtin>")
@public
def product_page(gtin: str) -> ResponseReturnValue:
    """A product by its GTIN, without a lot."""
    try:
        row = product_by_gtin(gtin)
    except Unknown as error:
        raise NotFound from error
    return render_template(
        "public/product.html",
        product=row,
        certificates=certificates_of_product(row),
        certificate_label=certificate_label,
    )


@views.get("/p/<gtin>/<any(certificates):part>", defaults={"page": "resolver.product_page"})
@views.get("/l/<gtin>/<lot>/<any(tests, inputs, journey):part>", defaults={"page": "resolver.lot_page"})
@views.get("/<code>/<any(tests, inputs, journey):part>", defaults={"page": "public.trace"})
@public
def part_of_page(page: str, part: str, **keys: str) -> ResponseReturnValue:
    """A part of a page under an address of its own, which a link of a type can lead to."""
    language = request.args.get("lang")
    return redirect(url_for(page, lang=language if language in LOCALES else None, _anchor=part, **keys))  # type: ignore[arg-type]


@views.get("/l/<gtin>/<lot>")
@public
def lot_page(gtin: str, lot: str) -> ResponseReturnValue:
    """A lot's trace page, where no label's code is known."""
    try:
        batch = lot_by_link(gtin, lot)
    except Unknown as error:
        raise NotFound from error
    return trace_response(trace_of_batch(batch.id))


@views.get("/places/<gln>")
@public
def place_page(gln: str) -> ResponseReturnValue:
    """A site by its GLN."""
    try:
        site = site_by_gln(gln)
    except Unknown as error:
        raise NotFound from error
    position = (float(site.longitude), float(site.latitude)) if site.longitude and site.latitude else (None, None)
    return render_template(
        "public/place.html",
        site=site,
        map=map_of(site.division_code, position),
    )
