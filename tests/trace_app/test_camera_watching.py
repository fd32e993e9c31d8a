"""Warnings with patience: generated days of sixty cameras. Half were not looked at while thresholds were chosen."""

from __future__ import annotations

from datetime import datetime

import pytest

from media_store.glimpses import measures_of
from tests.scenes import Field, Scene, day_of, days_before
from trace_app.cameras import watching
from trace_app.cameras.models import CameraTrouble
from trace_app.clock import SHANGHAI

DAY = datetime(2026, 7, 1, tzinfo=SHANGHAI)
TROUBLES = ("black", "covered", "blurred", "frozen", "moved")
NOTHING = ("night", "rain", "fog", "showers", "spider", "lamp", "growth")
SEQUENCES = [(number, (*TROUBLES, *NOTHING)[number % 12]) for number in range(60)]
CHOSEN_BY, UNSEEN = SEQUENCES[:30], SEQUENCES[30:]


def _watched(scene: Scene) -> watching.Watched:
    found = measures_of(scene.frame)
    return watching.Watched(scene.at, found.brightness, found.contrast, found.sharpness, found.one_colour, found.grey)


def told_of(number: int, befalls: str) -> set[CameraTrouble]:
    """What the owner of a camera was told of in the course of a day."""
    field = Field(number)
    usual = [_watched(scene) for scene in days_before(field, DAY, number)]
    pictures: list[watching.Watched] = []
    told: set[CameraTrouble] = set()
    for scene in day_of(field, DAY, number, befalls):
        pictures.append(_watched(scene))
        told |= set(watching.first_seen(pictures[-watching.MOST_PICTURES :], usual))
    return told


@pytest.mark.parametrize("sequences", [CHOSEN_BY, UNSEEN], ids=["chosen by", "unseen"])
def test_troubles_are_found_and_weather_is_none(sequences: list[tuple[int, str]]) -> None:
    missed, false = [], []
    for number, befalls in sequences:
        told = {trouble.value for trouble in told_of(number, befalls)}
        if befalls in TROUBLES and befalls not in told:
            missed.append((number, befalls, told))
        if more := told - {befalls}:
            false.append((number, befalls, more))
    troubled = sum(befalls in TROUBLES for _number, befalls in sequences)
    assert len(missed) <= troubled * 0.05, missed
    # Thirty days of cameras: one false warning for each camera and month at the most.
    assert len(false) <= 1, false
