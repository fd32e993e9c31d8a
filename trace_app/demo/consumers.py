"""What the demonstration's consumers did: scans over a month, one label copied, and what two of them had to say."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.feedback import service as feedback
from trace_app.feedback.models import FeedbackKind
from trace_app.labels.models import LabelLevel, LabelRun
from trace_app.labels.service import code_of, label_of_code
from trace_app.scanning.intake import keep
from trace_app.scanning.log import Scan
from trace_app.scans.suspicions import watch

REGIONS = (("云南曲靖", 30), ("云南昆明", 26), ("上海", 9), ("广东", 8), ("四川", 7), ("北京", 6), ("贵州", 5), ("", 9))
CLIENTS = (("wechat", 80), ("phone", 12), ("alipay", 6), ("computer", 2))
DAYS = 30
SAID = (
    (
        FeedbackKind.PRAISE,
        "姜味很足，扫码能看到地块和检测报告，放心。",
        "昆明篆新农贸市场",
        "谢谢您，明年还种这个品种。",
    ),
    (FeedbackKind.QUALITY, "收到时有两块姜压坏了，希望包装结实一点。", "网店", ""),
    (FeedbackKind.FAKE, "同一个码贴在三袋上，颜色也不一样，怀疑是仿的。", "某早市", ""),
)


def look_things_up(lots: list[Batch], chance: Random) -> None:
    """Scans of the lots' items over the last month, some of them of one label that was copied."""
    runs = [
        run
        for lot in lots
        if (run := db.session.scalars(db.select(LabelRun).filter_by(batch_id=lot.id, level=LabelLevel.ITEM)).first())
    ]
    rows = []
    for number, run in enumerate(runs):
        for _ in range(60 + 25 * (number % 5)):
            ago = timedelta(days=min(chance.expovariate(1 / 9), DAYS - 1), minutes=chance.randrange(60, 600))
            index = chance.randrange(min(run.count, 60))
            # Nobody scans a label before it is made.
            at = max(utc_now() - ago, run.created_at + timedelta(minutes=chance.randrange(1, 30)))
            rows.append(_row(run, index, min(at, utc_now()), chance))
    copied = runs[0]
    for minutes, region in ((110, "云南曲靖"), (80, "广东"), (55, "北京"), (30, "云南昆明")):
        rows.append(_row(copied, 0, utc_now() - timedelta(minutes=minutes), chance, region))
    keep(rows)
    watch()


def _row(run: LabelRun, index: int, at: datetime, chance: Random, region: str | None = None) -> Scan:
    place = region if region is not None else _drawn(REGIONS, chance)
    language = "en" if chance.random() < 0.04 else "zh"
    return Scan(
        int(at.timestamp()),
        "shown",
        run.id,
        index,
        run.batch_id,
        place,
        _drawn(CLIENTS, chance),
        language,
        chance.getrandbits(62),
    )


def _drawn(weighted: tuple[tuple[str, int], ...], chance: Random) -> str:
    return chance.choices([text for text, _weight in weighted], [weight for _text, weight in weighted])[0]


def say_something(lot: Batch) -> None:
    """Praise that was answered, a complaint that was not, and a report of a fake."""
    run = db.session.scalars(db.select(LabelRun).filter_by(batch_id=lot.id, level=LabelLevel.ITEM)).first()
    if run is None:
        return
    codes, owner_id = [code_of(run, number + 1) for number in range(len(SAID))], lot.producer.users[0].id
    for code, (kind, text, where, answer) in zip(codes, SAID, strict=True):
        with transaction():
            row = feedback.give(label_of_code(code), [], [], kind=kind, text=text, bought_at=where, contact="")
            if answer:
                feedback.reply(db.session.get_one(User, owner_id), row, answer, closes=True)
