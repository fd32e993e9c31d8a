"""Grading a printed label from a photo, by the parameters of ISO/IEC 15415 as far as a photo allows.

The symbol is read, and made anew from its text: so each of its modules is known. The photo is laid on that
grid, and what differs is measured. A verifier has a fixed light, distance and aperture; a phone has not, so
reflectance is taken relative to the lightest part around the symbol, and grades are an estimate that leans to
the strict side of what a phone can see.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
import qrcode.base
import qrcode.exceptions
import qrcode.util
import zxingcpp
from numpy.typing import NDArray

from qr.reading import open_picture, qr_codes
from qr.symbol import ERROR_CORRECTION, LEVELS, QUIET_ZONE_MODULES, SymbolForm, capacity, mode_for, reference_symbol

GRADES = "FDCBA"
"""The letters of the grades by their number: 0 is F, 4 is A."""
PIXELS_PER_MODULE = 12
MARGIN_MODULES = 6
"""Around the symbol in the straightened picture: the quiet zone and a little more."""
MOST_TILT = 0.12
"""Difference of opposite sides from which on a tilted photo is not judged for evenness."""

CLEAR = 0.92
"""Share of light modules that a side of the quiet zone must have."""
FEW_PIXELS = 2.6
"""A module that has fewer pixels than this in the photo can't be judged: the photo is at fault and not the print."""
MOST_WRONG = 0.2
"""Share of modules: a symbol that reads has fewer wrong ones, so with more it is another symbol than we think."""
GAIN = 0.22
SOFT = 0.3
"""Limits in modules: strokes are too wide or too thin by more than the first, edges blurred by more than the second."""

Picture = NDArray[np.uint8]


class NoSymbol(ValueError):
    """There is no QR symbol in the picture, or it is too damaged to be found."""


class NotGradable(ValueError):
    """The symbol reads, but is not written as ours are: its modules can't be known from its text."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a photo tells of a printed symbol.

    ``grades`` maps each parameter to 0 (F) to 4 (A): ``decode``, ``symbol_contrast``, ``modulation``,
    ``fixed_pattern_damage``, ``axial_nonuniformity``, ``grid_nonuniformity``, ``unused_error_correction``,
    ``quiet_zone``. ``values`` holds the measured numbers. ``hints`` names what to mend, the most important first.
    """

    text: str
    form: SymbolForm | None
    grades: dict[str, int]
    values: dict[str, float]
    hints: list[str]

    @property
    def grade(self) -> str:
        """The symbol's: that of its weakest parameter."""
        return GRADES[min(self.grades.values())]


def verify(data: bytes) -> Verification:
    """Grade the symbol in a photo.

    :param data: a JPEG, PNG or WebP.
    :raises UnreadablePicture: for what is no picture.
    :raises NoSymbol: where no symbol is found.
    :raises NotGradable: for a symbol of several modes, or one that is not of ours in another way.
    """
    return verify_picture(open_picture(data))


def verify_picture(picture: Picture) -> Verification:
    """`verify` of a grey picture, shape ``(height, width)``."""
    read = _read(picture)
    if read is None:
        found = _found_but_unread(picture)
        if not found:
            raise NoSymbol("no QR symbol in the picture")
        return Verification("", None, {"decode": 0}, {}, ["unreadable"])
    text, form, corners = read
    ideal = _ideal(text, form)
    if ideal is None:
        raise NotGradable(text)
    straight, transform, fit = _straighten(picture, corners, ideal)
    modules = _module_means(straight, form.size)
    measured = _Measured(modules, ideal, form)
    if measured.wrong.mean() > MOST_WRONG:
        raise NotGradable(text)
    grades, values = {"decode": 4}, {"fit": fit}
    for name, (grade, value) in {
        "symbol_contrast": measured.symbol_contrast(),
        "unused_error_correction": measured.unused_error_correction(),
        "modulation": measured.modulation(),
        "fixed_pattern_damage": measured.fixed_pattern_damage(),
        "quiet_zone": measured.quiet_zone(),
        "axial_nonuniformity": _axial_nonuniformity(transform, form.size),
        "grid_nonuniformity": _grid_nonuniformity(straight, ideal),
    }.items():
        values[name] = value
        if grade is not None:
            grades[name] = grade
    values["ink_gain"], values["edge_width"] = _edges(straight, ideal)
    values["module_pixels"] = _module_pixels(transform, form.size)
    return Verification(text, form, grades, values, list(_hints(grades, values, measured)))


