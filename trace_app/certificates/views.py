"""Certificates that producers hold, and the commitment certificates that they give out."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.attachments import attachment
from trace_app.body_limits import takes_uploads
from trace_app.catalogue.service import all_products_of
from trace_app.certificates import collecting, commitments, service
from trace_app.certificates.columns import CERTIFICATES, CERTIFICATES_OF_ALL
from trace_app.certificates.forms import (
    CertificateForm,
    CollectForeignForm,
    CollectForm,
    CommitmentForm,
    WithdrawCommitmentForm,
)
from trace_app.certificates.tested import untested
from trace_app.certificates.texts import certificate_label
from trace_app.db.session import transaction
from trace_app.errors import Problem
from trace_app.flow.shipments import service as shipping
from trace_app.flow.shipments.models import Shipment
from trace_app.forms import plain_decimal
from trace_app.lists import typed_search
from trace_app.media.service import stored_photos
from trace_app.sent_once import makes_once
from trace_app.templating import status_of

views = Blueprint("certificates", __name__)
ISSUERS = (RoleName.PRODUCER, RoleName.BUYER)
_NOT_TAKEN = (
    collecting.NoSuchCertificate,
    collecting.OfAnotherLot,
    collecting.NoLongerInForce,
    collecting.OfRecalledLot,
    collecting.CollectedBefore,
)
_REFUSALS: dict[str, tuple[type[Problem], ...]] = {
    "quantity": (commitments.MoreThanTheLot, commitments.MustBeTheWholeLot),
    "bases": (commitments.NotABasis, commitments.NoneKept, commitments.NoTestBehindIt, commitments.NotAllTested),
}
views.add_app_template_filter(certificate_label)


@views.route("/certificates", methods=["GET", "POST"])
@allow(RoleName.PRODUCER, *SUPERVISORS)
@takes_uploads
@makes_once
def index() -> ResponseReturnValue:
    own = the_user().role is RoleName.PRODUCER
    form = CertificateForm(products=all_products_of(the_user().organisation) if own else ())
    if own and form.validate_on_submit():
        with form.refusals(number=service.CertificateKnown), transaction():
            service.add_certificate(the_user(), form.certificate_facts, form.pdf.opened)
        if not form.errors:
            flash(_("证书已登记。到期前会提醒您。"))
            return redirect(url_for("certificates.index"))
    search = typed_search()
    shape = CERTIFICATES if own else CERTIFICATES_OF_ALL
    listing = shape.asked(service.certificates_seen(the_user(), search), {"q": search})
    if (file := listing.file()) is not None:
        return file
    page = render_template("certificates/index.html", form=form, listing=listing, own=own)
    return page, status_of(form) if own else 200


@views.get("/certificates/<int:certificate_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def show(certificate_id: int) -> ResponseReturnValue:
    row = service.certificate_for(the_user(), certificate_id)
    own = the_user().role is RoleName.PRODUCER
    return render_template("certificates/show.html", row=row, own=own)


@views.post("/certificates/<int:certificate_id>/withdraw")
@allow(RoleName.PRODUCER)
def withdraw(certificate_id: int) -> ResponseReturnValue:
    with transaction():
        service.withdraw_certificate(the_user(), certificate_id)
    flash(_("证书已撤下。"))
    return redirect(url_for("certificates.index"))


@views.route("/batches/<int:batch_id>/commitments", methods=["GET", "POST"])
@allow(*ISSUERS)
@makes_once
def commit(batch_id: int) -> ResponseReturnValue:
    """Give out a commitment certificate for a lot or a part of it."""
    batch = commitments.lot_to_certify(the_user(), batch_id)
    offer = commitments.offer_for(the_user().organisation, batch)
    whole = plain_decimal(offer.left) if offer.per_batch and offer.left else None
    form = CommitmentForm(sample=offer.sample, data={"quantity": whole})
    form.quantity.unit = batch.unit
    if form.validate_on_submit():
        with form.refusals(**_REFUSALS), transaction():
            row = commitments.issue_commitment(
                the_user(),
                commitments.lot_to_certify(the_user(), batch_id),
                quantity=form.quantity.data,
                bases=form.bases.data or [],
                consignee=form.consignee.data or "",
            )
        if not form.errors:
            flash(_("合格证 %(number)s 已开具，可以下载打印。", number=row.number))
            return redirect(url_for("certificates.commit", batch_id=batch_id))
    return _commitments(batch_id, form)


def _commitments(
    batch_id: int, form: CommitmentForm, refused: WithdrawCommitmentForm | None = None
) -> ResponseReturnValue:
    """:param refused: the form that would have withdrawn one of them."""
    batch = commitments.lot_to_certify(the_user(), batch_id)
    page = render_template(
        "certificates/commitments.html",
        form=form,
        batch=batch,
        own=batch.producer_id == the_user().organisation_id,
        rows=commitments.commitments_of(batch, the_user().organisation_id),
        questioned={row.id for row in commitments.in_question(batch)},
        offer=commitments.offer_for(the_user().organisation, batch),
        untested=untested(batch),
        refused=refused,
    )
    return page, status_of(refused or form)


@views.get("/commitments/<int:commitment_id>.pdf")
@allow(*ISSUERS, *SUPERVISORS)
def commitment(commitment_id: int) -> ResponseReturnValue:
    from trace_app.certificates.commitment_pdf import commitment_pdf

    row = commitments.commitment_for(the_user(), commitment_id)
    return attachment(commitment_pdf(row), f"{row.number}.pdf", "application/pdf")


@views.post("/commitments/<int:commitment_id>/withdraw")
@allow(*ISSUERS)
def withdraw_commitment(commitment_id: int) -> ResponseReturnValue:
    form = WithdrawCommitmentForm()
    row = commitments.commitment_for(the_user(), commitment_id)
    if form.validate():
        with form.refusals(), transaction():
            row = commitments.commitment_for(the_user(), commitment_id)
            commitments.withdraw_commitment(the_user(), row, form.reason.data)
        if not form.errors:
            flash(_("合格证 %(number)s 已作废。", number=row.number))
            return redirect(url_for("certificates.commit", batch_id=row.batch_id))
    offer = commitments.offer_for(the_user().organisation, row.batch)
    blank = CommitmentForm(formdata=None, sample=offer.sample)
    return _commitments(row.batch_id, blank, form.apart(f"row-{commitment_id}"))


@views.get("/shipments/<int:shipment_id>/commitments")
@allow(*ISSUERS, *SUPERVISORS)
def collected(shipment_id: int) -> ResponseReturnValue:
    """The certificates that came with a shipment, and that its consignee keeps."""
    return _collected(shipment_id)


@views.post("/shipments/<int:shipment_id>/commitments")
@allow(*ISSUERS)
def collect(shipment_id: int) -> ResponseReturnValue:
    """Keep a certificate of the platform's."""
    form = CollectForm()
    if form.validate():
        with form.refusals(text=_NOT_TAKEN), transaction():
            shipment = shipping.shipment_for(the_user(), shipment_id)
            row = collecting.collect(the_user(), shipment, form.text.data)
        if not form.errors:
            flash(_("已收存合格证 %(number)s。", number=row.number))
            return redirect(url_for("certificates.collected", shipment_id=shipment_id))
    return _collected(shipment_id, form=form)


