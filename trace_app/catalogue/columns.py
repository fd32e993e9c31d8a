"""The columns of the lists of products and sites."""

from __future__ import annotations

from flask import url_for
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload, selectinload

from trace_app.accounts.service import place_name
from trace_app.catalogue.forms import SITE_KINDS
from trace_app.catalogue.models import Product, Site
from trace_app.language import language, named
from trace_app.lists import Column, ListShape

PRODUCTS = ListShape(
    "catalogue.products",
    _("我的产品"),
    (
        Column("name", _("产品名称"), named, Product.name),
        Column("kind", _("品类"), lambda row: named(row.kind)),
        Column("content", _("净含量"), lambda row: row.net_content or None),
        Column("brand", _("商标"), lambda row: row.brand or None),
        Column("gtin", _("商品条码"), lambda row: row.gtin),
        Column("photos", _("照片"), lambda row: len(row.photos) or None),
        Column("state", _("状态"), lambda row: str(_("已停用")) if row.retired_at else None),
    ),
    Product.id,
    "name",
    lambda row: url_for("catalogue.product", product_id=row.id),
    (joinedload(Product.kind), selectinload(Product.photos)),
)
SITES = ListShape(
    "catalogue.sites",
    _("我的基地"),
    (
        Column("name", _("基地名称"), named, Site.name),
        Column("kind", _("类型"), lambda row: str(SITE_KINDS[row.kind])),
        Column("place", _("乡镇"), lambda row: place_name(row.division, language())),
        Column("area", _("面积（亩）"), lambda row: row.area_mu),
        Column("latitude", _("纬度"), lambda row: row.latitude),
        Column("longitude", _("经度"), lambda row: row.longitude),
        Column("state", _("状态"), lambda row: str(_("已停用")) if row.retired_at else None),
    ),
    Site.id,
    "name",
    lambda row: url_for("catalogue.site", site_id=row.id),
    (joinedload(Site.division),),
)
