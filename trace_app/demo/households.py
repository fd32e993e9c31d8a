"""The invented households of the demonstration's ginger cooperative, and what they brought to the scales."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Site
from trace_app.clock import today
from trace_app.households import service
from trace_app.households.forms import HouseholdForm
from trace_app.weighings.service import HouseholdDelivery, weigh

NAMES = (
    "张大伯",
    "李二嫂",
    "王三叔",
    "赵四婶",
    "陈五哥",
    "杨六姐",
    "黄七爷",
    "周八姨",
    "吴九妹",
    "徐十弟",
    "孙阿婆",
    "马阿公",
)
AGREED = 3
"""How many of them agreed to be named."""


def register(user: User, plot: Site) -> None:
    """Twelve households, the first of which tills a plot."""
    for number, name in enumerate(NAMES, start=1):
        facts = {
            "name": f"示例·{name}",
            "village": f"板桥镇示例村 {(number - 1) // 4 + 1} 组",
            "number": f"{number:03d}",
            "phone": f"138000001{number:02d}",
        }
        household = service.register(user, HouseholdForm.parse(facts).facts)
        if number <= AGREED:
            service.note_consent(user, household, agreed=True, told_on=today() - timedelta(days=400))
        if number == 1:
            service.give_plot(user, household, plot, date(2020, 1, 1))


def deliver(user: User, batch: Batch, day: date) -> None:
    """What was harvested of a lot, household by household: as much as the lot is said to be."""
    households = service.households_of(user.organisation)
    whole = batch.quantity
    each = (whole / len(households)).quantize(Decimal(1))
    for number, household in enumerate(households):
        # One brings a little more than the next; the last what is left.
        last = number == len(households) - 1
        amount = whole if last else each + Decimal(10 * (number % 3) - 10)
        whole -= amount
        weigh(user, batch, HouseholdDelivery(household, amount, day))
