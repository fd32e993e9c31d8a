"""The print room: asking for labels of a batch, and fetching them."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.batches import service as batches
from trace_app.db.session import transaction
from trace_app.labels import service
from trace_app.labels.forms import STOCK_NAMES, RunForm
from trace_app.labels.models import LabelRun, RunStatus
from trace_app.media.service import media_store
from trace_app.templating import status_of

views = Blueprint("labels", __name__)

CODES_PER_PAGE = 100


@views.route("/batches/<int:batch_id>/labels", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def of_batch(batch_id: int) -> Any:
    batch = batches.own_batch(the_user(), batch_id)
    form = RunForm()
    if form.validate_on_submit():
        with form.refusals(count=service.CountOutOfRange, stock=(service.UnknownStock, service.TextDoesNotFit)):
            with transaction():
                run = service.request_run(
                    the_user(), batches.own_batch(the_user(), batch_id), stock=form.stock.data, count=form.count.data
                )
            service.enqueue_run(run)
        if not form.errors:
            return redirect(url_for("labels.run", run_id=run.id))
        batch = batches.own_batch(the_user(), batch_id)
    page = render_template(
        "labels/batch.html", form=form, batch=batch, runs=service.runs_of(batch), stocks=STOCK_NAMES,
        printable=service.is_printable(batch),
    )  # fmt: skip
    return page, status_of(form)


@views.get("/labels/<int:run_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def run(run_id: int) -> Any:
    row = service.run_for(the_user(), run_id)
    start = max(0, request.args.get("start", 0, type=int))
    page = render_template(
        "labels/run.html", run=row, batch=row.batch, stocks=STOCK_NAMES, start=start, step=CODES_PER_PAGE,
        codes=service.codes_of(row, start, CODES_PER_PAGE),
        printable=service.is_printable(row.batch), own=the_user().role is RoleName.PRODUCER,
    )  # fmt: skip
    response = Response(page, mimetype="text/html")
    if row.status in {RunStatus.WAITING, RunStatus.WORKING}:
        # Without script: the page looks again by itself until the file is there.
        response.headers["Refresh"] = "2"
    return response


@views.get("/labels/<int:run_id>/labels.pdf")
@allow(RoleName.PRODUCER)
def pdf(run_id: int) -> Any:
    return pdf_response(service.printable_run(the_user(), run_id))


def pdf_response(run: LabelRun) -> Response:
    """A finished run's file."""
    file = media_store().open(service.label_file(run))
    name = f"{run.batch.lot_number}-{run.id}.pdf"
    response = send_file(file, mimetype=service.PDF, as_attachment=True, download_name=name, max_age=0)
    response.content_length = run.file_bytes or 0
    response.headers["Cache-Control"] = "private, no-store"
    return response


@views.get("/labels/<int:run_id>/<int:index>.<any(png, svg):form>")
@allow(RoleName.PRODUCER)
def picture(run_id: int, index: int, form: str) -> Any:
    row = service.printable_run(the_user(), run_id)
    if form == "png":
        response = Response(service.label_png(row, index), mimetype="image/png")
    else:
        response = Response(service.label_svg(row, index), mimetype="image/svg+xml")
    response.headers["Content-Disposition"] = f'inline; filename="{service.code_of(row, index)}.{form}"'
    return response


@views.get("/labels/<int:run_id>/codes.csv")
@allow(RoleName.PRODUCER)
def codes(run_id: int) -> Any:
    row = service.printable_run(the_user(), run_id)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["index", "code", "url"])
    for index, code in enumerate(service.codes_of(row, 0, row.count)):
        writer.writerow([index, code, service.url_of(code)])
    # Excel takes a file without the mark for another encoding.
    response = Response("\ufeff" + out.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="codes-{row.id}.csv"'
    return response
