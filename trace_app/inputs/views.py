"""The farm-input catalogue: a producer's own products, and those that regulators keep for all."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.catalogue.service import kinds
from trace_app.db.session import transaction
from trace_app.inputs import service
from trace_app.inputs.english import as_typed, contents, worded
from trace_app.inputs.forms import INPUT_TYPES, InputProductForm, InputRowForm, InputSearchForm, LabelUseForm
from trace_app.inputs.models import InputProduct
from trace_app.sent_once import makes_once
from trace_app.stock.forms import OUT_REASONS
from trace_app.templating import register_words, status_of

views = Blueprint("inputs", __name__)
KEEPERS = (RoleName.PRODUCER, *SUPERVISORS)
register_words(views, input_type=INPUT_TYPES, out_reason=OUT_REASONS)
views.add_app_template_filter(worded)
views.add_app_template_filter(contents)
views.add_app_template_filter(as_typed)


@views.get("/inputs")
@allow(*KEEPERS)
def index() -> ResponseReturnValue:
    form = InputSearchForm(request.args)
    products = service.offered_products(the_user(), (form.q.data or "")[:60])
    return render_template("inputs/index.html", products=products, form=form)


@views.route("/inputs/new", methods=["GET", "POST"])
@allow(*KEEPERS)
@makes_once
def new() -> ResponseReturnValue:
    form = InputRowForm()
    if form.validate_on_submit():
        with form.refusals(), transaction():
            product = service.add_product(the_user(), form.product_facts, form.use_facts)
        if not form.errors:
            flash(_("投入品已登记。"))
            return redirect(url_for("inputs.product", product_id=product.id))
    return render_template("inputs/new.html", form=form), status_of(form)


@views.route("/inputs/<int:product_id>", methods=["GET", "POST"])
@allow(*KEEPERS)
def product(product_id: int) -> ResponseReturnValue:
    row = service.product_for(the_user(), product_id)
    form = _form_of(row)
    if form.validate_on_submit():
        with form.refusals(), transaction():
            service.change_product(the_user(), service.own_product(the_user(), product_id), form.product_facts)
        if not form.errors:
            flash(_("已保存。"))
            return redirect(url_for("inputs.product", product_id=product_id))
    return _product_page(product_id, form, LabelUseForm(formdata=None))


@views.post("/inputs/<int:product_id>/uses")
@allow(*KEEPERS)
@makes_once
def add_use(product_id: int) -> ResponseReturnValue:
    form = LabelUseForm()
    if form.validate():
        with form.refusals(kind_code=service.UseKnown), transaction():
            service.add_use(the_user(), service.own_product(the_user(), product_id), form.use_facts)
        if not form.errors:
            return redirect(url_for("inputs.product", product_id=product_id))
    row = service.product_for(the_user(), product_id)
    return _product_page(product_id, _form_of(row, formdata=None), form)


@views.post("/inputs/<int:product_id>/uses/<int:use_id>/remove")
@allow(*KEEPERS)
def remove_use(product_id: int, use_id: int) -> ResponseReturnValue:
    with transaction():
        service.remove_use(the_user(), service.own_product(the_user(), product_id), use_id)
    return redirect(url_for("inputs.product", product_id=product_id))


def _form_of(row: InputProduct, **how: object) -> InputProductForm:
    """The form of a product that is known. Its nutrients are kept as text."""
    return InputProductForm(obj=row, data={name: Decimal(value) for name, value in row.nutrients.items()}, **how)


def _product_page(product_id: int, form: InputProductForm, use_form: LabelUseForm) -> ResponseReturnValue:
    row: InputProduct = service.product_for(the_user(), product_id)
    page = render_template(
        "inputs/product.html",
        product=row,
        form=form,
        use_form=use_form,
        own=service.may_change(the_user(), row),
        kinds={kind.code: kind for kind in kinds()},
    )
    return page, max(status_of(form), status_of(use_form))
