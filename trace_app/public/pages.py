"""The pages that a code opens: the trace page, the void label's and the unknown code's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flask import Response, current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from markupsafe import Markup

from qr.codes import characters_missing, format_code
from trace_app.accounts.access import acting_user
from trace_app.batches.models import Batch
from trace_app.catalogue.county_map import CountyMap, map_of
from trace_app.certificates.commitments import commitment_of_code, is_in_question, newer_than
from trace_app.certificates.models import CommitmentCertificate
from trace_app.extensions import db, limiter
from trace_app.labels.models import LabelLevel
from trace_app.labels.packing import Content, contents_of
from trace_app.labels.pins import PinAnswer
from trace_app.labels.service import CONTAINERS, ScannedLabel, code_of, never_made
from trace_app.language import language
from trace_app.public.json_ld import accepted_media, json_text, product_document
from trace_app.public.resolver.service import linkset_of_label
from trace_app.public.trace import Trace, trace_of_batch
from trace_app.records.models import INPUT_TYPES, RecordType
from trace_app.scanning.checks import is_a_check
from trace_app.scanning.item_line import HIDDEN, SHOWN, is_unusual, item_line
from trace_app.scanning.items import scanned_item
from trace_app.scanning.layer import FOR_ALL_LABELS, LINKSET_JSON, MEDIA_TYPES
from trace_app.scanning.models import Outcome
from trace_app.scanning.pages import CODE_MARK, CUT_MARK, ITEM_MARK, PRINTED_MARK, QUIET_MARK
from trace_app.security_headers import allow_inline_style
from trace_app.templating import inline_style
from trace_app.values import JsonObject

LEVELS_OF_LABELS = {
    LabelLevel.BATCH: _("整批标签"),
    LabelLevel.CASE: _("箱标签"),
    LabelLevel.PALLET: _("托盘标签"),
}
UNKNOWN_CODES = limiter.shared_limit("60/minute", scope="unknown codes")
NEVER_SHARED = "private, no-cache"


@dataclass(frozen=True)
class PinAsked:
    """What a page says of the PIN that someone has just typed."""

    answer: PinAnswer | None = None
    problem: LazyString | None = None
    typed: str = ""


@dataclass(frozen=True)
class LabelShown:
    """What a trace page says of the label that led to it; where it was the lot's number, there is nothing to say."""

    code: str = ""
    printed_code: str = ""
    cut: str = ""
    """The mark where what all pages begin with ends."""
    here: str = ""
    """The page's own address, where it is not another one's answer."""
    item: str = ""
    """The line on a single item's scans."""
    quiet: str = ""
    """What hides the word on unusual scans."""
    has_pin: bool = False
    commitment: CommitmentCertificate | None = None
    """The certificate whose own code it is."""
    level: LazyString | None = None
    contents: Sequence[Content] = ()
    pin: PinAsked = field(default_factory=PinAsked)


@dataclass(frozen=True)
class TracePage:
    """A lot's trace page."""

    trace: Trace
    label: LabelShown
    document: JsonObject
    """The page as JSON-LD."""
    style: Markup
    map: CountyMap
    input_types: frozenset[RecordType] = INPUT_TYPES


def trace_page(label: ScannedLabel, pin: PinAsked | None = None) -> ResponseReturnValue:
    """The page that a label opens, or the same as data."""
    marked = FOR_ALL_LABELS in request.environ
    if not marked and request.method == "GET" and "lang" not in request.args:
        _note(Outcome.VOID if label.void else Outcome.SHOWN, label)
    trace = trace_of_batch(label.batch_id)
    if label.void:
        row = commitment_of_code(label.run_id, label.index)
        # A certificate that was taken back says why, and which one took its place.
        return commitment_page(row) if row is not None else _void_page(label, trace)
    kind = "text/html" if marked else accepted_media().best_match(MEDIA_TYPES, MEDIA_TYPES[0])
    if kind != "text/html":
        return _for_machines(label, trace, kind)
    shown = _label_for_all(label) if marked else _label_by_itself(label, pin or PinAsked())
    return trace_response(trace, shown, serial=label.level is LabelLevel.ITEM)


def trace_response(trace: Trace, label: LabelShown | None = None, *, serial: bool = False) -> Response:
    """A lot's trace page.

    :param label: the label that led to it; None where it was the lot's number.
    :param serial: whether the label is a single item's.
    """
    style, digest = inline_style("public.css")
    allow_inline_style(digest)
    document = product_document(trace, "", serial=serial)
    page = TracePage(trace, label or LabelShown(), document, style, map_of(trace.batch.division_code, trace.position))
    return _varied(Response(render_template("public/trace.html", page=page), mimetype="text/html"))


def _void_page(label: ScannedLabel, trace: Trace) -> Response:
    style, digest = inline_style("public.css")
    allow_inline_style(digest)
    printed = format_code(label.code)
    page = render_template("public/void.html", trace=trace, code=label.code, printed_code=printed, style=style)
    return Response(page, 410, mimetype="text/html", headers={"Cache-Control": NEVER_SHARED})


def commitment_page(row: CommitmentCertificate) -> ResponseReturnValue:
    """A commitment certificate as it was issued, and whether it still counts."""
    style, digest = inline_style("public.css")
    allow_inline_style(digest)
    batch = db.session.get_one(Batch, row.batch_id)
    page = render_template(
        "public/commitment.html",
        row=row,
        batch=batch,
        code=code_of(row.run, row.index),
        newer=newer_than(row),
        questioned=is_in_question(row),
        style=style,
    )
    return _varied(Response(page, 200 if row.withdrawn_at is None else 410, mimetype="text/html"))


def _label_by_itself(label: ScannedLabel, pin: PinAsked) -> LabelShown:
    item = scanned_item(label.run_id, label.index) if label.level is LabelLevel.ITEM else None
    first_at, scans = (item.first_at, item.scans) if item else (None, 0)
    unusual = item is not None and is_unusual(scans, item.unusual)
    return LabelShown(
        code=label.code,
        printed_code=format_code(label.code),
        here="" if request.endpoint == "public.trace" else f"/{label.code}",
        item=item_line(first_at, scans, language()).decode() if label.level is LabelLevel.ITEM else "",
        quiet=(SHOWN if unusual else HIDDEN).decode(),
        has_pin=label.has_pin,
        commitment=commitment_of_code(label.run_id, label.index),
        level=LEVELS_OF_LABELS.get(label.level),
        contents=contents_of(label) if label.level in CONTAINERS else [],
        pin=pin,
    )


def _label_for_all(label: ScannedLabel) -> LabelShown:
    """Marks in the place of what differs between labels of a lot: see `trace_app.scanning.pages`."""
    return LabelShown(
        code=CODE_MARK,
        printed_code=PRINTED_MARK,
        cut=CUT_MARK,
        item=ITEM_MARK if label.level is LabelLevel.ITEM else "",
        quiet=QUIET_MARK,
        has_pin=label.has_pin,
        level=LEVELS_OF_LABELS.get(label.level),
    )


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
    if label is not None and is_a_check(acting_user(), label.batch_id):
        return
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
    return render_template("public/unknown.html", typed=typed[:60], missing=characters_missing(typed)), 404
