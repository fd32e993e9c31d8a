"""Pictures of cameras: taken from a stream, a piece of one or a photo, made fit to keep, and measured.

Each is opened in a process of its own. What comes over the network comes from the caller: a decoder that follows what
a stream tells it would ask for addresses that nobody has looked at. Only RTSP is spoken by the decoder itself, with a
port of this machine behind which the caller stands.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from media_store.confined import confined
from media_store.frames import NoPicture, fitting, smaller, webp

if TYPE_CHECKING:
    import cv2
    from cv2.typing import MatLike

CONTENT_TYPE = "image/webp"
MAX_PIXELS = 4096 * 4096
LONGEST_SIDE = 960
LEAST_SIDE, NARROWEST = 32, 6
"""The least that a side may have, and how many times longer the other may be."""
STRIP_SIDE = 240
STRIP_STEPS = ((STRIP_SIDE, 70), (STRIP_SIDE, 50), (STRIP_SIDE, 30), (180, 30), (120, 20))
STRIP_BYTES = 6_400
"""What a picture of a strip may have: twelve of them are on a page before anyone taps."""
GREY_SIZE = (64, 36)
"""Width and height of the picture by which later ones are compared."""
ALIKE = 16
"""The difference, of 256, that each part of a colour may have from one that it is like."""
FRAMES = 4
"""Frames that are read of a stream; the last of them is kept, for the first ones may be damaged."""
PATIENCE_MS = 5_000
"""Milliseconds that a camera may take to answer, and as many between two frames."""
AT_ONCE = 8
"""How many cameras are looked at by a process at a time: most of the time each is waited for."""
_turns = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One picture of a camera.

    :ivar data: WebP without metadata, 960 pixels at most.
    :ivar strip: the same as a small WebP of 6,400 bytes at most.
    :ivar brightness: mean of the greys, 0 to 255.
    :ivar contrast: deviation of the greys.
    :ivar sharpness: variance of the Laplacian at a width of 320 pixels.
    :ivar one_colour: share of what is like the middle of all colours.
    :ivar grey: 64 × 36 bytes, row by row.
    """

    data: bytes
    strip: bytes
    width: int
    height: int
    brightness: float
    contrast: float
    sharpness: float
    one_colour: float
    grey: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def look_at_photo(data: bytes) -> Glimpse:
    """The picture that a camera sent as JPEG, PNG or WebP.

    :raises NoPicture:
    """
    import cv2
    import numpy as np
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
            opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            frame = cv2.cvtColor(np.asarray(opened.convert("RGB")), cv2.COLOR_RGB2BGR)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Warning) as error:
        raise NoPicture from error
    return measured(frame)


def look_at_piece(path: str) -> Glimpse:
    """The last frames of a piece of a stream, in a file that lies alone in its folder.

    :raises NoPicture:
    """
    return _last_frame(path, "protocol_whitelist;file|format_whitelist;mpegts,mov", most=0)


def look_at_rtsp(address: str) -> Glimpse:
    """A frame of a stream by RTSP, all of it over one TCP connection.

    :raises NoPicture:
    """
    return _last_frame(address, "rtsp_transport;tcp|protocol_whitelist;rtsp,rtp,tcp", most=FRAMES)


glimpse_of_photo = confined(look_at_photo, memory_mb=320, seconds=10, turns=_turns)
"""`look_at_photo` in a process of its own."""
glimpse_of_piece = confined(look_at_piece, memory_mb=768, seconds=10, turns=_turns)
"""`look_at_piece` in a process of its own."""
glimpse_of_rtsp = confined(look_at_rtsp, memory_mb=768, seconds=10, turns=_turns)
"""`look_at_rtsp` in a process of its own."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured of a picture; see `Glimpse`."""

    brightness: float
    contrast: float
    sharpness: float
    one_colour: float
    grey: bytes


def measures_of(frame: MatLike) -> Measures:
    """What is measured of a frame."""
    import cv2
    import numpy as np

    small = cv2.resize(frame, (320, max(1, round(frame.shape[0] * 320 / frame.shape[1]))), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    middle = np.median(small.reshape(-1, 3)[::7], axis=0)
    alike = (np.abs(small.astype(np.int16) - middle) <= ALIKE).all(axis=2)
    return Measures(
        brightness=float(grey.mean()),
        contrast=float(grey.std()),
        sharpness=float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        one_colour=float(alike.mean()),
        grey=cv2.resize(grey, GREY_SIZE, interpolation=cv2.INTER_AREA).tobytes(),
    )


def measured(frame: MatLike) -> Glimpse:
    """A frame made fit to keep, and what is measured of it.

    :raises NoPicture: where it is so small or narrow that no camera takes it.
    """
    short, long = sorted(frame.shape[:2])
    if short < LEAST_SIDE or long > short * NARROWEST:
        raise NoPicture
    kept = smaller(frame, LONGEST_SIDE)
    found = measures_of(kept)
    return Glimpse(
        data=webp(kept, 75),
        strip=fitting(kept, STRIP_STEPS, STRIP_BYTES),
        width=kept.shape[1],
        height=kept.shape[0],
        brightness=found.brightness,
        contrast=found.contrast,
        sharpness=found.sharpness,
        one_colour=found.one_colour,
        grey=found.grey,
    )


def _last_frame(address: str, options: str, most: int) -> Glimpse:
    os.environ |= {
        "OPENCV_FFMPEG_CAPTURE_OPTIONS": options,
        "OPENCV_FFMPEG_THREADS": "1",
        "OPENCV_LOG_LEVEL": "OFF",
        "OPENCV_FFMPEG_LOGLEVEL": "-8",
    }
    import cv2

    cv2.setNumThreads(1)
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, PATIENCE_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, PATIENCE_MS]
    stream = cv2.VideoCapture(address, cv2.CAP_FFMPEG, timeouts)
    try:
        frame = _read(stream, most) if stream.isOpened() else None
    finally:
        stream.release()
    if frame is None or frame.shape[0] * frame.shape[1] > MAX_PIXELS:
        raise NoPicture
    return measured(frame)


def _read(stream: cv2.VideoCapture, most: int) -> MatLike | None:
    """The last of some frames, or of all there are."""
    last, number = None, 0
    while not most or number < most:
        read, frame = stream.read()
        if not read:
            break
        last, number = frame, number + 1
    return last
