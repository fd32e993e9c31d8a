"""Forms of what is weighed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import HiddenField
from wtforms.validators import Length

from trace_app.accounts.models import User
from trace_app.batches.forms import BatchForm
from trace_app.batches.models import Batch
from trace_app.clock import today
from trace_app.forms import (
    DateField,
    DecimalField,
    Form,
    SelectField,
    StringField,
    at_most,
    between,
    choices,
    not_future,
    number_or_none,
    optional,
    required,
)
from trace_app.households.models import Household
from trace_app.households.service import plots_tilled
from trace_app.weighings.service import HouseholdDelivery

MOST = 1_000_000


class _DeliveryFields(Form):
    """Which household delivered, from which plot, and when."""

    household_id = SelectField(_("农户"), [required()], coerce=int)
    plot_id = SelectField(_("地块"), coerce=number_or_none)
    happened_on = DateField(_("过磅日期"), [required(), not_future])

    def offer(self, user: User, households: Sequence[Household]) -> None:
        """:param households: in the order in which they are shown."""
        self._households = {household.id: household for household in households}
        self.household_id.choices = choices((row.id, _called(row)) for row in households)
        tilled = plots_tilled(user.organisation, today())
        self.plot_id.choices = choices(
            [
                (site_id, str(_("%(household)s：%(plot)s", household=self._households[holder].name, plot=name)))
                for site_id, (holder, name) in tilled.items()
                if holder in self._households
            ],
            blank=_("不说明"),
        )

    def delivery_of(self, quantity: Any) -> HouseholdDelivery:
        """What was delivered, once the form is valid."""
        household = self._households[self.household_id.data]
        return HouseholdDelivery(household, quantity, self.happened_on.data, self.plot_id.data)


def _called(household: Household) -> str:
    return " ".join(filter(None, (household.number, household.name, household.village)))


class WeighingForm(_DeliveryFields):
    """A household on the scales."""

    quantity = DecimalField(_("重量"), [required(), between(0.001, MOST)])
    entry_key = HiddenField(validators=[optional(), Length(max=40)])

    def __init__(self, *args: Any, user: User, households: Sequence[Household], batch: Batch, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer(user, households)
        self.quantity.unit = batch.unit

    @property
    def delivery(self) -> HouseholdDelivery:
        return self.delivery_of(self.quantity.data)


class WeighingCorrectionForm(_DeliveryFields):
    """A weighing as it should have been; 0 where it should not have been at all."""

    quantity = DecimalField(_("重量"), [required(), between(0, MOST)], description=_("整条记错了，填 0"))
    reason = StringField(_("更正原因"), [required(), at_most(300)], description=_("会与原内容一起保留"))

    def __init__(self, *args: Any, user: User, households: Sequence[Household], batch: Batch, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer(user, households)
        self.quantity.unit = batch.unit

    @property
    def delivery(self) -> HouseholdDelivery:
        return self.delivery_of(self.quantity.data)


class FirstWeighingForm(BatchForm, _DeliveryFields):
    """A lot that begins with its first weighing: it is as much as has been weighed."""

    quantity = DecimalField(_("第一磅的重量"), [required(), between(0.001, MOST)], unit_of="unit")
    entry_key = HiddenField(validators=[optional(), Length(max=40)])

    def __init__(self, *args: Any, user: User, households: Sequence[Household], **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        self.offer(user, households)

    @property
    def delivery(self) -> HouseholdDelivery:
        return self.delivery_of(self.quantity.data)
