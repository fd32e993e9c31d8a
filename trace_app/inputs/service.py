"""The farm-input catalogue and the stock of inputs by lot."""

from __future__ import annotations

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload, selectinload

from trace_app.accounts import audit
from trace_app.accounts.access import SUPERVISORS, CityAlone, NotFound, keeps_shared_tables
from trace_app.accounts.models import Organisation, OrganisationKind, User
from trace_app.db.text import any_has_text, same_number
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.folding import fold
from trace_app.inputs.bottle_codes import means_number
from trace_app.inputs.ingredients import key_of
from trace_app.inputs.models import InputIngredient, InputProduct, LabelUse, StockLot
from trace_app.values import Facts


class InputKnown(Problem):
    """The owner has this product already."""

    title = _("“%(name)s”（%(number)s）已在投入品目录里，请直接修改它。")


class UseKnown(Problem):
    code = "label-use-known"
    title = _("这种产品的用法已登记过，请先删除再添加。")


def offered_products(user: User, search: str = "") -> list[InputProduct]:
    """The products that a user may choose from: its organisation's own, and those that regulators keep."""
    query = (
        db.select(InputProduct)
        .join(InputProduct.owner)
        .where(sa.or_(InputProduct.owner_id == user.organisation_id, Organisation.kind == OrganisationKind.REGULATOR))
        .options(selectinload(InputProduct.ingredients))
        .order_by(InputProduct.type, InputProduct.name, InputProduct.id)
        .limit(500)
    )
    if search:
        columns = (InputProduct.name, InputProduct.registration_number)
        named = InputProduct.ingredients.any(InputIngredient.name.icontains(search, autoescape=True))
        query = query.where(sa.or_(named, *(column.icontains(search, autoescape=True) for column in columns)))
    return list(db.session.scalars(query))


def product_of_code(user: User, input_type: str, code: str) -> InputProduct | None:
    """The product that is offered to a user and has the registration that a bottle's code or a typed number says; its
    own before an authority's. None where there is none, or where several are alike."""
    means = means_number(code)
    found = [one for one in offered_products(user) if one.type == input_type and means(one.registration_number)]
    own = [one for one in found if one.owner_id == user.organisation_id]
    alike = own or found
    return alike[0] if len({one.registration_number for one in alike}) == 1 else None


def products_registered(user: User, input_type: str, number: str) -> list[InputProduct]:
    """The products that are offered to a user under a registration number, however that is written; its own first."""
    query = (
        db.select(InputProduct)
        .join(InputProduct.owner)
        .where(
            InputProduct.type == input_type,
            InputProduct.registration_fold == fold(number),
            sa.or_(InputProduct.owner_id == user.organisation_id, Organisation.kind == OrganisationKind.REGULATOR),
        )
        .options(selectinload(InputProduct.ingredients))
        .order_by(InputProduct.owner_id != user.organisation_id, InputProduct.id)
    )
    return list(db.session.scalars(query)) if fold(number) else []


def product_for(user: User, product_id: int) -> InputProduct:
    """A product that is offered to the user.

    :raises NotFound:
    """
    product = db.session.get(InputProduct, product_id, options=[joinedload(InputProduct.owner)])
    if product is None or (
        product.owner_id != user.organisation_id and product.owner.kind is not OrganisationKind.REGULATOR
    ):
        raise NotFound
    return product


def own_product(user: User, product_id: int) -> InputProduct:
    """A product that the user may change.

    :raises NotFound:
    """
    product = product_for(user, product_id)
    if not may_change(user, product):
        raise NotFound
    return product


def may_change(user: User, product: InputProduct) -> bool:
    """A producer's own; what an authority entered is shared by all counties, and the city's to change."""
    if product.owner.kind is OrganisationKind.REGULATOR:
        return keeps_shared_tables(user)
    return product.owner_id == user.organisation_id


def add_product(user: User, facts: Facts, use: Facts) -> InputProduct:
    """Add a product with what its label says for one kind. Of a known product, only the use is added.

    :raises InputKnown: where product and use are known.
    :raises CityAlone: of a county's officers, since what an authority enters is for all counties.
    """
    if user.role in SUPERVISORS and not keeps_shared_tables(user):
        raise CityAlone
    product = _known(user, facts)
    if product is None:
        product = InputProduct(owner_id=user.organisation_id, **_of_rows(facts))
        db.session.add(product)
    elif any(known.kind_code == use["kind_code"] for known in product.uses):
        raise InputKnown(name=product.name, number=product.registration_number or "—")
    product.uses.append(LabelUse(**use))
    db.session.flush()
    audit.note(user, "add", product, name=product.name, number=product.registration_number)
    return product


def _known(user: User, facts: Facts) -> InputProduct | None:
    query = sa.select(InputProduct).filter_by(owner_id=user.organisation_id, type=facts["type"], name=facts["name"])
    return db.session.scalar(
        query.where(same_number(InputProduct.registration_number, facts["registration_number"] or ""))
    )


def _of_rows(facts: Facts) -> Facts:
    """A product's facts with rows for its active ingredients."""
    rows = [
        InputIngredient(position=position, name=one.name, key=key_of(one.name) or one.name, content=one.content)
        for position, one in enumerate(facts["ingredients"])
    ]
    return facts | {"ingredients": rows}


def change_product(user: User, product: InputProduct, facts: Facts) -> None:
    """:raises InputKnown: where another is the same."""
    with db.session.no_autoflush:
        known = _known(user, facts)
    if known is not None and known.id != product.id:
        raise InputKnown(name=known.name, number=known.registration_number or "—")
    for name, value in _of_rows(facts).items():
        setattr(product, name, value)
    db.session.flush()
    audit.note(user, "change", product, name=product.name, number=product.registration_number)


def add_use(user: User, product: InputProduct, use: Facts) -> None:
    """:raises UseKnown: where the label's words for the kind are there already."""
    if any(known.kind_code == use["kind_code"] for known in product.uses):
        raise UseKnown
    product.uses.append(LabelUse(**use))
    db.session.flush()
    audit.note(user, "add-use", product, kind=use["kind_code"], interval_days=use["interval_days"])


def remove_use(user: User, product: InputProduct, use_id: int) -> None:
    for use in list(product.uses):
        if use.id == use_id:
            product.uses.remove(use)
            audit.note(user, "remove-use", product, kind=use.kind_code, interval_days=use.interval_days)
    db.session.flush()


def own_stock(user: User, search: str = "") -> sa.Select[StockLot]:
    """The stock lots of a user's organisation, in no order.

    :param search: part of an input's name, lot number, registration number or supplier.
    """
    query = sa.select(StockLot).where(StockLot.producer_id == user.organisation_id)
    if search:
        columns = (InputProduct.name, InputProduct.registration_number, StockLot.lot_number, StockLot.supplier)
        query = query.join(StockLot.product).where(any_has_text(search, *columns))
    return query


def stock_of(producer: Organisation, input_type: str | None = None) -> list[StockLot]:
    """A producer's stock lots, the latest first.

    :param input_type: of one type only.
    """
    query = (
        db.select(StockLot)
        .where(StockLot.producer_id == producer.id)
        .join(StockLot.product)
        .options(joinedload(StockLot.product).selectinload(InputProduct.ingredients), selectinload(StockLot.outs))
        .order_by(StockLot.received_on.desc(), StockLot.id.desc())
        .limit(300)
    )
    if input_type:
        query = query.where(InputProduct.type == input_type)
    return list(db.session.scalars(query))
