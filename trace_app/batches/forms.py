"""Forms of batches."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import Field
from wtforms.validators import ValidationError

from trace_app.accounts.models import User
from trace_app.batches.models import Batch, BatchStatus
from trace_app.batches.service import BatchFacts
from trace_app.catalogue.forms import SITE_KINDS, ProductForm, SiteForm, towns_of_county
from trace_app.catalogue.models import Product, ProductKind, Site
from trace_app.catalogue.service import kinds, products_of, sites_of
from trace_app.folding import written_plainly
from trace_app.forms import (
    DateField,
    DecimalField,
    Form,
    SelectField,
    StringField,
    at_most,
    between,
    choices,
    matches,
    not_future,
    optional,
    required,
)
from trace_app.language import named
from trace_app.units import unit_name
from trace_app.values import Facts

STATES = {
    BatchStatus.DRAFT.value: _("草稿"),
    BatchStatus.RELEASED.value: _("已放行"),
    BatchStatus.CLOSED.value: _("已结束"),
    "held": _("暂停销售"),
    "recalled": _("已召回"),
}


class BatchForm(Form):
    product_id = SelectField(_("产品"), [required()], coerce=int)
    lot_number = StringField(
        _("批次号"),
        [required(), at_most(40), matches(r"^[^\s/?#%]+$", _("批次号不能含空格和 / ? # % 这些符号。"))],
        description=_("印在标签上，本单位内不能重复"),
        filters=[written_plainly],
    )
    site_id = SelectField(_("基地"), [required()], coerce=int)
    quantity = DecimalField(_("数量"), [required(), between(0.001, 100_000_000)], unit_of="unit")
    unit = SelectField(_("单位"), [required()])
    started_on = DateField(_("开始日期"), [required(), not_future], description=_("播种、屠宰、开花或投料的日子"))
    produced_on = DateField(_("采收或生产日期"), [optional(), not_future], description=_("放行前须填写"))
    best_before = DateField(_("保质期至"), [optional()])

    def __init__(self, *args: object, user: User, obj: Batch | None = None, **kwargs: object) -> None:
        super().__init__(*args, obj=obj, **kwargs)
        # A lot that is there keeps its product and site, though these are no longer offered.
        products, sites = ([obj.product], [obj.site]) if obj is not None else ([], [])
        self._products = {product.id: product for product in [*products_of(user.organisation), *products]}
        self._sites = {site.id: site for site in [*sites_of(user.organisation), *sites]}
        self.product_id.choices = choices((product.id, named(product)) for product in self._products.values())
        self.site_id.choices = choices((site.id, named(site)) for site in self._sites.values())
        units = dict.fromkeys(unit for product in self._products.values() for unit in product.kind.units)
        self.unit.choices = choices((unit, unit_name(unit)) for unit in units)

    def only_kind(self, kind: ProductKind) -> None:
        """Offer products and units of one kind alone."""
        own = [product for product in self._products.values() if product.kind_code == kind.code]
        self.product_id.choices = choices((product.id, named(product)) for product in own)
        self.unit.choices = choices((unit, unit_name(unit)) for unit in kind.units)

    @property
    def lacks(self) -> str | None:
        """What must be registered before a batch can be: ``product`` or ``site``."""
        return "product" if not self._products else "site" if not self._sites else None

    def validate_unit(self, field: Field) -> None:
        product = self._products.get(self.product_id.data)
        if product and field.data and field.data not in product.kind.units:
            units = "、".join(unit_name(unit) for unit in product.kind.units)
            raise ValidationError(_("“%(product)s”的单位可以是：%(units)s。", product=named(product), units=units))

    def validate_produced_on(self, field: Field) -> None:
        if field.data and self.started_on.data and field.data < self.started_on.data:
            raise ValidationError(_("不能早于开始日期。"))

    def validate_best_before(self, field: Field) -> None:
        produced = self.produced_on.data or self.started_on.data
        if field.data and produced and field.data < produced:
            raise ValidationError(_("不能早于生产日期。"))

    @property
    def batch_facts(self) -> BatchFacts:
        return self._facts_of(self._products[self.product_id.data], self._sites[self.site_id.data])

    def _facts_of(self, product: Product, site: Site) -> BatchFacts:
        return BatchFacts(
            product=product,
            site=site,
            lot_number=self.lot_number.data or "",
            quantity=self.quantity.data,
            unit=self.unit.data,
            started_on=self.started_on.data,
            produced_on=self.produced_on.data,
            best_before=self.best_before.data,
        )


class FirstLotForm(BatchForm):
    """A lot together with the product and the site that its producer has none of yet: one form for all three."""

    kind_code = SelectField(_("品类"), [required()])
    product_name = StringField(_("产品名称"), [required(), at_most(40)], description=_("印在标签上，如 罗平小黄姜"))
    net_content = StringField(_("净含量"), [optional(), at_most(30)], description=_("印在标签上，如 净重 500 克"))
    site_kind = SelectField(_("基地类型"), [required()], choices=choices(SITE_KINDS.items()), default="plot")
    site_name = StringField(_("基地名称"), [required(), at_most(60)], description=_("如 3 号地块"))
    division_code = SelectField(_("乡镇"), [required()])

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        self._kinds = {kind.code: kind for kind in kinds()}
        self.kind_code.choices = choices(((kind.code, named(kind)) for kind in self._kinds.values()), blank=_("请选择"))
        self.division_code.choices = choices(towns_of_county(user), blank=_("请选择"))
        if not self._products:
            units = dict.fromkeys(unit for kind in self._kinds.values() for unit in kind.units)
            self.unit.choices = choices((unit, unit_name(unit)) for unit in units)
        of_product = ("product_id",) if not self._products else ("kind_code", "product_name", "net_content")
        of_site = ("site_id",) if not self._sites else ("site_kind", "site_name", "division_code")
        for name in (*of_product, *of_site):
            del self[name]

    def validate_unit(self, field: Field) -> None:
        if self._products:
            super().validate_unit(field)
            return
        kind = self._kinds.get(self.kind_code.data)
        if kind and field.data and field.data not in kind.units:
            units = "、".join(unit_name(unit) for unit in kind.units)
            raise ValidationError(_("“%(product)s”的单位可以是：%(units)s。", product=named(kind), units=units))

    @property
    def new_product(self) -> Facts | None:
        """The facts of the product that is to be registered with the lot."""
        if self._products:
            return None
        facts = {"kind_code": self.kind_code.data, "name": self.product_name.data, "net_content": self.net_content.data}
        return ProductForm.parse(facts).facts

    @property
    def new_site(self) -> Facts | None:
        """The facts of the site that is to be registered with the lot."""
        if self._sites:
            return None
        facts = {"kind": self.site_kind.data, "name": self.site_name.data, "division_code": self.division_code.data}
        return SiteForm.parse(facts).facts

    def facts_with(self, product: Product | None, site: Site | None) -> BatchFacts:
        """What is stated of the lot, of a product and site that were registered just now, or of those there are."""
        return self._facts_of(product or self._products[self.product_id.data], site or self._sites[self.site_id.data])


class CorrectionForm(BatchForm):
    lot_number = StringField(
        _("批次号"),
        [required(), at_most(40), matches(r"^[^\s/?#%]+$", _("批次号不能含空格和 / ? # % 这些符号。"))],
        description=_("印在标签上，本单位内不能重复"),
    )
    """It stays as it was printed."""
    reason = StringField(_("更正原因"), [required(), at_most(300)], description=_("会与原内容一起保留"))


class SearchForm(Form):
    """The list's filters; what makes no sense is ignored."""

    class Meta:
        csrf = False

    q = StringField(_("批次号、产品或生产者"), [optional(), at_most(60)])
    state = SelectField(_("状态"), choices=choices(STATES.items(), blank=_("全部状态")))
    kind = SelectField(_("品类"))

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.kind.choices = choices([(kind.code, named(kind)) for kind in kinds()], blank=_("全部品类"))

    @property
    def wished(self) -> Facts:
        self.validate()
        return {
            "search": (self.q.data or "")[:60],
            "state": "" if self.state.errors else self.state.data or "",
            "kind_code": "" if self.kind.errors else self.kind.data or "",
        }
