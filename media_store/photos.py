"""Photos made fit to keep: checked by content, upright, without position or device data, resized."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 80_000_000
LONGEST_SIDE = 1600
THUMBNAIL_SIDE = 240
CONTENT_TYPE = "image/webp"


class NotAPhoto(ValueError):
    """The upload is no JPEG, PNG or WebP picture that can be opened."""


class PhotoTooLarge(ValueError):
    """The upload has more bytes or pixels than a photo may have."""


@dataclass(frozen=True, slots=True)
class CleanedPhoto:
    """A photo ready to store, as WebP without metadata, and its thumbnail."""

    data: bytes
    width: int
    height: int
    thumbnail: bytes


def clean_photo(data: bytes) -> CleanedPhoto:
    """Re-encode an uploaded picture.

    :raises NotAPhoto: where the content is no JPEG, PNG or WebP, whatever its name says, or is broken.
    :raises PhotoTooLarge: for more than 20 MB or 80 million pixels.
    """
    if len(data) > MAX_BYTES:
        raise PhotoTooLarge
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
            if opened.width * opened.height > MAX_PIXELS:
                raise PhotoTooLarge
            opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            picture = _on_white(ImageOps.exif_transpose(opened))
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
            small = ImageOps.fit(picture, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    except PhotoTooLarge:
        raise
    except Image.DecompressionBombError as error:
        raise PhotoTooLarge from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise NotAPhoto from error
    return CleanedPhoto(_webp(picture, 80), picture.width, picture.height, _webp(small, 55))


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
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
