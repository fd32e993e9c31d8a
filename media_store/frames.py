"""Frames of films and cameras, as OpenCV has them, made small and written down."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cv2.typing import MatLike


class NoPicture(ValueError):
    """There was nothing that a picture could be had of."""


def smaller(frame: MatLike, side: int) -> MatLike:
    """A frame whose longer side is no longer than this."""
    import cv2

    height, width = frame.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def fitting(frame: MatLike, steps: Iterable[tuple[int, int]], most_bytes: int) -> bytes:
    """A frame as WebP, as good as fits; what is full of detail is made smaller.

    :param steps: sides and qualities to try, the best first; the last one is taken whether it fits or not.
    :raises NoPicture:
    """
    data = b""
    for side, quality in steps:
        data = webp(smaller(frame, side), quality)
        if len(data) <= most_bytes:
            break
    return data


def webp(frame: MatLike, quality: int) -> bytes:
    """:raises NoPicture: where it can't be written."""
    import cv2

    made, data = cv2.imencode(".webp", frame, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not made:
        raise NoPicture
    return data.tobytes()
