"""The tables that the rules go by: looking, downloading, replacing."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, keeps_shared_tables, must_keep_shared_tables, the_user
from trace_app.accounts.models import RoleName
from trace_app.attachments import attachment
from trace_app.body_limits import takes_uploads
from trace_app.db.session import transaction
from trace_app.reference import checks
from trace_app.reference.forms import ReferenceCheckForm, TableForm
from trace_app.reference.models import CheckedAgainst
from trace_app.reference.service import MOST_COLUMNS, READ_AS, TABLES, BadReferenceTable, as_csv, replace, table_named
from trace_app.templating import register_words, status_of

views = Blueprint("reference", __name__)
register_words(views, checked_against=checks.CHECKED_AGAINST)


@views.get("/reference/<table_name>")
@allow(*SUPERVISORS)
def show(table_name: str) -> ResponseReturnValue:
    return _page(table_name, TableForm(formdata=None))


@views.get("/reference/<table_name>.csv")
@allow(*SUPERVISORS)
def download(table_name: str) -> ResponseReturnValue:
    table = table_named(table_name)
    return attachment(as_csv(table), f"{table.name}.csv", "text/csv")


@views.post("/reference/<table_name>")
@allow(RoleName.ADMINISTRATOR)
@takes_uploads
def upload(table_name: str) -> ResponseReturnValue:
    must_keep_shared_tables(the_user())
    form = TableForm()
    table = table_named(table_name)
    faults: list[str] = []
    if form.validate():
        file = form.file.data
        with form.refusals():
            try:
                with transaction():
                    count = replace(the_user(), table, file.filename, file.read())
            except BadReferenceTable as problem:
                faults = problem.faults
                raise
        if not form.errors:
            flash(
                _("已载入 %(count)d 行。所有批次会按新表重新检查。", count=count)
                if table.judges_lots
                else _("已载入 %(count)d 行。", count=count)
            )
            return redirect(url_for("reference.show", table_name=table_name))
    return _page(table_name, form, faults)


@views.post("/reference/<table_name>/checks")
@allow(*SUPERVISORS)
def check(table_name: str) -> ResponseReturnValue:
    """Note that a table was held against its source."""
    table = table_named(table_name)
    form = ReferenceCheckForm()
    if form.validate():
        must_keep_shared_tables(the_user())
        with form.refusals(), transaction():
            against = CheckedAgainst(form.against.data)
            checks.check(the_user(), table.name, against, form.source.data, form.note.data or "")
        if not form.errors:
            flash(_("已记下这次核对。"))
            return redirect(url_for("reference.show", table_name=table_name))
    return _page(table_name, TableForm(formdata=None), checking=form)


def _page(
    table_name: str,
    form: TableForm,
    faults: list[str] | None = None,
    checking: ReferenceCheckForm | None = None,
) -> ResponseReturnValue:
    """:param checking: the form of a check that was refused."""
    table = table_named(table_name)
    page = render_template(
        "reference/show.html",
        table=table,
        tables=TABLES.values(),
        rows=table.rows(),
        form=form,
        faults=faults or [],
        checking=checking or ReferenceCheckForm(formdata=None),
        may_check=keeps_shared_tables(the_user()),
        care=checks.care_of(table_name),
        read_as=READ_AS,
        as_cards=len(table.columns) > MOST_COLUMNS,
        wanting=checks.wanting_of(TABLES),
        may_change=the_user().role is RoleName.ADMINISTRATOR and keeps_shared_tables(the_user()),
        headings={name: field.label.text for name, field in table.form(formdata=None)._fields.items()},
    )
    return page, status_of(checking or form)
