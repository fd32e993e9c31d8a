"""What the demonstration's lots did after they were made: sent, received, held, recalled in earnest and as a drill."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random

from media_store.photos import clean_photo
from trace_app.accounts import service as accounts
from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.certificates.commitments import issue_commitment
from trace_app.certificates.owed import needs_one
from trace_app.clock import SHANGHAI, local, today
from trace_app.db.base import utc_now
from trace_app.demo.pictures import draw
from trace_app.extensions import db
from trace_app.flow.ledger.service import left_of
from trace_app.flow.shipments import service as shipping
from trace_app.flow.shipments.models import Shipment
from trace_app.flow.shipments.receiving import Arrived, receive
from trace_app.flow.shipments.service import ConsigneeFacts, Load, ShipmentFacts
from trace_app.media.service import stored_photos
from trace_app.recall_tasks import service as tasks
from trace_app.recalls import further_notices
from trace_app.recalls import service as recalls
from trace_app.recalls.models import NoticeText, Recall, RecallKind
from trace_app.records.series import read_logger

CONSIGNEES = (
    ConsigneeFacts(
        "示例·昆明山货行", "0871-00000001", "buyer@demo.example", None, "昆明市示例路 18 号", "示例·昆明山货行"
    ),
    ConsigneeFacts("示例·云岭超市麒麟店", "0874-00000101", "yunling@demo.example", "530302", "麒麟区示例路 6 号"),
    ConsigneeFacts("示例·沪上食品贸易有限公司", "021-00000003", "hushang@demo.example", None, "上海市示例路 99 号"),
    ConsigneeFacts("示例·罗平早市 12 号摊", "13800000012", "", "530324", "罗平县示例菜市场"),
)
DRIVERS = (
    ("示例物流", "云D00011", "示例·马师傅", "13800000021"),
    ("示例冷链", "云D00022", "示例·赵师傅", "13800000022"),
)
COLD = {"ginger": (10.0, 16.0)}
"""Degrees Celsius that goods of a kind are carried at."""


def certify(lots: list[Batch]) -> None:
    """A commitment certificate for the whole of each lot whose kind must have one; the last of them is left out."""
    for lot in [lot for lot in lots if needs_one(lot.product.kind)][:-1]:
        issue_commitment(lot.producer.users[0], lot, quantity=lot.quantity, bases=["own_control"])


def send_out(lots: list[Batch], chance: Random) -> None:
    """Two shipments of each lot on sale, the older one confirmed; ginger with a logger that was out of range once."""
    for number, lot in enumerate(lots):
        owner = lot.producer.users[0]
        for turn in range(2):
            left = left_of(lot.id, lot.producer_id)
            amount = min((lot.quantity * Decimal("0.2")).quantize(Decimal(1)), left)
            if amount <= 0:
                continue
            shipment = _send(owner, lot, amount, number + turn, turn, chance)
            if turn == 0:
                _receive(shipment, short=number % 5 == 2)


def _send(owner: User, lot: Batch, amount: Decimal, which: int, turn: int, chance: Random) -> Shipment:
    carrier, vehicle, driver, phone = DRIVERS[which % 2]
    kind = lot.product.kind_code
    least, most = COLD.get(kind, (None, None))
    released = lot.released_at or utc_now()
    day = max(today() - timedelta(days=12 - 7 * turn), local(released).date() + timedelta(days=1))
    departed = min(datetime.combine(day, time(8 + which % 3, 30), SHANGHAI), utc_now())
    online = kind in {"honey", "ham_mooncake"} and turn == 1
    facts = ShipmentFacts(
        departed_at=departed,
        carrier=carrier,
        vehicle=vehicle,
        driver=driver,
        driver_phone=phone,
        least_celsius=least,
        most_celsius=most,
        platform="示例网店" if online else "",
        order_number=f"SL{260000 + which:06d}" if online else "",
    )
    photos = [clean_photo(draw(kind, 7000 + which))] if turn == 0 and which % 4 == 0 else []
    with stored_photos(photos) as stored:
        shipment = shipping.ship(owner, CONSIGNEES[which % 4], facts, Load({lot.id: amount}), stored)
    if least is not None and turn == 0:
        lines = [
            f"{departed + timedelta(minutes=30 * n):%Y-%m-%d %H:%M},{degrees + (5 if n in (6, 7) else 0):.1f}"
            for n in range(16)
            for degrees in [13 + chance.uniform(-1.5, 1.5)]
        ]
        shipping.note_logger(owner, shipment, read_logger("logger.csv", ("时间,温度\n" + "\n".join(lines)).encode()))
    return shipment


def _receive(shipment: Shipment, *, short: bool) -> None:
    came = {line.id: Arrived(line.quantity - (1 if short else 0)) for line in shipment.lines}
    receive(
        shipment,
        came,
        received_at=min(shipment.departed_at + timedelta(hours=9), utc_now()),
        received_by="示例·收货员",
        note="破损 1 件" if short else "",
        rest_is_missing=True,
    )


def report_for_some(recall_id: int) -> None:
    """The producers have confirmed; every second consignee has confirmed and reported."""
    rows = tasks.tasks_of(db.session.get_one(Recall, recall_id))
    for number, task in enumerate(rows):
        if task.organisation is not None and task.organisation.users:
            tasks.acknowledge(task, task.organisation.users[0].full_name)
        elif number % 2 == 0:
            counted = tasks.counted_lots(task)
            part = {one.batch.id: _parts(one.supplied) for one in counted}
            with stored_photos([clean_photo(draw("coix", 9001))]) as photos:
                tasks.report(task, part, name="示例·店长", note="已下架，存放在后库。", photos=photos)


def _parts(supplied: Decimal) -> dict[str, Decimal]:
    sealed = (supplied * Decimal("0.55")).quantize(Decimal(1))
    return {"sealed": sealed, "gone": supplied - sealed}


def hold(lot: Batch) -> Recall:
    """The sale of a lot is stopped while a sample is tested."""
    return recalls.issue_recall(
        accounts.user_by_name("luoping"),
        lot,
        NoticeText(
            level=None,
            reason="县级抽样送检，等待复检结果。",
            advice="请先不要食用，保留包装，等待核查结果。",
            reason_en="A county sample is being tested again.",
            advice_en="Do not eat it for now. Keep the packaging and wait for the result of the inspection.",
        ),
        RecallKind.HOLD,
    )


def recalls_that_are_over(completed: Batch, withdrawn: Batch) -> list[Recall]:
    """One recall that was carried out, whose lot stays withdrawn, and one that was wrong."""
    officer = accounts.user_by_name("luoping")
    text = NoticeText(
        level=3,
        reason="包装上的净含量与实际不符。",
        advice="请勿食用，凭包装到购买处退货退款。",
        reason_en="The net content on the pack is not what is inside.",
        advice_en="Do not eat it. Return it with its packaging to the shop for a refund.",
    )
    done, wrong = (recalls.issue_recall(officer, lot, text) for lot in (completed, withdrawn))
    further_notices.complete(officer, done, "货已全部找回，在罗平县农业农村局人员见证下销毁。")
    further_notices.withdraw(officer, wrong, "复查时发现看错了批次号，这一批没有问题。")
    return [done, wrong]


def drill(lot: Batch) -> Recall:
    """A mock recall whose scope is established."""
    officer = accounts.user_by_name("xuanwei")
    recall = recalls.begin_drill(officer, lot)
    recalls.scope_drill(officer, recall)
    return recall
