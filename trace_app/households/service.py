"""The register of a cooperative's households, what they agreed to, and which plots they till."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy.orm import aliased, joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, may_see
from trace_app.accounts.models import Organisation, RoleName, User
from trace_app.catalogue.models import Site
from trace_app.db.base import Id
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.households.models import Household, HouseholdConsent, SiteTenure
from trace_app.language import named
from trace_app.values import Facts

PER_PAGE = 50
LEAST_OF_A_PHONE = 4
"""Digits by which a telephone is looked for."""


class NumberOfAnother(Problem):
    title = _("编号“%(number)s”已是另一户的，请换一个。")


class HouseholdKnown(Problem):
    title = _("%(village)s已有一户“%(name)s”。如果是另一户，请给它们不同的编号。")


class NamesakeWithoutNumber(Problem):
    """Two of one name in a village are told apart by their numbers: each has one."""

    title = _("%(village)s已有一户“%(name)s”，还没有编号。如果是另一户，请先给那一户填上编号。")


class OlderThanTheLatest(Unprocessable):
    """What a household said later stands."""

    title = _("%(day)s 已另有说法，以后来说的为准。请核对日期。")


class DeliveredLater(Unprocessable):
    title = _("%(day)s 还有这一户的过磅，退社日期不能早于它。请核对日期，或先更正过磅。")


class ItsPlotAlready(Problem):
    title = _("“%(plot)s”这一天已是这一户耕种的，不用再登记。")


class LeftAndTillsNone(Problem):
    title = _("%(name)s已退社，不能再登记地块。需要时请先恢复社员。")


class NotItsPlot(Problem):
    title = _("这一天“%(plot)s”不是这一户耕种的。请核对日期。")


class HasLeft(Problem):
    """A household that has left delivers no more."""

    title = _("%(name)s已退社，不能再过磅。需要时请先在农户页恢复。")


def register(user: User, facts: Facts, sites: Iterable[Site] = (), begins_on: date | None = None) -> Household:
    """Enter a household of the user's own cooperative.

    :param sites: plots that it tills from a day on.
    :raises NumberOfAnother, HouseholdKnown, NamesakeWithoutNumber:
    """
    household = Household(producer_id=user.organisation_id, created_by_id=user.id)
    _state(household, facts)
    db.session.add(household)
    db.session.flush()
    audit.note(user, "register", household, number=household.number)
    if begins_on is not None:
        for site in sites:
            give_plot(user, household, site, begins_on)
    return household


def change(user: User, household: Household, facts: Facts) -> None:
    """State a household anew. The trail says what was changed, and not to what: that is the household's own affair.

    :raises NumberOfAnother, HouseholdKnown, NamesakeWithoutNumber:
    """
    changed = [name for name, value in facts.items() if getattr(household, name) != value]
    _state(household, facts)
    db.session.flush()
    audit.note(user, "change", household, changed=changed)


def _state(household: Household, facts: Facts) -> None:
    with db.session.no_autoflush:
        others = db.select(Household).where(
            Household.producer_id == household.producer_id, Household.id != (household.id or 0)
        )
        if facts["number"] and db.session.scalar(others.filter_by(number=facts["number"])):
            raise NumberOfAnother(number=facts["number"])
        # Those of before stay as they are until they are named or placed anew.
        whose = {name: facts[name] for name in ("name", "village")}
        stated = any(getattr(household, name) != facts[name] for name in ("name", "village", "number"))
        numbers = [other.number for other in db.session.scalars(others.filter_by(**whose))] if stated else []
        if numbers and not facts["number"]:
            raise HouseholdKnown(**whose)
        if "" in numbers:
            raise NamesakeWithoutNumber(**whose)
    for name, value in facts.items():
        setattr(household, name, value)


def leave(user: User, household: Household, left_on: date, last_delivery: date | None = None) -> None:
    """Note that a household delivers no more. What it delivered stays its.

    :param last_delivery: the day on which it was last at the scales.
    :raises DeliveredLater:
    """
    if last_delivery is not None and left_on < last_delivery:
        raise DeliveredLater(day=last_delivery.isoformat())
    household.left_on = left_on
    audit.note(user, "leave", household, left_on=left_on.isoformat())


def come_back(user: User, household: Household) -> None:
    """Note that a household delivers again."""
    household.left_on = None
    audit.note(user, "come-back", household)


def household_for(user: User, household_id: int) -> Household:
    """A household of the user's own cooperative, or of one in its jurisdiction.

    :raises NotFound:
    """
    household = db.session.get(Household, household_id)
    if household is None or not may_see(user, household.producer_id, household.producer.division_code):
        raise NotFound
    return household


def own_household(user: User, household_id: int) -> Household:
    """A household that the user may change: of its own cooperative.

    :raises NotFound:
    """
    household = household_for(user, household_id)
    if user.role is not RoleName.PRODUCER:
        raise NotFound
    return household


def households_of(organisation: Organisation) -> list[Household]:
    """A cooperative's households that deliver, by number and name."""
    query = db.select(Household).filter_by(producer_id=organisation.id, left_on=None)
    return list(db.session.scalars(query.order_by(Household.number, Household.name, Household.id)))


