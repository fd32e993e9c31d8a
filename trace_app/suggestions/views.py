"""Suggestions for the shared catalogues: a county's form, the list of both sides, the city's answer."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, keeps_shared_tables, must_keep_shared_tables, the_user
from trace_app.body_limits import takes_uploads
from trace_app.db.session import transaction
from trace_app.suggestions import service
from trace_app.suggestions.forms import CATALOGUES, AnswerForm, SuggestionForm
from trace_app.suggestions.models import SharedCatalogue
from trace_app.templating import register_words, status_of
from trace_app.whole_numbers import asked_page

views = Blueprint("suggestions", __name__)
register_words(views, shared_catalogue=CATALOGUES)


@views.get("/suggestions")
@allow(*SUPERVISORS)
def index() -> ResponseReturnValue:
    page = service.suggestions_for(the_user(), asked_page())
    return render_template("suggestions/index.html", page=page)


@views.route("/suggestions/new", methods=["GET", "POST"])
@allow(*SUPERVISORS)
@takes_uploads
def new() -> ResponseReturnValue:
    if keeps_shared_tables(the_user()):
        flash(service.CityChangesItself.title)
        return redirect(url_for("suggestions.index"))
    about = request.args.get("about", "")
    form = SuggestionForm(catalogue=about if about in set(SharedCatalogue) else None)
    if form.validate_on_submit():
        said = SharedCatalogue(form.catalogue.data), form.content.data, form.basis.data
        with form.refusals(), transaction():
            service.suggest(the_user(), *said, form.pdf.opened)
        if not form.errors:
            flash(_("建议已送市级，答复后会通知您。"))
            return redirect(url_for("suggestions.index"))
    return render_template("suggestions/new.html", form=form), status_of(form)


@views.route("/suggestions/<int:suggestion_id>", methods=["GET", "POST"])
@allow(*SUPERVISORS)
def show(suggestion_id: int) -> ResponseReturnValue:
    """One suggestion and what became of it."""
    row = service.suggestion_for(the_user(), suggestion_id)
    if request.method == "POST":
        must_keep_shared_tables(the_user())
    form = AnswerForm()
    if form.validate_on_submit():
        with form.refusals(), transaction():
            row = service.suggestion_for(the_user(), suggestion_id)
            accepted = form.outcome.data == "done"
            service.answer(the_user(), row, accepted=accepted, text=form.answer.data or "")
        if not form.errors:
            flash(_("已答复，已通知提出的县。"))
            return redirect(url_for("suggestions.index"))
        row = service.suggestion_for(the_user(), suggestion_id)
    may_answer = row.answered_at is None and keeps_shared_tables(the_user())
    page = render_template("suggestions/show.html", row=row, form=form, may_answer=may_answer)
    return page, status_of(form)
