"""The scales: choosing a lot, weighing household by household, and what was weighed.

The pages of the scales stand under ``/field/``, so that the phone keeps them and what was entered without a network.
"""

from __future__ import annotations

from uuid import uuid4

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.attachments import attachment
from trace_app.batches import service as batches
from trace_app.batches.models import Batch, BatchStatus
from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.field.answers import kept, refused, wants_json
from trace_app.flow.ledger.service import LessThanGone
from trace_app.forms import plain_decimal
from trace_app.households.models import Household
from trace_app.households.service import HasLeft, households_of
from trace_app.media.service import DOCUMENT_TYPES
from trace_app.security_headers import keep_for_going_back
from trace_app.spreadsheets import csv_text
from trace_app.templating import status_of
from trace_app.units import unit_name
from trace_app.values import Facts
from trace_app.weighings import service
from trace_app.weighings.forms import FirstWeighingForm, WeighingCorrectionForm, WeighingForm

views = Blueprint("weighings", __name__)

DELIVERY_PROBLEMS = {
    "household_id": HasLeft,
    "plot_id": service.PlotOfAnother,
    "happened_on": service.BeforeTheLotBegan,
}


def _households(*besides: Household) -> list[Household]:
    """The households that deliver, who was at the scales last first.

    :param besides: one that is meant although it has left.
    """
    found = households_of(the_user().organisation)
    return service.last_used_first([*found, *(one for one in besides if one not in found)])


@views.get("/field/weighings")
@allow(RoleName.PRODUCER)
def choose() -> ResponseReturnValue:
    """Which lot is weighed into."""
    lots = service.lots_to_weigh(the_user())
    return render_template("weighings/choose.html", lots=lots, any_households=bool(_households()))


@views.route("/field/weighings/new", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def new() -> ResponseReturnValue:
    """A lot of which nothing is known yet but what is on the scales."""
    offered: Facts = {"happened_on": today(), "entry_key": str(uuid4())}
    if request.method == "GET":
        offered["lot_number"] = batches.suggested_lot_number(the_user(), today())
    form = FirstWeighingForm(user=the_user(), households=_households(), data=offered)
    if form.validate_on_submit():
        with form.refusals(lot_number=batches.LotNumberTaken, **DELIVERY_PROBLEMS), transaction():
            row = service.begin_lot(the_user(), form.batch_facts, form.delivery, form.entry_key.data or None)
        if not form.errors:
            place = url_for("weighings.weigh", batch_id=row.batch_id)
            return kept(row.id, place, _("批次已登记，第一磅已记下。"))
    keep_for_going_back()
    page = render_template("weighings/new.html", form=form)
    if request.method == "POST" and wants_json():
        return refused(page, form)
    return page, status_of(form)


@views.route("/field/weighings/<int:batch_id>", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def weigh(batch_id: int) -> ResponseReturnValue:
    batch = batches.own_batch(the_user(), batch_id)
    offered = {"happened_on": today(), "entry_key": str(uuid4())}
    form = WeighingForm(user=the_user(), households=_households(), batch=batch, data=offered)
    if form.validate_on_submit():
        with form.refusals(quantity=LessThanGone, **DELIVERY_PROBLEMS), transaction():
            delivery = form.delivery
            batch = batches.own_batch(the_user(), batch_id)
            row = service.weigh(the_user(), batch, delivery, form.entry_key.data or None)
        if not form.errors:
            told = {"name": delivery.household.name, "quantity": plain_decimal(delivery.quantity)}
            message = _("已记下：%(name)s %(quantity)s %(unit)s。", **told, unit=unit_name(batch.unit))
            return kept(row.id, url_for("weighings.weigh", batch_id=batch_id), message)
    page = _scales(batches.own_batch(the_user(), batch_id), form)
    if request.method == "POST" and wants_json():
        return refused(page, form)
    return page, status_of(form)


def _scales(batch: Batch, form: WeighingForm) -> str:
    problem = batches.why_no_records(batch)
    if problem is None and batch.status is not BatchStatus.DRAFT:
        problem = service.WeighingOver(lot=batch.lot_number)
    keep_for_going_back()
    return render_template(
        "weighings/weigh.html",
        batch=batch,
        form=form,
        total=service.total_of(batch.id),
        amounts=service.amounts_by_household(batch.id),
        problem=problem.message if problem else None,
        today=today(),
    )


@views.get("/batches/<int:batch_id>/weighings")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def of_lot(batch_id: int) -> ResponseReturnValue:
    """What was weighed into a lot, row by row."""
    batch = batches.batch_for(the_user(), batch_id)
    return render_template(
        "weighings/of_lot.html",
        batch=batch,
        own=the_user().role is RoleName.PRODUCER,
        open=batches.why_no_records(batch) is None,
        weighings=service.weighings_of_lot(batch),
        total=service.total_of(batch.id),
        suppliers=service.suppliers_of(batch.id),
    )


@views.get("/batches/<int:batch_id>/weighings.csv")
@allow(RoleName.PRODUCER)
def lot_csv(batch_id: int) -> ResponseReturnValue:
    batch = batches.own_batch(the_user(), batch_id)
    head = [_("日期"), _("社员编号"), _("农户"), _("村组"), _("地块"), _("重量"), _("单位"), _("更正原因")]
    rows = [
        [
            row.happened_on.isoformat(),
            row.household.number,
            row.household.name,
            row.household.village,
            row.site.name if row.site else "",
            plain_decimal(row.quantity),
            unit_name(batch.unit),
            row.reason,
        ]
        for row in service.weighings_of_lot(batch)
        if row.replaced_by is None
    ]
    return attachment(csv_text([head, *rows]), f"{_('过磅')}-{batch.lot_number}.csv", DOCUMENT_TYPES["csv"])


@views.route("/weighings/<int:weighing_id>/correct", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def correct(weighing_id: int) -> ResponseReturnValue:
    row = service.own_weighing(the_user(), weighing_id)
    stated = {name: getattr(row, name) for name in ("household_id", "quantity", "happened_on")}
    stated["plot_id"] = row.site_id
    form = WeighingCorrectionForm(user=the_user(), households=_households(row.household), batch=row.batch, data=stated)
    if form.validate_on_submit():
        lacks = (service.NothingWouldBeLeft, service.LessThanTheLot, LessThanGone)
        with form.refusals(quantity=lacks, **DELIVERY_PROBLEMS), transaction():
            delivery = form.delivery
            newer = service.correct(
                the_user(), service.own_weighing(the_user(), weighing_id), delivery, form.reason.data or ""
            )
        if not form.errors:
            flash(_("更正已记下，原记录保留。"))
            return redirect(url_for("weighings.of_lot", batch_id=newer.batch_id))
    row = service.own_weighing(the_user(), weighing_id)
    return render_template("weighings/correct.html", form=form, row=row), status_of(form)