def _read(picture: Picture) -> tuple[str, SymbolForm, NDArray[np.float32]] | None:
    """Text, form and outer corners (from top left, clockwise) of the largest symbol that reads."""
    results = [r for r in zxingcpp.read_barcodes(picture, formats=qr_codes()) if r.valid]
    if results:
        result = max(results, key=lambda r: abs(_area(_zxing_corners(r))))
        extra: dict[str, Any] = dict(cast(dict[str, Any], result.extra))
        corners = _zxing_corners(result)
        version = int(extra.get("Version", 2))
        form = SymbolForm(version, str(result.ec_level), int(extra.get("DataMask", 0)), mode_for(result.text))
        return result.text, form, corners
    text, points, modules = cv2.QRCodeDetector().detectAndDecode(picture)
    if not text or points is None or modules is None:
        return None
    size = modules.shape[0]
    form_or_none = _form_of(text, np.asarray(modules) < 128, (size - 17) // 4)
    return (text, form_or_none, points.reshape(4, 2).astype(np.float32)) if form_or_none else None


def _zxing_corners(result: Any) -> NDArray[np.float32]:
    p = result.position
    points = (p.top_left, p.top_right, p.bottom_right, p.bottom_left)
    return np.array([(q.x, q.y) for q in points], dtype=np.float32)


def _area(corners: NDArray[np.float32]) -> float:
    return float(cv2.contourArea(corners))


def _form_of(text: str, modules: NDArray[np.bool_], version: int) -> SymbolForm | None:
    """The form whose symbol of the text is most like what was read."""
    forms = [
        SymbolForm(version, level, mask, mode_for(text))
        for level in LEVELS
        for mask in range(8)
        if _holds(text, version, level)
    ]
    ideals = [(form, ideal) for form in forms if (ideal := _ideal(text, form)) is not None]
    return min(ideals, key=lambda pair: int((pair[1] ^ modules).sum()), default=(None, None))[0]


def _ideal(text: str, form: SymbolForm) -> NDArray[np.bool_] | None:
    """The modules that a text has in a form; None where the form can't hold it in one mode."""
    try:
        return reference_symbol(text, form)
    except (qrcode.exceptions.DataOverflowError, ValueError):
        return None


def _holds(text: str, version: int, level: str) -> bool:
    return 1 <= version <= 10 and capacity(version, level, mode_for(text)) >= len(text.encode())


def _found_but_unread(picture: Picture) -> bool:
    results = zxingcpp.read_barcodes(picture, formats=qr_codes(), return_errors=True)
    found, _ = cv2.QRCodeDetector().detect(picture)
    return bool(results) or bool(found)


def _straighten(
    picture: Picture, corners: NDArray[np.float32], ideal: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float64], float]:
    """The symbol with its surroundings upright at `PIXELS_PER_MODULE`, the way there, and how well it fits (0 to 1)."""
    size = len(ideal)
    side = (size + 2 * MARGIN_MODULES) * PIXELS_PER_MODULE
    near, far = MARGIN_MODULES * PIXELS_PER_MODULE, (MARGIN_MODULES + size) * PIXELS_PER_MODULE
    goal = np.array([(near, near), (far, near), (far, far), (near, far)], dtype=np.float32)
    to_picture = cv2.getPerspectiveTransform(goal, corners).astype(np.float64)
    template = np.full((side, side), 255, dtype=np.uint8)
    template[near:far, near:far] = np.where(np.kron(ideal, np.ones((PIXELS_PER_MODULE,) * 2)), 0, 255)
    # A little of the quiet zone belongs to it, what is printed beyond does not.
    mask = np.zeros_like(template)
    edge = 2 * PIXELS_PER_MODULE
    mask[near - edge : far + edge, near - edge : far + edge] = 255
    softened = cv2.GaussianBlur(template, (0, 0), PIXELS_PER_MODULE / 4)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
    try:
        fit, step = cv2.findTransformECC(
            softened,
            _warped(picture, to_picture, side),
            np.eye(3, dtype=np.float32),
            cv2.MOTION_HOMOGRAPHY,
            criteria,
            mask,
            5,
        )
    except cv2.error:
        # It did not converge: the corners stay as they were read.
        fit = 0.0
    else:
        to_picture = to_picture @ step.astype(np.float64)
    return _reflectance(_warped(picture, to_picture, side)), to_picture, float(fit)


