"""Clips that come in: whether a picture can be had of them, and what is shown of them before they are played.

A clip is opened by its path, in a process of its own. It lies in a folder with nothing else, as there are files that
have a decoder read those beside them.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from media_store.confined import confined
from media_store.containers import NotAClip, Refusal
from media_store.frames import NoPicture, fitting, smaller, webp

if TYPE_CHECKING:
    import cv2
    from cv2.typing import MatLike

MAX_BYTES = 500 * 1024 * 1024
MAX_SECONDS = 600
SECONDS_OVER = 5
"""Phones stop a little after the minute."""
MAX_PIXELS = 4096 * 4096
"""The most that a frame may have."""
FRAMES = 12
"""Frames of the contact sheet."""
COLUMNS = 4
FRAME_SIDE = 200
POSTER_SIDE = 480
POSTER_STEPS = ((POSTER_SIDE, 70), (POSTER_SIDE, 50), (POSTER_SIDE, 30), (360, 30), (240, 30))
"""Sides and qualities of a poster, of which the first is taken that fits."""
POSTER_BYTES = 20_000
"""What a poster may have: a trace page loads it before anyone taps on it."""
FLAT = 8.0
"""The deviation of greys below which a frame shows nothing, as the black one at many a beginning."""
ENOUGH_S = 25.0
"""Seconds after which no further frame is looked for: one is enough to keep the clip."""
_READERS = "protocol_whitelist;file|format_whitelist;mov,matroska"
"""What the decoder may open at all; of MP4 and its kin it says mov, of WebM matroska."""


@dataclass(frozen=True, slots=True)
class ClipSeen:
    """What was seen of a clip.

    :ivar codec: four characters, as the decoder calls it.
    :ivar poster: one frame as WebP.
    :ivar sheet: up to twelve frames of it in their order, as one WebP.
    """

    width: int
    height: int
    milliseconds: int
    codec: str
    poster: bytes
    sheet: bytes


def look_at_clip(path: str) -> ClipSeen:
    """Open a clip whose container is known.

    :raises NotAClip: where no frame can be decoded, or it is too long or its frames too large.
    """
    os.environ |= {
        "OPENCV_FFMPEG_CAPTURE_OPTIONS": _READERS,
        "OPENCV_FFMPEG_THREADS": "1",
        "OPENCV_LOG_LEVEL": "OFF",
        "OPENCV_FFMPEG_LOGLEVEL": "-8",
    }
    import cv2

    cv2.setNumThreads(1)
    clip = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    try:
        if not clip.isOpened():
            raise NotAClip(Refusal.NO_PICTURE)
        if clip.get(cv2.CAP_PROP_FRAME_WIDTH) * clip.get(cv2.CAP_PROP_FRAME_HEIGHT) > MAX_PIXELS:
            raise NotAClip(Refusal.TOO_LARGE)
        milliseconds = _length_of(clip)
        if milliseconds > (MAX_SECONDS + SECONDS_OVER) * 1000:
            raise NotAClip(Refusal.TOO_LONG)
        codec = int(clip.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("ascii", "replace").strip("\0 ")
        size, frames = _frames_of(clip, path)
    finally:
        clip.release()
    if not frames:
        raise NotAClip(Refusal.NO_PICTURE)
    height, width = size
    poster = next((frame for frame in frames if frame.std() > FLAT), frames[0])
    try:
        return ClipSeen(width, height, milliseconds, codec, fitting(poster, POSTER_STEPS, POSTER_BYTES), _sheet(frames))
    except NoPicture as error:
        raise NotAClip(Refusal.NO_PICTURE) from error


seen_in_clip = confined(look_at_clip, memory_mb=768, seconds=60)
"""`look_at_clip` in a process of its own."""


def _length_of(clip: cv2.VideoCapture) -> int:
    """Milliseconds of a clip: what it says, or where it says nothing (a browser's own recordings), counted."""
    import cv2

    rate, count = clip.get(cv2.CAP_PROP_FPS), clip.get(cv2.CAP_PROP_FRAME_COUNT)
    if rate > 0 and count > 0:
        return round(count / rate * 1000)
    last, end = 0.0, time.monotonic() + ENOUGH_S
    while time.monotonic() < end and clip.grab():
        last = clip.get(cv2.CAP_PROP_POS_MSEC)
    return round(last)


def _frames_of(clip: cv2.VideoCapture, path: str) -> tuple[tuple[int, int], list[MatLike]]:
    """Height and width of a clip's frames, and some from all over it, made small at once; at least its first where one
    can be decoded at all.
    """
    import cv2

    frames: list[MatLike] = []
    size = (0, 0)
    count, end = int(clip.get(cv2.CAP_PROP_FRAME_COUNT)), time.monotonic() + ENOUGH_S
    places = sorted({int((number + 0.5) / FRAMES * count) for number in range(FRAMES)}) if count > 0 else []
    for place in places:
        clip.set(cv2.CAP_PROP_POS_FRAMES, place)
        read, frame = clip.read()
        if read:
            size = size if frames else frame.shape[:2]
            frames.append(smaller(frame, POSTER_SIDE))
        if time.monotonic() > end:
            break
    if not frames:
        # A damaged index leads nowhere: from the beginning, in order.
        again = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
        read, frame = again.read()
        again.release()
        if read:
            size, frames = frame.shape[:2], [smaller(frame, POSTER_SIDE)]
    return size, frames


def _sheet(frames: list[MatLike]) -> bytes:
    import numpy as np

    cells = [smaller(frame, FRAME_SIDE) for frame in frames]
    height, width = cells[0].shape[:2]
    columns = min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for number, cell in enumerate(cells):
        # Frames of one clip may differ in size where it was turned while filming.
        top, left = number // columns * height, number % columns * width
        part = cell[:height, :width]
        sheet[top : top + part.shape[0], left : left + part.shape[1]] = part
    return webp(sheet, 60)
