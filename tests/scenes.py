"""What a camera at a field sees: seasons, hours and weather, and what befalls cameras."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import cv2
import numpy as np

WIDTH, HEIGHT, MARGIN = 320, 180, 160
EVERY = timedelta(minutes=30)
WEATHERS = ("sun", "cloud", "rain", "fog")


class Scene(NamedTuple):
    """A moment, the frame of it, and whether what befell the camera shows on it."""

    at: datetime
    frame: np.ndarray
    is_befallen: bool


class Field:
    """One camera's field. The same number gives the same field."""

    def __init__(self, number: int) -> None:
        self._chance = np.random.default_rng(number)
        wide, high = WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN
        ground = self._chance.integers(70, 150, (high // 8, wide // 8, 3), dtype=np.uint8)
        self._ground = cv2.resize(ground, (wide, high), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        fine = self._chance.integers(0, 60, (high // 2, wide // 2, 1), dtype=np.uint8)
        self._ground += cv2.resize(fine, (wide, high), interpolation=cv2.INTER_LINEAR)[..., None] - 30
        horizon = MARGIN + int(self._chance.integers(40, 70))
        self._ground[:horizon] = (215, 190, 160)
        for _ in range(int(self._chance.integers(8, 16))):
            left, top = int(self._chance.integers(0, wide - 30)), int(self._chance.integers(horizon - 30, high - 40))
            size = self._chance.integers(6, 34, 2)
            self._ground[top : top + size[1], left : left + size[0]] = self._chance.integers(20, 230, 3)
        self._plants = self._chance.random((high, wide)) < 0.25
        self._plants[: horizon + 6] = False
        self._height = np.random.default_rng(3).random(self._plants.shape)

    def seen(self, at: datetime, grown: float, weather: str, moved: tuple[int, int] = (0, 0)) -> np.ndarray:
        """A frame.

        :param grown: 0 for bare ground to 1 for dense leaves.
        :param moved: by how many pixels the camera was turned.
        """
        picture = self._ground.copy()
        leaves = self._plants & (self._height < grown)
        picture[leaves] = (60, 130, 70)
        left, top = MARGIN + moved[0], MARGIN + moved[1]
        frame = picture[top : top + HEIGHT, left : left + WIDTH]
        hour = at.hour + at.minute / 60
        light = max(0.0, np.sin((hour - 6.2) / 12.4 * np.pi)) if 6.2 < hour < 18.6 else 0.0
        if not light:
            frame = frame * 0.02 + 3
        elif weather == "fog":
            frame = frame * 0.22 + 150 * (0.5 + 0.5 * light)
        else:
            strength = {"sun": 1.0, "cloud": 0.75, "rain": 0.6}[weather]
            frame = frame * (0.25 + 0.75 * light) * strength
            if weather == "sun":
                shade = np.linspace(1.0 - 0.35 * (hour - 12) / 6, 1.0 + 0.35 * (hour - 12) / 6, WIDTH)
                frame = frame * shade[None, :, None]
        frame = frame + self._chance.normal(0, 2.5, frame.shape)
        if weather == "rain" and light:
            for _ in range(120):
                x, y = int(self._chance.integers(0, WIDTH - 3)), int(self._chance.integers(0, HEIGHT - 14))
                frame[y : y + 12, x : x + 1] += 45
        return np.clip(frame, 0, 255).astype(np.uint8)


def days_before(field: Field, day: datetime, number: int) -> Iterator[Scene]:
    """One picture at noon of each of two weeks."""
    chance = np.random.default_rng(number + 1000)
    for ago in range(14, 0, -1):
        at = (day - timedelta(days=ago)).replace(hour=12, minute=0)
        weather = str(chance.choice(WEATHERS, p=(0.45, 0.3, 0.17, 0.08)))
        yield Scene(at, field.seen(at, 0.6, weather), False)


def day_of(field: Field, day: datetime, number: int, befalls: str) -> Iterator[Scene]:
    """A day from five in the morning to eight in the evening, a picture every half an hour.

    :param befalls: what happens to the camera in the course of it: a trouble's name, or what is none: "night", "rain",
        "fog", "showers", "spider", "lamp", "growth".
    """
    chance = np.random.default_rng(number + 2000)
    since = day.replace(hour=int(chance.integers(8, 12)), minute=0)
    weather = befalls if befalls in WEATHERS else str(chance.choice(WEATHERS[:3]))
    turned = (int(chance.choice([-1, 1]) * chance.integers(40, 120)), int(chance.integers(-20, 20)))
    cloth = chance.integers(40, 200, 3)
    stood: np.ndarray | None = None
    at = day.replace(hour=5, minute=0)
    while at < day.replace(hour=20):
        begun = at >= since
        now = str(chance.choice(WEATHERS[:3])) if befalls == "showers" else weather
        if befalls == "fog" and at.hour >= 10:
            now = "sun"
        grown = 0.9 if befalls == "growth" else 0.62
        frame = field.seen(at, grown, now, turned if befalls == "moved" and begun else (0, 0))
        if befalls == "spider" and begun and chance.random() < 0.2:
            cv2.circle(frame, (int(chance.integers(60, 260)), int(chance.integers(40, 140))), 70, (12, 12, 14), -1)
        if befalls == "lamp" and not 7 <= at.hour < 18:
            cv2.circle(frame, (40, 60), 30, (200, 230, 250), -1)
        if befalls == "black" and begun:
            frame = np.clip(chance.normal(3, 1.5, frame.shape), 0, 255).astype(np.uint8)
        if befalls == "covered" and begun:
            frame = np.clip(cloth + chance.normal(0, 3, frame.shape), 0, 255).astype(np.uint8)
        if befalls == "blurred" and begun:
            frame = cv2.GaussianBlur(frame, (0, 0), 5)
        if befalls == "frozen" and begun:
            stood = frame if stood is None else stood
            frame = stood
        is_befallen = begun and befalls in {"black", "covered", "blurred", "frozen", "moved"}
        yield Scene(at, frame, is_befallen)
        at += EVERY
