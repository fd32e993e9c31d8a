"""Reading symbols in pictures, with OpenCV and zxing-cpp: whichever reads."""

from __future__ import annotations

import io
import warnings

import numpy as np
import zxingcpp
from numpy.typing import NDArray
from PIL import Image

from media_store.orientation import upright

MAX_PIXELS = 60_000_000
WORKING_SIDE = 2400
"""Longest side that a picture is reduced to before reading."""


class UnreadablePicture(ValueError):
    """The bytes are no picture, or one too large to open."""


def open_picture(data: bytes) -> NDArray[np.uint8]:
    """A JPEG, PNG or WebP as an upright grey picture, shape ``(height, width)``.

    :raises UnreadablePicture: for other content, a broken file, or more than 60 million pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
            if opened.width * opened.height > MAX_PIXELS:
                raise UnreadablePicture("the picture has too many pixels")
            opened.draft("L", (WORKING_SIDE, WORKING_SIDE))
            image = upright(opened).convert("L")
            image.thumbnail((WORKING_SIDE, WORKING_SIDE))
    except UnreadablePicture:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadablePicture("the picture has too many pixels") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise UnreadablePicture("the file is not a picture that can be opened") from error
    return np.asarray(image)


def qr_codes() -> zxingcpp.BarcodeFormats:
    """The one format that is looked for; made anew, as the library complains at the end of what is kept."""
    return zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)


def read_symbols(picture: NDArray[np.uint8]) -> list[str]:
    """The texts of all QR symbols found, without repeats.

    :param picture: grey, shape ``(height, width)``.
    """
    texts = [result.text for result in zxingcpp.read_barcodes(picture, formats=qr_codes())]
    if not texts:
        import cv2

        _, decoded, _, _ = cv2.QRCodeDetector().detectAndDecodeMulti(picture)
        texts = [text for text in decoded if text]
    return list(dict.fromkeys(texts))


def codes_in(data: bytes) -> list[str]:
    """The texts of all QR symbols in a JPEG, PNG or WebP, without repeats.

    :raises UnreadablePicture:
    """
    return read_symbols(open_picture(data))
