"""Sending goods, confirming their receipt by link or code, and where a label has been."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, NotFound, acting_user, allow, may_see, public, the_user
from trace_app.accounts.models import RoleName, User
from trace_app.amounts_by_row import read_amounts
from trace_app.attachments import attachment
from trace_app.batches.models import Batch
from trace_app.body_limits import takes_uploads
from trace_app.certificates.collecting import LineCollected, collected_of
from trace_app.certificates.owed import resting_on_withdrawn, without_one
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db, limiter
from trace_app.flow.balance import holdings_of
from trace_app.flow.shipments import receiving, returns
from trace_app.flow.shipments import service as shipping
from trace_app.flow.shipments.columns import CONSIGNEES, SHIPMENTS
from trace_app.flow.shipments.forms import (
    LOSS_KINDS,
    ReceiptCodeForm,
    ReceiptForm,
    ReturnForm,
    ShipmentForm,
    TemperatureForm,
    WithdrawShipmentForm,
)
from trace_app.flow.shipments.models import Shipment, ShipmentLine
from trace_app.forms import Form, plain_decimal
from trace_app.labels.packing import LabelIsVoid, NoSuchLabel, label_from_scan
from trace_app.lists import typed_search
from trace_app.media.service import MAX_PHOTOS, StoredPhoto, TooManyPhotos, stored_photos
from trace_app.records.series import read_logger
from trace_app.sent_once import makes_once
from trace_app.settings import address_of
from trace_app.templating import register_words, status_of
from trace_app.uploads import upload
from trace_app.values import Facts
from trace_app.whole_numbers import row_number

views = Blueprint("shipments", __name__)
register_words(views, loss_kind=LOSS_KINDS)
PARTIES = (RoleName.PRODUCER, RoleName.BUYER)
_REFUSALS: dict[str, type[Problem] | tuple[type[Problem], ...]] = {
    "codes": (NoSuchLabel, LabelIsVoid, shipping.AlreadySent),
    "photos": TooManyPhotos,
    "organisation": shipping.NotOnThePlatform,
    "phone": shipping.WhichOfThem,
}
_OF_RECEIPTS: dict[str, type[Problem] | tuple[type[Problem], ...]] = {
    "note": receiving.DifferenceNeedsNote,
    "received_at": receiving.ReceivedBeforeSent,
    "rest": receiving.RestUnknown,
}
MOST_REASON = 200


class SignInToConfirm(Unprocessable):
    """Goods come into a balance, or leave it, by the word of whose balance it is."""

    title = _("这由%(name)s登录后办理。请先登录。")


class SenderDoesNotConfirm(Unprocessable):
    """Who sent goods does not say for who is on the platform that they came, or that they did not."""

    title = _("收没收到由%(name)s登录后确认，发货方不能代办。")


@dataclass(frozen=True)
class ShipmentPage:
    """One shipment's page, as the sender, the consignee or a supervisor sees it."""

    shipment: Shipment
    viewer: User
    withdraw_form: Form
    temperature_form: Form

    @property
    def mine(self) -> bool:
        """Whether the viewer's organisation sent it."""
        return self.viewer.organisation_id == self.shipment.sender_id

    @property
    def to_me(self) -> bool:
        return self.viewer.organisation_id == self.shipment.consignee_organisation_id

    @property
    def certificates(self) -> list[LineCollected]:
        """What who was sent it keeps of its certificates, line by line."""
        first_way = self.shipment.returns_id is None and self.shipment.withdrawn_at is None
        return collected_of(self.shipment) if self.to_me and first_way else []

    @property
    def may_withdraw(self) -> bool:
        """Whether it is in the viewer's hands to say that it never went."""
        keeper = self.shipment.sender_id or self.shipment.consignee_organisation_id
        return self.viewer.organisation_id == keeper and not self.shipment.receipts

    @property
    def may_return(self) -> bool:
        shipment = self.shipment
        theirs = self.to_me if shipment.consignee_organisation_id is not None else self.mine
        return theirs and shipment.returns_id is None and any(line.returnable for line in shipment.lines)

    @property
    def may_copy(self) -> bool:
        return self.mine and self.shipment.returns_id is None and self.viewer.role in PARTIES

    @property
    def may_note(self) -> bool:
        """Whether the viewer may note temperatures and withdraw."""
        return self.viewer.role in PARTIES

    def open_to_me(self, lot: Batch) -> bool:
        return may_see(self.viewer, lot.producer_id, lot.division_code)


