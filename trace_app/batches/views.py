"""Batches: list, one batch with its records and labels, registering, editing, correcting, closing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts import audit
from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import AuditEvent, RoleName
from trace_app.arrivals.service import waiting_for
from trace_app.batches import service
from trace_app.batches.columns import LOTS, LOTS_OF_ALL
from trace_app.batches.forms import STATES, BatchForm, CorrectionForm, FirstLotForm, SearchForm
from trace_app.batches.models import Batch
from trace_app.batches.texts import RevisionChanges, changes_of
from trace_app.catalogue import service as catalogue
from trace_app.certificates.commitments import commitments_of
from trace_app.certificates.models import CommitmentCertificate
from trace_app.certificates.service import certificates_shown
from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.errors import Problem
from trace_app.findings import service as findings
from trace_app.findings.models import Finding
from trace_app.flow.ledger.service import LessThanGone, UnitInUse
from trace_app.labels.amounts import LabelRoom, label_room
from trace_app.laboratory.reports import tests_of
from trace_app.lists import PER_PAGE
from trace_app.recalls.models import Recall
from trace_app.recalls.published import stops_of
from trace_app.recalls.service import open_to
from trace_app.records import service as records
from trace_app.records.harvests import harvested, shared_harvests
from trace_app.records.intervals import Interval, intervals
from trace_app.records.models import Record
from trace_app.release.service import ReleaseBlocked, checked_batch, release_batch
from trace_app.sent_once import makes_once
from trace_app.templating import register_words, status_of
from trace_app.values import Facts
from trace_app.weighings.service import QuantityWeighed, Suppliers, UnitWeighed, suppliers_of
from trace_app.whole_numbers import row_number

views = Blueprint("batches", __name__)


register_words(views, batch_state=STATES)


@views.get("/batches")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def index() -> ResponseReturnValue:
    form = SearchForm(request.args)
    filters = {name: request.args.get(name, "") for name in ("q", "state", "kind")}
    shape = LOTS if the_user().role is RoleName.PRODUCER else LOTS_OF_ALL
    listing = shape.asked(service.batches_seen(the_user(), **form.wished), filters)
    return listing.file() or render_template("batches/index.html", form=form, listing=listing)


OF_THE_LIST = ("q", "state", "kind", "sort", "before", "after")
"""What an address says of the list of lots."""


@views.post("/batches/chosen/release", defaults={"action": "release"})
@views.post("/batches/chosen/close", defaults={"action": "close"})
@allow(RoleName.PRODUCER)
def chosen(action: str) -> ResponseReturnValue:
    """Release or close the lots that were chosen in the list, each by itself."""
    do, done = {
        "release": (release_batch, _("已放行：%(lots)s")),
        "close": (service.close_batch, _("已结束：%(lots)s")),
    }[action]
    good, told = [], []
    for batch_id in dict.fromkeys(request.form.getlist("ids", type=row_number)[:PER_PAGE]):
        number = service.own_batch(the_user(), batch_id).lot_number
        try:
            with transaction():
                do(the_user(), service.own_batch(the_user(), batch_id))
            good.append(number)
        except Problem as problem:
            told.append(problem.message)
    if good:
        flash(str(done) % {"lots": "、".join(good)})
    for message in told:
        flash(message, "warning")
    if not good and not told:
        flash(_("请先在列表里选择批次。"), "warning")
    # Back to the page of the list that they were chosen on.
    where = parse_qs(request.form.get("where", "")[:1000])
    values: Facts = {name: where[name] for name in OF_THE_LIST if name in where}
    return redirect(url_for("batches.index", **values))


@views.route("/batches/new", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
@makes_once
def new() -> ResponseReturnValue:
    user = the_user()
    suggestion: Facts = {}
    if request.method == "GET":
        suggestion = {"lot_number": service.suggested_lot_number(user, today())}
        if (copied := request.args.get("like", type=row_number)) is not None:
            suggestion |= service.facts_like(user, copied)
    form = BatchForm(user=user, data=suggestion)
    if form.lacks:
        return _first_lot(suggestion)
    if form.validate_on_submit():
        with form.refusals(lot_number=service.LotNumberTaken), transaction():
            batch = service.register_batch(the_user(), form.batch_facts)
        if not form.errors:
            flash(_("批次已登记。接着记录生产过程，放行后就能打印标签。"))
            return redirect(url_for("batches.show", batch_id=batch.id))
    return render_template("batches/form.html", form=form, batch=None), status_of(form)


def _first_lot(suggestion: Facts) -> ResponseReturnValue:
    """The form of who is new: product, site and lot, all or nothing."""
    place = the_user().organisation.division_code
    form = FirstLotForm(user=the_user(), data=suggestion | ({"division_code": place} if suggestion else {}))
    if form.validate_on_submit():
        with form.refusals(lot_number=service.LotNumberTaken), transaction():
            product = catalogue.save_product(the_user(), None, **facts) if (facts := form.new_product) else None
            site = catalogue.save_site(the_user(), None, **facts) if (facts := form.new_site) else None
            batch = service.register_batch(the_user(), form.facts_with(product, site))
        if not form.errors:
            flash(_("产品、基地和批次已登记。接着记录生产过程，放行后就能打印标签。"))
            return redirect(url_for("batches.show", batch_id=batch.id))
    return render_template("batches/first.html", form=form), status_of(form)


@views.route("/batches/<int:batch_id>/edit", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def edit(batch_id: int) -> ResponseReturnValue:
    batch = service.own_batch(the_user(), batch_id)
    form = BatchForm(user=the_user(), obj=batch)
    if request.method == "GET" and request.args.get("of") == "harvest":
        form.quantity.data = harvested(batch, records.in_force(records.records_of(batch))) or batch.quantity
    if form.validate_on_submit():
        with (
            form.refusals(
                lot_number=service.LotNumberTaken,
                quantity=(LessThanGone, QuantityWeighed),
                unit=(UnitInUse, UnitWeighed),
            ),
            transaction(),
        ):
            service.edit_batch(the_user(), service.own_batch(the_user(), batch_id), form.batch_facts)
        if not form.errors:
            flash(_("已保存。"))
            return redirect(url_for("batches.show", batch_id=batch_id))
    return render_template("batches/form.html", form=form, batch=batch), status_of(form)


@views.route("/batches/<int:batch_id>/correct", methods=["GET", "POST"])
@allow(RoleName.PRODUCER)
def correct(batch_id: int) -> ResponseReturnValue:
    batch = service.own_batch(the_user(), batch_id)
    if request.method == "GET" and batch.recalled:
        raise service.UnderRecall(batch)
    form = CorrectionForm(user=the_user(), obj=batch)
    if form.validate_on_submit():
        with (
            form.refusals(
                lot_number=(service.LotNumberTaken, service.NumberOnLabels),
                product_id=service.ProductOnLabels,
                produced_on=service.NotReadyForRelease,
                quantity=(LessThanGone, QuantityWeighed),
                unit=(UnitInUse, UnitWeighed),
            ),
            transaction(),
        ):
            service.correct_batch(
                the_user(), service.own_batch(the_user(), batch_id), form.batch_facts, form.reason.data or ""
            )
        if not form.errors:
            flash(_("更正已登记为新版本，原内容保留。"))
            return redirect(url_for("batches.show", batch_id=batch_id))
    return render_template("batches/form.html", form=form, batch=batch, correcting=True), status_of(form)


@views.post("/batches/<int:batch_id>/close")
@allow(RoleName.PRODUCER)
def close(batch_id: int) -> ResponseReturnValue:
    with transaction():
        service.close_batch(the_user(), service.own_batch(the_user(), batch_id))
    flash(_("批次已结束。追溯页继续保留。"))
    return redirect(url_for("batches.show", batch_id=batch_id))


@dataclass(frozen=True)
class LotPage:
    """A lot's page, as its producer or a supervisor sees it."""

    batch: Batch
    own: bool
    problem: str | None
    """Why it was not released just now."""
    stops: Sequence[Recall]
    open_to_me: set[int]
    """The ids of those whose address shows a regulator something."""
    """The recalls and holds that it is or was in."""
    records: Sequence[Record]
    to_come: Mapping[int, int]
    """How many photos of a record are still in a phone, by the record's id."""
    intervals: Mapping[int, Interval]
    """How the interval after each use of an input was kept, by the record's id."""
    relied_on: Set[int]
    """The ids of records that can't be withdrawn, since a lot of theirs is out."""
    history: Sequence[AuditEvent]
    standing: Sequence[Finding]
    gone: Sequence[Finding]
    """What was found once and holds no more."""
    tests: Sequence[Any]
    certificates: Sequence[Any]
    commitments: Sequence[CommitmentCertificate]
    room: LabelRoom
    """How many labels there are, and for how many there are goods."""
    suppliers: Suppliers | None
    """Which households delivered to it."""
    harvested: Decimal | None
    """How much its harvest records say, where that is not what it is said to be."""
    harvested_together: Sequence[tuple[Record, Decimal]]
    """The harvests that it shares with other lots, with how much they all gave."""
    changes: Sequence[RevisionChanges]
    """What each version changed, the latest first."""

    @property
    def blocked(self) -> bool:
        return any(finding.stops_release for finding in self.standing)


