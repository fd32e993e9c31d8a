"""Drawn pictures for the demonstration: a landscape with what the product is, the same for the same seed."""

from __future__ import annotations

import io
import math
import random

from PIL import Image, ImageDraw, ImageFilter

SIZE = (960, 960)
Colour = tuple[int, int, int]
SKY: dict[str, tuple[Colour, Colour]] = {
    "ham": ((235, 205, 170), (250, 236, 214)),
    "ham_mooncake": ((244, 222, 186), (252, 243, 226)),
    "ginger": ((168, 205, 214), (238, 240, 222)),
    "honey": ((180, 212, 226), (250, 244, 210)),
    "coix": ((176, 204, 222), (240, 238, 220)),
}
HILLS: dict[str, tuple[Colour, ...]] = {
    "ham": ((168, 128, 92), (140, 98, 66)),
    "ham_mooncake": ((214, 178, 126), (196, 152, 98)),
    "ginger": ((112, 150, 112), (82, 124, 84), (122, 92, 58)),
    "honey": ((118, 156, 112), (226, 196, 66), (240, 210, 84)),
    "coix": ((116, 152, 120), (92, 132, 92), (150, 150, 86)),
}


def draw(kind: str, seed: int) -> bytes:
    """A JPEG of a kind of product."""
    chance = random.Random(f"{kind}-{seed}")  # noqa: S311
    picture = _sky(*SKY.get(kind, SKY["ginger"]))
    pen = ImageDraw.Draw(picture)
    for depth, colour in enumerate(HILLS.get(kind, HILLS["ginger"])):
        _hill(pen, chance, 0.38 + depth * 0.15, colour)
    picture = picture.filter(ImageFilter.GaussianBlur(1.2))
    pen = ImageDraw.Draw(picture)
    _MOTIFS.get(kind, _ginger)(pen, chance)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()


def _sky(top: Colour, bottom: Colour) -> Image.Image:
    column = Image.new("RGB", (1, SIZE[1]))
    for y in range(SIZE[1]):
        share = y / SIZE[1]
        column.putpixel((0, y), tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True)))
    return column.resize(SIZE)


def _hill(pen: ImageDraw.ImageDraw, chance: random.Random, level: float, colour: Colour) -> None:
    width, height = SIZE
    phase, pace = chance.uniform(0, 6.3), chance.uniform(1.2, 2.2)
    points = []
    for x in range(0, width + 1, 8):
        rise = math.sin(phase + pace * x / width * math.pi) * 46 + math.sin(phase * 2 + x / 70) * 8
        points.append((x, level * height - rise))
    pen.polygon([*points, (width, height), (0, height)], fill=colour)


def _ginger(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    for row in range(7):
        y = 640 + row * 46
        for x in range(-20, 980, 42):
            lean = chance.randint(-9, 9)
            for blade in (-14, 0, 14):
                pen.line((x, y, x + blade + lean, y - 34 - row * 5), fill=(58, 112 + row * 6, 60), width=5 + row // 2)
    _rhizome(pen, chance, 480, 800)


def _rhizome(pen: ImageDraw.ImageDraw, chance: random.Random, x: int, y: int) -> None:
    for offset in range(-3, 4):
        r = chance.randint(48, 72)
        cx, cy = x + offset * 62, y + chance.randint(-34, 34)
        pen.ellipse(
            (cx - r, cy - r * 0.72, cx + r, cy + r * 0.72), fill=(222, 182, 108), outline=(176, 128, 62), width=4
        )
        pen.arc((cx - r * 0.6, cy - r * 0.6, cx + r * 0.6, cy + r * 0.6), 210, 330, fill=(186, 140, 76), width=3)


def _ham(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    pen.rectangle((0, 120, 960, 150), fill=(92, 60, 38))
    for index in range(5):
        x = 120 + index * 180 + chance.randint(-12, 12)
        drop = 220 + chance.randint(-10, 26)
        pen.line((x, 140, x, drop), fill=(70, 48, 32), width=6)
        pen.polygon([(x - 26, drop), (x + 26, drop), (x + 40, drop + 150), (x - 40, drop + 150)], fill=(206, 150, 96))
        pen.ellipse((x - 82, drop + 110, x + 82, drop + 420), fill=(178, 96, 58), outline=(128, 62, 36), width=5)
        pen.ellipse((x - 48, drop + 190, x + 48, drop + 350), fill=(196, 116, 74))


def _mooncake(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    for row, count in enumerate((2, 3)):
        for index in range(count):
            x = 480 + (index - (count - 1) / 2) * 290
            y = 520 + row * 230 + chance.randint(-8, 8)
            pen.ellipse((x - 132, y - 84, x + 132, y + 110), fill=(150, 92, 40))
            pen.ellipse((x - 132, y - 100, x + 132, y + 86), fill=(222, 160, 82), outline=(178, 116, 48), width=5)
            for angle in range(0, 360, 30):
                dx, dy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
                pen.line((x + dx * 60, y - 7 + dy * 42, x + dx * 104, y - 7 + dy * 72), fill=(186, 122, 54), width=6)
            pen.ellipse((x - 40, y - 34, x + 40, y + 20), outline=(176, 60, 40), width=7)


def _honey(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    for _ in range(900):
        x, y = chance.randint(0, 960), chance.randint(560, 960)
        r = 2 + (y - 560) // 90
        pen.ellipse((x - r, y - r, x + r, y + r), fill=(250, 216, chance.randint(40, 96)))
    pen.rounded_rectangle((350, 440, 610, 830), 46, fill=(226, 150, 34), outline=(150, 92, 20), width=6)
    pen.rounded_rectangle((372, 396, 588, 452), 16, fill=(120, 78, 36))
    pen.rounded_rectangle((378, 560, 582, 720), 12, fill=(252, 244, 220))
    for dx, dy in ((0, 0), (46, 26), (-46, 26), (0, 52)):
        points = [
            (480 + dx + 24 * math.cos(math.radians(a)), 612 + dy + 24 * math.sin(math.radians(a)))
            for a in range(30, 390, 60)
        ]
        pen.polygon(points, outline=(206, 140, 30), width=5)


def _coix(pen: ImageDraw.ImageDraw, chance: random.Random) -> None:
    for _ in range(90):
        x, top = chance.randint(0, 960), chance.randint(430, 640)
        pen.line((x, 960, x + chance.randint(-50, 50), top), fill=(92, 128, 70), width=6)
    for _ in range(260):
        x, y = chance.randint(90, 870), int(chance.triangular(640, 930, 860))
        shade = chance.randint(226, 248)
        pen.ellipse(
            (x - 20, y - 15, x + 20, y + 15), fill=(shade, shade - 10, shade - 40), outline=(190, 170, 130), width=2
        )
        pen.line((x - 8, y, x + 8, y), fill=(150, 112, 76), width=3)


_MOTIFS = {"ham": _ham, "ham_mooncake": _mooncake, "ginger": _ginger, "honey": _honey, "coix": _coix}