@views.get("/shipments")
@allow(*PARTIES, *SUPERVISORS)
def index() -> ResponseReturnValue:
    search = typed_search()
    direction = request.args.get("direction", "")
    query = shipping.shipments_like(the_user(), search=search, direction=direction)
    listing = SHIPMENTS.asked(query, {"q": search, "direction": direction}, shipping.ways_seen_by(the_user()))
    if (file := listing.file()) is not None:
        return file
    coming_back = shipping.returns_to_confirm(the_user()) if the_user().role in PARTIES else []
    return render_template(
        "shipments/index.html", listing=listing, search=search, direction=direction, coming_back=coming_back
    )


@views.get("/shipments/consignees")
@allow(*PARTIES)
def consignees() -> ResponseReturnValue:
    """The address book."""
    search = typed_search()
    listing = CONSIGNEES.asked(shipping.own_consignees(the_user(), search), {"q": search})
    return listing.file() or render_template("shipments/consignees.html", listing=listing)


@views.route("/shipments/new", methods=["GET", "POST"])
@allow(*PARTIES)
@takes_uploads
@makes_once
def new() -> ResponseReturnValue:
    same: Facts = {}
    amounts: dict[int, Decimal] = {}
    if request.method == "GET" and (copied := request.args.get("like", type=row_number)) is not None:
        same, amounts = shipping.facts_like(the_user(), copied)
    form = ShipmentForm(data={"departed_at": utc_now(), **same})
    faults: dict[str, str] = {}
    if form.is_submitted():
        named = [int(row) for name in request.form if (row := name.removeprefix("q-")) != name and row.isdecimal()]
        units = shipping.units_of(named)
        quantities = read_amounts(request.form, "q-", units, faults, least=Decimal("0.001"))
        for lot_id, short in shipping.short_of(the_user(), quantities).items():
            faults[f"q-{lot_id}"] = short.message
        if form.validate() and not faults:
            with (
                form.refusals(**_REFUSALS),
                _beside_its_lot(faults),
                stored_photos(form.photos.cleaned) as photos,
                transaction(),
            ):
                shipment = _ship(form, quantities, photos)
            if not form.errors and not faults:
                flash(_("已登记发货。请打印发货单随货同行，收货方扫码或凭收货码确认。"))
                _tell_of_missing_certificates(shipment)
                return redirect(url_for("shipments.show", shipment_id=shipment.id))
    lots = shipping.lots_at_hand(the_user())
    uncertified = {lot.id for lot in without_one(lots, the_user().organisation_id)}
    questioned = {lot.id for lot in resting_on_withdrawn(lots, the_user().organisation_id)}
    wanted = request.args.get("batch", type=row_number)
    page = render_template(
        "shipments/ship.html",
        form=form,
        lots=sorted(lots, key=lambda lot: lot.id != wanted and lot.id not in amounts),
        faults=faults,
        uncertified=uncertified,
        questioned=questioned,
        held=holdings_of(lots, the_user().organisation_id),
        typed=request.form or {f"q-{lot}": plain_decimal(quantity) for lot, quantity in amounts.items()},
        wanted=wanted,
        consignees=shipping.consignees_of(the_user()),
        most_photos=MAX_PHOTOS,
    )
    return page, 422 if faults else status_of(form)


@contextmanager
def _beside_its_lot(faults: dict[str, str]) -> Iterator[None]:
    """Tell of a quantity that is wanting beside the lot that it is of, where the lot stands in the list."""
    try:
        yield
    except shipping.NeedsQuantity as problem:
        lot = next((lot for lot in shipping.lots_at_hand(the_user()) if lot.lot_number == problem.facts["lot"]), None)
        if lot is None:
            raise
        faults[f"q-{lot.id}"] = problem.message


