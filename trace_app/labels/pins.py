"""PINs under scratch film: checking one, and slowing those who guess."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.labels.keys import code_book
from trace_app.labels.models import LabelRun, PinCheck
from trace_app.labels.service import ScannedLabel

FREE_GUESSES = 5
LONGEST_WAIT = timedelta(hours=24)
"""A million PINs at one a day; an honest buyer who mistypes five times waits a minute."""


@dataclass(frozen=True, slots=True)
class PinAnswer:
    """What a check of a PIN tells.

    ``first_at`` is when the right PIN was first entered, ``times`` how often it has been, this one included.
    """

    outcome: Literal["right", "wrong", "wait"]
    first_at: datetime | None = None
    times: int = 0
    wait_until: datetime | None = None


def check_pin(label: ScannedLabel, pin: str) -> PinAnswer:
    """Compare a PIN with the label's, and keep count. To be called in a transaction.

    After five wrong ones the wait doubles with each more, from a minute up to a day; it is the label that
    waits, whoever asks and from wherever.
    """
    row = _row(label)
    now = utc_now()
    wait_until = _wait_until(row)
    if wait_until is not None and now < wait_until:
        return PinAnswer("wait", wait_until=wait_until)
    run = db.session.get_one(LabelRun, label.run_id)
    expected = code_book().pins(run.run_number, label.index, 1, key_number=run.key_number).tobytes().decode()
    if not secrets.compare_digest(pin.encode(), expected.encode()):
        row.wrong += 1
        row.wrong_at = now
        return PinAnswer("wrong", wait_until=_wait_until(row))
    row.wrong, row.wrong_at = 0, None
    row.right += 1
    row.first_right_at = row.first_right_at or now
    return PinAnswer("right", first_at=row.first_right_at, times=row.right)


def _row(label: ScannedLabel) -> PinCheck:
    key = (label.run_id, label.index)
    row = db.session.get(PinCheck, key, with_for_update={"key_share": True})
    if row is None:
        # Two first checks at once: the run's row lets them in one after the other.
        db.session.get_one(LabelRun, label.run_id, with_for_update={"key_share": True})
        row = db.session.get(PinCheck, key, with_for_update={"key_share": True})
    if row is None:
        row = PinCheck(run_id=label.run_id, index=label.index, right=0, wrong=0)
        db.session.add(row)
        db.session.flush()
    return row


def _wait_until(row: PinCheck) -> datetime | None:
    if row.wrong < FREE_GUESSES or row.wrong_at is None:
        return None
    doublings = min(row.wrong - FREE_GUESSES, 12)
    until: datetime = row.wrong_at + min(LONGEST_WAIT, timedelta(minutes=1) * 2**doublings)
    return until
