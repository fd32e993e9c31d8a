"""What is filed in a case beside reports: a party's plan, its closing report, and the authority's conclusion.

Food recall measures (食品召回管理办法): who recalls hands in a plan and afterwards a report; the authority judges both.
"""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from trace_app.accounts import audit
from trace_app.accounts.models import Author, User
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.media.service import keep_document
from trace_app.messages.service import tell
from trace_app.recall_tasks.models import FilingKind, RecallFiling, RecallTask
from trace_app.recall_tasks.service import RecallOver, message_of, party_name
from trace_app.recalls.models import Recall, RecallStatus

FILINGS = {
    FilingKind.PLAN: _("召回计划"),
    FilingKind.CLOSING_REPORT: _("召回总结报告"),
    FilingKind.CONCLUSION: _("主管部门的结论"),
}
OF_PARTIES = (FilingKind.PLAN, FilingKind.CLOSING_REPORT)


class NothingFiled(Unprocessable):
    title = _("请写明内容，或附上盖章的 PDF。")


def filings_of(recall: Recall) -> list[RecallFiling]:
    """Everything filed in a case, the first first."""
    query = db.select(RecallFiling).filter_by(recall_id=recall.id).order_by(RecallFiling.id)
    return list(db.session.scalars(query))


def file_by_party(
    task: RecallTask, kind: FilingKind, text: str, name: str, pdf: tuple[str, bytes] | None
) -> RecallFiling:
    """Take in a plan or a closing report. A later one of a kind stands beside those before it.

    :param name: of who hands it in.
    :param pdf: file name and content, looked through before.
    :raises RecallOver, NothingFiled:
    """
    recall = task.recall
    if recall.status not in (RecallStatus.ACTIVE, RecallStatus.COMPLETED):
        raise RecallOver(number=recall.number)
    author = Author(None, task.organisation_id or recall.authority_id)
    row = _file(author, pdf, recall_id=recall.id, task_id=task.id, kind=kind, text=text, filed_by_name=name)
    message = message_of(recall, None) | {"subject": f"[{FILINGS[kind]}] {recall.number} {party_name(task)}"}
    tell(recall.authority, message)
    return row


def conclude(user: User, recall: Recall, text: str, pdf: tuple[str, bytes] | None) -> RecallFiling:
    """File what the authority makes of plan, report and outcome.

    :raises NothingFiled:
    """
    facts = {"recall_id": recall.id, "kind": FilingKind.CONCLUSION, "text": text}
    row = _file(Author.of(user), pdf, filed_by_name=user.full_name, filed_by_id=user.id, **facts)
    audit.note(user, "conclude", recall, number=recall.number)
    return row


def _file(author: Author, pdf: tuple[str, bytes] | None, **facts: object) -> RecallFiling:
    if not facts["text"] and pdf is None:
        raise NothingFiled
    document = keep_document(author, *pdf, "pdf") if pdf is not None else None
    row = RecallFiling(document=document, **facts)
    db.session.add(row)
    db.session.flush()
    return row