def known_by(organisation: Organisation) -> list[tuple[str, str, str]]:
    """The names, villages and numbers of a cooperative's households."""
    rows = db.session.execute(
        sa.select(Household.name, Household.village, Household.number).filter_by(producer_id=organisation.id)
    )
    return [(row.name, row.village, row.number) for row in rows]


def has_households(organisation: Organisation) -> bool:
    """Whether a cooperative has any household that delivers."""
    query = db.select(Household.id).filter_by(producer_id=organisation.id, left_on=None).limit(1)
    return db.session.scalar(query) is not None


def find_households(organisation: Organisation, *, search: str = "", left: bool = False, page: int = 1) -> Pagination:
    """A cooperative's households by part of a name, village, number or telephone.

    :param left: those that have left, in place of those that deliver.
    """
    query = db.select(Household).where(*_searched(organisation, search, left=left))
    query = query.order_by(Household.number, Household.name, Household.id)
    return db.paginate(query, page=page, per_page=PER_PAGE, max_per_page=PER_PAGE, error_out=False)


def how_many_left(organisation: Organisation, search: str) -> int:
    """How many households that have left are found by a search."""
    query = sa.select(sa.func.count()).select_from(Household).where(*_searched(organisation, search, left=True))
    return int(db.session.scalar(query) or 0)


def _searched(organisation: Organisation, search: str, *, left: bool) -> Iterator[sa.ColumnElement[bool]]:
    yield Household.producer_id == organisation.id
    yield Household.left_on.is_not(None) if left else Household.left_on.is_(None)
    if search:
        # A few digits are a number: as a part of telephones they would find nearly all.
        few = search.isdecimal() and len(search) < LEAST_OF_A_PHONE
        yield matches(search) if few else matches(search, Household.phone)


def matches(text: str, *more: sa.SQLColumnExpression[str]) -> sa.ColumnElement[bool]:
    """Whether a household is meant by part of its name, number or village.

    :param more: columns that are looked in as well.
    """
    columns = (Household.name, Household.number, Household.village, *more)
    return sa.or_(*(column.icontains(text, autoescape=True) for column in columns))


def note_consent(user: User, household: Household, *, agreed: bool, told_on: date) -> HouseholdConsent:
    """Note whether trace pages may name a household, as it said on a day.

    :raises OlderThanTheLatest:
    """
    db.session.execute(sa.select(Household.id).filter_by(id=household.id).with_for_update(key_share=True))
    latest = db.session.scalar(sa.select(sa.func.max(HouseholdConsent.told_on)).filter_by(household_id=household.id))
    if latest is not None and told_on < latest:
        raise OlderThanTheLatest(day=latest.isoformat())
    consent = HouseholdConsent(household_id=household.id, agreed=agreed, told_on=told_on, noted_by_id=user.id)
    db.session.add(consent)
    db.session.flush()
    audit.note(user, "agree" if agreed else "disagree", household, told_on=told_on.isoformat())
    return consent


def consents_of(household: Household) -> list[HouseholdConsent]:
    """All that a household said on being named, the latest first."""
    query = (
        db.select(HouseholdConsent).filter_by(household_id=household.id).options(joinedload(HouseholdConsent.noted_by))
    )
    return list(db.session.scalars(query.order_by(HouseholdConsent.told_on.desc(), HouseholdConsent.id.desc())))


def agreed(household_id: Id) -> sa.ColumnElement[bool]:
    """Whether the latest word of a household is that it may be named, as a condition."""
    later = aliased(HouseholdConsent)
    after = sa.or_(
        later.told_on > HouseholdConsent.told_on,
        sa.and_(later.told_on == HouseholdConsent.told_on, later.id > HouseholdConsent.id),
    )
    return sa.exists().where(
        HouseholdConsent.household_id == household_id,
        HouseholdConsent.agreed,
        ~sa.exists().where(later.household_id == HouseholdConsent.household_id, after),
    )