def _tell_of_missing_certificates(shipment: Shipment) -> None:
    lots = without_one([line.batch for line in shipment.lines], the_user().organisation_id)
    if lots:
        numbers = "、".join(lot.lot_number for lot in lots)
        words = _("批次 %(lots)s 没有有效的承诺达标合格证。请开具后随货附上，或补给收货方。", lots=numbers)
        flash(words, "warning")
    questioned = resting_on_withdrawn([line.batch for line in shipment.lines], the_user().organisation_id)
    if questioned:
        numbers = "、".join(lot.lot_number for lot in questioned)
        words = _("批次 %(lots)s 的合格证所依据的已作废，待核实。请先收存供货方新开具的，再给收货方。", lots=numbers)
        flash(words, "warning")


def _ship(form: ShipmentForm, quantities: dict[int, Decimal], photos: Sequence[StoredPhoto]) -> Shipment:
    facts = form.facts
    labels = shipping.scanned(
        [line for line in (facts["codes"] or "").splitlines() if line.strip()][: shipping.MOST_CODES]
    )
    return shipping.ship(
        the_user(),
        shipping.ConsigneeFacts(
            facts["consignee"],
            phone=facts["phone"] or None,
            division_code=facts["division_code"],
            **{name: facts[name] or "" for name in ("email", "address", "organisation")},
        ),
        shipping.ShipmentFacts(
            departed_at=facts["departed_at"],
            least_celsius=float(facts["least_celsius"]) if facts["least_celsius"] is not None else None,
            most_celsius=float(facts["most_celsius"]) if facts["most_celsius"] is not None else None,
            **{
                name: facts[name] or ""
                for name in ("carrier", "vehicle", "driver", "driver_phone", "platform", "order_number", "note")
            },
        ),
        shipping.Load(quantities, labels),
        photos,
    )


@views.get("/shipments/<int:shipment_id>")
@allow(*PARTIES, *SUPERVISORS)
def show(shipment_id: int) -> ResponseReturnValue:
    return _page(shipment_id)


@views.post("/shipments/<int:shipment_id>/withdraw")
@allow(*PARTIES)
def withdraw(shipment_id: int) -> ResponseReturnValue:
    form = WithdrawShipmentForm()
    if form.validate():
        with form.refusals(), transaction():
            returns.withdraw(the_user(), shipping.own_shipment(the_user(), shipment_id), form.reason.data)
        if not form.errors:
            flash(_("已撤销发货单。"))
            return redirect(url_for("shipments.show", shipment_id=shipment_id))
    return _page(shipment_id, withdraw_form=form)


@views.post("/shipments/<int:shipment_id>/temperature")
@allow(*PARTIES)
@takes_uploads
@makes_once
def temperature(shipment_id: int) -> ResponseReturnValue:
    form = TemperatureForm()
    if form.validate():
        file = upload(form.file)
        with form.refusals():
            readings = read_logger(*file) if file else None
            with transaction():
                shipment = shipping.shipment_for(the_user(), shipment_id)
                if readings is not None:
                    shipping.note_logger(the_user(), shipment, readings)
                else:
                    shipping.note_temperature(the_user(), shipment, float(form.celsius.data), form.at.data)
        if not form.errors:
            flash(_("已记下温度。"))
            return redirect(url_for("shipments.show", shipment_id=shipment_id))
    return _page(shipment_id, temperature_form=form)


@views.get("/shipments/<int:shipment_id>/note.pdf")
@allow(*PARTIES)
def note(shipment_id: int) -> ResponseReturnValue:
    """The delivery note that goes with the goods."""
    shipment = shipping.own_shipment(the_user(), shipment_id)
    link = address_of("shipments.receive", code=shipment.receipt_code)
    # Here: what makes papers takes 13 MB, which most workers never need.
    from trace_app.flow.shipments.delivery_note import delivery_note

    return attachment(delivery_note(shipment, link), f"{shipment.number}.pdf", "application/pdf")


def _page(shipment_id: int, **forms: Form) -> ResponseReturnValue:
    offered = {
        "withdraw_form": WithdrawShipmentForm(formdata=None),
        "temperature_form": TemperatureForm(formdata=None, data={"at": utc_now()}),
    }
    view = ShipmentPage(shipping.shipment_for(the_user(), shipment_id), the_user(), **(offered | forms))
    page = render_template("shipments/show.html", view=view)
    return page, max(map(status_of, forms.values()), default=200)


