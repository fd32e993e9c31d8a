"""Pictures turned upright by what their camera wrote, and by nothing else of it."""

from __future__ import annotations

import struct

from PIL import Image

_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientations as Exif 2.32, 4.6.4 counts them; 1 is upright."""


def upright(picture: Image.Image) -> Image.Image:
    """The picture as it was seen. Other entries may be of any type and are not looked at."""
    try:
        turn = _TURNS.get(picture.getexif().get(_TAG, 1))
    except (OSError, ValueError, SyntaxError, TypeError, struct.error):
        return picture
    return picture.transpose(turn) if turn is not None else picture
