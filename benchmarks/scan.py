"""How often a label is read, damaged and photographed badly: ours against the same URL from qrcode as it comes.

Needs nothing but requirements-dev.txt and `make .venv/.node` (for jsQR). 600 pictures of each side, made from a
fixed seed: the same faults, of the same strength and at the same place, befall both, at the same printed size with
four modules of white around. Read by zxing-cpp, OpenCV and jsQR.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import timing  # isort: skip  (finds the project)
import cv2
import numpy as np
import qrcode
import zxingcpp
from numpy.random import Generator
from numpy.typing import NDArray

from qr.codes import CODE_LENGTH, CodeBook
from qr.stock import STOCKS
from qr.symbol import QUIET_ZONE_MODULES, Mask, SymbolFamily, SymbolForm, symbol_family, unpack
from tests.node.install import HERE as NODE_FOLDER
from tests.node.install import NODE

PREFIX = "HTTPS://T.QJ.CN/"
BOOK = CodeBook({1: bytes(range(32))})
SIDE = 400
"""Pixels of a symbol with its quiet zone before it is photographed."""
FRAME = 640
Picture = NDArray[np.uint8]


def ours(code: str) -> Picture:
    """The symbol of our default label: its form follows from the host, its mask is the best of eight."""
    return drawn(symbol_family(PREFIX, CODE_LENGTH, "best"), code)


def drawn(family: SymbolFamily, code: str) -> Picture:
    suffix = np.frombuffer(code.encode(), dtype=np.uint8)[None]
    return printed(unpack(family.symbols(suffix)[0], family.form.size))


def in_form(version: int, level: str, mask: Mask = "best") -> Callable[[str], Picture]:
    """The same text in a form that we did not choose."""
    family = SymbolFamily(PREFIX, CODE_LENGTH, SymbolForm(version, level, mask))
    return lambda code: drawn(family, code)


def peer(code: str) -> Picture:
    """qrcode's defaults: level M, border 4, the smallest version that fits, its own choice of mask."""
    symbol = qrcode.QRCode()
    symbol.add_data(PREFIX + code)
    symbol.make(fit=True)
    modules = np.array(symbol.modules, dtype=np.bool_)
    return printed(modules)


def printed(modules: NDArray[np.bool_]) -> Picture:
    """A symbol at a given printed size: the more modules it has, the smaller each is."""
    framed = np.pad(modules, QUIET_ZONE_MODULES)
    fine = np.where(np.kron(framed, np.ones((16, 16))), 0, 255).astype(np.uint8)
    return cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def on_a_pack(symbol: Picture, chance: Generator) -> Picture:
    """A photo of the symbol on a light ground, a little turned."""
    frame = np.full((FRAME, FRAME), 225, dtype=np.uint8)
    at = (FRAME - SIDE) // 2
    frame[at : at + SIDE, at : at + SIDE] = symbol
    turn = cv2.getRotationMatrix2D((FRAME / 2, FRAME / 2), float(chance.uniform(-12, 12)), 1.0)
    return cv2.warpAffine(frame, turn, (FRAME, FRAME), borderValue=225)


def blur(picture: Picture, chance: Generator) -> Picture:
    """Out of focus by 0.35 to 0.6 of a module of version 2, or moved by 1 to 2.2 modules while the shutter was open."""
    module = SIDE / 33
    if chance.random() < 0.5:
        return cv2.GaussianBlur(picture, (0, 0), module * float(chance.uniform(0.35, 0.6)))
    length, angle = module * float(chance.uniform(1, 2.2)), float(chance.uniform(0, np.pi))
    side = 2 * int(length) + 3
    path = np.zeros((side * 8, side * 8), dtype=np.uint8)
    half = np.array([np.cos(angle), np.sin(angle)]) * length * 4
    middle = np.array([side * 4, side * 4])
    cv2.line(path, tuple(int(v) for v in middle - half), tuple(int(v) for v in middle + half), 255, 8)
    kernel = cv2.resize(path, (side, side), interpolation=cv2.INTER_AREA).astype(np.float64)
    return cv2.filter2D(picture, -1, kernel / kernel.sum())


def perspective(picture: Picture, chance: Generator) -> Picture:
    square = np.array([(0, 0), (FRAME, 0), (FRAME, FRAME), (0, FRAME)], dtype=np.float32)
    moved = square + chance.uniform(-0.2, 0.2, (4, 2)).astype(np.float32) * FRAME * 0.75
    return cv2.warpPerspective(picture, cv2.getPerspectiveTransform(square, moved), (FRAME, FRAME), borderValue=225)


def noise(picture: Picture, chance: Generator) -> Picture:
    """Low contrast in dim light."""
    low = float(chance.uniform(0.12, 0.35))
    dim = 110 + (picture.astype(np.float64) - 128) * low
    return (dim + chance.normal(0, float(chance.uniform(6, 18)), picture.shape)).clip(0, 255).astype(np.uint8)


def damage(picture: Picture, chance: Generator) -> Picture:
    """5 to 15 % of the symbol lost in one place or two: torn off, stained or scratched, wherever it falls."""
    hurt = picture.copy()
    inner = SIDE * 25 // 33
    near = (FRAME - inner) // 2
    area = float(chance.uniform(0.05, 0.15)) * inner**2
    pieces = int(chance.integers(1, 3))
    for _ in range(pieces):
        x, y = (int(v) for v in near + chance.uniform(0, inner, 2))
        colour = int(chance.choice([20, 235, 150]))
        if chance.random() < 0.5:
            width = float(chance.uniform(8, 24))
            half = area / pieces / width / 2
            angle = float(chance.uniform(0, np.pi))
            ends = [(int(x + s * half * np.cos(angle)), int(y + s * half * np.sin(angle))) for s in (-1, 1)]
            cv2.line(hurt, ends[0], ends[1], colour, round(width))
        else:
            ratio = float(chance.uniform(0.5, 2))
            across = np.sqrt(area / pieces / np.pi * ratio)
            axes = (int(across), int(across / ratio))
            cv2.ellipse(hurt, (x, y), axes, float(chance.uniform(0, 180)), 0, 360, colour, -1)
    return hurt


