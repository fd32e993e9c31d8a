"""A lot's genealogy: picture and table, adding and withdrawing what it was made of."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from qr.codes import InvalidCode
from trace_app.accounts.access import SUPERVISORS, NotFound, allow, may_see, the_user
from trace_app.accounts.models import RoleName
from trace_app.batches import service as batches
from trace_app.batches.models import Batch
from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.flow.balance import balance_of, intake_of
from trace_app.flow.genealogy import service
from trace_app.flow.genealogy.forms import LinkForm
from trace_app.flow.genealogy.picture import NODE_HEIGHT, NODE_WIDTH, draw
from trace_app.flow.ledger.service import MoreThanLeft
from trace_app.flow.shipments import losses
from trace_app.flow.shipments.forms import LossForm, WithdrawShipmentForm
from trace_app.flow.shipments.models import LossKind
from trace_app.flow.shipments.service import shipments_of
from trace_app.labels.packing import code_from_scan
from trace_app.labels.service import label_of_code
from trace_app.sent_once import makes_once
from trace_app.templating import status_of

views = Blueprint("genealogy", __name__)


@views.get("/batches/<int:batch_id>/genealogy")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def show(batch_id: int) -> ResponseReturnValue:
    return _page(batch_id, None)


@views.post("/batches/<int:batch_id>/genealogy")
@allow(RoleName.PRODUCER)
@makes_once
def link(batch_id: int) -> ResponseReturnValue:
    form = _form(batches.own_batch(the_user(), batch_id), sent=True)
    form.quantity.unit = _unit_of_source(form)
    if form.validate():
        wrong_lot = (service.SameLot, service.CircularLink)
        with form.refusals(quantity=MoreThanLeft, source_id=wrong_lot, code=UnknownLot), transaction():
            service.link_lots(
                the_user(),
                _source(form),
                batches.own_batch(the_user(), batch_id),
                quantity=form.quantity.data,
                happened_on=form.happened_on.data,
                note=form.note.data or "",
            )
        if not form.errors:
            flash(_("已记下来源。"))
            return redirect(url_for("genealogy.show", batch_id=batch_id))
    return _page(batch_id, form)


@views.post("/genealogy/<int:link_id>/withdraw")
@allow(RoleName.PRODUCER)
def withdraw(link_id: int) -> ResponseReturnValue:
    form = WithdrawShipmentForm()
    batch_id = service.own_link(the_user(), link_id).target_id
    if form.validate():
        with form.refusals(), transaction():
            service.withdraw_link(the_user(), service.own_link(the_user(), link_id), form.reason.data)
        if not form.errors:
            flash(_("已撤销这条来源。"))
            return redirect(url_for("genealogy.show", batch_id=batch_id))
    return _page(batch_id, None, withdrawal=form.apart(f"link-{link_id}"))


@views.post("/batches/<int:batch_id>/lose")
@allow(RoleName.PRODUCER)
@makes_once
def lose(batch_id: int) -> ResponseReturnValue:
    form = LossForm()
    form.quantity.unit = batches.own_batch(the_user(), batch_id).unit
    if form.validate():
        with form.refusals(quantity=MoreThanLeft), transaction():
            batch = batches.own_batch(the_user(), batch_id)
            losses.lose(the_user(), batch, form.quantity.data, form.reason.data, LossKind(form.kind.data))
        if not form.errors:
            flash(_("已记下损耗。"))
            return redirect(url_for("genealogy.show", batch_id=batch_id))
    return _page(batch_id, None, loss_form=form)


@views.post("/losses/<int:loss_id>/withdraw")
@allow(RoleName.PRODUCER)
def withdraw_loss(loss_id: int) -> ResponseReturnValue:
    form = WithdrawShipmentForm()
    batch_id = losses.own_loss(the_user(), loss_id).batch_id
    if form.validate():
        with form.refusals(), transaction():
            losses.withdraw_loss(the_user(), losses.own_loss(the_user(), loss_id), form.reason.data)
        if not form.errors:
            flash(_("已撤销这条损耗。"))
            return redirect(url_for("genealogy.show", batch_id=batch_id))
    return _page(batch_id, None, withdrawal=form.apart(f"loss-{loss_id}"))


def _form(batch: Batch, *, sent: bool = False) -> LinkForm:
    """The form, empty or as it was sent: then it knows stopped lots as well, so that who chose one reads why it is
    refused.
    """
    lots = batches.find_batches(the_user(), per_page=100).items
    offered = [lot for lot in lots if lot.id != batch.id and (sent or not lot.stopped)]
    day = {"happened_on": today()}
    return LinkForm(lots=offered, data=day) if sent else LinkForm(formdata=None, lots=offered, data=day)


def _unit_of_source(form: LinkForm) -> str | None:
    """The unit in which the form's quantity is, where it is known which lot is meant."""
    if form.source_id.data is None and not (form.code.data or "").strip():
        return None
    try:
        return _source(form).unit
    except (UnknownLot, NotFound):
        return None


def _source(form: LinkForm) -> Batch:
    """The lot that is meant: by a label's code, which whoever holds the goods can read, else one's own."""
    typed = (form.code.data or "").strip()
    if not typed:
        return batches.own_batch(the_user(), form.source_id.data)
    try:
        return db.session.get_one(Batch, label_of_code(code_from_scan(typed)).batch_id)
    except InvalidCode as error:
        raise UnknownLot(code=typed[:40]) from error


class UnknownLot(Unprocessable):
    title = _("没有“%(code)s”这个追溯码，请对准标签再扫一次，或核对 13 位字符。")


def _page(
    batch_id: int,
    form: LinkForm | None,
    *,
    loss_form: LossForm | None = None,
    withdrawal: WithdrawShipmentForm | None = None,
) -> ResponseReturnValue:
    """:param withdrawal: that of one link or loss, which was refused."""
    batch = batches.batch_for(the_user(), batch_id)
    own = the_user().role is RoleName.PRODUCER
    found = service.genealogy(batch)
    page = render_template(
        "genealogy/show.html",
        batch=batch,
        found=found,
        picture=draw(found),
        sources=service.sources_of(batch),
        balance=balance_of(batch),
        intake=intake_of(batch),
        shipped=shipments_of(batch),
        losses=losses.losses_of(batch),
        loss_form=(loss_form or LossForm(formdata=None)).apart("loss"),
        refused=withdrawal,
        form=form or (_form(batch) if own else None),
        own=own,
        node_width=NODE_WIDTH,
        node_height=NODE_HEIGHT,
        today=today(),
        open_to_me=lambda lot: may_see(the_user(), lot.producer_id, lot.division_code),
    )
    sent = [one for one in (form, loss_form, withdrawal) if one is not None]
    return page, max(map(status_of, sent), default=200)
