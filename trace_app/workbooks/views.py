"""Excel both ways: templates, uploading with a dry run, taking in, and a lot's whole file."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_babel import lazy_ngettext
from flask_wtf.file import FileField, FileRequired

from trace_app.accounts.access import SUPERVISORS, NotFound, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.attachments import attachment
from trace_app.batches import service as batches
from trace_app.body_limits import takes_uploads
from trace_app.catalogue.service import kind_named, kinds
from trace_app.db.session import transaction
from trace_app.forms import Form, SelectField, choices, required
from trace_app.language import named
from trace_app.lists import Column, ListShape, typed_search
from trace_app.media.service import DOCUMENT_TYPES
from trace_app.spreadsheets import csv_text
from trace_app.templating import register_words, status_of
from trace_app.uploads import upload
from trace_app.workbooks import service
from trace_app.workbooks.models import Import, ImportStatus

views = Blueprint("workbooks", __name__)
STATUSES = {
    ImportStatus.CHECKED: _("已检查，未导入"),
    ImportStatus.WAITING: _("正在导入…"),
    ImportStatus.DONE: _("已导入"),
}
register_words(views, import_status=STATUSES)


BESIDES = {
    service.INPUTS: _("投入品目录"),
    service.ORDERS: _("网店订单"),
    service.HOUSEHOLDS: lazy_ngettext("农户", "农户", 2),
}
"""What is taken in beside the records of kinds."""


class WorkbookForm(Form):
    what = SelectField(_("内容"), [required()])
    file = FileField(_("填好的工作簿（.xlsx）或 CSV"), [FileRequired(_("请选择文件。"))])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.what.choices = choices([*((k.code, named(k)) for k in kinds()), *BESIDES.items()])


@views.route("/workbooks", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@takes_uploads
def index() -> ResponseReturnValue:
    form = WorkbookForm()
    if form.validate_on_submit():
        file = upload(form.file) or ("", b"")
        with form.refusals():
            run = service.look_through(the_user(), form.what.data, *file)
            with transaction():
                row = service.keep_looked_through(the_user(), form.what.data, *file, run)
        if not form.errors:
            return redirect(url_for("workbooks.show", import_id=row.id))
    search = typed_search()
    listing = IMPORTS.asked(service.imports_of(the_user(), search), {"q": search})
    if (table := listing.file()) is not None:
        return table
    return render_template("workbooks/index.html", form=form, kinds=kinds(), listing=listing), status_of(form)


def _what(row: Import) -> str:
    names = _names()
    return str(names.get(row.what, row.what))


IMPORTS = ListShape(
    "workbooks.index",
    _("上传过的"),
    (
        Column("file", _("文件"), lambda row: row.document.file_name),
        Column("what", _("内容"), _what),
        Column(
            "state",
            _("状态"),
            lambda row: str(STATUSES[row.status]),
            tag=lambda row: "" if row.status is ImportStatus.DONE else "warn",
        ),
        Column("rows", _("行数"), lambda row: row.rows, Import.rows),
        Column("problems", _("问题"), lambda row: row.problem_count, Import.problem_count),
        Column("at", _("时间"), lambda row: row.created_at, Import.created_at),
    ),
    Import.id,
    "-at",
    lambda row: url_for("workbooks.show", import_id=row.id),
    service.SHOWN,
)


def _names() -> dict[str, str]:
    return {kind.code: named(kind) for kind in kinds()} | {what: str(name) for what, name in BESIDES.items()}


@views.get("/workbooks/template/<what>.xlsx")
@allow(RoleName.PRODUCER)
def template(what: str) -> ResponseReturnValue:
    # What writes workbooks is loaded where one is written.
    from trace_app.workbooks.template import households_template, inputs_template, kind_template, orders_template

    if what == service.INPUTS:
        return attachment(inputs_template(), f"{_('投入品目录模板')}.xlsx", DOCUMENT_TYPES["xlsx"])
    if what == service.ORDERS:
        return attachment(orders_template(), f"{_('网店订单模板')}.xlsx", DOCUMENT_TYPES["xlsx"])
    if what == service.HOUSEHOLDS:
        return attachment(households_template(the_user()), f"{_('农户模板')}.xlsx", DOCUMENT_TYPES["xlsx"])
    kind = kind_named(what)
    return attachment(
        kind_template(the_user(), kind), f"{_('%(kind)s：生产记录模板', kind=named(kind))}.xlsx", DOCUMENT_TYPES["xlsx"]
    )


@views.get("/workbooks/<int:import_id>")
@allow(RoleName.PRODUCER)
def show(import_id: int) -> ResponseReturnValue:
    return _page(import_id)


@views.post("/workbooks/<int:import_id>/<any(all, good):which>")
@allow(RoleName.PRODUCER)
def confirm(import_id: int, which: str) -> ResponseReturnValue:
    form = Form()
    with form.refusals(), transaction():
        service.confirm(the_user(), service.import_for(the_user(), import_id), only_good=which == "good")
    if form.errors:
        return _page(import_id, form.form_errors), 409
    service.start(service.import_for(the_user(), import_id))
    return redirect(url_for("workbooks.show", import_id=import_id))


def _page(import_id: int, problems: list[str] | None = None) -> str:
    row = service.import_for(the_user(), import_id)
    if row.status is ImportStatus.DONE and not problems:
        flash(_("已导入 %(count)d 行。", count=row.taken))
    return render_template("workbooks/show.html", row=row, told=problems or [], name=_names().get(row.what, row.what))


@views.get("/workbooks/<int:import_id>/problems.csv")
@allow(RoleName.PRODUCER)
def problems(import_id: int) -> ResponseReturnValue:
    row = service.import_for(the_user(), import_id)
    head = (_("工作表"), _("行"), _("列"), _("内容"), _("问题"))
    names = ("sheet", "row", "column", "content", "message")
    rows = [[trouble.get(name, "") for name in names] for trouble in row.faults]
    return attachment(csv_text([head, *rows]), f"{_('问题')}-{row.id}.csv", DOCUMENT_TYPES["csv"])


@views.get("/batches/<int:batch_id>/file.<any(xlsx, pdf):file_type>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def lot_file(batch_id: int, file_type: str) -> ResponseReturnValue:
    """A lot's whole file."""
    batch = batches.batch_for(the_user(), batch_id)
    evidence = the_user().role is not RoleName.PRODUCER
    if file_type == "xlsx":
        from trace_app.workbooks.export import workbook_of

        return attachment(workbook_of(batch, evidence=evidence), f"{batch.lot_number}.xlsx", DOCUMENT_TYPES["xlsx"])
    if file_type == "pdf":
        from trace_app.workbooks.dossier import dossier_of

        return attachment(dossier_of(batch, evidence=evidence), f"{batch.lot_number}.pdf", DOCUMENT_TYPES["pdf"])
    raise NotFound