def small_jpeg(picture: Picture, chance: Generator) -> Picture:
    side = int(chance.integers(95, 150))
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    packed = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, int(chance.integers(20, 50))])[1]
    return cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)


def curved(picture: Picture, chance: Generator) -> Picture:
    """Round a jar or a ham, with light on one side."""
    radius = FRAME * float(chance.uniform(0.36, 0.5))
    x, y = np.meshgrid(np.arange(FRAME, dtype=np.float32), np.arange(FRAME, dtype=np.float32))
    across = np.clip((x - FRAME / 2) / radius, -0.999, 0.999)
    source = (np.arcsin(across) * radius + FRAME / 2).astype(np.float32)
    sag = (np.sqrt(1 - across**2) * float(chance.uniform(0, 30))).astype(np.float32)
    bent = cv2.remap(picture, source, y + sag, cv2.INTER_LINEAR, borderValue=225)
    shade = 0.45 + 0.55 * np.sqrt(1 - (across * 0.9) ** 2)
    return (bent * shade).clip(0, 255).astype(np.uint8)


def all_of_them(picture: Picture, chance: Generator) -> Picture:
    """A little of each."""
    mild = cv2.addWeighted(damage(picture, chance), 0.6, picture, 0.4, 0)
    bent = perspective(curved(mild, chance), chance)
    soft = cv2.GaussianBlur(bent, (0, 0), float(chance.uniform(1.5, 3)))
    dim = (70 + soft.astype(np.float64) * 0.5 + chance.normal(0, 6, soft.shape)).clip(0, 255).astype(np.uint8)
    side = int(chance.integers(220, 320))
    packed = cv2.imencode(
        ".jpg", cv2.resize(dim, (side, side), interpolation=cv2.INTER_AREA), [cv2.IMWRITE_JPEG_QUALITY, 50]
    )
    return cv2.imdecode(packed[1], cv2.IMREAD_GRAYSCALE)


# What decides (blur, damage, all) is tried more often than what both read nearly always.
KINDS: dict[str, tuple[Callable[[Picture, Generator], Picture], int]] = {
    "blur": (blur, 160),
    "damage": (damage, 140),
    "all": (all_of_them, 120),
    "perspective": (perspective, 45),
    "noise_low_contrast": (noise, 45),
    "small_jpeg": (small_jpeg, 45),
    "curved": (curved, 45),
}


def by_zxing(picture: Picture) -> str | None:
    found = [r.text for r in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)]
    return found[0] if found else None


def by_opencv(picture: Picture) -> str | None:
    return cv2.QRCodeDetector().detectAndDecode(picture)[0] or None


@contextmanager
def jsqr() -> Iterator[Callable[[Picture], str | None]]:
    """jsQR in a Node.js of its own, a picture at a time."""
    process = subprocess.Popen(
        [NODE, NODE_FOLDER / "jsqr.mjs"], cwd=NODE_FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"

        def read(picture: Picture) -> str | None:
            assert process.stdin
            assert process.stdout
            path.write_bytes(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGBA).tobytes())
            height, width = picture.shape
            process.stdin.write(json.dumps({"file": str(path), "width": width, "height": height}) + "\n")
            process.stdin.flush()
            answer: str | None = json.loads(process.stdout.readline())
            return answer

        yield read
        process.stdin.close()
        process.wait()


def main() -> None:
    options = timing.arguments(__doc__ or "", forms="compare with the forms that were not chosen, too")
    quick = options.quick
    sides: dict[str, Callable[[str], Picture]] = {"ours": ours, "peer": peer}
    if options.forms:
        others = {
            "2-Q mask 0": in_form(2, "Q", 0),
            "2-L": in_form(2, "L"),
            "3-Q": in_form(3, "Q"),
            "3-H": in_form(3, "H"),
        }
        sides |= others
    print(f"Default label {STOCKS['roll-60x40'].name}: {symbol_family(PREFIX, CODE_LENGTH, 'best').form}")
    results: dict[str, dict[str, dict[str, float]]] = {side: {} for side in sides}
    with jsqr() as read_by_jsqr:
        decoders = {"zxing": by_zxing, "opencv": by_opencv, "jsqr": read_by_jsqr}
        for number, (kind, (fault, count)) in enumerate(KINDS.items()):
            pictures = count // 5 if quick else count
            hits = {side: dict.fromkeys((*decoders, "any"), 0) for side in sides}
            for picture in range(pictures):
                code = BOOK.code(1, number * 1000 + picture)
                for side, make in sides.items():
                    chance = np.random.default_rng([530300, number, picture])
                    photo = fault(on_a_pack(make(code), chance), chance)
                    read = {name: decode(photo) == PREFIX + code for name, decode in decoders.items()}
                    for name, right in (*read.items(), ("any", any(read.values()))):
                        hits[side][name] += right
            for side in sides:
                results[side][kind] = {name: round(right / pictures, 3) for name, right in hits[side].items()}
            print(
                f"{kind:<20} {pictures:>3} pictures  "
                + "  ".join(
                    f"{name} " + " / ".join(f"{results[side][kind][name]:.2f}" for side in sides)
                    for name in (*decoders, "any")
                )
            )
    print(f"(each: {' / '.join(sides)})")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