@views.post("/shipments/<int:shipment_id>/commitments/foreign")
@allow(*ISSUERS)
@takes_uploads
@makes_once
def collect_foreign(shipment_id: int) -> ResponseReturnValue:
    """Keep a certificate that was made elsewhere."""
    form = CollectForeignForm(lines=_lines(shipping.shipment_for(the_user(), shipment_id)))
    if form.validate():
        with (
            form.refusals(number=collecting.CollectedBefore),
            stored_photos(form.photos.cleaned) as photos,
            transaction(),
        ):
            shipment = shipping.shipment_for(the_user(), shipment_id)
            facts = (form.line_id.data, form.number.data, form.issuer.data, form.issued_on.data, photos)
            row = collecting.collect_foreign(the_user(), shipment, *facts)
        if not form.errors:
            flash(_("已收存合格证 %(number)s。", number=row.number))
            return redirect(url_for("certificates.collected", shipment_id=shipment_id))
    return _collected(shipment_id, foreign=form)


def _lines(shipment: Shipment) -> list[tuple[int, str]]:
    return [(line.id, line.batch.lot_number) for line in shipment.lines]


def _collected(
    shipment_id: int, form: CollectForm | None = None, foreign: CollectForeignForm | None = None
) -> ResponseReturnValue:
    """:param form: the form that was refused, as ``foreign`` is."""
    shipment = shipping.shipment_for(the_user(), shipment_id)
    page = render_template(
        "certificates/collected.html",
        shipment=shipment,
        lines=collecting.collected_of(shipment),
        may_collect=shipment.consignee_organisation_id == the_user().organisation_id and shipment.withdrawn_at is None,
        form=form or CollectForm(formdata=None),
        foreign=foreign or CollectForeignForm(formdata=None, lines=_lines(shipment)),
    )
    return page, status_of(form or foreign or CollectForm(formdata=None))