def _warped(picture: Picture, to_picture: NDArray[np.float64], side: int) -> Picture:
    """The part of the picture that the transform leads to; what lies outside of it is black."""
    shrinking = _module_pixels(to_picture, side // PIXELS_PER_MODULE - 2 * MARGIN_MODULES) / PIXELS_PER_MODULE
    source = cv2.GaussianBlur(picture, (0, 0), shrinking / 2) if shrinking > 1.5 else picture
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(
        source, to_picture, (side, side), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    )
    return cast(Picture, warped)


def _reflectance(grey: Picture) -> NDArray[np.float32]:
    """Linear light, 1 at the lightest place near the symbol: light falls off slowly over a label, ink does not."""
    scaled = grey.astype(np.float32) / 255
    linear = np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4).astype(np.float32)
    small = cv2.resize(linear, None, fx=1 / PIXELS_PER_MODULE, fy=1 / PIXELS_PER_MODULE, interpolation=cv2.INTER_AREA)
    paper = cv2.GaussianBlur(cv2.dilate(small, np.ones((9, 9))), (0, 0), 4)
    full = cv2.resize(paper, (linear.shape[1], linear.shape[0]), interpolation=cv2.INTER_LINEAR)
    reflectance: NDArray[np.float32] = np.clip(linear / np.maximum(full, 0.02), 0, 1.05).astype(np.float32)
    return reflectance


