"""What a GS1 Digital Link is answered with: where it leads, or all of its links (GS1-Conformant Resolver Standard)."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Response, redirect, render_template, request
from flask_babel import lazy_gettext as _

from trace_app.errors import Problem
from trace_app.public.json_ld import accepted_media, json_text
from trace_app.public.pages import NEVER_SHARED
from trace_app.public.resolver.digital_link import DigitalLink
from trace_app.public.resolver.service import (
    HTML,
    Resolved,
    Unknown,
    link_header,
    link_type,
    linkset,
    resolve,
)
from trace_app.scanning.layer import LINKSET_JSON

FOR_ALL_ORIGINS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Accept-Language",
    "Access-Control-Expose-Headers": "Link, Location",
}
LISTS = [LINKSET_JSON, "application/json", HTML]


class NoSuchLink(Problem):
    status = 404
    code = "unknown-link"
    title = _("本平台没有登记这个 GS1 标识。请核对，或扫标签上的二维码。")


def answer_link(link: DigitalLink, *, compressed: bool = False) -> Response:
    """The answer to a GS1 Digital Link: on to where it leads, or all of its links.

    :raises NoSuchLink:
    """
    try:
        resolved = resolve(link)
    except Unknown as error:
        raise NoSuchLink from error
    response = _lead(resolved)
    response.headers["Link"] = link_header(resolved, resolved.anchor if compressed else "")
    response.headers["Cache-Control"] = NEVER_SHARED
    response.headers.update(FOR_ALL_ORIGINS)
    response.vary.update(["Accept", "Accept-Language"])
    return response


def _lead(resolved: Resolved) -> Response:
    wished = request.args.get("linkType", "")
    accepted = accepted_media()
    if wished in ("all", "linkset") or (not wished and accepted.best_match([HTML, LINKSET_JSON], HTML) == LINKSET_JSON):
        if accepted.best_match(LISTS, LINKSET_JSON) == HTML and accepted.best != "*/*":
            return Response(render_template("public/links.html", levels=list(resolved.levels())), mimetype=HTML)
        kind = accepted.best_match(LISTS, LINKSET_JSON)
        return Response(json_text(linkset(resolved)), mimetype=LINKSET_JSON if kind == HTML else kind)
    name = link_type(wished) if wished else "defaultLink"
    fitting = resolved.of_type(name) if name else []
    if not fitting:
        raise NoSuchLink
    kind = accepted.best_match([target.media for target in fitting], fitting[0].media)
    target = next(target for target in fitting if target.media == kind)
    return redirect(_with_query(target.href), 307)  # type: ignore[return-value]


def _with_query(href: str) -> str:
    """The address with all that was asked: the standard leaves nothing out, and a page may heed language and type."""
    asked = urlencode(list(request.args.items(multi=True)), safe=":/")
    return f"{href}{'&' if '?' in href else '?'}{asked}" if asked else href
