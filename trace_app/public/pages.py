"""The pages that a code opens: the trace page, the void label's and the unknown code's."""

from __future__ import annotations

from datetime import datetime

from flask import Response, current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from qr.codes import format_code
from trace_app.certificates.texts import certificate_label
from trace_app.extensions import limiter
from trace_app.findings.rules import RULES, message_of
from trace_app.labels.models import LabelLevel
from trace_app.labels.packing import contents_of
from trace_app.labels.service import CONTAINERS, ScannedLabel, never_made
from trace_app.laboratory.texts import SUBJECTS, limit_text, outcome
from trace_app.language import language
from trace_app.public.county_map import HEIGHT, WIDTH, counties, mark
from trace_app.public.json_ld import accepted_media, json_text, product_document
from trace_app.public.resolver.service import linkset_of_label
from trace_app.public.trace import Trace, trace_of_batch
from trace_app.recalls.forms import LEVELS
from trace_app.records.models import INPUT_TYPES, RecordType
from trace_app.records.texts import amount, record_title, stage_values
from trace_app.scanning.item_line import HIDDEN, SHOWN, is_unusual, item_line
from trace_app.scanning.items import scanned_item
from trace_app.scanning.layer import FOR_ALL_LABELS, LINKSET_JSON, MEDIA_TYPES
from trace_app.scanning.models import Outcome
from trace_app.scanning.pages import CODE_MARK, CUT_MARK, ITEM_MARK, PRINTED_MARK, QUIET_MARK
from trace_app.security_headers import allow_inline_style
from trace_app.templating import inline_style

LEVELS_OF_LABELS = {
    LabelLevel.BATCH: _("整批标签"),
    LabelLevel.CASE: _("箱标签"),
    LabelLevel.PALLET: _("托盘标签"),
}
UNKNOWN_CODES = limiter.shared_limit("60/minute", scope="unknown codes")
NEVER_SHARED = "private, no-cache"


def trace_page(label: ScannedLabel, **pin: object) -> ResponseReturnValue:
    marked = FOR_ALL_LABELS in request.environ
    if not marked and request.method == "GET" and "lang" not in request.args:
        _note(Outcome.VOID if label.void else Outcome.SHOWN, label)
    if label.void:
        style, digest = inline_style("public.css")
        allow_inline_style(digest)
        page = render_template(
            "public/void.html",
            trace=trace_of_batch(label.batch_id),
            code=label.code,
            printed_code=format_code(label.code),
            style=style,
        )
        return Response(page, 410, mimetype="text/html", headers={"Cache-Control": NEVER_SHARED})
    trace = trace_of_batch(label.batch_id)
    kind = "text/html" if marked else accepted_media().best_match(MEDIA_TYPES, MEDIA_TYPES[0])
    if kind != "text/html":
        return _for_machines(label, trace, kind)
    item = scanned_item(label.run_id, label.index) if not marked and label.level is LabelLevel.ITEM else None
    first_at, scans = (item.first_at, item.scans) if item else (None, 0)
    code = CODE_MARK if marked else label.code
    return trace_response(
        trace,
        code=code,
        printed_code=PRINTED_MARK if marked else format_code(label.code),
        cut=CUT_MARK if marked else "",
        # The page's own address, where it is not another one's answer.
        here="" if request.endpoint == "public.trace" else f"/{code}",
        item=_item_line(label, marked, first_at, scans),
        quiet=QUIET_MARK if marked else (SHOWN if item and is_unusual(scans, item.unusual) else HIDDEN).decode(),
        has_pin=label.has_pin,
        level=LEVELS_OF_LABELS.get(label.level),
        contents=contents_of(label) if label.level in CONTAINERS else [],
        document=product_document(trace, "", serial=label.level is LabelLevel.ITEM),
        **pin,
    )


def trace_response(trace: Trace, **label: object) -> Response:
    """A lot's trace page.

    :param label: what it says of the label that led to it; nothing where it was the lot's number.
    """
    if "document" not in label:
        label["document"] = product_document(trace, "", serial=False)
    style, digest = inline_style("public.css")
    allow_inline_style(digest)
    page = render_template(
        "public/trace.html",
        trace=trace,
        counties=counties,
        map_size=(WIDTH, HEIGHT),
        site_mark=mark(*trace.position),
        style=style,
        levels=LEVELS,
        record_title=record_title,
        amount=amount,
        stage_values=stage_values,
        types=RecordType,
        input_types=INPUT_TYPES,
        subjects=SUBJECTS,
        outcome=outcome,
        limit_text=limit_text,
        certificate_label=certificate_label,
        rules=RULES,
        message_of=message_of,
        **label,
    )
    return _varied(Response(page, mimetype="text/html"))


def _item_line(label: ScannedLabel, marked: bool, first_at: datetime | int | None, scans: int) -> str:
    if label.level is not LabelLevel.ITEM:
        return ""
    return ITEM_MARK if marked else item_line(first_at, scans, language()).decode()


def _for_machines(label: ScannedLabel, trace: Trace, kind: str) -> Response:
    """The same page as data: JSON-LD, or the links of the label."""
    if kind == LINKSET_JSON:
        return _varied(Response(json_text(linkset_of_label(label, trace)), mimetype=kind))
    document = product_document(trace, label.code, serial=label.level is LabelLevel.ITEM)
    return _varied(Response(json_text(document), mimetype=kind, headers={"Access-Control-Allow-Origin": "*"}))


def _varied(response: Response) -> Response:
    """Ask again every time: the next scan must show a recall, and no shared cache may keep what is one reader's."""
    response.headers["Cache-Control"] = NEVER_SHARED
    response.vary.add("Accept")
    return response


def _note(outcome: Outcome, label: ScannedLabel | None = None) -> None:
    """Put a scan that Flask answers into the log."""
    facts = {} if label is None else {"run_id": label.run_id, "batch_id": label.batch_id}
    if label is not None and label.level is not LabelLevel.BATCH:
        facts["index"] = label.index
    current_app.extensions["scan_log"].note(request.environ, language(), outcome.value, **facts)


def _note_unknown(typed: str) -> None:
    note, made = current_app.extensions["scan_log"].note, never_made(typed)
    if made is None:
        note(request.environ, language(), Outcome.UNKNOWN.value)
    else:
        run_id, index, batch_id = made
        note(request.environ, language(), Outcome.UNPRINTED.value, run_id=run_id, index=index, batch_id=batch_id)


def unknown_page(typed: str) -> ResponseReturnValue:
    """What no label of ours says. Many from one source in a minute get no further answer: nobody scans so many."""
    if request.method == "GET":
        _note_unknown(typed)
    with UNKNOWN_CODES:
        pass
    return render_template("public/unknown.html", typed=typed[:60]), 404
