"""A cooperative's register of households."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.attachments import attachment
from trace_app.catalogue.service import site_for, sites_of
from trace_app.db.session import transaction
from trace_app.forms import Form
from trace_app.households import service
from trace_app.households.forms import (
    ConsentForm,
    HouseholdForm,
    HouseholdSearchForm,
    LeaveForm,
    PlotEndForm,
    PlotForm,
    since_today,
)
from trace_app.households.models import Household
from trace_app.media.service import DOCUMENT_TYPES
from trace_app.sent_once import makes_once
from trace_app.spreadsheets import csv_text
from trace_app.templating import status_of
from trace_app.weighings import service as weighings
from trace_app.whole_numbers import asked_page

views = Blueprint("households", __name__)

PROBLEMS = {"number": (service.NumberOfAnother, service.HouseholdKnown, service.NamesakeWithoutNumber)}


@views.get("/households")
@allow(RoleName.PRODUCER)
def index() -> ResponseReturnValue:
    form = HouseholdSearchForm(request.args)
    left = form.state.data == "left"
    search = (form.q.data or "")[:60]
    page = service.find_households(the_user().organisation, search=search, left=left, page=asked_page())
    filters = {name: request.args[name] for name in ("q", "state") if request.args.get(name)}
    gone = service.how_many_left(the_user().organisation, search) if search and not left else 0
    return render_template("households/index.html", form=form, page=page, filters=filters, search=search, gone=gone)


@views.route("/households/new", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def new() -> ResponseReturnValue:
    form = HouseholdForm()
    if form.validate_on_submit():
        with form.refusals(**PROBLEMS), transaction():
            household = service.register(the_user(), form.facts)
        if not form.errors:
            flash(_("农户已登记。"))
            return redirect(url_for("households.show", household_id=household.id))
    return render_template("households/form.html", form=form, household=None), status_of(form)


@views.route("/households/<int:household_id>/edit", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def edit(household_id: int) -> ResponseReturnValue:
    household = service.own_household(the_user(), household_id)
    form = HouseholdForm(obj=household)
    if form.validate_on_submit():
        with form.refusals(**PROBLEMS), transaction():
            service.change(the_user(), service.own_household(the_user(), household_id), form.facts)
        if not form.errors:
            flash(_("已保存。"))
            return redirect(url_for("households.show", household_id=household_id))
    household = service.own_household(the_user(), household_id)
    return render_template("households/form.html", form=form, household=household), status_of(form)


@views.get("/households/<int:household_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def show(household_id: int) -> ResponseReturnValue:
    return _page(household_id)


@views.post("/households/<int:household_id>/consents")
@allow(RoleName.PRODUCER)
@makes_once
def consent(household_id: int) -> ResponseReturnValue:
    form = ConsentForm()
    if form.validate():
        with form.refusals(told_on=service.OlderThanTheLatest), transaction():
            household = service.own_household(the_user(), household_id)
            service.note_consent(the_user(), household, agreed=form.agreed.data == "yes", told_on=form.told_on.data)
        if not form.errors:
            flash(_("已记下，追溯页随即更新。"))
            return redirect(url_for("households.show", household_id=household_id))
    return _page(household_id, form)


@views.post("/households/<int:household_id>/plots")
@allow(RoleName.PRODUCER)
@makes_once
def add_plot(household_id: int) -> ResponseReturnValue:
    form = PlotForm(sites=sites_of(the_user().organisation))
    if form.validate():
        with form.refusals(site_id=(service.ItsPlotAlready, service.LeftAndTillsNone)), transaction():
            household = service.own_household(the_user(), household_id)
            site = site_for(the_user(), form.site_id.data)
            service.give_plot(the_user(), household, site, form.begins_on.data)
        if not form.errors:
            flash(_("已记下。"))
            return redirect(url_for("households.show", household_id=household_id))
    return _page(household_id, form)


@views.post("/households/<int:household_id>/plots/<int:site_id>/end")
@allow(RoleName.PRODUCER)
def end_plot(household_id: int, site_id: int) -> ResponseReturnValue:
    form = PlotEndForm()
    if form.validate():
        with form.refusals(ends_on=service.NotItsPlot), transaction():
            household = service.own_household(the_user(), household_id)
            service.end_plot(the_user(), household, site_for(the_user(), site_id), form.ends_on.data)
        if not form.errors:
            flash(_("已记下。"))
            return redirect(url_for("households.show", household_id=household_id))
    return _page(household_id, form, of_site=site_id)


@views.post("/households/<int:household_id>/leave")
@allow(RoleName.PRODUCER)
def leave(household_id: int) -> ResponseReturnValue:
    form = LeaveForm()
    if form.validate():
        with form.refusals(left_on=service.DeliveredLater), transaction():
            household = service.own_household(the_user(), household_id)
            service.leave(the_user(), household, form.left_on.data, weighings.last_weighed_on(household))
        if not form.errors:
            flash(_("已退社。交过的货和记录都保留。"))
            return redirect(url_for("households.show", household_id=household_id))
    return _page(household_id, form)


@views.post("/households/<int:household_id>/return")
@allow(RoleName.PRODUCER)
def come_back(household_id: int) -> ResponseReturnValue:
    with transaction():
        service.come_back(the_user(), service.own_household(the_user(), household_id))
    flash(_("已恢复，可以过磅。"))
    return redirect(url_for("households.show", household_id=household_id))


@views.get("/households/<int:household_id>/weighings.<any(csv, pdf):paper>")
@allow(RoleName.PRODUCER)
def slip(household_id: int, paper: str) -> ResponseReturnValue:
    """What the household delivered, for it to keep."""
    household = service.own_household(the_user(), household_id)
    rows = weighings.weighings_of_household(household)
    # What makes PDF documents is loaded where one is made.
    from trace_app.weighings.slip import head_of_table, rows_of, slip_of

    title = str(_("交货清单"))
    name = f"{title}-{household.name}.{paper}"
    if paper == "csv":
        return attachment(csv_text([head_of_table(), *rows_of(rows)]), name, DOCUMENT_TYPES["csv"])
    return attachment(slip_of(household, rows), name, DOCUMENT_TYPES["pdf"])


def _told_elsewhere(
    household: Household, plots: Sequence[service.Tenure], refused: Form | None, of_site: int | None
) -> list[str]:
    """What is to be said of a form that is not on the page any more: of a plot that has gone, or one that has left."""
    if refused is None:
        return []
    there = of_site in {plot.site.id for plot in plots if plot.ends_on is None}
    gone = isinstance(refused, PlotEndForm) and not there
    gone |= isinstance(refused, PlotForm) and household.left_on is not None
    if gone or (isinstance(refused, LeaveForm) and household.left_on is not None):
        return [str(message) for messages in refused.errors.values() for message in messages]
    return []


def _page(household_id: int, refused: Form | None = None, of_site: int | None = None) -> ResponseReturnValue:
    """A household's page.

    :param refused: the form that came back.
    :param of_site: the plot that it was about.
    """
    household = service.household_for(the_user(), household_id)
    own = the_user().role is RoleName.PRODUCER
    forms = {
        form_class: refused if type(refused) is form_class else form_class(formdata=None, data=since_today(), **more)
        for form_class, more in (
            (ConsentForm, {}),
            (LeaveForm, {}),
            (PlotEndForm, {}),
            (PlotForm, {"sites": sites_of(household.producer) if own else []}),
        )
    }
    plots = service.plots_of(household)
    page = render_template(
        "households/show.html",
        household=household,
        own=own,
        told=_told_elsewhere(household, plots, refused, of_site),
        consents=service.consents_of(household),
        plots=plots,
        lots=weighings.lots_with(the_user(), household),
        weighings=weighings.weighings_of_household(household),
        consent_form=forms[ConsentForm],
        leave_form=forms[LeaveForm],
        end_form=forms[PlotEndForm],
        plot_form=forms[PlotForm],
        of_site=of_site,
    )
    return page, status_of(refused) if refused else 200
