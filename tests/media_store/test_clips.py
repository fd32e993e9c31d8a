"""Clips as they come in: told from their boxes, opened apart, and what is shown of them."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from media_store.clips import POSTER_BYTES, ClipSeen, look_at_clip, seen_in_clip
from media_store.confined import TookTooMuch
from media_store.containers import Container, NotAClip, Refusal, container_of, may_be_clip, veiled
from tests.films import PLACE, drawn, h264


def _container(data: bytes) -> Container:
    return container_of(io.BytesIO(data), len(data))


def _refusal(data: bytes) -> Refusal:
    with pytest.raises(NotAClip) as raised:
        _container(data)
    return raised.value.refusal


def _box(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


FTYP = _box(b"ftyp", b"isom\x00\x00\x02\x00isom")


def _picture(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def _seen(data: bytes, path: Path) -> ClipSeen:
    path.write_bytes(data)
    return seen_in_clip(str(path))


@pytest.mark.parametrize("moov_first", [True, False])
def test_what_phones_film_plays(moov_first: bool) -> None:
    data = h264(moov_first=moov_first)
    assert may_be_clip(data[:12])
    assert (_container(data).ending, _container(data).plays) == ("mp4", True)


@pytest.mark.parametrize(("codec", "ending"), [("mp4v", "mp4"), ("VP80", "webm")])
def test_what_not_every_browser_plays_is_a_clip_all_the_same(codec: str, ending: str, tmp_path: Path) -> None:
    container = _container(drawn(tmp_path / f"x.{ending}", codec))
    assert (container.ending, container.plays) == (ending, False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        bytes(100_000),
        b"ffconcat version 1.0\nfile 'other.mp4'\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1/x.ts\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\x7fELF\x02\x01\x01" + bytes(500),
        b"MZ\x90\x00" + bytes(500),
        b"%PDF-1.7\n" + bytes(500),
        b"\xff\xd8\xff\xe0" + bytes(500),
        b"RIFF\x00\x10\x00\x00AVI LIST" + bytes(500),
        _box(b"ftyp", b"heic\x00\x00\x00\x00mif1heic") + _box(b"meta", bytes(40)) + _box(b"mdat", bytes(99)),
        b"\x1a\x45\xdf\xa3" + bytes(500),
        b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88nonsense" + bytes(50),
    ],
    ids=lambda data: repr(data[:16]),
)
def test_what_is_no_clip_is_told_without_a_decoder(data: bytes) -> None:
    assert _refusal(data) is Refusal.NO_CLIP


def test_what_has_sound_alone_has_no_picture() -> None:
    handler = _box(b"hdlr", bytes(8) + b"soun" + bytes(13))
    assert _refusal(FTYP + _box(b"moov", _box(b"trak", _box(b"mdia", handler)))) is Refusal.NO_PICTURE
    assert _refusal(FTYP + _box(b"moov")) is Refusal.NO_PICTURE


def test_a_recording_that_was_broken_off_is_cut_off() -> None:
    assert _refusal(FTYP + _box(b"mdat", bytes(5000))) is Refusal.CUT_OFF


@pytest.mark.parametrize("moov_first", [True, False])
def test_a_clip_is_refused_wherever_it_is_cut_off(moov_first: bool) -> None:
    data = h264(moov_first=moov_first)
    for length in [*range(0, 120), *range(120, len(data) - 8, 997), len(data) - 1]:
        assert _refusal(data[:length]) in {Refusal.NO_CLIP, Refusal.CUT_OFF}


def test_a_webm_is_refused_where_its_end_is_missing(tmp_path: Path) -> None:
    data = drawn(tmp_path / "x.webm", "VP80")
    assert _refusal(data[:-1]) is Refusal.CUT_OFF
    assert _refusal(data[:45]) is Refusal.CUT_OFF


def test_boxes_without_end_or_within_one_another_end_soon() -> None:
    assert _refusal(FTYP + _box(b"free") * 30_000) is Refusal.NO_CLIP
    deep = b""
    for _number in range(2000):
        deep = _box(b"moov", deep)
    assert _refusal(FTYP + deep) is Refusal.NO_PICTURE


def test_where_a_phone_was_is_not_in_what_the_public_gets() -> None:
    data = h264()
    hidden = _container(data).hidden
    assert PLACE in data
    whole = veiled(data, 0, hidden)
    assert len(whole) == len(data)
    assert PLACE not in whole
    assert b"udta" not in whole
    assert _container(whole).plays
    for size in (1, 7, 100):
        pieces = [veiled(data[at : at + size], at, hidden) for at in range(0, len(data), size)]
        assert b"".join(pieces) == whole


def test_a_clip_is_seen_with_its_size_length_and_pictures(tmp_path: Path) -> None:
    seen = _seen(h264(2.0), tmp_path / "a")
    assert (seen.width, seen.height, seen.milliseconds, seen.codec) == (64, 48, 2000, "h264")
    assert _picture(seen.poster).shape == (48, 64, 3)
    # Ten frames in three rows of four.
    assert _picture(seen.sheet).shape == (3 * 48, 4 * 64, 3)


def test_the_sheet_goes_through_the_clip_in_its_order(tmp_path: Path) -> None:
    drawn(tmp_path / "a.mp4", "mp4v", seconds=6)
    seen = seen_in_clip(str(tmp_path / "a.mp4"))
    sheet = _picture(seen.sheet)
    height, width = sheet.shape[0] // 3, sheet.shape[1] // 4
    lefts = []
    for number in range(12):
        cell = sheet[number // 4 * height :, number % 4 * width :][:height, :width]
        bright = np.argwhere(cell.mean(axis=2) > 180)
        lefts.append(int(bright[:, 1].min()))
    assert lefts == sorted(lefts)
    assert len(set(lefts)) == 12


def test_a_webm_whose_browser_said_no_length_is_seen(tmp_path: Path) -> None:
    data = drawn(tmp_path / "a.webm", "VP80", seconds=3)
    # The element of the length, made one that says nothing (Void).
    place = data.index(b"\x44\x89\x88")
    seen = _seen(data[:place] + b"\xec\x89" + data[place + 2 :], tmp_path / "b")
    assert 2500 < seen.milliseconds <= 3000
    assert seen.poster


def test_a_poster_is_small_however_much_is_in_it(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "a.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (640, 480))
    generator = np.random.default_rng(1)
    for _number in range(5):
        writer.write(generator.integers(0, 255, (480, 640, 3), np.uint8))
    writer.release()
    assert len(seen_in_clip(str(tmp_path / "a.mp4")).poster) <= POSTER_BYTES


def test_a_clip_of_more_than_ten_minutes_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(NotAClip) as raised:
        _seen(h264(610, columns=1, rows=1, rate=1), tmp_path / "a")
    assert raised.value.refusal is Refusal.TOO_LONG
    assert _seen(h264(600, columns=1, rows=1, rate=1), tmp_path / "b").milliseconds == 600_000


def test_frames_that_claim_to_be_huge_take_nobody_along(tmp_path: Path) -> None:
    with pytest.raises((NotAClip, TookTooMuch)):
        _seen(h264(1, claimed=(600, 600)), tmp_path / "a")


def test_a_clip_without_one_whole_frame_is_refused(tmp_path: Path) -> None:
    data = h264(1)
    place = data.index(b"mdat") + 4
    with pytest.raises(NotAClip) as raised:
        _seen(data[:place] + bytes(len(data) - place), tmp_path / "a")
    assert raised.value.refusal is Refusal.NO_PICTURE


def test_the_decoder_reads_no_file_beside_a_clip(tmp_path: Path) -> None:
    drawn(tmp_path / "other.mp4", "mp4v")
    for text in (
        "ffconcat version 1.0\nfile 'other.mp4'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.mp4\n#EXT-X-ENDLIST\n",
    ):
        (tmp_path / "x.mp4").write_text(text)
        with pytest.raises(NotAClip):
            look_at_clip(str(tmp_path / "x.mp4"))
