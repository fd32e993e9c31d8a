"""Sending suggestions to the city, and the city's answers."""

from __future__ import annotations

import sqlalchemy as sa
from flask_babel import force_locale
from flask_babel import lazy_gettext as _
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy.orm import joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import HOME, NotFound, keeps_shared_tables, may_see, must_keep_shared_tables, visible_to
from trace_app.accounts.models import Organisation, User
from trace_app.accounts.service import nearest_regulators
from trace_app.db.base import utc_now
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.media.service import keep_document
from trace_app.messages.service import tell
from trace_app.settings import address_of
from trace_app.suggestions.forms import ANSWERS, CATALOGUES
from trace_app.suggestions.models import SharedCatalogue, Suggestion
from trace_app.values import JsonObject

PER_PAGE = 30


class CityChangesItself(Problem):
    """The city suggests nothing to itself."""

    status = 403
    title = _("这些目录由您这一级维护，可以直接修改，不必提建议。")


class AlreadyAnswered(Problem):
    title = _("这条建议已经答复过，不能再改。")


def suggest(
    user: User, catalogue: SharedCatalogue, content: str, basis: str, pdf: tuple[str, bytes] | None
) -> Suggestion:
    """Send the city a suggestion of a county's officer.

    :param pdf: the file that it rests on, with its name.
    :raises CityChangesItself:
    """
    if keeps_shared_tables(user):
        raise CityChangesItself
    row = Suggestion(
        organisation_id=user.organisation_id,
        organisation=user.organisation,
        catalogue=catalogue,
        content=content,
        basis=basis,
        created_by_id=user.id,
    )
    if pdf is not None:
        row.document_id = keep_document(user, *pdf, "pdf").id
    db.session.add(row)
    db.session.flush()
    audit.note(user, "suggest", row, catalogue=catalogue.value)
    message = _message(row)
    for authority in nearest_regulators(HOME + "00"):
        tell(authority, message)
    return row


def answer(user: User, row: Suggestion, *, accepted: bool, text: str) -> None:
    """Tell a county what became of its suggestion.

    :param text: the reason, where it is refused.
    :raises CityAlone, AlreadyAnswered:
    """
    must_keep_shared_tables(user)
    db.session.refresh(row, with_for_update={"of": Suggestion, "key_share": True})
    if row.answered_at is not None:
        raise AlreadyAnswered
    row.accepted, row.answer, row.answered_at, row.answered_by_id = accepted, text, utc_now(), user.id
    db.session.flush()
    audit.note(user, "answer", row, accepted=accepted)
    tell(row.organisation, _message(row))


def _message(row: Suggestion) -> JsonObject:
    with force_locale("zh_CN"):
        name = str(CATALOGUES[row.catalogue])
        state = str(_("新建议")) if row.accepted is None else str(ANSWERS["done" if row.accepted else "refused"])
        lines = [row.content, str(_("依据：%(basis)s", basis=row.basis)), *([row.answer] if row.answer else [])]
        subject = str(_("[目录修改建议] %(name)s：%(state)s", name=name, state=state))
    return {
        "subject": subject,
        "lines": lines,
        "link": address_of("suggestions.show", suggestion_id=row.id),
        "type": "suggestion",
        "facts": {"catalogue": row.catalogue.value, "accepted": row.accepted, "answer": row.answer or ""},
    }


def suggestions_for(user: User, page: int = 1) -> Pagination:
    """A county's own suggestions; all of them for the city. Those that wait stand first, then the latest."""
    query = (
        db.select(Suggestion)
        .join(Suggestion.organisation)
        .where(visible_to(user, Suggestion.organisation_id, sa.func.coalesce(Organisation.jurisdiction_code, "")))
        .order_by(Suggestion.answered_at.is_not(None), Suggestion.id.desc())
        .options(joinedload(Suggestion.organisation))
    )
    return db.paginate(query, page=page, per_page=PER_PAGE, error_out=False)


def suggestion_for(user: User, suggestion_id: int) -> Suggestion:
    """A suggestion of the user's own county, or any for the city.

    :raises NotFound:
    """
    row = db.session.get(Suggestion, suggestion_id)
    if row is None or not may_see(user, row.organisation_id, row.organisation.jurisdiction_code or ""):
        raise NotFound
    return row
