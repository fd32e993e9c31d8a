"""Clips that tests make: what OpenCV can write, and H.264 in MP4 as phones write it, which it can't."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

GREY = 128
PLACE = b"+24.8852+104.3086/"
"""Where a phone says that it was, as it stands in the file (ISO 6709)."""


def drawn(path: Path, codec: str, size: tuple[int, int] = (320, 240), seconds: float = 2.0, rate: float = 10) -> bytes:
    """A clip written by OpenCV: ``mp4v`` into .mp4 or ``VP80`` into .webm. A bright square moves over the ground."""
    width, height = size
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, size)
    assert writer.isOpened()
    frames = round(seconds * rate)
    for number in range(frames):
        frame = np.full((height, width, 3), (40, 90, 60), np.uint8)
        left = round(number / frames * (width - height // 4))
        frame[height // 3 : height // 3 + height // 4, left : left + height // 4] = (230, 240, 250)
        writer.write(frame)
    writer.release()
    return path.read_bytes()


class _Bits:
    """A bit string of H.264 (7.2)."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, value: int, bits: int) -> _Bits:
        self.text += format(value, f"0{bits}b")
        return self

    def ue(self, *values: int) -> _Bits:
        """Unsigned Exp-Golomb codes (9.1)."""
        for value in values:
            digits = format(value + 1, "b")
            self.text += "0" * (len(digits) - 1) + digits
        return self

    def data(self) -> bytes:
        padded = self.text + "0" * (-len(self.text) % 8)
        return int(padded, 2).to_bytes(len(padded) // 8, "big")


def _unit(kind: int, payload: bytes) -> bytes:
    """A NAL unit (7.3.1), with the bytes that keep start codes out of it."""
    out = bytearray([0x60 | kind])
    zeros = 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def _parameters(columns: int, rows: int) -> tuple[bytes, bytes]:
    """The sequence's and the picture's parameters (7.3.2.1, 7.3.2.2) of plain Baseline."""
    sequence = (
        _Bits().u(66, 8).u(0xC0, 8).u(30, 8).ue(0, 0, 2, 0).u(0, 1).ue(columns - 1, rows - 1).u(0b1100, 4).u(1, 1)
    )
    picture = _Bits().ue(0, 0).u(0, 2).ue(0, 0, 0).u(0, 3).ue(0, 0, 0).u(0, 3).u(1, 1)
    return _unit(7, sequence.data()), _unit(8, picture.data())


def _frame(number: int, columns: int, rows: int) -> bytes:
    """A picture of samples as they are (I_PCM, 7.3.5), each block of another grey, moving from frame to frame."""
    head = _Bits().ue(0, 7, 0).u(0, 4).ue(number % 2).u(0, 2).ue(0)
    body = bytearray()
    for block in range(columns * rows):
        start = head if block == 0 else _Bits()
        body += start.ue(25).data()
        bright = 230 if block % columns == number % columns else 60
        body += bytes([bright]) * 256 + bytes([GREY]) * 128
    return _unit(5, bytes(body) + b"\x80")


def _box(name: str, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I", 8 + len(data)) + name.encode("latin-1") + data


def _full(name: str, *content: bytes, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", flags), *content)


_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def h264(
    seconds: float = 2.0,
    *,
    columns: int = 4,
    rows: int = 3,
    rate: int = 5,
    moov_first: bool = True,
    claimed: tuple[int, int] | None = None,
) -> bytes:
    """An MP4 of H.264 (Baseline), 16 pixels a block, that says where it was taken.

    :param claimed: columns and rows that it claims to have, where they are others.
    """
    frames = [_frame(number, columns, rows) for number in range(round(seconds * rate))]
    samples = [struct.pack(">I", len(frame)) + frame for frame in frames]
    columns, rows = claimed or (columns, rows)
    sequence, picture = _parameters(columns, rows)
    width, height, count = columns * 16, rows * 16, len(samples)
    length = count * 1000
    scale = rate * 1000
    setup = bytes([1, *sequence[1:4], 0xFF, 0xE1]) + struct.pack(">H", len(sequence)) + sequence
    setup += b"\x01" + struct.pack(">H", len(picture)) + picture
    entry = bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">HH", width, height)
    entry += struct.pack(">IIIH", 0x480000, 0x480000, 0, 1) + bytes(32) + struct.pack(">Hh", 24, -1)

    def moov(offset: int) -> bytes:
        table = _box(
            "stbl",
            _full("stsd", struct.pack(">I", 1), _box("avc1", entry, _box("avcC", setup))),
            _full("stts", struct.pack(">III", 1, count, 1000)),
            _full("stsc", struct.pack(">IIII", 1, 1, count, 1)),
            _full("stsz", struct.pack(">II", 0, count), *(struct.pack(">I", len(one)) for one in samples)),
            _full("stco", struct.pack(">II", 1, offset)),
        )
        reference = _box("dinf", _full("dref", struct.pack(">I", 1), _full("url ", flags=1)))
        media = _box(
            "mdia",
            _full("mdhd", struct.pack(">IIIIHH", 0, 0, scale, length, 0x55C4, 0)),
            _full("hdlr", struct.pack(">I", 0), b"vide", bytes(12), b"\x00"),
            _box("minf", _full("vmhd", bytes(8), flags=1), reference, table),
        )
        track = _box(
            "trak",
            _full(
                "tkhd",
                struct.pack(">IIIII", 0, 0, 1, 0, length),
                bytes(16),
                _MATRIX,
                struct.pack(">II", width << 16, height << 16),
                flags=3,
            ),
            media,
        )
        place = _box("udta", _box("\xa9xyz", struct.pack(">HH", len(PLACE), 0x15C7), PLACE))
        head = _full(
            "mvhd",
            struct.pack(">IIII", 0, 0, scale, length),
            struct.pack(">IH", 0x10000, 0x100),
            bytes(10),
            _MATRIX,
            bytes(24),
            struct.pack(">I", 2),
        )
        return _box("moov", head, track, place)

    start = _box("ftyp", b"isom", struct.pack(">I", 0x200), b"isomavc1mp41")
    content = _box("mdat", *samples)
    if moov_first:
        return start + moov(len(start) + len(moov(0)) + 8) + content
    return start + content + moov(len(start) + 8)


def with_box(film: bytes, path: str, more: bytes) -> bytes:
    """A film with something more at the end of a box.

    :param path: names of boxes from the outside inwards, with slashes; empty for the end of the file.
    :param film: one whose samples lie before what grows.
    """
    name, _slash, rest = path.partition("/")
    if not name:
        return film + more
    place = 0
    while film[place + 4 : place + 8] != name.encode():
        place += int.from_bytes(film[place : place + 4], "big")
    end = place + int.from_bytes(film[place : place + 4], "big")
    return film[:place] + _box(name, with_box(film[place + 8 : end], rest, more)) + film[end:]


def telling(name: str) -> bytes:
    """A box that tells the place."""
    return _box(name, _box("\xa9xyz", struct.pack(">HH", len(PLACE), 0x15C7), PLACE))


FRAGMENT = _box("moof", _full("mfhd", struct.pack(">I", 1)), _box("traf", _full("tfhd", struct.pack(">I", 1))))
"""The head of a fragment, with no samples."""
PLACES_THAT_TELL = {
    "track": ("moov/trak", telling("udta")),
    "media": ("moov/trak/mdia", telling("udta")),
    "table": ("moov/trak/mdia/minf/stbl", telling("meta")),
    "name of the handler": ("moov/trak/mdia/hdlr", PLACE),
    "reference to samples": ("moov/trak/mdia/minf/dinf", _full("dref", struct.pack(">I", 1), _full("url ", PLACE))),
    "maker's box in the film": ("moov", telling("thma")),
    "fragment": ("", with_box(FRAGMENT, "moof", telling("udta"))),
    "track of a fragment": ("", with_box(FRAGMENT, "moof/traf", telling("uuid"))),
    "list of fragments": ("", _box("mfra", telling("meta"))),
    "maker's box": ("", telling("sefd")),
    "box of 64 bits": ("", struct.pack(">I4sQ", 1, b"uuid", 16 + len(PLACE)) + PLACE),
    "free space": ("", _box("free", PLACE)),
    "skipped": ("moov", _box("skip", PLACE)),
    "wide": ("", _box("wide", PLACE)),
    "behind a box without end": ("", struct.pack(">I4s", 0, b"free") + PLACE),
    "behind the last box": ("", bytes(8) + PLACE),
    "behind the last box of a track": ("moov/trak", bytes(8) + PLACE),
}
"""Where a place may stand in a film: in which box, and how."""