def _module_means(straight: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """Reflectance of each module through an aperture of 0.8 of its side, with the margin around the symbol."""
    total = size + 2 * MARGIN_MODULES
    cells = straight.reshape(total, PIXELS_PER_MODULE, total, PIXELS_PER_MODULE)
    cut = round(PIXELS_PER_MODULE * 0.1)
    inner = cells[:, cut : PIXELS_PER_MODULE - cut, :, cut : PIXELS_PER_MODULE - cut]
    means: NDArray[np.float64] = inner.mean(axis=(1, 3), dtype=np.float64)
    return means


def _graded(value: float, steps: tuple[float, float, float, float]) -> int:
    """4 where the value reaches the first step, 3 for the second, …, 0 below the last."""
    return sum(value >= step for step in steps)


class _Measured:
    """Modules of a photo beside those that the symbol should have."""

    def __init__(self, modules: NDArray[np.float64], ideal: NDArray[np.bool_], form: SymbolForm) -> None:
        self._form = form
        self._ideal = ideal
        self._all = modules
        edge = MARGIN_MODULES
        self.inside = modules[edge:-edge, edge:-edge]
        light, dark = self.inside[~ideal], self.inside[ideal]
        self.light, self.dark = float(np.quantile(light, 0.9)), float(np.quantile(dark, 0.1))
        self.threshold = (float(np.median(light)) + float(np.median(dark))) / 2
        self.wrong = (self.inside < self.threshold) != ideal
        self.words = _codeword_places(form)

    def symbol_contrast(self) -> tuple[int, float]:
        """Clause 7.8.3: lightest less darkest."""
        contrast = self.light - self.dark
        return _graded(contrast, (0.70, 0.55, 0.40, 0.20)), contrast

    def modulation(self) -> tuple[int, float]:
        """Clause 7.8.4: how far each module is from the threshold, in relation to the contrast.

        For each grade, the words below it count as errors; the grade that error correction still carries is taken.
        """
        contrast = max(self.light - self.dark, 1e-6)
        signed = (self.inside - self.threshold) * np.where(self._ideal, -1, 1)
        values = np.clip(2 * signed / contrast, 0, 1)
        by_word = np.array([min((float(values[y, x]) for y, x in places), default=1.0) for places in self.words])
        best = 0
        for grade, least in ((4, 0.50), (3, 0.40), (2, 0.30), (1, 0.20)):
            notional = _graded(self._unused(by_word < least), (0.62, 0.50, 0.37, 0.25))
            best = max(best, min(grade, notional))
        return best, float(np.quantile(by_word, 0.1))

    def unused_error_correction(self) -> tuple[int, float]:
        """Clause 7.8.8."""
        bad = np.array([any(self.wrong[y, x] for y, x in places) for places in self.words])
        unused = self._unused(bad)
        return _graded(unused, (0.62, 0.50, 0.37, 0.25)), unused

    def _unused(self, bad: NDArray[np.bool_]) -> float:
        """1 - 2e / (d - p) of the block that has used most."""
        shares = []
        for members, data in _blocks(self._form):
            spare = len(members) - data - _misdecode_protection(self._form)
            shares.append(1 - 2 * int(bad[members].sum()) / spare)
        return max(0.0, min(shares))

    def fixed_pattern_damage(self) -> tuple[int, float]:
        """Clause 7.8.5 and ISO/IEC 18004 annex: finders with their separators, timing, alignment, format."""
        size = self._form.size
        corners = [(0, 0), (0, size - 8), (size - 8, 0)]
        grades = [4 - min(4, int(self.wrong[y : y + 8, x : x + 8].sum())) for y, x in corners]
        timing = np.concatenate([self.wrong[6, 8 : size - 8], self.wrong[8 : size - 8, 6]])
        grades.append(_graded(-float(timing.mean()), (-0.0, -0.07, -0.11, -0.14)))
        places = qrcode.util.pattern_position(self._form.version)
        aligned = [
            self.wrong[y - 2 : y + 3, x - 2 : x + 3].mean()
            for y in places
            for x in places
            if not ((y < 9 and x < 9) or (y < 9 and x > size - 10) or (y > size - 10 and x < 9))
        ]
        if aligned:
            grades.append(_graded(-float(max(aligned)), (-0.0, -0.10, -0.20, -0.30)))
        return min(grades), float(self.wrong[_function_modules(self._form)].mean())

    def quiet_zone(self) -> tuple[int, float]:
        """The share of clear modules in the worst side of the quiet zone, and whether its width is whole."""
        worst = min(self.quiet_sides().values())
        return _graded(worst, (0.97, 0.92, 0.85, 0.70)), worst

    def quiet_sides(self) -> dict[str, float]:
        edge, size = MARGIN_MODULES, self._form.size
        near, far = edge - QUIET_ZONE_MODULES, edge + size + QUIET_ZONE_MODULES
        zones = {
            "top": self._all[near:edge, edge : edge + size],
            "bottom": self._all[edge + size : far, edge : edge + size],
            "left": self._all[edge : edge + size, near:edge],
            "right": self._all[edge : edge + size, edge + size : far],
        }
        return {side: float((zone >= self.threshold).mean()) for side, zone in zones.items()}


def _misdecode_protection(form: SymbolForm) -> int:
    """p of ISO/IEC 18004 table 9: of versions 1 to 3."""
    return {(1, "L"): 3, (1, "M"): 2, (1, "Q"): 1, (1, "H"): 1, (2, "L"): 2, (3, "L"): 1}.get(
        (form.version, form.level), 0
    )


def _blocks(form: SymbolForm) -> list[tuple[list[int], int]]:
    """The places of each block's words in the final sequence (clause 7.6), and how many of them are data."""
    rs = qrcode.base.rs_blocks(form.version, ERROR_CORRECTION[form.level])
    members: list[list[int]] = [[] for _ in rs]
    at = 0
    for row in range(max(block.data_count for block in rs)):
        for number, block in enumerate(rs):
            if row < block.data_count:
                members[number].append(at)
                at += 1
    for _ in range(rs[0].total_count - rs[0].data_count):
        for number in range(len(rs)):
            members[number].append(at)
            at += 1
    return [(places, block.data_count) for places, block in zip(members, rs, strict=True)]


def _function_modules(form: SymbolForm) -> NDArray[np.bool_]:
    """Modules that carry no data: the same at all masks and texts but for format and version information."""
    size, version = form.size, form.version
    fixed = np.zeros((size, size), dtype=np.bool_)
    fixed[:9, :9] = fixed[:9, size - 8 :] = fixed[size - 8 :, :9] = True
    fixed[6, :] = fixed[:, 6] = True
    places = qrcode.util.pattern_position(version)
    for y in places:
        for x in places:
            if not ((y < 9 and x < 9) or (y < 9 and x > size - 10) or (y > size - 10 and x < 9)):
                fixed[y - 2 : y + 3, x - 2 : x + 3] = True
    if version >= 7:
        fixed[:6, size - 11 : size - 8] = fixed[size - 11 : size - 8, :6] = True
    return fixed


def _codeword_places(form: SymbolForm) -> list[list[tuple[int, int]]]:
    """The eight modules of each word, in the order of placement (clause 7.7.3)."""
    fixed, size = _function_modules(form), form.size
    order = list(_data_order(fixed, size))
    words = len(order) // 8
    return [order[word * 8 : word * 8 + 8] for word in range(words)]


def _data_order(fixed: NDArray[np.bool_], size: int) -> Iterator[tuple[int, int]]:
    upwards = True
    right = size - 1
    while right > 0:
        right -= right == 6
        for step in range(size):
            y = size - 1 - step if upwards else step
            for x in (right, right - 1):
                if not fixed[y, x]:
                    yield y, x
        upwards = not upwards
        right -= 2


def _sides(transform: NDArray[np.float64], size: int) -> list[float]:
    """Lengths of the symbol's sides in the photo: top, right, bottom, left."""
    near, far = MARGIN_MODULES * PIXELS_PER_MODULE, (MARGIN_MODULES + size) * PIXELS_PER_MODULE
    square = np.array([[(near, near), (far, near), (far, far), (near, far)]], dtype=np.float64)
    points = cv2.perspectiveTransform(square, transform)[0]
    return [math.dist(points[i], points[(i + 1) % 4]) for i in range(4)]


def _module_pixels(transform: NDArray[np.float64], size: int) -> float:
    return min(_sides(transform, size)) / size


def _axial_nonuniformity(transform: NDArray[np.float64], size: int) -> tuple[int | None, float]:
    """Clause 7.8.6: how much longer the one axis is. Not graded where the photo is tilted: that does the same."""
    top, right, bottom, left = _sides(transform, size)
    across, down = (top + bottom) / 2, (left + right) / 2
    value = abs(across - down) / ((across + down) / 2)
    tilt = max(abs(top - bottom) / across, abs(left - right) / down)
    if tilt > MOST_TILT or (tilt > 0.02 and value > 0.06):
        return None, value
    return _graded(-value, (-0.06, -0.08, -0.10, -0.12)), value


def _grid_nonuniformity(straight: NDArray[np.float32], ideal: NDArray[np.bool_]) -> tuple[int, float]:
    """Clause 7.8.7: the largest shift of a part of the symbol from the even grid, in modules.

    The symbol is cut in fields of about seven modules, each of which is looked for near its place.
    """
    size, pixels = len(ideal), PIXELS_PER_MODULE
    template = np.where(np.kron(ideal, np.ones((pixels, pixels))), 0, 1).astype(np.float32)
    template = cast(NDArray[np.float32], cv2.GaussianBlur(template, (0, 0), pixels / 4))
    reach = pixels
    shifts = []
    parts = max(2, size // 7)
    edges = np.linspace(0, size, parts + 1).astype(int)
    for top, bottom in itertools.pairwise(edges):
        for left, right in itertools.pairwise(edges):
            field = template[top * pixels : bottom * pixels, left * pixels : right * pixels]
            if not 0.2 < field.mean() < 0.8:
                continue
            y, x = (MARGIN_MODULES + top) * pixels, (MARGIN_MODULES + left) * pixels
            height, width = field.shape
            area = straight[y - reach : y + height + reach, x - reach : x + width + reach]
            score = cv2.matchTemplate(area, field, cv2.TM_CCOEFF_NORMED)
            _, best, _, place = cv2.minMaxLoc(score)
            if best > 0.5:
                shifts.append(math.hypot(place[0] - reach, place[1] - reach) / pixels)
    value = float(np.max(shifts)) if shifts else 0.0
    return _graded(-value, (-0.38, -0.50, -0.63, -0.75)), value


def _edges(straight: NDArray[np.float32], ideal: NDArray[np.bool_]) -> tuple[float, float]:
    """The modules by which dark ones are too wide (positive) or too narrow, and the width of an edge in modules."""
    size, near = len(ideal), MARGIN_MODULES * PIXELS_PER_MODULE
    inside = straight[near:-near, near:-near]
    light, dark = float(np.quantile(inside, 0.9)), float(np.quantile(inside, 0.1))
    if light - dark < 0.1:
        return 0.0, 0.0
    ink = ((light - inside) / (light - dark)).clip(0, 1)
    edges = int((ideal[:, 1:] != ideal[:, :-1]).sum() + (ideal[1:] != ideal[:-1]).sum())
    gain = (float(ink.mean()) - float(ideal.mean())) * size**2 / edges * 2
    between = float(((ink > 0.2) & (ink < 0.8)).mean())
    return gain, between * size**2 / edges


def _hints(grades: dict[str, int], values: dict[str, float], measured: _Measured) -> Iterator[str]:
    """What to mend, for each parameter that is not good."""
    for side, share in sorted(measured.quiet_sides().items(), key=lambda side: side[1]):
        if share < CLEAR:
            yield f"quiet-zone-{side}"
    if values["module_pixels"] < FEW_PIXELS:
        yield "photo-too-far"
    if grades["symbol_contrast"] <= 2:
        yield "print-darker" if measured.dark > 0.25 else "background-too-dark"
    weak = grades["modulation"] <= 2 or grades["unused_error_correction"] <= 2
    if weak and values["module_pixels"] >= FEW_PIXELS:
        if values["edge_width"] > SOFT:
            yield "blurred"
        elif abs(values["ink_gain"]) > GAIN:
            yield "print-lighter" if values["ink_gain"] > 0 else "print-darker"
        elif grades["unused_error_correction"] <= 2:
            yield "damaged"
        elif grades["symbol_contrast"] > 2:
            yield "blurred"
    elif abs(values["ink_gain"]) > GAIN and values["edge_width"] <= SOFT:
        yield "strokes-too-wide" if values["ink_gain"] > 0 else "strokes-too-thin"
    if grades["fixed_pattern_damage"] <= 2:
        yield "pattern-damaged"
    if grades.get("axial_nonuniformity", 4) <= 2:
        yield "stretched"
    if grades["grid_nonuniformity"] <= 2:
        yield "uneven"