@views.get("/receive")
@public
def receive_start() -> ResponseReturnValue:
    """A page to type the code, where the paper can't be scanned."""
    form = ReceiptCodeForm(formdata=None)
    typed = request.args.get("code", "").strip()
    if typed:
        try:
            code = shipping.shipment_by_code(typed).receipt_code
            return redirect(url_for("shipments.receive", code=code))
        except NotFound:
            form.code.data = typed[:60]
            form.refuse("code", str(_("没有这个收货码，请核对发货单上的 13 位字符。")))
    return render_template("shipments/receive_start.html", form=form), status_of(form)


@views.route("/receive/<code>", methods=["GET", "POST"])
@public
@limiter.limit("30/minute", methods=["POST"])
@makes_once
def receive(code: str) -> ResponseReturnValue:
    """The buyer says what arrived. Whoever has the code may, but for the sender: it is on the paper that came with the
    goods. That they did not come or were refused takes them from a balance: whose it is says so, signed in. What comes
    back is confirmed by who gets it, signed in."""
    shipment = shipping.shipment_by_code(code)
    form = ReceiptForm(data={"received_at": utc_now()})
    faults: dict[str, str] = {}
    if form.is_submitted():
        arrived = _arrived(shipment, faults)
        if form.validate() and not faults:
            with form.refusals(**_OF_RECEIPTS), transaction():
                shipment = shipping.shipment_by_code(code)
                user = acting_user()
                if _sent_to_another(user, shipment):
                    raise SenderDoesNotConfirm(name=shipment.consignee_name)
                denied = _denied(shipment, arrived, form.rest_is_missing)
                if not _may_receive(user, shipment) or (denied and not _may_deny(user, shipment)):
                    raise SignInToConfirm(name=shipment.consignee_name)
                receiving.receive(
                    shipment,
                    arrived,
                    received_at=form.received_at.data,
                    received_by=form.received_by.data,
                    note=form.note.data or "",
                    rest_is_missing=form.rest_is_missing,
                    user=user if _was_sent_to(user, shipment) else None,
                )
            if not form.errors:
                flash(_("已确认收货，谢谢。"))
                return redirect(url_for("shipments.receive", code=shipment.receipt_code))
            shipment = shipping.shipment_by_code(code)
    may_deny = _may_deny(acting_user(), shipment)
    if not may_deny:
        form.offer_what_came()
    page = render_template(
        "shipments/receive.html",
        shipment=shipment,
        certificates=_certificates_of(shipment),
        may_receive=_may_receive(acting_user(), shipment),
        may_deny=may_deny,
        may_return=_may_return(acting_user(), shipment),
        form=form,
        faults=faults,
        typed=request.form,
    )
    return page, 422 if faults else status_of(form)


def _arrived(shipment: Shipment, faults: dict[str, str]) -> dict[int, receiving.Arrived]:
    """What was typed of each line that is open; what was typed of none is a fault."""
    lines = [line for line in shipment.lines if line.open]
    units = {line.id: line.batch.unit for line in lines}
    came = read_amounts(request.form, "q-", units, faults)
    refused = read_amounts(request.form, "r-", units, faults) if shipment.returns_id is None else {}
    found = {}
    for line in lines:
        reason = " ".join(request.form.get(f"why-{line.id}", "").split())
        if len(reason) > MOST_REASON:
            faults[f"why-{line.id}"] = str(_("最多 %(max)d 个字。", max=MOST_REASON))
        elif refused.get(line.id) and not reason:
            faults[f"why-{line.id}"] = str(_("请写明为什么拒收。"))
        told = came.get(line.id, Decimal(0)) + refused.get(line.id, Decimal(0))
        if told > line.open:
            faults[f"q-{line.id}"] = receiving.too_much(line, refused.get(line.id, Decimal(0))).message
        if line.id not in came and line.id not in refused:
            faults.setdefault(f"q-{line.id}", str(_("请填写收到的数量，没收到的填 0。")))
        found[line.id] = receiving.Arrived(came.get(line.id, Decimal(0)), refused.get(line.id, Decimal(0)), reason)
    return found