@views.get("/batches/<int:batch_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def show(batch_id: int) -> ResponseReturnValue:
    return _batch_page(batch_id)


def _batch_page(batch_id: int, problem: str | None = None) -> str:
    row = checked_batch(the_user(), batch_id)
    shown = records.records_of(row)
    in_force = records.in_force(shown)
    lot = LotPage(
        batch=row,
        own=the_user().role is RoleName.PRODUCER,
        problem=problem,
        stops=(stops := stops_of(row.id)),
        open_to_me={recall.id for recall in stops if open_to(the_user(), recall)},
        records=shown,
        to_come=waiting_for("record_id", [record.id for record in shown]),
        relied_on=records.relied_on(shown),
        intervals=intervals(row, in_force),
        history=audit.history(row),
        standing=findings.standing(row),
        gone=findings.gone(row),
        tests=tests_of(row),
        certificates=certificates_shown(row),
        commitments=commitments_of(row),
        room=label_room(row),
        suppliers=suppliers_of(row.id),
        harvested=_harvested_otherwise(row, in_force),
        harvested_together=shared_harvests(row, in_force),
        changes=changes_of(row),
    )
    return render_template("batches/show.html", lot=lot)


def _harvested_otherwise(batch: Batch, shown: list[Record]) -> Decimal | None:
    amount = harvested(batch, shown)
    return amount if amount and amount != batch.quantity else None


@views.post("/batches/<int:batch_id>/release")
@allow(RoleName.PRODUCER)
def release(batch_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            release_batch(the_user(), service.own_batch(the_user(), batch_id))
    except ReleaseBlocked:
        return _batch_page(batch_id, str(_("还不能放行：请先处理下面标红的问题。"))), 409
    except service.NotReadyForRelease as problem:
        return _batch_page(batch_id, problem.message), problem.status
    flash(_("批次已放行，可以打印标签了。"))
    return redirect(url_for("batches.show", batch_id=batch_id))