@dataclass(frozen=True, slots=True)
class Tenure:
    """Who tilled a plot from a day on, and until which day, which is not one of them; None where it still does."""

    site: Site
    household: Household | None
    begins_on: date
    ends_on: date | None


def give_plot(user: User, household: Household | None, site: Site, begins_on: date) -> SiteTenure:
    """Note that a household tills a plot from a day on; with none, that the cooperative does so itself again.

    :raises LeftAndTillsNone, ItsPlotAlready:
    """
    if household is not None:
        if household.left_on is not None:
            raise LeftAndTillsNone(name=household.name)
        holder, _name = plots_tilled(user.organisation, begins_on).get(site.id, (None, ""))
        if holder == household.id:
            raise ItsPlotAlready(plot=named(site))
    row = SiteTenure(
        site_id=site.id,
        household_id=household.id if household else None,
        begins_on=begins_on,
        noted_by_id=user.id,
    )
    db.session.add(row)
    db.session.flush()
    audit.note(user, "give-plot", site, household=row.household_id, begins_on=begins_on.isoformat())
    return row


def end_plot(user: User, household: Household, site: Site, ends_on: date) -> None:
    """Note that a household tills a plot no more from a day on: it is the cooperative's again.

    :raises NotItsPlot:
    """
    holder, _name = plots_tilled(user.organisation, ends_on).get(site.id, (None, ""))
    if holder != household.id:
        raise NotItsPlot(plot=site.name)
    give_plot(user, None, site, ends_on)


def tenures_of_site(site_id: int) -> list[Tenure]:
    """Who tilled a plot, one after the other."""
    query = (
        db.select(SiteTenure)
        .filter_by(site_id=site_id)
        .options(joinedload(SiteTenure.site), joinedload(SiteTenure.household))
        .order_by(SiteTenure.begins_on, SiteTenure.id)
    )
    # Of several for one day the latest holds.
    by_day = {row.begins_on: row for row in db.session.scalars(query)}
    return _one_after_the_other(list(by_day.values()))


def _one_after_the_other(rows: Sequence[SiteTenure]) -> list[Tenure]:
    ends = [row.begins_on for row in rows[1:]] + [None]
    return [Tenure(row.site, row.household, row.begins_on, end) for row, end in zip(rows, ends, strict=True)]


def plots_of(household: Household) -> list[Tenure]:
    """The plots that a household tills or has tilled, the latest first."""
    sites = db.session.scalars(sa.select(SiteTenure.site_id).filter_by(household_id=household.id).distinct()).all()
    tenures = [tenure for site_id in sites for tenure in tenures_of_site(site_id)]
    own = [tenure for tenure in tenures if tenure.household is not None and tenure.household.id == household.id]
    return sorted(own, key=lambda tenure: tenure.begins_on, reverse=True)


def plots_tilled(organisation: Organisation, day: date) -> dict[int, tuple[int, str]]:
    """The plots of a cooperative that households till on a day: by the site's id the household's, and the name."""
    query = (
        sa.select(SiteTenure.site_id, SiteTenure.household_id, Site.name, Site.name_en)
        .join(Site, Site.id == SiteTenure.site_id)
        .where(Site.producer_id == organisation.id, SiteTenure.begins_on <= day)
        .order_by(SiteTenure.begins_on, SiteTenure.id)
    )
    latest = {row.site_id: (row.household_id, named(row)) for row in db.session.execute(query)}
    return {site_id: (holder, name) for site_id, (holder, name) in latest.items() if holder is not None}


def tilled_by(
    household: sa.ColumnElement[bool], site_id: Id, first: sa.SQLColumnExpression[date], last: sa.ColumnElement[date]
) -> sa.ColumnElement[bool]:
    """Whether a household of which a condition holds tilled a site on any day of a time, as a condition.

    :param household: on `Household`.
    :param first: the first day, and ``last`` the last one.
    """
    later = aliased(SiteTenure)
    replaced = sa.exists().where(
        later.site_id == SiteTenure.site_id,
        sa.or_(
            sa.and_(later.begins_on > SiteTenure.begins_on, later.begins_on <= first),
            sa.and_(later.begins_on == SiteTenure.begins_on, later.id > SiteTenure.id),
        ),
    )
    return (
        sa.exists()
        .where(
            SiteTenure.site_id == site_id,
            SiteTenure.household_id == Household.id,
            household,
            SiteTenure.begins_on <= last,
            ~replaced.correlate_except(later),
        )
        .correlate_except(SiteTenure, Household)
    )
