"""Feedback: the consumer's form and ticket, and the pages of those who answer."""

from __future__ import annotations

import structlog
from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from itsdangerous import URLSafeTimedSerializer

from qr.codes import InvalidCode
from trace_app.accounts.access import SUPERVISORS, NotFound, acting_user, allow, public, the_user
from trace_app.accounts.models import RoleName
from trace_app.arrivals.service import PhotoNameTaken
from trace_app.body_limits import takes_uploads
from trace_app.db.session import transaction
from trace_app.extensions import csrf, limiter
from trace_app.feedback import service
from trace_app.feedback.columns import FEEDBACK
from trace_app.feedback.forms import SHORT_KINDS, FeedbackForm, ReplyForm
from trace_app.feedback.models import FeedbackKind
from trace_app.labels.service import label_of_code
from trace_app.lists import typed_search
from trace_app.media.service import MAX_PHOTOS, TooManyPhotos, stored_photos
from trace_app.public.trace import trace_of_batch
from trace_app.templating import register_words, status_of

views = Blueprint("feedback", __name__)
log = structlog.get_logger()
register_words(views, feedback_kind=SHORT_KINDS)


@views.app_context_processor
def _waiting() -> dict[str, int]:
    """How much feedback waits for an answer, for the navigation of who is signed in; one query."""
    user = acting_user()
    if user is None or user.role not in (RoleName.PRODUCER, *SUPERVISORS):
        return {}
    return {"feedback_waiting": service.open_feedback(user)}


@views.route("/<code>/feedback", methods=["GET", "POST"])
@csrf.exempt
@public
@limiter.limit("60/hour", methods=["POST"])
@limiter.limit("6/hour", methods=["POST"], deduct_when=lambda response: response.status_code == 302)
@takes_uploads
def give(code: str) -> ResponseReturnValue:
    """A consumer's complaint, report or praise of a label.

    The form and the view ask for no CSRF token: it needs no account, so there is nobody whose rights another page
    could use, and a consumer gets no cookie. Six an hour are taken from one source; what comes back to be mended does
    not count.
    """
    try:
        label = label_of_code(code)
    except InvalidCode as error:
        raise NotFound from error
    signer = URLSafeTimedSerializer(current_app.secret_key or "", "feedback")
    form = FeedbackForm(signer=signer, kind=request.args.get("about", ""))
    if form.validate_on_submit():
        refusal = form.by_a_program
        if refusal is not None:
            log.info("feedback not taken", code=label.code)
            form.form_errors = [refusal]
        else:
            with (
                form.refusals(photos=(TooManyPhotos, PhotoNameTaken)),
                stored_photos(form.photos.cleaned) as photos,
                transaction(),
            ):
                row = service.give(
                    label,
                    photos,
                    form.photos.to_come,
                    kind=FeedbackKind(form.kind.data),
                    text=form.text.data,
                    bought_at=form.bought_at.data or "",
                    contact=form.contact.data or "",
                )
                ticket = row.ticket
            if not form.errors:
                return redirect(url_for("feedback.ticket", ticket=ticket))
    page = render_template(
        "feedback/give.html", form=form, label=label, trace=trace_of_batch(label.batch_id), most=MAX_PHOTOS
    )
    return page, status_of(form)


@views.get("/tickets/<ticket>")
@public
def ticket(ticket: str) -> ResponseReturnValue:
    """How far a consumer's matter is."""
    return render_template(
        "feedback/ticket.html", row=(row := service.by_ticket(ticket)), to_come=service.photos_to_come(row)
    )


@views.get("/feedback")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def index() -> ResponseReturnValue:
    kind = request.args.get("kind", "")
    kind = kind if kind in {item.value for item in FeedbackKind} else ""
    only = request.args.get("open") == "1"
    search = typed_search()
    query = service.feedback_seen(the_user(), search=search, kind=kind, open_only=only)
    listing = FEEDBACK.asked(query, {"q": search, "kind": kind, "open": "1" if only else ""})
    page = "feedback/index.html"
    return listing.file() or render_template(page, listing=listing, kinds=SHORT_KINDS, kind=kind, only=only)


@views.route("/feedback/<int:feedback_id>", methods=["GET", "POST"])
@allow(RoleName.PRODUCER, *SUPERVISORS)
def show(feedback_id: int) -> ResponseReturnValue:
    """One consumer's matter, and what to answer."""
    row = service.feedback_for(the_user(), feedback_id)
    form = ReplyForm()
    if form.validate_on_submit():
        with transaction():
            row = service.feedback_for(the_user(), feedback_id)
            service.reply(the_user(), row, form.text.data, closes=form.closes.data)
        flash(_("已回复，消费者凭单号看得到。"))
        return redirect(url_for("feedback.show", feedback_id=feedback_id))
    return render_template(
        "feedback/show.html",
        row=row,
        form=form,
        contact=service.contact_shown_to(the_user(), row),
        to_come=service.photos_to_come(row),
    ), status_of(form)
