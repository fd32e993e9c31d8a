"""Findings: a regulator's warnings, a producer's list of what to do, one finding with waiver and handling."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user, within_jurisdiction
from trace_app.accounts.factors.freshness import fresh_factor
from trace_app.accounts.forms import jurisdiction_choices
from trace_app.accounts.models import RoleName
from trace_app.db.session import transaction
from trace_app.findings import service
from trace_app.findings.columns import TO_DO, WARNINGS
from trace_app.findings.forms import SEVERITIES, HandleForm, WaiverForm, WarningsForm
from trace_app.findings.rules import RULES, message_of
from trace_app.lists import typed_search
from trace_app.release import service as release
from trace_app.templating import register_words, status_of

views = Blueprint("findings", __name__)


register_words(views, severity=SEVERITIES, rule=RULES)


views.add_app_template_filter(message_of, "message")


@views.get("/findings")
@allow(*SUPERVISORS)
def index() -> ResponseReturnValue:
    """A regulator's warnings, by jurisdiction, kind and severity."""
    form = WarningsForm(request.args, places=jurisdiction_choices(the_user().organisation))
    filters = {field.name: request.args.get(field.name, "") for field in form}
    listing = WARNINGS.asked(service.findings_seen(the_user(), **form.wished), filters)
    return listing.file() or render_template(
        "findings/index.html", form=form, listing=listing, counts=service.open_counts(the_user())
    )


@views.get("/findings/<int:finding_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def show(finding_id: int) -> ResponseReturnValue:
    return _page(finding_id)


@views.post("/findings/<int:finding_id>/waive")
@allow(*SUPERVISORS)
@fresh_factor
def waive(finding_id: int) -> ResponseReturnValue:
    form = WaiverForm()
    if form.validate():
        with form.refusals(), transaction():
            service.waive(the_user(), service.finding_for(the_user(), finding_id), form.reason.data)
        if not form.errors:
            flash(_("已准予，理由会显示在追溯页上。"))
            return redirect(url_for("findings.show", finding_id=finding_id))
    return _page(finding_id, waiver_form=form)


@views.post("/findings/<int:finding_id>/handle")
@allow(*SUPERVISORS)
def handle(finding_id: int) -> ResponseReturnValue:
    form = HandleForm()
    if form.validate():
        with form.refusals(), transaction():
            service.handle(the_user(), service.finding_for(the_user(), finding_id), form.note.data)
        if not form.errors:
            flash(_("已记下处理情况。"))
            return redirect(url_for("findings.show", finding_id=finding_id))
    return _page(finding_id, handle_form=form)


def _page(
    finding_id: int, waiver_form: WaiverForm | None = None, handle_form: HandleForm | None = None
) -> tuple[str, int]:
    finding = service.finding_for(the_user(), finding_id)
    forms = [form for form in (waiver_form, handle_form) if form is not None]
    page = render_template(
        "findings/show.html",
        finding=finding,
        rule=RULES[finding.rule],
        message=message_of(finding),
        waiver_form=waiver_form or WaiverForm(formdata=None),
        handle_form=handle_form or HandleForm(formdata=None),
        in_charge=within_jurisdiction(the_user(), finding.division_code),
    )
    return page, max(map(status_of, forms), default=200)


@views.get("/findings/to-do")
@allow(RoleName.PRODUCER)
def to_do() -> ResponseReturnValue:
    """What a producer has to do before its lots can be released, and what else was found."""
    release.check_due_of(the_user())
    search = typed_search()
    listing = TO_DO.asked(service.to_do(the_user(), search), {"q": search})
    return listing.file() or render_template("findings/to_do.html", listing=listing)
