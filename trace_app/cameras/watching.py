"""What is wrong with a camera, judged by its latest pictures, with patience: a night, a shower or a spider is nothing.

Only pictures of the day are judged, from eight to five: in the dark all cameras are black.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

import numpy as np

from media_store.glimpses import GREY_SIZE
from trace_app.cameras.models import CameraTrouble
from trace_app.clock import local

DAY = range(8, 17)
"""Hours in which it is light all the year."""
BLACK = 12.0
"""The brightness below which a picture is black."""
ONE_COLOUR = 0.75
"""The share of one colour from which something stands in front of the lens."""
FOG, FOG_CONTRAST = 110.0, 4.5
"""The brightness and the contrast from which it may be fog: a cloth is the same all over."""
DULL = 0.25
"""The part of its usual sharpness below which a picture is blurred."""
SHIFT = 0.08
"""The part of the width by which a picture has moved when its camera has."""
RESPONSE = 0.08
"""How sure the comparison of two pictures has to be."""
PLAIN = 6.0
"""The contrast below which there is too little to see to compare it."""
USUAL = 3
"""Days of which the picture is known before a camera is said to be blurred or moved."""
MISSES = 3
"""Looks in a row without a picture after which a camera is silent."""
FIRST_PICTURES = {
    CameraTrouble.BLACK: 3,
    CameraTrouble.FROZEN: 6,
    CameraTrouble.COVERED: 3,
    CameraTrouble.BLURRED: 6,
    CameraTrouble.MOVED: 3,
}
"""How many pictures in a row show a trouble before anyone is told."""
FOG_PICTURES = 18
MOST_PICTURES = FOG_PICTURES + 2
"""The pictures that are looked at."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of one picture; see `media_store.glimpses.Glimpse`."""

    taken_at: datetime
    brightness: float
    contrast: float
    sharpness: float
    one_colour: float
    grey: bytes


def first_seen(latest: Sequence[Watched], usual: Sequence[Watched]) -> dict[CameraTrouble, datetime]:
    """The troubles that the latest pictures show, each with the moment of the first picture of the row that shows it.

    :param latest: of one camera, oldest first.
    :param usual: one of each of the days before.
    """
    by_day = [one for one in latest if local(one.taken_at).hour in DAY]
    signs = _signs(usual)
    found: dict[CameraTrouble, datetime] = {}
    for trouble, shows in signs.items():
        row = _row_at_end(by_day, shows)
        if trouble is CameraTrouble.FROZEN and row:
            row = _frozen_row(by_day)
        enough = FIRST_PICTURES[trouble]
        if (
            trouble is CameraTrouble.COVERED
            and row
            and all(one.brightness > FOG and one.contrast > FOG_CONTRAST for one in row)
        ):
            enough = FOG_PICTURES
        if len(row) >= enough:
            found[trouble] = row[0].taken_at
    # Who is covered or black is no less sharp than that.
    if CameraTrouble.BLACK in found or CameraTrouble.COVERED in found:
        found.pop(CameraTrouble.BLURRED, None)
        found.pop(CameraTrouble.MOVED, None)
    return found


def still_shown(latest: Sequence[Watched], usual: Sequence[Watched], trouble: CameraTrouble) -> bool:
    """Whether one of the last two pictures by day shows a trouble; one good picture alone may be chance."""
    by_day = [one for one in latest if local(one.taken_at).hour in DAY][-2:]
    if trouble is CameraTrouble.FROZEN:
        return len(by_day) == 2 and by_day[0].grey == by_day[1].grey
    shows = _signs(usual).get(trouble)
    return len(by_day) < 2 or (shows is not None and any(shows(one) for one in by_day))


def _signs(usual: Sequence[Watched]) -> dict[CameraTrouble, Callable[[Watched], bool]]:
    signs: dict[CameraTrouble, Callable[[Watched], bool]] = {
        CameraTrouble.BLACK: lambda one: one.brightness < BLACK,
        CameraTrouble.FROZEN: lambda _one: True,
        CameraTrouble.COVERED: lambda one: one.one_colour > ONE_COLOUR and one.brightness >= BLACK,
    }
    if len(usual) >= USUAL:
        sharp = median(one.sharpness for one in usual)
        references = [_edges(one.grey) for one in usual[-USUAL:]]
        signs |= {
            CameraTrouble.BLURRED: lambda one: one.sharpness < DULL * sharp,
            CameraTrouble.MOVED: lambda one: one.contrast > PLAIN and _has_moved(_edges(one.grey), references),
        }
    return signs


def _may_be_fog(one: Watched) -> bool:
    return one.brightness > FOG and one.contrast > FOG_CONTRAST


def _row_at_end(pictures: Sequence[Watched], shows: Callable[[Watched], bool]) -> list[Watched]:
    row: list[Watched] = []
    for one in reversed(pictures):
        if not shows(one):
            break
        row.insert(0, one)
    return row


def _frozen_row(pictures: Sequence[Watched]) -> list[Watched]:
    """The pictures at the end that are the same: of a camera that works no two are, by its noise alone."""
    return _row_at_end(pictures, lambda one: one.grey == pictures[-1].grey)


def _edges(grey: bytes) -> np.ndarray:
    """The changes of brightness from place to place: light and shade of another hour matter less to them."""
    picture = np.frombuffer(grey, np.uint8).reshape(GREY_SIZE[::-1]).astype(np.float32)
    down, across = np.gradient(picture)
    edges = np.hypot(down, across)
    window = np.outer(np.hanning(edges.shape[0]), np.hanning(edges.shape[1]))
    return np.asarray((edges - edges.mean()) * window)


def _has_moved(edges: np.ndarray, references: Sequence[np.ndarray]) -> bool:
    """Whether a picture fits all earlier ones only when it is moved aside."""
    return all(_shift(edges, reference) > SHIFT * GREY_SIZE[0] for reference in references)


def _shift(one: np.ndarray, other: np.ndarray) -> float:
    """The pixels by which two pictures are apart, by phase correlation; 0 where that can't be told."""
    product = np.fft.fft2(one) * np.conj(np.fft.fft2(other))
    correlation = np.fft.ifft2(product / np.maximum(np.abs(product), 1e-9)).real
    down, across = np.unravel_index(int(correlation.argmax()), correlation.shape)
    if correlation.max() < RESPONSE:
        return 0.0
    height, width = correlation.shape
    return float(np.hypot(min(down, height - down), min(across, width - across)))
