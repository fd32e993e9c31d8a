"""The pages of the audit trail."""

from __future__ import annotations

import json

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import signed_in, the_user
from trace_app.accounts.models import AuditEvent
from trace_app.accounts.trail import service
from trace_app.accounts.trail.forms import TrailForm
from trace_app.accounts.trail.texts import ACTIONS, OBJECTS, SENTENCES, SUBJECTS, TOLD
from trace_app.attachments import attachment
from trace_app.clock import local
from trace_app.language import language
from trace_app.spreadsheets import csv_text
from trace_app.templating import status_of
from trace_app.whole_numbers import asked_page

views = Blueprint("trail", __name__)


@views.app_template_filter("deed")
def deed(event: AuditEvent, name: str = "") -> str:
    """What was done to what, as a sentence goes on after who did it.

    :param name: of the account that it was done to.
    """
    if whole := SENTENCES.get((event.action, event.subject_type)):
        return str(whole)
    words = [str(ACTIONS.get(event.action, event.action)).rstrip()]
    if event.subject_type == "users":
        if event.subject_id != event.actor_id:
            words += [str(OBJECTS["users"]), name]
    elif event.action != "sign-in":
        words.append(str(OBJECTS.get(event.subject_type, event.subject_type)))
    if language() == "en":
        return " ".join([words[0][:1].lower() + words[0][1:], *words[1:]]).strip()
    # Chinese has no spaces between words.
    return " ".join(["".join(words[:2]), *words[2:]]).strip()


@views.app_template_filter("told")
def told(event: AuditEvent) -> str:
    """The facts of an event that its line tells."""
    return " · ".join(str(event.facts[name]) for name in TOLD if event.facts.get(name))


@views.get("/trail")
@signed_in
def show() -> ResponseReturnValue:
    form = TrailForm(request.args)
    page = service.page_of(service.events_for(the_user(), **form.wished), asked_page())
    filters = {name: request.args[name] for name in request.args if name != "page" and request.args[name]}
    names = service.names_of(list(page.items))
    return render_template("accounts/trail.html", form=form, page=page, filters=filters, names=names), status_of(form)


@views.get("/trail.csv")
@signed_in
def table() -> ResponseReturnValue:
    """All that the page would show, with all facts."""
    rows: list[tuple[object, ...]] = [(_("时间"), _("用户名"), _("单位"), _("操作"), _("对象"), _("编号"), _("内容"))]
    for event in service.file_of(service.events_for(the_user(), **TrailForm(request.args).wished)):
        actor = event.actor
        rows.append(
            (
                f"{local(event.at):%Y-%m-%d %H:%M:%S}",
                actor.username if actor else "",
                actor.organisation.name if actor else "",
                ACTIONS.get(event.action, event.action),
                SUBJECTS.get(event.subject_type, event.subject_type),
                event.subject_id,
                json.dumps(event.facts, ensure_ascii=False),
            )
        )
    return attachment(csv_text(rows), "trail.csv", "text/csv")
