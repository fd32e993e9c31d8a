"""Photos made fit to keep: checked by content, upright, without position or device data, resized."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pi_heif
from PIL import Image, ImageFile, ImageOps

from media_store.capture import UNTOLD, Capture, capture_of
from media_store.confined import confined
from media_store.orientation import upright

MAX_BYTES = 20 * 1024 * 1024
MEMORY_MB = 150
"""What one picture may take, whatever it claims to be."""
MAX_PIXELS = 12_500_000
"""The most that a picture may have which has to be laid out whole."""
MAX_WEBP_PIXELS = 7_500_000
"""The most that a WebP may have, of which its decoder lays out several at a time."""
MAX_HEIF_PIXELS = 25_000_000
"""The most that a HEIC may have: it is laid out once, and made small from there."""
MAX_JPEG_PIXELS = 250_000_000
"""The most that a JPEG may have: it is read at an eighth of its size if need be."""
FORMATS = {
    "JPEG": MAX_JPEG_PIXELS,
    "HEIF": MAX_HEIF_PIXELS,
    "PNG": MAX_PIXELS,
    "WEBP": MAX_WEBP_PIXELS,
    "AVIF": MAX_PIXELS,
}
"""What is opened, and how many pixels of it."""
LONGEST_SIDE = 1600
MIDDLE_SIDE = 800
"""What fills the screen of most phones."""
THUMBNAIL_SIDE = 240
THUMBNAIL_BYTES = 12_000
"""What a thumbnail has at most: a page shows one before anyone taps."""
CONTENT_TYPE = "image/webp"


# The library's own limit, under which no large phone's pictures open, gives way to the two above.
Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS
pi_heif.register_heif_opener(thumbnails=False, decode_threads=1)


class NotAPhoto(ValueError):
    """The upload is no JPEG, PNG, WebP, HEIC or AVIF picture that can be opened."""


class PhotoTooLarge(ValueError):
    """The upload has more bytes or pixels than a photo may have."""


@dataclass(frozen=True, slots=True)
class CleanedPhoto:
    """A photo ready to store, as WebP without metadata, in the sizes that pages show."""

    data: bytes
    width: int
    height: int
    thumbnail: bytes
    """A square of its middle."""
    middle: bytes | None = None
    """The whole of it, where it is wider than this."""
    middle_width: int | None = None
    capture: Capture = UNTOLD

    def told(self, capture: Capture) -> CleanedPhoto:
        """The photo with what its sender had read in it before making it small, where it says nothing itself."""
        return self if self.capture != UNTOLD else replace(self, capture=capture)


def clean_photo(data: bytes) -> CleanedPhoto:
    """Re-encode an uploaded picture.

    :raises NotAPhoto: where the content is none of these, whatever its name says, or is broken.
    :raises PhotoTooLarge: for more than 20 MB, or too many pixels.
    """
    if len(data) > MAX_BYTES:
        raise PhotoTooLarge
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(data), formats=tuple(FORMATS))
            if opened.width * opened.height > FORMATS[opened.format or ""]:
                raise PhotoTooLarge
            capture = capture_of(opened)
            picture = _of_heif(data) if opened.format == "HEIF" else _laid_out(opened)
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
            picture = _on_white(picture)
            small = ImageOps.fit(picture, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    except PhotoTooLarge:
        raise
    except Image.DecompressionBombError as error:
        raise PhotoTooLarge from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise NotAPhoto from error
    middle, middle_width = _middle_of(picture)
    return CleanedPhoto(
        _webp(picture, 80), picture.width, picture.height, _thumbnail(small), middle, middle_width, capture
    )


photo_from = confined(clean_photo, memory_mb=MEMORY_MB)
"""`clean_photo` in a process of its own."""


def _laid_out(opened: ImageFile.ImageFile) -> Image.Image:
    """A picture as it was seen, as small as it can be read and no smaller than is wanted."""
    opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
    picture: Image.Image = opened.convert("RGBA") if "transparency" in opened.info else opened
    if picture.mode.startswith("I"):
        # Greys of 16 bits are cut off at 255 by a plain conversion.
        picture = picture.convert("I").point(lambda grey: grey * (1 / 257)).convert("L")
    # Made small before anything lays a copy of it out.
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return upright(picture)


def _of_heif(data: bytes) -> Image.Image:
    """A HEIC as it was seen, which its decoder turns by itself. It is made small where it lies, line by line: Pillow
    would lay out a second one of four bytes a pixel.
    """
    file = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    whole = np.asarray(file)
    times = max(1, max(whole.shape[:2]) // LONGEST_SIDE)
    height, width = (side // times for side in whole.shape[:2])
    small = np.empty((height, width, *whole.shape[2:]), np.uint8)
    for line in range(height):
        band = whole[line * times : (line + 1) * times, : width * times]
        small[line] = band.reshape(times, width, times, *whole.shape[2:]).mean(axis=(0, 2))
    return Image.fromarray(small)


def _middle_of(picture: Image.Image) -> tuple[bytes, int] | tuple[None, None]:
    """A picture in the middle size, and its width there, where that is less than it has."""
    middle = picture.copy()
    middle.thumbnail((MIDDLE_SIDE, MIDDLE_SIDE), Image.Resampling.LANCZOS)
    return (_webp(middle, 72), middle.width) if middle.width < picture.width else (None, None)


def _thumbnail(small: Image.Image) -> bytes:
    """A thumbnail as good as its bytes allow: noise takes many."""
    for quality in (55, 40, 25):
        if len(data := _webp(small, quality)) <= THUMBNAIL_BYTES:
            return data
    return _webp(small.resize((THUMBNAIL_SIDE // 2, THUMBNAIL_SIDE // 2), Image.Resampling.BOX), 25)


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode in {"RGBA", "LA", "PA"}:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, picture).convert("RGB")
    return picture.convert("RGB")


def _webp(picture: Image.Image, quality: int) -> bytes:
    # A fresh image carries no metadata over.
    bare = Image.new("RGB", picture.size)
    bare.paste(picture)
    out = io.BytesIO()
    bare.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()
