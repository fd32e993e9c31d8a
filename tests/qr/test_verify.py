"""Grading what was printed, from photos of a label with one thing wrong each."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from qr.picture import render_png
from qr.reading import UnreadablePicture
from qr.stock import dots_per_mm
from qr.symbol import SymbolForm, reference_symbol
from qr.verify import (
    NoSymbol,
    NotGradable,
    _blocks,
    _codeword_places,
    verify,
    verify_picture,
)
from tests.qr.samples import art_of, labels_of, urls

ART = art_of("roll-60x40")
DOTS = dots_per_mm(203)
SCALE = 2
EDGE = 100
LEFT = EDGE + round(ART.layout.symbol.x * DOTS) * SCALE
SIDE = round(ART.symbol_modules * ART.layout.symbol.module_mm * DOTS) * SCALE
MODULE = SIDE // ART.symbol_modules


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """A photo without fault: the label on a light table."""
    label = np.asarray(Image.open(io.BytesIO(render_png(ART, labels_of(9), 3))).convert("L"))
    label = label.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
    photo = np.full((label.shape[0] + 2 * EDGE, label.shape[1] + 2 * EDGE), 200, dtype=np.uint8)
    photo[EDGE:-EDGE, EDGE:-EDGE] = label
    return photo


def test_a_clean_print_is_an_a_in_all(clean: np.ndarray) -> None:
    result = verify_picture(clean)
    assert result.text == urls(1, first=3)[0]
    assert result.grade == "A"
    assert set(result.grades.values()) == {4}
    assert len(result.grades) == 8
    assert result.hints == []


def test_a_phones_photo_of_a_clean_print_is_good(clean: np.ndarray) -> None:
    height, width = clean.shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float32)
    seen = np.array([(80, 60), (width - 90, 10), (width - 20, height - 20), (10, height - 80)], dtype=np.float32)
    tilted = cv2.warpPerspective(clean, cv2.getPerspectiveTransform(corners, seen), (width, height))
    light = np.linspace(1, 0.6, width)[None]
    photo = cv2.GaussianBlur((tilted * light * 0.8 + 25).clip(0, 255).astype(np.uint8), (0, 0), 1.5)
    encoded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes()
    result = verify(encoded)
    assert result.grade in "AB"
    assert result.grades["axial_nonuniformity"] >= 3


@pytest.mark.parametrize(("side", "turns"), [("left", 0), ("top", 3), ("right", 2), ("bottom", 1)])
def test_a_cut_quiet_zone_is_named_by_its_side(clean: np.ndarray, side: str, turns: int) -> None:
    photo = clean.copy()
    photo[:, : LEFT - MODULE] = 15
    if turns:
        # Cut the same margin of a symbol that stands turned, then set it upright again.
        square = clean[LEFT - 5 * MODULE : LEFT + SIDE + 5 * MODULE, LEFT - 5 * MODULE : LEFT + SIDE + 5 * MODULE]
        square = np.rot90(square, -turns).copy()
        square[:, : 4 * MODULE] = 15
        photo = np.pad(np.rot90(square, turns), 60, constant_values=230)
    result = verify_picture(photo)
    assert result.grades["quiet_zone"] <= 1
    assert result.hints[0] == f"quiet-zone-{side}"


def test_a_pale_print_should_be_darker(clean: np.ndarray) -> None:
    pale = (clean.astype(float) * 0.2 + 204).clip(0, 255).astype(np.uint8)
    result = verify_picture(pale)
    assert result.grades["symbol_contrast"] <= 2
    assert "print-darker" in result.hints


def test_too_much_ink_should_be_lighter(clean: np.ndarray) -> None:
    fat = cv2.erode(clean, np.ones((9, 9), np.uint8))
    result = verify_picture(fat)
    assert result.values["ink_gain"] > 0.2
    assert {"print-lighter", "strokes-too-wide"} & set(result.hints)
    thin = verify_picture(cv2.dilate(clean, np.ones((7, 7), np.uint8)))
    assert thin.values["ink_gain"] < -0.2
    assert {"print-darker", "strokes-too-thin"} & set(thin.hints)


def test_damage_uses_up_the_error_correction(clean: np.ndarray) -> None:
    photo = clean.copy()
    photo[LEFT + 9 * MODULE : LEFT + 15 * MODULE, LEFT + 10 * MODULE : LEFT + 16 * MODULE] = 255
    result = verify_picture(photo)
    assert result.text == urls(1, first=3)[0]
    assert result.grades["unused_error_correction"] <= 2
    assert "damaged" in result.hints


def test_a_scratched_finder_is_a_damaged_fixed_pattern(clean: np.ndarray) -> None:
    photo = clean.copy()
    top = EDGE + round(ART.layout.symbol.y * DOTS) * SCALE
    photo[top + 3 * MODULE : top + 5 * MODULE, LEFT : LEFT + MODULE] = 255
    result = verify_picture(photo)
    assert result.grades["fixed_pattern_damage"] <= 2
    assert "pattern-damaged" in result.hints


def test_a_blurred_photo_is_called_blurred(clean: np.ndarray) -> None:
    result = verify_picture(cv2.GaussianBlur(clean, (0, 0), 6))
    assert result.grades["modulation"] <= 2
    assert "blurred" in result.hints


def test_a_photo_from_too_far_is_sent_back(clean: np.ndarray) -> None:
    small = cv2.resize(clean, None, fx=0.15, fy=0.15, interpolation=cv2.INTER_AREA)
    assert "photo-too-far" in verify_picture(small).hints


def test_a_stretched_print_is_uneven_in_its_axes(clean: np.ndarray) -> None:
    result = verify_picture(cv2.resize(clean, None, fx=1.15, fy=1))
    assert result.grades["axial_nonuniformity"] <= 1
    assert "stretched" in result.hints


def test_a_creased_label_has_an_uneven_grid(clean: np.ndarray) -> None:
    x, y = np.meshgrid(np.arange(clean.shape[1], dtype=np.float32), np.arange(clean.shape[0], dtype=np.float32))
    even = verify_picture(clean).values["grid_nonuniformity"]
    creased = verify_picture(cv2.remap(clean, x + 7 * np.sin(y / 80), y, cv2.INTER_LINEAR))
    assert creased.values["grid_nonuniformity"] > even + 0.1


def test_a_picture_without_a_symbol_is_said_to_have_none() -> None:
    with pytest.raises(NoSymbol):
        verify_picture(np.full((400, 400), 255, dtype=np.uint8))
    noise = np.random.default_rng(1).integers(0, 255, (400, 400), dtype=np.uint8)
    with pytest.raises(NoSymbol):
        verify_picture(noise)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.5", Path(__file__).read_bytes()])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadablePicture):
        verify(data)


def test_a_huge_picture_is_refused_before_it_is_opened() -> None:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    with pytest.raises(UnreadablePicture, match="pixels"):
        verify(out.getvalue())


def test_a_symbol_of_someone_else_is_graded_too() -> None:
    import qrcode

    symbol = qrcode.QRCode(version=3, error_correction=qrcode.constants.ERROR_CORRECT_L, box_size=8, border=4)
    symbol.add_data("https://example.org/some/page")
    picture = np.asarray(symbol.make_image().get_image().convert("L"))
    result = verify_picture(np.pad(picture, 40, constant_values=255))
    assert (result.text, result.grade) == ("https://example.org/some/page", "A")
    assert result.form is not None
    assert result.form.mode == "byte"


@pytest.mark.parametrize("text", ["1234567890" * 4, "0" * 60])
def test_a_symbol_of_digits_is_not_graded_and_does_no_harm(text: str) -> None:
    import segno

    out = io.BytesIO()
    segno.make(text, micro=False, error="l", boost_error=False).save(out, kind="png", scale=8, border=8)
    with pytest.raises(NotGradable):
        verify(out.getvalue())


def test_a_symbol_of_several_modes_is_not_graded_either() -> None:
    import qrcode

    symbol = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_L, box_size=8, border=8)
    symbol.add_data("https://example.org/" + "1" * 60 + "ABC")
    with pytest.raises(NotGradable):
        verify_picture(np.asarray(symbol.make_image().get_image().convert("L")))


@pytest.mark.parametrize(("version", "level"), [(1, "M"), (2, "Q"), (3, "Q"), (5, "Q"), (7, "M"), (10, "H")])
def test_the_places_of_words_are_where_the_library_puts_them(version: int, level: str) -> None:
    """Flipping one data bit changes the modules of its own word and of check words of its block, and no others."""
    form = SymbolForm(version, level, 3)
    one, other = reference_symbol("A" * 10, form), reference_symbol("A" * 9 + "B", form)
    changed = {(int(y), int(x)) for y, x in np.argwhere(one != other)}
    words = [n for n, places in enumerate(_codeword_places(form)) if changed & set(places)]
    of_block = [set(members) for members, _data in _blocks(form) if set(members) & set(words)]
    assert changed <= {place for n in words for place in _codeword_places(form)[n]}
    assert len(of_block) == 1
    assert set(words) <= of_block[0]
    total = sum(len(members) for members, _data in _blocks(form))
    assert len(_codeword_places(form)) == total
