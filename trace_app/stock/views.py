"""A producer's stock of farm inputs by lot, and which lots an input has touched."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload, object_session

from trace_app.accounts.access import SUPERVISORS, NotFound, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.inputs import service as inputs
from trace_app.inputs.forms import INPUT_TYPES, InputSearchForm
from trace_app.inputs.models import InputProduct, StockLot
from trace_app.lists import Column, ListShape, typed_search
from trace_app.sent_once import makes_once
from trace_app.stock import service as stock
from trace_app.stock.forms import StockForm, StockOutForm
from trace_app.stock.service import StockBalance, balances, stock_for, touched_by
from trace_app.templating import status_of
from trace_app.units import unit_name
from trace_app.whole_numbers import row_number

views = Blueprint("stock", __name__)


@views.get("/stock")
@allow(RoleName.PRODUCER)
def index() -> ResponseReturnValue:
    search = typed_search()
    listing = STOCK.asked(inputs.own_stock(the_user(), search), {"q": search})
    return listing.file() or render_template("stock/index.html", listing=listing)


def _state_of(row: StockLot) -> str:
    left = _left_of(row)
    over = row.expires_on is not None and row.expires_on < today()
    return str(_("已过期") if over else _("用超了") if left is not None and left < 0 else "")


def _left_of(row: StockLot) -> Decimal | None:
    """What is left of a stock lot. The balances of a page are worked out together, at the first of them."""
    session = object_session(row)
    known: dict[int, StockBalance] = g.setdefault("stock_balances", {})
    if row.id not in known and session is not None:
        known.update(balances([one for one in session.identity_map.values() if isinstance(one, StockLot)]))
    return known[row.id].left


STOCK = ListShape(
    "stock.index",
    _("投入品库存"),
    (
        Column("input", _("名称"), lambda row: row.product.name),
        Column("type", _("类型"), lambda row: str(INPUT_TYPES[row.product.type])),
        Column("lot", _("批号"), lambda row: row.lot_number, StockLot.lot_number),
        Column("state", _("状态"), _state_of, tag=lambda _row: "bad"),
        Column("left", _("还剩"), _left_of),
        Column("quantity", _("入库数量"), lambda row: row.quantity, StockLot.quantity),
        Column("unit", _("单位"), lambda row: unit_name(row.unit)),
        Column("supplier", _("购自"), lambda row: row.supplier),
        Column("received", _("入库日期"), lambda row: row.received_on, StockLot.received_on),
        Column("expires", _("有效期至"), lambda row: row.expires_on),
    ),
    StockLot.id,
    "-received",
    lambda row: url_for("stock.show", stock_id=row.id),
    (joinedload(StockLot.product).selectinload(InputProduct.ingredients),),
)


@views.route("/stock/new", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@makes_once
def new() -> ResponseReturnValue:
    products = inputs.offered_products(the_user())
    offered = {"received_on": today(), "product_id": request.args.get("product", type=row_number)}
    form = StockForm(products=products, data=offered)
    if form.validate_on_submit():
        with form.refusals(lot_number=stock.StockKnown), transaction():
            lot = stock.receive(the_user(), form.facts)
        if not form.errors:
            flash(_("已入库。记录用药、施肥时可以直接选这一批。"))
            return redirect(url_for("stock.show", stock_id=lot.id))
    return render_template("stock/receive.html", form=form, any_products=bool(products)), status_of(form)


@views.get("/stock/<int:stock_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def show(stock_id: int) -> ResponseReturnValue:
    return _page(stock_for(the_user(), stock_id), StockOutForm(formdata=None, data={"happened_on": today()}))


@views.post("/stock/<int:stock_id>/out")
@allow(RoleName.PRODUCER)
@makes_once
def take_out(stock_id: int) -> ResponseReturnValue:
    form = StockOutForm()
    form.quantity.unit = _own(stock_id).unit
    if form.validate():
        with form.refusals(quantity=stock.MoreThanInStock), transaction():
            lot = _own(stock_id)
            stock.take_out(the_user(), lot, form.facts, balances([lot])[lot.id].left)
        if not form.errors:
            flash(_("已记下出库。"))
            return redirect(url_for("stock.show", stock_id=stock_id))
    return _page(_own(stock_id), form)


def _own(stock_id: int) -> StockLot:
    lot = stock_for(the_user(), stock_id)
    if lot.producer_id != the_user().organisation_id:
        raise NotFound
    return lot


def _page(lot: StockLot, form: StockOutForm) -> ResponseReturnValue:
    page = render_template(
        "stock/show.html",
        lot=lot,
        balance=balances([lot])[lot.id],
        form=form,
        touches=touched_by(the_user(), stock=lot),
        own=the_user().organisation_id == lot.producer_id,
        today=today(),
    )
    return page, status_of(form)


@views.get("/stock/trace")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def trace_input() -> ResponseReturnValue:
    """Every lot that an input touched: by its name, lot number, registration number or active ingredient."""
    form = InputSearchForm(request.args)
    search = " ".join((form.q.data or "").split())[:60]
    touches = touched_by(the_user(), search=search) if search else []
    lots = {touch.batch.id: touch.batch for touch in touches}
    return render_template(
        "stock/trace.html",
        form=form,
        search=search,
        touches=touches,
        lot_count=len(lots),
        own=the_user().role is RoleName.PRODUCER,
    )