@views.route("/receive/<code>/return", methods=["GET", "POST"])
@public
@limiter.limit("30/minute", methods=["POST"])
@makes_once
def send_back(code: str) -> ResponseReturnValue:
    """Goods go back to who sent them: who is on the platform says so signed in, others by the code."""
    shipment = shipping.shipment_by_code(code)
    form = ReturnForm(data={"departed_at": utc_now()})
    faults: dict[str, str] = {}
    if form.is_submitted():
        units = {line.id: line.batch.unit for line in shipment.lines}
        quantities = read_amounts(request.form, "q-", units, faults)
        if form.validate() and not faults:
            with form.refusals(departed_at=returns.ReturnedBeforeSent), transaction():
                shipment = shipping.shipment_by_code(code)
                user = acting_user()
                if not _may_return(user, shipment):
                    raise SignInToConfirm(name=shipment.consignee_name)
                way = returns.Way(
                    number=returns.number_of_return(shipment, form.departed_at.data),
                    departed_at=form.departed_at.data,
                    note=form.reason.data,
                    carrier=form.carrier.data or "",
                    vehicle=form.vehicle.data or "",
                )
                made = returns.send_back(user, shipment, quantities, way)
            if not form.errors:
                flash(_("已登记退货 %(number)s。%(to)s收到后会确认。", number=made.number, to=made.consignee_name))
                return redirect(url_for("shipments.receive", code=shipment.receipt_code))
            shipment = shipping.shipment_by_code(code)
    page = render_template(
        "shipments/return.html",
        shipment=shipment,
        may_return=_may_return(acting_user(), shipment),
        form=form,
        faults=faults,
        typed=request.form,
    )
    return page, 422 if faults else status_of(form)


def _may_receive(user: User | None, shipment: Shipment) -> bool:
    """What comes back is put into someone's balance: only that one says that it did."""
    if shipment.returns_id is not None:
        return _was_sent_to(user, shipment)
    return not _sent_to_another(user, shipment)


def _may_deny(user: User | None, shipment: Shipment) -> bool:
    """What did not come or is refused leaves the balance of a consignee on the platform: only that one says so."""
    return shipment.consignee_organisation_id is None or _was_sent_to(user, shipment)


def _denied(shipment: Shipment, arrived: dict[int, receiving.Arrived], rest_is_missing: bool | None) -> bool:
    """Whether it is said of some of the goods that they were refused, or do not come."""
    none = receiving.Arrived(Decimal(0))
    told = [(line.open, arrived.get(line.id, none)) for line in shipment.lines]
    return any(one.refused or (rest_is_missing and rest > one.quantity) for rest, one in told)


def _sent_to_another(user: User | None, shipment: Shipment) -> bool:
    """Whether the user's own organisation sent it, to another that is on the platform."""
    if user is None or shipment.consignee_organisation_id is None:
        return False
    return user.organisation_id == shipment.sender_id and not _was_sent_to(user, shipment)


def _may_return(user: User | None, shipment: Shipment) -> bool:
    """What goes back leaves a balance where the consignee is on the platform: only that one says so."""
    return shipment.consignee_organisation_id is None or _was_sent_to(user, shipment)


def _certificates_of(shipment: Shipment) -> list[LineCollected]:
    to_me = _was_sent_to(acting_user(), shipment)
    return collected_of(shipment) if to_me and shipment.returns_id is None else []


def _was_sent_to(user: User | None, shipment: Shipment) -> bool:
    return user is not None and user.organisation_id == shipment.consignee_organisation_id


@views.get("/journey")
@allow(*PARTIES, *SUPERVISORS)
def journey() -> ResponseReturnValue:
    """One step back and every step forward of a label that is in one's hands."""
    typed = request.args.get("code", "").strip()
    label = batch = problem = None
    lines: list[ShipmentLine] = []
    if typed:
        try:
            label = label_from_scan(typed)
            batch = db.session.get_one(Batch, label.batch_id)
            lines = shipping.journey_of(label)
        except NoSuchLabel as trouble:
            problem = trouble.message
    if label and batch and not _concerns(batch, lines):
        problem, label, lines = str(_("这个码的批次与您无关，看不到它的流向。")), None, []
    page = render_template(
        "shipments/journey.html", typed=typed, label=label, batch=batch, lines=lines, problem=problem
    )
    return page, 422 if problem else 200


def _concerns(batch: Batch, lines: list[ShipmentLine]) -> bool:
    user = the_user()
    ways = [line.shipment for line in lines]
    parties = {way.sender_id for way in ways} | {way.consignee_organisation_id for way in ways}
    return may_see(user, batch.producer_id, batch.division_code) or user.organisation_id in parties
