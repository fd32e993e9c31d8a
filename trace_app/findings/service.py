"""Keeping findings with their history, waiving them, and asking for those that matter to someone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, division_prefix, may_see, visible_to, within_jurisdiction
from trace_app.accounts.models import Organisation, OrganisationKind, User
from trace_app.batches.freshness import shown_on_trace_pages
from trace_app.batches.models import Batch, BatchStatus
from trace_app.batches.service import has_number, no_use_meanwhile
from trace_app.db.base import utc_now
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.findings.models import Finding, Waiver
from trace_app.findings.rules import RULES, Found
from trace_app.findings.texts import message_about
from trace_app.messages.models import Channel, Delivery, Severity
from trace_app.values import Facts, JsonObject

WEIGHT = {Severity.INFO: 0, Severity.WARN: 1, Severity.BLOCK: 2}


shown_on_trace_pages(
    Waiver, lambda waiver: Batch.id.in_(sa.select(Finding.batch_id).where(Finding.id == waiver.finding_id))
)


shown_on_trace_pages(
    Finding, lambda finding: Batch.id == finding.batch_id if finding.waiver is not None else sa.false()
)


class NothingToWaive(Problem):
    """Only what stops a release can be waived."""

    title = _("这一项现在不阻止放行或销售，不需要准予。")


class NotTheRegulator(Problem):
    """A waiver needs the regulator of the place."""

    status = 403
    title = _("只有辖区内的主管部门可以准予放行或处理预警。")


_lifts: list[Callable[[User, Batch, str], None]] = []


def lifts_holds(lift: Callable[[User, Batch, str], None]) -> None:
    """Have a feature above let a lot go on sale again where an authority has waived all that stopped it."""
    _lifts.append(lift)


def plain_facts(found: Found) -> Facts:
    """What a rule found as values of JSON, as a finding keeps them."""
    return {name: v if isinstance(v, int | float | dict) else str(v) for name, v in found.facts.items()}


def reconcile(
    found: Sequence[Found],
    *,
    producer_id: int,
    division_code: str,
    batch: Batch | None = None,
    certificate_id: int | None = None,
) -> None:
    """Bring the findings of a lot, or of a certificate, in line with what the rules say now.

    What is new is added, and told of; what no longer holds is marked as gone; what stays, stays. A waiver is good for
    the facts it was given for: where they change, what was waived is gone and found anew.
    """
    subject = Finding.batch_id == batch.id if batch is not None else Finding.certificate_id == certificate_id
    standing = {
        (row.rule, row.key): row
        for row in db.session.scalars(db.select(Finding).where(subject, Finding.gone_at.is_(None)))
    }
    now = utc_now()
    for one in found:
        row = standing.pop((one.rule, one.key), None)
        facts = plain_facts(one)
        if row is not None and row.severity is one.severity:
            if row.waiver is None:
                if row.facts != facts or row.record_ids != list(one.record_ids):
                    row.facts, row.record_ids = facts, list(one.record_ids)
                continue
            if row.waiver.facts == facts:
                continue
        if row is not None:
            row.gone_at = now
            db.session.flush()
        new = Finding(
            rule=one.rule,
            key=one.key,
            severity=one.severity,
            facts=facts,
            record_ids=list(one.record_ids),
            producer_id=producer_id,
            division_code=division_code,
            batch_id=batch.id if batch is not None else None,
            certificate_id=certificate_id,
            found_at=now,
        )
        db.session.add(new)
        db.session.flush()
        if _worth_telling(new, batch):
            _tell(new)
    for row in standing.values():
        row.gone_at = now
    db.session.flush()


def _worth_telling(finding: Finding, batch: Batch | None) -> bool:
    """Whether someone is told. What is still missing in a lot that is being made goes to the to-do list alone."""
    if batch is None or batch.status is not BatchStatus.DRAFT or RULES[finding.rule].tell_always:
        return finding.severity is not Severity.INFO
    return finding.severity is Severity.BLOCK and not RULES[finding.rule].to_do


def _tell(finding: Finding) -> None:
    """Queue a finding for every channel that asks for it: the producer's, and its regulators'."""
    query = (
        db.select(Channel)
        .join(Channel.organisation)
        .where(
            Channel.active,
            sa.or_(
                Channel.organisation_id == finding.producer_id,
                sa.and_(Organisation.kind == OrganisationKind.REGULATOR, Organisation.jurisdiction_code.is_not(None)),
            ),
        )
        .options(joinedload(Channel.organisation))
    )
    message: JsonObject | None = None
    for channel in db.session.scalars(query):
        place = channel.organisation.jurisdiction_code
        near = channel.organisation_id == finding.producer_id or (
            place is not None and finding.division_code.startswith(division_prefix(place))
        )
        if near and WEIGHT[finding.severity] >= WEIGHT[channel.least_severity]:
            message = message or message_about(finding)
            db.session.add(Delivery(finding_id=finding.id, message=message, channel_id=channel.id))


def standing(batch: Batch) -> list[Finding]:
    """What holds of a lot now, the gravest first."""
    query = (
        db.select(Finding)
        .where(Finding.batch_id == batch.id, Finding.gone_at.is_(None))
        .options(joinedload(Finding.waiver).joinedload(Waiver.authority))
        .order_by(Finding.id)
    )
    return sorted(db.session.scalars(query), key=lambda row: -WEIGHT[row.severity])


def gone(batch: Batch) -> list[Finding]:
    """What once held of a lot, the latest first."""
    query = (
        db.select(Finding)
        .where(Finding.batch_id == batch.id, Finding.gone_at.is_not(None))
        .order_by(Finding.gone_at.desc(), Finding.id.desc())
        .limit(50)
    )
    return list(db.session.scalars(query))


def waivers_of(batch: Batch) -> list[Waiver]:
    """The waivers of a lot whose findings still hold, for its trace page."""
    query = (
        db.select(Waiver)
        .join(Waiver.finding)
        .where(Finding.batch_id == batch.id, Finding.gone_at.is_(None))
        .options(joinedload(Waiver.finding), joinedload(Waiver.authority))
        .order_by(Waiver.id)
    )
    return list(db.session.scalars(query))


def finding_for(user: User, finding_id: int) -> Finding:
    """A finding that the user may see.

    :raises NotFound:
    """
    finding = db.session.get(Finding, finding_id)
    if finding is None or not may_see(user, finding.producer_id, finding.division_code):
        raise NotFound
    return finding


def waive(user: User, finding: Finding, reason: str) -> Waiver:
    """Let a lot be released in spite of a finding; or sold on, where it was released and its sale stopped for it.

    :raises NotTheRegulator, NothingToWaive:
    """
    if not within_jurisdiction(user, finding.division_code):
        raise NotTheRegulator
    if finding.lot_is_out:
        no_use_meanwhile()
    db.session.refresh(finding, with_for_update={"of": Finding, "key_share": True})
    if not finding.stops_release:
        raise NothingToWaive
    waiver = Waiver(
        finding_id=finding.id,
        authority_id=user.organisation_id,
        facts=dict(finding.facts),
        reason=reason,
        created_by_id=user.id,
    )
    db.session.add(waiver)
    db.session.flush()
    audit.note(user, "waive", finding, rule=finding.rule, batch=finding.batch_id, reason=reason)
    if finding.batch is not None and finding.lot_is_out:
        db.session.refresh(finding, ["waiver"])
        if not any(row.stops_release for row in standing(finding.batch)):
            for lift in _lifts:
                lift(user, finding.batch, reason)
    return waiver


def handle(user: User, finding: Finding, note: str) -> None:
    """Note what a regulator did about a finding.

    :raises NotTheRegulator:
    """
    if not within_jurisdiction(user, finding.division_code):
        raise NotTheRegulator
    finding.handled_at, finding.handled_by_id, finding.handled_note = utc_now(), user.id, note
    audit.note(user, "handle", finding, note=note)


def findings_seen(
    user: User,
    *,
    severity: str = "",
    rule: str = "",
    kind_code: str = "",
    division: str = "",
    state: str = "open",
) -> sa.Select[Finding]:
    """The findings that a user may see, in no order.

    :param division: a division's code; with all below it.
    :param severity: one, ``all``, or empty for all but hints.
    :param state: ``open`` (holds, not handled), ``handled``, ``gone``, or empty for all.
    """
    query = (
        sa.select(Finding)
        .outerjoin(Finding.batch)
        .where(visible_to(user, Finding.producer_id, Finding.division_code), _matters_to_regulators())
    )
    if severity in set(Severity):
        query = query.where(Finding.severity == Severity(severity))
    elif not severity:
        query = query.where(Finding.severity != Severity.INFO)
    if rule:
        query = query.where(Finding.rule == rule)
    if kind_code:
        query = query.where(Batch.product.has(kind_code=kind_code))
    if division:
        query = query.where(Finding.division_code.startswith(division_prefix(division), autoescape=True))
    if state == "open":
        query = query.where(Finding.gone_at.is_(None), Finding.handled_at.is_(None))
    elif state == "handled":
        query = query.where(Finding.handled_at.is_not(None))
    elif state == "gone":
        query = query.where(Finding.gone_at.is_not(None))
    return query


SHOWN = (
    joinedload(Finding.batch).joinedload(Batch.product),
    joinedload(Finding.producer),
    joinedload(Finding.division),
    joinedload(Finding.waiver),
)
"""What a list shows of findings."""


def open_counts(user: User) -> dict[Severity, int]:
    """How many findings that matter to a user hold and were not handled, by severity."""
    query = (
        db.select(Finding.severity, sa.func.count())
        .outerjoin(Finding.batch)
        .where(
            visible_to(user, Finding.producer_id, Finding.division_code),
            Finding.gone_at.is_(None),
            Finding.handled_at.is_(None),
            _matters_to_regulators(),
        )
        .group_by(Finding.severity)
    )
    return {row[0]: row[1] for row in db.session.execute(query)}


def _matters_to_regulators() -> sa.ColumnElement[bool]:
    """What only the producer has to complete, in a lot still being made, is not their concern."""
    own_business = [code for code, rule in RULES.items() if rule.to_do]
    return sa.or_(Finding.rule.not_in(own_business), Finding.batch_id.is_(None), Batch.status != BatchStatus.DRAFT)


def stands() -> sa.ColumnElement[bool]:
    """The condition on `Finding` that it holds, and no authority has let it pass."""
    return sa.and_(Finding.gone_at.is_(None), ~sa.exists().where(Waiver.finding_id == Finding.id).correlate(Finding))


def to_do(user: User, search: str = "") -> sa.Select[Finding]:
    """What a producer has to do about lots that are not closed, and certificates, in no order.

    :param search: part of a lot number.
    """
    query = (
        sa.select(Finding)
        .outerjoin(Finding.batch)
        .where(
            Finding.producer_id == user.organisation_id,
            stands(),
            Finding.severity != Severity.INFO,
            sa.or_(Finding.batch_id.is_(None), Batch.status != BatchStatus.CLOSED),
        )
    )
    return query.where(has_number(search)) if search else query
